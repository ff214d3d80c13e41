"""CSL-JSON, the input of citation processors (Citation Style Language 1.0.2, csl-data.json).

What CSL has no variable for stands in `custom`, which CSL keeps for that and processors ignore: the
study's design and size, identifiers of other schemes, the ISBN of the book that a work stands in
(which is its `ISBN` for processors), ORCID iDs by role, keywords that the text of all of them does
not keep apart, whether a list of authors goes on, the text of an integrity notice, and which
identifiers nobody has verified. An inferred date is `circa`.
"""

import json
from collections.abc import Iterable, Iterator

from api.citations.clean import ENTITY, MARKUP, join_keywords, split_keywords
from api.citations.csl_json_reader import (
    CUSTOM,
    CUSTOM_SCHEMES,
    DATES,
    NAMES,
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
CANNOT_CARRY: tuple[str, ...] = ("versions", "cites", "main_claim", "collection", "text")
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
    names = _names(source)
    return {
        "id": source["id"],
        "type": TYPES[source["type"]],
        **_titles(source),
        **{role: list(map(_name_parts, people)) for role, people in names.items()},
        **_dates(source),
        **{variables[0]: source[ours] for ours, variables in PLAIN.items() if source[ours]},
        **_numbers(source),
        **_other_texts(source),
        "custom": _custom(source, names),
    }


def _titles(source: Row) -> Row:
    titles = {
        variables[0]: _escaped(source[ours]) for ours, variables in TITLES.items() if source[ours]
    }
    if source["container_title_short"]:
        # The first two are what other programs know.
        titles["journalAbbreviation"] = titles["container-title-short"]
        titles.setdefault("container-title", titles["container-title-short"])
    return titles


def _numbers(source: Row) -> Row:
    """Return the identifiers; of a part of a book that has no ISBN that of the book."""
    numbers = {"ISBN": source["container_isbn"]} if source["container_isbn"] else {}
    for identifier in source["identifiers"]:
        if identifier["scheme"] in SCHEMES:
            numbers[SCHEMES[identifier["scheme"]]] = identifier["value"]
    return numbers


def _other_texts(source: Row) -> Row:
    texts = {
        "ISSN": ", ".join(source["issn"]),
        "keyword": join_keywords(source["keywords"]),
        "license": source["licence"],
        "status": STATUSES.get(source["integrity"]),
    }
    return {name: text for name, text in texts.items() if text}


def _names(source: Row) -> dict[str, list[Row]]:
    """Return the people of each role, authors first."""
    of_role: dict[str, list[Row]] = {role: [] for role in NAMES}
    of_role["author"] = source["authors"]
    for contributor in source["contributors"]:
        of_role[contributor["role"]].append(contributor)
    return {role: people for role, people in of_role.items() if people}


def _name_parts(person: Row) -> Row:
    return {csl: person[ours] for ours, csl in PARTS.items() if person[ours]}


def _dates(source: Row) -> Row:
    dates: Row = {}
    for ours, csl in DATES.items():
        if source[ours]:
            parts = [int(part) for part in source[ours].split("-")]
            dates[csl] = {"date-parts": [parts]}
    if source["issued"] and source["issued_inferred"]:
        dates["issued"]["circa"] = True
    if source["epub_date"]:
        # Processors know no other date.
        dates.setdefault("issued", dates["available-date"])
    return dates


def _custom(source: Row, names: dict[str, list[Row]]) -> Row:
    """Return what CSL has no variable for."""
    custom: Row = {"source": source["id"]}
    custom |= {name: source[name] for name in CUSTOM if source[name] is not None}
    if not source["authors_complete"]:
        custom["authors_complete"] = False
    if source["epub_date"] and not source["issued"]:
        custom["issued"] = "unknown"
    if not source["issued"] and source["issued_inferred"]:
        custom["issued_inferred"] = True
    custom |= {
        identifier["scheme"]: identifier["value"]
        for identifier in source["identifiers"]
        if identifier["scheme"] in CUSTOM_SCHEMES
    }
    orcid = {
        role: [person["orcid"] for person in people]
        for role, people in names.items()
        if any(person["orcid"] for person in people)
    }
    if orcid:
        custom["orcid"] = orcid
    if source["container_isbn"]:
        custom["container_isbn"] = source["container_isbn"]
    if split_keywords(join_keywords(source["keywords"])) != source["keywords"]:
        custom["keywords"] = source["keywords"]
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
