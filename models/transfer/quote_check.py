"""Checking quotes against the text of their source.

A quote is found exactly, but for typography, elsewhere, several times, or not at all. Nothing is
ever re-anchored.
"""

import hashlib
import itertools
import re
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from functools import cache, partial
from typing import Literal

from sqlalchemy import Connection, select

from models.core.typography import Folded, fold
from models.records.claim import Occurrence, part_id
from models.records.evidence import Evidence
from models.records.serializers import Row, sources_by_id, table

Outcome = Literal["exact", "typographic", "moved", "ambiguous", "orphan"]
Span = tuple[int, int]
# How many places of a quote, and how many characters of a similar passage, a message shows.
MAX_PLACES = 5
MAX_CHARACTERS = 120
# Below this ratio of difflib, two passages only happen to have words in common.
MIN_SIMILARITY = 0.6


@dataclass(frozen=True)
class Quote:
    """A verbatim quote of a source, with the words around it and its offsets, if recorded."""

    id: str
    quote: str
    prefix: str = ""
    suffix: str = ""
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Reading:
    """A text in the form in which it is compared.

    `done` says what was altered, `fits` whether the text is then the recorded one, or None if no
    SHA-256 is recorded.
    """

    text: str
    done: tuple[str, ...] = ()
    fits: bool | None = None

    @property
    def sentence(self) -> str:
        """How the text compares with the recorded one, in words."""
        read = f", read {' and '.join(self.done)}" if self.done else ""
        if self.fits is None:
            return (
                f"No SHA-256 is recorded for this source's text, so offsets are of this one{read}."
            )
        if not self.fits:
            return (
                "This is not the recorded text (its SHA-256 differs); offsets are of this "
                f"one{read}."
            )
        if self.done:
            return f"This is the recorded text, but for how it is written: it is the same{read}."
        return "This is the recorded text (its SHA-256 agrees)."


@dataclass(frozen=True)
class Verdict:
    """The outcome for a quote, and its place in the text, if that is clear."""

    id: str
    outcome: Outcome
    detail: str
    start: int | None = None
    end: int | None = None


def quotes_of(connection: Connection, source: str) -> list[Quote]:
    """Return the quotes of a source in all accepted occurrences and lines of evidence."""
    quotes = []
    for kind, rows in (("occurrence", table(Occurrence)), ("evidence", table(Evidence))):
        statement = (
            select(rows)
            .where(rows.c.source == source, rows.c.state == "accepted")
            .where(rows.c.quote.is_not(None))
            .order_by(rows.c.claim, rows.c.key)
        )
        anchor_fields = [name for name in ("prefix", "suffix", "start", "end") if name in rows.c]
        for row in connection.execute(statement).mappings():
            quote_id = f"{kind}/{part_id(row['claim'], row['key'])}"
            anchor = {name: row[name] for name in anchor_fields}
            quotes.append(Quote(quote_id, row["quote"], **anchor))
    return quotes + _references(connection, source)


def _references(connection: Connection, source: str) -> list[Quote]:
    """Return the quoted references in a source's reference list."""
    cites = sources_by_id(connection, [source])[source]["cites"]
    return [
        Quote(
            f"source/{source}/cites/{number}",
            cited["quote"],
            start=cited["start"],
            end=cited["end"],
        )
        for number, cited in enumerate(cites)
        if cited["quote"] is not None
    ]


def check_quotes(
    connection: Connection, source: str, content: str
) -> tuple[Reading, list[Verdict]]:
    """Check every quote of a source against its text."""
    quotes = quotes_of(connection, source)
    sha256 = sources_by_id(connection, [source])[source]["text_sha256"]
    reading = read_text(content, sha256, quotes)
    return reading, check_each(reading.text, quotes)


def check_each(text: str, quotes: Sequence[Quote]) -> list[Verdict]:
    """Return where each of these quotes is in a text, as `check_quote` does."""
    folded = cache(partial(fold, text))
    return [check_quote(text, quote, folded) for quote in quotes]


def as_recorded(content: str, sha256: str | None) -> str:
    """Return a text in the variant that has the recorded SHA-256, or as it is if none has."""
    variants = _variants(content) if sha256 is not None else ()
    return next((text for text, _ in variants if _sha256(text) == sha256), content)


def read_text(content: str, sha256: str | None, quotes: Sequence[Quote]) -> Reading:
    """Return a text in the variant of its line ends, accents and so on that was recorded.

    If no variant has the recorded SHA-256, or none is recorded, this is the variant in which most
    quotes are at their offsets, or at least between the words around them. If that makes no
    difference, the text is not altered.
    """
    if sha256 is not None:
        for text, done in _variants(content):
            if _sha256(text) == sha256:
                return Reading(text, done, fits=True)
    # `max` returns the first of the best ones, which is the least altered.
    text, done = max(_variants(content), key=lambda variant: _count_fitting(variant[0], quotes))
    return Reading(text, done, fits=None if sha256 is None else False)


