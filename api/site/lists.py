"""Lists to look around in: claims with their facets, lines of evidence, sources, topics, search.

The address of a page is the query: its names are those of the API.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import from_json
from sqlalchemy import Connection, select

from api.http import pagination, search_parameters
from api.http.pagination import Paging
from api.http.read_connection import ThreadReader
from api.routes.claims import FEW, ClaimSort, EvidenceSort
from api.routes.sources import SourceSort
from api.site import forest_plot, stacked_years
from api.site.pages import PageRoute, not_modified, page, page_tag
from models.core import vocabularies as v
from models.core.dates import now
from models.core.types import Text
from models.database.full_text import Query as SearchQuery
from models.read import facets, listings, search_results
from models.read.filters import (
    LINE_CONDITIONS,
    NO_VALUES,
    AllEvidenceFilters,
    ClaimFilters,
    Filters,
    Many,
    SearchText,
    SourceFilters,
    requested_parameters,
    same_line_parameters,
    split_text,
)
from models.read.listings import document, topic
from models.records.claim import TopicOut
from models.records.serializers import Row, columns_of, sources_by_id, sources_out
from models.search.query import parse_query
from models.status.matrix import matrix_row

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# By what claims are counted beside their list.
CLAIM_FACETS = ("status", "certainty", "kind", "topic", "evidence_level", "direction")
QUICK_FACETS = CLAIM_FACETS[:3]
VOCABULARIES = {
    "status": v.STATUSES,
    "certainty": v.CERTAINTIES,
    "kind": v.CLAIM_KINDS,
    "evidence_level": v.EVIDENCE_LEVELS,
    "direction": v.DIRECTIONS,
}
# Parameters whose values are never taken apart at commas.
WITH_COMMAS = ("q", "journal", "author", "rating", "external_id")
# What says nothing of which claims are listed.
NOT_COUNTED = ("sort", "limit")
TERMS_SHOWN = 12
# The best matches of each sort; the rest is a click away.
RESULTS_SHOWN = 10
PLACES_SHOWN = 2
# The words of a search that found nothing, each of which is tried alone.
WORDS_TRIED = 6
TOPICS_SHOWN = 250
CLAIMS_OF_TOPIC = 50
# As many claims as a table can show in 100 kB.
CLAIMS_IN_MATRIX = 15


class ClaimListParameters(ClaimFilters, Paging):
    """Which claims, in what order."""

    sort: Many[ClaimSort] = Field(NO_VALUES, description="The id decides what is equal.")


class EvidenceListParameters(AllEvidenceFilters, Paging):
    """Which lines of evidence, in what order."""

    sort: Many[EvidenceSort] = Field(NO_VALUES, description="The id decides what is equal.")


class SourceListParameters(SourceFilters, Paging):
    """Which sources, in what order."""

    sort: Many[SourceSort] = Field(NO_VALUES, description="The id decides what is equal.")


class SearchParameters(Filters):
    """What to search for."""

    q: SearchText | None = Field(None, description="Words to search for.")


class Filter(BaseModel):
    """A filter that is set, and the address without it."""

    name: str
    value: str
    without: str


def pairs_of(request: Request) -> list[tuple[str, str]]:
    """Return the parameters of a request, those with commas taken apart, without its cursor."""
    return [
        (name, part)
        for name, value in parse_qsl(request.url.query)
        for part in _parts(name, value)
        if name != "cursor" and part
    ]


def _parts(name: str, value: str) -> Iterable[str]:
    """Return the values of a parameter, as the API takes them apart: a journal may have commas."""
    return [value] if name in WITH_COMMAS else split_text(value)


def address(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return the address of a list with these parameters."""
    query = urlencode(list(pairs), safe=":")
    return f"{path}?{query}" if query else path


def set_filters(request: Request) -> list[Filter]:
    """Return the filters of a request, each with the address of the list without it."""
    pairs = pairs_of(request)
    return [
        Filter(
            name=name,
            value=value,
            without=address(request.url.path, [pair for pair in pairs if pair != (name, value)]),
        )
        for name, value in pairs
        if name not in ("sort", "limit")
    ]


