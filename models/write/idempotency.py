"""Answers kept for a while, so that a request that is sent again is not carried out again (`Idempotency-Key`)."""

from datetime import timedelta
from typing import Any

from sqlalchemy import JSON, Connection, Index, LargeBinary, Select, bindparam, delete, select
from sqlmodel import Field

from models.core.errors import ClaimbaseError
from models.core.types import Strict, format_timestamp, parse_timestamp
from models.database.prepared_statements import first, put_row, run
from models.records.serializers import table

RETENTION_HOURS = 24
BATCH = 500


class Idempotency(Strict, table=True):
    """The answer to a request, by who sent it and the key that they gave it; stored in the request's own transaction."""

    __table_args__ = (Index(None, "at"),)

    actor: str = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=200)
    request: str = Field(
        description="SHA-256 of method, path and body: the same key on another request is a mistake."
    )
    status: int
    headers: dict[str, str] = Field(sa_type=JSON)
    body: bytes = Field(sa_type=LargeBinary)
    at: str


class KeyReused(ClaimbaseError):
    """The same key came with another request."""

    code = "idempotency_key_reused"


def recall(
    connection: Connection, actor: str, at: str, key: str, request: str
) -> Idempotency | None:
    """Return the answer that somebody got for a key within the last day, or None where it is new; refuse it on another request.

    The caller holds the writers' lock, so that of two at once the second one finds the first one's answer.
    """
    kept = table(Idempotency)

    def build() -> Select[Any]:
        mine = (kept.c[name] == bindparam(name) for name in ("actor", "key"))
        return select(kept).where(*mine, kept.c.at > bindparam("oldest"))

    row = first(
        connection, "kept answer", build, {"actor": actor, "key": key, "oldest": _oldest(at)}
    )
    if row is None:
        return None
    if row["request"] != request:
        raise KeyReused(
            "This Idempotency-Key came with another request; each request needs one of its own."
        )
    return Idempotency(**row)


def remember(connection: Connection, answer: Idempotency) -> None:
    """Keep an answer for a day; those that are older go."""
    kept = table(Idempotency)
    old = {"oldest": _oldest(answer.at)}
    run(
        connection, "old answers", lambda: delete(kept).where(kept.c.at <= bindparam("oldest")), old
    )
    put_row(connection, kept, answer.model_dump())


def forget_answers_about(connection: Connection, named: str) -> None:
    """Let go of every kept answer that names a record: it may hold its content, or what was said of it."""
    kept = table(Idempotency)
    rows = connection.execute(
        select(kept.c.actor, kept.c.key, kept.c.body).execution_options(yield_per=BATCH)
    )
    holding = [(actor, key) for actor, key, body in rows if named.encode() in bytes(body)]
    for actor, key in holding:
        connection.execute(delete(kept).where(kept.c.actor == actor, kept.c.key == key))


def _oldest(at: str) -> str:
    return format_timestamp(parse_timestamp(at) - timedelta(hours=RETENTION_HOURS))
