"""The tools: what an agent may ask, and how it is answered. All of them only read.

`next` in an answer holds the arguments that lead to the rest, beside those of the call.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic_core import from_json
from sqlalchemy import Connection

from api.citations import bibliography, style_catalogue
from api.citations.formats import BIBLIOGRAPHY, WRITTEN
from api.http import pagination
from api.http.errors import ParameterError
from api.http.list_formats import claim_as_source
from api.http.pagination import choices
from api.mcp import records
from api.mcp.answers import fitting, shortened, with_page, without_empty
from api.mcp.reading import Surroundings
from api.routes.claims import ClaimParameters
from api.routes.evidence import AllEvidenceParameters
from api.routes.match import MOST_CHARACTERS, MatchIn, match
from api.routes.sources import SourceParameters
from models.core import vocabularies as v
from models.core.errors import Fault
from models.core.types import MAX_INTEGER, Slug, Text
from models.projection import documents
from models.read import change_feed, listings, search_results
from models.read.filters import (
    NO_VALUES,
    Day,
    Filters,
    Many,
    Reference,
    SearchText,
    requested_parameters,
)
from models.records.serializers import Row, sources_out
from models.status import claim_aggregate, explanation

Record = Annotated[Text, Field(min_length=1, max_length=500)]
Limit = Annotated[int, Field(ge=1, le=25)]
Cursor = Annotated[str, Field(max_length=6000)]
Page = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
AS_OF = "With what was published by then: YYYY, YYYY-MM or YYYY-MM-DD."


class SearchArguments(Filters):
    """What to look for."""

    query: SearchText = Field(
        min_length=1, description="Words, a phrase in quotes, an author with a year, DOI or PMID."
    )
    kind: Literal["claim", "source"] | None = Field(None, description="Default: both.")
    status: Many[v.Status] = Field(NO_VALUES, description="Of claims.")
    topic: Many[Slug] = Field(NO_VALUES, description="Of claims.")
    as_of: Day | None = Field(None, description=AS_OF)
    limit: Limit = 10
    cursor: Cursor | None = Field(None, description="Of `next`.")


def search(around: Surroundings, connection: Connection, asked: SearchArguments) -> Row:
    """Find claims, with status, and sources. Then `fetch` by id."""
    of_claims = requested_parameters(asked).keys() & {"status", "topic", "as_of"}
    if of_claims and asked.kind == "source":
        detail = f"Sources have no {', '.join(sorted(of_claims))}; search for claims by it."
        faults = [Fault(at=name, code="invalid_parameter", detail=detail) for name in of_claims]
        raise ParameterError(detail, faults)
    if asked.cursor is not None and asked.kind is None:
        detail = "A cursor goes on with one kind; name it."
        fault = Fault(at="kind", code="needs_kind", detail=detail, allowed=["claim", "source"])
        raise ParameterError(detail, [fault])
    kinds = [asked.kind] if asked.kind else ["claim"] if of_claims else ["claim", "source"]
    results: list[Row] = []
    match, meant, after = {}, None, {}
    for kind in kinds:
        found, cursor, sought = _found(around, connection, asked, kind)
        room = fitting([*results, *found])
        # What does not fit is found by asking for that kind alone, from its beginning.
        shown = found if room == len(results) + len(found) else []
        results += shown
        if found:
            match[kind] = sought.match
            after[kind] = cursor if shown else ""
        meant = meant or sought.did_you_mean
    more = [
        {"kind": kind, **({"cursor": cursor} if cursor else {})}
        for kind, cursor in after.items()
        if cursor is not None
    ]
    return {"results": results, "match": match, "did_you_mean": meant, "next": more or None}


def _found(
    around: Surroundings, connection: Connection, asked: SearchArguments, kind: str
) -> tuple[list[Row], str | None, search_results.Search]:
    """Return the results of one kind, the cursor of those after them, and what was looked for."""
    kept = {name: getattr(asked, name) for name in ("status", "topic", "as_of", "limit")}
    told = {name: value for name, value in kept.items() if value}
    told |= {"q": asked.query} | ({"cursor": asked.cursor} if asked.cursor else {})
    if kind == "source":
        entries: Entries = partial(_brief_sources, around)
        query: Any = SourceParameters(**told)
        listing, statement = listings.SOURCES, listings.sources_statement()
    else:
        entries = partial(_brief_claims, around, asked.as_of)
        query = ClaimParameters(**told)
        listing, statement = listings.CLAIMS, listings.claims_statement()
        if asked.as_of:
            listing, statement = listings.CLAIMS_AS_OF, listings.claims_as_of_statement()
    sought = search_results.search(connection, kind, asked.query, around.synonyms, None)
    listing = search_results.search_listing(connection, listing, kind, sought, ())
    found, cursor = _listed(connection, f"search {kind}", listing, statement, query, entries)
    return found, cursor, sought


Entries = Callable[[Connection, Sequence[Row]], list[Row]]


def _listed(
    connection: Connection,
    name: str,
    listing: listings.Listing,
    statement: Any,
    query: Any,
    entries: Entries,
) -> tuple[list[Row], str | None]:
    """Return the entries of a page of a list, as many as fit, and the cursor of the next."""
    made: list[Row] = []

    def fit(rows: Sequence[Row]) -> int:
        made[:] = entries(connection, rows)
        return fitting(made)

    rows, cursor, _ = pagination.read_rows_of(name, connection, listing, statement, query, fit)
    return made[: len(rows)], cursor


def _brief_claims(
    around: Surroundings, day: str | None, _connection: Connection, rows: Sequence[Row]
) -> list[Row]:
    cores = (from_json(documents.claim_json(row)) for row in rows)
    return [records.brief_claim(around.base, core, day) for core in cores]


def _brief_sources(around: Surroundings, connection: Connection, rows: Sequence[Row]) -> list[Row]:
    sources = sources_out(connection, rows)
    return [records.brief_source(around.base, source) for source in sources]


class FetchArguments(Filters):
    """Which record, and how much of it."""

    id: Record = Field(description="Of a result; or claim slug, claim:line, DOI, PMID, page URL.")
    as_of: Day | None = Field(None, description="Claims: " + AS_OF)
    page: Page = Field(1, description="Of a long text: 1 to `metadata.pages`.")


def fetch(around: Surroundings, connection: Connection, asked: FetchArguments) -> Row:
    """Read a record whole: a claim with status, reasons and evidence; a source, line or topic."""
    kind, name = records.named(around.base, connection, asked.id)
    if asked.as_of and kind != "claim":
        detail = "Only claims are read as of a day."
        raise ParameterError(detail, [Fault(at="as_of", code="invalid_parameter", detail=detail)])
    if kind == "claim":
        found = records.fetched_claim(around.base, connection, name, asked.as_of)
    else:
        found = _FETCHED[kind](around.base, connection, name)
    found = {**found, "metadata": without_empty(found["metadata"])}
    found, pages = with_page(found, "text", asked.page)
    return {**found, "metadata": {**found["metadata"], "page": asked.page, "pages": pages}}


_FETCHED: Mapping[str, Callable[[str, Connection, str], Row]] = {
    "evidence": records.fetched_line,
    "source": records.fetched_source,
    "topic": records.fetched_topic,
}


class EvidenceArguments(Filters):
    """Which lines of evidence."""

    claim: Many[Record] = Field(NO_VALUES, description="On these claims: slugs or ids.")
    query: SearchText | None = Field(None, description="Words of finding or citation.")
    direction: Many[v.Direction] = NO_VALUES
    level_lte: v.EvidenceLevel | None = Field(None, description="This or better; 1 is best.")
    source: Many[Reference] = Field(NO_VALUES, description="Slug, DOI or PMID.")
    as_of: Day | None = Field(None, description=AS_OF)
    limit: Limit = 10
    cursor: Cursor | None = Field(None, description="Of `next`.")


def find_evidence(around: Surroundings, connection: Connection, asked: EvidenceArguments) -> Row:
    """List what sources found for or against claims, the best level first."""
    given = requested_parameters(asked)
    names = {"query": "q", "level_lte": "level.lte"}
    told = {names.get(name, name): value for name, value in given.items()}
    told["claim"] = [records.claim_named(around.base, claim) for claim in asked.claim]
    # Of what is asked for by name, a retraction is told.
    named = asked.claim or asked.source
    listing, match = listings.EVIDENCE if named else listings.EVIDENCE_UNRETRACTED, None
    if asked.query is None:
        told["sort"] = ["level", "-published"]
    else:
        sought = search_results.search(connection, "evidence", asked.query, around.synonyms, None)
        listing = search_results.search_listing(connection, listing, "evidence", sought, ())
        match = sought.match
    query = AllEvidenceParameters(**{name: value for name, value in told.items() if value})
    lines, cursor = _listed(
        connection,
        "find_evidence",
        listing,
        listings.evidence_statement(),
        query,
        partial(_brief_lines, around),
    )
    return {"evidence": lines, "match": match, "next": {"cursor": cursor} if cursor else None}


def _brief_lines(around: Surroundings, connection: Connection, rows: Sequence[Row]) -> list[Row]:
    lines = [from_json(row["document"]) for row in rows]
    sources = records.sources_of_lines(connection, lines)
    return [records.brief_line(around.base, line, sources[line["source"]]) for line in lines]


class TextArguments(Filters):
    """A text, and as of when its claims are told."""

    text: str = Field(min_length=1, max_length=MOST_CHARACTERS)
    as_of: Day | None = Field(None, description=AS_OF)
    start: int = Field(0, ge=0, le=MOST_CHARACTERS, description="Character to go on from.")


def check_text(around: Surroundings, connection: Connection, asked: TextArguments) -> Row:
    """Find which known claims the sentences of a text state, with status. Read `may_deny`: nothing
    says whether a sentence affirms or denies.
    """
    given = MatchIn(text=asked.text, as_of=asked.as_of, limit=CLAIMS_OF_SENTENCE)
    matched = match(given, around.synonyms, around.text_model, connection)
    stated = [each for each in matched["data"] if each["claims"] and each["start"] >= asked.start]
    sentences = [_sentence(around, asked.as_of, each) for each in stated]
    shown = fitting(sentences)
    return {
        "sentences": sentences[:shown],
        "of": len(matched["data"]),
        "method": matched["method"],
        "note": matched["note"],
        "next": {"start": stated[shown]["start"]} if shown < len(stated) else None,
    }


# So many claims are told of a sentence: the further ones are rarely what it states.
CLAIMS_OF_SENTENCE = 2


def _sentence(around: Surroundings, day: str | None, matched: Mapping[str, Any]) -> Row:
    claims = [
        without_empty(
            {
                "id": f"claim/{claim['id']}",
                "statement": shortened(claim["statement"]),
                "status": claim["status"],
                "certainty": claim["certainty"],
                "score": claim["score"],
                "is_exact": claim["is_exact"] or None,
                "may_deny": claim["may_deny"],
                "url": records.claim_address(around.base, claim["id"], day),
            }
        )
        for claim in matched["claims"]
    ]
    return {"sentence": shortened(matched["sentence"]), "start": matched["start"], "claims": claims}


class TimelineArguments(Filters):
    """Which claim, and from when."""

    claim: Record = Field(description="Slug or id.")
    after: Day | None = Field(None, description="Periods that began after this day.")


def timeline(around: Surroundings, connection: Connection, asked: TimelineArguments) -> Row:
    """Show how a claim's status ran over the years, and which evidence changed it."""
    slug = records.claim_named(around.base, asked.claim)
    told = explanation.timeline(listings.load_claim(connection, slug, None, None))
    periods = [_period(period) for period in told.periods if period.starts > (asked.after or "")]
    shown = fitting(periods)
    return {
        "claim": f"claim/{slug}",
        "statement": told.statement,
        "url": records.claim_address(around.base, slug),
        "periods": periods[:shown],
        "next": {"after": periods[shown - 1]["from"]} if shown < len(periods) else None,
    }


