"""Whatever is asked badly is answered by problem+json with the right 4xx, the parameter named and
what would do.
"""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.api.requests import get_json, problem

STATUSES = [
    "refuted",
    "disputed",
    "contested",
    "unassessed",
    "unconfirmed",
    "supported",
    "established",
]
SCHEMES = ["doi:", "pmid:", "pmcid:", "isbn:", "nct:", "uri:"]
TERM, FIELD, VALUE = "invalid_parameter", "unknown_parameter", "unknown_value"
CURSOR, IDENTIFIER = "bad_cursor", "malformed_identifier"


@pytest.fixture(scope="module")
def codes(client: TestClient) -> set[str]:
    return {term["id"] for term in get_json(client, "/v1/vocabularies/problems")["terms"]}


@dataclass
class Bad:
    """What is asked, and what must be said: the code, the parameter, what stands in `allowed`, the
    suggestion.
    """

    path: str
    code: str
    parameter: str | None = None
    allowed: tuple[str, ...] | list[str] = ()
    suggestion: str | None = None
    status: int = 400


MANY = ",".join(["refuted"] * 51)
BAD = [
    # Parameters that are not there.
    Bad(
        "/v1/claims?statsu=refuted", FIELD, "statsu", ["status", "kind", "sort", "limit"], "status"
    ),
    Bad("/v1/claims?evidence_level.lt=3", FIELD, "evidence_level.lt", (), "evidence_level.lte"),
    Bad("/v1/claims?status_ne=refuted", FIELD, "status_ne", (), "status.ne"),
    Bad("/v1/claims?offset=5", FIELD, "offset", ["cursor"]),
    Bad("/v1/claims?=x", FIELD, ""),
    Bad("/v1/claims/facets?limit=3", FIELD, "limit", ["by"]),
    Bad("/v1/claims/ccsvi-causes-ms?field=id", FIELD, "field", ["fields"], "fields"),
    Bad(
        "/v1/claims/ccsvi-causes-ms/relations?dept=1",
        FIELD,
        "dept",
        ["depth", "direction", "type"],
        "depth",
    ),
    Bad("/v1/evidence?levle=1", FIELD, "levle", (), "level"),
    Bad("/v1/sources?authr=x", FIELD, "authr", (), "author"),
    Bad("/v1/sources/doepp-2010/claims?statsu=x", FIELD, "statsu", (), "status"),
    Bad("/v1/topics?q=x", FIELD, "q", ["limit", "cursor", "count"]),
    # Terms that are not in their vocabulary.
    Bad("/v1/claims?status=refutd", TERM, "status", STATUSES, "refuted"),
    Bad("/v1/claims?status=refuted,suported", TERM, "status", STATUSES, "supported"),
    Bad("/v1/claims?status.ne=true", TERM, "status.ne", STATUSES),
    Bad("/v1/claims?status=REFUTED", TERM, "status", STATUSES, "refuted"),
    Bad("/v1/claims?kind=mechanisms", TERM, "kind", ["definition"], "mechanism"),
    Bad(
        "/v1/claims?certainty=verylow",
        TERM,
        "certainty",
        ["very_low", "low", "moderate", "high"],
        "very_low",
    ),
    Bad("/v1/claims?evidence_level=6", TERM, "evidence_level", ["1", "5", "not_gradable"]),
    Bad("/v1/claims?evidence_level.lte=1,2", TERM, "evidence_level.lte", ["1", "2"]),
    Bad(
        "/v1/claims?direction=support",
        TERM,
        "direction",
        ["supports", "disputes", "inconclusive"],
        "supports",
    ),
    Bad(
        "/v1/claims?study_design=case-control",
        TERM,
        "study_design",
        ["case_control"],
        "case_control",
    ),
    Bad("/v1/claims?sort=nope", TERM, "sort", ["id", "-id", "status", "-updated"]),
    Bad("/v1/claims?sort=-statsu", TERM, "sort", (), "-status"),
    Bad("/v1/claims?fields=nope", TERM, "fields", ["id", "status", "evidence"]),
    Bad(
        "/v1/claims?include=nope",
        TERM,
        "include",
        ["occurrences", "evidence", "sources", "relations", "assessments"],
    ),
    Bad("/v1/claims?include=source", TERM, "include", (), "sources"),
    Bad("/v1/claims?count=yes", TERM, "count", ["exact"]),
    Bad("/v1/claims/facets?by=stauts", TERM, "by", ["status", "kind", "topic"], "status"),
    Bad("/v1/claims/ccsvi-causes-ms?fields=counted", TERM, "fields", ["counts"], "counts"),
    Bad(
        "/v1/claims/ccsvi-causes-ms/relations?direction=out",
        TERM,
        "direction",
        ["outgoing", "incoming", "both"],
    ),
    Bad(
        "/v1/claims/ccsvi-causes-ms/relations?type=lead_to",
        TERM,
        "type",
        ["leads_to", "rivals"],
        "leads_to",
    ),
    Bad(
        "/v1/sources?type=article-jurnal",
        TERM,
        "type",
        ["article-journal", "report"],
        "article-journal",
    ),
    Bad("/v1/sources?integrity=ok", TERM, "integrity", ["no_notice", "retracted"]),
    Bad("/v1/claims?has_conflict=maybe", TERM, "has_conflict"),
    Bad("/v1/sources?retracted=2", TERM, "retracted"),
    # Numbers and times.
    *(
        Bad(f"/v1/claims?limit={limit}", TERM, "limit")
        for limit in ("0", "201", "-1", "abc", "1.5", "1e2", "9" * 99)
    ),
    *(
        Bad(f"/v1/claims/ccsvi-causes-ms/relations?depth={depth}", TERM, "depth")
        for depth in ("0", "99", "-1", "x")
    ),
    *(
        Bad(f"/v1/sources?year.gte={year}", TERM, "year.gte")
        for year in ("0", "10000", "-5", "MMX", "2010.5")
    ),
    *(Bad(f"/v1/evidence?year.lte={year}", TERM, "year.lte") for year in ("0", "10000", "2010-01")),
    *(
        Bad(f"/v1/evidence?sample_size.gte={n}", TERM, "sample_size.gte")
        for n in ("2147483648", "-1", "9" * 99, "ten")
    ),
    Bad("/v1/evidence?sample_size.lte=2147483648", TERM, "sample_size.lte"),
    *(
        Bad(f"/v1/claims?updated.{operator}={moment}", TERM, f"updated.{operator}")
        for operator in ("gte", "lte")
        for moment in (
            *(
                "yesterday",
                "2026-13",
                "2026-02-30",
                "0000",
                "26",
                "2026-01-31T25:00:00Z",
                "2026-01-31T12:60:00Z",
            ),
            *(
                "2026-01-31T12:00:00",
                "2026-01-31T12:00:00%2B01:00",
                "2026-01T12:00:00Z",
                "2026-01-31%2012:00:00Z",
            ),
            "２０２６",  # Digits, but not those in which times are stored.
        )
    ),
    # Empty, unknown as well, and repeated.
    Bad("/v1/claims?stauts=", FIELD, "stauts", ["status"], "status"),
    Bad(f"/v1/claims?status={MANY}", TERM, "status"),
    Bad("/v1/claims?" + "&".join(["topic=iron"] * 51), TERM, "topic"),
    Bad("/v1/claims?limit=1&limit=2", TERM, "limit"),
    Bad("/v1/claims?has_conflict=true&has_conflict=false", TERM, "has_conflict"),
    # Records that are not stored.
    Bad("/v1/claims?topic=irn", VALUE, "topic", (), "iron"),
    Bad("/v1/claims?topic.ne=irn", VALUE, "topic.ne", (), "iron"),
    Bad("/v1/claims?asserted_by=zambony", VALUE, "asserted_by", (), "zamboni"),
    Bad("/v1/claims?source=doep-2010", VALUE, "source", (), "doepp-2010"),
    Bad("/v1/claims?document=doep-2010", VALUE, "document", (), "doepp-2010"),
    Bad("/v1/claims/facets?source=doepp-2010,yang-2032", VALUE, "source", (), "yang-2023"),
    Bad("/v1/claims?topic=%C3%A4%C3%B6", TERM, "topic"),
    Bad("/v1/claims?source=%F0%9F%92%A9", VALUE, "source"),
    Bad("/v1/evidence?claim=ccsvi-cause-ms", VALUE, "claim", (), "ccsvi-causes-ms"),
    Bad("/v1/evidence?source=doep-2010", VALUE, "source", (), "doepp-2010"),
    Bad("/v1/claims?topic=" + "a" * 101, TERM, "topic"),
    Bad("/v1/claims?source=" + "a" * 501, TERM, "source"),
    Bad("/v1/claims/ccsvi-cause-ms", "not_found", "claim", (), "ccsvi-causes-ms", 404),
    Bad("/v1/claims/ccsvi-cause-ms/evidence", "not_found", "claim", (), "ccsvi-causes-ms", 404),
    Bad("/v1/claims/ccsvi-cause-ms/relations", "not_found", "claim", (), "ccsvi-causes-ms", 404),
    Bad(
        "/v1/evidence/ccsvi-causes-ms:doep-2010",
        "not_found",
        "evidence",
        (),
        "ccsvi-causes-ms:doepp-2010",
        404,
    ),
    Bad("/v1/sources/doep-2010", "not_found", "source", (), "doepp-2010", 404),
    Bad("/v1/sources/doep-2010/claims", "not_found", "source", (), "doepp-2010", 404),
    Bad(
        "/v1/vocabularies/statusses", "not_found", "name", ["statuses", "problems"], "statuses", 404
    ),
    *(
        Bad(path, "not_found", status=404)
        for path in (
            *(
                "/v1/claims/%C3%84%E2%82%AC",
                "/v1/claims/%F0%9F%92%A9",
                "/v1/sources/%20",
                "/v1/evidence/no-colon",
            ),
            *(
                "/v1/sources/doi:10.9999/nobody",
                "/v1/sources/pmid:1",
                "/v1/sources/pmcid:PMC1",
                "/v1/claims/a%7Eb",
            ),
            *(
                "/v1/claims/'%20OR%201=1--",
                "/v1/sources/%25",
                "/v1/claims/..%2f..%2fetc%2fpasswd",
                "/v2/claims",
            ),
            # A line feed is where a pattern may end and the address may not.
            *(
                "/v1/sources/a%0Ab",
                "/v1/sources/a%0Ab/claims",
                "/v1/claims/a%0Ab",
                "/v1/evidence/a%0Ab:c",
            ),
            *(
                "/nowhere",
                "/v1//claims",
            ),
            *(
                "/docs/static/..%2f..%2fmain.py",
                "/docs/static/nope.js",
                "/docs/static/",
                "/V1/claims",
                "/redoc",
            ),
        )
    ),
    Bad("/v1/claims/" + "a" * 201, TERM, "claim"),
    Bad("/v1/evidence/" + "a" * 301, TERM, "evidence"),
    Bad("/v1/sources/" + "a" * 501, TERM, "source"),
    # Identifiers.
    *(
        Bad(f"{start}{value}", IDENTIFIER, name)
        for start, name in (
            ("/v1/sources/", "source"),
            *(
                ("/v1/claims?source=", "source"),
                ("/v1/claims?document=", "document"),
                ("/v1/evidence?source=", "source"),
            ),
        )
        for value in (
            "doi:abc",
            "doi:10.1/",
            "doi:",
            "pmid:abc",
            "pmid:0",
            "pmid:1234567890",
            "pmcid:PMC",
            "isbn:12",
        )
    ),
    Bad("/v1/sources/pmid:1２", IDENTIFIER, "source"),
    Bad("/v1/sources/arxiv:2001.1", IDENTIFIER, "source", SCHEMES),
    Bad("/v1/sources/arxiv:2001.1/claims", IDENTIFIER, "source", SCHEMES),
    Bad("/v1/claims?source=arxiv:2001.1", IDENTIFIER, "source", SCHEMES),
    Bad("/v1/claims?document=arxiv:2001.1", IDENTIFIER, "document", SCHEMES),
    # Addresses that cannot be read.
    *(
        Bad(path, "bad_encoding")
        for path in (
            *(
                "/v1/claims/%00",
                "/v1/claims/a%00b",
                "/v1/claims?topic=a%00",
                "/v1/claims?%00=a",
                "/%00",
            ),
            *(
                "/v1/claims/%ff",
                "/v1/claims?topic=%ff",
                "/v1/claims?topic=%c3",
                "/v1/sources/%c0%af",
            ),
            *("/v1/claims/%ED%A0%80", "/v1/claims?source=%ED%A0%80", "/v1/claims?cursor=%ED%BF%BF"),
        )
    ),
    *(
        Bad(path, "address_too_long", status=414)
        for path in (
            "/v1/claims?topic=" + "a" * 10_240,
            "/" + "a" * 8192,
            "/v1/claims?" + "a=b&" * 2560,
        )
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=[bad.path[:70] for bad in BAD])
def test_bad_input_is_named_and_explained(bad: Bad, client: TestClient, codes: set[str]) -> None:
    answer = client.get(bad.path)
    assert answer.status_code == bad.status, answer.text[:500]
    body = problem(answer)
    assert body["code"] == bad.code in codes
    if bad.parameter is not None:
        error = body["errors"][0]
        assert error["parameter"] == bad.parameter
        assert set(bad.allowed) <= set(error["allowed"])
        assert bad.suggestion is None or error["suggestion"] == bad.suggestion
        assert (
            bad.suggestion is None
            or bad.code not in (TERM, FIELD)
            or bad.suggestion in body["detail"]
        )


def test_every_thing_that_is_wrong_is_named_at_once(client: TestClient) -> None:
    answer = client.get("/v1/claims?statsu=x&kind=nope&limit=0&sort=nope&updated.gte=now")
    assert answer.status_code == 400
    assert {error["parameter"] for error in problem(answer)["errors"]} == {
        *("statsu", "kind", "limit", "sort", "updated.gte")
    }


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/v1?x=1",
            "/?x=1",
            "/healthz?x=1",
            "/readyz?x=1",
            "/v1/vocabularies?x=1",
            "/v1/vocabularies/statuses?x=1",
        ),
        *("/v1/sources/doepp-2010?x=1", "/v1/evidence/ccsvi-causes-ms:doepp-2010?x=1"),
    ],
)
def test_where_there_are_no_parameters_every_one_is_unknown(path: str, client: TestClient) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert problem(answer)["errors"][0]["parameter"] == "x"


