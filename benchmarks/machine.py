"""The machine: which processor does what, what a process needed, what to write beside the figures."""

import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

CPUS = sorted(os.sched_getaffinity(0))
# One processor for the server alone; whatever drives it, and PostgreSQL, share another.
LOAD_CPU, SERVER_CPU = CPUS[0], CPUS[-1]
ROOT = Path(__file__).resolve().parent.parent
# An installed program has its bytecode beside it. Where Python is told to write none, each start would compile ours anew, but
# not what it is compared with.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
PACKAGES = (
    "fastapi",
    "starlette",
    "pydantic",
    "sqlmodel",
    "sqlalchemy",
    "uvicorn",
    "uvloop",
    "httptools",
    "datasette",
)


def pinned(cpu: int) -> Callable[[], None]:
    """Return what keeps a child process on one processor."""
    return lambda: os.sched_setaffinity(0, {cpu})


@contextmanager
def on(cpu: int) -> Iterator[None]:
    """Keep this process's thread on one processor for a while."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def child(command: Sequence[str]) -> tuple[float, float]:
    """Run a command to its end; return how many seconds it took and its peak memory in MB. Raises where it fails."""
    begun = time.perf_counter()
    # Each child reports what it needed itself, so no other's peak stands in its place.
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT, env=ENVIRONMENT
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {said.decode()[-1000:]}")
    return time.perf_counter() - begun, usage.ru_maxrss / 1024


def memory(pid: int, what: str = "VmRSS") -> float:
    """Return a process's memory in MB, as it is now or (VmHWM) at its peak."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status does not tell {what}")


def forget_peak(pid: int) -> None:
    """Let the peak of a process's memory begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="utf-8")


def told() -> dict[str, Any]:
    """Return what the figures depend on: machine, versions, commit."""
    processor = [
        line
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if "model name" in line
    ]
    return {
        "processor": processor[0].partition(":")[2].strip() if processor else platform.machine(),
        "processors": len(CPUS),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "versions": {name: version(name) for name in PACKAGES}
        | {"sqlite": _sqlite(), "wrk": _wrk()},
        "commit": _commit(),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


def _sqlite() -> str:
    import sqlite3

    return sqlite3.sqlite_version


def _wrk() -> str | None:
    try:
        done = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.split()[1] if done.stdout else None


def _commit() -> str | None:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--exclude=*"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
