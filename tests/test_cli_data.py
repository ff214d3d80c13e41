"""The commands that write and read whole databases."""

import contextlib
import os
import pty
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.settings import ROOT
from models.core.progress import Report
from models.database.connections import file_url
from tests.command_line import COMMAND, run, run_alone
from tests.databases import SEEDED, SEEDED_CLAIMS, SEEDED_SOURCES, SEEDED_TOPICS, Store
from tests.models.exports import as_lines, load
from tests.models.scifact_files import ABSTRACT, CLAIM, LOOKED_AT, TRANSLATED


def test_export_and_import_by_file_by_folder_and_by_pipe(
    seeded: Store, other: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "release"
    first = run("export", str(folder), url=seeded.url)
    assert first.returncode == 0, first.stderr
    assert first.stdout.endswith(
        f": serial {SEEDED}, 0 collections, {SEEDED_TOPICS} topics, {SEEDED_CLAIMS} claims,"
        f" {SEEDED_SOURCES} sources, 0 suggestions, 0 comments, 0 retired, {SEEDED} revisions,"
        " 0 texts.\n"
    )
    again = run("export", str(folder), url=seeded.url)
    assert (again.returncode, "a release is never altered" in again.stderr) == (1, True)
    loaded = run("import", str(folder), url=other.url)
    assert loaded.returncode == 0, loaded.stderr
    assert (
        f"{SEEDED_TOPICS + SEEDED_SOURCES + SEEDED_CLAIMS + SEEDED} lines: {SEEDED} records"
        f" = {SEEDED} stored + 0 unchanged + 0 left + 0 reported; {SEEDED} revisions."
        in loaded.stdout
    )
    assert f"Restored as it was, up to serial {SEEDED}." in loaded.stdout
    # The longer form, standard input, options in front, and what happens in a database that has
    # content.
    file = tmp_path / "sources"
    file.write_bytes(
        (folder / "sources.jsonl").read_bytes() + (folder / "revisions.jsonl").read_bytes()
    )
    for words in (
        ["import", "records", str(file)],
        ["import", "--skip-bad", str(file)],
        ["import", "-", "--skip-bad"],
    ):
        content = file.read_text(encoding="utf-8") if "-" in words else None
        # A pipe is one only between processes.
        more = (run_alone if content else run)(*words, url=other.url, given=content)
        assert more.returncode == 0, more.stderr
        assert (
            f"{SEEDED_SOURCES + SEEDED} lines: {SEEDED_SOURCES} records = 0 stored"
            f" + {SEEDED_SOURCES} unchanged + 0 left + 0 reported; {SEEDED} revisions."
            in more.stdout
        )
        assert "The revisions were not taken" in more.stdout
    assert run("check", url=other.url).returncode == 0


def test_import_reports_bad_records_and_says_how_many(empty: Store, tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    topic = '{"record": "topic", "id": "%s", "label": "A", "definition": "B."}\n'
    file.write_text(topic % "good" + topic % "BAD", encoding="utf-8")
    strict = run("import", str(file), url=empty.url)
    assert strict.returncode == 1
    assert strict.stderr.startswith("line 2: id: A slug is lower-case letters")
    assert strict.stderr.endswith("1 records cannot be loaded; nothing was stored.\n")
    lenient = run("import", str(file), "--skip-bad", url=empty.url)
    assert lenient.returncode == 1
    assert (
        "2 lines: 2 records = 1 stored + 0 unchanged + 0 left + 1 reported; 0 revisions."
        in lenient.stdout
    )
    missing = run("import", str(tmp_path / "none.jsonl"), url=empty.url)
    assert (missing.returncode, "none.jsonl: No such file or directory." in missing.stderr) == (
        1,
        True,
    )


def test_import_scifact(empty: Store, tmp_path: Path) -> None:
    claims, corpus = tmp_path / "claims.jsonl", tmp_path / "corpus.jsonl"
    claims.write_bytes(as_lines(CLAIM))
    corpus.write_bytes(as_lines(ABSTRACT, TRANSLATED, LOOKED_AT))
    done = run("import", "scifact", str(claims), str(corpus), url=empty.url)
    assert done.returncode == 0, done.stderr
    assert (
        "5 lines: 9 records = 9 stored + 0 unchanged + 0 left + 0 reported; 0 revisions."
        in done.stdout
    )
    bad = run("import", "scifact", str(corpus), str(claims), url=empty.url)
    assert (
        bad.returncode,
        "corpus.jsonl line 1: not SciFact's: id: Field required" in bad.stderr,
    ) == (1, True)


def test_a_newer_version_of_a_collection(empty: Store, tmp_path: Path) -> None:
    file = tmp_path / "civic.jsonl"
    claims = [
        {
            "record": "claim",
            "id": slug,
            "statement": "So.",
            "kind": "finding",
            "collection": "civic",
        }
        for slug in ("x", "y")
    ]
    civic = {"record": "collection", "id": "civic", "name": "CIViC", "version": "1"}
    load(empty, as_lines(civic, *claims))
    file.write_bytes(as_lines({**civic, "version": "2"}, claims[1]))
    newer = run("import", str(file), url=empty.url)
    assert newer.stdout.endswith("Stored records that it lacks, which stay: 1: claim/x.\n")
    folder = tmp_path / "release"
    done = run("export", "--collection", "civic", str(folder), url=empty.url)
    assert done.stdout.endswith(", 1 collections, 0 topics, 0 sources, 2 claims, 0 texts.\n")


def test_backup_and_restore(seeded: Store, other: Store, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    made = run("backup", str(file), url=seeded.url)
    assert made.returncode == 0, made.stderr
    assert f": serial {SEEDED}, " in made.stdout
    back = run("restore", str(file), url=other.url)
    assert back.returncode == 0, back.stderr
    assert f"restored up to serial {SEEDED}, " in back.stdout
    assert run("check", url=other.url).returncode == 0
    for words, told in ((["backup"], "never written over"), (["restore"], "has content")):
        again = run(*words, str(file), url=other.url)
        assert (again.returncode, told in again.stderr) == (1, True)


def test_a_new_database_takes_a_backup(seeded: Store, tmp_path: Path) -> None:
    file = tmp_path / "a.backup"
    run("backup", str(file), url=seeded.url)
    url = file_url(tmp_path / "new" / "a.db")
    assert run("restore", str(file), url=url).returncode == 0
    assert run("check", url=url).returncode == 0


def shown_at_a_terminal(url: str, *arguments: str) -> str:
    """Return what a command shows on standard error, which is a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "CLAIMBASE_DATABASE_URL": url, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as done:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # So a terminal ends.
            while piece := os.read(ours, 4096):
                shown += piece
        os.close(ours)
        assert done.stdout is not None
        # Bars are no output.
        assert b"\x1b" not in done.stdout.read()
        assert done.wait(timeout=60) == 0
    return shown.decode()


def test_import_shows_a_bar_at_a_terminal(empty: Store, tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    topics = (
        {"record": "topic", "id": f"t-{number}", "label": "A", "definition": "B."}
        for number in range(2000)
    )
    file.write_bytes(as_lines(*topics))
    shown = shown_at_a_terminal(empty.url, "import", str(file))
    assert "Loading" in shown
    assert "lines" in shown


def test_a_count_at_a_terminal_ends_at_all_that_there_is(seeded: Store, tmp_path: Path) -> None:
    shown = shown_at_a_terminal(seeded.url, "backup", str(tmp_path / "a.backup"))
    counted = re.findall(r"Rows backed up\W.*?([0-9]+)/([0-9]+)", shown)
    assert counted, shown
    done, total = counted[-1]
    assert done == total != "0"


def test_what_takes_long_counts_all_of_it(
    seeded: Store, other: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: dict[str, tuple[int, int | None]] = {}

    @contextlib.contextmanager
    def count(activity: str, total: int | None = None) -> Iterator[Report]:
        def report(more: int, total: int | None = total) -> None:
            counted[activity] = counted[activity][0] + more, total

        counted[activity] = 0, total
        yield report

    monkeypatch.setattr("api.cli.database.count_bar", count)
    backup = str(tmp_path / "a.backup")
    for url, command, activities in (
        (seeded.url, ["check"], ["Records checked", "Claims checked"]),
        (seeded.url, ["export", str(tmp_path / "a")], ["Records exported"]),
        (seeded.url, ["export", "--parquet", str(tmp_path / "b")], ["Records exported"]),
        (seeded.url, ["backup", backup], ["Rows backed up"]),
        (
            other.url,
            ["restore", backup],
            ["Rows restored", "Claims derived", "Records checked", "Claims checked"],
        ),
    ):
        counted.clear()
        assert run(*command, url=url).returncode == 0
        for activity in activities:
            done, total = counted[activity]
            assert done == total, (command, activity)
            assert done >= SEEDED_CLAIMS
