"""Storing many records at once.

A new record that refers only to records in a fit state is inserted in a batch. Any other one goes
through `changes.put` by itself, so that the rules for it are in one place. The batches have the
same effect in a fraction of the time.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter

from pydantic_core import from_json
from sqlalchemy import Connection, select, tuple_

from models.core.errors import Conflict, Fault, InvalidRecord, NotFound
from models.database.prepared_statements import insert_rows
from models.projection import store as projection
from models.projection.claim_loader import ClaimRows, with_related
from models.projection.derive import Rows
from models.projection.deriving import Deriving
from models.records.record_types import (
    LISTS_OF,
    PART_TYPES,
    RECORD_TYPES,
    RecordType,
    read_column,
    read_records,
    read_states,
    references_in,
)
from models.records.relation import Relation
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
from models.records.works import in_order_of_ties, ties_of
from models.search import index
from models.transfer.changed_here import ChangedHere, changed_here
from models.transfer.export import claim_line
from models.transfer.line_records import Problem, Record, check_stamps
from models.write.changes import Change, misfit, next_revision, put, stamp_claims

# What is wrong where sources of one input are tied to each other in a circle, by the field.
CYCLES = {"versions": "cycle_of_versions", "cites": "cycle_of_citations"}
# The fields by which a record may refer to one that stands after it in an export.
MAY_COME_LATER = ("target", "main_claim", "versions", "cites")
# The states of records by type and id.
KnownStates = dict[tuple[str, str], str]


@dataclass
class LoadRun:
    """A load in progress. Without a `change`, an export is restored with the stamps in its lines.

    `later` takes the records that must wait for the rest of the input, and `waiting` names them.
    `tied` names the sources of the input that are versions of others or cite them.
    `leave` takes what people changed here since; without it the input overwrites that.
    `wrong` counts problems besides the `reported` records, and `differing` the claims from whose
    records something else follows here than their lines say, which is a problem if `expect_same`.
    """

    connection: Connection
    change: Change | None
    deriving: Deriving
    report: Callable[[Problem], None]
    later: Callable[[Record], None] | None = None
    leave: Callable[[ChangedHere], None] | None = None
    waiting: set[tuple[str, str]] = field(default_factory=set)
    tied: set[str] = field(default_factory=set)
    expect_same: bool = True
    stored: Counter[str] = field(default_factory=Counter)
    unchanged: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    reported: int = 0
    wrong: int = 0
    differing: int = 0

    def refuse(self, problems: Iterable[Problem]) -> None:
        """Report a record that cannot be stored."""
        self.reported += 1
        for problem in problems:
            self.report(problem)

    def complain(self, location: str, fault: Fault) -> None:
        """Report a problem that is not one of a record."""
        self.wrong += 1
        self.report(Problem(location, fault))


def _no_rows() -> dict[str, Sequence[Row]]:
    return {name: [] for name in RECORD_TYPES}


@dataclass
class Batch:
    """The progress of a batch.

    `states` has the states of the records that it refers to, `rows` its inserted rows by type, and
    `sources` its inserted sources as they are shown. `new_claims` are those of which everything was
    inserted: their documents are derived from these rows, all others from the tables.
    """

    states: KnownStates = field(default_factory=dict)
    new_claims: set[str] = field(default_factory=set)
    rows: dict[str, Sequence[Row]] = field(default_factory=_no_rows)
    sources: dict[str, Row] = field(default_factory=dict)
    claim_kinds: dict[str, str] = field(default_factory=dict)


def store_batch(
    run: LoadRun, records: Sequence[Record], claim_lines: dict[str, tuple[str, bytes]]
) -> None:
    """Store a batch, in which each record occurs once, and derive the claims that it touches.

    `claim_lines` has the location and the bytes of the line of each claim that is here with all its
    parts: if an export is restored, the same must follow from the records here.
    """
    by_type: dict[str, list[Record]] = {name: [] for name in RECORD_TYPES}
    for record in records:
        by_type[record.kind.name].append(record)
    batch = Batch()
    touched: dict[str, int] = {}
    for name, records_of_type in by_type.items():
        if records_of_type:
            touched |= _store_type(run, RECORD_TYPES[name], records_of_type, batch)
    if run.change is not None:
        _stamp_touched(run.change, batch, touched)
    if others := touched.keys() - batch.new_claims:
        run.deriving.finish()
        projection.refresh(run.connection, others)
    _derive_new(run, batch, claim_lines)


def _stamp_touched(change: Change, batch: Batch, touched: dict[str, int]) -> None:
    """Set the revision of every touched claim, so that `changes.begin` has nothing left to do."""
    for slug, serial in change.touched.items():
        touched[slug] = max(serial, touched.get(slug, 0))
    batch.new_claims -= change.touched.keys()
    change.touched.clear()
    stamp_claims(change, touched)
    for row in batch.rows["claim"]:
        row["revision"] = touched.get(row["id"], row["revision"])


def _store_type(
    run: LoadRun, kind: RecordType, records: list[Record], batch: Batch
) -> dict[str, int]:
    """Store a batch's records of one type.

    Returns the claims that the inserted ones touch, with the serial of the last change to each.
    """
    stored = _stored_bodies(run, kind, records, batch)
    _read_referenced_states(run.connection, records, batch.states)
    coming: set[tuple[str, str]] = set()
    with_shared_identifiers: set[str] = set()
    if kind.name == "source":
        with_shared_identifiers = _sharing_identifiers(run.connection, records)
        by_id = {record.id: record for record in records}
        records = [by_id[slug] for slug in in_order_of_ties([each.body for each in records])]
        run.tied.update(record.id for record in records if any(ties_of(record.body)))
        coming = {(kind.name, record.id) for record in records}
    inserted: list[Record] = []
    others: list[Record] = []
    decided = _changed_here(run, kind, records, stored, batch)
    for record in records:
        old = stored.get(record.id)
        if run.change is None and (problem := check_stamps(record, kind)):
            run.refuse([problem])
        elif run.change is not None and old == record.body:
            run.unchanged[kind.name] += 1
        elif run.leave is not None and record.id in decided:
            run.left[kind.name] += 1
            run.leave(decided[record.id])
        elif run.later is not None and _must_wait(run, record, batch.states, coming):
            coming.discard((kind.name, record.id))
            run.waiting.add((kind.name, record.id))
            run.later(record)
        elif (
            old is None
            and record.id not in with_shared_identifiers
            and _is_insertable(run, record, batch)
        ):
            inserted.append(record)
        else:
            others.append(record)
    touched = _insert(run, kind, inserted, batch)
    for record in others:
        batch.new_claims.discard(kind.claim_of(record.body) or "")
        _store_alone(run, record, record.id in stored, batch.states)
    return touched


def _changed_here(
    run: LoadRun, kind: RecordType, records: list[Record], stored: dict[str, Row], batch: Batch
) -> dict[str, ChangedHere]:
    """Return those of the records that differ from what is here because people changed it here."""
    if run.leave is None:
        return {}
    differing = [
        record.id
        for record in records
        if stored.get(record.id) != record.body
        and not (kind.part and record.body["claim"] in batch.new_claims)
    ]
    return changed_here(run.connection, kind, differing)


def _stored_bodies(
    run: LoadRun, kind: RecordType, records: list[Record], batch: Batch
) -> dict[str, Row]:
    """Return those of the records that are stored already, as they are stored."""
    ids = [
        record.id
        for record in records
        # A claim that is new in this batch has no stored parts.
        if not (kind.part and record.body["claim"] in batch.new_claims)
    ]
    return dict(read_records(run.connection, kind, ids)) if ids else {}


def _read_referenced_states(
    connection: Connection, records: Iterable[Record], states: KnownStates
) -> None:
    """Add the states of all stored records that these records refer to."""
    missing = {
        reference
        for record in records
        for reference in references_of(record)
        if reference not in states
    }
    states |= read_states(connection, missing)


def references_of(record: Record) -> list[tuple[str, str]]:
    """Return the type and id of the records that a record refers to."""
    return [
        (kind.name, record_id) for _, kind, record_id in references_in(record.kind, record.body)
    ]


def _must_wait(
    run: LoadRun, record: Record, states: KnownStates, coming: set[tuple[str, str]]
) -> bool:
    """Return whether a record refers to what may come later in the input.

    That is the target of a relation, the relation of a line of evidence, what a source is tied to
    or is about, and whatever waits itself.
    """
    kind = record.kind.name
    if kind == "evidence" and record.body["relation_target"] is not None:
        return True
    if kind == "relation" and ("claim", record.body["target"]) not in states:
        return True
    references = references_of(record)
    if any(reference in run.waiting for reference in references):
        return True
    return kind == "source" and any(
        reference not in states and reference not in coming for reference in references
    )


def _is_insertable(run: LoadRun, record: Record, batch: Batch) -> bool:
    """Return whether a new record may be inserted: it breaks no rule of `changes`."""
    body, states = record.body, batch.states
    if record.kind.name == "relation" and body["target"] == body["claim"]:
        return False
    if run.change is None:
        # Another claim or source may come later; `load` checks all of them at the end.
        return all(
            (kind.name, record_id) in states
            for field_name, kind, record_id in references_in(record.kind, body)
            if field_name.partition("/")[0] not in MAY_COME_LATER
        )
    if record.kind.name == "source" and (
        body["versions"] or body["text"] or body["state"] not in STANDING
    ):
        # `changes` decides which identifiers a source that was taken back keeps, which claims rest
        # on what it is tied to, and whether its text is there.
        return False
    if record.kind.name == "evidence" and _may_misfit(run.connection, body, batch):
        return False
    found = (states.get(reference) for reference in references_of(record))
    return all(state is not None and may_refer(body["state"], state) for state in found)


def _may_misfit(connection: Connection, line: Row, batch: Batch) -> bool:
    """Return whether the question of a line does not fit its claim, as far as `changes` cares."""
    if line["question"] is None or line["directness"] != "direct":
        return False
    claim = line["claim"]
    if claim not in batch.claim_kinds:
        kind = read_column(connection, RECORD_TYPES["claim"], claim, "kind")
        batch.claim_kinds[claim] = kind or ""
    return misfit(batch.claim_kinds[claim], line) is not None


def _sharing_identifiers(connection: Connection, records: Sequence[Record]) -> set[str]:
    """Return the sources that share an identifier with another one, stored or in the batch."""
    owners: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for record in records:
        for identifier in record.body["identifiers"]:
            owners[identifier["scheme"], identifier["value"]].append(record.id)
    if not owners:
        return set()
    taken = table(SourceIdentifier)
    key = (taken.c.scheme, taken.c.value)
    stored = connection.execute(select(*key).where(tuple_(*key).in_(list(owners)))).all()
    sharing: set[str] = set()
    for slugs in owners.values():
        if len(slugs) > 1:
            sharing.update(slugs)
    for scheme, value in stored:
        sharing.update(owners[scheme, value])
    return sharing


def _insert(
    run: LoadRun, kind: RecordType, records: Sequence[Record], batch: Batch
) -> dict[str, int]:
    """Insert new records and, for a change, their revisions. Return the claims that they touch."""
    rows: list[Row] = []
    revisions: list[Row] = []
    touched: dict[str, int] = {}
    for record in records:
        if run.change is None:
            stamps = record.stamps
        else:
            revision = next_revision(run.change, kind, record.body, "create")
            revisions.append({**revision, "body": record.packed or record.body})
            serial, at = run.change.serial, run.change.at
            stamps = {"revision": serial, "created": at, "updated": at}
        rows.append(_row(kind, record.body, stamps))
        claim = kind.claim_of(record.body)
        if claim is not None and record.body["state"] == "accepted" and not kind.discussion:
            touched[claim] = stamps.get("revision", 0)
        batch.states[kind.name, record.id] = record.body["state"]
    run.stored[kind.name] += len(records)
    _insert_rows(run.connection, kind, rows, records)
    insert_rows(run.connection, table(Revision), revisions)
    if run.change is not None:
        # These rows were written past the cache.
        run.change.cache.clear()
    _note_inserted(kind, rows, records, batch)
    return touched


def _row(kind: RecordType, body: Row, stamps: Row) -> Row:
    values = {**body, **stamps}
    if kind.name == "source":
        source = SourceFields.model_construct(**body)
        values["published"], values["year"] = publication_date(source, stamps["created"])
    names = table(kind.model).c.keys()
    return {name: values[name] for name in names}


def _note_inserted(
    kind: RecordType, rows: list[Row], records: Sequence[Record], batch: Batch
) -> None:
    """Keep what the documents of the batch's new claims are derived from."""
    batch.rows[kind.name] = rows
    if kind.name == "source":
        for record, row in zip(records, rows, strict=True):
            batch.sources[record.id] = source_out(record.body, row)
    elif kind.name == "claim":
        batch.new_claims.update(record.id for record in records)
        batch.claim_kinds.update((record.id, record.body["kind"]) for record in records)
        batch.rows["claim"] = [
            {**row, "topics": record.body["topics"]}
            for record, row in zip(records, rows, strict=True)
        ]


