"""Generated claims in quantity, as JSON Lines for `claimbase import`, the same for the same
arguments.

python -m benchmarks.data NUMBER [CORPUS.jsonl] > claims.jsonl

Three lines of evidence and one occurrence a claim, half as many sources as claims. The sentences
are real: those of a corpus in SciFact's form if its path is an argument, else those of the seed
content. A larger knowledge base covers more subjects, so there is a topic for each 200 claims;
besides, each claim is filed under one of five broad ones, which grow with the whole.
"""

import itertools
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic_core import from_json, to_json

SEED_DATA = Path(__file__).resolve().parent.parent / "seed_data"
KINDS = ("mechanism", "causal_hypothesis", "finding", "definition", "evaluation")
# Directions and levels as they come in a field with some dispute.
DIRECTIONS = ("supports",) * 5 + ("disputes",) * 3 + ("inconclusive",) * 2
LEVELS = ("1", "2", "2", "3", "3", "4", "4", "5", "not_gradable")
DESIGNS = ("case_control", "randomised_trial", "cohort")
CLAIMS_PER_TOPIC = 200
BROAD_TOPICS = 5

Record = dict[str, Any]


def sentences(corpus: Path | None) -> list[str]:
    """Return real sentences."""
    return _seed_sentences() if corpus is None else _corpus_sentences(corpus)


def _corpus_sentences(corpus: Path) -> list[str]:
    found: list[str] = []
    with corpus.open(encoding="utf-8") as file:
        for line in file:
            abstract = from_json(line)["abstract"]
            found += [sentence for sentence in abstract if sentence.strip()]
    return found


def _seed_sentences() -> list[str]:
    statements: list[str] = []
    findings: list[str] = []
    for path in sorted((SEED_DATA / "claims").glob("*.yaml")):
        claim = yaml.safe_load(path.read_text(encoding="utf-8"))
        statements.append(claim["statement"])
        findings += [evidence["finding"] for evidence in claim.get("evidence", [])]
    return statements + findings


def records(number: int, text: list[str], seed: int = 1) -> Iterator[Record]:
    """Yield topics, sources and claims with their evidence, in an order that loads."""
    chance = random.Random(seed)
    texts = itertools.cycle(text)
    topics = [f"topic-{position}" for position in range(max(10, number // CLAIMS_PER_TOPIC))]
    broad_topics = [f"broad-{position}" for position in range(BROAD_TOPICS)]
    for topic in (*topics, *broad_topics):
        yield {"record": "topic", "id": topic, "label": topic, "definition": next(texts)[:2000]}
    source_count = max(1, number // 2)
    for position in range(source_count):
        yield _source(chance, position, next(texts))
    for position in range(number):
        yield {
            "record": "claim",
            "id": f"claim-{position}",
            "statement": next(texts)[:2000],
            "kind": chance.choice(KINDS),
            "topics": [chance.choice(topics), chance.choice(broad_topics)],
            "occurrences": [_occurrence(chance, source_count, next(texts))],
            "evidence": [_evidence(chance, source_count, next(texts), key) for key in range(3)],
        }


def _source(chance: random.Random, position: int, sentence: str) -> Record:
    names = [f"Author{chance.randrange(5000)}" for _ in range(chance.randrange(1, 5))]
    doi = f"10.5555/generated.{position}"
    return {
        "record": "source",
        "id": f"source-{position}",
        "type": "article-journal",
        "title": sentence[:900].strip("[]") or "Untitled",
        "container_title": f"Journal {chance.randrange(300)}",
        "issued": str(chance.randrange(1990, 2026)),
        "study_design": chance.choice(DESIGNS),
        "authors": [{"family": name, "given": "A"} for name in names],
        "identifiers": [{"scheme": "doi", "value": doi, "verification": "unverified"}],
    }


def _occurrence(chance: random.Random, source_count: int, sentence: str) -> Record:
    position = chance.randrange(source_count)
    return {
        "key": "stated",
        "source": f"source-{position}",
        "quote": sentence,
        "asserted_by": [f"team-{position % 500}"],
    }


def _evidence(chance: random.Random, source_count: int, sentence: str, key: int) -> Record:
    level = chance.choice(LEVELS)
    evidence = {
        "key": f"line-{key}",
        "source": f"source-{chance.randrange(source_count)}",
        "direction": chance.choice(DIRECTIONS),
        "level": level,
        "study_design": "case_control",
        "sample_size": chance.randrange(10, 5000),
        "finding": sentence[:5000],
        "quote": sentence[:5000],
        "independence_group": f"group-{chance.randrange(2000)}",
    }
    if level != "not_gradable":
        evidence["question"] = "treatment_benefit"
    return evidence


def lines(number: int, corpus: Path | None) -> Iterator[bytes]:
    """Yield the records as lines of JSON."""
    for record in records(number, sentences(corpus)):
        yield to_json(record) + b"\n"


def main() -> None:
    """Write the records to standard output."""
    corpus = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    sys.stdout.buffer.writelines(lines(int(sys.argv[1]), corpus))


if __name__ == "__main__":
    main()
