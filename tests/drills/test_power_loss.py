"""Power that is lost at any moment while four writers write to a file: nothing that was
acknowledged is lost, and all that is there agrees.
"""

import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from models.core.errors import ClaimbaseError
from models.database.connections import Database, connect, file_url
from tests.databases import Templates
from tests.drills.figures import Figures, progress
from tests.drills.ledger import Ledger
from tests.drills.power import (
    CREATE,
    PROMISE,
    REMOVE,
    SYNC,
    WRITE,
    Disk,
    NotingLedger,
    Operation,
    build,
    read_log,
)
from tests.drills.serving import serving, tell
from tests.drills.test_kills import crowd, persons

NAME = "a.db"
# So many losses of power are made of what one server did.
LOSSES_OF_ONE_RUN = 50
# Enough for the log of SQLite to be written back to its file, at every thousand pages.
PROMISES = 400


@dataclass
class Recording:
    """What a server did: its files of before, each operation on them, what its clients know."""

    before: Path
    operations: list[Operation]
    ledger: Ledger


def record(templates: Templates, folder: Path, promises: int) -> Recording:
    """Have a server write until there are so many promises, then stop."""
    library = build(folder)
    if library is None:
        pytest.skip("needs a C compiler")
    before, files, log = folder / "before", folder / "files", folder / "log"
    files.mkdir()
    url = templates.copy("sqlite", seeded=True)
    path = files / NAME
    shutil.copyfile(str(make_url(url).database), path)
    templates.drop(url)
    database = connect(file_url(path))
    plain = persons(database)
    database.close()
    shutil.copytree(files, before)
    log.touch()
    ledger, done = NotingLedger(log=log), threading.Event()
    noting = {"LD_PRELOAD": str(library), "POWER_FOLDER": str(files), "POWER_LOG": str(log)}
    with serving(file_url(path), folder, variables=noting) as server:
        threads, errors = crowd(server, ledger, 0, plain, done)
        while len(ledger.promised) < promises and not errors:
            time.sleep(0.01)
        done.set()
        for thread in threads:
            thread.join()
        assert errors == []
        server.process.terminate()
        server.process.wait(timeout=40)
    recording = Recording(before, read_log(log), ledger)
    must_be_complete(recording, files)
    return recording


def must_be_complete(recording: Recording, files: Path) -> None:
    """Hold what was noted to the files that the server left: nothing was done beside it."""
    disk = Disk(recording.before)
    for operation in recording.operations:
        disk.do(operation)
    for file in disk.open.values():
        file.sync()
    left = {path.name: path.read_bytes() for path in files.iterdir()}
    assert {name: bytes(file.content) for name, file in disk.open.items()} == left


def lose_power(templates: Templates, folder: Path, rounds: int) -> Figures:
    """Lose power so many times, and hold what is left to what had been promised by then."""
    figures, dice = Figures(rounds=0), random.Random(7)
    # It is opened again for each loss, so that no statement is compiled twice.
    database = connect(file_url(folder / "after-loss" / NAME))
    while figures.rounds < rounds:
        home = Path(tempfile.mkdtemp(prefix="power-", dir=folder))
        recording = record(templates, home, PROMISES)
        figures.answers += recording.ledger.statuses
        for disk in moments(recording, min(LOSSES_OF_ONE_RUN, rounds - figures.rounds), dice):
            figures.kept += must_survive(disk, recording.ledger, database, dice)
            figures.rounds += 1
            figures.count(
                losses_amid_writes=disk.waiting() > 0,
                of_these_while_the_log_was_written_back=disk.waiting(NAME) > 0,
            )
            progress(figures.rounds, rounds)
        shutil.rmtree(home)
    return figures


def moments(recording: Recording, losses: int, dice: random.Random) -> Iterator[Disk]:
    """Yield the disk at so many moments: half of them right after a promise, half anywhere."""
    operations = recording.operations
    promises = [n for n, each in enumerate(operations) if each.kind == PROMISE]
    anywhere = range(promises[0], len(operations))
    chosen = Counter(dice.choice((promises, anywhere)[n % 2]) for n in range(losses))
    disk = Disk(recording.before)
    for number, operation in enumerate(operations):
        disk.do(operation)
        for _ in range(chosen[number]):
            yield disk


def must_survive(disk: Disk, ledger: Ledger, database: Database, dice: random.Random) -> int:
    """Make the disk as a loss of power leaves it, and hold it to the promises that had come by
    then; return how many there were.
    """
    home = Path(str(database.reader.url.database)).parent
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    for name, content in disk.after_loss(dice).items():
        (home / name).write_bytes(content)
    try:
        with database.read(unlimited=True) as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        left = Ledger(
            asked=ledger.asked,
            promised=dict(islice(ledger.promised.items(), disk.promised)),
            seen=ledger.seen[: disk.seen],
        )
        left.must_hold(database)
    finally:
        database.close()
    return disk.promised


@pytest.fixture(scope="module")
def recording(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return record(templates, tmp_path_factory.mktemp("power"), 20)


def test_what_was_promised_survives_a_loss_of_power(recording: Recording, tmp_path: Path) -> None:
    dice, database = random.Random(7), connect(file_url(tmp_path / "after-loss" / NAME))
    for disk in moments(recording, 4, dice):
        assert must_survive(disk, recording.ledger, database, dice) > 0


@pytest.mark.slow
def test_what_was_promised_survives_many_losses_of_power(
    templates: Templates, tmp_path: Path
) -> None:
    tell(str(lose_power(templates, tmp_path, 100)))


def test_a_disk_that_does_not_write_what_it_says_is_noticed(
    recording: Recording, tmp_path: Path
) -> None:
    """Were syncs left out, promises would be lost, and the drill would say so."""
    dice, database = random.Random(7), connect(file_url(tmp_path / "after-loss" / NAME))
    assert {each.kind for each in recording.operations} >= {WRITE, SYNC, CREATE, REMOVE, PROMISE}
    disk, noticed = Disk(recording.before, syncs_count=False), 0
    for operation in recording.operations:
        disk.do(operation)
    for _ in range(4):
        try:
            must_survive(disk, recording.ledger, database, dice)
        except (AssertionError, ClaimbaseError, DBAPIError):
            noticed += 1
    assert noticed > 1
