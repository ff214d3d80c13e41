"""The OpenAPI document: FastAPI's own, with this API's shape of errors, and with real examples."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from pydantic.warnings import UnsupportedFieldAttributeWarning
from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from api.http import openapi_schemas, pagination, serial_marks
from api.http.errors import MEDIA_TYPE, PROBLEM_TYPES, Problem, responses
from api.http.openapi_headers import HEADERS, headers_of
from api.http.read_route import ParsedRoute, ReadRoute

# The responses that are shown as examples: `make examples` writes them, and a test compares them
# with the API.
FOLDER = Path(__file__).parents[1] / "examples"
# The requests that are shown as examples of writes, which a test sends.
REQUESTS = FOLDER / "requests.json"
# The example of a problem with each status.
PROBLEM_OF_STATUS = {
    "400": ("unknown_parameter", "There is no parameter 'statsu' here. Did you mean 'status'?"),
    "401": ("key_required", "This needs a key; send it as Authorization: Bearer …"),
    "403": (
        "forbidden",
        "This needs a key of the role admin or higher; this one's role is curator.",
    ),
    "404": ("not_found", "There is no claim 'ccsvi-cause-ms'."),
    "308": ("moved", "The claim 'ccsvi-is-common' was merged into 'ccsvi-causes-ms'."),
    "409": (
        "conflict",
        "The source 'doepp-2010' is still in use by evidence/ccsvi-causes-ms:doepp-2010.",
    ),
    "410": ("gone", "The claim 'ccsvi-is-common' was retracted: the same as ccsvi-causes-ms."),
    "412": (
        "precondition_failed",
        'It was changed meanwhile and is at "212" now: read it again, then decide.',
    ),
    "428": (
        "precondition_required",
        "Say which version you mean: send If-Match with the ETag that you read.",
    ),
    "406": (
        "not_acceptable",
        "None of the media types in Accept is offered here; errors lists what is.",
    ),
    "408": ("request_timeout", "The body was not complete within 30 seconds."),
    "414": ("address_too_long", "The address has 10,010 bytes; the most is 8,192."),
    "413": ("body_too_large", "The body has more than 2,000,000 bytes."),
    "415": ("unsupported_media_type", "The body must be JSON; Content-Type says 'text/plain'."),
    "422": ("invalid_record", "role: 'boss' is not a term of the vocabulary roles."),
    "429": ("too_many_requests", "Too many writes with this key. Try again in 1 second."),
    "500": ("internal_error", "Something went wrong on our side. Tell us the request_id."),
    "503": (
        "unavailable",
        "The database cannot be reached, is busy, or is not migrated (claimbase migrate)."
        " Try again later.",
    ),
    "507": ("storage_full", "There is no room left to write; reading goes on. Try again later."),
}


# What the operations of each tag are for, in the order of the document.
TAGS = [
    {"name": name, "description": description}
    for name, description in (
        ("claims", "Statements with their status, where they are stated, and what hangs on them."),
        ("evidence", "What sources say about claims, graded, and as a matrix of both."),
        ("sources", "The works that are cited, and files of citations."),
        ("relations", "How claims hang together, and what would follow if one fell."),
        ("time", "How a status came about, and how it changed."),
        ("pictures", "The same as drawings, in SVG."),
        ("vocabularies", "The terms, the topics, and the collections that records come from."),
        ("changes", "What was changed, since a serial or as it happens."),
        ("export", "All that is stored, as a file."),
        ("curating", "Proposals, decisions and changes; each needs a key."),
        ("keys", "The keys of those who write."),
        ("index", "Where to begin, and the notice."),
        ("health", "Whether the server is up and ready."),
    )
]


def problem_example(status: str) -> dict[str, Any]:
    """Return an example of a problem with this status."""
    code, detail = PROBLEM_OF_STATUS[status]
    title = PROBLEM_TYPES[code].title
    return {
        "type": f"/v1/vocabularies/problems#{code}",
        "title": title,
        "status": int(status),
        "detail": detail,
        "code": code,
        "errors": [],
        "request_id": "5f0c6ea1c2a94d0cb1a0d3a3a1c0ffee",
    }


def example(operation: str) -> Any:
    """Return the stored response that is an operation's example."""
    return json.loads((FOLDER / f"{operation}.json").read_text(encoding="utf-8"))


@cache
def requests() -> dict[str, Any]:
    """Return the requests that are the examples of operations: their parameters and bodies."""
    return dict(json.loads(REQUESTS.read_text(encoding="utf-8")))


def example_of_answer(operation: str, schema: dict[str, Any]) -> Any:
    """Return the example of a response: one for all records, or the operation's own."""
    name = schema.get("$ref", "").rpartition("/")[2]
    record = _record_example()
    return {
        "AnyRecord": record,
        "NewRecord": {**record, "possible_duplicates": []},
        "Merged": {**record, "filled": [], "differences": []},
        "RecordList": {"data": [record]},
        "Batch": {"data": [{**record, "possible_duplicates": None}]},
    }.get(name) or example(operation)


def _record_example() -> dict[str, Any]:
    """Return the example of a record after a write, which does not tell of its proposer."""
    record: dict[str, Any] = example("get_record")
    return {name: value for name, value in record.items() if name != "conflict_of_interest"}


