"""A claim with its parts and what follows from them, today or as of a day."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Literal, NamedTuple

from pydantic import Field

from models.core import vocabularies as v
from models.core.dates import Timestamp, WholeDate, last_day_of
from models.core.errors import NotFound
from models.core.notice import WITH_OWN
from models.core.schema_names import DEPRECATED
from models.core.types import Shape, Strict
from models.records import serializers
from models.records.assessment import AssessmentOut
from models.records.claim import ClaimIn, OccurrenceOut, RoleOfTopic, with_id
from models.records.elsewhere import ExternalId, compared
from models.records.evidence import EvidenceOut
from models.records.relation import RelationOut
from models.records.serializers import Row
from models.records.source import SourceOut
from models.status import body_of_evidence, periods, rules


class Counts(Shape, frozen=True, extra="forbid"):
    """How many records hang on a claim; lines of retracted sources are not counted, but told in
    `notices`.

    Groups are independent bodies of evidence among the counted lines, each on one side, with the
    studies that a review sums up and that are not recorded.
    """

    occurrences: int
    evidence: int
    supports: int
    disputes: int
    inconclusive: int
    groups_supporting: int
    groups_disputing: int
    sources: int


class Notices(Shape, frozen=True, extra="forbid"):
    """How many lines of evidence rest on a source about which something was announced."""

    retracted: int
    concern: int
    corrected: int


class Derived(Shape, frozen=True, extra="forbid"):
    """All that follows from a claim's evidence on a day; `derived_on` computes it.

    A field that is declared here is stored for each day on which it changes, and served in this
    place.
    """

    asserted_by: list[str] = Field(description="Slugs of all who assert it, from its occurrences.")
    status: v.Status
    status_rule: str = Field(
        description="Name of the rule that decided; see the vocabulary status-rules."
    )
    status_since: WholeDate = Field(
        description="First day of evidence time with this status, YYYY-MM-DD."
    )
    status_since_inferred: bool = Field(
        description="True where that day hangs on a source that is undated, or whose date is a "
        "curator's inference."
    )
    certainty: v.Certainty | None = Field(
        description="GRADE's word for the conclusion; null where it does not apply."
    )
    certainty_basis: Literal["derived"] = Field(
        default="derived",
        description="Always 'derived': by rule from the recorded evidence,"
        " not a panel's judgement.",
    )
    best_level: v.EvidenceLevel | None = Field(
        description="Best level among the counted lines, as graded; null where no line counts."
    )
    evidence_level: v.EvidenceLevel | None = Field(
        description="The same as `best_level`, which is to be read instead: the filter"
        " `evidence_level` means any line of a level.",
        json_schema_extra=DEPRECATED,
    )
    evidence_until: WholeDate | None = Field(
        description="Publication day of the newest accepted line that is dated:"
        " the status is as of then."
    )
    has_conflict: bool = Field(description="True where counted lines stand on both sides.")
    leaning: v.Leaning = Field(
        description="On which sides counted lines stand, however strong they are."
    )
    searched_found_none: bool = Field(
        description="True where nothing takes a side and somebody searched and found none."
    )
    unassessed_because: v.UnassessedReason | None = Field(
        description="What is there of a claim on which nothing takes a side; null where something "
        "does."
    )
    counts: Counts
    notices: Notices


class ClaimStamps(Shape):
    """When a claim was last changed, and by which change."""

    revision: int = Field(
        description="Serial of the last change to anything in this document; also its ETag."
    )
    created: Timestamp
    updated: Timestamp


# Pydantic takes the fields of the last base first.
class ClaimOut(ClaimStamps, Derived, ClaimIn):
    """A claim as a list gives it: the claim and its derived status."""


class ClaimWhole(ClaimOut):
    """A claim with all its parts."""

    notice: str = Field(description=WITH_OWN)
    occurrences: list[OccurrenceOut]
    evidence: list[EvidenceOut] = Field(
        description="Accepted lines on the claim itself; those on a relation stand there."
    )
    sources: list[SourceOut] = Field(description="Every source that the other parts name.")
    relations: list[RelationOut] = Field(description="Ties that start from this claim.")
    assessments: list[AssessmentOut]


# By whether anything supports a claim, and whether anything disputes it.
LEANINGS = {
    (True, False): "for",
    (False, True): "against",
    (True, True): "both",
    (False, False): "none",
}
NOTICES = tuple(Notices.model_fields)
PARTS = ("occurrences", "evidence", "sources", "relations", "assessments")


@dataclass(frozen=True)
class ClaimAggregate:
    """A claim (with its topics) and the accepted rows that hang on it; evidence in every state,
    since it is explained.
    """

    claim: Row
    occurrences: list[Row]
    evidence: list[Row]
    relations: list[Row]
    assessments: list[Row]
    sources: dict[str, Row]
    # From when each claim that a relation points to exists in evidence time.
    targets: dict[str, str]
    # Of what is left of a claim by a day: when all of it was first stated.
    first_stated: str | None = None

    @cached_property
    def lines(self) -> list[body_of_evidence.Line]:
        """Return the lines on the claim itself, as the rules see them."""
        return [line_of(row) for row in self.evidence if row["relation_type"] is None]

    @cached_property
    def decision(self) -> rules.Decision:
        """Return what the evidence amounts to."""
        return rules.decide(self.claim["kind"], self.lines)

    @property
    def stated(self) -> str:
        """Return the day of the earliest occurrence, or of the recording if none is known."""
        if self.first_stated is not None:
            return self.first_stated
        days = (self.sources[row["source"]]["published"] for row in self.occurrences)
        return min(days, default=str(self.claim["created"])[:10])

    @property
    def exists_from(self) -> str:
        """Return the first day of evidence time on which there is such a claim."""
        return periods.first_day(self.lines, self.stated)


def from_stored_parts(
    claim: Row, stored: Mapping[str, list[Row]], targets: dict[str, str]
) -> ClaimAggregate:
    """Return a claim from its fields, its stamps and its stored parts, which are all accepted."""
    on_ties = [line for tie in stored["relations"] for line in tie["evidence"]]
    return ClaimAggregate(
        claim,
        stored["occurrences"],
        [*stored["evidence"], *on_ties],
        stored["relations"],
        stored["assessments"],
        {source["id"]: source for source in stored["sources"]},
        targets,
    )


def require_stated_by(aggregate: ClaimAggregate, day: str) -> None:
    """Raise `NotFound` where the claim was not stated by a day."""
    if day < aggregate.exists_from:
        detail = (
            f"'{aggregate.claim['id']}' was not stated by {day};"
            f" it was first stated on {aggregate.exists_from}."
        )
        raise NotFound(detail, code="not_yet_stated")


def as_of(aggregate: ClaimAggregate, day: str) -> ClaimAggregate:
    """Return the claim as published by a day, YYYY-MM-DD. Raises `NotFound` if not stated then."""
    require_stated_by(aggregate, day)
    return replace(
        aggregate,
        first_stated=aggregate.stated,
        occurrences=[
            row
            for row in aggregate.occurrences
            if aggregate.sources[row["source"]]["published"] <= day
        ],
        evidence=[_then(row, day) for row in aggregate.evidence if row["published"] <= day],
        relations=[
            row for row in aggregate.relations if aggregate.targets.get(row["target"], day) <= day
        ],
        assessments=[row for row in aggregate.assessments if last_day_of(row["assessed"]) <= day],
    )


def _then(line: Row, day: str) -> Row:
    """Return a line as it stood on a day, before what was announced about its source later."""
    if line["integrity_date"] is None and not line["pooled"]:
        return line
    line = {**line, "pooled": [_before_notice(study, day) for study in line["pooled"]]}
    return _before_notice(line, day)


def _before_notice(source: Row, day: str) -> Row:
    """Return what is said of a source, without a notice that came later."""
    announced = source["integrity_date"]
    known = announced is None or last_day_of(announced) <= day
    return source if known else {**source, "integrity": "no_notice", "integrity_date": None}


def parts(aggregate: ClaimAggregate) -> dict[str, list[Row]]:
    """Return the parts as served, with accepted evidence only and the status of each relation."""
    accepted = [row for row in aggregate.evidence if row["state"] == "accepted"]
    served: dict[str, list[Row]] = {
        "occurrences": [with_id(row) for row in aggregate.occurrences],
        "evidence": [row for row in accepted if row["relation_type"] is None],
        "relations": [_relation(row, accepted) for row in aggregate.relations],
        "assessments": _assessments(aggregate),
    }
    rows = [*served["occurrences"], *accepted, *served["assessments"]]
    named = named_sources(rows)
    return {**served, "sources": [aggregate.sources[source] for source in sorted(named)]}


def _assessments(aggregate: ClaimAggregate) -> list[Row]:
    """Return the assessments as served, each beside what follows from the evidence."""
    if not aggregate.assessments:
        # Most claims have none, and the decision takes long.
        return []
    newest = max((line.published for line in aggregate.decision.counted), default="")
    ours = {"certainties": aggregate.decision.certainty}
    return [
        {
            **with_id(row),
            "ratings_compared": compared(row["ratings"], ours),
            "outdated": newest > last_day_of(row["assessed"]),
        }
        for row in aggregate.assessments
    ]


def named_sources(rows: Iterable[Row]) -> set[str]:
    """Return the sources that these parts of a claim name."""
    named: set[str] = set()
    for row in rows:
        named.update((row["source"], *row.get("pools", ())))
    return named - {None}


def _relation(relation: Row, accepted: Iterable[Row]) -> Row:
    """Return a relation with the evidence on it, and its status by the same rules."""
    tie = (relation["type"], relation["target"])
    rows = [row for row in accepted if (row["relation_type"], row["relation_target"]) == tie]
    decision = rules.decide("mechanism", [line_of(row) for row in rows])
    found = {
        "status": decision.status,
        "status_rule": decision.rule,
        "certainty": decision.certainty,
    }
    return {**relation, **found, "evidence": rows}


# The fields of a claim that are lists of objects.
NESTED_MODELS: Mapping[str, type[Strict]] = {"external_ids": ExternalId, "topic_roles": RoleOfTopic}


def core(aggregate: ClaimAggregate) -> ClaimOut:
    """Return the claim with its derived status."""
    *_, (_, present) = derived_by_day(aggregate)
    # It is not validated again: all of it comes from valid records.
    told = {**fields(aggregate), **dict(present), **stamps(aggregate)}
    for name, model in NESTED_MODELS.items():
        told[name] = [model.model_construct(**each) for each in told[name]]
    return ClaimOut.model_construct(**told)


def fields(aggregate: ClaimAggregate) -> Row:
    """Return the claim's own fields, which are the same on every day."""
    return {name: aggregate.claim[name] for name in serializers.names_of(ClaimIn)}


