"""The status rules: what the accepted evidence on a claim amounts to. Pure functions, no database.

A line counts if it is accepted, its source is not retracted, it takes a side, and it was published
by the day in question. Its rank is its Oxford 2011 level, 1 (best) to 5, or 6 if it is not
gradable; an indirect line ranks one lower. The lines of one independence group count once on each
side, at their best rank.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from models.status.body_of_evidence import STRONG, WEAK, WEAKEST, Line, Side


@dataclass(frozen=True)
class Case:
    """What the rules judge: the claim's kind and the groups on both sides."""

    kind: str
    support: Side
    against: Side


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule. The first rule in `RULES` that holds decides.

    `decisive_ranks` are the worst ranks that matter to the rule among supporting and disputing
    lines, 0 if that side does not matter. None means the best rank of each side.
    """

    name: str
    sentence: str
    holds: Callable[[Case], bool]
    status: str
    decisive_ranks: tuple[int, int] | None


def _nothing_takes_a_side(case: Case) -> bool:
    return not case.support.groups and not case.against.groups


def _strong_against(case: Case) -> bool:
    return case.against.strong() and not case.support.count(STRONG)


def _strong_for(case: Case) -> bool:
    return case.support.strong() and not case.against.count(STRONG)


def _definition_in_use(case: Case) -> bool:
    if case.kind != "definition":
        return False
    return case.support.count() >= 3 and not case.against.groups


def _against_outranks_support(case: Case) -> bool:
    return case.against.outranks(case.support)


def _support_outranks_against(case: Case) -> bool:
    if not case.support.outranks(case.against):
        return False
    return case.support.count() >= 2 and case.support.best < WEAK


def _both_sides(case: Case) -> bool:
    return bool(case.support.groups and case.against.groups)


def _any_support(case: Case) -> bool:
    return bool(case.support.groups)


RULES: tuple[Rule, ...] = (
    Rule(
        "nothing_takes_a_side",
        "No counted line of evidence supports or disputes the claim.",
        _nothing_takes_a_side,
        "unassessed",
        (0, 0),
    ),
    Rule(
        "strong_against",
        "Evidence against at rank 1 from one independent group, or at rank 2 or better from two, "
        "and no support at rank 2 or better.",
        _strong_against,
        "refuted",
        (0, STRONG),
    ),
    Rule(
        "strong_for",
        "Support at rank 1 from one independent group, or at rank 2 or better from two, and "
        "nothing against at rank 2 or better.",
        _strong_for,
        "established",
        (STRONG, 0),
    ),
    Rule(
        "definition_in_use",
        "The claim is a definition that three independent groups use and nobody disputes.",
        _definition_in_use,
        "established",
        (WEAKEST, 0),
    ),
    Rule(
        "against_outranks_support",
        "The best evidence against ranks better than the best support, or the same from more than "
        "twice as many independent groups.",
        _against_outranks_support,
        "disputed",
        None,
    ),
    Rule(
        "support_outranks_against",
        "The best support ranks better than the best evidence against, or the same from more than "
        "twice as many independent groups; "
        "it comes from two independent groups or more, and its best rank is 4 or better.",
        _support_outranks_against,
        "supported",
        None,
    ),
    Rule(
        "both_sides",
        "There is evidence on both sides and neither outranks the other enough.",
        _both_sides,
        "contested",
        None,
    ),
    Rule(
        "one_group_or_weak",
        "All support comes from one independent group, or ranks below 4.",
        _any_support,
        "unconfirmed",
        (WEAKEST, 0),
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
    """A claim's status and what it follows from.

    `left_out` has the reason (a key of `EXCLUSION_REASONS`) of each line that does not count.
    `searched_found_none` is true if nothing takes a side and somebody searched for evidence and
    found none.
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
        """The counted lines that decide: of each group, those at its best rank, if that matters."""
        ranks = RULE_BY_NAME[self.rule].decisive_ranks
        if ranks is None:
            ranks = (self.case.support.best, self.case.against.best)
        worst = dict(zip(("supports", "disputes"), ranks, strict=True))
        sides = {"supports": self.case.support, "disputes": self.case.against}
        decisive = []
        for line in self.counted:
            is_best_of_group = line.rank == sides[line.direction].groups[line.group]
            if is_best_of_group and line.rank <= worst[line.direction]:
                decisive.append(line)
        return tuple(decisive)


