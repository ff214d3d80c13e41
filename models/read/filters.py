"""The filters of each resource: one typed class each, and the condition of each name.

A parameter is `field`, or `field.ne`, `field.gte`, `field.lte`. Several values (repeated or with
commas) mean any of them;
several parameters must all hold.
"""

import re
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError, to_json
from sqlalchemy import (
    ColumnElement,
    FromClause,
    String,
    and_,
    bindparam,
    case,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy import cast as cast_to

from models.core import vocabularies as v
from models.core.dates import PARTIAL_DATE, check_partial_date, last_day_of, now
from models.core.schema_names import named
from models.core.types import MAX_INTEGER, SLUG, Shape, Slug, Text, is_slug
from models.projection.tables import (
    ClaimDocument,
    ClaimTerm,
    EvidenceDocument,
    EvidenceTerm,
    StatusPeriod,
)
from models.records.claim import Topic
from models.records.collection import Collection
from models.records.evidence import BearsOn, Evidence, PooledSource
from models.records.identifiers import IDENTIFIER_FORMATS
from models.records.serializers import table
from models.records.source import (
    Source,
    SourceAuthor,
    SourceCitation,
    SourceIdentifier,
    SourceVersion,
    name_key,
)

T = TypeVar("T")
MAX_VALUES = 50


# What a parameter or a path may name a source by.
SOURCE_REFERENCE = (
    "slug, doi:…, pmid:…, pmcid:…, isbn:…, nct:… or uri:…, a DOI, PMID, PMCID or its address"
)
_BEFORE_SCHEME = re.compile(rf",(?=(?:{'|'.join(IDENTIFIER_FORMATS)}):)", re.IGNORECASE)
# Their identifiers may hold commas.
_WITH_COMMAS = ("doi:", "uri:", "10.", "http://", "https://")


def split(value: object) -> object:
    """Split text, or each item of a list, at commas; with a DOI or a URI only before the next
    identifier. Between two commas there may be nothing.
    """
    if isinstance(value, str):
        return [part for part in split_text(value) if part]
    if not isinstance(value, list):
        return value
    parts: list[object] = []
    for item in value:
        pieces = split(item)
        parts += pieces if isinstance(pieces, list) else [pieces]
    return parts


def split_text(value: str) -> list[str]:
    """Split a text at commas, with a DOI or a URI only before the next identifier."""
    with_commas = value.lower().startswith(_WITH_COMMAS)
    return _BEFORE_SCHEME.split(value) if with_commas else value.split(",")


Name = Annotated[Text, Field(min_length=1, max_length=500)]
Many = Annotated[list[T], BeforeValidator(split), Field(max_length=MAX_VALUES)]
# Ids are asked for one by one, so the length of an address bounds their number first.
MAX_IDS = 200
Ids = Annotated[list[Text], BeforeValidator(split), Field(max_length=MAX_IDS)]
IDS = "These records alone, by id; `not_found` names those that are not there."
# Names hold commas («Journal of Neurology, Neurosurgery & Psychiatry»), so they are repeated, never
# split.
Names = Annotated[list[Name], Field(max_length=MAX_VALUES)]
Reference = Annotated[Text, Field(min_length=1, max_length=500)]


_BEFORE_IDENTIFIER = re.compile(
    rf",\s*(?=(?:{'|'.join(IDENTIFIER_FORMATS)}):|10\.[0-9]{{4,9}}/|https?://|PMC[0-9])",
    re.IGNORECASE,
)


def split_identifiers(value: object) -> object:
    """Split each text of a list at commas, in a DOI or an address only before an identifier."""
    if not isinstance(value, list):
        return value
    parts: list[object] = []
    for item in value:
        pieces = _BEFORE_IDENTIFIER.split(item) if isinstance(item, str) else [item]
        for piece in pieces:
            parts += split_text(piece) if isinstance(piece, str) else [piece]
    return parts


Identifiers = Annotated[
    list[Reference], BeforeValidator(split_identifiers), Field(max_length=MAX_VALUES)
]


def check_external_id(value: str) -> str:
    """Refuse what is not a scheme, a colon and a value."""
    scheme, _, own = value.partition(":")
    if not is_slug(scheme) or not own:
        raise PydanticCustomError(
            "malformed_external_id", "Write the collection, a colon and its id, such as civic:EID1."
        )
    return value


def check_topic_role(value: str) -> str:
    """Refuse what is not a role, a colon and the slug of a topic."""
    role, _, topic = value.partition(":")
    if role not in v.TOPIC_ROLES.ids or not is_slug(topic):
        raise PydanticCustomError(
            "malformed_topic_role",
            "Write a role ({roles}), a colon and a topic, such as subject:ccsvi.",
            {"roles": ", ".join(v.TOPIC_ROLES.ids)},
        )
    return value


_ROLE_OF_FORM = WithJsonSchema(
    {"type": "string", "pattern": f"^({'|'.join(v.TOPIC_ROLES.ids)}):{SLUG.pattern}$"}
)
TopicRoles = Many[Annotated[Name, AfterValidator(check_topic_role), _ROLE_OF_FORM]]


_OF_FORM = WithJsonSchema({"type": "string", "pattern": f"^{SLUG.pattern}:.", "maxLength": 400})
# The ids of other collections hold commas, so they are repeated, never split.
ExternalIds = Annotated[
    list[Annotated[Name, AfterValidator(check_external_id), _OF_FORM]], Field(max_length=MAX_VALUES)
]


def _as_in_json(reference: str) -> str:
    """Return an external id as the JSON of a record has it."""
    scheme, _, value = reference.partition(":")
    return to_json({"scheme": scheme, "value": value}).decode()


ExternalIdsInJson = Annotated[
    list[Annotated[Name, AfterValidator(check_external_id), AfterValidator(_as_in_json), _OF_FORM]],
    Field(max_length=MAX_VALUES),
]
EXTERNAL_ID = (
    "What another collection calls it, such as `civic:EID1`; repeat it for several, of which any "
    "will do."
)
COLLECTION = "Taken over from this collection (slug)."
Year = Annotated[int, Field(ge=1, le=9999)]
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
_MOMENT = re.compile(
    r"([0-9]{4}(?:-[0-9]{2}){0,2})(?:(?<=-..-..)T([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?Z)?"
)


def check_moment(value: str) -> str:
    """Accept a UTC time or the beginning of one; return it without its Z, so that it is a prefix of
    what it means.
    """
    match = _MOMENT.fullmatch(value)
    if match is None:
        raise PydanticCustomError(
            "malformed_time",
            "Write a UTC time such as 2026-01-31T12:00:00Z, or the beginning of one.",
        )
    check_partial_date(match[1])
    return value.removesuffix("Z")


def check_past(value: str) -> str:
    """Refuse a time that has not come."""
    if value > now():
        raise PydanticCustomError(
            "future_time", "This time has not come; what will be recorded by then is not known."
        )
    return value


_MOMENT_SCHEMA = named(
    "PointInTime",
    "A time in UTC, or the beginning of one.",
    pattern=r"^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z)?)?)?$",
)
Moment = Annotated[str, AfterValidator(check_moment), _MOMENT_SCHEMA]
PastMoment = Annotated[
    str, AfterValidator(check_moment), AfterValidator(check_past), _MOMENT_SCHEMA
]
NO_VALUES: Any = ()


class Filters(Shape):
    """The base of every class of parameters; an unknown one is an error."""

    model_config = ConfigDict(extra="forbid")


def _end(value: object) -> object:
    checked = check_partial_date(value)
    return last_day_of(checked) if isinstance(checked, str) else checked


Day = Annotated[
    str,
    BeforeValidator(_end),
    PARTIAL_DATE,
]
# A day in part: as a bound from which on it counts from its beginning, which its text sorts before.
FirstDay = Annotated[
    str,
    BeforeValidator(check_partial_date),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}(-\d{2}(-\d{2})?)?$"}),
]
AS_OF = (
    "Evidence time: with what had been published by this day; YYYY, YYYY-MM or YYYY-MM-DD,"
    " counted from its end."
)
KNOWN_AT = (
    "Database time: what this knowledge base had recorded by this UTC time,"
    " or by the end of its beginning."
)


