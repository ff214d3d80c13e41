"""The schemas of arguments, as short as they can be: each agent reads them all."""

from functools import cache
from typing import Any

from models.read.filters import Filters

# What says nothing to an agent: the errors tell what is wrong.
_LEFT_OUT = frozenset(
    ("title", "default", "additionalProperties", "maxItems", "maxLength", "minLength")
)


@cache
def argument_schema(arguments: type[Filters]) -> dict[str, Any]:
    """Return the JSON Schema of arguments, without what an agent does not need."""
    schema = arguments.model_json_schema()
    # The docstring is about the class.
    del schema["description"]
    found: dict[str, Any] = _short(schema)
    found["properties"] = {name: _short(each) for name, each in schema["properties"].items()}
    return found


def _short(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_short(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "anyOf" in schema:
        # A value that may be left out need not be null.
        options = [each for each in schema["anyOf"] if each != {"type": "null"}]
        if len(options) == 1:
            schema = {**options[0], **{k: x for k, x in schema.items() if k != "anyOf"}}
    return {name: _short(each) for name, each in schema.items() if name not in _LEFT_OUT}
