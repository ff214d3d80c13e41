"""Many records at once. What is new and refers to what stands is stored in batches; all else goes through `changes`.

So the rules stand in one place: a record that is there already, or that something is wrong with, is handed to
`changes.put`, one by one. The batches have the same effect, in a fraction of the time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from pydantic_core import from_json
from sqlalchemy import Connection, select, tuple_

from models.core.errors import Conflict, Fault, InvalidRecord, NotFound
from models.database.prepared_statements import insert_rows
from models.projection import claim_loader, derive
from models.projection import store as store_module
from models.records.claim import ClaimTopic
from models.records.record_types import (
    RECORD_TYPES,
    RecordType,
    read_records,
    read_states,
    references_in,
)
from models.records.retired import STANDING, may_refer
from models.records.revision import Revision
from models.records.serializers import Row, source_out, table
from models.records.source import (
    SourceAuthor,
    SourceFields,
    SourceIdentifier,
    author_rows,
    publication_date,
)
from models.search import index
from models.transfer.export import claim_line
from models.transfer.line_records import Problem, Record, check_stamps
from models.write.changes import Change, next_revision, put, stamp_claims

KnownStates = dict[tuple[str, str], str]


@dataclass
class LoadRun:
    """A load under way. Without a `change` everything is restored as the lines say it, stamps and all.

    `later` takes what must wait for the rest; `differing` counts claims from whose evidence something else follows here.
    """

    connection: Connection
    change: Change | None
    report: Callable[[Problem], None]
    later: Callable[[Record], None] | None = None
    expect_same: bool = True
    stored: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    reported: int = 0
    wrong: int = 0
    differing: int = 0

    def refuse(self, problems: Iterable[Problem]) -> None:
        """Report a record that cannot be stored."""
        self.reported += 1
        for problem in problems:
            self.report(problem)

    def complain(self, where: str, fault: Fault) -> None:
        """Report what is wrong beside the records themselves."""
        self.wrong += 1
        self.report(Problem(where, fault))


@dataclass
class Batch:
    """What came of a batch so far: the states that its references need, its new claims, and the rows that were inserted.

    A claim is new no more when something of it was stored by itself: then all of it is read from the tables.
    """

    known: KnownStates = field(default_factory=dict)
    new: set[str] = field(default_factory=set)
    rows: dict[str, Sequence[Row]] = field(
        default_factory=lambda: {name: [] for name in RECORD_TYPES}
    )
    sources: dict[str, Row] = field(default_factory=dict)


def store_batch(
    load: LoadRun, records: Sequence[Record], lines: dict[str, tuple[str, bytes]]
) -> None:
    """Store a batch, in which no record stands twice, and derive the claims that it touches.

    `lines` holds, of each claim that stands here with all its parts, the place and the bytes of its line: where
    everything is restored, the same must follow from it here.
    """
    by_kind: dict[str, list[Record]] = {name: [] for name in RECORD_TYPES}
    for record in records:
        by_kind[record.kind.name].append(record)
    batch = Batch()
    touched: dict[str, int] = {}
    for name, found in by_kind.items():
        if found:
            touched |= _store_kind(load, RECORD_TYPES[name], found, batch)
    if load.change is not None:
        # Everything of a claim that was stored in this batch is in its tag; so `changes.begin` has nothing left to do.
        for slug, serial in load.change.touched.items():
            touched[slug] = max(serial, touched.get(slug, 0))
        batch.new -= load.change.touched.keys()
        load.change.touched.clear()
        stamp_claims(load.change, touched)
        for row in batch.rows["claim"]:
            row["revision"] = touched.get(row["id"], row["revision"])
    store_module.refresh(load.connection, touched.keys() - batch.new)
    _derive_new(load, batch, lines)


def _store_kind(
    load: LoadRun, kind: RecordType, records: list[Record], batch: Batch
) -> dict[str, int]:
    """Store a batch's records of one kind; return which claims it touched, with the serial of their last change."""
    known, new = batch.known, batch.new
    # Nothing hangs yet on a claim that came just now.
    old_ones = [record.id for record in records if not (kind.part and record.body["claim"] in new)]
    old = dict(read_records(load.connection, kind, old_ones)) if old_ones else {}
    _look_up(load.connection, records, known)
    shared = _shared_identifiers(load.connection, records) if kind.name == "source" else set()
    plain: list[Record] = []
    rest: list[Record] = []
    for record in records:
        before = old.get(record.id)
        if load.change is None and (problem := check_stamps(record, kind)):
            load.refuse([problem])
        elif load.change is not None and before == record.body:
            load.unchanged[kind.name] += 1
        elif load.later is not None and _must_wait(record, known):
            load.later(record)
        elif before is None and record.id not in shared and _stands(load, record, known):
            plain.append(record)
        else:
            rest.append(record)
    touched = _insert(load, kind, plain, batch)
    for record in plain:
        known[kind.name, record.id] = record.body["state"]
    if kind.name == "claim":
        new |= {record.id for record in plain}
    for record in rest:
        new.discard(kind.claim_of(record.body) or "")
        _one_by_one(load, record, record.id in old, known)
    return touched


