"""The model of texts in a server: a thread loads it, and makes the vectors that claims lack.

Requests read `nearest`, and need not wait: until the model is there it says so, and a claim that
has no vector yet is found by its words.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from models.core.errors import ClaimbaseError
from models.database.connections import Database
from models.read import listings
from models.search import embedding, vectors
from models.search.embedding import NoModel

if TYPE_CHECKING:
    from models.search.nearest import Nearest

# How often to look whether claims changed, and how long to wait after an error of the database.
POLL_SECONDS = 1.0
RETRY_SECONDS = 30.0
# How much the thread yields to those that answer requests, as `nice` counts it.
NICENESS = 10
TURNED_OFF = NoModel("By words alone: the model is turned off (CLAIMBASE_MATCH_MODEL).")
LOADING = NoModel("By words alone: the model is being loaded; ask again in a few seconds.")

log = logging.getLogger("claimbase.match")


class TextModel:
    """The model of this process, or why there is none, and how many claims it does not know yet."""

    def __init__(
        self, database: Database, abbreviations: Mapping[str, str], *, wanted: bool
    ) -> None:
        self.nearest: Nearest | NoModel = LOADING if wanted else TURNED_OFF
        self.left = 0
        self._database = database
        self._abbreviations = abbreviations
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def model(self) -> "Nearest | None":
        """The model, or None if there is none now."""
        return None if isinstance(self.nearest, NoModel) else self.nearest

    @property
    def note(self) -> str | None:
        """What a reader must know of an answer by the model: a sentence, or None."""
        if isinstance(self.nearest, NoModel):
            return self.nearest.reason
        if self.left:
            return f"Up to {self.left:,} claims are not known to the model yet: by words alone."
        return None

    def start(self) -> None:
        """Begin to load the model, if it is wanted."""
        if self.nearest is LOADING:
            # It is a daemon, so that no fault of a library keeps the process from ending.
            self._thread = threading.Thread(target=self._run, name="text model", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop making vectors, and wait until those that are made are stored."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        _yield_to_others()
        model = embedding.load()
        if isinstance(model, NoModel):
            self.nearest = model
            return
        # Imported here, since it needs the extra.
        from models.search.nearest import Nearest

        self.nearest = Nearest(model, self._abbreviations)
        serial: int | None = None
        wait = 0.0
        while not self._stopping.wait(wait):
            try:
                serial = self._fill(self.nearest, serial)
                wait = POLL_SECONDS
            except (DBAPIError, PoolTimeout, ClaimbaseError) as error:
                log.warning("cannot make vectors", extra={"error": type(error).__name__})
                wait = RETRY_SECONDS

    def _fill(self, nearest: "Nearest", since: int | None) -> int:
        """Make the vectors of all claims, or of those that changed since; return the serial."""
        with self._database.read(unlimited=True) as connection:
            serial = listings.current_serial(connection)
            if serial == since:
                return serial
            if since is None:
                nearest.read_new(connection)
                claims = vectors.accepted_claims(connection)
            else:
                claims = vectors.changed_claims(connection, since)
        began = time.monotonic()
        self.left = len(claims)
        made = vectors.fill(
            self._database, nearest.model, claims, self._stopping.is_set, self._count_down
        )
        if made:
            seconds = round(time.monotonic() - began, 1)
            log.info("vectors made", extra={"made": made, "seconds": seconds})
        return serial

    def _count_down(self, looked_at: int) -> None:
        self.left -= looked_at


def _yield_to_others() -> None:
    """Let the processor go to other threads first, where the system has priorities of threads."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
