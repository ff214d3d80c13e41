"""Walks along the relations: what is tied to a claim, and what would fall with it."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, or_, select

from models.core import vocabularies as v
from models.projection.tables import ClaimDocument
from models.records.relation import Relation
from models.records.serializers import Row, table

document, relation = table(ClaimDocument), table(Relation)

MOST_STEPS = 10
MOST_NODES = 500
MOST_CHAINS = 20
MOST_PATHS = 100
FALLEN = ("refuted", "disputed")
# Which end of a tie rests on the other: what is led to rests on what leads there; what depends on, presupposes or refines
# a claim rests on it. The other types carry no support.
SUPPORT = {"leads_to": "target", "depends_on": "claim", "presupposes": "claim", "refines": "claim"}


def walk(
    connection: Connection, start: str, depth: int, direction: str, types: Sequence[str]
) -> Row:
    """Walk the relations from a claim, breadth first, at most `depth` steps; cycles end, and what was cut is said.

    Returns the claims reached (with their distance), the relations walked, and whether more lay beyond.
    """
    nodes: dict[str, int] = {start: 0}
    edges: dict[tuple[str, str, str], Row] = {}
    frontier, cut = [start], False
    for step in range(1, depth + 1):
        found = _ties(connection, frontier, direction, types)
        frontier = []
        for tie in found:
            for end in (tie["claim"], tie["target"]):
                if end not in nodes and len(nodes) < MOST_NODES:
                    nodes[end] = step
                    frontier.append(end)
            if tie["claim"] in nodes and tie["target"] in nodes:
                edges[tie["claim"], tie["type"], tie["target"]] = tie
            else:
                cut = True
        if not frontier:
            break
    else:
        known = set(edges)
        beyond = _ties(connection, frontier, direction, types)
        cut |= any((tie["claim"], tie["type"], tie["target"]) not in known for tie in beyond)
    claims = [
        {**found, "distance": nodes[slug]}
        for slug, found in _described(connection, list(nodes)).items()
    ]
    return {
        "claims": sorted(claims, key=lambda node: (node["distance"], node["id"])),
        "relations": _judged(connection, [edges[key] for key in sorted(edges)]),
        "truncated": cut,
    }


def _ties(
    connection: Connection, claims: Sequence[str], direction: str, types: Sequence[str]
) -> list[Row]:
    ends = {"outgoing": [relation.c.claim], "incoming": [relation.c.target]}
    at = [end.in_(claims) for end in ends.get(direction, [relation.c.claim, relation.c.target])]
    statement = (
        select(relation)
        .where(or_(*at), relation.c.state == "accepted")
        .order_by(*relation.primary_key.columns)
    )
    if types:
        statement = statement.where(relation.c.type.in_(types))
    return [dict(row) for row in connection.execute(statement).mappings()]


def _judged(connection: Connection, ties: Sequence[Row]) -> list[Row]:
    """Return the ties each with the status that the evidence on the tie itself amounts to, from the stored documents."""
    starts = {tie["claim"] for tie in ties}
    stored = connection.execute(
        select(document.c.claim, document.c.relations).where(document.c.claim.in_(starts))
    )
    judged = {
        (claim, tie["type"], tie["target"]): tie["status"]
        for claim, relations in stored
        for tie in from_json(relations)
    }
    return [{**tie, "status": judged[tie["claim"], tie["type"], tie["target"]]} for tie in ties]


def causal_chain(connection: Connection, start: str, depth: int = MOST_STEPS) -> Row:
    """Walk the causal chain through a claim: all that leads to it and all that it leads to; the same shape as `walk`."""
    before, after = (
        walk(connection, start, depth, way, ["leads_to"]) for way in ("incoming", "outgoing")
    )
    claims = {node["id"]: node for node in (*before["claims"], *after["claims"])}
    relations = {
        (tie["claim"], tie["target"]): tie for tie in (*before["relations"], *after["relations"])
    }
    return {
        "claims": sorted(claims.values(), key=lambda node: (node["distance"], node["id"])),
        "relations": [relations[key] for key in sorted(relations)],
        "truncated": before["truncated"] or after["truncated"],
    }


def impact(connection: Connection, start: str, assume: str, depth: int) -> Row:
    """Tell which claims lose support if a claim had the status `assume`, along which ties and how far.

    A claim rests (see `SUPPORT`) on one whose fall would take support from it. A tie that evidence has refuted passes
    nothing on and is told as blocked. Each causal chain through the start shows its weakest link as derived, whatever is
    assumed. Cycles end, depth and numbers are bounded, and what was cut is said.
    """
    distance = {start: 0}
    ties: dict[tuple[str, str, str], Row] = {}
    blocked: list[Row] = []
    frontier, cut = [start], False
    for step in range(1, depth + 2):
        following = _resting(connection, frontier)
        frontier = []
        for end, tie in following:
            if tie["status"] == "refuted":
                blocked.append(tie)
            elif end in distance or (step <= depth and len(distance) <= MOST_NODES):
                if end not in distance:
                    distance[end] = step
                    frontier.append(end)
                ties[tie["claim"], tie["type"], tie["target"]] = tie
            else:
                cut = True
        if not frontier:
            break
    causal = causal_chain(connection, start, depth)
    claims = _described(connection, [*distance, *(node["id"] for node in causal["claims"])])
    now = claims[start]["status"]
    falls = assume in FALLEN or v.STATUSES.rank(assume) < v.STATUSES.rank(now)
    chains, more = _chains(causal["relations"], start)
    judged = sorted(
        (_weakest(path, claims) for path in chains),
        key=lambda each: (_strength(each["weakest"]), each["claims"]),
    )
    return {
        "claim": start,
        "assume": assume,
        "status": now,
        "claims": [
            {
                **claims[slug],
                "distance": distance[slug],
                "via": [tie for tie in ties.values() if tie[SUPPORT[tie["type"]]] == slug],
                "loses_support": falls,
            }
            for slug in sorted(distance, key=lambda slug: (distance[slug], slug))
            if slug != start
        ],
        "blocked": blocked,
        "chains": judged[:MOST_CHAINS],
        "truncated": cut or causal["truncated"] or more or len(judged) > MOST_CHAINS,
    }


def _resting(connection: Connection, claims: Sequence[str]) -> list[tuple[str, Row]]:
    """Return the claims that rest directly on these, each with the tie by which it does and what evidence says of it."""
    wanted = set(claims)
    ties = [
        tie for tie in _ties(connection, claims, "both", list(SUPPORT)) if tie[_base(tie)] in wanted
    ]
    return [(tie[SUPPORT[tie["type"]]], tie) for tie in _judged(connection, ties)]


def _base(tie: Row) -> str:
    return "claim" if SUPPORT[tie["type"]] == "target" else "target"


def _described(connection: Connection, claims: Sequence[str]) -> dict[str, Row]:
    columns = select(
        document.c.claim,
        document.c.statement,
        document.c.kind,
        document.c.status,
        document.c.certainty,
    )
    rows = connection.execute(columns.where(document.c.claim.in_(set(claims)))).mappings()
    return {
        row["claim"]: {"id": row["claim"], **{name: row[name] for name in row if name != "claim"}}
        for row in rows
    }


def _chains(ties: Sequence[Row], start: str) -> tuple[list[list[Row]], bool]:
    """Return the causal chains through a claim, from where nothing leads to, to where nothing is led to."""
    after: dict[str, list[Row]] = {}
    before: dict[str, list[Row]] = {}
    for tie in ties:
        after.setdefault(tie["claim"], []).append(tie)
        before.setdefault(tie["target"], []).append(tie)
    upstream, cut_up = _paths(start, before, "claim")
    downstream, cut_down = _paths(start, after, "target")
    chains = [[*reversed(up), *_onward(up, down)] for up in upstream for down in downstream]
    distinct = {
        tuple((tie["claim"], tie["target"]) for tie in path): path for path in chains if path
    }
    return list(distinct.values()), cut_up or cut_down


def _onward(up: Sequence[Row], down: Sequence[Row]) -> list[Row]:
    """Return the way down as far as it meets no claim of the way up: a cycle is told once."""
    passed = {tie["claim"] for tie in up}
    return list(itertools.takewhile(lambda tie: tie["target"] not in passed, down))


def _paths(start: str, ties: Mapping[str, Sequence[Row]], end: str) -> tuple[list[list[Row]], bool]:
    """Return the paths that go on from a claim until they end or would come back to a claim they passed."""
    done: list[list[Row]] = []
    open_paths: list[tuple[list[Row], frozenset[str]]] = [([], frozenset([start]))]
    while open_paths and len(done) < MOST_PATHS:
        path, passed = open_paths.pop()
        at = path[-1][end] if path else start
        onward = [tie for tie in ties.get(at, ()) if tie[end] not in passed]
        if not onward:
            done.append(path)
        open_paths += [([*path, tie], passed | {tie[end]}) for tie in reversed(onward)]
    return done, bool(open_paths)


def _weakest(path: Sequence[Row], claims: Mapping[str, Row]) -> Row:
    """Return a chain as slugs with its weakest link; a tie counts where evidence has judged it."""
    slugs = [path[0]["claim"], *(tie["target"] for tie in path)]
    links: list[Row] = [
        {"claim": slug, "target": None, "status": claims[slug]["status"]} for slug in slugs
    ]
    links += [
        {"claim": tie["claim"], "target": tie["target"], "status": tie["status"]}
        for tie in path
        if tie["status"] != "unassessed"
    ]
    return {"claims": slugs, "weakest": min(links, key=_strength)}


def _strength(link: Mapping[str, Any]) -> int:
    return v.STATUSES.rank(str(link["status"]))
