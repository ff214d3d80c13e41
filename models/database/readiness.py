"""What of a database decides whether a server on it is ready, beside its migration."""

import shutil
from pathlib import Path

from sqlalchemy import Connection, text

from models.database.connections import Database

# A standby that has replayed all that it received is not behind, however long nobody has written.
_LAG = text(
    "SELECT CASE WHEN NOT pg_is_in_recovery() THEN NULL"
    " WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0"
    " ELSE coalesce(extract(epoch FROM now() - pg_last_xact_replay_timestamp()), 0) END"
)


def replica_lag(connection: Connection) -> float | None:
    """Return how many seconds a replica is behind its primary, or None if it is no replica."""
    if connection.dialect.name == "sqlite":
        return None
    lag = connection.scalar(_LAG)
    return None if lag is None else float(lag)


def is_standby(connection: Connection) -> bool:
    """Return whether a connection leads to a replica, which takes no writes."""
    if connection.dialect.name == "sqlite":
        return False
    return bool(connection.scalar(text("SELECT pg_is_in_recovery()")))


def free_bytes(database: Database) -> int | None:
    """Return how much room there is for the file, or None if it is on a server of its own."""
    url = database.writer.url
    if database.writer.dialect.name != "sqlite":
        return None
    return shutil.disk_usage(Path(str(url.database)).absolute().parent).free
