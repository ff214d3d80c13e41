"""Numbered lines of JSON from a file, a stream or a release's folder, plain or gzipped."""

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
    """The file is damaged, or is not the one that its manifest describes."""

    code = "bad_file"


# The name of the file (empty if there is only one), the number of the line, and its bytes.
TextLine = tuple[str, int, bytes]


@dataclass
class Input:
    """What is to be loaded: an export, with its header, or other lines.

    `size` is the number of bytes in all files, if known.
    """

    name: str
    header: Row | None
    lines: Iterator[TextLine]
    size: int | None = None
    files: list[BinaryIO] = field(default_factory=list)

    @property
    def position(self) -> int:
        """How many bytes of `size` have been read."""
        return sum(file.tell() for file in self.files)


@contextmanager
def open_input(source: Path | BinaryIO, name: str = "standard input") -> Iterator[Input]:
    """Open a file, a stream or a release's folder for reading.

    The checksums of a release are verified first, so that nothing of a damaged one is stored.
    Raises `BadFile`.
    """
    if isinstance(source, Path):
        name = str(source)
    with ExitStack() as stack:
        try:
            if not isinstance(source, Path):
                yield _open_stream(name, source)
            elif source.is_dir():
                yield _open_release(source, stack)
            else:
                file = stack.enter_context(source.open("rb"))
                found = _open_stream(name, file)
                found.size = source.stat().st_size
                yield found
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise BadFile(f"{name} is damaged: {error}.") from None
        except OSError as error:
            if error.filename is None:
                raise
            raise BadFile(f"{error.filename}: {error.strerror}.") from None


def parse_json(content: bytes) -> Any:
    """Return the content of a line of JSON. Raises ValueError if it is not JSON."""
    return from_json(content, allow_inf_nan=False)


def _open_stream(name: str, file: Any) -> Input:
    lines = _numbered_lines("", _decompressed(file))
    first = next(lines, None)
    if first is None:
        raise BadFile(f"{name} is empty.")
    header = _header(first[2])
    if header is None:
        return Input(name, None, chain([first], lines), files=[file])
    _require_format(name, header)
    return Input(name, header, lines, files=[file])


def _decompressed(file: Any) -> Any:
    return gzip.open(file) if file.peek(len(GZIP)).startswith(GZIP) else file


def _open_release(folder: Path, stack: ExitStack) -> Input:
    path = folder / MANIFEST
    if not path.exists():
        raise BadFile(f"{folder} has no {MANIFEST}, so it is not a release.")
    manifest, checksums = _read_manifest(path)
    _require_format(str(path), manifest)
    files: list[BinaryIO] = []
    lines: list[Iterator[TextLine]] = []
    size = 0
    for name, sha256 in checksums.items():
        if Path(name).name != name:
            raise BadFile(f"{path} names '{name}', which is not a file of the folder.")
        file = stack.enter_context((folder / name).open("rb"))
        size += _verify_checksum(folder / name, file, sha256)
        files.append(file)
        lines.append(_numbered_lines(name, file))
    return Input(str(folder), manifest, chain.from_iterable(lines), size, files)


def _read_manifest(path: Path) -> tuple[Row, dict[str, str]]:
    """Return a manifest, and from it the SHA-256 of each file by the file's name."""
    try:
        manifest = parse_json(path.read_bytes())
        files = manifest["files"].items()
        return manifest, {str(name): str(entry["sha256"]) for name, entry in files}
    except (ValueError, TypeError, LookupError, AttributeError):
        raise BadFile(f"{path} is not a manifest.") from None


def _verify_checksum(path: Path, file: Any, sha256: str) -> int:
    """Return the size of a file, and go back to its beginning. Raises `BadFile` if it differs."""
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != sha256:
        raise BadFile(
            f"{path} is not the file of the manifest: its SHA-256 is {digest}, not {sha256}."
        )
    size: int = file.tell()
    file.seek(0)
    return size


def _require_format(name: str, header: Row) -> None:
    """Refuse an export that a newer program wrote."""
    if not isinstance(header.get("format"), int) or header["format"] > FORMAT:
        raise BadFile(
            f"{name} has the format {header.get('format')}; this program reads up to {FORMAT}."
        )


def _header(content: bytes) -> Row | None:
    """Return the header in the first line of an export, or None if the line is no header."""
    try:
        header = parse_json(content)
    except ValueError:
        return None
    return header if isinstance(header, dict) and header.get("record") == "export" else None


def _numbered_lines(name: str, file: Any) -> Iterator[TextLine]:
    """Yield the lines of a file that are not blank. Raises `BadFile` if one is too long."""
    read_line = partial(file.readline, MAX_LINE_BYTES + 1)
    for number, content in enumerate(iter(read_line, b""), start=1):
        if len(content) > MAX_LINE_BYTES:
            raise BadFile(f"{_location(name, number)} has more than {MAX_LINE_BYTES:,} bytes.")
        if content.strip():
            yield name, number, content


def _location(name: str, number: int) -> str:
    return f"{name} line {number}".lstrip()


def location(line: TextLine) -> str:
    """Return the file and the number of a line in words."""
    name, number, _ = line
    return _location(name, number)
