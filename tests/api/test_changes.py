"""The feed of changes: gap-free under concurrent writers, resumable, filtered, and silent about
what is only proposed.
"""

import json
import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from models.read import change_feed, listings
from tests.api.following import PROPOSED, SECRET, fill, propose, refile, writing, written
from tests.api.requests import get_json, problem
from tests.databases import SEEDED, Store


def served(store: Store) -> TestClient:
    return TestClient(create_app(Settings(database_url=store.url)), raise_server_exceptions=False)


def followed(client: TestClient, path: str, since: int = 0) -> list[dict[str, Any]]:
    """Return every change from `since` on, page by page."""
    rows: list[dict[str, Any]] = []
    while True:
        answer = get_json(client, f"{path}&since={since}")
        page = answer["page"]
        assert page["next"] > since or page["next"] == page["last"]
        rows += answer["data"]
        since = page["next"]
        if since == page["last"]:
            return rows


def serials(rows: list[dict[str, Any]]) -> list[int]:
    return [row["serial"] for row in rows]


def place(answer: Any) -> dict[str, Any]:
    """Return where a page of changes stands, without the state that every list shows."""
    return {name: answer["page"][name] for name in ("limit", "next", "last")}


@pytest.mark.parametrize("limit", [1, 7, 200])
def test_every_change_comes_once_in_its_order(limit: int, client: TestClient) -> None:
    rows = followed(client, f"/v1/changes?limit={limit}")
    assert serials(rows) == list(range(1, SEEDED + 1))
    assert all(row["record"] and row["actor"] for row in rows)


def test_a_page_says_where_to_go_on(client: TestClient) -> None:
    response = client.get(
        f"/v1/changes?since={SEEDED - 6}&limit=4"
        "&kind=evidence,claim,relation,occurrence,source,topic"
    )
    assert place(response.json()) == {"limit": 4, "next": SEEDED - 2, "last": SEEDED}
    link = response.links["next"]["url"]
    assert link.endswith(f"since={SEEDED - 2}")
    rest = client.get(link)
    assert (serials(rest.json()["data"]), rest.json()["page"]["next"]) == (
        [SEEDED - 1, SEEDED],
        SEEDED,
    )
    assert "next" not in rest.links
    end = get_json(client, f"/v1/changes?since={SEEDED}")
    assert end["data"] == []
    assert place(end) == {"limit": 25, "next": SEEDED, "last": SEEDED}


def test_a_whole_record_stands_after_each_change_where_it_is_wanted(client: TestClient) -> None:
    (row,) = get_json(client, "/v1/changes?since=6&limit=1&include=body")["data"]
    assert row == get_json(client, "/v1/revisions/7")
    assert "body" not in get_json(client, "/v1/changes?since=6&limit=1")["data"][0]


def test_an_unchanged_feed_is_304_until_something_changes(empty: Store) -> None:
    fill(empty)
    with served(empty) as client:
        first = client.get("/v1/changes?since=3")
        known = {"If-None-Match": first.headers["etag"]}
        assert client.get("/v1/changes?since=3", headers=known).status_code == 304
        refile(empty, "b")
        again = client.get("/v1/changes?since=3", headers=known)
        assert (again.status_code, serials(again.json()["data"])) == (200, [4, 5, 6, 7])


@pytest.mark.parametrize("path", ["/v1/changes", "/v1/changes?include=body&kind=claim"])
def test_a_serial_that_has_not_come_is_a_400_that_says_what_the_last_one_is(
    path: str, client: TestClient
) -> None:
    answer = client.get(f"{path}{'&' if '?' in path else '?'}since={SEEDED + 1}")
    assert answer.status_code == 400
    assert f"the last one is {SEEDED}" in problem(answer)["detail"]
    assert problem(answer)["errors"][0]["parameter"] == "since"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("since=-1", "since"),
        ("since=x", "since"),
        ("since=99999999999", "since"),
        ("limit=201", "limit"),
        ("kind=claims", "kind"),
        ("claim=ccsvi-cause-ms", "claim"),
        ("topic=irn", "topic"),
        ("include=all", "include"),
        ("after=3", "after"),
    ],
)
def test_a_bad_parameter_is_named(query: str, parameter: str, client: TestClient) -> None:
    answer = client.get(f"/v1/changes?{query}")
    assert answer.status_code == 400
    assert problem(answer)["errors"][0]["parameter"] == parameter


