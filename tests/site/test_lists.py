"""Lists of claims, evidence and sources, search, topics and the matrix, as pages."""

import csv
import io
import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi.testclient import TestClient

from api.site import stacked_years
from models.core import vocabularies as v
from tests.site.test_claim_page import HTML, text_of

QUERIES = (
    "",
    "?status=refuted",
    "?status=refuted,disputed&kind=mechanism",
    "?as_of=2010-12-31",
    "?q=vein&topic=iron",
    "?evidence_level.lte=2&direction=disputes",
)
FACET_LINK = re.compile(
    r'<li><a href="([^"]+)"(?: aria-current="true")?>.*?</a>'
    r' <span class="soft" data-term="[^"]+">([\d,]+)</span>'
)


def total(page: str) -> int:
    """Return how many records a list says that it has."""
    (number,) = re.findall(r'<p role="status">(?:<span id="total">)?([\d,]+) ', page)
    return int(number.replace(",", ""))


@pytest.mark.parametrize("query", QUERIES)
def test_a_list_counts_and_shows_what_the_api_lists(client: TestClient, query: str) -> None:
    asked = client.get(f"/v1/claims{query}{'&' if query else '?'}count=exact").json()
    page = client.get(f"/claims{query}", headers=HTML).text
    if "q=" not in query and "as_of" not in query:
        assert total(page) == asked["page"]["count"]
    shown = re.findall(r'<p class="first"><a href="/claims/([^"]+)"', page)
    # The links lead on to the same day.
    day = query.removeprefix("?") if "as_of" in query else ""
    assert shown == [claim["id"] + (f"?{day}" if day else "") for claim in asked["data"]]
    for claim in asked["data"]:
        assert f"status-{claim['status']}" in page


# One and the same line must meet all filters on evidence, which counts of claims do not tell.
OF_ONE_LINE = (
    "?topic=ccsvi&direction=disputes",
    "?topic=ccsvi&evidence_level=2",
    "?topic=multiple-sclerosis&evidence_level.lte=2",
    "?topic=ccsvi&direction=supports&study_design=case_control",
)


@pytest.mark.parametrize("query", [*QUERIES[:3], "?topic=iron", *OF_ONE_LINE])
def test_each_facet_leads_to_as_many_as_it_says(client: TestClient, query: str) -> None:
    page = client.get(f"/claims{query}", headers=HTML).text
    links = [(unescape(path), int(number)) for path, number in FACET_LINK.findall(page)]
    assert len(links) > 5
    taken = dict(parse_qsl(query.removeprefix("?")))
    for path, number in links[:25]:
        name, _ = parse_qsl(urlsplit(path).query)[-1] if "?" in path else ("", "")
        # A second term of a field widens the list, and a term that is set is taken away.
        if name in taken or name == "":
            continue
        if len(parse_qsl(urlsplit(path).query)) > len(taken):
            assert total(client.get(path, headers=HTML).text) == number, path


def test_the_script_leaves_counts_alone_that_the_api_counts_otherwise(client: TestClient) -> None:
    page = client.get("/claims?direction=disputes", headers=HTML).text
    own = set(re.findall(r'data-facet="(\w+)" data-set', page))
    assert own == {"direction"}


def test_a_journal_with_commas_is_one(client: TestClient) -> None:
    journal = "Journal of Neurology, Neurosurgery & Psychiatry"
    asked = {"journal": journal, "limit": "1"}
    page = client.get("/sources", params=asked, headers=HTML).text
    assert f"journal: {journal}" in unescape(page)
    (following,) = re.findall(r'rel="next" href="([^"]+)"', page)
    (download,) = re.findall(r'href="([^"]+format=csv)"', page)
    for path in (following, download):
        assert dict(parse_qsl(urlsplit(unescape(path)).query))["journal"] == journal
    first, second = (
        re.findall(r'<p class="first"><a href="/sources/([^"]+)"', each)
        for each in (page, client.get(unescape(following), headers=HTML).text)
    )
    assert {source["id"] for source in client.get("/v1/sources", params=asked).json()["data"]} == {
        *first
    }
    assert first != second
    assert len(second) == 1


def test_a_form_keeps_what_is_chosen(client: TestClient) -> None:
    designs = "randomised_trial,sham_controlled_trial"
    page = client.get(f"/evidence?study_design={designs}&as_of=2018", headers=HTML).text
    assert f'<option value="{designs}" selected>' in page
    assert '<input type="hidden" name="as_of" value="2018">' in page
    sent = client.get(f"/evidence?study_design={designs}&as_of=2018&direction=", headers=HTML)
    assert sent.status_code == 200
    assert total(sent.text) == total(page)


