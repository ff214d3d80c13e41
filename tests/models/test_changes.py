"""The write side: a revision for each change, with the document, in one transaction."""

import json
import threading
from typing import Any

import pytest
from sqlalchemy import CheckConstraint, func, insert, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from models.core import vocabularies as v
from models.core.errors import InvalidRecord
from models.migrations import tables
from models.projection import documents, rebuild
from models.projection.tables import ClaimDocument
from models.read import listings
from models.records.assessment import AssessmentIn
from models.records.claim import Claim, OccurrenceIn, TopicIn
from models.records.evidence import Evidence
from models.records.relation import RelationIn
from models.records.revision import Revision, Serial
from models.records.serializers import sources_by_id, table
from models.status.claim_aggregate import PARTS
from models.write import changes
from tests.databases import SEEDED, SEEDED_CLAIMS, Store
from tests.models.exports import disagreements
from tests.records import a_claim, a_line, a_source, put_part, store_one_claim

TABLES = {table(model).name: table(model) for model in tables.tables}


def whole(store: Store, slug: str = "x-causes-y") -> dict[str, Any]:
    with store.database.read() as connection:
        row = listings.read_claim(connection, slug, PARTS)
    found: dict[str, Any] = json.loads(documents.claim_json(row, PARTS))
    return found


def serials(store: Store) -> list[int]:
    with store.database.read() as connection:
        return list(
            connection.scalars(select(table(Revision).c.serial).order_by(table(Revision).c.serial))
        )


def test_each_change_stores_a_revision_with_the_whole_record(empty: Store) -> None:
    store_one_claim(empty)
    with empty.database.read() as connection:
        rows = (
            connection.execute(select(table(Revision)).order_by(table(Revision).c.serial))
            .mappings()
            .all()
        )
    assert [
        (row["serial"], row["record"], row["action"], row["actor"], row["comment"]) for row in rows
    ] == [
        (1, "topic/y", "create", "ada", "first"),
        (2, "source/smith-2020", "create", "ada", "first"),
        (3, "claim/x-causes-y", "create", "ada", "first"),
        (4, "evidence/x-causes-y:smith-2020", "create", "ada", "first"),
    ]
    assert rows[1]["body"]["authors"][0]["family"] == "Smith"
    assert rows[3]["claim"] == "x-causes-y"
    assert disagreements(empty) == []


def test_storing_the_same_again_makes_no_revision(empty: Store) -> None:
    store_one_claim(empty)
    before = whole(empty)
    with changes.begin(empty.database, actor="bob") as change:
        assert not changes.put_topic(change, TopicIn(id="y", label="Y", definition="What Y is."))
        assert not changes.put_source(change, a_source())
        assert not changes.put_claim(change, a_claim(topics=["y"]))
        assert not put_part(change, "x-causes-y", a_line())
    assert serials(empty) == [1, 2, 3, 4]
    assert whole(empty) == before


def test_the_document_changes_with_the_evidence(empty: Store) -> None:
    store_one_claim(empty)
    found = whole(empty)
    assert (found["status"], found["status_since"], found["certainty"], found["revision"]) == (
        "disputed",
        # Stated nowhere yet, so the claim exists since its first line, which is against it.
        "2020-12-31",
        "moderate",
        4,
    )
    with changes.begin(empty.database, actor="bob") as change:
        assert put_part(change, "x-causes-y", a_line(direction="supports"))
    found = whole(empty)
    assert (found["status"], found["revision"], found["counts"]["supports"]) == (
        "unconfirmed",
        5,
        1,
    )
    assert found["updated"] > found["created"]
    assert disagreements(empty) == []


def test_evidence_of_a_retracted_source_does_not_count(empty: Store) -> None:
    store_one_claim(empty)
    with changes.begin(empty.database, actor="bob") as change:
        changes.put_source(
            change, a_source(integrity="retracted", integrity_note="Retracted by the journal.")
        )
    found = whole(empty)
    assert (found["status"], found["evidence"][0]["integrity"], found["revision"]) == (
        "unassessed",
        "retracted",
        6,
    )
    assert found["sources"][0]["integrity_note"] == "Retracted by the journal."
    assert disagreements(empty) == []


