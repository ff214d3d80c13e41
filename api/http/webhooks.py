"""Delivers changes to webhooks: one task in each process looks for what is due.

A webhook has the serial up to which everything was delivered. What follows is sent as `/v1/changes`
gives it to everybody, and only an answer of 2xx moves the serial on: nothing is skipped, and what a
receiver took without our hearing of it is sent again. Of several processes the one that takes the
lease sends.
"""

import asyncio
import logging
import random
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from anyio import CapacityLimiter, to_thread
from pydantic_core import to_json
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api.http.webhook_sender import Outcome, Sender
from models.access import webhooks
from models.core.dates import format_timestamp, now, parse_timestamp
from models.core.errors import ClaimbaseError
from models.database.connections import Database
from models.database.readiness import is_standby
from models.read import change_feed
from models.read.change_feed import WINDOW, Batch
from models.read.listings import current_serial
from models.records.serializers import Row

# How often to look for what is due, with webhooks and without any.
POLL_SECONDS = 1.0
IDLE_SECONDS = 10.0
# What one message holds at most; a single change may be larger.
MOST_CHANGES = 100
MOST_MESSAGE_BYTES = 250_000
# How many messages are under way at once.
AT_ONCE = 8
# Seconds until the next attempt after the first failure, the second and so on; the last one holds
# from there on. A fifth more or less is added, so that webhooks do not all come at once.
BACKOFF: Sequence[float] = (5, 30, 120, 600, 3600, 21_600, 86_400)
JITTER = 0.2
# A webhook that fails for so many days is disabled.
MOST_FAILING_DAYS = 5
# How long the end of the process waits for the database, so that leases are given back.
RELEASE_SECONDS = 2.0
GONE = 410

Result = TypeVar("Result")
Filters = dict[str, list[str]]
log = logging.getLogger("claimbase.webhooks")


