"""Lines of evidence as a table: what a systematic reviewer extracts, one row an effect."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic_core import from_json
from sqlalchemy import Connection

from api.tables.columns import Table, day, moment, number, term, text, whole
from models.core import vocabularies as v
from models.read.listings import claim_briefs
from models.records.serializers import Row, sources_by_id
from models.status.body_of_evidence import grade
from models.status.claim_aggregate import line_of

OF_EFFECT = {
    "measure": text("effect_measure", "The measure as the paper names it, such as odds ratio."),
    "estimate": number("effect_estimate", "The estimate."),
    "low": number("effect_low", "Lower end of the interval."),
    "high": number("effect_high", "Upper end of the interval."),
    "p": number("effect_p", "The P value."),
    "unit": text("effect_unit", "The unit of the estimate and the interval."),
}
TABLE = Table(
    "evidence",
    "Lines of evidence: what one source says about one claim. A line with more effects has a row"
    " for each of them.",
    (
        text("id", "The claim, a colon and the line's key."),
        text("claim", "Slug of the claim."),
        text("statement", "What is claimed."),
        term("claim_status", v.STATUSES, "What the evidence on the claim amounts to."),
        text("bears_on", "Whether the line bears on the `claim`, or on a `relation` of it."),
        text("citation", "Short form of the source for people."),
        text("title", "Title of the source; in square brackets where a curator supplied it."),
        text("journal", "The journal or book that the source stands in."),
        whole("year", "Year of publication; blank where it is not known."),
        text("doi", "DOI of the source."),
        text("pmid", "PubMed's number of the source."),
        term("direction", v.DIRECTIONS, "Which side the line takes."),
        term("level", v.EVIDENCE_LEVELS, "Level, as graded by Oxford 2011."),
        whole(
            "rank",
            "What the line counts for: its level, 1 to 5 (1 is best), or 6 where not gradable,"
            " moved by the reasons to grade it down or up.",
        ),
        term("question", v.QUESTIONS, "Question by which the level was given."),
        term("directness", v.DIRECTNESS, "Whether the line tests the claim itself."),
        term("study_design", v.STUDY_DESIGNS, "How the source found out."),
        whole("sample_size", "People in all groups together."),
        text("sample", "The groups, in words."),
        text("finding", "What was found, in the curator's own words."),
        text("population", "Who was studied."),
        text("exposure", "The exposure, the intervention or the test."),
        text("comparator", "With what it was compared."),
        text("outcome", "What was measured."),
        text("follow_up", "How long people were followed."),
        whole(
            "effect",
            "Which effect of the line the row has, from 1; 0 where it has none as numbers.",
        ),
        *OF_EFFECT.values(),
        text("risk_of_bias", "Overall risk of bias, in the words of the tool."),
        text("independence_group", "Study, cohort or team; a group counts once a side."),
        text("graded_down", "Reasons to grade it down; the next one (graded-down)."),
        text("graded_up", "Reasons to grade it up; the next one (graded-up)."),
        term("integrity", v.INTEGRITIES, "What is announced about the source."),
        text("locator", "Where in the source."),
        term("checked_against", v.CHECKED_AGAINST, "What of the source the line was held against."),
        day("published", "From when it counts: the last day that the source's date can mean."),
        text("source", "Slug of the source."),
        moment("updated", "When the line was last changed here, UTC."),
    ),
    key=("id", "effect"),
    refers={"claim": "claims", "source": "sources"},
)


def rows(connection: Connection, found: Sequence[Row]) -> list[Row]:
    """Return the rows of the table for these lines of evidence, as lists read them."""
    return rows_of(connection, [from_json(row["document"]) for row in found])


def rows_of(connection: Connection, lines: Sequence[Row]) -> list[Row]:
    """Return the rows of the table for these lines of evidence, as the API gives them."""
    sources = sources_by_id(connection, sorted({line["source"] for line in lines}))
    claims = claim_briefs(connection, {line["claim"] for line in lines})
    return [
        row for line in lines for row in _rows(line, claims[line["claim"]], sources[line["source"]])
    ]


def _rows(line: Row, claim: Row, source: Row) -> Iterator[Row]:
    known = {each["scheme"]: each["value"] for each in source["identifiers"]}
    bias = line["risk_of_bias"]
    values: dict[str, Any] = {
        **line,
        "statement": claim["statement"],
        "claim_status": claim["status"],
        "title": source["title"],
        "journal": source["container_title"],
        "doi": known.get("doi"),
        "pmid": known.get("pmid"),
        "rank": grade(line_of(line), claim["kind"]).rank,
        "risk_of_bias": bias["overall"] if bias else None,
        "graded_down": "; ".join(line["graded_down"]),
        "graded_up": "; ".join(line["graded_up"]),
    }
    for place, effect in _numbered(line["effects"]):
        yield (
            values
            | {"effect": place}
            | {column.name: effect[name] for name, column in OF_EFFECT.items()}
        )


def _numbered(effects: Sequence[Row]) -> Iterable[tuple[int, Row]]:
    return enumerate(effects, 1) if effects else [(0, dict.fromkeys(OF_EFFECT))]
