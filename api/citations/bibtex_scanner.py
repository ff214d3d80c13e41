"""The entries of a BibTeX file, each with its fields in LaTeX or with what is wrong with it.

The scanner is our own, since bibtexparser loses entries: what stands after a surplus brace silently
becomes a comment, and `\\\\}` hides the end of a field. Braces are counted as BibTeX counts them;
where that leaves an entry open, `\\{` and `\\"` are read as escaped signs. An entry that is never
closed ends where the next one begins, at the start of a line.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from api.citations.parse_result import MOST_NAME_LENGTH, shortened

_ENTRY_START = r"@\s*[A-Za-z][\w-]*\s*[{(]"
_ENTRY_TYPES = (
    "article|book|booklet|conference|dataset|inbook|incollection|inproceedings|manual|"
    "mastersthesis|misc|online|phdthesis|proceedings|report|techreport|thesis|unpublished|"
    "string|preamble"
)
_ENTRY = re.compile(
    r"(?:^[ \t]*)?@\s*(?P<type>[A-Za-z][\w-]*)\s*(?P<open>[{(])"
    rf"|^[ \t]*@(?P<bare>{_ENTRY_TYPES})\b"
    r"|^[ \t]*@(?P<cut>\w*)\s*\Z",
    re.MULTILINE | re.IGNORECASE,
)
# Where an entry that was not closed ends: the next entry at the start of a line, or an unmistakable
# one after a brace. Its key has no `@`, so that the search for its end stops at the next entry.
_NEXT = re.compile(
    rf"^[ \t]*{_ENTRY_START}|(?<=[)}}])[ \t]*@[A-Za-z]+[{{(][^\s,={{}}@]++,\s*+[\w-]++\s*+=",
    re.MULTILINE,
)
# Bounded, since what looks like a head may stand there a hundred thousand times without its comma.
_KEY = re.compile(r"([^,={}\"#]{0,250}+)(?:,|(?=}))")
# Databases write names of two words, such as `funding_text 1`.
_FIELD = re.compile(r"[\s,]*([^\s,={}()\"#%]++(?:[ \t]++[^\s,={}()\"#%]++){0,2})\s*=\s*")
_CLOSE = re.compile(r"[\s,]*([)}])")
_WORD = re.compile(r"[^\s#,{}()=\"%]+")
_HASH = re.compile(r"\s*#\s*")
# What counts as a brace or a quotation mark: all of them, or none that is escaped.
_STRICT = re.compile(r'[{}"]')
_LENIENT = re.compile(r'\\.|[{}"]', re.DOTALL)
# Fields after an empty line, perhaps after the rest of a head: an entry that lost its beginning.
# The quantifiers are possessive, since a file of nothing but blanks or letters would take hours.
_HEADLESS = re.compile(
    r"[^\S\n]*+\n[^\S\n]*+\n[\s})]*+(?=(?:\w*+[{(]?+[^,={}\s]*+,\s*+)?[\w-]++\s*+=\s*+[{\"\d])"
)
_LEFT_OVER = re.compile(r"[\s})]*(?:,\s*[\w-]+\s*=|[\w-]+\s*=\s*[{\"\d])")


# How many characters abbreviations may add to a file. Of ordinary ones, the names of journals, ten
# thousand entries have half of it; but each may name others, ten times over.
MOST_EXPANDED = 1_000_000


class MalformedEntry(Exception):
    """An entry that is no BibTeX: the position of the error in the text, a code, and the reason."""

    def __init__(self, position: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.code = code
        self.reason = reason


class ScannedEntry(NamedTuple):
    """An entry: where it begins, its type, and its fields in LaTeX or what is wrong with it.

    The citation key is the field "".
    """

    position: int
    entry_type: str
    content: dict[str, str] | MalformedEntry


class Abbreviations:
    """The words that stand for a value; `@string` adds to them."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self._words = dict(words)
        # The characters that they may still add to a file.
        self._room = MOST_EXPANDED

    def add(self, words: Mapping[str, str]) -> None:
        """Add words with their values."""
        self._words.update(words)

    def value(self, word: str) -> str | None:
        """Return the value of a word, or None. Raises OverflowError where they add too much."""
        found = self._words.get(word.lower())
        length = len(found or "")
        if length > self._room:
            raise OverflowError
        self._room -= length
        return found


