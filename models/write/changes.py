"""The write side: one function for each thing a curator can do. Nothing else writes.

Each function takes the `Change` it is a part of, leaves a revision where it altered something, and says whether it
did. `begin` opens a change, and at its end derives the documents of every claim that was touched, all in one
transaction: what is committed is whole, or nothing is.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select, update
from sqlmodel import SQLModel

from models.core.errors import Conflict, Fault, InvalidRecord
from models.core.types import now
from models.database.connections import Database
from models.database.prepared_statements import change_rows, delete_rows, insert_rows, put_row
from models.projection import store
from models.records.claim import Claim, ClaimIn, ClaimTopic, TopicIn
from models.records.record_types import (
    RECORD_TYPES,
    REFERENCES,
    RecordType,
    read_column,
    read_record,
    read_records,
    read_state,
    references_in,
)
from models.records.retired import STANDING, may_refer, nearest
from models.records.revision import Revision, Serial, latest_revision, lock_serial, revision_time
from models.records.serializers import Row, columns_in, columns_of, table
from models.records.source import (
    Source,
    SourceAuthor,
    SourceFields,
    SourceIdentifier,
    SourceIn,
    author_rows,
    publication_date,
)
from models.search import index
from models.write import idempotency

# So much a change keeps in mind of what it read; beyond that it begins anew.
MAX_CACHED = 1000


@dataclass
class Change:
    """A unit of work: who makes it, when, the serial before its first revision and of its last, the claims it touched."""

    connection: Connection
    actor: str
    comment: str | None
    at: str
    before: int
    serial: int
    touched: dict[str, int] = field(default_factory=dict)
    # The serial that is written already.
    settled: int = 0
    # What it read of records and wrote: nobody else writes meanwhile, so nothing is read twice.
    known: dict[Hashable, Any] = field(default_factory=dict)


@contextmanager
def begin(
    database: Database, *, actor: str, comment: str | None = None, fills: bool = False
) -> Iterator[Change]:
    """Open a change; commit it at the end, or roll all of it back where an error leaves the block. See `Database.write`."""
    with database.write(fills=fills) as connection:
        first = lock_serial(connection)
        # Times never run against the serials, even where the clock was set back: database time is read by them.
        at = max(now(), revision_time(connection, first))
        change = Change(connection, actor, comment, at, first, first, settled=first)
        yield change
        flush(change)


def flush(change: Change) -> None:
    """Write what follows from the change so far: the serial, the stamps and documents of the claims that it touched.

    `begin` does so at its end; who has to tell of the result before that asks for it earlier.
    """
    if change.serial > change.settled:
        change_rows(change.connection, table(Serial), ({}, {"value": change.serial}))
        change.settled = change.serial
    stamp_claims(change, change.touched)
    store.refresh(change.connection, change.touched)
    change.touched.clear()


def stamp_claims(change: Change, touched: Mapping[str, int]) -> None:
    """Give these claims the serial of the last change to what everybody sees of them."""
    stamps = [
        ({"id": slug}, {"revision": number, "updated": change.at})
        for slug, number in touched.items()
    ]
    change_rows(change.connection, table(Claim), *stamps)


def cached_record(change: Change, kind: RecordType, record_id: str) -> Row | None:
    """Return a record as `kinds.one` does; it is read once in a change."""
    found: Row | None = _known(
        change, (kind.name, record_id), lambda: read_record(change.connection, kind, record_id)
    )
    return found


def cached_state(change: Change, kind: RecordType, record_id: str) -> str | None:
    """Return the state of a record as `kinds.state_of` does; it is read once in a change."""
    key = (kind.name, record_id, "state")
    found: str | None = _known(change, key, lambda: read_state(change.connection, kind, record_id))
    return found


def last_revision(change: Change, kind: RecordType, record_id: str) -> Row | None:
    """Return the last revision of a record, which is known where this change made it."""
    record = f"{kind.name}/{record_id}"
    found: Row | None = _known(change, record, lambda: latest_revision(change.connection, record))
    return found


def _known(change: Change, key: Hashable, read: Callable[[], Any]) -> Any:
    if key not in change.known:
        _learn(change, key, read())
    return change.known[key]


def _learn(change: Change, key: Hashable, value: Any) -> None:
    if len(change.known) >= MAX_CACHED:
        change.known.clear()
    change.known[key] = value


def put_topic(change: Change, topic: TopicIn, action: str | None = None) -> bool:
    """Make or replace a topic."""
    body = topic.model_dump()
    if not _put(change, RECORD_TYPES["topic"], body, action):
        return False
    index.update_record(change.connection, "topic", body)
    return True


def put_source(change: Change, source: SourceIn, action: str | None = None) -> bool:
    """Make or replace a source with its authors and identifiers; every claim that rests on it is derived anew.

    Each of those claims gets a revision that says what of the source changed, such as a retraction. A source that was
    taken back gives its identifiers up, so that another may have them; its earlier revisions keep them. One that was
    merged keeps those that its successor has others for: whoever knows it by them is led on.
    """
    source.identifiers.sort(key=lambda identifier: identifier.scheme)
    if source.state not in (*STANDING, "merged"):
        source.identifiers = []
    _no_shared_identifier(change, source)
    body = source.model_dump()
    old = cached_record(change, RECORD_TYPES["source"], source.id)
    if not _put(change, RECORD_TYPES["source"], body, action):
        return False
    identifiers = [{**identifier, "source": source.id} for identifier in body["identifiers"]]
    _replace(change, SourceAuthor, "source", source.id, author_rows(source.id, body["authors"]))
    _replace(change, SourceIdentifier, "source", source.id, identifiers)
    index.update_record(change.connection, "source", body)
    if old is not None:
        _derive_what_rests_on(change, source, old)
    return True


def put_claim(change: Change, claim: ClaimIn, action: str | None = None) -> bool:
    """Make or replace a claim; its topics must be stored."""
    claim.topics = sorted(set(claim.topics))
    if not _put(change, RECORD_TYPES["claim"], claim.model_dump(), action):
        return False
    _replace(
        change,
        ClaimTopic,
        "claim",
        claim.id,
        [{"claim": claim.id, "topic": topic} for topic in claim.topics],
    )
    return True


def put(
    change: Change, kind: RecordType, body: Row, action: str | None = None, *, valid: bool = False
) -> bool:
    """Store a record of any kind, with its body as a revision has it; return whether that altered it.

    Raises Pydantic's ValidationError if the body breaks a rule, unless it is said to be `valid`,
    that is validated just now and with every default in it.
    """
    if not kind.part:
        return PUT_BY_TYPE[kind.name](change, kind.fields.model_validate(body), action)
    fields = {name: value for name, value in body.items() if name != "claim"}
    if not valid:
        fields = kind.validated(fields)
    body = {"claim": body["claim"], **fields}
    if kind.name == "relation":
        _not_to_itself(body)
    return _put(change, kind, body, action)


def last_actor(connection: Connection, kind: RecordType, record_id: str) -> str | None:
    """Return who changed a record last, or None where there is none."""
    found = latest_revision(
        connection, f"{kind.name}/{record_id}", table(Revision).c.action != "derive"
    )
    return found["actor"] if found else None


def purge(change: Change, kind: RecordType, record_id: str, old: Row) -> None:
    """Take the content of a record out of the table and out of every revision; that there was one remains told."""
    if kind.name == "source":
        _replace(change, SourceAuthor, "source", record_id, [])
        # One that was merged kept what its successor has others for.
        _replace(change, SourceIdentifier, "source", record_id, [])
    if kind.name == "claim":
        _replace(change, ClaimTopic, "claim", record_id, [])
    delete_rows(change.connection, table(kind.model), kind.place(record_id))
    _revise(change, kind, old, old, "purge")
    idempotency.forget_answers_about(change.connection, record_id)
    index.purge_deleted_words(change.connection)
    revision = table(Revision)
    change.connection.execute(
        update(revision)
        .where(revision.c.record == f"{kind.name}/{record_id}")
        .values(body={}, comment=change.comment)
    )
    if kind.name == "source":
        # Its notices were told to the claims that rested on it, in words of its own.
        told = (
            revision.c.action == "derive",
            revision.c.comment.startswith(f"{record_id} is now marked "),
        )
        instead = f"{record_id} changed; what was said of it was purged."
        change.connection.execute(update(revision).where(*told).values(comment=instead))
    change.known.clear()


def _not_to_itself(relation: Row) -> None:
    claim = relation["claim"]
    if relation["target"] == claim:
        detail = f"'{claim}' cannot be related to itself."
        raise InvalidRecord(detail, [Fault(at="target", code="related_to_itself", detail=detail)])


def _put(change: Change, kind: RecordType, body: Row, action: str | None) -> bool:
    """Store the row of a record, with a revision, where it differs from what is stored."""
    record_id = kind.id_of(body)
    old = cached_record(change, kind, record_id)
    if old == body:
        return False
    for field_name, other, other_id in references_in(kind, body):
        _must_stand(change, other, other_id, field_name, body["state"])
    if old is not None and old["state"] == "accepted" != body["state"]:
        _nothing_rests_on(change, kind, record_id)
    rows = table(kind.model)
    stamp = _revise(change, kind, body, old, action)
    if kind.name == "source":
        source = SourceFields.model_construct(**columns_of(body, SourceFields))
        stamp["published"], stamp["year"] = publication_date(source, stamp["created"])
    row = {name: value for name, value in (body | stamp).items() if name in columns_in(rows)}
    if old is None:
        put_row(change.connection, rows, row)
    else:
        # An index is written anew where a column of it is written, whether or not it differs.
        differs = {
            name: value for name, value in row.items() if name in stamp or value != old[name]
        }
        change_rows(change.connection, rows, (kind.place(record_id), differs))
    _learn(change, (kind.name, record_id), body)
    _learn(change, (kind.name, record_id, "state"), body["state"])
    return True


def _derive_what_rests_on(change: Change, source: SourceIn, old: Row) -> None:
    resting = find_dependents(
        change.connection, RECORD_TYPES["source"], source.id, ("accepted",), None
    )
    # The id of a part begins with its claim's.
    claims = {record_id.partition(":")[0] for _, record_id in resting}
    for _, body in read_records(change.connection, RECORD_TYPES["claim"], sorted(claims)):
        _revise(change, RECORD_TYPES["claim"], body, body, "derive", _why(source, old))


def _why(source: SourceIn, old: Row) -> str:
    """Say in words what of a source changed."""
    body = source.model_dump()
    if source.integrity != old["integrity"]:
        return f"{source.id} is now marked {source.integrity}: {source.integrity_note or 'the notice was taken back'}"
    return f"{source.id} changed: {', '.join(name for name in body if body[name] != old[name])}"


def _revise(
    change: Change,
    kind: RecordType,
    body: Row,
    old: Row | None,
    action: str | None,
    comment: str | None = None,
) -> Row:
    """Leave a revision with the next serial; return the stamp of the row that it is about.

    A claim is touched by what everybody sees of it: what is only proposed does not alter its document or its tag.
    """
    revision = next_revision(
        change, kind, body, action or ("create" if old is None else "update"), comment
    )
    put_row(change.connection, table(Revision), revision)
    _learn(change, revision["record"], revision)
    claim = revision["claim"]
    if claim is not None and "accepted" in (body["state"], old["state"] if old else None):
        change.touched[claim] = change.serial
    created = change.at if old is None else _created(change, kind, kind.id_of(body))
    return {"revision": change.serial, "created": created, "updated": change.at}


def next_revision(
    change: Change, kind: RecordType, body: Row, action: str, comment: str | None = None
) -> Row:
    """Take the next serial, and return the revision that is to be stored with it."""
    change.serial += 1
    return {
        "record": f"{kind.name}/{kind.id_of(body)}",
        "serial": change.serial,
        "kind": kind.name,
        "claim": kind.claim_of(body),
        "action": action,
        "actor": change.actor,
        "at": change.at,
        "comment": comment or change.comment,
        "state": body["state"],
        "change": change.before + 1,
        "body": body,
    }


def _created(change: Change, kind: RecordType, record_id: str) -> str:
    rows = table(kind.model)
    if "created" not in rows.c:
        return change.at
    return str(read_column(change.connection, kind, record_id, "created") or change.at)


def _replace(
    change: Change, model: type[SQLModel], column: str, value: str, rows: list[Row]
) -> None:
    delete_rows(change.connection, table(model), {column: value})
    insert_rows(change.connection, table(model), rows)


def _must_stand(change: Change, kind: RecordType, record_id: str, at: str, state: str) -> None:
    """Refuse a reference to what is not there, or was taken back, or is not accepted though what refers to it is."""
    name, rows = kind.name, table(kind.model)
    found = cached_state(change, kind, record_id)
    if found is None:
        # An id that is only proposed is not for everybody to know.
        accepted = rows.c.state == "accepted"
        close = nearest(change.connection, rows.c.id, record_id, accepted) if "id" in rows.c else []
        fault = Fault(
            at=at,
            code="unknown_reference",
            detail=f"There is no {name} '{record_id}'.",
            suggestion=close[0] if close else None,
            given=record_id,
        )
        raise InvalidRecord(fault.detail, [fault])
    if not may_refer(state, found):
        detail = f"The {name} '{record_id}' is {found}; what refers to it cannot be {state}."
        raise Conflict(detail, [Fault(at=at, code="not_accepted", detail=detail, given=record_id)])


def find_dependents(
    connection: Connection,
    kind: RecordType,
    record_id: str,
    states: tuple[str, ...],
    most: int | None = 20,
) -> list[tuple[RecordType, str]]:
    """Return kind and id of the records in these states that refer to a record: what would be left without it."""
    found: list[tuple[RecordType, str]] = []
    for reference in REFERENCES:
        if reference.to == kind.name:
            other = RECORD_TYPES[reference.kind]
            rows = table(other.model)
            named = dict(zip(reference.columns, kind.place(record_id).values(), strict=True))
            key = [rows.c[column] for column in other.columns]
            statement = (
                select(*key)
                .filter_by(**named)
                .where(rows.c.state.in_(states))
                .order_by(*key)
                .limit(most)
            )
            found += [(other, other.id_of(row)) for row in connection.execute(statement).mappings()]
    if kind.name == "topic":
        filed, claim = table(ClaimTopic), table(Claim)
        under = (
            select(filed.c.claim)
            .join(claim, claim.c.id == filed.c.claim)
            .where(filed.c.topic == record_id)
        )
        slugs = connection.scalars(
            under.where(claim.c.state.in_(states)).order_by(filed.c.claim).limit(most)
        )
        found += [(RECORD_TYPES["claim"], slug) for slug in slugs]
    return found[:most]


def _nothing_rests_on(change: Change, kind: RecordType, record_id: str) -> None:
    if found := find_dependents(change.connection, kind, record_id, ("accepted",)):
        names = [f"{other.name}/{other_id}" for other, other_id in found]
        detail = f"The {kind.name} '{record_id}' is still in use by {', '.join(names)}."
        raise Conflict(
            detail,
            [Fault(at="id", code="in_use", detail=f"{name} refers to it.") for name in names],
        )


def _no_shared_identifier(change: Change, source: SourceIn) -> None:
    taken, rows = table(SourceIdentifier), table(Source)
    faults = []
    for place, identifier in enumerate(source.identifiers):
        named = (taken.c.scheme == identifier.scheme, taken.c.value == identifier.value)
        owners = select(taken.c.source, rows.c.state).join(rows, rows.c.id == taken.c.source)
        owner = change.connection.execute(owners.where(*named, taken.c.source != source.id)).first()
        if owner is not None:
            # Which one is only proposed is not for everybody to know.
            waits = owner.state == "submitted"
            whose = (
                "a source that waits for review"
                if waits
                else f"the source '{owner.source}', which is {owner.state}"
            )
            detail = f"{identifier.scheme}:{identifier.value} belongs to {whose}."
            faults.append(
                Fault(at=f"identifiers/{place}/value", code="identifier_taken", detail=detail)
            )
    if faults:
        raise InvalidRecord("Another source has this identifier.", faults)


PUT_BY_TYPE: dict[str, Callable[..., bool]] = {
    "topic": put_topic,
    "source": put_source,
    "claim": put_claim,
}
