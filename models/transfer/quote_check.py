"""Whether quotes stand in the text of their source: exactly, elsewhere, several times, or not. Nothing is ever re-anchored."""

import hashlib
import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Literal

from sqlalchemy import Connection, select

from models.records.claim import Occurrence, part_id
from models.records.evidence import Evidence
from models.records.serializers import Row, sources_by_id, table

Outcome = Literal["exact", "moved", "ambiguous", "orphan"]
Span = tuple[int, int]
# How many places and how much of a lookalike are shown.
MOST_PLACES = 5
MOST_SHOWN = 120
# Below this share of equal characters two passages only happen to have words in common.
ALIKE = 0.6


@dataclass(frozen=True)
class Quote:
    """What is said to stand in a source: verbatim, with the words around it and its offsets, where they are recorded."""

    id: str
    quote: str
    prefix: str = ""
    suffix: str = ""
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class Reading:
    """A text as it is read for comparison: what was done to it, and whether it is then the one that was recorded."""

    text: str
    done: tuple[str, ...] = ()
    fits: bool | None = None

    @property
    def sentence(self) -> str:
        """Return in words how the text compares with the recorded one."""
        read = f", read {' and '.join(self.done)}" if self.done else ""
        if self.fits is None:
            return (
                f"No SHA-256 is recorded for this source's text, so offsets are of this one{read}."
            )
        if not self.fits:
            return f"This is not the recorded text (its SHA-256 differs); offsets are of this one{read}."
        if self.done:
            return f"This is the recorded text, but for how it is written: it is the same{read}."
        return "This is the recorded text (its SHA-256 agrees)."


@dataclass(frozen=True)
class Verdict:
    """What became of a quote, and where it stands, if that is clear."""

    id: str
    outcome: Outcome
    detail: str
    start: int | None = None
    end: int | None = None


def quotes_of(connection: Connection, source: str) -> list[Quote]:
    """Return the quotes of every accepted occurrence in a source, and of every accepted line of evidence that has one."""
    occurrence, evidence = table(Occurrence), table(Evidence)
    found = []
    for kind, rows in (("occurrence", occurrence), ("evidence", evidence)):
        statement = select(rows).where(
            rows.c.source == source, rows.c.state == "accepted", rows.c.quote.is_not(None)
        )
        for row in connection.execute(statement.order_by(rows.c.claim, rows.c.key)).mappings():
            anchor = {
                name: row[name] for name in ("prefix", "suffix", "start", "end") if name in rows.c
            }
            found.append(
                Quote(f"{kind}/{part_id(row['claim'], row['key'])}", row["quote"], **anchor)
            )
    return found


def check_quotes(
    connection: Connection, source: str, content: str
) -> tuple[Reading, list[Verdict]]:
    """Hold every quote of a source against a text of it; the text is read in the way in which it is the recorded one."""
    quotes = quotes_of(connection, source)
    read = read_text(content, sources_by_id(connection, [source])[source]["text_sha256"], quotes)
    return read, [check_quote(read.text, quote) for quote in quotes]


def read_text(content: str, sha256: str | None, quotes: Sequence[Quote]) -> Reading:
    """Return the text in the way of writing in which it is the recorded one, by its SHA-256.

    Where it is not in any, or no SHA-256 is recorded, it is read in the way in which most quotes stand at their offsets, or
    at least among the words around them, and as it came where that makes no difference.
    """
    if sha256 is not None:
        for text, done in _ways(content):
            if _sha256(text) == sha256:
                return Reading(text, done, fits=True)
    # The first of the best: that with the least done to it.
    text, done = max(_ways(content), key=lambda way: _fitting(way[0], quotes))
    return Reading(text, done, fits=None if sha256 is None else False)


