"""Webhooks, to receivers that listen here: signed, in order, with nothing lost or sent by two, and
never where they must not go.
"""

import json
import logging
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from api.http import webhook_sender
from api.http.webhook_sender import is_public
from api.settings import ROOT
from models.access import webhooks
from models.records.serializers import table
from models.transfer.backup import restore_backup, write_backup
from tests.api.curating import Desk, at_desk
from tests.api.following import SECRET, fill, propose, refile
from tests.api.requests import problem
from tests.api.streaming import until
from tests.databases import Store

PATH = "/v1/webhooks"
CURATOR = "cleo"
# Never within a test.
LONG = (3600.0,)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POLL_SECONDS", "IDLE_SECONDS"):
        monkeypatch.setattr(f"api.http.webhooks.{name}", 0.03)
    monkeypatch.setattr("api.http.webhooks.BACKOFF", (0.01,))


@dataclass
class Receiver:
    """A server that keeps what it gets, and answers as it is told, then with 204."""

    server: ThreadingHTTPServer
    answers: list[int] = field(default_factory=list)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/changes?to=all"

    def serials(self) -> list[int]:
        """Return the serials that came in messages which were taken."""
        return [row["serial"] for message in self.taken for row in message["data"]]


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def receiving(pause: float = 0.0) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            own.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = own.answers.pop(0) if own.answers else 204
            if pause:
                threading.Event().wait(pause)
            if status < 300:
                own.taken.append(json.loads(body))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", own.url)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing on the terminal."""

    with serving(Handler) as server:
        own = Receiver(server)
        yield own


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as own:
        yield own


@pytest.fixture
def filled(empty: Store) -> Store:
    """Give a database with six changes."""
    fill(empty)
    return empty


def create(desk: Desk, url: str, who: str = CURATOR, **more: Any) -> dict[str, Any]:
    webhook: dict[str, Any] = desk.must(201, who, "POST", PATH, {"url": url, **more})
    return webhook


def shown(desk: Desk, webhook: dict[str, Any], who: str = CURATOR) -> dict[str, Any]:
    answer: dict[str, Any] = desk.must(200, who, "GET", f"{PATH}/{webhook['id']}")
    return answer


def create_failing(desk: Desk, receiver: Receiver, status: int, since: int) -> dict[str, Any]:
    """Create a webhook whose first message fails; nothing more is sent for long after that."""
    desk.client.app.state.webhooks.backoff = LONG  # type: ignore[attr-defined]
    receiver.answers = [status]
    webhook = create(desk, receiver.url, since=since)
    until(lambda: shown(desk, webhook)["attempts"] == 1)
    return webhook


def delivered(desk: Desk, webhook: dict[str, Any], serial: int) -> None:
    """Wait until everything up to a serial was delivered."""
    until(lambda: shown(desk, webhook)["delivered"] == serial)


