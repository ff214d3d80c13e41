"""The page of a source, the changes, the rules, and the suggestions of the search."""

import re
from html import unescape
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.citations.formats import WRITTEN
from api.site.about import CHANGES_SHOWN, DONE, VERBS
from api.site.pages import HERE, STATIC, TEMPLATES
from models.core import vocabularies as v
from models.status.rules import RULES
from tests.api.requests import get_json
from tests.databases import SEEDED
from tests.site.test_claim_page import HTML, text_of

PAGES = (
    "/sources/doepp-2010",
    "/sources/article-ccsvi-explained",
    "/changes",
    "/about/status-rules",
)
CLAIM_THEN = "/claims/ccsvi-causes-ms?as_of=2010&without=doepp"
STATIC_FILES = sorted((HERE / "static").iterdir())
REVISION = re.compile(r'href="/v1/revisions/(\d+)"')


def shown(client: TestClient, path: str) -> str:
    page = client.get(path, headers=HTML)
    assert page.status_code == 200, page.text
    return page.text


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_light_and_keeps_to_its_policy(client: TestClient, path: str) -> None:
    page = client.get(path, headers=HTML)
    assert len(page.content) < 100_000
    assert 'rel="alternate"; type="application/json"' in page.headers["link"]
    assert not re.search(r"\sstyle=|\son\w+=|<script>", page.text)
    again = client.get(path, headers={**HTML, "If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    # A browser takes the headers of a 304 over to the page that it kept.
    policy = "content-security-policy"
    assert again.headers[policy] == page.headers[policy]


def test_a_source_shows_all_its_evidence_by_claim(client: TestClient) -> None:
    for slug in ("doepp-2010", "cochrane-2019"):
        text = text_of(shown(client, f"/sources/{slug}"))
        lines = get_json(client, f"/v1/evidence?source={slug}&limit=200")["data"]
        assert lines
        for line in lines:
            claim = get_json(client, f"/v1/claims/{line['claim']}")
            assert claim["statement"] in text
            assert " ".join(line["finding"].split()) in text


def test_a_source_is_found_by_its_identifier_and_links_to_where_it_resolves(
    client: TestClient,
) -> None:
    page = shown(client, "/sources/doi:10.1002/ana.22085")
    assert text_of(page) == text_of(shown(client, "/sources/doepp-2010"))
    assert 'href="https://doi.org/10.1002/ana.22085"' in page
    for identifier in get_json(client, "/v1/sources/doepp-2010")["identifiers"]:
        assert f'{identifier["value"]}">{identifier["value"]}</a>' in page


def test_a_source_is_cited_as_the_api_cites_it(client: TestClient) -> None:
    page = shown(client, "/sources/doepp-2010")
    formatted = client.get("/v1/sources/doepp-2010?format=bibliography").text.strip()
    assert f'<p id="reference">{formatted}</p>' in unescape(page)
    for name in ("bibtex", "ris", "csl_json"):
        assert name in WRITTEN
        (address,) = re.findall(rf'href="([^"]+format={name})"', page)
        assert client.get(address).status_code == 200


def test_a_document_leads_to_its_article(client: TestClient) -> None:
    page = shown(client, "/sources/article-ccsvi-explained")
    assert 'href="/articles/article-ccsvi-explained"' in page
    cited = get_json(client, "/v1/sources/article-ccsvi-explained")["cites"]
    assert f"{len(cited)} works that it cites" in page
    assert 'href="/articles/' not in shown(client, "/sources/doepp-2010")


def test_a_notice_about_a_source_stands_first(client: TestClient) -> None:
    noticed = get_json(client, "/v1/sources?integrity=retracted,concern,corrected")["data"]
    assert noticed
    for source in noticed:
        page = shown(client, f"/sources/{source['id']}")
        head, mark, rest = page.partition('class="notice-of-source"')
        assert mark
        assert "<dl>" not in head
        assert " ".join((source["integrity_note"] or "").split()) in text_of(f"<p {rest}")


def test_versions_of_a_source_lead_to_each_other(client: TestClient) -> None:
    tied: list[dict[str, Any]] = [
        source for source in get_json(client, "/v1/sources?limit=200")["data"] if source["versions"]
    ]
    assert tied
    for source in tied:
        for tie in source["versions"]:
            page, other = (
                shown(client, f"/sources/{slug}") for slug in (source["id"], tie["source"])
            )
            assert f'href="/sources/{tie["source"]}"' in page
            assert f'href="/sources/{source["id"]}"' in other


def test_changes_lead_back_to_the_first_one(client: TestClient) -> None:
    serials: list[int] = []
    address: str | None = "/changes"
    while address is not None:
        page = shown(client, address)
        found = [int(serial) for serial in REVISION.findall(page)]
        assert len(found) <= CHANGES_SHOWN
        serials += found
        following = re.findall(r'rel="next" href="([^"]+)"', page)
        address = unescape(following[0]) if following else None
    assert serials == list(range(SEEDED, 0, -1))


@pytest.mark.parametrize("query", ["topic=iron", "claim=ccsvi-causes-ms", "kind=topic"])
def test_changes_are_filtered_as_in_the_api(client: TestClient, query: str) -> None:
    expected = [
        each["serial"] for each in get_json(client, f"/v1/changes?{query}&limit=200")["data"]
    ]
    newest = list(reversed(expected))[:CHANGES_SHOWN]
    assert newest
    assert [
        int(serial) for serial in REVISION.findall(shown(client, f"/changes?{query}"))
    ] == newest


def test_a_change_says_which_side_evidence_takes(client: TestClient) -> None:
    text = text_of(shown(client, "/changes?claim=ccsvi-causes-ms&kind=evidence"))
    assert re.search(r"Evidence added : .{5,80} disputes “CCSVI causes MS\.”", text)


def test_changes_of_what_is_unknown_are_an_error_with_a_page(client: TestClient) -> None:
    page = client.get("/changes?topic=irom", headers=HTML)
    assert page.status_code == 400
    assert "iron" in page.text
    assert shown(client, "/changes?topic=&claim=&kind=") == shown(client, "/changes?topic=")


def test_every_action_and_direction_has_its_word() -> None:
    assert DONE.keys() == set(v.ACTIONS.ids)
    assert VERBS.keys() == set(v.DIRECTIONS.ids)


def test_the_rules_stand_in_their_order_with_all_words(client: TestClient) -> None:
    page = shown(client, "/about/status-rules")
    assert re.findall(r'<li id="(\w+)">', page) == [rule.name for rule in RULES]
    text = text_of(page)
    for rule in RULES:
        assert rule.sentence in text
    for vocabulary in (v.STATUSES, v.EVIDENCE_LEVELS, v.CERTAINTIES, v.DIRECTIONS, v.DIRECTNESS):
        for term in vocabulary.terms:
            assert term.definition in text, term


def test_the_search_of_each_page_suggests(client: TestClient) -> None:
    page = shown(client, "/about/status-rules")
    assert re.search(r'<script type="module" src="/static/\w+/search.js">', page)
    script = STATIC["search.js"].decode()
    (kinds,) = re.findall(r"const kinds = \{ (.*) \};", script)
    places = dict(re.findall(r'(\w+): \["\w+", "([^"]+)"\]', kinds))
    for kind, place in places.items():
        (first, *_) = get_json(client, f"/v1/suggest?q=c&kind={kind}")["data"]
        assert client.get(f"{place}{first['id']}", headers=HTML).status_code == 200
    assert places.keys() == {"topic", "claim", "source"}


@pytest.mark.parametrize(
    ("asked", "right"),
    [
        ("/claims/", "/claims"),
        ("/claims/ccsvi-causes-ms/", "/claims/ccsvi-causes-ms"),
        ("/claims/CCSVI-Causes-MS", "/claims/ccsvi-causes-ms"),
        ("/claims/CCSVI-causes-ms/?as_of=2010&without=doepp", CLAIM_THEN),
        ("/Claims", "/claims"),
        ("/sources/Doepp-2010", "/sources/doepp-2010"),
        ("/sources/doepp-2010/", "/sources/doepp-2010"),
        ("/sources/doi:10.1002/ANA.22085/", "/sources/doi:10.1002/ANA.22085"),
        ("/articles/Article-CCSVI-explained//", "/articles/article-ccsvi-explained"),
        ("/topics/Iron/matrix", "/topics/iron/matrix"),
        ("/about/status-rules/", "/about/status-rules"),
        ("/curate/", "/curate"),
    ],
)
def test_an_address_written_otherwise_leads_to_the_page(
    client: TestClient, asked: str, right: str
) -> None:
    answer = client.get(asked, headers=HTML, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (308, right)
    assert client.get(right, headers=HTML).status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/claims/no-such-claim", "/sources/doi:10.1234/NONE"])
def test_what_is_nowhere_stays_so(client: TestClient, path: str) -> None:
    assert client.get(path, headers=HTML, follow_redirects=False).status_code == 404


def test_no_address_leads_elsewhere(client: TestClient) -> None:
    for path in ("//evil.example/", "/%5Cevil.example/", "//evil.example/A"):
        answer = client.get(f"http://testserver{path}", headers=HTML, follow_redirects=False)
        assert not re.match(r"(//|/\\|https?:)", answer.headers.get("location", "")), path
    api = client.get("/v1/claims/CCSVI-causes-ms", headers=HTML, follow_redirects=False)
    assert api.status_code == 404


def test_no_page_counts_by_hand() -> None:
    """A number and its noun agree only by the filter `counted` (or the script's)."""
    nouns = "claim|line|source|work|group|statement|proposal|study|studie|topic|change"
    by_hand = re.compile(rf"\}}\}} (?:<[^>]*>)?(?:{nouns})s\b|\}} (?:{nouns})s\b")
    files = [path for path in (*TEMPLATES, *STATIC_FILES) if path.suffix in (".html", ".js")]
    assert len(files) > 20
    for path in files:
        assert not by_hand.search(path.read_text("utf-8")), path.name
