"""Classifies the errors of both databases."""

import re
import sqlite3

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

UNDEFINED_TABLE = "42P01"
CANCELLED = "57014"
READ_ONLY = "25006"
# What a host of several answers that the driver may write to none of.
NO_PRIMARY = "session is read-only"
# Broken connections, those that a server ends or refuses, and too many of them.
LOST = re.compile("08...|57P..|53300")
RECOVERY_CONFLICT = "40001"
DISK_FULL = "53100"
# A page with a bad checksum or header, and an index that disagrees with its table.
CORRUPTED = ("XX001", "XX002")
# SQLite needs room for its file and for the memory that connections share, which is also a file.
SQLITE_DISK_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)


def is_storage_full(error: DBAPIError) -> bool:
    """Return whether an error means that there is no room left to write."""
    states = getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorcode", None)
    return states[0] == DISK_FULL or states[1] in SQLITE_DISK_FULL


def is_damaged(error: DBAPIError) -> bool:
    """Return whether an error means that the database's files are damaged."""
    # The lowest byte is the error, and the others its details.
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    is_corrupt = code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return is_corrupt or getattr(error.orig, "sqlstate", None) in CORRUPTED


def is_timeout(error: DBAPIError) -> bool:
    """Return whether an error means that a statement exceeded its time limit."""
    states = getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorcode", None)
    return states[0] == CANCELLED or states[1] == sqlite3.SQLITE_INTERRUPT


def is_read_only(error: DBAPIError) -> bool:
    """Return whether an error means that the database takes no writes, since it is a standby."""
    state = getattr(error.orig, "sqlstate", None)
    return state == READ_ONLY or (state is None and NO_PRIMARY in str(error.orig))


def is_lost(error: DBAPIError) -> bool:
    """Return whether an error means that a server does not answer any more, or not yet."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return isinstance(error, OperationalError | InterfaceError)
    return error.connection_invalidated or LOST.fullmatch(state) is not None


def is_recovery_conflict(error: DBAPIError) -> bool:
    """Return whether a standby ended a statement, since a change that it replays must not wait."""
    return getattr(error.orig, "sqlstate", None) == RECOVERY_CONFLICT


def needs_waiting(error: DBAPIError) -> bool:
    """Return whether work on a connection for what is short failed that may succeed on one that
    waits.

    The connection is lost where the server did not answer soon, or this process was so busy that it
    seemed so.
    """
    is_busy = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
    return is_timeout(error) or is_busy or error.connection_invalidated


def is_unavailable(error: DBAPIError) -> bool:
    """Return whether an error means that the database is unreachable, busy or not migrated.

    Otherwise the statement is wrong.
    """
    unreachable = isinstance(error, OperationalError | InterfaceError)
    return unreachable or getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE


class TooSlowForEventLoop(Exception):
    """Work in the event loop would take longer than allowed there."""


def leave_event_loop(connection: Connection) -> None:
    """Raise TooSlowForEventLoop if the connection is that of `read_inline`.

    What follows keeps Python busy, so that no limit of the database would end it.
    """
    if connection.info.get("inline"):
        raise TooSlowForEventLoop
