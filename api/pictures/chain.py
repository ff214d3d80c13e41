"""The causal chain to a claim: a box for each claim, from first cause to last effect, with its
status.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.etree.ElementTree import Element

from api.pictures.svg import (
    LABELS,
    LEADING,
    MARGIN,
    NO_STATUS,
    TEXT,
    WIDTH,
    clean,
    heading,
    node,
    paragraph,
    status_text,
    styled_picture,
    text_width,
    to_bytes,
    wrap,
    wrapped_paragraph,
)
from models.core.notice import SHORT_NOTICE, with_general

Claim = dict[str, Any]
# The cause and the effect of a link.
Ends = tuple[str, str]

STATEMENT, MOST_ROWS_OF_TEXT = 15, 8
# Rows of text for what a claim predicts and what fell of it.
MOST_ROWS_OF_FALLEN = 6
# More than a reader can follow; those nearest to the claim are drawn.
MOST_CLAIMS = 60
STRIPE, PADDING = 18.0, 10.0
MOST_IN_ROW, WIDEST, NARROWEST = 3, 440.0, 190.0
SPACE, LANE, BETWEEN, LABEL_HEIGHT = 18.0, 16.0, 46.0, 30.0
SWEEPS = 6
# The statuses of a link with which it is drawn as doubtful.
DOUBTFUL = ("contested", "disputed", "refuted")
BACK = "closes a cycle"
NO_RELATIONS = "No causal relations are recorded."
TRUNCATED = "The chain goes on beyond what is drawn here."
CAPTION = (
    "From first cause to last effect. With each claim: its status and certainty, derived by rule"
    " from the evidence."
)


class Chain(NamedTuple):
    """Claims by id, the statuses of the links between them, and whether there are more claims."""

    claims: dict[str, Claim]
    link_statuses: dict[Ends, str | None]
    truncated: bool


class Link(NamedTuple):
    """A leads_to between two claims.

    `doubt` says what speaks against it, and `back` that it closes a cycle.
    """

    cause: str
    effect: str
    doubt: str
    back: bool


@dataclass
class Item:
    """What takes room in a row: the box of a claim, or the lane of a link that passes the row."""

    key: str
    row: int
    claim: Claim | None
    statement: list[str] = field(default_factory=list)
    fallen: list[str] = field(default_factory=list)
    x: float = 0
    y: float = 0
    width: float = LANE
    height: float = 0

    @property
    def middle(self) -> float:
        """The x of its middle."""
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        """The y of its lower edge."""
        return self.y + self.height


class Segment(NamedTuple):
    """A piece of a link, from an item to one in the next row.

    `label` is set only where the label of the link stands.
    """

    upper: str
    lower: str
    doubtful: bool
    back: bool
    label: str


def chain_svg(
    root: str,
    walk: dict[str, Any],
    own_notice: str | None = None,
    theme: str = "auto",
    shown_width: float | None = None,
    day: str | None = None,
) -> bytes:
    """Draw the causal relations (leads_to) of a walk from the claim `root`.

    A link that closes a cycle is drawn upwards and labelled; one that evidence speaks against is
    dashed and labelled. Of more than 60 claims the nearest are drawn, with a note that there are
    more. What a claim predicts and what fell of it stands in its box. The description ends
    with the notice, after which comes that of the claim `root`. `theme` is one of `svg.THEMES`;
    with a width the picture is shown in it, whatever room there is. `day` is the day as of which
    the walk is, if not today.
    """
    chain = _chain(root, walk)
    links = _links(root, chain)
    row_of = _row_of_each(root, chain.claims, links)
    items, segments = _items_and_segments(chain.claims, links, row_of)
    rows = _ordered_rows(items, segments)
    width = _place_across(rows)
    ordered = [item.claim for row in rows for item in row if item.claim]

    then = "" if day is None else f"As published by {day}. "
    title = f"Causal chain: {chain.claims[root]['statement']}"
    picture = styled_picture(
        "chain",
        title,
        f"{then}{_description(ordered, links, chain.truncated)}"
        f" {with_general(own_notice, SHORT_NOTICE)}",
        theme,
    )
    room = width - 2 * MARGIN
    y = heading(picture, title, room)
    y = wrapped_paragraph(picture, f"{then}{CAPTION}", room, y + 2, 3) + 16
    y = _place_down(root, rows, segments, y)
    for number in range(len(rows)):
        below_row = [segment for segment in segments if items[segment.upper].row == number]
        _draw_links(picture, items, below_row, width)
    for claim in ordered:
        _draw_box(picture, items[claim["id"]], claim, emphasised=claim["id"] == root)
    if not chain.link_statuses:
        y = wrapped_paragraph(picture, NO_RELATIONS, room, y + 8, 2)
    if chain.truncated:
        y = wrapped_paragraph(picture, TRUNCATED, room, y + 8, 2)
    return to_bytes(picture, width, y + 16, shown_width)


def _chain(root: str, walk: dict[str, Any]) -> Chain:
    """Return the causal relations of a walk, with the claims that are nearest to the root."""
    statuses: dict[Ends, str | None] = {}
    for relation in walk["relations"]:
        if relation["type"] == "leads_to":
            statuses[relation["claim"], relation["target"]] = relation.get("status")
    fallen: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for prediction in walk.get("fallen_predictions", ()):
        fallen[prediction["claim"]].append(prediction)
    walked = {claim["id"]: {**claim, "fallen": fallen[claim["id"]]} for claim in walk["claims"]}
    keys = {root, *(key for ends in statuses for key in ends)}
    claims = {key: walked.get(key) or _unread_claim(key) for key in keys}
    nearest = sorted(claims, key=lambda key: (key != root, _distance(claims, key), key))
    drawn = {key: claims[key] for key in nearest[:MOST_CLAIMS]}
    drawn_links = {
        (cause, effect): status
        for (cause, effect), status in statuses.items()
        if cause in drawn and effect in drawn
    }
    return Chain(drawn, drawn_links, walk["truncated"] or len(drawn) < len(claims))


def _unread_claim(key: str) -> Claim:
    """Return what is drawn of a claim that the walk did not reach."""
    return {"id": key, "statement": key, "status": None, "certainty": None, "fallen": []}


def _distance(claims: Mapping[str, Claim], key: str) -> int:
    return int(claims[key].get("distance", 0))


def _links(root: str, chain: Chain) -> list[Link]:
    """Return the links; those are marked that have to be turned round so that there is no cycle."""
    back: set[Ends] = set()
    while cycle := _cycle(chain, back):
        back.add(_weakest(root, chain.claims, cycle))
    links = []
    for ends, status in sorted(chain.link_statuses.items(), key=lambda item: item[0]):
        doubt = f"link {LABELS[status]}" if status in DOUBTFUL else ""
        links.append(Link(*ends, doubt, ends in back))
    return links


def _cycle(chain: Chain, without: set[Ends]) -> list[Ends]:
    """Return the links of one cycle, or an empty list if there is none."""
    causes: dict[str, list[str]] = {key: [] for key in sorted(chain.claims)}
    for cause, effect in sorted(set(chain.link_statuses) - without):
        causes[effect].append(cause)
    try:
        TopologicalSorter(causes).prepare()
    except CycleError as error:
        return list(pairwise(error.args[1]))
    return []


def _weakest(root: str, claims: Mapping[str, Claim], cycle: Sequence[Ends]) -> Ends:
    """Return the link of a cycle to turn round: one that leaves the root, or leads away from it.

    So the root stays the last effect.
    """

    def weakness(ends: Ends) -> tuple[bool, int, Ends]:
        cause, effect = ends
        return cause == root, _distance(claims, effect) - _distance(claims, cause), ends

    return max(cycle, key=weakness)


def _row_of_each(root: str, claims: Mapping[str, Claim], links: Iterable[Link]) -> dict[str, int]:
    """Return the row of each claim, by its longest way to a last effect, from the top.

    Claims with ways of equal length share a row; a crowded row becomes several.
    """
    layers = _layers(root, links)
    row_of: dict[str, int] = {}
    row = -1
    for layer in sorted(set(layers.values()), reverse=True):
        keys = [key for key in layers if layers[key] == layer]
        keys.sort(key=lambda key: (-_distance(claims, key), key))
        for position, key in enumerate(keys):
            if position % MOST_IN_ROW == 0:
                row += 1
            row_of[key] = row
    return row_of


def _layers(root: str, links: Iterable[Link]) -> dict[str, int]:
    """Return the length of each claim's longest way to a last effect."""
    effects: dict[str, list[str]] = {root: []}
    for link in links:
        effects.setdefault(link.cause, [])
        effects.setdefault(link.effect, [])
        if not link.back:
            effects[link.cause].append(link.effect)
    layers: dict[str, int] = {}
    for key in TopologicalSorter(effects).static_order():
        layers[key] = max((layers[effect] + 1 for effect in effects[key]), default=0)
    return layers


