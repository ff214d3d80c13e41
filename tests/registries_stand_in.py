"""A stand-in for Crossref and PubMed on the loopback, which answers and errs as they do."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

DOCTYPE = (
    '<?xml version="1.0" ?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st'
    ' January 2025//EN" "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">\n'
)


@dataclass
class Answer:
    """An answer that is not the regular one."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    # Promised as its length, though fewer come.
    length: int | None = None
    # Waits for this before it answers.
    gate: threading.Event | None = None


Fault = Callable[[str], Answer | None]


@dataclass
class Registered:
    """What both services know, what they were asked, and how they err.

    `works` are Crossref's by DOI, `links` PubMed's by PMID (type, citation, PMID of the other one),
    `records` its records of notices, `pmcs` the PMID of works in PubMed Central.
    """

    works: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: dict[str, list[tuple[str, str, str | None]]] = field(default_factory=dict)
    retracted: set[str] = field(default_factory=set)
    records: dict[str, str] = field(default_factory=dict)
    pmcs: dict[str, str] = field(default_factory=dict)
    fault: Fault = lambda _address: None
    asked: list[str] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    base: str = ""

    def forget(self) -> None:
        """Know nothing any more, and err no more."""
        vars(self).update(vars(Registered(base=self.base)))

    def answer(self, target: str) -> Answer:
        """Return the regular answer to a request."""
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if path == "/works":
            return self._works(query["filter"][0])
        if path.startswith("/works/"):
            work = self.works.get(unquote(path.removeprefix("/works/")))
            if work is None:
                return Answer(404, b"Resource not found.")
            return _json({"status": "ok", "message-type": "work", "message": work})
        numbers = query["id"][0].split(",")
        if path.endswith("/esummary.fcgi"):
            return self._summaries(numbers)
        if query.get("rettype") == ["medline"]:
            found = [self.records[number] for number in numbers if number in self.records]
        else:
            found = [self._article(number) for number in numbers if number in self.links]
        if not found:
            return Answer(400, b"ID list is empty! Possibly it has no correct IDs.")
        if query.get("rettype") == ["medline"]:
            return Answer(body="\n".join(["", *found]).encode())
        articles = "".join(found)
        return Answer(body=f"{DOCTYPE}<PubmedArticleSet>{articles}</PubmedArticleSet>".encode())

    def _works(self, filters: str) -> Answer:
        wanted = [each.partition(":") for each in filters.split(",")]
        dois = {value for name, _, value in wanted if name == "doi"}
        updated = {value for name, _, value in wanted if name == "updates"}
        items = [
            work
            for doi, work in self.works.items()
            if doi in dois or updated & set(_updated_by(work))
        ]
        message = {"total-results": len(items), "items": items, "items-per-page": 1000}
        return _json({"status": "ok", "message-type": "work-list", "message": message})

    def _summaries(self, numbers: list[str]) -> Answer:
        known = {
            number: {"uid": number, "articleids": [{"idtype": "pmid", "value": self.pmcs[number]}]}
            for number in numbers
            if number in self.pmcs
        }
        failed = {
            number: {"uid": number, "error": "cannot get document summary"}
            for number in numbers
            if number not in self.pmcs
        }
        return _json({"result": {"uids": numbers, **known, **failed}})

    def _article(self, pmid: str) -> str:
        links = "".join(
            f'<CommentsCorrections RefType="{kind}"><RefSource>{escape(citation)}</RefSource>'
            + (f'<PMID Version="1">{other}</PMID>' if other else "")
            + "</CommentsCorrections>"
            for kind, citation, other in self.links[pmid]
        )
        kind = "Retracted Publication" if pmid in self.retracted else "Journal Article"
        return (
            f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article>'
            f"<ArticleTitle>A trial</ArticleTitle><PublicationTypeList><PublicationType>{kind}"
            "</PublicationType></PublicationTypeList></Article><CommentsCorrectionsList>"
            f"{links}</CommentsCorrectionsList></MedlineCitation></PubmedArticle>"
        )


def _updated_by(work: dict[str, Any]) -> Iterator[str]:
    """Yield the DOIs of the works that a work is a notice about."""
    for each in work.get("update-to", []):
        if isinstance(each, dict) and "DOI" in each:
            yield each["DOI"].lower()


def _json(value: Any) -> Answer:
    return Answer(body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def update(doi: str, kind: str, *date: int, source: str = "publisher") -> dict[str, Any]:
    """Return an item of `update-to` or `updated-by`, as Crossref has it."""
    return {
        "DOI": doi,
        "type": kind,
        "label": kind.capitalize(),
        "source": source,
        "updated": {"date-parts": [list(date)], "date-time": "2021-03-04T00:00:00Z"},
    }


def once(answer: Answer, matches: str = "") -> Fault:
    """Return the fault that the first request with this in its address gets this answer."""
    left = [answer]

    def fault(address: str) -> Answer | None:
        return left.pop() if left and matches in unquote(address) else None

    return fault


def always(answer: Answer, matches: str = "") -> Fault:
    """Return the fault that every request with this in its address gets this answer."""
    return lambda address: answer if matches in unquote(address) else None


@contextmanager
def standing_in() -> Iterator[Registered]:
    """Yield what a running stand-in knows; `base` is its address."""
    known = Registered()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append(self.path)
            known.agents.add(self.headers["User-Agent"])
            answer = known.fault(self.path) or known.answer(self.path)
            if answer.gate is not None:
                answer.gate.wait(20)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.length or len(answer.body)))
            self.end_headers()
            try:
                self.wfile.write(answer.body)
            except ConnectionError:
                self.close_connection = True
            if answer.length is not None:
                self.connection.shutdown(socket.SHUT_WR)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    known.base = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield known
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
