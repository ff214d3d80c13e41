"""What a file of citations amounts to: records found and problems reported; every entry in it is one or the other."""

import codecs
import re
from collections.abc import Mapping
from urllib.parse import unquote


def decoded(content: bytes) -> str:
    """Return the text of a file: what its byte order mark says, else UTF-8, else Latin-1; line ends become newlines."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # As EndNote exports it on Windows. Nothing else begins so; where it was cut, one character is lost.
        text = content.decode("utf-16", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def on_one_line(text: str, breaks: str = "\r\n") -> str:
    """Return a text in which every run of blanks with a break in it is one space."""
    return re.sub(r"\s+", lambda run: " " if set(run[0]) & set(breaks) else run[0], text).strip()


_DOI_PREFIX = re.compile(r"^(?:(?:info:|urn:)?doi(?:\s*[:/]\s*|\s+|(?=10\.)))+", re.IGNORECASE)
_DOI_RESOLVER = re.compile(r"(?:https?://)?(?:dx\.|www\.)?doi\.org/+", re.IGNORECASE)
_BRACKETS = ("<>", "()", "[]", "{}")


def clean_doi(text: str) -> str:
    """Return the DOI in a field that holds one in any of its spellings, in lower case; whether it is one is not checked.

    `doi:` and resolvers' addresses go, brackets around all of it, and a full stop, comma or semicolon behind it, as
    people paste it. Any other end is the DOI's own: `10.1002/(SICI)…` stays whole. In an address, a percent-encoded
    character is the DOI's own too, which is how `told_identifier` writes one that does end in a full stop.
    """
    if len(text) > 2000:
        return ""
    text = text.strip()
    if text[:1] + text[-1:] in _BRACKETS:
        text = text[1:-1]
    text = _DOI_PREFIX.sub("", text).rstrip(".,; ")
    if address := _DOI_RESOLVER.match(text):
        text = text[address.end() :]
        whole = unquote(text)
        text = text if re.search(r"\s", whole) else whole
    return _DOI_PREFIX.sub("", text).lower()


def told_identifier(identifier: Mapping[str, str]) -> str:
    """Return an identifier as a file holds it: as it is, or, for a DOI that `clean_doi` would shorten, its address."""
    doi = identifier["value"]
    if identifier["scheme"] != "doi" or clean_doi(doi) == doi:
        return doi
    return f"https://doi.org/{doi[:-1].replace('%', '%25')}%{ord(doi[-1]):02X}"
