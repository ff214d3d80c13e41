"""What people say of records: suggestions of changes to what is accepted, and comments."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError
from sqlalchemy import JSON, Index
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.types import REPLACED_BY_DESCRIPTION, Slug, Strict, Text, VisibleText
from models.core.vocabulary import vocabulary_check

RECORD_NAME = re.compile(rf"({'|'.join(v.RECORD_KINDS.ids)})/([a-z0-9:_-]+)")


def _check_record_name(value: str) -> str:
    if not RECORD_NAME.fullmatch(value):
        raise PydanticCustomError(
            "malformed_name",
            "A record is named by its kind and its id, such as "
            "evidence/ccsvi-causes-ms:doepp-2010.",
        )
    return value


RecordName = Annotated[Text, AfterValidator(_check_record_name)]


class AboutRecord(Strict):
    """What all that is said of a record has."""

    id: Slug = Field(primary_key=True, description="Chosen by the server if it is left out.")
    about: RecordName = Field(
        max_length=320,
        description="Kind and id of the record, such as `evidence/ccsvi-causes-ms:doepp-2010`.",
    )
    addressee: Text | None = Field(
        default=None,
        max_length=100,
        description="Who proposed that record and may read this, too. Set by the server.",
    )
    public: bool = Field(
        default=False,
        description="Whether everybody may read it before it is accepted. Set by the server.",
    )
    state: v.ReviewState = "accepted"
    replaced_by: Text | None = Field(
        default=None, max_length=300, description=REPLACED_BY_DESCRIPTION
    )


class SuggestionIn(AboutRecord):
    """A change of an accepted record that somebody suggests; it is made when it is accepted."""

    action: v.SuggestedAction
    patch: dict[str, Any] = Field(
        default={},
        sa_type=JSON,
        description="The fields to change: a merge patch (RFC 7396). It is stored with the whole "
        "new value of each field.",
    )
    reason: VisibleText = Field(min_length=1, max_length=2000)
    source: Slug | None = Field(
        default=None, description="A stored source that bears the change out."
    )
    before: dict[str, Any] = Field(
        default={},
        sa_type=JSON,
        description="The values of these fields when it was suggested. Set by the server.",
    )
    based_on: int | None = Field(
        default=None,
        description="Serial of the record's last revision when it was suggested. Set by the "
        "server.",
    )
    taken: list[Text] | None = Field(
        default=None,
        sa_type=JSON,
        description="The fields that were accepted; null until then. Set by the server.",
    )


class Suggestion(SuggestionIn, table=True):
    """The row."""

    __table_args__ = (
        vocabulary_check("action", v.SUGGESTED_ACTIONS),
        vocabulary_check("state", v.REVIEW_STATES),
        Index(None, "about", "id"),
    )

    revision: int
    created: str
    updated: str


class CommentIn(AboutRecord):
    """What somebody says of a record."""

    text: VisibleText = Field(min_length=1, max_length=5000)
    flag: v.Flag | None = Field(default=None, description="What is wrong with the record, if so.")


class Comment(CommentIn, table=True):
    """The row."""

    __table_args__ = (
        vocabulary_check("flag", v.FLAGS),
        vocabulary_check("state", v.REVIEW_STATES),
        Index(None, "about", "id"),
    )

    revision: int
    created: str
    updated: str
