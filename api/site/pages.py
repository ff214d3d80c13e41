"""What every page is: a template filled in, with the headers that a page has."""

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from pydantic_core import to_json
from sqlalchemy import Connection

from api.http import pagination
from api.http.errors import Problem
from api.http.read_route import ReadRoute, Values
from api.site.notes import linked
from api.site.words import FILTERS, OF_RULES
from models.core import vocabularies as v
from models.core.dates import now
from models.core.errors import NotFound
from models.core.notice import NOTICE
from models.core.types import Text
from models.read import listings
from models.records.serializers import Row

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
HTML = "text/html"
# A page takes scripts, styles and pictures of this server alone, and no inline ones.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {**pagination.CACHE, "Content-Security-Policy": POLICY}
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
STATIC = {path.name: path.read_bytes() for path in sorted((HERE / "static").iterdir())}
# The stylesheet's two sets of colours, each by itself, for a card whose page has chosen one.
PALETTES = dict(
    zip(
        ("light", "dark"),
        re.findall(r":root \{(.*?)\}", STATIC["site.css"].decode(), flags=re.DOTALL),
        strict=True,
    )
)
STATIC |= {
    f"{theme}.css": f":root {{{palette}color-scheme: {theme}; }}\n".encode()
    for theme, palette in PALETTES.items()
}
TEMPLATES = sorted((HERE / "templates").iterdir())
# It moves with every file that a page is made of, so that a browser never mixes two versions.
VERSION = hashlib.sha256(
    b"".join([*STATIC.values(), *(path.read_bytes() for path in TEMPLATES)])
).hexdigest()[:10]


@cache
def _templates() -> "Environment":
    # Imported here, since a server that only answers programs needs no templates.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(FILTERS, linked=linked)
    templates.globals.update(notice=NOTICE, version=VERSION)
    return templates


def rendered(template: str, **values: Any) -> str:
    """Return a template as text, with these values in it."""
    return _templates().get_template(template).render(**values)


# What others append to a link when it is shared, to follow who opens it.
TRACKERS = re.compile(r"utm_\w+|fbclid|gclid|dclid|msclkid|mc_cid|mc_eid|igshid|ref_src")


# A path whose segments may all be slugs.
OF_SLUGS = re.compile(r"(/[A-Za-z0-9-]+)+")
NOT_FOUND, MOVED = 404, 308


class LinkRoute(ReadRoute):
    """A route that people come to by links and forms. A browser sends the fields of a form that
    were left empty, too, and what a shared link was given to follow its readers: they ask nothing.
    """

    async def answer(self, request: Request) -> Response:
        query = request.scope["query_string"]
        if query:
            given = parse_qsl(query.decode("latin-1"))
            asked = [pair for pair in given if not TRACKERS.fullmatch(pair[0])]
            request.scope["query_string"] = urlencode(asked).encode()
        return await super().answer(request)


class PageRoute(LinkRoute):
    """The route of a page, which is not made again for a browser that has it already."""

    def work(self, request: Request, values: Values, connection: Connection) -> Response:
        # The tag is read before the page, so that it is never newer than what it stands for.
        etag = page_tag(connection)
        if unchanged := not_modified(request, etag):
            return unchanged
        response = super().work(request, values, connection)
        response.headers.setdefault("ETag", etag)
        return response


router = APIRouter(route_class=PageRoute, include_in_schema=False)


def script_data(content: Any) -> Markup:
    """Return JSON as it may stand within a `<script>` of data, which nothing in it can end."""
    return Markup(to_json(content).decode().replace("<", "\\u003c"))  # noqa: S704


def slider_words() -> Row:
    """Return the words of a slider's script: of the rules and the statuses."""
    return {"rules": OF_RULES, "statuses": {term.id: term.label for term in v.STATUSES.terms}}


def page_tag(connection: Connection) -> str:
    """Return the ETag of every page: it moves with each change, each day, and each version."""
    return f'W/"s{listings.current_serial(connection)}-{now()[:10]}-{VERSION}"'


def not_modified(
    request: Request, etag: str, headers: Mapping[str, str] = PAGE_HEADERS
) -> Response | None:
    """Return a 304 if the browser has this page already, else None.

    It has the page's own headers: a browser puts those of a 304 in the place of those that it kept
    (RFC 9111 section 3.2), and the policy of the API would take the stylesheet from the page.
    """
    # "*" asks whether there is such a page at all, which is not known yet.
    if pagination.header(request, "if-none-match") == "*":
        return None
    return pagination.not_modified(request, etag, headers)


def page(
    request: Request,
    template: str,
    *,
    title: str,
    description: str = "",
    json_address: str | None = None,
    graph: Row | None = None,
    feed: str | None = None,
    canonical: str | None = None,
    headers: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """Return a page. `json_address` is where a program reads the same, `graph` what search engines
    read in it (JSON-LD), `feed` the address of its Atom feed, and `canonical` its own path where
    it has several; the values go to the template.
    """
    day = request.query_params.get("as_of", "").strip()
    content = rendered(
        template,
        # Links to claims lead on to the same day.
        on_day=f"?{urlencode({'as_of': day})}" if day else "",
        title=title,
        description=description,
        json_address=json_address,
        graph=None if graph is None else script_data(graph),
        feed=feed,
        canonical=canonical,
        path=request.url.path,
        query=request.url.query,
        base=pagination.base_of(request),
        **values,
    )
    sent = {**PAGE_HEADERS, **(headers or {})}
    if json_address is not None:
        sent["Link"] = f'<{json_address}>; rel="alternate"; type="application/json"'
    return Response(content, media_type=HTML, headers=sent)


def right_path(path: str) -> str:
    """Return a path as pages have it: without a slash at its end, and slugs in small letters."""
    # One slash at its beginning, since two would lead to another host.
    bare = f"/{path.strip('/')}"
    # Identifiers are no slugs: their capitals may matter.
    return bare.lower() if OF_SLUGS.fullmatch(bare) else bare


def error_page(
    request: Request, problem: bytes, status: int, headers: Mapping[str, str]
) -> Response:
    """Return the page of an error, which says what to do about it, from its JSON; or where the page
    is, if only the writing of its address differs.
    """
    right = right_path(request.url.path)
    if status == NOT_FOUND and right != request.url.path:
        query = f"?{request.url.query}" if request.url.query else ""
        moved = {
            **headers,
            "Location": quote(right, safe="/:") + query,
            "Cache-Control": "no-cache",
        }
        return Response(status_code=MOVED, headers=moved)
    body = Problem.model_validate_json(problem)
    content = rendered(
        "error.html",
        title=body.title.capitalize(),
        description="",
        json_address=None,
        graph=None,
        feed=None,
        canonical=None,
        path=request.url.path,
        query="",
        base="",
        problem=body,
    )
    sent = {**headers, "Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return Response(content, status_code=status, media_type=HTML, headers=sent)


@router.get("/static/{version}/{file}")
def static_file(version: Text, file: Text) -> Response:
    """Return a stylesheet, a script or a picture, which never changes under its address.

    A page of another version gets what there is now, and asks again each time.
    """
    if file not in STATIC:
        raise NotFound(f"There is no file '{file}'.")
    kept = "public, max-age=31536000, immutable" if version == VERSION else "no-cache"
    headers = {"ETag": f'"{VERSION}"', "Cache-Control": kept}
    return Response(STATIC[file], media_type=MEDIA_TYPES[Path(file).suffix], headers=headers)
