"""The reference list of a source: what it cites, where, and who finds it by that."""

import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError

from api.main import create_app
from api.settings import Settings
from models.core.errors import InvalidRecord, record_faults
from models.records.record_types import RECORD_TYPES, read_record
from models.records.serializers import Row
from models.records.works import in_order_of_ties
from models.transfer.load import BadImport
from models.transfer.quote_check import check_quotes
from models.write import changes
from models.write.merge import merge
from tests.api.requests import get_json, ids
from tests.databases import Store
from tests.models.exports import as_lines, disagreements, exported, load, records
from tests.records import CURATOR, a_source

TEXT = "Sources: A, 2009. B, 2010."
SHA = {"text_sha256": "0" * 64}
A: Row = {"source": "a", "quote": "A, 2009.", "start": 9, "end": 17}
B: Row = {"source": "b", "quote": "B, 2010."}


def store(store: Store, *sources: Row) -> None:
    with changes.begin(store.database, actor="ada") as change:
        for source in sources:
            changes.put_source(change, a_source(**source))


def cites_of(store: Store, slug: str) -> list[Row]:
    with store.database.read() as connection:
        body = read_record(connection, RECORD_TYPES["source"], slug)
    assert body is not None
    found: list[Row] = body["cites"]
    return found


def listing(slug: str, *cites: Row, **more: str) -> Row:
    return {"id": slug, "cites": list(cites), **more}


@pytest.mark.parametrize(
    ("cites", "at", "code"),
    [
        ([{"source": "x"}], "cites/0/source", "repeated_citation"),
        ([A, B, {"source": "a"}], "cites/2/source", "repeated_citation"),
        ([{**A, "end": 18}], "cites/0", "anchor"),
        ([{**A, "end": None}], "cites/0", "anchor"),
        ([{**A, "quote": None}], "cites/0", "anchor"),
        ([{"quote": "A"}], "cites/0/source", "missing"),
    ],
)
def test_a_bad_list_is_refused_with_the_place(cites: list[Row], at: str, code: str) -> None:
    with pytest.raises(ValidationError) as error:
        a_source("x", cites=cites)
    assert [(fault.at, fault.code) for fault in record_faults(error.value)] == [(at, code)]


def test_the_sources_that_the_article_lists_can_be_asked_for(seeded: Store) -> None:
    with TestClient(create_app(Settings(database_url=seeded.url))) as client:
        article = get_json(client, "/v1/sources/article-ccsvi-explained")
        listed = ["singh-2009", "zamboni-2009-cnr", "zamboni-2009-jnnp"]
        assert [cited["source"] for cited in article["cites"]] == listed
        assert article["cites"][0]["quote"].startswith("Singh AV, Zamboni P. J Cereb")
        assert article["main_claim"] == "ccsvi-causes-ms"
        found = ids(client, "/v1/sources?cited_by=article-ccsvi-explained&sort=id")
        assert found == listed
        assert ids(client, "/v1/sources?cites=doi:10.1038/jcbfm.2009.180") == [article["id"]]
        assert ids(client, "/v1/sources?cited_by=singh-2009") == []
        graph = get_json(client, "/v1/sources/article-ccsvi-explained?format=json_ld")
        (node,) = graph["@graph"]
        assert [each.rpartition("/")[2] for each in node["citation"]] == listed


def test_a_list_names_sources_that_are_there_and_may_be_answered(empty: Store) -> None:
    with pytest.raises(InvalidRecord) as error:
        store(empty, listing("x", A))
    assert [(fault.at, fault.code) for fault in error.value.faults] == [
        ("cites/0/source", "unknown_reference")
    ]
    # Two works of one issue may cite each other.
    store(empty, {"id": "a"}, {"id": "b"}, listing("x", B, A), listing("a", {"source": "x"}))
    assert [cited["source"] for cited in cites_of(empty, "x")] == ["b", "a"]
    assert disagreements(empty) == []


def test_lists_survive_an_export_and_a_load_in_any_order(empty: Store, other: Store) -> None:
    store(empty, {"id": "a"}, {"id": "b"}, listing("x", A, B), listing("first", {"source": "x"}))
    sources = [each for each in records(exported(empty)) if each["record"] == "source"]
    load(other, as_lines(*reversed(sources)))
    assert cites_of(other, "x") == cites_of(empty, "x")
    assert disagreements(other) == []


def test_a_circle_is_restored_and_told_of_where_it_is_loaded_as_changes(
    empty: Store, other: Store
) -> None:
    store(empty, {"id": "a"}, listing("x", A), listing("a", {"source": "x"}))
    lines = exported(empty)
    sources = [each for each in records(lines) if each["record"] == "source"]
    with pytest.raises(BadImport, match="cannot be stored before this one"):
        load(other, as_lines(*sources))
    load(other, lines)
    assert exported(other) == lines
    assert disagreements(other) == []


def test_mergers_take_lists_along(empty: Store) -> None:
    store(empty, {"id": "a"}, {"id": "b"}, {"id": "c"})
    store(empty, listing("x", A, **SHA), listing("y", {"source": "c"}), listing("z", A, B))
    for old, into in (("x", "y"), ("a", "b"), ("c", "b")):
        with changes.begin(empty.database, actor="ada") as change:
            merge(change, CURATOR, RECORD_TYPES["source"], old, into)
    assert [cited["source"] for cited in cites_of(empty, "z")] == ["b"]
    (moved,) = cites_of(empty, "y")
    assert (moved["source"], moved["start"]) == ("b", None)
    assert disagreements(empty) == []


def test_quoted_references_are_checked_as_other_quotes_are(empty: Store) -> None:
    store(empty, {"id": "a"}, {"id": "b"}, listing("x", A, {**B, "quote": "C, 2011."}))
    with empty.database.read() as connection:
        _, verdicts = check_quotes(connection, "x", TEXT)
    assert [(each.id, each.outcome) for each in verdicts] == [
        ("source/x/cites/0", "exact"),
        ("source/x/cites/1", "orphan"),
    ]


def test_sources_come_after_those_that_they_are_tied_to() -> None:
    cites = {"a": ["b", "absent"], "b": ["c", "a"], "c": [], "d": ["c"]}
    bodies: list[Row] = [
        {"id": slug, "versions": [], "cites": [{"source": other} for other in others]}
        for slug, others in cites.items()
    ]
    assert in_order_of_ties(bodies) == ["c", "b", "a", "d"]
