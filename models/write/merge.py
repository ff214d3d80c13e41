"""Merging two records, undoing a change, and purging a record. Only a purge loses anything."""

from collections import defaultdict
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, select

from models.access.api_keys import RESERVED_NAMES, Key
from models.access.proposal_ownership import refuse_own_proposals
from models.core import vocabularies as v
from models.core.errors import Conflict, Fault, InvalidRecord, NotFound
from models.core.types import SLUG_LENGTH
from models.records.evidence import Evidence
from models.records.record_types import RECORD_TYPES, RecordType, read_record, read_records
from models.records.recorded_body import with_current_fields
from models.records.retired import STANDING
from models.records.revision import Revision, latest_revision
from models.records.serializers import Row, table
from models.write import changes
from models.write.changes import Change
from models.write.review import (
    close_dependent_proposals,
    find_visible,
    parts_of_claim,
    require_comment,
    require_role,
)


def merge(change: Change, caller: Key, kind: RecordType, old: str, into: str) -> None:
    """Merge a claim or source into another one.

    Whatever refers to `old` refers to `into` afterwards, and a request for `old` is redirected
    there. What `into` has already (the same source cited the same way, the same relation) is not
    doubled.
    """
    if kind.name not in MERGERS:
        raise InvalidRecord(f"Only {' and '.join(MERGERS)} can be merged, not a {kind.name}.")
    require_role(caller, "curator", "merge records")
    old_body = find_visible(change.connection, caller, kind, old)
    into_body = find_visible(change.connection, caller, kind, into)
    if old == into:
        fault = Fault(at="into", code="same", detail="The same record.")
        raise InvalidRecord(f"'{old}' cannot be merged into itself.", [fault])
    for record_id, body in ((old, old_body), (into, into_body)):
        if body["state"] != "accepted":
            raise Conflict(
                f"The {kind.name} '{record_id}' is {body['state']};"
                " only accepted ones can be merged."
            )
        refuse_own_proposals(change.connection, caller, [(kind, record_id)], "merge")
    MERGERS[kind.name](change, caller, old_body, into_body)


def _merge_claims(change: Change, caller: Key, old: Row, into: Row) -> None:
    """Move the claim's parts, then the relations that point to it, then the claim itself.

    Proposals on the claim are rejected.
    """
    claim = RECORD_TYPES["claim"]
    topics = sorted({*old["topics"], *into["topics"]})
    if topics != into["topics"]:
        _put(change, claim, {**into, "topics": topics})
    for kind, body in parts_of_claim(change.connection, old["id"], "submitted"):
        _put(change, kind, {**body, "state": "rejected"})
    _move_parts(change, caller, old["id"], into["id"])
    _retarget(change, caller, old["id"], into["id"])
    _put(change, claim, {**old, "state": "merged", "replaced_by": into["id"]})


def _put(change: Change, kind: RecordType, body: Row) -> None:
    changes.put(change, kind, body, "merge")


def _move_parts(change: Change, caller: Key, old: str, into: str) -> None:
    """Copy the accepted parts of a claim to another claim, and mark the old ones as merged."""
    parts = parts_of_claim(change.connection, old, "accepted")
    for kind, body in parts:
        _refuse_own(change, caller, kind, body)
    new_ids: list[str | None] = []
    # A part comes before those that it refers to, which must be copied first.
    for kind, body in reversed(parts):
        new_ids.append(_move(change, kind, {**body, "claim": into}))
    for (kind, body), new_id in zip(parts, reversed(new_ids), strict=True):
        _put(change, kind, {**body, **_retired_as(new_id)})


def _refuse_own(change: Change, caller: Key, kind: RecordType, body: Row) -> None:
    """Refuse to merge an accepted record that the caller proposed."""
    if body["state"] == "accepted":
        record = (kind, kind.id_of(body))
        refuse_own_proposals(change.connection, caller, [record], "merge")


def _retired_as(new_id: str | None) -> Row:
    """Return the state of a part that was merged into another one, or that has no place there."""
    return {"state": "merged" if new_id else "retracted", "replaced_by": new_id}


def _move(change: Change, kind: RecordType, body: Row) -> str | None:
    """Store a part under its new claim, unless the same part is there already.

    Returns the part's id, or None if it cannot be there: a claim is not related to itself.
    """
    if kind.name == "relation" and body["target"] == body["claim"]:
        return None
    if kind.name == "evidence" and body["relation_target"] == body["claim"]:
        return None
    if kind.name == "relation":
        return _move_relation(change, kind, body)
    first_key = body["key"]
    number = 1
    while True:
        record_id = kind.id_of(body)
        existing = read_record(change.connection, kind, record_id)
        if existing is None or existing["state"] in ("rejected", "withdrawn"):
            _put(change, kind, body)
            return record_id
        if {**existing, "key": first_key} == {**body, "key": first_key}:
            return record_id
        number += 1
        body = {**body, "key": f"{first_key[: SLUG_LENGTH - 5].rstrip('-')}-{number}"}


