"""Commands on stored sources: verify their identifiers."""

from typing import Annotated

import typer

from api.cli.common import DatabaseUrl, open_database
from models.core.errors import ClaimbaseError

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
