"""Files of programs whose fields RIS has tags for: EndNote's XML, Web of Science and RefWorks as
tagged text, and the tables of Covidence and Rayyan.

Each entry becomes the tags of RIS, which `ris` reads: what is cleaned there is cleaned alike.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from api.citations.clean import decode_file
from api.citations.parse_result import EntryProblem, ParsedFile
from api.citations.ris import parse_entry
from api.citations.tagged_lines import RawEntry, TagValue, parse_entries
from api.citations.xml_records import read_records, text_of

# EndNote.

_ENDNOTE_TYPES = {
    "Journal Article": "JOUR", "Electronic Article": "JOUR", "Book": "BOOK",
    "Edited Book": "EDBOOK", "Electronic Book": "EBOOK", "Book Section": "CHAP",
    "Electronic Book Section": "ECHAP", "Conference Paper": "CPAPER",
    "Conference Proceedings": "CPAPER", "Thesis": "THES", "Report": "RPRT",
    "Government Document": "GOVDOC", "Web Page": "ELEC", "Blog": "BLOG", "Dataset": "DATA",
    "Unpublished Work": "UNPB", "Manuscript": "MANSCPT", "Magazine Article": "MGZN",
    "Newspaper Article": "NEWS", "Patent": "PAT", "Standard": "STAND", "Statute": "STAT",
    "Bill": "BILL", "Case": "CASE", "Hearing": "HEAR", "Map": "MAP", "Pamphlet": "PAMP",
    "Computer Program": "COMP", "Encyclopedia": "ENCYC", "Dictionary": "DICT",
    "Personal Communication": "PCOMM", "Film or Broadcast": "MPCT", "Generic": "GEN",
}  # fmt: skip
# Where a value stands within a record, and its tag.
_ENDNOTE_PATHS = (
    ("contributors/authors/author", "AU"),
    ("contributors/secondary-authors/author", "ED"),
    ("contributors/tertiary-authors/author", "A3"),
    ("contributors/subsidiary-authors/author", "A4"),
    ("titles/title", "TI"),
    ("titles/secondary-title", "T2"),
    ("periodical/full-title", "T2"),
    ("titles/alt-title", "J2"),
    ("titles/tertiary-title", "T3"),
    ("titles/short-title", "ST"),
    ("periodical/abbr-1", "J2"),
    ("volume", "VL"),
    ("number", "IS"),
    ("pages", "SP"),
    ("edition", "ET"),
    ("keywords/keyword", "KW"),
    ("dates/year", "PY"),
    ("dates/pub-dates/date", "DA"),
    ("publisher", "PB"),
    ("pub-location", "CY"),
    ("isbn", "SN"),
    ("accession-num", "AN"),
    ("remote-database-name", "DB"),
    ("electronic-resource-num", "DO"),
    ("abstract", "AB"),
    ("notes", "N1"),
    ("urls/related-urls/url", "UR"),
    ("urls/web-urls/url", "UR"),
    ("language", "LA"),
    ("work-type", "M3"),
    ("custom2", "C2"),
)


# The mark-up that EndNote's styles are; the others say how a text looks.
_FACES = {"superscript": "sup", "subscript": "sub"}
# What says nothing of the work.
_ENDNOTE_OWN = {"database", "source-app", "rec-number", "foreign-keys", "ref-type"}


def read_endnote(content: bytes, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse a file of EndNote's XML. What stands after a break of the XML is one problem."""
    return read_records(content, ("record",), _endnote_tags, parse_entry, parsed)


def _endnote_tags(record: Element) -> Iterator[TagValue]:
    for style in record.iter("style"):
        style.tag = _FACES.get(style.get("face", ""), "span")
        style.attrib.clear()
    kind = record.find("ref-type")
    name = "" if kind is None else kind.get("name", "")
    yield "TY", _ENDNOTE_TYPES.get(name, name or "GEN")
    known = {path.partition("/")[0] for path, _ in _ENDNOTE_PATHS} | _ENDNOTE_OWN
    for path, tag in _ENDNOTE_PATHS:
        values = dict.fromkeys(text_of(found) for found in record.findall(path))
        yield from ((tag, value) for value in values if value)
    yield from ((part.tag, text_of(part)) for part in record if part.tag not in known)


