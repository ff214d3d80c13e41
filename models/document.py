"""The read model: one stored document a claim, its terms for filtering, and its status periods.

All of it is derived from the tables by `refresh`, in the transaction of the change that altered them. `rebuild` makes
it anew and `differences` proves that it agrees.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from pydantic_core import to_json
from sqlalchemy import CheckConstraint, Connection, Index, LargeBinary, delete, insert, select
from sqlmodel import Field

from models import records, status
from models import vocabularies as v
from models.assessment import Assessment, AssessmentOut
from models.base import PartOfClaim, Strict
from models.claim import Claim, ClaimIn, ClaimTopic, Occurrence, OccurrenceOut, with_id
from models.evidence import EvidenceOut
from models.relation import Relation, RelationOut
from models.source import SourceOut

BATCH = 500


class Counts(Strict):
    """How many records hang on a claim; groups are independent groups among the counted lines."""

    occurrences: int
    evidence: int
    supports: int
    disputes: int
    inconclusive: int
    groups_supporting: int
    groups_disputing: int
    sources: int


class ClaimOut(ClaimIn):
    """A claim as a list gives it: the claim and its derived status."""

    asserted_by: list[str] = Field(description="Slugs of all who assert it, from its occurrences.")
    status: v.Status
    status_rule: str = Field(description="Name of the rule that decided; see the vocabulary status-rules.")
    status_since: str = Field(description="First day of evidence time with this status, YYYY-MM-DD.")
    certainty: v.Certainty | None = Field(description="GRADE's word for the conclusion; null where it does not apply.")
    certainty_basis: Literal["derived"] = Field(
        default="derived", description="Always 'derived': by rule from the recorded evidence, not a panel's judgement."
    )
    evidence_level: v.EvidenceLevel | None = Field(description="Best level among the counted lines, as graded.")
    evidence_until: str | None = Field(
        description="Publication day of the newest accepted line that is dated: the status is as of then."
    )
    has_conflict: bool = Field(description="True where counted lines stand on both sides.")
    searched_found_none: bool = Field(
        description="True where nothing takes a side and somebody searched and found none."
    )
    counts: Counts
    revision: int = Field(description="Serial of the last change to anything in this document; also its ETag.")
    created: str
    updated: str


class ClaimWhole(ClaimOut):
    """A claim with all its parts."""

    occurrences: list[OccurrenceOut]
    evidence: list[EvidenceOut]
    sources: list[SourceOut] = Field(description="Every source that the occurrences, evidence and assessments name.")
    relations: list[RelationOut] = Field(description="Ties that start from this claim.")
    assessments: list[AssessmentOut]


PARTS = ("occurrences", "evidence", "sources", "relations", "assessments")
NO_LEVEL = "none"


class ClaimDocument(PartOfClaim, table=True):
    """One claim as it is served: JSON bytes, beside plain columns for filters and sorts.

    `core` is the JSON of `ClaimOut`; each part is a JSON array, so that an answer is a join of bytes.
    """

    __tablename__ = "claim_document"
    __table_args__ = (
        v.within("kind", v.CLAIM_KINDS),
        v.within("status", v.STATUSES),
        v.within("certainty", v.CERTAINTIES),
        Index(None, "status", "claim"),
        Index(None, "kind", "claim"),
        Index(None, "certainty", "claim"),
        Index(None, "status_rank", "claim"),
        Index(None, "certainty_rank", "claim"),
        Index(None, "evidence_level", "claim"),
        Index(None, "evidence_count", "claim"),
        Index(None, "updated", "claim"),
    )

    kind: str
    status: str
    status_rank: int
    certainty: str | None = None
    certainty_rank: int
    evidence_level: str
    evidence_count: int
    has_conflict: bool
    statement: str
    revision: int
    updated: str
    core: bytes = Field(sa_type=LargeBinary)
    occurrences: bytes = Field(sa_type=LargeBinary)
    evidence: bytes = Field(sa_type=LargeBinary)
    sources: bytes = Field(sa_type=LargeBinary)
    relations: bytes = Field(sa_type=LargeBinary)
    assessments: bytes = Field(sa_type=LargeBinary)


class ClaimTerm(PartOfClaim, table=True):
    """A value of a field that a claim has many of (topic, asserted_by, document, evidence_level, direction)."""

    __tablename__ = "claim_term"
    __table_args__ = (Index(None, "field", "value", "claim"),)

    field: str = Field(primary_key=True)
    value: str = Field(primary_key=True)


class StatusPeriod(PartOfClaim, table=True):
    """A stretch of evidence time with one status; `ends` is the first day after it."""

    __tablename__ = "status_period"
    __table_args__ = (
        v.within("status", v.STATUSES),
        v.within("certainty", v.CERTAINTIES),
        CheckConstraint("ends > starts", name="order"),
        Index(None, "status", "starts", "claim"),
    )

    starts: str = Field(primary_key=True)
    ends: str | None = None
    status: str
    rule: str
    certainty: str | None = None


Rows = dict[str, list[dict[str, Any]]]
DERIVED = (ClaimDocument, ClaimTerm, StatusPeriod)


def refresh(connection: Connection, claims: Iterable[str]) -> None:
    """Derive the documents, terms and periods of these claims anew from the tables."""
    for batch in _batches(sorted(claims)):
        derived = derive(connection, batch)
        for model in DERIVED:
            table = records.table(model)
            connection.execute(delete(table).where(table.c.claim.in_(batch)))
            if rows := derived[table.name]:
                connection.execute(insert(table), rows)


def rebuild(connection: Connection) -> int:
    """Derive the whole read model anew; return how many claims it holds."""
    claims = connection.scalars(select(records.table(Claim).c.id)).all()
    for model in DERIVED:
        connection.execute(delete(records.table(model)))
    refresh(connection, claims)
    return len(claims)


def differences(connection: Connection) -> Iterator[str]:
    """Yield one line for each claim whose stored read model does not agree with the tables."""
    claims = set(connection.scalars(select(records.table(Claim).c.id)))
    for model in DERIVED:
        table = records.table(model)
        stray = set(connection.scalars(select(table.c.claim).distinct())) - claims
        yield from (f"{table.name} has rows of {claim}, which is not a claim" for claim in sorted(stray))
    for batch in _batches(sorted(claims)):
        derived = derive(connection, batch)
        for model in DERIVED:
            table = records.table(model)
            stored = _by_claim(_rows(connection, model, batch))
            wanted = _by_claim(derived[table.name])
            for claim in batch:
                if _comparable(stored[claim]) != _comparable(wanted[claim]):
                    yield f"{table.name} of {claim} does not agree with the tables; run claimbase rebuild"


def derive(connection: Connection, claims: Sequence[str]) -> Rows:
    """Return the rows of the read model for these claims, by table, without writing them."""
    occurrences = _by_claim(_rows(connection, Occurrence, claims))
    evidence = _by_claim(records.evidence_of(connection, claims))
    relations = _by_claim(_rows(connection, Relation, claims))
    assessments = _by_claim(_rows(connection, Assessment, claims))
    topics = _by_claim(_rows(connection, ClaimTopic, claims))
    cited = {
        row["source"]
        for part in (occurrences, evidence, assessments)
        for rows in part.values()
        for row in rows
        if row["source"]
    }
    sources = records.sources_by_id(connection, cited)
    table = records.table(Claim)
    rows: Rows = {records.table(model).name: [] for model in DERIVED}
    for claim in connection.execute(select(table).where(table.c.id.in_(claims)).order_by(table.c.id)).mappings():
        slug = claim["id"]
        parts = {
            "occurrences": [with_id(row) for row in occurrences[slug]],
            # What is not accepted decides nothing and is not served with the claim.
            "evidence": [row for row in evidence[slug] if row["state"] == "accepted"],
            "relations": relations[slug],
            "assessments": [with_id(row) for row in assessments[slug]],
        }
        named = {row["source"] for part in ("occurrences", "evidence", "assessments") for row in parts[part]} - {None}
        parts["sources"] = [sources[source] for source in sorted(named)]
        _derive_one(rows, dict(claim), [row["topic"] for row in topics[slug]], parts)
    return rows


def _derive_one(rows: Rows, claim: dict[str, Any], topics: list[str], parts: dict[str, list[dict[str, Any]]]) -> None:
    evidence, occurrences = parts["evidence"], parts["occurrences"]
    lines = [line_of(row) for row in evidence]
    decision = status.decide(claim["kind"], lines)
    published = {source["id"]: source["published"] for source in parts["sources"]}
    stated = min((published[row["source"]] for row in occurrences), default=claim["created"][:10])
    runs = status.periods(claim["kind"], lines, stated)
    level = min((line.level for line in decision.counted), default=None)
    asserters = sorted({who for row in occurrences for who in row["asserted_by"]})
    directions = [row["direction"] for row in evidence]
    core = ClaimOut(
        **{name: claim[name] for name in ("id", "statement", "kind", "note", "revision", "created", "updated")},
        topics=topics,
        asserted_by=asserters,
        status=decision.status,
        status_rule=decision.rule,
        status_since=since(runs),
        certainty=decision.certainty,
        evidence_level=level,
        evidence_until=max((row["published"] for row in evidence if row["year"]), default=None),
        has_conflict=decision.has_conflict,
        searched_found_none=decision.searched_found_none,
        counts=Counts(
            occurrences=len(occurrences),
            evidence=len(evidence),
            groups_supporting=decision.case.support.count(),
            groups_disputing=decision.case.against.count(),
            sources=len(parts["sources"]),
            **{direction: directions.count(direction) for direction in v.DIRECTIONS.ids},
        ),
    )
    slug = claim["id"]
    rows["claim_document"].append(
        {
            "claim": slug,
            "kind": core.kind,
            "status": core.status,
            "status_rank": v.STATUSES.rank(core.status),
            "certainty": core.certainty,
            "certainty_rank": -1 if core.certainty is None else v.CERTAINTIES.rank(core.certainty),
            "evidence_level": level or NO_LEVEL,
            "evidence_count": len(evidence),
            "has_conflict": core.has_conflict,
            "statement": core.statement,
            "revision": core.revision,
            "updated": core.updated,
            "core": to_json(core),
            **{part: to_json(parts[part]) for part in PARTS},
        }
    )
    terms = {
        "topic": topics,
        "asserted_by": asserters,
        "document": [row["source"] for row in occurrences],
        "evidence_level": [row["level"] for row in evidence],
        "direction": directions,
    }
    rows["claim_term"] += [
        {"claim": slug, "field": field, "value": value}
        for field, values in terms.items()
        for value in sorted(set(values))
    ]
    rows["status_period"] += [{"claim": slug, **vars(period)} for period in runs]


def since(runs: Sequence[status.Period]) -> str:
    """Return the first day of the present status, through changes of rule and certainty that left it as it is."""
    same = itertools.takewhile(lambda run: run.status == runs[-1].status, reversed(runs))
    return list(same)[-1].starts


def line_of(row: dict[str, Any]) -> status.Line:
    """Reduce a row of `records.evidence_of` to what the status rules look at."""
    return status.Line(
        key=row["key"],
        direction=row["direction"],
        level=row["level"],
        group=row["independence_group"],
        published=row["published"],
        directness=row["directness"],
        state=row["state"],
        retracted=row["integrity"] == "retracted",
        searched_found_none=row["searched_found_none"],
    )


def _rows(connection: Connection, model: Any, claims: Sequence[str]) -> list[dict[str, Any]]:
    table = records.table(model)
    statement = select(table).where(table.c.claim.in_(claims)).order_by(*table.primary_key.columns)
    return [dict(row) for row in connection.execute(statement).mappings()]


def _by_claim(rows: Iterable[dict[str, Any]]) -> defaultdict[str, list[dict[str, Any]]]:
    grouped: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        grouped[row["claim"]].append(row)
    return grouped


def _comparable(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


def _batches(claims: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(claims), BATCH):
        yield claims[start : start + BATCH]
