"""What is asked: for each kind of read the addresses of ours, a different one each, made from what a store holds."""

import base64
import itertools
import json
import random
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from benchmarks import load
from benchmarks.stores import Stores

LIMIT = 20
# More than a server answers in all rounds together, so that no answer is asked for twice.
MOST = 100_000
PARTS = "&include=evidence,sources"
DAY = "2015-12-31"
LEVELS = ("1", "2", "3", "4", "5", "not_gradable")


def data_ids(answer: bytes) -> list[str]:
    """Return the ids of a list of ours."""
    return [each["id"] for each in json.loads(answer)["data"]]


def shuffled(made: Sequence[Any]) -> list[Any]:
    """Return them in an order without meaning, the same each time, and no more than are needed."""
    return random.Random(1).sample(made, min(len(made), MOST))


def starts(stores: Stores) -> list[tuple[str, str]]:
    """Return pairs of a status and a claim with it after which a whole page follows; every claim begins another page."""
    rows = stores.query("SELECT status, claim FROM claim_document ORDER BY status, claim")
    groups = [list(group) for _, group in itertools.groupby(rows, key=lambda row: row[0])]
    # At least two pages, since with `as_of` fewer may follow; of a small store a part of one must do.
    return shuffled([pair for group in groups for pair in group[: -2 * LIMIT] or group[:1]])


def pages(stores: Stores, server: str, more: str = PARTS) -> list[str]:
    """Return pages of claims with a status, each beginning after another claim."""
    made, marks = [], {}
    for status, slug in starts(stores):
        query = f"/v1/claims?status={status}{more}"
        if status not in marks:
            marks[status] = json.loads(load.get(server, f"{query}&limit=1"))["page"]["next"]
        if marks[status]:
            made.append(f"{query}&limit={LIMIT}&cursor={after(marks[status], slug)}")
    return made


