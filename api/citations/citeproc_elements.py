"""Elements of CSL that behave as CSL says, in the place of citeproc-py's own.

The module imports citeproc-py, so it is imported only when a style is loaded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from citeproc import model  # type: ignore[import-untyped]
from citeproc.source import Reference, VariableError  # type: ignore[import-untyped]

from api.citations.bibliography_styles import ALONE, GOES_ON, QUOTED, Style
from api.citations.page_ranges import page_range

Options = dict[str, Any]
# Such as the issues of a double number.
_RANGE = re.compile(r"([0-9]+)[-–]([0-9]+)")


@dataclass(frozen=True)
class Item:
    """What citeproc-py's elements need of a citation: its reference and its number in the list."""

    reference: Any
    number: int
    key: str = "it"
    has_locator: bool = False

    def __contains__(self, _name: str) -> bool:
        # An entry of a bibliography is not cited at a page, with a prefix or a suffix.
        return False

    @property
    def locator(self) -> Any:
        """The page at which a work is cited, which an entry of a bibliography never has."""
        raise VariableError


@dataclass
class Entry:
    """Which variables the entry that is being rendered has shown, and which it hides from now on.

    What stands in the place of missing names is hidden from there on (CSL 1.0.2, Substitute).
    """

    shown: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    # How often variables were asked for, and shown.
    asked_for: int = 0
    found: int = 0

    def show(self, *variables: str) -> None:
        """Take notice of variables that are shown."""
        self.shown.update(variables)
        self.found += len(variables)

    def hides(self, variable: str) -> bool:
        """Return whether a variable that is asked for is not to be shown.

        A DOI is shown once in any style.
        """
        # The letter after a year, which no entry has, is not a part of the work.
        self.asked_for += variable != "year-suffix"
        return variable in self.hidden or (variable == "DOI" and variable in self.shown)


class _Element:
    """What our elements have in common: their style, and the entry that it is rendering."""

    style: ClassVar[Style]
    entry: ClassVar[Entry]


class _Cased(_Element):
    """An element whose text is shown in capitals or small letters."""

    def case(self, text: Any, language: str | None = None) -> Any:
        # citeproc-py changes the case of its own strings alone; names and numbers are none.
        if not text or self.get("text-case") is None:  # type: ignore[attr-defined]
            return text
        own = text if isinstance(text, model.String) else model.String(text)
        return super().case(own, language)  # type: ignore[misc]


class _WithPages(_Cased):
    """An element that may show pages: it writes each range as the style does."""

    def dash(self) -> str:
        """Return what joins the pages or the issues of a range."""
        delimiter = self.get_single_term(name="page-range-delimiter")  # type: ignore[attr-defined]
        return self.style.dash or str(delimiter) or "–"

    def _process(self, value: Any, variable: str) -> Any:
        if not variable.startswith("page"):
            return super()._process(value, variable)  # type: ignore[misc]
        shape = self.get_root().get_option("page-range-format")  # type: ignore[attr-defined]
        mark = ALONE if str(value).startswith(ALONE) else ""
        pages = mark + page_range(str(value).removeprefix(mark), shape, self.dash())
        return model.String(re.split("[-–]", pages)[0] if variable == "page-first" else pages)


class Text(_WithPages, model.Text):  # type: ignore[misc]
    """A text, in the quotation marks of the style."""

    # citeproc-py searches for a macro at each use, which takes most of its time.
    macros: ClassVar[dict[str, Any]]

    def get_macro(self, name: str) -> Any:
        if name not in self.macros:
            self.macros[name] = super().get_macro(name)
        return self.macros[name]

    def _variable(self, item: Any, context: Any) -> Any:
        variable = self.get("variable")
        if self.entry.hides(variable):
            return None
        text = super()._variable(item, context)
        if text:
            self.entry.show(variable)
        is_range = variable in ("volume", "issue") and _RANGE.fullmatch(str(text))
        return model.String(self.dash().join(is_range.groups())) if is_range else text

    def quote(self, string: Any) -> Any:
        if self.get("quotes") != "true":
            return string
        quotes = self.style.quotes
        open_quote = quotes[0] if quotes else self.get_single_term(name="open-quote")
        return model.String(open_quote) + string + QUOTED


class Number(_WithPages, model.Number):  # type: ignore[misc]
    """A number, which may be that of a page."""

    def process(self, item: Any, **_more: Any) -> Any:
        variable = self.get("variable")
        if variable == "locator" or self.entry.hides(variable):
            return None
        # citeproc-py looks for 'number-of-pages' where it has 'number_of_pages'.
        value = item.reference["page" if variable == "page-first" else _key(variable)]
        self.entry.show(variable)
        return self._process(value, variable)


class NamePart(_Cased, model.Name_Part):  # type: ignore[misc]
    """The family name or the given names of a person."""

    def case(self, text: Any, language: str | None = None) -> Any:
        # Names are joined to each other as ordinary text.
        return text and str(super().case(text, language))


class DatePart(_Cased, model.Date_Part):  # type: ignore[misc]
    """The year, the month or the day of a date."""


class Label(_Cased, model.Label):  # type: ignore[misc]
    """A label such as 'pp.', of several where the value is more than one."""

    def _is_plural(self, item: Any) -> bool:
        variable = self.get("variable")
        value = str(item.reference.get(_key(variable), ""))
        if variable.startswith("number-of"):
            return value != "1"
        return self.RE_MULTIPLE_NUMBERS.search(value) is not None


def _key(variable: str) -> str:
    """Return the name under which citeproc-py keeps a variable."""
    return variable.replace("-", "_")


