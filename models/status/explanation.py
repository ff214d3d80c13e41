"""Why a claim has its status, how it came about over the years, and what changed between two days.

Every word comes from data: the rule's sentence, the reasons of the certainty, the parts of the
lines.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from sqlmodel import Field

from models.core import vocabularies as v
from models.core.dates import WholeDate
from models.core.notice import WITH_OWN, with_general
from models.core.types import Slug, Strict
from models.core.vocabulary import Term, Vocabulary
from models.records.revision import PUBLIC_STATES
from models.records.serializers import Row
from models.status import periods as periods_module
from models.status import rules
from models.status.body_of_evidence import GRADING_STEPS, SIDES, Body, Line, grade
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
            "same body",
            "Its body of evidence counts once, by a line of better rank.",
        ),
        Term(
            "other_side",
            "body counts on the other side",
            "Its body of evidence counts once, on the other side, where it says something of "
            "better rank or spoke last.",
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
        description="Its level, 1 to 5, or 6 where not gradable, moved by the reasons to grade it "
        "down or up."
    )
    grading: str = Field(description="How the rank follows from the level, in words.")
    directness: v.Directness
    study_design: v.StudyDesign
    year: int | None = Field(
        description="Null where the source is undated; it then counts from the day it was recorded."
    )
    published: WholeDate
    independence_group: Slug
    work: Slug


class ExplainedLine(EvidenceBrief):
    """A line with what it did for the status."""

    part: str = Field(description="A term of the vocabulary explanation-parts.")


class GroupCount(Strict):
    """The independent bodies of evidence that stand on one side at one rank."""

    direction: v.Direction
    rank: int
    count: int
    groups: list[str] = Field(description="Independence groups of those that are recorded.")


class BodyOfEvidence(Strict):
    """Lines that count once together, because a work or an independence group is the same."""

    direction: v.Direction = Field(description="The side on which it counts.")
    rank: int | None = Field(
        description="Null where it only sums up studies of others: it counts by them."
    )
    reason: str = Field(description="Why it has that rank.")
    works: list[str]
    independence_groups: list[str]
    lines: list[str]


class PooledInReview(Strict):
    """What a review that counts does: it lends its rank, and adds what is not recorded."""

    line: str
    direction: v.Direction
    rank: int
    studies: int = Field(description="Studies that it sums up and that stand.")
    recorded: list[str] = Field(
        description="Works that it pools and that have lines here; it adds nothing to them."
    )
    lends_to: list[str] = Field(description="Those of them to which it lends its rank.")
    fallen: list[str] = Field(description="Sources that it pools and that are retracted.")
    nameless: int = Field(description="Studies that it adds, since they are not recorded.")


class CriticalGroup(Strict):
    """A group whose removal alone would change the status."""

    independence_group: str
    lines: list[str]
    status: v.Status
    status_rule: str


class SetAside(Strict):
    """What is left out to see what the status would be then; nothing is stored."""

    without: list[str] = Field(default=[], description="Independence groups.")
    exclude: list[str] = Field(default=[], description="Sources, with all their versions.")
    level_lte: v.EvidenceLevel | None = Field(
        default=None, description="The worst level that counts."
    )
    design: list[v.StudyDesign] = Field(
        default=[], description="The study designs that count; all if there are none."
    )

    def keys(self, rows: Iterable[Row], lines: Iterable[Line]) -> tuple[set[str], set[str]]:
        """Return the keys of the lines to set aside, and the works that reviews then do not pool.

        A study that is only of another level or design is still one of those that a review pools.
        """
        known = list(rows)
        keys, gone = rules.without_groups(lines, self.without)
        excluded = {row["work"] for row in known if row["source"] in self.exclude}
        excluded |= {
            study["work"]
            for row in known
            for study in row["pooled"]
            if study["source"] in self.exclude
        }
        gone |= excluded
        keys |= {row["key"] for row in known if row["work"] in excluded}
        for row in known:
            is_worse = self.level_lte is not None and row["level"] > self.level_lte
            if is_worse or (self.design and row["study_design"] not in self.design):
                keys.add(row["key"])
        return keys, gone


class WhatIf(Strict):
    """What was set aside, and the status without that."""

    set_aside: SetAside
    lines: list[str] = Field(description="Ids of the lines that were set aside.")
    status: v.Status = Field(description="With all evidence, as the claim has it.")
    status_rule: str
    certainty: v.Certainty | None
    changes_status: bool = Field(description="Whether status, rule or certainty differ.")


class Prediction(Strict):
    """What must hold if a claim holds, and whether it fell."""

    claim: Slug
    target: Slug = Field(description="The claim that must hold.")
    statement: str = Field(description="Of the target.")
    status: v.Status = Field(description="Of the target.")
    certainty: v.Certainty | None
    note: str | None = Field(description="Why the claim predicts it.")
    fell: bool = Field(
        description="True where the target is refuted or disputed, unless it is refuted that the "
        "claim predicts it."
    )


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
        description="Independent bodies of evidence among the counted lines, at their rank."
    )
    bodies: list[BodyOfEvidence]
    reviews: list[PooledInReview] = Field(description="Reviews that count, and what they pool.")
    lines: list[ExplainedLine]
    critical_groups: list[CriticalGroup] = Field(
        description="Groups whose removal alone would change the status."
    )
    predictions: list[Prediction] = Field(
        description="What must hold if the claim holds. One that fell speaks against the claim; no "
        "rule counts it."
    )
    compared_with: WhatIf | None = Field(
        default=None,
        description="Given where something was set aside: all the rest is as it would be then.",
    )
    notice: str = Field(description=WITH_OWN)


class TimelinePeriod(Strict):
    """A stretch of evidence time, and the evidence that began it."""

    status: v.Status
    status_rule: str
    sentence: str
    certainty: v.Certainty | None
    starts: WholeDate
    ends: WholeDate | None = Field(description="First day after it; null where it lasts.")
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
    notice: str = Field(description=WITH_OWN)


class Moment(Strict):
    """A claim's status on a day; null where it was not stated by then."""

    as_of: WholeDate
    status: v.Status | None
    status_rule: str | None
    certainty: v.Certainty | None


