"""What reading a file of citations results in: each entry either parsed, or with its problem."""

from dataclasses import dataclass, field
from typing import Any


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
    """All entries of a file: there are `len(entries) + len(problems)` of them."""

    entries: list[ParsedEntry] = field(default_factory=list)
    problems: list[EntryProblem] = field(default_factory=list)
