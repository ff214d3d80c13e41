"""NBIB: PubMed's MEDLINE display, as it is saved for reference managers.

The fields are those of NLM's "MEDLINE/PubMed Data Element (Field) Descriptions".
"""

import re
from collections.abc import Iterator

from api.citations.clean import (
    NO_NAME,
    OTHERS,
    SUFFIX,
    Name,
    add_abstract,
    add_identifier,
    add_issn,
    add_keywords,
    clean_abstract,
    clean_orcid,
    clean_pages,
    clean_text,
    decode_file,
    language_tag,
    move_isbn_of_whole,
    parse_date,
    parse_short_name,
    split_particle,
)
from api.citations.parse_result import ParsedEntry, ParsedFile
from api.citations.tagged_lines import (
    EntryBuilder,
    RawEntry,
    Tags,
    blank_record,
    parse_entries,
)
from models.records.serializers import Row
from models.records.source import in_brackets

_TAG_LINE = re.compile(r"([A-Z][A-Z0-9]{1,3}) {0,2}- ?(.*)", re.DOTALL)
# Tags that a record has once. `PMID` begins a record; the others show that a record lost its PMID.
_ONCE = ("TI", "BTI", "OWN", "STAT")
# PubMed's own administration, and `SO`, which repeats the citation.
_UNIMPORTANT = "OWN|STAT|DCOM|LR|DA|CRDT|EDAT|MHDA|CTDT|PHST|PST|SO|JID|SB|PL"
_TYPES = {
    "Preprint": "article",
    "Dataset": "dataset",
    "Technical Report": "report",
    "Academic Dissertation": "thesis",
}
_TYPES_WITHOUT_LOSS = {"Journal Article", "Retracted Publication", *_TYPES}
_NOTICES = (
    ("RIN", "retracted", "Retraction in"),
    ("ECI", "concern", "Expression of concern in"),
    ("EIN", "corrected", "Erratum in"),
)
_E_LOCATOR = re.compile(r"[A-Za-z]{0,3}[0-9]{1,10}")
# The date of a notice, as in 'Z. 2016 Mar;246:385. PMID: 39000002'.
_NOTICE_DATE = re.compile(r"\. ?([0-9]{4}(?: [A-Z][a-z]{2}(?: [0-9]{1,2})?)?)[-;.]")


