"""The door for agents: what they may ask, how short the answers are, and what holds them back."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
from fastapi.testclient import TestClient

from api.http.request_body import MOST_BYTES
from api.http.text_model import TextModel
from api.main import create_app
from api.mcp import door, tools
from api.mcp.answers import MOST_TOKENS, ROOM, fitting, shortened, tokens, with_page, written
from api.mcp.reading import Surroundings
from api.mcp.server import INSTRUCTIONS, RESOURCES
from api.mcp.tools import TOOLS
from api.settings import ROOT, Settings
from models.core.notice import NOTICE, SHORT_NOTICE
from models.search.synonyms import read_synonyms
from models.status import rules
from tests.api.agents import HOST, Agent, connected, opened, over_http, over_standard_streams
from tests.api.curating import Desk
from tests.api.requests import all_claims, all_sources, bearer, get_json, ids, problem
from tests.command_line import run
from tests.databases import SEEDED, Store

MOST_OF_CATALOGUE = 2_000
NAMES = ["search", "fetch", "find_evidence", "check_text", "timeline", "cite", "what_changed"]
FETCH = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "fetch", "arguments": {"id": "topic/iron"}},
}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
Ask = Callable[..., Any]


@pytest.fixture
def ask(shared: Store) -> Iterator[Ask]:
    """Give a function that calls a tool without a protocol around it, within its bound."""
    model = TextModel(shared.database, {}, wanted=False)
    around = Surroundings(HOST, read_synonyms(ROOT / "seed_data"), model)
    with shared.database.read() as connection:

        def call(name: str, **arguments: Any) -> Any:
            tool = TOOLS[name]
            given = tool.arguments.model_validate(arguments)
            text = written(tool.answer(around, connection, given))
            assert tokens(text) <= MOST_TOKENS, (name, arguments, tokens(text))
            return json.loads(text)

        yield call


def all_pages(ask: Ask, name: str, member: str, **arguments: Any) -> list[Any]:
    """Return what all answers to a question have in a member, going on as they say."""
    found: list[Any] = []
    more: dict[str, Any] = {}
    for _ in range(200):
        answer = ask(name, **{**arguments, **more})
        found += answer[member]
        following = answer.get("next")
        if following is None:
            return found
        (more,) = following if isinstance(following, list) else [following]
    raise AssertionError("the answers do not end")


def all_text(ask: Ask, record: str, **arguments: Any) -> str:
    """Return the whole text of a record, from all its pages."""
    first = ask("fetch", id=record, **arguments)
    pages = range(2, first["metadata"]["pages"] + 1)
    rest = [ask("fetch", id=record, page=page, **arguments)["text"] for page in pages]
    return "".join([first["text"], *rest])


async def look_around(agent: Agent) -> dict[str, Any]:
    """Return what an agent sees at first, and an answer or an error of some tools."""
    client = agent.client
    listed = await client.list_tools()
    resources = await client.list_resources()
    read = {
        resource.uri: (await client.read_resource(resource.uri)).contents[0].text  # type: ignore[union-attr]
        for resource in resources.resources
    }
    return {
        "instructions": client.instructions,
        "tools": [
            tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed.tools
        ],
        "resources": read,
        "found": await agent.ask("search", query="CCSVI causes MS", limit=3),
        "fetched": await agent.ask("fetch", id="claim/ccsvi-causes-ms"),
        "mistyped": await agent.refused("fetch", id="claim/ccsvi-cause-ms"),
        "unknown": await agent.refused("serch", query="MS"),
    }


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_asks_over_http(mode: str, shared: Store) -> None:
    held_to_be_a_door(over_http(shared, look_around, mode))


def test_an_agent_asks_over_standard_streams(shared: Store) -> None:
    held_to_be_a_door(over_standard_streams(shared, look_around))


def held_to_be_a_door(seen: dict[str, Any]) -> None:
    assert [tool["name"] for tool in seen["tools"]] == NAMES
    assert all(tool["annotations"] == {"readOnlyHint": True} for tool in seen["tools"])
    catalogue = json.dumps([seen["instructions"], seen["tools"]], separators=(",", ":"))
    assert tokens(catalogue) <= MOST_OF_CATALOGUE
    assert seen["instructions"] == INSTRUCTIONS
    assert seen["resources"]["claimbase://notice"] == NOTICE
    told = seen["resources"]["claimbase://status-rules"]
    places = [told.index(f"{rule.name} → {rule.status}: {rule.sentence}") for rule in rules.RULES]
    assert places == sorted(places)
    assert tokens(told) <= MOST_TOKENS
    first = seen["found"]["results"][0]
    assert first["id"] == "claim/ccsvi-causes-ms"
    assert first["url"] == f"{HOST}/claims/ccsvi-causes-ms"
    assert {"id", "title", "text", "url", "metadata"} == seen["fetched"].keys()
    assert seen["fetched"]["url"] == first["url"]
    assert seen["mistyped"].startswith("not_found: There is no claim 'ccsvi-cause-ms'.")
    assert "Did you mean 'ccsvi-causes-ms'?" in seen["mistyped"]
    assert "Did you mean 'search'?" in seen["unknown"]
    assert f"Valid: {', '.join(NAMES)}." in seen["unknown"]


def test_the_instructions_say_what_must_not_be_missed() -> None:
    for said in ("`unassessed` is not false", "url of a claim and the DOI", "no medical advice"):
        assert said in INSTRUCTIONS
    assert list(RESOURCES) == ["claimbase://status-rules", "claimbase://notice"]


def test_search_finds_what_the_lists_find(ask: Ask, client: TestClient) -> None:
    for query in ("ccsvi", "zamboni 2009", "10.1002/ana.22085", "blocked veins"):
        for kind in ("claim", "source"):
            found = all_pages(ask, "search", "results", query=query, kind=kind, limit=9)
            expected = ids(client, f"/v1/{kind}s?q={query}")
            assert [each["id"] for each in found] == [f"{kind}/{slug}" for slug in expected], query
    both = ask("search", query="ccsvi", limit=2)
    assert [each["id"].split("/")[0] for each in both["results"]] == ["claim"] * 2 + ["source"] * 2
    assert [each["kind"] for each in both["next"]] == ["claim", "source"]
    more = ask("search", query="ccsvi", limit=2, **both["next"][1])
    expected = [f"source/{slug}" for slug in ids(client, "/v1/sources?q=ccsvi")]
    assert [each["id"] for each in (*both["results"][2:], *more["results"])] == expected[:4]


def test_search_keeps_to_its_filters(ask: Ask, client: TestClient) -> None:
    found = all_pages(ask, "search", "results", query="MS", kind="claim", status=["refuted"])
    assert [each["id"].removeprefix("claim/") for each in found] == ids(
        client, "/v1/claims?q=MS&status=refuted"
    )
    assert {each["status"] for each in found} == {"refuted"}
    then = ask("search", query="CCSVI causes MS", as_of="2010")["results"][0]
    assert (then["status"], then["since"]) == ("contested", "2010-09-29")
    assert then["url"].endswith("?as_of=2010-12-31")


def test_search_says_how_it_understood(ask: Ask) -> None:
    assert ask("search", query="zambni")["did_you_mean"] == "zamboni"
    answer = ask("search", query="the blocked veins zxcvb", kind="claim")
    assert answer["match"] == {"claim": "any"}
    assert ask("search", query="zxcvb") == {"results": [], "match": {}}


def test_every_record_is_fetched_whole(ask: Ask, client: TestClient) -> None:
    for claim in all_claims(client):
        text = all_text(ask, f"claim/{claim['id']}")
        assert claim["statement"] in text
        assert f"Status: {claim['status']} since {claim['status_since']}" in text
        on_relations = [line for tied in claim["relations"] for line in tied["evidence"]]
        for line in (*claim["evidence"], *on_relations):
            assert f"[evidence/{line['id']}]" in text
            assert line["finding"] in text
        for relation in claim["relations"]:
            tie = f"{relation['type'].replace('_', ' ')} claim/{relation['target']}"
            assert f"Relation ({relation['status']}): {tie}" in text
        for assessment in claim["assessments"]:
            assert assessment["rationale"] in text
    for source in all_sources(client)[::5]:
        fetched = ask("fetch", id=f"source/{source['id']}")
        assert fetched["metadata"]["citation"] == source["citation"]
        assert fetched["url"] == f"{HOST}/sources/{source['id']}"
        assert source["note"] is None or source["note"] in all_text(ask, f"source/{source['id']}")


def test_a_record_has_several_names(ask: Ask) -> None:
    names = {
        "claim/ms-cause-unknown": (
            "ms-cause-unknown",
            "claims/ms-cause-unknown",
            f"{HOST}/claims/ms-cause-unknown?as_of=2010#why",
            "/v1/claims/ms-cause-unknown",
        ),
        "source/doepp-2010": (
            "doepp-2010",
            "10.1002/ana.22085",
            "https://doi.org/10.1002/ana.22085",
        ),
        "evidence/ccsvi-causes-ms:doepp-2010": ("ccsvi-causes-ms:doepp-2010",),
        "topic/iron": ("topics/iron", f"{HOST}/topics/iron"),
    }
    for name, others in names.items():
        found = ask("fetch", id=name)
        assert found["id"] == name
        assert SHORT_NOTICE in found["metadata"]["notice"]
        for other in others:
            assert ask("fetch", id=other) == found, other


def test_a_claim_is_told_as_of_a_day(ask: Ask, client: TestClient) -> None:
    for day in ("2009-12", "2010", "2015-01-01"):
        fetched = ask("fetch", id="claim/ccsvi-causes-ms", as_of=day)
        then = get_json(client, f"/v1/claims/ccsvi-causes-ms?as_of={day}")
        told = {name: fetched["metadata"].get(name) for name in ("status", "certainty")}
        assert told == {name: then[name] for name in told}
        assert f"Evidence ({len(then['evidence'])})" in fetched["text"]


def test_all_evidence_is_found_in_pages(ask: Ask, client: TestClient) -> None:
    for claim in all_claims(client)[::3]:
        found = all_pages(ask, "find_evidence", "evidence", claim=f"claim/{claim['id']}", limit=25)
        path = f"/v1/evidence?claim={claim['id']}&sort=level,-published&limit=200"
        expected = get_json(client, path)["data"]
        assert [each["id"] for each in found] == [f"evidence/{line['id']}" for line in expected]
        assert ["on_relation" in each for each in found] == [
            line["bears_on"] == "relation" for line in expected
        ]
    found = all_pages(
        ask, "find_evidence", "evidence", query="reflux", direction="disputes", level_lte="4"
    )
    expected = ids(client, "/v1/evidence?q=reflux&direction=disputes&level.lte=4")
    assert [each["id"] for each in found] == [f"evidence/{line}" for line in expected] != []


def test_the_timeline_is_that_of_the_api(ask: Ask, client: TestClient) -> None:
    for claim in all_claims(client)[::3]:
        found = all_pages(ask, "timeline", "periods", claim=claim["id"])
        expected = get_json(client, f"/v1/claims/{claim['id']}/timeline")["periods"]
        assert [(each["from"], each["status"]) for each in found] == [
            (each["starts"], each["status"]) for each in expected
        ]
        assert [each.get("new", []) == [] for each in found] == [
            each["new"] == [] for each in expected
        ]
    late = ask("timeline", claim="ccsvi-causes-ms", after="2017-11-30")["periods"]
    assert [each["from"] for each in late] == ["2019-12-31"]


def test_records_are_cited(ask: Ask, client: TestClient) -> None:
    for source in all_sources(client)[::10]:
        for wanted in ("bibtex", "ris", "csl_json"):
            answer = ask("cite", id=f"source/{source['id']}", format=wanted)
            text = client.get(f"/v1/sources?identifier={source['id']}&format={wanted}").text
            assert answer["citation"] == text.strip()
    told = ask("cite", id="10.1002/ana.22085", style="vancouver")
    assert told["doi"] == "https://doi.org/10.1002/ana.22085"
    path = "/v1/sources/doepp-2010?format=bibliography&style=vancouver&remarks=true"
    assert told["citation"] == client.get(path).text.strip()
    claim = ask("cite", id="claim/ccsvi-causes-ms")
    revision = get_json(client, "/v1/claims/ccsvi-causes-ms")["revision"]
    assert f"revision {revision}" in claim["citation"].lower()
    assert f"{HOST}/claims/ccsvi-causes-ms" in claim["citation"]


def test_changes_are_followed(ask: Ask) -> None:
    newest = ask("what_changed")
    assert newest["last"] == SEEDED == newest["changes"][0]["serial"]
    older = ask("what_changed", **newest["next"])
    assert older["changes"][0]["serial"] == newest["changes"][-1]["serial"] - 1
    followed = all_pages(ask, "what_changed", "changes", since=SEEDED - 40)
    assert [each["serial"] for each in followed] == [*range(SEEDED - 39, SEEDED + 1)]
    of_claim = all_pages(ask, "what_changed", "changes", claim="ccsvi-causes-ms", since=0)
    assert of_claim[0]["record"] == "claim/ccsvi-causes-ms"
    assert all("ccsvi-causes-ms" in each["record"] for each in of_claim)


def test_a_text_is_checked(ask: Ask, client: TestClient) -> None:
    text = (
        "It was a cold morning in Ferrara. CCSVI causes MS. "
        "Opening narrowed veins does not help people with MS. Nobody knew."
    )
    answer = ask("check_text", text=text)
    sent = client.post("/v1/claims:match", json={"text": text, "limit": 2}).json()["data"]
    expected = {each["sentence"]: each["claims"] for each in sent if each["claims"]}
    assert answer["of"] == len(sent)
    assert {each["sentence"] for each in answer["sentences"]} == expected.keys() != set()
    for each in answer["sentences"]:
        claims = expected[each["sentence"]]
        assert text[each["start"] :].startswith(each["sentence"])
        assert [claim["id"] for claim in each["claims"]] == [
            f"claim/{told['id']}" for told in claims
        ]
        assert [claim.get("may_deny", []) for claim in each["claims"]] == [
            told["may_deny"] for told in claims
        ]
    then = ask("check_text", text="CCSVI causes MS.", as_of="2010")["sentences"][0]["claims"][0]
    assert (then["id"], then["status"]) == ("claim/ccsvi-causes-ms", "contested")


def test_a_long_text_is_checked_in_parts(ask: Ask) -> None:
    text = "CCSVI causes MS. " * 30
    found = all_pages(ask, "check_text", "sentences", text=text)
    assert [each["start"] for each in found] == [17 * number for number in range(30)]


DOCUMENT = (ROOT / "docs" / "agents.md").read_text(encoding="utf-8")
SESSION = re.findall(
    r"^```text\n(\w+) (\{[^\n]*\})\n```\n\n```text\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL
)


def test_the_session_in_the_document_is_as_it_was(shared: Store) -> None:
    """What is left out is marked by `…`; the rest stands in the answer, in this order."""

    async def again(agent: Agent) -> list[tuple[str, bool]]:
        return [await agent.text(tool, json.loads(arguments)) for tool, arguments, _ in SESSION]

    assert {tool for tool, _, _ in SESSION} == set(NAMES)
    for (tool, arguments, shown), (answer, _) in zip(
        SESSION, over_http(shared, again), strict=True
    ):
        text, place = "".join(answer.split()), 0
        for piece in re.split(r"(?<=\s)…(?=\s)", shown):
            wanted = "".join(piece.split())
            found = text.find(wanted, place)
            assert found >= place, f"{tool} {arguments} does not answer {piece}"
            place = found + len(wanted)


def test_the_tools_in_the_document_are_those_of_the_program() -> None:
    told = re.findall(r"^\| `(\w+)` \| ([`\w, ]+) \|", DOCUMENT, re.MULTILINE)
    assert {name: re.findall(r"\w+", arguments) for name, arguments in told} == {
        name: list(tool.arguments.model_fields) for name, tool in TOOLS.items()
    }
    assert f"at most {MOST_TOKENS:,} tokens" in DOCUMENT
    assert f"at most {MOST_OF_CATALOGUE:,}, both" in DOCUMENT


MEANT = "Did you mean '{}'?"
ERRORS: list[tuple[str, dict[str, Any], str]] = [
    ("search", {"query": "MS", "status": "refutd"}, MEANT.format("refuted")),
    ("search", {"query": "MS", "status": "refuted", "kind": "source"}, "status"),
    ("search", {}, "query: Field required"),
    ("search", {"query": "MS", "q": "MS"}, "Valid: query, kind, status"),
    ("search", {"query": "MS", "topic": "irn"}, MEANT.format("iron")),
    ("search", {"query": "MS", "cursor": "x"}, "Valid: claim, source."),
    ("search", {"query": "MS", "cursor": "x", "kind": "claim"}, "bad_cursor: "),
    ("search", {"query": "MS", "limit": 26}, "limit: "),
    ("fetch", {"id": "ccsvi-causes-ms", "page": 99}, "Valid: 1, 2"),
    ("fetch", {"id": "doepp-2010", "as_of": "2010"}, "Only claims"),
    ("fetch", {"id": "ccsvi-causes-ms", "as_of": "1990"}, "not_yet_stated: "),
    ("fetch", {"id": "ccsvi-causes-ms", "as_of": "2010-13"}, "as_of: "),
    ("fetch", {"id": "source/doep-2010"}, "doepp-2010"),
    ("fetch", {"id": "ccsvi-causes-ms:doep-2010"}, "ccsvi-causes-ms:doepp-2010"),
    ("find_evidence", {"claim": "ccsvi-causes-m"}, MEANT.format("ccsvi-causes-ms")),
    ("timeline", {"claim": "ccsvi-cause-ms"}, MEANT.format("ccsvi-causes-ms")),
    ("cite", {"id": "doepp-2010", "format": "bibtx"}, MEANT.format("bibtex")),
    ("cite", {"id": "doepp-2010", "style": "vancuver"}, MEANT.format("vancouver")),
    ("what_changed", {"since": 1, "before": 9}, "either since or before"),
    ("what_changed", {"since": SEEDED + 1}, f"the last one is {SEEDED}"),
    ("check_text", {"text": "x" * 20_001}, "text: "),
]


def test_errors_say_what_would_be_right(shared: Store) -> None:
    async def err(agent: Agent) -> list[str]:
        return [await agent.refused(tool, **arguments) for tool, arguments, _ in ERRORS]

    for told, (tool, arguments, expected) in zip(over_http(shared, err), ERRORS, strict=True):
        assert expected in told, (tool, arguments, told)
        assert tokens(told) <= MOST_TOKENS


def test_an_answer_is_never_too_long() -> None:
    for text in ("x" * 30_000, 'a "quoted"\n' * 900, "\x01" * 3_000, "é\n" * 3_000, ""):
        around = {"id": "claim/x", "title": "t" * 400, "metadata": {"notice": "n" * 2_000}}
        pages, number, last = "", 0, 1
        while number < last:
            number += 1
            answer, last = with_page({**around, "text": text}, "text", number)
            assert len(written(answer)) <= ROOM
            pages += answer["text"]
        assert pages == text
    assert fitting([{"text": "x" * 9_000}, {"text": "x"}]) == 1
    assert fitting([{"text": "x" * 1_000}] * 9) == 5
    assert fitting([]) == 0
    assert shortened("x" * 401) == "x" * 399 + "…"


def asked(store: Store, *requests: dict[str, Any], **settings: Any) -> list[Any]:
    """Return the answers to requests by HTTP, without a client of the protocol."""
    app = create_app(Settings(database_url=store.url, **settings))

    async def run() -> list[Any]:
        async with opened(app) as http:
            return [
                await http.request(**{"method": "POST", "url": "/mcp", "json": FETCH, **request})
                for request in requests
            ]

    return anyio.run(run)


def test_a_host_that_is_not_ours_is_refused(shared: Store) -> None:
    given = ("127.0.0.1:8000", "LOCALHOST", "[::1]:1", "evil.example", "evil.example:8000", "[")
    requests = [{"headers": {**JSON, "Host": host}} for host in given]
    answers = asked(shared, *requests)
    assert [answer.status_code for answer in answers] == [200, 200, 200, 421, 421, 421]
    assert problem(answers[3])["code"] == "misdirected"
    assert [
        answer.status_code for answer in asked(shared, *requests, mcp_hosts=["evil.example"])
    ] == [*(421, 421, 421, 200, 200, 421)]
    assert [answer.status_code for answer in asked(shared, *requests, mcp_hosts=["*"])] == [200] * 6


def test_an_origin_that_may_not_ask_is_refused(shared: Store) -> None:
    given = ("http://127.0.0.1:8000", "https://ours.example", "https://evil.example", "null")
    requests = [{"headers": {**JSON, "Origin": origin}} for origin in given]
    assert [answer.status_code for answer in asked(shared, *requests)] == [200] * 4
    answers = asked(shared, *requests, cors_origins=["https://ours.example"])
    assert [answer.status_code for answer in answers] == [200, 200, 403, 403]
    assert problem(answers[2])["code"] == "origin_refused"


def test_what_is_no_message_is_refused_as_everywhere(shared: Store) -> None:
    answers = asked(
        shared,
        {"headers": JSON, "json": None, "content": b"{"},
        {"headers": JSON, "json": None, "content": b"[" * 40 + b"]" * 40},
        {"headers": JSON, "json": None, "content": b" " * (MOST_BYTES + 1)},
        {"headers": {"Content-Type": "text/plain"}, "json": None, "content": b"{}"},
        {"method": "GET", "json": None},
        {"method": "DELETE", "json": None},
        {"headers": JSON, "url": "/mcp?x=1"},
    )
    assert [answer.status_code for answer in answers] == [400, 400, 413, 415, 405, 405, 400]
    assert {answer.headers["allow"] for answer in answers[4:6]} == {"POST"}
    for answer in answers:
        problem(answer)


def test_each_request_stands_for_itself(shared: Store) -> None:
    answers = asked(shared, {"headers": JSON}, {"headers": JSON})
    for answer in answers:
        assert answer.headers["content-type"] == "application/json"
        assert "mcp-session-id" not in answer.headers
        assert answer.headers["ratelimit-policy"] == '"work";q=60;w=60'
        assert not answer.json()["result"]["isError"]


def test_a_key_is_taken_and_gives_no_more_to_read(desk: Desk, seeded: Store) -> None:
    desk.propose("anna", "claim", "secret-claim")
    changed = {"name": "what_changed", "arguments": {"since": SEEDED}}
    first, second = asked(
        seeded,
        {"headers": {**JSON, **bearer(desk.plain["anna"])}, "json": {**FETCH, "params": changed}},
        {"headers": {**JSON, **bearer("cb_nothing")}},
    )
    assert first.headers["cache-control"] == "no-store"
    answer = json.loads(first.json()["result"]["content"][0]["text"])
    assert [each["serial"] for each in answer["changes"]] == [SEEDED + 1]
    assert "secret" not in first.text
    assert problem(second)["code"] == "invalid_key"


def test_a_call_is_logged_without_its_text(shared: Store, caplog: pytest.LogCaptureFixture) -> None:
    checked = {"name": "check_text", "arguments": {"text": "Nobody must know. CCSVI causes MS."}}
    with caplog.at_level(logging.DEBUG):
        (answer,) = asked(shared, {"headers": JSON, "json": {**FETCH, "params": checked}})
    assert answer.status_code == 200
    told = [record for record in caplog.records if record.name == "claimbase.request"]
    assert [(record.path, record.tool) for record in told] == [("/mcp", "check_text")]  # type: ignore[attr-defined]
    assert "Nobody must know" not in "".join(str(vars(record)) for record in caplog.records)


def test_calls_and_their_errors_are_counted(shared: Store) -> None:
    app = create_app(Settings(database_url=shared.url, metrics_port=0))

    async def run() -> None:
        async with opened(app) as http, connected(http) as agent:
            await agent.refused("fetch", id="claim/no-such")

    anyio.run(run)
    registry = app.state.metrics.registry
    labels = {"method": "POST", "route": "/mcp", "status": "2xx"}
    assert registry.get_sample_value("claimbase_http_requests_total", labels) >= 1
    counted = registry.get_sample_value("claimbase_http_problems_total", {"reason": "not_found"})
    assert counted == 1


def test_a_fault_of_ours_tells_nothing_of_the_inside(
    shared: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_given: Any) -> Any:
        raise RuntimeError("the inside")

    monkeypatch.setitem(tools._FETCHED, "topic", broken)
    (answer,) = asked(shared, {"headers": JSON})
    (content,) = answer.json()["result"]["content"]
    assert content["text"].startswith("internal_error: ")
    assert answer.headers["x-request-id"] in content["text"]
    assert "the inside" not in answer.text
    assert "the inside" in caplog.text


def test_an_sdk_that_cannot_be_used_is_a_fault_of_ours(
    shared: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_name: str) -> None:
        raise ImportError("another version")

    monkeypatch.setattr(door, "import_module", broken)
    for answer in asked(shared, {"headers": JSON}, {"headers": JSON}):
        assert problem(answer)["code"] == "internal_error"
    assert "another version" in caplog.text


def test_without_the_extra_there_is_no_door(shared: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "find_spec", lambda _name: None)
    (answer,) = asked(shared, {"headers": JSON})
    assert problem(answer)["code"] == "not_found"
    done = run("mcp", url=shared.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Agents need the extra mcp: pip install 'claimbase[mcp]'.\n"