def _insert_rows(
    connection: Connection, kind: RecordType, rows: list[Row], records: Sequence[Record]
) -> None:
    """Insert rows of one type with those of the tables that belong to them."""
    insert_rows(connection, table(kind.model), rows)
    for listed in LISTS_OF[kind.name]:
        items = [row for record in records for row in listed.rows(record.body)]
        insert_rows(connection, table(listed.model), items)
    if kind.name == "source":
        authors: list[Row] = []
        identifiers: list[Row] = []
        for record in records:
            authors += author_rows(record.id, record.body["authors"])
            for identifier in record.body["identifiers"]:
                identifiers.append({**identifier, "source": record.id})
        insert_rows(connection, table(SourceAuthor), authors)
        insert_rows(connection, table(SourceIdentifier), identifiers)
    if kind.name in index.ROWS_OF:
        index.insert_records(connection, kind.name, [record.body for record in records])


def _store_alone(run: LoadRun, record: Record, is_stored: bool, states: KnownStates) -> None:
    """Store a record through `changes`, or report why it cannot be stored."""
    if run.change is None:
        detail = _reason_not_restorable(record, is_stored, states)
        run.refuse([record.problem(Fault(at="", code="unknown_reference", detail=detail))])
        return
    try:
        altered = put(run.change, record.kind, record.body)
    except (InvalidRecord, Conflict, NotFound) as error:
        faults = error.faults or [Fault(at="", code=error.code, detail=error.detail)]
        run.refuse([record.problem(_in_this_input(run, fault)) for fault in faults])
        return
    states[record.kind.name, record.id] = record.body["state"]
    outcome = run.stored if altered else run.unchanged
    outcome[record.kind.name] += 1