def _look_up(connection: Connection, records: Iterable[Record], known: KnownStates) -> None:
    """Add the states of all that these records refer to, of what is stored."""
    known |= read_states(
        connection,
        {each for record in records for each in references_of(record) if each not in known},
    )


def references_of(record: Record) -> list[tuple[str, str]]:
    """Return what a record refers to, as kind and id."""
    return [
        (kind.name, record_id) for _, kind, record_id in references_in(record.kind, record.body)
    ]


def _must_wait(record: Record, known: KnownStates) -> bool:
    """Say whether a record refers to what may come later in the file: a claim's target, and evidence on a relation."""
    if record.kind.name == "relation":
        return ("claim", record.body["target"]) not in known
    return record.kind.name == "evidence" and record.body["relation_target"] is not None


def _stands(load: LoadRun, record: Record, known: KnownStates) -> bool:
    """Say whether all that a record refers to is there and, for a change, in a state that it may refer to."""
    state = record.body["state"]
    for field_name, kind, record_id in references_in(record.kind, record.body):
        found = known.get((kind.name, record_id))
        if load.change is None:
            # The target of a relation may be on a later line; `loading` looks for all of them at the end.
            if found is None and field_name != "target":
                return False
        elif found is None or not may_refer(state, found):
            return False
    if record.kind.name == "source" and load.change is not None and state not in STANDING:
        # What is taken back gives its identifiers up, or some of them; `changes` knows.
        return False
    return not (record.kind.name == "relation" and record.body["target"] == record.body["claim"])


def _shared_identifiers(connection: Connection, records: Sequence[Record]) -> set[str]:
    """Return the ids of those sources that have an identifier in common with another one, stored or in the batch."""
    owners: dict[tuple[str, str], list[str]] = {}
    for record in records:
        for each in record.body["identifiers"]:
            owners.setdefault((each["scheme"], each["value"]), []).append(record.id)
    if not owners:
        return set()
    taken = table(SourceIdentifier)
    key = (taken.c.scheme, taken.c.value)
    for scheme, value in connection.execute(select(*key).where(tuple_(*key).in_(list(owners)))):
        owners[scheme, value].append("")
    return {slug for slugs in owners.values() if len(slugs) > 1 for slug in slugs}


def _insert(
    load: LoadRun, kind: RecordType, records: Sequence[Record], batch: Batch
) -> dict[str, int]:
    """Insert new records with (for a change) their revisions; return the claims that they touch."""
    columns = table(kind.model).c.keys()
    rows: list[Row] = []
    revisions: list[Row] = []
    touched: dict[str, int] = {}
    for record in records:
        stamps = (
            record.stamps if load.change is None else _revise(load.change, kind, record, revisions)
        )
        full = {**record.body, **stamps}
        if kind.name == "source":
            source = SourceFields.model_construct(**record.body)
            full["published"], full["year"] = publication_date(source, stamps["created"])
        rows.append({name: full[name] for name in columns})
        load.stored[kind.name] += 1
        claim = kind.claim_of(record.body)
        if claim is not None and record.body["state"] == "accepted":
            touched[claim] = stamps.get("revision", 0)
    _insert_rows(load.connection, kind, rows, records)
    if kind.name == "source":
        batch.sources = {
            row["id"]: source_out(each.body, row) for each, row in zip(records, rows, strict=True)
        }
    elif kind.name == "claim":
        rows = [
            {**row, "topics": each.body["topics"]} for each, row in zip(records, rows, strict=True)
        ]
    batch.rows[kind.name] = rows
    insert_rows(load.connection, table(Revision), revisions)
    if load.change is not None:
        load.change.known.clear()  # It knows nothing of these rows.
    return touched


