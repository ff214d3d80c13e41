"""Ovid's citations as text, in both of its forms: tags (`TI  - On veins`), as "Citavi" and "Ovid
tagged" have them, and names on a line of their own with the value below.

A record begins with its number, `<1. >` or `<1>`. Each becomes the tags of RIS, which `ris` reads.
What stands in a file differs by the database that was searched; see
https://ospguides.ovid.com/OSPguides/medline.htm for the most common one.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from api.citations.clean import decode_file, parse_date
from api.citations.parse_result import ParsedFile
from api.citations.ris import parse_entry
from api.citations.tagged_lines import RawEntry, TagValue, parse_entries

_NUMBER = re.compile(r"<[0-9]{1,7}\. ?>|<[0-9]{1,7}>")
_TAG_LINE = re.compile(r"([A-Z][A-Z0-9]) {1,2}- ?(.*)")
# A name stands at the beginning of its line, as in "Author Keywords"; values are indented.
_NAME_LINE = re.compile(r"[A-Z][A-Za-z/@ ()-]{1,60}")
_TAG_OF_NAME = {
    "unique identifier": "UI", "accession number": "AN", "pmid": "PM", "pubmed id": "PM",
    "title": "TI", "chapter title": "TI", "book title": "BT", "original title": "OL",
    "author": "AU", "authors": "AU", "authors full name": "FA", "full author name": "FA",
    "editor": "ED", "editors": "ED", "source": "SO", "journal name": "JN", "journal": "JN",
    "journal title": "JN", "journal abbreviation": "JA", "volume": "VI", "volume number": "VI",
    "issue": "IP", "issue/part": "IP", "issue number": "IP", "page": "PG", "pages": "PG",
    "abstract": "AB", "language": "LG", "year of publication": "YR", "publication year": "YR",
    "date of publication": "DP", "publication date": "DP", "publication type": "PT",
    "document type": "DT", "issn": "IS", "isbn": "IB", "doi number": "DO", "doi": "DO",
    "digital object identifier": "DO", "author keywords": "KW", "keyword heading": "KW",
    "mesh subject headings": "MH", "subject headings": "MH", "publisher": "PB", "edition": "EN",
    "database": "DB",
}  # fmt: skip
_RIS_TAGS = {
    "BT": "T2", "JN": "T2", "JT": "T2", "JA": "J2", "TA": "J2", "VI": "VL", "IP": "IS",
    "PG": "SP", "AB": "AB", "LG": "LA", "LA": "LA", "IS": "SN", "IB": "SN", "DO": "DO",
    "DI": "DO", "PB": "PB", "PL": "CY", "EN": "ET",
}  # fmt: skip
_TYPES = {
    "book": "BOOK", "book chapter": "CHAP", "chapter": "CHAP", "dissertation": "THES",
    "dissertation abstract": "THES", "newspaper article": "NEWS", "video-audio media": "VIDEO",
    "technical report": "RPRT", "report": "RPRT", "legal case": "CASE", "legislation": "STAT",
    "patent": "PAT", "conference paper": "CPAPER",
}  # fmt: skip
_JOURNAL_TYPES = {"journal article", "article", "original articles", "review", "journal"}
# What says nothing of the work: who sent it, which search found it, and where it opens at Ovid.
_OF_OVID = {"VN", "DB", "XL", "UP", "Score", "Link to the Ovid Full Text or citation"}

# A longer name, or what stands before so many characters at the end of a title, is left as it is.
_LOOKED_AT = 200

Fields = dict[str, list[str]]


def read(content: bytes, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse a file of Ovid's citations, in either form."""
    return parse_entries(_entries(decode_file(content)), parse_entry, "<1. >", parsed)


def _entries(text: str) -> Iterator[RawEntry]:
    begins = 0
    lines: list[str] = []
    for number, raw_line in enumerate(text.split("\n"), 1):
        line = raw_line.lstrip("\ufeff").rstrip()
        if _NUMBER.fullmatch(line.strip()):
            if begins:
                yield begins, list(_as_ris(_fields(lines)))
            begins, lines = number, []
        elif begins and line:
            lines.append(line)
    if begins:
        yield begins, list(_as_ris(_fields(lines)))


def _fields(lines: Sequence[str]) -> Fields:
    """Return the values of a record by tag, or by a name that has no tag."""
    has_tags = any(_TAG_LINE.fullmatch(line) for line in lines[:5])
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        tagged = _TAG_LINE.fullmatch(line) if has_tags else None
        if tagged:
            found.append((tagged[1], [tagged[2].strip()]))
        elif not has_tags and _NAME_LINE.fullmatch(line):
            found.append((_TAG_OF_NAME.get(line.lower(), line), []))
        elif found:
            found[-1][1].append(line.strip())
    fields: Fields = {}
    for tag, parts in found:
        fields.setdefault(tag, []).append(" ".join(parts))
    return fields


def _as_ris(fields: Fields) -> Iterator[TagValue]:
    yield "TY", _take_type(fields)
    yield from (("TI", _title(value)) for value in fields.pop("TI", []))
    yield from _people(fields)
    yield from _number_of_work(fields)
    yield from _source(fields)
    for words in (*fields.pop("KW", []), *fields.pop("MH", []), *fields.pop("OT", [])):
        yield from (("KW", word.strip()) for word in re.split(r";|  ", words) if word.strip())
    for tag, values in fields.items():
        if tag in _OF_OVID:
            continue
        # One of theirs may mean something else in RIS.
        known = _RIS_TAGS.get(tag, f"{tag} field" if len(tag) == 2 else tag)
        yield from ((known, _value(tag, value)) for value in values)


