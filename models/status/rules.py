"""The status rules: what the accepted evidence on a claim amounts to. Pure functions; no database, no HTTP.

A line counts when it is accepted, its source is not retracted, it takes a side, and it was published by the day asked
about. Its rank is its Oxford 2011 level, 1 (best) to 5, and 6 where not gradable; an indirect line ranks one lower.
Lines of one independence group count once a direction, at their best rank.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from models.status.body_of_evidence import STRONG, WEAK, WEAKEST, Line, Side


@dataclass(frozen=True)
class Case:
    """What the rules judge: the claim's kind and both sides."""

    kind: str
    support: Side
    against: Side


@dataclass(frozen=True, eq=False)
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
        lambda case: (
            case.kind == "definition" and case.support.count() >= 3 and not case.against.groups
        ),
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
        lambda case: (
            case.support.outranks(case.against)
            and case.support.count() >= 2
            and case.support.best < WEAK
        ),
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

EXCLUSION_REASONS = {
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
        sides = {
            "supports": (supporting, self.case.support),
            "disputes": (disputing, self.case.against),
        }
        return tuple(
            line
            for line in self.counted
            if line.rank <= sides[line.direction][0]
            and line.rank == sides[line.direction][1].groups[line.group]
        )


def exclusion_reason(line: Line, as_of: str | None = None) -> str | None:
    """Return why a line does not count (a key of `LEFT_OUT`), or None where it counts."""
    if line.state != "accepted":
        return "not_accepted"
    if as_of is not None and line.published > as_of:
        return "later"
    if line.gone_by(as_of):
        return "retracted"
    if line.direction == "inconclusive":
        return "takes_no_side"
    return None


class Tally:
    """The lines that count, kept as more of them come: each side's groups with the best rank of their lines."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.counted: list[Line] = []
        self.sides: dict[str, dict[str, int]] = {"supports": {}, "disputes": {}}
        self.searched = False

    def add(self, line: Line) -> None:
        """Count a line that is accepted and not retracted."""
        if line.direction == "inconclusive":
            self.searched |= line.searched_found_none
            return
        self.counted.append(line)
        groups = self.sides[line.direction]
        groups[line.group] = min(line.rank, groups.get(line.group, WEAKEST))

    @property
    def searched_found_none(self) -> bool:
        """Say whether nothing takes a side and somebody searched and found none."""
        return self.searched and not self.counted

    @property
    def judged(self) -> "Judgement":
        """Return what the lines amount to."""
        support, against = self.sides["supports"], self.sides["disputes"]
        return judge(
            RULES, self.kind, tuple(sorted(support.values())), tuple(sorted(against.values()))
        )


@dataclass(frozen=True)
class Judgement:
    """The rule that holds, and the certainty with its reasons."""

    rule: Rule
    certainty: str | None
    reasons: tuple[str, ...]


@lru_cache(maxsize=10_000)
def judge(
    rules: tuple[Rule, ...], kind: str, support: tuple[int, ...], against: tuple[int, ...]
) -> Judgement:
    """Return what groups of these ranks amount to: which groups they are makes no difference, so few cases are many claims'."""
    case = Case(kind, _numbered(support), _numbered(against))
    rule = next(rule for rule in rules if rule.holds(case))
    return Judgement(rule, *_certainty(case, rule))


def _numbered(ranks: tuple[int, ...]) -> Side:
    return Side({str(number): rank for number, rank in enumerate(ranks)})


def decide(kind: str, lines: Iterable[Line], as_of: str | None = None) -> Decision:
    """Decide a claim's status from its evidence, with what was published by `as_of` (YYYY-MM-DD), or all of it."""
    tally = Tally(kind)
    left_out: dict[str, str] = {}
    for line in lines:
        reason = exclusion_reason(line, as_of)
        if reason is not None:
            left_out[line.key] = reason
        if reason in (None, "takes_no_side"):
            tally.add(line)
    judged = tally.judged
    case = Case(kind, Side(tally.sides["supports"]), Side(tally.sides["disputes"]))
    return Decision(
        judged.rule.status,
        judged.rule.name,
        judged.certainty,
        judged.reasons,
        case,
        tuple(tally.counted),
        left_out,
        tally.searched_found_none,
    )


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
