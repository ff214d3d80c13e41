"""Files of citations are read apart, by processes that end with their work and with the server."""

import asyncio
import http.client
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import psutil  # type: ignore[import-untyped]
import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from api.citations.reading_process import BATCH, MOST_ENTRIES
from api.http import file_reading
from api.http.errors import Unavailable
from api.http.file_reading import FileReaders
from api.http.rate_limits import FILE_BYTES_PER_MINUTE, LEAST_FILE_BYTES, Limit
from api.main import create_app
from api.routes import parse
from api.settings import Settings
from tests.api.requests import problem
from tests.api.server_process import running
from tests.databases import Store

PATH = "/v1/sources:parse"
ONE = b"@article{a, title = {T}}"
# A reader that has read 250 entries, when a file that says so makes it do something for ever.
ODD = """
import re, signal, time
from api.citations import detect, reading_process
from api.citations.parse_result import ParsedEntry

ordinary = detect.read
reading_process.CPU_SECONDS = 1

def read(content, name, parsed):
    if b"odd:" not in content:
        return ordinary(content, name, parsed)
    for number in range(250):
        record = {"type": "document", "title": f"T {number}", "study_design": "not_recorded"}
        parsed.add(ParsedEntry(number + 1, {**record, "authors": [], "identifiers": []}))
    if b"pattern" in content:
        re.match("(a+)+$", "a" * 60 + "b")
    elif b"memory" in content:
        bytes(2**40)
    elif b"deaf" in content:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGXCPU})
        time.sleep(600)
    elif b"fault" in content:
        raise KeyError("odd")

detect.read = read
reading_process.main()
"""
COMMAND = (sys.executable, "-c", ODD)
# The children of other tests' applications.
OTHERS: set[psutil.Process] = set()


@pytest.fixture(autouse=True)
def _no_children_of_others() -> Iterator[None]:
    OTHERS.update(children())
    yield
    OTHERS.clear()


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileReaders]:
    monkeypatch.setattr(file_reading, "COMMAND", COMMAND)
    readers = FileReaders(Limit(60))
    yield readers
    readers.close()
    for child in children():
        child.wait(10)


def odd(what: str) -> bytes:
    return f"@article{{a, note = {{odd:{what}}}}}".encode()


def children(parent: int | None = None) -> list[psutil.Process]:
    """Return the processes that read files, below this one or another one."""
    found = []
    for process in psutil.Process(parent).children(recursive=True):
        try:
            if process not in OTHERS and "reading_process" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize(("what", "word"), [("pattern", "seconds"), ("memory", "memory")])
def test_what_takes_too_much_ends_with_what_was_read(
    what: str, word: str, readers: FileReaders
) -> None:
    async def read(content: bytes) -> Any:
        return await readers.read(content, "bibtex")

    found = anyio.run(read, odd(what))
    (child,) = children()
    assert (found.end, found.complete, len(found.parsed.entries)) == ("too_complex", True, 250)
    assert word in found.detail
    # The same process reads on.
    found = anyio.run(read, ONE)
    assert (found.end, len(found.parsed.entries)) == ("read", 1)
    assert children() == [child]


def test_what_does_not_heed_is_killed(
    readers: FileReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_reading, "WALL_SECONDS", 3.0)

    async def read(content: bytes) -> Any:
        return await readers.read(content, "bibtex")

    found = anyio.run(read, odd("deaf"))
    assert (found.end, len(found.parsed.entries)) == ("too_complex", BATCH)
    until(lambda: not children())
    assert anyio.run(read, ONE).end == "read"


def test_children_that_were_ended_while_idle_are_replaced(readers: FileReaders) -> None:
    async def read() -> Any:
        return await readers.read(ONE, None)

    async def read_two() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(read)

    anyio.run(read_two)
    idle = children()
    assert idle
    for child in idle:
        child.kill()
    until(lambda: all(child.status() == psutil.STATUS_ZOMBIE for child in idle))
    assert anyio.run(read).format == "bibtex"
    until(lambda: len(children()) <= len(idle))


def test_a_fault_of_ours_is_told_whole(readers: FileReaders) -> None:
    async def read() -> Any:
        return await readers.read(odd("fault"), "bibtex")

    found = anyio.run(read)
    assert found.end == "internal_error"
    assert "KeyError: 'odd'" in found.detail


def test_nobody_who_left_is_read_for(seeded: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reading, "COMMAND", COMMAND)
    app = create_app(Settings(database_url=seeded.url))
    sent: list[Any] = []
    content = odd("deaf")
    scope = {
        "type": "http", "method": "POST", "path": PATH, "raw_path": PATH.encode(),
        "query_string": b"format=bibtex", "client": ("127.0.0.1", 1), "scheme": "http",
        "http_version": "1.1", "root_path": "", "server": ("127.0.0.1", 80),
        "headers": [(b"host", b"a"), (b"content-length", str(len(content)).encode())],
    }  # fmt: skip
    messages = iter([{"type": "http.request", "body": content}])

    async def receive() -> Any:
        for message in messages:
            return message
        while not children():
            await anyio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def ask() -> None:
        await app(scope, receive, send)

    anyio.run(ask)
    assert sent == []
    until(lambda: not children())
    app.state.files.close()
    app.state.database.close()


