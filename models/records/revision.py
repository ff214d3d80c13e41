"""Revision: one recorded change, and the serial that orders them all."""

from collections.abc import Mapping
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ColumnElement,
    Connection,
    Index,
    Select,
    bindparam,
    select,
)
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.types import Strict
from models.core.vocabulary import OneOf, vocabulary_check
from models.database.prepared_statements import first


class Revision(Strict, table=True):
    """Who did what to which record, when, and the whole record after it.

    `record` is the record's kind and id, such as `evidence/ccsvi-causes-ms:doepp-2010`. Serials have no gap and run in
    commit order, because the transaction that takes one holds the only row of `serial` until it commits.
    """

    __table_args__ = (
        vocabulary_check("kind", v.RECORD_KINDS),
        vocabulary_check("action", v.ACTIONS),
        vocabulary_check("state", v.REVIEW_STATES),
        Index(None, "serial"),
        Index(None, "claim", "serial"),
        Index(None, "change"),
        Index(None, "state", "serial"),
    )

    record: str = Field(primary_key=True)
    serial: int = Field(primary_key=True)
    kind: str
    claim: str | None = Field(
        default=None, description="The claim that the record is, or is a part of."
    )
    action: str
    actor: str
    at: str
    comment: str | None = None
    state: str = Field(description="Where the record stands after the change.")
    change: int = Field(
        description="Serial of the first revision that was made together with this one."
    )
    body: dict[str, Any] = Field(sa_type=JSON)


class Serial(Strict, table=True):
    """The one row that holds the number of the last revision."""

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    value: int
    derivation: str | None = Field(
        default=None, description="By which rules and shapes the read model was derived."
    )


_revision = Revision.__table__  # type: ignore[attr-defined]
_serial = Serial.__table__  # type: ignore[attr-defined]


def lock_serial(connection: Connection) -> int:
    """Lock the row of the serial and return its value. Whoever holds it is the only writer until it commits.

    So serials have no gap and run in commit order, and nobody derives documents while another writes.
    """
    found = first(connection, "hold", lambda: select(_serial.c.value).with_for_update(), {})
    assert found is not None, "the row of the serial is made by the first migration"
    return int(found["value"])


def revision_time(connection: Connection, serial: int) -> str:
    """Return when the revision with this serial was made, or an empty text where there is none."""

    def build() -> Select[Any]:
        return select(_revision.c.at).where(_revision.c.serial == bindparam("number")).limit(1)

    found = first(connection, "made at", build, {"number": serial})
    return "" if found is None else str(found["at"])


def _latest(*where: ColumnElement[bool]) -> Select[Any]:
    mine = select(_revision).where(_revision.c.record == bindparam("of"), *where)
    return mine.order_by(_revision.c.serial.desc()).limit(1)


def latest_revision(
    connection: Connection, record: str, *where: ColumnElement[bool]
) -> dict[str, Any] | None:
    """Return the last revision of a record (`kind/id`), or the last that meets these conditions; None where there is none."""
    if where:
        found = connection.execute(_latest(*where), {"of": record}).mappings().first()
        return None if found is None else dict(found)
    return first(connection, "latest revision", _latest, {"of": record})


# Where a record stands after a change that everybody may see. What is only proposed, or was not taken, is the business of
# its proposer and of the curators.
PUBLIC_STATES = ("accepted", "retracted", "merged")
PRIVATE_FIELDS = ("record", "claim", "actor", "comment", "body")
# What stands for the record's id and the actor where a withheld revision was restored from an export. It is no slug, so
# that no record can have this name.
WITHHELD = "(withheld)"


def withhold_private(row: Mapping[str, Any], *, may_see: bool = False) -> dict[str, Any]:
    """Return a revision as it may be shown: whole, or without what tells of a proposal to those whom it does not concern.

    It keeps its place, since a follower who meets a gap in the serials could not know that nothing was missed.
    """
    shown = may_see or row["state"] in PUBLIC_STATES
    return {
        name: value if shown or name not in PRIVATE_FIELDS else None for name, value in row.items()
    }


class RevisionOut(Strict):
    """One recorded change: who did what, when. Of what is only proposed, or was not taken, no more than its place is told."""

    serial: int
    record: str | None = Field(
        description="Kind and id of the record, such as `claim/ccsvi-causes-ms`; null where the change is withheld."
    )
    kind: Annotated[str, OneOf(v.RECORD_KINDS)]
    claim: str | None = Field(description="The claim that the record is, or is a part of.")
    action: Annotated[str, OneOf(v.ACTIONS)]
    actor: str | None = Field(description="Who did it; null where the change is withheld.")
    at: str = Field(description="UTC.")
    comment: str | None
    state: Annotated[str, OneOf(v.REVIEW_STATES)] = Field(
        description="Where the record stands after the change."
    )
    change: int = Field(
        description="Serial of the first change that was made together with this one."
    )


class RevisionWhole(RevisionOut):
    """One recorded change with the record after it."""

    body: dict[str, Any] | None = Field(
        description="The whole record after the change; null where it is withheld, empty where it was purged."
    )
