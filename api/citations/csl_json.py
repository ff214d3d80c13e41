"""CSL-JSON, the input of citation processors (Citation Style Language 1.0.2, csl-data.json).

What CSL has no variable for stands in `custom`, which CSL keeps for that and processors ignore: the
study's design and size, identifiers of other schemes, whether a list of authors goes on, the text
of an integrity notice, and which identifiers nobody has verified. An inferred date is `circa`.
"""

import json
from collections.abc import Iterable, Iterator

from api.citations.clean import ENTITY, MARKUP
from api.citations.csl_json_reader import (
    CUSTOM,
    CUSTOM_SCHEMES,
    DATES,
    PARTS,
    PLAIN,
    SCHEMES,
    STATUSES,
    TITLES,
    TYPES,
    read,
)
from models.records.serializers import Row

__all__ = ["CANNOT_CARRY", "EXTENSION", "MEDIA_TYPES", "item", "read", "write"]

MEDIA_TYPES: tuple[str, ...] = (
    "application/vnd.citationstyles.csl+json",
    "application/citeproc+json",
)
EXTENSION = "json"
# Fields of `SourceIn` that name records of this knowledge base.
CANNOT_CARRY: tuple[str, ...] = ("versions", "cites", "main_claim", "collection")
# Made once, since `json.dumps` makes an encoder for each call.
_encode = json.JSONEncoder(ensure_ascii=False).encode


def write(sources: Iterable[Row]) -> Iterator[bytes]:
    """Yield an array with an item for each source, one on a line; its `id` is the slug."""
    separator = "["
    for source in sources:
        yield f"{separator}\n{_encode(item(source))}".encode()
        separator = ","
    yield b"[]\n" if separator == "[" else b"\n]\n"


def write_one(sources: Iterable[Row]) -> Iterator[bytes]:
    """Yield the one source that there is as an object, which is what asks for one get elsewhere."""
    (source,) = sources
    yield f"{_encode(item(source))}\n".encode()


def item(source: Row) -> Row:
    """Return a source as an item of CSL-JSON."""
    result: Row = {"id": source["id"], "type": TYPES[source["type"]]}
    for ours, names in TITLES.items():
        if source[ours]:
            result[names[0]] = _escaped(source[ours])
    if source["container_title_short"]:
        result["journalAbbreviation"] = result["container-title-short"]
    if authors := _authors(source):
        result["author"] = authors
    result |= _dates(source)
    for ours, names in PLAIN.items():
        if source[ours]:
            result[names[0]] = source[ours]
    for identifier in source["identifiers"]:
        if identifier["scheme"] in SCHEMES:
            result[SCHEMES[identifier["scheme"]]] = identifier["value"]
    if source["integrity"] in STATUSES:
        result["status"] = STATUSES[source["integrity"]]
    result["custom"] = _custom(source)
    return result


def _authors(source: Row) -> list[Row]:
    return [
        {csl: author[ours] for ours, csl in PARTS.items() if author[ours]}
        for author in source["authors"]
    ]


def _dates(source: Row) -> Row:
    dates: Row = {}
    for ours, csl in DATES.items():
        if source[ours]:
            parts = [int(part) for part in source[ours].split("-")]
            dates[csl] = {"date-parts": [parts]}
    if source["issued"] and source["issued_inferred"]:
        dates["issued"]["circa"] = True
    return dates


def _custom(source: Row) -> Row:
    """Return what CSL has no variable for."""
    custom: Row = {"source": source["id"]}
    custom |= {name: source[name] for name in CUSTOM if source[name] is not None}
    if not source["authors_complete"]:
        custom["authors_complete"] = False
    if not source["issued"] and source["issued_inferred"]:
        custom["issued_inferred"] = True
    custom |= {
        identifier["scheme"]: identifier["value"]
        for identifier in source["identifiers"]
        if identifier["scheme"] in CUSTOM_SCHEMES
    }
    unverified = [
        SCHEMES.get(identifier["scheme"], identifier["scheme"])
        for identifier in source["identifiers"]
        if identifier["verification"] == "unverified"
    ]
    if unverified:
        custom["unverified"] = unverified
    return custom


def _escaped(text: str) -> str:
    """Return a text in which nothing is taken for markup, so that it is read back as it was."""
    text = ENTITY.sub(lambda entity: f"&amp;{entity[0][1:]}", text)
    return MARKUP.sub(lambda mark: f"&lt;{mark[0][1:]}", text)
