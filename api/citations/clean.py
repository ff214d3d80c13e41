"""The normaliser of citations: what readers do to text, pages, dates, names and identifiers."""

import codecs
import html
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic_core import PydanticCustomError

from models.core.addresses import check_licence
from models.core.dates import check_partial_date
from models.core.vocabularies import PARTS_OF_BOOKS
from models.records.identifiers import address_of, identifiers_in, normalise_issn, normalise_orcid
from models.records.source import KEYWORD_LENGTH, MAX_ISSN, MAX_KEYWORDS, AuthorIn, SourceIn

# Text.


# What stands in Windows-1252 where Latin-1 has control characters. Five bytes mean nothing there.
_WINDOWS_1252 = {
    code: letter
    for code in range(0x80, 0xA0)
    if (letter := bytes([code]).decode("windows-1252", "ignore"))
}


def decode_file(content: bytes) -> str:
    """Return the text of a file: what its byte order mark says, else UTF-8, else Windows-1252.

    UTF-16 is found out without a mark by its zeros. All ends of lines become newlines.
    """
    if encoding := _utf_16(content):
        # EndNote on Windows exports UTF-16. In a file that was cut, one character is lost.
        text = content.decode(encoding, "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1").translate(_WINDOWS_1252)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _utf_16(content: bytes) -> str | None:
    """Return the name of UTF-16 if a file is in it: one byte of each Latin letter is zero."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    start = content[:200]
    if start.count(0) < len(start) / 3:
        return None
    return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"


def line_counter(text: str) -> Callable[[int], int]:
    """Return a function that returns the number of the line, from 1, of a position in the text."""
    # An array, since a list takes five times as much for a file of empty lines.
    breaks = array("l", (match.start() for match in re.finditer("\n", text)))

    def line_at(position: int) -> int:
        return bisect_left(breaks, position) + 1

    return line_at


def on_one_line(text: str, breaks: str = "\r\n") -> str:
    """Return the text, each run of white space that contains a break replaced by one space."""

    def replace(run: re.Match[str]) -> str:
        return " " if set(run[0]) & set(breaks) else run[0]

    return re.sub(r"\s+", replace, text).strip()


# The tags of HTML, of JATS and of MathML that files hold; any other `<` is text.
MARKUP = re.compile(
    r"</?(?:i|b|u|em|strong|italic|bold|sub|sup|p|br|span|div|scp|sc|a|font|title"
    r"|(?:jats|mml):[a-zA-Z-]+)(?:\s+[\w:-]+\s*=\s*(?:\"[^\"<>]*\"|'[^'<>]*'))*\s*/?>",
    re.IGNORECASE,
)
_SCRIPT = re.compile(r"<(sup|sub)>([^<>]{1,20})</\1>", re.IGNORECASE)
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_RAISED = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")


def clean_text(text: str) -> str:
    """Return the text without mark-up, its entities decoded; other `<` and `&` stay.

    Raised and lowered figures become Unicode's: 10<sup>3</sup> is not 103.
    """
    if "<" in text:
        text = MARKUP.sub("", _SCRIPT.sub(_small, text))
    return decode_entities(text).strip()


def _small(markup: re.Match[str]) -> str:
    return small_figures(markup[2], raised=markup[1].lower() == "sup") or markup[2]


def small_figures(text: str, *, raised: bool) -> str | None:
    """Return raised or lowered figures and signs in Unicode's own, or None if it has not all."""
    table = _RAISED if raised else _LOWERED
    return text.translate(table) if all(ord(letter) in table for letter in text) else None


def decode_entities(text: str) -> str:
    """Return the text with HTML's entities decoded.

    Python's own function raises an error for a number of thousands of digits.
    """
    return ENTITY.sub(lambda entity: html.unescape(entity[0]), text) if "&" in text else text


_BLOCKS = re.compile(r"</?(?:jats:)?(?:p|sec|title|div|br|list|list-item)\s*/?>", re.IGNORECASE)


def clean_abstract(text: str) -> str:
    """Return an abstract without mark-up, each of its paragraphs and headings on a line."""
    lines = clean_text(_BLOCKS.sub("\n", text)).split("\n")
    return "\n".join(stripped for line in lines if (stripped := " ".join(line.split())))


_LENGTHS: dict[str, int] = {
    name: length
    for name, field in SourceIn.model_fields.items()
    for constraint in field.metadata
    if (length := getattr(constraint, "max_length", None))
}


def fits(field: str, text: str) -> bool:
    """Return whether a text is not too long for a field. One that is must not refuse all others."""
    return len(text) <= _LENGTHS[field] if field in _LENGTHS else True


