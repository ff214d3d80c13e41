"""Revisions, each of which records one change, and the serial that orders them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    Connection,
    Index,
    Select,
    and_,
    bindparam,
    select,
)
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.dates import Timestamp
from models.core.types import Strict
from models.core.vocabulary import vocabulary_check
from models.database.compressed import CompressedJson
from models.database.prepared_statements import fetch_first


class Revision(Strict, table=True):
    """Who did what to which record and when, with the whole record afterwards.

    `record` is the record's type and id, such as `evidence/ccsvi-causes-ms:doepp-2010`. Serials
    have no gap and run in commit order, because a transaction that takes one locks the only row of
    `serial` until it commits.
    """

    __table_args__ = (
        vocabulary_check("kind", v.RECORD_KINDS),
        vocabulary_check("action", v.ACTIONS),
        vocabulary_check("state", v.REVIEW_STATES),
        vocabulary_check("review", v.REVIEW_MODES),
        Index(None, "serial"),
        Index(None, "root", "serial"),
        Index(None, "change"),
        Index(None, "state", "serial"),
    )

    record: str = Field(primary_key=True)
    serial: int = Field(primary_key=True)
    root: str = Field(primary_key=True, description="What `root_of` returns for it.")
    kind: str
    claim: str | None = Field(
        default=None, description="The claim that the record is, or is a part of."
    )
    action: str
    actor: str
    at: str
    comment: str | None = None
    state: str = Field(description="Where the record stands after the change.")
    review: str | None = None
    change: int = Field(
        description="Serial of the first revision that was made together with this one."
    )
    about: str | None = Field(
        default=None,
        description="The topics of a claim, such as `,veins,iron,`, or the record that a suggestion"
        " or comment is about: what changes are asked by, which no statement finds in `body`.",
    )
    body: dict[str, Any] = Field(sa_type=CompressedJson)


class Serial(Strict, table=True):
    """The one row that holds the number of the last revision, and when that was made."""

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    value: int
    at: str | None = None
    derivation: str | None = Field(
        default=None, description="By which rules and shapes the read model was derived."
    )


def about(kind: str, body: Mapping[str, Any]) -> str | None:
    """Return what `Revision.about` says of a record of a type, none of one that was purged."""
    if kind == "claim" and body:
        return f",{','.join(body['topics'])},"
    return body.get("about")


# The kinds of records that are a claim or a part of one, whose id begins with the claim's.
_OF_CLAIM = frozenset({"claim", "occurrence", "relation", "evidence", "assessment"})
_revision = Revision.__table__  # type: ignore[attr-defined]
_serial = Serial.__table__  # type: ignore[attr-defined]


def root_of(record: str, claim: str | None) -> str:
    """Return what a revision of this record stands with: its claim, or else the record alone.

    All that was ever recorded of a claim has the same root, so that a sharded store holds it in one
    place.
    """
    return record if claim is None else claim


def root_in_name(record: str) -> str | None:
    """Return the root of the revisions of a record, by its name; None where the name does not say
    it, as that of a comment does not.
    """
    kind, _, record_id = record.partition("/")
    if kind in _OF_CLAIM:
        return record_id.partition(":")[0]
    return None if kind in ("suggestion", "comment") else record


def current_serial(connection: Connection) -> int:
    """Return the number of the last revision: everything that a list depends on."""
    row = fetch_first(connection, "serial", lambda: select(_serial.c.value), {})
    return int(row["value"]) if row else 0


def last_change(connection: Connection) -> tuple[int, str | None]:
    """Return the number of the last revision, 0 if there is none, and when it was made."""
    row = fetch_first(connection, "last change", lambda: select(_serial.c.value, _serial.c.at), {})
    return (int(row["value"]), row["at"]) if row else (0, None)


def lock_serial(connection: Connection) -> tuple[int, str | None]:
    """Lock the row of the serial, and return what `last_change` does.

    The holder of the lock is the only writer until it commits. So serials have no gap and run in
    commit order, and no documents are derived while somebody else writes.
    """
    row = fetch_first(
        connection,
        "hold",
        lambda: select(_serial.c.value, _serial.c.at).with_for_update(),
        {},
    )
    assert row is not None, "the row of the serial is made by the first migration"
    return int(row["value"]), row["at"]


def revision_time(connection: Connection, serial: int) -> str | None:
    """Return when a revision was made, or None if there is no such revision."""
    made: str | None = connection.scalar(select(_revision.c.at).where(_revision.c.serial == serial))
    return made


def is_of(record: str, rows: Any = _revision) -> ColumnElement[bool]:
    """Return the condition that a revision is of a record, also by its root where that is known."""
    root = root_in_name(record)
    same = rows.c.record == record
    return same if root is None else and_(same, rows.c.root == root)


def is_of_any(records: Sequence[str], rows: Any = _revision) -> ColumnElement[bool]:
    """Return the condition that a revision is of one of these records; see `is_of`."""
    roots = {root_in_name(record) for record in records}
    among = rows.c.record.in_(records)
    return among if None in roots else and_(among, rows.c.root.in_(sorted(roots, key=str)))


def is_of_same(rows: Any, other: Any) -> ColumnElement[bool]:
    """Return the condition that two revisions are of the same record."""
    return and_(rows.c.record == other.c.record, rows.c.root == other.c.root)


def _latest_of_record(*conditions: ColumnElement[bool], by_root: bool) -> Select[Any]:
    revisions = select(_revision).where(_revision.c.record == bindparam("of"), *conditions)
    if by_root:
        revisions = revisions.where(_revision.c.root == bindparam("below"))
    return revisions.order_by(_revision.c.serial.desc()).limit(1)


def latest_revision(
    connection: Connection, record: str, *conditions: ColumnElement[bool]
) -> dict[str, Any] | None:
    """Return the last revision of a record that meets the conditions, or None.

    `record` is the record's type and id, as in `Revision.record`.
    """
    root = root_in_name(record)
    by_root = root is not None
    values = {"of": record, **({"below": root} if by_root else {})}
    if not conditions:

        def build() -> Select[Any]:
            return _latest_of_record(by_root=by_root)

        return fetch_first(connection, ("latest revision", by_root), build, values)
    statement = _latest_of_record(*conditions, by_root=by_root)
    row = connection.execute(statement, values).mappings().first()
    return None if row is None else dict(row)


# The states after a change that everybody may see. Proposals, and what became of those that were
# not accepted, concern only their proposer and the curators.
PUBLIC_STATES = ("accepted", "retracted", "merged")
PRIVATE_FIELDS = ("record", "claim", "actor", "comment", "review", "body")


def _took_back() -> ColumnElement[bool]:
    earlier = _revision.alias("earlier")
    state_before = (
        select(earlier.c.state)
        .where(is_of_same(earlier, _revision), earlier.c.serial < _revision.c.serial)
        .order_by(earlier.c.serial.desc())
        .limit(1)
        .correlate(_revision)
        .scalar_subquery()
    )
    return and_(
        _revision.c.action == "undo",
        _revision.c.state.not_in(PUBLIC_STATES),
        state_before.in_(PUBLIC_STATES),
    )


TOOK_BACK = _took_back()
"""The condition that a revision took back what was public, as one that undoes an acceptance does.
Whoever read the record is told who took it back and why, but not what is proposed again.
"""
# Stands for the record's id and the actor if a withheld revision was restored from an export. It is
# not a slug, so no record can have this name.
WITHHELD = "(withheld)"


def withhold_private(row: Mapping[str, Any], *, may_see: bool = False) -> dict[str, Any]:
    """Return a revision without what discloses a proposal, unless the reader may see it.

    `row` says by `took_back` whether the condition `TOOK_BACK` holds. The revision is not left out,
    since a reader who follows the changes would take a gap in the serials for a loss.
    """
    shown = {name: value for name, value in row.items() if name != "took_back"}
    if may_see or row["state"] in PUBLIC_STATES:
        return shown
    private = ("body",) if row["took_back"] else PRIVATE_FIELDS
    return {name: None if name in private else value for name, value in shown.items()}


PEOPLE_BEHIND = (
    "Whether another person than the record's proposer made this change (`two_people`), or its "
    "proposer (`one_person`); null where nobody proposed the record, or the change decides nothing."
)


class RevisionOut(Strict):
    """One recorded change: who did what and when.

    Fields that would disclose a proposal are null for readers who may not see it.
    """

    serial: int
    record: str | None = Field(
        description="Kind and id of the record, such as `claim/ccsvi-causes-ms`; null where the "
        "change is withheld."
    )
    kind: v.RecordKind
    claim: str | None = Field(description="The claim that the record is, or is a part of.")
    action: v.Action
    actor: str | None = Field(description="Who did it; null where the change is withheld.")
    at: Timestamp
    comment: str | None
    state: v.ReviewState = Field(description="Where the record stands after the change.")
    review: v.ReviewMode | None = Field(description=PEOPLE_BEHIND)
    change: int = Field(
        description="Serial of the first change that was made together with this one."
    )


class RevisionWhole(RevisionOut):
    """One recorded change with the record after it."""

    body: dict[str, Any] | None = Field(
        description="The whole record after the change; null where it is withheld or only proposed "
        "again, empty where it was purged."
    )
