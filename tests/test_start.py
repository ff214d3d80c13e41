"""What a start leaves for later: validators, signatures of routes, and libraries that few need."""

import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from api.http.read_route import ParsedRoute
from api.main import ROUTERS
from models.database.connections import file_url

ROOT = Path(__file__).parents[1]

# These make objects of themselves when they are imported: of the settings, of the licences that are
# served, and of the choices of a form.
BUILT_BY_A_START = {"Settings", "Licences", "Choice"}
# The settings are read at once, and an error's faults are made where memory may be short.
BUILT_AT_ONCE = {"Settings", "Fault"}


def classes_below(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield the classes of the program that are made of a base."""
    for each in base.__subclasses__():
        if each.__module__.startswith(("api.", "models.")):
            yield each
        yield from classes_below(each)


def printed(program: str) -> set[str]:
    """Return the words that a program prints that runs in a process of its own."""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {*done.stdout.split()}


def test_a_start_builds_hardly_any_validators() -> None:
    built = printed(
        "import api.cli.app, api.http.server, api.main\n"
        "from collections.abc import Iterator\n"
        "from pydantic import BaseModel\n"
        f"{inspect.getsource(classes_below)}\n"
        "print(*(c.__name__ for c in classes_below(BaseModel) if c.__pydantic_complete__))"
    )
    assert built == BUILT_BY_A_START | BUILT_AT_ONCE


def test_a_start_reads_no_signatures_and_imports_no_templates(tmp_path: Path) -> None:
    read = printed(
        "import sys\n"
        "import api.cli.app, api.http.server\n"
        "from api.main import create_app\n"
        "from api.settings import Settings\n"
        f"app = create_app(Settings(database_url={file_url(tmp_path / 'a.db')!r}))\n"
        "print(*(route.path for route in app.routes if 'dependant' in vars(route)))\n"
        "print(*{'alembic', 'citeproc', 'jinja2', 'mcp'}.intersection(sys.modules))"
    )
    assert read == set()


def test_every_class_has_its_validator_at_its_first_use() -> None:
    at_once = {
        each.__name__
        for each in classes_below(BaseModel)
        if not each.model_config.get("defer_build") and "datasets" not in each.__module__
    }
    assert at_once == BUILT_AT_ONCE


def test_every_route_knows_what_its_function_asks_for() -> None:
    routes = [route for router in ROUTERS for route in router.routes]
    assert len(routes) > 100
    for route in routes:
        assert isinstance(route, ParsedRoute)
        # Raises TypeError where it asks for what the class of routes does not know.
        assert route.asked.query_name == "" or route.asked.parse_query is not None
        documented = route.documented
        assert (route.path, route.name, route.methods) == (
            documented.path,
            documented.name,
            documented.methods,
        )
        for parameters in ("path_params", "query_params", "header_params", "cookie_params"):
            declared = getattr(documented.dependant, parameters)
            assert [each.name for each in getattr(route.dependant, parameters)] == [
                each.name for each in declared
            ]
        assert [each.call for each in route.dependant.dependencies] == [
            each.call for each in documented.dependant.dependencies
        ]
