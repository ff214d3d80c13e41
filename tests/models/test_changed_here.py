"""Files that are loaded again leave what people decided here meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import ROOT
from models.records.record_types import RECORD_TYPES, read_record
from models.transfer.changed_here import ChangedHere, StoredAlone
from models.transfer.seed import Note, seed
from tests.api.curating import NOW, Desk
from tests.databases import Store
from tests.models.exports import as_lines, load
from tests.records import a_line, a_source

FILE: list[dict[str, Any]] = [
    {"record": "source", **a_source(id="some-work").model_dump()},
    {
        "record": "claim",
        "id": "some-claim",
        "statement": "Veins are slow.",
        "kind": "finding",
        "evidence": [{**a_line().model_dump(), "source": "some-work", "key": "one"}],
    },
    {"record": "claim", "id": "other-claim", "statement": "Slow.", "kind": "finding"},
]
LINE = "some-claim:one"


def withdraw(desk: Desk) -> None:
    desk.retract("evidence", LINE)


def merge(desk: Desk) -> None:
    desk.merge("claim", "other-claim", "some-claim")


def correct(desk: Desk) -> None:
    patch = {"statement": "Veins are slow at rest."}
    desk.must(200, "ben", "PATCH", "/v1/claims/some-claim", patch, If_Match=NOW)


def purge(desk: Desk) -> None:
    withdraw(desk)
    desk.decide("purge", "evidence", LINE, "dora", "Somebody asked for it.")


@pytest.mark.parametrize(
    ("decide", "record", "action"),
    [
        (withdraw, "evidence/some-claim:one", "retract"),
        (merge, "claim/other-claim", "merge"),
        (correct, "claim/some-claim", "update"),
        (purge, "evidence/some-claim:one", "purge"),
    ],
)
def test_an_import_leaves_what_people_decided(
    desk: Desk, decide: Callable[[Desk], None], record: str, action: str
) -> None:
    load(desk.store, as_lines(*FILE))
    decide(desk)
    kind, _, record_id = record.partition("/")

    def stored() -> Any:
        with desk.store.database.read() as connection:
            return read_record(connection, RECORD_TYPES[kind], record_id)

    before = stored()
    left: list[ChangedHere] = []
    result, _ = load(desk.store, as_lines(*FILE), report_left=left.append)
    assert stored() == before
    assert [(change.record, change.action) for change in left] == [(record, action)]
    assert result.left.total() == 1
    assert result.stored.total() == 0


def test_overwriting_is_said(desk: Desk) -> None:
    load(desk.store, as_lines(*FILE))
    withdraw(desk)
    result, _ = load(desk.store, as_lines(*FILE), overwrite=True)
    assert result.stored["evidence"] == 1
    assert desk.record("evidence", LINE)["state"] == "accepted"


def test_what_nobody_touched_follows_the_file(desk: Desk) -> None:
    load(desk.store, as_lines(*FILE))
    withdraw(desk)
    newer = as_lines(*FILE[:2], {**FILE[2], "statement": "Slower."})
    result, _ = load(desk.store, newer)
    assert +result.stored == {"claim": 1}
    assert desk.client.get("/v1/claims/other-claim").json()["statement"] == "Slower."


def test_a_seed_leaves_what_people_decided_and_tells_it(desk: Desk) -> None:
    desk.retract("evidence", "ccsvi-causes-ms:doepp-2010", "ben")
    notes: list[Note] = []
    tally = seed(desk.store.database, ROOT / "seed_data", notes.append)
    assert tally["evidence", "left as it was changed here"] == 1
    assert [str(note).partition(" on ")[0] for note in notes] == [
        "evidence/ccsvi-causes-ms:doepp-2010 was changed here since: retract by ben"
    ]
    seed(desk.store.database, ROOT / "seed_data", overwrite=True)
    assert desk.client.get("/v1/evidence/ccsvi-causes-ms:doepp-2010").status_code == 200


def test_a_record_without_a_file_is_told_to_stand_here_alone(empty: Store, tmp_path: Path) -> None:
    claims = tmp_path / "claims"
    claims.mkdir()
    for slug in ("one", "two"):
        fields = {"id": slug, "statement": f"{slug} holds.", "kind": "finding"}
        (claims / f"{slug}.yaml").write_text(yaml.safe_dump(fields))
    seed(empty.database, tmp_path)
    (claims / "two.yaml").unlink()
    notes: list[Note] = []
    seed(empty.database, tmp_path, notes.append)
    assert notes == [StoredAlone(["claim/two"])]