def _value(tag: str, value: str) -> str:
    if tag in ("IS", "IB"):
        return value.partition(" (")[0]
    return value.rstrip(".") if tag in ("LG", "LA", "JN", "DO", "DI") else value


def _take_type(fields: Fields) -> str:
    """Return the reference type of RIS, and leave in `PT` what it does not say."""
    kinds = [kind for tag in ("PT", "DT") for kind in fields.pop(tag, [])]
    # "Journal: Article", "Review: PDF Only."
    names = [kind.partition(":")[0].rstrip(".").lower() for kind in kinds]
    known = [_TYPES[name] for name in names if name in _TYPES]
    rest = [
        kind
        for kind, name in zip(kinds, names, strict=True)
        if name not in _TYPES and name not in _JOURNAL_TYPES
    ]
    if rest:
        fields["PT"] = rest
    return known[0] if known else "JOUR"


_ENDING_OF_TITLE = re.compile(
    r"(?:\s*\[(?:Article|Report|Review|Miscellaneous|References|Letter|[0-9]{1,5} refs?)\]\.?)+$"
)


def _title(title: str) -> str:
    beginning, ending = title[:-_LOOKED_AT], title[-_LOOKED_AT:]
    title = beginning + _ENDING_OF_TITLE.sub("", ending)
    return title[:-1] if title.endswith(".") and not title.endswith("..") else title


# What follows a name: marks of affiliations, what somebody is, degrees.
_AFTER_NAME = re.compile(
    r"\s*(?:\b(?:MD|M\.D\.|PhD|Ph\.D\.?|MSc|BSc|MPH|FACSM|FRCP)\.?,?|[0-9,+*\s]+)$"
)
_IN_BRACKETS = re.compile(r"\[[^\[\]]{0,200}\]")
_SHORT_NAME = re.compile(r"(.*\S) ([A-Z][A-Z.-]{0,6})")


def _people(fields: Fields) -> Iterator[TagValue]:
    authors, full = fields.pop("AU", []), fields.pop("FA", [])
    yield from (("AU", name) for value in full or authors for name in _names(value))
    # In some databases it is the day on which a record was entered.
    editors = [value for value in fields.get("ED", []) if not value[:1].isdigit()]
    if editors:
        del fields["ED"]
        yield from (("ED", name) for value in editors for name in _names(value))


def _names(value: str) -> Iterator[str]:
    for part in re.split(r";|  ", _IN_BRACKETS.sub("", value)):
        name, before = part.strip(), None
        while name != before and len(name) <= _LOOKED_AT:
            before, name = name, _AFTER_NAME.sub("", name).strip()
        is_short = "," not in name and len(name) <= _LOOKED_AT
        short = _SHORT_NAME.fullmatch(name.rstrip(".")) if is_short else None
        if name:
            yield f"{short[1]}, {short[2]}" if short else name


def _number_of_work(fields: Fields) -> Iterator[TagValue]:
    """Yield the PMID: the number of a record of MEDLINE, and beside the number in others."""
    database = " ".join(fields.get("DB", ["MEDLINE"]))
    own = fields.get("UI", []) if "medline" in database.lower() else []
    for value in fields.pop("PM", own):
        digits = re.match(r"[0-9]{1,8}\b", value)
        if digits:
            fields.pop("UI", None)
            yield from (("AN", digits[0]), ("DB", "PubMed"))
            return


# "6(3):204-12, 2009 Aug", and "Vol.6(3), Mar 2009, pp. 204-212".
_VOLUME = r"(?P<VL>[0-9A-Za-z]{1,12})(?:\s?\((?P<IS>[^()]{1,30})\))?"
_PAGES = r"(?P<SP>[A-Za-z]?[0-9]{1,8}[A-Za-z]?(?:-[A-Za-z]?[0-9]{1,8}[A-Za-z]?)?)"
_PLACES = (
    re.compile(rf"\b{_VOLUME}\s?:\s?{_PAGES}"),
    re.compile(rf"\bvol\.? ?{_VOLUME}(?P<DA>[^()]{{0,40}}?)[\s,(]{{1,3}}pp?\.? ?{_PAGES}", re.I),
)
_DATE_AT_END = re.compile(
    r"(?:[\s.]|^)((?:[A-Z][a-z]{2,8}(?:[/-][A-Z][a-z]{2,8})? )?(?:[0-9]{1,2}, )?[0-9]{4});?\s*$"
)


def _source(fields: Fields) -> Iterator[TagValue]:
    """Yield what the line of the source says and no field of its own does.

    A line that is written in another way is left as it is, so that it is told as dropped.
    """
    dates = [*fields.pop("DP", []), *fields.pop("YR", [])]
    for source in fields.pop("SO", []):
        place = next((found for form in _PLACES if (found := form.search(source))), None)
        before = source[: place.start()] if place else source
        dated = _DATE_AT_END.search(before)
        journal = (before[: dated.start()] if dated else before).strip(" .,;")
        if place:
            stands = {"T2": journal, **place.groupdict()}
            between = stands.pop("DA", None) or ""
            dates += [source[place.end() :].strip(" ().,;"), between, dated[1] if dated else ""]
            present = {_RIS_TAGS[tag] for tag in fields if tag in _RIS_TAGS}
            yield from ((tag, text) for tag, text in stands.items() if text and tag not in present)
        else:
            fields["SO"] = [source]
    yield from _date(dates)


def _date(texts: Iterable[str]) -> Iterator[TagValue]:
    """Yield the most precise of the dates that are understood."""
    dates = [date for text in texts if (date := parse_date(text)[0])]
    if dates:
        yield "DA", max(dates, key=len).replace("-", "/")
