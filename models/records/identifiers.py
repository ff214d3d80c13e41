"""Registered identifiers of works: in which form each is stored, and how it is found in text.

People paste identifiers as addresses, with labels before them and remarks behind. What is posted
and what stands in a file is cleaned alike, here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from pydantic_core import PydanticCustomError

# Where the identifiers of a scheme resolve.
RESOLVERS = {
    "doi": "https://doi.org/",
    "pmid": "https://pubmed.ncbi.nlm.nih.gov/",
    "pmcid": "https://pmc.ncbi.nlm.nih.gov/articles/",
    "nct": "https://clinicaltrials.gov/study/",
}
# What an address of a DOI may hold as it is (DOI Handbook, section 2.5.2).
_SAFE_IN_ADDRESS = "/:;()._-"
# Longer texts are no identifiers with something around them.
MOST_CHARACTERS = 2_000

_DOI_PREFIX = re.compile(r"^(?:(?:info:|urn:)?doi(?:\s*[:/]\s*|\s+|(?=10\.)))+", re.IGNORECASE)
_DOI_RESOLVER = re.compile(r"(?:https?:/+)?(?:dx\.|www\.)?doi\.org/+", re.IGNORECASE)
_BRACKETS = ("<>", "()", "[]", "{}")
# A proxy may make one slash of two in a path.
_SITE = r"(?:https?:/{1,2})?(?:www\.)?"
_PUBMED = rf"{_SITE}(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pubmed)/"
_PMID_LABEL = re.compile(
    rf"^\s*(?:{_PUBMED}"
    r"|(?:pmid|pubmed)(?:\s*:|\s(?=[0-9])|(?=[0-9])))\s*",
    re.IGNORECASE,
)
_PMCID_LABEL = re.compile(
    rf"^\s*(?:{_SITE}(?:pmc\.ncbi\.nlm\.nih\.gov/|ncbi\.nlm\.nih\.gov/pmc/)articles/"
    r"|(?:pmcid|pmc id|pubmed central)\s*:?)\s*(?=pmc|[0-9])",
    re.IGNORECASE,
)
_ENDS = ".,;/ \t\n"
_ISBN = re.compile(r"(?<![0-9])(?:97[89][- ]?)?(?:[0-9][- ]?){9}[0-9Xx](?![0-9A-Za-z])")
_PMCID_IN_TEXT = re.compile(r"(?<![A-Za-z0-9])PMC[0-9]{1,10}(?![0-9])")
_DOI = re.compile(r"10\.[0-9]{4,9}/\S+")


def address_of(scheme: str, value: str) -> str:
    """Return the address at which an identifier resolves, of a scheme in `RESOLVERS`."""
    return RESOLVERS[scheme] + quote(value, safe=_SAFE_IN_ADDRESS)


def clean_doi(text: str) -> str:
    """Return the DOI in a text that holds one in any spelling, in lower case, without checking it.

    Removed are `doi:` and resolvers' addresses, brackets around all of it, and a full stop, comma
    or semicolon after it, as people paste it. Any other end belongs to the DOI: `10.1002/(SICI)…`
    stays whole. In an address, a percent-encoded character belongs to the DOI too.
    """
    text = text.strip()
    if text[:1] + text[-1:] in _BRACKETS:
        text = text[1:-1]
    text = _DOI_PREFIX.sub("", text)
    if address := _DOI_RESOLVER.match(text):
        text = text[address.end() :]
        unquoted = unquote(text)
        text = text if re.search(r"\s", unquoted) else unquoted
    return _DOI_PREFIX.sub("", text).rstrip(".,; ").lower()


def _without_tail(text: str) -> str:
    """Return an identifier without a version, its kind in brackets, or the end of an address.

    No pattern does this: searched for in a long text of commas, it takes the square of its length.
    """
    text = text.strip().rstrip(_ENDS)
    before, bracket, _ = text.rpartition("[")
    if bracket and text.endswith("]"):
        text = before.rstrip(_ENDS)
    number, stop, version = text.rpartition(".")
    return number if stop and version.isdecimal() and len(version) <= 3 else text


def _clean_pmid(text: str) -> str:
    return _without_tail(_PMID_LABEL.sub("", text))


def _clean_pmcid(text: str) -> str:
    value = _without_tail(_PMCID_LABEL.sub("", text)).upper()
    return f"PMC{value}" if value.isdecimal() else value


def _clean_isbn(text: str) -> str:
    label = re.sub(r"^\s*(?:e-?)?isbn(?:-1[03](?=[:\s]))?\s*:?", "", text, flags=re.IGNORECASE)
    return re.sub(r"[\s-]", "", label).upper()


@dataclass(frozen=True)
class IdentifierFormat:
    """The pattern of a scheme's identifiers, how to clean one, and an example."""

    pattern: re.Pattern[str]
    clean: Callable[[str], str]
    example: str


