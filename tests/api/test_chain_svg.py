"""The causal chain as a picture: every claim and link told, cycles ended, nothing over another."""

import re
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.pictures import chain, svg
from api.pictures.chain import chain_svg
from models.read import relation_graph
from tests.api.requests import get_json
from tests.api.svg_reader import (
    SVG,
    WALK,
    apart,
    cards,
    claim,
    inside,
    parse,
    rect,
    seen,
    spoken,
    tangle,
    texts,
    tie,
    walk,
)
from tests.databases import Store


def test_the_chain_tells_every_claim_and_link() -> None:
    root = parse(chain_svg("claim-0", WALK))
    for told in WALK["claims"]:
        assert told["statement"] in spoken(root)
        assert told["statement"] in seen(root)
        assert svg.LABELS[told["status"]] in seen(root)
    numbers = {
        told: number for number, told in re.findall(r"Claim (\d+): «(Event \d)", spoken(root))
    }
    assert numbers["Event 4"] == "1"
    assert numbers["Event 0"] == "5"
    assert f"It leads to claim {numbers['Event 1']} (link disputed)." in spoken(root)
    assert spoken(root).count("leads to claim") == 6
    assert "goes on" not in spoken(root)
    links = [link.get("href") for link in root.iter(f"{SVG}a")]
    assert sorted(filter(None, links)) == [f"/v1/claims/claim-{number}" for number in range(5)]


def test_a_doubtful_link_is_dashed_and_says_so() -> None:
    root = parse(chain_svg("claim-0", WALK))
    assert "link disputed" in seen(root)
    assert len([path for path in root.iter(f"{SVG}path") if path.get("stroke-dasharray")]) == 1


def test_causes_stand_above_their_effects() -> None:
    root = parse(chain_svg("claim-0", WALK))
    links = {str(link.get("href")).rpartition("/")[2]: link for link in root.iter(f"{SVG}a")}
    tops = {
        key: next(rect(box)[1] for box in link.iter(f"{SVG}rect")) for key, link in links.items()
    }
    assert all(
        tops[tied["claim"]] < tops[tied["target"]]
        for tied in WALK["relations"]
        if tied["type"] == "leads_to"
    )


def test_a_claim_without_causes() -> None:
    root = parse(chain_svg("claim-0", walk([claim(0), claim(1)], [tie(1, 0, kind="rivals")])))
    assert len(cards(root)) == 1
    assert chain.NO_RELATIONS in spoken(root)
    assert chain.NO_RELATIONS in seen(root)


def test_a_truncated_chain_has_a_note() -> None:
    root = parse(chain_svg("claim-0", walk([claim(0), claim(1)], [tie(1, 0)], truncated=True)))
    assert chain.TRUNCATED in spoken(root)
    assert chain.TRUNCATED in seen(root)
    many = parse(chain_svg("claim-0", tangle(1, 200)))
    assert len(cards(many)) == chain.MOST_CLAIMS
    assert chain.TRUNCATED in seen(many)


def test_a_cycle_ends_and_is_marked() -> None:
    root = parse(
        chain_svg(
            "claim-0",
            walk([claim(n, distance=n) for n in range(3)], [tie(2, 1), tie(1, 0), tie(0, 2)]),
        )
    )
    assert "closes a cycle" in seen(root)
    assert "Claim 3: «Event 0" in spoken(root)
    assert "It leads back to claim 1, closing a cycle." in spoken(root)


def test_what_fell_of_the_predictions_stays_in_the_box() -> None:
    long = {
        "claim": "claim-1",
        "target": "claim-9",
        "statement": "What must hold " * 60,
        "status": "refuted",
    }
    short = {**long, "claim": "claim-0", "statement": "It comes first."}
    picture = {**WALK, "fallen_predictions": [long, short]}
    root = parse(chain_svg("claim-0", picture))
    assert seen(root).count("Predicts what is refuted: «") == 2
    assert "Predicts what is refuted: «It comes first.»" in spoken(root)
    assert apart(texts(root))
    for link in root.iter(f"{SVG}a"):
        box = next(rect(found) for found in link.iter(f"{SVG}rect"))
        assert all(box[1] < text[1] and text[3] < box[3] for text in texts(link))


