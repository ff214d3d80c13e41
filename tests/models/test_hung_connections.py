"""The watch that breaks off connections to a server that hangs, and what it must leave alone."""

from typing import Any

import pytest
from sqlalchemy import text

from models.database import connections, hung_connections
from models.database.hung_connections import HangWatch
from tests.databases import Store


class Quiet(HangWatch):
    """A watch that looks only when it is told to."""

    def _watch(self) -> None:
        return None


def test_time_in_which_this_process_stood_still_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long no check comes, the first one ends nothing that began before it."""
    broken_off: list[Any] = []
    monkeypatch.setattr(hung_connections, "_shut_socket", broken_off.append)
    watch = Quiet()
    with watch.limited("driver", hung_connections.CHECK_SECONDS) as watched:
        watch.check(1)
        assert not watched.broken_off
        watch.check(2)
    assert watched.broken_off
    assert broken_off == ["driver"]


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_a_connection_whose_ping_was_answered_too_late_is_replaced(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer had arrived already, but the socket is shut: a write on it would fail."""
    database = empty.database
    with database.write() as connection:
        first = connection.connection.driver_connection
    ping = connections._is_standby

    def answered_too_late(driver: Any) -> bool:
        answer = ping(driver)
        if driver is first:
            database.hang_watch.check(float("inf"))
        return answer

    monkeypatch.setattr(connections, "_is_standby", answered_too_late)
    with database.write() as connection:
        assert connection.connection.driver_connection is not first
        assert connection.scalar(text("SELECT 1")) == 1