def _count_fitting(text: str, quotes: Sequence[Quote]) -> tuple[int, int]:
    """Return how many quotes are at their offsets, and how many are between the recorded words."""
    at_offsets = between_words = 0
    for quote in quotes:
        if quote.start is not None:
            at_offsets += text[quote.start : quote.end] == quote.quote
        between_words += quote.prefix + quote.quote + quote.suffix in text
    return at_offsets, between_words


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _without_mark(text: str) -> str:
    return text.removeprefix("\ufeff")


def _with_mark(text: str) -> str:
    return "\ufeff" + _without_mark(text)


def _with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _with_crlf(text: str) -> str:
    return _with_lf(text).replace("\n", "\r\n")


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _without_final_line_end(text: str) -> str:
    return text.rstrip("\r\n")


def _with_final_line_end(text: str) -> str:
    return _without_final_line_end(text) + ("\r\n" if "\r\n" in text else "\n")


# What editors and systems alter in a text: of each group, one or none applies.
_Alteration = tuple[str, Callable[[str], str]]
_ALTERATIONS: tuple[tuple[_Alteration, ...], ...] = (
    (
        ("without its byte order mark", _without_mark),
        ("with a byte order mark", _with_mark),
    ),
    (
        ("with line ends LF", _with_lf),
        ("with line ends CRLF", _with_crlf),
    ),
    (
        ("composed (NFC)", _composed),
        ("decomposed (NFD)", _decomposed),
    ),
    (
        ("without a final line end", _without_final_line_end),
        ("with a final line end", _with_final_line_end),
    ),
)


def _combinations() -> list[list[_Alteration]]:
    """Return every combination of alterations, those with the fewest first."""
    choices = itertools.product(*((None, *group) for group in _ALTERATIONS))
    combinations = [
        [alteration for alteration in choice if alteration is not None] for choice in choices
    ]
    return sorted(combinations, key=len)


