"""The write side: one function for each thing a curator can do. Nothing else writes content.

Each function takes the `Change` that it is part of, stores a revision if it altered something, and
returns whether it did. `begin` opens a change and, at its end, derives the documents of every claim
that was touched. All of this is one transaction: either everything is committed or nothing.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, and_, select, update
from sqlmodel import SQLModel

from models.core import vocabularies as v
from models.core.dates import now
from models.core.errors import Conflict, Fault, InvalidRecord
from models.database.connections import Database
from models.database.prepared_statements import delete_rows, insert_row, insert_rows, update_rows
from models.projection import store
from models.records.claim import Claim, ClaimIn, TopicIn
from models.records.collection import CollectionIn
from models.records.near_matches import nearest
from models.records.record_types import (
    LIST_REFERENCES,
    LISTS_OF,
    RECORD_TYPES,
    REFERENCES,
    ListReference,
    RecordType,
    Reference,
    read_column,
    read_columns,
    read_record,
    read_records,
    references_in,
)
from models.records.retired import STANDING, may_refer
from models.records.revision import (
    Revision,
    Serial,
    about,
    is_of,
    latest_revision,
    lock_serial,
    root_of,
)
from models.records.serializers import Row, columns_in, columns_of, table
from models.records.source import (
    IdentifierIn,
    Source,
    SourceAuthor,
    SourceFields,
    SourceIdentifier,
    SourceIn,
    author_rows,
    publication_date,
)
from models.records.source_text import SourceText, require_stored
from models.records.works import find_cycle, versions_of
from models.search import index
from models.write import idempotency

# A change caches this many values that it read; then it starts over with an empty cache.
MAX_CACHED = 1000


@dataclass
class Change:
    """A unit of work: who makes it, when, and which claims it touched.

    `before` is the serial before its first revision, `serial` that of its last revision so far.
    """

    connection: Connection
    actor: str
    comment: str | None
    at: str
    before: int
    serial: int
    # Whether the proposer of a record may decide on it: a term of `vocabularies.REVIEW_MODES`.
    review: str = "two_people"
    # Of records on which somebody decides, by name, what their revisions say of the people behind.
    behind: dict[str, str | None] = field(default_factory=dict)
    # The slug of each touched claim, with the serial of the last revision that touched it.
    touched: dict[str, int] = field(default_factory=dict)
    # The serial that is already written to the database.
    flushed_serial: int = 0
    # Records that were read or written. Nobody else writes meanwhile, so nothing is read twice.
    cache: dict[Hashable, Any] = field(default_factory=dict)


@contextmanager
def begin(
    database: Database,
    *,
    actor: str,
    comment: str | None = None,
    bulk: bool = False,
    review: str = "two_people",
) -> Iterator[Change]:
    """Open a change. Commit it at the end, or roll all of it back if the block raises an error.

    `bulk` means that the change loads many records into an empty database (see `Database.write`),
    `review` whether the proposer of a record may decide on it (`vocabularies.REVIEW_MODES`).
    """
    with database.write(bulk=bulk) as connection:
        first, latest = lock_serial(connection)
        # Database time is read along the serials, so a revision is never older than the one before
        # it, even if the clock was set back.
        at = max(now(), latest or "")
        change = Change(connection, actor, comment, at, first, first, review, flushed_serial=first)
        yield change
        flush(change)


def flush(change: Change) -> None:
    """Write what follows from the change so far: the serial, and the touched claims' documents.

    `begin` calls it at the end. Call it earlier to read the result within the same transaction.
    """
    if change.serial > change.flushed_serial:
        stand = {"value": change.serial, "at": change.at}
        update_rows(change.connection, table(Serial), ({}, stand))
        change.flushed_serial = change.serial
    stamp_claims(change, change.touched)
    store.refresh(change.connection, change.touched)
    change.touched.clear()


def stamp_claims(change: Change, touched: Mapping[str, int]) -> None:
    """Set the revision of claims to the serial of the last change to what everybody may see."""
    stamps = [
        ({"id": slug}, {"revision": number, "updated": change.at})
        for slug, number in touched.items()
    ]
    update_rows(change.connection, table(Claim), *stamps)


def cached_record(change: Change, kind: RecordType, record_id: str) -> Row | None:
    """Return a record as `read_record` does, reading it at most once in a change."""
    record: Row | None = _cached(
        change,
        (kind.name, record_id),
        lambda: read_record(change.connection, kind, record_id),
    )
    return record


def cached_state(change: Change, kind: RecordType, record_id: str) -> str | None:
    """Return the state of a record, reading it at most once in a change."""
    judged = _cached_judged(change, kind, record_id)
    return None if judged is None else str(judged["state"])


def _cached_judged(change: Change, kind: RecordType, record_id: str) -> Row | None:
    """Return at least what decides whether another record may refer to this one: its state, and
    the kind of a claim, which the question of a line must fit.
    """
    names = ("state", "kind") if kind.name == "claim" else ("state",)
    row: Row | None = _cached(
        change,
        (kind.name, record_id, "judged"),
        lambda: read_columns(change.connection, kind, record_id, *names),
    )
    return row


def last_revision(change: Change, kind: RecordType, record_id: str) -> Row | None:
    """Return the last revision of a record, from the cache if this change made it."""
    name = f"{kind.name}/{record_id}"
    revision: Row | None = _cached(change, name, lambda: latest_revision(change.connection, name))
    return revision


def _cached(change: Change, key: Hashable, read: Callable[[], Any]) -> Any:
    if key not in change.cache:
        _cache(change, key, read())
    return change.cache[key]


def _cache(change: Change, key: Hashable, value: Any) -> None:
    if len(change.cache) >= MAX_CACHED:
        change.cache.clear()
    change.cache[key] = value


def put_collection(change: Change, collection: CollectionIn, action: str | None = None) -> bool:
    """Store a collection. Return whether that altered anything, as all `put` functions do."""
    return _put(change, RECORD_TYPES["collection"], collection.model_dump(), action)


def put_topic(change: Change, topic: TopicIn, action: str | None = None) -> bool:
    """Store a topic. Return whether that altered anything, as all `put` functions do."""
    body = topic.model_dump()
    if not _put(change, RECORD_TYPES["topic"], body, action):
        return False
    index.update_record(change.connection, "topic", body)
    return True


def put_source(change: Change, source: SourceIn, action: str | None = None) -> bool:
    """Store a source with its authors and identifiers, and derive every claim that rests on it.

    Each of those claims gets a revision that says what changed in the source, such as a retraction.
    A source that was taken back gives up its identifiers, so that another source may have them; its
    earlier revisions keep them. A merged source keeps those of which its successor has different
    ones, so that a lookup by them leads to the successor.
    """
    source.identifiers.sort(key=lambda identifier: identifier.scheme)
    if source.state not in (*STANDING, "merged"):
        source.identifiers = []
    _refuse_taken_identifiers(change, source)
    _refuse_cycle(change, source)
    body = source.model_dump()
    require_stored(change.connection, body)
    old = cached_record(change, RECORD_TYPES["source"], source.id)
    before = versions_of(change.connection, [source.id]) if old is not None else set()
    if not _put(change, RECORD_TYPES["source"], body, action):
        return False
    identifiers = [{**identifier, "source": source.id} for identifier in body["identifiers"]]
    _replace(change, SourceAuthor, "source", source.id, author_rows(source.id, body["authors"]))
    _replace(change, SourceIdentifier, "source", source.id, identifiers)
    index.update_record(change.connection, "source", body)
    after = versions_of(change.connection, [source.id]) if old or source.versions else set()
    tied_anew = before ^ after
    touched = before | after if tied_anew else {source.id}
    if old is not None or tied_anew:
        _touch_claims_resting_on(change, source, old, touched)
    return True


def put_claim(change: Change, claim: ClaimIn, action: str | None = None) -> bool:
    """Store a claim. Its topics must be stored already."""
    claim.topics = sorted(set(claim.topics))
    return _put(change, RECORD_TYPES["claim"], claim.model_dump(), action)


def put(
    change: Change, kind: RecordType, body: Row, action: str | None = None, *, valid: bool = False
) -> bool:
    """Store a record of any kind, with its body as a revision has it; return whether that altered
    it.

    Raises Pydantic's ValidationError if the body breaks a rule, unless it is said to be `valid`,
    that is validated just now and with every default in it.
    """
    if kind.name in PUT_BY_TYPE:
        return PUT_BY_TYPE[kind.name](change, kind.fields.model_validate(body), action)
    own = {name: value for name, value in body.items() if name != "claim"}
    if not valid:
        own = kind.validated(own)
    body = {"claim": body["claim"], **own} if kind.part else own
    if kind.name == "relation":
        _not_to_itself(body)
    return _put(change, kind, body, action)


def purge(change: Change, kind: RecordType, record_id: str, old: Row) -> None:
    """Delete the content of a record from its table and from every revision.

    The revisions themselves stay, so that it remains recorded that the record existed.
    """
    if kind.name == "source":
        _replace(change, SourceAuthor, "source", record_id, [])
        # A merged source may have kept some identifiers.
        _replace(change, SourceIdentifier, "source", record_id, [])
        _replace(change, SourceText, "source", record_id, [])
    for listed in LISTS_OF[kind.name]:
        delete_rows(change.connection, table(listed.model), listed.key(old))
    delete_rows(change.connection, table(kind.model), kind.key_of(record_id))
    _revise(change, kind, old, old, "purge")
    idempotency.forget_answers_about(change.connection, record_id)
    index.purge_deleted_words(change.connection)
    emptied: Row = {"body": {}, "about": None, "comment": change.comment}
    of_record = is_of(f"{kind.name}/{record_id}")
    change.connection.execute(update(table(Revision)).where(of_record).values(emptied))
    if kind.name == "source":
        _purge_notices(change.connection, record_id)
    change.cache.clear()


def _purge_notices(connection: Connection, source: str) -> None:
    """Replace the comments that quote a source's integrity note in the revisions of claims."""
    revision = table(Revision)
    quotes_note = (
        revision.c.action == "derive",
        revision.c.comment.startswith(f"{source} is now marked "),
    )
    comment = f"{source} changed; what was said of it was purged."
    connection.execute(update(revision).where(*quotes_note).values(comment=comment))