def test_pages_lead_through_the_whole_list(client: TestClient) -> None:
    path, seen = "/claims?limit=10", []
    while path:
        page = client.get(path, headers=HTML).text
        seen += re.findall(r'<p class="first"><a href="/claims/([^"]+)"', page)
        found = re.findall(r'<a rel="next" href="([^"]+)"', page)
        path = unescape(found[0]) if found else ""
    assert (
        len(seen) == len(set(seen)) == client.get("/v1/claims?count=exact").json()["page"]["count"]
    )


def test_what_a_form_leaves_empty_asks_nothing(client: TestClient) -> None:
    filled = client.get(
        "/evidence?direction=&study_design=sham_controlled_trial&year.gte=&sort=", headers=HTML
    )
    bare = client.get("/evidence?study_design=sham_controlled_trial", headers=HTML)
    assert filled.status_code == bare.status_code == 200
    assert total(filled.text) == total(bare.text) > 0


def test_the_table_of_trials_is_two_clicks_away(client: TestClient) -> None:
    home = client.get("/", headers=HTML).text
    (trials,) = re.findall(r'href="(/evidence\?study_design=[^"]+)"', home)
    page = client.get(unescape(trials), headers=HTML).text
    (download,) = re.findall(r'href="(/v1/evidence\?[^"]+format=csv)"', page)
    answer = client.get(unescape(download))
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len({row["id"] for row in rows}) == total(page)
    trial = next(row for row in rows if row["id"] == "ccsvi-causes-ms:traboulsee-2018")
    assert trial["statement"] == "CCSVI causes MS."
    assert trial["doi"].startswith("10.1212/")
    assert (trial["direction"], trial["sample_size"]) == ("disputes", "104")


def test_a_line_with_several_effects_has_a_row_for_each(client: TestClient) -> None:
    lines = client.get("/v1/evidence?limit=200").json()["data"]
    several = next(line for line in lines if len(line["effects"]) > 1)
    table = client.get(f"/v1/evidence?format=csv&source={several['source']}").text
    rows = [row for row in csv.DictReader(io.StringIO(table)) if row["id"] == several["id"]]
    assert [row["effect_measure"] for row in rows] == [
        effect["measure"] for effect in several["effects"]
    ]


def test_search_shows_claims_and_sources_with_marks(client: TestClient) -> None:
    page = client.get("/search?q=vein+iron", headers=HTML).text
    assert "<mark>" in page
    assert page.index("<h2>Claims") < page.index("<h2>Sources")
    nothing = client.get("/search?q=zzzxyq", headers=HTML).text
    assert "No claim has these words" in text_of(nothing)
    escaped = client.get("/search?q=%3Cscript%3Ealert(1)", headers=HTML).text
    assert "<script>alert" not in escaped


def test_a_question_in_everyday_words_finds_what_is_meant(client: TestClient) -> None:
    question = "/search?q=is+multiple+sclerosis+caused+by+bad+veins"
    page = client.get(question, headers=HTML).text
    alike = page.partition("Claims that say something like it")[2]
    assert "/claims/ccsvi-causes-ms" in alike


@pytest.mark.parametrize(
    ("q", "first"),
    [("10.1002/ana.22085", "Sources"), ("Zamboni et al. 2009", "Sources"), ("iron", "Claims")],
)
def test_who_asks_for_a_work_sees_it_first(client: TestClient, q: str, first: str) -> None:
    page = client.get("/search", params={"q": q}, headers=HTML).text
    assert re.findall(r"<h2>(Claims|Sources)</h2>", page)[0] == first


def test_links_to_claims_lead_on_to_the_same_day(client: TestClient) -> None:
    article = client.get("/articles/article-ccsvi-explained?as_of=2010", headers=HTML).text
    assert '<a href="/claims/ccsvi-causes-ms?as_of=2010" data-dated' in article
    claim = client.get("/claims/ccsvi-causes-ms?as_of=2010", headers=HTML).text
    assert "/claims/ccsvi-causes-ms?as_of=2010</p>" in claim
    assert '/v1/claims/ccsvi-causes-ms?format=bibtex&amp;as_of=2010"' in claim


