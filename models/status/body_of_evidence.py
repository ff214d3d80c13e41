"""What the status rules count: lines of evidence, and the independent groups on each side."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

# Ranks, from 1 (the best) to 6.
STRONG = 2  # Randomised trials and systematic reviews of them.
WEAK = 5  # Mechanism-based reasoning and whatever ranks below it.
WEAKEST = 6  # Not gradable.


@dataclass(frozen=True)
class Line:
    """A line of evidence, reduced to what the rules need.

    `published` and `retracted_on` are YYYY-MM-DD. A retracted line counts until the day of its
    retraction, because it was believed until then, or on no day if that day is not recorded.
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

    def retracted_by(self, day: str | None) -> bool:
        """Return whether the line was retracted by a day, or by today if no day is given."""
        if day is None or self.retracted_on is None:
            return self.retracted
        return self.retracted and self.retracted_on <= day


@dataclass(frozen=True)
class Side:
    """The independent groups on one side, each with the best rank of its lines."""

    groups: Mapping[str, int]

    @cached_property
    def best(self) -> int:
        """The best rank, or one worse than the weakest if there are no groups."""
        return min(self.groups.values(), default=WEAKEST + 1)

    def count(self, rank: int = WEAKEST) -> int:
        """Return the number of groups of this rank or better."""
        return sum(best <= rank for best in self.groups.values())

    def strong(self) -> bool:
        """Return whether there is one group of rank 1, or two of rank 2 or better."""
        return self.count(1) >= 1 or self.count(STRONG) >= 2

    def outranks(self, other: "Side") -> bool:
        """Return whether this side's best rank is better than the other's.

        If it is the same, more than twice as many groups must have it on this side.
        """
        if self.best != other.best:
            return self.best < other.best
        return self.count(self.best) > 2 * other.count(other.best)
