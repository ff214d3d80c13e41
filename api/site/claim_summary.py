"""A claim's plain-language summary, made of its data alone.

The order is that of Cochrane's plain language summaries: key messages, what was found, limits, how
up to date (Cochrane Handbook, chapter III, section 3.4.1.3).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from api.pictures.svg import LABELS
from api.site.words import counted, day, known
from models.records.serializers import Row
from models.status.explanation import Explanation

# What each status says, for somebody who does not know the words.
STATUSES = {
    "refuted": "Good evidence speaks clearly against it.",
    "disputed": "The evidence against it outweighs what supports it.",
    "contested": "There is evidence on both sides, and neither side outweighs the other.",
    "unassessed": "Nothing recorded here takes a side.",
    "unconfirmed": "Something supports it, but from one team alone or from weak evidence.",
    "supported": "Independent evidence supports it and outweighs what speaks against it.",
    "established": "Good, independent evidence supports it, and hardly any speaks against it.",
}
# After the sentences that GRADE gives for its four words (Santesso et al. 2020).
CERTAINTIES = {
    "high": "This conclusion is unlikely to change with more research.",
    "moderate": "This conclusion is probably right; more research may change it.",
    "low": "This conclusion may be right; more research is likely to change it.",
    "very_low": "This conclusion is very uncertain.",
}
# What findings were held against, of the terms of checked-against.
CHECKED = {
    "full_text": "the source's full text",
    "abstract": "the source's abstract",
    "page": "a page that tells of the source",
    None: "nothing yet",
}
MOST_FINDINGS = 3
# What a line does that stands on its side, whether or not the rule rests on it.
COUNTED = ("decisive", "counted", "same_group")


def in_one_sentence(claim: Row) -> str:
    """Return the status of a claim as one sentence for those who see nothing else."""
    certainty = f", {LABELS[claim['certainty']]} certainty" if claim["certainty"] else ""
    return (
        f"{LABELS[claim['status']].capitalize()} since {known(claim['status_since'])}{certainty}."
        f" {STATUSES[claim['status']]}"
    )


def summary(
    claim: Row, explained: Explanation, lines: Sequence[Mapping[str, Any]]
) -> list[tuple[str, list[str]]]:
    """Return the parts of the summary, each a heading with its sentences."""
    return [
        ("Key messages", _key_messages(claim, explained)),
        ("What was found", _found(claim, lines)),
        ("What limits this", _limits(claim, explained, lines)),
        ("How up to date is this", _up_to_date(claim)),
    ]


def _key_messages(claim: Row, explained: Explanation) -> list[str]:
    told = [STATUSES[claim["status"]]]
    if claim["certainty"]:
        told.append(CERTAINTIES[claim["certainty"]])
    fallen = [prediction for prediction in explained.predictions if prediction.fell]
    if fallen:
        told.append(
            f"If it were true, {counted(len(fallen), 'other claim')} would have to hold that"
            f" {'is' if len(fallen) == 1 else 'are'} disputed or refuted."
        )
    return told


def _found(claim: Row, lines: Sequence[Mapping[str, Any]]) -> list[str]:
    counts = claim["counts"]
    told = [
        f"{counted(counts['evidence'], 'line')} of evidence: {counts['supports']} for,"
        f" {counts['disputes']} against, {counts['inconclusive']} inconclusive."
    ]
    for line in _most_telling(claim, lines)[:MOST_FINDINGS]:
        venue = f", {line['venue']}" if line["venue"] else ""
        told.append(f"{line['citation']}{venue}: {line['finding']}")
    return told


def _most_telling(claim: Row, lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the findings to be told first: those on which the status rests.

    Of a harm, first those in which it was seen. Before all of these stand notices of regulators,
    who give them for grave harms, however little they say of how often these come.
    """
    decisive = [line for line in lines if line["part"] == "decisive"]
    if claim["kind"] != "harm":
        return decisive
    seen = [line for line in lines if line["direction"] == "supports" and line["part"] in COUNTED]
    seen.sort(key=lambda line: line["study_design"] != "regulatory_notice")
    # Each team speaks once.
    first: dict[str, Mapping[str, Any]] = {}
    for line in (*seen, *decisive):
        first.setdefault(line["independence_group"], line)
    return list(first.values())


def _limits(claim: Row, explained: Explanation, lines: Sequence[Mapping[str, Any]]) -> list[str]:
    told = list(explained.certainty_reasons)
    if lines:
        told.append(_checked(lines))
    if claim["notices"]["retracted"]:
        retracted = counted(claim["notices"]["retracted"], "line")
        told.append(f"{retracted} from a retracted source: shown, and not counted.")
    if claim["status_since_inferred"]:
        told.append("The day since when this holds hangs on a date that is not known for sure.")
    return told or ["None is recorded."]


def _checked(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return what the findings were checked against, as a sentence."""
    checked = Counter(line["checked_against"] for line in lines).most_common()
    (number, what), *others = [(number, CHECKED[what]) for what, number in checked]
    if len(lines) == 1:
        return f"The line of evidence was checked against {what}."
    verb = "was" if number == 1 else "were"
    rest = "".join(f", {number} against {what}" for number, what in others)
    return f"{number} of {len(lines)} lines of evidence {verb} checked against {what}{rest}."


def _up_to_date(claim: Row) -> list[str]:
    newest = claim["evidence_until"]
    evidence = (
        f"The newest evidence recorded is of {known(newest)}."
        if newest
        else "No evidence is dated."
    )
    return [evidence, f"The record was last changed on {day(claim['updated'])}."]
