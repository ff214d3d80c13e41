"""How far a run of `sources watch` came, in a small file, so that the next one goes on there."""

import fcntl
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from models.core.errors import ClaimbaseError


@dataclass
class WatchProgress:
    """The slug of the last source that was looked up; empty at the start of a run."""

    after: str
    database: str
    _file: IO[str]

    def note(self, after: str) -> None:
        """Note that all sources up to this one were looked up, and what was found is stored."""
        self.after = after
        self._write({"database": self.database, "after": after})

    def finish(self) -> None:
        """Note that all sources were looked up: the next run begins with the first."""
        self._write({})

    def _write(self, content: dict[str, str]) -> None:
        self._file.seek(0)
        self._file.truncate()
        json.dump(content, self._file)
        self._file.flush()


@contextmanager
def open_progress(path: Path | None, database: str) -> Iterator[WatchProgress]:
    """Yield the progress of the last run on a database, and keep other runs away meanwhile.

    Without a path the run begins with the first source, and leaves no note. Raises ClaimbaseError
    if the file cannot be used, is of another database, or another run has it.
    """
    if path is None:
        yield WatchProgress("", database, io.StringIO())
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise ClaimbaseError(f"{path}: {error.strerror}.") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ClaimbaseError(f"{path}: another run is under way.") from None
        file.seek(0)
        yield WatchProgress(_after(path, file.read(), database), database, file)


def _after(path: Path, text: str, database: str) -> str:
    """Return where the last run stopped; a note that was cut off is none."""
    try:
        content = json.loads(text or "{}")
    except ValueError:
        return ""
    if not isinstance(content, dict) or not isinstance(content.get("after", ""), str):
        return ""
    if content and content.get("database") != database:
        raise ClaimbaseError(
            f"{path} is the progress of a run on {content.get('database')};"
            " name another file with --progress."
        )
    return str(content.get("after", ""))
