"""Resolving the records that a filter or a path names.

A merged record is replaced by the one that it was merged into; a retracted one is an error.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError
from sqlalchemy import Column, Connection, Select, bindparam, select

from models.core.errors import Fault, Gone, InvalidRecord
from models.database.prepared_statements import fetch, fetch_first, is_one_of, padded
from models.read.filters import REFERENCES, SOURCE_REFERENCES, comparable_values, term
from models.records.identifiers import IDENTIFIER_FORMATS, as_reference, normalise_identifier
from models.records.near_matches import nearest
from models.records.record_types import (
    RECORD_TYPES,
    RecordType,
    current_id,
    read_state,
    read_states,
)
from models.records.retired import require_not_retired
from models.records.serializers import table
from models.records.source import Source, SourceIdentifier

source = table(Source)


def find_source(
    connection: Connection, reference: str, at: str, state: str = "accepted"
) -> str | None:
    """Return the slug of the source with a slug or an identifier (`scheme:value`), or None.

    Raises `InvalidRecord`, for the parameter `at`, if the identifier is malformed.
    """
    scheme, colon, value = as_reference(reference).partition(":")
    if not colon:
        found = read_state(connection, RECORD_TYPES["source"], reference)
        if found is not None or not reference.isdecimal():
            return reference if found == state else None
        # No slug, so a number is what PubMed calls it.
        scheme, value = "pmid", reference
    scheme, value = parse_identifier(scheme.lower(), value, at)
    named = {"scheme": scheme, "value": value, "state": state}
    found_row = fetch_first(connection, "source by identifier", _by_identifier, named)
    return None if found_row is None else str(found_row["source"])


def _by_identifier() -> Select[Any]:
    owner = table(SourceIdentifier)
    joined = select(owner.c.source).join(source, source.c.id == owner.c.source)
    return joined.where(
        owner.c.scheme == bindparam("scheme"),
        owner.c.value == bindparam("value"),
        source.c.state == bindparam("state"),
    )


def parse_identifier(scheme: str, value: str, at: str) -> tuple[str, str]:
    """Return the scheme and the normalised value of an identifier."""
    if scheme not in IDENTIFIER_FORMATS:
        fault = Fault(
            at=at,
            code="unknown_scheme",
            detail=f"'{scheme}:' is not a scheme.",
            allowed=[f"{name}:" for name in IDENTIFIER_FORMATS],
        )
        raise InvalidRecord(fault.detail, [fault], code="malformed_identifier")
    try:
        return scheme, normalise_identifier(scheme, value)
    except PydanticCustomError as error:
        fault = Fault(at=at, code="malformed_identifier", detail=error.message())
        raise InvalidRecord(fault.detail, [fault], code="malformed_identifier") from None


def follow_merge(connection: Connection, kind: RecordType, absent: Fault) -> str | Fault:
    """Return the id that an absent record was merged into.

    Otherwise returns the fault, with the reason if the record was retracted.
    """
    assert absent.given is not None
    slug = current_id(connection, kind, absent.given)
    try:
        require_not_retired(connection, kind, slug)
    except Gone as gone:
        instead = gone.faults[0].suggestion if gone.faults else None
        # What stands in its place is all that is offered; `refuse_unknown` looks for nothing else.
        return absent.model_copy(
            update={"detail": gone.detail, "suggestion": instead, "given": None}
        )
    return absent if slug == absent.given else slug


def resolve_source(connection: Connection, reference: str, parameter: str) -> str | None:
    """Return the slug of the source with an identifier, following mergers, or None."""
    slug = find_source(connection, reference, parameter)
    if slug is not None:
        return slug
    merged = find_source(connection, reference, parameter, "merged")
    return current_id(connection, RECORD_TYPES["source"], merged) if merged else None


def resolve_references(connection: Connection, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a listing with every reference checked and replaced by a slug.

    A slug that is not stored is an error, since it is most likely mistyped and an empty answer
    would look like a result. An identifier that nobody has recorded matches nothing. A merged
    record is replaced by its successor, and a retracted one is an error.
    """
    resolved = comparable_values(parameters)
    faults: list[Fault] = []
    for parameter, values in parameters.items():
        name = parameter.partition(".")[0]
        if name == "asserted_by":
            unknown = _unknown_values(connection, parameter, values, term.c.value, field=name)
            faults += [unknown_value(parameter, value) for value in unknown]
        elif name in REFERENCES and isinstance(values, list):
            identifiers = [value for value in values if ":" in as_reference(value)]
            slugs = [value for value in values if value not in identifiers]
            resolved[parameter] = [
                *_resolve_slugs(connection, parameter, slugs, faults),
                *_resolve_identifiers(connection, parameter, identifiers, faults),
            ]
    refuse_unknown(connection, faults)
    return resolved


