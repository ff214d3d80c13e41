"""Seed files: all or nothing, every fault told at once, and nothing happens the second time."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from api.settings import ROOT
from models.core.errors import ClaimbaseError
from models.projection import documents
from models.read import listings
from models.records.claim import Claim
from models.records.revision import Revision
from models.records.serializers import table
from models.transfer.seed import BadSeed, seed
from tests.databases import SEEDED, Store


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "seed_data", tmp_path / "seed_data"))


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the few seed files that the cases spoil, with all that these refer to."""
    root = tmp_path_factory.mktemp("few") / "seed_data"
    shutil.copytree(ROOT / "seed_data" / "vocabularies", root / "vocabularies")
    causal = (ROOT / "seed_data" / CAUSAL).read_text(encoding="utf-8")
    before, *items = re.split(r"(?m)^(?=  - key: )", causal[: causal.index("\nrelations:")])
    relations = causal[causal.index("\nrelations:") : causal.index("\nassessments:")]
    # The occurrence, and the lines of evidence as far as the last one that a case names.
    claims = {"ccsvi-causes-ms": before + "".join(items[:9]) + relations}
    for target in ("ccsvi-full-name", *re.findall("target: (.+)", relations)):
        text = (ROOT / "seed_data" / "claims" / f"{target}.yaml").read_text(encoding="utf-8")
        claims[target] = re.split(r"(?m)^(?=occurrences:|evidence:)", text)[0]
    sources: dict[str, str] = {}
    wanted = re.findall(r"source: (\S+)", claims["ccsvi-causes-ms"])
    while wanted:
        name = wanted.pop()
        if name not in sources:
            path = ROOT / "seed_data" / "sources" / f"{name}.yaml"
            sources[name] = path.read_text(encoding="utf-8")
            # What it cites, or is a version of.
            wanted += re.findall(r"source: (\S+[a-z0-9])", sources[name])
    for folder, texts in (("claims", claims), ("sources", sources)):
        (root / folder).mkdir()
        for name, text in texts.items():
            (root / folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def few_files(few: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(few, tmp_path / "seed_data"))


def revisions(store: Store) -> int:
    with store.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table(Revision))) or 0


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_loading_again_alters_nothing(seeded: Store) -> None:
    before = revisions(seeded)
    tally = seed(seeded.database, ROOT / "seed_data")
    assert revisions(seeded) == before == SEEDED
    assert {outcome for _, outcome in tally} == {"unchanged"}
    assert sum(tally.values()) == SEEDED


def test_an_edited_file_makes_one_revision_and_a_new_document(seeded: Store, files: Path) -> None:
    replace(
        files / "claims" / "ccsvi-causes-ms.yaml",
        "CCSVI causes MS.",
        "CCSVI causes multiple sclerosis.",
    )
    tally = seed(seeded.database, files)
    assert tally["claim", "stored"] == 1
    assert revisions(seeded) == SEEDED + 1
    with seeded.database.read() as connection:
        row = listings.read_claim(connection, "ccsvi-causes-ms", ())
    assert row["revision"] == SEEDED + 1
    assert b'"statement":"CCSVI causes multiple sclerosis."' in documents.claim_json(row)


