"""RIS: tagged lines, as reference managers exchange them (Research Information Systems' format,
2011).

The reader is our own: rispy returns nothing, silently, for a byte order mark, a missing `ER` or
tags with one space. What has no tag of its own goes into notes (`N1`) and user-defined fields (`U1`
to `U5`) under a label.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from api.citations.clean import (
    NO_NAME,
    OTHERS,
    add_abstract,
    add_identifier,
    add_issn,
    add_keywords,
    clean_abstract,
    clean_pages,
    clean_text,
    decode_file,
    doi_address,
    drop_filled_address,
    drop_filled_journal,
    drop_isbn,
    fits,
    language_tag,
    move_isbn_of_whole,
    name_line,
    on_one_line,
    parse_date,
    parse_name,
    parse_names,
    plain_hyphens,
)
from api.citations.parse_result import ParsedEntry, ParsedFile
from api.citations.tagged_lines import (
    EntryBuilder,
    RawEntry,
    Tags,
    TagValue,
    blank_record,
    parse_entries,
)
from models.core import vocabularies as v
from models.records.serializers import Row

MEDIA_TYPES = ("application/x-research-info-systems",)
EXTENSION = "ris"
# The slug, since `ID` holds the citation key, and what names records of this knowledge base. The
# verification of an identifier is written, and not read.
CANNOT_CARRY = ("id", "versions", "cites", "main_claim", "collection", "text")

TYPES = {term.id: term.crosswalk["ris"] for term in v.SOURCE_TYPES.terms}
# Reference types and what they mean, the first of ours that is written so before later ones. The
# rest are documents, and their `TY` is dropped.
READ_TYPES = {
    **dict.fromkeys(("EJOUR", "INPR", "ABST"), "article-journal"),
    **dict.fromkeys(("EBOOK", "EDBOOK", "SER"), "book"),
    "ECHAP": "chapter",
    "WEB": "webpage",
    "GOVDOC": "report",
    **dict.fromkeys(("DBASE", "AGGR"), "dataset"),
    "CONF": "paper-conference",
    "VIDEO": "motion_picture",
    "UNBILL": "bill",
    **{name: kind for kind, name in reversed(TYPES.items())},
}
# The tags of contributors that have one; the others stand in `U5`, as exact names do.
ROLE_TAGS = {"editor": "ED", "collection-editor": "A3", "translator": "A4"}
PLAIN = (
    ("container_title", "T2"),
    ("container_title_short", "J2"),
    ("volume", "VL"),
    ("issue", "IS"),
    ("publisher", "PB"),
    ("publisher_place", "CY"),
    ("title_short", "ST"),
    ("collection_title", "T3"),
    ("genre", "M3"),
    ("abstract", "AB"),
    ("language", "LA"),
    ("url", "UR"),
)
IDENTIFIER_TAGS = {"doi": "DO", "pmid": "AN", "pmcid": "C2", "isbn": "SN"}
# Those that RIS has no tag for, with the labels under which they stand in a user field.
LABELLED_IDENTIFIERS = {"nct": "NCT number", "uri": "URI"}
INTEGRITY_LABELS = {term.id: term.label.capitalize() for term in v.INTEGRITIES.terms}
INTEGRITY_OF_LABEL = {label: name for name, label in INTEGRITY_LABELS.items()}
# As it stands before an exact name.
AUTHOR = "Author"
INCOMPLETE, UNVERIFIED, NOTE = "Authors", "Unverified identifiers", "Note"
NOTE_LABELS = (INCOMPLETE, UNVERIFIED, NOTE, *INTEGRITY_OF_LABEL)
INCOMPLETE_NOTE = "the list goes on beyond those named."
USER_FIELDS = (
    ("study_design", "U1", "Study design"),
    ("type", "U1", "Type"),
    ("title_status", "U1", "Title"),
    ("sample_size", "U2", "Sample size"),
    ("sample", "U3", "Sample"),
    ("edition", "U4", "Edition"),
    ("url", "U4", "Address"),
    ("container_isbn", "U4", "ISBN of the whole"),
    ("collection_number", "U4", "Number in the series"),
    ("event_title", "U4", "Event"),
    ("event_place", "U4", "Place of the event"),
    ("licence", "U4", "Licence"),
    ("text_sha256", "U4", "SHA-256 of the text"),
    ("accessed", "U4", "Seen"),
    ("integrity_date", "U4", "Announced"),
)
_PARTIAL_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}){0,2}")
_TEXT = re.compile(r".+", re.DOTALL)
_URL = re.compile(r"https?://\S+")
# What a user-defined field must look like to be taken for one of ours.
_USER_FIELD_PATTERNS = {
    "type": re.compile("|".join(v.SOURCE_TYPES.ids)),
    "container_isbn": re.compile("[0-9]{9}(?:[0-9]{3})?[0-9X]"),
    **dict.fromkeys(("edition", "collection_number", "event_title", "event_place"), _TEXT),
    "licence": re.compile(r"\S.*"),
    "url": _URL,
    "study_design": re.compile("|".join(v.STUDY_DESIGNS.ids)),
    "title_status": re.compile("|".join(v.TITLE_STATUSES.ids)),
    "sample_size": re.compile(r"[0-9]{1,9}"),
    "sample": _TEXT,
    "text_sha256": re.compile(r"[0-9a-f]{64}"),
    "accessed": _PARTIAL_DATE,
    "integrity_date": _PARTIAL_DATE,
}
# Made once, since it reads the defaults of every field.
_BLANK = blank_record()
_EXACT_NAME = re.compile(r"([A-Za-z-]{1,30}) ([0-9]{1,5}): (\{.*\})", re.DOTALL)
_DOI_URL = re.compile(r"https?://(dx\.)?doi\.org/")


def write(sources: Iterable[Row]) -> Iterator[bytes]:
    """Yield each source as one RIS record in UTF-8; its key is the slug."""
    for source in sources:
        values = [
            ("TY", TYPES[source["type"]]),
            ("ID", source["id"]),
            *_body(source),
            ("ER", ""),
        ]
        yield "".join(_text_line(tag, value) for tag, value in values).encode()


def _text_line(tag: str, value: object) -> str:
    return f"{tag}  - {on_one_line(str(value))}\r\n"


def _body(source: Row) -> Iterator[TagValue]:
    if source["title"]:
        yield "TI", source["title"]
    yield from _people("AU", AUTHOR, source["authors"])
    for role in v.CONTRIBUTOR_ROLES.ids:
        people = [each for each in source["contributors"] if each["role"] == role]
        yield from _people(ROLE_TAGS.get(role), role, people)
    values = {
        **source,
        "container_title": source["container_title"] or source["container_title_short"],
        "url": source["url"] or doi_address(source),
    }
    yield from ((tag, values[name]) for name, tag in PLAIN if values[name])
    yield from (("KW", keyword) for keyword in source["keywords"])
    yield from _dates(source)
    yield from _pages(source)
    for identifier in source["identifiers"]:
        if label := LABELLED_IDENTIFIERS.get(identifier["scheme"]):
            yield "U4", f"{label}: {identifier['value']}"
        else:
            yield IDENTIFIER_TAGS[identifier["scheme"]], identifier["value"]
        if identifier["scheme"] == "pmid":
            yield "DB", "PubMed"
    if source["container_isbn"] and all(each["scheme"] != "isbn" for each in source["identifiers"]):
        yield "SN", source["container_isbn"]
    yield from (("SN", issn) for issn in source["issn"])
    yield from _notes(source)
    values = {
        **source,
        "type": _type_beside_tag(source["type"]),
        "url": source["url"] if source["url"] == doi_address(source) else "",
    }
    for name, tag, label in USER_FIELDS:
        # By the design, which all of them have, the reader knows that the file is one of ours.
        if name == "study_design" or values[name] not in ("", _BLANK[name]):
            yield tag, f"{label}: {values[name]}"


def _type_beside_tag(source_type: str) -> str:
    """Return a type that its `TY` does not name, or ""."""
    return "" if READ_TYPES[TYPES[source_type]] == source_type else source_type


def _people(tag: str | None, role: str, people: Iterable[Row]) -> Iterator[TagValue]:
    """Yield the names of one role, and in `U5` each that its line does not show as it is.

    A line does not show a comma in a group's name, a capitalised particle, or an ORCID iD.
    """
    for position, person in enumerate(people, 1):
        name = on_one_line(name_line(person))
        if tag:
            yield tag, name
        parts = {part: person[part] for part in NO_NAME if person[part]}
        if tag is None or _without_empty(parse_name(name)) != parts:
            yield "U5", f"{role} {position}: {json.dumps(parts, ensure_ascii=False)}"


def _without_empty(name: Row) -> Row:
    return {part: value for part, value in name.items() if value}


def _dates(source: Row) -> Iterator[TagValue]:
    issued = source["issued"] or ""
    if date := issued or source["epub_date"]:
        yield "PY", date[:4]
    if len(issued) > 4 or source["issued_inferred"]:
        yield "DA", slashed_date(issued) + ("inferred" if source["issued_inferred"] else "")
    elif date and not issued:
        yield "DA", slashed_date(date) + _ONLINE
    if source["epub_date"]:
        yield "ET", slashed_date(source["epub_date"])
    elif source["edition"] and source["type"] != "article-journal":
        yield "ET", source["edition"]


def _pages(source: Row) -> Iterator[TagValue]:
    page = source["page"] or ""
    if re.fullmatch(r"[^-\s]+-[^-\s]+", page):
        first, _, last = page.partition("-")
        yield "SP", first
        yield "EP", last
    elif page:
        yield "SP", page
    if source["number"]:
        yield ("C7" if source["type"] == "article-journal" else "M1"), source["number"]


def _notes(source: Row) -> Iterator[TagValue]:
    """Yield one `N1` for each line of each note.

    A line of the note that looks labelled gets the label `Note`, so that it is read as it was.
    """
    if not source["authors_complete"]:
        yield "N1", f"{INCOMPLETE}: {INCOMPLETE_NOTE}"
    if source["integrity"] != "no_notice" or source["integrity_note"]:
        label = INTEGRITY_LABELS[source["integrity"]]
        for text_line in (source["integrity_note"] or "").split("\n"):
            yield "N1", f"{label}: {text_line}"
    not_verified = [
        f"{identifier['scheme'].upper()} {identifier['value']}"
        for identifier in source["identifiers"]
        if identifier["verification"] == "unverified"
    ]
    if not_verified:
        yield "N1", f"{UNVERIFIED}: {', '.join(not_verified)}"
    if source["note"]:
        for text_line in source["note"].split("\n"):
            is_labelled = split_label(text_line.strip(), NOTE_LABELS) is not None
            yield "N1", f"{NOTE}: {text_line}" if is_labelled else text_line


def slashed_date(partial: str) -> str:
    """Return a partial date as RIS writes it, `YYYY/MM/DD/other`: 2009-09 → '2009/09//'."""
    year, month, day = [*partial.split("-"), "", ""][:3]
    return f"{year}/{month}/{day}/"


def split_label(text_line: str, labels: Collection[str]) -> tuple[str, str] | None:
    """Split 'Retracted: why' into label and text; return None without one of these labels."""
    label, colon, text = text_line.partition(":")
    return (label, text.strip()) if colon and label in labels else None


def read(content: bytes, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse a RIS file. Problems are text outside a record, no title, and a repeated record.

    A record runs from `TY` to `ER`, or to the next `TY`, or to the end of the file.
    """
    return parse_entries(_raw_entries(decode_file(content)), parse_entry, "TY", parsed)


