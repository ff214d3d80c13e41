"""The requests of writes that the OpenAPI document shows, and /docs offers to try.

Each is accepted as it stands by a server that has the seed content, after those that it names as
`before`. `make examples` writes them to `api/examples/requests.json`, with the versions that
If-Match needs.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from models.core.types import REVIEW_FIELDS
from models.records.record_types import RECORD_TYPES
from models.write.suggestions import SET_BY_SERVER
from tests.api.curating import ASSESSMENT, CLAIM, Desk
from tests.api.examples import BODIES
from tests.databases import SEEDED as SEEDED_RECORDS

CURATOR, ANOTHER, ADMIN = "cleo", "ben", "dora"


@dataclass(frozen=True)
class Write:
    """A request: its parameters, its body, and by whom which others come before it."""

    parameters: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    before: tuple[tuple[str, str], ...] = ()
    who: str = CURATOR


LINE = {
    "key": "doe-2026",
    "source": "doepp-2010",
    "direction": "disputes",
    "level": "4",
    "question": "diagnosis",
    "directness": "indirect",
    "study_design": "case_control",
    "sample_size": 76,
    "finding": "No difference.",
    "independence_group": "doe",
}
SOURCE = {
    "id": "doe-2026",
    "type": "article-journal",
    "title": "No congestion in multiple sclerosis",
    "authors": [{"family": "Doe", "given": "Jane"}],
    "container_title": "Annals of Neurology",
    "issued": "2026-03",
    "study_design": "case_control",
    "identifiers": [{"scheme": "doi", "value": "10.5555/doe.2026", "verification": "unverified"}],
}
LINE_RECORD = {"kind": "evidence", "record": f"{CLAIM}:doe-2026"}
# The ids of the seed that are replaced and changed, and a field of each with another value.
SEEDED: dict[str, tuple[str, dict[str, Any]]] = {
    "topic": ("iron", {"label": "Iron in the brain"}),
    "source": ("doepp-2010", {"note": "Read again in 2026."}),
    "claim": ("ccsvi-is-vein-narrowing", {"note": "Read again in 2026."}),
    "occurrence": (f"{CLAIM}:c06", {"note": "Read again in 2026."}),
    "relation": (f"{CLAIM}:presupposes:ms-cause-unknown", {"note": "Read again in 2026."}),
    "evidence": (f"{CLAIM}:doepp-2010", {"note": "Read again in 2026."}),
    "assessment": (
        "opening-veins-helps-ms:nice-2019",
        {"rationale": "Guidance in force, read again in 2026."},
    ),
}
# What each kind's example of a new record is called, in the paths of those that come after.
NEW = {
    "collection": "civic",
    "topic": "gait",
    "source": "doe-2026",
    "claim": "ccsvi-is-rare",
    "occurrence": f"{CLAIM}:doepp-2010",
    "relation": f"{CLAIM}:comments_on:ccsvi-is-vein-narrowing",
    "evidence": f"{CLAIM}:doe-2026",
    "assessment": f"{CLAIM}:example",
    "suggestion": "read-again",
    "comment": "which-year",
}
# What is changed in a suggestion and in a comment, while they wait.
SAID = {
    "suggestion": {"reason": "That figure and its legend say it."},
    "comment": {"text": "Is 2010 the year of the print?"},
}
# What the address says already, and what the server or a review sets.
LEFT_OUT = ("claim", *REVIEW_FIELDS, *SET_BY_SERVER)
OF_CLAIM = {"claim": CLAIM}


def made(kind: str, who: str = CURATOR) -> tuple[tuple[str, str], ...]:
    """Return what proposes the example of a kind."""
    return ((who, f"create_{kind}"),)


def accepted(kind: str, name: str) -> Write:
    """Return a decision on the example of a kind, which another curator proposed."""
    return Write({"kind": kind, "record": name}, {"comment": "Checked."}, made(kind, ANOTHER))


WRITES: dict[str, Write] = {
    "create_collection": Write(
        body={"id": "civic", "name": "CIViC", "url": "https://civicdb.org", "licence": "CC0-1.0"}
    ),
    "create_topic": Write(body={"id": "gait", "label": "Gait", "definition": "How people walk."}),
    "create_source": Write(body=SOURCE),
    "create_claim": Write(
        body={
            "id": "ccsvi-is-rare",
            "statement": "CCSVI is rare in healthy people.",
            "kind": "finding",
            "topics": ["ccsvi"],
        }
    ),
    "create_occurrence": Write(
        OF_CLAIM,
        {
            "key": "doepp-2010",
            "source": "doepp-2010",
            "quote": "CCSVI is said to cause MS.",
            "asserted_by": ["doepp"],
        },
    ),
    "create_relation": Write(
        OF_CLAIM, {"type": "comments_on", "target": "ccsvi-is-vein-narrowing"}
    ),
    "create_evidence": Write(OF_CLAIM, LINE),
    "preview_new_evidence": Write(OF_CLAIM, LINE),
    "create_assessment": Write(OF_CLAIM, ASSESSMENT),
    "create_suggestion": Write(
        body={
            "id": "read-again",
            "about": "evidence/swelling-from-slow-venous-flow:zamboni-2006",
            "action": "change",
            "patch": {"locator": "Figure 2"},
            "reason": "That figure says it.",
        }
    ),
    "create_comment": Write(
        body={
            "id": "which-year",
            "about": "source/doepp-2010",
            "text": "Is the year that of the print?",
            "flag": "incomplete",
        }
    ),
    "carry_over_suggestion": Write({"suggestion": "read-again"}, before=made("suggestion")),
    "preview_suggestion": Write({"suggestion": "read-again"}, before=made("suggestion")),
    **{
        f"replace_{kind}": Write({RECORD_TYPES[kind].parameter: NEW[kind]}, change, made(kind))
        for kind, change in SAID.items()
    },
    **{
        f"change_{kind}": Write({RECORD_TYPES[kind].parameter: NEW[kind]}, change, made(kind))
        for kind, change in SAID.items()
    },
    **{f"replace_{kind}": Write({kind: name}, change) for kind, (name, change) in SEEDED.items()},
    **{f"change_{kind}": Write({kind: name}, change) for kind, (name, change) in SEEDED.items()},
    "replace_collection": Write(
        {"collection": "civic"},
        {"id": "civic", "name": "CIViC", "licence": "CC0-1.0", "version": "01-Nov-2026"},
        made("collection"),
    ),
    "change_collection": Write(
        {"collection": "civic"}, {"version": "01-Nov-2026"}, made("collection")
    ),
    # One's own proposal, which is withdrawn.
    **{
        f"delete_{kind}": Write(
            {RECORD_TYPES[kind].parameter: name, "comment": "A mistake."}, before=made(kind)
        )
        for kind, name in NEW.items()
    },
    # A decision on an assessment is the curator's own, which stands at once.
    "delete_assessment": Write(
        {"assessment": NEW["assessment"], "comment": "A mistake."},
        before=made("assessment", ANOTHER),
    ),
    "accept_record": accepted(**{"kind": "evidence", "name": NEW["evidence"]}),
    "reject_record": accepted(**{"kind": "evidence", "name": NEW["evidence"]}),
    # The proposal is the first change since the seed.
    "decide_reviews": Write(
        body={
            "mode": "each",
            "comment": "Checked.",
            "decisions": [{**LINE_RECORD, "action": "accept", "revision": SEEDED_RECORDS + 1}],
        },
        before=made("evidence", ANOTHER),
    ),
    "purge_record": Write(
        LINE_RECORD,
        {"comment": "It must not be kept."},
        (*made("evidence"), (CURATOR, "delete_evidence")),
        ADMIN,
    ),
    "merge_claim": Write(
        {"claim": "ccsvi-is-vein-narrowing"},
        {"into": "ccsvi-is-clinical-entity", "comment": "The same."},
    ),
    "merge_source": Write(
        {"source": "cochrane-2012"}, {"into": "cochrane-2019", "comment": "The same."}
    ),
    # The acceptance, which is the second change since the seed.
    "undo_revision": Write(
        {"serial": SEEDED_RECORDS + 2},
        {"comment": "Accepted by mistake."},
        (*made("evidence", ANOTHER), (CURATOR, "accept_record")),
    ),
    "propose_batch": Write(
        body={"records": [{"record": "source", **SOURCE}], "comment": "From a search of PubMed."}
    ),
    "import_sources": Write(body=BODIES["import_sources"]),
    "preview_evidence": Write({"evidence": NEW["evidence"]}, before=made("evidence")),
    "replace_source_text": Write(
        {"source": "doepp-2010", "licence": "CC-BY-4.0"}, "No difference was found.\n"
    ),
    "delete_source_text": Write(
        {"source": "doepp-2010", "comment": "Under another licence."},
        before=((ANOTHER, "replace_source_text"),),
    ),
    "create_key": Write(body=json.loads(BODIES["create_key"]), who=ADMIN),
    "declare_interests": Write(body=json.loads(BODIES["declare_interests"])),
    "create_webhook": Write(body={"url": "https://tools.example/changes", "topic": ["iron"]}),
    "match_claims": Write(body={"text": "CCSVI does not cause MS. The weather is fine."}),
    "lookup_sources": Write(
        body={"identifiers": ["https://doi.org/10.1002/ana.22085", "PMC1", "?"]}
    ),
    "lookup_claims": Write(body=json.loads(BODIES["lookup_claims"])),
    "lookup_evidence": Write(body=json.loads(BODIES["lookup_evidence"])),
    "parse_sources": Write(body=BODIES["parse_sources"]),
}


def path_of(document: dict[str, Any], operation: str) -> tuple[str, str, dict[str, Any]]:
    """Return the method and the path of an operation, and the operation."""
    return next(
        (method, path, each)
        for path, methods in document["paths"].items()
        for method, each in methods.items()
        if each["operationId"] == operation
    )


def shown(desk: Desk, document: dict[str, Any], operation: str) -> dict[str, Any]:
    """Return the example of a write as it is to be shown, with the versions of what is stored."""
    write = WRITES[operation]
    verb, _, kind = operation.partition("_")
    parameters, body = dict(write.parameters), write.body
    names = {each["name"] for each in path_of(document, operation)[2].get("parameters", ())}
    record: dict[str, Any] = {}
    if "record" in parameters:
        record = desk.record(parameters["kind"], parameters["record"])
    elif "If-Match" in names:
        kind = kind.removesuffix("_text").removeprefix("over_")
        record = desk.record(kind, parameters[RECORD_TYPES[kind].parameter])
    if verb == "replace" and kind in (*SEEDED, *SAID) and operation != "replace_source_text":
        stored = {name: value for name, value in record["record"].items() if value}
        body = {name: stored[name] for name in stored if name not in LEFT_OUT} | body
    if "If-Match" in names:
        parameters["If-Match"] = f'"{record["revision"]}"'
    return {"parameters": parameters, "body": body}


def send(desk: Desk, document: dict[str, Any], operation: str, who: str) -> Any:
    """Send what the document shows for an operation, as /docs does; return the response."""
    method, path, declared = path_of(document, operation)
    query: dict[str, Any] = {}
    headers: dict[str, str] = {}
    for parameter in declared.get("parameters", ()):
        if "example" in parameter:
            value = parameter["example"]
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", str(value))
            else:
                {"query": query, "header": headers}[parameter["in"]][parameter["name"]] = value
    content: dict[str, Any] = declared.get("requestBody", {}).get("content", {})
    body = None
    for media_type, each in list(content.items())[:1]:
        headers["Content-Type"] = media_type
        body = each["example"]
        body = body if isinstance(body, str) else json.dumps(body)
    headers["Authorization"] = f"Bearer {desk.plain[who]}"
    return desk.client.request(method, path, params=query, headers=headers, content=body)
