"""A claim's status in words on its colour, small enough to stand in a line of any page."""

from math import ceil

from api.pictures.svg import (
    FONT,
    LABELS,
    SWATCHES,
    clean,
    colours,
    described_picture,
    node,
    text_width,
    to_bytes,
    wrap,
)
from models.core.notice import SHORT_NOTICE, with_general
from models.records.serializers import Row

HEIGHT, SIZE, PADDING, BASELINE = 20, 11, 5, 14
WIDEST_LABEL = 240.0
# The ground of the left half, with round corners on the left.
LEFT = "M{middle} 0H3A3 3 0 0 0 0 3V17A3 3 0 0 0 3 20H{middle}Z"


def badge_svg(claim: Row, label: str, theme: str = "auto") -> bytes:
    """Draw the status of a claim, of which the core is given, with a label on its left.

    A label that is too long ends in '…'. The colours do not follow those of the page, which a badge
    cannot know, unless its theme is "dark"; each half has its own ground.
    """
    status = LABELS[claim["status"]]
    if claim["certainty"]:
        status += f" · {LABELS[claim['certainty']]} certainty"
    description = (
        f"{claim['statement']} Derived by rule from the recorded evidence;"
        f" so since {claim['status_since']}. {with_general(claim['notice'], SHORT_NOTICE)}"
    )
    swatch = SWATCHES[claim["status"]][_mode(theme)]
    return _drawn(label, status, description, swatch.fill, swatch.ink, theme)


def missing_badge_svg(said: str, description: str, label: str, theme: str = "auto") -> bytes:
    """Draw a grey badge for a claim that has no status to show, since it is not there."""
    swatch = SWATCHES["unassessed"][_mode(theme)]
    return _drawn(label, said, description, swatch.fill, swatch.ink, theme)


def _mode(theme: str) -> int:
    return 1 if theme == "dark" else 0


def _drawn(label: str, status: str, description: str, fill: str, ink: str, theme: str) -> bytes:
    (label,) = wrap(clean(label) or "claim", WIDEST_LABEL, SIZE, 1)
    root = described_picture("badge", f"{label}: {status}", description)
    middle = ceil(text_width(label, SIZE)) + 2 * PADDING
    end = middle + ceil(text_width(status, SIZE)) + 2 * PADDING
    shared = colours(_mode(theme))
    # The frame sets a pale status off from a white page.
    node(
        root,
        "rect",
        x=0.5,
        y=0.5,
        width=end - 1,
        height=HEIGHT - 1,
        rx=3,
        fill=fill,
        stroke=shared["soft"],
    )
    node(root, "path", d=LEFT.format(middle=middle), fill=shared["soft"])
    halves = (
        (label, middle / 2, shared["paper"]),
        (status, (middle + end) / 2, ink),
    )
    for text, x, colour in halves:
        node(
            root,
            "text",
            text,
            x=x,
            y=BASELINE,
            fill=colour,
            font_family=FONT,
            font_size=SIZE,
            text_anchor="middle",
        )
    # An image without a size of its own would fill all the width it can get.
    root.set("width", str(end))
    root.set("height", str(HEIGHT))
    return to_bytes(root, end, HEIGHT)
