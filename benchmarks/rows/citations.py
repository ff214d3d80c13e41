"""Row 7: the sources of a page of claims, as files for reference managers."""

import json
from collections.abc import Callable

from api.http.list_formats import FORMATS
from benchmarks import asks, machine
from benchmarks.bench import Bench, Contender, Contenders, rates
from benchmarks.figures import STORES, Figure, at_least, ratios
from benchmarks.load import LocalLoad
from benchmarks.stores import Stores
from models.database.compressed import unpack
from models.database.connections import Database, connect
from models.records.serializers import sources_by_id

PAGES = 300
# Topics with a status, those first that have about a page of claims.
GROUPS = (
    "SELECT value, status FROM claim_term"
    " WHERE field = 'topic' AND value LIKE 'topic-%'"
    " GROUP BY value, status ORDER BY abs(count(*) - ?), value, status LIMIT ?"
)
GROUP_SOURCES = (
    "SELECT sources FROM claim_term JOIN claim_document USING (claim)"
    " WHERE field = 'topic' AND value = ? AND claim_term.status = ?"
)
# The sources of each page, by its topic and its status.
Groups = dict[tuple[str, str], list[str]]


def _bibtex_entries(answer: bytes) -> int:
    return answer.count(b"\n@") + answer.startswith(b"@")


def _csl_json_entries(answer: bytes) -> int:
    return len(json.loads(answer))


# How the entries of a format are counted, and how many sources a second it must reach.
MEASURED: dict[str, tuple[Callable[[bytes], int], int]] = {
    "bibtex": (_bibtex_entries, 500),
    "csl_json": (_csl_json_entries, 5000),
}


def citations(bench: Bench) -> None:
    """Compare citations over HTTP with those that are written from the tables anew."""
    groups = source_groups(bench.stores)
    for name, (count, bound) in MEASURED.items():
        _compare_format(bench, groups, name, count, bound)


def _compare_format(
    bench: Bench, groups: Groups, name: str, count: Callable[[bytes], int], bound: int
) -> None:
    sources = list(groups.values())
    mean = sum(map(len, sources)) / len(sources)
    paths = [f"/v1/claims?topic={topic}&status={status}&format={name}" for topic, status in groups]
    databases = {store: connect(url) for store, url in bench.stores.urls.items()}
    contenders: Contenders = {}
    for store, database in databases.items():
        contenders[store] = Contender(bench.ours(store), paths, count, len(sources[0]))
        contenders[f"{store}, rebuilt"] = rebuilding(database, name, sources)
    loads = bench.compare(f"7 {name}, {mean:.0f} sources each", contenders)
    for database in databases.values():
        database.close()
    for store in STORES:
        served = [rate * mean for rate in rates(loads[store])]
        rebuilt = [rate * mean for rate in rates(loads[f"{store}, rebuilt"])]
        times = ratios(served, rebuilt)
        bounded = store == "SQLite"
        bench.add(
            Figure(7, name, store, "sources/s", served, at_least(bound) if bounded else None),
            Figure(7, f"{name}: rebuilding", store, "×", times, at_least(3) if bounded else None),
        )


def source_groups(stores: Stores) -> Groups:
    """Return topics with a status that about a page of claims has, and the sources of these."""
    pairs = asks.shuffled(stores.query(GROUPS, asks.LIMIT, PAGES))
    return {pair: _source_ids(stores, *pair) for pair in pairs}


def _source_ids(stores: Stores, topic: str, status: str) -> list[str]:
    ids: set[str] = set()
    for (content,) in stores.query(GROUP_SOURCES, topic, status):
        ids.update(source["id"] for source in json.loads(unpack(content)))
    return list(ids)


def rebuilding(database: Database, name: str, sources: list[list[str]]) -> LocalLoad:
    """Return the work of reading sources from the tables and writing them in a format."""

    def rebuild(position: int) -> int:
        with database.read() as connection:
            records = sources_by_id(connection, sources[position % len(sources)])
        return sum(len(chunk) for chunk in FORMATS[name].write(records.values()))

    return LocalLoad(rebuild, machine.SERVER_CPU)
