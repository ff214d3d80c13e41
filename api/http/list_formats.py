"""Citations: the sources of an answer in the formats of reference managers, streamed; and lists whole, as lines of JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field
from pydantic_core import from_json
from sqlalchemy import Connection, Select

from api.citations import bibliography, bibtex, csl_json, csv, json_ld, ris
from api.citations.citation_keys import key_maker
from api.http import pagination
from api.http.body_chunks import pieces
from api.http.errors import ParameterError, not_acceptable
from api.http.negotiation import negotiate, parameters_of
from models.core.errors import Fault
from models.core.vocabularies import SOURCE_TYPES
from models.database.connections import Database
from models.read import listings, references
from models.read.filters import given
from models.records.serializers import Row, source_out, sources_out
from models.records.source import SourceIn

JSON = "application/json"
BATCH = 200

Item = TypeVar("Item")
Read = Callable[[Database, listings.Listing, Mapping[str, Any], Sequence[str]], Iterator[Row]]
Write = Callable[[Iterable[Row], Mapping[str, str]], Iterator[bytes]]


@dataclass(frozen=True)
class Format:
    """A representation: its name in `format=`, and its media types, of which the first is sent."""

    name: str
    media_types: tuple[str, ...]
    extension: str


@dataclass(frozen=True)
class SourceFormat(Format):
    """A representation of sources, with its writer."""

    write: Write


FORMATS = {
    name: SourceFormat(name, module.MEDIA_TYPES, module.EXTENSION, module.write)
    for name, module in {
        "csl_json": csl_json,
        "bibtex": bibtex,
        "ris": ris,
        "bibliography": bibliography,
        "json_ld": json_ld,
        "csv": csv,
    }.items()
}
LINES = Format("jsonl", ("application/jsonl", "application/x-ndjson"), "jsonl")
IN_LINES = {LINES.name: LINES}
# What parameters of a bibliography there are; its tag names them in this order.
STYLING = ("style", "locale")


class FormatParameters(BaseModel):
    """In which representation; the same as an Accept header."""

    offered: ClassVar[Mapping[str, Format]] = FORMATS

    format: Annotated[str, pagination.choices("format", ["json", *FORMATS])] | None = Field(
        None,
        description="Means the same as Accept and comes before it. All but `json` give the sources.",
    )
    style: str | None = Field(
        None,
        max_length=100,
        description="Citation style of `format=bibliography`, `apa` by default.",
    )
    locale: str | None = Field(None, max_length=35, description="Its language, `en-US` by default.")


class LinesParameters(BaseModel):
    """In which representation; the same as an Accept header."""

    offered: ClassVar[Mapping[str, Format]] = IN_LINES

    format: Annotated[str, pagination.choices("format", ["json", *IN_LINES])] | None = Field(
        None, description="`jsonl` gives everything that is found, a record a line."
    )


class ListFormatParameters(FormatParameters):
    """In which representation a list is sent, or its sources."""

    offered: ClassVar[Mapping[str, Format]] = {**IN_LINES, **FORMATS}

    format: Annotated[str, pagination.choices("format", ["json", *IN_LINES, *FORMATS])] | None = (
        Field(
            None,
            description="Means the same as Accept and comes before it. All but `json` give everything that is found: `jsonl` "
            "the records, one a line, the others the sources.",
        )
    )


@cache
def by_media_type(parameters: type[FormatParameters | LinesParameters]) -> dict[str, Format]:
    """Return the formats that these parameters offer by each of their media types."""
    return {
        media_type: found
        for found in parameters.offered.values()
        for media_type in found.media_types
    }


def wanted(request: Request, query: FormatParameters | LinesParameters) -> Format | None:
    """Return the format that is asked for by `format=` or Accept, None for JSON; raises where nothing fits."""
    asked = [name for name in STYLING if name in query.model_fields_set]
    styled = {name: value for name in asked if (value := getattr(query, name)) is not None}
    if query.format is not None:
        found = query.offered.get(query.format)
    else:
        accept = pagination.header(request, "accept")
        known = by_media_type(type(query))
        offered = (JSON, *known)
        media_type = negotiate(accept, offered)
        if media_type is None:
            raise not_acceptable(offered)
        found = known.get(media_type)
        if found is FORMATS["bibliography"]:
            given = parameters_of(accept, media_type)
            styled = {**{name: given[name] for name in STYLING if name in given}, **styled}
    if found is FORMATS["bibliography"]:
        # An unknown style is an error before the first byte, not in the middle of the stream.
        bibliography.check(**styled)
        # The name is part of the tag: what one style's tag says nothing about is another style.
        return SourceFormat(
            "-".join([found.name, *styled.values()]),
            found.media_types,
            found.extension,
            partial(bibliography.write, **styled),
        )
    if styled:
        detail = f"{' and '.join(styled)} goes with format=bibliography."
        raise ParameterError(
            detail, [Fault(at=name, code="invalid_parameter", detail=detail) for name in styled]
        )
    return found


def responses(
    declared: dict[int | str, dict[str, Any]],
    parameters: type[FormatParameters | LinesParameters] = FormatParameters,
) -> dict[int | str, dict[str, Any]]:
    """Return the answers that a route declares, with what it may give besides JSON."""
    content = {
        name: {"schema": {} if name.endswith("+json") else {"type": "string"}}
        for name in by_media_type(parameters)
    }
    return {**declared, 200: {"content": content}}


def listing_response(
    request: Request,
    connection: Connection,
    chosen: Format,
    listing: listings.Listing,
    query: Any,
    read: Read,
) -> Response:
    """Answer a list in a format: everything that it finds, whatever `limit` and `cursor` say."""
    etag = pagination.list_tag(connection)
    if unchanged := not_modified(request, chosen, etag):
        return unchanged
    asked = given(query)
    parameters = references.resolve(connection, asked)
    database: Database = request.app.state.database
    sources = read(database, listing, parameters, asked.get("sort", listing.default))
    return sources_response(chosen, sources, etag, "sources")


def lines_response(
    request: Request,
    connection: Connection,
    listing: listings.Listing,
    statement: Select[Any],
    query: Any,
    lines: pagination.Lines,
    name: str,
) -> Response:
    """Answer a list as lines of JSON, as a file of that name: everything that it finds, whatever `limit` and `cursor` say."""
    etag = pagination.list_tag(connection)
    if unchanged := not_modified(request, LINES, etag):
        return unchanged
    asked = given(query)
    parameters = references.resolve(connection, asked)
    found = every(
        request.app.state.database,
        listing,
        statement,
        parameters,
        asked.get("sort", listing.default),
        lines,
    )
    content = pieces(line + b"\n" for line in found)
    headers = file_headers(LINES, etag, name, {})
    return StreamingResponse(content, media_type=LINES.media_types[0], headers=headers)


def source_links(source: Row) -> str:
    """Return the Link header of a source for machines that land on it (Signposting: cite-as, describedby, type)."""
    links = [
        f'<https://doi.org/{quote(each["value"], safe="/:;()._-")}>; rel="cite-as"'
        for each in source["identifiers"]
        if each["scheme"] == "doi" and each["verification"] == "verified"
    ]
    term = next(term for term in SOURCE_TYPES.terms if term.id == source["type"])
    links.append(f'<https://schema.org/{term.crosswalk["schema.org"]}>; rel="type"')
    return ", ".join(links + _described_by(f"/v1/sources/{source['id']}"))


def claim_links(claim: str) -> str:
    """Return the Link header of a claim."""
    path = f"/v1/claims/{claim}"
    return ", ".join(
        [f'<{path}>; rel="cite-as"', '<https://schema.org/Claim>; rel="type"', *_described_by(path)]
    )


def _described_by(path: str) -> list[str]:
    return [
        f'<{path}?format={found.name}>; rel="describedby"; type="{found.media_types[0]}"'
        for found in FORMATS.values()
    ]


def claim_as_source(core: Row, base: str) -> Row:
    """Return a claim as something to cite: this knowledge base's record of it, as of its revision."""
    updated = core["updated"][:10]
    record = {
        "id": core["id"],
        "type": "webpage",
        "title": core["statement"],
        "container_title": "Claimbase",
        "number": f"revision {core['revision']}",
        "issued": updated,
        "url": f"{base}/v1/claims/{core['id']}",
        "study_design": "not_applicable",
        "note": f"Claim with the derived status '{core['status']}' since {core['status_since']}.",
        "authors": [{"literal": "Claimbase"}],
    }
    body = SourceIn.model_validate(record).model_dump()
    stamp = {"year": int(updated[:4]), "published": updated}
    return source_out(
        body, {**stamp, **{name: core[name] for name in ("revision", "created", "updated")}}
    )


