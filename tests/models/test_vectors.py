"""Vectors of claims: made after a change, gone with the words that they were of, and found."""

import hashlib
import logging
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select, update

from api.settings import ROOT
from models.projection import rebuild
from models.projection.integrity_check import check
from models.records.claim import Claim
from models.records.serializers import table
from models.search import embedding, nearest, vectors
from models.search.embedding import NoModel
from models.search.minilm import MiniLM, Vector
from models.search.nearest import Nearest
from models.search.synonyms import forms_of, read_abbreviations
from models.search.vectors import claim_vector
from models.write import changes
from tests.databases import SEEDED_CLAIMS, Store
from tests.letters import Letters
from tests.records import a_claim


@pytest.fixture(scope="session")
def model() -> MiniLM:
    found = embedding.load()
    assert not isinstance(found, NoModel), found
    return found


@pytest.fixture
def letters() -> Letters:
    return Letters()


def put(store: Store, **statements: str) -> None:
    """Store claims with these statements, in one change."""
    with changes.begin(store.database, actor="ada") as change:
        for slug, statement in statements.items():
            changes.put_claim(change, a_claim(slug, statement=statement))


def fill(store: Store, letters: MiniLM) -> int:
    """Make the vectors that are missing."""
    with store.database.read() as connection:
        claims = vectors.accepted_claims(connection)
    return vectors.fill(store.database, letters, claims)


def number_of_vectors(store: Store) -> int:
    with store.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(claim_vector)) or 0


def disagreements(store: Store) -> list[str]:
    with store.database.read() as connection:
        return list(check(connection))


def find(
    store: Store, near: Nearest, text: str, limit: int = 3, also: Sequence[str] = ()
) -> dict[str, float]:
    with store.database.read() as connection:
        (found,) = near.find(connection, [text], limit, [also])
    return found


def test_a_claim_is_found_in_other_words(seeded: Store, model: MiniLM) -> None:
    with seeded.database.read() as connection:
        rows = connection.execute(select(table(Claim).c.id, table(Claim).c.statement))
        statements = {row.id: row.statement for row in rows}
    assert len(statements) == SEEDED_CLAIMS
    # A claim has other wordings besides its statement.
    assert fill(seeded, model) == number_of_vectors(seeded) > 2 * SEEDED_CLAIMS
    near = Nearest(model)
    for text, claim in (
        ("Widening the veins makes people with MS better", "opening-veins-helps-ms"),
        ("Iron builds up in the brain around veins", "iron-from-slow-venous-flow"),
    ):
        scores = find(seeded, near, text)
        assert len(scores) == 3
        assert next(iter(scores)) == claim
        assert list(scores.values()) == sorted(scores.values(), reverse=True)
        assert 0.3 < scores[claim] < 1
    with seeded.database.read() as connection:
        found = near.find(connection, list(statements.values()), 1)
    # Eight bits a number are as good as the number.
    for claim, scores in zip(statements, found, strict=True):
        assert list(scores) == [claim]
        assert scores[claim] > 0.999
    assert disagreements(seeded) == []


def test_vectors_go_with_the_words_that_they_are_of(empty: Store, letters: Letters) -> None:
    put(empty, a="aaab", b="bbba", c="cccb")
    assert fill(empty, letters) == 3
    assert fill(empty, letters) == 0
    near = Nearest(letters)
    assert list(find(empty, near, "aab", 2)) == ["a", "b"]
    put(empty, a="cc")
    assert number_of_vectors(empty) == 2
    assert disagreements(empty) == []
    # The copy in memory still has the old words.
    assert "a" not in find(empty, near, "aaab", 3, also=["a"])
    letters.embedded.clear()
    assert fill(empty, letters) == 1
    assert letters.embedded == ["cc"]
    assert list(find(empty, near, "ccc", 2)) == ["a", "c"]
    put(empty, a="aaab")
    put(empty, a="cc")
    with changes.begin(empty.database, actor="ada", comment="No.") as change:
        changes.put_claim(change, a_claim("b", statement="bbba", state="retracted"))
    assert fill(empty, letters) == 1
    assert "b" not in find(empty, near, "bbba", 3, also=["b"])
    assert number_of_vectors(empty) == 2


