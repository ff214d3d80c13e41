"""Finds the route of a request without asking each of them in turn."""

from functools import lru_cache

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.convertors import StringConvertor
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

# Methods and paths are as a client sends them, so not all there may be are kept.
MOST_REMEMBERED = 256


class RouteIndex:
    """A router whose first fitting route answers, of those that can answer a request at all.

    Those are told by the method, and by how many segments the path has. Of a hundred and fifty
    routes, each with its regular expression, a write met eighty before its own. A request that no
    route answers goes to the router itself, which knows why.
    """

    def __init__(self, router: APIRouter) -> None:
        self.router = router
        # All routes are there by the first request.
        self.candidates = lru_cache(MOST_REMEMBERED)(self._candidates)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope.get("root_path"):
            for route in self.candidates(scope["method"], scope["path"].count("/")):
                match, own_scope = route.matches(scope)
                if match is Match.FULL:
                    scope.update(own_scope, router=self.router)
                    await route.handle(scope, receive, send)
                    return
        await self.router.app(scope, receive, send)

    def _candidates(self, method: str, slashes: int) -> list[BaseRoute]:
        return [route for route in self.router.routes if _may_fit(route, method, slashes)]


def _may_fit(route: BaseRoute, method: str, slashes: int) -> bool:
    """Return whether a route may answer requests of a method to paths with so many slashes."""
    if not isinstance(route, APIRoute):
        return True
    # Parameters of other kinds may hold slashes.
    one_segment_each = all(
        type(each) is StringConvertor for each in route.param_convertors.values()
    )
    return method in (route.methods or ()) and (
        not one_segment_each or route.path_format.count("/") == slashes
    )
