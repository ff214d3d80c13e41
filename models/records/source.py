"""Source: any citable work, with its authors and its identifiers."""

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any, Self

from pydantic import AfterValidator, StringConstraints, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import JSON, CheckConstraint, Index, UniqueConstraint
from sqlmodel import Field

from models.core import vocabularies as v
from models.core.addresses import Licence, WebAddress
from models.core.dates import PartialDate, Timestamp, WholeDate, last_day_of
from models.core.types import (
    MAX_INTEGER,
    REPLACED_BY_DESCRIPTION,
    UNDECOMPOSED,
    Slug,
    Strict,
    Text,
    VisibleText,
    refuse_misfitting_anchor,
)
from models.core.vocabulary import vocabulary_check
from models.records.elsewhere import collection_field
from models.records.identifiers import (
    ISSN,
    ORCID,
    normalise_identifier,
    normalise_issn,
    normalise_orcid,
)

_SHA256 = re.compile(r"[0-9a-f]{64}")


def _check_sha256(value: str) -> str:
    if not _SHA256.fullmatch(value):
        raise PydanticCustomError(
            "malformed_sha256", "A SHA-256 is 64 digits of 0 to 9 and a to f."
        )
    return value


# SQLModel drops the pattern that a field is given, so it stands in the type.
Orcid = Annotated[
    Text,
    AfterValidator(normalise_orcid),
    WithJsonSchema({"type": "string", "pattern": f"^{ORCID.pattern}$"}),
]
Issn = Annotated[
    Text,
    AfterValidator(normalise_issn),
    WithJsonSchema({"type": "string", "pattern": f"^{ISSN.pattern}$"}),
]
Isbn = Annotated[
    Text,
    AfterValidator(partial(normalise_identifier, "isbn")),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{9}([0-9]{3})?[0-9X]$"}),
]
Sha256 = Annotated[
    Text,
    AfterValidator(_check_sha256),
    WithJsonSchema({"type": "string", "pattern": f"^{_SHA256.pattern}$"}),
]


class AuthorIn(Strict):
    """A person by family and given names, or a group by its literal name.

    The fields are CSL's name parts, and the person's ORCID iD.
    """

    family: VisibleText | None = Field(default=None, min_length=1, max_length=200)
    given: VisibleText | None = Field(
        default=None, min_length=1, max_length=200, description="Given names or initials."
    )
    particle: VisibleText | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="CSL's non-dropping particle, such as 'van den'.",
    )
    suffix: VisibleText | None = Field(
        default=None, min_length=1, max_length=50, description="Such as 'Jr' or 'III'."
    )
    literal: VisibleText | None = Field(
        default=None, min_length=1, max_length=500, description="A group author's name."
    )
    orcid: Orcid | None = Field(default=None, description="A person's ORCID iD.")

    @model_validator(mode="after")
    def _person_or_group(self) -> Self:
        if (self.family is None) == (self.literal is None):
            raise PydanticCustomError(
                "author_name", "An author has either a family name or, for a group, a literal."
            )
        if self.literal is not None and (self.given or self.particle or self.suffix or self.orcid):
            raise PydanticCustomError(
                "author_name", "A group author has a literal name and nothing else."
            )
        return self


class ContributorIn(AuthorIn):
    """Somebody who did something else for a work than write it."""

    role: v.ContributorRole


class IdentifierIn(Strict):
    """A registered identifier, with whether somebody has checked that it belongs to this work."""

    scheme: v.IdentifierScheme
    value: Text = Field(min_length=1, max_length=500)
    verification: v.Verification

    @model_validator(mode="after")
    def _normalise(self) -> Self:
        self.value = normalise_identifier(self.scheme, self.value)
        return self


