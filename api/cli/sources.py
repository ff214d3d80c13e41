"""Commands on stored sources: verify their identifiers, watch for notices about them."""

import re
from pathlib import Path
from typing import Annotated

import typer

from api.cli.common import (
    DatabaseUrl,
    default_of,
    migrate_if_needed,
    open_database,
    read_settings,
)
from models.core.errors import ClaimbaseError

# Whoever reads the log of a registry must be able to answer; it goes into a header, too.
_ADDRESS = re.compile(r"[^\s@<>()]+@[^\s@<>()]+")

commands = typer.Typer(help="Work on the sources that are stored.", no_args_is_help=True)


@commands.command("verify")
def verify_sources(
    mailto: Annotated[
        str | None, typer.Option(help="Your e-mail address; Crossref and PubMed ask who asks.")
    ] = None,
    report: Annotated[
        bool,
        typer.Option("--report", help="List what nobody has confirmed, and ask nobody."),
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Look unverified identifiers up at Crossref and PubMed, or list what nobody has confirmed.

    Prints where they agree or differ, and changes nothing. The report needs no network.
    """
    from api.citations import unconfirmed, verify

    if report:
        with open_database(database_url) as database, database.read() as connection:
            for sentence in unconfirmed.sentences(unconfirmed.report(connection)):
                typer.echo(sentence)
        return
    if mailto is None:
        raise typer.BadParameter("--mailto is needed, or --report.")
    with open_database(database_url) as database, database.read() as connection:
        try:
            for verdict in verify.verify(connection, mailto):
                identifier = f"{verdict.scheme}:{verdict.value}"
                typer.echo(f"{verdict.source} {identifier}: {verdict.outcome}. {verdict.detail}")
        except verify.NoNetwork:
            raise ClaimbaseError(
                "Crossref and PubMed cannot be reached; is there a network?"
            ) from None


@commands.command("watch")
def watch_sources(
    mailto: Annotated[
        str | None, typer.Option(help="Your e-mail address; Crossref and PubMed ask who asks.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Retraction Watch's CSV, which is read instead of asking anybody."),
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Store notices as accepted, not for review.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be stored, and store nothing.")
    ] = False,
    progress: Annotated[
        Path | None,
        typer.Option(
            help="Where it is noted how far a run came.", show_default=default_of("watch_file")
        ),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Find retractions, corrections and expressions of concern about stored sources.

    Stores each new one as a proposal for review, and prints the claims that it touches. A run that
    was cut off is gone on with by the next one.

    Exits with 3 if there is a new notice, else with 4 if something got no answer.
    """
    from api.cli import watching

    if (mailto is None) == (file is None):
        raise typer.BadParameter("Say either --mailto or --file.")
    if mailto is not None and not _ADDRESS.fullmatch(mailto):
        raise typer.BadParameter(f"'{mailto}' is no e-mail address.")
    with open_database(database_url) as database:
        migrate_if_needed(database)
        run = watching.Run(database, accept, dry_run)
        if file is not None:
            code = watching.read_retraction_watch(run, file)
        else:
            assert mailto is not None, "one of the two is there"
            code = watching.ask_registries(run, mailto, progress or read_settings().watch_file)
    raise typer.Exit(code)
