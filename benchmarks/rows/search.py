"""Row 5: search for two words with a filter, beside the statement that finds the same."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Connection

from api.main import create_app
from api.settings import Settings
from benchmarks import machine
from benchmarks.bench import Bench, Driven
from benchmarks.figures import STORES, Figure, at_most, ratios
from benchmarks.load import Local
from benchmarks.rows.reads import SEARCH
from models.database import prepared_statements
from models.database.connections import connect

# So many searches are done by SQL alone, one after the other.
RECORDED = 200
SEARCHES = "_search"


def search(bench: Bench) -> None:
    """Compare a search over HTTP with its statement alone: with what one answer takes, while one worker answers."""
    paths = SEARCH.paths(bench.stores, "")
    contenders: Driven = {}
    with ExitStack() as stack:
        for store, url in bench.stores.urls.items():
            contenders[store] = SEARCH.of(bench, store, paths=paths)
            connection = stack.enter_context(closing(connect(url))).reader.connect()
            statements = recorded(url, paths[:RECORDED])
            bare = finding(stack.enter_context(connection), statements)
            contenders[f"{store}, bare SQL"] = Local(bare, machine.SERVER_CPU)
        driven = bench.compare(f"5 {SEARCH.name}", contenders)
    for store in STORES:
        # Of eight connections each waits for the others; what an answer takes is what its worker is busy with it.
        took = [1 / sample.rate for sample in driven[store].samples]
        alone = [1 / sample.rate for sample in driven[f"{store}, bare SQL"].samples]
        must = at_most(1.5) if store == "SQLite" else None
        bench.add(Figure(5, f"{SEARCH.name}: bare SQL", store, "×", ratios(took, alone), must))


def finding(connection: Connection, statements: Sequence[tuple[str, Any]]) -> Callable[[int], Any]:
    """Return what carries out one of these statements after the other by the driver alone."""
    driver: Any = connection.connection.driver_connection

    def find(place: int) -> Any:
        return driver.execute(*statements[place % len(statements)]).fetchall()

    return find


def recorded(url: str, paths: Sequence[str]) -> list[tuple[str, Any]]:
    """Return the statements that search, with their values, of those that the answers take."""
    found: list[tuple[str, Any]] = []

    def recording(
        connection: Connection, key: Any, build: Any, values: Any
    ) -> prepared_statements.Prepared:
        statement = usual(connection, key, build, values)
        if SEARCHES in statement.text:
            found.append((statement.text, statement.arguments(values)))
        return statement

    usual, prepared_statements.prepared = prepared_statements.prepared, recording
    try:
        with TestClient(create_app(Settings(database_url=url))) as client:
            for path in paths:
                client.get(path).raise_for_status()
    finally:
        prepared_statements.prepared = usual
    return found
