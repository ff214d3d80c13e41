"""Relation: a typed link from one claim to another."""

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.types import REPLACED_BY_DESCRIPTION, PartOfClaim, Slug, Strict, Text, VisibleText
from models.core.vocabulary import vocabulary_check
from models.records.elsewhere import collection_field
from models.records.evidence import EvidenceOut


class RelationIn(Strict):
    """A relation as a person writes it, read from the claim to the target."""

    type: v.RelationType = Field(primary_key=True)
    target: Slug = Field(
        primary_key=True,
        description="The other claim. It may live on another shard: no foreign key.",
    )
    note: VisibleText | None = Field(default=None, max_length=5000)
    collection: Slug | None = collection_field()
    state: v.ReviewState = "accepted"
    replaced_by: Text | None = Field(
        default=None, max_length=300, description=REPLACED_BY_DESCRIPTION
    )


class Relation(RelationIn, PartOfClaim, table=True):
    """The row."""

    __table_args__ = (
        vocabulary_check("type", v.RELATION_TYPES),
        vocabulary_check("state", v.REVIEW_STATES),
        CheckConstraint("target <> claim", name="not_itself"),
        Index(None, "target", "claim"),
        Index(None, "collection", "claim"),
    )


class RelationOut(RelationIn):
    """A relation as the API returns it.

    Its status follows from the evidence on the relation itself, by the same rules as a claim's.
    """

    claim: str
    status: v.Status
    status_rule: str
    certainty: v.Certainty | None
    evidence: list[EvidenceOut] = Field(
        description="Accepted lines that bear on the tie: it may be wrong while both ends hold."
    )