def test_a_filter_lets_the_follower_move_on_past_what_it_holds_back(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(empty)
    with served(empty) as client:
        answer = get_json(client, "/v1/changes?kind=source&since=3")
        assert answer["data"] == []
        assert place(answer) == {"limit": 25, "next": 6, "last": 6}
        monkeypatch.setattr(change_feed, "WINDOW", 2)
        assert place(get_json(client, "/v1/changes?kind=source")) == {
            "limit": 25,
            "next": 2,
            "last": 6,
        }
        assert serials(followed(client, "/v1/changes?kind=source")) == [3]
        assert serials(followed(client, "/v1/changes?kind=claim,evidence")) == [4, 5, 6]
        assert serials(followed(client, "/v1/changes?limit=1")) == [1, 2, 3, 4, 5, 6]


def test_a_claim_is_followed_with_what_hangs_on_it(client: TestClient) -> None:
    rows = followed(client, "/v1/changes?claim=ccsvi-causes-ms")
    listed = get_json(client, "/v1/claims/ccsvi-causes-ms/revisions?limit=200")["data"]
    assert rows == listed
    both = followed(
        client, "/v1/changes?claim=ccsvi-causes-ms,iron-from-slow-venous-flow&kind=claim"
    )
    assert [row["record"] for row in both] == [
        "claim/ccsvi-causes-ms",
        "claim/iron-from-slow-venous-flow",
    ]


def test_a_topic_is_followed_with_the_claims_as_they_were_filed_at_each_change(
    empty: Store,
) -> None:
    fill(empty)
    with served(empty) as client:
        assert serials(followed(client, "/v1/changes?topic=iron")) == [1, 4, 6]
        assert serials(followed(client, "/v1/changes?topic=iron,veins")) == [1, 2, 4, 5, 6]
        refile(empty, "a", "veins")  # 7: it leaves, which whoever follows the topic must learn.
        refile(empty, "a")  # 8: it is gone already.
        refile(empty, "b", "veins", "iron")  # 9
        assert serials(followed(client, "/v1/changes?topic=iron")) == [1, 4, 6, 7, 9]
        assert serials(followed(client, "/v1/changes?topic=veins")) == [2, 5, 7, 8, 9]


def test_what_is_only_proposed_keeps_its_place_and_tells_nothing(empty: Store) -> None:
    fill(empty)
    propose(empty)
    with served(empty) as client:
        rows = followed(client, "/v1/changes?include=body")
        assert serials(rows) == list(range(1, 15))
        hidden = [row for row in rows if row["record"] is None]
        assert serials(hidden) == PROPOSED
        for row in hidden:
            assert {name for name, value in row.items() if value is None} == {
                *("record", "claim", "actor", "comment", "review", "body")
            }
            assert (row["kind"], row["change"]) == (
                "claim" if row["serial"] == 14 else "evidence",
                row["serial"],
            )
        assert [row["state"] for row in hidden] == [
            "submitted",
            "rejected",
            "submitted",
            "withdrawn",
        ] + 2 * ["submitted"]
        assert SECRET not in json.dumps(rows)
        for row in rows:
            one = client.get(f"/v1/revisions/{row['serial']}")
            assert (one.status_code, one.json()) == (200, row)
        # A tag of an answer that is compressed names its coding.
        plain = {"Accept-Encoding": "identity"}
        tags = {
            client.get(f"/v1/revisions/{number}", headers=plain).headers["etag"]
            for number in (11, 12)
        }
        assert tags == {'"11-withheld"', '"12"'}


def test_no_filter_and_no_list_tells_of_what_a_proposal_is_about(empty: Store) -> None:
    fill(empty)
    propose(empty)
    with served(empty) as client:
        assert serials(followed(client, "/v1/changes?claim=a")) == [4, 6, 12, 13]
        assert serials(followed(client, "/v1/changes?topic=iron")) == [1, 4, 6, 12, 13]
        assert serials(followed(client, "/v1/changes?kind=evidence")) == [6, *range(7, 14)]
        unknown = client.get(f"/v1/changes?claim={SECRET}-claim")
        never = client.get("/v1/changes?claim=never-there")
        assert (
            problem(unknown)["detail"].replace(f"{SECRET}-claim", "never-there")
            == problem(never)["detail"]
        )
        listed = get_json(client, "/v1/claims/a/revisions?limit=1")
        seen = serials(listed["data"])
        while listed["page"]["next"]:
            listed = get_json(
                client, f"/v1/claims/a/revisions?limit=1&cursor={listed['page']['next']}"
            )
            seen += serials(listed["data"])
        assert seen == [4, 6, 12, 13]
        assert get_json(client, "/v1/claims/a/revisions?count=exact")["page"]["count"] == 4


def test_whoever_may_see_more_is_shown_it(empty: Store) -> None:
    fill(empty)
    propose(empty)
    own = listings.revision.c.actor == SECRET
    with empty.database.read() as connection:
        batch = change_feed.changes_after(
            connection, 0, 50, {"claim": ["a"]}, body=True, may_see=own
        )
    assert serials(batch.rows) == PROPOSED[:-1]
    assert {row["actor"] for row in batch.rows} == {SECRET}
    assert {row["body"]["finding"] for row in batch.rows} == {f"{SECRET} finding"}


def test_readers_miss_nothing_while_writers_write(empty: Store) -> None:
    fill(empty)
    total = 6 + written(4, 25)
    faults: list[str] = []

    def follow(limit: int) -> None:
        seen: list[int] = []
        while len(seen) < total:
            since = seen[-1] if seen else 0
            with empty.database.read() as connection:
                batch = change_feed.changes_after(connection, since, limit, {})
            found = serials(batch.rows)
            if (
                found != list(range(since + 1, since + 1 + len(found)))
                or batch.next != (found or [since])[-1]
            ):
                faults.append(f"after {since}: {found}, next {batch.next}")
                return
            seen += found

    readers = [threading.Thread(target=follow, args=(limit,)) for limit in (1, 3, 50)]
    with writing(empty, 4, 25):
        for reader in readers:
            reader.start()
    for reader in readers:
        reader.join(timeout=60)
        assert not reader.is_alive()
    assert faults == []
