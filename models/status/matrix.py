"""The evidence matrix: what each source says about each claim, and what that counts for."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Field

from models.core import vocabularies as v
from models.core.dates import PartialDate, WholeDate
from models.core.types import Slug, Strict
from models.records.serializers import Row
from models.status.body_of_evidence import grade
from models.status.claim_aggregate import line_of
from models.status.explanation import grading, parts_by_key
from models.status.rules import decide


class MatrixCell(Strict):
    """What a source says about a claim: one line of evidence, with its rank."""

    id: str = Field(description="That of the line of evidence.")
    source: Slug
    citation: str
    year: int | None
    published: WholeDate
    direction: v.Direction
    level: v.EvidenceLevel
    question: v.Question | None
    directness: v.Directness
    rank: int = Field(
        description="Its level, 1 to 5, or 6 where not gradable, moved by the reasons to grade it "
        "down or up."
    )
    grading: str = Field(description="How the rank follows from the level, in words.")
    part: str = Field(
        description="What the line did for the status: a term of the vocabulary explanation-parts."
    )
    study_design: v.StudyDesign
    sample_size: int | None
    integrity: v.Integrity
    integrity_date: PartialDate | None
    independence_group: Slug
    work: Slug


class MatrixRow(Strict):
    """A claim with its status, and what each source says about it."""

    claim: Slug
    statement: str
    kind: v.ClaimKind
    status: v.Status
    certainty: v.Certainty | None
    cells: list[MatrixCell] = Field(
        description="Accepted lines on the claim itself, in the order of their publication."
    )


def matrix_row(
    claim: Mapping[str, Any], evidence: Sequence[Row], day: str | None = None
) -> MatrixRow:
    """Return the row of a claim.

    `claim` has the fields of a `ClaimOut`, and `evidence` the accepted lines on it, both as
    published by a day (YYYY-MM-DD), if one is given.
    """
    kind = claim["kind"]
    lines = {row["key"]: line_of(row) for row in evidence}
    parts = parts_by_key(lines.values(), decide(kind, lines.values(), day))
    ranked = ("rank", "grading", "part")
    copied = [name for name in MatrixCell.model_fields if name not in ranked]
    cells = []
    for row in sorted(evidence, key=lambda row: (row["published"], row["key"])):
        line = lines[row["key"]]
        cells.append(
            # It is not validated again: all of it comes from valid records.
            MatrixCell.model_construct(
                **{name: row[name] for name in copied},
                rank=grade(line, kind, day).rank,
                grading=grading(line, kind, day),
                part=parts[line.key],
            )
        )
    of_claim = {name: claim[name] for name in ("statement", "kind", "status", "certainty")}
    return MatrixRow.model_construct(claim=claim["id"], **of_claim, cells=cells)