def _not_to_itself(relation: Row) -> None:
    claim = relation["claim"]
    if relation["target"] == claim:
        detail = f"'{claim}' cannot be related to itself."
        raise InvalidRecord(detail, [Fault(at="target", code="related_to_itself", detail=detail)])


def _put(change: Change, kind: RecordType, body: Row, action: str | None) -> bool:
    """Store the row of a record with a revision, if it differs from what is stored."""
    record_id = kind.id_of(body)
    old = cached_record(change, kind, record_id)
    if old == body:
        return False
    for field_name, other, other_id in references_in(kind, body):
        _require_referable(change, other, other_id, field_name, body["state"])
    if kind.name == "evidence" and action != "merge":
        _require_fitting_question(change, body, old)
    if old is not None and old["state"] == "accepted" != body["state"]:
        _refuse_if_in_use(change, kind, record_id)
    stamp = _revise(change, kind, body, old, action)
    if kind.name == "source":
        source = SourceFields.model_construct(**columns_of(body, SourceFields))
        created = change.at
        if old is not None:
            created = str(read_column(change.connection, kind, record_id, "created"))
        stamp["published"], stamp["year"] = publication_date(source, created)
    _write_row(change.connection, kind, body, old, stamp)
    for listed in LISTS_OF[kind.name]:
        before = [] if old is None else old[listed.field]
        if before == body[listed.field]:
            continue
        rows = table(listed.model)
        if before:
            delete_rows(change.connection, rows, listed.key(body))
        insert_rows(change.connection, rows, listed.rows(body))
    _cache(change, (kind.name, record_id), body)
    _cache(change, (kind.name, record_id, "judged"), body)
    return True


