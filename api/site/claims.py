"""A claim with its evidence on both sides, why it has its status, and what would change that."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import Connection

from api.citations import json_ld
from api.http import pagination
from api.http.read_connection import ThreadReader
from api.routes.claims import ClaimSlug
from api.routes.history import ExplanationParameters, require_known
from api.site import claim_summary, forest_plot
from api.site.notes import names_in
from api.site.pages import (
    PageRoute,
    page,
    script_data,
    slider_words,
)
from models.core import vocabularies as v
from models.core.dates import last_day_of, now
from models.read import discussion, listings, relation_graph
from models.read.predictions import predictions
from models.read.stated_in import Standing, standings
from models.records.serializers import Row
from models.status import claim_aggregate, explanation
from models.status.explanation import Explanation

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# The sides in the order of the page, each with its heading.
SIDES = (("supports", "For"), ("disputes", "Against"), ("inconclusive", "Inconclusive"))


@router.get("/claims/{claim}")
def show_claim(
    request: Request,
    connection: ThreadReader,
    claim: ClaimSlug,
    query: Annotated[ExplanationParameters, Query()],
) -> Response:
    """Show a claim: its status, the evidence by side, why, what would change it, who says it."""
    whole = listings.load_claim(connection, claim, None, query.known_at)
    set_aside = query.set_aside()
    if set_aside is not None:
        require_known(whole, set_aside)
    then = claim_aggregate.as_of(whole, query.as_of) if query.as_of else whole
    core = claim_aggregate.core(then).model_dump()
    parts = claim_aggregate.parts(then)
    tied = predictions(connection, parts["relations"], query.as_of, query.known_at)
    explained = explanation.explain(whole, query.as_of, None, tied)
    sources = {source["id"]: source for source in parts["sources"]}
    lines = _lines(parts["evidence"], explained, sources)
    run = standings(connection, [claim])[claim]
    relations = _relations(connection, parts["relations"], query.as_of)
    positions = _positions(parts["assessments"], run, core["status"])
    # Comments are those of today, which a claim as it was recorded then did not have.
    said = [] if query.known_at else discussion.comments_on(connection, f"claim/{claim}")
    comments, line_comments = _comments(said, lines)
    present = int(now()[:4])
    return page(
        request,
        "claim.html",
        title=core["statement"],
        description=claim_summary.in_one_sentence(core),
        json_address=f"/v1/claims/{claim}",
        # What search engines read is the claim as it is today.
        graph=json_ld.claim_and_review({**core, **parts}, pagination.base_of(request))
        if then is whole and query.known_at is None
        else None,
        feed=f"/changes.atom?claim={claim}",
        claim=core,
        own_notice=then.claim["notice"],
        summary=claim_summary.summary(core, explained, lines),
        explained=explained,
        what_if=None
        if set_aside is None
        else explanation.explain(whole, query.as_of, set_aside, tied),
        set_aside=set_aside or explanation.SetAside(),
        sides=[
            (name, text, [line for line in lines if line["direction"] == name])
            for name, text in SIDES
        ],
        sources=sources,
        occurrences=parts["occurrences"],
        positions=positions,
        relations=relations,
        comments=comments,
        line_comments=line_comments,
        has_chain=relation_graph.has_chain(connection, claim, query.as_of),
        names=names_in(connection, _notes(core, lines, relations, positions)),
        groups=sorted({line["independence_group"] for line in lines}),
        levels=[term for term in v.EVIDENCE_LEVELS.terms if term.id != "not_gradable"],
        as_of=query.as_of,
        years=(min(int(run[0].starts[:4]), present) if run else present, present),
        year=int((query.as_of or now())[:4]),
        data=_for_script(claim, run),
    )


def _lines(
    evidence: Sequence[Row], explained: Explanation, sources: Mapping[str, Row]
) -> list[Row]:
    """Return the lines of evidence with where their source was published, their rank, what they did
    for the status, and their effects as pictures: the best first, and of equal ones the newest.
    """
    told = {line.id: line for line in explained.lines}
    effects = [effect for line in evidence for effect in line["effects"]]
    lines = [
        {
            **line,
            "venue": sources[line["source"]]["container_title"],
            "rank": told[line["id"]].rank,
            "grading": told[line["id"]].grading,
            "part": told[line["id"]].part,
            "drawn": [
                {"text": forest_plot.in_words(effect), "plot": forest_plot.plot(effect, effects)}
                for effect in line["effects"]
            ],
        }
        for line in evidence
        if line["id"] in told
    ]
    lines.sort(key=lambda line: line["published"], reverse=True)
    return sorted(lines, key=lambda line: line["rank"])


def _relations(connection: Connection, relations: Sequence[Row], day: str | None) -> list[Row]:
    """Return the ties from a claim, each with the statement and the status of its target, today or
    on a day.
    """
    if not relations:
        return []
    targets = {relation["target"] for relation in relations}
    known = relation_graph.describe_claims(connection, targets, day)
    return [
        {**relation, "of": known[relation["target"]]}
        for relation in relations
        if relation["target"] in known
    ]


def _positions(assessments: Sequence[Row], run: Sequence[Standing], status: str) -> list[Row]:
    """Return the positions of bodies, each with the status that was derived here when it was taken
    if later evidence has changed it since.
    """
    positions = []
    for assessment in assessments:
        day = last_day_of(assessment["assessed"])
        before = next((each.status for each in reversed(run) if each.starts <= day), None)
        changed = assessment["outdated"] and before not in (None, status)
        positions.append({**assessment, "status_before": before if changed else None})
    return positions


def _comments(said: Sequence[Row], lines: Sequence[Row]) -> tuple[list[Row], dict[str, list[Row]]]:
    """Return the comments that the page shows: those on the claim and on such parts of it as have
    no place for them, and those on each line of evidence by its id.
    """
    on_lines: dict[str, list[Row]] = {line["id"]: [] for line in lines}
    others: list[Row] = []
    for comment in said:
        on_lines.get(comment["about"].removeprefix("evidence/"), others).append(comment)
    return others, on_lines


def _notes(
    claim: Row, lines: Sequence[Row], relations: Sequence[Row], positions: Sequence[Row]
) -> Iterator[str | None]:
    """Yield all texts of the page in which a record may be called by its slug."""
    yield from (claim["note"], claim["notice"])
    yield from (line["finding"] for line in lines)
    yield from (relation["note"] for relation in relations)
    yield from (position["rationale"] for position in positions)


def _for_script(claim: str, run: Sequence[Any]) -> str:
    return script_data({"claim": claim, "run": run, **slider_words()})
