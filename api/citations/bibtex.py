"""Sources as BibTeX, with biblatex's fields where BibTeX has none (`date`, `eid`, `shortjournal`).

What neither has a field for stands in `note`, for people, and in fields named `x-…`, which other
programs ignore and `bibtex_reader` reads back.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from api.citations import latex
from api.citations.bibtex_reader import (
    ENTRY_TYPES,
    NAME_FIELDS,
    TYPES,
    clean_url,
    doi_in,
    notice,
    read,
)
from api.citations.clean import (
    MONTHS,
    clean_pages,
    doi_address,
    join_keywords,
    language_name,
    split_keywords,
)
from models.core import vocabularies as v
from models.records.identifiers import RESOLVERS, identifiers_in

__all__ = ["CANNOT_CARRY", "ENTRY_TYPES", "EXTENSION", "MEDIA_TYPES", "read", "write"]

Row = Mapping[str, Any]
Fields = dict[str, str]

MEDIA_TYPES = ("application/x-bibtex", "text/x-bibtex", "text/bibtex")
EXTENSION = "bib"

# Fields of `SourceIn`, except `id`, that cannot be read back: they name records of this knowledge
# base. That an identifier is verified is not read, since a file cannot vouch for it.
CANNOT_CARRY: tuple[str, ...] = ("versions", "cites", "main_claim", "collection", "text")

# Where books, and not journals, have numbers: there `number` is that of the series.
_IN_BOOKS = ("book", "incollection", "inproceedings")
# Our fields and their names in BibTeX, which may depend on the type of entry; "" is the default.
_FIELD_NAMES: dict[str, dict[str, str]] = {
    "title_short": {"": "shorttitle"},
    "container_title": {
        "": "journal",
        "incollection": "booktitle",
        "inproceedings": "booktitle",
        "misc": "howpublished",
    },
    "container_title_short": {"": "shortjournal"},
    "collection_title": {"": "series"},
    "collection_number": {"": "x-collection-number", **dict.fromkeys(_IN_BOOKS, "number")},
    "edition": {"": "edition"},
    "genre": {"": "type"},
    "event_title": {"": "eventtitle"},
    "event_place": {"": "venue"},
    "publisher": {"": "publisher", "techreport": "institution", "phdthesis": "school"},
    "publisher_place": {"": "address"},
    "volume": {"": "volume"},
    "issue": {"": "number", **dict.fromkeys((*_IN_BOOKS, "techreport"), "issue")},
    "number": {"": "eid", "techreport": "number"},
    "language": {"": "language"},
    "licence": {"": "copyright"},
    "abstract": {"": "abstract"},
    "note": {"": "annote"},
    "container_isbn": {"": "x-container-isbn"},
    "title_status": {"": "x-title-status"},
    "study_design": {"": "x-study-design"},
    "sample_size": {"": "x-sample-size"},
    "sample": {"": "x-sample"},
    "integrity_note": {"": "x-integrity-note"},
    "integrity_date": {"": "x-integrity-date"},
    "accessed": {"": "urldate"},
    "text_sha256": {"": "x-text-sha256"},
}

# The schemes that have a field of their own elsewhere, too.
_SCHEMES = ("doi", "pmid", "pmcid", "isbn")
# Plain words and numbers, in which nothing is to be escaped: `_` stays.
_TERMS = (
    *("title_status", "study_design", "sample_size", "integrity_date", "accessed"),
    "text_sha256",
)


def write(sources: Iterable[Row]) -> Iterator[bytes]:
    """Yield one entry for each source; its key is the slug, which is the same in every file."""
    for source in sources:
        fields = "".join(f"  {name} = {value},\n" for name, value in _fields(source).items())
        entry_type = _entry_type(source)
        yield f"@{entry_type}{{{source['id']},\n{fields}}}\n\n".encode()


def _entry_type(source: Row) -> str:
    """Return the type of the entry; BibTeX has one for each of two kinds of thesis."""
    entry_type = ENTRY_TYPES[source["type"]]
    is_masters = entry_type == "phdthesis" and (source["genre"] or "").lower().startswith("master")
    return "mastersthesis" if is_masters else entry_type


def _fields(source: Row) -> Fields:
    """Return the fields of an entry in the order of a citation, each value with its braces."""
    named = _named_fields(source)
    # What only this program reads stands last, and a curator's remark next to the note.
    last = {name: named.pop(name) for name in list(named) if name.startswith("x-")}
    annotation = {"annote": named.pop("annote")} if "annote" in named else {}
    values = {
        **_people(source),
        **({"title": latex.protected(source["title"])} if source["title"] else {}),
        **named,
        **_date(source),
        **_pages(source),
        **_identifiers(source),
        **_url(source),
        **_lists(source),
        **_langid(source),
        **_note(source),
        **annotation,
        **_flags(source),
        **last,
    }
    # A month is a word that BibTeX defines, and stands without braces.
    return {name: value if name == "month" else f"{{{value}}}" for name, value in values.items()}


def _named_fields(source: Row) -> Fields:
    """Return the fields that BibTeX holds as they are, under its own names."""
    entry_type = ENTRY_TYPES[source["type"]]
    fields: Fields = {}
    journal = source["container_title"] or source["container_title_short"]
    values = {**source, "container_title": journal}
    for ours, names in _FIELD_NAMES.items():
        if values[ours] is None:
            continue
        text = str(values[ours])
        name = names.get(entry_type, names[""])
        fields[name] = text if ours in _TERMS else latex.escape(text)
    return fields


def _people(source: Row) -> Fields:
    """Return authors, editors and others, and the exact parts of names that BibTeX would split
    differently.
    """
    if not source["authors"]:
        fields = {} if source["authors_complete"] else {"x-authors-complete": "false"}
    else:
        fields = _names("author", source["authors"])
        if not source["authors_complete"]:
            fields["author"] += " and others"
    if not source["authors"] and not source["contributors"]:
        # BibTeX's styles sort by it what nobody signed.
        fields["key"] = source["id"]
    for role in v.CONTRIBUTOR_ROLES.ids:
        people = [each for each in source["contributors"] if each["role"] == role]
        if people and role in NAME_FIELDS:
            fields |= _names(role, people)
        elif people:
            fields[f"x-{role}"] = latex.exact_names_text(list(map(_present_parts, people)))
    return fields


def _names(field: str, people: Iterable[Row]) -> Fields:
    names = list(map(_present_parts, people))
    fields = {field: latex.names_text(names)}
    if latex.names(fields[field]) != (names, True):
        fields[f"x-{field}s"] = latex.exact_names_text(names)
    return fields


def _present_parts(author: Row) -> dict[str, Any]:
    return {part: text for part, text in author.items() if part != "role" and text is not None}


def _date(source: Row) -> Fields:
    """Return the date of the issue, or, without one, the date online, which is marked as such."""
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
    """Return the identifiers. A DOI is not escaped, unless it would break the entry."""
    fields = {
        scheme if scheme in _SCHEMES else f"x-{scheme}": value
        for scheme, value in (
            (identifier["scheme"], identifier["value"]) for identifier in source["identifiers"]
        )
    }
    if source["container_isbn"]:
        fields.setdefault("isbn", source["container_isbn"])
    if "x-uri" in fields:
        fields["x-uri"] = latex.escape(fields["x-uri"])
    doi = fields.get("doi")
    if doi and set(doi) & set("{}\\"):
        fields["doi"] = RESOLVERS["doi"] + quote(doi, safe="/:;()<>")
    if doi and identifiers_in("doi", doi_in(fields["doi"])) != [doi]:
        fields["x-doi"] = latex.escape(doi)
    if unverified := _unverified(source):
        fields["x-unverified"] = ", ".join(unverified)
    return fields


def _unverified(source: Row) -> list[str]:
    return [
        identifier["scheme"]
        for identifier in source["identifiers"]
        if identifier["verification"] == "unverified"
    ]


def _pages(source: Row) -> Fields:
    """Return the pages with the dash of a range."""
    page = source["page"]
    if page is None:
        return {}
    escaped = latex.escape(page)
    fields = {"pages": re.sub(r"(?<=[^-{}])-(?=[^-{}])", "--", escaped)}
    if clean_pages(latex.decode(fields["pages"])) != page:
        fields["x-page"] = escaped
    return fields


def _url(source: Row) -> Fields:
    """Return the address, which is not escaped; what would break the entry is percent-encoded."""
    url = source["url"] or doi_address(source)
    if url is None:
        return {}
    fields = {"url": re.sub(r"[{}\\]", lambda sign: quote(sign[0]), url)}
    is_that_of_doi = source["url"] == doi_address(source)
    if clean_url(fields["url"]) != url or is_that_of_doi:
        fields["x-url"] = latex.escape(url)
    return fields


def _langid(source: Row) -> Fields:
    """Return the name by which biblatex chooses words and hyphens."""
    name = language_name(source["language"] or "")
    return {"langid": name} if name else {}


def _lists(source: Row) -> Fields:
    """Return ISSN and keywords, and the keywords one by one where commas do not part them."""
    fields: Fields = {}
    if source["issn"]:
        fields["issn"] = ", ".join(source["issn"])
    if source["keywords"]:
        fields["keywords"] = latex.escape(join_keywords(source["keywords"]))
    if split_keywords(join_keywords(source["keywords"])) != source["keywords"]:
        fields["x-keywords"] = latex.groups_text(source["keywords"])
    return fields


def _flags(source: Row) -> Fields:
    """Return the terms for which BibTeX has no word."""
    flags = {}
    if TYPES[ENTRY_TYPES[source["type"]]] != source["type"]:
        flags["x-type"] = source["type"]
    if source["integrity"] != "no_notice":
        flags["x-integrity"] = source["integrity"]
    return flags


def _note(source: Row) -> Fields:
    text = notice(source)
    return {"note": latex.escape(text)} if text else {}