def test_evidence_that_is_not_accepted_neither_counts_nor_is_served(empty: Store) -> None:
    store_one_claim(empty)
    with changes.begin(empty.database, actor="bob") as change:
        put_part(change, "x-causes-y", a_line(state="rejected"))
    found = whole(empty)
    assert (found["status"], found["evidence"], found["counts"]["evidence"]) == (
        "unassessed",
        [],
        0,
    )


def test_an_error_rolls_back_all_of_a_change(empty: Store) -> None:
    store_one_claim(empty)
    before = whole(empty)
    with pytest.raises(InvalidRecord), changes.begin(empty.database, actor="bob") as change:
        changes.put_claim(change, a_claim(statement="X cures Y."))
        put_part(change, "x-causes-y", a_line(key="other", source="nobody-1999"))
    assert whole(empty) == before
    assert serials(empty) == [1, 2, 3, 4]
    assert disagreements(empty) == []


REFUSED: list[tuple[str, Any, str, str | None]] = [
    ("topic", lambda change: changes.put_claim(change, a_claim(topics=["z"])), "topics", None),
    (
        "source",
        lambda change: put_part(change, "x-causes-y", a_line(source="smith-2021")),
        "source",
        "smith-2020",
    ),
    ("claim", lambda change: put_part(change, "x-cause-y", a_line()), "claim", "x-causes-y"),
    (
        "target",
        lambda change: put_part(
            change, "x-causes-y", RelationIn(type="rivals", target="x-causes-z")
        ),
        "target",
        "x-causes-y",
    ),
    (
        "itself",
        lambda change: put_part(
            change, "x-causes-y", RelationIn(type="rivals", target="x-causes-y")
        ),
        "target",
        None,
    ),
    (
        "occurrence",
        lambda change: put_part(
            change,
            "x-causes-y",
            OccurrenceIn(key="a", source="nobody", quote="X.", asserted_by=["bob"]),
        ),
        "source",
        None,
    ),
]


def test_a_dangling_reference_is_refused_with_the_name_of_its_field(empty: Store) -> None:
    store_one_claim(empty)
    for name, put, at, suggestion in REFUSED:
        with (
            pytest.raises(InvalidRecord) as caught,
            changes.begin(empty.database, actor="bob") as change,
        ):
            put(change)
        faults = [(fault.at, fault.suggestion) for fault in caught.value.faults]
        assert faults == [(at, suggestion)], name


def test_two_sources_cannot_share_an_identifier(empty: Store) -> None:
    doi = {"scheme": "doi", "value": "10.1000/XYZ", "verification": "verified"}
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_source(change, a_source(identifiers=[doi]))
    with (
        pytest.raises(InvalidRecord, match="Another source") as caught,
        changes.begin(empty.database, actor="ada") as change,
    ):
        changes.put_source(
            change, a_source("jones-2020", identifiers=[{**doi, "value": "10.1000/xyz"}])
        )
    assert caught.value.faults[0].at == "identifiers/0/value"
    assert "smith-2020" in caught.value.faults[0].detail


