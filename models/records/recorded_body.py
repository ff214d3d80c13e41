"""The bodies of old revisions, brought to the fields that their class has today."""

from models.records.record_types import RECORD_TYPES
from models.records.serializers import Row


def with_current_fields(kind: str, body: Row) -> Row:
    """Return a recorded body with the fields that its class has today, new ones with their default.

    It is not validated again: what was recorded under older rules stays as it was recorded.
    """
    current: Row = {"claim": body["claim"]} if "claim" in body else {}
    for name, field in RECORD_TYPES[kind].fields.model_fields.items():
        if name in body:
            current[name] = body[name]
        else:
            current[name] = field.get_default(call_default_factory=True)
    return current
