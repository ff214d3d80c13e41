"""Columns that are stored compressed: what was stored once can be read for ever."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import LargeBinary, select, type_coerce

from models.database.compressed import DICTIONARY, MAGIC, pack, unpack
from models.projection.tables import ClaimDocument
from models.records.serializers import table
from tests.databases import Store

STORED = b'(\xb5/\xfd G\xbd\x00\x00  ."}\x06\xfc\x80\xa1\xd4l\xd5\xd9-\x04\xa5\x02W\x8dC\xc0F\x05'
VALUE = b'{"id":"ccsvi-causes-ms","statement":"CCSVI causes multiple sclerosis."}'


def test_what_the_first_release_stored_is_read() -> None:
    """A dictionary that changed would make every database unreadable."""
    sha256 = "1bcd3b535f5bbdc35f58be6eaad393d711e87a5eb0d9c76aecb362b763084bee"
    assert hashlib.sha256(DICTIONARY.read_bytes()).hexdigest() == sha256
    assert unpack(STORED) == VALUE


@pytest.mark.parametrize(
    "value", [b"", b"[]", MAGIC, MAGIC * 20, b"\x00" * 10_000, bytes(range(256)), VALUE, VALUE * 99]
)
def test_every_value_comes_back(value: bytes) -> None:
    assert unpack(pack(value)) == value


def test_threads_do_not_disturb_each_other() -> None:
    values = [f"claim {number} ".encode() * (number % 97) for number in range(4000)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda value: unpack(pack(value)), values)) == values


def test_documents_take_little_room(seeded: Store) -> None:
    document = table(ClaimDocument)
    stored = type_coerce(document.c.evidence, LargeBinary)
    with seeded.database.read() as connection:
        sizes = [
            (len(value), len(packed))
            for value, packed in connection.execute(select(document.c.evidence, stored))
        ]
    assert sum(packed for _, packed in sizes) < sum(size for size, _ in sizes) / 5
