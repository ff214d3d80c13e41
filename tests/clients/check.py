"""Linters and generators of OpenAPI, and what they generate, against a running server.

Run by `make check-clients`. It installs them into a temporary folder, in the versions of
`package-lock.json` and `requirements.txt` beside this file. Whoever has no node, no Java or no
registries is told so, and nothing fails.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
NEEDED = ("node", "npm", "java")
START_SECONDS = 60
# What redocly prints beside its findings; everything else that a linter prints is one.
QUIET = {"REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "REDOCLY_TELEMETRY": "off"}
EXPECTED_COUNT = "ccsvi-causes-ms:cochrane-2019 17"


class Failed(Exception):
    """A program that failed, with what it printed."""


def run(folder: Path, *command: str) -> str:
    """Return what a program prints, run in a folder. Raises Failed if it ends with an error."""
    place = os.pathsep.join([str(folder / "bin"), str(folder / "node_modules/.bin")])
    environment = {**os.environ, **QUIET, "PATH": f"{place}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def missing(folder: Path) -> str | None:
    """Return what is not here of what all this needs, or None."""
    for program in NEEDED:
        if shutil.which(program) is None:
            return program
    for registry, *command in (
        ("the registry of npm", "npm", "view", "openapi-fetch", "version"),
        ("the registry of Python", sys.executable, "-m", "pip", "download", "--no-deps", "attrs"),
    ):
        try:
            run(folder, *command)
        except Failed:
            return registry
    return None


def install(folder: Path) -> None:
    """Install the pinned programs."""
    environment = folder / "bin" / "python"
    run(folder, sys.executable, "-m", "venv", str(folder))
    pip = (str(environment), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    npm = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    with ThreadPoolExecutor() as both:
        each = [
            both.submit(run, folder, *npm),
            both.submit(run, folder, *pip, "--require-hashes", "-r", "requirements.txt"),
        ]
        for installed in each:
            installed.result()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run a server on the seed content; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    variables = {"CLAIMBASE_DATABASE_URL": f"sqlite:///{folder / 'clients.db'}"}
    command = (sys.executable, "-m", "api", "serve", "--port", port)
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **variables}, stdout=log, stderr=log
        )
    try:
        for _ in range(START_SECONDS * 5):
            try:
                fetch(f"{address}/readyz")
                break
            except urllib.error.URLError:
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def fetch(address: str) -> str:
    """Return the text at an address."""
    with urllib.request.urlopen(address) as answer:  # noqa: S310
        return str(answer.read().decode())


def blocks(text: str, language: str) -> list[str]:
    """Return the blocks of code in a language of a Markdown text."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def lint(folder: Path) -> None:
    """Run the linters. Raises Failed if they find anything."""
    problems = run(folder, "redocly", "lint", "openapi.json", "--format", "json")
    if '"totals":{"errors":0,"warnings":0' not in re.sub(r"\s", "", problems):
        raise Failed(f"redocly\n{problems}")
    run(folder, "spectral", "lint", "openapi.json", "-r", "spectral.yaml", "--fail-severity=hint")


def check_typescript(folder: Path, address: str) -> str:
    """Generate three clients, compile them and the uses; return what the uses print."""
    generator = ("openapi-generator-cli", "generate", "-i", "openapi.json", "-o")
    for command in (
        ("openapi-typescript", "openapi.json", "--output", "claimbase.d.ts"),
        ("openapi-ts", "-i", "openapi.json", "-o", "hey-api"),
        (*generator, "openapi-generator", "-g", "typescript-fetch"),
        ("tsc", "--project", "."),
    ):
        run(folder, *command)
    return run(folder, "node", "built/uses.js", address)


def check_python(folder: Path, address: str) -> str:
    """Generate a client and return what the uses print."""
    generator = ("openapi-python-client", "generate", "--path", "openapi.json")
    said = run(folder, *generator, "--output-path", "client", "--config", "python-client.yml")
    if "WARNING" in said or "ERROR" in said:
        raise Failed(f"openapi-python-client\n{said}")
    shutil.move(folder / "client" / "generated_client", folder / "generated_client")
    return run(folder, str(folder / "bin" / "python"), "uses.py", address)


def check(folder: Path) -> None:
    """Lint the document, generate clients, compile and run the README's uses. Raises Failed."""
    for each in HERE.iterdir():
        if each.is_file():
            shutil.copy(each, folder)
    install(folder)
    page = (ROOT / "docs" / "front-end.md").read_text(encoding="utf-8")
    (folder / "page.ts").write_text("\n".join(blocks(page, "ts")), encoding="utf-8")
    listed, _, cited = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "text")[-3:]
    with serving(folder) as address, ThreadPoolExecutor() as work:
        (folder / "openapi.json").write_text(fetch(f"{address}/openapi.json"), encoding="utf-8")
        linted = work.submit(lint, folder)
        uses = [work.submit(each, folder, address) for each in (check_typescript, check_python)]
        linted.result()
        for use in uses:
            # As the README says that they print.
            expected = f"{listed}{EXPECTED_COUNT}\n{cited}"
            if use.result() != expected:
                raise Failed(f"printed:\n{use.result()}\nexpected:\n{expected}")


def main(_arguments: Sequence[str] = ()) -> int:
    """Return 0, or 1 after saying what failed."""
    with tempfile.TemporaryDirectory(prefix="claimbase-clients-") as name:
        folder = Path(name)
        if absent := missing(folder):
            print(f"Clients are not checked: {absent} is not here.")
            return 0
        try:
            check(folder)
        except Failed as error:
            print(error)
            return 1
    print("Linters found nothing, and the generated clients do what the README says.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
