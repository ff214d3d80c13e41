"""The records of an XML file, one at a time, as far as the file is well formed."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, TreeBuilder, tostring
from xml.parsers import expat

from api.citations.clean import clean_text, decode_file
from api.citations.parse_result import EntryProblem, ParsedEntry, ParsedFile
from api.citations.tagged_lines import RawEntry, Tags, TagValue, parse_entries

# A record of PubMed or EndNote is some ten levels deep. `tostring` goes down by recursion.
MOST_LEVELS = 50
# Parsed at once, so that what was read is told though a later part takes too long.
_PIECE = 65_536


class Malformed(NamedTuple):
    """Where a file is no XML, and why."""

    line: int
    reason: str


class _Refused(Exception):
    """What a file of citations never has, and others may be harmed by."""


class _Records:
    """Builds each element of some names with what is in it, and forgets it when it is given out."""

    def __init__(self, names: Sequence[str]) -> None:
        self.found: list[tuple[int, Element]] = []
        self._names = names
        self._builder: TreeBuilder | None = None
        self._line = 0
        self._levels = 0
        # What a declaration says of the encoding is over: the text was decoded.
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._refuse

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._builder is None and name in self._names:
            self._builder, self._line = TreeBuilder(), self.parser.CurrentLineNumber
        if self._builder is not None:
            self._levels += 1
            if self._levels > MOST_LEVELS:
                raise _Refused(f"There are more than {MOST_LEVELS} elements within each other")
            self._builder.start(name, attributes)

    def _end(self, name: str) -> None:
        if self._builder is not None:
            self._builder.end(name)
            self._levels -= 1
            if self._levels == 0:
                self.found.append((self._line, self._builder.close()))
                self._builder = None

    def _text(self, text: str) -> None:
        if self._builder is not None:
            self._builder.data(text)

    def _refuse(self, *_declaration: object) -> None:
        raise _Refused("It declares entities of its own")


def records(text: str, names: Sequence[str]) -> Iterator[tuple[int, Element | Malformed]]:
    """Yield each element of these names that is in no other, with the line on which it begins.

    The last is `Malformed` if the text is no XML, declares entities, or nests too deep.
    """
    reading = _Records(names)
    try:
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE].encode("utf-8", "replace")
            reading.parser.Parse(piece, start + _PIECE >= len(text))
            yield from reading.found
            reading.found.clear()
    except (expat.ExpatError, _Refused) as error:
        yield from reading.found
        line = reading.parser.CurrentLineNumber
        yield line, Malformed(line, str(error))


def read_records(
    content: bytes,
    names: Sequence[str],
    tags_of: Callable[[Element], Iterable[TagValue]],
    parse_entry: Callable[[int, Tags], ParsedEntry],
    parsed: ParsedFile | None,
) -> ParsedFile:
    """Parse a file of which each record becomes tags; what follows a break is one problem."""
    parsed = ParsedFile() if parsed is None else parsed
    broken: list[Malformed] = []

    def raw_entries() -> Iterator[RawEntry]:
        for line, record in records(decode_file(content), names):
            if isinstance(record, Malformed):
                broken.append(record)
            else:
                yield line, list(tags_of(record))

    parse_entries(raw_entries(), parse_entry, names[0], parsed)
    for line, reason in broken:
        detail = f"Not XML ({reason}); nothing after it was read."
        parsed.add(EntryProblem(line, "malformed_xml", detail))
    return parsed


def text_of(element: Element | None) -> str:
    """Return the text of an element on one line, without mark-up; "" if there is no element."""
    if element is None:
        return ""
    if len(element) == 0:
        return " ".join((element.text or "").split())
    # Raised and lowered figures are mark-up within a title.
    outer = tostring(element, encoding="unicode").rstrip()
    inner = outer[outer.index(">") + 1 : outer.rindex("</")]
    return " ".join(clean_text(inner).split())