def _write_row(
    connection: Connection, kind: RecordType, body: Row, old: Row | None, stamp: Row
) -> None:
    """Insert the row of a new record, or update the columns in which it differs from `old`."""
    rows = table(kind.model)
    names = columns_in(rows)
    row = {name: value for name, value in (body | stamp).items() if name in names}
    if old is None:
        insert_row(connection, rows, row)
        return
    # A column that is written is written to its indexes too, even if the value is the same.
    differing = {name: value for name, value in row.items() if name in stamp or value != old[name]}
    update_rows(connection, rows, (kind.key_of(kind.id_of(body)), differing))


def _touch_claims_resting_on(
    change: Change, source: SourceIn, old: Row | None, touched: Iterable[str]
) -> None:
    """Add a revision to each claim that rests on a source that changed, or on what is tied to it.

    `touched` are the sources for which something else follows now.
    """
    claims: set[str] = set()
    for slug in touched:
        claims |= claims_resting_on(change.connection, RECORD_TYPES["source"], slug)
    claim = RECORD_TYPES["claim"]
    for _, body in read_records(change.connection, claim, sorted(claims)):
        _revise(change, claim, body, body, "derive", _describe_source_change(source, old))


def _describe_source_change(source: SourceIn, old: Row | None) -> str:
    """Return in words what changed in a source."""
    body = source.model_dump()
    if old is None:
        return f"{source.id} was recorded, with ties to other sources"
    if source.integrity != old["integrity"]:
        note = source.integrity_note or "the notice was taken back"
        return f"{source.id} is now marked {source.integrity}: {note}"
    return f"{source.id} changed: {', '.join(name for name in body if body[name] != old[name])}"