def _move_relation(change: Change, kind: RecordType, body: Row) -> str:
    """Store a relation under its new claim: a new one, or again one that was taken back."""
    record_id = kind.id_of(body)
    existing = read_record(change.connection, kind, record_id)
    if existing is None or existing["state"] != "accepted":
        _put(change, kind, body)
    return record_id


def _retarget(change: Change, caller: Key, old: str, into: str) -> None:
    """Let other claims' relations to `old` point to `into`, with the evidence on them."""
    relation = RECORD_TYPES["relation"]
    # The parts of `old` are retired by now, so all that refers to it are relations of other claims.
    pointing = _standing_dependents(change, RECORD_TYPES["claim"], old)
    for relation_id, body in list(read_records(change.connection, relation, pointing)):
        _refuse_own(change, caller, relation, body)
        if body["state"] == "accepted":
            new_id = _move(change, relation, {**body, "target": into})
            retired = _retired_as(new_id)
        else:
            new_id = None
            retired = {"state": "rejected"}
        _retarget_evidence(change, caller, relation_id, into if new_id else None)
        _put(change, relation, {**body, **retired})


def _retarget_evidence(
    change: Change, caller: Key, relation_id: str, new_target: str | None
) -> None:
    """Let the evidence on a relation bear on the relation to another target, or take it back."""
    evidence = RECORD_TYPES["evidence"]
    on_relation = _standing_dependents(change, RECORD_TYPES["relation"], relation_id)
    for _, line in list(read_records(change.connection, evidence, on_relation)):
        _refuse_own(change, caller, evidence, line)
        if new_target is not None:
            altered = {"relation_target": new_target}
        else:
            altered = {"state": "retracted" if line["state"] == "accepted" else "rejected"}
        _put(change, evidence, {**line, **altered})


def _standing_dependents(change: Change, kind: RecordType, record_id: str) -> list[str]:
    """Return the ids of all submitted and accepted records that refer to a record."""
    dependents = changes.find_dependents(change.connection, kind, record_id, STANDING, limit=None)
    return [dependent_id for _, dependent_id in dependents]


def _merge_sources(change: Change, caller: Key, old: Row, into: Row) -> None:
    """Let whatever rests on `old` rest on `into`, and move the identifiers that `into` lacks."""
    source = RECORD_TYPES["source"]
    if old["integrity"] != into["integrity"]:
        detail = (
            f"One is marked {old['integrity']}, the other {into['integrity']};"
            " say of both the same first."
        )
        raise Conflict(detail, [Fault(at="into", code="integrity", detail=detail)])
    _refuse_to_split_groups(change.connection, old["id"], into["id"])
    dependents = changes.find_dependents(change.connection, source, old["id"], STANDING, limit=None)
    for kind, record_id in dependents:
        body = read_record(change.connection, kind, record_id)
        assert body is not None, "it was read in this transaction"
        _refuse_own(change, caller, kind, body)
        _put(change, kind, {**body, "source": into["id"]})
    schemes = {identifier["scheme"] for identifier in into["identifiers"]}
    moved = [identifier for identifier in old["identifiers"] if identifier["scheme"] not in schemes]
    kept = [identifier for identifier in old["identifiers"] if identifier["scheme"] in schemes]
    retired = {"state": "merged", "replaced_by": into["id"], "identifiers": kept}
    _put(change, source, {**old, **retired})
    if moved:
        _put(change, source, {**into, "identifiers": [*into["identifiers"], *moved]})


def _refuse_to_split_groups(connection: Connection, old: str, into: str) -> None:
    """Refuse a merger after which one work would count as two independent ones.

    Both works' lines on a claim, or on a relation, must be of the same independence group.
    """
    rows = table(Evidence)
    lines = select(rows).where(rows.c.source.in_((old, into)), rows.c.state == "accepted")
    sources: defaultdict[tuple[Any, ...], set[str]] = defaultdict(set)
    groups: defaultdict[tuple[Any, ...], set[str]] = defaultdict(set)
    for line in connection.execute(lines).mappings():
        subject = (line["claim"], line["relation_type"], line["relation_target"])
        sources[subject].add(line["source"])
        groups[subject].add(line["independence_group"])
    for subject in sources:
        if len(sources[subject]) == 2 and len(groups[subject]) > 1:
            detail = (
                f"Both have lines on '{subject[0]}', of different independence groups;"
                " give them one group first."
            )
            raise Conflict(detail, [Fault(at="into", code="independence_group", detail=detail)])


MERGERS = {"claim": _merge_claims, "source": _merge_sources}


def undo(change: Change, caller: Key, serial: int) -> list[str]:
    """Undo the whole change that a revision belongs to. Return the names of the restored records.

    A record that the change created is retracted. Refused if a record was changed again since or
    was purged, and for a change that only proposed something. Only an admin may undo what a program
    loaded.
    """
    require_role(caller, "curator", "undo a change")
    require_comment(change, "undo")
    number, steps = _steps_of_change(change.connection, serial)
    # The last step of a record comes first, so that what refers to others is undone before them.
    actions = {step["record"]: step["action"] for step in steps}
    records = list(actions)
    before = {name: _body_before(change.connection, name, number) for name in records}
    _require_undoable(change, caller, steps)
    for name in records:
        _restore(change, caller, name, before[name], actions[name])
    return records


