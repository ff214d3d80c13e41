"""Many decisions in one transaction, in an order in which each finds what it needs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from models.access.api_keys import Key
from models.core.errors import ClaimbaseError, Conflict, Fault
from models.records.record_types import RecordType, order_by_references
from models.records.serializers import Row
from models.write import changes, review
from models.write.changes import Change


@dataclass(frozen=True)
class Wanted:
    """A decision that somebody wants: `accept` or `reject` on one version of a record.

    `revision` is the number in the record's ETag when it was read.
    """

    kind: RecordType
    record_id: str
    action: str
    revision: int
    comment: str | None = None

    @property
    def name(self) -> str:
        """Return the record's type and id, such as `evidence/ccsvi-causes-ms:doepp-2010`."""
        return f"{self.kind.name}/{self.record_id}"


class Stale(Conflict):
    """The record is no longer the version that the decision is about."""

    code = "precondition_failed"


def decide_all(
    change: Change, caller: Key, wanted: Sequence[Wanted], *, each: bool
) -> list[ClaimbaseError | None]:
    """Decide on many records, no two of them the same. Return what stood in the way of each, in the
    order in which they were given; None where it was decided.

    What a record refers to is accepted before it, and rejected after it, whatever the order. With
    `each`, one that is refused leaves the others as they are; else it raises Conflict, which lists
    all that is wrong.
    """
    bodies: dict[str, Row] = {}
    errors: dict[str, ClaimbaseError] = {}
    for one in wanted:
        # All versions are compared before the first decision, which may move those of others.
        with _noting(errors, one):
            bodies[one.name] = _body_meant(change, caller, one)
    for one in _in_order([one for one in wanted if one.name in bodies], bodies):
        with _noting(errors, one), _apart(change):
            change.comment = one.comment
            if each:
                # Whoever undoes one of them does not undo the others.
                change.before = change.serial
            review.decide(change, caller, one.kind, one.record_id, one.action)
    if errors and not each:
        raise _refused(wanted, errors)
    return [errors.get(one.name) for one in wanted]


@contextmanager
def _noting(errors: dict[str, ClaimbaseError], one: Wanted) -> Iterator[None]:
    try:
        yield
    except ClaimbaseError as error:
        errors[one.name] = error


@contextmanager
def _apart(change: Change) -> Iterator[None]:
    """Take back all of a change that the block did, if it raises an error."""
    serial, touched, behind = change.serial, dict(change.touched), dict(change.behind)
    try:
        with change.connection.begin_nested():
            yield
    except ClaimbaseError:
        change.serial, change.touched, change.behind = serial, touched, behind
        change.cache.clear()
        raise


def _body_meant(change: Change, caller: Key, one: Wanted) -> Row:
    body = review.find_visible(change.connection, caller, one.kind, one.record_id)
    number = review.etag_revision(change.connection, one.kind, one.record_id, body)
    if number != one.revision:
        since = review.changes_since(change.connection, one.kind, one.record_id, body, one.revision)
        raise Stale(f"It was changed meanwhile and is at {number} now: read it again.", since)
    return body


def _in_order(wanted: Sequence[Wanted], bodies: dict[str, Row]) -> list[Wanted]:
    """Return decisions in an order in which they can be made: what is referred to is accepted
    first, and rejected last, since what refers to it would be rejected with it. Suggestions are
    rejected before all, since one that is accepted may close others.
    """
    places = order_by_references([(one.kind, bodies[one.name]) for one in wanted])
    ordered = [wanted[place] for place in places]
    accepted = [one for one in ordered if one.action == "accept"]
    others = [one for one in reversed(ordered) if one.action != "accept"]
    said = [one for one in others if one.kind.discussion]
    return said + accepted + [one for one in others if not one.kind.discussion]


def _refused(wanted: Sequence[Wanted], errors: dict[str, ClaimbaseError]) -> Conflict:
    faults = [
        Fault(at=f"decisions/{place}", code=error.code, detail=f"{one.name}: {error.detail}")
        for place, one in enumerate(wanted)
        if (error := errors.get(one.name)) is not None
    ]
    return Conflict(
        f"{len(faults):,} of {len(wanted):,} decisions cannot be made; none was. The first:"
        f" {faults[0].detail}",
        faults,
    )


def where_it_stands(change: Change, one: Wanted) -> tuple[str, int] | None:
    """Return a record's state and the number in its ETag after a change that was flushed; None
    where there is no such record.
    """
    body = changes.cached_record(change, one.kind, one.record_id)
    if body is None:
        return None
    number = review.etag_revision(change.connection, one.kind, one.record_id, body)
    return body["state"], number
