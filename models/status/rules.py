"""The status rules: what the accepted evidence on a claim amounts to. Pure functions, no database.

A line counts if it is accepted, its source is not retracted, it takes a side, and it was published
by the day in question. Its rank is its Oxford 2011 level, 1 (best) to 5, or 6 if it is not
gradable, moved by one for each reason to grade it down or up. Lines are gathered into bodies of
evidence, which count once, on one side; the rules see two tallies of bodies by rank.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from models.core import vocabularies as v
from models.status.body_of_evidence import (
    NONE,
    NULL_RESULTS,
    SIDES,
    STRONG,
    WEAKEST,
    WEAKEST_STUDY,
    Bodies,
    Line,
    Side,
    compared_ranks,
    grade,
)

# Kinds of claim that documents settle: they say what was said, done or known.
DOCUMENTARY = ("history", "state_of_evidence", "reported_belief", "definition")
# Kinds that null results of many refute. A benefit is settled by trials.
REFUTED_BY_NULL_RESULTS = ("causal_hypothesis", "association", "harm")
MANY = 5  # Bodies with a null result that are many.


@dataclass(frozen=True)
class Case:
    """What the rules judge: the claim's kind and the bodies on both sides.

    `inconclusive` is the best rank among the lines that take no side.
    """

    kind: str
    support: Side
    against: Side
    inconclusive: int = NONE

    @property
    def is_documentary(self) -> bool:
        return self.kind in DOCUMENTARY


@dataclass(frozen=True, eq=False)
class Rule:
    """One rule. The first rule in `RULES` that holds decides.

    `decisive_ranks` are the worst ranks that matter to the rule among supporting and disputing
    bodies, 0 if that side does not matter. None means those at which the sides are compared.
    """

    name: str
    sentence: str
    holds: Callable[[Case], bool]
    status: str
    decisive_ranks: tuple[int, int] | None


def _nothing_takes_a_side(case: Case) -> bool:
    return not case.support.count() and not case.against.count()


def _settle(side: Side, other: Side) -> bool:
    """Return whether documents settle it: two at least, more than three times the other side's."""
    return side.count() >= 2 and side.count() > 3 * other.count()


def _documents_against(case: Case) -> bool:
    return case.is_documentary and _settle(case.against, case.support)


def _documents_for(case: Case) -> bool:
    return case.is_documentary and _settle(case.support, case.against)


def is_strong(side: Side, other: Side) -> bool:
    """Return whether a side is strong: two bodies at rank 2, more than three times the other's."""
    return side.count(STRONG) >= 2 and side.count(STRONG) > 3 * other.count(STRONG)


def _strong_against(case: Case) -> bool:
    return not case.is_documentary and is_strong(case.against, case.support)


def _strong_for(case: Case) -> bool:
    return not case.is_documentary and is_strong(case.support, case.against)


def _many_null_results(case: Case) -> bool:
    if case.kind not in REFUTED_BY_NULL_RESULTS:
        return False
    against = case.against.count(NULL_RESULTS)
    return against >= MANY and against > 5 * case.support.count(NULL_RESULTS)


def _nothing_supports(case: Case) -> bool:
    return not case.support.count()


def _against_outranks_support(case: Case) -> bool:
    return not case.is_documentary and case.against.outranks(case.support)


def _both_sides(case: Case) -> bool:
    on_both = bool(case.support.count() and case.against.count())
    return on_both and (case.is_documentary or not case.support.outranks(case.against))


def _better_evidence_inconclusive(case: Case) -> bool:
    if case.is_documentary or case.inconclusive > STRONG:
        return False
    return case.support.best - case.inconclusive >= 2


def _support_outranks_against(case: Case) -> bool:
    return not case.is_documentary and case.support.count(WEAKEST_STUDY) >= 2


def _any_support(case: Case) -> bool:
    return bool(case.support.count())


