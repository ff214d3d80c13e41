"""Commands on stored sources: verify their identifiers."""

from typing import Annotated

import typer

from api.cli.common import DatabaseUrl, open_database
from models.core.errors import ClaimbaseError

commands = typer.Typer(help="Work on the sources that are stored.", no_args_is_help=True)


@commands.command("verify")
def verify_sources(
    mailto: Annotated[
        str, typer.Option(help="Your e-mail address; Crossref and PubMed ask who asks.")
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Look unverified identifiers up at Crossref and PubMed.

    Prints where they agree or differ, and changes nothing.
    """
    from api.citations import verify

    with open_database(database_url) as database, database.read() as connection:
        try:
            for verdict in verify.verify(connection, mailto):
                identifier = f"{verdict.scheme}:{verdict.value}"
                typer.echo(f"{verdict.source} {identifier}: {verdict.outcome}. {verdict.detail}")
        except verify.NoNetwork:
            raise ClaimbaseError(
                "Crossref and PubMed cannot be reached; is there a network?"
            ) from None