def _in_this_input(run: LoadRun, fault: Fault) -> Fault:
    """Return the fault, told otherwise where a source is tied to another one of this input.

    That is there, in the input, but neither of them can be stored before the other.
    """
    code = CYCLES.get(fault.at.partition("/")[0])
    if fault.code != "unknown_reference" or code is None or fault.given not in run.tied:
        return fault
    detail = (
        f"The source '{fault.given}' is in this input and cannot be stored before this one: the two"
        " are tied to each other, through others perhaps, or it has a fault of its own."
    )
    return fault.model_copy(update={"code": code, "detail": detail})


def _reason_not_restorable(record: Record, is_stored: bool, states: KnownStates) -> str:
    if is_stored:
        return "It stands in the export already."
    missing = [
        f"{name} '{record_id}'"
        for name, record_id in references_of(record)
        if (name, record_id) not in states
    ]
    return f"There is no {', no '.join(missing) or 'place for it'}."


def new_claims(run: LoadRun, batch: Batch) -> ClaimRows:
    """Return a batch's new claims with the rows just inserted."""
    parts = {
        kind.model: [row for row in batch.rows[kind.name] if row["claim"] in batch.new_claims]
        for kind in PART_TYPES
    }
    if parts[Relation]:
        # How old a relation is depends on its target.
        run.deriving.finish()
    claims = [row for row in batch.rows["claim"] if row["id"] in batch.new_claims]
    claims.sort(key=itemgetter("id"))
    return with_related(run.connection, claims, parts, batch.sources)


