"""Claims, where they are stated (occurrences), and the topics under which they are filed."""

from typing import Annotated, Any, Self

from pydantic import field_validator, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import JSON, CheckConstraint, Index
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.notice import without_general
from models.core.types import (
    MAX_INTEGER,
    REPLACED_BY_DESCRIPTION,
    LanguageTag,
    PartOfClaim,
    Slug,
    Strict,
    Text,
    VisibleText,
    refuse_misfitting_anchor,
)
from models.core.vocabulary import vocabulary_check
from models.records.elsewhere import (
    ExternalId,
    collection_field,
    external_ids_field,
    refuse_repetition,
)


class TopicIn(Strict):
    """A subject under which claims are filed.

    `crosswalk` maps the name of another scheme to its term for the same.
    """

    id: Slug = Field(primary_key=True)
    label: VisibleText = Field(min_length=1, max_length=200)
    definition: VisibleText = Field(min_length=1, max_length=2000)
    crosswalk: dict[VisibleText, VisibleText] = Field(default={}, sa_type=JSON)
    external_ids: list[ExternalId] = external_ids_field()
    collection: Slug | None = collection_field()
    state: v.ReviewState = "accepted"
    replaced_by: Text | None = Field(
        default=None, max_length=300, description=REPLACED_BY_DESCRIPTION
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        refuse_repetition("external_ids", self.external_ids)
        return self


class Topic(TopicIn, table=True):
    """The row."""

    __table_args__ = (
        vocabulary_check("state", v.REVIEW_STATES),
        Index(None, "collection", "id"),
    )

    revision: int
    created: str
    updated: str


class TopicOut(TopicIn):
    """A topic as the API gives it."""

    revision: int


# These are words of addresses, so a claim with such a slug could not be requested.
RESERVED_SLUGS = ("facets", "sources")


# More ways to say one thing than people use.
MAX_WORDINGS = 20
# Each of a claim's few topics has one role, seldom two.
MAX_TOPIC_ROLES = 50


class RoleOfTopic(Strict):
    """What one of a claim's topics is in its statement."""

    topic: Slug = Field(description="One of the claim's topics.")
    role: v.TopicRole


class ClaimFields(Strict):
    """What one row of the table holds."""

    id: Slug = Field(primary_key=True, description="Slug.")
    statement: VisibleText = Field(
        min_length=1, max_length=2000, description="The normalised claim, one plain sentence."
    )
    wordings: list[Annotated[VisibleText, Field(min_length=1, max_length=300)]] = Field(
        default=[],
        max_length=MAX_WORDINGS,
        sa_type=JSON,
        description="Other ways in which people say or ask the same or nearly the same, such as"
        " plain words for terms. By them the claim is found; they assert nothing.",
    )
    kind: v.ClaimKind
    language: LanguageTag = Field(default="en", description="The language of the statement.")
    origin: v.ClaimOrigin = Field(
        default="stated",
        description="Whether a document states it, or it was added because evidence is about it.",
    )
    notice: VisibleText | None = Field(
        default=None,
        min_length=1,
        max_length=2000,
        description="What a reader must be told beside the claim: of a treatment, its dangers and "
        "where the current guidance stands.",
    )
    note: VisibleText | None = Field(
        default=None, max_length=5000, description="A curator's remark; never counts as evidence."
    )
    external_ids: list[ExternalId] = external_ids_field()
    topic_roles: list[RoleOfTopic] = Field(
        default=[],
        max_length=MAX_TOPIC_ROLES,
        sa_type=JSON,
        description="What topics of the claim are in its statement; one may have two roles.",
    )
    collection: Slug | None = collection_field()
    state: v.ReviewState = "accepted"
    replaced_by: Text | None = Field(
        default=None, max_length=300, description=REPLACED_BY_DESCRIPTION
    )

    @field_validator("notice", mode="before")
    @classmethod
    def _own_notice(cls, value: Any) -> Any:
        return without_general(value) if isinstance(value, str) and value else value


class ClaimIn(ClaimFields):
    """A claim as a person writes it."""

    topics: list[Slug] = Field(default=[], description="Slugs of topics.")

    @model_validator(mode="after")
    def _can_be_addressed(self) -> Self:
        if self.id in RESERVED_SLUGS:
            raise PydanticCustomError(
                "reserved_slug",
                "'{slug}' is a word of an address; choose another.",
                {"slug": self.id},
            )
        refuse_repetition("external_ids", self.external_ids)
        refuse_repetition("wordings", self.wordings)
        return self

    @model_validator(mode="after")
    def _roles_of_its_topics(self) -> Self:
        refuse_repetition("topic_roles", self.topic_roles)
        for number, given in enumerate(self.topic_roles):
            if given.topic not in self.topics:
                raise PydanticCustomError(
                    "not_a_topic",
                    "The claim is not filed under '{topic}'. Its topics are: {topics}.",
                    {
                        "topic": given.topic,
                        "topics": ", ".join(self.topics) or "none",
                        "at": f"topic_roles/{number}/topic",
                    },
                )
        return self


def role_reference(given: dict[str, str]) -> str:
    """Return a topic with its role as one text, by which claims are looked up."""
    return f"{given['role']}:{given['topic']}"


class Claim(ClaimFields, table=True):
    """The row.

    `revision` and `updated` are those of the last change to anything in the claim's document.
    """

    __table_args__ = (
        vocabulary_check("kind", v.CLAIM_KINDS),
        vocabulary_check("origin", v.CLAIM_ORIGINS),
        vocabulary_check("state", v.REVIEW_STATES),
        Index(None, "collection", "id"),
    )

    revision: int
    created: str
    updated: str


class ClaimTopic(Strict, table=True):
    """The row that files a claim under a topic."""

    __tablename__ = "claim_topic"
    __table_args__ = (Index(None, "topic", "claim"),)

    claim: str = Field(primary_key=True, foreign_key="claim.id")
    topic: str = Field(primary_key=True, foreign_key="topic.id")


class OccurrenceIn(Strict):
    """Where a claim is stated: verbatim quote and anchor, after the W3C Web Annotation selectors.

    `start` and `end` count characters of the source's text from 0, end exclusive
    (TextPositionSelector); `prefix` and `suffix` are the words around it (TextQuoteSelector).
    """

    key: Slug = Field(primary_key=True, description="Unique within the claim.")
    source: Slug = Field(foreign_key="source.id")
    quote: VisibleText = Field(
        min_length=1, max_length=10_000, description="Verbatim, misspellings included."
    )
    prefix: Text = Field(default="", max_length=200)
    suffix: Text = Field(default="", max_length=200)
    start: int | None = Field(default=None, ge=0, le=MAX_INTEGER)
    end: int | None = Field(default=None, ge=1, le=MAX_INTEGER)
    asserted_by: list[Slug] = Field(
        min_length=1, sa_type=JSON, description="Who asserts it, as slugs."
    )
    hedges: list[VisibleText] = Field(
        default=[], sa_type=JSON, description="The words that weaken or qualify it, verbatim."
    )
    note: VisibleText | None = Field(default=None, max_length=5000)
    collection: Slug | None = collection_field()
    state: v.ReviewState = "accepted"
    replaced_by: Text | None = Field(
        default=None, max_length=300, description=REPLACED_BY_DESCRIPTION
    )

    @model_validator(mode="after")
    def _anchor(self) -> Self:
        refuse_misfitting_anchor(self.quote, self.start, self.end)
        return self


class Occurrence(OccurrenceIn, PartOfClaim, table=True):
    """The row."""

    __table_args__ = (
        vocabulary_check("state", v.REVIEW_STATES),
        CheckConstraint('"end" > start', name="anchor"),
        Index(None, "source", "claim"),
        Index(None, "collection", "claim"),
    )


class OccurrenceOut(OccurrenceIn):
    """An occurrence as the API gives it."""

    id: str
    claim: str


def part_id(claim: str, key: str) -> str:
    """Return the public id of a claim's part. It begins with the claim's slug: its shard."""
    return f"{claim}:{key}"


def with_id(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its public id in front."""
    return {"id": part_id(row["claim"], row["key"]), **row}
