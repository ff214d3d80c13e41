"""Findings as data, what a review pools, positions of bodies, and versions of one work."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_core import from_json
from sqlalchemy import insert, select

from models.core.errors import Conflict, InvalidRecord, record_faults
from models.projection import claim_loader, documents
from models.projection.integrity_check import check
from models.read import listings
from models.read.as_recorded import load_as_recorded
from models.records.assessment import AssessmentIn
from models.records.claim import ClaimIn, TopicIn
from models.records.elsewhere import MAX_RATINGS, ExternalId
from models.records.evidence import MAX_EFFECTS, MAX_GROUPS
from models.records.record_types import RECORD_TYPES, read_record
from models.records.relation import RelationIn
from models.records.revision import Revision
from models.records.serializers import Row, table
from models.records.source import SourceVersion
from models.status import claim_aggregate
from models.status.claim_aggregate import PARTS, ClaimAggregate
from models.transfer import backup
from models.write import changes
from models.write.merge import merge
from tests.databases import Store
from tests.models.exports import as_lines, disagreements, exported, load, records
from tests.records import CURATOR, a_claim, a_line, a_source, put_part

REVIEW: Row = {"key": "review", "source": "review", "study_design": "systematic_review"}
RATING: Row = {"scheme": "civic-level", "value": "B", "by": "A panel", "at": "2019-05"}
FINDING: Row = {
    "effects": [
        {"measure": "odds ratio", "estimate": "1.5", "low": "1.1", "high": "2", "p": "0.01"},
        {"measure": "I²", "estimate": "80", "unit": "%"},
    ],
    "groups": [{"name": "X", "n": "10", "events": "10"}, {"name": "no X", "n": "12"}],
    "population": "adults",
    "exposure": "X",
    "comparator": "no X",
    "outcome": "Y",
    "follow_up": "48 weeks",
    "risk_of_bias": {"overall": "some concerns", "tool": "RoB 2"},
    "checked_against": "abstract",
    "ratings": [RATING, {"scheme": "grade", "value": "low"}],
    "external_ids": [{"scheme": "civic", "value": "EID1,2"}],
    "graded_down": ["imprecision", "quality", "imprecision", "publication_bias"],
}

BAD_LINES: list[tuple[Row, str, str]] = [
    ({**REVIEW, "pools": ["smith-2020", "review"]}, "pools/1", "pools_itself"),
    ({**REVIEW, "pools": ["smith-2020", "smith-2020"]}, "pools", "repeated_term"),
    ({**REVIEW, "pools": ["smith-2020", "b"], "studies": 1}, "studies", "studies"),
    ({**REVIEW, "studies": 0}, "studies", "greater_than_equal"),
    ({"pools": ["b"]}, "pools", "not_a_review"),
    ({"studies": 3}, "studies", "not_a_review"),
    ({"graded_up": ["large_effect"]}, "graded_up", "graded_up"),
    ({"graded_down": ["quality"] * 3}, "graded_down", "repeated_term"),
    ({"study_design": "cohort", "graded_up": ["dose_response"] * 2}, "graded_up", "repeated_term"),
    ({"graded_down": ["bad"]}, "graded_down/0", "unknown_term"),
    (
        {"effects": [{"measure": "OR"}, {"measure": "OR", "estimate": 3, "low": 1, "high": 2}]},
        "effects/1/estimate",
        "interval",
    ),
    ({"effects": [{"measure": "OR", "low": 2, "high": 1}]}, "effects/0/low", "interval"),
    ({"effects": [{"measure": "OR", "estimate": "inf"}]}, "effects/0/estimate", "finite_number"),
    ({"effects": [{"measure": "OR", "p": 1.1}]}, "effects/0/p", "less_than_equal"),
    ({"effects": [{"measure": "OR"}] * (MAX_EFFECTS + 1)}, "effects", "too_long"),
    ({"groups": [{"name": "X", "n": 1, "events": 2}]}, "groups/0/events", "events"),
    ({"groups": [{"name": "X", "n": -1}]}, "groups/0/n", "greater_than_equal"),
    ({"groups": [{"name": "X", "events": 1}]}, "groups/0/n", "missing"),
    ({"groups": [{"name": "X", "n": 1}] * (MAX_GROUPS + 1)}, "groups", "too_long"),
    ({"question": "mechanism"}, "level", "level_question"),
    ({"ratings": [{"scheme": "grade", "value": "high"}] * 2}, "ratings/1", "repeated_term"),
    ({"ratings": [{"scheme": "GRADE", "value": "high"}]}, "ratings/0/scheme", "malformed_slug"),
    (
        {"ratings": [{"scheme": "grade", "value": "A", "at": "soon"}]},
        "ratings/0/at",
        "malformed_date",
    ),
    ({"ratings": [RATING] * (MAX_RATINGS + 1)}, "ratings", "too_long"),
    ({"external_ids": [{"scheme": "civic"}]}, "external_ids/0/value", "missing"),
    ({"external_ids": [{"scheme": "a", "value": "1"}] * 2}, "external_ids/1", "repeated_term"),
]


@pytest.mark.parametrize(("fields", "at", "code"), BAD_LINES)
def test_a_bad_line_is_refused_with_its_place(fields: Row, at: str, code: str) -> None:
    with pytest.raises(ValidationError) as error:
        a_line(**fields)
    assert [(fault.at, fault.code) for fault in record_faults(error.value)] == [(at, code)]


def test_a_position_says_something() -> None:
    with pytest.raises(ValidationError) as error:
        a_position(verdict=None)
    assert [(fault.at, fault.code) for fault in record_faults(error.value)] == [
        ("verdict", "no_verdict")
    ]


@pytest.mark.parametrize(
    ("fields", "at", "code"),
    [
        ({"versions": [{"type": "part_of", "source": "smith-2020"}]}, "versions/0/source", None),
        (
            {"versions": [{"type": each, "source": "b"} for each in ("part_of", "version_of")]},
            "versions",
            "repeated_version",
        ),
        ({"title": "[A trial]", "title_status": "printed"}, "title_status", "title_status"),
        ({"url": "javascript:alert(1)"}, "url", "malformed_url"),
        ({"url": "https://example.org/a b"}, "url", "malformed_url"),
        ({"text_sha256": "AB"}, "text_sha256", "malformed_sha256"),
    ],
)
def test_a_bad_source_is_refused_with_its_place(fields: Row, at: str, code: str | None) -> None:
    with pytest.raises(ValidationError) as error:
        a_source(**fields)
    faults = [(fault.at, fault.code) for fault in record_faults(error.value)]
    assert faults == [(at, code or "version_of_itself")]


def a_position(**more: Any) -> AssessmentIn:
    """Return what a regulator says of the claim, in its own words and without a status."""
    record = {"key": "nice", "assessor": "NICE", "assessed": "2019-03", "rationale": "Harm."}
    words = {"verdict": "This procedure should not be used.", "jurisdiction": "England"}
    return AssessmentIn.model_validate({**record, **words, **more})


def version(of: str, tie: str = "version_of") -> Row:
    return {"versions": [{"type": tie, "source": of}]}


def store(store: Store, *records: Any, claim: str = "x-causes-y") -> None:
    with changes.begin(store.database, actor="ada") as change:
        for record in records:
            for kind in RECORD_TYPES.values():
                if type(record) is kind.fields and kind.part:
                    put_part(change, claim, record)
                elif type(record) is kind.fields:
                    changes.put(change, kind, record.model_dump())


def loaded(store: Store, claim: str = "x-causes-y") -> ClaimAggregate:
    with store.database.read() as connection:
        return claim_loader.load(connection, [claim])[0]


def fill(empty: Store) -> None:
    """Store a review that pools two trials, of which one has a line, and a preprint of it."""
    store(
        empty,
        TopicIn(
            id="t",
            label="T",
            definition="A T.",
            external_ids=[ExternalId(scheme="mesh", value="D1")],
        ),
        a_claim(
            notice="Ask your doctor.",
            origin="added",
            language="pt-BR",
            external_ids=[{"scheme": "civic", "value": "a:b c"}],
        ),
        a_source("early", title_status="described", title="[A preprint]"),
        a_source(**version("early")),
        a_source("other", main_claim="x-causes-y"),
        a_source(
            "review",
            study_design="systematic_review",
            identifiers=[
                {"scheme": "nct", "value": "nct00000102", "verification": "verified"},
                {"scheme": "uri", "value": "urn:x:A,b", "verification": "unverified"},
            ],
        ),
        a_line(**FINDING),
        a_line(**REVIEW, pools=["smith-2020", "other"], studies=4, independence_group="r"),
        a_position(source="review", ratings=[RATING]),
    )


def test_a_line_says_what_it_bears_on_its_work_and_what_it_pools(empty: Store) -> None:
    fill(empty)
    found = {row["key"]: row for row in loaded(empty).evidence}
    line, review = found["smith-2020"], found["review"]
    assert (line["bears_on"], line["work"], line["pooled"]) == ("claim", "early", [])
    nothing = dict.fromkeys(("estimate", "low", "high", "p", "unit"))
    assert line["effects"] == [
        {
            **{"measure": "odds ratio", "estimate": 1.5, "low": 1.1, "high": 2.0, "p": 0.01},
            "unit": None,
        },
        {**nothing, "measure": "I²", "estimate": 80.0, "unit": "%"},
    ]
    assert line["ratings"] == [
        RATING,
        {"scheme": "grade", "value": "low", "by": None, "at": None},
    ]
    low = {"vocabulary": "certainties", "term": "low", "ours": None, "differs": False}
    assert line["ratings_compared"] == [{"scheme": "grade", "value": "low", **low}]
    assert line["groups"] == [
        {"name": "X", "n": 10, "events": 10},
        {"name": "no X", "n": 12, "events": None},
    ]
    assert [(each["source"], each["work"]) for each in review["pooled"]] == [
        ("smith-2020", "early"),
        ("other", "other"),
    ]
    with empty.database.read() as connection:
        moment = connection.scalar(select(table(Revision).c.at).limit(1))
        assert load_as_recorded(connection, "x-causes-y", str(moment)) == loaded(empty)
    assert disagreements(empty) == []


def test_a_position_stands_beside_the_status_and_never_changes_it(empty: Store) -> None:
    fill(empty)
    with empty.database.read() as connection:
        row = listings.read_claim(connection, "x-causes-y", PARTS)
    told = from_json(documents.claim_json(row, PARTS))
    (position,) = told["assessments"]
    names = ("status", "verdict", "jurisdiction", "source", "outdated")
    assert [position[name] for name in names] == [
        *(None, "This procedure should not be used.", "England", "review", True)
    ]
    assert (told["notice"], told["origin"]) == ("Ask your doctor.", "added")
    before = claim_aggregate.core(loaded(empty))
    for status in (None, "established", "refuted"):
        store(empty, a_position(source="review", status=status))
        after = claim_aggregate.core(loaded(empty))
        assert (after.status, after.certainty) == (before.status, before.certainty)
    store(empty, a_position(key="b", verdict=None, status="disputed"))
    assert disagreements(empty) == []


def test_all_of_it_survives_an_export_a_load_and_a_backup(
    empty: Store, other: Store, tmp_path: Path
) -> None:
    fill(empty)
    lines = exported(empty)
    load(other, lines)
    assert exported(other) == lines
    backup.write_backup(empty.database, tmp_path / "a.gz")
    assert disagreements(other) == []


def test_records_that_come_before_what_they_name_are_loaded(empty: Store, other: Store) -> None:
    """Loaded as changes, in the wrong order and with the batches of one record each."""
    fill(empty)
    kinds = ("claim", "source", "topic")
    found = [record for record in records(exported(empty)) if record["record"] in kinds]
    sources = [record for record in found if record["record"] == "source"]
    backwards = [*reversed(sources), *(each for each in found if each not in sources)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.transfer.load.BATCH_SIZE", 1)
        load(other, as_lines(*backwards))
    assert [row["key"] for row in loaded(other).evidence] == ["review", "smith-2020"]
    with other.database.read() as connection:
        tied = read_record(connection, RECORD_TYPES["source"], "other")
    assert tied is not None
    assert tied["main_claim"] == "x-causes-y"
    assert disagreements(other) == []


def refused(store_of: Store, *records: Any) -> Sequence[tuple[str, str]]:
    with pytest.raises((InvalidRecord, Conflict)) as error:
        store(store_of, *records)
    return [(fault.at, fault.code) for fault in error.value.faults]


def test_ties_and_pools_refer_to_what_is_there_and_lead_to_no_circle(empty: Store) -> None:
    fill(empty)
    place = "versions/0/source"
    assert refused(empty, a_source("c", **version("no"))) == [(place, "unknown_reference")]
    assert refused(empty, a_source("early", **version("smith-2020"))) == [
        (place, "cycle_of_versions")
    ]
    assert refused(empty, a_source("early", main_claim="no")) == [
        ("main_claim", "unknown_reference")
    ]
    review = a_line(**REVIEW, pools=["no"], independence_group="r")
    assert refused(empty, review) == [("pools", "unknown_reference")]
    gone = a_source("other", main_claim="x-causes-y", state="retracted")
    assert refused(empty, gone) == [("id", "in_use")]


def test_a_direct_line_asks_a_question_of_the_claim_s_kind(empty: Store) -> None:
    store(empty, a_claim(), a_source(), a_claim("z"))
    wrong = a_line(question="diagnosis")
    assert refused(empty, wrong) == [("directness", "question_of_kind")]
    store(empty, a_line(question="diagnosis", directness="indirect"))
    store(empty, RelationIn(type="predicts", target="z"))
    on_tie = {"relation_type": "predicts", "relation_target": "z"}
    store(empty, a_line("on-the-tie", question="diagnosis", **on_tie))
    # A claim of another kind may come to ask something else: its lines stay.
    store(empty, a_line("direct"), a_claim(kind="harm", origin="added"))
    store(empty, a_line("direct", state="retracted"))
    assert disagreements(empty) == []


def test_a_tie_or_a_notice_derives_the_claims_that_rest_on_the_work(empty: Store) -> None:
    fill(empty)
    before = loaded(empty).claim["revision"]
    store(empty, a_source("aaa"), a_source("early", title="[A]", **version("aaa", "part_of")))
    assert {row["work"] for row in loaded(empty).evidence} == {"aaa", "review"}
    assert loaded(empty).claim["revision"] > before
    store(
        empty,
        a_source("other", integrity="retracted", integrity_note="So", main_claim="x-causes-y"),
    )
    (review,) = (row for row in loaded(empty).evidence if row["key"] == "review")
    assert review["pooled"][1]["integrity"] == "retracted"
    store(empty, a_source("early", title="[A]"))
    assert {row["work"] for row in loaded(empty).evidence} == {"early", "review"}
    assert disagreements(empty) == []


def test_mergers_take_pools_ties_and_main_claims_along(empty: Store) -> None:
    fill(empty)
    store(empty, a_source("another"), a_claim("z", statement="Z."), a_source("first"))
    store(empty, a_source("early", title="[A]", **version("first")))
    for kind, old, into in (
        ("source", "other", "another"),
        ("source", "early", "another"),
        ("claim", "x-causes-y", "z"),
    ):
        with changes.begin(empty.database, actor="ada") as change:
            merge(change, CURATOR, RECORD_TYPES[kind], old, into)
    found = {row["key"]: row for row in loaded(empty, "z").evidence if row["state"] == "accepted"}
    assert found["review"]["pools"] == ["smith-2020", "another"]
    assert found["smith-2020"]["work"] == "another"
    assert loaded(empty, "z").claim["external_ids"] == [{"scheme": "civic", "value": "a:b c"}]
    with empty.database.read() as connection:
        bodies = {
            slug: read_record(connection, RECORD_TYPES["source"], slug)
            for slug in ("smith-2020", "another")
        }
    assert bodies["smith-2020"] is not None
    assert bodies["smith-2020"]["versions"] == [{"type": "version_of", "source": "another"}]
    assert bodies["another"] is not None
    assert bodies["another"]["versions"] == [{"type": "version_of", "source": "first"}]
    assert disagreements(empty) == []
    with changes.begin(empty.database, actor="ada") as change, pytest.raises(Conflict):
        merge(change, CURATOR, RECORD_TYPES["source"], "review", "another")


def test_check_tells_of_lists_that_are_not_found_and_of_circles(empty: Store) -> None:
    fill(empty)
    with empty.database.write() as connection:
        connection.execute(insert(table(SourceVersion)).values(source="early", other="smith-2020"))
    with empty.database.read() as connection:
        found = list(check(connection))
    assert any("is not found by its versions" in each for each in found)
    assert any("a version of itself" in each for each in found)


def test_a_claim_may_be_of_each_new_kind(empty: Store) -> None:
    kinds = ("association", "treatment_effect", "harm")
    store(empty, *(a_claim(kind.replace("_", "-"), kind=kind) for kind in kinds))
    assert ClaimIn.model_fields["kind"]
    assert [loaded(empty, kind.replace("_", "-")).claim["kind"] for kind in kinds] == list(kinds)


RATED: list[tuple[Row, set[str]]] = [
    ({"external_id": ["civic:EID1,2"]}, {"smith-2020"}),
    ({"external_id": ["civic:eid1,2"]}, set()),
    ({"rating_scheme": ["grade"]}, {"smith-2020", "low"}),
    ({"rating": ["B", "none"]}, {"smith-2020", "high"}),
    ({"rating": ["low"], "rating_scheme": ["grade"]}, {"smith-2020", "low"}),
    # One and the same rating meets both.
    ({"rating": ["B"], "rating_scheme": ["grade"]}, set()),
    (
        {"rating": ["B", "low"], "rating_scheme": ["grade", "iarc"]},
        {"smith-2020", "low", "high"},
    ),
]


def test_lines_are_found_by_what_others_say_of_them(empty: Store) -> None:
    fill(empty)
    low: Row = {"ratings": [{"scheme": "grade", "value": "low"}], "source": "other"}
    high: Row = {"ratings": [{"scheme": "iarc", "value": "B"}], "source": "other"}
    store(empty, a_line("low", **low), a_line("high", **high))
    assert disagreements(empty) == []
    statement = listings.evidence_statement()
    with empty.database.read() as connection:
        for filters, found in RATED:
            rows, _ = listings.read_page(
                connection, listings.EVIDENCE, statement, filters, ("level",), None, 100
            )
            assert {row["key"] for row in rows} == found, filters


def test_no_rule_reads_what_others_say(empty: Store) -> None:
    fill(empty)
    before = loaded(empty).decision
    store(empty, a_line(**{**FINDING, "ratings": [{"scheme": "grade", "value": "very low"}]}))
    after = loaded(empty).decision
    assert (after.status, after.certainty, after.case) == (
        *(before.status, before.certainty, before.case),
    )


@pytest.mark.parametrize("language", ["", "e", "english language", "en_GB", "en-"])
def test_a_language_is_a_tag(language: str) -> None:
    with pytest.raises(ValidationError) as error:
        a_claim(language=language)
    assert [fault.at for fault in record_faults(error.value)] == ["language"]
