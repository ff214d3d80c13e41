"""A loss of power under a served file, at any moment.

`power.c` notes every write, sync, truncation and removal of the database's files in the order in
which the server's process does them, and a ledger adds when each promise had come to its client.
From that log the disk of any moment is made: all that was synced, and of the rest any part.
"""

import os
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.drills.ledger import Ledger
from tests.drills.serving import Answer

HEADER = struct.Struct("<cHQQ")
SECTOR = 512
WRITE, TRUNCATE, SYNC, CREATE, REMOVE, PROMISE = b"w", b"t", b"s", b"c", b"u", b"p"


def build(folder: Path) -> Path | None:
    """Compile what notes the operations, and return its path, or None if there is no compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "power.so"
    source = Path(__file__).with_suffix(".c")
    options = ("-shared", "-fPIC", "-O2", "-o", library, source, "-ldl", "-lpthread")
    subprocess.run([compiler, *options], check=True)
    return library


@dataclass
class Operation:
    """What was done to a file or to the folder, by name.

    `offset` is also the size that a truncation leaves.

    Of promises, `offset` says how many there were by then, and `length` how many changes were seen.
    """

    kind: bytes
    name: str
    offset: int
    length: int
    data: bytes


def read_log(path: Path) -> list[Operation]:
    """Return the operations of a log."""
    content, position, found = path.read_bytes(), 0, []
    while position < len(content):
        kind, name_length, offset, length = HEADER.unpack_from(content, position)
        position += HEADER.size
        name = Path(content[position : position + name_length].decode()).name
        position += name_length
        data = content[position : position + length] if kind == WRITE else b""
        position += len(data)
        # What is written to a file that was removed is not of the disk of any moment.
        if not name.endswith(" (deleted)"):
            found.append(Operation(kind, name, offset, length, data))
    return found


@dataclass
class NotingLedger(Ledger):
    """A ledger that adds to the log, after each answer, how many promises and changes it holds."""

    log: Path = Path()

    def note(self, answer: Answer) -> None:
        """Keep what an answer promises, and add it to the log."""
        super().note(answer)
        header = HEADER.pack(PROMISE, 0, len(self.promised), len(self.seen))
        file = os.open(self.log, os.O_WRONLY | os.O_APPEND)
        try:
            assert os.write(file, header) == len(header)
        finally:
            os.close(file)


@dataclass
class File:
    """A file: what of it is on the disk for certain, and what no sync has followed yet."""

    content: bytearray = field(default_factory=bytearray)
    waiting: list[Operation] = field(default_factory=list)

    def sync(self) -> None:
        """Let all of it be on the disk."""
        for operation in self.waiting:
            _apply(self.content, operation)
        self.waiting.clear()

    def after_loss(self, dice: random.Random, keeps: float, torn: float) -> bytearray:
        """Return the content where of what waits each is kept, or torn, with these chances."""
        content = bytearray(self.content)
        for operation in self.waiting:
            if operation.kind == WRITE and dice.random() < torn:
                for piece in _pieces(operation, dice):
                    _apply(content, piece)
            elif dice.random() < keeps:
                _apply(content, operation)
        return content


class Disk:
    """The files of a folder, and their names: those on the disk, and changes of them that wait."""

    def __init__(self, folder: Path, *, syncs_count: bool = True) -> None:
        found = {path.name: File(bytearray(path.read_bytes())) for path in folder.iterdir()}
        self.syncs_count = syncs_count
        self.names = found
        # As the process sees them, which is ahead of the disk.
        self.open = dict(found)
        self.renaming: list[tuple[str, File | None]] = []
        self.promised = self.seen = 0

    def waiting(self, name: str | None = None) -> int:
        """Return how many operations a loss of power would meet, or those of one file."""
        files = self.open.values() if name is None else [self.open[name]]
        names = self.renaming if name is None else []
        return len(names) + sum(len(file.waiting) for file in files)

    def do(self, operation: Operation) -> None:
        """Take one operation of the log."""
        name = operation.name
        if operation.kind == PROMISE:
            self.promised, self.seen = operation.offset, operation.length
        elif operation.kind == CREATE:
            self.open[name] = File()
            self.renaming.append((name, self.open[name]))
        elif operation.kind == REMOVE:
            del self.open[name]
            self.renaming.append((name, None))
        elif operation.kind != SYNC:
            self.open[name].waiting.append(operation)
        elif self.syncs_count:
            self._sync(name)

    def _sync(self, name: str) -> None:
        if name in self.open:
            self.open[name].sync()
            return
        # Of the folder.
        for each, file in self.renaming:
            _rename(self.names, each, file)
        self.renaming.clear()

    def after_loss(self, dice: random.Random) -> dict[str, bytearray]:
        """Return the files as they may be when the power is back.

        Of what waits a disk may have written all, nothing, or any of it in any order, and of a
        write some sectors, or the first bytes. A folder's changes keep their order.
        """
        keeps = dice.choice((0.0, 1.0, dice.random(), dice.random()))
        torn = dice.choice((0.0, 0.5))
        names = dict(self.names)
        for name, file in self.renaming[: dice.randint(0, len(self.renaming))]:
            _rename(names, name, file)
        return {name: file.after_loss(dice, keeps, torn) for name, file in names.items()}


def _rename(names: dict[str, File], name: str, file: File | None) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _apply(content: bytearray, operation: Operation) -> None:
    """Carry out a write or a truncation."""
    missing = operation.offset - len(content)
    if missing > 0:
        content.extend(bytes(missing))
    if operation.kind == TRUNCATE:
        del content[operation.offset :]
    else:
        content[operation.offset : operation.offset + len(operation.data)] = operation.data


def _pieces(operation: Operation, dice: random.Random) -> Iterator[Operation]:
    """Yield what a disk wrote of a write that it did not end: some sectors, or the first bytes."""
    data = operation.data
    if dice.random() < 0.5:
        cuts = [(0, dice.randrange(len(data) + 1))]
    else:
        starts = range(0, len(data), SECTOR)
        cuts = [(start, start + SECTOR) for start in starts if dice.random() < 0.5]
    for start, end in cuts:
        part = data[start:end]
        yield Operation(WRITE, operation.name, operation.offset + start, len(part), part)
