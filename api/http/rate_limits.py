"""Rate limits: writes by key and by address, files to parse and failed keys by address.

The counts are in memory, so each process counts for itself.

Each limit is a token bucket, which refills evenly within a minute: a script may send a burst, and
then as many requests a minute as the limit says. A bucket is two numbers, and the number of buckets
is bounded, so the memory is too, however many addresses there are.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastapi import Request

from api.http.clients import address_of
from api.http.request_body import announced_length
from models.core.errors import ClaimbaseError

WINDOW = 60
FAILED_KEYS_PER_MINUTE = 30
# Seconds of long reads; whoever used them up is served after others, and not refused.
WORK_SECONDS_PER_MINUTE = 60
# Files are counted by their bytes, since that is what they cost: five whole ones of 2 MB a minute.
FILE_BYTES_PER_MINUTE = 10_000_000
# What a file costs at least: to start with one takes some milliseconds however short it is.
LEAST_FILE_BYTES = 20_000
# What a stream that stores a whole library may owe, or its key could not write for hours.
MOST_OWED_MINUTES = 5
MOST_BUCKETS = 50_000
# Less than any unit or second that matters, and more than floating point is off by.
_NEARLY = 1e-6


class TooManyRequests(ClaimbaseError):
    """A limit is used up: `wait` is in seconds, `reason` names the limit in the audit record."""

    code = "too_many_requests"

    def __init__(self, reason: str, wait: int) -> None:
        unit = "second" if wait == 1 else "seconds"
        super().__init__(f"{_SENTENCES[reason]} Try again in {wait} {unit}.")
        self.reason = reason
        self.wait = wait


_SENTENCES = {
    "writes_by_key": "Too many writes with this key.",
    "writes_by_address": "Too many writes from this address.",
    "files_by_address": "Too many bytes of files of citations from this address.",
    "failed_keys": "Too many requests with keys that are good for nothing.",
}


class Limit:
    """A number of units a minute for each name, such as an address.

    It is for one thread alone, that of the event loop.
    """

    def __init__(self, quota: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota = quota
        self._clock = clock
        # The units that a bucket lacked, and the time of that count.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def left(self, name: str) -> int:
        """Return how many units a name has now."""
        return max(0, math.floor(self.quota - self.missing(name) + _NEARLY))

    def wait(self, name: str) -> int:
        """Return the seconds until a name has its next unit; 0 if it has one now."""
        return max(0, self._seconds(self.missing(name) - self.quota + 1))

    def refill(self, name: str) -> int:
        """Return the seconds until a name has all its units again."""
        return self._seconds(self.missing(name))

    def take(self, name: str, units: float = 1) -> None:
        """Take units, even more than there are: the debt then has to refill first.

        Callers check `wait` before.
        """
        missing = self.missing(name) + units
        self._buckets.pop(name, None)
        self._buckets[name] = missing, self._clock()
        if len(self._buckets) > MOST_BUCKETS:
            # The least recently used bucket is the most likely to be full again.
            self._buckets.popitem(last=False)

    def missing(self, name: str) -> float:
        """Return how many units a name lacks now."""
        missing, moment = self._buckets.get(name, (0.0, 0.0))
        return max(0.0, missing - (self._clock() - moment) * self.quota / WINDOW)

    def _seconds(self, units: float) -> int:
        return math.ceil(units * WINDOW / self.quota - _NEARLY)


@dataclass
class Limits:
    """The limits of one application."""

    writes_by_key: Limit
    writes_by_address: Limit
    failed_keys: Limit
    files_by_address: Limit
    work: Limit

    def admit_key(self, request: Request, identity: str | None) -> None:
        """Refuse a key whose address, or which itself, failed too often. Raises TooManyRequests.

        A good key from such an address is refused too, or the limit would reveal to a guesser which
        key is good. An expired or revoked key counts against itself, so that a script with an
        outdated key does not lock out others at its address.
        """
        for name in (address_of(request), identity):
            if name is not None and (wait := self.failed_keys.wait(name)):
                raise self._refusal(request, "failed_keys", wait)

    def count_failed_key(self, request: Request, identity: str | None) -> None:
        """Count a bad key: against itself if it is an expired or revoked one, else its address."""
        self.failed_keys.take(identity or address_of(request))

    def count_write(self, request: Request, identity: str | None) -> None:
        """Count a write against the address and the key, if any. Raises TooManyRequests."""
        self._count(request, self._buckets(request, identity))

    def count_file(self, request: Request) -> None:
        """Count a file to parse against the address, before its body. Raises TooManyRequests.

        Parsing needs no key, but takes seconds. Of a body without Content-Length the rest is
        counted by `count_body` once it is there.
        """
        units = max(LEAST_FILE_BYTES, announced_length(request))
        self._count(request, self._files(request), units)

    def tell_work(self, request: Request, client: str) -> None:
        """Say in the response what remains of the time for long reads."""
        headers = getattr(request.state, "headers", {})
        request.state.headers = {**headers, **_fields({"work": (self.work, client)})}

    def count_body(self, request: Request, content: bytes) -> None:
        """Count what `count_file` could not know of a body. It is accepted in any case."""
        if "content-length" not in request.headers:
            limit, name = self._files(request)["files_by_address"]
            limit.take(name, max(0, len(content) - LEAST_FILE_BYTES))
            request.state.headers = _fields(self._files(request))

    def _files(self, request: Request) -> dict[str, tuple[Limit, str]]:
        return {"files_by_address": (self.files_by_address, address_of(request))}

    def _count(
        self, request: Request, buckets: Mapping[str, tuple[Limit, str]], units: int = 1
    ) -> None:
        """Take these units of each bucket; if one is empty, take none and raise TooManyRequests.

        The response says what remains, in the fields of draft-ietf-httpapi-ratelimit-headers-11.
        """
        waits = {reason: limit.wait(name) for reason, (limit, name) in buckets.items()}
        reason = max(waits, key=lambda name: waits[name])
        if not waits[reason]:
            for limit, name in buckets.values():
                limit.take(name, units)
        request.state.headers = _fields(buckets)
        if waits[reason]:
            raise self._refusal(request, reason, waits[reason])

    def count_batch(self, request: Request, identity: str, records: int) -> None:
        """Count a write of several records, already counted as one, as that many writes.

        It is accepted even if fewer units remain, or a large batch could never be sent; the next
        write waits longer instead.
        """
        buckets = self._buckets(request, identity)
        for limit, name in buckets.values():
            limit.take(name, records - 1)
        request.state.headers = _fields(buckets)

    def count_stored(self, request: Request, identity: str, records: int) -> None:
        """Count records that a stream stored, each as a write, up to a debt of some minutes."""
        for limit, name in self._buckets(request, identity).values():
            most = MOST_OWED_MINUTES * limit.quota - limit.missing(name)
            limit.take(name, max(0.0, min(records, most)))

    def _buckets(self, request: Request, identity: str | None) -> dict[str, tuple[Limit, str]]:
        buckets = {"writes_by_address": (self.writes_by_address, address_of(request))}
        if identity is not None:
            buckets["writes_by_key"] = (self.writes_by_key, identity)
        return buckets

    def _refusal(self, request: Request, reason: str, wait: int) -> TooManyRequests:
        request.state.headers = {**getattr(request.state, "headers", {}), "Retry-After": str(wait)}
        return TooManyRequests(reason, wait)


def _fields(buckets: Mapping[str, tuple[Limit, str]]) -> dict[str, str]:
    """Return the RateLimit fields of a response."""
    policies = [_policy(reason, limit) for reason, (limit, _) in buckets.items()]
    states = [_state(reason, limit, name) for reason, (limit, name) in buckets.items()]
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}


def _policy(reason: str, limit: Limit) -> str:
    """Return a limit as RateLimit-Policy writes it: its quota and its window in seconds."""
    return f'"{reason}";q={limit.quota};w={WINDOW}'


def _state(reason: str, limit: Limit, name: str) -> str:
    """Return what remains of a limit as RateLimit writes it, and in how many seconds it refills."""
    remaining = limit.left(name)
    seconds = limit.refill(name) if remaining else limit.wait(name)
    return f'"{reason}";r={remaining};t={seconds}'
