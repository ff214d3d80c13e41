"""Citation files of up to 20 MB, answered as a stream of lines of JSON: parsed, or stored."""

import json
import sys
from functools import cache
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from fastapi import Request
from sqlalchemy import func, select

from api.citations.reading_process import PART_BYTES, parts_of
from api.http import file_reading
from api.http.errors import Unavailable
from api.http.file_reading import FileReaders
from api.http.negotiation import LINES_TYPES
from api.http.rate_limits import MOST_OWED_MINUTES, Limit
from api.http.request_body import FILE_PATHS, MOST_BYTES, MOST_FILE_BYTES
from models.records.serializers import table
from models.records.source import Source
from models.write import changes
from tests.api.curating import Desk
from tests.api.requests import problem
from tests.databases import SEEDED_SOURCES, Store

PARSE, IMPORT = FILE_PATHS
KNOWN = "TY  - JOUR\nTI  - Anomalous venous blood flow\nDO  - 10.1038/jcbfm.2009.180\nER  - \n"
NO_TITLE = "TY  - JOUR\nAU  - Nobody, N\nER  - \n"
Row = dict[str, Any]
# Few entries at once make many batches of a short file.
BATCH = 5
PROGRAM = (
    "from api.citations import reading_process;"
    f"reading_process.BATCH = {BATCH}; reading_process.main()"
)
ONLY_SQLITE = pytest.mark.parametrize("kind", ["sqlite"])


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reading, "COMMAND", (sys.executable, "-c", PROGRAM))


def entry(number: int, more: str = "") -> str:
    author = f"Family{number % 977}, A"
    return f"TY  - JOUR\nTI  - Title {number}\nAU  - {author}\nPY  - 2001\n{more}ER  - \n"


def ask(desk: Desk, who: str | None, path: str, file: str | bytes, **headers: str) -> Any:
    return desk.ask(who, "POST", path, file, Accept="application/jsonl", **headers)


def lines_of(answer: Any) -> list[Row]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/jsonl")
    return [json.loads(line) for line in answer.text.splitlines()]


def stream(desk: Desk, who: str | None, path: str, file: str | bytes) -> tuple[list[Row], Row]:
    """Return the lines about entries, and the summary; each batch has its line of progress."""
    *lines, summary = lines_of(ask(desk, who, path, file))
    assert summary["kind"] == "summary"
    entries = 0
    for line in lines:
        if line["kind"] == "entry":
            entries += 1
        else:
            assert (line["kind"], line["found"]) == ("progress", entries)
            assert line["found"] == line["new"] + line["matched"] + line["reported"]
    assert summary["found"] == entries
    return [line for line in lines if line["kind"] == "entry"], summary


def counted(store: Store) -> int:
    """Return how many sources are stored, in whatever state."""
    with store.database.read() as connection:
        return connection.scalar(select(func.count()).select_from(table(Source))) or 0


@pytest.mark.usefixtures("small_batches")
@ONLY_SQLITE
def test_a_stream_tells_what_the_answer_in_one_piece_tells(desk: Desk) -> None:
    # The last entry repeats one of an earlier batch under another name.
    repeated = entry(3, "JO  - A journal\n").replace("Title 3", "TITLE 3.")
    file = KNOWN + NO_TITLE + "".join(map(entry, range(3 * BATCH))) + repeated
    entries, summary = stream(desk, None, PARSE, file)
    whole = desk.must(200, None, "POST", PARSE, file)
    assert [{**told, "kind": "entry"} for told in whole["data"]] == entries
    assert entries[-1]["id"] == "family3-2001"
    assert {name: summary[name] for name in ("found", "new", "matched", "reported", "format")} == {
        name: whole[name] for name in ("found", "new", "matched", "reported", "format")
    }
    assert (summary["problem"], summary["stored"]) == (None, None)
    assert summary["line"] == entries[-1]["line"] < summary["lines"] == file.count("\n") + 1


@pytest.mark.usefixtures("small_batches")
def test_an_import_stores_batch_by_batch_and_can_be_repeated(desk: Desk) -> None:
    for number, who in enumerate(("anna", "cleo")):
        first = 100 * number
        file = KNOWN + NO_TITLE + "".join(map(entry, range(first, first + 2 * BATCH)))
        import_twice(desk, who, file)
        assert counted(desk.store) == SEEDED_SOURCES + (number + 1) * 2 * BATCH
    assert desk.disagreements() == []


