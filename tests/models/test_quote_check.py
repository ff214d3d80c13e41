"""Quotes and their places: exact, moved, ambiguous or orphan, in the article and other texts."""

import hashlib
import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from api.settings import ROOT
from models.records.claim import OccurrenceIn
from models.records.source import SourceIn
from models.transfer.quote_check import Quote, Verdict, check_quote, check_quotes, read_text
from models.write import changes
from tests.api.following import a_claim, a_line
from tests.databases import SEEDED_OCCURRENCES, Store
from tests.records import put_part

ARTICLE = ROOT.parent / "shared" / "ccsvi" / "article.txt"

words = st.lists(st.text("abcdeé", min_size=1, max_size=6), min_size=3, max_size=8).map(" ".join)


def anchored(text: str, start: int, end: int, around: int = 12) -> Quote:
    """Return the quote of a passage with what stands around it."""
    return Quote(
        "x",
        text[start:end],
        text[max(0, start - around) : start],
        text[end : end + around],
        start,
        end,
    )


def a_quote(before: str, quote: str, after: str) -> Quote:
    return anchored(f"{before} {quote} {after}", len(before) + 1, len(before) + 1 + len(quote))


@given(words, words, words)
def test_a_quote_at_its_offsets_is_exact(before: str, quote: str, after: str) -> None:
    found = a_quote(before, quote, after)
    assert check_quote(f"{before} {quote} {after}", found).outcome == "exact"


@given(words, words, words, words)
def test_an_insertion_before_a_quote_moves_it_by_its_length(
    before: str, quote: str, after: str, inserted: str
) -> None:
    text = f"{inserted} {before} {quote} {after}"
    assume(text.count(quote) == 1)
    found = a_quote(before, quote, after)
    assert found.start is not None
    verdict = check_quote(text, found)
    start = found.start + len(inserted) + 1
    assert (verdict.outcome, verdict.start, verdict.end) == ("moved", start, start + len(quote))
    assert text[start : start + len(quote)] == quote


@given(words, words, words, words)
def test_a_doubled_passage_is_ambiguous_unless_the_words_around_it_decide(
    before: str, quote: str, after: str, inserted: str
) -> None:
    passage = f"{before} {quote} {after}"
    text = f"{inserted} {passage} Then {passage}"
    found = a_quote(before, quote, after)
    assume(text[found.start : found.end] != quote)
    assert check_quote(text, found).outcome == "ambiguous"
    once = f"{inserted} {passage} Then. {quote}. Else."
    assume(once.count(quote) == 2 and once[found.start : found.end] != quote)
    decided = check_quote(once, found)
    assert (decided.outcome, decided.start) == ("moved", (found.start or 0) + len(inserted) + 1)


@given(words, words, words, st.integers(min_value=0))
def test_a_changed_quote_is_an_orphan_shown_with_the_most_similar_passage(
    before: str, quote: str, after: str, which: int
) -> None:
    changed = quote.split(" ")
    changed[which % len(changed)] = "CHANGED"
    text = f"{before} {' '.join(changed)} {after}"
    assume(quote not in text)
    verdict = check_quote(text, a_quote(before, quote, after))
    assert (verdict.outcome, verdict.start, verdict.end) == ("orphan", None, None)


def verdict(text: str, **quote: Any) -> Verdict:
    return check_quote(text, Quote("x", **quote))