_TAG_LINE = re.compile(r"\s{0,8}([A-Za-z][A-Za-z0-9])([ \t]{0,4})-(.*)", re.DOTALL)
_STANDARD_TAG = re.compile(
    r"TY|ER|A[1-4BDNUV]|BT|C[1-8ANPTY]|D[ABIOP]|E[DPT]|I[DS]|J[12AFO]|KW|L[1-4ABK]|M[1-3]|N[12V]"
    r"|OP|P[BPY]|R[INP]|S[ENPT]|T[1-3AIT]|U[1-5R]|V[LO]|Y[12]"
)


def _split_tag(text_line: str, style: str | None) -> TagValue | None:
    """Return the tag and the value of a line, or None if it continues the line before.

    `style` is what stood between `TY` and its hyphen, after a "_" in a record whose tags are in
    lower case; None outside a record. A line such as 'T1-weighted images' is text, unless the
    record itself is written without a space.
    """
    match = _TAG_LINE.match(text_line)
    if match is None:
        return None
    tag, gap, value = match[1].upper(), match[2], match[3].strip()
    begins = tag == "TY" and value.upper() in READ_TYPES
    ends = tag == "ER" and not value
    if begins or ends:
        return tag, value
    is_lower_case = match[1] != tag
    if is_lower_case and not (style or "").startswith("_"):
        return None
    is_standard = _STANDARD_TAG.fullmatch(tag) and (gap or style in ("", "_"))
    return (tag, value) if gap == "  " or is_standard else None


