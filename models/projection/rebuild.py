"""Derives the whole read model anew."""

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json
from sqlalchemy import (
    Connection,
    delete,
    insert,
    select,
    update,
)

from models.core.dates import now
from models.core.progress import Report, no_report
from models.projection import claim_loader
from models.projection.documents import claim_json
from models.projection.store import in_batches, refresh
from models.projection.tables import DERIVED, ClaimDocument
from models.records import serializers
from models.records.claim import Claim, ClaimIn
from models.records.revision import Revision, Serial, about, lock_serial
from models.search import index
from models.search.vectors import ClaimVector
from models.status import claim_aggregate

# The version of the rules and shapes of the read model. It is raised by hand if the same evidence
# gives another result, or is stored otherwise.
DERIVATION = "2026-11-29.9"


def rebuild(connection: Connection, report: Report = no_report) -> int:
    """Derive the whole read model again, and return the number of claims. No other writer runs.

    If the rules have changed since, a claim whose document changes gets a revision that says so,
    and with it a new ETag.
    """
    refined = not is_current(connection)
    first, _ = lock_serial(connection)
    serial = first
    at = now()
    claim = serializers.table(Claim)
    accepted = select(claim.c.id).where(claim.c.state == "accepted")
    claims = connection.scalars(accepted.order_by(claim.c.id)).all()
    index.clear(connection)
    for batch in in_batches(claims):
        if refined:
            serial = _revise_what_differs(connection, batch, at, first, serial)
        refresh(connection, batch)
        report(len(batch), len(claims))
    index.rebuild(connection)
    for model in (*DERIVED, ClaimVector):
        table = serializers.table(model)
        connection.execute(delete(table).where(table.c.claim.not_in(accepted)))
    values: dict[str, Any] = {"derivation": DERIVATION}
    if serial > first:
        values |= {"value": serial, "at": at}
    connection.execute(update(serializers.table(Serial)).values(values))
    return len(claims)


def is_current(connection: Connection) -> bool:
    """Say whether the read model was derived by the rules and shapes of this program."""
    return connection.scalar(select(serializers.table(Serial).c.derivation)) == DERIVATION


def _revise_what_differs(
    connection: Connection, claims: Sequence[str], at: str, first: int, serial: int
) -> int:
    """Add a revision for each of these claims whose document changes; return the last serial."""
    claim, document = serializers.table(Claim), serializers.table(ClaimDocument)
    columns = [document.c[name] for name in ("claim", "fields", "derived", "stamps")]
    stored = connection.execute(select(*columns).where(document.c.claim.in_(claims))).mappings()
    before = {row["claim"]: claim_json(dict(row)) for row in stored}
    for found in claim_loader.load(connection, claims):
        slug, core = found.claim["id"], to_json(claim_aggregate.core(found))
        if before.get(slug, core) == core:
            continue
        serial += 1
        body = {name: found.claim[name] for name in ClaimIn.model_fields}
        revision = {
            "record": f"claim/{slug}",
            "serial": serial,
            "root": slug,
            "kind": "claim",
            "claim": slug,
            "action": "derive",
            "actor": "rebuild",
            "at": at,
            "comment": f"Derived anew, by the rules {DERIVATION}.",
            "state": "accepted",
            "review": None,
            "change": first + 1,
            "about": about("claim", body),
            "body": body,
        }
        connection.execute(insert(serializers.table(Revision)), revision)
        stamp = {"revision": serial, "updated": at}
        connection.execute(update(claim).where(claim.c.id == slug).values(stamp))
    return serial
