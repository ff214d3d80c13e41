"""Walks along relations: which claims are related to a claim, and which depend on it."""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection, FromClause, and_, or_, select

from models.core import vocabularies as v
from models.projection import claim_loader
from models.projection.tables import ClaimDocument
from models.read.filters import holds_on, period
from models.read.predictions import FALLEN, predictions
from models.records.relation import Relation
from models.records.serializers import Row, table
from models.status import claim_aggregate

document, relation = table(ClaimDocument), table(Relation)

MAX_STEPS = 10
MAX_NODES = 500
MAX_CHAINS = 20
MAX_PATHS = 100
# Which end of a relation rests on the other one. An effect rests on its cause; a claim that depends
# on, presupposes or refines another one rests on it. The other types of relation carry no support.
SUPPORT = {"leads_to": "target", "depends_on": "claim", "presupposes": "claim", "refines": "claim"}
# A claim rests on what it predicts only where that falls: it may be true while the claim is not.
SUPPORT_IF_FALLEN = {"predicts": "claim"}
DEPENDENT_END = SUPPORT | SUPPORT_IF_FALLEN


_Key = tuple[str, str, str]


def _key(relation: Row) -> _Key:
    return relation["claim"], relation["type"], relation["target"]


def walk(
    connection: Connection,
    start: str,
    depth: int,
    direction: str,
    types: Sequence[str],
    day: str | None = None,
) -> Row:
    """Walk the relations from a claim, breadth first, at most `depth` steps, as of a day if it is
    not None.

    Returns the claims that were reached (with their distance), the relations between them, and
    whether more lie beyond (`truncated`).
    """
    distance: dict[str, int] = {start: 0}
    edges: dict[_Key, Row] = {}
    frontier = [start]
    truncated = False
    for step in range(1, depth + 1):
        reached = _relations_at(connection, frontier, direction, types, day)
        frontier = _add_ends(reached, distance, step)
        for edge in reached:
            if edge["claim"] in distance and edge["target"] in distance:
                edges[_key(edge)] = edge
            else:
                truncated = True
        if not frontier:
            break
    else:
        beyond = _relations_at(connection, frontier, direction, types, day)
        truncated |= any(_key(edge) not in edges for edge in beyond)
    described = describe_claims(connection, list(distance), day)
    claims = [{**claim, "distance": distance[slug]} for slug, claim in described.items()]
    return {
        "claims": sorted(claims, key=_by_distance),
        "relations": _with_status(connection, [edges[key] for key in sorted(edges)], day),
        "truncated": truncated,
    }


def _add_ends(edges: Sequence[Row], distance: dict[str, int], step: int) -> list[str]:
    """Add the claims at both ends of relations, up to `MAX_NODES`. Return those that are new."""
    added: list[str] = []
    for edge in edges:
        for end in (edge["claim"], edge["target"]):
            if end not in distance and len(distance) < MAX_NODES:
                distance[end] = step
                added.append(end)
    return added


def _by_distance(claim: Row) -> tuple[int, str]:
    return claim["distance"], claim["id"]


def _relations_at(
    connection: Connection,
    claims: Sequence[str],
    direction: str,
    types: Sequence[str],
    day: str | None = None,
) -> list[Row]:
    """Return the accepted relations of these types (or all) that begin or end at these claims, as
    of a day those of which both ends had been stated.
    """
    ends = [relation.c.claim, relation.c.target]
    if direction == "outgoing":
        ends = [relation.c.claim]
    elif direction == "incoming":
        ends = [relation.c.target]
    statement = (
        select(relation)
        .where(or_(*(end.in_(claims) for end in ends)), relation.c.state == "accepted")
        .order_by(*relation.primary_key.columns)
    )
    if types:
        statement = statement.where(relation.c.type.in_(types))
    if day is not None:
        stated = select(period.c.claim).where(*holds_on(day))
        statement = statement.where(relation.c.claim.in_(stated), relation.c.target.in_(stated))
    return [dict(row) for row in connection.execute(statement).mappings()]


def _with_status(
    connection: Connection, relations: Sequence[Row], day: str | None = None
) -> list[Row]:
    """Return relations with the status that follows from the evidence on them, today or on a
    day.
    """
    if not relations:
        return []
    starts = {edge["claim"] for edge in relations}
    served: Iterable[tuple[str, list[Row]]]
    if day is None:
        stored = select(document.c.claim, document.c.relations).where(document.c.claim.in_(starts))
        served = ((claim, from_json(edges)) for claim, edges in connection.execute(stored))
    else:
        served = (
            (each.claim["id"], claim_aggregate.parts(claim_aggregate.as_of(each, day))["relations"])
            for each in claim_loader.load(connection, sorted(starts))
        )
    status = {
        (claim, edge["type"], edge["target"]): edge["status"]
        for claim, edges in served
        for edge in edges
    }
    return [{**edge, "status": status[_key(edge)]} for edge in relations]


