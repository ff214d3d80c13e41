"""What is typed into a search, and what it asks for."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.settings import ROOT
from models.database.full_text import Branch, Term
from models.search.query import highlight, label_prefixes, normalise_prefix, parse_query
from models.search.synonyms import BadSynonyms, build_synonyms, read_synonyms

KNOWN = build_synonyms([["MS", "multiple sclerosis"], ["IL-6", "interleukin 6"]], "here")
MULTIPLE, SCLEROSIS, MS = ("multipl",), ("sclerosi",), ("ms",)


def word(*tokens: str) -> Term:
    """Return a term without synonyms."""
    return ((tokens,),)


IRON, VEIN = word("iron"), word("vein")
MS_TERM: Term = ((MS,), (("multipl", "sclerosi"),))


@pytest.mark.parametrize(
    ("text", "branches"),
    [
        ("iron veins", [Branch((IRON, VEIN), ())]),
        ("iron iron", [Branch((IRON,), ())]),
        ('"iron veins"', [Branch((word("iron", "vein"),), ())]),
        ("“iron veins”", [Branch((word("iron", "vein"),), ())]),
        ('"iron veins', [Branch((word("iron", "vein"),), ())]),
        ('iron"veins"', [Branch((IRON, VEIN), ())]),
        ("iron -veins", [Branch((IRON,), (VEIN,))]),
        ('iron -"veins iron"', [Branch((IRON,), (word("vein", "iron"),))]),
        ("iron --veins - -", [Branch((IRON,), (VEIN,))]),
        ("iron or veins", [Branch((IRON,), ()), Branch((VEIN,), ())]),
        ("iron OR OR iron or", [Branch((IRON,), ())]),
        ("iron or -veins", [Branch((IRON,), ())]),
        ('iron "or" veins', [Branch((IRON, word("or"), VEIN), ())]),
        ("iron/veins", [Branch((word("iron", "vein"),), ())]),
        ("NOT a:b", [Branch((word("a", "b"),), ())]),
        ("is it", [Branch((word("is"), word("it")), ())]),
        ("Does iron cause it?", [Branch((IRON, word("caus")), ())]),
        ('"is" iron', [Branch((word("is"), IRON), ())]),
        ("vein*", [Branch((word("vein*"),), ())]),
        ("ve* iron", [Branch((word("ve"), IRON), ())]),
        ("Smith et al. 2009", [Branch((word("smith"), word("n2009")), ())]),
        ("follow-up", [Branch((((("follow", "up"),), (("followup",),)),), ())]),
        ("https://doi.org/10.1234/Ab", [Branch((word("n10", "n1234", "ab"),), ())]),
        ("PMID: 123", [Branch((word("n123"),), ())]),
        ("il6", [Branch((word("il6"),), ())]),
        ("MS", [Branch((MS_TERM,), ())]),
        ('"MS"', [Branch((word("ms"),), ())]),
        ("iron -MS", [Branch((IRON,), (MS_TERM,))]),
        (
            "multiple sclerosis veins",
            [Branch((((MULTIPLE, SCLEROSIS), (MS,)), VEIN), ())],
        ),
        ("multiple (sclerosis)", [Branch((((MULTIPLE, SCLEROSIS), (MS,)),), ())]),
        (
            "multiple or sclerosis",
            [Branch((word(*MULTIPLE),), ()), Branch((word(*SCLEROSIS),), ())],
        ),
        ("IL-6", [Branch((((("il", "n6"),), (("interleukin", "n6"),), (("il6",),)),), ())]),
        *(
            (text, [])
            for text in ("", " ", "-", '"', '""', "-veins", "or", "( ) % * :", "😀", '-"iron')
        ),
    ],
)
def test_queries_are_parsed(text: str, branches: list[Branch]) -> None:
    assert list(parse_query(text, KNOWN)) == branches


@given(
    st.text(alphabet=st.sampled_from("ab6 -\"()*:%^&|!<>'or\n多é😀"), max_size=40)
    | st.text(max_size=40)
)
@settings(max_examples=500, deadline=None)
def test_no_text_fails_as_a_query(text: str) -> None:
    for branch in parse_query(text, KNOWN):
        assert branch.wanted
        for term in (*branch.wanted, *branch.unwanted):
            assert all(phrase and all(phrase) for alternative in term for phrase in alternative)


def test_the_longest_wording_has_the_synonyms() -> None:
    known = build_synonyms(
        [["MS", "multiple sclerosis"], ["RRMS", "relapsing multiple sclerosis"]], "here"
    )
    ((((_, *others),), _),) = parse_query("relapsing multiple sclerosis", known)
    assert others == [(("rrms",),)]


@pytest.mark.parametrize(
    ("text", "query", "html"),
    [
        ("Veins & <iron>", "iron", "Veins &amp; &lt;<mark>iron</mark>&gt;"),
        ("A vein, veins.", "VEIN", "A <mark>vein</mark>, <mark>veins</mark>."),
        ("Has MS here", "multiple sclerosis", "Has <mark>MS</mark> here"),
        (
            "multiple sclerosis; sclerosis",
            '"multiple sclerosis"',
            "<mark>multiple sclerosis</mark>; sclerosis",
        ),
        ("IL-6 of 6", "il-6", "<mark>IL-6</mark> of 6"),
        ("Sundström", "sundstrom", "<mark>Sundström</mark>"),
        ("iron", "veins -iron", None),
        ("iron", "-", None),
        ("", "iron", None),
    ],
)
def test_matches_are_highlighted(text: str, query: str, html: str | None) -> None:
    assert highlight(text, parse_query(query, KNOWN)) == html


def test_a_label_is_found_by_each_of_its_words() -> None:
    found = label_prefixes(["The Rôle of iron in MS", "B 6"])
    assert found == {"the role of iron in ms", "role of iron in ms", "iron in ms", "ms", "b 6", "6"}
    assert normalise_prefix("  Rôle, of I") == "role of i"
    assert label_prefixes(["", "…"]) == set()
    (first, *_) = sorted(label_prefixes(["word " * 100]), key=len, reverse=True)
    assert 25 < len(first) <= 32
    assert normalise_prefix("word " * 100) == first


def test_the_synonyms_of_the_seed_files_are_valid() -> None:
    known = read_synonyms(ROOT / "seed_data")
    assert known["ms",] == (("ms",), ("multipl", "sclerosi"))
    assert ("chronic", "cerebrospin", "venous", "insuffici") in known["ccsvi",]


def test_a_folder_without_synonyms_has_none(tmp_path: Path) -> None:
    assert read_synonyms(tmp_path) == {}


@pytest.mark.parametrize(
    "content",
    [
        "MS: multiple sclerosis",
        "- [MS]",
        "- MS",
        "- [MS, 6]",
        "- [a, b]\n- [b, c]",
        "- [a, …]",
        "[",
        "- [a, \udcff]",
    ],
)
def test_invalid_synonyms_are_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "vocabularies").mkdir()
    path = tmp_path / "vocabularies" / "synonyms.yaml"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(BadSynonyms, match=r"synonyms\.yaml"):
        read_synonyms(tmp_path)