def _revise(change: Change, kind: RecordType, record: Record, revisions: list[Row]) -> Row:
    """Add the first revision of a new record, with the next serial; return the stamps of its row."""
    revisions.append(next_revision(change, kind, record.body, "create"))
    return {"revision": change.serial, "created": change.at, "updated": change.at}


def _insert_rows(
    connection: Connection, kind: RecordType, rows: list[Row], records: Sequence[Record]
) -> None:
    insert_rows(connection, table(kind.model), rows)
    if kind.name == "claim":
        filed = [
            {"claim": each.id, "topic": topic} for each in records for topic in each.body["topics"]
        ]
        insert_rows(connection, table(ClaimTopic), filed)
    if kind.name == "source":
        authors = [row for each in records for row in author_rows(each.id, each.body["authors"])]
        identifiers = [
            {**identifier, "source": each.id}
            for each in records
            for identifier in each.body["identifiers"]
        ]
        insert_rows(connection, table(SourceAuthor), authors)
        insert_rows(connection, table(SourceIdentifier), identifiers)
    if kind.name in index.ROWS_OF:
        index.insert_records(connection, kind.name, [each.body for each in records])


def _one_by_one(load: LoadRun, record: Record, there: bool, known: KnownStates) -> None:
    """Store a record by itself, by the rules of `changes`; or say why it cannot be."""
    if load.change is None:
        missing = [
            f"{name} '{each}'" for name, each in references_of(record) if (name, each) not in known
        ]
        detail = (
            "It stands in the export already."
            if there
            else f"There is no {', no '.join(missing) or 'place for it'}."
        )
        load.refuse([record.problem(Fault(at="", code="unknown_reference", detail=detail))])
        return
    try:
        done = put(load.change, record.kind, record.body)
    except (InvalidRecord, Conflict, NotFound) as error:
        faults = error.faults or [Fault(at="", code=error.code, detail=error.detail)]
        load.refuse([record.problem(fault) for fault in faults])
        return
    known[record.kind.name, record.id] = record.body["state"]
    (load.stored if done else load.unchanged)[record.kind.name] += 1


def derive_new_claims(connection: Connection, batch: Batch) -> derive.Rows:
    """Return the rows of the read model of a batch's new claims, from the rows that were just inserted."""
    new = batch.new
    on_claims = {
        kind.model: [row for row in batch.rows[kind.name] if row["claim"] in new]
        for kind in RECORD_TYPES.values()
        if kind.part
    }
    claims = sorted((row for row in batch.rows["claim"] if row["id"] in new), key=itemgetter("id"))
    return derive.derive_from(claim_loader.assemble(connection, claims, on_claims, batch.sources))


def _derive_new(load: LoadRun, batch: Batch, lines: dict[str, tuple[str, bytes]]) -> None:
    if not batch.new:
        return
    derived = derive_new_claims(load.connection, batch)
    store_module.store(load.connection, derived)
    if load.change is not None:
        return
    for row in derived["claim_document"]:
        place, given = lines.get(row["claim"], ("", b""))
        if given and given != (made := claim_line(row)):
            fault = _differing(from_json(given), from_json(made))
            if fault is not None:
                load.differing += 1
                if load.expect_same:
                    load.complain(place, fault)


def _differing(given: Row, made: Row) -> Fault | None:
    """Return in which fields a line says something else than what follows from its evidence here."""
    names = [name for name in made if given.get(name) != made[name]]
    if not names:
        return None
    shown = "; ".join(
        f"{name} is {made[name]!r:.80}, the line says {given.get(name)!r:.80}" for name in names
    )
    return Fault(
        at=names[0],
        code="derived_otherwise",
        detail=f"From its records follows otherwise: {shown}.",
    )
