"""What the pictures share: colours and patterns, text that fits its room, a spoken description."""

import re
import unicodedata
from itertools import pairwise
from typing import NamedTuple
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from models.core import vocabularies as v

NAMESPACE = "http://www.w3.org/2000/svg"
ET.register_namespace("", NAMESPACE)

# At a screen width of 450 px one unit is 0.7 px, so that text of 14 units is still read.
WIDTH = 640.0
MARGIN = 16.0
TEXT, HEADING = 14, 18
LEADING = 1.3

# Which colours a picture has: those of one mode, or those that the reader's system prefers.
THEMES = ("auto", "light", "dark")
NO_STATUS = "no-status"
LABELS: dict[str | None, str] = {
    None: "no status",
    **{
        term.id: term.label
        for vocabulary in (v.STATUSES, v.CERTAINTIES, v.DIRECTIONS, v.EVIDENCE_LEVELS)
        for term in vocabulary.terms
    },
}


class Swatch(NamedTuple):
    """The colours of one status in one mode: the fill, the pattern on it, and text upon both."""

    fill: str
    hatch: str
    ink: str


# (light, dark) for each. Blue and orange differ for all common kinds of colour vision.
COLOURS: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#15181c"),
    "card": ("#f7f8f9", "#1f242a"),
    "ink": ("#1b1f24", "#eceff2"),
    "soft": ("#4d5660", "#b3bcc6"),
    "rule": ("#c9d0d6", "#3d454e"),
    "supports": ("#0b5c9e", "#6cb4f0"),
    "disputes": ("#b34700", "#f5934f"),
    "inconclusive": ("#1b1f24", "#eceff2"),
}
# A diverging scale, from most against to most for.
SWATCHES: dict[str, tuple[Swatch, Swatch]] = {
    "refuted": (Swatch("#b34700", "#8a3700", "#ffffff"), Swatch("#f5934f", "#ffb581", "#111111")),
    "disputed": (Swatch("#f4a261", "#dd8439", "#111111"), Swatch("#a94f16", "#7e390d", "#ffffff")),
    "contested": (Swatch("#fbdcb6", "#e9b77e", "#111111"), Swatch("#63401f", "#85582d", "#ffffff")),
    "unassessed": (
        Swatch("#e4e7ea", "#a9b1b9", "#111111"),
        Swatch("#3b4148", "#66707a", "#ffffff"),
    ),
    "unconfirmed": (
        Swatch("#d3e6f7", "#97c1e6", "#111111"),
        Swatch("#26425c", "#40698f", "#ffffff"),
    ),
    "supported": (Swatch("#86bdea", "#5a9bd3", "#111111"), Swatch("#2c6ba3", "#1d4d79", "#ffffff")),
    "established": (
        Swatch("#0b5c9e", "#0b5c9e", "#ffffff"),
        Swatch("#6cb4f0", "#6cb4f0", "#111111"),
    ),
    NO_STATUS: (Swatch("#ffffff", "#ffffff", "#1b1f24"), Swatch("#15181c", "#15181c", "#eceff2")),
}
# Strokes on a tile of 8 by 8: falling lines are against, rising ones for; "" is a plain fill.
PATTERNS: dict[str, str] = {
    "refuted": "M0 0L8 8M8 0L0 8",
    "disputed": "M-2 -2L10 10M6 -2L10 2M-2 6L2 10",
    "contested": "M0 4H8",
    "unassessed": "M4 3.5V4.5",
    "unconfirmed": "M2 6L6 2",
    "supported": "M-2 10L10 -2M-2 2L2 -2M6 10L10 6",
    "established": "",
    NO_STATUS: "",
}
# In units of the type size, on the wide side of common fonts, as the font of a reader is unknown.
ADVANCES: dict[str, float] = {
    **dict.fromkeys("abcdeghknopqsuvxyz0123456789", 0.65),
    **dict.fromkeys(" .,:;!|'`iIjlrtfJ()[]-/", 0.43),
    **dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZ", 0.78),
}
FONT = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', Arial,"
    " sans-serif"
)
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufffe\uffff]"
)


