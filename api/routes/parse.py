"""Parse a citation file and compare it with the stored sources, without storing anything."""

from collections import Counter
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from api.citations import detect, formats
from api.citations.parse_result import EntryProblem, ParsedFile
from api.http.errors import LIST_ERRORS, ParameterError, ProblemError, responses
from api.http.negotiation import JsonAccepted
from api.http.pagination import choices
from api.http.read_connection import database
from api.http.read_route import ParsedRoute
from models.core.errors import Fault
from models.read.filters import Filters
from models.transfer import citation_matching
from models.transfer.citation_matching import Difference

router = APIRouter(
    prefix="/v1", tags=["sources"], dependencies=[JsonAccepted], route_class=ParsedRoute
)

READABLE = list(formats.READ)


class ParseParameters(Filters):
    """The format of the file."""

    format: Annotated[str, choices("format", READABLE)] | None = Field(
        None, description="Detected by default."
    )


class ParsedRecord(BaseModel):
    """The result for one entry of the file."""

    line: int = Field(description="Line number in the file where the entry begins, from 1.")
    outcome: Literal["new", "matched", "reported"]
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


class Parsed(BaseModel):
    """The result for a file; always found = new + matched + reported."""

    format: str
    found: int
    new: int
    matched: int
    reported: int
    data: list[ParsedRecord]


@router.post(
    "/sources:parse",
    response_model=Parsed,
    responses={
        **{status: said for status, said in LIST_ERRORS.items() if status != 304},
        **responses(408, 413, 429),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "*/*": {
                    "schema": {
                        "type": "string",
                        "description": "BibTeX, RIS, CSL-JSON or PubMed NBIB.",
                    }
                }
            },
        }
    },
)
async def parse_sources(request: Request, query: Annotated[ParseParameters, Query()]) -> Response:
    """Parse a citation file (BibTeX, RIS, CSL-JSON, NBIB). Each entry is new, matches a stored
    source, or is reported with errors.

    The format is detected by default, and the answer contains every entry of the file. At most
    2,000,000 bytes.
    """
    # Count before the body is read, so that a refused request costs nothing.
    request.app.state.limits.count_file(request)
    content = await request.body()
    answer = await run_in_threadpool(_parse, request, content, query.format)
    return Response(to_json(answer), media_type="application/json")


def _parse(request: Request, content: bytes, name: str | None) -> Parsed:
    try:
        name = name or detect.detect(content)
    except ValueError as error:
        fault = Fault(at="format", code="unknown_format", detail=str(error))
        raise ParameterError(str(error), [fault]) from None
    parsed = detect.read(content, name)
    records = ((entry.line, entry.record, entry.dropped) for entry in parsed.entries)
    with database(request).read() as connection:
        outcomes = list(citation_matching.reconcile(connection, records, proposed=False))
    return reconciled(name, parsed, outcomes)


def reconciled(name: str, parsed: ParsedFile, outcomes: list[citation_matching.Outcome]) -> Parsed:
    """Return the result for each entry of a file, in the order of the file."""
    records = [_parsed_record(outcome) for outcome in outcomes]
    records += [_problem_record(problem) for problem in parsed.problems]
    records.sort(key=lambda record: record.line)
    tally = Counter(record.outcome for record in records)
    return Parsed(
        format=name,
        found=len(records),
        new=tally["new"],
        matched=tally["matched"],
        reported=tally["reported"],
        data=records,
    )


def _parsed_record(outcome: citation_matching.Outcome) -> ParsedRecord:
    return ParsedRecord(
        line=outcome.line,
        outcome=outcome.outcome,
        id=outcome.id,
        matched_by=outcome.matched_by,
        differences=outcome.differences,
        errors=[_error(fault.at, fault.code, fault.detail) for fault in outcome.faults],
        dropped=list(outcome.dropped),
    )


def _problem_record(problem: EntryProblem) -> ParsedRecord:
    return ParsedRecord(
        line=problem.line,
        outcome="reported",
        id=None,
        matched_by=None,
        differences=[],
        errors=[_error("", problem.code, problem.detail)],
        dropped=[],
    )


def _error(at: str, code: str, detail: str) -> ProblemError:
    return ProblemError(pointer=f"/{at}" if at else None, code=code, detail=detail)
