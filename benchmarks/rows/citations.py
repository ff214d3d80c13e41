"""Row 7: the sources of a page of claims, as files for reference managers."""

import json
from collections.abc import Callable, Iterator

from api.citations.citation_keys import key_maker
from api.http.list_formats import FORMATS
from benchmarks import asks, machine
from benchmarks.bench import Bench, Contender, Driven, rates
from benchmarks.figures import STORES, Figure, at_least, ratios
from benchmarks.load import Local
from benchmarks.stores import Stores
from models.database.connections import Database, connect
from models.records.serializers import Row, sources_by_id

PAGES = 300
FORMAT_BOUNDS = {"bibtex": 500, "csl_json": 5000}


def citations(bench: Bench) -> None:
    """Compare citations from the stored documents with those made from the tables anew."""
    found = groups(bench.stores)
    sources = [list(each) for each in found.values()]
    mean = sum(map(len, sources)) / len(sources)
    count: dict[str, Callable[[bytes], int]] = {
        "bibtex": lambda answer: answer.count(b"\n@") + answer.startswith(b"@"),
        "csl_json": lambda answer: len(json.loads(answer)),
    }
    for name, bound in FORMAT_BOUNDS.items():
        paths = [
            f"/v1/claims?topic={topic}&status={status}&format={name}" for topic, status in found
        ]
        contenders: Driven = {}
        databases = {store: connect(url) for store, url in bench.stores.urls.items()}
        for store in STORES:
            contenders[store] = Contender(bench.ours(store), paths, count[name], len(sources[0]))
            contenders[f"{store}, rebuilt"] = rebuilding(databases[store], name, sources)
        driven = bench.compare(f"7 {name}, {mean:.0f} sources each", contenders)
        for store in STORES:
            database = databases[store]
            database.close()
            served = [rate * mean for rate in rates(driven[store])]
            rebuilt = [rate * mean for rate in rates(driven[f"{store}, rebuilt"])]
            first = store == "SQLite"
            bench.add(
                Figure(7, name, store, "sources/s", served, at_least(bound) if first else None),
                Figure(
                    7,
                    f"{name}: rebuilding",
                    store,
                    "×",
                    ratios(served, rebuilt),
                    at_least(3) if first else None,
                ),
            )


def groups(stores: Stores) -> dict[tuple[str, str], set[str]]:
    """Return topics with a status which together find about a page of claims, and the sources that they find."""
    sized = stores.query(
        "SELECT value, status FROM claim_term JOIN claim_document USING (claim) WHERE field = 'topic' AND value LIKE 'topic-%' "
        "GROUP BY value, status ORDER BY abs(count(*) - ?), value, status LIMIT ?",
        asks.LIMIT,
        PAGES,
    )
    documents = (
        "SELECT sources FROM claim_term JOIN claim_document USING (claim) "
        "WHERE field = 'topic' AND value = ? AND status = ?"
    )
    return {
        pair: {
            source["id"]
            for (content,) in stores.query(documents, *pair)
            for source in json.loads(content)
        }
        for pair in asks.shuffled(sized)
    }


def rebuilding(database: Database, name: str, sources: list[list[str]]) -> Local:
    """Return what reads sources from the tables and writes them in a format."""

    def rebuild(place: int) -> int:
        with database.read() as connection:
            found = sources_by_id(connection, sources[place % len(sources)])
        keys: dict[str, str] = {}
        make = key_maker()

        def keyed() -> Iterator[Row]:
            for source in found.values():
                keys[source["id"]] = make(source)
                yield source

        return sum(len(piece) for piece in FORMATS[name].write(keyed(), keys))

    return Local(rebuild, machine.SERVER_CPU)
