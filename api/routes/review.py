"""Review: the queue of proposals, decisions, mergers, purges and undoing of changes."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from api.http import pagination
from api.http.auth import Caller, needs
from api.http.errors import (
    KEY_ERRORS,
    RECORD_ERRORS,
    Code,
    ProblemError,
    of_fault,
    responses,
)
from api.http.negotiation import JsonAccepted
from api.http.pagination import Page, Paging, choices
from api.http.read_connection import Reader, ThreadReader, database
from api.http.read_route import ParsedRoute, ReadRoute
from api.http.write_transaction import (
    IF_MATCH,
    NEW_ERRORS,
    ONCE,
    WRITE_ERRORS,
    Answer,
    judged,
    located_in_body,
    meant,
    read_input,
    record_response,
    rehearse,
    taking,
    write,
)
from api.routes.curate import (
    MOST_COMPARED,
    PossibleDuplicate,
    body_of_kind,
    cleaned,
    discussed_in_public,
    judged_new,
    look_for_alike,
    told,
)
from models.access.api_keys import (
    Declarations,
    Declared,
    Key,
    redact_keys,
    spellings_of,
    state_of_keys,
)
from models.access.proposal_ownership import proposed_by
from models.core import vocabularies as v
from models.core.errors import ClaimbaseError, Fault, InvalidRecord, NotFound
from models.core.types import MAX_INTEGER, Shape, Strict, Text
from models.read import listings, relation_graph
from models.read.filters import NO_VALUES, Filters, Many
from models.records.record_types import RECORD_TYPES, RecordType, order_by_references
from models.records.serializers import Row
from models.status.explanation import Explanation
from models.transfer.line_records import Proposed, proposed_records
from models.write import changes, decide_many, merge, purge, review, undo
from models.write.changes import Change
from models.write.decide_many import Wanted
from models.write.preview import PreviewWarning, preview, status_differs
from models.write.review import RecordOut

SHARED: dict[str, Any] = {"prefix": "/v1", "tags": ["curating"], "dependencies": [JsonAccepted]}
reads = APIRouter(**SHARED, route_class=ReadRoute)
router = APIRouter(**SHARED, route_class=ParsedRoute)

Contributor = Annotated[Key, needs("contributor")]
Curator = Annotated[Key, needs("curator")]
Admin = Annotated[Key, needs("admin")]
KindName = Annotated[
    Text,
    Path(
        max_length=50, description="A term of the vocabulary record-kinds.", examples=["evidence"]
    ),
]
RecordId = Annotated[
    Text,
    Path(
        max_length=300, description="The record's id.", examples=["ccsvi-causes-ms:cochrane-2019"]
    ),
]
MOST_RECORDS = 1000
MOST_DECISIONS = 500
# Of one decision that was not made.
MOST_ERRORS_EACH = 5
# What the answer to a merger says of the merger, not of the record that stays.
OF_CHANGE = ("serial", "action", "actor", "at", "comment", "review")
log = logging.getLogger("claimbase.database")


class DecisionIn(Strict):
    """The reason for a decision."""

    comment: Text | None = Field(
        default=None, max_length=2000, description="The reason; stored with the revision."
    )


class AcceptIn(DecisionIn):
    """The reason for an acceptance; of a suggestion also what of it is accepted."""

    fields: list[Text] | None = Field(
        default=None,
        max_length=50,
        description="Of a suggestion: the fields to accept; all where it is left out.",
    )


class MergeIn(DecisionIn):
    """The record to merge into, and the reason."""

    into: Text = Field(max_length=100, description="Slug of the record to merge into.")
    take: list[Text] = Field(
        default_factory=list,
        max_length=50,
        description="Fields in which the value of the merged record stays, where both have one.",
    )


class FieldDifference(Strict):
    """A field in which the two records differed."""

    field: str
    kept: Any = Field(description="The value that stays.")
    other: Any = Field(description="The other one, which revisions keep.")


class MergedOut(RecordOut):
    """The record that stays. `serial`, `action`, `actor`, `at`, `comment` and `review` are the
    merger's."""

    filled: list[str] = Field(description="Fields that it lacked, with the values of the other.")
    differences: list[FieldDifference] = Field(
        description="Where both had a value. Give `take` to choose, or PATCH the record."
    )


