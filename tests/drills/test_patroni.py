"""The leader of a PostgreSQL under Patroni is killed again and again while others write and read:
no acknowledged write is lost, no read is refused, and the feed has no gap.

All of it comes from packages: etcd and HAProxy from Debian (`make test-slow`), Patroni from
PyPI (requirements.txt beside this file), PostgreSQL from the wheel of the development dependencies.
"""

import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
import yaml

from api.settings import ROOT
from models import migrations
from models.database.connections import connect
from models.transfer.seed import seed
from tests.databases import quick_folder
from tests.drills.ledger import Ledger, propose
from tests.drills.serving import Client, Server, people, serving, tell
from tests.replication import HOST, USER, account, free_port, programs

KILLS = 10
NAMES = ("n1", "n2", "n3")
WRITERS, READERS = 2, 2
# What the documentation promises.
WRITES_BACK_SECONDS = 25.0
PATIENCE = 180.0
PACKAGES = ROOT / "tests" / "drills" / "requirements.txt"
# Where Debian has HAProxy.
PATHS = f"{os.environ['PATH']}:/usr/sbin"
PYTHONS = (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3")
# As docs/scaling.md has them.
DCS = {
    "ttl": 20,
    "loop_wait": 5,
    "retry_timeout": 5,
    "synchronous_mode": True,
    "maximum_lag_on_failover": 1_048_576,
    "postgresql": {"use_pg_rewind": True, "parameters": {"shared_buffers": "16MB"}},
}
HAPROXY = """
global
    maxconn 400
defaults
    mode tcp
    timeout connect 2s
    timeout client 30m
    timeout server 30m
listen primary
    bind {host}:{port}
    option httpchk OPTIONS /primary
    http-check expect status 200
    default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
{servers}
"""


def patiently(reached: Callable[[], bool], what: str) -> None:
    """Wait until something is so; a cluster takes its time for it."""
    until = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < until, f"not within {PATIENCE:.0f} seconds: {what}"
        time.sleep(0.1)


def python_of_account() -> str:
    """Return a Python that the account of PostgreSQL may run, which root's own may not be."""
    for python in PYTHONS:
        with suppress(OSError):
            command = [python, "-c", "import ssl"]
            done = subprocess.run(
                command, user=account(), capture_output=True, check=False, cwd="/"
            )
            if not done.returncode:
                return python
    pytest.skip("no Python here may be run by the account that PostgreSQL runs under")


def install(folder: Path, python: str) -> None:
    """Install Patroni for a Python into a folder; skip where no registry answers."""
    command = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    command += ["--require-hashes", "--target", str(folder), "-r", str(PACKAGES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        pytest.skip(f"Patroni cannot be installed: {done.stderr.strip()[-300:]}")
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


@dataclass
class Node:
    """A PostgreSQL with its Patroni."""

    name: str
    folder: Path
    port: int = field(default_factory=free_port)
    rest: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def configuration(self, etcd: int) -> dict[str, Any]:
        """Return the configuration of its Patroni."""
        listen = f"{HOST}:{self.port}"
        trusted = [f"host {what} all {HOST}/32 trust" for what in ("all", "replication")]
        return {
            "scope": "claimbase",
            "name": self.name,
            "restapi": {"listen": f"{HOST}:{self.rest}", "connect_address": f"{HOST}:{self.rest}"},
            "etcd3": {"hosts": f"{HOST}:{etcd}"},
            "bootstrap": {"dcs": DCS, "initdb": [{"encoding": "UTF8"}]},
            "postgresql": {
                "listen": listen,
                "connect_address": listen,
                "data_dir": str(self.folder / self.name),
                "bin_dir": str(programs()),
                "pgpass": str(self.folder / f"{self.name}.pgpass"),
                "pg_hba": trusted,
                "authentication": {
                    "superuser": {"username": USER},
                    "replication": {"username": "replicator"},
                },
                "parameters": {"unix_socket_directories": ""},
                "remove_data_directory_on_rewind_failure": True,
            },
        }

    def kill(self) -> None:
        """Kill Patroni and PostgreSQL at once, as the end of the machine would."""
        if self.process is not None:
            family = [psutil.Process(self.process.pid)]
            family += family[0].children(recursive=True)
            # PostgreSQL outlives the Patroni that started it, and is in another group.
            family += [each for each in psutil.process_iter() if self._is_own(each)]
            for each in family:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            self.process.wait(timeout=20)
            self.process = None

    def _is_own(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            return str(self.folder / self.name) in process.cmdline()
        return False


@dataclass
class Cluster:
    """Three nodes, the store of who leads, and the proxy that leads to the leader."""

    folder: Path
    python: str
    packages: Path
    etcd: int = field(default_factory=free_port)
    proxy: int = field(default_factory=free_port)
    nodes: Sequence[Node] = ()

    @property
    def url(self) -> str:
        """Return the URL that leads to the leader."""
        return f"postgresql://{USER}@{HOST}:{self.proxy}/postgres"

    @property
    def read_url(self) -> str:
        """Return the URL that names all nodes."""
        hosts = ",".join(f"{HOST}:{node.port}" for node in self.nodes)
        return f"postgresql://{USER}@{hosts}/postgres"

    def start(self, node: Node) -> None:
        """Start the Patroni of a node, as a supervisor would after it ended."""
        path = self.folder / f"{node.name}.yaml"
        path.write_text(yaml.safe_dump(node.configuration(self.etcd)), "utf-8")
        environment = {"PYTHONPATH": str(self.packages), "PATH": os.environ["PATH"], "LANG": "C"}
        with (self.folder / f"{node.name}.log").open("ab") as log:
            node.process = subprocess.Popen(
                [self.python, "-m", "patroni", str(path)],
                user=account(),
                env=environment,
                stdout=log,
                stderr=log,
                cwd="/",
            )

    def members(self) -> dict[str, str]:
        """Return the role of each member that runs, as any node tells it."""
        for node in self.nodes:
            with suppress(OSError, ValueError):
                address = f"http://{HOST}:{node.rest}/cluster"
                with urllib.request.urlopen(address, timeout=2) as answer:
                    told = json.load(answer)["members"]
                return {
                    each["name"]: each["role"]
                    for each in told
                    if each.get("state") in ("running", "streaming")
                }
        return {}

    def is_whole(self) -> bool:
        """Return whether one node leads and the others follow, one of them in step with it."""
        return sorted(self.members().values()) == ["leader", "replica", "sync_standby"]

    def leader(self) -> Node | None:
        """Return the node that leads, or None while none does."""
        leaders = [name for name, role in self.members().items() if role == "leader"]
        return next((node for node in self.nodes if node.name in leaders), None)


@contextmanager
def child(command: Sequence[str], log: Path) -> Iterator[None]:
    """Run a program meanwhile."""
    with log.open("wb") as written:
        process = subprocess.Popen(command, stdout=written, stderr=written, cwd="/")
    try:
        yield
    finally:
        process.kill()
        process.wait(timeout=20)


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Give a cluster that is whole."""
    found = {name: shutil.which(name, path=PATHS) for name in ("etcd", "haproxy")}
    for name, place in found.items():
        if place is None:
            pytest.skip(f"{name} is not installed; make test-slow does it")
    python = python_of_account()
    cluster = Cluster(folder, python, folder / "packages")
    install(cluster.packages, python)
    if user := account():
        shutil.chown(folder, user)
    folder.chmod(0o755)
    cluster.nodes = [Node(name, folder) for name in NAMES]
    peer = f"http://{HOST}:{free_port()}"
    client = f"http://{HOST}:{cluster.etcd}"
    etcd = [
        str(found["etcd"]),
        "--data-dir",
        str(folder / "etcd"),
        "--initial-cluster",
        f"default={peer}",
    ]
    etcd += ["--listen-client-urls", client, "--advertise-client-urls", client]
    etcd += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
    servers = "\n".join(
        f"    server {each.name} {HOST}:{each.port} check port {each.rest}"
        for each in cluster.nodes
    )
    path = folder / "haproxy.cfg"
    path.write_text(HAPROXY.format(host=HOST, port=cluster.proxy, servers=servers), "utf-8")
    with ExitStack() as stack:
        stack.enter_context(child(etcd, folder / "etcd.log"))
        stack.enter_context(
            child([str(found["haproxy"]), "-db", "-f", str(path)], folder / "haproxy.log")
        )
        for node in cluster.nodes:
            stack.callback(node.kill)
            cluster.start(node)
        patiently(cluster.is_whole, "the cluster is whole")
        yield cluster


@dataclass
class Load:
    """What those who write and read meanwhile have seen."""

    ledger: Ledger = field(default_factory=Ledger)
    done: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)
    # When each write was acknowledged.
    written: list[float] = field(default_factory=list)
    reads: Counter[int] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    slowest: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, work: Callable[[], None]) -> None:
        """Repeat a piece of work until all is done, and keep what goes wrong."""
        try:
            while not self.done.is_set():
                work()
        except BaseException as error:
            self.errors.append(error)

    def get(self, session: "Session", path: str, **headers: str) -> Any:
        """Return the body of a read; count what it came to."""
        began = time.monotonic()
        status, body = session.get(path, **headers)
        took = time.monotonic() - began
        with self.lock:
            self.reads[status] += 1
            self.slowest = max(self.slowest, took)
            if status not in (200, 304):
                self.refused.append(f"{path}: {status} {body}")
        return body


class Session:
    """A client that never accepts to go back in time."""

    def __init__(self, server: Server, plain: str | None = None) -> None:
        self.connection = http.client.HTTPConnection(HOST, server.port, timeout=60)
        # It is closed with the server.
        server.connections.append(self.connection)
        self.plain = plain
        self.serial = 0

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Return the status and the body of an answer. Raises AssertionError if it goes back."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.plain is not None:
            sent["Authorization"] = f"Bearer {self.plain}"
        self.connection.request("GET", path, headers=sent)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status in (200, 304):
            serial = int(answer.headers["x-serial"])
            assert serial >= self.serial, f"{path} went back from {self.serial} to {serial}"
            self.serial = serial
        return answer.status, json.loads(content) if content else None


def writer(load: Load, client: Client, session: Session, name: str) -> Callable[[], None]:
    """Return work that proposes a claim, and reads it back by the serial of the answer."""
    numbers = iter(range(10**9))

    def work() -> None:
        key = f"{name}-{next(numbers)}"
        answer = propose(client, load.ledger, key)
        load.written.append(time.monotonic())
        session.serial = max(record["serial"] for record in answer.body["data"])
        path = f"/v1/records/claim/{key}?min_serial={session.serial}"
        found = load.get(session, path)
        assert found["id"] == key, found
        time.sleep(0.05)

    return work


def reader(load: Load, session: Session, *, by_tag: bool) -> Callable[[], None]:
    """Return work that reads lists and records, and says what it has seen in one of two ways."""

    def work() -> None:
        for path in ("/v1/claims?limit=5", "/v1/claims/ccsvi-causes-ms", "/v1/sources?limit=3"):
            if by_tag:
                load.get(session, path, If_None_Match=f'W/"s{session.serial}"')
            else:
                sign = "&" if "?" in path else "?"
                load.get(session, f"{path}{sign}min_serial={session.serial}")
            time.sleep(0.02)

    return work


def follower(load: Load, session: Session) -> Callable[[], None]:
    """Return work that follows the feed."""

    def work() -> None:
        seen = load.ledger.seen
        since = seen[-1]["serial"] if seen else 0
        body = load.get(session, f"/v1/changes?since={since}&limit=200")
        seen += body["data"] if body else []
        time.sleep(0.05)

    return work


def kill_the_leader(cluster: Cluster, load: Load) -> float:
    """Kill the leader, wait until another one takes writes, and return after how many seconds it
    did; then let the killed one come back.
    """
    count = len(load.written)
    patiently(lambda: len(load.written) > count + 20 or bool(load.errors), "writes go on")
    old = cluster.leader()
    assert old is not None
    killed = time.monotonic()
    old.kill()
    patiently(lambda: cluster.leader() not in (None, old), "another one leads")
    late = len(load.written)
    patiently(lambda: len(load.written) > late + 5 or bool(load.errors), "writes are back")
    times = [killed, *(each for each in load.written if each > killed)]
    pause = max(range(1, len(times)), key=lambda number: times[number] - times[number - 1])
    cluster.start(old)
    patiently(cluster.is_whole, "the cluster is whole again")
    return times[pause] - killed


@pytest.mark.slow
@pytest.mark.parametrize("kills", [KILLS])
def test_a_leader_that_is_killed_costs_no_write_and_no_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    folder = quick_folder()
    monkeypatch.setenv("CLAIMBASE_READ_SECONDS", "5")
    load = Load()
    try:
        with running_cluster(folder) as cluster, ExitStack() as stack:
            database = connect(cluster.url)
            stack.callback(database.close)
            migrations.migrate(database)
            seed(database, ROOT / "seed_data")
            plain = people(database, WRITERS, "contributor")
            monkeypatch.setenv("CLAIMBASE_READ_DATABASE_URL", cluster.read_url)
            servers = [stack.enter_context(serving(cluster.url, tmp_path)) for _ in range(2)]
            works = [
                writer(load, server.client(plain[n]), Session(server, plain[n]), f"w{n}")
                for n, server in enumerate(servers)
            ]
            works += [
                reader(load, Session(server), by_tag=bool(number % 2))
                for server in servers
                for number in range(READERS)
            ]
            follow = follower(load, Session(servers[1]))
            works.append(follow)
            threads = [threading.Thread(target=load.run, args=(work,)) for work in works]
            for thread in threads:
                thread.start()
            stack.callback(load.done.set)
            back = []
            for number in range(kills):
                back.append(kill_the_leader(cluster, load))
                assert load.errors == []
                tell(f"kill {number + 1}: writes were back after {back[-1]:.1f} s")
            load.done.set()
            for thread in threads:
                thread.join()
            assert load.errors == []
            last = max(load.ledger.promised)
            while load.ledger.seen[-1]["serial"] < last:
                follow()
            load.ledger.must_hold(database)
        tell(
            f"{kills} kills: writes back after {statistics.median(back):.1f} s in the middle,"
            f" {max(back):.1f} s at most; {len(load.ledger.promised)} records acknowledged, none"
            f" lost; {sum(load.reads.values())} reads, {len(load.refused)} refused, the slowest"
            f" {load.slowest:.1f} s; {len(load.ledger.seen)} changes followed without a gap;"
            f" answers to writes {dict(load.ledger.statuses)}"
        )
        assert load.refused == []
        assert max(back) < WRITES_BACK_SECONDS
    finally:
        shutil.rmtree(folder, ignore_errors=True)