SearchText = Annotated[Text, Field(max_length=500)]
Q = (
    'Full text: all of these words, in whatever form; `"a phrase"` as it is, `begin*`,'
    " `-without` what must not be there, `or`"
    " between what will do; an identifier, or an author and a year. The best comes first unless"
    " `sort` says otherwise."
)
MATCH = (
    "Whether `all` words of `q` must be there, or `any`. By default all, or any if no record has"
    " all; `page.search` says which."
)


MatchMode = Annotated[
    Literal["all", "any"],
    named("MatchMode", "How many of the words of `q` must be there.", enum=["all", "any"]),
]


class SearchFilter(Filters):
    """What to search for."""

    q: SearchText | None = Field(None, description=Q)
    match: MatchMode | None = Field(None, description=MATCH)


class LineFilters(Filters):
    """What one accepted line of evidence must be. Given together, one and the same line must meet
    all of them.
    """

    evidence_level: Many[v.EvidenceLevel] = Field(
        NO_VALUES, description="Accepted evidence at this level, as graded."
    )
    evidence_level_lte: v.EvidenceLevel | None = Field(
        None, alias="evidence_level.lte", description="At this level or better (1 is best)."
    )
    direction: Many[v.Direction] = Field(NO_VALUES, description="Which side the line takes.")
    study_design: Many[v.StudyDesign] = Field(NO_VALUES, description="How the source found out.")
    question: Many[v.Question] = Field(
        NO_VALUES, description="Question by which the level was given."
    )
    independence_group: Many[Slug] = Field(NO_VALUES, description="Study, cohort or team.")
    published_gte: FirstDay | None = Field(
        None, alias="published.gte", description="Evidence published on this day or later."
    )
    published_lte: Day | None = Field(
        None, alias="published.lte", description="Evidence published on this day or earlier."
    )
    year: Many[Year] = Field(NO_VALUES, description="Evidence published in this year.")
    year_gte: Year | None = Field(
        None, alias="year.gte", description="Evidence published in this year or later."
    )
    year_lte: Year | None = Field(
        None, alias="year.lte", description="Evidence published in this year or earlier."
    )
    source: Many[Reference] = Field(
        NO_VALUES, description=f"Evidence from this source: {SOURCE_REFERENCE}"
    )