def clean(text: str) -> str:
    """Return text that XML can hold, on one line, without control characters."""
    return " ".join(UNPRINTABLE.sub(" ", text).split())


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return how wide a text can be at most in common fonts."""
    return sum(_advance(character) for character in text) * size * (1.1 if bold else 1)


def wrap(text: str, room: float, size: float, most: int, *, bold: bool = False) -> list[str]:
    """Break a text into at most `most` lines that fit into a room.

    A word that is too long is broken; a text that is too long ends in '…'.
    """
    rows = [""]
    for word in clean(text).split():
        for part in _broken_word(word, room, size, bold=bold):
            extended = f"{rows[-1]} {part}".lstrip()
            if text_width(extended, size, bold=bold) <= room:
                rows[-1] = extended
            else:
                rows.append(part)
    if len(rows) > most:
        last = rows[most - 1]
        while last and text_width(last + "…", size, bold=bold) > room:
            last = last[:-1]
        rows[most - 1 :] = [last.rstrip() + "…"]
    return rows


def node(parent: Element, tag: str, text: str | None = None, **attributes: str | float) -> Element:
    """Add an element and return it.

    The attribute `class_` becomes `class`, other underscores become hyphens, and numbers are
    rounded to two places.
    """
    element = ET.SubElement(parent, f"{{{NAMESPACE}}}{tag}")
    for name, value in attributes.items():
        element.set(name.rstrip("_").replace("_", "-"), _attribute(value))
    element.text = None if text is None else clean(text)
    return element


def paragraph(
    parent: Element, rows: list[str], x: float, y: float, size: float, class_: str
) -> float:
    """Add rows of text below y and return where they end."""
    for row in rows:
        y += size * LEADING
        # A text element for each row, so that its reading direction cannot affect the others.
        node(parent, "text", row, x=x, y=y - size * 0.3, class_=class_, font_size=size)
    return y


def wrapped_paragraph(
    parent: Element, text: str, room: float, y: float, most: int, class_: str = "soft"
) -> float:
    """Add a text in normal size at the left margin, wrapped, and return where it ends."""
    return paragraph(parent, wrap(text, room, TEXT, most), MARGIN, y, TEXT, class_)


def heading(parent: Element, text: str, room: float) -> float:
    """Add the heading of a picture, and return where it ends."""
    rows = wrap(text, room, HEADING, 4, bold=True)
    return paragraph(parent, rows, MARGIN, 10, HEADING, "bold")


def status_text(
    parent: Element, status: str, rest: str, x: float, y: float, anchor: str = "start"
) -> None:
    """Add a status in bold and what belongs to it, on one line."""
    text = node(parent, "text", x=x, y=y, font_size=TEXT, text_anchor=anchor)
    if status:
        node(text, "tspan", status, class_="bold")
    if rest:
        # Not through `clean`, which would remove a space at the end.
        node(text, "tspan", class_="soft").text = f"{', ' if status else ''}{rest}"


def described_picture(kind: str, title: str, description: str) -> Element:
    """Return an empty picture with its title and description; its ids begin with its kind."""
    root = Element(f"{{{NAMESPACE}}}svg")
    root.set("class", "claimbase")
    root.set("role", "img")
    root.set("aria-labelledby", f"{kind}-title {kind}-desc")
    root.set("lang", "en")
    node(root, "title", title, id=f"{kind}-title")
    node(root, "desc", description, id=f"{kind}-desc")
    return root


def styled_picture(kind: str, title: str, description: str, theme: str = "auto") -> Element:
    """Return an empty picture with its title and description, colours and patterns.

    `theme` is one of `THEMES`.
    """
    root = described_picture(kind, title, description)
    node(root, "style").text = _style(kind, theme)
    definitions = node(root, "defs")
    for name, stroke in PATTERNS.items():
        tile = node(
            definitions,
            "pattern",
            id=f"{kind}-{name}",
            width=8,
            height=8,
            patternUnits="userSpaceOnUse",
        )
        node(tile, "rect", width=8, height=8, class_=f"fill-{name}")
        if stroke:
            node(tile, "path", d=stroke, class_=f"hatch-{name}")
    node(root, "rect", width="100%", height="100%", class_="paper")
    return root


def to_bytes(root: Element, width: float, height: float, shown_width: float | None = None) -> bytes:
    """Set the size of a picture and return it as UTF-8.

    It fills the width that the page gives it, unless it has one to be shown in.
    """
    root.set("viewBox", f"0 0 {_attribute(width)} {_attribute(height)}")
    if shown_width is not None:
        root.set("width", _attribute(shown_width))
        root.set("height", _attribute(shown_width * height / width))
    return ET.tostring(root, encoding="unicode").encode()


def colours(mode: int) -> dict[str, str]:
    """Return every colour by the name of its custom property; mode 0 is light, 1 is dark."""
    by_name = {name: pair[mode] for name, pair in COLOURS.items()}
    for name, swatches in SWATCHES.items():
        fill, hatch, ink = swatches[mode]
        by_name |= {name: fill, f"{name}-hatch": hatch, f"{name}-ink": ink}
    return by_name


def _custom_properties(mode: int) -> str:
    return ";".join(f"--{name}:{value}" for name, value in colours(mode).items())


_DARK_WHERE_PREFERRED = (
    f"@media (prefers-color-scheme:dark){{.claimbase{{{_custom_properties(1)}}}}}"
)


def _style(kind: str, theme: str) -> str:
    first = _custom_properties(1 if theme == "dark" else 0)
    scheme = "light dark" if theme == "auto" else theme
    rules = [
        f".claimbase{{{first};color-scheme:{scheme};font-family:{FONT};direction:ltr}}",
        *([_DARK_WHERE_PREFERRED] if theme == "auto" else []),
        ".claimbase text{fill:var(--ink)}",
        ".claimbase .soft{fill:var(--soft)}",
        ".claimbase .bold{font-weight:600}",
        ".claimbase .paper{fill:var(--paper)}",
        ".claimbase .card{fill:var(--card);stroke:var(--soft)}",
        ".claimbase .rule{fill:none;stroke:var(--rule)}",
        ".claimbase .line{fill:none;stroke:var(--soft)}",
        ".claimbase .frame{fill:none;stroke:var(--ink)}",
        ".claimbase .head{fill:var(--soft)}",
        ".claimbase .label{paint-order:stroke;stroke:var(--paper);stroke-width:5;"
        "stroke-linejoin:round}",
        ".claimbase .supports{fill:var(--supports)}",
        ".claimbase .disputes{fill:var(--disputes)}",
        ".claimbase .inconclusive{fill:var(--paper);stroke:var(--inconclusive);stroke-width:1.5}",
        ".claimbase a:hover .card,.claimbase a:focus .card{stroke:var(--ink);stroke-width:3}",
    ]
    for name in PATTERNS:
        rules += [
            f".claimbase .{name}{{fill:url(#{kind}-{name})}}",
            f".claimbase .fill-{name}{{fill:var(--{name})}}",
            f".claimbase .hatch-{name}{{fill:none;stroke:var(--{name}-hatch);stroke-width:1.6;"
            "stroke-linecap:round}",
            f".claimbase text.on-{name}{{fill:var(--{name}-ink)}}",
        ]
    return "".join(rules)


def _advance(character: str) -> float:
    """Return the width of a character in units of the type size."""
    if character in ADVANCES:
        return ADVANCES[character]
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0.0
    is_wide = character.isascii() or unicodedata.east_asian_width(character) in "WF"
    return 1.05 if is_wide else 0.85


def _broken_word(word: str, room: float, size: float, *, bold: bool) -> list[str]:
    """Return a word in parts that fit into a room."""
    cuts = [0]
    used = 0.0
    for position, character in enumerate(word):
        width = text_width(character, size, bold=bold)
        if used + width > room:
            cuts.append(position)
            used = 0.0
        used += width
    return [word[start:end] for start, end in pairwise([*cuts, len(word)])]


def _attribute(value: str | float) -> str:
    if isinstance(value, str):
        return value
    # Adding zero turns -0.0 into 0.0.
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
