"""How the statuses of claims ran over evidence time, as a table: one row a period."""

from collections.abc import Iterator

from api.tables.columns import Table, day, term, text, truth
from models.core import vocabularies as v
from models.records.serializers import Row
from models.status.explanation import Timeline

EVIDENCE = {
    "new": "Lines that count from its first day on and made the change; the next one.",
    "during": "Lines that came later in the period and changed nothing; the next one.",
    "rests_on": "Lines on which its rule rests on its first day; the next one.",
}
TABLE = Table(
    "timeline",
    "Periods of evidence time in which a claim has one status.",
    (
        text("claim", "Slug of the claim."),
        text("statement", "What is claimed."),
        day("starts", "First day of the period."),
        day("ends", "First day after it; blank where it lasts."),
        truth("lasts", "Whether it is the last period."),
        term("status", v.STATUSES, "The status in it."),
        term("certainty", v.CERTAINTIES, "Certainty of the conclusion; blank where none applies."),
        text("status_rule", "The rule that decided; see the vocabulary status-rules."),
        text("sentence", "That rule in words."),
        *(text(name, description) for name, description in EVIDENCE.items()),
    ),
    key=("claim", "starts"),
    refers={"claim": "claims"},
)


def rows_of(timeline: Timeline) -> Iterator[Row]:
    """Yield the row of the table for each period of a claim."""
    for period in timeline.periods:
        yield {
            "claim": timeline.claim,
            "statement": timeline.statement,
            **period.model_dump(include={"starts", "ends", "status", "certainty"}),
            "lasts": period.ends is None,
            "status_rule": period.status_rule,
            "sentence": period.sentence,
            **{name: "; ".join(line.id for line in getattr(period, name)) for name in EVIDENCE},
        }
