"""The files that ship the program say nothing that the program does not know.

What can rot in them is held here.
"""

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from sqlalchemy import make_url

from api.cli.app import app as commands
from api.http import server
from api.main import ROUTERS
from api.settings import ROOT, Settings
from models.database import several_hosts
from models.database.connections import connect
from tests.drills.test_patroni import DCS, HAPROXY

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
CLUSTER = yaml.safe_load((ROOT / "compose.patroni.yaml").read_text(encoding="utf-8"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions, each with what follows it, on one line."""
    lines = [
        line
        for line in DOCKERFILE.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in whole.splitlines()]


def stages() -> list[list[tuple[str, str]]]:
    """Return the instructions by stage; each begins with its FROM."""
    found: list[list[tuple[str, str]]] = []
    for instruction in instructions():
        if instruction[0] == "FROM":
            found.append([])
        # What precedes the first stage is for all of them.
        if found:
            found[-1].append(instruction)
    return found


def last(word: str) -> str:
    """Return what the final stage says last with this instruction."""
    return [rest for instruction, rest in stages()[-1] if instruction == word][-1]


def environment() -> dict[str, str]:
    """Return the settings that the image makes, by field."""
    pairs = [pair.partition("=") for pair in last("ENV").split()]
    return {
        key.removeprefix("CLAIMBASE_").lower(): value
        for key, _, value in pairs
        if key.startswith("CLAIMBASE_")
    }


def pins(file: str) -> Iterator[tuple[str, str, int]]:
    """Yield each pinned dependency of a requirements file: name, version, number of hashes."""
    text = (ROOT / "requirements" / file).read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        match = re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([^\s;]+)", line)
        assert match, f"not pinned: {line}"
        yield (
            canonicalize_name(match[1]),
            match[2],
            len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line)),
        )


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    named = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = [
        rest.split()[:-1]
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
    ]
    sources = [source for each in copied for source in each]
    assert sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in named, f"{source} is kept out by .dockerignore"


def test_the_base_images_are_pinned_and_alike() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert bases == ["${BASE}", "${BASE}"]
    version = re.search(r"^ARG BASE=python:(\d+\.\d+)-", DOCKERFILE, re.MULTILINE)
    assert version
    assert f"{version[1]}.0" in SpecifierSet(PROJECT["project"]["requires-python"])


def test_the_image_does_not_run_as_root() -> None:
    words = [word for word, _ in stages()[-1]]
    assert words.index("USER") > max(place for place, word in enumerate(words) if word == "RUN")
    user, _, group = last("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_the_image_keeps_its_data_on_its_volume() -> None:
    settings = Settings(**environment())  # type: ignore[arg-type]
    path = str(make_url(settings.database_url).database)
    assert path.startswith(last("VOLUME") + "/")
    assert str(settings.port) == last("EXPOSE")
    assert settings.host == "0.0.0.0"  # noqa: S104
    assert server.SHUTDOWN_SECONDS < 10, "Docker kills ten seconds after it asked"


def test_the_image_starts_a_command_that_there_is() -> None:
    program, command = json.loads(last("CMD"))
    assert program in PROJECT["project"]["scripts"]
    assert command in {
        each.name or each.callback.__name__
        for each in commands.registered_commands
        if each.callback
    }


def test_the_health_check_asks_a_route() -> None:
    word, *command = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    assert word == "python"
    assert command[0] == "-c"
    asked = [
        node.value for node in ast.walk(ast.parse(command[1])) if isinstance(node, ast.Constant)
    ]
    paths = {getattr(route, "path", None) for router in ROUTERS for route in router.routes}
    assert [value for value in asked if str(value).startswith("/")] == ["/readyz"]
    assert "/readyz" in paths


DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))


@pytest.mark.parametrize(
    "file",
    ["Dockerfile", "compose.yaml", "README.md", "CONTRIBUTING.md", "Makefile", *DOCUMENTS],
)
def test_every_variable_is_a_setting(file: str) -> None:
    named = set(re.findall(r"\bCLAIMBASE_(\w+)", (ROOT / file).read_text(encoding="utf-8")))
    assert {name.lower() for name in named} <= set(Settings.model_fields)


def test_compose_starts_the_program_on_a_healthy_database() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    program, server = services["claimbase"], services["postgres"]
    assert program["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert server["healthcheck"]["test"]
    assert re.fullmatch(r"postgres:18(\.\d+)?(-\w+)?", server["image"])
    # From version 18 the image refuses a volume at …/data.
    assert server["volumes"] == ["postgres:/var/lib/postgresql"]
    assert "postgres" in yaml.safe_load(COMPOSE)["volumes"]
    assert program["read_only"] is True
    assert program["cap_drop"] == ["ALL"]


def test_compose_passes_an_address_that_fits_the_server() -> None:
    services = yaml.safe_load(COMPOSE)["services"]
    given, server = (
        services["claimbase"]["environment"]["CLAIMBASE_DATABASE_URL"],
        services["postgres"]["environment"],
    )
    url = make_url(re.sub(r"\$\{.*?\}", "secret", given))
    assert (url.host, url.username, url.database) == (
        "postgres",
        server["POSTGRES_USER"],
        server["POSTGRES_DB"],
    )
    connect(url.render_as_string(hide_password=False)).close()


def test_compose_holds_no_password() -> None:
    uses = re.findall(r"PASSWORD[^\n]*\$\{(.*?)\}|:\$\{(.*?)\}@", COMPOSE)
    assert len(uses) == 2
    assert all((first or second).startswith("POSTGRES_PASSWORD:?") for first, second in uses)


@pytest.mark.parametrize("file", ["run.txt", "match.txt", "dev.txt"])
def test_requirements_are_pinned_with_hashes_and_hold_no_address(file: str) -> None:
    assert "://" not in (ROOT / "requirements" / file).read_text(encoding="utf-8")
    assert [name for name, _, hashes in pins(file) if not hashes] == []


def test_every_dependency_is_pinned_as_the_project_asks() -> None:
    run = {name: version for name, version, _ in pins("run.txt")}
    match = {name: version for name, version, _ in pins("match.txt")}
    dev = {name: version for name, version, _ in pins("dev.txt")}
    assert run.items() <= match.items() <= dev.items(), "run `make lock`"
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    needed = [
        *project["dependencies"],
        *project["optional-dependencies"]["postgres"],
        *groups["build"],
    ]
    developing = [*groups["bench"], *(each for each in groups["dev"] if isinstance(each, str))]
    matching = project["optional-dependencies"]["match"]
    for wanted, pinned in ((needed, run), (matching, match), (developing, dev)):
        for requirement in map(Requirement, wanted):
            assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, (
                "run `make lock`"
            )


def test_every_package_and_every_data_file_is_installed() -> None:
    setuptools = PROJECT["tool"]["setuptools"]
    files = [
        path
        for room in ("api", "models", "seed_data")
        for path in (ROOT / room).rglob("*")
        if path.is_file()
    ]
    shipped = [path.relative_to(ROOT) for path in files if "__pycache__" not in path.parts]
    packages = {".".join(path.parent.parts) for path in shipped if path.suffix == ".py"}
    assert {*packages, "seed_data"} == set(setuptools["packages"])
    data = {
        path
        for room, globs in setuptools["package-data"].items()
        for each in globs
        for path in (ROOT / room).glob(each)
    }
    assert [path for path in shipped if path.suffix != ".py" and ROOT / path not in data] == []


def test_the_cluster_that_is_offered_is_the_one_that_is_drilled() -> None:
    contents = {
        name: each["content"].replace("$$", "$") for name, each in CLUSTER["configs"].items()
    }
    offered = yaml.safe_load(contents["patroni"])["bootstrap"]["dcs"]
    drilled = {**DCS, "postgresql": {"use_pg_rewind": True}}
    assert offered == drilled
    for line in HAPROXY.splitlines():
        # What is long, or counted, may differ; by which the primary is found may not.
        if any(word in line for word in ("httpchk", "http-check", "default-server")):
            assert line in contents["haproxy"]
    urls = CLUSTER["services"]["claimbase1"]["environment"]
    hosts = several_hosts.parse(urls["CLAIMBASE_READ_DATABASE_URL"])[1]
    nodes = [name for name in CLUSTER["services"] if name.startswith("patroni")]
    assert [host.name for host in hosts] == nodes
    known = {f"CLAIMBASE_{name.upper()}" for name in Settings.model_fields}
    assert urls.keys() <= known
