"""Takes the content of a record out of the tables and out of every revision."""

from sqlalchemy import Connection, select, update

from models.access.api_keys import Key
from models.core import vocabularies as v
from models.core.errors import Conflict
from models.records.record_types import RecordType, read_record
from models.records.retired import STANDING
from models.records.revision import Revision
from models.records.serializers import Row, table
from models.write import changes, suggestions
from models.write.changes import Change
from models.write.review import find_visible, require_comment, require_role


def purge(change: Change, caller: Key, kind: RecordType, record_id: str) -> None:
    """Delete the content of a record from everything that is stored; an admin's last resort.

    The record must have been taken back before, and nothing may refer to it any more. What was
    said of it goes with it, since that quotes it.
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
    # The record comes last: the change is known by its revision.
    for said, said_id in suggestions.ever_about(change.connection, f"{kind.name}/{record_id}"):
        _purge_what_was_said(change, said, said_id)
    _erase(change, kind, record_id, old)


def _purge_what_was_said(change: Change, kind: RecordType, record_id: str) -> None:
    body = read_record(change.connection, kind, record_id)
    if body is None:
        # It was purged by itself before.
        return
    if body["state"] == "accepted":
        body = {**body, "state": "retracted"}
        changes.put(change, kind, body, "retract")
    _erase(change, kind, record_id, body)


def _erase(change: Change, kind: RecordType, record_id: str, body: Row) -> None:
    """Delete a record's content; of a suggestion also its reason from what it changed."""
    changes.purge(change, kind, record_id, body)
    if kind.name != "suggestion":
        return
    revision = table(Revision)
    quotes = revision.c.comment.endswith(f": suggestion/{record_id})", autoescape=True)
    change.connection.execute(
        update(revision).where(quotes).values(comment="What was said of it was purged.")
    )


def _merged_into(
    connection: Connection, kind: RecordType, record_id: str
) -> list[tuple[RecordType, str]]:
    """Return the records that were merged into a record: they hold the same content."""
    rows = table(kind.model)
    key = [rows.c[name] for name in kind.columns]
    merged = select(*key).where(rows.c.replaced_by == record_id, rows.c.state == "merged")
    return [(kind, kind.id_of(row)) for row in connection.execute(merged).mappings()]