def _items_and_segments(
    claims: Mapping[str, Claim], links: Sequence[Link], row_of: dict[str, int]
) -> tuple[dict[str, Item], list[Segment]]:
    """Return boxes and lanes by key, and the pieces of the links."""
    items = {key: Item(key, row, claims[key]) for key, row in sorted(row_of.items())}
    causes_of = Counter(link.effect for link in links)
    effects_of = Counter(link.cause for link in links)
    segments: dict[tuple[str, str, bool, bool], Segment] = {}
    for link in links:
        share_by_effect = causes_of[link.effect] >= effects_of[link.cause]
        path = _path(link, _lane(link, share_by_effect=share_by_effect), row_of)
        for row, key in enumerate(path, row_of[path[0]]):
            items.setdefault(key, Item(key, row, None))
        for segment in _segments(link, path):
            # Links that share a lane share its segments.
            segments.setdefault(segment[:4], segment)
    return items, list(segments.values())


def _lane(link: Link, *, share_by_effect: bool) -> str:
    """Return the name of a link's lane: plain links to or from one claim share a lane."""
    if link.back or link.doubt:
        return f"{link.cause} > {link.effect}"
    return f"> {link.effect}" if share_by_effect else f"{link.cause} >"


def _path(link: Link, lane: str, row_of: Mapping[str, int]) -> list[str]:
    """Return the keys of the items that a link passes, from the top."""
    upper, lower = (link.effect, link.cause) if link.back else (link.cause, link.effect)
    passed = range(row_of[upper] + 1, row_of[lower])
    return [upper, *(f"{lane} {row}" for row in passed), lower]


