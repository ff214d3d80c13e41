"""What topics are in the statement of a claim, over HTTP: written, changed, merged, found by it."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.curating import NOW, Desk
from tests.api.requests import problem

TOPICS = ["ccsvi", "multiple-sclerosis"]
ROLES = [
    {"topic": "ccsvi", "role": "subject"},
    {"topic": "multiple-sclerosis", "role": "object"},
]
SWAPPED = [{**ROLES[0], "role": "object"}, {**ROLES[1], "role": "subject"}]


def found(desk: Desk, query: str) -> set[str]:
    listed = desk.must(200, None, "GET", f"/v1/claims?limit=100&{query}")["data"]
    return {each["id"] for each in listed}


def test_a_claim_is_found_by_what_its_topics_are_in_it(desk: Desk) -> None:
    one = desk.accepted("claim", "one", topics=TOPICS, topic_roles=ROLES)
    other = desk.accepted("claim", "other", topics=TOPICS, topic_roles=SWAPPED)
    assert desk.must(200, None, "GET", f"/v1/claims/{one}")["topic_roles"] == ROLES
    assert desk.must(200, None, "GET", f"/v1/claims/{one}")["topics"] == TOPICS
    assert found(desk, "topic_role=subject:ccsvi") & {one, other} == {one}
    assert found(desk, "topic_role=object:ccsvi") == {other}
    assert found(desk, "topic_role=object:ccsvi,subject:ccsvi") >= {one, other}
    assert found(desk, "topic_role=object:ccsvi&topic=multiple-sclerosis") == {other}
    assert found(desk, "topic_role=object:ccsvi&topic=iron") == set()
    assert found(desk, "topic=ccsvi") >= {one, other}
    assert found(desk, "topic_role=object:ccsvi&as_of=2020-01-01&status=unassessed") <= {other}
    assert desk.disagreements() == []


def test_roles_are_changed_and_merged(desk: Desk) -> None:
    one = desk.accepted("claim", "one", topics=TOPICS, topic_roles=ROLES)
    other = desk.accepted("claim", "other", topics=["iron"])
    path = f"/v1/claims/{other}"
    both = [{"topic": "iron", "role": "outcome"}, {"topic": "iron", "role": "object"}]
    desk.must(200, "cleo", "PATCH", path, {"topic_roles": both}, If_Match=NOW)
    assert found(desk, "topic_role=outcome:iron") == {other}
    merged = {"into": other}
    desk.must(200, "cleo", "POST", f"/v1/claims/{one}:merge", merged, If_Match=NOW)
    claim = desk.must(200, None, "GET", path)
    assert claim["topic_roles"] == [*both, *ROLES]
    assert claim["topics"] == ["ccsvi", "iron", "multiple-sclerosis"]
    desk.must(200, "cleo", "PATCH", path, {"topic_roles": []}, If_Match=NOW)
    assert found(desk, "topic_role=outcome:iron") == set()
    assert desk.disagreements() == []


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"topic_roles": [*ROLES, ROLES[0]]}, "/topic_roles/2", "repeated_term"),
        ({"topic_roles": [{**ROLES[0], "topic": "iron"}]}, "/topic_roles/0/topic", "not_a_topic"),
        ({"topic_roles": [{**ROLES[0], "role": "cause"}]}, "/topic_roles/0/role", "unknown_term"),
        ({"topics": ["ccsvi"]}, "/topic_roles/1/topic", "not_a_topic"),
    ],
)
def test_a_role_that_does_not_fit_is_told_with_its_place(
    changes: dict[str, Any], pointer: str, code: str, desk: Desk
) -> None:
    claim = desk.accepted("claim", "one", topics=TOPICS, topic_roles=ROLES)
    answer = desk.ask("cleo", "PATCH", f"/v1/claims/{claim}", changes, If_Match=NOW)
    (fault,) = problem(answer)["errors"]
    assert (answer.status_code, fault["pointer"], fault["code"]) == (422, pointer, code)


@pytest.mark.parametrize("value", ["ccsvi", "subject:", ":ccsvi", "cause:ccsvi", "subject:C C"])
def test_a_malformed_role_is_told(value: str, client: TestClient) -> None:
    answer = client.get("/v1/claims", params={"topic_role": value})
    assert answer.status_code == 400
    assert problem(answer)["errors"][0]["parameter"] == "topic_role"


def test_the_seed_content_says_what_causes_what(client: TestClient) -> None:
    listed = client.get("/v1/claims?topic_role=subject:ccsvi&topic=multiple-sclerosis").json()
    assert {each["id"] for each in listed["data"]} == {"ccsvi-causes-ms", "ccsvi-commoner-in-ms"}
    assert client.get("/v1/claims?topic_role=object:ccsvi").json()["data"] == []


@pytest.mark.parametrize("form", ["bibtex", "csl_json", "json_ld"])
def test_a_claim_with_roles_and_ids_can_be_cited(form: str, desk: Desk) -> None:
    ids = [{"scheme": "civic", "value": "EID1"}]
    claim = desk.accepted("claim", "one", topics=TOPICS, topic_roles=ROLES, external_ids=ids)
    assert desk.ask(None, "GET", f"/v1/claims/{claim}?format={form}").status_code == 200
