"""The read model: one stored document a claim, its terms for filtering, and its status periods.

`refresh` derives it from the tables in the transaction of each change, `rebuild` derives all of it
again, and `differences` checks that it agrees with the tables.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection

from models.core import vocabularies as v
from models.core.dates import last_day_of
from models.projection import claim_loader
from models.projection.tables import DERIVED, NO_LEVEL
from models.records import serializers
from models.records.claim import role_reference
from models.records.elsewhere import external_reference
from models.search import index
from models.status import claim_aggregate

NO_CERTAINTY = -1  # Sorts before every certainty.
# A claim has its topics from this day on, because they belong to its statement.
ALWAYS = "0001-01-01"
# The value of a claim without terms in one of these fields, and its first day, which never comes.
NO_TERM, NEVER = "", "never"
# The columns of `Standing` that are fields of `Derived` as they are.
COPIED = ("has_conflict", "leaning", "searched_found_none", "unassessed_because")
COUNTED_WITHOUT = ("topic", "asserted_by", "study_design", "year")

Rows = dict[str, list[dict[str, Any]]]


def derive(connection: Connection, claims: Sequence[str]) -> Rows:
    """Return the rows of the read model for these claims, by table, without writing them."""
    return derive_from(claim_loader.load(connection, claims))


def derive_from(claims: Iterable[claim_aggregate.ClaimAggregate]) -> Rows:
    """Return the rows of the read model for those of these claims that are accepted."""
    rows: Rows = {serializers.table(model).name: [] for model in (*DERIVED, *index.CLAIM_TABLES)}
    for claim in claims:
        if claim.claim["state"] == "accepted":
            _derive_one(rows, claim)
    return rows


def _derive_one(rows: Rows, claim: claim_aggregate.ClaimAggregate) -> None:
    slug = claim.claim["id"]
    served = claim_aggregate.parts(claim)
    course = list(claim_aggregate.derived_by_day(claim))
    settled, present = course[-1]
    terms = _first_days_of_terms(claim, served)
    summary = {
        "status": present.status,
        "kind": claim.claim["kind"],
        "certainty": present.certainty,
        "levels": encode_set(value for field, value in terms if field == "evidence_level"),
        "directions": encode_set(value for field, value in terms if field == "direction"),
    }
    accepted = [row for row in claim.evidence if row["state"] == "accepted"]
    lines = _line_rows(accepted)
    on_claim = [row["document"] for row in lines if not row["on_relation"]]
    rows["evidence_document"] += lines
    rows["evidence_term"] += _line_terms(accepted)
    rows["claim_document"].append(
        {
            "claim": slug,
            **standing_columns(present),
            **summary,
            **{name: claim.claim[name] for name in ("statement", "revision", "updated")},
            "settled": settled,
            "fields": to_json(claim_aggregate.fields(claim)),
            "derived": to_json(present),
            "stamps": to_json(claim_aggregate.stamps(claim)),
            **{part: to_json(served[part]) for part in claim_aggregate.PARTS if part != "evidence"},
            "evidence": b"[" + b",".join(on_claim) + b"]",
        }
    )
    rows["claim_term"] += [
        {"claim": slug, "field": field, "value": value, "since": day, **summary}
        for (field, value), day in sorted(terms.items())
    ]
    rows["status_period"] += _period_rows(slug, course)
    for name, found in index.claim_rows(claim.claim, served, accepted).items():
        rows[name] += found


def encode_set(terms: Iterable[str]) -> str:
    """Return terms in their order between commas, such as `,2,4,`, or an empty text."""
    found = sorted(set(terms))
    return f",{','.join(found)}," if found else ""


def standing_columns(derived: claim_aggregate.Derived) -> dict[str, Any]:
    """Return the columns of `Standing`."""
    certainty = derived.certainty
    return {
        "status": derived.status,
        "status_rank": v.STATUSES.rank(derived.status),
        "certainty": certainty,
        "certainty_rank": NO_CERTAINTY if certainty is None else v.CERTAINTIES.rank(certainty),
        "evidence_level": derived.best_level or NO_LEVEL,
        "evidence_count": derived.counts.evidence,
        "single_group": derived.counts.groups_supporting == 1,
        **{name: getattr(derived, name) for name in COPIED},
    }


def _first_days_of_terms(
    claim: claim_aggregate.ClaimAggregate, served: Mapping[str, Any]
) -> dict[tuple[str, str], str]:
    """Return a claim's terms in fields with many values, and the first day of each."""
    first: dict[tuple[str, str], str] = {}
    for field, value, day in _dated_terms(claim, served):
        first[field, value] = min(day, first.get((field, value), day))
    for field in COUNTED_WITHOUT:
        if not any(field == present for present, _ in first):
            first[field, NO_TERM] = NEVER
    return first


