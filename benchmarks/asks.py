"""The requests of each kind of read: paths, a different one each time, and their right answers."""

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
# More than a server answers in all rounds together, so that no path is requested twice.
MOST = 100_000
PARTS = "&include=evidence,sources"
DAY = "2015-12-31"
LEVELS = ("1", "2", "3", "4", "5", "not_gradable")
GOOD_EVIDENCE = "/v1/evidence?level.lte=2&sort=level,-published&count=exact"
COMPACT = (",", ":")


def data_ids(answer: bytes) -> list[str]:
    """Return the ids of a list of ours."""
    return [record["id"] for record in json.loads(answer)["data"]]


def shuffled(items: Sequence[Any]) -> list[Any]:
    """Return at most `MOST` of the items in a random order, the same each time."""
    return random.Random(1).sample(items, min(len(items), MOST))


def page_starts(stores: Stores) -> list[tuple[str, str]]:
    """Return pairs of a status and a claim with it after which a full page follows."""
    rows = stores.query("SELECT status, claim FROM claim_document ORDER BY status, claim")
    starts: list[tuple[str, str]] = []
    for _, group in itertools.groupby(rows, key=lambda row: row[0]):
        pairs = list(group)
        # At least two pages must follow, since with `as_of` fewer do. A small store has no such
        # start, so a shorter page must do.
        starts += pairs[: -2 * LIMIT] or pairs[:1]
    return shuffled(starts)


def pages(stores: Stores, server: str, parameters: str = PARTS) -> list[str]:
    """Return pages of claims with a status, each after another claim."""
    paths: list[str] = []
    cursors: dict[str, str | None] = {}
    for status, slug in page_starts(stores):
        query = f"/v1/claims?status={status}{parameters}"
        if status not in cursors:
            first = json.loads(load.get(server, f"{query}&limit=1"))
            cursors[status] = first["page"]["next"]
        cursor = cursors[status]
        if cursor:
            paths.append(f"{query}&limit={LIMIT}&cursor={cursor_after(cursor, slug)}")
    return paths


def cursor_after(cursor: str, slug: str) -> str:
    """Return the cursor of the same list after another claim.

    To get so many cursors from the server would take as many requests.
    """
    values = [*_cursor_values(cursor)[:-1], slug]
    content = json.dumps(values, separators=COMPACT)
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _cursor_values(cursor: str) -> list[Any]:
    padding = "=" * (-len(cursor) % 4)
    values: list[Any] = json.loads(base64.urlsafe_b64decode(cursor + padding))
    return values


def one_page(stores: Stores, server: str) -> list[str]:
    """Return one page alone, of a usual length."""
    return usual_first(server, pages(stores, server))[:1]


