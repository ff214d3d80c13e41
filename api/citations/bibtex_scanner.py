"""The entries of a BibTeX file, each with its fields in LaTeX or with what is wrong with it.

The scanner is our own, for bibtexparser loses here: what stands behind a surplus brace becomes a comment without a word,
and `\\\\}` hides the end of a field. Braces are counted as BibTeX counts them; where that leaves an entry open, `\\{` and
`\\"` are taken for signs. An entry that is never closed ends where the next one begins, at the start of a line.
"""

import re
from collections.abc import Iterator, Mapping

_OPENING = r"@\s*[A-Za-z][\w-]*\s*[{(]"
_KNOWN = (
    "article|book|booklet|conference|dataset|inbook|incollection|inproceedings|manual|mastersthesis|misc|online|phdthesis|"
    "proceedings|report|techreport|thesis|unpublished|string|preamble"
)
_START = re.compile(
    rf"@\s*(?P<type>[A-Za-z][\w-]*)\s*(?P<open>[{{(])|^[ \t]*@(?P<bare>{_KNOWN})\b|^[ \t]*@(?P<cut>\w*)\s*\Z",
    re.MULTILINE | re.IGNORECASE,
)
# Where an entry that was not closed ends: the next at the start of a line, or an unmistakable one behind a brace.
_NEXT = re.compile(
    rf"^[ \t]*{_OPENING}|(?<=[)}}])[ \t]*@[A-Za-z]+[{{(][^\s,={{}}]+,\s*[\w-]+\s*=", re.MULTILINE
)
_KEY = re.compile(r"([^,={}\"#]*)(?:,|(?=}))")
_FIELD = re.compile(r"[\s,]*([^\s,={}()\"#%]+)\s*=\s*")
_CLOSE = re.compile(r"[\s,]*([)}])")
_WORD = re.compile(r"[^\s#,{}()=\"%]+")
_HASH = re.compile(r"\s*#\s*")
_STRICT, _LENIENT = re.compile(r'[{}"]'), re.compile(r'\\.|[{}"]', re.DOTALL)
# Fields behind an empty line, perhaps behind the rest of a head: an entry that lost its beginning. Blanks are not given
# back, for a file of nothing else would take hours.
_HEADLESS = re.compile(
    r"[^\S\n]*\n[^\S\n]*\n[\s})]*+(?=(?:\w*[{(]?[^,={}\s]*,\s*)?[\w-]+\s*=\s*[{\"\d])"
)
_LEFT_OVER = re.compile(r"[\s})]*(?:,\s*[\w-]+\s*=|[\w-]+\s*=\s*[{\"\d])")


class Broken(Exception):
    """An entry that is no BibTeX: where, a code and why."""

    def __init__(self, at: int, code: str, why: str) -> None:
        super().__init__(why)
        self.at, self.code, self.why = at, code, why


def blocks(text: str, words: dict[str, str]) -> Iterator[tuple[int, str, dict[str, str] | Broken]]:
    """Yield each entry: where it begins, its type, and its fields in LaTeX (the key under "") or what is wrong with it.

    `words` are the abbreviations known so far; `@string` adds to them. A comment is passed over, a preamble too.
    """
    at, limit, open_until = 0, -1, -1
    while match := _START.search(text, at):
        start, kind = (
            match.start() + len(match[0]) - len(match[0].lstrip()),
            (match["type"] or "").lower(),
        )
        if limit < match.end():
            following = _NEXT.search(text, match.end())
            # A limit, so that one entry never swallows the next.
            limit = following.start() if following else len(text)
        at = match.end()
        if not match["open"]:
            code, why = (
                ("cut_off", "The file ends here")
                if match["bare"] is None
                else ("malformed_entry", "A `{` is missing")
            )
            if (match["bare"] or "").lower() not in ("string", "preamble"):
                yield start, kind, Broken(start, code, f"{why} after `{match[0].strip()}`")
            continue
        if kind in ("comment", "preamble"):
            # A comment that does not close is none to BibTeX, which reads on behind the word.
            if open_until != limit:
                at = _passed(text, match.end(), limit)
                open_until = limit if at == match.end() else open_until
            continue
        try:
            fields, at = _entry(text, match, limit, words)
        except Broken as broken:
            if kind != "string":
                yield start, kind, broken
            at = limit
            continue
        if kind == "string":
            words |= {name.lower(): value for name, value in fields.items() if name}
        else:
            after = _START.search(text, at)
            end = after.start() if after else len(text)
            headless = _HEADLESS.match(text, at, end)
            if headless is None and _LEFT_OVER.match(text, at, end):
                yield (
                    start,
                    kind,
                    Broken(
                        at, "unbalanced_braces", "A brace too many ends the entry before its end"
                    ),
                )
                continue
            yield start, kind, fields
            if headless:
                place = headless.end()
                yield (
                    place,
                    "",
                    Broken(place, "malformed_entry", "Fields stand outside every entry"),
                )


