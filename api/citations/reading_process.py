"""The process that reads files of citations from strangers.

It runs as a module by itself, gets files on standard input and answers on standard output, in lines
of JSON, since text of a stranger went through it. A file is a line with its format and its number
of bytes, and the bytes. The answer is a line for each batch of entries, as soon as they are read,
and a last one with `end`. `api.http.file_reading` is the other side.
"""

import fcntl
import json
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import BinaryIO, NoReturn

from api.citations import detect
from api.citations.parse_result import EntryProblem, ParsedEntry, ParsedFile, TooComplex

# Where all processors are busy, a server is served three times as much as a child.
NICENESS = 5
# A larger file is so many parts, each of which may take what follows.
PART_BYTES = 2_000_000
MOST_PARTS = 10
# The processor's time for a part: a whole one takes about three seconds.
CPU_SECONDS = 10
# What a file may need beyond what the program itself has; one of 2 MB needs 40 MB.
MOST_MEMORY = 128 * 2**20
# And for each further part; files of 20 MB, of entries with abstracts, need 100 to 200 MB.
MEMORY_OF_PART = 32 * 2**20
# The entries of a part: 2 MB of ordinary ones are 7,000.
MOST_ENTRIES = 10_000
# The authors of all entries of a part: seven for each.
MOST_AUTHORS = 70_000
# After so much time, or with so much more memory than at first, a process makes room for a fresh
# one. Beyond twice the time the system ends it.
LIFE_SECONDS = 120
MOST_KEPT_MEMORY = 64 * 2**20
BATCH = 200
INPUT, OUTPUT = 0, 1


class SentFile(ParsedFile):
    """A parsed file whose entries are sent on in batches instead of being kept."""

    def __init__(self, output: BinaryIO, parts: int) -> None:
        super().__init__(most=MOST_ENTRIES * parts)
        self._output = output
        self._most_authors = MOST_AUTHORS * parts
        self._found = self._authors = 0

    def add(self, found: ParsedEntry | EntryProblem) -> None:
        """Add the next entry, and send the batch if it is full. Raises TooComplex."""
        self._found += 1
        if self._found > self.most:
            raise TooComplex(f"A file has at most {self.most:,} entries")
        if isinstance(found, ParsedEntry):
            self._authors += len(found.record["authors"])
            if self._authors > self._most_authors:
                most = f"{self._most_authors:,}"
                raise TooComplex(f"The entries of a file have at most {most} authors")
        super().add(found)
        if len(self.entries) + len(self.problems) >= BATCH:
            self.send()

    def send(self) -> None:
        """Send what was read since the last time."""
        batch = {
            "entries": [astuple(entry) for entry in self.entries],
            "problems": [astuple(problem) for problem in self.problems],
        }
        # A batch is sent once and whole, even if the time is over meanwhile.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGXCPU})
        try:
            _write(self._output, batch)
            self.entries.clear()
            self.problems.clear()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGXCPU})


def main() -> NoReturn:
    """Read file after file until standard input ends."""
    # Ctrl-C reaches the whole group of processes; this one ends with the server.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)  # Who only reads claims comes first.
    _limit_for_life()
    first_memory = _most_memory()
    with os.fdopen(INPUT, "rb", buffering=0) as source, os.fdopen(OUTPUT, "wb") as output:
        while head := _line(source):
            request = json.loads(head)
            content = _exactly(source, request["bytes"])
            with _ending_with_server():
                end = _read(content, request["format"], output)
            retires = (
                _cpu_seconds() > LIFE_SECONDS or _most_memory() > first_memory + MOST_KEPT_MEMORY
            )
            _write(output, {**end, "retires": retires})
            if retires:
                break
    # Without a clean-up of modules, which takes a while and could fail for want of memory.
    os._exit(0)


def parts_of(size: int) -> int:
    """Return how many parts a file of so many bytes is, each with the limits of a small file."""
    return min(max(-(-size // PART_BYTES), 1), MOST_PARTS)


def _read(content: bytes, name: str | None, output: BinaryIO) -> dict[str, str | None]:
    """Read one file, send its entries, and return how that ended."""
    parts = parts_of(len(content))
    parsed = SentFile(output, parts)
    fault: str | None = None
    try:
        with _limited_memory(parts), _limited_time(parts * CPU_SECONDS):
            name = name or detect.detect(content)
            detect.read(content, name, parsed)
    except TooComplex as error:
        fault = str(error)
    except (MemoryError, RecursionError):
        fault = "To read the file takes more memory than one may have"
    except detect.UnknownFormat as error:
        return {"end": "unknown_format", "detail": str(error), "format": None}
    except Exception:
        return {"end": "internal_error", "detail": traceback.format_exc(), "format": name}
    del content
    parsed.send()
    return {"end": "too_complex" if fault else "read", "detail": fault, "format": name}


@contextmanager
def _limited_memory(parts: int) -> Iterator[None]:
    """Let a file of several parts have more memory than an ordinary one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY:
        yield  # There are no limits of memory on this system.
        return
    more = (parts - 1) * MEMORY_OF_PART
    resource.setrlimit(resource.RLIMIT_AS, (min(soft + more, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextmanager
def _limited_time(seconds: int) -> Iterator[None]:
    """Raise TooComplex where a file takes too much of the processor's time.

    Python looks for signals within a pattern too, so no single match outlasts it.
    """

    def stop(_signal: int, _frame: object) -> NoReturn:
        raise TooComplex(f"To read the file takes more than {seconds} seconds")

    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    signal.signal(signal.SIGXCPU, stop)
    # The system counts whole seconds.
    resource.setrlimit(resource.RLIMIT_CPU, (int(_cpu_seconds()) + 1 + seconds, hard))
    try:
        yield
    finally:
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))


@contextmanager
def _ending_with_server() -> Iterator[None]:
    """End this process at once where the server closes standard input, or is killed.

    The system signals that the pipe was closed, which by itself ends a process.
    """
    fcntl.fcntl(INPUT, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(INPUT, fcntl.F_GETFL)
    fcntl.fcntl(INPUT, fcntl.F_SETFL, flags | os.O_ASYNC)
    # If it was closed already, there is no more signal.
    waiting = select.poll()
    waiting.register(INPUT, select.POLLIN | select.POLLHUP)
    if waiting.poll(0):
        os._exit(0)
    try:
        yield
    finally:
        fcntl.fcntl(INPUT, fcntl.F_SETFL, flags)


def _limit_for_life() -> None:
    os.nice(NICENESS)
    most = 2 * LIFE_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pages = Path("/proc/self/statm")  # Linux alone tells it, and keeps this limit.
    if pages.exists():
        space = int(pages.read_text().split()[0]) * resource.getpagesize() + MOST_MEMORY
        most = space + (MOST_PARTS - 1) * MEMORY_OF_PART
        resource.setrlimit(resource.RLIMIT_AS, (space, most))


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _most_memory() -> int:
    """Return the most bytes of memory that this process has had."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _line(source: BinaryIO) -> bytes:
    """Return the next line, and no byte beyond it; nothing at the end."""
    line = b""
    while not line.endswith(b"\n"):
        byte = source.read(1)
        if not byte:
            return b""
        line += byte
    return line


def _exactly(source: BinaryIO, number: int) -> bytes:
    """Return this many bytes; the process ends where there are fewer."""
    parts = []
    while number:
        part = source.read(number)
        if not part:
            os._exit(0)
        parts.append(part)
        number -= len(part)
    return b"".join(parts)


def _write(output: BinaryIO, value: object) -> None:
    output.write(json.dumps(value).encode() + b"\n")
    output.flush()


if __name__ == "__main__":
    main()
