"""Why a claim has its status, how it came about over the years, and what changed between two days.

Every word comes from data: the rule's sentence, the reasons of the certainty, the parts of the
lines.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlmodel import Field

from models.core import vocabularies as v
from models.core.types import Slug, Strict
from models.core.vocabulary import Term, Vocabulary
from models.records.revision import PUBLIC_STATES
from models.records.serializers import Row
from models.status import periods as periods_module
from models.status import rules
from models.status.body_of_evidence import Line
from models.status.claim_aggregate import ClaimAggregate, require_stated_by
from models.status.rules import Decision, decide

PARTS = Vocabulary(
    "explanation-parts",
    "Parts of a line in a status",
    "What a line of evidence did for the status, or why it was left out.",
    (
        Term("decisive", "decisive", "Counted, and the rule rests on it."),
        Term("counted", "counted", "Counted; the rule does not rest on it."),
        Term(
            "same_group",
            "same group",
            "Its independence group counts once a direction, by a line of better rank.",
        ),
        *(
            Term(name, name.replace("_", " "), sentence)
            for name, sentence in rules.EXCLUSION_REASONS.items()
        ),
    ),
)


class EvidenceBrief(Strict):
    """A line of evidence in short."""

    id: str
    source: str
    citation: str
    direction: v.Direction
    level: v.EvidenceLevel
    rank: int = Field(
        description="Its level, 1 to 5, or 6 where not gradable; one lower where indirect."
    )
    directness: v.Directness
    study_design: v.StudyDesign
    year: int | None = Field(
        description="Null where the source is undated; it then counts from the day it was recorded."
    )
    published: str
    independence_group: Slug


class ExplainedLine(EvidenceBrief):
    """A line with what it did for the status."""

    part: str = Field(description="A term of the vocabulary explanation-parts.")


class GroupCount(Strict):
    """The independent groups that speak for one side at one rank."""

    direction: v.Direction
    rank: int
    count: int
    groups: list[str]


class CriticalGroup(Strict):
    """A group whose removal alone would change the status."""

    independence_group: str
    lines: list[str]
    status: v.Status
    status_rule: str


class Explanation(Strict):
    """The rule that decided, and what every line did."""

    claim: str
    statement: str
    as_of: str | None = Field(
        description="Evidence time asked about; null means everything recorded."
    )
    status: v.Status
    status_rule: str
    sentence: str = Field(description="The rule in one sentence.")
    certainty: v.Certainty | None
    certainty_reasons: list[str]
    searched_found_none: bool
    groups: list[GroupCount] = Field(
        description="Independent groups among the counted lines, at their best rank."
    )
    lines: list[ExplainedLine]
    critical_groups: list[CriticalGroup] = Field(
        description="Groups whose removal alone would change the status."
    )


class TimelinePeriod(Strict):
    """A stretch of evidence time, and the evidence that began it."""

    status: v.Status
    status_rule: str
    sentence: str
    certainty: v.Certainty | None
    starts: str
    ends: str | None = Field(description="First day after it; null where it lasts.")
    new: list[EvidenceBrief] = Field(
        description="Lines that count from its first day on and made the change."
    )
    during: list[EvidenceBrief] = Field(
        description="Lines that came later in the period and changed nothing."
    )
    rests_on: list[EvidenceBrief] = Field(description="Lines on which its rule rests on that day.")


class Timeline(Strict):
    """How a claim's status ran over evidence time."""

    claim: str
    statement: str
    periods: list[TimelinePeriod]


class Moment(Strict):
    """A claim's status on a day; null where it was not stated by then."""

    as_of: str
    status: v.Status | None
    status_rule: str | None
    certainty: v.Certainty | None


class Difference(Strict):
    """What changed between two days, and why."""

    claim: str
    statement: str
    before: Moment
    after: Moment
    changed: bool = Field(description="Whether status or certainty differ.")
    added: list[ExplainedLine] = Field(
        description="Lines published after the first day and by the second."
    )
    because: list[EvidenceBrief] = Field(description="Lines on which the later status rests.")
    periods: list[TimelinePeriod] = Field(
        description="Periods that began after the first day and by the second."
    )


def explain(aggregate: ClaimAggregate, day: str | None) -> Explanation:
    """Explain the status with what was published by a day (YYYY-MM-DD), or with everything.

    Raises `NotFound` where the claim was not stated by that day.
    """
    if day is not None:
        require_stated_by(aggregate, day)
    rows = {
        row["key"]: row
        for row in aggregate.evidence
        if row["relation_type"] is None and row["state"] in PUBLIC_STATES
    }
    lines = [line for line in aggregate.lines if line.key in rows]
    kind = aggregate.claim["kind"]
    decision = decide(kind, lines, day)
    return Explanation(
        claim=aggregate.claim["id"],
        statement=aggregate.claim["statement"],
        as_of=day,
        status=decision.status,
        status_rule=decision.rule,
        sentence=rules.RULE_BY_NAME[decision.rule].sentence,
        certainty=decision.certainty,
        certainty_reasons=[
            rules.CERTAINTY_REASONS[reason] for reason in decision.certainty_reasons
        ],
        searched_found_none=decision.searched_found_none,
        groups=_groups(decision),
        lines=[
            ExplainedLine(**_brief(rows[line.key], line), part=_part(line, decision))
            for line in _by_day(lines)
        ],
        critical_groups=_critical(kind, decision, rows),
    )


def timeline(aggregate: ClaimAggregate) -> Timeline:
    """Tell the periods of a claim's status, each with the evidence that made it."""
    return Timeline(
        claim=aggregate.claim["id"],
        statement=aggregate.claim["statement"],
        periods=_periods(aggregate),
    )


