"""The text of an article as far as its recorded quotes show it, with a mark for each of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GAP = " […] "
_PARAGRAPH = re.compile(r"\n\s*\n")
_PARTIAL_FIRST_WORD = re.compile(r"^\S+\s+")
_PARTIAL_LAST_WORD = re.compile(r"\s+\S+$")


@dataclass
class Mark:
    """A quote in the text, with the text and the marks within it. The places are those of its
    statement in the list of statements.
    """

    place: int
    start: int
    end: int
    within: list[Mark | str] = field(default_factory=list)


Paragraph = list[Mark | str]


def paragraphs(statements: Sequence[Mapping[str, Any]]) -> list[Paragraph]:
    """Return the text that the quotes and their surroundings show, as paragraphs.

    Each statement has `quote`, `prefix`, `suffix`, `start` and `end`, counted in characters of the
    article from 0. What is not known of the text is shown as `[…]`. Quotes may nest; where two only
    overlap, the later one is marked in two pieces. A statement without a place is a paragraph of
    its own at the end.
    """
    placed = [place for place, each in enumerate(statements) if each["start"] is not None]
    text = _known_text(statements[place] for place in placed)
    order = sorted(
        placed, key=lambda place: (statements[place]["start"], -statements[place]["end"])
    )
    marks = [Mark(place, statements[place]["start"], statements[place]["end"]) for place in order]
    found: list[Paragraph] = []
    for start, end in _blocks(text, marks):
        inside = [mark for mark in marks if start <= mark.start < end]
        found.append(_fill(text, start, end, inside))
    unplaced = [place for place in range(len(statements)) if place not in set(placed)]
    return [
        *found,
        *(_alone(place, statements[place]) for place in unplaced),
    ]


def _alone(place: int, statement: Mapping[str, Any]) -> Paragraph:
    return [Mark(place, 0, 0, [str(statement["quote"])])]


def _known_text(statements: Any) -> dict[int, str]:
    """Return the known characters by their place; a quote is known better than what is beside one.

    What is beside a quote may begin or end within a word, which is left out there.
    """
    beside: dict[int, str] = {}
    quoted: dict[int, str] = {}
    for each in statements:
        start, end = each["start"], each["end"]
        quoted.update(enumerate(each["quote"], start))
        prefix = each["prefix"] or ""
        beside.update(enumerate(prefix, start - len(prefix)))
        beside.update(enumerate(each["suffix"] or "", end))
    return {place: letter for place, letter in (beside | quoted).items() if place >= 0}


def _blocks(text: Mapping[int, str], marks: Sequence[Mark]) -> list[tuple[int, int]]:
    """Return the beginning and the end of each paragraph that has a mark.

    A blank line of which a mark holds anything ends no paragraph.
    """
    if not marks:
        return []
    first, last = min(text), max(text) + 1
    whole = "".join(text.get(place, "\0") for place in range(first, last))
    borders = [
        (first + found.start(), first + found.end())
        for found in _PARAGRAPH.finditer(whole)
        if not any(
            mark.start < first + found.end() and first + found.start() < mark.end for mark in marks
        )
    ]
    starts = [first, *(end for _, end in borders)]
    ends = [*(start for start, _ in borders), last]
    return [
        (start, end)
        for start, end in zip(starts, ends, strict=True)
        if any(start <= mark.start < end for mark in marks)
    ]


def _fill(text: Mapping[int, str], start: int, end: int, marks: list[Mark]) -> Paragraph:
    """Return a stretch of the text with its marks, the outer ones around the inner ones."""
    filled: Paragraph = []
    at = start
    while marks:
        mark, *marks = marks
        filled += _shown(text, at, mark.start)
        inner = [other for other in marks if other.start < mark.end]
        marks = marks[len(inner) :]
        for other in inner:
            if other.end > mark.end:
                marks.insert(0, Mark(other.place, mark.end, other.end))
                other.end = mark.end
        mark.within = _fill(text, mark.start, mark.end, inner)
        filled.append(mark)
        at = mark.end
    return filled + _shown(text, at, end)


def _shown(text: Mapping[int, str], start: int, end: int) -> list[Mark | str]:
    """Return the known text between two places, with `[…]` for what is not known."""
    letters = "".join(text.get(place, "\0") for place in range(start, end))
    pieces = re.split("\0+", letters)
    for number, piece in enumerate(pieces):
        if number < len(pieces) - 1:
            piece = _PARTIAL_LAST_WORD.sub("", piece)
        if number:
            piece = _PARTIAL_FIRST_WORD.sub("", piece)
        pieces[number] = piece
    shown = GAP.join(pieces)
    return [shown] if shown else []
