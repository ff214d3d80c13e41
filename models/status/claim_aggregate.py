"""A claim with everything that hangs on it, and what follows from it: as it is, or as it was published by a day."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from typing import Literal

from sqlmodel import Field

from models.core import vocabularies as v
from models.core.errors import NotFound
from models.core.types import Strict, last_day_of
from models.records import serializers
from models.records.assessment import AssessmentOut
from models.records.claim import ClaimIn, OccurrenceOut, with_id
from models.records.evidence import EvidenceOut
from models.records.relation import RelationOut
from models.records.serializers import Row
from models.records.source import SourceOut
from models.status import body_of_evidence, periods, rules


class Counts(Strict):
    """How many records hang on a claim; lines of retracted sources are not counted, but told in `notices`.

    Groups are independent groups among the counted lines.
    """

    occurrences: int
    evidence: int
    supports: int
    disputes: int
    inconclusive: int
    groups_supporting: int
    groups_disputing: int
    sources: int


class Notices(Strict):
    """How many lines of the claim's evidence rest on a source about which something was announced."""

    retracted: int
    concern: int
    corrected: int


class ClaimOut(ClaimIn):
    """A claim as a list gives it: the claim and its derived status."""

    asserted_by: list[str] = Field(description="Slugs of all who assert it, from its occurrences.")
    status: v.Status
    status_rule: str = Field(
        description="Name of the rule that decided; see the vocabulary status-rules."
    )
    status_since: str = Field(
        description="First day of evidence time with this status, YYYY-MM-DD."
    )
    certainty: v.Certainty | None = Field(
        description="GRADE's word for the conclusion; null where it does not apply."
    )
    certainty_basis: Literal["derived"] = Field(
        default="derived",
        description="Always 'derived': by rule from the recorded evidence, not a panel's judgement.",
    )
    evidence_level: v.EvidenceLevel | None = Field(
        description="Best level among the counted lines, as graded."
    )
    evidence_until: str | None = Field(
        description="Publication day of the newest accepted line that is dated: the status is as of then."
    )
    has_conflict: bool = Field(description="True where counted lines stand on both sides.")
    searched_found_none: bool = Field(
        description="True where nothing takes a side and somebody searched and found none."
    )
    counts: Counts
    notices: Notices
    revision: int = Field(
        description="Serial of the last change to anything in this document; also its ETag."
    )
    created: str
    updated: str


class ClaimWhole(ClaimOut):
    """A claim with all its parts."""

    occurrences: list[OccurrenceOut]
    evidence: list[EvidenceOut] = Field(
        description="Accepted lines on the claim itself; those on a relation stand there."
    )
    sources: list[SourceOut] = Field(description="Every source that the other parts name.")
    relations: list[RelationOut] = Field(description="Ties that start from this claim.")
    assessments: list[AssessmentOut]


NOTICES = tuple(Notices.model_fields)
PARTS = ("occurrences", "evidence", "sources", "relations", "assessments")


@dataclass(frozen=True)
class Whole:
    """A claim (with its topics) and the accepted rows that hang on it; evidence in every state, since it is explained."""

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
        """Return the day of the earliest occurrence, or the day of recording where none is known."""
        if self.first_stated is not None:
            return self.first_stated
        days = (self.sources[row["source"]]["published"] for row in self.occurrences)
        return min(days, default=str(self.claim["created"])[:10])

    @property
    def exists_from(self) -> str:
        """Return the first day of evidence time on which there is such a claim."""
        return periods.first_day(self.lines, self.stated)


def from_stored(core: Row, stored: Mapping[str, list[Row]], targets: dict[str, str]) -> Whole:
    """Return a claim whole from its document, whose parts have all that hangs on it and is accepted."""
    on_ties = [line for tie in stored["relations"] for line in tie["evidence"]]
    return Whole(
        core,
        stored["occurrences"],
        [*stored["evidence"], *on_ties],
        stored["relations"],
        stored["assessments"],
        {source["id"]: source for source in stored["sources"]},
        targets,
    )


def must_exist(whole: Whole, day: str) -> None:
    """Raise `NotFound` where the claim was not stated by a day."""
    if day < whole.exists_from:
        detail = f"'{whole.claim['id']}' was not stated by {day}; it was first stated on {whole.exists_from}."
        raise NotFound(detail, code="not_yet_stated")


def as_of(whole: Whole, day: str) -> Whole:
    """Return what had been published by a day (YYYY-MM-DD); raises `NotFound` where the claim was not stated by then."""
    must_exist(whole, day)
    return replace(
        whole,
        first_stated=whole.stated,
        occurrences=[
            row for row in whole.occurrences if whole.sources[row["source"]]["published"] <= day
        ],
        evidence=[_then(row, day) for row in whole.evidence if row["published"] <= day],
        relations=[row for row in whole.relations if whole.targets.get(row["target"], day) <= day],
        assessments=[row for row in whole.assessments if last_day_of(row["assessed"]) <= day],
    )


def _then(line: Row, day: str) -> Row:
    """Return a line as it stood on a day: what was announced about its source later was not known."""
    announced = line["integrity_date"]
    known = announced is None or last_day_of(announced) <= day
    return line if known else {**line, "integrity": "no_notice", "integrity_date": None}


