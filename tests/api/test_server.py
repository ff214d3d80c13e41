"""The server as a process: slow clients are cut off, it stops in time, and its own errors have the
one shape.
"""

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from models.access import api_keys
from models.database.connections import connect, file_url
from tests.api.server_process import Running, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


def rest(connection: socket.socket) -> bytes:
    """Return all that comes until the other side hangs up."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def one(connection: socket.socket) -> tuple[int, Any]:
    """Return status and JSON of one answer, after which the connection stays open."""
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer.status, json.loads(answer.read())


def told(answer: bytes) -> tuple[int, dict[str, Any]]:
    """Return status and body of an answer that must be a problem."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer
    assert b"server:" not in head.lower()
    for name in (
        b"x-content-type-options: nosniff",
        b"referrer-policy: no-referrer",
        b"content-security-policy: ",
    ):
        assert name in head.lower()
    found = json.loads(body)
    assert {"type", "title", "status", "detail", "code", "request_id"} <= set(found)
    return int(head.split()[1]), found


def drip(connection: socket.socket, pieces: Iterator[bytes], pause: float = 0.2) -> float:
    """Send piece by piece until the other side has enough; return for how long that went."""
    begun = time.monotonic()
    try:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(pause)
            if time.monotonic() - begun > 15:
                break
    except OSError:
        pass
    return time.monotonic() - begun


def endless(first: bytes, piece: bytes) -> Iterator[bytes]:
    """Yield the first piece, then another one without an end."""
    yield first
    while True:
        yield piece


def test_whoever_says_nothing_is_cut_off(server: Running) -> None:
    with server.open() as connection:
        begun = time.monotonic()
        answer = rest(connection)
        assert 0.3 < time.monotonic() - begun < 4
    assert answer == b"" or told(answer)[0] == 408


@pytest.mark.parametrize(
    "first", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n", b"\r\n"]
)
def test_whoever_does_not_end_the_headers_gets_408(first: bytes, server: Running) -> None:
    with server.open() as connection:
        connection.sendall(first)
        begun = time.monotonic()
        status, found = told(rest(connection))
        assert 0.3 < time.monotonic() - begun < 4
    assert (status, found["code"]) == (408, "request_timeout")


def test_headers_that_drip_have_no_more_time(server: Running) -> None:
    with server.open() as connection:
        assert drip(connection, endless(b"GET / HTTP/1.1\r\nHost: a\r\n", b"X-A: b\r\n")) < 5


def test_the_clock_of_the_headers_begins_anew_with_each_request(server: Running) -> None:
    with server.open() as connection:
        for _ in range(3):
            connection.sendall(b"GET /healthz HTTP/1.1\r\n")
            time.sleep(0.4)
            connection.sendall(b"Host: a\r\n\r\n")
            assert one(connection) == (200, {"status": "ok"})
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n")
        assert told(rest(connection))[0] == 408
    with server.open() as connection:
        # An empty line before a request is allowed, and begins none.
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert one(connection) == (200, {"status": "ok"})
        connection.sendall(b"\r\n")
        begun = time.monotonic()
        rest(connection)
        assert time.monotonic() - begun < 4


def test_an_idle_connection_is_closed(server: Running) -> None:
    with server.open() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        begun = time.monotonic()
        assert rest(connection).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - begun < 4


HEAD = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n%b\r\n\r\n"


@pytest.mark.parametrize("length", [b"Content-Length: 1000", b"Transfer-Encoding: chunked"])
def test_a_body_that_stalls_gets_408(length: bytes, server: Running) -> None:
    with server.open() as connection:
        connection.sendall(HEAD % (b"/v1/sources:parse", length) + b"5\r\nabcde\r\n")
        begun = time.monotonic()
        status, found = told(rest(connection))
        assert 0.7 < time.monotonic() - begun < 5
    assert (status, found["code"]) == (408, "request_timeout")


def test_a_body_that_drips_has_no_more_time(server: Running) -> None:
    with server.open() as connection:
        first = HEAD % (b"/v1/sources:parse", b"Content-Length: 1000000")
        assert drip(connection, endless(first, b"x")) < 5
        assert told(rest(connection))[0] == 408


def test_a_body_that_nobody_reads_is_not_taken_for_ever(server: Running) -> None:
    firsts = (
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD % (b"/v1/sources:parse", b"Content-Length: 9000000"),
    )

    def took(first: bytes) -> float:
        with server.open() as connection:
            return drip(connection, endless(first, b"5\r\nabcde\r\n"))

    with ThreadPoolExecutor() as both:
        assert max(both.map(took, firsts)) < 10


