"""What the readers of formats with tagged lines, RIS and NBIB, share."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from api.citations.clean import clean_text, fits
from api.citations.parse_result import EntryProblem, ParsedEntry, ParsedFile, told
from models.core.types import REVIEW_FIELDS
from models.records.serializers import Row
from models.records.source import SourceIn

TagValue = tuple[str, str]
# The line on which a record begins and its tagged values, or None for text outside a record.
RawEntry = tuple[int, list[TagValue] | None]

_NOT_READ = ("id", *REVIEW_FIELDS)


class Tags:
    """The tagged values of one record, in order. A value that no reader takes counts as dropped."""

    def __init__(self, pairs: list[TagValue]) -> None:
        self._pairs = [(tag, value) for tag, value in pairs if value or tag == "N1"]
        self._used: set[str] = set()
        self._refused: list[str] = []

    def pairs(self, *tags: str) -> list[TagValue]:
        """Take all values of these tags, in the order of the file."""
        taken = [pair for pair in self._pairs if pair[0] in tags]
        self._pairs = [pair for pair in self._pairs if pair[0] not in tags]
        return taken

    def all(self, *tags: str) -> list[str]:
        """Take all values of these tags, without the tags."""
        return [value for _, value in self.pairs(*tags)]

    def first(self, *tags: str) -> str:
        """Take the first value of the first of these tags that is present, without markup.

        The result is "" if the record has none of these tags.
        """
        for tag in tags:
            for index, (name, value) in enumerate(self._pairs):
                if name == tag:
                    self._used.add(value)
                    del self._pairs[index]
                    return clean_text(value)
        return ""

    def peek(self, tag: str) -> list[str]:
        """Return the values of a tag without taking them."""
        return [value for name, value in self._pairs if name == tag]

    def fitting(self, field: str, *tags: str) -> str | None:
        """Take the first value of these tags for a field; one that is too long for it is dropped.

        The result is None if there is none.
        """
        for tag in tags:
            value = self.first(tag)
            if value and fits(field, value):
                return value
            self.refuse(tag, value)
        return None

    def refuse(self, tag: str, value: str) -> None:
        """Count a value that was taken as dropped after all."""
        if value:
            self._refused.append(tag)

    def dropped(self, unimportant: str) -> tuple[str, ...]:
        """Return the tags of the values that were not taken, except the unimportant (a pattern).

        A value that repeats one that was taken is no loss.
        """
        unused = [
            tag
            for tag, value in self._pairs
            if value not in {"", *self._used} and not re.fullmatch(unimportant, tag)
        ]
        return told(self._refused + unused)


# EndNote writes each further keyword on a line without a tag.
_JOINTS = {"KW": "\n"}


class EntryBuilder:
    """One record while its lines are read: where it begins, and the text lines of each tag.

    `fields` is None in text outside a record, and `line` is 0 before any text.
    """

    def __init__(self, line: int = 0, fields: list[tuple[str, list[str]]] | None = None) -> None:
        self.line = line
        self.fields = fields

    def finished(self) -> Iterator[RawEntry]:
        """Yield the record with the text lines of each tag joined; nothing if there is none."""
        if not self.line:
            return
        if self.fields is None:
            yield self.line, None
        else:
            yield (
                self.line,
                [(tag, _JOINTS.get(tag, " ").join(lines).strip()) for tag, lines in self.fields],
            )


_DEFAULTS = {
    name: field.get_default()
    for name, field in SourceIn.model_fields.items()
    if name not in _NOT_READ
} | {"type": "document", "title": None, "study_design": "not_recorded"}


_LISTS = tuple(name for name, default in _DEFAULTS.items() if isinstance(default, list))


def blank_record() -> Row:
    """Return a record with every field of `SourceIn` but its id and its review, all unknown."""
    return {**_DEFAULTS, **{name: [] for name in _LISTS}}


def parse_entries(
    raw_entries: Iterable[RawEntry],
    parse_entry: Callable[[int, Tags], ParsedEntry],
    first_tag: str,
    parsed: ParsedFile | None,
) -> ParsedFile:
    """Parse the records of a file. A record begins with `first_tag`.

    Text outside a record, a record that names no work and a repeated record are problems.
    """
    parsed = ParsedFile() if parsed is None else parsed
    first_lines: dict[Any, int] = {}
    for line, pairs in raw_entries:
        if pairs is None:
            detail = f"This text stands before a {first_tag} line."
            parsed.add(EntryProblem(line, "text_outside_record", detail))
            continue
        entry = parse_entry(line, Tags(pairs))
        if entry.record["title"] or entry.record["identifiers"]:
            parsed.add(_unless_repeated(entry, first_lines))
        else:
            detail = "The record that begins here has neither a title (TI) nor an identifier."
            parsed.add(EntryProblem(line, "missing_title", detail))
    return parsed


def _unless_repeated(entry: ParsedEntry, first_lines: dict[Any, int]) -> ParsedEntry | EntryProblem:
    """Return the entry, or a problem if it repeats an earlier one, whose marks are given.

    An entry repeats another if all of it is equal, or a DOI, PMID or PMCID and the title.
    """
    marks = _marks(entry.record)
    repeated = [first_lines[mark] for mark in marks if mark in first_lines]
    if repeated:
        detail = f"It repeats the entry on line {min(repeated)}."
        return EntryProblem(entry.line, "repeated_entry", detail)
    first_lines |= dict.fromkeys(marks, entry.line)
    return entry


def _marks(record: Row) -> set[Any]:
    """Return the marks of a record by which another one is recognised as a repetition."""
    title = (record["title"] or "").casefold()
    # A digest, since whole records of a file would be in memory twice.
    marks: set[Any] = {hashlib.sha256(repr(record).encode("utf-8", "replace")).digest()}
    for identifier in record["identifiers"]:
        # Chapters of one book share its ISBN.
        if identifier["scheme"] != "isbn":
            marks.add((identifier["scheme"], identifier["value"], title))
    return marks
