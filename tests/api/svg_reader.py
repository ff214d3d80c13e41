"""What the tests of the pictures share: made-up data, and what can be read off a drawing."""

import itertools
import random
import re
from typing import Any
from xml.etree import ElementTree as ET

from api.pictures import svg
from api.pictures.chain import chain_svg
from api.pictures.timeline import timeline_svg
from models.core import vocabularies as v
from models.core.notice import NOTICE
from models.status.explanation import ExplainedLine, Timeline, TimelinePeriod

SVG = f"{{{svg.NAMESPACE}}}"
UNTIL = "2026-11-22"
HOSTILE = [
    "x" * 2000,
    '<script>alert("1")</script> & ]]> <!-- ‑‑> &amp; \'',
    "هذا ادعاء طويل عن الأوردة والتصلب المتعدد " * 8,
    "\x00\x01\x1b\ud800\ufffe\u202eright to left override\u2028",
    "日本語の長い主張" * 40,
    "",
]
Box = tuple[float, float, float, float]


def line(
    number: int, day: str, direction: str = "supports", level: str = "4", part: str = "counted"
) -> ExplainedLine:
    return ExplainedLine(
        id=f"e{number}",
        source="a-source",
        citation=f"Author{number} et al. {day[:4]}",
        direction=direction,
        level=level,
        rank=6 if level == "not_gradable" else int(level),
        grading=f"level {level}",
        directness="direct",
        study_design="cohort",
        year=2010,
        published=day,
        independence_group="a-group",
        work="a-source",
        part=part,
    )


def period(
    status: str, starts: str, ends: str | None, certainty: str | None = "low"
) -> TimelinePeriod:
    return TimelinePeriod(
        status=status,
        status_rule="a-rule",
        sentence="A rule.",
        certainty=certainty,
        starts=starts,
        ends=ends,
        new=[],
        during=[],
        rests_on=[],
    )


def periods(*rows: tuple[str, str]) -> list[TimelinePeriod]:
    """Return periods from statuses with their first days, each until the next."""
    ends = [*(starts for _, starts in rows[1:]), None]
    return [period(status, starts, end) for (status, starts), end in zip(rows, ends, strict=True)]


def timeline(rows: list[TimelinePeriod], statement: str = "A causes B.") -> Timeline:
    return Timeline(claim="a-claim", statement=statement, periods=rows, notice=NOTICE)


TOLD = timeline(
    periods(
        ("unassessed", "2009-09-02"),
        ("unconfirmed", "2009-12-31"),
        ("contested", "2010-12-31"),
        ("disputed", "2011-12-31"),
        ("refuted", "2017-11-30"),
    )
)
LINES = [
    line(1, "2009-12-31", "supports", "4"),
    line(2, "2009-12-31", "supports", "5", "same_group"),
    line(3, "2010-12-31", "disputes", "3"),
    line(4, "2012-05-01", "inconclusive", "not_gradable", "takes_no_side"),
    line(5, "2017-11-30", "disputes", "1", "decisive"),
    line(6, "2014-01-01", "supports", "1", "retracted"),
    line(7, "2014-01-01", "supports", "1", "not_accepted"),
    line(8, "2014-01-01", "supports", "1", "later"),
]


def crowd(most: int, year: int = 2012) -> list[ExplainedLine]:
    dice = random.Random(most)
    days = [f"{year}-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}" for _ in range(most)]
    return [
        line(number, day, dice.choice(v.DIRECTIONS.ids), dice.choice(v.EVIDENCE_LEVELS.ids))
        for number, day in enumerate(days)
    ]


def claim(
    number: int, status: str | None = "disputed", statement: str | None = None, distance: int = 1
) -> dict[str, Any]:
    return {
        "id": f"claim-{number}",
        "distance": distance if number else 0,
        "statement": statement
        if statement is not None
        else f"Event {number} follows from what was before it.",
        "kind": "mechanism",
        "status": status,
        "certainty": "very_low" if status else None,
    }


