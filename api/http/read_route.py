"""The short way of a plain request that reads: no dependency is solved and no thread is asked where none is needed.

FastAPI takes several times as long to find out what a request asks for as it takes to read a page of claims. A request
out of the ordinary (with a key, with a parameter that will not do) goes FastAPI's way, which also words each error.
"""

import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, get_origin
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import auth, middleware
from api.http.pagination import header, split_cursor
from api.http.response_cache import BARRING

# What these parameters ask for takes its time where no step is counted: an index of text is gone through, or a claim is
# derived anew. A class of parameters that knows better says so by `takes_long`.
LONG_WORK = frozenset({"as_of", "known_at", "q"})
MOST_PARSED = 1024

Values = dict[str, Any]


class PlainRoute(APIRoute):
    """A route whose plain requests take a short way. Its function is an ordinary one, with ordinary parameters."""

    # Whether it asks for nothing but what is known here.
    known = False
    _query: str | None = None
    _parse: Callable[[bytes], Any] | None = None

    def parse_query(self) -> bool:
        """Get ready for the query strings of this route; say whether that can be done."""
        queries = self.dependant.query_params
        if queries:
            self._query, self._parse = queries[0].name, parser(queries[0])
        return len(queries) < 2

    def given(self, request: Request) -> Values | None:
        """Return what the address gives to the route's function, and the request where it asks for that; None where
        FastAPI has to look."""
        values: Values = {}
        for part in self.dependant.path_params:
            text = request.path_params.get(part.alias)
            values[part.name], faults = part.validate(text, {}, loc=("path", part.alias))
            if faults:
                return None
        query_string, query = request.scope["query_string"], None
        if self._parse is not None:
            query = values[str(self._query)] = self._parse(query_string)
        if query is None and (self._parse or query_string):
            return None
        if self.dependant.request_param_name:
            values[self.dependant.request_param_name] = request
        return values


Route = TypeVar("Route", bound=PlainRoute)


class ShortRoute(PlainRoute):
    """A route of GET that reads."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the short way before the usual one, or the usual one where the route asks for what is not known here."""
        usual = super().get_route_handler()
        calls = {each.call: str(each.name) for each in self.dependant.dependencies}
        asked = calls.keys() <= {auth.read_connection, auth.caller, auth.json_accepted}
        self.known = (
            asked
            and self.methods == {"GET"}
            and auth.read_connection in calls
            and self.parse_query()
        )
        if not self.known:
            return usual
        self._calls = calls

        async def answer(request: Request) -> Response:
            work = self._work(request)
            if work is None or "authorization" in request.headers:
                return await usual(request)
            if auth.json_accepted in calls:
                await auth.json_accepted(request)
            return await auth.read(request, work, long=work.long)

        return answer

    def at_once(self, request: Request) -> Response | None:
        """Return the answer where it can be given here and now, else None, and the request is to go the longer way.

        So it is where anything is wrong as well, which is found out there again, and told.
        """
        try:
            work = None if middleware.refuse_address(request) else self._work(request)
            if (
                work is None
                or work.long
                or (auth.json_accepted in self._calls and not auth.takes_json(request))
            ):
                return None
            with auth.database(request).read_inline(auth.THOUSAND_STEPS) as connection:
                response = work(connection)
        except Exception:
            request.state.long = True
            return None
        return None if isinstance(response, StreamingResponse) else response

    def _work(self, request: Request) -> "Work | None":
        values = self.given(request)
        if values is None:
            return None
        if auth.caller in self._calls:
            values[self._calls[auth.caller]] = None
            request.state.keyed = False
        query = values[self._query] if self._query else None
        long = request.scope["state"].get("long", False) or (
            query is not None and takes_long(query)
        )
        return Work(self.endpoint, values, self._calls[auth.read_connection], long)


@dataclass(frozen=True, slots=True)
class Work:
    """A route's function with all that it asks for but a connection."""

    function: Any
    values: Values
    connected: str
    long: bool

    def __call__(self, connection: Connection) -> Response:
        response: Response = self.function(**self.values, **{self.connected: connection})
        return response