class ClaimFilters(SearchFilter, LineFilters):
    """Which claims."""

    id: Ids = Field(NO_VALUES, description=IDS)
    status: Many[v.Status] = Field(NO_VALUES, description="Derived status.")
    status_ne: Many[v.Status] = Field(
        NO_VALUES, alias="status.ne", description="Any status but these."
    )
    kind: Many[v.ClaimKind] = Field(NO_VALUES, description="Kind of claim.")
    kind_ne: Many[v.ClaimKind] = Field(
        NO_VALUES, alias="kind.ne", description="Any kind but these."
    )
    topic: Many[Slug] = Field(NO_VALUES, description="Filed under this topic (slug).")
    topic_ne: Many[Slug] = Field(
        NO_VALUES, alias="topic.ne", description="Not filed under these topics."
    )
    topic_role: TopicRoles = Field(
        NO_VALUES,
        description="Filed under a topic in a role (topic-roles), such as subject:ccsvi.",
    )
    asserted_by: Many[Slug] = Field(
        NO_VALUES, description="Asserted by (slug, see the facet asserted_by)."
    )
    certainty: Many[v.Certainty] = Field(NO_VALUES, description="Certainty of the conclusion.")
    certainty_gte: v.Certainty | None = Field(
        None, alias="certainty.gte", description="Certainty of the conclusion of this or higher."
    )
    best_level: Many[v.EvidenceLevel] = Field(
        NO_VALUES,
        description="Best level among its lines; the filter `evidence_level` finds claims with any"
        " line of a level.",
    )
    best_level_lte: v.EvidenceLevel | None = Field(
        None, alias="best_level.lte", description="A best level of this or better (1 is best)."
    )
    document: Many[Reference] = Field(
        NO_VALUES, description=f"Stated in this source: {SOURCE_REFERENCE}"
    )
    external_id: ExternalIds = Field(NO_VALUES, description=EXTERNAL_ID)
    collection: Many[Slug] = Field(NO_VALUES, description=COLLECTION)
    has_conflict: bool | None = Field(
        None, description="Whether counted evidence stands on both sides."
    )
    single_group: bool | None = Field(
        None, description="Whether its support is of one independent group alone."
    )
    leaning: Many[v.Leaning] = Field(
        NO_VALUES, description="On which sides counted evidence stands."
    )
    unassessed_because: Many[v.UnassessedReason] = Field(
        NO_VALUES, description="What is there of a claim on which nothing takes a side."
    )
    searched_found_none: bool | None = Field(
        None, description="Whether nothing takes a side and somebody searched and found none."
    )
    updated_gte: Moment | None = Field(
        None, alias="updated.gte", description="Changed here at or after this UTC time."
    )
    updated_lte: Moment | None = Field(
        None, alias="updated.lte", description="Changed here at or before this UTC time."
    )
    as_of: Day | None = Field(None, description=AS_OF)


Retracted = Literal["true", "false", "any"]