def _period(period: explanation.TimelinePeriod) -> Row:
    new = [f"{line.direction}: {line.citation} [evidence/{line.id}]" for line in period.new]
    return without_empty(
        {
            "from": period.starts,
            "until": period.ends,
            "status": period.status,
            "certainty": period.certainty,
            "rule": period.sentence,
            "new": new[:MOST_NEW],
            "more_new": max(0, len(new) - MOST_NEW) or None,
            "without_effect": len(period.during) or None,
        }
    )


# The lines of evidence that are named of one period; `find_evidence` lists all.
MOST_NEW = 6


class CiteArguments(Filters):
    """What to cite, and how."""

    id: Record = Field(description="A claim or source, as for fetch.")
    format: Annotated[str, choices("format", list(WRITTEN))] = "bibliography"
    style: str = Field("apa", max_length=100, description="Of a bibliography: apa, vancouver, …")
    page: Page = 1


def cite(around: Surroundings, connection: Connection, asked: CiteArguments) -> Row:
    """Return a reference to a source, or to a claim at its present revision."""
    kind, name = records.named(around.base, connection, asked.id)
    if kind == "source":
        source = listings.read_referenced_source(connection, name)
        url = records.source_address(around.base, source["id"])
    else:
        kind, slug = "claim", records.claim_named(around.base, name)
        found = listings.load_claim(connection, slug, None, None)
        source = claim_as_source(claim_aggregate.core(found).model_dump(), around.base)
        url = records.claim_address(around.base, slug)
    write = WRITTEN[asked.format].write
    if asked.format == BIBLIOGRAPHY.name:
        chosen = style_catalogue.find(asked.style)
        write = partial(bibliography.write, chosen=chosen, remarks=True)
    answer = {
        "id": f"{kind}/{source['id']}",
        "citation": b"".join(write([source])).decode().strip(),
        "url": url,
        "doi": records.doi_of(source),
    }
    answer, pages = with_page(answer, "citation", asked.page)
    return {**answer, "pages": pages if pages > 1 else None}


