"""What both pictures share, and the timeline: well-formed, told in words, legible, nothing over
another.
"""

import itertools
import re

import pytest
from fastapi.testclient import TestClient

from api.pictures import svg
from api.pictures.chain import chain_svg
from api.pictures.timeline import timeline_svg
from models.core import vocabularies as v
from tests.api.svg_reader import (
    HOSTILE,
    LINES,
    PICTURES,
    SVG,
    TOLD,
    UNTIL,
    WALK,
    apart,
    claim,
    contrast,
    crowd,
    inside,
    line,
    marks,
    parse,
    periods,
    rect,
    seen,
    spoken,
    texts,
    tie,
    timeline,
    walk,
)


@pytest.mark.parametrize("name", PICTURES)
def test_is_an_image_with_name_and_description(name: str) -> None:
    root = parse(PICTURES[name]())
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    named = [element.get("id") for element in root[:2]]
    assert [element.tag for element in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
    assert (root.get("aria-labelledby") or "").split() == named
    assert all(element.text for element in root[:2])


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_deterministic(name: str) -> None:
    assert PICTURES[name]() == PICTURES[name]()


def test_does_not_depend_on_the_order_of_the_data() -> None:
    assert timeline_svg(TOLD, LINES[::-1], UNTIL) == timeline_svg(TOLD, LINES, UNTIL)
    turned = walk(WALK["claims"][::-1], WALK["relations"][::-1])
    assert chain_svg("claim-0", turned) == chain_svg("claim-0", WALK)


@pytest.mark.parametrize("name", PICTURES)
def test_needs_nothing_from_elsewhere(name: str) -> None:
    picture = PICTURES[name]().decode().replace(svg.NAMESPACE, "")
    assert not re.search(
        r"https?:|//|data:|javascript:|@import|<script|<image|<use|<foreignObject", picture
    )
    assert set(re.findall(r"url\((.)", picture)) == {"#"}
    ids = {element.get("id") for element in parse(PICTURES[name]()).iter()}
    assert set(re.findall(r"url\(#([^)]*)\)", picture)) <= ids


@pytest.mark.parametrize("name", PICTURES)
def test_every_class_and_colour_is_defined(name: str) -> None:
    root = parse(PICTURES[name]())
    style = root.findtext(f"{SVG}style") or ""
    assert "@media (prefers-color-scheme:dark)" in style
    used = {word for element in root.iter() for word in element.get("class", "").split()}
    assert {word for word in used if f".{word}{{" not in style} <= {"mark", "band", "plain"}
    assert (
        set(re.findall(r"var\(--([a-z-]+)\)", style))
        <= svg.colours(0).keys()
        == svg.colours(1).keys()
    )


@pytest.mark.parametrize("mode", [0, 1])
def test_text_has_contrast(mode: int) -> None:
    colours = svg.colours(mode)
    pairs = [(text, ground) for text in ("ink", "soft") for ground in ("paper", "card")]
    pairs += [
        (f"{status}-ink", ground)
        for status in svg.SWATCHES
        for ground in (status, f"{status}-hatch")
    ]
    assert not [pair for pair in pairs if contrast(colours[pair[0]], colours[pair[1]]) < 4.5]
    for mark in v.DIRECTIONS.ids:
        assert contrast(colours[mark], colours["paper"]) >= 3


def test_every_status_has_a_look_of_its_own() -> None:
    assert {*v.STATUSES.ids, svg.NO_STATUS} == svg.SWATCHES.keys() == svg.PATTERNS.keys()
    for mode in (0, 1):
        assert len({svg.SWATCHES[status][mode].fill for status in v.STATUSES.ids}) == len(
            v.STATUSES.ids
        )
    assert len({svg.PATTERNS[status] for status in v.STATUSES.ids}) == len(v.STATUSES.ids)


@pytest.mark.parametrize("text", HOSTILE)
def test_wrapped_lines_fit(text: str) -> None:
    for room, most in ((100, 3), (400, 8), (300, 500)):
        lines = svg.wrap(text, room, 14, most)
        assert len(lines) <= most
        assert all(svg.text_width(written, 14) <= room for written in lines)
    if most == 500:
        assert "".join("".join(lines).split()) == "".join(svg.clean(text).split())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    root = parse(timeline_svg(timeline(TOLD.periods, text), LINES, UNTIL))
    assert svg.clean(text) in spoken(root)
    other = parse(
        chain_svg(
            "claim-0", walk([claim(0, statement=text), claim(1, statement=text)], [tie(1, 0)])
        )
    )
    assert svg.clean(text) in spoken(other)
    for picture in (root, other):
        assert not list(picture.iter(f"{SVG}script"))
        assert inside(picture, texts(picture))
        assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e]", "".join(picture.itertext()))


# The timeline.


def test_the_timeline_tells_every_period() -> None:
    root = parse(timeline_svg(TOLD, LINES, UNTIL))
    for told in TOLD.periods:
        end = f"until {told.ends}" if told.ends else "Since"
        assert svg.LABELS[told.status] in spoken(root)
        assert told.starts in spoken(root)
        assert end in spoken(root)
    shown = seen(root)
    for status in v.STATUSES.ids:
        bands = sum(told.status == status for told in TOLD.periods)
        assert len(re.findall(rf"\b{status}\b", shown)) == 1 + bands  # One is in the key.
    assert {"2010", "2012", "2026", "low"} <= set(re.findall(r"\w+", shown))


