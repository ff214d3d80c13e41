"""The vectors of claims' wordings: the table, and how it is filled.

A vector takes ten milliseconds or more to make, so the change that alters a claim does not wait for
it: that change only deletes vectors of words that the claim has no longer. `fill` makes those that
are missing afterwards, in a thread of its own or as a command. Until then the claim is found by its
words.
"""

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    Index,
    LargeBinary,
    Select,
    func,
    select,
)
from sqlmodel import Field

from models.core.types import PartOfClaim
from models.database.connections import Database
from models.database.prepared_statements import (
    delete_rows,
    fetch,
    insert_rows,
    is_one_of,
    padded,
    select_rows,
)
from models.records import serializers
from models.records.claim import Claim
from models.records.revision import Revision, lock_serial
from models.search.embedding import DIMENSIONS, MAX_TOKENS, MODEL_SHA256
from models.search.record_texts import claim_labels

if TYPE_CHECKING:
    from models.search.minilm import MiniLM

# How many claims are looked at, and their vectors stored, at once. Each commit makes the kept
# answers of reads old, so there are few.
BATCH = 500
# Positions go on behind the serial, times this: where the last vectors were deleted, which a change
# does, theirs are not given again.
POSITIONS_OF_SERIAL = 2**32


class ClaimVector(PartOfClaim, table=True):
    """What one wording of an accepted claim means, as a vector."""

    __tablename__ = "claim_vector"
    # Not unique, since a shard could not hold that; whoever writes holds the serial's lock.
    __table_args__ = (
        CheckConstraint(f"length(vector) = {DIMENSIONS}", name="length"),
        Index(None, "position"),
    )

    digest: str = Field(
        primary_key=True, description="From `digest_of`: of its words and of the model."
    )
    position: int = Field(
        sa_type=BigInteger,
        description="Orders the vectors as they were stored, so that a copy can read what is new.",
    )
    vector: bytes = Field(sa_type=LargeBinary, description="From `minilm.to_bytes`.")


claim_vector = serializers.table(ClaimVector)
Key = tuple[str, str]  # A claim and a digest.
_claim, _revision = serializers.table(Claim), serializers.table(Revision)


def digest_of(text: str) -> str:
    """Return what tells a vector apart: 128 bits of the words and of the model as text."""
    made_from = f"{MODEL_SHA256} {MAX_TOKENS} {text}"
    return hashlib.sha256(made_from.encode()).hexdigest()[:32]


def delete_outdated(connection: Connection, claims: Sequence[str]) -> None:
    """Delete the vectors of words that these claims have no longer, or of none if not accepted."""
    stored = _stored_keys(connection, claims)
    # Nearly always there is nothing more to read: a claim is changed before it has vectors, or the
    # extra is not installed.
    outdated = stored - _wordings(connection, claims).keys() if stored else ()
    keys = ({"claim": claim, "digest": digest} for claim, digest in outdated)
    delete_rows(connection, claim_vector, *keys)


def _stored_keys(connection: Connection, claims: Sequence[str]) -> set[Key]:
    """Return which vectors of these claims are stored."""
    if not claims:
        return set()
    wanted = padded(claims)

    def build() -> Select[Any]:
        columns = (claim_vector.c.claim, claim_vector.c.digest)
        return select(*columns).where(is_one_of(claim_vector.c.claim, wanted))

    _, rows = fetch(connection, ("vectors", len(wanted)), build, wanted)
    return {(claim, digest) for claim, digest in rows}


def _wordings(connection: Connection, claims: Sequence[str]) -> dict[Key, str]:
    """Return the statements and other wordings of those of these claims that are accepted."""
    return {
        (row["id"], digest_of(text)): text
        for row in select_rows(connection, _claim, "id", claims)
        if row["state"] == "accepted"
        for _, text in claim_labels(row)
    }


def _missing(connection: Connection, claims: Sequence[str]) -> dict[Key, str]:
    """Return the texts of these claims that have no vector."""
    stored = _stored_keys(connection, claims)
    wordings = _wordings(connection, claims)
    return {key: text for key, text in wordings.items() if key not in stored}


def accepted_claims(connection: Connection) -> list[str]:
    """Return the ids of all accepted claims, beginning at a random one.

    So two processes that fill the same table seldom make the same vectors.
    """
    statement = select(_claim.c.id).where(_claim.c.state == "accepted").order_by(_claim.c.id)
    ids = list(connection.scalars(statement))
    start = random.randrange(len(ids)) if ids else 0  # noqa: S311
    return ids[start:] + ids[:start]


def changed_claims(connection: Connection, since: int) -> list[str]:
    """Return the ids of the claims that have revisions after a serial."""
    changed = (_revision.c.serial > since, _revision.c.claim.is_not(None))
    return list(connection.scalars(select(_revision.c.claim).where(*changed).distinct()))


def fill(
    database: Database,
    model: "MiniLM",
    claims: Sequence[str],
    is_stopped: Callable[[], bool] = lambda: False,
    report: Callable[[int], None] = lambda _number: None,
) -> int:
    """Make the vectors that these claims lack, and return how many were stored.

    No transaction is open while they are made; those of words that changed meanwhile are left out.
    The function `report` gets the number of claims that were looked at since its last call.
    """
    stored = 0
    for start in range(0, len(claims), BATCH):
        batch = claims[start : start + BATCH]
        with database.read(unlimited=True) as connection:
            missing = _missing(connection, batch)
        vectors = {}
        for key, text in missing.items():
            if is_stopped():
                break
            vectors[key] = model.encode(text)
        if vectors:
            stored += _store(database, batch, vectors)
        if is_stopped():
            break
        report(len(batch))
    return stored


def _store(database: Database, claims: Sequence[str], vectors: Mapping[Key, bytes]) -> int:
    with database.write() as connection:
        serial, _ = lock_serial(connection)
        missing = _missing(connection, claims)
        last = connection.scalar(select(func.max(claim_vector.c.position))) or 0
        first = max(last + 1, serial * POSITIONS_OF_SERIAL)
        keys = (key for key in vectors if key in missing)
        rows = [
            {
                "claim": claim,
                "digest": digest,
                "position": position,
                "vector": vectors[claim, digest],
            }
            for position, (claim, digest) in enumerate(keys, start=first)
        ]
        insert_rows(connection, claim_vector, rows)
    return len(rows)


def differences(connection: Connection) -> Iterator[str]:
    """Yield a message for each claim with a vector that is not of its words by this model."""
    ids = connection.scalars(select(claim_vector.c.claim).distinct().order_by(claim_vector.c.claim))
    claims = list(ids)
    for start in range(0, len(claims), BATCH):
        batch = claims[start : start + BATCH]
        outdated = _stored_keys(connection, batch) - _wordings(connection, batch).keys()
        for claim in sorted({claim for claim, _ in outdated}):
            yield (
                f"claim_vector of {claim} is of other words than its own, or by another model;"
                " run claimbase rebuild"
            )
