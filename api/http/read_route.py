"""Route classes: they parse a request's parameters, look its key up, and call the route's function.

They replace FastAPI's dependency solving, which takes several times as long as reading a page of
claims. FastAPI still reads the functions' signatures and writes the OpenAPI document.
"""

import inspect
from collections.abc import Callable, Coroutine
from functools import cached_property, lru_cache, partial
from operator import attrgetter
from typing import Any, get_origin
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from sqlalchemy import Connection
from starlette.routing import request_response

from api.http import auth, negotiation, read_connection, serial_marks
from api.http.errors import ParameterError
from api.http.pagination import split_cursor
from models.core.errors import Fault

# With these parameters Python itself has much to do, which no bound interrupts: it searches an
# index of text, or derives a claim anew. A class of parameters may decide otherwise by
# `takes_long`.
LONG_WORK = frozenset({"as_of", "count", "known_at", "q"})
MOST_PARSED = 1024

Values = dict[str, Any]


class ParsedRoute(APIRoute):
    """A route that parses its path and query, and looks up the key that its function asks for."""

    def __init__(self, *args: Any, **named: Any) -> None:
        named["generate_unique_id_function"] = attrgetter("name")
        self._declared = args, named
        # Of the models of all answers a start would make validators, which nothing uses.
        super().__init__(*args, **{**named, "response_model": None})
        # Starlette's own wrapper, since FastAPI's opens two exit stacks for dependencies, and no
        # route has any.
        self.app = request_response(self.answer)

    @cached_property
    def documented(self) -> APIRoute:
        """The route with the model of its answer, as the OpenAPI document tells of it."""
        args, named = self._declared
        return APIRoute(*args, **named)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, after reading from the signature what the function asks for."""
        queries = self.dependant.query_params
        self.query_name = queries[0].name if queries else ""
        self.parse_query = QueryParser(queries[0]) if queries else None
        self.needs_json = False
        self.key_name: str | None = None
        self.role: str | None = None
        self.connection_name: str | None = None
        self.in_thread = False
        self.takes_min_serial = takes_min_serial(self)
        for marker in self.dependant.dependencies:
            if marker.call is negotiation.json_accepted:
                self.needs_json = True
            elif marker.call is auth.bearer:
                self.key_name = marker.name
                self.role = marker.own_oauth_scopes[0] if marker.own_oauth_scopes else None
            elif isinstance(marker.call, read_connection.Lent):
                self.connection_name, self.in_thread = marker.name, marker.call.in_thread
            else:
                raise TypeError(
                    f"{self.name} asks for {marker.call}, which this class of routes does not know"
                )
        return self.answer

    async def answer(self, request: Request) -> Response:
        """Return the response. An error of the key is raised before one of the parameters."""
        if self.takes_min_serial:
            serial_marks.take_min_serial(request.scope)
            serial_marks.refuse_bad_min_serial(request)
        if self.parse_query is None:
            refuse_query(request.scope["query_string"])
        if self.needs_json:
            negotiation.json_accepted(request)
        values: Values = {}
        if self.key_name is not None:
            if self.role is None:
                values[self.key_name] = await auth.key_of(request)
            else:
                values[self.key_name] = await auth.permitted_key(request, self.role)
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
        if self.parse_query is not None:
            try:
                values[self.query_name] = self.parse_query(request.scope["query_string"])
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
        if self.connection_name is None:
            answer = self.endpoint(**values)
            response: Response = await answer if inspect.isawaitable(answer) else answer
            return response

        work = partial(self.work, request, values)
        in_thread = self.in_thread or takes_long(values.get(self.query_name))
        return await read_connection.read(request, work, in_thread=in_thread)

    def work(self, _request: Request, values: Values, connection: Connection) -> Response:
        """Return the response of the function, which reads on this connection."""
        response: Response = self.endpoint(**values, **{str(self.connection_name): connection})
        return response


def takes_min_serial(route: APIRoute) -> bool:
    """Return whether requests to a route may say what the client has seen."""
    declared = (route.openapi_extra or {}).get("parameters", ())
    return route.path.startswith("/v1") and (
        "GET" in (route.methods or ()) or serial_marks.DECLARED in declared
    )


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
