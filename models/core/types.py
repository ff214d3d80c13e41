"""The types that records are made of: strict input classes, text, slugs, partial dates, times."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError
from sqlmodel import Field, SQLModel

# Every constraint has a name, so that a migration can drop it in either database.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Strict(SQLModel):
    """The base of every input and output class. An unknown field is an error."""

    model_config = ConfigDict(extra="forbid", validate_default=True)  # type: ignore[assignment]


# The last fields of every input class: the state in review and the replacement. They say nothing of
# the work or the claim itself, so citation formats leave them out.
REVIEW_FIELDS = ("state", "replaced_by")
REPLACED_BY_DESCRIPTION = "Id of the record that stands in its place, once it is taken back."


class PartOfClaim(Strict):
    """The base of a claim's parts: the claim's slug comes first in the key, to shard by claim."""

    claim: str = Field(primary_key=True, foreign_key="claim.id")


def clean_text(value: object) -> object:
    """Return text in NFC, and refuse what a database cannot store (NUL, lone surrogates)."""
    if not isinstance(value, str):
        return value
    if "\x00" in value:
        raise PydanticCustomError("nul_character", "Text must not contain the character U+0000.")
    if value.isascii():
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise PydanticCustomError(
            "lone_surrogate", "Text must not contain a lone surrogate."
        ) from None
    return unicodedata.normalize("NFC", value)


Text = Annotated[str, BeforeValidator(clean_text)]

# Letters and symbols that leave nothing on the page: fillers of Hangul, and the empty Braille cell.
_EMPTY_SIGNS = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def is_blank(text: str) -> bool:
    """Return whether nothing of a text can be seen: only blanks, controls, or marks on nothing."""
    return not any(map(_is_visible, text))


def _is_visible(character: str) -> bool:
    # Letters, numbers, punctuation and symbols; not marks, separators and controls.
    return unicodedata.category(character)[0] in "LNPS" and character not in _EMPTY_SIGNS


def refuse_blank(value: str) -> str:
    """Return a text, and refuse one that has characters of which none can be seen."""
    if value and is_blank(value):
        raise PydanticCustomError("blank_text", "Text must not consist of blanks alone.")
    return value


# What a person wrote down: a label, a statement, a quote, a note.
VisibleText = Annotated[Text, AfterValidator(refuse_blank)]

MAX_INTEGER = 2**31 - 1  # The largest value of an integer column in both databases.

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG_LENGTH = 100


def is_slug(value: object) -> bool:
    """Return whether a value is a slug."""
    return (
        isinstance(value, str) and len(value) <= SLUG_LENGTH and SLUG.fullmatch(value) is not None
    )


def check_slug(value: object) -> object:
    """Accept groups of lower-case ASCII letters and digits, joined by single hyphens."""
    if not isinstance(value, str):
        return value
    if not is_slug(value):
        raise PydanticCustomError(
            "malformed_slug",
            "A slug is lower-case letters and digits joined by single hyphens, at most {length} "
            "characters.",
            {"length": SLUG_LENGTH},
        )
    return value


Slug = Annotated[
    str,
    BeforeValidator(check_slug),
    WithJsonSchema({"type": "string", "pattern": f"^{SLUG.pattern}$", "maxLength": SLUG_LENGTH}),
]
