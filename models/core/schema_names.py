"""Marks in JSON schemas, which the OpenAPI document reads and leaves out.

Pydantic names the schemas of classes alone; what is an annotated type or a list of terms gets its
name here, so that the document has it once. See `api.http.openapi_schemas`.
"""

from typing import Any

from pydantic import ConfigDict, Field, WithJsonSchema

# The name of a schema, and what is said of it under that name.
NAME = "x-name"
ABOUT = "x-about"
# Of a field that an answer has only sometimes: then it is not null, or may be. All other fields are
# always there.
WHEN = "x-when"
SOMETIMES: dict[str, Any] = {WHEN: "sometimes"}
NULL_OR_ABSENT: dict[str, Any] = {WHEN: "sometimes, or null"}
# Of a field that stays for those who read it, while another one is to be read instead. Pydantic's
# own mark would warn whoever reads the attribute in Python, too.
DEPRECATED: dict[str, Any] = {"deprecated": True}
# Of a schema that has the fields of another one, none of which need be there.
PARTIAL_OF = "x-partial-of"


def sometimes(description: str) -> Any:
    """Return a field that an answer has only sometimes."""
    return Field(default=None, json_schema_extra=SOMETIMES, description=description)


def named(name: str, about: str, **schema: Any) -> WithJsonSchema:
    """Return the annotation of a type with this schema of a string, under this name."""
    return WithJsonSchema({"type": "string", **schema, NAME: name, ABOUT: about})


def partial_of(name: str) -> ConfigDict:
    """Return the configuration of a class whose schema has the fields of another, all optional."""
    return ConfigDict(json_schema_extra={PARTIAL_OF: name})
