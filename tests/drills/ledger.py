"""Writers who note what they asked for and what they were promised, and what must hold of it after
a kill.
"""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from models.database.connections import Database
from tests.api.curating import a_record
from tests.drills.serving import Answer, Client, Server, must_agree, revisions

EDITED = ("ccsvi-causes-ms", "ccsvi-is-vein-narrowing")
NOBODY_ANSWERS = (OSError, HTTPException)


@dataclass
class Ledger:
    """What was asked for, promised and seen, over all rounds."""

    # By Idempotency-Key: the records that were to be stored together, and who asked.
    asked: dict[str, tuple[str, list[dict[str, Any]]]] = field(default_factory=dict)
    # By serial: each record that an answer gave, with where it stands.
    promised: dict[int, dict[str, Any]] = field(default_factory=dict)
    # Of each follower, what the feed told them.
    seen: list[dict[str, Any]] = field(default_factory=list)
    # Fields of evidence that the program, an earlier one, does not have yet.
    lacking: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, answer: Answer) -> None:
        """Keep what an answer promises."""
        with self.lock:
            self.statuses[answer.status] += 1
            if answer.status in (200, 201):
                records = answer.body.get("data", [answer.body])
                self.promised |= {record["serial"]: record for record in records}

    def unanswered(self) -> Iterator[str]:
        """Yield the keys of batches of which nobody knows whether they are stored."""
        known = {record["id"] for record in self.promised.values() if record["kind"] == "claim"}
        yield from (key for key in self.asked if key not in known)

    def must_hold(self, database: Database) -> None:
        """Hold the database to every promise: what was acknowledged is there as told, what was
        asked for is whole or not at all.
        """
        rows = revisions(database, 0)
        assert [row["serial"] for row in rows] == list(range(1, len(rows) + 1))
        for serial, promise in self.promised.items():
            assert serial <= len(rows), "a promise was not kept: it is gone"
            row = rows[serial - 1]
            name = f"{promise['kind']}/{promise['id']}"
            told = name, promise["action"], promise["actor"], promise["record"]
            assert told == (row["record"], row["action"], row["actor"], row["body"]), (
                "a promise was not kept"
            )
        made = Counter(row["record"] for row in rows if row["action"] == "create")
        for key in self.asked:
            stored = [
                made[name] for name in (f"claim/{key}", f"source/{key}", f"evidence/{key}:{key}")
            ]
            assert stored in ([0, 0, 0], [1, 1, 1]), f"{key} is there by halves, or twice"
        # A follower was told nothing that is not there, and nothing was passed over.
        assert [each["serial"] for each in self.seen] == [
            row["serial"] for row in rows[: len(self.seen)]
        ]
        for each, row in zip(self.seen, rows, strict=False):
            assert (each["kind"], each["action"], each["at"]) == (
                row["kind"],
                row["action"],
                row["at"],
            )
        must_agree(database)


def sent(
    client: Client, ledger: Ledger, method: str, path: str, body: Any = None, **headers: str
) -> Answer:
    """Ask for a write, again and again while the database is gone, and note the answer."""
    while True:
        answer = client.ask(method, path, body, **headers)
        ledger.note(answer)
        if answer.status != 503:
            return answer
        time.sleep(0.05)


def read(client: Client, path: str) -> Answer:
    """Read, again and again while the database is gone."""
    while (answer := client.ask("GET", path)).status == 503:
        time.sleep(0.05)
    assert answer.status == 200, answer.body
    return answer


def propose(client: Client, ledger: Ledger, key: str) -> Answer:
    """Propose a claim, a source and a line of evidence on them, all in one request."""
    line = a_record("evidence", key, claim=key, source=key)
    records = [
        {"record": "claim", **a_record("claim", key)},
        {"record": "source", **a_record("source", key)},
        {"record": "evidence", **{name: line[name] for name in line.keys() - ledger.lacking}},
    ]
    ledger.asked.setdefault(key, (client.plain or "", records))
    answer = sent(
        client, ledger, "POST", "/v1/claims:batch", {"records": records}, Idempotency_Key=key
    )
    assert answer.status == 201, answer.body
    return answer


def accept(client: Client, ledger: Ledger, key: str) -> None:
    """Accept what was proposed, so that the claim gets a document and a status."""
    for kind, record in (("claim", key), ("source", key), ("evidence", f"{key}:{key}")):
        path = f"/v1/records/{kind}/{record}"
        answer = sent(client, ledger, "POST", f"{path}:accept", If_Match=read(client, path).tag)
        # Where the database went away before the answer, it may have been accepted already.
        assert answer.status in (200, 409, 412), answer.body


def edit(client: Client, ledger: Ledger, claim: str, note: str) -> None:
    """Change a claim that others change at the same time."""
    path = f"/v1/claims/{claim}"
    answer = sent(client, ledger, "PATCH", path, {"note": note}, If_Match=read(client, path).tag)
    assert answer.status in (200, 412), answer.body


def write(
    server: Server, ledger: Ledger, name: str, plain: tuple[str, str], until: threading.Event
) -> None:
    """Write until told to stop, or until nobody answers: proposals as one person, decisions and
    edits as another.
    """
    proposer, curator = server.client(plain[0]), server.client(plain[1])
    for number in itertools.count():
        if until.is_set():
            return
        write_once(proposer, curator, ledger, f"{name}-{number}", number)


def write_once(
    proposer: Client, curator: Client, ledger: Ledger, key: str, number: int = 0
) -> None:
    """Propose as one person, edit and accept as another."""
    propose(proposer, ledger, key)
    edit(curator, ledger, EDITED[number % 2], f"Edit {key}.")
    accept(curator, ledger, key)


def follow(server: Server, ledger: Ledger, until: threading.Event) -> None:
    """Follow the feed from where one was until told to stop, or until nobody answers."""
    client = server.client()
    while not until.is_set():
        since = ledger.seen[-1]["serial"] if ledger.seen else 0
        ledger.seen += read(client, f"/v1/changes?since={since}&limit=200").body["data"]
        time.sleep(0.02)
