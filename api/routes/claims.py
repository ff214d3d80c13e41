"""Claims: lists, counts, whole documents, and the walk along their relations."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import from_json, to_json
from sqlalchemy import ColumnElement, Connection, false

from api.citations import formats, json_ld
from api.citations.formats import Format
from api.http import chosen_ids, list_formats, pagination, pending_proposals, search_parameters
from api.http.auth import Caller
from api.http.errors import LIST_ERRORS, RECORD_ERRORS, ParameterError
from api.http.list_formats import (
    ClaimFormatParameters,
    FormatParameters,
    ListFormatParameters,
    ListTableParameters,
)
from api.http.negotiation import JsonAccepted
from api.http.pagination import Page, Paging, choices
from api.http.read_connection import Reader
from api.http.read_route import ReadRoute
from api.tables import claims as claim_table
from api.tables import evidence as evidence_table
from api.tables.formats import TableFormat
from models.core.errors import Fault
from models.core.notice import GENERAL, NOTICE, with_general
from models.core.schema_names import partial_of, sometimes
from models.core.types import Shape, Text
from models.projection import documents
from models.read import facets, listings, references
from models.read.filters import (
    AS_OF,
    KNOWN_AT,
    NO_VALUES,
    ClaimFilters,
    Day,
    EvidenceFilters,
    Filters,
    Many,
    PastMoment,
    requested_parameters,
)
from models.read.listings import RELEVANCE
from models.read.search_results import HIGHLIGHT_PARTS, Search
from models.records.assessment import AssessmentOut
from models.records.claim import OccurrenceOut
from models.records.evidence import EvidenceOut
from models.records.relation import RelationOut
from models.records.serializers import Row
from models.records.source import SourceOut
from models.status import claim_aggregate
from models.status.claim_aggregate import PARTS, ClaimOut

router = APIRouter(prefix="/v1/claims", tags=["claims"], route_class=ReadRoute)

ClaimSlug = Annotated[
    Text, Path(max_length=200, description="The claim's slug.", examples=["ccsvi-causes-ms"])
]
ClaimField = Annotated[str, choices("fields", [*ClaimOut.model_fields, *PARTS], "ClaimField")]
ClaimPart = Annotated[str, choices("include", PARTS, "ClaimPart")]
EvidenceField = Annotated[str, choices("fields", [*EvidenceOut.model_fields], "EvidenceField")]
ClaimPartOrSubmitted = Annotated[
    str, choices("include", [*PARTS, pending_proposals.SUBMITTED], "ClaimPartOrSubmitted")
]
Submitted = Annotated[str, choices("include", [pending_proposals.SUBMITTED], "Submitted")]
ClaimSort = Annotated[str, pagination.sorts(listings.CLAIMS, "ClaimSort", RELEVANCE)]
EvidenceSort = Annotated[str, pagination.sorts(listings.EVIDENCE, "EvidenceSort", RELEVANCE)]
Fields = Many[ClaimField]


class ClaimParameters(
    ClaimFilters, Paging, ListFormatParameters, search_parameters.HighlightParameters
):
    """Which claims, in what order, and which parts of each; or their sources in another format."""

    sort: Many[ClaimSort] = Field(
        NO_VALUES,
        description="Such as `best_level` (the best first) or `-updated`;"
        " the id decides what is equal.",
    )
    fields: Fields = Field(NO_VALUES, description="Only these fields or parts.")
    include: Many[ClaimPart] = Field(NO_VALUES, description="Add these parts.")

    @property
    def takes_long(self) -> bool:
        """Return whether this searches text, counts, looks for a style of citations, or derives
        parts of claims as of a day.

        The fields of a claim are stored for each day, its parts are not.
        """
        return not {"q", "count", "style", "locale"}.isdisjoint(self.model_fields_set) or (
            self.as_of is not None and bool(parts_of(self.fields, self.include))
        )


class AllClaimParameters(ClaimParameters):
    """The same, and what waits for review."""

    include: Many[ClaimPartOrSubmitted] = Field(
        NO_VALUES, description=f"Add these parts. {pending_proposals.INCLUDE}"
    )


class Claim(pending_proposals.WithProposals, ClaimOut):
    """A claim: the parts are in a list where `include` asks for them, and in one claim alone."""

    notice: str | None = Field(
        description="In a list that of the claim, null where it has none; in one claim alone the"
        " general notice, and after it that of the claim."
    )
    occurrences: list[OccurrenceOut] = sometimes("Where it is stated.")
    evidence: list[EvidenceOut] = sometimes(
        "Accepted lines on the claim itself; those on a relation stand there."
    )
    sources: list[SourceOut] = sometimes("Every source that the other parts name.")
    relations: list[RelationOut] = sometimes("Ties that start from this claim.")
    assessments: list[AssessmentOut] = sometimes("What named persons and bodies decided.")
    highlight: search_parameters.Highlight = sometimes(search_parameters.HIGHLIGHT)
    web_page: str = sometimes(
        "Of one claim alone: the path of the page that shows the same to people."
    )


class PartialClaim(Shape):
    """What `fields` chose of a claim."""

    model_config = partial_of("Claim")


class ClaimListing(pending_proposals.WithProposals, chosen_ids.WithNotFound):
    """What is beside the claims of a page."""

    page: Page
    notice: str = Field(description=GENERAL)


class ClaimPage(ClaimListing):
    """A page of claims."""

    data: list[Claim]


class PartialClaimPage(ClaimListing):
    """A page of claims with `fields`: each has what they chose."""

    data: list[PartialClaim]


CHOSEN = "Only these fields."


class EvidenceParameters(
    EvidenceFilters, Paging, ListTableParameters, search_parameters.HighlightParameters
):
    """Which lines of evidence, in what order, in which representation."""

    sort: Many[EvidenceSort] = Field(
        NO_VALUES, description="Such as `level,-published`; the id decides what is equal."
    )
    fields: Many[EvidenceField] = Field(NO_VALUES, description=CHOSEN)


class SubmittedParameters(Shape):
    """What waits for review."""

    include: Many[Submitted] = Field(NO_VALUES, description=pending_proposals.INCLUDE)


class ClaimEvidenceParameters(EvidenceParameters, SubmittedParameters):
    """Which lines of evidence on a claim, in what order, and as recorded by when."""

    known_at: PastMoment | None = Field(None, description=KNOWN_AT)


class FoundEvidence(EvidenceOut):
    """A line of evidence as a list gives it."""

    highlight: search_parameters.Highlight = sometimes(search_parameters.HIGHLIGHT)


class PartialEvidence(Shape):
    """What `fields` chose of a line of evidence."""

    model_config = partial_of("FoundEvidence")


class EvidenceListing(pending_proposals.WithProposals, chosen_ids.WithNotFound):
    """What is beside the lines of evidence of a page."""

    page: Page
    notice: str = Field(description="The general notice, and after it that of the one claim asked.")
    left_out: str = sometimes("What a list across claims leaves out, and how to have it.")


class EvidencePage(EvidenceListing):
    """A page of lines of evidence."""

    data: list[FoundEvidence]


class PartialEvidencePage(EvidenceListing):
    """A page of lines of evidence with `fields`: each has what they chose."""

    data: list[PartialEvidence]


# A filter by one of these leaves few claims to count.
FEW = frozenset({"external_id", "topic", "document", "source", "collection", "asserted_by"})


class FacetParameters(ClaimFilters):
    """Which claims, and what to count them by."""

    by: Many[
        Annotated[str, choices("by", [*facets.FACETS, *facets.FURTHER_FACETS], "FacetName")]
    ] = Field(
        NO_VALUES,
        description=f"What to count by; by default all but {', '.join(facets.FURTHER_FACETS)}.",
    )

    @property
    def takes_long(self) -> bool:
        """Return whether this counts many claims: all, those of a search, or those of a day."""
        return self.q is not None or self.as_of is not None or not self.model_fields_set & FEW


class TermCount(Shape):
    """How many records have a term."""

    term: str
    count: int


class Facet(Shape):
    """The 100 commonest terms, the records counted under all others, and those without any."""

    terms: list[TermCount]
    other: int
    missing: int


class Facets(Shape):
    """How the records found are spread."""

    total: int = Field(description="Records found.")
    data: dict[str, Facet]
    search: pagination.SearchOut = sometimes("With `q`: how it was understood.")


def claim_lines(fields: Sequence[str], parts: Sequence[str]) -> pagination.Lines:
    """Return a function that makes JSON of rows of documents, all fields or some."""

    def lines(_connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        return [claim_bytes(row, fields, parts) for row in rows]

    return lines


def claim_bytes(row: Row, fields: Sequence[str], parts: Sequence[str]) -> bytes:
    """Return one document with these parts, or only the chosen fields of it and the parts."""
    if not fields:
        return documents.claim_json(row, parts)
    core = from_json(documents.claim_json(row))
    members = {name: to_json(core[name]) for name in fields if name in core}
    members |= {part: row[part] for part in parts}
    return (
        b"{"
        + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in members.items())
        + b"}"
    )


def parts_of(fields: Sequence[str], include: Sequence[str]) -> list[str]:
    """Return the parts that either parameter selects, in their own order."""
    return [part for part in PARTS if part in include or part in fields]


def claims_response(
    request: Request, connection: Connection, query: ClaimParameters, *also: ColumnElement[bool]
) -> Response:
    """Return the response of a list of claims that meet more conditions than the query's.

    With `as_of` it is the list of that day.
    """
    chosen = list_formats.requested_format(request, query)
    query, more = chosen_ids.choose(connection, "claim", query)
    listing = listings.CLAIMS if query.as_of is None else listings.CLAIMS_AS_OF
    sought, listing = search_parameters.apply_search(request, connection, listing, "claim", query)
    listing = listings.with_conditions(listing, *also)
    if isinstance(chosen, TableFormat):
        return _table_response(request, connection, chosen, listing, query)
    if chosen not in (None, list_formats.LINES):
        return list_formats.listing_response(
            request, connection, chosen, listing, query, list_formats.cited_sources
        )
    parts = parts_of(query.fields, query.include)
    marked = sought.query if sought is not None and query.highlight else None
    read = tuple(parts) if marked is None else tuple(dict.fromkeys([*parts, *HIGHLIGHT_PARTS]))
    if query.as_of is None:
        statement = listings.claims_statement(read)
        lines = claim_lines(query.fields, parts)
    else:
        statement = listings.claims_as_of_statement(read)
        lines = claim_lines_as_of(query.as_of, query.fields, parts)
    if marked is not None:
        lines = search_parameters.highlighting_claims(lines, marked, query.as_of)
    if chosen is list_formats.LINES:
        return list_formats.lines_response(
            request, connection, listing, statement, query, lines, "claims"
        )
    return pagination.listing_response(
        request, connection, listing, statement, query, lines, {**more, "notice": NOTICE}, sought
    )


def _table_response(
    request: Request,
    connection: Connection,
    chosen: TableFormat,
    listing: listings.Listing,
    query: ClaimParameters,
) -> Response:
    statement = (
        listings.claims_statement() if query.as_of is None else listings.claims_as_of_statement()
    )
    return list_formats.table_response(
        request,
        connection,
        chosen,
        claim_table.TABLE,
        listing,
        statement,
        query,
        claim_table.rows,
    )


def claim_lines_as_of(day: str, fields: Sequence[str], parts: Sequence[str]) -> pagination.Lines:
    """Return a function that makes JSON of claims with the evidence published by a day."""

    def lines(connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        if parts:
            rows = documents.parts_as_of(connection, rows, parts, day)
        return [claim_bytes(row, fields, parts) for row in rows]

    return lines


def _derived(
    claim: claim_aggregate.ClaimAggregate, fields: Sequence[str], parts: Sequence[str]
) -> Row:
    served = claim_aggregate.parts(claim)
    core = claim_aggregate.core(claim).model_dump()
    core["notice"] = with_general(core["notice"])
    chosen = {name: core[name] for name in fields if name in core} if fields else core
    return {**chosen, **{part: served[part] for part in parts}}


@router.get(
    "",
    response_model=ClaimPage | PartialClaimPage,
    responses=list_formats.responses(LIST_ERRORS, ListFormatParameters),
)
def list_claims(
    request: Request,
    connection: Reader,
    caller: Caller,
    query: Annotated[AllClaimParameters, Query()],
) -> Response:
    """List claims.

    All filters must hold; one and the same accepted line must meet all filters on evidence.
    """
    waiting = pending_proposals.proposals(request, connection, caller, query, "claim")
    return pending_proposals.with_proposals(claims_response(request, connection, query), waiting)


@router.get("/facets", response_model=Facets, responses=LIST_ERRORS, dependencies=[JsonAccepted])
def count_claims(
    request: Request, connection: Reader, query: Annotated[FacetParameters, Query()]
) -> Response:
    """Count the claims that the same filters find, by term.

    A claim with several terms counts under each.
    """
    query, _ = chosen_ids.choose(connection, "claim", query)
    listing = listings.CLAIMS if query.as_of is None else listings.CLAIMS_AS_OF
    sought, listing = search_parameters.apply_search(request, connection, listing, "claim", query)
    return facets_response(
        request, connection, listing, query, query.by or facets.FACETS, facets.facets, sought
    )


def facets_response(
    request: Request,
    connection: Connection,
    listing: listings.Listing,
    query: BaseModel,
    by: Sequence[str],
    counted: Callable[..., tuple[int, dict[str, Row]]],
    sought: Search | None,
) -> Response:
    """Return the response with the facets of a listing, as `counted` counts them."""
    parameters = references.resolve_references(connection, requested_parameters(query))
    etag = pagination.list_tag(connection)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    total, found = counted(connection, listing, parameters, by)
    answer: dict[str, Any] = {"total": total, "data": found}
    if sought is not None:
        answer["search"] = pagination.search_out(sought)
    return pagination.json_response(to_json(answer), etag)


class Times(Filters):
    """Evidence time and database time; both may be given."""

    as_of: Day | None = Field(None, description=AS_OF)
    known_at: PastMoment | None = Field(None, description=KNOWN_AT)


class OneClaimParameters(Times, ClaimFormatParameters):
    """How much of the claim, as of when, and in which representation."""

    fields: Fields = Field(NO_VALUES, description="Only these fields or parts.")
    include: Many[ClaimPartOrSubmitted] = Field(
        NO_VALUES,
        description="Add these parts to the chosen fields; without `fields` all of them are there. "
        + pending_proposals.INCLUDE,
    )


@router.get(
    "/{claim}",
    response_model=Claim | PartialClaim,
    responses=list_formats.responses(RECORD_ERRORS, ClaimFormatParameters),
)
def get_claim(
    request: Request,
    connection: Reader,
    caller: Caller,
    claim: ClaimSlug,
    query: Annotated[OneClaimParameters, Query()],
) -> Response:
    """Return one claim: its status and all its parts. The ETag is the serial of its last change.

    With `as_of` it is derived from the evidence published by then, with `known_at` from the records
    stored here by then; a claim that was not stated or not recorded by then is a 404.
    """
    waiting = pending_proposals.proposals(request, connection, caller, query, None, claim)
    return pending_proposals.with_proposals(_claim(request, connection, claim, query), waiting)


def _claim(
    request: Request, connection: Connection, claim: str, query: OneClaimParameters
) -> Response:
    chosen = list_formats.requested_format(request, query)
    links = {"Link": list_formats.claim_links(claim)}
    # Whatever is chosen, the notice is told.
    fields = [*query.fields, "notice"] if query.fields else ()
    if query.as_of or query.known_at or chosen:
        then = listings.load_claim(connection, claim, query.as_of, query.known_at)
        etag = f'"{then.claim["revision"]}"'
        if chosen:
            return _cited(request, chosen, then, etag, links, query.as_of)
        parts = _parts_of_one(query)
        unchanged = pagination.not_modified(request, etag)
        return unchanged or pagination.json_response(
            _with_page(to_json(_derived(then, fields, parts)), claim, query), etag, links
        )
    parts = _parts_of_one(query)
    row = listings.read_claim(connection, claim, parts)
    etag = f'"{row["revision"]}"'
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    stored = from_json(row["fields"])
    told = {**row, "fields": to_json({**stored, "notice": with_general(stored["notice"])})}
    content = _with_page(claim_bytes(told, fields, parts), claim, query)
    return pagination.json_response(content, etag, links)


def _parts_of_one(query: OneClaimParameters) -> list[str]:
    """Return the parts of one claim that are shown: all, unless fields of it were chosen."""
    return parts_of(query.fields, query.include if query.fields else PARTS)


def _with_page(content: bytes, claim: str, query: OneClaimParameters) -> bytes:
    """Return the JSON of a claim, unless fields of it were chosen, with the path of its page."""
    if query.fields:
        return content
    times = {"as_of": query.as_of, "known_at": query.known_at}
    told = urlencode({name: time for name, time in times.items() if time}, safe=":")
    page = to_json(f"/claims/{claim}{'?' if told else ''}{told}")
    return content[:-1] + b',"web_page":' + page + b"}"


def notice_of(document: Mapping[str, Any]) -> str:
    """Return the notice in an answer about one claim, whose document has its `fields`."""
    return with_general(from_json(document["fields"])["notice"])


def _cited(
    request: Request,
    chosen: Format,
    claim: claim_aggregate.ClaimAggregate,
    etag: str,
    links: Mapping[str, str],
    day: str | None,
) -> Response:
    """Answer a claim as something to cite, or as schema.org's Claim and ClaimReview."""
    if unchanged := list_formats.not_modified(request, chosen, etag):
        return unchanged
    core = claim_aggregate.core(claim).model_dump()
    document = {**core, **claim_aggregate.parts(claim)}
    if (write := formats.CLAIM_WRITERS.get(chosen.name)) is not None:
        make_file = partial(write, document)
        return list_formats.made_file(request, chosen, make_file, etag, core["id"], links)
    if chosen.name in formats.LINKED_DATA:
        make = partial(json_ld.claim, document)
        return list_formats.linked_file(request, chosen, make, etag, core["id"], links)
    return list_formats.sources_response(
        request,
        chosen,
        [list_formats.claim_as_source(core, pagination.base_of(request), day)],
        etag,
        core["id"],
        links,
        alone=True,
    )


