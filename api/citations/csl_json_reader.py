"""The records of a file of CSL-JSON, and the names under which `csl_json` writes them."""

import json
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.citations.clean import (
    OTHERS,
    add_identifier,
    add_issn,
    add_keywords,
    clean_abstract,
    clean_licence,
    clean_orcid,
    clean_pages,
    clean_text,
    decode_file,
    drop_filled_journal,
    drop_isbn,
    fits,
    line_counter,
    move_isbn_of_whole,
    on_one_line,
    parse_date,
    split_keywords,
)
from api.citations.parse_result import EntryProblem, ParsedEntry, ParsedFile, told
from models.core import vocabularies as v
from models.records.identifiers import identifiers_in
from models.records.serializers import Row
from models.records.source import MAX_CONTRIBUTORS

TYPES = {term.id: term.crosswalk["csl"] for term in v.SOURCE_TYPES.terms}
# Other types of Crossref, by ours.
_NEAR_TYPES = {
    "journal-article": "article-journal",
    "proceedings-article": "paper-conference",
    "posted-content": "article",
    "peer-review": "review",
    "dissertation": "thesis",
    "report-component": "report",
    "reference-entry": "entry",
    "database": "dataset",
    **dict.fromkeys(("book-chapter", "book-section", "book-part"), "chapter"),
    **dict.fromkeys(
        ("monograph", "edited-book", "reference-book", "proceedings", "book-set"), "book"
    ),
    **dict.fromkeys(("journal", "journal-issue", "journal-volume"), "periodical"),
}
SCHEMES = {
    term.id: term.crosswalk["csl"] for term in v.IDENTIFIER_SCHEMES.terms if "csl" in term.crosswalk
}
# Those for which CSL has no variable: they stand in `custom`.
CUSTOM_SCHEMES = tuple(scheme for scheme in v.IDENTIFIER_SCHEMES.ids if scheme not in SCHEMES)
# Our fields and CSL's variables: the first is written, the others are read if it is absent.
TITLES = {
    "title": ("title",),
    "container_title": ("container-title",),
    "container_title_short": (
        "container-title-short",
        "journalAbbreviation",
        "shortContainerTitle",
    ),
    "publisher": ("publisher",),
    "title_short": ("title-short", "shortTitle"),
    "collection_title": ("collection-title",),
    "event_title": ("event-title", "event"),
    "abstract": ("abstract",),
}
PLAIN = {
    "volume": ("volume",),
    "issue": ("issue",),
    "page": ("page", "page-first"),
    "number": ("number", "article-number"),
    "url": ("URL",),
    "language": ("language",),
    "collection_number": ("collection-number",),
    "edition": ("edition",),
    "genre": ("genre",),
    "event_place": ("event-place",),
    "publisher_place": ("publisher-place", "publisher-location"),
    "note": ("note",),
}
# The variables that hold names: authors, and the roles of contributors.
NAMES = ("author", *v.CONTRIBUTOR_ROLES.ids)
DATES = {"issued": "issued", "epub_date": "available-date", "accessed": "accessed"}
PARTS = {
    "family": "family",
    "given": "given",
    "particle": "non-dropping-particle",
    "suffix": "suffix",
    "literal": "literal",
}
_OTHER_PARTS = ("dropping-particle", "name")
# What stands in `custom`, and its type.
CUSTOM: dict[str, type] = {
    "title_status": str,
    "study_design": str,
    "sample_size": int,
    "sample": str,
    "integrity_note": str,
    "integrity_date": str,
    "text_sha256": str,
}
_CUSTOM_TERMS = {"title_status": v.TITLE_STATUSES, "study_design": v.STUDY_DESIGNS}
_FLAGS = ("authors_complete", "issued_inferred")
STATUSES = {term.id: term.label for term in v.INTEGRITIES.terms if term.id != "no_notice"}
_INTEGRITY_OF_STATUS = {label: term for term, label in STATUSES.items()}
# Where Crossref tells the dates in print and online apart.
_IN_PRINT, _ONLINE = "published-print", "published-online"
# Variables that say nothing about a work, or that are read by functions of their own.
_READ_ELSEWHERE = {
    "id", "citation-key", "type", "custom", "status", "journalAbbreviation", "ISSN", "keyword",
    "license",
}  # fmt: skip
_READ = {
    *_READ_ELSEWHERE,
    *NAMES,
    *DATES.values(),
    *(_IN_PRINT, _ONLINE),
    *SCHEMES.values(),
    *(name for names in TITLES.values() for name in names),
    *(name for names in PLAIN.values() for name in names),
}
_EMPTY: tuple[object, ...] = (None, "", [])


