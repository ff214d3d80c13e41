"""`clients/python` against a running server."""

import asyncio
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from claimbase_client import AsyncClaimbase, Claimbase, Problem, manners

from tests.clients import write_types
from tests.command_line import serving

# Each method with what it is given, and a piece of the answer.
CAUSES = "ccsvi-causes-ms"
ASKED: list[tuple[str, list[Any], dict[str, Any], str]] = [
    ("get", ["/v1/notice"], {}, "not medical advice"),
    ("pages", ["/v1/topics"], {"limit": 2}, '"id": "iron"'),
    ("claims", [], {"status": "refuted", "limit": 1}, '"status": "refuted"'),
    ("claim", [CAUSES], {"as_of": "2010"}, '"status": "contested"'),
    ("claim_facets", ["status"], {"topic": "causation"}, '"term": "refuted"'),
    ("lookup_claims", [[CAUSES, "none"]], {}, '"not_found": ["none"]'),
    ("match", ["CCSVI does not cause MS."], {"limit": 1}, f'"id": "{CAUSES}"'),
    ("explanation", [CAUSES], {"level__lte": "2"}, '"status": "refuted"'),
    ("timeline", [CAUSES], {}, '"status": "contested"'),
    ("matrix", [], {"id": [CAUSES]}, '"cells"'),
    ("evidence", [], {"level__lte": "1", "year": [2018, 2019]}, "cochrane-2019"),
    ("evidence_facets", [["level", "year"]], {"claim": CAUSES}, '"term": "2"'),
    ("lookup_evidence", [[f"{CAUSES}:doepp-2010"]], {}, '"source": "doepp-2010"'),
    ("sources", [], {"type": "report", "limit": 3}, '"type": "report"'),
    ("source", ["pmid:19724286"], {}, '"id": "singh-2009"'),
    ("lookup_sources", [["10.1002/ana.22085"]], {}, '"id": "doepp-2010"'),
    ("cite", ["doi:10.1002/ana.22085"], {}, "@article{"),
    ("cite", ["doepp-2010"], {"format": "bibliography", "style": "vancouver"}, "1. Doepp F"),
    ("suggest", ["ccs"], {"kind": ["claim"]}, '"kind": "claim"'),
    ("changes", [400], {"kind": "evidence"}, '"body": {'),
]
# What the halves have beside questions that this suite can ask; pandas comes with `check-clients`.
OTHERS = {"send", "close", "to_pandas"}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("client")
    with serving(f"sqlite:///{folder}/client.db") as (port, _, _):
        yield f"http://127.0.0.1:{port}"


def methods(half: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(half, callable)
        if not name.startswith("_")
    }