def around(request: Request, api_path: str, cursor: str | None) -> dict[str, Any]:
    """Return what every list shows around its rows: its filters, the next page, the same by API."""
    pairs = pairs_of(request)
    asked: dict[str, list[str]] = {}
    for name, value in pairs:
        asked.setdefault(name, []).append(value)
    return {
        "filters": set_filters(request),
        "kept": [pair for pair in pairs if pair[0] not in ("q", "as_of", "sort")],
        "asked": {name: ",".join(values) for name, values in asked.items()},
        "next_page": address(request.url.path, [*pairs, ("cursor", cursor)]) if cursor else None,
        "is_first": "cursor=" not in request.url.query,
        "first_page": address(request.url.path, pairs),
        "json_address": address(api_path, pairs),
        "download": lambda name: address(api_path, [*pairs, ("format", name)]),
    }


@router.get("/claims")
def show_claims(
    request: Request, connection: ThreadReader, query: Annotated[ClaimListParameters, Query()]
) -> Response:
    """Show claims that meet the filters, with counts by which to go on."""
    etag = page_tag(connection)
    if unchanged := not_modified(request, etag):
        return unchanged
    listing = listings.CLAIMS if query.as_of is None else listings.CLAIMS_AS_OF
    _, listing = search_parameters.apply_search(request, connection, listing, "claim", query)
    statement = (
        listings.claims_statement() if query.as_of is None else listings.claims_as_of_statement()
    )
    rows, cursor, parameters = pagination.read_rows(request, connection, listing, statement, query)
    is_counted = query.q is None and query.as_of is None
    return page(
        request,
        etag,
        "claims.html",
        title="Claims",
        description="Claims with the status that the evidence gives them.",
        total=facets.count(connection, listing, parameters) if is_counted else None,
        claims=[_claim(row) for row in rows],
        facets=_facets(request, connection, listing, parameters, _counted_here(query)),
        counts_address=address(
            "/v1/claims/facets", [pair for pair in pairs_of(request) if pair[0] not in NOT_COUNTED]
        ),
        statuses=v.STATUSES.terms,
        table=address("/v1/matrix", [*pairs_of(request), ("format", "csv")]),
        sorts=(
            ("", "best match" if query.q else "name"),
            ("-updated", "changed lately"),
            ("status", "status"),
            ("-certainty", "certainty"),
            ("-evidence_count", "most evidence"),
        ),
        **around(request, "/v1/claims", cursor),
    )


def _claim(row: Mapping[str, Any]) -> Row:
    return {**from_json(row["fields"]), **from_json(row["derived"])}


def _counted_here(query: ClaimListParameters) -> Sequence[str]:
    """Return the facets that are counted at once; the script of the page asks for the others.

    A page must not wait for them: among 100,000 claims each takes some 30 ms, and those of a search
    or of a day far more.
    """
    if query.q is not None or query.as_of is not None:
        return ()
    return CLAIM_FACETS if query.model_fields_set & FEW else QUICK_FACETS


def _facets(
    request: Request,
    connection: Connection,
    listing: listings.Listing,
    parameters: Mapping[str, Any],
    counted_here: Sequence[str],
) -> list[Row]:
    """Return the terms to filter by, each with the number of claims that the list would then have,
    or None where it is not counted.

    A field that is filtered by is counted as if it were not, since another term of it widens the
    list.
    """
    pairs = pairs_of(request)
    shown = []
    for name in CLAIM_FACETS:
        chosen = {value for each, value in pairs if each == name}
        others = {each: value for each, value in parameters.items() if each != name}
        of_a_line = name in LINE_CONDITIONS and bool(same_line_parameters({**others, name: []}))
        if name in counted_here and of_a_line:
            counted = _counted_by_line(connection, listing, others, name)
        elif name in counted_here:
            counted = facets.facets(connection, listing, others, (name,))[1][name]["terms"]
        else:
            counted = [{"term": each, "count": None} for each in _terms_of(connection, name)]
        terms = [
            {
                **each,
                "chosen": each["term"] in chosen,
                "address": address(request.url.path, _toggled(pairs, (name, each["term"]))),
            }
            for each in counted
            if each["term"] in chosen or len(counted) > 1
        ]
        if terms:
            shown.append(
                {
                    "name": name,
                    "terms": terms[:TERMS_SHOWN],
                    "rest": terms[TERMS_SHOWN:],
                    # What the API counts of it is not what the list would have.
                    "has_own_counts": bool(chosen) or of_a_line,
                }
            )
    return shown


