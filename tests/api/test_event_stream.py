"""The stream of changes over real connections: at once, without a gap or a repetition, and it costs
others nothing.
"""

import http.client
import itertools
import json
import signal
import socket
import threading
import time
from typing import Any, NoReturn

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from models.read import change_feed
from tests.api.following import (
    PROPOSED,
    SECRET,
    a_claim,
    fill,
    one_change,
    propose,
    refile,
    writing,
    written,
)
from tests.api.requests import problem
from tests.api.streaming import QUICK, Client, running, stream, until
from tests.command_line import serving
from tests.databases import SEEDED, Store

PATH = "/v1/changes/stream"


@pytest.mark.parametrize("encoding", ["identity", "gzip, br"])
def test_an_event_arrives_at_once(encoding: str, empty: Store) -> None:
    fill(empty)
    with running(empty) as server, stream(server.port, **{"Accept-Encoding": encoding}) as client:
        headers = client.answer.headers
        assert headers["content-type"].partition(";")[0] == "text/event-stream"
        assert headers["cache-control"] == "no-cache"
        assert "content-encoding" not in headers
        first = client.block()
        assert first is not None
        assert first.fields == {"id": "6", "retry": "3000"}
        for serial, claim in ((7, "a"), (8, "b")):
            begun = time.monotonic()
            refile(empty, claim)
            found = next(client.events())
            assert time.monotonic() - begun < 1
            assert (found.id, found.data["serial"], found.data["record"]) == (
                serial,
                serial,
                f"claim/{claim}",
            )


def test_it_begins_where_it_is_told_to(empty: Store) -> None:
    fill(empty)
    with running(empty) as server:
        for path, headers, begins in (
            (f"{PATH}?since=0", {}, 1),
            (f"{PATH}?since=4", {}, 5),
            (PATH, {"Last-Event-ID": "3"}, 4),
            (f"{PATH}?since=5", {"Last-Event-ID": "2"}, 3),
        ):
            with stream(server.port, path, **headers) as client:
                found = itertools.islice(client.events(), 7 - begins)
                assert [each.id for each in found] == list(range(begins, 7)), path


def test_an_event_is_the_change_as_the_feed_gives_it(empty: Store) -> None:
    fill(empty)
    propose(empty)
    with running(empty) as server:
        with stream(server.port, f"{PATH}?since=0&include=body") as client:
            told = [each.data for each in itertools.islice(client.events(), 14)]
        ask = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        ask.request("GET", "/v1/changes?include=body")
        assert told == json.loads(ask.getresponse().read())["data"]
        ask.close()
    assert [row["serial"] for row in told if row["record"] is None] == PROPOSED
    assert SECRET not in json.dumps(told)


def test_a_filter_holds_events_back_and_a_heartbeat_tells_where_to_go_on(empty: Store) -> None:
    fill(empty)
    with running(empty) as server, stream(server.port, f"{PATH}?since=0&claim=a") as client:
        assert [each.id for each in itertools.islice(client.events(), 2)] == [4, 6]
        beat = client.block()
        assert beat is not None
        assert beat.fields == {"": "heartbeat"}
        refile(empty, "b")
        while "id" not in (beat.fields if beat else {}):
            beat = client.block()
        assert beat is not None
        assert beat.fields == {"": "heartbeat", "id": "7"}
        refile(empty, "a")
        assert next(client.events()).id == 8


def test_no_event_is_missed_or_repeated_by_clients_that_are_cut_off_while_writers_write(
    empty: Store,
) -> None:
    fill(empty)
    total = 6 + written(3, 20)
    seen: dict[int, list[int]] = {every: [] for every in (1, 4, 1000)}

    def follow(port: int, every: int) -> None:
        while len(seen[every]) < total:
            known = {"Last-Event-ID": str(seen[every][-1])} if seen[every] else {}
            with stream(port, f"{PATH}?since=0", **known) as client:
                for found in itertools.islice(
                    client.events(), min(every, total - len(seen[every]))
                ):
                    assert found.id is not None
                    seen[every].append(found.id)

    with running(empty) as server:
        clients = [threading.Thread(target=follow, args=(server.port, every)) for every in seen]
        with writing(empty, 3, 20):
            for client in clients:
                client.start()
        for client in clients:
            client.join(timeout=60)
            assert not client.is_alive()
        until(lambda: server.streams.open == 0)
    assert seen == {every: list(range(1, total + 1)) for every in seen}


def test_many_idle_streams_cost_one_poll(empty: Store) -> None:
    fill(empty)
    with running(empty, poll_seconds=0.1) as server:
        clients = [Client(server.port) for _ in range(20)]
        until(lambda: server.streams.open == 20)
        for client in clients:
            client.block()
        refile(empty, "a")
        assert [next(client.events()).id for client in clients] == [7] * 20
        begun: list[Any] = []
        event.listen(server.streams.database.reader, "begin", begun.append)

        def polls_of_one() -> bool:
            """Return whether half a second has as many polls as one stream makes, and some."""
            begun.clear()
            start = time.monotonic()
            time.sleep(0.5)
            return 0 < len(begun) <= 10 * (time.monotonic() - start) + 2

        def polls_of_none() -> bool:
            begun.clear()
            time.sleep(0.5)
            return not begun

        # Each stream still looks once whether there is more after the event that it sent.
        until(polls_of_one)
        for client in clients:
            client.close()
        until(lambda: server.streams.open == 0)
        until(polls_of_none)


