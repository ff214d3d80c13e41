"""The text of an article, put together from its quotes: each mark holds exactly its quote."""

from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.site.article_text import GAP, Mark, Paragraph, paragraphs

Statement = dict[str, Any]
TEXT = (
    "One vein is narrow. 𝔅lood flows 🩸 back, he says, and harms.\n\nNobody has seen it since 2010."
)


def quote(start: int, end: int, text: str = TEXT, beside: int = 0) -> Statement:
    """Return a statement that is quoted from a text, with so many characters beside it."""
    return {
        "quote": text[start:end],
        "start": start,
        "end": end,
        "prefix": text[max(0, start - beside) : start] or None,
        "suffix": text[end : end + beside] or None,
    }


def text_of(nodes: Iterable[Mark | str]) -> str:
    """Return the text of a stretch, with that of the marks within it."""
    return "".join(node if isinstance(node, str) else text_of(node.within) for node in nodes)


def marks_of(nodes: Iterable[Mark | str]) -> list[Mark]:
    """Return all marks, the outer ones before the inner ones, in the order of the text."""
    found: list[Mark] = []
    for node in nodes:
        if isinstance(node, Mark):
            found += [node, *marks_of(node.within)]
    return found


def marked(shown: Iterable[Paragraph]) -> dict[int, str]:
    """Return the marked text of each statement, its pieces joined."""
    found: dict[int, str] = {}
    for paragraph in shown:
        for mark in marks_of(paragraph):
            found[mark.place] = found.get(mark.place, "") + text_of(mark.within)
    return found


def at(text: str) -> tuple[int, int]:
    """Return where a text stands in `TEXT`."""
    start = TEXT.index(text)
    return start, start + len(text)


def test_nested_quotes_are_marks_within_marks() -> None:
    outer, inner = quote(*at("𝔅lood flows 🩸 back, he says")), quote(*at("flows 🩸 back"))
    ((mark,),) = paragraphs([inner, outer])
    assert isinstance(mark, Mark)
    assert (mark.place, text_of(mark.within)) == (1, outer["quote"])
    (within,) = [node for node in mark.within if isinstance(node, Mark)]
    assert (within.place, within.within) == (0, ["flows 🩸 back"])


def test_of_two_that_overlap_the_later_one_is_in_two_pieces() -> None:
    first, second = quote(*at("One vein is narrow")), quote(*at("is narrow. 𝔅lood"))
    (paragraph,) = paragraphs([first, second])
    pieces = [text_of(mark.within) for mark in marks_of(paragraph) if mark.place == 1]
    assert pieces == ["is narrow", ". 𝔅lood"]
    assert text_of(paragraph) == "One vein is narrow. 𝔅lood"


def test_two_claims_of_one_sentence_are_both_marked() -> None:
    place = at("One vein is narrow")
    shown = paragraphs([quote(*place), quote(*place)])
    assert marked(shown) == {0: "One vein is narrow", 1: "One vein is narrow"}
    assert text_of(shown[0]) == "One vein is narrow"


def test_what_is_not_known_is_a_gap_and_no_word_is_cut() -> None:
    first, second = quote(*at("vein"), beside=5), quote(*at("harms"), beside=7)
    (paragraph,) = paragraphs([first, second])
    # Beside the quotes stand " is n" and "s, and ": what is cut off of a word is left out.
    assert text_of(paragraph).startswith(f"One vein is{GAP}and harms")


def test_a_paragraph_ends_where_the_text_has_a_blank_line() -> None:
    shown = paragraphs([quote(*at("and harms"), beside=4), quote(*at("Nobody"), beside=4)])
    assert [marks_of(paragraph)[0].place for paragraph in shown] == [0, 1]
    within = paragraphs([quote(*at("harms.\n\nNobody"))])
    assert [text_of(paragraph) for paragraph in within] == ["harms.\n\nNobody"]


def test_a_quote_without_a_place_stands_by_itself_at_the_end() -> None:
    unplaced = {"quote": "Said aloud.", "start": None, "end": None, "prefix": None, "suffix": None}
    shown = paragraphs([unplaced, quote(*at("One vein"))])
    assert [[mark.place for mark in marks_of(paragraph)] for paragraph in shown] == [[1], [0]]
    assert text_of(shown[1]) == "Said aloud."


def test_nothing_is_shown_of_nothing() -> None:
    assert paragraphs([]) == []


LETTERS = st.text(alphabet="ab \n.𝔅🩸é", min_size=1, max_size=60)


@st.composite
def quoted(draw: st.DrawFn) -> tuple[str, list[Statement]]:
    """Draw a text and quotes from anywhere in it."""
    text = draw(LETTERS)
    places = draw(
        st.lists(
            st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text))).filter(
                lambda place: place[0] < place[1]
            ),
            min_size=1,
            max_size=7,
        )
    )
    beside = draw(st.integers(0, 4))
    return text, [quote(start, end, text, beside) for start, end in places]


@given(quoted())
def test_each_mark_holds_exactly_its_quote_in_the_order_of_the_text(
    drawn: tuple[str, list[Statement]],
) -> None:
    text, statements = drawn
    shown = paragraphs(statements)
    assert marked(shown) == {place: each["quote"] for place, each in enumerate(statements)}
    marks = [mark for paragraph in shown for mark in marks_of(paragraph)]
    assert [mark.start for mark in marks] == sorted(mark.start for mark in marks)
    assert all(text[mark.start : mark.end] == text_of(mark.within) for mark in marks)


@given(quoted())
def test_what_is_known_is_shown_once(drawn: tuple[str, list[Statement]]) -> None:
    text, _ = drawn
    half = max(1, len(text) // 2)
    whole = [quote(0, half, text), quote(0, len(text), text), quote(half - 1, len(text), text)]
    assert "".join(text_of(paragraph) for paragraph in paragraphs(whole)) == text


def test_a_whole_text_is_shown_whole_in_its_paragraphs() -> None:
    shown = paragraphs([quote(*at("flows 🩸 back")), quote(*at("Nobody"))], TEXT)
    assert [text_of(paragraph) for paragraph in shown] == TEXT.split("\n\n")
    assert marked(shown) == {0: "flows 🩸 back", 1: "Nobody"}
    assert [text_of(paragraph) for paragraph in paragraphs([], TEXT)] == TEXT.split("\n\n")


def test_past_the_beginning_that_is_shown_there_are_the_quotes() -> None:
    begins = TEXT[: TEXT.index(" 𝔅lood")]
    shown = paragraphs([quote(*at("harms")), quote(*at("2010"))], begins)
    assert [text_of(paragraph) for paragraph in shown] == [f"One vein is{GAP}harms{GAP}2010"]


@given(quoted())
def test_a_whole_text_keeps_each_mark_and_every_character(
    drawn: tuple[str, list[Statement]],
) -> None:
    text, statements = drawn
    shown = paragraphs(statements, text)
    assert marked(shown) == {place: each["quote"] for place, each in enumerate(statements)}
    letters = "".join(text_of(paragraph) for paragraph in shown)
    assert "".join(letters.split()) == "".join(text.split())
