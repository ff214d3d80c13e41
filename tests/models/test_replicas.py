"""Which of several servers is read from, by what is known of them."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import create_engine

from models.database.hung_connections import HangWatch
from models.database.replicas import BEHIND_SECONDS, NEAR_SECONDS, Replicas, Server

NOWHERE = create_engine("sqlite://")


def server(name: str, **known: Any) -> Server:
    """Return a server that is never connected to."""
    return Server(name, NOWHERE, NOWHERE, NOWHERE, **{"tie": 0.5, **known})


@contextmanager
def replicas(*servers: Server, main_first: bool = False) -> Iterator[Replicas]:
    """Give the servers beside a primary that is known; nobody asks them."""
    main = server("primary", is_main=True, is_standby=False)
    known = Replicas([main, *servers], HangWatch(), main_first=main_first)
    known._closed.set()
    yield known
    known.close()


def names(known: Replicas, *, newest: bool = False) -> list[str]:
    """Return the names of the servers in the order in which they are read from."""
    return [each.name for each in known.order(newest=newest)]


BEHIND = -math.inf


@pytest.mark.parametrize(
    ("first", "second", "order"),
    [
        ({"round_trip": 0.001}, {"round_trip": 0.08}, "first second primary"),
        ({"round_trip": 0.08}, {"round_trip": 0.03}, "second first primary"),
        # What differs by less than twice is equally near; each process then has one of its own.
        ({"round_trip": 0.001, "tie": 0.9}, {"round_trip": 0.004}, "second first primary"),
        ({"round_trip": 0.001, "reached_at": BEHIND}, {"round_trip": 0.9}, "second primary first"),
        # One that leads is spared where a standby is as near, and taken where that one is far.
        ({"is_standby": False}, {}, "second first primary"),
        ({"is_standby": False}, {"round_trip": 0.08}, "first second primary"),
        ({"is_lost": True}, {}, "second primary"),
        ({"reached_at": BEHIND, "serial": 7}, {"reached_at": BEHIND, "serial": 8}, None),
    ],
)
def test_the_nearest_that_is_not_behind_comes_first(
    first: dict[str, Any], second: dict[str, Any], order: str | None
) -> None:
    with replicas(server("first", **first), server("second", **second)) as known:
        assert names(known) == (order or "primary second first").split()
        assert names(known, newest=True)[0] == "primary"


def test_the_hosts_of_the_database_itself_are_read_from_while_the_primary_is_lost() -> None:
    with replicas(server("first"), main_first=True) as known:
        assert names(known) == ["primary", "first"]
        known.note_lost(known.main, OSError("gone"))
        assert names(known) == names(known, newest=True) == ["first"]
        known.note_lost(known.servers[1], OSError("gone"))
        # Where none is known to answer, all are asked.
        assert set(names(known)) == {"primary", "first"}
        assert known.known_serial() is None


def test_how_far_a_server_is_goes_by_doublings() -> None:
    distances = [
        server("a", round_trip=NEAR_SECONDS * factor).distance for factor in (0.1, 1, 2, 3, 4, 5)
    ]
    assert distances == [0, 0, 1, 2, 2, 3]
    assert server("a").distance == 0


def test_a_server_is_behind_after_a_while() -> None:
    now = time.monotonic()
    states = {
        "answering": server("a", reached_at=now),
        "behind": server("b", reached_at=now - BEHIND_SECONDS - 1),
        "lost": server("c", is_lost=True),
    }
    assert {each.state: each for each in states.values()} == states