def test_a_client_that_takes_nothing_holds_nothing_up(empty: Store) -> None:
    fill(empty)
    with running(empty) as server:
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(f"GET {PATH}?since=0&include=body HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: server.streams.open == 1)
        with stream(server.port, f"{PATH}?since=0") as quick:
            large = "x" * 4900
            with one_change(empty) as change:
                for number in range(1500):
                    change(a_claim(f"c{number}", note=large))
            assert [found.id for found in itertools.islice(quick.events(), 1506)] == list(
                range(1, 1507)
            )
            pool: Any = server.streams.database.reader.pool
            until(lambda: pool.checkedout() == 0)
            assert server.streams.open == 2
        slow.close()
        until(lambda: server.streams.open == 0)


def test_a_client_that_takes_nothing_for_long_is_given_up(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.event_stream.STALLED_SECONDS", 0.2)
    fill(empty)
    with running(empty) as server, socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", server.port))
        slow.sendall(f"GET {PATH}?include=body HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(lambda: server.streams.open == 1)
        with one_change(empty) as change:
            for number in range(1500):
                change(a_claim(f"c{number}", note="x" * 4900))
        until(lambda: server.streams.open == 0)


def test_more_streams_than_are_borne_are_told_to_come_back(empty: Store) -> None:
    with running(empty, stream_limit=2) as server:
        first, second = Client(server.port), Client(server.port)
        until(lambda: server.streams.open == 2)
        third = Client(server.port)
        told = json.loads(third.answer.read())
        assert (third.answer.status, told["code"]) == (503, "unavailable")
        assert int(third.answer.headers["retry-after"]) > 0
        third.close()
        first.close()
        until(lambda: server.streams.open == 1)
        with stream(server.port) as fourth:
            assert fourth.block() is not None
        second.close()


def test_a_stream_outlives_a_database_that_is_away(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(empty)
    with running(empty) as server, stream(server.port) as client:
        assert client.block() is not None
        true = change_feed.changes_after

        def gone(*_arguments: Any, **_named: Any) -> NoReturn:
            raise OperationalError("SELECT", {}, Exception("gone"))

        monkeypatch.setattr(change_feed, "changes_after", gone)
        refile(empty, "a")
        beat = client.block()
        assert beat is not None
        assert beat.fields == {"": "heartbeat"}
        monkeypatch.setattr(change_feed, "changes_after", true)
        assert next(client.events()).id == 7


@pytest.mark.parametrize("how", [pytest.param("reading", marks=pytest.mark.slow), "taking nothing"])
def test_the_process_stops_in_time_with_streams_open(how: str, empty: Store) -> None:
    constants = {
        **{f"event_stream.{name}": value for name, value in QUICK.items()},
        "server.SHUTDOWN_SECONDS": 3,
    }
    fill(empty)
    with serving(empty.url, constants) as (port, process, _):
        clients = [Client(port) for _ in range(20)]
        for client in clients:
            assert client.block() is not None
        stuck = socket.socket()
        if how == "taking nothing":
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.connect(("127.0.0.1", port))
            stuck.sendall(f"GET {PATH}?include=body HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            stuck.recv(1)
            with one_change(empty) as change:
                for number in range(1500):
                    change(a_claim(f"c{number}", note="x" * 4900))
            for client in clients:
                assert len(list(itertools.islice(client.events(), 1500))) == 1500
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        for client in clients:
            assert list(client.events()) == []
            client.close()
        process.communicate(timeout=25)
        assert time.monotonic() - begun < (2 if how == "reading" else 8)
        assert process.returncode == -signal.SIGTERM
        stuck.close()


def test_head_tells_of_the_stream_and_ends(client: TestClient) -> None:
    answer = client.head(PATH)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize(
    ("query", "headers", "names"),
    [
        (f"since={SEEDED + 1}", {}, "since"),
        ("since=-1", {}, "since"),
        ("limit=3", {}, "limit"),
        ("kind=x", {}, "kind"),
        ("claim=nope", {}, "claim"),
        ("since=3", {"Last-Event-ID": f"{SEEDED + 1}"}, "Last-Event-ID"),
        ("", {"Last-Event-ID": "x"}, "last-event-id"),
    ],
)
def test_what_cannot_be_followed_is_a_400(
    query: str, headers: dict[str, str], names: str, client: TestClient
) -> None:
    answer = client.get(f"{PATH}?{query}", headers=headers)
    assert answer.status_code == 400
    assert problem(answer)["errors"][0]["parameter"] == names


def test_whoever_takes_no_events_is_refused(client: TestClient) -> None:
    answer = client.get(PATH, headers={"Accept": "application/json"})
    assert (answer.status_code, problem(answer)["errors"][0]["allowed"]) == (
        406,
        ["text/event-stream"],
    )