class BatchIn(Strict):
    """Records to propose together, each as in an export: `record` is its kind, and a part of a
    claim has its `claim`, or stands in the list of its kind in the claim itself (`occurrences`,
    `evidence`, `relations`, `assessments`).
    """

    records: list[dict[str, Any]] = Field(min_length=1, max_length=MOST_RECORDS)
    comment: Text | None = Field(
        default=None, max_length=2000, description="The reason; stored with each revision."
    )


class OneDecision(DecisionIn):
    """A decision on one record."""

    kind: v.RecordKind
    record: Text = Field(max_length=300, description="The record's id.")
    action: Annotated[str, choices("action", ["accept", "reject"], "DecisionAction")]
    revision: int = Field(
        ge=1, le=MAX_INTEGER, description="Its `revision` when it was read: the version meant."
    )


class DecisionsIn(DecisionIn):
    """Decisions to make together; their common reason is that of each that has none of its own."""

    decisions: list[OneDecision] = Field(min_length=1, max_length=MOST_DECISIONS)
    mode: Annotated[str, choices("mode", ["all_or_nothing", "each"], "DecisionMode")] = Field(
        default="all_or_nothing",
        description="Whether one that cannot be made leaves all of them undone, or itself alone.",
    )


class DecisionError(Shape):
    """Why a decision was not made."""

    code: Code
    detail: str
    errors: list[ProblemError]


class DecisionOut(Shape):
    """What became of one decision."""

    kind: v.RecordKind
    id: str
    action: str
    done: bool
    state: v.ReviewState | None = Field(
        description="Where the record stands now; null if there is no such record."
    )
    revision: int | None = Field(description="The number in its ETag now.")
    error: DecisionError | None = Field(description="Why it was not made; null where it was.")


class DecisionsOut(Shape):
    """What became of the decisions, in the order in which they were sent."""

    data: list[DecisionOut]
    done: int = Field(description="How many were made.")


class RecordList(Shape):
    """Records, each with its state of review."""

    data: list[RecordOut]


class RecordWithInterests(RecordOut):
    """A record with what its proposer declared."""

    conflict_of_interest: Declared | None = Field(
        description="What the proposer declared of their interests, as it is now; null where they "
        "declared nothing."
    )


class BatchRecordOut(RecordOut):
    """A record of a batch, with what is stored already and may be the same."""

    possible_duplicates: list[PossibleDuplicate] | None = Field(
        description="Accepted records to compare it with, the most alike first; null where it is "
        f"not compared: only the first {MOST_COMPARED} claims and sources are."
    )


class BatchOut(Shape):
    """The records of a batch, each with its state of review, in the order sent."""

    data: list[BatchRecordOut]


class Review(RecordWithInterests):
    """A record that waits for review."""

    age_days: float = Field(
        description="Days since it was proposed, or last changed by its proposer."
    )


class ReviewPage(Shape):
    """A page of the records that wait for review, oldest first."""

    data: list[Review]
    page: Page


REVIEWS = replace(listings.REVISIONS, sorts={"serial": listings.revision.c.serial})
# `age_days` has one decimal.
AGE_SECONDS = 8640