def _parse(entries: Iterable[RawEntry], parsed: ParsedFile | None) -> ParsedFile:
    return parse_entries(entries, parse_entry, "TY", parsed)


# Tagged text.


@dataclass(frozen=True)
class _Tagged:
    """A format of tagged lines: the pattern of a line that begins a field, its first and last tag.

    `tags` says which tag of RIS a tag is, `types` which reference type a value of the first tag is;
    in those of `one_a_line` each line is a value of its own.
    """

    line: re.Pattern[str]
    first: str
    last: str | None
    tags: Mapping[str, str]
    types: Mapping[str, str]
    one_a_line: frozenset[str] = frozenset()


_WEB_OF_SCIENCE = _Tagged(
    line=re.compile(r"([A-Z][A-Z0-9])(?: (.*))?"),
    first="PT",
    last="ER",
    tags={
        **{name: name for name in ("AU", "TI", "VL", "IS", "EP", "AB", "LA", "SN", "PY", "ED")},
        **{"AF": "AU", "SO": "T2", "JI": "J2", "BP": "SP", "AR": "C7", "PD": "DA", "DI": "DO"},
        **{"PM": "AN", "DE": "KW", "ID": "KW", "EI": "SN", "BN": "SN", "PU": "PB", "PI": "CY"},
        **{"BE": "ED", "SE": "T3"},
    },
    types={"J": "JOUR", "B": "BOOK", "S": "CHAP", "P": "PAT", "C": "CPAPER"},
    one_a_line=frozenset({"AF", "AU", "BE", "ED"}),
)
_REFWORKS = _Tagged(
    line=re.compile(r"([A-Z][A-Z0-9]) (.*)"),
    first="RT",
    last=None,
    tags={
        **{name: name for name in ("A2", "A3", "A4", "T2", "T3", "JF", "JO", "IS", "SP", "AB")},
        **{name: name for name in ("PB", "SN", "DO", "LA", "ED")},
        **{"A1": "AU", "T1": "TI", "YR": "PY", "FD": "DA", "VO": "VL", "OP": "EP", "K1": "KW"},
        **{"NO": "N1", "PP": "CY", "UL": "UR", "LK": "UR", "AN": "AN", "DB": "DB", "ST": "ST"},
    },
    types={
        "Journal Article": "JOUR", "Journal": "JOUR", "Book, Whole": "BOOK", "Book": "BOOK",
        "Book, Section": "CHAP", "Book, Edited": "EDBOOK", "Conference Proceedings": "CPAPER",
        "Dissertation/Thesis": "THES", "Dissertation": "THES", "Report": "RPRT",
        "Web Page": "ELEC", "Magazine Article": "MGZN", "Newspaper Article": "NEWS",
        "Patent": "PAT", "Generic": "GEN", "Abstract": "ABST", "Unpublished Material": "UNPB",
    },
)  # fmt: skip


