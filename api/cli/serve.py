"""The command that serves the API."""

import socket
from functools import partial
from typing import Annotated

import typer
from sqlalchemy import Connection, func, select

from api.cli.common import (
    DatabaseUrl,
    default_of,
    migrate_if_needed,
    open_database,
    read_settings,
)
from api.cli.garbage_collection import without_garbage_collection
from api.cli.progress import working
from api.settings import Settings, installed_version
from models.core.errors import ClaimbaseError
from models.database import schema_version
from models.database.connections import Database
from models.read import listings
from models.records.claim import Claim
from models.records.serializers import table
from models.records.source import Source
from models.transfer import seed


class EmptyDatabase(ClaimbaseError):
    """There is no database where one is expected."""

    code = "empty_database"


def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default=default_of("host"))
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port to listen on.", show_default=default_of("port")),
    ] = None,
    database_url: DatabaseUrl = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, help="Processes that serve.", show_default=default_of("workers")
        ),
    ] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Leave an empty database empty, without seed files.")
    ] = False,
) -> None:
    """Migrate, seed an empty database, and serve the API."""
    # Imported here, since no other command needs FastAPI and all the routes.
    with without_garbage_collection():
        from api.http import server
        from api.main import create_app

    options = {"host": host, "port": port, "database_url": database_url, "workers": workers}
    overrides = {name: value for name, value in options.items() if value is not None}
    settings = read_settings().model_copy(update=overrides)
    listening = _listen(settings)
    settings.port = listening[0].getsockname()[1]
    with open_database(settings.database_url, read_url=settings.read_database_url) as database:
        if not settings.seed_empty and not empty:
            _require_tables(database)
        _warn_of_damage(database)
        migrate_if_needed(database)
        if not empty:
            _seed_if_empty(database, settings)
        with database.read() as connection:
            content = _content(connection)
        database_name = database.display_url
    host_in_url = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{host_in_url}:{settings.port}"
    typer.echo(
        f"Claimbase {installed_version()}: {content}, {database_name}\n"
        f"  Pages {address}/\n"
        f"  API   {address}/v1\n"
        f"  Docs  {address}/docs\n"
        f"  Try   curl '{address}/v1/claims?status=refuted&include=evidence'"
    )
    if not server.run(partial(create_app, settings), settings, listening):
        raise typer.Exit(1)


def _listen(settings: Settings) -> list[socket.socket]:
    """Take the port before anything is done; say in one line if that cannot be, and exit 1."""
    from api.http import server

    try:
        return server.bind(settings.host, settings.port)
    except OSError as error:
        typer.echo(
            f"Cannot listen on port {settings.port} of {settings.host}: {error.strerror}."
            " Choose another with --host and --port.",
            err=True,
        )
        raise typer.Exit(1) from None


def _content(connection: Connection) -> str:
    """Return how much is served, and the serial, as words."""
    counted = []
    for kind in (Claim, Source):
        rows = table(kind)
        accepted = select(func.count()).select_from(rows).where(rows.c.state == "accepted")
        number = connection.scalar(accepted)
        counted.append(f"{number} {rows.name}{'' if number == 1 else 's'}")
    return f"{', '.join(counted)}, serial {listings.current_serial(connection)}"


def _seed_if_empty(database: Database, settings: Settings) -> None:
    with database.read() as connection:
        if listings.current_serial(connection):
            return
    if not settings.seed_empty:
        typer.echo("The database has no content, and is served as it is (CLAIMBASE_SEED_EMPTY).")
        return
    folder = settings.seed_dir
    with working("Loading"):
        tally = seed.seed(database, folder)
    if not tally:
        typer.echo(f"The database has no content, since {folder} is empty.")
        return
    typer.echo(f"Seeded an empty database with {sum(tally.values())} records from {folder}.")


def _require_tables(database: Database) -> None:
    """Refuse a database without tables: most likely the file that is meant was lost or cut off."""
    with database.read() as connection:
        if schema_version.current(connection) is None:
            raise EmptyDatabase(
                f"{database.display_url} is empty, and CLAIMBASE_SEED_EMPTY is false. Put the"
                " database that is meant in its place, or make an empty one with"
                " claimbase migrate."
            )


def _warn_of_damage(database: Database) -> None:
    """Say that a file is damaged. It is served as far as it can be read, and not written to."""
    database.damage.check()
    if database.damage.found is not None:
        typer.echo(
            f"{database.display_url} is damaged ({database.damage.found}): it is served as far as"
            " it can be read, and nothing is written to it. Restore a backup.",
            err=True,
        )
