"""Files of RIS, written and read, for the tests of both."""

from api.citations import ris
from models.records.serializers import Row
from tests.citations.sources import compared


def written(*sources: Row) -> bytes:
    """Return the sources as a file."""
    return b"".join(ris.write(sources))


def one(text: str | bytes) -> Row:
    """Return the only record of a file, which has no troubles."""
    reading = ris.read(text if isinstance(text, bytes) else text.encode())
    assert not reading.problems
    (entry,) = reading.entries
    return compared(entry.record)
