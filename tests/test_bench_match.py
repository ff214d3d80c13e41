"""The benchmark of matching works: its figures by hand, and a small run, without bounds."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import match
from benchmarks.match import Figures, Way, average_precision, ranking, recall
from tests.letters import Letters

CORPUS = [
    {"doc_id": 1, "title": "Aa", "abstract": ["aaab aaab", "None.", "cccd cccd"]},
    {"doc_id": 2, "title": "Ee", "abstract": ["eeef eeef"]},
    {"doc_id": 3, "title": "Other", "abstract": ["zzz"]},
]


def claim(number: int, text: str, *marked: tuple[int, list[int]]) -> dict[str, Any]:
    """Return a line of the claims, with the sentences that are marked in abstracts."""
    evidence = {
        str(document): [{"sentences": numbers, "label": "SUPPORT"}] for document, numbers in marked
    }
    return {"id": number, "claim": text, "doc_ids": [1], "evidence": evidence}


CLAIMS = [
    claim(1, "aaab", (1, [0])),
    claim(2, "cccd", (1, [2]), (2, [0])),
    claim(3, "aacd", (1, [0, 2])),
    claim(4, "zzzz"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, entries in (("corpus.jsonl", CORPUS), ("claims_train.jsonl", CLAIMS)):
        (tmp_path / name).write_text("".join(f"{json.dumps(each)}\n" for each in entries))
    return tmp_path


@pytest.mark.parametrize(
    ("found", "wanted", "precision", "share"),
    [
        ("abcde", "a", 1.0, 1.0),
        ("abcde", "b", 1 / 2, 1.0),
        ("abcde", "ac", (1 + 2 / 3) / 2, 1.0),
        ("abcdef", "f", 0.0, 0.0),
        ("abx", "ayz", 1 / 3, 1 / 3),
        ("", "a", 0.0, 0.0),
        ("abcde", "abcdefg", 1.0, 5 / 7),
    ],
)
def test_precision_and_recall(found: str, wanted: str, precision: float, share: float) -> None:
    assert average_precision(found, wanted) == pytest.approx(precision)
    assert recall(found, wanted) == pytest.approx(share)


def test_a_text_finds_a_claim_by_its_best_sentence() -> None:
    assert ranking([{"a": 0.2, "b": 0.5}, {"a": 0.9, "c": 0.5}]) == ["a", "b", "c"]


def test_questions_are_the_sentences_that_are_marked(folder: Path) -> None:
    claims, sentences, abstracts = match.read_questions(folder)
    assert claims["scifact-4"] == "zzzz"
    assert {tuple(each.sentences): sorted(each.wanted) for each in sentences} == {
        ("aaab aaab",): ["scifact-1", "scifact-3"],
        ("cccd cccd",): ["scifact-2", "scifact-3"],
        ("eeef eeef",): ["scifact-2"],
    }
    assert [(each.sentences[0], sorted(each.wanted)) for each in abstracts] == [
        ("Aa", ["scifact-1", "scifact-2", "scifact-3"]),
        ("Ee", ["scifact-2"]),
    ]


def test_a_small_run(folder: Path) -> None:
    figures = match.run(folder, Letters(), 100)
    assert list(figures) == ["words", "with model", "model alone"]
    by_words = figures.pop("words")
    # The letters of a claim are no words of a sentence, unless it is the same word.
    assert by_words.precision == by_words.recall == pytest.approx(1 / 3)
    assert by_words.milliseconds > 0
    for found in figures.values():
        assert 0.8 < found.precision <= 1
        assert found.recall == 1
        assert found.milliseconds > 0


def test_the_table_has_the_aims() -> None:
    def nothing(*_: Any) -> list[dict[str, float]]:
        return []

    aims = Figures(0.8, 0.96, 60)
    columns = [Way("words", nothing), Way("both", nothing, aims)]
    figures = {"words": Figures(0.5, 0.6, 7.2), "both": Figures(0.81234, 0.97, 45.5)}
    assert match.to_table(figures, columns, ("sentences", "abstracts", "time")).splitlines() == [
        "|  | words | both |",
        "|---|---|---|",
        "| sentences | 0.500 | 0.812 (aim ≥ 0.8) |",
        "| abstracts | 0.600 | 0.970 (aim ≥ 0.96) |",
        "| time | 7 ms | 46 ms (aim ≤ 60) |",
    ]
