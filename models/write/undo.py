"""Takes back what one change did, all of it or nothing."""

from pydantic import ValidationError
from sqlalchemy import Connection, select

from models.access.api_keys import RESERVED_NAMES, Key
from models.core.errors import Conflict, NotFound
from models.records.record_types import RecordType, read_record, split_name
from models.records.recorded_body import with_current_fields
from models.records.retired import STANDING
from models.records.revision import Revision, latest_revision
from models.records.serializers import Row, table
from models.write import changes
from models.write.changes import Change
from models.write.review import (
    close_dependent_proposals,
    require_comment,
    require_role,
    require_second_person,
)


def undo(change: Change, caller: Key, serial: int) -> list[str]:
    """Undo the whole change that a revision belongs to. Return the names of the restored records.

    A record that the change created is retracted. Of a record that was changed again since, only
    what this change altered is put back. Refused if the later change altered the same, if the
    record was purged, if another one was merged into it meanwhile, and for a change that only
    proposed something. Only an admin may undo what a program loaded.
    """
    require_role(caller, "curator", "undo a change")
    require_comment(change, "undo")
    number, steps = _steps_of_change(change.connection, serial)
    # The last step of a record comes first, so that what refers to others is undone before them.
    actions = {step["record"]: step["action"] for step in steps}
    records = list(actions)
    after = {step["record"]: step for step in reversed(steps)}
    before = {name: _without_change(change.connection, number, after[name]) for name in records}
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
    kind, record_id = split_name(name)
    if old is None:
        current = read_record(change.connection, kind, record_id)
        assert current is not None, "undoing what was purged has been refused"
        # A copy that a merger made is withdrawn, so that its id is free again.
        body = {**current, "state": "withdrawn" if action == "merge" else "retracted"}
    else:
        body = with_current_fields(kind.name, old)
    if body["state"] != "accepted":
        _refuse_if_merged_into(change.connection, kind, record_id)
    if body["state"] not in STANDING:
        close_dependent_proposals(change, caller, kind, kind.id_of(body))
    try:
        changes.put(change, kind, body, "undo")
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise Conflict(
            f"{name} was, before the change, what a rule forbids today: {message}"
        ) from None


def _body_before(connection: Connection, name: str, change_number: int) -> Row | None:
    """Return a record as it was before a change, or None if the change created it."""
    last = latest_revision(connection, name, table(Revision).c.serial < change_number)
    # A purged record's id is new again; what was proposed before an export is not in its restore.
    return None if last is None else last["body"] or None


def _without_change(connection: Connection, number: int, step: Row) -> Row | None:
    """Return a record without what a change did to it, or None if the change created it.

    `step` is the change's last revision of it. Raises Conflict where a later change is in the way.
    """
    before = _body_before(connection, step["record"], number)
    revision = table(Revision)
    later = latest_revision(
        connection,
        step["record"],
        revision.c.serial > step["serial"],
        revision.c.action != "derive",
    )
    if later is None:
        return before
    since = f"{step['record']} was changed since, by revision {later['serial']}"
    kind, record_id = split_name(step["record"])
    current, after = read_record(connection, kind, record_id), step["body"]
    states = {body["state"] if body else None for body in (before, after, current)}
    if before is None or current is None or len(states) > 1:
        # Also where a later change, such as a merger, decided where the record stands.
        raise Conflict(f"{since}; undo that first.")
    before, after = (with_current_fields(kind.name, body) for body in (before, after))
    altered = [name for name in after if after[name] != before[name]]
    also = [name for name in altered if current[name] != after[name]]
    if also:
        raise Conflict(f"{since}, in the same fields ({', '.join(also)}); undo that first.")
    return {**current, **{name: before[name] for name in altered}}


def _refuse_if_merged_into(connection: Connection, kind: RecordType, record_id: str) -> None:
    """Refuse to take back a record that others were merged into: they would lead to nothing."""
    rows = table(kind.model)
    if "id" not in rows.c or kind.discussion:
        return
    merged = select(rows.c.id).where(rows.c.state == "merged", rows.c.replaced_by == record_id)
    first = connection.scalar(merged.order_by(rows.c.id).limit(1))
    if first is not None:
        last = latest_revision(connection, f"{kind.name}/{first}")
        number = last["serial"] if last else None
        raise Conflict(
            f"The {kind.name} '{first}' was merged into '{record_id}', by revision {number};"
            " undo that first."
        )


def _require_undoable(change: Change, caller: Key, steps: list[Row]) -> None:
    if any(step["actor"].casefold() in RESERVED_NAMES for step in steps):
        require_role(caller, "admin", "undo what a program loaded")
    # The decider's own proposals that rested on a record are withdrawn with it.
    decided = any(step["action"] in ("retract", "merge", "undo") for step in steps)
    for step in steps:
        if step["action"] == "purge":
            raise Conflict(f"{step['record']} was purged; its content is gone.")
        # A merger may move proposals too, but that is not their proposer's doing.
        proposed = step["state"] == "submitted" and step["action"] in ("create", "update")
        if proposed or (step["action"] == "withdraw" and not decided):
            raise Conflict(
                f"{step['record']} was only proposed, or withdrawn, by this change:"
                " that is its proposer's affair."
            )
    records = [split_name(step["record"]) for step in steps]
    require_second_person(change, caller, records, "undo what was done to")