def add_abstract(record: dict[str, Any], abstract: str) -> bool:
    """Give the record its abstract; return whether there is a place for it."""
    if not fits("abstract", abstract):
        return False
    record["abstract"] = abstract or None
    return True


# ISO 639-2 codes, as MEDLINE has them, and English names; by ISO 639-1 code.
_LANGUAGE_NAMES = {
    "cs": "cze ces czech", "da": "dan danish", "de": "ger deu german ngerman",
    "el": "gre ell greek", "en": "eng english", "es": "spa spanish", "fi": "fin finnish",
    "fr": "fre fra french francais",
    "hr": "hrv croatian", "hu": "hun hungarian", "it": "ita italian", "ja": "jpn japanese",
    "ko": "kor korean", "nl": "dut nld dutch", "no": "nor norwegian", "pl": "pol polish",
    "pt": "por portuguese", "ro": "rum ron romanian", "ru": "rus russian", "sk": "slo slk slovak",
    "sl": "slv slovenian", "sr": "srp serbian", "sv": "swe swedish", "tr": "tur turkish",
    "uk": "ukr ukrainian", "zh": "chi zho chinese", "ar": "ara arabic", "fa": "per fas persian",
    "he": "heb hebrew",
    # As BibTeX's packages name them.
    "de-AT": "austrian naustrian", "en-GB": "british ukenglish", "en-US": "american usenglish",
    "pt-BR": "brazilian brazil",
}  # fmt: skip
_LANGUAGE_TAGS = {name: tag for tag, names in _LANGUAGE_NAMES.items() for name in names.split()}


def language_tag(text: str) -> str:
    """Return the BCP 47 tag of a MEDLINE code or an English name; any other text as it is."""
    return _LANGUAGE_TAGS.get(text.lower(), text)


# The names of babel, for biblatex's `langid`.
_BABEL = {
    "cs": "czech", "da": "danish", "de": "ngerman", "el": "greek", "en": "english",
    "es": "spanish", "fi": "finnish", "fr": "french", "hu": "hungarian", "it": "italian",
    "nl": "dutch", "no": "norsk", "pl": "polish", "pt": "portuguese", "ru": "russian",
    "sv": "swedish", "tr": "turkish", "de-AT": "naustrian", "en-GB": "british",
    "en-US": "american", "pt-BR": "brazilian",
}  # fmt: skip


def language_name(tag: str) -> str:
    """Return babel's name of a language, or "" if it is not known."""
    return _BABEL.get(tag) or _BABEL.get(tag.partition("-")[0], "")


# Pages.

_DASH = re.compile("[‐‑‒–—−]")
# The possessive quantifier passes over a run of blanks without a dash once, instead of trying it
# again from each of its blanks.
_SPACED_DASHES = re.compile(r"(?:(?<!\s)\s++)?[-\u2010-\u2015\u2212]+\s*")
_PAGE_LABEL = re.compile(r"^\s*(?:pp?|pages?|S)\.?\s+(?=\S*[0-9])", re.IGNORECASE)


def plain_hyphens(text: str) -> str:
    """Return the text with a plain hyphen for each kind of dash."""
    return _DASH.sub("-", text)


_PAGE_RANGE = re.compile(
    r"(?<![A-Za-z0-9.])([A-Za-z]{0,3})([0-9]{1,9})-([A-Za-z]{0,3})([0-9]{1,9})(?![0-9.])"
)


def clean_pages(text: str) -> str:
    """Return pages with plain hyphens, without a label, every range in full.

    'pp. 12–15' → '12-15', '138-45' → '138-145', 'S12-9' → 'S12-S19'.
    """
    pages = _SPACED_DASHES.sub("-", _PAGE_LABEL.sub("", text)).strip()
    return _PAGE_RANGE.sub(_full_range, pages)


def _full_range(match: re.Match[str]) -> str:
    letters, first, last_letters, last = match.groups()
    full_last = first[: max(len(first) - len(last), 0)] + last
    if last_letters not in ("", letters) or int(full_last) < int(first):
        return match[0]
    return f"{letters}{first}-{letters}{full_last}"


