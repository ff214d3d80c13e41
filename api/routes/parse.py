"""Parse a citation file, compare it with the stored sources, and store what is new of it."""

import heapq
from collections import Counter
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple, get_args

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from pydantic_core import to_json
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.types import Receive, Scope, Send

from api.citations import formats
from api.citations.parse_result import EntryProblem, ParsedFile
from api.http.body_chunks import to_fast_clients
from api.http.clients import client_of
from api.http.errors import (
    LIST_ERRORS,
    MEDIA_TYPE,
    ParameterError,
    Problem,
    ProblemError,
    problem,
    response_to,
    responses,
)
from api.http.fair_share import run_in_thread
from api.http.file_reading import ReadFile, while_there
from api.http.negotiation import LINES_TYPES, wants_lines
from api.http.pagination import choices
from api.http.read_connection import database
from api.http.read_route import ParsedRoute
from api.http.write_transaction import NEW_ERRORS, ONCE, Answer, in_turn, taking, write
from api.routes.curate import Comment, Contributor
from api.routes.review import MOST_RECORDS
from models.access.api_keys import Key
from models.core.errors import ClaimbaseError, Conflict, Fault, InvalidRecord
from models.core.schema_names import named
from models.core.types import Shape
from models.read.filters import Filters
from models.records.record_types import RECORD_TYPES
from models.records.serializers import Row
from models.records.source import SourceIn
from models.transfer import citation_matching
from models.transfer.citation_matching import CitationDifference
from models.write import changes, review
from models.write.changes import Change

router = APIRouter(prefix="/v1", tags=["sources"], route_class=ParsedRoute)

READABLE = list(formats.READ)


Outcome = Literal["new", "matched", "reported"]
OUTCOMES = get_args(Outcome)


class ParseParameters(Filters):
    """The format of the file."""

    format: Annotated[str, choices("format", READABLE, "ReadFormat")] | None = Field(
        None, description="Detected by default."
    )


class ParsedRecord(Shape):
    """The result for one entry of the file."""

    line: int = Field(description="Line number in the file where the entry begins, from 1.")
    outcome: Annotated[
        Outcome, named("ReadOutcome", "What an entry of a file is.", enum=[*OUTCOMES])
    ]
    id: str | None = Field(
        description="Slug of the source that it matches, or that a new source would get."
    )
    matched_by: str | None = Field(
        description="Identifier scheme, or title, year and first author."
    )
    differences: list[CitationDifference] = Field(
        description="Fields in which the stored source differs; nothing is merged."
    )
    errors: list[ProblemError] = Field(description="Why the entry cannot be used.")
    dropped: list[str] = Field(description="Fields of the entry that cannot be stored.")
    record: dict[str, Any] | None = Field(
        description="What was read of a new source, ready for `/v1/claims:batch`; else null."
    )


class Parsed(Shape):
    """The result for a file; always found = new + matched + reported."""

    format: str
    found: int
    new: int
    matched: int
    reported: int
    data: list[ParsedRecord]