def test_a_wrong_method_is_405_on_every_route_and_names_the_right_ones(client: TestClient) -> None:
    offered = {
        path: set(methods) for path, methods in client.get("/openapi.json").json()["paths"].items()
    }
    assert len(offered) >= 23
    offered |= {
        path: {"get"} for path in ("/", "/docs", "/openapi.json", "/docs/static/swagger-ui.css")
    }
    for path in offered:
        # An address may be of several templates: `/v1/claims/1:merge` could be a claim's, too.
        address = re.sub(r"{\w+}", "1", path)
        alike = [
            methods
            for other, methods in offered.items()
            if re.fullmatch(re.sub(r"{\w+}", "[^/]+", other), address)
        ]
        answered = {method.upper() for methods in alike for method in methods}
        right = {method.upper() for method in offered[path]} | (
            {"HEAD"} if "get" in offered[path] else set()
        )
        for method in {
            "GET",
            "POST",
            "PUT",
            "PATCH",
            "DELETE",
            "OPTIONS",
            "TRACE",
            "PROPFIND",
        } - answered:
            answer = client.request(method, address)
            assert answer.status_code == 405, f"{method} {path}"
            assert problem(answer)["code"] == "method_not_allowed"
            assert set(answer.headers["allow"].split(", ")) == right, f"{method} {path}"


