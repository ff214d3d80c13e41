"""`clients/python` against a running server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from claimbase_client import AsyncClaimbase, Claimbase, Problem, Record

from tests.command_line import serving


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder: Path = tmp_path_factory.mktemp("client")
    with serving(f"sqlite:///{folder}/client.db") as (port, _, _):
        yield f"http://127.0.0.1:{port}"


def test_lists_run_over_all_pages(address: str) -> None:
    with Claimbase(address) as client:
        small = [claim["id"] for claim in client.claims(limit=5)]
        assert small == [claim["id"] for claim in client.claims(limit=200)]
    assert len(small) == len(set(small)) > 5

    async def read() -> list[str]:
        async with AsyncClaimbase(address) as client:
            return [claim["id"] async for claim in client.claims(limit=5)]

    assert asyncio.run(read()) == small


def test_double_underscores_are_dots(address: str) -> None:
    with Claimbase(address) as client:
        levels = {line["level"] for line in client.evidence(level__lte="1")}
    assert levels
    assert levels <= {"0", "1", 0, 1}


def test_a_known_answer_is_not_sent_again(address: str) -> None:
    seen: list[int] = []
    with Claimbase(address) as client:
        client.http.event_hooks = {"response": [lambda answer: seen.append(answer.status_code)]}
        first, second = (client.claim("ccsvi-causes-ms") for _ in range(2))
    assert first == second
    assert seen == [200, 304]


def test_texts_are_matched_and_works_cited(address: str) -> None:
    with Claimbase(address) as client:
        (sentence,) = client.match("CCSVI does not cause MS.")
        assert sentence["claims"][0]["id"] == "ccsvi-causes-ms"
        assert client.cite("doi:10.1002/ana.22085").startswith("@article{")
        assert client.source("pmid:19724286")["id"] == "singh-2009"
        then = client.claim("ccsvi-causes-ms", as_of="2010")
        assert (then["status"], client.claim("ccsvi-causes-ms")["status"]) == (
            "contested",
            "refuted",
        )


def test_those_who_await_get_the_same(address: str) -> None:
    seen: list[int] = []

    async def note(answer: httpx.Response) -> None:
        seen.append(answer.status_code)

    async def read() -> tuple[Record, list[str]]:
        async with AsyncClaimbase(address) as client:
            client.http.event_hooks = {"response": [note]}
            await client.claim("ccsvi-causes-ms")
            claim = await client.claim("ccsvi-causes-ms")
            return claim, [line["id"] async for line in client.evidence(level__lte="1")]

    with Claimbase(address) as client:
        expected = (
            client.claim("ccsvi-causes-ms"),
            [line["id"] for line in client.evidence(level__lte="1")],
        )
    assert asyncio.run(read()) == expected
    assert seen[:2] == [200, 304]


def test_errors_have_their_code(address: str) -> None:
    with Claimbase(address) as client, pytest.raises(Problem) as raised:
        client.claim("no-such-claim")
    assert raised.value.status == 404
    assert raised.value.code


@pytest.mark.parametrize(("said", "sent"), [("0", 4), ("3600", 1)])
@pytest.mark.parametrize("status", [429, 503])
def test_retries_have_bounds(said: str, sent: int, status: int) -> None:
    seen: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, headers={"Retry-After": said}, json={"code": "busy"})

    client = Claimbase("http://stand-in")
    client.http = httpx.Client(base_url="http://stand-in", transport=httpx.MockTransport(refuse))
    with pytest.raises(Problem):
        client.get("/v1/claims")
    assert len(seen) == sent
