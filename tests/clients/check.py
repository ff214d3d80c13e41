"""Linters and generators of OpenAPI, what they generate, the client in `clients/python`, and the
notebooks, against a running server.

Run by `make check-clients`. It installs them into a temporary folder, in the versions of
`package-lock.json` and `requirements.txt` beside this file. Whoever has no node, no Java or no
registries is told so, and what needs them is left out.
"""

import difflib
import json
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
SERVED = "http://127.0.0.1:8000"
SAID_BY_CLIENT = r"ccsvi-causes-ms 2019-12-31\n.*contested\nTY  - JOUR\n.*ER  - \n+"
CLIENT = Path("clients", "python")
NOTEBOOKS = Path("docs", "notebooks")
START_SECONDS = 60
# What redocly prints beside its findings; everything else that a linter prints is one.
QUIET = {"REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "REDOCLY_TELEMETRY": "off"}
# A notebook that installs what it needs gets what is pinned. pip reads this 0 as "no isolation".
PIP_OF_NOTEBOOKS = {
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}
EXPECTED_COUNT = "ccsvi-causes-ms:cochrane-2019 17"


class Failed(Exception):
    """A program that failed, with what it printed."""


def run(folder: Path, *command: str, **variables: str) -> str:
    """Return what a program prints, run in a folder. Raises Failed if it ends with an error."""
    place = os.pathsep.join([str(folder / "bin"), str(folder / "node_modules/.bin")])
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **QUIET, **variables, "PATH": path}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Failed(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def absent(folder: Path, programs: Sequence[str], registry: str, *command: str) -> str | None:
    """Return which of these programs is not here, or the registry that a command asks, or None."""
    for program in programs:
        if shutil.which(program) is None:
            return program
    try:
        run(folder, *command)
    except Failed:
        return f"the registry of {registry}"
    return None


def install_python(folder: Path) -> None:
    """Install the pinned programs in Python, and the client of this checkout."""
    run(folder, sys.executable, "-m", "venv", str(folder))
    pip = ("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(folder, *pip, "--require-hashes", "-r", "requirements.txt")
    run(folder, *pip, "--no-deps", "--no-build-isolation", f"./{CLIENT}")


def install_node(folder: Path) -> None:
    """Install the pinned programs of npm."""
    run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")


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
    return run(folder, "python", "uses.py", address)


def executed(folder: Path, address: str) -> dict[str, str]:
    """Return the notebooks of this checkout by their names, as they are after they were run."""
    found = {}
    for notebook in sorted((folder / NOTEBOOKS).glob("*.ipynb")):
        run(folder, "python", "run_notebook.py", str(notebook), SERVER=address, **PIP_OF_NOTEBOOKS)
        found[notebook.name] = notebook.read_text(encoding="utf-8")
    return found


def printed(notebook: str) -> list[str]:
    """Return what the cells of a notebook gave, as lines of JSON. Of a picture only that it is
    there: its bytes depend on the machine.
    """
    outputs = [
        output for cell in json.loads(notebook)["cells"] for output in cell.get("outputs", [])
    ]
    for output in outputs:
        if "image/png" in output.get("data", {}):
            output["data"]["image/png"] = "…"
    return json.dumps(outputs, indent=1, ensure_ascii=False).splitlines()


def check_client(folder: Path, address: str) -> None:
    """Check the types of the installed client, and run the notebooks. Raises Failed."""
    (use,) = blocks((folder / CLIENT / "README.md").read_text(encoding="utf-8"), "python")
    (folder / "client_readme.py").write_text(use.replace(SERVED, address), encoding="utf-8")
    run(folder, "python", "-m", "mypy", "--strict", "typed_uses.py", "client_readme.py")
    if not re.fullmatch(
        SAID_BY_CLIENT, said := run(folder, "python", "client_readme.py"), re.DOTALL
    ):
        raise Failed(f"The README of {CLIENT} prints:\n{said}")
    for name, notebook in executed(folder, address).items():
        committed = printed((ROOT / NOTEBOOKS / name).read_text(encoding="utf-8"))
        given = printed(notebook)
        if given != committed:
            lines = difflib.unified_diff(committed, given, "committed", "given", lineterm="")
            raise Failed("\n".join([name, *lines, "Run `make notebooks`."]))


def copy(folder: Path) -> None:
    """Copy what is run into a folder, so that nothing is built in the checkout."""
    for each in HERE.iterdir():
        if each.is_file() and each.name != "__init__.py":
            shutil.copy(each, folder)
    for part in (CLIENT, NOTEBOOKS):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    page = (ROOT / "docs" / "front-end.md").read_text(encoding="utf-8")
    (folder / "page.ts").write_text("\n".join(blocks(page, "ts")), encoding="utf-8")


def check(folder: Path, with_node: bool) -> None:
    """Run all that can be run here: what it prints is what the README says. Raises Failed."""
    installers = (install_python, install_node) if with_node else (install_python,)
    uses = (check_typescript, check_python) if with_node else (check_python,)
    listed, _, cited = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "text")[-3:]
    with serving(folder) as address, ThreadPoolExecutor() as work:
        (folder / "openapi.json").write_text(fetch(f"{address}/openapi.json"), encoding="utf-8")
        list(work.map(lambda install: install(folder), installers))
        others = [work.submit(check_client, folder, address)]
        if with_node:
            others.append(work.submit(lint, folder))
        for said in work.map(lambda use: use(folder, address), uses):
            expected = f"{listed}{EXPECTED_COUNT}\n{cited}"
            if said != expected:
                raise Failed(f"printed:\n{said}\nexpected:\n{expected}")
        for other in others:
            other.result()


def write_notebooks(folder: Path) -> None:
    """Run the notebooks of this checkout, and write what they give into them."""
    install_python(folder)
    with serving(folder) as address:
        for name, notebook in executed(folder, address).items():
            (ROOT / NOTEBOOKS / name).write_text(notebook, encoding="utf-8")


def main(arguments: Sequence[str] = ()) -> int:
    """Return 0, or 1 after saying what failed."""
    with tempfile.TemporaryDirectory(prefix="claimbase-clients-") as name:
        folder = Path(name)
        copy(folder)
        if missing := absent(
            folder, (), "Python", sys.executable, "-m", "pip", "download", "--no-deps", "attrs"
        ):
            print(f"Clients are not checked: {missing} is not here.")
            return 0
        npm = ("npm", "view", "openapi-fetch", "version")
        missing = absent(folder, ("node", "npm", "java"), "npm", *npm)
        try:
            if "--write-notebooks" in arguments:
                write_notebooks(folder)
                return 0
            check(folder, with_node=missing is None)
        except Failed as error:
            print(error)
            return 1
    print("The clients in Python do what the README says, and the notebooks give what they show.")
    print(
        f"Linters and clients in TypeScript are not checked: {missing} is not here."
        if missing
        else "Linters found nothing, and the clients in TypeScript do what the README says."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
