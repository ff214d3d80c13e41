"""Making two records one, and taking a change back, which loses nothing; and purging, which is for what must not be kept."""

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
    """Make one record of two: what hangs on `old` hangs on `into` afterwards, and whoever asks for `old` is sent there.

    For claims and sources. What `into` has already (the same source cited the same way, the same tie) is not doubled.
    """
    if kind.name not in MERGERS:
        raise InvalidRecord(f"Only {' and '.join(MERGERS)} can be merged, not a {kind.name}.")
    require_role(caller, "curator", "merge records")
    bodies = [find_visible(change.connection, caller, kind, record_id) for record_id in (old, into)]
    if old == into:
        raise InvalidRecord(
            f"'{old}' cannot be merged into itself.",
            [Fault(at="into", code="same", detail="The same record.")],
        )
    for record_id, body in zip((old, into), bodies, strict=True):
        if body["state"] != "accepted":
            raise Conflict(
                f"The {kind.name} '{record_id}' is {body['state']}; only accepted ones can be merged."
            )
        refuse_own_proposals(change.connection, caller, [(kind, record_id)], "merge")
    MERGERS[kind.name](change, caller, *bodies)


def _merge_claims(change: Change, caller: Key, old: Row, into: Row) -> None:
    """Move the parts, then the ties that point to the claim, then the claim itself. Proposals on it are rejected."""
    claim = RECORD_TYPES["claim"]
    topics = sorted({*old["topics"], *into["topics"]})
    if topics != into["topics"]:
        changes.put(change, claim, {**into, "topics": topics}, "merge")
    for kind, body in parts_of_claim(change.connection, old["id"], "submitted"):
        changes.put(change, kind, {**body, "state": "rejected"}, "merge")
    moved = parts_of_claim(change.connection, old["id"], "accepted")
    refuse_own_proposals(
        change.connection, caller, [(kind, kind.id_of(body)) for kind, body in moved], "merge"
    )
    places = [_move(change, kind, {**body, "claim": into["id"]}) for kind, body in reversed(moved)]
    for (kind, body), place in zip(moved, reversed(places), strict=True):
        changes.put(change, kind, {**body, **_left(place)}, "merge")
    _retarget(change, caller, old["id"], into["id"])
    changes.put(change, claim, {**old, "state": "merged", "replaced_by": into["id"]}, "merge")


def _left(place: str | None) -> Row:
    """Return where a part stands that went to another place, or that has none there."""
    return {"state": "merged" if place else "retracted", "replaced_by": place}


def _move(change: Change, kind: RecordType, body: Row) -> str | None:
    """Store a part under its new claim and return its id, or that of the same part which is there; None where it cannot be."""
    if kind.name == "relation" and body["target"] == body["claim"]:
        return None
    if kind.name == "evidence" and body["relation_target"] == body["claim"]:
        return None
    number = 1
    stem = body.get("key", "")
    while True:
        record_id = kind.id_of(body)
        there = read_record(change.connection, kind, record_id)
        if there is None or there["state"] in ("rejected", "withdrawn") or kind.name == "relation":
            # The same tie is there already, or was and is again.
            changes.put(
                change,
                kind,
                body if there is None or there["state"] != "accepted" else there,
                "merge",
            )
            return record_id
        if {**there, "key": stem} == {**body, "key": stem}:
            return record_id
        number += 1
        body = {**body, "key": f"{stem[: SLUG_LENGTH - 5].rstrip('-')}-{number}"}


