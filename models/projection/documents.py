"""Stored documents as they are served, today or as of a day."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection

from models.projection import claim_loader
from models.status import claim_aggregate

# How a part begins in a document.
PART_PREFIXES = {part: f'"{part}":'.encode() for part in claim_aggregate.PARTS}


def claim_json(row: Mapping[str, Any], parts: Iterable[str] = ()) -> bytes:
    """Return the JSON of a claim with these parts.

    The row has `fields`, `derived`, `stamps` and the parts.
    """
    members = [row["fields"][1:-1], row["derived"][1:-1], row["stamps"][1:-1]]
    members += [PART_PREFIXES[part] + row[part] for part in parts]
    return b"{" + b",".join(members) + b"}"


def parts_as_of(
    connection: Connection, rows: Sequence[Mapping[str, Any]], parts: Sequence[str], day: str
) -> list[dict[str, Any]]:
    """Return these rows of documents, with these parts as published by a day.

    Args: the rows have `fields`, `stamps`, `settled` and all parts.
    """
    return [{**row, **_parts_then(connection, row, parts, day)} for row in rows]


def _parts_then(
    connection: Connection, row: Mapping[str, Any], parts: Sequence[str], day: str
) -> dict[str, bytes]:
    # Whether a relation exists depends on the first day of its target, which is another claim.
    related = "relations" in parts and row["relations"] != b"[]"
    if row["settled"] <= day and not related:
        return {}
    stored = {part: from_json(row[part]) for part in claim_aggregate.PARTS}
    targets = claim_loader.first_days(connection, {tie["target"] for tie in stored["relations"]})
    claim = {**from_json(row["fields"]), **from_json(row["stamps"])}
    then = claim_aggregate.parts(
        claim_aggregate.as_of(claim_aggregate.from_stored_parts(claim, stored, targets), day)
    )
    return {part: to_json(then[part]) for part in parts}
