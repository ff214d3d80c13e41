"""Schemathesis over every operation: requests made from the OpenAPI document, good and bad, answers
held against it.
"""

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.main import create_app
from api.settings import Settings
from models.core.dates import now
from models.database.connections import file_url
from tests.databases import on_one_database

# Files of citations are sent as they are.
for media_type in ("application/x-bibtex", "application/x-research-info-systems"):
    schemathesis.serializer.alias(media_type, "text/plain")

# The document is the same on every database, and making it opens none.
DOCUMENT = create_app(
    Settings(database_url=file_url(Path(tempfile.gettempdir()) / "never-opened.db"))
)
# The same requests in every run; none is kept on disk.
STEADY: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}
# An address that breaks a rule may also be too long, which is told first; and so is a key that is
# missing.
REJECTED = {
    "negative_data_rejection": {"expected-statuses": [400, 401, 404, 405, 406, 414, 415, 422, 429]},
    # Its keys are good for nothing, which is told first, and after some of them nothing else is.
    "missing_required_header": {"expected-statuses": [401, 428, 429]},
}


# The edges of each schema are made when tests are collected, by each process of a run, also of one
# that leaves these tests out. So the default suite tries those of a few operations, one of each
# manner, and the slow suite those of all, in test_every_edge.
NO_EDGES: dict[str, Any] = {"coverage": {"enabled": False}}
WITH_EDGES = ["list_claims", "get_topic", "parse_sources", "create_topic", "change_evidence"]
ANY_REQUEST: dict[str, Any] = {
    "seed": 1,
    "checks": {**REJECTED, "positive_data_acceptance": {"enabled": False}},
}


def load(**config: Any) -> Any:
    """Return the operations of the OpenAPI document, under a configuration of Schemathesis; a
    stream would never end.
    """
    operations = schemathesis.openapi.from_asgi(
        "/openapi.json", DOCUMENT, config=schemathesis.Config.from_dict(config)
    )
    return operations.exclude(operation_id="stream_changes")


def needs_key(context: Any) -> bool:
    """Say whether nobody may use an operation without a key.

    Here nobody has one, so that such a request is refused before any record is read, and the same
    way on every database: it is made on one of them.
    """
    return {} not in (context.operation.definition.raw["security"] or [{}])


any_request = load(**ANY_REQUEST, phases=NO_EDGES)
with_edges = load(**ANY_REQUEST).include(operation_id=WITH_EDGES)


def served(client: TestClient) -> ASGIApp:
    """Return the application of a client, which other tests use too, without a life of its own.

    Each call would start it and end it again.
    """
    app = client.app

    async def without_life(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for kind in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{kind}.complete"})

    return without_life


def keep_to_the_present(case: Any) -> None:
    """Let a request not ask for a state that is yet to come: 503 would be the right answer."""
    if str((case.query or {}).get("min_serial", "")).isdecimal():
        case.query["min_serial"] = 7


def check_declared(case: Any, client: TestClient) -> None:
    keep_to_the_present(case)
    if case.operation.path.endswith(":parse"):
        # What a file of citations is, no schema can tell; that no file does harm is told here, and
        # in tests/formats.
        assert case.call(app=served(client)).status_code in (200, 400, 405, 406, 413, 414)
        return
    # A parameter without a value counts as not given, whatever its schema says.
    is_blank = any(value in ("", [""]) for value in (case.query or {}).values())
    excluded = [negative_data_rejection] if is_blank else []
    case.call_and_validate(app=served(client), excluded_checks=excluded)


@on_one_database
@any_request.include(needs_key).parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=1, **STEADY)
def test_every_operation_that_needs_a_key_answers_as_it_declares(
    case: Any, client: TestClient
) -> None:
    check_declared(case, client)


@any_request.exclude(needs_key).parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=3, **STEADY)
def test_every_operation_answers_as_it_declares(case: Any, client: TestClient) -> None:
    check_declared(case, client)


@with_edges.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=1, **STEADY)
def test_the_edges_of_some_operations(case: Any, client: TestClient) -> None:
    check_declared(case, client)


# Other requests in every run. What fails is told with the number that makes them again.
RANDOM_SEED = random.SystemRandom().randrange(2**32)
other_request = load(
    seed=RANDOM_SEED,
    checks={**REJECTED, "positive_data_acceptance": {"enabled": False}},
    phases=NO_EDGES,
)


@pytest.mark.slow
@other_request.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
def test_no_request_at_all_is_a_fault_of_ours(case: Any, client: TestClient) -> None:
    keep_to_the_present(case)
    answer = case.call(app=served(client))
    # A database may be busy, but is never broken, and the process never is.
    assert answer.status_code < 500, f"with the seed {RANDOM_SEED}: {answer.text}"