# Dates.

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SLASHED_DATE = re.compile(r"([0-9]{4})?/([0-9]{0,2})(?:/([0-9]{0,2})(?:/(.*))?)?", re.DOTALL)
# With a time of day behind it, or a mark of doubt (EDTF's, or that of a cataloguer).
_NUMERIC_DATE = re.compile(
    r"([0-9]{4})(?:([-./])([0-9]{1,2})(?:\2([0-9]{1,2}))?)?"
    r"(?:[T ][0-9:.]+(?:Z|[+-][0-9:]+)?|[?~%])?"
)
_COMPACT_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T.*)?", re.DOTALL)
_MARKED_YEAR = re.compile(r"[\[(]?(?:c|ca|circa|©)?\.?\s?([0-9]{4})[?~%)\]]*", re.IGNORECASE)


def valid_partial_date(text: str) -> str | None:
    """Return a date of the form YYYY, YYYY-MM or YYYY-MM-DD, or None if there is no such day."""
    try:
        return str(check_partial_date(text)) if text else None
    except PydanticCustomError:
        return None


def longest_valid_date(parts: list[str]) -> tuple[str | None, int]:
    """Return the longest partial date that year, month and day begin with, and its number of parts.

    ['2009', '02', '30'] → ('2009-02', 2). Without a valid year the result is (None, 0).
    """
    for count in range(len(parts), 0, -1):
        if date := valid_partial_date("-".join(parts[:count])):
            return date, count
    return None, 0


def month_number(word: str) -> int | None:
    """Return the number of the month that begins with the first three letters of a word."""
    start = word[:3].lower()
    return MONTHS.index(start) + 1 if start in MONTHS else None


def parse_date(text: str, year: str = "") -> tuple[str | None, str]:
    """Return the partial date at the start of a text, and the rest: ('2009', 'Winter').

    It reads 2009/09/02/other, 2009-9-2, 20090902, 2009 Sep 2, 2 September 2009 and c2009; of a span
    the beginning, of an impossible date what exists of it. `year` is that of another field, for a
    text that has none.
    """
    text = text.strip()
    if match := _SLASHED_DATE.fullmatch(text):
        found, month, day, rest = (part or "" for part in match.groups())
        return _date_and_rest(found or year, month, day, rest)
    if match := _COMPACT_DATE.fullmatch(text):
        return _date_and_rest(match[1], match[2], match[3], "")
    if match := _NUMERIC_DATE.fullmatch(text):
        return _date_and_rest(match[1], match[3] or "", match[4] or "", "")
    return _parse_date_in_words(text, year)


def _parse_date_in_words(text: str, other_year: str) -> tuple[str | None, str]:
    year = month = day = ""
    rest = []
    for word in re.split(r"[\s,;/.\u2013\u2014-]+", text):
        number = month_number(word) if word.isalpha() else None
        if not year and (marked := _MARKED_YEAR.fullmatch(word)):
            year = marked[1]
        elif number and not month:
            month = str(number)
        elif not day and re.fullmatch(r"[0-9]{1,2}(?:st|nd|rd|th)?", word):
            day = word.rstrip("sthnrd")
        elif word:
            rest.append(word)
    if day and not month:
        rest.append(day)
        day = ""
    return _date_and_rest(year or (other_year if month else ""), month, day, " ".join(rest))


def _date_and_rest(year: str, month: str, day: str, rest: str) -> tuple[str | None, str]:
    """Return as much of a date as exists; what does not exist goes before the rest."""
    parts = [year]
    if month:
        parts += [part.zfill(2) for part in (month, day) if part.strip("0")]
    date, count = longest_valid_date(parts)
    unused = parts[count:] if date else [part for part in (year, month, day) if part]
    return date, " ".join([*unused, rest]).strip()


# Identifiers.


def add_identifier(record: dict[str, Any], scheme: str, text: str) -> bool:
    """Add the first identifier of a scheme in a text to the record.

    It is unverified, since a file cannot vouch for it.
    Returns whether the record now has it. A record has one of each scheme: another is not added.
    """
    values = identifiers_in(scheme, text)
    if not values:
        return False
    for identifier in record["identifiers"]:
        if identifier["scheme"] == scheme:
            return identifier["value"] in values
    found = {"scheme": scheme, "value": values[0], "verification": "unverified"}
    record["identifiers"].append(found)
    return True


def doi_address(record: Mapping[str, Any]) -> str | None:
    """Return the address that resolves the DOI of a record, None if it has no DOI."""
    dois = (each["value"] for each in record["identifiers"] if each["scheme"] == "doi")
    return next((address_of("doi", doi) for doi in dois), None)


_ISSN_IN_TEXT = re.compile(r"(?<![0-9A-Za-z-])[0-9]{4}-?[0-9]{3}[0-9Xx](?![0-9A-Za-z-])")
# A field of these is a list of ISSN or ISBN; a longer one is something else.
_MOST_OF_NUMBERS = 500


