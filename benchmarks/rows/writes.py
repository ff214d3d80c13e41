"""Row 12: one line of evidence, durable when the answer comes."""

import http.client
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks import asks, load, machine, servers
from benchmarks.bench import Bench, Contenders, medians
from benchmarks.figures import STORES, Figure, at_most, ratios
from benchmarks.load import LoadFailed, LocalLoad
from benchmarks.servers import PROGRAM
from models.database.connections import file_url

KEY = "posted"
EVIDENCE = {
    "source": "source-0",
    "direction": "supports",
    "level": "2",
    "question": "treatment_benefit",
    "study_design": "randomised_trial",
    "sample_size": 120,
    "finding": "The treated did better than the others after a year, in all that was measured.",
    "independence_group": "posted",
}
Execute = Callable[..., Any]


@dataclass(frozen=True)
class Driver:
    """A database without us: how it is opened, how its SQL marks a value, how a transaction begins
    and reads the last serial so that nobody else takes the next one."""

    open: Callable[[str], Any]
    mark: str
    begin: str
    last_serial: str


def open_sqlite(url: str) -> sqlite3.Connection:
    """Return a connection of the driver alone, as durable as ours."""
    connection = sqlite3.connect(str(make_url(url).database), isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def open_postgres(url: str) -> psycopg.Connection:
    """Return a connection of the driver alone."""
    return psycopg.connect(url, autocommit=True)


SERIAL = "SELECT value FROM serial"
DRIVERS = {
    "SQLite": Driver(open_sqlite, "?", "BEGIN IMMEDIATE", SERIAL),
    "PostgreSQL": Driver(open_postgres, "%s", "BEGIN", f"{SERIAL} FOR UPDATE"),
}


def one_line(bench: Bench) -> None:
    """Post evidence one after the other, and store the same rows by SQL alone, both on copies."""
    bench.stop_all()
    file = bench.scratch / "written.db"
    shutil.copyfile(bench.stores.file, file)
    postgres_copy = bench.postgres.copy(bench.stores.postgres_url)
    urls = {"SQLite": file_url(file), "PostgreSQL": postgres_copy}
    for store in STORES:
        _compare_writes(bench, store, urls[store])


def _compare_writes(bench: Bench, store: str, url: str) -> None:
    claims = [asks.slug_of(path) for path in asks.claims(bench.stores, "")]
    key = create_key(url)
    driver = DRIVERS[store]
    with (
        servers.claimbase(url) as server,
        closing(load.connect(server.base)) as client,
        closing(driver.open(url)) as connection,
    ):
        post = posting(client, key, claims)
        # The rows of this one are what is stored by SQL alone.
        post(0)
        store_bare = storing(connection.execute, driver, claims)
        contenders: Contenders = {
            store: LocalLoad(post, machine.LOAD_CPU, position=1),
            f"{store}, bare": LocalLoad(store_bare, machine.SERVER_CPU),
        }
        loads = bench.compare(f"12 one line posted, {store}", contenders)
    values = ratios(medians(loads[store]), medians(loads[f"{store}, bare"]))
    bound = at_most(2.5) if store == "SQLite" else None
    bench.add(Figure(12, "one line of evidence posted: bare SQL, p50", store, "×", values, bound))


def create_key(url: str) -> str:
    """Return the API key of a new contributor."""
    options = ["--name", "bench", "--role", "contributor", "--database-url", url]
    command = [PROGRAM, "keys", "create", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def posting(
    connection: http.client.HTTPConnection, key: str, claims: list[str]
) -> Callable[[int], None]:
    """Return a function that posts evidence to one claim after another, on one connection."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def post(position: int) -> None:
        path = f"/v1/claims/{claims[position % len(claims)]}/evidence"
        body = json.dumps({"key": f"{KEY}-{position}", **EVIDENCE})
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.client.CREATED:
            raise LoadFailed(f"POST: {answer.status} {content[:500]!r}")

    return post


def storing(execute: Execute, driver: Driver, claims: list[str]) -> Callable[[int], None]:
    """Return a function that stores rows like those of the posted evidence and its revision."""
    evidence = _row(execute, driver, "evidence", "key", f"{KEY}-0")
    record = f"evidence/{claims[0]}:{KEY}-0"
    revision = _row(execute, driver, "revision", "record", record)
    insert_evidence = _insert("evidence", evidence, driver.mark)
    insert_revision = _insert("revision", revision, driver.mark)
    update_serial = f"UPDATE serial SET value = {driver.mark}"  # noqa: S608

    def store(position: int) -> None:
        claim = claims[position % len(claims)]
        key = f"bare-{position}"
        execute(driver.begin)
        (last,) = execute(driver.last_serial).fetchone()
        serial = last + 1
        row = evidence | {"claim": claim, "key": key}
        execute(insert_evidence, tuple(row.values()))
        record = f"evidence/{claim}:{key}"
        own = {"record": record, "root": claim, "claim": claim}
        row = revision | own | {"serial": serial, "change": serial}
        execute(insert_revision, tuple(row.values()))
        execute(update_serial, (serial,))
        execute("COMMIT")

    return store


def _row(execute: Execute, driver: Driver, table: str, column: str, value: str) -> dict[str, Any]:
    """Return a stored row by the names of its columns, in a form that can be inserted."""
    statement = f"SELECT * FROM {table} WHERE {column} = {driver.mark}"  # noqa: S608
    cursor = execute(statement, (value,))
    names = [column[0] for column in cursor.description]
    row = dict(zip(names, cursor.fetchone(), strict=True))
    for name, content in row.items():
        if isinstance(content, dict):
            row[name] = json.dumps(content)
    return row


def _insert(table: str, row: dict[str, Any], mark: str) -> str:
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join([mark] * len(row))
    return f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