def scan(text: str, months: Mapping[str, str]) -> Iterator[ScannedEntry]:
    """Yield each entry of a text; comments and preambles are passed over.

    `months` are the abbreviations that need no `@string`.
    """
    abbreviations = Abbreviations(months)
    position, limit, unclosed_limit = 0, -1, -1
    while match := _ENTRY.search(text, position):
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        entry_type = (match["type"] or "").lower()
        if limit < match.end():
            limit = _next_entry(text, match.end())
        position = match.end()
        if not match["open"]:
            yield from _without_brace(match, start)
            continue
        if entry_type in ("comment", "preamble"):
            # A comment that is not closed is none to BibTeX, which reads on after the word.
            if unclosed_limit != limit:
                position = _end_of_comment(text, match.end(), limit)
                unclosed_limit = limit if position == match.end() else unclosed_limit
            continue
        try:
            fields, position = _parse_entry(text, match, limit, abbreviations)
        except MalformedEntry as error:
            if entry_type != "string":
                yield ScannedEntry(start, entry_type, error)
            position = limit
            continue
        if entry_type == "string":
            named = {name.lower(): value for name, value in fields.items() if name}
            abbreviations.add(named)
        else:
            yield from _checked_end(text, position, ScannedEntry(start, entry_type, fields))


def _next_entry(text: str, position: int) -> int:
    """Return where the next entry begins: a limit, so that no entry swallows another one."""
    following = _NEXT.search(text, position)
    return following.start() if following else len(text)


def _without_brace(match: re.Match[str], start: int) -> Iterator[ScannedEntry]:
    """Yield the problem of an entry that has no brace after its type."""
    entry_type = match["bare"]
    if entry_type is not None and entry_type.lower() in ("string", "preamble"):
        return
    if entry_type is None:
        code, reason = "cut_off", "The file ends here"
    else:
        code, reason = "malformed_entry", "A `{` is missing"
    after = shortened(match[0].strip(), MOST_NAME_LENGTH)
    error = MalformedEntry(start, code, f"{reason} after `{after}`")
    yield ScannedEntry(start, "", error)


def _checked_end(text: str, position: int, entry: ScannedEntry) -> Iterator[ScannedEntry]:
    """Yield the entry that ends at a position, and what is wrong with the text after it."""
    following = _ENTRY.search(text, position)
    end = following.start() if following else len(text)
    headless = _HEADLESS.match(text, position, end)
    if headless is None and _LEFT_OVER.match(text, position, end):
        reason = "A brace too many ends the entry before its end"
        error = MalformedEntry(position, "unbalanced_braces", reason)
        yield entry._replace(content=error)
        return
    yield entry
    if headless:
        start = headless.end()
        error = MalformedEntry(start, "malformed_entry", "Fields stand outside every entry")
        yield ScannedEntry(start, "", error)


def _end_of_comment(text: str, start: int, limit: int) -> int:
    """Return the end of a comment's braces, or its start if they are not closed."""
    try:
        return _EntryParser(text, limit, Abbreviations({}), _STRICT).closing(start)
    except MalformedEntry:
        return start


def _parse_entry(
    text: str, match: re.Match[str], limit: int, abbreviations: Abbreviations
) -> tuple[dict[str, str], int]:
    """Return the fields of an entry and where it ends.

    Braces are counted as BibTeX counts them and, where that fails, without the escaped ones.
    """
    try:
        return _EntryParser(text, limit, abbreviations, _STRICT).parse(match)
    except MalformedEntry as first:
        try:
            return _EntryParser(text, limit, abbreviations, _LENIENT).parse(match)
        except MalformedEntry:
            raise first from None