class EvidenceFilters(SearchFilter):
    """Which lines of evidence. Only accepted ones are given."""

    level: Many[v.EvidenceLevel] = Field(NO_VALUES, description="Level, as graded.")
    level_lte: v.EvidenceLevel | None = Field(
        None, alias="level.lte", description="At this level or better (1 is best)."
    )
    direction: Many[v.Direction] = Field(NO_VALUES, description="Which side the line takes.")
    bears_on: BearsOn | None = Field(
        None, description="Whether it bears on the claim, or on a relation of it."
    )
    directness: Many[v.Directness] = Field(
        NO_VALUES, description="Whether the line tests the claim itself."
    )
    question: Many[v.Question] = Field(
        NO_VALUES, description="Question by which the level was given."
    )
    study_design: Many[v.StudyDesign] = Field(NO_VALUES, description="How the source found out.")
    graded_down: Many[v.GradedDown] = Field(
        NO_VALUES, description="Graded down for one of these reasons."
    )
    graded_up: Many[v.GradedUp] = Field(
        NO_VALUES, description="Graded up for one of these reasons."
    )
    extraction: Many[v.Extraction] = Field(
        NO_VALUES, description="Who read the source for the line."
    )
    checked_against: Many[v.CheckedAgainst] = Field(
        NO_VALUES, description="What of the source the line was held against."
    )
    checked_against_ne: Many[v.CheckedAgainst] = Field(
        NO_VALUES,
        alias="checked_against.ne",
        description="Held against none of these, or against nothing that is known.",
    )
    pools: Many[Reference] = Field(
        NO_VALUES,
        description=f"Of reviews that sum up this source: {SOURCE_REFERENCE}",
    )
    independence_group: Many[Slug] = Field(NO_VALUES, description="Study, cohort or team.")
    source: Many[Reference] = Field(NO_VALUES, description=f"From this source: {SOURCE_REFERENCE}")
    searched_found_none: bool | None = Field(
        None, description="Whether somebody searched and found no evidence."
    )
    retracted: Retracted | None = Field(
        None,
        description="`true`: from retracted sources alone; `false`: from none; `any`: both. Across"
        " claims it is `false` by default, on one claim `any`.",
    )
    published_gte: FirstDay | None = Field(
        None, alias="published.gte", description="Published on this day or later."
    )
    published_lte: Day | None = Field(
        None, alias="published.lte", description="Published on this day or earlier."
    )
    rating_scheme: Many[Slug] = Field(NO_VALUES, description="Rated by this scheme of others.")
    rating: Names = Field(
        NO_VALUES,
        description="Rated so by others, in their own words; with `rating_scheme` by one and the "
        "same rating. Repeat it for several.",
    )
    external_id: ExternalIds = Field(NO_VALUES, description=EXTERNAL_ID)
    collection: Many[Slug] = Field(NO_VALUES, description=COLLECTION)
    year: Many[Year] = Field(NO_VALUES, description="Published in this year.")
    year_gte: Year | None = Field(
        None, alias="year.gte", description="Published in this year or later."
    )
    year_lte: Year | None = Field(
        None, alias="year.lte", description="Published in this year or earlier."
    )
    sample_size_gte: Count | None = Field(
        None, alias="sample_size.gte", description="At least so many people."
    )
    sample_size_lte: Count | None = Field(
        None, alias="sample_size.lte", description="At most so many people."
    )
    as_of: Day | None = Field(None, description=AS_OF)


class AllEvidenceFilters(EvidenceFilters):
    """Which lines of evidence, across claims."""

    id: Ids = Field(NO_VALUES, description=IDS)
    claim: Many[Slug] = Field(NO_VALUES, description="On this claim (slug).")
    claim_status: Many[v.Status] = Field(
        NO_VALUES, description="On claims with this derived status; with `as_of`, of that day."
    )
    claim_text: Names = Field(
        NO_VALUES,
        description="On claims whose statement has this text, whatever the case. Repeat it for"
        " several.",
    )
    topic: Many[Slug] = Field(
        NO_VALUES, description="On claims that are filed under this topic (slug)."
    )


class TopicFilters(Filters):
    """Which topics."""

    id: Ids = Field(NO_VALUES, description=IDS)
    external_id: ExternalIdsInJson = Field(NO_VALUES, description=EXTERNAL_ID)
    collection: Many[Slug] = Field(NO_VALUES, description=COLLECTION)


class CollectionFilters(Filters):
    """Which collections: all of them."""


class SourceFilters(SearchFilter):
    """Which sources."""

    id: Ids = Field(NO_VALUES, description=IDS)
    type: Many[v.SourceType] = Field(NO_VALUES, description="Type of source.")
    identifier: Identifiers = Field(
        NO_VALUES,
        description=f"One of these sources: {SOURCE_REFERENCE}. The answer says which it did not"
        " find.",
    )
    author: Names = Field(
        NO_VALUES,
        description="Family name or group's name of an author; case and accents do not matter.",
    )
    journal: Names = Field(
        NO_VALUES,
        description="Journal, in full or as abbreviated, or a part of its name; case does not "
        "matter. Repeat it for several.",
    )
    study_design: Many[v.StudyDesign] = Field(NO_VALUES, description="How the source found out.")
    title_status: Many[v.TitleStatus] = Field(NO_VALUES, description="Where its title comes from.")
    version_of: Many[Reference] = Field(
        NO_VALUES,
        description=f"Tied to this source as a version of it: {SOURCE_REFERENCE}",
    )
    preprint_of: Many[Reference] = Field(NO_VALUES, description="The preprint of this source.")
    erratum_to: Many[Reference] = Field(NO_VALUES, description="An erratum to this source.")
    retracts: Many[Reference] = Field(
        NO_VALUES, description="Announces that this source is retracted."
    )
    concern_about: Many[Reference] = Field(
        NO_VALUES, description="Announces a concern about this source."
    )
    part_of: Many[Reference] = Field(NO_VALUES, description="Tells of a part of this source.")
    cites: Many[Reference] = Field(NO_VALUES, description="Cites this source.")
    cited_by: Many[Reference] = Field(
        NO_VALUES, description="In the reference list of this source, as far as recorded here."
    )
    integrity: Many[v.Integrity] = Field(NO_VALUES, description="What its publisher has announced.")
    retracted: bool | None = Field(None, description="Whether it is retracted.")
    verification: Many[v.Verification] = Field(
        NO_VALUES, description="With an identifier that is so."
    )
    published_gte: FirstDay | None = Field(
        None, alias="published.gte", description="Published on this day or later."
    )
    published_lte: Day | None = Field(
        None, alias="published.lte", description="Published on this day or earlier."
    )
    collection: Many[Slug] = Field(NO_VALUES, description=COLLECTION)
    year: Many[Year] = Field(NO_VALUES, description="Published in this year.")
    year_gte: Year | None = Field(
        None, alias="year.gte", description="Published in this year or later."
    )
    year_lte: Year | None = Field(
        None, alias="year.lte", description="Published in this year or earlier."
    )