def import_twice(desk: Desk, who: str, file: str) -> None:
    entries, summary = stream(desk, who, f"{IMPORT}?comment=My+library", file)
    assert [summary[name] for name in ("new", "matched", "reported", "stored")] == [10, 1, 1, 10]
    for told in (entries[2], entries[-1]):
        record = desk.record("source", told["id"], who)
        assert record["comment"] == "My library"
        assert record["state"] == ("accepted" if who == "cleo" else "submitted")
    again, summary = stream(desk, who, IMPORT, file)
    assert [summary[name] for name in ("new", "matched", "reported", "stored")] == [0, 11, 1, 0]
    assert [told["id"] for told in again] == [told["id"] for told in entries]


@pytest.mark.usefixtures("small_batches")
@ONLY_SQLITE
def test_what_cannot_be_stored_is_reported_and_the_rest_is_stored(desk: Desk) -> None:
    stream(desk, "anna", IMPORT, entry(1))
    entries, summary = stream(desk, "emil", IMPORT, entry(0) + entry(1) + entry(2))
    assert [told["outcome"] for told in entries] == ["new", "reported", "new"]
    assert entries[1]["errors"][0]["code"] == "already_exists"
    assert (entries[1]["id"], entries[1]["record"]) == (None, None)
    assert [summary[name] for name in ("new", "reported", "stored")] == [2, 1, 2]
    # Another work of the same name and year gets another id than one's own proposal.
    other, _ = stream(desk, "anna", IMPORT, entry(1).replace("Title", "Otherwise"))
    assert (other[0]["outcome"], other[0]["id"]) == ("new", "family1-2001-2")


@pytest.mark.usefixtures("small_batches")
def test_what_was_told_as_stored_stays_stored_where_a_later_batch_fails(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = changes.put_source

    def full(change: Any, source: Any, *more: Any) -> bool:
        if source.title == f"Title {BATCH + 1}":
            raise Unavailable("No more room.")
        return put(change, source, *more)

    monkeypatch.setattr(changes, "put_source", full)
    file = "".join(map(entry, range(2 * BATCH)))
    entries, summary = stream(desk, "cleo", IMPORT, file)
    assert (len(entries), summary["stored"]) == (BATCH, BATCH)
    assert (summary["problem"]["code"], summary["problem"]["status"]) == ("unavailable", 503)
    assert counted(desk.store) == SEEDED_SOURCES + BATCH
    monkeypatch.undo()
    _, summary = stream(desk, "cleo", IMPORT, file)
    assert (summary["matched"], summary["stored"], summary["problem"]) == (BATCH, BATCH, None)


@pytest.mark.usefixtures("small_batches")
@ONLY_SQLITE
def test_a_file_that_is_read_in_part_says_so_at_the_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_reading, "MOST_RESULT_BYTES", 3_000)
    file = "".join(entry(number, f"AB  - {'word ' * 100}\n") for number in range(BATCH + 1))
    entries, summary = stream(desk, None, PARSE, file)
    assert (entries, summary["problem"]["code"]) == ([], "too_complex")
    assert "The rest was not read." in summary["problem"]["detail"]


@ONLY_SQLITE
@pytest.mark.parametrize("path", FILE_PATHS)
def test_what_is_wrong_before_the_first_line_is_an_error_response(desk: Desk, path: str) -> None:
    unknown = problem(ask(desk, "cleo", path, "hello"))
    assert (unknown["status"], unknown["errors"][0]["parameter"]) == (400, "format")
    kept = ask(desk, "cleo", path, KNOWN, Idempotency_Key="once")
    assert kept.status_code == (400 if path == IMPORT else 200)
    assert desk.ask("cleo", "POST", path, KNOWN, Accept="text/html").status_code == 406
    assert ask(desk, "cleo", path, b" " * (MOST_FILE_BYTES + 1)).status_code == 413
    assert desk.ask("cleo", "POST", path, b" " * (MOST_BYTES + 1)).status_code == 413
    # A file of blanks is taken, and is none.
    assert ask(desk, "cleo", path, b" " * (MOST_BYTES + 1)).status_code == 400
    for media_type in LINES_TYPES:
        preferred = f"application/json;q=0.5, {media_type}"
        answer = desk.ask("cleo", "POST", path, KNOWN, Accept=preferred)
        assert answer.headers["content-type"].startswith(LINES_TYPES[0])


@ONLY_SQLITE
def test_other_bodies_stay_as_small_as_they_were(desk: Desk) -> None:
    large = b'"' + b"x" * MOST_BYTES + b'"'
    assert ask(desk, "cleo", "/v1/topics", large).status_code == 413


