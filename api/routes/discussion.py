"""What is said of records: suggestions of changes, and comments."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy import ColumnElement, Connection

from api.http import pagination
from api.http.auth import Caller, needs
from api.http.errors import LIST_ERRORS, RECORD_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.pagination import Page, Paging
from api.http.read_connection import ThreadReader
from api.http.read_route import ParsedRoute, ReadRoute
from api.http.write_transaction import (
    IF_MATCH,
    NEW_ERRORS,
    ONCE,
    WRITE_ERRORS,
    Answer,
    meant,
    record_response,
    rehearse,
    taking,
    write,
)
from api.routes.curate import Comment as Reason
from api.routes.curate import told
from models.access.api_keys import Key, spellings_of
from models.access.proposal_ownership import may_see, proposed_by
from models.core import vocabularies as v
from models.core.types import Shape, Strict, Text
from models.read import listings, relation_graph
from models.read.filters import NO_VALUES, Filters, Many
from models.records.record_types import RECORD_TYPES, RecordType, read_record, split_name
from models.records.serializers import Row, table
from models.status.explanation import Explanation
from models.write import preview as previews
from models.write import review, suggestions
from models.write.changes import Change
from models.write.review import RecordOut
from models.write.suggestions import FieldChange

SHARED: dict[str, Any] = {"prefix": "/v1", "tags": ["curating"], "dependencies": [JsonAccepted]}
reads = APIRouter(**SHARED, route_class=ReadRoute)
router = APIRouter(**SHARED, route_class=ParsedRoute)

Contributor = Annotated[Key, needs("contributor")]
SUGGESTION, COMMENT = RECORD_TYPES["suggestion"], RECORD_TYPES["comment"]
SuggestionId = Annotated[Text, Path(max_length=300, examples=["suggestion-5f0c21b3"])]
CommentId = Annotated[Text, Path(max_length=300, examples=["comment-0d4e1a97"])]


class SuggestedOut(RecordOut):
    """A suggestion with where it stands, and what it changes of the record as that is now."""

    outdated: bool = Field(
        description="Whether somebody changed since what it changes, or the record is not accepted "
        "any more: carry it over then."
    )
    changes: list[FieldChange]


class SuggestionPage(Shape):
    """A page of suggestions, oldest first."""

    data: list[SuggestedOut]
    page: Page


class CommentPage(Shape):
    """A page of comments, oldest first."""

    data: list[RecordOut]
    page: Page


class SaidParameters(Filters, Paging):
    """Filters and page of what is said of records."""

    about: Text | None = Field(
        None,
        max_length=320,
        description="Only what is said of this record, such as `claim/ccsvi-causes-ms`.",
    )
    claim: Text | None = Field(
        None, max_length=100, description="Only what is said of this claim and its parts."
    )
    state: Many[v.ReviewState] = Field(
        NO_VALUES, description="Where it stands; by default what waits (`submitted`)."
    )
    proposed_by: Text | None = Field(None, max_length=100, description="Only by this person.")


class CommentParameters(SaidParameters):
    """Filters and page of comments."""

    flag: Many[v.Flag] = Field(NO_VALUES, description="Only comments with these flags.")
    state: Many[v.ReviewState] = Field(
        NO_VALUES, description="Where it stands; by default what waits or is accepted."
    )


class StatusChange(Strict):
    """What accepting a suggestion would do to the status of a claim."""

    claim: str
    changes_status: bool = Field(description="Whether status, rule or certainty would change.")
    before: Explanation = Field(description="The present status.")
    after: Explanation | None = Field(
        description="The status after acceptance; null where the claim would be retracted."
    )


class SuggestionPreview(Strict):
    """What accepting a suggestion would do."""

    suggestion: str
    claims: list[StatusChange] = Field(description="The first 20 claims that rest on the record.")


def _said(
    request: Request,
    connection: Connection,
    caller: Key | None,
    kind: RecordType,
    query: SaidParameters,
    states: tuple[str, ...],
    describe: Callable[[Connection, Row], RecordOut],
) -> Response:
    if caller is not None:
        pagination.make_private(request)
    rows = table(kind.model)
    which: list[ColumnElement[bool]] = [rows.c.state.in_(query.state or states)]
    if query.about is not None:
        which.append(rows.c.about == query.about)
    if flags := getattr(query, "flag", None):
        which.append(rows.c.flag.in_(flags))
    statement, conditions = review.said_query(connection, caller, kind, *which)
    if query.claim is not None:
        conditions.append(listings.revision.c.root == query.claim)
    if query.proposed_by is not None:
        conditions.append(proposed_by.in_(spellings_of(connection, query.proposed_by)))
    listing = listings.with_conditions(listings.REVISIONS, *conditions)
    return pagination.listing_response(
        request,
        connection,
        listing,
        statement,
        query,
        lambda connection, rows: [to_json(describe(connection, row)) for row in rows],
    )


def _with_changes(connection: Connection, caller: Key | None, told: RecordOut) -> SuggestedOut:
    kind, record_id = split_name(told.record["about"])
    current = read_record(connection, kind, record_id)
    if current and not may_see(connection, caller, kind, record_id, current["state"]):
        # An acceptance that was undone has hidden the record again.
        current = None
    return SuggestedOut(
        **told.model_dump(),
        outdated=suggestions.is_outdated(connection, told.record, current),
        changes=suggestions.field_changes(told.record, current),
    )


@reads.get("/suggestions", response_model=SuggestionPage, responses=LIST_ERRORS)
def list_suggestions(
    request: Request,
    connection: ThreadReader,
    caller: Caller,
    query: Annotated[SaidParameters, Query()],
) -> Response:
    """List suggestions, oldest first: by default those that wait. Curators see all; others see what
    was accepted, their own, what is suggested of their own records, and what is public.
    """

    def describe(connection: Connection, row: Row) -> SuggestedOut:
        return _with_changes(connection, caller, review.describe_proposal(connection, row))

    return _said(request, connection, caller, SUGGESTION, query, ("submitted",), describe)


@reads.get("/comments", response_model=CommentPage, responses=LIST_ERRORS)
def list_comments(
    request: Request,
    connection: ThreadReader,
    caller: Caller,
    query: Annotated[CommentParameters, Query()],
) -> Response:
    """List comments, oldest first: by default those that wait or were accepted. Who sees which is
    as with suggestions.
    """
    states = ("submitted", "accepted")
    return _said(request, connection, caller, COMMENT, query, states, review.describe_proposal)


@reads.get("/suggestions/{suggestion}", response_model=SuggestedOut, responses=RECORD_ERRORS)
def get_suggestion(connection: ThreadReader, caller: Caller, suggestion: SuggestionId) -> Response:
    """Return a suggestion with what it changes of the record as that is now."""
    body = review.find_visible(connection, caller, SUGGESTION, suggestion)
    described = review.describe_record(connection, SUGGESTION, suggestion, body)
    return record_response(_with_changes(connection, caller, described))


@reads.get("/comments/{comment_id}", response_model=RecordOut, responses=RECORD_ERRORS)
def get_comment(connection: ThreadReader, caller: Caller, comment_id: CommentId) -> Response:
    """Return a comment."""
    body = review.find_visible(connection, caller, COMMENT, comment_id)
    return record_response(review.describe_record(connection, COMMENT, comment_id, body))


@router.post(
    "/suggestions/{suggestion}:carry_over",
    response_model=RecordOut,
    responses=WRITE_ERRORS,
    openapi_extra=taking(IF_MATCH, ONCE),
)
async def carry_over_suggestion(
    request: Request,
    caller: Contributor,
    suggestion: SuggestionId,
    query: Annotated[Reason, Query()],
) -> Response:
    """Base an outdated suggestion on its record as that is now, or on the one that it was merged
    into. Allowed for its proposer, and for curators.
    """

    def work(change: Change) -> Answer:
        meant(request, change, caller, SUGGESTION, suggestion)
        review.carry_over(change, caller, suggestion)
        return told(SUGGESTION, suggestion)

    return await write(request, caller, work, query.comment)


@router.post(
    "/suggestions/{suggestion}:preview",
    response_model=SuggestionPreview,
    responses=NEW_ERRORS,
)
async def preview_suggestion(
    request: Request, caller: Contributor, suggestion: SuggestionId
) -> Response:
    """Return the status of each claim that rests on the record as it is, and as it would be if the
    suggestion were accepted, with the errors that accepting it would have.

    Stores nothing, and counts as a write.
    """

    def work(change: Change) -> SuggestionPreview:
        found = previews.preview_suggestion(
            change,
            caller,
            suggestion,
            lambda claim: relation_graph.predictions_of(change.connection, [claim]),
        )
        return SuggestionPreview(
            suggestion=suggestion,
            claims=[
                StatusChange(
                    claim=claim,
                    changes_status=after is None or previews.status_differs(before, after),
                    before=before,
                    after=after,
                )
                for claim, before, after in found
            ],
        )

    return await rehearse(request, caller, work)
