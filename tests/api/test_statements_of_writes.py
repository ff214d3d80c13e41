"""How many statements a write takes: each may be a round trip, and others wait meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from models.database import prepared_statements
from tests.api.curating import CLAIM, LINE, Desk
from tests.databases import is_asked_of

# What a key is looked up by, what was there before, and what is written.
FOR_A_PROPOSED_LINE = [
    "SELECT api_key",
    "SELECT serial",
    "SELECT claim",
    "SELECT source",
    "SELECT evidence",
    "INSERT INTO revision",
    "INSERT INTO evidence",
    "UPDATE serial",
]
# What is asked beside the requests, each second.
BESIDE = "SELECT webhook"


@contextmanager
def _noted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Yield the statements that run meanwhile in the database of a desk."""
    noted: list[str] = []
    usual = prepared_statements._execute

    def note(connection: Connection, text: str) -> None:
        if is_asked_of(desk.store, connection, text) and not text.startswith(BESIDE):
            noted.append(" ".join(text.split()))

    def noting(connection: Any, text: str, *arguments: Any, **named: Any) -> Any:
        note(connection, text)
        return usual(connection, text, *arguments, **named)

    def before(connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        note(connection, text)

    monkeypatch.setattr(prepared_statements, "_execute", noting)
    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield noted
    finally:
        event.remove(Engine, "before_cursor_execute", before)
        monkeypatch.setattr(prepared_statements, "_execute", usual)


def test_a_proposed_line_takes_eight_statements(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _noted(desk, monkeypatch) as noted:
        made = desk.ask("anna", "POST", f"/v1/claims/{CLAIM}/evidence", LINE)
    assert made.status_code == 201, made.text
    begun = [
        next((each for each in FOR_A_PROPOSED_LINE if text.startswith(each)), text)
        for text in noted
    ]
    assert begun == FOR_A_PROPOSED_LINE


def test_a_change_of_a_claim_reads_it_once_before_and_once_after(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/v1/claims/{CLAIM}"
    tag = desk.ask("ben", "GET", path).headers["ETag"]
    with _noted(desk, monkeypatch) as noted:
        changed = desk.ask("ben", "PATCH", path, {"note": "Looked at again."}, If_Match=tag)
    assert changed.status_code == 200, changed.text
    # The derivation reads it once more, as it is by then.
    whole = [text for text in noted if text.startswith("SELECT claim.id, claim.statement")]
    assert len(whole) == 2
