"""Parse a citation file, compare it with the stored sources, and store what is new of it."""

import heapq
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json
from sqlalchemy import Connection

from api.citations import formats
from api.citations.parse_result import EntryProblem, ParsedFile
from api.http.clients import client_of
from api.http.errors import (
    LIST_ERRORS,
    MEDIA_TYPE,
    ParameterError,
    ProblemError,
    problem,
    responses,
)
from api.http.fair_share import run_in_thread
from api.http.file_reading import ReadFile, while_there
from api.http.negotiation import JsonAccepted
from api.http.pagination import choices
from api.http.read_connection import database
from api.http.read_route import ParsedRoute
from api.http.write_transaction import NEW_ERRORS, ONCE, Answer, taking, write
from api.routes.curate import Comment, Contributor
from api.routes.review import MOST_RECORDS
from models.access.api_keys import Key
from models.core.errors import Fault, InvalidRecord
from models.read.filters import Filters
from models.records.record_types import RECORD_TYPES
from models.records.serializers import Row
from models.records.source import SourceIn
from models.transfer import citation_matching
from models.transfer.citation_matching import Difference
from models.write import changes, review
from models.write.changes import Change

router = APIRouter(
    prefix="/v1", tags=["sources"], dependencies=[JsonAccepted], route_class=ParsedRoute
)

READABLE = list(formats.READ)


Outcome = Literal["new", "matched", "reported"]


class ParseParameters(Filters):
    """The format of the file."""

    format: Annotated[str, choices("format", READABLE)] | None = Field(
        None, description="Detected by default."
    )


class ParsedRecord(BaseModel):
    """The result for one entry of the file."""

    line: int = Field(description="Line number in the file where the entry begins, from 1.")
    outcome: Outcome
    id: str | None = Field(
        description="Slug of the source that it matches, or that a new source would get."
    )
    matched_by: str | None = Field(
        description="Identifier scheme, or title, year and first author."
    )
    differences: list[Difference] = Field(
        description="Fields in which the stored source differs; nothing is merged."
    )
    errors: list[ProblemError] = Field(description="Why the entry cannot be used.")
    dropped: list[str] = Field(description="Fields of the entry that cannot be stored.")
    record: dict[str, Any] | None = Field(
        description="What was read of a new source, ready for `/v1/claims:batch`; else null."
    )


class Parsed(BaseModel):
    """The result for a file; always found = new + matched + reported."""

    format: str
    found: int
    new: int
    matched: int
    reported: int
    data: list[ParsedRecord]


# The bytes of an answer: an ordinary one has as many as its file, but each difference from what is
# stored tells both.
MOST_ANSWER_BYTES = 8_000_000
_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "*/*": {
                "schema": {
                    "type": "string",
                    "description": "A file in one of the formats of `format`.",
                }
            }
        },
    }
}
_TOO_COMPLEX = {
    "allOf": [
        {"$ref": "#/components/schemas/Problem"},
        {
            "type": "object",
            "properties": {
                "entries": {
                    "type": "array",
                    "items": {"$ref": "#/components/schemas/ParsedRecord"},
                    "description": "As in `data` of an answer.",
                }
            },
        },
    ]
}


@router.post(
    "/sources:parse",
    response_model=Parsed,
    responses={
        **{status: said for status, said in LIST_ERRORS.items() if status != 304},
        **responses(408, 413, 429),
        422: {
            "description": "The file takes too much; what was read until then",
            "content": {MEDIA_TYPE: {"schema": _TOO_COMPLEX}},
        },
    },
    openapi_extra=_FILE,
)
async def parse_sources(request: Request, query: Annotated[ParseParameters, Query()]) -> Response:
    """Parse a citation file (BibTeX, RIS, CSL-JSON, NBIB and others). Each entry is new, matches a
    stored source, or is reported with errors.

    The format is detected by default, and the answer contains every entry of the file. At most
    2,000,000 bytes and 10,000 entries. A file that takes too much time or memory is answered with
    422 `too_complex`, whose `entries` are the results for what was read until then.
    """

    async def answer(found: ReadFile) -> Response:
        told = partial(_answer, request, found)
        return await run_in_thread(
            request, told, partial(request.app.state.readers.run, client_of(request))
        )

    return await _with_file(request, query.format, answer)


async def _with_file(
    request: Request, name: str | None, answer: Callable[[ReadFile], Awaitable[Response]]
) -> Response:
    """Return the answer to the file that is the body of a request, once it is read."""
    state = request.app.state
    # Before the body is read, so that a refused request costs nothing.
    state.limits.count_file(request)
    async with state.files.place(request):
        content = await request.body()
        state.limits.count_body(request, content)

        async def answered() -> Response:
            async with state.files.turn(request):
                return await answer(await state.files.read(content, name))

        return await while_there(request, answered)


class ImportParameters(Comment, ParseParameters):
    """The format of the file, and why it is imported."""


class Imported(Parsed):
    """The result for a file of which the new sources were stored."""

    stored: int


@router.post(
    "/sources:import",
    status_code=201,
    tags=["curating"],
    response_model=Imported,
    responses={**NEW_ERRORS, **responses(400)},
    openapi_extra={**_FILE, **taking(ONCE)},
)
async def import_sources(
    request: Request, caller: Contributor, query: Annotated[ImportParameters, Query()]
) -> Response:
    """Store the new sources of a citation file, all or nothing: as proposals of a contributor, as
    accepted sources of a curator.

    What matches a stored source or has errors is told as by `/v1/sources:parse` and stays as it is.
    At most 1,000 entries, each of which counts as one write. A file of which not all could be read
    is refused with 422 `too_complex`, and nothing is stored.
    """

    async def answer(found: ReadFile) -> Response:
        _refuse_unread(found)
        request.app.state.limits.count_batch(request, caller.id, len(found.parsed.entries))
        return await write(request, caller, partial(_store, caller, found), query.comment)

    return await _with_file(request, query.format, answer)


