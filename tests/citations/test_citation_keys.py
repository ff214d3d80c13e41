"""Citation keys: readable, ASCII, unique in an answer, the same again."""

import re
from typing import Any

import pytest

from api.citations.citation_keys import citation_key, key_maker
from models.records.serializers import Row
from tests.citations.sources import citation_keys, row, seed_source, source_lists
from tests.generated import generated


def a_source(**fields: Any) -> Row:
    return row(
        **{
            "id": "some-source",
            "type": "document",
            "title": "Title",
            "study_design": "not_recorded",
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("slug", "key"),
    [
        ("zamboni-2009-jnnp", "zamboni2009chronic"),
        ("zamboni-2009-cnr", "zamboni2009venous"),
        ("singh-2009", "singh2009anomalous"),
        ("sundstrom-2010", "sundstrom2010venous"),
        ("fda-2017", "us2017fda"),
        ("article-ccsvi-explained", "disease2010doctors"),
    ],
)
def test_the_key_is_name_year_and_word(slug: str, key: str) -> None:
    assert citation_key(seed_source(slug)) == key


@pytest.mark.parametrize(
    ("authors", "title", "key"),
    [
        ([{"family": "Ørsted Strauß"}], "The «Größe»", "orstedstrauss2001grosse"),
        ([{"family": "Łukasiewicz", "particle": "van den"}], "β-amyloid", "lukasiewicz2001amyloid"),
        ([{"family": "O'Brien"}], "On the H₂O: half-life", "obrien2001h2o"),
        ([{"literal": "The World Health Organization"}], "A 3-year plan", "world20013year"),
        ([{"family": "李"}], "日本語", "some2001"),
        ([], "What is it?", "it2001"),
        ([], "—", "some2001"),
        ([{"literal": "100% Science"}], "2001", "science20012001"),
    ],
)
def test_letters_are_folded_and_something_is_always_there(
    authors: list[Row], title: str, key: str
) -> None:
    assert citation_key(a_source(authors=authors, title=title, issued="2001")) == key


def test_a_source_without_a_date_has_no_year_in_its_key() -> None:
    assert citation_key(a_source(authors=[{"family": "Ng"}], title="Iron")) == "ngiron"


def test_collisions_get_letters_in_the_order_of_the_slugs() -> None:
    twins = [a_source(id=slug, title="Iron", issued="2001") for slug in ("c", "a", "b")]
    assert citation_keys(twins) == {"a": "iron2001", "b": "iron2001a", "c": "iron2001b"}


def test_a_letter_never_makes_the_key_of_another_source() -> None:
    titles = {"a": "Iro", "b": "Iroa", "c": "Iro", "d": "Iroa"}
    sources = [
        a_source(id=slug, authors=[{"family": "Ng"}], title=title) for slug, title in titles.items()
    ]
    assert citation_keys(sources) == {"a": "ngiro", "b": "ngiroa", "c": "ngirob", "d": "ngiroaa"}


def test_many_collisions_go_on_after_z() -> None:
    key_of = key_maker()
    keys = [key_of(a_source(id=f"s-{number}", title="Iron")) for number in range(30)]
    assert keys[26:30] == ["ironz", "ironaa", "ironab", "ironac"]


def test_a_source_that_comes_again_keeps_its_key() -> None:
    key_of = key_maker()
    assert (
        key_of(seed_source("singh-2009"))
        == key_of(seed_source("singh-2009"))
        == "singh2009anomalous"
    )


@generated(source_lists(8), few=40, many=500)
def test_keys_are_unique_and_ascii(sources: list[Row]) -> None:
    keys = citation_keys(sources)
    assert len(set(keys.values())) == len(keys) == len(sources)
    assert all(re.fullmatch("[a-z][a-z0-9]*", key) for key in keys.values())
