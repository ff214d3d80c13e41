"""Loading JSON Lines. An export into an empty database is restored; anything else comes as changes.

Memory does not grow with the size of the input: it is taken in batches, references are looked up in
the database, and records that must wait for later lines wait in a temporary file.
"""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from tempfile import TemporaryFile
from typing import IO, Any

from pydantic import ValidationError
from pydantic_core import to_json
from sqlalchemy import Connection, select, update

from models.core.errors import ClaimbaseError, Fault, InvalidRecord, record_faults
from models.database.bulk_indexes import without_foreign_keys, without_indexes
from models.database.connections import Database
from models.database.prepared_statements import insert_rows, prepare_for_bulk_write
from models.projection import store as projection
from models.projection.deriving import deriving
from models.projection.integrity_check import check_records
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
    about,
    lock_serial,
    revision_time,
    root_in_name,
    root_of,
)
from models.records.serializers import Row, table
from models.records.source_text import SourceTextIn, store_text
from models.search import index
from models.transfer.bulk_insert import LoadRun, store_batch
from models.transfer.changed_here import IMPORT_ACTOR, ChangedHere
from models.transfer.export import TEXT_RECORD
from models.transfer.jsonl_reader import Input, TextLine, location, parse_json
from models.transfer.line_records import Problem, Record, is_timestamp, parse_lines
from models.transfer.missing_records import HeldRecords, MissingRecords
from models.write import changes

BATCH_SIZE = 4000
BATCHES_A_SEARCH = 20
# So many bytes of lines are parsed at once.
PIECE_BYTES = 256 * 1024
# Texts are long, so fewer of them are held at once.
TEXTS_OF_BATCH = 50
PROGRESS_EVERY = 500
# Nobody reads more of them before fixing the first ones.
MAX_PROBLEMS = 1000


# The tables that a load only writes to, or reads by their key and by these indexes.
WRITTEN_TABLES = [
    *projection.PLAIN_TABLES,
    *index.WORD_TABLES.values(),
    *index.LABEL_WORDS.values(),
    table(Revision),
]
READ_INDEXES = ["ix_claim_term_claim", *index.NUMBER_INDEXES]


class BadImport(ClaimbaseError):
    """Something in the file cannot be loaded. Nothing was stored."""

    code = "bad_import"


@dataclass
class LoadResult:
    """What became of the input.

    `records` is the sum of `stored`, `unchanged`, `left` and `reported`; `left` counts what people
    changed here since, which stays as it is. `differing` counts the claims from
    whose records something else follows here than their lines say. `missing` is what the input
    lacks of collections that are stored in another version.
    """

    lines: int = 0
    records: int = 0
    revisions: int = 0
    restored: bool = False
    reported: int = 0
    differing: int = 0
    stored: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    missing: list[MissingRecords] = field(default_factory=list)


Report = Callable[[Problem], None]
Progress = Callable[[Input, int], None]


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Switch the garbage collector off: it would look at every object of a batch several times."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@_garbage_collection_paused()
def load(
    database: Database,
    source: Input,
    *,
    report: Report,
    report_left: Callable[[ChangedHere], None] = lambda _change: None,
    progress: Progress = lambda _source, _lines: None,
    skip_bad: bool = False,
    overwrite: bool = False,
) -> LoadResult:
    """Load JSON Lines, all or nothing. Each problem is passed to `report` as soon as it is found.

    What people changed here since it was loaded is left as it is and passed to `report_left`, or
    with `overwrite` becomes what the input says.

    With `skip_bad`, bad records are left out, and with them all that depends on them. Otherwise
    raises `BadImport` if there are any.
    """
    result = LoadResult()
    lines = _with_progress(source, result, progress)
    empty = _is_empty(database)
    # Revisions of skipped records would be missing, so an export is then loaded as changes. An
    # export of one collection has none.
    whole = source.header is not None and source.header.get("collection") is None
    if whole and not skip_bad and empty:
        return _restore(database, source, lines, result, report)
    with (
        changes.begin(
            database, actor=IMPORT_ACTOR, comment=f"Imported from {source.name}.", bulk=empty
        ) as change,
        ExitStack() as files,
        _into_empty(change.connection, change.before) if empty else nullcontext(),
    ):
        prepare_for_bulk_write(change.connection)
        waiting = {
            name: WaitingRecords(files.enter_context(TemporaryFile())) for name in RECORD_TYPES
        }
        run = LoadRun(
            change.connection,
            change,
            files.enter_context(deriving(change.connection)),
            report if skip_bad else _limited(report),
            later=lambda record: waiting[record.kind.name].add(record),
            leave=None if empty or overwrite else report_left,
        )
        held = HeldRecords()
        for batch in _batches(lines, result, run):
            result.revisions += len(batch.revisions)
            _store_texts(run, batch.texts)
            if not empty:
                for record in batch.records.values():
                    held.add(change.connection, record.kind, record.body)
            store_batch(run, list(batch.records.values()), batch.claim_lines)
        run.later = None
        # What others refer to comes first, such as relations before the evidence on them.
        for records in waiting.values():
            for waiting_batch in records.batches():
                store_batch(run, waiting_batch, {})
        run.deriving.finish()
        _count(result, run)
        result.missing = held.missing(change.connection)
        if result.reported and not skip_bad:
            raise BadImport(f"{result.reported} records cannot be loaded; nothing was stored.")
    return result


