"""What several groups of commands share: options, opening the database, reading a file."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from api.cli.progress import count_bar
from api.settings import PREFIX, Settings, what_is_wrong
from models import migrations
from models.core.errors import ClaimbaseError
from models.database import schema_version
from models.database.connections import URL_FORMS, Database, connect
from models.projection import rebuild

Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Also overwrite what people changed here since.")
]
STANDARD_INPUT = "-"


def default_of(setting: str) -> str:
    """Return what the help shows as the default of an option that stands for a setting."""
    return f"{PREFIX}{setting.upper()}, else {Settings.model_fields[setting].default}"


DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", help=URL_FORMS, show_default=default_of("database_url")),
]


def read_settings() -> Settings:
    """Return the settings; where one cannot be used, say what it takes and exit 1."""
    try:
        return Settings()
    except ValidationError as error:
        typer.echo("\n".join(what_is_wrong(error)), err=True)
        raise typer.Exit(1) from None


@contextmanager
def open_database(
    url: str | None, read_seconds: float | None = None, read_url: str | None = None
) -> Iterator[Database]:
    """Open the database at a URL, or at the one of the settings; reads may go to replicas, too.

    Statements that only read are cancelled after `read_seconds`. Where it cannot be used, or the
    command raises an error of the domain, print one line and exit 1.
    """
    try:
        database = connect(url or read_settings().database_url, read_seconds, read_url)
        try:
            yield database
        finally:
            database.close()
    except ClaimbaseError as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(1) from None
    except DBAPIError as error:
        typer.echo(f"The database cannot be used: {error.orig}", err=True)
        raise typer.Exit(1) from None


def migrate_if_needed(database: Database, to: str = "head") -> None:
    """Migrate the database, unless it is at the newest migration and its read model is current.

    Raises BadMigration if the database is newer than this program.
    """
    with database.read() as connection:
        revision = schema_version.current(connection)
        if revision is not None and revision > schema_version.HEAD:
            raise migrations.BadMigration(
                f"The database is at migration {revision}, newer than this program's"
                f" {schema_version.HEAD}; use a newer program."
            )
        up_to_date = revision == schema_version.HEAD and rebuild.is_current(connection)
    if to != "head" or not up_to_date:
        if revision is not None and to == "head":
            # Also where there is no terminal: a server does not answer meanwhile.
            typer.echo("The database is brought up to date, which may take minutes.", err=True)
        with count_bar("Claims derived") as report:
            migrations.migrate(database, to, report)


def read_file(file: str) -> bytes:
    """Return the content of a file, or of standard input for "-"; exit 1 if it cannot be read."""
    if file == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        typer.echo(f"{file}: {error.strerror}.", err=True)
        raise typer.Exit(1) from None
