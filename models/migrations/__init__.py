"""The schema of the database, as one Alembic tree for both databases."""

from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError, ProgrammingError

from models.core.errors import ClaimbaseError
from models.database import schema_version
from models.database.connections import Database
from models.database.schema_version import current
from models.projection import rebuild


class BadMigration(ClaimbaseError):
    """The database cannot be migrated to that revision."""

    code = "bad_migration"


def migrate(database: Database, target: str = "head") -> None:
    """Migrate the database to a revision, up or down; `base` is the empty database.

    At the head the read model is derived anew in the same transaction, so that no reader meets
    half of it. Raises BadMigration if the revision does not exist, or the database is too old.
    """
    from alembic import command
    from alembic.util import CommandError

    try:
        with database.write_schema() as connection:
            at = current(connection)
            if at is not None and at < schema_version.OLDEST:
                raise BadMigration(
                    f"The database is at migration {at}, from before the first release; this"
                    f" program starts at {schema_version.OLDEST}. Run `claimbase migrate` of commit"
                    f" {schema_version.LAST_BEFORE_OLDEST} on it, then use this program again."
                )
            config = alembic_config(connection)
            step = command.downgrade if _is_downward(at, target) else command.upgrade
            step(config, target)
            if current(connection) == schema_version.HEAD:
                rebuild.rebuild(connection)
    except CommandError as error:
        raise BadMigration(f"The database cannot be migrated to '{target}': {error}.") from None
    except (ProgrammingError, IntegrityError):
        # Of two first starts at once, the other one may have created the tables.
        with database.read() as connection:
            if current(connection) != schema_version.HEAD:
                raise


def alembic_config(connection: Connection):  # type: ignore[no-untyped-def]
    """Return Alembic's configuration for this tree, bound to an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def _is_downward(revision: str | None, target: str) -> bool:
    if revision is None or target == "head":
        return False
    return target == "base" or target < revision