def exclusion_reason(line: Line, as_of: str | None = None) -> str | None:
    """Return why a line does not count (a key of `EXCLUSION_REASONS`), or None if it does."""
    if line.state != "accepted":
        return "not_accepted"
    if as_of is not None and line.published > as_of:
        return "later"
    if line.retracted_by(as_of):
        return "retracted"
    if line.direction == "inconclusive":
        return "takes_no_side"
    return None


class Tally:
    """The lines that count, added one by one, and each side's groups with their best rank."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.counted: list[Line] = []
        self.sides: dict[str, dict[str, int]] = {"supports": {}, "disputes": {}}
        self.found_none = False

    def add(self, line: Line) -> None:
        """Count a line that is accepted and not retracted."""
        if line.direction == "inconclusive":
            self.found_none |= line.searched_found_none
            return
        self.counted.append(line)
        groups = self.sides[line.direction]
        groups[line.group] = min(line.rank, groups.get(line.group, WEAKEST))

    @property
    def searched_found_none(self) -> bool:
        """Whether nothing takes a side and somebody searched for evidence and found none."""
        return self.found_none and not self.counted

    @property
    def judged(self) -> "Judgement":
        """What the lines amount to."""
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
    """Return what groups with these ranks amount to.

    It does not matter which groups they are, so one cached judgement serves many claims.
    """
    case = Case(kind, _numbered(support), _numbered(against))
    rule = next(rule for rule in rules if rule.holds(case))
    return Judgement(rule, *_certainty(case, rule))


def _numbered(ranks: tuple[int, ...]) -> Side:
    return Side({str(number): rank for number, rank in enumerate(ranks)})


def decide(kind: str, lines: Iterable[Line], as_of: str | None = None) -> Decision:
    """Decide a claim's status from its evidence, or from that published by a day (YYYY-MM-DD)."""
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
    "one_group": "Lowered once: only one independent group carries the conclusion at its best "
    "rank or within the same kind of evidence.",
    "conflict": "Lowered once: the other side has evidence of the same rank or better.",
}
_WORDS = ("very_low", "low", "moderate", "high")
_CONCLUDES_AGAINST = ("refuted", "disputed")


def _certainty(case: Case, rule: Rule) -> tuple[str | None, tuple[str, ...]]:
    """Return GRADE's word for the certainty with its reasons, or None if GRADE does not apply.

    As in GRADE, randomised evidence starts high and observational evidence low; a single group
    lowers it (imprecision), and so does evidence of the same rank on the other side
    (inconsistency). It is derived here and is not a panel's judgement.
    """
    if rule.name in ("nothing_takes_a_side", "definition_in_use"):
        return None, ()
    side, other = _concluding_side(case, rule)
    if side.best <= STRONG:
        word, worst_rank, reasons = 3, STRONG, ["starts_high"]
    elif side.best < WEAK:
        word, worst_rank, reasons = 1, WEAK - 1, ["starts_low"]
    else:
        word, worst_rank, reasons = 0, WEAKEST, ["starts_very_low"]
    if side.count(worst_rank) == 1:
        word -= 1
        reasons.append("one_group")
    if other.best <= side.best:
        word -= 1
        reasons.append("conflict")
    return _WORDS[max(word, 0)], tuple(reasons)


def _concluding_side(case: Case, rule: Rule) -> tuple[Side, Side]:
    """Return the side that carries the conclusion, and the other one."""
    if rule.status in _CONCLUDES_AGAINST:
        return case.against, case.support
    if rule.status == "contested" and case.against.best < case.support.best:
        return case.against, case.support
    return case.support, case.against