def test_every_type_of_record_is_read_as_it_was_written(empty: Store) -> None:
    store_one_claim(empty)
    author = {"family": "Berg", "given": "René", "particle": "van den", "suffix": "Jr"}
    identifiers = [
        {"scheme": "pmid", "value": "12", "verification": "unverified"},
        {"scheme": "doi", "value": "10.1000/<(a);b>", "verification": "verified"},
    ]
    full = a_source(
        "berg-2021",
        authors=[author, {"literal": "A Group"}],
        identifiers=identifiers,
        note="Zürich, naïve",
    )
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_source(change, full)
        changes.put_claim(change, a_claim("y-is-z", kind="definition"))
        put_part(change, "x-causes-y", RelationIn(type="depends_on", target="y-is-z", note="Why."))
        occurrence = {
            "key": "s1",
            "source": "berg-2021",
            "quote": "X!",
            "start": 4,
            "end": 6,
            "asserted_by": ["berg"],
            "hedges": ["may"],
        }
        put_part(change, "x-causes-y", OccurrenceIn.model_validate(occurrence))
        decision = {
            "key": "who-2022",
            "assessor": "WHO",
            "status": "refuted",
            "assessed": "2022",
            "rationale": "Trials.",
            "source": "berg-2021",
        }
        put_part(change, "x-causes-y", AssessmentIn.model_validate(decision))
    with empty.database.read() as connection:
        stored = sources_by_id(connection, ["berg-2021"])["berg-2021"]
    assert [name["family"] or name["literal"] for name in stored["authors"]] == ["Berg", "A Group"]
    assert [each["scheme"] for each in stored["identifiers"]] == ["doi", "pmid"]
    assert stored["citation"] == "van den Berg & A Group 2020"
    found = whole(empty)
    assert found["occurrences"][0]["id"] == "x-causes-y:s1"
    (tie,) = found["relations"]
    assert {
        name: tie[name] for name in ("claim", "type", "target", "note", "status", "evidence")
    } == {
        **{"claim": "x-causes-y", "type": "depends_on", "target": "y-is-z", "note": "Why."},
        **{"status": "unassessed", "evidence": []},
    }
    assert found["assessments"][0]["assessor"] == "WHO"
    assert found["asserted_by"] == ["berg"]
    assert [source["id"] for source in found["sources"]] == ["berg-2021", "smith-2020"]
    assert disagreements(empty) == []


def test_concurrent_writers_lose_no_change_and_no_serial(empty: Store) -> None:
    store_one_claim(empty)
    failures: list[Exception] = []

    def work(writer: int) -> None:
        try:
            for turn in range(10):
                with changes.begin(empty.database, actor=f"writer-{writer}") as change:
                    put_part(change, "x-causes-y", a_line(f"w{writer}-t{turn}"))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert serials(empty) == list(range(1, 45))
    assert whole(empty)["counts"]["disputes"] == 41
    assert disagreements(empty) == []


def test_readers_cannot_write(empty: Store) -> None:
    with pytest.raises(DBAPIError), empty.database.read() as connection:
        connection.execute(update(table(Serial)).values(value=7))


CHECKED = [
    ("source", "type", v.SOURCE_TYPES),
    ("source", "study_design", v.STUDY_DESIGNS),
    ("source", "integrity", v.INTEGRITIES),
    ("source_identifier", "scheme", v.IDENTIFIER_SCHEMES),
    ("source_identifier", "verification", v.VERIFICATIONS),
    ("claim", "kind", v.CLAIM_KINDS),
    ("evidence", "direction", v.DIRECTIONS),
    ("evidence", "level", v.EVIDENCE_LEVELS),
    ("evidence", "question", v.QUESTIONS),
    ("evidence", "directness", v.DIRECTNESS),
    ("evidence", "study_design", v.STUDY_DESIGNS),
    ("evidence", "extraction", v.EXTRACTIONS),
    ("evidence", "state", v.REVIEW_STATES),
    ("relation", "type", v.RELATION_TYPES),
    ("assessment", "status", v.STATUSES),
    ("claim_document", "status", v.STATUSES),
    ("claim_document", "certainty", v.CERTAINTIES),
    ("claim_document", "kind", v.CLAIM_KINDS),
    ("status_period", "status", v.STATUSES),
    ("status_period", "certainty", v.CERTAINTIES),
    ("revision", "kind", v.RECORD_KINDS),
    ("revision", "action", v.ACTIONS),
]


def test_the_database_refuses_terms_outside_each_vocabulary(seeded: Store) -> None:
    with changes.begin(seeded.database, actor="ada") as change:
        decision = {
            "key": "a",
            "assessor": "A",
            "status": "refuted",
            "assessed": "2022",
            "rationale": "R.",
        }
        put_part(change, "ccsvi-causes-ms", AssessmentIn.model_validate(decision))
    for name, column, vocabulary in CHECKED:
        rows = TABLES[name]
        checks = {
            str(each.name): str(each.sqltext)
            for each in rows.constraints
            if isinstance(each, CheckConstraint)
        }
        assert all(f"'{term}'" in checks[f"ck_{name}_{column}"] for term in vocabulary.ids)
        with (
            pytest.raises(IntegrityError, match=f"ck_{rows.name}_{column}"),
            seeded.database.write() as connection,
        ):
            connection.execute(update(rows).values({column: "nonsense"}))


