"""The read model: one stored document a claim, its terms for filtering, and its status periods.

All of it is derived from the tables by `refresh`, in the transaction of the change that altered them. `rebuild` makes
it anew and `differences` proves that it agrees.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import from_json, to_json
from sqlalchemy import BigInteger, CheckConstraint, Connection, Index, LargeBinary, delete, insert, select, update
from sqlmodel import Field

from models import records, search, status, traits, whole
from models import vocabularies as v
from models.base import PartOfClaim, now
from models.claim import Claim, ClaimIn
from models.database.rows import insert_rows, replace_rows
from models.revision import Revision, Serial, hold
from models.vocabulary import within

BATCH = 500


NO_LEVEL = "without"  # Sorts after every level.
ALWAYS = "0001-01-01"  # From when a claim has its topics: they belong to what it says.
LINE_TERMS = (("evidence_level", "level"), ("direction", "direction"))


class ClaimDocument(PartOfClaim, table=True):
    """One claim as it is served: JSON bytes, beside plain columns for filters and sorts.

    `core` is the JSON of `ClaimOut`; each part is a JSON array, so that an answer is a join of bytes.
    """

    __tablename__ = "claim_document"
    __table_args__ = (
        within("kind", v.CLAIM_KINDS),
        within("status", v.STATUSES),
        within("certainty", v.CERTAINTIES),
        Index(None, "status", "claim"),
        Index(None, "kind", "claim"),
        Index(None, "certainty", "claim"),
        Index(None, "status_rank", "claim"),
        Index(None, "certainty_rank", "claim"),
        Index(None, "evidence_level", "claim"),
        Index(None, "evidence_count", "claim"),
        Index(None, "updated", "claim"),
        Index(None, "traits", "claim"),
    )

    kind: str
    status: str
    status_rank: int
    certainty: str | None = None
    certainty_rank: int
    evidence_level: str
    evidence_count: int
    has_conflict: bool
    traits: int = Field(sa_type=BigInteger, description="See `models.traits`.")
    statement: str
    revision: int
    updated: str
    core: bytes = Field(sa_type=LargeBinary)
    occurrences: bytes = Field(sa_type=LargeBinary)
    evidence: bytes = Field(sa_type=LargeBinary)
    sources: bytes = Field(sa_type=LargeBinary)
    relations: bytes = Field(sa_type=LargeBinary)
    assessments: bytes = Field(sa_type=LargeBinary)
    past: bytes = Field(sa_type=LargeBinary, description="What is derived as it was on earlier days; see `core_as_of`.")


class ClaimTerm(PartOfClaim, table=True):
    """A value of a field that a claim has many of (topic, asserted_by, document, evidence_level, direction)."""

    __tablename__ = "claim_term"
    # With the traits at its end, so that a list or a count along a term needs nothing but this index.
    __table_args__ = (Index(None, "field", "value", "claim", "traits"),)

    field: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    since: str = Field(description="First day of evidence time on which the claim has it, YYYY-MM-DD.")
    traits: int = Field(sa_type=BigInteger, description="The claim's, the same as in its document.")


class StatusPeriod(PartOfClaim, table=True):
    """A stretch of evidence time with one status; `ends` is the first day after it."""

    __tablename__ = "status_period"
    __table_args__ = (
        within("status", v.STATUSES),
        within("certainty", v.CERTAINTIES),
        CheckConstraint("ends > starts", name="order"),
        # A list by status as of a day walks it in the order of the claims, and sees in it which period is of that day.
        Index(None, "status", "claim", "starts", "ends"),
    )

    starts: str = Field(primary_key=True)
    ends: str | None = None
    status: str
    rule: str
    certainty: str | None = None


# By what the read model was derived: raised by hand where the same evidence comes to something else, or is stored otherwise.
DERIVATION = "2026-11-26"

# Between these stands in a core what changes with the day of evidence time.
DERIVED_FROM, DERIVED_UNTIL = b',"asserted_by":', b',"revision":'
DAY = len("YYYY-MM-DD")

Rows = dict[str, list[dict[str, Any]]]
DERIVED = (ClaimDocument, ClaimTerm, StatusPeriod)


def refresh(connection: Connection, claims: Iterable[str]) -> None:
    """Derive the documents, terms and periods of these claims anew from the tables, and write what differs."""
    for batch in _batches(sorted(claims)):
        derived = derive(connection, batch)
        for model in DERIVED:
            table = records.table(model)
            replace_rows(connection, table, "claim", batch, derived[table.name])
        search.refresh(connection, "claim", batch, derived)


def store(connection: Connection, derived: Rows) -> None:
    """Store what `derive` gave of claims that have no rows in the read model yet."""
    for model in DERIVED:
        table = records.table(model)
        insert_rows(connection, table, derived[table.name])
    search.store(connection, "claim", [derived])


def rebuild(connection: Connection) -> int:
    """Derive the whole read model anew; return how many claims it holds. No other writer runs meanwhile.

    Where the rules have changed since, a claim whose document comes out differently gets a revision that says so, and
    with it a new tag.
    """
    refined = not is_current(connection)
    serial = first = hold(connection)
    at = now()
    claim, revision, document = records.table(Claim), records.table(Revision), records.table(ClaimDocument)
    accepted = select(claim.c.id).where(claim.c.state == "accepted")
    claims = connection.scalars(accepted.order_by(claim.c.id)).all()
    search.clear(connection)
    for batch in _batches(claims):
        old = {
            row.claim: row.core
            for row in connection.execute(select(document.c.claim, document.c.core).where(document.c.claim.in_(batch)))
        }
        for found in whole.load(connection, batch) if refined else ():
            slug, core = found.claim["id"], to_json(whole.core(found))
            if old.get(slug, core) != core:
                serial += 1
                body = {name: found.claim[name] for name in ClaimIn.model_fields}
                told = {"actor": "rebuild", "at": at, "comment": f"Derived anew, by the rules {DERIVATION}."}
                made = {
                    "record": f"claim/{slug}",
                    "serial": serial,
                    "kind": "claim",
                    "claim": slug,
                    "action": "derive",
                    "state": "accepted",
                    "change": first + 1,
                }
                connection.execute(insert(revision), {**made, **told, "body": body})
                connection.execute(update(claim).where(claim.c.id == slug).values(revision=serial, updated=at))
        refresh(connection, batch)
    search.rebuild(connection)
    for model in DERIVED:
        table = records.table(model)
        connection.execute(delete(table).where(table.c.claim.not_in(accepted)))
    values: dict[str, Any] = {"derivation": DERIVATION}
    if serial > first:
        values["value"] = serial
    connection.execute(update(records.table(Serial)).values(values))
    return len(claims)


def is_current(connection: Connection) -> bool:
    """Say whether the read model was derived by the rules and shapes of this program."""
    return connection.scalar(select(records.table(Serial).c.derivation)) == DERIVATION


def differences(connection: Connection) -> Iterator[str]:
    """Yield one line for each claim whose stored read model does not agree with the tables."""
    rows = records.table(Claim)
    claims = set(connection.scalars(select(rows.c.id).where(rows.c.state == "accepted")))
    for model in DERIVED:
        table = records.table(model)
        stray = set(connection.scalars(select(table.c.claim).distinct())) - claims
        yield from (f"{table.name} has rows of {claim}, which is not an accepted claim" for claim in sorted(stray))
    yield from search.strays(connection, "claim", claims)
    yield from search.differences(connection)
    for batch in _batches(sorted(claims)):
        derived = derive(connection, batch)
        for model in DERIVED:
            table = records.table(model)
            stored = whole.by_claim(whole.claim_rows(connection, model, batch))
            wanted = whole.by_claim(derived[table.name])
            for claim in batch:
                if _comparable(stored[claim]) != _comparable(wanted[claim]):
                    yield f"{table.name} of {claim} does not agree with the tables; run claimbase rebuild"
        yield from search.claim_differences(connection, batch, derived)


def derive(connection: Connection, claims: Sequence[str]) -> Rows:
    """Return the rows of the read model for these claims, by table, without writing them."""
    return derive_from(whole.load(connection, claims))


def derive_from(claims: Iterable[whole.Whole]) -> Rows:
    """Return the rows of the read model for those of these claims that are accepted."""
    rows: Rows = {records.table(model).name: [] for model in (*DERIVED, *search.OF_CLAIMS)}
    for claim in claims:
        if claim.claim["state"] == "accepted":
            _derive_one(rows, claim)
    return rows


def _derive_one(rows: Rows, claim: whole.Whole) -> None:
    served = whole.parts(claim)
    course = list(whole.course(claim))
    members = [to_json(standing.members)[1:-1] for standing in course]
    now = course[-1].members
    slug = claim.claim["id"]
    evidence = [row for row in served["evidence"] if row["integrity"] != "retracted"]
    stated = [(row, claim.sources[row["source"]]["published"]) for row in claim.occurrences]
    terms = [
        *(("topic", topic, ALWAYS) for topic in claim.claim["topics"]),
        *(("asserted_by", who, day) for row, day in stated for who in row["asserted_by"]),
        *(("document", row["source"], day) for row, day in stated),
        *((field, row[name], row["published"]) for row in evidence for field, name in LINE_TERMS),
    ]
    first: dict[tuple[str, str], str] = {}
    for field, value, day in terms:
        first[field, value] = min(day, first.get((field, value), day))
    single = {"status": now["status"], "kind": claim.claim["kind"], "certainty": now["certainty"]}
    own = traits.of([*first, *((field, term) for field, term in single.items() if term is not None)])
    rows["claim_document"].append(
        {
            "claim": slug,
            "kind": claim.claim["kind"],
            "status": now["status"],
            "status_rank": v.STATUSES.rank(now["status"]),
            "certainty": now["certainty"],
            "certainty_rank": -1 if now["certainty"] is None else v.CERTAINTIES.rank(now["certainty"]),
            "evidence_level": now["evidence_level"] or NO_LEVEL,
            "evidence_count": now["counts"]["evidence"],
            "has_conflict": now["has_conflict"],
            "traits": own,
            "statement": claim.claim["statement"],
            "revision": claim.claim["revision"],
            "updated": claim.claim["updated"],
            "core": b",".join((to_json(whole.head(claim))[:-1], members[-1], to_json(whole.foot(claim))[1:])),
            **{part: to_json(served[part]) for part in whole.PARTS},
            "past": _past([standing.day for standing in course], members),
        }
    )
    rows["claim_term"] += [
        {"claim": slug, "field": field, "value": value, "since": day, "traits": own}
        for (field, value), day in sorted(first.items())
    ]
    periods = status.runs((standing.day, standing.judged) for standing in course)
    rows["status_period"] += [{"claim": slug, **vars(run)} for run in periods]
    for name, found in search.claim_rows(slug, claim.claim["statement"], served).items():
        rows[name] += found


def _past(days: Sequence[str], members: Sequence[bytes]) -> bytes:
    """Return the stored past: a line for each day from which something else is derived, the newest first.

    The day, then the derived members as they stand in the core. The first line is of the last day on which anything of the
    claim changes and has nothing else, since the core is as it was then. JSON has no raw line feed, so each line is one.
    """
    last = len(days) - 1
    changed = [place for place in range(last) if place == 0 or members[place - 1] != members[place]]
    return b"\n".join([days[last].encode(), *(days[place].encode() + members[place] for place in reversed(changed))])


def core_as_of(core: bytes, past: bytes, day: str) -> bytes:
    """Return a stored core as it was with what had been published by a day, from the claim's first one on.

    What is derived is cut out and put in by its borders: inside a text of JSON no quotation mark stands without a
    backslash, so they occur but once.
    """
    asked = day.encode()
    for line in past.split(b"\n"):
        if line[:DAY] <= asked:
            if len(line) == DAY:
                return core
            return core[: core.index(DERIVED_FROM) + 1] + line[DAY:] + core[core.rindex(DERIVED_UNTIL) :]
    raise ValueError(f"The claim was not stated by {day}.")


def parts_as_of(
    connection: Connection, found: Sequence[Mapping[str, Any]], parts: Sequence[str], day: str
) -> list[list[bytes]]:
    """Return these parts of these documents as they were with what had been published by a day; the rows have `past` and all parts."""
    made: list[list[bytes]] = []
    for row in found:
        if row["past"][:DAY] <= day.encode() and not ("relations" in parts and row["relations"] != b"[]"):
            made.append([row[part] for part in parts])
            continue
        stored = {part: from_json(row[part]) for part in whole.PARTS}
        targets = whole.first_days(connection, {tie["target"] for tie in stored["relations"]})
        served = whole.parts(whole.as_of(whole.from_stored(from_json(row["core"]), stored, targets), day))
        made.append([to_json(served[part]) for part in parts])
    return made


def _comparable(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in rows)


def _batches(claims: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(claims), BATCH):
        yield claims[start : start + BATCH]
