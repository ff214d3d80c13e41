"""Citation keys: short names by which a text cites a source, such as `zamboni2009chronic`.

A key depends on the source alone: the first author's family name, the year, and the first
significant word of the title; in lower-case ASCII letters and digits, beginning with a letter.
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
# Words with which a title or a group's name may begin without saying anything: English, then
# others.
INSIGNIFICANT = frozenset((
    "a", "an", "the", "of", "on", "in", "at", "to", "by", "for", "from", "with", "without", "and",
    "or", "nor", "but", "as", "is", "are", "was", "were", "be", "do", "does", "can", "could",
    "should", "has", "have", "how", "what", "when", "where", "which", "who", "why", "that", "this",
    "these", "those", "its", "some", "about", "after", "before", "between", "into", "over", "under",
    "upon", "via", "der", "die", "das", "ein", "eine", "zur", "zum", "und", "le", "la", "les", "un",
    "une", "de", "des", "du", "et", "il", "lo", "gli", "i", "e", "el", "los", "las", "y", "o", "no",
    "not",
))  # fmt: skip


def key_maker() -> Callable[[Row], str]:
    """Return a function that returns the key of each source in turn, so that a list can stream.

    A key that an earlier source has gets a letter: a, b, …, z, aa, … The same sources in the same
    order get the same keys; a source that comes again gets the key that it had.
    """
    keys: dict[str, str] = {}
    used: set[str] = set()
    counts: dict[str, int] = {}

    def key_of(source: Row) -> str:
        slug = source["id"]
        if slug not in keys:
            key = base = citation_key(source)
            while key in used:
                counts[base] = counts.get(base, 0) + 1
                key = base + _letters(counts[base])
            used.add(key)
            keys[slug] = key
        return keys[slug]

    return key_of


def citation_key(source: Row) -> str:
    """Return the key of a source by itself: family name, year, and a word of the title.

    Without a person it begins with the first word of the group's name, or else of the title. A name
    without ASCII letters, such as 李, is replaced by the first word of the slug.
    """
    title_words = _significant_words(source["title"])
    authors = source["authors"]
    name = _first_word_of_name(authors[0]) if authors else next(title_words, "")
    name = name or source["id"].split("-")[0]
    if not name[0].isalpha():
        name = f"s{name}"
    return f"{name}{source['year'] or ''}{next(title_words, '')}"


def _first_word_of_name(author: Row) -> str:
    if author["literal"]:
        text = author["literal"] if not author["family"] else author["family"]
    else:
        text = author["family"].replace(" ", "")
    return next(_significant_words(text), "")


def folded(text: str) -> str:
    """Return the ASCII letters and digits of a text in lower case: 'Sundström' → 'sundstrom'."""
    if text.isascii():
        return "".join(filter(str.isalnum, text.lower()))
    decomposed = unicodedata.normalize("NFKD", text.lower().translate(LETTERS)).lower()
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalnum())


def _significant_words(text: str) -> Iterator[str]:
    """Yield the words of a text that say something, folded; all words if none of them does.

    The text is read no further than words are asked for.
    """
    skipped: list[str] = []
    any_significant = False
    for part in text.split():
        word = folded(part)[:LONGEST]
        if not word:
            continue
        if word in INSIGNIFICANT or word.isdigit():
            skipped.append(word)
        else:
            any_significant = True
            yield word
    if not any_significant:
        yield from skipped


def _letters(number: int) -> str:
    """Return 1 → a, 26 → z, 27 → aa."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("a") + rest) + letters
    return letters
