"""Loading JSON Lines: as changes, all or nothing, each fault with its line."""

import io
import json
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import func, inspect, select
from sqlalchemy.exc import IntegrityError

from benchmarks import data
from models.database.bulk_indexes import without_foreign_keys
from models.database.prepared_statements import insert_rows
from models.projection import claim_loader, derive
from models.projection import documents as documents_module
from models.projection import tables as tables_module
from models.records.record_types import RECORD_TYPES, read_record, read_records
from models.records.revision import Revision, Serial
from models.records.serializers import table
from models.search.index import claim_word
from models.status import claim_aggregate
from models.transfer import bulk_insert
from models.transfer import load as loading
from models.transfer.jsonl_reader import BadFile, open_input
from models.transfer.load import BadImport
from models.write import changes
from tests.databases import Store
from tests.models.exports import (
    as_lines,
    disagreements,
    exported,
    identifier,
    in_every_state,
    load,
    occurrence,
    records,
    zipped,
)
from tests.records import a_line, a_source, store_one_claim

TOPIC = {"record": "topic", "id": "y", "label": "Y", "definition": "What Y is."}
SOURCE = {"record": "source", **a_source().model_dump()}
LINE = a_line().model_dump()
CLAIM = {
    "record": "claim",
    "id": "x-causes-y",
    "statement": "X causes Y.",
    "kind": "causal_hypothesis",
    "topics": ["y"],
}
OTHER = {**CLAIM, "id": "y-causes-z", "topics": []}
FLAT = {"record": "evidence", "claim": "x-causes-y", **LINE}


def tables(store: Store) -> dict[str, Any]:
    """Return the content of all tables, without what depends on the way of storing it."""
    with store.database.read() as connection:
        kept = {
            f"{kind.name}/{each}": body
            for kind in RECORD_TYPES.values()
            for each, body in read_records(connection, kind)
        }
        terms = [
            tuple(row)
            for row in connection.execute(
                select(table(tables_module.ClaimTerm)).order_by("claim", "field", "value")
            )
        ]
        periods = [
            tuple(row)
            for row in connection.execute(
                select(table(tables_module.StatusPeriod)).order_by("claim", "starts")
            )
        ]
        cores = {
            row["claim"]: {
                **json.loads(documents_module.claim_json(dict(row))),
                **dict.fromkeys(("revision", "created", "updated")),
            }
            for row in connection.execute(select(table(tables_module.ClaimDocument))).mappings()
        }
    return {"records": kept, "terms": terms, "periods": periods, "cores": cores}


def test_records_are_loaded_as_changes(empty: Store) -> None:
    told, reported = load(
        empty,
        as_lines(TOPIC, SOURCE, {**CLAIM, "evidence": [LINE], "occurrences": [dict(occurrence())]}),
    )
    assert reported == []
    assert (told.lines, told.records, told.stored.total(), told.restored) == (3, 5, 5, False)
    with empty.database.read() as connection:
        rows = (
            connection.execute(select(table(Revision)).order_by(table(Revision).c.serial))
            .mappings()
            .all()
        )
        claim = read_record(connection, RECORD_TYPES["claim"], "x-causes-y")
    assert [(row["serial"], row["record"]) for row in rows] == [
        (1, "topic/y"),
        (2, "claim/x-causes-y"),
        (3, "source/smith-2020"),
        (4, "occurrence/x-causes-y:here"),
        (5, "evidence/x-causes-y:smith-2020"),
    ]
    assert {
        (row["action"], row["actor"], row["comment"], row["state"], row["change"]) for row in rows
    } == {("create", "import", "Imported from test.", "accepted", 1)}
    assert claim is not None
    assert whole_claim(empty, "x-causes-y")["status"] == "disputed"
    assert whole_claim(empty, "x-causes-y")["revision"] == 5
    assert disagreements(empty) == []


def whole_claim(store: Store, slug: str) -> Any:
    """Return the core of a claim as it is stored."""
    with store.database.read() as connection:
        documents = table(tables_module.ClaimDocument)
        row = (
            connection.execute(select(documents).where(documents.c.claim == slug))
            .mappings()
            .first()
        )
    return row and json.loads(documents_module.claim_json(dict(row)))


