"""Route classes: they parse a request's parameters, look its key up, and call the route's function.

They replace FastAPI's dependency solving, which takes several times as long as reading a page of
claims. FastAPI still reads the functions' signatures and writes the OpenAPI document.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from operator import attrgetter
from typing import Any, get_origin
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant, get_parameterless_sub_dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.routing import Route, request_response

from api.http import auth, negotiation, read_connection, serial_marks
from api.http.errors import ParameterError
from api.http.pagination import split_cursor
from models.core.errors import Fault

# With these parameters Python itself has much to do, which no bound interrupts: it searches an
# index of text, derives a claim anew, or reads the names of all styles. A class of parameters may
# decide otherwise by `takes_long`.
LONG_WORK = frozenset({"as_of", "count", "known_at", "locale", "q", "style"})
MOST_PARSED = 1024

Values = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a route's function asks for by its signature, beside the parts of the path."""

    query_name: str = ""
    parse_query: "QueryParser | None" = None
    needs_json: bool = False
    key_name: str | None = None
    role: str | None = None
    connection_name: str | None = None
    in_thread: bool = False


class ParsedRoute(APIRoute):
    """A route that parses its path and query, and looks up the key that its function asks for.

    A start makes what tells routes apart. The function's signature is read at the first request.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **named: Any) -> None:
        named["generate_unique_id_function"] = attrgetter("name")
        self._declared = path, endpoint, named
        # Not that of FastAPI, which reads signatures, and makes validators of answers that nothing
        # uses.
        Route.__init__(
            self,
            path,
            endpoint,
            methods=named.get("methods"),
            name=named.get("name"),
            include_in_schema=named.get("include_in_schema", True),
        )
        # Those that are declared: Starlette adds HEAD, which `HeadMiddleware` answers.
        self.methods = {*(named.get("methods") or ["GET"])}
        self.takes_min_serial = takes_min_serial(path, self.methods, named.get("openapi_extra"))
        # Starlette's own wrapper, since FastAPI's opens two exit stacks for dependencies, and no
        # route has any.
        self.app = request_response(self.answer)

    @cached_property
    def documented(self) -> APIRoute:
        """The route with the model of its answer, as the OpenAPI document tells of it."""
        path, endpoint, named = self._declared
        return APIRoute(path, endpoint, **named)

    @cached_property
    def dependant(self) -> Dependant:  # type: ignore[override]
        """What the function asks for, as FastAPI reads it."""
        path = self.path_format
        found = get_dependant(path=path, call=self.endpoint, scope="function")
        markers = self._declared[2].get("dependencies") or ()
        found.dependencies[:0] = [
            get_parameterless_sub_dependant(depends=marker, path=path) for marker in markers
        ]
        return found

    @cached_property
    def asked(self) -> Asked:
        """What the function asks for. Raises TypeError if it is none of what routes have."""
        queries = self.dependant.query_params
        asked: dict[str, Any] = {}
        if queries:
            asked |= {"query_name": queries[0].name, "parse_query": QueryParser(queries[0])}
        for marker in self.dependant.dependencies:
            if marker.call is negotiation.json_accepted:
                asked["needs_json"] = True
            elif marker.call is auth.bearer:
                scopes = marker.own_oauth_scopes
                asked |= {"key_name": marker.name, "role": scopes[0] if scopes else None}
            elif isinstance(marker.call, read_connection.Lent):
                asked |= {"connection_name": marker.name, "in_thread": marker.call.in_thread}
            else:
                raise TypeError(
                    f"{self.name} asks for {marker.call}, which this class of routes does not know"
                )
        return Asked(**asked)

    async def answer(self, request: Request) -> Response:
        """Return the response. An error of the key is raised before one of the parameters."""
        if self.takes_min_serial:
            serial_marks.take_min_serial(request.scope)
            serial_marks.refuse_bad_min_serial(request)
        asked = self.asked
        if asked.parse_query is None:
            refuse_query(request.scope["query_string"])
        if asked.needs_json:
            negotiation.json_accepted(request)
        values: Values = {}
        if asked.key_name is not None:
            if asked.role is None:
                values[asked.key_name] = await auth.key_of(request)
            else:
                values[asked.key_name] = await auth.permitted_key(request, asked.role)
        values |= self.parameters(request)
        return await self.respond(request, values)

    def parameters(self, request: Request) -> Values:
        """Return the function's arguments from path, headers and query.

        Raises RequestValidationError, as FastAPI does.
        """
        dependant = self.dependant
        values: Values = {}
        errors: list[Any] = []
        if dependant.request_param_name:
            values[dependant.request_param_name] = request
        for field in dependant.path_params:
            text = request.path_params[field.alias]
            values[field.name], faults = field.validate(text, {}, loc=("path", field.alias))
            errors += faults
        for field in dependant.header_params:
            name = field.alias.replace("_", "-")
            header = request.headers.get(name)
            if header is None:
                values[field.name] = field.get_default()
                continue
            values[field.name], faults = field.validate(header, {}, loc=("header", name))
            errors += faults
        asked = self.asked
        if asked.parse_query is not None:
            try:
                values[asked.query_name] = asked.parse_query(request.scope["query_string"])
            except RequestValidationError as error:
                errors += error.errors()
        if errors:
            raise RequestValidationError(errors)
        return values

    async def respond(self, _request: Request, values: Values) -> Response:
        """Return the response of the function."""
        response: Response = await self.endpoint(**values)
        return response


class ReadRoute(ParsedRoute):
    """A route whose function only reads, in the event loop if that is short, else in a thread."""

    async def respond(self, request: Request, values: Values) -> Response:
        """Return the response of the function, which gets a connection if it asks for one."""
        asked = self.asked
        if asked.connection_name is None:
            answer = self.endpoint(**values)
            response: Response = await answer if inspect.isawaitable(answer) else answer
            return response

        work = partial(self.work, request, values)
        in_thread = asked.in_thread or takes_long(values.get(asked.query_name))
        return await read_connection.read(request, work, in_thread=in_thread)

    def work(self, _request: Request, values: Values, connection: Connection) -> Response:
        """Return the response of the function, which reads on this connection."""
        lent = {str(self.asked.connection_name): connection}
        response: Response = self.endpoint(**values, **lent)
        return response


def takes_min_serial(path: str, methods: set[str], extra: Mapping[str, Any] | None) -> bool:
    """Return whether requests to a route may say what the client has seen."""
    declared = (extra or {}).get("parameters", ())
    return path.startswith("/v1") and ("GET" in methods or serial_marks.DECLARED in declared)


def takes_long(query: Any) -> bool:
    """Return whether a read with these parameters always takes long."""
    if query is None:
        return False
    if hasattr(type(query), "takes_long"):
        return bool(query.takes_long)
    return not LONG_WORK.isdisjoint(query.model_fields_set)


class QueryParser:
    """Reads query strings into the one class of parameters that a function takes."""

    def __init__(self, field: Any) -> None:
        self.model = field.field_info.annotation
        self.is_list = {
            info.alias or name: get_origin(info.annotation) is list
            for name, info in self.model.model_fields.items()
        }
        # Many requests share a cached object, so no route may change it.
        self.parse = lru_cache(MOST_PARSED)(self._parse)

    def __call__(self, query: bytes) -> Any:
        """Return the parameters. Raises RequestValidationError if a name or value is invalid."""
        # The pages of a list differ by their cursors alone, so the rest is parsed once for all.
        rest, cursor = query.decode("latin-1"), None
        if "cursor" in self.is_list:
            rest, cursor = split_cursor(rest)
        parameters = self.parse(rest)
        return parameters if cursor is None else parameters.model_copy(update={"cursor": cursor})

    def _parse(self, query: str) -> Any:
        values_of = self._without_empty(grouped(query))
        repeated = [name for name, values in values_of.items() if self._is_repeated(name, values)]
        refuse([_repeated(name, values_of[name]) for name in repeated])
        members = {
            name: values if self.is_list.get(name) else values[0]
            for name, values in values_of.items()
        }
        try:
            return self.model.model_validate(members)
        except ValidationError as error:
            faults = error.errors(include_url=False)
            raise RequestValidationError(
                [{**fault, "loc": ("query", *fault["loc"])} for fault in faults]
            ) from None

    def _without_empty(self, values_of: dict[str, list[str]]) -> dict[str, list[str]]:
        """Return the parameters without those that are blank, which are as if they were not given:
        forms send every field. An unknown one stays a mistake.
        """
        given = {
            name: [value for value in values if value.strip() or name not in self.is_list]
            for name, values in values_of.items()
        }
        return {name: values for name, values in given.items() if values}

    def _is_repeated(self, name: str, values: list[str]) -> bool:
        return len(values) > 1 and self.is_list.get(name) is False


def grouped(query: str) -> dict[str, list[str]]:
    """Return the values of each parameter of a query string."""
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        values.setdefault(name, []).append(value)
    return values


def _repeated(name: str, values: list[str]) -> Fault:
    detail = f"'{name}' is given {len(values)} times; it takes one value."
    return Fault(at=name, code="repeated_parameter", detail=detail)


def refuse_query(query: bytes) -> None:
    """Raise ParameterError if a request has parameters that its function does not take."""
    names = grouped(query.decode("latin-1"))
    faults = [
        Fault(at=name, code="unknown_parameter", detail=f"There is no parameter '{name}' here.")
        for name in names
    ]
    refuse(faults, "unknown_parameter")


def refuse(faults: list[Fault], code: str | None = None) -> None:
    """Raise ParameterError if there are faults."""
    if faults:
        raise ParameterError(faults[0].detail, faults, code=code)
