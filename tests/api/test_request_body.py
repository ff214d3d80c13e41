"""What a client may send: how much, how deep, in which type; and JSON that can mean one thing
only.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from api.http import errors, request_body
from api.http.fair_share import FairShare
from api.http.request_body import DEEPEST, MOST_BYTES, MalformedJson, parse
from api.main import middleware
from api.settings import Settings
from tests.api.requests import problem
from tests.growth import MOST_GROWTH, growth

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def echo() -> Iterator[TestClient]:
    """Give a client of an application that answers with the JSON that it was sent."""
    app = FastAPI(middleware=middleware(Settings()))
    errors.install(app)
    app.state.fair_share = FairShare(app)

    @app.post("/echo")
    async def echoed(request: Request) -> Any:
        return await request_body.read_json(request)

    @app.get("/deaf")
    async def deaf() -> str:
        return "fine"

    @app.post("/stream")
    async def streamed(request: Request) -> int:
        return sum([len(piece) async for piece in request.stream()])

    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    "body",
    [
        '{"a": [1, -2.5, 1e3, true, null, "x"]}',
        "[]",
        '"text"',
        "5",
        " \n{}\t",
        '{"é": "\\u00e9\\ud83d\\ude00"}',
        '"[{\\"[{"',
        '{"a": {"a": {"a": 1}}}',
        '[{"a": 1}, {"a": 2}]',
        f"{2**53 - 1}",
        f"{1 - 2**53}",
        "1e308",
        '"\\\\ud800"',
    ],
)
def test_json_is_read_as_it_is_meant(body: str, echo: TestClient) -> None:
    answer = echo.post("/echo", content=body.encode(), headers=JSON)
    assert (answer.status_code, answer.json()) == (200, json.loads(body))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b'{"a": 1,}', "line 1, column 9, character 8"),
        (b'{"a": 1} {}', "Extra data"),
        (b"{'a': 1}", "character 1"),
        (b'{"a": "\x01"}', "Invalid control character"),
        (b'{"a": "\xff"}', "not UTF-8: see byte 7"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        (b"[NaN]", "NaN is not JSON"),
        (b"[Infinity]", "Infinity is not JSON"),
        (b"[-Infinity]", "-Infinity is not JSON"),
        (b"[1e999]", "too large"),
        (b"[9007199254740992]", "too large"),
        (b"[-9007199254740992]", "too large"),
        (b"9" * 5000, "too large"),
        (b"[" * 33 + b"]" * 33, "deeper than 32 levels: see character 32"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "deeper than 32 levels"),
        (b"[" * 500_000, "deeper than 32 levels"),
        (b'["' + b"[" * 40 + b'",' + b"[" * 32, "deeper than 32 levels"),
        (b'"' + b'\\"' * 400_000, "not JSON"),
        (b'"' + b"[" * 400_000, "not JSON"),
    ],
)
def test_what_is_not_json_is_a_400_that_says_where(
    body: bytes, told: str, echo: TestClient
) -> None:
    begun = time.monotonic()
    answer = echo.post("/echo", content=body, headers=JSON)
    assert answer.status_code == 400
    assert problem(answer)["code"] == "malformed_json"
    assert told in answer.json()["detail"]
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b'{"a": 1, "a": 1}', "/a", "repeated_name"),
        (b'{"a": {"b": [0, {"c": 1, "d": 2, "c": 3}]}}', "/a/b/1/c", "repeated_name"),
        (b'{"a": {"x": 1, "x": 2}, "a": 5}', "/a", "repeated_name"),
        (b'{"a/b~": {"\\u0063": 1, "c": 3}}', "/a~1b~0/c", "repeated_name"),
        (b'[{"a": "\\ud800"}]', "/0/a", "lone_surrogate"),
        (b'{"\\udfff": 1}', "/\\udfff", "lone_surrogate"),
        (b'{"\\ud800": 1, "\\ud800": 2}', "/\\ud800", "repeated_name"),
        (b'"\\ud800"', "/", "lone_surrogate"),
    ],
)
def test_what_two_readers_could_take_for_two_things_is_pointed_at(
    body: bytes, pointer: str, code: str, echo: TestClient
) -> None:
    answer = echo.post("/echo", content=body, headers=JSON)
    assert answer.status_code == 400
    (error,) = problem(answer)["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert "parameter" not in error


INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
)


@given(VALUES, st.booleans())
def test_what_json_writes_is_read_back(value: Any, ascii_only: bool) -> None:
    assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(
    st.binary(max_size=60) | st.text(alphabet='{}[]",:\\ud8f01e-. ', max_size=60).map(str.encode)
)
def test_whatever_comes_is_read_as_the_standard_parser_reads_it_or_refused(content: bytes) -> None:
    try:
        value = parse(content)
    except MalformedJson:
        return
    assert value == json.loads(content)


def test_depth_is_counted_outside_strings_alone() -> None:
    text = "[{" * 1000
    assert parse(json.dumps({"a": text}).encode()) == {"a": text}
    deepest = "[" * DEEPEST + "]" * DEEPEST
    assert parse(f"[{json.dumps('[' * 99)}, {deepest[1:-1]}]".encode())[0] == "[" * 99
    with pytest.raises(MalformedJson):
        parse(f"[{deepest}]".encode())


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        (JSON, True),
        ({"Content-Type": "application/merge-patch+json"}, True),
        ({"Content-Type": "Application/JSON; charset=UTF-8"}, True),
        ({"Content-Type": 'application/json;charset="utf-8"'}, True),
        ({"Content-Type": "application/json", "Content-Encoding": "identity"}, True),
        ({}, False),
        ({"Content-Type": ""}, False),
        ({"Content-Type": "text/plain"}, False),
        ({"Content-Type": "application/x-www-form-urlencoded"}, False),
        ({"Content-Type": "multipart/form-data; boundary=x"}, False),
        ({"Content-Type": "application/jsonl"}, False),
        ({"Content-Type": "application/json; charset=latin-1"}, False),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, False),
    ],
)
def test_only_what_is_called_json_is_read(
    headers: dict[str, str], accepted: bool, echo: TestClient
) -> None:
    answer = echo.post("/echo", content=b"{}", headers=headers)
    assert answer.status_code == (200 if accepted else 415)
    if not accepted:
        body = problem(answer)
        assert body["code"] == "unsupported_media_type"
        assert body["errors"][0]["allowed"] == ["application/json", "application/merge-patch+json"]


def pieces(number: int, size: int) -> Iterator[bytes]:
    """Yield a body in pieces, whose length is not said beforehand."""
    for _ in range(number):
        yield b" " * size


def test_a_body_that_is_too_large_is_a_413_however_it_comes(echo: TestClient) -> None:
    fits = b'"' + b"x" * (MOST_BYTES - 2) + b'"'
    assert echo.post("/echo", content=fits, headers=JSON).status_code == 200
    for too_large in (fits + b" ", pieces(21, 100_000)):
        answer = echo.post("/echo", content=too_large, headers=JSON)
        assert answer.status_code == 413
        assert problem(answer)["code"] == "body_too_large"
    # Also where nobody would read it, or there is nothing.
    for method, path in (("GET", "/deaf"), ("POST", "/nowhere"), ("DELETE", "/echo")):
        assert echo.request(method, path, content=fits + b" ").status_code == 413


def test_a_body_that_is_read_piece_by_piece_has_the_same_limit(echo: TestClient) -> None:
    assert echo.post("/stream", content=pieces(20, 100_000)).json() == MOST_BYTES
    assert echo.post("/stream", content=pieces(30, 100_000)).status_code == 413


def test_a_get_with_a_body_is_answered(echo: TestClient) -> None:
    assert echo.request("GET", "/deaf", content=b"x" * 1000).json() == "fine"


def test_files_of_citations_have_the_same_limit(client: TestClient) -> None:
    for content in (b" " * (MOST_BYTES + 1), pieces(21, 100_000)):
        answer = client.post("/v1/sources:parse", content=content)
        assert answer.status_code == 413
        assert problem(answer)["code"] == "body_too_large"


def many_names(size: int) -> bytes:
    names = ",".join(f'"n{number}":1' for number in range(size))
    return f'{{{names},"n{size - 1}":1}}'.encode()


def overwritten_objects(size: int) -> bytes:
    zeros, objects = ",".join("0" * size), ",".join(['"b":{"c":1,"c":1}'] * size)
    return f'{{"a":[{zeros}],{objects}}}'.encode()


def overwritten_list(size: int) -> bytes:
    zeros, objects = ",".join("0" * size), ",".join(['{"c":1,"c":1}'] * size)
    return f'{{"b":0,"b":[{objects}],"b":[{zeros}]}}'.encode()


def long_name(size: int) -> bytes:
    name, zeros = "x" * 10 * size, ",".join("0" * size)
    return f'{{"{name}":[{zeros},"\\ud800"]}}'.encode()


def brackets(size: int) -> bytes:
    return b"[" + b"[]," * size + b"1"


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (many_names, 10_000),
        (overwritten_objects, 3_000),
        (overwritten_list, 3_000),
        (long_name, 10_000),
        (brackets, 20_000),
    ],
)
def test_a_body_of_twice_the_size_costs_twice_as_much(
    make: Callable[[int], bytes], size: int
) -> None:
    def refuse(body: bytes) -> None:
        with pytest.raises(MalformedJson):
            parse(body)

    assert growth(make, refuse, size) < MOST_GROWTH


def test_the_first_repeated_name_of_the_value_that_would_stand_is_pointed_at() -> None:
    with pytest.raises(MalformedJson) as refused:
        parse(b'{"a": {"x": 1, "x": 2}, "b": [{}, {"y": 1, "z": 2, "z": 3, "y": 4}]}')
    assert [fault.at for fault in refused.value.faults] == ["/a/x"]
