"""Errors of the domain, and what is wrong with an input as data."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from sqlmodel import SQLModel


def close_matches(value: str, known: Iterable[str], most: int = 3) -> list[str]:
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


def join_path(*parts: str) -> str:
    """Return a place in a record as a fault names it, from its parts, of which any may be empty."""
    return "/".join(part for part in parts if part)


def describe_fault(place: str, fault: Fault) -> str:
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

    def __init__(
        self, detail: str, faults: Sequence[Fault] = (), *, code: str | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = list(faults)
        self.code = code or self.code


class InvalidRecord(ClaimbaseError):
    """A record breaks a rule; each fault names the field."""


class NotFound(ClaimbaseError):
    """There is no such record, or was none by then; a fault lists near matches."""

    code = "not_found"


def validation_faults(errors: Iterable[Any], fields: Iterable[str] = ()) -> list[Fault]:
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
    close = close_matches(value, allowed, 1) if isinstance(value, str) else []
    return Fault(
        at="/".join(place),
        code="unknown_field" if unknown else error["type"],
        detail="There is no such field." if unknown else error["msg"],
        allowed=allowed,
        suggestion=close[0] if close else None,
    )


class Conflict(ClaimbaseError):
    """What is stored stands against it; the faults name the records."""

    code = "conflict"


class Gone(ClaimbaseError):
    """It was there and was taken back; the detail says why, a fault what stands in its place."""

    code = "gone"
