"""Rows 1 to 6 and 8: reads, beside what people would use instead, and as the store grows."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import asks, load
from benchmarks.bench import Bench, Contender, Driven, medians, rates
from benchmarks.figures import STORES, Bound, Figure, at_least, at_most, ratios
from benchmarks.servers import Server
from benchmarks.stores import Stores


@dataclass(frozen=True)
class Read:
    """A kind of read: the row it is of, its name, its addresses, how an answer is read, and what the first one must be."""

    row: int
    name: str
    paths: Callable[[Stores, str], list[str]]
    read: Callable[[bytes], Any]
    right: Callable[[Stores, str], Any]
    cached: bool = False

    def of(
        self, bench: Bench, store: str, size: int | None = None, paths: list[str] | None = None
    ) -> Contender:
        """Return ours as a contender."""
        server, stores = (
            bench.ours(store, size, cached=self.cached),
            bench.sizes[size or bench.main],
        )
        paths = paths or self.paths(stores, server.base)
        return Contender(server, paths, self.read, self.right(stores, paths[0]))


def _first_counts(stores: Stores, path: str) -> Any:
    return asks.right_counts(stores, *asks.facet_of(path))


PAGES = Read(
    1, "a page of 20 claims with evidence and sources", asks.pages, asks.data_ids, asks.right_page
)
SAME = Read(
    2, "the same page again and again", asks.one_page, asks.data_ids, asks.right_page, cached=True
)
CLAIMS = Read(3, "one claim", asks.claims, asks.id_of, lambda _stores, path: asks.slug_of(path))
FACETS = Read(4, "facets by status of a topic and levels", asks.facets, asks.counted, _first_counts)
BROAD = Read(
    4,
    "the same of a topic with a fifth of all claims",
    asks.broad_facets,
    asks.counted,
    _first_counts,
)
SEARCH = Read(
    5,
    "search of two words with a status",
    asks.searches,
    asks.found_some,
    lambda _stores, _path: True,
)
PLAIN = Read(6, "a page of 20 claims", asks.plain_pages, asks.data_ids, asks.right_page)
AS_OF = Read(6, "a page of 20 claims as of a day", asks.pages_by, asks.data_ids, asks.right_page_by)
WHOLE_AS_OF = Read(
    6,
    "as of a day with evidence and sources",
    asks.whole_pages_by,
    asks.data_ids,
    asks.right_page_by,
)
GROWING = (PAGES, SAME, CLAIMS, FACETS, SEARCH, AS_OF)


def _holder(bench: Bench, name: str) -> Server:
    """Return the limit's or the floor's server, which hold a usual page and a usual claim."""
    folder = bench.scratch / "held"
    if not folder.exists():
        folder.mkdir()
        base = bench.ours("SQLite").base
        for file, paths in (("page.json", asks.pages), ("claim.json", asks.claims)):
            (folder / file).write_bytes(
                load.get(base, asks.usual(base, paths(bench.stores, base))[0])
            )
    return bench.contestant(name, folder, "/v1/claims")


def _tutorial(bench: Bench) -> Server:
    return bench.contestant(
        "tutorial", bench.stores.tutorial_file, "/claims/?status=refuted&limit=1"
    )


def _against(bench: Bench, read: Read, contenders: Driven, bounds: dict[str, Bound | None]) -> None:
    """Compare ours on both stores with others, and add how many times as fast it is as each."""
    found = bench.compare(f"{read.row} {read.name}", contenders)
    for store in STORES:
        for other, bound in bounds.items():
            values = ratios(rates(found[store]), rates(found[other]))
            must = bound if store == "SQLite" else None
            bench.add(Figure(read.row, f"{read.name}: {other}", store, "×", values, must))


def _both(bench: Bench, read: Read, paths: list[str]) -> Driven:
    return {store: read.of(bench, store, paths=paths) for store in STORES}


def pages(bench: Bench) -> None:
    """Row 1: a different page each request."""
    base = bench.ours("SQLite").base
    paths = asks.usual(base, PAGES.paths(bench.stores, base))
    right = asks.right_page(bench.stores, paths[0])
    theirs = [asks.tutorial_page(*asks.page_of(path)) for path in paths]
    contenders: Driven = {
        "the tutorial way": Contender(_tutorial(bench), theirs, asks.slugs, right),
        "the floor": Contender(_holder(bench, "floor"), paths, asks.data_ids, right),
        **_both(bench, PAGES, paths),
    }
    _against(
        bench, PAGES, contenders, {"the tutorial way": at_least(20), "the floor": at_least(0.6)}
    )


def same_page(bench: Bench) -> None:
    """Row 2: the same page again and again."""
    paths = SAME.paths(bench.stores, bench.ours("SQLite").base)
    right = asks.right_page(bench.stores, paths[0])
    contenders: Driven = {
        "raw": Contender(_holder(bench, "raw"), paths, asks.data_ids, right),
        **_both(bench, SAME, paths),
    }
    _against(bench, SAME, contenders, {"raw": at_least(0.85)})


def one_claim(bench: Bench) -> None:
    """Row 3: a different claim each request."""
    base = bench.ours("SQLite").base
    paths = asks.usual(base, CLAIMS.paths(bench.stores, base))
    slug = asks.slug_of(paths[0])
    theirs = [f"/claims/{asks.slug_of(path)}" for path in paths]
    contenders: Driven = {
        "the tutorial way": Contender(
            _tutorial(bench), theirs, lambda answer: json.loads(answer)["slug"], slug
        ),
        "the floor": Contender(_holder(bench, "floor"), paths, asks.id_of, slug),
        **_both(bench, CLAIMS, paths),
    }
    _against(
        bench, CLAIMS, contenders, {"the tutorial way": at_least(12), "the floor": at_least(0.6)}
    )


def facets(bench: Bench) -> None:
    """Row 4: counts by status; and, without a bound, of topics that grow with the whole."""
    datasette = bench.contestant("datasette", bench.stores.file, "/-/versions.json")
    for read, bound in ((FACETS, at_least(10)), (BROAD, None)):
        paths = read.paths(bench.stores, "")
        theirs = [asks.facet_of_datasette(bench.stores, *asks.facet_of(path)) for path in paths]
        right = read.right(bench.stores, paths[0])
        others: Driven = {
            "Datasette": Contender(datasette, theirs, asks.counted_by_datasette, right)
        }
        _against(bench, read, {**others, **_both(bench, read, paths)}, {"Datasette": bound})


def as_of(bench: Bench) -> None:
    """Row 6: the same list with and without `as_of`; and, without a bound, with evidence and sources."""
    for with_day, without, bound in ((AS_OF, PLAIN, at_most(1.5)), (WHOLE_AS_OF, PAGES, None)):
        contenders: Driven = {}
        for store in STORES:
            contenders[f"{store}, as of"] = with_day.of(bench, store)
            contenders[f"{store}, now"] = without.of(bench, store)
        found = bench.compare(f"6 {with_day.name}", contenders)
        for store in STORES:
            values = ratios(medians(found[f"{store}, as of"]), medians(found[f"{store}, now"]))
            must = bound if store == "SQLite" else None
            bench.add(
                Figure(6, f"{with_day.name}: p50, the list without", store, "×", values, must)
            )


def growth(bench: Bench) -> None:
    """Row 8: the median latency of reads at each size, beside that at the smallest."""
    smallest, *larger = sorted(bench.sizes)
    for read in GROWING:
        contenders: Driven = {
            f"{store}, {size:,}": read.of(bench, store, size)
            for size in (smallest, *larger)
            for store in STORES
        }
        found = bench.compare(f"8 {read.name}", contenders)
        for store in STORES:
            for size in larger:
                values = ratios(
                    medians(found[f"{store}, {size:,}"]), medians(found[f"{store}, {smallest:,}"])
                )
                what = f"{read.name}: p50 at {size:,} claims, at {smallest:,}"
                bench.add(Figure(8, what, store, "×", values, at_most(1.3)))
