"""Walks along relations: dependents of a claim, evidence on relations, and cycles."""

from typing import Any

import pytest
from pydantic_core import from_json

from models.core.errors import InvalidRecord
from models.projection import documents
from models.projection.integrity_check import check
from models.read import listings, relation_graph
from models.records.claim import ClaimIn
from models.records.evidence import EvidenceIn
from models.records.relation import RelationIn
from models.records.source import SourceIn
from models.status import claim_aggregate
from models.write import changes
from tests.databases import Store
from tests.records import put_part

CAUSAL = "ccsvi-causes-ms"


def stored(store: Store, slug: str) -> Any:
    with store.database.read() as connection:
        row = listings.read_claim(connection, slug, claim_aggregate.PARTS)
    return from_json(documents.claim_json(row, claim_aggregate.PARTS))


def test_evidence_on_a_relation_counts_for_the_relation_and_not_the_claim(seeded: Store) -> None:
    start, target = "collaterals-make-abnormal-flow", "inefficient-venous-outflow"
    before = stored(seeded, start)
    record = {
        **{
            "key": "link",
            "source": "doepp-2010",
            "direction": "disputes",
            "level": "4",
            "question": "diagnosis",
        },
        **{
            "study_design": "case_control",
            "finding": "No such step.",
            "independence_group": "doepp",
        },
        **{"relation_type": "leads_to", "relation_target": target},
    }
    with changes.begin(seeded.database, actor="ada") as change:
        put_part(change, start, EvidenceIn.model_validate(record))
    after = stored(seeded, start)
    assert (after["status"], after["evidence"], after["counts"]["evidence"]) == (
        *(before["status"], before["evidence"]),
        before["counts"]["evidence"],
    )
    tie = after["relations"][0]
    assert (tie["target"], tie["status"], [line["key"] for line in tie["evidence"]]) == (
        *(target, "disputed"),
        ["link", "zamboni-2009-cnr-step"],
    )
    assert "doepp-2010" in {source["id"] for source in after["sources"]}
    with seeded.database.read() as connection:
        impact = relation_graph.impact(connection, start, "established", 10)
        assert list(check(connection)) == []
    weakest = {
        (chain["weakest"]["claim"], chain["weakest"]["target"], chain["weakest"]["status"])
        for chain in impact["chains"]
    }
    assert (CAUSAL, None, "refuted") in weakest
    with (
        pytest.raises(InvalidRecord, match="There is no relation"),
        changes.begin(seeded.database, actor="ada") as change,
    ):
        put_part(change, start, EvidenceIn.model_validate({**record, "relation_type": "rivals"}))


def test_a_refuted_cause_takes_support_from_its_effects(
    shared: Store,
) -> None:
    with shared.database.read() as connection:
        found = relation_graph.impact(connection, "ccsvi-is-clinical-entity", "refuted", 10)
    reached = {node["id"]: node["distance"] for node in found["claims"]}
    assert reached == {
        CAUSAL: 1,
        "blocked-veins-open-collaterals": 1,
        "collaterals-make-abnormal-flow": 2,
        "inefficient-venous-outflow": 3,
        "slow-venous-flow-in-ms": 4,
        "venous-reflux-in-ms": 4,
        "autoimmunity-from-slow-venous-flow": 5,
        "blood-leakage-from-slow-venous-flow": 5,
        "iron-from-slow-venous-flow": 5,
        "swelling-from-slow-venous-flow": 5,
        "iron-and-autoimmunity-cause-ms-lesions": 6,
    }
    assert all(node["loses_support"] for node in found["claims"])
    ends = {chain["claims"][-1] for chain in found["chains"]}
    assert ends == {
        CAUSAL,
        "blood-leakage-from-slow-venous-flow",
        "swelling-from-slow-venous-flow",
    }
    # The weakest as derived: what is assumed of the start does not hide it.
    weakest = {chain["claims"][-1]: chain["weakest"]["claim"] for chain in found["chains"]}
    assert weakest == {
        CAUSAL: CAUSAL,
        "blood-leakage-from-slow-venous-flow": "ccsvi-is-clinical-entity",
        "swelling-from-slow-venous-flow": "ccsvi-is-clinical-entity",
    }
    assert found["blocked"] == []
    assert not found["truncated"]
    with shared.database.read() as connection:
        short = relation_graph.impact(connection, "ccsvi-is-clinical-entity", "supported", 3)
    assert [node["distance"] for node in short["claims"]] == [1, 1, 2, 3]
    assert short["truncated"]
    assert not any(node["loses_support"] for node in short["claims"])


def test_walks_end_in_spite_of_cycles(empty: Store) -> None:
    with changes.begin(empty.database, actor="ada") as change:
        for slug in "abcd":
            changes.put_claim(change, ClaimIn(id=slug, statement=f"{slug}.", kind="mechanism"))
        for start, target in ("ab", "bc", "ca", "bd", "db"):
            put_part(change, start, RelationIn(type="leads_to", target=target))
    with empty.database.read() as connection:
        found = relation_graph.impact(connection, "a", "refuted", 10)
        around = relation_graph.walk(connection, "a", 10, "both", [])
    assert {node["id"]: node["distance"] for node in found["claims"]} == {"b": 1, "c": 2, "d": 2}
    assert not found["truncated"]
    assert len(around["relations"]) == 5
    assert not around["truncated"]


def test_a_refuted_relation_blocks_and_a_cycle_occurs_once(empty: Store) -> None:
    study = {
        "id": "s",
        "type": "article-journal",
        "title": "T",
        "study_design": "systematic_review",
        "issued": "2000",
    }
    against = {
        **{
            "key": "tie",
            "source": "s",
            "direction": "disputes",
            "level": "1",
            "question": "treatment_benefit",
        },
        **{"study_design": "systematic_review", "finding": "No.", "independence_group": "s"},
        **{"relation_type": "leads_to", "relation_target": "z", "studies": 2},
    }
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_source(change, SourceIn.model_validate(study))
        for slug in "xyz":
            changes.put_claim(change, ClaimIn(id=slug, statement=f"{slug}.", kind="mechanism"))
        for start, target in ("xy", "yz", "zx"):
            put_part(change, start, RelationIn(type="leads_to", target=target))
    with empty.database.read() as connection:
        chains = relation_graph.impact(connection, "y", "refuted", 10)["chains"]
    assert [chain["claims"] for chain in chains] == [["z", "x", "y"]]
    with changes.begin(empty.database, actor="ada") as change:
        put_part(change, "y", EvidenceIn.model_validate(against))
    with empty.database.read() as connection:
        found = relation_graph.impact(connection, "x", "refuted", 10)
    assert [node["id"] for node in found["claims"]] == ["y"]
    assert [(tie["claim"], tie["target"]) for tie in found["blocked"]] == [("y", "z")]
