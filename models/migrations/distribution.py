"""Where each table goes on a database that Citus spreads over several servers.

All that belongs to a claim goes by the claim, to one shard; the rest is whole on every node. See
docs/scaling.md.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, text

from models.core.errors import ClaimbaseError
from models.database.sharding import distributed_tables, has_extension

REFERENCE = "reference"
FIRST = "claim"
# Each table with the column by which it is distributed, or `REFERENCE`; in this order, since a
# table comes after those that its foreign keys point to.
PLACES: Mapping[str, str] = {
    "alembic_version": REFERENCE,
    "collection": REFERENCE,
    "topic": REFERENCE,
    "source": REFERENCE,
    "source_author": REFERENCE,
    "source_identifier": REFERENCE,
    "source_version": REFERENCE,
    "source_citation": REFERENCE,
    "source_text": REFERENCE,
    "source_search": REFERENCE,
    "source_word": REFERENCE,
    # What is said is found by its own id, and lists of it are short beside those of claims.
    "suggestion": REFERENCE,
    "comment": REFERENCE,
    "serial": REFERENCE,
    "idempotency": REFERENCE,
    "api_key": REFERENCE,
    "webhook": REFERENCE,
    FIRST: "id",
    "claim_topic": "claim",
    "occurrence": "claim",
    "relation": "claim",
    "evidence": "claim",
    "pooled_source": "claim",
    "assessment": "claim",
    "claim_document": "claim",
    "claim_term": "claim",
    "status_period": "claim",
    "evidence_document": "claim",
    "evidence_term": "claim",
    "claim_search": "claim",
    "evidence_search": "claim",
    "claim_word": "claim",
    "claim_vector": "claim",
    # By the slug of a claim, a source or a topic.
    "beginning": "record",
    "revision": "root",
}


class NoCitus(ClaimbaseError):
    """The database cannot be distributed, since it has no Citus."""

    code = "no_citus"


def require_citus(connection: Connection) -> None:
    """Raise NoCitus unless the database has the extension."""
    if not has_extension(connection):
        raise NoCitus(
            "This database cannot be distributed: it has no Citus (a PostgreSQL extension; as its"
            " administrator, run CREATE EXTENSION citus, and add the workers)."
        )


def distribute(connection: Connection) -> list[str]:
    """Distribute the tables that are not yet, in the open transaction; return their names.

    Tables may have rows. Raises NoCitus.
    """
    require_citus(connection)
    there = distributed_tables(connection)
    missing = [name for name in PLACES if name not in there]
    # A table that is whole on every node would otherwise become a table of Citus together with all
    # that refer to it, which then could not be distributed any more.
    connection.execute(text("SET LOCAL citus.enable_local_reference_table_foreign_keys TO off"))
    for name in missing:
        connection.execute(text(_statement(name)))
    return missing


def _statement(name: str) -> str:
    column = PLACES[name]
    if column == REFERENCE:
        return f"SELECT create_reference_table('{name}')"
    beside = "" if name == FIRST else f", colocate_with => '{FIRST}'"
    return f"SELECT create_distributed_table('{name}', '{column}'{beside})"
