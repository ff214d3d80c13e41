"""What the status rules count: lines of evidence, gathered into independent bodies of evidence.

Lines of one work (a source with all its versions) and of one independence group are one body, and
what is a body with one of them is a body with all. A body counts once, on one side.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from models.core import vocabularies as v

# Ranks, from 1 (the best) to 6.
STRONG = 2  # Randomised trials and systematic reviews of them, or observation that was graded up.
NULL_RESULTS = 3  # Cohorts, and reviews of case-control studies.
WEAKEST_STUDY = 4  # Case-control studies and case series: the weakest that make up a second body.
WEAKEST = 6  # Not gradable.
RANKS = range(1, WEAKEST + 1)
NONE = WEAKEST + 1  # The best rank where there is nothing.

# Certainty, from 0 (very low) to 3 (high), with which a conclusion from a line of a level starts.
STARTS = {"1": 3, "2": 3, "3": 1, "4": 1, "5": 0, "not_gradable": 0}
HIGHEST_CERTAINTY = 3
SIDES = ("supports", "disputes")


@dataclass(frozen=True)
class PooledWork:
    """A study that a review pools, by the work that it is."""

    work: str
    retracted: bool = False
    retracted_on: str | None = None

    def retracted_by(self, day: str | None) -> bool:
        """Return whether the study was retracted by a day, or by today if no day is given."""
        return _announced_by(self.retracted, self.retracted_on, day)


def _announced_by(announced: bool, announced_on: str | None, day: str | None) -> bool:
    if day is None or announced_on is None:
        return announced
    return announced and announced_on <= day


@dataclass(frozen=True)
class Line:
    """A line of evidence, reduced to what the rules need.

    Days are YYYY-MM-DD. A retracted line counts until the day of its retraction, because it was
    believed until then, or on no day if that day is not recorded; a concern lowers it likewise.
    `inferred` is whether the day of its publication is.
    """

    key: str
    direction: str
    level: str
    work: str
    group: str
    published: str
    question: str | None = None
    directness: str = "direct"
    graded_down: tuple[str, ...] = ()
    graded_up: tuple[str, ...] = ()
    pools: tuple[PooledWork, ...] = ()
    studies: int | None = None
    state: str = "accepted"
    retracted: bool = False
    retracted_on: str | None = None
    concern: bool = False
    concern_on: str | None = None
    inferred: bool = False
    searched_found_none: bool = False

    def retracted_by(self, day: str | None) -> bool:
        """Return whether the line was retracted by a day, or by today if no day is given."""
        return _announced_by(self.retracted, self.retracted_on, day)

    def is_indirect_by_question(self, kind: str) -> bool:
        """Return whether its question is not one of those that test a claim of a kind."""
        questions = v.QUESTIONS_OF_KIND.get(kind)
        return (
            questions is not None and self.question is not None and (self.question not in questions)
        )

    @cached_property
    def is_review(self) -> bool:
        """Whether it sums up studies that are named or counted."""
        return bool(self.pools) or self.studies is not None

    def standing_pools(self, day: str | None, gone: frozenset[str] = frozenset()) -> set[str]:
        """Return the works that it pools, without those that are retracted by a day or `gone`."""
        return {
            pooled.work
            for pooled in self.pools
            if not (pooled.retracted_by(day) or pooled.work in gone or pooled.work == self.work)
        }

    def standing_studies(self, day: str | None, gone: frozenset[str] = frozenset()) -> int:
        """Return how many of the studies that it sums up stand, named or not."""
        works = {pooled.work for pooled in self.pools} - {self.work}
        fallen = len(works) - len(self.standing_pools(day, gone))
        return max(self.studies or 0, len(works)) - fallen

    @cached_property
    def days_of_notices(self) -> set[str]:
        """The days on which something was announced that changes what it counts for."""
        days = {self.retracted_on, self.concern_on, *(each.retracted_on for each in self.pools)}
        return {day for day in days if day is not None}


# Why a line ranks lower or higher than its level, besides the terms of the vocabularies graded-down
# and graded-up.
GRADING_STEPS = {
    "indirect": "indirect: it bears on the claim through something else",
    "indirect_question": "indirect: its question is not one that tests a claim of this kind",
    "concern": "an expression of concern was published about the source",
    "one_study": "it sums up one study, and is never better than that study",
}


@dataclass(frozen=True)
class Grade:
    """What a line counts for: its rank, with the reasons for which it is not its level.

    `certainty` is that of a conclusion from it alone, and `start` that of its level.
    """

    rank: int
    start: int
    certainty: int
    down: tuple[str, ...] = ()
    up: tuple[str, ...] = ()


def grade(
    line: Line, kind: str, day: str | None = None, gone: frozenset[str] = frozenset()
) -> Grade:
    """Return what a line counts for on a claim of a kind, on a day or today."""
    start = STARTS[line.level]
    if line.level == "not_gradable":
        return Grade(WEAKEST, start, start)
    down = []
    if line.is_indirect_by_question(kind):
        down.append("indirect_question")
    elif line.directness == "indirect":
        down.append("indirect")
    down += line.graded_down
    rank = int(line.level) + len(down)
    if line.graded_up and rank > STRONG:
        rank = max(STRONG, rank - len(line.graded_up))
    after = []
    if _announced_by(line.concern, line.concern_on, day):
        after.append("concern")
    if line.is_review and line.standing_studies(day, gone) == 1:
        after.append("one_study")
    certainty = start - len(down) - len(after) + len(line.graded_up)
    return Grade(
        min(WEAKEST, rank + len(after)),
        start,
        min(HIGHEST_CERTAINTY, max(0, certainty)),
        (*down, *after),
        line.graded_up,
    )


@dataclass(eq=False)
class Stance:
    """What a body says on one side: its best rank, and when it last said something of that rank.

    `own` is the best grade of its lines that are studies themselves, None if all are reviews.
    """

    rank: int = NONE
    last: str = ""
    own: Grade | None = None

    def add(self, rank: int, day: str, own: Grade | None) -> None:
        """Take in another line, or another stance."""
        if rank < self.rank:
            self.rank, self.last = rank, day
        elif rank == self.rank:
            self.last = max(self.last, day)
        if own is not None and (self.own is None or _key(own) < _key(self.own)):
            self.own = own


def _key(grade: Grade) -> tuple[int, int, int]:
    """Return what grades are sorted by, the best first."""
    return grade.rank, -grade.certainty, -grade.start


@dataclass(eq=False)
class Body:
    """One body of evidence: the lines of works and groups that hang together."""

    works: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)
    stances: dict[str, Stance] = field(default_factory=lambda: {side: Stance() for side in SIDES})

    @property
    def side(self) -> str | None:
        """The side on which it counts: that of its better rank, at equal rank where it spoke last.

        Who said both on one day is not counted as support.
        """
        support, against = (self.stances[side] for side in SIDES)
        if min(support.rank, against.rank) == NONE:
            return None
        if support.rank != against.rank:
            return "supports" if support.rank < against.rank else "disputes"
        return "supports" if support.last > against.last else "disputes"

    @property
    def own(self) -> Grade | None:
        """Its best grade on its side, None if it only sums up studies of others."""
        return self.stances[self.side].own if self.side else None

    def absorb(self, other: "Body") -> None:
        """Become one with another body."""
        self.works |= other.works
        self.groups |= other.groups
        self.lines += other.lines
        for side in SIDES:
            theirs = other.stances[side]
            self.stances[side].add(theirs.rank, theirs.last, theirs.own)


@dataclass(frozen=True)
class Side:
    """How many bodies of each rank stand on one side, from rank 1 to 6.

    `lead` is the certainty that its best body gives, and the one with which that started.
    """

    counts: tuple[int, ...] = (0,) * WEAKEST
    lead: tuple[int, int] = (0, 0)

    @cached_property
    def best(self) -> int:
        """The best rank, or one worse than the weakest if there is no body."""
        return next((rank for rank in RANKS if self.counts[rank - 1]), NONE)

    def count(self, rank: int = WEAKEST) -> int:
        """Return the number of bodies of this rank or better."""
        return sum(self.counts[:rank])

    def leads(self, other: "Side", rank: int) -> bool:
        """Return whether it has more than twice as many bodies of a rank or better."""
        return self.count(rank) > 2 * other.count(rank)

    def outranks(self, other: "Side") -> bool:
        """Return whether it leads at the best rank of both sides, or at the next one.

        The other side must lead at neither, so that one study is no veto against many that rank
        almost as high. What ranks below studies does not weigh against them.
        """
        ranks = compared_ranks(self, other)
        leads = any(self.leads(other, rank) for rank in ranks)
        return leads and not any(other.leads(self, rank) for rank in ranks)


def compared_ranks(first: Side, second: Side) -> tuple[int, ...]:
    """Return the ranks at which two sides are compared: the best of both, and the next one."""
    best = min(first.best, second.best)
    worst = WEAKEST_STUDY if best <= WEAKEST_STUDY else WEAKEST
    return tuple(range(best, min(best + 1, worst) + 1))


@dataclass(frozen=True)
class Review:
    """A review that counts, with what it does on its side.

    `recorded` are the bodies that it pools and that take a side, `lends_to` those to which it lends
    its rank, `nameless` how many studies it adds that are not recorded.
    """

    line: Line
    grade: Grade
    recorded: tuple[Body, ...]
    lends_to: tuple[Body, ...]
    nameless: int


class Bodies:
    """Bodies of evidence on a claim of a kind, gathered line by line."""

    def __init__(self, kind: str, day: str | None, gone: frozenset[str] = frozenset()) -> None:
        self.kind, self.day, self.gone = kind, day, gone
        self.by_work: dict[str, Body] = {}
        self.by_group: dict[str, Body] = {}
        self.reviews: list[Line] = []
        self.grades: dict[str, Grade] = {}
        # How many bodies with studies of their own stand on each side at each grade.
        self.standing: dict[str, dict[Grade, int]] = {side: {} for side in SIDES}

    def add(self, line: Line, *, silent: bool = False) -> None:
        """Add a line that takes a side.

        A `silent` one says only that its work and its group belong together.
        """
        body = self._body_of(line)
        self._count(body, -1)
        if not silent:
            graded = self.grades[line.key] = grade(line, self.kind, self.day, self.gone)
            body.lines.append(line)
            own = None if line.is_review else graded
            body.stances[line.direction].add(graded.rank, line.published, own)
            if line.is_review:
                self.reviews.append(line)
        self._count(body, 1)

    def _body_of(self, line: Line) -> Body:
        """Return the body of a line's work and group, made one if they were two."""
        found = [self.by_work.get(line.work), self.by_group.get(line.group)]
        known = [body for body in found if body is not None] or [Body()]
        body = max(known, key=lambda each: len(each.works) + len(each.groups))
        for other in known:
            if other is not body:
                self._count(other, -1)
                self._count(body, -1)
                body.absorb(other)
                self._count(body, 1)
                self.by_work.update(dict.fromkeys(other.works, body))
                self.by_group.update(dict.fromkeys(other.groups, body))
        body.works.add(line.work)
        body.groups.add(line.group)
        self.by_work[line.work] = self.by_group[line.group] = body
        return body

    def _count(self, body: Body, number: int) -> None:
        side = body.side
        if side is not None and (own := body.stances[side].own) is not None:
            counts = self.standing[side]
            counts[own] = counts.get(own, 0) + number

    def all(self) -> list[Body]:
        """Return the bodies that take a side."""
        found = {id(body): body for body in self.by_work.values() if body.side is not None}
        return list(found.values())

    def leading_lines(self, body: Body) -> list[Line]:
        """Return the lines that give a body its own rank: studies on its side, at that rank."""
        own = body.own
        return [
            line
            for line in body.lines
            if own is not None
            and line.direction == body.side
            and not line.is_review
            and self.grades[line.key].rank == own.rank
        ]

    def counted_reviews(self) -> Iterator[Review]:
        """Yield the reviews on the side of their body."""
        for line in self.reviews:
            if self.by_work[line.work].side != line.direction:
                continue
            pooled = line.standing_pools(self.day, self.gone)
            studies = line.standing_studies(self.day, self.gone)
            recorded = {work: self.by_work[work] for work in pooled if work in self.by_work}
            recorded = {work: body for work, body in recorded.items() if body.side is not None}
            bodies = {id(body): body for body in recorded.values()}
            lends_to = [
                body
                for body in bodies.values()
                if body.side == line.direction and body.own is not None and studies > 1
            ]
            yield Review(
                line,
                self.grades[line.key],
                tuple(bodies.values()),
                tuple(lends_to),
                studies - len(recorded),
            )

    def lent_grades(self, reviews: list[Review]) -> dict[int, Grade]:
        """Return the grade of each body (by its `id`) to which a review lends a better one."""
        lent: dict[int, Grade] = {}
        for review in reviews:
            for body in review.lends_to:
                best = lent.get(id(body), body.own)
                assert best is not None, "a review lends to bodies with studies of their own"
                if _key(review.grade) < _key(best):
                    lent[id(body)] = review.grade
        return lent

    def sides(self) -> tuple[Side, Side]:
        """Return the tallies of support and of evidence against."""
        counts = {side: dict(self.standing[side]) for side in SIDES}
        if self.reviews:
            reviews = list(self.counted_reviews())
            self._lend(counts, reviews)
            self._add_nameless(counts, reviews)
        support, against = (_side(counts[side]) for side in SIDES)
        return support, against

    def _lend(self, counts: Mapping[str, dict[Grade, int]], reviews: list[Review]) -> None:
        """Count the bodies that a review pools at the review's grade, where that is better."""
        bodies = {id(body): body for review in reviews for body in review.lends_to}
        for number, lent in self.lent_grades(reviews).items():
            body = bodies[number]
            assert body.side is not None
            assert body.own is not None
            side = counts[body.side]
            side[body.own] -= 1
            side[lent] = side.get(lent, 0) + 1

    def _add_nameless(self, counts: Mapping[str, dict[Grade, int]], reviews: list[Review]) -> None:
        """Count the studies that reviews pool and that are not recorded.

        Reviews may overlap, so at each rank only the largest number counts.
        """
        for side in SIDES:
            on_side = [each for each in reviews if each.line.direction == side]
            most = 0
            for review in sorted(on_side, key=lambda each: (_key(each.grade), -each.nameless)):
                if review.nameless > most:
                    more = review.nameless - most
                    counts[side][review.grade] = counts[side].get(review.grade, 0) + more
                    most = review.nameless


def _side(counts: Mapping[Grade, int]) -> Side:
    standing = [(grade, number) for grade, number in counts.items() if number]
    by_rank = [0] * WEAKEST
    for graded, number in standing:
        by_rank[graded.rank - 1] += number
    best = min((graded for graded, _ in standing), key=_key, default=None)
    lead = (best.certainty, best.start) if best is not None else (0, 0)
    return Side(tuple(by_rank), lead)
