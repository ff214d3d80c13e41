"""Backups: all that is not derived is restored, in both kinds of database, all or nothing."""

import gzip
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json
from sqlalchemy import insert, inspect, select

from models import migrations
from models.database import schema_version
from models.database.connections import connect
from models.migrations.tables import tables
from models.projection import tables as tables_module
from models.records.serializers import table
from models.search import index
from models.transfer import backup
from models.write import changes
from models.write.idempotency import Idempotency
from tests.databases import SEEDED, SEEDED_CLAIMS, Store, Templates
from tests.models.exports import a_key, disagreements, exported, in_every_state
from tests.models.next_migration import NEXT, next_program
from tests.records import a_claim, a_source

ANSWER = {
    "actor": "ada",
    "key": "k",
    "request": "0" * 64,
    "status": 201,
    "headers": {"Location": "/v1/claims/ä"},
    "body": bytes(range(256)),
    "at": "2026-11-24T12:00:00.000000Z",
}


def content(store: Store) -> dict[str, list[Any]]:
    """Return every row of every table, without numbers in an index: not all databases have them."""
    with store.database.read() as connection:
        found = {}
        for each in [table(model) for model in tables]:
            columns = [column for column in each.columns if column.name != "number"]
            rows = connection.execute(select(*columns).order_by(*each.primary_key.columns))
            found[each.name] = [tuple(row) for row in rows]
        return found


def fill(store: Store) -> None:
    """Add what only a backup holds."""
    in_every_state(store)
    a_key(store)
    with store.database.write() as connection:
        connection.execute(insert(table(Idempotency)), ANSWER)


def test_a_backup_holds_nothing_that_follows_from_the_rest(seeded: Store, tmp_path: Path) -> None:
    backup.write_backup(seeded.database, tmp_path / "a.backup")
    lines = map(from_json, gzip.decompress((tmp_path / "a.backup").read_bytes()).splitlines())
    tables_in_it = [line for line in lines if isinstance(line, dict) and "table" in line]
    columns = {line["table"]: line["columns"] for line in tables_in_it}
    assert "root" not in columns["revision"]
    assert columns["serial"] == ["id", "value", "derivation"]


def test_a_table_of_one_row_keeps_its_nulls(empty: Store, other: Store, tmp_path: Path) -> None:
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_source(change, a_source("alone"))
    backup.write_backup(empty.database, tmp_path / "a.backup")
    backup.restore_backup(other.database, tmp_path / "a.backup")
    assert content(other) == content(empty)


