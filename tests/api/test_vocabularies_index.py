"""Topics, vocabularies, the index, and whether the service is alive and ready."""

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from models import migrations
from tests.api.requests import all_claims, get_json, ids, ids_of_all_pages
from tests.databases import Store

VOCABULARIES = [
    *(
        "claim-kinds",
        "claim-origins",
        "statuses",
        "topic-roles",
        "unassessed-reasons",
        "leanings",
        "directions",
        "evidence-levels",
        "questions",
        "graded-down",
        "graded-up",
        "checked-against",
        "directness",
        "study-designs",
    ),
    *(
        "certainties",
        "relation-types",
        "version-ties",
        "title-statuses",
        "source-types",
        "contributor-roles",
        "identifier-schemes",
        "verifications",
        "integrities",
    ),
    *(
        "extractions",
        "review-states",
        "review-modes",
        "record-kinds",
        "suggested-actions",
        "flags",
        "actions",
        "roles",
        "status-rules",
        "certainty-reasons",
        *("civic-level", "grade", "iarc", "sort", "acmg"),
        "explanation-parts",
        "problems",
    ),
]


def test_every_topic_has_a_definition_and_every_claim_a_topic(client: TestClient) -> None:
    topics = get_json(client, "/v1/topics?limit=200")["data"]
    assert all(topic["label"] and len(topic["definition"]) > 10 for topic in topics)
    assert {topic for claim in all_claims(client) for topic in claim["topics"]} <= {
        topic["id"] for topic in topics
    }
    assert (
        ids_of_all_pages(client, "/v1/topics?limit=3")
        == [topic["id"] for topic in topics]
        == sorted(ids(client, "/v1/topics"))
    )


def test_every_vocabulary_is_reachable_and_defines_its_terms(client: TestClient) -> None:
    listed = get_json(client, "/v1/vocabularies")["data"]
    assert [vocabulary["name"] for vocabulary in listed] == VOCABULARIES
    for vocabulary in listed:
        whole = get_json(client, f"/v1/vocabularies/{vocabulary['name']}")
        assert {name: whole[name] for name in vocabulary} == vocabulary
        names = [term["id"] for term in whole["terms"]]
        assert len(names) == len(set(names)) > 0
        assert all(
            term["label"] and term["definition"].endswith((".", "?")) for term in whole["terms"]
        )
        assert all(isinstance(term["crosswalk"], dict) for term in whole["terms"])


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        (
            "status-rules",
            [
                *("nothing_takes_a_side", "documents_against", "documents_for"),
                *("strong_against", "strong_for", "many_null_results", "nothing_supports"),
                *("against_outranks_support", "both_sides", "better_evidence_inconclusive"),
                *("support_outranks_against", "one_body_or_weak"),
            ],
        ),
        (
            "statuses",
            [
                "refuted",
                "disputed",
                "contested",
                "unassessed",
                "unconfirmed",
                "supported",
                "established",
            ],
        ),
        ("directions", ["supports", "disputes", "inconclusive"]),
        ("evidence-levels", ["1", "2", "3", "4", "5", "not_gradable"]),
        ("certainties", ["very_low", "low", "moderate", "high"]),
        ("civic-level", ["A", "B", "C", "D", "E"]),
        ("grade", ["high", "moderate", "low", "very low"]),
    ],
)
def test_terms_stand_in_their_order(name: str, terms: list[str], client: TestClient) -> None:
    assert [term["id"] for term in get_json(client, f"/v1/vocabularies/{name}")["terms"]] == terms


def test_terms_name_their_like_in_other_schemes(client: TestClient) -> None:
    types = {
        term["id"]: term["crosswalk"]
        for term in get_json(client, "/v1/vocabularies/source-types")["terms"]
    }
    assert types["book"]["csl"] == "book"
    assert types["book"]["ris"] == "BOOK"


def test_every_status_that_a_claim_has_comes_from_a_rule_that_is_served(client: TestClient) -> None:
    rules = {
        term["id"]: term["crosswalk"]["statuses"]
        for term in get_json(client, "/v1/vocabularies/status-rules")["terms"]
    }
    for claim in all_claims(client):
        assert rules[claim["status_rule"]] == claim["status"]


@pytest.mark.parametrize("path", ["/", "/v1"])
def test_the_index_says_what_this_is_and_where_things_are(path: str, client: TestClient) -> None:
    index = get_json(client, path)
    assert index["name"] == "Claimbase"
    assert index["notice"].startswith("This is a record of published evidence, not medical advice.")
    assert index["licences"] == {"code": "MIT", "content": "CC0-1.0"}
    assert index["serial"] > 100
    assert index["version"] == client.get("/openapi.json").json()["info"]["version"]
    assert {
        "claims",
        "facets",
        "evidence",
        "sources",
        "topics",
        "vocabularies",
        "openapi",
        "docs",
    } <= set(index["links"])
    for link in index["links"].values():
        assert client.get(link).status_code == 200


def test_healthz_and_readyz_are_well_on_a_migrated_database(client: TestClient) -> None:
    assert get_json(client, "/healthz") == {"status": "ok"}
    assert get_json(client, "/readyz")["status"] == "ok"


@pytest.mark.parametrize("at", ["0001", "base"])
def test_a_database_that_is_not_migrated_is_alive_but_not_ready(at: str, empty: Store) -> None:
    if at == "base":
        migrations.migrate(empty.database, at)
    else:
        with empty.database.write() as connection:
            connection.exec_driver_sql("DROP TABLE claim_document")
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with TestClient(
        create_app(Settings(database_url=empty.url)), raise_server_exceptions=False
    ) as client:
        assert get_json(client, "/healthz") == {"status": "ok"}
        for path in ("/readyz", "/v1/claims", "/v1/claims/a", "/v1/claims/facets"):
            answer = client.get(path)
            assert answer.status_code == 503, f"{path}: {answer.text}"
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "unavailable"
            assert "migrate" in answer.json()["detail"]


def test_a_crosswalk_of_a_rating_scheme_leads_to_a_term(client: TestClient) -> None:
    led = 0
    for scheme in ("civic-level", "grade", "iarc", "sort", "acmg"):
        found = get_json(client, f"/v1/vocabularies/{scheme}")
        assert found["reference"].startswith("https://")
        for term in found["terms"]:
            for vocabulary, other in term["crosswalk"].items():
                terms = get_json(client, f"/v1/vocabularies/{vocabulary}")["terms"]
                assert other in {each["id"] for each in terms}
                led += 1
    assert led == 4
