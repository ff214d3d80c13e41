"""The status rules: what the accepted evidence on a claim amounts to. Pure functions; no database, no HTTP.

A line counts when it is accepted, its source is not retracted, it takes a side, and it was published by the day asked
about. Its rank is its Oxford 2011 level, 1 (best) to 5, and 6 where not gradable; an indirect line ranks one lower.
Lines of one independence group count once a direction, at their best rank.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

STRONG = 2  # Randomised trials and systematic reviews of them.
WEAKEST = 6  # Not gradable.
WEAK = 5  # Mechanism-based reasoning and whatever ranks below it.


@dataclass(frozen=True)
class Line:
    """One line of evidence, reduced to what the rules look at. `published` and `retracted_on` are YYYY-MM-DD.

    A retracted line counts on no day, or until `retracted_on` where that is known: so it was believed then.
    """

    key: str
    direction: str
    level: str
    group: str
    published: str
    directness: str = "direct"
    state: str = "accepted"
    retracted: bool = False
    retracted_on: str | None = None
    searched_found_none: bool = False

    @cached_property
    def rank(self) -> int:
        level = WEAKEST if self.level == "not_gradable" else int(self.level)
        return min(WEAKEST, level + (self.directness == "indirect"))


@dataclass(frozen=True)
class Side:
    """The independent groups that speak for one side, each with the best rank of its lines."""

    groups: Mapping[str, int]

    @cached_property
    def best(self) -> int:
        """Return the best rank, or one beyond the weakest where nobody speaks for this side."""
        return min(self.groups.values(), default=WEAKEST + 1)

    def count(self, rank: int = WEAKEST) -> int:
        """Return how many groups speak at this rank or better."""
        return sum(1 for best in self.groups.values() if best <= rank)

    def strong(self) -> bool:
        """Say whether one group speaks at rank 1 or two at rank 2 or better."""
        return self.count(1) >= 1 or self.count(STRONG) >= 2

    def outranks(self, other: "Side") -> bool:
        """Say whether the best rank here is better, or the same with more than twice as many groups at that rank."""
        if self.best != other.best:
            return self.best < other.best
        return self.count(self.best) > 2 * other.count(other.best)


@dataclass(frozen=True)
class Case:
    """What the rules judge: the claim's kind and both sides."""

    kind: str
    support: Side
    against: Side


@dataclass(frozen=True)
class Rule:
    """One rule; the first in `RULES` whose predicate holds decides."""

    name: str
    sentence: str
    holds: Callable[[Case], bool]
    status: str
    # The worst rank that matters to the rule on each side, supporting and disputing; 0 where the side does not matter.
    rests_on: Callable[[Case], tuple[int, int]]


RULES: tuple[Rule, ...] = (
    Rule(
        "nothing_takes_a_side",
        "No counted line of evidence supports or disputes the claim.",
        lambda case: not case.support.groups and not case.against.groups,
        "unassessed",
        lambda _case: (0, 0),
    ),
    Rule(
        "strong_against",
        "Evidence against at rank 1 from one independent group, or at rank 2 or better from two, and no support at rank 2 or better.",
        lambda case: case.against.strong() and not case.support.count(STRONG),
        "refuted",
        lambda _case: (0, STRONG),
    ),
    Rule(
        "strong_for",
        "Support at rank 1 from one independent group, or at rank 2 or better from two, and nothing against at rank 2 or better.",
        lambda case: case.support.strong() and not case.against.count(STRONG),
        "established",
        lambda _case: (STRONG, 0),
    ),
    Rule(
        "definition_in_use",
        "The claim is a definition that three independent groups use and nobody disputes.",
        lambda case: case.kind == "definition" and case.support.count() >= 3 and not case.against.groups,
        "established",
        lambda _case: (WEAKEST, 0),
    ),
    Rule(
        "against_outranks_support",
        "The best evidence against ranks better than the best support, or the same from more than twice as many independent groups.",
        lambda case: case.against.outranks(case.support),
        "disputed",
        lambda case: (case.support.best, case.against.best),
    ),
    Rule(
        "support_outranks_against",
        "The best support ranks better than the best evidence against, or the same from more than twice as many independent groups; "
        "it comes from two independent groups or more, and its best rank is 4 or better.",
        lambda case: case.support.outranks(case.against) and case.support.count() >= 2 and case.support.best < WEAK,
        "supported",
        lambda case: (case.support.best, case.against.best),
    ),
    Rule(
        "both_sides",
        "There is evidence on both sides and neither outranks the other enough.",
        lambda case: bool(case.support.groups and case.against.groups),
        "contested",
        lambda case: (case.support.best, case.against.best),
    ),
    Rule(
        "one_group_or_weak",
        "All support comes from one independent group, or ranks below 4.",
        lambda case: bool(case.support.groups),
        "unconfirmed",
        lambda _case: (WEAKEST, 0),
    ),
)

RULE_BY_NAME = {rule.name: rule for rule in RULES}

LEFT_OUT = {
    "not_accepted": "The line is not accepted.",
    "retracted": "The source is retracted.",
    "later": "Published after the day asked about.",
    "takes_no_side": "The line is inconclusive.",
}


