"""What reading a file of citations gives: every entry, read or in trouble."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Found:
    """One record: fields of `SourceIn` without `id`, still to be validated; `dropped` says what could not be carried."""

    line: int
    record: dict[str, Any]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trouble:
    """One entry that could not be read: the line on which it begins (from 1), a code, and the reason in words."""

    line: int
    code: str
    detail: str


@dataclass
class Reading:
    """The whole file. `len(found) + len(troubles)` is the number of entries in it."""

    found: list[Found] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
