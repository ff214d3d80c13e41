"""Evidence time and database time: what was published by then, and what was recorded by then."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from sqlalchemy import select

from models.core import vocabularies as v
from models.core.errors import NotFound
from models.projection import claim_loader, documents, rebuild
from models.projection.integrity_check import check
from models.projection.tables import StatusPeriod
from models.read import as_recorded, facets, listings
from models.records.assessment import AssessmentIn
from models.records.claim import ClaimIn, OccurrenceIn, TopicIn
from models.records.evidence import EvidenceIn
from models.records.relation import RelationIn
from models.records.revision import Revision
from models.records.serializers import table
from models.records.source import SourceIn
from models.status import claim_aggregate, explanation, rules
from models.write import changes
from tests.databases import SEEDED, SEEDED_CLAIMS, Store
from tests.records import put_part

CAUSAL = "ccsvi-causes-ms"


def load(store: Store, slug: str = CAUSAL) -> claim_aggregate.ClaimAggregate:
    with store.database.read() as connection:
        return claim_loader.load(connection, [slug])[0]


def served(claim: claim_aggregate.ClaimAggregate) -> Any:
    parts = claim_aggregate.parts(claim)
    return from_json(to_json({**claim_aggregate.core(claim).model_dump(), **parts}))


def stored(store: Store, slug: str) -> Any:
    with store.database.read() as connection:
        row = listings.read_claim(connection, slug, claim_aggregate.PARTS)
    return from_json(documents.claim_json(row, claim_aggregate.PARTS))


def test_the_causal_claim_s_timeline(shared: Store) -> None:
    periods = explanation.timeline(load(shared)).periods
    statuses = list(dict.fromkeys(period.status for period in periods))
    assert statuses == ["unconfirmed", "contested", "disputed", "refuted"]
    last = periods[-1]
    assert (last.starts, last.ends, last.status_rule, last.certainty) == (
        "2019-12-31",
        None,
        "strong_against",
        "moderate",
    )
    assert [line.source for line in last.new] == ["cochrane-2019"]
    trials = {"siddiqui-2014", "traboulsee-2018", "zamboni-2018"}
    assert {"cochrane-2019", *trials} <= {line.source for line in last.rests_on}
    assert "yang-2023" in {line.source for line in last.during}
    counted = [line.id for period in periods for line in (*period.new, *period.during)]
    sides = [row for row in load(shared).evidence if row["direction"] != "inconclusive"]
    assert len(counted) == len(set(counted)) == len(sides)


def test_zamboni_s_papers_are_explained_as_one_group(shared: Store) -> None:
    found = explanation.explain(load(shared), None)
    lines = {line.source: line for line in found.lines}
    own = ["zamboni-2009-jnnp", "singh-2009", "zamboni-2009-jvs", "zamboni-2018"]
    assert {lines[slug].independence_group for slug in own} == {"ferrara"}
    assert {slug: lines[slug].part for slug in own} == {
        "zamboni-2009-jnnp": "other_side",
        "singh-2009": "other_side",
        "zamboni-2009-jvs": "other_side",
        "zamboni-2018": "decisive",
    }
    groups = {(count.direction, count.rank): count.groups for count in found.groups}
    assert "al-omari" in groups["supports", 5]
    assert {"buffalo", "ferrara", "traboulsee"} <= set(groups["disputes", 2])
    (ferrara,) = (body for body in found.bodies if body.independence_groups == ["ferrara"])
    assert (ferrara.direction, ferrara.rank) == ("disputes", 2)
    assert len(found.lines) == len(load(shared).evidence)


def test_an_explanation_lists_what_came_later_and_what_it_hangs_on(shared: Store) -> None:
    found = explanation.explain(load(shared, "venous-reflux-in-ms"), "2010-12-31")
    assert (found.status, found.status_rule) == ("contested", "both_sides")
    parts = {line.source: line.part for line in found.lines}
    assert parts["mayer-2011"] == "later"
    assert parts["sundstrom-2010"] == "decisive"
    assert [(group.independence_group, group.status) for group in found.critical_groups] == [
        ("ferrara", "disputed"),
        ("sundstrom", "unconfirmed"),
    ]
    text = explanation.explanation_text(found)
    for words in (
        found.sentence,
        "contested",
        "ferrara",
        "Sundström et al. 2010",
        "Without ferrara the claim would be disputed.",
    ):
        assert words in text


def test_every_word_of_an_explanation_is_data(shared: Store) -> None:
    for slug in (CAUSAL, "venous-reflux-in-ms", "ccsvi-full-name", "vein-narrowing-elsewhere"):
        found = explanation.explain(load(shared, slug), None)
        assert found.sentence in {rule.sentence for rule in rules.RULES}
        assert set(found.certainty_reasons) <= set(rules.CERTAINTY_REASONS.values())
        assert {line.part for line in found.lines} <= set(explanation.PARTS.ids)


def test_what_changed_between_two_days(shared: Store) -> None:
    found = explanation.compare(load(shared), "2010-12-31", "2019-12-31")
    assert (found.before.status, found.after.status, found.changed) == (
        "contested",
        "refuted",
        True,
    )
    assert {"siddiqui-2014", "zamboni-2018", "cochrane-2019"} <= {
        line.source for line in found.because
    }
    assert {"doepp-2010", "yang-2023"}.isdisjoint(line.source for line in found.added)
    statuses = list(dict.fromkeys(period.status for period in found.periods))
    assert statuses == ["disputed", "refuted"]
    same = explanation.compare(load(shared), "2020-01-01", "2020-02-01")
    assert (same.changed, same.added, same.periods) == (False, [], [])
    before = explanation.compare(load(shared), "1900-12-31", "2009-12-31")
    assert (before.before.status, before.after.status) == (None, "unconfirmed")


def test_the_stored_periods_are_the_rules_on_every_day(shared: Store) -> None:
    period = table(StatusPeriod)
    with shared.database.read() as connection:
        slugs = connection.scalars(select(period.c.claim).distinct()).all()
        claims = claim_loader.load(connection, slugs)
        rows = [dict(row) for row in connection.execute(select(period)).mappings()]
    assert len(claims) == SEEDED_CLAIMS
    days = sorted(
        {row["published"] for claim in claims for row in claim.evidence}
        | {"1900-01-01", "2026-12-31"}
    )
    for claim in claims:
        mine = [row for row in rows if row["claim"] == claim.claim["id"]]
        for day in days:
            found = [
                row
                for row in mine
                if row["starts"] <= day and (row["ends"] is None or day < row["ends"])
            ]
            if day < claim.exists_from:
                assert found == []
                with pytest.raises(NotFound):
                    claim_aggregate.as_of(claim, day)
                continue
            then = claim_aggregate.as_of(claim, day)
            decided = rules.decide(claim.claim["kind"], then.lines)
            assert [(row["status"], row["rule"]) for row in found] == [
                (decided.status, decided.rule)
            ]
            assert all(row["published"] <= day for row in then.evidence)


def test_what_is_known_now_is_the_present(shared: Store) -> None:
    with shared.database.read() as connection:
        for claim in claim_loader.load(
            connection, connection.scalars(select(listings.document.c.claim)).all()
        ):
            assert served(
                as_recorded.load_as_recorded(connection, claim.claim["id"], "9999")
            ) == served(claim)


# The random changes share one generator, so they stand in one function.
def test_what_was_known_then_is_what_was_served_then(empty: Store) -> None:  # noqa: C901
    """Make random changes, keep what was served after each, and ask for each of these moments at
    the end.
    """
    chance = random.Random(7)
    sources = ["a-2001", "b-2005", "c-2010", "d-2020"]
    kept: list[tuple[str, Any]] = []

    def source(slug: str) -> SourceIn:
        retracted = chance.random() < 0.3
        return SourceIn.model_validate(
            {
                **{
                    "id": slug,
                    "type": "article-journal",
                    "title": f"Title {chance.randrange(3)}",
                    "study_design": "cohort",
                },
                **{
                    "issued": chance.choice(["2001", "2005-06", "2010-01-02", None]),
                    "authors": [{"family": slug[0].upper()}],
                },
                "integrity": "retracted" if retracted else "no_notice",
                "integrity_note": "Why." if retracted else None,
            }
        )

    def line() -> EvidenceIn:
        on_tie = chance.random() < 0.2
        return EvidenceIn.model_validate(
            {
                **{
                    "key": f"line-{chance.randrange(6)}",
                    "source": chance.choice(sources),
                    "study_design": "cohort",
                },
                **{
                    "direction": chance.choice(v.DIRECTIONS.ids),
                    "level": str(chance.randrange(1, 5)),
                    "question": "prognosis",
                },
                **{
                    "finding": "Found.",
                    "independence_group": chance.choice("abc"),
                    "directness": chance.choice(v.DIRECTNESS.ids),
                },
                "state": chance.choice(["accepted", "accepted", "rejected"]),
                **({"relation_type": "leads_to", "relation_target": "y"} if on_tie else {}),
            }
        )

    with changes.begin(empty.database, actor="ada") as change:
        changes.put_topic(change, TopicIn(id="t", label="T", definition="T."))
        for slug in sources:
            changes.put_source(change, source(slug))
        for slug in ("x", "y"):
            changes.put_claim(change, ClaimIn(id=slug, statement=f"{slug}.", kind="mechanism"))
        put_part(change, "x", RelationIn(type="leads_to", target="y"))
    for _ in range(40):
        with changes.begin(empty.database, actor="ada") as change:
            for _ in range(chance.randrange(1, 3)):
                what = chance.randrange(6)
                if what == 0:
                    changes.put_source(change, source(chance.choice(sources)))
                elif what == 1:
                    topics = chance.choice([[], ["t"]])
                    changes.put_claim(
                        change,
                        ClaimIn(
                            id="x",
                            statement=f"X {chance.random()}.",
                            kind="mechanism",
                            topics=topics,
                        ),
                    )
                elif what == 2:
                    occurrence = OccurrenceIn(
                        key="o",
                        source=chance.choice(sources),
                        quote=f"{chance.random()}",
                        asserted_by=["a"],
                    )
                    put_part(change, "x", occurrence)
                elif what == 3:
                    decision = AssessmentIn(
                        key="d",
                        assessor="A",
                        status="refuted",
                        assessed="2006",
                        rationale=f"{chance.random()}",
                    )
                    put_part(change, "x", decision)
                else:
                    put_part(change, "x", line())
        kept.append((change.at, stored(empty, "x")))
    with empty.database.read() as connection:
        for moment, then in kept:
            found = served(as_recorded.load_as_recorded(connection, "x", moment.removesuffix("Z")))
            assert found == then
        assert list(check(connection)) == []
        with pytest.raises(NotFound, match="not recorded here by 2001"):
            as_recorded.load_as_recorded(connection, "x", "2001")


def test_both_times_combine(seeded: Store) -> None:
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    with seeded.database.read() as connection:
        trial = as_recorded.load_as_recorded(connection, CAUSAL, moment)
        line = next(row for row in trial.evidence if row["key"] == "cochrane-2019")
    with changes.begin(seeded.database, actor="ada") as change:
        changed = {name: line[name] for name in EvidenceIn.model_fields} | {"state": "rejected"}
        put_part(change, CAUSAL, EvidenceIn.model_validate(changed))
    with seeded.database.read() as connection:
        then = listings.load_claim(connection, CAUSAL, "2019-12-31", moment)
        now = listings.load_claim(connection, CAUSAL, "2019-12-31", None)
    assert served(then)["status"] == "refuted"
    assert served(now)["status"] == "disputed"


def test_a_retracted_trial_changes_what_rests_on_it_and_nothing_else(seeded: Store) -> None:
    with seeded.database.read() as connection:
        slugs = connection.scalars(select(listings.document.c.claim)).all()
        trial = listings.read_source(connection, "cochrane-2019")
    before = {slug: stored(seeded, slug) for slug in slugs}
    retracted = {name: trial[name] for name in SourceIn.model_fields}
    retracted |= {"integrity": "retracted", "integrity_note": "Retracted for this test."}
    with changes.begin(seeded.database, actor="ada") as change:
        changes.put_source(change, SourceIn.model_validate(retracted))
    after = {slug: stored(seeded, slug) for slug in slugs}
    touched = {slug for slug in slugs if before[slug] != after[slug]}
    assert touched == {
        slug
        for slug in slugs
        if any(line["source"] == "cochrane-2019" for line in before[slug]["evidence"])
    }
    assert CAUSAL in touched
    # Without the review that lends them its rank the trials no longer refute it.
    assert (before[CAUSAL]["status"], after[CAUSAL]["status"]) == ("refuted", "disputed")
    lines = {line["source"]: line["integrity"] for line in after[CAUSAL]["evidence"]}
    assert lines["cochrane-2019"] == "retracted"
    found = explanation.explain(load(seeded), None)
    assert {line.part for line in found.lines if line.source == "cochrane-2019"} == {"retracted"}
    revision = table(Revision)
    with seeded.database.read() as connection:
        told = (
            connection.execute(
                select(revision).where(revision.c.serial > SEEDED).order_by(revision.c.serial)
            )
            .mappings()
            .all()
        )
        assert list(check(connection)) == []
    assert [(row["record"], row["action"]) for row in told] == [
        ("source/cochrane-2019", "update"),
        *((f"claim/{slug}", "derive") for slug in sorted(touched)),
    ]
    assert told[1]["comment"] == "cochrane-2019 is now marked retracted: Retracted for this test."


def test_an_assessment_is_outdated_by_later_evidence(seeded: Store) -> None:
    for key, assessed in (("early", "2012"), ("late", "2024")):
        decision = AssessmentIn(
            key=key,
            assessor="A panel",
            status="disputed",
            assessed=assessed,
            rationale="Read it all.",
        )
        with changes.begin(seeded.database, actor="ada") as change:
            put_part(change, CAUSAL, decision)
    found = stored(seeded, CAUSAL)
    outdated = {row["key"]: row["outdated"] for row in found["assessments"]}
    assert (outdated["early"], outdated["late"]) == (True, False)
    assert found["status"] == "refuted"
    then = served(claim_aggregate.as_of(load(seeded), "2012-12-31"))
    outdated = {row["key"]: row["outdated"] for row in then["assessments"]}
    assert (outdated["early"], "late" in outdated) == (False, False)


def test_the_statuses_over_the_years(shared: Store) -> None:
    with shared.database.read() as connection:
        years = {row["year"]: row["counts"] for row in facets.status_history(connection, [], 2026)}
        causal = {
            row["year"]: row["counts"]
            for row in facets.status_history(connection, ["causation"], 2026)
        }
        slugs = connection.scalars(select(listings.document.c.claim)).all()
        first = min(claim.exists_from for claim in claim_loader.load(connection, slugs))
    assert min(years) == int(first[:4])
    assert max(years) == 2026
    assert sum(years[2026].values()) == SEEDED_CLAIMS
    # A review of trials refutes the cause, and that the treatment helps.
    assert years[2019]["refuted"] == years[2018]["refuted"] + 2
    assert set(years[2010]) == set(v.STATUSES.ids)
    assert sum(causal[2026].values()) < SEEDED_CLAIMS


def test_a_dated_retraction_is_known_from_its_day_on(seeded: Store) -> None:
    with seeded.database.read() as connection:
        trial = listings.read_source(connection, "cochrane-2019")
    marked = {name: trial[name] for name in SourceIn.model_fields}
    marked |= {
        "integrity": "retracted",
        "integrity_note": "For this test.",
        "integrity_date": "2021-03",
    }
    with changes.begin(seeded.database, actor="ada") as change:
        changes.put_source(change, SourceIn.model_validate(marked))
    runs = [(period.status, period.starts) for period in explanation.timeline(load(seeded)).periods]
    assert runs[-2:] == [("refuted", "2019-12-31"), ("disputed", "2021-03-31")]
    before, after = (
        served(claim_aggregate.as_of(load(seeded), day)) for day in ("2021-03-30", "2021-03-31")
    )
    assert (before["status"], before["notices"]["retracted"]) == ("refuted", 0)
    assert (after["status"], after["notices"]["retracted"]) == ("disputed", 1)
    assert stored(seeded, CAUSAL)["notices"] == {"retracted": 1, "concern": 0, "corrected": 1}


def test_any_change_of_a_source_stands_in_the_revisions_of_its_claims(seeded: Store) -> None:
    with seeded.database.read() as connection:
        paper = listings.read_source(connection, "doepp-2010")
    changed = {name: paper[name] for name in SourceIn.model_fields} | {
        "issued": "2008",
        "note": None,
    }
    with changes.begin(seeded.database, actor="ada") as change:
        changes.put_source(change, SourceIn.model_validate(changed))
    revision = table(Revision)
    with seeded.database.read() as connection:
        last = (
            connection.execute(
                select(revision)
                .where(revision.c.claim == CAUSAL)
                .order_by(revision.c.serial.desc())
                .limit(1)
            )
            .mappings()
            .one()
        )
        assert list(check(connection)) == []
    assert (last["action"], last["comment"]) == ("derive", "doepp-2010 changed: issued, note")
    assert stored(seeded, CAUSAL)["revision"] == last["serial"]


def test_refined_rules_derive_anew_with_a_revision(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        rules, "RULES", tuple(rule for rule in rules.RULES if rule.name != "strong_against")
    )
    monkeypatch.setattr(rebuild, "DERIVATION", "refined")
    with seeded.database.read() as connection:
        assert not rebuild.is_current(connection)
    with seeded.database.write() as connection:
        rebuild.rebuild(connection)
    found = stored(seeded, CAUSAL)
    assert (found["status"], found["revision"] > SEEDED) == ("disputed", True)
    with seeded.database.read() as connection:
        assert list(check(connection)) == []
        assert rebuild.is_current(connection)
        last = listings.read_revision(connection, found["revision"])
    assert (last["action"], last["actor"]) == ("derive", "rebuild")


def test_a_reader_sees_one_state_through_all_its_statements(seeded: Store) -> None:
    with seeded.database.read() as connection:
        before = listings.current_serial(connection)
        with changes.begin(seeded.database, actor="ada") as change:
            changes.put_claim(change, ClaimIn(id="new", statement="New.", kind="finding"))
        assert listings.current_serial(connection) == before
        assert (
            connection.scalar(
                select(listings.document.c.claim).where(listings.document.c.claim == "new")
            )
            is None
        )
    with seeded.database.read() as connection:
        assert listings.current_serial(connection) == before + 1
