"""The stored past: what a list shows of a day is what follows from all that had been published by
then, byte by byte.
"""

import random
from itertools import pairwise
from typing import Any

import pytest
from pydantic_core import to_json
from sqlalchemy import Connection, select

from models.core import vocabularies as v
from models.core.dates import last_day_of
from models.projection import claim_loader, derive, documents, rebuild, tables
from models.projection.integrity_check import check
from models.read import listings
from models.records import serializers
from models.records.claim import ClaimIn
from models.records.record_types import RECORD_TYPES
from models.search import record_texts
from models.status import claim_aggregate, rules
from models.status import periods as periods_module
from models.write.changes import begin, put
from tests.databases import Store
from tests.models.periods import holds_on, runs_of

DAYS = (
    "1900-01-01",
    "2004-02-29",
    "2009-12-31",
    "2013-06-30",
    "2013-07-01",
    "2026-12-31",
    "2100-01-01",
)


def derived_plainly(claim: claim_aggregate.ClaimAggregate) -> bytes:
    """Return the core of a claim, counted from its rows without any of the shortcuts of the read
    model.
    """
    accepted = [row for row in claim.evidence if row["state"] == "accepted"]
    lines = [row for row in accepted if row["relation_type"] is None]
    decision = rules.decide(claim.claim["kind"], claim.lines)
    runs = periods_module.status_periods(claim.claim["kind"], claim.lines, claim.stated)
    same = [run.status == runs[-1].status for run in runs]
    since = runs[max((at for at, equal in enumerate(same) if not equal), default=-1) + 1].starts
    standing = [row for row in lines if row["integrity"] != "retracted"]
    rows = (*claim.occurrences, *accepted, *claim.assessments)
    named = {source for row in rows for source in (row["source"], *row.get("pools", ()))} - {None}
    core = {
        **{name: claim.claim[name] for name in ClaimIn.model_fields},
        "asserted_by": sorted({who for row in claim.occurrences for who in row["asserted_by"]}),
        "status": decision.status,
        "status_rule": decision.rule,
        "status_since": since,
        "status_since_inferred": _is_inferred(claim, since, decision.status),
        "certainty": decision.certainty,
        "certainty_basis": "derived",
        **dict.fromkeys(
            ("best_level", "evidence_level"),
            min((line.level for line in decision.counted), default=None),
        ),
        "evidence_until": max((row["published"] for row in standing if row["year"]), default=None),
        "has_conflict": decision.has_conflict,
        "leaning": _leaning(decision),
        "searched_found_none": decision.searched_found_none,
        "unassessed_because": _why_unassessed(decision, claim),
        "counts": {
            "occurrences": len(claim.occurrences),
            "evidence": len(standing),
            **{
                side: sum(row["direction"] == side for row in standing) for side in v.DIRECTIONS.ids
            },
            "groups_supporting": decision.case.support.count(),
            "groups_disputing": decision.case.against.count(),
            "sources": len(named),
        },
        "notices": {
            name: sum(row["integrity"] == name for row in lines)
            for name in ("retracted", "concern", "corrected")
        },
        **{name: claim.claim[name] for name in ("revision", "created", "updated")},
    }
    return to_json(core)


def _leaning(decision: rules.Decision) -> str:
    if decision.case.support.count() and decision.case.against.count():
        return "both"
    if decision.case.support.count():
        return "for"
    return "against" if decision.case.against.count() else "none"


def _why_unassessed(decision: rules.Decision, claim: claim_aggregate.ClaimAggregate) -> str | None:
    if decision.status != "unassessed":
        return None
    undecided = [line for line in claim.lines if decision.left_out.get(line.key) == "takes_no_side"]
    studies = [line for line in undecided if not line.searched_found_none]
    if any("inconsistency" in line.graded_down for line in studies):
        return "inconsistent"
    if studies:
        return "only_inconclusive"
    return "searched_found_none" if undecided else "nothing_recorded"


def _is_inferred(claim: claim_aggregate.ClaimAggregate, since: str, status: str) -> bool:
    """Say whether the status begins otherwise without the lines of that day that are undated."""
    dated = [line for line in claim.lines if line.published != since or not line.inferred]
    return rules.decide(claim.claim["kind"], dated, as_of=since).status != status


def periods_of(connection: Connection, claim: str) -> list[serializers.Row]:
    """Return the stored periods of a claim."""
    period = serializers.table(tables.StatusPeriod)
    mine = select(period).where(period.c.claim == claim).order_by(period.c.starts)
    return [dict(row) for row in connection.execute(mine).mappings()]


def core_on(row: serializers.Row, periods: list[serializers.Row], day: str) -> bytes:
    """Return the core of a claim on a day, from its document and its periods."""
    (period,) = (each for each in periods if holds_on(each, day))
    return documents.claim_json({**row, "derived": period["derived"]})