def add_issn(record: dict[str, Any], text: str) -> bool:
    """Add the ISSN in a text to the record; return whether all of them, and any, have a place."""
    issn = record.setdefault("issn", [])
    found = _ISSN_IN_TEXT.findall(text) if len(text) <= _MOST_OF_NUMBERS else []
    try:
        numbers = list(dict.fromkeys(map(normalise_issn, found)))
    except PydanticCustomError:
        return False
    new = [number for number in numbers if number not in issn]
    issn += new[: MAX_ISSN - len(issn)]
    return bool(found) and set(numbers) <= set(issn)


def move_isbn_of_whole(record: dict[str, Any]) -> None:
    """Make the ISBN of a part of a book, or of proceedings, that of the whole.

    An identifier names one work; of a part it would name all others of its book, too.
    """
    if record["type"] not in PARTS_OF_BOOKS:
        return
    for identifier in record["identifiers"]:
        if identifier["scheme"] == "isbn":
            record["container_isbn"] = identifier["value"]
            drop_isbn(record, identifier["value"])
            return


def drop_isbn(record: dict[str, Any], isbn: str) -> None:
    """Take an ISBN out of the identifiers of a work that it does not name."""
    record["identifiers"] = [
        each for each in record["identifiers"] if (each["scheme"], each["value"]) != ("isbn", isbn)
    ]


def drop_filled_journal(record: dict[str, Any]) -> None:
    """Take out of a record of ours the abbreviation where its writer had no full name of a journal.

    Other programs know the field of the full name alone.
    """
    if record.get("container_title") == record.get("container_title_short"):
        record.pop("container_title", None)


def drop_filled_address(record: dict[str, Any]) -> None:
    """Take out of a record of ours the address of its DOI, which its writer put there.

    One that is stored stands in a field of ours besides, and is read after this.
    """
    if record.get("url") == doi_address(record):
        record.pop("url", None)


# Keywords and licences.

_CREATIVE_COMMONS = re.compile(
    r"\s*(?:CC|Creative Commons)[\s-]+(BY(?:-NC)?(?:-SA|-ND)?)[\s-]+([1-4]\.[05])"
    r"(?:\s+\w+)?\s*",
    re.IGNORECASE,
)


def split_keywords(text: str) -> list[str]:
    """Return the keywords in a text, which stand between semicolons or, without any, commas."""
    words = (" ".join(word.split()) for word in text.split(";" if ";" in text else ","))
    return [word for word in words if word]


def join_keywords(keywords: Iterable[str]) -> str:
    """Return keywords as one text. `split_keywords` does not part all of them as they were."""
    words = list(keywords)
    return ("; " if any("," in word for word in words) else ", ").join(words)


def add_keywords(record: dict[str, Any], words: Iterable[str]) -> bool:
    """Add keywords to the record, each once; return whether all of them have a place."""
    keywords = record.setdefault("keywords", [])
    fitting = True
    for word in dict.fromkeys(words):
        has_place = len(word) <= KEYWORD_LENGTH and len(keywords) < MAX_KEYWORDS
        if has_place and word not in keywords:
            keywords.append(word)
        fitting = fitting and has_place
    return fitting


def clean_licence(text: str) -> str | None:
    """Return a licence by its SPDX identifier or its address; None if a text names none."""
    if known := _CREATIVE_COMMONS.fullmatch(text):
        return f"CC-{known[1].upper()}-{known[2]}"
    try:
        return check_licence(text.strip()) if text.strip() else None
    except PydanticCustomError:
        return None


def clean_orcid(text: str) -> str | None:
    """Return the ORCID iD in a text or address, or None if it is none."""
    try:
        return normalise_orcid(text)
    except PydanticCustomError:
        return None


# What people post.

_POSTED_TITLES = (
    *("title", "title_short", "container_title", "container_title_short", "collection_title"),
    *("event_title", "publisher"),
)
_CLEANING: dict[str, Callable[[str], str]] = {
    **dict.fromkeys(_POSTED_TITLES, clean_text),
    "abstract": clean_abstract,
    "page": clean_pages,
}


