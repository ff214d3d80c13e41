"""The records of a BibTeX or biblatex file."""

import html
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError

from api.citations import latex
from api.citations.bibtex_scanner import Broken, blocks
from api.citations.clean import clean_doi, decoded
from api.citations.parse_result import Found, Reading, Trouble
from models.core import vocabularies as v
from models.core.types import check_partial_date
from models.records.source import normal_identifier

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# What an entry type means: the crosswalk, where it is one to one, and the types of biblatex and of old files.
MEANT = {
    **{term.crosswalk["bibtex"]: term.id for term in v.SOURCE_TYPES.terms},
    **{"misc": "document", "manual": "document", "software": "document", "patent": "document"},
    **dict.fromkeys(("online", "electronic", "www", "webpage"), "webpage"),
    **dict.fromkeys(("booklet", "collection", "proceedings", "mvbook", "reference"), "book"),
    **dict.fromkeys(("inbook", "suppbook", "inreference"), "chapter"),
    **dict.fromkeys(("thesis", "mastersthesis"), "thesis"),
    **{
        "report": "report",
        "conference": "paper-conference",
        "preprint": "article",
        "dataset": "dataset",
    },
}

# The names under which files hold our fields, the first found is taken.
_TEXTS: dict[str, tuple[str, ...]] = {
    "container_title": ("booktitle", "journal", "journaltitle", "howpublished"),
    "container_title_short": (
        "shortjournal",
        "journalabbr",
        "journal-abbreviation",
        "iso-source-abbreviation",
    ),
    "publisher": ("publisher", "institution", "school", "organization"),
    "volume": ("volume",),
    "issue": ("number", "issue"),
    "number": ("eid", "article-number", "articleno"),
    "language": ("language", "langid"),
    "study_design": ("x-study-design",),
    "sample": ("x-sample",),
    "integrity": ("x-integrity",),
    "integrity_note": ("x-integrity-note",),
    "integrity_date": ("x-integrity-date",),
    "accessed": ("x-accessed",),
    "text_sha256": ("x-text-sha256",),
}
_REPORT = {"issue": ("issue",), "number": ("number", "eid")}
_NOTES = ("note", "annote", "annotation")
_IDENTIFIERS = {
    "doi": ("x-doi", "doi"),
    "pmid": ("pmid",),
    "pmcid": ("pmcid", "pmc"),
    "isbn": ("isbn",),
}
_LANGUAGES = {
    "english": "en",
    "german": "de",
    "ngerman": "de",
    "french": "fr",
    "italian": "it",
    "spanish": "es",
}
_INTEGRITY = {
    "corrected": "Corrected",
    "concern": "Expression of concern",
    "retracted": "Retracted",
}

_TAGS = re.compile(
    r"</?(?:i|b|u|em|strong|sub|sup|scp|sc|span|p|br|italic|bold|jats:[a-z-]+)(?:\s[^<>]*)?/?>",
    re.I,
)


def read(content: bytes) -> Reading:
    """Read a file of BibTeX, UTF-8 or Latin-1; each entry is found or is a trouble with the line on which it begins."""
    text = decoded(content)
    lines = [match.start() for match in re.finditer("\n", text)]
    words = {month: month for month in MONTHS}
    entries = list(blocks(text, words))
    # The first of each key; one that is referred to may stand behind the one that does.
    parents: dict[str, dict[str, str]] = {}
    reading = Reading()
    repeated = set()
    for start, _, fields in entries:
        if (
            isinstance(fields, dict)
            and (key := fields.pop("", "").lower())
            and parents.setdefault(key, fields) is not fields
        ):
            repeated.add(start)
    parents = {key: dict(fields) for key, fields in parents.items()}
    for start, kind, fields in entries:
        line = bisect_left(lines, start) + 1
        if isinstance(fields, Broken):
            where = bisect_left(lines, fields.at) + 1
            reading.troubles.append(Trouble(line, fields.code, f"{fields.why}, on line {where}."))
        elif start in repeated:
            reading.troubles.append(
                Trouble(line, "repeated_entry", "An entry with the same key stands above.")
            )
        else:
            reading.found.append(_found(line, kind, fields, parents))
    return reading


