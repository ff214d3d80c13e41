"""A claim's status over the years as bands, with the evidence that counts as marks above and below them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from typing import NamedTuple
from xml.etree.ElementTree import Element

from api.pictures.svg import (
    HEADING,
    LABELS,
    LEADING,
    MARGIN,
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
from models.core import vocabularies as v
from models.status.explanation import ExplainedLine, Timeline, TimelinePeriod

GUTTER, RIGHT = 112.0, WIDTH - 24
BAND, NARROWEST, SMALL, ROW = 46.0, 4.0, 13, 22.0
# Parts of an explanation that are drawn; the others were left out.
DRAWN = ("decisive", "counted", "same_group", "takes_no_side")
SIZES = {"1": 22.0, "2": 19.0, "3": 16.0, "4": 13.0, "5": 10.5, "not_gradable": 8.0}
# Outlines in a square of side 1 around the origin; a circle has none.
SHAPES = {
    "supports": ((0.0, -0.5), (0.5, 0.5), (-0.5, 0.5)),
    "disputes": ((-0.5, -0.5), (0.5, -0.5), (0.0, 0.5)),
}
# A crowded picture is drawn with smaller marks, until a stack is at most this high or the marks are half as large.
SCALES, HIGHEST = (1.0, 0.8, 0.65, 0.5), 330.0
GAP = 2.0
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class Axis(NamedTuple):
    """Time from the first of January of a year to a last day, as ordinals, over the width of the plot."""

    first: int
    last: int

    def x(self, day: str) -> float:
        share = (date.fromisoformat(day).toordinal() - self.first) / (self.last - self.first)
        return GUTTER + share * (RIGHT - GUTTER)


@dataclass(frozen=True)
class Mark:
    """A line of evidence in its place; `away` is how far from the band the near edge lies."""

    line: ExplainedLine
    x: float
    away: float
    size: float


class Band(NamedTuple):
    """A period between two places of the plot."""

    period: TimelinePeriod
    start: float
    end: float


@dataclass(frozen=True)
class Flag:
    """A label beside a pole, for a band too narrow for its words; row 0 is next to the marks.

    `start` and `end` are those of the words, which stand after the pole (at `x`), or before it at the right edge.
    """

    period: TimelinePeriod
    x: float
    start: float
    end: float
    row: int


def timeline_svg(timeline: Timeline, lines: Sequence[ExplainedLine], until: str) -> bytes:
    """Draw the periods of a claim's status from its first year to a day (YYYY-MM-DD), and the evidence.

    Args: `lines` are those of an explanation; what it left out is not drawn. A day after `until` that a period or a
    drawn line names lengthens the axis: nothing is cut.
    """
    drawn = sorted(
        (line for line in lines if line.part in DRAWN),
        key=lambda line: (line.published, v.EVIDENCE_LEVELS.rank(line.level), line.id),
    )
    axis = _axis(timeline, drawn, until)
    lanes = _lanes(axis, drawn)
    bands = _bands(axis, timeline.periods)
    flags = _flags([band for band in bands if not _fits(band)], lanes["supports"])
    heights = {
        direction: max((mark.away + mark.size for mark in marks), default=18.0)
        for direction, marks in lanes.items()
    }

    root = picture(
        "timeline", f"Status over time: {timeline.statement}", _told(timeline, drawn, until)
    )
    width = max([WIDTH, *(flag.end + MARGIN for flag in flags)])
    y = paragraph(
        root,
        wrap(timeline.statement, WIDTH - 2 * MARGIN, HEADING, 4, bold=True),
        MARGIN,
        10,
        HEADING,
        "bold",
    )
    caption = f"Status derived from what had been published by each day, to {until}"
    top = (
        paragraph(root, wrap(caption, WIDTH - 2 * MARGIN, TEXT, 3), MARGIN, y + 2, TEXT, "soft")
        + 12
    )
    top += ROW * (1 + max((flag.row for flag in flags), default=-1)) + 4
    middle = top + heights["supports"] + 8
    edges = list(
        accumulate((heights["disputes"] + 16, heights["inconclusive"] + 10), initial=middle + BAND)
    )

    _grid(root, axis, top, edges[2])
    for flag in flags:
        _flag(root, flag, top, middle)
    for band in bands:
        _band(root, band, middle)
    node(root, "path", d=f"M{GUTTER} {edges[1]:.2f}H{RIGHT}", class_="rule", stroke_dasharray="2 4")
    bases = {
        "supports": (middle - 6, -1),
        "disputes": (edges[0] + 6, 1),
        "inconclusive": (edges[1] + 5, 1),
    }
    for direction, (base, way) in bases.items():
        node(
            root,
            "text",
            LABELS[direction],
            x=MARGIN,
            y=base + 5 + way * 8,
            font_size=TEXT,
            class_="soft",
        )
        for mark in lanes[direction]:
            _mark(
                root,
                direction,
                mark.x,
                base + way * (mark.away + mark.size / 2),
                mark.size,
                _sentence(mark.line),
            )
    node(root, "text", "status", x=MARGIN, y=middle + BAND / 2 + 5, font_size=TEXT, class_="soft")
    scale = min(
        (mark.size / SIZES[mark.line.level] for marks in lanes.values() for mark in marks),
        default=1.0,
    )
    return finish(root, width, _legend(root, edges[2] + 34, scale) + 12)


def _axis(timeline: Timeline, drawn: Iterable[ExplainedLine], until: str) -> Axis:
    days = [
        until,
        *(period.starts for period in timeline.periods),
        *(line.published for line in drawn),
    ]
    days += [period.ends for period in timeline.periods if period.ends]
    first = date(date.fromisoformat(min(days)).year, 1, 1).toordinal()
    return Axis(first, max(date.fromisoformat(max(days)).toordinal(), first + 60))


def _lanes(axis: Axis, drawn: Sequence[ExplainedLine]) -> dict[str, list[Mark]]:
    for scale in SCALES:
        lanes = {
            direction: _stacked(
                axis, [line for line in drawn if line.direction == direction], scale
            )
            for direction in v.DIRECTIONS.ids
        }
        if all(mark.away + mark.size <= HIGHEST for marks in lanes.values() for mark in marks):
            break
    return lanes


def _stacked(axis: Axis, lines: Iterable[ExplainedLine], scale: float) -> list[Mark]:
    """Place each line at its day, as near to the band as those before it leave room."""
    placed: list[Mark] = []
    for line in lines:
        x, size, away = axis.x(line.published), SIZES[line.level] * scale, 0.0
        near = sorted(
            (mark for mark in placed if abs(mark.x - x) < (mark.size + size) / 2 + GAP),
            key=lambda m: m.away,
        )
        for mark in near:
            if mark.away < away + size + GAP and away < mark.away + mark.size + GAP:
                away = mark.away + mark.size + GAP
        placed.append(Mark(line, x, away, size))
    return placed


def _words(period: TimelinePeriod) -> tuple[str, str]:
    return LABELS[period.status], LABELS[period.certainty] if period.certainty else ""


def _bands(axis: Axis, periods: Iterable[TimelinePeriod]) -> list[Band]:
    bands: list[Band] = []
    for period in sorted(periods, key=lambda period: period.starts):
        start = max(axis.x(period.starts), bands[-1].end if bands else 0)
        # A period of a day would vanish; it pushes the next one.
        bands.append(
            Band(
                period, start, max(axis.x(period.ends) if period.ends else RIGHT, start + NARROWEST)
            )
        )
    return bands


def _room(period: TimelinePeriod) -> float:
    status, certainty = _words(period)
    return max(breadth(status, TEXT, bold=True), breadth(certainty, SMALL)) + 8


def _fits(band: Band) -> bool:
    return band.end - band.start >= _room(band.period) + 4


def _flags(bands: Iterable[Band], marks: Sequence[Mark]) -> list[Flag]:
    """Raise a flag over each band so that no pole crosses a label: after their poles the later the lower."""
    flags: list[Flag] = []
    for band in reversed(list(bands)):
        x = _pole(band.start, band.end, marks)
        end = x + 6 + breadth(", ".join(filter(None, _words(band.period))), TEXT, bold=True)
        row = max((flag.row + 1 for flag in flags if flag.x < end + 6), default=0)
        flags.append(Flag(band.period, x, x + 6, end, row))
    flags.reverse()
    outside = [flag for flag in flags if flag.end > WIDTH - 4]
    inside = [flag for flag in flags if flag not in outside]
    if not outside or any(flag.end > outside[0].x - 6 for flag in inside):
        return flags
    # Before their poles the later the higher, and above whatever stands there.
    for flag in outside:
        start = flag.x - 6 - (flag.end - flag.start)
        row = max((other.row + 1 for other in inside if other.end > start - 6), default=0)
        inside.append(Flag(flag.period, flag.x, start, flag.x - 6, row))
    return inside


def _pole(start: float, end: float, marks: Sequence[Mark]) -> float:
    """Return a place over the band for a pole, near its middle, where it meets no mark if there is such a place."""
    middle = (start + end) / 2
    places = sorted(
        (start + (end - start) * step / 20 for step in range(1, 20)), key=lambda x: abs(x - middle)
    )
    free = (x for x in places if all(abs(mark.x - x) > mark.size / 2 + 1.5 for mark in marks))
    return next(free, middle)


def _flag(root: Element, flag: Flag, top: float, band: float) -> None:
    y = top - 4 - ROW * flag.row
    node(root, "path", d=f"M{flag.x:.2f} {band:.2f}V{y - ROW + 5:.2f}", class_="line")
    before = flag.start < flag.x
    word(
        root,
        *_words(flag.period),
        flag.end if before else flag.start,
        y - 5,
        anchor="end" if before else "start",
    )


def _band(root: Element, band: Band, y: float) -> None:
    period, start, end = band
    group = node(root, "g", class_="band")
    node(group, "title", _period_sentence(period))
    node(group, "rect", x=start, y=y, width=end - start, height=BAND, class_=period.status)
    node(group, "rect", x=start, y=y, width=end - start, height=BAND, class_="frame")
    if not _fits(band):
        return
    status, certainty = _words(period)
    middle, room = (start + end) / 2, _room(period)
    lines = (
        [(status, TEXT, "bold"), (certainty, SMALL, "")] if certainty else [(status, TEXT, "bold")]
    )
    tall = sum(size for _, size, _ in lines) * LEADING
    # The words stand on the plain fill: letters on a pattern are hard to read.
    node(
        group, "rect", x=middle - room / 2, y=y + (BAND - tall) / 2, width=room, height=tall, rx=3,
        class_=f"fill-{period.status}",
    )  # fmt: skip
    below = y + (BAND - tall) / 2
    for text, size, weight in lines:
        below += size * LEADING
        class_ = f"on-{period.status} {weight}".strip()
        node(
            group,
            "text",
            text,
            x=middle,
            y=below - size * 0.34,
            font_size=size,
            text_anchor="middle",
            class_=class_,
        )


def _mark(
    root: Element, direction: str, x: float, y: float, size: float, title: str | None
) -> None:
    group = node(root, "g", class_="mark")
    if title:
        node(group, "title", title)
    if direction in SHAPES:
        corners = "L".join(
            f"{x + size * dx:.2f} {y + size * dy:.2f}" for dx, dy in SHAPES[direction]
        )
        node(group, "path", d=f"M{corners}Z", class_=direction)
    else:
        node(group, "circle", cx=x, cy=y, r=size / 2 - 0.75, class_=direction)


def _grid(root: Element, axis: Axis, top: float, bottom: float) -> None:
    first, last = (date.fromordinal(day).year for day in axis)
    pace = (RIGHT - GUTTER) / max(last - first, 1)
    step = next((step for step in STEPS if step * pace >= 54), STEPS[-1])
    for year in range(first, last + 1):
        if year % step and last - first >= step:
            continue
        x = axis.x(f"{year:04d}-01-01")
        node(root, "path", d=f"M{x:.2f} {top:.2f}V{bottom + 5:.2f}", class_="rule")
        node(
            root,
            "text",
            str(year),
            x=x,
            y=bottom + 20,
            font_size=TEXT,
            text_anchor="middle",
            class_="soft",
        )
    node(root, "path", d=f"M{GUTTER} {bottom:.2f}H{RIGHT}", class_="line")


def _legend(root: Element, y: float, scale: float) -> float:
    """Draw the key to shapes, sizes and statuses, and return where it ends."""
    node(root, "path", d=f"M{MARGIN} {y:.2f}H{RIGHT}", class_="rule")
    y += 6
    rows: list[tuple[str, list[tuple[str, str, float]]]] = [
        ("Evidence", [(term.label, term.id, SIZES["2"] * scale) for term in v.DIRECTIONS.terms]),
        (
            "Its level",
            [
                (term.id.replace("_", " "), "head", SIZES[term.id] * scale)
                for term in v.EVIDENCE_LEVELS.terms
            ],
        ),
        ("Status", [(term.label, term.id, 26) for term in v.STATUSES.terms]),
    ]
    for heading, items in rows:
        x = GUTTER
        y += 24
        node(root, "text", heading, x=MARGIN, y=y, font_size=TEXT, class_="bold")
        for label, sign, size in items:
            end = x + size + 6 + breadth(label, TEXT)
            if end > RIGHT + 8:
                x, y = GUTTER, y + 24
                end = x + size + 6 + breadth(label, TEXT)
            if sign in v.STATUSES.ids:
                node(root, "rect", x=x, y=y - 12, width=size, height=15, class_=sign)
                node(root, "rect", x=x, y=y - 12, width=size, height=15, class_="frame")
            else:
                _mark(root, sign, x + size / 2, y - 5, size, None)
            node(root, "text", label, x=x + size + 6, y=y, font_size=TEXT)
            x = end + 12
    note = "Levels: Oxford CEBM 2011, 1 is best. With each status: its certainty in GRADE's words, derived by rule."
    return paragraph(root, wrap(note, WIDTH - 2 * MARGIN, TEXT, 3), MARGIN, y + 10, TEXT, "soft")


def _sentence(line: ExplainedLine) -> str:
    return clean(
        f"{line.citation}: {LABELS[line.direction]}, {LABELS[line.level]}, {line.published}"
    )


def _period_sentence(period: TimelinePeriod) -> str:
    span = f"From {period.starts} until {period.ends}" if period.ends else f"Since {period.starts}"
    status, certainty = _words(period)
    return f"{span}: {status}" + (f", certainty {certainty}" if certainty else "")


def _told(timeline: Timeline, drawn: Sequence[ExplainedLine], until: str) -> str:
    """Tell the whole picture in sentences."""
    told = [f"How the status of the claim «{timeline.statement}» ran, to {until}."]
    for period in timeline.periods:
        begun = ", ".join(dict.fromkeys(line.citation for line in period.new))
        told.append(_period_sentence(period) + (f"; begun by {begun}." if begun else "."))
    told.append(
        f"Evidence: {'; '.join(map(_sentence, drawn))}." if drawn else "No evidence is drawn."
    )
    return clean(" ".join(told))