def clean_source(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a source as somebody posted it, its texts and pages cleaned as those of files are.

    People paste from web pages: mark-up, entities and dashes come along.
    """
    return {
        name: _CLEANING[name](value) if name in _CLEANING and isinstance(value, str) else value
        for name, value in body.items()
    }


# Names.

Name = dict[str, str | None]

NO_NAME: Name = dict.fromkeys(AuthorIn.model_fields)
SUFFIX = re.compile(r"[JS]r\.?|[Jj]unior|II|III|IV|2nd|3rd|4th")
# What is a suffix, and not initials, even where no given name stands beside it.
_SUFFIX_ALONE = re.compile(r"[JS]r\.?|III|2nd|3rd|4th")
OTHERS = re.compile(r"(and\s+)?others|et\.?\s+al\.?", re.IGNORECASE)
_PARTICLES = frozenset((
    "van", "von", "der", "den", "de", "di", "da", "del", "della", "du", "dos", "das", "la", "le",
    "ten", "ter", "zu", "zur", "af", "av", "bin", "ibn", "el", "al",
))  # fmt: skip
# A group that is named without a comma may end in letters that look like initials.
_OF_GROUPS = frozenset((
    "of", "for", "and", "the", "on", "in", "group", "study", "trial", "team", "network", "office",
    "consortium", "committee", "council", "institute", "institution", "university", "department",
    "ministry", "society", "association", "agency", "organization", "organisation", "center",
    "centre", "foundation", "health", "investigators", "collaboration", "union",
))  # fmt: skip


def split_particle(family: str) -> tuple[str | None, str]:
    """Split 'van den Berg' into 'van den' and 'Berg': the particle is the words in lower case."""
    words = family.split(" ")
    count = 0
    while count < len(words) - 1 and words[count][:1].islower():
        count += 1
    return " ".join(words[:count]) or None, " ".join(words[count:])


def name_line(author: Mapping[str, Any]) -> str:
    """Return an author as `Family, Given, Suffix`, the particle before the family; a group as it
    is.

    A person without a given name keeps the comma: 'Chafe,'.
    """
    if author["literal"]:
        return str(author["literal"])
    particle = author["particle"] or ""
    separator = "" if particle[-1:] in ("", "'", "’", "-") else " "
    family = f"{particle}{separator}{author['family']}"
    if author["suffix"]:
        return f"{family}, {author['given'] or ''}, {author['suffix']}"
    return f"{family}, {author['given'] or ''}".rstrip(" ")


def parse_names(text: str) -> list[Name]:
    """Return the names in a text: most often one, but several of the form 'Doe J, Roe R'."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > 1:
        persons = [parse_short_name(part) for part in parts]
        if all(persons):
            return [person for person in persons if person]
    return [parse_name(text)]


def parse_name(text: str) -> Name:
    """Return the name in a line such as 'van den Berg, Jan, Jr' or 'van den Berg LH'.

    Any other text without a comma is the name of a group. EndNote ends that with a comma; this
    program ends the name of a person without a given name with one. So one word with a comma is a
    person.
    """
    family, *others = (part.strip() for part in text.split(","))
    given = others[0] if others else ""
    suffix = ", ".join(part for part in others[1:] if part)
    if SUFFIX.fullmatch(given) and suffix and not SUFFIX.fullmatch(suffix):
        given, suffix = suffix, given
    elif len(others) == 1 and _SUFFIX_ALONE.fullmatch(given):
        given, suffix = "", given
    if not others and (person := parse_short_name(text)):
        return person
    particle, family = split_particle(family)
    is_group = not others or (not given and not suffix and " " in family)
    if is_group or not family:
        return {**NO_NAME, "literal": text.rstrip(", ") or text}
    return {
        **NO_NAME,
        "family": family,
        "given": given or None,
        "particle": particle,
        "suffix": suffix or None,
    }


def parse_short_name(text: str) -> Name | None:
    """Return the person in 'van den Berg LH Jr' or 'Doe J. B.', None if it is none for certain.

    MEDLINE writes names so: family name, initials, suffix, without a comma.
    """
    words = text.split()
    suffix = words.pop() if len(words) > 2 and SUFFIX.fullmatch(words[-1]) else None
    start = len(words)
    while start > 1 and _are_initials(words[start - 1]):
        start -= 1
    particle, family = split_particle(" ".join(words[:start]))
    is_person = (
        0 < start < len(words)
        and len(family.split()) <= 2
        and family != family.upper()
        and all(word in _PARTICLES for word in (particle or "").split())
        and not _OF_GROUPS & {word.lower() for word in words}
    )
    if not is_person:
        return None
    given = " ".join(words[start:])
    return {**NO_NAME, "family": family, "given": given, "particle": particle, "suffix": suffix}


def _are_initials(word: str) -> bool:
    letters = re.sub(r"[.-]", "", word)
    return len(letters) <= 4 and letters.isalpha() and letters.isupper()