CAUSAL, DOEPP = "claims/ccsvi-causes-ms.yaml", "sources/doepp-2010.yaml"
BAD: list[tuple[str, str, Callable[[Path], object], list[str]]] = [
    (
        "term",
        CAUSAL,
        lambda p: replace(p, "direction: supports", "direction: suports"),
        [
            "evidence/0/direction",
            "'suports' is not a term",
            "Did you mean 'supports'?",
            "Valid: supports, disputes, inconclusive.",
        ],
    ),
    (
        "field",
        CAUSAL,
        lambda p: replace(p, "statement:", "statment:"),
        ["statment", "Did you mean 'statement'?", "statement: Field required"],
    ),
    (
        "level without question",
        CAUSAL,
        lambda p: replace(p, "    question: diagnosis\n", ""),
        ["evidence/0", "Level 4 needs a question", "treatment_benefit"],
    ),
    (
        "level of another question",
        CAUSAL,
        lambda p: replace(
            p, "    level: 5\n    question: diagnosis", "    level: 5\n    question: prevalence"
        ),
        ["evidence/1", "The question prevalence has no level 5", "Valid: 1, 2, 3, 4."],
    ),
    (
        "quote and span",
        CAUSAL,
        lambda p: replace(p, "end: 848", "end: 847"),
        ["occurrences/0", "69 characters", "68"],
    ),
    (
        "unknown source",
        CAUSAL,
        lambda p: replace(p, "source: doepp-2010", "source: dopp-2010"),
        ["evidence/7/source", "no source 'dopp-2010'", "Did you mean 'doepp-2010'?"],
    ),
    (
        "unknown topic",
        "claims/ccsvi-full-name.yaml",
        lambda p: replace(p, "topics: [ccsvi]", "topics: [cssvi]"),
        ["topics", "Did you mean 'ccsvi'?"],
    ),
    (
        "unknown target",
        CAUSAL,
        lambda p: replace(p, "target: ms-cause-unknown", "target: ms-cause-unkown"),
        ["relations/0/target", "Did you mean 'ms-cause-unknown'?"],
    ),
    (
        "key given twice",
        CAUSAL,
        lambda p: replace(p, "kind: causal_hypothesis", "kind: mechanism\nkind: causal_hypothesis"),
        ["line 2", "'kind' is given twice"],
    ),
    (
        "line given twice",
        CAUSAL,
        lambda p: replace(p, "key: singh-2009", "key: zamboni-2009-jnnp"),
        ["evidence", "'zamboni-2009-jnnp' is given 2 times"],
    ),
    ("not YAML", CAUSAL, lambda p: p.write_text("a: [1", encoding="utf-8"), ["line 1"]),
    ("not UTF-8", CAUSAL, lambda p: p.write_bytes(b"statement: \xff"), ["Not UTF-8 at byte 11"]),
    ("not a record", CAUSAL, lambda p: p.write_text("- a\n", encoding="utf-8"), ["one record"]),
    ("empty", CAUSAL, lambda p: p.write_text("", encoding="utf-8"), ["one record"]),
    (
        "id of another file",
        CAUSAL,
        lambda p: replace(p, "statement:", "id: other\nstatement:"),
        ["The id is the file's name"],
    ),
    (
        "date",
        DOEPP,
        lambda p: replace(p, 'issued: "2010"', 'issued: "2010-13"'),
        ["issued", "YYYY, YYYY-MM or YYYY-MM-DD"],
    ),
    (
        "DOI",
        DOEPP,
        lambda p: replace(p, "10.1002/ana.22085", "11.1002/ana.22085"),
        ["identifiers/0", "'11.1002/ana.22085' is not a doi"],
    ),
    (
        "identifier of another",
        DOEPP,
        lambda p: replace(p, "10.1002/ana.22085", "10.1038/jcbfm.2009.180"),
        ["belongs to the source 'singh-2009'"],
    ),
    (
        "NUL",
        DOEPP,
        lambda p: replace(p, "issued:", 'publisher: "a\\0b"\nissued:'),
        ["publisher", "U+0000"],
    ),
    (
        "file name",
        DOEPP,
        lambda p: p.rename(p.with_name("Doepp 2010.yaml")),
        ["id", "lower-case letters and digits"],
    ),
]


def test_the_few_files_are_good_before_they_are_spoilt(empty: Store, few_files: Path) -> None:
    tally = seed(empty.database, few_files)
    assert tally["evidence", "stored"] == 8
    assert {outcome for _, outcome in tally} == {"stored"}


@pytest.mark.parametrize(
    ("file", "spoil", "told"), [case[1:] for case in BAD], ids=[case[0] for case in BAD]
)
def test_a_bad_file_is_reported_and_nothing_is_stored(
    untouched: Store, few_files: Path, file: str, spoil: Callable[[Path], object], told: list[str]
) -> None:
    spoil(few_files / file)
    with pytest.raises(BadSeed) as caught:
        seed(untouched.database, few_files)
    report = caught.value.detail
    assert "nothing was stored" in report
    assert f"seed_data/{file.split('/', maxsplit=1)[0]}/" in report
    for words in told:
        assert words in report, report
    assert revisions(untouched) == 0
    with untouched.database.read() as connection:
        assert connection.scalar(select(func.count()).select_from(table(Claim))) == 0


def test_all_bad_files_are_reported_at_once(empty: Store, files: Path) -> None:
    replace(files / CAUSAL, "direction: supports", "direction: suports")
    replace(files / DOEPP, 'issued: "2010"', 'issued: "soon"')
    replace(files / "claims" / "ccsvi-full-name.yaml", "source: leone-2013", "source: leone-2031")
    (files / "claims" / "broken.yaml").write_text("a: [", encoding="utf-8")
    # What only refers to doepp-2010 or to the causal claim is not at fault.
    with pytest.raises(BadSeed, match="4 faults in 4 files") as caught:
        seed(empty.database, files)
    names = {path.name for path, _ in caught.value.problems}
    assert names == {
        "ccsvi-causes-ms.yaml",
        "doepp-2010.yaml",
        "ccsvi-full-name.yaml",
        "broken.yaml",
    }


def test_words_that_yaml_would_convert_stay_text(empty: Store, files: Path) -> None:
    replace(files / DOEPP, 'volume: "68"', "volume: 1e3\nissue: no")
    seed(empty.database, files)
    with empty.database.read() as connection:
        row = listings.read_source(connection, "doepp-2010")
    assert (row["volume"], row["issue"]) == ("1e3", "no")


def test_a_folder_without_seed_files_is_an_error_and_an_empty_one_is_empty(
    empty: Store, tmp_path: Path
) -> None:
    (tmp_path / ".gitkeep").touch()
    assert seed(empty.database, tmp_path) == {}
    with pytest.raises(ClaimbaseError, match="no seed files"):
        seed(empty.database, tmp_path / "nowhere")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ClaimbaseError, match="no seed files"):
        seed(empty.database, tmp_path)
