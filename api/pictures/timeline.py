"""A claim's status over the years as bands, with the evidence that counts as marks around them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from xml.etree.ElementTree import Element

from api.pictures.svg import (
    LABELS,
    LEADING,
    MARGIN,
    TEXT,
    WIDTH,
    clean,
    heading,
    node,
    status_text,
    styled_picture,
    text_width,
    to_bytes,
    wrapped_paragraph,
)
from models.core import vocabularies as v
from models.core.notice import NOTICE, SHORT_NOTICE
from models.status.explanation import ExplainedLine, Timeline, TimelinePeriod

GUTTER, RIGHT = 112.0, WIDTH - 24
BAND, NARROWEST, SMALL, ROW = 46.0, 4.0, 13, 22.0
# The parts of an explanation that are drawn; the other lines do not count.
DRAWN = ("decisive", "counted", "same_group", "other_side", "takes_no_side")
SIZES = {"1": 22.0, "2": 19.0, "3": 16.0, "4": 13.0, "5": 10.5, "not_gradable": 8.0}
# Outlines in a square of side 1 around the origin; a circle needs none.
SHAPES = {
    "supports": ((0.0, -0.5), (0.5, 0.5), (-0.5, 0.5)),
    "disputes": ((-0.5, -0.5), (0.5, -0.5), (0.0, 0.5)),
}
# A crowded picture has smaller marks, until stacks are low enough or the marks half as large.
SCALES, HIGHEST = (1.0, 0.8, 0.65, 0.5), 330.0
GAP = 2.0
STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


# The room for a heading or a note.
TEXT_ROOM = WIDTH - 2 * MARGIN


class Axis(NamedTuple):
    """Time over the width of the plot, from January 1 of a year to a last day, as ordinals."""

    first: int
    last: int

    def x(self, day: str) -> float:
        """Return where a day (YYYY-MM-DD) lies."""
        share = (date.fromisoformat(day).toordinal() - self.first) / (self.last - self.first)
        return GUTTER + share * (RIGHT - GUTTER)


@dataclass(frozen=True)
class Mark:
    """A line of evidence; `away` is the distance of its near edge from the band."""

    line: ExplainedLine
    x: float
    away: float
    size: float


class Band(NamedTuple):
    """A period from one x to another."""

    period: TimelinePeriod
    start: float
    end: float


@dataclass(frozen=True)
class Flag:
    """A label beside a pole, for a band too narrow for its words; row 0 is next to the marks.

    `start` and `end` are those of the words. They stand after the pole, which is at `x`, or before
    it at the right edge.
    """

    period: TimelinePeriod
    x: float
    start: float
    end: float
    row: int


class Rows(NamedTuple):
    """Where the rows of the plot lie: the y of the top of each, and of the end of the last."""

    supports: float
    band: float
    disputes: float
    inconclusive: float
    end: float


Lanes = dict[str, list[Mark]]


def timeline_svg(
    timeline: Timeline,
    lines: Sequence[ExplainedLine],
    until: str,
    theme: str = "auto",
    shown_width: float | None = None,
) -> bytes:
    """Draw the periods of a claim's status from its first year to a day (YYYY-MM-DD), and the
    evidence.

    `lines` are those of an explanation; lines that do not count are not drawn. A day after `until`
    in a period or a drawn line lengthens the axis: nothing is cut. `theme` is one of `svg.THEMES`;
    with a width the picture is shown in it, whatever room there is.
    """
    drawn = sorted((line for line in lines if line.part in DRAWN), key=_drawing_order)
    axis = _axis(timeline, drawn, until)
    lanes = _lanes(axis, drawn)
    bands = _bands(axis, timeline.periods)
    flags = _flags([band for band in bands if not _fits(band)], lanes["supports"])

    title = f"Status over time: {timeline.statement}"
    root = styled_picture("timeline", title, _description(timeline, drawn, until), theme)
    rows = _rows(_draw_heading(root, timeline, until), flags, lanes)
    _draw_grid(root, axis, rows)
    for flag in flags:
        _draw_flag(root, flag, rows)
    for band in bands:
        _draw_band(root, band, rows.band)
    path = f"M{GUTTER} {rows.inconclusive:.2f}H{RIGHT}"
    node(root, "path", d=path, class_="rule", stroke_dasharray="2 4")
    # The marks grow away from the band.
    _draw_lane(root, "supports", lanes, rows.band - 6, -1)
    _draw_lane(root, "disputes", lanes, rows.disputes + 6, 1)
    _draw_lane(root, "inconclusive", lanes, rows.inconclusive + 5, 1)
    _draw_row_label(root, "status", rows.band + BAND / 2 + 5)
    height = _draw_legend(root, rows.end + 34, _scale(lanes)) + 12
    width = max([WIDTH, *(flag.end + MARGIN for flag in flags)])
    return to_bytes(root, width, height, shown_width)


def _drawing_order(line: ExplainedLine) -> tuple[str, int, str]:
    return line.published, v.EVIDENCE_LEVELS.rank(line.level), line.id


def _axis(timeline: Timeline, drawn: Iterable[ExplainedLine], until: str) -> Axis:
    days = [until]
    days += [period.starts for period in timeline.periods]
    days += [period.ends for period in timeline.periods if period.ends]
    days += [line.published for line in drawn]
    first = date(date.fromisoformat(min(days)).year, 1, 1).toordinal()
    last = date.fromisoformat(max(days)).toordinal()
    return Axis(first, max(last, first + 60))


def _lanes(axis: Axis, drawn: Sequence[ExplainedLine]) -> Lanes:
    """Return the marks of each direction, as large as the picture has room for."""
    by_direction: dict[str, list[ExplainedLine]] = {name: [] for name in v.DIRECTIONS.ids}
    for line in drawn:
        by_direction[line.direction].append(line)
    for scale in SCALES:
        lanes = {name: _stack(axis, lines, scale) for name, lines in by_direction.items()}
        if max(_height(marks) for marks in lanes.values()) <= HIGHEST:
            break
    return lanes


def _height(marks: Iterable[Mark], without_marks: float = 0.0) -> float:
    return max((mark.away + mark.size for mark in marks), default=without_marks)


def _scale(lanes: Lanes) -> float:
    """Return the scale at which the marks are drawn."""
    scales = (mark.size / SIZES[mark.line.level] for marks in lanes.values() for mark in marks)
    return min(scales, default=1.0)


def _stack(axis: Axis, lines: Iterable[ExplainedLine], scale: float) -> list[Mark]:
    """Return a mark for each line at its day, as near to the band as the earlier ones allow."""
    marks: list[Mark] = []
    for line in lines:
        x = axis.x(line.published)
        size = SIZES[line.level] * scale
        near = [mark for mark in marks if abs(mark.x - x) < (mark.size + size) / 2 + GAP]
        near.sort(key=lambda mark: mark.away)
        away = 0.0
        for mark in near:
            overlaps = mark.away < away + size + GAP and away < mark.away + mark.size + GAP
            if overlaps:
                away = mark.away + mark.size + GAP
        marks.append(Mark(line, x, away, size))
    return marks


def _words(period: TimelinePeriod) -> tuple[str, str]:
    return LABELS[period.status], LABELS[period.certainty] if period.certainty else ""


def _bands(axis: Axis, periods: Iterable[TimelinePeriod]) -> list[Band]:
    bands: list[Band] = []
    previous_end = 0.0
    for period in sorted(periods, key=lambda period: period.starts):
        start = max(axis.x(period.starts), previous_end)
        end = axis.x(period.ends) if period.ends else RIGHT
        # A period of a day would vanish; at its least width it pushes the next one.
        previous_end = max(end, start + NARROWEST)
        bands.append(Band(period, start, previous_end))
    return bands


def _room(period: TimelinePeriod) -> float:
    status, certainty = _words(period)
    return max(text_width(status, TEXT, bold=True), text_width(certainty, SMALL)) + 8


def _fits(band: Band) -> bool:
    return band.end - band.start >= _room(band.period) + 4


def _flags(bands: Sequence[Band], marks: Sequence[Mark]) -> list[Flag]:
    """Raise a flag over each band so that no pole crosses a label.

    After their poles the later labels stand lower. Labels that would leave the picture stand before
    their poles, if all of them can.
    """
    flags = _flags_after_poles(bands, marks)
    outside = [flag for flag in flags if flag.end > WIDTH - 4]
    inside = [flag for flag in flags if flag not in outside]
    if not outside or any(flag.end > outside[0].x - 6 for flag in inside):
        return flags
    # Before their poles the later labels stand higher, above all that is there.
    for flag in outside:
        end = flag.x - 6
        start = end - (flag.end - flag.start)
        row = max((other.row + 1 for other in inside if other.end > start - 6), default=0)
        inside.append(Flag(flag.period, flag.x, start, end, row))
    return inside


def _flags_after_poles(bands: Sequence[Band], marks: Sequence[Mark]) -> list[Flag]:
    flags: list[Flag] = []
    for band in reversed(bands):
        x = _pole(band, marks)
        words = ", ".join(word for word in _words(band.period) if word)
        end = x + 6 + text_width(words, TEXT, bold=True)
        row = max((flag.row + 1 for flag in flags if flag.x < end + 6), default=0)
        flags.append(Flag(band.period, x, x + 6, end, row))
    flags.reverse()
    return flags


def _pole(band: Band, marks: Sequence[Mark]) -> float:
    """Return an x over the band for a pole, near its middle, and off all marks if possible."""
    middle = (band.start + band.end) / 2
    candidates = [band.start + (band.end - band.start) * step / 20 for step in range(1, 20)]
    candidates.sort(key=lambda x: abs(x - middle))
    for x in candidates:
        if all(abs(mark.x - x) > mark.size / 2 + 1.5 for mark in marks):
            return x
    return middle


def _rows(below_heading: float, flags: Sequence[Flag], lanes: Lanes) -> Rows:
    """Return where the rows lie, with room for the flags under the heading."""
    rows_of_flags = 1 + max((flag.row for flag in flags), default=-1)
    heights = {direction: _height(marks, 18.0) for direction, marks in lanes.items()}
    supports = below_heading + (ROW * rows_of_flags + 4)
    band = supports + heights["supports"] + 8
    disputes = band + BAND
    inconclusive = disputes + (heights["disputes"] + 16)
    end = inconclusive + (heights["inconclusive"] + 10)
    return Rows(supports, band, disputes, inconclusive, end)


def _draw_heading(root: Element, timeline: Timeline, until: str) -> float:
    y = heading(root, timeline.statement, TEXT_ROOM)
    caption = f"Status derived from what had been published by each day, to {until}"
    return wrapped_paragraph(root, caption, TEXT_ROOM, y + 2, 3) + 12


def _draw_flag(root: Element, flag: Flag, rows: Rows) -> None:
    y = rows.supports - 4 - ROW * flag.row
    node(root, "path", d=f"M{flag.x:.2f} {rows.band:.2f}V{y - ROW + 5:.2f}", class_="line")
    if flag.start < flag.x:
        status_text(root, *_words(flag.period), flag.end, y - 5, anchor="end")
    else:
        status_text(root, *_words(flag.period), flag.start, y - 5)


def _draw_band(root: Element, band: Band, y: float) -> None:
    period, start, end = band
    group = node(root, "g", class_="band")
    node(group, "title", _period_sentence(period))
    for class_ in (period.status, "frame"):
        node(group, "rect", x=start, y=y, width=end - start, height=BAND, class_=class_)
    if _fits(band):
        _draw_band_words(group, band, y)


def _draw_band_words(group: Element, band: Band, y: float) -> None:
    status, certainty = _words(band.period)
    status_class = f"on-{band.period.status}"
    words = [(status, TEXT, f"{status_class} bold")]
    if certainty:
        words.append((certainty, SMALL, status_class))
    middle, room = (band.start + band.end) / 2, _room(band.period)
    height = sum(size for _, size, _ in words) * LEADING
    baseline = y + (BAND - height) / 2
    # The words stand on the plain fill, since letters on a pattern are hard to read.
    node(
        group,
        "rect",
        x=middle - room / 2,
        y=baseline,
        width=room,
        height=height,
        rx=3,
        class_=f"fill-{band.period.status}",
    )
    for text, size, class_ in words:
        baseline += size * LEADING
        node(
            group,
            "text",
            text,
            x=middle,
            y=baseline - size * 0.34,
            font_size=size,
            text_anchor="middle",
            class_=class_,
        )


def _draw_lane(root: Element, direction: str, lanes: Lanes, base: float, way: int) -> None:
    """Draw the marks of a direction from a base upwards (-1) or downwards (1)."""
    _draw_row_label(root, LABELS[direction], base + 5 + way * 8)
    for mark in lanes[direction]:
        y = base + way * (mark.away + mark.size / 2)
        _draw_mark(root, direction, mark.x, y, mark.size, _sentence(mark.line))


def _draw_row_label(root: Element, text: str, y: float) -> None:
    node(root, "text", text, x=MARGIN, y=y, font_size=TEXT, class_="soft")


def _draw_mark(
    root: Element, direction: str, x: float, y: float, size: float, title: str | None
) -> None:
    group = node(root, "g", class_="mark")
    if title:
        node(group, "title", title)
    if direction in SHAPES:
        corners = [f"{x + size * dx:.2f} {y + size * dy:.2f}" for dx, dy in SHAPES[direction]]
        node(group, "path", d=f"M{'L'.join(corners)}Z", class_=direction)
    else:
        node(group, "circle", cx=x, cy=y, r=size / 2 - 0.75, class_=direction)


def _draw_grid(root: Element, axis: Axis, rows: Rows) -> None:
    top, bottom = rows.supports, rows.end
    first, last = date.fromordinal(axis.first).year, date.fromordinal(axis.last).year
    year_width = (RIGHT - GUTTER) / max(last - first, 1)
    step = next((step for step in STEPS if step * year_width >= 54), STEPS[-1])
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


class Sign(NamedTuple):
    """A sign of the legend: its label, the class that draws it, and its size."""

    label: str
    class_: str
    size: float


def _draw_legend(root: Element, y: float, scale: float) -> float:
    """Draw the key to shapes, sizes and statuses, and return where it ends."""
    node(root, "path", d=f"M{MARGIN} {y:.2f}H{RIGHT}", class_="rule")
    shape_size = SIZES["2"] * scale
    shapes = [Sign(term.label, term.id, shape_size) for term in v.DIRECTIONS.terms]
    sizes = [
        Sign(term.id.replace("_", " "), "head", SIZES[term.id] * scale)
        for term in v.EVIDENCE_LEVELS.terms
    ]
    statuses = [Sign(term.label, term.id, 26) for term in v.STATUSES.terms]
    y = _draw_signs(root, "Evidence", shapes, y + 6)
    y = _draw_signs(root, "Its level", sizes, y)
    y = _draw_signs(root, "Status", statuses, y)
    note = (
        "Levels: Oxford CEBM 2011, 1 is best. With each status: its certainty in GRADE's words,"
        " derived by rule."
    )
    return wrapped_paragraph(root, note, TEXT_ROOM, y + 10, 3)


def _draw_signs(root: Element, title: str, signs: Sequence[Sign], y: float) -> float:
    """Draw a row of the legend, which may take several lines, and return its y."""
    x = GUTTER
    y += 24
    node(root, "text", title, x=MARGIN, y=y, font_size=TEXT, class_="bold")
    for sign in signs:
        width = sign.size + 6 + text_width(sign.label, TEXT)
        if x + width > RIGHT + 8:
            x, y = GUTTER, y + 24
        if sign.class_ in v.STATUSES.ids:
            for class_ in (sign.class_, "frame"):
                node(root, "rect", x=x, y=y - 12, width=sign.size, height=15, class_=class_)
        else:
            _draw_mark(root, sign.class_, x + sign.size / 2, y - 5, sign.size, None)
        node(root, "text", sign.label, x=x + sign.size + 6, y=y, font_size=TEXT)
        x += width + 12
    return y


def _sentence(line: ExplainedLine) -> str:
    direction, level = LABELS[line.direction], LABELS[line.level]
    return clean(f"{line.citation}: {direction}, {level}, {line.published}")


def _period_sentence(period: TimelinePeriod) -> str:
    span = f"From {period.starts} until {period.ends}" if period.ends else f"Since {period.starts}"
    status, certainty = _words(period)
    return f"{span}: {status}" + (f", certainty {certainty}" if certainty else "")


def _description(timeline: Timeline, drawn: Sequence[ExplainedLine], until: str) -> str:
    """Return all of the picture as sentences."""
    sentences = [f"How the status of the claim «{timeline.statement}» ran, to {until}."]
    for period in timeline.periods:
        begun_by = ", ".join(dict.fromkeys(line.citation for line in period.new))
        cause = f"; begun by {begun_by}" if begun_by else ""
        sentences.append(f"{_period_sentence(period)}{cause}.")
    if drawn:
        sentences.append(f"Evidence: {'; '.join(_sentence(line) for line in drawn)}.")
    else:
        sentences.append("No evidence is drawn.")
    sentences.append(timeline.notice.replace(NOTICE, SHORT_NOTICE, 1))
    return clean(" ".join(sentences))
