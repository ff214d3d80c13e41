"""Texts of which nothing can be seen are refused wherever a person writes something down."""

import unicodedata
from typing import Any

import pytest

from models.core.errors import InvalidRecord
from models.core.types import is_blank
from models.records.record_types import RECORD_TYPES
from models.write.review import validate_record
from tests.api.curating import CLAIM, Desk, a_record

BLANKS = [
    " ",
    "\t\n",
    "\xa0",
    "\u3000",
    "\u200b\u200b",
    "\ufeff",
    "\xad",
    "\u2800",
    "\u3164",
    "\u0301",
]
# The fields that hold what a person wrote; the words around a quote may be blanks.
WRITTEN = {
    "collection": ["name", "version", "description"],
    "topic": ["label", "definition"],
    "source": ["title", "container_title", "publisher", "sample", "note", "integrity_note"],
    "claim": ["statement", "note"],
    "occurrence": ["quote", "note"],
    "relation": ["note"],
    "evidence": ["finding", "quote", "locator", "sample", "note"],
    "assessment": ["assessor", "rationale"],
}


def judge(kind: str, **fields: Any) -> list[str]:
    """Return where a record is refused for its blanks."""
    record = {"claim": CLAIM} if RECORD_TYPES[kind].part else {}
    record |= a_record(kind, "example", **fields)
    try:
        validate_record(RECORD_TYPES[kind], record)
    except InvalidRecord as error:
        return [fault.at for fault in error.faults if fault.code == "blank_text"]
    return []


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, fields in WRITTEN.items() for field in fields]
)
def test_a_text_of_blanks_alone_is_refused(kind: str, field: str) -> None:
    for blank in BLANKS:
        assert judge(kind, **{field: blank}) == [field], ascii(blank)
    assert judge(kind, **{field: "\u3000x"}) == []


def test_a_text_within_a_list_or_a_table_is_refused_too() -> None:
    assert judge("source", authors=[{"family": "\u200b"}]) == ["authors/0/family"]
    assert judge("source", authors=[{"literal": " "}]) == ["authors/0/literal"]
    assert judge("occurrence", hedges=["may", " "]) == ["hedges/1"]
    assert judge("topic", crosswalk={"MeSH": "\u2800"}) == ["crosswalk/MeSH"]


def test_the_words_around_a_quote_may_be_blanks() -> None:
    assert judge("occurrence", prefix=" ", suffix="\xa0") == []


def test_every_letter_of_every_script_can_be_seen() -> None:
    letters = [
        "x",
        "\u674e",
        "\u0905",
        "\u0639",
        "\u05d0",
        "1",
        "\u00bd",
        "%",
        "\u2192",
        "\U0001f600",
    ]
    assert [letter for letter in letters if is_blank(letter)] == []
    for blank in BLANKS:
        assert is_blank(blank), [unicodedata.name(letter, "?") for letter in blank]


def test_a_reason_of_blanks_is_none(desk: Desk) -> None:
    record = desk.propose("anna", "topic", "example")
    path = f"/v1/records/topic/{record}"
    for comment in BLANKS:
        body = {"comment": comment}
        answer = desk.ask("cleo", "POST", f"{path}:reject", body, If_Match=desk.tag(path))
        assert answer.status_code == 422, ascii(comment)
