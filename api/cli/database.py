"""Commands on a database as one thing: migrate, seed, check, rebuild, embed, export, backup,
restore.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import PydanticCustomError

from api.cli.common import (
    DatabaseUrl,
    Overwrite,
    migrate_if_needed,
    open_database,
    read_settings,
)
from api.cli.progress import count_bar, working
from api.tables import data_package
from models import migrations
from models.core.types import clean_text
from models.database import schema_version
from models.database.connections import Database
from models.migrations import BadMigration, find_losses
from models.projection import rebuild as read_model
from models.projection.integrity_check import check as find_disagreements
from models.records.identifiers import normalise_identifier
from models.search import embedding, vectors
from models.search.embedding import NoModel
from models.transfer import backup
from models.transfer import export as exporting
from models.transfer import seed as seeding
from models.transfer.release_metadata import TITLE, Credits


def migrate(
    database_url: DatabaseUrl = None,
    to: Annotated[
        str, typer.Option(help="A revision, `head`, or `base` (drops everything).")
    ] = "head",
    yes: Annotated[
        bool, typer.Option("--yes", help="Lose what an older schema has no place for.")
    ] = False,
    distributed: Annotated[
        bool,
        typer.Option("--distributed", help="Spread the tables over the servers of Citus."),
    ] = False,
) -> None:
    """Bring the database to the newest migration, or to another one.

    Where the migration emptied the read model, it is derived anew.

    One to an older schema asks before it loses anything, or refuses where nobody can be asked.
    """
    if distributed and to != "head":
        raise typer.BadParameter("Only the newest schema is distributed.", param_hint="--to")
    with open_database(database_url) as database:
        if distributed:
            migrations.require_citus(database)
        if not yes:
            _ask_before_losing(database, to)
        migrate_if_needed(database, to)
        with database.read() as connection:
            revision = schema_version.current(connection) or "base"
        typer.echo(f"{database.display_url} is at migration {revision}.")
        if distributed:
            typer.echo(f"{len(migrations.distribute(database))} tables distributed.")


def _ask_before_losing(database: Database, to: str) -> None:
    """Ask whether a migration may lose what it would. Raises BadMigration if nobody can answer."""
    losses = find_losses(database, to)
    if not losses:
        return
    lost = f"Going back to {to} loses {', '.join(losses)}."
    if not sys.stdin.isatty():
        raise BadMigration(
            f"{lost} Nothing was changed. Back the database up (claimbase backup FILE), then say"
            " --yes to lose it."
        )
    typer.confirm(f"{lost} Go on?", abort=True, err=True)


def seed(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder with sources/, claims/, vocabularies/.")
    ] = None,
    database_url: DatabaseUrl = None,
    overwrite: Overwrite = False,
) -> None:
    """Load seed files: all of them or, where one is bad, none.

    Loading them again changes nothing. What people changed here since stays as it is.
    """
    with open_database(database_url) as database:
        notes: list[seeding.Note] = []
        root = folder or read_settings().seed_dir
        migrate_if_needed(database)
        with working("Loading"):
            tally = seeding.seed(database, root, notes.append, overwrite=overwrite)
        for (kind, outcome), number in sorted(tally.items()):
            typer.echo(f"{number:6} {kind} {outcome}")
        for note in notes:
            typer.echo(str(note))


def check(database_url: DatabaseUrl = None) -> None:
    """Prove that revisions, tables and read model agree.

    Exits with 1, and one line for each disagreement, if they do not.
    """
    with open_database(database_url) as database, database.read() as connection:
        disagreements = list(find_disagreements(connection, count_bar))
    for disagreement in disagreements:
        typer.echo(disagreement, err=True)
    if disagreements:
        raise typer.Exit(1)
    typer.echo(f"{database.display_url}: all agrees.")


def rebuild(database_url: DatabaseUrl = None) -> None:
    """Derive every claim's document, terms and status periods anew from the tables."""
    with (
        open_database(database_url) as database,
        database.write() as connection,
        count_bar("Claims derived") as report,
    ):
        number = read_model.rebuild(connection, report)
    typer.echo(f"{number} claims derived anew.")