def test_a_client_that_sends_too_much_gets_its_answer_and_may_go_on(server: Running) -> None:
    with server.open() as connection:
        connection.sendall(HEAD % (b"/v1/sources:parse", b"Content-Length: 2100000"))
        connection.sendall(b"x" * 2_100_000)
        assert one(connection)[0] == 413
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert one(connection) == (200, {"status": "ok"})


def test_what_was_refused_is_read_at_a_pace(tmp_path: Path) -> None:
    with running(tmp_path, LINGER_PACE=500_000) as slow, slow.open() as connection:
        connection.sendall(HEAD % (b"/v1/sources:parse", b"Content-Length: 900000000"))
        sent = 0
        with suppress(ConnectionError):
            for _ in range(900):
                connection.sendall(b"x" * 1_000_000)
                sent += 1
    # As many as the buffers of both sides hold, and one or two in the time that is waited for them.
    assert sent < 20


def test_what_is_no_http_gets_a_problem(server: Running) -> None:
    with server.open() as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        status, found = told(rest(connection))
    assert (status, found["code"]) == (400, "malformed_request")


def test_whoever_does_not_take_the_answer_is_cut_off(server: Running) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
        ended = time.monotonic() + 10
        while not any(record.get("path") == "/flood" for record in server.records()):
            assert time.monotonic() < ended, "it still waits for the client"
            time.sleep(0.1)


def test_more_connections_than_may_be_get_503_as_a_problem(tmp_path: Path) -> None:
    with running(tmp_path, limit_concurrency=3, HEADER_SECONDS=20) as server:
        waiting = [server.open() for _ in range(3)]
        with server.open() as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = rest(connection)
            status, found = told(answer)
        assert (status, found["code"]) == (503, "unavailable")
        assert b"retry-after: " in answer
        for each in waiting:
            each.close()
        time.sleep(0.3)
        with server.open() as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert rest(connection).startswith(b"HTTP/1.1 200")


def test_a_stop_ends_in_time_whatever_clients_do(tmp_path: Path) -> None:
    slow = {"HEADER_SECONDS": 60, "BODY_SECONDS": 60, "KEEP_ALIVE_SECONDS": 60}
    with running(tmp_path, **slow) as server:
        silent, heads, body, stream, idle = (server.open() for _ in range(5))
        heads.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        body.sendall(HEAD % (b"/v1/sources:parse", b"Content-Length: 1000") + b"begun")
        stream.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        assert stream.recv(10)
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert one(idle)[0] == 200
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", server.port))
            deaf.sendall(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n")
            time.sleep(0.5)
            # Two seconds of patience, as the settings say, and little more.
            assert 1.5 < server.stop() < 10
        assert server.process.returncode == -signal.SIGTERM
        for each in (silent, heads, body, stream, idle):
            each.close()


def test_an_answer_without_an_end_that_heeds_a_stop_ends_at_once(tmp_path: Path) -> None:
    with running(tmp_path, SHUTDOWN_SECONDS=30) as server, server.open() as connection:
        connection.sendall(b"GET /heeding HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.recv(65536)
        assert server.stop() < 5
        assert b"ended\n" in rest(connection)


def test_no_log_line_shows_a_key(server: Running) -> None:
    key = f"claimbase_0a1B2c3D_{'s' * 32}_AbCdEf"
    for head in (
        f"GET /v1/claims?k={key}",
        f"GET /v1/keys/{key.replace('_', '%5F')}",
        f"GET /{key}",
    ):
        with server.open() as connection:
            connection.sendall(
                f"{head} HTTP/1.1\r\nHost: {key}\r\nAuthorization: Bearer {key}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            assert rest(connection).startswith(b"HTTP/1.1 4")
    time.sleep(0.2)
    log = "".join(server.log)
    assert "claimbase_0a1B2c3D" in log
    assert "ssss" not in log


def test_a_stop_waits_for_a_writer_no_longer_than_a_writer_waits(tmp_path: Path) -> None:
    with running(tmp_path, SHUTDOWN_SECONDS=1) as server:
        database = connect(file_url(tmp_path / "a.db"))
        with database.write() as connection:
            plain = api_keys.create_key(
                connection, api_keys.parse_key_request({"name": "Anna", "role": "admin"})
            )[1]
        body = b'{"name": "Bob", "role": "curator"}'
        head = HEAD % (
            b"/v1/keys",
            f"Authorization: Bearer {plain}\r\nContent-Length: {len(body)}".encode(),
        )
        with database.write(), server.open() as client:
            client.sendall(head + body)
            time.sleep(0.3)
            assert server.stop() < 8
        database.close()


def send_all(connection: socket.socket, content: bytes) -> None:
    """Send as much as the server takes."""
    with suppress(OSError):
        connection.sendall(content)


TRAILED = (
    b"POST /v1/claims HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET /", b"a"),
        (b"GET /?", b"a=b&"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ", b"a"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"X-A: b\r\n"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n", b"n"),
        (TRAILED + b"X-A: ", b"a"),
        (TRAILED, b"X-A: b\r\n"),
    ],
    ids=["path", "query", "value", "fields", "name", "trailer", "trailers"],
)
def test_a_large_head_is_refused_and_not_kept(begin: bytes, piece: bytes, server: Running) -> None:
    memory = []
    for size in (2_000_000, 2_000_000, 8_000_000):
        with server.open() as connection:
            send_all(connection, begin + piece * (size // len(piece)))
            # A route that needs no body may have answered before its trailers.
            expected = [(431, "headers_too_large"), (401, "key_required")]
            status, found = told(rest(connection))
            assert (status, found["code"]) in expected[: 1 + begin.startswith(TRAILED)]
        memory.append(server.peak_memory())
    # The first one warms up; four times as many bytes take no more.
    assert memory[2] - memory[1] < 2_000_000


def test_a_head_within_its_bounds_is_accepted(server: Running) -> None:
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 300) for number in range(190))
    with server.open() as connection:
        for piece in (b"GET /healthz HTTP/1.1\r\nHost: a\r\n", fields[:30_000], fields[30_000:]):
            connection.sendall(piece)
            time.sleep(0.05)
        connection.sendall(b"\r\n")
        assert one(connection) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("version", "hosts", "status"),
    [
        ("1.1", ["a"], 200),
        ("1.1", ["[::1]:80"], 200),
        ("1.1", [], 400),
        ("1.1", ["a", "a"], 400),
        ("1.1", ["a/b"], 400),
        ("1.1", ["<a>"], 400),
        ("1.0", [], 200),
        ("1.0", ["a", "b"], 400),
    ],
)
def test_a_request_names_one_host(
    version: str, hosts: list[str], status: int, server: Running
) -> None:
    head = f"GET /healthz HTTP/{version}\r\n" + "".join(f"Host: {host}\r\n" for host in hosts)
    with server.open() as connection:
        connection.sendall(head.encode() + b"Connection: close\r\n\r\n")
        assert rest(connection).startswith(f"HTTP/1.1 {status} ".encode())