def test_allow_lists_head_since_head_is_answered(client: TestClient) -> None:
    assert client.head("/v1/claims").status_code == 200
    assert client.delete("/v1/claims").headers["allow"].split(", ") == ["GET", "HEAD", "POST"]


def cursor_of(content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def given_cursor(client: TestClient, path: str) -> tuple[str, list[Any]]:
    """Return the cursor of a list's second page and what is in it."""
    cursor = get_json(client, path)["page"]["next"]
    return cursor, json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))


@pytest.mark.parametrize(
    "path",
    ["/v1/claims?limit=2", "/v1/claims?limit=2&sort=-evidence_count", "/v1/evidence?limit=2"],
)
def test_a_damaged_cursor_is_refused(path: str, client: TestClient) -> None:
    whole, (bound, *mark) = given_cursor(client, path)
    assert client.get(f"{path}&cursor={whole}").status_code == 200
    damaged = [
        "!",
        "a",
        "ab=c",
        "%2B%2F",
        "é",
        whole[:-3],
        whole[1:],
        whole + "AAAA",
        whole.swapcase(),
        "null",
    ]
    damaged += [
        cursor_of(text)
        for text in ("{", "1", "null", "[]", '"abc"', '{"a":1}', "[" * 900, "[1" + "0" * 1400)
    ]
    wrong: list[Any] = [
        None,
        1.5,
        True,
        [],
        {},
        2**31,
        -(2**31),
        2**63,
        10**400,
        "a\x00",
        "\ud800",
        "e\u0301",
        1,
        "1",
    ]
    damaged += [
        cursor_of([bound, *mark[:-1], value])
        for value in wrong
        if not isinstance(value, type(mark[-1]))
    ]
    damaged += [cursor_of([bound, *mark[:-1], value]) for value in ("a\x00", "\ud800", "e\u0301")]
    damaged += [
        cursor_of([bound, value, *mark[1:]]) for value in wrong if type(value) is not type(mark[0])
    ]
    damaged += [cursor_of([bound, value, *mark[1:]]) for value in (2**31, -(2**31), 2**63, 10**400)]
    damaged += [
        cursor_of([bound]),
        cursor_of([bound, *mark, "a"]),
        cursor_of([bound, mark]),
        cursor_of([None, *mark]),
    ]
    damaged += [
        cursor_of(json.dumps([bound, *mark]).replace(",", ",NaN,")),
        cursor_of([[bound], *mark]),
    ]
    for cursor in damaged:
        answer = client.get(f"{path}&cursor={cursor}")
        assert answer.status_code == 400, f"{cursor}: {answer.text[:300]}"
        body = problem(answer)
        assert (body["code"], body["errors"][0]["parameter"]) == (CURSOR, "cursor"), cursor