def test_also_gives_scores_of_further_claims(empty: Store, letters: Letters) -> None:
    put(empty, a="aaab", b="bbba", c="ccc", d="ddd")
    fill(empty, letters)
    near = Nearest(letters)
    found = find(empty, near, "aaab", 1, also=["c", "a", "b", "unknown"])
    assert list(found) == ["a", "b", "c"]
    assert (found["a"], found["c"]) == (1.0, 0.0)
    with empty.database.read() as connection:
        assert near.find(connection, [], 3) == []
        several = near.find(connection, ["aaab"] * 20 + ["ccc"], 1)
    assert several == [{"a": 1.0}] * 20 + [{"c": 1.0}]


def test_what_is_not_filled_yet_is_not_there(empty: Store, letters: Letters) -> None:
    put(empty, a="aaab")
    near = Nearest(letters)
    assert find(empty, near, "aaab", 3, also=["a"]) == {}


def test_filling_stops_and_goes_on(
    empty: Store, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "BATCH", 2)
    put(empty, **{name: name * 3 for name in "abcde"})
    reported: list[int] = []

    def is_stopped() -> bool:
        return len(letters.embedded) == 3

    claims = list("abcde")
    assert vectors.fill(empty.database, letters, claims, is_stopped, reported.append) == 3
    assert reported == [2]
    assert number_of_vectors(empty) == 3
    assert vectors.fill(empty.database, letters, claims, report=reported.append) == 2
    assert reported == [2, 2, 2, 1]
    assert sorted(letters.embedded) == ["aaa", "bbb", "ccc", "ddd", "eee"]


def test_what_changes_while_vectors_are_made_is_left_out(empty: Store) -> None:
    put(empty, a="aaa", b="bbb")

    class Slow(Letters):
        def embed(self, text: str) -> Vector:
            if not self.embedded:
                put(empty, a="other")
            return super().embed(text)

    assert vectors.fill(empty.database, Slow(), ["a", "b"]) == 1
    assert disagreements(empty) == []
    assert fill(empty, Letters()) == 1


def test_two_that_fill_at_once_store_one_vector(empty: Store) -> None:
    put(empty, a="aaa", b="bbb")

    class Beside(Letters):
        def embed(self, text: str) -> Vector:
            if not self.embedded:
                assert fill(empty, Letters()) == 2
            return super().embed(text)

    assert vectors.fill(empty.database, Beside(), ["a", "b"]) == 0
    assert number_of_vectors(empty) == 2


def test_a_copy_follows_what_others_store(
    empty: Store, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "BLOCK", 4)
    monkeypatch.setattr(nearest, "SLICE", 2)
    near = Nearest(letters)
    names = "abcdefghi"
    for name in names:
        put(empty, **{name: name * 4})
        fill(empty, letters)
        assert find(empty, near, name, 1) == {name: 1.0}
    # Its last vector is deleted, and the next one must not take its place unseen.
    put(empty, i="zz")
    assert find(empty, near, "iiii", 1, also="i") != {"i": 1.0}
    fill(empty, letters)
    assert find(empty, near, "z", 1) == {"i": 1.0}
    # What is left behind in memory is given up at some time.
    monkeypatch.setattr(nearest, "MAX_OUTDATED", 2)
    for word in ("xx", "ww", "vv"):
        put(empty, i=word)
        fill(empty, letters)
        find(empty, near, word, 1)
    with empty.database.read() as connection:
        assert near.read_new(connection)[1] <= len(names) + 2


def test_a_copy_of_another_database_is_read_anew(empty: Store, letters: Letters) -> None:
    put(empty, a="aaa", b="bbb")
    fill(empty, letters)
    near = Nearest(letters)
    assert find(empty, near, "b", 1) == {"b": 1.0}
    # As after a restore: positions are lower than those that were read.
    with empty.database.write() as connection:
        connection.execute(delete(claim_vector))
    put(empty, c="ccc", d="ddd")
    with empty.database.write() as connection:
        rows = [
            {
                "claim": claim,
                "digest": vectors.digest_of(claim * 3),
                "position": position,
                "vector": letters.encode(claim * 3),
            }
            for position, claim in enumerate("abcd", start=1)
        ]
        connection.execute(insert(claim_vector), rows)
    assert find(empty, near, "d", 1) == {"d": 1.0}


def test_memory_is_bounded(empty: Store, letters: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "MAX_VECTORS", 3)
    put(empty, **{name: name for name in "abcde"})
    vectors.fill(empty.database, letters, list("abcde"))
    near = Nearest(letters)
    assert find(empty, near, "c", 1) == {"c": 1.0}
    assert find(empty, near, "e", 1, also="e")["e"] == 1.0
    put(empty, f="f")
    vectors.fill(empty.database, letters, ["f"])
    with empty.database.read() as connection:
        assert near.read_new(connection)[1] == 3


