"""The wheel, installed by each Python that is here, serves outside the checkout.

Its data survives another installation.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api.settings import PREFIX, ROOT
from tests.command_line import free_port
from tests.databases import SEEDED

pytestmark = pytest.mark.slow

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
# What a wheel is built from.
PARTS = ("pyproject.toml", "README.md", "LICENSE", "api", "models", "seed_data")
START_SECONDS = 60


def find_python(version: str) -> str | None:
    """Return the interpreter of a version, or None if there is none that starts."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = [shutil.which(name), *map(str, pyenv.glob(f"versions/{version}.*/bin/{name}"))]
    for each in filter(None, found):
        if subprocess.run([each, "--version"], capture_output=True, check=False).returncode == 0:
            return each
    return None


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that nothing is left in the checkout."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / part)
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    subprocess.run([sys.executable, "-m", "pip", *build, folder, copy], check=True)
    return next(folder.glob("*.whl"))


def clean_environment(**more: str) -> dict[str, str]:
    """Return the environment of a user who has set nothing, and who is not in the checkout."""
    ours = (PREFIX, "PYTHON", "XDG_DATA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | more


@contextmanager
def serving(program: Path, home: Path) -> Iterator[int]:
    """Serve outside the checkout, in an empty folder, and return the port."""
    port = free_port()
    process = subprocess.Popen(
        [program, "serve", "--port", str(port)], cwd=home, env=clean_environment(HOME=str(home))
    )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)


def ask(port: int, path: str) -> dict[str, object]:
    """Return an answer of the server, which may still be starting."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
                return dict(json.load(answer))
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wheel_serves_and_keeps_its_data(version: str, wheel: Path, tmp_path: Path) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"Python {version} is not here")
    environment, home = tmp_path / "environment", tmp_path / "home"
    home.mkdir()
    subprocess.run([python, "-m", "venv", environment], check=True)

    def install(*arguments: str | Path) -> None:
        pip = [environment / "bin" / "python", "-m", "pip", "install", "--quiet", *arguments]
        subprocess.run(pip, cwd=home, env=clean_environment(), check=True)

    install("--require-hashes", "-r", ROOT / "requirements" / "run.txt")
    install("--no-deps", wheel)
    program = environment / "bin" / "claimbase"
    with serving(program, home) as port:
        assert ask(port, "/v1")["serial"] == SEEDED
        assert ask(port, "/v1/claims/ccsvi-causes-ms")["status"] == "refuted"

    def claimbase(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments],
            cwd=home,
            env=clean_environment(HOME=str(home)),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    claimbase("keys", "create", "--name", "Anna Example", "--role", "admin")
    install("--no-deps", "--force-reinstall", wheel)
    assert "Anna Example" in claimbase("keys", "list")
    assert "all agrees" in claimbase("check")
