"""Review: one person proposes a record, and a second person decides whether it is accepted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Connection, Select, or_, select
from sqlmodel import Field

from models.access.api_keys import Forbidden, Key
from models.access.proposal_ownership import (
    is_own_proposal,
    may_see,
    people_behind,
    proposed_by,
    proposed_records,
    proposer,
    proposers,
    sees_what_is_said,
    visibility_condition,
)
from models.core import vocabularies as v
from models.core.dates import Timestamp, now, parse_timestamp
from models.core.errors import (
    MOST_FAULTS,
    TOO_MANY_FAULTS,
    ClaimbaseError,
    Conflict,
    Fault,
    InvalidRecord,
    NotFound,
    describe_faults,
    invalid_record,
    listed_errors,
    validation_faults,
)
from models.core.merge_patch import merged
from models.core.types import REVIEW_FIELDS, Strict, is_blank, is_slug
from models.records.claim import ClaimTopic
from models.records.record_types import (
    CONTENT_TYPES,
    PART_TYPES,
    RECORD_TYPES,
    RecordType,
    current_id,
    read_column,
    read_record,
    read_records,
    references_in,
    split_name,
)
from models.records.retired import last_revision, missing_error
from models.records.revision import PEOPLE_BEHIND, PUBLIC_STATES, Revision, is_of, is_of_same
from models.records.serializers import Row, table
from models.records.source import dates_in_future
from models.write import changes, notices, suggestions
from models.write.changes import Change

revision = table(Revision)


class RecordOut(Strict):
    """A record of any kind in any state, with where it stands in review."""

    kind: v.RecordKind
    id: str
    claim: str | None = Field(description="The claim that it is, or is a part of.")
    state: v.ReviewState
    proposed_by: str | None = Field(
        description="Who proposed it; null where it did not come by a proposal."
    )
    revision: int = Field(
        description="Its ETag: give it in If-Match to change or decide this very version."
    )
    serial: int = Field(description="Serial of the last change to the record itself.")
    action: v.Action = Field(description="What that change was.")
    actor: str
    at: Timestamp = Field(description="When it was made.")
    comment: str | None
    review: v.ReviewMode | None = Field(description=PEOPLE_BEHIND)
    record: dict[str, Any] = Field(description="The record, as it is sent to be stored.")


@dataclass(frozen=True)
class Decision:
    """A decision on a record: from which state to which.

    It is made by the record's proposer or else by another person, who may have to give a reason.
    """

    action: str
    before: str
    after: str
    by_proposer: bool
    needs_comment: bool


_DECISIONS = (
    Decision("accept", "submitted", "accepted", by_proposer=False, needs_comment=False),
    Decision("reject", "submitted", "rejected", by_proposer=False, needs_comment=True),
    Decision("withdraw", "submitted", "withdrawn", by_proposer=True, needs_comment=False),
    Decision("retract", "accepted", "retracted", by_proposer=False, needs_comment=True),
)
DECISIONS = {decision.action: decision for decision in _DECISIONS}
# A refusal because of later changes names so many of them.
MOST_CHANGES_TOLD = 20
# By which fields of a suggestion it is told whether it suggests something else.
SUGGESTED = ("about", "action", "patch", "source")
# A record in one of these states may be proposed again under its id.
_FREE_STATES = ("rejected", "withdrawn")


def find_visible(
    connection: Connection, caller: Key | None, kind: RecordType, record_id: str
) -> Row:
    """Return a record in whatever state.

    Raises `NotFound` if there is none, and in the same words if the caller may not see it.
    """
    return _if_visible(
        connection, caller, kind, record_id, read_record(connection, kind, record_id)
    )


def visible_record(change: Change, caller: Key | None, kind: RecordType, record_id: str) -> Row:
    """Return a record as `find_visible` does, reading it at most once in a change."""
    body = changes.cached_record(change, kind, record_id)
    return _if_visible(change.connection, caller, kind, record_id, body)


def _if_visible(
    connection: Connection, caller: Key | None, kind: RecordType, record_id: str, body: Row | None
) -> Row:
    if body is None or not may_see(connection, caller, kind, record_id, body["state"]):
        raise missing_error(connection, kind, record_id)
    return body


def etag_revision(connection: Connection, kind: RecordType, record_id: str, body: Row) -> int:
    """Return the number in a record's ETag.

    It is the claim's revision for a record that is part of the claim's document, otherwise the
    serial of the record's own last revision.
    """
    if _is_in_document(kind, body):
        return _claim_revision(connection, kind, body)
    return int(last_revision(connection, kind, record_id)["serial"])


def changes_since(
    connection: Connection, kind: RecordType, record_id: str, body: Row, number: int
) -> list[Fault]:
    """Return what was changed after the version that an ETag names, the latest first.

    That is the record itself, and what else is in its claim's document; not what is proposed.
    """
    name = f"{kind.name}/{record_id}"
    concerned = [is_of(name)]
    if _is_in_document(kind, body):
        # The record has the same root, so that one place is asked.
        is_it = or_(revision.c.record == name, revision.c.state.in_(PUBLIC_STATES))
        concerned = [revision.c.root == kind.claim_of(body), is_it]
    later = (
        select(revision)
        .where(*concerned, revision.c.serial > number)
        .order_by(revision.c.serial.desc())
        .limit(MOST_CHANGES_TOLD)
    )
    return [
        Fault(
            at="",
            code="changed_since",
            detail=f"{row['record']}: {row['action']} by {row['actor']} on {row['at'][:10]}"
            f" (revision {row['serial']}).",
            given=row["record"],
        )
        for row in connection.execute(later).mappings()
    ]


def _is_in_document(kind: RecordType, body: Row) -> bool:
    return kind.name == "claim" or (kind.part and body["state"] == "accepted")


def _claim_revision(connection: Connection, kind: RecordType, body: Row) -> int:
    claim = str(kind.claim_of(body))
    return int(read_column(connection, RECORD_TYPES["claim"], claim, "revision") or 0)


def describe_after_change(change: Change, kind: RecordType, record_id: str) -> RecordOut:
    """Return a record with its state in review, after a change that was flushed."""
    body = changes.cached_record(change, kind, record_id)
    assert body is not None, "it was written in this transaction"
    last = changes.last_revision(change, kind, record_id)
    return describe_record(change.connection, kind, record_id, body, last)


def describe_record(
    connection: Connection,
    kind: RecordType,
    record_id: str,
    body: Row,
    last: Row | None = None,
) -> RecordOut:
    """Return a record with its state in review. `last` is its last revision, if already read."""
    last = last or last_revision(connection, kind, record_id)
    if last["action"] == "create" and last["state"] == "submitted":
        by = last["actor"]
    else:
        by = proposer(connection, kind, record_id)
    if _is_in_document(kind, body):
        number = _claim_revision(connection, kind, body)
    else:
        number = int(last["serial"])
    return _record_out(last, body, by, number)


_OF_REVISION = ("kind", "claim", "state", "serial", "action", "actor", "at", "comment", "review")


def _record_out(last: Any, body: Row, proposer: str | None, etag: int) -> RecordOut:
    return RecordOut(
        **{name: last[name] for name in _OF_REVISION},
        id=last["record"].partition("/")[2],
        proposed_by=proposer,
        revision=etag,
        record=body,
    )


PENDING = ("submitted",)


def pending_query(
    connection: Connection, caller: Key, states: Sequence[str] = PENDING
) -> tuple[Select[Any], list[ColumnElement[bool]]]:
    """Return how to read the proposals in these states that the caller may see: by default those
    that wait for review.

    The statement reads revisions with the proposer of their record; the conditions restrict it to
    the last revision of each such record.
    """
    later = revision.alias()
    newer = select(later.c.serial).where(
        is_of_same(later, revision), later.c.serial > revision.c.serial
    )
    conditions = [
        revision.c.state.in_(states),
        ~newer.exists(),
        visibility_condition(connection, caller),
    ]
    if tuple(states) != PENDING:
        # What is public is seen by everybody, and most of it was never proposed.
        conditions.append(revision.c.record.in_(proposed_records(connection, caller)))
    return select(revision, proposed_by.label("proposed_by")), conditions


def on_topic(slug: str) -> ColumnElement[bool]:
    """Return the condition that a revision is of a topic, or of a claim that is filed under it now
    or a part of one.
    """
    filed = table(ClaimTopic)
    under = select(filed.c.claim).where(filed.c.topic == slug)
    return or_(revision.c.record == f"topic/{slug}", revision.c.root.in_(under))


def said_query(
    connection: Connection,
    caller: Key | None,
    kind: RecordType,
    *which: ColumnElement[bool],
) -> tuple[Select[Any], list[ColumnElement[bool]]]:
    """Return how to read the suggestions or the comments that the caller may see, of those rows
    that meet these conditions.

    The statement reads revisions with the proposer of their record; the conditions restrict it to
    the last one of each record.
    """
    rows = table(kind.model)
    conditions = [
        revision.c.serial.in_(select(rows.c.revision).where(*which)),
        sees_what_is_said(connection, caller, kind),
    ]
    return select(revision, proposed_by.label("proposed_by")), conditions


def describe_proposal(connection: Connection, row: Any) -> RecordOut:
    """Return the proposal in a row of `pending_query`."""
    if row["state"] != "submitted":
        record_id = row["record"].partition("/")[2]
        return describe_record(connection, RECORD_TYPES[row["kind"]], record_id, row["body"], row)
    return _record_out(row, row["body"], row["proposed_by"], row["serial"])


def age_days(at: str) -> float:
    """Return the days since a moment (UTC), with one decimal."""
    return round((datetime.now(UTC) - parse_timestamp(at)).total_seconds() / 86400, 1)


def describe_purged(connection: Connection, serial: int) -> RecordOut:
    """Return a record without its content, from the revision that purged it."""
    purging = select(revision).where(revision.c.serial == serial)
    row = connection.execute(purging).mappings().one()
    return _record_out(row, {}, None, serial)


# A record whose form was judged: its type, and its fields as they are stored.
Judged = tuple[RecordType, Row]


def judge_all(
    caller: Key, records: Sequence[Any], places: Sequence[str], *, public: bool = False
) -> list[Judged]:
    """Judge the form of records, without looking at what is stored; `public` is as in `judge`.

    The field `record` of each says of which type it is. Raises `InvalidRecord` with the faults of
    all records; where a fault is begins with the record's place, such as `records/0`.
    """
    judged: list[Judged] = []
    faults: list[Fault] = []
    more = 0
    for position, record in enumerate(records):
        try:
            kind = _type_of(record)
            fields = {name: value for name, value in record.items() if name != "record"}
            most = MOST_FAULTS - len(faults)
            judged.append((kind, judge(caller, kind, fields, most, public=public)))
        except InvalidRecord as error:
            faults += _faults_in_record(error, places[position])
            more += error.more
    if faults:
        number = len(faults) + more
        raise InvalidRecord(_nothing_stored(f"{number:,} faults", faults), faults, more=more)
    return judged


def propose_all(
    change: Change, caller: Key, records: Sequence[Judged], places: Sequence[str]
) -> list[str]:
    """Propose records in their order. Return their names, such as `source/doepp-2010`.

    Raises `InvalidRecord` with the faults of all records, or of the first ones if there are many:
    others wait meanwhile.
    """
    names: list[str] = []
    faults: list[Fault] = []
    for position, (kind, body) in enumerate(records):
        try:
            names.append(f"{kind.name}/{propose(change, caller, kind, body)}")
        except (InvalidRecord, Conflict, NotFound) as error:
            faults += _faults_in_record(error, places[position])
        if len(faults) >= MOST_FAULTS:
            number = f"{len(faults)} faults in the first {position + 1} records"
            raise InvalidRecord(_nothing_stored(number, faults), faults)
    if faults:
        raise InvalidRecord(_nothing_stored(f"{len(faults)} faults", faults), faults)
    return names


def _nothing_stored(number: str, faults: Sequence[Fault]) -> str:
    return f"{number}; nothing was stored. The first: {faults[0].detail}"


def _faults_in_record(error: ClaimbaseError, place: str) -> list[Fault]:
    """Return what is wrong with one of several records, located by its place."""
    faults = error.faults
    if not faults and not error.more:
        faults = [Fault(at="", code=error.code, detail=error.detail)]
    return [
        fault.model_copy(update={"at": f"{place}/{fault.at.strip('/')}".rstrip("/")})
        for fault in faults
    ]


def _type_of(record: Any) -> RecordType:
    name = record.get("record") if isinstance(record, dict) else None
    if isinstance(name, str) and name in RECORD_TYPES:
        return RECORD_TYPES[name]
    detail = f"'record' says of which kind it is: {', '.join(RECORD_TYPES)}."
    fault = Fault(at="record", code="unknown_term", detail=detail, allowed=list(RECORD_TYPES))
    raise InvalidRecord(detail, [fault])


def judge(
    caller: Key, kind: RecordType, body: Row, most: int = MOST_FAULTS, *, public: bool = False
) -> Row:
    """Return a record to be proposed as it would be stored.

    This needs no database, so nobody waits for it. An assessment is itself a decision, so it is
    stored as accepted. `public` says whether everybody may read at once what is said of a record.
    Raises `InvalidRecord` with at most so many faults.
    """
    state = "submitted"
    if kind.name == "assessment":
        state = "accepted"
        require_role(caller, "curator", "record an assessment")
    if kind.discussion:
        body = {"id": suggestions.new_id(kind), **_as_sent(body), "public": public}
    review_fields = {
        "state": body.get("state", state),
        "replaced_by": body.get("replaced_by"),
    }
    body = validate_record(kind, {**body, **review_fields}, most)
    _refuse_future_dates(kind, body)
    _require_review_fields(body, {"state": state, "replaced_by": None})
    if kind.name == "suggestion":
        _judge_patch(body)
    return body


def _as_sent(body: Row) -> Row:
    """Return what is said of a record without what only the server sets."""
    hidden = suggestions.SET_BY_SERVER
    return {name: value for name, value in body.items() if name not in hidden}


def _judge_patch(suggestion: Row) -> None:
    """Judge the form of what a suggestion changes, and whether it may change it."""
    kind, _ = split_name(suggestion["about"])
    if kind not in CONTENT_TYPES:
        detail = f"Suggest changes of what is accepted, such as evidence; not of a {kind.name}."
        raise InvalidRecord(detail, [Fault(at="about", code="unknown_term", detail=detail)])
    patch = suggestion["patch"]
    if (suggestion["action"] == "change") != bool(patch):
        detail = "A change has a patch, which names the fields to change; a retraction has none."
        raise InvalidRecord(detail, [Fault(at="patch", code="bad_patch", detail=detail)])
    fixed = [name for name in patch if name in (*kind.columns, *REVIEW_FIELDS)]
    if fixed:
        detail = f"'{fixed[0]}' cannot be changed."
        raise InvalidRecord(
            detail, [Fault(at=f"patch/{fixed[0]}", code="fixed_field", detail=detail)]
        )
    with suggestions.located_in_patch():
        judge_version(kind, merged({}, patch))


def judge_version(kind: RecordType, body: Row) -> None:
    """Judge the form of a record, or of some of its fields, that is to become a new version.

    What is missing, and how fields fit together, is judged when the record is stored.
    """
    fields = {name: value for name, value in body.items() if name not in ("claim", *REVIEW_FIELDS)}
    try:
        kind.validated(fields)
    except ValidationError as error:
        faulty = [each for each in listed_errors(error) if _is_of_form(each)]
        if faulty:
            faults = validation_faults(faulty, kind.fields.model_fields)
            more = len(faulty) - len(faults)
            raise InvalidRecord(describe_faults(faults[:1]), faults, more=more) from None
    _refuse_future_dates(kind, fields)


def _refuse_future_dates(kind: RecordType, body: Row) -> None:
    """Refuse a source that is dated further ahead than works are: somebody mistyped the year."""
    names = dates_in_future(body, now()[:10]) if kind.name == "source" else []
    if names:
        detail = "The date lies in the future."
        faults = [Fault(at=name, code="date_in_future", detail=detail) for name in names]
        raise InvalidRecord(f"{names[0]}: {detail}", faults)


def _is_of_form(error: Any) -> bool:
    """Return whether one of Pydantic's errors is no matter of what is missing or fits together."""
    if error["type"] == TOO_MANY_FAULTS:
        return True
    return error["type"] != "missing" and bool(error["loc"])


