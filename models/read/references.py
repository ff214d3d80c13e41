"""What a filter or an address names, and what became of it: led on where it was merged, told where it was retracted."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError
from sqlalchemy import ColumnElement, Connection, Select, bindparam, select

from models.core.errors import Fault, Gone, InvalidRecord
from models.database.prepared_statements import fetch, first
from models.read.filters import REFERENCES, compared, term
from models.records.record_types import RECORD_TYPES, RecordType, current_id, read_state
from models.records.retired import nearest, tell_if_taken_back
from models.records.serializers import table
from models.records.source import IDENTIFIER_FORMATS, Source, SourceIdentifier, normalise_identifier

source = table(Source)


def find_source(
    connection: Connection, reference: str, at: str, state: str = "accepted"
) -> str | None:
    """Return the slug of a source, or None; a malformed identifier or an unknown scheme is a fault of the parameter `at`."""
    scheme, colon, value = reference.partition(":")
    if not colon:
        return (
            reference
            if read_state(connection, RECORD_TYPES["source"], reference) == state
            else None
        )
    scheme = scheme.lower()
    if scheme not in IDENTIFIER_FORMATS:
        allowed = [f"{known}:" for known in IDENTIFIER_FORMATS]
        fault = Fault(
            at=at, code="unknown_scheme", detail=f"'{scheme}:' is not a scheme.", allowed=allowed
        )
        raise InvalidRecord(fault.detail, [fault], code="malformed_identifier")
    try:
        value = normalise_identifier(scheme, value)
    except PydanticCustomError as error:
        fault = Fault(at=at, code="malformed_identifier", detail=error.message())
        raise InvalidRecord(fault.detail, [fault], code="malformed_identifier") from None
    meant = {"scheme": scheme, "value": value, "state": state}
    found = first(connection, "source by identifier", _by_identifier, meant)
    return None if found is None else str(found["source"])


def _by_identifier() -> Select[Any]:
    owner = table(SourceIdentifier)
    joined = select(owner.c.source).join(source, source.c.id == owner.c.source)
    return joined.where(
        owner.c.scheme == bindparam("scheme"),
        owner.c.value == bindparam("value"),
        source.c.state == bindparam("state"),
    )


def follow_merge(connection: Connection, kind: RecordType, absent: Fault) -> str | Fault:
    """Return what a record that a filter named was merged into, or the fault, which tells where it was retracted."""
    assert absent.given is not None
    slug = current_id(connection, kind, absent.given)
    try:
        tell_if_taken_back(connection, kind, slug)
    except Gone as gone:
        instead = gone.faults[0].suggestion if gone.faults else None
        return absent.model_copy(update={"detail": gone.detail, "suggestion": instead})
    return absent if slug == absent.given else slug


def resolve_source(connection: Connection, reference: str, parameter: str) -> str | None:
    """Return the slug of the source with an identifier, through mergers; None where nobody has recorded it."""
    if found := find_source(connection, reference, parameter):
        return found
    merged = find_source(connection, reference, parameter, "merged")
    return current_id(connection, RECORD_TYPES["source"], merged) if merged else None


def resolve_references(connection: Connection, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with every reference checked and turned into a slug.

    A slug that is not stored is an error, since it is most likely mistyped, and an empty answer would look like
    absence. An identifier that nobody has recorded is a true «nothing». What was merged is led on, what was retracted told.
    """
    resolved = compared(parameters)
    faults: list[Fault] = []
    for parameter, values in parameters.items():
        name = parameter.partition(".")[0]
        if name == "asserted_by":
            faults += _unknown(connection, parameter, values, term.c.value, term.c.field == name)
        elif name in REFERENCES and isinstance(values, list):
            ids = REFERENCES[name]
            shown = [ids.table.c.state == "accepted"] if "state" in ids.table.c else []
            slugs = [value for value in values if ":" not in value]
            absent = _unknown(connection, parameter, slugs, ids, *shown)
            kind = RECORD_TYPES["source" if name == "document" else name]
            led = {fault.given: follow_merge(connection, kind, fault) for fault in absent}
            faults += [place for place in led.values() if isinstance(place, Fault)]
            slugs = [led.get(slug, slug) for slug in slugs]
            found = {
                value: resolve_source(connection, value, parameter)
                for value in values
                if ":" in value
            }
            resolved[parameter] = slugs + [slug for slug in found.values() if slug is not None]
            for value in (value for value, slug in found.items() if slug is None and "," in value):
                # It may be one DOI or two references in one; an empty answer would hide which.
                detail = (
                    f"There is no source '{value}'; give the parameter again for each reference."
                )
                faults.append(Fault(at=parameter, code="unknown_value", detail=detail))
    if faults:
        raise InvalidRecord(faults[0].detail, faults, code="unknown_value")
    return resolved


def _unknown(
    connection: Connection,
    parameter: str,
    values: Sequence[str],
    ids: ColumnElement[str],
    *where: ColumnElement[bool],
) -> list[Fault]:
    key = ("known", parameter.partition(".")[0])

    def build() -> Select[Any]:
        return select(ids).where(ids == bindparam("value"), *where).limit(1)

    return [
        unknown_value(connection, parameter, value, ids, *where)
        for value in values
        if not fetch(connection, key, build, {"value": value})[1]
    ]


def unknown_value(
    connection: Connection,
    parameter: str,
    value: str,
    ids: ColumnElement[str],
    *where: ColumnElement[bool],
) -> Fault:
    """Return the fault that a parameter names what is not there, with what comes near."""
    close = nearest(connection, ids, value, *where)
    detail = f"There is no {parameter.partition('.')[0]} '{value}'."
    suggestion = close[0] if close else None
    return Fault(
        at=parameter, code="unknown_value", detail=detail, suggestion=suggestion, given=value
    )
