"""Collections over HTTP: named by records, asked for in lists, exported alone."""

from pydantic_core import from_json

from tests.api.curating import CLAIM, NOW, Desk, a_record, native
from tests.api.requests import problem

PLACES = {"claim": "claims", "evidence": "evidence", "source": "sources", "topic": "topics"}
PARTS = ("occurrence", "relation", "evidence", "assessment")


def found(desk: Desk, path: str) -> list[str]:
    return [each["id"] for each in desk.must(200, None, "GET", f"/v1/{path}")["data"]]


def test_a_record_is_found_by_its_collection(desk: Desk) -> None:
    for slug in ("civic", "healthfc", "unused"):
        desk.accepted("collection", slug)
    for kind, path in PLACES.items():
        theirs = desk.accepted(kind, "mine", collection="civic")
        other = desk.accepted(kind, "other", collection="healthfc")
        desk.propose("anna", kind, "proposed", collection="civic")
        assert desk.must(200, None, "GET", native(kind, theirs))["collection"] == "civic"
        assert found(desk, f"{path}?collection=civic") == [theirs]
        assert found(desk, f"{path}?collection=civic,healthfc") == [theirs, other]
        assert found(desk, f"{path}?collection=unused") == []
        unknown = problem(desk.ask(None, "GET", f"/v1/{path}?collection=civik"))
        assert (unknown["status"], unknown["errors"][0]["parameter"]) == (400, "collection")
        assert unknown["errors"][0]["suggestion"] == "civic"
    # Together with other filters and orders.
    desk.accepted("claim", "on-iron", collection="civic", topics=["iron"])
    assert found(desk, "claims?collection=civic&topic=iron") == ["on-iron"]
    assert found(desk, "claims?collection=civic&sort=-updated") == ["on-iron", "mine"]
    assert found(desk, "claims?collection=civic&q=mine") == ["mine"]
    counted = desk.must(200, None, "GET", "/v1/claims/facets?by=kind&collection=civic")
    assert [term["count"] for term in counted["data"]["kind"]["terms"]] == [2]
    head, row = desk.ask(None, "GET", "/v1/sources?collection=civic&format=csv").text.splitlines()
    assert "collection" in head.split(",")
    assert "civic" in row.split(",")
    # Who takes it out finds it no more.
    for kind, path in PLACES.items():
        record = f"{CLAIM}:mine" if kind == "evidence" else "mine"
        desk.must(200, "cleo", "PATCH", native(kind, record), {"collection": None}, If_Match=NOW)
        assert record not in found(desk, f"{path}?collection=civic")
    assert desk.disagreements() == []


def test_what_is_wrong_is_told_at_its_place(desk: Desk) -> None:
    desk.accepted("collection", "civic")
    for kind in ("topic", "claim", "source", *PARTS):
        key = "ms-cause-unknown" if kind == "relation" else "mine"
        record = {"record": kind, **a_record(kind, key, collection="civik")}
        if kind in PARTS:
            record["claim"] = CLAIM
        told = problem(desk.ask("cleo", "POST", "/v1/claims:batch", {"records": [record]}))
        (error,) = told["errors"]
        assert (told["status"], error["pointer"]) == (422, "/records/0/collection")
        assert error["suggestion"] == "civic"
    for licence in ("CC BY 4.0", "CC-BY-4.0 AND", "ftp://example.org/x", "http://"):
        body = a_record("collection", "mine", licence=licence)
        told = problem(desk.ask("anna", "POST", "/v1/collections", body))
        assert (told["status"], told["errors"][0]["pointer"]) == (422, "/licence")
    for number, licence in enumerate(("CC-BY-4.0 AND (ODC-By-1.0 OR MIT)", "https://example.org")):
        body = a_record("collection", f"good-{number}", licence=licence)
        desk.must(201, "anna", "POST", "/v1/collections", body)


def test_the_export_of_one(desk: Desk) -> None:
    desk.accepted("collection", "civic")
    theirs = desk.accepted("evidence", "theirs", collection="civic")
    whole = desk.ask(None, "GET", "/v1/export")
    answer = desk.ask(None, "GET", "/v1/export?collection=civic")
    lines = [from_json(line) for line in answer.content.splitlines()]
    assert answer.headers["content-disposition"].endswith('-civic.jsonl"')
    assert len(lines) < len(whole.content.splitlines())
    assert (lines[0]["collection"], lines[0]["licences"]) == ("civic", ["CC-BY-4.0", "CC0-1.0"])
    claims = {line["id"]: line for line in lines if line["record"] == "claim"}
    assert theirs in [line["id"] for line in claims[CLAIM]["evidence"]]
    unknown = problem(desk.ask(None, "GET", "/v1/export?collection=civik"))
    assert (unknown["status"], unknown["errors"][0]["suggestion"]) == (400, "civic")
    assert desk.ask(None, "HEAD", "/v1/export?collection=civik").status_code == 400
    assert desk.ask(None, "HEAD", "/v1/export?collection=civic").status_code == 200
    # Each place was given back.
    assert desk.ask(None, "GET", "/v1/export").status_code == 200