def _style(text_line: str) -> str:
    """Return the style of a record by its `TY` line, see `_split_tag`."""
    match = _TAG_LINE.match(text_line)
    if match is None:
        return ""
    return ("" if match[1] == "TY" else "_") + match[2]


def _raw_entries(text: str) -> Iterator[RawEntry]:
    """Yield each record, and None for each stretch of text outside one."""
    current, style = EntryBuilder(), None
    for number, raw_line in enumerate(text.removeprefix("ï»¿").split("\n"), 1):
        text_line = raw_line.lstrip("\ufeff")
        tag, value = _split_tag(text_line, style) or ("", text_line.strip())
        if tag in ("TY", "ER"):
            yield from current.finished()
        if tag == "TY":
            current, style = EntryBuilder(number, [(tag, [value])]), _style(text_line)
        elif tag == "ER":
            current, style = EntryBuilder(), None
        elif current.fields is None:
            if text_line.strip():
                current.line = current.line or number
        elif tag:
            current.fields.append((tag, [value]))
        elif value:
            current.fields[-1][1].append(value)
    yield from current.finished()


# Our fields and the tags under which files hold them; the first that a record has is taken.
_READ_TAGS = {
    "container_title": ("T2", "JF", "BT", "JO", "J1"),
    "container_title_short": ("J2", "JA", "J1", "JO"),
    "publisher": ("PB",),
    "publisher_place": ("CY", "PP"),
    "title_short": ("ST",),
    "collection_title": ("T3",),
    "volume": ("VL", "VO"),
    "issue": ("IS",),
    "number": ("C7", "M1"),
}


