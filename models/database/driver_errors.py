"""What the errors of either database mean."""

import sqlite3

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

UNDEFINED_TABLE = "42P01"
CANCELLED = "57014"
DISK_FULL = "53100"
# The file itself, and the memory that connections share, which is a file, too.
SQLITE_DISK_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)


def is_storage_full(error: DBAPIError) -> bool:
    """Say whether a database error means that there is no room left to write."""
    states = getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorcode", None)
    return states[0] == DISK_FULL or states[1] in SQLITE_DISK_FULL


def is_timeout(error: DBAPIError) -> bool:
    """Say whether a database error means that a statement took longer than it may."""
    states = getattr(error.orig, "sqlstate", None), getattr(error.orig, "sqlite_errorcode", None)
    return states[0] == CANCELLED or states[1] == sqlite3.SQLITE_INTERRUPT


def needs_waiting(error: DBAPIError) -> bool:
    """Say whether work was stopped that `read_inline` lent a connection for, and may succeed where it can wait."""
    return is_timeout(error) or getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


def is_unavailable(error: DBAPIError) -> bool:
    """Say whether a database error means that the database is gone, busy or not migrated, not that a statement is wrong."""
    gone = isinstance(error, OperationalError | InterfaceError)
    return gone or getattr(error.orig, "sqlstate", None) == UNDEFINED_TABLE


class TooSlowForEventLoop(Exception):
    """Work was begun in the event loop that is known to take longer than it may there."""


def leave_event_loop(connection: Connection) -> None:
    """Raise TooLong where `read_inline` lent the connection: what follows keeps Python busy, which no bound cuts off."""
    if connection.info.get("inline"):
        raise TooSlowForEventLoop