def sources_response(
    chosen: Format,
    sources: Iterable[Row],
    etag: str,
    name: str,
    more: Mapping[str, str] | None = None,
) -> Response:
    """Stream sources in a format, as a file of that name; nothing is held but what is being written."""
    keys: dict[str, str] = {}
    make = key_maker()

    def keyed() -> Iterator[Row]:
        for source in sources:
            keys[source["id"]] = make(source)
            yield source

    assert isinstance(chosen, SourceFormat), "the route offers no other"
    headers = file_headers(chosen, etag, name, more or {})
    media_type = f"{chosen.media_types[0]}; charset=utf-8"
    return StreamingResponse(
        pieces(chosen.write(keyed(), keys)), media_type=media_type, headers=headers
    )


def file_headers(chosen: Format, etag: str, name: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of an answer in a format: the tag of this representation, and the file's name."""
    file = f'attachment; filename="{name}.{chosen.extension}"'
    return {
        "ETag": f'{etag[:-1]}-{chosen.name}"',
        "Content-Disposition": file,
        **pagination.CACHE,
        **more,
    }


def not_modified(request: Request, chosen: Format, etag: str) -> Response | None:
    """Return 304 where the client has this version in this format already."""
    return pagination.not_modified(request, f'{etag[:-1]}-{chosen.name}"')


def listed(
    database: Database,
    listing: listings.Listing,
    parameters: Mapping[str, Any],
    sort: Sequence[str],
) -> Iterator[Row]:
    """Yield every source that a list of sources finds, in its order."""
    return every(database, listing, listings.sources_statement(), parameters, sort, sources_out)


def cited(
    database: Database,
    listing: listings.Listing,
    parameters: Mapping[str, Any],
    sort: Sequence[str],
) -> Iterator[Row]:
    """Yield every source of the claims that a list of claims finds, each once, in the order of the claims.

    With `as_of` only those that had been published by then.
    """
    seen: set[str] = set()
    statement = listings.claims_statement(("sources",))
    day = parameters.get("as_of", "9999")
    for source in every(database, listing, statement, parameters, sort, _sources_of):
        if source["id"] not in seen and source["published"] <= day:
            seen.add(source["id"])
            yield source


def _sources_of(_connection: Connection, documents: Sequence[Row]) -> list[Row]:
    return [source for document in documents for source in from_json(document["sources"])]


def every(
    database: Database,
    listing: listings.Listing,
    statement: Any,
    parameters: Mapping[str, Any],
    sort: Sequence[str],
    read: Callable[[Connection, Sequence[Row]], list[Item]],
) -> Iterator[Item]:
    """Yield what is read of every page; each is read on a connection of its own, so that a slow client holds none."""
    after = None
    while True:
        with database.read(patient=True) as connection:
            rows, after = listings.page(
                connection, listing, statement, parameters, sort, after, BATCH
            )
            found = read(connection, rows)
        yield from found
        if after is None:
            return