class ReviewParameters(Filters, Paging):
    """Filters and page of the review queue."""

    kind: Many[v.RecordKind] = Field(NO_VALUES, description="Only records of these kinds.")
    claim: Text | None = Field(None, max_length=100, description="Only this claim and its parts.")
    topic: Text | None = Field(
        None, max_length=100, description="Only this topic, and claims under it with their parts."
    )
    proposed_by: Text | None = Field(
        None, max_length=100, description="Only by this proposer, however the name is spelled."
    )
    actor: Text | None = Field(
        None, max_length=100, description="Only what this person changed or decided last."
    )
    mine: bool | None = Field(None, description="Only your own proposals, or only those of others.")
    sort: Many[Annotated[str, pagination.sorts(REVIEWS, "ReviewSort")]] = Field(
        NO_VALUES,
        description="`serial`, the oldest change first, is the default; `-serial` is the newest.",
    )
    state: Many[v.ReviewState] = Field(
        NO_VALUES,
        description="What became of them: by default only those that wait (`submitted`).",
    )


class Preview(Strict):
    """What accepting a line of evidence would do."""

    evidence: str
    changes_status: bool = Field(description="Whether status, rule or certainty would change.")
    warnings: list[PreviewWarning] = Field(
        description="With which accepted lines it counts together, so that it may count for less "
        "than it seems to; and what is wrong with its claim."
    )
    before: Explanation = Field(description="The present status.")
    after: Explanation = Field(description="The status after acceptance.")


def _kind(name: str) -> RecordType:
    if name not in RECORD_TYPES:
        detail = f"'{name}' is not a kind of record."
        raise NotFound(
            detail, [Fault(at="kind", code="not_found", detail=detail, allowed=list(RECORD_TYPES))]
        )
    return RECORD_TYPES[name]


def _takes(model: type[Strict], *headers: Mapping[str, Any]) -> dict[str, Any]:
    return taking(*headers, ONCE, body={"application/json": model})


@reads.get("/reviews", response_model=ReviewPage, responses={**KEY_ERRORS, **responses(404)})
def list_reviews(
    request: Request,
    connection: ThreadReader,
    caller: Contributor,
    query: Annotated[ReviewParameters, Query()],
) -> Response:
    """List the records that wait for review, oldest first; with `state` also what became of
    others, by whose decision, when and why (`actor`, `at`, `comment`). Contributors see only their
    own proposals, curators see all.

    The ETag is this key's own: If-None-Match gives a 304 while nothing changed.
    """
    tenth_of_day = int(time.time() / AGE_SECONDS)
    pagination.make_private(request, caller.id, tenth_of_day, *state_of_keys(connection))
    statement, conditions = review.pending_query(connection, caller, query.state or review.PENDING)
    revision = listings.revision
    if query.kind:
        conditions.append(revision.c.kind.in_(query.kind))
    if query.claim is not None:
        conditions.append(revision.c.root == query.claim)
    if query.topic is not None:
        conditions.append(review.on_topic(query.topic))
    if query.proposed_by is not None:
        conditions.append(proposed_by.in_(spellings_of(connection, query.proposed_by)))
    if query.actor is not None:
        conditions.append(revision.c.actor.in_(spellings_of(connection, query.actor)))
    if query.mine is not None:
        own = proposed_by.in_(spellings_of(connection, caller.name))
        conditions.append(own if query.mine else ~own)
    listing = listings.with_conditions(REVIEWS, *conditions)

    def lines(connection: Connection, rows: Any) -> list[bytes]:
        declared = Declarations(connection)
        return [to_json(_reviewed(connection, row, declared)) for row in rows]

    return pagination.listing_response(request, connection, listing, statement, query, lines)


def _reviewed(connection: Connection, row: Row, declared: Declarations) -> Review:
    told = review.describe_proposal(connection, row)
    return Review(
        **told.model_dump(),
        conflict_of_interest=declared.of(told.proposed_by),
        age_days=review.age_days(row["at"]),
    )


@reads.get("/records/{kind}/{record}", response_model=RecordWithInterests, responses=RECORD_ERRORS)
def get_record(connection: Reader, caller: Caller, kind: KindName, record: RecordId) -> Response:
    """Return a record of any kind in any state, as it is stored. Public records are visible to
    everybody, a proposal to its proposer, and all records to curators.
    """
    found = _kind(kind)
    body = review.find_visible(connection, caller, found, record)
    told = review.describe_record(connection, found, record, body)
    declared = Declarations(connection).of(told.proposed_by) if told.proposed_by else None
    shown = RecordWithInterests(**told.model_dump(), conflict_of_interest=declared)
    return record_response(shown)