def read(content: bytes, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse an NBIB file. Problems are text outside a record, no title, and a repeated record."""
    return parse_entries(_raw_entries(decode_file(content)), parse_entry, "PMID", parsed)


def _raw_entries(text: str) -> Iterator[RawEntry]:
    """Yield each record, and None for text before the first one.

    A record begins with its PMID. One without PMID begins after a blank line, if a tag that a
    record has once comes again.
    """
    current = EntryBuilder()
    present: set[str] = set()
    after_blank = True
    for number, raw_line in enumerate(text.removeprefix("ï»¿").split("\n"), 1):
        text_line = raw_line.lstrip("\ufeff")
        if match := _TAG_LINE.match(text_line):
            tag, value = match[1], match[2].strip()
            if current.fields is None or _begins_record(tag, present, after_blank):
                yield from current.finished()
                current, present = EntryBuilder(number, []), set()
            assert current.fields is not None
            current.fields.append((tag, [value]))
            present.add(tag)
        elif text_line.strip():
            if current.fields:
                current.fields[-1][1].append(text_line.strip())
            else:
                current.line = current.line or number
        after_blank = not text_line.strip()
    yield from current.finished()


def _begins_record(tag: str, present: set[str], after_blank: bool) -> bool:
    if tag == "PMID":
        return after_blank or "PMID" in present
    return after_blank and tag in _ONCE and tag in present


def parse_entry(line: int, tags: Tags) -> ParsedEntry:
    """Return the record of the tags of PubMed's MEDLINE display, and what of them has no place."""
    record = blank_record()
    title, book = _read_title(tags, record)
    retracted = _read_type(tags, record, has_title=bool(title), in_book=bool(book))
    record |= {
        "container_title": (_without_full_stop(book) if title else "") or tags.first("JT") or None,
        "container_title_short": tags.first("TA") or None,
        "publisher": tags.first("PB") or None,
        "volume": tags.first("VI") or None,
        "issue": tags.first("IP") or None,
        "page": clean_pages(tags.first("PG")) or None,
        "language": language_tag(tags.first("LA")) or None,
    }
    for field, tag in (("issued", "DP"), ("epub_date", "DEP")):
        record[field], rest = parse_date(tags.first(tag))
        tags.refuse(tag, rest)
    if book:
        record["publisher_place"] = tags.first("PL") or None
        record["edition"] = tags.fitting("edition", "EN")
        record["collection_title"] = tags.fitting("collection_title", "CTI")
    _read_identifiers(tags, record)
    _read_authors(tags, record)
    _read_abstract_and_keywords(tags, record)
    _read_notices(tags, record, retracted)
    move_isbn_of_whole(record)
    return ParsedEntry(line, record, tags.dropped(_UNIMPORTANT))


def _read_title(tags: Tags, record: Row) -> tuple[str, str]:
    """Read the title, and return the title of the article or chapter and that of the book."""
    title, book, printed = tags.first("TI"), tags.first("BTI"), ""
    if in_brackets(_without_full_stop(title)):
        # NLM puts its translation in brackets, with the printed title beside it.
        printed = tags.first("TT")
        tags.refuse("TI", title if printed else "")
    record["title"] = _without_full_stop(printed or title or book) or None
    return title, book


def _without_full_stop(title: str) -> str:
    """Return a title without the full stop that NLM puts after every title."""
    return title[:-1] if title.endswith(".") and not title.endswith("..") else title


def _read_type(tags: Tags, record: Row, *, has_title: bool, in_book: bool) -> bool:
    """Read the type, and return whether PubMed lists the record as retracted."""
    publication_types = tags.all("PT")
    if in_book:
        record["type"] = "chapter" if has_title else "book"
    else:
        special = (_TYPES[name] for name in publication_types if name in _TYPES)
        record["type"] = next(special, "article-journal")
    for name in publication_types:
        if name not in _TYPES_WITHOUT_LOSS:
            tags.refuse("PT", name)
    return "Retracted Publication" in publication_types


def _read_identifiers(tags: Tags, record: Row) -> None:
    for tag, scheme in (("PMID", "pmid"), ("PMC", "pmcid"), ("ISBN", "isbn")):
        for value in tags.all(tag):
            if not add_identifier(record, scheme, value):
                tags.refuse(tag, value)
    for value in tags.all("IS"):
        if not add_issn(record, value):
            tags.refuse("IS", value)
    for tag, value in tags.pairs("LID", "AID"):
        identifier, _, kind = value.rpartition(" [")
        if kind == "doi]" and add_identifier(record, "doi", identifier):
            continue
        is_locator = tag == "LID" and kind == "pii]" and _E_LOCATOR.fullmatch(identifier)
        if is_locator and not record["page"]:
            record["page"] = identifier
        elif identifier != record["page"]:
            tags.refuse(tag, value)


def _read_authors(tags: Tags, record: Row) -> None:
    previous_tag = ""
    for tag, value in tags.pairs("FAU", "AU", "CN", "AUID"):
        if tag == "AUID":
            if not _add_orcid(record["authors"], value):
                tags.refuse(tag, value)
        elif OTHERS.fullmatch(value):
            record["authors_complete"] = False
        elif tag == "CN":
            record["authors"].append({**NO_NAME, "literal": clean_text(value)})
        elif tag == "FAU" or previous_tag != "FAU":
            # An AU line after FAU is the same author with initials.
            record["authors"].append(_parse_person(clean_text(value)))
        previous_tag = tag
    for value in tags.all("FED") or tags.all("ED"):
        record["contributors"].append({"role": "editor", **_parse_person(clean_text(value))})
    # With full names there, the same editors stand with initials beside them.
    if record["contributors"]:
        tags.all("ED")


def _add_orcid(authors: list[Row], value: str) -> bool:
    """Give the last author the ORCID iD of the line after the name; return whether it was one."""
    label, _, text = value.partition(":")
    orcid = clean_orcid(text.strip()) if label.strip().upper() == "ORCID" else None
    if orcid is None or not authors or not authors[-1]["family"]:
        return False
    authors[-1]["orcid"] = orcid
    return True


def _read_abstract_and_keywords(tags: Tags, record: Row) -> None:
    abstract = clean_abstract(tags.first("AB"))
    if not add_abstract(record, abstract):
        tags.refuse("AB", abstract)
    # A star marks what the work is chiefly about.
    words = [clean_text(value).replace("*", "") for value in tags.all("OT", "MH")]
    if not add_keywords(record, words):
        tags.refuse("MH", "beyond the bound")


def _parse_person(text: str) -> Name:
    """Return the name in 'King, Martin Luther Jr' (FAU) or 'King ML Jr' (AU)."""
    family, comma, given = (part.strip() for part in text.partition(","))
    if not comma:
        return parse_short_name(text) or {**NO_NAME, "family": text}
    names, _, last = given.rpartition(" ")
    suffix = last if names and SUFFIX.fullmatch(last) else None
    particle, family = split_particle(family)
    return {
        **NO_NAME,
        "family": family or None,
        "given": (names if suffix else given) or None,
        "particle": particle,
        "suffix": suffix,
    }


def date_of_notice(citation: str) -> str | None:
    """Return the date in PubMed's short citation of a notice, or None."""
    when = _NOTICE_DATE.search(citation)
    return parse_date(when[1])[0] if when else None


def _read_notices(tags: Tags, record: Row, retracted: bool) -> None:
    """Read the notices of integrity; the first in the order of `_NOTICES` decides."""
    integrities = []
    notes = []
    dates = []
    for tag, integrity, words in _NOTICES:
        for value in tags.all(tag):
            integrities.append(integrity)
            notes.append(f"{words}: {value}")
            dates.append(date_of_notice(value))
    if retracted and "retracted" not in integrities:
        integrities.insert(0, "retracted")
        notes.insert(0, "PubMed lists it as a retracted publication.")
        dates.insert(0, None)
    if notes:
        record["integrity"] = integrities[0]
        record["integrity_date"] = dates[0]
        record["integrity_note"] = "\n".join(notes)