def propose(change: Change, caller: Key, kind: RecordType, body: Row) -> str:
    """Store a new record, as `judge` returns it, and return its id.

    A rejected or withdrawn record may be proposed again under its id by its proposer. Raises
    `InvalidRecord` with every fault.
    """
    _require_visible_references(change, caller, kind, body)
    if kind.discussion:
        body = _with_what_it_is_about(change, caller, kind, body)
    record_id = kind.id_of(body)
    old = changes.cached_record(change, kind, record_id)
    if old is not None and not _may_propose_again(change, caller, kind, record_id, old):
        raise _already_exists(change, caller, kind, record_id, old)
    changes.put(change, kind, body, "create", valid=True)
    return record_id


def _with_what_it_is_about(change: Change, caller: Key, kind: RecordType, body: Row) -> Row:
    """Return a suggestion or a comment with what follows from the record that it is about.

    Raises `NotFound` where the caller may not see that record, `Conflict` where nothing can be
    suggested of it, and `InvalidRecord` where the suggestion would change nothing, or to something
    that is no record.
    """
    about, about_id = split_name(body["about"])
    current = visible_record(change, caller, about, about_id)
    body = {
        **body,
        "addressee": suggestions.addressee_of(change.connection, body["about"]),
        # What is said of a record shows that there is one.
        "public": body["public"] and current["state"] in PUBLIC_STATES,
    }
    if kind.name != "suggestion":
        return body
    suggestions.accepted_target(change, body)
    if body["source"] is not None:
        visible_record(change, caller, RECORD_TYPES["source"], body["source"])
    patch: Row = {}
    if body["action"] == "change":
        with suggestions.located_in_patch():
            version = validate_record(about, merged(current, body["patch"]))
            _require_visible_references(change, caller, about, version)
        patch = {name: value for name, value in version.items() if value != current[name]}
        suggestions.require_difference(patch)
    return {
        **body,
        "patch": patch,
        "before": {name: current[name] for name in patch},
        "based_on": suggestions.last_own_change(change.connection, body["about"]),
        "taken": None,
    }


