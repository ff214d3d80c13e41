"""Curating in a browser: the forms and their words. The scripts of these pages do it by the API,
with the key of whoever signed in, so that nothing here knows who asks.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field as Parameter

from api.http.read_connection import ThreadReader
from api.site.pages import PageRoute, page
from models.core import vocabularies as v
from models.core.errors import NotFound
from models.core.types import Text
from models.core.vocabulary import Vocabulary
from models.read.filters import Filters
from models.records.discussion import RecordName
from models.records.record_types import CONTENT_TYPES, RECORD_TYPES, split_name

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True)
class Input:
    """A field of a form. `type` is how its value is read: `text`, `area` (a long text), `number`,
    `flag`, `lines` (a list, one on a line), `select`, `checks` (terms), `grades` (terms, each once
    or twice), `rows` (a list of objects with these columns) or `json`. `suggest` names the kind of
    record that is suggested while somebody types.
    """

    name: str
    label: str
    type: str = "text"
    help: str = ""
    terms: Vocabulary | None = None
    required: bool = False
    suggest: str = ""
    columns: tuple["Input", ...] = ()
    part: str = ""


def _texts(*rows: tuple[str, str]) -> tuple[Input, ...]:
    return tuple(Input(name, label) for name, label in rows)


SLUG = "Small letters, digits and hyphens, such as doepp-2010."
DATE = "Year, month or day: 2010, 2010-08 or 2010-08-15."
MORE = Input("more", "All other fields", "json", help="As JSON; the page /docs names the fields.")
# Each form: its parts, each a heading with its fields. The later ones are folded away.
Form = tuple[tuple[str, tuple[Input, ...]], ...]

SOURCE: Form = (
    (
        "The work",
        (
            Input("id", "Short name", required=True, help=SLUG),
            Input("type", "Type", "select", terms=v.SOURCE_TYPES, required=True),
            Input("title", "Title", "area"),
            Input(
                "authors",
                "Authors",
                "rows",
                columns=_texts(
                    ("family", "Family name"), ("given", "Given names"), ("literal", "Or a group")
                ),
            ),
            Input("issued", "Published", help=DATE),
            Input("container_title", "Journal, book or site"),
            *_texts(("volume", "Volume"), ("issue", "Issue"), ("page", "Pages or article number")),
            Input(
                "identifiers",
                "Identifiers",
                "rows",
                columns=(
                    Input("scheme", "Scheme", "select", terms=v.IDENTIFIER_SCHEMES),
                    Input("value", "Value"),
                ),
            ),
        ),
    ),
    (
        "The study",
        (
            Input("study_design", "Study design", "select", terms=v.STUDY_DESIGNS, required=True),
            Input("sample_size", "People in all", "number"),
            Input("sample", "Who they were"),
        ),
    ),
    (
        "More about the work",
        (
            Input("epub_date", "Published online", help=DATE),
            *_texts(("publisher", "Publisher"), ("url", "Address on the web")),
            Input("language", "Language", help="Such as en or de."),
            MORE,
        ),
    ),
)

EVIDENCE: Form = (
    (
        "What is said about what",
        (
            Input("claim", "Claim", required=True, suggest="claim", help="Its short name."),
            Input("source", "Source", required=True, suggest="source", help="Its short name."),
            Input("direction", "Which side it takes", "select", terms=v.DIRECTIONS, required=True),
            Input(
                "finding",
                "Finding",
                "area",
                required=True,
                help="What was found, in your own words.",
            ),
        ),
    ),
    (
        "How strong it is",
        (
            Input("study_design", "Study design", "select", terms=v.STUDY_DESIGNS, required=True),
            Input("level", "Level", "select", terms=v.EVIDENCE_LEVELS, required=True),
            Input("question", "Question it answers", "select", terms=v.QUESTIONS),
            Input("directness", "Directness", "select", terms=v.DIRECTNESS, required=True),
            Input("graded_down", "Reasons to rank it lower", "grades", terms=v.GRADED_DOWN),
            Input("graded_up", "Reasons to rank it higher", "checks", terms=v.GRADED_UP),
            Input(
                "independence_group",
                "Study, cohort or team",
                required=True,
                help=f"Lines of one group count once. {SLUG}",
            ),
        ),
    ),
    (
        "In numbers",
        (
            Input("sample_size", "People in all", "number"),
            Input(
                "effects",
                "Effects",
                "rows",
                columns=(
                    Input("measure", "Measure"),
                    Input("estimate", "Estimate", "number"),
                    Input("low", "From", "number"),
                    Input("high", "To", "number"),
                    Input("p", "P", "number"),
                    Input("unit", "Unit"),
                ),
            ),
            Input(
                "groups",
                "Groups",
                "rows",
                columns=(
                    Input("name", "Group"),
                    Input("n", "People", "number"),
                    Input("events", "With the outcome", "number"),
                ),
            ),
        ),
    ),
    (
        "Where it stands",
        (
            Input("quote", "Quote", "area", help="The source's own words."),
            Input("locator", "Where in the source", help="Abstract, table 2, p. 4."),
            Input("checked_against", "Compared with", "select", terms=v.CHECKED_AGAINST),
            Input("key", "Short name of the line", required=True, help="Usually the source's."),
        ),
    ),
    (
        "The study in its own words",
        (
            *_texts(
                ("sample", "Sample"),
                ("population", "Population"),
                ("exposure", "Exposure, intervention or test"),
                ("comparator", "Compared with"),
                ("outcome", "Outcome"),
                ("follow_up", "Followed for"),
            ),
            Input("studies", "Of a review: how many studies", "number"),
            Input("pools", "Of a review: its sources", "lines", help="One short name on a line."),
            Input("searched_found_none", "Somebody searched and found no evidence", "flag"),
            Input("note", "Remark", "area"),
        ),
    ),
)

CLAIM: Form = (
    (
        "Where it is stated",
        (
            Input("source", "Document", required=True, suggest="source", part="occurrence"),
            Input("quote", "Quote", "area", required=True, part="occurrence"),
            Input("prefix", "Words before it", part="occurrence"),
            Input("suffix", "Words after it", part="occurrence"),
            Input(
                "start",
                "Begins at character",
                "number",
                part="occurrence",
                help="Counted from 0; empty where the text is not at hand.",
            ),
            Input("end", "Ends before character", "number", part="occurrence"),
            Input(
                "asserted_by",
                "Who asserts it",
                "lines",
                required=True,
                part="occurrence",
                help="One short name on a line; article is the document itself.",
            ),
            Input(
                "hedges",
                "Words that weaken it",
                "lines",
                part="occurrence",
                help="As they stand in the quote, one on a line.",
            ),
            Input(
                "key",
                "Short name of the place",
                required=True,
                part="occurrence",
                help="Such as c16.",
            ),
        ),
    ),
    (
        "The claim",
        (
            Input(
                "statement",
                "Statement",
                "area",
                required=True,
                help="One plain sentence, without hedges.",
            ),
            Input(
                "wordings",
                "Other wordings",
                "lines",
                help="How people say or ask it in plain words, one on a line. The claim is found"
                " by them.",
            ),
            Input("id", "Short name", required=True, help=SLUG),
            Input("kind", "Kind", "select", terms=v.CLAIM_KINDS, required=True),
            Input("topics", "Topics", "lines", help="One short name on a line."),
            Input("notice", "What a reader must be told", "area"),
            Input("note", "Remark", "area"),
        ),
    ),
)

ASSESSMENT: Form = (
    (
        "The position",
        (
            Input("assessor", "Body", required=True),
            Input("assessed", "When it was taken", required=True, help=DATE),
            Input("status", "Status that fits its words", "select", terms=v.STATUSES),
            Input("verdict", "Its own words", "area"),
            Input("jurisdiction", "Where it holds"),
            Input("source", "Source", suggest="source", help="Its short name."),
            Input("rationale", "Why, in short", "area"),
        ),
    ),
)
TOPIC = (
    Input("label", "Name", required=True),
    Input("definition", "Definition", "area"),
)
COLLECTION = (
    Input("name", "Name", required=True),
    *_texts(("url", "Address on the web"), ("licence", "Licence"), ("version", "Version")),
    Input("retrieved", "When it was fetched", help=DATE),
    Input("description", "Description", "area"),
)
# What goes with what is suggested of a record, whatever its kind.
SAID: Form = (
    (
        "Why",
        (
            Input(
                "reason",
                "Reason",
                "area",
                required=True,
                part="said",
                help="What a curator should know to decide, and where it can be looked up.",
            ),
            Input("flag", "What is wrong with it", "select", terms=v.FLAGS, part="said"),
            Input(
                "borne_by",
                "A stored source that bears it out",
                suggest="source",
                part="said",
                help="Its short name, if there is one.",
            ),
        ),
    ),
)


def _fields_of(form: Form, part: str) -> Form:
    """Return the fields of one part of a form."""
    return tuple(
        (heading, tuple(field for field in fields if field.part == part))
        for heading, fields in form
    )


def _own_forms() -> dict[str, Form]:
    """Return the fields that a person may suggest to change, by the kind of record: those of its
    form but for its key, and all others as JSON.
    """
    forms: dict[str, Form] = {
        "source": SOURCE,
        "evidence": EVIDENCE,
        "claim": _fields_of(CLAIM, ""),
        "occurrence": _fields_of(CLAIM, "occurrence"),
        "relation": (("The relation", (Input("note", "Remark", "area"),)),),
        "assessment": ASSESSMENT,
        "topic": (("The topic", TOPIC),),
        "collection": (("The collection", COLLECTION),),
    }
    own: dict[str, Form] = {}
    for name, form in forms.items():
        fixed = {*RECORD_TYPES[name].columns, MORE.name}
        parts = [
            (heading, tuple(field for field in fields if field.name not in fixed))
            for heading, fields in form
        ]
        own[name] = (*(part for part in parts if part[1]), (MORE.label, (MORE,)))
    return own


SUGGESTED = _own_forms()


class SuggestionFormParameters(Filters):
    """What the suggestion is about."""

    record: RecordName = Parameter(
        max_length=320, description="Kind and id of a record that is accepted."
    )


class SourceFormParameters(Filters):
    """What is known of the source beforehand."""

    identifier: Text | None = Parameter(None, max_length=500, description="A DOI or a PMID.")


class EvidenceFormParameters(Filters):
    """What the line is about."""

    claim: Text | None = Parameter(None, max_length=100, description="Slug of the claim.")
    source: Text | None = Parameter(None, max_length=500, description="Slug of the source.")


class ClaimFormParameters(Filters):
    """Where the claim is stated."""

    document: Text | None = Parameter(None, max_length=500, description="Slug of the source.")


def _page(
    request: Request,
    template: str,
    title: str,
    form: Form = (),
    **given: str | None,
) -> Response:
    values = {name: value for name, value in given.items() if value}
    return page(request, template, title=title, form=form, given=values)


@router.get("/curate")
def show_overview(request: Request, _connection: ThreadReader) -> Response:
    """Show one's own proposals and what became of them, and the drafts in this browser."""
    return _page(request, "curate.html", "Curate")


