"""Which claims mean nearly what a text means: it is compared with the vectors of all claims.

The extra `match` must be installed. A copy of the vectors is kept in memory, where 100,000 take
40 MB and are compared with a text in some 15 ms. The copy only proposes claims. Their scores come
from the vectors that the connection reads, so an answer agrees with all else that its transaction
sees.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, func, select

from models.database.prepared_statements import fetch, select_rows
from models.search.embedding import DIMENSIONS
from models.search.minilm import MiniLM, Vector, decode
from models.search.synonyms import forms_of
from models.search.vectors import BATCH, claim_vector

# The most vectors in memory: 400 MB, and 0.2 s a text. Claims beyond them are found by words alone.
MAX_VECTORS = 1_000_000
# Vectors are read from the database, and lie in memory, in blocks of so many.
BLOCK = 8192
# So many at a time are made numbers with a fraction and multiplied by the vectors of so many texts:
# they fit into the processor's cache, and are too few for the library to start threads of its own.
SLICE = 128
TEXTS = 16
# For each claim that is wanted so many vectors are looked at, since a claim has several; and so
# many claims are proposed, since some vectors in memory are of words that a claim has no longer.
VECTORS_OF_CLAIM = 10
PROPOSED = 2
# With so many vectors in memory that are no longer stored, all are read anew.
MAX_OUTDATED = 10_000


@dataclass
class _Copy:
    """The vectors in memory. Rows are added at the end alone, so whoever knows a size may go on."""

    claims: list[str] = field(default_factory=list)
    blocks: list[NDArray[np.int8]] = field(default_factory=list)
    lengths: list[NDArray[np.float32]] = field(default_factory=list)  # By block, as the vectors.
    position: int = 0  # Of the last vector that was read.

    def add(self, position: int, claims: Sequence[str], vectors: NDArray[np.int8]) -> None:
        """Add vectors, of which the last one has this position."""
        while len(vectors):
            place = len(self.claims) % BLOCK
            if place == 0:
                self.blocks.append(np.zeros((BLOCK, DIMENSIONS), dtype=np.int8))
                self.lengths.append(np.zeros(BLOCK, dtype=np.float32))
            number = min(BLOCK - place, len(vectors))
            there = slice(place, place + number)
            self.blocks[-1][there] = vectors[:number]
            self.lengths[-1][there] = np.linalg.norm(vectors[:number].astype(np.float32), axis=1)
            self.claims += claims[:number]
            claims, vectors = claims[number:], vectors[number:]
        self.position = position

    def cosines(self, wanted: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Return how near the first `size` vectors are to each of these, in one row each."""
        found = np.empty((size, len(wanted)), dtype=np.float32)
        buffer = np.empty((SLICE, DIMENSIONS), dtype=np.float32)
        columns = np.ascontiguousarray(wanted.T)
        for start in range(0, size, SLICE):
            end = min(start + SLICE, size)
            block, there = start // BLOCK, slice(start % BLOCK, start % BLOCK + end - start)
            part = buffer[: end - start]
            np.copyto(part, self.blocks[block][there])
            np.dot(part, columns, out=found[start:end])
            found[start:end] /= self.lengths[block][there, None]
        return found.T


