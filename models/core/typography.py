"""Text compared as people read it: blanks, line breaks, hyphens and marks make no difference.

A page breaks lines, splits words at their ends and sets its own quotation marks, so that what was
copied from it is seldom the same text to a program.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# One character that stands for several: of marks that people type, print and convert.
_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u02bc\u0060\u00b4\u2039\u203a", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        "\u00b5": "\u03bc",
        "\u2126": "\u03a9",
    }
)
# What a font or a program writes as one character.
_SEVERAL = {
    "\ufb00": "ff", "\ufb01": "fi", "\ufb02": "fl", "\ufb03": "ffi", "\ufb04": "ffl",
    "\ufb05": "st", "\ufb06": "st", "\u2026": "...",
}  # fmt: skip
_INVISIBLE = "\u00ad\u200b-\u200d\u2060\ufeff"
_COMBINING = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_GAP = rf"[\s{_INVISIBLE}]"
# One blank between two words is what it is compared as; most are, so they are passed over.
_PLAIN = r"(?<=[^\W_]) (?=[^\W_])"
_SPECIAL = re.compile(
    rf"(?!{_PLAIN})(?P<gap>{_GAP}+)|(?P<dash>[-\u2010-\u2015\u2212]+)"
    rf"|(?P<several>[{''.join(_SEVERAL)}])|(?P<accented>[^\s{_COMBINING}][{_COMBINING}]+)"
)
_AFTER_DASH = re.compile(rf"(?P<gap>{_GAP}*)(?P<letter>[^\W\d_]?)")
_WITHIN_A_WORD = "-\u2010\u2011\u2012\u2013"


@dataclass(frozen=True)
class Folded:
    """A text as it is compared, and where each of its characters stands in the text itself."""

    text: str
    starts: list[int]
    ends: list[int]

    def places(self, sought: str) -> Iterator[tuple[int, int]]:
        """Yield each place of a folded text that begins and ends with whole words."""
        at = self.text.find(sought) if sought else -1
        while at >= 0:
            end = at + len(sought)
            if not (_goes_on(self.text, at) or _goes_on(self.text, end)):
                yield self.starts[at], self.ends[end - 1]
            at = self.text.find(sought, at + 1)


def _goes_on(text: str, at: int) -> bool:
    """Return whether a word of a text goes on across a place."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def fold(text: str) -> Folded:
    """Return a text as it is compared."""
    text = text.translate(_ALIKE)
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    at = 0

    def put(piece: str, start: int, end: int) -> None:
        pieces.append(piece)
        starts.extend([start] * len(piece))
        ends.extend([end] * len(piece))

    def keep(end: int) -> None:
        pieces.append(text[at:end])
        starts.extend(range(at, end))
        ends.extend(range(at + 1, end + 1))

    for found in _SPECIAL.finditer(text):
        start, end = found.span()
        if start < at:
            # The blanks after a hyphen at the end of a line.
            continue
        keep(start)
        at = end
        if found["gap"]:
            put(_blank(text, start, end), start, end)
        elif found["dash"]:
            after = _AFTER_DASH.match(text, end)
            assert after is not None, "the pattern fits everywhere"
            is_split = _is_within_a_word(text, start, after, found["dash"])
            put("" if is_split else "-", start, end)
            at = after.end("gap") if is_split else end
        elif found["several"]:
            put(_SEVERAL[found["several"]], start, end)
        else:
            put(unicodedata.normalize("NFC", found[0]), start, end)
    keep(len(text))
    return Folded("".join(pieces), starts, ends)


def _blank(text: str, start: int, end: int) -> str:
    """Return what blanks are compared as: one blank between words, nothing beside a mark."""
    if not any(map(str.isspace, text[start:end])):
        return ""
    between_words = start > 0 and end < len(text) and text[start - 1].isalnum()
    return " " if between_words and text[end].isalnum() else ""


def _is_within_a_word(text: str, start: int, after: re.Match[str], dash: str) -> bool:
    """Return whether a hyphen joins two parts of a word, on one line or across its end."""
    if not (after["letter"] and start > 0 and text[start - 1].isalpha()):
        return False
    if len(dash) > 1 or dash not in _WITHIN_A_WORD:
        return False
    return not after["gap"] or "\n" in after["gap"]
