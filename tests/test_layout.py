"""The house keeps its order: who imports whom, where the databases are told apart, what is
documented.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import api
import models
from api.settings import ROOT

# The rooms of each house from the lowest floor up. Rooms of one floor do not know each other.
ORDER = {
    "models": [
        {"core"},
        {"database"},
        {"records"},
        {"status"},
        {"search"},
        {"access"},
        {"projection"},
        {"read", "write"},
        {"migrations"},
        {"transfer"},
    ],
    "api": [
        {"settings", "pictures"},
        {"citations"},
        {"tables"},
        {"http"},
        {"routes"},
        {"mcp", "site"},
        {"main"},
        {"cli"},
        {"__main__"},
    ],
}
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


def test_rooms_import_downwards_alone() -> None:
    found = [
        f"{name(path)} imports {module}"
        for path in MODULES
        for module in imported(path)
        if not may_import(
            room_of(name(path).removesuffix(".py").split("/")), room_of(module.split("."))
        )
    ]
    assert found == [], "a room imports the rooms on the floors below it, see ORDER"


def room_of(parts: list[str]) -> tuple[str, str] | None:
    """Return the house and the room that a module is in, or None where it is none of ours."""
    if parts[0] not in ORDER or len(parts) < 2 or parts[1] == "__init__":
        return None
    return parts[0], parts[1]


def may_import(room: tuple[str, str] | None, other: tuple[str, str] | None) -> bool:
    """Say whether the order lets a module of one room import one of the other."""
    if room is None or other is None or room == other:
        return True
    if room[0] != other[0]:
        return other[0] == "models"
    floors = {name: floor for floor, names in enumerate(ORDER[room[0]]) for name in names}
    return floors[other[1]] < floors[room[1]]


def test_every_room_is_in_the_order() -> None:
    for house, order in ORDER.items():
        there = {path.stem if path.is_file() else path.name for path in (ROOT / house).iterdir()}
        named = {room for floor in order for room in floor}
        assert there - {"__init__", "__pycache__", "examples"} == named, house


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