def test_a_change_is_delivered_and_its_signature_is_right(
    filled: Store, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    with at_desk(filled) as desk, caplog.at_level(logging.DEBUG):
        webhook = create(desk, receiver.url)
        assert webhook["delivered"] == 6
        secret = webhook.pop("secret")
        assert shown(desk, webhook) == webhook
        refile(filled, "a")
        delivered(desk, webhook, 7)
        refile(filled, "b")
        delivered(desk, webhook, 8)
        told = desk.must(200, None, "GET", "/v1/changes?since=6")
        assert [row for message in receiver.taken for row in message["data"]] == told["data"]
        for headers, body in receiver.got:
            assert Verifier(secret).verify(body, headers) == json.loads(body)
            assert headers["content-type"] == "application/json"
            with pytest.raises(WebhookVerificationError):
                Verifier(secret).verify(body + b" ", headers)
        first, second = (headers["webhook-id"] for headers, _ in receiver.got)
        assert first != second
        # The secret was in that one answer, and in no other and no log.
        for path in (PATH, f"{PATH}/{webhook['id']}", "/v1/export", "/v1/changes?include=body"):
            assert secret not in desk.ask("dora", "GET", path).text
    assert secret not in caplog.text
    assert secret.removeprefix("whsec_") not in caplog.text


def test_what_a_receiver_refuses_is_sent_again_and_nothing_is_skipped(
    filled: Store, receiver: Receiver
) -> None:
    with at_desk(filled) as desk:
        receiver.answers = [500, 302]
        webhook = create(desk, receiver.url, since=0)
        delivered(desk, webhook, 6)
        assert receiver.serials() == list(range(1, 7))
        # All three were one message, so one who took it without our hearing can tell.
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
        assert len(receiver.got) == 3
        assert shown(desk, webhook)["attempts"] == 0


def test_a_failure_is_told_and_waits_until_somebody_changes_the_webhook(
    filled: Store, receiver: Receiver
) -> None:
    with at_desk(filled) as desk:
        webhook = create_failing(desk, receiver, 503, since=4)
        told = shown(desk, webhook)
        assert told["last_error"] == "The answer was 503."
        assert told["next_attempt"] > told["failing_since"]
        assert told["delivered"] == 4
        changed = desk.must(200, CURATOR, "PATCH", f"{PATH}/{webhook['id']}", {"since": 2})
        assert (changed["delivered"], changed["attempts"], changed["last_error"]) == (2, 0, None)
        delivered(desk, webhook, 6)
        assert receiver.serials() == [3, 4, 5, 6]


def test_after_a_restart_it_goes_on_where_it_was(filled: Store, receiver: Receiver) -> None:
    with at_desk(filled) as desk:
        webhook = create(desk, receiver.url)
        refile(filled, "a")
        delivered(desk, webhook, 7)
    refile(filled, "b")
    refile(filled, "a", "veins")
    with at_desk(filled) as desk:
        delivered(desk, webhook, 9)
    assert receiver.serials() == [7, 8, 9]


def test_filters_hold_back_what_is_not_wanted(filled: Store, receiver: Receiver) -> None:
    with at_desk(filled) as desk, receiving() as other, receiving() as both:
        create(desk, receiver.url, claim=["a"], since=0)
        create(desk, other.url, topic=["veins"], since=0)
        create(desk, both.url, topic=["iron", "veins"], claim=["a", "b"], since=0)
        refile(filled, "b", "iron")
        refile(filled, "a", "iron", "veins")
        until(lambda: receiver.serials() == [4, 6, 8])
        until(lambda: other.serials() == [2, 5, 7, 8])
        until(lambda: both.serials() == [4, 5, 6, 7, 8])
        for body, pointer in (
            ({"claim": ["nothing"]}, "/claim"),
            ({"topic": ["iron", "nothing"]}, "/topic"),
            ({"since": 99}, "/since"),
        ):
            refused = desk.ask(CURATOR, "POST", PATH, {"url": receiver.url, **body})
            assert refused.status_code == 422
            assert [each["pointer"] for each in problem(refused)["errors"]] == [pointer]


def test_many_changes_come_in_messages_of_a_bounded_size(
    filled: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.webhooks.MOST_CHANGES", 4)
    with at_desk(filled) as desk:
        delivered(desk, create(desk, receiver.url, since=0), 6)
        assert [len(message["data"]) for message in receiver.taken] == [4, 2]
        monkeypatch.setattr("api.http.webhooks.MOST_MESSAGE_BYTES", 1)
        delivered(desk, create(desk, receiver.url, since=3), 6)
        assert [len(message["data"]) for message in receiver.taken] == [4, 2, 1, 1, 1]
        assert receiver.serials() == [1, 2, 3, 4, 5, 6, 4, 5, 6]


def test_what_is_only_proposed_is_never_sent(filled: Store, receiver: Receiver) -> None:
    propose(filled)
    with at_desk(filled) as desk:
        delivered(desk, create(desk, receiver.url, since=0), 14)
        told = desk.must(200, None, "GET", "/v1/changes?limit=200")["data"]
    assert [row for message in receiver.taken for row in message["data"]] == told
    assert SECRET.encode() not in b"".join(body for _, body in receiver.got)


def test_of_two_processes_one_delivers(filled: Store) -> None:
    with receiving(pause=0.1) as receiver, at_desk(filled) as desk, at_desk(filled):
        webhook = create(desk, receiver.url)
        for number in range(8):
            refile(filled, "a", *(["veins"] if number % 2 else []))
        delivered(desk, webhook, 14)
        assert receiver.serials() == list(range(7, 15))


def test_a_lease_that_nobody_gave_back_ends(filled: Store, receiver: Receiver) -> None:
    """A process that is killed while it sends leaves its lease."""
    with at_desk(filled) as desk:
        webhook = create(desk, receiver.url)
        rows = table(webhooks.Webhook)
        with filled.database.write() as connection:
            (row,) = webhooks.active_webhooks(connection)
            assert webhooks.take_lease(connection, row, "dead")
        with filled.database.write() as connection:
            assert not webhooks.take_lease(connection, row, "other")
            assert not webhooks.settle(connection, webhook["id"], "other", {"delivered": 99})
        refile(filled, "a")
        with filled.database.write() as connection:
            connection.execute(update(rows).values(leased_until="2020-01-01T00:00:00.000000Z"))
        delivered(desk, webhook, 7)
        with filled.database.write() as connection:
            assert not webhooks.settle(connection, webhook["id"], "dead", {"delivered": 99})


def test_a_stop_while_it_sends_gives_the_lease_back(filled: Store) -> None:
    with receiving(pause=1) as receiver:
        with at_desk(filled) as desk:
            webhook = create(desk, receiver.url, since=5)
            until(lambda: receiver.got)
        with filled.database.read() as connection:
            (row,) = webhooks.active_webhooks(connection)
        assert (row["lease"], row["leased_until"], row["delivered"]) == (None, None, 5)
        with at_desk(filled) as desk:
            delivered(desk, webhook, 6)


def test_a_receiver_that_wants_no_more_or_fails_for_days_is_left_alone(
    filled: Store, receiver: Receiver
) -> None:
    with at_desk(filled) as desk:
        receiver.answers = [410]
        webhook = create(desk, receiver.url, since=5)
        until(lambda: shown(desk, webhook)["disabled"])
        assert "410" in shown(desk, webhook)["disabled"]
        path = f"{PATH}/{webhook['id']}"
        assert desk.must(200, CURATOR, "PATCH", path, {"enabled": True})["disabled"] is None
        delivered(desk, webhook, 6)
        off = desk.must(200, CURATOR, "PATCH", path, {"enabled": False})
        assert off["disabled"] == f"{CURATOR} disabled it."
        assert desk.must(200, CURATOR, "POST", f"{path}:test") == {"status": 204, "error": None}
        assert receiver.taken[-1] == {"type": "ping", "webhook": webhook["id"], "data": []}

        receiver.answers = [500] * 5
        with filled.database.write() as connection:
            long_ago = {"failing_since": "2020-01-01T00:00:00.000000Z", "disabled": None}
            connection.execute(update(table(webhooks.Webhook)).values(long_ago))
        refile(filled, "a")
        until(lambda: shown(desk, webhook)["disabled"])
        assert shown(desk, webhook)["disabled"] == "Every attempt failed for 5 days."


def test_each_manages_their_own_and_an_admin_all(filled: Store, receiver: Receiver) -> None:
    with at_desk(filled) as desk:
        own, other = create(desk, receiver.url), create(desk, receiver.url, "ben")
        path = f"{PATH}/{other['id']}"
        for method, each in (("GET", path), ("DELETE", path), ("POST", f"{path}:test")):
            assert desk.ask(CURATOR, method, each).status_code == 404
        assert desk.ask(CURATOR, "PATCH", path, {"since": 0}).status_code == 404
        listed = {
            who: [each["id"] for each in desk.must(200, who, "GET", PATH)["data"]]
            for who in (CURATOR, "ben", "dora")
        }
        assert listed == {
            CURATOR: [own["id"]],
            "ben": [other["id"]],
            "dora": [own["id"], other["id"]],
        }
        assert desk.must(200, "dora", "DELETE", path)["id"] == other["id"]
        assert desk.ask("ben", "GET", path).status_code == 404
        repeated = desk.ask(CURATOR, "POST", PATH, {"url": receiver.url}, Idempotency_Key="x")
        assert repeated.status_code == 400


FORBIDDEN = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://localhost:8000/",
    "https://0.0.0.0/",
    "https://10.1.2.3/",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/",
    "https://[::ffff:192.168.0.1]/",
    "https://[64:ff9b::10.0.0.1]/",
    "https://[fd00::1]/",
    "http://8.8.8.8/",
    "https://anna:secret@8.8.8.8/",
    "ftp://8.8.8.8/",
    "https:///changes",
    "https://8.8.8.8:99999/",
    "https://8.8.8.8/a b",
]


def test_a_webhook_to_a_private_address_is_refused(filled: Store) -> None:
    with at_desk(filled, webhook_private=False) as desk:
        webhook = create(desk, "https://8.8.8.8/changes")
        for url in FORBIDDEN:
            for method, path in (("POST", PATH), ("PATCH", f"{PATH}/{webhook['id']}")):
                refused = desk.ask(CURATOR, method, path, {"url": url})
                assert refused.status_code == 422, url
                assert [each["pointer"] for each in problem(refused)["errors"]] == ["/url"], url


def test_a_name_that_means_a_private_address_later_leads_nowhere(
    filled: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    meant = ["8.8.8.8"]
    monkeypatch.setattr(webhook_sender, "_look_up", lambda *_: list(meant))
    port = receiver.server.server_port
    with at_desk(filled, webhook_private=False) as desk:
        webhook = create(desk, f"https://receiver.example:{port}/")
        # One good address beside it does not help.
        meant.append("127.0.0.1")
        refile(filled, "a")
        until(lambda: shown(desk, webhook)["attempts"] > 0)
        assert "not a public address" in shown(desk, webhook)["last_error"]
        tested = desk.must(200, CURATOR, "POST", f"{PATH}/{webhook['id']}:test")
        assert "not a public address" in tested["error"]
    assert receiver.got == []


def test_it_connects_to_the_address_that_was_checked(
    filled: Store, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def look_up(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    monkeypatch.setattr(webhook_sender, "_look_up", look_up)
    host = f"receiver.example:{receiver.server.server_port}"
    with at_desk(filled) as desk:
        delivered(desk, create(desk, f"http://{host}/changes", since=0), 6)
    assert asked == ["receiver.example"]
    assert [headers["host"] for headers, _ in receiver.got] == [host]


def test_which_addresses_are_public() -> None:
    for address in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"):
        assert is_public(address), address
    for address in (
        *("0.0.0.1", "100.64.0.1", "172.16.0.1", "192.168.1.1", "192.0.2.1", "224.0.0.1"),
        *("240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%2", "fec0::1"),
        *("ff02::1", "2002:7f00:1::", "2001:db8::1", "2001:0:1::", "::ffff:127.0.0.1", "::7f00:1"),
    ):
        assert not is_public(address), address


def test_a_restored_copy_delivers_nothing_by_itself(
    filled: Store, other: Store, receiver: Receiver, tmp_path: Path
) -> None:
    with at_desk(filled) as desk:
        webhook = create_failing(desk, receiver, 500, since=0)
    write_backup(filled.database, tmp_path / "backup")
    restore_backup(other.database, tmp_path / "backup")
    with at_desk(other) as desk:
        assert "backup" in shown(desk, webhook)["disabled"]
        assert len(receiver.got) == 1
        desk.must(200, "dora", "PATCH", f"{PATH}/{webhook['id']}", {"enabled": True})
        delivered(desk, webhook, 6)


def test_the_receiver_in_the_documents_takes_what_is_signed_and_nothing_else(
    filled: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "following.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    program, _, last = program.strip().rpartition("\n")
    assert last.endswith("serve_forever()")
    with serving(BaseHTTPRequestHandler) as server, at_desk(filled) as desk:
        webhook = create(desk, f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setitem(os.environ, "WEBHOOK_SECRET", webhook["secret"])
        names: dict[str, Any] = {}
        exec(program, names)  # noqa: S102
        server.RequestHandlerClass = names["Receiver"]
        refile(filled, "a")
        delivered(desk, webhook, 7)
        assert capsys.readouterr().out == "[7]\n"
        names["KEY"] = b"another"
        path = f"{PATH}/{webhook['id']}:test"
        assert desk.must(200, CURATOR, "POST", path)["status"] == 401