def read(content: bytes, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse every item of a file: an array, an object, several objects, an object with `items`, or
    an answer of Crossref.

    If the JSON is malformed or cut, the items before the error are parsed, and the rest is one
    problem at its line.
    """
    text = decode_file(content)
    line_at = line_counter(text)
    parsed = ParsedFile() if parsed is None else parsed
    for position, item in _unwrapped(_items(text)):
        line = line_at(position)
        if isinstance(item, _Malformed):
            detail = f"{item.reason} at line {line_at(item.position)}; nothing after it was read."
            parsed.add(EntryProblem(line, "malformed_json", detail))
        elif not isinstance(item, dict):
            detail = "An item of CSL-JSON is an object."
            parsed.add(EntryProblem(line, "not_an_item", detail))
        elif not item.keys() - {"id", "type", "citation-key"}:
            detail = "The item says nothing about a work."
            parsed.add(EntryProblem(line, "empty_item", detail))
        else:
            parsed.add(_parse_item(line, item))
    return parsed


def _unwrapped(items: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Yield the items, of an answer of Crossref those in its envelope."""
    for position, item in items:
        message = item.get("message") if isinstance(item, dict) else None
        if not isinstance(message, dict):
            yield position, item
        elif isinstance(message.get("items"), list):
            yield from ((position, each) for each in message["items"])
        else:
            yield position, message


class _Malformed(NamedTuple):
    """Text that is no JSON: the reason, and the position of the error."""

    reason: str
    position: int


# Not strict, since control characters within strings do no harm.
_DECODER = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[ \t\n\r]*")
_WRAPPER = re.compile(r'\{\s*"(?:items|references)"\s*:\s*(?=\[)')


def _items(text: str) -> Iterator[tuple[int, Any]]:
    """Yield each item with its position; the last one is `_Malformed` if the text is no JSON."""
    position = _skip_space(text, 0)
    wrapper = _WRAPPER.match(text, position)
    if wrapper:
        position = wrapper.end()
    if not text.startswith("[", position):
        yield from _items_in_sequence(text, position)
        return
    end = yield from _list_items(text, position)
    if end is not None and not wrapper:
        yield from _items_in_sequence(text, end)


def _list_items(text: str, start: int) -> Generator[tuple[int, Any], None, int | None]:
    """Yield the items of a list; return the position after it, or None if it is malformed."""
    position = _skip_space(text, start + 1)
    while not text.startswith("]", position):
        if position >= len(text):
            shown_at = position if position > start + 1 else start
            yield shown_at, _Malformed("The list is not closed: the file ends", len(text))
            return None
        item, end = _decode_item(text, position)
        yield position, item
        if isinstance(item, _Malformed):
            return None
        position = _skip_space(text, end)
        if text.startswith(",", position):
            position = _skip_space(text, position + 1)
        elif position < len(text) and not text.startswith("]", position):
            yield position, _Malformed("A comma is missing", position)
            return None
    return _skip_space(text, position + 1)


def _items_in_sequence(text: str, position: int) -> Iterator[tuple[int, Any]]:
    """Yield items that stand one after the other, without a list around them."""
    while position < len(text):
        item, end = _decode_item(text, position)
        yield position, item
        if isinstance(item, _Malformed):
            return
        position = _skip_space(text, end)


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _decode_item(text: str, position: int) -> tuple[Any, int]:
    """Return the item at a position, and where it ends."""
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError as error:
        return _Malformed(f"Not JSON ({error.msg})", error.pos), error.pos
    except (ValueError, RecursionError):
        # A number of thousands of digits, or thousands of nested lists.
        reason = "Not JSON that can be read (too large a number, or too deep)"
        return _Malformed(reason, position), position


@dataclass(frozen=True)
class _Draft:
    """A record while its item is read."""

    item: Row
    record: Row
    dropped: list[str]


def _parse_item(line: int, item: Row) -> ParsedEntry:
    draft = _Draft(item, {"study_design": "not_recorded"}, [])
    _read_type(draft)
    is_ours = _is_ours(draft)
    # Of what `csl_json.write` wrote, the paragraphs are as they are stored.
    cleaning = {"abstract": clean_text if is_ours else clean_abstract}
    _read_texts(draft, TITLES, lambda ours: cleaning.get(ours, _clean_title))
    _read_texts(draft, PLAIN, lambda _: str.strip)
    _read_dates(draft)
    _read_print_and_online(draft)
    _read_names(draft)
    _read_identifiers(draft)
    _read_issn_and_keywords(draft)
    if is_ours:
        drop_filled_journal(draft.record)
    else:
        _read_note(draft)
        move_isbn_of_whole(draft.record)
    _clean_page_and_url(draft)
    _read_licence(draft)
    _read_status(draft)
    _read_custom(draft)
    _complete_integrity_note(draft.record)
    draft.dropped.extend(name for name in item if name not in _READ)
    return ParsedEntry(line, draft.record, told(draft.dropped))


def _read_type(draft: _Draft) -> None:
    csl_type = draft.item.get("type")
    for ours, csl in TYPES.items():
        if csl_type == csl:
            draft.record["type"] = ours
            return
    if csl_type is not None:
        draft.dropped.append("type")
    near_type = _NEAR_TYPES.get(csl_type) if isinstance(csl_type, str) else None
    draft.record["type"] = near_type or "document"


def _read_texts(
    draft: _Draft,
    variables: dict[str, tuple[str, ...]],
    cleaning: Callable[[str], Callable[[str], str]],
) -> None:
    """Read the fields that are texts, of several variables of one field the first with a value.

    `cleaning` returns how to clean the text of a field.
    """
    for ours, names in variables.items():
        first: str | None = None
        for name in names:
            value = draft.item.get(name)
            if value in _EMPTY:
                continue
            text = _text(value)
            cleaned = None if text is None else cleaning(ours)(text)
            first = cleaned if first is None else first
            if cleaned is None or cleaned != first or _has_more(value) or not fits(ours, cleaned):
                draft.dropped.append(name)
        if first and fits(ours, first):
            draft.record[ours] = first


def _clean_title(text: str) -> str:
    return on_one_line(clean_text(text), "\t\n\r")


def _text(value: object) -> str | None:
    """Return a text or number as text, the first of a list, and None for anything else."""
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) else None


