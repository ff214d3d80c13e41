"""Which citation format a file is in, told by its content, and how each is read and written."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from api.formats import bibtex, csl_json, nbib, ris
from api.formats.reading import Reading, decoded
from models.records import Row

Writer = Callable[[Iterable[Row], Mapping[str, str]], Iterator[bytes]]


@dataclass(frozen=True)
class Format:
    """One format: what it is called, its media types (the first is what is sent), its reader and its writer, if any.

    `begins` is what the file, or a line of it, begins with; `looks` says so in words.
    """

    name: str
    media_types: tuple[str, ...]
    extension: str
    read: Callable[[bytes], Reading]
    write: Writer | None
    begins: re.Pattern[str]
    looks: str


# In this order: no file of an earlier format looks like one of a later format first.
FORMATS = {
    entry.name: entry
    for entry in (
        Format(
            "csl_json",
            csl_json.MEDIA_TYPES,
            csl_json.EXTENSION,
            csl_json.read,
            csl_json.write,
            re.compile(r"\A\s*(?:\[\s*[{\]]|\{\s*[\"}]|\[\s*\Z)"),
            "a JSON list or object",
        ),
        Format(
            "ris",
            ris.MEDIA_TYPES,
            ris.EXTENSION,
            ris.read,
            ris.write,
            re.compile(r"^[ \t\ufeff]*TY[ \t]*-[ \t]*[A-Z]+[ \t]*$", re.MULTILINE | re.IGNORECASE),
            "a line 'TY  - JOUR'",
        ),
        Format(
            "nbib",
            nbib.MEDIA_TYPES,
            nbib.EXTENSION,
            nbib.read,
            None,
            re.compile(r"^\ufeff?PMID ?- ?[0-9]+", re.MULTILINE),
            "a line 'PMID- 19060024'",
        ),
        Format(
            "bibtex",
            bibtex.MEDIA_TYPES,
            bibtex.EXTENSION,
            bibtex.read,
            bibtex.write,
            re.compile(r"@\s*[A-Za-z]+\s*[{(]"),
            "an entry '@article{'",
        ),
    )
}


def detect(content: bytes) -> str:
    """Return the name of the format that a file is in; raise ValueError, saying what was looked for, if it is in none.

    Of formats that a file could be in, it is the one whose mark comes first: a note in RIS may quote BibTeX.
    """
    text = decoded(content).removeprefix("ï»¿")
    marks = [(match.start(), name) for name, entry in FORMATS.items() if (match := entry.begins.search(text))]
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
