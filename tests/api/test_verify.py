"""Identifiers are looked up politely, and what is answered is treated as hostile: against a local
stand-in.
"""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from api.citations import unconfirmed, verify
from models.records.source import SourceIn
from models.write import changes
from tests.databases import Store
from tests.records import a_claim, a_line, a_source, put_part

TITLE = "A trial of X: results"
GOOD = {
    "message": {
        "title": [TITLE],
        "author": [{"family": "Müller"}],
        "issued": {"date-parts": [[2010, 3]]},
    }
}
SUMMARY = {
    "result": {
        "77": {
            "title": "A Trial of X - Results.",
            "authors": [{"name": "Muller A"}],
            "pubdate": "2011 Jan",
        }
    }
}
# What the stand-in answers, by DOI or PubMed id: status, body.
ANSWERS: dict[str, tuple[int, bytes]] = {
    "10.1000/good": (200, json.dumps(GOOD).encode()),
    "10.1000/other": (
        200,
        json.dumps({"message": {**GOOD["message"], "title": ["Something else"]}}).encode(),
    ),
    "10.1000/(sici)1<2;3>x": (200, json.dumps(GOOD).encode()),
    "10.1000/gone": (404, b"Resource not found."),
    "10.1000/busy": (503, b""),
    "10.1000/moved": (302, b""),
    "10.1000/nonsense": (200, b"<html>"),
    "10.1000/shape": (200, b'{"message": []}'),
    "10.1000/deep": (200, b"[" * 100_000),
    "10.1000/large": (200, b" " * (verify.MOST_BYTES + 1)),
    "77": (200, json.dumps(SUMMARY).encode()),
    "78": (200, b'{"result": {"78": {"error": "cannot get document summary"}}}'),
}


class StandIn(BaseHTTPRequestHandler):
    """Answers as Crossref and PubMed do, and keeps what was asked."""

    asked: list[tuple[str, str]] = []
    delay = 0.0

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        self.asked.append((self.path, self.headers["User-Agent"]))
        wanted = unquote(address.path.removeprefix("/works/"))
        time.sleep(self.delay)
        status, body = ANSWERS[parse_qs(address.query).get("id", [wanted])[0]]
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://169.254.169.254/secret")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = (
                True  # The client has had enough, as it should of what is too large.
            )

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def stand_in() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    StandIn.asked.clear()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def fill(store: Store) -> None:
    with changes.begin(store.database, actor="ada") as change:
        for number, value in enumerate(ANSWERS):
            scheme = "doi" if value.startswith("10.") else "pmid"
            record = {
                **{
                    "id": f"s-{number}",
                    "type": "article-journal",
                    "title": TITLE,
                    "study_design": "cohort",
                    "issued": "2010",
                },
                **{"authors": [{"family": "Müller"}]},
                "identifiers": [{"scheme": scheme, "value": value, "verification": "unverified"}],
            }
            changes.put_source(change, SourceIn.model_validate(record))
        checked = [{"scheme": "doi", "value": "10.1000/checked", "verification": "verified"}]
        verified = {
            "id": "v",
            "type": "webpage",
            "title": "T",
            "study_design": "cohort",
            "identifiers": checked,
        }
        changes.put_source(change, SourceIn.model_validate(verified))


def test_every_unverified_identifier_gets_a_verdict(empty: Store, stand_in: str) -> None:
    fill(empty)
    with empty.database.read() as connection:
        found = list(
            verify.verify(connection, "me@example.org", crossref=stand_in, pubmed=stand_in, pause=0)
        )
    outcomes = {verdict.value: verdict.outcome for verdict in found}
    assert outcomes == {
        "10.1000/good": "agrees",
        "10.1000/other": "differs",
        "10.1000/(sici)1<2;3>x": "agrees",
        "10.1000/gone": "unknown",
        "10.1000/busy": "unanswered",
        "10.1000/moved": "unanswered",
        "10.1000/nonsense": "unanswered",
        "10.1000/shape": "unanswered",
        "10.1000/deep": "unanswered",
        "10.1000/large": "unanswered",
        "77": "agrees",
        "78": "unknown",
    }
    differing = next(verdict.detail for verdict in found if verdict.outcome == "differs")
    assert differing == f"title: here '{TITLE}', there 'Something else'"
    assert all("mailto:me@example.org" in agent for _, agent in StandIn.asked)
    assert not any("checked" in path or "secret" in path for path, _ in StandIn.asked)


def test_a_slow_service_is_abandoned(
    empty: Store, stand_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(empty)
    monkeypatch.setattr(verify, "SECONDS", 0.2)
    monkeypatch.setattr(StandIn, "delay", 0.5)
    with empty.database.read() as connection:
        found = list(
            verify.verify(connection, "me@example.org", crossref=stand_in, pubmed=stand_in, pause=0)
        )
    assert {verdict.outcome for verdict in found} == {"unanswered"}


def test_without_a_network_there_is_one_clear_line(empty: Store) -> None:
    fill(empty)
    with empty.database.read() as connection, pytest.raises(verify.NoNetwork):
        list(
            verify.verify(
                connection,
                "me@example.org",
                crossref="http://127.0.0.1:1",
                pubmed="http://127.0.0.1:1",
                pause=0,
            )
        )


def test_the_report_lists_what_nobody_confirmed(empty: Store) -> None:
    unverified = {"scheme": "pmid", "value": "1", "verification": "unverified"}
    verified = {"scheme": "doi", "value": "10.1000/x", "verification": "verified"}
    verified_too = verified | {"value": "10.1000/y"}
    with changes.begin(empty.database, actor="ada") as change:
        sources = [
            a_source("seen", identifiers=[verified, unverified], title_status="printed"),
            a_source("told", title="[A talk]", title_status="described", issued_inferred=True),
            a_source("undated", issued=None, url="https://x.example/"),
            a_source("web", issued=None, epub_date="2020-02-01", identifiers=[verified_too]),
            a_source("proposed", state="submitted"),
        ]
        for source in sources:
            changes.put_source(change, source)
        changes.put_claim(change, a_claim())
        put_part(change, "x-causes-y", a_line("a", source="seen", checked_against="abstract"))
        put_part(change, "x-causes-y", a_line("b", source="told"))
    with empty.database.read() as connection:
        told = list(unconfirmed.sentences(unconfirmed.report(connection)))
    assert told == [
        "seen identifier pmid:1: unverified.",
        "told title [A talk]: described.",
        "told date 2020: inferred.",
        "undated title A trial: nobody says whether printed.",
        "web title A trial: nobody says whether printed.",
        "told has no identifier and no address.",
        "undated has no date.",
        "x-causes-y:b was held against nothing that is known.",
        "1 of 3 identifiers (33.3 %) nobody has confirmed.",
        "3 of 4 titles (75.0 %) nobody has confirmed.",
        "1 of 3 dates (33.3 %) nobody has confirmed.",
        "1 of 2 lines of evidence (50.0 %) nobody has confirmed.",
        "5 of 10 identifiers, titles and dates together (50.0 %) nobody has confirmed.",
    ]
