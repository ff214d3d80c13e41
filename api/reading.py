"""The short way of a plain request that reads: no dependency is solved and no thread is asked where none is needed.

FastAPI takes several times as long to find out what a request asks for as it takes to read a page of claims. A request
out of the ordinary (with a key, with a parameter that will not do) goes FastAPI's way, which also words each error.
"""

from collections.abc import Callable, Coroutine
from functools import lru_cache, partial
from typing import Any, get_origin
from urllib.parse import parse_qsl

import anyio.to_thread
from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from fastapi import Request, Response
from fastapi.routing import APIRoute
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from api import deps
from models.database import POOL_SIZE, Database, must_wait

# About two milliseconds of work; what takes longer is begun anew in a thread.
THOUSAND_STEPS = 20
MOST_PARSED = 1024
_lanes: RunVar[CapacityLimiter] = RunVar("lanes")

Values = dict[str, Any]


class ShortRoute(APIRoute):
    """A route of GET whose plain requests take the short way. Its function is an ordinary one, with ordinary parameters."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the short way before the usual one, or the usual one where the route asks for what is not known here."""
        usual = super().get_route_handler()
        calls = {each.call: each.name for each in self.dependant.dependencies}
        queries = self.dependant.query_params
        known = calls.keys() <= {deps.read_connection, deps.caller, deps.json_accepted}
        if not known or self.methods != {"GET"} or deps.read_connection not in calls or len(queries) > 1:
            return usual
        parse = parser(queries[0]) if queries else None
        connected = str(calls[deps.read_connection])
        function: Any = self.endpoint

        async def answer(request: Request) -> Response:
            values = _plain(request, self.dependant.path_params, parse)
            if values is None or "authorization" in request.headers:
                return await usual(request)
            if deps.json_accepted in calls:
                await deps.json_accepted(request)
            query = values.pop("")
            # What takes its time outside the database, too, is known by its parameters.
            short = not getattr(query, "takes_long", False)
            if query is not None:
                values[queries[0].name] = query
            if deps.caller in calls:
                values[str(calls[deps.caller])] = None
                request.state.keyed = False
            if self.dependant.request_param_name:
                values[self.dependant.request_param_name] = request
            work = partial(function, **values)
            return await read(deps.database(request), lambda connection: work(**{connected: connection}), short=short)

        return answer


async def read(database: Database, work: Callable[[Connection], Response], *, short: bool) -> Response:
    """Do work that only reads: here and now where it is short and needs no network, else in a thread."""
    if short and database.inline is not None:
        try:
            with database.read_inline(THOUSAND_STEPS) as connection:
                return work(connection)
        except DBAPIError as error:
            if not must_wait(error):
                raise

    def patiently() -> Response:
        with database.read() as connection:
            return work(connection)

    # As many at a time as there are connections; the rest wait without a thread each.
    try:
        lanes = _lanes.get()
    except LookupError:
        lanes = CapacityLimiter(POOL_SIZE)
        _lanes.set(lanes)
    return await anyio.to_thread.run_sync(patiently, limiter=lanes)


def parser(field: Any) -> Callable[[bytes], Any]:
    """Return what makes a query string into the one model of a route's parameters, or None where that cannot be done.

    What was made once is made use of again, so it must not be altered.
    """
    model = field.field_info.annotation
    many = {info.alias or name: get_origin(info.annotation) is list for name, info in model.model_fields.items()}

    @lru_cache(MOST_PARSED)
    def parse(query: bytes) -> Any:
        given: dict[str, Any] = {}
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if many.get(name):
                given.setdefault(name, []).append(value)
            elif name in given:
                return None
            else:
                given[name] = value
        found, faults = field.validate(given, {}, loc=("query",))
        return None if faults else found

    return parse


def _plain(request: Request, parts: list[Any], parse: Callable[[bytes], Any] | None) -> Values | None:
    """Return the values of the path and, under an empty name, the query; None where anything is wrong with them."""
    values: Values = {}
    for part in parts:
        values[part.name], faults = part.validate(request.path_params.get(part.alias), {}, loc=("path", part.alias))
        if faults:
            return None
    query = request.scope["query_string"]
    values[""] = parse(query) if parse else None
    return None if values[""] is None and (parse or query) else values
