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

    That is the first day on which it was stated (`stated`), or on which a recorded source spoke of
    it, on whichever side.
    """
    spoken_of = (
        line.published
        for line in lines
        if exclusion_reason(line, line.published) in (None, "takes_no_side")
    )
    return min(stated, min(spoken_of, default=stated))


def tallies_by_day(
    kind: str, lines: Iterable[Line], days: Iterable[str]
) -> Iterator[tuple[str, Tally]]:
    """Yield what counts on each of these days, which must ascend, in one pass over the lines.

    The tally may be altered for the next day, so read it before continuing.
    """
    accepted = (line for line in lines if line.state == "accepted")
    coming = deque(sorted(accepted, key=lambda line: line.published))
    standing: list[Line] = []
    notices: deque[str] = deque()
    tally = Tally(kind)
    for day in days:
        new = []
        while coming and coming[0].published <= day:
            new.append(coming.popleft())
        notices.extend(notice for line in new for notice in line.days_of_notices)
        standing += [line for line in new if not line.retracted_by(day)]
        if any(notice <= day for notice in notices):
            # A notice changes what lines count for that were added before.
            notices = deque(notice for notice in notices if notice > day)
            standing = [line for line in standing if not line.retracted_by(day)]
            new, tally = standing, Tally(kind, day)
        else:
            tally.set_day(day)
        for line in new:
            if not line.retracted_by(day):
                tally.add(line)
        yield day, tally


def days_of_change(lines: Iterable[Line]) -> set[str]:
    """Return the days on which a line was published or something announced about its studies."""
    days: set[str] = set()
    for line in lines:
        days |= {line.published, *line.days_of_notices}
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
