"""Answers kept for a while, so that a request that is sent again is not carried out again (`Idempotency-Key`)."""

from sqlalchemy import JSON, Index, LargeBinary
from sqlmodel import Field

from models.base import Strict


class Idempotency(Strict, table=True):
    """The answer to a request, by who sent it and the key that they gave it; stored in the request's own transaction."""

    __table_args__ = (Index(None, "at"),)

    actor: str = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=200)
    request: str = Field(description="SHA-256 of method, path and body: the same key on another request is a mistake.")
    status: int
    headers: dict[str, str] = Field(sa_type=JSON)
    body: bytes = Field(sa_type=LargeBinary)
    at: str