def usual_first(server: str, paths: Sequence[str]) -> list[str]:
    """Return the paths, first the one whose answer has the median length of a few."""
    by_length = sorted(paths[:25], key=lambda path: len(load.get(server, path)))
    first = by_length[len(by_length) // 2]
    return [first, *(path for path in paths if path != first)]


def page_of(path: str) -> tuple[str, str]:
    """Return the status of a page, and the claim after which it begins."""
    query = parse_qs(urlsplit(path).query)
    return query["status"][0], _cursor_values(query["cursor"][0])[-1]


def right_page(stores: Stores, path: str) -> list[str]:
    """Return the ids that a page must have."""
    rows = stores.query(
        "SELECT claim FROM claim_document WHERE status = ? AND claim > ? ORDER BY claim LIMIT ?",
        *page_of(path),
        LIMIT,
    )
    return [slug for (slug,) in rows]


def right_page_as_of(stores: Stores, path: str) -> list[str]:
    """Return the ids that a page as of `DAY` must have."""
    rows = stores.query(
        "SELECT claim FROM status_period WHERE status = ? AND claim > ?"
        " AND starts <= ? AND (ends IS NULL OR ends > ?) ORDER BY claim LIMIT ?",
        *page_of(path),
        DAY,
        DAY,
        LIMIT,
    )
    return [slug for (slug,) in rows]


def claims(stores: Stores, _server: str) -> list[str]:
    """Return single claims."""
    rows = shuffled(stores.query("SELECT claim FROM claim_document"))
    return [f"/v1/claims/{slug}" for (slug,) in rows]


def sources(stores: Stores, _server: str) -> list[str]:
    """Return single sources."""
    return [f"/v1/sources/{slug}" for (slug,) in shuffled(stores.query("SELECT id FROM source"))]


def misspelt_claims(stores: Stores, server: str) -> list[str]:
    """Return claims whose slugs have a letter too many, so that there are none."""
    return [f"{path}x" for path in claims(stores, server)]


def topics_and_levels(stores: Stores, kind: str) -> list[tuple[str, list[str]]]:
    """Return topics of a kind, each with some levels of evidence."""
    topics = stores.query("SELECT id FROM topic WHERE id LIKE ? ORDER BY id", f"{kind}-%")
    choices: list[list[str]] = []
    for count in range(1, len(LEVELS)):
        choices += map(list, itertools.combinations(LEVELS, count))
    return shuffled([(topic, levels) for (topic,) in topics for levels in choices])


def facets(stores: Stores, _server: str, kind: str = "topic") -> list[str]:
    """Return counts by status of claims on a topic with evidence at some levels."""
    query = "/v1/claims/facets?by=status"
    return [
        f"{query}&topic={topic}&evidence_level={','.join(levels)}"
        for topic, levels in topics_and_levels(stores, kind)
    ]


def broad_facets(stores: Stores, server: str) -> list[str]:
    """Return the same for topics that hold a fifth of all claims."""
    return facets(stores, server, "broad")


def facet_of(path: str) -> tuple[str, list[str]]:
    """Return the topic and the levels of a facet."""
    query = parse_qs(urlsplit(path).query)
    return query["topic"][0], query["evidence_level"][0].split(",")


def datasette_facet(stores: Stores, topic: str, levels: Sequence[str]) -> str:
    """Return Datasette's path of the same counts."""
    query = {"_facet": "status", "_size": "0", "_where": _facet_condition(topic, levels)}
    return f"/{stores.file.stem}/claim_document.json?{urlencode(query)}"


def _facet_condition(topic: str, levels: Sequence[str]) -> str:
    on_topic = _claims_with("topic", [topic])
    at_levels = _claims_with("evidence_level", levels)
    return f"claim IN ({on_topic}) AND claim IN ({at_levels})"


def _claims_with(field: str, values: Sequence[str]) -> str:
    quoted = ", ".join(f"'{value}'" for value in values)
    condition = f"field = '{field}' AND value IN ({quoted})"
    return f"SELECT claim FROM claim_term WHERE {condition}"  # noqa: S608


def right_counts(stores: Stores, topic: str, levels: Sequence[str]) -> list[tuple[str, int]]:
    """Return the counts by status that a facet must have."""
    condition = _facet_condition(topic, levels)
    return stores.query(
        f"SELECT status, count(*) FROM claim_document WHERE {condition}"  # noqa: S608
        " GROUP BY status ORDER BY status"
    )


def facet_counts(answer: bytes) -> list[tuple[str, int]]:
    """Return the counts of a facet of ours."""
    terms = json.loads(answer)["data"]["status"]["terms"]
    return sorted((term["term"], term["count"]) for term in terms)


def datasette_counts(answer: bytes) -> list[tuple[str, int]]:
    """Return the counts of Datasette's facet."""
    results = json.loads(answer)["facet_results"]["status"]["results"]
    return sorted((result["value"], result["count"]) for result in results)


def searches(stores: Stores, _server: str) -> list[str]:
    """Return searches for two words of one statement, among the claims with its status."""
    rows = stores.query("SELECT statement, status FROM claim_document ORDER BY claim")
    paths: list[str] = []
    for statement, status in shuffled(rows):
        words = sorted(set(re.findall(r"\b[a-z]{5,}\b", statement.lower())))
        if len(words) > 1:
            two = " ".join(random.Random(statement).sample(words, 2))
            query = {"q": two, "status": status, "limit": LIMIT}
            paths.append(f"/v1/claims?{urlencode(query)}")
    return paths


def has_results(answer: bytes) -> bool:
    """Return whether a list of ours has any."""
    return bool(data_ids(answer))


def pages_as_of(stores: Stores, server: str) -> list[str]:
    """Return the pages without their parts, as of a day."""
    return pages(stores, server, f"&as_of={DAY}")


def plain_pages(stores: Stores, server: str) -> list[str]:
    """Return the same pages as of today."""
    return pages(stores, server, "")


def full_pages_as_of(stores: Stores, server: str) -> list[str]:
    """Return the pages with their parts, as of a day."""
    return pages(stores, server, f"{PARTS}&as_of={DAY}")


def good_evidence(_stores: Stores, _server: str) -> list[str]:
    """Return the question for the best evidence, the newest first, and how much there is."""
    return [GOOD_EVIDENCE]


def right_good_evidence(stores: Stores, _path: str) -> tuple[int, list[str]]:
    """Return the count and the ids of the first page that the answer to it must have."""
    condition = "FROM evidence JOIN source ON source.id = source WHERE level IN ('1', '2')"
    [(count,)] = stores.query(f"SELECT count(*) {condition}")
    rows = stores.query(
        f"SELECT claim || ':' || key {condition}"
        " ORDER BY level, published DESC, claim, key LIMIT 25"
    )
    return count, [evidence for (evidence,) in rows]


def count_and_ids(answer: bytes) -> tuple[int, list[str]]:
    """Return the count of a list of ours, and the ids on its page."""
    return json.loads(answer)["page"]["count"], data_ids(answer)


def id_of(answer: bytes) -> str:
    """Return the id of one record of ours."""
    return str(json.loads(answer)["id"])


def problem_code(answer: bytes) -> str:
    """Return the code of a problem."""
    return str(json.loads(answer)["code"])


def slugs(answer: bytes) -> list[str]:
    """Return the slugs of a list of the tutorial's."""
    return [claim["slug"] for claim in json.loads(answer)]


def tutorial_slug(answer: bytes) -> str:
    """Return the slug of one claim of the tutorial's."""
    return str(json.loads(answer)["slug"])


def slug_of(path: str) -> str:
    """Return the slug in the path of a record."""
    return path.rpartition("/")[2]


def tutorial_page(status: str, slug: str) -> str:
    """Return the tutorial's path of a page."""
    return f"/claims/?status={status}&after={quote(slug)}&limit={LIMIT}"