def _passed(text: str, start: int, limit: int) -> int:
    """Return the end of a comment's braces, or its start where they do not close."""
    try:
        return _closing(text, start, limit, _STRICT)
    except Broken:
        return start


def _entry(
    text: str, match: re.Match[str], limit: int, words: Mapping[str, str]
) -> tuple[dict[str, str], int]:
    """Return the fields of an entry and where it ends, counting braces first as BibTeX does, then leniently."""
    try:
        return _scan(text, match, limit, words, _STRICT)
    except Broken as first:
        try:
            return _scan(text, match, limit, words, _LENIENT)
        except Broken:
            raise first from None


def _scan(
    text: str, match: re.Match[str], limit: int, words: Mapping[str, str], marks: re.Pattern[str]
) -> tuple[dict[str, str], int]:
    fields: dict[str, str] = {}
    at, closer = match.end(), {"{": "}", "(": ")"}[match["open"]]
    if match["type"].lower() != "string" and (key := _KEY.match(text, at, limit)):
        fields[""], at = key[1].strip(), key.end()
    while not ((end := _CLOSE.match(text, at, limit)) and end[1] == closer):
        name = _FIELD.match(text, at, limit)
        if name is None:
            if not text[at:limit].strip(" \t\n,"):
                raise _unclosed(text, match.start(), limit, "the entry")
            raise Broken(
                at,
                "malformed_entry",
                f"Expected `name = value`, not `{text[at : min(at + 30, limit)].strip()}`",
            )
        value, at = _value(text, name.end(), limit, words, marks, fields)
        field = name[1].lower()
        if field not in fields:
            fields[field] = value
        elif fields[field] != value:
            fields[f"{field} (repeated)"] = value
    return fields, end.end()


def _value(
    text: str,
    at: int,
    limit: int,
    words: Mapping[str, str],
    marks: re.Pattern[str],
    fields: dict[str, str],
) -> tuple[str, int]:
    """Return a value, its parts joined at `#`, and where it ends; a word not known goes into the fields, to be told."""
    parts = []
    while True:
        if text.startswith("{", at):
            end = _closing(text, at + 1, limit, marks)
            parts.append(text[at + 1 : end - 1])
        elif text.startswith('"', at):
            end = _closing(text, at + 1, limit, marks, quoted=True)
            parts.append(text[at + 1 : end - 1])
        elif word := _WORD.match(text, at, limit):
            end = word.end()
            known = words.get(word[0].lower())
            if known is None and not word[0].isdecimal():
                fields.setdefault(f"@string {word[0]}", word[0])
            parts.append(word[0] if known is None else known)
        else:
            return "".join(parts), at
        joined = _HASH.match(text, end, limit)
        if joined is None:
            return "".join(parts), end
        at = joined.end()


def _closing(
    text: str, start: int, limit: int, marks: re.Pattern[str], *, quoted: bool = False
) -> int:
    """Return the place behind the brace, or the quotation mark outside braces, that closes what began before `start`."""
    depth = 0 if quoted else 1
    for mark in marks.finditer(text, start, limit):
        if quoted and depth == 0 and mark[0] == '"':
            return mark.end()
        if mark[0] in "{}":
            depth += 1 if mark[0] == "{" else -1
            if depth == 0 and not quoted:
                return mark.end()
            if depth < 0:
                raise Broken(
                    mark.start(), "unbalanced_braces", "A brace too many in a quoted value"
                )
    raise _unclosed(text, start, limit, "a value")


def _unclosed(text: str, start: int, limit: int, what: str) -> Broken:
    if limit < len(text):
        return Broken(start, "unbalanced_braces", f"The next entry begins before {what} is closed")
    return Broken(start, "cut_off", f"The file ends before {what} is closed")
