"""Previews what accepting a proposal would change."""

import dataclasses

from sqlalchemy import Connection

from models.access.api_keys import Key
from models.projection import claim_loader
from models.records.record_types import RECORD_TYPES
from models.status.explanation import Explanation, explain
from models.write.review import find_visible


def preview(connection: Connection, caller: Key, record_id: str) -> tuple[Explanation, Explanation]:
    """Return the explanation of a status as it is, and as it would be with a line accepted.

    For a line on a relation it is the status of the relation.
    """
    line = find_visible(connection, caller, RECORD_TYPES["evidence"], record_id)
    claim = find_visible(connection, caller, RECORD_TYPES["claim"], line["claim"])
    now = claim_loader.load(connection, [claim["id"]])[0]
    tie = (line["relation_type"], line["relation_target"])
    on_tie = [row for row in now.evidence if (row["relation_type"], row["relation_target"]) == tie]
    # The rules see only lines on the claim itself, so lines on a relation are passed as such.
    judged = [{**row, "relation_type": None, "relation_target": None} for row in on_tie]
    accepted = [
        {**row, "state": "accepted"} if row["key"] == line["key"] else row for row in judged
    ]
    kind = "mechanism" if line["relation_type"] else now.claim["kind"]
    before, after = (
        dataclasses.replace(now, claim={**now.claim, "kind": kind}, evidence=lines)
        for lines in (judged, accepted)
    )
    return explain(before, None), explain(after, None)
