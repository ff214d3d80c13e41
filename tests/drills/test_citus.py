"""The drill for Citus, where there is none: against a plain PostgreSQL, and a stand-in of Citus."""

import io
import json
from typing import Any, cast

import pytest
from sqlalchemy import text

from models.database.connections import connect
from tests.api.curating import CLAIM
from tests.citus_stand_in import STAND_IN
from tests.databases import Store, Templates
from tests.drills import citus
from tests.drills.serving import Client


@pytest.fixture
def url(templates: Templates) -> str:
    """Give the address of a PostgreSQL without any table."""
    return templates._new("postgresql", None)


def test_without_citus_one_sentence_says_so(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert citus.main([url]) == 2
    assert capsys.readouterr().err.startswith("This database cannot be distributed")


def test_what_has_content_is_left_alone(
    untouched: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert citus.main([untouched.url, "--plain"]) == 2
    assert "is not empty" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--plain"], []], ids=["plain", "stand-in"])
def test_the_drill(options: list[str], url: str) -> None:
    if not options:
        database = connect(url)
        with database.write() as connection:
            connection.execute(text(STAND_IN))
        database.close()
    assert citus.main([url, "--claims", "50", "--seconds", "3", *options]) == 0


class Answering:
    """A connection that gives these answers, one after the other."""

    def __init__(self, *answers: tuple[int, dict[str, str], Any]) -> None:
        self.answers = iter(answers)

    def request(self, *_asked: Any, **_more: Any) -> None:
        self.status, self.headers, content = next(self.answers)
        self.content = io.BytesIO(json.dumps(content).encode())

    def getresponse(self) -> "Answering":
        return self

    def getheaders(self) -> list[tuple[str, str]]:
        return list(self.headers.items())

    def read(self) -> bytes:
        return self.content.read()


def page(serial: int, revision: int) -> Any:
    return {"data": [{"id": CLAIM, "revision": revision}], "page": {"serial": serial}}


UNKEPT, LET_KEEP = {"Cache-Control": "no-store"}, {"Cache-Control": "no-cache"}


@pytest.mark.parametrize(
    ("answers", "counted"),
    [
        ([(200, UNKEPT, page(7, 7))], (0, 0, 0, 0)),
        ([(200, UNKEPT, page(7, 6))], (1, 0, 0, 0)),
        ([(200, LET_KEEP, page(7, 6))], (1, 1, 0, 0)),
        (
            [(200, {**LET_KEEP, "ETag": 'W/"s7"'}, page(7, 6)), (304, {}, None)],
            (1, 1, 1, 1),
        ),
        ([(200, {**LET_KEEP, "ETag": 'W/"s7"'}, page(7, 7)), (304, {}, None)], (0, 0, 1, 1)),
        (
            [(200, {**LET_KEEP, "ETag": 'W/"s7"'}, page(7, 7)), (200, {}, page(8, 8))],
            (0, 0, 1, 0),
        ),
    ],
)
def test_a_reader_counts_what_it_saw(answers: list[Any], counted: tuple[int, ...]) -> None:
    seen = citus.Seen()
    citus.look(Client(cast("Any", Answering(*answers)), None), seen)
    assert (seen.stale, seen.kept, seen.tagged, seen.unchanged) == counted
    assert seen.outdated == []
