"""Whatever a stranger sends is read in a time that grows as its length, and not as its square."""

import random
import time
import unicodedata

import pytest

from api.citations import bibtex, detect
from api.citations.bibtex_scanner import MOST_EXPANDED
from api.citations.parse_result import MOST_TOLD
from models.core.types import nfc
from tests.citations import motifs
from tests.citations.motifs import MOST_GROWTH, PARSERS, growth

SHORT, LONG = 3_000, 150_000
SEARCH_SECONDS = 240


@pytest.mark.parametrize("name", PARSERS)
def test_no_motif_takes_its_square(name: str) -> None:
    found = [
        (frame, motif, grown)
        for parser, frame, motif in motifs.table()
        if parser == name and (grown := growth(name, frame, motif, SHORT)) > MOST_GROWTH
    ]
    assert found == []


@pytest.mark.parametrize(("name", "frame", "motif"), motifs.SEEN)
def test_no_motif_that_was_found_takes_its_square(name: str, frame: str, motif: str) -> None:
    assert growth(name, frame, motif, 10 * SHORT) < MOST_GROWTH


def test_the_square_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def counts_blanks(text: str) -> int:
        return sum(text.count(" ", start) for start in range(0, len(text), 10))

    monkeypatch.setitem(PARSERS, "square", motifs.Parser(counts_blanks, ("%s",), ()))
    # One measurement may fall into a moment in which the processor changes its pace.
    found = (growth("square", "%s", " ", 10 * SHORT) for _ in range(5))
    assert any(grown > MOST_GROWTH for grown in found)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_no_motif_takes_its_square_at_length(name: str) -> None:
    found = [
        (frame, motif, grown)
        for parser, frame, motif in motifs.table()
        if parser == name and (grown := growth(name, frame, motif, LONG)) > MOST_GROWTH
    ]
    assert found == []


@pytest.mark.slow
def test_a_search_finds_no_new_motif() -> None:
    """What it prints belongs in `motifs.SEEN`."""
    seed = random.SystemRandom().randrange(2**32)
    end, tried, found = time.monotonic() + SEARCH_SECONDS, 0, []
    for name, frame, motif in motifs.random_motifs(seed):
        if time.monotonic() > end:
            break
        tried += 1
        grown = growth(name, frame, motif, 8 * SHORT)
        if grown > MOST_GROWTH and growth(name, frame, motif, 30 * SHORT) > MOST_GROWTH:
            found.append((name, frame, motif))
            print(f"    ({name!r}, {frame!r}, {motif!r}),")  # noqa: T201
    assert not found, f"of {tried} motifs, with the seed {seed}"


def test_text_in_nfc_is_that_of_unicode() -> None:
    random_source = random.Random(14)
    marks = [chr(code) for code in range(0x300, 0x1E00) if unicodedata.combining(chr(code))]
    for length in (0, 1, 31, 60):
        for letter in "aéạ가 ":
            text = 30 * letter + letter.join(
                "".join(random_source.choices(marks, k=length)) for _ in range(5)
            )
            assert nfc(text) == unicodedata.normalize("NFC", text)


def test_abbreviations_of_abbreviations_end() -> None:
    strings = ['@string{a0 = "0123456789"}'] + [
        f"@string{{a{number} = {' # '.join([f'a{number - 1}'] * 10)}}}" for number in range(1, 9)
    ]
    entries = [f"@article{{k{number}, title = a{number}}}" for number in range(9)]
    parsed = bibtex.read("\n".join([*strings, *entries]).encode())
    lengths = [len(entry.record["title"]) for entry in parsed.entries]
    assert lengths[:4] == [10, 100, 1000, 10000]
    assert sum(lengths) <= MOST_EXPANDED
    assert "too_complex" in {problem.code for problem in parsed.problems}


def test_a_child_inherits_what_a_whole_work_says_of_itself() -> None:
    fields = ", ".join(f"field{number} = {{x}}" for number in range(1000))
    file = (
        "@inproceedings{a, crossref = {p}, title = {T}}"
        f"@proceedings{{p, title = {{Book}}, publisher = {{P}}, year = 2009, doi = {{10.1000/1}},"
        f" {fields}}}"
    )
    child, parent = detect.read(file.encode(), "bibtex").entries
    assert child.record["container_title"] == "Book"
    assert (child.record["publisher"], child.record["issued"]) == ("P", "2009")
    assert (child.record["identifiers"], child.dropped) == ([], ())
    # All that has no place is told of the parent, up to a number of fields.
    assert len(parent.dropped) == MOST_TOLD + 1
    assert parent.dropped[-1] == f"and {1000 - MOST_TOLD} more"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("bibtex", "@article{a, title = {T}, %s}"),
        ("csl_json", '[{"title": "T", %s}]'),
    ],
)
def test_what_is_told_of_an_entry_is_bounded(name: str, file: str) -> None:
    field = "f%d%s = {x}" if name == "bibtex" else '"f%d%s": 1'
    fields = ", ".join(field % (number, "x" * 500) for number in range(500))
    (entry,) = detect.read((file % fields).encode(), name).entries
    assert sum(map(len, entry.dropped)) < 2_000
    assert entry.dropped[-1] == f"and {500 - MOST_TOLD} more"


def test_a_number_too_long_for_python_is_text() -> None:
    digits = "1" * 5000
    (entry,) = bibtex.read(f"@article{{a, title = {{&#{digits};}}}}".encode()).entries
    assert digits in entry.record["title"]
