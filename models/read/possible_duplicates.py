"""Stored claims and sources that may be the same as a new one, for a person to compare."""

from typing import TYPE_CHECKING

from sqlalchemy import Connection

from models.read import matching
from models.read.matching import match_sentences
from models.records.serializers import Row, sources_by_id
from models.search import likeness
from models.search.likeness import Wordings
from models.search.synonyms import Synonyms
from models.search.tokenizer import tokenize

if TYPE_CHECKING:
    from models.search.nearest import Nearest

MOST_DUPLICATES = 5
# What is less alike is seldom the same. A statement is short, so that one word makes a difference;
# the model also finds what is said of the same in other words.
LIKE_BY_WORDS = 0.6
LIKE_BY_MODEL = 0.75
LIKE_TITLES = 0.75


def like_claims(
    connection: Connection, record: Row, synonyms: Synonyms, model: "Nearest | None"
) -> list[Row]:
    """Return accepted claims that may say the same as a new one: `id`, `label` and `score`."""
    (found,) = match_sentences(
        connection,
        [record["statement"]],
        synonyms,
        limit=MOST_DUPLICATES + 1,
        min_score=LIKE_BY_WORDS if model is None else LIKE_BY_MODEL,
        model=model,
    )
    others = [match for match in found if match.claim != record["id"]]
    return [
        {"id": match.claim, "label": match.statement, "score": match.score}
        for match in others[:MOST_DUPLICATES]
    ]


def like_sources(
    connection: Connection, record: Row, synonyms: Synonyms, _model: "Nearest | None"
) -> list[Row]:
    """Return accepted sources whose title is nearly that of a new one, likewise.

    Works with the same identifier are refused as such, and not told here.
    """
    title = record["title"] or ""
    wordings = Wordings(synonyms)
    (found,) = matching.candidates(connection, "source", wordings, [title])
    sources = sources_by_id(connection, found)
    words = wordings.words(tokenize(title))
    titles = {
        slug: wordings.words(tokenize(source["title"] or "")) for slug, source in sources.items()
    }
    weights = matching.weights_of(connection, "source", wordings, [words, *titles.values()])
    scores = {slug: likeness.compare(words, each, weights)[0] for slug, each in titles.items()}
    alike = sorted(
        (slug for slug, score in scores.items() if score >= LIKE_TITLES and slug != record["id"]),
        key=lambda slug: (-scores[slug], slug),
    )
    return [
        {
            "id": slug,
            "label": f"{sources[slug]['citation']}: {sources[slug]['title']}",
            "score": round(scores[slug], 3),
        }
        for slug in alike[:MOST_DUPLICATES]
    ]


LIKE = {"claim": like_claims, "source": like_sources}