# More contributors than any encyclopedia names on its title page, keywords than any database gives.
MAX_CONTRIBUTORS = 200
MAX_KEYWORDS = 200
KEYWORD_LENGTH = 200
Keyword = Annotated[VisibleText, StringConstraints(min_length=1, max_length=KEYWORD_LENGTH)]
# A journal has one for each medium, and had others under an earlier name.
MAX_ISSN = 5
# Abstracts have up to some five thousand characters; those of congresses are longer.
MAX_ABSTRACT = 20_000
# A work in more editions and parts than this is a series; each of its parts names the whole.
MAX_VERSIONS = 50


class VersionIn(Strict):
    """A tie to a source that is the same body of evidence, read from this source to the other."""

    type: v.VersionTie
    source: Slug = Field(description="The other source.")


# The longest reference lists are those of reviews and of books.
MAX_CITES = 2_000


class CitedSource(Strict):
    """A source that another one lists or cites, and where it does so.

    `start` and `end` count characters of the citing source's text from 0, end exclusive, as those
    of an occurrence do.
    """

    source: Slug = Field(description="The source that is cited.")
    quote: VisibleText | None = Field(
        default=None, min_length=1, max_length=2_000, description="The reference, verbatim."
    )
    start: int | None = Field(default=None, ge=0, le=MAX_INTEGER)
    end: int | None = Field(default=None, ge=1, le=MAX_INTEGER)

    @model_validator(mode="after")
    def _anchor(self) -> Self:
        refuse_misfitting_anchor(self.quote, self.start, self.end)
        return self


def in_brackets(title: str) -> bool:
    """Return whether one pair of square brackets encloses a title: it is not the printed one.

    `[11C]PIB imaging` and `Iron [corrected]` are printed so.
    """
    depth = 0
    for place, sign in enumerate(title):
        depth += (sign == "[") - (sign == "]")
        if depth == 0:
            return place > 0 and place == len(title) - 1
    return False


class TextIn(Strict):
    """The whole text of a source, which may be passed on: its own address gives it."""

    licence: Licence = Field(
        description="Under which the text may be passed on: an SPDX expression or an address."
    )
    sha256: Sha256 = Field(description="SHA-256 of the text in UTF-8.")
    length: int = Field(ge=1, le=MAX_INTEGER, description="Characters of the text.")


