"""Records as an agent reads them: which one is meant, its address, and its text."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection

from api.mcp.answers import shortened, without_empty
from models.core import vocabularies as v
from models.core.notice import NOTICE, with_general
from models.read import listings
from models.read.predictions import predictions
from models.records.identifiers import address_of, as_reference, stated_identifier
from models.records.serializers import Row, sources_by_id
from models.status import claim_aggregate, explanation

_KINDS = {
    **dict.fromkeys(("claim", "claims"), "claim"),
    **dict.fromkeys(("source", "sources"), "source"),
    **dict.fromkeys(("topic", "topics"), "topic"),
    "evidence": "evidence",
}
_DEFINITIONS = {term.id: term.definition for term in v.STATUSES.terms}


def named(base: str, connection: Connection, given: str) -> tuple[str, str]:
    """Return kind and id of the record that is meant: by its id, its address, or an identifier.

    A slug alone is that of a claim, or of a source if there is no such claim.
    """
    kind, name = _parsed(base, given)
    if kind is not None:
        return kind, name
    if not listings.claim_briefs(connection, [name]) and sources_by_id(connection, [name]):
        return "source", name
    return "claim", name


def _parsed(base: str, given: str) -> tuple[str | None, str]:
    text = given.strip()
    if text.startswith(base):
        text = text.removeprefix(base).partition("?")[0].partition("#")[0]
    text = text.lstrip("/").removeprefix("v1/")
    first, _, rest = text.partition("/")
    if rest and first in _KINDS:
        return _KINDS[first], rest
    if stated_identifier(text):
        return "source", as_reference(text)
    return ("evidence" if ":" in text else None), text


def claim_named(base: str, given: str) -> str:
    """Return the slug of the claim that is meant, by its id, its address or that of a part."""
    return _parsed(base, given)[1].partition(":")[0]


def claim_address(base: str, slug: str, day: str | None = None, line: str | None = None) -> str:
    """Return the address of a claim's page, as of a day, at one of its lines."""
    times = f"?as_of={day}" if day else ""
    return f"{base}/claims/{slug}{times}{f'#{line}' if line else ''}"


def source_address(base: str, slug: str) -> str:
    """Return the address of a source's page."""
    return f"{base}/sources/{slug}"


def doi_of(source: Mapping[str, Any]) -> str | None:
    """Return the DOI of a source as an address, or None."""
    found = (each["value"] for each in source["identifiers"] if each["scheme"] == "doi")
    return next((address_of("doi", value) for value in found), None)


def brief_claim(base: str, core: Mapping[str, Any], day: str | None = None) -> Row:
    """Return a claim as one of many results."""
    return without_empty(
        {
            "id": f"claim/{core['id']}",
            "title": shortened(core["statement"]),
            "url": claim_address(base, core["id"], day),
            "status": core["status"],
            "certainty": core["certainty"],
            "since": core["status_since"],
        }
    )


def brief_source(base: str, source: Mapping[str, Any]) -> Row:
    """Return a source as one of many results."""
    return without_empty(
        {
            "id": f"source/{source['id']}",
            "title": shortened(source["title"] or source["citation"]),
            "url": source_address(base, source["id"]),
            "citation": source["citation"],
            "doi": doi_of(source),
            "integrity": _announced(source["integrity"]),
        }
    )


def fetched_claim(base: str, connection: Connection, slug: str, day: str | None) -> Row:
    """Return a claim whole. Raises NotFound with near ids."""
    found = listings.load_claim(connection, slug, None, None)
    then = claim_aggregate.as_of(found, day) if day else found
    core = claim_aggregate.core(then).model_dump()
    parts = claim_aggregate.parts(then)
    tied = predictions(connection, parts["relations"], day, None)
    why = explanation.explain(found, day, None, tied)
    return {
        "id": f"claim/{slug}",
        "title": shortened(core["statement"]),
        "text": "\n".join(_claim_text(core, parts, why)),
        "url": claim_address(base, slug, day),
        "metadata": {
            "kind": core["kind"],
            "status": core["status"],
            "certainty": core["certainty"],
            "since": core["status_since"],
            "as_of": day,
            "topics": core["topics"],
            "revision": core["revision"],
            "notice": with_general(core["notice"]),
        },
    }


def _claim_text(
    core: Mapping[str, Any], parts: Mapping[str, Any], why: explanation.Explanation
) -> Iterator[str]:
    certainty = (core["certainty"] or "not applicable").replace("_", " ")
    yield f"Claim: {core['statement']}"
    yield f"Status: {core['status']} since {core['status_since']} (certainty: {certainty})."
    yield f"That means: {_DEFINITIONS[core['status']]}"
    yield f"Rule {why.status_rule}: {why.sentence}"
    yield from why.certainty_reasons
    for critical in why.critical_groups:
        yield f"Without {critical.independence_group} it would be {critical.status}."
    for prediction in why.predictions:
        if prediction.fell:
            yield (
                f"If it held, this would have to hold: «{prediction.statement}»"
                f" (claim/{prediction.target}), which is {prediction.status}."
            )
    sources = {source["id"]: source for source in parts["sources"]}
    part_of = {line.id: line.part for line in why.lines}
    lines = sorted(parts["evidence"], key=lambda line: (line["level"], line["published"]))
    yield f"Evidence ({len(lines)}), best first:" if lines else "Evidence: none is recorded."
    for line in lines:
        yield _line_text(line, sources[line["source"]], part_of.get(line["id"]))
    for relation in parts["relations"]:
        note = f": {relation['note']}" if relation["note"] else ""
        yield f"Relation ({relation['status']}): {_tie(relation['type'], relation['target'])}{note}"
        for line in relation["evidence"]:
            yield _line_text(line, sources[line["source"]], None)
    for assessment in parts["assessments"]:
        judged = (assessment[name] for name in ("assessed", "status", "verdict", "rationale"))
        yield f"Assessed by {assessment['assessor']}: {', '.join(filter(None, judged))}"
    for occurrence in parts["occurrences"]:
        where = sources[occurrence["source"]]["citation"]
        quote = f": «{occurrence['quote']}»" if occurrence["quote"] else ""
        yield f"Stated in {where} (source/{occurrence['source']}){quote}"