def carry_over(change: Change, caller: Key, record_id: str) -> None:
    """Base a suggestion on its record as it is now, or on the one that this was merged into.

    Allowed for its proposer and for curators. Raises `Conflict` where it is decided already.
    """
    kind = RECORD_TYPES["suggestion"]
    old = visible_record(change, caller, kind, record_id)
    if not is_own_proposal(change.connection, caller, kind, record_id):
        require_role(caller, "curator", "carry over what another person suggested")
    _require_state(kind, record_id, old, "submitted", "carried over")
    about, about_id = split_name(old["about"])
    name = f"{about.name}/{current_id(change.connection, about, about_id)}"
    body = _with_what_it_is_about(change, caller, kind, {**old, "about": name})
    changes.put(change, kind, body, valid=True)


def _may_propose_again(
    change: Change, caller: Key, kind: RecordType, record_id: str, old: Row
) -> bool:
    """Return whether the id is free for the caller: it was their own proposal, or nobody's."""
    if old["state"] not in _FREE_STATES:
        return False
    if not proposers(change.connection, kind, record_id):
        return True
    return is_own_proposal(change.connection, caller, kind, record_id)


def _already_exists(
    change: Change, caller: Key, kind: RecordType, record_id: str, old: Row
) -> Conflict:
    detail = f"The {kind.name} '{record_id}' is there already, and is {old['state']}."
    if not may_see(change.connection, caller, kind, record_id, old["state"]):
        detail = f"The id '{record_id}' is taken; choose another."
    fault = Fault(at=kind.key[0], code="already_exists", detail=detail)
    return Conflict(detail, [fault], code="already_exists")