def _counted_by_line(
    connection: Connection, listing: listings.Listing, others: Mapping[str, Any], name: str
) -> list[Row]:
    """Return the number of claims with each term of a field of lines, if one and the same line has
    it and meets the other filters on evidence.
    """
    counts = [
        {"term": each, "count": facets.count(connection, listing, {**others, name: [each]})}
        for each in VOCABULARIES[name].ids
    ]
    return [each for each in counts if each["count"]]


def _terms_of(connection: Connection, name: str) -> Sequence[str]:
    """Return the terms of a field: those of its vocabulary, or the first topics."""
    if name in VOCABULARIES:
        return VOCABULARIES[name].ids
    accepted = select(topic.c.id).where(topic.c.state == "accepted").order_by(topic.c.id)
    return list(connection.scalars(accepted.limit(TERMS_SHOWN)))


def _toggled(pairs: Sequence[tuple[str, str]], pair: tuple[str, str]) -> list[tuple[str, str]]:
    return [each for each in pairs if each != pair] if pair in pairs else [*pairs, pair]


@router.get("/evidence")
def show_evidence(
    request: Request, connection: ThreadReader, query: Annotated[EvidenceListParameters, Query()]
) -> Response:
    """Show lines of evidence that meet the filters as a table."""
    etag = page_tag(connection)
    if unchanged := not_modified(request, etag):
        return unchanged
    rows, cursor, parameters = pagination.read_rows(
        request, connection, listings.EVIDENCE, listings.evidence_statement(), query
    )
    lines = [from_json(row["document"]) for row in rows]
    return page(
        request,
        etag,
        "evidence.html",
        title="Evidence",
        description="Lines of evidence across claims, with their designs, sizes and effects.",
        total=facets.count(connection, listings.EVIDENCE, parameters),
        lines=[_with_effects(line) for line in lines],
        statements=statements_of(connection, {line["claim"] for line in lines}),
        choices=(
            ("direction", "Direction", v.DIRECTIONS.terms),
            ("study_design", "Design", v.STUDY_DESIGNS.terms),
            (
                "level.lte",
                "Level, at least",
                [term for term in v.EVIDENCE_LEVELS.terms if term.id != "not_gradable"],
            ),
            ("directness", "Directness", v.DIRECTNESS.terms),
            ("question", "Question", v.QUESTIONS.terms),
        ),
        sorts=(
            ("", "claim"),
            ("level,-published", "best level"),
            ("-published", "newest"),
            ("-sample_size", "largest"),
        ),
        **around(request, "/v1/evidence", cursor),
    )


def _with_effects(line: Row) -> Row:
    return {**line, "told": [forest_plot.in_words(effect) for effect in line["effects"]]}


def statements_of(connection: Connection, claims: Iterable[str]) -> dict[str, str]:
    """Return the statement of each of these claims that has a document."""
    found = connection.execute(
        select(document.c.claim, document.c.statement).where(document.c.claim.in_(sorted(claims)))
    )
    return {row.claim: row.statement for row in found}