document, line, source = table(ClaimDocument), table(EvidenceDocument), table(Source)
term, author, period = table(ClaimTerm), table(SourceAuthor), table(StatusPeriod)
line_term, topic = table(EvidenceTerm), table(Topic)
record, pooled, version = table(Evidence), table(PooledSource), table(SourceVersion)
citation, owned = table(SourceCitation), table(SourceIdentifier)

Condition = Callable[[str, Any], ColumnElement[bool]]  # From an operator and a value.


def compare_column(of: ColumnElement[Any]) -> Condition:
    """Compare a column; with `ne`, a row without a value is among the others."""

    def condition(operator: str, value: Any) -> ColumnElement[bool]:
        if operator == "ne":
            return or_(of.is_(None), of.not_in(value))
        if isinstance(value, list):
            return of.in_(value)
        if operator == "gte":
            return cast("ColumnElement[bool]", of >= value)
        if operator == "lte":
            return cast("ColumnElement[bool]", of <= value)
        return cast("ColumnElement[bool]", of == value)

    return condition


def has_term(field: str, day: str | None = None) -> Condition:
    """Ask whether a claim has one of the values in a field of which it has many, or had it by a
    day.
    """
    by_then = [] if day is None else [term.c.since <= day]

    def condition(operator: str, values: Any) -> ColumnElement[bool]:
        meant = (term.c.claim == document.c.claim, term.c.field == field, term.c.value.in_(values))
        # Told outright what is outside: a facet has this very table there as well.
        found = exists().where(*meant, *by_then).correlate(document)
        return ~found if operator == "ne" else found

    return condition


def has_line_term(field: str) -> Condition:
    """Ask whether a line of evidence has one of the values in a field of which it has many."""

    def condition(_operator: str, values: Any) -> ColumnElement[bool]:
        found = select(line_term.c.claim, line_term.c.key).where(
            line_term.c.field == field, line_term.c.value.in_(values)
        )
        return tuple_(line.c.claim, line.c.key).in_(found)

    return condition


def _topic_has_external_id(_operator: str, values: Any) -> ColumnElement[bool]:
    """Ask whether the JSON of a topic's external ids has one of these, written as it is there.

    Topics are few, so all are read.
    """
    written = cast_to(topic.c.external_ids, String)
    return or_(*(func.replace(written, value, "") != written for value in values))


def _by_author(_operator: str, keys: Any) -> ColumnElement[bool]:
    return exists().where(author.c.source == source.c.id, author.c.name_key.in_(keys))


def _in_journal(_operator: str, patterns: Any) -> ColumnElement[bool]:
    titles = (source.c.container_title, source.c.container_title_short)
    return or_(
        *(
            func.lower(title).like(pattern, escape=_ESCAPE)
            for title in titles
            for pattern in patterns
        )
    )


_ESCAPE = "!"


def _part_of_name(name: str) -> str:
    """Return the pattern of names that have this part, whatever the case.

    Databases tell the case of ASCII letters alone, so any one letter stands for each other one.
    """
    letters = (
        letter.lower() if letter.isascii() else "_"
        for letter in re.sub(rf"([%_{_ESCAPE}])", rf"{_ESCAPE}\1", name)
    )
    return f"%{''.join(letters)}%"


def _contains(of: ColumnElement[Any], before: str = '"') -> Condition:
    """Ask whether a column of JSON, which is stored without blanks, has one of some texts.

    `before` is what stands before the text there.
    """

    def condition(_operator: str, values: Any) -> ColumnElement[bool]:
        stored = of.cast(String)
        pieces = (literal(f"%{before}").concat(value).concat('"%') for value in values)
        return or_(*(stored.like(piece) for piece in pieces))

    return condition


def _of_record(asked: Condition) -> Condition:
    """Ask the record of a line what is not beside its document."""

    def condition(operator: str, value: Any) -> ColumnElement[bool]:
        same = (record.c.claim == line.c.claim, record.c.key == line.c.key)
        return exists().where(*same, asked(operator, value)).correlate(line)

    return condition


