"""Vocabularies: every term with its definition and its crosswalk, and the status rules in their
order.
"""

import hashlib
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from api.citations import concepts
from api.http import list_formats, pagination
from api.http.errors import LIST_ERRORS, PROBLEMS, RECORD_ERRORS
from api.http.list_formats import LinkedParameters
from api.http.negotiation import JsonAccepted
from api.http.read_route import ReadRoute
from models.core import vocabularies as v
from models.core.errors import Fault, NotFound, close_matches
from models.core.rating_schemes import RATING_SCHEMES
from models.core.types import Shape, Text
from models.core.vocabulary import Term, Vocabulary
from models.read.filters import Filters
from models.status import explanation, rules

router = APIRouter(
    prefix="/v1/vocabularies",
    tags=["vocabularies"],
    route_class=ReadRoute,
)

STATUS_RULES = Vocabulary(
    "status-rules",
    "Status rules",
    "How a status is derived: the first rule that holds decides. A line counts when it is"
    " accepted, its source is not "
    "retracted, it takes a side, and it was published by then. Rank is the level, 1 to 5, or"
    " 6 where not gradable; it is one lower for an indirect line, for each reason to grade down"
    " and for a source under concern, and one higher for each reason to grade up. Lines of one"
    " work or one independence group are one body, which counts once.",
    tuple(
        Term(rule.name, rule.status, rule.sentence, {"statuses": rule.status})
        for rule in rules.RULES
    ),
)
CERTAINTY_REASONS = Vocabulary(
    "certainty-reasons",
    "Reasons of a certainty",
    "Why a derived certainty is what it is, after GRADE.",
    tuple(
        Term(name, name.replace("_", " "), sentence)
        for name, sentence in rules.CERTAINTY_REASONS.items()
    ),
)
VOCABULARIES = {
    vocabulary.name: vocabulary
    for vocabulary in (
        *(found for found in vars(v).values() if isinstance(found, Vocabulary)),
        STATUS_RULES,
        CERTAINTY_REASONS,
        *RATING_SCHEMES.values(),
        explanation.PARTS,
        PROBLEMS,
    )
}


class TermOut(Shape):
    """One term."""

    id: str
    label: str
    definition: str
    crosswalk: dict[str, str] = Field(description="The same term in other schemes.")


class VocabularySummary(Shape):
    """What a vocabulary is about."""

    name: str
    title: str
    definition: str
    reference: str | None = Field(description="Where the definitions come from.")


class VocabularyOut(VocabularySummary):
    """A vocabulary with its terms; their order is their rank where the definition says so."""

    terms: list[TermOut]


class VocabularyList(Shape):
    """All vocabularies."""

    data: list[VocabularySummary]


def _response(request: Request, answer: BaseModel) -> Response:
    content = to_json(answer)
    etag = _etag_of(content)
    return pagination.not_modified(request, etag) or pagination.json_response(content, etag)


def _etag_of(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


@router.get("", response_model=VocabularyList, responses=LIST_ERRORS, dependencies=[JsonAccepted])
def list_vocabularies(request: Request) -> Response:
    """List the vocabularies."""
    return _response(
        request,
        VocabularyList(
            data=[VocabularySummary(**_summary(each)) for each in VOCABULARIES.values()]
        ),
    )


class VocabularyParameters(Filters, LinkedParameters):
    """In which representation."""


@router.get(
    "/{name}",
    response_model=VocabularyOut,
    responses=list_formats.responses(RECORD_ERRORS, LinkedParameters),
)
def get_vocabulary(
    request: Request,
    name: Annotated[Text, Path(max_length=100, description="Such as `statuses`.")],
    query: Annotated[VocabularyParameters, Query()],
) -> Response:
    """Return one vocabulary with all its terms, as linked data a concept scheme of SKOS.

    The address of a term is that of its vocabulary, `#`, and its id.
    """
    chosen = list_formats.requested_format(request, query)
    if name not in VOCABULARIES:
        close = close_matches(name, VOCABULARIES)
        fault = Fault(
            at="name",
            code="not_found",
            detail="There is no such vocabulary.",
            allowed=list(VOCABULARIES),
        )
        fault.suggestion = close[0] if close else None
        raise NotFound(f"There is no vocabulary '{name}'.", [fault])
    found = VOCABULARIES[name]
    terms = [TermOut(**{**vars(term), "crosswalk": dict(term.crosswalk)}) for term in found.terms]
    answer = VocabularyOut(**_summary(found), terms=terms)
    if chosen is None:
        return _response(request, answer)
    make = partial(concepts.scheme, found)
    return list_formats.linked_file(request, chosen, make, _etag_of(to_json(answer)), name)


def _summary(vocabulary: Vocabulary) -> dict[str, str | None]:
    return {name: getattr(vocabulary, name) for name in VocabularySummary.model_fields}
