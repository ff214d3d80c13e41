"""Columns whose values are stored compressed.

Documents, revisions and words are many small texts that say nearly the same. Each is compressed by
itself with Zstandard (RFC 8878) and a dictionary of what they have in common, so that one is read
without the others: a claim with three lines of evidence takes a fourth of the room.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import local
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import Dialect, LargeBinary, String, TypeDecorator
from sqlalchemy.types import TypeEngine
from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor

# What is stored with a dictionary can be read with that one alone, so this file never changes. A
# better one comes beside it, and is named in what it compresses. `benchmarks.dictionary` made it.
DICTIONARY = Path(__file__).with_name("zstd_dictionary_1")
LEVEL = 3
# Shorter values would hardly become smaller.
SHORTEST = 48
# How a compressed value begins; JSON and tokens never do.
MAGIC = b"\x28\xb5\x2f\xfd"
# A compressor must not be used by two threads at once.
_own = local()


@cache
def _dictionary() -> ZstdCompressionDict:
    dictionary = ZstdCompressionDict(DICTIONARY.read_bytes())
    dictionary.precompute_compress(level=LEVEL)
    return dictionary


def pack(value: bytes) -> bytes:
    """Return what is stored for some bytes: compressed where that is shorter, or as they are."""
    looks_packed = value[:4] == MAGIC
    if len(value) < SHORTEST and not looks_packed:
        return value
    compress = getattr(_own, "compress", None)
    if compress is None:
        compress = ZstdCompressor(dict_data=_dictionary(), write_dict_id=False).compress
        _own.compress = compress
    packed: bytes = compress(value)
    return packed if looks_packed or len(packed) < len(value) else value


def unpack(stored: bytes) -> bytes:
    """Return the bytes for which something is stored."""
    if stored[:4] != MAGIC:
        return stored
    decompress = getattr(_own, "decompress", None)
    if decompress is None:
        decompress = ZstdDecompressor(dict_data=_dictionary()).decompress
        _own.decompress = decompress
    value: bytes = decompress(stored)
    return value


def _pack_text(value: str) -> bytes:
    return pack(value.encode())


def _unpack_text(stored: bytes) -> str:
    return unpack(stored).decode()


def pack_json(value: Any) -> bytes:
    """Return what is stored for a value of JSON; bytes are that already."""
    return value if isinstance(value, bytes) else pack(to_json(value))


def _unpack_json(stored: bytes) -> Any:
    return from_json(unpack(stored))


class Packed(TypeDecorator[Any]):
    """The base of the types below: how a value becomes stored bytes, and comes from them."""

    impl: type[TypeEngine[Any]] = LargeBinary
    cache_ok = True
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    # The databases that store the value as it is.
    plain_on: tuple[str, ...] = ()

    def encoder(self, dialect: Dialect) -> Callable[[Any], bytes] | None:
        """Return what makes stored bytes of a value, or None where it stays as it is.

        SQLAlchemy's own processor takes as long around a short value as it takes to compress it.
        """
        return None if dialect.name in self.plain_on else self.encode

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Return what is stored for a value."""
        return value if value is None or dialect.name in self.plain_on else self.encode(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the value for which something is stored."""
        return value if value is None or dialect.name in self.plain_on else self.decode(value)


class CompressedBytes(Packed):
    """Bytes, such as the JSON of a document."""

    cache_ok = True
    encode = staticmethod(pack)
    decode = staticmethod(unpack)


class CompressedJson(Packed):
    """A value of JSON, written without blanks. It may be given as `pack_json` returns it."""

    cache_ok = True
    encode = staticmethod(pack_json)
    decode = staticmethod(_unpack_json)


class CompressedWords(Packed):
    """Words. PostgreSQL's full-text index reads them where they stand, so there they are text."""

    impl = String
    cache_ok = True
    encode = staticmethod(_pack_text)
    decode = staticmethod(_unpack_text)
    plain_on = ("postgresql",)
