"""Evidence: what one source says about one claim."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import FiniteFloat, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import JSON, CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.dates import PartialDate, Timestamp, WholeDate
from models.core.schema_names import named
from models.core.types import (
    MAX_INTEGER,
    REPLACED_BY_DESCRIPTION,
    PartOfClaim,
    Slug,
    Strict,
    Text,
    VisibleText,
)
from models.core.vocabulary import vocabulary_check
from models.records.elsewhere import (
    ComparedRating,
    ExternalId,
    Rating,
    collection_field,
    compared_ratings_field,
    external_ids_field,
    ratings_field,
    refuse_repetition,
)

# The levels that the Oxford 2011 table has for each question. Any other level was misread. It has
# no rows for the last two. A cause is tested as a harm is. A mechanism that was measured is still
# no outcome in people, so however many such studies a review sums up, level 4 is the best.
LEVELS_OF_QUESTION = {
    "prevalence": ("1", "2", "3", "4"),
    "diagnosis": ("1", "2", "3", "4", "5"),
    "prognosis": ("1", "2", "3", "4"),
    "treatment_benefit": ("1", "2", "3", "4", "5"),
    "common_harms": ("1", "2", "3", "4", "5"),
    "aetiology": ("1", "2", "3", "4", "5"),
    "mechanism": ("4", "5"),
}

# A review of 2,000 studies is the largest that anybody will enter by name.
MAX_POOLED = 2000
# A paper that measures more outcomes than this has several lines.
MAX_EFFECTS = 50
# No trial or comparison has more arms or groups.
MAX_GROUPS = 50
# How often a reason may stand in a list: GRADE lowers twice for a very serious flaw.
TIMES_GIVEN = {"graded_down": 2, "graded_up": 1}
# Designs that sum up other studies.
REVIEWS = ("systematic_review", "meta_analysis", "narrative_review")
RANDOMISED = ("randomised_trial", "sham_controlled_trial")


BearsOn = Annotated[
    Literal["claim", "relation"],
    named("BearsOn", "What a line of evidence is on.", enum=["claim", "relation"]),
]


class Effect(Strict):
    """What was found, as numbers: an estimate with its interval."""

    measure: VisibleText = Field(
        min_length=1, max_length=100, description="As the paper names it, such as 'odds ratio'."
    )
    estimate: FiniteFloat | None = None
    low: FiniteFloat | None = Field(default=None, description="Lower end of the interval.")
    high: FiniteFloat | None = Field(default=None, description="Upper end of the interval.")
    p: float | None = Field(default=None, ge=0, le=1, description="The P value.")
    unit: VisibleText | None = Field(default=None, max_length=100)

    @model_validator(mode="after")
    def _interval_holds_estimate(self) -> Self:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise PydanticCustomError(
                "interval",
                "The interval runs from {low} to {high}: its low end is above its high end.",
                {"low": self.low, "high": self.high, "at": "low"},
            )
        if self.estimate is None:
            return self
        below = self.low is not None and self.estimate < self.low
        above = self.high is not None and self.estimate > self.high
        if below or above:
            raise PydanticCustomError(
                "interval",
                "The interval from {low} to {high} does not hold the estimate {estimate}.",
                {"low": self.low, "high": self.high, "estimate": self.estimate, "at": "estimate"},
            )
        return self


class Group(Strict):
    """One of the groups of people that a study compares."""

    name: VisibleText = Field(
        min_length=1, max_length=200, description="Such as 'sham', or 'people with MS'."
    )
    n: int = Field(ge=0, le=MAX_INTEGER, description="People in the group.")
    events: int | None = Field(
        default=None,
        ge=0,
        le=MAX_INTEGER,
        description="Those of them who had the outcome; null where that is not told.",
    )

    @model_validator(mode="after")
    def _events_of_people(self) -> Self:
        if self.events is not None and self.events > self.n:
            raise PydanticCustomError(
                "events",
                "{events} of {n} people had the outcome: that is more than there are.",
                {"events": self.events, "n": self.n, "at": "events"},
            )
        return self


class RiskOfBias(Strict):
    """How far the study's result may be bent, as somebody judged it with a tool."""

    overall: VisibleText = Field(
        min_length=1, max_length=100, description="In the tool's words, such as 'some concerns'."
    )
    tool: VisibleText | None = Field(
        default=None, max_length=100, description="Such as 'RoB 2' or 'QUADAS-2'."
    )


class PooledStudy(Strict):
    """A source that a review pools, as it stands."""

    source: Slug
    work: Slug = Field(description="The source that stands for all versions of it.")
    integrity: v.Integrity
    integrity_date: PartialDate | None


def _repeated(items: Sequence[str], most: int = 1) -> str | None:
    """Return an item that occurs more often than `most` times, or None."""
    if len(items) <= most:
        return None
    return next((item for item, times in Counter(items).items() if times > most), None)