def _segments(link: Link, path: Sequence[str]) -> list[Segment]:
    """Return the pieces of a link; the one that reaches its effect has the label."""
    label = "; ".join(text for text in (BACK if link.back else "", link.doubt) if text)
    pieces = list(pairwise(path))
    labelled = pieces[0] if link.back else pieces[-1]
    return [
        Segment(*piece, bool(link.doubt), link.back, label if piece == labelled else "")
        for piece in pieces
    ]


def _ordered_rows(items: Mapping[str, Item], segments: Sequence[Segment]) -> list[list[Item]]:
    """Return the items of each row, ordered so that few links cross.

    In each of several sweeps an item moves near to the middle of the items that it is linked to.
    """
    above, below = defaultdict(list), defaultdict(list)
    for segment in segments:
        above[segment.lower].append(items[segment.upper])
        below[segment.upper].append(items[segment.lower])
    last = max(item.row for item in items.values())
    rows: list[list[Item]] = [[] for _ in range(last + 1)]
    for item in items.values():
        rows[item.row].append(item)
    for row in rows:
        _spread(row)
    for sweep in range(SWEEPS):
        upwards = bool(sweep % 2)
        linked = below if upwards else above
        for row in reversed(rows) if upwards else rows:
            _sort_by_links(row, linked)
            _spread(row)
    return rows


def _sort_by_links(row: list[Item], linked: Mapping[str, Sequence[Item]]) -> None:
    means = {}
    for item in row:
        xs = [other.x for other in linked.get(item.key, ())]
        means[item.key] = sum(xs) / len(xs) if xs else item.x
    row.sort(key=lambda item: means[item.key])


def _spread(row: Sequence[Item]) -> None:
    """Set the x of the items to their places in the row, from 0 to 1."""
    for position, item in enumerate(row):
        item.x = (position + 0.5) / len(row)


def _place_across(rows: Sequence[Sequence[Item]]) -> float:
    """Set the widths and the x of all items, and return the width of the picture."""
    width = max([WIDTH, *(_set_widths(row) for row in rows)])
    for row in rows:
        x = (width - sum(item.width for item in row) - SPACE * (len(row) - 1)) / 2
        for item in row:
            item.x = x
            x += item.width + SPACE
    return width


def _set_widths(row: Sequence[Item]) -> float:
    """Set the widths of the items of a row, and return the width that the row needs."""
    boxes = [item for item in row if item.claim]
    rest = LANE * (len(row) - len(boxes)) + SPACE * (len(row) - 1)
    for box in boxes:
        share = (WIDTH - 2 * MARGIN - rest) / len(boxes)
        box.width = min(WIDEST, max(NARROWEST, share))
    return 2 * MARGIN + rest + sum(box.width for box in boxes)


