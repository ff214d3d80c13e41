"""Which claims a text states: its sentences matched to the labels and quotes of claims.

The words of a sentence find the claims, the rarest first; the extra `match` also finds those that
mean nearly the same in other words. Nothing here says whether a sentence affirms a claim or denies
it: the words that may turn it round are given for a person to read.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import chain, product
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json
from sqlalchemy import Connection, Integer, Select, bindparam, select

from models.database.prepared_statements import fetch, is_one_of, padded
from models.read.listings import document
from models.read.relation_graph import describe_claims
from models.records.record_types import batches
from models.records.serializers import Row
from models.search import likeness, ranking, record_texts
from models.search.index import LABEL_WORDS, claim_search
from models.search.likeness import Wordings
from models.search.sentences import denying_words, without_attribution
from models.search.synonyms import Synonyms
from models.search.tokenizer import joined_tokens, tokenize
from models.search.word_counts import number_of_records, records_with

if TYPE_CHECKING:
    from models.search.nearest import Nearest

# A sentence is compared with the claims that have its rarest words: with so many rows of words, of
# which the claims with the most weight are compared in full.
MAX_ROWS = 2_000
COMPARED = 30
# What the model counts for; the rest is the share of a claim's words that the sentence has. On
# SciFact any share of the model from 0.6 to 0.75 is as good, so this is no fine tuning.
SHARE_OF_MODEL = 0.65
# Claims with a lower score say something else. The two kinds of score are spread differently.
MIN_SCORE_OF_WORDS = 0.3
MIN_SCORE_WITH_MODEL = 0.55


@dataclass(frozen=True)
class Match:
    """A claim that a sentence may state.

    `score` is 1 if both have the same words or meaning. `text` is what of the claim was compared,
    of the kind `statement`, `wording` or `quote`. `is_exact` says that one stands in the other as
    it is. `may_deny` has the words of only one of the two that may turn the meaning round.
    """

    claim: str
    statement: str
    status: str
    certainty: str | None
    score: float
    is_exact: bool
    kind: str
    text: str
    may_deny: tuple[str, ...]


@dataclass(frozen=True)
class _Comparison:
    """How like a sentence a claim is: by the best of its labels and quotes, by number.

    `share` is the share of that text's words, by their weight, that the sentence has. `by_model`
    says that the score is that of words and model together.
    """

    score: float
    share: float
    is_exact: bool
    in_quotes: bool
    number: int
    by_model: bool = False


def match_sentences(
    connection: Connection,
    sentences: Sequence[str],
    synonyms: Synonyms,
    *,
    day: str | None = None,
    limit: int = 3,
    min_score: float | None = None,
    model: "Nearest | None" = None,
) -> list[list[Match]]:
    """Return for each sentence the claims that it may state, the best first, at most `limit`.

    A sentence is compared as it is and without who says it, by which it is more alike. Exact quotes
    come first. Status and certainty are those of the day, if given; a claim of which
    nothing was published by then is left out.
    """
    wordings = Wordings(synonyms)
    said = [without_attribution(sentence) for sentence in sentences]
    read = [
        [_Text.read(wordings, tokenize(text)) for text in dict.fromkeys(forms)]
        for forms in zip(sentences, said, strict=True)
    ]
    found = candidates(connection, "claim", wordings, said)
    nearest: Sequence[Mapping[str, float]] = [{}] * len(sentences)
    if model is not None:
        nearest = model.find(connection, said, COMPARED, found)
    texts = _read_texts(connection, wordings, {*chain(*found, *nearest)})
    words = [*(form.words for forms in read for form in forms), *_all_words(texts)]
    weights = weights_of(connection, "claim", wordings, words)
    ranked = []
    for forms, by_words, by_model in zip(read, found, nearest, strict=True):
        compared = {
            claim: _mixed(_compare(forms, texts[claim], weights), by_model.get(claim))
            for claim in dict.fromkeys([*by_words, *by_model])
            if claim in texts
        }
        ranked.append(_best(compared, min_score))
    # Those that had no evidence by the day are left out, so more are read than are returned.
    most = limit if day is None else COMPARED
    claims = _read_claims(connection, {*chain(*(list(each)[:most] for each in ranked))}, day)
    return [
        [_match(text, claims[claim], each[claim]) for claim in each if claim in claims][:limit]
        for text, each in zip(sentences, ranked, strict=True)
    ]


def candidates(
    connection: Connection, kind: str, wordings: Wordings, texts: Sequence[str]
) -> list[list[str]]:
    """Return for each text the claims or sources that have the most of its rarest words in their
    labels, the best first.
    """
    looked_up = [_looked_up(wordings, text) for text in texts]
    counts = records_with(connection, kind, chain.from_iterable(looked_up))
    among = number_of_records(connection, kind)
    return [
        _with_rarest(connection, kind, {token: counts[token] for token in tokens}, among)
        for tokens in looked_up
    ]


def _looked_up(wordings: Wordings, text: str) -> set[str]:
    """Return the tokens by which records with the words of a text are found."""
    words = wordings.words([*tokenize(text), *joined_tokens(text)])
    return {*chain.from_iterable(map(wordings.tokens, words))}


def _with_rarest(
    connection: Connection, kind: str, counts: Mapping[str, int], among: int
) -> list[str]:
    """Return the records with the most of the rarest of these tokens, by how many have each."""
    rarest = sorted((count, token) for token, count in counts.items() if count)
    chosen: list[str] = []
    rows = 0
    for count, token in rarest:
        rows += count
        if chosen and rows > MAX_ROWS:
            break
        chosen.append(token)
    weights = {token: ranking.inverse_frequency(counts[token], among) ** 2 for token in chosen}
    score: defaultdict[str, float] = defaultdict(float)
    for token, record in _rows_with(connection, kind, chosen):
        score[record] += weights[token]
    return nsmallest(COMPARED, score, key=lambda record: (-score[record], record))


def _rows_with(connection: Connection, kind: str, tokens: Sequence[str]) -> Sequence[Sequence[str]]:
    if not tokens:
        return ()
    wanted = padded(tokens)
    words = LABEL_WORDS[kind]

    def build() -> Select[Any]:
        columns = select(words.c.word, words.c[kind])
        rows = columns.where(is_one_of(words.c.word, wanted))
        return rows.limit(bindparam("most", type_=Integer))

    key = ("records with words", kind, len(wanted))
    return fetch(connection, key, build, {**wanted, "most": MAX_ROWS})[1]


@dataclass(frozen=True)
class _Text:
    """A text as its tokens in their order, and as the words that tell something."""

    tokens: Sequence[str]
    words: set[str]

    @classmethod
    def read(cls, wordings: Wordings, tokens: Sequence[str]) -> "_Text":
        return cls(tokens, wordings.words(tokens))


@dataclass(frozen=True)
class _Texts:
    """The texts of a claim: its labels (the statement, then its other wordings) and its quotes."""

    labels: list[_Text]
    quotes: list[_Text]


def _read_texts(
    connection: Connection, wordings: Wordings, claims: Iterable[str]
) -> dict[str, _Texts]:
    columns = ("claim", "title", "quotes")
    texts = {}
    for batch in batches(sorted(claims)):
        wanted = padded(batch)

        def build(wanted: Mapping[str, Any] = wanted) -> Select[Any]:
            chosen = select(*(claim_search.c[name] for name in columns))
            return chosen.where(is_one_of(claim_search.c.claim, wanted))

        _, rows = fetch(connection, ("texts of claims", len(wanted)), build, wanted)
        for claim, *indexed in rows:
            labels, quotes = (
                [_Text.read(wordings, tokens) for tokens in likeness.split_texts(each)]
                for each in indexed
            )
            texts[claim] = _Texts(labels, quotes)
    return texts


def _all_words(texts: Mapping[str, _Texts]) -> Iterable[set[str]]:
    for each in texts.values():
        for text in chain(each.labels, each.quotes):
            yield text.words


def weights_of(
    connection: Connection, kind: str, wordings: Wordings, texts: Iterable[set[str]]
) -> dict[str, float]:
    """Return the weight of each word of texts among the labels of claims or sources."""
    words = {*chain.from_iterable(texts)}
    tokens = {*chain.from_iterable(map(wordings.tokens, words))}
    counts = records_with(connection, kind, tokens)
    among = number_of_records(connection, kind)
    return {
        word: ranking.inverse_frequency(wordings.records(word, counts), among) for word in words
    }


def _compare(forms: Sequence[_Text], claim: _Texts, weights: Mapping[str, float]) -> _Comparison:
    """Return how like the forms of a sentence the best of a claim's texts is."""
    comparisons = []
    for in_quotes, texts in ((False, claim.labels), (True, claim.quotes)):
        for sentence, (number, text) in product(forms, enumerate(texts)):
            is_exact = likeness.is_quote(sentence.tokens, text.tokens)
            score, share = likeness.compare(sentence.words, text.words, weights)
            comparisons.append(_Comparison(score, share, is_exact, in_quotes, number))
    return max(comparisons, key=lambda each: (each.is_exact, each.score))


