"""The causal chain to a claim: one box a claim, from first cause to last effect, with the status of each."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.etree.ElementTree import Element

from api.pictures.svg import (
    HEADING,
    LABELS,
    LEADING,
    MARGIN,
    NO_STATUS,
    TEXT,
    WIDTH,
    breadth,
    clean,
    finish,
    node,
    paragraph,
    picture,
    word,
    wrap,
)

STATEMENT, MOST_LINES = 15, 8
# More than a reader can follow; the nearest to the claim are drawn.
MOST_CLAIMS = 60
STRIPE, PADDING = 18.0, 10.0
A_ROW, WIDEST, NARROWEST = 3, 440.0, 190.0
SPACE, LANE, BETWEEN, LABEL_HEIGHT = 18.0, 16.0, 46.0, 30.0
SWEEPS = 6
# What the evidence on a link must amount to for the link to be drawn as doubtful.
DOUBTFUL = ("contested", "disputed", "refuted")
BACK = "closes a cycle"
NO_RELATIONS = "No causal relations are recorded."
TRUNCATED = "The chain goes on beyond what is drawn here."


class Link(NamedTuple):
    """A leads_to between two claims; `word` says what is wrong with it, `back` that it closes a cycle."""

    cause: str
    effect: str
    word: str
    back: bool


@dataclass
class Item:
    """What takes room in a row: a claim's box, or the lane of a link that passes through the row."""

    key: str
    row: int
    claim: dict[str, Any] | None
    lines: list[str] = field(default_factory=list)
    x: float = 0
    y: float = 0
    width: float = LANE
    height: float = 0


class Segment(NamedTuple):
    """A piece of a link from an item to one in the next row; `word` only where the link's label stands."""

    upper: str
    lower: str
    doubt: bool
    back: bool
    word: str


def chain_svg(root: str, walk: dict[str, Any]) -> bytes:
    """Draw the causal relations (leads_to) of a walk from a claim; `walk` is the answer of `models.queries.walk`.

    A link that closes a cycle is drawn upwards and says so; one that evidence speaks against is dashed and says so.
    Of more than 60 claims the nearest are drawn, and the picture says that the chain goes on.
    """
    ties = {
        (tie["claim"], tie["target"]): tie.get("status")
        for tie in walk["relations"]
        if tie["type"] == "leads_to"
    }
    known = {claim["id"]: claim for claim in walk["claims"]}
    claims = {
        end: known.get(end, {"id": end, "statement": end, "status": None, "certainty": None})
        for end in {root, *(end for tie in ties for end in tie)}
    }
    nearest = sorted(claims, key=lambda key: (key != root, _distance(claims, key), key))[
        :MOST_CLAIMS
    ]
    truncated = walk["truncated"] or len(nearest) < len(claims)
    claims = {key: claims[key] for key in nearest}
    ties = {tie: status for tie, status in ties.items() if set(tie) <= set(nearest)}
    links = _links(root, claims, ties)
    rows = _rows(root, claims, links)
    items, segments = _grid(claims, links, rows)
    _order(items, segments)
    width = _widths(items)
    ordered = [claims[key] for row in sorted(set(rows.values())) for key in _in_row(items, row)]

    statement = claims[root]["statement"]
    picture_ = picture("chain", f"Causal chain: {statement}", _told(ordered, links, truncated))
    y = paragraph(
        picture_,
        wrap(f"Causal chain: {statement}", width - 2 * MARGIN, HEADING, 4, bold=True),
        MARGIN,
        10,
        HEADING,
        "bold",
    )
    caption = "From first cause to last effect. With each claim: its status and certainty, derived by rule from the evidence."
    y = (
        paragraph(picture_, wrap(caption, width - 2 * MARGIN, TEXT, 3), MARGIN, y + 2, TEXT, "soft")
        + 16
    )
    y = _heights(root, items, segments, y)
    for row in sorted(set(rows.values())):
        _draw_links(
            picture_,
            items,
            [segment for segment in segments if items[segment.upper].row == row],
            width,
        )
    for claim in ordered:
        _draw_box(picture_, items[claim["id"]], emphasised=claim["id"] == root)
    notes = [text for text, told in ((NO_RELATIONS, not ties), (TRUNCATED, truncated)) if told]
    for note in notes:
        y = paragraph(
            picture_, wrap(note, width - 2 * MARGIN, TEXT, 2), MARGIN, y + 8, TEXT, "soft"
        )
    return finish(picture_, width, y + 16)


