"""A drill on a real Citus cluster: `python -m tests.drills.citus URL`.

Into the empty database at URL it migrates, distributes the tables, seeds, and loads made-up claims.
It does the same on a plain PostgreSQL of its own, and then holds the cluster to what that answers:
all reads and writes of the API, 72 writes at once through two servers, what readers see while
somebody writes, how many shards the statements ask, and `claimbase check`. It prints a table, and
ends with 1 where anything differs, with 2 where there is no Citus or the database is not empty.

`--plain` leaves the distribution out, so that the drill itself is tried where there is no Citus.
"""

import argparse
import atexit
import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.settings import ROOT
from benchmarks import data
from models import migrations
from models.database import schema_version
from models.database.connections import Database, connect
from models.migrations.distribution import NoCitus
from models.projection.integrity_check import check
from models.transfer import jsonl_reader, load
from models.transfer.line_records import Problem
from models.transfer.seed import seed
from tests.api.curating import CLAIM, LINE, Desk, at_desk
from tests.api.examples import BODIES, EXAMPLES
from tests.api.test_openapi import any_document
from tests.api.test_reads import parts_of, questions
from tests.api.test_shards import READS
from tests.api.write_examples import WRITES, path_of, send, shown
from tests.crossing import verdicts
from tests.databases import Store, Templates
from tests.drills.serving import Client, people, revisions, serving, together
from tests.shards import recorded

CLAIMS, WRITERS, WRITES_EACH, SECONDS, READERS = 3500, 12, 6, 20, 2
# What differs from store to store: times, and what is random.
OWN = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?|\d\d:\d\d UTC"
    rb'|(?<="request_id":)"[^"]*"|(?<="id":)"[A-Za-z0-9_-]+"(?=,"(?:name|owner)")'
)
# The answers of these hold keys, or ids that the server chose.
ONLY_STATUS = frozenset({"create_key", "create_webhook", "test_webhook"})
# Vectors are made beside the requests, so scores would depend on how far that is. A busy machine
# must not decide whether a question is answered.
SETTINGS = {"CLAIMBASE_MATCH_MODEL": "false", "CLAIMBASE_READ_SECONDS": "60"}
# After a writer paused for so long what is read is settled, and tagged.
PAUSE_SECONDS = 2.5
BURST = 20
CLAIMS_WRITTEN_TO = 20