def test_a_load_in_batches_equals_one_by_one_changes(
    empty: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small batches in an unusual order give the same tables as `changes`, record by record."""
    given = list(data.records(30, data.sentences(None)))
    flat = [line for record in given for line in flattened(record)]
    monkeypatch.setattr(loading, "BATCH_SIZE", 7)
    told, reported = load(empty, as_lines(*given))
    assert reported == []
    assert told.records == len(flat) == told.stored.total()
    with changes.begin(other.database, actor="import") as change:
        for line in flat:
            body = {name: value for name, value in line.items() if name != "record"}
            assert changes.put(change, RECORD_TYPES[line["record"]], body)
    assert tables(empty) == tables(other)
    assert disagreements(empty) == []
    # Flat lines come to the same.
    with empty.database.read() as connection:
        serial = connection.scalar(select(table(Serial).c.value))
    told, reported = load(empty, as_lines(*flat))
    assert (reported, told.stored.total(), told.unchanged.total()) == ([], 0, len(flat))
    with empty.database.read() as connection:
        assert connection.scalar(select(table(Serial).c.value)) == serial


def flattened(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a nested line as flat ones."""
    plurals = {"occurrences": "occurrence", "evidence": "evidence"}
    parts = [
        {"record": kind, "claim": record["id"], **part}
        for plural, kind in plurals.items()
        for part in record.get(plural, [])
    ]
    return [{name: value for name, value in record.items() if name not in plurals}, *parts]


def test_an_export_into_a_filled_database_is_loaded_as_changes(seeded: Store, other: Store) -> None:
    in_every_state(seeded)
    content = exported(seeded)
    store_one_claim(other)
    told, reported = load(other, content, overwrite=True)
    assert reported == []
    assert told.restored is False
    assert told.revisions == records(content)[0]["counts"]["revisions"]
    assert told.stored["claim"] >= 21
    assert disagreements(other) == []
    first, second = ({**tables(store)["records"]} for store in (seeded, other))
    public = {
        name: body
        for name, body in first.items()
        if body["state"] in ("accepted", "retracted", "merged")
    }
    assert {name: second[name] for name in public} == public
    again, _ = load(other, content)
    assert (again.stored.total(), again.unchanged.total()) == (0, told.records)


def test_stored_records_are_changed_or_left_unchanged(seeded: Store) -> None:
    load(seeded, as_lines(SOURCE, OTHER))
    told, _ = load(
        seeded,
        as_lines(
            {**SOURCE, "integrity": "retracted", "integrity_note": "It was made up."},
            OTHER,
            {**CLAIM, "topics": [], "evidence": [LINE]},
            {**FLAT, "claim": "y-causes-z"},
        ),
    )
    assert (dict(told.stored), dict(told.unchanged)) == (
        {"source": 1, "claim": 1, "evidence": 2},
        {"claim": 1},
    )
    # The line of the retracted source counts no more.
    assert whole_claim(seeded, "x-causes-y")["status"] == "unassessed"
    assert whole_claim(seeded, "y-causes-z")["notices"]["retracted"] == 1
    assert disagreements(seeded) == []


def test_relations_may_point_to_later_claims(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BATCH_SIZE", 2)
    on_tie = a_line("on-it", relation_type="leads_to", relation_target="y-causes-z").model_dump()
    first = {
        **CLAIM,
        "topics": [],
        "relations": [{"type": "leads_to", "target": "y-causes-z"}],
        "evidence": [LINE, on_tie],
    }
    back = {"record": "relation", "claim": "y-causes-z", "type": "rivals", "target": "x-causes-y"}
    told, reported = load(empty, as_lines(SOURCE, first, OTHER, back, back))
    assert reported == []
    assert told.stored == {"source": 1, "claim": 2, "relation": 2, "evidence": 2}
    assert told.unchanged == {"relation": 1}
    with empty.database.read() as connection:
        (found,) = claim_loader.load(connection, ["x-causes-y"])
    assert [tie["evidence"][0]["key"] for tie in claim_aggregate.parts(found)["relations"]] == [
        "on-it"
    ]
    assert disagreements(empty) == []


BAD = [
    (b"{", "line 2: This is not JSON"),
    (b'{"record":"claim","id":"x\xff"}', "line 2: This is not JSON"),
    (
        as_lines({"record": "revisoin"}),
        "line 2: record: A line is an object whose 'record' says of which kind it is.",
    ),
    (b"[]", "line 2: record"),
    (
        as_lines({**CLAIM, "kind": "fact"}),
        "line 2: kind: 'fact' is not a term of the vocabulary claim-kinds.",
    ),
    (as_lines({**CLAIM, "topics": ["z"]}), "line 2: topics: There is no topic 'z'."),
    (
        as_lines({**CLAIM, "statment": "X"}),
        "line 2: statment: There is no such field. Did you mean 'statement'?",
    ),
    (
        as_lines({**CLAIM, "evidence": [{**LINE, "level": "7"}]}),
        "line 2: evidence/0/level: '7' is not a term",
    ),
    (
        as_lines({**CLAIM, "evidence": [{**LINE, "source": "smth-2020"}]}),
        "line 2: evidence/0/source: There is no source",
    ),
    (
        as_lines({**CLAIM, "evidence": [LINE, LINE]}),
        "line 2: evidence/1: It stands in this line twice.",
    ),
    (
        as_lines({**CLAIM, "evidence": [{**LINE, "claim": "z"}]}),
        "line 2: evidence/0/claim: It stands in the line of",
    ),
    (as_lines({**CLAIM, "evidence": {}}), "line 2: evidence: This is a list of records."),
    (as_lines({**CLAIM, "evidence": [1]}), "line 2: evidence/0: A record is an object."),
    (
        as_lines({**CLAIM, "relations": [{"type": "rivals", "target": "none"}]}),
        "line 2: relations/0/target: There is no claim",
    ),
    (
        as_lines({**CLAIM, "relations": [{"type": "rivals", "target": CLAIM["id"]}]}),
        "cannot be related to itself",
    ),
    (
        as_lines({"record": "relation", "claim": "none", "type": "rivals", "target": "good"}),
        "line 2: claim: There is no claim 'none'.",
    ),
    (as_lines({**FLAT, "claim": None}), "line 2: claim: The slug of the claim"),
    (as_lines({**FLAT, "claim": "x:y"}), "line 2: claim: The slug of the claim"),
    (as_lines({**CLAIM, "id": "X"}), "line 2: id: A slug is"),
    (
        as_lines({**CLAIM, "statement": "\x00"}),
        "line 2: statement: Text must not contain the character U+0000",
    ),
    (as_lines({**CLAIM, "state": "gone"}), "line 2: state: 'gone' is not a term"),
]


@pytest.mark.parametrize(("line", "told"), BAD, ids=[told[:60] for _, told in BAD])
def test_a_bad_record_is_reported_with_its_line_and_nothing_is_stored(
    line: bytes, told: str, untouched: Store
) -> None:
    with pytest.raises(BadImport) as caught:
        load(untouched, as_lines(TOPIC) + line.strip() + b"\n" + as_lines({**OTHER, "id": "good"}))
    assert any(said.startswith(told) or told in said for said in str(caught.value).splitlines()), (
        str(caught.value)
    )
    assert "nothing was stored" in str(caught.value)
    assert len(records(exported(untouched))) == 1


def test_bad_records_are_skipped_with_what_depends_on_them(empty: Store) -> None:
    bad_source = {**SOURCE, "id": "bad", "title": ""}
    told, reported = load(
        empty,
        as_lines(
            TOPIC,
            bad_source,
            SOURCE,
            {**CLAIM, "evidence": [LINE, {**LINE, "key": "on-bad", "source": "bad"}]},
            {
                **OTHER,
                "kind": "fact",
                "evidence": [LINE],
                "relations": [{"type": "rivals", "target": "x-causes-y"}],
            },
            {
                "record": "relation",
                "claim": "x-causes-y",
                "type": "leads_to",
                "target": "y-causes-z",
            },
        ),
        skip_bad=True,
    )
    assert (told.lines, told.records, told.stored.total(), told.reported) == (6, 10, 4, 6)
    places = [said.partition(": ")[0] + ": " + said.split(": ")[1] for said in reported]
    assert sorted(places) == [
        "line 2: title",
        "line 4: evidence/1/source",
        "line 5: evidence/0/claim",
        "line 5: kind",
        "line 5: relations/0/claim",
        "line 6: target",
    ]
    assert disagreements(empty) == []
    assert whole_claim(empty, "x-causes-y")["counts"]["evidence"] == 1


def test_an_export_without_its_bad_records_is_loaded_as_changes(
    seeded: Store, other: Store
) -> None:
    content = exported(seeded).replace(b'"kind":"causal_hypothesis"', b'"kind":"fact"', 1)
    told, reported = load(other, content, skip_bad=True)
    assert told.restored is False
    assert told.reported == len(reported) > 1
    assert told.records == told.stored.total() + told.reported
    assert disagreements(other) == []


def test_two_sources_cannot_share_an_identifier(empty: Store) -> None:
    one_doi = [identifier("10.1000/one")]
    first, second = (
        {**SOURCE, "identifiers": one_doi},
        {**SOURCE, "id": "second", "identifiers": one_doi},
    )
    with pytest.raises(
        BadImport,
        match=r"line 2: identifiers/0/value: doi:10\.1000/one belongs to the source 'smith-2020'",
    ):
        load(empty, as_lines(first, second))


def test_a_record_that_occurs_twice_is_changed(empty: Store) -> None:
    told, _ = load(empty, as_lines(OTHER, {**OTHER, "statement": "Y causes Z, often."}, OTHER))
    assert told.stored == {"claim": 3}
    assert whole_claim(empty, "y-causes-z")["statement"] == "X causes Y."
    assert disagreements(empty) == []


def test_a_proposal_is_loaded_as_a_proposal(empty: Store) -> None:
    load(
        empty,
        as_lines(
            SOURCE, {**CLAIM, "topics": [], "state": "submitted"}, {**FLAT, "state": "submitted"}
        ),
    )
    assert whole_claim(empty, "x-causes-y") is None
    with pytest.raises(BadImport, match="is submitted; what refers to it cannot be accepted"):
        load(empty, as_lines({**FLAT, "key": "more"}))
    assert disagreements(empty) == []


def test_the_number_of_problems_is_bounded(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MAX_PROBLEMS", 5)
    with pytest.raises(BadImport, match="5 problems so far; nothing was stored"):
        load(empty, b"?\n" * 100)
    told, reported = load(empty, b"?\n" * 100, skip_bad=True)
    assert told.reported == len(reported) == 100


def test_empty_files_gzipped_files_and_blank_lines(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadFile, match="is empty"):
        load(empty, b"\n\n")
    told, _ = load(empty, zipped(as_lines(TOPIC) + b"\n  \n" + as_lines(SOURCE)))
    assert (told.lines, told.stored.total()) == (2, 2)
    monkeypatch.setattr("models.transfer.jsonl_reader.MAX_LINE_BYTES", 50)
    with pytest.raises(BadFile, match="line 1 has more than 50 bytes"):
        load(empty, as_lines(TOPIC))


def test_memory_does_not_grow_with_the_file(empty: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the file, no more than a batch of it is held."""
    monkeypatch.setattr(loading, "BATCH_SIZE", 20)
    sizes: list[int] = []

    def seen(work: Any, batch: Any, lines: Any) -> None:
        sizes.append(len(batch))
        bulk_insert.store_batch(work, batch, lines)

    monkeypatch.setattr(loading, "store_batch", seen)
    load(empty, as_lines(*data.records(100, data.sentences(None))))
    assert max(sizes) <= 20 + 4
    assert len(sizes) >= 25


def test_new_claims_are_derived_the_same_as_from_the_tables(
    empty: Store, seeded: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch's own rows give the same documents as the tables, also in a restored export."""
    ours = bulk_insert.new_claims
    seen: list[str] = []

    def both(run: bulk_insert.LoadRun, batch: bulk_insert.Batch) -> claim_loader.ClaimRows:
        claims = ours(run, batch)
        derived = derive.derive_from(claim_loader.assemble(claims))
        assert derived == derive.derive(run.connection, sorted(batch.new_claims))
        seen.extend(row["claim"] for row in derived["claim_document"])
        return claims

    monkeypatch.setattr(bulk_insert, "new_claims", both)
    monkeypatch.setattr(loading, "BATCH_SIZE", 50)
    given = list(data.records(30, data.sentences(None)))
    claims = [record for record in given if record["record"] == "claim"]
    for record, target in pairwise(claims):
        on_tie = {"relation_type": "rivals", "relation_target": target["id"], "key": "on-a-tie"}
        record["evidence"] += [
            {**record["evidence"][0], **on_tie},
            {**record["evidence"][0], "key": "maybe"},
        ]
        record["evidence"][-1]["state"] = "submitted"
        record["relations"] = [{"type": "rivals", "target": target["id"]}]
    _, reported = load(empty, as_lines(*given))
    assert reported == []
    assert len(seen) == len(claims)
    assert disagreements(empty) == []
    del seen[:]
    in_every_state(seeded)
    told, _ = load(other, exported(seeded))
    assert told.restored
    assert len(seen) == len(
        [
            each
            for each in records(exported(other))
            if each.get("state") == "accepted" and each["record"] == "claim"
        ]
    )


def indexes(store: Store) -> set[tuple[str, str | None]]:
    """Return the name and columns of all indexes."""
    with store.database.read() as connection:
        seen = inspect(connection)
        return {
            (str(each["name"]), str(each["column_names"]))
            for name in seen.get_table_names()
            for each in seen.get_indexes(name)
        }


def foreign_keys(store: Store) -> set[tuple[str, str]]:
    """Return the table of all foreign keys, and all else of them."""
    with store.database.read() as connection:
        seen = inspect(connection)
        return {
            (name, str(sorted(each.items(), key=str)))
            for name in seen.get_table_names()
            for each in seen.get_foreign_keys(name)
        }


def test_a_load_into_an_empty_database_leaves_all_indexes_and_foreign_keys(empty: Store) -> None:
    before = indexes(empty), foreign_keys(empty)
    with pytest.raises(BadImport):
        load(empty, as_lines(TOPIC, {**CLAIM, "kind": "no such"}))
    assert (indexes(empty), foreign_keys(empty)) == before
    _, reported = load(empty, as_lines(TOPIC, CLAIM))
    assert reported == []
    assert (indexes(empty), foreign_keys(empty)) == before
    assert all(len(each) > 20 for each in before)


def test_foreign_keys_that_were_left_out_are_checked_at_the_end(empty: Store) -> None:
    """On SQLite they are checked at once, with the same outcome."""
    strays = [{"claim": "no-such-claim", "word": word} for word in ("one", "other")]
    written = False
    with (
        pytest.raises(IntegrityError, match=r"(?i)foreign key"),
        empty.database.write() as connection,
        without_foreign_keys(connection),
    ):
        insert_rows(connection, claim_word, strays)
        written = True
    assert written == empty.url.startswith("postgresql")
    with empty.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(claim_word)) == 0


def test_what_is_wrong_before_the_damaged_end_of_a_file_is_reported_first(empty: Store) -> None:
    topics = [{**TOPIC, "id": f"t-{number}"} for number in range(50)]
    damaged = zipped(as_lines(*([{**TOPIC, "label": ""}] * 3), *topics))[:-20]
    reported: list[str] = []
    source: Any = io.BufferedReader(io.BytesIO(damaged))
    with pytest.raises(BadFile, match="damaged"), open_input(source) as opened:
        loading.load(
            empty.database, opened, report=lambda problem: reported.append(problem.location)
        )
    assert reported == ["line 1", "line 2", "line 3"]
