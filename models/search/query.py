"""What a search asks for: words, "phrases", -without, or; with synonyms; and where a text answers it.

Whatever is typed means something, so nothing is refused. A query is branches, of which any will do; a branch wants terms
and will not have others; a term is met by any of its alternatives, an alternative by all of its phrases; a phrase is
tokens that stand one after the other.
"""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from models.core.errors import ClaimbaseError
from models.database.full_text import Branch, Phrase, Query, Term
from models.search.tokenizer import folded_words, token_spans, tokenize

# Each wording, as tokens, with all that mean the same.
Synonyms = Mapping[Phrase, tuple[Phrase, ...]]


SYNONYMS = Path("vocabularies") / "synonyms.yaml"
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_PIECE = re.compile(r'(-*)"([^"]*)"?|([^\s"]+)')


class BadSynonyms(ClaimbaseError):
    """The file of synonyms cannot be used."""

    code = "bad_synonyms"


def read_synonyms(folder: Path) -> Synonyms:
    """Return the synonyms of a folder of seed files: a list of lists, each of wordings that mean the same."""
    path = folder / SYNONYMS
    if not path.exists():
        return {}
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadSynonyms(f"{path} cannot be read: {error}.") from None
    return build_synonyms(content, str(path))


def build_synonyms(groups: object, where: str) -> Synonyms:
    """Return synonyms by each of their wordings; a wording stands in one group only."""
    found: dict[Phrase, tuple[Phrase, ...]] = {}
    for group in groups if isinstance(groups, list) else [groups]:
        if (
            not isinstance(group, list)
            or len(group) < 2
            or not all(isinstance(wording, str) for wording in group)
        ):
            raise BadSynonyms(
                f"{where}: a list of lists, each of two wordings or more; this is neither: {group!r:.80}"
            )
        phrases = tuple(dict.fromkeys(tuple(tokenize(wording)) for wording in group))
        for phrase in phrases:
            if not phrase or phrase in found:
                raise BadSynonyms(
                    f"{where}: a wording has words, and stands in one group only; in {group!r:.80} one is not so."
                )
            found[phrase] = phrases
    return found


def parse_query(text: str, known: Synonyms) -> Query:
    """Return what a text asks for; nothing (no branch) where no word says what to look for.

    Words that stand together and have synonyms are looked for as themselves or as any of those; what is in quotes is
    looked for as it is.
    """
    branches: list[Branch] = []
    wanted: list[Term] = []
    unwanted: list[Term] = []
    run: list[Phrase] = []
    for dashes, quoted, loose in _PIECE.findall(text.translate(_QUOTES)):
        phrase = tuple(tokenize(quoted or loose))
        if loose and loose[0] != "-" and loose.lower() != "or":
            run += [phrase] if phrase else []
            continue
        wanted += _terms(run, known)
        run = []
        if loose.lower() == "or":
            branches.append(Branch(_once(wanted), _once(unwanted)))
            wanted, unwanted = [], []
        elif phrase and loose:
            unwanted += _terms([phrase], known)
        elif phrase:
            (unwanted if dashes else wanted).append(((phrase,),))
    wanted += _terms(run, known)
    branches.append(Branch(_once(wanted), _once(unwanted)))
    return tuple(dict.fromkeys(branch for branch in branches if branch.wanted))


def _once(terms: Iterable[Term]) -> tuple[Term, ...]:
    return tuple(dict.fromkeys(terms))


def _terms(run: Sequence[Phrase], known: Synonyms) -> list[Term]:
    """Return the terms of words that stand one after the other; the longest wording that has synonyms comes first."""
    terms: list[Term] = []
    longest = max(map(len, known), default=1)
    start = 0
    while start < len(run):
        for end in range(min(len(run), start + longest), start, -1):
            wording = tuple(token for phrase in run[start:end] for token in phrase)
            if end == start + 1 or wording in known:
                break
        others = tuple((phrase,) for phrase in known.get(wording, ()) if phrase != wording)
        terms.append((tuple(run[start:end]), *others))
        start = end
    return terms


def highlight(text: str, query: Query) -> str | None:
    """Return a text as HTML with `<mark>` around what the query asked for; None where there is nothing of it."""
    phrases = {
        phrase
        for branch in query
        for term in branch.wanted
        for alternative in term
        for phrase in alternative
    }
    by_first: dict[str, list[Phrase]] = {}
    for phrase in sorted(phrases, key=len, reverse=True):
        by_first.setdefault(phrase[0], []).append(phrase)
    words = list(token_spans(text))
    pieces: list[str] = []
    done = place = 0
    while place < len(words):
        length = _hit(words, place, by_first)
        if length:
            start, end = words[place][1], words[place + length - 1][2]
            pieces += [
                html.escape(text[done:start]),
                "<mark>",
                html.escape(text[start:end]),
                "</mark>",
            ]
            done = end
        place += length or 1
    return "".join([*pieces, html.escape(text[done:])]) if pieces else None


def _hit(
    words: Sequence[tuple[str, int, int]], place: int, by_first: Mapping[str, list[Phrase]]
) -> int:
    """Return how many words from this place on make the longest phrase that begins there, or 0."""
    for phrase in by_first.get(words[place][0], ()):
        if tuple(word for word, _, _ in words[place : place + len(phrase)]) == phrase:
            return len(phrase)
    return 0


# What is typed so far is compared with a label from each of its telling words on: as far as this, from so many of them.
_FAR = 32
_STARTS = 8
_UNTELLING = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "between",
        "but",
        "by",
        "can",
        "do",
        "does",
        "for",
        "from",
        "has",
        "have",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "may",
        "more",
        "no",
        "not",
        "of",
        "on",
        "or",
        "than",
        "that",
        "the",
        "their",
        "these",
        "this",
        "those",
        "to",
        "was",
        "were",
        "when",
        "which",
        "who",
        "with",
        "without",
    ]
)


def label_prefixes(labels: Iterable[str]) -> set[str]:
    """Return what labels can be found by while they are typed: the words from the first one on, from the next one on, …"""
    found = set()
    for label in labels:
        words = folded_words(label)
        whole = " ".join(words)
        place = starts = 0
        for word in words:
            # From «of» on nobody looks for anything, unless the label begins so.
            if place == 0 or word not in _UNTELLING:
                found.add(whole[place : place + _FAR].rstrip())
                starts += 1
                if starts == _STARTS:
                    break
            place += len(word) + 1
    return found


def normalise_prefix(text: str) -> str:
    """Return what was typed so far, written as beginnings are."""
    return " ".join(folded_words(text))[:_FAR].rstrip()
