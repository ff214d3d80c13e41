"""Lines of JSON from a file, from standard input or from a release's folder, plain or gzipped, each with its place."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import from_json

from models.core.errors import ClaimbaseError
from models.records.serializers import Row
from models.transfer.export import FORMAT, MANIFEST

MAX_LINE_BYTES = 64 * 1024 * 1024
GZIP = b"\x1f\x8b"


class BadFile(ClaimbaseError):
    """The file cannot be read to its end, or is not what its manifest says."""

    code = "bad_file"


# Of which file (empty where there is one), the number of the line, its bytes.
TextLine = tuple[str, int, bytes]


@dataclass
class Input:
    """What is to be loaded: what it says about itself (an export does), its lines, and how much of it was read."""

    name: str
    header: Row | None
    lines: Iterator[TextLine]
    size: int | None = None
    files: list[BinaryIO] = field(default_factory=list)

    @property
    def position(self) -> int:
        """Return how many bytes of `size` were read."""
        return sum(file.tell() for file in self.files)


@contextmanager
def open_input(source: Path | BinaryIO, name: str = "standard input") -> Iterator[Input]:
    """Open a file, a stream or a release's folder for reading.

    A release is held against its checksums first, so that nothing of a damaged one is stored. Raises `BadFile`.
    """
    with ExitStack() as stack:
        try:
            if not isinstance(source, Path):
                yield _stream(name, source)
            elif source.is_dir():
                yield _release(source, stack)
            else:
                file = stack.enter_context(source.open("rb"))
                found = _stream(str(source), file)
                found.size = source.stat().st_size
                yield found
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BadFile(
                f"{name if not isinstance(source, Path) else source} is damaged: {error}."
            ) from None
        except OSError as error:
            if error.filename is None:
                raise
            raise BadFile(f"{error.filename}: {error.strerror}.") from None


def parse_json(content: bytes) -> Any:
    """Return what a line of JSON says; raises ValueError where it is none."""
    return from_json(content, allow_inf_nan=False)


def _stream(name: str, file: Any) -> Input:
    lines = _numbered("", _plain(file))
    first = next(lines, None)
    if first is None:
        raise BadFile(f"{name} is empty.")
    header = _header(first[2])
    if header is not None:
        return Input(name, _readable(name, header), lines, files=[file])
    return Input(name, None, chain([first], lines), files=[file])


def _plain(file: Any) -> Any:
    """Return the file, or what is in it where it is gzipped."""
    return gzip.open(file) if file.peek(len(GZIP)).startswith(GZIP) else file


def _release(folder: Path, stack: ExitStack) -> Input:
    path = folder / MANIFEST
    if not path.exists():
        raise BadFile(f"{folder} has no {MANIFEST}, so it is not a release.")
    try:
        manifest = parse_json(path.read_bytes())
        listed = {str(name): str(of["sha256"]) for name, of in manifest["files"].items()}
    except (ValueError, TypeError, LookupError, AttributeError):
        raise BadFile(f"{path} is not a manifest.") from None
    found = Input(str(folder), _readable(str(path), manifest), iter(()), size=0)
    for name, sha256 in listed.items():
        if Path(name).name != name:
            raise BadFile(f"{path} names '{name}', which is not a file of the folder.")
        file = stack.enter_context((folder / name).open("rb"))
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != sha256:
            raise BadFile(
                f"{folder / name} is not the file of the manifest: its SHA-256 is {digest}, not {sha256}."
            )
        found.size = (found.size or 0) + file.tell()
        file.seek(0)
        found.files.append(file)
        found.lines = chain(found.lines, _numbered(name, file))
    return found


def _readable(name: str, header: Row) -> Row:
    if not isinstance(header.get("format"), int) or header["format"] > FORMAT:
        raise BadFile(
            f"{name} has the format {header.get('format')}; this program reads up to {FORMAT}."
        )
    return header


def _header(content: bytes) -> Row | None:
    try:
        found = parse_json(content)
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.get("record") == "export" else None


def _numbered(name: str, file: Any) -> Iterator[TextLine]:
    for number, content in enumerate(
        iter(partial(file.readline, MAX_LINE_BYTES + 1), b""), start=1
    ):
        if len(content) > MAX_LINE_BYTES:
            raise BadFile(f"{_place(name, number)} has more than {MAX_LINE_BYTES:,} bytes.")
        if content.strip():
            yield name, number, content


def _place(name: str, number: int) -> str:
    return f"{name} line {number}".lstrip()


def location(line: TextLine) -> str:
    """Return where a line is, in words."""
    return _place(line[0], line[1])
