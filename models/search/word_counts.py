"""How many records have a word in their labels, and which words there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column, Connection, Engine, Integer, Select, bindparam, func, select

from models.database.prepared_statements import fetch, padded
from models.records.revision import current_serial
from models.search.index import LABEL_WORDS, WORD_TABLES, beginning
from models.search.tokenizer import folded_words, tokenize

# A word that more records have is common; how common makes no difference, and takes long to count.
COMMON = 5_000
# Lines of evidence have no words of labels of their own. Those of the claims are about the same.
LABELS_OF = {"claim": "claim", "evidence": "claim", "source": "source"}
# Numbers of records are counted again once so many changes, or this share of them, have come.
RECOUNTED_AFTER = 0.01
# So many words whose records were counted are remembered, and so many are counted at once.
MAX_REMEMBERED = 200_000
WORDS_A_STATEMENT = 128


@dataclass
class _Counts:
    """What was counted of one record type, when the last change had this serial."""

    serial: int
    records: int
    words: dict[str, int] = field(default_factory=dict)


_counts: WeakKeyDictionary[Engine, dict[str, _Counts]] = WeakKeyDictionary()


def number_of_records(connection: Connection, kind: str) -> int:
    """Return how many records of a type are searched, at most a hundredth out of date."""
    return _current_counts(connection, kind).records


def records_with(connection: Connection, kind: str, words: Iterable[str]) -> dict[str, int]:
    """Return in how many records each word stands in the labels, at most `COMMON`.

    The numbers may be out of date as that of all records.
    """
    known = _current_counts(connection, LABELS_OF[kind]).words
    wanted = dict.fromkeys(words)
    missing = [word for word in wanted if word not in known]
    for start in range(0, len(missing), WORDS_A_STATEMENT):
        batch = missing[start : start + WORDS_A_STATEMENT]
        known.update(zip(batch, _count_words(connection, LABELS_OF[kind], batch), strict=True))
    return {word: known[word] for word in wanted}


def _current_counts(connection: Connection, kind: str) -> _Counts:
    """Return the counts of a record type, new ones if too many changes have come since."""
    serial = current_serial(connection)
    of_engine = _counts.setdefault(connection.engine, {})
    counts = of_engine.get(kind)
    stale = counts is None or abs(serial - counts.serial) > RECOUNTED_AFTER * counts.records
    if counts is None or stale or len(counts.words) > MAX_REMEMBERED:
        records = connection.scalar(select(func.count()).select_from(WORD_TABLES[kind])) or 0
        counts = of_engine[kind] = _Counts(serial, records)
    return counts


def _count_words(connection: Connection, kind: str, words: Sequence[str]) -> Sequence[int]:
    values = padded(words)
    column = LABEL_WORDS[kind].c.word

    def build() -> Select[Any]:
        return select(*(_bounded_count(column, name) for name in values))

    _, ((*counts,),) = fetch(
        connection, ("records with", kind, len(values)), build, {**values, "common": COMMON}
    )
    return counts[: len(words)]


def _bounded_count(column: Column[Any], name: str) -> Any:
    first = select(column).where(column == bindparam(name))
    limited = first.limit(bindparam("common", type_=Integer)).subquery()
    return select(func.count()).select_from(limited).scalar_subquery().label(name)


def words_between(connection: Connection, kind: str, start: str, end: str) -> list[str]:
    """Return the words of labels from `start` on and before `end`, each once.

    Each takes one look into the index, however many records have it.
    """
    column = LABEL_WORDS[kind].c.word

    def build() -> Select[Any]:
        first = select(func.min(column).label("word")).where(column >= bindparam("start"))
        walked = first.where(column < bindparam("end")).cte("walked", recursive=True)
        following = (
            select(func.min(column))
            .where(column > walked.c.word, column < bindparam("end"))
            .scalar_subquery()
        )
        walked = walked.union_all(select(following).where(walked.c.word.is_not(None)))
        return select(walked.c.word).where(walked.c.word.is_not(None))

    _, rows = fetch(connection, ("words", kind), build, {"start": start, "end": end})
    return [word for (word,) in rows]


def spelt_out(connection: Connection, word: str) -> str | None:
    """Return how a word of the index is written in a label, or None.

    The words of the index have lost their ends, which labels still have.
    """
    for kind in LABEL_WORDS:
        start = word[:-1]
        scan = (
            select(beginning.c.text)
            .where(beginning.c.kind == kind)
            .where(beginning.c.text >= start, beginning.c.text < start + "~")
            .order_by(beginning.c.text)
            .limit(10)
        )
        for text in connection.scalars(scan):
            (written, *_) = folded_words(text)
            if tokenize(written) == [word]:
                return written
    return None