class Lane:
    """An ASGI application in front of another one and all of its middleware: it gives at once the answers of `ShortRoute`s,
    with what the middleware would put on them.

    Who takes compressed answers waits for that many times as long, who has a key is looked up, and pages of other origins
    are told more, so all these go on to the other one; and so does everything where a read is a round trip.
    """

    def __init__(
        self, app: ASGIApp, starlette: Starlette, routes: Sequence[BaseRoute], compressed_from: int
    ) -> None:
        self.app = app
        self.starlette = starlette
        self.compressed_from = compressed_from
        self.open = starlette.state.database.inline is not None
        self.routes = [
            route
            for route in routes
            if isinstance(route, APIRoute) and "GET" in (route.methods or ())
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain = self.open and scope["type"] == "http" and scope["method"] == "GET"
        found = (
            led(ShortRoute, self.routes, scope)
            if plain and not any(map(_goes_on, scope["headers"]))
            else None
        )
        if found is None:
            await self.app(scope, receive, send)
            return
        route, parts = found
        begun = time.perf_counter()
        # Its own, since the other way does not begin with what was laid into it on this one.
        state: Values = {**scope.setdefault("state", {}), "long": False}
        request = Request({**scope, "app": self.starlette, "path_params": parts, "state": state})
        response = route.at_once(request)
        if response is None:
            scope["state"] |= {"begun": begun, "long": state["long"]}
            await self.app(scope, receive, send)
            return
        if len(response.body) >= self.compressed_from:
            middleware.vary(response.raw_headers, b"Accept-Encoding")
        request_id = middleware.identify(header(request, "x-request-id") or "")
        headers = middleware.addressed(response.raw_headers, request_id, state)
        middleware.vary(headers, b"Origin")
        try:
            start = {
                "type": "http.response.start",
                "status": response.status_code,
                "headers": middleware.sealed(headers),
            }
            await send(start)
            await send({"type": "http.response.body", "body": response.body})
        finally:
            if middleware.log.isEnabledFor(logging.INFO):
                middleware.tell(scope, request_id, response.status_code, begun)


def _goes_on(header: tuple[bytes, bytes]) -> bool:
    name, value = header
    return name in BARRING or name == b"origin" or (name == b"accept-encoding" and b"gzip" in value)


def led(kind: type[Route], routes: Sequence[APIRoute], scope: Scope) -> tuple[Route, Values] | None:
    """Return the first of these routes that an address leads to, with its parts; None where it is not of this kind."""
    if scope.get("root_path"):
        return None
    for route in routes:
        if match := route.path_regex.match(scope["path"]):
            if not isinstance(route, kind) or not route.known:
                return None
            return route, {
                name: route.param_convertors[name].convert(part)
                for name, part in match.groupdict().items()
            }
    return None


def takes_long(query: Any) -> bool:
    """Say whether what is asked for is not to be done where everybody else waits."""
    told = (
        query.takes_long
        if hasattr(type(query), "takes_long")
        else query.model_fields_set & LONG_WORK
    )
    return bool(told)


def parser(field: Any) -> Callable[[bytes], Any]:
    """Return what makes a query string into the one model of a route's parameters, or None where that cannot be done.

    What was made once is made use of again, so it must not be altered.
    """
    model = field.field_info.annotation
    many = {
        info.alias or name: get_origin(info.annotation) is list
        for name, info in model.model_fields.items()
    }

    @lru_cache(MOST_PARSED)
    def parsed(query: str) -> Any:
        given: dict[str, Any] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            if many.get(name):
                given.setdefault(name, []).append(value)
            elif name in given:
                return None
            else:
                given[name] = value
        found, faults = field.validate(given, {}, loc=("query",))
        return None if faults else found

    def parse(query: bytes) -> Any:
        # The pages of a list differ by their cursors alone.
        whole = query.decode("latin-1")
        rest, cursor = split_cursor(whole) if "cursor" in many else (whole, None)
        found = parsed(rest)
        return (
            found
            if found is None or cursor is None
            else found.model_copy(update={"cursor": cursor})
        )

    return parse
