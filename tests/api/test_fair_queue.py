"""The queue for long reads: no client is served before others, and none holds all places."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from api.http import fair_queue
from api.http.errors import Unavailable
from api.http.fair_queue import FairQueue
from api.http.rate_limits import Limit


def queue(places: int = 3) -> FairQueue:
    return FairQueue(places, max(1, places - 1), Limit(60))


class Work:
    """Requests that hold a place until they are ended, by client, in the order of their begin."""

    def __init__(self, of: FairQueue) -> None:
        self.queue = of
        self.begun: list[str] = []
        self.ends: list[asyncio.Event] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, *clients: str) -> None:
        for client in clients:
            self.tasks.append(asyncio.create_task(self._hold(client)))
        await self.settle()

    async def end(self, number: int) -> None:
        self.ends[number].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def _hold(self, client: str) -> None:
        async with self.queue.place(client):
            self.begun.append(client)
            self.ends.append(end := asyncio.Event())
            await end.wait()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


def test_one_client_leaves_a_place_to_others() -> None:
    async def test() -> None:
        work = Work(queue())
        await work.ask("a", "a", "a", "a")
        assert work.begun == ["a", "a"]
        await work.ask("b")
        assert work.begun == ["a", "a", "b"]

    run(test)


def test_a_free_place_goes_to_the_client_that_used_least() -> None:
    async def test() -> None:
        of = queue()
        work = Work(of)
        of.used.take("a", 10)
        of.used.take("b", 1)
        await work.ask("x", "x", "y")
        await work.ask("a", "a", "b", "b", "c", "a")
        assert work.begun == ["x", "x", "y"]
        for number in range(6):
            await work.end(number)
        # None of them comes twice before each came once.
        assert work.begun[3:6] == ["c", "b", "a"]

    run(test)


def test_forty_requests_of_one_client_wait_behind_each_other() -> None:
    async def test() -> None:
        work = Work(queue(5))
        await work.ask(*["a"] * 40)
        assert len(work.begun) == 4
        await work.ask("b")
        assert work.begun[-1] == "b"
        for number in range(41):
            await work.end(number)
        assert work.begun.count("a") == 40
        assert (work.queue.free, dict(work.queue.held), work.queue.waiting) == (5, {}, {})

    run(test)


def test_whoever_leaves_or_waits_too_long_gives_its_turn_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fair_queue, "WAIT_SECONDS", 0.05)
    monkeypatch.setattr(fair_queue, "MOST_WAITING", 2)

    async def test() -> None:
        work = Work(queue(2))
        await work.ask("a", "b")
        await work.ask("a")
        work.tasks[2].cancel()
        await work.ask("a", "a", "a")
        # The third one finds two that wait.
        with pytest.raises(Unavailable, match="wait already"):
            await work.tasks[5]
        for task in work.tasks[3:5]:
            with pytest.raises(Unavailable, match="no free place"):
                await task
        assert work.queue.waiting == {}
        await work.end(0)
        await work.end(1)
        assert (work.queue.free, dict(work.queue.held)) == (2, {})

    run(test)


def test_a_place_that_is_lent_to_one_that_just_left_is_given_back() -> None:
    async def test() -> None:
        work = Work(queue(1))
        await work.ask("a", "b")
        work.ends[0].set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        work.tasks[1].cancel()
        await work.settle()
        assert (work.queue.free, dict(work.queue.held)) == (1, {})

    run(test)


def test_at_a_stop_who_waits_is_refused_and_who_holds_a_place_finishes() -> None:
    async def test() -> None:
        work = Work(of := queue(2))
        await work.ask("a", "a", "b", "b", "c")
        assert work.begun == ["a", "b"]
        of.stop()
        await work.ask("d")
        refused = [task.exception() for task in work.tasks if task.done()]
        assert [type(error) for error in refused] == [Unavailable] * 4
        await work.end(0)
        await work.end(1)
        assert all(task.done() for task in work.tasks)
        assert (of.free, of.count_held(), of.count_waiting()) == (2, 0, 0)

    run(test)


def test_in_a_crowd_who_read_for_long_pays_back_before_the_next() -> None:
    crowded = True
    now = 0.0

    async def test() -> None:
        nonlocal crowded, now
        work = Work(FairQueue(3, 1, Limit(60), lambda: crowded))
        work.queue.owed = Limit(fair_queue.CROWDED_SECONDS_PER_MINUTE, lambda: now)
        await work.ask("a")
        work.queue.owed.take("a", fair_queue.MOST_OWED_SECONDS)
        await work.end(0)
        await work.ask("a", "b")
        # There are free places, but the first owes.
        assert work.begun == ["a", "b"]
        now += 60
        while work.begun != ["a", "b", "a"]:
            await asyncio.sleep(fair_queue.PAUSE_SECONDS)
        await work.end(2)
        work.queue.owed.take("a", fair_queue.MOST_OWED_SECONDS)
        crowded = False
        await work.ask("a")
        # Where nobody else asks, it need not wait.
        assert work.begun == ["a", "b", "a", "a"]

    run(test)