def _revise(
    change: Change,
    kind: RecordType,
    body: Row,
    old: Row | None,
    action: str | None,
    comment: str | None = None,
) -> Row:
    """Store a revision with the next serial. Return the stamp of the record's row.

    This touches the record's claim only if everybody may see the record before or after: a proposal
    alters neither the claim's document nor its ETag.
    """
    default_action = "create" if old is None else "update"
    revision = next_revision(change, kind, body, action or default_action, comment)
    insert_row(change.connection, table(Revision), revision)
    _cache(change, revision["record"], revision)
    claim = revision["claim"]
    seen = "accepted" in (body["state"], old["state"] if old else None)
    # What is said of a claim is not in its document.
    if claim is not None and seen and not kind.discussion:
        change.touched[claim] = change.serial
    created = {"created": change.at} if old is None else {}
    return {"revision": change.serial, "updated": change.at, **created}


def next_revision(
    change: Change, kind: RecordType, body: Row, action: str, comment: str | None = None
) -> Row:
    """Take the next serial. Return the revision to store under it."""
    change.serial += 1
    record = f"{kind.name}/{kind.id_of(body)}"
    claim = kind.claim_of(body)
    return {
        "record": record,
        "serial": change.serial,
        "root": root_of(record, claim),
        "kind": kind.name,
        "claim": claim,
        "action": action,
        "actor": change.actor,
        "at": change.at,
        "comment": comment or change.comment,
        "state": body["state"],
        "review": None if action == "derive" else change.behind.get(record),
        "change": change.before + 1,
        "about": about(kind.name, body),
        "body": body,
    }


def _refuse_cycle(change: Change, source: SourceIn) -> None:
    """Refuse ties that lead back to the source: a work is no version of its own version."""
    others = [version.source for version in source.versions]
    back = find_cycle(change.connection, source.id, others)
    if back is not None:
        detail = f"'{back}' is itself tied to '{source.id}': ties run from the version to the work."
        at = f"versions/{others.index(back)}/source"
        raise InvalidRecord(detail, [Fault(at=at, code="cycle_of_versions", detail=detail)])