RULES: tuple[Rule, ...] = (
    Rule(
        "nothing_takes_a_side",
        "No counted line of evidence supports or disputes the claim.",
        _nothing_takes_a_side,
        "unassessed",
        (0, 0),
    ),
    Rule(
        "documents_against",
        "The claim is one that documents settle, two independent documents or more speak against "
        "it, and they are more than three times as many as speak for it.",
        _documents_against,
        "refuted",
        (0, WEAKEST),
    ),
    Rule(
        "documents_for",
        "The claim is one that documents settle, two independent documents or more speak for it, "
        "and they are more than three times as many as speak against it.",
        _documents_for,
        "established",
        (WEAKEST, 0),
    ),
    Rule(
        "strong_against",
        "Evidence against at rank 2 or better from two bodies or more, and from more than three "
        "times as many as support the claim at these ranks.",
        _strong_against,
        "refuted",
        (0, STRONG),
    ),
    Rule(
        "strong_for",
        "Support at rank 2 or better from two bodies or more, and from more than three times as "
        "many as stand against the claim at these ranks.",
        _strong_for,
        "established",
        (STRONG, 0),
    ),
    Rule(
        "many_null_results",
        "The claim is about a cause, an association or a harm, five bodies or more stand against "
        "it at rank 3 or better, and fewer than a fifth of that support it at these ranks.",
        _many_null_results,
        "refuted",
        (0, NULL_RESULTS),
    ),
    Rule(
        "nothing_supports",
        "There is evidence against the claim, and nothing supports it.",
        _nothing_supports,
        "disputed",
        (0, WEAKEST),
    ),
    Rule(
        "against_outranks_support",
        "At the best rank of both sides or the next one, more than twice as many bodies stand "
        "against the claim as support it, and at neither the other way round.",
        _against_outranks_support,
        "disputed",
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
        "better_evidence_inconclusive",
        "Support outranks what stands against it, but evidence at rank 2 or better, and two ranks "
        "or more above the best support, is inconclusive.",
        _better_evidence_inconclusive,
        "unconfirmed",
        (WEAKEST, 0),
    ),
    Rule(
        "support_outranks_against",
        "At the best rank of both sides or the next one, more than twice as many bodies support "
        "the claim as stand against it, and at neither the other way round; two bodies or more "
        "support it at rank 4 or better.",
        _support_outranks_against,
        "supported",
        None,
    ),
    Rule(
        "one_body_or_weak",
        "Support outranks what stands against it, but comes from one body at rank 4 or better, or "
        "from none.",
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
    "set_aside": "Left out for this question.",
    "pools_nothing": "All studies that it sums up are retracted or left out.",
    "takes_no_side": "The line is inconclusive.",
}


@dataclass(frozen=True)
class Decision:
    """A claim's status and what it follows from.

    `bodies` are the bodies of evidence that take a side. `left_out` has the reason (a key of
    `EXCLUSION_REASONS`) of each line that does not count. `searched_found_none` is true if nothing
    takes a side and somebody searched for evidence and found none.
    """

    status: str
    rule: str
    certainty: str | None
    certainty_reasons: tuple[str, ...]
    case: Case
    bodies: Bodies
    counted: tuple[Line, ...]
    left_out: Mapping[str, str]
    searched_found_none: bool

    @property
    def has_conflict(self) -> bool:
        return bool(self.case.support.count() and self.case.against.count())

    @property
    def decisive(self) -> tuple[Line, ...]:
        """The counted lines on which the rule rests.

        Of each body that matters, the best of its lines; and the reviews that lend such a body its
        rank, or add studies that matter.
        """
        ranks = RULE_BY_NAME[self.rule].decisive_ranks
        if ranks is None:
            ranks = (max(compared_ranks(self.case.support, self.case.against)),) * 2
        worst = dict(zip(SIDES, ranks, strict=True))
        reviews = list(self.bodies.counted_reviews())
        lent = self.bodies.lent_grades(reviews)
        decisive: set[str] = set()
        for body in self.bodies.all():
            own = body.own
            if body.side is None or own is None:
                continue
            if lent.get(id(body), own).rank <= worst[body.side]:
                decisive |= {line.key for line in self.bodies.leading_lines(body)}
        for review in reviews:
            lends = any(lent.get(id(body)) == review.grade for body in review.lends_to)
            if review.grade.rank <= worst[review.line.direction] and (lends or review.nameless):
                decisive.add(review.line.key)
        return tuple(line for line in self.counted if line.key in decisive)


def exclusion_reason(line: Line, as_of: str | None = None) -> str | None:
    """Return why a line does not count (a key of `EXCLUSION_REASONS`), or None if it does."""
    if line.state != "accepted":
        return "not_accepted"
    if as_of is not None and line.published > as_of:
        return "later"
    if line.retracted_by(as_of):
        return "retracted"
    if line.is_review and not line.standing_studies(as_of):
        return "pools_nothing"
    if line.direction == "inconclusive":
        return "takes_no_side"
    return None


def _why_inconclusive(line: Line) -> str:
    """Return why a line takes no side, as a term of the vocabulary unassessed-reasons."""
    if line.searched_found_none:
        return "searched_found_none"
    return "inconsistent" if "inconsistency" in line.graded_down else "only_inconclusive"


class Tally:
    """The lines that count on a day, or today, added one by one."""

    def __init__(
        self, kind: str, day: str | None = None, gone: frozenset[str] = frozenset()
    ) -> None:
        self.kind, self.day, self.gone = kind, day, gone
        self.counted: list[Line] = []
        self.bodies = Bodies(kind, day, gone)
        self.inconclusive = NONE
        # Why the lines that take no side take none: terms of the vocabulary unassessed-reasons.
        self.reasons: set[str] = set()
        self._case: Case | None = None
        self._judged: Judgement | None = None

    def set_day(self, day: str) -> None:
        """Let the tally be that of a later day, by which no notice was announced."""
        self.day = self.bodies.day = day
        self._case = self._judged = None

    def add(self, line: Line) -> None:
        """Count a line that is accepted and not retracted."""
        self._case = self._judged = None
        if line.is_review and not line.standing_studies(self.day, self.gone):
            return
        if line.direction == "inconclusive":
            self.reasons.add(_why_inconclusive(line))
            rank = grade(line, self.kind, self.day, self.gone).rank
            self.inconclusive = min(self.inconclusive, rank)
            return
        self.counted.append(line)
        self.bodies.add(line)

    def add_silently(self, line: Line) -> None:
        """Heed of a line that is set aside only which work and group belong together."""
        self._case = self._judged = None
        self.bodies.add(line, silent=True)

    @property
    def searched_found_none(self) -> bool:
        """Whether nothing takes a side and somebody searched for evidence and found none."""
        return "searched_found_none" in self.reasons and not self.counted

    @property
    def unassessed_because(self) -> str:
        """What there is if nothing takes a side: of the terms of the vocabulary unassessed-reasons
        that hold, the last.
        """
        return max(("nothing_recorded", *self.reasons), key=v.UNASSESSED_REASONS.rank)

    @property
    def case(self) -> Case:
        """What the rules judge."""
        if self._case is None:
            self._case = Case(self.kind, *self.bodies.sides(), self.inconclusive)
        return self._case

    @property
    def judged(self) -> "Judgement":
        """What the lines amount to."""
        if self._judged is None:
            self._judged = judge(RULES, self.case)
        return self._judged


@dataclass(frozen=True)
class Judgement:
    """The rule that holds, and the certainty with its reasons."""

    rule: Rule
    certainty: str | None
    reasons: tuple[str, ...]


@lru_cache(maxsize=10_000)
def judge(rules: tuple[Rule, ...], case: Case) -> Judgement:
    """Return what bodies of these ranks amount to.

    It does not matter which bodies they are, so one cached judgement serves many claims.
    """
    rule = next(rule for rule in rules if rule.holds(case))
    return Judgement(rule, *_certainty(case, rule))


def decide(
    kind: str,
    lines: Iterable[Line],
    as_of: str | None = None,
    without: Collection[str] = (),
    gone: Collection[str] = (),
) -> Decision:
    """Decide a claim's status from its evidence, or from that published by a day (YYYY-MM-DD).

    `without` has the keys of lines that are set aside; what they say of which works and groups
    belong together is not forgotten. `gone` are works that reviews do not pool either.
    """
    tally = Tally(kind, as_of, frozenset(gone))
    left_out: dict[str, str] = {}
    for line in lines:
        reason = exclusion_reason(line, as_of)
        if reason in (None, "takes_no_side"):
            if line.key in without:
                if reason is None:
                    tally.add_silently(line)
                reason = "set_aside"
            elif line.is_review and not line.standing_studies(as_of, tally.gone):
                reason = "pools_nothing"
            else:
                tally.add(line)
        if reason is not None:
            left_out[line.key] = reason
    judged = tally.judged
    return Decision(
        judged.rule.status,
        judged.rule.name,
        judged.certainty,
        judged.reasons,
        tally.case,
        tally.bodies,
        tuple(tally.counted),
        left_out,
        tally.searched_found_none,
    )


def without_groups(lines: Iterable[Line], groups: Collection[str]) -> tuple[set[str], set[str]]:
    """Return the keys of the lines of groups, and their works: what to leave out in `decide`."""
    found = [line for line in lines if line.group in groups]
    return {line.key for line in found}, {line.work for line in found}


CERTAINTY_REASONS = {
    "starts_high": "Rests on randomised trials or reviews of them, which start high.",
    "starts_low": "Rests on observational studies, which start low.",
    "starts_very_low": "Rests on reasoning or statements of position.",
    "graded_down": "Lowered once for each reason for which the best evidence is graded down.",
    "graded_up": "Raised once for each reason for which the best evidence is graded up.",
    "one_body": "Lowered once: only one body of evidence carries the conclusion among evidence of "
    "its kind.",
    "conflict": "Lowered once: the other side has evidence of the same kind, and not only a "
    "third of it or less.",
    "better_inconclusive": "Lowered once: better evidence is inconclusive.",
}
_WORDS = ("very_low", "low", "moderate", "high")
_STARTS = {3: "starts_high", 1: "starts_low", 0: "starts_very_low"}
_CONCLUDES_AGAINST = ("refuted", "disputed")


def _certainty(case: Case, rule: Rule) -> tuple[str | None, tuple[str, ...]]:
    """Return GRADE's word for the certainty with its reasons, or None if GRADE does not apply.

    As in GRADE, randomised evidence starts high and observational evidence low, and what is
    recorded to grade the best evidence down or up moves it; a single body lowers it (imprecision),
    and so does evidence of the same kind on the other side, or better evidence that is inconclusive
    (inconsistency). It is derived here and is not a panel's judgement.
    """
    if rule.name == "nothing_takes_a_side" or case.is_documentary:
        return None, ()
    side, other = _concluding_side(case, rule)
    certainty, start = side.lead
    reasons = [_STARTS[start]]
    if certainty != start:
        reasons.append("graded_down" if certainty < start else "graded_up")
    kinds = (STRONG, WEAKEST_STUDY, WEAKEST)
    worst_rank = next(rank for rank in kinds if side.best <= rank)
    lowered = {
        "one_body": side.count(worst_rank) == 1,
        "conflict": other.count(worst_rank) > 0
        and side.count(worst_rank) <= 3 * other.count(worst_rank),
        "better_inconclusive": rule.name == "better_evidence_inconclusive",
    }
    reasons += [reason for reason, holds in lowered.items() if holds]
    return _WORDS[max(certainty - sum(lowered.values()), 0)], tuple(reasons)


def _concluding_side(case: Case, rule: Rule) -> tuple[Side, Side]:
    """Return the side that carries the conclusion, and the other one."""
    if rule.status in _CONCLUDES_AGAINST:
        return case.against, case.support
    if rule.status == "contested" and case.against.best < case.support.best:
        return case.against, case.support
    return case.support, case.against
