"""The records of a file of CSL-JSON, and the names that `csl_json` writes them under."""

import json
import re
from bisect import bisect
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic_core import PydanticCustomError

from api.citations.clean import clean_doi, decoded, on_one_line
from api.citations.parse_result import Found, Reading, Trouble
from models.core import vocabularies as v
from models.core.types import check_partial_date
from models.records.serializers import Row
from models.records.source import normal_identifier

TYPES = {term.id: term.crosswalk["csl"] for term in v.SOURCE_TYPES.terms}
# Types of CSL, and of Crossref's own, that we do not tell apart, by the nearest one that we have.
NEAR_TYPES = {
    **dict.fromkeys(
        ("article-magazine", "article-newspaper", "review", "journal-article"), "article-journal"
    ),
    **dict.fromkeys(("entry", "entry-dictionary", "entry-encyclopedia", "book-chapter"), "chapter"),
    **dict.fromkeys(("speech", "proceedings-article"), "paper-conference"),
    **dict.fromkeys(("post", "post-weblog"), "webpage"),
    **dict.fromkeys(("classic", "collection", "monograph", "edited-book"), "book"),
    **dict.fromkeys(("manuscript", "posted-content"), "article"),
    **dict.fromkeys(("regulation", "standard"), "report"),
    "dissertation": "thesis",
}
SCHEMES = {term.id: term.crosswalk["csl"] for term in v.IDENTIFIER_SCHEMES.terms}
# Ours and CSL's; the first of several is what is written, the others are read where it is absent.
TITLES = {
    "title": ("title",),
    "container_title": ("container-title",),
    "container_title_short": (
        "container-title-short",
        "journalAbbreviation",
        "shortContainerTitle",
    ),
    "publisher": ("publisher",),
}
PLAIN = {
    "volume": ("volume",),
    "issue": ("issue",),
    "page": ("page", "page-first"),
    "number": ("number", "article-number"),
    "url": ("URL",),
    "language": ("language",),
    "note": ("note",),
}
DATES = {"issued": "issued", "epub_date": "available-date", "accessed": "accessed"}
PARTS = {
    "family": "family",
    "given": "given",
    "particle": "non-dropping-particle",
    "suffix": "suffix",
    "literal": "literal",
}
OTHER_PARTS = ("dropping-particle", "name")
# What stands in `custom`, and of what kind it is.
CUSTOM: dict[str, type] = {
    "study_design": str,
    "sample_size": int,
    "sample": str,
    "integrity_note": str,
    "integrity_date": str,
    "text_sha256": str,
}
FLAGS = ("authors_complete", "issued_inferred")
# What people write around an identifier.
PREFIXES = {
    "pmid": (
        r"^https?://(?:www\.)?(?:pubmed\.ncbi|ncbi)\.nlm\.nih\.gov/(?:pubmed/)?|/$",
        r"^pmid:?\s*",
    ),
    "pmcid": (
        r"^https?://(?:www\.)?(?:pmc\.ncbi|ncbi)\.nlm\.nih\.gov/(?:pmc/)?articles/|/$",
        r"^pmcid:?\s*",
    ),
    "isbn": (r"^isbn(?:-1[03])?:?\s*",),
}
STATUSES = {term.id: term.label for term in v.INTEGRITIES.terms if term.id != "no_notice"}
# Written so that a run of blanks without a dash is passed over once, not tried from each of its blanks.
_DASH = re.compile(r"(?:(?<!\s)\s++)?(?:--+|[\u2010-\u2015\u2212])\s*")
GO_ON = ("others", "et al", "et al.", "and others")
# What is no variable of a work, or is written twice.
IGNORED = {"id", "citation-key", "type", "custom", "author", "status", "journalAbbreviation"}

Text = str | None


