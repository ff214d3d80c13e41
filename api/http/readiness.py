"""The checks that decide whether a process is ready to answer, each with a limit of its own."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread

from models.core.errors import ClaimbaseError
from models.core.types import Shape
from models.database import schema_version
from models.database.connections import Database
from models.database.readiness import free_bytes, replica_lag

# A check is given up after this time. Whoever asks waits for a few seconds (the container's own
# health check for four), and a database that takes longer serves nobody.
CHECK_SECONDS = 2.0
# With less room than this a backup, a migration or a day of writes may fill the disk.
LEAST_FREE_MB = 100
# Readers who follow changes come back within a minute; a replica further behind misleads them.
MOST_LAG_SECONDS = 60.0
log = logging.getLogger("claimbase.database")


class Check(Shape):
    """What came out of one check."""

    name: str
    ok: bool
    detail: str


class NotReady(Exception):
    """A check failed, and this says why."""


def _is_reachable(database: Database) -> str:
    with database.probe() as connection:
        schema_version.current(connection)
    return "It answers."


def _is_migrated(database: Database) -> str:
    with database.probe() as connection:
        at = schema_version.current(connection)
    if at != schema_version.HEAD:
        raise NotReady(
            f"It is at migration {at}, this program at {schema_version.HEAD}: run claimbase"
            " migrate."
        )
    return f"It is at migration {at}."


def _is_undamaged(database: Database) -> str:
    database.damage.check()
    if database.damage.found is not None:
        raise NotReady("It is damaged, and nothing is written to it.")
    return "None is known."


def _has_room(database: Database) -> str:
    free = free_bytes(database)
    if free is not None and free < LEAST_FREE_MB * 2**20:
        raise NotReady(f"{free // 2**20} MB are free, fewer than {LEAST_FREE_MB}.")
    return f"At least {LEAST_FREE_MB} MB are free, or it is on a server of its own."


def _is_up_to_date(database: Database) -> str:
    with database.probe() as connection:
        lag = replica_lag(connection)
    if lag is None:
        return "It is no replica."
    if lag > MOST_LAG_SECONDS:
        raise NotReady(
            f"The replica is {lag:.0f} seconds behind, more than {MOST_LAG_SECONDS:.0f}."
        )
    return f"The replica is at most {MOST_LAG_SECONDS:.0f} seconds behind."


# Each returns what it found, or raises `NotReady` or an error of the database.
CHECKS: dict[str, Callable[[Database], str]] = {
    "database": _is_reachable,
    "migrations": _is_migrated,
    "damage": _is_undamaged,
    "disk": _has_room,
    "replica": _is_up_to_date,
}


@dataclass
class Checks:
    """Checks that run at the same time, each in a thread of its own.

    A check that hangs keeps its one thread, and is not begun again until it ends.
    """

    database: Database
    _running: dict[str, "Future[Check]"] = field(default_factory=dict)

    async def run(self) -> list[Check]:
        """Return what came out of each check, in at most `CHECK_SECONDS`."""
        return list(await asyncio.gather(*map(self._result, CHECKS)))

    async def _result(self, name: str) -> Check:
        running = self._running.get(name)
        if running is None or running.done():
            running = self._running[name] = Future()
            # The process ends without waiting for such a thread.
            arguments = (name, self.database, running)
            Thread(target=_carry_out, args=arguments, daemon=True).start()
        try:
            shielded = asyncio.shield(asyncio.wrap_future(running))
            return await asyncio.wait_for(shielded, CHECK_SECONDS)
        except TimeoutError:
            return Check(name=name, ok=False, detail=f"No answer within {CHECK_SECONDS:g} seconds.")


def _carry_out(name: str, database: Database, result: "Future[Check]") -> None:
    try:
        check = Check(name=name, ok=True, detail=CHECKS[name](database))
    except (NotReady, ClaimbaseError) as error:
        check = Check(name=name, ok=False, detail=str(error))
    except Exception as error:
        # Its text is for whoever runs the server, and may name addresses.
        log.warning("not ready", extra={"check": name, "cause": f"{type(error).__name__}: {error}"})
        check = Check(name=name, ok=False, detail="The database cannot be asked; see the log.")
    result.set_result(check)