class SourceFields(Strict):
    """What one row of the table holds. Dates may be partial; unconfirmed fields are left out."""

    id: Slug = Field(primary_key=True, description="Slug.")
    type: v.SourceType
    title: VisibleText | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="As printed; in square brackets where the curator supplied it (as ISBD does), "
        "the printed one unknown. It may be missing where an identifier names the work.",
    )
    title_short: VisibleText | None = Field(
        default=None, max_length=500, description="The title as people shorten it."
    )
    title_status: v.TitleStatus | None = Field(
        default=None,
        description="Whether the title is printed, translated or described; null where nobody has "
        "said.",
    )
    authors_complete: bool = Field(
        default=True, description="False where the list goes on beyond what was confirmed."
    )
    container_title: VisibleText | None = Field(
        default=None, max_length=500, description="The journal or book, in full."
    )
    container_title_short: VisibleText | None = Field(
        default=None, max_length=200, description="The journal's abbreviation."
    )
    issn: list[Issn] = Field(
        default=[],
        max_length=MAX_ISSN,
        sa_type=JSON,
        description="The journal's or the series' ISSN, one for each medium.",
    )
    container_isbn: Isbn | None = Field(
        default=None, description="ISBN of the book that the work stands in."
    )
    collection_title: VisibleText | None = Field(
        default=None, max_length=500, description="The series."
    )
    collection_number: VisibleText | None = Field(
        default=None, max_length=50, description="The number within the series."
    )
    edition: VisibleText | None = Field(
        default=None, max_length=200, description="Such as '3' or 'revised'."
    )
    genre: VisibleText | None = Field(
        default=None,
        max_length=200,
        description="Of which kind within its type, such as 'Master's thesis'.",
    )
    event_title: VisibleText | None = Field(
        default=None, max_length=500, description="The conference."
    )
    event_place: VisibleText | None = Field(default=None, max_length=200)
    publisher: VisibleText | None = Field(default=None, max_length=500)
    publisher_place: VisibleText | None = Field(default=None, max_length=200)
    volume: VisibleText | None = Field(default=None, max_length=50)
    issue: VisibleText | None = Field(default=None, max_length=50)
    page: VisibleText | None = Field(
        default=None, max_length=50, description="Page range or e-locator."
    )
    number: VisibleText | None = Field(
        default=None, max_length=50, description="Article or report number."
    )
    issued: PartialDate | None = Field(default=None, description="Date of publication.")
    issued_inferred: bool = Field(
        default=False, description="True where the date is a curator's inference."
    )
    epub_date: PartialDate | None = Field(
        default=None, description="Published online ahead of the issue."
    )
    accessed: PartialDate | None = Field(
        default=None, description="When a curator saw it; an undated source was published by then."
    )
    url: WebAddress | None = None
    language: Text | None = Field(
        default=None, max_length=35, description="BCP 47 tag, such as 'en'."
    )
    study_design: v.StudyDesign
    sample_size: int | None = Field(
        default=None, ge=0, le=MAX_INTEGER, description="People in all groups together."
    )
    sample: VisibleText | None = Field(
        default=None, max_length=500, description="The groups, such as '56 MS, 20 controls'."
    )
    integrity: v.Integrity = "no_notice"
    integrity_note: VisibleText | None = Field(default=None, max_length=2000)
    integrity_date: PartialDate | None = Field(
        default=None,
        description="When that was announced; a retracted source counts in evidence time until "
        "then.",
    )
    versions: list[VersionIn] = Field(
        default=[],
        max_length=MAX_VERSIONS,
        sa_type=JSON,
        description="Sources that are the same body of evidence: what this one is a version, a "
        "preprint, an erratum, a retraction or a part of.",
    )
    cites: list[CitedSource] = Field(
        default=[],
        max_length=MAX_CITES,
        sa_type=JSON,
        description="The sources in its reference list that are recorded here, in its order.",
    )
    main_claim: Slug | None = Field(
        default=None,
        description="Of a document: the claim that its title, or most of it, is about.",
    )
    text_sha256: Sha256 | None = Field(
        default=None,
        description="SHA-256 of the plain text in which anchors count characters.",
    )
    abstract: VisibleText | None = Field(default=None, max_length=MAX_ABSTRACT)
    keywords: list[Keyword] = Field(default=[], max_length=MAX_KEYWORDS, sa_type=JSON)
    licence: Licence | None = Field(
        default=None,
        description="Of the work: an SPDX expression such as CC-BY-4.0, or the address of the "
        "licence.",
    )
    text: TextIn | None = Field(
        default=None,
        sa_type=JSON(none_as_null=True),
        description="Where the whole text is stored and may be passed on: of which kind it is. "
        "The text itself is at `/v1/sources/{source}/text`.",
    )
    contributors: list[ContributorIn] = Field(
        default=[],
        max_length=MAX_CONTRIBUTORS,
        sa_type=JSON,
        description="Editors, translators and others, those of one role together.",
    )
    note: VisibleText | None = Field(default=None, max_length=5000)
    collection: Slug | None = collection_field()
    state: v.ReviewState = "accepted"
    replaced_by: Text | None = Field(
        default=None, max_length=300, description=REPLACED_BY_DESCRIPTION
    )


