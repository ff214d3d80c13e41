"""The tables of the read model."""

from sqlalchemy import CheckConstraint, Index, PrimaryKeyConstraint, desc
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.types import PartOfClaim, Strict
from models.core.vocabulary import vocabulary_check
from models.database.compressed import CompressedBytes

# The columns that stand in a document and beside each term of its claim.
SUMMARY = ("status", "kind", "certainty", "levels", "directions")


class Standing(Strict):
    """The derived columns by which lists of claims are filtered and sorted, as of a day.

    See `standing_columns`.
    """

    status: str
    status_rank: int
    certainty: str | None = None
    certainty_rank: int
    evidence_level: str
    evidence_count: int
    has_conflict: bool
    single_group: bool
    leaning: str
    searched_found_none: bool
    unassessed_because: str | None = None


def _standing_checks() -> tuple[CheckConstraint, ...]:
    """Return the checks on the columns of `Standing`, for a table that has them."""
    return (
        vocabulary_check("status", v.STATUSES),
        vocabulary_check("certainty", v.CERTAINTIES),
        vocabulary_check("leaning", v.LEANINGS),
        vocabulary_check("unassessed_because", v.UNASSESSED_REASONS),
    )


NO_LEVEL = "without"  # Sorts after every level.


class ClaimDocument(Standing, PartOfClaim, table=True):
    """One claim as it is served: JSON bytes, beside plain columns for filters and sorts.

    `fields`, `derived` and `stamps` are JSON objects whose members make up a `ClaimOut` in this
    order. Each part is a JSON array. An answer is a concatenation of bytes.
    """

    __tablename__ = "claim_document"
    __table_args__ = (
        vocabulary_check("kind", v.CLAIM_KINDS),
        *_standing_checks(),
        *(
            # Named for the filtered column. The others let counts read the index alone.
            Index(
                f"ix_claim_document_{first}",
                first,
                "claim",
                *(name for name in SUMMARY if name != first),
            )
            for first in ("status", "kind", "certainty")
        ),
        Index(None, "status_rank", "claim"),
        Index(None, "certainty_rank", "claim"),
        Index(None, "evidence_level", "claim"),
        Index(None, "evidence_count", "claim"),
        Index(None, "leaning", "claim"),
        Index(None, "unassessed_because", "claim"),
        Index(None, "single_group", "claim"),
        Index(None, "updated", "claim"),
    )

    kind: str
    levels: str = Field(
        description="The levels of its lines that count, as `encode_set` writes them."
    )
    directions: str = Field(description="Their directions, likewise.")
    statement: str
    revision: int
    updated: str
    settled: str = Field(
        description="Last day of evidence time on which anything of the claim changes, YYYY-MM-DD."
    )
    fields: bytes = Field(sa_type=CompressedBytes, description="What a person wrote: `ClaimIn`.")
    derived: bytes = Field(
        sa_type=CompressedBytes, description="What follows from it today: `Derived`."
    )
    stamps: bytes = Field(sa_type=CompressedBytes, description="`ClaimStamps`.")
    occurrences: bytes = Field(sa_type=CompressedBytes)
    evidence: bytes = Field(sa_type=CompressedBytes)
    sources: bytes = Field(sa_type=CompressedBytes)
    relations: bytes = Field(sa_type=CompressedBytes)
    assessments: bytes = Field(sa_type=CompressedBytes)


class ClaimTerm(PartOfClaim, table=True):
    """A value of a field with many (topic, topic_role, asserted_by, document, external_id,
    evidence_level, direction, study_design, year).

    A claim without a value in a field of `derive.COUNTED_WITHOUT` has the term `NO_TERM`. The
    summary of the claim's document is repeated beside each term, so that most lists and counts need
    nothing but this table.
    """

    __tablename__ = "claim_term"
    __table_args__ = (
        vocabulary_check("kind", v.CLAIM_KINDS),
        vocabulary_check("status", v.STATUSES),
        vocabulary_check("certainty", v.CERTAINTIES),
        # It stands in the order in which it is asked, once. A database whose rows stand apart from
        # their key has an index of whole rows beside it, which the migrations make.
        PrimaryKeyConstraint("field", "value", "claim"),
        Index(None, "claim"),
    )

    field: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    since: str = Field(
        description="First day of evidence time on which the claim has it, YYYY-MM-DD."
    )
    status: str
    kind: str
    certainty: str | None = None
    levels: str
    directions: str


class EvidenceDocument(PartOfClaim, table=True):
    """An accepted line of evidence as served: JSON bytes, and columns for filters and sorts."""

    __tablename__ = "evidence_document"
    __table_args__ = (
        vocabulary_check("direction", v.DIRECTIONS),
        vocabulary_check("level", v.EVIDENCE_LEVELS),
        vocabulary_check("question", v.QUESTIONS),
        vocabulary_check("directness", v.DIRECTNESS),
        vocabulary_check("study_design", v.STUDY_DESIGNS),
        # The most usual order: the best level first, and in it the newest line first.
        Index("ix_evidence_document_level_newest", "level", desc("published"), "claim", "key"),
        Index(None, "source", "claim"),
        Index(None, "direction", "claim"),
        Index(None, "study_design", "claim"),
        # Counts read these alone: of lines, and of claims with such a line.
        Index(
            "ix_evidence_document_counts",
            *("level", "direction", "study_design", "directness", "question", "year"),
            *("sample_size", "on_relation", "published", "counts_until"),
        ),
        Index(
            "ix_evidence_document_of_claim",
            *("claim", "level", "direction", "study_design", "year", "on_relation", "published"),
            "counts_until",
        ),
    )

    key: str = Field(primary_key=True)
    source: str
    direction: str
    level: str
    question: str | None = None
    directness: str
    study_design: str
    sample_size: int | None = None
    independence_group: str
    year: int | None = None
    published: str = Field(description="From when the line counts in evidence time, YYYY-MM-DD.")
    counts_until: str | None = Field(
        default=None,
        description="Day from which it does not count, because its source is retracted;"
        " null while it counts.",
    )
    on_relation: bool = Field(
        description="Whether it bears on a relation of the claim, not on the claim."
    )
    updated: str
    document: bytes = Field(sa_type=CompressedBytes, description="The JSON of `EvidenceOut`.")


class EvidenceTerm(PartOfClaim, table=True):
    """A value of a field of which an accepted line of evidence has many: external_id,
    rating_scheme, rating, and both as scheme_and_rating.
    """

    __tablename__ = "evidence_term"
    __table_args__ = (Index(None, "field", "value", "claim", "key"),)

    key: str = Field(primary_key=True)
    field: str = Field(primary_key=True)
    value: str = Field(primary_key=True)


class StatusPeriod(Standing, PartOfClaim, table=True):
    """Days in which the same follows from a claim's evidence.

    `ends` is the first day after them.
    """

    __tablename__ = "status_period"
    __table_args__ = (
        *_standing_checks(),
        CheckConstraint("ends > starts", name="order"),
        # A list by status as of a day reads it in the order of the claims, with the periods.
        Index(None, "status", "claim", "starts", "ends"),
    )

    starts: str = Field(primary_key=True)
    ends: str | None = None
    rule: str
    derived: bytes = Field(sa_type=CompressedBytes, description="All of it: the JSON of `Derived`.")


DERIVED = (ClaimDocument, ClaimTerm, StatusPeriod, EvidenceDocument, EvidenceTerm)