def read_web_of_science(content: bytes, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse a plain text file of Web of Science: `PT J` to `ER`, further values indented."""
    return _parse(_tagged_entries(decode_file(content), _WEB_OF_SCIENCE), parsed)


def read_refworks(content: bytes, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse a file in RefWorks' tagged format: `RT Journal Article` to a blank line."""
    return _parse(_tagged_entries(decode_file(content), _REFWORKS), parsed)


def _tagged_entries(text: str, form: _Tagged) -> Iterator[RawEntry]:
    entry: tuple[int, list[tuple[str, list[str]]]] | None = None
    for number, raw_line in enumerate(text.split("\n"), 1):
        match = form.line.fullmatch(raw_line.lstrip("\ufeff").rstrip())
        tag = match[1] if match else ""
        if tag in (form.first, form.last) and entry is not None:
            yield entry[0], list(_translated(entry[1], form))
            entry = None
        if match and tag == form.first:
            entry = number, []
        if entry is None:
            continue
        if match:
            entry[1].append((tag, [match[2] or ""]))
        elif raw_line.strip():
            entry[1][-1][1].append(raw_line.strip())
    if entry is not None:
        yield entry[0], list(_translated(entry[1], form))


def _translated(fields: list[tuple[str, list[str]]], form: _Tagged) -> Iterator[TagValue]:
    """Yield the fields of an entry under RIS's tags; what it has no tag for is told as it is."""
    present = {tag for tag, _ in fields}
    for tag, lines in fields:
        if tag == form.first:
            kind = " ".join(lines)
            yield "TY", form.types.get(kind, kind)
        elif tag == "AU" and "AF" in present:
            # The same authors with their full names stand beside them.
            continue
        else:
            values = lines if tag in form.one_a_line else [" ".join(lines)]
            # One of theirs may mean something else in RIS.
            known = form.tags.get(tag, f"{tag} field")
            yield from ((known, value) for value in values)
    if form is _WEB_OF_SCIENCE and "PM" in present:
        yield "DB", "PubMed"


# Tables.

# The columns of Covidence and Rayyan, in small letters, and their tags.
_COLUMNS = {
    "title": "TI", "authors": "AU", "author": "AU", "abstract": "AB", "published year": "PY",
    "year": "PY", "journal": "T2", "volume": "VL", "issue": "IS", "pages": "SP", "doi": "DO",
    "issn": "SN", "url": "UR", "language": "LA", "publisher": "PB", "location": "CY",
    "keywords": "KW", "notes": "N1", "pubmed_id": "AN", "pmc_id": "C2",
}  # fmt: skip
# What screening writes of its own.
_OF_SCREENING = ("key", "covidence #", "study", "ref", "tags", "accession number")


def read_screening_csv(content: bytes, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse a table of Covidence or Rayyan: a header with `Title` or `title`, a row an entry."""
    parsed = ParsedFile() if parsed is None else parsed
    table = csv.reader(io.StringIO(decode_file(content).removeprefix("\ufeff"), newline=""))
    try:
        _parse(_rows(table), parsed)
    except csv.Error as error:
        detail = f"Not CSV ({error}); nothing after it was read."
        parsed.add(EntryProblem(table.line_num, "malformed_csv", detail))
    return parsed


def _rows(reader: Any) -> Iterator[RawEntry]:
    header = [name.strip().lower() for name in next(reader, [])]
    begins = reader.line_num + 1
    for row in reader:
        if any(cell.strip() for cell in row):
            yield begins, list(_cells(dict(zip(header, row, strict=False))))
        begins = reader.line_num + 1


def _cells(row: Mapping[str, str]) -> Iterator[TagValue]:
    yield "TY", "JOUR"
    month, day = row.get("published month") or row.get("month", ""), row.get("day", "")
    year = row.get("published year") or row.get("year", "")
    if year.strip() and month.strip():
        is_number = month.strip().isdecimal()
        yield "DA", f"{year}/{month}/{day}/" if is_number else f"{day} {month} {year}".strip()
    for name, value in row.items():
        cell = " ".join(value.split())
        if not cell or name in (*_OF_SCREENING, "published month", "month", "day"):
            continue
        tag = _COLUMNS.get(name, name)
        values = _names_in_cell(cell) if tag == "AU" else [cell]
        yield from ((tag, each) for each in values)
    if row.get("pubmed_id"):
        yield "DB", "PubMed"


def _names_in_cell(cell: str) -> list[str]:
    names = re.split(r";| and ", cell)
    return [name.strip() for name in names if name.strip()]
