"""The evidence matrix as a table: one row a cell, one without a source for a claim without any."""

from collections.abc import Iterable, Iterator

from api.tables.columns import Table, day, term, text, whole
from models.core import vocabularies as v
from models.records.serializers import Row
from models.status.matrix import MatrixCell, MatrixRow

OF_CLAIM = (
    text("claim", "Slug of the claim."),
    text("statement", "What is claimed."),
    term("kind", v.CLAIM_KINDS, "Kind of claim."),
    term("status", v.STATUSES, "What the evidence on the claim amounts to."),
    term("certainty", v.CERTAINTIES, "Certainty of the conclusion; blank where none applies."),
)
OF_CELL = (
    text("id", "The line of evidence; blank where nothing is recorded on the claim."),
    text("source", "Slug of the source."),
    text("citation", "Short form of the source for people."),
    whole("year", "Year of publication."),
    day("published", "From when the line counts."),
    term("direction", v.DIRECTIONS, "Which side the line takes."),
    term("level", v.EVIDENCE_LEVELS, "Level, as graded by Oxford 2011."),
    term("question", v.QUESTIONS, "Question by which the level was given."),
    term("directness", v.DIRECTNESS, "Whether the line tests the claim itself."),
    whole("rank", "What the line counts for, 1 (best) to 6."),
    text("grading", "How the rank follows from the level, in words."),
    text("part", "What the line did for the status: a term of explanation-parts."),
    term("study_design", v.STUDY_DESIGNS, "How the source found out."),
    whole("sample_size", "People in all groups together."),
    term("integrity", v.INTEGRITIES, "What is announced about the source."),
    text("integrity_date", "When that was announced."),
    text("independence_group", "Study, cohort or team."),
    text("work", "The source that stands for all versions of it."),
)
TABLE = Table(
    "matrix",
    "The evidence matrix: claims by sources, with what each line counts for.",
    (*OF_CLAIM, *OF_CELL),
    key=(),  # A claim without evidence has a row without a line.
    refers={"claim": "claims", "source": "sources"},
)


def rows_of(claims: Iterable[MatrixRow]) -> Iterator[Row]:
    """Yield the rows of the table for each of these rows of a matrix."""
    empty: Row = {column.name: None for column in OF_CELL}
    for claim in claims:
        of_claim = {column.name: getattr(claim, column.name) for column in OF_CLAIM}
        yield from (of_claim | cell for cell in map(_cell, claim.cells))
        if not claim.cells:
            yield of_claim | empty


def _cell(cell: MatrixCell) -> Row:
    return {column.name: getattr(cell, column.name) for column in OF_CELL}