class SourceIn(SourceFields):
    """A source as a person writes it: the row with its authors and identifiers, in order."""

    authors: list[AuthorIn] = []
    identifiers: list[IdentifierIn] = []

    @model_validator(mode="after")
    def _title_or_identifier(self) -> Self:
        if self.title is None and not self.identifiers:
            raise PydanticCustomError(
                "missing_title",
                "A source has a title, or an identifier that names the work.",
                {"at": "title"},
            )
        if self.title is None and self.title_status is not None:
            raise PydanticCustomError(
                "title_status", "There is no title to tell of.", {"at": "title_status"}
            )
        return self

    @model_validator(mode="after")
    def _contributors_by_role(self) -> Self:
        self.contributors.sort(key=lambda each: v.CONTRIBUTOR_ROLES.rank(each.role))
        return self

    @model_validator(mode="after")
    def _title_as_its_status_says(self) -> Self:
        if self.title_status == "printed" and in_brackets(self.title or ""):
            raise PydanticCustomError(
                "title_status",
                "A title in square brackets is not the printed one.",
                {"at": "title_status"},
            )
        return self

    @model_validator(mode="after")
    def _versions_of_others(self) -> Self:
        others = [version.source for version in self.versions]
        if self.id in others:
            raise PydanticCustomError(
                "version_of_itself",
                "A source is not a version of itself.",
                {"at": f"versions/{others.index(self.id)}/source"},
            )
        if len(others) != len(set(others)):
            raise PydanticCustomError(
                "repeated_version", "There is one tie to each other source.", {"at": "versions"}
            )
        self.versions.sort(key=lambda version: version.source)
        return self

    @model_validator(mode="after")
    def _cites_others(self) -> Self:
        seen = {self.id}
        for number, cited in enumerate(self.cites):
            if cited.source in seen:
                raise PydanticCustomError(
                    "repeated_citation",
                    "A source cites others, each of them once.",
                    {"at": f"cites/{number}/source"},
                )
            seen.add(cited.source)
        return self

    @model_validator(mode="after")
    def _one_of_each_scheme(self) -> Self:
        schemes = [identifier.scheme for identifier in self.identifiers]
        if len(schemes) != len(set(schemes)):
            raise PydanticCustomError(
                "repeated_scheme", "A source has at most one identifier of each scheme."
            )
        if self.integrity != "no_notice" and not self.integrity_note:
            raise PydanticCustomError(
                "integrity_note", "An integrity notice needs a note that says what was announced."
            )
        return self


class Source(SourceFields, table=True):
    """The row. `published` and `year` come from `publication_date`."""

    __table_args__ = (
        vocabulary_check("type", v.SOURCE_TYPES),
        vocabulary_check("study_design", v.STUDY_DESIGNS),
        vocabulary_check("integrity", v.INTEGRITIES),
        vocabulary_check("title_status", v.TITLE_STATUSES),
        vocabulary_check("state", v.REVIEW_STATES),
        CheckConstraint("sample_size >= 0", name="sample_size"),
        Index(None, "year", "id"),
        Index(None, "container_title", "id"),
        Index(None, "study_design", "id"),
        # A claim may be on another shard: no foreign key, as with a relation's target.
        Index(None, "main_claim", "id"),
        Index(None, "collection", "id"),
    )

    published: str
    year: int | None = None
    revision: int
    created: str
    updated: str


class SourceAuthor(AuthorIn, table=True):
    """One author of a source.

    `name_key` is the family or group name without case and accents, to search by.
    """

    __tablename__ = "source_author"
    __table_args__ = (Index(None, "name_key", "source"),)

    source: str = Field(primary_key=True, foreign_key="source.id")
    position: int = Field(primary_key=True)
    name_key: str


class SourceIdentifier(IdentifierIn, table=True):
    """One identifier of a source. No two sources share one."""

    __tablename__ = "source_identifier"
    __table_args__ = (
        vocabulary_check("scheme", v.IDENTIFIER_SCHEMES),
        vocabulary_check("verification", v.VERIFICATIONS),
        UniqueConstraint("source", "scheme"),
    )

    scheme: v.IdentifierScheme = Field(primary_key=True)
    value: str = Field(primary_key=True)
    source: str = Field(foreign_key="source.id")


