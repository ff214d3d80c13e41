"""Derives the whole read model anew."""

from typing import Any

from pydantic_core import to_json
from sqlalchemy import (
    Connection,
    delete,
    insert,
    select,
    update,
)

from models.core.types import now
from models.projection import claim_loader
from models.projection.store import _batches, refresh
from models.projection.tables import DERIVED, ClaimDocument
from models.records import serializers
from models.records.claim import Claim, ClaimIn
from models.records.revision import Revision, Serial, lock_serial
from models.search import index
from models.status import claim_aggregate

# By what the read model was derived: raised by hand where the same evidence comes to something else, or is stored otherwise.
DERIVATION = "2026-11-26"


def rebuild(connection: Connection) -> int:
    """Derive the whole read model anew; return how many claims it holds. No other writer runs meanwhile.

    Where the rules have changed since, a claim whose document comes out differently gets a revision that says so, and
    with it a new tag.
    """
    refined = not is_current(connection)
    serial = first = lock_serial(connection)
    at = now()
    claim, revision, document = (
        serializers.table(Claim),
        serializers.table(Revision),
        serializers.table(ClaimDocument),
    )
    accepted = select(claim.c.id).where(claim.c.state == "accepted")
    claims = connection.scalars(accepted.order_by(claim.c.id)).all()
    index.clear(connection)
    for batch in _batches(claims):
        old = {
            row.claim: row.core
            for row in connection.execute(
                select(document.c.claim, document.c.core).where(document.c.claim.in_(batch))
            )
        }
        for found in claim_loader.load(connection, batch) if refined else ():
            slug, core = found.claim["id"], to_json(claim_aggregate.core(found))
            if old.get(slug, core) != core:
                serial += 1
                body = {name: found.claim[name] for name in ClaimIn.model_fields}
                told = {
                    "actor": "rebuild",
                    "at": at,
                    "comment": f"Derived anew, by the rules {DERIVATION}.",
                }
                made = {
                    "record": f"claim/{slug}",
                    "serial": serial,
                    "kind": "claim",
                    "claim": slug,
                    "action": "derive",
                    "state": "accepted",
                    "change": first + 1,
                }
                connection.execute(insert(revision), {**made, **told, "body": body})
                connection.execute(
                    update(claim).where(claim.c.id == slug).values(revision=serial, updated=at)
                )
        refresh(connection, batch)
    index.rebuild(connection)
    for model in DERIVED:
        table = serializers.table(model)
        connection.execute(delete(table).where(table.c.claim.not_in(accepted)))
    values: dict[str, Any] = {"derivation": DERIVATION}
    if serial > first:
        values["value"] = serial
    connection.execute(update(serializers.table(Serial)).values(values))
    return len(claims)


def is_current(connection: Connection) -> bool:
    """Say whether the read model was derived by the rules and shapes of this program."""
    return connection.scalar(select(serializers.table(Serial).c.derivation)) == DERIVATION
