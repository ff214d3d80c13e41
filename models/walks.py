"""Walks along the relations: what is tied to a claim, and what would fall with it."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, or_, select

from models import vocabularies as v
from models.document import ClaimDocument
from models.records import Row, table
from models.relation import Relation

document, relation = table(ClaimDocument), table(Relation)

MOST_STEPS = 10
MOST_NODES = 500
MOST_CHAINS = 20
FALLEN = ("refuted", "disputed")
# Which end of a tie rests on the other: what is led to rests on what leads there; what depends on, presupposes or refines
# a claim rests on it. The other types carry no support.
SUPPORT = {"leads_to": "target", "depends_on": "claim", "presupposes": "claim", "refines": "claim"}


def walk(connection: Connection, start: str, depth: int, direction: str, types: Sequence[str]) -> Row:
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
    claims = [{**found, "distance": nodes[slug]} for slug, found in _described(connection, list(nodes)).items()]
    return {
        "claims": sorted(claims, key=lambda node: (node["distance"], node["id"])),
        "relations": _judged(connection, [edges[key] for key in sorted(edges)]),
        "truncated": cut,
    }


def _ties(connection: Connection, claims: Sequence[str], direction: str, types: Sequence[str]) -> list[Row]:
    ends = {"outgoing": [relation.c.claim], "incoming": [relation.c.target]}
    at = [end.in_(claims) for end in ends.get(direction, [relation.c.claim, relation.c.target])]
    statement = select(relation).where(or_(*at)).order_by(*relation.primary_key.columns)
    if types:
        statement = statement.where(relation.c.type.in_(types))
    return [dict(row) for row in connection.execute(statement).mappings()]


def _judged(connection: Connection, ties: Sequence[Row]) -> list[Row]:
    """Return the ties each with the status that the evidence on the tie itself amounts to, from the stored documents."""
    starts = {tie["claim"] for tie in ties}
    stored = connection.execute(select(document.c.claim, document.c.relations).where(document.c.claim.in_(starts)))
    judged = {
        (claim, tie["type"], tie["target"]): tie["status"]
        for claim, relations in stored
        for tie in from_json(relations)
    }
    return [{**tie, "status": judged[tie["claim"], tie["type"], tie["target"]]} for tie in ties]


def chain(connection: Connection, start: str, depth: int = MOST_STEPS) -> Row:
    """Walk the causal chain through a claim: all that leads to it and all that it leads to; the same shape as `walk`."""
    before, after = (walk(connection, start, depth, way, ["leads_to"]) for way in ("incoming", "outgoing"))
    claims = {node["id"]: node for node in (*before["claims"], *after["claims"])}
    relations = {(tie["claim"], tie["target"]): tie for tie in (*before["relations"], *after["relations"])}
    return {
        "claims": sorted(claims.values(), key=lambda node: (node["distance"], node["id"])),
        "relations": [relations[key] for key in sorted(relations)],
        "truncated": before["truncated"] or after["truncated"],
    }


def impact(connection: Connection, start: str, assume: str, depth: int) -> Row:
    """Tell which claims lose support if a claim had the status `assume`, along which ties and how far.

    A claim loses support where it rests (see `SUPPORT`) on one that falls. Each causal chain through the start shows its
    weakest link: the claim or tie of the lowest status. Cycles end, depth and numbers are bounded, and what was cut is said.
    """
    reached: dict[str, Row] = {}
    frontier, cut = [start], False
    for step in range(1, depth + 1):
        following = _resting(connection, frontier)
        frontier = []
        for end, tie in following:
            if end == start or (end in reached and reached[end]["distance"] < step):
                continue
            if end not in reached and len(reached) >= MOST_NODES:
                cut = True
                continue
            if end not in reached:
                reached[end] = {"id": end, "distance": step, "via": []}
                frontier.append(end)
            reached[end]["via"].append(tie)
        if not frontier:
            break
    else:
        cut |= any(end != start and end not in reached for end, _ in _resting(connection, frontier))
    causal = chain(connection, start, depth)
    claims = _described(connection, [start, *reached, *(node["id"] for node in causal["claims"])])
    falls = assume in FALLEN
    chains, more = _chains(causal["relations"], start)
    return {
        "claim": start,
        "assume": assume,
        "status": claims[start]["status"],
        "claims": [
            {**claims[slug], **node, "via": _judged(connection, node["via"]), "loses_support": falls}
            for slug, node in sorted(reached.items(), key=lambda item: (item[1]["distance"], item[0]))
        ],
        "chains": [_weakest(path, claims, start, assume) for path in chains],
        "truncated": cut or causal["truncated"] or more,
    }


def _resting(connection: Connection, claims: Sequence[str]) -> list[tuple[str, Row]]:
    """Return the claims that rest directly on these, each with the tie by which it does."""
    found = []
    wanted = set(claims)
    for tie in _ties(connection, claims, "both", list(SUPPORT)):
        resting = SUPPORT[tie["type"]]
        base = "claim" if resting == "target" else "target"
        if tie[base] in wanted:
            found.append((tie[resting], tie))
    return found


def _described(connection: Connection, claims: Sequence[str]) -> dict[str, Row]:
    columns = select(document.c.claim, document.c.statement, document.c.kind, document.c.status, document.c.certainty)
    rows = connection.execute(columns.where(document.c.claim.in_(set(claims)))).mappings()
    return {row["claim"]: {"id": row["claim"], **{name: row[name] for name in row if name != "claim"}} for row in rows}


def _chains(ties: Sequence[Row], start: str) -> tuple[list[list[Row]], bool]:
    """Return the causal chains through a claim, from where nothing leads to, to where nothing is led to; at most 20."""
    after: dict[str, list[Row]] = {}
    before: dict[str, list[Row]] = {}
    for tie in ties:
        after.setdefault(tie["claim"], []).append(tie)
        before.setdefault(tie["target"], []).append(tie)
    upstream, cut_up = _paths(start, before, "claim")
    downstream, cut_down = _paths(start, after, "target")
    chains = [[*reversed(up), *down] for up in upstream for down in downstream if up or down]
    return chains[:MOST_CHAINS], cut_up or cut_down or len(chains) > MOST_CHAINS


def _paths(start: str, ties: Mapping[str, Sequence[Row]], end: str) -> tuple[list[list[Row]], bool]:
    """Return the paths that go on from a claim until they end or would come back to a claim they passed."""
    done: list[list[Row]] = []
    open_paths: list[tuple[list[Row], frozenset[str]]] = [([], frozenset([start]))]
    while open_paths and len(done) < MOST_CHAINS:
        path, passed = open_paths.pop()
        at = path[-1][end] if path else start
        onward = [tie for tie in ties.get(at, ()) if tie[end] not in passed]
        if not onward:
            done.append(path)
        open_paths += [([*path, tie], passed | {tie[end]}) for tie in reversed(onward)]
    return done, bool(open_paths)


def _weakest(path: Sequence[Row], claims: Mapping[str, Row], start: str, assume: str) -> Row:
    """Return a chain as slugs with its weakest link; a tie counts where evidence has judged it."""
    slugs = [path[0]["claim"], *(tie["target"] for tie in path)]
    links: list[Row] = [
        {"claim": slug, "target": None, "status": assume if slug == start else claims[slug]["status"]} for slug in slugs
    ]
    links += [
        {"claim": tie["claim"], "target": tie["target"], "status": tie["status"]}
        for tie in path
        if tie["status"] != "unassessed"
    ]
    return {"claims": slugs, "weakest": min(links, key=_strength)}


def _strength(link: Mapping[str, Any]) -> int:
    return v.STATUSES.rank(str(link["status"]))