def _pools(_operator: str, sources: Any) -> ColumnElement[bool]:
    same = (pooled.c.claim == line.c.claim, pooled.c.key == line.c.key)
    return exists().where(*same, pooled.c.source.in_(sources)).correlate(line)


def _bears_on(_operator: str, what: Any) -> ColumnElement[bool]:
    found = case((line.c.on_relation == false(), "claim"), else_="relation")
    return cast("ColumnElement[bool]", found == what)


def _is_from_retracted(day: Any) -> Condition:
    """Ask whether the source of a line is retracted, or was by a day; of any value but true and
    false, nothing.
    """

    def condition(_operator: str, wanted: Any) -> ColumnElement[bool]:
        if not isinstance(wanted, bool):
            return true()
        until = line.c.counts_until
        if day is None:
            return until.is_not(None) if wanted else until.is_(None)
        return until <= day if wanted else or_(until.is_(None), until > day)

    return condition


def _of_claim(asked: Condition) -> Condition:
    """Ask the document of a line's claim."""

    def condition(operator: str, value: Any) -> ColumnElement[bool]:
        same = document.c.claim == line.c.claim
        return exists().where(same, asked(operator, value)).correlate(line)

    return condition


def _of_claim_on(day: Any) -> Condition:
    """Ask the status that a line's claim had on a day."""

    def condition(operator: str, value: Any) -> ColumnElement[bool]:
        asked = compare_column(period.c.status)(operator, value)
        same = period.c.claim == line.c.claim
        return exists().where(same, *holds_on(day), asked).correlate(line)

    return condition


def _states(_operator: str, patterns: Any) -> ColumnElement[bool]:
    statement = func.lower(document.c.statement)
    return or_(*(statement.like(pattern, escape=_ESCAPE) for pattern in patterns))


def _is_filed_under(_operator: str, topics: Any) -> ColumnElement[bool]:
    meant = (term.c.claim == line.c.claim, term.c.field == "topic", term.c.value.in_(topics))
    return exists().where(*meant).correlate(line)


def _is_line(_operator: str, ids: Any) -> ColumnElement[bool]:
    return line.c.claim.concat(":").concat(line.c.key).in_(ids)


def _has_verification(_operator: str, values: Any) -> ColumnElement[bool]:
    same = owned.c.source == source.c.id
    return exists().where(same, owned.c.verification.in_(values)).correlate(source)


def _tied_by(tie: str) -> Condition:
    """Ask whether a source has a tie of a type to one of some sources."""
    said = _contains(source.c.versions, f'{{"type":"{tie}","source":"')

    def condition(operator: str, others: Any) -> ColumnElement[bool]:
        tied = exists().where(version.c.source == source.c.id, version.c.other.in_(others))
        return and_(tied.correlate(source), said(operator, others))

    return condition


def _cites_or_is_cited(own: ColumnElement[Any], other: ColumnElement[Any]) -> Condition:
    """Ask whether a source stands at one end of a citation, one of some at the other."""

    def condition(_operator: str, others: Any) -> ColumnElement[bool]:
        return exists().where(own == source.c.id, other.in_(others)).correlate(source)

    return condition


LINE_CONDITIONS: Mapping[str, Condition] = {
    "evidence_level": compare_column(line.c.level),
    "direction": compare_column(line.c.direction),
    "study_design": compare_column(line.c.study_design),
    "question": compare_column(line.c.question),
    "independence_group": compare_column(line.c.independence_group),
    "year": compare_column(line.c.year),
    "published": compare_column(line.c.published),
    "source": compare_column(line.c.source),
}
# Of what follows from the evidence, and so differs from day to day.
STANDING_FIELDS = (
    *("status", "certainty", "has_conflict", "single_group"),
    *("leaning", "unassessed_because", "searched_found_none"),
)
# The columns that hold all terms which the lines of a claim have in a field; see
# `derive.encode_set`.
SET_COLUMNS = {"evidence_level": "levels", "direction": "directions"}


def set_contains(of: ColumnElement[Any]) -> Condition:
    """Ask whether a set holds one of some terms, or one that sorts no later than a term."""

    def condition(operator: str, value: Any) -> ColumnElement[bool]:
        if operator == "lte":
            # A set begins with its first term and a comma, which sorts before the full stop.
            return and_(of != "", of < literal(",").concat(value).concat("."))
        return or_(*(of.like(literal("%,").concat(term).concat(",%")) for term in value))

    return condition


def summary_conditions(of: FromClause) -> dict[str, Condition]:
    """Return the conditions on the columns of `tables.SUMMARY`, which stand in several tables."""
    single = {name: compare_column(of.c[name]) for name in ("status", "kind", "certainty")}
    return single | {name: set_contains(of.c[sets]) for name, sets in SET_COLUMNS.items()}