class StatusDifference(Strict):
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
    notice: str = Field(description=WITH_OWN)


def explain(
    aggregate: ClaimAggregate,
    day: str | None,
    set_aside: SetAside | None = None,
    predictions: Iterable[Row] = (),
) -> Explanation:
    """Explain the status with what was published by a day (YYYY-MM-DD), or with everything.

    If something is set aside, that is the status without it. `predictions` have the fields of
    `Prediction`, as of the same day. Raises `NotFound` where the claim was not stated by that day.
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
    keys, gone = set_aside.keys(rows.values(), lines) if set_aside else (set(), set())
    decision = decide(kind, lines, day, keys, gone)
    parts = parts_by_key(lines, decision)
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
            ExplainedLine(**_brief(rows[line.key], line, kind, day), part=parts[line.key])
            for line in _by_day(lines)
        ],
        bodies=_bodies(decision, rows, kind, day),
        reviews=_reviews(decision, rows, day),
        critical_groups=_critical(kind, lines, day, decision, rows, keys, gone),
        predictions=[Prediction(**prediction) for prediction in predictions],
        compared_with=_compared(decide(kind, lines, day), decision, set_aside, rows),
        notice=with_general(aggregate.claim["notice"]),
    )


def _compared(
    recorded: Decision, decision: Decision, set_aside: SetAside | None, rows: dict[str, Row]
) -> WhatIf | None:
    """Return the status with all evidence, beside that without what was set aside."""
    if set_aside is None:
        return None
    names = ("status", "rule", "certainty")
    return WhatIf(
        set_aside=set_aside,
        lines=sorted(
            rows[key]["id"] for key, reason in decision.left_out.items() if reason == "set_aside"
        ),
        status=recorded.status,
        status_rule=recorded.rule,
        certainty=recorded.certainty,
        changes_status=any(getattr(recorded, name) != getattr(decision, name) for name in names),
    )


def timeline(aggregate: ClaimAggregate) -> Timeline:
    """Tell the periods of a claim's status, each with the evidence that made it."""
    return Timeline(
        claim=aggregate.claim["id"],
        statement=aggregate.claim["statement"],
        periods=_periods(aggregate),
        notice=with_general(aggregate.claim["notice"]),
    )


