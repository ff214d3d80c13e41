"""Ranges of pages in the shapes of CSL."""

import re

_PAGE_RANGE = re.compile(
    r"(?P<before>[A-Za-z]*)(?P<first>[0-9]+)\s*[-\u2010-\u2013]+\s*"
    r"(?P<again>[A-Za-z]*)(?P<last>[0-9]+)(?P<after>(?:\.[a-z][0-9]+)?)"
)


def page_range(page: str, shape: str | None, dash: str) -> str:
    """Return pages with the dash of a style, each range in a shape of CSL 1.0.2.

    The shape is 'minimal', or else all digits are shown. Ends of different lengths are never
    shortened: 1-12 is not 1-2. What is no range of pages stays as it is.
    """
    parts = []
    for part in page.split(","):
        match = _PAGE_RANGE.fullmatch(part.strip())
        parts.append(_shaped_range(match, shape, dash) if match else part.strip())
    return ", ".join(parts)


def _shaped_range(match: re.Match[str], shape: str | None, dash: str) -> str:
    before, first, again, last, after = match.group("before", "first", "again", "last", "after")
    if again not in ("", before):
        return f"{before}{first}{dash}{again}{last}{after}"
    last = _full_last_page(first, last)
    if shape == "minimal" and len(last) == len(first) and first != last:
        shared = 0
        while first[shared] == last[shared]:
            shared += 1
        return f"{before}{first}{dash}{last[shared:]}{after}"
    return f"{before}{first}{dash}{before}{last}{after}"


def _full_last_page(first: str, last: str) -> str:
    """Return the last page in full: '138', '45' → '145'."""
    if len(last) >= len(first):
        return last
    full = first[: len(first) - len(last)] + last
    return full if int(full) >= int(first) else last
