"""The normaliser of citations: what readers do to text, pages, dates, names and identifiers."""

import codecs
import html
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from pydantic_core import PydanticCustomError

from models.core.dates import check_partial_date
from models.records.source import AuthorIn, normalise_identifier

# Text.


def decode_file(content: bytes) -> str:
    """Return the text of a file: what its byte order mark says, else UTF-8, else Latin-1.

    All ends of lines become newlines.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # EndNote on Windows exports UTF-16. In a file that was cut, one character is lost.
        text = content.decode("utf-16", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def line_counter(text: str) -> Callable[[int], int]:
    """Return a function that returns the number of the line, from 1, of a position in the text."""
    # An array, since a list takes five times as much for a file of empty lines.
    breaks = array("l", (match.start() for match in re.finditer("\n", text)))

    def line_at(position: int) -> int:
        return bisect_left(breaks, position) + 1

    return line_at


def on_one_line(text: str, breaks: str = "\r\n") -> str:
    """Return the text, each run of white space that contains a break replaced by one space."""

    def replace(run: re.Match[str]) -> str:
        return " " if set(run[0]) & set(breaks) else run[0]

    return re.sub(r"\s+", replace, text).strip()


_HTML_TAG = re.compile(
    r"</?(?:i|b|u|em|strong|sub|sup|p|br|span|div|scp|sc|jats:[a-z]+|a|font)"
    r"(?:\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*\s*/?>",
    re.IGNORECASE,
)
_HTML_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")


def strip_html(text: str) -> str:
    """Return the text without HTML's tags, its entities decoded; other `<` and `&` stay."""
    return decode_entities(_HTML_TAG.sub("", text)).strip()


def decode_entities(text: str) -> str:
    """Return the text with HTML's entities decoded.

    Python's own function raises an error for a number of thousands of digits.
    """
    return _HTML_ENTITY.sub(lambda entity: html.unescape(entity[0]), text)


# ISO 639-2 codes, as MEDLINE has them, and English names; by ISO 639-1 code.
_LANGUAGE_NAMES = {
    "cs": "cze ces czech", "da": "dan danish", "de": "ger deu german", "el": "gre ell greek",
    "en": "eng english", "es": "spa spanish", "fi": "fin finnish", "fr": "fre fra french",
    "hr": "hrv croatian", "hu": "hun hungarian", "it": "ita italian", "ja": "jpn japanese",
    "ko": "kor korean", "nl": "dut nld dutch", "no": "nor norwegian", "pl": "pol polish",
    "pt": "por portuguese", "ro": "rum ron romanian", "ru": "rus russian", "sk": "slo slk slovak",
    "sl": "slv slovenian", "sr": "srp serbian", "sv": "swe swedish", "tr": "tur turkish",
    "uk": "ukr ukrainian", "zh": "chi zho chinese", "ar": "ara arabic", "fa": "per fas persian",
    "he": "heb hebrew",
}  # fmt: skip
_LANGUAGE_TAGS = {name: tag for tag, names in _LANGUAGE_NAMES.items() for name in names.split()}


def language_tag(text: str) -> str:
    """Return the BCP 47 tag of a MEDLINE code or an English name; any other text as it is."""
    return _LANGUAGE_TAGS.get(text.lower(), text)


# Pages.

_DASH = re.compile("[‐‑‒–—−]")
# The possessive quantifier passes over a run of blanks without a dash once, instead of trying it
# again from each of its blanks.
_SPACED_DASHES = re.compile(r"(?:(?<!\s)\s++)?[-\u2010-\u2015\u2212]+\s*")
_PAGE_LABEL = re.compile(r"^\s*(?:pp?|pages?|S)\.?\s+(?=\S*[0-9])", re.IGNORECASE)


def plain_hyphens(text: str) -> str:
    """Return the text with a plain hyphen for each kind of dash."""
    return _DASH.sub("-", text)


def clean_pages(text: str) -> str:
    """Return pages with plain hyphens and without a label before them: 'pp. 12–15' → '12-15'."""
    return _SPACED_DASHES.sub("-", _PAGE_LABEL.sub("", text)).strip()


# Dates.

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SLASHED_DATE = re.compile(r"([0-9]{4})?/([0-9]{0,2})(?:/([0-9]{0,2})(?:/(.*))?)?", re.DOTALL)
_NUMERIC_DATE = re.compile(r"([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:T.*)?", re.DOTALL)
_NUMERIC_MONTH = re.compile(r"([0-9]{4})-([0-9]{1,2})")


def valid_partial_date(text: str) -> str | None:
    """Return a date of the form YYYY, YYYY-MM or YYYY-MM-DD, or None if there is no such day."""
    try:
        return str(check_partial_date(text)) if text else None
    except PydanticCustomError:
        return None


def longest_valid_date(parts: list[str]) -> tuple[str | None, int]:
    """Return the longest partial date that year, month and day begin with, and its number of parts.

    ['2009', '02', '30'] → ('2009-02', 2). Without a valid year the result is (None, 0).
    """
    for count in range(len(parts), 0, -1):
        if date := valid_partial_date("-".join(parts[:count])):
            return date, count
    return None, 0


def month_number(word: str) -> int | None:
    """Return the number of the month that begins with the first three letters of a word."""
    start = word[:3].lower()
    return MONTHS.index(start) + 1 if start in MONTHS else None


def parse_date(text: str) -> tuple[str | None, str]:
    """Return the partial date at the start of a text, and the rest: ('2009', 'Winter').

    It reads 2009/09/02/other, 2009-09-02, 20090902, 2009 Sep 2 and 2 September 2009; of a span, the
    beginning.
    """
    text = text.strip()
    if match := _SLASHED_DATE.fullmatch(text):
        year, month, day, rest = (part or "" for part in match.groups())
        return _date_and_rest(year, month, day, rest)
    if match := _NUMERIC_DATE.fullmatch(text):
        return _date_and_rest(match[1], match[2], match[3], "")
    if match := _NUMERIC_MONTH.fullmatch(text):
        return _date_and_rest(match[1], match[2], "", "")
    return _parse_date_in_words(text)