def stamps(aggregate: ClaimAggregate) -> Row:
    """Return the stamps of the last change, which are the same on every day."""
    return {name: aggregate.claim[name] for name in ClaimStamps.model_fields}


class Since(NamedTuple):
    """The first day of a status, and whether it hangs on a date that is inferred."""

    day: str
    inferred: bool


@dataclass(slots=True)
class _Published:
    """What had been published of a claim by a day: it grows from day to day."""

    occurrences: list[Row] = field(default_factory=list)
    evidence: list[Row] = field(default_factory=list)
    assessments: list[Row] = field(default_factory=list)

    def sources(self) -> set[str]:
        """Return the sources that any of it names."""
        return named_sources(chain(self.occurrences, self.evidence, self.assessments))


def derived_by_day(aggregate: ClaimAggregate) -> Iterator[tuple[str, Derived]]:
    """Yield each day of evidence time on which anything of the claim changes, with what follows
    from its evidence then.

    The first day is that of `exists_from`, and the last value is the present. One pass over the
    parts is enough, however many days there are.
    """
    changes = _changes(aggregate)
    first = aggregate.exists_from
    days = sorted({first, *(day for day in changes if day > first)})
    published = _Published()
    coming = deque(sorted(changes.items(), key=itemgetter(0)))
    since = Since(first, inferred=False)
    status_before = None
    for day, tally in periods.tallies_by_day(aggregate.claim["kind"], aggregate.lines, days):
        while coming and coming[0][0] <= day:
            _, new = coming.popleft()
            published.occurrences += new.occurrences
            published.evidence += new.evidence
            published.assessments += new.assessments
        if tally.judged.rule.status != status_before:
            status_before = tally.judged.rule.status
            since = Since(day, inferred=_hangs_on_inferred(aggregate, day, status_before))
        yield day, derived_on(day, since, tally, published)