def parse_entry(line: int, tags: Tags) -> ParsedEntry:
    """Return the record of the tags of RIS, and what of them has no place."""
    # Then all of it is as it is stored.
    is_ours = any(value.startswith("Study design: ") for value in tags.peek("U1"))
    reference_type = tags.first("TY").upper()
    record: Row = {**blank_record(), "type": READ_TYPES.get(reference_type, "document")}
    if reference_type not in READ_TYPES:
        tags.refuse("TY", reference_type)
    record["title"] = tags.first("TI", "T1", "CT", "BT") or None
    for field, names in _READ_TAGS.items():
        record[field] = tags.fitting(field, *names)
    if record["type"] == "book" and not is_ours:
        # A book stands in no other; programs write its series there.
        series = (record["collection_title"], record["container_title"])
        record["collection_title"], record["container_title"] = series[0] or series[1], None
    _read_tags_of_two_meanings(tags, record)
    _read_abstract(tags, record)
    _read_keywords(tags, record, is_ours=is_ours)
    record["language"] = language_tag(tags.first("LA")) or None
    _read_people(tags, record)
    _read_dates(tags, record)
    pages = _read_pages(tags)
    record["page"] = (pages if is_ours else clean_pages(pages)) or None
    _read_identifiers(tags, record)
    _read_genre(tags, record, is_ours=is_ours)
    _read_notes(tags, record)
    if is_ours:
        drop_filled_journal(record)
        drop_filled_address(record)
    else:
        move_isbn_of_whole(record)
    _read_user_fields(tags, record)
    return ParsedEntry(line, record, tags.dropped("ID"))