class EvidenceIn(Strict):
    """A line of evidence as a person writes it.

    `independence_group` names the study, cohort or team that it comes from.
    """

    key: Slug = Field(
        primary_key=True, description="Unique within the claim; usually the source's slug."
    )
    source: Slug = Field(foreign_key="source.id")
    direction: v.Direction
    level: v.EvidenceLevel
    question: v.Question | None = Field(
        default=None, description="Required unless the level is not_gradable."
    )
    directness: v.Directness = "direct"
    graded_down: list[v.GradedDown] = Field(
        default=[],
        sa_type=JSON,
        description="Why it ranks lower than its level; each lowers its rank by one. A reason "
        "that stands twice is very serious.",
    )
    graded_up: list[v.GradedUp] = Field(
        default=[],
        sa_type=JSON,
        description="Why it ranks higher than its level; each raises its rank by one, and none "
        "beyond rank 2.",
    )
    study_design: v.StudyDesign
    sample_size: int | None = Field(
        default=None, ge=0, le=MAX_INTEGER, description="People in all groups together."
    )
    sample: VisibleText | None = Field(default=None, max_length=500)
    finding: VisibleText = Field(
        min_length=1, max_length=5000, description="What was found, in the curator's own words."
    )
    effects: list[Effect] = Field(
        default=[],
        max_length=MAX_EFFECTS,
        sa_type=JSON,
        description="What was found, as numbers: one for each measure.",
    )
    groups: list[Group] = Field(
        default=[],
        max_length=MAX_GROUPS,
        sa_type=JSON,
        description="People by group, and how many of them had the outcome.",
    )
    population: VisibleText | None = Field(default=None, max_length=500)
    exposure: VisibleText | None = Field(
        default=None, max_length=500, description="The exposure, the intervention or the test."
    )
    comparator: VisibleText | None = Field(default=None, max_length=500)
    outcome: VisibleText | None = Field(default=None, max_length=500)
    follow_up: VisibleText | None = Field(
        default=None, max_length=200, description="How long, such as '48 weeks'."
    )
    risk_of_bias: RiskOfBias | None = Field(default=None, sa_type=JSON(none_as_null=True))
    pools: list[Slug] = Field(
        default=[],
        max_length=MAX_POOLED,
        sa_type=JSON,
        description="Of a review: slugs of the sources that it sums up. It lends its rank to those "
        "that have lines on the claim, and adds none to them.",
    )
    studies: int | None = Field(
        default=None,
        ge=1,
        le=MAX_INTEGER,
        description="Of a review: how many independent studies it sums up; null where not known.",
    )
    quote: VisibleText | None = Field(
        default=None, max_length=10_000, description="Verbatim words of the source."
    )
    locator: VisibleText | None = Field(
        default=None, max_length=200, description="Where in the source: abstract, table 2, p. 4."
    )
    independence_group: Slug
    searched_found_none: bool = Field(
        default=False, description="True where somebody searched and found no evidence."
    )
    extraction: v.Extraction = "manual"
    checked_against: v.CheckedAgainst | None = Field(
        default=None,
        description="What of the source the line was held against; null where that is not known.",
    )
    ratings: list[Rating] = ratings_field()
    external_ids: list[ExternalId] = external_ids_field()
    note: VisibleText | None = Field(default=None, max_length=5000)
    relation_type: v.RelationType | None = Field(
        default=None,
        description="Given where the line bears on a relation of the claim, not on the claim: the "
        "relation's type.",
    )
    relation_target: Slug | None = Field(default=None, description="The target of that relation.")
    collection: Slug | None = collection_field()
    state: v.ReviewState = "accepted"
    replaced_by: Text | None = Field(
        default=None, max_length=300, description=REPLACED_BY_DESCRIPTION
    )

    @model_validator(mode="after")
    def _complete_relation(self) -> Self:
        if (self.relation_type is None) != (self.relation_target is None):
            raise PydanticCustomError(
                "relation", "A line on a relation gives both relation_type and relation_target."
            )
        return self

    @model_validator(mode="after")
    def _level_fits_question(self) -> Self:
        if self.level == "not_gradable":
            if self.question is not None:
                raise PydanticCustomError(
                    "level_question",
                    "A line that is not_gradable has no question.",
                    {"at": "question"},
                )
            return self
        if self.question is None:
            raise PydanticCustomError(
                "level_question",
                "Level {level} needs a question.",
                {"level": self.level, "allowed": v.QUESTIONS.ids, "at": "question"},
            )
        allowed = LEVELS_OF_QUESTION[self.question]
        if self.level not in allowed:
            raise PydanticCustomError(
                "level_question",
                "The question {question} has no level {level}.",
                {
                    "question": self.question,
                    "level": self.level,
                    "allowed": allowed,
                    "at": "level",
                },
            )
        return self

    @model_validator(mode="after")
    def _graded_for_each_reason(self) -> Self:
        for field, most in TIMES_GIVEN.items():
            if (reason := _repeated(getattr(self, field), most)) is not None:
                raise PydanticCustomError(
                    "repeated_term",
                    "{reason} is given more than {most} time(s).",
                    {"reason": reason, "most": most, "at": field},
                )
        if self.graded_up and self.study_design in RANDOMISED:
            raise PydanticCustomError(
                "graded_up",
                "A randomised trial is not graded up: it starts high, and only observation can "
                "rise.",
                {"at": "graded_up"},
            )
        if self.graded_up and self.level == "not_gradable":
            raise PydanticCustomError(
                "graded_up", "A line that is not_gradable is not graded up.", {"at": "graded_up"}
            )
        return self

    @model_validator(mode="after")
    def _only_reviews_sum_up(self) -> Self:
        given = {"pools": bool(self.pools), "studies": self.studies is not None}
        for field in (name for name, is_given in given.items() if is_given):
            if self.study_design not in REVIEWS:
                raise PydanticCustomError(
                    "not_a_review",
                    "Only a review sums up studies; the design {design} is none.",
                    {"design": self.study_design, "at": field},
                )
        if self.studies is not None and len(self.pools) > self.studies:
            raise PydanticCustomError(
                "studies",
                "{named} sources are pooled, but the number of studies is {studies}.",
                {"named": len(self.pools), "studies": self.studies, "at": "studies"},
            )
        return self

    @model_validator(mode="after")
    def _pools_others_once(self) -> Self:
        if self.source in self.pools:
            raise PydanticCustomError(
                "pools_itself",
                "A review does not pool itself.",
                {"at": f"pools/{self.pools.index(self.source)}"},
            )
        if (twice := _repeated(self.pools)) is not None:
            raise PydanticCustomError(
                "repeated_term", "'{source}' is given twice.", {"source": twice, "at": "pools"}
            )
        return self

    @model_validator(mode="after")
    def _rated_and_named_once(self) -> Self:
        refuse_repetition("ratings", self.ratings)
        refuse_repetition("external_ids", self.external_ids)
        return self

    @model_validator(mode="after")
    def _nothing_found_takes_no_side(self) -> Self:
        if self.searched_found_none and self.direction != "inconclusive":
            raise PydanticCustomError(
                "searched_found_none", "A search that found nothing is inconclusive."
            )
        return self


