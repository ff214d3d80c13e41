"""What a claim is asked for and counted by most, as one number: a bit for each term of a few vocabularies.

It stands in the claim's document and beside each of its terms, so that who goes along the index of a term sees there what
else the claims are, and need not look each of them up. It is of the present; of an earlier day the terms and periods tell.
"""

from collections.abc import Iterable
from typing import Any

from models.core import vocabularies as v

ANY = "any"
# A claim has one status and kind, at most one certainty, any number of the others; of some it is told whether there are any.
FIELDS = {
    "status": v.STATUSES.ids,
    "kind": v.CLAIM_KINDS.ids,
    "certainty": v.CERTAINTIES.ids,
    "evidence_level": v.EVIDENCE_LEVELS.ids,
    "direction": v.DIRECTIONS.ids,
    "topic": (ANY,),
    "asserted_by": (ANY,),
}
# Stored numbers are read by these places: who changes them raises `rebuild.DERIVATION`.
_TERMS = [(field, term) for field, terms in FIELDS.items() for term in terms]
BITS = {found: 1 << place for place, found in enumerate(_TERMS)}


def number(found: Iterable[tuple[str, str]]) -> int:
    """Return the number of what is found: fields, each with a term that stands in it."""
    made = 0
    for pair in found:
        made |= BITS[pair]
    return made


def of(found: Iterable[tuple[str, str]]) -> int:
    """Return the traits of a claim from all that it has in its fields, whether that is told or not."""
    return number(
        (field, ANY) if FIELDS[field] == (ANY,) else (field, term)
        for field, term in found
        if field in FIELDS
    )


def among(parameter: str, value: Any) -> int:
    """Return the number of the terms that a parameter (`field`, `field.ne` or `field.lte`) names."""
    field, _, operator = parameter.partition(".")
    if operator == "lte":
        value = [term for term in FIELDS[field] if term <= value]  # As the texts sort in a column.
    return number((field, term) for term in value)


def of_fields(fields: Iterable[str]) -> int:
    """Return the number of all terms of these fields."""
    return number((field, term) for field in fields for term in FIELDS[field])


def counts(field: str, groups: Iterable[tuple[int, int]]) -> tuple[dict[str, int], int]:
    """Return from numbers, each with how many claims have it, how many have each term of a field, and how many have none."""
    terms: dict[str, int] = {}
    missing = 0
    for traits, times in groups:
        had = [term for term in FIELDS[field] if traits & BITS[field, term]]
        for term in had:
            terms[term] = terms.get(term, 0) + times
        missing += 0 if had else times
    return terms, missing