def test_the_database_refuses_dangling_rows(seeded: Store) -> None:
    with seeded.database.read() as connection:
        line = dict(connection.execute(select(table(Evidence)).limit(1)).mappings().one())
    for column in ("claim", "source"):
        with pytest.raises(IntegrityError), seeded.database.write() as connection:
            connection.execute(insert(table(Evidence)), {**line, "key": "new", column: "nowhere"})


def test_the_claim_is_in_every_key() -> None:
    # A webhook only filters by claims.
    others = ("revision", "webhook")
    own = [rows for name, rows in TABLES.items() if "claim" in rows.c and name not in others]
    assert {rows.name for rows in own} == {
        *(
            "claim_topic",
            "evidence_term",
            "occurrence",
            "evidence",
            "pooled_source",
            "relation",
            "assessment",
            "claim_document",
            "claim_term",
            "status_period",
            "claim_search",
            "claim_vector",
            "claim_word",
            "evidence_search",
            "evidence_document",
        )
    }
    for rows in own:
        assert "claim" in rows.primary_key.columns
        assert all("claim" in index.columns for index in rows.indexes if index.unique)


SPOILED = [
    ("document", lambda: update(table(ClaimDocument)).values(derived=b"{}"), "claim_document of"),
    (
        "status",
        lambda: (
            update(table(ClaimDocument))
            .where(table(ClaimDocument).c.claim == "ccsvi-causes-ms")
            .values(status="supported")
        ),
        "ccsvi-causes-ms does not agree",
    ),
    (
        "table",
        lambda: (
            update(table(Claim))
            .where(table(Claim).c.id == "ccsvi-causes-ms")
            .values(statement="CCSVI cures MS.")
        ),
        "claim/ccsvi-causes-ms differs from its last revision",
    ),
    ("serial", lambda: update(table(Serial)).values(value=999), "The serial stands at 999"),
    ("time", lambda: update(table(Serial)).values(at="2020"), "last revision was made at 2020"),
    (
        "gap",
        lambda: update(table(Revision)).where(table(Revision).c.serial == 7).values(serial=8),
        "gap or repetition",
    ),
]


@pytest.mark.parametrize(
    ("spoil", "told"), [case[1:] for case in SPOILED], ids=[case[0] for case in SPOILED]
)
def test_check_reports_every_disagreement(seeded: Store, spoil: Any, told: str) -> None:
    assert disagreements(seeded) == []
    with seeded.database.write() as connection:
        connection.execute(spoil())
    assert any(told in line for line in disagreements(seeded)), disagreements(seeded)


def test_a_revision_from_before_authors_had_an_orcid_agrees_with_its_record(seeded: Store) -> None:
    revision = table(Revision)
    mine = revision.c.record == "source/doepp-2010"
    with seeded.database.write() as connection:
        body = connection.execute(select(revision.c.body).where(mine)).scalar_one()
        for author in body["authors"]:
            assert author.pop("orcid") is None
        connection.execute(update(revision).where(mine).values(body=body))
    assert disagreements(seeded) == []


def test_rebuild_repairs_the_read_model(seeded: Store) -> None:
    before = whole(seeded, "ccsvi-causes-ms")
    with seeded.database.write() as connection:
        connection.execute(update(table(ClaimDocument)).values(derived=b"{}", status="supported"))
    with seeded.database.write() as connection:
        assert rebuild.rebuild(connection) == SEEDED_CLAIMS
    assert whole(seeded, "ccsvi-causes-ms") == before
    assert disagreements(seeded) == []


def test_an_empty_change_takes_no_serial(seeded: Store) -> None:
    with changes.begin(seeded.database, actor="ada"):
        pass
    with seeded.database.read() as connection:
        assert (
            connection.scalar(select(func.max(table(Revision).c.serial)))
            == listings.current_serial(connection)
            == SEEDED
        )