def read(content: bytes) -> Reading:
    """Find every item of a file: an array, an object, objects one after the other, or an object with `items`.

    Where the JSON is broken or cut, the items before the break are found and the rest is one trouble, at its line.
    """
    text = decoded(content)
    begins = [0, *(match.end() for match in re.finditer("\n", text))]
    reading = Reading()
    for start, entry in _entries(text):
        line = bisect(begins, start)
        if isinstance(entry, _Broken):
            detail = (
                f"{entry.reason} at line {bisect(begins, entry.place)}; nothing after it was read."
            )
            reading.troubles.append(Trouble(line, "malformed_json", detail))
        elif not isinstance(entry, dict):
            reading.troubles.append(
                Trouble(line, "not_an_item", "An item of CSL-JSON is an object.")
            )
        elif not entry.keys() - {"id", "type", "citation-key"}:
            reading.troubles.append(
                Trouble(line, "empty_item", "The item says nothing about a work.")
            )
        else:
            reading.found.append(_found(line, entry))
    return reading


class _Broken(NamedTuple):
    """Stands for what is not JSON: why, and where that shows."""

    reason: str
    place: int


# Control characters within strings do no harm; Python takes them only when it is not strict.
_DECODER = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[ \t\n\r]*")
_WRAPPED = re.compile(r'\{\s*"(?:items|references)"\s*:\s*(?=\[)')


def _entries(text: str) -> Iterator[tuple[int, Any]]:
    """Yield each element with the place where it begins; the last one is `_Broken` where the text is no JSON."""
    place = _after(text, 0)
    wrapped = _WRAPPED.match(text, place)
    place = wrapped.end() if wrapped else place
    if not text.startswith("[", place):
        yield from _one_after_the_other(text, place)
        return
    opened, place = place, _after(text, place + 1)
    while not text.startswith("]", place):
        if place >= len(text):
            yield (
                place if place > opened + 1 else opened,
                _Broken("The list is not closed: the file ends", len(text)),
            )
            return
        entry, end = _decoded(text, place)
        yield place, entry
        if isinstance(entry, _Broken):
            return
        place = _after(text, end)
        if text.startswith(",", place):
            place = _after(text, place + 1)
        elif place < len(text) and not text.startswith("]", place):
            yield place, _Broken("A comma is missing", place)
            return
    place = _after(text, place + 1)
    if place < len(text) and not wrapped:
        yield from _one_after_the_other(text, place)


def _one_after_the_other(text: str, place: int) -> Iterator[tuple[int, Any]]:
    while place < len(text):
        entry, end = _decoded(text, place)
        yield place, entry
        if isinstance(entry, _Broken):
            return
        place = _after(text, end)