class ClaimSourcesParameters(Filters, FormatParameters):
    """In which representation."""


class ClaimSources(Shape):
    """The sources of a claim."""

    data: list[SourceOut]


@router.get(
    "/{claim}/sources", response_model=ClaimSources, responses=list_formats.responses(RECORD_ERRORS)
)
def list_claim_sources(
    request: Request,
    connection: Reader,
    claim: ClaimSlug,
    query: Annotated[ClaimSourcesParameters, Query()],
) -> Response:
    """List every source that a claim's parts name, as JSON or in a format of reference managers."""
    chosen = list_formats.requested_format(request, query)
    row = listings.read_claim(connection, claim, ["sources"])
    etag = f'"{row["revision"]}"'
    if chosen is None:
        return pagination.not_modified(request, etag) or pagination.json_response(
            b'{"data":' + row["sources"] + b"}", etag
        )
    unchanged = list_formats.not_modified(request, chosen, etag)
    return unchanged or list_formats.sources_response(
        request, chosen, from_json(row["sources"]), etag, f"{claim}-sources"
    )


@router.get(
    "/{claim}/evidence",
    response_model=EvidencePage | PartialEvidencePage,
    responses=list_formats.responses(RECORD_ERRORS, ListTableParameters),
)
def list_claim_evidence(
    request: Request,
    connection: Reader,
    caller: Caller,
    claim: ClaimSlug,
    query: Annotated[ClaimEvidenceParameters, Query()],
) -> Response:
    """List the accepted lines of evidence on one claim.

    With `known_at` all that were recorded by then, on one page.
    """
    if query.known_at:
        return _evidence_known_at(request, connection, claim, query)
    notice = notice_of(listings.read_claim(connection, claim, ()))
    on_claim = (listings.line.c.claim == claim, listings.line.c.on_relation == false())
    waiting = pending_proposals.proposals(request, connection, caller, query, "evidence", claim)
    return pending_proposals.with_proposals(
        evidence_response(request, connection, query, *on_claim, notice=notice), waiting
    )


