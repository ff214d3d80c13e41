"""The house keeps its order: who imports whom, where the databases are told apart, what is documented."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import api
import models
from api.settings import ROOT

LONGEST = 420
ROOMS = ("api", "models")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
DIALECTS = re.compile(r"sqlite|postgresql|dialect", re.IGNORECASE)
ENVIRONMENT = re.compile(r"\bos\.environ|\bgetenv\b|\bfrom os import\b.*\benviron")


def name(path: Path) -> str:
    """Return a file's name within the checkout."""
    return path.relative_to(ROOT).as_posix()


def imported(path: Path) -> Iterator[str]:
    """Yield the names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_the_packages_are_those_of_this_checkout() -> None:
    here = Path(__file__).resolve().parent.parent
    assert here == ROOT
    for package in (api, models):
        assert package.__file__ is not None
        assert Path(package.__file__).resolve().parent == here / package.__name__


def test_models_does_not_import_api() -> None:
    found = [
        f"{name(path)} imports {module}"
        for path in MODULES
        if name(path).startswith("models/")
        for module in imported(path)
        if module.split(".")[0] == "api"
    ]
    assert found == []


def test_the_databases_are_told_apart_in_one_place() -> None:
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in MODULES
        if not name(path).startswith(("models/database/", "models/migrations/"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if DIALECTS.search(line)
    ]
    assert found == [], "what differs between the databases belongs in models/database/"


def test_environment_variables_are_read_in_one_place() -> None:
    found = [
        name(path)
        for path in MODULES
        if name(path) != "api/settings.py" and ENVIRONMENT.search(path.read_text(encoding="utf-8"))
    ]
    assert found == [], "a setting belongs in api/settings.py"


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_no_file_is_too_long(room: str) -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / room).rglob("*.py")}
    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_what_is_public_has_a_docstring() -> None:
    missing = []
    for path in MODULES:
        if name(path).startswith("models/migrations/versions/"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if tree.body and not ast.get_docstring(tree):
            missing.append(name(path))
        for node in tree.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("_") and not ast.get_docstring(node):
                missing.append(f"{name(path)}:{node.lineno} {node.name}")
    assert missing == []