def _variants(content: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each variant of a text with what was altered, the least altered first."""
    seen: set[str] = set()
    for combination in _combinations():
        text = content
        done: list[str] = []
        for name, alter in combination:
            altered = alter(text)
            if altered != text:
                text = altered
                done.append(name)
        digest = _sha256(text)
        if digest not in seen:
            seen.add(digest)
            yield text, tuple(done)


def check_quote(text: str, quote: Quote, folded: Callable[[], Folded] | None = None) -> Verdict:
    """Return whether a quote is in a text at its offsets (`exact`), clearly elsewhere (`moved`), …

    A quote without offsets is `exact` if it is in one place. What is there but for blanks, line
    breaks, hyphens and marks, or with something left out at a `[…]`, is `typographic`, wherever it
    is. If it is not clear which place is meant, it is `ambiguous`; if there is none, it is an
    `orphan`.

    `folded` returns the text as `fold` does, for whoever checks several quotes.
    """
    places = _places(text, quote.quote)
    is_verbatim = bool(places)
    if not is_verbatim:
        as_compared = folded() if folded is not None else fold(text)
        places = list(as_compared.places(fold(quote.quote).text))
        places = places or places_with_omissions(as_compared, quote.quote)
    if not places:
        return Verdict(quote.id, "orphan", f"not found.{similar_passage(text, quote.quote)}")
    place = _intended_place(text, quote, places)
    if place is None:
        return Verdict(quote.id, "ambiguous", _why_ambiguous(quote, places))
    context = _describe_context(_context_matches(text, quote, place))
    if not is_verbatim:
        recorded = "" if quote.start in (None, place[0]) else f" (recorded at {quote.start})"
        detail = f"at {_offsets(place)}{recorded}, but for typography{context}."
        return Verdict(quote.id, "typographic", detail, *place)
    if quote.start is None or quote.start == place[0]:
        return Verdict(quote.id, "exact", f"at {_offsets(place)}{context}.", *place)
    recorded = f"{quote.start}-{quote.end}"
    detail = f"from {recorded} to {_offsets(place)}{context}."
    return Verdict(quote.id, "moved", detail, *place)


# How quotes show that something was left out.
_OMISSION = re.compile(
    r"\s*(?:\[\s*(?:\u2026|\.{3})\s*\]|\(\s*(?:\u2026|\.{3})\s*\)|\u2026|\.{3})\s*"
)
# So many characters at most are left out in one place.
MOST_LEFT_OUT = 2000


def places_with_omissions(text: Folded, quote: str) -> list[Span]:
    """Return the places of a quote that leaves something out where it has `…`, `[…]` or `...`.

    Its pieces follow each other there, each within 2,000 characters of the one before. The shortest
    place for each beginning is returned.
    """
    pieces = [fold(piece).text for piece in _OMISSION.split(quote) if piece]
    if len(pieces) < 2:
        return []
    first, *others = ([*text.places(piece)] for piece in pieces)
    found = []
    for start, end in first:
        last: int | None = end
        for places in others:
            last = _end_of_next(places, last) if last is not None else None
        if last is not None:
            found.append((start, last))
    return found


def _end_of_next(places: Sequence[Span], after: int) -> int | None:
    """Return where the first of these places ends that is near enough after another one."""
    at = bisect_left(places, (after, 0))
    if at == len(places) or places[at][0] - after > MOST_LEFT_OUT:
        return None
    return places[at][1]


def _why_ambiguous(quote: Quote, places: Sequence[Span]) -> str:
    where = ", ".join(_offsets(place) for place in places[:MAX_PLACES])
    if len(places) > MAX_PLACES:
        where += ", …"
    if len(places) == 1:
        return f"stands at {where}, but the words around it are others."
    why = "do not decide" if quote.prefix or quote.suffix else "are not recorded"
    return f"stands {len(places)} times ({where}), and the words around it {why}."


def _describe_context(matches: Sequence[bool]) -> str:
    if all(matches):
        return ""
    return f"; {'some of ' if any(matches) else ''}the words around it are others"


def _intended_place(text: str, quote: Quote, places: Sequence[Span]) -> Span | None:
    """Return the place that is meant, or None if that is not clear."""
    is_only = len(places) == 1
    in_context = [place for place in places if all(_context_matches(text, quote, place))]
    for place in places:
        if place[0] == quote.start and (is_only or place in in_context):
            return place
    if len(in_context) == 1:
        return in_context[0]
    # If the passage was edited on one side of the quote, the other side still matches. With
    # neither, this may be another passage with the same words.
    if is_only and any(_context_matches(text, quote, places[0])):
        return places[0]
    return None


def _context_matches(text: str, quote: Quote, place: Span) -> list[bool]:
    """Return whether the recorded words before and after a quote match those at a place.

    The list has no element for a side of which no words are recorded.
    """
    start, end = place
    matches = []
    # Decomposed text is longer than composed text, but by less than this factor.
    if quote.prefix:
        before = text[max(0, start - 4 * len(quote.prefix)) : start]
        matches.append(
            _composed(before).endswith(quote.prefix)
            or fold(before).text.endswith(fold(quote.prefix).text)
        )
    if quote.suffix:
        after = text[end : end + 4 * len(quote.suffix)]
        matches.append(
            _composed(after).startswith(quote.suffix)
            or fold(after).text.startswith(fold(quote.suffix).text)
        )
    return matches


def _places(text: str, quote: str) -> list[Span]:
    """Return every place of a quote, which is recorded in NFC, even if the text is decomposed."""
    places: set[Span] = set()
    for form in (quote, _decomposed(quote)):
        start = text.find(form)
        while start >= 0:
            end = start + len(form)
            # An accent that follows belongs to the last letter: a decomposed «café» has no «cafe».
            if not unicodedata.combining(text[end : end + 1] or " "):
                places.add((start, end))
            start = text.find(form, start + 1)
    return sorted(places)


_WORD = re.compile(r"\S+")


def similar_passage(text: str, quote: str) -> str:
    """Return a sentence that shows the passage most similar to a quote, or an empty text.

    The passage is only shown to people. Each word of the quote votes for the places in the text
    where the quote would have to begin to have the word there.
    """
    words = list(_WORD.finditer(text))
    positions: defaultdict[str, list[int]] = defaultdict(list)
    for position, word in enumerate(words):
        positions[word.group().casefold()].append(position)
    quoted = [word.casefold() for word in _WORD.findall(quote)]
    votes: Counter[int] = Counter()
    for offset, quoted_word in enumerate(quoted):
        votes.update(position - offset for position in positions[quoted_word])
    best_ratio, best_place = 0.0, (0, 0)
    for begin, _ in votes.most_common(MAX_PLACES):
        first, last = max(0, begin), min(len(words), begin + len(quoted)) - 1
        place = (words[first].start(), words[last].end())
        passage = text[slice(*place)]
        ratio = SequenceMatcher(None, passage, quote, autojunk=False).ratio()
        if ratio > best_ratio:
            best_ratio, best_place = ratio, place
    if best_ratio < MIN_SIMILARITY:
        return ""
    passage = _shortened(text[slice(*best_place)])
    return f" Most like it, {int(best_ratio * 100)} %, at {_offsets(best_place)}: «{passage}»"


def _shortened(passage: str) -> str:
    """Return the beginning of a passage on one line."""
    if len(passage) > MAX_CHARACTERS:
        passage = passage[:MAX_CHARACTERS] + "…"
    return " ".join(passage.split())


def _offsets(place: Span) -> str:
    return f"{place[0]}-{place[1]}"


def report_as_data(reading: Reading, verdicts: Sequence[Verdict]) -> Row:
    """Return the report of `check_quotes` as plain data, for scripts."""
    return {
        "fits": reading.fits,
        "read": list(reading.done),
        "quotes": [asdict(verdict) for verdict in verdicts],
    }
