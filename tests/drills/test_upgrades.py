"""The data of each earlier schema, written by the program of its time, is still all there after it
was migrated to the newest.

The programs come from the history of this repository; without it nothing is drilled.
"""

import io
import itertools
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json
from sqlalchemy import MetaData, select

from api.settings import ROOT
from models import migrations
from models.database import schema_version
from models.database.compressed import unpack
from models.database.connections import Database, connect
from models.projection.integrity_check import check
from tests.api.curating import a_record
from tests.databases import DATABASES, Templates
from tests.drills.figures import Figures, progress
from tests.drills.ledger import Ledger, propose, write_once
from tests.drills.serving import Client, serving, tell

VERSIONS = "models/migrations/versions"
# The program of the first release, whose schema is from before the tree of migrations of today.
FIRST_RELEASE = "37cba5c"
CLAIMS = 200
WRITES = 6
# What a migration or a new derivation makes anew, and what counts revisions.
DERIVED = (
    "alembic_version",
    "beginning",
    "claim_document",
    "claim_search",
    "claim_term",
    "claim_vector",
    "claim_word",
    "evidence_document",
    "evidence_search",
    "evidence_term",
    "serial",
    "source_search",
    "source_word",
    "status_period",
)
STAMPS = ("revision", "updated")
Rows = dict[tuple[Any, ...], dict[str, Any]]


@dataclass
class Program:
    """An earlier program: the newest commit of a schema, and what brings it to the oldest one that
    this program migrates, if it is older.
    """

    name: str
    commit: str
    by_way_of: str | None = None


def git(*arguments: str) -> bytes:
    """Return what git prints. Raises CalledProcessError."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def migrations_at(commit: str) -> dict[str, str]:
    """Return the files of the migrations of a commit, with the hashes of their content."""
    tree = git("ls-tree", commit, f"{VERSIONS}/").decode()
    return {name: blob for blob, name in re.findall(r"blob (\w+)\t.*/(\d{4}_\w+)\.py", tree)}


def earlier_programs() -> list[Program]:
    """Return the program of the first release, and the newest of each schema since; none where
    there is no history.

    A migration that was in no release may have been another one on a branch: what counts is a
    program whose migrations were those of today, or at least had their names.
    """
    try:
        git("cat-file", "-e", f"{schema_version.LAST_BEFORE_OLDEST}^{{commit}}")
    except (OSError, subprocess.CalledProcessError):
        return []
    today = migrations_at("HEAD")
    same: dict[str, str] = {}
    alike: dict[str, str] = {}
    for commit in git("rev-list", "--topo-order", "HEAD").decode().split():
        its = migrations_at(commit)
        head = max(its, default="")[:4]
        until_then = {name: blob for name, blob in today.items() if name[:4] <= head}
        if its == until_then:
            same.setdefault(head, commit)
        elif its.keys() == until_then.keys():
            alike.setdefault(head, commit)
    found = alike | same
    schemas = sorted({name[:4] for name in today} & found.keys() - {max(today)[:4]})
    first = Program("0.1.0", FIRST_RELEASE, schema_version.LAST_BEFORE_OLDEST)
    return [first, *(Program(f"schema {head}", found[head]) for head in schemas)]


def check_out(commit: str, folder: Path) -> Path:
    """Return a new folder with the files of a commit."""
    place = Path(tempfile.mkdtemp(prefix=f"{commit[:7]}-", dir=folder))
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit))) as files:
        files.extractall(place, filter="data")
    return place


def claimbase(place: Path, url: str, *command: str, given: bytes = b"") -> str:
    """Run a command of a program in its folder, and return what it prints."""
    own = (
        ["-m", "api"]
        if (place / "api" / "__main__.py").exists()
        else ["-c", "from api.cli import app; app()"]
    )
    return run(place, url, *own, *command, given=given)


def run(place: Path, url: str, *command: str, given: bytes = b"") -> str:
    """Run Python in the folder of a program, and return what it prints."""
    environment = {**os.environ, "CLAIMBASE_DATABASE_URL": url, "PYTHONPATH": str(place)}
    line = [sys.executable, *command]
    done = subprocess.run(
        line, cwd=place, env=environment, input=given, capture_output=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()[-2000:]
    return done.stdout.decode()


def fill(place: Path, url: str, folder: Path) -> Counter[int]:
    """Let a program store the seed content, made-up claims, and what people write over HTTP.

    Return how often each status was the answer.
    """
    ledger = Ledger()
    claimbase(place, url, "seed")
    if not (place / "benchmarks").exists():
        return ledger.statuses  # It had no import, and no keys.
    made_up = run(place, url, "-m", "benchmarks.data", str(CLAIMS)).encode()
    claimbase(place, url, "import", "-", given=made_up)
    keys = []
    for role in ("contributor", "curator"):
        told = claimbase(place, url, "keys", "create", "--name", role, "--role", role)
        found = re.search(r"claimbase_\w+", told)
        assert found is not None, told
        keys.append(found[0])
    variables = {"PYTHONPATH": str(place)}
    with serving(url, folder, program=place, variables=variables) as server:
        proposer, curator = map(server.client, keys)
        ledger.lacking = fields_unknown_to(proposer)
        for number in range(WRITES):
            write_once(proposer, curator, ledger, f"old-{number}", number)
        propose(proposer, ledger, "waiting")
    return ledger.statuses


def fields_unknown_to(proposer: Client) -> set[str]:
    """Return which fields of a line of evidence a program does not have yet."""
    line = a_record("evidence", "new", claim="ccsvi-causes-ms", source="doepp-2010")
    body = {"records": [{"record": "evidence", **line}]}
    answer = proposer.ask("POST", "/v1/claims:batch", body)
    return {
        error["pointer"].rpartition("/")[2]
        for error in answer.body.get("errors", [])
        if error["code"] == "unknown_field"
    }


def stored(database: Database, keys: dict[str, list[str]]) -> dict[str, Rows]:
    """Return the rows of all tables that are not derived, by table and key.

    The columns of the keys are those of `keys`, to which others are added: a migration may give a
    table another key.
    """
    found: dict[str, Rows] = {}
    tables = MetaData()
    with database.read(unlimited=True) as connection:
        tables.reflect(connection)
        for name, each in tables.tables.items():
            if not name.startswith(DERIVED):
                key = keys.setdefault(name, [column.name for column in each.primary_key])
                rows = connection.execute(select(each)).mappings()
                found[name] = {tuple(row[part] for part in key): dict(row) for row in rows}
    for revision in found["revision"].values():
        if isinstance(revision["body"], bytes):
            revision["body"] = from_json(unpack(revision["body"]))
    return found


def without_stamps(tables: dict[str, Rows]) -> dict[str, Rows]:
    """Return rows without what says when a claim last came out differently, as it may now."""
    claims = {
        key: {name: row[name] for name in row if name not in STAMPS}
        for key, row in tables["claim"].items()
    }
    return {**tables, "claim": claims}


def losses(before: Any, after: Any, place: str) -> Iterator[str]:
    """Yield where a value, or a part of one, is no longer what it was; more may have come."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            if name in after:
                yield from losses(value, after[name], f"{place}.{name}")
            elif value not in (None, [], {}):
                yield f"{place}.{name} was {value!r} and is gone"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from losses(one, other, f"{place}[{number}]")
    elif before != after:
        yield f"{place} was {before!r} and is {after!r}"


