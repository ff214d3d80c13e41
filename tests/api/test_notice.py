"""The notice stands once in every answer about claims, and every answer links to it."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.middleware import DISCLAIMER
from models.core.notice import NOTICE, SHORT_NOTICE
from tests.api.curating import CLAIM, NOW, Desk
from tests.api.requests import get_json
from tests.api.svg_reader import parse, spoken

OWN = "The current guidance advises against it: do not have it done outside of a trial."
# The answers about many claims, and those about one.
OF_MANY = (
    "/v1/claims",
    "/v1/claims?as_of=2012&fields=id",
    "/v1/sources/doepp-2010/claims",
    "/v1/evidence",
    "/v1/matrix",
)
OF_ONE = (
    *("", "?fields=id,status", "?as_of=2012", "?fields=notice&as_of=2012"),
    *("/evidence", "/matrix", "/matrix?as_of=2012", "/explanation", "/explanation?as_of=2012"),
    *("/timeline", "/diff?from=2009&to=2012", "/relations", "/impact"),
)
PICTURES = ("badge.svg", "chain.svg", "timeline.svg")


def own_notice(desk: Desk, notice: str | None) -> Any:
    return desk.must(
        *(200, "dora", "PATCH", f"/v1/claims/{CLAIM}", {"notice": notice}), If_Match=NOW
    )


@pytest.mark.parametrize("path", OF_MANY)
def test_a_list_has_it_once(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.json()["notice"] == NOTICE
    assert answer.text.count(SHORT_NOTICE) == 1


@pytest.mark.parametrize("own", [None, OWN])
def test_an_answer_about_one_claim_has_it_and_after_it_that_of_the_claim(
    desk: Desk, own: str | None
) -> None:
    own_notice(desk, own)
    told, short = (f"{each} {own}" if own else each for each in (NOTICE, SHORT_NOTICE))
    moment = get_json(desk.client, f"/v1/claims/{CLAIM}")["updated"]
    times = [f"{path}?known_at={moment}" for path in ("", "/evidence", "/matrix", "/explanation")]
    for path in (*OF_ONE, *times):
        answer = desk.client.get(f"/v1/claims/{CLAIM}{path}")
        assert answer.json()["notice"] == told, path
        assert answer.text.count(SHORT_NOTICE) == 1, path
    text = desk.ask(None, "GET", f"/v1/claims/{CLAIM}/explanation", Accept="text/plain").text
    assert text.splitlines()[-1] == told
    for picture in PICTURES:
        drawn = parse(desk.client.get(f"/v1/claims/{CLAIM}/{picture}").content)
        assert spoken(drawn).endswith(short), picture
    # In lists a claim has its own alone.
    claims = get_json(desk.client, "/v1/claims?kind=causal_hypothesis")["data"]
    assert [claim["notice"] for claim in claims if claim["id"] == CLAIM] == [own]


def test_an_answer_that_is_sent_back_leaves_the_notice_of_the_claim_alone(desk: Desk) -> None:
    for own in (None, OWN):
        own_notice(desk, own)
        told = get_json(desk.client, f"/v1/claims/{CLAIM}")["notice"]
        assert own_notice(desk, told)["record"]["notice"] == own
    refused = desk.ask(*("dora", "PATCH", f"/v1/claims/{CLAIM}", {"notice": ""}), If_Match=NOW)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/notice")


def test_an_export_begins_with_it(client: TestClient) -> None:
    header, *_, claim = client.get("/v1/export").text.splitlines()[:200]
    assert json.loads(header)["notice"] == NOTICE
    assert SHORT_NOTICE not in claim


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((path, 200) for path in (*OF_MANY, "/", "/v1/topics", "/healthz", "/docs")),
        *((f"/v1/claims/{CLAIM}/{picture}", 200) for picture in PICTURES),
        *((f"/v1/sources?format={name}", 200) for name in ("bibtex", "csv", "jsonl", "json_ld")),
        *(("/v1/export", 200), ("/openapi.json", 200)),
        *(("/v1/claims/nope", 404), ("/v1/claims?limit=0", 400), ("/nowhere", 404)),
    ],
)
def test_every_answer_links_to_it(client: TestClient, path: str, status: int) -> None:
    for method in ("GET", "HEAD"):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert answer.headers.get_list("link").count(DISCLAIMER) == 1


def test_the_link_leads_to_it(client: TestClient) -> None:
    answer = client.get("/v1/claims?limit=1")
    links = answer.links
    assert set(links) == {"next", "disclaimer"}
    assert get_json(client, links["disclaimer"]["url"]) == {"notice": NOTICE}
    assert get_json(client, links["next"]["url"])["data"]
    assert get_json(client, "/v1")["links"]["notice"] == links["disclaimer"]["url"]
    etag = client.get("/v1/notice").headers["etag"]
    unchanged = client.get("/v1/notice", headers={"If-None-Match": etag})
    assert unchanged.status_code == 304
    assert DISCLAIMER in unchanged.headers["link"]
