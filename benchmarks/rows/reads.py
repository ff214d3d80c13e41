"""Rows 1 to 4, 6 and 8: reads, beside the ways that people would use instead, and as the store
grows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from benchmarks import asks, load
from benchmarks.bench import Bench, Contender, Contenders, medians, rates
from benchmarks.figures import STORES, Bound, Figure, at_least, at_most, ratios
from benchmarks.servers import Server
from benchmarks.stores import Stores

# Clients without compression are curl, urllib, wrk; browsers, fetch and httpx send this header.
PLAIN = ""
COMPRESSED = "gzip, deflate, br, zstd"

Bounds = dict[str, Bound | None]


@dataclass(frozen=True)
class Read:
    """A kind of read: its row, its name, its paths, and the right first answer as `parse` reads
    it."""

    row: int
    name: str
    paths: Callable[[Stores, str], list[str]]
    parse: Callable[[bytes], Any]
    expected: Callable[[Stores, str], Any]
    cached: bool = False
    accept_encoding: str = PLAIN
    status: int = 200

    def contender(
        self, bench: Bench, store: str, size: int | None = None, paths: list[str] | None = None
    ) -> Contender:
        """Return our server on a store as a contender."""
        server = bench.ours(store, size, cached=self.cached)
        stores = bench.sizes[size or bench.main]
        paths = paths or self.paths(stores, server.base)
        expected = self.expected(stores, paths[0])
        return Contender(server, paths, self.parse, expected, self.accept_encoding, self.status)

    def compressed(self) -> "Read":
        """Return the same read by clients that take compressed answers."""
        return replace(self, name=f"{self.name}, compressed", accept_encoding=COMPRESSED)


def right_slug(_stores: Stores, path: str) -> str:
    """Return the slug that one record must have."""
    return asks.slug_of(path)


def _right_counts(stores: Stores, path: str) -> list[tuple[str, int]]:
    return asks.right_counts(stores, *asks.facet_of(path))


def _has_results(_stores: Stores, _path: str) -> bool:
    return True


PAGES = Read(
    1,
    "a page of 20 claims with evidence and sources",
    asks.pages,
    asks.data_ids,
    asks.right_page,
)
SAME = Read(
    2,
    "the same page again and again",
    asks.one_page,
    asks.data_ids,
    asks.right_page,
    cached=True,
)
CLAIMS = Read(3, "one claim", asks.claims, asks.id_of, right_slug)
FACETS = Read(
    4,
    "facets by status of a topic and levels",
    asks.facets,
    asks.facet_counts,
    _right_counts,
)
BROAD_FACETS = Read(
    4,
    "the same of a topic with a fifth of all claims",
    asks.broad_facets,
    asks.facet_counts,
    _right_counts,
)
SEARCH = Read(
    5,
    "search of two words with a status",
    asks.searches,
    asks.has_results,
    _has_results,
)
PLAIN_PAGES = Read(6, "a page of 20 claims", asks.plain_pages, asks.data_ids, asks.right_page)
AS_OF = Read(
    6,
    "a page of 20 claims as of a day",
    asks.pages_as_of,
    asks.data_ids,
    asks.right_page_as_of,
)
FULL_AS_OF = Read(
    6,
    "as of a day with evidence and sources",
    asks.full_pages_as_of,
    asks.data_ids,
    asks.right_page_as_of,
)
GROWING = (PAGES, SAME, CLAIMS, FACETS, SEARCH, AS_OF)


def _from_memory(bench: Bench, name: str) -> Server:
    """Return the server of the limit or of the floor, which hold a usual page and a usual claim."""
    folder = bench.scratch / "held"
    if not folder.exists():
        folder.mkdir()
        base = bench.ours("SQLite").base
        for file, paths in (("page.json", asks.pages), ("claim.json", asks.claims)):
            path = asks.usual_first(base, paths(bench.stores, base))[0]
            (folder / file).write_bytes(load.get(base, path))
    return bench.contestant(name, folder, "/v1/claims")


def _tutorial(bench: Bench, read: Read) -> Server:
    """Return the tutorial's server, with Starlette's compression for clients that take it."""
    file = bench.stores.tutorial_file
    ready = "/claims/?status=refuted&limit=1"
    return bench.contestant("tutorial", file, ready, compress=read.accept_encoding != PLAIN)


def _compare(
    bench: Bench, read: Read, paths: list[str], others: Contenders, bounds: Bounds
) -> None:
    """Compare ours on both stores with others, and add how many times as fast it is as each."""
    ours = {store: read.contender(bench, store, paths=paths) for store in STORES}
    loads = bench.compare(f"{read.row} {read.name}", {**others, **ours})
    for store in STORES:
        for other, bound in bounds.items():
            values = ratios(rates(loads[store]), rates(loads[other]))
            own_bound = bound if store == "SQLite" else None
            bench.add(Figure(read.row, f"{read.name}: {other}", store, "×", values, own_bound))


def _tutorial_pages(bench: Bench, read: Read, paths: list[str]) -> Contender:
    theirs = [asks.tutorial_page(*asks.page_of(path)) for path in paths]
    expected = read.expected(bench.stores, paths[0])
    return Contender(_tutorial(bench, read), theirs, asks.slugs, expected, read.accept_encoding)


def _tutorial_claims(bench: Bench, read: Read, paths: list[str]) -> Contender:
    theirs = [f"/claims/{asks.slug_of(path)}" for path in paths]
    slug = asks.slug_of(paths[0])
    return Contender(_tutorial(bench, read), theirs, asks.tutorial_slug, slug, read.accept_encoding)


def pages(bench: Bench) -> None:
    """Row 1: a different page each request."""
    paths = _usual_paths(bench, PAGES)
    in_memory = ("the floor", at_least(0.6))
    _compare_with_tutorial(bench, PAGES, paths, _tutorial_pages, at_least(12), in_memory)
    _compare_with_tutorial(bench, PAGES.compressed(), paths, _tutorial_pages, at_least(12))


def same_page(bench: Bench) -> None:
    """Row 2: the same page again and again."""
    paths = SAME.paths(bench.stores, bench.ours("SQLite").base)
    in_memory = ("raw", at_least(0.85))
    _compare_with_tutorial(bench, SAME, paths, _tutorial_pages, None, in_memory)
    _compare_with_tutorial(bench, SAME.compressed(), paths, _tutorial_pages, at_least(90))


def one_claim(bench: Bench) -> None:
    """Row 3: a different claim each request."""
    paths = _usual_paths(bench, CLAIMS)
    in_memory = ("the floor", at_least(0.6))
    _compare_with_tutorial(bench, CLAIMS, paths, _tutorial_claims, at_least(12), in_memory)
    _compare_with_tutorial(bench, CLAIMS.compressed(), paths, _tutorial_claims, at_least(8))


def _usual_paths(bench: Bench, read: Read) -> list[str]:
    base = bench.ours("SQLite").base
    return asks.usual_first(base, read.paths(bench.stores, base))


def _compare_with_tutorial(
    bench: Bench,
    read: Read,
    paths: list[str],
    tutorial: Callable[[Bench, Read, list[str]], Contender],
    bound: Bound | None,
    in_memory: tuple[str, Bound] | None = None,
) -> None:
    """Compare ours with the tutorial way, and with a server that holds one answer in memory.

    `in_memory` is that server's name, such as `the floor`, and the least share of its pace.
    """
    others: Contenders = {"the tutorial way": tutorial(bench, read, paths)}
    bounds: Bounds = {"the tutorial way": bound}
    if in_memory:
        name, least = in_memory
        server = _from_memory(bench, name.removeprefix("the "))
        others[name] = replace(read.contender(bench, "SQLite", paths=paths), server=server)
        bounds[name] = least
    _compare(bench, read, paths, others, bounds)


def facets(bench: Bench) -> None:
    """Row 4: counts by status; and, without a bound, for topics that grow with the whole."""
    _compare_facets(bench, FACETS, at_least(10))
    _compare_facets(bench, FACETS.compressed(), at_least(10))
    _compare_facets(bench, BROAD_FACETS, None)


def _compare_facets(bench: Bench, read: Read, bound: Bound | None) -> None:
    compress = read.accept_encoding != PLAIN
    server = bench.contestant("datasette", bench.stores.file, "/-/versions.json", compress=compress)
    paths = read.paths(bench.stores, "")
    theirs = [asks.datasette_facet(bench.stores, *asks.facet_of(path)) for path in paths]
    datasette = Contender(
        server,
        theirs,
        asks.datasette_counts,
        read.expected(bench.stores, paths[0]),
        read.accept_encoding,
    )
    _compare(bench, read, paths, {"Datasette": datasette}, {"Datasette": bound})


def as_of(bench: Bench) -> None:
    """Row 6: a list with and without `as_of`; and, without a bound, with evidence and sources."""
    _compare_days(bench, AS_OF, PLAIN_PAGES, at_most(1.5))
    _compare_days(bench, AS_OF.compressed(), PLAIN_PAGES.compressed(), at_most(1.5))
    _compare_days(bench, FULL_AS_OF, PAGES, None)


def _compare_days(bench: Bench, of_a_day: Read, of_today: Read, bound: Bound | None) -> None:
    contenders: Contenders = {}
    for store in STORES:
        contenders[f"{store}, as of"] = of_a_day.contender(bench, store)
        contenders[f"{store}, now"] = of_today.contender(bench, store)
    loads = bench.compare(f"6 {of_a_day.name}", contenders)
    name = f"{of_a_day.name}: p50, the list without"
    for store in STORES:
        values = ratios(medians(loads[f"{store}, as of"]), medians(loads[f"{store}, now"]))
        own_bound = bound if store == "SQLite" else None
        bench.add(Figure(6, name, store, "×", values, own_bound))


def growth(bench: Bench) -> None:
    """Row 8: the median latency of reads at each size, beside that at the smallest."""
    for read in GROWING:
        _compare_sizes(bench, read)


def _compare_sizes(bench: Bench, read: Read) -> None:
    smallest, *larger = sorted(bench.sizes)
    contenders: Contenders = {}
    for size in (smallest, *larger):
        for store in STORES:
            contenders[f"{store}, {size:,}"] = read.contender(bench, store, size)
    loads = bench.compare(f"8 {read.name}", contenders)
    for store in STORES:
        least = medians(loads[f"{store}, {smallest:,}"])
        for size in larger:
            values = ratios(medians(loads[f"{store}, {size:,}"]), least)
            name = f"{read.name}: p50 at {size:,} claims, at {smallest:,}"
            bench.add(Figure(8, name, store, "×", values, at_most(1.3)))
