"""Sources by many identifiers at once: as a filter of the list, and by POST."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.routes import source_lookup
from api.routes.source_lookup import MOST_IDENTIFIERS
from models.database.prepared_statements import fetch
from models.read.source_lookup import LookedUp, look_up
from tests.api.curating import Desk
from tests.api.requests import get_json, problem
from tests.databases import Store

DOI, PMID = "10.1002/ana.22085", "24119384"
DOEPP, TRABOULSEE = "doepp-2010", "traboulsee-2014"
# One source of the seed files in each form in which a path takes an identifier.
FORMS = (
    "doepp-2010",
    f"doi:{DOI}",
    DOI,
    DOI.upper(),
    f"DOI:{DOI}",
    f"https://doi.org/{DOI}",
    f"http://dx.doi.org/{DOI}",
    f"doi.org/{DOI}",
    f" {DOI} ",
)


def slugs(listed: Any) -> list[str]:
    return [source["id"] for source in listed["data"]]


def lookup(client: TestClient, *identifiers: str) -> dict[str, Any]:
    answer = client.post("/v1/sources:lookup", json={"identifiers": list(identifiers)})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    named = [given for found in told["data"] for given in found["given"]]
    unreadable = [each["given"] for each in told["unreadable"]]
    # Each that was given is named once.
    everything = [*named, *told["not_found"], *unreadable, *told["left_off"]]
    assert sorted(everything) == sorted(set(identifiers))
    return told


@pytest.mark.parametrize("form", FORMS)
def test_an_identifier_is_taken_in_each_form_that_a_path_takes(
    form: str, client: TestClient
) -> None:
    (found,) = lookup(client, form)["data"]
    alone = get_json(client, f"/v1/sources/{DOEPP}")
    del alone["web_page"]
    assert found == {"given": [form], "source": alone}
    listed = client.get("/v1/sources", params={"identifier": form}).json()
    assert [source["id"] for source in listed["data"]] == [DOEPP]
    assert (listed["not_found"], listed["unreadable"]) == ([], [])


def test_a_lookup_says_what_it_found_what_not_and_what_is_no_identifier(
    client: TestClient,
) -> None:
    told = lookup(
        client,
        f"https://doi.org/{DOI}",
        PMID,
        f"pmid:{PMID}",
        "10.1234/nobody",
        "PMC1",
        "no-such-slug",
        "pmid:abc",
        "isbn:9780131103620",
        "nope:1",
        "What is this?",
        "",
    )
    assert [(each["source"]["id"], each["given"]) for each in told["data"]] == [
        (DOEPP, [f"https://doi.org/{DOI}"]),
        (TRABOULSEE, [PMID, f"pmid:{PMID}"]),
    ]
    assert told["not_found"] == ["10.1234/nobody", "PMC1", "no-such-slug"]
    details = {each["given"]: each["detail"] for each in told["unreadable"]}
    assert details == {
        "pmid:abc": "'abc' is not a pmid; one looks like 24119384.",
        "isbn:9780131103620": "'9780131103620' is not an isbn: its check digit would be 7.",
        "nope:1": "'nope:' is not a scheme.",
        "What is this?": "'What is this?' is neither an identifier nor a slug.",
        "": "'' is neither an identifier nor a slug.",
    }


def test_the_list_takes_several_by_commas_and_says_the_same(client: TestClient) -> None:
    path = f"/v1/sources?identifier=doi:{DOI},pmid:{PMID},PMC1,%3F&identifier=10.1234/nobody"
    listed = get_json(client, path)
    assert sorted(slugs(listed)) == [DOEPP, TRABOULSEE]
    assert listed["not_found"] == ["PMC1", "10.1234/nobody"]
    assert [each["given"] for each in listed["unreadable"]] == ["?"]
    bare = get_json(client, f"/v1/sources?identifier={DOI},https://doi.org/10.1234/nobody,PMC1")
    assert (slugs(bare), bare["not_found"]) == ([DOEPP], ["https://doi.org/10.1234/nobody", "PMC1"])
    assert "not_found" not in get_json(client, "/v1/sources?limit=1")


def test_the_list_of_nothing_that_was_found_is_empty(client: TestClient) -> None:
    for given in ("10.1234/nobody", "?", "nope:1"):
        listed = client.get("/v1/sources", params={"identifier": given, "count": "exact"}).json()
        assert (listed["data"], listed["page"]["count"]) == ([], 0)
    assert client.get("/v1/sources?identifier=10.1234/nobody&format=ris").content == b""


def test_identifiers_are_a_filter_like_any_other(client: TestClient) -> None:
    both = f"/v1/sources?identifier=doi:{DOI},pmid:{PMID}"
    assert slugs(get_json(client, f"{both}&year.gte=2012")) == [TRABOULSEE]
    first = get_json(client, f"{both}&sort=id&limit=1")
    rest = get_json(client, f"{both}&sort=id&limit=1&cursor={first['page']['next']}")
    assert slugs(first) + slugs(rest) == [DOEPP, TRABOULSEE]
    printed = client.get(f"{both}&sort=id&format=bibliography&style=vancouver").text.splitlines()
    assert [line[:9] for line in printed] == ["1. Doepp ", "2. Trabou"]
    assert len(client.get(f"{both}&format=jsonl").text.splitlines()) == 2


def test_a_merged_source_is_found_by_its_old_identifier_and_a_proposal_is_not(desk: Desk) -> None:
    def doi(value: str) -> list[dict[str, str]]:
        return [{"scheme": "doi", "value": value, "verification": "unverified"}]

    desk.accepted("source", "old-one", identifiers=doi("10.1234/old"))
    desk.accepted("source", "new-one", identifiers=doi("10.1234/new"))
    desk.propose("cleo", "source", "proposed-one", identifiers=doi("10.1234/proposed"))
    desk.merge("source", "old-one", "new-one")
    given = ["10.1234/old", "old-one", "10.1234/new", "10.1234/proposed", "proposed-one"]
    told = desk.must(200, None, "POST", "/v1/sources:lookup", {"identifiers": given})
    assert [(each["source"]["id"], each["given"]) for each in told["data"]] == [
        ("new-one", given[:3])
    ]
    assert told["not_found"] == given[3:]
    desk.retract("source", "new-one")
    told = desk.must(200, None, "POST", "/v1/sources:lookup", {"identifiers": given})
    assert told == {"data": [], "not_found": given, "unreadable": [], "left_off": []}


def test_a_number_is_a_slug_where_there_is_one_and_else_a_pmid(desk: Desk) -> None:
    assert desk.must(200, None, "POST", "/v1/sources:lookup", {"identifiers": [PMID]})["data"]
    desk.accepted("source", PMID)
    told = desk.must(
        200, None, "POST", "/v1/sources:lookup", {"identifiers": [PMID, f"pmid:{PMID}"]}
    )
    assert [each["source"]["id"] for each in told["data"]] == [PMID, TRABOULSEE]


def test_a_thousand_are_looked_up_by_few_statements(
    shared: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def counted(connection: Any, key: Any, build: Any, values: Any) -> Any:
        asked.append(len(values))
        return fetch(connection, key, build, values)

    monkeypatch.setattr("models.read.source_lookup.fetch", counted)
    dois = [f"10.1234/{number}" for number in range(MOST_IDENTIFIERS - 2)]
    with shared.database.read() as connection:
        known = look_up(connection, [*dois, DOI, "?"])
        assert look_up(connection, []) == LookedUp({}, [], [])
    assert known.found == {DOI: DOEPP}
    assert (known.not_found, len(known.unreadable)) == (dois, 1)
    assert asked == [512, 512]


def test_more_than_the_bound_is_refused(client: TestClient) -> None:
    def post(**body: Any) -> Any:
        return client.post("/v1/sources:lookup", json=body)

    most = [f"10.1234/{number}" for number in range(MOST_IDENTIFIERS)]
    assert len(lookup(client, *most)["not_found"]) == MOST_IDENTIFIERS
    for refused in (
        post(identifiers=[*most, "10.1234/x"]),
        post(identifiers=[]),
        post(),
        post(identifiers=[DOI], more=1),
        post(identifiers=[1]),
        post(identifiers=DOI),
    ):
        assert refused.status_code == 422
        assert problem(refused)["errors"]
    assert client.get(f"/v1/sources?identifier={','.join(['PMC1'] * 51)}").status_code == 400
    assert client.post("/v1/sources:lookup", content=b"x").status_code in (400, 415)


def test_what_would_be_too_large_is_left_off_and_named(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_lookup, "MOST_ANSWER_BYTES", 1)
    told = lookup(client, DOI, PMID, f"pmid:{PMID}", "PMC1")
    assert [each["given"] for each in told["data"]] == [[DOI]]
    assert (told["left_off"], told["not_found"]) == ([PMID, f"pmid:{PMID}"], ["PMC1"])
