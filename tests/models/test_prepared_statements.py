"""Prepared statements write what SQLAlchemy would, and only what differs."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, literal, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from models.database import prepared_statements
from models.database.connections import connect
from models.database.driver_errors import is_timeout, needs_waiting
from models.projection.tables import StatusPeriod
from models.records.revision import Revision
from models.records.serializers import table
from models.write.idempotency import Idempotency
from tests.databases import Store
from tests.endless_statement import endless

CLAIM = "ccsvi-causes-ms"
REVISION = {
    "record": "topic/a",
    "root": "topic/a",
    "serial": 10**6,
    "kind": "topic",
    "claim": None,
    "action": "create",
    "actor": "ada",
    "at": "2020-01-01T00:00:00.000000Z",
    "comment": "why: ½ %s ? :x",
    "state": "accepted",
    "change": 10**6,
    "review": None,
    "about": "topic/½",
    "body": {"list": [1, None, True], "text": "½"},
}
ANSWER = {
    "actor": "ada",
    "key": "a",
    "request": "x",
    "status": 201,
    "headers": {"ETag": '"1"'},
    "body": b"\x00\xff",
    "at": "2020",
}


def test_what_is_written_is_read_alike(seeded: Store) -> None:
    with seeded.database.write() as connection:
        for model, row in ((Revision, REVISION), (Idempotency, ANSWER)):
            kept = table(model)
            prepared_statements.insert_row(connection, kept, row)
            mine = select(kept).filter_by(actor="ada")
            assert dict(connection.execute(mine).mappings().one()) == row
            assert prepared_statements.select_rows(connection, kept, "actor", ["ada"]) == [row]
            prepared_statements.update_rows(
                connection, kept, ({"actor": "ada"}, {"body": row["body"], "at": "2021"})
            )
            assert connection.execute(mine).mappings().one() == {**row, "at": "2021"}
            prepared_statements.delete_rows(connection, kept, {"actor": "ada"})
            assert connection.execute(mine).first() is None


def test_many_are_changed_together(seeded: Store) -> None:
    periods = table(StatusPeriod)
    with seeded.database.write() as connection:
        before = prepared_statements.select_rows(connection, periods, "claim", [CLAIM])
        assert len(before) > 2
        places = [{"claim": CLAIM, "starts": row["starts"]} for row in before]
        prepared_statements.update_rows(
            connection, periods, *((place, {"rule": f"rule {n}"}) for n, place in enumerate(places))
        )
        prepared_statements.update_rows(connection, periods)
        after = prepared_statements.select_rows(connection, periods, "claim", [CLAIM, "another"])
    assert sorted(row["rule"] for row in after) == sorted(f"rule {n}" for n in range(len(before)))


def test_an_error_is_sqlalchemys(seeded: Store) -> None:
    with pytest.raises(IntegrityError), seeded.database.write() as connection:
        prepared_statements.insert_row(connection, table(Revision), REVISION)
        prepared_statements.insert_row(connection, table(Revision), REVISION)


@pytest.mark.parametrize("among", [[CLAIM], [CLAIM, "no-such-claim"]])
def test_only_what_differs_is_written(
    seeded: Store, monkeypatch: pytest.MonkeyPatch, among: list[str]
) -> None:
    written: list[str] = []
    usual = prepared_statements._execute

    def noting(connection: Any, statement: str, *given: Any, **how: Any) -> Any:
        if not statement.startswith("SELECT"):
            written.append(statement.split()[0])
        return usual(connection, statement, *given, **how)

    monkeypatch.setattr(prepared_statements, "_execute", noting)
    periods = table(StatusPeriod)
    with seeded.database.write() as connection:

        def stored() -> list[dict[str, Any]]:
            return sorted(
                prepared_statements.select_rows(connection, periods, "claim", [CLAIM]),
                key=lambda row: row["starts"],
            )

        before = stored()
        prepared_statements.replace_rows(connection, periods, "claim", among, before)
        assert written == []
        wanted = [
            {**before[1], "rule": "another"},
            *before[2:],
            {**before[-1], "starts": "2999-01-01", "ends": None},
        ]
        prepared_statements.replace_rows(connection, periods, "claim", among, wanted)
        assert written == ["UPDATE", "DELETE", "INSERT"]
        assert stored() == wanted
        prepared_statements.replace_rows(connection, periods, "claim", among, [], status="refuted")
        assert stored() == [row for row in wanted if row["status"] != "refuted"] != wanted


FETCHED: dict[str, Callable[[Connection], Any]] = {
    "fetch": lambda connection: prepared_statements.fetch(connection, "endless", endless, {}),
    "all": lambda connection: connection.execute(endless()).all(),
    "mappings": lambda connection: connection.execute(endless()).mappings().all(),
    "scalars": lambda connection: connection.scalars(endless()).all(),
    "one by one": lambda connection: list(connection.execute(endless())),
}


@pytest.mark.parametrize("how", FETCHED)
def test_what_is_cut_off_while_rows_are_fetched_is_told_apart(shared: Store, how: str) -> None:
    database = connect(shared.url, read_seconds=0.05)
    with pytest.raises(DBAPIError) as error, database.read() as connection:
        FETCHED[how](connection)
    assert is_timeout(error.value)
    if database.inline is not None:
        with pytest.raises(DBAPIError) as error, database.read_inline(20) as connection:
            FETCHED[how](connection)
        assert needs_waiting(error.value)
        with database.read_inline(20) as connection:
            assert prepared_statements.fetch(connection, "one", lambda: select(literal(1)), {})[
                1
            ] == [(1,)]
    database.close()


def test_many_rows_that_cannot_be_stored_are_an_error_of_sqlalchemy(seeded: Store) -> None:
    with pytest.raises(IntegrityError), seeded.database.write() as connection:
        prepared_statements.insert_rows(connection, table(Revision), [REVISION, REVISION])
