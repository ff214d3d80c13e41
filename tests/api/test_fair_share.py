"""The share of each address in the event loop's time."""

import asyncio
import time
from typing import Any

import pytest

from api.http.fair_share import WINDOW_SECONDS, FairShare, Timed

SPENT = 0.002


async def busy(_scope: Any, _receive: Any, _send: Any) -> None:
    """Keep the event loop for a while, as an application does."""
    until = time.perf_counter() + SPENT
    while time.perf_counter() < until:
        pass


def served(seconds: float, **clients: int) -> dict[str, int]:
    """Return how many requests of each address are served, by its number of connections."""
    counts = dict.fromkeys(clients, 0)

    async def ask(share: FairShare, address: str, until: float) -> None:
        scope = {"type": "http", "client": (address, 1)}
        while time.monotonic() < until:
            await share(scope, None, None)  # type: ignore[arg-type]
            counts[address] += 1
            await asyncio.sleep(0)

    async def all_ask() -> None:
        share, until = FairShare(busy), time.monotonic() + seconds
        await asyncio.gather(
            *(ask(share, name, until) for name, number in clients.items() for _ in range(number))
        )

    asyncio.run(all_ask())
    return counts


def test_many_connections_of_one_address_leave_others_their_share() -> None:
    readers = {f"reader{number}": 1 for number in range(8)}
    counts = served(3, attacker=40, **readers)
    assert sum(counts[name] for name in readers) > counts["attacker"]
    # Without this, of 48 connections each would get the same.
    assert min(counts[name] for name in readers) > 2 * counts["attacker"] / 40


@pytest.mark.parametrize(("used", "waits"), [(0.0, False), (10.0, True)])
def test_who_took_much_waits_while_threads_compute(used: float, waits: bool) -> None:
    async def wait() -> float:
        share = FairShare(busy)
        share.add("attacker", 0.4)
        share.add("reader", 0.01)
        share.since = share.began, time.process_time() - used
        began = time.monotonic()
        await share({"type": "http", "client": ("attacker", 1)}, None, None)  # type: ignore[arg-type]
        return time.monotonic() - began

    # Its time is forgotten once two windows have passed.
    assert (asyncio.run(wait()) > WINDOW_SECONDS / 2) == waits


def test_an_address_that_asks_alone_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> None:
        raise AssertionError("it waited")

    monkeypatch.setattr(FairShare, "_wait", refuse)
    assert served(0.3, alone=10)["alone"] > 0


def test_clients_that_ask_alike_do_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[str] = []

    async def noting(_self: FairShare, address: str) -> None:
        waited.append(address)

    monkeypatch.setattr(FairShare, "_wait", noting)
    counts = served(1.5, **{f"reader{number}": 1 for number in range(8)})
    # The first requests may come unevenly.
    assert len(waited) < sum(counts.values()) / 10


def test_time_that_is_waited_is_not_time_that_is_taken() -> None:
    async def work() -> str:
        time.sleep(0.02)
        await asyncio.sleep(0.2)
        return "done"

    async def measure() -> Timed:
        timed = Timed(work())  # type: ignore[arg-type]
        await timed
        return timed

    assert 0.01 < asyncio.run(measure()).seconds < 0.15


def test_an_error_and_an_end_from_outside_pass_through() -> None:
    seen: list[str] = []

    async def fail() -> None:
        raise ValueError("as it was")

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def run() -> None:
        with pytest.raises(ValueError, match="as it was"):
            await Timed(fail())

        async def timed() -> None:
            await Timed(wait())

        task = asyncio.create_task(timed())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert seen == ["cancelled"]
