"""What the tests of the API share: asking, walking pages, and every claim whole, to be filtered in plain Python."""

from typing import Any

from fastapi.testclient import TestClient

from api.settings import ROOT

Record = dict[str, Any]


def ask(client: TestClient, path: str) -> Any:
    """Return the JSON of a good answer."""
    response = client.get(path)
    assert response.status_code == 200, f"{path}: {response.text}"
    return response.json()


def ids(client: TestClient, path: str) -> list[str]:
    """Return the ids on the one page of a list, which must hold all that there is."""
    answer = ask(client, f"{path}{'&' if '?' in path else '?'}limit=200")
    assert answer["page"] == {"limit": 200, "next": None}
    return [record["id"] for record in answer["data"]]


def walked(client: TestClient, path: str) -> list[str]:
    """Return the ids of all pages in their order, going on by `cursor`."""
    found: list[str] = []
    cursor = ""
    while True:
        answer = ask(client, path + cursor)
        assert len(answer["data"]) <= answer["page"]["limit"]
        found += [record["id"] for record in answer["data"]]
        if answer["page"]["next"] is None:
            return found
        assert len(answer["data"]) == answer["page"]["limit"]
        assert len(found) < 1000, "the list does not end"
        cursor = f"&cursor={answer['page']['next']}"


def whole_claims(client: TestClient) -> list[Record]:
    """Return every claim's whole document, one by one; which there are is read from the names of the seed's files."""
    slugs = sorted(path.stem for path in (ROOT / "seed_data" / "claims").glob("*.yaml"))
    assert len(slugs) == 21
    return [ask(client, f"/v1/claims/{slug}") for slug in slugs]


def whole_sources(client: TestClient) -> list[Record]:
    """Return every source, one by one; which there are is read from the names of the seed's files."""
    slugs = sorted(path.stem for path in (ROOT / "seed_data" / "sources").glob("*.yaml"))
    assert len(slugs) >= 40
    return [ask(client, f"/v1/sources/{slug}") for slug in slugs]