def _place_down(
    root: str, rows: Sequence[Sequence[Item]], segments: Sequence[Segment], y: float
) -> float:
    """Wrap the statements, set the heights and the y of all items, and return where they end.

    Between the rows there is room for the labels.
    """
    row_of = {item.key: item.row for row in rows for item in row}
    labels = Counter(row_of[segment.upper] for segment in segments if segment.label)
    for number, row in enumerate(rows):
        if number:
            y += BETWEEN + LABEL_HEIGHT * labels[number - 1]
        for item in row:
            _set_height(item, emphasised=item.key == root)
        # The boxes of a row are as high as its highest, and a lane passes through all of the row.
        height = max(item.height for item in row)
        for item in row:
            item.y, item.height = y, height
        y += height
    return y


def _set_height(item: Item, *, emphasised: bool) -> None:
    if item.claim is None:
        return
    room = item.width - STRIPE - 2 * PADDING
    item.statement = wrap(
        item.claim["statement"], room, STATEMENT, MOST_ROWS_OF_TEXT, bold=emphasised
    )
    if item.claim["fallen"]:
        item.fallen = wrap(_fallen(item.claim), room, TEXT, MOST_ROWS_OF_FALLEN)
    small_rows = len(_status_rows(item.claim, room)) + len(item.fallen)
    text_height = len(item.statement) * STATEMENT + small_rows * TEXT
    item.height = 2 * PADDING + text_height * LEADING


def _fallen(claim: Claim) -> str:
    """Return what a claim predicts and what is refuted or disputed, as sentences."""
    return " ".join(
        f"Predicts what is {LABELS[prediction['status']]}: «{prediction['statement']}»"
        for prediction in claim["fallen"]
    )


def _status_rows(claim: Claim, room: float) -> list[tuple[str, str]]:
    """Return status and certainty, in one row if there is room for it, else in two."""
    status = LABELS[claim["status"]]
    if not claim["certainty"]:
        return [(status, "")]
    certainty = f"certainty {LABELS[claim['certainty']]}"
    if text_width(f"{status}, {certainty}", TEXT, bold=True) <= room:
        return [(status, certainty)]
    return [(status, ""), ("", certainty)]


def _draw_box(root: Element, item: Item, claim: Claim, *, emphasised: bool) -> None:
    link = node(root, "a", href=f"/v1/claims/{quote(claim['id'], safe='')}")
    node(link, "title", f"{claim['statement']} ({_state(claim)})")
    _draw_rectangle(link, item, item.width, "card")
    _draw_rectangle(link, item, STRIPE, claim["status"] or NO_STATUS)
    _draw_rectangle(link, item, STRIPE, "frame")
    if emphasised:
        _draw_rectangle(link, item, item.width, "frame").set("stroke-width", "3")
    x, y = item.x + STRIPE + PADDING, item.y + PADDING - 2
    class_ = "bold" if emphasised else "plain"
    y = paragraph(link, item.statement, x, y, STATEMENT, class_) + 4
    for status, certainty in _status_rows(claim, item.width - STRIPE - 2 * PADDING):
        y += TEXT * LEADING
        status_text(link, status, certainty, x, y - 4)
    paragraph(link, item.fallen, x, y, TEXT, "soft")


def _draw_rectangle(parent: Element, item: Item, width: float, class_: str) -> Element:
    """Draw a rectangle at the left edge of an item, as high as the item."""
    return node(parent, "rect", x=item.x, y=item.y, width=width, height=item.height, class_=class_)


class Curve(NamedTuple):
    """The curve of a segment between two rows: it starts at the upper end and ends at the lower."""

    start: float
    end: float
    top: float
    bottom: float

    def x(self, share: float) -> float:
        """Return the x after a share of the curve: by Bernstein, with two control points an end."""
        return self.start + (self.end - self.start) * (3 * (1 - share) * share**2 + share**3)

    def y(self, share: float) -> float:
        """Return the y after a share of the curve."""
        weight = 1.5 * share * (1 - share) + share**3
        return self.top + (self.bottom - self.top) * weight


def _draw_links(
    root: Element, items: Mapping[str, Item], segments: Sequence[Segment], width: float
) -> None:
    """Draw the pieces between one row and the next, those with a label last."""
    curves = _curves(items, segments)
    labelled = [segment for segment in segments if segment.label]
    for segment in segments:
        if not segment.label:
            _draw_segment(root, items, segment, curves[segment])
    for position, segment in enumerate(labelled, 1):
        _draw_segment(root, items, segment, curves[segment])
        # At different shares of their curves, so that labels do not meet.
        share = position / (len(labelled) + 1)
        others = [curves[other].x(share) for other in segments if other != segment]
        curve = curves[segment]
        _draw_label(root, segment.label, curve.x(share), curve.y(share), others, width)