def _restore(
    database: Database,
    source: Input,
    lines: Iterator[TextLine],
    result: LoadResult,
    report: Report,
) -> LoadResult:
    """Restore an export with its serials, times and actors.

    What is derived from the records must be what the lines say, if the same rules derived both, and
    the last revision of each record must be the record.
    """
    header = source.header or {}
    result.restored = True
    with database.write(bulk=True) as connection, deriving(connection) as derived:
        before, _ = lock_serial(connection)
        prepare_for_bulk_write(connection)
        same_rules = header.get("derivation") == DERIVATION
        run = LoadRun(connection, None, derived, _limited(report), expect_same=same_rules)
        with _into_empty(connection, before):
            for batch in _batches(lines, result, run):
                _store_texts(run, batch.texts)
                store_batch(run, list(batch.records.values()), batch.claim_lines)
                _store_revisions(run, batch.revisions, result.revisions)
                result.revisions += len(batch.revisions)
            derived.finish()
        _count(result, run)
        _check_completeness(header, result, run)
        _check_relations(run)
        stand = {"value": result.revisions, "at": revision_time(connection, result.revisions)}
        connection.execute(update(table(Serial)).values(stand))
        # The read model was compared with the lines already.
        for disagreement in (*check_records(connection), *_revisions_to_come(connection)):
            fault = Fault(at="", code="contradiction", detail=disagreement)
            run.complain("at the end", fault)
        if result.reported or run.wrong:
            raise BadImport("The export cannot be restored as it was; nothing was stored.")
    return result


@contextmanager
def _into_empty(connection: Connection, serial: int) -> Iterator[None]:
    """Leave the indexes and foreign keys of an empty database out in a block.

    Raises BadImport if the serial of the database, which is locked by now, says that it is not
    empty any more.
    """
    if serial:
        raise BadImport("Somebody wrote to the empty database meanwhile; nothing was stored.")
    with (
        without_foreign_keys(connection),
        without_indexes(connection, WRITTEN_TABLES, READ_INDEXES),
    ):
        yield


def _count(result: LoadResult, run: LoadRun) -> None:
    result.stored = run.stored
    result.unchanged = run.unchanged
    result.left = run.left
    result.reported = run.reported
    result.differing = run.differing
    tallies = (result.stored, result.unchanged, result.left)
    outcomes = sum(tally.total() for tally in tallies) + result.reported
    assert result.records == outcomes, "every record has an outcome"


def _check_completeness(header: Row, result: LoadResult, run: LoadRun) -> None:
    """Report if the export has not as many lines and revisions as its header says."""
    expected = _expected_lines(header.get("counts"))
    serial = header.get("serial")
    if (result.lines, result.revisions) != (expected, serial):
        counted = f"{result.lines} lines of {expected}, {result.revisions} revisions of {serial}"
        detail = f"It is not whole: {counted}."
        run.complain("at the end", Fault(at="", code="cut_short", detail=detail))


def _expected_lines(counts: Any) -> int | None:
    if not isinstance(counts, dict):
        return None
    numbers = list(counts.values())
    return sum(numbers) if all(type(number) is int for number in numbers) else None


def _revisions_to_come(connection: Connection) -> Iterator[str]:
    """Yield a sentence for each record whose revision is later than the last one."""
    last = select(table(Serial).c.value).scalar_subquery()
    for kind in RECORD_TYPES.values():
        rows = table(kind.model)
        if "revision" in rows.c:
            later = select(rows.c.id, rows.c.revision).where(rows.c.revision > last)
            for record_id, number in connection.execute(later):
                yield f"{kind.name}/{record_id} is at revision {number}, which is not there."


