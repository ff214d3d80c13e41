"""Review: a second person accepts what one proposes. Who may see what, who may do what, and the decisions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Select, select
from sqlmodel import Field

from models.access.api_keys import Forbidden, Key
from models.access.proposal_ownership import (
    is_own_proposal,
    may_see,
    proposed_by,
    proposers,
    refuse_own_proposals,
    visibility_condition,
)
from models.core import vocabularies as v
from models.core.errors import Conflict, Fault, InvalidRecord, NotFound, validation_faults
from models.core.types import REVIEW_FIELDS, Strict, is_slug, parse_timestamp
from models.core.vocabulary import OneOf
from models.records.record_types import (
    PART_TYPES,
    RECORD_TYPES,
    RecordType,
    read_column,
    read_record,
    read_records,
    references_in,
)
from models.records.retired import _latest, missing
from models.records.revision import Revision
from models.records.serializers import Row, table
from models.write import changes
from models.write.changes import Change

revision = table(Revision)


class RecordOut(Strict):
    """A record of any kind in any state, with where it stands in review."""

    kind: Annotated[str, OneOf(v.RECORD_KINDS)]
    id: str
    claim: str | None = Field(description="The claim that it is, or is a part of.")
    state: Annotated[str, OneOf(v.REVIEW_STATES)]
    proposed_by: str | None = Field(
        description="Who proposed it; null where it did not come by a proposal."
    )
    revision: int = Field(
        description="Its ETag: give it in If-Match to change or decide this very version."
    )
    serial: int = Field(description="Serial of the last change to the record itself.")
    action: Annotated[str, OneOf(v.ACTIONS)] = Field(description="What that change was.")
    actor: str
    at: str = Field(description="When it was made, in UTC.")
    comment: str | None
    record: dict[str, Any] = Field(description="The record, as it is sent to be stored.")


@dataclass(frozen=True)
class Decision:
    """What a decision does: between which states, by whom (the proposer, or somebody else), and whether it says why."""

    action: str
    before: str
    after: str
    by_proposer: bool
    comment: bool


DECISIONS = {
    decision.action: decision
    for decision in (
        Decision("accept", "submitted", "accepted", by_proposer=False, comment=False),
        Decision("reject", "submitted", "rejected", by_proposer=False, comment=True),
        Decision("withdraw", "submitted", "withdrawn", by_proposer=True, comment=False),
        Decision("retract", "accepted", "retracted", by_proposer=False, comment=True),
    )
}


def find_visible(
    connection: Connection, caller: Key | None, kind: RecordType, record_id: str
) -> Row:
    """Return a record that somebody may see, in whatever state; raise `NotFound` as if there were none where they may not."""
    body = read_record(connection, kind, record_id)
    if body is None or not may_see(connection, caller, kind, record_id, body["state"]):
        raise missing(connection, kind, record_id)
    return body


def etag_revision(connection: Connection, kind: RecordType, record_id: str, body: Row) -> int:
    """Return the number that a record's ETag holds: its claim's where it shows in the claim, else that of its last revision."""
    return _version(connection, kind, body, lambda: _latest(connection, kind, record_id))


def _version(connection: Connection, kind: RecordType, body: Row, last: Callable[[], Row]) -> int:
    if kind.name == "claim" or (kind.part and body["state"] == "accepted"):
        return int(
            read_column(connection, RECORD_TYPES["claim"], str(kind.claim_of(body)), "revision")
            or 0
        )
    return int(last()["serial"])


def describe_after_change(change: Change, kind: RecordType, record_id: str) -> RecordOut:
    """Return a record with where it stands after a change that is settled."""
    body = changes.cached_record(change, kind, record_id)
    assert body is not None, "it was written in this transaction"
    return describe_record(
        change.connection, kind, record_id, body, changes.last_revision(change, kind, record_id)
    )


def describe_record(
    connection: Connection, kind: RecordType, record_id: str, body: Row, made: Row | None = None
) -> RecordOut:
    """Return a record with where it stands; `made` is its last revision, where that is known."""
    made = made or _latest(connection, kind, record_id)
    proposed = made["action"] == "create" and made["state"] == "submitted"
    whose = made["actor"] if proposed else next(iter(proposers(connection, kind, record_id)), None)
    return _out(made, body, whose, _version(connection, kind, body, lambda: made))


def _out(made: Any, body: Row, proposed_by: str | None, number: int) -> RecordOut:
    return RecordOut(
        **{
            name: made[name]
            for name in ("kind", "claim", "state", "serial", "action", "actor", "at", "comment")
        },
        id=made["record"].partition("/")[2],
        proposed_by=proposed_by,
        revision=number,
        record=body,
    )


def pending_query(
    connection: Connection, caller: Key | None
) -> tuple[Select[Any], list[ColumnElement[bool]]]:
    """Return the statement that reads revisions with who proposed their record, and the conditions that leave the last one

    of each record that waits for review and that somebody may see.
    """
    later = revision.alias()
    newer = select(later.c.serial).where(
        later.c.record == revision.c.record, later.c.serial > revision.c.serial
    )
    conditions = [
        revision.c.state == "submitted",
        ~newer.exists(),
        visibility_condition(connection, caller),
    ]
    return select(revision, proposed_by.label("proposed_by")), conditions


def describe_pending(made: Any) -> RecordOut:
    """Return a row of `waiting` as it is shown."""
    return _out(made, made["body"], made["proposed_by"], made["serial"])


def age_days(at: str) -> float:
    """Return the days since a moment (UTC), with one decimal."""
    return round((datetime.now(UTC) - parse_timestamp(at)).total_seconds() / 86400, 1)


def describe_purged(connection: Connection, serial: int) -> RecordOut:
    """Return what is left of a record after the revision that purged it."""
    made = connection.execute(select(revision).where(revision.c.serial == serial)).mappings().one()
    return _out(made, {}, None, serial)


def propose_all(change: Change, caller: Key, records: Sequence[Any]) -> list[str]:
    """Propose records of any kind, each with `record` saying which, in their order; return their names.

    Raises `InvalidRecord` with every fault of every record, each under `records/` and its place from 0.
    """
    names: list[str] = []
    faults: list[Fault] = []
    for place, record in enumerate(records):
        try:
            kind = _kind_of(record)
            fields = {name: value for name, value in record.items() if name != "record"}
            names.append(f"{kind.name}/{propose(change, caller, kind, fields)}")
        except (InvalidRecord, Conflict, NotFound) as error:
            found = error.faults or [Fault(at="", code=error.code, detail=error.detail)]
            faults += [
                fault.model_copy(
                    update={"at": f"records/{place}/{fault.at.strip('/')}".rstrip("/")}
                )
                for fault in found
            ]
    if faults:
        raise InvalidRecord(
            f"{len(faults)} faults; nothing was stored. The first: {faults[0].detail}", faults
        )
    return names


def _kind_of(record: Any) -> RecordType:
    name = record.get("record") if isinstance(record, dict) else None
    if not isinstance(name, str) or name not in RECORD_TYPES:
        detail = f"'record' says of which kind it is: {', '.join(RECORD_TYPES)}."
        raise InvalidRecord(
            detail,
            [Fault(at="record", code="unknown_term", detail=detail, allowed=list(RECORD_TYPES))],
        )
    return RECORD_TYPES[name]


def propose(change: Change, caller: Key, kind: RecordType, body: Row) -> str:
    """Store a new record as a proposal and return its id; an assessment, which is a decision itself, as accepted.

    What was rejected or withdrawn its proposer may propose anew under its id. Raises `InvalidRecord` with every fault.
    """
    state = "submitted"
    if kind.name == "assessment":
        state = "accepted"
        require_role(caller, "curator", "record an assessment")
    body = validate_record(
        kind, {**body, "state": body.get("state", state), "replaced_by": body.get("replaced_by")}
    )
    for name, given in (("state", state), ("replaced_by", None)):
        if body[name] != given:
            raise _decided_elsewhere(name)
    _must_see(change, caller, kind, body)
    record_id = kind.id_of(body)
    old = changes.cached_record(change, kind, record_id)
    anew = old is not None and old["state"] in ("rejected", "withdrawn")
    nobodys = anew and not proposers(change.connection, kind, record_id)
    if old is not None and not (
        nobodys or (anew and is_own_proposal(change.connection, caller, kind, record_id))
    ):
        detail = f"The {kind.name} '{record_id}' is there already, and is {old['state']}."
        if not may_see(change.connection, caller, kind, record_id, old["state"]):
            detail = f"The id '{record_id}' is taken; choose another."
        raise Conflict(
            detail,
            [Fault(at=kind.key[0], code="already_exists", detail=detail)],
            code="already_exists",
        )
    changes.put(change, kind, body, "create", valid=True)
    return record_id


def replace(change: Change, caller: Key, kind: RecordType, record_id: str, body: Row) -> bool:
    """Store a new version of a record: its proposer while it waits, a curator once it is accepted. Says whether it differs."""
    old = find_visible(change.connection, caller, kind, record_id)
    if old["state"] == "submitted":
        if not is_own_proposal(change.connection, caller, kind, record_id):
            raise Forbidden(
                "Only its proposer changes a proposal; reject it and say what should change."
            )
    elif old["state"] == "accepted":
        require_role(caller, "curator", "change what is accepted")
        refuse_own_proposals(change.connection, caller, [(kind, record_id)], "change")
    else:
        raise Conflict(f"The {kind.name} '{record_id}' is {old['state']}; it cannot be changed.")
    body = validate_record(kind, {**{name: old[name] for name in REVIEW_FIELDS}, **body})
    require_same_key(kind, record_id, body)
    for name in REVIEW_FIELDS:
        if body[name] != old[name]:
            raise _decided_elsewhere(name)
    _must_see(change, caller, kind, body)
    return changes.put(change, kind, body, valid=True)


def require_same_key(kind: RecordType, record_id: str, body: Row) -> None:
    """Refuse a record that says that it is another one than the one that is meant."""
    for name, value in kind.place(record_id).items():
        if body[name] != value:
            detail = f"'{name}' is a part of the id and cannot be changed: propose another record."
            raise InvalidRecord(detail, [Fault(at=name, code="fixed_field", detail=detail)])


def decide(
    change: Change,
    caller: Key,
    kind: RecordType,
    record_id: str,
    action: str,
    replaced_by: str | None = None,
) -> None:
    """Accept, reject, withdraw or retract a record; a claim takes its parts along where it is not accepted any more."""
    decision = DECISIONS[action]
    old = find_visible(change.connection, caller, kind, record_id)
    if decision.by_proposer:
        if not is_own_proposal(change.connection, caller, kind, record_id):
            raise Forbidden("Only its proposer withdraws a proposal; a curator rejects it.")
    else:
        require_role(caller, "curator", f"{action} a record")
        refuse_own_proposals(change.connection, caller, [(kind, record_id)], action)
    if old["state"] != decision.before:
        raise Conflict(
            f"The {kind.name} '{record_id}' is {old['state']}; only a {decision.before} one can be {decision.after}."
        )
    if decision.comment:
        require_comment(change, action)
    if replaced_by is not None:
        _must_replace(change, kind, record_id, replaced_by)
    if decision.after != "accepted":
        close_dependent_proposals(change, caller, kind, record_id)
    if kind.name == "claim" and decision.after == "retracted":
        parts = parts_of_claim(change.connection, record_id, "accepted")
        refuse_own_proposals(
            change.connection, caller, [(part, part.id_of(body)) for part, body in parts], action
        )
        for part, body in parts:
            changes.put(change, part, {**body, "state": decision.after}, action)
    changes.put(change, kind, {**old, "state": decision.after, "replaced_by": replaced_by}, action)


def close_dependent_proposals(
    change: Change, caller: Key, kind: RecordType, record_id: str
) -> None:
    """Reject the proposals that refer to what is being taken back, since nobody could accept them; one's own are withdrawn."""
    for other, other_id in changes.find_dependents(
        change.connection, kind, record_id, ("submitted",), None
    ):
        close_dependent_proposals(change, caller, other, other_id)
        body = read_record(change.connection, other, other_id)
        if body is not None and body["state"] == "submitted":
            own = is_own_proposal(change.connection, caller, other, other_id)
            action = "withdraw" if own else "reject"
            changes.put(change, other, {**body, "state": DECISIONS[action].after}, action)


