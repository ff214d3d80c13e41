"""RIS: tagged lines, as reference managers exchange them (Research Information Systems' format, tags as of 2011).

The reader is our own: rispy returns nothing, silently, for a byte order mark, a missing `ER` or tags with one space.
What has no tag of its own goes into notes (`N1`) and user-defined fields (`U1` to `U5`) under a label.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from api.citations.clean import decoded, told_identifier
from api.citations.parse_result import Found, Reading
from api.citations.tagged_lines import (
    FITS,
    NOBODY,
    OTHERS,
    Tags,
    blank,
    flat,
    gathered,
    hyphened,
    identify,
    joined,
    language,
    name_line,
    parse_name,
    partial_date,
    plain,
)
from models.core import vocabularies as v
from models.records.serializers import Row

MEDIA_TYPES = ("application/x-research-info-systems",)
EXTENSION = "ris"
# The slug: `ID` holds the citation key. Of an identifier, the verification is told and never believed.
CANNOT_CARRY = ("id",)

TYPES = {term.id: term.crosswalk["ris"] for term in v.SOURCE_TYPES.terms}
# Other reference types that mean one of ours; the rest are documents, and their `TY` counts as dropped.
READ_TYPES = {
    **{name: kind for kind, name in TYPES.items()},
    **dict.fromkeys(("EJOUR", "INPR", "MGZN", "NEWS", "ABST"), "article-journal"),
    **dict.fromkeys(("EBOOK", "EDBOOK", "SER"), "book"),
    **dict.fromkeys(("ECHAP", "ENCYC", "DICT"), "chapter"),
    **dict.fromkeys(("BLOG", "ICOMM", "WEB"), "webpage"),
    **dict.fromkeys(("GOVDOC", "STAND"), "report"),
    **dict.fromkeys(("DBASE", "AGGR"), "dataset"),
    "CONF": "paper-conference",
    "MANSCPT": "article",
}
PLAIN = (
    ("container_title", "T2"),
    ("container_title_short", "J2"),
    ("volume", "VL"),
    ("issue", "IS"),
    ("publisher", "PB"),
    ("language", "LA"),
    ("url", "UR"),
)
IDENTIFIER_TAGS = (("doi", "DO"), ("pmid", "AN"), ("pmcid", "C2"), ("isbn", "SN"))
_TAG_OF = dict(IDENTIFIER_TAGS)
INTEGRITY_LABELS = {term.id: term.label.capitalize() for term in v.INTEGRITIES.terms}
INTEGRITY_OF = {label: name for name, label in INTEGRITY_LABELS.items()}
INCOMPLETE, UNVERIFIED, NOTE = "Authors", "Unverified identifiers", "Note"
NOTE_LABELS = (INCOMPLETE, UNVERIFIED, NOTE, *INTEGRITY_OF)
GOES_ON = "the list goes on beyond those named."
USER_FIELDS = (
    ("study_design", "U1", "Study design"),
    ("sample_size", "U2", "Sample size"),
    ("sample", "U3", "Sample"),
    ("text_sha256", "U4", "SHA-256 of the text"),
    ("accessed", "U4", "Seen"),
    ("integrity_date", "U4", "Announced"),
)
# Made once: it reads the defaults of every field.
_BLANK = blank()
EXACT_NAME = re.compile(r"Author ([0-9]{1,5}): (\{.*\})", re.DOTALL)


def write(sources: Iterable[Row], keys: Mapping[str, str]) -> Iterator[bytes]:
    """Yield each source as one RIS record in UTF-8; `keys` maps slugs to citation keys. No sources: an empty file."""
    for source in sources:
        lines = [
            ("TY", TYPES[source["type"]]),
            ("ID", keys[source["id"]]),
            *_body(source),
            ("ER", ""),
        ]
        yield "".join(f"{tag}  - {flat(value)}\r\n" for tag, value in lines).encode()


def _body(source: Row) -> Iterator[tuple[str, str]]:
    yield "TI", source["title"]
    for position, author in enumerate(source["authors"], 1):
        name = flat(name_line(author))
        yield "AU", name
        if parse_name(name) != author:
            # A comma in a group's name, a capitalised particle: what `AU` cannot tell apart.
            parts = json.dumps(
                {part: value for part, value in author.items() if value}, ensure_ascii=False
            )
            yield "U5", f"Author {position}: {parts}"
    yield from ((tag, source[name]) for name, tag in PLAIN if source[name])
    yield from _dates(source)
    yield from _pages(source)
    for identifier in source["identifiers"]:
        yield _TAG_OF[identifier["scheme"]], told_identifier(identifier)
        if identifier["scheme"] == "pmid":
            yield "DB", "PubMed"
    yield from _notes(source)
    for name, tag, label in USER_FIELDS:
        if source[name] not in ("", _BLANK[name]):
            yield tag, f"{label}: {source[name]}"


def _dates(source: Row) -> Iterator[tuple[str, str]]:
    issued = source["issued"] or ""
    if issued:
        yield "PY", issued[:4]
    if len(issued) > 4 or source["issued_inferred"]:
        yield "DA", slashed(issued) + ("inferred" if source["issued_inferred"] else "")
    if source["epub_date"]:
        yield "ET", slashed(source["epub_date"])


def _pages(source: Row) -> Iterator[tuple[str, str]]:
    page = source["page"] or ""
    first, _, last = page.partition("-")
    if re.fullmatch(r"[^-\s]+-[^-\s]+", page):
        yield from (("SP", first), ("EP", last))
    elif page:
        yield "SP", page
    if source["number"]:
        yield ("C7" if source["type"] == "article-journal" else "M1"), source["number"]


def _notes(source: Row) -> Iterator[tuple[str, str]]:
    """One `N1` for each line of each note; a line that looks labelled gets the label that means nothing."""
    if not source["authors_complete"]:
        yield "N1", f"{INCOMPLETE}: {GOES_ON}"
    if source["integrity"] != "no_notice" or source["integrity_note"]:
        for line in (source["integrity_note"] or "").split("\n"):
            yield "N1", f"{INTEGRITY_LABELS[source['integrity']]}: {line}"
    unverified = [each for each in source["identifiers"] if each["verification"] == "unverified"]
    if unverified:
        told = ", ".join(f"{each['scheme'].upper()} {each['value']}" for each in unverified)
        yield "N1", f"{UNVERIFIED}: {told}"
    for line in (source["note"] or "").split("\n") if source["note"] else ():
        yield "N1", f"{NOTE}: {line}" if labelled(line.strip(), NOTE_LABELS) else line


def slashed(partial: str) -> str:
    """Return a partial date as RIS writes one, `YYYY/MM/DD/other` with every slash: 2009-09 → '2009/09//'."""
    return "/".join([*partial.split("-"), "", "", ""][:3]) + "/"


def labelled(line: str, labels: Iterable[str]) -> tuple[str, str] | None:
    """Return the label and the text of a line such as 'Retracted: why', or None where it has none of these labels."""
    label, colon, text = line.partition(":")
    return (label, text.strip()) if colon and label in labels else None


def read(content: bytes) -> Reading:
    """Return the records of a RIS file and the troubles: text outside a record, no title, an entry twice.

    A record runs from `TY` to `ER`, or to the next `TY`, or to the end of the file.
    """
    return gathered(_entries(decoded(content)), _found, "TY")


LINE = re.compile(r"\s{0,8}([A-Za-z][A-Za-z0-9])([ \t]{0,4})-(.*)", re.DOTALL)
KNOWN = re.compile(
    r"TY|ER|A[1-4BDNUV]|BT|C[1-8ANPTY]|D[ABIOP]|E[DPT]|I[DS]|J[12AFO]|KW|L[1-4ABK]|M[1-3]|N[12V]|OP|P[BPY]|R[INP]|S[ENPT]"
    r"|T[1-3AIT]|U[1-5R]|V[LO]|Y[12]"
)


def _tag(line: str, style: str | None) -> tuple[str, str] | None:
    """Return a line's tag and value, or None where it goes on with the line before.

    `style` is what stood between `TY` and its hyphen, in a record whose tags are in lower case after a '_'; None outside
    a record. Lines such as 'T1-weighted images' are text unless the record itself is written so.
    """
    match = LINE.match(line)
    if match is None:
        return None
    tag, gap, value = match[1].upper(), match[2], match[3].strip()
    lower = match[1] != tag
    if tag == "TY" and value.upper() in READ_TYPES:
        return tag, value
    if tag == "ER" and not value:
        return tag, value
    if lower and not (style or "").startswith("_"):
        return None
    if gap == "  " or (KNOWN.fullmatch(tag) and (gap or style in ("", "_"))):
        return tag, value
    return None


def _entries(text: str) -> Iterator[tuple[int, list[tuple[str, str]] | None]]:
    """Yield each record with the line on which it begins, and None for each stretch of text outside one."""
    began, style = 0, None
    pairs: list[tuple[str, list[str]]] | None = None
    for number, raw in enumerate(text.removeprefix("ï»¿").split("\n"), 1):
        line = raw.lstrip("\ufeff")
        tag, value = _tag(line, style) or ("", line.strip())
        if tag in ("TY", "ER") and began:
            yield began, joined(pairs)
        if tag == "TY":
            match = LINE.match(line)
            style = ("_" if match and match[1] != "TY" else "") + (match[2] if match else "")
            began, pairs = number, [(tag, [value])]
        elif tag == "ER":
            began, style, pairs = 0, None, None
        elif pairs is None:
            began = began or (number if line.strip() else 0)
        elif tag:
            pairs.append((tag, [value]))
        elif value:
            pairs[-1][1].append(value)
    if began:
        yield began, joined(pairs)


def _found(line: int, tags: Tags) -> Found:
    named = tags.first("TY").upper()
    record: Row = {**blank(), "type": READ_TYPES.get(named, "document")}
    if named not in READ_TYPES:
        tags.refuse("TY", named)
    record["title"] = tags.first("TI", "T1", "CT", "BT") or None
    containers = {
        "container_title": ("T2", "JF", "BT", "C3", "JO", "J1"),
        "container_title_short": ("J2", "JA", "J1", "JO"),
        "publisher": ("PB",),
        "volume": ("VL", "VO"),
        "issue": ("IS", "CP"),
        "number": ("C7", "M1"),
    }
    record |= {name: tags.first(*places) or None for name, places in containers.items()}
    record["language"] = language(tags.first("LA")) or None
    record["authors"], record["authors_complete"] = _authors(tags)
    _read_dates(tags, record)
    first, last = hyphened(tags.first("SP")), hyphened(tags.first("EP"))
    whole = last.startswith(f"{first}-") or not first
    record["page"] = (last if whole else f"{first}-{last}" if last else first) or None
    _read_identifiers(tags, record)
    _read_notes(tags, record)
    return Found(line, record, tags.left("ID"))


def _authors(tags: Tags) -> tuple[list[Row], bool]:
    exact: dict[int, Any] = {}
    for value in tags.all("U5"):
        position, parts = _exact(value)
        exact[position] = parts
        if not position:
            tags.refuse("U5", value)
    authors: list[Row] = []
    complete = True
    for position, value in enumerate(tags.all("AU") or tags.all("A1"), 1):
        name = exact.get(position)
        pieces = value.split(";")
        if name and _says(name, value):
            authors.append(name)
        elif OTHERS.fullmatch(value):
            complete = False
        else:
            # Some programs put all authors on one line.
            several = pieces if all("," in piece for piece in pieces) else [value]
            authors += [parse_name(plain(piece)) for piece in several if piece.strip(" ,;")]
    return authors, complete


def _exact(value: str) -> tuple[int, Any]:
    """Return the position and the parts of a name from a `U5` line of ours, or 0 where it is something else."""
    match = EXACT_NAME.fullmatch(value)
    try:
        return (int(match[1]), {**NOBODY, **json.loads(match[2])}) if match else (0, None)
    except (ValueError, RecursionError):
        return 0, None


def _says(name: Row, line: str) -> bool:
    """Tell whether an exact name is still the one in the `AU` line, which somebody may have edited since."""
    proper = name.keys() == NOBODY.keys() and all(
        value is None or isinstance(value, str) for value in name.values()
    )
    return proper and bool(name["family"] or name["literal"]) and flat(name_line(name)) == line


def _read_dates(tags: Tags, record: Row) -> None:
    for tag in ("PY", "Y1", "DA"):
        value = tags.first(tag)
        date, other = partial_date(value)
        record["issued_inferred"] |= other == "inferred"
        issued = record["issued"] or ""
        if date and date.startswith(issued):
            record["issued"] = date
        if other not in ("", "inferred") or not issued.startswith((date or "")[: len(issued)]):
            tags.refuse(tag, value)
    value = tags.first("ET")
    date, other = partial_date(value)
    # The edition of a book; EndNote has the date of online publication there in the form of a date.
    if date and not other and (record["type"] == "article-journal" or "/" in value):
        record["epub_date"] = date
    else:
        tags.refuse("ET", value)


def _read_identifiers(tags: Tags, record: Row) -> None:
    base = tags.first("DB")
    elsewhere = bool(base) and not re.search("pubmed|medline|nlm", base, re.IGNORECASE)
    if elsewhere:
        tags.refuse("DB", base)
    for tag, value in tags.pairs("UR", "LK"):
        if not record["url"] and re.fullmatch(r"https?://\S+", value):
            record["url"] = value
        elif value != record["url"]:
            tags.refuse(tag, value)
    for scheme, tag in IDENTIFIER_TAGS:
        for value in tags.all(tag):
            skip = scheme == "pmid" and elsewhere and "pmid" not in value.lower()
            if skip or not identify(record, scheme, value):
                tags.refuse(tag, value)
    for tag, value in tags.pairs("DI", "M3", "L3"):
        if not identify(record, "doi", value):
            tags.refuse(tag, value)
    if record["url"] and re.match(r"https?://(dx\.)?doi\.org/", record["url"]):
        identify(record, "doi", record["url"])


def _read_notes(tags: Tags, record: Row) -> None:
    notes, notices = [], []
    for value in tags.all("N1"):
        label, text = labelled(value, NOTE_LABELS) or (NOTE, value)
        if label == INCOMPLETE and text == GOES_ON:
            record["authors_complete"] = False
        elif label in INTEGRITY_OF:
            record["integrity"] = INTEGRITY_OF[label]
            notices.append(text)
        elif label != UNVERIFIED:
            notes.append(plain(text if label == NOTE else value))
    record["note"] = "\n".join(notes).strip() or None
    record["integrity_note"] = "\n".join(notices).strip() or None
    ours = {(tag, label): name for name, tag, label in USER_FIELDS}
    for tag in sorted({tag for tag, _ in ours}):
        for value in tags.all(tag):
            label, text = labelled(value, [label for own, label in ours if own == tag]) or ("", "")
            name = ours.get((tag, label), "")
            if text and FITS[name].fullmatch(text):
                record[name] = int(text) if name == "sample_size" else text
            else:
                tags.refuse(tag, value)
