"""Responses in formats other than JSON: citations, tables, and whole lists as JSON Lines."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Annotated, Any, ClassVar, TypeVar

from fastapi import Request
from fastapi.responses import Response
from pydantic import Field
from pydantic_core import from_json
from sqlalchemy import Connection, Select

from api.citations import bibliography, csl_json, formats, style_catalogue
from api.citations.formats import Format, WrittenFormat
from api.http import pagination
from api.http.body_chunks import pieces, streamed
from api.http.errors import ParameterError, not_acceptable
from api.http.negotiation import LINES_TYPES, negotiate, parameters_of
from api.http.read_connection import reading_by_itself
from api.tables import formats as table_formats
from api.tables.columns import Table
from api.tables.formats import TableFormat
from models.core.errors import Fault
from models.core.extras import require_library
from models.core.types import Shape
from models.core.vocabularies import SOURCE_TYPES
from models.read import listings, references
from models.read.filters import requested_parameters
from models.records.identifiers import address_of
from models.records.serializers import Row, source_out, sources_out
from models.records.source import SourceIn

JSON = "application/json"
BATCH = 200

Item = TypeVar("Item")
Read = Callable[[Request, listings.Listing, Mapping[str, Any], Sequence[str]], Iterator[Row]]

TABLES = table_formats.FORMATS
FORMATS: Mapping[str, WrittenFormat] = {**formats.WRITTEN, **TABLES}
LINES = Format("jsonl", LINES_TYPES, "jsonl")
IN_LINES = {LINES.name: LINES}
# The parameters of a bibliography, in the order in which its ETag names them.
STYLING = ("style", "locale", "remarks")


class MarkParameters(Shape):
    """Whether a table begins with a byte order mark."""

    bom: bool | None = Field(
        None,
        description="`true` begins `format=csv` with a byte order mark, by which some spreadsheets"
        " see that it is UTF-8.",
    )


class FormatParameters(MarkParameters):
    """The format of the response; overrides the Accept header."""

    offered: ClassVar[Mapping[str, Format]] = FORMATS

    format: (
        Annotated[str, pagination.choices("format", ["json", *FORMATS], "RecordFormat")] | None
    ) = Field(
        None,
        description="Overrides the Accept header. All formats but `json` return the sources.",
    )
    style: str | None = Field(
        None,
        max_length=100,
        description="Citation style of `format=bibliography`, `apa` by default: a name or a title"
        " of `/v1/citation-styles`.",
    )
    locale: str | None = Field(
        None,
        max_length=35,
        description="Language of the bibliography, such as `de` or `pt-BR`; by default that of the"
        " style, else `en-US`.",
    )
    remarks: bool | None = Field(
        None,
        description="With `true` a bibliography also says which identifiers nobody has verified,"
        " and that a work was corrected or is under concern. A retraction is always said.",
    )


class LinesParameters(Shape):
    """The format of the response; overrides the Accept header."""

    offered: ClassVar[Mapping[str, Format]] = IN_LINES

    format: Annotated[str, pagination.choices("format", ["json", *IN_LINES])] | None = Field(
        None, description="`jsonl` returns every match as JSON Lines."
    )


class TableParameters(LinesParameters, MarkParameters):
    """The format of the response; overrides the Accept header."""

    offered: ClassVar[Mapping[str, Format]] = TABLES

    format: Annotated[str, pagination.choices("format", ["json", *TABLES])] | None = Field(
        None, description="`csv` and `parquet` return a table."
    )


class ListTableParameters(LinesParameters, MarkParameters):
    """The format of a list; overrides the Accept header."""

    offered: ClassVar[Mapping[str, Format]] = {**IN_LINES, **TABLES}

    format: Annotated[str, pagination.choices("format", ["json", *IN_LINES, *TABLES])] | None = (
        Field(
            None,
            description="`jsonl` returns every match as JSON Lines, `csv` and `parquet` as a"
            " table.",
        )
    )


class ClaimFormatParameters(FormatParameters):
    """The format of one claim; overrides the Accept header."""

    offered: ClassVar[Mapping[str, Format]] = {**FORMATS, **formats.OF_CLAIMS}

    format: (
        Annotated[str, pagination.choices("format", ["json", *FORMATS, *formats.OF_CLAIMS])] | None
    ) = Field(
        None,
        description="Overrides the Accept header. `json_ld`, `turtle`, `nquads` and `nanopub` (an"
        " unsigned nanopublication, TriG) are linked data of the claim with all its parts, `fhir`"
        " is a Bundle of FHIR R5 of its evidence and its status, the others are the claim as"
        " something to cite.",
    )


class LinkedParameters(LinesParameters):
    """The format of the response; overrides the Accept header."""

    offered: ClassVar[Mapping[str, Format]] = formats.LINKED_DATA

    format: Annotated[str, pagination.choices("format", ["json", *formats.LINKED_DATA])] | None = (
        Field(None, description="`json_ld`, `turtle` and `nquads` return linked data.")
    )


class LineFormatParameters(LinesParameters):
    """The format of a line of evidence; overrides the Accept header."""

    offered: ClassVar[Mapping[str, Format]] = {**formats.LINKED_DATA, **formats.OF_CLAIMS}

    format: (
        Annotated[
            str, pagination.choices("format", ["json", *formats.LINKED_DATA, *formats.OF_CLAIMS])
        ]
        | None
    ) = Field(
        None,
        description="`json_ld`, `turtle`, `nquads` and `nanopub` (an unsigned nanopublication,"
        " TriG) return linked data, `fhir` an Evidence and an ArtifactAssessment of FHIR R5.",
    )


class ListFormatParameters(FormatParameters):
    """The format of a list or of its sources; overrides the Accept header."""

    offered: ClassVar[Mapping[str, Format]] = {**IN_LINES, **FORMATS}

    format: (
        Annotated[str, pagination.choices("format", ["json", *IN_LINES, *FORMATS], "ListFormat")]
        | None
    ) = Field(
        None,
        description="Overrides the Accept header. All formats but `json` return every match:"
        " `jsonl` the records as JSON Lines, `csv` and `parquet` a table of them, the others the"
        " sources.",
    )


@cache
def by_media_type(parameters: type[FormatParameters | LinesParameters]) -> dict[str, Format]:
    """Return the formats that these parameters offer, by media type."""
    return {
        media_type: format
        for format in parameters.offered.values()
        for media_type in format.media_types
    }


def requested_format(request: Request, query: FormatParameters | LinesParameters) -> Format | None:
    """Return the format that `format=` or Accept asks for, or None for JSON.

    Raises NotAcceptable if none of the media types is offered, ParameterError for a style or locale
    with any format other than the bibliography and for a byte order mark with any other than CSV,
    and MissingExtra if the format needs a library that is not installed.
    """
    styling: dict[str, Any] = {
        name: getattr(query, name)
        for name in STYLING
        if name in query.model_fields_set and getattr(query, name) is not None
    }
    if query.format is not None:
        format = query.offered.get(query.format)
    else:
        accept = pagination.header(request, "accept")
        media_type = _negotiated(accept, type(query))
        format = by_media_type(type(query)).get(media_type)
        if format is formats.BIBLIOGRAPHY:
            in_accept = parameters_of(accept, media_type)
            styling = {name: in_accept[name] for name in STYLING if name in in_accept} | styling
    if format is formats.BIBLIOGRAPHY:
        return _styled_bibliography(styling)
    if styling:
        raise _only_with("bibliography", styling)
    if format is not None and format.library is not None:
        require_library(format.library)
    if getattr(query, "bom", None):
        if format is not table_formats.CSV:
            raise _only_with("csv", ["bom"])
        return table_formats.with_byte_order_mark(table_formats.CSV)
    return format


def _only_with(format: str, names: Iterable[str]) -> ParameterError:
    """Return the error that these parameters belong to one format alone."""
    detail = f"Only format={format} takes {' and '.join(names)}."
    faults = [Fault(at=name, code="invalid_parameter", detail=detail) for name in names]
    return ParameterError(detail, faults)


def _negotiated(accept: str | None, parameters: type[FormatParameters | LinesParameters]) -> str:
    offered = (JSON, *by_media_type(parameters))
    media_type = negotiate(accept, offered)
    if media_type is None:
        raise not_acceptable(offered)
    return media_type


def _styled_bibliography(styling: Mapping[str, Any]) -> Format:
    """Return the bibliography in a style; the style is part of its name, and so of the ETag."""
    # An unknown style must be refused here: once the stream has begun, it is too late for an error
    # response.
    chosen = style_catalogue.find(styling.get("style"), styling.get("locale"))
    remarks = styling.get("remarks") in (True, "true")
    return replace(
        formats.BIBLIOGRAPHY,
        name="-".join([formats.BIBLIOGRAPHY.name, *(str(value) for value in styling.values())]),
        write=partial(bibliography.write, chosen=chosen, remarks=remarks),
        headers={"Citation-Style": chosen.header},
    )


def responses(
    declared: dict[int | str, dict[str, Any]],
    parameters: type[FormatParameters | LinesParameters] = FormatParameters,
) -> dict[int | str, dict[str, Any]]:
    """Return the responses that a route declares, with the media types of a 200 added."""
    content = {
        media_type: {"schema": {} if media_type.endswith("+json") else {"type": "string"}}
        for media_type in by_media_type(parameters)
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
    """Return a whole list in a citation format; `limit` and `cursor` have no effect."""
    etag = pagination.list_tag(connection)
    if unchanged := not_modified(request, chosen, etag):
        return unchanged
    parameters, sort = _parameters_and_sort(connection, listing, query)
    sources = read(request, listing, parameters, sort)
    return sources_response(request, chosen, sources, etag, "sources")


def lines_response(
    request: Request,
    connection: Connection,
    listing: listings.Listing,
    statement: Select[Any],
    query: Any,
    lines: pagination.Lines,
    name: str,
) -> Response:
    """Return a whole list as JSON Lines; `limit` and `cursor` have no effect.

    `name` is the name of the file without its extension.
    """

    def ended(connection: Connection, rows: Sequence[Row]) -> list[bytes]:
        return [line + b"\n" for line in lines(connection, rows)]

    return _whole_response(request, connection, LINES, listing, statement, query, ended, name, iter)


def table_response(
    request: Request,
    connection: Connection,
    chosen: TableFormat,
    table: Table,
    listing: listings.Listing,
    statement: Select[Any],
    query: Any,
    rows: Callable[[Connection, Sequence[Row]], list[Row]],
) -> Response:
    """Return a whole list as a table; `limit` and `cursor` have no effect.

    `rows` makes the rows of the table of what the list has read.
    """
    return _whole_response(
        request,
        connection,
        chosen,
        listing,
        statement,
        query,
        rows,
        table.name,
        partial(chosen.write_rows, table),
    )


def _whole_response(
    request: Request,
    connection: Connection,
    chosen: Format,
    listing: listings.Listing,
    statement: Select[Any],
    query: Any,
    read: Callable[[Connection, Sequence[Row]], list[Item]],
    name: str,
    write: Callable[[Iterator[Item]], Iterator[bytes]],
) -> Response:
    """Return a whole list as a file named `name`: `read` makes its items, `write` the file."""
    etag = pagination.list_tag(connection)
    if unchanged := not_modified(request, chosen, etag):
        return unchanged
    parameters, sort = _parameters_and_sort(connection, listing, query)
    content = pieces(write(read_all(request, listing, statement, parameters, sort, read)))
    headers = file_headers(chosen, etag, name, {})
    return streamed(request, content, headers, chosen.media_types[0])


def table_file(
    request: Request, chosen: Format, table: Table, rows: Iterable[Row], etag: str, name: str
) -> Response:
    """Return the rows of one record as a table, a file named `name`."""
    assert isinstance(chosen, TableFormat), "the route offers no other"
    return _small_file(request, chosen, chosen.write_rows(table, rows), etag, name)


def linked_file(
    request: Request,
    chosen: Format,
    make: Callable[[str], Row],
    etag: str,
    name: str,
    more: Mapping[str, str] | None = None,
) -> Response:
    """Return a document of linked data, which `make` makes for a base, as a file named `name`."""
    write = formats.GRAPH_WRITERS[chosen.name]
    return made_file(request, chosen, lambda base: write(make(base)), etag, name, more)


def made_file(
    request: Request,
    chosen: Format,
    make: Callable[[str], bytes],
    etag: str,
    name: str,
    more: Mapping[str, str] | None = None,
) -> Response:
    """Return what `make` writes for a base as a file named `name`.

    A thread writes it, since that takes long.
    """
    if unchanged := not_modified(request, chosen, etag):
        return unchanged
    content = map(make, [pagination.base_of(request)])
    headers = file_headers(chosen, etag, name, more or {})
    return streamed(request, content, headers, chosen.media_types[0])


def lines_file(request: Request, lines: Iterable[bytes], etag: str, name: str) -> Response:
    """Return the JSON of a few records as JSON Lines, a file named `name`."""
    return _small_file(request, LINES, (line + b"\n" for line in lines), etag, name)


def _small_file(
    request: Request, chosen: Format, content: Iterable[bytes], etag: str, name: str
) -> Response:
    """Return pieces, which are made only for who has not the file yet, as a file named `name`."""
    if unchanged := not_modified(request, chosen, etag):
        return unchanged
    headers = file_headers(chosen, etag, name, {})
    return Response(b"".join(content), media_type=chosen.media_types[0], headers=headers)


def _parameters_and_sort(
    connection: Connection, listing: listings.Listing, query: Any
) -> tuple[Mapping[str, Any], Sequence[str]]:
    values = requested_parameters(query)
    parameters = references.resolve_references(connection, values)
    return parameters, values.get("sort", listing.default)


def source_links(source: Row) -> str:
    """Return the Link header of a source for machines (Signposting: cite-as, describedby, type),
    and to its page for people.
    """
    links = [page_link(f"/sources/{source['id']}")]
    for identifier in source["identifiers"]:
        if identifier["scheme"] == "doi" and identifier["verification"] == "verified":
            links.append(f'<{address_of("doi", identifier["value"])}>; rel="cite-as"')
    term = next(term for term in SOURCE_TYPES.terms if term.id == source["type"])
    links.append(f'<https://schema.org/{term.crosswalk["schema.org"]}>; rel="type"')
    return ", ".join(links + _described_by(f"/v1/sources/{source['id']}"))


def claim_links(claim: str) -> str:
    """Return the Link header of a claim."""
    path = f"/v1/claims/{claim}"
    links = [
        page_link(f"/claims/{claim}"),
        f'<{path}>; rel="cite-as"',
        '<https://schema.org/Claim>; rel="type"',
    ]
    return ", ".join(links + _described_by(path))


def page_link(path: str) -> str:
    """Return the link to the page that shows people the same record."""
    return f'<{path}>; rel="alternate"; type="text/html"'


def _described_by(path: str) -> list[str]:
    return [
        f'<{path}?format={format.name}>; rel="describedby"; type="{format.media_types[0]}"'
        for format in FORMATS.values()
    ]


def claim_as_source(core: Row, base: str, day: str | None = None) -> Row:
    """Return a claim as a source to cite: its page in this knowledge base, at its revision, and as
    of a day if given.
    """
    updated = core["updated"][:10]
    record = {
        "id": core["id"],
        "type": "webpage",
        "title": core["statement"],
        "container_title": "Claimbase",
        "number": f"revision {core['revision']}",
        "issued": updated,
        "url": f"{base}/claims/{core['id']}" + (f"?as_of={day}" if day else ""),
        "study_design": "not_applicable",
        "note": f"Claim with the derived status '{core['status']}' since {core['status_since']}.",
        "authors": [{"literal": "Claimbase"}],
    }
    body = SourceIn.model_validate(record).model_dump()
    stamp = {name: core[name] for name in ("revision", "created", "updated")}
    return source_out(body, {"year": int(updated[:4]), "published": updated, **stamp})


def sources_response(
    request: Request,
    chosen: Format,
    sources: Iterable[Row],
    etag: str,
    name: str,
    more: Mapping[str, str] | None = None,
    *,
    alone: bool = False,
) -> Response:
    """Stream sources in a format as a file named `name`, with the headers in `more` added.

    CSL-JSON of one source that is asked for `alone` is an object, as from a DOI's registry.

    The list is read and written in pieces, so that it is never whole in memory.
    """
    assert isinstance(chosen, WrittenFormat), "the route offers no other"
    write: Callable[..., Iterator[bytes]] = chosen.write
    if chosen.name in formats.LINKED_DATA:
        write = partial(write, base=pagination.base_of(request))
    elif alone and chosen is formats.CSL_JSON:
        write = csl_json.write_one
    content = pieces(write(sources))
    headers = file_headers(chosen, etag, name, more or {})
    charset = "" if chosen is table_formats.PARQUET else "; charset=utf-8"
    return streamed(request, content, headers, f"{chosen.media_types[0]}{charset}")


def file_headers(chosen: Format, etag: str, name: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a response in a format: the ETag of this format, and the file name."""
    return {
        "ETag": _etag_of(chosen, etag),
        "Content-Disposition": f'attachment; filename="{name}.{chosen.extension}"',
        **pagination.CACHE,
        **chosen.headers,
        **more,
    }


