"""The records of a BibTeX or biblatex file."""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from api.citations import latex
from api.citations.bibtex_scanner import MalformedEntry, ScannedEntry, scan
from api.citations.clean import (
    MONTHS,
    add_abstract,
    add_identifier,
    add_issn,
    add_keywords,
    clean_abstract,
    clean_licence,
    clean_pages,
    clean_text,
    decode_entities,
    decode_file,
    drop_filled_address,
    drop_filled_journal,
    drop_isbn,
    fits,
    language_tag,
    line_counter,
    move_isbn_of_whole,
    parse_date,
    split_keywords,
    valid_partial_date,
)
from api.citations.parse_result import EntryProblem, ParsedEntry, ParsedFile, told
from models.core import vocabularies as v
from models.records.source import MAX_CONTRIBUTORS

Fields = dict[str, str]

# Types of biblatex that have CSL's names.
_SAME_NAME = (
    *("patent", "software", "standard", "review", "legislation", "performance", "periodical"),
)
# The types of source by types of entry: those of the crosswalk, of biblatex and of old files.
TYPES = {
    **{term.crosswalk["bibtex"]: term.id for term in reversed(v.SOURCE_TYPES.terms)},
    **dict.fromkeys(("misc", "manual"), "document"),
    **{name: name for name in _SAME_NAME},
    **dict.fromkeys(("video", "movie"), "motion_picture"),
    **dict.fromkeys(("artwork", "image"), "graphic"),
    **dict.fromkeys(("audio", "music"), "song"),
    "jurisdiction": "legal_case",
    "letter": "personal_communication",
    **dict.fromkeys(("online", "electronic", "www", "webpage"), "webpage"),
    **dict.fromkeys(("booklet", "collection", "proceedings", "mvbook", "reference"), "book"),
    **dict.fromkeys(("inbook", "suppbook"), "chapter"),
    "inreference": "entry-encyclopedia",
    **dict.fromkeys(("thesis", "mastersthesis"), "thesis"),
    "report": "report",
    "conference": "paper-conference",
    "preprint": "article",
    "dataset": "dataset",
}

# Our fields and the names under which files hold them; the first that is present is taken.
_TEXTS: dict[str, tuple[str, ...]] = {
    "container_title": ("booktitle", "journal", "journaltitle"),
    "container_title_short": (
        "shortjournal",
        "journalabbr",
        "journal-abbreviation",
        "journal-iso",
        "iso-source-abbreviation",
        "abbrev_source_title",
    ),
    "publisher": ("publisher", "institution", "school", "organization"),
    "volume": ("volume",),
    "issue": ("number", "issue"),
    "number": ("eid", "article-number", "articleno", "art_number"),
    "language": ("language", "langid"),
    "title_short": ("shorttitle",),
    "collection_title": ("series",),
    "collection_number": ("x-collection-number",),
    "edition": ("edition",),
    "genre": ("type",),
    "event_title": ("eventtitle",),
    "event_place": ("venue",),
    "publisher_place": ("address", "location"),
    "container_isbn": ("x-container-isbn",),
    "title_status": ("x-title-status",),
    "study_design": ("x-study-design",),
    "sample": ("x-sample",),
    "integrity": ("x-integrity",),
    "integrity_note": ("x-integrity-note",),
    "integrity_date": ("x-integrity-date",),
    "text_sha256": ("x-text-sha256",),
}
# A report has its own number where other entries have that of an issue, and a book that of its
# series.
_OTHER_TEXTS = {
    "techreport": {"issue": ("issue",), "number": ("number", "eid")},
    **{
        entry_type: {"issue": ("issue",), "collection_number": ("number", "x-collection-number")}
        for entry_type in ("book", "incollection", "inproceedings")
    },
}
ENTRY_TYPES = {term.id: term.crosswalk["bibtex"] for term in v.SOURCE_TYPES.terms}
# What an entry is by its type alone.
_GENRES = {"mastersthesis": "Master's thesis", "phdthesis": "PhD thesis"}
# The roles of contributors that have a field of their own; the others stand in fields of ours.
NAME_FIELDS = ("editor", "translator")
_NOTES = ("note", "annote", "annotation")
_IDENTIFIERS = {
    "doi": ("x-doi", "doi"),
    "pmid": ("pmid",),
    "pmcid": ("pmcid", "pmc"),
    "isbn": ("isbn",),
    "nct": ("x-nct",),
    "uri": ("x-uri",),
}
_INTEGRITY = {
    "corrected": "Corrected",
    "concern": "Expression of concern",
    "retracted": "Retracted",
}

_URL = re.compile(r"https?://\S+")
_DOI_URL = re.compile(r"https?://(?:dx\.)?doi\.org/")
_HOWPUBLISHED_URL = re.compile(r"\\url\s*\{|^\s*https?://\S+\s*$")


