"""What machines follow and look around with: Atom, the sitemap, robots.txt, llms.txt."""

from collections.abc import Iterable, Iterator
from typing import Annotated
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from api.http import pagination
from api.http.errors import ParameterError
from api.http.pagination import choices
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from api.pictures.svg import clean
from api.site.about import in_words
from api.site.pages import VERSION, not_modified, rendered
from api.site.words import segment
from models.core.errors import Fault
from models.core.types import Text
from models.read import addresses, change_feed, listings
from models.read.change_feed import ChangeFilters
from models.read.filters import Filters, requested_parameters
from models.records.serializers import Row

router = APIRouter(route_class=ReadRoute, include_in_schema=False)

# Readers of feeds ask several times a day; more changes than these are at /v1/changes.
ENTRIES_OF_FEED = 50
# The protocol allows 50,000 addresses in a file; this many take about 0.1 s and 0.6 MB (measured).
ADDRESSES_OF_PART = 10_000
# Of a feed on which nothing has happened yet.
EPOCH = "1970-01-01T00:00:00Z"
ATOM, ATOM_TYPE = "http://www.w3.org/2005/Atom", "application/atom+xml"
SITEMAP, SITEMAP_TYPE = "http://www.sitemaps.org/schemas/sitemap/0.9", "application/xml"
# The pages that are there whatever is recorded.
STANDING = (
    *("/", "/claims", "/evidence", "/sources", "/topics", "/check", "/changes"),
    "/about/status-rules",
)


@router.get("/changes.atom")
def follow_changes(
    request: Request, connection: ThreadReader, query: Annotated[ChangeFilters, Query()]
) -> Response:
    """Return the newest changes as an Atom feed (RFC 4287), of a topic or a claim if one is named,
    each in words and with a link to its page.
    """
    parameters = {
        name: value for name, value in requested_parameters(query).items() if value is not None
    }
    change_feed.require_known(connection, parameters, change_feed.PUBLIC_REVISIONS)
    etag = f'W/"s{listings.current_serial(connection)}-{VERSION}"'
    if unchanged := not_modified(request, etag):
        return unchanged
    rows, _ = change_feed.changes_before(connection, None, ENTRIES_OF_FEED, parameters)
    changes = in_words(connection, rows)
    newest = changes[0]["at"] if changes else EPOCH
    base = pagination.base_of(request)
    own = f"{base}/changes.atom" + (f"?{request.url.query}" if request.url.query else "")
    names = [value for values in parameters.values() for value in values]
    root = ET.Element("feed", xmlns=ATOM)
    _add(root, "id", own)
    _add(root, "title", f"Claimbase: changes{': ' if names else ''}{', '.join(names)}")
    _add(root, "updated", newest)
    _add(root, "link", rel="self", type=ATOM_TYPE, href=own)
    page = f"{base}/changes" + (f"?{request.url.query}" if request.url.query else "")
    _add(root, "link", rel="alternate", type="text/html", href=page)
    _add(root, "rights", "CC0-1.0")
    for change in changes:
        _add_entry(root, change, base)
    return _xml(root, ATOM_TYPE, etag)


def _add(parent: ET.Element, tag: str, text: str | None = None, **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, tag, attributes)
    element.text = None if text is None else clean(text)
    return element


def _add_entry(root: ET.Element, change: Row, base: str) -> None:
    entry = ET.SubElement(root, "entry")
    one = f"{base}/v1/revisions/{change['serial']}"
    # The address of a revision stays the same for good, and so does what it says.
    _add(entry, "id", one)
    _add(entry, "title", title_of(change))
    _add(entry, "updated", change["at"])
    _add(ET.SubElement(entry, "author"), "name", change["actor"])
    if change["address"]:
        address = f"{base}{change['address']}"
        _add(entry, "link", rel="alternate", type="text/html", href=address)
    _add(entry, "link", rel="related", type="application/json", href=one)
    _add(entry, "category", term=change["kind"])
    _add(entry, "summary", change["comment"] or title_of(change))


def title_of(change: Row) -> str:
    """Return what was done to what, of a change in words: «Evidence added: Doepp et al. 2010
    disputes “CCSVI causes MS.”».
    """
    on = f" {change['verb']} “{change['statement']}”" if change["is_part"] else ""
    return f"{change['kind'].capitalize()} {change['done']}: {change['name']}{on}"


class SitemapParameters(Filters):
    """Which part of the sitemap."""

    of: Annotated[str, choices("of", [*addresses.PAGED])] | None = Field(None)
    after: Text | None = Field(None, max_length=200)


@router.get("/sitemap.xml")
def show_sitemap(
    request: Request, connection: ThreadReader, query: Annotated[SitemapParameters, Query()]
) -> Response:
    """Return the addresses of all pages, or of its parts where there are too many for one file."""
    if query.after is not None and query.of is None:
        detail = "`after` needs `of`."
        fault = Fault(at="after", code="invalid_parameter", detail=detail)
        raise ParameterError(detail, [fault])
    etag = f'W/"s{listings.current_serial(connection)}-{VERSION}"'
    if unchanged := not_modified(request, etag):
        return unchanged
    base = pagination.base_of(request)
    if query.of is not None:
        ids = addresses.ids_of(connection, query.of, query.after or "", ADDRESSES_OF_PART)
        found: Iterable[str] = (f"/{query.of}/{segment(each)}" for each in ids)
        return _xml(_sitemap("urlset", "url", base, found), SITEMAP_TYPE, etag)
    parts = list(addresses.parts_of(connection, ADDRESSES_OF_PART))
    if len(parts) > len(addresses.PAGED):
        found = (f"/sitemap.xml?{urlencode({'of': of, 'after': after})}" for of, after in parts)
        return _xml(_sitemap("sitemapindex", "sitemap", base, found), SITEMAP_TYPE, etag)
    found = _all_pages(
        (of, addresses.ids_of(connection, of, after, ADDRESSES_OF_PART)) for of, after in parts
    )
    return _xml(_sitemap("urlset", "url", base, found), SITEMAP_TYPE, etag)


def _all_pages(ids: Iterable[tuple[str, Iterable[str]]]) -> Iterator[str]:
    yield from STANDING
    for of, each in ids:
        yield from (f"/{of}/{segment(one)}" for one in each)


def _sitemap(name: str, part: str, base: str, paths: Iterable[str]) -> ET.Element:
    root = ET.Element(name, xmlns=SITEMAP)
    for path in paths:
        _add(ET.SubElement(root, part), "loc", f"{base}{path}")
    return root


def _xml(root: ET.Element, media_type: str, etag: str) -> Response:
    content = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(content, media_type=media_type, headers={"ETag": etag, **pagination.CACHE})


@router.get("/robots.txt")
def show_rules_for_robots(request: Request) -> Response:
    """Return what crawlers may read: all of it. The sitemap names the pages."""
    return _text(f"User-agent: *\nAllow: /\n\nSitemap: {pagination.base_of(request)}/sitemap.xml\n")


@router.get("/llms.txt")
def show_guide_for_models(request: Request) -> Response:
    """Return what this is and where its JSON is, for language models (llmstxt.org)."""
    return _text(rendered("llms.txt", base=pagination.base_of(request)))


def _text(content: str) -> Response:
    headers = {"Cache-Control": "public, max-age=3600"}
    return Response(content, media_type="text/plain; charset=utf-8", headers=headers)