def _links(
    root: str, claims: dict[str, dict[str, Any]], ties: dict[tuple[str, str], str | None]
) -> list[Link]:
    """Return the links with those marked whose turning round leaves no cycle."""
    back: set[tuple[str, str]] = set()
    while True:
        causes: dict[str, list[str]] = {key: [] for key in sorted(claims)}
        for cause, effect in sorted(set(ties) - back):
            causes[effect].append(cause)
        try:
            TopologicalSorter(causes).prepare()
        except CycleError as error:
            cycle = list(pairwise(error.args[1]))
            # Breaking what leaves the root, or leads away from it, keeps the root the last effect.
            back.add(
                max(
                    cycle,
                    key=lambda tie: (
                        tie[0] == root,
                        _distance(claims, tie[1]) - _distance(claims, tie[0]),
                        tie,
                    ),
                )
            )
            continue
        break
    return [
        Link(*tie, f"link {LABELS[ties[tie]]}" if ties[tie] in DOUBTFUL else "", tie in back)
        for tie in sorted(ties)
    ]


def _distance(claims: dict[str, dict[str, Any]], key: str) -> int:
    return int(claims[key].get("distance", 0))


def _rows(root: str, claims: dict[str, dict[str, Any]], links: Iterable[Link]) -> dict[str, int]:
    """Give each claim of the chain a row by its longest way to a last effect; a crowded row becomes several."""
    effects: dict[str, list[str]] = {root: []}
    for link in links:
        effects.setdefault(link.cause, [])
        effects.setdefault(link.effect, [])
        if not link.back:
            effects[link.cause].append(link.effect)
    layers: dict[str, int] = {}
    for key in TopologicalSorter(effects).static_order():
        layers[key] = max((layers[effect] + 1 for effect in effects[key]), default=0)
    rows: dict[str, int] = {}
    row = -1
    for layer in sorted(set(layers.values()), reverse=True):
        same = sorted(
            (key for key in layers if layers[key] == layer),
            key=lambda key: (-_distance(claims, key), key),
        )
        for place, key in enumerate(same):
            row += place % A_ROW == 0
            rows[key] = row
    return rows


def _grid(
    claims: dict[str, dict[str, Any]], links: Sequence[Link], rows: dict[str, int]
) -> tuple[dict[str, Item], list[Segment]]:
    """Return boxes and lanes by key, and the pieces of the links; plain links to or from one claim share a lane."""
    items = {key: Item(key, row, claims[key]) for key, row in sorted(rows.items())}
    into, out_of = Counter(link.effect for link in links), Counter(link.cause for link in links)
    segments: dict[tuple[str, str, bool, bool], Segment] = {}
    for link in links:
        upper, lower = (link.effect, link.cause) if link.back else (link.cause, link.effect)
        shared = (
            f"> {link.effect}" if into[link.effect] >= out_of[link.cause] else f"{link.cause} >"
        )
        lane = f"{link.cause} > {link.effect}" if link.back or link.word else shared
        path = [upper]
        for row in range(rows[upper] + 1, rows[lower]):
            key = f"{lane} {row}"
            items.setdefault(key, Item(key, row, None))
            path.append(key)
        pieces = list(pairwise([*path, lower]))
        labelled = pieces[0 if link.back else -1]
        for piece in pieces:
            word = (
                "; ".join(filter(None, (BACK if link.back else "", link.word)))
                if piece == labelled
                else ""
            )
            segments.setdefault(
                (*piece, bool(link.word), link.back),
                Segment(*piece, bool(link.word), link.back, word),
            )
    return items, list(segments.values())


def _order(items: dict[str, Item], segments: Sequence[Segment]) -> None:
    """Give the items of each row their order (in x), near the middle of what they are tied to: so few links cross."""
    above, below = defaultdict(list), defaultdict(list)
    for segment in segments:
        above[segment.lower].append(segment.upper)
        below[segment.upper].append(segment.lower)
    last = max(item.row for item in items.values())
    members = {row: [item for item in items.values() if item.row == row] for row in range(last + 1)}
    for together in members.values():
        _spread(together)
    for sweep in range(SWEEPS):
        ties = below if sweep % 2 else above
        for row in sorted(members, reverse=bool(sweep % 2)):
            middles = {
                item.key: _mean([items[key].x for key in ties[item.key]], item.x)
                for item in members[row]
            }
            members[row].sort(key=lambda item: middles[item.key])
            _spread(members[row])


