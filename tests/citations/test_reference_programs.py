"""What is written, read by the programs that people will read it with: BibTeX, biber and pandoc.

They are packages of Debian, which `make test-programs` installs where it may. Where one is
missing, its test says so.
"""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from api.citations import bibtex, csl_json
from models.records.serializers import Row
from tests.citations.sources import seed_sources, source_lists
from tests.generated import generated

SECONDS = 120
# What a work lacks is no fault of its file: an article without a journal is one all the same.
LACKING = re.compile(r"Warning--(empty|to sort, need|there's a number but no|can't use both) ")
STYLES = ("plain", "unsrt")


def run(folder: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder; skip the test where it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed: make test-programs")
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def bibtex_takes(sources: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "all.bib").write_bytes(b"".join(bibtex.write(sources)))
        for style in STYLES:
            lines = ("\\relax", "\\citation{*}", f"\\bibstyle{{{style}}}", "\\bibdata{all}")
            (Path(folder) / "all.aux").write_text("\n".join(lines) + "\n")
            done = run(folder, "bibtex", "all")
            told = [line for line in done.stdout.split("\n") if "arning--" in line]
            assert done.returncode == 0, done.stdout
            assert [line for line in told if not LACKING.match(line)] == []


def biber_takes(sources: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "all.bib").write_bytes(b"".join(bibtex.write(sources)))
        done = run(folder, "biber", "--tool", "all.bib")
        told = [line for line in done.stdout.split("\n") if line.startswith(("WARN", "ERROR"))]
        assert (done.returncode, told) == (0, [])
        written = (Path(folder) / "all_bibertool.bib").read_text()
        assert written.count("\n@") + written.startswith("@") == len(sources)


def pandoc_takes(sources: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "all.bib").write_bytes(b"".join(bibtex.write(sources)))
        (Path(folder) / "all.json").write_bytes(b"".join(csl_json.write(sources)))
        for form, name in (("biblatex", "all.bib"), ("csljson", "all.json")):
            done = run(folder, "pandoc", "-f", form, "-t", "csljson", name)
            assert (done.returncode, done.stderr) == (0, "")
            assert {item["id"] for item in json.loads(done.stdout)} == {
                source["id"] for source in sources
            }


@pytest.mark.parametrize("takes", [bibtex_takes, biber_takes, pandoc_takes])
def test_they_take_the_seed(takes: Callable[[list[Row]], None]) -> None:
    takes(seed_sources())


@generated(source_lists(60), few=8, many=60)
def test_bibtex_takes_generated_sources(sources: list[Row]) -> None:
    bibtex_takes(sources)


@generated(source_lists(60), few=4, many=60)
def test_biber_takes_generated_sources(sources: list[Row]) -> None:
    # To biber, a program in Perl, the key "0" is none.
    known = [source for source in sources if source["id"] != "0"]
    if known:
        biber_takes(known)


@generated(source_lists(60), few=8, many=60)
def test_pandoc_takes_generated_sources(sources: list[Row]) -> None:
    pandoc_takes(sources)