@pytest.mark.parametrize(
    ("text", "quote", "outcome", "start"),
    [
        # At its offsets it is exact; that the words around it are others is said.
        ("A vein is narrow now.", Quote("x", "is narrow", "A nerve ", " then.", 7, 16), "exact", 7),
        # Twice, but the recorded place has the recorded words around it.
        ("It is so. It is so.", Quote("x", "is so", "It ", ".", 3, 8), "exact", 3),
        # At its offsets by accident: the words around it are elsewhere.
        ("aa so bb. It is so, he said.", Quote("x", "so", "is ", ", he", 3, 5), "moved", 16),
        # The passage was edited on one side.
        (
            "Now the new vein is narrow, he said.",
            Quote("x", "is narrow", "old nerve ", ", he", 9, 18),
            "moved",
            17,
        ),
        # Found once, but among other words: it may be another passage.
        (
            "Nobody says it is narrow anywhere.",
            Quote("x", "is narrow", "The vein ", ", he", 9, 18),
            "ambiguous",
            None,
        ),
        ("It is so. It is so.", Quote("x", "is so"), "ambiguous", None),
        ("It is so.", Quote("x", "is so"), "exact", 3),
        ("It is so. And is so.", Quote("x", "is so", "And "), "exact", 14),
        ("aaaa", Quote("x", "aaa", "", "", 7, 10), "ambiguous", None),
        ("", Quote("x", "is so"), "orphan", None),
        ("Les cafe\u0301s", Quote("x", "café"), "exact", 4),
        ("Les cafe\u0301s", Quote("x", "cafe"), "orphan", None),
        # Blanks, line breaks, hyphens and marks make no orphan.
        ("It may flow very\nslowly.", Quote("x", "may flow very slowly"), "typographic", 3),
        ("It may\u00a0\u2009flow.", Quote("x", "It  may flow."), "typographic", 0),
        ("So 5\u202f% of 1\u2009000 do.", Quote("x", "5% of 1 000"), "typographic", 3),
        ("Of swel-\nling and leak\u00adage", Quote("x", "swelling and leakage"), "typographic", 3),
        ("a short-\nterm gain", Quote("x", "short\u2010term gain"), "typographic", 2),
        ("years 1990\u20131995", Quote("x", "1990-1995"), "typographic", 6),
        ("seen \u2014 once", Quote("x", "seen--once"), "typographic", 0),
        (
            "Flow was slow, in some of them, and iron lay around the veins.",
            Quote("x", "Flow was slow […] iron lay around the veins."),
            "typographic",
            0,
        ),
        (
            "It was slow, so it was old.",
            Quote("x", "so it was ... slow"),
            "orphan",
            None,
        ),
        ('Patients\' "flow" was', Quote("x", "Patients’ “flow”"), "typographic", 0),
        ("the \ufb02ow\u2026 stops", Quote("x", "flow... stops"), "typographic", 4),
        ("Les “cafe\u0301s”", Quote("x", '"cafés"'), "typographic", 4),
        # What is recorded of the place is held against it; moved or not, it is there.
        ("It is\nso.", Quote("x", "is so", "It ", ".", 9, 14), "typographic", 3),
        ("It ‘is’\nso. Is 'is' so.", Quote("x", "'is' so"), "exact", 15),
        ("So is\nit. As is\nit.", Quote("x", "is it"), "ambiguous", None),
        ("So is\nit. As ‘ is\nit.", Quote("x", "is it", "As ' "), "typographic", 15),
        # Other words, numbers and signs are no typography, nor are parts of words.
        ("They are notable.", Quote("x", "are no table"), "orphan", None),
        ("It is 10\u00b3.", Quote("x", "is 103"), "orphan", None),
        ("x = \u22122", Quote("x", "x = 2"), "orphan", None),
        ("Table 1 5 people", Quote("x", "15 people"), "orphan", None),
        ("Of swel-\nling", Quote("x", "swel ling"), "orphan", None),
        ("It was Slow-\nly", Quote("x", "slowly"), "orphan", None),
        ("It may\nflows", Quote("x", "may flow"), "orphan", None),
    ],
)
def test_the_outcome_and_place_of_a_quote(
    text: str, quote: Quote, outcome: str, start: int | None
) -> None:
    found = check_quote(text, quote)
    assert (found.outcome, found.start) == (outcome, start)


def test_the_message_of_a_verdict() -> None:
    text = "The vein is narrow. It was found in 56 people with the disease, not in 20 without."
    assert verdict(text, quote="vein is", start=4, end=11).detail == "at 4-11."
    assert verdict(text, quote="vein is", start=14, end=21).detail == "from 14-21 to 4-11."
    assert verdict(text, quote="vein is", prefix="A ", start=4, end=11).detail == (
        "at 4-11; the words around it are others."
    )
    assert verdict(text, quote="vein is", prefix="A ", suffix=" narrow").detail == (
        "at 4-11; some of the words around it are others."
    )
    assert verdict(text, quote="in").detail == (
        "stands 3 times (6-8, 33-35, 68-70), and the words around it are not recorded."
    )
    assert verdict(text, quote="It was found in 65 people with the disease").detail == (
        "not found. Most like it, 96 %, at 20-63: «It was found in 56 people with the disease,»"
    )
    assert verdict(text, quote="Iron is laid down").detail == "not found."


RECORDED = "Naïve readers\nsay «no».\n"
SHA256 = hashlib.sha256(RECORDED.encode()).hexdigest()


@pytest.mark.parametrize(
    ("content", "done"),
    [
        (RECORDED, ()),
        (RECORDED.replace("\n", "\r\n"), ("with line ends LF",)),
        (RECORDED.replace("\n", "\r"), ("with line ends LF",)),
        ("\ufeff" + RECORDED, ("without its byte order mark",)),
        (unicodedata.normalize("NFD", RECORDED), ("composed (NFC)",)),
        (RECORDED.rstrip(), ("with a final line end",)),
        (RECORDED + "\n\n", ("with a final line end",)),
        (
            "\ufeff" + unicodedata.normalize("NFD", RECORDED).replace("\n", "\r\n"),
            ("without its byte order mark", "with line ends LF", "composed (NFC)"),
        ),
    ],
)
def test_a_variant_of_the_recorded_text_is_recognised(content: str, done: tuple[str, ...]) -> None:
    found = read_text(content, SHA256, [])
    assert (found.text, found.done, found.fits) == (RECORDED, done, True)
    assert all(way in found.sentence for way in done)