def days_of(claim: claim_aggregate.ClaimAggregate) -> list[str]:
    """Return days before, on and after everything that is dated in a claim, as far as it was stated
    by then.
    """
    told = {row["published"] for row in (*claim.evidence, *claim.sources.values())}
    noticed = [each for row in claim.evidence for each in (row, *row["pooled"])]
    told |= {last_day_of(each["integrity_date"]) for each in noticed if each["integrity_date"]}
    told |= {last_day_of(row["assessed"]) for row in claim.assessments}
    around = {f"{day[:8]}{int(day[8:]) + step:02d}" for day in told for step in (-1, 1)}
    return sorted(
        day for day in {*told, *around, *DAYS, claim.exists_from} if day >= claim.exists_from
    )


@pytest.mark.parametrize("thorough", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_every_day_of_every_claim_of_the_seed(shared: Store, thorough: bool) -> None:
    # What is derived does not hang on the database; that PostgreSQL stores it shows on fewer days.
    every = (1 if thorough else 3) if shared.database.reader.dialect.name == "sqlite" else 9
    with shared.database.read() as connection:
        stored = {
            row["claim"]: dict(row)
            for row in connection.execute(select(listings.document)).mappings()
        }
        claims = claim_loader.load(connection, sorted(stored))
        compared = 0
        for claim in claims:
            row = stored[claim.claim["id"]]
            periods = periods_of(connection, row["claim"])
            for day in days_of(claim)[::every]:
                then = claim_aggregate.as_of(claim, day)
                assert core_on(row, periods, day) == derived_plainly(then), (row["claim"], day)
                (found,) = documents.parts_as_of(connection, [row], claim_aggregate.PARTS, day)
                parts = {
                    part: to_json(claim_aggregate.parts(then)[part])
                    for part in claim_aggregate.PARTS
                }
                assert found == {**row, **parts}, (row["claim"], day)
                compared += 1
    assert compared > 500 / every


def generated(chance: random.Random) -> claim_aggregate.ClaimAggregate:
    """Return a claim with any mixture of what may hang on it, its dates close together so that they
    coincide.
    """

    def day() -> str:
        year, month, number = (
            chance.randrange(8, 13),
            chance.randrange(1, 4),
            chance.randrange(1, 4),
        )
        return f"20{year:02d}-{month:02d}-{number:02d}"

    def date() -> str:
        return day()[: chance.choice((4, 7, 10))]

    sources: dict[str, Any] = {}
    for number in range(5):
        integrity = chance.choice(("no_notice", "no_notice", "retracted", "concern", "corrected"))
        noticed = date() if integrity != "no_notice" and chance.random() < 0.8 else None
        year = chance.choice((None, 2010))
        named: dict[str, Any] = {
            "id": f"s-{number}",
            "citation": f"S {number}",
            "title": "A study",
            "authors": [],
            "container_title": None,
            "identifiers": [],
        }
        named |= {"year": year, "published": day()}
        sources[f"s-{number}"] = {**named, "integrity": integrity, "integrity_date": noticed}
    works = {slug: slug for slug in sources} | chance.choice(({}, {"s-1": "s-0"}))
    evidence = []
    for number in range(chance.randrange(7)):
        source = sources[chance.choice(sorted(sources))]
        level = chance.choice(("1", "2", "4", "not_gradable"))
        others = [slug for slug in sorted(sources) if slug != source["id"]]
        pools = chance.sample(others, chance.choice((0, 0, 0, 2)))
        row = {
            "id": f"c:l-{number}",
            "claim": "c",
            "key": f"l-{number}",
            "source": source["id"],
            "direction": chance.choice(("supports", "disputes", "inconclusive")),
            "level": level,
            "directness": chance.choice(("direct", "direct", "indirect")),
            "independence_group": f"g-{chance.randrange(3)}",
            "searched_found_none": chance.random() < 0.3,
            "relation_type": chance.choice((None, None, None, "leads_to")),
            "relation_target": None,
            "finding": "It was found.",
            **dict.fromkeys(record_texts.TEXTS_OF_LINES),
            "question": chance.choice((None, "diagnosis", "prognosis")),
            "study_design": "cohort",
            "graded_down": chance.choice(([], [], ["quality"], ["inconsistency"] * 2)),
            "graded_up": chance.choice(([], [], ["large_effect"])),
            "ratings": [{"scheme": "grade", "value": "low"}],
            "external_ids": [],
            "collection": None,
            "pools": pools,
            "studies": chance.choice((None, 3)) if pools else None,
            "work": works[source["id"]],
            "pooled": [
                {
                    "source": slug,
                    "work": works[slug],
                    **{name: sources[slug][name] for name in ("integrity", "integrity_date")},
                }
                for slug in pools
            ],
            "date_inferred": source["year"] is None,
            "sample_size": None,
            "updated": "2026-11-25T00:00:00.000000Z",
            "state": chance.choice(("accepted", "accepted", "accepted", "submitted", "retracted")),
            **{
                name: source[name]
                for name in ("citation", "year", "published", "integrity", "integrity_date")
            },
        }
        evidence.append(row)
    occurrences = [
        {
            "claim": "c",
            "key": f"o-{number}",
            "source": f"s-{chance.randrange(5)}",
            "asserted_by": [f"w-{number % 2}"],
            "quote": "So it is.",
        }
        for number in range(chance.randrange(3))
    ]
    assessments: list[dict[str, Any]] = [
        {
            "claim": "c",
            "key": f"a-{number}",
            "source": chance.choice((None, "s-4")),
            "assessed": date(),
            "ratings": [],
        }
        for number in range(chance.randrange(3))
    ]
    statement = 'It says ,"asserted_by":["nobody"] and ,"revision":0\n'
    stamps = {
        "revision": 7,
        "created": f"{day()}T00:00:00.000000Z",
        "updated": "2026-11-25T00:00:00.000000Z",
    }
    kind = chance.choice(("definition", "mechanism", "causal_hypothesis"))
    written = ClaimIn(id="c", kind=kind, statement=statement, topics=["t"])
    claim = {**written.model_dump(), **stamps}
    return claim_aggregate.ClaimAggregate(
        claim, occurrences, evidence, [], assessments, sources, {}
    )


@pytest.mark.parametrize("seed", range(300))
def test_every_day_of_generated_claims(seed: int) -> None:
    claim = generated(random.Random(seed))
    rows = derive.derive_from([claim])
    (row,) = rows["claim_document"]
    assert (
        documents.claim_json(row) == derived_plainly(claim) == to_json(claim_aggregate.core(claim))
    )
    periods = [
        {"claim": "c", **vars(run)}
        for run in periods_module.status_periods(claim.claim["kind"], claim.lines, claim.stated)
    ]
    stored = rows["status_period"]
    assert runs_of(stored) == periods
    assert all(earlier["derived"] != later["derived"] for earlier, later in pairwise(stored))
    for day in days_of(claim):
        then = claim_aggregate.as_of(claim, day)
        assert core_on(row, stored, day) == derived_plainly(then), day
        decided = rules.decide(claim.claim["kind"], claim.lines, day)
        (found,) = (run for run in periods if holds_on(run, day))
        assert (found["status"], found["rule"], found["certainty"]) == (
            decided.status,
            decided.rule,
            decided.certainty,
        )


def test_a_day_before_the_claim_has_no_core() -> None:
    periods = derive.derive_from([generated(random.Random(1))])["status_period"]
    assert not any(holds_on(period, "1999-12-31") for period in periods)


def test_a_damaged_past_is_found_and_mended(seeded: Store) -> None:
    table = serializers.table(tables.StatusPeriod)
    first = table.c.starts == "2009-09-02"
    with seeded.database.write() as connection:
        connection.execute(
            table.update().where(table.c.claim == "ccsvi-causes-ms", first).values(derived=b"{}")
        )
    with seeded.database.read() as connection:
        (told,) = check(connection)
    assert told.startswith("status_period of ccsvi-causes-ms does not agree")
    with seeded.database.write() as connection:
        rebuild.rebuild(connection)
    with seeded.database.read() as connection:
        assert list(check(connection)) == []


def test_a_source_that_is_retracted_later_changes_the_past_it_had(seeded: Store) -> None:
    """The day of the notice becomes a day of the claim: before it the list shows what was believed
    then.
    """
    with begin(seeded.database, actor="test") as change:
        source = listings.read_source(change.connection, "doepp-2010")
        told = {
            "integrity": "retracted",
            "integrity_note": "Withdrawn.",
            "integrity_date": "2015-05",
        }
        body = {name: source[name] for name in RECORD_TYPES["source"].fields.model_fields}
        put(change, RECORD_TYPES["source"], {**body, **told})
    with seeded.database.read() as connection:
        (claim,) = claim_loader.load(connection, ["ccsvi-causes-ms"])
        row = listings.read_claim(connection, "ccsvi-causes-ms", ())
        periods = periods_of(connection, "ccsvi-causes-ms")
    assert "2015-05-31" in [period["starts"] for period in periods]
    for day in ("2015-05-30", "2015-05-31"):
        assert core_on(row, periods, day) == derived_plainly(claim_aggregate.as_of(claim, day))