def test_trials_are_chosen_whether_sham_controlled_or_not(client: TestClient) -> None:
    page = client.get("/evidence", headers=HTML).text
    assert '<option value="randomised_trial,sham_controlled_trial">' in page
    both = "/evidence?study_design=randomised_trial%2Csham_controlled_trial"
    chosen = client.get(both, headers=HTML).text
    assert chosen.count('value="randomised_trial,sham_controlled_trial" selected') == 1


def test_a_search_says_how_it_was_understood(client: TestClient) -> None:
    page = client.get("/search?q=iron+wombat", headers=HTML).text
    assert "No claim has all of these words." in page
    assert "Other wordings" not in page
    page = client.get("/search?q=CCSVI", headers=HTML).text
    assert "Other wordings" in page
    assert "all of these words" not in page
    assert "Other wordings" not in client.get('/search?q="CCSVI"', headers=HTML).text
    page = client.get("/search?q=autoimune+disease", headers=HTML).text
    assert 'Did you mean <a href="/search?q=autoimmune%20disease">autoimmune disease</a>?' in page
    assert "Found for" not in client.get("/search?q=+", headers=HTML).text
    for path, name in (
        ("claims", "claim"),
        ("sources", "source"),
        ("evidence", "line of evidence"),
    ):
        page = client.get(f"/{path}?q=sham+wombat", headers=HTML).text
        assert f"No {name} has all of these words." in page
        assert 'value="sham wombat"' in page


def test_all_terms_of_a_facet_can_be_chosen(client: TestClient) -> None:
    counted = client.get("/v1/claims/facets?by=topic").json()["data"]["topic"]["terms"]
    page = client.get("/claims", headers=HTML).text
    for term in counted:
        assert f'href="/claims?topic={term["term"]}"' in page


def test_claims_go_out_with_their_evidence_as_a_table(client: TestClient) -> None:
    page = client.get("/claims?status=refuted&sort=-updated", headers=HTML).text
    (path,) = re.findall(r'href="(/v1/matrix[^"]+)"', page)
    rows = list(csv.DictReader(io.StringIO(client.get(unescape(path)).text)))
    assert {row["status"] for row in rows} == {"refuted"}


def test_sources_are_listed_with_their_citations(client: TestClient) -> None:
    page = client.get("/sources?year.gte=2018&type=article", headers=HTML).text
    asked = client.get("/v1/sources?year.gte=2018&type=article&count=exact").json()
    assert total(page) == asked["page"]["count"]
    for source in asked["data"]:
        assert f'href="/sources/{source["id"]}"' in page


def test_a_topic_has_its_claims_its_years_and_its_matrix(client: TestClient) -> None:
    page = client.get("/topics/iron", headers=HTML).text
    claims = client.get("/v1/claims?topic=iron").json()["data"]
    assert all(f'href="/claims/{claim["id"]}"' in page for claim in claims)
    assert '<rect class="fill-disputed"' in page
    matrix = client.get("/topics/iron/matrix", headers=HTML).text
    rows = client.get("/v1/matrix?topic=iron").json()["data"]
    cells = {(row["claim"], cell["source"]) for row in rows for cell in row["cells"]}
    assert len(re.findall(r'<a class="(?:supports|disputes|inconclusive)"', matrix)) == len(cells)
    assert 'href="/topics/iron"' in client.get("/topics", headers=HTML).text


def test_an_unknown_filter_is_a_page_that_says_so(client: TestClient) -> None:
    page = client.get("/claims?statuss=refuted", headers=HTML)
    assert page.status_code == 400
    assert "Did you mean <strong>status</strong>" in page.text


def test_bands_fill_the_picture_of_the_years() -> None:
    counts = dict.fromkeys(v.STATUSES.ids, 0)
    history = [
        {"year": 2009, "counts": counts},
        {"year": 2010, "counts": {**counts, "supported": 1}},
        {"year": 2011, "counts": {**counts, "supported": 1, "refuted": 1}},
    ]
    drawn = stacked_years.stack(history)
    assert drawn is not None
    assert [band.status for band in drawn.bands] == ["supported", "refuted", "supported"]
    # Two claims are twice as high as one, and the year without any is left out.
    assert drawn.bands[1].height + drawn.bands[2].height == pytest.approx(2 * drawn.bands[0].height)
    assert [year for year, _ in drawn.years] == [2010, 2011]
    assert stacked_years.stack(history[:1]) is None
