"""Tests that read the documents: what the program has and no document names fails, and so does what is named wrongly."""

import contextlib
import io
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from sqlmodel import SQLModel

from api.cli.app import app as commands
from api.settings import NOTICE, ROOT, Settings
from models.core import vocabularies as v
from models.migrations import tables
from models.projection.tables import StatusPeriod
from models.records.serializers import table
from models.status import rules
from tests.databases import Store

README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
SERVED = "http://127.0.0.1:8000"


def blocks(document: str, *languages: str) -> list[str]:
    """Return the code blocks in these languages."""
    found = re.findall(r"^```(\w+)\n(.*?)^```", document, flags=re.MULTILINE | re.DOTALL)
    return [code for language, code in found if language in languages]


def rows(document: str) -> list[list[str]]:
    """Return the cells of every table's rows, without the marks of code."""
    lines = re.findall(r"^\|(.+)\|$", document, flags=re.MULTILINE)
    return [[cell.strip().replace("`", "") for cell in line.split("|")] for line in lines]


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, made as the common renderers make them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def addresses() -> list[str]:
    """Return what the README asks the API."""
    code = "\n".join(blocks(README, "sh", "js", "python"))
    asked = re.findall(re.escape(SERVED) + r"(/[^'\"\s]*)", code)
    return [*asked, *re.findall(r"^GET (/\S+)", README, flags=re.MULTILINE)]


def test_every_route_is_documented(client: TestClient) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    paths = client.get("/openapi.json").json()["paths"]
    assert [path for path in paths if f"`{path}`" not in text] == [], (
        "name them in README.md, in backticks"
    )


def test_every_route_in_the_readme_exists(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    named = [
        path
        for row in rows(README)
        for path in re.findall(r"/[\w{}/.]+", row[0])
        if row[0].startswith("/")
    ]
    assert named
    assert [path for path in named if path not in paths] == []


def test_every_setting_is_in_the_readme() -> None:
    documented = [row[0] for row in rows(README) if row[0].startswith("CLAIMBASE_")]
    assert documented == [f"CLAIMBASE_{name.upper()}" for name in Settings.model_fields]


def test_the_defaults_in_the_readme_are_those_of_the_settings() -> None:
    told = {
        row[0].removeprefix("CLAIMBASE_").lower(): row[1]
        for row in rows(README)
        if "CLAIMBASE_" in row[0]
    }
    for name, field in Settings.model_fields.items():
        default = str(field.default).replace("'", '"')
        start, _, end = told[name].partition("…")
        assert default.startswith(start), name
        assert default.endswith(end), name


def test_every_command_is_in_the_readme() -> None:
    names = [
        command.name or command.callback.__name__
        for command in commands.registered_commands
        if command.callback
    ]
    assert names
    assert [
        name for name in names if not re.search(rf"^\| `claimbase {name}\b", README, re.MULTILINE)
    ] == []


def test_every_room_is_in_the_architecture() -> None:
    rooms = [
        path.relative_to(ROOT).as_posix() + "/"
        for house in ("api", "models")
        for path in sorted((ROOT / house).iterdir())
        if path.is_dir() and path.name != "__pycache__"
    ]
    assert [
        room for room in rooms if f"| `{room}` |" not in ARCHITECTURE and room != "api/examples/"
    ] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_is_named_exists(document: Path) -> None:
    named = re.findall(
        r"`((?:api|models|tests|docs|seed_data|requirements)/[\w./]*)`", document.read_text("utf-8")
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_resolve(document: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = document.parent / parts.path if parts.path else document
        if not target.exists() or (parts.fragment and parts.fragment not in anchors(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("address", addresses())
def test_what_the_readme_asks_is_answered(address: str, client: TestClient) -> None:
    # A stream would never end. One example shows what a mistyped parameter gets.
    ask = client.head if "/stream" in address else client.get
    assert ask(address).status_code == (400 if "statsu" in address else 200)


def test_the_readmes_script_prints_what_the_readme_says(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def urlopen(url: str) -> io.BytesIO:
        return io.BytesIO(client.get(url.removeprefix(SERVED)).raise_for_status().content)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    (script,) = blocks(README, "python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(script, {})  # noqa: S102
    assert printed.getvalue() in blocks(README, "text")


def test_the_readme_gives_the_notice_and_explains_every_status() -> None:
    assert NOTICE.removeprefix("This is ") in README
    explained = [row[0] for row in rows(README) if row[0] in v.STATUSES.ids]
    assert sorted(explained) == sorted(v.STATUSES.ids)


def test_the_architecture_lists_the_status_rules_in_their_order() -> None:
    names = {rule.name for rule in rules.RULES}
    told = [(row[0], row[2]) for row in rows(ARCHITECTURE) if row[0] in names]
    assert told == [(rule.name, rule.status) for rule in rules.RULES]


def test_the_architecture_lists_the_tables_with_their_keys() -> None:
    assert tables.tables
    told = {
        row[0]: row[1].split(" (")[0]
        for row in rows(ARCHITECTURE)
        if row[0] in SQLModel.metadata.tables
    }
    assert told == {
        name: ", ".join(column.name for column in found.primary_key)
        for name, found in SQLModel.metadata.tables.items()
    }


def test_the_architecture_tells_how_the_causal_claim_ran(shared: Store) -> None:
    periods = table(StatusPeriod)
    columns = (periods.c[name] for name in ("starts", "ends", "status", "rule", "certainty"))
    statement = (
        select(*columns).where(periods.c.claim == "ccsvi-causes-ms").order_by(periods.c.starts)
    )
    with shared.database.read() as connection:
        ran = [
            [(cell or "").replace("_", " ") for cell in row]
            for row in connection.execute(statement)
        ]
    told = [
        [cell.replace("_", " ") for cell in row[:5]]
        for row in rows(ARCHITECTURE)
        if row[0][:1].isdigit()
    ]
    assert told == ran


@pytest.mark.parametrize("decision", DECISIONS, ids=lambda path: path.name)
def test_a_decision_has_its_parts_and_is_linked(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    assert text.startswith(f"# {decision.name[:4]}: ")
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == [
        "Context",
        "Decision",
        "Consequences",
    ]
    assert f"(decisions/{decision.name})" in ARCHITECTURE