class SourceVersion(Strict, table=True):
    """The row by which the ties between sources are found: one for each item of `versions`.

    The other source may come later in an export, so it is no foreign key; the program checks it.
    """

    __tablename__ = "source_version"
    __table_args__ = (Index(None, "other", "source"),)

    source: str = Field(primary_key=True, foreign_key="source.id")
    other: str = Field(primary_key=True)


class SourceCitation(Strict, table=True):
    """The row by which citations of a source are found: one for each item of `cites`."""

    __tablename__ = "source_citation"
    __table_args__ = (Index(None, "other", "source"),)

    source: str = Field(primary_key=True, foreign_key="source.id")
    other: str = Field(primary_key=True)


class SourceOut(SourceIn):
    """A source as the API gives it."""

    citation: str = Field(description="Short form for people, such as 'Doepp et al. 2010'.")
    year: int | None
    published: WholeDate = Field(
        description="Last day on which it can first have been published, YYYY-MM-DD."
    )
    revision: int = Field(description="Serial of the change that last touched it; also its ETag.")
    created: Timestamp
    updated: Timestamp


def citation_of(source: Mapping[str, Any], year: int | None) -> str:
    """Return the citation of a source for people: 'Doepp et al. 2010' or 'Singh & Zamboni 2009'.

    Without authors the work's name stands there, shortened: its title, or else an identifier.
    """
    names = [_display_name(author) for author in source["authors"]]
    if not names:
        name = source["title"] or "; ".join(each["value"] for each in source["identifiers"])
        label = textwrap.shorten(name, 60, placeholder="…")
    elif len(names) > 2 or not source["authors_complete"]:
        label = f"{names[0]} et al."
    else:
        label = " & ".join(names)
    return f"{label} {year}" if year else label


def _display_name(author: dict[str, Any]) -> str:
    parts = (author["particle"], author["family"])
    return " ".join(part for part in parts if part) or str(author["literal"])


def author_rows(source: str, authors: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a source's authors, in their order."""
    return [
        {
            **author,
            "source": source,
            "position": position,
            "name_key": name_key(author["family"] or author["literal"]),
        }
        for position, author in enumerate(authors)
    ]


def publication_date(source: SourceFields, recorded: str) -> tuple[str, int | None]:
    """Return the day by which a source was published (YYYY-MM-DD), and its year.

    The day is the last one that the date of the issue or of the online version can mean, whichever
    is earlier, and no later than the day on which somebody saw the source or recorded it here
    (`recorded`, a timestamp). The year is that of the issue, as cited; an undated source has none.
    """
    dates = [date for date in (source.issued, source.epub_date, source.accessed) if date]
    days = [last_day_of(date) for date in dates]
    return min([*days, recorded[:10]]), year_of(source.issued, source.epub_date)


def year_of(issued: str | None, epub_date: str | None) -> int | None:
    """Return the year of a source as cited: that of the issue, or of the online version."""
    date = issued or epub_date
    return int(date[:4]) if date else None


# How many years after this one a work may be dated: journals print next year's date on an issue.
_YEARS_AHEAD = 1


def dates_in_future(source: Mapping[str, Any], today: str) -> list[str]:
    """Return the names of the dates of a source that lie further ahead than a work is dated.

    `today` is YYYY-MM-DD. A date that is none is passed over.
    """
    last_year = f"{int(today[:4]) + _YEARS_AHEAD:04}"
    latest = {"issued": last_year, "epub_date": last_year, "accessed": today[:4]}
    return [name for name, year in latest.items() if str(source.get(name) or "")[:4] > year]


# Letters as people type them who lack them, and apostrophes.
_TYPED = str.maketrans({**UNDECOMPOSED, "ŧ": "t", **dict.fromkeys("’‘ʼ`´", "'")})


def name_key(name: str) -> str:
    """Return a name without case and accents, to search by: 'Sørensen' → 'sorensen'."""
    if name.isascii():
        return name.lower()
    decomposed = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return letters.translate(_TYPED)
