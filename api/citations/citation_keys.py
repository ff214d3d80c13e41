"""Citation keys: short names by which a text cites a source, such as `zamboni2009chronic`.

A key is made of the source alone: the first author's family name, the year, and the first word of the title that says
something; in lower-case ASCII letters and digits, beginning with a letter.
"""

import unicodedata
from collections.abc import Callable, Iterator

from models.records.serializers import Row

# Letters that Unicode does not decompose into an ASCII letter and a mark.
LETTERS = str.maketrans(
    {
        "ø": "o",
        "ß": "ss",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "ı": "i",
        "ħ": "h",
        "ŋ": "ng",
    }
)
LONGEST = 30
# Words with which a title or a group's name may begin without saying anything; English, then other languages.
INSIGNIFICANT = frozenset((
    "a", "an", "the", "of", "on", "in", "at", "to", "by", "for", "from", "with", "without", "and", "or", "nor",
    "but", "as", "is", "are", "was", "were", "be", "do", "does", "can", "could", "should", "has", "have", "how",
    "what", "when", "where", "which", "who", "why", "that", "this", "these", "those", "its", "some", "about",
    "after", "before", "between", "into", "over", "under", "upon", "via", "der", "die", "das", "ein", "eine",
    "zur", "zum", "und", "le", "la", "les", "un", "une", "de", "des", "du", "et", "il", "lo", "gli", "i", "e",
    "el", "los", "las", "y", "o", "no", "not",
))  # fmt: skip


def key_maker() -> Callable[[Row], str]:
    """Return a function that gives each source its key, one by one, so that a list can stream.

    A key that an earlier source took gets a letter: a, b, …, z, aa, … The same sources in the same order get the same
    keys; a source that comes again gets the key it had.
    """
    given: dict[str, str] = {}
    taken: set[str] = set()
    counts: dict[str, int] = {}

    def key_of(source: Row) -> str:
        slug = source["id"]
        if slug not in given:
            key = base = citation_key(source)
            while key in taken:
                counts[base] = counts.get(base, 0) + 1
                key = base + _letters(counts[base])
            taken.add(key)
            given[slug] = key
        return given[slug]

    return key_of


def citation_key(source: Row) -> str:
    """Return the key of a source by itself: family (or a group's first word, or the title's), year, word of the title.

    A name that has no ASCII letters, such as 李, gives way to the first word of the source's slug.
    """
    words = _significant(source["title"])
    who, authors = "", source["authors"]
    if authors:
        first = authors[0]
        names = [first["family"]] if first["family"] else first["literal"].split()
        who = next(
            _significant(" ".join(names) if first["literal"] else names[0].replace(" ", "")), ""
        )
    else:
        who = next(words, "")
    who = who or source["id"].split("-")[0]
    if not who[0].isalpha():
        who = f"s{who}"
    return f"{who}{source['year'] or ''}{next(words, '')}"


def folded(text: str) -> str:
    """Return the lower-case ASCII letters and digits of a text, letters without their accents: 'Sundström' → 'sundstrom'."""
    if text.isascii():
        return "".join(filter(str.isalnum, text.lower()))
    decomposed = unicodedata.normalize("NFKD", text.lower().translate(LETTERS))
    return "".join(letter for letter in decomposed.lower() if letter.isascii() and letter.isalnum())


def _significant(text: str) -> Iterator[str]:
    """Yield the words of a text that say something, folded, no further than is asked for; all of them where none does."""
    silent: list[str] | None = []
    for word in (word[:LONGEST] for word in map(folded, text.split()) if word):
        if word not in INSIGNIFICANT and not word.isdigit():
            silent = None
            yield word
        elif silent is not None:
            silent.append(word)
    yield from silent or ()


def _letters(number: int) -> str:
    """Return 1 → a, 26 → z, 27 → aa."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters
