"""How many statements a write takes: each may be a round trip, and others wait meanwhile."""

from collections.abc import Iterable

from tests.api.curating import CLAIM, LINE, Desk
from tests.databases import noted_statements

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


def _of_the_write(run: Iterable[str]) -> list[str]:
    """Return the statements of a request, each on one line."""
    return [" ".join(text.split()) for text in run if not text.startswith(BESIDE)]


def test_a_proposed_line_takes_eight_statements(desk: Desk) -> None:
    with noted_statements(desk.store) as run:
        made = desk.ask("anna", "POST", f"/v1/claims/{CLAIM}/evidence", LINE)
    assert made.status_code == 201, made.text
    begun = [
        next((each for each in FOR_A_PROPOSED_LINE if text.startswith(each)), text)
        for text in _of_the_write(run)
    ]
    assert begun == FOR_A_PROPOSED_LINE


def test_a_change_of_a_claim_reads_it_once_before_and_once_after(desk: Desk) -> None:
    path = f"/v1/claims/{CLAIM}"
    tag = desk.ask("ben", "GET", path).headers["ETag"]
    with noted_statements(desk.store) as run:
        changed = desk.ask("ben", "PATCH", path, {"note": "Looked at again."}, If_Match=tag)
    assert changed.status_code == 200, changed.text
    # The derivation reads it once more, as it is by then.
    whole = [
        text for text in _of_the_write(run) if text.startswith("SELECT claim.id, claim.statement")
    ]
    assert len(whole) == 2
