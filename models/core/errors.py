"""The errors of the domain, and `Fault`: what is wrong with an input, as data."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from sqlmodel import SQLModel

# Nobody mends more faults at once, and for each the nearest valid name is looked for. A request may
# have tens of thousands.
MOST_FAULTS = 100
# Pydantic gives all faults of a record or none, which for 100,000 takes half a second in which
# nothing else runs.
MOST_FAULTS_SORTED = 5_000
TOO_MANY_FAULTS = "too_many_faults"
# The longest name or value for which the nearest valid one is looked for.
MOST_MISTYPED = 200


def close_matches(value: str, choices: Iterable[str], limit: int = 3) -> list[str]:
    """Return the choices most similar to a mistyped value, best first (difflib ratio ≥ 0.5)."""
    if len(value) > MOST_MISTYPED:
        return []
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
    """An error that the caller can fix. `code` is a term of the vocabulary of problems.

    `faults` has at most `MOST_FAULTS`; `more` is the number of the others.
    """

    code = "invalid_record"

    def __init__(
        self, detail: str, faults: Sequence[Fault] = (), *, code: str | None = None, more: int = 0
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = list(faults[:MOST_FAULTS])
        self.more = more + len(faults) - len(self.faults)
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


def invalid_record(
    error: ValidationError, fields: Iterable[str] = (), most: int = MOST_FAULTS
) -> InvalidRecord:
    """Return Pydantic's error as one of the domain, with at most so many faults."""
    faults = validation_faults(listed_errors(error), fields, most) if most else []
    detail = describe_faults(faults[:1])
    return InvalidRecord(detail, faults, more=error.error_count() - len(faults))


def describe_faults(faults: Iterable[Fault]) -> str:
    """Return faults as one line, each with its place in front."""
    return "; ".join(
        f"{fault.at}: {fault.detail}" if fault.at else fault.detail for fault in faults
    )


def record_faults(
    error: ValidationError, fields: Iterable[str] = (), most: int = MOST_FAULTS
) -> list[Fault]:
    """Return the faults of Pydantic's error for a report; the last one may count those left out."""
    faults = validation_faults(listed_errors(error), fields, most)
    left_out = error.error_count() - len(faults)
    if left_out:
        detail = f"{left_out:,} more faults of this record are not listed."
        faults.append(Fault(at="", code="more_faults", detail=detail))
    return faults


def listed_errors(error: ValidationError) -> Sequence[Any]:
    """Return Pydantic's list of errors, or one in place of more than anybody wants to read."""
    number = error.error_count()
    if number <= MOST_FAULTS_SORTED:
        return error.errors(include_url=False)
    message = f"{number:,} faults: this is no record of the kind that is expected here."
    return [{"type": TOO_MANY_FAULTS, "loc": (), "msg": message, "input": None}]


def validation_faults(
    errors: Sequence[Any], fields: Iterable[str] = (), most: int = MOST_FAULTS
) -> list[Fault]:
    """Turn the first errors of Pydantic's list into faults.

    `fields` are the fields that the record may have; they are suggested in place of an unknown one.
    """
    names = list(fields)
    faults = [_validation_fault(error, names) for error in errors[:most]]
    if not isinstance(fields, Mapping):
        return faults
    return [
        fault.model_copy(update={"detail": _object_in_words(fault, fields) or fault.detail})
        for fault in faults
    ]


# What Pydantic calls a value that should be an object, or a list of them.
_NO_OBJECT = ("model_type", "model_attributes_type", "dict_type")
_NO_LIST = "list_type"


def _object_in_words(fault: Fault, fields: Mapping[str, Any]) -> str | None:
    """Return in the field's words what belongs there, where a value is not an object, or no list of
    them; None for all other faults.
    """
    name, _, place = fault.at.partition("/")
    model = _item_of(getattr(fields.get(name), "annotation", None))
    if model is None or fault.code not in (*_NO_OBJECT, _NO_LIST):
        return None
    if place and not place.isdecimal():
        return None
    is_alone = not place and fault.code != _NO_LIST
    noun = (name if is_alone else name.removesuffix("s")).replace("_", " ")
    *others, last = model.model_fields
    parts = f"{', '.join(others)} and {last}" if others else last
    article = "an" if noun[0] in "aeiou" else "a"
    words = f"{article} {noun} is an object with {parts}."
    return f"This is a list: {words}" if fault.code == _NO_LIST else words[0].upper() + words[1:]


def _item_of(annotation: Any) -> type[BaseModel] | None:
    """Return the class of the objects in a list, or None where a field holds none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_item_of(each) for each in get_args(annotation))
    return next((each for each in found if each is not None), None)


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
    # A rule about several fields says at which of them it is broken.
    path += [context["at"]] if "at" in context else []
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
