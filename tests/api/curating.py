"""A desk for tests of curating: a client on the seed content, and people with keys."""

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi.testclient import TestClient

from api.http.rate_limits import Limit
from api.main import create_app
from api.settings import Settings
from models.access import api_keys
from models.projection.integrity_check import check
from models.read import listings
from models.records.record_types import RECORD_TYPES, RecordType, read_record, read_records
from models.write.review import etag_revision
from tests.databases import Store

PEOPLE = {
    "anna": "contributor",
    "emil": "contributor",
    "ben": "curator",
    "cleo": "curator",
    "dora": "admin",
}
LINE = {
    "key": "example",
    "source": "doepp-2010",
    "direction": "supports",
    "level": "1",
    "question": "prognosis",
    "study_design": "systematic_review",
    "studies": 2,
    "finding": "All of them had it.",
    "independence_group": "example",
}
ASSESSMENT = {
    "key": "example",
    "assessor": "Example Guideline Group",
    "status": "refuted",
    "assessed": "2019-06",
    "rationale": "Two sham-controlled trials found no benefit.",
    "source": "cochrane-2019",
}
CLAIM = "ccsvi-causes-ms"
EVIDENCE = f"/v1/evidence/{CLAIM}:example"
# What an accepted record needs to have so that it can be changed: a field, and another value of it.
PATCHES: dict[str, dict[str, Any]] = {
    "collection": {"name": "Changed"},
    "topic": {"label": "Changed"},
    "source": {"title": "Changed"},
    "claim": {"statement": "Changed."},
    "occurrence": {"quote": "Changed"},
    "relation": {"note": "Changed"},
    "evidence": {"finding": "Changed."},
    "assessment": {"rationale": "Changed."},
    "suggestion": {"reason": "Changed."},
    "comment": {"text": "Changed."},
}
# In If-Match: the tag of what is stored when it is asked, whoever asks.
NOW = "now"
# Nobody's limits are in the way of what is tested here.
UNLIMITED: dict[str, Any] = {
    "key_writes_per_minute": 10**6,
    "address_writes_per_minute": 10**6,
}


def a_record(kind: str, key: str, **more: Any) -> dict[str, Any]:
    """Return a record of a kind as it is sent; a relation points to the claim that `key` names."""
    bodies: dict[str, dict[str, Any]] = {
        "collection": {"id": key, "name": f"Collection {key}", "licence": "CC-BY-4.0"},
        "topic": {"id": key, "label": f"Topic {key}", "definition": "A topic."},
        "source": {
            "id": key,
            "type": "article-journal",
            "title": f"A study named {key}",
            "authors": [{"family": "Doe", "given": "J"}],
            "issued": "2015",
            "study_design": "case_control",
        },
        "claim": {"id": key, "statement": f"The claim {key} holds.", "kind": "mechanism"},
        "occurrence": {
            "key": key,
            "source": "doepp-2010",
            "quote": f"So says {key}.",
            "asserted_by": ["doepp"],
        },
        "relation": {"type": "comments_on", "target": key},
        "evidence": {**LINE, "key": key},
        "assessment": {**ASSESSMENT, "key": key},
        "suggestion": {
            "id": key,
            "about": "source/doepp-2010",
            "action": "change",
            "patch": {"note": f"Noted by {key}."},
            "reason": "It says so.",
        },
        "comment": {"id": key, "about": "source/doepp-2010", "text": "Is this the right year?"},
    }
    return {**bodies[kind], **more}