def _has_more(value: object) -> bool:
    """Return whether a value is a list of which `_text` returns only a part."""
    return isinstance(value, list) and len(value) > 1


_INTERVAL = re.compile(r"([0-9]{4}(?:-[0-9-]+)?[?~%]?)/([0-9]{4}.*|\.\.)")
# Of EDTF, the Extended Date/Time Format.
_MARKS_OF_DOUBT = ("?", "~", "%")
_FALSE: tuple[object, ...] = (None, False, 0, "", "0", "false")


def _read_dates(draft: _Draft) -> None:
    for ours, name in DATES.items():
        value = draft.item.get(name)
        if value in _EMPTY or value == {}:
            continue
        is_uncertain = isinstance(value, dict) and value.get("circa") not in _FALSE
        text = _date_text(value, name, draft.dropped)
        if text is not None:
            is_uncertain = is_uncertain or text.endswith(_MARKS_OF_DOUBT)
            if date := _date_in(text, name, draft.dropped):
                draft.record[ours] = date
        if is_uncertain and ours == "issued":
            draft.record["issued_inferred"] = True


def _date_in(text: str, name: str, dropped: list[str]) -> str | None:
    """Return the date in the text of a date variable, whose name is told if that is not all."""
    date, rest = parse_date(text)
    if rest or not date:
        dropped.append(name)
    return date


def _date_text(value: object, name: str, dropped: list[str]) -> str | None:
    """Return a date variable as text, of a span the beginning; None if all its parts are zero."""
    if isinstance(value, dict):
        if value.get("season"):
            dropped.append(f"{name}.season")
        spans = value.get("date-parts")
        if isinstance(spans, list) and spans and isinstance(spans[0], list):
            if len(spans) > 1:
                dropped.append(f"{name}.end")
            parts = [part for part in map(_text, spans[0]) if part and part != "0"]
            if not parts:
                return None
            value = "-".join([parts[0].zfill(4), *parts[1:]])
        else:
            value = value.get("raw") or value.get("literal") or None
    text = (_text(value) or "").strip()
    if interval := _INTERVAL.fullmatch(text):
        dropped.append(f"{name}.end")
        return interval[1]
    return text


def _read_print_and_online(draft: _Draft) -> None:
    """Read Crossref's dates in print and online; its `issued` is the earlier of the two."""
    found: dict[str, str] = {}
    for name in (_IN_PRINT, _ONLINE):
        value = draft.item.get(name)
        text = None if value in _EMPTY else _date_text(value, name, draft.dropped)
        if text and (date := _date_in(text, name, draft.dropped)):
            found[name] = date
    if _IN_PRINT in found:
        draft.record["issued"] = found[_IN_PRINT]
    if _ONLINE in found:
        draft.record.setdefault("epub_date", found[_ONLINE])
        draft.record.setdefault("issued", found[_ONLINE])