def _read_tags_of_two_meanings(tags: Tags, record: Row) -> None:
    """Read `C3`, the title of proceedings or an accession number, and `CP`, an issue or a place."""
    for tag, field in (("C3", "container_title"), ("CP", "issue")):
        for value in tags.all(tag):
            text = clean_text(value)
            is_other = "pubmed" in text.lower() if tag == "C3" else not _ISSUE.fullmatch(text)
            if not is_other and record[field] is None and fits(field, text):
                record[field] = text
            elif not (tag == "C3" and is_other and add_identifier(record, "pmid", text)):
                tags.refuse(tag, value)


_ISSUE = re.compile(r"[A-Za-z]{0,8}\.? ?[0-9][0-9A-Za-z ()/._-]{0,20}")


def _read_people(tags: Tags, record: Row) -> None:
    exact_names = _read_exact_names(tags)
    values = tags.all("AU") or tags.all("A1")
    record["authors"], goes_on = _people_in(values, exact_names.pop(AUTHOR, {}))
    record["authors_complete"] = not goes_on
    for role in v.CONTRIBUTOR_ROLES.ids:
        exact = exact_names.pop(role, {})
        if role in _READ_ROLES:
            people, goes_on = _people_in(tags.all(*_READ_ROLES[role]), exact)
            tags.refuse(role, "et al." if goes_on else "")
        else:
            people = [person for _, person in sorted(exact.items()) if _has_name(person)]
        record["contributors"] += [{"role": role, **person} for person in people]
    for role in exact_names:
        tags.refuse("U5", role)


# Old files have editors in `A2`.
_READ_ROLES = {role: (tag, "A2") if tag == "ED" else (tag,) for role, tag in ROLE_TAGS.items()}


def _people_in(values: Iterable[str], exact_names: dict[int, Any]) -> tuple[list[Row], bool]:
    """Return the people in the lines of one role, and whether the list goes on beyond them."""
    people: list[Row] = []
    goes_on = False
    for position, value in enumerate(values, 1):
        exact_name = exact_names.get(position)
        if exact_name and _is_name_of(exact_name, value):
            people.append(exact_name)
        elif OTHERS.fullmatch(value):
            goes_on = True
        else:
            names = [clean_text(name) for name in _names_in(value)]
            people += [person for name in names for person in parse_names(name)]
    return people, goes_on


def _names_in(value: str) -> list[str]:
    """Return the names in an `AU` line: some programs write all authors into one line."""
    names = value.split(";")
    if not all("," in name for name in names):
        names = [value]
    return [name for name in names if name.strip(" ,;")]


def _read_exact_names(tags: Tags) -> dict[str, dict[int, Any]]:
    """Return the names that `write` put into `U5` by role and position in its list, from 1."""
    exact_names: dict[str, dict[int, Any]] = {}
    for value in tags.all("U5"):
        role, position, parts = _exact_name(value)
        if position:
            exact_names.setdefault(role, {})[position] = parts
        else:
            tags.refuse("U5", value)
    return exact_names