CLAIM_CONDITIONS: Mapping[str, Condition] = {
    **{name: compare_column(document.c[name]) for name in ("kind", "updated", *STANDING_FIELDS)},
    "best_level": compare_column(document.c.evidence_level),
    "id": compare_column(document.c.claim),
}
EVIDENCE_CONDITIONS: Mapping[str, Condition] = {
    **{
        name: compare_column(line.c[name])
        for name in (
            *("claim", "level", "direction", "directness", "question", "study_design"),
            *("independence_group", "source", "sample_size", "year", "published"),
        )
    },
    **{name: _of_record(_contains(record.c[name])) for name in ("graded_down", "graded_up")},
    **{
        name: _of_record(compare_column(record.c[name]))
        for name in ("extraction", "checked_against", "searched_found_none")
    },
    "id": _is_line,
    "claim_status": _of_claim(compare_column(document.c.status)),
    "claim_text": _of_claim(_states),
    "topic": _is_filed_under,
    "retracted": _is_from_retracted(None),
    "pools": _pools,
    "bears_on": _bears_on,
    **{
        name: has_line_term(name)
        for name in ("external_id", "collection", "rating_scheme", "rating", "scheme_and_rating")
    },
}
TOPIC_CONDITIONS: Mapping[str, Condition] = {
    "id": compare_column(topic.c.id),
    "external_id": _topic_has_external_id,
    "collection": compare_column(topic.c.collection),
}
SOURCE_CONDITIONS: Mapping[str, Condition] = {
    **{
        name: compare_column(source.c[name])
        for name in (
            *("id", "type", "study_design", "title_status", "integrity", "year", "collection"),
            "published",
        )
    },
    "verification": _has_verification,
    **{tie: _tied_by(tie) for tie in v.VERSION_TIES.ids},
    "identifier": compare_column(source.c.id),
    "cites": _cites_or_is_cited(citation.c.source, citation.c.other),
    "cited_by": _cites_or_is_cited(citation.c.other, citation.c.source),
    "author": _by_author,
    "journal": _in_journal,
    "retracted": lambda _operator, wanted: (source.c.integrity == "retracted") == wanted,
}
# Names whose values are sources, though they say more than that.
SOURCE_REFERENCES = ("pools", *v.VERSION_TIES.ids, "cites", "cited_by")
# Names whose values are records: a slug that is not stored is a mistake, not an empty answer.
REFERENCES: Mapping[str, Any] = {
    "topic": table(Topic).c.id,
    "collection": table(Collection).c.id,
    "claim": document.c.claim,
    "source": source.c.id,
    "document": source.c.id,
    **dict.fromkeys(SOURCE_REFERENCES, source.c.id),
}


def requested_parameters(filters: BaseModel) -> dict[str, Any]:
    """Return the parameters of a request under their names in the request."""
    fields = type(filters).model_fields
    return {
        fields[name].alias or name: value
        for name in sorted(filters.model_fields_set)
        if (value := getattr(filters, name)) is not None and value != NO_VALUES and value != []
    }


# What a value is compared as, where that is not the value itself.
COMPARED_AS: Mapping[str, Callable[[Any], Any]] = {
    # A time given in part means all of it: «~» sorts after whatever may follow.
    "updated.lte": lambda moment: moment + "~",
    "author": lambda names: [name_key(name) for name in names],
    "journal": lambda names: [_part_of_name(name) for name in names],
    "claim_text": lambda texts: [_part_of_name(text) for text in texts],
    # A truth value makes a statement of its own.
    "retracted": lambda wanted: {"true": True, "false": False}.get(wanted, wanted),
    "certainty.gte": lambda least: [
        *v.CERTAINTIES.ids[v.CERTAINTIES.rank(least) :],
    ],
}