@pytest.mark.parametrize("written", ["\r\n", "\n"])
def test_the_recorded_text_may_have_other_line_ends(written: str) -> None:
    recorded = "\ufeffOne\r\ntwo\r\n"
    found = read_text(
        f"One{written}two{written}", hashlib.sha256(recorded.encode()).hexdigest(), []
    )
    assert (found.text, found.fits) == (recorded, True)


@pytest.mark.parametrize("sha256", [None, "0" * 64])
def test_without_a_recorded_text_the_variant_with_most_fitting_anchors_is_used(
    sha256: str | None,
) -> None:
    quotes = [anchored(RECORDED, 14, 23), anchored(RECORDED, 0, 5)]
    found = read_text(RECORDED.replace("\n", "\r\n") + "More.", sha256, quotes)
    assert (found.text, found.done) == (RECORDED + "More.", ("with line ends LF",))
    assert found.fits is (None if sha256 is None else False)
    assert [check_quote(found.text, quote).outcome for quote in quotes] == ["exact", "exact"]
    assert read_text("Something else.\r\n", sha256, quotes).done == ()


def an_occurrence(text: str, key: str, quote: str, **more: Any) -> OccurrenceIn:
    start = text.index(quote)
    found = anchored(text, start, start + len(quote))
    record = {
        "key": key,
        "source": "page",
        "asserted_by": ["page"],
        "quote": quote,
        "prefix": found.prefix,
    }
    return OccurrenceIn.model_validate(
        {**record, "suffix": found.suffix, "start": start, "end": found.end, **more}
    )


def test_only_accepted_quotes_are_checked_and_nothing_is_written(empty: Store) -> None:
    text = "It is said that veins are narrow. Others say that they are not."
    page = {
        "id": "page",
        "type": "webpage",
        "title": "A page",
        "study_design": "case_control",
        "issued": "2010",
    }
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    with changes.begin(empty.database, actor="ada") as change:
        for slug in ("page", "other"):
            changes.put_source(
                change, SourceIn.model_validate({**page, "id": slug, "text_sha256": sha256})
            )
        changes.put_claim(change, a_claim("a"))
        put_part(change, "a", an_occurrence(text, "one", "veins are narrow"))
        put_part(change, "a", an_occurrence(text, "two", "Others say", state="submitted"))
        put_part(change, "a", an_occurrence(text, "three", "It is said", source="other"))
        put_part(change, "a", a_line("four", source="page", quote="they are"))
        put_part(change, "a", a_line("five", source="page", quote="they were"))
        put_part(change, "a", a_line("six", source="page"))
    with empty.database.read() as connection:
        found, verdicts = check_quotes(connection, "page", text)
    assert found.fits is True
    assert [(each.id, each.outcome) for each in verdicts] == [
        ("occurrence/a:one", "exact"),
        ("evidence/a:five", "orphan"),
        ("evidence/a:four", "exact"),
    ]
    with empty.database.read() as connection:
        found, (first, *_) = check_quotes(connection, "page", f"Yesterday. {text}")
    assert (found.fits, first.outcome, first.start) == (False, "moved", text.index("veins") + 11)


@pytest.mark.skipif(
    not ARTICLE.exists(),
    reason="the article is not shipped; its text stands beside the checkout of the authors",
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_quote_of_the_article_is_exact(end: str, shared: Store) -> None:
    content = ARTICLE.read_text(encoding="utf-8").replace("\n", end)
    with shared.database.read() as connection:
        found, verdicts = check_quotes(connection, "article-ccsvi-explained", content)
        assert found.fits is True
        # Its three references are quotes too.
        assert len(verdicts) == SEEDED_OCCURRENCES + 3
        assert {each.outcome for each in verdicts} == {"exact"}
        _, moved = check_quotes(
            connection, "article-ccsvi-explained", f"An advertisement.\n{content}"
        )
        assert {each.outcome for each in moved} == {"moved"}
        _, mended = check_quotes(
            connection, "article-ccsvi-explained", content.replace("deoxyginated", "deoxygenated")
        )
        assert [each.id for each in mended if each.outcome == "orphan"] == [
            "occurrence/inefficient-venous-outflow:c15"
        ]
