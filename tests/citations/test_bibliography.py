"""Formatted bibliographies: each style against expected lines, checked by hand with the rules of
the style.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st

from api.citations.bibliography import entry, write
from api.citations.bibliography_styles import STYLES
from api.citations.page_ranges import page_range
from api.citations.style_catalogue import find
from models.core.vocabularies import SOURCE_TYPES
from models.records.serializers import Row
from tests.citations.sources import row, seed_source, seed_sources, sources
from tests.generated import generated

EXPECTED = Path(__file__).parent / "expected"
# The article's three; a group with an address; particles and one page; one page and a question in
# the title; an e-locator; persons with a group; no authors; an article's number; a correction and a
# list that goes on; eleven authors; a bracketed title; a particle, no volume; pages with letters.
CHOSEN = (
    "zamboni-2009-jnnp", "singh-2009", "zamboni-2009-cnr", "fda-2012", "wattjes-2011", "mayer-2011",
    "leone-2013",
    "zamboni-2018", "article-ccsvi-explained", "gandhi-2019", "siddiqui-2014", "bjornevik-2022",
    "cirse-2010",
    "cochrane-2012", "traboulsee-2018",
)  # fmt: skip

# What the seed has none of, as made-up works.
TWO = [{"family": "Compston", "given": "Alastair"}, {"family": "Confavreux", "given": "Christian"}]
MADE_UP: tuple[dict[str, Any], ...] = (
    {"type": "book", "title": "McAlpine's multiple sclerosis", "authors": TWO, "issued": "2006",
     "publisher": "Churchill Livingstone"},
    {"type": "chapter", "title": "The story of multiple sclerosis", "authors": TWO[:1],
     "issued": "2006", "page": "3-68",
     "container_title": "McAlpine's multiple sclerosis", "publisher": "Churchill Livingstone"},
    {"type": "paper-conference", "title": "Flow in veins", "authors": TWO, "issued": "2011",
     "page": "12-19",
     "container_title": "Proceedings of the 3rd Congress of Phlebology", "publisher": "Springer"},
    {"type": "thesis", "title": "Venous outflow in multiple sclerosis", "authors": TWO[:1],
     "issued": "2012",
     "publisher": "University of Ferrara", "url": "https://example.org/thesis"},
    {"type": "dataset", "title": "Jugular flow measurements", "authors": TWO,
     "issued": "2015-03-04", "publisher": "Zenodo",
     "identifiers": [{"scheme": "doi", "value": "10.5281/zenodo.12345",
                      "verification": "verified"}]},
    {"type": "article", "title": "Veins and sclerosis", "authors": TWO, "issued": "2021-02-03",
     "container_title": "medRxiv",
     "identifiers": [{"scheme": "doi", "value": "10.1101/2021.02.01.1",
                      "verification": "verified"}]},
    {"type": "webpage", "title": "Chronic cerebrospinal venous insufficiency",
     "authors": [{"literal": "Multiple Sclerosis Society"}],
     "container_title": "MS Society website", "issued": "2012-05-10", "accessed": "2013-06-07",
     "url": "https://example.org/ccsvi"},
    {"type": "webpage", "title": "CCSVI explained", "container_title": "Example Health",
     "accessed": "2013-06-07",
     "url": "https://example.org/explained"},
    {"type": "report", "title": "Interventional procedures for CCSVI: review of the evidence",
     "issued": "2012-03", "publisher": "NICE",
     "authors": [{"literal": "National Institute for Health and Care Excellence"}],
     "number": "IPG420", "url": "https://example.org/ipg420"},
    {"type": "report", "title": "Venous stenting in practice", "authors": TWO, "issued": "2012",
     "number": "WHO/MNH/2012.1",
     "publisher": "World Health Organization"},
    # Neither author nor date.
    {"type": "article-journal", "title": "[A comment on veins]",
     "container_title_short": "Cardiovasc Intervent Radiol", "page": "1-2"},
)  # fmt: skip


def chosen() -> list[Row]:
    made_up = [row(id="it", study_design="not_recorded", **fields) for fields in MADE_UP]
    return [*(seed_source(slug) for slug in CHOSEN), *made_up]


def lines(records: list[Row], style: str, locale: str = "en-US") -> list[str]:
    return b"".join(write(records, find(style, locale), remarks=True)).decode().splitlines()


def one(style: str = "apa", locale: str = "en-US", *, remarks: bool = False, **fields: Any) -> str:
    given = {
        "id": "it",
        "type": "article-journal",
        "title": "A title",
        "study_design": "not_recorded",
        **fields,
    }
    return entry(row(**given), 1, find(style, locale), remarks=remarks)


@pytest.mark.parametrize("style", STYLES)
def test_each_style_prints_the_expected_lines(style: str) -> None:
    expected = (EXPECTED / f"{style}.txt").read_text(encoding="utf-8").splitlines()
    assert lines(chosen(), style) == expected


def test_every_expected_file_belongs_to_a_style_on_offer() -> None:
    assert {path.stem for path in EXPECTED.glob("*.txt")} == set(STYLES)


@pytest.mark.parametrize("style", STYLES)
def test_the_other_locale_turns_no_more_than_a_date(style: str) -> None:
    for american, british in zip(
        lines(seed_sources(), style), lines(seed_sources(), style, "en-GB"), strict=True
    ):
        if style == "american-medical-association":
            american = re.sub(r"\b([A-Z][a-z]+) (\d{1,2}), (\d{4})\b", r"\2 \1 \3", american)
            british = re.sub(r"\b([A-Z][a-z]+) (\d{1,2}), (\d{4})\b", r"\2 \1 \3", british)
        assert american == british


@pytest.mark.parametrize("style", STYLES)
def test_no_list_gives_nothing_and_any_other_one_line_an_entry(style: str) -> None:
    assert lines([], style) == []
    assert len(lines(seed_sources(), style)) == len(seed_sources())


@pytest.mark.parametrize("style", STYLES)
def test_markup_in_a_title_is_text(style: str) -> None:
    title = 'Is <i>p</i> < 0.05 & q > 3 <span class="nocase">so</span> &amp; R&D'
    assert title in one(style, title=title)


@pytest.mark.parametrize("style", STYLES)
def test_pages_of_different_lengths_are_not_shortened(style: str) -> None:
    text = one(style, container_title="J", volume="2", page="1-12")
    assert "1–12" in text or "1-12" in text


@pytest.mark.parametrize(
    ("page", "minimal", "full"),
    [
        ("1-12", "1–12", "1–12"),
        ("392-399", "392–9", "392–399"),
        ("392-9", "392–9", "392–399"),
        ("1508–1517", "1508–17", "1508–1517"),
        ("99-101", "99–101", "99–101"),
        ("e1660-e1668", "e1660–8", "e1660–e1668"),
        ("S10-8", "S10–8", "S10–S18"),
        ("1348-1358.e3", "1348–58.e3", "1348–1358.e3"),
        ("173-183, 190", "173–83, 190", "173–183, 190"),
        ("7-7", "7–7", "7–7"),
        ("e56031", "e56031", "e56031"),
        ("ENEURO.0001-15.2015", "ENEURO.0001-15.2015", "ENEURO.0001-15.2015"),
    ],
)
def test_page_ranges(page: str, minimal: str, full: str) -> None:
    assert (page_range(page, "minimal", "–"), page_range(page, "expanded", "–")) == (minimal, full)


DOI = {"scheme": "doi", "value": "10.1002/(sici)1<1::aid>3.0.co;2-2", "verification": "verified"}
PERSON = {"family": "King", "given": "Martin Luther"}


@pytest.mark.parametrize(
    ("style", "authors", "expected"),
    [
        ("apa", [{**PERSON, "suffix": "Jr"}], "King, M. L., Jr. "),
        ("ama", [{**PERSON, "suffix": "Jr."}], "1. King ML Jr. A"),
        ("vancouver", [{**PERSON, "suffix": "III"}], "1. King ML 3rd. A"),
        ("ieee", [{**PERSON, "suffix": "Jr"}], "[1] M. L. King Jr., “A title.”"),
        ("apa", [{"family": "Berg", "given": "René", "particle": "van den"}], "van den Berg, R. "),
        (
            "ieee",
            [{"family": "Berg", "given": "René", "particle": "van den"}],
            "[1] R. van den Berg, “",
        ),
        ("bmj", [{"family": "Rose", "given": "Jean-Pierre"}], "1 Rose JP. A title"),
        ("ama", [PERSON, {"literal": "Study Group"}], "1. King ML; Study Group. A"),
        ("vancouver", [PERSON, {"literal": "Study Group"}], "1. King ML; Study Group. A"),
        ("nature", [PERSON, {"literal": "Study Group"}], "1. King, M. L. & Study Group. A"),
        (
            "harvard",
            [PERSON, {"literal": "Study Group"}],
            "King, M.L. and Study Group (no date) ‘A title’",
        ),
    ],
)
def test_names(style: str, authors: list[Row], expected: str) -> None:
    assert one(style, authors=authors).startswith(expected)


@pytest.mark.parametrize(
    ("style", "known", "expected"),
    [
        ("apa", 1, "A0 et al. "), ("apa", 3, "A0, A1, A2, et al. "), ("apa", 25, ", A18, et al. "),
        ("ama", 1, "A0, et al. "), ("ama", 5, "A0, A1, A2, et al. "), ("vancouver", 7,
            ", A5, et al. "),
        ("ieee", 2, "A0 et al., "), ("nature", 3, "A0 et al. "), ("harvard", 2, "A0 et al. "),
        ("bmj", 2, "A0, A1, et al. "), ("the-lancet", 9, "A0, A1, A2, et al. "),
    ],
)  # fmt: skip
def test_a_list_that_goes_on_says_so(style: str, known: int, expected: str) -> None:
    authors = [{"family": f"A{number}"} for number in range(known)]
    assert expected in one(style, authors=authors, authors_complete=False)


def test_apa_shows_nineteen_of_more_than_twenty_authors_and_the_last() -> None:
    text = one(authors=[{"family": f"A{number}"} for number in range(21)])
    assert ", A18, … A20 (n.d.)" in text.replace("A20. (", "A20 (")


UNVERIFIED = {**DOI, "verification": "unverified"}


@pytest.mark.parametrize(
    ("integrity", "end", "with_remarks"),
    [
        ("retracted", "2-2 [Retracted]", "2-2 [Retracted; DOI not verified]"),
        ("concern", "2-2", "2-2 [Expression of concern; DOI not verified]"),
        ("corrected", "2-2", "2-2 [Corrected; DOI not verified]"),
        ("no_notice", "2-2", "2-2 [DOI not verified]"),
    ],
)
def test_remarks_follow_the_entry_where_they_are_asked_for_and_a_retraction_always(
    integrity: str, end: str, with_remarks: str
) -> None:
    told = {} if integrity == "no_notice" else {"integrity_note": "Announced in 2011."}
    fields: dict[str, Any] = {"identifiers": [UNVERIFIED], "integrity": integrity, **told}
    assert one(**fields).endswith(end)
    assert one(**fields, remarks=True).endswith(with_remarks)
    assert "not verified" not in one(identifiers=[DOI], remarks=True)


def test_a_title_in_the_place_of_an_author_leaves_nothing_to_be_said_twice() -> None:
    fields: dict[str, Any] = {
        "title": "Assessment of a programme",
        "volume": "25",
        "page": "783-801",
        "issued": "2014",
        "identifiers": [{**DOI, "value": "10.1234/x"}],
    }
    located = "Assessment of a programme (Vol. 25, pp. 783–801). (2014). "
    for kind in ("article", "book", "report"):
        assert one(type=kind, **fields) == f"{located}https://doi.org/10.1234/x"
    for kind in ("thesis", "dataset"):
        described = f"{located}[{kind.capitalize()}]. https://doi.org/10.1234/x"
        assert one(type=kind, **fields) == described
    # A publisher in the place of the author is not named as publisher again.
    page = one(type="webpage", title="On veins", container_title="Site", publisher="NICE")
    assert page == "NICE. (n.d.). On veins. Site."


UNKNOWN_VOLUME: dict[str, Any] = {
    "authors": [PERSON],
    "issued": "2011-10-15",
    "container_title": "J Neurol Sci",
    "page": "102-104",
}


@pytest.mark.parametrize(
    ("style", "issue", "end"),
    [
        ("apa", "1-2", "J Neurol Sci, (1–2), 102–104."),
        ("harvard", "1-2", "J Neurol Sci, (1–2), pp. 102–104."),
        ("ama", "1-2", "J Neurol Sci. 2011;(1-2):102-104."),
        ("vancouver", "1-2", "J Neurol Sci. 2011 Oct 15;(1-2):102-4."),
        ("vancouver", None, "J Neurol Sci. 2011 Oct 15:102-4."),
        ("ama", None, "J Neurol Sci. October 15, 2011:102-104."),
        ("bmj", "1-2", "J Neurol Sci. 2011:102–4."),
        ("bmj", None, "J Neurol Sci. 2011:102–4."),
        ("the-lancet", None, "J Neurol Sci 2011: 102–4."),
    ],
)
def test_pages_without_a_volume_do_not_look_like_one(style: str, issue: str, end: str) -> None:
    assert one(style, issue=issue, **UNKNOWN_VOLUME).endswith(end)


def test_a_group_that_publishes_itself_is_named_once_in_apa() -> None:
    group: dict[str, Any] = {
        "authors": [{"literal": "NICE"}],
        "publisher": "NICE",
        "issued": "2012",
    }
    assert one(type="report", **group) == "NICE. (2012). A title."
    assert one("vancouver", type="report", **group) == "1. NICE. A title. NICE; 2012."
    other = {**group, "publisher": "Department of Health"}
    assert one(type="report", **other) == "NICE. (2012). A title. Department of Health."


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("ama", "1. King ML. A title. October 3, 2013. https://example.org/x"),
        (
            "vancouver",
            "1. King ML. A title [Internet]. 2013. Available from: https://example.org/x",
        ),
        ("nature", "1. King, M. L. A title. https://example.org/x (2013)."),
        ("bmj", "1 King ML. A title. 2013. https://example.org/x"),
    ],
)
def test_a_paper_of_an_unknown_book_is_not_in_it(style: str, expected: str) -> None:
    given: dict[str, Any] = {"authors": [PERSON], "issued": "2013-10-03"}
    for kind in ("paper-conference", "chapter"):
        assert one(style, type=kind, url="https://example.org/x", **given) == expected


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("ama", "1. A title. Maclean's. 2010. https://example.org/x"),
        ("bmj", "1 A title. Maclean's. 2010. https://example.org/x"),
        ("the-lancet", "1 A title. Maclean's. 2010. https://example.org/x."),
        ("nature", "1. A title. Maclean's https://example.org/x (2010)."),
        ("ieee", "[1] “A title,” Maclean's. [Online]. Available: https://example.org/x"),
    ],
)
def test_who_publishes_a_page_of_the_web_is_named(style: str, expected: str) -> None:
    fields: dict[str, Any] = {
        "publisher": "Maclean's",
        "issued": "2010",
        "url": "https://example.org/x",
    }
    assert one(style, type="webpage", **fields) == expected


def test_an_address_is_shown_in_bmj_where_nothing_else_leads_to_the_work() -> None:
    address = "https://example.org/x"
    assert one("bmj", url=address, authors=[PERSON]).endswith(f"A title. {address}")
    assert address not in one("bmj", url=address, **UNKNOWN_VOLUME)
    assert address not in one("bmj", url=address, identifiers=[DOI])


# IEEE tells what is on the web by its address alone.
ON_THE_WEB = ("webpage", "post", "post-weblog")


@pytest.mark.parametrize("style", ["apa", "ama", "vancouver", "ieee", "nature", "bmj", "harvard"])
@pytest.mark.parametrize("kind", [kind for kind in SOURCE_TYPES.ids if kind not in ON_THE_WEB])
def test_a_doi_is_shown_once_where_nothing_else_leads_to_the_work(style: str, kind: str) -> None:
    text = one(
        style,
        type=kind,
        authors=[PERSON],
        issued="2016",
        container_title="Proceedings of Ultrasound 2016",
        identifiers=[{**DOI, "value": "10.1234/us.2016.7"}],
    )
    assert text.count("10.1234/us.2016.7") == 1


@pytest.mark.parametrize("style", STYLES)
def test_a_work_whose_title_is_not_known_has_an_entry(style: str) -> None:
    known = row(id="it", type="book", title="A title", study_design="not_recorded")
    source = {**known, "title": None}
    assert entry(source, 1, find(style)) not in ("", "None")
    assert "None" not in entry(source, 1, find(style))


def test_published_online_is_printed_only_with_a_date_online() -> None:
    for style in ("ama", "bmj", "the-lancet"):
        dated: dict[str, Any] = {"container_title": "J", "identifiers": [DOI]}
        assert "nline" in one(style, **dated, issued="2009", epub_date="2009-09-02")
        assert "nline" not in one(style, **dated, issued="2009-09-02")


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("ieee", "“Why?” J."),
        ("harvard", "‘Why?’, J"),
        ("ama", "Why? J."),
        ("apa", "(n.d.). Why? J."),
    ],
)
def test_a_question_keeps_its_mark_alone(style: str, expected: str) -> None:
    assert expected in one(style, title="Why?", container_title="J", authors=[PERSON])


def test_citeproc_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import sys, api.citations.bibliography;"
        " sys.exit(any(name.startswith(('citeproc', 'lxml')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _whole(record: Row, style: str) -> None:
    text = entry(record, 1, find(style, "en-GB"))
    assert text == text.strip()
    assert len(text.splitlines()) == 1
    assert not re.search("[\ufdd0-\ufdef]", text)
    # Styles change the case of titles; in capitals, a dotless i is one with the other.
    assert record["title"].split()[0].upper().casefold() in text.upper().casefold()


@generated(sources(), st.sampled_from(sorted(STYLES)), many=5_000, without=HealthCheck)
def test_any_source_makes_one_line(record: Row, style: str) -> None:
    _whole(record, style)


@pytest.mark.parametrize(
    ("given", "apa", "vancouver"),
    [
        ("JB", "Smith, J. B.", "Smith JB"),
        ("J.B.", "Smith, J. B.", "Smith JB"),
        ("Min-jun", "Smith, M.-J.", "Smith MJ"),
        ("J.-P.", "Smith, J.-P.", "Smith JP"),
        ("小明", "Smith, 小明", "Smith 小明"),
        ("T. ten", "Smith, T. ten", "Smith T ten"),
        ("Mary Ann", "Smith, M. A.", "Smith MA"),
    ],
)
def test_given_names_become_initials_as_the_style_writes_them(
    given: str, apa: str, vancouver: str
) -> None:
    for style, expected in (("apa", apa), ("vancouver", vancouver)):
        assert expected in one(style, authors=[{"family": "Smith", "given": given}])


CHAPTER: dict[str, Any] = {
    "type": "chapter",
    "title": "A chapter on veins",
    "authors": [{"family": "Doe", "given": "Jane"}],
    "contributors": [{"role": "editor", "family": "Roe", "given": "Richard"}],
    "container_title": "Handbook of veins",
    "edition": "3",
    "publisher": "Springer",
    "publisher_place": "Berlin",
    "page": "1-20",
    "issued": "2001",
}


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        (
            "apa",
            "Doe, J. (2001). A chapter on veins. In R. Roe (ed.), Handbook of veins (3rd ed., "
            "pp. 1–20). Springer.",
        ),
        (
            "vancouver",
            "1. Doe J. A chapter on veins. In: Roe R, editor. Handbook of veins. 3rd ed. Berlin: "
            "Springer; 2001. p. 1-20.",
        ),
        (
            "bmj",
            "1 Doe J. A chapter on veins. In: Roe R, ed. Handbook of veins. Berlin: Springer "
            "2001:1–20.",
        ),
    ],
)
def test_a_chapter_names_the_editors_and_the_edition_of_its_book(style: str, expected: str) -> None:
    source = row(id="x", study_design="not_recorded", **CHAPTER)
    assert entry(source, 1, find(style)) == expected


def test_a_thesis_is_called_what_it_is() -> None:
    source = row(
        id="x",
        type="thesis",
        title="On veins",
        genre="Master's thesis",
        issued="2012",
        study_design="not_recorded",
    )
    assert "[Master's thesis]" in entry(source, 1, find("apa"))
