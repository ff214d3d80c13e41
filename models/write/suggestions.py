"""What is said of records: suggestions of changes to what is accepted, and comments."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import Field

from models.access.proposal_ownership import proposer
from models.core.errors import Conflict, Fault, InvalidRecord, join_path
from models.core.types import Strict
from models.records.record_types import (
    DISCUSSION_TYPES,
    RECORD_TYPES,
    RecordType,
    current_id,
    split_name,
)
from models.records.revision import Revision, latest_revision
from models.records.serializers import Row, table
from models.write import changes
from models.write.changes import Change

SUGGESTION = RECORD_TYPES["suggestion"]
# What the server knows better than who suggests.
SET_BY_SERVER = ("addressee", "public", "before", "based_on", "taken")


class FieldChange(Strict):
    """A field of a record that a suggestion changes."""

    field: str
    now: Any = Field(description="The present value; null where the record is not there any more.")
    suggested: Any
    outdated: bool = Field(description="Whether somebody changed it since it was suggested.")


def new_id(kind: RecordType) -> str:
    """Return an id for a suggestion or a comment that has none, such as `suggestion-5f0c21b3`."""
    return f"{kind.name}-{secrets.token_hex(4)}"


def addressee_of(connection: Connection, about: str) -> str | None:
    """Return who proposed a record, if somebody did."""
    kind, record_id = split_name(about)
    return proposer(connection, kind, record_id)


def field_changes(suggestion: Row, current: Row | None) -> list[FieldChange]:
    """Return what a suggestion changes of its record as it is now. A field that one of them lacks,
    since it was written by another version of the program, is as if it were null.
    """
    return [
        FieldChange(
            field=name,
            now=None if current is None else current.get(name),
            suggested=value,
            outdated=current is None
            or current.get(name) not in (suggestion["before"].get(name), value),
        )
        for name, value in suggestion["patch"].items()
    ]


def is_outdated(connection: Connection, suggestion: Row, current: Row | None) -> bool:
    """Return whether somebody changed since what a suggestion changes of its record, which is
    `current` now, or that is not there any more.

    A record that is to be retracted is another one after any change of it.
    """
    if suggestion["state"] != "submitted":
        return False
    if current is None or current["state"] != "accepted":
        return True
    if suggestion["action"] == "retract":
        return bool(last_own_change(connection, suggestion["about"]) != suggestion["based_on"])
    return any(each.outdated for each in field_changes(suggestion, current))


def last_own_change(connection: Connection, name: str) -> int | None:
    """Return the serial of the last change of a record itself, not of what it rests on."""
    revision = table(Revision)
    last = latest_revision(connection, name, revision.c.action != "derive")
    return None if last is None else int(last["serial"])


def accepted_target(change: Change, suggestion: Row) -> tuple[RecordType, Row]:
    """Return the type and the body of the record that a suggestion is about.

    Raises `Conflict` where it is not accepted any more; the fault says where it went.
    """
    kind, record_id = split_name(suggestion["about"])
    body = changes.cached_record(change, kind, record_id)
    if body is not None and body["state"] == "accepted":
        return kind, body
    stands = "not there" if body is None else body["state"]
    detail = f"The {kind.name} '{record_id}' is {stands}: nothing can be changed in it."
    instead = None
    if body is not None and body["state"] == "merged":
        instead = current_id(change.connection, kind, record_id)
        detail = f"{detail} It was merged into '{instead}': carry the suggestion over to that."
    raise Conflict(detail, [Fault(at="about", code="outdated", detail=detail, suggestion=instead)])


def chosen_fields(suggestion: Row, fields: Sequence[str] | None) -> list[str]:
    """Return the fields of a suggestion that are to be accepted: all, or the given ones."""
    offered = list(suggestion["patch"])
    if fields is None:
        return offered
    unknown = [name for name in fields if name not in offered]
    if unknown or not fields:
        detail = (
            f"The suggestion does not change '{unknown[0]}'." if unknown else "Name a field."
        ) + f" It changes: {', '.join(offered) or 'no field'}."
        fault = Fault(at="fields", code="unknown_field", detail=detail, allowed=offered)
        raise InvalidRecord(detail, [fault])
    return [name for name in offered if name in fields]


def require_up_to_date(suggestion: Row, current: Row, fields: Sequence[str]) -> None:
    """Refuse to change fields that somebody else changed since it was suggested."""
    faults = [
        Fault(
            at=each.field,
            code="outdated",
            detail=f"'{each.field}' was changed since this was suggested.",
        )
        for each in field_changes(suggestion, current)
        if each.outdated and each.field in fields
    ]
    if faults:
        names = ", ".join(fault.at for fault in faults)
        raise Conflict(
            f"Changed since this was suggested: {names}. Carry the suggestion over, or accept"
            " the other fields.",
            faults,
        )


def require_unchanged(connection: Connection, suggestion: Row) -> None:
    """Refuse to retract a record that somebody changed since that was suggested."""
    last = last_own_change(connection, suggestion["about"])
    if last != suggestion["based_on"]:
        detail = (
            f"{suggestion['about']} was changed since this was suggested, by revision {last}:"
            " carry the suggestion over if it still holds."
        )
        raise Conflict(detail, [Fault(at="about", code="outdated", detail=detail)])


def require_difference(patch: Row) -> None:
    """Refuse a suggestion by which nothing would differ."""
    if not patch:
        detail = "The record has these values already."
        raise InvalidRecord(detail, [Fault(at="patch", code="no_difference", detail=detail)])


@contextmanager
def located_in_patch() -> Iterator[None]:
    """Let the faults of a record point into the patch that would make it so."""
    try:
        yield
    except InvalidRecord as error:
        error.faults = [
            fault.model_copy(update={"at": join_path("patch", fault.at)}) for fault in error.faults
        ]
        raise


def waiting_about(connection: Connection, about: str) -> list[str]:
    """Return the ids of the suggestions about a record that wait for a decision."""
    rows = table(SUGGESTION.model)
    waiting = select(rows.c.id).where(rows.c.about == about, rows.c.state == "submitted")
    return list(connection.scalars(waiting.order_by(rows.c.id)))


def ever_about(connection: Connection, about: str) -> list[tuple[RecordType, str]]:
    """Return the type and id of all that was ever said of a record, whatever it is about now, and
    of what was said of that, and so on.
    """
    revision = table(Revision)
    kinds = [kind.name for kind in DISCUSSION_TYPES]
    names: dict[str, None] = {}
    ahead = [about]
    while ahead:
        said = select(revision.c.record).where(
            revision.c.kind.in_(kinds), revision.c.about == ahead.pop()
        )
        new = [name for name in connection.scalars(said.distinct()) if name not in names]
        names |= dict.fromkeys(new)
        ahead += new
    return [split_name(name) for name in names]