def _dated_terms(
    claim: claim_aggregate.ClaimAggregate, served: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Yield each term of a claim as its field, its value and a day since when it holds."""
    for topic in claim.claim["topics"]:
        yield "topic", topic, ALWAYS
    for given in claim.claim["topic_roles"]:
        yield "topic_role", role_reference(given), ALWAYS
    for external_id in claim.claim["external_ids"]:
        yield "external_id", external_reference(external_id), ALWAYS
    if claim.claim["collection"] is not None:
        yield "collection", claim.claim["collection"], ALWAYS
    for row in claim.occurrences:
        day = claim.sources[row["source"]]["published"]
        yield "document", row["source"], day
        for who in row["asserted_by"]:
            yield "asserted_by", who, day
    for row in served["evidence"]:
        if row["integrity"] != "retracted":
            yield "evidence_level", row["level"], row["published"]
            yield "direction", row["direction"], row["published"]
            yield "study_design", row["study_design"], row["published"]
            if row["year"] is not None:
                yield "year", f"{row['year']:04}", row["published"]


def _period_rows(
    claim: str, course: Sequence[tuple[str, claim_aggregate.Derived]]
) -> list[dict[str, Any]]:
    """Return a row for each stretch of days on which the same follows from the evidence."""
    changes = [next(same) for _, same in groupby(course, key=itemgetter(1))]
    ends = [*(day for day, _ in changes[1:]), None]
    return [
        {
            "claim": claim,
            "starts": starts,
            "ends": end,
            **standing_columns(derived),
            "rule": derived.status_rule,
            "derived": to_json(derived),
        }
        for (starts, derived), end in zip(changes, ends, strict=True)
    ]


LINE_COLUMNS = (
    *("claim", "key", "source", "direction", "level", "question", "directness", "study_design"),
    *("sample_size", "independence_group", "year", "published", "updated"),
)


def _line_rows(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a claim's accepted lines of evidence, in the order of their keys."""
    return [
        {
            **{name: row[name] for name in LINE_COLUMNS},
            "counts_until": _counts_until(row),
            "on_relation": row["relation_type"] is not None,
            "document": to_json(row),
        }
        for row in lines
    ]


def _line_terms(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the terms of a claim's accepted lines in fields with many values."""
    return [
        {"claim": row["claim"], "key": row["key"], "field": field, "value": value}
        for row in lines
        for field, value in sorted(set(_terms_of_line(row)))
    ]


def _terms_of_line(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if row["collection"] is not None:
        yield "collection", row["collection"]
    for external_id in row["external_ids"]:
        yield "external_id", external_reference(external_id)
    for rating in row["ratings"]:
        yield "rating_scheme", rating["scheme"]
        yield "rating", rating["value"]
        yield "scheme_and_rating", f"{rating['scheme']}:{rating['value']}"


def _counts_until(row: Mapping[str, Any]) -> str | None:
    """Return the day from which a line does not count, or None.

    It is the first of all days if the retraction is undated.
    """
    if row["integrity"] != "retracted":
        return None
    return last_day_of(row["integrity_date"]) if row["integrity_date"] else ALWAYS