def _require_fitting_question(change: Change, line: Row, old: Row | None) -> None:
    """Refuse a line that is said to be direct, on a question that is not one of the claim's kind.

    A line that is only taken back, say, stays as it was recorded under older rules.
    """
    names = ("directness", "question", "relation_type")
    if old is not None and all(line[name] == old[name] for name in names):
        return
    claim = _cached_judged(change, RECORD_TYPES["claim"], line["claim"])
    assert claim is not None, "a line refers to its claim"
    fault = misfit(claim["kind"], line)
    if fault is not None:
        raise InvalidRecord(fault.detail, [fault])


def misfit(claim_kind: str, line: Row) -> Fault | None:
    """Return what is wrong with a line that is said to be direct on a claim of a kind, or None."""
    questions = v.QUESTIONS_OF_KIND.get(claim_kind)
    is_direct = line["directness"] == "direct" and line["relation_type"] is None
    if questions is None or line["question"] is None or not is_direct:
        return None
    if line["question"] in questions:
        return None
    detail = (
        f"A line about the question {line['question']} is indirect on a claim of the kind"
        f" {claim_kind}; direct are {', '.join(questions)}."
    )
    return Fault(
        at="directness",
        code="question_of_kind",
        detail=detail,
        suggestion="indirect",
        given=line["directness"],
    )


def _replace(
    change: Change, model: type[SQLModel], column: str, value: str, rows: list[Row]
) -> None:
    delete_rows(change.connection, table(model), {column: value})
    insert_rows(change.connection, table(model), rows)


def _require_referable(
    change: Change, kind: RecordType, record_id: str, at: str, state: str
) -> None:
    """Refuse a reference to a record that is missing, or is in no state to be referred to.

    `at` is the field that refers to it, `state` the state of the record that holds this field.
    """
    found_state = cached_state(change, kind, record_id)
    if found_state is None:
        raise _unknown_reference(change.connection, kind, record_id, at)
    if not may_refer(state, found_state):
        detail = (
            f"The {kind.name} '{record_id}' is {found_state}; what refers to it cannot be {state}."
        )
        successor = read_column(change.connection, kind, record_id, "replaced_by")
        if found_state == "merged" and successor is not None:
            detail = f"The {kind.name} '{record_id}' was merged into '{successor}'; refer to that."
        fault = Fault(
            at=at, code="not_accepted", detail=detail, given=record_id, suggestion=successor
        )
        raise Conflict(detail, [fault])


def _unknown_reference(
    connection: Connection, kind: RecordType, record_id: str, at: str
) -> InvalidRecord:
    rows = table(kind.model)
    close: list[str] = []
    if "id" in rows.c:
        # Suggestions must not disclose the ids of proposals.
        close = nearest(connection, rows.c.id, record_id, state="accepted")
    fault = Fault(
        at=at,
        code="unknown_reference",
        detail=f"There is no {kind.name} '{record_id}'.",
        suggestion=close[0] if close else None,
        given=record_id,
    )
    return InvalidRecord(fault.detail, [fault])


def claims_resting_on(connection: Connection, kind: RecordType, record_id: str) -> set[str]:
    """Return the claims of which an accepted part refers to a record."""
    dependents = find_dependents(connection, kind, record_id, ("accepted",), limit=None)
    # The id of a part begins with its claim's id.
    return {other_id.partition(":")[0] for other, other_id in dependents if other.part}


