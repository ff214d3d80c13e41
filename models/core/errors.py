"""The errors of the domain, and `Fault`: what is wrong with an input, as data."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from sqlmodel import SQLModel


def close_matches(value: str, choices: Iterable[str], limit: int = 3) -> list[str]:
    """Return the choices most similar to a mistyped value, best first (difflib ratio ≥ 0.5)."""
    return difflib.get_close_matches(value.lower(), list(choices), n=limit, cutoff=0.5)


class Fault(SQLModel):
    """One thing wrong with an input.

    `at` is a path into the record or the name of a parameter, `allowed` the values that are valid,
    `suggestion` the most similar valid value, and `given` the value that was refused.
    """

    at: str
    code: str
    detail: str
    allowed: list[str] = []
    suggestion: str | None = None
    given: str | None = None


def join_path(*parts: str) -> str:
    """Return the path of a field in a record, as in `Fault.at`. Empty parts are left out."""
    return "/".join(part for part in parts if part)


def describe_fault(location: str, fault: Fault) -> str:
    """Return a fault as one line for people, with the location of the record in front."""
    text = f"{location}: {fault.at}: {fault.detail}" if fault.at else f"{location}: {fault.detail}"
    if fault.suggestion:
        text += f" Did you mean '{fault.suggestion}'?"
    if fault.allowed:
        text += f" Valid: {', '.join(fault.allowed)}."
    return text


class ClaimbaseError(Exception):
    """An error that the caller can fix. `code` is a term of the vocabulary of problems."""

    code = "invalid_record"

    def __init__(
        self, detail: str, faults: Sequence[Fault] = (), *, code: str | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = list(faults)
        self.code = code or self.code


class InvalidRecord(ClaimbaseError):
    """A record breaks a rule. Each fault names a field."""


class NotFound(ClaimbaseError):
    """There is no such record, or there was none at that time. A fault lists similar ids."""

    code = "not_found"


class Conflict(ClaimbaseError):
    """The change conflicts with what is stored. The faults name the records."""

    code = "conflict"


class Gone(ClaimbaseError):
    """The record was retracted. The detail gives the reason, and a fault the replacement."""

    code = "gone"


def validation_faults(errors: Iterable[Any], fields: Iterable[str] = ()) -> list[Fault]:
    """Turn the error list of a Pydantic `ValidationError` into faults.

    `fields` are the fields that the record may have; they are suggested in place of an unknown one.
    """
    names = list(fields)
    return [_validation_fault(error, names) for error in errors]


def _validation_fault(error: Any, fields: list[str]) -> Fault:
    path = [str(part) for part in error["loc"]]
    if error["type"] == "extra_forbidden":
        allowed = fields if len(path) == 1 else []
        return Fault(
            at="/".join(path),
            code="unknown_field",
            detail="There is no such field.",
            allowed=allowed,
            suggestion=_closest(path[-1], allowed),
        )
    context = error.get("ctx") or {}
    allowed = [str(term) for term in context.get("allowed", ())]
    return Fault(
        at="/".join(path),
        code=error["type"],
        detail=error["msg"],
        allowed=allowed,
        suggestion=_closest(error.get("input"), allowed),
    )


def _closest(value: object, choices: list[str]) -> str | None:
    matches = close_matches(value, choices, 1) if isinstance(value, str) else []
    return matches[0] if matches else None
