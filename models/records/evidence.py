"""Evidence: what one source says about one claim."""

from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from models.core import vocabularies as v
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

# The levels that the Oxford 2011 table has for each question. Any other level was misread.
LEVELS_OF_QUESTION = {
    "prevalence": ("1", "2", "3", "4"),
    "diagnosis": ("1", "2", "3", "4", "5"),
    "prognosis": ("1", "2", "3", "4"),
    "treatment_benefit": ("1", "2", "3", "4", "5"),
    "common_harms": ("1", "2", "3", "4", "5"),
}


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
    study_design: v.StudyDesign
    sample_size: int | None = Field(
        default=None, ge=0, le=MAX_INTEGER, description="People in all groups together."
    )
    sample: VisibleText | None = Field(default=None, max_length=500)
    finding: VisibleText = Field(
        min_length=1, max_length=5000, description="What was found, in the curator's own words."
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
    note: VisibleText | None = Field(default=None, max_length=5000)
    relation_type: v.RelationType | None = Field(
        default=None,
        description="Given where the line bears on a relation of the claim, not on the claim: the "
        "relation's type.",
    )
    relation_target: Slug | None = Field(default=None, description="The target of that relation.")
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
                    "level_question", "A line that is not_gradable has no question."
                )
            return self
        if self.question is None:
            raise PydanticCustomError(
                "level_question",
                "Level {level} needs a question.",
                {"level": self.level, "allowed": v.QUESTIONS.ids},
            )
        allowed = LEVELS_OF_QUESTION[self.question]
        if self.level not in allowed:
            raise PydanticCustomError(
                "level_question",
                "The question {question} has no level {level}.",
                {"question": self.question, "level": self.level, "allowed": allowed},
            )
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
        vocabulary_check("state", v.REVIEW_STATES),
        CheckConstraint("(level = 'not_gradable') = (question IS NULL)", name="level_question"),
        CheckConstraint("sample_size >= 0", name="sample_size"),
        vocabulary_check("relation_type", v.RELATION_TYPES),
        # A foreign key with a null column is not checked, so both columns are set or neither.
        CheckConstraint("(relation_type IS NULL) = (relation_target IS NULL)", name="relation"),
        ForeignKeyConstraint(
            ["claim", "relation_type", "relation_target"],
            ["relation.claim", "relation.type", "relation.target"],
        ),
        Index(None, "source", "claim"),
        Index(None, "level", "claim"),
        Index(None, "direction", "claim"),
        Index(None, "study_design", "claim"),
    )

    created: str
    updated: str


class EvidenceOut(EvidenceIn):
    """A line of evidence as the API gives it."""

    id: str = Field(description="The claim's slug, a colon and the line's key.")
    claim: str
    citation: str = Field(description="Short form of the source, such as 'Doepp et al. 2010'.")
    year: int | None = Field(description="Year of publication; null where it is not known.")
    published: str = Field(
        description="From when the line counts in evidence time, YYYY-MM-DD: the last day that "
        "the source's date can mean, "
        "or the day on which an undated source was recorded here."
    )
    integrity: v.Integrity = Field(
        description="What is announced about the source; a retracted one counts no more."
    )
    integrity_date: str | None = Field(description="When that was announced.")
    created: str
    updated: str
