"""The bodies of old revisions, brought to the fields that their class has today."""

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from models.records.record_types import RECORD_TYPES
from models.records.serializers import Row
from models.records.source import AuthorIn, IdentifierIn

# The parts of a record that are rows of their own, which have all fields of today, too.
PARTS: dict[tuple[str, str], type[BaseModel]] = {
    ("source", "authors"): AuthorIn,
    ("source", "identifiers"): IdentifierIn,
}


def with_current_fields(kind: str, body: Row) -> Row:
    """Return a recorded body with the fields that its class has today, new ones with their default.

    It is not validated again: what was recorded under older rules stays as it was recorded.
    """
    current: Row = {"claim": body["claim"]} if "claim" in body else {}
    for name, field in RECORD_TYPES[kind].fields.model_fields.items():
        if name not in body:
            current[name] = _default(field)
        elif part := PARTS.get((kind, name)):
            current[name] = [_with_fields_of(part, each) for each in body[name]]
        else:
            current[name] = body[name]
    return current


def _with_fields_of(part: type[BaseModel], value: Row) -> Row:
    fields = part.model_fields.items()
    return value | {name: _default(field) for name, field in fields if name not in value}


def _default(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True)
