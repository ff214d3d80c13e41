"""What can be asked of each resource: one typed class a resource, and the condition behind each name.

A parameter is `field`, or `field.ne`, `field.gte`, `field.lte`. Several values (repeated or with commas) mean any of them;
several parameters must all hold.
"""

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, and_, exists, or_

from models import vocabularies as v
from models.base import Slug, Text, check_partial_date
from models.claim import Topic
from models.document import ClaimDocument, ClaimTerm
from models.evidence import Evidence
from models.records import table
from models.source import Source, SourceAuthor, name_key

T = TypeVar("T")
LARGEST = 2**31 - 1
MOST_VALUES = 50


def split(value: object) -> object:
    """Split text at its commas, each item of a list too; a DOI may contain commas and stays whole."""
    if isinstance(value, str):
        return [value] if value.startswith("doi:") else value.split(",")
    if not isinstance(value, list):
        return value
    parts: list[object] = []
    for item in value:
        pieces = split(item)
        parts += pieces if isinstance(pieces, list) else [pieces]
    return parts


Many = Annotated[list[T], BeforeValidator(split), Field(max_length=MOST_VALUES)]
Reference = Annotated[Text, Field(min_length=1, max_length=500)]
Year = Annotated[int, Field(ge=1, le=9999)]
Count = Annotated[int, Field(ge=0, le=LARGEST)]
_MOMENT = re.compile(r"(\d{4}(?:-\d{2}){0,2})(?:(?<=-..-..)T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?Z)?")


def check_moment(value: str) -> str:
    """Accept a UTC time or the beginning of one; return it without its Z, so that it is a prefix of what it means."""
    match = _MOMENT.fullmatch(value)
    if match is None:
        raise PydanticCustomError(
            "malformed_time", "Write a UTC time such as 2026-01-31T12:00:00Z, or the beginning of one."
        )
    check_partial_date(match[1])
    return value.removesuffix("Z")


Moment = Annotated[
    str,
    AfterValidator(check_moment),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z)?)?)?$"}),
]
NONE: Any = ()