def _curves(items: Mapping[str, Item], segments: Sequence[Segment]) -> dict[Segment, Curve]:
    starts, ends = _ports(items, segments, 0), _ports(items, segments, 1)
    curves = {}
    for segment in segments:
        top, bottom = items[segment.upper].bottom, items[segment.lower].y
        curves[segment] = Curve(starts[segment], ends[segment], top, bottom)
    return curves


def _draw_segment(root: Element, items: Mapping[str, Item], segment: Segment, curve: Curve) -> None:
    upper, lower = items[segment.upper], items[segment.lower]
    start, end, low, high = curve
    # A lane is drawn with the piece that leaves it.
    top = low if upper.claim else upper.y
    tip = 8 if lower.claim and not segment.back else 0
    tail = 8 if upper.claim and segment.back else 0
    middle = (low + high) / 2
    bend = f"C{start:.2f} {middle:.2f} {end:.2f} {middle:.2f} {end:.2f} {high - tip:.2f}"
    path = f"M{start:.2f} {top + tail:.2f}V{low + tail:.2f}{bend}"
    line = node(root, "path", d=path, class_="line", stroke_width=2)
    if segment.doubtful:
        line.set("stroke-dasharray", "7 5")
    elif segment.back:
        line.set("stroke-dasharray", "2 4")
    if tip:
        node(root, "path", d=f"M{end:.2f} {high:.2f}l-5.5 -10h11z", class_="head")
    if tail:
        node(root, "path", d=f"M{start:.2f} {low:.2f}l-5.5 10h11z", class_="head")


def _draw_label(
    root: Element, text: str, x: float, y: float, others: Sequence[float], width: float
) -> None:
    """Draw the label of a link beside it, on the side with more room to the next link.

    It stays inside the picture.
    """
    needed = text_width(text, TEXT, bold=True) + 12
    room_before = min([x, *(x - other for other in others if other <= x)])
    room_after = min([width - x, *(other - x for other in others if other > x)])
    is_before = x > needed and (room_before > room_after or x + needed > width)
    node(
        root,
        "text",
        text,
        x=x - 8 if is_before else x + 8,
        y=y + 5,
        font_size=TEXT,
        text_anchor="end" if is_before else "start",
        class_="label bold",
    )


def _ports(
    items: Mapping[str, Item], segments: Sequence[Segment], end: int
) -> dict[Segment, float]:
    """Return the x where each piece meets its upper (0) or lower (1) item.

    They stand side by side, in the order of the other ends.
    """
    at_item: defaultdict[str, list[Segment]] = defaultdict(list)
    for segment in segments:
        at_item[(segment.upper, segment.lower)[end]].append(segment)
    ports: dict[Segment, float] = {}
    for key, meeting in at_item.items():
        item = items[key]
        distance = min(26.0, item.width / (len(meeting) + 1)) if item.claim else 0
        meeting.sort(key=partial(_other_end, items, end))
        for position, segment in enumerate(meeting):
            ports[segment] = item.middle + (position - (len(meeting) - 1) / 2) * distance
    return ports


def _other_end(items: Mapping[str, Item], end: int, segment: Segment) -> tuple[float, Segment]:
    """Return what orders pieces at an item: where their other ends are."""
    other = segment.lower if end == 0 else segment.upper
    return items[other].middle, segment


def _state(claim: Claim) -> str:
    certainty = f", certainty {LABELS[claim['certainty']]}" if claim["certainty"] else ""
    return f"{LABELS[claim['status']]}{certainty}"


def _description(claims: Sequence[Claim], links: Sequence[Link], truncated: bool) -> str:
    """Return the chain as sentences, in its order; a link names its effect by number."""
    numbers = {claim["id"]: number for number, claim in enumerate(claims, 1)}
    sentences = [NO_RELATIONS]
    if links:
        sentences = [f"{len(claims)} claims, from first cause to last effect."]
    for claim in claims:
        number = numbers[claim["id"]]
        sentences.append(f"Claim {number}: «{claim['statement']}» Status: {_state(claim)}.")
        if claim["fallen"]:
            sentences.append(_fallen(claim))
        for link in links:
            if link.cause == claim["id"]:
                sentences.append(_link_sentence(link, numbers[link.effect]))
    if truncated:
        sentences.append(TRUNCATED)
    return clean(" ".join(sentences))


def _link_sentence(link: Link, effect: int) -> str:
    verb = "leads back to" if link.back else "leads to"
    doubt = f" ({link.doubt})" if link.doubt else ""
    cycle = ", closing a cycle" if link.back else ""
    return f"It {verb} claim {effect}{doubt}{cycle}."
