"""How a status runs over evidence time."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from models.status.body_of_evidence import Line
from models.status.rules import Judgement, Tally, exclusion_reason


@dataclass(frozen=True)
class Period:
    """A stretch of evidence time with one status; `starts` is its first day, `ends` the first day after it, or None."""

    status: str
    rule: str
    certainty: str | None
    starts: str
    ends: str | None


def first_day(lines: Iterable[Line], stated: str) -> str:
    """Return the day from which a claim exists: the first on which it was stated, or supported in a recorded source."""
    supported = (
        line.published
        for line in lines
        if line.direction == "supports" and exclusion_reason(line, line.published) is None
    )
    return min(stated, min(supported, default=stated))


def tallies_by_day(
    kind: str, lines: Iterable[Line], days: Iterable[str]
) -> Iterator[tuple[str, Tally]]:
    """Yield what counts on each of these days, which ascend; the same as deciding on each of them, in one pass.

    The tally goes on with the next day: take from it what is wanted before that.
    """
    coming = deque(
        sorted(
            (line for line in lines if line.state == "accepted"), key=lambda line: line.published
        )
    )
    standing: list[Line] = []
    tally = Tally(kind)
    for day in days:
        if any(line.retracted and line.gone_by(day) for line in standing):
            standing = [line for line in standing if not line.gone_by(day)]
            tally = Tally(kind)
            for line in standing:
                tally.add(line)
        while coming and coming[0].published <= day:
            line = coming.popleft()
            if not line.gone_by(day):
                standing.append(line)
                tally.add(line)
        yield day, tally


def days_of_change(lines: Iterable[Line]) -> set[str]:
    """Return the days on which something else may follow from these lines."""
    return {day for line in lines for day in (line.published, line.retracted_on) if day is not None}


def status_periods(kind: str, lines: Sequence[Line], stated: str) -> list[Period]:
    """Return how the status ran over evidence time, without gap or overlap, from the day the claim was first stated.

    Args: `stated` is the day (YYYY-MM-DD) of its earliest occurrence. The last period has no end.
    """
    first = first_day(lines, stated)
    days = sorted({first} | {day for day in days_of_change(lines) if day > first})
    return group_into_periods(
        (day, tally.judged) for day, tally in tallies_by_day(kind, lines, days)
    )


def group_into_periods(judged: Iterable[tuple[str, Judgement]]) -> list[Period]:
    """Return the stretches of days on which the same was judged."""
    changes: list[tuple[str, Judgement]] = []
    for day, found in judged:
        if not changes or _told(changes[-1][1]) != _told(found):
            changes.append((day, found))
    ends = [*(day for day, _ in changes[1:]), None]
    return [
        Period(*_told(found), starts, end)
        for (starts, found), end in zip(changes, ends, strict=True)
    ]


def _told(judged: Judgement) -> tuple[str, str, str | None]:
    return judged.rule.status, judged.rule.name, judged.certainty