def _spread(row: Sequence[Item]) -> None:
    for place, item in enumerate(row):
        item.x = (place + 0.5) / len(row)


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _in_row(items: dict[str, Item], row: int) -> list[str]:
    boxes = [item for item in items.values() if item.row == row and item.claim]
    return [item.key for item in sorted(boxes, key=lambda item: item.x)]


def _widths(items: dict[str, Item]) -> float:
    """Turn the order of each row into places, and return the width of the picture."""
    rows: defaultdict[int, list[Item]] = defaultdict(list)
    for item in sorted(items.values(), key=lambda item: item.x):
        rows[item.row].append(item)
    needed = WIDTH
    for row in rows.values():
        boxes = [item for item in row if item.claim]
        rest = LANE * (len(row) - len(boxes)) + SPACE * (len(row) - 1)
        for item in boxes:
            item.width = min(WIDEST, max(NARROWEST, (WIDTH - 2 * MARGIN - rest) / len(boxes)))
        needed = max(needed, 2 * MARGIN + rest + sum(item.width for item in boxes))
    for row in rows.values():
        x = (needed - sum(item.width for item in row) - SPACE * (len(row) - 1)) / 2
        for item in row:
            item.x = x
            x += item.width + SPACE
    return needed


def _heights(root: str, items: dict[str, Item], segments: Sequence[Segment], y: float) -> float:
    """Wrap the statements, place the rows with room for the labels between them, and return where they end."""
    last = max(item.row for item in items.values())
    for row in range(last + 1):
        members = [item for item in items.values() if item.row == row]
        for item in members:
            if item.claim:
                room = item.width - STRIPE - 2 * PADDING
                bold = item.key == root
                item.lines = wrap(item.claim["statement"], room, STATEMENT, MOST_LINES, bold=bold)
                told = len(item.lines) * STATEMENT + len(_status_lines(item)) * TEXT
                item.height = 2 * PADDING + told * LEADING
        # The boxes of a row are as high as its highest; a lane passes through the whole row.
        tallest = max(item.height for item in members)
        for item in members:
            item.y, item.height = y, tallest
        y += tallest
        if row < last:
            labels = sum(
                bool(segment.word) for segment in segments if items[segment.upper].row == row
            )
            y += BETWEEN + LABEL_HEIGHT * labels
    return y


def _status_lines(item: Item) -> list[tuple[str, str]]:
    """Return status and certainty, beside each other where the box has room, else below each other."""
    assert item.claim is not None
    status = LABELS[item.claim["status"]]
    certainty = f"certainty {LABELS[item.claim['certainty']]}" if item.claim["certainty"] else ""
    if (
        breadth(f"{status}, {certainty}", TEXT, bold=True) <= item.width - STRIPE - 2 * PADDING
        or not certainty
    ):
        return [(status, certainty)]
    return [(status, ""), ("", certainty)]


def _draw_box(root: Element, item: Item, *, emphasised: bool) -> None:
    claim = item.claim
    assert claim is not None
    link = node(root, "a", href=f"/v1/claims/{quote(claim['id'], safe='')}")
    node(link, "title", f"{claim['statement']} ({_state(claim)})")
    status = claim["status"] or NO_STATUS
    node(link, "rect", x=item.x, y=item.y, width=item.width, height=item.height, class_="card")
    node(link, "rect", x=item.x, y=item.y, width=STRIPE, height=item.height, class_=status)
    node(link, "rect", x=item.x, y=item.y, width=STRIPE, height=item.height, class_="frame")
    if emphasised:
        node(
            link,
            "rect",
            x=item.x,
            y=item.y,
            width=item.width,
            height=item.height,
            class_="frame",
            stroke_width=3,
        )
    x = item.x + STRIPE + PADDING
    y = (
        paragraph(
            link, item.lines, x, item.y + PADDING - 2, STATEMENT, "bold" if emphasised else "plain"
        )
        + 4
    )
    for told, rest in _status_lines(item):
        y += TEXT * LEADING
        word(link, told, rest, x, y - 4)