# Bytes a second, before compression, that a client of a stream must take on average: while it
# reads, nobody else has its turn.
LEAST_RATE = 100_000
# The bytes of an answer: an ordinary one has as many as its file, but each difference from what is
# stored tells both.
MOST_ANSWER_BYTES = 8_000_000
# The file itself tells its format, so that each of these will do for each.
_TYPES = (
    "application/x-bibtex",
    "application/x-research-info-systems",
    "application/vnd.citationstyles.csl+json",
    "application/xml",
    "text/plain",
)
_FILE = taking(
    body={
        media_type: {"type": "string", "description": "A file in one of the formats of `format`."}
        for media_type in _TYPES
    },
    required=True,
)
_IN_LINES: dict[str, Any] = {
    "description": "What became of each entry; with `Accept: application/jsonl` as lines",
    "content": {LINES_TYPES[0]: {"schema": {"type": "string"}}},
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
        200: _IN_LINES,
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

    With `Accept: application/jsonl` a file has at most 20,000,000 bytes and 100,000 entries, and
    the answer is a stream of lines: one an entry, one of `progress` after every 200 entries or
    fewer, and a last one, the `summary`, which says whether the file was read to its end.
    """
    if wants_lines(request):
        return FileLines(request, query.format, partial(_parsed_lines, request))

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
            async with state.files.turn(request, len(content)):
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
    response_model=Imported,
    responses={**NEW_ERRORS, **responses(400, 406), 200: _IN_LINES},
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

    With `Accept: application/jsonl` a file has at most 20,000,000 bytes and 100,000 entries, and
    the answer is a stream of lines as that of `/v1/sources:parse`. The entries are stored in
    batches of at most 200, each all or nothing: what a line says is stored, and stays stored if the
    connection breaks. The same file can be sent again: what is there already is matched. So an
    `Idempotency-Key` is not taken. What cannot be stored, such as an id that is taken, is reported.
    """
    if wants_lines(request):
        _refuse_idempotency_key(request)
        stored = partial(_stored_lines, request, caller, query.comment)
        return FileLines(request, query.format, stored)

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
    outcomes = _seen_by(caller, found.parsed, change)
    new = [outcome.source for outcome in outcomes if outcome.source is not None]
    for source in new:
        _store_source(caller, source, change)
    told = reconciled(found.format or "", found.parsed, outcomes)
    return Answer(lambda _change: Imported(**told.model_dump(), stored=len(new)), 201)


def _seen_by(caller: Key, parsed: ParsedFile, change: Change) -> list[citation_matching.Outcome]:
    """Return what becomes of each entry, for a caller who may see some of the proposals."""
    connection, proposed = change.connection, caller.may("curator")
    return list(
        citation_matching.reconcile(connection, _records(parsed), proposed=proposed, caller=caller)
    )


def _store_source(caller: Key, source: SourceIn, change: Change) -> None:
    """Store a new source in the name of a caller. Raises an error before anything is written.

    An id that somebody else's proposal has is refused, since the caller must not learn of it.
    """
    if caller.may("curator"):
        changes.put_source(change, source, "create")
        return
    kind = RECORD_TYPES["source"]
    body = source.model_dump(exclude={"state"})
    review.propose(change, caller, kind, review.judge(caller, kind, body))


class EntryLine(ParsedRecord):
    """A line of a stream: what became of one entry of the file."""

    kind: Literal["entry"] = "entry"


class ProgressLine(Shape):
    """A line of a stream: what was read until now, and what of it is stored for good.

    `stored` is null where nothing is to be stored.
    """

    kind: Literal["progress", "summary"] = "progress"
    line: int = Field(description="Where the last entry begins that was read.")
    lines: int = Field(description="The number of lines of the file.")
    found: int = 0
    new: int = 0
    matched: int = 0
    reported: int = 0
    stored: int | None = None


class SummaryLine(ProgressLine):
    """The last line of a stream. With a problem, the file was not read to its end."""

    kind: Literal["progress", "summary"] = "summary"
    format: str | None
    problem: Problem | None


Lines = AsyncGenerator[bytes]


class FileLines(StreamingResponse):
    """A stream of lines about a file, which is the body of the request.

    It holds the file's places and turn until its end. An error before the first line becomes an
    error response.
    """

    def __init__(
        self, request: Request, name: str | None, lines: Callable[[bytes, ReadFile], Lines]
    ) -> None:
        headers = {"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}
        super().__init__((), media_type=LINES_TYPES[0], headers=headers)
        self.request, self.format, self.lines = request, name, lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = self.request.app.state
        state.limits.count_file(self.request)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(state.files.place(self.request))
            content = await self.request.body()
            state.limits.count_body(self.request, content)
            turn = state.files.turn(self.request, len(content))
            await while_there(self.request, partial(stack.enter_async_context, turn))
            lines = self.lines(content, ReadFile(format=self.format))
            await stack.enter_async_context(aclosing(lines))
            first = await while_there(self.request, partial(anext, lines))
            received = to_fast_clients(_again(first, lines), LEAST_RATE)
            self.body_iterator = await stack.enter_async_context(aclosing(received))
            await super().__call__(scope, receive, send)


async def _again(first: bytes, rest: Lines) -> Lines:
    yield first
    async for piece in rest:
        yield piece


class _Told(NamedTuple):
    """The lines about a batch of entries, and what its line of progress adds up."""

    text: bytes
    last: int
    tally: Counter[Outcome]
    stored: int | None


Step = Callable[[ParsedFile], Awaitable[_Told]]


def _tell(
    batch: ParsedFile, outcomes: Iterable[citation_matching.Outcome], stored: int | None = None
) -> _Told:
    records = [EntryLine(**dict(record)) for record in _in_order(batch, outcomes)]
    text = b"".join(to_json(record) + b"\n" for record in records)
    last = max((record.line for record in records), default=0)
    return _Told(text, last, Counter(record.outcome for record in records), stored)


def _parsed_lines(request: Request, content: bytes, found: ReadFile) -> Lines:
    """Yield the lines about a file of which nothing is stored."""
    new_sources = citation_matching.NewSources()
    run = partial(request.app.state.readers.run, client_of(request))

    def compare(batch: ParsedFile) -> _Told:
        with database(request).read() as connection:
            return _tell(batch, _outcomes(connection, batch, new_sources))

    async def step(batch: ParsedFile) -> _Told:
        return await run_in_thread(request, partial(compare, batch), run)

    return _lines(request, content, found, step)


def _stored_lines(
    request: Request, caller: Key, comment: str | None, content: bytes, found: ReadFile
) -> Lines:
    """Yield the lines about a file whose new sources are stored, batch by batch."""

    def store(batch: ParsedFile) -> _Told:
        with changes.begin(database(request), actor=caller.name, comment=comment) as change:
            outcomes = _seen_by(caller, batch, change)
            stored = sum(_store_or_report(caller, outcome, change) for outcome in outcomes)
        return _tell(batch, outcomes, stored)

    async def step(batch: ParsedFile) -> _Told:
        told = await in_turn(request, store, batch)
        request.app.state.limits.count_stored(request, caller.id, told.stored or 0)
        return told

    return _lines(request, content, found, step)


def _store_or_report(caller: Key, outcome: citation_matching.Outcome, change: Change) -> bool:
    """Store the source of a new entry, and return whether it was stored."""
    if outcome.source is None:
        return False
    try:
        _store_source(caller, outcome.source, change)
    except (Conflict, InvalidRecord) as error:
        outcome.outcome, outcome.id, outcome.source = "reported", None, None
        outcome.faults = error.faults
        return False
    return True


async def _lines(request: Request, content: bytes, found: ReadFile, step: Step) -> Lines:
    """Yield the lines of each batch of a file, ended by one of progress, and at last the summary.

    An error after the first line is the summary's problem: what was told before it is so.
    """
    progress = ProgressLine(line=0, lines=content.count(b"\n") + 1)
    failed: Response | None = None
    try:
        async with aclosing(request.app.state.files.batches(content, found)) as batches:
            async for batch in batches:
                told = await step(batch)
                progress = _further(progress, told)
                yield told.text + to_json(progress) + b"\n"
        _refuse_unknown(found)
    except (ClaimbaseError, DBAPIError, PoolTimeout) as error:
        if not progress.found:
            raise
        failed = response_to(request, error)
    if failed is None and found.end != "read":
        failed = problem(request, "too_complex", f"{found.detail}. The rest was not read.")
    wrong = None if failed is None else Problem.model_validate_json(bytes(failed.body))
    end = {**dict(progress), "kind": "summary", "format": found.format, "problem": wrong}
    yield to_json(SummaryLine(**end)) + b"\n"


def _further(progress: ProgressLine, told: _Told) -> ProgressLine:
    """Return the progress after one more batch."""
    stored = None if told.stored is None else (progress.stored or 0) + told.stored
    return ProgressLine(
        line=max(progress.line, told.last),
        lines=progress.lines,
        found=progress.found + told.tally.total(),
        new=progress.new + told.tally["new"],
        matched=progress.matched + told.tally["matched"],
        reported=progress.reported + told.tally["reported"],
        stored=stored,
    )


def _refuse_idempotency_key(request: Request) -> None:
    """Raise an error for an `Idempotency-Key`, since the answer of a stream is not kept."""
    if "idempotency-key" in request.headers:
        detail = (
            "A stream takes no Idempotency-Key: send the same file again, and what is stored"
            " already is matched."
        )
        fault = Fault(at="Idempotency-Key", code="invalid_parameter", detail=detail)
        raise ClaimbaseError(detail, [fault], code="invalid_parameter")


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


def _outcomes(
    connection: Connection, parsed: ParsedFile, new: citation_matching.NewSources | None = None
) -> Iterator[citation_matching.Outcome]:
    """Yield what becomes of each entry, for somebody who may not see proposals.

    `new` has the new sources of earlier parts of the file.
    """
    records = _records(parsed)
    return citation_matching.reconcile(connection, records, proposed=False, new_sources=new)


def _records(parsed: ParsedFile) -> Iterator[citation_matching.Record]:
    return ((entry.line, entry.record, entry.dropped) for entry in parsed.entries)


def _counts(tally: Mapping[Outcome, int]) -> dict[str, int]:
    return {outcome: tally[outcome] for outcome in OUTCOMES}


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
