"""The badge: the status in words and colour, legible, named, whole whatever its label; and fresh
for embedding pages.
"""

import pytest
from fastapi.testclient import TestClient

from api.pictures import svg
from api.pictures.badge import badge_svg
from models.core import vocabularies as v
from models.core.notice import SHORT_NOTICE
from tests.api.curating import Desk
from tests.api.requests import all_claims, get_json, problem
from tests.api.svg_reader import (
    HOSTILE,
    SVG,
    apart,
    contrast,
    inside,
    parse,
    rect,
    seen,
    spoken,
    texts,
)

BADGE = "/v1/claims/ccsvi-causes-ms/badge.svg"


def badge(
    status: str = "refuted", certainty: str | None = "high", label: str = "claim", said: str = "A."
) -> bytes:
    return badge_svg(
        {
            "status": status,
            "certainty": certainty,
            "statement": said,
            "status_since": "2017-11-30",
            "notice": "Ask.",
        },
        label,
    )


@pytest.mark.parametrize("certainty", [None, *v.CERTAINTIES.ids])
@pytest.mark.parametrize("status", v.STATUSES.ids)
def test_it_says_the_status_in_words_on_its_colour(status: str, certainty: str | None) -> None:
    root = parse(badge(status, certainty))
    words = svg.LABELS[status] + (f" · {svg.LABELS[certainty]} certainty" if certainty else "")
    assert seen(root) == f"claim {words}"
    assert root.findtext(f"{SVG}title") == f"claim: {words}"
    assert spoken(root) == (
        f"A. Derived by rule from the recorded evidence; so since 2017-11-30. {SHORT_NOTICE} Ask."
    )
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "badge-title badge-desc")
    right, left = root.findall(f"{SVG}rect") + root.findall(f"{SVG}path")
    grounds = [left.attrib["fill"], right.attrib["fill"]]
    assert grounds[1] == svg.SWATCHES[status][0].fill
    inks = [text.attrib["fill"] for text in root.iter(f"{SVG}text")]
    assert all(contrast(ink, ground) >= 4.5 for ink, ground in zip(inks, grounds, strict=True))


@pytest.mark.parametrize("label", [*HOSTILE, "claim", "W" * 40, "CCSVI causes MS"])
def test_any_label_stays_text_within_the_badge(label: str) -> None:
    picture = badge("unconfirmed", "very_low", label, said=label)
    root = parse(picture)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg",
        "title",
        "desc",
        "rect",
        "path",
        "text",
    }
    assert b"://" not in picture.replace(svg.NAMESPACE.encode(), b"")
    assert apart(texts(root))
    assert inside(root, [*texts(root), *(rect(element) for element in root.iter(f"{SVG}rect"))])
    assert float(root.attrib["width"]) <= 500
    assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
    assert "".join(text.text or "" for text in root.iter(f"{SVG}text")).isprintable()


# A tag of an answer that is compressed names its coding.
PLAIN = {"Accept-Encoding": "identity"}


def test_every_claim_has_one(client: TestClient) -> None:
    for claim in all_claims(client):
        answer = client.get(f"/v1/claims/{claim['id']}/badge.svg")
        assert answer.headers["content-type"] == "image/svg+xml"
        assert svg.LABELS[claim["status"]] in seen(parse(answer.content))


def test_any_page_may_show_it_and_keep_it_for_a_while(client: TestClient) -> None:
    answer = client.get(BADGE, headers=PLAIN)
    revision = get_json(client, "/v1/claims/ccsvi-causes-ms")["revision"]
    assert seen(parse(answer.content)) == "claim refuted · moderate certainty"
    assert answer.headers["etag"] == f'"{revision}"'
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    again = client.get(BADGE, headers=PLAIN | {"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert [again.headers[name] for name in ("etag", "cache-control")] == [
        f'"{revision}"',
        "public, max-age=300",
    ]
    head = client.head(BADGE, headers=PLAIN)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", f'"{revision}"')


def test_it_tells_what_was_known_by_a_day_under_a_label_of_ones_own(client: TestClient) -> None:
    then = client.get(f"{BADGE}?as_of=2010&label=R%26D%20%3Cb%3E")
    assert seen(parse(then.content)) == "R&D <b> contested · very low certainty"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("as_of=2010-13", "as_of"), (f"label={'x' * 41}", "label"), ("lable=x", "lable")],
)
def test_what_will_not_do_is_named(query: str, parameter: str, client: TestClient) -> None:
    answer = client.get(f"{BADGE}?{query}")
    assert answer.status_code == 400
    assert [error["parameter"] for error in problem(answer)["errors"]] == [parameter]


def test_no_claim_no_badge_and_nothing_but_a_picture(client: TestClient) -> None:
    assert client.get("/v1/claims/nope/badge.svg").status_code == 404
    assert problem(client.get(f"{BADGE}?as_of=1990"))["code"] == "not_yet_stated"
    refused = client.get(BADGE, headers={"Accept": "text/html"})
    assert (refused.status_code, problem(refused)["errors"][0]["allowed"]) == (
        406,
        ["image/svg+xml"],
    )


# What Chromium and Firefox send for an <img>.
IMAGE = {"Accept": "image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5"}


def test_one_of_an_unknown_claim_is_grey_and_a_404(client: TestClient) -> None:
    address = "/v1/claims/ccsvi-cause-ms/badge.svg?label=Yours"
    answer = client.get(address, headers=IMAGE)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "image/svg+xml")
    root = parse(answer.content)
    assert seen(root) == "Yours unknown claim"
    assert "There is no claim 'ccsvi-cause-ms'." in spoken(root)
    right = root.findall(f"{SVG}rect")[0]
    assert right.attrib["fill"] == svg.SWATCHES["unassessed"][0].fill
    for accept in ("*/*", "application/json, */*;q=0.1"):
        told = client.get(address, headers={"Accept": accept})
        assert (told.status_code, problem(told)["code"]) == (404, "not_found")


def test_one_of_a_retracted_claim_says_so(desk: Desk) -> None:
    claim = desk.accepted("claim", "made-up")
    desk.retract("claim", claim)
    answer = desk.client.get(f"/v1/claims/{claim}/badge.svg", headers=IMAGE)
    assert (answer.status_code, seen(parse(answer.content))) == (410, "claim retracted claim")


@pytest.mark.parametrize("status", v.STATUSES.ids)
def test_it_can_be_dark(status: str) -> None:
    claim = {
        "status": status,
        "certainty": None,
        "statement": "A.",
        "status_since": "2017-11-30",
        "notice": None,
    }
    light, dark = (parse(badge_svg(claim, "claim", theme)) for theme in ("auto", "dark"))
    right, left = dark.findall(f"{SVG}rect") + dark.findall(f"{SVG}path")
    grounds = [left.attrib["fill"], right.attrib["fill"]]
    assert grounds[1] == svg.SWATCHES[status][1].fill
    assert grounds[1] != light.findall(f"{SVG}rect")[0].attrib["fill"]
    inks = [text.attrib["fill"] for text in dark.iter(f"{SVG}text")]
    assert all(contrast(ink, ground) >= 4.5 for ink, ground in zip(inks, grounds, strict=True))