def has_chain(connection: Connection, claim: str, day: str | None = None) -> bool:
    """Return whether a claim is a cause or an effect of another one, as of a day if not None."""
    return bool(_relations_at(connection, [claim], "both", ["leads_to"], day))


def causal_chain(
    connection: Connection, start: str, depth: int = MAX_STEPS, day: str | None = None
) -> Row:
    """Walk the causal chain through a claim, up to its causes and down to its effects, as of a day
    if it is not None.

    The result has the shape of that of `walk`, and the predictions of its claims that fell.
    """
    causes = walk(connection, start, depth, "incoming", ["leads_to"], day)
    effects = walk(connection, start, depth, "outgoing", ["leads_to"], day)
    claims = {claim["id"]: claim for claim in (*causes["claims"], *effects["claims"])}
    relations = {_key(edge): edge for edge in (*causes["relations"], *effects["relations"])}
    return {
        "claims": sorted(claims.values(), key=_by_distance),
        "relations": [relations[key] for key in sorted(relations)],
        "fallen_predictions": [
            prediction
            for prediction in predictions_of(connection, sorted(claims), day)
            if prediction["fell"]
        ],
        "truncated": causes["truncated"] or effects["truncated"],
    }


def predictions_of(
    connection: Connection, claims: Sequence[str], day: str | None = None
) -> list[Row]:
    """Return the predictions of these claims, in the order of the claims, with which of them
    fell.
    """
    tied = _relations_at(connection, claims, "outgoing", ["predicts"], day)
    return predictions(connection, _with_status(connection, tied, day), day)


def impact(connection: Connection, start: str, assume: str, depth: int) -> Row:
    """Return which claims would lose support if a claim had the status `assume`.

    They are the claims that rest on it (see `SUPPORT`), directly or through others, with their
    distance and the relations in between; where the claim falls, also those that predict it. A
    refuted relation passes nothing on and is returned as blocked. Each causal chain through the
    claim has its weakest link by the derived status, whatever is assumed, and the predictions of
    its claims that fell. Depth and numbers are bounded, and `truncated` says whether they cut
    anything.
    """
    types = DEPENDENT_END if assume in FALLEN else SUPPORT
    dependents = _walk_dependents(connection, start, depth, list(types))
    chain = causal_chain(connection, start, depth)
    slugs = [*dependents.distance, *(claim["id"] for claim in chain["claims"])]
    claims = describe_claims(connection, slugs)
    status = claims[start]["status"]
    loses_support = assume in FALLEN or v.STATUSES.rank(assume) < v.STATUSES.rank(status)
    paths, paths_truncated = _paths_through(chain["relations"], start)
    fallen = chain["fallen_predictions"]
    chains = [_described_chain(path, claims, fallen) for path in paths]
    chains.sort(key=lambda chain: (_strength(chain["weakest"]), chain["claims"]))
    return {
        "claim": start,
        "assume": assume,
        "status": status,
        "claims": [
            {
                **claims[slug],
                "distance": distance,
                "via": dependents.relations_to(slug),
                "loses_support": loses_support,
            }
            for distance, slug in sorted((far, slug) for slug, far in dependents.distance.items())
            if slug != start
        ],
        "blocked": dependents.blocked,
        "predictions": predictions_of(connection, [start]),
        "chains": chains[:MAX_CHAINS],
        "truncated": (
            dependents.truncated
            or chain["truncated"]
            or paths_truncated
            or len(chains) > MAX_CHAINS
        ),
    }


@dataclass
class _Dependents:
    """The claims that rest on a claim, with their distance, and how they rest on it."""

    distance: dict[str, int]
    relations: dict[_Key, Row] = field(default_factory=dict)
    blocked: list[Row] = field(default_factory=list)
    truncated: bool = False

    def relations_to(self, claim: str) -> list[Row]:
        """Return the relations by which a claim rests on others."""
        return [edge for edge in self.relations.values() if _dependent(edge) == claim]


def _walk_dependents(
    connection: Connection, start: str, depth: int, types: Sequence[str]
) -> _Dependents:
    dependents = _Dependents({start: 0})
    distance = dependents.distance
    frontier = [start]
    # One step more than `depth`, to see whether that cut anything.
    for step in range(1, depth + 2):
        supporting = _supporting_relations(connection, frontier, types)
        frontier = []
        for edge in supporting:
            claim = _dependent(edge)
            is_within = step <= depth and len(distance) <= MAX_NODES
            if edge["status"] == "refuted":
                dependents.blocked.append(edge)
            elif claim in distance or is_within:
                if claim not in distance:
                    distance[claim] = step
                    frontier.append(claim)
                dependents.relations[_key(edge)] = edge
            else:
                dependents.truncated = True
        if not frontier:
            break
    return dependents


