"""Feeds, the sitemap, cards, and what search engines read in a page."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from api.site import feeds
from api.site.claim_summary import STATUSES
from models.core.notice import NOTICE, SHORT_NOTICE
from tests.api.curating import Desk
from tests.api.requests import all_claims, all_sources, get_json, problem
from tests.databases import SEEDED_CLAIMS, SEEDED_TOPICS, Store

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
ATOM, SITEMAP = f"{{{feeds.ATOM}}}", f"{{{feeds.SITEMAP}}}"
CLAIM = "ccsvi-causes-ms"
PLAIN = {"Accept-Encoding": "identity"}


def feed(client: TestClient, query: str = "") -> ET.Element:
    """Return the feed, which must have what RFC 4287 wants of one."""
    answer = client.get(f"/changes.atom{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/atom+xml")
    root = ET.fromstring(answer.content)  # noqa: S314
    assert root.tag == f"{ATOM}feed"
    for part in (root, *entries(root)):
        for name in ("id", "title", "updated"):
            assert len(part.findall(ATOM + name)) == 1
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", part.findtext(f"{ATOM}updated", "")
        )
    for entry in entries(root):
        assert entry.findtext(f"{ATOM}author/{ATOM}name")
    ids = [entry.findtext(f"{ATOM}id") for entry in entries(root)]
    assert len(set(ids)) == len(ids) <= feeds.ENTRIES_OF_FEED
    return root


def entries(root: ET.Element) -> list[ET.Element]:
    return root.findall(f"{ATOM}entry")


def link(entry: ET.Element, rel: str) -> str:
    (found,) = [each for each in entry.findall(f"{ATOM}link") if each.get("rel") == rel]
    return str(found.get("href"))


def addresses_in(client: TestClient, path: str, part: str = "url") -> list[str]:
    """Return the paths that a sitemap names, or those of its parts."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/xml")
    root = ET.fromstring(answer.content)  # noqa: S314
    found = [each.findtext(f"{SITEMAP}loc", "") for each in root.findall(SITEMAP + part)]
    assert len(found) == len(root)
    assert all(address.startswith("http://testserver/") for address in found)
    return [address.removeprefix("http://testserver") for address in found]


def test_a_feed_tells_the_newest_changes_in_words(client: TestClient) -> None:
    newest = get_json(client, "/v1/changes?since=0&limit=1")["page"]["last"]
    root = feed(client)
    first = entries(root)[0]
    change = get_json(client, f"/v1/revisions/{newest}")
    assert first.findtext(f"{ATOM}id") == f"http://testserver/v1/revisions/{newest}"
    assert root.findtext(f"{ATOM}updated") == first.findtext(f"{ATOM}updated") == change["at"]
    claim = get_json(client, f"/v1/claims/{change['claim']}")
    line = get_json(client, f"/v1/{change['record']}")
    cited = get_json(client, f"/v1/sources/{line['source']}")["citation"]
    title = first.findtext(f"{ATOM}title")
    assert title == f"Evidence added: {cited} {line['direction']} “{claim['statement']}”"
    address = link(first, "alternate")
    assert address.endswith("/claims/zamboni-first-described-ccsvi#pmc4049975")
    page = client.get(urlsplit(address).path, headers=HTML).text
    assert 'id="pmc4049975"' in page


def test_a_feed_of_a_claim_has_its_changes_alone(client: TestClient) -> None:
    of_claim = feed(client, f"?claim={CLAIM}")
    changes = get_json(client, f"/v1/changes?claim={CLAIM}&limit=200")["data"]
    shown = [
        int(str(entry.findtext(f"{ATOM}id")).rpartition("/")[2]) for entry in entries(of_claim)
    ]
    newest = [change["serial"] for change in changes][::-1]
    assert shown == newest[: feeds.ENTRIES_OF_FEED]
    assert link(of_claim, "self") == f"http://testserver/changes.atom?claim={CLAIM}"
    iron = entries(feed(client, "?topic=iron"))
    assert iron
    filed = {claim["id"] for claim in get_json(client, "/v1/claims?topic=iron&limit=200")["data"]}
    of_claims = {
        urlsplit(link(entry, "alternate")).path.removeprefix("/claims/")
        for entry in iron
        if "/claims/" in link(entry, "alternate")
    }
    assert of_claims <= filed
    unknown = client.get("/changes.atom?claim=ccsvi-cause-ms")
    assert (unknown.status_code, problem(unknown)["errors"][0]["suggestion"]) == (400, CLAIM)


