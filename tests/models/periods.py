"""Stored periods in tests: which of them holds on a day, and the runs of one status that they make
up.
"""

from itertools import groupby

from models.records.serializers import Row


def runs_of(periods: list[Row]) -> list[Row]:
    """Return stretches with one status, rule and certainty, of periods that differ in anything."""
    names = ("claim", "status", "rule", "certainty")
    runs = [
        list(same) for _, same in groupby(periods, key=lambda row: [row[name] for name in names])
    ]
    return [
        {
            **{name: run[0][name] for name in names},
            "starts": run[0]["starts"],
            "ends": run[-1]["ends"],
        }
        for run in runs
    ]


def holds_on(period: Row, day: str) -> bool:
    """Return whether a day is in a period."""
    return bool(period["starts"] <= day and (period["ends"] is None or day < period["ends"]))