def _found(
    line: int, kind: str, fields: dict[str, str], parents: Mapping[str, Mapping[str, str]]
) -> Found:
    """Return the record of an entry; `fields` is used up, and what remains could not be carried."""
    parent = parents.get(latex.decode(fields.get("crossref", "")).lower())
    if parent is not None:
        inherited = {"booktitle": parent["title"]} if "title" in parent else {}
        fields = {**parent, "title": "", **inherited, **fields}
        fields.pop("crossref", None)
    ours = "x-study-design" in fields
    left = {name: value for name, value in fields.items() if ours or value.strip(" \t\n{}")}
    record: dict[str, Any] = {
        "type": MEANT.get(kind, "document"),
        "study_design": "not_recorded",
        "title": "",
    }
    dropped = [] if kind in MEANT else [f"@{kind}"]
    if "x-type" in left:
        record["type"] = left.pop("x-type")
    if "title" in left:
        record["title"] = _title(left, ours)
    _read_names(left, record)
    _read_identifiers(left, record)
    _read_url(left, record, dropped, ours)
    for field, names in {**_TEXTS, **(_REPORT if record["type"] == "report" else {})}.items():
        if name := next((name for name in names if name in left), None):
            record[field] = _plain(left.pop(name), ours)
    if not ours and "language" in record:
        record["language"] = _LANGUAGES.get(record["language"].lower(), record["language"])
    if "pages" in left:
        pages = clean_page(latex.decode(left.pop("pages")))
        record["page"] = latex.decode(left.pop("x-page")) if "x-page" in left else pages
    if re.fullmatch("[0-9]{1,18}", left.get("x-sample-size", "")):
        record["sample_size"] = int(left.pop("x-sample-size"))
    _read_dates(left, record, dropped)
    _read_notes(left, record, ours)
    return Found(line, record, tuple(dict.fromkeys([*dropped, *left])))


def _plain(value: str, ours: bool) -> str:
    """Return a value as plain text; where it is not from here, without mark-up."""
    text = latex.decode(value)
    return text if ours else html.unescape(_TAGS.sub("", text)).strip()


def _title(left: dict[str, str], ours: bool) -> str:
    title = _plain(left.pop("title"), ours)
    if not ours and "subtitle" in left:
        title += ": " + _plain(left.pop("subtitle"), ours)
    # PubMed sets a translated title in brackets and a full stop behind.
    return title[:-1] if not ours and title.startswith("[") and title.endswith("].") else title


def _read_names(left: dict[str, str], record: dict[str, Any]) -> None:
    text = left.pop("author", "")
    authors, complete = latex.names(text)
    if "x-authors" in left:
        exact = latex.names(left["x-authors"])[0]
        # Somebody may have changed the names since; then the exact ones are of another list.
        if latex.names_text(exact) == re.sub(r" and others\Z", "", text):
            authors = exact
            del left["x-authors"]
    record["authors"] = authors
    record["authors_complete"] = complete and left.pop("x-authors-complete", "") != "false"


def _read_identifiers(left: dict[str, str], record: dict[str, Any]) -> None:
    """Take the identifiers over, as unverified: a file cannot vouch for them."""
    archive = latex.decode(left.get("eprinttype", left.get("archiveprefix", ""))).lower()
    if archive in ("pubmed", "pmc", "pmcid") and "eprint" in left:
        left.setdefault("pmid" if archive == "pubmed" else "pmcid", left.pop("eprint"))
        left.pop("eprinttype", None)
    record["identifiers"] = []
    for scheme, names in _IDENTIFIERS.items():
        for name in [name for name in names if name in left]:
            value = latex.decode(left[name], verbatim=name == "doi")
            normal = _valid(scheme, value if name == "x-doi" else _clean(scheme, value))
            if normal:
                record["identifiers"].append(
                    {"scheme": scheme, "value": normal, "verification": "unverified"}
                )
                for other in names:
                    left.pop(other, None)
                break


def _valid(scheme: str, value: str) -> str | None:
    try:
        return normal_identifier(scheme, value)
    except PydanticCustomError:
        return None


def _read_url(left: dict[str, str], record: dict[str, Any], dropped: list[str], ours: bool) -> None:
    """Take the address over; one that only resolves a DOI gives the DOI too where the entry has none."""
    if "url" not in left and re.search(
        r"\\url\s*\{|^\s*https?://\S+\s*$", left.get("howpublished", "")
    ):
        left["url"] = left.pop("howpublished")
    if "url" not in left:
        return
    url = clean_url(left.pop("url"))
    if "x-url" in left:
        url = latex.decode(left.pop("x-url"))
    if not re.fullmatch(r"https?://\S+", url):
        dropped.append("url")
        return
    record["url"] = url
    resolved = re.match(r"https?://(?:dx\.)?doi\.org/", url) and _valid("doi", doi_of(url))
    if resolved and not ours and all(each["scheme"] != "doi" for each in record["identifiers"]):
        record["identifiers"].insert(
            0, {"scheme": "doi", "value": resolved, "verification": "unverified"}
        )