def install(app: FastAPI) -> None:
    """Replace the application's `openapi`, and serve the document at `/openapi.json`.

    It is made at the first request for it, in a thread.
    """

    # FastAPI's own function fails for the second of two simultaneous requests.
    one_at_a_time = Lock()

    def document() -> dict[str, Any]:
        with one_at_a_time:
            if app.openapi_schema is None:
                app.openapi_schema = _make(app)
            return app.openapi_schema

    @cache
    def content_and_etag() -> tuple[bytes, str]:
        content = to_json(document())
        return content, f'"{hashlib.sha256(content).hexdigest()[:16]}"'

    async def openapi(request: Request) -> Response:
        content, etag = await run_in_threadpool(content_and_etag)
        unchanged = pagination.not_modified(request, etag)
        return unchanged or pagination.json_response(content, etag)

    app.openapi = document  # type: ignore[method-assign]
    app.router.routes.append(ReadRoute("/openapi.json", openapi, include_in_schema=False))


def _make(app: FastAPI) -> dict[str, Any]:
    routes = [route.documented if isinstance(route, ParsedRoute) else route for route in app.routes]
    with warnings.catch_warnings():
        # FastAPI makes fields of types with an alias, and keeps the warning of it back where
        # Pydantic reads them at once: ours are read here.
        warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=app.description,
            routes=routes,
            license_info=app.license_info,
            contact=app.contact,
            servers=app.servers,
            tags=TAGS,
        )
    components = document["components"]
    answers = components["schemas"]
    problem = Problem.model_json_schema(mode="serialization")
    answers |= {**problem.pop("$defs"), "Problem": problem}
    # Errors in parameters are 400 here, so FastAPI's own shape of them is never sent.
    for name in ("HTTPValidationError", "ValidationError"):
        answers.pop(name, None)
    components["schemas"] = openapi_schemas.of_answers(answers) | openapi_schemas.of_bodies()
    components["headers"] = HEADERS
    components["responses"] = {}
    names = openapi_schemas.Names(components["schemas"])
    for name, schema in list(components["schemas"].items()):
        names.move(schema, name)
    for address, path in document["paths"].items():
        for method, operation in path.items():
            if method == "get" and address.startswith("/v1"):
                operation.setdefault("parameters", []).append(deepcopy(serial_marks.DECLARED))
            _complete_operation(operation)
            _name_schemas(operation, names)
            _declare_headers(operation, method)
            _share_responses(operation, components["responses"])
    components["schemas"] = dict(sorted(components["schemas"].items()))
    return document


def _complete_operation(operation: dict[str, Any]) -> None:
    """Add to an operation what FastAPI does not know about its security, problems and examples."""
    declared = operation["responses"]
    if MEDIA_TYPE not in declared.get("422", {}).get("content", {}):
        declared.pop("422", None)
    # FastAPI names the scheme alone; where no role is needed, a request without a key is allowed.
    if operation.get("security") == [{"bearer": []}]:
        operation["security"].insert(0, {})
    # A request that may have a key may have a bad one.
    if "security" in operation:
        for status, response in responses(401, 429).items():
            declared.setdefault(str(status), response)
    operation.setdefault("security", [])
    # A key has a role, but only OAuth 2 has scopes: where one is needed it is said in words.
    for role in [role for scheme in operation["security"] for role in scheme.get("bearer", ())]:
        operation["security"] = [{"bearer": []}]
        operation["x-role"] = role
        operation["description"] += f"\n\nNeeds a key of the role {role} or higher."
    for status, response in declared.items():
        for media_type, content in response.get("content", {}).items():
            openapi_schemas.rename(content["schema"], openapi_schemas.answer_name)
            if media_type == MEDIA_TYPE:
                content["example"] = problem_example(status)
            elif status in ("200", "201") and media_type == "application/json":
                example = example_of_answer(operation["operationId"], content["schema"])
                content["example"] = example
    _give_request(operation, requests().get(operation["operationId"], {}))


def _give_request(operation: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Add the request that is an operation's example to its parameters and its body."""
    for parameter in operation.get("parameters", ()):
        value = given.get("parameters", {}).get(parameter["name"])
        if value is not None:
            parameter["example"] = value
            parameter["schema"].pop("examples", None)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content["example"] = given.get("body")


def _name_schemas(operation: dict[str, Any], names: openapi_schemas.Names) -> None:
    place = "".join(word.capitalize() for word in operation["operationId"].split("_"))
    for parameter in operation.get("parameters", ()):
        # A parameter is left out, never null.
        schema = openapi_schemas.without_null(parameter["schema"])
        if schema.get("default") in (None, [], ""):
            schema.pop("default", None)
        if schema.get("description") == parameter.get("description"):
            schema.pop("description", None)
        parameter["schema"] = schema
        names.move(schema, place + parameter["name"].capitalize())
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for content in chain.from_iterable(each.get("content", {}).values() for each in bodies):
        names.move(content["schema"], place)


def _declare_headers(operation: dict[str, Any], method: str) -> None:
    for status, response in operation["responses"].items():
        response["headers"] = headers_of(status, method, operation)


def _share_responses(operation: dict[str, Any], shared: dict[str, Any]) -> None:
    """Move what is said of a redirection or a problem to the components, where all are alike."""
    for status, response in operation["responses"].items():
        name = "NotModified" if status == "304" else f"Problem{status}"
        if status >= "300" and response == shared.setdefault(name, response):
            operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
