"""What other collections say of a record: that it comes from one, their id of it, how they rate
it.

The status rules never read any of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError
from sqlalchemy import JSON
from sqlmodel import Field

from models.core.dates import PartialDate
from models.core.rating_schemes import crosswalk
from models.core.types import Slug, Strict, VisibleText

# A line or a position is rated by a few panels; a record is in a few collections.
MAX_RATINGS = 50
MAX_EXTERNAL_IDS = 50


class Rating(Strict):
    """A rating by somebody else's scheme, kept as it is."""

    scheme: Slug = Field(description="The scheme, such as 'civic-level', 'grade' or 'iarc'.")
    value: VisibleText = Field(
        min_length=1, max_length=200, description="In the scheme's own words, such as 'B' or '2A'."
    )
    by: VisibleText | None = Field(
        default=None, min_length=1, max_length=200, description="The person or body that rated."
    )
    at: PartialDate | None = Field(default=None, description="When it was rated.")


class ComparedRating(Strict):
    """A rating by a scheme that has a crosswalk to a vocabulary of ours, in the words of both."""

    scheme: str
    value: str = Field(description="As it is rated.")
    vocabulary: str = Field(description="The vocabulary of ours, such as 'certainties'.")
    term: str = Field(description="The term there that the crosswalk names for the value.")
    ours: str | None = Field(
        description="The term that is derived of the claim; null beside a line, of which none is, "
        "and where none can be derived."
    )
    differs: bool = Field(
        description="Whether what is derived of the claim is another term than that of the rating."
    )


class ExternalId(Strict):
    """The id of a record in another collection."""

    scheme: Slug = Field(description="The collection, such as 'civic' or 'wikidata'.")
    value: VisibleText = Field(
        min_length=1, max_length=300, description="As the collection writes it."
    )


def ratings_field() -> Any:
    """Return the field of a record that holds its ratings."""
    return Field(
        default=[],
        max_length=MAX_RATINGS,
        sa_type=JSON,
        description="How others rate it, by schemes of their own; no rule reads them.",
    )


def compared_ratings_field() -> Any:
    """Return the field of an answer that holds its ratings as they compare to ours."""
    return Field(
        description="Those of `ratings` whose scheme has a crosswalk, beside what is derived here. "
        "It warns and changes nothing: no rule reads it."
    )


def compared(
    ratings: Iterable[Mapping[str, Any]], ours: Mapping[str, str | None]
) -> list[dict[str, Any]]:
    """Return ratings that a crosswalk knows as `ComparedRating` gives them.

    `ours` has the terms that are derived of what is rated, by the names of their vocabularies.
    """
    return [
        {
            **{"scheme": rating["scheme"], "value": rating["value"]},
            **{"vocabulary": vocabulary, "term": term, "ours": ours.get(vocabulary)},
            "differs": ours.get(vocabulary) not in {None, term},
        }
        for rating in ratings
        for vocabulary, term in crosswalk(rating["scheme"], rating["value"]).items()
    ]


def external_ids_field() -> Any:
    """Return the field of a record that holds its ids in other collections."""
    return Field(
        default=[],
        max_length=MAX_EXTERNAL_IDS,
        sa_type=JSON,
        description="What other collections call it.",
    )


def collection_field() -> Any:
    """Return the field of a record that names the collection from which it was taken over."""
    return Field(
        default=None,
        foreign_key="collection.id",
        description="The collection from which it was taken over (slug); null where it was written "
        "here.",
    )


def external_reference(external_id: dict[str, str]) -> str:
    """Return an external id as one text, by which it is looked up."""
    return f"{external_id['scheme']}:{external_id['value']}"


def refuse_repetition(field: str, items: Sequence[object]) -> None:
    """Raise a Pydantic error at the item of a list that stands there before."""
    for number, item in enumerate(items):
        if item in items[:number]:
            raise PydanticCustomError(
                "repeated_term", "It stands in the list twice.", {"at": f"{field}/{number}"}
            )
