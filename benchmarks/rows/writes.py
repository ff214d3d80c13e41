"""Row 12: one line of evidence, durable when it is answered."""

import http.client
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks import asks, machine, servers
from benchmarks.bench import Bench, Driven, medians
from benchmarks.figures import STORES, Figure, at_most, ratios
from benchmarks.load import LoadFailed, Local
from benchmarks.servers import PROGRAM
from models.database.connections import file_url

KEY = "posted"
Execute = Callable[..., Any]


def one_line(bench: Bench) -> None:
    """Post lines one after the other, and store the same rows by SQL alone; on copies of the stores."""
    bench.stop_all()
    copy = bench.scratch / "written.db"
    shutil.copyfile(bench.stores.file, copy)
    urls = {"SQLite": file_url(copy), "PostgreSQL": bench.postgres.copy(bench.stores.postgres_url)}
    claims = [asks.slug_of(path) for path in asks.claims(bench.stores, "")]
    for store in STORES:
        key = made_key(urls[store])
        with (
            servers.claimbase(urls[store]) as server,
            closing(
                http.client.HTTPConnection(server.base.removeprefix("http://"), timeout=60)
            ) as client,
            closing(OPENED[store](urls[store])) as driver,
        ):
            post = posting(client, key, claims)
            post(0)
            bare = storing(driver.execute, *WORDS[store], claims)
            contenders: Driven = {
                f"{store}": Local(post, machine.LOAD_CPU, place=1),
                f"{store}, bare": Local(bare, machine.SERVER_CPU),
            }
            driven = bench.compare(f"12 one line posted, {store}", contenders)
        values = ratios(medians(driven[store]), medians(driven[f"{store}, bare"]))
        must = at_most(3) if store == "SQLite" else None
        bench.add(
            Figure(12, "one line of evidence posted: bare SQL, p50", store, "×", values, must)
        )


def made_key(url: str) -> str:
    """Return a key of somebody who may propose."""
    command = [
        PROGRAM,
        "keys",
        "create",
        "--name",
        "bench",
        "--role",
        "contributor",
        "--database-url",
        url,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def posting(
    connection: http.client.HTTPConnection, key: str, claims: list[str]
) -> Callable[[int], None]:
    """Return what posts a line to one claim after another, on one connection that stays open."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def post(place: int) -> None:
        line = {
            "key": f"{KEY}-{place}",
            "source": "source-0",
            "direction": "supports",
            "level": "2",
            "question": "treatment_benefit",
            "study_design": "randomised_trial",
            "sample_size": 120,
            "finding": "The treated did better than the others after a year, in all that was measured.",
            "independence_group": "posted",
        }
        connection.request(
            "POST", f"/v1/claims/{claims[place % len(claims)]}/evidence", json.dumps(line), headers
        )
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != http.client.CREATED:
            raise LoadFailed(f"POST: {answer.status} {content[:500]!r}")

    return post


def sqlite(url: str) -> sqlite3.Connection:
    """Return a connection of the driver alone, as durable as ours."""
    connection = sqlite3.connect(str(make_url(url).database), isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


OPENED: dict[str, Callable[[str], Any]] = {
    "SQLite": sqlite,
    "PostgreSQL": lambda url: psycopg.connect(url, autocommit=True),
}
# How a value is marked, how a transaction begins, how the last serial is read so that nobody else takes the next one.
WORDS = {
    "SQLite": ("?", "BEGIN IMMEDIATE", "SELECT value FROM serial"),
    "PostgreSQL": ("%s", "BEGIN", "SELECT value FROM serial FOR UPDATE"),
}


def storing(
    execute: Execute, mark: str, begin: str, last: str, claims: list[str]
) -> Callable[[int], None]:
    """Return what stores a line of evidence and its revision under the next serial, like the ones that were posted."""
    line, line_insert = _like(execute, "evidence", "key", f"{KEY}-0", mark)
    revision, revision_insert = _like(
        execute, "revision", "record", f"evidence/{claims[0]}:{KEY}-0", mark
    )

    def store(place: int) -> None:
        claim, key = claims[place % len(claims)], f"bare-{place}"
        execute(begin)
        (serial,) = execute(last).fetchone()
        execute(line_insert, tuple((line | {"claim": claim, "key": key}).values()))
        named = {
            "record": f"evidence/{claim}:{key}",
            "claim": claim,
            "serial": serial + 1,
            "change": serial + 1,
        }
        execute(revision_insert, tuple((revision | named).values()))
        execute(f"UPDATE serial SET value = {mark}", (serial + 1,))  # noqa: S608
        execute("COMMIT")

    return store


def _like(
    execute: Execute, table: str, column: str, value: str, mark: str
) -> tuple[dict[str, Any], str]:
    """Return a stored row, and the statement that inserts another one."""
    found = execute(f"SELECT * FROM {table} WHERE {column} = {mark}", (value,))  # noqa: S608
    names = [each[0] for each in found.description]
    row = {
        name: json.dumps(each) if isinstance(each, dict) else each
        for name, each in zip(names, found.fetchone(), strict=True)
    }
    quoted = ", ".join(f'"{name}"' for name in names)
    return row, f"INSERT INTO {table} ({quoted}) VALUES ({', '.join([mark] * len(names))})"  # noqa: S608
