"""A desk for tests of curating: a client on the seed content, and people with keys."""

from dataclasses import dataclass, field
from typing import Any

from fastapi.testclient import TestClient

from models import keys
from models.check import check
from tests.conftest import Store

PEOPLE = {"anna": "contributor", "emil": "contributor", "ben": "curator", "cleo": "curator", "dora": "admin"}
LINE = {
    "key": "example",
    "source": "doepp-2010",
    "direction": "supports",
    "level": "1",
    "question": "diagnosis",
    "study_design": "systematic_review",
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


@dataclass
class Desk:
    """A client, the store behind it, and a key for each person."""

    store: Store
    client: TestClient
    plain: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.store.database.write() as connection:
            for name, role in PEOPLE.items():
                self.plain[name] = keys.create(connection, keys.KeyIn(name=name, role=role))[1]

    def ask(self, who: str | None, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Ask as somebody; header names are given with underscores (`If_Match`)."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            given["Authorization"] = f"Bearer {self.plain[who]}"
        more = {} if body is None else {"json": body}
        return self.client.request(method, path, headers=given, follow_redirects=False, **more)

    def tag(self, path: str, who: str | None = "cleo") -> str:
        """Return the ETag of a record."""
        answer = self.ask(who, "GET", path)
        assert answer.status_code == 200, answer.text
        return str(answer.headers["etag"])

    def must(self, status: int, who: str | None, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Ask and hold the answer to its status; return the JSON."""
        answer = self.ask(who, method, path, body, **headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def disagreements(self) -> list[str]:
        """Return what `claimbase check` has to say."""
        with self.store.database.read() as connection:
            return list(check(connection))