def _derive_new(run: LoadRun, batch: Batch, claim_lines: dict[str, tuple[str, bytes]]) -> None:
    """Derive and store the read model of new claims, and compare restored ones with their lines."""
    if not batch.new_claims:
        return

    def complain(differences: list[tuple[str, Fault]]) -> None:
        run.differing += len(differences)
        for where, fault in differences if run.expect_same else ():
            run.complain(where, fault)

    # Only what is restored must be what its line says.
    compared = {} if run.change else claim_lines
    look = partial(differences_from_lines, compared)
    run.deriving.put(new_claims(run, batch), look, complain)


def differences_from_lines(
    claim_lines: dict[str, tuple[str, bytes]], derived: Rows
) -> list[tuple[str, Fault]]:
    """Return where what was derived of a claim differs from its line, and how."""
    differences = []
    for row in derived["claim_document"]:
        if row["claim"] not in claim_lines:
            continue
        where, line = claim_lines[row["claim"]]
        derived_line = claim_line(row)
        if line == derived_line:
            continue
        fault = _difference(from_json(line), from_json(derived_line))
        if fault is not None:
            differences.append((where, fault))
    return differences


def _difference(line: Row, derived: Row) -> Fault | None:
    """Return in which fields a claim's line differs from what its records give here, if in any."""
    names = [name for name in derived if line.get(name) != derived[name]]
    if not names:
        return None
    differences = "; ".join(
        f"{name} is {derived[name]!r:.80}, the line says {line.get(name)!r:.80}" for name in names
    )
    return Fault(
        at=names[0],
        code="derived_otherwise",
        detail=f"From its records follows otherwise: {differences}.",
    )
