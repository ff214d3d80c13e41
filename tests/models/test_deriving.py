"""Claims of a large load are derived in other processes, with the same effect as in this one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from api.settings import ROOT
from benchmarks import data
from models.projection import deriving
from models.records.claim import Claim
from models.records.serializers import table
from models.transfer import load as loading
from tests.api.streaming import until
from tests.databases import Store
from tests.models.exports import as_lines, disagreements, exported, load

CLAIMS = 60
# How many seconds a process may take to start, or to end, on a busy machine.
PATIENCE = 300


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all claims, and the lines after the first ones, be the work of one other process, in
    batches of about ten.
    """
    monkeypatch.setattr(deriving, "FIRST_CLAIMS", 0)
    monkeypatch.setattr(loading, "PIECE_BYTES", 2000)
    monkeypatch.setattr(deriving, "_processors", lambda: 2)
    monkeypatch.setattr(loading, "BATCH_SIZE", 50)


def given() -> bytes:
    """Return records of which some claims refer to others, before and after them."""
    records = list(data.records(CLAIMS, data.sentences(None)))
    claims = [record for record in records if record["record"] == "claim"]
    for record, target in zip(claims[:10], reversed(claims), strict=False):
        record["relations"] = [{"type": "rivals", "target": target["id"]}]
    return as_lines(*records)


@pytest.mark.usefixtures("elsewhere")
def test_it_makes_no_difference_where_claims_are_derived(
    empty: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, reported = load(empty, given())
    assert reported == []
    assert disagreements(empty) == []
    content = exported(empty)
    told, _ = load(other, content)
    assert told.restored
    assert disagreements(other) == []
    assert exported(other) == content
    monkeypatch.setattr(deriving, "_processors", lambda: 1)
    with other.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(table(Claim))) == CLAIMS


@pytest.mark.usefixtures("elsewhere")
def test_an_export_that_says_otherwise_is_refused_by_the_other_process_too(
    empty: Store, other: Store
) -> None:
    load(empty, given())
    changed = exported(empty).replace(b'"status":"unconfirmed"', b'"status":"established"', 1)
    with pytest.raises(loading.BadImport, match="status is"):
        load(other, changed)


@pytest.mark.usefixtures("elsewhere")
def test_what_is_wrong_is_told_alike_wherever_lines_are_parsed(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = given().splitlines(keepends=True)
    claims = [number for number, line in enumerate(lines) if b'"record":"claim"' in line]
    for number in claims[-20::5]:
        lines[number] = b"{no json\n"
    for number in claims[-19::5]:
        lines[number] = lines[number].replace(b'"direction":"', b'"direction":"no such ', 1)
    for number in claims[-18::5]:
        lines[number] = lines[number].replace(b'"occurrences":[{', b'"occurrences":[{"extra":1,', 1)
    places: set[str] = set()
    ahead = deriving.Deriving.ahead

    def noting(under_way: deriving.Deriving, *arguments: Any) -> Any:
        for item in ahead(under_way, *arguments):
            places.add("here" if under_way.pool is None else "there")
            yield item

    monkeypatch.setattr(deriving.Deriving, "ahead", noting)
    with pytest.raises(loading.BadImport) as there:
        load(empty, b"".join(lines))
    assert places == {"here", "there"}
    monkeypatch.setattr(deriving, "_processors", lambda: 1)
    with pytest.raises(loading.BadImport) as here:
        load(empty, b"".join(lines))
    assert str(there.value) == str(here.value)
    assert str(here.value).count("line ") >= 12


def test_an_error_among_items_comes_after_what_is_made_of_those_before(empty: Store) -> None:
    def items() -> Iterator[int]:
        yield from (-1, -2, -3)
        raise ValueError("damaged")

    made: list[int] = []
    with (
        empty.database.read() as connection,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(ValueError, match="damaged"),
    ):
        for _, each in deriving.Deriving(connection, 1, pool).ahead(abs, items(), lambda _: 1):
            made.append(each)
    assert made == [1, 2, 3]


def test_an_error_of_the_work_ends_it_and_few_bytes_are_held(empty: Store) -> None:
    taken = []

    def items() -> Iterator[Any]:
        for each in (-1, "no number", -3, -4):
            taken.append(each)
            yield each

    made: list[int] = []
    with (
        empty.database.read() as connection,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(TypeError),
    ):
        under_way = deriving.Deriving(connection, 1, pool)
        for _, each in under_way.ahead(abs, items(), lambda _: deriving.AHEAD_BYTES):
            made.append(each)
    assert made == [1]
    # One more than is held is under way at most.
    assert taken == [-1, "no number", -3]


@pytest.mark.usefixtures("elsewhere")
def test_nothing_is_stored_if_the_other_process_dies(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = deriving.Deriving.put

    def killing(under_way: deriving.Deriving, *arguments: Any) -> None:
        put(under_way, *arguments)
        assert under_way.pool is not None
        for process in under_way.pool._processes:
            os.kill(process, signal.SIGKILL)

    monkeypatch.setattr(deriving.Deriving, "put", killing)
    with pytest.raises(deriving.ProcessEnded):
        load(empty, given())
    with empty.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(table(Claim))) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_killed_load_leaves_nothing_and_nobody(empty: Store, tmp_path: Path) -> None:
    """The process that derives ends with the one that reads, however that ends."""
    lines = tmp_path / "claims.jsonl"
    lines.write_bytes(b"".join(data.lines(deriving.FIRST_CLAIMS * 4, None)))
    command = [sys.executable, "-m", "api", "import", str(lines), "--database-url", empty.url]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        until(lambda: children(process.pid, "spawn_main"), PATIENCE)
        helpers = children(process.pid, "spawn_main")
        process.kill()
    until(lambda: not any(Path(f"/proc/{helper}").exists() for helper in helpers), PATIENCE)
    with empty.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(table(Claim))) == 0
    assert disagreements(empty) == []


def children(pid: int, named: str) -> list[int]:
    """Return the processes that a process started and whose command has a name in it."""
    started = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in started if named in Path(f"/proc/{each}/cmdline").read_text()]
