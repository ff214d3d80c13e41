"""Representations, and which one a client wants."""

from functools import lru_cache


@lru_cache(64)  # No more, since a header is as long as its client likes.
def negotiate(accept: str | None, offered: tuple[str, ...]) -> str | None:
    """Return the offered media type that an Accept header likes best, or None where it takes none (RFC 9110 section 12.5.1).

    The first offered one wins a tie. A range that is more specific overrides a wider one.
    """
    if not accept or not accept.strip():
        return offered[0]
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    best: tuple[float, str | None] = (0.0, None)
    for media_type in offered:
        fits = [
            (exactness, quality)
            for pattern, quality in ranges
            if (exactness := _fits(pattern, media_type))
        ]
        quality = max(fits, default=(0, 0.0))[1]
        if quality > best[0]:
            best = (quality, media_type)
    return best[1]


def qualities(header: str) -> dict[str, float]:
    """Return how much each value of an Accept header is liked: its q-value (RFC 9110 section 12.4.2)."""
    return dict(_range(part) for part in header.split(",") if part.strip())


def parameters_of(accept: str | None, media_type: str) -> dict[str, str]:
    """Return the parameters (but q) that an Accept header gives with a media type: `text/x-bibliography; style=apa`."""
    for part in (accept or "").split(","):
        pattern, *given = (piece.strip() for piece in part.split(";"))
        if pattern.lower() == media_type:
            pairs = (each.partition("=") for each in given)
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
    """Return how exactly a range names a media type: 3 itself, 2 its kind, 1 anything, 0 not at all."""
    if pattern == media_type:
        return 3
    if pattern == media_type.split("/")[0] + "/*":
        return 2
    return 1 if pattern == "*/*" else 0
