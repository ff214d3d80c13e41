"""What the readers of tagged lines, RIS and NBIB, share."""

import html
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from api.citations.clean import clean_doi, on_one_line
from api.citations.parse_result import Found, Reading, Trouble
from models.core import vocabularies as v
from models.core.types import REVIEWED, check_partial_date
from models.records.serializers import Row
from models.records.source import AuthorIn, SourceIn, normal_identifier

NOBODY: dict[str, str | None] = dict.fromkeys(AuthorIn.model_fields)
SUFFIX = re.compile(r"(Jr|Sr|II|III|IV|2nd|3rd|4th)\.?", re.IGNORECASE)
OTHERS = re.compile(r"(and\s+)?others|et\.?\s+al\.?", re.IGNORECASE)
# The user's own fields, where RIS carries them.
FITS = {
    "study_design": re.compile("|".join(v.STUDY_DESIGNS.ids)),
    "sample_size": re.compile(r"[0-9]{1,9}"),
    "sample": re.compile(r".+", re.DOTALL),
    "text_sha256": re.compile(r"[0-9a-f]{64}"),
    "accessed": re.compile(r"[0-9]{4}(?:-[0-9]{2}){0,2}"),
    "integrity_date": re.compile(r"[0-9]{4}(?:-[0-9]{2}){0,2}"),
}
# ISO 639-2 codes, as MEDLINE has them, and English names; by ISO 639-1.
LANGUAGES = {
    name: code
    for code, names in {
        "cs": "cze ces czech", "da": "dan danish", "de": "ger deu german", "el": "gre ell greek", "en": "eng english",
        "es": "spa spanish", "fi": "fin finnish", "fr": "fre fra french", "hr": "hrv croatian", "hu": "hun hungarian",
        "it": "ita italian", "ja": "jpn japanese", "ko": "kor korean", "nl": "dut nld dutch", "no": "nor norwegian",
        "pl": "pol polish", "pt": "por portuguese", "ro": "rum ron romanian", "ru": "rus russian", "sk": "slo slk slovak",
        "sl": "slv slovenian", "sr": "srp serbian", "sv": "swe swedish", "tr": "tur turkish", "uk": "ukr ukrainian",
        "zh": "chi zho chinese", "ar": "ara arabic", "fa": "per fas persian", "he": "heb hebrew",
    }.items()
    for name in names.split()
}  # fmt: skip
MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_MARKUP = re.compile(
    r"</?(?:i|b|u|em|strong|sub|sup|p|br|span|div|scp|sc|jats:[a-z]+|a|font)"
    r"(?:\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*\s*/?>",
    re.IGNORECASE,
)
_DASHES = re.compile("[‐‑‒–—−]")


class Tags:
    """The tagged values of one record, in order; what nobody takes is left, and so is reported."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = [(tag, value) for tag, value in pairs if value or tag == "N1"]
        self._taken: set[str] = set()
        self._refused: list[str] = []

    def pairs(self, *tags: str) -> list[tuple[str, str]]:
        """Take all values of these tags, in the order of the file."""
        taken = [pair for pair in self._pairs if pair[0] in tags]
        self._pairs = [pair for pair in self._pairs if pair[0] not in tags]
        return taken

    def all(self, *tags: str) -> list[str]:
        """Take all values of these tags, without the tags."""
        return [value for _, value in self.pairs(*tags)]

    def first(self, *tags: str) -> str:
        """Take the first value of the first of these tags that is there, without markup; '' if none is."""
        for tag in tags:
            for index, (name, value) in enumerate(self._pairs):
                if name == tag:
                    self._taken.add(value)
                    del self._pairs[index]
                    return plain(value)
        return ""

    def refuse(self, tag: str, value: str) -> None:
        """Count a value that was taken as left after all."""
        if value:
            self._refused.append(tag)

    def left(self, unimportant: str) -> tuple[str, ...]:
        """Return the tags of what is left but for the unimportant ones (a pattern); what repeats what was taken is no loss."""
        left = [
            tag
            for tag, value in self._pairs
            if value not in {"", *self._taken} and not re.fullmatch(unimportant, tag)
        ]
        return tuple(dict.fromkeys(self._refused + left))


def joined(pairs: list[tuple[str, list[str]]] | None) -> list[tuple[str, str]] | None:
    """Return tagged values with the lines of each as one."""
    return None if pairs is None else [(tag, " ".join(lines).strip()) for tag, lines in pairs]


def blank() -> Row:
    """Return a record with every field of `SourceIn` but its id and its review, none of them known."""
    fields = {
        name: field.get_default()
        for name, field in SourceIn.model_fields.items()
        if name not in ("id", *REVIEWED)
    }
    return {
        **fields,
        "type": "document",
        "title": None,
        "study_design": "not_recorded",
        "authors": [],
        "identifiers": [],
    }


def flat(value: Any) -> str:
    """Return a value on one line."""
    return on_one_line(str(value))


def plain(text: str) -> str:
    """Return text without HTML's tags and named characters; other `<` and `&` stay."""
    text = _MARKUP.sub("", text)
    return re.sub(
        r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});", _character, text
    ).strip()