def stand_in(*answers: httpx.Response) -> tuple[Claimbase, AsyncClaimbase, list[httpx.Request]]:
    """Return clients that get these answers, the last one ever after, and what they send."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        known = answers[min(len(sent), len(answers)) - 1]
        return httpx.Response(known.status_code, headers=known.headers, content=known.content)

    client, awaited = Claimbase("http://stand-in"), AsyncClaimbase("http://stand-in")
    transport = httpx.MockTransport(answer)
    client.http = httpx.Client(base_url="http://stand-in", transport=transport)
    awaited.http = httpx.AsyncClient(base_url="http://stand-in", transport=transport)
    return client, awaited, sent


def test_types_are_those_of_the_document() -> None:
    written = write_types.WRITTEN.read_text(encoding="utf-8")
    assert written == write_types.types(), "Run `make client-types`."


def test_both_halves_have_the_same_methods() -> None:
    ours = methods(Claimbase)
    readme = (write_types.WRITTEN.parents[1] / "README.md").read_text(encoding="utf-8")
    assert [name for name in ours.keys() - {"close"} if f"`{name}`" not in readme] == []
    assert ours.keys() == OTHERS | {name for name, *_ in ASKED}
    for name, theirs in methods(AsyncClaimbase).items():
        assert theirs.parameters == ours.pop(name).parameters
    assert not ours


@pytest.mark.parametrize(("name", "args", "given", "piece"), ASKED)
def test_both_halves_give_the_same(
    address: str, name: str, args: list[Any], given: dict[str, Any], piece: str
) -> None:
    async def read() -> Any:
        async with AsyncClaimbase(address) as client:
            asked = getattr(client, name)(*args, **given)
            return [each async for each in asked] if hasattr(asked, "__anext__") else await asked

    with Claimbase(address) as client:
        asked = getattr(client, name)(*args, **given)
        answer = list(asked) if hasattr(asked, "__next__") else asked
    assert piece in json.dumps(answer, ensure_ascii=False)
    assert asyncio.run(read()) == answer


def test_lists_run_over_all_pages(address: str) -> None:
    with Claimbase(address) as client:
        small = [claim["id"] for claim in client.claims(limit=5)]
        assert small == [claim["id"] for claim in client.claims(limit=200)]
        serials = [change["serial"] for change in client.changes(limit=50)]
    assert len(small) == len(set(small)) > 5
    assert serials == list(range(1, len(serials) + 1))


def test_a_list_is_any_of_its_values(address: str) -> None:
    texts = ["CCSVI causes", "no such, text"]
    with Claimbase(address) as client:
        found = {line["claim"] for line in client.evidence(claim_text=texts)}
        assert found == {line["claim"] for line in client.evidence(claim_text=texts[0])}
    assert "ccsvi-causes-ms" in found


def test_a_known_answer_is_not_sent_again(address: str) -> None:
    seen: list[int] = []

    async def note(answer: httpx.Response) -> None:
        seen.append(answer.status_code)

    async def read() -> None:
        async with AsyncClaimbase(address) as client:
            client.http.event_hooks = {"response": [note]}
            first, second = await client.claim(CAUSES), await client.claim(CAUSES)
            assert first == second

    with Claimbase(address) as client:
        client.http.event_hooks = {"response": [lambda answer: seen.append(answer.status_code)]}
        first, second = (client.claim(CAUSES) for _ in range(2))
    assert first == second
    asyncio.run(read())
    assert seen == [200, 304, 200, 304]


def test_what_is_kept_has_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = httpx.Response(200, headers={"ETag": '"1"'}, json={"text": "x" * 30})
    monkeypatch.setattr(manners, "MOST_KEPT_BYTES", 100)
    client, _, sent = stand_in(answer)
    for path in ("/1", "/1", "/2", "/3", "/1", "/3"):
        client.get(path)
    assert ["If-None-Match" in request.headers for request in sent] == [
        *(False, True, False, False),
        *(False, True),  # The third pushed the first one out.
    ]


def test_changes_are_followed() -> None:
    def page(serials: list[int], after: int, last: int) -> httpx.Response:
        data = [{"serial": serial} for serial in serials]
        return httpx.Response(200, json={"data": data, "page": {"next": after, "last": last}})

    answers = (page([1], 2, 3), page([3], 3, 3), page([], 3, 3), page([4], 4, 4))
    client, _, sent = stand_in(*answers)
    changes = client.changes(follow=0.0)
    assert [next(changes)["serial"] for _ in range(3)] == [1, 3, 4]
    assert [request.url.params["since"] for request in sent] == ["0", "2", "3", "3"]

    async def read() -> list[int]:
        _, awaited, _ = stand_in(*answers)
        changes = awaited.changes(follow=0.0)
        return [(await anext(changes))["serial"] for _ in range(3)]

    assert asyncio.run(read()) == [1, 3, 4]


def test_errors_have_their_code(address: str) -> None:
    with Claimbase(address) as client, pytest.raises(Problem) as raised:
        client.claim("no-such-claim")
    assert raised.value.status == 404
    assert raised.value.code


@pytest.mark.parametrize(("said", "expected"), [("0", 4), ("3600", 1)])
@pytest.mark.parametrize("status", [429, 503])
def test_retries_have_bounds(said: str, expected: int, status: int) -> None:
    refusal = httpx.Response(status, headers={"Retry-After": said}, json={"code": "busy"})
    client, awaited, sent = stand_in(refusal)
    with pytest.raises(Problem):
        client.get("/v1/claims")
    assert len(sent) == expected
    with pytest.raises(Problem):
        asyncio.run(awaited.get("/v1/claims"))
    assert len(sent) == 2 * expected
