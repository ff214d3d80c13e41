"""The format of a file is detected by its content."""

import codecs

import pytest
from hypothesis import strategies as st

from api.citations import detect, formats
from api.citations.parse_result import ParsedFile
from tests.citations.sources import seed_sources
from tests.generated import fuzzed

RIS = "TY  - JOUR\nTI  - @article{a, [{}]\nER  - \n"
NBIB = "PMID- 1\nTI  - A @article{a.\n"
BIBTEX = "@article{a, title = {A}}\n"
JSON = '[{"id": "a", "type": "book", "title": "A"}]'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
@pytest.mark.parametrize("before", ["", "\n", "\r\n \r\n"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ris", RIS),
        ("ris", RIS.replace("  - ", " - ")),
        ("ris", RIS.replace("  - ", "-")),
        ("ris", RIS.replace("TY", "ty")),
        ("ris", RIS.replace("\n", "\r")),
        ("ris", "Exported on Monday\n" + RIS),
        ("nbib", NBIB),
        ("nbib", NBIB.replace("\n", "\r\n")),
        ("bibtex", BIBTEX),
        ("bibtex", "% exported\n\n@ARTICLE (a, title = {A})"),
        ("bibtex", "@article{a, note = {\nTY  - JOUR\n}}"),
        ("csl_json", JSON),
        ("csl_json", "[]"),
        ("csl_json", '{"items": []}'),
        ("csl_json", "[\n  {"),
    ],
)
def test_the_format_of_a_file_is_detected(name: str, text: str, before: str, encoding: str) -> None:
    assert detect.detect((before + text).encode(encoding)) == name


@pytest.mark.parametrize(
    "text", ["", "\n", "A letter.", "<html>", "me@example.org", "[see below]", "TY", "PMID"]
)
def test_a_file_in_no_format_is_an_error_that_names_the_signatures(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither .*JSON.*TY  - JOUR.*PMID.*@article"):
        detect.detect(text.encode())


@pytest.mark.parametrize("name", sorted(formats.READ.keys() & formats.WRITTEN))
def test_a_written_file_is_detected_and_read(name: str) -> None:
    sources = seed_sources()
    content = b"".join(formats.WRITTEN[name].write(sources))
    assert detect.detect(content) == name
    assert detect.read(content) == detect.read(content, name)
    assert len(detect.read(content).entries) == len(sources)


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
@pytest.mark.parametrize(
    "text",
    [
        "TY  - JOUR\nTI  - Ménière – Ω\nER  - \n",
        "PMID- 1\nTI  - Ménière – Ω\n",
        "@article{a, title = {Ménière – Ω}}\n",
        '[{"type": "book", "title": "Ménière – Ω"}]\n',
    ],
)
def test_utf_16_is_read_as_its_mark_says(text: str, mark: bytes) -> None:
    parsed = detect.read(text.encode())
    assert [entry.record["title"] for entry in parsed.entries] == ["Ménière – Ω"]
    encoding = "utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be"
    for end in ("\n", "\r\n"):
        assert detect.read(mark + text.replace("\n", end).encode(encoding)) == parsed
    # Cut within a character.
    assert len(detect.read(mark + text.encode(encoding)[:-1]).entries) == 1


def test_reading_in_a_format_of_ones_own_choice() -> None:
    assert detect.read(b"", "ris") == ParsedFile()
    assert len(detect.read(NBIB.encode(), "nbib").entries) == 1
    with pytest.raises(
        ValueError,
        match="'word' is not a format that is read; these are: csl_json, ris, nbib, bibtex",
    ):
        detect.read(b"", "word")


@fuzzed(
    st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_in_a_format_or_none(content: bytes) -> None:
    try:
        name = detect.detect(content)
    except ValueError:
        return
    assert name in formats.READ
