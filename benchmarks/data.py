"""Generated claims in quantity, as lines of JSON that `claimbase import` takes: the same for the same arguments.

python -m benchmarks.data NUMBER [CORPUS.jsonl] > claims.jsonl

Three lines of evidence and one occurrence a claim, half as many sources as claims. The sentences are real: those of a corpus
in SciFact's form where its path is given, else those of the seed content. A larger knowledge base covers more subjects, so
there is a topic for each 200 claims; besides, each claim is filed under one of five broad ones, which grow with the whole.
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
CLAIMS_A_TOPIC = 200
BROAD_TOPICS = 5


def sentences(corpus: Path | None) -> list[str]:
    """Return real sentences."""
    if corpus is not None:
        with corpus.open(encoding="utf-8") as file:
            return [
                sentence
                for line in file
                for sentence in from_json(line)["abstract"]
                if sentence.strip()
            ]
    files = sorted((SEED_DATA / "claims").glob("*.yaml"))
    claims = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in files]
    lines = [line["finding"] for claim in claims for line in claim.get("evidence", [])]
    return [claim["statement"] for claim in claims] + lines


def records(number: int, text: list[str], seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield topics, sources and claims with their evidence, in an order that loads."""
    chance = random.Random(seed)
    told = itertools.cycle(text)
    topics = [f"topic-{place}" for place in range(max(10, number // CLAIMS_A_TOPIC))]
    broad = [f"broad-{place}" for place in range(BROAD_TOPICS)]
    for topic in (*topics, *broad):
        yield {"record": "topic", "id": topic, "label": topic, "definition": next(told)[:2000]}
    works = max(1, number // 2)
    for place in range(works):
        names = [f"Author{chance.randrange(5000)}" for _ in range(chance.randrange(1, 5))]
        yield {
            "record": "source",
            "id": f"source-{place}",
            "type": "article-journal",
            "title": next(told)[:900].strip("[]") or "Untitled",
            "container_title": f"Journal {chance.randrange(300)}",
            "issued": str(chance.randrange(1990, 2026)),
            "study_design": chance.choice(("case_control", "randomised_trial", "cohort")),
            "authors": [{"family": name, "given": "A"} for name in names],
            "identifiers": [
                {
                    "scheme": "doi",
                    "value": f"10.5555/generated.{place}",
                    "verification": "unverified",
                }
            ],
        }
    for place in range(number):
        yield {
            "record": "claim",
            "id": f"claim-{place}",
            "statement": next(told)[:2000],
            "kind": chance.choice(KINDS),
            "topics": [chance.choice(topics), chance.choice(broad)],
            "occurrences": [_occurrence(chance, works, next(told))],
            "evidence": [_line(chance, works, next(told)[:5000], key) for key in range(3)],
        }


def _occurrence(chance: random.Random, works: int, sentence: str) -> dict[str, Any]:
    place = chance.randrange(works)
    return {
        "key": "stated",
        "source": f"source-{place}",
        "quote": sentence,
        "asserted_by": [f"team-{place % 500}"],
    }


def _line(chance: random.Random, works: int, sentence: str, key: int) -> dict[str, Any]:
    level = chance.choice(LEVELS)
    line = {
        "key": f"line-{key}",
        "source": f"source-{chance.randrange(works)}",
        "direction": chance.choice(DIRECTIONS),
        "level": level,
        "study_design": "case_control",
        "sample_size": chance.randrange(10, 5000),
        "finding": sentence,
        "quote": sentence,
        "independence_group": f"group-{chance.randrange(2000)}",
    }
    return line if level == "not_gradable" else {**line, "question": "treatment_benefit"}


def lines(number: int, corpus: Path | None) -> Iterator[bytes]:
    """Yield the records as lines of JSON."""
    yield from (to_json(record) + b"\n" for record in records(number, sentences(corpus)))


def main() -> None:
    """Write what the arguments ask for to standard output."""
    corpus = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    sys.stdout.buffer.writelines(lines(int(sys.argv[1]), corpus))


if __name__ == "__main__":
    main()
