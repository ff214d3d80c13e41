"""The whole texts of sources that may be passed on under a licence.

A text is stored once, under its source and its SHA-256, and never altered. A source names the one
that is its text (`Source.text`), so that each revision of the source says which one it was then.
"""

import hashlib
from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Connection, select
from sqlmodel import Field

from models.core.errors import Fault, InvalidRecord
from models.core.types import Slug, Strict, clean_text, refuse_blank
from models.database.prepared_statements import insert_rows
from models.records.serializers import Row, table
from models.records.source import Sha256, Source

# The longest articles have some 150,000 characters.
MAX_TEXT = 300_000


def check_whole_text(value: str) -> str:
    """Refuse a text that is blank or too long, or that a database cannot store.

    It stays as it is written, since the places of quotes are counted in it.
    """
    if len(value) > MAX_TEXT:
        raise PydanticCustomError(
            "text_too_long",
            "A text has at most {most} characters; this one has {length}.",
            {"most": MAX_TEXT, "length": len(value)},
        )
    clean_text(value)
    if not value:
        raise PydanticCustomError("blank_text", "The text is empty.")
    return refuse_blank(value)


class SourceTextIn(Strict):
    """A text as a line of an export has it."""

    source: Slug = Field(primary_key=True, description="The source whose text it is.")
    sha256: Sha256 = Field(primary_key=True, description="SHA-256 of the text in UTF-8.")
    text: Annotated[str, AfterValidator(check_whole_text)]

    @model_validator(mode="after")
    def _of_this_text(self) -> Self:
        if sha256_of(self.text) != self.sha256:
            raise PydanticCustomError(
                "other_text", "The text does not have this SHA-256.", {"at": "sha256"}
            )
        return self


class SourceText(SourceTextIn, table=True):
    """The row. Its source may come later in an export, so it is no foreign key."""

    __tablename__ = "source_text"


def sha256_of(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def described(text: str, licence: str) -> Row:
    """Return what a source says of its text."""
    return {"licence": licence, "sha256": sha256_of(text), "length": len(text)}


def store_text(connection: Connection, source: str, text: str) -> bool:
    """Store a text of a source. Return whether it is new."""
    sha256 = sha256_of(text)
    if read_text_of(connection, source, sha256) is not None:
        return False
    row = {"source": source, "sha256": sha256, "text": text}
    insert_rows(connection, table(SourceText), [row])
    return True


def read_text_of(connection: Connection, source: str, sha256: str) -> str | None:
    """Return a text of a source, or None if it is not stored."""
    rows = table(SourceText)
    statement = select(rows.c.text).where(rows.c.source == source, rows.c.sha256 == sha256)
    text: str | None = connection.scalar(statement)
    return text


def require_stored(connection: Connection, source: Row) -> None:
    """Refuse a source that names a text which is not stored, or is of another length."""
    said = source["text"]
    if said is None:
        return
    text = read_text_of(connection, source["id"], said["sha256"])
    if text is None:
        detail = "No text with this SHA-256 is stored for the source: send the text itself first."
        at, code = "text/sha256", "unknown_text"
    elif len(text) != said["length"]:
        detail = f"The text has {len(text):,} characters."
        at, code = "text/length", "other_text"
    else:
        return
    raise InvalidRecord(detail, [Fault(at=at, code=code, detail=detail)])


def wrong_texts(connection: Connection) -> Iterator[str]:
    """Yield the sources whose text is not stored as they say, whatever their state."""
    source = table(Source)
    with_text = select(source.c.id, source.c.text).where(source.c.text.is_not(None))
    for slug, said in connection.execute(with_text.order_by(source.c.id)).all():
        text = read_text_of(connection, slug, said["sha256"])
        if text is None or said != described(text, said["licence"]):
            yield slug