@pytest.mark.parametrize("way", [pytest.param("SIGKILL", marks=pytest.mark.slow), "SIGTERM"])
def test_a_child_ends_with_its_server(way: str, tmp_path: Path) -> None:
    with running(tmp_path, COMMAND=COMMAND, STOP_SECONDS=0.5, SHUTDOWN_SECONDS=20) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("POST", f"{PATH}?format=bibtex", odd("deaf"))
        until(lambda: children(server.process.pid))
        (child,) = children(server.process.pid)
        until(lambda: child.cpu_times().user > 0.1 and child.status() == psutil.STATUS_SLEEPING)
        if way == "SIGKILL":
            server.process.kill()
        else:
            assert server.stop() < 15
            answer = connection.getresponse()
            assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
        connection.close()


def test_the_client_gets_what_was_read(seeded: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reading, "COMMAND", COMMAND)
    app = create_app(Settings(database_url=seeded.url))
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.post(PATH, content=odd("memory"))
        body = answer.json()
        assert (answer.status_code, body["code"]) == (422, "too_complex")
        assert [entry["line"] for entry in body["entries"]] == [*range(1, 251)]
        assert {entry["outcome"] for entry in body["entries"]} == {"new"}
        fault = client.post(PATH, content=odd("fault"))
        assert (fault.status_code, problem(fault)["code"]) == (500, "internal_error")
        assert "KeyError" not in fault.text
    until(lambda: not children())


def ordinary(entries: int, seed: int = 0) -> bytes:
    """Return a file of entries as libraries have them."""
    return "".join(
        f"@article{{key{seed}n{number},\n"
        f"  title = {{Venous drainage and multiple sclerosis: a study, {number} of {seed}}},\n"
        f"  publisher = {{Press}},\n"
        f"  author = {{Family{number % 977}, Anna and Other{number % 13}, Bob B. and van den"
        f" Berg, Jo}},\n  journal = {{Journal of Things}},\n  year = {{{1990 + number % 30}}},\n"
        f"  volume = {{{number % 40}}},\n  pages = {{{number}--{number + 9}}},\n"
        f"  doi = {{10.1000/{seed}.{number}}}\n}}\n"
        for number in range(entries)
    ).encode()


def test_a_library_of_thousands_is_read(client: TestClient) -> None:
    content = ordinary(4500)
    assert len(content) > 1_280_000
    answer = client.post(PATH, content=content)
    assert (answer.status_code, answer.json()["found"]) == (200, 4500)


def test_entries_and_answers_are_bounded(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = b"@a{b}" * (MOST_ENTRIES + 1)
    answer = client.post(PATH, content=short)
    assert answer.status_code == 422
    assert len(answer.json()["entries"]) == MOST_ENTRIES
    monkeypatch.setattr(parse, "MOST_ANSWER_BYTES", 2_000)
    answer = client.post(PATH, content=ordinary(100))
    assert (answer.status_code, answer.json()["code"]) == (422, "too_complex")
    assert 1 <= len(answer.json()["entries"]) < 100
    assert len(answer.content) < 3_000


def test_who_finds_no_place_comes_again(seeded: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    app = create_app(Settings(database_url=seeded.url))
    with TestClient(app) as client:
        with monkeypatch.context() as patch:
            patch.setattr(file_reading, "MOST_FILES", 0)
            answer = client.post(PATH, content=ONE)
            assert (answer.status_code, problem(answer)["code"]) == (503, "unavailable")
            assert answer.headers["retry-after"] == "5"
        assert client.post(PATH, content=ONE).status_code == 200


def test_an_address_never_holds_more_places_than_are_left_free() -> None:
    files = FileReaders(Limit(10**6))
    held: Counter[str] = Counter()

    def request_of(address: str) -> Request:
        scope = {"type": "http", "path": PATH, "client": (address, 1), "headers": []}
        return Request(scope)

    async def take_all() -> None:
        async with AsyncExitStack() as stack:
            for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"):
                with pytest.raises(Unavailable):
                    while True:
                        await stack.enter_async_context(files.place(request_of(address)))
                        held[address] += 1
        # All of them were given back.
        async with files.place(request_of("10.0.0.1")):
            pass

    asyncio.run(take_all())
    assert list(held.values()) == [20, 10, 5, 3]


def test_a_file_costs_its_bytes(empty: Store) -> None:
    app = create_app(Settings(database_url=empty.url))
    app.state.limits.files_by_address = Limit(FILE_BYTES_PER_MINUTE, clock=lambda: 0.0)
    left = FILE_BYTES_PER_MINUTE
    with TestClient(app) as client:
        for content in (ONE, ONE + b" " * 1_000_000):
            for sent in (content, iter([content])):
                answer = client.post(PATH, content=sent)
                left -= max(LEAST_FILE_BYTES, len(content))
                assert answer.headers["ratelimit"].startswith(f'"files_by_address";r={left};')


def test_a_name_with_half_a_character_is_told_escaped(empty: Store) -> None:
    body = b'[{"title": "t", "\\ud800": 1, "type": "book"}]'
    with TestClient(create_app(Settings(database_url=empty.url))) as client:
        answer = client.post(f"{PATH}?format=csl_json", content=body)
        assert answer.status_code == 200
        assert "\\ud800" in answer.json()["data"][0]["dropped"]


@pytest.mark.slow
def test_many_at_once_are_all_served(seeded: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reading, "MOST_FILES", 4)
    app = create_app(Settings(database_url=seeded.url))
    app.state.limits.files_by_address = Limit(10**12)
    refused = []

    def ask(client: TestClient, number: int) -> int:
        while True:
            answer = client.post(PATH, content=ordinary(100, number))
            if answer.status_code == 200:
                return int(answer.json()["found"])
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            refused.append(number)
            time.sleep(0.05)

    with TestClient(app) as client, ThreadPoolExecutor(12) as people:
        assert [*people.map(lambda number: ask(client, number), range(12))] == [100] * 12
        assert len(children()) <= file_reading.AT_ONCE
    assert refused
