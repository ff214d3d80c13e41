"""python -m benchmarks.match FOLDER: how well texts are matched to claims, and how fast.

The folder has `claims_train.jsonl` and `corpus.jsonl` of SciFact
(https://github.com/allenai/scifact), in whose abstracts experts marked the sentences that support
or contradict a claim. Each such sentence should find its claims, and so should each abstract, all
of its sentences at once. The database holds the claims' statements alone, since their evidence
quotes the sentences.
"""

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from pydantic_core import from_json, to_json
from sqlalchemy import Connection, func, select

from benchmarks import data
from models import migrations
from models.database.connections import Database, connect, file_url
from models.database.prepared_statements import insert_rows
from models.read.matching import match_sentences
from models.records.claim import Claim
from models.records.serializers import table
from models.search import embedding, vectors
from models.search.embedding import DIMENSIONS, NoModel
from models.search.minilm import MiniLM
from models.search.nearest import Nearest
from models.search.vectors import claim_vector
from models.transfer import jsonl_reader, load

# How many claims an answer has, so of how many the figures are.
DEPTH = 5
# How many claims each way of matching proposes for a sentence.
CANDIDATES = 20
TIMED = 50

claim_table = table(Claim)

# Returns for each sentence the scores of claims.
Scorer = Callable[[Connection, Sequence[str]], list[dict[str, float]]]


@dataclass(frozen=True)
class Question:
    """Sentences that are asked for together, and the claims that should be found."""

    sentences: list[str]
    wanted: frozenset[str]


@dataclass(frozen=True)
class Figures:
    """What one way of matching reaches: MAP@5, R@5, and milliseconds for a sentence."""

    precision: float
    recall: float
    milliseconds: float


@dataclass(frozen=True)
class Way:
    """A way of matching, and what it should reach at least (of the time: at most), if anything."""

    name: str
    scorer: Scorer
    aims: Figures | None = None


def ways(model: MiniLM) -> list[Way]:
    """Return the ways of matching that are compared."""
    nearest = Nearest(model)

    def by_model(connection: Connection, sentences: Sequence[str]) -> list[dict[str, float]]:
        return nearest.find(connection, sentences, CANDIDATES)

    def matched(
        connection: Connection, sentences: Sequence[str], model: Nearest | None
    ) -> list[dict[str, float]]:
        found = match_sentences(
            connection, sentences, {}, limit=CANDIDATES, min_score=0, model=model
        )
        return [{match.claim: match.score for match in matches} for matches in found]

    return [
        Way("words", partial(matched, model=None), Figures(0.66, 0.78, 20)),
        Way("with model", partial(matched, model=nearest), Figures(0.80, 0.96, 60)),
        Way("model alone", by_model),
    ]


def read_questions(folder: Path) -> tuple[dict[str, str], list[Question], list[Question]]:
    """Return the claims, the questions of one sentence, and those of a whole abstract."""
    corpus = {entry["doc_id"]: entry for entry in _entries(folder / "corpus.jsonl")}
    claims: dict[str, str] = {}
    of_sentence: dict[tuple[int, int], set[str]] = defaultdict(set)
    of_abstract: dict[int, set[str]] = defaultdict(set)
    for entry in _entries(folder / "claims_train.jsonl"):
        claim = f"scifact-{entry['id']}"
        claims[claim] = entry["claim"]
        for document, rationales in entry["evidence"].items():
            of_abstract[int(document)].add(claim)
            for rationale in rationales:
                for sentence in rationale["sentences"]:
                    of_sentence[int(document), sentence].add(claim)
    sentences = [
        Question([corpus[document]["abstract"][number]], frozenset(wanted))
        for (document, number), wanted in of_sentence.items()
    ]
    abstracts = [
        Question([corpus[document]["title"], *corpus[document]["abstract"]], frozenset(wanted))
        for document, wanted in of_abstract.items()
    ]
    return claims, sentences, abstracts


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        yield from map(from_json, file)


def ranking(scores: Iterable[Mapping[str, float]]) -> list[str]:
    """Return the claims that sentences find, the best first: each by its best sentence."""
    best: dict[str, float] = {}
    for of_sentence in scores:
        for claim, score in of_sentence.items():
            best[claim] = max(score, best.get(claim, score))
    return sorted(best, key=lambda claim: (-best[claim], claim))


def average_precision(found: Sequence[str], wanted: Collection[str]) -> float:
    """Return the mean, over the claims that are wanted, of the share of hits down to each of them.

    Only the first five that are found count; more than five that are wanted count as five.
    """
    hits, total = 0, 0.0
    for place, claim in enumerate(found[:DEPTH], start=1):
        if claim in wanted:
            hits += 1
            total += hits / place
    return total / min(len(wanted), DEPTH)


def recall(found: Sequence[str], wanted: Collection[str]) -> float:
    """Return the share of the claims that are wanted that is among the first five found."""
    return len(set(found[:DEPTH]) & set(wanted)) / len(wanted)