def _mixed(comparison: _Comparison, by_model: float | None) -> _Comparison:
    """Return a comparison with the score of words and model together, where both are known."""
    if by_model is None:
        return comparison
    score = SHARE_OF_MODEL * by_model + (1 - SHARE_OF_MODEL) * comparison.share
    return replace(comparison, score=max(0.0, min(1.0, score)), by_model=True)


def _is_enough(comparison: _Comparison, min_score: float | None) -> bool:
    if min_score is None:
        min_score = MIN_SCORE_WITH_MODEL if comparison.by_model else MIN_SCORE_OF_WORDS
    return comparison.is_exact or comparison.score >= min_score


def _best(compared: Mapping[str, _Comparison], min_score: float | None) -> dict[str, _Comparison]:
    """Return the claims that are like enough, exact quotes first, then by their score."""
    good = (item for item in compared.items() if _is_enough(item[1], min_score))
    ordered = sorted(good, key=lambda item: (not item[1].is_exact, -item[1].score, item[0]))
    return dict(ordered[:COMPARED])


def _read_claims(connection: Connection, claims: Iterable[str], day: str | None) -> dict[str, Row]:
    """Return the fields and quotes of claims, with status and certainty of the day, if given."""
    columns = ("claim", "fields", "occurrences")
    found: dict[str, Row] = {}
    for batch in batches(sorted(claims)):
        standing = describe_claims(connection, batch, day)
        chosen = select(*(document.c[name] for name in columns)).where(document.c.claim.in_(batch))
        for claim, fields, occurrences in connection.execute(chosen):
            quotes = [each["quote"] for each in from_json(occurrences)]
            if claim in standing:
                texts = {**from_json(fields), "quotes": list(dict.fromkeys(quotes))}
                found[claim] = {**texts, **standing[claim]}
    return found


def _match(sentence: str, claim: Row, comparison: _Comparison) -> Match:
    labels = [text for _, text in record_texts.claim_labels(claim)]
    text = (claim["quotes"] if comparison.in_quotes else labels)[comparison.number]
    kind = "wording" if comparison.number else "statement"
    here, there = ({word for word, _, _ in denying_words(each)} for each in (sentence, text))
    return Match(
        claim=claim["id"],
        statement=claim["statement"],
        status=claim["status"],
        certainty=claim["certainty"],
        score=round(comparison.score, 3),
        is_exact=comparison.is_exact,
        kind="quote" if comparison.in_quotes else kind,
        text=text,
        may_deny=tuple(sorted(here ^ there)),
    )
