"""The revisions of records in the words of PROV (https://www.w3.org/TR/prov-o/): each is an entity,
made by the change of an agent, a revision of the one before it.
"""

from collections.abc import Iterable

from api.citations.json_ld import PROV
from models.records.serializers import Row

_DATES = ("prov:generatedAtTime", "prov:endedAtTime")
_LINKS = ("prov:specializationOf", "prov:wasRevisionOf", "additionalType")
CONTEXT: Row = {
    "@vocab": "https://schema.org/",
    "prov": PROV,
    **{name: {"@id": name, "@type": "@id"} for name in _LINKS},
    **{
        name: {"@id": name, "@type": "http://www.w3.org/2001/XMLSchema#dateTime"} for name in _DATES
    },
}
# Records of other kinds have the address at which curators read them.
PATHS = {"claim": "claims", "source": "sources", "evidence": "evidence", "topic": "topics"}


def history(revisions: Iterable[Row], base: str) -> Row:
    """Return revisions, which come in the order of their serials, as a graph."""
    latest: dict[str, str] = {}
    nodes = []
    for revision in revisions:
        address = f"{base}/v1/revisions/{revision['serial']}"
        record = revision["record"]
        node = {
            "@id": address,
            "@type": "prov:Entity",
            "prov:specializationOf": _address(record, base),
            "prov:generatedAtTime": revision["at"],
            "prov:wasRevisionOf": latest.get(record),
            "prov:wasGeneratedBy": _change(revision, base),
        }
        latest[record] = address
        nodes.append({name: value for name, value in node.items() if value is not None})
    return {"@context": CONTEXT, "@graph": nodes}


def _change(revision: Row, base: str) -> Row:
    """Return the activity of a revision; those that were made together have one agent and time."""
    review = revision["review"]
    node = {
        "@id": f"{base}/v1/revisions/{revision['serial']}#change",
        "@type": "prov:Activity",
        "name": revision["action"],
        "additionalType": review and f"{base}/v1/vocabularies/review-modes#{review}",
        "description": revision["comment"],
        "prov:endedAtTime": revision["at"],
        "prov:wasAssociatedWith": {"@type": "prov:Agent", "name": revision["actor"]},
    }
    return {name: value for name, value in node.items() if value is not None}


def _address(record: str, base: str) -> str:
    kind, _, own_id = record.partition("/")
    path = PATHS.get(kind, f"records/{kind}")
    return f"{base}/v1/{path}/{own_id}"
