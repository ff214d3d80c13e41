"""The OpenAPI document is complete, and its examples are what the API says."""

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.openapi import FOLDER, REQUESTS, example, requests
from api.main import SHOWN_HEADERS, create_app
from api.settings import Settings
from models.database.connections import file_url
from tests.api import write_examples
from tests.api.curating import CLAIM, Desk
from tests.api.examples import BODIES, CURATING_EXAMPLES, EXAMPLES, KEY_EXAMPLES
from tests.api.write_examples import WRITES, send
from tests.crossing import unlisted
from tests.databases import Store
from tests.shards import recorded

# They differ from one database to the next.
VARYING = ("created", "updated", "version", "at")

# Writes that tell the record after them share the example of a record; keys have examples of their
# own.
TELLING = {
    "create",
    "replace",
    "change",
    "carry",
    "delete",
    "accept",
    "reject",
    "purge",
    "merge",
    "undo",
    "propose",
}


def _steady(answer: Any) -> Any:
    if isinstance(answer, list):
        return [_steady(item) for item in answer]
    if isinstance(answer, dict):
        return {name: "…" if name in VARYING else _steady(value) for name, value in answer.items()}
    return answer


@pytest.mark.parametrize("operation", EXAMPLES)
def test_an_example_is_the_response_of_the_api(
    operation: str, client: TestClient, pytestconfig: pytest.Config
) -> None:
    body = BODIES.get(operation)
    json_body = {"Content-Type": "application/json"}
    response = (
        client.post(EXAMPLES[operation], content=body, headers=json_body)
        if body
        else client.get(EXAMPLES[operation])
    )
    assert response.status_code == 200
    if pytestconfig.getoption("--write-examples"):
        text = json.dumps(response.json(), indent=2, ensure_ascii=False)
        (FOLDER / f"{operation}.json").write_text(text + "\n", encoding="utf-8")
    assert _steady(example(operation)) == _steady(response.json())


def test_each_operation_has_an_example_and_declares_its_errors(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    shared = document["components"]["responses"]
    operations = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
    }
    pictures = {
        "draw_timeline",
        "draw_chain",
        "draw_badge",
        "get_source_text",
        "stream_changes",
        "export",
    }  # And what else is not JSON.
    telling = {name for name in operations if name.partition("_")[0] in TELLING} - set(KEY_EXAMPLES)
    telling.add("get_comment")
    assert (
        set(operations)
        == set(EXAMPLES) | set(KEY_EXAMPLES) | set(CURATING_EXAMPLES) | pictures | telling
    )
    for name, operation in operations.items():
        answers = {
            status: shared[answer["$ref"].rpartition("/")[2]] if "$ref" in answer else answer
            for status, answer in operation["responses"].items()
        }
        if name not in pictures:
            answered = "201" if "201" in answers else "200"
            shown = answers[answered]["content"]["application/json"]["example"]
            record = example("get_record")
            del record["conflict_of_interest"]
            of_records = [
                record,
                {"data": [record]},
                {"data": [{**record, "possible_duplicates": None}]},
                {**record, "possible_duplicates": []},
                {**record, "filled": [], "differences": []},
            ]
            assert shown in (of_records if name in telling else [example(name)])
        assert {"400", "414", "500", "503"} <= set(answers)
        for status, answer in answers.items():
            if status >= "400":
                assert list(answer["content"]) == ["application/problem+json"]


def test_simultaneous_first_requests_all_succeed(seeded: Store) -> None:
    # A 405 looks into the document, too, so that a fresh server may be asked for it by several at
    # once.
    app = create_app(Settings(database_url=seeded.url))
    with TestClient(app, raise_server_exceptions=False) as client, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.post("/v1/claims/ccsvi-causes-ms"), range(8)))
    assert {(answer.status_code, answer.headers["allow"]) for answer in answers} == {
        (405, answers[0].headers["allow"])
    }


@cache
def any_document() -> dict[str, Any]:
    """Return the document, which is the same on every database; making it opens none."""
    nowhere = file_url(Path(tempfile.gettempdir()) / "never-opened.db")
    document: dict[str, Any] = create_app(Settings(database_url=nowhere)).openapi()
    return document


# The same code writes to both databases; other tests hold it there.
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("operation", WRITES)
def test_a_write_is_accepted_as_its_example_shows_it(
    operation: str, desk: Desk, pytestconfig: pytest.Config
) -> None:
    write = WRITES[operation]
    document = any_document()
    for who, earlier in write.before:
        assert send(desk, document, earlier, who).is_success
    if pytestconfig.getoption("--write-examples"):
        written = json.loads(REQUESTS.read_text(encoding="utf-8"))
        written[operation] = write_examples.shown(desk, document, operation)
        text = json.dumps(dict(sorted(written.items())), indent=2, ensure_ascii=False)
        REQUESTS.write_text(text + "\n", encoding="utf-8")
        requests.cache_clear()
        any_document.cache_clear()
        document = any_document()
    with recorded() as statements:
        answer = send(desk, document, operation, write.who)
    assert answer.is_success, answer.text
    # On Citus they would ask one shard, or are listed.
    assert unlisted(statements) == []


def test_what_an_answer_has_in_its_head_is_declared(client: TestClient) -> None:
    document = any_document()
    for operation, path in {**EXAMPLES, "draw_badge": f"/v1/claims/{CLAIM}/badge.svg"}.items():
        method, _, declared = write_examples.path_of(document, operation)
        if method == "get":
            for accept in ("application/json, image/svg+xml", "text/x-bibliography;q=1, */*;q=0.5"):
                answer = client.get(path, headers={"Accept": accept})
                names = {each.title() for each in answer.headers} & {
                    each.title() for each in SHOWN_HEADERS
                }
                headers = declared["responses"]["200"]["headers"]
                assert names <= {each.title() for each in headers}, operation
                assert "Etag" in names or "ETag" not in headers, operation


def _without_examples(document: Any) -> Any:
    if isinstance(document, list):
        return [_without_examples(each) for each in document]
    if isinstance(document, dict):
        kept = (name for name in document if name not in ("example", "examples"))
        return {name: _without_examples(document[name]) for name in kept}
    return document


def test_each_schema_stands_once_and_by_a_name_that_generators_take() -> None:
    document = any_document()
    schemas = document["components"]["schemas"]
    lists = [tuple(schema["enum"]) for schema in schemas.values() if "enum" in schema]
    assert len(lists) == len(set(lists)) > 40
    assert not {"Index", "Record", "Date"} & set(schemas)
    assert all(name.isalnum() for name in schemas)
    assert schemas["ClaimPage"]["properties"]["data"]["items"]["$ref"].endswith("/Claim")
    assert {"id", "statement", "status", "note"} <= set(schemas["Claim"]["required"])
    assert not {"evidence", "web_page"} & set(schemas["Claim"]["required"])
    assert schemas["PartialClaim"]["properties"] == schemas["Claim"]["properties"]
    assert "required" not in schemas["PartialClaim"]
    assert schemas["PartialSource"]["properties"] == schemas["FoundSource"]["properties"]
    # Table Schema has `enum`, too, so that the example of a data package has it.
    text = json.dumps(_without_examples(document["paths"]))
    assert "*/*" not in text
    assert '"enum"' not in text.replace('"enum": ["*"]', "").replace('"enum": ["body"]', "")
