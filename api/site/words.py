"""How pages say what is stored: dates, terms, links."""

from calendar import month_name
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
    "label": label,
    "day": day,
    "names": names,
    "counted": counted,
    "segment": segment,
}