def measure_quality(
    connection: Connection, scorer: Scorer, sentences: list[Question], abstracts: list[Question]
) -> tuple[float, float]:
    """Return the mean precision of the sentences, and the mean recall of the abstracts."""

    def found(question: Question) -> list[str]:
        return ranking(scorer(connection, question.sentences))

    return (
        statistics.fmean(average_precision(found(each), each.wanted) for each in sentences),
        statistics.fmean(recall(found(each), each.wanted) for each in abstracts),
    )


def measure_time(connection: Connection, scorer: Scorer, questions: list[Question]) -> float:
    """Return the median of the milliseconds that a sentence takes, after one to warm up."""
    taken = []
    for question in questions[: TIMED + 1]:
        start = time.perf_counter()
        scorer(connection, question.sentences)
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken[1:])


@contextmanager
def temporary_database() -> Iterator[Database]:
    """Yield an empty database in a file, which goes at the end."""
    with tempfile.TemporaryDirectory() as folder:
        database = connect(file_url(Path(folder) / "claims.db"))
        try:
            migrations.migrate(database)
            yield database
        finally:
            database.close()


def load_lines(database: Database, lines: Iterable[bytes]) -> None:
    """Load lines of JSON."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as file:
        file.writelines(lines)
        file.flush()
        with jsonl_reader.open_input(Path(file.name)) as opened:
            load.load(database, opened, report=typer.echo)


def claim_lines(claims: Mapping[str, str]) -> Iterator[bytes]:
    """Yield a line for each claim."""
    for slug, statement in claims.items():
        record = {"record": "claim", "id": slug, "statement": statement, "kind": "finding"}
        yield to_json(record) + b"\n"


def put_random_vectors(database: Database) -> None:
    """Give each claim without a vector one: what it is of makes no difference to the time."""
    chance = np.random.default_rng(1)
    with database.write() as connection:
        last = connection.scalar(select(func.max(claim_vector.c.position))) or 0
        known = select(claim_vector.c.claim)
        claims = connection.scalars(
            select(claim_table.c.id).where(claim_table.c.id.not_in(known))
        ).all()
        numbers = chance.integers(-127, 128, (len(claims), DIMENSIONS), dtype=np.int8)
        rows = [
            {
                "claim": slug,
                "digest": vectors.digest_of(slug),
                "position": position,
                "vector": numbers[position - last - 1].tobytes(),
            }
            for position, slug in enumerate(claims, start=last + 1)
        ]
        insert_rows(connection, claim_vector, rows)


def run(folder: Path, model: MiniLM, size: int) -> dict[str, Figures]:
    """Return the figures of each way of matching, the times at so many claims."""
    claims, sentences, abstracts = read_questions(folder)
    with temporary_database() as database:
        load_lines(database, claim_lines(claims))
        vectors.fill(database, model, sorted(claims))
        with database.read(unlimited=True) as connection:
            quality = {
                way.name: measure_quality(connection, way.scorer, sentences, abstracts)
                for way in ways(model)
            }
        load_lines(database, data.lines(size - len(claims), folder / "corpus.jsonl"))
        put_random_vectors(database)
        with database.read(unlimited=True) as connection:
            times = {
                way.name: measure_time(connection, way.scorer, sentences) for way in ways(model)
            }
    return {name: Figures(*quality[name], times[name]) for name in quality}


def to_table(figures: Mapping[str, Figures], ways: Iterable[Way], rows: Sequence[str]) -> str:
    """Return the figures in Markdown, one way of matching a column, each with its aim."""
    columns = [(way, figures[way.name]) for way in ways]
    cells = [
        [way.name for way, _ in columns],
        [f"{found.precision:.3f}{_aim(way, 'precision', '≥')}" for way, found in columns],
        [f"{found.recall:.3f}{_aim(way, 'recall', '≥')}" for way, found in columns],
        [f"{found.milliseconds:.0f} ms{_aim(way, 'milliseconds', '≤')}" for way, found in columns],
    ]
    table_rows = [[head, *row] for head, row in zip(("", *rows), cells, strict=True)]
    heading, *lines = [f"| {' | '.join(row)} |" for row in table_rows]
    return "\n".join([heading, "|---" * (len(columns) + 1) + "|", *lines])


def _aim(way: Way, name: str, sign: str) -> str:
    return "" if way.aims is None else f" (aim {sign} {getattr(way.aims, name):g})"


def main(
    folder: Annotated[Path, typer.Argument(help="SciFact's files.", exists=True, file_okay=False)],
    claims: Annotated[int, typer.Option(min=1000, help="How many, for the times.")] = 100_000,
) -> None:
    """Measure how well texts are matched to claims, and how fast."""
    model = embedding.load()
    if isinstance(model, NoModel):
        typer.echo(model.reason, err=True)
        raise typer.Exit(1)
    figures = run(folder, model, claims)
    _, sentences, abstracts = read_questions(folder)
    rows = (
        f"{len(sentences)} evidence sentences, MAP@{DEPTH}",
        f"{len(abstracts)} whole abstracts, R@{DEPTH}",
        f"a sentence against {claims:,} claims",
    )
    typer.echo(to_table(figures, ways(model), rows))


if __name__ == "__main__":
    typer.run(main)