def _read_names(draft: _Draft) -> None:
    authors, goes_on = _people(draft, "author")
    draft.record["authors"], draft.record["authors_complete"] = authors, not goes_on
    contributors = []
    for role in v.CONTRIBUTOR_ROLES.ids:
        people, goes_on = _people(draft, role)
        contributors += [{"role": role, **person} for person in people]
        if goes_on:
            draft.dropped.append(f"{role}.others")
    if len(contributors) > MAX_CONTRIBUTORS:
        draft.dropped.append("contributors")
    if contributors:
        draft.record["contributors"] = contributors[:MAX_CONTRIBUTORS]


def _people(draft: _Draft, variable: str) -> tuple[list[Row], bool]:
    """Return the people of a name variable, and whether the list goes on beyond them."""
    value = draft.item.get(variable)
    names = value if isinstance(value, list) else [value] if value else []
    people = []
    for name in names:
        parts = name if isinstance(name, dict) else {"literal": name}
        person = _person(parts, variable, draft.dropped)
        if person:
            people.append(person)
        else:
            draft.dropped.append(variable)
    goes_on = bool(people) and bool(OTHERS.fullmatch(people[-1].get("literal", "")))
    return people[:-1] if goes_on else people, goes_on


def _person(name: Row, variable: str, dropped: list[str]) -> Row:
    """Return the person or group that a name describes; it is empty if the name is."""
    texts = {
        part: " ".join((_text(name.get(part)) or "").split())
        for part in (*PARTS.values(), *_OTHER_PARTS)
    }
    author: Row = {ours: texts[csl] for ours, csl in PARTS.items() if texts[csl]}
    if texts["dropping-particle"]:
        particles = f"{texts['dropping-particle']} {author.get('particle', '')}"
        author["particle"] = particles.strip()
    literal = author.pop("literal", "") or texts["name"]
    if "family" not in author:
        if literal:
            dropped += [f"{variable}.{part}" for part in author]
            author = {"literal": literal}
        elif author:
            author = {"literal": " ".join(author.values())}
    elif literal:
        dropped.append(f"{variable}.literal")
    read_parts = [*PARTS.values(), "name"]
    orcid = clean_orcid(_text(name.get("ORCID")) or "")
    if orcid and "family" in author:
        author["orcid"] = orcid
        # Crossref says beside it whether the person signed in.
        read_parts += ["ORCID", "authenticated-orcid"]
    dropped += [f"{variable}.{part}" for part in name if part not in read_parts and name[part]]
    return author


def _read_identifiers(draft: _Draft) -> None:
    draft.record["identifiers"] = []
    for scheme, name in SCHEMES.items():
        value = draft.item.get(name)
        if value in _EMPTY:
            continue
        text = _text(value) or ""
        # A book has an ISBN for each binding; one of them is kept.
        has_several = _has_more(value) or (scheme == "isbn" and len(text) > 24)
        if not add_identifier(draft.record, scheme, text) or has_several:
            draft.dropped.append(name)


def _read_issn_and_keywords(draft: _Draft) -> None:
    for name, add in (
        ("ISSN", add_issn),
        ("keyword", lambda record, text: add_keywords(record, split_keywords(text))),
    ):
        value = draft.item.get(name)
        texts = value if isinstance(value, list) else [value]
        for text in texts:
            if text not in _EMPTY and not add(draft.record, _text(text) or ""):
                draft.dropped.append(name)


_IN_NOTE = re.compile(r"(DOI|PMID|PMCID|ISBN) ?: ?(\S.{0,200})", re.IGNORECASE)


def _read_note(draft: _Draft) -> None:
    """Take the lines of the note that are identifiers, as Zotero and PubMed write them there."""
    kept = []
    for line in draft.record.pop("note", "").split("\n"):
        label = _IN_NOTE.fullmatch(line.strip())
        if not (label and add_identifier(draft.record, label[1].lower(), label[2])):
            kept.append(line)
    if note := "\n".join(kept).strip():
        draft.record["note"] = note


def _clean_page_and_url(draft: _Draft) -> None:
    record = draft.record
    if "page" in record and not _is_ours(draft):
        record["page"] = clean_pages(record["page"])
    if "url" in record and not re.fullmatch(r"https?://\S+", record["url"]):
        draft.dropped.append("URL")
        del record["url"]