def compare(aggregate: ClaimAggregate, first: str, second: str) -> Difference:
    """Tell what changed between two days (YYYY-MM-DD), the first not after the second."""
    rows = {row["key"]: row for row in aggregate.evidence}
    before, after = (_moment(aggregate, day) for day in (first, second))
    decision = decide(aggregate.claim["kind"], aggregate.lines, second)
    return Difference(
        claim=aggregate.claim["id"],
        statement=aggregate.claim["statement"],
        before=before,
        after=after,
        changed=(before.status, before.certainty) != (after.status, after.certainty),
        added=[
            ExplainedLine(**_brief(rows[line.key], line), part=_part(line, decision))
            for line in _by_day(aggregate.lines)
            if first < line.published <= second and rows[line.key]["state"] in PUBLIC_STATES
        ],
        because=_briefs(rows, decision.decisive) if after.status is not None else [],
        periods=[period for period in _periods(aggregate) if first < period.starts <= second],
    )


def explanation_text(explanation: Explanation) -> str:
    """Return an explanation as plain text, a few lines, made of the same data."""
    when = (
        f"With what had been published by {explanation.as_of}"
        if explanation.as_of
        else "With everything recorded"
    )
    certainty = (explanation.certainty or "not applicable").replace("_", " ")
    told = [
        f"«{explanation.statement}» {when}, this claim is {explanation.status}"
        f" (certainty: {certainty}, derived by rule).",
        f"Rule {explanation.status_rule}: {explanation.sentence}",
        *explanation.certainty_reasons,
    ]
    for group in explanation.groups:
        told.append(
            f"{group.direction.capitalize()} at rank {group.rank}:"
            f" {group.count} ({', '.join(group.groups)})."
        )
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for line in explanation.lines:
        parts[line.part].append(
            f"{line.citation} ({line.source}, {line.direction}, {line.independence_group})"
        )
    told += [
        f"{term.label.capitalize()}: {'; '.join(parts[term.id])}."
        for term in PARTS.terms
        if parts[term.id]
    ]
    for critical in explanation.critical_groups:
        told.append(f"Without {critical.independence_group} the claim would be {critical.status}.")
    if not explanation.critical_groups:
        told.append("No single group's removal would change the status.")
    return "\n".join(told) + "\n"


def _moment(aggregate: ClaimAggregate, day: str) -> Moment:
    if day < aggregate.exists_from:
        return Moment(as_of=day, status=None, status_rule=None, certainty=None)
    found = decide(aggregate.claim["kind"], aggregate.lines, day)
    return Moment(as_of=day, status=found.status, status_rule=found.rule, certainty=found.certainty)


def _periods(aggregate: ClaimAggregate) -> list[TimelinePeriod]:
    rows = {row["key"]: row for row in aggregate.evidence}
    counted = decide(aggregate.claim["kind"], aggregate.lines).counted
    told: list[TimelinePeriod] = []
    for run in periods_module.status_periods(
        aggregate.claim["kind"], aggregate.lines, aggregate.stated
    ):
        decision = decide(aggregate.claim["kind"], aggregate.lines, run.starts)
        # What was published before the claim was first stated counts from its first day.
        begins = run.starts if told else ""
        ends = run.ends or "9999-12-31"
        told.append(
            TimelinePeriod(
                status=run.status,
                status_rule=run.rule,
                sentence=rules.RULE_BY_NAME[run.rule].sentence,
                certainty=run.certainty,
                starts=run.starts,
                ends=run.ends,
                new=_briefs(
                    rows, (line for line in counted if begins <= line.published <= run.starts)
                ),
                during=_briefs(
                    rows, (line for line in counted if run.starts < line.published < ends)
                ),
                rests_on=_briefs(rows, decision.decisive),
            )
        )
    return told


def _part(line: Line, decision: Decision) -> str:
    if line.key in decision.left_out:
        return decision.left_out[line.key]
    if line in decision.decisive:
        return "decisive"
    side = decision.case.support if line.direction == "supports" else decision.case.against
    return "counted" if line.rank == side.groups[line.group] else "same_group"


def _groups(decision: Decision) -> list[GroupCount]:
    found: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for direction, side in (
        ("supports", decision.case.support),
        ("disputes", decision.case.against),
    ):
        for group, rank in side.groups.items():
            found[direction, rank].append(group)
    return [
        GroupCount(direction=direction, rank=rank, count=len(groups), groups=sorted(groups))
        for (direction, rank), groups in sorted(
            found.items(), key=lambda item: (item[0][0] != "supports", item[0][1])
        )
    ]


def _critical(kind: str, decision: Decision, rows: dict[str, Row]) -> list[CriticalGroup]:
    critical = []
    for group in sorted({line.group for line in decision.counted}):
        without = decide(kind, [line for line in decision.counted if line.group != group])
        if without.status != decision.status:
            lines = sorted(rows[line.key]["id"] for line in decision.counted if line.group == group)
            critical.append(
                CriticalGroup(
                    independence_group=group,
                    lines=lines,
                    status=without.status,
                    status_rule=without.rule,
                )
            )
    return critical


def _brief(row: Row, line: Line) -> Row:
    names = [name for name in EvidenceBrief.model_fields if name != "rank"]
    return {**{name: row[name] for name in names}, "rank": line.rank}


def _briefs(rows: dict[str, Row], lines: Iterable[Line]) -> list[EvidenceBrief]:
    return [EvidenceBrief(**_brief(rows[line.key], line)) for line in _by_day(lines)]


def _by_day(lines: Iterable[Line]) -> Sequence[Line]:
    return sorted(lines, key=lambda line: (line.published, line.key))