async def _decide(
    request: Request,
    caller: Key,
    kind: str,
    record: str,
    action: str,
    comment: str | None,
    fields: Sequence[str] | None = None,
) -> Response:
    found = _kind(kind)

    def work(change: Change) -> Answer:
        meant(request, change, caller, found, record)
        review.decide(change, caller, found, record, action, fields=fields)
        return told(found, record)

    return await write(request, caller, work, comment)


@router.post(
    "/records/{kind}/{record}:accept",
    response_model=RecordOut,
    responses=WRITE_ERRORS,
    openapi_extra=_takes(AcceptIn, IF_MATCH),
)
async def accept_record(
    request: Request, caller: Curator, kind: KindName, record: RecordId
) -> Response:
    """Accept a proposal of another person, or where one person curates alone (`review` of `/v1`)
    one's own. It becomes public, and evidence counts from now on. What a suggestion changes is
    changed, all of it or the named fields.
    """
    given = await read_input(request, AcceptIn)
    return await _decide(request, caller, kind, record, "accept", given.comment, given.fields)


@router.post(
    "/records/{kind}/{record}:reject",
    response_model=RecordOut,
    responses=WRITE_ERRORS,
    openapi_extra=_takes(DecisionIn, IF_MATCH),
)
async def reject_record(
    request: Request, caller: Curator, kind: KindName, record: RecordId
) -> Response:
    """Reject a proposal, of the same persons as `:accept`; the comment gives the reason."""
    given = await read_input(request, DecisionIn)
    return await _decide(request, caller, kind, record, "reject", given.comment)


@router.post(
    "/reviews:decide",
    response_model=DecisionsOut,
    responses=NEW_ERRORS,
    openapi_extra=_takes(DecisionsIn),
)
async def decide_reviews(request: Request, caller: Curator) -> Response:
    """Accept or reject up to 500 proposals at once: all or nothing, as one change, or each by
    itself.

    They may come in any order: what a proposal refers to is accepted before it. Each decision
    counts as one write.
    """
    given = await read_input(request, DecisionsIn)
    request.app.state.limits.count_batch(request, caller.id, len(given.decisions))
    wanted = [
        Wanted(
            RECORD_TYPES[each.kind],
            each.record,
            each.action,
            each.revision,
            each.comment or given.comment,
        )
        for each in given.decisions
    ]
    with located_in_body():
        _refuse_twice(wanted)

    def work(change: Change) -> Answer:
        errors = decide_many.decide_all(change, caller, wanted, each=given.mode == "each")
        return Answer(lambda change: _decided(change, wanted, errors))

    return await write(request, caller, work, given.comment)


def _refuse_twice(wanted: Sequence[Wanted]) -> None:
    first: dict[str, int] = {}
    faults = [
        Fault(
            at=f"decisions/{place}/record",
            code="duplicate",
            detail=f"{one.name} stands at {first[one.name]} already.",
        )
        for place, one in enumerate(wanted)
        if first.setdefault(one.name, place) != place
    ]
    if faults:
        raise InvalidRecord(faults[0].detail, faults)


def _decided(
    change: Change, wanted: Sequence[Wanted], errors: Sequence[ClaimbaseError | None]
) -> DecisionsOut:
    data = []
    for one, error in zip(wanted, errors, strict=True):
        state, revision = decide_many.where_it_stands(change, one) or (None, None)
        decision = DecisionOut(
            kind=one.kind.name,
            id=one.record_id,
            action=one.action,
            done=error is None,
            state=state,
            revision=revision,
            error=None if error is None else _why(error),
        )
        data.append(decision)
    return DecisionsOut(data=data, done=errors.count(None))


