"""The command that answers an agent on standard input and output."""

import logging.config
from typing import Annotated

import typer

from api.cli.common import DatabaseUrl, migrate_if_needed, open_database, read_settings
from api.cli.garbage_collection import without_garbage_collection


def mcp(
    url: Annotated[
        str | None,
        typer.Option(help="Where the pages are served, for the addresses in answers."),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Answer an agent on standard input and output (Model Context Protocol).

    It only reads; the vectors of claims alone are made where they are missing, as a server does.
    """
    # Imported here, since no other command needs the routes and the protocol.
    with without_garbage_collection():
        from api.http.server import logs
        from api.http.text_model import TextModel
        from api.mcp import door
        from api.mcp.reading import ProcessReading, Surroundings
        from models.search.synonyms import read_abbreviations, read_synonyms

        if not door.is_installed():
            typer.echo(door.MISSING, err=True)
            raise typer.Exit(1)
        from api.mcp.server import over_standard_streams

    settings = read_settings()
    base = url or f"http://{settings.host}:{settings.port}"
    with open_database(database_url or settings.database_url, settings.read_seconds) as database:
        migrate_if_needed(database)
        logging.config.dictConfig(logs(settings))
        synonyms = read_synonyms(settings.seed_dir)
        abbreviations = read_abbreviations(settings.seed_dir)
        text_model = TextModel(database, abbreviations, wanted=settings.match_model)
        surroundings = Surroundings(base.rstrip("/"), synonyms, text_model)
        text_model.start()
        try:
            over_standard_streams(lambda _request: ProcessReading(database, surroundings))
        finally:
            text_model.stop()
