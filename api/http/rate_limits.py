"""How often: writes by key and by address, files to be read and failed keys by address.

Kept in memory, so each process counts for itself.

Each limit is a bucket of so many units, which fills again evenly within a minute: a script may send a burst, and then as
many a minute as the limit says. A bucket is two numbers, and there are only so many buckets, so the memory is bounded
however many addresses there are.
"""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from fastapi import Request

from models.core.errors import ClaimbaseError

WINDOW = 60
FAILED_KEYS_PER_MINUTE = 30
FILES_PER_MINUTE = 120
MOST_BUCKETS = 50_000
MOST_ADDRESSES = 1000
# Less than any unit or second that matters, and more than floating point is off by.
_NEARLY = 1e-6


class TooManyRequests(ClaimbaseError):
    """A limit is used up; `wait` says for how many seconds, `reason` for the audit record which one."""

    code = "too_many_requests"

    def __init__(self, reason: str, wait: int) -> None:
        unit = "second" if wait == 1 else "seconds"
        super().__init__(f"{_SENTENCES[reason]} Try again in {wait} {unit}.")
        self.reason = reason
        self.wait = wait


_SENTENCES = {
    "writes_by_key": "Too many writes with this key.",
    "writes_by_address": "Too many writes from this address.",
    "files_by_address": "Too many files of citations from this address.",
    "failed_keys": "Too many requests with keys that are good for nothing.",
}


class Limit:
    """So many units a minute for each name, such as an address. Used by one thread, that of the event loop."""

    def __init__(self, quota: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.quota = quota
        self._clock = clock
        # What was missing of each bucket, and when.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def left(self, name: str) -> int:
        """Return how many units a name has now."""
        return max(0, math.floor(self.quota - self._missing(name) + _NEARLY))

    def wait(self, name: str) -> int:
        """Return for how many seconds a name has to wait for its next unit; 0 where it has one."""
        return max(0, self._seconds(self._missing(name) - self.quota + 1))

    def refill(self, name: str) -> int:
        """Return in how many seconds a name has all its units again."""
        return self._seconds(self._missing(name))

    def take(self, name: str, units: int = 1) -> None:
        """Take units, also more than there are: what is owed has to fill first. Whoever takes one asks whether there is one."""
        missing = self._missing(name) + units
        self._buckets.pop(name, None)
        self._buckets[name] = missing, self._clock()
        if len(self._buckets) > MOST_BUCKETS:
            # The one that was used longest ago is the one most likely to be full again.
            self._buckets.popitem(last=False)

    def _missing(self, name: str) -> float:
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

    def admit_key(self, request: Request, identity: str | None) -> None:
        """Refuse any key from an address that sent too many bad ones, and a key that was found expired or revoked too often.

        A good key is refused too: if it were not, the limit would tell guessers what it is to keep from them. So that a
        script with an outdated key does not lock out others of its address, such a key counts against itself.
        """
        for name in (address_of(request), identity):
            if name is not None and (wait := self.failed_keys.wait(name)):
                raise self._refusal(request, "failed_keys", wait)

    def count_failed_key(self, request: Request, identity: str | None) -> None:
        """Count a key that is good for nothing: against itself where it once was good, else against the address."""
        self.failed_keys.take(identity or address_of(request))

    def count_write(self, request: Request, identity: str | None) -> None:
        """Count a write against the address and, where there is one, the key; refuse it where either has none left."""
        self._count(request, self._buckets(request, identity))

    def count_file(self, request: Request) -> None:
        """Count a file that is to be read, which takes no key but seconds, against the address; refuse it where none is left."""
        self._count(request, {"files_by_address": (self.files_by_address, address_of(request))})

    def _count(self, request: Request, buckets: Mapping[str, tuple[Limit, str]]) -> None:
        """Take one unit of each bucket, or none and refuse where one is empty.

        The answer tells what is left, in the fields of draft-ietf-httpapi-ratelimit-headers-11.
        """
        waits = {reason: limit.wait(name) for reason, (limit, name) in buckets.items()}
        reason = max(waits, key=lambda each: waits[each])
        if not waits[reason]:
            for limit, name in buckets.values():
                limit.take(name)
        request.state.headers = _fields(buckets)
        if waits[reason]:
            raise self._refusal(request, reason, waits[reason])

    def count_batch(self, request: Request, identity: str, records: int) -> None:
        """Count a write that was counted as one and holds so many records as that many.

        It is not refused where there are fewer units left, or a large one never could be sent; what comes next waits longer.
        """
        buckets = self._buckets(request, identity)
        for limit, name in buckets.values():
            limit.take(name, records - 1)
        request.state.headers = _fields(buckets)

    def _buckets(self, request: Request, identity: str | None) -> dict[str, tuple[Limit, str]]:
        buckets = {"writes_by_address": (self.writes_by_address, address_of(request))}
        if identity is not None:
            buckets["writes_by_key"] = (self.writes_by_key, identity)
        return buckets

    def _refusal(self, request: Request, reason: str, wait: int) -> TooManyRequests:
        request.state.headers = {**getattr(request.state, "headers", {}), "Retry-After": str(wait)}
        return TooManyRequests(reason, wait)


def _fields(buckets: Mapping[str, tuple[Limit, str]]) -> dict[str, str]:
    policies, states = [], []
    for reason, (limit, name) in buckets.items():
        left = limit.left(name)
        policies.append(f'"{reason}";q={limit.quota};w={WINDOW}')
        states.append(f'"{reason}";r={left};t={limit.refill(name) if left else limit.wait(name)}')
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(states)}


def address_of(request: Request) -> str:
    """Return the client's address; of IPv6 its first half, since one client has all of the rest."""
    return _address(request.client.host if request.client else "")


@lru_cache(MOST_ADDRESSES)
def _address(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return host
