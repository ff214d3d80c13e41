"""Previews what accepting a proposal would change."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection, select
from sqlmodel import Field

from models.access.api_keys import Key
from models.core.rating_schemes import RATING_SCHEMES
from models.core.types import Strict
from models.projection import claim_loader
from models.records.claim import Occurrence
from models.records.record_types import RECORD_TYPES, RecordType, split_name
from models.records.retired import STANDING
from models.records.serializers import Row, table
from models.status.explanation import Explanation, explain
from models.write.changes import Change, claims_resting_on
from models.write.review import carry_out, find_visible

# A source may stand under very many claims.
MOST_CLAIMS_PREVIEWED = 20


class PreviewWarning(Strict):
    """What somebody who accepts a line should know: it may count for less than it seems to, or
    something is missing of its claim.
    """

    code: str
    detail: str
    lines: list[str] = Field(
        description="Ids of the lines that are there already; none where it is about the claim or a"
        " rating."
    )


def preview(
    connection: Connection,
    caller: Key,
    record_id: str,
    predictions_of: Callable[[str], Iterable[Row]],
) -> tuple[Explanation, Explanation, list[PreviewWarning]]:
    """Return the explanation of a status as it is, and as it would be with a line accepted.

    For a line on a relation it is the status of the relation. `predictions_of` returns the
    predictions of a claim, which the line does not change. The warnings say with which accepted
    lines it is one body of evidence, or which of them a review sums up, and what is wrong with the
    claim.
    """
    line = find_visible(connection, caller, RECORD_TYPES["evidence"], record_id)
    claim = find_visible(connection, caller, RECORD_TYPES["claim"], line["claim"])
    now = claim_loader.load(connection, [claim["id"]])[0]
    tie = (line["relation_type"], line["relation_target"])
    on_tie = [row for row in now.evidence if (row["relation_type"], row["relation_target"]) == tie]
    # The rules see only lines on the claim itself, so lines on a relation are passed as such.
    judged = [{**row, "relation_type": None, "relation_target": None} for row in on_tie]
    accepted = [
        {**row, "state": "accepted"} if row["key"] == line["key"] else row for row in judged
    ]
    kind = "mechanism" if line["relation_type"] else now.claim["kind"]
    before, after = (
        dataclasses.replace(now, claim={**now.claim, "kind": kind}, evidence=lines)
        for lines in (judged, accepted)
    )
    (new,) = (row for row in judged if row["key"] == line["key"])
    others = [row for row in judged if row["state"] == "accepted" and row["key"] != line["key"]]
    warnings = [
        *_warnings(new, others),
        *_rating_warnings(new),
        *_claim_warnings(connection, claim),
    ]
    predicted = [] if line["relation_type"] else list(predictions_of(claim["id"]))
    explained = (explain(each, None, predictions=predicted) for each in (before, after))
    return next(explained), next(explained), warnings


def preview_suggestion(
    change: Change,
    caller: Key,
    suggestion_id: str,
    predictions_of: Callable[[str], Iterable[Row]],
) -> list[tuple[str, Explanation, Explanation | None]]:
    """Carry a suggestion out, within a change that is taken back. Return the claims that rest on
    its record, each with the explanation of its status before and after; None where it is gone.

    Raises what accepting the suggestion would raise, but for who may accept it.
    """
    suggestion = find_visible(change.connection, caller, RECORD_TYPES["suggestion"], suggestion_id)
    kind, record_id = split_name(suggestion["about"])
    claims = _claims_resting_on(change.connection, kind, record_id)
    predicted = {claim: list(predictions_of(claim)) for claim in claims}
    before = _explained(change.connection, predicted)
    carry_out(change, caller, suggestion, list(suggestion["patch"]))
    after = _explained(change.connection, predicted)
    return [(claim, explained, after.get(claim)) for claim, explained in before.items()]


def _claims_resting_on(connection: Connection, kind: RecordType, record_id: str) -> list[str]:
    if kind.part or kind.name == "claim":
        return [record_id.partition(":")[0]]
    return sorted(claims_resting_on(connection, kind, record_id))[:MOST_CLAIMS_PREVIEWED]


def _explained(
    connection: Connection, predicted: Mapping[str, Sequence[Row]]
) -> dict[str, Explanation]:
    """Return the explanation of each of these claims that is accepted. They are given with their
    predictions.
    """
    return {
        each.claim["id"]: explain(each, None, predictions=predicted[each.claim["id"]])
        for each in claim_loader.load(connection, list(predicted))
        if each.claim["state"] == "accepted"
    }


def status_differs(before: Explanation, after: Explanation) -> bool:
    """Return whether status, rule or certainty differ."""
    names = ("status", "status_rule", "certainty")
    return any(getattr(before, name) != getattr(after, name) for name in names)


def _pooled_works(row: Row) -> set[str]:
    return {study["work"] for study in row["pooled"]} - {row["work"]}


# What is warned of: a code, when it holds of a new line and another one, and what it means.
_WARNINGS: tuple[tuple[str, Callable[[Row, Row], bool], str], ...] = (
    (
        "same_source",
        lambda new, other: bool(new["source"] == other["source"]),
        "The same source has lines here; together they are one body of evidence.",
    ),
    (
        "same_work",
        lambda new, other: new["source"] != other["source"] and new["work"] == other["work"],
        "Another version of the source has lines here; together they are one body of evidence.",
    ),
    (
        "same_group",
        lambda new, other: (
            new["work"] != other["work"]
            and new["independence_group"] == other["independence_group"]
        ),
        "The independence group has lines here; together they are one body of evidence.",
    ),
    (
        "pools_recorded",
        lambda new, other: other["work"] in _pooled_works(new),
        "It pools studies that have lines here: it lends them its rank and adds nothing to them.",
    ),
    (
        "pooled_by_recorded",
        lambda new, other: new["work"] in _pooled_works(other),
        "A review that has a line here pools it: it may count there already.",
    ),
)


def _rating_warnings(line: Row) -> Iterator[PreviewWarning]:
    """Warn of values that a known scheme does not have; they are kept as they are."""
    for rating in line["ratings"]:
        scheme = RATING_SCHEMES.get(rating["scheme"])
        if scheme is not None and rating["value"] not in scheme.ids:
            detail = (
                f"The rating '{rating['value']}' is no value of the scheme '{scheme.name}', whose"
                f" values are: {', '.join(scheme.ids)}."
            )
            yield PreviewWarning(code="unknown_rating", detail=detail, lines=[])


# Question marks of the scripts that have one of their own for questions. The Greek one looks like
# a semicolon and is stored as one, so it ends a question only where the statement is Greek.
QUESTION_MARKS = ("?", "\N{FULLWIDTH QUESTION MARK}", "\N{ARABIC QUESTION MARK}")
GREEK_QUESTION_MARKS = (";", "\N{GREEK QUESTION MARK}")


def _is_question(claim: Row) -> bool:
    greek = claim["language"].lower().split("-")[0] == "el"
    marks = (*QUESTION_MARKS, *GREEK_QUESTION_MARKS) if greek else QUESTION_MARKS
    return bool(claim["statement"].rstrip().endswith(marks))


def _claim_warnings(connection: Connection, claim: Row) -> Iterator[PreviewWarning]:
    if _is_question(claim):
        detail = "The claim is a question: nothing can support or dispute it. State an answer."
        yield PreviewWarning(code="statement_is_question", detail=detail, lines=[])
    if claim["origin"] == "stated" and not _has_occurrence(connection, claim["id"]):
        detail = (
            "The claim is said to be stated by a document, and no occurrence says where. Add one,"
            " or set its origin to 'added'."
        )
        yield PreviewWarning(code="no_occurrence", detail=detail, lines=[])


def _has_occurrence(connection: Connection, claim: str) -> bool:
    """Return whether a claim has an occurrence, accepted or waiting for review."""
    rows = table(Occurrence)
    known = select(rows.c.key).where(rows.c.claim == claim, rows.c.state.in_(STANDING)).limit(1)
    return connection.scalar(known) is not None


def _warnings(new: Row, others: Iterable[Row]) -> Iterator[PreviewWarning]:
    known = list(others)
    for code, holds, detail in _WARNINGS:
        lines = [row["id"] for row in known if holds(new, row)]
        if lines:
            yield PreviewWarning(code=code, detail=detail, lines=sorted(lines))
