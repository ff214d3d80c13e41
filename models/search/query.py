"""Search queries: words, "phrases", beginnings*, -without, or. With synonyms, and where a text
matches.

Any text is a valid query, so nothing is refused. A query has branches, any of which may match. A
branch has wanted and unwanted terms. A term has alternatives, any of which may match. An
alternative has phrases, all of which must match. A phrase is a run of consecutive tokens, of which
the last may end with `*` and stand for each token that begins so.
"""

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from models.database.full_text import Branch, Phrase, Query, Term
from models.records.identifiers import stated_identifier
from models.search.synonyms import Synonyms
from models.search.tokenizer import STOP_WORDS, folded_words, joined_tokens, token_spans, tokenize

_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»", '"'))
_PIECE = re.compile(r'(-*)"([^"]*)"?|([^\s"]+)')
# It stands behind the first author as people write a citation, and is no word of its own.
_ET_AL = re.compile(r"\bet\s+al\b\.?", re.IGNORECASE)
# A shorter beginning is one of too many words.
MIN_BEGINNING = 3


class _Word(NamedTuple):
    """What somebody has typed between two blanks: its tokens, and other spellings of it."""

    phrase: Phrase
    spellings: tuple[Phrase, ...] = ()
    is_stop_word: bool = False


def parse_query(text: str, synonyms: Synonyms) -> Query:
    """Return the query that a text means: no branch at all if no word says what to search for.

    Consecutive words that have synonyms match as themselves or as any of those. Words in quotes
    match only as they are. An identifier in any form matches as it is stored. Stop words count only
    where there are no others.
    """
    if identifier := _identifier(text):
        return (Branch((((identifier,),),), ()),)
    text = _ET_AL.sub(" ", text) if '"' not in text.translate(_QUOTES) else text
    branches: list[Branch] = []
    wanted: list[Term] = []
    unwanted: list[Term] = []
    run: list[_Word] = []
    for dashes, quoted, typed in _PIECE.findall(text.translate(_QUOTES)):
        word = _read_word(quoted or typed.lstrip("-"))
        if typed and typed[0] != "-" and typed.lower() != "or":
            run += [word] if word.phrase else []
            continue
        wanted += _terms(run, synonyms)
        run = []
        if typed.lower() == "or":
            branches.append(_branch(wanted, unwanted))
            wanted, unwanted = [], []
        elif word.phrase and typed:
            unwanted += _terms([word], synonyms)
        elif word.phrase:
            (unwanted if dashes else wanted).append(((word.phrase,),))
    wanted += _terms(run, synonyms)
    branches.append(_branch(wanted, unwanted))
    return tuple(dict.fromkeys(branch for branch in branches if branch.wanted))


def any_word(query: Query) -> Query:
    """Return the query for what matches any of the wanted terms, and none of the unwanted.

    Its branches are one for each term, so that each says what was found.
    """
    return tuple(
        dict.fromkeys(
            Branch((term,), branch.unwanted) for branch in query for term in branch.wanted
        )
    )


def _identifier(text: str) -> Phrase | None:
    """Return the tokens of an identifier that is the whole text, as an index holds it, or None."""
    identifier = stated_identifier(text)
    return tuple(tokenize(identifier)) if identifier else None


def _read_word(typed: str) -> _Word:
    tokens = tokenize(typed)
    if typed.endswith("*") and tokens:
        (*_, beginning) = folded_words(typed)
        if len(beginning) >= MIN_BEGINNING and beginning.isalpha():
            return _Word((*tokens[:-1], f"{beginning}*"))
    spellings = tuple((token,) for token in joined_tokens(typed))[-1:]
    return _Word(tuple(tokens), spellings, typed.lower().rstrip("?!.,;:") in STOP_WORDS)


def _branch(wanted: Iterable[Term], unwanted: Iterable[Term]) -> Branch:
    """Return a branch with each term once."""
    return Branch(tuple(dict.fromkeys(wanted)), tuple(dict.fromkeys(unwanted)))


