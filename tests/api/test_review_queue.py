"""The queue of proposals: filters, order, and what a client already has."""

from typing import Any

import pytest

from tests.api.curating import CLAIM, NOW, Desk


def queue(desk: Desk, who: str, query: str = "") -> list[str]:
    """Return the ids in the queue."""
    found = desk.must(200, who, "GET", f"/v1/reviews?limit=200&{query}")["data"]
    return [each["id"] for each in found]


def test_the_queue_is_filtered_and_sorted(desk: Desk) -> None:
    topic = desk.propose("anna", "topic")
    under = desk.propose("anna", "claim", topics=[topic])
    part = desk.propose("ben", "evidence", claim=under)
    other = desk.propose("emil", "evidence")
    assert queue(desk, "cleo") == [topic, under, part, other]
    assert queue(desk, "cleo", "sort=-serial") == [other, part, under, topic]
    assert queue(desk, "cleo", f"topic={topic}") == [topic, under, part]
    assert queue(desk, "cleo", "topic=ccsvi") == [other]
    assert queue(desk, "cleo", "proposed_by=ANNA") == [topic, under]
    assert queue(desk, "ben", "mine=true") == [part]
    assert queue(desk, "ben", "mine=false") == [topic, under, other]
    assert queue(desk, "cleo", f"claim={under}&kind=evidence") == [part]
    desk.must(400, "cleo", "GET", "/v1/reviews?sort=age")
    # No filter shows a contributor more.
    for query in ("", f"topic={topic}", "proposed_by=anna", "mine=false", "actor=anna"):
        assert set(queue(desk, "emil", query)) <= {other}


def test_pages_go_on_from_the_newest(desk: Desk) -> None:
    made = [desk.propose("anna", "evidence") for _ in range(3)]
    first = desk.must(200, "cleo", "GET", "/v1/reviews?sort=-serial&limit=2")
    more = desk.must(
        200, "cleo", "GET", f"/v1/reviews?sort=-serial&limit=2&cursor={first['page']['next']}"
    )
    ids = [each["id"] for each in first["data"] + more["data"]]
    assert ids == made[::-1]


def test_a_proposer_sees_the_fate_of_each_proposal(desk: Desk) -> None:
    good, bad = desk.propose("anna", "evidence"), desk.propose("anna", "evidence")
    desk.propose("emil", "evidence")
    desk.accept("evidence", good, comment="Checked.")
    desk.decide("reject", "evidence", bad, "dora", "Of another disease.")
    path = "/v1/reviews?mine=true&state=accepted,rejected"
    found = {each["id"]: each for each in desk.must(200, "anna", "GET", path)["data"]}
    told = {
        record: tuple(each[name] for name in ("state", "actor", "comment"))
        for record, each in found.items()
    }
    assert told == {
        good: ("accepted", "cleo", "Checked."),
        bad: ("rejected", "dora", "Of another disease."),
    }
    assert all(each["at"] for each in found.values())
    assert queue(desk, "ben", "state=accepted,rejected&actor=dora") == [bad]


@pytest.mark.parametrize("path", ["/v1/reviews", "/v1/changes?since=478"])
def test_a_private_list_has_a_tag_of_the_key_alone(path: str, desk: Desk) -> None:
    line = desk.propose("anna", "evidence")

    def asked(who: str, tag: str | None = None) -> Any:
        return desk.ask(who, "GET", path, **({"If_None_Match": tag} if tag else {}))

    tags = {who: asked(who).headers["etag"] for who in ("anna", "emil", "ben", "cleo")}
    assert len(set(tags.values())) == 4
    for who, tag in tags.items():
        kept = asked(who, tag)
        assert (kept.status_code, kept.content, kept.headers["etag"]) == (304, b"", tag)
        for answer in (asked(who), kept):
            # No cache may keep it: the next request may have another key.
            assert answer.headers["cache-control"] == "no-store"
            assert "Authorization" in answer.headers["vary"]
        # The tag of somebody else, who sees something else, is none of theirs.
        others = ", ".join(each for name, each in tags.items() if name != who)
        assert asked(who, others).status_code == 200
    desk.must(200, "anna", "PATCH", f"/v1/evidence/{line}", {"finding": "None."}, If_Match=NOW)
    assert asked("anna", tags["anna"]).status_code == 200
    tag = asked("ben").headers["etag"]
    # What is declared leaves no revision, and is shown in the queue all the same.
    desk.must(200, "anna", "PATCH", "/v1/key", {"conflict_of_interest": "none"})
    assert asked("ben", tag).status_code == 200


def test_changes_are_followed_by_who_made_them(desk: Desk) -> None:
    before = desk.must(200, None, "GET", "/v1")["serial"]
    hidden = desk.propose("anna", "evidence")
    shown = desk.accepted("evidence")

    def made(actor: str, who: str | None = None, more: str = "") -> list[tuple[str, str]]:
        path = f"/v1/changes?since={before}&actor={actor}{more}"
        found = desk.must(200, who, "GET", path)["data"]
        return [(each["action"], each["record"]) for each in found]

    accepted = ("accept", f"evidence/{shown}")
    for actor in ("cleo", "Cleo", " C LEO", "cleo&actor=nobody"):
        assert made(actor) == [accepted]
    assert made("cleo", more=f"&kind=evidence&claim={CLAIM}") == [accepted]
    assert made("cleo", more="&kind=source") == made("nobody") == []
    # What anna proposed is told to nobody else, not even by a filter that leaves it in its place.
    assert made("anna") == made("anna", "emil") == []
    proposed = [("create", f"evidence/{record}") for record in (hidden, shown)]
    assert made("anna", "anna") == made("ANNA", "cleo") == proposed
    feed = desk.ask(None, "GET", "/changes.atom?actor=cleo").text
    assert feed.count("<entry>") == 1
    page = desk.ask(None, "GET", "/changes?actor=cleo&kind=").text
    assert "by cleo alone" in page
    assert page.count("<li><strong>") == 1