def _evidence_known_at(
    request: Request, connection: Connection, claim: str, query: ClaimEvidenceParameters
) -> Response:
    chosen = list_formats.requested_format(request, query)
    others = sorted(requested_parameters(query).keys() - {"known_at", "as_of", "format", "bom"})
    if others:
        detail = f"known_at goes with as_of alone here, not with {', '.join(others)}."
        raise ParameterError(
            detail, [Fault(at="known_at", code="invalid_parameter", detail=detail)]
        )
    claim_then = listings.load_claim(connection, claim, None, query.known_at)
    etag = pagination.list_tag(connection)
    by_then = query.as_of or "9999"
    lines = [
        line
        for line in claim_aggregate.parts(claim_then)["evidence"]
        if line["published"] <= by_then
    ]
    name = f"{claim}-evidence"
    if chosen is list_formats.LINES:
        return list_formats.lines_file(request, map(to_json, lines), etag, name)
    if chosen is not None:
        rows = evidence_table.rows_of(connection, lines)
        return list_formats.table_file(request, chosen, evidence_table.TABLE, rows, etag, name)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    answer = {
        "data": lines,
        "page": {
            "limit": max(len(lines), 1),
            "next": None,
            **pagination.state(connection),
        },
        "notice": with_general(claim_then.claim["notice"]),
    }
    return pagination.json_response(to_json(answer), etag)