def embed(database_url: DatabaseUrl = None) -> None:
    """Make the vectors that claims lack, by which texts are matched to them.

    A server does that by itself, beside its work. Needs the extra `match`.
    """
    model = embedding.load()
    if isinstance(model, NoModel):
        typer.echo(model.reason, err=True)
        raise typer.Exit(1)
    with open_database(database_url) as database:
        with database.read() as connection:
            claims = vectors.accepted_claims(connection)
        with count_bar("Claims", len(claims)) as report:
            made = vectors.fill(database, model, claims, report=report)
    typer.echo(f"{made} vectors made, of {len(claims)} claims.")


def _read_name(text: str) -> str:
    """Return a name as it is stored. Raises BadParameter for what is none."""
    try:
        name = str(clean_text(text)).strip()
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not name:
        raise typer.BadParameter("It is empty.")
    return name


def _read_doi(text: str) -> str:
    """Return a DOI in lower case, of any of its spellings. Raises BadParameter."""
    try:
        return normalise_identifier("doi", text)
    except PydanticCustomError as error:
        raise typer.BadParameter(error.message()) from None


def export(
    folder: Annotated[Path, typer.Argument(help="Where to; must not be there, or be empty.")],
    database_url: DatabaseUrl = None,
    collection: Annotated[
        str | None,
        typer.Option(help="Only the records of this collection, and all that they refer to."),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(
            help="By which the release is cited.",
            show_default=TITLE,
            parser=_read_name,
            metavar="TEXT",
        ),
    ] = None,
    creator: Annotated[
        list[str] | None,
        typer.Option(
            help='Who is cited: "Family, Given", or a body; may be repeated.',
            parser=_read_name,
            metavar="NAME",
        ),
    ] = None,
    publisher: Annotated[
        str | None,
        typer.Option(help="Who publishes the release.", parser=_read_name, metavar="NAME"),
    ] = None,
    doi: Annotated[
        str | None, typer.Option(help="The DOI of the release.", parser=_read_doi, metavar="DOI")
    ] = None,
    parquet: Annotated[
        bool,
        typer.Option(
            "--parquet",
            help="As tables for analysis, with a data package; cannot be"
            " imported. Needs the extra `tables`.",
        ),
    ] = False,
) -> None:
    """Write everything that is public as a release, which is never altered.

    A release is a folder of files with a manifest, and with CITATION.cff and datacite.json, by
    which it is cited. With `--parquet` it is one of tables with a data package
    (datapackage.json) and a codebook.
    """
    if parquet and any((collection, title, creator, publisher, doi)):
        raise typer.BadParameter("--parquet takes no other option but --database-url.")
    credits = Credits(title, tuple(creator or ()), publisher, doi)
    with open_database(database_url) as database, count_bar("Records exported") as report:
        if parquet:
            rows = data_package.write_release(database, folder, report)
        else:
            manifest = exporting.write_release(database, folder, collection, credits, report)
    if parquet:
        told = ", ".join(f"{number} rows of {name}" for name, number in rows.items())
        typer.echo(f"{folder}: {told}.")
        return
    counts = ", ".join(f"{number} {name}" for name, number in manifest["counts"].items())
    typer.echo(f"{folder}: serial {manifest['serial']}, {counts}.")


def back_up(
    file: Annotated[Path, typer.Argument(help="Where to; must not be there yet.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Write everything, also what is not public, to a file that only its owner may read.

    The server may go on meanwhile.
    """
    with open_database(database_url) as database, count_bar("Rows backed up") as report:
        header = backup.write_backup(database, file, report)
    typer.echo(
        f"{file}: serial {header['serial']}, {header['rows']} rows. It holds what is not public."
    )


def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Bring a backup back into an empty database, and prove that it agrees with itself."""
    with open_database(database_url) as database:
        header = backup.restore_backup(database, file, count_bar)
        typer.echo(
            f"{database.display_url}: restored up to serial {header['serial']},"
            f" {header['rows']} rows; all agrees."
        )
