"""Row 5: search for two words with a filter, beside the statement that finds the same."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Connection

from api.main import create_app
from api.settings import Settings
from benchmarks import machine
from benchmarks.bench import Bench, Contenders
from benchmarks.figures import STORES, Figure, at_most, ratios
from benchmarks.load import Load, LocalLoad
from benchmarks.rows.reads import SEARCH
from models.database import prepared_statements
from models.database.connections import connect

# The number of searches whose statements are carried out by the driver alone.
RECORDED = 200
# Statements that search have the name of an index of words in them.
SEARCHES = "_search"


def search(bench: Bench) -> None:
    """Compare a search over HTTP with its statement alone."""
    paths = SEARCH.paths(bench.stores, "")
    contenders: Contenders = {}
    with ExitStack() as stack:
        for store, url in bench.stores.urls.items():
            contenders[store] = SEARCH.contender(bench, store, paths=paths)
            statements = recorded_statements(url, paths[:RECORDED])
            database = stack.enter_context(closing(connect(url)))
            connection = stack.enter_context(database.reader.connect())
            work = executing(connection, statements)
            contenders[f"{store}, bare SQL"] = LocalLoad(work, machine.SERVER_CPU)
        loads = bench.compare(f"5 {SEARCH.name}", contenders)
    for store in STORES:
        values = ratios(_busy_times(loads[store]), _busy_times(loads[f"{store}, bare SQL"]))
        bound = at_most(1.5) if store == "SQLite" else None
        bench.add(Figure(5, f"{SEARCH.name}: bare SQL", store, "×", values, bound))


def _busy_times(driven: Load) -> list[float]:
    """Return the seconds that the worker is busy with an answer.

    This is not the latency: of eight connections each waits for the others.
    """
    return [1 / sample.rate for sample in driven.samples]


def executing(
    connection: Connection, statements: Sequence[tuple[str, Any]]
) -> Callable[[int], Any]:
    """Return a function that carries out one of the statements by the driver alone."""
    driver: Any = connection.connection.driver_connection

    def execute(position: int) -> Any:
        return driver.execute(*statements[position % len(statements)]).fetchall()

    return execute


def recorded_statements(url: str, paths: Sequence[str]) -> list[tuple[str, Any]]:
    """Return the statements, with their values, by which the answers to the paths are found."""
    statements: list[tuple[str, Any]] = []
    prepared = prepared_statements.get_prepared

    def recording(
        connection: Connection, key: Any, build: Any, values: Any
    ) -> prepared_statements.Prepared:
        statement = prepared(connection, key, build, values)
        if SEARCHES in statement.text:
            statements.append((statement.text, statement.arguments(values)))
        return statement

    prepared_statements.get_prepared = recording
    try:
        with TestClient(create_app(Settings(database_url=url))) as client:
            for path in paths:
                client.get(path).raise_for_status()
    finally:
        prepared_statements.get_prepared = prepared
    return statements
