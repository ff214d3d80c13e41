"""Claims over time: periods of status, explanations, differences between days, and revisions."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy import Connection, select
from starlette.convertors import StringConvertor, register_url_convertor

from api.citations import provenance
from api.http import list_formats, pagination
from api.http.auth import Caller
from api.http.errors import LIST_ERRORS, RECORD_ERRORS, ParameterError, not_acceptable
from api.http.list_formats import LinkedParameters, TableParameters
from api.http.negotiation import JsonAccepted, negotiate
from api.http.pagination import Page, Paging, choices
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from api.routes.claims import ClaimSlug, Times
from api.tables import timeline as timeline_table
from models.access.proposal_ownership import may_see
from models.core import vocabularies as v
from models.core.dates import now
from models.core.errors import Fault
from models.core.types import Shape, Slug
from models.read import change_feed, facets, listings, references
from models.read.filters import NO_VALUES, Day, Filters, Many, requested_parameters
from models.read.predictions import predictions
from models.records.record_types import RECORD_TYPES
from models.records.revision import PUBLIC_STATES, RevisionOut, RevisionWhole, withhold_private
from models.records.serializers import Row, columns_of
from models.status import claim_aggregate, explanation
from models.status.claim_aggregate import ClaimAggregate
from models.status.explanation import Explanation, StatusDifference, Timeline

router = APIRouter(prefix="/v1", tags=["time"], dependencies=[JsonAccepted], route_class=ReadRoute)
worded = APIRouter(prefix="/v1", tags=["time"], route_class=ReadRoute)

PLAIN = "text/plain"


class SerialConvertor(StringConvertor):
    """Matches a path segment up to a colon, so that GET `/revisions/1:undo` is refused for its
    method and not for a bad serial.
    """

    regex = "[^/:]+"


register_url_convertor("serial", SerialConvertor())


class DifferenceParameters(Filters):
    """The two days to compare."""

    from_: Day = Field(
        alias="from", description="First day: YYYY, YYYY-MM or YYYY-MM-DD, counted from its end."
    )
    to: Day | None = Field(None, description="Second day; today by default.")


class ExplanationParameters(Times):
    """The day, and what to set aside to see what the status would be without it."""

    without: Many[Slug] = Field(NO_VALUES, description="Without these independence groups.")
    exclude: Many[Slug] = Field(
        NO_VALUES, description="Without these sources, with all their versions."
    )
    level_lte: v.EvidenceLevel | None = Field(
        None, alias="level.lte", description="From lines at this level or better (1 is best) alone."
    )
    design: Many[v.StudyDesign] = Field(
        NO_VALUES, description="From lines of these study designs alone."
    )

    def set_aside(self) -> explanation.SetAside | None:
        """Return what is to be set aside, None if nothing is."""
        given = explanation.SetAside(
            without=list(self.without),
            exclude=list(self.exclude),
            level_lte=self.level_lte,
            design=list(self.design),
        )
        return None if given == explanation.SetAside() else given


class HistoryParameters(Filters):
    """Which claims to count, and at which points in time."""

    topic: Many[Slug] = Field(NO_VALUES, description="Only claims with this topic (slug).")
    by: Annotated[str, choices("by", ["year"], "Interval")] = Field(
        "year", description="The end of each year."
    )


class YearCount(Shape):
    """How many claims had each status at the end of a year."""

    year: int
    counts: dict[str, int] = Field(description="By status, each term of the vocabulary.")


class History(Shape):
    """The statuses over the years, from the year of the first claim to the current one."""

    data: list[YearCount]


class RevisionParameters(Filters, Paging, LinkedParameters):
    """The page and the order of revisions, or in which representation."""

    sort: Many[Annotated[str, pagination.sorts(listings.REVISIONS, "RevisionSort")]] = Field(
        NO_VALUES, description="`id` is the serial."
    )


class RevisionPage(Shape):
    """A page of revisions."""

    data: list[RevisionOut]
    page: Page


class TimelineParameters(Filters, TableParameters):
    """In which representation."""


@worded.get(
    "/claims/{claim}/timeline",
    response_model=Timeline,
    responses=list_formats.responses(RECORD_ERRORS, TableParameters),
)
def get_timeline(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[TimelineParameters, Query()],
) -> Response:
    """Return the periods of a claim's status over evidence time, each with the evidence that
    caused the change.
    """
    chosen = list_formats.requested_format(request, query)
    found = listings.load_claim(connection, claim, None, None)
    etag = f'"{found.claim["revision"]}"'
    if chosen is not None:
        rows = timeline_table.rows_of(explanation.timeline(found))
        name = f"{claim}-timeline"
        return list_formats.table_file(request, chosen, timeline_table.TABLE, rows, etag, name)
    return pagination.not_modified(request, etag) or pagination.json_response(
        to_json(explanation.timeline(found)), etag
    )


@worded.get(
    "/claims/{claim}/explanation",
    response_model=Explanation,
    responses={**RECORD_ERRORS, 200: {"content": {PLAIN: {"schema": {"type": "string"}}}}},
)
def explain_status(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[ExplanationParameters, Query()],
) -> Response:
    """Explain why a claim has its status: the rule, the effect of each line of evidence, and the
    independence groups on which the status depends.

    `Accept: text/plain` returns the same in sentences. A line of evidence that was published after
    `as_of` is listed as later. With `without`, `exclude`, `level.lte` or `design` it is explained
    what the status would be without what they set aside; nothing is stored.
    """
    offered = ("application/json", PLAIN)
    wanted = negotiate(pagination.header(request, "accept"), offered)
    if wanted is None:
        raise not_acceptable(offered)
    found = listings.load_claim(connection, claim, None, query.known_at)
    etag = _explanation_tag(connection, found, wanted)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    set_aside = query.set_aside()
    if set_aside is not None:
        require_known(found, set_aside)
    then = claim_aggregate.as_of(found, query.as_of) if query.as_of else found
    tied = claim_aggregate.parts(then)["relations"]
    answer = explanation.explain(
        found,
        query.as_of,
        set_aside,
        predictions(connection, tied, query.as_of, query.known_at),
    )
    if wanted == PLAIN:
        headers = {"ETag": etag, **pagination.CACHE}
        return Response(
            explanation.explanation_text(answer),
            media_type=f"{PLAIN}; charset=utf-8",
            headers=headers,
        )
    return pagination.json_response(to_json(answer), etag)


def _explanation_tag(connection: Connection, found: ClaimAggregate, media_type: str) -> str:
    """Return the ETag of an explanation in a representation.

    A strong one stands for exact bytes, so the text has another one than the JSON; and where a
    prediction is told, it moves with every change, since that may change the target's status.
    """
    tag = str(found.claim["revision"])
    if any(relation["type"] == "predicts" for relation in found.relations):
        tag += f"-{listings.current_serial(connection)}"
    return f'"{tag}{"-text" if media_type == PLAIN else ""}"'


def require_known(found: ClaimAggregate, set_aside: explanation.SetAside) -> None:
    """Refuse to set aside a group or a source that has no line on the claim."""
    public = [row for row in found.evidence if row["state"] in PUBLIC_STATES]
    pooled = {study["source"] for row in public for study in row["pooled"]}
    known = {
        "without": {row["independence_group"] for row in public},
        "exclude": {row["source"] for row in public} | pooled,
    }
    for name, allowed in known.items():
        for value in getattr(set_aside, name):
            if value not in allowed:
                detail = f"'{value}' has no line of evidence on this claim."
                fault = Fault(at=name, code="unknown_term", detail=detail, allowed=sorted(allowed))
                raise ParameterError(detail, [fault])


@router.get("/claims/{claim}/diff", response_model=StatusDifference, responses=RECORD_ERRORS)
def compare_days(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[DifferenceParameters, Query()],
) -> Response:
    """Return what changed between two days of evidence time, and why."""
    until = query.to or now()[:10]
    if query.from_ > until:
        detail = f"from ({query.from_}) is after to ({until})."
        raise ParameterError(detail, [Fault(at="from", code="invalid_parameter", detail=detail)])
    found = listings.load_claim(connection, claim, None, None)
    etag = f'"{found.claim["revision"]}"' if query.to else f'"{found.claim["revision"]}-{until}"'
    unchanged = pagination.not_modified(request, etag)
    return unchanged or pagination.json_response(
        to_json(explanation.compare(found, query.from_, until)), etag
    )


@router.get("/statuses/history", response_model=History, responses=LIST_ERRORS)
def status_history(
    request: Request, connection: ThreadReader, query: Annotated[HistoryParameters, Query()]
) -> Response:
    """Count how many claims had each status at the end of each year of evidence time."""
    topics = references.resolve_references(connection, requested_parameters(query)).get("topic", [])
    this_year = int(now()[:4])
    # A new year adds an entry even if no record changed, so the ETag contains the year.
    etag = f'{pagination.list_tag(connection)[:-1]}-{this_year}"'
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    history = facets.status_history(connection, topics, this_year)
    return pagination.json_response(to_json({"data": history}), etag)


def _as_read(_connection: Connection, found: Sequence[Row]) -> list[Row]:
    return list(found)


@worded.get(
    "/claims/{claim}/revisions",
    response_model=RevisionPage,
    responses=list_formats.responses(RECORD_ERRORS, LinkedParameters),
)
def list_claim_revisions(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[RevisionParameters, Query()],
) -> Response:
    """List who changed what in a claim and its parts, by serial. Changes to proposals that
    wait, or were rejected or withdrawn, are left out, but not the one that took back what had been
    accepted. As linked data they are all there, in the words of PROV.
    """
    chosen = list_formats.requested_format(request, query)
    listings.read_claim(connection, claim, ())
    statement = select(*(listings.revision.c[name] for name in RevisionOut.model_fields))
    # Private revisions are left out completely. Even an entry of nulls in this list would
    # disclose that somebody has proposed something about this claim.
    listing = listings.with_conditions(
        listings.REVISIONS, listings.revision.c.root == claim, change_feed.NAMED_REVISIONS
    )
    if chosen is not None:
        etag = pagination.list_tag(connection)

        def history(base: str) -> Row:
            found = list_formats.read_all(
                request, listing, statement, {}, listing.default, _as_read
            )
            return provenance.history(found, base)

        return list_formats.linked_file(request, chosen, history, etag, f"{claim}-revisions")
    return pagination.listing_response(
        request,
        connection,
        listing,
        statement,
        query,
        lambda _connection, rows: [to_json(columns_of(row, RevisionOut)) for row in rows],
    )


@router.get("/revisions/{serial:serial}", response_model=RevisionWhole, responses=RECORD_ERRORS)
def get_revision(
    request: Request,
    connection: ThreadReader,
    caller: Caller,
    serial: Annotated[int, Path(ge=1, le=2**31 - 1)],
) -> Response:
    """Return one change with the whole record after it. If the record is a proposal that
    waits, or was rejected or withdrawn, readers who may not see it get null in the fields that
    would disclose it; where the change took back what had been accepted, in `body` alone.
    """
    revision = listings.read_revision(connection, serial)
    kind, _, record = revision["record"].partition("/")
    found = withhold_private(
        revision,
        may_see=may_see(connection, caller, RECORD_TYPES[kind], record, revision["state"]),
    )
    etag = change_feed.revision_etag(found)
    return pagination.not_modified(request, etag) or pagination.json_response(
        to_json(columns_of(found, RevisionWhole)), etag
    )