def replace(change: Change, caller: Key, kind: RecordType, record_id: str, body: Row) -> bool:
    """Store a new version of a record and return whether it differs from the old one.

    A proposal is changed by its proposer, an accepted record by a curator.
    """
    old = visible_record(change, caller, kind, record_id)
    if old["state"] == "submitted":
        if not is_own_proposal(change.connection, caller, kind, record_id):
            raise Forbidden(
                "Only its proposer changes a proposal; reject it and say what should change."
            )
    elif old["state"] == "accepted" and not kind.discussion:
        require_role(caller, "curator", "change what is accepted")
        require_second_person(change, caller, [(kind, record_id)], "change")
    else:
        raise Conflict(f"The {kind.name} '{record_id}' is {old['state']}; it cannot be changed.")
    review_fields = {name: old[name] for name in REVIEW_FIELDS}
    if kind.discussion:
        body = {**_as_sent(body), "public": old["public"]}
    body = validate_record(kind, {**review_fields, **body})
    require_same_key(kind, record_id, body)
    _require_review_fields(body, review_fields)
    _require_visible_references(change, caller, kind, body)
    if kind.name == "suggestion":
        _judge_patch(body)
    if kind.discussion and any(body.get(name) != old.get(name) for name in SUGGESTED):
        body = _with_what_it_is_about(change, caller, kind, body)
    elif kind.discussion:
        # To say it in other words leaves it as old as it is.
        body |= {name: old[name] for name in suggestions.SET_BY_SERVER if name in old}
    return changes.put(change, kind, body, valid=True)