IDENTIFIER_FORMATS = {
    "doi": IdentifierFormat(_DOI, clean_doi, "10.1002/ana.22085"),
    "pmid": IdentifierFormat(re.compile(r"[1-9][0-9]{0,8}"), _clean_pmid, "24119384"),
    "pmcid": IdentifierFormat(re.compile(r"PMC[1-9][0-9]{0,9}"), _clean_pmcid, "PMC4132574"),
    "isbn": IdentifierFormat(re.compile(r"[0-9]{9}[0-9X]|[0-9]{13}"), _clean_isbn, "9780131103627"),
    "nct": IdentifierFormat(
        re.compile(r"NCT[0-9]{8}"), lambda text: text.strip().upper(), "NCT00000102"
    ),
    # Without what RFC 3986 has no place for.
    "uri": IdentifierFormat(
        re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+"),
        str.strip,
        "urn:nbn:de:101:1-201102033592",
    ),
}


def normalise_identifier(scheme: str, value: str) -> str:
    """Return an identifier in the one form in which it is stored, such as a DOI in lower case.

    Raises the Pydantic error `malformed_identifier` if the value is no identifier of the scheme.
    """
    form = IDENTIFIER_FORMATS[scheme]
    normal = form.clean(value[: MOST_CHARACTERS + 1])
    if len(value) > MOST_CHARACTERS or not form.pattern.fullmatch(normal):
        raise PydanticCustomError(
            "malformed_identifier",
            "'{value}' is not a {scheme}; one looks like {example}.",
            {"value": value, "scheme": scheme, "example": form.example},
        )
    if scheme == "isbn" and normal[-1] != (digit := _check_digit(normal)):
        raise PydanticCustomError(
            "malformed_identifier",
            "'{value}' is not an isbn: its check digit would be {digit}.",
            {"value": value, "scheme": scheme, "digit": digit},
        )
    return normal


def _check_digit(isbn: str) -> str:
    """Return the check digit of an ISBN (ISO 2108: modulo 11 of ten digits, 10 of thirteen)."""
    if len(isbn) == 10:
        return _check_of_weights(isbn)
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(isbn[:-1]))
    return str(-total % 10)


ISSN = re.compile(r"[0-9]{4}-[0-9]{3}[0-9X]")
ORCID = re.compile(r"(?:[0-9]{4}-){3}[0-9]{3}[0-9X]")
_ORCID_ADDRESS = re.compile(r"^(?:https?://)?(?:www\.)?orcid\.org/", re.IGNORECASE)


def normalise_issn(value: str) -> str:
    """Return an ISSN as it is printed, such as 1364-503X; ISO 3297 defines its check digit.

    Raises the Pydantic error `malformed_issn`.
    """
    digits = re.sub(r"^issn|[\s:-]", "", value[:50], flags=re.IGNORECASE).upper()
    normal = f"{digits[:4]}-{digits[4:]}"
    if not ISSN.fullmatch(normal) or digits[-1] != _check_of_weights(digits):
        raise PydanticCustomError(
            "malformed_issn",
            "'{value}' is not an ISSN; one looks like 1364-503X.",
            {"value": value},
        )
    return normal


