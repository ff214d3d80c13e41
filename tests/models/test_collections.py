"""Collections: exports of one, the licences of an export, what another version of one lacks, and
the way up to and down from the schema that has them.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import func, inspect, select

from models import migrations
from models.core.errors import InvalidRecord
from models.projection import rebuild
from models.records.claim import Claim, OccurrenceIn, TopicIn
from models.records.collection import CollectionIn
from models.records.record_types import IN_COLLECTIONS, RECORD_TYPES, read_record
from models.records.revision import Revision
from models.records.serializers import table
from models.transfer import backup, export
from models.transfer.missing_records import MAX_NAMES, MissingRecords
from models.transfer.seed import BadSeed, Note, seed
from models.write import changes
from tests.databases import Store
from tests.models.exports import Record, as_lines, decide, disagreements, exported, load, records
from tests.records import a_claim, a_line, a_source, put_part

CIVIC: Record = {"record": "collection", "id": "civic", "name": "CIViC", "licence": "CC-BY-4.0"}


def fill(store: Store) -> None:
    """Store records of two collections, tied to others that were written here."""
    with changes.begin(store.database, actor="ada", comment="taken over") as change:
        for slug, licence in (("civic", "CC-BY-4.0"), ("healthfc", "https://example.org/licence")):
            changes.put_collection(
                change, CollectionIn(id=slug, name=slug.upper(), licence=licence, version="1")
            )
        for slug in ("filed-under", "elsewhere"):
            changes.put_topic(change, TopicIn(id=slug, label="A", definition="A topic."))
        changes.put_source(change, a_source())
        changes.put_source(
            change, a_source("cites-smith", collection="civic", cites=[{"source": "smith-2020"}])
        )
        changes.put_source(change, a_source("not-cited"))
        changes.put_claim(change, a_claim(collection="civic", topics=["filed-under"]))
        changes.put_claim(change, a_claim("of-civic", collection="civic"))
        changes.put_claim(change, a_claim("own"))
        changes.put_claim(change, a_claim("own-with-a-line"))
        changes.put_claim(change, a_claim("of-healthfc", collection="healthfc"))
        put_part(change, "x-causes-y", a_line(collection="civic"))
        put_part(change, "own", a_line())
        put_part(change, "own-with-a-line", a_line("theirs", collection="civic"))
        put_part(
            change,
            "own-with-a-line",
            OccurrenceIn(key="here", source="smith-2020", quote="So.", asserted_by=["smith"]),
        )


def of_civic(store: Store) -> bytes:
    """Return the export of the collection."""
    with store.database.read() as connection:
        return b"".join(export.export_lines(connection, "civic"))


def named(content: bytes) -> list[str]:
    """Return the type and id of each record of an export, without its header."""
    return [f"{each['record']}/{each['id']}" for each in records(content)[1:]]


def without_stamps(content: bytes) -> list[Record]:
    """Return the records of an export without what is new at each load."""
    stamps = {"revision", "created", "updated"}

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items() if name not in stamps}
        return [plain(each) for each in value] if isinstance(value, list) else value

    return [plain(each) for each in records(content)[1:]]


def test_the_export_of_one_stands_alone(empty: Store, other: Store, tmp_path: Path) -> None:
    fill(empty)
    content = of_civic(empty)
    header = records(content)[0]
    assert named(content) == [
        "collection/civic",
        "topic/filed-under",
        "source/cites-smith",
        "source/smith-2020",
        "claim/of-civic",
        "claim/own-with-a-line",
        "claim/x-causes-y",
    ]
    assert header["counts"] == {
        "collections": 1,
        "topics": 1,
        "texts": 0,
        "sources": 2,
        "claims": 3,
    }
    assert (header["collection"], header["licence"]) == ("civic", None)
    # A topic, a source, a claim and an occurrence of it were written here.
    assert header["licences"] == ["CC-BY-4.0", "CC0-1.0"]
    loaded, told = load(other, content)
    assert (told, loaded.restored, loaded.reported) == ([], False, 0)
    assert disagreements(other) == []
    assert without_stamps(of_civic(other)) == without_stamps(content)
    manifest = export.write_release(empty.database, tmp_path / "civic", "civic")
    assert set(manifest["files"]) == {
        *("collections.jsonl", "topics.jsonl", "texts.jsonl", "sources.jsonl", "claims.jsonl"),
    }
    again, told = load(other, tmp_path / "civic")
    assert (told, again.stored.total(), again.unchanged.total()) == ([], 0, loaded.records)


def test_what_is_not_accepted_is_not_in_it(empty: Store) -> None:
    fill(empty)
    with changes.begin(empty.database, actor="eve", comment="proposed") as change:
        proposed = {"collection": "civic", "state": "submitted"}
        changes.put_source(change, a_source("proposed", **proposed))
        put_part(change, "own", a_line("proposed", **proposed))
    decide(empty, "claim", "of-civic", "retracted")
    assert "claim/own" not in named(of_civic(empty))
    assert "claim/of-civic" not in named(of_civic(empty))
    assert "source/proposed" not in named(of_civic(empty))


def test_an_unknown_one_is_told_with_the_nearest(empty: Store) -> None:
    fill(empty)
    with empty.database.read() as connection, pytest.raises(InvalidRecord) as unknown:
        list(export.export_lines(connection, "civik"))
    assert (unknown.value.faults[0].at, unknown.value.faults[0].suggestion) == (
        "collection",
        "civic",
    )
    with (
        pytest.raises(InvalidRecord) as refused,
        changes.begin(empty.database, actor="ada") as change,
    ):
        changes.put_claim(change, a_claim("new", collection="civik"))
    (fault,) = refused.value.faults
    assert (fault.at, fault.code, fault.suggestion) == ("collection", "unknown_reference", "civic")


def test_one_that_is_in_use_cannot_be_taken_back(empty: Store) -> None:
    fill(empty)
    with pytest.raises(Exception, match="still in use by claim/of-healthfc"):
        decide(empty, "collection", "healthfc", "retracted")
    decide(empty, "claim", "of-healthfc", "retracted")
    decide(empty, "collection", "healthfc", "retracted")
    assert disagreements(empty) == []


def test_licences_are_those_of_what_is_exported(empty: Store) -> None:
    def licences() -> tuple[str | None, list[str | None]]:
        header = records(exported(empty))[0]
        return header["licence"], header["licences"]

    assert licences() == (None, [])
    load(empty, as_lines(CIVIC, {"record": "claim", **own("a"), "collection": "civic"}))
    assert licences() == ("CC-BY-4.0", ["CC-BY-4.0"])
    with changes.begin(empty.database, actor="ada", comment="written here") as change:
        changes.put_source(change, a_source())
        changes.put_collection(change, CollectionIn(id="empty", name="E", licence="MIT"))
    assert licences() == (None, ["CC-BY-4.0", "CC0-1.0"])
    load(empty, as_lines({"record": "claim", **own("b")}))
    assert licences() == (None, ["CC-BY-4.0", "CC0-1.0", None])
    # As soon as somebody says where it comes from, its licence is known.
    load(empty, as_lines({"record": "claim", **own("b"), "collection": "civic"}))
    assert licences() == (None, ["CC-BY-4.0", "CC0-1.0"])


def own(slug: str) -> Record:
    return {"id": slug, "statement": f"The claim {slug} holds.", "kind": "finding"}


def test_what_a_newer_version_lacks_is_told_and_stays(empty: Store) -> None:
    def file(version: str, claims: range) -> bytes:
        collection = {**CIVIC, "version": version, "retrieved": "2026-11"}
        return as_lines(
            collection,
            *({"record": "claim", **own(f"c-{n:02}"), "collection": "civic"} for n in claims),
        )

    first, _ = load(empty, file("1", range(30)))
    same, _ = load(empty, file("1", range(3)))
    assert (first.missing, same.missing) == ([], [])
    newer, _ = load(empty, file("2", range(5, 31)))
    assert newer.missing == [
        MissingRecords(
            "civic",
            "version 1, retrieved 2026-11",
            "version 2, retrieved 2026-11",
            5,
            [f"claim/c-{n:02}" for n in range(5)],
        )
    ]
    (many,) = load(empty, file("3", range(0)))[0].missing
    assert (many.number, many.names) == (31, [f"claim/c-{n:02}" for n in range(MAX_NAMES)])
    assert str(many).endswith("claim/c-18, claim/c-19 and 11 more.")
    (none,) = load(empty, file("4", range(31)))[0].missing
    assert str(none).endswith(
        "the file has version 4, retrieved 2026-11. It lacks no stored record."
    )
    with empty.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(table(Claim))) == 31
    assert disagreements(empty) == []


def test_seed_files_have_collections_and_tell_what_they_lack(empty: Store, tmp_path: Path) -> None:
    root = tmp_path / "seed"
    for folder in ("vocabularies", "claims"):
        (root / folder).mkdir(parents=True)

    def write(version: str, *claims: str) -> list[MissingRecords]:
        listed = [{"id": "civic", "name": "CIViC", "version": version}]
        (root / "vocabularies" / "collections.yaml").write_text(yaml.safe_dump(listed))
        for path in (root / "claims").glob("*"):
            path.unlink()
        for slug in claims:
            (root / "claims" / f"{slug}.yaml").write_text(
                yaml.safe_dump({**own(slug), "collection": "civic"})
            )
        told: list[Note] = []
        seed(empty.database, root, told.append)
        return [note for note in told if isinstance(note, MissingRecords)]

    assert write("1", "a", "b") == []
    (lacks,) = write("2", "b")
    assert (lacks.number, lacks.names) == (1, ["claim/a"])
    assert write("2", "b") == []
    (root / "claims" / "c.yaml").write_text(yaml.safe_dump({**own("c"), "collection": "civik"}))
    with pytest.raises(BadSeed, match=r"c\.yaml: collection: .*'civik'.*civic"):
        seed(empty.database, root)


def test_a_backup_holds_them(empty: Store, other: Store, tmp_path: Path) -> None:
    fill(empty)
    backup.write_backup(empty.database, tmp_path / "a.backup")
    backup.restore_backup(other.database, tmp_path / "a.backup")
    assert exported(other) == exported(empty)
    assert of_civic(other) == of_civic(empty)


def test_a_whole_export_is_restored_with_them(empty: Store, other: Store) -> None:
    fill(empty)
    loaded, told = load(other, exported(empty))
    assert (told, loaded.restored) == ([], True)
    assert exported(other) == exported(empty)


def test_the_schema_before_has_no_place_for_them_and_gets_it_again(empty: Store) -> None:
    fill(empty)
    migrations.migrate(empty.database, "0012")
    with empty.database.read() as connection:
        seen = inspect(connection)
        assert not seen.has_table("collection")
        kinds = connection.scalars(select(table(Revision).c.kind).distinct()).all()
        assert "collection" not in kinds
    migrations.migrate(empty.database)
    with empty.database.write() as connection:
        seen = inspect(connection)
        for kind in IN_COLLECTIONS:
            columns = {column["name"] for column in seen.get_columns(table(kind.model).name)}
            assert "collection" in columns
        body = read_record(connection, RECORD_TYPES["claim"], "of-civic")
        assert body is not None
        assert body["collection"] is None
        rebuild.rebuild(connection)
    with changes.begin(empty.database, actor="ada", comment="again") as change:
        changes.put_collection(change, CollectionIn(id="civic", name="CIViC"))
        assert changes.put_claim(change, a_claim("of-civic", collection="civic"))
    assert named(of_civic(empty)) == ["collection/civic", "claim/of-civic"]
