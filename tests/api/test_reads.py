"""Every route that reads gives the same answer however it is asked, on each database, with few
claims and with many.

A base with 21 claims finds no fault of size: some reads are cut off in the event loop only where
there is more to read.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import httpx2 as httpx
import pytest
import zstandard
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from api.site import pages
from models.access import api_keys, webhooks
from models.database.connections import connect
from tests.databases import DATABASES, Templates

SIZES = (21, 1000, 5000)
ADMIN = "an admin who reads"
# How each question is asked, beside plainly; `{key}` is the key of an admin.
WAYS = {
    "browser": {"Accept-Encoding": "gzip", "Origin": "https://app.example"},
    "key": {"Accept-Encoding": "zstd", "Authorization": "Bearer {key}"},
}
PLAIN = {"Accept-Encoding": "identity"}
# An answer of more bytes, and all in a larger store, is asked for in one of these ways beside
# plainly, each way in its turn; every route has a smaller one in the smallest store, where all ways
# are tried. One of more bytes from the largest store is compared in the slow suite alone.
LARGE = 1_000_000
# What is asked of a route beside its bare address.
QUERIES = {
    "list_claims": (
        *(
            "?limit=200&include=evidence,sources",
            "?sort=-evidence_count&count=exact",
            "?q=vein",
            "?as_of=2015-06",
        ),
        *(
            "?as_of=2015-06&include=evidence,sources",
            "?evidence_level=4&direction=disputes",
            "?format=bibtex",
        ),
        *("?format=jsonl&include=evidence", "?status=refutd", "?topic=no-such-topic", "?limit=0"),
    ),
    "count_claims": (
        "?evidence_level=4",
        "?by=status,topic&direction=supports",
        "?q=vein",
        "?as_of=2015-06",
    ),
    "get_claim": ("?as_of=2030", "?fields=id,status", "?format=ris", "?include=submitted"),
    "list_claim_evidence": ("?sort=-published", "?format=csv"),
    "list_sources_of_claims": ("?topic=iron&as_of=2015", "?q=vein&format=csv"),
    "get_timeline": ("?format=parquet",),
    "list_claim_sources": ("?format=csl_json",),
    "explain_status": ("?as_of=2015",),
    "list_evidence": (
        "?level.lte=2&sort=level,-published&count=exact",
        "?format=jsonl",
        "?levle=1",
    ),
    "get_claim_matrix": ("?as_of=2015", "?format=csv"),
    "list_matrix": (
        *("?limit=200", "?topic=iron", "?as_of=2015-06&kind=mechanism", "?q=vein", "?format=csv"),
        "?topic=no-such-topic",
    ),
    "list_sources": ("?q=vein&highlight=true", "?limit=200", "?format=csv"),
    "list_source_claims": ("?include=evidence",),
    "list_changes": ("?limit=200&include=body",),
    "compare_days": ("?from=2009&to=2020",),
    "suggest": ("?q=ve",),
    "show_claims": ("?status=refuted&q=", "?as_of=2015-06&topic=iron", "?statuss=refuted"),
    "show_evidence": ("?study_design=cohort&sort=-published",),
    "show_search": ("?q=vein",),
    "show_sources": ("?q=vein",),
    "show_article": ("?as_of=2010", "?as_off=2010"),
    "show_claim": ("?as_of=2015", "?level.lte=2", "?without=nobody"),
}
# Asked without what they need, these are refused; one leads elsewhere.
REFUSED = {
    "lead_to_articles": 307,
    "list_keys": 401,
    "get_key": 401,
    "list_reviews": 401,
    "list_webhooks": 401,
    "get_webhook": 401,
    "compare_days": 400,
    "get_assessment": 404,
    "get_collection": 404,
    "get_suggestion": 404,
    "get_comment": 404,
}
# The answer that would never end is asked for by HEAD.
ENDLESS = "stream_changes"


@dataclass
class Reader:
    """A client of a store of one size, and the parts of addresses that lead to records of it."""

    client: TestClient
    parts: dict[str, str]
    size: int


@pytest.fixture(
    scope="session", params=[(kind, size) for size in SIZES for kind in DATABASES], ids=str
)
def reader(request: pytest.FixtureRequest, templates: Templates) -> Iterator[Reader]:
    kind, size = request.param
    url = templates.copy(kind, seeded=True) if size == SIZES[0] else templates.filled(kind, size)
    database = connect(url)
    with database.write() as connection:
        made, plain = api_keys.create_key(connection, api_keys.KeyIn(name=ADMIN, role="admin"))
        # It begins after all that there is, so nothing is sent.
        webhook, _ = webhooks.create_webhook(
            connection, ADMIN, webhooks.WebhookIn(url="https://example.org/"), since=10**6
        )
    app = create_app(Settings(database_url=url, cache_mb=0))
    with TestClient(
        app, raise_server_exceptions=False, follow_redirects=False, headers=PLAIN
    ) as client:
        own = {"key": made.id, "plain": plain, "webhook": webhook.id}
        yield Reader(client, {**parts_of(client), **own}, size)
    database.close()
    templates.drop(url)


def parts_of(client: TestClient) -> dict[str, str]:
    """Return what stands for each part of an address: a claim in the middle of the store, and what
    hangs on it.
    """
    claims = client.get("/v1/claims?limit=200&fields=id,evidence,occurrences").json()["data"]
    claim = next(
        each for each in claims[len(claims) // 2 :] if each["evidence"] and each["occurrences"]
    )
    tied = client.get("/v1/claims/venous-reflux-in-ms?fields=relations").json()["relations"][0]
    topics = client.get("/v1/topics?limit=1").json()["data"]
    evidence = claim["evidence"][0]
    return {
        "claim": claim["id"],
        "evidence": evidence["id"],
        "source": evidence["source"],
        "occurrence": f"{claim['id']}:{claim['occurrences'][0]['key']}",
        "relation": f"venous-reflux-in-ms:{tied['type']}:{tied['target']}",
        "assessment": f"{claim['id']}:none",
        "collection": "none",
        "suggestion": "none",
        "comment_id": "none",
        "topic": topics[0]["id"],
        "serial": "1",
        "kind": "evidence",
        "record": evidence["id"],
        "name": "statuses",
        "version": pages.VERSION,
        "file": "site.css",
    }


def questions(app: FastAPI, parts: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield name, method and address of what is asked: each route that reads, bare, misspelt and
    with its queries.
    """
    for route in app.routes:
        if not isinstance(route, APIRoute) or "GET" not in (route.methods or ()):
            continue
        path = route.path_format.format(**parts)
        yield route.name, "HEAD" if route.name == ENDLESS else "GET", path
        for query in QUERIES.get(route.name, ()):
            yield route.name, "GET", path + query
        if (
            route.name not in REFUSED
            and route.path_format.count("{") == 1
            and route.path_format.endswith("}")
        ):
            yield route.name, "GET", f"{path}x"