def parts_of_claim(
    connection: Connection, claim: str, *states: str
) -> list[tuple[RecordType, Row]]:
    """Return the parts of a claim in these states, each before what it rests on: evidence on a relation before the relation."""
    found: list[tuple[RecordType, Row]] = []
    for kind in reversed(PART_TYPES):
        rows = table(kind.model)
        key = [rows.c[name] for name in kind.columns]
        statement = (
            select(*key).where(rows.c.claim == claim, rows.c.state.in_(states)).order_by(*key)
        )
        ids = [kind.id_of(row) for row in connection.execute(statement).mappings()]
        found += [(kind, body) for _, body in read_records(connection, kind, ids)]
    return found


def validate_record(kind: RecordType, body: Row) -> Row:
    """Return a record as it is stored, with every default; raise `InvalidRecord` with every fault."""
    claim = body.get("claim")
    # It stands in no input class: a claim's file names it, and so does an address.
    if kind.part and not is_slug(claim):
        detail = "'claim' is the slug of the claim that the record is a part of."
        raise InvalidRecord(detail, [Fault(at="claim", code="malformed_slug", detail=detail)])
    fields = {name: value for name, value in body.items() if not (kind.part and name == "claim")}
    try:
        record = kind.validated(fields)
    except ValidationError as error:
        faults = validation_faults(error.errors(), kind.fields.model_fields)
        raise InvalidRecord(f"{faults[0].at}: {faults[0].detail}", faults) from None
    return {**({"claim": body["claim"]} if kind.part else {}), **record}