def _refuse_unread(found: ReadFile) -> None:
    """Raise an error if a file was not read to its end, or has more entries than one import."""
    _refuse_unknown(found)
    entries = len(found.parsed.entries) + len(found.parsed.problems)
    detail = None if found.end == "read" else found.detail
    if entries > MOST_RECORDS:
        detail = f"It has {entries:,} entries, and an import at most {MOST_RECORDS:,}"
    if detail is not None:
        raise InvalidRecord(f"{detail}. Send it in parts; nothing was stored.", code="too_complex")


def _store(caller: Key, found: ReadFile, change: Change) -> Answer:
    """Store the new sources of a file in the name of a caller."""
    records = ((entry.line, entry.record, entry.dropped) for entry in found.parsed.entries)
    is_curator = caller.may("curator")
    outcomes = list(citation_matching.reconcile(change.connection, records, proposed=is_curator))
    new = [outcome.source for outcome in outcomes if outcome.source is not None]
    kind = RECORD_TYPES["source"]
    for source in new:
        if is_curator:
            changes.put_source(change, source, "create")
        else:
            # An id that somebody else's proposal has is refused, since they must not learn of it.
            body = source.model_dump(exclude={"state"})
            review.propose(change, caller, kind, review.judge(caller, kind, body))
    told = reconciled(found.format or "", found.parsed, outcomes)
    return Answer(lambda _change: Imported(**told.model_dump(), stored=len(new)), 201)


def _refuse_unknown(found: ReadFile) -> None:
    """Raise an error if nothing of a file could be read."""
    if found.end == "unknown_format":
        fault = Fault(at="format", code="unknown_format", detail=found.detail)
        raise ParameterError(found.detail, [fault])
    if found.end == "internal_error":
        raise RuntimeError(found.detail)


def _answer(request: Request, found: ReadFile) -> Response:
    """Return the response that tells what became of each entry of a file."""
    _refuse_unknown(found)
    detail = None if found.end == "read" else found.detail
    tally: Counter[Outcome] = Counter()
    texts: list[bytes] = []
    left = MOST_ANSWER_BYTES
    with database(request).read() as connection:
        for record in _in_order(found.parsed, _outcomes(connection, found.parsed)):
            texts.append(to_json(record))
            left -= len(texts[-1]) + 1
            if left < 0:
                texts.pop()
                detail = f"The answer would have more than {MOST_ANSWER_BYTES:,} bytes"
                break
            tally[record.outcome] += 1
    data = b"[" + b",".join(texts) + b"]"
    if detail is not None:
        detail = f"{detail}. Send it in parts; `entries` has what was read until then."
        return problem(request, "too_complex", detail, members=b',"entries":' + data)
    head = to_json({"format": found.format, "found": len(texts), **_counts(tally)})
    return Response(head[:-1] + b',"data":' + data + b"}", media_type="application/json")


def _outcomes(connection: Connection, parsed: ParsedFile) -> Iterator[citation_matching.Outcome]:
    """Yield what becomes of each entry, for somebody who may not see proposals."""
    records = ((entry.line, entry.record, entry.dropped) for entry in parsed.entries)
    return citation_matching.reconcile(connection, records, proposed=False)


def _counts(tally: Mapping[Outcome, int]) -> dict[str, int]:
    return {outcome: tally[outcome] for outcome in get_args(Outcome)}


def _in_order(
    parsed: ParsedFile, outcomes: Iterable[citation_matching.Outcome]
) -> Iterator[ParsedRecord]:
    """Yield what became of each entry of a file, in the order of the file."""
    return heapq.merge(
        map(_parsed_record, outcomes),
        map(_problem_record, parsed.problems),
        key=lambda record: record.line,
    )


def reconciled(
    name: str, parsed: ParsedFile, outcomes: Iterable[citation_matching.Outcome]
) -> Parsed:
    """Return what became of each entry of a file in a format, in the order of the file."""
    records = list(_in_order(parsed, outcomes))
    tally = Counter(record.outcome for record in records)
    return Parsed(format=name, found=len(records), data=records, **_counts(tally))


def _parsed_record(outcome: citation_matching.Outcome) -> ParsedRecord:
    return ParsedRecord(
        line=outcome.line,
        outcome=outcome.outcome,
        id=outcome.id,
        matched_by=outcome.matched_by,
        differences=outcome.differences,
        errors=[_error(fault.at, fault.code, fault.detail) for fault in outcome.faults],
        dropped=list(outcome.dropped),
        record=None if outcome.source is None else _postable(outcome.source),
    )


def _postable(source: SourceIn) -> Row:
    """Return a new source as a record of a batch: what is empty or at its default is left out."""
    body = source.model_dump(exclude_defaults=True, exclude={"state", "replaced_by"})
    for people in ("authors", "contributors"):
        if people in body:
            body[people] = [_without_none(person) for person in body[people]]
    return {"record": "source", **body}


def _without_none(row: Row) -> Row:
    return {name: value for name, value in row.items() if value is not None}


def _problem_record(problem: EntryProblem) -> ParsedRecord:
    return ParsedRecord(
        line=problem.line,
        outcome="reported",
        id=None,
        matched_by=None,
        differences=[],
        errors=[_error("", problem.code, problem.detail)],
        dropped=[],
        record=None,
    )


def _error(at: str, code: str, detail: str) -> ProblemError:
    return ProblemError(pointer=f"/{at}" if at else None, code=code, detail=detail)
