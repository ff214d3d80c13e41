"""Crowds of clients: hundreds that are slow, and many more readers than there are connections to
the database.
"""

import random
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from sqlalchemy import text

from models.database.connections import POOL_SIZE, connect
from tests.databases import Templates
from tests.drills.attack import Target, attacking, read_response, request, warm
from tests.drills.figures import Figures, progress
from tests.drills.serving import Server, people, serving, tell, together

CLAIMS = 5000
LEAST_PACE = 0.5
# What has an answer in memory, or needs no connection to the database, is answered within these
# seconds.
LONGEST_WAIT = 2.0


def target_of(url: str, server: Server) -> Target:
    """Return a server as a crowd sees it."""
    database = connect(url)
    key = people(database, 1, "contributor")[0]
    with database.read() as connection:
        claims = list(connection.execute(text("SELECT claim FROM claim_document")).scalars())
    database.close()
    return Target(server.port, key, claims)


@dataclass
class Readers:
    """What readers of addresses of their own got: statuses, and for a second of the server's
    processor, which what others do on the machine changes little.
    """

    statuses: Counter[int]
    pace: float
    longest: float


def read(server: Server, target: Target, seconds: float, number: int = 8) -> Readers:
    """Have so many read claims for so long; who gets a 503 comes again in a moment."""
    found = Readers(Counter(), 0, 0)
    until = time.monotonic() + seconds

    def work(reader: int) -> None:
        dice = random.Random(reader)
        while time.monotonic() < until:
            with target.connect(f"127.0.1.{reader + 1}") as connection:
                status = 200
                while status == 200 and time.monotonic() < until:
                    begun = time.monotonic()
                    connection.sendall(request(f"GET /v1/claims/{dice.choice(target.claims)}"))
                    status = read_response(connection, bytearray())
                    found.statuses[status] += 1
                    found.longest = max(found.longest, time.monotonic() - begun)
            if status != 200:
                time.sleep(0.1)

    process = psutil.Process(server.process.pid)
    begun = process.cpu_times()
    together(work, number)
    ended = process.cpu_times()
    used = ended.user + ended.system - begun.user - begun.system
    found.pace = found.statuses[200] / used
    return found


def stop(server: Server) -> float:
    """Stop a server, and return how long that took."""
    server.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    server.process.wait(timeout=40)
    return time.monotonic() - began


def crawl(
    templates: Templates, kind: str, folder: Path, crowd: str, clients: int, seconds: float = 45
) -> Figures:
    """Let so many clients be slow, longer than any time limit, while others read."""
    figures = Figures(rounds=clients)
    url = templates.filled(kind, CLAIMS)
    # One address has half of the connections at most; of four each gets what it asks for.
    more = {} if "one" in crowd else {"CLAIMBASE_LIMIT_CONCURRENCY": str(2 * clients)}
    with serving(url, folder, variables=more) as server:
        target = target_of(url, server)
        warm(target)
        before = read(server, target, 6)
        with attacking(target, crowd, clients) as results:
            time.sleep(3)  # They come one after another.
            during = read(server, target, seconds)
            progress(clients, clients)
            stopped = stop(server)
        cut_off, most = results[0]
    templates.drop(url)
    figures.answers = Counter({status: cut_off[status] for status in cut_off if status})
    figures.count(
        slow_at_once=most,
        cut_off_without_an_answer=cut_off.get(0, 0),
        reads_of_others=during.statuses[200],
        reads_a_second_of_the_processor=during.pace,
        without_slow_clients=before.pace,
        seconds_of_their_longest_wait=during.longest,
        seconds_of_the_stop=stopped,
    )
    assert not any(500 <= status != 503 for status in cut_off), cut_off
    assert set(during.statuses) <= {200}, during
    assert during.pace > LEAST_PACE * before.pace, figures
    assert during.longest < LONGEST_WAIT, figures
    assert stopped < 12, figures
    return figures


def read_at_once(
    templates: Templates, kind: str, folder: Path, clients: int, seconds: float = 30
) -> Figures:
    """Let so many clients read at once what takes long, by far fewer connections."""
    figures = Figures(rounds=clients)
    url = templates.filled(kind, CLAIMS)
    with serving(url, folder) as server:
        target = target_of(url, server)
        longest = 0.0
        with attacking(target, "readers", clients) as results:
            client, until = server.client(), time.monotonic() + seconds
            while time.monotonic() < until:
                for path in ("/healthz", "/v1/vocabularies"):
                    begun = time.monotonic()
                    assert client.ask("GET", path).status == 200
                    longest = max(longest, time.monotonic() - begun)
                time.sleep(0.02)
            progress(clients, clients)
        figures.answers = Counter(results[0])
        assert client.ask("GET", "/v1/claims?limit=1").status == 200
    templates.drop(url)
    figures.count(
        connections_to_the_database=POOL_SIZE,
        seconds_of_the_longest_wait_without_the_database=longest,
    )
    assert figures.answers[200] > clients, figures
    assert set(figures.answers) <= {200, 503}, figures
    assert longest < LONGEST_WAIT, figures
    return figures


@pytest.mark.slow
@pytest.mark.parametrize("crowd", ["slow, one address", "slow, four addresses"])
def test_slow_clients_keep_nobody_else_waiting(
    templates: Templates, kind: str, tmp_path: Path, crowd: str
) -> None:
    tell(str(crawl(templates, kind, tmp_path, crowd, 100)))


@pytest.mark.slow
def test_more_readers_than_connections_all_get_an_answer(
    templates: Templates, kind: str, tmp_path: Path
) -> None:
    tell(str(read_at_once(templates, kind, tmp_path, 150)))