def require_same_key(kind: RecordType, record_id: str, body: Row) -> None:
    """Refuse a body whose key is not that of the record to be changed."""
    for name, value in kind.key_of(record_id).items():
        if body[name] != value:
            detail = f"'{name}' is a part of the id and cannot be changed: propose another record."
            raise InvalidRecord(detail, [Fault(at=name, code="fixed_field", detail=detail)])


def decide(
    change: Change,
    caller: Key,
    kind: RecordType,
    record_id: str,
    action: str,
    replaced_by: str | None = None,
    fields: Sequence[str] | None = None,
) -> None:
    """Accept, reject, withdraw or retract a record.

    Proposals that refer to a record that is no longer accepted are closed, and a retracted claim's
    accepted parts are retracted with it. What an accepted notice announces is marked on the source
    that it is about, and what an accepted suggestion changes is changed: all of it, or the given
    `fields`.
    """
    decision = DECISIONS[action]
    old = visible_record(change, caller, kind, record_id)
    _require_decider(change, caller, decision, kind, record_id)
    _require_state(kind, record_id, old, decision.before, decision.after)
    if decision.needs_comment:
        require_comment(change, action)
    if replaced_by is not None:
        _require_replacement(change, kind, record_id, replaced_by)
    decided = {**old, "replaced_by": replaced_by}
    carries_out = kind.name == "suggestion" and decision.after == "accepted"
    if kind.discussion and decision.after == "accepted":
        _require_public(change, decided)
    if carries_out:
        decided["taken"] = suggestions.chosen_fields(old, fields)
    elif fields is not None:
        detail = "Only a suggestion is accepted field by field."
        raise InvalidRecord(detail, [Fault(at="fields", code="bad_combination", detail=detail)])
    # A suggestion is decided on first, since what waits about a record that it retracts is closed.
    _set_state(change, caller, decision, kind, decided)
    if carries_out:
        carry_out(change, caller, decided, decided["taken"])