def comparable_values(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with each value as it is compared."""
    return {
        name: COMPARED_AS[name](value) if name in COMPARED_AS else value
        for name, value in parameters.items()
    }


NAMES = frozenset(
    info.alias or name
    for model in (ClaimFilters, AllEvidenceFilters, SourceFilters, TopicFilters)
    for name, info in model.model_fields.items()
)


def placeholder_name(parameter: str) -> str:
    """Return the name of the place of a parameter's value: none that SQLAlchemy would think of."""
    return "given_" + parameter.replace(".", "_")


_placed = lru_cache(1024)(
    bindparam
)  # To make one takes as long as to find the statement that it is for.
# The place of the day that `as_of` names, where a statement is made before it is known.
DAY_PLACEHOLDER = bindparam("given_as_of", type_=String)


def bind_parameters(
    parameters: Mapping[str, Any],
) -> tuple[Hashable, dict[str, Any], dict[str, Any]]:
    """Return what parameters have in common with those that make the same statement, the same
    parameters with a placeholder for each value, and the values of the placeholders. A truth value
    has none: it makes a statement of its own.
    """
    shape: list[Hashable] = []
    places: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for parameter, value in parameters.items():
        if parameter not in NAMES:
            continue
        place = placeholder_name(parameter)
        if isinstance(value, list):
            named = {f"{place}_{number}": each for number, each in enumerate(value)}
            places[parameter] = [_placed(name) for name in named]
            values |= named
            shape.append((parameter, len(value)))
        elif isinstance(value, bool):
            places[parameter] = value
            shape.append((parameter, value))
        else:
            places[parameter] = _placed(place)
            values[place] = value
            shape.append(parameter)
    return tuple(shape), places, values


def conditions(
    parameters: Mapping[str, Any], known: Mapping[str, Condition]
) -> list[ColumnElement[bool]]:
    """Return a condition for each parameter (`name` or `name.operator`) in this table."""
    made = []
    for parameter, value in parameters.items():
        name, _, operator = parameter.partition(".")
        if name in known:
            made.append(known[name](operator, value))
    return made


def counted_line_conditions(day: Any = None) -> list[ColumnElement[bool]]:
    """Return the conditions of the lines that count for a claim, today or on a day."""
    own = [line.c.claim == document.c.claim, line.c.on_relation == false()]
    standing = line.c.counts_until.is_(None)
    if day is None:
        return [*own, standing]
    return [*own, line.c.published <= day, or_(standing, line.c.counts_until > day)]


def same_line_parameters(parameters: Mapping[str, Any]) -> list[str]:
    """Return the parameters that one line must meet together, unless a set answers them."""
    names = [name for name in parameters if name.partition(".")[0] in LINE_CONDITIONS]
    return [] if len(names) == 1 and names[0].partition(".")[0] in SET_COLUMNS else names


def split_by_summary(
    parameters: Mapping[str, Any], of: FromClause
) -> tuple[list[ColumnElement[bool]], dict[str, Any]]:
    """Return the conditions on the summary of claims in a table, and the parameters that it does
    not answer.

    What one line must meet the claim must, too: that is asked first, and is not answered by it.
    """
    known = summary_conditions(of)
    one_line = same_line_parameters(parameters)
    left = {
        name: value
        for name, value in parameters.items()
        if name.partition(".")[0] not in known or name in one_line
    }
    return conditions(parameters, known), left


def claim_conditions(parameters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions on claims; a single accepted line must meet all those on evidence."""
    answered, left = split_by_summary(parameters, document)
    return answered + _conditions_on_claims(left, CLAIM_CONDITIONS)


def claim_conditions_as_of(parameters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the same conditions on what had been published by the day `as_of`; the period of that
    day is joined.
    """
    of_that_day = {
        **{name: compare_column(period.c[name]) for name in STANDING_FIELDS},
        "best_level": compare_column(period.c.evidence_level),
    }
    known = {**CLAIM_CONDITIONS, **of_that_day}
    return holds_on(parameters["as_of"]) + _conditions_on_claims(parameters, known)


def holds_on(day: Any) -> list[ColumnElement[bool]]:
    """Return the conditions of the periods that hold on a day (or its placeholder)."""
    return [period.c.starts <= day, or_(period.c.ends.is_(None), period.c.ends > day)]


def _conditions_on_claims(
    parameters: Mapping[str, Any], own: Mapping[str, Condition]
) -> list[ColumnElement[bool]]:
    day = parameters.get("as_of")
    names = ("topic", "topic_role", "asserted_by", "document", "external_id", "collection")
    terms = {name: has_term(name, day) for name in names}
    made = conditions(parameters, {**own, **terms})
    if lines := conditions(parameters, LINE_CONDITIONS):
        made.append(exists().where(*counted_line_conditions(day), *lines).correlate(document))
    return made


def evidence_conditions(parameters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions on lines of evidence."""
    asked = _one_rating(parameters)
    day = parameters.get("as_of")
    if day is None:
        return conditions(asked, EVIDENCE_CONDITIONS)
    of_that_day = {"claim_status": _of_claim_on(day), "retracted": _is_from_retracted(day)}
    return [*conditions(asked, {**EVIDENCE_CONDITIONS, **of_that_day}), line.c.published <= day]


def evidence_conditions_unretracted(parameters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the same, with lines from retracted sources out unless they are asked for."""
    return evidence_conditions({"retracted": False, **parameters})


def _one_rating(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters with schemes and ratings made one, where both are given: one and the
    same rating must meet them.
    """
    if not {"rating_scheme", "rating"} <= parameters.keys():
        return parameters
    left = {
        name: value for name, value in parameters.items() if name not in ("rating_scheme", "rating")
    }
    both = [
        cast_to(scheme, String).concat(":").concat(rating)
        for scheme in parameters["rating_scheme"]
        for rating in parameters["rating"]
    ]
    return {**left, "scheme_and_rating": both}


def topic_conditions(parameters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions on topics."""
    return [topic.c.state == "accepted", *conditions(parameters, TOPIC_CONDITIONS)]


def collection_conditions(_parameters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions on collections."""
    return [table(Collection).c.state == "accepted"]


def source_conditions(parameters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Return the conditions on sources."""
    return [source.c.state == "accepted", *conditions(parameters, SOURCE_CONDITIONS)]