def _steps_of_change(connection: Connection, serial: int) -> tuple[int, list[Row]]:
    """Return the change that a revision belongs to: its number and its revisions, latest first."""
    revision = table(Revision)
    number = connection.scalar(select(revision.c.change).where(revision.c.serial == serial))
    if number is None:
        raise NotFound(f"There is no revision {serial}.")
    of_change = select(revision).where(revision.c.change == number, revision.c.action != "derive")
    rows = connection.execute(of_change.order_by(revision.c.serial.desc())).mappings()
    return number, [dict(row) for row in rows]


def _restore(change: Change, caller: Key, name: str, old: Row | None, action: str) -> None:
    """Store a record as it was before an action, or take it back if it did not exist."""
    kind, record_id = _type_and_id(name)
    if old is None:
        current = read_record(change.connection, kind, record_id)
        assert current is not None, "undoing what was purged has been refused"
        # A copy that a merger made is withdrawn, so that its id is free again.
        body = {**current, "state": "withdrawn" if action == "merge" else "retracted"}
    else:
        body = with_current_fields(kind.name, old)
    if body["state"] not in STANDING:
        close_dependent_proposals(change, caller, kind, kind.id_of(body))
    try:
        changes.put(change, kind, body, "undo")
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise Conflict(
            f"{name} was, before the change, what a rule forbids today: {message}"
        ) from None


def _type_and_id(name: str) -> tuple[RecordType, str]:
    """Split a record's name, such as `source/doepp-2010`."""
    kind, _, record_id = name.partition("/")
    return RECORD_TYPES[kind], record_id


def _body_before(connection: Connection, name: str, change_number: int) -> Row | None:
    """Return a record as it was before a change, or None if the change created it."""
    last = latest_revision(connection, name, table(Revision).c.serial < change_number)
    # A purged record's id is new again.
    return None if last is None or last["action"] == "purge" else last["body"]


def _require_undoable(change: Change, caller: Key, steps: list[Row]) -> None:
    _refuse_if_changed_since(change.connection, steps)
    if any(step["actor"].casefold() in RESERVED_NAMES for step in steps):
        require_role(caller, "admin", "undo what a program loaded")
    for step in steps:
        if step["action"] == "purge":
            raise Conflict(f"{step['record']} was purged; its content is gone.")
        # A merger may move proposals too, but that is not their proposer's doing.
        proposed = step["state"] == "submitted" and step["action"] in ("create", "update")
        if proposed or step["action"] == "withdraw":
            raise Conflict(
                f"{step['record']} was only proposed, or withdrawn, by this change:"
                " that is its proposer's affair."
            )
    records = [_type_and_id(step["record"]) for step in steps]
    refuse_own_proposals(change.connection, caller, records, "undo what was done to")


def _refuse_if_changed_since(connection: Connection, steps: list[Row]) -> None:
    """Refuse to undo a change if one of its records has a later revision of another change."""
    revision = table(Revision)
    last_serials = {step["record"]: step["serial"] for step in reversed(steps)}
    for record, serial in last_serials.items():
        later = latest_revision(
            connection, record, revision.c.serial > serial, revision.c.action != "derive"
        )
        if later is not None:
            raise Conflict(
                f"{record} was changed since, by revision {later['serial']}; undo that first."
            )


def purge(change: Change, caller: Key, kind: RecordType, record_id: str) -> None:
    """Delete the content of a record from everything that is stored; an admin's last resort.

    The record must have been taken back before, and nothing may refer to it any more.
    """
    require_role(caller, "admin", "purge a record")
    old = find_visible(change.connection, caller, kind, record_id)
    if old["state"] in STANDING:
        raise Conflict(f"The {kind.name} '{record_id}' is {old['state']}; take it back first.")
    require_comment(change, "purge")
    all_states = tuple(v.REVIEW_STATES.ids)
    naming = changes.find_dependents(change.connection, kind, record_id, all_states)
    naming += _merged_into(change.connection, kind, record_id)
    if naming:
        names = ", ".join(f"{other.name}/{other_id}" for other, other_id in naming)
        raise Conflict(
            f"The {kind.name} '{record_id}' is still named by {names}; purge those first."
        )
    changes.purge(change, kind, record_id, old)


def _merged_into(
    connection: Connection, kind: RecordType, record_id: str
) -> list[tuple[RecordType, str]]:
    """Return the records that were merged into a record: they hold the same content."""
    rows = table(kind.model)
    key = [rows.c[name] for name in kind.columns]
    merged = select(*key).where(rows.c.replaced_by == record_id, rows.c.state == "merged")
    return [(kind, kind.id_of(row)) for row in connection.execute(merged).mappings()]
