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
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from api.citations import style_catalogue
from api.citations.bibliography_styles import (
    ALONE,
    CLOSED,
    GOES_ON,
    GROUP,
    LOOSE,
    NOTES,
    NUMBERED,
    ORDINALS,
    QUOTED,
    Style,
    plain,
)
from api.citations.style_catalogue import Choice
from models.core import vocabularies as v
from models.records.serializers import Row

if TYPE_CHECKING:
    from api.citations.loaded_style import LoadedStyle

__all__ = ["EXTENSION", "MEDIA_TYPES", "entry", "write"]

MEDIA_TYPES = ("text/x-bibliography",)
EXTENSION = "txt"
# One takes 0.3 MB, the largest 2 MB, and a few milliseconds to load.
MOST_LOADED = 30

# The variables of CSL among the identifiers.
_CSL_SCHEMES = ("doi", "pmid", "pmcid", "isbn")
_E_LOCATOR = re.compile(r"[A-Za-z]{1,3}[0-9]{3,}")
# Types of what is part of a book.
PARTS = v.PARTS_OF_BOOKS
# Our fields and the variables of CSL 1.0.1, which citeproc-py knows.
_PLAIN_FIELDS = {
    **{name: name for name in ("publisher", "volume", "issue", "page", "number", "language")},
    **{name: name for name in ("edition", "genre")},
    "url": "URL",
    "publisher_place": "publisher-place",
    "collection_title": "collection-title",
    "collection_number": "collection-number",
    "event_title": "event",
    "event_place": "event-place",
}
# The roles that citeproc-py knows.
_ROLES = (
    *("editor", "translator", "collection-editor", "composer", "container-author"),
    *("editorial-director", "illustrator", "interviewer", "original-author", "recipient"),
)


def write(
    sources: Iterable[Row], chosen: Choice | None = None, *, remarks: bool = False
) -> Iterator[bytes]:
    """Yield one line of UTF-8 text for each source, numbered from 1 if the style numbers entries.

    The style is APA's unless one is chosen.
    """
    chosen = chosen or style_catalogue.find()
    return (
        f"{entry(source, number, chosen, remarks=remarks)}\n".encode()
        for number, source in enumerate(sources, 1)
    )


def entry(source: Row, number: int, chosen: Choice, *, remarks: bool = False) -> str:
    """Return one source in a style, as the entry of that number; without a newline.

    In square brackets after it stands that it was retracted, since whoever reads the list must
    know. With `remarks` also any other notice of its publisher stands there, and which of the
    identifiers that it shows nobody has verified.
    """
    text = printed(source, number, chosen) or plain(_known_as(source))
    notes = []
    if source["integrity"] in (NOTES if remarks else ("retracted",)):
        notes.append(NOTES[source["integrity"]])
    if remarks and (unverified := _unverified(source, text)):
        notes.append(f"{_enumeration(unverified)} not verified")
    return f"{text} [{'; '.join(notes)}]" if notes else text


def printed(source: Row, number: int, chosen: Choice) -> str:
    """Return what a style prints of a source, which may be nothing.

    Some print no titles, and of a work without a journal not much is left.
    """
    style = chosen.style
    reference = _reference(source, style)
    with _LOCK:
        loaded = _load(style.file, chosen.locale)
        text = loaded.render(reference, number)
    text = _resolve_marks(text, style, loaded)
    if not chosen.listed.tested:
        text = _tidied(text)
    return text if any(letter.isalpha() for letter in text) else ""


def _known_as(source: Row) -> str:
    """Return the title of a source, or else an identifier of it, or else its slug."""
    names = [f"{each['scheme']}:{each['value']}" for each in source["identifiers"]]
    return str(next(name for name in (source["title"], *names, source["id"]) if name))


# A style's tree keeps state while it renders an entry, so it renders one entry at a time.
_LOCK = threading.Lock()


def _unverified(source: Row, text: str) -> list[str]:
    """Return the schemes of the identifiers that an entry shows and nobody has verified."""
    return [
        identifier["scheme"].upper()
        for identifier in source["identifiers"]
        if identifier["verification"] != "verified" and identifier["value"] in text
    ]


def _enumeration(words: list[str]) -> str:
    """Return 'a', 'a and b' or 'a, b and c'."""
    first = ", ".join(words[:-1])
    return f"{first} and {words[-1]}" if first else words[-1]