@dataclass(frozen=True)
class _EntryParser:
    """Parses one entry of a text, up to a limit.

    `marks` matches what counts as a brace or as a quotation mark.
    """

    text: str
    limit: int
    abbreviations: Abbreviations
    marks: re.Pattern[str]

    def parse(self, match: re.Match[str]) -> tuple[dict[str, str], int]:
        """Return the fields of the entry that a match begins, and where the entry ends."""
        fields: dict[str, str] = {}
        position = match.end()
        closer = "}" if match["open"] == "{" else ")"
        is_string = match["type"].lower() == "string"
        if not is_string and (key := _KEY.match(self.text, position, self.limit)):
            fields[""] = key[1].strip()
            position = key.end()
        while True:
            end = _CLOSE.match(self.text, position, self.limit)
            if end and end[1] == closer:
                return fields, end.end()
            name = _FIELD.match(self.text, position, self.limit)
            if name is None:
                raise self._no_field(match.start(), position)
            value, position = self.value(name.end(), fields)
            _add_field(fields, name[1].lower(), value)

    def _no_field(self, start: int, position: int) -> MalformedEntry:
        """Return the error for an entry that neither ends nor has a field at a position."""
        rest = self.text[position : self.limit].strip(" \t\n,")
        if not rest:
            return self._unclosed(start, "the entry")
        reason = f"Expected `name = value`, not `{rest[:30].strip()}`"
        return MalformedEntry(position, "malformed_entry", reason)

    def value(self, position: int, fields: dict[str, str]) -> tuple[str, int]:
        """Return a value, its parts joined at `#`, and where it ends.

        An unknown abbreviation becomes a field of its own, so that it is reported.
        """
        parts = []
        while True:
            if self.text.startswith(("{", '"'), position):
                quoted = self.text[position] == '"'
                end = self.closing(position + 1, quoted=quoted)
                parts.append(self.text[position + 1 : end - 1])
            elif word := _WORD.match(self.text, position, self.limit):
                end = word.end()
                parts.append(self._expanded(word, fields))
            else:
                return "".join(parts), position
            concatenation = _HASH.match(self.text, end, self.limit)
            if concatenation is None:
                return "".join(parts), end
            position = concatenation.end()

    def _expanded(self, match: re.Match[str], fields: dict[str, str]) -> str:
        word = match[0]
        try:
            expansion = self.abbreviations.value(word)
        except OverflowError:
            reason = f"The abbreviations of the file add more than {MOST_EXPANDED:,} characters"
            raise MalformedEntry(match.start(), "too_complex", reason) from None
        if expansion is not None:
            return expansion
        if not word.isdecimal():
            fields.setdefault(f"@string {word}", word)
        return word

    def closing(self, start: int, *, quoted: bool = False) -> int:
        """Return the position after the brace that closes the value that begins at `start`.

        A quoted value is closed by a quotation mark outside braces.
        """
        depth = 0 if quoted else 1
        for mark in self.marks.finditer(self.text, start, self.limit):
            if mark[0] in "{}":
                depth += 1 if mark[0] == "{" else -1
                if depth < 0:
                    reason = "A brace too many in a quoted value"
                    raise MalformedEntry(mark.start(), "unbalanced_braces", reason)
            closes = mark[0] == ('"' if quoted else "}")
            if closes and depth == 0:
                return mark.end()
        raise self._unclosed(start, "a value")

    def _unclosed(self, start: int, subject: str) -> MalformedEntry:
        if self.limit < len(self.text):
            reason = f"The next entry begins before {subject} is closed"
            return MalformedEntry(start, "unbalanced_braces", reason)
        return MalformedEntry(start, "cut_off", f"The file ends before {subject} is closed")


def _add_field(fields: dict[str, str], name: str, value: str) -> None:
    """Add a field; one that comes again with another value gets a name that is reported."""
    if name not in fields:
        fields[name] = value
    elif fields[name] != value:
        fields[f"{name} (repeated)"] = value
