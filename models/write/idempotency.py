"""Answers kept for a day, so that a request that is sent again is not carried out twice."""

from datetime import timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Delete,
    Index,
    LargeBinary,
    Select,
    bindparam,
    delete,
    select,
)
from sqlmodel import Field

from models.core.dates import format_timestamp, parse_timestamp
from models.core.errors import ClaimbaseError
from models.core.types import Strict
from models.database.prepared_statements import execute, fetch_first, insert_row
from models.records.serializers import table

RETENTION_HOURS = 24
BATCH_SIZE = 500


class Idempotency(Strict, table=True):
    """The answer to a request, by its actor and key. Stored in the request's own transaction."""

    __table_args__ = (Index(None, "at"),)

    actor: str = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=200)
    request: str = Field(
        description="SHA-256 of method, path and body: "
        "the same key on another request is a mistake."
    )
    status: int
    headers: dict[str, str] = Field(sa_type=JSON)
    body: bytes = Field(sa_type=LargeBinary)
    at: str


class KeyReused(ClaimbaseError):
    """The same key was sent with another request."""

    code = "idempotency_key_reused"


def recall(
    connection: Connection, actor: str, at: str, key: str, request: str
) -> Idempotency | None:
    """Return the answer that an actor got for a key within the last day, or None if the key is new.

    The caller holds the writers' lock, so the second of two simultaneous requests finds the answer
    to the first. Raises `KeyReused` if the key was sent with another request.
    """
    kept = table(Idempotency)

    def build() -> Select[Any]:
        return select(kept).where(
            kept.c.actor == bindparam("actor"),
            kept.c.key == bindparam("key"),
            kept.c.at > bindparam("oldest"),
        )

    values = {"actor": actor, "key": key, "oldest": _oldest(at)}
    row = fetch_first(connection, "kept answer", build, values)
    if row is None:
        return None
    if row["request"] != request:
        raise KeyReused(
            "This Idempotency-Key came with another request; each request needs one of its own."
        )
    return Idempotency(**row)


def remember(connection: Connection, answer: Idempotency) -> None:
    """Keep an answer for a day, and delete the answers that are older than that."""
    kept = table(Idempotency)

    def build() -> Delete:
        return delete(kept).where(kept.c.at <= bindparam("oldest"))

    execute(connection, "old answers", build, {"oldest": _oldest(answer.at)})
    insert_row(connection, kept, answer.model_dump())


def forget_answers_about(connection: Connection, record_id: str) -> None:
    """Delete every kept answer that names a record, since it may quote the record's content."""
    kept = table(Idempotency)
    answers = select(kept.c.actor, kept.c.key, kept.c.body)
    rows = connection.execute(answers.execution_options(yield_per=BATCH_SIZE))
    naming = [(actor, key) for actor, key, body in rows if record_id.encode() in bytes(body)]
    for actor, key in naming:
        connection.execute(delete(kept).where(kept.c.actor == actor, kept.c.key == key))


def _oldest(at: str) -> str:
    return format_timestamp(parse_timestamp(at) - timedelta(hours=RETENTION_HOURS))
