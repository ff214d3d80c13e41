"""NBIB: PubMed's MEDLINE display, as it is saved for reference managers.

The fields are those of NLM's "MEDLINE/PubMed Data Element (Field) Descriptions".
"""

import re
from collections.abc import Iterator

from api.citations.clean import decoded
from api.citations.parse_result import Found, Reading
from api.citations.tagged_lines import (
    NOBODY,
    OTHERS,
    SUFFIX,
    Tags,
    blank,
    gathered,
    hyphened,
    identify,
    joined,
    language,
    partial_date,
    particle,
    plain,
)
from models.records.serializers import Row

LINE = re.compile(r"([A-Z][A-Z0-9]{1,3}) {0,2}- ?(.*)", re.DOTALL)
# What belongs to PubMed's housekeeping, and `SO`, which says the citation once more.
HOUSEKEEPING = "OWN|STAT|DCOM|LR|DA|CRDT|EDAT|MHDA|CTDT|PHST|PST|SO|JID|SB|PL"
TYPES = {
    "Preprint": "article",
    "Dataset": "dataset",
    "Technical Report": "report",
    "Academic Dissertation": "thesis",
}
NOTICES = (
    ("RIN", "retracted", "Retraction in"),
    ("ECI", "concern", "Expression of concern in"),
    ("EIN", "corrected", "Erratum in"),
)


def read(content: bytes) -> Reading:
    """Return the records of an NBIB file and the troubles: text outside a record, no title, an entry twice."""
    return gathered(_entries(decoded(content)), _found, "PMID")


def _entries(text: str) -> Iterator[tuple[int, list[tuple[str, str]] | None]]:
    """Yield each record with the line on which it begins, and None for text before the first one.

    A record begins with its PMID. One without begins after a blank line, if it has again what a record has once.
    """
    began = 0
    pairs: list[tuple[str, list[str]]] | None = None
    has: set[str] = set()
    after_blank = True
    for number, raw in enumerate(text.removeprefix("ï»¿").split("\n"), 1):
        line = raw.lstrip("\ufeff")
        match = LINE.match(line)
        if match:
            again = match[1] in ("TI", "BTI", "OWN", "STAT") and match[1] in has
            if (
                pairs is None
                or (match[1] == "PMID" and (after_blank or "PMID" in has))
                or (after_blank and again)
            ):
                if began:
                    yield began, joined(pairs)
                began, pairs, has = number, [], set()
            pairs.append((match[1], [match[2].strip()]))
            has.add(match[1])
        elif line.strip() and pairs:
            pairs[-1][1].append(line.strip())
        elif line.strip():
            began = began or number
        after_blank = not line.strip()
    if began:
        yield began, joined(pairs)


def _found(line: int, tags: Tags) -> Found:
    record = blank()
    title, book, printed = tags.first("TI"), tags.first("BTI"), ""
    if title.startswith("["):
        # NLM's translation stands in brackets, the printed title beside it.
        printed = tags.first("TT")
        tags.refuse("TI", title if printed else "")
    record["title"] = _title(printed or title or book) or None
    kinds = tags.all("PT")
    named = next((TYPES[kind] for kind in kinds if kind in TYPES), "article-journal")
    record["type"] = ("chapter" if title else "book") if book else named
    for kind in kinds:
        if kind not in ("Journal Article", "Retracted Publication", *TYPES):
            tags.refuse("PT", kind)
    record |= {
        "container_title": (_title(book) if title else "") or tags.first("JT") or None,
        "container_title_short": tags.first("TA") or None,
        "publisher": tags.first("PB") or None,
        "volume": tags.first("VI") or None,
        "issue": tags.first("IP") or None,
        "page": expanded(tags.first("PG")) or None,
        "language": language(tags.first("LA")) or None,
    }
    for name, tag in (("issued", "DP"), ("epub_date", "DEP")):
        value = tags.first(tag)
        record[name], other = partial_date(value)
        tags.refuse(tag, other)
    _identifiers(tags, record)
    _authors(tags, record)
    notices = [
        (integrity, f"{words}: {value}")
        for tag, integrity, words in NOTICES
        for value in tags.all(tag)
    ]
    if "Retracted Publication" in kinds and not any(
        integrity == "retracted" for integrity, _ in notices
    ):
        notices.insert(0, ("retracted", "PubMed lists it as a retracted publication."))
    if notices:
        record["integrity"], record["integrity_note"] = (
            notices[0][0],
            "\n".join(words for _, words in notices),
        )
    return Found(line, record, tags.left(HOUSEKEEPING))


def _title(text: str) -> str:
    """Return a title without the full stop that NLM puts after every one."""
    return text[:-1] if text.endswith(".") and not text.endswith("..") else text


def expanded(pages: str) -> str:
    """Return pages with every range in full: '138-45' → '138-145', 'S12-9' → 'S12-S19'."""
    return re.sub(
        r"(?<![A-Za-z0-9])([A-Za-z]{0,3})([0-9]{1,9})-([A-Za-z]{0,3})([0-9]{1,9})(?![0-9])",
        _range,
        hyphened(pages),
    )


def _range(match: re.Match[str]) -> str:
    letters, first, others, last = match.groups()
    whole = first[: max(len(first) - len(last), 0)] + last
    if others not in ("", letters) or int(whole) < int(first):
        return match[0]
    return f"{letters}{first}-{letters}{whole}"


def _identifiers(tags: Tags, record: Row) -> None:
    for tag, scheme in (("PMID", "pmid"), ("PMC", "pmcid"), ("ISBN", "isbn")):
        for value in tags.all(tag):
            if not identify(record, scheme, value):
                tags.refuse(tag, value)
    for tag, value in tags.pairs("LID", "AID"):
        identifier, _, kind = value.rpartition(" [")
        if kind == "doi]" and identify(record, "doi", identifier):
            continue
        if (
            tag == "LID"
            and kind == "pii]"
            and not record["page"]
            and re.fullmatch(r"[A-Za-z]{0,3}[0-9]{1,10}", identifier)
        ):
            record["page"] = identifier
        elif identifier != record["page"]:
            tags.refuse(tag, value)


def _authors(tags: Tags, record: Row) -> None:
    before = ""
    for tag, value in tags.pairs("FAU", "AU", "CN"):
        if OTHERS.fullmatch(value):
            record["authors_complete"] = False
        elif tag == "CN":
            record["authors"].append({**NOBODY, "literal": plain(value)})
        elif tag == "FAU" or before != "FAU":
            record["authors"].append(_person(plain(value)))
        before = tag


def _person(text: str) -> dict[str, str | None]:
    """Return the name in 'King, Martin Luther Jr' (FAU) or 'King ML Jr' (AU)."""
    family, comma, given = (part.strip() for part in text.partition(","))
    if not comma:
        short = re.fullmatch(rf"(.+?) ([^\W\d_a-z]{{1,4}})((?: {SUFFIX.pattern})?)", text)
        family, given = (short[1], " ".join(short[2]) + short[3]) if short else (text, "")
    names, _, last = given.rpartition(" ")
    suffix = last if names and SUFFIX.fullmatch(last) else None
    before, family = particle(family)
    return {
        **NOBODY,
        "family": family or None,
        "given": (names if suffix else given) or None,
        "particle": before,
        "suffix": suffix,
    }
