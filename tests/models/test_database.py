"""Writers wait for each other, in order, for a bounded time and without a connection."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from api.settings import ROOT
from models.database.connections import PAGE_BYTES, Database, connect, file_url
from models.database.writer_queue import Busy, WriterQueue
from models.read import listings
from models.records.revision import lock_serial
from tests.databases import Store


def until(condition: Callable[[], bool]) -> None:
    """Wait for what must come soon."""
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def waiting(queue: WriterQueue) -> int:
    """Return how many have or want their turn."""
    return len(queue._waiting)


def start(work: Callable[[], None], queue: WriterQueue) -> threading.Thread:
    """Run work in a thread of its own, and return once it is in the queue."""
    before, thread = waiting(queue), threading.Thread(target=work)
    thread.start()
    until(lambda: waiting(queue) > before)
    return thread


def test_writers_write_in_the_order_of_their_arrival(empty: Store) -> None:
    database, came = empty.database, list[int]()

    def write(n: int) -> None:
        with database.write() as connection:
            lock_serial(connection)
            came.append(n)

    with database.write() as connection:
        lock_serial(connection)
        threads = [start(lambda n=n: write(n), database.queue) for n in range(30)]  # type: ignore[misc]
        # More than the pool has. None of them holds a connection, so nobody else waits for one.
        assert database.writer.pool.checkedout() == 1  # type: ignore[attr-defined]
        assert came == []
    for thread in threads:
        thread.join()
    assert came == list(range(30))
    assert waiting(database.queue) == 0


def test_a_writer_waits_for_a_bounded_time(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.database.connections.BUSY_SECONDS", 0.3)
    with empty.database.write():
        begun = time.monotonic()
        with pytest.raises(Busy), empty.database.write():
            pass
        assert 0.3 <= time.monotonic() - begun < 2
    # Whoever gave up is in nobody's way.
    with empty.database.write() as connection:
        lock_serial(connection)


def test_a_writer_that_gives_up_does_not_admit_the_next_one() -> None:
    queue, came = WriterQueue(), list[str]()

    def take(name: str, seconds: float) -> None:
        try:
            with queue.turn(seconds):
                came.append(name)
        except Busy:
            came.append(f"not {name}")

    with queue.turn(20):
        early = start(lambda: take("early", 0.2), queue)
        late = start(lambda: take("late", 20), queue)
        early.join()
        assert came == ["not early"]
        assert late.is_alive()
    late.join()
    assert came == ["not early", "late"]


def test_an_error_ends_the_writers_turn(empty: Store) -> None:
    for way in (empty.database.write, empty.database.write_schema):
        with pytest.raises(LookupError), way():
            raise LookupError
    assert waiting(empty.database.queue) == 0


def test_time_waited_in_the_queue_counts_for_the_whole_wait(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.database.connections.BUSY_SECONDS", 2)
    waited = list[float]()

    def write(mine: Database) -> None:
        begun = time.monotonic()
        with pytest.raises(DBAPIError), mine.write() as connection:
            lock_serial(connection)
        waited.append(time.monotonic() - begun)

    another = connect(empty.url)  # As another process has it.
    with another.write() as connection:
        lock_serial(connection)
        with empty.database.queue.turn(20):
            thread = start(lambda: write(empty.database), empty.database.queue)
            time.sleep(1.2)
        thread.join()
    another.close()
    assert 1.8 < waited[0] < 3


@pytest.mark.parametrize("way", ["reader", "writer", "inline"])
def test_a_new_file_has_large_pages_whoever_opens_it_first(tmp_path: Path, way: str) -> None:
    database = connect(file_url(tmp_path / "new.db"))
    with getattr(database, way).connect():
        pass
    with database.writer.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA page_size").scalar() == PAGE_BYTES
    database.close()


def journal(connection: Connection) -> str | None:
    """Return where SQLite keeps what is not committed; None of a server."""
    if connection.dialect.name != "sqlite":
        return None
    return str(connection.exec_driver_sql("PRAGMA journal_mode").scalar())


def test_an_empty_database_is_filled_without_the_log(empty: Store) -> None:
    database = empty.database
    usual = None if database.inline is None else "wal"
    with database.write(bulk=True) as connection:
        assert journal(connection) == (usual and "truncate")
    with pytest.raises(KeyError), database.write(bulk=True) as connection:
        lock_serial(connection)
        raise KeyError
    with database.read() as connection:
        assert journal(connection) == usual
        assert listings.current_serial(connection) == 0


def test_a_file_that_is_open_elsewhere_is_filled_through_the_log(empty: Store) -> None:
    other = connect(empty.url)
    with other.read() as looking, empty.database.write(bulk=True) as connection:
        assert journal(connection) == journal(looking)
        assert listings.current_serial(looking) == 0
    other.close()


FILLING = """
import sys, time
from models.database import prepared_statements as rows
from models.database.connections import connect
from models.records.claim import Topic
from models.records.serializers import table

rows.BULK_CACHE_KB = 100
topics = [{"id": f"t-{n}", "label": "A", "definition": "B" * 1000, "crosswalk": [],
           "external_ids": [], "state": "accepted", "revision": 1, "created": "", "updated": ""}
          for n in range(5000)]
with connect(sys.argv[1]).write(bulk=True) as connection:
    rows.prepare_for_bulk_write(connection)
    rows.insert_rows(connection, table(Topic), topics)
    print("written", flush=True)
    time.sleep(60)
"""


def test_a_writer_killed_while_filling_leaves_nothing_behind(empty: Store) -> None:
    url = empty.database.writer.url.render_as_string(hide_password=False)
    child = subprocess.Popen(
        [sys.executable, "-c", FILLING, url], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "written\n"
    if empty.database.inline is not None:
        # It did reach the file.
        assert Path(str(empty.database.inline.url.database)).stat().st_size > 4_000_000
    child.kill()
    child.communicate()
    with empty.database.write() as connection:
        assert connection.scalar(select(func.count()).select_from(listings.topic)) == 0
        assert journal(connection) in (None, "wal")
        if connection.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_what_is_looked_up_opens_no_transaction(empty: Store) -> None:
    database = empty.database
    if database.short_reader is None:
        pytest.skip("a file is read in the event loop")

    def way(connection: Connection) -> tuple[bool, bool]:
        """Return whether a statement is a transaction, and whether one is open after it."""
        listings.current_serial(connection)
        driver: Any = connection.connection.driver_connection
        return driver.autocommit, driver.info.transaction_status.name != "IDLE"

    for _ in range(2):
        with database.look_up() as connection:
            assert way(connection) == (True, False)
        with database.read_shortly() as connection:
            assert way(connection) == (False, True)
            assert connection.get_isolation_level() == "REPEATABLE READ"