@pytest.mark.usefixtures("small_batches")
@ONLY_SQLITE
def test_whoever_leaves_ends_the_reading_and_keeps_what_was_stored(desk: Desk) -> None:
    app: Any = desk.client.app
    content = "".join(map(entry, range(100 * BATCH))).encode()
    sent: list[bytes] = []
    headers = {
        **{"host": "a", "accept": "application/jsonl", "content-length": str(len(content))},
        "authorization": f"Bearer {desk.plain['cleo']}",
    }
    scope = {
        "type": "http", "method": "POST", "path": IMPORT, "raw_path": IMPORT.encode(),
        "query_string": b"", "client": ("127.0.0.1", 1), "scheme": "http",
        "http_version": "1.1", "root_path": "", "server": ("127.0.0.1", 80),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    bodies = iter([{"type": "http.request", "body": content}])

    async def receive() -> Any:
        for message in bodies:
            return message
        while not sent:
            await anyio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body"):
            sent.append(message["body"])
        await checkpoint()

    desk.client.portal.call(app, scope, receive, send)  # type: ignore[union-attr]
    stored = counted(desk.store) - SEEDED_SOURCES
    assert BATCH <= stored < 100 * BATCH
    assert stored % BATCH == 0
    assert app.state.files.turns.count_held() == 0
    assert app.state.files.large_turns.count_held() == 0
    # Sent again up to there, all of it is found.
    _, summary = stream(desk, "cleo", IMPORT, "".join(map(entry, range(stored))))
    assert (summary["matched"], summary["stored"]) == (stored, 0)


def request_of(address: str, size: int | None) -> Request:
    headers = {b"accept": b"application/jsonl"}
    if size is not None:
        headers[b"content-length"] = str(size).encode()
    scope = {"type": "http", "path": PARSE, "client": (address, 1), "headers": [*headers.items()]}
    return Request(scope)


def test_a_large_file_has_the_places_of_ten_and_one_turn_of_two() -> None:
    files = FileReaders(Limit(10**6))

    async def places() -> None:
        async with files.place(request_of("10.0.0.1", None)):
            assert files._places.total() == parts_of(MOST_FILE_BYTES) == 10
            async with files.place(request_of("10.0.0.2", 2 * PART_BYTES + 1)):
                assert files._places.total() == 13
            async with files.place(request_of("10.0.0.1", MOST_FILE_BYTES)):
                with pytest.raises(Unavailable):
                    await files.place(request_of("10.0.0.1", MOST_FILE_BYTES)).__aenter__()
        assert files._places.total() == 0

    async def turns() -> None:
        begun: list[str] = []
        over = anyio.Event()

        async def hold(address: str, size: int) -> None:
            async with files.turn(request_of(address, size), size):
                begun.append(address)
                await over.wait()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hold, "10.0.0.1", MOST_FILE_BYTES)
            tasks.start_soon(hold, "10.0.0.2", MOST_FILE_BYTES)
            tasks.start_soon(hold, "10.0.0.3", PART_BYTES)
            while len(begun) < 2 or files.large_turns.count_waiting() < 1:
                await checkpoint()
            assert begun == ["10.0.0.1", "10.0.0.3"]
            over.set()
        assert begun == ["10.0.0.1", "10.0.0.3", "10.0.0.2"]

    anyio.run(places)
    anyio.run(turns)


@pytest.mark.usefixtures("small_batches")
@ONLY_SQLITE
def test_a_stream_counts_what_it_stored_up_to_some_minutes(desk: Desk) -> None:
    app: Any = desk.client.app
    limit = app.state.limits.writes_by_key = Limit(10, clock=lambda: 0.0)
    stream(desk, "cleo", IMPORT, entry(0) + KNOWN)
    (key,) = limit._buckets
    assert limit.missing(key) == 2
    stream(desk, "cleo", IMPORT, "".join(map(entry, range(1, 60))))
    assert limit.missing(key) == MOST_OWED_MINUTES * 10
    assert problem(ask(desk, "cleo", IMPORT, KNOWN))["status"] == 429


@cache
def large_file() -> bytes:
    """Return a file of nearly 20 MB, of entries as long as those of a database."""
    abstract = "AB  - " + "We looked at veins and counted what we saw in them. " * 30 + "\n"
    numbers = iter(range(10**6))
    size, parts = 0, []
    for text in (entry(number, f"DO  - 10.1000/{number}\n{abstract}") for number in numbers):
        if size + len(text) > MOST_FILE_BYTES:
            break
        parts.append(text)
        size += len(text)
    return "".join(parts).encode()


@pytest.mark.slow
def test_a_file_of_20_mb_is_stored_and_found_again(desk: Desk) -> None:
    app: Any = desk.client.app
    app.state.limits.files_by_address = Limit(10**9)
    file = large_file()
    assert len(file) > 0.99 * MOST_FILE_BYTES
    number = file.count(b"\nER")
    _, summary = stream(desk, "cleo", IMPORT, file)
    assert (summary["stored"], summary["problem"]) == (number, None)
    _, summary = stream(desk, None, PARSE, file)
    assert (summary["matched"], summary["problem"]) == (number, None)
