"""Lines of JSON that the database makes: byte for byte what Python would write, in order, in batches."""

from typing import Any

import pytest
from pydantic_core import from_json, to_json
from sqlalchemy import (
    Boolean,
    Connection,
    Integer,
    bindparam,
    func,
    literal,
    literal_column,
    null,
    select,
)
from sqlalchemy.exc import DBAPIError

from models.database.json_lines import array, as_text, begun, joined, json_object
from models.records.claim import Claim
from models.records.record_types import RECORD_TYPES, record_bodies
from models.records.serializers import table
from models.records.source import AuthorIn, IdentifierIn, Source
from models.transfer import export
from models.transfer.export import line
from models.write import changes
from tests.databases import Store
from tests.models.exports import disagreements, exported, in_every_state, load
from tests.records import a_claim, a_source

# All but NUL, which no text of ours has, and what is no character by itself.
LETTERS = [
    chr(number) for number in (*range(1, 0xD800), *range(0xE000, 0x11000), 0x1F600, 0x10FFFF)
]


def made(connection: Connection, column: Any) -> bytes:
    """Return the text that a database makes."""
    return str(connection.scalar(select(column))).encode()


def test_every_letter_is_written_as_python_writes_it(empty: Store) -> None:
    with empty.database.read() as connection:
        for start in range(0, len(LETTERS), 5000):
            text = "".join(LETTERS[start : start + 5000])
            members = {"a": literal(text), "b": literal(text[::-1])}
            assert made(connection, json_object(members)) == to_json({"a": text, "b": text[::-1]})


def test_values_of_every_kind_are_written_as_python_writes_them(empty: Store) -> None:
    values: dict[str, Any] = {
        "yes": True,
        "no": False,
        "number": -12,
        "largest": 2**31 - 1,
        "text": "",
        "end": "}}",
    }
    types: dict[str, Any] = {
        "yes": Boolean(),
        "no": Boolean(),
        "number": Integer(),
        "largest": Integer(),
    }
    members: dict[str, Any] = {
        name: bindparam(name, value, type_=types.get(name)) for name, value in values.items()
    }
    unsure: dict[str, Any] = {"unsure": null(), "flag": bindparam("flag", None, type_=types["yes"])}
    with empty.database.read() as connection:
        assert made(connection, json_object({**unsure, **members})) == to_json(
            {"unsure": None, "flag": None, **values}
        )
        assert made(connection, begun(members).concat("}")) == to_json(values)
        assert made(connection, as_text(literal("naïve 🙂".encode()))) == "naïve 🙂".encode()


def test_batches_hold_every_row_once_in_order(seeded: Store) -> None:
    claim = table(Claim)
    statement = select(claim.c.id, claim.c.id.concat("\n"), func.length(claim.c.id)).where(
        claim.c.id != "ccsvi-causes-ms"
    )
    with seeded.database.read() as connection:
        wanted = sorted(set(connection.scalars(select(claim.c.id))) - {"ccsvi-causes-ms"})
        for size in (1, 7, 1000):
            found = list(joined(connection, "test", statement, "", size))
            assert b"".join(content for content, _ in found).decode().splitlines() == wanted
            lengths = [
                max(map(len, wanted[start : start + size])) for start in range(0, len(wanted), size)
            ]
            assert [longest for _, longest in found] == lengths
        assert [content for content, _ in joined(connection, "test", statement, wanted[-2], 7)] == [
            wanted[-1].encode() + b"\n"
        ]
        assert list(joined(connection, "test", statement, wanted[-1], 7)) == []


def test_an_error_of_the_driver_is_told_as_any_other(seeded: Store) -> None:
    claim = table(Claim)
    with pytest.raises(DBAPIError), seeded.database.read() as connection:
        list(joined(connection, "unsound", select(claim.c.id, literal_column("nothing")), "", 10))


def test_an_array_keeps_the_order_of_its_statement_and_may_be_empty(seeded: Store) -> None:
    claim = table(Claim)
    ids = select(json_object({"id": claim.c.id}))
    with seeded.database.read() as connection:
        wanted = sorted(connection.scalars(select(claim.c.id)), reverse=True)
        assert made(connection, array(ids.order_by(claim.c.id.desc()))) == to_json(
            [{"id": slug} for slug in wanted]
        )
        assert made(connection, array(ids.where(claim.c.id == "nobody"))) == b"[]"


ODD = '"Quoted" \\ / {braces}}: \', tab\t, line\nfeed, \x7f, \u2028, naïve, 李, 🙂'


@pytest.mark.parametrize("size", [1, 3, 200])
def test_the_lines_of_an_export_are_those_of_the_records(
    size: int, seeded: Store, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_every_state(seeded)
    authors = [AuthorIn(family=f"O'{letter}\"x\\", given="É}") for letter in "cabdefghijklmn"]
    identifiers = [
        IdentifierIn(scheme="pmid", value="12345678", verification="verified"),
        IdentifierIn(scheme="doi", value='10.1000/a"b\\c}', verification="unverified"),
    ]
    with changes.begin(seeded.database, actor='a "curator"', comment=ODD) as change:
        changes.put_source(
            change,
            a_source(
                id="odd",
                title=ODD,
                note="}",
                authors=authors,
                identifiers=identifiers,
                authors_complete=False,
            ),
        )
        changes.put_source(change, a_source(id="bare", authors=[], identifiers=[]))
        changes.put_claim(change, a_claim(id="odd", statement=ODD))
    monkeypatch.setattr(export, "LINES", size)
    monkeypatch.setattr(export, "DOCUMENTS", size)
    content = exported(seeded)
    kind, source = RECORD_TYPES["source"], table(Source)
    with seeded.database.read() as connection:
        rows = connection.execute(
            select(source).where(source.c.state == "accepted").order_by(source.c.id)
        ).mappings()
        stamped = [(dict(row), {name: row[name] for name in export.STAMPS}) for row in rows]
        found = record_bodies(connection, kind, [row for row, _ in stamped])
        wanted = [
            line("source", to_json({**body, **stamps}))
            for body, (_, stamps) in zip(found, stamped, strict=True)
        ]
    told = [(from_json(each), each) for each in content.splitlines(keepends=True)]
    made_of = [
        each for found, each in told if found["record"] == "source" and found["state"] == "accepted"
    ]
    assert made_of == wanted
    # As they are read back, they are what they were.
    load(other, content)
    assert exported(other) == content
    assert disagreements(other) == []
