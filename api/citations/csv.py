"""CSV for spreadsheets (RFC 4180, UTF-8 without a byte order mark): a header, then one row a
source.

The columns are those of `COLUMNS`. Authors stand in one cell, as in `van den Berg, Jan, Jr; World
Health Organization`; a semicolon within a name becomes a comma, and an incomplete list ends in
`et al.`. Each scheme of identifiers has a column, and one that says whether somebody verified it.

A cell that begins with = + - @, a tab or a carriage return gets an apostrophe before it, since
spreadsheets would run it as a formula. A program that reads the file has to remove it.
"""

import csv
import io
from collections.abc import Iterable, Iterator

from models.core import vocabularies as v
from models.records.serializers import Row
from models.records.source import TextIn

MEDIA_TYPES: tuple[str, ...] = ("text/csv",)
EXTENSION = "csv"
CANNOT_CARRY: tuple[str, ...] = ()

# Columns that hold a field of the source as it is, with what stands in them.
FIELDS = {
    "id": "Slug.",
    "type": "A term of the vocabulary source-types.",
    "title": "In square brackets where a curator supplied it.",
    "title_short": "The title as people shorten it.",
    "container_title": "The journal or book.",
    "container_title_short": "The journal's abbreviation.",
    "container_isbn": "ISBN of the book that it stands in.",
    "collection_title": "The series.",
    "collection_number": "Number within the series.",
    "edition": "Edition.",
    "genre": "Of which kind within its type.",
    "event_title": "The conference.",
    "event_place": "Where it was held.",
    "publisher": "The publisher.",
    "publisher_place": "Where it is.",
    "volume": "Volume.",
    "issue": "Issue.",
    "page": "Page range or e-locator.",
    "number": "Article or report number.",
    "issued": "YYYY, YYYY-MM or YYYY-MM-DD.",
    "issued_inferred": "true where a curator inferred the date.",
    "epub_date": "Published online ahead of the issue.",
    "url": "Address.",
    "language": "BCP 47 tag.",
    "study_design": "A term of the vocabulary study-designs.",
    "sample_size": "People in all groups together.",
    "sample": "The groups.",
    "integrity": "A term of the vocabulary integrities.",
    "integrity_note": "What was announced.",
    "integrity_date": "When it was announced.",
    "accessed": "When a curator saw it.",
    "abstract": "The abstract.",
    "licence": "An SPDX expression or an address.",
    "note": "A curator's remark.",
    "text_sha256": "SHA-256 of the text in which anchors count.",
    "title_status": "A term of the vocabulary title-statuses.",
    "main_claim": "The claim that a document is about.",
    "collection": "The collection from which it was taken over.",
    "citation": "Short form for people.",
    "year": "Year of publication.",
    "published": "Last day on which it can first have been published.",
    "revision": "Serial of the change that last touched it.",
    "created": "When it was recorded.",
    "updated": "When it was last changed.",
}
COLUMNS = {
    "key": "Citation key: the slug.",
    **{name: FIELDS[name] for name in ("id", "type", "title")},
    "authors": "Family, given names, suffix; the next author.",
    "authors_complete": "false where the list goes on.",
    "author_orcids": "ORCID iDs of the authors in their order, blank where none is known.",
    "contributors": "A term of contributor-roles and a name, as authors; the next one.",
    **FIELDS,
    "issn": "ISSN of the journal or series; the next one.",
    "keywords": "Keywords; the next one.",
    "versions": "Its ties to other versions: a term of version-ties and a source; the next tie.",
    "cites": "The recorded sources in its reference list; the next one.",
    "text": "Of its whole text: the licence; the SHA-256; the number of characters.",
    **{term.id: f"{term.label}." for term in v.IDENTIFIER_SCHEMES.terms},
    **{f"{term.id}_verification": "verified or unverified." for term in v.IDENTIFIER_SCHEMES.terms},
}
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(sources: Iterable[Row]) -> Iterator[bytes]:
    """Yield the header and then a row for each source."""
    yield row(COLUMNS)
    for source in sources:
        cells = cells_of(source)
        yield row(cells.get(column) for column in COLUMNS)


def cells_of(source: Row) -> Row:
    """Return the cells of a source by column, before the guard against formulas."""
    cells: Row = {"key": source["id"], **{name: source[name] for name in FIELDS}}
    names = [_name(author) for author in source["authors"]]
    goes_on = [] if source["authors_complete"] else ["et al."]
    cells["authors"] = _joined([*names, *goes_on])
    cells["authors_complete"] = source["authors_complete"]
    if any(author["orcid"] for author in source["authors"]):
        cells["author_orcids"] = "; ".join(author["orcid"] or "" for author in source["authors"])
    cells["contributors"] = _joined(
        f"{person['role']} {_name(person)}" for person in source["contributors"]
    )
    cells["issn"], cells["keywords"] = _joined(source["issn"]), _joined(source["keywords"])
    ties = (f"{version['type']} {version['source']}" for version in source["versions"])
    cells["versions"] = "; ".join(ties)
    if source["text"]:
        cells["text"] = "; ".join(str(source["text"][name]) for name in TextIn.model_fields)
    cells["cites"] = "; ".join(cited["source"] for cited in source["cites"])
    for identifier in source["identifiers"]:
        cells[identifier["scheme"]] = identifier["value"]
        cells[f"{identifier['scheme']}_verification"] = identifier["verification"]
    return cells


def _joined(values: Iterable[str]) -> str:
    """Return values in one cell; a semicolon within one becomes a comma."""
    return "; ".join(value.replace(";", ",") for value in values)


def _name(author: Row) -> str:
    if author["literal"]:
        return str(author["literal"])
    family = " ".join(part for part in (author["particle"], author["family"]) if part)
    return ", ".join(part for part in (family, author["given"], author["suffix"]) if part)


def row(cells: Iterable[object]) -> bytes:
    """Return a row of a table with its end; no cell of it runs as a formula."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow(map(_cell, cells))
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        # A minus before a number runs nothing.
        return str(value)
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
