"""What a table of records is: its columns, with the type and the meaning of each.

CSV, Parquet, the data package and the codebook in docs/tables.md are all made of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from models.core.vocabulary import Vocabulary


@dataclass(frozen=True)
class Column:
    """A column of a table. `type` is one of the Table Schema (https://specs.frictionlessdata.io)."""

    name: str
    description: str
    type: str = "string"
    vocabulary: Vocabulary | None = None


@dataclass(frozen=True)
class Table:
    """A table: what a row is, the columns, those that identify a row, and to what others refer.

    `refers` has, by the name of a column, the table whose column `id` it names.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    refers: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the columns."""
        return tuple(column.name for column in self.columns)


def term(name: str, vocabulary: Vocabulary, description: str) -> Column:
    """Return a column of terms of a vocabulary."""
    told = f"{description} A term of the vocabulary {vocabulary.name}."
    return Column(name, told, vocabulary=vocabulary)


def text(name: str, description: str) -> Column:
    """Return a column of text."""
    return Column(name, description)


def whole(name: str, description: str) -> Column:
    """Return a column of whole numbers."""
    return Column(name, description, "integer")


def number(name: str, description: str) -> Column:
    """Return a column of numbers."""
    return Column(name, description, "number")


def truth(name: str, description: str) -> Column:
    """Return a column of true and false."""
    return Column(name, description, "boolean")


def day(name: str, description: str) -> Column:
    """Return a column of whole days."""
    return Column(name, description, "date")


def moment(name: str, description: str) -> Column:
    """Return a column of UTC times."""
    return Column(name, description, "datetime")
