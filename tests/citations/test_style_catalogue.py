"""The styles on offer: which there are, how they are found, and that each can be rendered."""

import re
from multiprocessing import Pool
from typing import Any

import pytest
from hypothesis import strategies as st

from api.citations import style_catalogue
from api.citations.bibliography import MOST_LOADED, _loaded, entry
from api.citations.bibliography_styles import MARKS, STYLES
from api.citations.style_catalogue import find, installed, locales, search
from models.core.errors import InvalidRecord
from models.records.serializers import Row
from tests.citations.sources import row, seed_source, sources
from tests.citations.style_survey import FOLDER, hard_sources, surveyed
from tests.generated import generated

WORKING = search()
# One style in so many is tried in the default suite.
SAMPLED = 300


def refused(style: str | None = None, locale: str | None = None) -> InvalidRecord:
    with pytest.raises(InvalidRecord) as caught:
        find(style, locale)
    return caught.value


def test_every_installed_style_is_in_the_catalogue() -> None:
    files = {path.stem for path in FOLDER.rglob("*.csl")}
    assert installed().keys() - STYLES.keys() <= files
    assert files <= installed().keys()
    assert len(WORKING) > 10_000


@pytest.mark.parametrize("style", WORKING[7::SAMPLED], ids=lambda style: style.name)
def test_a_sample_of_the_styles_is_rendered(style: style_catalogue.ListedStyle) -> None:
    chosen = find(style.name)
    for source in (*hard_sources()[:2], seed_source("singh-2009")):
        assert re.search(r"\w", entry(source, 1, chosen))


@pytest.mark.slow
def test_each_style_is_rendered() -> None:
    own = [style for style in WORKING if not style.parent]
    with Pool() as pool:
        faults = dict(zip((style.name for style in own), pool.imap(surveyed, own, 20), strict=True))
    assert {name: fault for name, fault in faults.items() if fault} == {}


@generated(sources(), st.sampled_from(WORKING), st.sampled_from(locales()), few=60, many=5_000)
def test_any_source_is_printed_in_any_style_and_language(
    source: Row, style: style_catalogue.ListedStyle, locale: str
) -> None:
    text = entry(source, 1, find(style.name, locale))
    assert text
    assert text == text.strip()
    assert not MARKS.search(text)


@pytest.mark.parametrize("locale", locales())
def test_a_bibliography_is_printed_in_each_language(locale: str) -> None:
    chosen = find("nature-medicine", locale)
    assert (chosen.locale, chosen.tested) == (locale, locale in ("en-US", "en-GB"))
    assert "Anomalous venous" in entry(seed_source("singh-2009"), 1, chosen)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("the-lancet", "the-lancet"),
        ("The Lancet", "the-lancet"),
        ("lancet", "the-lancet"),
        ("Nature Medicine", "nature-medicine"),
        ("nature medicine", "nature-medicine"),
        ("NEJM", "the-new-england-journal-of-medicine"),
        ("new england journal of medicine", "the-new-england-journal-of-medicine"),
        ("PLOS ONE", "plos-one"),
        ("ama", "american-medical-association"),
        ("nlm", "vancouver"),
        ("Vancouver", "vancouver"),
        ("harvard", "harvard-cite-them-right"),
        ("icmje", "vancouver"),
        ("apa7", "apa"),
        ("chicago-author-date", "chicago-author-date"),
    ],
)
def test_a_style_is_found_by_its_names(text: str, name: str) -> None:
    assert find(text).listed.name == name


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("nature-medicin", "nature-medicine"),
        ("mature medicine", "nature-medicine"),
        ("vancuover", "vancouver"),
        ("jurnal of neurology", "journal-of-neurology"),
        ("new england journal", "the-new-england-journal-of-medicine"),
    ],
)
def test_a_misspelt_style_is_refused_with_the_nearest(text: str, suggestion: str) -> None:
    error = refused(text)
    (fault,) = error.faults
    assert (error.code, fault.at, fault.suggestion) == ("unknown_value", "style", suggestion)
    assert suggestion in str(error)
    assert fault.allowed == list(STYLES)


@pytest.mark.parametrize("text", ["", "?", "x" * 100, "x " * 5000, "the-", "\u0000"])
def test_what_names_no_style_is_refused(text: str) -> None:
    assert refused(text).faults[0].at == "style"


def test_a_style_that_cannot_be_rendered_is_refused_with_the_reason() -> None:
    broken = next(style for style in installed().values() if style.fault)
    assert f"'{broken.name}' cannot be rendered: {broken.fault}" in str(refused(broken.name))
    assert broken not in WORKING


@pytest.mark.parametrize(
    ("text", "locale"),
    [
        ("de-DE", "de-DE"),
        ("de", "de-DE"),
        ("de-AT", "de-AT"),
        ("de_at", "de-AT"),
        ("de-LI", "de-DE"),
        ("pt", "pt-PT"),
        ("pt-BR", "pt-BR"),
        ("en-UK", "en-GB"),
        ("zh-Hant", "zh-TW"),
        ("zh-Hant-HK", "zh-TW"),
        ("no", "nb-NO"),
    ],
)
def test_the_nearest_locale_is_taken(text: str, locale: str) -> None:
    assert find("apa", text).locale == locale