def _fitting(text: str, quotes: Sequence[Quote]) -> tuple[int, int]:
    """Return how many quotes stand at their offsets, and how many anywhere with all the words around them."""
    placed = sum(
        text[each.start : each.end] == each.quote for each in quotes if each.start is not None
    )
    return placed, sum(each.prefix + each.quote + each.suffix in text for each in quotes)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _ways(content: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield a text in every way in which editors and systems write the same one, the least altered first."""
    steps: list[dict[str, Callable[[str], str]]] = [
        {
            "without its byte order mark": lambda text: text.removeprefix("\ufeff"),
            "with a byte order mark": lambda text: "\ufeff" + text.removeprefix("\ufeff"),
        },
        {
            "with line ends LF": _line_feeds,
            "with line ends CRLF": lambda text: _line_feeds(text).replace("\n", "\r\n"),
        },
        {
            "composed (NFC)": lambda text: unicodedata.normalize("NFC", text),
            "decomposed (NFD)": lambda text: unicodedata.normalize("NFD", text),
        },
        {
            "without a final line end": lambda text: text.rstrip("\r\n"),
            "with a final line end": lambda text: (
                text.rstrip("\r\n") + ("\r\n" if "\r\n" in text else "\n")
            ),
        },
    ]
    combined = itertools.product(*((None, *step.items()) for step in steps))
    seen = set()
    for chosen in sorted(combined, key=lambda way: sum(step is not None for step in way)):
        text, done = content, []
        for step in chosen:
            if step is not None and (altered := step[1](text)) != text:
                text = altered
                done.append(step[0])
        if (digest := _sha256(text)) not in seen:
            seen.add(digest)
            yield text, tuple(done)


def _line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def check_quote(text: str, quote: Quote) -> Verdict:
    """Say whether a quote stands in a text at its offsets (`exact`), clearly elsewhere (`moved`), or neither.

    A quote without offsets is `exact` where it stands in one place.
    """
    places = list(_places(text, quote.quote))
    if not places:
        return Verdict(quote.id, "orphan", f"not found.{lookalike(text, quote.quote)}")
    place = _decided(text, quote, places)
    if place is None:
        where = ", ".join(_span(each) for each in places[:MOST_PLACES]) + (
            ", …" if places[MOST_PLACES:] else ""
        )
        if len(places) == 1:
            return Verdict(
                quote.id, "ambiguous", f"stands at {where}, but the words around it are others."
            )
        why = "do not decide" if quote.prefix or quote.suffix else "are not recorded"
        return Verdict(
            quote.id,
            "ambiguous",
            f"stands {len(places)} times ({where}), and the words around it {why}.",
        )
    sides = _sides(text, quote, place)
    around = (
        "" if all(sides) else f"; {'some of ' if any(sides) else ''}the words around it are others"
    )
    if quote.start is None or quote.start == place[0]:
        return Verdict(quote.id, "exact", f"at {_span(place)}{around}.", *place)
    was = f"{quote.start}-{quote.end}"
    return Verdict(quote.id, "moved", f"from {was} to {_span(place)}{around}.", *place)


def _decided(text: str, quote: Quote, places: Sequence[Span]) -> Span | None:
    """Return the place that is meant, or None where nothing tells."""
    recorded = next((place for place in places if place[0] == quote.start), None)
    if recorded is not None and (len(places) == 1 or all(_sides(text, quote, recorded))):
        return recorded
    within = [place for place in places if all(_sides(text, quote, place))]
    if len(within) == 1:
        return within[0]
    # Of a passage that was edited beside the quote, one side is left; with neither, it may be a lookalike.
    return places[0] if len(places) == 1 and any(_sides(text, quote, places[0])) else None


def _sides(text: str, quote: Quote, place: Span) -> list[bool]:
    """Say of the words recorded before a quote, and of those after it, whether they stand so at a place."""
    start, end = place
    # Decomposed text is longer, though by less than this.
    before, after = (
        text[max(0, start - 4 * len(quote.prefix)) : start],
        text[end : end + 4 * len(quote.suffix)],
    )
    found = (_composed(before).endswith(quote.prefix), _composed(after).startswith(quote.suffix))
    return [
        agrees
        for agrees, recorded in zip(found, (quote.prefix, quote.suffix), strict=True)
        if recorded
    ]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _places(text: str, quote: str) -> Iterator[Span]:
    """Yield every place of a quote, which is recorded in NFC, also where the text has it decomposed."""
    found = set()
    for form in dict.fromkeys((quote, unicodedata.normalize("NFD", quote))):
        start = text.find(form)
        while start >= 0:
            end = start + len(form)
            # Before an accent of its own, the last letter is another one: «cafe» does not stand in a decomposed «café».
            if not unicodedata.combining(text[end : end + 1] or " "):
                found.add((start, end))
            start = text.find(form, start + 1)
    yield from sorted(found)


_WORD = re.compile(r"\S+")


def lookalike(text: str, quote: str) -> str:
    """Return a sentence that shows the passage most like a quote, or nothing where none comes near; for the eye alone.

    Each word of the quote votes for the place at which the quote would begin if it stood there in the text.
    """
    words = [(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]
    standing = defaultdict(list)
    for number, (word, _, _) in enumerate(words):
        standing[word.casefold()].append(number)
    wanted = [match.group().casefold() for match in _WORD.finditer(quote)]
    votes = Counter(number - at for at, word in enumerate(wanted) for number in standing[word])
    best, shown = 0.0, ""
    for begin, _ in votes.most_common(MOST_PLACES):
        first, last = max(0, begin), min(len(words), begin + len(wanted)) - 1
        start, end = words[first][1], words[last][2]
        alike = SequenceMatcher(None, text[start:end], quote, autojunk=False).ratio()
        if alike > best:
            passage = (
                text[start:end]
                if end - start <= MOST_SHOWN
                else text[start : start + MOST_SHOWN] + "…"
            )
            best, shown = (
                alike,
                f" Most like it, {int(alike * 100)} %, at {_span((start, end))}: «{' '.join(passage.split())}»",
            )
    return shown if best >= ALIKE else ""


def _span(place: Span) -> str:
    return f"{place[0]}-{place[1]}"


def report_as_data(read: Reading, verdicts: Sequence[Verdict]) -> Row:
    """Return the whole report as plain data, for scripts."""
    return {
        "fits": read.fits,
        "read": list(read.done),
        "quotes": [asdict(verdict) for verdict in verdicts],
    }
