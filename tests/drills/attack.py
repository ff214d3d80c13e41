"""Attacks on a server from one address, and ordinary readers whose pace is measured meanwhile.

Clients are bare sockets, since those of a library would take more of the processor than the server
does.
"""

import json
import multiprocessing
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

ATTACKER = "127.0.0.2"
PARSE = "POST /v1/sources:parse"


@dataclass
class Target:
    """Where a server listens, and what an attacker knows of it."""

    port: int
    key: str
    claims: list[str]
    stop: Any = field(default_factory=multiprocessing.get_context("spawn").Event)

    def connect(self, source: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 60, (source, 0))


def request(line: str, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of a request."""
    fields = {"Host": "a", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body:
        fields["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{line} HTTP/1.1\r\n{head}\r\n".encode() + body


def read_response(connection: socket.socket, buffer: bytearray, *, head: bool = False) -> int:
    """Read one response with a Content-Length, or up to the end of the connection, and return its
    status. With `head` there is no body."""
    while b"\r\n\r\n" not in buffer:
        if not (piece := connection.recv(262_144)):
            raise OSError("closed")
        buffer += piece
    fields, _, rest = bytes(buffer).partition(b"\r\n\r\n")
    length = next(
        (
            int(line[15:])
            for line in fields.lower().split(b"\r\n")
            if line.startswith(b"content-len")
        ),
        None,
    )
    received = len(rest)
    while not head and (length is None or received < length):
        if not (piece := connection.recv(262_144)):
            break
        received += len(piece)
    buffer.clear()
    return int(fields.split()[1])


def repeat(
    target: Target,
    number: int,
    make: Callable[[], bytes],
    *,
    head: bool = False,
    patient: bool = False,
) -> dict[int, int]:
    """Send requests on so many connections at once until the target stops; count the statuses.

    They are of one address, or each patiently of its own: it comes again a second after a 503,
    and 0 counts how often it got no answer.
    """
    statuses: dict[int, int] = {}

    def run(n: int) -> None:
        source = f"127.0.3.{n + 1}" if patient else ATTACKER
        while not target.stop.is_set():
            try:
                with target.connect(source) as connection:
                    buffer = bytearray()
                    while not target.stop.is_set():
                        connection.sendall(make())
                        status = read_response(connection, buffer, head=head)
                        statuses[status] = statuses.get(status, 0) + 1
                        if patient and status == 503:
                            target.stop.wait(1)
            except OSError:
                if patient:  # An attacker is cut off as a rule.
                    statuses[0] = statuses.get(0, 0) + 1

    threads = [threading.Thread(target=run, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


@contextmanager
def attacking(target: Target, name: str, number: int | None = None) -> Iterator[list[Any]]:
    """Run an attack, or a crowd of so many, in a process as long as the context lasts; its result
    follows in the list.
    """
    results: list[Any] = []
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    target.stop.clear()
    process = context.Process(target=_attack, args=(name, number, target, sender))
    process.start()
    assert receiver.recv() == "ready"
    try:
        yield results
    finally:
        target.stop.set()
        results.append(receiver.recv() if receiver.poll(60) else None)
        process.kill()
        process.join()
        receiver.close()
        sender.close()


def _attack(name: str, number: int | None, target: Target, sender: Any) -> None:
    run = ATTACKS[name] if number is None else CROWDS[name](number)
    sender.send("ready")
    sender.send(run(target))


def a_slug() -> str:
    """Return a slug that does not exist."""
    return f"ccsvi-cuases-{random.randrange(10**6)}"


@cache
def bibtex(entries: int) -> bytes:
    """Return a file of ordinary entries."""
    return "".join(
        f"@article{{key{number},\n  author = {{Doe, Jane and Roe, Richard {number}}},\n"
        f"  title = {{A study of veins, number {number}}},\n  journal = {{J Veins}},\n"
        f"  year = {{2010}}, volume = {{{number}}}, pages = {{1--9}},\n"
        f"  doi = {{10.1234/veins.{number}}}\n}}\n"
        for number in range(entries)
    ).encode()


def parse(body: bytes) -> bytes:
    return request(PARSE, body, Content_Type="application/x-bibtex")


@cache
def crossrefs() -> bytes:
    fields = "".join(f"f{number} = {{x}},\n" for number in range(12_000))
    children = "".join(
        f"@inproceedings{{c{number}, crossref = {{p}}, title = {{T}}}}\n" for number in range(2000)
    )
    return (children + f"@proceedings{{p,\n{fields} title = {{P}}}}\n").encode()


@cache
def many_repeated_names() -> bytes:
    return b"{" + b",".join([b'"a":1'] * 3200) + b"}"


@cache
def wide_batch() -> bytes:
    record = {"type": "topic", **{f"unknown{number}": number for number in range(100)}}
    return json.dumps({"records": [record] * 1000}).encode()


def slow_reading(target: Target) -> int:
    """Read exports as slowly as a bad line, two at once; return how many bytes were taken."""
    taken = 0
    connections = [target.connect(ATTACKER) for _ in range(2)]
    for connection in connections:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.sendall(request("GET /v1/export"))
    while not target.stop.wait(0.1):
        for connection in connections:
            with suppress(OSError):
                taken += len(connection.recv(5000))
    for connection in connections:
        connection.close()
    return taken


def large_head(start: bytes, piece: bytes) -> Callable[[Target], int]:
    """Return an attack that sends 37 MB where a head belongs; it counts the refusals."""

    def run(target: Target) -> int:
        refused = 0
        while not target.stop.is_set():
            with suppress(OSError), target.connect(ATTACKER) as connection:
                with suppress(OSError):
                    for _ in range(37):
                        connection.sendall(start + piece * (1_000_000 // len(piece)))
                refused += b" 431 " in connection.recv(100)
        return refused

    return run


LARGE = request("GET /v1/claims?limit=200&include=evidence,sources")
# How slow clients begin: in silence, with headers or a body that have no end, with an answer that
# they hardly take.
BEGINNINGS = (
    b"",
    b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ",
    b"POST /v1/sources:parse HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-bibtex\r\n"
    b"Content-Length: 100000\r\n\r\n",
    LARGE,
)
# How long a slow client waits that was cut off, until it comes again.
PAUSE_SECONDS = 2.0


@dataclass
class SlowClient:
    """A client that sends or takes a few bytes a second."""

    beginning: bytes
    address: str
    connection: socket.socket | None = None
    received: bytes = b""
    rests_until: float = 0.0

    def go_on(self, target: Target) -> int | None:
        """Connect, or send and take a little; return the status with which it was cut off, 0 if it
        got none, or None if it was not.
        """
        if self.connection is None:
            if time.monotonic() > self.rests_until:
                self._begin(target)
            return None
        try:
            if self.sends:
                self.connection.send(b"a")
            piece = self.connection.recv(100)
        except BlockingIOError:
            return None
        except OSError:
            piece = b""  # It was cut off.
        if not piece:
            return self._end()
        self.received = (self.received + piece)[:100]
        return None

    @property
    def sends(self) -> bool:
        """Whether it goes on sending, since its request has no end."""
        return self.beginning != b"" and self.beginning != LARGE

    def _begin(self, target: Target) -> None:
        connection = socket.socket()
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.bind((self.address, 0))
            connection.connect(("127.0.0.1", target.port))
            connection.sendall(self.beginning)
        except OSError:
            connection.close()
            self.rests_until = time.monotonic() + PAUSE_SECONDS
            return
        connection.setblocking(False)
        self.connection, self.received = connection, b""

    def _end(self) -> int:
        assert self.connection is not None
        self.connection.close()
        self.connection = None
        self.rests_until = time.monotonic() + PAUSE_SECONDS
        words = self.received.split()
        return int(words[1]) if len(words) > 1 else 0


def crawling(number: int, addresses: int) -> Callable[[Target], tuple[Any, int]]:
    """Return an attack by so many slow clients of so many addresses.

    It counts the statuses with which they were cut off, and how many were connected at once.
    """

    def run(target: Target) -> tuple[dict[int, int], int]:
        statuses: dict[int, int] = {}
        most = 0
        clients = [
            SlowClient(BEGINNINGS[n % len(BEGINNINGS)], f"127.0.2.{1 + n // 4 % addresses}")
            for n in range(number)
        ]
        while not target.stop.wait(0.2):
            for client in clients:
                status = client.go_on(target)
                if status is not None:
                    statuses[status] = statuses.get(status, 0) + 1
            most = max(most, sum(client.connection is not None for client in clients))
        for client in clients:
            if client.connection is not None:
                client.connection.close()
        return statuses, most

    return run


def a_word() -> str:
    return random.choice(("vein", "blood", "cause", "ms", "study", "patients")) + "+or+the"


def facet_of(topic: str) -> str:
    return f"GET /v1/claims/facets?as_of={random.randrange(1990, 2026)}&q={topic}"


def a_long_read() -> bytes:
    """Return one of many requests that the database takes long for, and no cache has."""
    day = f"{random.randrange(1990, 2026)}-{random.randrange(1, 13):02}"
    paths = (
        f"/v1/claims/facets?by=status,kind&as_of={day}",
        f"/v1/claims?include=evidence&limit=50&as_of={day}",
        f"/v1/evidence?sort=-published&limit=100&level={random.randrange(1, 6)}&as_of={day}",
    )
    return request(f"GET {random.choice(paths)}")


# Clients in crowds, by their number: nothing that they send is bad.
CROWDS: dict[str, Callable[[int], Callable[[Target], Any]]] = {
    "slow, one address": lambda number: crawling(number, 1),
    "slow, four addresses": lambda number: crawling(number, 4),
    "readers": lambda number: lambda target: repeat(target, number, a_long_read, patient=True),
}

ATTACKS: dict[str, Callable[[Target], Any]] = {
    "V1-motif": lambda target: repeat(
        target, 4, lambda: parse(b"@article{a, title = {x" + b")@a(" * 10_000)
    ),
    "V1-letters": lambda target: repeat(
        target, 4, lambda: parse(b"@article{a, title = {x}}\n" + b"a" * 40_000)
    ),
    "V2-crossref": lambda target: repeat(target, 4, lambda: parse(crossrefs())),
    "V3-uploads": lambda target: repeat(target, 40, lambda: parse(bibtex(9000)[:2_000_000])),
    "V4-value": large_head(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ", b"a"),
    "V4-fields": large_head(b"GET / HTTP/1.1\r\nHost: a\r\n", b"X-A: b\r\n"),
    "V5-misspelt": lambda target: repeat(target, 16, lambda: request(f"GET /v1/claims/{a_slug()}")),
    "V6-repeated-names": lambda target: repeat(
        target,
        8,
        lambda: request(
            "POST /v1/topics",
            many_repeated_names(),
            Content_Type="application/json",
            Authorization=f"Bearer {target.key}",
        ),
    ),
    "V8-headers": lambda target: repeat(
        target,
        8,
        lambda: request(
            "GET /v1/claims?limit=1", If_None_Match=f'"{random.random()}{"x" * 10_000}"'
        ),
    ),
    "V9-honest": lambda target: repeat(target, 30, lambda: parse(bibtex(1000))),
    "V10-batch": lambda target: repeat(
        target,
        2,
        lambda: request(
            "POST /v1/claims:batch",
            wide_batch(),
            Content_Type="application/json",
            Authorization=f"Bearer {target.key}",
        ),
    ),
    "V11-export": slow_reading,
    "V12-facets": lambda target: repeat(target, 40, lambda: request(facet_of("vein"))),
    "V13-unknown": lambda target: repeat(
        target,
        8,
        lambda: request(f"GET /v1/claims?source={','.join(a_slug() for _ in range(50))}"),
    ),
    "highlights": lambda target: repeat(
        target, 8, lambda: request(f"GET /v1/claims?q={a_word()}&highlight=true&limit=200")
    ),
    "V20-head": lambda target: repeat(
        target, 8, lambda: request("HEAD /v1/claims?format=bibtex"), head=True
    ),
}


def warm(target: Target) -> None:
    """Ask for each claim once, so that what is read later was read before."""
    buffer = bytearray()
    with target.connect("127.0.1.1") as connection:
        for claim in target.claims:
            connection.sendall(request(f"GET /v1/claims/{claim}"))
            assert read_response(connection, buffer) == 200


def pace(target: Target, seconds: float, number: int = 8) -> tuple[float, float]:
    """Return how many claims a second so many ordinary readers get, and the longest wait."""
    counts = [0] * number
    longest = [0.0] * number
    until = time.monotonic() + seconds

    def run(reader: int) -> None:
        dice = random.Random(reader)
        buffer = bytearray()
        with target.connect(f"127.0.1.{reader + 1}") as connection:
            while time.monotonic() < until:
                claim = dice.choice(target.claims)
                began = time.monotonic()
                connection.sendall(request(f"GET /v1/claims/{claim}"))
                assert read_response(connection, buffer) == 200
                longest[reader] = max(longest[reader], time.monotonic() - began)
                counts[reader] += 1

    threads = [threading.Thread(target=run, args=(reader,)) for reader in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(counts), "a reader got nothing"
    return sum(counts) / seconds, max(longest)