@dataclass(frozen=True)
class Decision:
    """What was decided and on what: the rule's name, the certainty, and why lines were left out.

    `searched_found_none` is true where nothing takes a side and somebody searched and found no evidence.
    """

    status: str
    rule: str
    certainty: str | None
    certainty_reasons: tuple[str, ...]
    case: Case
    counted: tuple[Line, ...]
    left_out: Mapping[str, str]
    searched_found_none: bool

    @property
    def has_conflict(self) -> bool:
        return bool(self.case.support.groups and self.case.against.groups)

    @property
    def decisive(self) -> tuple[Line, ...]:
        """Return the counted lines that the rule rests on: of each group, those at its best rank that matters."""
        supporting, disputing = RULE_BY_NAME[self.rule].rests_on(self.case)
        sides = {"supports": (supporting, self.case.support), "disputes": (disputing, self.case.against)}
        return tuple(
            line
            for line in self.counted
            if line.rank <= sides[line.direction][0] and line.rank == sides[line.direction][1].groups[line.group]
        )


def reason_left_out(line: Line, as_of: str | None = None) -> str | None:
    """Return why a line does not count (a key of `LEFT_OUT`), or None where it counts."""
    if line.state != "accepted":
        return "not_accepted"
    if as_of is not None and line.published > as_of:
        return "later"
    if line.retracted and (as_of is None or line.retracted_on is None or line.retracted_on <= as_of):
        return "retracted"
    if line.direction == "inconclusive":
        return "takes_no_side"
    return None


def decide(kind: str, lines: Iterable[Line], as_of: str | None = None) -> Decision:
    """Decide a claim's status from its evidence, with what was published by `as_of` (YYYY-MM-DD), or all of it."""
    counted: list[Line] = []
    left_out: dict[str, str] = {}
    searched = False
    for line in lines:
        reason = reason_left_out(line, as_of)
        if reason is None:
            counted.append(line)
        else:
            left_out[line.key] = reason
            searched |= reason == "takes_no_side" and line.searched_found_none
    case = Case(kind, _side(counted, "supports"), _side(counted, "disputes"))
    rule = next(rule for rule in RULES if rule.holds(case))
    certainty, reasons = _certainty(case, rule)
    searched_found_none = searched and not counted
    return Decision(rule.status, rule.name, certainty, reasons, case, tuple(counted), left_out, searched_found_none)


def _side(lines: Iterable[Line], direction: str) -> Side:
    groups: dict[str, int] = {}
    for line in lines:
        if line.direction == direction:
            groups[line.group] = min(line.rank, groups.get(line.group, WEAKEST))
    return Side(groups)


CERTAINTY_REASONS = {
    "starts_high": "Rests on randomised trials or reviews of them, which start high.",
    "starts_low": "Rests on observational studies, which start low.",
    "starts_very_low": "Rests on reasoning or statements of position.",
    "one_group": "Lowered once: only one independent group carries the conclusion at its best rank or within the same kind of evidence.",
    "conflict": "Lowered once: the other side has evidence of the same rank or better.",
}
_WORDS = ("very_low", "low", "moderate", "high")
_CONCLUDES_AGAINST = ("refuted", "disputed")


def _certainty(case: Case, rule: Rule) -> tuple[str | None, tuple[str, ...]]:
    """Return GRADE's word for the conclusion with its reasons, or None where the scheme does not apply.

    After GRADE: randomised evidence starts high, observational evidence low; one group alone lowers it (imprecision),
    and so does evidence of the same rank on the other side (inconsistency). Derived here, not a panel's judgement.
    """
    if rule.name in ("nothing_takes_a_side", "definition_in_use"):
        return None, ()
    mine, other = case.support, case.against
    if rule.status in _CONCLUDES_AGAINST or (rule.status == "contested" and other.best < mine.best):
        mine, other = other, mine
    if mine.best <= STRONG:
        word, band, reasons = 3, STRONG, ["starts_high"]
    elif mine.best < WEAK:
        word, band, reasons = 1, WEAK - 1, ["starts_low"]
    else:
        word, band, reasons = 0, WEAKEST, ["starts_very_low"]
    if mine.count(band) == 1:
        word -= 1
        reasons.append("one_group")
    if other.best <= mine.best:
        word -= 1
        reasons.append("conflict")
    return _WORDS[max(word, 0)], tuple(reasons)


@dataclass(frozen=True)
class Period:
    """A stretch of evidence time with one status; `starts` is its first day, `ends` the first day after it, or None."""

    status: str
    rule: str
    certainty: str | None
    starts: str
    ends: str | None


def stated_from(lines: Iterable[Line], stated: str) -> str:
    """Return the day from which a claim exists: the first on which it was stated, or supported in a recorded source."""
    supported = (
        line.published
        for line in lines
        if line.direction == "supports" and reason_left_out(line, line.published) is None
    )
    return min(stated, min(supported, default=stated))


def periods(kind: str, lines: Sequence[Line], stated: str) -> list[Period]:
    """Return how the status ran over evidence time, without gap or overlap, from the day the claim was first stated.

    Args: `stated` is the day (YYYY-MM-DD) of its earliest occurrence. The last period has no end.
    """
    first = stated_from(lines, stated)
    dates = {day for line in lines for day in (line.published, line.retracted_on) if day is not None and day > first}
    days = sorted({first} | dates)
    runs: list[Period] = []
    for day in days:
        decision = decide(kind, lines, as_of=day)
        found = (decision.status, decision.rule, decision.certainty)
        if runs and (runs[-1].status, runs[-1].rule, runs[-1].certainty) == found:
            continue
        if runs:
            last = runs[-1]
            runs[-1] = Period(last.status, last.rule, last.certainty, last.starts, day)
        runs.append(Period(*found, starts=day, ends=None))
    return runs
