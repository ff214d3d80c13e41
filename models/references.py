"""What a filter or an address names, and what became of it: led on where it was merged, told where it was retracted."""

from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, select

from models.base import Fault, InvalidRecord
from models.kinds import KINDS, Kind, successor
from models.records import table
from models.review import Gone, tell_if_taken_back
from models.source import IDENTIFIERS, Source, SourceIdentifier, normal_identifier

source = table(Source)


def find_source(connection: Connection, reference: str, at: str, state: str = "accepted") -> str | None:
    """Return the slug of a source, or None; a malformed identifier or an unknown scheme is a fault of the parameter `at`."""
    scheme, colon, value = reference.partition(":")
    if not colon:
        by_slug = select(source.c.id).where(source.c.id == reference, source.c.state == state)
        found: str | None = connection.scalar(by_slug)
        return found
    scheme = scheme.lower()
    if scheme not in IDENTIFIERS:
        allowed = [f"{known}:" for known in IDENTIFIERS]
        fault = Fault(at=at, code="unknown_scheme", detail=f"'{scheme}:' is not a scheme.", allowed=allowed)
        raise InvalidRecord(fault.detail, [fault], code="malformed_identifier")
    try:
        value = normal_identifier(scheme, value)
    except PydanticCustomError as error:
        fault = Fault(at=at, code="malformed_identifier", detail=error.message())
        raise InvalidRecord(fault.detail, [fault], code="malformed_identifier") from None
    owner = table(SourceIdentifier)
    joined = select(owner.c.source).join(source, source.c.id == owner.c.source)
    meant = (owner.c.scheme == scheme, owner.c.value == value, source.c.state == state)
    named: str | None = connection.scalar(joined.where(*meant))
    return named


def in_its_place(connection: Connection, kind: Kind, absent: Fault) -> str | Fault:
    """Return what a record that a filter named was merged into, or the fault, which tells where it was retracted."""
    assert absent.given is not None
    slug = successor(connection, kind, absent.given)
    try:
        tell_if_taken_back(connection, kind, slug)
    except Gone as gone:
        instead = gone.faults[0].suggestion if gone.faults else None
        return absent.model_copy(update={"detail": gone.detail, "suggestion": instead})
    return absent if slug == absent.given else slug


def source_meant(connection: Connection, reference: str, parameter: str) -> str | None:
    """Return the slug of the source with an identifier, through mergers; None where nobody has recorded it."""
    if found := find_source(connection, reference, parameter):
        return found
    merged = find_source(connection, reference, parameter, "merged")
    return successor(connection, KINDS["source"], merged) if merged else None