def find_dependents(
    connection: Connection,
    kind: RecordType,
    record_id: str,
    states: tuple[str, ...],
    limit: int | None = 20,
) -> list[tuple[RecordType, str]]:
    """Return the type and id of the records in these states that refer to a record."""
    dependents: list[tuple[RecordType, str]] = []
    for reference in REFERENCES:
        if reference.to == kind.name:
            key = tuple(kind.key_of(record_id).values())
            dependents += _referring(connection, reference, key, states, limit)
    for listed in LIST_REFERENCES:
        if listed.to == kind.name:
            dependents += _listing(connection, listed, record_id, states, limit)
    # A line may both rest on a source and pool another version of it.
    dependents = list(dict.fromkeys(dependents))
    return dependents[:limit]


def _referring(
    connection: Connection,
    reference: Reference,
    key: tuple[str, ...],
    states: tuple[str, ...],
    limit: int | None,
) -> list[tuple[RecordType, str]]:
    """Return the records that refer, by one kind of reference, to the record with a key."""
    referring = RECORD_TYPES[reference.kind]
    rows = table(referring.model)
    own_key = [rows.c[column] for column in referring.columns]
    statement = (
        select(*own_key)
        .filter_by(**dict(zip(reference.columns, key, strict=True)))
        .where(rows.c.state.in_(states))
        .order_by(*own_key)
        .limit(limit)
    )
    found = connection.execute(statement).mappings()
    return [(referring, referring.id_of(row)) for row in found]


def _listing(
    connection: Connection,
    listed: ListReference,
    record_id: str,
    states: tuple[str, ...],
    limit: int | None,
) -> list[tuple[RecordType, str]]:
    """Return the records that refer to a record in a list."""
    referring = RECORD_TYPES[listed.kind]
    items, rows = table(listed.model), table(referring.model)
    own_key = [rows.c[column] for column in referring.columns]
    same = [items.c[own] == column for own, column in zip(listed.own, own_key, strict=True)]
    statement = (
        select(*own_key)
        .join(items, and_(*same))
        .where(items.c[listed.other] == record_id, rows.c.state.in_(states))
        .order_by(*own_key)
        .limit(limit)
    )
    found = connection.execute(statement).mappings()
    return [(referring, referring.id_of(row)) for row in found]


def _refuse_if_in_use(change: Change, kind: RecordType, record_id: str) -> None:
    dependents = find_dependents(change.connection, kind, record_id, ("accepted",))
    if dependents:
        names = [f"{other.name}/{other_id}" for other, other_id in dependents]
        detail = f"The {kind.name} '{record_id}' is still in use by {', '.join(names)}."
        faults = [Fault(at="id", code="in_use", detail=f"{name} refers to it.") for name in names]
        raise Conflict(detail, faults)


def _refuse_taken_identifiers(change: Change, source: SourceIn) -> None:
    """Refuse a source with an identifier that belongs to another source."""
    faults = []
    for position, identifier in enumerate(source.identifiers):
        owner = _owner_of(change.connection, identifier, source.id)
        if owner is not None:
            detail = f"{identifier.scheme}:{identifier.value} belongs to {owner}."
            at = f"identifiers/{position}/value"
            faults.append(Fault(at=at, code="identifier_taken", detail=detail))
    if faults:
        raise InvalidRecord("Another source has this identifier.", faults)


def _owner_of(connection: Connection, identifier: IdentifierIn, source: str) -> str | None:
    """Return in words which other source has an identifier, or None if there is none."""
    taken, rows = table(SourceIdentifier), table(Source)
    owners = (
        select(taken.c.source, rows.c.state)
        .join(rows, rows.c.id == taken.c.source)
        .where(taken.c.scheme == identifier.scheme, taken.c.value == identifier.value)
        .where(taken.c.source != source)
    )
    owner = connection.execute(owners).first()
    if owner is None:
        return None
    if owner.state == "submitted":
        # The id of a proposal is not disclosed.
        return "a source that waits for review"
    return f"the source '{owner.source}', which is {owner.state}"


PUT_BY_TYPE: dict[str, Callable[..., bool]] = {
    "collection": put_collection,
    "topic": put_topic,
    "source": put_source,
    "claim": put_claim,
}
