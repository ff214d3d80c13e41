"""What the pages of a claim, of an article and the first page say."""

import gzip
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import fastapi_offline
import pytest
import zstandard
from fastapi.testclient import TestClient
from markupsafe import Markup

from api.pictures.svg import SWATCHES
from api.site import claim_summary, forest_plot, notes, words
from api.site.pages import STATIC
from models.core import vocabularies as v
from models.records.serializers import Row
from models.status.rules import RULE_BY_NAME

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FILES_OF_DOCS = Path(fastapi_offline.__file__).parent / "static"
ARTICLE = "/articles/article-ccsvi-explained"


def text_of(page: str) -> str:
    """Return the text of a page without its elements."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def test_a_browser_gets_the_first_page_and_a_program_the_index(client: TestClient) -> None:
    page = client.get("/", headers=HTML)
    assert page.headers["content-type"].startswith("text/html")
    assert f'href="{ARTICLE}?as_of=2010"' in page.text
    for accept in ("application/json", "*/*"):
        index = client.get("/", headers={"Accept": accept})
        assert index.json()["links"]["claims"] == "/v1/claims"


def test_a_page_is_kept_and_lets_nothing_in(client: TestClient) -> None:
    page = client.get("/claims/ccsvi-causes-ms", headers=HTML)
    again = client.get(
        "/claims/ccsvi-causes-ms", headers={**HTML, "If-None-Match": page.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    policy = page.headers["content-security-policy"]
    # A browser takes the headers of a 304 for those of the page that it kept.
    assert again.headers["content-security-policy"] == policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"\sstyle=|\son\w+=|(src|href)=\"(https?:)?//(?!doi\.org)", page.text)


@pytest.mark.parametrize("coding", ["gzip", "zstd", "identity"])
def test_files_of_the_documents_page_come_whole(client: TestClient, coding: str) -> None:
    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        sent = {"Accept-Encoding": coding}
        with client.stream("GET", f"/docs/static/{name}", headers=sent) as answer:
            raw = b"".join(answer.iter_raw())
        whole = decoded(coding, raw)
        assert len(whole) == (FILES_OF_DOCS / name).stat().st_size
        assert int(answer.headers.get("content-length", len(raw))) == len(raw)


def decoded(coding: str, raw: bytes) -> bytes:
    """Return what was sent before it was compressed."""
    if coding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(raw)
    return gzip.decompress(raw) if coding == "gzip" else raw


def test_a_shared_link_leads_to_its_page(client: TestClient) -> None:
    bare = client.get("/claims/ccsvi-causes-ms?as_of=2010", headers=HTML)
    shared = client.get(
        "/claims/ccsvi-causes-ms?utm_source=mail&as_of=2010&fbclid=abc", headers=HTML
    )
    assert text_of(shared.text) == text_of(bare.text)
    assert shared.status_code == 200


def test_a_page_that_is_not_there_is_never_unchanged(client: TestClient) -> None:
    answer = client.get("/claims/nope", headers={**HTML, "If-None-Match": "*"})
    assert answer.status_code == 404


@pytest.mark.parametrize("address", ["/", ARTICLE, "/claims/ccsvi-causes-ms"])
def test_a_page_is_light(client: TestClient, address: str) -> None:
    assert len(client.get(address, headers=HTML).content) < 100_000


def test_a_claim_tells_its_status_and_both_sides(client: TestClient) -> None:
    claim = client.get("/v1/claims/ccsvi-causes-ms").json()
    shown = text_of(client.get("/claims/ccsvi-causes-ms", headers=HTML).text)
    assert "refuted since 2019 · moderate certainty" in shown
    for line in claim["evidence"]:
        assert " ".join(line["finding"].split()) in shown
    counts = claim["counts"]
    assert f"For ({counts['supports']})" in shown
    assert f"Against ({counts['disputes']})" in shown
    for assessment in claim["assessments"]:
        assert assessment["verdict"] in shown


def test_a_claim_as_of_a_day_is_that_of_the_api(client: TestClient) -> None:
    then = client.get("/v1/claims/ccsvi-causes-ms?as_of=2010").json()
    shown = client.get("/claims/ccsvi-causes-ms?as_of=2010", headers=HTML).text
    assert f'<span id="status"><span class="chip status-{then["status"]}">' in shown
    assert shown.count("data-published=") == then["counts"]["evidence"]


def test_what_would_be_without_some_evidence(client: TestClient) -> None:
    query = "level.lte=not_gradable&without=cochrane"
    asked = client.get(f"/v1/claims/ccsvi-causes-ms/explanation?{query}").json()
    shown = text_of(client.get(f"/claims/ccsvi-causes-ms?{query}", headers=HTML).text)
    assert f"Without that it would be {asked['status']} (moderate certainty)" in shown


def test_an_article_has_every_sentence_with_its_status(client: TestClient) -> None:
    claims = client.get("/v1/sources/article-ccsvi-explained/claims?limit=200").json()["data"]
    page = client.get(ARTICLE, headers=HTML).text
    for claim in claims:
        assert f'class="status-{claim["status"]}" ' in page
        assert f'data-claim="{claim["id"]}"' in page
    shown = text_of(page)
    assert "Its main claim: CCSVI causes MS. refuted" in shown
    assert "Asserted by Zamboni, hedged with “proposes”" in shown


def test_the_slider_of_an_article_holds_what_the_address_shows(client: TestClient) -> None:
    page = client.get(ARTICLE, headers=HTML).text
    (content,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    runs = json.loads(content)["runs"]
    for year in (2008, 2010, 2012, 2018):
        then = client.get(f"{ARTICLE}?as_of={year}", headers=HTML).text
        for claim, run in runs.items():
            held = [status for starts, status, *_ in run if starts <= f"{year}-12-31"]
            status = held[-1] if held else "none"
            mark = (
                rf'<mark class="status-{status}" id="[^"]+" data-place="\d+" data-claim="{claim}"'
            )
            assert re.search(mark, then), (claim, year)


def test_an_error_is_a_page_to_a_browser_alone(client: TestClient) -> None:
    page = client.get("/claims/ccsvi-cause-ms", headers=HTML)
    assert page.status_code == 404
    assert "Did you mean <strong>ccsvi-causes-ms</strong>" in page.text
    problem = client.get("/claims/ccsvi-cause-ms", headers={"Accept": "application/json"})
    assert problem.headers["content-type"] == "application/problem+json"
    of_the_api = client.get("/v1/claims/ccsvi-cause-ms", headers=HTML)
    assert of_the_api.headers["content-type"] == "application/problem+json"
    unknown = client.get("/claims/ccsvi-causes-ms?as_off=2010", headers=HTML)
    assert (unknown.status_code, "as_of" in unknown.text) == (400, True)


def test_what_a_reader_sends_is_text_on_a_page(client: TestClient) -> None:
    page = client.get("/claims/%3Cscript%3Ealert(1)%3C%2Fscript%3E", headers=HTML)
    assert "<script>alert" not in page.text


def test_statuses_have_the_colours_of_the_pictures() -> None:
    light, _, dark = STATIC["site.css"].decode().partition("@media (prefers-color-scheme: dark)")
    for mode, css in enumerate((light, dark)):
        for status in v.STATUSES.ids:
            swatch = SWATCHES[status][mode]
            assert f"--{status}: {swatch.fill};" in css
            assert f"--on-{status}: {swatch.ink};" in css


def test_a_rule_is_told_plainly_and_its_own_words_are_one_click_away(client: TestClient) -> None:
    claim = client.get("/v1/claims/ccsvi-causes-ms").json()
    page = client.get("/claims/ccsvi-causes-ms", headers=HTML).text
    first = page[page.index("<h1") : page.index('id="in-short"')]
    assert words.plainly(claim["status_rule"]) in text_of(first)
    assert f'href="/about/status-rules#{claim["status_rule"]}"' in first
    article = text_of(client.get(ARTICLE, headers=HTML).text)
    assert words.plainly(claim["status_rule"]) in article
    for rule in RULE_BY_NAME.values():
        assert rule.sentence not in text_of(first)
        assert rule.sentence not in article


def test_every_rule_is_told_plainly() -> None:
    assert words.OF_RULES.keys() == RULE_BY_NAME.keys()
    for sentence in words.OF_RULES.values():
        assert not re.search(r"\b(bod(y|ies)|ranks?|outranks?)\b", sentence)


def a_line(key: str, **more: Any) -> Row:
    """Return a line of evidence as the page of a claim has it."""
    return {
        "citation": key,
        "venue": None,
        "finding": f"{key} found something.",
        "direction": "supports",
        "part": "decisive",
        "study_design": "case_series",
        "independence_group": key,
        "checked_against": "abstract",
        **more,
    }


def found(kind: str, lines: list[Row]) -> list[str]:
    """Return who is told first among what was found."""
    counts = dict.fromkeys(("evidence", "supports", "disputes", "inconclusive"), 1)
    return [
        told.partition(":")[0]
        for told in claim_summary._found({"kind": kind, "counts": counts}, lines)
    ][1:]


def test_of_a_harm_is_told_first_where_it_was_seen() -> None:
    lines = [
        a_line("none-seen", direction="disputes"),
        a_line("few", part="decisive"),
        a_line("authority", part="counted", study_design="regulatory_notice"),
        a_line("authority-2", independence_group="authority", study_design="regulatory_notice"),
        a_line("retracted", part="retracted", study_design="regulatory_notice"),
    ]
    assert found("harm", lines) == ["authority", "few", "none-seen"]
    assert found("benefit", lines) == ["none-seen", "few", "authority-2"]


def test_a_claim_of_harm_begins_with_what_a_regulator_tells(client: TestClient) -> None:
    page = text_of(client.get("/claims/opening-veins-harms-some", headers=HTML).text)
    summary = page[page.index("What was found") : page.index("What limits this")]
    assert "at least one death" in summary
    assert summary.index("at least one death") < summary.index("complications were few")


@pytest.mark.parametrize(
    ("checked", "told"),
    [
        (["abstract"], "The line of evidence was checked against the source's abstract."),
        ([None], "The line of evidence was checked against nothing yet."),
        (
            ["page", "abstract", "abstract", None],
            "2 of 4 lines of evidence were checked against the source's abstract, 1 against a page"
            " that tells of the source, 1 against nothing yet.",
        ),
        (
            ["full_text", "abstract"],
            "1 of 2 lines of evidence was checked against the source's full text, 1 against the"
            " source's abstract.",
        ),
    ],
)
def test_what_findings_were_checked_against_is_a_sentence(
    checked: list[str | None], told: str
) -> None:
    lines = [a_line("any", checked_against=each) for each in checked]
    assert claim_summary._checked(lines) == told


def test_all_that_findings_are_checked_against_has_its_words() -> None:
    assert claim_summary.CHECKED.keys() == {*v.CHECKED_AGAINST.ids, None}


def test_a_review_of_cochrane_says_so(client: TestClient) -> None:
    for address in ("/claims/ccsvi-causes-ms", "/evidence?source=cochrane-2019"):
        page = text_of(client.get(address, headers=HTML).text)
        assert re.search(r"… 2019 ?, Cochrane Database of Systematic Reviews", page), address


def test_a_position_is_not_shown_as_withdrawn(client: TestClient) -> None:
    page = text_of(client.get("/claims/opening-veins-harms-some", headers=HTML).text)
    # Newer evidence came after both, and changed nothing of the status.
    assert "Since then, later evidence" not in page
    page = text_of(client.get("/claims/opening-veins-helps-ms", headers=HTML).text)
    (before, after) = ("unconfirmed", "refuted")
    told = f"Since then, later evidence has changed the status here from {before} to {after}."
    nice = page.index("IPG420")
    assert nice < page.index(told, nice)
    in_force = page.index("IPG640, 2019")
    assert told not in page[in_force : in_force + 900]


def test_a_record_that_a_note_names_is_linked(client: TestClient) -> None:
    page = client.get("/claims/opening-veins-helps-ms", headers=HTML).text
    assert 'Contrary voice on <a href="/sources/zamboni-2018">Zamboni et al. 2018</a>' in page
    assert "zamboni-2018:" not in text_of(page)


def test_only_what_is_a_record_is_linked_and_all_else_is_text() -> None:
    names = {"doe-2010": Markup('<a href="/sources/doe-2010">Doe 2010</a>')}
    told = notes.linked("<b>doe-2010</b>, case-control, https://x.org/doe-2010 & doe-2010b", names)
    assert told == (
        '&lt;b&gt;<a href="/sources/doe-2010">Doe 2010</a>&lt;/b&gt;, case-control,'
        " https://x.org/doe-2010 &amp; doe-2010b"
    )
    assert notes.linked(None, names) == ""


def test_a_chain_is_shown_where_there_is_one(client: TestClient) -> None:
    for claim in client.get("/v1/claims?limit=200").json()["data"]:
        slug = claim["id"]
        picture = client.get(f"/v1/claims/{slug}/chain.svg").text
        page = client.get(f"/claims/{slug}", headers=HTML).text
        assert ("chain.svg" in page) == ("No causal relations are recorded." not in picture), slug


@pytest.mark.parametrize(
    ("date", "told"),
    [
        ("2009-12-31", "2009"),
        ("2012-02-29", "February 2012"),
        ("2011-02-28", "February 2011"),
        ("2012-02-28", "28 February 2012"),
        ("2010-09-29", "29 September 2010"),
        ("2010-09", "September 2010"),
        ("2010", "2010"),
        (None, ""),
    ],
)
def test_a_day_is_told_as_precisely_as_it_is_known(date: str | None, told: str) -> None:
    assert words.known(date) == told


def test_every_status_and_certainty_has_its_sentence() -> None:
    assert claim_summary.STATUSES.keys() == set(v.STATUSES.ids)
    assert claim_summary.CERTAINTIES.keys() == set(v.CERTAINTIES.ids)


def effect(measure: str, estimate: float | None, low: float | None, high: float | None) -> Row:
    """Return an effect as it is stored."""
    return {
        "measure": measure,
        "estimate": estimate,
        "low": low,
        "high": high,
        "p": None,
        "unit": None,
    }


def test_effects_share_a_scale_about_no_effect() -> None:
    wide, narrow = effect("odds ratio", 4, 1, 16), effect("odds ratio", 0.25, 0.125, 0.5)
    first, second = (forest_plot.plot(each, [wide, narrow]) for each in (wide, narrow))
    assert first is not None
    assert second is not None
    middle = forest_plot.WIDTH / 2
    assert (first.low, first.high) == (middle, forest_plot.WIDTH - forest_plot.MARGIN)
    # Four times less lies as far from the middle as four times more.
    assert first.estimate - middle == pytest.approx(middle - second.estimate)
    assert (first.cut_high, second.cut_low) == (False, False)


def test_what_cannot_be_drawn_is_told_in_words_alone() -> None:
    assert forest_plot.plot(effect("I²", 79, 70, 85), []) is None
    assert forest_plot.plot(effect("odds ratio", 3, None, None), []) is None
    assert forest_plot.plot(effect("odds ratio", 3, 0, 9), []) is None
    assert forest_plot.in_words(effect("odds ratio", 3.36, 1.92, 5.85)) == (
        "odds ratio 3.36 (1.92 to 5.85)"
    )


def test_an_interval_beyond_the_scale_is_cut() -> None:
    far = effect("odds ratio", 43, 2, 4000)
    drawn = forest_plot.plot(far, [far])
    assert drawn is not None
    assert (drawn.cut_low, drawn.cut_high) == (False, True)
