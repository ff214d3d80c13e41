"""What reading a file of citations results in: each entry either parsed, or with its problem."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# The most that is told of one entry: fields that were dropped, or faults. People read a few, and a
# file of 2 MB can have hundreds of thousands.
MOST_TOLD = 20
MOST_NAME_LENGTH = 80


class TooComplex(Exception):
    """A file asks for more work or memory than one file may take."""


@dataclass(frozen=True)
class ParsedEntry:
    """One entry that was read.

    `line` is where it begins, from 1. `record` has fields of `SourceIn` without `id`, still to be
    validated. `dropped` names what the record cannot hold.
    """

    line: int
    record: dict[str, Any]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class EntryProblem:
    """One entry that could not be read: the line on which it begins, a code, and the reason."""

    line: int
    code: str
    detail: str


@dataclass
class ParsedFile:
    """All entries of a file: there are `len(entries) + len(problems)` of them.

    A reader adds each entry as soon as it has it, so that what was read is there if it is ended
    before the end of the file. `most` is the number of entries that a file may have.
    """

    entries: list[ParsedEntry] = field(default_factory=list)
    problems: list[EntryProblem] = field(default_factory=list)
    most: int = field(default=sys.maxsize, compare=False)

    def add(self, found: ParsedEntry | EntryProblem) -> None:
        """Add what the next entry of the file is. Raises TooComplex if the file has too many."""
        if len(self.entries) + len(self.problems) >= self.most:
            raise TooComplex(f"A file has at most {self.most:,} entries")
        if isinstance(found, ParsedEntry):
            self.entries.append(found)
        else:
            self.problems.append(found)


def told(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of what was dropped, each once and short; the last says how many more."""
    distinct = list(dict.fromkeys(names))
    shown = [shortened(name, MOST_NAME_LENGTH) for name in distinct[:MOST_TOLD]]
    rest = len(distinct) - len(shown)
    return (*shown, f"and {rest:,} more") if rest else tuple(shown)


def shortened(text: str, length: int) -> str:
    """Return the beginning of a text that is longer than that, with lone surrogates escaped."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= length else f"{text[: length - 1]}…"
