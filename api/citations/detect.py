"""Which citation format a file is in, told by its content, and how each is read; `citations` has those that are written."""

import re
from collections.abc import Callable
from typing import NamedTuple

from api.citations import bibtex, csl_json, nbib, ris
from api.citations.clean import decoded
from api.citations.parse_result import Reading


class Format(NamedTuple):
    """How a format is read, and what a file of it, or a line of the file, begins with; `looks` says so in words."""

    read: Callable[[bytes], Reading]
    begins: re.Pattern[str]
    looks: str


# In this order: no file of an earlier format looks like one of a later format first.
FORMATS = {
    "csl_json": Format(
        csl_json.read,
        re.compile(r"\A\s*(?:\[\s*[{\]]|\{\s*[\"}]|\[\s*\Z)"),
        "a JSON list or object",
    ),
    "ris": Format(
        ris.read,
        re.compile(r"^[ \t\ufeff]*TY[ \t]*-[ \t]*[A-Z]+[ \t]*$", re.MULTILINE | re.IGNORECASE),
        "a line 'TY  - JOUR'",
    ),
    "nbib": Format(
        nbib.read, re.compile(r"^\ufeff?PMID ?- ?[0-9]+", re.MULTILINE), "a line 'PMID- 19060024'"
    ),
    "bibtex": Format(bibtex.read, re.compile(r"@\s*[A-Za-z]+\s*[{(]"), "an entry '@article{'"),
}


def detect(content: bytes) -> str:
    """Return the name of the format that a file is in; raise ValueError, saying what was looked for, if it is in none.

    Of formats that a file could be in, it is the one whose mark comes first: a note in RIS may quote BibTeX.
    """
    text = decoded(content).removeprefix("ï»¿")
    marks = [
        (match.start(), name)
        for name, entry in FORMATS.items()
        if (match := entry.begins.search(text))
    ]
    if not marks:
        raise ValueError(
            f"This is no citation file: it has neither {', nor '.join(e.looks for e in FORMATS.values())}."
        )
    return min(marks, key=lambda mark: mark[0])[1]


def read(content: bytes, name: str | None = None) -> Reading:
    """Return what a file of citations amounts to, read in the named format or the one that it turns out to be in.

    Raise ValueError for a name that is none and for a file in no format.
    """
    if name is not None and name not in FORMATS:
        raise ValueError(f"'{name}' is not a format that is read; these are: {', '.join(FORMATS)}.")
    return FORMATS[name or detect(content)].read(content)