@dataclass
class Report:
    """The rows of the table that is printed at the end."""

    rows: list[tuple[str, str, float]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def step(self, name: str, work: Callable[[], tuple[str, list[str]]]) -> None:
        """Do one step; `work` returns what to say of it, and what is wrong."""
        began = time.monotonic()
        try:
            said, wrong = work()
        except (DBAPIError, AssertionError, OSError, http.client.HTTPException) as error:
            said, wrong = "broken off", [f"{type(error).__name__}: {str(error)[:600]}"]
        self.failures += [f"{name}: {each}" for each in wrong]
        self.rows.append((name, f"{said}{', WRONG' if wrong else ''}", time.monotonic() - began))
        say(f"{name}: {said} ({self.rows[-1][2]:.1f} s)")
        for each in wrong[:5]:
            say(f"  {each}")


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the drill, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.citus")
    parser.add_argument("url", help="an empty database of a Citus coordinator")
    parser.add_argument("--plain", action="store_true", help="without distribution")
    parser.add_argument("--claims", type=int, default=CLAIMS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of reading while one writes")
    options = parser.parse_args(arguments)
    os.environ.update(SETTINGS)
    database = connect(options.url)
    try:
        if refused := refuse(database, plain=options.plain):
            print(refused, file=sys.stderr)  # noqa: T201
            return 2
        folder = Path(tempfile.mkdtemp(prefix="claimbase-citus-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        report = drill(database, options, folder)
    finally:
        database.close()
    width = max(len(name) for name, _, _ in report.rows)
    for name, said, seconds in report.rows:
        say(f"| {name:{width}} | {seconds:7.1f} s | {said} |")
    say(f"Differences: {len(report.failures)}." if report.failures else "All as on one server.")
    return 1 if report.failures else 0


def refuse(database: Database, *, plain: bool) -> str | None:
    """Return in a sentence why the drill cannot run on a database, or None."""
    try:
        if not plain:
            migrations.require_citus(database)
        with database.read() as connection:
            if schema_version.current(connection) is not None:
                return "The database is not empty: the drill needs one of its own."
    except NoCitus as error:
        return error.detail
    except DBAPIError as error:
        return f"The database cannot be used: {error.orig}"
    return None


def drill(database: Database, options: argparse.Namespace, folder: Path) -> Report:
    """Run all steps."""
    report = Report()
    templates = Templates(folder)
    plain_url = templates._new("postgresql", None)
    url = options.url
    lines = folder / "claims.jsonl"
    lines.write_bytes(b"".join(data.lines(options.claims, None)))
    stores = {"one server": connect(plain_url), "cluster": database}

    def migrate() -> tuple[str, list[str]]:
        for each in stores.values():
            migrations.migrate(each)
        if options.plain:
            return "not distributed", []
        names = migrations.distribute(database)
        return f"{len(names)} tables distributed", []

    def fill() -> tuple[str, list[str]]:
        problems: list[Problem] = []
        for each in stores.values():
            seed(each, ROOT / "seed_data")
            with jsonl_reader.open_input(lines) as opened:
                load.load(each, opened, report=problems.append)
        return f"seed content and {options.claims:,} claims", list(map(str, problems))

    report.step("migrate", migrate)
    report.step("seed and load", fill)
    if report.failures:
        return report
    with (
        at_desk(Store(plain_url, stores["one server"]), cache_mb=0) as expected,
        at_desk(Store(url, database), cache_mb=0) as found,
    ):
        report.step("reads", lambda: compare_reads(expected, found))
        if not options.plain:
            report.step("shards", lambda: compare_plans(found))
        report.step("writes", lambda: compare_writes(expected, found))
        report.step("reads after writes", lambda: compare_reads(expected, found))
    report.step("writes at once", lambda: write_at_once(url, database, folder))
    report.step("readers beside a writer", lambda: watch(url, database, folder, options.seconds))
    report.step("check", lambda: agree(database))
    stores["one server"].close()
    return report


def masked(content: bytes) -> bytes:
    """Return an answer without what is its store's own."""
    return OWN.sub(b"(own)", content)


def asked(desk: Desk) -> Iterator[tuple[str, str, str | None]]:
    """Yield method, address and body of all reads."""
    app = desk.client.app
    assert isinstance(app, FastAPI)
    parts = {**parts_of(desk.client), "key": "none", "webhook": "none"}
    for _, method, path in questions(app, parts):
        yield method, path, None
    for path in READS:
        yield "GET", path, None
    for name, path in EXAMPLES.items():
        yield "POST" if name in BODIES else "GET", path, BODIES.get(name)


def compare_reads(expected: Desk, found: Desk) -> tuple[str, list[str]]:
    """Ask all reads of both, and compare status, media type and content, times aside."""
    wrong, statuses = [], Counter[int]()
    for method, path, body in asked(expected):
        answers = [
            desk.ask("dora", method, path, body, Content_Type="application/json")
            for desk in (expected, found)
        ]
        told = [
            (answer.status_code, answer.headers.get("content-type"), masked(answer.content))
            for answer in answers
        ]
        statuses[answers[0].status_code // 100] += 1
        if told[0] != told[1]:
            hashes = [f"{each[0]} {hashlib.sha256(each[2]).hexdigest()[:8]}" for each in told]
            wrong.append(f"{method} {path}: {hashes} {first_difference(told[0][2], told[1][2])}")
    said = ", ".join(f"{number} {status}xx" for status, number in sorted(statuses.items()))
    return f"{sum(statuses.values())} asked of both ({said}), {len(wrong)} differ", wrong


def first_difference(one: bytes, other: bytes) -> str:
    """Return what stands around the first place in which two answers differ."""
    place = next(
        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
    begin = max(place - 30, 0)
    return f"at {place}: {one[begin : place + 60]!r} and {other[begin : place + 60]!r}"


def compare_writes(expected: Desk, found: Desk) -> tuple[str, list[str]]:
    """Send the examples of all writes to both, one after the other, and compare what is answered.

    Some are refused, since another one came before them; they are refused alike.
    """
    document, wrong, made = any_document(), [], Counter[bool]()
    for name, write in WRITES.items():
        for who, operation in (*write.before, (write.who, name)):
            answers = [send_now(desk, document, operation, who) for desk in (expected, found)]
            told = [(each.status_code, masked(each.content)) for each in answers]
            if operation in ONLY_STATUS:
                told = [(status, b"") for status, _ in told]
            made[answers[0].is_success] += 1
            if told[0] != told[1]:
                difference = first_difference(told[0][1], told[1][1])
                wrong.append(f"{operation}: {told[0][0]} and {told[1][0]} {difference}")
    return f"{made[True]} made and {made[False]} refused by both, {len(wrong)} differ", wrong


def send_now(desk: Desk, document: dict[str, Any], operation: str, who: str) -> Any:
    """Send the example of a write, about the version that is stored now."""
    try:
        now = shown(desk, document, operation)
    except AssertionError:  # There is no such record now.
        return send(desk, document, operation, who)
    method, path, declared = path_of(document, operation)
    places = {each["name"]: each["in"] for each in declared.get("parameters", ())}
    query, headers = {}, {}
    for name, value in now["parameters"].items():
        if places[name] == "path":
            path = path.replace(f"{{{name}}}", str(value))
        elif places[name] == "query":
            query[name] = value
        else:
            headers[name] = value
    content = declared.get("requestBody", {}).get("content", {})
    body = now["body"]
    if content:
        headers["Content-Type"] = next(iter(content))
        body = body if isinstance(body, str) else json.dumps(body)
    headers["Authorization"] = f"Bearer {desk.plain[who]}"
    return desk.client.request(method, path, params=query, headers=headers, content=body)


def compare_plans(desk: Desk) -> tuple[str, list[str]]:
    """Let Citus explain the statements of all reads: what is said to ask one shard does."""
    with recorded() as statements:
        for method, path, body in asked(desk):
            desk.ask("dora", method, path, body, Content_Type="application/json")
    wrong, tasks = [], Counter[str]()
    for statement, verdict in verdicts(statements):
        if not statement.text.startswith("SELECT"):
            continue
        with desk.store.database.read() as connection:
            driver: Any = connection.connection.driver_connection
            try:
                rows = driver.execute(f"EXPLAIN {statement.text}", statement.values).fetchall()
            except psycopg.Error as error:
                wrong.append(f"{statement.asker}: {error}: {statement.text[:300]}")
                continue
        counts = [int(each) for each in re.findall(r"Task Count: (\d+)", str(rows))]
        tasks[verdict.shards] += 1
        if verdict.shards == "one" and max(counts, default=1) > 1:
            wrong.append(f"{statement.asker} asks {max(counts)} shards: {statement.text[:300]}")
    return ", ".join(f"{number} statements ask {name}" for name, number in tasks.items()), wrong


def write_at_once(url: str, database: Database, folder: Path) -> tuple[str, list[str]]:
    """Write through two servers at once; no write is lost, and the serials have no gap."""
    keys = people(database, WRITERS)
    before = last_serial(database)
    statuses: Counter[int] = Counter()
    with serving(url, folder) as one, serving(url, folder) as other:
        clients = [(one, other)[n % 2].client(key) for n, key in enumerate(keys)]

        def work(number: int) -> None:
            for turn in range(WRITES_EACH):
                path, body = at_once(f"at-once-{number}-{turn}", number * WRITES_EACH + turn)
                while (answer := clients[number].ask("POST", path, body)).status == 503:
                    time.sleep(0.05)
                statuses[answer.status] += 1

        together(work, WRITERS)
    serials = [row["serial"] for row in revisions(database, before)]
    wrong = []
    if serials != list(range(before + 1, before + len(serials) + 1)):
        wrong.append(f"The serials after {before} have a gap: {serials}.")
    if len(serials) != statuses[201] or statuses.total() != statuses[201]:
        wrong.append(f"{dict(statuses)} answered, {len(serials)} revisions.")
    return f"{statuses[201]} through two servers, serials without a gap", wrong


def at_once(name: str, number: int) -> tuple[str, Any]:
    """Return address and body of one of many writes: a topic, which is whole on every node, or a
    line of evidence, on a shard.
    """
    if number % 2:
        return "/v1/topics", {"id": name, "label": name, "definition": "A topic."}
    return f"/v1/claims/claim-{number % CLAIMS_WRITTEN_TO}/evidence", {**LINE, "key": name}


def last_serial(database: Database) -> int:
    """Return the newest serial."""
    with database.read() as connection:
        return int(connection.scalar(text("SELECT value FROM serial")) or 0)


@dataclass
class Seen:
    """What readers saw: `stale` are answers with a new serial and old content, `kept` those of
    them that somebody was let keep.
    """

    answers: int = 0
    stale: int = 0
    kept: int = 0
    tagged: int = 0
    unchanged: int = 0
    outdated: list[str] = field(default_factory=list)


def watch(url: str, database: Database, folder: Path, seconds: int) -> tuple[str, list[str]]:
    """Let two readers read a list while one writes what stands in it.

    A snapshot holds on a node, not on the cluster, so a reader may see a serial before what it
    stands for. Nobody may be let keep such an answer: it has no tag, and no cache stores it.
    """
    (key,) = people(database, 1)
    done = threading.Event()
    seen = [Seen() for _ in range(READERS)]
    errors: list[BaseException] = []
    with serving(url, folder) as one, serving(url, folder) as other:
        writer = one.client(key)
        readers = [(other, one)[n % 2].client() for n in range(READERS)]
        write_one(writer, 0)

        def read(number: int) -> None:
            try:
                while not done.is_set():
                    look(readers[number], seen[number])
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=read, args=(n,)) for n in range(READERS)]
        for thread in threads:
            thread.start()
        until, turn = time.monotonic() + seconds, 0
        try:
            while time.monotonic() < until:
                for _ in range(BURST):
                    turn += 1
                    write_one(writer, turn)
                # Long enough for readers to be given tags again.
                time.sleep(PAUSE_SECONDS)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        if errors:
            raise errors[0]
        total = Seen(*(sum(getattr(each, name) for each in seen) for name in COUNTED))
        wrong = [f"{total.kept} answers with a new serial and old content may be kept."]
        wrong = wrong if total.kept else []
        wrong += [each for reader in seen for each in reader.outdated]
        if not total.tagged:
            wrong.append("No answer was tagged in the pauses of the writer.")
    return (
        f"{turn} writes; {total.answers:,} reads, {total.stale:,} of them with the new serial and"
        f" old content, of which {total.kept} may be kept; {total.tagged:,} tagged,"
        f" {total.unchanged:,} unchanged",
        wrong,
    )


COUNTED = ("answers", "stale", "kept", "tagged", "unchanged")
LIST = "/v1/claims?status=refuted&limit=200"
NOTED = f"/v1/claims/{CLAIM}"


def write_one(writer: Client, turn: int) -> None:
    """Change the note of the claim."""
    tag = writer.ask("GET", f"/v1/records/claim/{CLAIM}").tag
    answer = writer.ask("PATCH", NOTED, {"note": f"Turn {turn}."}, If_Match=tag)
    assert answer.status == 200, answer.body


def look(reader: Client, seen: Seen) -> None:
    """Read the list once more, and the claim, and note what was seen."""
    answer, headers = asked_for(reader, LIST)
    assert answer["data"], "the claim is in the list"
    (claim,) = (each for each in answer["data"] if each["id"] == CLAIM)
    serial = answer["page"]["serial"]
    seen.answers += 1
    # The last change is one of the claim.
    is_stale = claim["revision"] < serial
    tag = headers.get("etag")
    may_be_kept = tag is not None or "no-store" not in headers.get("cache-control", "")
    seen.stale += is_stale
    seen.kept += is_stale and may_be_kept
    if tag is None:
        return
    seen.tagged += 1
    status, again = conditional(reader, LIST, tag)
    if status == 304:
        seen.unchanged += 1
    elif again is not None and f'"s{again["page"]["serial"]}"' in tag:
        seen.outdated.append(f"{tag} was not recognised.")


def asked_for(reader: Client, path: str) -> tuple[Any, dict[str, str]]:
    """Return the JSON and the headers of an answer."""
    reader.connection.request("GET", path, headers={"Accept-Encoding": "identity"})
    answer = reader.connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content
    return json.loads(content), {name.lower(): value for name, value in answer.getheaders()}


def conditional(reader: Client, path: str, tag: str) -> tuple[int, Any]:
    """Ask whether an answer with a tag is still good."""
    reader.connection.request("GET", path, headers={"If-None-Match": tag})
    answer = reader.connection.getresponse()
    content = answer.read()
    return answer.status, json.loads(content) if answer.status == 200 else None


def agree(database: Database) -> tuple[str, list[str]]:
    """Hold the database to what `claimbase check` proves."""
    with database.read(unlimited=True) as connection:
        problems: Sequence[str] = list(check(connection))
    return "tables, revisions and read model agree", list(problems)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
