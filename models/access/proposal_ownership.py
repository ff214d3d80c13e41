"""Who proposed a record. By this one rule the proposer may see and change the record before it is
accepted, and may not decide on it.
"""

from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, or_, select, true

from models.access.api_keys import Key, same_person, spellings_of
from models.core.types import MAX_INTEGER
from models.database.prepared_statements import fetch
from models.records.record_types import RecordType, read_record
from models.records.revision import PUBLIC_STATES, Revision, is_of_same, root_in_name
from models.records.serializers import table

revision = table(Revision)


def _last_proposal() -> Select[Any]:
    proposal = revision.alias("made")
    return (
        select(proposal.c.actor)
        .where(is_of_same(proposal, revision))
        .where(proposal.c.action == "create", proposal.c.state == "submitted")
        .order_by(proposal.c.serial.desc())
        .limit(1)
    )


proposed_by = _last_proposal().correlate(revision).scalar_subquery()
"""The last proposer of the record of a revision, for lists of pending proposals."""


def proposed_records(connection: Connection, caller: Key) -> Select[Any]:
    """Return a selection of the records that were ever proposed: by the caller, or by anybody where
    the caller is a curator.
    """
    proposal = revision.alias("proposal")
    found = select(proposal.c.record).where(
        proposal.c.state == "submitted", proposal.c.action == "create"
    )
    if caller.may("curator"):
        return found
    return found.where(proposal.c.actor.in_(spellings_of(connection, caller.name)))


def proposers(
    connection: Connection, kind: RecordType, record_id: str, before: int | None = None
) -> list[str]:
    """Return who last proposed a record.

    If a merger made the record as a copy, these are the proposers of the records that were merged
    into it. If the record came in another way, such as from a seed file, there are none. `before`
    limits the search to the changes before that one.
    """
    origin = _origin(connection, kind, record_id, MAX_INTEGER if before is None else before)
    if origin is None:
        return []
    if origin.action == "create":
        return [origin.actor]
    names: list[str] = []
    for merged_id in _merged_by(connection, kind, record_id, origin.change):
        names += proposers(connection, kind, merged_id, origin.change)
    return list(dict.fromkeys(names))


def proposer(connection: Connection, kind: RecordType, record_id: str) -> str | None:
    """Return who last proposed a record, the first of them where it is a copy of several; None
    where nobody did.
    """
    return next(iter(proposers(connection, kind, record_id)), None)


class _Origin(NamedTuple):
    """How a record last came to be: by a proposal (`create`) or by a merger (`merge`)."""

    action: str
    actor: str
    change: int


def _origin(
    connection: Connection, kind: RecordType, record_id: str, before: int
) -> _Origin | None:
    root = root_in_name(f"{kind.name}/{record_id}")
    by_root = {} if root is None else {"below": root}

    def build() -> Select[Any]:
        columns = (revision.c[name] for name in ("action", "state", "actor", "change"))
        return (
            select(*columns)
            .where(revision.c.record == bindparam("of"), revision.c.action != "derive")
            .where(revision.c.change < bindparam("before"))
            .where(*(revision.c.root == bindparam(name) for name in by_root))
            .order_by(revision.c.serial)
        )

    origin = None
    last_action, last_state = "", ""
    values = {"of": f"{kind.name}/{record_id}", "before": before, **by_root}
    key = ("proposals", *by_root)
    for action, state, actor, change in fetch(connection, key, build, values)[1]:
        copied = action == "merge" and state == "accepted" != last_state
        proposed = action == "create" and state == "submitted"
        last_action, last_state = action, state
        if copied or proposed:
            origin = _Origin(action, actor, change)
        elif action == "purge":
            origin = None
    if (last_action, last_state) == ("undo", "withdrawn"):
        # The merger that made the copy was undone, so its id is free again.
        return None
    return origin


def _merged_by(connection: Connection, kind: RecordType, record_id: str, change: int) -> list[str]:
    """Return the ids of the records that a change merged into a record."""
    merged = select(revision.c.record, revision.c.body).where(
        revision.c.change == change, revision.c.kind == kind.name, revision.c.state == "merged"
    )
    # The body of a purged record is empty.
    return [
        record.partition("/")[2]
        for record, body in connection.execute(merged)
        if body.get("replaced_by") == record_id
    ]


def is_own_proposal(
    connection: Connection, caller: Key | None, kind: RecordType, record_id: str
) -> bool:
    """Return whether a record is the caller's own proposal."""
    return caller is not None and people_behind(connection, caller, kind, record_id) == "one_person"


def people_behind(
    connection: Connection, caller: Key, kind: RecordType, record_id: str
) -> str | None:
    """Return whether the caller is another person than a record's proposer (`two_people`) or the
    same (`one_person`); None where nobody proposed it.
    """
    names = proposers(connection, kind, record_id)
    if not names:
        return None
    return "one_person" if any(same_person(name, caller.name) for name in names) else "two_people"


def may_see(
    connection: Connection, caller: Key | None, kind: RecordType, record_id: str, state: str
) -> bool:
    """Return whether the caller may see a record in this state.

    Everybody may see public states, proposers their own proposals, and curators everything. What is
    said of a record its proposer may see, too, and everybody while it waits, if it is public.
    """
    if state in PUBLIC_STATES or (caller is not None and caller.may("curator")):
        return True
    if kind.discussion and _is_let_see(connection, caller, kind, record_id):
        return True
    return is_own_proposal(connection, caller, kind, record_id)


def _is_let_see(
    connection: Connection, caller: Key | None, kind: RecordType, record_id: str
) -> bool:
    """Return whether what is said of a record waits in public, or is for the caller to read."""
    body = read_record(connection, kind, record_id)
    if body is None:
        return False
    if body["public"] and body["state"] == "submitted":
        return True
    addressee = body["addressee"]
    return caller is not None and addressee is not None and same_person(addressee, caller.name)


def sees_what_is_said(
    connection: Connection, caller: Key | None, kind: RecordType
) -> ColumnElement[bool]:
    """Return the condition that the caller may see the last revision of a suggestion or a comment:
    the rule of `may_see`, for lists.
    """
    rows = table(kind.model)
    is_open = and_(rows.c.public, rows.c.state == "submitted")
    public = revision.c.state.in_(PUBLIC_STATES)
    if caller is None:
        return or_(public, revision.c.serial.in_(select(rows.c.revision).where(is_open)))
    if caller.may("curator"):
        return true()
    names = spellings_of(connection, caller.name)
    shown = select(rows.c.revision).where(or_(is_open, rows.c.addressee.in_(names)))
    own = _proposed_by_caller(connection, caller)
    return or_(public, revision.c.serial.in_(shown), own)


def visibility_condition(connection: Connection, caller: Key | None) -> ColumnElement[bool]:
    """Return the condition that the caller may see a revision: the rule of `may_see`, for lists."""
    public = revision.c.state.in_(PUBLIC_STATES)
    if caller is None:
        return public
    if caller.may("curator"):
        return true()
    return or_(public, _proposed_by_caller(connection, caller))


def _proposed_by_caller(connection: Connection, caller: Key) -> ColumnElement[bool]:
    """Return the condition that the caller was the last to propose the record of a revision.

    Who that was is looked up only of what the caller ever proposed, not of all that is hidden.
    """
    ever = revision.c.record.in_(proposed_records(connection, caller))
    return and_(ever, proposed_by.in_(spellings_of(connection, caller.name)))