class Names(_Element, model.Names):  # type: ignore[misc]
    """Names of one or several roles, without those that stood in the place of others."""

    def process(self, item: Any, **more: Any) -> Any:
        roles = self.get("variable").split()
        self.entry.asked_for += 1
        if hidden := self.entry.hidden.intersection(roles):
            if hidden.issuperset(roles):
                return None
            item = replace(item, reference=_without(item.reference, hidden))
        text = super().process(item, **more)
        self.entry.show(*(role for role in roles if _key(role) in item.reference))
        return text


def _without(reference: Mapping[str, Any], variables: set[str]) -> Any:
    """Return a reference without some of its variables."""
    kept = Reference.__new__(Reference)
    hidden = {_key(variable) for variable in variables}
    dict.update(kept, {name: value for name, value in reference.items() if name not in hidden})
    return kept


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
        options = {**(sort_options or {}), **self._delimiters(len(names), context, sort_options)}
        if names and names[-1].get("literal") == GOES_ON:
            options |= self._et_al_options(len(names), context)
        return super().process(item, variable, context=context, sort_options=options, **more)

    def initialize(self, given: str, mark: str, context: Any) -> str:
        """Return the initials of given names, which citeproc-py makes of neither 'JB' nor 'T. ten'.

        It takes 'JB' for one name, and puts a mark where a name in small letters ends or none is.
        It makes initials of names, too, where a style has them whole.
        """
        hyphens = self.get_option("initialize-with-hyphen", context)
        whole = self.get("initialize", self.get_root().get("initialize")) == "false"
        return initials(given, mark, hyphens=hyphens, whole=whole)

    def _delimiters(self, count: int, context: Any, sort_options: Any) -> Options:
        """Return what citeproc-py makes nothing of: a delimiter that follows inverted names alone.

        A name is inverted whose family name comes first: all are, or the first.
        """
        order = self.get_option("name-as-sort-order", context, sort_options)
        # Before "et al." and before "and" stands the first name if it is the only one there.
        shown = {
            "delimiter-precedes-et-al": self.get_option("et-al-use-first", context, sort_options),
            "delimiter-precedes-last": count - 1,
        }
        return {
            option: "always" if order == "all" or (order and number == 1) else "never"
            for option, number in shown.items()
            if self.get_option(option, context, sort_options) == "after-inverted-name"
        }

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


def initials(given: str, mark: str, *, hyphens: bool, whole: bool = False) -> str:
    """Return the initials of given names with a mark after each: 'Min-jun', '. ' → 'M.-J.'.

    Words in small letters are particles and stay, and so do names in scripts without capitals. If
    names are to stay `whole`, only what is an initial already gets its mark.
    """
    if given.upper() == given.lower():
        return given
    shown = ""
    for word in re.sub(r"\.(?=[^\s-])", ". ", given).split():
        parts = [part for part in re.split("[-‐.]", word) if part]
        if not parts:
            continue
        is_name = not all(len(part) == 1 or _is_run(part) for part in parts)
        if parts[0][0].islower() or (whole and is_name):
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


class Group(_Element, model.Group):  # type: ignore[misc]
    """A group, which is not shown if it asks for variables and shows none (CSL 1.0.2, Group)."""

    def process(self, item: Any, **more: Any) -> Any:
        asked_for, found = self.entry.asked_for, self.entry.found
        text = super().process(item, **more)
        # citeproc-py is content with the words of a macro that would show one.
        if self.entry.asked_for > asked_for and self.entry.found == found:
            raise VariableError
        # To the group around it, it is a variable that is there.
        self.entry.found += 1
        return text


class Substitute(_Element, model.Substitute):  # type: ignore[misc]
    """What stands in the place of missing names: the first of several that there is."""

    def render(self, item: Any, context: Any = None, **more: Any) -> Any:
        before = self.entry.shown
        for child in self:
            # Names without a form of their own take that of the names which they replace.
            takes_form = isinstance(child, model.Names) and child.name is None
            form = {"names_context": self.getparent()} if takes_form else {}
            self.entry.shown = set()
            try:
                text = child.render(item, context=context, **form, **more)
            except VariableError:
                continue
            finally:
                used, self.entry.shown = self.entry.shown, before | self.entry.shown
            if text:
                self.entry.hidden |= used
                return text
        return None


class Date(_Element, model.Date):  # type: ignore[misc]
    """A date of the style's locale, its parts joined as the locale says, not as its user does."""

    def process(self, item: Any, variable: str | None = None, *args: Any, **more: Any) -> Any:
        name = variable or self.get("variable")
        if self.entry.hides(name):
            return None
        text = super().process(item, variable, *args, **more)
        if text:
            self.entry.show(name)
        return text

    def render_single_date(self, date: Any, show_parts: Any = None, context: Any = None) -> Any:
        parts = self.parts(date, show_parts, context if context is not self else None)
        if not parts:
            return None
        joins_itself = not self.is_locale_date() or "delimiter" in self.attrib
        return (self if joins_itself else context).join(parts)


_OWN = {
    "text": Text,
    "number": Number,
    "label": Label,
    "name": Name,
    "name-part": NamePart,
    "names": Names,
    "group": Group,
    "substitute": Substitute,
    "date": Date,
    "date-part": DatePart,
}


def element_classes(style: Style, entry: Entry, macros: dict[str, Any]) -> dict[str | None, Any]:
    """Return the class for each element of CSL by its tag; ours know the style and the entry."""
    classes: dict[str | None, Any] = {None: model.CitationStylesElement}
    for element in model.CitationStylesElement.__subclasses__():
        classes[element.__name__.replace("_", "-").lower()] = element
    own = {"style": style, "entry": entry, "macros": macros}
    for tag, element in _OWN.items():
        classes[tag] = type(element.__name__, (element,), own)
    return classes