@pytest.mark.parametrize(
    ("made_by", "given_to"),
    [
        ("/v1/claims?limit=2", "/v1/claims?status=disputed"),
        ("/v1/claims?limit=2&status=disputed", "/v1/claims?limit=2"),
        ("/v1/claims?limit=2&status=disputed", "/v1/claims?status.ne=disputed"),
        ("/v1/claims?limit=2", "/v1/claims?sort=-id"),
        ("/v1/claims?limit=2&sort=status", "/v1/claims?sort=-status"),
        ("/v1/claims?limit=2", "/v1/sources?limit=2"),
        ("/v1/claims?limit=2", "/v1/topics?limit=2"),
        ("/v1/claims?limit=2", "/v1/sources/doepp-2010/claims?limit=2"),
        ("/v1/claims/ccsvi-causes-ms/evidence?limit=2", "/v1/evidence?limit=2"),
        (
            "/v1/claims/ccsvi-causes-ms/evidence?limit=2",
            "/v1/claims/ccsvi-full-name/evidence?limit=2",
        ),
    ],
)
def test_a_cursor_of_another_list_is_refused(
    made_by: str, given_to: str, client: TestClient
) -> None:
    cursor, _ = given_cursor(client, made_by)
    body = problem(client.get(f"{given_to}&cursor={cursor}"))
    assert (body["status"], body["code"], body["errors"][0]["parameter"]) == (400, CURSOR, "cursor")
    assert "belongs to another list" in body["detail"]
    assert (
        problem(client.get(f"{made_by}&cursor={'A' * 2001}"))["errors"][0]["parameter"] == "cursor"
    )