def _exact_name(value: str) -> tuple[str, int, Any]:
    """Return role, position and parts of a name in a `U5` line; 0 if it is another text."""
    match = _EXACT_NAME.fullmatch(value)
    if match is None:
        return "", 0, None
    try:
        return match[1], int(match[2]), {**NO_NAME, **json.loads(match[3])}
    except (ValueError, RecursionError):
        return "", 0, None


def _has_name(name: Row) -> bool:
    """Return whether what was read of a `U5` line are the parts of a name."""
    if name.keys() != NO_NAME.keys():
        return False
    if not all(value is None or isinstance(value, str) for value in name.values()):
        return False
    return bool(name["family"] or name["literal"])


def _is_name_of(name: Row, text_line: str) -> bool:
    """Return whether an exact name is still that of its line, which people may have edited."""
    return _has_name(name) and on_one_line(name_line(name)) == text_line


def _read_abstract(tags: Tags, record: Row) -> None:
    abstract = "\n".join(clean_abstract(text) for text in tags.all("AB") or tags.all("N2"))
    if not add_abstract(record, abstract):
        tags.refuse("AB", abstract)


def _read_keywords(tags: Tags, record: Row, *, is_ours: bool) -> None:
    for value in tags.all("KW"):
        # Some programs write all of them into one tag, each on a line or with semicolons.
        words = [value] if is_ours else map(clean_text, re.split(r"[\n;]", value))
        if not add_keywords(record, filter(None, words)):
            tags.refuse("KW", value)


def _read_dates(tags: Tags, record: Row) -> None:
    """Read when it was published, online and in print, and when somebody saw it.

    `Y1` and `DA` both mean the date of publication. Where they contradict each other, the earlier
    is that of the online edition: databases write the two so.
    """
    found: list[tuple[str, str, str]] = []
    is_online = False
    year = "".join(tags.peek("PY")[:1])[:4]
    for tag in ("PY", "Y1", "DA"):
        value = tags.first(tag)
        date, rest = parse_date(value, year if year.isdecimal() else "")
        record["issued_inferred"] |= rest == "inferred"
        is_online |= rest == _ONLINE
        if date:
            found.append((date, tag, value))
        if rest not in ("", "inferred", _ONLINE) or (value and not date):
            tags.refuse(tag, value)
    longest = sorted((each[0] for each in found), key=len)
    record["issued"] = longest[-1] if longest else None
    others = [each for each in found if not (record["issued"] or "").startswith(each[0])]
    if others:
        record["issued"], record["epub_date"] = _print_and_online([each[0] for each in found])
        known = (record["issued"], record["epub_date"] or record["issued"])
        for date, tag, value in others:
            if not any(each.startswith(date) for each in known):
                tags.refuse(tag, value)
    if is_online:
        record["issued"] = None
    value = tags.first("Y2")
    record["accessed"], rest = parse_date(value)
    tags.refuse("Y2", value if rest or not record["accessed"] else "")
    value = tags.first("ET")
    date, rest = parse_date(value)
    # `ET` is the edition of a book; EndNote writes the date of online publication there.
    if date and not rest and (record["type"] == "article-journal" or "/" in value):
        record["epub_date"] = date
    elif value and fits("edition", value):
        record["edition"] = value
    else:
        tags.refuse("ET", value)


# What `write` says of a date that is not that of the issue, which nobody knows.
_ONLINE = "online"


def _print_and_online(dates: list[str]) -> tuple[str, str | None]:
    """Return the date in print and online of dates that contradict each other.

    A year alone cannot tell which is which: then the first date holds.
    """
    exact = sorted({date for date in dates if len(date) > 4})
    return (exact[-1], exact[0]) if len(exact) > 1 else (dates[0], None)


def _read_pages(tags: Tags) -> str:
    first, last = plain_hyphens(tags.first("SP")), plain_hyphens(tags.first("EP"))
    if not first or last.startswith(f"{first}-"):
        return last
    return f"{first}-{last}" if last else first