def test_a_feed_is_sent_once_and_moves_with_a_change(desk: Desk) -> None:
    first = desk.client.get("/changes.atom", headers=PLAIN)
    again = {**PLAIN, "If-None-Match": first.headers["etag"]}
    assert desk.client.get("/changes.atom", headers=again).status_code == 304
    proposed = desk.propose("anna", "claim", "made-up")
    waiting = desk.client.get("/changes.atom", headers=again)
    assert (waiting.status_code, "made-up" in waiting.text) == (200, False)
    desk.accept("claim", proposed)
    entry = entries(feed(desk.client))[0]
    assert entry.findtext(f"{ATOM}title") == "Claim accepted: The claim made-up holds."
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "cleo"


def test_a_feed_without_a_change_is_one_all_the_same(empty: Store) -> None:

    with TestClient(create_app(Settings(database_url=empty.url))) as client:
        root = feed(client)
        assert (entries(root), root.findtext(f"{ATOM}updated")) == ([], feeds.EPOCH)
        assert addresses_in(client, "/sitemap.xml") == list(feeds.STANDING)


def test_the_sitemap_names_every_page_that_has_content(client: TestClient) -> None:
    found = addresses_in(client, "/sitemap.xml")
    claims, sources = all_claims(client), all_sources(client)
    topics = get_json(client, "/v1/topics?limit=200")["data"]
    with_evidence = {line["source"] for claim in claims for line in claim["evidence"]}
    quoted = {each["source"] for claim in claims for each in claim["occurrences"]}
    assert with_evidence < {source["id"] for source in sources}
    assert sorted(found) == sorted(
        [
            *feeds.STANDING,
            *(f"/claims/{claim['id']}" for claim in claims),
            *(f"/sources/{source}" for source in with_evidence),
            *(f"/articles/{source}" for source in quoted),
            *(f"/topics/{topic['id']}" for topic in topics),
        ]
    )
    assert len(claims) == SEEDED_CLAIMS


