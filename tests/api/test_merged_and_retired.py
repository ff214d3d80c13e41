"""What became of a record, told wherever it is named: in an address, in a filter, in a file, at a
moment of the past.
"""

from typing import Any
from urllib.parse import quote

import pytest

from models.core.dates import now
from tests.api.curating import CLAIM, NOW, Desk, a_record, serial
from tests.api.requests import problem

OLD, INTO = "old-one", "new-one"
DOI = "10.1234/old-one"


def doi(value: str) -> list[dict[str, str]]:
    return [{"scheme": "doi", "value": value, "verification": "unverified"}]


def two_sources(desk: Desk) -> None:
    """Make two sources of one work, each with a DOI, so that the one that goes keeps its own."""
    desk.accepted("source", OLD, identifiers=doi(DOI), title="A work found twice")
    desk.accepted("source", INTO, identifiers=doi("10.1234/new-one"))


@pytest.mark.parametrize("how", ["merged", "cited anew"])
def test_what_was_known_of_a_claim_outlives_the_purge_of_its_source(how: str, desk: Desk) -> None:
    two_sources(desk)
    line = desk.accepted("evidence", "rests-on-it", source=OLD)
    desk.accepted("occurrence", "rests-on-it", source=OLD)
    assessment = desk.propose("cleo", "assessment", "rests-on-it", source=OLD)
    then = now()
    before = desk.must(200, None, "GET", f"/v1/claims/{CLAIM}")
    if how == "merged":
        desk.merge("source", OLD, INTO)
    else:
        for part in (f"evidence/{line}", f"occurrences/{CLAIM}:rests-on-it"):
            desk.must(200, "cleo", "PATCH", f"/v1/{part}", {"source": INTO}, If_Match=NOW)
        desk.must(
            200, "dora", "PATCH", f"/v1/assessments/{assessment}", {"source": INTO}, If_Match=NOW
        )
        desk.retract("source", OLD)
    desk.decide("purge", "source", OLD, "dora", "A court said so.")
    told = desk.must(200, None, "GET", f"/v1/claims/{CLAIM}?known_at={then}")
    for part in ("evidence", "occurrences", "assessments", "sources"):
        assert len(told[part]) == len(before[part]), "a list is never shorter"
    (source,) = (each for each in told["sources"] if each["id"] == OLD)
    assert (source["title"], source["authors"], source["identifiers"]) == ("[purged]", [], [])
    assert (source["year"], source["published"], source["created"]) == (
        None,
        then[:10],
        source["created"],
    )
    (cited,) = (each for each in told["evidence"] if each["id"] == line)
    assert (cited["citation"], cited["finding"]) == (
        "[purged]",
        a_record("evidence", "x")["finding"],
    )
    for more in ("/evidence", "/explanation"):
        answer = desk.must(200, None, "GET", f"/v1/claims/{CLAIM}{more}?known_at={then}")
        assert line in str(answer)


def test_a_moment_is_answered_as_it_would_have_been_then(desk: Desk) -> None:
    for slug in (OLD, INTO):
        desk.propose("anna", "claim", slug)
    proposed = now()
    for slug in (OLD, INTO):
        desk.accept("claim", slug)
    accepted = now()
    desk.merge("claim", OLD, INTO)
    merged = now()
    desk.undo(serial(desk))
    undone = now()
    desk.retract("claim", OLD, why="nobody+says+so", replaced_by=INTO)
    retracted = now()
    for more in ("", "/explanation", "/evidence"):
        path = f"/v1/claims/{OLD}{more}?known_at="
        assert problem(desk.ask(None, "GET", path + proposed))["code"] == "not_yet_recorded"
        desk.must(200, None, "GET", path + accepted)
        led = desk.ask(None, "GET", path + merged)
        assert (led.status_code, problem(led)["code"]) == (308, "moved")
        assert led.headers["location"] == f"/v1/claims/{INTO}{more}?known_at={merged}"
        desk.must(200, None, "GET", led.headers["location"])
        desk.must(200, None, "GET", path + undone)
        gone = problem(desk.ask(None, "GET", path + retracted))
        assert (gone["status"], gone["code"], gone["errors"][0]["suggestion"]) == (
            410,
            "gone",
            INTO,
        )
        assert "nobody says so" in gone["detail"]


def test_both_times_hold_for_the_far_end_of_a_tie(desk: Desk) -> None:
    """By 2014 nobody had stated the other claim, as far as was known at first; an older statement
    came to light later.
    """
    desk.accepted("source", "of-2015", issued="2015")
    desk.accepted("source", "of-2005", issued="2005")
    desk.accepted("claim", "far")
    desk.accepted("occurrence", "first", claim="far", source="of-2015")
    desk.accepted("relation", "far")
    then = now()
    tied = f"{CLAIM}:comments_on:far"

    def ties(moment: str, day: str) -> set[str]:
        answer = desk.must(200, None, "GET", f"/v1/claims/{CLAIM}?known_at={moment}&as_of={day}")
        return {f"{each['claim']}:{each['type']}:{each['target']}" for each in answer["relations"]}

    assert tied not in ties(then, "2014")
    assert tied in ties(then, "2015")
    desk.accepted("occurrence", "older", claim="far", source="of-2005")
    assert tied not in ties(then, "2014")
    assert tied in ties(now(), "2014")
    assert ties(now(), "2014") == {
        f"{each['claim']}:{each['type']}:{each['target']}"
        for each in desk.must(200, None, "GET", f"/v1/claims/{CLAIM}?as_of=2014")["relations"]
    }


