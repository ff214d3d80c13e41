"""The read model: one stored document a claim, its terms for filtering, and its status periods.

All of it is derived from the tables by `refresh`, in the transaction of the change that altered them. `rebuild` makes
it anew and `differences` proves that it agrees.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import (
    Connection,
)

from models.core import vocabularies as v
from models.projection import claim_loader, traits
from models.projection.tables import DERIVED, NO_LEVEL
from models.records import serializers
from models.search import index
from models.status import claim_aggregate
from models.status import periods as periods_module

ALWAYS = "0001-01-01"  # From when a claim has its topics: they belong to what it says.
LINE_TERMS = (("evidence_level", "level"), ("direction", "direction"))


# Between these stands in a core what changes with the day of evidence time.
DERIVED_FROM, DERIVED_UNTIL = b',"asserted_by":', b',"revision":'
DAY = len("YYYY-MM-DD")

Rows = dict[str, list[dict[str, Any]]]


def derive(connection: Connection, claims: Sequence[str]) -> Rows:
    """Return the rows of the read model for these claims, by table, without writing them."""
    return derive_from(claim_loader.load(connection, claims))


def derive_from(claims: Iterable[claim_aggregate.Whole]) -> Rows:
    """Return the rows of the read model for those of these claims that are accepted."""
    rows: Rows = {serializers.table(model).name: [] for model in (*DERIVED, *index.CLAIM_TABLES)}
    for claim in claims:
        if claim.claim["state"] == "accepted":
            _derive_one(rows, claim)
    return rows


def _derive_one(rows: Rows, claim: claim_aggregate.Whole) -> None:
    served = claim_aggregate.parts(claim)
    course = list(claim_aggregate.course(claim))
    members = [to_json(standing.members)[1:-1] for standing in course]
    now = course[-1].members
    slug = claim.claim["id"]
    evidence = [row for row in served["evidence"] if row["integrity"] != "retracted"]
    stated = [(row, claim.sources[row["source"]]["published"]) for row in claim.occurrences]
    terms = [
        *(("topic", topic, ALWAYS) for topic in claim.claim["topics"]),
        *(("asserted_by", who, day) for row, day in stated for who in row["asserted_by"]),
        *(("document", row["source"], day) for row, day in stated),
        *((field, row[name], row["published"]) for row in evidence for field, name in LINE_TERMS),
    ]
    first: dict[tuple[str, str], str] = {}
    for field, value, day in terms:
        first[field, value] = min(day, first.get((field, value), day))
    single = {"status": now["status"], "kind": claim.claim["kind"], "certainty": now["certainty"]}
    own = traits.of(
        [*first, *((field, term) for field, term in single.items() if term is not None)]
    )
    rows["claim_document"].append(
        {
            "claim": slug,
            "kind": claim.claim["kind"],
            "status": now["status"],
            "status_rank": v.STATUSES.rank(now["status"]),
            "certainty": now["certainty"],
            "certainty_rank": -1
            if now["certainty"] is None
            else v.CERTAINTIES.rank(now["certainty"]),
            "evidence_level": now["evidence_level"] or NO_LEVEL,
            "evidence_count": now["counts"]["evidence"],
            "has_conflict": now["has_conflict"],
            "traits": own,
            "statement": claim.claim["statement"],
            "revision": claim.claim["revision"],
            "updated": claim.claim["updated"],
            "core": b",".join(
                (
                    to_json(claim_aggregate.head(claim))[:-1],
                    members[-1],
                    to_json(claim_aggregate.foot(claim))[1:],
                )
            ),
            **{part: to_json(served[part]) for part in claim_aggregate.PARTS},
            "past": _past([standing.day for standing in course], members),
        }
    )
    rows["claim_term"] += [
        {"claim": slug, "field": field, "value": value, "since": day, "traits": own}
        for (field, value), day in sorted(first.items())
    ]
    periods = periods_module.group_into_periods(
        (standing.day, standing.judged) for standing in course
    )
    rows["status_period"] += [{"claim": slug, **vars(run)} for run in periods]
    for name, found in index.claim_rows(slug, claim.claim["statement"], served).items():
        rows[name] += found


def _past(days: Sequence[str], members: Sequence[bytes]) -> bytes:
    """Return the stored past: a line for each day from which something else is derived, the newest first.

    The day, then the derived members as they stand in the core. The first line is of the last day on which anything of the
    claim changes and has nothing else, since the core is as it was then. JSON has no raw line feed, so each line is one.
    """
    last = len(days) - 1
    changed = [place for place in range(last) if place == 0 or members[place - 1] != members[place]]
    return b"\n".join(
        [
            days[last].encode(),
            *(days[place].encode() + members[place] for place in reversed(changed)),
        ]
    )


def core_as_of(core: bytes, past: bytes, day: str) -> bytes:
    """Return a stored core as it was with what had been published by a day, from the claim's first one on.

    What is derived is cut out and put in by its borders: inside a text of JSON no quotation mark stands without a
    backslash, so they occur but once.
    """
    asked = day.encode()
    for line in past.split(b"\n"):
        if line[:DAY] <= asked:
            if len(line) == DAY:
                return core
            return (
                core[: core.index(DERIVED_FROM) + 1]
                + line[DAY:]
                + core[core.rindex(DERIVED_UNTIL) :]
            )
    raise ValueError(f"The claim was not stated by {day}.")


def parts_as_of(
    connection: Connection, found: Sequence[Mapping[str, Any]], parts: Sequence[str], day: str
) -> list[list[bytes]]:
    """Return these parts of these documents as they were with what had been published by a day; the rows have `past` and all parts."""
    made: list[list[bytes]] = []
    for row in found:
        if row["past"][:DAY] <= day.encode() and not (
            "relations" in parts and row["relations"] != b"[]"
        ):
            made.append([row[part] for part in parts])
            continue
        stored = {part: from_json(row[part]) for part in claim_aggregate.PARTS}
        targets = claim_loader.first_days(
            connection, {tie["target"] for tie in stored["relations"]}
        )
        served = claim_aggregate.parts(
            claim_aggregate.as_of(
                claim_aggregate.from_stored(from_json(row["core"]), stored, targets), day
            )
        )
        made.append([to_json(served[part]) for part in parts])
    return made