@pytest.mark.parametrize("size", [1, 5, SEEDED_TOPICS, SEEDED_CLAIMS])
def test_a_large_sitemap_is_an_index_of_its_parts(
    size: int, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = addresses_in(client, "/sitemap.xml?")
    monkeypatch.setattr("api.site.feeds.ADDRESSES_OF_PART", size)
    parts = addresses_in(client, f"/sitemap.xml?&{'&' * size}", "sitemap")
    # An address that was not asked for before: the answers to others are kept.
    pieces = [addresses_in(client, f"{part}{'&' * size}") for part in parts]
    assert all(0 < len(piece) <= size for piece in pieces)
    together = [address for piece in pieces for address in piece]
    assert sorted(together) == sorted(set(whole) - set(feeds.STANDING))
    assert len(together) == len(set(together))


def test_robots_and_models_are_told_where_to_look(client: TestClient) -> None:
    robots = client.get("/robots.txt")
    assert robots.headers["content-type"] == "text/plain; charset=utf-8"
    assert "Disallow" not in robots.text
    assert "Sitemap: http://testserver/sitemap.xml\n" in robots.text
    guide = client.get("/llms.txt").text
    assert guide.startswith("# Claimbase\n\n> ")
    assert NOTICE in guide
    linked = re.findall(r"\]\(http://testserver([^)]*)\)", guide)
    assert len(linked) > 5
    for path in linked:
        assert client.head(path).status_code == 200, path


def blocks(page: str) -> list[dict[str, Any]]:
    """Return the structured data of a page."""
    found = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    return [json.loads(block) for block in found]


def meta(page: str) -> Mapping[str, str]:
    return dict(re.findall(r'<meta property="og:(\w+)" content="([^"]*)">', page))


def test_a_page_tells_machines_what_it_is(client: TestClient) -> None:
    page = client.get(f"/claims/{CLAIM}", headers=HTML).text
    assert meta(page) == {
        "site_name": "Claimbase",
        "type": "article",
        "title": "CCSVI causes MS.",
        "description": (f"Refuted since 2019, moderate certainty. {STATUSES['refuted']}"),
        "url": f"http://testserver/claims/{CLAIM}",
    }
    (graph,) = blocks(page)
    kinds = {node["@type"]: node for node in graph["@graph"]}
    assert kinds["ClaimReview"]["reviewRating"]["alternateName"] == "refuted"
    whole = client.get(f"/v1/claims/{CLAIM}?format=json_ld").json()
    assert [node for node in whole["@graph"] if node["@type"] in kinds] == graph["@graph"]
    assert f'href="/changes.atom?claim={CLAIM}"' in page
    # Of an earlier day a page has none: it is the claim of today that they look for.
    assert blocks(client.get(f"/claims/{CLAIM}?as_of=2010", headers=HTML).text) == []


def test_an_article_is_a_work_to_machines(client: TestClient) -> None:
    page = client.get("/articles/article-ccsvi-explained", headers=HTML).text
    (graph,) = blocks(page)
    source = get_json(client, "/v1/sources/article-ccsvi-explained")
    assert graph["name"] == source["title"]
    assert meta(page)["type"] == "article"


def test_the_data_of_a_page_cannot_end_its_script(desk: Desk) -> None:
    said = "</script><script>alert(1)</script> & <!-- causes MS."
    slug = desk.accepted("claim", "made-up", statement=said)
    page = desk.client.get(f"/claims/{slug}", headers=HTML).text
    assert "<script>alert" not in page
    assert "<!-- causes" not in page
    (graph,) = blocks(page)
    assert graph["@graph"][0]["text"] == said
    card = desk.client.get(f"/embed/claims/{slug}").text
    assert "<script" not in card
    assert "<!-- causes" not in card


def test_a_card_may_stand_in_any_page(client: TestClient) -> None:
    card = client.get(f"/embed/claims/{CLAIM}?theme=dark&as_of=2010")
    assert card.status_code == 200
    policy = card.headers["content-security-policy"]
    assert "frame-ancestors *" in policy
    assert "script-src" not in policy
    assert "x-frame-options" not in card.headers
    assert "contested</span> since" in card.text
    assert "(as of 31 December 2010)" in card.text
    assert SHORT_NOTICE in card.text
    assert f'href="http://testserver/claims/{CLAIM}?as_of=2010-12-31"' in card.text
    (sheet,) = re.findall(r'href="(/static/\w+/dark\.css)"', card.text)
    dark = client.get(sheet).text
    assert "--paper: #15181c" in dark
    assert "color-scheme: dark" in dark
    again = client.get(
        f"/embed/claims/{CLAIM}?theme=dark&as_of=2010",
        headers={"If-None-Match": card.headers["etag"]},
    )
    # The headers of a 304 take the place of those that a browser kept.
    assert (again.status_code, again.headers["content-security-policy"]) == (304, policy)
    assert (
        "frame-ancestors 'none'" in client.get("/", headers=HTML).headers["content-security-policy"]
    )


def test_a_card_of_an_unknown_claim_says_so(client: TestClient) -> None:
    card = client.get("/embed/claims/ccsvi-cause-ms", headers=HTML)
    assert card.status_code == 404
    assert "There is no claim &#39;ccsvi-cause-ms&#39;." in card.text
    assert "frame-ancestors *" in card.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("record", "page"),
    [
        (f"/v1/claims/{CLAIM}", f"/claims/{CLAIM}"),
        ("/v1/sources/doepp-2010", "/sources/doepp-2010"),
        ("/v1/sources/doi:10.1002/ana.22085", "/sources/doepp-2010"),
        ("/v1/topics/iron", "/topics/iron"),
    ],
)
def test_a_record_offers_its_page(record: str, page: str, client: TestClient) -> None:
    answer = client.get(record, headers=HTML | {"Accept": "application/json, text/html"})
    assert f'<{page}>; rel="alternate"; type="text/html"' in answer.headers["link"]
    if "/topics/" not in record:
        assert answer.json()["web_page"] == page


def test_the_page_of_a_past_claim_is_of_that_day(client: TestClient) -> None:
    then = get_json(client, f"/v1/claims/{CLAIM}?as_of=2010")
    assert then["web_page"] == f"/claims/{CLAIM}?as_of=2010-12-31"
    assert client.get(then["web_page"], headers=HTML).status_code == 200
    assert "web_page" not in get_json(client, f"/v1/claims/{CLAIM}?fields=id")