class ChangeArguments(Filters):
    """Which changes."""

    claim: Many[Record] = NO_VALUES
    topic: Many[Slug] = NO_VALUES
    since: int | None = Field(
        None, ge=0, le=MAX_INTEGER, description="After this serial, oldest first. Default: newest."
    )
    before: int | None = Field(None, ge=1, le=MAX_INTEGER, description="Older than this serial.")
    limit: Limit = 10


def what_changed(around: Surroundings, connection: Connection, asked: ChangeArguments) -> Row:
    """List changes of the knowledge base; keep `last` and ask again with `since`."""
    if asked.since is not None and asked.before is not None:
        detail = "Give either since or before: they go different ways."
        raise ParameterError(detail, [Fault(at="before", code="invalid_parameter", detail=detail)])
    claims = [records.claim_named(around.base, claim) for claim in asked.claim]
    parameters = {"claim": claims, "topic": asked.topic}
    change_feed.require_known(connection, parameters, change_feed.PUBLIC_REVISIONS)
    if asked.since is None:
        rows, older = change_feed.changes_before(connection, asked.before, asked.limit, parameters)
        more = None if older is None else {"before": older}
        last = listings.current_serial(connection)
    else:
        batch = change_feed.changes_after(connection, asked.since, asked.limit, parameters)
        rows, last = batch.rows, batch.last
        more = {"since": batch.next} if batch.next < batch.last else None
    changes = [_change(row) for row in rows]
    shown = fitting(changes)
    if shown < len(changes):
        more = {"before" if asked.since is None else "since": rows[shown - 1]["serial"]}
    return {"changes": changes[:shown], "last": last, "next": more}


def _change(row: Mapping[str, Any]) -> Row:
    return without_empty(
        {
            "serial": row["serial"],
            "at": row["at"],
            "record": row["record"] or f"{row['kind']} (not public)",
            "action": row["action"],
            "comment": shortened(row["comment"]),
        }
    )


@dataclass(frozen=True)
class Tool:
    """A tool by its name: its arguments, and the function that answers. Its docstring tells what
    the tool does.
    """

    arguments: type[Filters]
    answer: Callable[[Surroundings, Connection, Any], Row]

    @property
    def name(self) -> str:
        """Return the name by which it is called."""
        return self.answer.__name__

    @property
    def description(self) -> str:
        """Return what it does."""
        return " ".join(str(self.answer.__doc__).split())


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(SearchArguments, search),
        Tool(FetchArguments, fetch),
        Tool(EvidenceArguments, find_evidence),
        Tool(TextArguments, check_text),
        Tool(TimelineArguments, timeline),
        Tool(CiteArguments, cite),
        Tool(ChangeArguments, what_changed),
    )
}