def told(answer: httpx.Response) -> tuple[int, str | None, Any]:
    """Return status, media type and decoded body of an answer; of an error all but the request's
    id.
    """
    content: Any = answer.content
    if answer.headers.get("content-encoding") == "zstd":  # Which this client does not know.
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    if answer.headers.get("content-type") == "application/problem+json":
        content = {
            name: value for name, value in json.loads(content).items() if name != "request_id"
        }
    return answer.status_code, answer.headers.get("content-type"), content


@pytest.mark.parametrize(
    "thorough", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["quick", "thorough"]
)
def test_every_read_is_the_same_however_it_is_asked(reader: Reader, thorough: bool) -> None:
    client, parts = reader.client, reader.parts
    app = client.app
    assert isinstance(app, FastAPI)
    asked: set[str] = set()
    wrong: list[tuple[str, str, int]] = []
    turns = cycle(WAYS)
    for name, method, path in questions(app, parts):
        asked.add(name)
        plain = client.request(method, path)
        bare = path.endswith(tuple(parts.values())) and "?" not in path
        told_bare = REFUSED.get(name, 200)
        allowed = {told_bare} if bare else {200, 400, 401, 404, told_bare}
        if plain.status_code not in allowed:
            wrong.append((path, "plain", plain.status_code))
        is_large = len(plain.content) > LARGE
        if is_large and reader.size == SIZES[-1] and not thorough:
            continue
        in_turn = is_large or (reader.size > SIZES[0] and not thorough)
        for way in [next(turns)] if in_turn else WAYS:
            sent = {key: value.replace("{key}", parts["plain"]) for key, value in WAYS[way].items()}
            answer = client.request(method, path, headers=sent)
            if not is_right(way, answer, plain):
                wrong.append((path, way, answer.status_code))
    assert wrong == []
    assert asked >= QUERIES.keys() | REFUSED.keys()


def is_right(way: str, answer: httpx.Response, plain: httpx.Response) -> bool:
    """Return whether an answer says what the plain one does, in the way in which it was asked
    for.
    """
    if way == "key" and plain.status_code == 401:
        return answer.status_code == 200
    if told(answer) != told(plain):
        return False
    if way == "browser" and answer.headers["access-control-allow-origin"] != "*":
        return False
    if answer.request.method == "GET" and ("etag" in plain.headers or len(plain.content) >= 1000):
        coding = WAYS[way]["Accept-Encoding"]
        is_packed = answer.headers.get("content-encoding") == coding
        return is_packed and "Accept-Encoding" in answer.headers["vary"]
    return True


@pytest.mark.parametrize("accepted", [None, "gzip, deflate, br, zstd", "zstd;q=0.1, gzip"])
def test_a_tag_is_good_in_whatever_coding_it_came(reader: Reader, accepted: str | None) -> None:
    client, parts = reader.client, reader.parts
    for path in (f"/v1/claims/{parts['claim']}", "/v1/claims?limit=20&include=evidence,sources"):
        tags = {
            coding: client.get(path, headers={"Accept-Encoding": coding}).headers["etag"]
            for coding in ("identity", "gzip", "zstd")
        }
        strong = not tags["identity"].startswith("W/")
        assert len(set(tags.values())) == (3 if strong else 1)
        for tag in tags.values():
            asked = {"If-None-Match": tag} | (
                {} if accepted is None else {"Accept-Encoding": accepted}
            )
            unchanged = client.get(path, headers=asked)
            assert (unchanged.status_code, unchanged.content) == (304, b"")
            assert unchanged.headers["etag"] == tag
            assert "Accept-Encoding" in unchanged.headers["vary"]
        assert (
            client.get(
                path, headers={"If-None-Match": re.sub(r"\d+", "99999999", tags["gzip"])}
            ).status_code
            == 200
        )