def upgrade(program: Program, url: str, folder: Path) -> Figures:
    """Store data by an earlier program, migrate it, and hold every value to what it was."""
    figures = Figures(rounds=1)
    place = check_out(program.commit, folder)
    figures.answers += fill(place, url, folder)
    if program.by_way_of is not None:
        claimbase(check_out(program.by_way_of, folder), url, "migrate")
    database = connect(url)
    keys: dict[str, list[str]] = {}
    before = stored(database, keys)
    migrations.migrate(database)
    after = stored(database, keys)
    lost = list(losses(without_stamps(before), after, "database"))
    assert not lost, f"{program.name}: {len(lost)} values, such as {lost[:5]}"
    with database.read(unlimited=True) as connection:
        disagreements = list(check(connection))
    assert not disagreements, f"{program.name}: {len(disagreements)}: {disagreements[:5]}"
    database.close()
    figures.kept = sum(len(rows) for rows in before.values())
    return figures


def upgrade_all(templates: Templates, folder: Path, rounds: int) -> Figures:
    """Migrate the data of so many earlier schemas, the oldest first, on both databases."""
    programs = earlier_programs()
    if not programs:
        pytest.skip("needs the history of the repository")
    figures, cases = Figures(rounds=0), list(itertools.product(programs, DATABASES))
    for program, kind in cases[:rounds]:
        url = templates._new(kind, None)
        begun = upgrade(program, url, Path(tempfile.mkdtemp(dir=folder)))
        templates.drop(url)
        figures.rounds += 1
        figures.kept += begun.kept
        figures.answers += begun.answers
        progress(figures.rounds, min(rounds, len(cases)))
    figures.count(schemas=len({program.name for program, _ in cases[:rounds]}))
    return figures


@pytest.mark.slow
def test_the_data_of_each_earlier_schema_survives_the_migrations(
    templates: Templates, tmp_path: Path
) -> None:
    figures = upgrade_all(templates, tmp_path, 1000)
    tell(str(figures))
    files = [path.name[:4] for path in (ROOT / VERSIONS).glob("0*.py")]
    assert figures.seen["schemas"] == len(files), "one of them has no program"


def test_a_value_that_is_gone_or_another_is_noticed() -> None:
    before = {"a": [{"b": 1, "c": None}], "d": "e"}
    assert list(losses(before, {**before, "more": 1}, "x")) == []
    assert list(losses(before, {"a": [{"b": 1}], "d": "e"}, "x")) == []
    assert list(losses(before, {"a": [{"b": 2}], "d": "e"}, "x")) == ["x.a[0].b was 1 and is 2"]
    assert list(losses(before, {"a": [], "d": "e"}, "x")) != []
    assert list(losses(before, {"a": [{"b": 1}]}, "x")) == ["x.d was 'e' and is gone"]
