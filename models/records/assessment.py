"""Assessment: a named person's or body's decision on a claim, beside the derived status."""

from typing import Self

from pydantic import model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Index
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.dates import PartialDate
from models.core.types import REPLACED_BY_DESCRIPTION, PartOfClaim, Slug, Strict, Text, VisibleText
from models.core.vocabulary import vocabulary_check
from models.records.elsewhere import (
    ComparedRating,
    Rating,
    collection_field,
    compared_ratings_field,
    ratings_field,
    refuse_repetition,
)


class AssessmentIn(Strict):
    """A decision as a person writes it.

    A curator decides on a status. Of a body that took a position (a regulator, a maker of
    guidelines) its own words are kept, and a status only where one fits them. Neither changes the
    derived status.
    """

    key: Slug = Field(primary_key=True, description="Unique within the claim.")
    assessor: VisibleText = Field(
        min_length=1, max_length=200, description="The person or body that decided."
    )
    status: v.Status | None = Field(
        default=None,
        description="The status that was decided on, or that fits the words of `verdict`; null "
        "where none does.",
    )
    verdict: VisibleText | None = Field(
        default=None,
        min_length=1,
        max_length=2000,
        description="The position in the assessor's own words, verbatim; required where there is "
        "no status.",
    )
    jurisdiction: VisibleText | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Where the position holds, such as 'England' or 'United States'.",
    )
    assessed: PartialDate = Field(description="When it was decided.")
    rationale: VisibleText = Field(min_length=1, max_length=5000)
    source: Slug | None = Field(default=None, foreign_key="source.id")
    ratings: list[Rating] = ratings_field()
    collection: Slug | None = collection_field()
    state: v.ReviewState = "accepted"
    replaced_by: Text | None = Field(
        default=None, max_length=300, description=REPLACED_BY_DESCRIPTION
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.status is None and self.verdict is None:
            raise PydanticCustomError(
                "no_verdict",
                "An assessment has a status, or a verdict in the assessor's own words.",
                {"at": "verdict"},
            )
        refuse_repetition("ratings", self.ratings)
        return self


class Assessment(AssessmentIn, PartOfClaim, table=True):
    """The row."""

    __table_args__ = (
        vocabulary_check("status", v.STATUSES),
        vocabulary_check("state", v.REVIEW_STATES),
        Index(None, "collection", "claim"),
    )


class AssessmentOut(AssessmentIn):
    """A decision as the API gives it."""

    id: str
    claim: str
    ratings_compared: list[ComparedRating] = compared_ratings_field()
    outdated: bool = Field(
        description="True where evidence that counts was published after the decision."
    )