def after(cursor: str, slug: str) -> str:
    """Return a cursor like this one that goes on after another claim: to be given so many would take as many requests."""
    content = json.dumps([*_content(cursor)[:-1], slug], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _content(cursor: str) -> list[Any]:
    content: list[Any] = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return content


def one_page(stores: Stores, server: str) -> list[str]:
    """Return one page alone, of a usual length."""
    return usual(server, pages(stores, server))[:1]


def usual(server: str, paths: Sequence[str]) -> list[str]:
    """Return the addresses, first the one whose answer has the median length of a few."""
    by_length = sorted(paths[:25], key=lambda path: len(load.get(server, path)))
    first = by_length[len(by_length) // 2]
    return [first, *(path for path in paths if path != first)]


def page_of(path: str) -> tuple[str, str]:
    """Return the status that a page is about, and the claim after which it begins."""
    query = parse_qs(urlsplit(path).query)
    return query["status"][0], _content(query["cursor"][0])[-1]


def right_page(stores: Stores, path: str) -> list[str]:
    """Return the ids that a page must have."""
    found = stores.query(
        "SELECT claim FROM claim_document WHERE status = ? AND claim > ? ORDER BY claim LIMIT ?",
        *page_of(path),
        LIMIT,
    )
    return [slug for (slug,) in found]


def right_page_by(stores: Stores, path: str) -> list[str]:
    """Return the ids that a page as of `DAY` must have."""
    found = stores.query(
        "SELECT claim FROM status_period WHERE status = ? AND claim > ? AND starts <= ? AND (ends IS NULL OR ends > ?) "
        "ORDER BY claim LIMIT ?",
        *page_of(path),
        DAY,
        DAY,
        LIMIT,
    )
    return [slug for (slug,) in found]


def claims(stores: Stores, _server: str) -> list[str]:
    """Return single claims."""
    return [
        f"/v1/claims/{slug}"
        for (slug,) in shuffled(stores.query("SELECT claim FROM claim_document"))
    ]


def combinations(stores: Stores, topics: str) -> list[tuple[str, list[str]]]:
    """Return topics of a kind, each with some levels of evidence."""
    found = stores.query("SELECT id FROM topic WHERE id LIKE ? ORDER BY id", f"{topics}-%")
    levels = [
        list(some)
        for number in range(1, len(LEVELS))
        for some in itertools.combinations(LEVELS, number)
    ]
    return shuffled([(topic, some) for (topic,) in found for some in levels])


def facets(stores: Stores, _server: str, topics: str = "topic") -> list[str]:
    """Return counts by status of claims on a topic with evidence at some levels."""
    return [
        f"/v1/claims/facets?by=status&topic={topic}&evidence_level={','.join(levels)}"
        for topic, levels in combinations(stores, topics)
    ]


def broad_facets(stores: Stores, server: str) -> list[str]:
    """Return the same of topics that hold a fifth of all claims."""
    return facets(stores, server, "broad")


def facet_of(path: str) -> tuple[str, list[str]]:
    """Return the topic and the levels that a facet is about."""
    query = parse_qs(urlsplit(path).query)
    return query["topic"][0], query["evidence_level"][0].split(",")


def facet_of_datasette(stores: Stores, topic: str, levels: Sequence[str]) -> str:
    """Return Datasette's address of the same counts."""
    asked = {"_facet": "status", "_size": "0", "_where": _meant(topic, levels)}
    return f"/{stores.file.stem}/claim_document.json?{urlencode(asked)}"


def _meant(topic: str, levels: Sequence[str]) -> str:
    return f"claim IN ({_with_term('topic', [topic])}) AND claim IN ({_with_term('evidence_level', levels)})"


def _with_term(field: str, values: Sequence[str]) -> str:
    quoted = ", ".join(f"'{value}'" for value in values)
    return f"SELECT claim FROM claim_term WHERE field = '{field}' AND value IN ({quoted})"  # noqa: S608


def right_counts(stores: Stores, topic: str, levels: Sequence[str]) -> list[tuple[str, int]]:
    """Return the counts by status that are right."""
    where = _meant(topic, levels)
    counted = (
        f"SELECT status, count(*) FROM claim_document WHERE {where} GROUP BY status ORDER BY status"  # noqa: S608
    )
    return stores.query(counted)


def counted(answer: bytes) -> list[tuple[str, int]]:
    """Return the counts of a facet of ours."""
    return sorted(
        (each["term"], each["count"]) for each in json.loads(answer)["data"]["status"]["terms"]
    )


def counted_by_datasette(answer: bytes) -> list[tuple[str, int]]:
    """Return the counts of Datasette's facet."""
    return sorted(
        (each["value"], each["count"])
        for each in json.loads(answer)["facet_results"]["status"]["results"]
    )


def searches(stores: Stores, _server: str) -> list[str]:
    """Return searches for two words of one statement, among the claims with its status."""
    made = []
    for statement, status in shuffled(
        stores.query("SELECT statement, status FROM claim_document ORDER BY claim")
    ):
        words = sorted({word.lower() for word in re.findall(r"\b[a-zA-Z]{5,}\b", statement)})
        if len(words) > 1:
            asked = {
                "q": " ".join(random.Random(statement).sample(words, 2)),
                "status": status,
                "limit": LIMIT,
            }
            made.append(f"/v1/claims?{urlencode(asked)}")
    return made


def found_some(answer: bytes) -> bool:
    """Say whether a list of ours has any."""
    return bool(data_ids(answer))


def pages_by(stores: Stores, server: str) -> list[str]:
    """Return the pages without their parts, with what had been published by a day."""
    return pages(stores, server, f"&as_of={DAY}")


def plain_pages(stores: Stores, server: str) -> list[str]:
    """Return the same pages as of today."""
    return pages(stores, server, "")


def whole_pages_by(stores: Stores, server: str) -> list[str]:
    """Return the pages with their parts, with what had been published by a day."""
    return pages(stores, server, f"{PARTS}&as_of={DAY}")


def id_of(answer: bytes) -> str:
    """Return the id of one claim of ours."""
    return str(json.loads(answer)["id"])


def slugs(answer: bytes) -> list[str]:
    """Return the slugs of a list of the tutorial's."""
    return [each["slug"] for each in json.loads(answer)]


def slug_of(path: str) -> str:
    """Return the slug that a claim's address names."""
    return path.rpartition("/")[2]


def tutorial_page(status: str, slug: str) -> str:
    """Return the tutorial's address of a page."""
    return f"/claims/?status={status}&after={quote(slug)}&limit={LIMIT}"
