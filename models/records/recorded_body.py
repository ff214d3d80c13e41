"""Bodies of revisions, with the fields that their class has now."""

from models.records.record_types import RECORD_TYPES
from models.records.serializers import Row


def with_current_fields(kind: str, body: Row) -> Row:
    """Return a recorded body with the fields that its class has now: one that came later has its default.

    It is not validated again: what was recorded under older rules is what was known.
    """
    fields = RECORD_TYPES[kind].fields.model_fields.items()
    now = {
        name: body[name] if name in body else field.get_default(call_default_factory=True)
        for name, field in fields
    }
    return {**({"claim": body["claim"]} if "claim" in body else {}), **now}
