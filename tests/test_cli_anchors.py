"""`claimbase anchors check`, as a person or a script runs it."""

import json
import subprocess
from pathlib import Path

from api.settings import ROOT
from models.read import listings
from models.records.claim import OccurrenceIn
from models.write import changes
from tests.api.following import a_claim, fill
from tests.command_line import COMMAND, run
from tests.databases import SEEDED_OCCURRENCES, Store
from tests.records import put_part

TEXT = "It is said that veins are narrow.\n"


def an_occurrence() -> OccurrenceIn:
    record = {"key": "one", "source": "study", "asserted_by": ["ada"], "quote": "veins are narrow"}
    return OccurrenceIn.model_validate(
        {**record, "prefix": "said that ", "suffix": ".", "start": 16, "end": 32}
    )


def test_each_quote_is_one_line_and_what_is_not_exact_ends_in_1(
    empty: Store, tmp_path: Path
) -> None:
    fill(empty)
    with changes.begin(empty.database, actor="ada") as change:
        assert changes.put_claim(change, a_claim("c"))
        assert put_part(change, "c", an_occurrence())
    file = tmp_path / "study.txt"
    file.write_text(TEXT, encoding="utf-8")
    good = run("anchors", "check", str(file), "--source", "study", url=empty.url)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.splitlines() == [
        "No SHA-256 is recorded for this source's text, so offsets are of this one.",
        "exact occurrence/c:one at 16-32.",
        "1 quotes of study: 1 exact.",
    ]
    file.write_text(f"News. {TEXT}", encoding="utf-8")
    moved = run("anchors", "check", str(file), "--source", "study", "--json", url=empty.url)
    assert moved.returncode == 1
    assert json.loads(moved.stdout) == {
        "source": "study",
        "fits": None,
        "read": [],
        "quotes": [
            {
                "id": "occurrence/c:one",
                "outcome": "moved",
                "detail": "from 16-32 to 22-38.",
                "start": 22,
                "end": 38,
            }
        ],
    }
    with empty.database.read() as connection:
        assert listings.current_serial(connection) == 8


def test_the_text_may_come_from_standard_input_and_a_mistake_is_one_line(
    seeded: Store, tmp_path: Path
) -> None:
    asked = [
        *COMMAND,
        "anchors",
        "check",
        "-",
        "--source",
        "article-ccsvi-explained",
        "--database-url",
        seeded.url,
    ]
    piped = subprocess.run(
        asked, cwd=ROOT, input="Nothing.", capture_output=True, text=True, timeout=60, check=False
    )
    assert piped.returncode == 1
    assert piped.stdout.count("\norphan occurrence/") == SEEDED_OCCURRENCES
    assert piped.stdout.startswith("This is not the recorded text (its SHA-256 differs)")
    binary = tmp_path / "page.pdf"
    binary.write_bytes(b"%PDF\xff")
    for file, source, told in (
        (str(binary), "doepp-2010", "page.pdf: not UTF-8 at byte 4."),
        (str(tmp_path / "none.txt"), "doepp-2010", "No such file"),
        (str(binary), "doep-2010", "There is no source 'doep-2010'."),
    ):
        if source == "doep-2010":
            binary.write_text("text", encoding="utf-8")
        done = run("anchors", "check", file, "--source", source, url=seeded.url)
        assert (done.returncode, done.stderr.count("\n"), told in done.stderr) == (1, 1, True), (
            done.stderr
        )
