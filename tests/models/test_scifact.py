"""SciFact: every claim and every abstract is loaded, and nothing that the files do not say."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json
from sqlalchemy import func, select

from api.settings import ROOT
from models.core.errors import describe_fault
from models.core.types import clean_text
from models.projection import documents
from models.read import listings
from models.records.claim import Claim
from models.records.evidence import Evidence
from models.records.record_types import RECORD_TYPES, read_record
from models.records.serializers import table
from models.records.source import Source
from models.status.claim_aggregate import PARTS
from models.transfer import load as loading
from models.transfer.datasets import scifact
from models.transfer.jsonl_reader import BadFile
from tests.databases import Store
from tests.models.exports import as_lines, disagreements, exported, load
from tests.models.scifact_files import ABSTRACT, CLAIM, LOOKED_AT, TRANSLATED

REAL = ROOT.parent / "shared" / "data" / "scifact"
FILES = (REAL / "claims_train.jsonl", REAL / "corpus.jsonl")


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    claims, corpus = tmp_path / "claims.jsonl", tmp_path / "corpus.jsonl"
    claims.write_bytes(as_lines(CLAIM))
    corpus.write_bytes(as_lines(ABSTRACT, TRANSLATED, LOOKED_AT))
    return claims, corpus


def brought_in(store: Store, claims: Path, corpus: Path) -> loading.LoadResult:
    """Load the two files; nothing may be reported."""
    told: list[str] = []
    with scifact.open_input(claims, corpus) as source:
        loaded = loading.load(
            store.database,
            source,
            report=lambda each: told.append(describe_fault(each.location, each.fault)),
        )
    assert told == []
    return loaded


def test_a_small_sample_becomes_sources_and_claims(empty: Store, files: tuple[Path, Path]) -> None:
    loaded = brought_in(empty, *files)
    assert loaded.stored == {"collection": 1, "source": 3, "claim": 1, "evidence": 4}
    header = from_json(exported(empty).partition(b"\n")[0])
    # Its licences are its own.
    assert header["licences"] == ["CC-BY-4.0 AND ODC-By-1.0"]
    with empty.database.read() as connection:
        row = listings.read_claim(connection, "x-helps-in-meniere-s-disease-scifact-3", PARTS)
        claim = from_json(documents.claim_json(row))
        evidence = {line["key"]: line for line in from_json(row["evidence"])}
        source = read_record(connection, RECORD_TYPES["source"], "scifact-7")
        translated = read_record(connection, RECORD_TYPES["source"], "scifact-8")
    assert (claim["statement"], claim["kind"], claim["status"]) == (
        "X helps in Ménière's disease.",
        "finding",
        "contested",
    )
    assert "CC BY 4.0" in claim["note"]
    assert {
        key: (line["direction"], line["quote"], line["locator"], line["source"])
        for key, line in evidence.items()
    } == {
        "scifact-7": ("supports", "It helped.", "abstract, sentence 2", "scifact-7"),
        "scifact-7-2": (
            "supports",
            "We gave X. It helped. Well.",
            "abstract, sentences 1, 3",
            "scifact-7",
        ),
        "scifact-8": ("disputes", "Nothing happened.", "abstract, sentence 1", "scifact-8"),
        "scifact-9": ("inconclusive", None, None, "scifact-9"),
    }
    for line in evidence.values():
        told = (
            line["level"],
            line["question"],
            line["study_design"],
            line["extraction"],
            line["year"],
        )
        assert told == ("not_gradable", None, "not_recorded", "manual", None)
        # An abstract was read; nobody searched for others.
        assert line["searched_found_none"] is False
        assert line["independence_group"] == line["source"]
    assert evidence["scifact-7-2"]["note"] == "Of the quoted sentences the annotators marked 1, 3."
    assert source is not None
    assert translated is not None
    assert (source["authors"], source["authors_complete"], source["issued"]) == ([], False, None)
    assert source["text_sha256"] == hashlib.sha256(b"We gave X. It helped. Well.").hexdigest()
    assert "ODC-By 1.0" in source["note"]
    assert translated["title"] == "[X in Y]"
    assert disagreements(empty) == []
    again = brought_in(empty, *files)
    assert (again.stored.total(), again.unchanged.total()) == (0, 9)


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (
            {**CLAIM, "evidence": {"7": [{"sentences": [9], "label": "SUPPORT"}]}},
            "names a sentence that is not in",
        ),
        (
            {**CLAIM, "evidence": {"7": [{"sentences": [-1], "label": "SUPPORT"}]}},
            "not SciFact's: evidence/7/0/sentences/0",
        ),
        (
            {**CLAIM, "evidence": {"5": [{"sentences": [0], "label": "SUPPORT"}]}},
            "names a sentence that is not in",
        ),
        (
            {**CLAIM, "evidence": {"7": [{"sentences": [0], "label": "MAYBE"}]}},
            "not SciFact's: evidence/7/0/label",
        ),
        ({**CLAIM, "more": 1}, "line 1: not SciFact's: more"),
        ({"doc_id": 1}, "line 1: not SciFact's: id"),
    ],
)
def test_other_files_are_refused(
    claim: dict[str, Any], told: str, untouched: Store, files: tuple[Path, Path]
) -> None:
    files[0].write_bytes(as_lines(claim))
    with pytest.raises(BadFile, match=told):
        brought_in(untouched, *files)
    assert exported(untouched).count(b"\n") == 1


def test_a_missing_abstract_is_reported(empty: Store, files: tuple[Path, Path]) -> None:
    files[1].write_bytes(as_lines(ABSTRACT, TRANSLATED))
    with scifact.open_input(*files) as source, pytest.raises(loading.BadImport):
        told: list[str] = []
        loading.load(
            empty.database,
            source,
            report=lambda each: told.append(describe_fault(each.location, each.fault)),
        )
    assert len(told) == 1
    assert told[0].startswith(
        "claims.jsonl line 1: evidence/3/source: There is no source 'scifact-9'."
    )


@pytest.mark.parametrize("words", [1, 3, 60])
def test_a_slug_has_whole_words_and_ends_in_the_number(words: int) -> None:
    claim = scifact.Claim(id=12, claim=" ".join(["Überlänge"] * words), doc_ids=[], evidence={})
    slug = scifact.claim_slug(claim)
    assert slug.endswith("uberlange-scifact-12")
    assert len(slug) <= 70


@pytest.mark.skipif(
    not all(path.exists() for path in FILES),
    reason="SciFact is not shipped; it stands beside the checkout of the authors",
)
@pytest.mark.parametrize(
    "most", [pytest.param(60, id="some"), pytest.param(None, id="all", marks=pytest.mark.slow)]
)
def test_scifact_and_its_round_trip(
    empty: Store, other: Store, tmp_path: Path, most: int | None
) -> None:
    claims = [json.loads(line) for line in FILES[0].read_text(encoding="utf-8").splitlines()][:most]
    cited = {document for claim in claims for document in claim["doc_ids"]}
    corpus = [
        abstract
        for line in FILES[1].read_text(encoding="utf-8").splitlines()
        if (abstract := json.loads(line))["doc_id"] in cited or most is None
    ]
    files = [tmp_path / path.name for path in FILES]
    for path, records in zip(files, (claims, corpus), strict=True):
        path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    labels = Counter(
        scifact.DIRECTIONS[each["label"]]
        for claim in claims
        for rationale in claim["evidence"].values()
        for each in rationale
    )
    labels["inconclusive"] = sum(
        str(cited) not in claim["evidence"] for claim in claims for cited in claim["doc_ids"]
    )
    loaded = brought_in(empty, *files)
    assert loaded.stored == {
        "collection": 1,
        "source": len(corpus),
        "claim": len(claims),
        "evidence": labels.total(),
    }
    lines = table(Evidence)
    with empty.database.read() as connection:
        counted = connection.execute(
            select(lines.c.direction, func.count()).group_by(lines.c.direction)
        )
        assert dict(tuple(row) for row in counted) == labels
        titles = dict(
            tuple(row)
            for row in connection.execute(select(table(Source).c.id, table(Source).c.title))
        )
        statements = connection.scalars(select(table(Claim).c.statement)).all()
        quotes = connection.execute(
            select(lines.c.source, lines.c.quote).where(lines.c.quote.is_not(None))
        ).all()
    assert len(titles) == len(corpus)
    assert sorted(statements) == sorted(claim["claim"] for claim in claims)
    told = {
        scifact.abstract_slug(each["doc_id"]): str(clean_text(" ".join(each["abstract"])))
        for each in corpus
    }
    assert [slug for slug, quote in quotes if quote not in told[slug]] == []
    # A claim without a label is one that nobody took a side on.
    content = exported(empty)
    unlabelled = sum(not claim["evidence"] for claim in claims)
    assert content.count(b'"status":"unassessed"') == unlabelled
    assert disagreements(empty) == []
    told_again, reported = load(other, content)
    assert (reported, told_again.restored) == ([], True)
    assert exported(other) == content
    assert disagreements(other) == []
