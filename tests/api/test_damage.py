"""Files that are damaged, and files that are empty: nothing more is written to them."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import DBAPIError

from api.main import create_app
from api.settings import Settings
from models.access import api_keys
from models.database import damage
from models.database.connections import Database, connect, file_url
from models.database.damage import Damaged
from models.transfer import backup
from models.write import changes
from tests.api.requests import bearer, problem
from tests.command_line import run, run_alone
from tests.databases import Store, Templates

BODY = {"name": "Emil", "role": "contributor"}


@pytest.fixture
def file(templates: Templates) -> Iterator[Path]:
    """Give the file of a seeded database, with nothing of it open."""
    url = templates.copy("sqlite", seeded=True)
    yield Path(str(make_url(url).database))
    templates.drop(url)


def overwrite(file: Path, *tables: str) -> None:
    """Overwrite the first page of each of these tables, as a failing disk would."""
    connection = sqlite3.connect(file)
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    pages = [
        connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name]).fetchone()
        for name in tables
    ]
    connection.close()
    with file.open("r+b") as content:
        for (page,) in pages:
            content.seek((page - 1) * size)
            content.write(b"\xa5" * size)


def admin_key(file: Path) -> dict[str, str]:
    database = connect(file_url(file))
    with database.write() as connection:
        request = api_keys.parse_key_request({"name": "Anna", "role": "admin"})
        _, plain = api_keys.create_key(connection, request)
    database.close()
    return bearer(plain)


def client_of(file: Path) -> TestClient:
    app = create_app(Settings(database_url=file_url(file)))
    return TestClient(app, raise_server_exceptions=False)


def require_damaged(answer: Any) -> None:
    assert answer.status_code == 503, answer.text
    assert problem(answer)["code"] == "damaged"
    assert int(answer.headers["retry-after"]) > 0
    for inside in ("sqlite", "malformed", "page", "Tree"):
        assert inside not in answer.text


def test_a_file_that_was_damaged_before_the_start_takes_no_write(file: Path) -> None:
    key = admin_key(file)
    overwrite(file, "evidence", "revision", "source_author")
    content = file.read_bytes()
    with client_of(file) as client:
        require_damaged(client.post("/v1/keys", json=BODY, headers=key))
        require_damaged(client.get("/readyz"))
        assert client.get("/healthz").status_code == 200
        # Lists say when the last change was made, which is among what is damaged.
        assert client.get("/v1/topics/ccsvi").status_code == 200, "what is whole is still served"
        require_damaged(client.get("/v1/changes"))
    assert file.read_bytes() == content


def test_damage_that_a_read_finds_ends_writing(file: Path) -> None:
    key = admin_key(file)
    with client_of(file) as client:
        assert client.get("/readyz").status_code == 200
        overwrite(file, "revision")
        require_damaged(client.get("/v1/changes"))
        require_damaged(client.post("/v1/keys", json=BODY, headers=key))
        told = problem(client.get("/readyz"))
        assert [error["parameter"] for error in told["errors"]] == ["damage"]


def test_what_is_no_database_at_all_is_damaged(file: Path) -> None:
    file.write_bytes(os.urandom(len(file.read_bytes())))
    with client_of(file) as client:
        for path in ("/readyz", "/v1/claims", "/v1/claims/ccsvi-causes-ms"):
            require_damaged(client.get(path))


@pytest.mark.parametrize("state", ["XX001", "XX002"])
def test_postgresql_tells_damage_when_it_reads_a_page(state: str, templates: Templates) -> None:
    url = templates.copy("postgresql", seeded=True)
    database = connect(url)
    with pytest.raises(DBAPIError), database.read() as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE 'bad page' USING ERRCODE = '{state}'; END $$"))
    require_refused(database)
    database.close()
    templates.drop(url)


def require_refused(database: Database) -> None:
    with pytest.raises(Damaged), changes.begin(database, actor="test"):
        pytest.fail("a write to a damaged database was begun")


def test_an_undamaged_database_stays_so_after_other_errors(seeded: Store) -> None:
    with pytest.raises(DBAPIError), seeded.database.read() as connection:
        connection.execute(text("SELECT no_such_column FROM claim"))
    assert seeded.database.damage.found is None
    with changes.begin(seeded.database, actor="test"):
        pass


def test_a_look_that_takes_too_long_ends_and_finds_no_damage(
    templates: Templates, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The whole look is one step of SQLite; pages that it did not come to are no damage."""
    stopped: list[bool] = []
    url = templates.filled("sqlite", 1000)
    database = connect(url)
    drivers: list[Any] = []
    event.listen(database.damage.prober, "connect", lambda driver, _: drivers.append(driver))

    class Late(threading.Timer):
        """The time is over while the statement runs, at its first step at the latest."""

        def start(self) -> None:
            def ask() -> int:
                if not stopped:
                    stopped.append(True)
                    self.function()
                return 0

            drivers[-1].set_progress_handler(ask, 1)

    monkeypatch.setattr(damage, "Timer", Late)
    database.damage.check()
    assert stopped
    assert database.damage.found is None
    assert "only a part of the file was looked at for damage" in caplog.text
    database.close()
    templates.drop(url)


def test_a_backup_of_a_damaged_file_is_refused(file: Path, tmp_path: Path) -> None:
    # Only an index is damaged, which a backup would not read.
    overwrite(file, "ix_evidence_source_claim")
    database = connect(file_url(file))
    with pytest.raises(Damaged):
        backup.write_backup(database, tmp_path / "a.backup")
    database.close()
    assert list(tmp_path.iterdir()) == []


def test_commands_say_that_a_file_is_damaged(file: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.backup"
    assert run("backup", str(whole), url=file_url(file)).returncode == 0
    overwrite(file, "evidence")
    for command in (["backup", str(tmp_path / "b")], ["restore", str(whole)], ["seed"]):
        done = run(*command, url=file_url(file))
        assert done.returncode == 1, command
        assert "damaged" in done.stderr or "malformed" in done.stderr, done.stderr


def test_a_start_does_not_fill_an_empty_file_where_that_is_forbidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMBASE_SEED_EMPTY", "false")
    empty = tmp_path / "a.db"
    empty.touch()
    done = run_alone("serve", "--port", "0", url=file_url(empty))
    assert done.returncode == 1
    assert "is empty, and CLAIMBASE_SEED_EMPTY is false" in done.stderr
    database = connect(file_url(empty))
    with database.read() as connection:
        tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
    database.close()
    assert tables == 0