def test_the_timeline_draws_only_the_lines_that_count() -> None:
    root = parse(timeline_svg(TOLD, LINES, UNTIL))
    titles = [
        group.findtext(f"{SVG}title")
        for group in root.iter(f"{SVG}g")
        if group.get("class") == "mark"
    ]
    assert sorted(filter(None, titles)) == [
        "Author1 et al. 2009: supports, level 4, 2009-12-31",
        "Author2 et al. 2009: supports, level 5, 2009-12-31",
        "Author3 et al. 2010: disputes, level 3, 2010-12-31",
        "Author4 et al. 2012: inconclusive, not gradable, 2012-05-01",
        "Author5 et al. 2017: disputes, level 1, 2017-11-30",
    ]
    assert all(title in spoken(root) for title in titles if title)
    assert "2014-01-01" not in spoken(root)


def test_directions_have_sides_and_shapes_and_levels_have_sizes() -> None:
    root = parse(timeline_svg(TOLD, LINES, UNTIL))
    band = next(rect(group[1]) for group in root.iter(f"{SVG}g") if group.get("class") == "band")
    support, other_support, *against, open_mark = marks(root)
    assert support[3] < band[1]
    assert all(box[1] > band[3] for box in against)
    assert open_mark[1] > max(box[3] for box in against)
    assert against[1][2] - against[1][0] > against[0][2] - against[0][0] > support[2] - support[0]
    assert support[2] - support[0] > other_support[2] - other_support[0]


@pytest.mark.parametrize("most", [1, 10, 60, 200])
def test_no_mark_overlaps_another(most: int) -> None:
    root = parse(timeline_svg(TOLD, crowd(most), UNTIL))
    assert len(marks(root)) == most
    assert apart(marks(root))
    assert inside(root, marks(root))


def test_marks_of_one_day_stack() -> None:
    same = [
        line(number, "2012-12-31", "disputes", level)
        for number, level in enumerate(v.EVIDENCE_LEVELS.ids * 10)
    ]
    root = parse(timeline_svg(TOLD, same, UNTIL))
    assert len({round((box[0] + box[2]) / 2, 1) for box in marks(root)}) == 1
    assert apart(marks(root))


DAYS = [f"2012-01-{day:02d}" for day in range(1, 32)]
NOVEMBER = [f"2026-11-{day}" for day in range(10, 17)]
RUNS = {
    "told": TOLD.periods,
    "none": [],
    "one": periods(("supported", "2010-01-01")),
    "begins on the last day": periods(("supported", UNTIL)),
    "begins after the last day": periods(("supported", "2026-01-01"), ("refuted", "2027-05-01")),
    "one of a day": periods(
        ("supported", "2010-01-01"), ("established", "2012-01-01"), ("contested", "2012-01-02")
    ),
    "a month of days": periods(*zip(itertools.cycle(v.STATUSES.ids), DAYS, strict=False)),
    "a crowded end": periods(
        ("contested", "2010-01-01"), *zip(v.STATUSES.ids, NOVEMBER, strict=True)
    ),
    "centuries": periods(
        ("supported", "1650-01-01"), ("established", "1990-01-01"), ("refuted", "2025-01-01")
    ),
    "the first year": periods(("supported", "0001-01-01")),
}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_in_the_timeline_overlaps_or_is_cut(name: str) -> None:
    root = parse(timeline_svg(timeline(RUNS[name]), crowd(20), UNTIL))
    assert apart(texts(root))
    assert inside(root, [*texts(root), *marks(root)])
    bands = [rect(group[1]) for group in root.iter(f"{SVG}g") if group.get("class") == "band"]
    assert len(bands) == len(RUNS[name])
    assert inside(root, bands)
    assert all(right - left >= 3 for left, _, right, _ in bands)
    assert all(second[0] >= first[2] - 0.02 for first, second in itertools.pairwise(bands))
    poles = [
        path.attrib["d"]
        for path in root.iter(f"{SVG}path")
        if path.get("class") == "line" and "H" not in path.attrib["d"]
    ]
    for pole in poles:
        x, low, high = (float(number) for number in re.findall(r"[\d.]+", pole))
        assert not [
            box for box in texts(root) if box[0] < x < box[2] and high < box[3] and box[1] < low
        ]


@pytest.mark.parametrize("name", ["timeline", "chain"])
def test_a_picture_has_the_theme_and_the_width_that_are_asked_for(
    name: str, client: TestClient
) -> None:
    address = f"/v1/claims/ccsvi-causes-ms/{name}.svg"
    auto, dark = client.get(address).text, client.get(f"{address}?theme=dark&width=320").text
    light = client.get(f"{address}?theme=light").text
    papers = [f"--paper:{colour}" for colour in svg.COLOURS["paper"]]
    assert [[paper in picture for paper in papers] for picture in (auto, light, dark)] == [
        [True, True],
        [True, False],
        [False, True],
    ]
    assert ["prefers-color-scheme" in picture for picture in (auto, light, dark)] == [
        *(True, False, False)
    ]
    assert "width" not in parse(auto.encode()).attrib
    shown = parse(dark.encode()).attrib
    _, _, width, height = map(float, shown["viewBox"].split())
    assert shown["width"] == "320"
    assert float(shown["height"]) == pytest.approx(320 * height / width, abs=0.01)
    assert client.get(f"{address}?width=10").status_code == 400
    assert client.get(f"{address}?theme=black").status_code == 400


def test_a_timeline_ends_on_the_day_that_is_asked_for(client: TestClient) -> None:
    address = "/v1/claims/ccsvi-causes-ms/timeline.svg"
    then, today = (parse(client.get(address + more).content) for more in ("?as_of=2010", ""))
    assert "to 2010-12-31" in seen(then)
    assert "contested" in spoken(then)
    assert "2014-06-27" not in spoken(then)
    assert "2014-06-27" in spoken(today)
    assert client.get(f"{address}?as_of=1990").status_code == 404


# The chain.