@router.get("/curate/queue")
def show_queue(request: Request, _connection: ThreadReader) -> Response:
    """Show what waits for review, for curators."""
    return _page(request, "curate_queue.html", "What waits for review")


@router.get("/curate/source")
def show_source_form(
    request: Request, _connection: ThreadReader, query: Annotated[SourceFormParameters, Query()]
) -> Response:
    """Show the form of a source."""
    return _page(
        request,
        "curate_source.html",
        "Propose a source",
        SOURCE,
        identifier=query.identifier,
    )


@router.get("/curate/evidence")
def show_evidence_form(
    request: Request, _connection: ThreadReader, query: Annotated[EvidenceFormParameters, Query()]
) -> Response:
    """Show the form of a line of evidence."""
    return _page(
        request,
        "curate_evidence.html",
        "Propose a line of evidence",
        EVIDENCE,
        claim=query.claim,
        source=query.source,
    )


@router.get("/curate/claim")
def show_claim_form(
    request: Request, _connection: ThreadReader, query: Annotated[ClaimFormParameters, Query()]
) -> Response:
    """Show the form of a claim with the quote that states it."""
    return _page(
        request,
        "curate_claim.html",
        "Propose a claim",
        CLAIM,
        source=query.document,
    )


@router.get("/curate/suggest")
def show_suggestion_form(
    request: Request,
    _connection: ThreadReader,
    query: Annotated[SuggestionFormParameters, Query()],
) -> Response:
    """Show the form of a suggestion about a record, or of a comment on it. The script fills in what
    the record has.
    """
    kind, _ = split_name(query.record)
    if kind not in CONTENT_TYPES:
        raise NotFound(f"Suggest changes of what is accepted, not of a {kind.name}.")
    return page(
        request,
        "curate_suggest.html",
        title="Suggest a change",
        form=SUGGESTED[kind.name],
        said=SAID,
        about=query.record,
        key=" ".join(kind.columns),
        given={},
    )