def test_a_merged_record_named_like_a_word_of_the_path_leads_to_the_right_one(desk: Desk) -> None:
    for kind, slug in (
        ("claim", "claims"),
        ("source", "sources"),
        ("claim", "v1"),
        ("claim", "evidence"),
    ):
        plural = f"{kind}s"
        desk.accepted(kind, slug)
        into = desk.accepted(kind)
        desk.merge(kind, slug, into)
        for more in (
            ("", "/claims") if kind == "source" else ("", "/evidence", "/timeline", "?as_of=2020")
        ):
            answer = desk.ask(None, "GET", f"/v1/{plural}/{slug}{more}")
            assert (answer.status_code, answer.headers["location"]) == (
                308,
                f"/v1/{plural}/{into}{more}",
            )


def test_a_filter_is_led_on_to_what_a_record_was_merged_into(desk: Desk) -> None:
    two_sources(desk)
    third = desk.accepted("source")
    desk.accepted("evidence", "of-old", source=OLD)
    desk.accepted("occurrence", "in-old", source=OLD)
    desk.merge("source", OLD, INTO)
    desk.merge("source", INTO, third)
    desk.accepted("claim", "gone")
    desk.accepted("evidence", "of-gone", claim="gone")
    stays = desk.accepted("claim")
    desk.merge("claim", "gone", stays)
    for list_, name, given in (
        *(
            (list_, "source", given)
            for list_ in ("claims", "evidence")
            for given in (OLD, INTO, f"doi:{DOI}")
        ),
        ("claims", "document", OLD),
        ("claims", "document", f"doi:{DOI}"),
        ("evidence", "claim", "gone"),
    ):
        into = stays if name == "claim" else third
        found = desk.must(200, None, "GET", f"/v1/{list_}?{name}={quote(given, safe='')}")["data"]
        assert found == desk.must(200, None, "GET", f"/v1/{list_}?{name}={into}")["data"]
        assert found, f"{list_}?{name}={given}"


def test_a_filter_by_what_was_retracted_says_so(desk: Desk) -> None:
    desk.accepted("source", "taken-back")
    desk.retract("source", "taken-back", why="a+duplicate", replaced_by="doepp-2010")
    desk.accepted("topic", "taken-back")
    desk.retract("topic", "taken-back", why="too+wide")
    merged = desk.accepted("claim")
    into = desk.accepted("claim")
    desk.merge("claim", merged, into)
    desk.retract("claim", into, why="nobody+says+so")
    for path, why, suggestion in (
        ("claims?source=taken-back", "a duplicate", "doepp-2010"),
        ("claims?topic=taken-back", "too wide", None),
        (f"evidence?claim={merged}", "nobody says so", None),
    ):
        told = problem(desk.ask(None, "GET", f"/v1/{path}"))
        assert (told["status"], told["code"]) == (400, "unknown_value")
        assert f"was retracted: {why}" in told["detail"]
        assert told["errors"][0].get("suggestion") == suggestion


def test_a_file_s_entry_matches_what_its_source_was_merged_into(desk: Desk) -> None:
    two_sources(desk)
    desk.merge("source", OLD, INTO)
    for fields in (
        f"title = {{Anything}}, doi = {{{DOI}}}",
        "title = {A work found twice}, author = {Doe, J}",
    ):
        file = f"@article{{a, {fields}, year = 2015}}"
        (entry,) = desk.must(200, None, "POST", "/v1/sources:parse", file)["data"]
        assert (entry["outcome"], entry["id"]) == ("matched", INTO)
    again = problem(
        desk.ask("anna", "POST", "/v1/sources", a_record("source", "again", identifiers=doi(DOI)))
    )
    assert "which is merged" in again["errors"][0]["detail"]


def test_what_waits_beyond_the_most_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.http.pending_proposals.MOST", 2)
    paths = (f"/v1/claims/{CLAIM}", f"/v1/claims/{CLAIM}/evidence", "/v1/evidence")
    for number in (1, 2, 3):
        desk.propose("anna", "evidence", f"waits-{number}")
        for path in paths:
            told: Any = desk.must(200, "cleo", "GET", f"{path}?include=submitted")
            assert (len(told["submitted"]), told["submitted_more"]) == (min(number, 2), number > 2)
            assert told["submitted"][0]["id"] == f"{CLAIM}:waits-1"
    assert "submitted_more" not in desk.must(200, "cleo", "GET", paths[0])


def test_no_text_with_nul_is_taken_into_a_crosswalk(desk: Desk) -> None:
    for crosswalk in ({"mesh": "a\x00b"}, {"me\x00sh": "a"}):
        refused = problem(
            desk.ask("anna", "POST", "/v1/topics", a_record("topic", "new", crosswalk=crosswalk))
        )
        assert (refused["status"], refused["errors"][0]["code"]) == (422, "nul_character")


def test_reading_what_is_only_written_to_is_the_wrong_method(desk: Desk) -> None:
    for who in (None, "cleo"):
        refused = desk.ask(who, "GET", "/v1/revisions/1:undo")
        assert (refused.status_code, problem(refused)["code"]) == (405, "method_not_allowed")
        assert refused.headers["allow"] == "POST"
    for bad in ("x", "0", "1.5", "99999999999"):
        assert problem(desk.ask(None, "GET", f"/v1/revisions/{bad}"))["status"] == 400
