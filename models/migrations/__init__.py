"""The database's shape over time: one Alembic tree for both databases."""

from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, ProgrammingError

from models.core.errors import ClaimbaseError
from models.database.connections import Database
from models.database.schema_version import HEAD, current
from models.projection import rebuild


class BadMigration(ClaimbaseError):
    """The database cannot be brought there."""

    code = "bad_migration"


def migrate(database: Database, target: str = "head") -> None:
    """Bring the database up to a revision (or down, where the target is older, `base` being the empty database).

    At the newest one the read model is derived anew, in the same transaction: half of it is never left behind.
    """
    from alembic import command
    from alembic.util import CommandError

    try:
        with database.reshape() as connection:
            config = alembic_config(connection)
            step = command.downgrade if _is_down(current(connection), target) else command.upgrade
            step(config, target)
            if current(connection) == HEAD:
                rebuild.rebuild(connection)
    except CommandError as error:
        raise BadMigration(f"The database cannot be migrated to '{target}': {error}.") from None
    except (ProgrammingError, IntegrityError):
        # Two first starts at once: the other one has made the tables.
        with database.read() as connection:
            if current(connection) != HEAD:
                raise


def alembic_config(connection: Connection):  # type: ignore[no-untyped-def]
    """Return Alembic's configuration for this tree, bound to an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def _is_down(at: str | None, target: str) -> bool:
    return at is not None and target != "head" and (target == "base" or target < at)
