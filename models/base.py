"""What every record is made of: strict input, one text type, slugs, partial dates, and the errors of the domain."""

import calendar
import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

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
REVIEWED = ("state", "replaced_by")
REPLACED_BY = "Id of the record that stands in its place, once it is taken back."


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
        raise PydanticCustomError("lone_surrogate", "Text must not contain a lone surrogate.") from None
    return unicodedata.normalize("NFC", value)


Text = Annotated[str, BeforeValidator(clean_text)]

LARGEST = 2**31 - 1  # What an integer column holds on both databases.

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
SLUG_LENGTH = 100


def is_slug(value: object) -> bool:
    """Say whether this is a slug."""
    return isinstance(value, str) and len(value) <= SLUG_LENGTH and SLUG.fullmatch(value) is not None


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
            "malformed_date", "A date is YYYY, YYYY-MM or YYYY-MM-DD and must exist in the calendar."
        )
    return value


def _exists(year: int, month: int, day: int) -> bool:
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


PartialDate = Annotated[
    str,
    BeforeValidator(check_partial_date),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}(-\d{2}(-\d{2})?)?$"}),
]


def end_of(partial: str) -> str:
    """Return the last day that a partial date can mean, as `YYYY-MM-DD`: 2009 → 2009-12-31, 2010-02 → 2010-02-28."""
    year, month, day = (int(part) if part else None for part in (partial + "--").split("-")[:3])
    assert year is not None
    month = month or 12
    return date(year, month, day or calendar.monthrange(year, month)[1]).isoformat()


_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


def now() -> str:
    """Return the present moment in UTC as fixed-width ISO 8601 text, which sorts as time does."""
    return stamp(datetime.now(UTC))


def stamp(moment: datetime) -> str:
    """Return a moment, which is in UTC, as such text."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def moment_of(text: str) -> datetime:
    """Return the moment that such text means."""
    return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)


def near(value: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return the few known values closest to a mistyped one, best first (difflib's ratio, at least 0.5)."""
    return difflib.get_close_matches(value.lower(), list(known), n=most, cutoff=0.5)


class Fault(SQLModel):
    """One thing wrong with an input: where (a path into the record, or the name of a parameter), what, and what would do."""

    at: str
    code: str
    detail: str
    allowed: list[str] = []
    suggestion: str | None = None
    given: str | None = None


def place(*parts: str) -> str:
    """Return a place in a record as a fault names it, from its parts, of which any may be empty."""
    return "/".join(part for part in parts if part)


def in_words(place: str, fault: Fault) -> str:
    """Return a fault as one line for people: where (what `place` names comes first), what, and what would do."""
    said = f"{place}: {fault.at}: {fault.detail}" if fault.at else f"{place}: {fault.detail}"
    if fault.suggestion:
        said += f" Did you mean '{fault.suggestion}'?"
    if fault.allowed:
        said += f" Valid: {', '.join(fault.allowed)}."
    return said


class ClaimbaseError(Exception):
    """An error that a caller can mend; `code` is a term of the vocabulary of problems."""

    code = "invalid_record"

    def __init__(self, detail: str, faults: Sequence[Fault] = (), *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = list(faults)
        self.code = code or self.code


class InvalidRecord(ClaimbaseError):
    """A record breaks a rule; each fault names the field."""


class NotFound(ClaimbaseError):
    """There is no such record, or was none by then; a fault lists near matches."""

    code = "not_found"


def faults_of(errors: Iterable[Any], fields: Iterable[str] = ()) -> list[Fault]:
    """Turn Pydantic's error list into faults, with the valid values and the nearest one.

    `fields` are the names that may stand at the top, offered where an unknown one was given.
    """
    known = list(fields)
    return [_fault(error, known) for error in errors]


def _fault(error: Any, fields: list[str]) -> Fault:
    place = [str(part) for part in error["loc"]]
    unknown = error["type"] == "extra_forbidden"
    allowed = [str(term) for term in (error.get("ctx") or {}).get("allowed", ())]
    if unknown and len(place) == 1:
        allowed = fields
    value = place[-1] if unknown else error.get("input")
    close = near(value, allowed, 1) if isinstance(value, str) else []
    return Fault(
        at="/".join(place),
        code="unknown_field" if unknown else error["type"],
        detail="There is no such field." if unknown else error["msg"],
        allowed=allowed,
        suggestion=close[0] if close else None,
    )