def parts(whole: Whole) -> dict[str, list[Row]]:
    """Return the parts as they are served: only accepted evidence, relations with what the evidence on them amounts to."""
    accepted = [row for row in whole.evidence if row["state"] == "accepted"]
    newest = max((line.published for line in whole.decision.counted), default="")
    served: dict[str, list[Row]] = {
        "occurrences": [with_id(row) for row in whole.occurrences],
        "evidence": [row for row in accepted if row["relation_type"] is None],
        "relations": [_relation(row, accepted) for row in whole.relations],
        "assessments": [
            {**with_id(row), "outdated": newest > last_day_of(row["assessed"])}
            for row in whole.assessments
        ],
    }
    rows = [*served["occurrences"], *accepted, *served["assessments"]]
    named = {row["source"] for row in rows} - {None}
    return {**served, "sources": [whole.sources[source] for source in sorted(named)]}


def _relation(relation: Row, accepted: Iterable[Row]) -> Row:
    """Return a tie with the evidence that bears on it as a tie, and what that amounts to by the same rules."""
    tie = (relation["type"], relation["target"])
    rows = [row for row in accepted if (row["relation_type"], row["relation_target"]) == tie]
    decision = rules.decide("mechanism", [line_of(row) for row in rows])
    found = {
        "status": decision.status,
        "status_rule": decision.rule,
        "certainty": decision.certainty,
    }
    return {**relation, **found, "evidence": rows}


def core(whole: Whole) -> ClaimOut:
    """Return the claim with its derived status."""
    *_, present = course(whole)
    found = present.members
    # Not validated again: it is made of records that were, by rules of ours.
    counted = {"counts": Counts(**found["counts"]), "notices": Notices(**found["notices"])}
    return ClaimOut.model_construct(**{**head(whole), **found, **counted, **foot(whole)})


def head(whole: Whole) -> Row:
    """Return what stands in the core before all that is derived."""
    return {name: whole.claim[name] for name in serializers.names_of(ClaimIn)}


def foot(whole: Whole) -> Row:
    """Return what stands in the core after all that is derived."""
    return {name: whole.claim[name] for name in ("revision", "created", "updated")}


@dataclass(slots=True)
class Standing:
    """What follows from all that had been published by a day: the rule that holds, and the derived members of the core."""

    day: str
    judged: rules.Judgement
    members: Row


def course(whole: Whole) -> Iterator[Standing]:
    """Yield how the claim stands on each day of evidence time on which anything of it changes, the first and the last too.

    One pass over what hangs on the claim, however many days there are. The last one is the present.
    """
    stated = [
        (whole.sources[row["source"]]["published"], row["source"], row["asserted_by"])
        for row in whole.occurrences
    ]
    assessed = [(last_day_of(row["assessed"]), row["source"]) for row in whole.assessments]
    accepted = sorted(
        (row for row in whole.evidence if row["state"] == "accepted"), key=itemgetter("published")
    )
    noticed = [last_day_of(row["integrity_date"]) for row in accepted if row["integrity_date"]]
    first = whole.exists_from
    turns = {
        *(row["published"] for row in accepted),
        *noticed,
        *(part[0] for part in (*stated, *assessed)),
    }
    days = sorted({first, *(day for day in turns if day > first)})
    coming = deque(accepted)
    rows: list[Row] = []
    since, last = first, None
    for day, tally in periods.tallies_by_day(whole.claim["kind"], whole.lines, days):
        while coming and coming[0]["published"] <= day:
            rows.append(coming.popleft())
        told = [part for part in stated if part[0] <= day]
        seen = [_then(row, day) for row in rows if row["relation_type"] is None]
        standing = [row for row in seen if row["integrity"] != "retracted"]
        directions = [row["direction"] for row in standing]
        announced = [row["integrity"] for row in seen]
        judged = tally.judged
        supporting, disputing = (len(tally.sides[side]) for side in ("supports", "disputes"))
        if judged.rule.status != last:
            since, last = day, judged.rule.status
        named = {row["source"] for row in rows}
        named |= {source for _, source, _ in told}
        named |= {source for at, source in assessed if at <= day and source}
        members = {
            "asserted_by": sorted({who for _, _, each in told for who in each}),
            "status": judged.rule.status,
            "status_rule": judged.rule.name,
            "status_since": since,
            "certainty": judged.certainty,
            "certainty_basis": "derived",
            "evidence_level": min([line.level for line in tally.counted], default=None),
            "evidence_until": max(
                [row["published"] for row in standing if row["year"]], default=None
            ),
            "has_conflict": bool(supporting and disputing),
            "searched_found_none": tally.searched_found_none,
            "counts": {
                "occurrences": len(told),
                "evidence": len(standing),
                **{direction: directions.count(direction) for direction in v.DIRECTIONS.ids},
                "groups_supporting": supporting,
                "groups_disputing": disputing,
                "sources": len(named),
            },
            "notices": {name: announced.count(name) for name in NOTICES},
        }
        yield Standing(day, judged, members)


def line_of(row: Row) -> body_of_evidence.Line:
    """Reduce a line of evidence to what the status rules look at."""
    return body_of_evidence.Line(
        key=row["key"],
        direction=row["direction"],
        level=row["level"],
        group=row["independence_group"],
        published=row["published"],
        directness=row["directness"],
        state=row["state"],
        retracted=row["integrity"] == "retracted",
        retracted_on=last_day_of(row["integrity_date"])
        if row["integrity"] == "retracted" and row["integrity_date"]
        else None,
        searched_found_none=row["searched_found_none"],
    )
