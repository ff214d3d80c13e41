"""Databases whose tables are spread over several servers by Citus, an extension of PostgreSQL."""

from typing import Any

from sqlalchemy import Connection, Engine, event, text

# What a writer sets for its transaction before all else. Rows that many statements touch on many
# shards are changed one shard after the other, which Citus asks for where tables refer to tables
# that are whole on every node. And the servers that hold the shards must know how long to wait for
# a lock: Citus tells them what is set after this alone.
WRITER_SETTINGS = (
    "SET LOCAL citus.multi_shard_modify_mode = 'sequential'",
    "SET LOCAL citus.propagate_set_commands = 'local'",
)
_HAS_EXTENSION = "SELECT to_regproc('create_distributed_table') IS NOT NULL"
_HAS_SHARDS = (
    "SELECT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = to_regclass('claim'))"
)
_DISTRIBUTED = "SELECT CAST(CAST(logicalrelid AS regclass) AS text) FROM pg_dist_partition"


class Sharding:
    """Whether a database is distributed: `is_on`, None while that is not known."""

    def __init__(self) -> None:
        self.is_on: bool | None = False

    def listen(self, *engines: Engine) -> None:
        """Let the first connection that one of these engines opens find it out."""
        self.is_on = None
        for engine in engines:
            self._listen(engine)

    def _listen(self, engine: Engine) -> None:

        @event.listens_for(engine, "connect")
        def _find_out(driver: Any, record: Any) -> None:
            record.info["sharding"] = self
            if self.is_on is None:
                with driver.cursor() as cursor:
                    self.is_on = _is_sharded(cursor)
                driver.rollback()


def _is_sharded(cursor: Any) -> bool:
    if not cursor.execute(_HAS_EXTENSION).fetchone()[0]:
        return False
    return bool(cursor.execute(_HAS_SHARDS).fetchone()[0])


def is_distributed(connection: Connection) -> bool:
    """Return whether the database of a connection is spread over several servers, so that what it
    reads on one of them may be older than what it reads on another.
    """
    sharding = connection.info.get("sharding")
    return sharding is not None and sharding.is_on is True


def has_extension(connection: Connection) -> bool:
    """Return whether Citus is there: an extension that this database has."""
    if connection.dialect.name == "sqlite":
        return False
    return bool(connection.scalar(text(_HAS_EXTENSION)))


def distributed_tables(connection: Connection) -> set[str]:
    """Return the names of the tables that Citus knows of; none without it."""
    if not has_extension(connection):
        return set()
    return set(connection.scalars(text(_DISTRIBUTED)))
