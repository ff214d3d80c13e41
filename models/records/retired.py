"""References between records, and errors for retired, merged and missing records."""

from collections.abc import Sequence

from sqlalchemy import Connection

from models.core.errors import ClaimbaseError, Fault, Gone, NotFound
from models.records.near_matches import nearest
from models.records.record_types import RecordType, read_record
from models.records.revision import latest_revision
from models.records.serializers import Row, table


class Moved(ClaimbaseError):
    """It was merged: `old` is at `new` now."""

    code = "moved"

    def __init__(self, kind: RecordType, old: str, new: str) -> None:
        super().__init__(f"The {kind.name} '{old}' was merged into '{new}'.")
        self.kind, self.new = kind, new


def missing_error(connection: Connection, kind: RecordType, record_id: str) -> NotFound:
    """Return the error that says so and offers what comes near, of what everybody may see."""
    rows = table(kind.model)
    close = [] if kind.part else nearest(connection, rows.c.id, record_id, state="accepted")
    return not_found(kind, record_id, close)


def not_found(kind: RecordType, record_id: str, close: Sequence[str]) -> NotFound:
    """Return the error that there is no such record, with those that come near."""
    offered = (
        [
            Fault(
                at=kind.name,
                code="not_found",
                detail=f"Nearest: {', '.join(close)}",
                suggestion=close[0],
            )
        ]
        if close
        else []
    )
    return NotFound(f"There is no {kind.name} '{record_id}'.", offered)


def require_not_retired(connection: Connection, kind: RecordType, record_id: str) -> None:
    """Raise `Gone` or `Moved` where a record was accepted once and is no more."""
    body = (
        read_record(connection, kind, record_id)
        if record_id.count(":") + 1 == len(kind.columns)
        else None
    )
    if body is not None and body["state"] in ("retracted", "merged"):
        require_body_not_retired(
            kind, record_id, body, last_revision(connection, kind, record_id)["comment"]
        )


def require_body_not_retired(
    kind: RecordType, record_id: str, body: Row, comment: str | None
) -> None:
    """Raise `Gone`, with the reason, or `Moved` if this record is retracted or merged."""
    if body["state"] == "merged":
        raise Moved(kind, record_id, body["replaced_by"])
    if body["state"] == "retracted":
        instead = body["replaced_by"]
        place = f" (in its place: {instead})" if instead else ""
        stands = [
            Fault(
                at="replaced_by",
                code="replaced",
                detail="This stands in its place.",
                suggestion=instead,
            )
        ]
        reason = comment or "no reason is recorded"
        raise Gone(
            f"The {kind.name} '{record_id}' was retracted: {reason}{place}",
            stands if instead else [],
        )


def last_revision(connection: Connection, kind: RecordType, record_id: str) -> Row:
    """Return the last revision of a stored record."""
    found = latest_revision(connection, f"{kind.name}/{record_id}")
    assert found is not None, "what is stored has a revision"
    return found


# A record that is in none of these was taken back, and nothing may refer to it any more.
STANDING = ("submitted", "accepted")


def may_refer(state: str, to: str) -> bool:
    """Return whether a record in a state may refer to one in another state.

    Accepted records refer only to accepted ones.
    """
    return state not in STANDING or to == "accepted" or (state == "submitted" and to in STANDING)