def _check_relations(run: LoadRun) -> None:
    """Report accepted relations whose target is not in the export."""
    relation, claim = table(Relation), table(Claim)
    # The claims stand in the join's own subquery: a target may be on another shard.
    known = select(claim.c.id).subquery("known")
    joined = relation.outerjoin(known, known.c.id == relation.c.target)
    key = (relation.c.claim, relation.c.type, relation.c.target)
    dangling = select(*key).select_from(joined).where(known.c.id.is_(None))
    for start, kind, target in run.connection.execute(
        dangling.where(relation.c.state == "accepted")
    ):
        detail = f"{start} {kind} {target}, which is not a claim."
        run.complain("at the end", Fault(at="target", code="unknown_reference", detail=detail))


@dataclass
class InputBatch:
    """Some of the input, with each record once.

    `claim_lines` has the location and the bytes of each claim's line, `revisions` the location
    and the content of each revision, and `texts` those of each text of a source.
    """

    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    claim_lines: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    revisions: list[tuple[str, Row]] = field(default_factory=list)
    texts: list[tuple[str, Row]] = field(default_factory=list)

    def has_any(self, records: Iterable[Record | list[Problem]]) -> bool:
        """Return whether one of these records is in the batch."""
        return any(
            isinstance(record, Record) and (record.kind.name, record.id) in self.records
            for record in records
        )

    @property
    def is_full(self) -> bool:
        """Whether the batch is large enough to be stored."""
        if len(self.texts) >= TEXTS_OF_BATCH:
            return True
        return len(self.records) + len(self.revisions) >= BATCH_SIZE


def _batches(lines: Iterator[TextLine], result: LoadResult, run: LoadRun) -> Iterator[InputBatch]:
    """Yield the input in batches, and search for garbage now and then, of which there is little."""
    for number, batch in enumerate(_each_batch(lines, result, run), start=1):
        yield batch
        if number % BATCHES_A_SEARCH == 0:
            gc.collect()


def _each_batch(
    lines: Iterator[TextLine], result: LoadResult, run: LoadRun
) -> Iterator[InputBatch]:
    batch = InputBatch()
    # Into a database with records, many of a file's are unchanged, and need no revision.
    all_new = run.change is not None and not run.change.before
    parse = partial(parse_lines, pack=all_new)
    for read, parsed_lines in run.deriving.ahead(parse, _pieces(lines), _size):
        for line, parsed in zip(read, parsed_lines, strict=True):
            where = location(line)
            if parsed.name == "revision":
                batch.revisions.append((where, parsed.content))
            elif parsed.name == TEXT_RECORD:
                batch.texts.append((where, parsed.content))
                result.records += 1
            else:
                if batch.has_any(parsed.records):
                    yield batch
                    batch = InputBatch()
                result.records += len(parsed.records)
                _add_records(batch, parsed.records, run)
                if parsed.claim is not None:
                    batch.claim_lines[parsed.claim] = (where, line[2])
            if batch.is_full:
                yield batch
                batch = InputBatch()
    yield batch


def _size(piece: list[TextLine]) -> int:
    """Return how many bytes the lines of a piece have."""
    return sum(len(line[2]) for line in piece)


def _pieces(lines: Iterator[TextLine]) -> Iterator[list[TextLine]]:
    """Yield the lines in pieces to be parsed at once, and those before an error before it."""
    piece: list[TextLine] = []
    size = 0
    try:
        for line in lines:
            piece.append(line)
            size += len(line[2])
            if size >= PIECE_BYTES:
                yield piece
                piece, size = [], 0
    except Exception:
        yield piece
        raise
    yield piece


def _add_records(
    batch: InputBatch, records: Iterable[Record | list[Problem]], run: LoadRun
) -> None:
    """Add the good records of a line to a batch, and report the others."""
    for record in records:
        if not isinstance(record, Record):
            run.refuse(record)
        elif (record.kind.name, record.id) in batch.records:
            fault = Fault(at="", code="repeated_key", detail="It stands in this line twice.")
            run.refuse([record.problem(fault)])
        else:
            batch.records[record.kind.name, record.id] = record


def _store_texts(run: LoadRun, texts: list[tuple[str, Row]]) -> None:
    """Store the texts of sources, which come before the sources, and report those that are not
    valid.
    """
    for where, content in texts:
        fields = {name: value for name, value in content.items() if name != "record"}
        try:
            text = SourceTextIn.model_validate(fields)
        except ValidationError as error:
            faults = record_faults(error, SourceTextIn.model_fields)
            run.refuse([Problem(where, fault) for fault in faults])
        else:
            is_new = store_text(run.connection, text.source, text.text)
            outcome = run.stored if is_new else run.unchanged
            outcome[TEXT_RECORD] += 1


