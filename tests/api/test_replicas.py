"""Reads from replicas: the nearest that is not behind answers, nobody goes back in time, and reads
go on whichever server dies.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from api.http import read_connection
from api.http.metrics import _servers
from api.main import create_app
from api.settings import Settings
from models.access import api_keys
from models.database import connections, hung_connections, replicas
from models.database.connections import Database, connect
from models.database.replicas import Server
from models.read.marks import read_at
from models.records.claim import TopicIn
from models.write import changes
from tests.api.requests import bearer, problem
from tests.databases import Templates
from tests.replication import Cluster, Postgres, replicating, wait_for

CLAIMS = "/v1/claims?limit=2"


@pytest.fixture(scope="module")
def cluster(templates: Templates) -> Iterator[Cluster]:
    with replicating(templates) as cluster:
        cluster.replica()
        yield cluster


@pytest.fixture
def primary(cluster: Cluster) -> Postgres:
    return cluster.primary


@pytest.fixture
def replica(cluster: Cluster) -> Iterator[Postgres]:
    """Give a replica that is level with the primary, before and after."""
    replica = cluster.servers[1]
    catch_up(cluster.primary, replica)
    yield replica
    replica.ask("SELECT pg_wal_replay_resume()")
    catch_up(cluster.primary, replica)


def serial_of(server: Postgres) -> int:
    """Return the serial that a server has reached."""
    return int(str(server.ask("SELECT value FROM serial")))


def catch_up(primary: Postgres, replica: Postgres) -> None:
    """Wait until a replica is level with its primary."""
    wait_for(lambda: serial_of(replica) == serial_of(primary), "the replica is level")


@contextmanager
def paused(replica: Postgres) -> Iterator[None]:
    """Let a replica fall behind meanwhile."""
    replica.ask("SELECT pg_wal_replay_pause()")
    wait_for(
        lambda: replica.ask("SELECT pg_get_wal_replay_pause_state()") == "paused", "it has paused"
    )
    try:
        yield
    finally:
        replica.ask("SELECT pg_wal_replay_resume()")


class Site:
    """An application on a primary and replicas, which notes which server each read asks."""

    def __init__(self, client: TestClient, database: Database) -> None:
        self.client = client
        self.database = database
        self.asked: list[str] = []
        assert database.replicas is not None
        self.replicas = database.replicas
        usual = database.note_serial

        def noting(server: Server | None, serial: int) -> None:
            assert server is not None
            self.asked.append(server.name)
            usual(server, serial)

        database.note_serial = noting  # type: ignore[method-assign]

    def get(self, path: str, **headers: str) -> Any:
        """Return the answer to a read, and forget whom earlier ones asked."""
        self.asked.clear()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(path, headers=sent)

    def write(self) -> int:
        """Record a change as another process would, and return its serial."""
        number = time.monotonic_ns()
        with changes.begin(self.database, actor="Anna") as change:
            topic = TopicIn(id=f"topic-{number}", label="A topic", definition="What it is about.")
            changes.put_topic(change, topic)
        return change.serial

    def wait_until_lost(self, name: str, *, is_lost: bool = True) -> None:
        """Wait until a server is known to be lost, or to be back."""
        (server,) = (each for each in self.replicas.servers if each.name == name)
        wait_for(lambda: server.is_lost == is_lost and server.round_trip is not None, name)

    def knows_all(self) -> bool:
        """Return whether all servers were asked how they are."""
        return all(server.round_trip is not None for server in self.replicas.servers)


@contextmanager
def serving(url: str, **settings: Any) -> Iterator[Site]:
    """Give an application that keeps no answers, so that each read asks a database."""
    app = create_app(Settings(database_url=url, **{"cache_mb": 0, **settings}))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Site(client, app.state.database)


@pytest.fixture
def site(primary: Postgres, replica: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    # A busy machine must not decide whether a replica is behind.
    monkeypatch.setattr(replicas, "BEHIND_SECONDS", 60.0)
    with serving(primary.url, read_database_url=replica.url) as site:
        assert site.get(CLAIMS).status_code == 200
        wait_for(site.knows_all, "all servers were asked")
        yield site


def shown(answer: Any) -> int:
    """Return the serial that an answer shows, which must be one."""
    assert answer.status_code in (200, 304), answer.text
    return int(answer.headers["x-serial"])


def test_reads_go_to_the_replica(site: Site, replica: Postgres) -> None:
    for path in (CLAIMS, "/v1/claims/ccsvi-causes-ms", "/v1/claims?q=stenosis", "/v1/changes"):
        assert shown(site.get(path)) == serial_of(replica)
        assert set(site.asked) == {replica.host}, path


def test_who_has_seen_a_change_is_shown_nothing_older(
    site: Site, primary: Postgres, replica: Postgres
) -> None:
    before = serial_of(replica)
    with paused(replica):
        serial = site.write()
        assert shown(site.get(CLAIMS)) == before
        for path in (CLAIMS, "/v1/claims/ccsvi-causes-ms", "/v1/export"):
            sign = "&" if "?" in path else "?"
            assert shown(site.get(f"{path}{sign}min_serial={serial}")) == serial, path
            assert site.asked == [replica.host, "primary"], path
        answer = site.get(CLAIMS, if_none_match=f'W/"s{serial}"')
        assert (answer.status_code, shown(answer)) == (304, serial)
        # The tag of a record that is newer than all that the replica has.
        assert shown(site.get("/v1/claims/ccsvi-causes-ms", if_none_match=f'"{serial}"')) == serial
        feed = site.get(f"/v1/changes?since={serial}")
        assert feed.json()["page"]["last"] == serial
    catch_up(primary, replica)
    assert shown(site.get(f"{CLAIMS}&min_serial={serial}")) == serial
    assert site.asked == [replica.host]


def test_a_key_is_asked_of_the_primary(site: Site, replica: Postgres) -> None:
    with paused(replica):
        with site.database.write() as connection:
            _, plain = api_keys.create_key(
                connection, api_keys.parse_key_request({"name": "Anna", "role": "admin"})
            )
        assert site.get("/v1/keys", authorization=f"Bearer {plain}").status_code == 200
        assert set(site.asked) == {"primary"}


def test_a_replica_that_is_behind_is_left_alone(
    site: Site, replica: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with paused(replica):
        serial = site.write()
        monkeypatch.setattr(replicas, "BEHIND_SECONDS", 1.5 * replicas.PROBE_SECONDS)
        wait_for(lambda: shown(site.get(CLAIMS)) == serial, "the primary answers")
        assert site.asked == ["primary"]
    monkeypatch.setattr(replicas, "BEHIND_SECONDS", 60.0)
    wait_for(lambda: bool(site.get(CLAIMS)) and site.asked == [replica.host], "it is used again")


def test_a_replica_that_dies_refuses_nobody(site: Site, replica: Postgres) -> None:
    replica.kill()
    began = time.monotonic()
    try:
        for _ in range(20):
            assert site.get(CLAIMS).status_code == 200
        assert site.get("/readyz").status_code == 200
        assert time.monotonic() - began < 20
        site.wait_until_lost(replica.host)
        assert site.get(CLAIMS).status_code == 200
        assert site.asked == ["primary"]
    finally:
        replica.start()
    wait_for(lambda: bool(site.get(CLAIMS)) and site.asked == [replica.host], "it is used again")


def test_a_replica_that_hangs_refuses_nobody(
    site: Site, replica: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PING_SECONDS", 0.2)
    monkeypatch.setattr(hung_connections, "CHECK_SECONDS", 0.05)
    replica.send(signal.SIGSTOP)
    try:
        for _ in range(5):
            assert site.get(CLAIMS).status_code == 200
        assert site.asked == ["primary"]
    finally:
        replica.send(signal.SIGCONT)
    site.wait_until_lost(replica.host, is_lost=False)


def test_without_the_primary_reads_go_on_and_nobody_goes_back(
    site: Site, primary: Postgres, replica: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_connection, "BEHIND_SECONDS", 0.2)
    with paused(replica):
        serial = site.write()
        primary.kill()
        try:
            assert shown(site.get(CLAIMS)) == serial - 1
            assert site.get("/readyz").status_code == 200
            for asked in (
                site.get(f"{CLAIMS}&min_serial={serial}"),
                site.get(CLAIMS, if_none_match=f'W/"s{serial}"'),
            ):
                told = problem(asked)
                assert (told["status"], told["code"]) == (503, "behind")
                assert f"The newest change here is {serial - 1}" in told["detail"]
                assert int(asked.headers["retry-after"]) > 0
            # A read with a key goes on, too, as far as keys are known there.
            assert site.get(CLAIMS, authorization="Bearer x").status_code == 401
            answer = site.client.post("/v1/keys", json={}, headers=bearer("x"))
            assert answer.status_code == 401
        finally:
            primary.start()
    site.wait_until_lost("primary", is_lost=False)
    catch_up(primary, replica)
    assert shown(site.get(f"{CLAIMS}&min_serial={serial}")) == serial


def test_a_serial_that_nobody_has_is_waited_for_shortly(
    site: Site, primary: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_connection, "BEHIND_SECONDS", 0.2)
    serial = serial_of(primary)
    asked = site.get(f"{CLAIMS}&min_serial={serial + 1}")
    assert problem(asked)["code"] == "behind"
    # A tag may be of a database that was replaced by an older one: the primary is believed.
    assert shown(site.get(CLAIMS, if_none_match=f'W/"s{serial + 1}"')) == serial


def test_what_a_late_replica_answers_is_not_kept(
    primary: Postgres, replica: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "BEHIND_SECONDS", 60.0)
    with serving(primary.url, read_database_url=replica.url, cache_mb=8) as site:
        assert site.get(CLAIMS).status_code == 200
        wait_for(site.knows_all, "all servers were asked")
        with paused(replica):
            serial = site.write()
            assert shown(site.get(CLAIMS)) == serial - 1
            # Some server has been seen to be further, so that this answer is old.
            assert shown(site.get(f"{CLAIMS}&min_serial={serial}")) == serial
            wait_for(lambda: site.replicas.newest == serial, "it is known")
            for _ in range(3):
                assert shown(site.get(f"{CLAIMS}&min_serial={serial}")) == serial
            assert shown(site.get(CLAIMS)) in (serial - 1, serial)
        catch_up(primary, replica)
        wait_for(lambda: shown(site.get(CLAIMS)) == serial, "the replica is level")
        # Now it is kept, and for a client that has seen more it is not.
        assert shown(site.get(CLAIMS)) == serial
        assert site.asked == []
        assert shown(site.get(f"{CLAIMS}&min_serial={serial}")) == serial
        assert site.asked == []
        with paused(replica):
            assert shown(site.get(f"{CLAIMS}&min_serial={site.write()}")) == serial + 1


@pytest.mark.parametrize(
    ("address", "told"),
    [(None, "Send it to the server of the primary"), ("https://write.example", "https://write.ex")],
)
def test_a_standby_answers_a_write_with_where_to_write(
    replica: Postgres, primary: Postgres, address: str | None, told: str
) -> None:
    database = connect(primary.url)
    with database.write() as connection:
        _, plain = api_keys.create_key(
            connection, api_keys.parse_key_request({"name": "Eva", "role": "admin"})
        )
    database.close()
    keys = primary.ask("SELECT count(*) FROM api_key")
    wait_for(lambda: replica.ask("SELECT count(*) FROM api_key") == keys, "the key is there")
    app = create_app(Settings(database_url=replica.url, write_url=address))
    with TestClient(app, raise_server_exceptions=False, headers=bearer(plain)) as client:
        for _ in range(2):
            answer = client.post("/v1/keys", json={"name": "Anna", "role": "curator"})
            refused = problem(answer)
            assert (refused["status"], refused["code"]) == (503, "read_only")
            assert told in refused["detail"]
            assert answer.headers["retry-after"]
        assert client.get(CLAIMS).status_code == 200
        assert client.get("/readyz").status_code == 200
        # It cannot know whether its primary is further.
        behind = client.get(f"{CLAIMS}&min_serial={10**6}")
        assert problem(behind)["code"] == "behind"


def test_a_writer_is_connected_anew_where_its_server_became_a_standby(
    primary: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = connect(primary.url)
    with database.write() as connection:
        first = connection.connection.driver_connection
    states = iter([True, False])
    monkeypatch.setattr(connections, "_is_standby", lambda _driver: next(states))
    with database.write() as connection:
        assert connection.connection.driver_connection is not first
    states = iter([True, True])
    with pytest.raises(connections.ReadOnly), database.write():
        pass
    database.close()


def test_a_server_that_turns_out_to_be_a_standby_is_told(
    replica: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As where a pooler keeps the connection while the server behind it becomes another one.
    monkeypatch.setattr(connections, "_is_standby", lambda _driver: False)
    database = connect(replica.url)
    for _ in range(2):
        with pytest.raises(connections.ReadOnly), changes.begin(database, actor="Anna"):
            pass
    database.close()


def test_a_read_that_the_replay_ends_begins_anew_elsewhere(
    site: Site, primary: Postgres, replica: Postgres
) -> None:
    for statement in (
        "CREATE TABLE IF NOT EXISTS scratch (number int)",
        "INSERT INTO scratch SELECT generate_series(1, 1000)",
    ):
        primary.ask(statement)
    replica.ask("ALTER SYSTEM SET max_standby_streaming_delay = 0")
    replica.ask("SELECT pg_reload_conf()")
    wait_for(
        lambda: (
            replica.ask("SELECT count(*) FROM scratch")
            == primary.ask("SELECT count(*) FROM scratch")
        ),
        "the replica is level",
    )
    begun: list[bool] = []

    def work(connection: Connection) -> object:
        counted = connection.scalar(text("SELECT count(*) FROM scratch"))
        begun.append(bool(connection.scalar(text("SELECT pg_is_in_recovery()"))))
        if len(begun) == 1:
            primary.ask("DELETE FROM scratch")
            primary.ask("VACUUM scratch")
            wait_for(lambda: replica.ask("SELECT count(*) FROM scratch") == 0, "it is replayed")
            connection.scalar(text("SELECT count(*) FROM scratch"))
        return counted

    site.asked.clear()
    assert read_at(site.database, site.database.read, work) == 0
    assert begun == [True, False]
    assert site.asked == [replica.host, "primary"]
    replica.ask("ALTER SYSTEM RESET max_standby_streaming_delay")
    replica.ask("SELECT pg_reload_conf()")
    primary.ask("DROP TABLE scratch")


def test_a_list_as_a_file_is_read_on_the_replica(site: Site, replica: Postgres) -> None:
    for path in ("/v1/sources?format=bibtex", "/v1/claims?format=csv"):
        assert shown(site.get(path)) == serial_of(replica)
        assert set(site.asked) == {replica.host}, path


def test_what_is_known_of_the_servers_is_counted(primary: Postgres, replica: Postgres) -> None:
    with serving(primary.url, read_database_url=replica.url, metrics_port=0) as site:
        assert site.get(CLAIMS).status_code == 200
        wait_for(site.knows_all, "all servers were asked")
        app: Any = site.client.app
        assert _servers(app) == {"answering": 2, "behind": 0, "lost": 0}


def test_a_replica_that_is_promoted_takes_the_writes(cluster: Cluster) -> None:
    """The primary is one of several hosts; nobody tells the application that it died."""
    primary, second = cluster.primary, cluster.replica()
    catch_up(primary, second)
    url = f"postgresql://postgres@{primary.host},{second.host}/postgres"
    with serving(url) as site:
        serial = site.write()
        catch_up(primary, second)
        assert shown(site.get(f"{CLAIMS}&min_serial={serial}")) == serial
        assert site.asked == ["primary"]
        primary.kill()
        try:
            for _ in range(5):
                assert shown(site.get(f"{CLAIMS}&min_serial={serial}")) == serial
            with pytest.raises((connections.ReadOnly, DBAPIError)):
                site.write()
            assert second.ask("SELECT pg_promote()") is True
            assert site.write() == serial + 1
            site.wait_until_lost("primary", is_lost=False)
            assert shown(site.get(f"{CLAIMS}&min_serial={serial + 1}")) == serial + 1
        finally:
            second.kill()
            primary.start()