def _parse_date_in_words(text: str) -> tuple[str | None, str]:
    year = month = day = ""
    rest = []
    for word in re.split(r"[\s,;/.-]+", text):
        number = month_number(word) if word.isalpha() else None
        if not year and re.fullmatch(r"[0-9]{4}", word):
            year = word
        elif number and not month:
            month = str(number)
        elif not day and re.fullmatch(r"[0-9]{1,2}", word):
            day = word
        elif word:
            rest.append(word)
    if day and not month:
        rest.append(day)
        day = ""
    return _date_and_rest(year, month, day, " ".join(rest))


def _date_and_rest(year: str, month: str, day: str, rest: str) -> tuple[str | None, str]:
    """Return as much of a date as exists; what does not exist goes before the rest."""
    parts = [year]
    if month:
        parts += [part.zfill(2) for part in (month, day) if part]
    date, count = longest_valid_date(parts)
    unused = parts[count:] if date else [part for part in (year, month, day) if part]
    return date, " ".join([*unused, rest]).strip()


# Identifiers.

_DOI_PREFIX = re.compile(r"^(?:(?:info:|urn:)?doi(?:\s*[:/]\s*|\s+|(?=10\.)))+", re.IGNORECASE)
_DOI_RESOLVER = re.compile(r"(?:https?://)?(?:dx\.|www\.)?doi\.org/+", re.IGNORECASE)
_BRACKETS = ("<>", "()", "[]", "{}")


def valid_identifier(scheme: str, text: str) -> str | None:
    """Return the normal form of an identifier, or None if it is not one of its scheme."""
    try:
        return normalise_identifier(scheme, text)
    except PydanticCustomError:
        return None


def unverified(scheme: str, value: str) -> dict[str, str]:
    """Return an identifier of a record that was read: a file cannot vouch for it."""
    return {"scheme": scheme, "value": value, "verification": "unverified"}


def clean_doi(text: str) -> str:
    """Return the DOI in a field that holds one in any spelling, in lower case, without checking it.

    Removed are `doi:` and resolvers' addresses, brackets around all of it, and a full stop, comma
    or semicolon after it, as people paste it. Any other end belongs to the DOI: `10.1002/(SICI)…`
    stays whole. In an address, a percent-encoded character belongs to the DOI too, which is how
    `identifier_text` writes a DOI that does end in a full stop.
    """
    if len(text) > 2000:
        return ""
    text = text.strip()
    if text[:1] + text[-1:] in _BRACKETS:
        text = text[1:-1]
    text = _DOI_PREFIX.sub("", text).rstrip(".,; ")
    if address := _DOI_RESOLVER.match(text):
        text = text[address.end() :]
        unquoted = unquote(text)
        text = text if re.search(r"\s", unquoted) else unquoted
    return _DOI_PREFIX.sub("", text).lower()


def identifier_text(identifier: Mapping[str, str]) -> str:
    """Return an identifier as a file holds it: its value, or the address of a DOI.

    An address is used for a DOI that `clean_doi` would shorten.
    """
    doi = identifier["value"]
    if identifier["scheme"] != "doi" or clean_doi(doi) == doi:
        return doi
    return f"https://doi.org/{doi[:-1].replace('%', '%25')}%{ord(doi[-1]):02X}"


# Names.

Name = dict[str, str | None]

NO_NAME: Name = dict.fromkeys(AuthorIn.model_fields)
SUFFIX = re.compile(r"(Jr|Sr|II|III|IV|2nd|3rd|4th)\.?", re.IGNORECASE)
OTHERS = re.compile(r"(and\s+)?others|et\.?\s+al\.?", re.IGNORECASE)


def split_particle(family: str) -> tuple[str | None, str]:
    """Split 'van den Berg' into 'van den' and 'Berg': the particle is the words in lower case."""
    words = family.split(" ")
    count = 0
    while count < len(words) - 1 and words[count][:1].islower():
        count += 1
    return " ".join(words[:count]) or None, " ".join(words[count:])


def name_line(author: Mapping[str, Any]) -> str:
    """Return an author as `Family, Given, Suffix`, the particle before the family; a group as it
    is.

    A person without a given name keeps the comma: 'Chafe,'.
    """
    if author["literal"]:
        return str(author["literal"])
    particle = author["particle"] or ""
    separator = "" if particle[-1:] in ("", "'", "’", "-") else " "
    family = f"{particle}{separator}{author['family']}"
    if author["suffix"]:
        return f"{family}, {author['given'] or ''}, {author['suffix']}"
    return f"{family}, {author['given'] or ''}".rstrip(" ")


def parse_name(text: str) -> Name:
    """Return the name in a line such as 'van den Berg, Jan, Jr'; without a comma, that of a group.

    EndNote ends the name of a group with a comma; this program ends that of a person without a
    given name with one. So one word with a comma is a person.
    """
    family, *others = (part.strip() for part in text.split(","))
    given = others[0] if others else ""
    suffix = ", ".join(part for part in others[1:] if part)
    if SUFFIX.fullmatch(given) and (suffix or len(others) == 1):
        given, suffix = suffix, given
    particle, family = split_particle(family)
    is_group = not others or (not given and not suffix and " " in family)
    if is_group or not family:
        return {**NO_NAME, "literal": text.rstrip(", ") or text}
    return {
        **NO_NAME,
        "family": family,
        "given": given or None,
        "particle": particle,
        "suffix": suffix or None,
    }
