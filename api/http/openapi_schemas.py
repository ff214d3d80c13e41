"""The schemas of the OpenAPI document: each named once, and strict about what is always there.

FastAPI writes them as Pydantic gives them: lists of terms wherever they are used, fields of answers
optional because their class has a default, titles that repeat the names of fields.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from pydantic import BaseModel

from models.core.schema_names import ABOUT, NAME, PARTIAL_OF, SOMETIMES, WHEN

Schema = dict[str, Any]
Schemas = dict[str, Schema]

PLACE = "#/components/schemas/"
NULL = {"type": "null"}
# Under these a schema has others: as such, by their names, in a list.
_ONE = ("items", "additionalProperties", "propertyNames")
_NAMED = ("properties", "$defs")
_SEVERAL = ("anyOf", "allOf", "oneOf", "prefixItems")
# What a named schema takes with it from where it stood.
_OWN = ("type", "format", "pattern", "minLength", "maxLength", "enum", NAME, ABOUT)
# A default that says no more than that the field may be left out.
_EMPTY: tuple[Any, ...] = (None, [], {}, "", False)


def within(schema: Any) -> Iterator[Schema]:
    """Yield a schema and all schemas within it, the outer ones first."""
    if not isinstance(schema, dict):
        return
    yield schema
    inner = [schema.get(key) for key in _ONE]
    inner += [each for key in _NAMED for each in schema.get(key, {}).values()]
    inner += [each for key in _SEVERAL for each in schema.get(key, ())]
    for each in inner:
        yield from within(each)


def rename(schema: Any, new_name: Callable[[str], str]) -> None:
    """Let all references in a schema name components of the document, by their new names."""
    for each in within(schema):
        if "$ref" in each:
            each["$ref"] = PLACE + new_name(each["$ref"].rpartition("/")[2])


# TypeScript has a `Record` of its own.
_OTHERWISE = {"RecordOut": "AnyRecord"}


def answer_name(name: str) -> str:
    """Return the name of a class in an answer: `Source` of `SourceOut`, `Author` of `AuthorIn`."""
    return _OTHERWISE.get(name, name.removesuffix("Out").removesuffix("In"))


def input_name(name: str) -> str:
    """Return the name of a class in the body of a request: `EffectIn` of `Effect`."""
    return name if name.endswith(("In", "Patch")) else f"{name}In"


def with_null(schema: Schema) -> Schema:
    """Return a schema that also takes null."""
    if NULL in schema.get("anyOf", ()):
        return schema
    said = {key: value for key, value in schema.items() if key in ("description", "default")}
    rest = {key: value for key, value in schema.items() if key not in said}
    return {"anyOf": [rest, NULL], **said}


def without_null(schema: Schema) -> Schema:
    """Return a schema that takes the same but null."""
    if NULL not in schema.get("anyOf", ()):
        return schema
    rest = [each for each in schema["anyOf"] if each != NULL]
    beside = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**rest[0], **beside} if len(rest) == 1 else {"anyOf": rest, **beside}


def of_answers(schemas: Mapping[str, Schema]) -> Schemas:
    """Return the schemas of answers by their names in the document.

    A field is required unless it is marked by `WHEN`. Raises ValueError if two classes have
    one name.
    """
    named: Schemas = {}
    for name, schema in schemas.items():
        if "__" in name or answer_name(name) in named:
            raise ValueError(f"Two classes of answers have one name: {name}.")
        named[answer_name(name)] = schema
        rename(schema, answer_name)
        for each in within(schema):
            each.pop("default", None)
            if "properties" in each:
                _require(each)
    for schema in named.values():
        if PARTIAL_OF in schema:
            whole = named[schema.pop(PARTIAL_OF)]
            schema |= {"type": "object", "properties": deepcopy(whole["properties"])}
    return named


def _require(schema: Schema) -> None:
    """Require all fields but those that are there sometimes."""
    fields = schema["properties"]
    when = {name: field.pop(WHEN) for name, field in fields.items() if WHEN in field}
    for name, said in when.items():
        if said == SOMETIMES[WHEN]:
            fields[name] = without_null(fields[name])
    schema["required"] = [name for name in fields if name not in when]
    if not schema["required"]:
        del schema["required"]


# How the schema of each class of bodies is made. It is made for the document and not at each start,
# of which all of them would take a twentieth.
_BODIES: dict[str, Callable[[], Schema]] = {}


def body(name: str, make: Callable[[], Schema]) -> Schema:
    """Return the reference to the schema of a body, which is made for the document."""
    _BODIES[name] = make
    return {"$ref": PLACE + name}


def class_body(model: type[BaseModel]) -> Schema:
    """Return the reference to the schema of a class."""
    return body(model.__name__, model.model_json_schema)


def of_bodies() -> Schemas:
    """Return the schemas of bodies, and of what is in them, by their names in the document."""
    named: Schemas = {}
    for name, make in _BODIES.items():
        schema = make()
        inner = {input_name(each): found for each, found in schema.pop("$defs", {}).items()}
        named |= {**inner, name: schema}
    for schema in named.values():
        rename(schema, input_name)
        for each in within(schema):
            _describe_default(each)
    return named


def _describe_default(schema: Schema) -> None:
    """Put a default into the description: generators require a field that has one."""
    default = schema.pop("default", None)
    if default not in _EMPTY:
        said = schema.get("description", "")
        schema["description"] = f"{said} `{json.dumps(default)}` by default.".lstrip()


class Names:
    """Moves the schemas that have names of their own to the document's, where each stands once."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        # The names of lists of terms: what has the same terms is the same.
        self._lists: dict[tuple[str, ...], str] = {}

    def move(self, schema: Any, place: str) -> None:
        """Replace what has a name within a schema by references.

        `place` names where the schema stands, and tells two lists of terms by one name apart.
        """
        for each in within(schema):
            each.pop("title", None)
            if NAME in each or len(each.get("enum", ())) > 1:
                self._move(each, place)

    def _move(self, schema: Schema, place: str) -> None:
        own = {key: schema.pop(key) for key in _OWN if key in schema}
        name, about = own.pop(NAME, place), own.pop(ABOUT, None)
        own = {**own, "description": about} if about else own
        terms = tuple(own.get("enum", ()))
        if terms:
            name = self._lists.get(terms, name)
            if self._schemas.get(name, own).get("enum") != own["enum"]:
                name = place
            self._lists[terms] = name
        if self._schemas.setdefault(name, own) != own and not terms:
            raise ValueError(f"Two schemas have one name: {name}.")
        schema["$ref"] = PLACE + name
