"""Rows 13 to 15: a question across all evidence, one record, and one that does not exist."""

from dataclasses import replace
from http import HTTPStatus

from benchmarks import asks, load
from benchmarks.bench import Bench, Contenders, cpu_times, rates
from benchmarks.figures import STORES, Figure, at_least, at_most, ratios
from benchmarks.load import HttpLoad
from benchmarks.rows.reads import CLAIMS, Read, right_slug
from benchmarks.stores import Stores


def _not_found(_stores: Stores, _path: str) -> str:
    return "not_found"


GOOD_EVIDENCE = Read(
    13,
    "evidence at levels 1 and 2, the newest first, counted",
    asks.good_evidence,
    asks.count_and_ids,
    asks.right_good_evidence,
)
SOURCES = Read(14, "one source", asks.sources, asks.id_of, right_slug)
MISSPELT = Read(
    14,
    "a misspelt claim",
    asks.misspelt_claims,
    asks.problem_code,
    _not_found,
    status=HTTPStatus.NOT_FOUND,
)


def good_evidence(bench: Bench) -> None:
    """Row 13: the processor time of a question across all evidence, the database's included."""
    contenders: Contenders = {}
    for store in STORES:
        # One connection: of slow answers, those under way at the end of a drive would count.
        contender = GOOD_EVIDENCE.contender(bench, store)
        contenders[store] = replace(contender, connections=1)
    loads = bench.compare(f"13 {GOOD_EVIDENCE.name}", contenders)
    for store in STORES:
        bound = at_most(3) if store == "SQLite" else None
        name = f"{GOOD_EVIDENCE.name}: processor time a request"
        bench.add(Figure(13, name, store, "ms", cpu_times(loads[store]), bound))


def one_record(bench: Bench) -> None:
    """Row 14: how many times as long as one claim a source takes, and a slug that is misspelt."""
    contenders: Contenders = {}
    for store in STORES:
        for read in (CLAIMS, SOURCES, MISSPELT):
            contenders[f"{store}, {read.name}"] = read.contender(bench, store)
    loads = bench.compare("14 one record", contenders)
    for store in STORES:
        claim_rates = rates(loads[f"{store}, {CLAIMS.name}"])
        for read, limit in ((SOURCES, 2), (MISSPELT, 3)):
            values = ratios(claim_rates, rates(loads[f"{store}, {read.name}"]))
            bound = at_most(limit) if store == "SQLite" else None
            name = f"{read.name}: time of one claim"
            bench.add(Figure(14, name, store, "×", values, bound))


def others_pace(bench: Bench) -> None:
    """Row 15: how fast one client reads claims while eight others misspell them.

    While eight others read claims, too, it is slower by nothing but their number, so its pace is
    compared with that one, too.
    """
    for store in STORES:
        _compare_paces(bench, store)


def _compare_paces(bench: Bench, store: str) -> None:
    contender = CLAIMS.contender(bench, store)
    client = bench.http_load(replace(contender, connections=1), 0)
    misspelling = bench.http_load(MISSPELT.contender(bench, store), 1)
    reading = bench.http_load(contender, 2)
    alone: list[float] = []
    beside_misspelling: list[float] = []
    beside_reading: list[float] = []
    client.drive(1)
    for _ in range(bench.rounds):
        alone.append(client.drive(bench.seconds).rate)
        beside_misspelling.append(_pace(bench, client, misspelling))
        beside_reading.append(_pace(bench, client, reading))
    to_alone = ratios(beside_misspelling, alone)
    to_reading = ratios(beside_misspelling, beside_reading)
    bound = at_least(0.5) if store == "SQLite" else None
    name = "one client's pace while eight others"
    bench.add(
        Figure(15, f"{name} misspell claims: alone", store, "×", to_alone, bound),
        Figure(15, f"{name} misspell claims: read claims", store, "×", to_reading, bound),
        Figure(15, f"{name} read claims: alone", store, "×", ratios(beside_reading, alone)),
    )


def _pace(bench: Bench, client: HttpLoad, others: HttpLoad) -> float:
    return load.beside(client, others, bench.seconds).rate