def _retarget(change: Change, caller: Key, old: str, into: str) -> None:
    """Let the ties of other claims that pointed to the one point to the other, with the evidence on them."""
    relation, evidence = RECORD_TYPES["relation"], RECORD_TYPES["evidence"]
    # Its own parts stand no more by now, so that what still names it are the ties of others.
    pointing = [
        record_id
        for _, record_id in changes.find_dependents(
            change.connection, RECORD_TYPES["claim"], old, STANDING, None
        )
    ]
    for tie, body in list(read_records(change.connection, relation, pointing)):
        accepted = body["state"] == "accepted"
        refuse_own_proposals(
            change.connection, caller, [(relation, tie)] if accepted else [], "merge"
        )
        new = _move(change, relation, {**body, "target": into}) if accepted else None
        on_tie = [
            record_id
            for _, record_id in changes.find_dependents(
                change.connection, relation, tie, STANDING, None
            )
        ]
        for line_id, line in list(read_records(change.connection, evidence, on_tie)):
            refuse_own_proposals(
                change.connection,
                caller,
                [(evidence, line_id)] if line["state"] == "accepted" else [],
                "merge",
            )
            taken_back = {"state": "retracted" if line["state"] == "accepted" else "rejected"}
            changes.put(
                change,
                evidence,
                {**line, **({"relation_target": into} if new else taken_back)},
                "merge",
            )
        changes.put(
            change,
            relation,
            {**body, **(_left(new) if accepted else {"state": "rejected"})},
            "merge",
        )


def _merge_sources(change: Change, caller: Key, old: Row, into: Row) -> None:
    """Let what rests on the one rest on the other, then give over the identifiers that the other has none of."""
    source = RECORD_TYPES["source"]
    if old["integrity"] != into["integrity"]:
        detail = f"One is marked {old['integrity']}, the other {into['integrity']}; say of both the same first."
        raise Conflict(detail, [Fault(at="into", code="integrity", detail=detail)])
    _no_group_twice(change, old["id"], into["id"])
    for kind, record_id in changes.find_dependents(
        change.connection, source, old["id"], STANDING, None
    ):
        body = read_record(change.connection, kind, record_id)
        assert body is not None, "it was read in this transaction"
        refuse_own_proposals(
            change.connection,
            caller,
            [(kind, record_id)] if body["state"] == "accepted" else [],
            "merge",
        )
        changes.put(change, kind, {**body, "source": into["id"]}, "merge")
    schemes = {identifier["scheme"] for identifier in into["identifiers"]}
    more = [identifier for identifier in old["identifiers"] if identifier["scheme"] not in schemes]
    kept = [identifier for identifier in old["identifiers"] if identifier["scheme"] in schemes]
    after = {"state": "merged", "replaced_by": into["id"], "identifiers": kept}
    changes.put(change, source, {**old, **after}, "merge")
    if more:
        changes.put(change, source, {**into, "identifiers": [*into["identifiers"], *more]}, "merge")


def _no_group_twice(change: Change, old: str, into: str) -> None:
    """Refuse to let one work count as two: its lines on one claim, or on one tie, must be of one independence group."""
    rows = table(Evidence)
    lines = select(rows).where(rows.c.source.in_((old, into)), rows.c.state == "accepted")
    groups: dict[tuple[Any, ...], set[tuple[str, str]]] = {}
    for row in change.connection.execute(lines).mappings():
        about = (row["claim"], row["relation_type"], row["relation_target"])
        groups.setdefault(about, set()).add((row["source"], row["independence_group"]))
    for (claim, *_), found in groups.items():
        if len({source for source, _ in found}) == 2 and len({group for _, group in found}) > 1:
            detail = f"Both have lines on '{claim}', of different independence groups; give them one group first."
            raise Conflict(detail, [Fault(at="into", code="independence_group", detail=detail)])


MERGERS = {"claim": _merge_claims, "source": _merge_sources}


