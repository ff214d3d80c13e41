"""Notices that a registry or a file tells of: held against what is recorded, and stored.

A retraction, a correction or an expression of concern becomes a source that is tied to the one it
is about. A curator accepts it, and thereby marks that source.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal

from pydantic import ValidationError
from sqlalchemy import Connection, select

from models.core.errors import invalid_record
from models.core.types import numbered_slug
from models.database.connections import Database
from models.database.prepared_statements import select_rows
from models.projection.tables import ClaimDocument
from models.records.identifiers import RESOLVERS, address_of, identifiers_in
from models.records.record_types import RECORD_TYPES, batches, current_id, read_states
from models.records.retired import STANDING
from models.records.revision import Revision, is_of_any
from models.records.serializers import Row, sources_by_id, table
from models.records.source import SourceIdentifier, SourceIn, SourceVersion
from models.write import changes
from models.write.notices import NOTICE_KINDS, announced_on, mark_what_is_announced

SOURCE = RECORD_TYPES["source"]
ACTOR = "watch"
# What is taken over from the registry's own record of a notice.
TAKEN_OVER = (
    *("type", "title", "authors", "authors_complete", "container_title", "container_title_short"),
    *("publisher", "publisher_place", "volume", "issue", "page", "number", "epub_date", "url"),
    *("language", "title_short", "issn", "container_isbn", "collection_title", "edition", "genre"),
    *("event_title", "event_place", "abstract", "keywords", "licence", "contributors"),
)
# The lengths of a title and of a note.
TITLE_LENGTH = 1000
NOTE_LENGTH = 5000

# The scheme and the value.
Identifier = tuple[str, str]
Outcome = Literal["new", "untied", "recorded", "waiting", "refused"]


@dataclass(frozen=True)
class Notice:
    """What somebody says of a notice: about which work, of which kind, and when.

    `about` are identifiers of that work, and `identifiers` those of the notice. `said` is what the
    registry says, each time in the same words. `fields` are those of its own record of the notice,
    as fields of a source.
    """

    about: tuple[Identifier, ...]
    tie: str
    said: tuple[str, ...]
    date: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    fields: Row = field(default_factory=dict)

    @property
    def issued(self) -> str | None:
        """When it was published: by its own record, else as the registry says of it."""
        return _more_precise(self.fields.get("issued"), self.date)

    @property
    def announced(self) -> str | None:
        """When it came out, online or in print."""
        return announced_on({"issued": self.issued, "epub_date": self.fields.get("epub_date")})


@dataclass(frozen=True)
class Finding:
    """A notice about a stored source, and what became of it here.

    The outcome is `new`; `untied` if the notice is stored as a source, `record`, that is not tied
    to the other one; `recorded`; `waiting` for review; or `refused`, that is rejected or taken back
    by somebody.
    """

    source: str
    notice: Notice
    outcome: Outcome
    record: str | None = None

    @property
    def is_new(self) -> bool:
        """Whether nobody has recorded or refused this notice yet."""
        return self.outcome in ("new", "untied")


@dataclass(frozen=True)
class ClaimEffect:
    """A claim that a notice touches, with its status before and after."""

    claim: str
    before: str
    after: str


@dataclass(frozen=True)
class _Record:
    """A recorded notice about a source."""

    slug: str
    state: str
    identifiers: frozenset[Identifier]
    date: str | None
    note: str


def find(connection: Connection, notices: Iterable[Notice]) -> list[Finding]:
    """Return the notices about accepted sources, what several say of one together."""
    known = list(notices)
    mentioned = {each for notice in known for each in (*notice.about, *notice.identifiers)}
    owners = _owners(connection, mentioned)
    by_source: dict[str, list[Notice]] = {}
    for notice in known:
        about = (owners[each] for each in notice.about if each in owners)
        slug = next((slug for slug, state in about if state == "accepted"), None)
        if slug is not None:
            _add(by_source.setdefault(slug, []), _without_own_work(notice, slug, owners))
    bodies = sources_by_id(connection, {*by_source, *(slug for slug, _ in owners.values())})
    recorded = _recorded_notices(connection, list(by_source))
    findings: list[Finding] = []
    for slug, about_it in sorted(by_source.items()):
        for notice in about_it:
            finding = _finding(bodies, slug, notice, recorded[slug], owners)
            if finding.outcome == "untied" and finding.record in {each.record for each in findings}:
                # It will be about the first of several works; see `_finding`.
                finding = replace(finding, outcome="new", record=None)
            findings.append(finding)
    return findings


def integrity_of(connection: Connection, about: Iterable[Identifier]) -> dict[str, str]:
    """Return the integrity of each accepted source that has one of these identifiers, by slug."""
    owners = _owners(connection, about)
    slugs = sorted({slug for slug, state in owners.values() if state == "accepted"})
    return {slug: body["integrity"] for slug, body in sources_by_id(connection, slugs).items()}


def _without_own_work(notice: Notice, slug: str, owners: "_Owners") -> Notice:
    """Return a notice without what describes the work that it is about.

    Some publishers announce a retraction where the work itself stood, under the same identifier.
    """
    of_notice = [each for each in notice.identifiers if owners.get(each, ("", ""))[0] != slug]
    if len(of_notice) == len(notice.identifiers):
        return notice
    return replace(notice, identifiers=tuple(of_notice), fields={})


# The slug and the state of the source that has an identifier.
_Owners = Mapping[Identifier, tuple[str, str]]


def _owners(connection: Connection, identifiers: Iterable[Identifier]) -> _Owners:
    """Return the slug and the state of the source with each of these identifiers.

    A merged source counts as the one that it was merged into.
    """
    values: dict[str, list[str]] = {}
    for scheme, value in sorted(set(identifiers)):
        values.setdefault(scheme, []).append(value)
    rows = [
        row
        for scheme, wanted in values.items()
        for batch in batches(wanted)
        for row in select_rows(connection, table(SourceIdentifier), "value", batch, scheme=scheme)
    ]
    slugs = {row["source"] for row in rows}
    current = dict(zip(slugs, slugs, strict=True))
    states = read_states(connection, {("source", slug) for slug in slugs})
    for slug in slugs:
        if states["source", slug] == "merged":
            current[slug] = current_id(connection, SOURCE, slug)
    states |= read_states(connection, {("source", slug) for slug in current.values()})
    return {
        (row["scheme"], row["value"]): (slug, states["source", slug])
        for row in rows
        if (slug := current[row["source"]])
    }


def _add(notices: list[Notice], notice: Notice) -> None:
    """Add a notice about a source, or what it says to another one that is the same."""
    for position, known in enumerate(notices):
        is_one = known.tie == notice.tie and (
            _is_same(known.identifiers, known.date, notice)
            or (known.tie == "retracts" and not _contradict(known.identifiers, notice.identifiers))
        )
        if is_one:
            notices[position] = _joined(known, notice)
            return
    notices.append(notice)


def _joined(known: Notice, other: Notice) -> Notice:
    identifiers = {**dict(other.identifiers), **dict(known.identifiers)}
    return replace(
        known,
        said=tuple(dict.fromkeys((*known.said, *other.said))),
        date=_more_precise(known.date, other.date),
        identifiers=tuple(identifiers.items()),
        # Two records of one work are not mixed.
        fields=known.fields or other.fields,
    )


def _more_precise(date: str | None, other: str | None) -> str | None:
    """Return the first date, or the other one if it says the same more precisely."""
    return other if other is not None and other.startswith(date or "") else date


def _is_same(identifiers: Iterable[Identifier], date: str | None, notice: Notice) -> bool:
    """Return whether a notice of the same kind about the same source is this one.

    Identifiers of one scheme decide, otherwise the dates, which must agree as far as they go.
    """
    if _contradict(identifiers, notice.identifiers):
        return False
    if set(identifiers) & set(notice.identifiers):
        return True
    if date is None or notice.date is None:
        return False
    return date.startswith(notice.date) or notice.date.startswith(date)


def _contradict(identifiers: Iterable[Identifier], others: Iterable[Identifier]) -> bool:
    """Return whether both have identifiers of one scheme, and of none the same."""
    ours, theirs = set(identifiers), set(others)
    shared = {scheme for scheme, _ in ours} & {scheme for scheme, _ in theirs}
    return bool(shared) and not ours & theirs


def _recorded_notices(
    connection: Connection, slugs: Sequence[str]
) -> dict[str, list[tuple[str, _Record]]]:
    """Return the ties to each of these sources, of records in whatever state, with the record."""
    found: dict[str, list[tuple[str, _Record]]] = {slug: [] for slug in slugs}
    ties = [
        row
        for batch in batches(slugs)
        for row in select_rows(connection, table(SourceVersion), "other", batch)
    ]
    bodies = sources_by_id(connection, {row["source"] for row in ties})
    taken_back = [slug for slug, body in bodies.items() if body["state"] not in STANDING]
    earlier = _earlier_identifiers(connection, taken_back)
    for row in sorted(ties, key=lambda row: (row["other"], row["source"])):
        body = bodies[row["source"]]
        record = _Record(
            slug=body["id"],
            state=body["state"],
            identifiers=_own_identifiers(body) | earlier.get(body["id"], frozenset()),
            date=announced_on(body),
            note=body["note"] or "",
        )
        found[row["other"]] += [
            (tie["type"], record) for tie in body["versions"] if tie["source"] == row["other"]
        ]
    return found


def _own_identifiers(body: Row) -> frozenset[Identifier]:
    """Return the identifiers of a source, and the one in its address."""
    own = {(each["scheme"], each["value"]) for each in body.get("identifiers", ())}
    address = body.get("url") or ""
    in_address = {
        (scheme, value) for scheme in RESOLVERS for value in identifiers_in(scheme, address)
    }
    return frozenset(own | in_address)


def _earlier_identifiers(
    connection: Connection, slugs: Sequence[str]
) -> dict[str, frozenset[Identifier]]:
    """Return the identifiers that sources had by their revisions; they lost them as they fell."""
    revision = table(Revision)
    found: dict[str, frozenset[Identifier]] = {}
    for batch in batches(slugs):
        names = [f"source/{slug}" for slug in batch]
        statement = select(revision.c.record, revision.c.body).where(is_of_any(names))
        for name, body in connection.execute(statement):
            slug = name.removeprefix("source/")
            found[slug] = found.get(slug, frozenset()) | _own_identifiers(body)
    return found


_OUTCOME_OF_STATE: dict[str, Outcome] = {
    "accepted": "recorded",
    "merged": "recorded",
    "submitted": "waiting",
    "rejected": "refused",
    "withdrawn": "refused",
    "retracted": "refused",
}


def _finding(
    bodies: Mapping[str, Row],
    slug: str,
    notice: Notice,
    recorded: Sequence[tuple[str, _Record]],
    owners: _Owners,
) -> Finding:
    """Return what is known here of a notice about a source."""
    same = [
        record for tie, record in recorded if tie == notice.tie and _is_recorded(notice, record)
    ]
    if same:
        # Of several records the one that stands.
        record = min(same, key=lambda each: list(_OUTCOME_OF_STATE).index(each.state))
        return Finding(slug, notice, _OUTCOME_OF_STATE[record.state], record.slug)
    if _is_marked(bodies[slug], notice):
        return Finding(slug, notice, "recorded")
    for stored, state in (owners[each] for each in notice.identifiers if each in owners):
        # What announces something about one work would, by a tie to another one too, make the two
        # one body of evidence: the notice then gets a second record.
        is_about_another = any(tie["type"] in NOTICE_KINDS for tie in bodies[stored]["versions"])
        if state in STANDING and not is_about_another:
            return Finding(slug, notice, "untied" if state == "accepted" else "waiting", stored)
    return Finding(slug, notice, "new")


def _is_recorded(notice: Notice, record: _Record) -> bool:
    if set(notice.said) & set(record.note.split("\n")):
        return True
    if _is_same(record.identifiers, record.date, notice):
        return True
    # A work is retracted once, whatever identifier and date somebody knows of that; but what was
    # refused was this notice alone.
    is_refused = _OUTCOME_OF_STATE[record.state] == "refused"
    return (
        notice.tie == "retracts"
        and not is_refused
        and not _contradict(record.identifiers, notice.identifiers)
    )


def _is_marked(source: Row, notice: Notice) -> bool:
    """Return whether a source is marked with this notice, though its record is not tied to it."""
    if source["integrity"] != NOTICE_KINDS[notice.tie].integrity:
        return False
    note = source["integrity_note"] or ""
    if notice.tie == "retracts" or any(_names(note, value) for _, value in notice.identifiers):
        return True
    return _is_same((), source["integrity_date"], replace(notice, identifiers=()))


def _names(text: str, identifier: str) -> bool:
    """Return whether a text has an identifier, and not only as a part of a longer one."""
    whole = rf"(?<![0-9A-Za-z]){re.escape(identifier)}(?![0-9A-Za-z])"
    return re.search(whole, text, re.IGNORECASE) is not None


class _TriedOut(Exception):
    """Rolls a change back after its effects were read."""


def effects(database: Database, finding: Finding) -> list[ClaimEffect]:
    """Return the claims that accepting a notice would touch. Nothing is stored."""
    found: list[ClaimEffect] = []
    with suppress(_TriedOut), changes.begin(database, actor=ACTOR) as change:
        found += accept(change, finding)[1]
        raise _TriedOut
    return found


def propose(change: changes.Change, finding: Finding) -> str:
    """Store a new notice as a proposal for review, and return its slug."""
    source = _as_source(change.connection, finding, "submitted")
    changes.put_source(change, source)
    return source.id


def accept(change: changes.Change, finding: Finding) -> tuple[str, list[ClaimEffect]]:
    """Store a new notice as accepted and mark the source that it is about.

    Return the slug of the notice, and the claims that this touched.
    """
    if finding.record is not None:
        body = changes.cached_record(change, SOURCE, finding.record)
        assert body is not None, "what is not tied is stored"
        tie = {"type": finding.notice.tie, "source": finding.source}
        notice = SourceIn.model_validate({**body, "versions": [*body["versions"], tie]})
    else:
        notice = _as_source(change.connection, finding, "accepted")
    changes.put_source(change, notice)
    mark_what_is_announced(change, notice.model_dump())
    touched = sorted(change.touched)
    before = _statuses(change.connection, touched)
    changes.flush(change)
    after = _statuses(change.connection, touched)
    return notice.id, [ClaimEffect(claim, before[claim], after[claim]) for claim in before]


def _statuses(connection: Connection, claims: Sequence[str]) -> dict[str, str]:
    document = table(ClaimDocument)
    columns = select(document.c.claim, document.c.status)
    return {
        claim: status
        for batch in batches(claims)
        for claim, status in connection.execute(columns.where(document.c.claim.in_(batch)))
    }


def _as_source(connection: Connection, finding: Finding, state: str) -> SourceIn:
    """Return the notice as a source: what the registry's record says of it, and what was said."""
    notice = finding.notice
    noun = NOTICE_KINDS[notice.tie].noun
    free, taken = _free_identifiers(connection, notice)
    more = {name: notice.fields[name] for name in TAKEN_OVER if notice.fields.get(name)}
    if taken is not None:
        # An identifier leads to one record, so of a notice about several works the others have its
        # address.
        more["url"] = taken
    own: Row = {
        "id": _free_slug(connection, f"{noun.replace(' ', '-')}-{finding.source}"),
        "identifiers": [
            {"scheme": scheme, "value": value, "verification": "unverified"}
            for scheme, value in free
        ],
        "issued": notice.issued,
        "note": "\n".join(notice.said)[:NOTE_LENGTH],
        "study_design": "not_applicable",
        "versions": [{"type": notice.tie, "source": finding.source}],
        "state": state,
    }
    about = sources_by_id(connection, [finding.source])[finding.source]
    title = f"{noun.capitalize()}: {about['title'] or finding.source}"
    described = {"title": f"[{title[: TITLE_LENGTH - 2]}]", "title_status": "described"}
    return _with_what_fits(described, more, own)