def compare(aggregate: ClaimAggregate, first: str, second: str) -> StatusDifference:
    """Tell what changed between two days (YYYY-MM-DD), the first not after the second."""
    rows = {row["key"]: row for row in aggregate.evidence}
    before, after = (_moment(aggregate, day) for day in (first, second))
    kind = aggregate.claim["kind"]
    decision = decide(kind, aggregate.lines, second)
    parts = parts_by_key(aggregate.lines, decision)
    return StatusDifference(
        claim=aggregate.claim["id"],
        statement=aggregate.claim["statement"],
        before=before,
        after=after,
        changed=(before.status, before.certainty) != (after.status, after.certainty),
        added=[
            ExplainedLine(**_brief(rows[line.key], line, kind, second), part=parts[line.key])
            for line in _by_day(aggregate.lines)
            if first < line.published <= second and rows[line.key]["state"] in PUBLIC_STATES
        ],
        because=_briefs(rows, decision.decisive, kind, second) if after.status is not None else [],
        periods=[period for period in _periods(aggregate) if first < period.starts <= second],
        notice=with_general(aggregate.claim["notice"]),
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
            f" {group.count} ({', '.join(group.groups) or 'in reviews alone'})."
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
    # Of those that only sum up studies of others, the lines about reviews tell.
    told += [
        f"Body of {', '.join(body.works)}: {body.reason}."
        for body in explanation.bodies
        if body.rank is not None
    ]
    for review in explanation.reviews:
        fallen = ", ".join(review.fallen) or "none"
        told.append(
            f"{review.line} sums up {review.studies} studies: {len(review.recorded)} have lines"
            f" here, {review.nameless} count without; retracted: {fallen}."
        )
    for prediction in explanation.predictions:
        if prediction.fell:
            told.append(
                f"If it held, this would have to hold: «{prediction.statement}»"
                f" ({prediction.target}), which is {prediction.status}."
            )
    for critical in explanation.critical_groups:
        told.append(f"Without {critical.independence_group} the claim would be {critical.status}.")
    if explanation.compared_with is not None:
        told.append(f"With all evidence the claim is {explanation.compared_with.status}.")
    if not explanation.critical_groups:
        told.append("No single group's removal would change the status.")
    told.append(explanation.notice)
    return "\n".join(told) + "\n"


def _moment(aggregate: ClaimAggregate, day: str) -> Moment:
    if day < aggregate.exists_from:
        return Moment(as_of=day, status=None, status_rule=None, certainty=None)
    found = decide(aggregate.claim["kind"], aggregate.lines, day)
    return Moment(as_of=day, status=found.status, status_rule=found.rule, certainty=found.certainty)


def _periods(aggregate: ClaimAggregate) -> list[TimelinePeriod]:
    rows = {row["key"]: row for row in aggregate.evidence}
    kind = aggregate.claim["kind"]
    counted = decide(kind, aggregate.lines).counted
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
                    rows,
                    (line for line in counted if begins <= line.published <= run.starts),
                    kind,
                    run.starts,
                ),
                during=_briefs(
                    rows,
                    (line for line in counted if run.starts < line.published < ends),
                    kind,
                    run.ends,
                ),
                rests_on=_briefs(rows, decision.decisive, kind, run.starts),
            )
        )
    return told


def parts_by_key(lines: Iterable[Line], decision: Decision) -> dict[str, str]:
    """Return what each of these lines did for a status, by its key: a term of `PARTS`."""
    decisive = {line.key for line in decision.decisive}
    return {line.key: _part(line, decision, decisive) for line in lines}


def _part(line: Line, decision: Decision, decisive: set[str]) -> str:
    if line.key in decision.left_out:
        return decision.left_out[line.key]
    if line.key in decisive:
        return "decisive"
    body = decision.bodies.by_work[line.work]
    if body.side != line.direction:
        return "other_side"
    own = body.own
    leads = own is None or decision.bodies.grades[line.key].rank == own.rank
    return "counted" if line.is_review or leads else "same_group"


def _groups(decision: Decision) -> list[GroupCount]:
    lent = decision.bodies.lent_grades(list(decision.bodies.counted_reviews()))
    named: defaultdict[tuple[str, int], set[str]] = defaultdict(set)
    for body in decision.bodies.all():
        if body.side is not None and body.own is not None:
            named[body.side, lent.get(id(body), body.own).rank] |= body.groups
    sides = zip(SIDES, (decision.case.support, decision.case.against), strict=True)
    return [
        GroupCount(
            direction=direction, rank=rank, count=count, groups=sorted(named[direction, rank])
        )
        for direction, side in sides
        for rank, count in enumerate(side.counts, start=1)
        if count
    ]