# What a schema cannot know: records that are stored.
STORED: dict[str, list[Any]] = {
    "as_of": ["2012-06"],
    "assessment": ["opening-veins-helps-ms:nice-2019"],
    "asserted_by": ["zamboni", "article"],
    "cited_by": ["article-ccsvi-explained"],
    "cites": ["singh-2009"],
    "claim": ["ccsvi-causes-ms", "iron-from-slow-venous-flow"],
    "document": ["article-ccsvi-explained"],
    "exclude": ["doepp-2010"],
    "external_id": ["civic:EID1"],
    "erratum_to": ["siddiqui-2014"],
    "from": ["2010"],
    "identifier": ["doi:10.1002/ana.22085", "pmid:19724286"],
    "part_of": ["zamboni-2018"],
    "pools": ["siddiqui-2014"],
    "published.gte": ["2009-02"],
    "published.lte": ["2019"],
    "preprint_of": ["yang-2023"],
    "retracts": ["chafe-2011"],
    "concern_about": ["zamboni-2009-jnnp"],
    "serial": [7],
    "since": [7],
    "to": ["2018-02-28"],
    "evidence": ["ccsvi-causes-ms:doepp-2010"],
    "record": ["ccsvi-causes-ms:doepp-2010"],
    "occurrence": ["ccsvi-causes-ms:c06"],
    "relation": ["ccsvi-causes-ms:presupposes:ms-cause-unknown"],
    "name": ["statuses", "status-rules"],
    "style": ["apa"],
    "locale": ["en-GB"],
    "min_serial": [7],
    "source": ["doepp-2010", "doi:10.1016/S0140-6736(13)61747-X", "pmid:19724286"],
    "topic": ["iron", "ccsvi"],
    "topic.ne": ["treatment"],
    "topic_role": ["subject:ccsvi"],
    "version_of": ["cochrane-2012"],
    "without": ["ferrara"],
    "updated.gte": ["2001"],
    "updated.lte": ["2999-12-31T23:59:59Z"],
}
# What a good request may get instead of an answer with 200, by the end of the path.
OTHER_ANSWERS = {
    # The seed has none of these.
    "/{collection}": (404, 414),
    "/{suggestion}": (404, 414),
    "/{comment_id}": (404, 414),
    "/text": (404, 414),
    # Whether a body is a file of citations is more than a schema can tell.
    ":parse": (200, 400, 414),
    # It needs a text or sentences, and not both.
    ":match": (200, 422),
}
good_request = load(
    seed=2,
    generation={"mode": "positive", "allow-x00": False},
    phases=NO_EDGES,
)


@on_one_database
@good_request.include(needs_key).parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=1, **STEADY)
def test_every_good_request_without_its_key_is_refused(case: Any, client: TestClient) -> None:
    # Those with a key are made in test_roles; here nobody has one, or has a made-up one.
    assert case.call(app=served(client)).status_code in (401, 429)


@good_request.exclude(needs_key).parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=4, **STEADY)
# Each branch is a rule between parameters, which no schema can state.
def test_every_good_request_for_what_is_stored_succeeds(case: Any, client: TestClient) -> None:
    case.query.pop("cursor", None)
    # The seed has no collection.
    case.query.pop("collection", None)
    if "include" in case.query:
        # What waits for a review is for those who have a key.
        case.query["include"] = [each for each in case.query["include"] if each != "submitted"]
    if "known_at" in case.query and case.operation.path.endswith("/evidence"):
        case.query = {
            name: value for name, value in case.query.items() if name in ("known_at", "as_of")
        }
    if case.query.get("format") != "bibliography":
        styling = ("style", "locale", "remarks")
        case.query = {name: value for name, value in case.query.items() if name not in styling}
    if case.query.get("format") != "csv":
        case.query.pop("bom", None)
    if not str(case.query.get("q", "")).strip():
        # There is relevance, and something to mark, only where somebody searches.
        case.query.pop("highlight", None)
        case.query.pop("match", None)
        if "sort" in case.query:
            case.query["sort"] = [each for each in case.query["sort"] if "relevance" not in each]
    stored = {**STORED, "known_at": [now()]} | (
        {"kind": ["evidence"]} if "kind" in case.path_parameters else {}
    )
    for place in (case.query, case.path_parameters):
        for name in place.keys() & stored.keys():
            # As many as were made up, so that the choice stays with the examples.
            wanted = (
                stored[name][: len(place[name])]
                if isinstance(place[name], list)
                else stored[name][0]
            )
            place[name] = wanted
    response = case.call(app=served(client))
    other = [name for name in OTHER_ANSWERS if case.operation.path.endswith(name)]
    allowed = OTHER_ANSWERS[other[0]] if other else (200, 414)
    assert response.status_code in allowed, response.text
    if not other or response.status_code == 404:
        case.validate_response(response)
