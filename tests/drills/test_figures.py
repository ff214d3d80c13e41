"""The table of the drills in docs/reliability.md."""

from collections import Counter
from pathlib import Path

import pytest

from tests.drills.__main__ import DOCUMENT, DRILLS
from tests.drills.figures import BEGIN, END, Figures, write_row


def rows(document: Path) -> list[list[str]]:
    """Return the cells of the table, without its head."""
    table = document.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_a_row_replaces_that_of_the_same_drill_and_stands_in_its_place(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text(f"Before.\n\n{BEGIN}{END}\nAfter.\n", encoding="utf-8")
    for name, cell in (("c", "1"), ("a", "2"), ("c", "3")):
        write_row(document, ["a", "b", "c"], name, [cell, ""], f"A machine of {cell}.")
    assert rows(document) == [["a", "2", ""], ["c", "3", ""]]
    written = document.read_text("utf-8")
    assert written.startswith("Before.\n\n")
    assert written.endswith("\nAfter.\n")
    assert written.count("A machine") == written.count("A machine of 3.") == 1


def test_a_document_without_a_place_for_the_table_is_refused(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("Before.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no table of drills"):
        write_row(document, ["a"], "a", ["1"], "A machine.")


def test_figures_are_told_in_the_words_of_the_table() -> None:
    figures = Figures(rounds=2, kept=1234, answers=Counter({503: 1, 200: 1000}))
    figures.count(sent_again=1)
    figures.count(sent_again=2)
    figures.longest(seconds_of_a_wait=0.5)
    figures.longest(seconds_of_a_wait=0.25)
    seen = "sent again: 3; seconds of a wait: 0.5"
    assert figures.cells() == ("1,234", "200 × 1,000, 503 × 1", seen)


def test_every_drill_has_its_figures_and_nothing_was_lost() -> None:
    """A drill that is new, or missed, is to be run until its row says so."""
    assert {row[0]: row[3] for row in rows(DOCUMENT)} == dict.fromkeys(DRILLS, "nothing")
