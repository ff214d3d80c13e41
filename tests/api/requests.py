"""What the tests of the API share: asking, walking pages, and every claim whole, to be filtered in
plain Python.
"""

from typing import Any

from fastapi.testclient import TestClient

from api.settings import ROOT
from models.core.notice import without_general
from tests.databases import SEEDED_CLAIMS

Record = dict[str, Any]


def get_json(client: TestClient, path: str) -> Any:
    """Return the JSON of a good answer."""
    response = client.get(path)
    assert response.status_code == 200, f"{path}: {response.text}"
    return response.json()


def ids(client: TestClient, path: str) -> list[str]:
    """Return the ids on the one page of a list, which must hold all that there is."""
    answer = get_json(client, f"{path}{'&' if '?' in path else '?'}limit=200")
    assert answer["page"]["next"] is None
    return [record["id"] for record in answer["data"]]


def ids_of_all_pages(client: TestClient, path: str) -> list[str]:
    """Return the ids of all pages in their order, going on by `cursor`."""
    found: list[str] = []
    cursor = ""
    while True:
        answer = get_json(client, path + cursor)
        assert len(answer["data"]) <= answer["page"]["limit"]
        found += [record["id"] for record in answer["data"]]
        if answer["page"]["next"] is None:
            return found
        assert len(answer["data"]) == answer["page"]["limit"]
        assert len(found) < 1000, "the list does not end"
        cursor = f"&cursor={answer['page']['next']}"


def all_claims(client: TestClient) -> list[Record]:
    """Return every claim's whole document, one by one, with no notice but its own, as lists have
    it; which there are is read from the names of the seed's files.
    """
    slugs = sorted(path.stem for path in (ROOT / "seed_data" / "claims").glob("*.yaml"))
    assert len(slugs) == SEEDED_CLAIMS
    return [as_listed(client, f"/v1/claims/{slug}") for slug in slugs]


def as_listed(client: TestClient, path: str) -> Record:
    """Return a claim that is asked for by itself, as a list has it: with its own notice alone, and
    without its page.
    """
    claim = get_json(client, path)
    del claim["web_page"]
    return {**claim, "notice": without_general(claim["notice"])}


def all_sources(client: TestClient) -> list[Record]:
    """Return every source, one by one; which there are is read from the names of the seed's
    files.
    """
    slugs = sorted(path.stem for path in (ROOT / "seed_data" / "sources").glob("*.yaml"))
    assert len(slugs) >= 40
    found = [get_json(client, f"/v1/sources/{slug}") for slug in slugs]
    return [
        {name: value for name, value in source.items() if name != "web_page"} for source in found
    ]


def problem(answer: Any) -> dict[str, Any]:
    """Return the body of an answer that must be a whole problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (
        {"type", "title", "status", "detail", "code", "request_id"}
        <= set(body)
        <= {*("type", "title", "status", "detail", "code", "request_id", "errors", "more_errors")}
    )
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["x-request-id"] != ""
    assert body["type"] == f"/v1/vocabularies/problems#{body['code']}"
    assert body["title"] != "" != body["detail"]
    assert "Traceback" not in answer.text
    return body


def bearer(plain: str) -> dict[str, str]:
    """Return the header that carries a key."""
    return {"Authorization": f"Bearer {plain}"}