def _line_text(line: Mapping[str, Any], source: Mapping[str, Any], part: str | None) -> str:
    """Return a line of evidence as one line of text."""
    about = [
        f"level {line['level']}",
        line["study_design"].replace("_", " "),
        line["sample"],
        part and part.replace("_", " "),
        (_announced(line["integrity"]) or "").upper(),
    ]
    cited = " ".join(filter(None, [source["citation"], doi_of(source)]))
    told = ", ".join(filter(None, about))
    relation = _relation_of(line)
    on = f" that it {relation}" if relation else ""
    return (
        f"- {line['direction']}{on} ({told}): {line['finding']} — {cited} [evidence/{line['id']}]"
    )


def _tie(kind: str, target: str) -> str:
    return f"{kind.replace('_', ' ')} claim/{target}"


def _relation_of(line: Mapping[str, Any]) -> str | None:
    """Return the relation that a line of evidence bears on, or None if it bears on the claim."""
    if line["bears_on"] == "claim":
        return None
    return _tie(line["relation_type"], line["relation_target"])


def _announced(integrity: str) -> str | None:
    """Return what is announced about a source, or None."""
    return None if integrity == "no_notice" else integrity


def brief_line(base: str, line: Mapping[str, Any], source: Mapping[str, Any]) -> Row:
    """Return a line of evidence as one of many results."""
    return without_empty(
        {
            "id": f"evidence/{line['id']}",
            "claim": f"claim/{line['claim']}",
            "on_relation": _relation_of(line),
            "direction": line["direction"],
            "level": line["level"],
            "design": line["study_design"],
            "directness": line["directness"],
            "sample": line["sample"],
            "year": line["year"],
            "finding": shortened(line["finding"]),
            "citation": source["citation"],
            "doi": doi_of(source),
            "integrity": _announced(line["integrity"]),
            "url": claim_address(base, line["claim"], None, line["id"].partition(":")[2]),
        }
    )


def fetched_line(base: str, connection: Connection, public_id: str) -> Row:
    """Return a line of evidence whole. Raises NotFound with near ids."""
    line = from_json(listings.read_evidence_line(connection, public_id)["document"])
    source = listings.read_source(connection, line["source"])
    claim, _, key = public_id.partition(":")
    return {
        "id": f"evidence/{public_id}",
        "title": f"{source['citation']} {line['direction']} {claim}",
        "text": "\n".join(_fields(line)),
        "url": claim_address(base, claim, None, key),
        "metadata": {
            "claim": f"claim/{claim}",
            "source": f"source/{source['id']}",
            "doi": doi_of(source),
            "notice": NOTICE,
        },
    }


def fetched_source(base: str, connection: Connection, reference: str) -> Row:
    """Return a source whole, and the lines that rest on it. Raises NotFound with near ids."""
    source = listings.read_referenced_source(connection, reference)
    slug = source["id"]
    rows, _ = listings.read_page(
        connection,
        listings.EVIDENCE,
        listings.evidence_statement(),
        {"source": [slug]},
        ("level",),
        None,
        LINES_OF_SOURCE,
    )
    lines = [from_json(row["document"]) for row in rows]
    told = [_line_text(line, source, None) for line in lines]
    return {
        "id": f"source/{slug}",
        "title": shortened(source["title"] or source["citation"]),
        "text": "\n".join([*_fields(source), *(["Evidence from it:", *told] if told else [])]),
        "url": source_address(base, slug),
        "metadata": {
            "citation": source["citation"],
            "doi": doi_of(source),
            "integrity": source["integrity"],
            "revision": source["revision"],
            "notice": NOTICE,
        },
    }


# More than any source has; `find_evidence` pages through all.
LINES_OF_SOURCE = 50


def fetched_topic(base: str, connection: Connection, slug: str) -> Row:
    """Return a topic whole. Raises NotFound with near ids."""
    topic = listings.read_topic(connection, slug)
    return {
        "id": f"topic/{slug}",
        "title": topic["label"],
        "text": "\n".join(_fields(topic)),
        "url": f"{base}/topics/{slug}",
        "metadata": {"notice": NOTICE},
    }


# What the program writes for itself.
_STAMPS = frozenset({"id", "revision", "created", "updated", "state"})


def _fields(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields of a record that have a value, one a line."""
    for name, value in without_empty(record).items():
        if name not in _STAMPS and value is not False:
            yield f"{name}: {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(each)}" for name, each in without_empty(value).items())
    if isinstance(value, list):
        return "; ".join(map(_value, value))
    return str(value)


def sources_of_lines(connection: Connection, lines: Iterable[Mapping[str, Any]]) -> dict[str, Row]:
    """Return the sources of lines of evidence by their slugs."""
    return sources_by_id(connection, {line["source"] for line in lines})