def read(content: bytes, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse a file of BibTeX."""
    parsed = ParsedFile() if parsed is None else parsed
    text = decode_file(content)
    line_at = line_counter(text)
    # One entry more than the file may have, so that it is refused.
    scanned = list(islice(scan(text, {month: month for month in MONTHS}), _one_more(parsed.most)))
    parents, repeated = _by_key(scanned)
    for entry in scanned:
        line = line_at(entry.position)
        if isinstance(entry.content, MalformedEntry):
            error = entry.content
            detail = f"{error.reason}, on line {line_at(error.position)}."
            parsed.add(EntryProblem(line, error.code, detail))
        elif entry.position in repeated:
            detail = "The same entry stands above."
            parsed.add(EntryProblem(line, "repeated_entry", detail))
        else:
            fields = _with_inherited(entry.content, parents)
            parsed.add(_parse_entry(line, entry.entry_type, fields))
    return parsed


def _one_more(most: int) -> int:
    return min(most, sys.maxsize - 1) + 1


def _by_key(scanned: Iterable[ScannedEntry]) -> tuple[dict[str, Fields], set[int]]:
    """Take the keys out of the entries.

    Returns the fields of the first entry of each key, to which a `crossref` anywhere in the file
    may refer, and the positions of the entries that repeat it with the same fields. Another work
    with the same key is one of its own: joined files have such.
    """
    by_key: dict[str, Fields] = {}
    repeated: set[int] = set()
    positions: set[str] = set()
    for entry in scanned:
        if isinstance(entry.content, MalformedEntry):
            continue
        key = entry.content.pop("", "").lower()
        if not key:
            continue
        first = by_key.setdefault(key, dict(entry.content))
        if key in positions and first == entry.content:
            repeated.add(entry.position)
        positions.add(key)
    return by_key, repeated


# What an entry inherits from the one that its `crossref` names: what the whole work says of itself.
# A fixed list, since a parent of thousands of fields would be repeated with each of its children.
_INHERITED = (
    "author", "editor", "booktitle", "journal", "journaltitle", "shortjournal", "series", "edition",
    "publisher", "institution", "school", "organization", "howpublished", "address", "location",
    "volume", "number", "issue", "isbn", "issn", "date", "year", "month", "day", "language",
    "langid", "eventtitle", "venue",
)  # fmt: skip
# A longer value of a parent is its own affair: no field but the authors' may be as long.
_LONGEST_INHERITED = 2_000


def _with_inherited(fields: Fields, parents: Mapping[str, Fields]) -> Fields:
    """Return the fields of an entry with those of the entry that its `crossref` names."""
    parent = parents.get(latex.decode(fields.get("crossref", "")).lower())
    if parent is None:
        return fields
    inherited = {name: parent.get(name, "") for name in _INHERITED}
    inherited["booktitle"] = parent.get("title", inherited["booktitle"])
    combined = {
        name: text for name, text in inherited.items() if 0 < len(text) <= _LONGEST_INHERITED
    }
    combined |= fields
    combined.pop("crossref", None)
    return combined


@dataclass
class _Draft:
    """A record while it is read: `fields` are those of the entry that were not read yet.

    `is_ours` says that `bibtex.write` wrote the entry, so that all of it is as it is stored.
    """

    fields: Fields
    is_ours: bool
    record: dict[str, Any]
    dropped: list[str] = field(default_factory=list)

    def plain(self, name: str) -> str:
        """Take a field as plain text; one that is not from here without HTML.

        Commands that stay in it, since nobody knows them, are told.
        """
        text = latex.decode(self.fields.pop(name))
        if self.is_ours:
            return text
        self.dropped += latex.unknown_commands(text)
        return clean_text(text)

    def decoded(self, name: str) -> str:
        """Take a field as plain text, or "" if the entry has none."""
        return latex.decode(self.fields.pop(name, ""))


def _parse_entry(line: int, entry_type: str, fields: Fields) -> ParsedEntry:
    is_ours = "x-study-design" in fields
    used = {name: text for name, text in fields.items() if is_ours or text.strip(" \t\n{}")}
    record = {
        "type": TYPES.get(entry_type, "document"),
        "study_design": "not_recorded",
        "title": None,
    }
    draft = _Draft(used, is_ours, record)
    if entry_type in _GENRES and not is_ours:
        draft.fields.setdefault("type", _GENRES[entry_type])
    if entry_type not in TYPES:
        draft.dropped.append(f"@{entry_type}")
    if "x-type" in draft.fields:
        draft.record["type"] = draft.fields.pop("x-type")
    _read_title(draft)
    _read_names(draft)
    _read_identifiers(draft)
    _read_url(draft)
    _read_texts(draft)
    _read_pages(draft)
    _read_dates(draft)
    _read_abstract_and_lists(draft)
    _read_notes(draft)
    if is_ours:
        drop_isbn(draft.record, draft.record.get("container_isbn", ""))
        drop_filled_journal(draft.record)
    else:
        move_isbn_of_whole(draft.record)
    return ParsedEntry(line, draft.record, told([*draft.dropped, *draft.fields]))


def _read_title(draft: _Draft) -> None:
    if "title" not in draft.fields:
        return
    title = draft.plain("title")
    if not draft.is_ours:
        if "subtitle" in draft.fields:
            title += ": " + draft.plain("subtitle")
        # PubMed puts a translated title in brackets, with a full stop after it.
        if title.startswith("[") and title.endswith("]."):
            title = title[:-1]
    draft.record["title"] = title or None


def _read_names(draft: _Draft) -> None:
    text = draft.fields.pop("author", "")
    authors, complete = latex.names(text)
    draft.record["authors"] = _exact_people(draft, "x-authors", text) or authors
    is_marked = complete and draft.fields.pop("x-authors-complete", "") == "false"
    draft.record["authors_complete"] = complete and not is_marked
    contributors = [
        {"role": role, **person}
        for role in v.CONTRIBUTOR_ROLES.ids
        for person in _contributors(draft, role)
    ]
    if contributors:
        draft.record["contributors"] = contributors[:MAX_CONTRIBUTORS]
        if len(contributors) > MAX_CONTRIBUTORS:
            draft.dropped.append("editor")


def _contributors(draft: _Draft, role: str) -> list[latex.Author]:
    text = draft.fields.pop(role if role in NAME_FIELDS else f"x-{role}", "")
    people, complete = latex.names(text)
    if not complete:
        draft.dropped.append(f"{role}.others")
    return _exact_people(draft, f"x-{role}s", text) or people


def _exact_people(draft: _Draft, name: str, text: str) -> list[latex.Author]:
    """Take the exact names beside a field; none if somebody changed the field since."""
    if name not in draft.fields:
        return []
    exact = latex.names(draft.fields[name])[0]
    if latex.names_text(exact) != re.sub(r" and others\Z", "", text):
        return []
    del draft.fields[name]
    return exact


def _read_identifiers(draft: _Draft) -> None:
    fields = draft.fields
    archive = latex.decode(fields.get("eprinttype", fields.get("archiveprefix", ""))).lower()
    if archive in ("pubmed", "pmc", "pmcid") and "eprint" in fields:
        fields.setdefault("pmid" if archive == "pubmed" else "pmcid", fields.pop("eprint"))
        fields.pop("eprinttype", None)
    draft.record["identifiers"] = []
    for scheme, names in _IDENTIFIERS.items():
        texts = [
            doi_in(latex.decode(fields[name], verbatim=True))
            if name == "doi"
            else latex.decode(fields[name])
            for name in names
            if name in fields
        ]
        if any(add_identifier(draft.record, scheme, text) for text in texts):
            for name in names:
                fields.pop(name, None)


def doi_in(text: str) -> str:
    """Return the text of a DOI without the markup of LaTeX and HTML."""
    return decode_entities(re.sub(r"\$\s*([<>_~])\s*\$", r"\1", text))


def _read_url(draft: _Draft) -> None:
    """Read the address; one that resolves a DOI gives the DOI too if the entry has no other."""
    fields = draft.fields
    if "url" not in fields and _HOWPUBLISHED_URL.search(fields.get("howpublished", "")):
        fields["url"] = fields.pop("howpublished")
    if "url" not in fields:
        return
    url = clean_url(fields.pop("url"))
    is_exact = "x-url" in fields
    if is_exact:
        url = draft.decoded("x-url")
    if not _URL.fullmatch(url):
        draft.dropped.append("url")
        return
    draft.record["url"] = url
    if draft.is_ours and not is_exact:
        drop_filled_address(draft.record)
    if not draft.is_ours and _DOI_URL.match(url):
        add_identifier(draft.record, "doi", doi_in(url))


def clean_url(text: str) -> str:
    """Return an address without LaTeX around it."""
    if set(text) & set("\\{}$"):
        text = latex.decode(text, verbatim=True)
    return text.strip()


def _read_texts(draft: _Draft) -> None:
    if draft.is_ours and "howpublished" in draft.fields:
        # `bibtex.write` has no other place for it; in other files it says "Version 2" and the like.
        draft.fields["booktitle"] = draft.fields.pop("howpublished")
    entry_type = ENTRY_TYPES.get(draft.record["type"], "misc")
    names_of = {**_TEXTS, **_OTHER_TEXTS.get(entry_type, {})}
    if not draft.is_ours and entry_type == "article":
        # It says no more than the type of the entry.
        del names_of["genre"]
    for target, names in names_of.items():
        name = next((name for name in names if name in draft.fields), None)
        if name is None:
            continue
        text = draft.plain(name)
        if draft.is_ours or fits(target, text):
            draft.record[target] = text
        else:
            draft.dropped.append(name)
    if draft.is_ours:
        # Written for other programs, of what stands elsewhere.
        draft.fields.pop("langid", None)
        draft.fields.pop("key", None)
    elif "language" in draft.record:
        draft.record["language"] = language_tag(draft.record["language"])
    if re.fullmatch("[0-9]{1,18}", draft.fields.get("x-sample-size", "")):
        draft.record["sample_size"] = int(draft.fields.pop("x-sample-size"))


def _read_abstract_and_lists(draft: _Draft) -> None:
    fields, record = draft.fields, draft.record
    if "abstract" in fields:
        text = draft.plain("abstract")
        if not add_abstract(record, text if draft.is_ours else clean_abstract(text)):
            draft.dropped.append("abstract")
    if "issn" in fields and not add_issn(record, draft.decoded("issn")):
        draft.dropped.append("issn")
    words: list[str] = []
    for name in ("keywords", "keyword", "author_keywords"):
        if name in fields:
            words += split_keywords(draft.plain(name))
    if "x-keywords" in fields:
        words = latex.groups(fields.pop("x-keywords"))
    if not add_keywords(record, words):
        draft.dropped.append("keywords")
    for name in ("copyright", "license", "rights"):
        licence = clean_licence(latex.decode(fields.get(name, "")))
        if licence:
            record.setdefault("licence", licence)
            del fields[name]


def _read_pages(draft: _Draft) -> None:
    if "pages" in draft.fields:
        pages = clean_pages(draft.decoded("pages"))
        if fits("page", pages):
            draft.record["page"] = pages
        else:
            draft.dropped.append("pages")
        if "x-page" in draft.fields:
            draft.record["page"] = draft.decoded("x-page")


def _read_dates(draft: _Draft) -> None:
    issued = _read_issued(draft)
    if "urldate" in draft.fields:
        draft.record["accessed"], rest = parse_date(draft.decoded("urldate"))
        if rest:
            draft.dropped.append("urldate")
    if "x-epub-date" in draft.fields:
        online = valid_partial_date(latex.decode(draft.fields["x-epub-date"]))
        if online:
            draft.record["epub_date"] = online
            del draft.fields["x-epub-date"]
    if issued and draft.fields.pop("x-issued", "") != "unknown":
        draft.record["issued"] = issued
    if draft.fields.get("x-issued-inferred") == "true":
        del draft.fields["x-issued-inferred"]
        draft.record["issued_inferred"] = True


def _read_issued(draft: _Draft) -> str | None:
    """Return the date of publication: that of `date`, or else of `year`, `month` and `day`."""
    date, year = draft.decoded("date"), draft.decoded("year")
    month, day = draft.decoded("month"), draft.decoded("day")
    # Of a span the beginning, without EDTF's marks of doubt.
    start, slash, _ = date.partition("/")
    issued, rest = parse_date(start)
    if rest or slash or start.endswith(("~", "?", "%")) or (date and not issued):
        draft.dropped.append("date")
    of_parts, rest = parse_date(f"{day} {_month_word(month)} {year}")
    if (year and of_parts is None) or not (issued or year).startswith((of_parts or year)[:4]):
        draft.dropped.append("year")
    elif rest and year and not issued:
        draft.dropped.append("month" if month else "year")
    return issued or of_parts


def _month_word(month: str) -> str:
    """Return a month's number as its name, since a number alone is taken for a day."""
    if month.isdecimal() and 1 <= int(month[:3]) <= 12:
        return MONTHS[int(month) - 1]
    return month


def notice(source: Mapping[str, Any]) -> str:
    """Return what the publisher of a source announced, as an entry's note; "" if nothing.

    Styles print a note, so our own remarks do not stand there.
    """
    integrity = source.get("integrity", "no_notice")
    if integrity == "no_notice":
        return ""
    return f"{_INTEGRITY.get(integrity, integrity)}: {source.get('integrity_note') or ''}".strip()


def _read_notes(draft: _Draft) -> None:
    """Join the notes, except a notice that repeats other fields of the entry."""
    draft.fields.pop("x-unverified", None)
    repeated = notice(draft.record)
    notes = [draft.plain(name) for name in _NOTES if name in draft.fields]
    new = [note for note in notes if note != repeated]
    if new:
        draft.record["note"] = "\n".join(new)
