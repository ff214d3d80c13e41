"""Suggestions while somebody types."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from pydantic_core import to_json

from api.http import pagination
from api.http.errors import LIST_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from models.core.schema_names import sometimes
from models.core.types import Shape
from models.read import search_results
from models.read.filters import NO_VALUES, Filters, Many, SearchText

router = APIRouter(tags=["index"], dependencies=[JsonAccepted], route_class=ReadRoute)

KINDS = ("topic", "claim", "source")


SuggestionKind = Annotated[str, pagination.choices("kind", KINDS, "SuggestionKind")]


class SuggestParameters(Filters):
    """What was typed so far, and what to suggest."""

    q: SearchText = Field(
        "",
        description="The beginning of one or more words that stand together in a label."
        " Before anything is typed "
        "there is nothing to suggest.",
        examples=["mult"],
    )
    kind: Many[SuggestionKind] = Field(NO_VALUES, description="Only these kinds of record.")


class Suggestion(Shape):
    """A record that may be meant."""

    kind: SuggestionKind
    id: str
    label: str = Field(description="A topic's label, a claim's statement, a source's title.")
    wording: str | None = sometimes(
        "Another wording of a claim, in which words begin so where its statement's do not."
    )
    citation: str | None = sometimes("A source in short form, such as 'Doepp et al. 2010'.")


class Suggestions(Shape):
    """At most ten, the kinds by turns; within a kind in the order of what was found."""

    data: list[Suggestion]


@router.get("/v1/suggest", response_model=Suggestions, responses=LIST_ERRORS)
def suggest(
    request: Request, connection: ThreadReader, query: Annotated[SuggestParameters, Query()]
) -> Response:
    """Suggest topics, claims and sources while somebody types: those in whose labels words begin
    so.

    A source is also found by the family names of its authors.
    """
    etag = pagination.list_tag(connection)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    data = search_results.suggest(
        connection, query.q, [kind for kind in KINDS if not query.kind or kind in query.kind]
    )
    return pagination.json_response(to_json({"data": data}), etag)