def test_an_unknown_locale_is_refused_with_those_that_there_are() -> None:
    (fault,) = refused("apa", "xx").faults
    assert (fault.at, fault.allowed) == ("locale", list(locales()))
    assert len(fault.allowed) > 60


def test_without_a_locale_a_style_speaks_its_own_language() -> None:
    german = find("chicago-author-date-de")
    assert german.locale == "de-DE"
    assert find("chicago-author-date-de", "fr").locale == "fr-FR"
    assert find("apa").locale == "en-US"


def test_what_is_tested_says_so() -> None:
    assert find().header == '"apa";locale="en-US";tested=?1'
    assert find("nature-medicine").header == '"nature-medicine";locale="en-GB";tested=?1'
    assert find("apa", "de").header == '"apa";locale="de-DE";tested=?0'
    assert find("chicago-author-date").header == ('"chicago-author-date";locale="en-US";tested=?0')
    assert {style.rules for style in search(tested=True)} == {
        style.file for style in STYLES.values()
    }


def test_a_journal_prints_what_the_style_prints_that_it_follows() -> None:
    source = seed_source("singh-2009")
    assert entry(source, 3, find("nature-medicine")) == entry(source, 3, find("nature"))


def test_words_of_other_languages_and_their_quotation_marks_are_printed() -> None:
    source = seed_source("zamboni-2009-jnnp")
    assert "„Chronic" in entry(source, 1, find("chicago-author-date", "de"))
    # Blanks that keep a quotation mark on its line are kept.
    assert "«\u00a0Chronic" in entry(source, 1, find("chicago-author-date", "fr"))
    assert "«Chronic" in entry(source, 1, find("chicago-author-date", "es"))


@pytest.mark.parametrize(
    ("given", "whole", "short"),
    [
        ("Ajay Vikram", "Singh, Ajay Vikram. ", "Singh, A. V. "),
        ("Ajay V", "Singh, Ajay V. ", "Singh, A. V. "),
        ("AV", "Singh, A. V. ", "Singh, A. V. "),
        ("Min-jun", "Singh, Min-jun. ", "Singh, M.-J. "),
        ("T. ten", "Singh, T. ten. ", "Singh, T. ten. "),
        ("小明", "Singh, 小明. ", "Singh, 小明. "),
    ],
)
def test_given_names_are_whole_where_a_style_has_them_so(
    given: str, whole: str, short: str
) -> None:
    fields: dict[str, Any] = {"id": "it", "study_design": "not_recorded", "title": "A title"}
    author = {"family": "Singh", "given": given}
    source = row(type="article-journal", authors=[author], **fields)
    assert entry(source, 1, find("chicago-author-date")).startswith(whole)
    assert entry(source, 1, find("apa")).startswith(short)


def test_a_delimiter_may_follow_inverted_names_alone() -> None:
    people = [{"family": name, "given": "Jane"} for name in ("Doe", "Roe", "Poe", "Joe")]

    def printed(count: int) -> str:
        fields: dict[str, Any] = {"id": "it", "study_design": "not_recorded", "title": "A title"}
        source = row(type="book", authors=people[:count], **fields)
        return entry(source, 1, find("de-buck"))

    assert printed(2).startswith("Doe, Jane, en Jane Roe, A title")
    assert printed(3).startswith("Doe, Jane, Jane Roe en Jane Poe, A title")
    assert printed(4).startswith("Doe, Jane, e.a., A title")


@pytest.mark.parametrize(
    ("style", "type", "expected"),
    [
        # Words and punctuation around what is missing go with it.
        ("chicago-author-date-de", "article-journal", "A title. J. doi:10.1000/x."),
        ("american-journal-of-cancer-research", "article-journal", "[1] A title. J."),
        ("bioelectromagnetics", "chapter", "A title. In: J."),
    ],
)
def test_what_is_missing_leaves_nothing_behind(style: str, type: str, expected: str) -> None:
    doi = {"scheme": "doi", "value": "10.1000/x", "verification": "verified"}
    fields: dict[str, Any] = {"id": "it", "study_design": "not_recorded", "title": "A title"}
    source = row(type=type, container_title="J", identifiers=[doi], **fields)
    assert entry(source, 1, find(style)).endswith(expected)


def test_styles_are_searched_by_beginnings_of_words() -> None:
    assert [style.name for style in search("nature med")] == ["nature-medicine"]
    assert "nature-medicine" in [style.name for style in search("MED nat")]
    assert search("zzzz") == []
    assert [style.name for style in search()] == sorted(style.name for style in search())


def test_no_more_styles_are_kept_than_the_bound() -> None:
    source = seed_source("singh-2009")
    for style in [style for style in WORKING if not style.parent][: MOST_LOADED + 5]:
        entry(source, 1, find(style.name))
    assert len(_loaded) == MOST_LOADED
    assert list(_loaded)[-1] == (style.name, find(style.name).locale)
