"""Many clients at once on a served process: no edit is lost, none is made twice, whoever is late is
told so.
"""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from models.read import listings
from models.records import revision
from tests.databases import Store
from tests.drills.figures import Figures, progress
from tests.drills.serving import (
    Answer,
    Client,
    feed,
    must_agree,
    people,
    revisions,
    serving,
    tell,
    together,
)

CLAIMS = 10
PATH = "/v1/claims/ccsvi-causes-ms"


class Edit(NamedTuple):
    """An edit that was acknowledged: the version that it was about, the version that it made, and
    what it wrote.
    """

    claim: str
    before: str
    after: str
    note: str


def patient(client: Client, path: str, note: str, tag: str, told: list[int]) -> Answer:
    """Ask for an edit until the server is not too busy for it."""
    while True:
        answer = client.ask("PATCH", path, {"note": note}, If_Match=tag)
        told.append(answer.status)
        if answer.status != 503:
            return answer
        time.sleep(0.05)


def edit_at_once(
    store: Store, folder: Path, clients: int, edits: int, processes: int = 2
) -> Figures:
    """Let so many clients edit the same claims at once, by way of so many servers."""
    told: list[int] = []
    done: list[Edit] = []
    longest = [0.0] * clients
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(store.url, folder)) for _ in range(processes)]
        server = servers[0]
        plain = people(store.database, clients)
        claims = [
            row["id"]
            for row in server.client().ask("GET", f"/v1/claims?limit={CLAIMS}").body["data"]
        ]
        with store.database.read() as connection:
            first = listings.current_serial(connection)

        def work(n: int) -> None:
            client = servers[n % processes].client(plain[n])
            for number in range(edits):
                claim = claims[(n + number) % CLAIMS]
                path, note = f"/v1/claims/{claim}", f"Edit {number} by {n}."
                tag = client.ask("GET", path).tag
                begun = time.monotonic()
                answer = patient(client, path, note, tag, told)
                longest[n] = max(longest[n], time.monotonic() - begun)
                if answer.status == 200:
                    done.append(Edit(claim, tag, answer.tag, note))
                else:
                    assert answer.status == 412, answer.body
                if number % 10 == 0:
                    assert client.ask("PATCH", path, {"note": "Whatever it says."}).status == 428
                if n == 0:
                    progress(number + 1, edits)

        together(work, clients)
        changes = feed(server.client(), first)
    made = revisions(store.database, first)
    assert len(done) == told.count(200) >= edits, "hardly anybody got through"
    assert told.count(200) + told.count(412) == clients * edits
    # One revision a success, each with what its writer wrote, and nobody else's.
    assert [row["serial"] for row in made] == list(range(first + 1, first + 1 + len(done)))
    assert {(f'"{row["serial"]}"', row["claim"], row["body"]["note"]) for row in made} == {
        (edit.after, edit.claim, edit.note) for edit in done
    }
    assert [row["serial"] for row in changes] == [row["serial"] for row in made]
    # Each edit was made on the version before it: nobody overwrote what they had not seen.
    chains = defaultdict(list)
    for edit in sorted(done, key=lambda edit: int(edit.after.strip('"'))):
        chains[edit.claim].append(edit)
    for chain in chains.values():
        assert [edit.before for edit in chain[1:]] == [edit.after for edit in chain[:-1]]
    must_agree(store.database)
    figures = Figures(rounds=clients * edits, kept=len(done), answers=Counter(told))
    figures.longest(seconds_of_the_longest_wait=max(longest))
    return figures


FULL = (pytest.param(32, 200, n, marks=pytest.mark.slow, id=f"full-{n}") for n in (1, 2))


@pytest.mark.parametrize(
    ("clients", "edits", "processes"), [pytest.param(6, 8, 2, id="small"), *FULL]
)
def test_of_many_edits_at_once_none_is_lost(
    seeded: Store, tmp_path: Path, clients: int, edits: int, processes: int
) -> None:
    tell(str(edit_at_once(seeded, tmp_path, clients, edits, processes)))


def send_again(store: Store, folder: Path, rounds: int, posts: int = 50) -> Figures:
    """Send so many requests, each so many times at once: each is carried out once."""
    figures = Figures(rounds=rounds)
    with serving(store.url, folder) as server:
        (plain,) = people(store.database, 1)
        with store.database.read() as connection:
            first = listings.current_serial(connection)
        clients = [server.client(plain) for _ in range(posts)]
        for number in range(rounds):
            slug = f"sent-again-{number}"
            body = {"id": slug, "statement": f"It is sent again, as {number}.", "kind": "mechanism"}
            answers: list[Answer] = []
            post_at_once(clients, body, slug, answers)
            assert [answer.status for answer in answers] == [201] * posts
            assert all(answer == answers[0] for answer in answers)
            figures.answers[201] += posts
            progress(number + 1, rounds)
    assert [(row["serial"], row["record"]) for row in revisions(store.database, first)] == [
        (first + 1 + number, f"claim/sent-again-{number}") for number in range(rounds)
    ]
    must_agree(store.database)
    figures.kept = rounds
    return figures


def post_at_once(
    clients: Sequence[Client], body: dict[str, str], key: str, answers: list[Answer]
) -> None:
    """Have each of these clients send the same request under the same key."""

    def work(n: int) -> None:
        answers.append(clients[n].ask("POST", "/v1/claims", body, Idempotency_Key=key))

    together(work, len(clients))


@pytest.mark.parametrize("posts", [20, pytest.param(50, marks=pytest.mark.slow)])
def test_a_request_that_is_sent_many_times_at_once_is_carried_out_once(
    seeded: Store, tmp_path: Path, posts: int
) -> None:
    tell(str(send_again(seeded, tmp_path, 1 if posts == 20 else 3, posts)))


def test_writers_who_wait_do_not_keep_readers_waiting(seeded: Store, tmp_path: Path) -> None:
    """More of them than the server has threads and connections wait for another process; who only
    reads notices nothing.
    """
    told: list[int] = []
    slowest = 0.0
    with serving(seeded.url, tmp_path) as server:
        client = server.client()
        tag = client.ask("GET", PATH).tag

        def work(plain: str) -> None:
            told.append(
                server.client(plain).ask("PATCH", PATH, {"note": "Mine."}, If_Match=tag).status
            )

        writers = [
            threading.Thread(target=work, args=(plain,)) for plain in people(seeded.database, 60)
        ]
        with seeded.database.write() as connection:
            revision.lock_serial(connection)
            for writer in writers:
                writer.start()
            time.sleep(1)  # They are all waiting by then.
            for path in (
                PATH,
                "/v1/claims?include=evidence",
                "/healthz",
                "/readyz",
                "/v1/vocabularies",
            ) * 4:
                begun = time.monotonic()
                assert client.ask("GET", path).status == 200
                slowest = max(slowest, time.monotonic() - begun)
            assert told == []
        for writer in writers:
            writer.join()
    assert Counter(told) == {200: 1, 412: 59}
    assert slowest < 2
