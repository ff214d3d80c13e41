"""The short way of a write: what FastAPI finds out by dependencies, asked one after the other by the same functions.

FastAPI takes longer to find a write's route and what it asks for than the write itself takes. A request out of the
ordinary goes FastAPI's way, before anything of it is read or counted.
"""

from collections.abc import Callable, Coroutine, Sequence
from inspect import iscoroutinefunction
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http import auth
from api.http.read_route import PlainRoute, led


class WriteRoute(PlainRoute):
    """A route of a write: it asks for a key of a role, what the address says, and nothing else. Its function reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the short way before the usual one, or the usual one where the route asks for what is not known here."""
        usual = super().get_route_handler()
        whole = self.dependant
        asked = {each.call: each for each in whole.dependencies}
        more = (
            whole.body_params
            or whole.header_params
            or whole.cookie_params
            or not iscoroutinefunction(self.endpoint)
        )
        self.known = (
            asked.keys() == {auth.json_accepted, auth.permitted} and self.parse_query() and not more
        )
        if not self.known:
            return usual
        permitted = asked[auth.permitted]
        self._caller = str(permitted.name)
        (self._role,) = permitted.own_oauth_scopes or [""]

        async def answer(request: Request) -> Response:
            response = await self.at_once(request)
            return await usual(request) if response is None else response

        return answer

    async def at_once(self, request: Request) -> Response | None:
        """Return the answer, or None where the request is to go FastAPI's way."""
        values = self.given(request)
        if values is None:
            return None
        await auth.json_accepted(request)
        values[self._caller] = await auth.admit(request, self._role)
        response: Response = await self.endpoint(**values)
        return response


class Door:
    """An ASGI application in front of the router: it leads a write to its route without asking all routes for it."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self.app = app
        self.routes: dict[str, list[APIRoute]] = {}
        for route in routes:
            if isinstance(route, APIRoute):
                for method in (route.methods or set()) - {*auth.READING}:
                    self.routes.setdefault(method, []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(scope, receive, send) if scope["type"] == "http" else None
        await (response or self.app)(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        found = led(WriteRoute, self.routes.get(scope["method"], ()), scope)
        if found is None:
            return None
        route, parts = found
        # Where an error is told or recorded, the scope says what was asked for.
        scope.update(route=route, endpoint=route.endpoint, path_params=parts)
        return await route.at_once(Request(scope, receive, send))
