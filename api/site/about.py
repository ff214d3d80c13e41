"""What changed here lately, and how a status is decided."""

from collections.abc import Sequence
from itertools import groupby
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection, select

from api.http.read_connection import ThreadReader
from api.site.notes import names_in
from api.site.pages import PageRoute, page
from api.site.words import segment
from models.core import vocabularies as v
from models.core.types import MAX_INTEGER
from models.read import change_feed, listings
from models.read.change_feed import ChangeFilters
from models.read.filters import requested_parameters
from models.read.listings import claim_briefs, topic
from models.records.record_types import RECORD_TYPES
from models.records.revision import latest_revision
from models.records.serializers import Row, sources_by_id
from models.status.rules import RULES

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# A page of them is read through; their names are looked up at once.
CHANGES_SHOWN = 50
# As many as a list to choose from can offer; the address takes any.
TOPICS_OFFERED = 500
# Of each action what a reader sees of it.
DONE = {
    "create": "added",
    "update": "changed",
    "derive": "derived anew",
    "accept": "accepted",
    "reject": "rejected",
    "withdraw": "withdrawn",
    "retract": "taken back",
    "merge": "merged",
    "undo": "changed back",
    "purge": "emptied",
}
# What undoing an acceptance does, by the state after it.
TAKEN_BACK = {"submitted": "is a proposal again", "withdrawn": "taken back"}
# Where the page of a record is; parts of a claim show on the page of their claim.
PLACES = {"claim": "/claims/", "source": "/sources/", "topic": "/topics/"}
# What a record of each kind is called by, of its own fields.
NAMED_BY = {
    "claim": "statement",
    "topic": "label",
    "source": "title",
    "occurrence": "quote",
    "assessment": "assessor",
    "collection": "title",
}
# What a line of evidence does to its claim.
VERBS = {"supports": "supports", "disputes": "disputes", "inconclusive": "is inconclusive on"}


class ChangeListParameters(ChangeFilters):
    """Which changes, and before which serial."""

    before: int | None = Field(None, ge=1, le=MAX_INTEGER, description="Changes before this one.")


@router.get("/changes")
def show_changes(
    request: Request, connection: ThreadReader, query: Annotated[ChangeListParameters, Query()]
) -> Response:
    """Show what changed, the newest first."""
    asked = requested_parameters(query)
    filters = {name: asked[name] for name in ChangeFilters.model_fields if name in asked}
    change_feed.require_known(connection, filters, change_feed.PUBLIC_REVISIONS)
    rows, before = change_feed.changes_before(connection, query.before, CHANGES_SHOWN, filters)
    changes = in_words(connection, rows)
    pairs = [(name, value) for name, values in filters.items() for value in values]
    return page(
        request,
        "changes.html",
        title="Changes",
        description="What changed in this knowledge base, the newest first.",
        json_address=f"/v1/changes?{urlencode(pairs)}" if pairs else "/v1/changes",
        feed=f"/changes.atom?{urlencode(pairs)}" if pairs else "/changes.atom",
        days=[(day, list(of)) for day, of in groupby(changes, key=lambda each: each["at"][:10])],
        topics=_topics(connection),
        names=names_in(connection, [change["comment"] for change in changes]),
        kinds=v.RECORD_KINDS.terms,
        chosen={name: values[0] for name, values in filters.items() if len(values) == 1},
        filters=pairs,
        is_first=query.before is None,
        first_page=f"/changes?{urlencode(pairs)}" if pairs else "/changes",
        next_page=before and f"/changes?{urlencode([*pairs, ('before', before)])}",
    )


def _topics(connection: Connection) -> Sequence[Any]:
    chosen = select(topic.c.id, topic.c.label).where(topic.c.state == "accepted")
    return connection.execute(chosen.order_by(topic.c.label).limit(TOPICS_OFFERED)).all()


def in_words(connection: Connection, changes: Sequence[Row]) -> list[Row]:
    """Return changes, each with what was done to what, and the page on which it shows."""
    bodies = [_body(connection, change) for change in changes]
    sources = sources_by_id(
        connection, {body["source"] for body in bodies if isinstance(body.get("source"), str)}
    )
    targets = {body["target"] for body in bodies if "target" in body}
    claims = {change["claim"] for change in changes if change["claim"]}
    briefs = claim_briefs(connection, claims | targets)
    statements = {claim: brief["statement"] for claim, brief in briefs.items()}
    return [
        {
            **change,
            "done": TAKEN_BACK.get(change["state"]) or DONE[change["action"]],
            "name": _name(change, body, sources, statements),
            "address": _address(change),
            "statement": statements.get(change["claim"], change["claim"]),
            "is_part": change["kind"] not in PLACES and change["claim"] is not None,
            "verb": VERBS.get(body.get("direction", ""), "on"),
        }
        for change, body in zip(changes, bodies, strict=True)
    ]


def _body(connection: Connection, change: Row) -> Row:
    """Return a record after a change; of one that was taken back, as it had been public."""
    if change["body"] is not None:
        return dict(change["body"])
    before = listings.revision.c.serial < change["serial"]
    public = latest_revision(connection, change["record"], before, change_feed.PUBLIC_REVISIONS)
    return public["body"] if public else {}


def _name(change: Row, body: Row, sources: dict[str, Row], statements: dict[str, str]) -> str:
    """Return what a record was called at a change: a line of evidence by its source."""
    _, _, own = change["record"].partition("/")
    if change["kind"] == "evidence" and body.get("source") in sources:
        return str(sources[body["source"]]["citation"])
    if change["kind"] == "relation" and "target" in body:
        target = statements.get(body["target"], body["target"])
        return f"{body['type'].replace('_', ' ')}: {target}"
    return str(body.get(NAMED_BY.get(change["kind"], "id")) or own)


def _address(change: Row) -> str | None:
    """Return the page on which a change shows, None where no page does."""
    _, _, own = change["record"].partition("/")
    if change["kind"] in PLACES and change["state"] in TAKEN_BACK:
        return None
    if change["kind"] in PLACES:
        return f"{PLACES[change['kind']]}{segment(own)}"
    if change["claim"] is None:
        return None
    place = RECORD_TYPES[change["kind"]].key_of(own)
    mark = f"#{segment(str(place['key']))}" if change["kind"] == "evidence" else ""
    return f"/claims/{segment(change['claim'])}{mark}"


@router.get("/about/status-rules")
def show_status_rules(request: Request, _connection: ThreadReader) -> Response:
    """Show how a status is decided: the words, the rules in their order, levels and certainty."""
    return page(
        request,
        "status_rules.html",
        title="How a status is decided",
        description="The rules by which a claim's status follows from its evidence, in order.",
        json_address="/v1/vocabularies/status-rules",
        statuses=v.STATUSES.terms,
        rules=RULES,
        levels=v.EVIDENCE_LEVELS,
        lists=(v.DIRECTIONS, v.DIRECTNESS, v.QUESTIONS, v.GRADED_DOWN, v.GRADED_UP),
        certainties=v.CERTAINTIES,
    )
