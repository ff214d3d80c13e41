"""Lines of JSON that the database itself makes of columns, many at once: the bytes are those of `pydantic_core.to_json`.

A batch is one statement and one value, so that Python makes no object a row, and others may go on meanwhile.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Select,
    Text,
    bindparam,
    func,
    literal,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from models.database.prepared_statements import fetch


class json_object(FunctionElement[str]):  # noqa: N801 - it stands in statements as a function does
    """The text of a JSON object with these members, without blanks; the values are text, whole numbers and booleans."""

    type = Text()
    inherit_cache = False

    def __init__(self, members: Mapping[str, ColumnElement[Any]]) -> None:
        self.names = tuple(members)
        super().__init__(*members.values())


class _utf8(FunctionElement[bytes]):  # noqa: N801
    """The bytes of a text."""

    type = LargeBinary()
    inherit_cache = True
    spellings: ClassVar = {"sqlite": "CAST({} AS BLOB)", "postgresql": "convert_to({}, 'UTF8')"}


class as_text(FunctionElement[str]):  # noqa: N801
    """The text that some bytes are in UTF-8."""

    type = Text()
    inherit_cache = True
    spellings: ClassVar = {"sqlite": "CAST({} AS TEXT)", "postgresql": "convert_from({}, 'UTF8')"}


@compiles(json_object, "sqlite")
def _in_sqlite(element: json_object, compiler: Any, **options: Any) -> str:
    members = []
    for name, value in zip(element.names, element.clauses, strict=True):
        made = compiler.process(value, **options)
        if isinstance(value.type, Boolean):  # It has numbers for them.
            made = f"json(CASE {made} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END)"
        members.append(f"'{name}', {made}")
    return f"json_object({', '.join(members)})"


@compiles(json_object, "postgresql")
def _in_postgresql(element: json_object, compiler: Any, **options: Any) -> str:
    members = zip(element.names, element.clauses, strict=True)
    columns = ", ".join(
        f'{compiler.process(value, **options)} AS "{name}"' for name, value in members
    )
    # Its function of the same name puts blanks around each colon.
    return f"(SELECT CAST(row_to_json(made) AS text) FROM (SELECT {columns}) AS made)"  # noqa: S608


@compiles(_utf8)
@compiles(as_text)
def _spelled(element: _utf8 | as_text, compiler: Any, **options: Any) -> str:
    spelling: str = element.spellings[compiler.dialect.name]
    return spelling.format(compiler.process(element.clauses, **options))


def begun(members: Mapping[str, ColumnElement[Any]]) -> ColumnElement[str]:
    """Return the text of a JSON object that has more members than these: its end is left open."""
    return func.rtrim(json_object(members), "}", type_=Text())


def array(items: Select[Any]) -> ColumnElement[str]:
    """Return the text of a JSON array of what a statement finds in its order, which has one column of JSON texts."""
    found = items.subquery()
    content = select(func.aggregate_strings(next(iter(found.c)), ",")).scalar_subquery()
    return literal("[").concat(func.coalesce(content, "")).concat("]")


def joined(
    connection: Connection, name: str, rows: Select[Any], start: Any, size: int
) -> Iterator[tuple[Any, ...]]:
    """Yield what a statement finds, so many rows at a time: their lines as one bytes, then the greatest of each further column.

    The first column says where a row stands, the second is its line. The rows come in the order of their places, all of
    which are beyond `start`. The statement is kept by its name.
    """

    def build() -> Select[Any]:
        place = rows.selected_columns[0]
        later = rows.where(place > bindparam("after", type_=place.type)).order_by(place)
        found = later.limit(bindparam("most", type_=Integer)).subquery()
        first, line, *others = found.c
        made: list[ColumnElement[Any]] = [func.max(first), _utf8(func.aggregate_strings(line, ""))]
        return select(*made, *(func.max(each) for each in others))

    after = start
    while True:
        _, [(after, *told)] = fetch(
            connection, ("joined", name), build, {"after": after, "most": size}
        )
        if after is None:
            return
        yield tuple(told)