def _terms(run: Sequence[_Word], synonyms: Synonyms) -> list[Term]:
    """Return the terms in consecutive words. The longest wording that has synonyms comes first."""
    terms: list[Term] = []
    stop_words: list[Term] = []
    longest = max(map(len, synonyms), default=1)
    start = 0
    while start < len(run):
        end = min(len(run), start + longest)
        phrases = [word.phrase for word in run[start:end]]
        while end > start + 1 and _joined(phrases) not in synonyms:
            end -= 1
            phrases.pop()
        wording = _joined(phrases)
        others = [phrase for phrase in synonyms.get(wording, ()) if phrase != wording]
        if end == start + 1:
            others += run[start].spellings
        term: Term = (tuple(phrases), *((phrase,) for phrase in others))
        (stop_words if run[start].is_stop_word and end == start + 1 else terms).append(term)
        start = end
    return terms or stop_words


def _joined(phrases: Iterable[Phrase]) -> Phrase:
    return tuple(chain.from_iterable(phrases))


def highlight(text: str, query: Query) -> str | None:
    """Return a text as HTML with `<mark>` around what the query wants, or None without a match."""
    by_first_letter = _wanted_phrases(query)
    words = list(token_spans(text))
    pieces: list[str] = []
    done = position = 0
    while position < len(words):
        length = _match_length(words, position, by_first_letter)
        if length:
            start = words[position][1]
            end = words[position + length - 1][2]
            before, hit = html.escape(text[done:start]), html.escape(text[start:end])
            pieces += [before, "<mark>", hit, "</mark>"]
            done = end
        position += length or 1
    return "".join([*pieces, html.escape(text[done:])]) if pieces else None


def _wanted_phrases(query: Query) -> dict[str, list[Phrase]]:
    """Return all phrases that a query wants by the first letter of their first token.

    The longest come first.
    """
    phrases: set[Phrase] = set()
    for branch in query:
        for term in branch.wanted:
            phrases.update(chain.from_iterable(term))
    by_first_letter: dict[str, list[Phrase]] = {}
    for phrase in sorted(phrases, key=len, reverse=True):
        by_first_letter.setdefault(phrase[0][0], []).append(phrase)
    return by_first_letter


def _match_length(
    words: Sequence[tuple[str, int, int]],
    position: int,
    by_first_letter: Mapping[str, list[Phrase]],
) -> int:
    """Return the number of words in the longest phrase that begins at a position, or 0."""
    for phrase in by_first_letter.get(words[position][0][0], ()):
        following = words[position : position + len(phrase)]
        tokens = [token for token, _, _ in following]
        if len(tokens) == len(phrase) and all(map(_is_token, tokens, phrase)):
            return len(phrase)
    return 0


def _is_token(token: str, wanted: str) -> bool:
    """Return whether a token is the wanted one, or begins as is wanted."""
    return token.startswith(wanted[:-1]) if wanted[-1] == "*" else token == wanted


# What somebody has typed is compared with a label from each of its telling words on: this many
# letters at most, from this many words at most.
_PREFIX_LENGTH = 32
_MAX_PREFIXES = 8


def label_prefixes(labels: Iterable[str]) -> set[str]:
    """Return the beginnings by which labels are found while they are typed.

    These are the folded words of each label from the first one on, from the next one on, and so on.
    """
    prefixes: set[str] = set()
    for label in labels:
        words = folded_words(label)
        starts = [
            number for number, word in enumerate(words) if number == 0 or word not in STOP_WORDS
        ]
        for start in starts[:_MAX_PREFIXES]:
            prefixes.add(" ".join(words[start:])[:_PREFIX_LENGTH].rstrip())
    return prefixes


def normalise_prefix(text: str) -> str:
    """Return what somebody has typed in the form of `label_prefixes`."""
    return " ".join(folded_words(text))[:_PREFIX_LENGTH].rstrip()
