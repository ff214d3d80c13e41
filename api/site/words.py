"""How pages say what is stored: dates, terms, links."""

from calendar import month_name, monthrange
from urllib.parse import quote

from api.pictures.svg import LABELS
from models.core import vocabularies as v

# Labels of terms that are more than their ids without underscores.
OF_TERMS = {
    term.id: term.label
    for vocabulary in (v.STUDY_DESIGNS, v.CLAIM_KINDS, v.QUESTIONS, v.SOURCE_TYPES)
    for term in vocabulary.terms
}
# What readers may not know, in a word that they do.
PLAIN = {
    "not_gradable": "not gradable",
    "not_applicable": "not applicable",
    "not_recorded": "not stated yet",
}
# The rules of statuses for readers who do not know what a body of evidence and its rank are.
OF_RULES = {
    "nothing_takes_a_side": "No evidence recorded here takes a side.",
    "documents_against": "At least two independent documents speak against it, more than three"
    " times as many as speak for it.",
    "documents_for": "At least two independent documents speak for it, more than three times as"
    " many as speak against it.",
    "strong_against": "At least two independent studies of the strongest kinds speak against it,"
    " more than three times as many as speak for it.",
    "strong_for": "At least two independent studies of the strongest kinds speak for it, more than"
    " three times as many as speak against it.",
    "many_null_results": "At least five independent studies of the stronger kinds speak against it,"
    " more than five times as many as speak for it.",
    "nothing_supports": "There is evidence against it, and none for it.",
    "against_outranks_support": "Among the strongest evidence, more than twice as many independent"
    " studies speak against it as for it.",
    "both_sides": "There is evidence on both sides, and neither side is clearly stronger.",
    "better_evidence_inconclusive": "More speaks for it than against it, but stronger studies gave"
    " no answer either way.",
    "support_outranks_against": "At least two independent studies speak for it, among the strongest"
    " more than twice as many as speak against it.",
    "one_body_or_weak": "Something speaks for it, but it comes from a single study or team, or is"
    " weak.",
}


# What a value must be, for people who fill in a form: the API's words are those of its types.
OF_FAULTS = {
    "Input should be a valid integer": "Write a whole number, such as 2012.",
    "Input should be a valid number": "Write a number, such as 0.5.",
    "Input should be a valid boolean": "Write true or false.",
}


def fault_in_words(detail: str) -> str:
    """Return what is wrong with a value as people say it."""
    known = (said for start, said in OF_FAULTS.items() if detail.startswith(start))
    return next(known, detail)


def words(term: str | None) -> str:
    """Return a term as words: `very_low` as «very low»."""
    if term is None:
        return ""
    return PLAIN.get(term) or OF_TERMS.get(term) or term.replace("_", " ").replace("-", " ")


def label(term: str | None) -> str:
    """Return the label of a status, a certainty, a direction or a level."""
    return LABELS.get(term) or words(term)


def day(date: str | None) -> str:
    """Return a date as people write it: «29 September 2010»; a partial one as far as it goes."""
    if not date:
        return ""
    parts = date[:10].split("-")
    year, *rest = parts
    if not rest:
        return year
    month = month_name[int(rest[0])]
    return f"{int(rest[1])} {month} {year}" if len(rest) > 1 else f"{month} {year}"


def known(date: str | None) -> str:
    """Return a day of evidence time as precisely as it is known for sure: «2009» for the last day
    of a year, «August 2010» for that of a month.

    A date that is known in part counts from its end, and nothing tells the two apart afterwards.
    """
    if not date or len(date) < len("2010-08-31"):
        return day(date)
    year, month, last = (int(part) for part in date[:10].split("-"))
    if (month, last) == (12, 31):
        return date[:4]
    return day(date[:7] if last == monthrange(year, month)[1] else date)


def plainly(rule: str) -> str:
    """Return a status rule as one says it; its own words are on the page of the rules."""
    return OF_RULES[rule]


def names(slugs: list[str]) -> str:
    """Return slugs of who asserts something as a list in words: «Zamboni and the article»."""
    told = ["the article itself" if slug == "article" else _name(slug) for slug in slugs]
    if len(told) < 2:
        return "".join(told)
    return f"{', '.join(told[:-1])} and {told[-1]}"


def _name(slug: str) -> str:
    return slug.replace("-", " ").title() if slug.isascii() and len(slug) > 3 else slug.upper()


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: «1 source», «3 studies»."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def segment(text: str) -> str:
    """Return a text as one segment of an address's path."""
    return quote(text, safe=":")


FILTERS = {
    "words": words,
    "fault_in_words": fault_in_words,
    "label": label,
    "day": day,
    "known": known,
    "plainly": plainly,
    "names": names,
    "counted": counted,
    "segment": segment,
}