def _with_what_fits(described: Row, more: Row, own: Row) -> SourceIn:
    """Return a source with these fields, without those of `more` that do not fit.

    `described` is its title where there is no other.
    """
    title = {} if "title" in more else described
    try:
        return SourceIn.model_validate({"type": "document", **title, **more, **own})
    except ValidationError as error:
        faulty = {fault["loc"][0] for fault in error.errors() if fault["loc"]} & set(more)
        if not faulty:
            raise invalid_record(error, SourceIn.model_fields) from None
    fitting = {name: value for name, value in more.items() if name not in faulty}
    return _with_what_fits(described, fitting, own)


def _free_identifiers(
    connection: Connection, notice: Notice
) -> tuple[list[Identifier], str | None]:
    """Return the identifiers that no other record has, and an address if another has one."""
    owners = _owners(connection, notice.identifiers)
    free = [each for each in notice.identifiers if each not in owners]
    taken = sorted(each for each in owners if each[0] in RESOLVERS)
    addresses = (address_of(scheme, value) for scheme, value in taken)
    return free, next(addresses, None)


def _free_slug(connection: Connection, stem: str) -> str:
    """Return a slug that no source has, in whatever state."""
    slugs = (numbered_slug(stem, number) for number in count(1))
    return next(slug for slug in slugs if not read_states(connection, [("source", slug)]))