def _after(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


def _decoded(text: str, place: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, place)
    except json.JSONDecodeError as error:
        return _Broken(f"Not JSON ({error.msg})", error.pos), error.pos
    except (
        ValueError,
        RecursionError,
    ):  # A number of thousands of digits; a list in a list in a list, …
        return _Broken("Not JSON that can be read (too large a number, or too deep)", place), place


def _found(line: int, entry: Row) -> Found:
    """Return the record that an item amounts to, with the names of what it cannot hold."""
    dropped: list[str] = []
    record: Row = {"type": _type(entry, dropped)}
    known = set(IGNORED)
    for table, clean in ((TITLES, _unmarked), (PLAIN, str.strip)):
        for ours, names in table.items():
            known |= set(names)
            values = [
                (name, _text(entry[name]))
                for name in names
                if entry.get(name) not in (None, "", [])
            ]
            told = [clean(value) for _, value in values if value is not None]
            dropped += [
                name
                for name, value in values
                if value is None or clean(value) != told[0] or _more(entry[name])
            ]
            if told and told[0]:
                record[ours] = told[0]
    for ours, csl in DATES.items():
        known.add(csl)
        date, inferred = _date(entry.get(csl), csl, dropped)
        if date:
            record[ours] = date
        if inferred and ours == "issued":
            record["issued_inferred"] = True
    record["authors"], record["authors_complete"] = _authors(entry.get("author"), dropped)
    record["identifiers"] = []
    for scheme, csl in SCHEMES.items():
        known.add(csl)
        if entry.get(csl) not in (None, "", []):
            value = _identifier(scheme, _text(entry[csl]) or "")
            if value:
                record["identifiers"].append(
                    {"scheme": scheme, "value": value, "verification": "unverified"}
                )
            # A book has an ISBN a binding; one is kept.
            if (
                not value
                or _more(entry[csl])
                or (scheme == "isbn" and len(_text(entry[csl]) or "") > 24)
            ):
                dropped.append(csl)
    if "page" in record:
        record["page"] = _DASH.sub("-", record["page"])
    if "url" in record and not re.fullmatch(r"https?://\S+", record["url"]):
        dropped.append("URL")
        del record["url"]
    status = (_text(entry.get("status")) or "").strip().lower()
    if status in STATUSES.values():
        record["integrity"] = next(term for term, label in STATUSES.items() if label == status)
    elif entry.get("status"):
        dropped.append("status")
    record |= _custom(entry.get("custom"), dropped)
    if record.get("integrity") and not record.get("integrity_note"):
        record["integrity_note"] = (
            f"The file it was read from gives its status as '{STATUSES[record['integrity']]}'."
        )
    dropped += [name for name in entry if name not in known]
    return Found(line, {"study_design": "not_recorded", **record}, tuple(dict.fromkeys(dropped)))


def _type(entry: Row, dropped: list[str]) -> str:
    given = entry.get("type")
    for ours, csl in TYPES.items():
        if given == csl:
            return ours
    if given is not None:
        dropped.append("type")
    return NEAR_TYPES.get(given, "document") if isinstance(given, str) else "document"


def _text(value: object) -> Text:
    """Return a text or a number as text, of a list its first; None for anything else."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _more(value: object) -> bool:
    return isinstance(value, list) and len(value) > 1


MARKUP = (
    r"</?(?:i|b|em|strong|u|sub|sup|sc|scp|span|p|title|(?:jats|mml):[a-zA-Z]+)(?:\s[^<>]*)?/?>"
)
ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos|nbsp)|#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6}));")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " "}


def _unmarked(text: str) -> str:
    """Return a text without the markup that CSL allows and Crossref sends, on one line."""
    text = ENTITY.sub(_character, re.sub(MARKUP, "", text))
    return on_one_line(text, "\t\n\r")


def _character(entity: re.Match[str]) -> str:
    if entity[1]:
        return _ENTITIES[entity[1]]
    code = int(entity[2]) if entity[2] else int(entity[3], 16)
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else entity[0]


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NUMBERED = re.compile(r"([0-9]{4})(?:[-/.]([0-9]{1,2})(?:[-/.]([0-9]{1,2}))?)?(?:T[0-9:.Z+-]*)?")
_WORDED = re.compile(
    r"(?:([0-9]{1,2})\.? )?([a-z]{3})[a-z]*\.?,? (?:([0-9]{1,2}),? )?([0-9]{4})", re.IGNORECASE
)
_YEAR_FIRST = re.compile(r"([0-9]{4}) ([a-z]{3})[a-z]*\.?(?: ([0-9]{1,2}))?", re.IGNORECASE)


def _date(value: object, name: str, dropped: list[str]) -> tuple[Text, bool]:
    """Return the partial date that a date variable amounts to, and whether it is marked as uncertain."""
    if value in (None, "", [], {}):
        return None, False
    circa = False
    if isinstance(value, dict):
        circa = value.get("circa") not in (None, False, 0, "", "0", "false")
        dropped += [f"{name}.season"] * bool(value.get("season"))
        listed = value.get("date-parts")
        if isinstance(listed, list) and listed and isinstance(listed[0], list):
            dropped += [f"{name}.end"] * (len(listed) > 1)
            parts = [part for part in map(_text, listed[0]) if part and part != "0"]
            if not parts:
                return None, circa
            value = "-".join([parts[0].zfill(4), *parts[1:]])
        else:
            value = next((value[form] for form in ("raw", "literal") if value.get(form)), None)
    told = (_text(value) or "").strip()
    if interval := re.fullmatch(r"([0-9]{4}(?:-[0-9-]+)?[?~%]?)/([0-9]{4}.*|\.\.)", told):
        dropped.append(f"{name}.end")
        told = interval[1]
    # EDTF's marks of doubt.
    date, whole = _partial(told.rstrip("?~%"))
    dropped += [name] * (not whole)
    return date, circa or told[-1:] in ("?", "~", "%")


def _partial(told: str) -> tuple[Text, bool]:
    """Return YYYY[-MM[-DD]] from a date in numbers or English words, as far as it exists, and whether that is all of it."""
    if match := _NUMBERED.fullmatch(told):
        parts = list(match.groups())
    elif match := _WORDED.fullmatch(told):
        parts = [match[4], match[2], match[1] or match[3]]
    elif match := _YEAR_FIRST.fullmatch(told):
        parts = list(match.groups())
    else:
        return None, False
    month = (parts[1] or "").lower()
    parts[1] = str(_MONTHS.index(month) + 1) if month in _MONTHS else parts[1]
    given = [part.zfill(2) for part in parts if part]
    for length in range(len(given), 0, -1):
        try:
            return str(check_partial_date("-".join(given[:length]))), length == len(given)
        except PydanticCustomError:
            continue
    return None, False


def _authors(value: object, dropped: list[str]) -> tuple[list[Row], bool]:
    """Return the authors, and whether the list is complete."""
    authors: list[Row] = []
    names = value if isinstance(value, list) else [value] if value else []
    for given in names:
        name = given if isinstance(given, dict) else {"literal": given}
        told = {
            part: " ".join((_text(name.get(part)) or "").split())
            for part in (*PARTS.values(), *OTHER_PARTS)
        }
        author: Row = {ours: told[csl] for ours, csl in PARTS.items() if told[csl]}
        if told["dropping-particle"]:
            author["particle"] = f"{told['dropping-particle']} {author.get('particle', '')}".strip()
        literal = author.pop("literal", "") or told["name"]
        if "family" not in author and (literal or author):
            dropped += [f"author.{part}" for part in author if literal]
            author = {"literal": literal or " ".join(author.values())}
        elif literal:
            dropped.append("author.literal")
        dropped += [
            f"author.{part}"
            for part in name
            if part not in (*PARTS.values(), "name") and name[part]
        ]
        dropped += ["author"] * (not author)
        authors += [author] * bool(author)
    go_on = bool(authors) and authors[-1].get("literal", "").lower() in GO_ON
    return authors[: len(authors) - go_on], not go_on


def _identifier(scheme: str, told: str) -> Text:
    """Return the one form of an identifier, taken out of an address or what else is written about it; None if none."""
    told = told.strip()
    if scheme == "doi":
        return _normal(scheme, clean_doi(told))
    for prefix in PREFIXES.get(scheme, ()):
        told = re.sub(prefix, "", told, flags=re.IGNORECASE)
    if scheme == "isbn":
        told = re.split(r"(?<![\s,;(])[\s,;(]++(?=97[89]|[0-9]{9})", told.replace("-", ""))[
            0
        ].replace(" ", "")
    told = told.rstrip(".,; \t\n\r")
    if scheme == "pmcid" and told.isdigit():
        told = f"PMC{told}"
    return _normal(scheme, told)


def _normal(scheme: str, told: str) -> Text:
    try:
        return normal_identifier(scheme, told)
    except PydanticCustomError:
        return None


def _custom(given: object, dropped: list[str]) -> Row:
    """Return what a writer of this module has put under `custom`; anything else there is dropped."""
    if not isinstance(given, dict):
        dropped += ["custom"] * (given not in (None, "", []))
        return {}
    valid: Row = {}
    for name, value in given.items():
        fits = isinstance(value, bool if name in FLAGS else CUSTOM.get(name, ())) and isinstance(
            value, bool
        ) == (name in FLAGS)
        if fits and (name != "study_design" or value in v.STUDY_DESIGNS.ids):
            valid[name] = value
        elif name not in ("source", "unverified"):
            dropped.append(f"custom.{name}")
    return valid
