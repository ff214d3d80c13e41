"""The machine: its processors, what a process uses of it, and how results describe it."""

import os
import platform
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

CPUS = sorted(os.sched_getaffinity(0))
# One processor for the server alone; its clients, and PostgreSQL, share another.
LOAD_CPU, SERVER_CPU = CPUS[0], CPUS[-1]
ROOT = Path(__file__).resolve().parent.parent
# An installed program has its bytecode beside it. Where Python is configured to write none, each
# start would compile our modules anew, but not those of the others.
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
# Places in /proc/PID/stat after the command's name, which may itself hold blanks.
USER_TIME, SYSTEM_TIME = 11, 12


def pinned(cpu: int) -> Callable[[], None]:
    """Return a function that keeps a child process on one processor."""
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
    """Run a command to its end and return its seconds and its peak memory in MB.

    Raises RuntimeError if it fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    assert process.stderr is not None
    message = process.stderr.read()
    # `wait4` reports the peak of this child; `getrusage` would report the highest of all children.
    _, status, usage = os.wait4(process.pid, 0)
    process.stderr.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {message.decode()[-1000:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def memory(pid: int, field: str = "VmRSS") -> float:
    """Return a process's memory in MB: now, or with VmHWM its peak."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{pid}/status has no {field}")


def reset_peak(pid: int) -> None:
    """Let the peak of a process's memory begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="utf-8")


def cpu_seconds(pids: Collection[int]) -> dict[int, float]:
    """Return the processor time that each process has used; one that has ended is missing."""
    ticks = os.sysconf("SC_CLK_TCK")
    seconds = {}
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        fields = stat.rpartition(")")[2].split()
        seconds[pid] = (int(fields[USER_TIME]) + int(fields[SYSTEM_TIME])) / ticks
    return seconds


def description() -> dict[str, Any]:
    """Return what figures depend on: machine, versions, commit."""
    versions: dict[str, str | None] = {name: version(name) for name in PACKAGES}
    return {
        "processor": _processor(),
        "processors": len(CPUS),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "versions": versions | {"sqlite": sqlite3.sqlite_version, "wrk": _wrk_version()},
        "commit": _commit(),
        "open_files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if "model name" in line:
            return line.partition(":")[2].strip()
    return platform.machine()


def _wrk_version() -> str | None:
    try:
        process = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return process.stdout.split()[1] if process.stdout else None


def _commit() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    return process.stdout.strip()