def evidence_response(
    request: Request,
    connection: Connection,
    query: EvidenceParameters,
    *also: ColumnElement[bool],
    of: listings.Listing = listings.EVIDENCE,
    more: Mapping[str, Any] = MappingProxyType({}),
    notice: str = NOTICE,
) -> Response:
    """Return the response of a list of lines of evidence that meet more conditions.

    `more` are further members of a page.
    """
    chosen = list_formats.requested_format(request, query)
    sought, listing = search_parameters.apply_search(request, connection, of, "evidence", query)
    listing = listings.with_conditions(listing, *also)
    statement = listings.evidence_statement()
    if isinstance(chosen, TableFormat):
        return list_formats.table_response(
            request,
            connection,
            chosen,
            evidence_table.TABLE,
            listing,
            statement,
            query,
            evidence_table.rows,
        )
    lines = evidence_lines(query.fields)
    if sought is not None and query.highlight:
        lines = search_parameters.highlighting_evidence(lines, sought.query)
    if chosen is list_formats.LINES:
        return list_formats.lines_response(
            request, connection, listing, statement, query, lines, "evidence"
        )
    return pagination.listing_response(
        request, connection, listing, statement, query, lines, {**more, "notice": notice}, sought
    )


def evidence_lines(fields: Sequence[str]) -> pagination.Lines:
    """Return a function that makes JSON of lines of evidence, all fields or some."""

    def lines(_connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        return [evidence_bytes(row["document"], fields) for row in rows]

    return lines


def evidence_bytes(document: bytes, fields: Sequence[str]) -> bytes:
    """Return the JSON of a line of evidence, or only the chosen fields of it."""
    if not fields:
        return document
    line = from_json(document)
    return to_json({name: line[name] for name in fields})