def _check_of_weights(digits: str) -> str:
    """Return the check digit of an ISSN or an ISBN of ten: weights down to 2, modulo 11."""
    weights = range(len(digits), 1, -1)
    total = sum(weight * int(digit) for weight, digit in zip(weights, digits[:-1], strict=True))
    return "0123456789X"[-total % 11]


def normalise_orcid(value: str) -> str:
    """Return an ORCID iD without the address before it; ISO 7064 (11-2) defines its check digit.

    Raises the Pydantic error `malformed_orcid`.
    """
    normal = _ORCID_ADDRESS.sub("", value[:100].strip()).rstrip("/").upper()
    if not ORCID.fullmatch(normal) or normal[-1] != _check_of_orcid(normal.replace("-", "")):
        raise PydanticCustomError(
            "malformed_orcid",
            "'{value}' is not an ORCID iD; one looks like 0000-0002-1825-0097.",
            {"value": value},
        )
    return normal


def _check_of_orcid(digits: str) -> str:
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2
    return "0123456789X"[(12 - total % 11) % 11]


def identifiers_in(scheme: str, text: str) -> list[str]:
    """Return the identifiers of a scheme in a text that holds one or several, in their order.

    Each is in its normal form. Words around a DOI or an ISBN are passed over.
    """
    if len(text) > MOST_CHARACTERS:
        return []
    candidates = [text]
    if scheme == "doi" and re.search(r"\S\s+\S", text):
        candidates = [text, *(found[0] for found in _DOI.finditer(text))]
    elif scheme == "isbn":
        candidates = [found[0] for found in _ISBN.finditer(text)]
    elif scheme == "pmcid":
        candidates = [text, *_PMCID_IN_TEXT.findall(text)]
    return list(dict.fromkeys(filter(None, (_valid(scheme, each) for each in candidates))))


def _valid(scheme: str, text: str) -> str | None:
    try:
        return normalise_identifier(scheme, text)
    except PydanticCustomError:
        return None


# How identifiers look without their scheme, as people hold them.
_BARE = {
    "doi": re.compile(
        rf"(?:{_SITE}(?:dx\.)?doi\.org/+)?10\.[0-9]{{4,9}}/.+", re.IGNORECASE | re.DOTALL
    ),
    "pmid": re.compile(rf"{_PUBMED}[0-9]+/?", re.IGNORECASE),
    "pmcid": re.compile(
        rf"(?:{_SITE}(?:pmc\.ncbi|ncbi)\.nlm\.nih\.gov/(?:pmc/)?articles/)?PMC[0-9]+/?"
    ),
    "nct": re.compile(r"NCT[0-9]{8}"),
}


def as_reference(text: str) -> str:
    """Return `scheme:identifier` for an identifier without its scheme or an address of one.

    Any other text, such as a slug, stays as it is: '10.1002/ana.22085' → 'doi:10.1002/ana.22085'.
    """
    scheme = next((name for name, form in _BARE.items() if form.fullmatch(text)), None)
    return text if scheme is None else f"{scheme}:{text}"


_LABELLED = re.compile(r"(doi|pmid|pmcid|isbn|nct)\b\s*:?\s*(.+)", re.IGNORECASE | re.DOTALL)


def stated_identifier(text: str) -> str | None:
    """Return the identifier that a text consists of, as it is stored, or None.

    It may be bare, an address, or have its scheme before it: 'PMID: 24119384' → '24119384'. A bare
    number is none.
    """
    labelled = _LABELLED.fullmatch(as_reference(text.strip()))
    return _valid(labelled[1].lower(), labelled[2]) if labelled else None
