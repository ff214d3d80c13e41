"""Whose proposal a record is, by one rule: for who sees it, who changes it, and who may not decide on it."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, or_, select, true

from models.access.api_keys import Forbidden, Key, same_person, spellings_of
from models.core.types import MAX_INTEGER
from models.database.prepared_statements import fetch
from models.records.record_types import RecordType
from models.records.revision import PUBLIC_STATES, Revision
from models.records.serializers import table

revision = table(Revision)


def _last_proposal(record: Any) -> Select[Any]:
    made = revision.alias("made")
    proposed = (made.c.record == record, made.c.action == "create", made.c.state == "submitted")
    return select(made.c.actor).where(*proposed).order_by(made.c.serial.desc()).limit(1)


proposed_by = _last_proposal(revision.c.record).correlate(revision).scalar_subquery()
"""Who proposed the record of a revision, for lists of what is not accepted."""


def proposers(
    connection: Connection, kind: RecordType, record_id: str, before: int | None = None
) -> list[str]:
    """Return who last proposed a record, and of a copy that a merger made, who proposed what was merged into it.

    Nobody where it came another way, such as from a seed file. `before` limits it to the changes before that one.
    """

    def build() -> Select[Any]:
        steps = select(*(revision.c[name] for name in ("action", "state", "actor", "change")))
        steps = steps.where(revision.c.record == bindparam("of"), revision.c.action != "derive")
        return steps.where(revision.c.change < bindparam("before")).order_by(revision.c.serial)

    origin, last = None, ("", "")
    asked = {"of": f"{kind.name}/{record_id}", "before": MAX_INTEGER if before is None else before}
    for action, state, actor, made in fetch(connection, "proposals", build, asked)[1]:
        copied = action == "merge" and state == "accepted" != last[1]
        last = (action, state)
        if copied or last == ("create", "submitted"):
            origin = (action, actor, made)
        elif action == "purge":
            origin = None
    # The place of a copy is free again once the merger was undone.
    if origin is None or last == ("undo", "withdrawn"):
        return []
    how, who, when = origin
    if how == "create":
        return [who]
    merged = select(revision.c.record, revision.c.body).where(
        revision.c.change == when, revision.c.kind == kind.name, revision.c.state == "merged"
    )
    # What was purged since has no body any more.
    found = [
        record
        for record, body in connection.execute(merged)
        if body.get("replaced_by") == record_id
    ]
    names = (proposers(connection, kind, each.partition("/")[2], when) for each in found)
    return list(dict.fromkeys(name for each in names for name in each))


def is_own_proposal(
    connection: Connection, caller: Key | None, kind: RecordType, record_id: str
) -> bool:
    """Say whether a record is somebody's own proposal."""
    return caller is not None and any(
        same_person(name, caller.name) for name in proposers(connection, kind, record_id)
    )


def refuse_own_proposals(
    connection: Connection, caller: Key, records: Iterable[tuple[RecordType, str]], action: str
) -> None:
    """Refuse what nobody may do with what they proposed themselves: a second person looks at everything."""
    for kind, record_id in records:
        if is_own_proposal(connection, caller, kind, record_id):
            raise Forbidden(
                f"Nobody may {action} what they proposed ({kind.name}/{record_id}); ask another curator."
            )


def may_see(
    connection: Connection, caller: Key | None, kind: RecordType, record_id: str, state: str
) -> bool:
    """Say whether somebody may see a record in this state: what is public, one's own proposals, and curators all."""
    if state in PUBLIC_STATES:
        return True
    return caller is not None and (
        caller.may("curator") or is_own_proposal(connection, caller, kind, record_id)
    )


def visibility_condition(connection: Connection, caller: Key | None) -> ColumnElement[bool]:
    """Return the condition that somebody may see a revision whole; the same rule as `may_see`, for lists."""
    if caller is None:
        return revision.c.state.in_(PUBLIC_STATES)
    if caller.may("curator"):
        return true()
    return or_(
        revision.c.state.in_(PUBLIC_STATES), proposed_by.in_(spellings_of(connection, caller.name))
    )
