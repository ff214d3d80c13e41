"""Damage to a database's files: how it is found, and what it forbids."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock, Timer
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from models.core.errors import ClaimbaseError
from models.database.driver_errors import is_damaged, is_timeout

# How long a file is looked at before the first write. A file of 100 MB takes a third of a second
# when none of it is in memory, and one that takes longer than this is looked at in part.
CHECK_SECONDS = 5.0
log = logging.getLogger("claimbase.database")


class Damaged(ClaimbaseError):
    """The database's files are damaged, so nothing is written to them any more."""

    code = "damaged"

    def __init__(self) -> None:
        super().__init__(
            "The database is damaged, so nothing is written to it until whoever runs the server"
            " has put a good one in its place and started it anew."
        )


class DamageRecord:
    """What this process knows about damage to one database.

    `prober` opens a connection each time: an idle one would keep a bulk write off the file.
    Damage is remembered until the process ends: pages that can be read today may rest on lost ones.
    """

    def __init__(self, prober: Engine) -> None:
        self.prober = prober
        self.found: str | None = None
        self.is_checked = False
        self._lock = Lock()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Remember the damage if an error of the database in this context means it."""
        try:
            yield
        except DBAPIError as error:
            self.note(error)
            raise

    def note(self, error: DBAPIError) -> None:
        """Remember the damage if an error of the database means it."""
        if is_damaged(error):
            self._remember(str(error.orig))

    def refuse(self) -> None:
        """Raise Damaged if damage is known, or is found by the one check of this process."""
        self.check()
        if self.found is not None:
            raise Damaged

    def check(self) -> None:
        """Look at the structure of the file, once in a process and for a bounded time.

        PostgreSQL has no such check; it finds damage when it reads a page, by its checksum.
        """
        with self._lock:
            if self.is_checked or self.found is not None:
                return
            if self.prober.dialect.name == "sqlite":
                self._look()
            self.is_checked = True

    def _look(self) -> None:
        is_over = Event()
        with self.noted_quietly(), self.prober.connect() as connection:
            driver: Any = connection.connection.driver_connection

            def end() -> None:
                is_over.set()
                driver.interrupt()

            # Not by SQLite's own count of steps: to look through all pages of a file is one step.
            timer = Timer(CHECK_SECONDS, end)
            timer.start()
            try:
                result = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            finally:
                timer.cancel()
            # After an interruption the pages that it did not come to are told as used by nothing.
            if result != "ok" and not is_over.is_set():
                self._remember(str(result))
        if is_over.is_set():
            log.warning("only a part of the file was looked at for damage")

    @contextmanager
    def noted_quietly(self) -> Iterator[None]:
        """Remember damage as `noted` does; let the errors that mean it or an interruption pass."""
        try:
            yield
        except DBAPIError as error:
            if is_damaged(error):
                self.note(error)
            elif not is_timeout(error):
                raise

    def _remember(self, cause: str) -> None:
        if self.found is None:
            self.found = cause
            log.error("damaged", extra={"cause": cause})