@router.get("/sources")
def show_sources(
    request: Request, connection: ThreadReader, query: Annotated[SourceListParameters, Query()]
) -> Response:
    """Show sources that meet the filters."""
    etag = page_tag(connection)
    if unchanged := not_modified(request, etag):
        return unchanged
    _, listing = search_parameters.apply_search(
        request, connection, listings.SOURCES, "source", query
    )
    rows, cursor, parameters = pagination.read_rows(
        request, connection, listing, listings.sources_statement(), query
    )
    return page(
        request,
        etag,
        "sources.html",
        title="Sources",
        description="The works that state claims or give evidence on them, ready to be cited.",
        total=facets.count(connection, listing, parameters),
        sources=sources_out(connection, rows),
        choices=(
            ("type", "Type", v.SOURCE_TYPES.terms),
            ("study_design", "Design", v.STUDY_DESIGNS.terms),
            ("integrity", "Notices", v.INTEGRITIES.terms),
        ),
        sorts=(
            ("", "best match" if query.q else "name"),
            ("-published", "newest"),
            ("published", "oldest"),
            ("title", "title"),
        ),
        **around(request, "/v1/sources", cursor),
    )


@router.get("/search")
def show_search(
    request: Request, connection: ThreadReader, query: Annotated[SearchParameters, Query()]
) -> Response:
    """Show what is found: claims first, then sources."""
    etag = page_tag(connection)
    if unchanged := not_modified(request, etag):
        return unchanged
    claims: list[Row] = []
    sources: list[Row] = []
    if query.q is not None:
        claims = _found_claims(request, connection, query)
        sources = _found_sources(request, connection, query)
    return page(
        request,
        etag,
        "search.html",
        title=f"Search: {query.q}" if query.q else "Search",
        json_address=address("/v1/claims", [("q", query.q)]) if query.q else "/v1/claims",
        q=query.q,
        claims=claims,
        sources=sources,
        most=RESULTS_SHOWN,
        has_synonyms=bool(query.q) and _has_synonyms(request, query.q),
        near=[] if claims or sources or not query.q else _near(connection, query.q),
        alone=[] if claims or sources or not query.q else _alone(request, connection, query.q),
    )


def _has_synonyms(request: Request, q: str | None) -> bool:
    """Return whether other wordings for the same are searched for, too."""
    branches = parse_query(q or "", request.app.state.synonyms)
    return any(len(term) > 1 for branch in branches for term in branch.wanted)


def _alone(request: Request, connection: Connection, q: str) -> list[tuple[str, int]]:
    """Return the words of a search that find claims each by itself, with the number of these."""
    words = dict.fromkeys(word for word in re.findall(r"[\w-]+", q) if len(word) > 2)
    numbers = {}
    for word in list(words)[:WORDS_TRIED] if len(words) > 1 else ():
        _, listing = _search(request, connection, listings.CLAIMS, "claim", word)
        numbers[word] = facets.count(connection, listing, {"q": word})
    return [(word, number) for word, number in numbers.items() if number]


class _Found(BaseModel):
    """What `apply_search` and `read_rows` look at."""

    q: str
    sort: list[str] = []
    limit: int = RESULTS_SHOWN
    cursor: str | None = None


def _search(
    request: Request, connection: Connection, listing: listings.Listing, kind: str, q: str
) -> tuple[SearchQuery, listings.Listing]:
    found, searched = search_parameters.apply_search(
        request, connection, listing, kind, _Found(q=q)
    )
    assert found is not None
    return found, searched


def _found_claims(request: Request, connection: Connection, query: SearchParameters) -> list[Row]:
    assert query.q is not None
    sought, listing = _search(request, connection, listings.CLAIMS, "claim", query.q)
    rows, _ = listings.read_page(
        connection,
        listing,
        listings.claims_statement(search_results.HIGHLIGHT_PARTS),
        requested_parameters(query),
        listing.default,
        None,
        RESULTS_SHOWN,
    )
    marked = search_results.highlights(rows, sought, None)
    return [
        {**_claim(row), "marked": _marks(highlights)}
        for row, highlights in zip(rows, marked, strict=True)
    ]


def _found_sources(request: Request, connection: Connection, query: SearchParameters) -> list[Row]:
    assert query.q is not None
    sought, listing = _search(request, connection, listings.SOURCES, "source", query.q)
    rows, _ = listings.read_page(
        connection,
        listing,
        listings.sources_statement(),
        requested_parameters(query),
        listing.default,
        None,
        RESULTS_SHOWN,
    )
    found = sources_out(connection, rows)
    marked = search_results.source_highlights(found, sought)
    return [
        {**source, "marked": _marks(highlights)}
        for source, highlights in zip(found, marked, strict=True)
    ]


