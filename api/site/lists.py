"""Lists to look around in: claims with their facets, lines of evidence, sources.

The address of a page is the query: its names are those of the API.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from pydantic_core import from_json
from sqlalchemy import Connection, select

from api.http import pagination, search_parameters
from api.http.pagination import Paging
from api.http.read_connection import ThreadReader
from api.routes.claims import FEW, ClaimSort, EvidenceSort
from api.routes.sources import SourceSort
from api.site import forest_plot
from api.site.notes import names_in
from api.site.pages import PageRoute, page
from models.core import vocabularies as v
from models.core.types import Shape
from models.read import facets, listings
from models.read.filters import (
    NO_VALUES,
    AllEvidenceFilters,
    ClaimFilters,
    Many,
    SourceFilters,
    same_line_parameters,
    split_text,
)
from models.read.listings import topic
from models.records.serializers import Row, sources_by_id, sources_out

router = APIRouter(route_class=PageRoute, include_in_schema=False)


class Choice(Shape):
    """A choice of a filter that stands for several terms."""

    id: str
    label: str


# By what claims are counted beside their list.
CLAIM_FACETS = (
    *("status", "certainty", "kind", "topic", "evidence_level", "direction", "study_design"),
    *("year", "single_group"),
)
QUICK_FACETS = CLAIM_FACETS[:3]
# Of no more claims than these in all, every facet is counted at once.
FEW_CLAIMS = 2_000
VOCABULARIES = {
    "status": v.STATUSES,
    "certainty": v.CERTAINTIES,
    "kind": v.CLAIM_KINDS,
    "evidence_level": v.EVIDENCE_LEVELS,
    "direction": v.DIRECTIONS,
    "study_design": v.STUDY_DESIGNS,
}
# Parameters whose values are never taken apart at commas.
WITH_COMMAS = ("q", "journal", "author", "rating", "external_id")
# Who looks for trials means both, and would miss half of them.
ANY_RANDOMISED = Choice(
    id="randomised_trial,sham_controlled_trial", label="Randomised, sham-controlled or not"
)
# What says nothing of which claims are listed.
NOT_COUNTED = ("sort", "limit")
TERMS_SHOWN = 12


class ClaimListParameters(ClaimFilters, Paging):
    """Which claims, in what order."""

    sort: Many[ClaimSort] = Field(NO_VALUES, description="The id decides what is equal.")


class EvidenceListParameters(AllEvidenceFilters, Paging):
    """Which lines of evidence, in what order."""

    sort: Many[EvidenceSort] = Field(NO_VALUES, description="The id decides what is equal.")


class SourceListParameters(SourceFilters, Paging):
    """Which sources, in what order."""

    sort: Many[SourceSort] = Field(NO_VALUES, description="The id decides what is equal.")


class Filter(Shape):
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
    listing = listings.CLAIMS if query.as_of is None else listings.CLAIMS_AS_OF
    search, listing = search_parameters.apply_search(request, connection, listing, "claim", query)
    statement = (
        listings.claims_statement() if query.as_of is None else listings.claims_as_of_statement()
    )
    rows, cursor, parameters = pagination.read_rows(request, connection, listing, statement, query)
    counted_here = _counted_here(connection, query, parameters)
    return page(
        request,
        "claims.html",
        search=search,
        title="Claims",
        description="Claims with the status that the evidence gives them.",
        total=facets.count(connection, listing, parameters) if counted_here else None,
        claims=[claim_of(row) for row in rows],
        facets=_facets(request, connection, listing, parameters, counted_here),
        counts_address=address(
            "/v1/claims/facets", [pair for pair in pairs_of(request) if pair[0] not in NOT_COUNTED]
        ),
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


def claim_of(row: Mapping[str, Any]) -> Row:
    """Return the fields of a claim with what follows from its evidence, of a row of documents."""
    return {**from_json(row["fields"]), **from_json(row["derived"])}


def _counted_here(
    connection: Connection, query: ClaimListParameters, parameters: Mapping[str, Any]
) -> Sequence[str]:
    """Return the facets that are counted at once; the script of the page asks for the others.

    A page must not wait for them: among 100,000 claims each takes some 30 ms, and those of a
    search, of a day, or of claims with a line of some sort far more. Without any, the claims are
    not counted here either.
    """
    if query.q is not None or query.as_of is not None:
        return ()
    if query.model_fields_set & FEW or facets.count(connection, listings.CLAIMS, {}) <= FEW_CLAIMS:
        return CLAIM_FACETS
    return () if same_line_parameters(parameters) else QUICK_FACETS


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
        if name in counted_here:
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
                    "has_own_counts": bool(chosen),
                }
            )
    return shown


def _terms_of(connection: Connection, name: str) -> Sequence[str]:
    """Return the terms of a field: those of its vocabulary, the years of evidence, the newest
    first, yes and no, or the first topics.
    """
    if name in VOCABULARIES:
        return VOCABULARIES[name].ids
    if name == "year":
        return facets.years_of_evidence(connection)
    if name == "single_group":
        return ("true", "false")
    accepted = select(topic.c.id).where(topic.c.state == "accepted").order_by(topic.c.id)
    return list(connection.scalars(accepted.limit(TERMS_SHOWN)))


def _toggled(pairs: Sequence[tuple[str, str]], pair: tuple[str, str]) -> list[tuple[str, str]]:
    return [each for each in pairs if each != pair] if pair in pairs else [*pairs, pair]


@router.get("/evidence")
def show_evidence(
    request: Request, connection: ThreadReader, query: Annotated[EvidenceListParameters, Query()]
) -> Response:
    """Show lines of evidence that meet the filters as a table."""
    search, listing = search_parameters.apply_search(
        request, connection, listings.EVIDENCE_UNRETRACTED, "evidence", query
    )
    rows, cursor, parameters = pagination.read_rows(
        request, connection, listing, listings.evidence_statement(), query
    )
    lines = [from_json(row["document"]) for row in rows]
    sources = sources_by_id(connection, {line["source"] for line in lines})
    return page(
        request,
        "evidence.html",
        search=search,
        title="Evidence",
        description="Lines of evidence across claims, with their designs, sizes and effects.",
        total=facets.count(connection, listing, parameters),
        lines=[forest_plot.with_words(line) for line in lines],
        claims=listings.claim_briefs(connection, {line["claim"] for line in lines}),
        venues={slug: source["container_title"] for slug, source in sources.items()},
        names=names_in(connection, [line["finding"] for line in lines]),
        choices=(
            ("direction", "Direction", v.DIRECTIONS.terms),
            ("study_design", "Design", (ANY_RANDOMISED, *v.STUDY_DESIGNS.terms)),
            (
                "level.lte",
                "Level, at least",
                [term for term in v.EVIDENCE_LEVELS.terms if term.id != "not_gradable"],
            ),
            ("directness", "Directness", v.DIRECTNESS.terms),
            ("question", "Question", v.QUESTIONS.terms),
        ),
        sorts=(
            ("", "best match" if search else "claim"),
            ("level,-published", "best level"),
            ("-published", "newest"),
            ("-sample_size", "largest"),
        ),
        **around(request, "/v1/evidence", cursor),
    )


@router.get("/sources")
def show_sources(
    request: Request, connection: ThreadReader, query: Annotated[SourceListParameters, Query()]
) -> Response:
    """Show sources that meet the filters."""
    search, listing = search_parameters.apply_search(
        request, connection, listings.SOURCES, "source", query
    )
    rows, cursor, parameters = pagination.read_rows(
        request, connection, listing, listings.sources_statement(), query
    )
    return page(
        request,
        "sources.html",
        search=search,
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
