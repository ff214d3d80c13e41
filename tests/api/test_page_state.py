"""Every list says which state of the database it shows."""

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings, installed_version
from tests.api.following import fill
from tests.api.requests import get_json
from tests.databases import SEEDED, Store

LISTS = (
    "/v1/claims",
    "/v1/claims?as_of=2012",
    "/v1/claims/ccsvi-causes-ms/evidence",
    "/v1/claims/ccsvi-causes-ms/evidence?known_at={newest}",
    "/v1/claims/ccsvi-causes-ms/revisions",
    "/v1/evidence",
    "/v1/sources",
    "/v1/sources/cochrane-2019/claims",
    "/v1/topics",
    "/v1/collections",
    "/v1/matrix",
    "/v1/citation-styles",
    "/v1/changes",
)


@pytest.mark.parametrize("path", LISTS)
def test_a_list_says_version_serial_and_date(path: str, client: TestClient) -> None:
    newest = get_json(client, f"/v1/changes?since={SEEDED - 1}")["data"][0]["at"]
    page = get_json(client, path.format(newest=newest))["page"]
    state = (page["version"], page["serial"], page["updated"])
    assert state == (installed_version(), SEEDED, newest)


def served(store: Store) -> TestClient:
    return TestClient(create_app(Settings(database_url=store.url)))


def test_an_empty_database_has_no_date(empty: Store) -> None:
    with served(empty) as client:
        page = get_json(client, "/v1/claims")["page"]
    assert (page["serial"], page["updated"]) == (0, None)


def test_the_state_moves_with_a_change(empty: Store) -> None:
    with served(empty) as client:
        get_json(client, "/v1/claims")
        fill(empty)
        page = get_json(client, "/v1/claims")["page"]
        last = get_json(client, "/v1/changes?since=5")["data"][-1]
    assert (page["serial"], page["updated"]) == (6, last["at"])
