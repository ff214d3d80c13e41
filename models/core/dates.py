"""Partial dates (2009, 2009-09, 2009-09-02), and moments as text that sorts."""

import calendar
import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from models.core.schema_names import named

_PARTIAL_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")


def check_partial_date(value: object) -> object:
    """Accept an existing date as `YYYY`, `YYYY-MM` or `YYYY-MM-DD` (ISO 8601)."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value:04d}"
    if isinstance(value, date):
        value = value.isoformat()
    if not isinstance(value, str):
        return value
    if not _is_partial_date(value):
        raise PydanticCustomError(
            "malformed_date",
            "A date is YYYY, YYYY-MM or YYYY-MM-DD and must exist in the calendar.",
        )
    return value


def _is_partial_date(value: str) -> bool:
    match = _PARTIAL_DATE.fullmatch(value)
    if match is None:
        return False
    year = int(match[1])
    month = int(match[2] or 1)
    day = int(match[3] or 1)
    if year < 1 or not 1 <= month <= 12:
        return False
    return 1 <= day <= calendar.monthrange(year, month)[1]


PARTIAL_DATE = named(
    "PartialDate",
    "A date as exact as it is known: YYYY, YYYY-MM or YYYY-MM-DD.",
    pattern=r"^\d{4}(-\d{2}(-\d{2})?)?$",
)
PartialDate = Annotated[str, BeforeValidator(check_partial_date), PARTIAL_DATE]
# What answers hold; both are text that was checked when it was stored.
WholeDate = Annotated[str, named("Day", "A day, YYYY-MM-DD.", format="date")]
Timestamp = Annotated[str, named("Timestamp", "A time in UTC.", format="date-time")]


def last_day_of(partial_date: str) -> str:
    """Return the last day that a partial date can mean, as `YYYY-MM-DD`.

    `2009` gives `2009-12-31`, `2010-02` gives `2010-02-28`.
    """
    parts = [int(part) for part in partial_date.split("-")]
    year = parts[0]
    month = parts[1] if len(parts) > 1 else 12
    day = parts[2] if len(parts) > 2 else calendar.monthrange(year, month)[1]
    return date(year, month, day).isoformat()


_TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


def now() -> str:
    """Return the current time in UTC as fixed-width ISO 8601 text, which sorts as time does."""
    return format_timestamp(datetime.now(UTC))


def format_timestamp(moment: datetime) -> str:
    """Return a time in UTC as fixed-width ISO 8601 text."""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def parse_timestamp(text: str) -> datetime:
    """Return the time that `format_timestamp` wrote."""
    return datetime.strptime(text, _TIMESTAMP_FORMAT).replace(tzinfo=UTC)