def test_one_address_leaves_half_of_the_connections_to_others(tmp_path: Path) -> None:
    with running(tmp_path, limit_concurrency=8, HEADER_SECONDS=20) as server:
        held = [server.open("127.0.0.2") for _ in range(4)]
        for source, status in (("127.0.0.2", 503), ("127.0.0.3", 200)):
            with server.open(source) as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                assert rest(connection).startswith(f"HTTP/1.1 {status} ".encode())
        for each in held:
            each.close()


def test_one_address_that_says_nothing_leaves_a_quarter_of_the_connections_to_others(
    tmp_path: Path,
) -> None:
    with running(tmp_path, limit_concurrency=8, HEADER_SECONDS=20) as server:
        held = [server.open("127.0.0.2") for _ in range(12)]
        for each in held[6:]:
            assert rest(each) == b""
        with server.open("127.0.0.3") as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert rest(connection).startswith(b"HTTP/1.1 200 ")
        for each in held:
            each.close()


def test_few_requests_of_a_connection_wait_for_a_response(server: Running) -> None:
    first = b"GET /heeding HTTP/1.1\r\nHost: a\r\n\r\n"
    following = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    with server.open() as connection:
        last = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        connection.sendall(following * 9 + last)
        assert rest(connection).count(b"HTTP/1.1 200 ") == 10
    memory = []
    for number in (1000, 1000, 8000):
        with server.open() as connection:
            send_all(connection, first + following * number)
            assert rest(connection).count(b"HTTP/1.1 ") <= 1
        memory.append(server.peak_memory())
    assert memory[2] - memory[1] < 2_000_000


def test_a_length_of_thousands_of_digits_is_read(server: Running) -> None:
    for digits, status in ((b"0" * 5000, 200), (b"0" * 5000 + b"9" * 17, 413)):
        with server.open() as connection:
            connection.sendall(
                b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                b"Content-Length: " + digits + b"\r\n\r\n"
            )
            assert rest(connection).startswith(b"HTTP/1.1 %d " % status)