def _store_revisions(run: LoadRun, revisions: list[tuple[str, Row]], last_serial: int) -> None:
    """Store revisions as their lines have them, and report those that are not valid."""
    rows = []
    for serial, (where, content) in enumerate(revisions, start=last_serial + 1):
        try:
            rows.append(_revision_row(content, serial))
        except ValidationError as error:
            for fault in record_faults(error, RevisionWhole.model_fields):
                run.complain(where, fault)
        except InvalidRecord as error:
            for fault in error.faults:
                run.complain(where, fault)
    insert_rows(run.connection, table(Revision), rows)


_DECISIONS = ("accept", "reject")


def _revision_row(content: Row, serial: int) -> Row:
    """Return the row of a revision.

    Raises Pydantic's ValidationError or `InvalidRecord` if the line holds no revision, or one with
    another serial than it should have.
    """
    # In a line, `record` is the type of the line, so the revision's record is called `of`.
    named = {name: value for name, value in content.items() if name != "record"}
    if "of" in named:
        named["record"] = named.pop("of")
    # An earlier program let nobody decide on their own proposal.
    named.setdefault("review", "two_people" if named.get("action") in _DECISIONS else None)
    row: Row = dict(RevisionWhole.__pydantic_validator__.validate_python(named).__dict__)
    if row["state"] not in PUBLIC_STATES:
        row["body"] = {}
        # What took a record back has its name; all else of proposals has not.
        if row["action"] != "undo" or row["record"] is None:
            row["record"] = f"{row['kind']}/{WITHHELD}"
            row |= {"claim": None, "actor": WITHHELD, "comment": None}
    row["about"] = about(row["kind"], row["body"] or {})
    faults = [
        Fault(at=name, code="bad_revision", detail=detail)
        for name, valid, detail in _revision_checks(row, serial)
        if not valid
    ]
    if faults:
        raise InvalidRecord(faults[0].detail, faults)
    return {**row, "root": root_of(row["record"], row["claim"])}


def _revision_checks(row: Row, serial: int) -> Iterator[tuple[str, bool, str]]:
    """Yield what the types do not check: the field, whether it is valid, and why not."""
    yield (
        "serial",
        row["serial"] == serial,
        f"The serial {row['serial']} stands where {serial} should.",
    )
    yield (
        "change",
        1 <= row["change"] <= serial,
        "A change begins with a serial up to this one.",
    )
    yield (
        "at",
        is_timestamp(row["at"]),
        "A time is written as 2026-11-24T12:00:00.000000Z.",
    )
    yield (
        "of",
        str(row["record"]).startswith(f"{row['kind']}/"),
        f"It names a {row['kind']}, as {row['kind']}/…",
    )
    in_name, claim = root_in_name(str(row["record"])), row["claim"]
    if row["actor"] != WITHHELD and in_name is not None:
        is_so = root_of(str(row["record"]), claim) == in_name
        yield "claim", is_so, "The claim is the one that the record is, or is a part of."
    yield "actor", row["actor"] is not None, "Only what is withheld has no actor."
    yield "body", row["body"] is not None, "Only what is withheld has no body."


def _is_empty(database: Database) -> bool:
    with database.read() as connection:
        return not connection.scalar(select(table(Serial).c.value))


def _with_progress(source: Input, result: LoadResult, progress: Progress) -> Iterator[TextLine]:
    """Yield the lines of the input, counting them and reporting progress now and then."""
    for line in source.lines:
        result.lines += 1
        if result.lines % PROGRESS_EVERY == 0:
            progress(source, result.lines)
        yield line


def _limited(report: Report) -> Report:
    """Return a report that gives up after `MAX_PROBLEMS` problems, with `BadImport`."""
    number = 0

    def limited(problem: Problem) -> None:
        nonlocal number
        number += 1
        report(problem)
        if number >= MAX_PROBLEMS:
            raise BadImport(f"{number} problems so far; nothing was stored.")

    return limited


class WaitingRecords:
    """Records that wait for the rest of the input, in a temporary file."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file

    def add(self, record: Record) -> None:
        """Write a record to the file."""
        fields = [record.location, record.pointer, record.kind.name, record.id, record.body]
        self.file.write(to_json(fields) + b"\n")

    def batches(self) -> Iterator[list[Record]]:
        """Yield all records in their order, none twice in a batch."""
        self.file.seek(0)
        batch: dict[str, Record] = {}
        for line in self.file:
            where, pointer, kind, record_id, body = parse_json(line)
            if record_id in batch or len(batch) >= BATCH_SIZE:
                yield list(batch.values())
                batch = {}
            record = Record(where, pointer, RECORD_TYPES[kind], record_id, body, {})
            batch[record_id] = record
        yield list(batch.values())