def _must_see(change: Change, caller: Key, kind: RecordType, body: Row) -> None:
    """Refuse a reference to another's proposal as if it were not there."""
    for field, other, other_id in references_in(kind, body):
        found = changes.cached_state(change, other, other_id)
        if found is None or not may_see(change.connection, caller, other, other_id, found):
            error = missing(change.connection, other, other_id)
            if field == "claim":
                raise error
            close = error.faults[0].suggestion if error.faults else None
            fault = Fault(
                at=field,
                code="unknown_reference",
                detail=error.detail,
                suggestion=close,
                given=other_id,
            )
            raise InvalidRecord(error.detail, [fault])


def _must_replace(change: Change, kind: RecordType, record_id: str, replaced_by: str) -> None:
    such = replaced_by != record_id and replaced_by.count(":") + 1 == len(kind.columns)
    other = read_record(change.connection, kind, replaced_by) if such else None
    if other is None or other["state"] != "accepted":
        detail = f"There is no other accepted {kind.name} '{replaced_by}' to stand in its place."
        raise InvalidRecord(
            detail, [Fault(at="replaced_by", code="unknown_reference", detail=detail)]
        )


def require_comment(change: Change, action: str) -> None:
    """Refuse what nobody may do without a reason."""
    if not (change.comment or "").strip():
        detail = f"Say why: to {action} needs a comment."
        raise InvalidRecord(detail, [Fault(at="comment", code="missing", detail=detail)])


def require_role(caller: Key, role: str, what: str) -> None:
    """Refuse a role that is too low."""
    if not caller.may(role):
        raise Forbidden(
            f"To {what} needs a key of the role {role} or higher; this one's role is {caller.role}."
        )


def _decided_elsewhere(field: str) -> InvalidRecord:
    detail = "Where a record stands in review is decided, not written: see accept, reject, retract and merge."
    return InvalidRecord(detail, [Fault(at=field, code="fixed_field", detail=detail)])