def _why(error: ClaimbaseError) -> DecisionError:
    return DecisionError(
        code=error.code,
        detail=error.detail,
        errors=[of_fault(fault) for fault in error.faults[:MOST_ERRORS_EACH]],
    )


@router.post(
    "/records/{kind}/{record}:purge",
    response_model=RecordOut,
    responses=WRITE_ERRORS,
    openapi_extra=_takes(DecisionIn, IF_MATCH),
)
async def purge_record(
    request: Request, caller: Admin, kind: KindName, record: RecordId
) -> Response:
    """Erase the content of a record from all its revisions, permanently, because it must not be
    kept. Refused while the record waits for review or is accepted.
    """
    given = await read_input(request, DecisionIn)
    found = _kind(kind)

    def work(change: Change) -> Answer:
        meant(request, change, caller, found, record)
        purge.purge(change, caller, found, record)
        serial = change.serial
        return Answer(lambda change: review.describe_purged(change.connection, serial))

    answer = await write(request, caller, work, given.comment)
    if not await run_in_threadpool(database(request).purge_log):
        log.warning(
            "purged content may be in the write-ahead log until nobody reads", extra=_of(request)
        )
    return answer


def _of(request: Request) -> dict[str, str]:
    return {"request_id": request.state.request_id, "path": redact_keys(request.url.path)}


async def _merge(request: Request, caller: Key, kind: RecordType, record: str) -> Response:
    given = await read_input(request, MergeIn)

    def work(change: Change) -> Answer:
        meant(request, change, caller, kind, record)
        merged = merge.merge(change, caller, kind, record, given.into, given.take)

        def tell(change: Change) -> MergedOut:
            stays = review.describe_after_change(change, kind, given.into)
            merger = changes.last_revision(change, kind, record)
            assert merger is not None, "the merger changed it"
            return MergedOut(
                **stays.model_dump(exclude=set(OF_CHANGE)),
                **{name: merger[name] for name in OF_CHANGE},
                filled=merged.filled,
                differences=[FieldDifference(**vars(each)) for each in merged.differences],
            )

        return Answer(tell)

    return await write(request, caller, work, given.comment)


@router.post(
    "/claims/{claim}:merge",
    response_model=MergedOut,
    responses=WRITE_ERRORS,
    openapi_extra=_takes(MergeIn, IF_MATCH),
)
async def merge_claim(
    request: Request, caller: Curator, claim: Annotated[Text, Path(max_length=300)]
) -> Response:
    """Merge a claim into another. Its parts and the relations to it move, and its URL redirects to
    the other claim (308). Fields that the other lacks are filled.
    """
    return await _merge(request, caller, RECORD_TYPES["claim"], claim)


@router.post(
    "/sources/{source}:merge",
    response_model=MergedOut,
    responses=WRITE_ERRORS,
    openapi_extra=_takes(MergeIn, IF_MATCH),
)
async def merge_source(
    request: Request, caller: Curator, source: Annotated[Text, Path(max_length=300)]
) -> Response:
    """Merge a source into another. The records that refer to it then refer to the other,
    which also receives the identifiers of schemes that it lacks, and the fields that it lacks.
    """
    return await _merge(request, caller, RECORD_TYPES["source"], source)


@router.post(
    "/revisions/{serial}:undo",
    response_model=RecordList,
    responses=NEW_ERRORS,
    openapi_extra=_takes(DecisionIn),
)
async def undo_revision(
    request: Request, caller: Curator, serial: Annotated[int, Path(ge=1, le=2**31 - 1)]
) -> Response:
    """Undo the whole change that a revision is part of, such as a merger. Refused if one of
    its records was changed since.
    """
    given = await read_input(request, DecisionIn)

    def work(change: Change) -> Answer:
        records = undo.undo(change, caller, serial)
        return Answer(lambda change: _listed(change, records))

    return await write(request, caller, work, given.comment)


def _listed(change: Change, names: list[str]) -> RecordList:
    parted = [name.split("/", 1) for name in names]
    return RecordList(
        data=[
            review.describe_after_change(change, RECORD_TYPES[kind], record)
            for kind, record in parted
        ]
    )


