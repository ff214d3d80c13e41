"""What a filter or an address names."""

from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, select

from models.base import Fault, InvalidRecord
from models.records import table
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
