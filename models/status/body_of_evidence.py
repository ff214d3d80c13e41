"""What the rules count: lines of evidence, and the independent groups that speak for one side."""

from collections.abc import Mapping
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

    def gone_by(self, day: str | None) -> bool:
        """Say whether it was retracted by a day, or is by now."""
        return self.retracted and (
            day is None or self.retracted_on is None or self.retracted_on <= day
        )


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