def _supporting_relations(
    connection: Connection, claims: Sequence[str], types: Sequence[str]
) -> list[Row]:
    """Return the relations of these types by which other claims rest on these, with their
    status.
    """
    relations = _relations_at(connection, claims, "both", types)
    return _with_status(connection, [edge for edge in relations if _support(edge) in set(claims)])


def _dependent(edge: Row) -> str:
    """Return the claim at the end of a relation that rests on the other end."""
    return str(edge[DEPENDENT_END[edge["type"]]])


def _support(edge: Row) -> str:
    """Return the claim at the end of a relation on which the other end rests."""
    return str(edge["claim" if DEPENDENT_END[edge["type"]] == "target" else "target"])


def describe_claims(
    connection: Connection, claims: Collection[str], day: str | None = None
) -> dict[str, Row]:
    """Return these claims in short, as of a day those that had been stated by then."""
    names = ("statement", "kind", "status", "certainty")
    standing: FromClause = document
    rows_read: FromClause = document
    if day is not None:
        standing = period
        rows_read = document.join(period, and_(period.c.claim == document.c.claim, *holds_on(day)))
    columns = select(
        document.c.claim,
        *(document.c[name] for name in names[:2]),
        *(standing.c[name] for name in names[2:]),
    ).select_from(rows_read)
    rows = connection.execute(columns.where(document.c.claim.in_(set(claims)))).mappings()
    return {
        row["claim"]: {"id": row["claim"], **{name: row[name] for name in names}} for row in rows
    }


def _paths_through(edges: Sequence[Row], start: str) -> tuple[list[list[Row]], bool]:
    """Return the causal paths through a claim, from first causes to last effects.

    Also returns whether there are more of them.
    """
    by_cause: dict[str, list[Row]] = {}
    by_effect: dict[str, list[Row]] = {}
    for edge in edges:
        by_cause.setdefault(edge["claim"], []).append(edge)
        by_effect.setdefault(edge["target"], []).append(edge)
    upstream, upstream_truncated = _paths_from(start, by_effect, "claim")
    downstream, downstream_truncated = _paths_from(start, by_cause, "target")
    distinct: dict[tuple[_Key, ...], list[Row]] = {}
    for up, down in itertools.product(upstream, downstream):
        path = [*reversed(up), *_until_cycle(up, down)]
        if path:
            distinct[tuple(_key(edge) for edge in path)] = path
    return list(distinct.values()), upstream_truncated or downstream_truncated


def _until_cycle(up: Sequence[Row], down: Sequence[Row]) -> list[Row]:
    """Return the way down until it meets a claim of the way up, so that a cycle occurs once."""
    passed = {edge["claim"] for edge in up}
    return list(itertools.takewhile(lambda edge: edge["target"] not in passed, down))


def _paths_from(
    start: str, edges: Mapping[str, Sequence[Row]], end: str
) -> tuple[list[list[Row]], bool]:
    """Return the paths from a claim on until they end or would return to one of their claims.

    `edges` has the relations by the claim where they are entered, and `end` is the field with the
    claim where they lead. Also returns whether there are more than `MAX_PATHS` paths.
    """
    finished: list[list[Row]] = []
    unfinished: list[tuple[list[Row], frozenset[str]]] = [([], frozenset([start]))]
    while unfinished and len(finished) < MAX_PATHS:
        path, passed = unfinished.pop()
        claim = path[-1][end] if path else start
        onward = [edge for edge in edges.get(claim, ()) if edge[end] not in passed]
        if not onward:
            finished.append(path)
        for edge in reversed(onward):
            unfinished.append(([*path, edge], passed | {edge[end]}))
    return finished, bool(unfinished)


def _described_chain(path: Sequence[Row], claims: Mapping[str, Row], fallen: Sequence[Row]) -> Row:
    """Return the claims on a path, the claim or relation with the weakest status, and the
    predictions of the claims that fell.

    A relation counts only if there is evidence on it.
    """
    slugs = [path[0]["claim"], *(edge["target"] for edge in path)]
    links: list[Row] = []
    for slug in slugs:
        links.append({"claim": slug, "target": None, "status": claims[slug]["status"]})
    for edge in path:
        if edge["status"] != "unassessed":
            links.append({name: edge[name] for name in ("claim", "target", "status")})
    return {
        "claims": slugs,
        "weakest": min(links, key=_strength),
        "fallen_predictions": [each for each in fallen if each["claim"] in slugs],
    }


def _strength(link: Mapping[str, Any]) -> int:
    return v.STATUSES.rank(str(link["status"]))