def _require_public(change: Change, said: Row) -> None:
    """Refuse to make public what is said of a record that is not."""
    named = [said["about"], *([f"source/{said['source']}"] if said.get("source") else [])]
    for name in named:
        kind, record_id = split_name(name)
        state = changes.cached_state(change, kind, record_id)
        if state not in PUBLIC_STATES:
            detail = f"{name} is not public: accept that first."
            raise Conflict(detail, [Fault(at="about", code="not_accepted", detail=detail)])


def _require_state(kind: RecordType, record_id: str, body: Row, state: str, to_be: str) -> None:
    if body["state"] != state:
        raise Conflict(
            f"The {kind.name} '{record_id}' is {body['state']}; only a {state} one can be {to_be}."
        )


def _set_state(
    change: Change,
    caller: Key,
    decision: Decision,
    kind: RecordType,
    old: Row,
    behind: str | None = None,
) -> None:
    """Store what was decided on a record, and what follows from it for others. `behind` is given
    where it is known who stands behind the decision, for the parts of a claim too.
    """
    record_id = kind.id_of(old)
    if decision.after != "accepted":
        close_dependent_proposals(change, caller, kind, record_id)
    if kind.name == "claim" and decision.after == "retracted":
        _retract_parts(change, caller, record_id, behind)
    decided = {**old, "state": decision.after}
    changes.put(change, kind, decided, decision.action)
    if kind.name == "source" and decision.after == "accepted":
        notices.mark_what_is_announced(change, decided)


