"""What every record is made of: strict input, one text type, slugs, partial dates, and the errors of the domain."""

import calendar
import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError
from sqlmodel import Field, SQLModel

# Every constraint has a name of its own, so that a migration can drop it on every database.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Strict(SQLModel):
    """The base of every input and output class: an unknown field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", validate_default=True)  # type: ignore[assignment]


# The end of every input class: where the record stands in review, and what stands in its place. They say nothing of the
# work or the claim itself, so citation formats have no place for them: what is cited is accepted.
REVIEW_FIELDS = ("state", "replaced_by")
REPLACED_BY_DESCRIPTION = "Id of the record that stands in its place, once it is taken back."


class PartOfClaim(Strict):
    """Puts the claim's slug first in the key of everything that belongs to a claim, so that it can be sharded by claim."""

    claim: str = Field(primary_key=True, foreign_key="claim.id")


def clean_text(value: object) -> object:
    """Refuse what a database cannot store (NUL, lone surrogates) and compose to NFC, so that equal text compares equal."""
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

MAX_INTEGER = 2**31 - 1  # What an integer column holds on both databases.

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG_LENGTH = 100


def is_slug(value: object) -> bool:
    """Say whether this is a slug."""
    return (
        isinstance(value, str) and len(value) <= SLUG_LENGTH and SLUG.fullmatch(value) is not None
    )


def check_slug(value: object) -> object:
    """Accept lower-case ASCII letters and digits in groups joined by single hyphens, at most 100 characters."""
    if not isinstance(value, str):
        return value
    if not is_slug(value):
        raise PydanticCustomError(
            "malformed_slug",
            "A slug is lower-case letters and digits joined by single hyphens, at most {length} characters.",
            {"length": SLUG_LENGTH},
        )
    return value


Slug = Annotated[
    str,
    BeforeValidator(check_slug),
    WithJsonSchema({"type": "string", "pattern": f"^{SLUG.pattern}$", "maxLength": SLUG_LENGTH}),
]

_PARTIAL_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


def check_partial_date(value: object) -> object:
    """Accept `YYYY`, `YYYY-MM` or `YYYY-MM-DD` (ISO 8601 reduced precision) that names a real day, month or year."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value:04d}"
    if isinstance(value, date):
        value = value.isoformat()
    if not isinstance(value, str):
        return value
    match = _PARTIAL_DATE.fullmatch(value)
    if match is None or not _exists(int(match[1]), int(match[2] or 1), int(match[3] or 1)):
        raise PydanticCustomError(
            "malformed_date",
            "A date is YYYY, YYYY-MM or YYYY-MM-DD and must exist in the calendar.",
        )
    return value


def _exists(year: int, month: int, day: int) -> bool:
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


PartialDate = Annotated[
    str,
    BeforeValidator(check_partial_date),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}(-\d{2}(-\d{2})?)?$"}),
]


def last_day_of(partial: str) -> str:
    """Return the last day that a partial date can mean, as `YYYY-MM-DD`: 2009 → 2009-12-31, 2010-02 → 2010-02-28."""
    year, month, day = (int(part) if part else None for part in (partial + "--").split("-")[:3])
    assert year is not None
    month = month or 12
    return date(year, month, day or calendar.monthrange(year, month)[1]).isoformat()


_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


def now() -> str:
    """Return the present moment in UTC as fixed-width ISO 8601 text, which sorts as time does."""
    return format_timestamp(datetime.now(UTC))


def format_timestamp(moment: datetime) -> str:
    """Return a moment, which is in UTC, as such text."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def parse_timestamp(text: str) -> datetime:
    """Return the moment that such text means."""
    return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)
