"""Assessment: a named person's or body's decision on a claim's status, beside the derived one."""

from sqlmodel import Field

from models.core import vocabularies as v
from models.core.dates import PartialDate
from models.core.types import REPLACED_BY_DESCRIPTION, PartOfClaim, Slug, Strict, Text, VisibleText
from models.core.vocabulary import vocabulary_check


class AssessmentIn(Strict):
    """A decision as a person writes it."""

    key: Slug = Field(primary_key=True, description="Unique within the claim.")
    assessor: VisibleText = Field(
        min_length=1, max_length=200, description="The person or body that decided."
    )
    status: v.Status
    assessed: PartialDate = Field(description="When it was decided.")
    rationale: VisibleText = Field(min_length=1, max_length=5000)
    source: Slug | None = Field(default=None, foreign_key="source.id")
    state: v.ReviewState = "accepted"
    replaced_by: Text | None = Field(
        default=None, max_length=300, description=REPLACED_BY_DESCRIPTION
    )


class Assessment(AssessmentIn, PartOfClaim, table=True):
    """The row."""

    __table_args__ = (
        vocabulary_check("status", v.STATUSES),
        vocabulary_check("state", v.REVIEW_STATES),
    )


class AssessmentOut(AssessmentIn):
    """A decision as the API gives it."""

    id: str
    claim: str
    outdated: bool = Field(
        description="True where evidence that counts was published after the decision."
    )