def _read_identifiers(tags: Tags, record: Row) -> None:
    database = tags.first("DB")
    is_pubmed = not database or bool(re.search("pubmed|medline|nlm", database, re.IGNORECASE))
    if not is_pubmed:
        tags.refuse("DB", database)
    _read_url(tags, record)
    for scheme, tag in IDENTIFIER_TAGS.items():
        for value in tags.all(tag):
            # The accession number of another database is no PMID.
            is_other_number = scheme == "pmid" and not is_pubmed and "pmid" not in value.lower()
            if is_other_number or not _add_number(record, scheme, value):
                tags.refuse(tag, value)
    for tag, value in tags.pairs("DI", "L3"):
        if not add_identifier(record, "doi", value):
            tags.refuse(tag, value)
    if record["url"] and _DOI_URL.match(record["url"]):
        add_identifier(record, "doi", record["url"])


def _read_genre(tags: Tags, record: Row, *, is_ours: bool) -> None:
    """Read `M3`, the kind of a thesis or report; of an article it says no more than its type."""
    for value in tags.all("M3"):
        if add_identifier(record, "doi", value):
            continue
        says_more = is_ours or record["type"] not in ("article-journal", "book", "chapter")
        if says_more and fits("genre", value) and not record["genre"]:
            record["genre"] = clean_text(value)
        else:
            tags.refuse("M3", value)


def _add_number(record: Row, scheme: str, value: str) -> bool:
    """Add an identifier, or the ISSN of the journal that stands where a book has its ISBN."""
    return add_identifier(record, scheme, value) or (scheme == "isbn" and add_issn(record, value))


def _read_url(tags: Tags, record: Row) -> None:
    for tag, value in tags.pairs("UR", "LK"):
        if not record["url"] and _URL.fullmatch(value):
            record["url"] = value
        elif value != record["url"]:
            tags.refuse(tag, value)


def _read_notes(tags: Tags, record: Row) -> None:
    notes, notices = [], []
    for value in tags.all("N1"):
        label, text = split_label(value, NOTE_LABELS) or (NOTE, value)
        if label == INCOMPLETE and text == INCOMPLETE_NOTE:
            record["authors_complete"] = False
        elif label in INTEGRITY_OF_LABEL:
            record["integrity"] = INTEGRITY_OF_LABEL[label]
            notices.append(text)
        elif label != UNVERIFIED:
            notes.append(clean_text(text if label == NOTE else value))
    record["note"] = "\n".join(notes).strip() or None
    record["integrity_note"] = "\n".join(notices).strip() or None


_USER_FIELD_OF = {(tag, label): name for name, tag, label in USER_FIELDS}
_SCHEME_OF = {label: scheme for scheme, label in LABELLED_IDENTIFIERS.items()}
_USER_FIELD_LABELS = [*(label for _, _, label in USER_FIELDS), *_SCHEME_OF]
_USER_FIELD_TAGS = sorted({tag for _, tag, _ in USER_FIELDS})


def _read_user_fields(tags: Tags, record: Row) -> None:
    for tag in _USER_FIELD_TAGS:
        for value in tags.all(tag):
            label, text = split_label(value, _USER_FIELD_LABELS) or ("", "")
            name = _USER_FIELD_OF.get((tag, label))
            if name and text and _USER_FIELD_PATTERNS[name].fullmatch(text):
                record[name] = int(text) if name == "sample_size" else text
                if name == "container_isbn":
                    drop_isbn(record, text)
            elif not _add_labelled(record, label, text):
                tags.refuse(tag, value)


def _add_labelled(record: Row, label: str, text: str) -> bool:
    """Add an identifier that stands under a label, and return whether the record has it now."""
    scheme = _SCHEME_OF.get(label)
    return scheme is not None and add_identifier(record, scheme, text)
