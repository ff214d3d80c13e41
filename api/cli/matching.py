"""Say which claims a text states."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic_core import PydanticCustomError

from api.cli.common import DatabaseUrl, open_database, read_file, read_settings
from api.cli.progress import working
from models.core.dates import check_partial_date, last_day_of
from models.core.errors import ClaimbaseError

if TYPE_CHECKING:
    from models.search.nearest import Nearest


def _read_day(text: str) -> str:
    """Return the last day that a date can mean. Raises BadParameter."""
    try:
        return last_day_of(str(check_partial_date(text)))
    except PydanticCustomError as error:
        raise typer.BadParameter(error.message(), param_hint="--as-of") from None


def match(
    file: Annotated[str, typer.Argument(help="A plain text in UTF-8; - for standard input.")],
    as_of: Annotated[
        str | None, typer.Option(help="Status as of this day: 2012, 2012-06 or 2012-06-30.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10, help="Claims a sentence.")] = 3,
    every: Annotated[
        bool, typer.Option("--all", help="Also print sentences that state no claim.")
    ] = False,
    database_url: DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Say of each sentence of a text which claims it may state, with their status.

    Changes nothing.
    """
    from models.read.matching import match_sentences
    from models.search import embedding
    from models.search.embedding import NoModel
    from models.search.sentences import split_sentences
    from models.search.synonyms import read_abbreviations, read_synonyms

    try:
        text = read_file(file).decode()
    except UnicodeDecodeError as error:
        raise ClaimbaseError(f"{file}: not UTF-8 at byte {error.start}.") from None
    sentences = [text[start:end] for start, end in split_sentences(text)]
    settings = read_settings()
    synonyms = read_synonyms(settings.seed_dir)
    loaded = embedding.load() if settings.match_model else None
    model: Nearest | None = None
    if isinstance(loaded, NoModel):
        typer.echo(loaded.reason, err=True)
    elif loaded is not None:
        # Imported here, since it needs the extra.
        from models.search import nearest

        model = nearest.Nearest(loaded, read_abbreviations(settings.seed_dir))
    day = None if as_of is None else _read_day(as_of)
    with (
        open_database(database_url) as database,
        database.read() as connection,
        working("Matching"),
    ):
        matched = match_sentences(
            connection, sentences, synonyms, day=day, limit=limit, model=model
        )
    for sentence, claims in zip(sentences, matched, strict=True):
        if not claims and not every:
            continue
        if as_json:
            found = [asdict(each) for each in claims]
            typer.echo(json.dumps({"sentence": sentence, "claims": found}, ensure_ascii=False))
            continue
        typer.echo(" ".join(sentence.split()))
        for each in claims:
            how = "exact" if each.is_exact else f"{each.score:.2f}"
            denying = f" (read closely: {', '.join(each.may_deny)})" if each.may_deny else ""
            typer.echo(f"  {how:5} {each.status:12} {each.claim}: {each.statement}{denying}")
    stating = sum(map(bool, matched))
    typer.echo(f"{stating} of {len(sentences)} sentences state claims.", err=as_json)
