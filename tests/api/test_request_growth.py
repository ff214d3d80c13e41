"""What a question costs grows no faster than the question and than what it is held against."""

from collections.abc import Callable
from itertools import count

import pytest
from fastapi.testclient import TestClient

from models.core.errors import close_matches
from tests.growth import MOST_GROWTH, growth

TURNS = count(100_000)


def unknown_sources(number: int) -> str:
    """Return a question for claims of sources that are not stored."""
    names = ",".join(f"nobody-{place}-nowhere" for place in range(number))
    return f"/v1/claims?source={names}"


def misspelt_claim(size: int) -> str:
    """Return the address of a claim whose slug is nearly one that is stored, at the end."""
    return f"/v1/claims/{'ccsvi-' * size}causes-ms"


def many_terms(number: int) -> str:
    """Return a search of different words."""
    return "/v1/claims?q=" + "+".join(f"vein{place}" for place in range(number))


@pytest.mark.parametrize(
    ("address", "size"), [(unknown_sources, 25), (misspelt_claim, 12), (many_terms, 8)]
)
def test_a_question_costs_no_more_than_its_size(
    client: TestClient, address: Callable[[int], str], size: int
) -> None:
    def ask(path: str) -> None:
        for _ in range(5):
            # In other words each time, since an answer that is kept costs nothing.
            accept = f"*/*;q=0.{next(TURNS):06}"
            assert client.get(path, headers={"Accept": accept}).status_code < 500

    assert growth(address, ask, size) < MOST_GROWTH


def test_the_nearest_name_costs_no_more_than_the_names() -> None:
    def names(number: int) -> list[str]:
        return [f"claim-{place}-of-many" for place in range(number)]

    assert growth(names, lambda known: close_matches("claim-7-of-mny", known), 1000) < MOST_GROWTH
