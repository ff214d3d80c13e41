"""An article as it reads, with what the evidence says of each of its sentences."""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field
from pydantic_core import from_json
from sqlalchemy import Connection

from api.citations import json_ld
from api.http import pagination
from api.http.read_connection import ThreadReader
from api.routes.sources import SourceReference
from api.site.article_text import paragraphs
from api.site.pages import (
    PageRoute,
    page,
    script_data,
    slider_words,
)
from models.core import vocabularies as v
from models.core.dates import now
from models.read import listings
from models.read.filters import AS_OF, Day, Filters
from models.read.stated_in import MOST_STATEMENTS, Standing, standing_on, standings, statements_in
from models.records.serializers import Row
from models.records.source_text import read_text_of
from models.transfer.quote_check import Quote, check_each

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# What had been published longer before an article than this is all in its first year.
YEARS_BEFORE = 5
# So much of a text is shown with the marks, so that the page stays light; the whole is a link away.
MOST_SHOWN = 40_000


class ArticleParameters(Filters):
    """As of when."""

    as_of: Day | None = Field(None, description=AS_OF)


@router.get("/articles")
def lead_to_articles() -> Response:
    """Lead to the beginning, where the articles are listed."""
    return RedirectResponse("/")


@router.get("/articles/{source:reference}")
def show_article(
    request: Request,
    connection: ThreadReader,
    source: SourceReference,
    query: Annotated[ArticleParameters, Query()],
) -> Response:
    """Show an article's sentences, each marked by the status of its claim, over the years."""
    article = listings.read_referenced_source(connection, source)
    stated = statements_in(connection, article["id"])
    runs = standings(connection, sorted({each["claim"]["id"] for each in stated}))
    day = query.as_of or now()[:10]
    for each in stated:
        each["standing"] = standing_on(runs[each["claim"]["id"]], day)
    text = _whole_text(connection, article, stated)
    years = _years(runs, article)
    return page(
        request,
        "article.html",
        title=article["title"] or article["citation"],
        description="Each sentence of this article, marked by what the evidence says of it.",
        json_address=f"/v1/sources/{article['id']}/claims",
        canonical=f"/articles/{article['id']}",
        graph=json_ld.one_work(article, pagination.base_of(request)),
        article=article,
        statements=stated,
        most=MOST_STATEMENTS,
        paragraphs=paragraphs(_as_in_text(stated, text), text[:MOST_SHOWN]),
        licence=article["text"] and json_ld.licence_address(article["text"]["licence"]),
        is_cut=len(text) > MOST_SHOWN,
        main_claim=_main_claim(connection, article, day),
        as_of=query.as_of,
        year=int(day[:4]),
        years=years,
        counts=_counts(stated),
        data=script_data(_for_script(stated, runs, years, article)),
    )


def _whole_text(connection: Connection, article: Row, stated: list[Row]) -> str:
    """Return the whole text of an article that may be passed on, else an empty one.

    Each statement gets its place in that text; one whose place is not clear gets none.
    """
    said = article["text"]
    if said is None:
        return ""
    text = read_text_of(connection, article["id"], said["sha256"]) or ""
    quotes = [
        Quote(
            each["key"],
            each["quote"],
            each["prefix"] or "",
            each["suffix"] or "",
            each["start"],
            each["end"],
        )
        for each in stated
    ]
    for each, verdict in zip(stated, check_each(text, quotes), strict=True):
        each["start"], each["end"] = verdict.start, verdict.end
    return text


def _as_in_text(stated: list[Row], text: str) -> list[Row]:
    """Return the statements with their quotes as the text has them, if it is known whole."""
    if not text:
        return stated
    return [
        {**each, "quote": text[each["start"] : each["end"]], "prefix": None, "suffix": None}
        if each["start"] is not None
        else each
        for each in stated
    ]


def _years(runs: dict[str, list[Standing]], article: Row) -> tuple[int, int]:
    """Return the first and the last year of the slider: from the first status on, but not long
    before the article, and to the present.
    """
    present = int(now()[:4])
    first = min((int(run[0].starts[:4]) for run in runs.values() if run), default=present)
    return min(max(first, (article["year"] or first) - YEARS_BEFORE), present), present


def _main_claim(connection: Connection, article: Row, day: str) -> Row | None:
    slug = article["main_claim"]
    if slug is None:
        return None
    found = from_json(listings.read_claim(connection, slug, ())["fields"])
    run = standings(connection, [slug])[slug]
    return {**found, "standing": standing_on(run, day)}


def _counts(stated: list[Row]) -> list[tuple[str | None, int]]:
    """Return how many sentences have each status, those against first."""
    tally = Counter(
        each["standing"].status if each["standing"] is not None else None for each in stated
    )
    order = [*(term.id for term in v.STATUSES.terms), None]
    return [(status, tally[status]) for status in order if tally[status]]


def _for_script(
    stated: list[Row], runs: dict[str, list[Standing]], years: tuple[int, int], article: Row
) -> dict[str, Any]:
    """Return what the slider needs: nothing is asked of the server while it moves."""
    return {
        "years": years,
        "runs": runs,
        **slider_words(),
        "text_sha256": article["text_sha256"],
        "places": [
            [each["start"], each["end"], each["claim"]["id"], each["key"]] for each in stated
        ],
    }
