"""Records by their ids: which of them are there."""

from collections.abc import Iterable

from sqlalchemy import Connection

from models.core.types import is_slug
from models.records.record_types import RECORD_TYPES, current_id, read_states


def look_up_ids(
    connection: Connection, kind: str, given: Iterable[str]
) -> tuple[dict[str, str], list[str]]:
    """Return the id of the accepted record with each of these ids, and the ids with none.

    A record that was merged is the one that it was merged into. What hangs on a claim is there if
    the claim is.
    """
    ids = list(dict.fromkeys(given))
    is_part = RECORD_TYPES[kind].part
    possible = [each for each in ids if _is_id(each, 2 if is_part else 1)]
    states = read_states(connection, [(kind, each) for each in possible])
    moved = {
        each: current_id(connection, RECORD_TYPES[kind], each)
        for (_, each), state in states.items()
        if state == "merged"
    }
    states |= read_states(connection, [(kind, each) for each in moved.values()])
    current = {each: moved.get(each, each) for each in possible}
    found = {each: its for each, its in current.items() if states.get((kind, its)) == "accepted"}
    if is_part:
        of_claims = read_states(connection, {("claim", _claim_of(its)) for its in found.values()})
        found = {
            each: its
            for each, its in found.items()
            if of_claims.get(("claim", _claim_of(its))) == "accepted"
        }
    return found, [each for each in ids if each not in found]


def _is_id(text: str, pieces: int) -> bool:
    parts = text.split(":")
    return len(parts) == pieces and all(map(is_slug, parts))


def _claim_of(record: str) -> str:
    return record.partition(":")[0]
