"""Citation styles: in which styles and languages a bibliography can be had."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from pydantic_core import to_json

from api.citations import style_catalogue
from api.citations.style_catalogue import ListedStyle
from api.http import pagination
from api.http.errors import LIST_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.pagination import Page, Paging
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from models.core.types import Shape
from models.read.filters import Filters

router = APIRouter(
    prefix="/v1/citation-styles",
    tags=["sources"],
    dependencies=[JsonAccepted],
    route_class=ReadRoute,
)
MOST_CHARACTERS = 200


class StyleParameters(Paging, Filters):
    """Which styles."""

    q: str = Field(
        "",
        max_length=MOST_CHARACTERS,
        description="Words of the name or the title; each may be a beginning.",
    )
    tested: bool | None = Field(
        None, description="Whether what the style prints is held against expected text."
    )


class StyleOut(Shape):
    """A citation style."""

    id: str = Field(description="What `style=` takes.")
    title: str
    short_title: str | None
    follows: str | None = Field(description="The style whose rules it has, where they are not own.")
    locale: str | None = Field(description="The language that is its default.")
    tested: bool = Field(
        description="True where what it prints in English is held against expected text; else"
        " citeproc renders it, and nobody checked what it prints."
    )


class StylePage(Shape):
    """A page of styles, and all languages that `locale=` takes."""

    data: list[StyleOut]
    page: Page
    locales: list[str]


@router.get("", response_model=StylePage, responses=LIST_ERRORS)
def list_citation_styles(
    request: Request, connection: ThreadReader, query: Annotated[StyleParameters, Query()]
) -> Response:
    """List the styles of `format=bibliography`, by name."""
    found = {style.name: style for style in style_catalogue.search(query.q, tested=query.tested)}
    names, page, headers = pagination.page_of_names(request, connection, query, [*found])
    data = [_shown(found[name]) for name in names]
    content = to_json({"data": data, "page": page, "locales": style_catalogue.locales()})
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return pagination.not_modified(request, etag) or pagination.json_response(
        content, etag, headers
    )


def _shown(style: ListedStyle) -> StyleOut:
    return StyleOut(
        id=style.name,
        title=style.title,
        short_title=style.short_title or None,
        follows=style.parent or None,
        locale=style.locale or None,
        tested=style.tested,
    )