@router.post(
    "/claims:batch",
    status_code=201,
    response_model=BatchOut,
    responses=NEW_ERRORS,
    openapi_extra=_takes(BatchIn),
)
async def propose_batch(request: Request, caller: Contributor) -> Response:
    """Propose up to 1,000 records of any kind together, all or nothing. Each error names its place
    in the batch. They may come in any order, and a claim may hold its parts, as an export has it.

    Each record counts as one write.
    """
    given = await read_input(request, BatchIn)
    sent = await judged(request, _records_in, given.records)
    request.app.state.limits.count_batch(request, caller.id, len(sent))
    places = [each.place for each in sent]
    posted = [each.record for each in sent]
    public = discussed_in_public(request)
    records = await judged(request, review.judge_all, caller, posted, places, public=public)
    order = order_by_references(records)
    in_order = [records[place] for place in order]
    their_places = [places[place] for place in order]
    alike = await look_for_alike(request, records)

    def work(change: Change) -> Answer:
        names = review.propose_all(change, caller, in_order, their_places)
        told = [name for _, name in sorted(zip(order, names, strict=True))]
        return Answer(lambda change: _with_alike(_listed(change, told), alike), 201)

    return await write(request, caller, work, given.comment)


def _with_alike(listed: RecordList, alike: Sequence[list[Row] | None]) -> BatchOut:
    data = [
        BatchRecordOut.model_validate({**record.model_dump(), "possible_duplicates": found})
        for record, found in zip(listed.data, alike, strict=True)
    ]
    return BatchOut(data=data)


def _records_in(given: Sequence[Any]) -> list[Proposed]:
    sent = [
        replace(each, record=cleaned(str(each.record.get("record")), each.record))
        for place, record in enumerate(given)
        for each in proposed_records(f"records/{place}", record)
    ]
    if len(sent) > MOST_RECORDS:
        detail = f"{len(sent):,} records with the parts of claims; at most {MOST_RECORDS:,} go."
        raise InvalidRecord(detail, [Fault(at="records", code="too_long", detail=detail)])
    return sent


@reads.post("/evidence/{evidence}:preview", response_model=Preview, responses=NEW_ERRORS)
def preview_evidence(
    connection: ThreadReader, caller: Contributor, evidence: Annotated[Text, Path(max_length=300)]
) -> Response:
    """Return the status and its explanation as they would be if a line of evidence were accepted,
    with warnings where it counts together with lines that are there, or something is wrong with
    its claim.

    Changes nothing.
    """
    return Response(
        to_json(_previewed(connection, caller, evidence)), media_type="application/json"
    )


def _previewed(connection: Connection, caller: Key, evidence: str) -> Preview:
    before, after, warnings = preview(
        connection,
        caller,
        evidence,
        lambda claim: relation_graph.predictions_of(connection, [claim]),
    )
    return Preview(
        evidence=evidence,
        changes_status=status_differs(before, after),
        warnings=warnings,
        before=before,
        after=after,
    )


@router.post(
    "/claims/{claim}/evidence:preview",
    response_model=Preview,
    responses=NEW_ERRORS,
    openapi_extra=taking(
        body={"application/json": body_of_kind(RECORD_TYPES["evidence"])}, required=True
    ),
)
async def preview_new_evidence(
    request: Request, caller: Contributor, claim: Annotated[Text, Path(max_length=300)]
) -> Response:
    """Return the same for a line of evidence that was not proposed yet, with the errors that
    proposing it would have.

    Stores nothing, and counts as a write.
    """
    record = await judged_new(request, caller, RECORD_TYPES["evidence"], {"claim": claim})

    def work(change: Change) -> Preview:
        proposed = review.propose(change, caller, RECORD_TYPES["evidence"], record)
        return _previewed(change.connection, caller, proposed)

    return await rehearse(request, caller, work)
