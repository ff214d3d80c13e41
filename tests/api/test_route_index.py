"""The route of a request is the one that FastAPI's own search finds."""

from itertools import product

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import Match

from api.http.route_index import RouteIndex
from api.main import create_app
from api.settings import Settings
from tests.databases import Store

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")
# Values of parameters; the last two hold slashes.
VALUES = ("ccsvi-causes-ms", "1", "a:b", "x y", "doi:10.1002/ana.22085", "/")
OTHERS = ("", "/", "//", "/v1", "/v1/", "/v1/claims/", "/nothing/here", "/docs/static/x/y.js")


@pytest.fixture(scope="module")
def router(shared: Store) -> APIRouter:
    return create_app(Settings(database_url=shared.url)).router


def test_the_index_finds_what_a_search_of_all_routes_finds(router: APIRouter) -> None:
    paths = {
        route.path_format.replace("{", "{0[").replace("}", "]}").format(_All(value))
        for route in router.routes
        if isinstance(route, APIRoute)
        for value in VALUES
    }
    index = RouteIndex(router)
    answered = 0
    for method, path in product(METHODS, sorted({*paths, *OTHERS})):
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        candidates = index.candidates(method, path.count("/"))
        found, expected = (
            next((each for each in routes if each.matches(scope)[0] is Match.FULL), None)
            for routes in (candidates, router.routes)
        )
        assert found is expected, f"{method} {path}"
        answered += found is not None
    assert answered > len(router.routes)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/docs/static/", 404),
        ("POST", "/v1/matrix", 405),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/topics", 200),
    ],
)
def test_an_answer_is_the_same_with_and_without_the_index(
    shared: Store, method: str, path: str, status: int
) -> None:
    app = create_app(Settings(database_url=shared.url))
    with TestClient(app) as client:
        indexed = client.request(method, path)
        assert isinstance(app.router.middleware_stack, RouteIndex)
        app.router.middleware_stack = app.router.app
        searched = client.request(method, path)
        assert indexed.status_code == searched.status_code == status
        assert indexed.headers.get("Allow") == searched.headers.get("Allow")
        contents = [answer.json() for answer in (indexed, searched)]
        for content in contents:
            content.pop("request_id", None)
        assert contents[0] == contents[1]


def test_few_routes_are_asked_about_a_write(router: APIRouter) -> None:
    assert len(RouteIndex(router).candidates("POST", 4)) < len(router.routes) / 10


class _All(dict[str, str]):
    """The same value for every parameter."""

    def __init__(self, value: str) -> None:
        super().__init__()
        self.value = value

    def __missing__(self, _name: str) -> str:
        return self.value