class Deliveries:
    """The deliveries of this process."""

    def __init__(self, database: Database, *, private: bool) -> None:
        self.database = database
        self.sender = Sender(private=private)
        self.backoff = BACKOFF
        self.news = asyncio.Event()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._at_work: set[asyncio.Task[Any]] = set()
        # Up to where nothing is to be sent, after what was delivered: by the webhook, with what
        # that holds for. It is not stored, since it is soon found again.
        self._passed: dict[str, tuple[Row, int]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        # Deliveries take one connection at a time from those of requests.
        self._threads = CapacityLimiter(1)

    @asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        """Deliver while the `async with` block runs, then give up what is under way."""
        # They belong to the event loop in which somebody waited first.
        self.news, self._turns = asyncio.Event(), asyncio.Semaphore(AT_ONCE)
        looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            tasks = [looking, *self._under_way.values()]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            if self._at_work:
                # Nobody waits longer for a database that does not answer.
                _, left = await asyncio.wait(self._at_work, timeout=RELEASE_SECONDS)
                for work in left:
                    work.cancel()
            await self.sender.close()

    def wake(self) -> None:
        """Look for what is due at once: a webhook is new or another."""
        self.news.set()

    async def _look(self) -> None:
        while True:
            pause = POLL_SECONDS
            try:
                active, due = await self._in_thread(self._due)
                pause = POLL_SECONDS if active else IDLE_SECONDS
            except (DBAPIError, PoolTimeout) as error:
                due = []
                log.warning("cannot look for webhooks", extra={"error": type(error).__name__})
            except Exception:
                # Else nothing would be delivered any more until the process begins anew.
                due = []
                log.exception("cannot look for webhooks")
            for webhook in due:
                if webhook["id"] not in self._under_way:
                    self._begin(webhook)
            try:
                async with asyncio.timeout(pause):
                    await self.news.wait()
            except TimeoutError:
                pass
            self.news.clear()

    def _begin(self, webhook: Row) -> None:
        identity = webhook["id"]
        task = asyncio.create_task(self._deliver_in_turn(webhook))
        self._under_way[identity] = task
        task.add_done_callback(lambda _task: self._under_way.pop(identity, None))

    async def _in_thread(self, work: Callable[..., Result], *given: object) -> Result:
        return await asyncio.shield(self._start(work, *given))

    def _start(self, work: Callable[..., Result], *given: object) -> "asyncio.Task[Result]":
        """Begin work in a thread, which goes on where nobody waits for it any more."""
        in_thread = to_thread.run_sync(work, *given, limiter=self._threads, abandon_on_cancel=True)
        task = asyncio.ensure_future(in_thread)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return task

    def _due(self) -> tuple[bool, list[Row]]:
        """Return whether there is any webhook, and those that may have something to send."""
        at = now()
        with self.database.read() as connection:
            # What is delivered is noted, so it takes a database that can be written to.
            active = [] if is_standby(connection) else webhooks.active_webhooks(connection)
            newest = current_serial(connection) if active else 0
        known = {webhook["id"] for webhook in active}
        self._passed = {key: each for key, each in self._passed.items() if key in known}
        due = [each for each in active if webhooks.is_due(each, at)]
        return bool(active), [each for each in due if self._position(each) < newest]

    def _position(self, webhook: Row) -> int:
        """Return the serial after which there may be something to send."""
        held_for, serial = self._passed.get(webhook["id"], ({}, 0))
        delivered: int = webhook["delivered"]
        return serial if held_for == _filtered(webhook) else delivered

    async def _deliver_in_turn(self, webhook: Row) -> None:
        try:
            async with self._turns:
                after: Row | None = webhook
                while after is not None:
                    after = await self._deliver(after)
        except (DBAPIError, PoolTimeout, ClaimbaseError) as error:
            # What was not noted is sent again.
            log.warning("a webhook waits", extra={"error": type(error).__name__})
        except Exception:
            log.exception("a webhook cannot be delivered")

    async def _deliver(self, webhook: Row) -> Row | None:
        """Send what comes next. Return the webhook as it is then, or None if that is all for
        now.
        """
        batch = await self._in_thread(self._next_batch, webhook)
        if not batch.rows:
            return webhook if batch.next < batch.last else None
        message, body, reached = write_message(webhook, batch)
        lease = secrets.token_hex(16)
        try:
            if not await self._in_thread(self._take, webhook, lease):
                return None
            outcome = await self.sender.send(webhook["url"], webhook["secret"], message, body)
        except asyncio.CancelledError:
            # Else the next process would have to wait until the lease is over.
            self._start(self._settle, webhook["id"], lease, {})
            raise
        values = self._values(webhook, outcome, reached)
        if not await self._in_thread(self._settle, webhook["id"], lease, values):
            return None
        if not outcome.is_delivered:
            log.warning(
                "a webhook failed",
                extra={"webhook": webhook["id"], "error": outcome.error},
            )
            return None
        return {**webhook, **values}

    def _next_batch(self, webhook: Row) -> Batch:
        """Return the next changes that a webhook is to have, of a bounded number of serials."""
        since = self._position(webhook)
        with self.database.read() as connection:
            if since > current_serial(connection):
                # The database was replaced by an older one.
                return Batch([], since, since)
            filters = {name: webhook[name] for name in ("topic", "claim") if webhook[name]}
            batch = change_feed.changes_after(connection, since, MOST_CHANGES, filters)
        if not batch.rows:
            self._passed[webhook["id"]] = (_filtered(webhook), batch.next)
            if batch.next - webhook["delivered"] >= WINDOW:
                self._skip(webhook, batch.next)
        return batch

    def _skip(self, webhook: Row, serial: int) -> None:
        """Note that nothing is to be sent up to a serial, so that it need not be found again."""
        lease = secrets.token_hex(16)
        with self.database.write() as connection:
            if webhooks.take_lease(connection, webhook, lease):
                webhooks.settle(connection, webhook["id"], lease, {"delivered": serial})
                webhook["delivered"] = serial

    def _take(self, webhook: Row, lease: str) -> bool:
        with self.database.write() as connection:
            return webhooks.take_lease(connection, webhook, lease)

    def _settle(self, identity: str, lease: str, values: Row) -> bool:
        with self.database.write() as connection:
            return webhooks.settle(connection, identity, lease, values)

    def _values(self, webhook: Row, outcome: Outcome, reached: int) -> Row:
        """Return what is to be stored after an attempt."""
        if outcome.is_delivered:
            return {"delivered": reached, **webhooks.NOT_FAILING}
        at = datetime.now(UTC)
        failing_since = webhook["failing_since"] or format_timestamp(at)
        attempts = webhook["attempts"] + 1
        pause = self.backoff[min(attempts, len(self.backoff)) - 1]
        pause *= random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        disabled = None
        if outcome.status == GONE:
            disabled = "The receiver wants no more: it answered 410."
        elif at - parse_timestamp(failing_since) > timedelta(days=MOST_FAILING_DAYS):
            disabled = f"Every attempt failed for {MOST_FAILING_DAYS} days."
        return {
            "attempts": attempts,
            "failing_since": failing_since,
            "next_attempt": format_timestamp(at + timedelta(seconds=pause)),
            "last_error": outcome.error,
            "disabled": disabled,
        }


def _filtered(webhook: Row) -> Row:
    """Return what decides which changes are left to send."""
    return {name: webhook[name] for name in ("delivered", "topic", "claim")}


def write_message(webhook: Row, batch: Batch) -> tuple[str, bytes, int]:
    """Return the id of a message, its body, and the serial up to which it holds everything.

    The same changes have the same id, and others another one, so that a receiver may leave out
    what it had already.
    """
    since = webhook["delivered"]
    size = 0
    rows: list[Row] = []
    for row in batch.rows:
        size += len(to_json(row))
        if rows and size > MOST_MESSAGE_BYTES:
            break
        rows.append(row)
    reached = batch.next if len(rows) == len(batch.rows) else int(rows[-1]["serial"])
    body = {
        "type": "changes",
        "webhook": webhook["id"],
        "data": rows,
        "page": {"since": since, "next": reached, "last": batch.last},
    }
    return f"{webhook['id']}_{since}_{reached}", to_json(body), reached


def write_ping(webhook: Row) -> tuple[str, bytes]:
    """Return the id and the body of a message that says nothing."""
    body = {"type": "ping", "webhook": webhook["id"], "data": []}
    return f"{webhook['id']}_ping_{secrets.token_hex(8)}", to_json(body)
