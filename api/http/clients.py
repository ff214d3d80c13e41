"""Whom a request counts for: its address, or the key that it has."""

import ipaddress
from collections import Counter
from functools import lru_cache

from fastapi import Request

MOST_ADDRESSES = 1000


class Held(Counter[str]):
    """How many of something each client holds; whoever holds none is not in it."""

    def release(self, client: str, number: int = 1) -> None:
        """Count one less, or so many."""
        self[client] -= number
        if not self[client]:
            del self[client]


def address_of(request: Request) -> str:
    """Return the client's address; of IPv6 the first half, since one client owns the rest."""
    return address_of_host(request.client.host if request.client else "")


@lru_cache(MOST_ADDRESSES)
def address_of_host(host: str) -> str:
    """Return the address that a host counts as."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return host


def client_of(request: Request) -> str:
    """Return whom a request's work counts for: the key that it has, else its address."""
    caller = getattr(request.state, "caller", None)
    return f"key {caller.id}" if caller is not None else address_of(request)
