"""The tables of the read model."""

from sqlalchemy import BigInteger, CheckConstraint, Index, LargeBinary
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.types import PartOfClaim
from models.core.vocabulary import vocabulary_check

NO_LEVEL = "without"  # Sorts after every level.


class ClaimDocument(PartOfClaim, table=True):
    """One claim as it is served: JSON bytes, beside plain columns for filters and sorts.

    `core` is the JSON of `ClaimOut`; each part is a JSON array, so that an answer is a join of bytes.
    """

    __tablename__ = "claim_document"
    __table_args__ = (
        vocabulary_check("kind", v.CLAIM_KINDS),
        vocabulary_check("status", v.STATUSES),
        vocabulary_check("certainty", v.CERTAINTIES),
        Index(None, "status", "claim"),
        Index(None, "kind", "claim"),
        Index(None, "certainty", "claim"),
        Index(None, "status_rank", "claim"),
        Index(None, "certainty_rank", "claim"),
        Index(None, "evidence_level", "claim"),
        Index(None, "evidence_count", "claim"),
        Index(None, "updated", "claim"),
        Index(None, "traits", "claim"),
    )

    kind: str
    status: str
    status_rank: int
    certainty: str | None = None
    certainty_rank: int
    evidence_level: str
    evidence_count: int
    has_conflict: bool
    traits: int = Field(sa_type=BigInteger, description="See `models.traits`.")
    statement: str
    revision: int
    updated: str
    core: bytes = Field(sa_type=LargeBinary)
    occurrences: bytes = Field(sa_type=LargeBinary)
    evidence: bytes = Field(sa_type=LargeBinary)
    sources: bytes = Field(sa_type=LargeBinary)
    relations: bytes = Field(sa_type=LargeBinary)
    assessments: bytes = Field(sa_type=LargeBinary)
    past: bytes = Field(
        sa_type=LargeBinary,
        description="What is derived as it was on earlier days; see `core_as_of`.",
    )


class ClaimTerm(PartOfClaim, table=True):
    """A value of a field that a claim has many of (topic, asserted_by, document, evidence_level, direction)."""

    __tablename__ = "claim_term"
    # With the traits at its end, so that a list or a count along a term needs nothing but this index.
    __table_args__ = (Index(None, "field", "value", "claim", "traits"),)

    field: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    since: str = Field(
        description="First day of evidence time on which the claim has it, YYYY-MM-DD."
    )
    traits: int = Field(sa_type=BigInteger, description="The claim's, the same as in its document.")


class StatusPeriod(PartOfClaim, table=True):
    """A stretch of evidence time with one status; `ends` is the first day after it."""

    __tablename__ = "status_period"
    __table_args__ = (
        vocabulary_check("status", v.STATUSES),
        vocabulary_check("certainty", v.CERTAINTIES),
        CheckConstraint("ends > starts", name="order"),
        # A list by status as of a day walks it in the order of the claims, and sees in it which period is of that day.
        Index(None, "status", "claim", "starts", "ends"),
    )

    starts: str = Field(primary_key=True)
    ends: str | None = None
    status: str
    rule: str
    certainty: str | None = None


DERIVED = (ClaimDocument, ClaimTerm, StatusPeriod)
