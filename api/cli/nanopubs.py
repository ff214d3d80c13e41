"""Commands on nanopublications: make a key, sign."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from pydantic_core import PydanticCustomError, from_json

from api.citations import nanopublications, rdf
from api.cli.common import STANDARD_INPUT, DatabaseUrl, open_database, read_file
from models.core.errors import ClaimbaseError
from models.core.extras import require_library
from models.database.connections import Database
from models.read import listings
from models.records.identifiers import normalise_orcid
from models.records.serializers import sources_by_id
from models.status import claim_aggregate

commands = typer.Typer(
    help="Sign claims and lines of evidence as nanopublications.", no_args_is_help=True
)


def _orcid(value: str) -> str:
    try:
        return normalise_orcid(value)
    except PydanticCustomError as error:
        raise typer.BadParameter(error.message()) from None


@commands.command("key")
def make_key(
    file: Annotated[Path, typer.Argument(help="Where to write the key; it must not be there.")],
) -> None:
    """Make an RSA key in a file that only its owner can read.

    The public half goes to standard output, as nanopublications hold it.
    """
    try:
        public = nanopublications.make_key(file)
    except ClaimbaseError as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{file} holds the key. Whoever has it can sign in your name.", err=True)
    typer.echo(public)


@commands.command("sign")
def sign_nanopublication(
    what: Annotated[
        str,
        typer.Argument(
            metavar="FILE|ID|-",
            help="A file of `format=nanopub`, `-` for standard input, or the id of a claim or of a"
            " line of evidence.",
        ),
    ],
    key: Annotated[Path, typer.Option(help="File of your RSA key, PEM; see `nanopub key`.")],
    orcid: Annotated[str, typer.Option(help="Your ORCID iD.", callback=_orcid)],
    url: Annotated[
        str | None,
        typer.Option(help="With an id: where the base is served, as records are named by it."),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Sign a nanopublication and write it to standard output (TriG).

    Its address is a hash of its content. It is sent nowhere, and the base is not changed.
    """
    private = read_file(str(key))
    try:
        require_library("nanopub")
        content = _content(what, url, database_url)
        address, signed = nanopublications.sign(content, private, orcid)
    except ClaimbaseError as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(1) from None
    sys.stdout.buffer.write(signed)
    typer.echo(f"Signed: {address}", err=True)


def _content(what: str, url: str | None, database_url: str | None) -> bytes:
    if what == STANDARD_INPUT or Path(what).is_file():
        return read_file(what)
    if url is None or not url.startswith(("http://", "https://")):
        raise nanopublications.CannotSign(
            f"There is no file {what}. To sign the record of that id, --url names where the base is"
            " served, such as --url https://claims.example.org."
        )
    with open_database(database_url) as database:
        return _record(database, what, url.rstrip("/"))


def _record(database: Database, public_id: str, base: str) -> bytes:
    """Return a claim or a line of evidence as a nanopublication. Raises NotFound."""
    with database.read() as connection:
        if ":" not in public_id:
            claim = listings.load_claim(connection, public_id, None, None)
            core = claim_aggregate.core(claim).model_dump()
            document = {**core, **claim_aggregate.parts(claim)}
            return rdf.claim_as_nanopublication(document, base)
        found = listings.read_evidence_line(connection, public_id)
        line = from_json(found["document"])
        statement = listings.claim_briefs(connection, [line["claim"]])[line["claim"]]["statement"]
        source = sources_by_id(connection, [line["source"]])[line["source"]]
    return rdf.line_as_nanopublication(line, statement, source, found["revision"], base)
