"""What must hold if a claim holds: the targets of its relations `predicts`, and which of them fell.

A prediction fell if its target is refuted or disputed, unless it is refuted that the claim predicts
it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, and_, select

from models.projection.tables import ClaimDocument, StatusPeriod
from models.read import as_recorded
from models.read import filters as f
from models.records.serializers import Row, table
from models.status import claim_aggregate

FALLEN = ("refuted", "disputed")
OF_TARGET = ("statement", "status", "certainty")


def predictions(
    connection: Connection,
    relations: Iterable[Mapping[str, Any]],
    day: str | None = None,
    moment: str | None = None,
) -> list[Row]:
    """Return the predictions among relations, which have their own status, in their order.

    Each has the status of its target as published by a day and as recorded by a moment, if they are
    not None; one whose target was not stated by then is left out.
    """
    tied = [relation for relation in relations if relation["type"] == "predicts"]
    targets = {relation["target"] for relation in tied}
    if not targets:
        return []
    if moment is None:
        standing = _standing(connection, targets, day)
    else:
        standing = _standing_as_recorded(connection, targets, day, moment)
    return [
        {
            **{name: relation[name] for name in ("claim", "target", "note")},
            **{name: standing[relation["target"]][name] for name in OF_TARGET},
            "fell": standing[relation["target"]]["status"] in FALLEN
            and relation["status"] != "refuted",
        }
        for relation in tied
        if relation["target"] in standing
    ]


def _standing(connection: Connection, claims: Collection[str], day: str | None) -> dict[str, Row]:
    document, period = table(ClaimDocument), table(StatusPeriod)
    holds = [period.c.ends.is_(None)] if day is None else f.holds_on(day)
    joined = document.join(period, and_(period.c.claim == document.c.claim, *holds))
    columns = (document.c.claim, document.c.statement, period.c.status, period.c.certainty)
    statement = select(*columns).select_from(joined).where(document.c.claim.in_(sorted(claims)))
    return {row["claim"]: dict(row) for row in connection.execute(statement).mappings()}


def _standing_as_recorded(
    connection: Connection, claims: Collection[str], day: str | None, moment: str
) -> dict[str, Row]:
    found = {}
    for claim in as_recorded.claims_as_recorded(connection, claims, moment):
        if day is None or claim.exists_from <= day:
            then = claim_aggregate.as_of(claim, day) if day else claim
            found[claim.claim["id"]] = claim_aggregate.core(then).model_dump()
    return found