def _marks(highlights: Mapping[str, str]) -> Row:
    """Return the marked statement or title, if it has a match, and some other marked texts.

    They are HTML already, in which only the marks are elements.
    """
    own = highlights.get("statement") or highlights.get("title")
    others = [html for name, html in highlights.items() if name not in ("statement", "title")]
    return {"own": own, "others": others[:PLACES_SHOWN]}


def _near(connection: Connection, q: str) -> list[Row]:
    """Return records whose names begin like the last word that was searched for."""
    words = q.split()
    return (
        search_results.suggest(connection, words[-1][:4], ("claim", "source", "topic"))
        if words
        else []
    )


@router.get("/topics")
def show_topics(request: Request, connection: ThreadReader) -> Response:
    """Show all topics with the number of their claims."""
    etag = page_tag(connection)
    if unchanged := not_modified(request, etag):
        return unchanged
    rows = connection.execute(
        select(topic).where(topic.c.state == "accepted").order_by(topic.c.id).limit(TOPICS_SHOWN)
    ).mappings()
    _, counted = facets.facets(connection, listings.CLAIMS, {}, ("topic",))
    numbers = {term["term"]: term["count"] for term in counted["topic"]["terms"]}
    return page(
        request,
        etag,
        "topics.html",
        title="Topics",
        json_address="/v1/topics",
        topics=[{**dict(row), "number": numbers.get(row["id"])} for row in rows],
    )


TopicSlug = Annotated[Text, Path(max_length=200)]


@router.get("/topics/{topic}")
def show_topic(request: Request, connection: ThreadReader, topic: TopicSlug) -> Response:
    """Show a topic: its claims by status over the years, and as they stand."""
    etag = page_tag(connection)
    if unchanged := not_modified(request, etag):
        return unchanged
    found = columns_of(listings.read_topic(connection, topic), TopicOut)
    rows, mark = listings.read_page(
        connection,
        listings.CLAIMS,
        listings.claims_statement(),
        {"topic": [topic]},
        (),
        None,
        CLAIMS_OF_TOPIC,
    )
    history = facets.status_history(connection, [topic], int(now()[:4]))
    return page(
        request,
        etag,
        "topic.html",
        title=found["label"],
        description=found["definition"] or "",
        json_address=f"/v1/topics/{topic}",
        feed=f"/changes.atom?topic={topic}",
        topic=found,
        claims=[_claim(row) for row in rows],
        has_more=mark is not None,
        picture=stacked_years.stack(history),
        history=history,
        statuses=v.STATUSES.terms,
    )


@router.get("/topics/{topic}/matrix")
def show_matrix(request: Request, connection: ThreadReader, topic: TopicSlug) -> Response:
    """Show what each source says of each claim of a topic, with side and rank."""
    etag = page_tag(connection)
    if unchanged := not_modified(request, etag):
        return unchanged
    found = columns_of(listings.read_topic(connection, topic), TopicOut)
    rows, mark = listings.read_page(
        connection,
        listings.CLAIMS,
        listings.claims_statement(("evidence",)),
        {"topic": [topic]},
        ("-evidence_count",),
        None,
        CLAIMS_IN_MATRIX,
    )
    claims = [matrix_row(_claim(row), from_json(row["evidence"]), None) for row in rows]
    named = {cell.source for claim in claims for cell in claim.cells}
    sources = sources_by_id(connection, sorted(named))
    order = sorted(named, key=lambda slug: (sources[slug]["published"], slug))
    cells = {(claim.claim, cell.source): cell for claim in claims for cell in reversed(claim.cells)}
    return page(
        request,
        etag,
        "matrix.html",
        title=f"Evidence on {found['label']}",
        json_address=f"/v1/matrix?topic={topic}",
        topic=found,
        claims=claims,
        sources=[sources[slug] for slug in order],
        cells=cells,
        has_more=mark is not None,
    )
