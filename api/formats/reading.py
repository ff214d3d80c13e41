"""What a file of citations amounts to: records found and problems reported; every entry in it is one or the other."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote


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


def decoded(content: bytes) -> str:
    """Return the text of a file: UTF-8 with or without a byte order mark, else Latin-1; line ends become newlines."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


_DOI_PREFIX = re.compile(r"^(?:(?:info:|urn:)?doi(?:\s*[:/]\s*|\s+|(?=10\.)))+", re.IGNORECASE)
_DOI_RESOLVER = re.compile(r"(?:https?://)?(?:dx\.|www\.)?doi\.org/+", re.IGNORECASE)
_BRACKETS = {")": "(", "]": "[", ">": "<", "}": "{"}


def clean_doi(text: str) -> str:
    """Return the DOI in a text that is one in any of its spellings, in lower case; whether it is one is not checked.

    `doi:` and resolvers' addresses go, and punctuation after it, such as a bracket that was never opened;
    `10.1002/(SICI)…` stays whole.
    """
    if len(text) > 2000:
        return ""
    text = re.sub(_DOI_PREFIX, "", text.strip().lstrip("<["))
    address = _DOI_RESOLVER.match(text)
    if address:
        text = text[address.end() :]
        text = unquote(text) if not re.search(r"\s", unquote(text)) else text
    text = re.sub(_DOI_PREFIX, "", text)
    text = text.split()[0] if text.split() else ""
    while text and (text[-1] in ".,;:'\"”’" or text.count(text[-1]) > text.count(_BRACKETS.get(text[-1], text[-1]))):
        text = text[:-1]
    return text.lower()
