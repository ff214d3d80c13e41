"""A file of citations, read and held against what is stored; nothing is stored."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from api.citations import detect
from api.citations.parse_result import Reading
from api.http.auth import JsonAccepted, database
from api.http.errors import LIST_ERRORS, ParameterError, ProblemError, responses
from api.http.pagination import choices
from models.core.errors import Fault
from models.read.filters import Filters
from models.transfer import citation_matching
from models.transfer.citation_matching import Difference

router = APIRouter(prefix="/v1", tags=["sources"], dependencies=[JsonAccepted])

READABLE = list(detect.FORMATS)


class ParseParameters(Filters):
    """What the file is."""

    format: Annotated[str, choices("format", READABLE)] | None = Field(
        None, description="Detected where not given."
    )


class ParsedRecord(BaseModel):
    """What became of one entry."""

    line: int = Field(description="Where it begins, from 1.")
    outcome: Literal["new", "matched", "reported"]
    id: str | None = Field(
        description="The slug that it would get, or of the source that it matches."
    )
    matched_by: str | None = Field(
        description="Identifier scheme, or title, year and first author."
    )
    differences: list[Difference] = Field(
        description="Fields in which the stored source differs; nothing is merged."
    )
    errors: list[ProblemError] = Field(description="Why it cannot be used.")
    dropped: list[str] = Field(description="Fields of the entry that have no place here.")


class Parsed(BaseModel):
    """The reconciliation: found = new + matched + reported."""

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
    """Read a file of citations (BibTeX, RIS, CSL-JSON, NBIB) and say of each entry whether it is new, matches, or why not.

    The format is detected; every entry of the file is in the answer. At most 2,000,000 bytes.
    """
    # Before the body is read: what is refused shall cost nothing.
    request.app.state.limits.count_file(request)
    content = await request.body()
    answer = await run_in_threadpool(_parse, request, content, query.format)
    return Response(to_json(answer), media_type="application/json")


def _parse(request: Request, content: bytes, name: str | None) -> Parsed:
    try:
        name = name or detect.detect(content)
    except ValueError as error:
        raise ParameterError(
            str(error), [Fault(at="format", code="unknown_format", detail=str(error))]
        ) from None
    reading = detect.read(content, name)
    with database(request).read() as connection:
        outcomes = citation_matching.reconcile(
            connection,
            ((found.line, found.record, found.dropped) for found in reading.found),
            proposed=False,
        )
    return reconciled(name, reading, outcomes)


def reconciled(name: str, reading: Reading, outcomes: list[citation_matching.Outcome]) -> Parsed:
    """Return the reconciliation of a file: what was read and what could not be, in the order of the file."""
    records = [
        ParsedRecord(
            line=outcome.line,
            outcome=outcome.outcome,
            id=outcome.id,
            matched_by=outcome.matched_by,
            differences=outcome.differences,
            errors=[_error(fault.at, fault.code, fault.detail) for fault in outcome.faults],
            dropped=list(outcome.dropped),
        )
        for outcome in outcomes
    ]
    nothing: dict[str, Any] = {"id": None, "matched_by": None, "differences": [], "dropped": []}
    records += [
        ParsedRecord(
            line=each.line,
            outcome="reported",
            errors=[_error("", each.code, each.detail)],
            **nothing,
        )
        for each in reading.troubles
    ]
    records.sort(key=lambda record: record.line)
    number = [record.outcome for record in records].count
    return Parsed(
        format=name,
        found=len(records),
        new=number("new"),
        matched=number("matched"),
        reported=number("reported"),
        data=records,
    )


def _error(at: str, code: str, detail: str) -> ProblemError:
    return ProblemError(pointer=f"/{at}" if at else None, code=code, detail=detail)
