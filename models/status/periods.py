"""The periods of a claim's status in evidence time."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from models.status.body_of_evidence import Line
from models.status.rules import Judgement, Tally, exclusion_reason


@dataclass(frozen=True)
class Period:
    """A period of evidence time with one status.

    `starts` is its first day, `ends` the first day after it, or None for the last period.
    """

    status: str
    rule: str
    certainty: str | None
    starts: str
    ends: str | None


def first_day(lines: Iterable[Line], stated: str) -> str:
    """Return the day from which a claim exists.

    That is the first day on which it was stated (`stated`) or supported in a recorded source.
    """
    supported = (
        line.published
        for line in lines
        if line.direction == "supports" and exclusion_reason(line, line.published) is None
    )
    return min(stated, min(supported, default=stated))


def tallies_by_day(
    kind: str, lines: Iterable[Line], days: Iterable[str]
) -> Iterator[tuple[str, Tally]]:
    """Yield what counts on each of these days, which must ascend, in one pass over the lines.

    The tally may be altered for the next day, so read it before continuing.
    """
    accepted = (line for line in lines if line.state == "accepted")
    coming = deque(sorted(accepted, key=lambda line: line.published))
    standing: list[Line] = []
    tally = Tally(kind)
    for day in days:
        if any(line.retracted and line.retracted_by(day) for line in standing):
            standing = [line for line in standing if not line.retracted_by(day)]
            tally = Tally(kind)
            for line in standing:
                tally.add(line)
        while coming and coming[0].published <= day:
            line = coming.popleft()
            if not line.retracted_by(day):
                standing.append(line)
                tally.add(line)
        yield day, tally


def days_of_change(lines: Iterable[Line]) -> set[str]:
    """Return the days on which a line was published or retracted."""
    days: set[str] = set()
    for line in lines:
        days.add(line.published)
        if line.retracted_on is not None:
            days.add(line.retracted_on)
    return days


def status_periods(kind: str, lines: Sequence[Line], stated: str) -> list[Period]:
    """Return the periods of a claim's status from its first day on, without gap or overlap.

    `stated` is the day (YYYY-MM-DD) of the claim's earliest occurrence.
    """
    first = first_day(lines, stated)
    later = {day for day in days_of_change(lines) if day > first}
    tallies = tallies_by_day(kind, lines, sorted({first} | later))
    return group_into_periods((day, tally.judged) for day, tally in tallies)


def group_into_periods(judged: Iterable[tuple[str, Judgement]]) -> list[Period]:
    """Return the periods of consecutive days with the same judgement."""
    stretches = groupby(judged, key=lambda judged_day: _key(judged_day[1]))
    starts = [(key, next(days)[0]) for key, days in stretches]
    ends = [*(start for _, start in starts[1:]), None]
    return [Period(*key, start, end) for (key, start), end in zip(starts, ends, strict=True)]


def _key(judgement: Judgement) -> tuple[str, str, str | None]:
    return judgement.rule.status, judgement.rule.name, judgement.certainty
