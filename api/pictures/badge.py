"""A claim's status in words on the colour of the status, small enough to stand in a line of any page."""

from math import ceil

from api.pictures.svg import (
    FONT,
    LABELS,
    SWATCHES,
    breadth,
    clean,
    colours,
    finish,
    named,
    node,
    wrap,
)
from models.records.serializers import Row

HEIGHT, SIZE, PADDING, BASELINE = 20, 11, 5, 14
WIDEST_LABEL = 240.0
# The ground of the left half, with round corners on the left.
LEFT = "M{middle} 0H3A3 3 0 0 0 0 3V17A3 3 0 0 0 3 20H{middle}Z"


def badge_svg(claim: Row, label: str) -> bytes:
    """Draw the status of a claim, given by its core, with a label on its left; a label too long ends in '…'.

    The colours are the same whatever the page's: a badge cannot know them, and each half has its own ground.
    """
    (label,) = wrap(clean(label) or "claim", WIDEST_LABEL, SIZE, 1)
    told = LABELS[claim["status"]]
    if claim["certainty"]:
        told += f" · {LABELS[claim['certainty']]} certainty"
    desc = f"{claim['statement']} Derived by rule from the recorded evidence; so since {claim['status_since']}."
    root = named("badge", f"{label}: {told}", desc)
    middle = ceil(breadth(label, SIZE)) + 2 * PADDING
    end = middle + ceil(breadth(told, SIZE)) + 2 * PADDING
    shared, status = colours(0), SWATCHES[claim["status"]][0]
    # The frame sets a pale status off from a white page.
    node(
        root,
        "rect",
        x=0.5,
        y=0.5,
        width=end - 1,
        height=HEIGHT - 1,
        rx=3,
        fill=status.fill,
        stroke=shared["soft"],
    )
    node(root, "path", d=LEFT.format(middle=middle), fill=shared["soft"])
    for text, x, ink in (
        (label, middle / 2, shared["paper"]),
        (told, (middle + end) / 2, status.ink),
    ):
        node(
            root,
            "text",
            text,
            x=x,
            y=BASELINE,
            fill=ink,
            font_family=FONT,
            font_size=SIZE,
            text_anchor="middle",
        )
    # An image without a size of its own would fill the place where it stands.
    root.set("width", str(end))
    root.set("height", str(HEIGHT))
    return finish(root, end, HEIGHT)