def _draw_links(
    root: Element, items: dict[str, Item], segments: Sequence[Segment], width: float
) -> None:
    """Draw the pieces between one row and the next, those with a label last."""
    if not segments:
        return
    starts = _ports(items, segments, 0)
    ends = _ports(items, segments, 1)
    labelled = [segment for segment in segments if segment.word]
    for segment in sorted(segments, key=lambda segment: bool(segment.word)):
        upper, lower = items[segment.upper], items[segment.lower]
        start, end = starts[segment], ends[segment]
        # A lane is drawn with the piece that leaves it.
        top, low, high = (
            (upper.y + upper.height) if upper.claim else upper.y,
            upper.y + upper.height,
            lower.y,
        )
        tip = 8 if lower.claim and not segment.back else 0
        tail = 8 if upper.claim and segment.back else 0
        middle = (low + high) / 2
        curve = f"C{start:.2f} {middle:.2f} {end:.2f} {middle:.2f} {end:.2f} {high - tip:.2f}"
        path = f"M{start:.2f} {top + tail:.2f}V{low + tail:.2f}{curve}"
        dash = (
            {"stroke_dasharray": "7 5"}
            if segment.doubt
            else {"stroke_dasharray": "2 4"}
            if segment.back
            else {}
        )
        node(root, "path", d=path, class_="line", stroke_width=2, **dash)
        if tip:
            node(root, "path", d=f"M{end:.2f} {high:.2f}l-5.5 -10h11z", class_="head")
        if tail:
            node(root, "path", d=f"M{start:.2f} {low:.2f}l-5.5 10h11z", class_="head")
        if segment.word:
            share = (labelled.index(segment) + 1) / (len(labelled) + 1)
            others = [
                _along(starts[other], ends[other], share) for other in segments if other != segment
            ]
            x, y = (
                _along(start, end, share),
                low + (high - low) * (1.5 * share * (1 - share) + share**3),
            )
            _label(root, segment.word, x, y, others, width)


def _along(start: float, end: float, share: float) -> float:
    """Return how far across a link is at this share of its curve (Bernstein's weights, two control points an end)."""
    return start + (end - start) * (3 * (1 - share) * share**2 + share**3)


def _label(
    root: Element, text: str, x: float, y: float, others: Sequence[float], width: float
) -> None:
    """Write a link's word beside it: inside the picture, and on the side where the next link is farther away."""
    needed = breadth(text, TEXT, bold=True) + 12
    left = min([x, *(x - other for other in others if other <= x)])
    right = min([width - x, *(other - x for other in others if other > x)])
    before = x > needed and (left > right or x + needed > width)
    place, anchor = (x - 8, "end") if before else (x + 8, "start")
    node(
        root,
        "text",
        text,
        x=place,
        y=y + 5,
        font_size=TEXT,
        text_anchor=anchor,
        class_="label bold",
    )


def _ports(items: dict[str, Item], segments: Sequence[Segment], end: int) -> dict[Segment, float]:
    """Return where each piece meets its upper (0) or lower (1) item: side by side, in the order of the other ends."""
    meeting: defaultdict[str, list[Segment]] = defaultdict(list)
    for segment in segments:
        meeting[(segment.upper, segment.lower)[end]].append(segment)
    places: dict[Segment, float] = {}
    for key, found in meeting.items():
        item = items[key]
        middle = _middle(item)
        apart = min(26.0, item.width / (len(found) + 1)) if item.claim else 0
        found.sort(
            key=lambda segment: (_middle(items[(segment.lower, segment.upper)[end]]), segment)
        )
        for place, segment in enumerate(found):
            places[segment] = middle + (place - (len(found) - 1) / 2) * apart
    return places


def _middle(item: Item) -> float:
    return item.x + item.width / 2


def _state(claim: dict[str, Any]) -> str:
    certainty = f", certainty {LABELS[claim['certainty']]}" if claim["certainty"] else ""
    return f"{LABELS[claim['status']]}{certainty}"


def _told(claims: Sequence[dict[str, Any]], links: Sequence[Link], truncated: bool) -> str:
    """Tell the chain in sentences, in its order; a link names its effect by number."""
    numbers = {claim["id"]: number for number, claim in enumerate(claims, 1)}
    told = [f"{len(claims)} claims, from first cause to last effect." if links else NO_RELATIONS]
    for claim in claims:
        told.append(
            f"Claim {numbers[claim['id']]}: «{claim['statement']}» Status: {_state(claim)}."
        )
        for link in links:
            if link.cause == claim["id"]:
                verb = "leads back to" if link.back else "leads to"
                doubt = f" ({link.word})" if link.word else ""
                cycle = ", closing a cycle" if link.back else ""
                told.append(f"It {verb} claim {numbers[link.effect]}{doubt}{cycle}.")
    return clean(" ".join([*told, TRUNCATED] if truncated else told))