def test_a_link_to_a_claim_without_description_is_drawn() -> None:
    root = parse(chain_svg("claim-0", walk([claim(0)], [tie(7, 0)])))
    assert "claim-7" in seen(root)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_in_a_tangle_overlaps_or_is_cut(seed: int) -> None:
    root = parse(chain_svg("claim-0", tangle(seed)))
    assert len(cards(root)) == 30
    assert apart(cards(root))
    assert apart(texts(root))
    assert inside(root, [*cards(root), *texts(root)])
    for link in root.iter(f"{SVG}a"):
        left, top, right, bottom = next(rect(box) for box in link.iter(f"{SVG}rect"))
        assert all(
            left < box[0] and top < box[1] and box[2] < right and box[3] < bottom
            for box in texts(link)
        )


@pytest.mark.parametrize("seed", range(12))
def test_no_link_of_a_tangle_runs_through_a_box(seed: int) -> None:
    root = parse(chain_svg("claim-0", tangle(seed)))
    for path in root.iter(f"{SVG}path"):
        if path.get("class") != "line":
            continue
        x, top, low, _, _, _, _, end, high = (
            float(number) for number in re.findall(r"-?[\d.]+", path.attrib["d"])
        )
        near = [box for box in cards(root) if box[1] < max(low, high) - 0.1 and box[3] > top + 0.1]
        assert not [
            box for box in near if box[0] < x < box[2] and box[1] < low - 8.1 and box[3] > top + 8.1
        ]
        assert not [
            box
            for box in near
            if box[3] > low + 0.1 and box[1] < high - 0.1 and box[0] < max(x, end)
        ]


@pytest.mark.parametrize(
    "ties", [[tie(n, 0) for n in range(1, 30)], [tie(0, n) for n in range(1, 30)]]
)
def test_a_hub_of_thirty(ties: list[dict[str, Any]]) -> None:
    root = parse(chain_svg("claim-0", walk([claim(n) for n in range(30)], ties)))
    assert len(cards(root)) == 30
    # Links to or from the same claim share their way, so the picture stays narrow.
    assert float(root.attrib["viewBox"].split()[2]) <= svg.WIDTH + 60
    assert apart([*cards(root)])


CAUSE = "iron-and-autoimmunity-cause-ms-lesions"


@pytest.mark.parametrize("day", ["2007-12-31", "2010-06-30", "2014-12-31"])
def test_the_chain_of_a_day_has_the_claims_and_statuses_of_that_day(
    day: str, shared: Store, client: TestClient
) -> None:
    with shared.database.read() as connection:
        present = relation_graph.causal_chain(connection, CAUSE)
        then = relation_graph.causal_chain(connection, CAUSE, day=day)
    listed = get_json(client, f"/v1/claims?as_of={day}&limit=200&include=relations")["data"]
    stated = {each["id"]: each for each in listed}
    assert CAUSE in stated
    assert {each["id"] for each in then["claims"]} <= stated.keys()
    for each in then["claims"]:
        assert (each["status"], each["certainty"]) == (
            stated[each["id"]]["status"],
            stated[each["id"]]["certainty"],
        )
    if day < "2009":
        assert len(then["claims"]) < len(present["claims"])
    ends = {(edge["claim"], edge["target"]): edge["status"] for edge in then["relations"]}
    assert ends == {
        (edge["claim"], edge["target"]): told["status"]
        for edge in present["relations"]
        for told in stated.get(edge["claim"], {"relations": []})["relations"]
        if told["target"] == edge["target"] and told["type"] == "leads_to"
        if {edge["claim"], edge["target"]} <= {each["id"] for each in then["claims"]}
    }
    root = parse(client.get(f"/v1/claims/{CAUSE}/chain.svg?as_of={day}").content)
    assert f"As published by {day}." in seen(root)
    drawn = {str(link.get("href")).rpartition("/")[2] for link in root.iter(f"{SVG}a")}
    assert drawn - {"None"} <= stated.keys()
    for each in then["claims"]:
        assert svg.LABELS[each["status"]] in seen(root)


def test_before_a_claim_was_stated_it_has_no_chain(client: TestClient) -> None:
    assert client.get(f"/v1/claims/{CAUSE}/chain.svg?as_of=1900").status_code == 404


def test_the_page_of_a_day_shows_the_chain_of_that_day(client: TestClient) -> None:
    page = client.get(f"/claims/{CAUSE}?as_of=2010", headers={"Accept": "text/html"}).text
    assert "chain.svg?as_of=2010-12-31" in page
    effect = get_json(client, "/v1/claims/ccsvi-causes-ms?as_of=2010&fields=status")["status"]
    assert effect != "refuted"
    (related,) = re.findall(r'<section id="related".*?</section>', page, re.DOTALL)
    assert f"status-{effect}" in related
    assert "status-refuted" not in related