def _read_licence(draft: _Draft) -> None:
    """Read the licence, of Crossref's list the address of the first."""
    value = draft.item.get("license")
    if value in _EMPTY:
        return
    first = value[0] if isinstance(value, list) else value
    licence = clean_licence(_text(first.get("URL") if isinstance(first, dict) else first) or "")
    if licence:
        draft.record["licence"] = licence
    if licence is None or _has_more(value):
        draft.dropped.append("license")


def _is_ours(draft: _Draft) -> bool:
    """Return whether `csl_json.write` wrote the item, so that all of it is as it is stored."""
    custom = draft.item.get("custom")
    return isinstance(custom, dict) and "source" in custom


def _read_status(draft: _Draft) -> None:
    value = draft.item.get("status")
    status = (_text(value) or "").strip().lower()
    if status in _INTEGRITY_OF_STATUS:
        draft.record["integrity"] = _INTEGRITY_OF_STATUS[status]
    elif value:
        draft.dropped.append("status")


def _read_custom(draft: _Draft) -> None:
    """Read what `csl_json.write` puts under `custom`; anything else there is dropped."""
    custom = draft.item.get("custom")
    if not isinstance(custom, dict):
        if custom not in _EMPTY:
            draft.dropped.append("custom")
        return
    for name, value in custom.items():
        if name in _READ_CUSTOM:
            _READ_CUSTOM[name](draft, value)
        elif _fits_custom(name, value):
            draft.record[name] = value
        elif name in CUSTOM_SCHEMES and add_identifier(draft.record, name, _text(value) or ""):
            continue
        elif name not in ("source", "unverified"):
            draft.dropped.append(f"custom.{name}")


def _read_container_isbn(draft: _Draft, value: object) -> None:
    """Read the ISBN of the whole, which stands as `ISBN` where the part has none."""
    isbn = identifiers_in("isbn", value) if isinstance(value, str) else []
    if not isbn:
        draft.dropped.append("custom.container_isbn")
        return
    draft.record["container_isbn"] = isbn[0]
    drop_isbn(draft.record, isbn[0])


def _read_exact_keywords(draft: _Draft, value: object) -> None:
    words = value if isinstance(value, list) else [value]
    draft.record["keywords"] = []
    texts = [word for word in words if isinstance(word, str)]
    if not add_keywords(draft.record, texts) or len(texts) < len(words):
        draft.dropped.append("custom.keywords")


def _read_orcid(draft: _Draft, value: object) -> None:
    """Give the people of each role their ORCID iDs, which stand in the order of the names."""
    of_role = value if isinstance(value, dict) else {"": value}
    for role, orcids in of_role.items():
        contributors = draft.record.get("contributors", [])
        people = [each for each in contributors if each["role"] == role]
        people = draft.record["authors"] if role == "author" else people
        if not isinstance(orcids, list) or len(orcids) != len(people):
            draft.dropped.append("custom.orcid")
            continue
        for person, text in zip(people, orcids, strict=True):
            orcid = clean_orcid(text) if isinstance(text, str) and "family" in person else None
            if orcid:
                person["orcid"] = orcid
            elif text:
                draft.dropped.append("custom.orcid")


def _read_issued(draft: _Draft, value: object) -> None:
    """Read that the date of the issue is not known: what stands there is the date online."""
    if value == "unknown" and draft.record.get("issued") == draft.record.get("epub_date"):
        draft.record.pop("issued", None)
    else:
        draft.dropped.append("custom.issued")


_READ_CUSTOM: dict[str, Callable[[_Draft, object], None]] = {
    "container_isbn": _read_container_isbn,
    "keywords": _read_exact_keywords,
    "orcid": _read_orcid,
    "issued": _read_issued,
}


def _fits_custom(name: str, value: object) -> bool:
    if name in _FLAGS:
        return isinstance(value, bool)
    # A bool is an int to Python, and no sample size.
    if name not in CUSTOM or isinstance(value, bool) or not isinstance(value, CUSTOM[name]):
        return False
    return name not in _CUSTOM_TERMS or value in _CUSTOM_TERMS[name].ids


def _complete_integrity_note(record: Row) -> None:
    integrity = record.get("integrity")
    if integrity and not record.get("integrity_note"):
        status = STATUSES[integrity]
        record["integrity_note"] = f"The file it was read from gives its status as '{status}'."
