"""The schema of the database, as one Alembic tree for both databases."""

from contextlib import suppress
from pathlib import Path

from sqlalchemy import JSON, Connection, MetaData, String, Table, cast, func, select
from sqlalchemy.exc import IntegrityError, ProgrammingError

from models.core.errors import ClaimbaseError
from models.core.progress import Report, no_report
from models.database import schema_version
from models.database.connections import Database
from models.database.schema_version import current
from models.database.sharding import distributed_tables
from models.migrations import distribution
from models.projection import rebuild
from models.projection import tables as projection_tables
from models.records.revision import Serial
from models.records.serializers import table
from models.search import index


class BadMigration(ClaimbaseError):
    """The database cannot be migrated to that revision."""

    code = "bad_migration"


def migrate(
    database: Database,
    target: str = "head",
    report: Report = no_report,
) -> None:
    """Migrate the database to a revision, up or down; `base` is the empty database.

    Where that leads to the head, or the rules have changed since, the read model is derived anew in
    the same transaction, so that no reader meets half of it; `report` is given how far that is.
    Raises BadMigration if the revision does not exist, or the database is too old.
    """
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
            _step(connection, at, target)
            reached = current(connection)
            if reached == schema_version.HEAD and distributed_tables(connection):
                # New tables, before anything is derived into them.
                distribution.distribute(connection)
            is_derived = reached == at and rebuild.is_current(connection)
            if reached == schema_version.HEAD and not is_derived:
                rebuild.rebuild(connection, report)
    except CommandError as error:
        raise BadMigration(f"The database cannot be migrated to '{target}': {error}.") from None
    except (ProgrammingError, IntegrityError):
        # Of two first starts at once, the other one may have created the tables.
        with database.read() as connection:
            if current(connection) != schema_version.HEAD:
                raise


def distribute(database: Database) -> list[str]:
    """Spread the tables of a migrated database over its servers; return the names of those that
    were not yet. Servers that are running must be started anew. Raises `distribution.NoCitus`.
    """
    with database.write_schema() as connection:
        names = distribution.distribute(connection)
    database.sharding.is_on = True
    return names


def require_citus(database: Database) -> None:
    """Raise `distribution.NoCitus` unless the database can be distributed."""
    with database.read() as connection:
        distribution.require_citus(connection)


def _step(connection: Connection, at: str | None, target: str) -> None:
    from alembic import command

    step = command.downgrade if _is_downward(at, target) else command.upgrade
    step(alembic_config(connection), target)


class _Undo(Exception):
    """Rolls a trial back."""


def find_losses(database: Database, target: str) -> list[str]:
    """Return in words what a migration to an older revision loses, such as `2 rows of api_key`.

    The migration is carried out and rolled back, so this holds for migrations to come, too. What is
    derived from other rows is no loss. Raises BadMigration if the revision does not exist.
    """
    from alembic.util import CommandError

    with database.read(unlimited=True) as connection:
        at = current(connection)
        if not _is_downward(at, target):
            return []
        before = _kept_tables(connection)
        rows = _numbers_of_rows(connection, before)
    try:
        with suppress(_Undo), database.write_schema() as connection:
            _step(connection, at, target)
            after = _kept_tables(connection)
            rows_after = _numbers_of_rows(connection, after)
            raise _Undo
    except CommandError as error:
        raise BadMigration(f"The database cannot be migrated to '{target}': {error}.") from None
    losses = [
        f"{number - rows_after.get(name, 0):,} rows of {name}"
        for name, number in rows.items()
        if number > rows_after.get(name, 0)
    ]
    defaults = _defaults()
    with database.read(unlimited=True) as connection:
        for name in sorted(before.keys() & after.keys()):
            for column in before[name].c:
                filled = select(func.count(column)).select_from(before[name])
                if isinstance(column.type, JSON):
                    # An empty list says no more than no column.
                    filled = filled.where(cast(column, String) != "[]")
                elif (usual := defaults.get((name, column.name))) is not None:
                    filled = filled.where(column != usual)
                if column.name not in after[name].c and (number := connection.scalar(filled)):
                    losses.append(f"{number:,} values of {name}.{column.name}")
    return losses


def _kept_tables(connection: Connection) -> dict[str, Table]:
    """Return the tables, as they are stored, that are not derived from others."""
    derived = {table(model).name for model in (*projection_tables.DERIVED, *index.SEARCH_TABLES)}
    passed = {*derived, "alembic_version", table(Serial).name}
    schema = MetaData()
    schema.reflect(
        connection,
        only=lambda name, _schema: name not in passed and not index.INDEX_OBJECTS.fullmatch(name),
    )
    return dict(sorted(schema.tables.items()))


def _defaults() -> dict[tuple[str, str], str]:
    """Return the texts that stand in columns where nobody wrote anything, by table and column."""
    from models.migrations.tables import tables

    return {
        (table(model).name, name): field.default
        for model in tables
        for name, field in model.model_fields.items()
        if isinstance(field.default, str)
    }


def _numbers_of_rows(connection: Connection, tables: dict[str, Table]) -> dict[str, int]:
    counted = {name: select(func.count()).select_from(each) for name, each in tables.items()}
    return {name: connection.scalar(count) or 0 for name, count in counted.items()}


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
