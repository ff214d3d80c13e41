"""The text of an article, whole or as far as its recorded quotes show it, with a mark for each of
them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GAP = " […] "
UNKNOWN = "\0"
_GAPS = re.compile("\0+")
_PARAGRAPH = re.compile(r"\r?\n\s*\n")
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


@dataclass(frozen=True)
class Known:
    """What is known of a text: its characters from a place on, with `UNKNOWN` for the others.

    All of the text up to `whole_until` is shown, and of the rest what is near a mark.
    """

    first: int
    letters: str
    whole_until: int

    def between(self, start: int, end: int) -> str:
        """Return the characters between two places."""
        return self.letters[start - self.first : end - self.first]


def paragraphs(statements: Sequence[Mapping[str, Any]], whole: str = "") -> list[Paragraph]:
    """Return a text as paragraphs: its beginning, as far as that may be shown whole, and what the
    quotes and their surroundings show.

    Each statement has `quote`, `prefix`, `suffix`, `start` and `end`, counted in characters of the
    article from 0. What is not known of the text is shown as `[…]`. Quotes may nest; where two only
    overlap, the later one is marked in two pieces. A statement without a place is a paragraph of
    its own at the end.
    """
    placed = [place for place, each in enumerate(statements) if each["start"] is not None]
    text = _known_text([statements[place] for place in placed], whole)
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


def _known_text(statements: Sequence[Mapping[str, Any]], whole: str) -> Known:
    """Return what is known of the text; a quote is known better than what is beside one.

    What is beside a quote may begin or end within a word, which is left out there.
    """
    beside: list[tuple[int, str]] = []
    quoted: list[tuple[int, str]] = []
    for each in statements:
        start, end = each["start"], each["end"]
        prefix = (each["prefix"] or "")[-start:] if start else ""
        beside += [(start - len(prefix), prefix), (end, each["suffix"] or "")]
        quoted.append((start, each["quote"]))
    known = [*beside, *quoted, *([(0, whole)] if whole else [])]
    first = min((start for start, _ in known), default=0)
    last = max((start + len(piece) for start, piece in known), default=0)
    letters = [UNKNOWN] * (last - first)
    for start, piece in known:
        letters[start - first : start - first + len(piece)] = piece
    return Known(first, "".join(letters), len(whole))


def _blocks(text: Known, marks: Sequence[Mark]) -> list[tuple[int, int]]:
    """Return the beginning and the end of each paragraph that has a mark, or is shown whole.

    A blank line of which a mark holds anything ends no paragraph.
    """
    first, last = text.first, text.first + len(text.letters)
    borders = [
        (first + found.start(), first + found.end())
        for found in _PARAGRAPH.finditer(text.letters)
        if not any(
            mark.start < first + found.end() and first + found.start() < mark.end for mark in marks
        )
    ]
    starts = [first, *(end for _, end in borders)]
    ends = [*(start for start, _ in borders), last]
    return [
        (start, end)
        for start, end in zip(starts, ends, strict=True)
        if any(start <= mark.start < end for mark in marks) or _is_shown(text, start, end)
    ]


def _is_shown(text: Known, start: int, end: int) -> bool:
    return start < text.whole_until and not text.between(start, end).isspace() and start < end


def _fill(text: Known, start: int, end: int, marks: list[Mark]) -> Paragraph:
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


def _shown(text: Known, start: int, end: int) -> list[Mark | str]:
    """Return the known text between two places, with `[…]` for what is not known."""
    pieces = _GAPS.split(text.between(start, end))
    for number, piece in enumerate(pieces):
        if number < len(pieces) - 1:
            piece = _PARTIAL_LAST_WORD.sub("", piece)
        if number:
            piece = _PARTIAL_FIRST_WORD.sub("", piece)
        pieces[number] = piece
    shown = GAP.join(pieces)
    return [shown] if shown else []
