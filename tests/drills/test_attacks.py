"""What one address sends is slow for that address alone.

Under each attack readers keep half of their pace or more, memory stays bounded, and the server
stops in its time.
"""

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
from sqlalchemy import text

from models.database.connections import connect
from tests.databases import DATABASES, Templates
from tests.drills.attack import ATTACKS, Target, attacking, pace, warm
from tests.drills.serving import Server, people, serving, tell

CLAIMS = 5000
MOST_MEMORY = 600_000_000
LEAST_PACE = 0.5
SECONDS = 6.0


@dataclass
class Stores:
    """The stores of the attacks: their addresses, and on each the key of a contributor."""

    urls: dict[str, str]
    keys: dict[str, str]
    claims: list[str]


@pytest.fixture(scope="module")
def stores(templates: Templates) -> Iterator[Stores]:
    found = Stores({}, {}, [])
    for kind in DATABASES:
        url = found.urls[kind] = templates.filled(kind, CLAIMS)
        database = connect(url)
        found.keys[kind] = people(database, 1, "contributor")[0]
        with database.read() as connection:
            slugs = connection.execute(text("SELECT claim FROM claim_document ORDER BY claim"))
            found.claims = list(slugs.scalars())
        database.close()
    yield found
    for url in found.urls.values():
        templates.drop(url)


def memory(server: Server) -> int:
    """Return the bytes of memory that a server and its children have to themselves."""
    process = psutil.Process(server.process.pid)
    processes = [process, *process.children(recursive=True)]
    return sum(each.memory_full_info().uss for each in processes)


@pytest.mark.slow
@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("kind", DATABASES)
def test_an_attack_is_slow_for_itself_alone(
    attack: str, kind: str, stores: Stores, tmp_path: Path
) -> None:
    with serving(stores.urls[kind], tmp_path) as server:
        target = Target(server.port, stores.keys[kind], stores.claims)
        warm(target)
        before, _ = pace(target, SECONDS)
        peak = 0
        with attacking(target, attack) as results:
            time.sleep(1)
            during, longest = pace(target, SECONDS / 2)
            peak = max(peak, memory(server))
            during, longest = max((during, longest), pace(target, SECONDS / 2))
            peak = max(peak, memory(server))
            server.process.send_signal(signal.SIGTERM)
            began = time.monotonic()
            server.process.wait(timeout=40)
            stopped = time.monotonic() - began
        tell(
            f"{kind} {attack}: {before:.0f} claims/s before, {during:.0f} during"
            f" ({during / before:.2f}), longest {longest * 1000:.0f} ms,"
            f" {peak / 1e6:.0f} MB, stopped in {stopped:.1f} s, {results}"
        )
        # A stop refuses what waits, and ends what would take too long.
        assert not any(500 in statuses for statuses in results if isinstance(statuses, dict))
        assert during > LEAST_PACE * before
        assert peak < MOST_MEMORY
        assert stopped < 12
