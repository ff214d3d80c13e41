"""One migration tree for both databases: up and down with data, and the table classes agree."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory
from pydantic_core import from_json, to_json
from sqlalchemy import CheckConstraint, MetaData, func, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex

from api.settings import ROOT
from models import migrations
from models.access import api_keys
from models.database import schema_version
from models.database.connections import BadDatabaseUrl, Database, connect, file_url
from models.migrations import tables
from models.projection import claim_loader, rebuild
from models.projection import documents as documents_module
from models.projection import tables as tables_module
from models.projection.integrity_check import check
from models.records.assessment import AssessmentIn
from models.records.revision import Revision, Serial
from models.records.serializers import Row, table
from models.transfer.seed import seed
from models.write import changes
from tests.databases import SEEDED, SEEDED_CLAIMS, SEEDED_TOPICS, Store
from tests.models.next_migration import NEXT, next_program
from tests.records import a_claim, a_line, a_source, put_part, store_one_claim


def test_the_tables_and_the_migrations_agree(empty: Store) -> None:
    with empty.database.write() as connection:
        command.check(migrations.alembic_config(connection))


def test_head_is_the_head_of_the_tree(empty: Store) -> None:
    with empty.database.write() as connection:
        tree = ScriptDirectory.from_config(migrations.alembic_config(connection))
    assert tree.get_heads() == [schema_version.HEAD]


def test_constraints_are_named_as_in_the_classes(empty: Store) -> None:
    with empty.database.read() as connection:
        seen = inspect(connection)
        for model in tables.tables:
            rows = table(model)
            wanted = {str(constraint.name) for constraint in rows.constraints}
            found = {check["name"] for check in seen.get_check_constraints(rows.name)}
            found |= {key["name"] for key in seen.get_foreign_keys(rows.name)}
            found |= {unique["name"] for unique in seen.get_unique_constraints(rows.name)}
            found |= {seen.get_pk_constraint(rows.name)["name"]}
            assert found == wanted, rows.name


def test_indexes_sort_as_in_the_classes(empty: Store) -> None:
    """A table that SQLite copies for a change loses the order of its indexes, unseen."""
    stored = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    }
    with empty.database.read() as connection:
        rows = connection.execute(sa.text(stored[connection.dialect.name]))
        found = {name for name, definition in rows if "DESC" in definition}
    wanted = {
        index.name
        for model in tables.tables
        for index in table(model).indexes
        if "DESC" in str(CreateIndex(index))
    }
    assert found == wanted
    assert wanted


def test_the_database_keeps_columns_inside_their_vocabularies(seeded: Store) -> None:
    """Past our own validation, too, a term that does not exist gets into no column."""
    checked = 0
    for model in tables.tables:
        rows = table(model)
        for check_on in rows.constraints:
            if isinstance(check_on, CheckConstraint) and " OR " in str(check_on.sqltext):
                column = str(check_on.sqltext).partition(" ")[0].strip('"')
                with seeded.database.read() as connection:
                    empty_table = connection.scalar(select(func.count()).select_from(rows)) == 0
                if empty_table:
                    continue
                with (
                    pytest.raises(IntegrityError, match=r"(?i)check"),
                    seeded.database.write() as connection,
                ):
                    connection.execute(update(rows).values({column: "no_such_term"}))
                checked += 1
    assert checked > 25


def test_the_checks_of_vocabularies_do_without_in(tmp_path: Path) -> None:
    """The checks are written as the classes have them, also after a way down and up again."""
    database = connect(file_url(tmp_path / "a.db"))
    migrations.migrate(database)
    migrations.migrate(database, "base")
    migrations.migrate(database)
    expected = {
        str(check_on.name): set(str(check_on.sqltext).split(" OR "))
        for model in tables.tables
        for check_on in table(model).constraints
        if isinstance(check_on, CheckConstraint)
    }
    assert _checks(database) == expected
    database.close()


def _checks(database: Database) -> dict[str | None, set[str]]:
    with database.read() as connection:
        seen = inspect(connection)
        return {
            each["name"]: set(each["sqltext"].split(" OR "))
            for model in tables.tables
            if seen.has_table(table(model).name)
            for each in seen.get_check_constraints(table(model).name)
        }


def test_up_and_down_with_data(seeded: Store, tmp_path: Path) -> None:
    def revisions_and_columns() -> tuple[int | None, set[str]]:
        with seeded.database.read() as connection:
            number = connection.scalar(select(func.count()).select_from(table(Revision)))
            return number, {found["name"] for found in inspect(connection).get_columns("topic")}

    here = schema_version.HEAD
    with next_program(tmp_path):
        for _ in range(2):
            with seeded.database.read() as connection:
                assert list(check(connection)) == [
                    f"The database is at migration {here}, this program at {NEXT};"
                    " run claimbase migrate."
                ]
            migrations.migrate(seeded.database)
            number, columns = revisions_and_columns()
            assert (number, "nickname" in columns) == (SEEDED, True)
            with seeded.database.write() as connection:
                assert schema_version.current(connection) == NEXT
                assert rebuild.rebuild(connection) == SEEDED_CLAIMS
                assert list(check(connection)) == []
            migrations.migrate(seeded.database, here)
            number, columns = revisions_and_columns()
            assert (number, "nickname" in columns) == (SEEDED, False)
    migrations.migrate(seeded.database, "base")
    with seeded.database.read() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    migrations.migrate(seeded.database)
    assert sum(seed(seeded.database, ROOT / "seed_data").values()) == SEEDED


def test_what_the_oldest_schema_has_a_place_for_survives_it(empty: Store) -> None:
    store_one_claim(empty)
    for target in (schema_version.OLDEST, "head"):
        migrations.migrate(empty.database, target)
        with empty.database.read() as connection:
            assert connection.scalar(select(func.count()).select_from(table(Revision))) == 4
    with empty.database.read() as connection:
        assert list(check(connection)) == []


def test_what_the_schema_before_has_no_place_for_is_taken_out_and_the_rest_survives(
    empty: Store,
) -> None:
    identifiers = [
        {"scheme": "nct", "value": "NCT00000102", "verification": "verified"},
        {"scheme": "pmid", "value": "1", "verification": "verified"},
    ]
    decided: Row = {"assessor": "A", "assessed": "2020", "rationale": "So."}
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_source(change, a_source(study_design="guideline", identifiers=identifiers))
        changes.put_claim(change, a_claim(origin="added", language="de"))
        for part in (
            a_line(question="aetiology", study_design="in_vitro", effects=[{"measure": "OR"}]),
            AssessmentIn(key="status", status="refuted", **decided),
            AssessmentIn(key="words", verdict="No.", **decided),
        ):
            put_part(change, "x-causes-y", part)
    losses = migrations.find_losses(empty.database, "0012")
    assert {"1 rows of assessment", "1 rows of source_identifier"} <= set(losses)
    assert {"1 values of claim.origin", "1 values of claim.language"} <= set(losses)
    migrations.migrate(empty.database, "0012")
    with empty.database.read() as connection:
        found = MetaData()
        found.reflect(connection)
        (line,) = connection.execute(select(found.tables["evidence"])).mappings()
        assert (line["question"], line["level"]) == (None, "not_gradable")
        assert line["study_design"] == "laboratory"
        kept = connection.scalars(select(found.tables["source_identifier"].c.scheme)).all()
        assert kept == ["pmid"]
    migrations.migrate(empty.database)
    with empty.database.read() as connection:
        (claim,) = claim_loader.load(connection, ["x-causes-y"])
    assert [row["key"] for row in claim.assessments] == ["status"]
    names = ("origin", "language", "notice", "external_ids", "topic_roles")
    assert [claim.claim[name] for name in names] == ["stated", "en", None, [], []]
    (row,) = claim.evidence
    assert (row["effects"], row["groups"], row["ratings"], row["pools"]) == ([], [], [], [])
    with changes.begin(empty.database, actor="ada") as change:
        assert put_part(change, "x-causes-y", a_line(question="aetiology", study_design="in_vitro"))


def test_a_database_from_before_the_first_release_is_told_what_to_do(seeded: Store) -> None:
    with seeded.database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0009'")
    for target in ("head", "base"):
        with pytest.raises(migrations.BadMigration) as refused:
            migrations.migrate(seeded.database, target)
        assert refused.value.detail == (
            "The database is at migration 0009, from before the first release; this program"
            " starts at 0011. Run `claimbase migrate` of commit a2c818d on it, then use this"
            " program again."
        )
    with seeded.database.read() as connection:
        assert schema_version.current(connection) == "0009"
        assert connection.scalar(select(func.count()).select_from(table(Revision))) == SEEDED


def test_the_oldest_is_the_root_of_the_tree(empty: Store) -> None:
    with empty.database.write() as connection:
        tree = ScriptDirectory.from_config(migrations.alembic_config(connection))
    assert tree.get_bases() == [schema_version.OLDEST]


def _derived_anew(store: Store, after: int = SEEDED) -> set[str]:
    """Return the claims that got a revision since they came out differently."""
    with store.database.read() as connection:
        assert list(check(connection)) == []
        new = select(table(Revision)).where(table(Revision).c.serial > after)
        rows = connection.execute(new).mappings().all()
    assert {row["action"] for row in rows} == {"derive"}
    return {row["claim"] for row in rows}


def test_a_claim_that_comes_out_differently_gets_a_revision_and_no_other_does(
    seeded: Store,
) -> None:
    documents = table(tables_module.ClaimDocument)
    causal = documents.c.claim == "ccsvi-causes-ms"
    with seeded.database.write() as connection:
        connection.execute(update(table(Serial)).values(derivation="older"))
        derived: bytes = connection.execute(select(documents.c.derived).where(causal)).scalar_one()
        other = derived.replace(b'"certainty":"', b'"certainty":"very_')
        assert other != derived
        connection.execute(update(documents).where(causal).values(derived=other))
    migrations.migrate(seeded.database)
    assert _derived_anew(seeded) == {"ccsvi-causes-ms"}


def test_documents_of_the_older_shape_tell_which_claims_come_out_differently(empty: Store) -> None:
    """What lists served before is kept: all claims say more after it, so each gets a revision."""
    store_one_claim(empty)
    documents = table(tables_module.ClaimDocument)
    with empty.database.read() as connection:
        stored = [dict(row) for row in connection.execute(select(documents)).mappings()]
    migrations.migrate(empty.database, "0011")
    with empty.database.write() as connection:
        connection.execute(update(table(Serial)).values(derivation="older"))
        connection.execute(insert(_older_documents()), [_older(row) for row in stored])
    migrations.migrate(empty.database)
    assert _derived_anew(empty, after=4) == {row["claim"] for row in stored} == {"x-causes-y"}


def _older_documents() -> sa.TableClause:
    names = (
        "status_rank",
        "certainty_rank",
        "evidence_level",
        "evidence_count",
        "has_conflict",
        "traits",
    )
    kept = ("claim", "kind", "status", "certainty", "statement", "revision", "updated")
    blobs = ("core", "past", "occurrences", "evidence", "sources", "relations", "assessments")
    return sa.table("claim_document", *map(sa.column, (*names, *kept, *blobs)))


def _older(row: Row) -> Row:
    """Return a document as the program before stored it: without what it did not tell."""
    told = from_json(documents_module.claim_json(row))
    newer = (
        *("origin", "notice", "language", "external_ids", "topic_roles"),
        *("status_since_inferred", "best_level"),
    )
    for name in newer:
        del told[name]
    kept = {name: value for name, value in row.items() if name in _older_documents().c}
    return {**kept, "traits": 0, "core": to_json(told), "past": b""}


def test_an_unknown_revision_is_refused(empty: Store) -> None:
    with pytest.raises(migrations.BadMigration, match="cannot be migrated to '9999'"):
        migrations.migrate(empty.database, "9999")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://a/b", "SQLite and PostgreSQL"),
        ("sqlite://", "cannot be shared"),
        ("sqlite:///:memory:", "cannot be shared"),
    ],
)
def test_the_error_for_a_bad_url_says_what_is_valid(url: str, told: str) -> None:
    with pytest.raises(BadDatabaseUrl, match=told):
        connect(url)


def test_the_folder_of_a_database_file_is_created(tmp_path: Path) -> None:
    database = connect(file_url(tmp_path / "new" / "folder" / "a.db"))
    migrations.migrate(database)
    seed(database, ROOT / "seed_data")
    with changes.begin(database, actor="ada"):
        pass
    database.close()
    assert (tmp_path / "new" / "folder" / "a.db").exists()


def test_what_an_older_schema_has_no_place_for_is_told_and_kept(
    seeded: Store, tmp_path: Path
) -> None:
    with seeded.database.write() as connection:
        request = api_keys.parse_key_request({"name": "Anna", "role": "admin"})
        api_keys.create_key(connection, request)
    losses = migrations.find_losses(seeded.database, "base")
    assert {
        "1 rows of api_key",
        f"{SEEDED_TOPICS} rows of topic",
        f"{SEEDED} rows of revision",
    } <= set(losses)
    assert [loss for loss in losses if "claim_document" in loss or "serial" in loss] == []
    # What is derived comes back by itself; what the claims say since is told.
    older = migrations.find_losses(seeded.database, schema_version.OLDEST)
    assert any("claim.notice" in loss for loss in older)
    assert not any("status_period" in loss or "claim_document" in loss for loss in older)
    assert migrations.find_losses(seeded.database, "head") == []
    head = schema_version.HEAD
    with next_program(tmp_path):
        migrations.migrate(seeded.database)
        assert migrations.find_losses(seeded.database, head) == [
            f"{SEEDED_TOPICS} values of topic.nickname"
        ]
        with pytest.raises(migrations.BadMigration):
            migrations.find_losses(seeded.database, "0000")
        migrations.migrate(seeded.database, head)
    with seeded.database.read() as connection:
        assert schema_version.current(connection) == head
        assert connection.scalar(select(func.count()).select_from(table(api_keys.ApiKey))) == 1


def test_an_empty_database_loses_nothing(empty: Store) -> None:
    assert migrations.find_losses(empty.database, "base") == []
