"""Compares the stored read model with what the tables say."""

from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, select

from models.core.progress import Report, no_report
from models.projection import claim_loader
from models.projection.derive import derive
from models.projection.documents import claim_json
from models.projection.store import in_batches
from models.projection.tables import DERIVED
from models.records import serializers
from models.records.claim import Claim
from models.search import index, vectors
from models.status import claim_aggregate


def differences(connection: Connection, report: Report = no_report) -> Iterator[str]:
    """Yield one line for each claim whose stored read model does not agree with the tables.

    `report` is told of the claims.
    """
    rows = serializers.table(Claim)
    claims = set(connection.scalars(select(rows.c.id).where(rows.c.state == "accepted")))
    for model in DERIVED:
        table = serializers.table(model)
        stray = set(connection.scalars(select(table.c.claim).distinct())) - claims
        yield from (
            f"{table.name} has rows of {claim}, which is not an accepted claim"
            for claim in sorted(stray)
        )
    yield from index.stray_rows(connection, "claim", claims)
    yield from index.differences(connection)
    yield from vectors.differences(connection)
    for batch in in_batches(sorted(claims)):
        derived = derive(connection, batch)
        for model in DERIVED:
            table = serializers.table(model)
            stored = claim_loader.group_by_claim(claim_loader.claim_rows(connection, model, batch))
            wanted = claim_loader.group_by_claim(derived[table.name])
            for claim in batch:
                if _comparable(stored[claim]) != _comparable(wanted[claim]):
                    yield (
                        f"{table.name} of {claim} does not agree with the tables;"
                        " run claimbase rebuild"
                    )
        for row in derived["claim_document"]:
            if has_duplicate_members(claim_json(row, claim_aggregate.PARTS)):
                yield (
                    f"the document of {row['claim']} has a member twice;"
                    " the program derives it wrongly"
                )
        yield from index.claim_differences(connection, batch, derived)
        report(len(batch), len(claims))


def _comparable(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


def has_duplicate_members(document: bytes) -> bool:
    """Return whether an object in this JSON has the same member twice; readers keep the last."""
    return to_json(from_json(document)) != document