def _bodies(
    decision: Decision, rows: dict[str, Row], kind: str, day: str | None
) -> list[BodyOfEvidence]:
    """Tell the bodies of evidence, those that support first and the best first."""
    reviews = list(decision.bodies.counted_reviews())
    lent = decision.bodies.lent_grades(reviews)
    told = []
    for body in decision.bodies.all():
        own = body.own
        assert body.side is not None
        if own is None:
            rank, reason = None, "It sums up studies of others, and counts by them."
        else:
            rank = lent.get(id(body), own).rank
            best = min(
                decision.bodies.leading_lines(body),
                key=lambda line: (line.published, line.key),
            )
            reason = f"{rows[best.key]['citation']}: {grading(best, kind, day)}"
            if rank != own.rank:
                lenders = [
                    rows[review.line.key]["citation"]
                    for review in reviews
                    if body in review.lends_to and review.grade.rank == rank
                ]
                reason += f"; rank {rank} is lent by {', '.join(sorted(lenders))}"
        told.append(
            BodyOfEvidence(
                direction=body.side,
                rank=rank,
                reason=reason,
                works=sorted(body.works),
                independence_groups=sorted(body.groups),
                lines=sorted(rows[line.key]["id"] for line in body.lines),
            )
        )
    return sorted(told, key=lambda body: (SIDES.index(body.direction), body.rank or 0, body.works))


def _reviews(decision: Decision, rows: dict[str, Row], day: str | None) -> list[PooledInReview]:
    told = []
    for review in decision.bodies.counted_reviews():
        line = review.line
        standing = line.standing_pools(day, decision.bodies.gone)
        works = {study["source"]: study["work"] for study in rows[line.key]["pooled"]}

        def pooled_in(bodies: Iterable[Body], standing: set[str] = standing) -> list[str]:
            return sorted({work for body in bodies for work in body.works & standing})

        told.append(
            PooledInReview(
                line=rows[line.key]["id"],
                direction=line.direction,
                rank=review.grade.rank,
                studies=line.standing_studies(day, decision.bodies.gone),
                recorded=pooled_in(review.recorded),
                lends_to=pooled_in(review.lends_to),
                fallen=sorted(
                    slug
                    for slug, work in works.items()
                    if work not in standing and work != line.work
                ),
                nameless=review.nameless,
            )
        )
    return sorted(told, key=lambda review: review.line)


def _critical(
    kind: str,
    lines: Sequence[Line],
    day: str | None,
    decision: Decision,
    rows: dict[str, Row],
    set_aside: set[str],
    gone: set[str],
) -> list[CriticalGroup]:
    """Return the groups without which, besides what is set aside, the status would be another."""
    critical = []
    for group in sorted({line.group for line in decision.counted}):
        keys, works = rules.without_groups(lines, [group])
        without = decide(kind, lines, day, set_aside | keys, gone | works)
        if without.status != decision.status:
            critical.append(
                CriticalGroup(
                    independence_group=group,
                    lines=sorted(
                        rows[line.key]["id"] for line in decision.counted if line.group == group
                    ),
                    status=without.status,
                    status_rule=without.rule,
                )
            )
    return critical


def grading(line: Line, kind: str, day: str | None) -> str:
    """Say how a line's rank follows from its level: 'level 4, indirect: … → rank 5'."""
    found = grade(line, kind, day)
    if line.level == "not_gradable":
        return f"not gradable → rank {found.rank}"
    steps = [f"level {line.level}"]
    for reason, times in Counter(found.down).items():
        if reason == "indirect_question":
            about = kind.replace("_", " ")
            question = str(line.question).replace("_", " ")
            steps.append(f"indirect: the claim is of the kind {about}, the line about {question}")
        else:
            step = GRADING_STEPS.get(reason, f"down for {reason.replace('_', ' ')}")
            steps.append(f"{step}, twice" if times > 1 else step)
    steps += [f"up for {reason.replace('_', ' ')}" for reason in found.up]
    return f"{', '.join(steps)} → rank {found.rank}"


def _brief(row: Row, line: Line, kind: str, day: str | None) -> Row:
    names = [name for name in EvidenceBrief.model_fields if name not in ("rank", "grading")]
    graded = {"rank": grade(line, kind, day).rank, "grading": grading(line, kind, day)}
    return {**{name: row[name] for name in names}, **graded}


def _briefs(
    rows: dict[str, Row], lines: Iterable[Line], kind: str, day: str | None
) -> list[EvidenceBrief]:
    return [EvidenceBrief(**_brief(rows[line.key], line, kind, day)) for line in _by_day(lines)]


def _by_day(lines: Iterable[Line]) -> Sequence[Line]:
    return sorted(lines, key=lambda line: (line.published, line.key))