def _read_dates(left: dict[str, str], record: dict[str, Any], dropped: list[str]) -> None:
    date, year, month = (latex.decode(left.pop(name, "")) for name in ("date", "year", "month"))
    day = latex.decode(left.pop("day", ""))
    issued = _partial(date) or _partial(date.split("/")[0].rstrip("~?%"))
    if date and issued != date:
        dropped.append("date")
    found = re.search(r"(?<![0-9])[0-9]{4}(?![0-9])", year)
    if year and (found is None or found[0] != year or (issued or year)[:4] != year):
        dropped.append("year")
    if issued is None and found:
        issued = _partial(found[0])
        number = _month(month)
        figure = day or "".join(
            re.findall(r"(?<![0-9])[0-9]{1,2}(?![0-9])", month) if not month.isdecimal() else ()
        )
        whole = f"{found[0]}-{number:02d}" if number else found[0]
        issued = _partial(f"{whole}-{figure:0>2}") or _partial(whole) or issued
        if (month and not number) or (day and len(issued or "") < 10):
            dropped.append("month" if month and not number else "day")
    if "x-epub-date" in left and (online := _partial(latex.decode(left["x-epub-date"]))):
        record["epub_date"] = online
        del left["x-epub-date"]
    if issued and left.pop("x-issued", "") != "unknown":
        record["issued"] = issued
    if left.get("x-issued-inferred") == "true":
        record["issued_inferred"] = bool(left.pop("x-issued-inferred"))


def _partial(date: str) -> str | None:
    try:
        return str(check_partial_date(date)) if date else None
    except PydanticCustomError:
        return None


def _month(text: str) -> int | None:
    """Return the one month that a text names, by number or name; a range of months is none."""
    if text.isdecimal():
        return int(text) if 1 <= int(text) <= 12 else None
    named = {word[:3].lower() for word in re.findall(r"[A-Za-z]{3,}", text)}
    return MONTHS.index(named.pop()) + 1 if len(named) == 1 and named <= set(MONTHS) else None


def remarks(source: Mapping[str, Any], unverified: Sequence[str]) -> str:
    """Return in words what a reader of the citation must know and BibTeX has no field for."""
    said = []
    if source.get("integrity", "no_notice") != "no_notice":
        said.append(
            f"{_INTEGRITY.get(source['integrity'], source['integrity'])}: {source.get('integrity_note') or ''}"
        )
    if source.get("issued_inferred"):
        said.append("The date of publication is inferred.")
    if not source["authors_complete"] and not source["authors"]:
        said.append("The authors are not recorded.")
    if unverified:
        said.append(f"Not verified: {', '.join(scheme.upper() for scheme in unverified)}.")
    return " ".join(said)


def _read_notes(left: dict[str, str], record: dict[str, Any], ours: bool) -> None:
    """Join the notes, without what only tells people what the entry's fields say."""
    unverified = latex.decode(left.pop("x-unverified", ""))
    said = remarks(record, unverified.split(", ") if unverified else [])
    notes = [
        note for name in _NOTES if name in left and (note := _plain(left.pop(name), ours)) != said
    ]
    if notes:
        record["note"] = "\n".join(notes)


def clean_page(text: str) -> str:
    """Return pages with plain hyphens and without a word before them: 'pp. 12–15' → '12-15'."""
    text = re.sub(r"^\s*(?:pp?|pages?|S)\.?\s+(?=\S*[0-9])", "", text, flags=re.IGNORECASE)
    # A run of blanks without a dash is passed over once, not tried from each of its blanks.
    return re.sub(r"(?:(?<!\s)\s++)?[-\u2010-\u2015\u2212]+\s*", "-", text).strip()


def doi_of(text: str) -> str:
    """Return a DOI without mark-up, and without what people write around it."""
    return clean_doi(html.unescape(re.sub(r"\$\s*([<>_~])\s*\$", r"\1", text)))


def clean_url(text: str) -> str:
    """Return an address without LaTeX around it."""
    return latex.decode(text, verbatim=True).strip() if set(text) & set("\\{}$") else text.strip()


_PREFIXES = {
    "pmid": r"\s*PMID\s*:?\s*",
    "pmcid": r"\s*(?:PMCID\s*:?\s*)?(?:PMC)?\s*",
    "isbn": r"\s*ISBN:?\s*",
}


def _clean(scheme: str, text: str) -> str:
    if scheme == "doi":
        return doi_of(text)
    value = re.sub(f"^{_PREFIXES[scheme]}", "", text, flags=re.IGNORECASE)
    return {"pmid": value, "pmcid": f"PMC{value}", "isbn": re.sub(r"[\s-]", "", value)}[scheme]