def refuse_unknown(connection: Connection, faults: list[Fault]) -> None:
    """Raise `InvalidRecord` if there are faults.

    The most similar stored id is looked for once, for the first value that is not stored: looking
    takes longer than all else that a refused request needs.
    """
    if not faults:
        return
    first = faults[0]
    if first.code == "unknown_value" and first.given is not None and first.suggestion is None:
        name = first.at.partition(".")[0]
        ids, where = _stored_values(name)
        close = nearest(connection, ids, first.given, **where)
        faults[0] = first.model_copy(update={"suggestion": close[0] if close else None})
    raise InvalidRecord(first.detail, faults, code="unknown_value")


def _stored_values(name: str) -> tuple[Column[str], dict[str, str]]:
    """Return the column of the values that a parameter may have, and the rows that count."""
    if name == "asserted_by":
        return term.c.value, {"field": name}
    ids = REFERENCES[name]
    return ids, {"state": "accepted"} if "state" in ids.table.c else {}


def _resolve_slugs(
    connection: Connection, parameter: str, slugs: Sequence[str], faults: list[Fault]
) -> list[str]:
    """Return current slugs. Adds a fault for each slug that has none."""
    name = parameter.partition(".")[0]
    ids, where = _stored_values(name)
    kind = RECORD_TYPES.get(name, RECORD_TYPES["source"])
    current = {slug: slug for slug in slugs}
    unknown = _unknown_values(connection, parameter, list(current), ids, **where)
    # What was never stored was not merged either.
    retired = read_states(connection, [(kind.name, slug) for slug in unknown])
    for slug in unknown:
        absent = unknown_value(parameter, slug)
        successor: str | Fault = absent
        if (kind.name, slug) in retired:
            successor = follow_merge(connection, kind, absent)
        if isinstance(successor, Fault):
            faults.append(successor)
        else:
            current[slug] = successor
    return [current[slug] for slug in slugs]


def _resolve_identifiers(
    connection: Connection, parameter: str, identifiers: Sequence[str], faults: list[Fault]
) -> list[str]:
    """Return the slugs of the recorded sources with these identifiers."""
    sources = {
        identifier: resolve_source(connection, identifier, parameter) for identifier in identifiers
    }
    for identifier, slug in sources.items():
        if slug is None and "," in identifier:
            # This may be one DOI or two references; an empty answer would hide which.
            detail = (
                f"There is no source '{identifier}'; give the parameter again for each reference."
            )
            faults.append(Fault(at=parameter, code="unknown_value", detail=detail))
    return [slug for slug in sources.values() if slug is not None]


def _unknown_values(
    connection: Connection,
    parameter: str,
    values: Sequence[str],
    ids: Column[str],
    **where: str,
) -> list[str]:
    """Return the values that are not in a column under these conditions, by one statement."""
    if not values:
        return []
    wanted = padded(values)

    def build() -> Select[Any]:
        same = [ids.table.c[name] == value for name, value in where.items()]
        return select(ids).where(is_one_of(ids, wanted), *same).distinct()

    key = ("known", parameter.partition(".")[0], len(wanted))
    _, rows = fetch(connection, key, build, wanted)
    known = {row[0] for row in rows}
    return [value for value in values if value not in known]


def unknown_value(parameter: str, value: str) -> Fault:
    """Return the fault that a parameter names an absent record; see `refuse_unknown`."""
    name = parameter.partition(".")[0]
    return Fault(
        at=parameter,
        code="unknown_value",
        detail=f"There is no {'source' if name in SOURCE_REFERENCES else name} '{value}'.",
        given=value,
    )
