"""Citations over HTTP: which format is wanted, that lists stream whole, what is citable, and files
read back in.
"""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.citations import bibtex, ris, style_catalogue
from api.http.list_formats import FORMATS
from api.main import create_app
from api.settings import Settings
from models.records.source import SourceIn
from models.write import changes
from tests.api.requests import get_json, ids, problem
from tests.databases import SEEDED, SEEDED_SOURCES, Store

ARTICLE = ["singh-2009", "zamboni-2009-cnr", "zamboni-2009-jnnp"]


@pytest.mark.parametrize(
    ("accept", "sent"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/x-bibtex", "application/x-bibtex; charset=utf-8"),
        ("text/bibtex", "application/x-bibtex; charset=utf-8"),
        ("application/citeproc+json", "application/vnd.citationstyles.csl+json; charset=utf-8"),
        (
            "application/x-research-info-systems;q=0.4, application/x-bibtex;q=0.9",
            "application/x-bibtex; charset=utf-8",
        ),
        ("application/json;q=0.1, text/csv", "text/csv; charset=utf-8"),
        ("text/x-bibliography; style=ieee; locale=en-GB", "text/x-bibliography; charset=utf-8"),
        ("application/ld+json, */*;q=0.1", "application/ld+json; charset=utf-8"),
    ],
)
def test_accept_chooses_the_format(accept: str | None, sent: str, client: TestClient) -> None:
    headers = {"Accept": accept} if accept else {}
    for path in (
        "/v1/sources/doepp-2010",
        "/v1/sources",
        "/v1/claims/ccsvi-causes-ms/sources",
        "/v1/claims?status=refuted",
    ):
        answer = client.get(path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (200, sent), path
        assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize("name", FORMATS)
def test_format_means_the_same_as_accept_and_each_has_a_tag_and_a_file_name(
    name: str, client: TestClient
) -> None:
    chosen = FORMATS[name]
    asked = client.get(f"/v1/sources?format={name}")
    accepted = client.get("/v1/sources", headers={"Accept": chosen.media_types[0]})
    assert accepted.content == asked.content or not chosen.exact
    assert (
        asked.headers["content-disposition"] == f'attachment; filename="sources.{chosen.extension}"'
    )
    assert asked.headers["etag"] == f'W/"s{SEEDED}-{name}"'
    again = client.get(
        f"/v1/sources?format={name}", headers={"If-None-Match": asked.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert (
        client.get("/v1/sources", headers={"If-None-Match": asked.headers["etag"]}).status_code
        == 200
    )


def test_styles_have_tags_of_their_own(client: TestClient) -> None:
    accepts = [
        "text/x-bibliography; style=ieee",
        "text/x-bibliography; style=ieee; locale=en-GB",
        "text/x-bibliography",
    ]
    tags = [
        client.get("/v1/sources/doepp-2010", headers={"Accept": accept}).headers["etag"]
        for accept in accepts
    ]
    assert len(set(tags)) == 3


@pytest.mark.parametrize(
    ("query", "header"),
    [
        ("", '"apa";locale="en-US";tested=?1'),
        ("&style=The+Lancet&locale=en-GB", '"the-lancet";locale="en-GB";tested=?1'),
        ("&style=nature+medicine&locale=de", '"nature-medicine";locale="de-DE";tested=?0'),
        ("&style=chicago-author-date-de", '"chicago-author-date-de";locale="de-DE";tested=?0'),
    ],
)
def test_a_bibliography_says_its_style_and_whether_that_is_tested(
    query: str, header: str, client: TestClient
) -> None:
    for path in ("/v1/sources", "/v1/sources/doepp-2010", "/v1/claims/ccsvi-causes-ms"):
        answer = client.get(f"{path}?format=bibliography{query}")
        assert (answer.status_code, answer.headers["citation-style"]) == (200, header)
    assert "citation-style" not in client.get("/v1/sources?format=ris").headers


def test_remarks_are_made_where_they_are_asked_for(client: TestClient) -> None:
    path = "/v1/sources/zamboni-2009-cnr"
    plain = client.get(f"{path}?format=bibliography")
    remarked = client.get(f"{path}?format=bibliography&remarks=true")
    assert remarked.text == f"{plain.text.strip()} [DOI not verified]\n"
    accept = {"Accept": "text/x-bibliography; remarks=true"}
    assert client.get(path, headers=accept).text == remarked.text
    assert client.get(f"{path}?format=bibliography&remarks=false").text == plain.text
    assert plain.headers["etag"] != remarked.headers["etag"]


def test_styles_are_listed_and_found(client: TestClient) -> None:
    def page(query: str) -> Any:
        return get_json(client, f"/v1/citation-styles?{query}")

    first = page("limit=200&count=exact")
    names = [style["id"] for style in first["data"]]
    assert first["page"]["count"] == len(style_catalogue.search()) > 10_000
    second = page(f"limit=200&cursor={first['page']['next']}")
    assert names + [style["id"] for style in second["data"]] == [
        style.name for style in style_catalogue.search()[:400]
    ]
    assert first["locales"] == list(style_catalogue.locales())
    assert [style["id"] for style in page("q=nature+med")["data"]] == ["nature-medicine"]
    assert all(style["tested"] for style in page("tested=true&q=nature")["data"])
    nothing = page("q=zzzz")
    assert (nothing["data"], nothing["page"]["next"]) == ([], None)
    assert nothing["locales"] == first["locales"]
    last = client.get("/v1/citation-styles?q=nature+med")
    again = {"If-None-Match": last.headers["etag"]}
    assert client.get("/v1/citation-styles?q=nature+med", headers=again).status_code == 304


@pytest.mark.parametrize("cursor", ["x", "WyJhIl0", "cursor-of-another"])
def test_a_cursor_of_another_list_of_styles_is_refused(cursor: str, client: TestClient) -> None:
    answer = client.get(f"/v1/citation-styles?cursor={cursor}")
    assert (answer.status_code, problem(answer)["code"]) == (400, "bad_cursor")
    other = get_json(client, "/v1/citation-styles?q=nature&limit=1")["page"]["next"]
    answer = client.get(f"/v1/citation-styles?q=lancet&cursor={other}")
    assert (answer.status_code, problem(answer)["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize(("name", "read"), [("bibtex", bibtex.read), ("ris", ris.read)])
def test_filters_choose_the_cited_sources(name: str, read: Any, client: TestClient) -> None:
    found = read(
        client.get(f"/v1/sources?author=zamboni&year.lte=2009&format={name}").content
    ).entries
    titles = {record.record["title"] for record in found}
    assert titles == {
        get_json(client, f"/v1/sources/{slug}")["title"]
        for slug in (*ARTICLE, "zamboni-2006", "zamboni-2009-jvs")
    }
    cited = json.loads(
        client.get("/v1/claims?status=refuted&topic=causation&format=csl_json").content
    )
    own = get_json(client, "/v1/claims/ccsvi-causes-ms/sources")["data"]
    assert len(cited) == len({item["id"] for item in cited}) == len(own) > 25
    then = json.loads(
        client.get("/v1/claims?as_of=2010&status=contested&topic=causation&format=csl_json").content
    )
    assert then
    assert {item["issued"]["date-parts"][0][0] for item in then} == {2009, 2010}


def test_a_list_streams_all_pages_whatever_the_limit(empty: Store) -> None:
    with changes.begin(empty.database, actor="ada") as change:
        for number in range(450):
            record = {
                "id": f"s-{number}",
                "type": "article-journal",
                "title": f"Title {number}",
                "study_design": "cohort",
            }
            changes.put_source(
                change,
                SourceIn.model_validate(
                    {**record, "issued": "2001", "authors": [{"family": "Same"}]}
                ),
            )
    with TestClient(create_app(Settings(database_url=empty.url))) as client:
        items = json.loads(client.get("/v1/sources?format=csl_json&limit=10&sort=-title").content)
    assert [item["title"] for item in items] == sorted(
        (f"Title {number}" for number in range(450)), reverse=True
    )
    assert len({item["id"] for item in items}) == 450


def test_a_claim_is_citable_as_of_its_revision(client: TestClient) -> None:
    revision = get_json(client, "/v1/claims/ccsvi-causes-ms")["revision"]
    answer = client.get("/v1/claims/ccsvi-causes-ms?format=bibtex")
    assert answer.text.startswith("@misc{ccsvi-causes-ms,")
    assert f"revision {revision}" in answer.text
    assert "http://testserver/claims/ccsvi-causes-ms}" in answer.text
    then = client.get("/v1/claims/ccsvi-causes-ms?format=bibtex&as_of=2010")
    assert "http://testserver/claims/ccsvi-causes-ms?as_of=2010-12-31}" in then.text
    assert "'contested'" in then.text
    for node in client.get("/v1/sources?format=json_ld").json()["@graph"]:
        assert node["@id"].startswith("http://testserver/v1/sources/")
    linked = client.get("/v1/claims/ccsvi-causes-ms?format=json_ld")
    assert linked.headers["content-disposition"] == 'attachment; filename="ccsvi-causes-ms.jsonld"'
    graph = linked.json()["@graph"]
    assert {"Claim", "ClaimReview"} <= {node["@type"] for node in graph}


def test_links_for_machines_that_land_on_a_record(client: TestClient) -> None:
    source = client.get("/v1/sources/doepp-2010").headers["link"]
    assert '<https://doi.org/10.1002/ana.22085>; rel="cite-as"' in source
    assert '<https://schema.org/ScholarlyArticle>; rel="type"' in source
    assert (
        '</v1/sources/doepp-2010?format=bibtex>; rel="describedby"; type="application/x-bibtex"'
        in source
    )
    # An identifier that nobody has checked is no address to cite by.
    assert "cite-as" not in client.get("/v1/sources/zamboni-2009-jnnp").headers["link"]
    assert (
        '<https://schema.org/Claim>; rel="type"'
        in client.get("/v1/claims/ccsvi-causes-ms").headers["link"]
    )


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/sources?format=bibtx", "format"),
        ("/v1/sources?format=bibliography&style=apa8", "style"),
        ("/v1/sources?format=bibliography&locale=xx", "locale"),
        ("/v1/sources?format=bibtex&style=apa", "style"),
        ("/v1/sources?format=bibtex&remarks=true", "remarks"),
        ("/v1/sources?format=bibliography&remarks=some", "remarks"),
        ("/v1/citation-styles?tested=some", "tested"),
        ("/v1/claims?format=ris&topic=irn", "topic"),
        ("/v1/claims/facets?format=bibtex", "format"),
    ],
)
def test_what_will_not_do_is_named(path: str, parameter: str, client: TestClient) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert problem(answer)["errors"][0]["parameter"] == parameter


def parse(client: TestClient, content: bytes, query: str = "") -> Any:
    answer = client.post(f"/v1/sources:parse{query}", content=content)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (
        found["found"] == len(found["data"]) == found["new"] + found["matched"] + found["reported"]
    )
    return found


@pytest.mark.parametrize("name", ["bibtex", "ris", "csl_json"])
def test_exact_fields_are_read_only_from_our_own_entries(name: str, client: TestClient) -> None:
    found = parse(client, client.get(f"/v1/sources?format={name}").content)
    assert (found["format"], found["found"], found["matched"]) == (
        name,
        SEEDED_SOURCES,
        SEEDED_SOURCES,
    )
    assert {record["id"] for record in found["data"]} == set(ids(client, "/v1/sources"))
    assert [record["differences"] for record in found["data"] if record["differences"]] == []


def test_a_file_is_reconciled_entry_by_entry(client: TestClient) -> None:
    file = b"""
@article{a, title = {New Thing}, author = {M\\"uller, Anna and van den Berg, Jo}, year = 2021, doi = {https://doi.org/10.1000/NEW.}}
@article{b, title = {Other title}, author = {Doepp, F}, year = 2010, doi = {10.1002/ana.22085}}
@article{c, title = {New thing!}, author = {Muller, A}, year = 2021}
@article{d, author = {Nobody, N}, year = 2020}
@article{e, title = {Cut off
"""
    found = parse(client, file)
    assert (found["new"], found["matched"], found["reported"]) == (1, 2, 2)
    by_line = {record["line"]: record for record in found["data"]}
    assert (by_line[2]["outcome"], by_line[2]["id"]) == ("new", "muller-2021")
    doi = {"scheme": "doi", "value": "10.1000/new", "verification": "unverified"}
    assert by_line[2]["record"] == {
        "record": "source",
        "id": "muller-2021",
        "type": "article-journal",
        "title": "New Thing",
        "authors": [
            {"family": "Müller", "given": "Anna"},
            {"family": "Berg", "given": "Jo", "particle": "van den"},
        ],
        "issued": "2021",
        "study_design": "not_recorded",
        "identifiers": [doi],
    }
    assert by_line[3]["record"] is by_line[5]["record"] is None
    assert (by_line[3]["id"], by_line[3]["matched_by"]) == ("doepp-2010", "doi")
    assert [each["field"] for each in by_line[3]["differences"]] == ["title", "authors"]
    assert (by_line[4]["id"], by_line[4]["matched_by"]) == (
        "muller-2021",
        "title, year and first author",
    )
    assert by_line[5]["errors"][0]["pointer"] == "/title"
    assert by_line[6]["outcome"] == "reported"


def test_entries_of_one_author_and_year_get_slugs_of_their_own(client: TestClient) -> None:
    entries = "".join(
        f"@article{{k{n}, title = {{Title {n}}}, author = {{Many, A}}, year = 2001}}\n"
        for n in range(300)
    )
    found = parse(client, (entries + entries.replace("{k", "{l")).encode())
    slugs = ["many-2001", *(f"many-2001-{n}" for n in range(2, 301))]
    assert [record["id"] for record in found["data"]] == slugs * 2
    assert (found["new"], found["matched"]) == (300, 300)


def test_a_body_that_is_no_file_of_citations(client: TestClient) -> None:
    nothing = client.post("/v1/sources:parse", content=b"hello")
    assert (nothing.status_code, problem(nothing)["errors"][0]["parameter"]) == (400, "format")
    large = client.post("/v1/sources:parse", content=b"x" * 2_000_001)
    assert (large.status_code, problem(large)["code"]) == (413, "body_too_large")
    assert client.post("/v1/sources:parse?format=pdf", content=b"x").status_code == 400
    assert client.get("/v1/sources:parse").status_code == 405


def test_csl_json_of_one_source_is_an_object_and_of_a_list_a_list(client: TestClient) -> None:
    asked = {"Accept": "application/vnd.citationstyles.csl+json"}
    for path in ("/v1/sources/comi-2013", "/v1/claims/ccsvi-causes-ms"):
        found = client.get(path, headers=asked).json()
        assert found["id"] == path.rpartition("/")[2]
    assert isinstance(client.get("/v1/sources?limit=1", headers=asked).json(), list)
