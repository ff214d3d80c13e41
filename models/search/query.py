"""Search queries: words, "phrases", -without, or. With synonyms, and where a text matches.

Any text is a valid query, so nothing is refused. A query has branches, any of which may match. A
branch has wanted and unwanted terms. A term has alternatives, any of which may match. An
alternative has phrases, all of which must match. A phrase is a run of consecutive tokens.
"""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from models.database.full_text import Alternative, Branch, Phrase, Query, Term
from models.search.synonyms import Synonyms
from models.search.tokenizer import folded_words, token_spans, tokenize

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_PIECE = re.compile(r'(-*)"([^"]*)"?|([^\s"]+)')


def parse_query(text: str, synonyms: Synonyms) -> Query:
    """Return the query that a text means: no branch at all if no word says what to search for.

    Consecutive words that have synonyms match as themselves or as any of those. Words in quotes
    match only as they are.
    """
    branches: list[Branch] = []
    wanted: list[Term] = []
    unwanted: list[Term] = []
    run: list[Phrase] = []
    for dashes, quoted, word in _PIECE.findall(text.translate(_QUOTES)):
        phrase = tuple(tokenize(quoted or word))
        if word and word[0] != "-" and word.lower() != "or":
            run += [phrase] if phrase else []
            continue
        wanted += _terms(run, synonyms)
        run = []
        if word.lower() == "or":
            branches.append(_branch(wanted, unwanted))
            wanted, unwanted = [], []
        elif phrase and word:
            unwanted += _terms([phrase], synonyms)
        elif phrase:
            (unwanted if dashes else wanted).append(((phrase,),))
    wanted += _terms(run, synonyms)
    branches.append(_branch(wanted, unwanted))
    return tuple(dict.fromkeys(branch for branch in branches if branch.wanted))


def _branch(wanted: Iterable[Term], unwanted: Iterable[Term]) -> Branch:
    """Return a branch with each term once."""
    return Branch(tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(unwanted)))


def _terms(run: Sequence[Phrase], synonyms: Synonyms) -> list[Term]:
    """Return the terms in consecutive words. The longest wording that has synonyms comes first."""
    terms: list[Term] = []
    longest = max(map(len, synonyms), default=1)
    start = 0
    while start < len(run):
        end = min(len(run), start + longest)
        while end > start + 1 and _joined(run[start:end]) not in synonyms:
            end -= 1
        term: list[Alternative] = [tuple(run[start:end])]
        wording = _joined(run[start:end])
        term += [(phrase,) for phrase in synonyms.get(wording, ()) if phrase != wording]
        terms.append(tuple(term))
        start = end
    return terms


def _joined(phrases: Iterable[Phrase]) -> Phrase:
    return tuple(chain.from_iterable(phrases))


def highlight(text: str, query: Query) -> str | None:
    """Return a text as HTML with `<mark>` around what the query wants, or None without a match."""
    by_first_token = _wanted_phrases(query)
    words = list(token_spans(text))
    pieces: list[str] = []
    done = position = 0
    while position < len(words):
        length = _match_length(words, position, by_first_token)
        if length:
            start = words[position][1]
            end = words[position + length - 1][2]
            before, hit = html.escape(text[done:start]), html.escape(text[start:end])
            pieces += [before, "<mark>", hit, "</mark>"]
            done = end
        position += length or 1
    return "".join([*pieces, html.escape(text[done:])]) if pieces else None


def _wanted_phrases(query: Query) -> dict[str, list[Phrase]]:
    """Return all phrases that a query wants by their first token, the longest first."""
    phrases: set[Phrase] = set()
    for branch in query:
        for term in branch.wanted:
            phrases.update(chain.from_iterable(term))
    by_first_token: dict[str, list[Phrase]] = {}
    for phrase in sorted(phrases, key=len, reverse=True):
        by_first_token.setdefault(phrase[0], []).append(phrase)
    return by_first_token


def _match_length(
    words: Sequence[tuple[str, int, int]], position: int, by_first_token: Mapping[str, list[Phrase]]
) -> int:
    """Return the number of words in the longest phrase that begins at a position, or 0."""
    for phrase in by_first_token.get(words[position][0], ()):
        following = words[position : position + len(phrase)]
        if tuple(token for token, _, _ in following) == phrase:
            return len(phrase)
    return 0


# What somebody has typed is compared with a label from each of its telling words on: this many
# letters at most, from this many words at most.
_PREFIX_LENGTH = 32
_MAX_PREFIXES = 8
# Nobody looks for a label from one of these words on, unless the label begins with it.
_STOP_WORDS = frozenset(
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
    """Return the beginnings by which labels are found while they are typed.

    These are the folded words of each label from the first one on, from the next one on, and so on.
    """
    prefixes: set[str] = set()
    for label in labels:
        words = folded_words(label)
        starts = [
            number for number, word in enumerate(words) if number == 0 or word not in _STOP_WORDS
        ]
        for start in starts[:_MAX_PREFIXES]:
            prefixes.add(" ".join(words[start:])[:_PREFIX_LENGTH].rstrip())
    return prefixes


def normalise_prefix(text: str) -> str:
    """Return what somebody has typed in the form of `label_prefixes`."""
    return " ".join(folded_words(text))[:_PREFIX_LENGTH].rstrip()
