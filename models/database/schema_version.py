"""Which migration a database is at, and which one this program needs."""

from sqlalchemy import Connection, inspect, text

# Known here so that a start needs not load Alembic; a test holds it against the tree.
HEAD = "0011"


def current(connection: Connection) -> str | None:
    """Return the revision that the database is at, or None where it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
