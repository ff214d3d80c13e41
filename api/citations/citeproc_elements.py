"""Elements of CSL that behave as CSL says, in the place of citeproc-py's own.

The module imports citeproc-py, so it is imported only when a style is loaded.
"""

import re
from typing import Any, ClassVar

from citeproc import model  # type: ignore[import-untyped]

from api.citations.bibliography_styles import CSL, GOES_ON, QUOTED, Style
from api.citations.page_ranges import page_range

Options = dict[str, Any]


class _Element:
    """What our elements have in common: the style that they belong to."""

    style: ClassVar[Style]


class _WithPages(_Element):
    """An element that may show pages: it writes each range as the style does."""

    def _process(self, value: Any, variable: str) -> Any:
        if not variable.startswith("page"):
            return super()._process(value, variable)  # type: ignore[misc]
        shape = self.get_root().get_option("page-range-format")  # type: ignore[attr-defined]
        delimiter = self.get_single_term(name="page-range-delimiter")  # type: ignore[attr-defined]
        pages = page_range(str(value), shape, self.style.dash or str(delimiter) or "–")
        return model.String(re.split("[-–]", pages)[0] if variable == "page-first" else pages)


class Text(_WithPages, model.Text):  # type: ignore[misc]
    """A text, in the quotation marks of the style."""

    # citeproc-py searches for a macro at each use, which takes most of its time.
    macros: ClassVar[dict[str, Any]]

    def get_macro(self, name: str) -> Any:
        if name not in self.macros:
            self.macros[name] = super().get_macro(name)
        return self.macros[name]

    def quote(self, string: Any) -> Any:
        if self.get("quotes") != "true":
            return string
        quotes = self.style.quotes
        open_quote = quotes[0] if quotes else self.get_single_term(name="open-quote")
        return model.String(open_quote) + string + QUOTED


class Number(_WithPages, model.Number):  # type: ignore[misc]
    """A number, which may be that of a page."""


class Name(_Element, model.Name):  # type: ignore[misc]
    """Names, of which an incomplete list ends in 'et al.' as the style writes it."""

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
            sort_options = {**(sort_options or {}), **self._et_al_options(len(names), context)}
        return super().process(item, variable, context=context, sort_options=sort_options, **more)

    def initialize(self, given: str, mark: str, context: Any) -> str:
        """Return the initials of given names, which citeproc-py makes of neither 'JB' nor 'T. ten'.

        It takes 'JB' for one name, and puts a mark where a name in small letters ends or none is.
        """
        return initials(given, mark, hyphens=self.get_option("initialize-with-hyphen", context))

    def _et_al_options(self, count: int, context: Any) -> Options:
        """Return the options with which 'et al.' replaces the last name of a list."""
        named = count - 1
        minimum = self.get_option("et-al-min", context)
        first = self.get_option("et-al-use-first", context)
        # A style that writes "et al." writes it after a fixed number of names. One that writes an
        # ellipsis and the last name, as APA does, shows all names that are stored.
        shows_all = self.get_option("et-al-use-last", context) and named < minimum
        shown = named if shows_all else first or named
        options = {
            "et-al-min": count,
            "et-al-use-first": min(shown, named),
            "et-al-use-last": "false",
        }
        if self.get_option("sort-separator", context) == " ":
            options["delimiter-precedes-et-al"] = "always"
        return options


# Longer words in capitals are names: Lee, and not L. E. E., may be written LEE.
_MOST_INITIALS = 3


def initials(given: str, mark: str, *, hyphens: bool) -> str:
    """Return the initials of given names with a mark after each: 'Min-jun', '. ' → 'M.-J.'.

    Words in small letters are particles and stay, and so do names in scripts without capitals.
    """
    if given.upper() == given.lower():
        return given
    shown = ""
    for word in re.sub(r"\.(?=[^\s-])", ". ", given).split():
        parts = [part for part in re.split("[-‐.]", word) if part]
        if not parts:
            continue
        if parts[0][0].islower():
            shown = f"{shown.rstrip()} {word} "
            continue
        groups = [[*part] if _is_run(part) else [part[0].upper()] for part in parts]
        marked = [mark.join(group) + mark for group in groups]
        if hyphens:
            blank = " " if mark.endswith(" ") else ""
            shown += "-".join(each.rstrip() for each in marked) + blank
        else:
            shown += "".join(marked)
    return shown.strip()


def _is_run(part: str) -> bool:
    return part.isalpha() and part.isupper() and len(part) <= _MOST_INITIALS


class Substitute(_Element, model.Substitute):  # type: ignore[misc]
    """A title in the place of the authors, which is shown once, even if a macro put it there."""

    def add_to_repressed_list(self, child: Any, context: Any) -> None:
        super().add_to_repressed_list(child, context)
        if child.xpath("descendant-or-self::*/@macro"):
            context.get_layout().repressed.setdefault(f"{{{CSL}}}text", []).append("title")


class Date(_Element, model.Date):  # type: ignore[misc]
    """A date of the style's locale, its parts joined as the locale says, not as its user does."""

    def render_single_date(self, date: Any, show_parts: Any = None, context: Any = None) -> Any:
        parts = self.parts(date, show_parts, context if context is not self else None)
        if not parts:
            return None
        joins_itself = not self.is_locale_date() or "delimiter" in self.attrib
        return (self if joins_itself else context).join(parts)


_OWN = (Text, Number, Name, Substitute, Date)


def element_classes(style: Style) -> dict[str | None, Any]:
    """Return the class for each element of CSL by its tag; ours know the style."""
    classes: dict[str | None, Any] = {None: model.CitationStylesElement}
    for element in model.CitationStylesElement.__subclasses__():
        classes[element.__name__.replace("_", "-").lower()] = element
    for element in _OWN:
        name = element.__name__
        classes[name.lower()] = type(name, (element,), {"style": style, "macros": {}})
    return classes