class Evidence(EvidenceIn, PartOfClaim, table=True):
    """The row."""

    __table_args__ = (
        vocabulary_check("direction", v.DIRECTIONS),
        vocabulary_check("level", v.EVIDENCE_LEVELS),
        vocabulary_check("question", v.QUESTIONS),
        vocabulary_check("directness", v.DIRECTNESS),
        vocabulary_check("study_design", v.STUDY_DESIGNS),
        vocabulary_check("extraction", v.EXTRACTIONS),
        vocabulary_check("checked_against", v.CHECKED_AGAINST),
        vocabulary_check("state", v.REVIEW_STATES),
        CheckConstraint("(level = 'not_gradable') = (question IS NULL)", name="level_question"),
        CheckConstraint("sample_size >= 0", name="sample_size"),
        CheckConstraint("studies > 0", name="studies"),
        vocabulary_check("relation_type", v.RELATION_TYPES),
        # A foreign key with a null column is not checked, so both columns are set or neither.
        CheckConstraint("(relation_type IS NULL) = (relation_target IS NULL)", name="relation"),
        ForeignKeyConstraint(
            ["claim", "relation_type", "relation_target"],
            ["relation.claim", "relation.type", "relation.target"],
        ),
        Index(None, "source", "claim"),
        Index(None, "collection", "claim"),
    )

    created: str
    updated: str


class PooledSource(PartOfClaim, table=True):
    """The row by which the lines that pool a source are found: one for each item of `pools`."""

    __tablename__ = "pooled_source"
    __table_args__ = (
        ForeignKeyConstraint(["claim", "key"], ["evidence.claim", "evidence.key"]),
        Index(None, "source", "claim"),
    )

    key: str = Field(primary_key=True)
    source: str = Field(primary_key=True, foreign_key="source.id")


class EvidenceOut(EvidenceIn):
    """A line of evidence as the API gives it."""

    id: str = Field(description="The claim's slug, a colon and the line's key.")
    claim: str
    bears_on: BearsOn = Field(description="Whether it bears on the claim, or on a relation of it.")
    ratings_compared: list[ComparedRating] = compared_ratings_field()
    work: str = Field(
        description="The source that stands for all versions of its source: lines of one work are "
        "one body of evidence."
    )
    pooled: list[PooledStudy] = Field(description="The sources in `pools`, as they stand.")
    citation: str = Field(description="Short form of the source, such as 'Doepp et al. 2010'.")
    year: int | None = Field(description="Year of publication; null where it is not known.")
    published: WholeDate = Field(
        description="From when the line counts in evidence time, YYYY-MM-DD: the last day that "
        "the source's date can mean, "
        "or the day on which an undated source was recorded here."
    )
    integrity: v.Integrity = Field(
        description="What is announced about the source; a retracted one counts no more."
    )
    integrity_date: PartialDate | None = Field(description="When that was announced.")
    date_inferred: bool = Field(
        description="True where that day is inferred: the source is undated, or its date is a "
        "curator's inference."
    )
    created: Timestamp
    updated: Timestamp