def _character(match: re.Match[str]) -> str:
    return html.unescape(match[0])


def hyphened(text: str) -> str:
    """Return a page range with plain hyphens."""
    return _DASHES.sub("-", text)


def language(text: str) -> str:
    """Return the BCP 47 tag of a language given by its MEDLINE code or English name; anything else as it is."""
    return LANGUAGES.get(text.lower(), text)


def particle(family: str) -> tuple[str | None, str]:
    """Split 'van den Berg' into 'van den' and 'Berg': words in lower case come before the family name."""
    words = family.split(" ")
    count = 0
    while count < len(words) - 1 and words[count][:1].islower():
        count += 1
    return " ".join(words[:count]) or None, " ".join(words[count:])


def name_line(author: Mapping[str, Any]) -> str:
    """Return an author as `Family, Given, Suffix`, the particle before the family; a group as it is.

    A person without a given name keeps the comma: 'Chafe,'.
    """
    if author["literal"]:
        return str(author["literal"])
    before = author["particle"] or ""
    family = before + ("" if before[-1:] in ("", "'", "’", "-") else " ") + author["family"]
    if author["suffix"]:
        return f"{family}, {author['given'] or ''}, {author['suffix']}"
    return f"{family}, {author['given'] or ''}".rstrip(" ")


def parse_name(text: str) -> dict[str, str | None]:
    """Return the name in an `AU` line: words in lower case before the family are its particle; no comma, a group.

    EndNote writes a group with a comma at its end, we a person without a given name: one word is a person.
    """
    family, *rest = (part.strip() for part in text.split(","))
    given, suffix = (rest[0] if rest else ""), ", ".join(part for part in rest[1:] if part)
    if SUFFIX.fullmatch(given) and (suffix or len(rest) == 1):
        given, suffix = suffix, given
    before, family = particle(family)
    group = not rest or (not given and not suffix and " " in family)
    if group or not family:
        return {**NOBODY, "literal": text.rstrip(", ") or text}
    return {
        **NOBODY,
        "family": family,
        "given": given or None,
        "particle": before,
        "suffix": suffix or None,
    }


def _normal(scheme: str, value: str) -> str | None:
    try:
        return normal_identifier(scheme, value)
    except PydanticCustomError:
        return None


def identify(record: Row, scheme: str, text: str) -> bool:
    """Add an identifier to the record, unverified; say whether it is one that it now has."""
    if len(text) > 2000:
        return False
    if scheme == "doi":
        value = _normal("doi", clean_doi(text))
    elif scheme == "isbn":
        value = _normal(scheme, re.sub(r"\(.*?\)|isbn|[\s:-]", "", text, flags=re.IGNORECASE))
    else:
        value = _normal(
            scheme,
            re.sub(r"^(pmid|pmcid)\s*:?\s*|\.[0-9]+$|\s*\[.*\]$", "", text, flags=re.IGNORECASE),
        )
    present = {each["scheme"]: each["value"] for each in record["identifiers"]}
    if value and scheme not in present:
        record["identifiers"].append(
            {"scheme": scheme, "value": value, "verification": "unverified"}
        )
        return True
    return bool(value) and present[scheme] == value


