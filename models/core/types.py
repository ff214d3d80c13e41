"""The types that records are made of: strict input classes, text, slugs, partial dates, times."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError
from sqlmodel import Field, SQLModel

from models.core.schema_names import named

# Every constraint has a name, so that a migration can drop it in either database.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


# Both bases have `defer_build`: there are hundreds of classes, of which a start uses a few, so each
# gets its validator at its first use. Pydantic holds a lock meanwhile.
class Strict(SQLModel):
    """The base of every input and output class of records. An unknown field is an error."""

    model_config = ConfigDict(  # type: ignore[assignment]
        extra="forbid", validate_default=True, defer_build=True
    )


class Shape(BaseModel, defer_build=True):
    """The base of classes that are no records: parameters, and answers of their own."""


# The last fields of every input class: the state in review and the replacement. They say nothing of
# the work or the claim itself, so citation formats leave them out.
REVIEW_FIELDS = ("state", "replaced_by")
REPLACED_BY_DESCRIPTION = "Id of the record that stands in its place, once it is taken back."


class PartOfClaim(Strict):
    """The base of a claim's parts: the claim's slug is in the key, to shard by claim."""

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
    return nfc(value)


# Up to this many characters the order of combining marks is nobody's concern.
_SHORT_TEXT = 100
# More than any language has in a row: the limit of the Stream-Safe Text Format (UAX #15).
_LONG_RUN = 30


# Letters that Unicode does not decompose into an ASCII letter and a mark.
UNDECOMPOSED = {
    **dict(zip("øłđðıħ", "olddih", strict=True)),
    **{"æ": "ae", "œ": "oe", "þ": "th"},
}


def nfc(text: str) -> str:
    """Return a text in Unicode's form NFC.

    Python's own function takes the square of the length of a run of combining marks. It finds them
    in their canonical order here, which takes that away and changes nothing of the result.
    """
    if len(text) > _SHORT_TEXT and not text.isascii() and _has_long_run(text):
        text = "".join(chain.from_iterable(_in_canonical_order(text)))
    return unicodedata.normalize("NFC", text)


def _has_long_run(text: str) -> bool:
    if not any(map(unicodedata.combining, text)):
        return False
    run = 0
    for letter in text:
        run = run + 1 if unicodedata.combining(letter) else 0
        if run > _LONG_RUN:
            return True
    return False


def _in_canonical_order(text: str) -> Iterator[Iterable[str]]:
    """Yield the runs of a text, those of combining marks decomposed and sorted by their class."""
    for is_mark, run in groupby(text, lambda letter: unicodedata.combining(letter) > 0):
        if is_mark:
            decomposed = chain.from_iterable(unicodedata.normalize("NFD", mark) for mark in run)
            yield sorted(decomposed, key=unicodedata.combining)
        else:
            yield run


Text = Annotated[str, BeforeValidator(clean_text)]

# Letters and symbols that leave nothing on the page: fillers of Hangul, and the empty Braille cell.
EMPTY_SIGNS = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def is_blank(text: str) -> bool:
    """Return whether nothing of a text can be seen: only blanks, controls, or marks on nothing."""
    return not any(map(_is_visible, text))


def _is_visible(character: str) -> bool:
    # Letters, numbers, punctuation and symbols; not marks, separators and controls.
    return unicodedata.category(character)[0] in "LNPS" and character not in EMPTY_SIGNS


def refuse_blank(value: str) -> str:
    """Return a text, and refuse one that has characters of which none can be seen."""
    if value and is_blank(value):
        raise PydanticCustomError("blank_text", "Text must not consist of blanks alone.")
    return value


# What a person wrote down: a label, a statement, a quote, a note.
VisibleText = Annotated[Text, AfterValidator(refuse_blank)]

# The form of a language tag (BCP 47): subtags of letters and digits, the first of letters.
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_LANGUAGE_LENGTH = 35


def _check_language(value: str) -> str:
    if len(value) > _LANGUAGE_LENGTH or not _LANGUAGE.fullmatch(value):
        raise PydanticCustomError(
            "malformed_language", "A language is a BCP 47 tag, such as 'en' or 'pt-BR'."
        )
    return value


LanguageTag = Annotated[
    Text,
    AfterValidator(_check_language),
    named(
        "LanguageTag",
        "A BCP 47 tag.",
        pattern=f"^{_LANGUAGE.pattern}$",
        maxLength=_LANGUAGE_LENGTH,
    ),
]

MAX_INTEGER = 2**31 - 1  # The largest value of an integer column in both databases.

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG_LENGTH = 100


def numbered_slug(stem: str, number: int) -> str:
    """Return the slug with a number of those that begin alike; the first has none."""
    ending = "" if number == 1 else f"-{number}"
    return stem[: SLUG_LENGTH - len(ending)].rstrip("-") + ending


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
    named(
        "Slug",
        "Lower-case letters and digits joined by single hyphens.",
        pattern=f"^{SLUG.pattern}$",
        maxLength=SLUG_LENGTH,
    ),
]


def refuse_misfitting_anchor(quote: str | None, start: int | None, end: int | None) -> None:
    """Raise a Pydantic error where offsets in a text are not those of a quote of this length."""
    if (start is None) != (end is None):
        raise PydanticCustomError("anchor", "An anchor has both start and end, or neither.")
    if start is None or end is None:
        return
    if quote is None:
        raise PydanticCustomError("anchor", "An anchor is that of a quote, which is missing.")
    if end - start != len(quote):
        raise PydanticCustomError(
            "anchor",
            "The quote has {length} characters, but end - start is {span}.",
            {"length": len(quote), "span": end - start},
        )