def undo(change: Change, caller: Key, serial: int) -> list[str]:
    """Take back the whole change that a revision belongs to; return the names of the records that are as before.

    Refused where a record was changed again since, or was purged, and for what is only proposed. What the change had made
    new is taken back; what a program loaded, only an admin takes back.
    """
    require_role(caller, "curator", "undo a change")
    require_comment(change, "undo")
    revision = table(Revision)
    number = change.connection.scalar(select(revision.c.change).where(revision.c.serial == serial))
    if number is None:
        raise NotFound(f"There is no revision {serial}.")
    made = select(revision).where(revision.c.change == number, revision.c.action != "derive")
    made = made.order_by(revision.c.serial.desc())
    steps = [dict(row) for row in change.connection.execute(made).mappings()]
    records = list(dict.fromkeys(step["record"] for step in steps))
    made_by = {step["record"]: step["action"] for step in steps}
    before = {record: _before(change.connection, record, number) for record in records}
    _must_be_undoable(change, caller, steps)
    for record in records:
        kind = RECORD_TYPES[record.partition("/")[0]]
        now = read_record(change.connection, kind, record.partition("/")[2])
        assert now is not None, "what was purged is refused before"
        old = before[record]
        # What a merger made under another id nobody ever retracted; its place is free again.
        unmade = "withdrawn" if made_by[record] == "merge" else "retracted"
        body = {**now, "state": unmade} if old is None else with_current_fields(kind.name, old)
        if body["state"] not in STANDING:
            close_dependent_proposals(change, caller, kind, kind.id_of(body))
        try:
            changes.put(change, kind, body, "undo")
        except ValidationError as error:
            raise Conflict(
                f"{record} was, before the change, what a rule forbids today: {error.errors()[0]['msg']}"
            ) from None
    return records


def _before(connection: Connection, record: str, number: int) -> Row | None:
    """Return the record as it was before a change, None where the change made it."""
    found = latest_revision(connection, record, table(Revision).c.serial < number)
    # After a purge an id is new again.
    return None if found is None or found["action"] == "purge" else found["body"]


def _must_be_undoable(change: Change, caller: Key, steps: list[Row]) -> None:
    revision = table(Revision)
    last = {step["record"]: step["serial"] for step in reversed(steps)}
    for record, serial in last.items():
        later = latest_revision(
            change.connection, record, revision.c.serial > serial, revision.c.action != "derive"
        )
        if later is not None:
            raise Conflict(
                f"{record} was changed since, by revision {later['serial']}; undo that first."
            )
    if any(step["actor"].casefold() in RESERVED_NAMES for step in steps):
        require_role(caller, "admin", "undo what a program loaded")
    for step in steps:
        if step["action"] == "purge":
            raise Conflict(f"{step['record']} was purged; its content is gone.")
        # A merger may have moved what waits; that is not its proposer's doing.
        proposed = step["state"] == "submitted" and step["action"] in ("create", "update")
        if proposed or step["action"] == "withdraw":
            raise Conflict(
                f"{step['record']} was only proposed, or withdrawn, by this change: that is its proposer's affair."
            )
    parted = [step["record"].partition("/") for step in steps]
    refuse_own_proposals(
        change.connection,
        caller,
        [(RECORD_TYPES[kind], record_id) for kind, _, record_id in parted],
        "undo what was done to",
    )


def purge(change: Change, caller: Key, kind: RecordType, record_id: str) -> None:
    """Take the content of a record that no longer stands out of everything that is stored; an admin's last resort."""
    require_role(caller, "admin", "purge a record")
    old = find_visible(change.connection, caller, kind, record_id)
    if old["state"] in STANDING:
        raise Conflict(f"The {kind.name} '{record_id}' is {old['state']}; take it back first.")
    require_comment(change, "purge")
    named = changes.find_dependents(change.connection, kind, record_id, tuple(v.REVIEW_STATES.ids))
    # What was merged into it holds the same words.
    rows = table(kind.model)
    merged = select(*(rows.c[name] for name in kind.columns)).where(rows.c.replaced_by == record_id)
    found = change.connection.execute(merged.where(rows.c.state == "merged")).mappings()
    named += [(kind, kind.id_of(row)) for row in found]
    if named:
        names = ", ".join(f"{other.name}/{other_id}" for other, other_id in named)
        raise Conflict(
            f"The {kind.name} '{record_id}' is still named by {names}; purge those first."
        )
    changes.purge(change, kind, record_id, old)
