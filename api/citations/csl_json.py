"""CSL-JSON, the input of citation processors (Citation Style Language 1.0.2, csl-data.json).

What CSL has no variable for stands in `custom`, which CSL keeps for that and processors ignore: the study's design and
size, whether a list of authors goes on, the text of an integrity notice, and which identifiers nobody has verified. An
incomplete list of authors ends in the literal name "others", as pandoc and Zotero write it; an inferred date is `circa`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from api.citations.clean import told_identifier
from api.citations.csl_json_reader import (
    CUSTOM,
    DATES,
    ENTITY,
    MARKUP,
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
CANNOT_CARRY: tuple[str, ...] = ()
# Made once: `json.dumps` makes an encoder a call.
_JSON = json.JSONEncoder(ensure_ascii=False).encode


def write(sources: Iterable[Row], keys: Mapping[str, str]) -> Iterator[bytes]:
    """Yield an array with an item for each source, one a line; `keys` gives the item's `id` by slug."""
    before = "["
    for source in sources:
        yield f"{before}\n{_JSON(item(source, keys[source['id']]))}".encode()
        before = ","
    yield b"[]\n" if before == "[" else b"\n]\n"


def item(source: Row, key: str) -> Row:
    """Return a source as an item of CSL-JSON with that `id`."""
    made: Row = {"id": key, "type": TYPES[source["type"]]}
    made |= {names[0]: _escaped(source[ours]) for ours, names in TITLES.items() if source[ours]}
    if source["container_title_short"]:
        made["journalAbbreviation"] = made["container-title-short"]
    authors = [
        {csl: author[ours] for ours, csl in PARTS.items() if author[ours]}
        for author in source["authors"]
    ]
    if authors:
        made["author"] = (
            authors if source["authors_complete"] else [*authors, {"literal": "others"}]
        )
    for ours, csl in DATES.items():
        if source[ours]:
            made[csl] = {"date-parts": [[int(part) for part in source[ours].split("-")]]}
    if source["issued"] and source["issued_inferred"]:
        made["issued"]["circa"] = True
    made |= {names[0]: source[ours] for ours, names in PLAIN.items() if source[ours]}
    made |= {SCHEMES[one["scheme"]]: told_identifier(one) for one in source["identifiers"]}
    if source["integrity"] in STATUSES:
        made["status"] = STATUSES[source["integrity"]]
    unverified = [
        SCHEMES[one["scheme"]]
        for one in source["identifiers"]
        if one["verification"] == "unverified"
    ]
    custom = {
        "source": source["id"],
        **{name: source[name] for name in CUSTOM if source[name] is not None},
    }
    if not authors and not source["authors_complete"]:
        custom["authors_complete"] = False
    if not source["issued"] and source["issued_inferred"]:
        custom["issued_inferred"] = True
    return made | {"custom": custom | ({"unverified": unverified} if unverified else {})}


def _escaped(text: str) -> str:
    """Return a text in which nothing is taken for markup, so that the reader gives it back as it was."""
    text = ENTITY.sub(lambda entity: f"&amp;{entity[0][1:]}", text)
    return re.sub(MARKUP, lambda mark: f"&lt;{mark[0][1:]}", text)
