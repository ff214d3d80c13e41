"""Vocabularies: terms as data, the type of a term, and the check on a column of terms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from sqlalchemy import CheckConstraint

from models.core.schema_names import ABOUT, NAME


@dataclass(frozen=True)
class Term:
    """One term of a vocabulary.

    `crosswalk` maps the name of another scheme to its term for the same.
    """

    id: str
    label: str
    definition: str
    crosswalk: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A closed list of terms. `reference` says where the definitions come from."""

    name: str
    title: str
    definition: str
    terms: tuple[Term, ...]
    reference: str | None = None

    @cached_property
    def ids(self) -> tuple[str, ...]:
        return tuple(term.id for term in self.terms)

    def rank(self, term: str) -> int:
        """Return the position of a term in the vocabulary's order, from 0."""
        return self.ids.index(term)


@dataclass(frozen=True, eq=False)
class OneOf:
    """Annotates a string that must be a term of the vocabulary. The error lists the terms.

    `name` is that of its schema in the OpenAPI document.
    """

    vocabulary: Vocabulary
    name: str

    def __get_pydantic_core_schema__(
        self, _source: Any, _handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        # Levels are written as bare numbers in YAML, so numbers are read as text.
        return core_schema.no_info_after_validator_function(
            self.check, core_schema.str_schema(coerce_numbers_to_str=True)
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        terms = list(self.vocabulary.ids)
        return {"type": "string", "enum": terms, NAME: self.name, ABOUT: self.vocabulary.definition}

    def check(self, value: str) -> str:
        if value not in self.vocabulary.ids:
            raise PydanticCustomError(
                "unknown_term",
                "'{value}' is not a term of the vocabulary {vocabulary}.",
                {
                    "value": value,
                    "vocabulary": self.vocabulary.name,
                    "allowed": self.vocabulary.ids,
                },
            )
        return value


def vocabulary_check(column: str, vocabulary: Vocabulary) -> CheckConstraint:
    """Return the named constraint that a column holds a term of a vocabulary.

    It does not use IN, because a file's database then fills a temporary table with the terms for
    each row that is written.
    """
    return CheckConstraint(
        " OR ".join(f"\"{column}\" = '{term}'" for term in vocabulary.ids), name=column
    )
