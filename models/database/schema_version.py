"""The migration that a database is at, and the ones that this program works with."""

from sqlalchemy import Connection, inspect, text

# Repeated from the tree, so that a start need not load Alembic; a test compares the two.
HEAD = "0023"
# Where the tree begins. The revisions before it were in no release, and are squashed into it.
OLDEST = "0011"
# The program of this commit still has them.
LAST_BEFORE_OLDEST = "a2c818d"


def current(connection: Connection) -> str | None:
    """Return the revision that the database is at, or None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
