"""How much an agent is told at once: what it reads stands in its context until it is done."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from api.http.errors import ParameterError
from models.core.errors import Fault
from models.records.serializers import Row

# An answer has at most so many tokens; `next` or `page` leads to the rest. Beyond that an agent
# that asks a few times has no room left to think.
MOST_TOKENS = 1_500
# English has four characters a token with the usual tokenizers; there is none here to count with.
CHARACTERS_OF_TOKEN = 4
ROOM = MOST_TOKENS * CHARACTERS_OF_TOKEN
# What is left for what stands around a list, and what a page of a text has at least.
_AROUND_LIST = 900
_LEAST_PAGE = 1_000
# The whole of a longer text is in `fetch`.
MOST_TEXT = 400


def written(answer: Mapping[str, Any]) -> str:
    """Return an answer as JSON, without what is empty."""
    return to_json({name: value for name, value in answer.items() if value is not None}).decode()


def tokens(text: str) -> int:
    """Return about how many tokens a text has."""
    return -(-len(text) // CHARACTERS_OF_TOKEN)


def without_empty(record: Mapping[str, Any]) -> Row:
    """Return a record without fields that have no value."""
    return {name: value for name, value in record.items() if value not in (None, "", [], (), {})}


def shortened(text: str | None, most: int = MOST_TEXT) -> str | None:
    """Return a text, cut where it is too long for a list."""
    return text if text is None or len(text) <= most else f"{text[: most - 1].rstrip()}…"


def fitting(entries: Sequence[Row], room: int = ROOM - _AROUND_LIST) -> int:
    """Return how many of the first entries fit into an answer, at least one if there are any."""
    taken = 0
    for number, entry in enumerate(entries):
        taken += len(written(entry)) + 1
        if taken > room:
            return max(number, 1)
    return len(entries)


def with_page(answer: Row, name: str, page: int) -> tuple[Row, int]:
    """Return an answer with only a page of the text in one of its fields, and how many pages that
    has. Raises ParameterError if there is no such page.
    """
    around = len(written({**answer, name: ""}))
    # Room for the numbers of the pages, too.
    pages = _pages(answer[name], max(ROOM - around - 60, _LEAST_PAGE))
    if page > len(pages):
        detail = f"The text has {len(pages)} page{'' if len(pages) == 1 else 's'}."
        allowed = [str(number) for number in range(1, len(pages) + 1)]
        fault = Fault(at="page", code="invalid_parameter", detail=detail, allowed=allowed)
        raise ParameterError(detail, [fault])
    return {**answer, name: pages[page - 1]}, len(pages)


def _pages(text: str, room: int) -> list[str]:
    """Return a text as pages that end with a line where they can."""
    pages, taken = [""], 0
    for line in _lines(text, room):
        size = _size(line)
        if taken + size > room and pages[-1]:
            pages.append("")
            taken = 0
        pages[-1] += line
        taken += size
    return pages


def _lines(text: str, room: int) -> list[str]:
    """Return the lines of a text with their ends, none of them longer in JSON than a page."""
    found: list[str] = []
    for line in text.splitlines(keepends=True):
        # A character has up to six in JSON.
        step = room if _size(line) <= room else room // 6
        found += [line[start : start + step] for start in range(0, len(line), step)]
    return found


def _size(text: str) -> int:
    """Return how many characters a text has in JSON."""
    return len(to_json(text).decode()) - 2
