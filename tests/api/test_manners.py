"""How the API behaves around its content: conditional answers, HEAD, gzip, CORS, request ids,
Accept, docs, logs.
"""

import base64
import gzip
import hashlib
import http.client
import json
import logging
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import ROOT, Settings
from models.records.claim import ClaimIn
from models.write import changes
from tests.databases import Store

TAGGED = [
    *(
        "/",
        "/v1",
        "/v1/claims",
        "/v1/claims?status=refuted&include=evidence",
        "/v1/claims/facets",
        "/v1/evidence",
    ),
    *(
        "/v1/claims/ccsvi-causes-ms",
        "/v1/claims/ccsvi-causes-ms/evidence",
        "/v1/claims/ccsvi-causes-ms/relations",
    ),
    *(
        "/v1/evidence/ccsvi-causes-ms:doepp-2010",
        "/v1/sources",
        "/v1/sources/doi:10.1002/ana.22085",
    ),
    *(
        "/v1/sources/doepp-2010/claims",
        "/v1/topics",
        "/v1/vocabularies",
        "/v1/vocabularies/statuses",
    ),
]


@pytest.mark.parametrize("path", TAGGED)
def test_an_unchanged_answer_is_304_without_a_body(path: str, client: TestClient) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    bare = tag.removeprefix("W/")
    for known in (tag, bare, f"W/{bare}", "*", f'"other", {tag}', f'W/"x" ,{bare},"y"'):
        answer = client.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b""), known
        assert answer.headers["etag"] == tag
        assert "Accept" in answer.headers["vary"]
        assert answer.headers["cache-control"] == first.headers["cache-control"]
    for unknown in ('"other"', bare.strip('"'), '"s1", "s2"', ""):
        assert client.get(path, headers={"If-None-Match": unknown}).status_code == 200, unknown


def test_a_tag_on_the_second_line_of_a_header_counts(client: TestClient) -> None:
    tag = client.get("/v1/claims").headers["etag"]
    answer = client.get(
        "/v1/claims", headers=[("If-None-Match", '"other"'), ("If-None-Match", tag)]
    )
    assert answer.status_code == 304


def test_a_change_alters_the_tags_of_lists_and_of_its_record_alone(seeded: Store) -> None:
    # A tag of an answer that is compressed names its coding.
    plain = {"Accept-Encoding": "identity"}
    with TestClient(create_app(Settings(database_url=seeded.url)), headers=plain) as client:
        before = {path: client.get(path).headers["etag"] for path in TAGGED}
        assert re.fullmatch(r'W/"s\d+"', before["/v1/claims"])
        assert re.fullmatch(r'"\d+"', before["/v1/claims/ccsvi-causes-ms"])
        claim = ClaimIn(
            id="ccsvi-causes-ms", statement="CCSVI causes it.", kind="causal_hypothesis"
        )
        with changes.begin(seeded.database, actor="test") as change:
            assert changes.put_claim(change, claim)
        after = {path: client.get(path, headers={"If-None-Match": before[path]}) for path in TAGGED}
        kept = {path for path in TAGGED if after[path].status_code == 304}
        assert kept == {
            "/v1/sources/doi:10.1002/ana.22085",
            "/v1/vocabularies",
            "/v1/vocabularies/statuses",
        }
        for path in set(TAGGED) - kept:
            assert after[path].status_code == 200
            assert after[path].headers["etag"] != before[path]


@dataclass
class Server:
    """A server in a process of its own, as `claimbase serve` starts it; its log lines as they
    come.
    """

    port: int
    lines: "queue.Queue[str]"

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and every byte that follows them until the server closes the
        connection.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(method, path, headers={"Connection": "close", **headers})
        assert connection.sock is not None
        raw = connection.sock.makefile("rb").read()
        connection.close()
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        named = (line.split(": ", 1) for line in rest)
        return int(first.split()[1]), {name.lower(): value for name, value in named}, body


@pytest.fixture(scope="module")
def server(shared: Store) -> Iterator[Server]:
    command = [sys.executable, "-c", "from api.cli.app import app; app()"]
    command += ["serve", "--port", "0", "--database-url", shared.url]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    lines: queue.Queue[str] = queue.Queue()
    assert process.stderr is not None
    stream = process.stderr

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put("")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        found = None
        while found is None:
            line = lines.get(timeout=30)
            assert line, "the server ended before it listened"
            found = re.search(r"running on http://127\.0\.0\.1:(\d+)", line)
        yield Server(int(found[1]), lines)
    finally:
        process.terminate()
        try:
            assert process.wait(timeout=20) in (0, -signal.SIGTERM)
        finally:
            process.kill()
            process.wait(timeout=20)
            reader.join(timeout=20)
            process.stderr.close()


