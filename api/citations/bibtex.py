"""Sources as BibTeX, with biblatex's fields where BibTeX has none (`date`, `eid`, `shortjournal`).

What neither has a field for stands in `note`, for people, and in fields named `x-…`, which every program that reads
BibTeX passes over and `bibtex_read` reads back.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from api.citations import latex
from api.citations.bibtex_reader import MEANT, MONTHS, clean_page, clean_url, doi_of, read, remarks
from models.core import vocabularies as v

__all__ = ["CANNOT_CARRY", "EXTENSION", "MEDIA_TYPES", "read", "write"]

Row = Mapping[str, Any]
Fields = dict[str, str]

MEDIA_TYPES = ("application/x-bibtex", "text/x-bibtex", "text/bibtex")
EXTENSION = "bib"

# Fields of `SourceIn` (but for `id`) that do not come back: none. That an identifier was verified is not taken over, for a
# file cannot vouch for it.
CANNOT_CARRY: tuple[str, ...] = ()

ENTRY_TYPES = {term.id: term.crosswalk["bibtex"] for term in v.SOURCE_TYPES.terms}
# Our fields that BibTeX holds under another name, which may depend on the type of entry: the name under "" is the rule.
NAMES: dict[str, dict[str, str]] = {
    "container_title": {
        "": "journal",
        "incollection": "booktitle",
        "inproceedings": "booktitle",
        "misc": "howpublished",
    },
    "container_title_short": {"": "shortjournal"},
    "publisher": {"": "publisher", "techreport": "institution", "phdthesis": "school"},
    "volume": {"": "volume"},
    "issue": {"": "number", "techreport": "issue"},
    "number": {"": "eid", "techreport": "number"},
    "language": {"": "language"},
    "note": {"": "annote"},
    "study_design": {"": "x-study-design"},
    "sample_size": {"": "x-sample-size"},
    "sample": {"": "x-sample"},
    "integrity_note": {"": "x-integrity-note"},
    "integrity_date": {"": "x-integrity-date"},
    "accessed": {"": "x-accessed"},
    "text_sha256": {"": "x-text-sha256"},
}

# Plain words and figures, in which nothing is to be escaped; `_` stays itself.
_TERMS = ("study_design", "sample_size", "integrity_date", "accessed", "text_sha256")


def write(sources: Iterable[Row], keys: Mapping[str, str]) -> Iterator[bytes]:
    """Yield one entry for each source; `keys` gives the citation key of each slug."""
    for source in sources:
        entry = "".join(f"  {name} = {value},\n" for name, value in _fields(source).items())
        yield f"@{ENTRY_TYPES[source['type']]}{{{keys[source['id']]},\n{entry}}}\n\n".encode()


def _fields(source: Row) -> Fields:
    """Return the fields of an entry in the order of a citation, each value with its braces."""
    kind = ENTRY_TYPES[source["type"]]
    plain: Fields = {}
    for ours, theirs in NAMES.items():
        if source[ours] is not None:
            plain[theirs.get(kind, theirs[""])] = (
                str(source[ours]) if ours in _TERMS else latex.escape(str(source[ours]))
            )
    ours_last = {name: plain.pop(name) for name in list(plain) if name.startswith("x-")}
    annote = {"annote": plain.pop("annote")} if "annote" in plain else {}
    title = {"title": latex.protected(source["title"])}
    date = _date(source)
    values = {
        **_authors(source),
        **title,
        **plain,
        **date,
        **_page(source),
        **_identifiers(source),
        **_url(source),
    }
    values |= {**_note(source), **annote, **_flags(source), **ours_last}
    # A month is one of BibTeX's own words and stands without braces.
    return {name: value if name == "month" else f"{{{value}}}" for name, value in values.items()}


def _authors(source: Row) -> Fields:
    """Return `author`, and the exact parts of the names where BibTeX's rules would split them in another way."""
    authors = [
        {part: text for part, text in author.items() if text is not None}
        for author in source["authors"]
    ]
    if not authors:
        return {} if source["authors_complete"] else {"x-authors-complete": "false"}
    fields = {"author": latex.names_text(authors)}
    if latex.names(fields["author"]) != (authors, True):
        fields["x-authors"] = latex.exact_names_text(authors)
    if not source["authors_complete"]:
        fields["author"] += " and others"
    return fields


def _date(source: Row) -> Fields:
    """Return the date of the issue, or for want of it the date online, which is marked as such."""
    issued, online = source["issued"], source["epub_date"]
    date = issued or online
    fields: Fields = {}
    if date:
        fields["year"] = date[:4]
        if len(date) > 4:
            fields |= {"month": MONTHS[int(date[5:7]) - 1], "date": date}
    if online:
        fields["x-epub-date"] = online
        if not issued:
            fields["x-issued"] = "unknown"
    if source["issued_inferred"]:
        fields["x-issued-inferred"] = "true"
    return fields


def _identifiers(source: Row) -> Fields:
    """Return the identifiers; a DOI stays as it is, for it is no LaTeX, unless it would break the entry."""
    fields = {identifier["scheme"]: identifier["value"] for identifier in source["identifiers"]}
    doi = fields.get("doi")
    if doi and set(doi) & set("{}\\"):
        fields["doi"] = f"https://doi.org/{quote(doi, safe='/:;()<>')}"
    if doi and doi_of(fields["doi"]) != doi:
        fields["x-doi"] = latex.escape(doi)
    if unverified := _unverified(source):
        fields["x-unverified"] = ", ".join(unverified)
    return fields


def _unverified(source: Row) -> list[str]:
    return [
        each["scheme"] for each in source["identifiers"] if each["verification"] == "unverified"
    ]


def _page(source: Row) -> Fields:
    """Return the pages with the dash of a range."""
    page = source["page"]
    if page is None:
        return {}
    pages = re.sub(r"(?<=[^-{}])-(?=[^-{}])", "--", latex.escape(page))
    return (
        {"pages": pages}
        if clean_page(latex.decode(pages)) == page
        else {"pages": pages, "x-page": latex.escape(page)}
    )


def _url(source: Row) -> Fields:
    """Return the address as it is, for it is no LaTeX, with what would break the entry percent-encoded."""
    url = source["url"]
    if url is None:
        return {}
    safe = "".join(quote(letter) if letter in "{}\\" else letter for letter in url)
    return {"url": safe} if clean_url(safe) == url else {"url": safe, "x-url": latex.escape(url)}


def _flags(source: Row) -> Fields:
    """Return the terms of ours for which BibTeX has no word."""
    flags = {}
    if MEANT[ENTRY_TYPES[source["type"]]] != source["type"]:
        flags["x-type"] = source["type"]
    if source["integrity"] != "no_notice":
        flags["x-integrity"] = source["integrity"]
    return flags


def _note(source: Row) -> Fields:
    text = remarks(source, _unverified(source))
    return {"note": latex.escape(text)} if text else {}