def test_a_backup_is_restored_into_either_kind_of_database(
    seeded: Store, other: Store, tmp_path: Path
) -> None:
    fill(seeded)
    file = tmp_path / "a.backup"
    header = backup.write_backup(seeded.database, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a.backup"]
    restored = backup.restore_backup(other.database, file)
    assert restored == header
    assert content(other) == content(seeded)
    assert disagreements(other) == []
    assert exported(other) == exported(seeded)
    # The same state makes the same file.
    again = tmp_path / "b.backup"
    backup.write_backup(other.database, again)
    assert again.read_bytes() == file.read_bytes()


def test_a_backup_holds_every_table_that_is_not_derived(seeded: Store, tmp_path: Path) -> None:
    fill(seeded)
    file = tmp_path / "a.backup"
    backup.write_backup(seeded.database, file)
    lines = gzip.decompress(file.read_bytes()).splitlines()
    named = {line.split(b'"')[3].decode() for line in lines if line.startswith(b'{"table"')}
    derived = {table(model).name for model in (*tables_module.DERIVED, *index.SEARCH_TABLES)}
    assert named == {table(model).name for model in tables} - derived
    assert b"secret-proposal" in gzip.decompress(file.read_bytes())


def test_a_backup_is_never_overwritten(seeded: Store, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    file.write_bytes(b"precious")
    with pytest.raises(backup.BadBackup, match="never written over"):
        backup.write_backup(seeded.database, file)
    assert file.read_bytes() == b"precious"
    (tmp_path / ".b.backup.partial").touch()
    with pytest.raises(backup.BadBackup, match="under way, or was broken off"):
        backup.write_backup(seeded.database, tmp_path / "b.backup")
    with pytest.raises(backup.BadBackup, match="No such file"):
        backup.write_backup(seeded.database, tmp_path / "none" / "c.backup")


def test_a_failed_backup_leaves_no_file(
    seeded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(backup.BadBackup, match="No space left"):
        backup.write_backup(seeded.database, tmp_path / "a.backup")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_backup_is_refused_before_anything_is_stored(
    empty: Store, tmp_path: Path
) -> None:
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_claim(change, a_claim())
    file = tmp_path / "a.backup"
    backup.write_backup(empty.database, file)
    packed = file.read_bytes()
    lines = gzip.decompress(packed).splitlines(keepends=True)
    damaged = {
        "cut": packed[:-20],
        "cut at a line": gzip.compress(b"".join(lines[:-2])),
        "changed": gzip.compress(b"".join(lines).replace(b"X causes Y.", b"X causes Z.")),
        "without its end": gzip.compress(b"".join(lines[:-1])),
        "text": b"".join(lines),
        "empty": b"",
        "other": gzip.compress(b'{"record":"export"}\n'),
    }
    for damage, content in damaged.items():
        file.write_bytes(content)
        with pytest.raises(backup.BadBackup):
            backup.restore_backup(empty.database, file)
            pytest.fail(damage)


def test_a_backup_of_a_newer_program_is_refused(
    empty: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.backup"
    backup.write_backup(empty.database, file)
    monkeypatch.setattr(schema_version, "HEAD", "0001")
    with pytest.raises(backup.BadBackup, match="newer program"):
        backup.restore_backup(empty.database, file)


def test_a_backup_is_restored_only_into_an_empty_database(
    seeded: Store, templates: Templates, kind: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.backup"
    backup.write_backup(seeded.database, file)
    before = content(seeded)
    with pytest.raises(backup.BadBackup, match="has content"):
        backup.restore_backup(seeded.database, file)
    assert content(seeded) == before
    # Keys are content, too.
    url = templates.copy(kind, seeded=False)
    database = connect(url)
    a_key(Store(url, database))
    with pytest.raises(backup.BadBackup, match="in the table api_key"):
        backup.restore_backup(database, file)
    database.close()
    templates.drop(url)


def test_an_inconsistent_backup_is_refused(empty: Store, other: Store, tmp_path: Path) -> None:
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_claim(change, a_claim())
    with empty.database.write() as connection:
        connection.exec_driver_sql("UPDATE claim SET statement = 'Y causes X.'")
    file = tmp_path / "a.backup"
    backup.write_backup(empty.database, file)
    with pytest.raises(backup.BadBackup, match="claim/x-causes-y differs from its last revision"):
        backup.restore_backup(other.database, file)
    assert content(other)["claim"] == []


def test_a_backup_of_an_older_schema_is_migrated(
    seeded: Store, other: Store, tmp_path: Path
) -> None:
    file = tmp_path / "old.backup"
    backup.write_backup(seeded.database, file)
    newest = schema_version.HEAD
    with next_program(tmp_path):
        backup.restore_backup(other.database, file)
        with other.database.read() as connection:
            assert schema_version.current(connection) == NEXT
            shape = inspect(connection).get_columns("topic")
            nicknames = connection.exec_driver_sql("SELECT DISTINCT nickname FROM topic").all()
        assert "nickname" in {column["name"] for column in shape}
        assert [tuple(row) for row in nicknames] == [("none",)]
        assert disagreements(other) == []
        migrations.migrate(other.database, newest)
    assert exported(other) == exported(seeded)


def test_one_from_before_the_first_release_is_told_what_to_do(
    empty: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.backup"
    backup.write_backup(empty.database, file)
    monkeypatch.setattr(schema_version, "OLDEST", "9000")
    with pytest.raises(backup.BadBackup) as refused:
        backup.restore_backup(empty.database, file)
    assert refused.value.detail == (
        f"{file} was made at migration {schema_version.HEAD}, from before the first release; this"
        " program starts at 9000. Restore it with the program of commit a2c818d, run its"
        " `claimbase migrate`, and back it up again."
    )


def test_a_backup_is_consistent_while_others_write(
    seeded: Store, other: Store, tmp_path: Path
) -> None:
    stop = threading.Event()
    written: list[int] = []

    def keep_writing() -> None:
        while not stop.is_set():
            with changes.begin(seeded.database, actor="ada") as change:
                changes.put_claim(change, a_claim(f"claim-{len(written)}"))
            written.append(change.serial)

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        while len(written) < 3:
            stop.wait(0.01)
        files = [tmp_path / f"{number}.backup" for number in range(3)]
        headers = [backup.write_backup(seeded.database, file) for file in files]
    finally:
        stop.set()
        writer.join()
    assert written[-1] > headers[0]["serial"], "the writer went on"
    backup.restore_backup(other.database, files[-1])
    assert disagreements(other) == []
    found = content(other)
    assert (
        len(found["revision"])
        == headers[-1]["serial"]
        == SEEDED + len(found["claim"]) - SEEDED_CLAIMS
    )