HEADS = [*TAGGED, "/healthz", "/readyz", "/openapi.json", "/docs", "/docs/static/swagger-ui.css"]
WRONG = [
    "/nowhere",
    "/v1/claims?limit=0",
    "/v1/claims/nope",
    "/v1/claims/%00",
    f"/v1/claims?q={'a' * 9000}",
]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_head_is_get_without_the_body(encoding: str, server: Server) -> None:
    for path in HEADS + WRONG:
        asked = {"Accept-Encoding": encoding, "X-Request-ID": "same"}
        status, headers, body = server.ask("GET", path, **asked)
        bare_status, bare_headers, nothing = server.ask("HEAD", path, **asked)
        assert (status == 200) == (path in HEADS), path
        assert bare_status == status, path
        assert nothing == b"", path
        assert len(body) > 0, path
        for name in headers.keys() - {"date", "transfer-encoding"}:
            assert bare_headers.get(name) == headers[name], f"{path}: {name}"


def test_a_log_line_is_one_json_object_that_tells_of_the_request(server: Server) -> None:
    asked = (
        ("found", "/v1/claims?limit=1", 200),
        ("not-found", "/v1/claims/nope", 404),
        ("not-valid", "/v1/%ff", 400),
    )
    for name, path, status in asked:
        assert server.ask("GET", path, **{"X-Request-ID": name})[0] == status
        line: dict[str, Any] = {}
        while line.get("request_id") != name:
            line = json.loads(server.lines.get(timeout=20))
        assert line["message"] == "request"
        assert line["logger"] == "claimbase.request"
        assert line["level"] == "INFO"
        assert (line["method"], line["status"]) == ("GET", status)
        assert line["path"] == path.partition("?")[0] or status == 400
        assert line["query"] == path.partition("?")[2]
        assert 0 <= line["milliseconds"] < 60_000
        assert re.match(r"\d{4}-\d\d-\d\dT", line["at"])


def test_every_request_is_logged_once(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="claimbase.request"):
        client.get("/v1/topics?limit=2", headers={"X-Request-ID": "one.of-these_1"})
    (record,) = caplog.records
    assert record.__dict__["request_id"] == "one.of-these_1"
    assert record.__dict__["status"] == 200


@pytest.mark.parametrize(
    "query",
    ["comment=Zebedee+did+it&limit=2", "limit=2&comm%65nt=Zebedee", "comment=a&comment=Zebedee"],
)
def test_no_log_holds_a_comment(
    query: str, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="claimbase.request"):
        client.delete(f"/v1/topics/iron?{query}")
    (record,) = (each for each in caplog.records if each.name == "claimbase.request")
    assert "Zebedee" not in repr(record.__dict__)
    assert "=…" in record.__dict__["query"]
    assert ("limit=2" in record.__dict__["query"]) == ("limit=2" in query)


def test_a_large_answer_is_compressed_where_that_is_accepted(server: Server) -> None:
    path = "/v1/claims?include=evidence"
    _, plain_headers, plain = server.ask("GET", path, **{"Accept-Encoding": "identity"})
    _, packed_headers, packed = server.ask("GET", path, **{"Accept-Encoding": "br, gzip;q=0.5"})
    assert "content-encoding" not in plain_headers
    assert packed_headers["content-encoding"] == "gzip"
    assert int(packed_headers["content-length"]) == len(packed) < len(plain) / 2
    assert gzip.decompress(packed) == plain
    for headers in (plain_headers, packed_headers):
        assert {"Accept", "Accept-Encoding"} <= set(headers["vary"].split(", "))
    _, headers, body = server.ask("GET", "/healthz", **{"Accept-Encoding": "gzip"})
    assert "content-encoding" not in headers
    assert json.loads(body) == {"status": "ok"}


PAGE = {"Origin": "https://app.example"}


@pytest.mark.parametrize(
    "path", ["/v1/claims", "/v1/claims/nope", "/nowhere", "/v1/claims?limit=0", "/healthz"]
)
def test_a_page_of_any_origin_may_read_answers_and_errors(path: str, client: TestClient) -> None:
    headers = client.get(path, headers=PAGE).headers
    assert headers["access-control-allow-origin"] == "*"
    shown = {
        "ETag",
        "Idempotency-Replayed",
        "Link",
        "Location",
        "RateLimit",
        "RateLimit-Policy",
        "Citation-Style",
        "Retry-After",
        "X-Request-ID",
        "X-Serial",
    }
    assert shown == set(headers["access-control-expose-headers"].split(", "))
    assert "access-control-allow-credentials" not in headers


METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize("method", [*sorted(METHODS), "TRACE", "CONNECT"])
def test_a_browser_may_ask_beforehand_what_it_may_do(method: str, client: TestClient) -> None:
    asked = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, X-Request-ID"
    asks = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": asked}
    answer = client.options("/v1/claims", headers={**PAGE, **asks})
    assert answer.status_code == (200 if method in METHODS else 400)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert set(answer.headers["access-control-allow-methods"].split(", ")) == METHODS
    other = {**asks, "Access-Control-Request-Headers": "X-Other"}
    refused = client.options("/v1/claims", headers={**PAGE, **other})
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert "headers" in refused.json()["detail"]