def _etag_of(chosen: Format, etag: str) -> str:
    tag = f'{etag[:-1]}-{chosen.name}"'
    return tag if chosen.exact or tag.startswith("W/") else f"W/{tag}"


def not_modified(request: Request, chosen: Format, etag: str) -> Response | None:
    """Return 304 if the client already has this version in this format, else None."""
    return pagination.not_modified(request, _etag_of(chosen, etag))


def sources_of_list(
    request: Request,
    listing: listings.Listing,
    parameters: Mapping[str, Any],
    sort: Sequence[str],
) -> Iterator[Row]:
    """Yield the sources of a list of sources, in its order."""
    return read_all(request, listing, listings.sources_statement(), parameters, sort, sources_out)


def cited_sources(
    request: Request,
    listing: listings.Listing,
    parameters: Mapping[str, Any],
    sort: Sequence[str],
) -> Iterator[Row]:
    """Yield the sources of a list of claims, once each, in the order of the claims.

    With `as_of`, only sources published by then.
    """
    seen: set[str] = set()
    statement = listings.claims_statement(("sources",))
    day = parameters.get("as_of", "9999")
    for source in read_all(request, listing, statement, parameters, sort, _sources_of):
        if source["id"] not in seen and source["published"] <= day:
            seen.add(source["id"])
            yield source


def _sources_of(_connection: Connection, documents: Sequence[Row]) -> list[Row]:
    return [source for document in documents for source in from_json(document["sources"])]


def read_all(
    request: Request,
    listing: listings.Listing,
    statement: Any,
    parameters: Mapping[str, Any],
    sort: Sequence[str],
    read: Callable[[Connection, Sequence[Row]], list[Item]],
) -> Iterator[Item]:
    """Yield the items of every page of a list.

    Each page is read on its own connection, so that a slow client does not keep one occupied.
    """
    reading = partial(reading_by_itself, request.scope, request.app.state.database, unlimited=True)
    return listings.read_all(reading, listing, statement, parameters, sort, read, BATCH)
