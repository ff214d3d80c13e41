"""Loading lines of JSON: an export into an empty database is restored as it was, anything else comes as changes.

Memory does not grow with what is loaded: lines are taken in batches, references are looked up in the database, and what
must wait for later lines waits in a temporary file.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO

from pydantic import ValidationError
from pydantic_core import to_json
from sqlalchemy import Connection, select, update

from models.core.errors import ClaimbaseError, Fault, InvalidRecord, validation_faults
from models.database.connections import Database
from models.database.prepared_statements import insert_rows, prepare_for_many
from models.projection.rebuild import DERIVATION
from models.records.claim import Claim
from models.records.record_types import RECORD_TYPES
from models.records.relation import Relation
from models.records.revision import (
    PUBLIC_STATES,
    WITHHELD,
    Revision,
    RevisionWhole,
    Serial,
    lock_serial,
)
from models.records.serializers import Row, table
from models.transfer.bulk_insert import LoadRun, store_batch
from models.transfer.jsonl_reader import Input, TextLine, location, parse_json
from models.transfer.line_records import Problem, Record, is_timestamp, parse_line
from models.write import changes

BATCH_SIZE = 4000
PROGRESS_EVERY = 500
# Somebody will mend the first ones first.
MAX_PROBLEMS = 1000


class BadImport(ClaimbaseError):
    """Something in the file cannot be loaded; nothing was stored."""

    code = "bad_import"


@dataclass
class LoadResult:
    """What became of the lines. `records` = stored + unchanged + reported; the rest are revisions."""

    lines: int = 0
    records: int = 0
    revisions: int = 0
    restored: bool = False
    reported: int = 0
    differing: int = 0
    stored: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)


Report = Callable[[Problem], None]
Progress = Callable[[Input, int], None]


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let the collector of cycles rest: it would look at every object of every batch, again and again."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@_few_collections()
def load(
    database: Database,
    source: Input,
    *,
    report: Report,
    progress: Progress = lambda _source, _lines: None,
    skip_bad: bool = False,
    actor: str = "import",
) -> LoadResult:
    """Load lines of JSON, all of them or nothing; each fault is told through `report` as it is found.

    With `skip_bad` bad records are left out, and with them all that depends on them. Raises `BadImport`.
    """
    told = LoadResult()
    lines = _told(source, told, progress)
    # What was left out would be missing in the restored revisions, so records are then loaded as changes.
    empty = _is_empty(database)
    if source.header is not None and not skip_bad and empty:
        return _restore(database, source, lines, told, report)
    comment = f"Imported from {source.name}."
    with (
        changes.begin(database, actor=actor, comment=comment, fills=empty) as change,
        TemporaryFile() as one,
        TemporaryFile() as two,
    ):
        later = {"relation": Later(one), "evidence": Later(two)}
        prepare_for_many(change.connection)
        heard = report if skip_bad else _bounded(report)
        work = LoadRun(
            change.connection,
            change,
            heard,
            later=lambda record: later[record.kind.name].add(record),
        )
        for batch, given, revisions in _batches(lines, told, work):
            told.revisions += len(revisions)
            store_batch(work, batch, given)
            gc.collect()
        work.later = None
        for waiting in later.values():
            for batch in waiting.batches():
                store_batch(work, batch, {})
        _settle(told, work)
        if told.reported and not skip_bad:
            raise BadImport(f"{told.reported} records cannot be loaded; nothing was stored.")
    return told


def _restore(
    database: Database, source: Input, lines: Iterator[TextLine], told: LoadResult, report: Report
) -> LoadResult:
    """Restore an export as it was: serials, times, actors. What follows from it must be what its lines say."""
    header = source.header or {}
    told.restored = True
    with database.write(fills=True) as connection:
        if lock_serial(connection):
            raise BadImport("Somebody wrote to the empty database meanwhile; nothing was stored.")
        prepare_for_many(connection)
        same = header.get("derivation") == DERIVATION
        work = LoadRun(connection, None, _bounded(report), expect_same=same)
        for batch, given, revisions in _batches(lines, told, work):
            store_batch(work, batch, given)
            told.revisions += _store_revisions(work, revisions, told.revisions)
            gc.collect()
        _settle(told, work)
        _check_whole(connection, header, told, work)
        connection.execute(update(table(Serial)).values(value=told.revisions))
        if told.reported or work.wrong:
            raise BadImport("The export cannot be restored as it was; nothing was stored.")
    return told


def _settle(told: LoadResult, work: LoadRun) -> None:
    told.stored, told.unchanged = work.stored, work.unchanged
    told.reported, told.differing = work.reported, work.differing
    assert told.records == told.stored.total() + told.unchanged.total() + told.reported, (
        "every record has an outcome"
    )


def _check_whole(connection: Connection, header: Row, told: LoadResult, work: LoadRun) -> None:
    """Report what only the whole shows: lines that are missing at the end, relations that point nowhere."""
    counts = header.get("counts")
    whole = isinstance(counts, dict) and all(type(number) is int for number in counts.values())
    expected = sum(counts.values()) if isinstance(counts, dict) and whole else None
    if (told.lines, told.revisions) != (expected, header.get("serial")):
        of = f"{told.lines} lines of {expected}, {told.revisions} revisions of {header.get('serial')}"
        work.complain(
            "at the end", Fault(at="", code="cut_short", detail=f"It is not whole: {of}.")
        )
    relation, claim = table(Relation), table(Claim)
    there = select(claim.c.id).where(claim.c.id == relation.c.target)
    key = (relation.c.claim, relation.c.type, relation.c.target)
    for start, kind, target in connection.execute(
        select(*key).where(relation.c.state == "accepted", ~there.exists())
    ):
        detail = f"{start} {kind} {target}, which is not a claim."
        work.complain("at the end", Fault(at="target", code="unknown_reference", detail=detail))


Batch = tuple[list[Record], dict[str, tuple[str, bytes]], list[tuple[str, Row]]]


def _batches(lines: Iterator[TextLine], told: LoadResult, work: LoadRun) -> Iterator[Batch]:
    """Yield batches: records, none of them twice; the lines of claims; revisions."""
    records: dict[tuple[str, str], Record] = {}
    given: dict[str, tuple[str, bytes]] = {}
    revisions: list[tuple[str, Row]] = []
    for line in lines:
        where = location(line)
        try:
            content = parse_json(line[2])
        except ValueError as error:
            told.records += 1
            work.refuse(
                [
                    Problem(
                        where, Fault(at="", code="not_json", detail=f"This is not JSON: {error}.")
                    )
                ]
            )
            continue
        if isinstance(content, dict) and content.get("record") == "revision":
            revisions.append((where, content))
        else:
            found = list(parse_line(where, content))
            if any(
                isinstance(each, Record) and (each.kind.name, each.id) in records for each in found
            ):
                yield list(records.values()), given, revisions
                records, given, revisions = {}, {}, []
            told.records += len(found)
            for each in found:
                if not isinstance(each, Record):
                    work.refuse(each)
                elif (each.kind.name, each.id) in records:
                    detail = "It stands in this line twice."
                    work.refuse([each.problem(Fault(at="", code="repeated_key", detail=detail))])
                else:
                    records[each.kind.name, each.id] = each
            if isinstance(content, dict) and content.get("record") == "claim":
                given[str(content.get("id"))] = (where, line[2])
        if len(records) + len(revisions) >= BATCH_SIZE:
            yield list(records.values()), given, revisions
            records, given, revisions = {}, {}, []
    yield list(records.values()), given, revisions


def _store_revisions(work: LoadRun, found: list[tuple[str, Row]], before: int) -> int:
    """Store revisions as their lines have them; return how many."""
    rows = []
    for number, (where, given) in enumerate(found, start=before + 1):
        try:
            rows.append(_revision(given, number))
        except ValidationError as error:
            for fault in validation_faults(error.errors(), RevisionWhole.model_fields):
                work.complain(where, fault)
        except InvalidRecord as error:
            for fault in error.faults:
                work.complain(where, fault)
    insert_rows(work.connection, table(Revision), rows)
    return len(found)


def _revision(given: Row, number: int) -> Row:
    """Return the row of a revision; raises where its line is none, or is not the one with this serial."""
    named = {
        "record" if name == "of" else name: value
        for name, value in given.items()
        if name != "record"
    }
    row: Row = dict(RevisionWhole.__pydantic_validator__.validate_python(named).__dict__)
    hidden = row["state"] not in PUBLIC_STATES
    if hidden:
        row |= {
            "record": f"{row['kind']}/{WITHHELD}",
            "claim": None,
            "actor": WITHHELD,
            "comment": None,
            "body": {},
        }
    checks = {
        "serial": (
            row["serial"] == number,
            f"The serial {row['serial']} stands where {number} should.",
        ),
        "change": (1 <= row["change"] <= number, "A change begins with a serial up to this one."),
        "at": (is_timestamp(row["at"]), "A time is written as 2026-11-24T12:00:00.000000Z."),
        "of": (
            str(row["record"]).startswith(f"{row['kind']}/"),
            f"It names a {row['kind']}, as {row['kind']}/…",
        ),
        "actor": (row["actor"] is not None, "Only what is withheld has no actor."),
        "body": (row["body"] is not None, "Only what is withheld has no body."),
    }
    faults = [
        Fault(at=name, code="bad_revision", detail=said)
        for name, (right, said) in checks.items()
        if not right
    ]
    if faults:
        raise InvalidRecord(faults[0].detail, faults)
    return row


def _is_empty(database: Database) -> bool:
    with database.read() as connection:
        return not connection.scalar(select(table(Serial).c.value))


def _told(source: Input, told: LoadResult, progress: Progress) -> Iterator[TextLine]:
    for line in source.lines:
        told.lines += 1
        if told.lines % PROGRESS_EVERY == 0:
            progress(source, told.lines)
        yield line


def _bounded(report: Report) -> Report:
    """Return a report that gives up where there is no end of problems."""
    number = 0

    def bounded(problem: Problem) -> None:
        nonlocal number
        number += 1
        report(problem)
        if number >= MAX_PROBLEMS:
            raise BadImport(f"{number} problems so far; nothing was stored.")

    return bounded


class Later:
    """Records that wait for the rest of the file, in a temporary file."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def add(self, record: Record) -> None:
        """Put a record by."""
        self.file.write(
            to_json([record.place, record.pointer, record.kind.name, record.id, record.body])
            + b"\n"
        )

    def batches(self) -> Iterator[list[Record]]:
        """Yield all of them, in their order, none twice in a batch."""
        self.file.seek(0)
        batch: dict[str, Record] = {}
        for line in self.file:
            place, pointer, kind, record_id, body = parse_json(line)
            if record_id in batch or len(batch) >= BATCH_SIZE:
                yield list(batch.values())
                batch = {}
            batch[record_id] = Record(place, pointer, RECORD_TYPES[kind], record_id, body, {})
        yield list(batch.values())
