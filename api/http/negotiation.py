"""Content negotiation: which of the offered representations a client likes best."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from fastapi import Depends, Request

from api.http.errors import MEDIA_TYPE, not_acceptable
from api.http.pagination import header

# What was decided for a longer header is not remembered, since clients may send any.
MOST_REMEMBERED = 200
# So many media types or codings of a header are read; a browser names about ten.
MOST_RANGES = 100
OFFERED = ("application/json",)
# JSON Lines, a value on each line: it has two names, and the first is the one that is sent.
LINES_TYPES = ("application/jsonl", "application/x-ndjson")

Header = TypeVar("Header", str, bytes)
Further = ParamSpec("Further")
Decision = TypeVar("Decision")


def remembering_short(
    decide: Callable[Concatenate[Header, Further], Decision],
) -> Callable[Concatenate[Header, Further], Decision]:
    """Decorate a function of a header's value, whose results for short values are remembered."""
    remembered: Any = lru_cache(64)(decide)

    @wraps(decide)
    def decided(value: Header, /, *further: Further.args, **named: Further.kwargs) -> Decision:
        chosen = decide if len(value) > MOST_REMEMBERED else remembered
        result: Decision = chosen(value, *further, **named)
        return result

    return decided


def negotiate(accept: str | None, offered: tuple[str, ...]) -> str | None:
    """Return the offered media type that an Accept header likes best, or None if it takes none.

    The first offered one wins a tie. A more specific range overrides a wider one (RFC 9110 section
    12.5.1).
    """
    if not accept or not accept.strip():
        return offered[0]
    return _negotiate(accept, offered)


@remembering_short
def _negotiate(accept: str, offered: tuple[str, ...]) -> str | None:
    ranges = [_range(part) for part in _parts(accept)]
    best_quality, best = 0.0, None
    for media_type in offered:
        if (quality := _quality(ranges, media_type)) > best_quality:
            best_quality, best = quality, media_type
    return best


def _parts(header: str) -> list[str]:
    """Return the first values of a header that is a list; what comes after them is not read."""
    parts = header.split(",", MOST_RANGES)[:MOST_RANGES]
    return [part for part in parts if part.strip()]


def _quality(ranges: list[tuple[str, float]], media_type: str) -> float:
    """Return the q-value of the most specific range that fits a media type, or 0."""
    fits = [(_fits(pattern, media_type), quality) for pattern, quality in ranges]
    exactness, quality = max(fits, default=(0, 0.0))
    return quality if exactness else 0.0


def qualities(header: str) -> dict[str, float]:
    """Return the q-value of each value of an Accept header (RFC 9110 section 12.4.2)."""
    return dict(_range(part) for part in _parts(header))


def parameters_of(accept: str | None, media_type: str) -> dict[str, str]:
    """Return the parameters, except q, that an Accept header has with a media type.

    An example is `text/x-bibliography; style=apa`.
    """
    for part in _parts(accept or ""):
        pattern, *parameters = (piece.strip() for piece in part.split(";"))
        if pattern.lower() == media_type:
            pairs = (parameter.partition("=") for parameter in parameters)
            return {
                name.strip().lower(): value.strip().strip('"')
                for name, _, value in pairs
                if name.strip() != "q"
            }
    return {}


def _range(part: str) -> tuple[str, float]:
    pattern, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return pattern, min(max(float(value), 0.0), 1.0)
            except ValueError:
                return pattern, 0.0
    return pattern, 1.0


def _fits(pattern: str, media_type: str) -> int:
    """Return how exactly a range fits a media type.

    3 for the type itself, 2 for its main type (`text/*`), 1 for `*/*`, 0 if it does not fit.
    """
    if pattern == media_type:
        return 3
    if pattern == media_type.split("/")[0] + "/*":
        return 2
    return 1 if pattern == "*/*" else 0


def wants_lines(request: Request) -> bool:
    """Return whether the client likes JSON Lines better than JSON. Raises NotAcceptable."""
    offered = (*OFFERED, *LINES_TYPES)
    media_type = negotiate(header(request, "accept"), offered)
    if media_type is None:
        raise not_acceptable(offered)
    return media_type in LINES_TYPES


def require_accepted(request: Request, offered: tuple[str, ...]) -> None:
    """Raise NotAcceptable if the client takes none of the media types of a route's one format.

    A client that names the type of problems reads what the document declares, and takes it.
    """
    accept = header(request, "accept")
    if negotiate(accept, offered) is None and not qualities(accept or "").get(MEDIA_TYPE):
        raise not_acceptable(offered)


def json_accepted(request: Request) -> None:
    """Raise NotAcceptable if the client does not take JSON."""
    require_accepted(request, OFFERED)


JsonAccepted = Depends(json_accepted)