@dataclass
class Desk:
    """A client, the store behind it, and a key for each person."""

    store: Store
    client: TestClient
    plain: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        with self.store.database.write() as connection:
            for name, role in PEOPLE.items():
                self.plain[name] = api_keys.create_key(
                    connection, api_keys.KeyIn(name=name, role=role)
                )[1]

    def ask(self, who: str | None, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Ask as somebody; header names are given with underscores (`If_Match`)."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if given.get("If-Match") == NOW:
            given["If-Match"] = self._tag_now(path)
        if who is not None:
            given["Authorization"] = f"Bearer {self.plain[who]}"
        more = (
            {}
            if body is None
            else {"content": body}
            if isinstance(body, str | bytes)
            else {"json": body}
        )
        return self.client.request(method, path, headers=given, follow_redirects=False, **more)

    def _tag_now(self, path: str) -> str:
        """Return the tag of the record at an address as it is stored, a made-up one where there is
        none.
        """
        parts = path.partition("?")[0].removeprefix("/v1/").removeprefix("records/").split("/", 1)
        (kind,) = (kind for kind in RECORD_TYPES.values() if parts[0] in (kind.name, kind.plural))
        record = re.sub(":(accept|reject|purge|merge|carry_over)$", "", parts[1])
        with self.store.database.read() as connection:
            body = (
                read_record(connection, kind, record)
                if record.count(":") + 1 == len(kind.columns)
                else None
            )
            return f'"{etag_revision(connection, kind, record, body)}"' if body else '"1"'

    def tag(self, path: str, who: str | None = "cleo") -> str:
        """Return the ETag of a record."""
        answer = self.ask(who, "GET", path)
        assert answer.status_code == 200, answer.text
        return str(answer.headers["etag"])

    def must(
        self, status: int, who: str | None, method: str, path: str, body: Any = None, **headers: str
    ) -> Any:
        """Ask and hold the answer to its status; return the JSON."""
        answer = self.ask(who, method, path, body, **headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def disagreements(self) -> list[str]:
        """Return what `claimbase check` has to say."""
        with self.store.database.read() as connection:
            return list(check(connection))

    def propose(
        self, who: str, kind: str, key: str | None = None, claim: str = CLAIM, **more: Any
    ) -> str:
        """Propose a record and return its id; without a key it gets one of its own."""
        key = key or f"made-{next(self.numbers)}"
        path = (
            f"/v1/claims/{claim}/{RECORD_TYPES[kind].plural}"
            if RECORD_TYPES[kind].part
            else f"/v1/{RECORD_TYPES[kind].plural}"
        )
        return str(self.must(201, who, "POST", path, a_record(kind, key, **more))["id"])

    def accept(self, kind: str, record: str, who: str = "cleo", comment: str | None = None) -> Any:
        """Accept a proposal."""
        return self.decide("accept", kind, record, who, comment)

    def decide(
        self, action: str, kind: str, record: str, who: str = "cleo", comment: str | None = None
    ) -> Any:
        """Accept or reject a proposal, or purge what was taken back; return the answer's JSON."""
        path = f"/v1/records/{kind}/{record}"
        return self.must(
            200, who, "POST", f"{path}:{action}", {"comment": comment}, If_Match=self.tag(path)
        )

    def accepted(
        self, kind: str, key: str | None = None, by: str = "anna", claim: str = CLAIM, **more: Any
    ) -> str:
        """Propose a record and let another person accept it; return its id."""
        record = self.propose("ben" if kind == "assessment" else by, kind, key, claim, **more)
        if kind != "assessment":
            self.accept(kind, record, "dora" if by == "cleo" else "cleo")
        return record

    def retract(
        self, kind: str, record: str, who: str = "cleo", why: str = "wrong", **more: str
    ) -> Any:
        """Retract an accepted record."""
        query = "".join(f"&{name}={value}" for name, value in more.items())
        path = f"{native(kind, record)}?comment={why}{query}"
        return self.must(
            200, who, "DELETE", path, If_Match=self.tag(f"/v1/records/{kind}/{record}")
        )

    def merge(self, kind: str, old: str, into: str, who: str = "cleo") -> Any:
        """Merge a claim or a source into another."""
        tag = self.tag(f"/v1/records/{kind}/{old}")
        return self.must(
            200, who, "POST", f"{native(kind, old)}:merge", {"into": into}, If_Match=tag
        )

    def undo(self, serial: int, who: str = "cleo") -> list[str]:
        """Take back the change of a revision; return the names of the records that are as
        before.
        """
        answer = self.must(200, who, "POST", f"/v1/revisions/{serial}:undo", {"comment": "wrong"})
        return [f"{record['kind']}/{record['id']}" for record in answer["data"]]

    def record(self, kind: str, record: str, who: str | None = "dora") -> Any:
        """Return a record with where it stands."""
        return self.must(200, who, "GET", f"/v1/records/{kind}/{record}")

    def bodies(self) -> dict[str, dict[str, Any]]:
        """Return every record that is stored, by its name."""
        with self.store.database.read() as connection:
            return {
                f"{kind.name}/{each}": body
                for kind in RECORD_TYPES.values()
                for each, body in read_records(connection, kind)
            }


def serial(desk: Desk) -> int:
    """Return the number of the last revision."""
    with desk.store.database.read() as connection:
        return listings.current_serial(connection)


def native(kind: str | RecordType, record: str) -> str:
    """Return the address of a record among its kind."""
    return f"/v1/{RECORD_TYPES[kind].plural if isinstance(kind, str) else kind.plural}/{record}"


@contextmanager
def at_desk(store: Store, **more: Any) -> Iterator[Desk]:
    """Open a desk on a store, without limits on how often and with more settings."""
    settings = Settings(database_url=store.url, **UNLIMITED, **more)
    app = create_app(settings)
    app.state.limits.failed_keys = Limit(10**6)
    # A tag of an answer that is compressed names its coding; what is asked here is compared with
    # the bare numbers.
    with TestClient(
        app, raise_server_exceptions=False, headers={"Accept-Encoding": "identity"}
    ) as client:
        yield Desk(store, client)
