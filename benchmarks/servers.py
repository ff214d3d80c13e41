"""The servers that are measured: each one worker in its own process, on the server's processor."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from benchmarks import load, machine

PROGRAM = str(Path(sys.executable).with_name("claimbase"))
# No log line for each request, as with the others, and no limit on the number of writes.
QUIET = {
    "CLAIMBASE_LOG_LEVEL": "warning",
    # As it is without the extra `match`, which is installed here for tests.
    "CLAIMBASE_MATCH_MODEL": "false",
    "CLAIMBASE_KEY_WRITES_PER_MINUTE": "10000000",
    "CLAIMBASE_ADDRESS_WRITES_PER_MINUTE": "10000000",
}
START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A server that answers, how long its start took, and the database server that it uses."""

    base: str
    pid: int
    start_seconds: float
    postgres_url: str | None = None

    def processes(self) -> list[int]:
        """Return the ids of the processes that answer: the server's, its database's."""
        if self.postgres_url is None:
            return [self.pid]
        return [self.pid, *backends(self.postgres_url)]


@contextmanager
def claimbase(url: str, ready: str = "/healthz", **settings: str) -> Iterator[Server]:
    """Serve a store by `claimbase serve`."""
    port = _free_port()
    command = [PROGRAM, "serve", "--port", str(port), "--database-url", url]
    is_file = make_url(url).get_backend_name() == "sqlite"
    with _running(command, port, ready, QUIET | settings) as (process, seconds):
        yield Server(_base(port), process.pid, seconds, None if is_file else url)


@contextmanager
def contestant(name: str, content: Path, ready: str, *, compress: bool = False) -> Iterator[Server]:
    """Serve one of `benchmarks.contestants` on a file or folder."""
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.contestants", name, str(content), str(port)]
    if compress:
        command.append("compress")
    with _running(command, port, ready, {}) as (process, seconds):
        yield Server(_base(port), process.pid, seconds)


def backends(url: str) -> list[int]:
    """Return the ids of the processes in which PostgreSQL serves the other users of a database."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return [pid for (pid,) in rows]


@contextmanager
def _running(
    command: Sequence[str], port: int, ready: str, settings: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], float]]:
    """Run a server, and yield its process and the seconds until it answered."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=machine.ROOT,
        env=machine.ENVIRONMENT | settings,
        stdout=subprocess.DEVNULL,
        preexec_fn=machine.pinned(machine.SERVER_CPU),
    )
    try:
        # Who waits takes none of the server's processor.
        with machine.on(machine.LOAD_CPU):
            while not _answers(port, ready):
                if process.poll() is not None or time.perf_counter() - start > START_SECONDS:
                    raise RuntimeError(f"{' '.join(command)} did not start")
                time.sleep(0.005)
            seconds = time.perf_counter() - start
        yield process, seconds
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int, ready: str) -> bool:
    try:
        load.get(_base(port), ready)
    except ConnectionError:
        return False
    return True


def _base(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
