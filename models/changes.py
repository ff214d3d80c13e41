"""The write side: one function for each thing a curator can do. Nothing else writes.

Each function takes the `Change` it is a part of, leaves a revision where it altered something, and says whether it
did. `begin` opens a change, and at its end derives the documents of every claim that was touched, all in one
transaction: what is committed is whole, or nothing is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import SQLModel

from models import document
from models.assessment import Assessment, AssessmentIn
from models.base import Fault, InvalidRecord, now
from models.claim import Claim, ClaimFields, ClaimIn, ClaimTopic, Occurrence, OccurrenceIn, Topic, TopicIn, part_id
from models.database import Database
from models.evidence import Evidence, EvidenceIn
from models.records import Row, columns_of, nearest, sources_by_id, table
from models.relation import Relation, RelationIn
from models.revision import Revision, Serial, hold
from models.source import Source, SourceAuthor, SourceFields, SourceIdentifier, SourceIn, name_key, publication


@dataclass
class Change:
    """A unit of work: who makes it, when, the serial of its last revision, and the claims it touched."""

    connection: Connection
    actor: str
    comment: str | None
    at: str
    serial: int
    touched: dict[str, int] = field(default_factory=dict)


@contextmanager
def begin(database: Database, *, actor: str, comment: str | None = None) -> Iterator[Change]:
    """Open a change; commit it at the end, or roll all of it back where an error leaves the block."""
    with database.write() as connection:
        first = hold(connection)
        revision = table(Revision)
        last = connection.scalar(select(revision.c.at).where(revision.c.serial == first).limit(1))
        # Times never run against the serials, even where the clock was set back: database time is read by them.
        change = Change(connection, actor, comment, max(now(), last or ""), first)
        yield change
        if change.serial > first:
            connection.execute(update(table(Serial)).values(value=change.serial))
        claim = table(Claim)
        for slug, number in change.touched.items():
            connection.execute(update(claim).where(claim.c.id == slug).values(revision=number, updated=change.at))
        document.refresh(connection, change.touched)


def put_topic(change: Change, topic: TopicIn) -> bool:
    """Make or replace a topic."""
    body = topic.model_dump()
    stored = _row(change, Topic, id=topic.id)
    if stored is not None and columns_of(stored, TopicIn) == body:
        return False
    _store(change, Topic, {"id": topic.id}, body | _revise(change, "topic", topic.id, None, body, stored), stored)
    return True


def put_source(change: Change, source: SourceIn) -> bool:
    """Make or replace a source with its authors and identifiers; every claim that rests on it is derived anew.

    Each of those claims gets a revision that says what of the source changed, such as a retraction.
    """
    source.identifiers.sort(key=lambda identifier: identifier.scheme)
    body = source.model_dump()
    old = sources_by_id(change.connection, [source.id]).get(source.id)
    if old is not None and columns_of(old, SourceIn) == body:
        return False
    _no_shared_identifier(change, source)
    stamp = _revise(change, "source", source.id, None, body, old)
    row = columns_of(body, SourceFields) | stamp
    row["published"], row["year"] = publication(source, row["created"])
    _store(change, Source, {"id": source.id}, row, old)
    authors = [
        {
            **author,
            "source": source.id,
            "position": position,
            "name_key": name_key(author["family"] or author["literal"]),
        }
        for position, author in enumerate(body["authors"])
    ]
    identifiers = [{**identifier, "source": source.id} for identifier in body["identifiers"]]
    _replace(change, SourceAuthor, "source", source.id, authors)
    _replace(change, SourceIdentifier, "source", source.id, identifiers)
    claims: set[str] = set()
    for part in (Occurrence, Evidence, Assessment):
        named = table(part)
        claims.update(change.connection.scalars(select(named.c.claim).where(named.c.source == source.id).distinct()))
    for slug in sorted(claims):
        assert old is not None, "a claim can only rest on a source that is stored"
        _revise(
            change, "claim", slug, slug, _claim_body(change, slug), None, action="derive", comment=_why(source, old)
        )
    return True


def put_claim(change: Change, claim: ClaimIn) -> bool:
    """Make or replace a claim; its topics must be stored."""
    claim.topics = sorted(set(claim.topics))
    body = claim.model_dump()
    stored = _row(change, Claim, id=claim.id)
    if stored is not None and {**columns_of(stored, ClaimFields), "topics": _topics_of(change, claim.id)} == body:
        return False
    for topic in claim.topics:
        _must_exist(change, Topic, topic, "topics")
    stamp = _revise(change, "claim", claim.id, claim.id, body, stored)
    _store(change, Claim, {"id": claim.id}, columns_of(body, ClaimFields) | stamp, stored)
    _replace(change, ClaimTopic, "claim", claim.id, [{"claim": claim.id, "topic": topic} for topic in claim.topics])
    return True


def put_occurrence(change: Change, claim: str, occurrence: OccurrenceIn) -> bool:
    """Record where a claim is stated."""
    _must_exist(change, Source, occurrence.source, "source")
    return _put_part(change, "occurrence", Occurrence, claim, occurrence, {"key": occurrence.key})


def put_evidence(change: Change, claim: str, evidence: EvidenceIn) -> bool:
    """Record what a source says about a claim, or about one of its relations; the status is derived anew."""
    _must_exist(change, Source, evidence.source, "source")
    if evidence.relation_target is not None:
        tie = {"claim": claim, "type": evidence.relation_type, "target": evidence.relation_target}
        if _row(change, Relation, **tie) is None:
            detail = f"{claim} has no relation '{evidence.relation_type}' to '{evidence.relation_target}'."
            raise InvalidRecord(detail, [Fault(at="relation_target", code="unknown_reference", detail=detail)])
    return _put_part(change, "evidence", Evidence, claim, evidence, {"key": evidence.key}, stamped=True)


def put_relation(change: Change, claim: str, relation: RelationIn) -> bool:
    """Tie a claim to another; that the other is stored is checked here, since it may live on another shard."""
    _must_exist(change, Claim, relation.target, "target")
    if relation.target == claim:
        detail = f"'{claim}' cannot be related to itself."
        raise InvalidRecord(detail, [Fault(at="target", code="related_to_itself", detail=detail)])
    return _put_part(change, "relation", Relation, claim, relation, {"type": relation.type, "target": relation.target})


def put_assessment(change: Change, claim: str, assessment: AssessmentIn) -> bool:
    """Record a named person's or body's decision on a claim's status, beside the derived one."""
    if assessment.source is not None:
        _must_exist(change, Source, assessment.source, "source")
    return _put_part(change, "assessment", Assessment, claim, assessment, {"key": assessment.key})