def carry_out(change: Change, caller: Key, suggestion: Row, names: Sequence[str]) -> None:
    """Do to a record what a suggestion says, as far as these fields.

    Two people stand behind it, who suggests and who accepts, so that the caller may have proposed
    the record. Raises `Conflict` where somebody changed since what is to be changed.
    """
    kind, current = suggestions.accepted_target(change, suggestion)
    own_comment, change.comment = change.comment, _reason(change.connection, suggestion)
    behind = change.behind.get(f"suggestion/{suggestion['id']}")
    change.behind[suggestion["about"]] = behind
    if suggestion["action"] == "retract":
        suggestions.require_unchanged(change.connection, suggestion)
        _set_state(change, caller, DECISIONS["retract"], kind, current, behind or "two_people")
    else:
        suggestions.require_up_to_date(suggestion, current, names)
        version = {**current, **{name: suggestion["patch"][name] for name in names}}
        body = validate_record(kind, version)
        _require_visible_references(change, caller, kind, body)
        changes.put(change, kind, body, valid=True)
    change.comment = own_comment


def _reason(connection: Connection, suggestion: Row) -> str:
    """Return the reason of a change that was suggested, with who suggested it."""
    kind = RECORD_TYPES["suggestion"]
    name = proposer(connection, kind, suggestion["id"]) or "somebody"
    return f"{suggestion['reason']} (suggested by {name}: suggestion/{suggestion['id']})"


def _require_decider(
    change: Change, caller: Key, decision: Decision, kind: RecordType, record_id: str
) -> None:
    """Refuse a decision that the caller may not make on this record."""
    if not decision.by_proposer:
        require_role(caller, "curator", f"{decision.action} a record")
        require_second_person(change, caller, [(kind, record_id)], decision.action)
    elif not is_own_proposal(change.connection, caller, kind, record_id):
        raise Forbidden("Only its proposer withdraws a proposal; a curator rejects it.")


def _retract_parts(change: Change, caller: Key, claim: str, behind: str | None) -> None:
    parts = parts_of_claim(change.connection, claim, "accepted")
    names = [(part, part.id_of(body)) for part, body in parts]
    if behind is None:
        require_second_person(change, caller, names, "retract")
    else:
        change.behind |= {f"{part.name}/{record_id}": behind for part, record_id in names}
    for part, body in parts:
        close_dependent_proposals(change, caller, part, part.id_of(body))
        changes.put(change, part, {**body, "state": "retracted"}, "retract")


def close_dependent_proposals(
    change: Change, caller: Key, kind: RecordType, record_id: str
) -> None:
    """Close the proposals that refer to a record that is being taken back.

    Nobody could accept them any more. The caller's own are withdrawn, all others rejected.
    """
    dependents = changes.find_dependents(
        change.connection, kind, record_id, ("submitted",), limit=None
    )
    for other, other_id in dependents:
        close_dependent_proposals(change, caller, other, other_id)
        _close(change, caller, other, other_id)
    suggestion = RECORD_TYPES["suggestion"]
    for waiting in suggestions.waiting_about(change.connection, f"{kind.name}/{record_id}"):
        _close(change, caller, suggestion, waiting)


def _close(change: Change, caller: Key, kind: RecordType, record_id: str) -> None:
    body = read_record(change.connection, kind, record_id)
    # The recursion may have closed it already.
    if body is None or body["state"] != "submitted":
        return
    own = is_own_proposal(change.connection, caller, kind, record_id)
    action = "withdraw" if own else "reject"
    change.behind[f"{kind.name}/{record_id}"] = None if own else "two_people"
    changes.put(change, kind, {**body, "state": DECISIONS[action].after}, action)