class Nearest:
    """Finds the claims that are nearest in meaning to texts. Threads may share it."""

    def __init__(self, model: MiniLM, abbreviations: Mapping[str, str] | None = None) -> None:
        """`abbreviations` has what they stand for, since a small model knows few of them."""
        self.model = model
        self._abbreviations = abbreviations or {}
        self._copy = _Copy()
        self._last = (
            0  # The last position that was in the table when the copy was compared with it.
        )
        self._lock = Lock()

    def find(
        self,
        connection: Connection,
        texts: Sequence[str],
        limit: int,
        also: Sequence[Collection[str]] = (),
    ) -> list[dict[str, float]]:
        """Return for each text the scores of its nearest claims, at most `limit`, best first.

        A score is the cosine of the angle between two vectors: 1 of the same text, 0 or less of
        texts that have nothing in common. A claim with several wordings has that of its nearest,
        and so has a text with abbreviations, which is also taken spelled out and abbreviated. After
        the nearest come those that `also` names for the text, if they have a vector.
        """
        if not texts:
            return []
        vectors = [self._embed(text) for text in texts]
        nearest = self._propose(connection, vectors, limit)
        others = also or [()] * len(texts)
        stored = _read_vectors(connection, {*_flat(nearest), *_flat(others)})
        results = []
        for forms, proposed, named in zip(vectors, nearest, others, strict=True):
            ranked = _ranked(proposed, stored, forms)[:limit]
            results.append(dict(ranked + _ranked(named, stored, forms)))
        return results

    def _embed(self, text: str) -> NDArray[np.float32]:
        """Return the vectors of the forms of a text, in rows."""
        return np.stack([self.model.embed(form) for form in forms_of(text, self._abbreviations)])

    def _propose(
        self, connection: Connection, vectors: Sequence[NDArray[np.float32]], limit: int
    ) -> list[set[str]]:
        """Return for the vectors of each text the claims that may be its nearest, and some more."""
        proposed: list[set[str]] = [set() for _ in vectors]
        copy, size = self.read_new(connection)
        if not size:
            return proposed
        first = max(0, size - limit * VECTORS_OF_CLAIM)
        rows = np.concatenate(vectors)
        texts = [text for text, forms in enumerate(vectors) for _ in forms]
        for start in range(0, len(rows), TEXTS):
            cosines = copy.cosines(rows[start : start + TEXTS], size)
            places = np.argpartition(cosines, first, axis=1)[:, first:]
            order = np.argsort(-np.take_along_axis(cosines, places, axis=1), axis=1)
            ranked = np.take_along_axis(places, order, axis=1).tolist()
            for text, best in zip(texts[start : start + TEXTS], ranked, strict=True):
                claims = dict.fromkeys(copy.claims[place] for place in best)
                proposed[text].update(list(claims)[: limit * PROPOSED])
        return proposed

    def read_new(self, connection: Connection) -> tuple[_Copy, int]:
        """Bring the copy up to date, and return it with its size. At first this reads all."""
        last = _last_position(connection)
        with self._lock:
            # It is lower than that of the copy after the last vector was deleted.
            if last != self._last:
                _add_new(connection, self._copy)
                number = connection.scalar(select(func.count()).select_from(claim_vector)) or 0
                outdated = len(self._copy.claims) - min(number, MAX_VECTORS)
                # Fewer than are stored: the database is another one by now.
                if not 0 <= outdated <= MAX_OUTDATED:
                    self._copy = _Copy()
                    _add_new(connection, self._copy)
                self._last = last
            return self._copy, len(self._copy.claims)


def _flat(lists: Sequence[Collection[str]]) -> Iterator[str]:
    for each in lists:
        yield from each


def _last_position(connection: Connection) -> int:
    def build() -> Select[Any]:
        return select(func.max(claim_vector.c.position).label("last"))

    _, rows = fetch(connection, "last vector", build, {})
    return rows[0][0] or 0


def _add_new(connection: Connection, copy: _Copy) -> None:
    room = MAX_VECTORS - len(copy.claims)
    columns = (claim_vector.c.position, claim_vector.c.claim, claim_vector.c.vector)
    new = select(*columns).where(claim_vector.c.position > copy.position)
    in_order = new.order_by(claim_vector.c.position).limit(room)
    result = connection.execution_options(yield_per=BLOCK).execute(in_order)
    for rows in result.partitions():
        positions, claims, vectors = zip(*rows, strict=True)
        matrix = np.frombuffer(b"".join(vectors), dtype=np.int8).reshape(-1, DIMENSIONS)
        copy.add(positions[-1], claims, matrix)


def _read_vectors(connection: Connection, claims: Collection[str]) -> dict[str, list[Vector]]:
    """Return the stored vectors of claims, by claim."""
    found: dict[str, list[Vector]] = defaultdict(list)
    wanted = sorted(claims)
    for start in range(0, len(wanted), BATCH):
        for row in select_rows(connection, claim_vector, "claim", wanted[start : start + BATCH]):
            found[row["claim"]].append(decode(row["vector"]))
    return found


def _ranked(
    claims: Collection[str], stored: dict[str, list[Vector]], forms: NDArray[np.float32]
) -> list[tuple[str, float]]:
    """Return those of these claims that have a vector with their scores, the best first."""
    scores = [
        (claim, round(float((forms @ np.stack(stored[claim]).T).max()), 4))
        for claim in claims
        if claim in stored
    ]
    return sorted(scores, key=lambda scored: (-scored[1], scored[0]))
