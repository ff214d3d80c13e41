"""What a drill did and saw, and the table of them in docs/reliability.md."""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.databases import Store, Templates, store_of
from tests.drills.ledger import Ledger

HEAD = "| drill | rounds | promises kept | lost | answers | took | also seen | run |\n"
BEGIN, END = "<!-- drills: written by make drills -->\n", "<!-- /drills -->\n"


@dataclass
class Figures:
    """What came of a drill in which nothing was lost; else it raises AssertionError."""

    rounds: int
    # How often something that was acknowledged was looked for, and found as it was told.
    kept: int = 0
    # By status of HTTP.
    answers: Counter[int] = field(default_factory=Counter)
    # What else is worth a figure, by its name.
    seen: dict[str, float] = field(default_factory=dict)

    def add(self, ledger: Ledger) -> None:
        """Count what was promised in a ledger whose promises were held against a database."""
        self.kept += len(ledger.promised)
        self.answers += ledger.statuses

    def count(self, **more: float) -> None:
        """Add to what else is seen; names are given with underscores."""
        for name, number in more.items():
            shown = name.replace("_", " ")
            self.seen[shown] = self.seen.get(shown, 0) + number

    def longest(self, **more: float) -> None:
        """Keep the largest of what else is seen; names are given with underscores."""
        for name, number in more.items():
            shown = name.replace("_", " ")
            self.seen[shown] = max(self.seen.get(shown, 0), number)

    def cells(self) -> tuple[str, str, str]:
        """Return promises, answers and what else was seen, as a table shows them."""
        answers = ", ".join(
            f"{status} × {number:,}" for status, number in sorted(self.answers.items())
        )
        seen = "; ".join(
            f"{name}: {number:,.0f}" if number >= 1000 else f"{name}: {number:.4g}"
            for name, number in self.seen.items()
        )
        return f"{self.kept:,}" if self.kept else "", answers, seen

    def __str__(self) -> str:
        return f"{self.rounds} rounds: " + " | ".join(filter(None, self.cells()))


def progress(number: int, total: int) -> None:
    """Show how far a drill is."""
    sys.stderr.write(f"\r  {number:,} of {total:,} ")
    sys.stderr.flush()


@contextmanager
def fresh_store(templates: Templates, kind: str) -> Iterator[Store]:
    """Give a store with the seed content, which goes at the end."""
    yield from store_of(templates, kind, seeded=True)


def write_row(
    document: Path, order: Sequence[str], name: str, cells: list[str], machine: str
) -> None:
    """Put the row of a drill into the table of a document, in its order and in place of the one
    that was there, and below it what the drill ran on.

    Raises ValueError if the document has no place for it.
    """
    before, begin, rest = document.read_text("utf-8").partition(BEGIN)
    table, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has no table of drills")
    lines = [line for line in table.splitlines() if line.startswith("|")]
    rows = {line.split(" | ")[0].removeprefix("| "): line for line in lines[2:]}
    rows[name] = f"| {name} | {' | '.join(cells)} |"
    rule = re.sub(r"[^|\n]+", "---", HEAD)
    body = "".join(f"{rows[each]}\n" for each in order if each in rows)
    written = f"{begin}\n{HEAD}{rule}{body}\n{machine}\n\n{end}"
    document.write_text(f"{before}{written}{after}", encoding="utf-8")