def _hangs_on_inferred(aggregate: ClaimAggregate, day: str, status: str) -> bool:
    """Return whether a status would not begin on a day without the lines whose date is inferred."""
    dated = [line for line in aggregate.lines if not (line.inferred and line.published == day)]
    if len(dated) == len(aggregate.lines):
        return False
    return rules.decide(aggregate.claim["kind"], dated, day).status != status


def _changes(aggregate: ClaimAggregate) -> dict[str, _Published]:
    """Return what becomes public on each day of a change; for a notice, that is nothing."""
    changes: defaultdict[str, _Published] = defaultdict(_Published)
    for row in aggregate.occurrences:
        changes[aggregate.sources[row["source"]]["published"]].occurrences.append(row)
    for row in aggregate.assessments:
        changes[last_day_of(row["assessed"])].assessments.append(row)
    for row in aggregate.evidence:
        if row["state"] == "accepted":
            changes[row["published"]].evidence.append(row)
            for source in (row, *row["pooled"]):
                if source["integrity_date"]:
                    changes.setdefault(last_day_of(source["integrity_date"]), _Published())
    return changes


def derived_on(day: str, since: Since, tally: rules.Tally, published: _Published) -> Derived:
    """Return what follows on a day from what had been published by then; nothing is derived
    elsewhere.

    Args: `since` is the first day of the present run of its status, `tally` holds the lines that
    count.
    """
    announced = [_then(row, day) for row in published.evidence if row["relation_type"] is None]
    standing = [row for row in announced if row["integrity"] != "retracted"]
    directions = [row["direction"] for row in standing]
    notices = [row["integrity"] for row in announced]
    case = tally.case
    supporting, disputing = case.support.count(), case.against.count()
    judged = tally.judged
    best_level = min((line.level for line in tally.counted), default=None)
    counts = Counts(
        occurrences=len(published.occurrences),
        evidence=len(standing),
        supports=directions.count("supports"),
        disputes=directions.count("disputes"),
        inconclusive=directions.count("inconclusive"),
        groups_supporting=supporting,
        groups_disputing=disputing,
        sources=len(published.sources()),
    )
    return Derived(
        asserted_by=sorted(
            set(chain.from_iterable(row["asserted_by"] for row in published.occurrences))
        ),
        status=judged.rule.status,
        status_rule=judged.rule.name,
        status_since=since.day,
        status_since_inferred=since.inferred,
        certainty=judged.certainty,
        best_level=best_level,
        evidence_level=best_level,
        evidence_until=max((row["published"] for row in standing if row["year"]), default=None),
        has_conflict=bool(supporting and disputing),
        leaning=LEANINGS[bool(supporting), bool(disputing)],
        searched_found_none=tally.searched_found_none,
        unassessed_because=None if supporting or disputing else tally.unassessed_because,
        counts=counts,
        notices=Notices(**{name: notices.count(name) for name in NOTICES}),
    )


def _announced(source: Row, notice: str) -> str | None:
    """Return since when a notice of this sort stands about a source, None if that is not known."""
    if source["integrity"] != notice or source["integrity_date"] is None:
        return None
    return last_day_of(source["integrity_date"])


def line_of(row: Row) -> body_of_evidence.Line:
    """Reduce a line of evidence to what the status rules look at."""
    return body_of_evidence.Line(
        key=row["key"],
        direction=row["direction"],
        level=row["level"],
        work=row["work"],
        group=row["independence_group"],
        published=row["published"],
        question=row["question"],
        directness=row["directness"],
        graded_down=tuple(row["graded_down"]),
        graded_up=tuple(row["graded_up"]),
        pools=tuple(
            body_of_evidence.PooledWork(
                study["work"],
                retracted=study["integrity"] == "retracted",
                retracted_on=_announced(study, "retracted"),
            )
            for study in row["pooled"]
        ),
        studies=row["studies"],
        state=row["state"],
        retracted=row["integrity"] == "retracted",
        retracted_on=_announced(row, "retracted"),
        concern=row["integrity"] == "concern",
        concern_on=_announced(row, "concern"),
        inferred=row["date_inferred"],
        searched_found_none=row["searched_found_none"],
    )