@pytest.mark.parametrize(
    "path", ["/v1/claims", "/healthz", "/nowhere", "/v1/claims?limit=0", "/v1/claims/%00"]
)
def test_a_request_has_an_id_that_is_kept_where_it_is_harmless(
    path: str, client: TestClient
) -> None:
    made = [client.get(path).headers["x-request-id"] for _ in range(2)]
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in made)
    assert made[0] != made[1]
    for kept in ("a", "Web-1.2_3", "x" * 64):
        assert client.get(path, headers={"X-Request-ID": kept}).headers["x-request-id"] == kept
    for harmful in ("", "x" * 65, "a b", "<script>", 'a"b', "a;b", "a\tb", "{}", "a,b"):
        answer = client.get(path, headers={"X-Request-ID": harmful})
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"]), harmful
    assert client.get(path).headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("APPLICATION/JSON", 200),
        ("application/*", 200),
        ("*/*", 200),
        ("", 200),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 200),
        ("text/html;q=1, application/json;q=0.001", 200),
        ("application/*;q=0, application/json", 200),
        ("application/json ; q=1.0", 200),
        ("application/json;charset=utf-8", 200),
        ("text/html", 406),
        ("application/xml, text/*", 406),
        ("application/json;q=0", 406),
        ("application/json;q=0, */*", 406),
        ("*/*;q=0.0", 406),
        ("application/problem+json", 200),
        ("nonsense", 406),
    ],
)
def test_accept_decides_whether_json_will_do(accept: str, status: int, client: TestClient) -> None:
    # What is served as JSON alone; lists have other formats, which test_citations and test_lines
    # ask for.
    one = "/v1/occurrences/ccsvi-causes-ms:c06"
    for path in ("/v1", "/v1/claims/facets", one, "/v1/topics", "/v1/vocabularies"):
        answer = client.get(path, headers={"Accept": accept})
        assert answer.status_code == status
        if status == 406:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["code"] == "not_acceptable"
            assert answer.json()["errors"][0]["allowed"] == ["application/json"]


@pytest.mark.parametrize("picture", ["timeline", "chain", "badge"])
def test_where_there_is_one_format_whoever_takes_problems_gets_it(
    picture: str, client: TestClient
) -> None:
    problems = {"Accept": "application/problem+json"}
    for path in (f"/v1/claims/ccsvi-causes-ms/{picture}.svg", "/v1/export", "/v1/topics"):
        answer = client.get(path, headers=problems)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == client.get(path).headers["content-type"]
        refused = client.get(path, headers={"Accept": "application/problem+json;q=0, image/png"})
        assert refused.status_code == 406, path


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/claims", "/v1/claims/ccsvi-causes-ms", "/v1/vocabularies"]
)
def test_every_answer_that_accept_decides_says_so(path: str, client: TestClient) -> None:
    for accept, status in (("application/json", 200), ("text/html", 406)):
        answer = client.get(path, headers={"Accept": accept})
        assert answer.status_code == status
        assert "Accept" in answer.headers["vary"].split(", "), status


def test_accept_on_two_lines_is_one_list(client: TestClient) -> None:
    answer = client.get(
        "/v1/claims", headers=[("Accept", "text/html"), ("Accept", "application/json")]
    )
    assert answer.status_code == 200


def test_the_docs_page_refers_to_no_other_host_and_its_files_are_served(client: TestClient) -> None:
    page = client.get("/docs", headers={"Accept": "text/html"}).text
    assert "://" not in page
    assert """"//""" not in page.replace("'", '"')
    files = re.findall(r"""(?:src|href)=["']([^"']*)["']""", page)
    assert len(files) == 3
    for file in [*files, "/openapi.json"]:
        assert file in page
        assert re.match(r"/[^/]", file)
        assert client.get(file).status_code == 200
        assert len(client.get(file).content) > 500


SEALED = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "cross-origin",
}


def test_every_answer_bears_the_security_headers(client: TestClient) -> None:
    answers = [
        client.get(path)
        for path in (*TAGGED, *WRONG, "/openapi.json", "/healthz", "/docs/static/swagger-ui.css")
    ]
    answers += [client.delete("/v1/claims"), client.get("/v1/keys"), client.head("/v1/claims")]
    answers.append(client.get("/v1/claims", headers={"If-None-Match": "*"}))
    answers.append(
        client.options("/v1/claims", headers={**PAGE, "Access-Control-Request-Method": "GET"})
    )
    assert {200, 304, 400, 401, 404, 405, 414} <= {answer.status_code for answer in answers}
    for answer in answers:
        assert {name: answer.headers.get(name) for name in SEALED} == SEALED, answer.request.url
        assert "server" not in answer.headers


def test_the_docs_page_may_run_its_own_script_alone(client: TestClient) -> None:
    answer = client.get("/docs")
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    (inline,) = re.findall(r"<script>(.*?)</script>", answer.text, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert policy["script-src"] == f"'self' 'sha256-{digest}'"
    assert "unsafe" not in policy["script-src"]
    for picture in ("timeline", "chain"):
        drawn = client.get(f"/v1/claims/ccsvi-causes-ms/{picture}.svg").headers[
            "content-security-policy"
        ]
        assert drawn.startswith("default-src 'none'; style-src 'unsafe-inline'")