def partial_date(text: str) -> tuple[str | None, str]:
    """Return the partial date that a text begins with, and what else it says: '2009 Winter' → ('2009', 'Winter').

    It reads 2009/09/02/other, 2009-09-02, 20090902, 2009 Sep 2 and 2 September 2009; of a span, the beginning.
    """
    text = text.strip()
    numbers = re.fullmatch(
        r"([0-9]{4})?/([0-9]{0,2})(?:/([0-9]{0,2})(?:/(.*))?)?|([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?:T.*)?|([0-9]{4})-([0-9]{1,2})",
        text,
        re.DOTALL,
    )
    if numbers:
        year, month, day = (
            next((part for part in numbers.groups()[n::4] if part), "") for n in (0, 1, 2)
        )
        if numbers[8]:
            year, month, day = numbers[8], numbers[9], ""
        return _dated(year, month, day, numbers[4] or "")
    year = month = day = ""
    rest = []
    for word in re.split(r"[\s,;/.-]+", text):
        number = MONTHS.get(word[:3].lower()) if word.isalpha() else None
        if not year and re.fullmatch(r"[0-9]{4}", word):
            year = word
        elif number and not month:
            month = str(number)
        elif not day and re.fullmatch(r"[0-9]{1,2}", word):
            day = word
        elif word:
            rest.append(word)
    return _dated(
        year, month, day if month else "", " ".join(rest if month or not day else [*rest, day])
    )


def _dated(year: str, month: str, day: str, other: str) -> tuple[str | None, str]:
    parts = [year, *(part.zfill(2) for part in (month, day) if part)] if month else [year]
    for count in range(len(parts), 0, -1):
        try:
            date = check_partial_date("-".join(parts[:count]))
        except PydanticCustomError:
            continue
        return str(date), " ".join([*parts[count:], other]).strip()
    return None, " ".join([*(part for part in (year, month, day) if part), other]).strip()


def gathered(
    entries: Iterable[tuple[int, list[tuple[str, str]] | None]],
    found_in: Callable[[int, Tags], Found],
    first: str,
) -> Reading:
    """Read the records of a file of tagged lines, each found or in trouble; None among them is text outside a record.

    `first` is the tag with which a record begins.
    """
    reading = Reading()
    for line, fields in entries:
        if fields is None:
            reading.troubles.append(
                Trouble(line, "text_outside_record", f"This text stands before a {first} line.")
            )
            continue
        found = found_in(line, Tags(fields))
        if found.record["title"]:
            reading.found.append(found)
        else:
            reading.troubles.append(
                Trouble(line, "missing_title", "The record that begins here has no title (TI).")
            )
    return without_repeats(reading)


def without_repeats(reading: Reading) -> Reading:
    """Return the reading with every entry that repeats an earlier one turned into a trouble.

    An entry repeats another if all of it is the same, or a DOI, PMID or PMCID and the title.
    """
    seen: dict[Any, int] = {}
    kept = []
    for found in reading.found:
        title = str(found.record["title"]).casefold()
        names = {
            (each["scheme"], each["value"], title)
            for each in found.record["identifiers"]
            if each["scheme"] != "isbn"
        }
        marks = names | {repr(found.record)}
        first = min((seen[mark] for mark in marks if mark in seen), default=None)
        if first is None:
            kept.append(found)
            seen |= dict.fromkeys(marks, found.line)
        else:
            reading.troubles.append(
                Trouble(found.line, "repeated_entry", f"It repeats the entry on line {first}.")
            )
    return Reading(kept, sorted(reading.troubles, key=lambda trouble: trouble.line))
