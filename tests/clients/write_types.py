"""Writes the types of `clients/python` from the OpenAPI document: `make client-types`."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from api.main import create_app
from api.settings import ROOT, Settings
from models.database.connections import file_url

WRITTEN = ROOT / "clients" / "python" / "claimbase_client" / "types.py"
Schema = dict[str, Any]

# What the client reads, by the names of the operations; its types are those of the answers to them.
READ = (
    *("list_claims", "get_claim", "lookup_claims", "count_claims", "match_claims"),
    *("list_evidence", "lookup_evidence", "count_evidence"),
    *("list_sources", "get_source", "lookup_sources"),
    *("explain_status", "list_matrix", "get_timeline", "list_changes", "suggest"),
)
# What is sent, what facets count by, and what errors are.
BESIDE = ("MatchIn", "IdsIn", "LookupIn", "FacetName", "By", "ProblemCode", "ProblemError")

# What methods say themselves, or what makes another answer of a record.
LEFT_OUT = {"by", "cursor", "since", "format", "bom", "count", "fields"}
OF_CITATIONS = ("style", "locale", "remarks")


class Parameters(NamedTuple):
    """The query parameters of an operation, without some, and those of a class that it extends."""

    operation: str
    extends: str | None = None
    without: tuple[str, ...] = OF_CITATIONS


PARAMETERS = {
    "ClaimFilters": Parameters("count_claims"),
    "ClaimsQuery": Parameters("list_claims", "ClaimFilters"),
    "ClaimQuery": Parameters("get_claim"),
    "EvidenceFilters": Parameters("count_evidence"),
    "EvidenceQuery": Parameters("list_evidence", "EvidenceFilters"),
    "SourcesQuery": Parameters("list_sources"),
    "CitationQuery": Parameters("get_source", without=()),
    "ExplanationQuery": Parameters("explain_status"),
    "MatrixQuery": Parameters("list_matrix", "ClaimFilters"),
    "ChangesQuery": Parameters("list_changes", without=("include",)),
}
# Formats of citations that are no text, or no citation.
NO_CITATIONS = {"json", "csv", "parquet"}
BOUNDS = {"minLength", "maxLength", "pattern", "minimum", "maximum", "minItems", "maxItems"}

COMMAND = (
    *(sys.executable, "-m", "datamodel_code_generator", "--input-file-type", "openapi"),
    *("--output-model-type", "typing.TypedDict", "--target-python-version", "3.11"),
    *("--enum-field-as-literal", "all", "--no-use-closed-typed-dict"),
    *("--use-standard-collections", "--use-union-operator", "--use-schema-description"),
    *("--use-field-description", "--formatters", "ruff-format"),
    *("--custom-file-header", '"""Written by `make client-types` from the OpenAPI document."""'),
)


def operations(document: Schema) -> dict[str, Schema]:
    """Return the operations of a document by their names."""
    return {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }


def references(schema: Any) -> Iterator[str]:
    """Yield the names of the schemas that a schema refers to. A record of some fields is none."""
    if isinstance(schema, dict):
        name = schema.get("$ref", "").rpartition("/")[2]
        if name == "PartialDate" or (name and not name.startswith("Partial")):
            yield name
        schema = list(schema.values())
    if isinstance(schema, list):
        for part in schema:
            yield from references(part)


def property_of(parameter: Schema) -> Schema:
    """Return what a keyword of a method takes: of a list of values also one value alone."""
    schema = parameter["schema"]
    if schema.get("type") == "array":
        schema = {"anyOf": [schema["items"], schema]}
    return {**schema, "description": parameter["description"]}


def without_bounds(schema: Any) -> Any:
    """Return a schema without what a type cannot say: of each bounded text it would be an alias."""
    if isinstance(schema, list):
        return [without_bounds(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: without_bounds(part)
        for name, part in schema.items()
        # A property may have the name of a bound; it is a schema.
        if name not in BOUNDS or isinstance(part, dict)
    }


def parameters_schema(parameters: Parameters, found: dict[str, Schema]) -> Schema:
    """Return the schema of a class of parameters; a dot in a name is two underscores."""
    left_out = LEFT_OUT | set(parameters.without)
    if parameters.extends:
        extended = found[PARAMETERS[parameters.extends].operation]["parameters"]
        left_out |= {parameter["name"] for parameter in extended}
    own = {
        "type": "object",
        "properties": {
            parameter["name"].replace(".", "__"): property_of(parameter)
            for parameter in found[parameters.operation]["parameters"]
            if parameter["in"] == "query" and parameter["name"] not in left_out
        },
    }
    if not parameters.extends:
        return own
    return {"allOf": [{"$ref": f"#/components/schemas/{parameters.extends}"}, own]}


def reduced(document: Schema) -> Schema:
    """Return a document of the schemas alone that the client has to do with."""
    schemas, found = document["components"]["schemas"], operations(document)
    schemas["CitationFormat"] = {
        **schemas["RecordFormat"],
        "enum": [each for each in schemas["RecordFormat"]["enum"] if each not in NO_CITATIONS],
    }
    for name, parameters in PARAMETERS.items():
        schemas[name] = parameters_schema(parameters, found)
    answers = [found[name]["responses"]["200"]["content"]["application/json"] for name in READ]
    kept: dict[str, Schema] = {}
    ahead = [*references(answers), *BESIDE, *PARAMETERS, "CitationFormat"]
    while ahead:
        name = ahead.pop()
        if name not in kept:
            kept[name] = schemas[name]
            ahead += references(schemas[name])
    return {
        "openapi": document["openapi"],
        "info": document["info"],
        "paths": {},
        "components": {"schemas": {name: without_bounds(kept[name]) for name in sorted(kept)}},
    }


def types() -> str:
    """Return the module of types that the present document makes."""
    with tempfile.TemporaryDirectory(prefix="claimbase-types-") as folder:
        url = file_url(Path(folder) / "none.db")
        document = reduced(create_app(Settings(database_url=url)).openapi())
        given, made = Path(folder) / "openapi.json", Path(folder) / "types.py"
        given.write_text(json.dumps(document), encoding="utf-8")
        command = (*COMMAND, "--input", str(given), "--output", str(made))
        subprocess.run(command, check=True, cwd=ROOT)
        return made.read_text(encoding="utf-8")


if __name__ == "__main__":
    WRITTEN.write_text(types(), encoding="utf-8")