def test_check_tells_vectors_of_other_words(empty: Store, letters: Letters) -> None:
    put(empty, a="aaa", b="bbb")
    fill(empty, letters)
    assert disagreements(empty) == []
    with empty.database.write() as connection:
        other = update(claim_vector).where(claim_vector.c.claim == "a")
        connection.execute(other.values(digest=vectors.digest_of("ccc")))
    told = disagreements(empty)
    assert told == [
        "claim_vector of a is of other words than its own, or by another model;"
        " run claimbase rebuild"
    ]
    with empty.database.write() as connection:
        rebuild.rebuild(connection)
    assert disagreements(empty) == []
    assert number_of_vectors(empty) == 1


def test_changed_claims_are_those_with_revisions_since(empty: Store) -> None:
    put(empty, a="aaa")
    put(empty, b="bbb")
    with empty.database.read() as connection:
        assert sorted(vectors.changed_claims(connection, 0)) == ["a", "b"]
        assert vectors.changed_claims(connection, 1) == ["b"]
        assert vectors.changed_claims(connection, 2) == []


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (None, embedding.NOT_INSTALLED),
        ("", embedding.BROKEN),
        (b"another", embedding.OTHER_FILE),
        (b"no model, but the right one by its sum", embedding.BROKEN),
    ],
)
def test_without_the_model_a_sentence_says_why(
    model: bytes | str | None,
    reason: NoModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec = ModuleSpec(embedding.PACKAGE, None, origin=str(tmp_path / "__init__.py"))
    found = None if model is None else spec
    monkeypatch.setattr(embedding, "find_spec", lambda _name: found)
    if isinstance(model, bytes):
        (tmp_path / "model.onnx").write_bytes(model)
        if b"right" in model:
            digest = hashlib.sha256(model).hexdigest()
            monkeypatch.setattr(embedding, "MODEL_SHA256", digest)
    with caplog.at_level(logging.INFO, logger="claimbase.match"):
        assert embedding.load() == reason
    assert reason.reason.startswith("By words alone: ")
    assert "texts are matched by words alone" in caplog.messages


def test_a_claim_has_the_score_of_its_nearest_wording(empty: Store, letters: Letters) -> None:
    with changes.begin(empty.database, actor="ada") as change:
        wordings = [f"ccc{'d' * number}" for number in range(1, 9)]
        changes.put_claim(change, a_claim("a", statement="aaab", wordings=wordings))
        changes.put_claim(change, a_claim("b", statement="ccce"))
    assert fill(empty, letters) == 10
    near = Nearest(letters)
    # The nearest vectors are all of one claim; the other one is found nevertheless.
    assert list(find(empty, near, "cccd", 2)) == ["a", "b"]
    assert find(empty, near, "cccdd", 1) == {"a": 1.0}
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_claim(change, a_claim("a", statement="aaab", wordings=["cccd"]))
    assert number_of_vectors(empty) == 3
    assert find(empty, near, "cccdd", 1)["a"] < 1


def test_abbreviations_stand_for_what_they_mean(empty: Store, letters: Letters) -> None:
    put(empty, a="aa bbbb", b="dddd", c="QQQ")
    fill(empty, letters)
    near = Nearest(letters, {"XY": "aa bbbb", "QQQ": "eeee"})
    assert find(empty, near, "XY", 1) == {"a": 1.0}
    assert find(empty, near, "Eeee", 1) == {"c": 1.0}
    assert find(empty, near, "xy", 1, also="a")["a"] < 1
    with empty.database.read() as connection:
        found = near.find(connection, ["dddd", "XY", "eeee"] * 10, 1)
    assert found == [{"b": 1.0}, {"a": 1.0}, {"c": 1.0}] * 10


def test_forms_of_a_text() -> None:
    abbreviations = read_abbreviations(ROOT / "seed_data")
    assert abbreviations["MS"] == "multiple sclerosis"
    assert all(key.isupper() for key in abbreviations)
    assert forms_of("Nothing of MSX and ms", abbreviations) == ["Nothing of MSX and ms"]
    assert forms_of("MS and Relapsing-remitting multiple sclerosis.", abbreviations) == [
        "MS and Relapsing-remitting multiple sclerosis.",
        "multiple sclerosis and Relapsing-remitting multiple sclerosis.",
        "MS and RRMS.",
    ]
    assert read_abbreviations(ROOT / "docs") == {}