def parts_of_claim(
    connection: Connection, claim: str, *states: str
) -> list[tuple[RecordType, Row]]:
    """Return the parts of a claim in these states.

    A part comes before those that it refers to: evidence on a relation before the relation.
    """
    parts: list[tuple[RecordType, Row]] = []
    for kind in reversed(PART_TYPES):
        rows = table(kind.model)
        key = [rows.c[name] for name in kind.columns]
        of_claim = select(*key).where(rows.c.claim == claim, rows.c.state.in_(states))
        found = connection.execute(of_claim.order_by(*key)).mappings()
        ids = [kind.id_of(row) for row in found]
        parts += [(kind, body) for _, body in read_records(connection, kind, ids)]
    return parts


def validate_record(kind: RecordType, body: Row, most: int = MOST_FAULTS) -> Row:
    """Return a record as it is stored, with every default.

    Raises `InvalidRecord` with at most so many faults.
    """
    own_fields = dict(body)
    key: Row = {}
    if kind.part:
        # The input classes have no field for the claim: the path of a request names it.
        claim = own_fields.pop("claim", None)
        if not is_slug(claim):
            detail = "'claim' is the slug of the claim that the record is a part of."
            raise InvalidRecord(detail, [Fault(at="claim", code="malformed_slug", detail=detail)])
        key = {"claim": claim}
    try:
        return {**key, **kind.validated(own_fields)}
    except ValidationError as error:
        raise invalid_record(error, kind.fields.model_fields, most) from None


def _require_visible_references(change: Change, caller: Key, kind: RecordType, body: Row) -> None:
    """Refuse a reference to a record that the caller may not see, as if it did not exist."""
    for field, other, other_id in references_in(kind, body):
        state = changes.cached_state(change, other, other_id)
        if state is None or not may_see(change.connection, caller, other, other_id, state):
            error = missing_error(change.connection, other, other_id)
            if field == "claim":
                raise error
            fault = Fault(
                at=field,
                code="unknown_reference",
                detail=error.detail,
                suggestion=error.faults[0].suggestion if error.faults else None,
                given=other_id,
            )
            raise InvalidRecord(error.detail, [fault])


def _require_replacement(
    change: Change, kind: RecordType, record_id: str, replaced_by: str
) -> None:
    """Refuse a replacement that is not another accepted record of the same type."""
    could_be = replaced_by != record_id and replaced_by.count(":") + 1 == len(kind.columns)
    other = read_record(change.connection, kind, replaced_by) if could_be else None
    if other is None or other["state"] != "accepted":
        detail = f"There is no other accepted {kind.name} '{replaced_by}' to stand in its place."
        fault = Fault(at="replaced_by", code="unknown_reference", detail=detail)
        raise InvalidRecord(detail, [fault])


def _require_review_fields(body: Row, expected: Row) -> None:
    """Refuse a body that sets its own state: that takes a decision."""
    for name, value in expected.items():
        if body[name] != value:
            detail = (
                "Where a record stands in review is decided, not written:"
                " see accept, reject, retract and merge."
            )
            raise InvalidRecord(detail, [Fault(at=name, code="fixed_field", detail=detail)])


def require_second_person(
    change: Change, caller: Key, records: Iterable[tuple[RecordType, str]], action: str
) -> None:
    """Refuse an action on records of which the caller proposed one, unless one person may decide;
    note for their revisions who stands behind it.
    """
    for kind, record_id in records:
        behind = people_behind(change.connection, caller, kind, record_id)
        if behind == "one_person" != change.review:
            raise Forbidden(
                f"Nobody may {action} what they proposed ({kind.name}/{record_id});"
                " ask another curator. Where one person curates alone, whoever runs the server"
                " sets CLAIMBASE_REVIEW=one_person."
            )
        change.behind[f"{kind.name}/{record_id}"] = behind


def require_comment(change: Change, action: str) -> None:
    """Refuse an action that needs a reason if the change has none."""
    if is_blank(change.comment or ""):
        detail = f"Say why: to {action} needs a comment."
        raise InvalidRecord(detail, [Fault(at="comment", code="missing", detail=detail)])


def require_role(caller: Key, role: str, action: str) -> None:
    """Refuse a caller whose role is too low for an action."""
    if not caller.may(role):
        raise Forbidden(
            f"To {action} needs a key of the role {role} or higher;"
            f" this one's role is {caller.role}."
        )