def _reference(source: Row, style: Style) -> dict[str, Any]:
    """Return a source as CSL-JSON for one style.

    citeproc-py warns of every variable that it does not know, so the item has no others.
    """
    item: dict[str, Any] = {"id": "it", "type": source["type"]}
    for name, variable in _PLAIN_FIELDS.items():
        if source[name]:
            item[variable] = plain(source[name])
    item["title"] = _title(plain(source["title"] or ""), style)
    item.update(_container(source, style))
    if authors := _authors(source, style):
        item["author"] = authors
    item.update(_contributors(source, style))
    if item["type"] in PARTS and style.unhoused and not item.get("container-title"):
        item["type"] = style.unhoused
    item.update(_locator(item, style))
    item.update(_date(source, item))
    _leave_out(item, style)
    has_doi = any(identifier["scheme"] == "doi" for identifier in source["identifiers"])
    if source["url"] and source["accessed"] and not has_doi:
        item["accessed"] = _date_parts(source["accessed"])
    if item["type"] == "thesis":
        item.setdefault("genre", "Thesis")
    _move_variable(item, style)
    for identifier in source["identifiers"]:
        if identifier["scheme"] in _CSL_SCHEMES:
            item[identifier["scheme"].upper()] = plain(identifier["value"])
    return {name: value for name, value in item.items() if value}


def _leave_out(item: dict[str, Any], style: Style) -> None:
    """Remove what the style says once, or not of such a work; and mark pages without a volume."""
    groups = {author.get("literal", "") for author in item.get("author", ())}
    if style.publisher_once and item.get("publisher") in groups:
        item.pop("publisher", None)
    if item["type"] != "article-journal" or not item.get("page"):
        return
    if style.paged_alone:
        item.pop("URL", None)
    if style.colon_without and not any(item.get(name) for name in style.colon_without):
        item["page"] = ALONE + item["page"]


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
    if source["type"] in PARTS and (full or short):
        # Before the editors of a book all styles write it themselves.
        has_editor = any(person["role"] == "editor" for person in source["contributors"])
        return {"container-title": ("" if has_editor else style.within) + (full or short)}
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


def _contributors(source: Row, style: Style) -> dict[str, list[Row]]:
    """Return the names of those who did something else than write it, by their roles."""
    found: dict[str, list[Row]] = {}
    for person in source["contributors"]:
        if person["role"] in _ROLES:
            found.setdefault(person["role"], []).append(_name(person, style))
    return found


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


def _resolve_marks(text: str, style: Style, loaded: "LoadedStyle") -> str:
    """Return a rendered entry with its marks replaced by what they stand for.

    Punctuation after a question mark is removed, and commas go inside quotation marks where the
    language or the style has them there.
    """
    close_quote = style.quotes[1] if style.quotes else loaded.close_quote
    commas_inside = close_quote == "”" if style.quotes else loaded.commas_inside
    maybe_quoted = f"({QUOTED}?)" if commas_inside else "()"
    text = re.sub(f"{CLOSED}{maybe_quoted}[.,]", r"\1", text).replace(CLOSED, "")
    if commas_inside:
        text = re.sub(f"{QUOTED}([.,])", rf"\1{QUOTED}", text)
    text = _LOOSE_PUNCTUATION.sub("", text)
    text = re.sub(f";( ?){ALONE}", r":\1", text).replace(ALONE, "")
    text = re.sub(rf"pp?\. {NUMBERED}", style.article_word, text)
    text = text.replace(f", {GROUP}", f"{style.group_mark} {GROUP}").replace(GROUP, "")
    # Blanks that do not break a line stay: French has them inside of quotation marks.
    return re.sub(r"[ \t\r\n]+", " ", text.replace(QUOTED, close_quote)).strip()


def _tidied(text: str) -> str:
    """Return an entry without the punctuation that styles leave around what is missing."""
    for pattern, instead in _LEFT_OVER:
        text = pattern.sub(instead, text)
    return text


_LEFT_OVER = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (r" ?\( ?\)| ?\[ ?\]", ""),
        (r": [.,](?= )", ":"),
        (r" +(?=[,.](?: |$))", ""),
        (r"[,;:](?: ?,)+(?= )", ","),
        (r"(?<!\.)[.,;:] ?\.(?= |$)", "."),
        (r" ?[,;:]$", ""),
    )
)
_LOOSE_PUNCTUATION = re.compile(rf"\.{LOOSE}(?= \()|(?<=\. ){LOOSE};|{LOOSE}; (?=:)|{LOOSE}")


_loaded: "OrderedDict[tuple[str, str], LoadedStyle]" = OrderedDict()


def _load(file: str, locale: str) -> "LoadedStyle":
    """Return a style, parsed anew unless it is among those that were used last."""
    # Imported here, since only a bibliography needs citeproc-py.
    from api.citations import loaded_style

    if (file, locale) in _loaded:
        _loaded.move_to_end((file, locale))
        return _loaded[file, locale]
    if len(_loaded) >= MOST_LOADED:
        _loaded.popitem(last=False)[1].release()
    rules = style_catalogue.rules_in(file)
    return _loaded.setdefault((file, locale), loaded_style.load(rules, locale))