class Filters(BaseModel):
    """The base of every class of parameters; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid")


class LineFilters(Filters):
    """What one accepted line of evidence must be. Given together, one and the same line must meet all of them."""

    evidence_level: Many[v.EvidenceLevel] = Field(NONE, description="Accepted evidence at this level, as graded.")
    evidence_level_lte: v.EvidenceLevel | None = Field(
        None, alias="evidence_level.lte", description="At this level or better (1 is best)."
    )
    direction: Many[v.Direction] = Field(NONE, description="Which side the line takes.")
    study_design: Many[v.StudyDesign] = Field(NONE, description="How the source found out.")
    source: Many[Reference] = Field(
        NONE, description="Evidence from this source: slug, doi:…, pmid:…, pmcid:… or isbn:…"
    )


class ClaimFilters(LineFilters):
    """Which claims."""

    status: Many[v.Status] = Field(NONE, description="Derived status.")
    status_ne: Many[v.Status] = Field(NONE, alias="status.ne", description="Any status but these.")
    kind: Many[v.ClaimKind] = Field(NONE, description="Kind of claim.")
    kind_ne: Many[v.ClaimKind] = Field(NONE, alias="kind.ne", description="Any kind but these.")
    topic: Many[Slug] = Field(NONE, description="Filed under this topic (slug).")
    topic_ne: Many[Slug] = Field(NONE, alias="topic.ne", description="Not filed under these topics.")
    asserted_by: Many[Slug] = Field(NONE, description="Asserted by (slug, see the facet asserted_by).")
    certainty: Many[v.Certainty] = Field(NONE, description="Certainty of the conclusion.")
    document: Many[Reference] = Field(NONE, description="Stated in this source: slug, doi:…, pmid:…, pmcid:… or isbn:…")
    has_conflict: bool | None = Field(None, description="Whether counted evidence stands on both sides.")
    updated_gte: Moment | None = Field(None, alias="updated.gte", description="Changed here at or after this UTC time.")
    updated_lte: Moment | None = Field(
        None, alias="updated.lte", description="Changed here at or before this UTC time."
    )


class EvidenceFilters(Filters):
    """Which lines of evidence. Only accepted ones are given."""

    level: Many[v.EvidenceLevel] = Field(NONE, description="Level, as graded.")
    level_lte: v.EvidenceLevel | None = Field(
        None, alias="level.lte", description="At this level or better (1 is best)."
    )
    direction: Many[v.Direction] = Field(NONE, description="Which side the line takes.")
    directness: Many[v.Directness] = Field(NONE, description="Whether the line tests the claim itself.")
    question: Many[v.Question] = Field(NONE, description="Question by which the level was given.")
    study_design: Many[v.StudyDesign] = Field(NONE, description="How the source found out.")
    independence_group: Many[Slug] = Field(NONE, description="Study, cohort or team.")
    source: Many[Reference] = Field(NONE, description="From this source: slug, doi:…, pmid:…, pmcid:… or isbn:…")
    year_gte: Year | None = Field(None, alias="year.gte", description="Published in this year or later.")
    year_lte: Year | None = Field(None, alias="year.lte", description="Published in this year or earlier.")
    sample_size_gte: Count | None = Field(None, alias="sample_size.gte", description="At least so many people.")
    sample_size_lte: Count | None = Field(None, alias="sample_size.lte", description="At most so many people.")


class AllEvidenceFilters(EvidenceFilters):
    """Which lines of evidence, across claims."""

    claim: Many[Slug] = Field(NONE, description="On this claim (slug).")


class SourceFilters(Filters):
    """Which sources."""

    type: Many[v.SourceType] = Field(NONE, description="Type of source.")
    author: Many[Text] = Field(
        NONE, description="Family name or group's name of an author; case and accents do not matter."
    )
    journal: Many[Text] = Field(NONE, description="Journal, in full or as abbreviated, exactly.")
    study_design: Many[v.StudyDesign] = Field(NONE, description="How the source found out.")
    integrity: Many[v.Integrity] = Field(NONE, description="What its publisher has announced.")
    retracted: bool | None = Field(None, description="Whether it is retracted.")
    year_gte: Year | None = Field(None, alias="year.gte", description="Published in this year or later.")
    year_lte: Year | None = Field(None, alias="year.lte", description="Published in this year or earlier.")


document, evidence, source = table(ClaimDocument), table(Evidence), table(Source)
term, author = table(ClaimTerm), table(SourceAuthor)

Condition = Callable[[str, Any], ColumnElement[bool]]  # From an operator and a value.


def column(of: ColumnElement[Any]) -> Condition:
    """Compare a column; with `ne`, a row without a value is among the others."""

    def condition(operator: str, value: Any) -> ColumnElement[bool]:
        if operator == "ne":
            return or_(of.is_(None), of.not_in(value))
        if operator == "gte":
            return cast("ColumnElement[bool]", of >= value)
        if operator == "lte":
            # A time given in part means all of it: «~» sorts after whatever may follow.
            return cast("ColumnElement[bool]", of <= (value + "~" if of is document.c.updated else value))
        return of.in_(value) if isinstance(value, list) else of == value

    return condition


def has_term(field: str) -> Condition:
    """Ask whether a claim has one of the values in a field of which it has many."""

    def condition(operator: str, values: Any) -> ColumnElement[bool]:
        found = exists().where(term.c.claim == document.c.claim, term.c.field == field, term.c.value.in_(values))
        return ~found if operator == "ne" else found

    return condition


def _by_author(_operator: str, names: Any) -> ColumnElement[bool]:
    keys = [name_key(name) for name in names]
    return exists().where(author.c.source == source.c.id, author.c.name_key.in_(keys))


def _in_journal(_operator: str, names: Any) -> ColumnElement[bool]:
    return or_(source.c.container_title.in_(names), source.c.container_title_short.in_(names))


LINE_CONDITIONS: Mapping[str, Condition] = {
    "evidence_level": column(evidence.c.level),
    "direction": column(evidence.c.direction),
    "study_design": column(evidence.c.study_design),
    "source": column(evidence.c.source),
}
CLAIM_CONDITIONS: Mapping[str, Condition] = {
    **{name: column(document.c[name]) for name in ("status", "kind", "certainty", "has_conflict", "updated")},
    **{name: has_term(name) for name in ("topic", "asserted_by", "document")},
}
EVIDENCE_CONDITIONS: Mapping[str, Condition] = {
    **{
        name: column(evidence.c[name])
        for name in (
            *("claim", "level", "direction", "directness", "question", "study_design", "independence_group", "source"),
            "sample_size",
        )
    },
    "year": column(source.c.year),
}
SOURCE_CONDITIONS: Mapping[str, Condition] = {
    **{name: column(source.c[name]) for name in ("type", "study_design", "integrity", "year")},
    "author": _by_author,
    "journal": _in_journal,
    "retracted": lambda _operator, wanted: (source.c.integrity == "retracted") == wanted,
}
# Names whose values are records: a slug that is not stored is a mistake, not an empty answer.
REFERENCES: Mapping[str, Any] = {
    "topic": table(Topic).c.id,
    "claim": document.c.claim,
    "source": source.c.id,
    "document": source.c.id,
}


def given(filters: BaseModel) -> dict[str, Any]:
    """Return the parameters that were given, under the names in which they were given."""
    fields = type(filters).model_fields
    return {
        fields[name].alias or name: value
        for name in sorted(filters.model_fields_set)
        if (value := getattr(filters, name)) is not None and value != NONE and value != []
    }


def conditions(parameters: Mapping[str, Any], known: Mapping[str, Condition]) -> list[ColumnElement[bool]]:
    """Return a condition for each parameter (`name` or `name.operator`) that this table of conditions knows."""
    made = []
    for parameter, value in parameters.items():
        name, _, operator = parameter.partition(".")
        if name in known:
            made.append(known[name](operator, value))
    return made


def claim_conditions(parameters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions on claims; those on evidence become one, that a single accepted line meets them all."""
    made = conditions(parameters, CLAIM_CONDITIONS)
    if lines := conditions(parameters, LINE_CONDITIONS):
        on_claim = evidence.c.claim == document.c.claim
        made.append(exists().where(and_(on_claim, evidence.c.state == "accepted", *lines)))
    return made


def evidence_conditions(parameters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions on lines of evidence."""
    return [evidence.c.state == "accepted", *conditions(parameters, EVIDENCE_CONDITIONS)]


def source_conditions(parameters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions on sources."""
    return conditions(parameters, SOURCE_CONDITIONS)
