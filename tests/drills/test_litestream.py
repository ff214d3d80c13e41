"""Litestream beside a served file: what it had copied when all was killed comes back whole."""

import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import make_url

from models.database.connections import connect, file_url
from models.read import listings
from tests.databases import Templates
from tests.drills.figures import Figures, progress
from tests.drills.ledger import Ledger
from tests.drills.serving import Answer, Server, people, serving, tell
from tests.drills.test_kills import crowd, persons

REQUIREMENTS = Path(__file__).with_name("litestream.txt")
# It copies what is new every second, as in the configuration that docs/operations.md shows; a busy
# machine may take some more.
CONFIGURATION = """
dbs:
  - path: {path}
    busy-timeout: 5s
    replica:
      type: file
      path: {replica}
      sync-interval: 1s
"""
MOST_SECONDS_LOST = 10.0


def install(folder: Path) -> Path | None:
    """Install the pinned Litestream into a folder, and return its program, or None if PyPI does not
    have it for this machine, or is not there.
    """
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
    command = [sys.executable, *pip, "--target", str(folder), "-r", str(REQUIREMENTS)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    return folder / "bin" / "litestream"


@dataclass
class TimedLedger(Ledger):
    """A ledger that knows when each promise came."""

    times: dict[int, float] = field(default_factory=dict)

    def note(self, answer: Answer) -> None:
        """Keep what an answer promises, and when it came."""
        super().note(answer)
        with self.lock:
            for serial in self.promised.keys() - self.times.keys():
                self.times[serial] = time.monotonic()


@contextmanager
def replicating(program: Path, path: Path, replica: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Copy a file as it changes, and kill that at the end."""
    configuration = replica.with_suffix(".yml")
    configuration.write_text(CONFIGURATION.format(path=path, replica=replica), encoding="utf-8")
    log = replica.with_suffix(".log")
    with log.open("wb") as written:
        command = [str(program), "replicate", "-config", str(configuration)]
        process = subprocess.Popen(command, stdout=written, stderr=written)
    try:
        until = time.monotonic() + 30
        while not any(replica.rglob("*.ltx")):
            assert process.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < until, log.read_text("utf-8")
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait(timeout=20)


def restore(program: Path, path: Path, replica: Path) -> Path:
    """Restore what was copied to a file of its own, and return that."""
    restored = replica.with_suffix(".restored")
    configuration = replica.with_suffix(".yml")
    options = ("-config", str(configuration), "-o", str(restored), str(path))
    command = [str(program), "restore", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return restored


def purge_something(server: Server, admins: list[str]) -> None:
    """Purge a topic that was rejected, which empties the log of SQLite, or tries to."""
    first, second = map(server.client, admins)
    topic = {"id": "purged", "label": "Purged", "definition": "It is purged."}
    answer = first.ask("POST", "/v1/topics", topic)
    for action in ("reject", "purge"):
        path = f"/v1/records/topic/purged:{action}"
        answer = second.ask("POST", path, {"comment": "Why not."}, If_Match=answer.tag)
        assert answer.status == 200, answer.body


def replicate(templates: Templates, folder: Path, rounds: int, promises: int = 300) -> Figures:
    """Copy a served file by Litestream, and lose the machine so many times.

    Every third time all is stopped in order, and then nothing may be lost.
    """
    program = install(folder / "litestream")
    if program is None:
        pytest.skip("needs Litestream from PyPI")
    figures, when = Figures(rounds=rounds), random.Random(7)
    for number in range(rounds):
        home = folder / f"round-{number}"
        home.mkdir()
        path, replica, ledger = home / "a.db", home / "replica", TimedLedger()
        url = templates.copy("sqlite", seeded=True)
        shutil.copyfile(str(make_url(url).database), path)
        templates.drop(url)
        database = connect(file_url(path))
        plain, admins = persons(database), people(database, 2, "admin")
        database.close()
        with (
            replicating(program, path, replica) as copying,
            serving(file_url(path), home) as server,
        ):
            done = threading.Event()
            threads, errors = crowd(server, ledger, 0, plain, done)
            wait_for(ledger, promises // 2, errors)
            purge_something(server, admins)
            wait_for(ledger, promises, errors)
            time.sleep(when.uniform(0, 1.5))
            in_order = number % 3 == 2
            if in_order:
                done.set()
                for thread in threads:
                    thread.join()
                server.process.terminate()
                server.process.wait(timeout=40)
                copying.terminate()
                copying.wait(timeout=40)
            stopped = time.monotonic()
            copying.kill()
            server.kill()
            for thread in threads:
                thread.join()
            assert errors == []
        lost = must_be_whole(restore(program, path, replica), ledger)
        assert not (lost and in_order)
        seconds = max((stopped - ledger.times[serial] for serial in lost), default=0.0)
        assert seconds < MOST_SECONDS_LOST
        figures.add(ledger)
        figures.kept -= len(lost)
        figures.count(stopped_in_order=in_order, not_copied_yet_when_killed=len(lost))
        figures.longest(seconds_that_these_were_old=seconds)
        shutil.rmtree(home)
        progress(number + 1, rounds)
    return figures


def wait_for(ledger: Ledger, promises: int, errors: list[Exception]) -> None:
    """Wait until so many promises came, or something went wrong."""
    while len(ledger.promised) < promises and not errors:
        time.sleep(0.01)


def must_be_whole(restored: Path, ledger: Ledger) -> list[int]:
    """Hold what was restored to what was promised up to its last serial; return the later ones."""
    database = connect(file_url(restored))
    try:
        database.damage.refuse()
        with database.read() as connection:
            last = listings.current_serial(connection)
        left = Ledger(
            asked=ledger.asked,
            promised={n: record for n, record in ledger.promised.items() if n <= last},
            seen=[change for change in ledger.seen if change["serial"] <= last],
        )
        left.must_hold(database)
    finally:
        database.close()
    return [serial for serial in ledger.promised if serial > last]


@pytest.mark.slow
def test_what_litestream_had_copied_comes_back_whole(templates: Templates, tmp_path: Path) -> None:
    tell(str(replicate(templates, tmp_path, 3)))
