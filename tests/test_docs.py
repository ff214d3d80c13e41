"""The documents and the program agree.

What the program has and no document names fails, and so does what a document names or shows
wrongly.
"""

import contextlib
import importlib
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select
from sqlmodel import SQLModel
from typer.main import get_command

from api.cli.app import app as commands
from api.settings import ROOT, Settings
from models.core import vocabularies as v
from models.core.notice import SHORT_NOTICE
from models.migrations import tables
from models.projection.tables import StatusPeriod
from models.read import listings
from models.records.claim import Claim
from models.records.serializers import table
from models.records.source import Source
from models.status import rules
from tests.databases import Store
from tests.models.periods import runs_of

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
API = (DOCS / "api.md").read_text(encoding="utf-8")
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")
CITATIONS = (DOCS / "citations.md").read_text(encoding="utf-8")
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
CURATING = (DOCS / "curating.md").read_text(encoding="utf-8")
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")
RESULTS = (ROOT / "benchmarks" / "results" / "100000.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "benchmarks" / "README.md"])
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
SERVED = "http://127.0.0.1:8000"
LONGEST_README = 700

# The lists in the table of filters, and the parameters that it leaves to the text around it.
LISTS = {"claims": "/v1/claims", "evidence": "/v1/evidence", "sources": "/v1/sources"}
NO_FILTERS = {
    *("limit", "cursor", "count", "sort", "fields", "include", "min_serial"),
    *("format", "style", "locale", "remarks", "highlight", "bom"),
}

# Constants that look like bounds on what a stranger may send. Those that are none say why.
BOUND = r"^((?:MOST|MAX|DEEPEST|LEAST_RATE|AT_ONCE)\w*|\w+_PER_MINUTE)(?:: \w+)? = "
NO_BOUNDS = {
    "api.citations.parse_result.MOST_NAME_LENGTH": "of one name that is told",
    "api.citations.reading_process.MOST_KEPT_MEMORY": "what an idle process keeps of MOST_MEMORY",
    "api.citations.registries.MOST_BYTES": "of an answer of a registry, asked by a command",
    "api.citations.registries.MOST_FAILURES": "of requests that a command makes",
    "api.citations.registries.MOST_QUOTED": "of what a registry says, which is then stored",
    "api.citations.registries.MOST_REDIRECTS": "of requests that a command makes",
    "api.citations.registries.MOST_WAIT": "of a command for a registry",
    "api.citations.verify.MOST_BYTES": "of an answer of a registry, asked by a command",
    "api.http.clients.MOST_ADDRESSES": "of short texts",
    "api.http.pagination.MOST_KNOWN": "of short texts that the server itself wrote",
    "api.http.rate_limits.FAILED_KEYS_PER_MINUTE": "told in the table of limits",
    "api.http.request_body.MOST_DIGITS": "of a number, which is too large beyond them",
    "api.http.request_body.MOST_EXACT": "a number, told in the table of limits",
    "models.core.types.MAX_INTEGER": "a number, told where a field has it",
    "models.database.prepared_statements.MAX_PREPARED": "of statements, which few shapes make",
    "models.read.relation_graph.MAX_CHAINS": "told in the route",
    "models.read.relation_graph.MAX_PATHS": "told in the route",
    "models.read.relation_graph.MAX_STEPS": "told in the route",
    "models.read.search_results.MAX_HIGHLIGHTS": "told in the route",
    "models.read.search_results.MAX_SUGGESTIONS": "told in the route",
    "models.records.near_matches.MAX_SUGGESTIONS": "of what was compared",
    "models.search.nearest.MAX_OUTDATED": "of vectors in memory, beside those of MAX_VECTORS",
    "models.search.tokenizer.MAX_CACHED": "of words, which have a length of their own",
    "models.search.tokenizer.MAX_POSITIONS": "of the index, which is told in docs/search.md",
    "models.search.tokenizer.MAX_TOKENS": "of the index, which is told in docs/search.md",
    "models.search.tokenizer.MAX_TOKEN_LENGTH": "of the index, which is told in docs/search.md",
    "models.write.changes.MAX_CACHED": "of records of one change, whose body is bounded",
}


def blocks(document: str, *languages: str) -> list[str]:
    """Return the code blocks in these languages."""
    found = re.findall(r"^```(\w+)\n(.*?)^```", document, flags=re.MULTILINE | re.DOTALL)
    return [code for language, code in found if language in languages]


def rows(document: str) -> list[list[str]]:
    """Return the cells of every table's rows, without the marks of code."""
    lines = re.findall(r"^\|(.+)\|$", document, flags=re.MULTILINE)
    cells = [re.split(r"(?<!\\)\|", line) for line in lines]
    return [[cell.strip().replace("`", "") for cell in row] for row in cells]


def words(cell: str) -> list[str]:
    """Return the items of a cell that lists them with commas."""
    return [word for word in cell.split(", ") if word]


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, made as the common renderers make them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def examples() -> list[str]:
    """Return the addresses that the examples of all documents read from the API."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        code = "\n".join(blocks(text, "sh", "js", "python", "html"))
        found += re.findall(re.escape(SERVED) + r"(/[^'\"\s]*+)(?!' --json)", code)
        found += re.findall(r"^GET (/\S+)", text, flags=re.MULTILINE)
    return found


def requests() -> list[tuple[str, str, str]]:
    """Return each command with `curl` that an answer is shown for: document, command, answer."""
    shown = re.compile(r"^```sh\n([^`]*)^```\n+```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
    found = []
    for document in DOCUMENTS:
        for code, answer in shown.findall(document.read_text(encoding="utf-8")):
            command = code.strip().splitlines()[-1]
            if command.startswith("curl ") and "/stream" not in command:
                found.append((document.name, command, answer))
    return found


def ask(client: TestClient, command: str) -> str:
    """Return the text that a command with `curl` gets, whatever its status."""
    _, *arguments = shlex.split(command)
    headers = {}
    while arguments[0] == "-H":
        name, _, value = arguments[1].partition(": ")
        headers[name] = value
        arguments = arguments[2:]
    url, *sent = arguments
    if sent:
        option, body = sent
        assert option == "--json"
        return client.post(url.removeprefix(SERVED), json=json.loads(body), headers=headers).text
    return client.get(url.removeprefix(SERVED), headers=headers).text


def parameters(client: TestClient, path: str) -> dict[str, Any]:
    """Return the schemas of the query parameters that a list takes, by name."""
    listed = client.get("/openapi.json").json()["paths"][path]["get"]["parameters"]
    return {each["name"]: each["schema"] for each in listed if each["in"] == "query"}


def leaves(command: Any, name: str = "") -> dict[str, Any]:
    """Return the commands that do something, by their full names."""
    if not hasattr(command, "commands"):
        return {name: command}
    found = {}
    for part, inner in command.commands.items():
        found.update(leaves(inner, f"{name} {part}".strip()))
    return found


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= LONGEST_README, "move what is more to a page of docs/"


def test_every_page_is_reached_from_the_readme() -> None:
    pages = [f"docs/{path.name}" for path in sorted(DOCS.glob("*.md"))]
    assert pages
    assert [page for page in pages if not re.search(rf"\]\({page}[)#]", README)] == []


def test_the_readme_quotes_the_results() -> None:
    figures = [row for row in rows(RESULTS) if row[0].isdigit()]
    measured = {row[1]: (row[3].partition(" (")[0], row[2]) for row in figures}
    quotes = [row for row in rows(README) if " × " in row[2]]
    quoted = {
        f"{work}: {beside} [×]": (result.partition(" × ")[0], aim)
        for work, beside, result, aim in quotes
    }
    assert len(quoted) == 6
    assert quoted == {label: measured.get(label) for label in quoted}


def test_the_readme_shows_what_a_start_prints(shared: Store) -> None:
    with shared.database.read() as connection:
        claims = connection.scalar(select(func.count()).select_from(table(Claim)))
        sources = connection.scalar(select(func.count()).select_from(table(Source)))
        serial = listings.current_serial(connection)
    assert f"Seeded an empty database with {serial} records from …/seed_data.\n" in README
    assert f": {claims} claims, {sources} sources, serial {serial}, sqlite:///…" in README


def test_every_route_is_documented(client: TestClient) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    paths = client.get("/openapi.json").json()["paths"]
    assert [path for path in paths if f"`{path}`" not in text] == [], (
        "name them in docs/api.md or docs/curating.md, in backticks"
    )


def test_the_tables_of_routes_are_those_of_the_program(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    offered = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    reads = [row[0] for row in rows(API) if row[0].startswith("/")]
    writes = [row[0] for row in rows(CURATING) if re.match("POST|PUT", row[0])]
    documented = {("GET", path) for cell in reads for path in re.findall(r"/[\w{}/.-]+", cell)}
    documented |= {
        ("POST", "/v1/sources:parse"),
        *(("POST", f"/v1/{kind}:lookup") for kind in ("sources", "claims", "evidence")),
        ("POST", "/v1/claims:match"),
    }
    for cell in writes:
        for methods, named in re.findall(r"((?:[A-Z]+(?:, )?)+) ((?:/[^\s,]+(?:, )?)+)", cell):
            documented |= {(method, path) for method in words(methods) for path in words(named)}
    assert documented == offered


def terms_of(client: TestClient, reference: dict[str, str]) -> list[str]:
    """Return the terms of a list that the document has among its schemas."""
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    terms: list[str] = schemas[reference["$ref"].rpartition("/")[2]]["enum"]
    return terms


@pytest.mark.parametrize("name", LISTS)
def test_the_table_of_filters_is_that_of_the_program(name: str, client: TestClient) -> None:
    (row,) = [row for row in rows(API) if row[0] == name and len(row) == 4]
    offered = parameters(client, LISTS[name])
    assert sorted(words(row[1])) == sorted(offered.keys() - NO_FILTERS)
    for parameter, cell in (("sort", row[2]), ("include", row[3])):
        terms = [each for each in terms_of(client, offered[parameter]["items"]) if each[0] != "-"]
        assert words(cell) == terms


def test_the_table_of_formats_is_that_of_the_program(client: TestClient) -> None:
    formats = {row[0]: row[1].partition(",")[0] for row in rows(CITATIONS) if "/" in row[1]}
    offered = parameters(client, "/v1/sources")["format"]
    assert {"json", "jsonl", *formats} == set(terms_of(client, offered))
    for name, media_type in formats.items():
        answer = client.get(f"/v1/sources?limit=1&format={name}")
        assert answer.headers["content-type"].partition(";")[0] == media_type


def test_the_styles_are_those_of_the_program(client: TestClient) -> None:
    refused = client.get("/v1/sources?format=bibliography&style=no-style").json()
    (error,) = refused["errors"]
    (sentence,) = re.findall(r"^Styles are (.+?)\.$", CITATIONS, flags=re.MULTILINE | re.DOTALL)
    named = re.findall(r"`([\w-]+)`", sentence)
    assert named == error["allowed"]
    count = client.get("/v1/citation-styles?count=exact&limit=1").json()["page"]["count"]
    assert f"`style=` takes any of {count:,} styles" in CITATIONS


def test_every_setting_is_in_the_operations() -> None:
    documented = [row[0] for row in rows(OPERATIONS) if row[0].startswith("CLAIMBASE_")]
    assert documented == [f"CLAIMBASE_{name.upper()}" for name in Settings.model_fields]


def test_the_defaults_in_the_operations_are_those_of_the_settings() -> None:
    settings = [row for row in rows(OPERATIONS) if row[0].startswith("CLAIMBASE_")]
    documented = {row[0].removeprefix("CLAIMBASE_").lower(): row[1] for row in settings}
    for name, field in Settings.model_fields.items():
        # Environment variables are written in lower case where they are true or false.
        spelled = str(field.default)
        default = spelled.lower() if field.annotation is bool else spelled.replace("'", '"')
        start, _, end = documented[name].partition("…")
        assert default.startswith(start), name
        assert default.endswith(end), name


def test_the_bounds_are_those_of_the_program() -> None:
    documented = re.findall(
        r"^\| [^|]+ \| ([^|]+) \| [^|]+ \| `([\w.]+)` \|$", OPERATIONS, flags=re.MULTILINE
    )
    for bound, constant in documented:
        module, _, name = constant.rpartition(".")
        value = getattr(importlib.import_module(module), name)
        assert re.match(rf"{value:,.10g}(?![\d,])", bound), (constant, value, bound)
    named = {constant for _, constant in documented}
    served = [*ROOT.glob("api/**/*.py"), *ROOT.glob("models/**/*.py")]
    # What is transferred is the user's own, by a command.
    for file in sorted(set(served) - set(ROOT.glob("models/transfer/**/*.py"))):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        declared = re.findall(BOUND, file.read_text(encoding="utf-8"), flags=re.MULTILINE)
        missing = {f"{module}.{name}" for name in declared} - named - NO_BOUNDS.keys()
        assert not missing, "a bound that docs/operations.md does not name"
    assert not named & NO_BOUNDS.keys()


def test_the_table_of_commands_is_that_of_the_program() -> None:
    documented = {}
    for row in rows(COMMANDS):
        if match := re.match(r"claimbase ([a-z]+(?: [a-z]+)*)", row[0]):
            documented[match[1]] = sorted(words(row[1]))
    # `claimbase import PATH` is short for `claimbase import records PATH`.
    assert documented.pop("import") == []
    offered = {}
    for name, command in leaves(get_command(commands)).items():
        options = [each.opts[-1] for each in command.params if each.param_type_name == "option"]
        offered[name] = sorted(set(options) - {"--database-url"})
    assert documented == offered


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


def test_every_name_in_the_architecture_exists() -> None:
    """A name such as `changes.put` is one of a module of ours, or a column of a table."""
    named = re.findall(r"`([a-z_]+)\.([A-Za-z_]+)`", ARCHITECTURE)
    files = ("json", "jsonl", "md", "py", "svg", "toml", "yaml")
    absent = [f"{first}.{second}" for first, second in named if second not in files]
    assert [name for name in absent if not defined(*name.split("."))] == []


def defined(first: str, second: str) -> bool:
    """Return whether a module named `first` defines `second`, or a table has it as a column."""
    for house in ("api", "models"):
        for path in (ROOT / house).rglob(f"{first}.py"):
            module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
            if hasattr(module, second):
                return True
    found = {model.__tablename__: table(model).c for model in tables.tables}
    return first in found and second in found[first]


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


@pytest.mark.parametrize("address", examples())
def test_what_an_example_reads_is_answered(address: str, client: TestClient) -> None:
    # A stream would never end. One example shows what a mistyped parameter gets.
    method = client.head if "/stream" in address else client.get
    assert method(address).status_code == (400 if "statsu" in address else 200)


@pytest.mark.parametrize(("document", "command", "shown"), requests())
def test_an_answer_is_as_it_is_shown(
    document: str, command: str, shown: str, client: TestClient
) -> None:
    """What is left out is marked by `…`; the rest stands in the answer, in this order."""
    answer = "".join(ask(client, command).split())
    place = 0
    for piece in shown.split("…"):
        text = "".join(piece.split())
        found = answer.find(text, place)
        assert found >= place, f"{document}: {command} does not answer {piece}"
        place = found + len(text)


@pytest.mark.parametrize("document", ["README.md", "docs/citations.md"])
def test_a_script_prints_what_is_shown(
    document: str, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def urlopen(url: str) -> io.BytesIO:
        return io.BytesIO(client.get(url.removeprefix(SERVED)).raise_for_status().content)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    text = (ROOT / document).read_text(encoding="utf-8")
    (script,) = blocks(text, "python")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(script, {})  # noqa: S102
    assert printed.getvalue() in blocks(text, "text")


def test_the_front_end_prints_what_is_shown(client: TestClient) -> None:
    """The lines are those of the script in JavaScript, which the suite cannot run."""
    (script,) = blocks(README, "js")
    (address,) = re.findall(re.escape(SERVED) + r"([^\"]+)", script)
    printed = ""
    for claim in client.get(address).json()["data"]:
        printed += f"{claim['statement']} {claim['status']} since {claim['status_since']}\n"
        for line in claim["evidence"]:
            if line["level"] in ("1", "2"):
                printed += f"  {line['direction']}: {line['source']}, "
                printed += f"level {line['level']}, {line['sample']}\n"
    assert printed in blocks(README, "text")


def test_the_example_of_a_condition_is_a_304(client: TestClient) -> None:
    (tag,) = re.findall(r"-H 'If-None-Match: (\S+)'", API)
    answer = client.get("/v1/claims/ccsvi-causes-ms", headers={"If-None-Match": tag})
    assert answer.status_code == 304


def test_the_notice_is_in_the_readme() -> None:
    assert SHORT_NOTICE in README


def test_every_status_is_explained() -> None:
    explained = [row[0] for row in rows(API) if row[0] in v.STATUSES.ids]
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
    columns = ("starts", "ends", "status", "rule", "certainty")
    statement = (
        select(periods).where(periods.c.claim == "ccsvi-causes-ms").order_by(periods.c.starts)
    )
    with shared.database.read() as connection:
        stored = [dict(row) for row in connection.execute(statement).mappings()]
    ran = [[(run[name] or "").replace("_", " ") for name in columns] for run in runs_of(stored)]
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