def _put_part(
    change: Change, kind: str, model: type[SQLModel], claim: str, part: SQLModel, key: Row, stamped: bool = False
) -> bool:
    _must_exist(change, Claim, claim, "claim")
    body = {"claim": claim, **part.model_dump()}
    where = {"claim": claim, **key}
    stored = _row(change, model, **where)
    if stored is not None and {name: stored[name] for name in body} == body:
        return False
    stamp = _revise(change, kind, part_id(claim, ":".join(key.values())), claim, body, stored)
    _store(
        change,
        model,
        where,
        {**body, "created": stamp["created"], "updated": stamp["updated"]} if stamped else body,
        stored,
    )
    return True


def _why(source: SourceIn, old: Row) -> str:
    """Say in words what of a source changed."""
    body = source.model_dump()
    if source.integrity != old["integrity"]:
        return f"{source.id} is now marked {source.integrity}: {source.integrity_note or 'the notice was taken back'}"
    return f"{source.id} changed: {', '.join(name for name in body if body[name] != old[name])}"


def _claim_body(change: Change, slug: str) -> Row:
    stored = _row(change, Claim, id=slug)
    assert stored is not None
    return {**columns_of(stored, ClaimFields), "topics": _topics_of(change, slug)}


def _topics_of(change: Change, slug: str) -> list[str]:
    filed = table(ClaimTopic)
    statement = select(filed.c.topic).where(filed.c.claim == slug).order_by(filed.c.topic)
    return list(change.connection.scalars(statement))


def _revise(
    change: Change,
    kind: str,
    record: str,
    claim: str | None,
    body: Row,
    stored: Row | None,
    *,
    action: str | None = None,
    comment: str | None = None,
) -> Row:
    """Leave a revision with the next serial; return the stamp of the row that it is about."""
    change.serial += 1
    revision = {
        "record": f"{kind}/{record}",
        "serial": change.serial,
        "kind": kind,
        "claim": claim,
        "action": action or ("create" if stored is None else "update"),
        "actor": change.actor,
        "at": change.at,
        "comment": comment or change.comment,
        "body": body,
    }
    change.connection.execute(insert(table(Revision)), revision)
    if claim is not None:
        change.touched[claim] = change.serial
    created = change.at if stored is None else stored.get("created", change.at)
    return {"revision": change.serial, "created": created, "updated": change.at}


def _row(change: Change, model: type[SQLModel], **key: Any) -> Row | None:
    found = change.connection.execute(select(table(model)).filter_by(**key)).mappings().first()
    return None if found is None else dict(found)


def _store(change: Change, model: type[SQLModel], key: Row, row: Row, stored: Row | None) -> None:
    if stored is None:
        change.connection.execute(insert(table(model)), row)
    else:
        change.connection.execute(update(table(model)).filter_by(**key).values(row))


def _replace(change: Change, model: type[SQLModel], column: str, value: str, rows: list[Row]) -> None:
    change.connection.execute(delete(table(model)).filter_by(**{column: value}))
    if rows:
        change.connection.execute(insert(table(model)), rows)


def _must_exist(change: Change, model: type[SQLModel], slug: str, at: str) -> None:
    rows = table(model)
    if change.connection.scalar(select(rows.c.id).where(rows.c.id == slug)) is None:
        kind = rows.name
        close = nearest(change.connection, rows.c.id, slug)
        fault = Fault(
            at=at,
            code="unknown_reference",
            detail=f"There is no {kind} '{slug}'.",
            suggestion=close[0] if close else None,
            given=slug,
        )
        raise InvalidRecord(fault.detail, [fault])


def _no_shared_identifier(change: Change, source: SourceIn) -> None:
    taken = table(SourceIdentifier)
    faults = []
    for place, identifier in enumerate(source.identifiers):
        owner = change.connection.scalar(
            select(taken.c.source).where(
                taken.c.scheme == identifier.scheme, taken.c.value == identifier.value, taken.c.source != source.id
            )
        )
        if owner is not None:
            detail = f"{identifier.scheme}:{identifier.value} belongs to the source '{owner}'."
            faults.append(Fault(at=f"identifiers/{place}/value", code="identifier_taken", detail=detail))
    if faults:
        raise InvalidRecord("Another source has this identifier.", faults)
