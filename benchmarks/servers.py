"""The servers that are measured: each one worker in a process of its own, on the server's processor."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, machine

PROGRAM = str(Path(sys.executable).with_name("claimbase"))
# Without a line of the log for each request, as for the others, and without limits on how often one may write.
QUIET = {
    "CLAIMBASE_LOG_LEVEL": "warning",
    "CLAIMBASE_KEY_WRITES_PER_MINUTE": "10000000",
    "CLAIMBASE_ADDRESS_WRITES_PER_MINUTE": "10000000",
}
START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A server that answers, and how long it took until it did."""

    base: str
    pid: int
    seconds: float


@contextmanager
def claimbase(url: str, ready: str = "/healthz", **settings: str) -> Iterator[Server]:
    """Serve a store as `claimbase serve` does."""
    port = _free_port()
    command = [PROGRAM, "serve", "--port", str(port), "--database-url", url]
    with _running(command, port, ready, QUIET | settings) as server:
        yield server


@contextmanager
def contestant(name: str, given: Path, ready: str) -> Iterator[Server]:
    """Serve one of `benchmarks.contestants` on what it is given."""
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.contestants", name, str(given), str(port)]
    with _running(command, port, ready, {}) as server:
        yield server


@contextmanager
def _running(
    command: Sequence[str], port: int, ready: str, settings: dict[str, str]
) -> Iterator[Server]:
    begun = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=machine.ROOT,
        env=machine.ENVIRONMENT | settings,
        stdout=subprocess.DEVNULL,
        preexec_fn=machine.pinned(machine.SERVER_CPU),
    )
    base = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                load.get(base, ready)
                break
            except ConnectionError:
                if process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
                    raise RuntimeError(f"{' '.join(command)} did not start") from None
                time.sleep(0.005)
        yield Server(base, process.pid, time.perf_counter() - begun)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
