"""Which citation format a file is in, detected by its content, and the reading of a file."""

from api.citations import formats
from api.citations.clean import decode_file
from api.citations.parse_result import ParsedFile


class UnknownFormat(ValueError):
    """A file in none of the formats that are read."""


def detect(content: bytes) -> str:
    """Return the name of the format of a file. Raises UnknownFormat if it is in none.

    Of several formats it is the one whose signature comes first: a note in RIS may quote BibTeX.
    """
    text = decode_file(content).removeprefix("ï»¿")
    positions = {}
    for name, format in formats.READ.items():
        if match := format.signature.search(text):
            positions[name] = match.start()
    if not positions:
        for name, (signature, advice) in formats.KNOWN_UNREAD.items():
            if signature.search(text):
                raise UnknownFormat(f"This looks like {name}, which is not read: {advice}.")
        descriptions = ", nor ".join(format.description for format in formats.READ.values())
        raise UnknownFormat(f"This is no citation file: it has neither {descriptions}.")
    return min(positions, key=lambda name: positions[name])


def read(content: bytes, name: str | None = None, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse a file in the named format, or in the one that is detected.

    The entries go into `parsed` if it is given.

    Raises ValueError for an unknown name, and for a file in no format.
    """
    if name is not None and name not in formats.READ:
        names = ", ".join(formats.READ)
        raise ValueError(f"'{name}' is not a format that is read; these are: {names}.")
    return formats.READ[name or detect(content)].read(content, parsed)