def tie(
    cause: int, effect: int, status: str | None = None, kind: str = "leads_to"
) -> dict[str, Any]:
    return {
        "claim": f"claim-{cause}",
        "type": kind,
        "target": f"claim-{effect}",
        "note": None,
        "status": status,
    }


def walk(
    claims: list[dict[str, Any]], ties: list[dict[str, Any]], *, truncated: bool = False
) -> dict[str, Any]:
    return {"claims": claims, "relations": ties, "truncated": truncated}


def tangle(seed: int, most: int = 30) -> dict[str, Any]:
    """Return claims with links at random, so with cycles and with links past rows."""
    dice = random.Random(seed)
    pairs = {(number, dice.randrange(number)) for number in range(1, most)}
    pairs |= {tuple(dice.sample(range(most), 2)) for _ in range(most // 2)}  # type: ignore[misc]
    ties = [
        tie(*pair, dice.choice([None, "supported", "contested", "refuted"]))
        for pair in sorted(pairs)
    ]
    return walk(
        [claim(number, dice.choice(v.STATUSES.ids), distance=number) for number in range(most)],
        ties,
    )


WALK = walk(
    [
        claim(0, "refuted"),
        claim(1, "disputed"),
        claim(2, "supported"),
        claim(3, "established"),
        claim(4, None),
    ],
    [
        tie(4, 3),
        tie(3, 2),
        tie(3, 1, "disputed"),
        tie(2, 0),
        tie(1, 0),
        tie(4, 0),
        tie(0, 9, kind="rivals"),
    ],
)
PICTURES = {
    "timeline": lambda: timeline_svg(TOLD, LINES, UNTIL),
    "chain": lambda: chain_svg("claim-0", WALK),
}


def parse(picture: bytes) -> ET.Element:
    assert picture.startswith(b"<svg ")
    return ET.fromstring(picture.decode("utf-8"))  # noqa: S314


def spoken(root: ET.Element) -> str:
    return root.findtext(f"{SVG}desc") or ""


def seen(root: ET.Element) -> str:
    return " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))


def marks(root: ET.Element) -> list[Box]:
    """Return the boxes of the marks, without those of the legend, which have no title."""
    boxes: list[Box] = []
    for group in root.iter(f"{SVG}g"):
        if group.get("class") != "mark" or group.find(f"{SVG}title") is None:
            continue
        circle, path = group.find(f"{SVG}circle"), group.find(f"{SVG}path")
        if circle is not None:
            x, y, r = (float(circle.attrib[name]) for name in ("cx", "cy", "r"))
            boxes.append((x - r, y - r, x + r, y + r))
        elif path is not None:
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.attrib["d"])]
            xs, ys = numbers[::2], numbers[1::2]
            boxes.append((min(xs), min(ys), max(xs), max(ys)))
    return boxes


def rect(element: ET.Element) -> Box:
    x, y, width, height = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


def cards(root: ET.Element) -> list[Box]:
    return [rect(element) for element in root.iter(f"{SVG}rect") if element.get("class") == "card"]


def texts(root: ET.Element) -> list[Box]:
    """Return the boxes of the texts, by the same estimate with which they were placed."""
    boxes: list[Box] = []
    for text in root.iter(f"{SVG}text"):
        size, x, y = (float(text.attrib[name]) for name in ("font-size", "x", "y"))
        bold = "bold" in text.get("class", "") or text.find(f"{SVG}tspan") is not None
        width = svg.text_width("".join(text.itertext()), size, bold=bold)
        start = x - width * {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor", "start")]
        boxes.append((start, y - size * 0.75, start + width, y + size * 0.2))
    return boxes


def apart(boxes: list[Box]) -> bool:
    return not any(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        for a, b in itertools.combinations(boxes, 2)
    )


def inside(root: ET.Element, boxes: list[Box]) -> bool:
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    return all(
        box[0] >= 0 and box[1] >= 0 and box[2] <= width and box[3] <= height for box in boxes
    )


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours by WCAG 2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


# What both have in common.
