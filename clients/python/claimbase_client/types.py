"""Written by `make client-types` from the OpenAPI document."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict


Action: TypeAlias = Literal[
    "create",
    "update",
    "derive",
    "accept",
    "reject",
    "withdraw",
    "retract",
    "merge",
    "undo",
    "purge",
]
"""
What was done to the record.
"""


class Author(TypedDict):
    """
    A person by family and given names, or a group by its literal name.

    The fields are CSL's name parts, and the person's ORCID iD.
    """

    family: str | None
    given: str | None
    """
    Given names or initials.
    """
    particle: str | None
    """
    CSL's non-dropping particle, such as 'van den'.
    """
    suffix: str | None
    """
    Such as 'Jr' or 'III'.
    """
    literal: str | None
    """
    A group author's name.
    """
    orcid: str | None
    """
    A person's ORCID iD.
    """


BearsOn: TypeAlias = Literal["claim", "relation"]
"""
What a line of evidence is on.
"""


By: TypeAlias = Literal[
    "direction",
    "level",
    "study_design",
    "directness",
    "question",
    "year",
    "independence_group",
    "bears_on",
]
"""
What `by` takes.
"""


Certainty: TypeAlias = Literal["very_low", "low", "moderate", "high"]
"""
GRADE's four words, derived here from the recorded evidence by rule; not a panel's judgement. Ordered from lowest.
"""


class ChangePlace(TypedDict):
    """
    The position in the feed, and which state of the database it shows.
    """

    version: str
    """
    Version of the program.
    """
    serial: int
    """
    Serial of the newest change; 0 before the first one.
    """
    updated: str | None
    """
    When that change was recorded, in UTC.
    """
    limit: int
    next: int
    """
    The next `since`. If it equals `last`, there are no more changes yet.
    """
    last: int
    """
    Serial of the newest change.
    """


CheckedAgainst: TypeAlias = Literal["abstract", "full_text", "page"]
"""
What of the source somebody held the finding against.
"""


CitationFormat: TypeAlias = Literal[
    "csl_json", "bibtex", "ris", "bibliography", "json_ld", "turtle", "nquads"
]
"""
What `format` takes.
"""


class CitationQuery(TypedDict):
    style: NotRequired[str]
    """
    Citation style of `format=bibliography`, `apa` by default: a name or a title of `/v1/citation-styles`.
    """
    locale: NotRequired[str]
    """
    Language of the bibliography, such as `de` or `pt-BR`; by default that of the style, else `en-US`.
    """
    remarks: NotRequired[bool]
    """
    With `true` a bibliography also says which identifiers nobody has verified, and that a work was corrected or is under concern. A retraction is always said.
    """
    min_serial: NotRequired[int]
    """
    The least serial that the answer may show: the highest `X-Serial` that was seen before, so that an answer by another server shows nothing older. 503 `behind` if none has reached it.
    """


ClaimKind: TypeAlias = Literal[
    "definition",
    "background",
    "history",
    "mechanism",
    "causal_hypothesis",
    "finding",
    "association",
    "treatment_effect",
    "harm",
    "state_of_evidence",
    "evaluation",
    "reported_belief",
]
"""
What sort of statement a claim is; it decides what evidence could bear on it.
"""


ClaimOrigin: TypeAlias = Literal["stated", "added"]
"""
Where a claim comes from.
"""


ClaimPartOrSubmitted: TypeAlias = Literal[
    "occurrences", "evidence", "sources", "relations", "assessments", "submitted"
]
"""
What `include` takes.
"""


ClaimSort: TypeAlias = Literal[
    "id",
    "-id",
    "updated",
    "-updated",
    "status",
    "-status",
    "certainty",
    "-certainty",
    "best_level",
    "-best_level",
    "evidence_level",
    "-evidence_level",
    "evidence_count",
    "-evidence_count",
    "relevance",
    "-relevance",
]
"""
What `sort` takes.
"""


class ComparedRating(TypedDict):
    """
    A rating by a scheme that has a crosswalk to a vocabulary of ours, in the words of both.
    """

    scheme: str
    value: str
    """
    As it is rated.
    """
    vocabulary: str
    """
    The vocabulary of ours, such as 'certainties'.
    """
    term: str
    """
    The term there that the crosswalk names for the value.
    """
    ours: str | None
    """
    The term that is derived of the claim; null beside a line, of which none is, and where none can be derived.
    """
    differs: bool
    """
    Whether what is derived of the claim is another term than that of the rating.
    """


ContributorRole: TypeAlias = Literal[
    "editor",
    "translator",
    "chair",
    "collection-editor",
    "compiler",
    "composer",
    "container-author",
    "contributor",
    "curator",
    "director",
    "editorial-director",
    "executive-producer",
    "guest",
    "host",
    "illustrator",
    "interviewer",
    "narrator",
    "organizer",
    "original-author",
    "performer",
    "producer",
    "recipient",
    "reviewed-author",
    "script-writer",
    "series-creator",
]
"""
What somebody who is not an author did for a work, in CSL's words.
"""


class Counts(TypedDict):
    """
    How many records hang on a claim; lines of retracted sources are not counted, but told in
    `notices`.

    Groups are independent bodies of evidence among the counted lines, each on one side, with the
    studies that a review sums up and that are not recorded.
    """

    occurrences: int
    evidence: int
    supports: int
    disputes: int
    inconclusive: int
    groups_supporting: int
    groups_disputing: int
    sources: int


Day: TypeAlias = str
"""
A day, YYYY-MM-DD.
"""


Direction: TypeAlias = Literal["supports", "disputes", "inconclusive"]
"""
Which side a line of evidence takes on the claim.
"""


Directness: TypeAlias = Literal["direct", "indirect"]
"""
Whether a line tests the claim itself. An indirect line ranks one lower, as GRADE rates down for indirectness; so does one whose question does not test a claim of its kind.
"""


class Effect(TypedDict):
    """
    What was found, as numbers: an estimate with its interval.
    """

    measure: str
    """
    As the paper names it, such as 'odds ratio'.
    """
    estimate: float | None
    low: float | None
    """
    Lower end of the interval.
    """
    high: float | None
    """
    Upper end of the interval.
    """
    p: float | None
    """
    The P value.
    """
    unit: str | None


EvidenceLevel: TypeAlias = Literal["1", "2", "3", "4", "5", "not_gradable"]
"""
Oxford CEBM 2011 level of a line of evidence, best first, read together with its question. Not the older 1a–5 scheme.
"""


EvidenceSort: TypeAlias = Literal[
    "id",
    "-id",
    "level",
    "-level",
    "published",
    "-published",
    "sample_size",
    "-sample_size",
    "updated",
    "-updated",
    "relevance",
    "-relevance",
]
"""
What `sort` takes.
"""


Extraction: TypeAlias = Literal["manual", "machine", "machine_reviewed"]
"""
Who read the source for this line.
"""


FacetName: TypeAlias = Literal[
    "status",
    "kind",
    "topic",
    "evidence_level",
    "direction",
    "certainty",
    "asserted_by",
    "study_design",
    "year",
    "single_group",
    "question",
    "independence_group",
]
"""
What `by` takes.
"""


GradedDown: TypeAlias = Literal[
    "quality",
    "imprecision",
    "indirectness",
    "inconsistency",
    "small_effect",
    "publication_bias",
]
"""
Why a line ranks lower than its level; each lowers its rank by one, and one that stands twice (very serious) by two.
"""


GradedUp: TypeAlias = Literal["large_effect", "dose_response", "plausible_confounding"]
"""
Why a line ranks higher than its level; each raises its rank by one, and none beyond rank 2.
"""


class Group(TypedDict):
    """
    One of the groups of people that a study compares.
    """

    name: str
    """
    Such as 'sham', or 'people with MS'.
    """
    n: int
    """
    People in the group.
    """
    events: int | None
    """
    Those of them who had the outcome; null where that is not told.
    """


class GroupCount(TypedDict):
    """
    The independent bodies of evidence that stand on one side at one rank.
    """

    direction: Direction
    rank: int
    count: int
    groups: list[str]
    """
    Independence groups of those that are recorded.
    """


IdentifierScheme: TypeAlias = Literal["doi", "pmid", "pmcid", "isbn", "nct", "uri"]
"""
Where an identifier is registered.
"""


class IdsIn(TypedDict):
    """
    Ids of records.
    """

    ids: list[str]


Integrity: TypeAlias = Literal["no_notice", "corrected", "concern", "retracted"]
"""
What its publisher has announced about it.
"""


LanguageTag: TypeAlias = str
"""
A BCP 47 tag.
"""


Leaning: TypeAlias = Literal["for", "against", "both", "none"]
"""
On which sides of a claim counted evidence stands, however strong it is.
"""


ListClaimEvidenceRetracted: TypeAlias = Literal["true", "false", "any"]


class LookupIn(TypedDict):
    """
    Identifiers in any form in which a path takes one: `doi:…`, an address, a bare PMID.
    """

    identifiers: list[str]


MatchMethod: TypeAlias = Literal["words", "words_and_model"]
"""
What compares texts.
"""


MatchMode: TypeAlias = Literal["all", "any"]
"""
How many of the words of `q` must be there.
"""


MatchedText: TypeAlias = Literal["statement", "wording", "quote"]
"""
Which text of a claim.
"""


class Notices(TypedDict):
    """
    How many lines of evidence rest on a source about which something was announced.
    """

    retracted: int
    concern: int
    corrected: int


PartialDate: TypeAlias = str
"""
A date as exact as it is known: YYYY, YYYY-MM or YYYY-MM-DD.
"""


PointInTime: TypeAlias = str
"""
A time in UTC, or the beginning of one.
"""


class PooledInReview(TypedDict):
    """
    What a review that counts does: it lends its rank, and adds what is not recorded.
    """

    line: str
    direction: Direction
    rank: int
    studies: int
    """
    Studies that it sums up and that stand.
    """
    recorded: list[str]
    """
    Works that it pools and that have lines here; it adds nothing to them.
    """
    lends_to: list[str]
    """
    Those of them to which it lends its rank.
    """
    fallen: list[str]
    """
    Sources that it pools and that are retracted.
    """
    nameless: int
    """
    Studies that it adds, since they are not recorded.
    """


ProblemCode: TypeAlias = Literal[
    "invalid_parameter",
    "unknown_parameter",
    "unknown_value",
    "malformed_identifier",
    "bad_entity_tag",
    "bad_cursor",
    "bad_encoding",
    "address_too_long",
    "body_too_large",
    "headers_too_large",
    "malformed_request",
    "request_timeout",
    "unsupported_media_type",
    "malformed_json",
    "key_required",
    "invalid_key",
    "expired_key",
    "forbidden",
    "origin_refused",
    "missing_extra",
    "misdirected",
    "too_many_requests",
    "invalid_record",
    "too_complex",
    "not_yet_stated",
    "not_yet_recorded",
    "gone",
    "moved",
    "conflict",
    "already_exists",
    "precondition_required",
    "precondition_failed",
    "idempotency_key_reused",
    "not_found",
    "method_not_allowed",
    "not_acceptable",
    "storage_full",
    "unavailable",
    "read_only",
    "behind",
    "damaged",
    "too_slow",
    "internal_error",
    "http_error",
]
"""
The codes that an answer with an error may carry; `type` points here.
"""


class ProblemError(TypedDict):
    """
    One thing that is wrong.
    """

    parameter: NotRequired[str | None]
    """
    Name of the query or path parameter.
    """
    pointer: NotRequired[str | None]
    """
    JSON Pointer into the request's body.
    """
    code: str
    detail: str
    allowed: list[str]
    """
    Valid values.
    """
    suggestion: NotRequired[str | None]
    """
    The nearest valid value.
    """


Question: TypeAlias = Literal[
    "prevalence",
    "diagnosis",
    "prognosis",
    "treatment_benefit",
    "common_harms",
    "aetiology",
    "mechanism",
]
"""
The question type by which a level was given. The 2011 scheme has no rows for aetiology and mechanism: aetiology has the levels of common harms; of mechanism, a study that measures the step itself is level 4, and reasoning from what is known level 5.
"""


RecordKind: TypeAlias = Literal[
    "topic",
    "collection",
    "source",
    "claim",
    "occurrence",
    "evidence",
    "relation",
    "assessment",
    "suggestion",
    "comment",
]
"""
What a revision is a revision of.
"""


RelationType: TypeAlias = Literal[
    "leads_to",
    "depends_on",
    "presupposes",
    "contradicts",
    "rivals",
    "refines",
    "comments_on",
    "analogous_to",
    "names",
    "provenance_of",
    "predicts",
]
"""
Read from the claim to its target: claim «leads to» target.
"""


ReviewMode: TypeAlias = Literal["two_people", "one_person"]
"""
Whether who decided on a record is another person than who proposed it.
"""


ReviewState: TypeAlias = Literal[
    "submitted", "accepted", "rejected", "withdrawn", "retracted", "merged"
]
"""
Where a record stands. Only what is accepted is shown to everybody, and only accepted evidence moves a status.
"""


class RiskOfBias(TypedDict):
    """
    How far the study's result may be bent, as somebody judged it with a tool.
    """

    overall: str
    """
    In the tool's words, such as 'some concerns'.
    """
    tool: str | None
    """
    Such as 'RoB 2' or 'QUADAS-2'.
    """


class Search(TypedDict):
    """
    How `q` was understood.
    """

    match: MatchMode
    """
    Whether all of its words are there, or any of them.
    """
    beginning: bool
    """
    Whether its last word is understood as the beginning of one, since no record has it as it is.
    """
    did_you_mean: str | None
    """
    What it may have meant, if it has words that no record has.
    """
    ranked: int
    """
    So many of the best matches come in the order of their relevance; what else matches comes after them in the order of the ids.
    """


Slug: TypeAlias = str
"""
Lower-case letters and digits joined by single hyphens.
"""


SourceSort: TypeAlias = Literal[
    "id",
    "-id",
    "published",
    "-published",
    "title",
    "-title",
    "updated",
    "-updated",
    "relevance",
    "-relevance",
]
"""
What `sort` takes.
"""


SourceType: TypeAlias = Literal[
    "article-journal",
    "webpage",
    "report",
    "book",
    "chapter",
    "thesis",
    "paper-conference",
    "article",
    "document",
    "dataset",
    "article-magazine",
    "article-newspaper",
    "bill",
    "broadcast",
    "classic",
    "collection",
    "entry",
    "entry-dictionary",
    "entry-encyclopedia",
    "event",
    "figure",
    "graphic",
    "hearing",
    "interview",
    "legal_case",
    "legislation",
    "manuscript",
    "map",
    "motion_picture",
    "musical_score",
    "pamphlet",
    "patent",
    "performance",
    "periodical",
    "personal_communication",
    "post",
    "post-weblog",
    "regulation",
    "review",
    "review-book",
    "software",
    "song",
    "speech",
    "standard",
    "treaty",
]
"""
What kind of work a source is, in CSL's words.
"""


Status: TypeAlias = Literal[
    "refuted",
    "disputed",
    "contested",
    "unassessed",
    "unconfirmed",
    "supported",
    "established",
]
"""
What the accepted evidence amounts to, derived by a named rule. Ordered from worst to best for the claim.
"""


StudyDesign: TypeAlias = Literal[
    "systematic_review",
    "meta_analysis",
    "randomised_trial",
    "sham_controlled_trial",
    "open_label_trial",
    "non_randomised_trial",
    "cohort",
    "case_control",
    "cross_sectional",
    "case_series",
    "case_report",
    "animal",
    "in_vitro",
    "laboratory",
    "pathology",
    "content_analysis",
    "narrative_review",
    "hypothesis",
    "commentary",
    "regulatory_notice",
    "guideline",
    "drug_label",
    "not_recorded",
    "not_applicable",
]
"""
How the source found out what it says.
"""


Submitted: TypeAlias = Literal["submitted"]
"""
What `include` takes.
"""


SuggestionKind: TypeAlias = Literal["topic", "claim", "source"]
"""
What `kind` takes.
"""


class TermCount(TypedDict):
    """
    How many records have a term.
    """

    term: str
    count: int


class Text(TypedDict):
    """
    The whole text of a source, which may be passed on: its own address gives it.
    """

    licence: str
    """
    Under which the text may be passed on: an SPDX expression or an address.
    """
    sha256: str
    """
    SHA-256 of the text in UTF-8.
    """
    length: int
    """
    Characters of the text.
    """


Timestamp: TypeAlias = str
"""
A time in UTC.
"""


TitleStatus: TypeAlias = Literal["printed", "translated", "described"]
"""
Whether a source's title is its own.
"""


TopicRole: TypeAlias = Literal[
    "subject", "object", "population", "intervention", "comparator", "outcome"
]
"""
What a topic is in the statement: that A inhibits B is not that B inhibits A.
"""


UnassessedReason: TypeAlias = Literal[
    "nothing_recorded", "searched_found_none", "only_inconclusive", "inconsistent"
]
"""
What is there of a claim on which nothing takes a side.
"""


class Unreadable(TypedDict):
    """
    What is no identifier, and why.
    """

    given: str
    detail: str


Verification: TypeAlias = Literal["verified", "unverified"]
"""
Whether somebody has seen the identifier on a public page of that work.
"""


VersionTie: TypeAlias = Literal[
    "version_of", "preprint_of", "erratum_to", "retracts", "concern_about", "part_of"
]
"""
Read from the source to the other one: source «is a version of» other. Works that are tied are one body of evidence and count once.
"""


class AnyRecord(TypedDict):
    """
    A record of any kind in any state, with where it stands in review.
    """

    kind: RecordKind
    id: str
    claim: str | None
    """
    The claim that it is, or is a part of.
    """
    state: ReviewState
    proposed_by: str | None
    """
    Who proposed it; null where it did not come by a proposal.
    """
    revision: int
    """
    Its ETag: give it in If-Match to change or decide this very version.
    """
    serial: int
    """
    Serial of the last change to the record itself.
    """
    action: Action
    """
    What that change was.
    """
    actor: str
    at: Timestamp
    """
    When it was made.
    """
    comment: str | None
    review: ReviewMode | None
    """
    Whether another person than the record's proposer made this change (`two_people`), or its proposer (`one_person`); null where nobody proposed the record, or the change decides nothing.
    """
    record: dict[str, Any]
    """
    The record, as it is sent to be stored.
    """


class BodyOfEvidence(TypedDict):
    """
    Lines that count once together, because a work or an independence group is the same.
    """

    direction: Direction
    """
    The side on which it counts.
    """
    rank: int | None
    """
    Null where it only sums up studies of others: it counts by them.
    """
    reason: str
    """
    Why it has that rank.
    """
    works: list[str]
    independence_groups: list[str]
    lines: list[str]


class ChangesQuery(TypedDict):
    kind: NotRequired[RecordKind | list[RecordKind]]
    """
    Kind of record.
    """
    claim: NotRequired[Slug | list[Slug]]
    """
    The claim itself and what hangs on it (slug).
    """
    topic: NotRequired[Slug | list[Slug]]
    """
    The topic itself (slug), and claims with what hangs on them as they were filed at that change; also the change that took a claim out of it.
    """
    actor: NotRequired[str | list[str]]
    """
    Who made the change, however the name is spelled (case, blanks); repeat the parameter for several people.
    """
    limit: NotRequired[int]
    """
    Changes per page.
    """
    min_serial: NotRequired[int]
    """
    The least serial that the answer may show: the highest `X-Serial` that was seen before, so that an answer by another server shows nothing older. 503 `behind` if none has reached it.
    """


class CitedSource(TypedDict):
    """
    A source that another one lists or cites, and where it does so.

    `start` and `end` count characters of the citing source's text from 0, end exclusive, as those
    of an occurrence do.
    """

    source: Slug
    """
    The source that is cited.
    """
    quote: str | None
    """
    The reference, verbatim.
    """
    start: int | None
    end: int | None


class ClaimFilters(TypedDict):
    evidence_level: NotRequired[EvidenceLevel | list[EvidenceLevel]]
    """
    Accepted evidence at this level, as graded.
    """
    evidence_level__lte: NotRequired[EvidenceLevel]
    """
    At this level or better (1 is best).
    """
    direction: NotRequired[Direction | list[Direction]]
    """
    Which side the line takes.
    """
    study_design: NotRequired[StudyDesign | list[StudyDesign]]
    """
    How the source found out.
    """
    question: NotRequired[Question | list[Question]]
    """
    Question by which the level was given.
    """
    independence_group: NotRequired[Slug | list[Slug]]
    """
    Study, cohort or team.
    """
    published__gte: NotRequired[str]
    """
    Evidence published on this day or later.
    """
    published__lte: NotRequired[PartialDate]
    """
    Evidence published on this day or earlier.
    """
    year: NotRequired[int | list[int]]
    """
    Evidence published in this year.
    """
    year__gte: NotRequired[int]
    """
    Evidence published in this year or later.
    """
    year__lte: NotRequired[int]
    """
    Evidence published in this year or earlier.
    """
    source: NotRequired[str | list[str]]
    """
    Evidence from this source: slug, doi:…, pmid:…, pmcid:…, isbn:…, nct:… or uri:…, a DOI, PMID, PMCID or its address
    """
    q: NotRequired[str]
    """
    Full text: all of these words, in whatever form; `"a phrase"` as it is, `begin*`, `-without` what must not be there, `or` between what will do; an identifier, or an author and a year. The best comes first unless `sort` says otherwise.
    """
    match: NotRequired[MatchMode]
    """
    Whether `all` words of `q` must be there, or `any`. By default all, or any if no record has all; `page.search` says which.
    """
    id: NotRequired[str | list[str]]
    """
    These records alone, by id; `not_found` names those that are not there.
    """
    status: NotRequired[Status | list[Status]]
    """
    Derived status.
    """
    status__ne: NotRequired[Status | list[Status]]
    """
    Any status but these.
    """
    kind: NotRequired[ClaimKind | list[ClaimKind]]
    """
    Kind of claim.
    """
    kind__ne: NotRequired[ClaimKind | list[ClaimKind]]
    """
    Any kind but these.
    """
    topic: NotRequired[Slug | list[Slug]]
    """
    Filed under this topic (slug).
    """
    topic__ne: NotRequired[Slug | list[Slug]]
    """
    Not filed under these topics.
    """
    topic_role: NotRequired[str | list[str]]
    """
    Filed under a topic in a role (topic-roles), such as subject:ccsvi.
    """
    asserted_by: NotRequired[Slug | list[Slug]]
    """
    Asserted by (slug, see the facet asserted_by).
    """
    certainty: NotRequired[Certainty | list[Certainty]]
    """
    Certainty of the conclusion.
    """
    certainty__gte: NotRequired[Certainty]
    """
    Certainty of the conclusion of this or higher.
    """
    best_level: NotRequired[EvidenceLevel | list[EvidenceLevel]]
    """
    Best level among its lines; the filter `evidence_level` finds claims with any line of a level.
    """
    best_level__lte: NotRequired[EvidenceLevel]
    """
    A best level of this or better (1 is best).
    """
    document: NotRequired[str | list[str]]
    """
    Stated in this source: slug, doi:…, pmid:…, pmcid:…, isbn:…, nct:… or uri:…, a DOI, PMID, PMCID or its address
    """
    external_id: NotRequired[str | list[str]]
    """
    What another collection calls it, such as `civic:EID1`; repeat it for several, of which any will do.
    """
    collection: NotRequired[Slug | list[Slug]]
    """
    Taken over from this collection (slug).
    """
    has_conflict: NotRequired[bool]
    """
    Whether counted evidence stands on both sides.
    """
    single_group: NotRequired[bool]
    """
    Whether its support is of one independent group alone.
    """
    leaning: NotRequired[Leaning | list[Leaning]]
    """
    On which sides counted evidence stands.
    """
    unassessed_because: NotRequired[UnassessedReason | list[UnassessedReason]]
    """
    What is there of a claim on which nothing takes a side.
    """
    searched_found_none: NotRequired[bool]
    """
    Whether nothing takes a side and somebody searched and found none.
    """
    updated__gte: NotRequired[PointInTime]
    """
    Changed here at or after this UTC time.
    """
    updated__lte: NotRequired[PointInTime]
    """
    Changed here at or before this UTC time.
    """
    as_of: NotRequired[PartialDate]
    """
    Evidence time: with what had been published by this day; YYYY, YYYY-MM or YYYY-MM-DD, counted from its end.
    """
    min_serial: NotRequired[int]
    """
    The least serial that the answer may show: the highest `X-Serial` that was seen before, so that an answer by another server shows nothing older. 503 `behind` if none has reached it.
    """


class ClaimQuery(TypedDict):
    as_of: NotRequired[PartialDate]
    """
    Evidence time: with what had been published by this day; YYYY, YYYY-MM or YYYY-MM-DD, counted from its end.
    """
    known_at: NotRequired[PointInTime]
    """
    Database time: what this knowledge base had recorded by this UTC time, or by the end of its beginning.
    """
    include: NotRequired[ClaimPartOrSubmitted | list[ClaimPartOrSubmitted]]
    """
    Add these parts to the chosen fields; without `fields` all of them are there. `submitted` adds what waits for review (at most 200, the oldest first; `submitted_more` says whether there is more, which `/v1/reviews` lists): needs a key.
    """
    min_serial: NotRequired[int]
    """
    The least serial that the answer may show: the highest `X-Serial` that was seen before, so that an answer by another server shows nothing older. 503 `behind` if none has reached it.
    """


class ClaimsQuery(ClaimFilters):
    highlight: NotRequired[bool]
    """
    `true` adds `highlight` to each record: its texts that contain words of `q`, as HTML with those words marked.
    """
    limit: NotRequired[int]
    """
    Records a page.
    """
    sort: NotRequired[ClaimSort | list[ClaimSort]]
    """
    Such as `best_level` (the best first) or `-updated`; the id decides what is equal.
    """
    include: NotRequired[ClaimPartOrSubmitted | list[ClaimPartOrSubmitted]]
    """
    Add these parts. `submitted` adds what waits for review (at most 200, the oldest first; `submitted_more` says whether there is more, which `/v1/reviews` lists): needs a key.
    """


class Contributor(TypedDict):
    """
    Somebody who did something else for a work than write it.
    """

    family: str | None
    given: str | None
    """
    Given names or initials.
    """
    particle: str | None
    """
    CSL's non-dropping particle, such as 'van den'.
    """
    suffix: str | None
    """
    Such as 'Jr' or 'III'.
    """
    literal: str | None
    """
    A group author's name.
    """
    orcid: str | None
    """
    A person's ORCID iD.
    """
    role: ContributorRole


class CriticalGroup(TypedDict):
    """
    A group whose removal alone would change the status.
    """

    independence_group: str
    lines: list[str]
    status: Status
    status_rule: str


class EvidenceBrief(TypedDict):
    """
    A line of evidence in short.
    """

    id: str
    source: str
    citation: str
    direction: Direction
    level: EvidenceLevel
    rank: int
    """
    Its level, 1 to 5, or 6 where not gradable, moved by the reasons to grade it down or up.
    """
    grading: str
    """
    How the rank follows from the level, in words.
    """
    directness: Directness
    study_design: StudyDesign
    year: int | None
    """
    Null where the source is undated; it then counts from the day it was recorded.
    """
    published: Day
    independence_group: Slug
    work: Slug


class EvidenceFilters(TypedDict):
    q: NotRequired[str]
    """
    Full text: all of these words, in whatever form; `"a phrase"` as it is, `begin*`, `-without` what must not be there, `or` between what will do; an identifier, or an author and a year. The best comes first unless `sort` says otherwise.
    """
    match: NotRequired[MatchMode]
    """
    Whether `all` words of `q` must be there, or `any`. By default all, or any if no record has all; `page.search` says which.
    """
    level: NotRequired[EvidenceLevel | list[EvidenceLevel]]
    """
    Level, as graded.
    """
    level__lte: NotRequired[EvidenceLevel]
    """
    At this level or better (1 is best).
    """
    direction: NotRequired[Direction | list[Direction]]
    """
    Which side the line takes.
    """
    bears_on: NotRequired[BearsOn]
    """
    Whether it bears on the claim, or on a relation of it.
    """
    directness: NotRequired[Directness | list[Directness]]
    """
    Whether the line tests the claim itself.
    """
    question: NotRequired[Question | list[Question]]
    """
    Question by which the level was given.
    """
    study_design: NotRequired[StudyDesign | list[StudyDesign]]
    """
    How the source found out.
    """
    graded_down: NotRequired[GradedDown | list[GradedDown]]
    """
    Graded down for one of these reasons.
    """
    graded_up: NotRequired[GradedUp | list[GradedUp]]
    """
    Graded up for one of these reasons.
    """
    extraction: NotRequired[Extraction | list[Extraction]]
    """
    Who read the source for the line.
    """
    checked_against: NotRequired[CheckedAgainst | list[CheckedAgainst]]
    """
    What of the source the line was held against.
    """
    checked_against__ne: NotRequired[CheckedAgainst | list[CheckedAgainst]]
    """
    Held against none of these, or against nothing that is known.
    """
    pools: NotRequired[str | list[str]]
    """
    Of reviews that sum up this source: slug, doi:…, pmid:…, pmcid:…, isbn:…, nct:… or uri:…, a DOI, PMID, PMCID or its address
    """
    independence_group: NotRequired[Slug | list[Slug]]
    """
    Study, cohort or team.
    """
    source: NotRequired[str | list[str]]
    """
    From this source: slug, doi:…, pmid:…, pmcid:…, isbn:…, nct:… or uri:…, a DOI, PMID, PMCID or its address
    """
    searched_found_none: NotRequired[bool]
    """
    Whether somebody searched and found no evidence.
    """
    retracted: NotRequired[ListClaimEvidenceRetracted]
    """
    `true`: from retracted sources alone; `false`: from none; `any`: both. Across claims it is `false` by default, on one claim `any`.
    """
    published__gte: NotRequired[str]
    """
    Published on this day or later.
    """
    published__lte: NotRequired[PartialDate]
    """
    Published on this day or earlier.
    """
    rating_scheme: NotRequired[Slug | list[Slug]]
    """
    Rated by this scheme of others.
    """
    rating: NotRequired[str | list[str]]
    """
    Rated so by others, in their own words; with `rating_scheme` by one and the same rating. Repeat it for several.
    """
    external_id: NotRequired[str | list[str]]
    """
    What another collection calls it, such as `civic:EID1`; repeat it for several, of which any will do.
    """
    collection: NotRequired[Slug | list[Slug]]
    """
    Taken over from this collection (slug).
    """
    year: NotRequired[int | list[int]]
    """
    Published in this year.
    """
    year__gte: NotRequired[int]
    """
    Published in this year or later.
    """
    year__lte: NotRequired[int]
    """
    Published in this year or earlier.
    """
    sample_size__gte: NotRequired[int]
    """
    At least so many people.
    """
    sample_size__lte: NotRequired[int]
    """
    At most so many people.
    """
    as_of: NotRequired[PartialDate]
    """
    Evidence time: with what had been published by this day; YYYY, YYYY-MM or YYYY-MM-DD, counted from its end.
    """
    id: NotRequired[str | list[str]]
    """
    These records alone, by id; `not_found` names those that are not there.
    """
    claim: NotRequired[Slug | list[Slug]]
    """
    On this claim (slug).
    """
    claim_status: NotRequired[Status | list[Status]]
    """
    On claims with this derived status; with `as_of`, of that day.
    """
    claim_text: NotRequired[str | list[str]]
    """
    On claims whose statement has this text, whatever the case. Repeat it for several.
    """
    topic: NotRequired[Slug | list[Slug]]
    """
    On claims that are filed under this topic (slug).
    """
    min_serial: NotRequired[int]
    """
    The least serial that the answer may show: the highest `X-Serial` that was seen before, so that an answer by another server shows nothing older. 503 `behind` if none has reached it.
    """


class EvidenceQuery(EvidenceFilters):
    include: NotRequired[Submitted | list[Submitted]]
    """
    `submitted` adds what waits for review (at most 200, the oldest first; `submitted_more` says whether there is more, which `/v1/reviews` lists): needs a key.
    """
    highlight: NotRequired[bool]
    """
    `true` adds `highlight` to each record: its texts that contain words of `q`, as HTML with those words marked.
    """
    limit: NotRequired[int]
    """
    Records a page.
    """
    sort: NotRequired[EvidenceSort | list[EvidenceSort]]
    """
    Such as `level,-published`; the id decides what is equal.
    """


class ExplainedLine(TypedDict):
    """
    A line with what it did for the status.
    """

    id: str
    source: str
    citation: str
    direction: Direction
    level: EvidenceLevel
    rank: int
    """
    Its level, 1 to 5, or 6 where not gradable, moved by the reasons to grade it down or up.
    """
    grading: str
    """
    How the rank follows from the level, in words.
    """
    directness: Directness
    study_design: StudyDesign
    year: int | None
    """
    Null where the source is undated; it then counts from the day it was recorded.
    """
    published: Day
    independence_group: Slug
    work: Slug
    part: str
    """
    A term of the vocabulary explanation-parts.
    """


class ExplanationQuery(TypedDict):
    as_of: NotRequired[PartialDate]
    """
    Evidence time: with what had been published by this day; YYYY, YYYY-MM or YYYY-MM-DD, counted from its end.
    """
    known_at: NotRequired[PointInTime]
    """
    Database time: what this knowledge base had recorded by this UTC time, or by the end of its beginning.
    """
    without: NotRequired[Slug | list[Slug]]
    """
    Without these independence groups.
    """
    exclude: NotRequired[Slug | list[Slug]]
    """
    Without these sources, with all their versions.
    """
    level__lte: NotRequired[EvidenceLevel]
    """
    From lines at this level or better (1 is best) alone.
    """
    design: NotRequired[StudyDesign | list[StudyDesign]]
    """
    From lines of these study designs alone.
    """
    min_serial: NotRequired[int]
    """
    The least serial that the answer may show: the highest `X-Serial` that was seen before, so that an answer by another server shows nothing older. 503 `behind` if none has reached it.
    """


class ExternalId(TypedDict):
    """
    The id of a record in another collection.
    """

    scheme: Slug
    """
    The collection, such as 'civic' or 'wikidata'.
    """
    value: str
    """
    As the collection writes it.
    """


class Facet(TypedDict):
    """
    The 100 commonest terms, the records counted under all others, and those without any.
    """

    terms: list[TermCount]
    other: int
    missing: int


class Facets(TypedDict):
    """
    How the records found are spread.
    """

    total: int
    """
    Records found.
    """
    data: dict[str, Facet]
    search: NotRequired[Search]
    """
    With `q`: how it was understood.
    """


class Identifier(TypedDict):
    """
    A registered identifier, with whether somebody has checked that it belongs to this work.
    """

    scheme: IdentifierScheme
    value: str
    verification: Verification


class MatchIn(TypedDict):
    """
    A text, or sentences that are split already.
    """

    text: NotRequired[str | None]
    sentences: NotRequired[list[str] | None]
    as_of: NotRequired[PartialDate | None]
    """
    Evidence time: with what had been published by this day; YYYY, YYYY-MM or YYYY-MM-DD, counted from its end.
    """
    limit: NotRequired[int]
    """
    Claims a sentence. `3` by default.
    """
    min_score: NotRequired[float | None]
    """
    Leave out claims with a lower score.
    """


class MatchedClaim(TypedDict):
    """
    A claim that a sentence may state.
    """

    id: str
    statement: str
    status: Status
    certainty: Certainty | None
    score: float
    """
    0 to 1: how like the sentence and the claim's text are, by their words or, if `method` says so, also by their meaning. No measure of truth.
    """
    is_exact: bool
    """
    One of the two texts stands in the other as it is.
    """
    matched: MatchedText
    """
    What of the claim was like the sentence.
    """
    text: str
    """
    That text of the claim.
    """
    may_deny: list[str]
    """
    Words of only one of the two texts that may turn the meaning round, such as 'not'. Read both: nothing here says whether the sentence affirms the claim or denies it.
    """
    web_page: str
    """
    Path of the claim's page.
    """


class MatchedSentence(TypedDict):
    """
    A sentence, where it stands in the text, and the claims that it may state.
    """

    sentence: str
    start: int | None
    """
    First character in the text, from 0; null if split.
    """
    end: int | None
    """
    The character after its last one.
    """
    claims: list[MatchedClaim]
    """
    Exact quotes first, then the most alike.
    """


class MatrixCell(TypedDict):
    """
    What a source says about a claim: one line of evidence, with its rank.
    """

    id: str
    """
    That of the line of evidence.
    """
    source: Slug
    citation: str
    year: int | None
    published: Day
    direction: Direction
    level: EvidenceLevel
    question: Question | None
    directness: Directness
    rank: int
    """
    Its level, 1 to 5, or 6 where not gradable, moved by the reasons to grade it down or up.
    """
    grading: str
    """
    How the rank follows from the level, in words.
    """
    part: str
    """
    What the line did for the status: a term of the vocabulary explanation-parts.
    """
    study_design: StudyDesign
    sample_size: int | None
    integrity: Integrity
    integrity_date: PartialDate | None
    independence_group: Slug
    work: Slug


class MatrixQuery(ClaimFilters):
    limit: NotRequired[int]
    """
    Records a page.
    """
    sort: NotRequired[ClaimSort | list[ClaimSort]]
    """
    As in a list of claims; the id decides what is equal.
    """


class MatrixRow(TypedDict):
    """
    A claim with its status, and what each source says about it.
    """

    claim: Slug
    statement: str
    kind: ClaimKind
    status: Status
    certainty: Certainty | None
    cells: list[MatrixCell]
    """
    Accepted lines on the claim itself, in the order of their publication.
    """


class Occurrence(TypedDict):
    """
    An occurrence as the API gives it.
    """

    key: Slug
    """
    Unique within the claim.
    """
    source: Slug
    quote: str
    """
    Verbatim, misspellings included.
    """
    prefix: str
    suffix: str
    start: int | None
    end: int | None
    asserted_by: list[Slug]
    """
    Who asserts it, as slugs.
    """
    hedges: list[str]
    """
    The words that weaken or qualify it, verbatim.
    """
    note: str | None
    collection: Slug | None
    """
    The collection from which it was taken over (slug); null where it was written here.
    """
    state: ReviewState
    replaced_by: str | None
    """
    Id of the record that stands in its place, once it is taken back.
    """
    id: str
    claim: str


class Page(TypedDict):
    """
    Where the list goes on, and which state of the database it shows.
    """

    version: str
    """
    Version of the program.
    """
    serial: int
    """
    Serial of the newest change; 0 before the first one.
    """
    updated: str | None
    """
    When that change was recorded, in UTC.
    """
    limit: int
    next: str | None
    """
    Cursor of the next page; null at the end.
    """
    count: NotRequired[int]
    """
    Number of records on all pages, where asked for.
    """
    search: NotRequired[Search]
    """
    With `q`: how it was understood.
    """


class PooledStudy(TypedDict):
    """
    A source that a review pools, as it stands.
    """

    source: Slug
    work: Slug
    """
    The source that stands for all versions of it.
    """
    integrity: Integrity
    integrity_date: PartialDate | None


class Prediction(TypedDict):
    """
    What must hold if a claim holds, and whether it fell.
    """

    claim: Slug
    target: Slug
    """
    The claim that must hold.
    """
    statement: str
    """
    Of the target.
    """
    status: Status
    """
    Of the target.
    """
    certainty: Certainty | None
    note: str | None
    """
    Why the claim predicts it.
    """
    fell: bool
    """
    True where the target is refuted or disputed, unless it is refuted that the claim predicts it.
    """


class Rating(TypedDict):
    """
    A rating by somebody else's scheme, kept as it is.
    """

    scheme: Slug
    """
    The scheme, such as 'civic-level', 'grade' or 'iarc'.
    """
    value: str
    """
    In the scheme's own words, such as 'B' or '2A'.
    """
    by: str | None
    """
    The person or body that rated.
    """
    at: PartialDate | None
    """
    When it was rated.
    """


class Revision(TypedDict):
    """
    One recorded change: who did what and when.

    Fields that would disclose a proposal are null for readers who may not see it.
    """

    serial: int
    record: str | None
    """
    Kind and id of the record, such as `claim/ccsvi-causes-ms`; null where the change is withheld.
    """
    kind: RecordKind
    claim: str | None
    """
    The claim that the record is, or is a part of.
    """
    action: Action
    actor: str | None
    """
    Who did it; null where the change is withheld.
    """
    at: Timestamp
    comment: str | None
    state: ReviewState
    """
    Where the record stands after the change.
    """
    review: ReviewMode | None
    """
    Whether another person than the record's proposer made this change (`two_people`), or its proposer (`one_person`); null where nobody proposed the record, or the change decides nothing.
    """
    change: int
    """
    Serial of the first change that was made together with this one.
    """


class RevisionWhole(TypedDict):
    """
    One recorded change with the record after it.
    """

    serial: int
    record: str | None
    """
    Kind and id of the record, such as `claim/ccsvi-causes-ms`; null where the change is withheld.
    """
    kind: RecordKind
    claim: str | None
    """
    The claim that the record is, or is a part of.
    """
    action: Action
    actor: str | None
    """
    Who did it; null where the change is withheld.
    """
    at: Timestamp
    comment: str | None
    state: ReviewState
    """
    Where the record stands after the change.
    """
    review: ReviewMode | None
    """
    Whether another person than the record's proposer made this change (`two_people`), or its proposer (`one_person`); null where nobody proposed the record, or the change decides nothing.
    """
    change: int
    """
    Serial of the first change that was made together with this one.
    """
    body: dict[str, Any] | None
    """
    The whole record after the change; null where it is withheld or only proposed again, empty where it was purged.
    """


class RoleOfTopic(TypedDict):
    """
    What one of a claim's topics is in its statement.
    """

    topic: Slug
    """
    One of the claim's topics.
    """
    role: TopicRole


class SetAside(TypedDict):
    """
    What is left out to see what the status would be then; nothing is stored.
    """

    without: list[str]
    """
    Independence groups.
    """
    exclude: list[str]
    """
    Sources, with all their versions.
    """
    level_lte: EvidenceLevel | None
    """
    The worst level that counts.
    """
    design: list[StudyDesign]
    """
    The study designs that count; all if there are none.
    """


class SourcesQuery(TypedDict):
    highlight: NotRequired[bool]
    """
    `true` adds `highlight` to each record: its texts that contain words of `q`, as HTML with those words marked.
    """
    include: NotRequired[Submitted | list[Submitted]]
    """
    `submitted` adds what waits for review (at most 200, the oldest first; `submitted_more` says whether there is more, which `/v1/reviews` lists): needs a key.
    """
    limit: NotRequired[int]
    """
    Records a page.
    """
    q: NotRequired[str]
    """
    Full text: all of these words, in whatever form; `"a phrase"` as it is, `begin*`, `-without` what must not be there, `or` between what will do; an identifier, or an author and a year. The best comes first unless `sort` says otherwise.
    """
    match: NotRequired[MatchMode]
    """
    Whether `all` words of `q` must be there, or `any`. By default all, or any if no record has all; `page.search` says which.
    """
    id: NotRequired[str | list[str]]
    """
    These records alone, by id; `not_found` names those that are not there.
    """
    type: NotRequired[SourceType | list[SourceType]]
    """
    Type of source.
    """
    identifier: NotRequired[str | list[str]]
    """
    One of these sources: slug, doi:…, pmid:…, pmcid:…, isbn:…, nct:… or uri:…, a DOI, PMID, PMCID or its address. The answer says which it did not find.
    """
    author: NotRequired[str | list[str]]
    """
    Family name or group's name of an author; case and accents do not matter.
    """
    journal: NotRequired[str | list[str]]
    """
    Journal, in full or as abbreviated, or a part of its name; case does not matter. Repeat it for several.
    """
    study_design: NotRequired[StudyDesign | list[StudyDesign]]
    """
    How the source found out.
    """
    title_status: NotRequired[TitleStatus | list[TitleStatus]]
    """
    Where its title comes from.
    """
    version_of: NotRequired[str | list[str]]
    """
    Tied to this source as a version of it: slug, doi:…, pmid:…, pmcid:…, isbn:…, nct:… or uri:…, a DOI, PMID, PMCID or its address
    """
    preprint_of: NotRequired[str | list[str]]
    """
    The preprint of this source.
    """
    erratum_to: NotRequired[str | list[str]]
    """
    An erratum to this source.
    """
    retracts: NotRequired[str | list[str]]
    """
    Announces that this source is retracted.
    """
    concern_about: NotRequired[str | list[str]]
    """
    Announces a concern about this source.
    """
    part_of: NotRequired[str | list[str]]
    """
    Tells of a part of this source.
    """
    cites: NotRequired[str | list[str]]
    """
    Cites this source.
    """
    cited_by: NotRequired[str | list[str]]
    """
    In the reference list of this source, as far as recorded here.
    """
    integrity: NotRequired[Integrity | list[Integrity]]
    """
    What its publisher has announced.
    """
    retracted: NotRequired[bool]
    """
    Whether it is retracted.
    """
    verification: NotRequired[Verification | list[Verification]]
    """
    With an identifier that is so.
    """
    published__gte: NotRequired[str]
    """
    Published on this day or later.
    """
    published__lte: NotRequired[PartialDate]
    """
    Published on this day or earlier.
    """
    collection: NotRequired[Slug | list[Slug]]
    """
    Taken over from this collection (slug).
    """
    year: NotRequired[int | list[int]]
    """
    Published in this year.
    """
    year__gte: NotRequired[int]
    """
    Published in this year or later.
    """
    year__lte: NotRequired[int]
    """
    Published in this year or earlier.
    """
    sort: NotRequired[SourceSort | list[SourceSort]]
    """
    Such as `-published`; the id decides what is equal.
    """
    min_serial: NotRequired[int]
    """
    The least serial that the answer may show: the highest `X-Serial` that was seen before, so that an answer by another server shows nothing older. 503 `behind` if none has reached it.
    """


class Suggestion(TypedDict):
    """
    A record that may be meant.
    """

    kind: SuggestionKind
    id: str
    label: str
    """
    A topic's label, a claim's statement, a source's title.
    """
    wording: NotRequired[str]
    """
    Another wording of a claim, in which words begin so where its statement's do not.
    """
    citation: NotRequired[str]
    """
    A source in short form, such as 'Doepp et al. 2010'.
    """


class Suggestions(TypedDict):
    """
    At most ten, the kinds by turns; within a kind in the order of what was found.
    """

    data: list[Suggestion]


class TimelinePeriod(TypedDict):
    """
    A stretch of evidence time, and the evidence that began it.
    """

    status: Status
    status_rule: str
    sentence: str
    certainty: Certainty | None
    starts: Day
    ends: Day | None
    """
    First day after it; null where it lasts.
    """
    new: list[EvidenceBrief]
    """
    Lines that count from its first day on and made the change.
    """
    during: list[EvidenceBrief]
    """
    Lines that came later in the period and changed nothing.
    """
    rests_on: list[EvidenceBrief]
    """
    Lines on which its rule rests on that day.
    """


class Version(TypedDict):
    """
    A tie to a source that is the same body of evidence, read from this source to the other.
    """

    type: VersionTie
    source: Slug
    """
    The other source.
    """


class WhatIf(TypedDict):
    """
    What was set aside, and the status without that.
    """

    set_aside: SetAside
    lines: list[str]
    """
    Ids of the lines that were set aside.
    """
    status: Status
    """
    With all evidence, as the claim has it.
    """
    status_rule: str
    certainty: Certainty | None
    changes_status: bool
    """
    Whether status, rule or certainty differ.
    """


class Assessment(TypedDict):
    """
    A decision as the API gives it.
    """

    key: Slug
    """
    Unique within the claim.
    """
    assessor: str
    """
    The person or body that decided.
    """
    status: Status | None
    """
    The status that was decided on, or that fits the words of `verdict`; null where none does.
    """
    verdict: str | None
    """
    The position in the assessor's own words, verbatim; required where there is no status.
    """
    jurisdiction: str | None
    """
    Where the position holds, such as 'England' or 'United States'.
    """
    assessed: PartialDate
    """
    When it was decided.
    """
    rationale: str
    source: Slug | None
    ratings: list[Rating]
    """
    How others rate it, by schemes of their own; no rule reads them.
    """
    collection: Slug | None
    """
    The collection from which it was taken over (slug); null where it was written here.
    """
    state: ReviewState
    replaced_by: str | None
    """
    Id of the record that stands in its place, once it is taken back.
    """
    id: str
    claim: str
    ratings_compared: list[ComparedRating]
    """
    Those of `ratings` whose scheme has a crosswalk, beside what is derived here. It warns and changes nothing: no rule reads it.
    """
    outdated: bool
    """
    True where evidence that counts was published after the decision.
    """


class ChangePage(TypedDict):
    """
    A page of changes. It may be empty although more follow, if the filters exclude every change
    that was examined.
    """

    data: list[Revision | RevisionWhole]
    page: ChangePlace


class Evidence(TypedDict):
    """
    A line of evidence as the API gives it.
    """

    key: Slug
    """
    Unique within the claim; usually the source's slug.
    """
    source: Slug
    direction: Direction
    level: EvidenceLevel
    question: Question | None
    """
    Required unless the level is not_gradable.
    """
    directness: Directness
    graded_down: list[GradedDown]
    """
    Why it ranks lower than its level; each lowers its rank by one. A reason that stands twice is very serious.
    """
    graded_up: list[GradedUp]
    """
    Why it ranks higher than its level; each raises its rank by one, and none beyond rank 2.
    """
    study_design: StudyDesign
    sample_size: int | None
    """
    People in all groups together.
    """
    sample: str | None
    finding: str
    """
    What was found, in the curator's own words.
    """
    effects: list[Effect]
    """
    What was found, as numbers: one for each measure.
    """
    groups: list[Group]
    """
    People by group, and how many of them had the outcome.
    """
    population: str | None
    exposure: str | None
    """
    The exposure, the intervention or the test.
    """
    comparator: str | None
    outcome: str | None
    follow_up: str | None
    """
    How long, such as '48 weeks'.
    """
    risk_of_bias: RiskOfBias | None
    pools: list[Slug]
    """
    Of a review: slugs of the sources that it sums up. It lends its rank to those that have lines on the claim, and adds none to them.
    """
    studies: int | None
    """
    Of a review: how many independent studies it sums up; null where not known.
    """
    quote: str | None
    """
    Verbatim words of the source.
    """
    locator: str | None
    """
    Where in the source: abstract, table 2, p. 4.
    """
    independence_group: Slug
    searched_found_none: bool
    """
    True where somebody searched and found no evidence.
    """
    extraction: Extraction
    checked_against: CheckedAgainst | None
    """
    What of the source the line was held against; null where that is not known.
    """
    ratings: list[Rating]
    """
    How others rate it, by schemes of their own; no rule reads them.
    """
    external_ids: list[ExternalId]
    """
    What other collections call it.
    """
    note: str | None
    relation_type: RelationType | None
    """
    Given where the line bears on a relation of the claim, not on the claim: the relation's type.
    """
    relation_target: Slug | None
    """
    The target of that relation.
    """
    collection: Slug | None
    """
    The collection from which it was taken over (slug); null where it was written here.
    """
    state: ReviewState
    replaced_by: str | None
    """
    Id of the record that stands in its place, once it is taken back.
    """
    id: str
    """
    The claim's slug, a colon and the line's key.
    """
    claim: str
    bears_on: BearsOn
    """
    Whether it bears on the claim, or on a relation of it.
    """
    ratings_compared: list[ComparedRating]
    """
    Those of `ratings` whose scheme has a crosswalk, beside what is derived here. It warns and changes nothing: no rule reads it.
    """
    work: str
    """
    The source that stands for all versions of its source: lines of one work are one body of evidence.
    """
    pooled: list[PooledStudy]
    """
    The sources in `pools`, as they stand.
    """
    citation: str
    """
    Short form of the source, such as 'Doepp et al. 2010'.
    """
    year: int | None
    """
    Year of publication; null where it is not known.
    """
    published: Day
    """
    From when the line counts in evidence time, YYYY-MM-DD: the last day that the source's date can mean, or the day on which an undated source was recorded here.
    """
    integrity: Integrity
    """
    What is announced about the source; a retracted one counts no more.
    """
    integrity_date: PartialDate | None
    """
    When that was announced.
    """
    date_inferred: bool
    """
    True where that day is inferred: the source is undated, or its date is a curator's inference.
    """
    created: Timestamp
    updated: Timestamp


class Explanation(TypedDict):
    """
    The rule that decided, and what every line did.
    """

    claim: str
    statement: str
    as_of: str | None
    """
    Evidence time asked about; null means everything recorded.
    """
    status: Status
    status_rule: str
    sentence: str
    """
    The rule in one sentence.
    """
    certainty: Certainty | None
    certainty_reasons: list[str]
    searched_found_none: bool
    groups: list[GroupCount]
    """
    Independent bodies of evidence among the counted lines, at their rank.
    """
    bodies: list[BodyOfEvidence]
    reviews: list[PooledInReview]
    """
    Reviews that count, and what they pool.
    """
    lines: list[ExplainedLine]
    critical_groups: list[CriticalGroup]
    """
    Groups whose removal alone would change the status.
    """
    predictions: list[Prediction]
    """
    What must hold if the claim holds. One that fell speaks against the claim; no rule counts it.
    """
    compared_with: WhatIf | None
    """
    Given where something was set aside: all the rest is as it would be then.
    """
    notice: str
    """
    The general notice, and after it that of the claim.
    """


class FoundEvidence(TypedDict):
    """
    A line of evidence as a list gives it.
    """

    key: Slug
    """
    Unique within the claim; usually the source's slug.
    """
    source: Slug
    direction: Direction
    level: EvidenceLevel
    question: Question | None
    """
    Required unless the level is not_gradable.
    """
    directness: Directness
    graded_down: list[GradedDown]
    """
    Why it ranks lower than its level; each lowers its rank by one. A reason that stands twice is very serious.
    """
    graded_up: list[GradedUp]
    """
    Why it ranks higher than its level; each raises its rank by one, and none beyond rank 2.
    """
    study_design: StudyDesign
    sample_size: int | None
    """
    People in all groups together.
    """
    sample: str | None
    finding: str
    """
    What was found, in the curator's own words.
    """
    effects: list[Effect]
    """
    What was found, as numbers: one for each measure.
    """
    groups: list[Group]
    """
    People by group, and how many of them had the outcome.
    """
    population: str | None
    exposure: str | None
    """
    The exposure, the intervention or the test.
    """
    comparator: str | None
    outcome: str | None
    follow_up: str | None
    """
    How long, such as '48 weeks'.
    """
    risk_of_bias: RiskOfBias | None
    pools: list[Slug]
    """
    Of a review: slugs of the sources that it sums up. It lends its rank to those that have lines on the claim, and adds none to them.
    """
    studies: int | None
    """
    Of a review: how many independent studies it sums up; null where not known.
    """
    quote: str | None
    """
    Verbatim words of the source.
    """
    locator: str | None
    """
    Where in the source: abstract, table 2, p. 4.
    """
    independence_group: Slug
    searched_found_none: bool
    """
    True where somebody searched and found no evidence.
    """
    extraction: Extraction
    checked_against: CheckedAgainst | None
    """
    What of the source the line was held against; null where that is not known.
    """
    ratings: list[Rating]
    """
    How others rate it, by schemes of their own; no rule reads them.
    """
    external_ids: list[ExternalId]
    """
    What other collections call it.
    """
    note: str | None
    relation_type: RelationType | None
    """
    Given where the line bears on a relation of the claim, not on the claim: the relation's type.
    """
    relation_target: Slug | None
    """
    The target of that relation.
    """
    collection: Slug | None
    """
    The collection from which it was taken over (slug); null where it was written here.
    """
    state: ReviewState
    replaced_by: str | None
    """
    Id of the record that stands in its place, once it is taken back.
    """
    id: str
    """
    The claim's slug, a colon and the line's key.
    """
    claim: str
    bears_on: BearsOn
    """
    Whether it bears on the claim, or on a relation of it.
    """
    ratings_compared: list[ComparedRating]
    """
    Those of `ratings` whose scheme has a crosswalk, beside what is derived here. It warns and changes nothing: no rule reads it.
    """
    work: str
    """
    The source that stands for all versions of its source: lines of one work are one body of evidence.
    """
    pooled: list[PooledStudy]
    """
    The sources in `pools`, as they stand.
    """
    citation: str
    """
    Short form of the source, such as 'Doepp et al. 2010'.
    """
    year: int | None
    """
    Year of publication; null where it is not known.
    """
    published: Day
    """
    From when the line counts in evidence time, YYYY-MM-DD: the last day that the source's date can mean, or the day on which an undated source was recorded here.
    """
    integrity: Integrity
    """
    What is announced about the source; a retracted one counts no more.
    """
    integrity_date: PartialDate | None
    """
    When that was announced.
    """
    date_inferred: bool
    """
    True where that day is inferred: the source is undated, or its date is a curator's inference.
    """
    created: Timestamp
    updated: Timestamp
    highlight: NotRequired[dict[str, str]]
    """
    With `highlight`: the position of a text in the record → the text as HTML, with `<mark>` around matches.
    """


class FoundSource(TypedDict):
    """
    A source as a list gives it.
    """

    id: Slug
    """
    Slug.
    """
    type: SourceType
    title: str | None
    """
    As printed; in square brackets where the curator supplied it (as ISBD does), the printed one unknown. It may be missing where an identifier names the work.
    """
    title_short: str | None
    """
    The title as people shorten it.
    """
    title_status: TitleStatus | None
    """
    Whether the title is printed, translated or described; null where nobody has said.
    """
    authors_complete: bool
    """
    False where the list goes on beyond what was confirmed.
    """
    container_title: str | None
    """
    The journal or book, in full.
    """
    container_title_short: str | None
    """
    The journal's abbreviation.
    """
    issn: list[str]
    """
    The journal's or the series' ISSN, one for each medium.
    """
    container_isbn: str | None
    """
    ISBN of the book that the work stands in.
    """
    collection_title: str | None
    """
    The series.
    """
    collection_number: str | None
    """
    The number within the series.
    """
    edition: str | None
    """
    Such as '3' or 'revised'.
    """
    genre: str | None
    """
    Of which kind within its type, such as 'Master's thesis'.
    """
    event_title: str | None
    """
    The conference.
    """
    event_place: str | None
    publisher: str | None
    publisher_place: str | None
    volume: str | None
    issue: str | None
    page: str | None
    """
    Page range or e-locator.
    """
    number: str | None
    """
    Article or report number.
    """
    issued: PartialDate | None
    """
    Date of publication.
    """
    issued_inferred: bool
    """
    True where the date is a curator's inference.
    """
    epub_date: PartialDate | None
    """
    Published online ahead of the issue.
    """
    accessed: PartialDate | None
    """
    When a curator saw it; an undated source was published by then.
    """
    url: str | None
    language: str | None
    """
    BCP 47 tag, such as 'en'.
    """
    study_design: StudyDesign
    sample_size: int | None
    """
    People in all groups together.
    """
    sample: str | None
    """
    The groups, such as '56 MS, 20 controls'.
    """
    integrity: Integrity
    integrity_note: str | None
    integrity_date: PartialDate | None
    """
    When that was announced; a retracted source counts in evidence time until then.
    """
    versions: list[Version]
    """
    Sources that are the same body of evidence: what this one is a version, a preprint, an erratum, a retraction or a part of.
    """
    cites: list[CitedSource]
    """
    The sources in its reference list that are recorded here, in its order.
    """
    main_claim: Slug | None
    """
    Of a document: the claim that its title, or most of it, is about.
    """
    text_sha256: str | None
    """
    SHA-256 of the plain text in which anchors count characters.
    """
    abstract: str | None
    keywords: list[str]
    licence: str | None
    """
    Of the work: an SPDX expression such as CC-BY-4.0, or the address of the licence.
    """
    text: Text | None
    """
    Where the whole text is stored and may be passed on: of which kind it is. The text itself is at `/v1/sources/{source}/text`.
    """
    contributors: list[Contributor]
    """
    Editors, translators and others, those of one role together.
    """
    note: str | None
    collection: Slug | None
    """
    The collection from which it was taken over (slug); null where it was written here.
    """
    state: ReviewState
    replaced_by: str | None
    """
    Id of the record that stands in its place, once it is taken back.
    """
    authors: list[Author]
    identifiers: list[Identifier]
    citation: str
    """
    Short form for people, such as 'Doepp et al. 2010'.
    """
    year: int | None
    published: Day
    """
    Last day on which it can first have been published, YYYY-MM-DD.
    """
    revision: int
    """
    Serial of the change that last touched it; also its ETag.
    """
    created: Timestamp
    updated: Timestamp
    highlight: NotRequired[dict[str, str]]
    """
    With `highlight`: the position of a text in the record → the text as HTML, with `<mark>` around matches.
    """


class LookedUpEvidence(TypedDict):
    """
    The lines of evidence that ids name, in the order of the ids, and the ids that name none.
    """

    data: list[Evidence]
    not_found: list[str]


class Matched(TypedDict):
    """
    The sentences in their order.
    """

    data: list[MatchedSentence]
    method: MatchMethod
    note: str | None
    """
    Why it was by words alone, if it might have been better.
    """
    notice: str
    """
    The general notice.
    """


class MatrixPage(TypedDict):
    """
    A page of an evidence matrix: a row for each claim, with a cell for each line on it.
    """

    not_found: NotRequired[list[str]]
    """
    With `id`: those that name no record.
    """
    data: list[MatrixRow]
    page: Page
    notice: str
    """
    The general notice.
    """


class Relation(TypedDict):
    """
    A relation as the API returns it.

    Its status follows from the evidence on the relation itself, by the same rules as a claim's.
    """

    type: RelationType
    target: Slug
    """
    The other claim. It may live on another shard: no foreign key.
    """
    note: str | None
    collection: Slug | None
    """
    The collection from which it was taken over (slug); null where it was written here.
    """
    state: ReviewState
    replaced_by: str | None
    """
    Id of the record that stands in its place, once it is taken back.
    """
    claim: str
    status: Status
    status_rule: str
    certainty: Certainty | None
    evidence: list[Evidence]
    """
    Accepted lines that bear on the tie: it may be wrong while both ends hold.
    """


class Source(TypedDict):
    """
    A source as the API gives it.
    """

    id: Slug
    """
    Slug.
    """
    type: SourceType
    title: str | None
    """
    As printed; in square brackets where the curator supplied it (as ISBD does), the printed one unknown. It may be missing where an identifier names the work.
    """
    title_short: str | None
    """
    The title as people shorten it.
    """
    title_status: TitleStatus | None
    """
    Whether the title is printed, translated or described; null where nobody has said.
    """
    authors_complete: bool
    """
    False where the list goes on beyond what was confirmed.
    """
    container_title: str | None
    """
    The journal or book, in full.
    """
    container_title_short: str | None
    """
    The journal's abbreviation.
    """
    issn: list[str]
    """
    The journal's or the series' ISSN, one for each medium.
    """
    container_isbn: str | None
    """
    ISBN of the book that the work stands in.
    """
    collection_title: str | None
    """
    The series.
    """
    collection_number: str | None
    """
    The number within the series.
    """
    edition: str | None
    """
    Such as '3' or 'revised'.
    """
    genre: str | None
    """
    Of which kind within its type, such as 'Master's thesis'.
    """
    event_title: str | None
    """
    The conference.
    """
    event_place: str | None
    publisher: str | None
    publisher_place: str | None
    volume: str | None
    issue: str | None
    page: str | None
    """
    Page range or e-locator.
    """
    number: str | None
    """
    Article or report number.
    """
    issued: PartialDate | None
    """
    Date of publication.
    """
    issued_inferred: bool
    """
    True where the date is a curator's inference.
    """
    epub_date: PartialDate | None
    """
    Published online ahead of the issue.
    """
    accessed: PartialDate | None
    """
    When a curator saw it; an undated source was published by then.
    """
    url: str | None
    language: str | None
    """
    BCP 47 tag, such as 'en'.
    """
    study_design: StudyDesign
    sample_size: int | None
    """
    People in all groups together.
    """
    sample: str | None
    """
    The groups, such as '56 MS, 20 controls'.
    """
    integrity: Integrity
    integrity_note: str | None
    integrity_date: PartialDate | None
    """
    When that was announced; a retracted source counts in evidence time until then.
    """
    versions: list[Version]
    """
    Sources that are the same body of evidence: what this one is a version, a preprint, an erratum, a retraction or a part of.
    """
    cites: list[CitedSource]
    """
    The sources in its reference list that are recorded here, in its order.
    """
    main_claim: Slug | None
    """
    Of a document: the claim that its title, or most of it, is about.
    """
    text_sha256: str | None
    """
    SHA-256 of the plain text in which anchors count characters.
    """
    abstract: str | None
    keywords: list[str]
    licence: str | None
    """
    Of the work: an SPDX expression such as CC-BY-4.0, or the address of the licence.
    """
    text: Text | None
    """
    Where the whole text is stored and may be passed on: of which kind it is. The text itself is at `/v1/sources/{source}/text`.
    """
    contributors: list[Contributor]
    """
    Editors, translators and others, those of one role together.
    """
    note: str | None
    collection: Slug | None
    """
    The collection from which it was taken over (slug); null where it was written here.
    """
    state: ReviewState
    replaced_by: str | None
    """
    Id of the record that stands in its place, once it is taken back.
    """
    authors: list[Author]
    identifiers: list[Identifier]
    citation: str
    """
    Short form for people, such as 'Doepp et al. 2010'.
    """
    year: int | None
    published: Day
    """
    Last day on which it can first have been published, YYYY-MM-DD.
    """
    revision: int
    """
    Serial of the change that last touched it; also its ETag.
    """
    created: Timestamp
    updated: Timestamp


class SourcePage(TypedDict):
    """
    A page of sources.
    """

    submitted: NotRequired[list[AnyRecord]]
    """
    What waits for review, where asked for, the oldest first.
    """
    submitted_more: NotRequired[bool]
    """
    Whether more waits than is listed in `submitted`; `/v1/reviews` lists all.
    """
    page: Page
    not_found: NotRequired[list[str]]
    """
    With `id` or `identifier`: those that name no source.
    """
    unreadable: NotRequired[list[Unreadable]]
    """
    With `identifier`: what is no identifier.
    """
    data: list[FoundSource]


class SourceWithPage(TypedDict):
    """
    A source, and where people read it.
    """

    id: Slug
    """
    Slug.
    """
    type: SourceType
    title: str | None
    """
    As printed; in square brackets where the curator supplied it (as ISBD does), the printed one unknown. It may be missing where an identifier names the work.
    """
    title_short: str | None
    """
    The title as people shorten it.
    """
    title_status: TitleStatus | None
    """
    Whether the title is printed, translated or described; null where nobody has said.
    """
    authors_complete: bool
    """
    False where the list goes on beyond what was confirmed.
    """
    container_title: str | None
    """
    The journal or book, in full.
    """
    container_title_short: str | None
    """
    The journal's abbreviation.
    """
    issn: list[str]
    """
    The journal's or the series' ISSN, one for each medium.
    """
    container_isbn: str | None
    """
    ISBN of the book that the work stands in.
    """
    collection_title: str | None
    """
    The series.
    """
    collection_number: str | None
    """
    The number within the series.
    """
    edition: str | None
    """
    Such as '3' or 'revised'.
    """
    genre: str | None
    """
    Of which kind within its type, such as 'Master's thesis'.
    """
    event_title: str | None
    """
    The conference.
    """
    event_place: str | None
    publisher: str | None
    publisher_place: str | None
    volume: str | None
    issue: str | None
    page: str | None
    """
    Page range or e-locator.
    """
    number: str | None
    """
    Article or report number.
    """
    issued: PartialDate | None
    """
    Date of publication.
    """
    issued_inferred: bool
    """
    True where the date is a curator's inference.
    """
    epub_date: PartialDate | None
    """
    Published online ahead of the issue.
    """
    accessed: PartialDate | None
    """
    When a curator saw it; an undated source was published by then.
    """
    url: str | None
    language: str | None
    """
    BCP 47 tag, such as 'en'.
    """
    study_design: StudyDesign
    sample_size: int | None
    """
    People in all groups together.
    """
    sample: str | None
    """
    The groups, such as '56 MS, 20 controls'.
    """
    integrity: Integrity
    integrity_note: str | None
    integrity_date: PartialDate | None
    """
    When that was announced; a retracted source counts in evidence time until then.
    """
    versions: list[Version]
    """
    Sources that are the same body of evidence: what this one is a version, a preprint, an erratum, a retraction or a part of.
    """
    cites: list[CitedSource]
    """
    The sources in its reference list that are recorded here, in its order.
    """
    main_claim: Slug | None
    """
    Of a document: the claim that its title, or most of it, is about.
    """
    text_sha256: str | None
    """
    SHA-256 of the plain text in which anchors count characters.
    """
    abstract: str | None
    keywords: list[str]
    licence: str | None
    """
    Of the work: an SPDX expression such as CC-BY-4.0, or the address of the licence.
    """
    text: Text | None
    """
    Where the whole text is stored and may be passed on: of which kind it is. The text itself is at `/v1/sources/{source}/text`.
    """
    contributors: list[Contributor]
    """
    Editors, translators and others, those of one role together.
    """
    note: str | None
    collection: Slug | None
    """
    The collection from which it was taken over (slug); null where it was written here.
    """
    state: ReviewState
    replaced_by: str | None
    """
    Id of the record that stands in its place, once it is taken back.
    """
    authors: list[Author]
    identifiers: list[Identifier]
    citation: str
    """
    Short form for people, such as 'Doepp et al. 2010'.
    """
    year: int | None
    published: Day
    """
    Last day on which it can first have been published, YYYY-MM-DD.
    """
    revision: int
    """
    Serial of the change that last touched it; also its ETag.
    """
    created: Timestamp
    updated: Timestamp
    web_page: str
    """
    Path of the page that shows the same to people.
    """


class Timeline(TypedDict):
    """
    How a claim's status ran over evidence time.
    """

    claim: str
    statement: str
    periods: list[TimelinePeriod]
    notice: str
    """
    The general notice, and after it that of the claim.
    """


class Claim(TypedDict):
    """
    A claim: the parts are in a list where `include` asks for them, and in one claim alone.
    """

    id: Slug
    """
    Slug.
    """
    statement: str
    """
    The normalised claim, one plain sentence.
    """
    wordings: list[str]
    """
    Other ways in which people say or ask the same or nearly the same, such as plain words for terms. By them the claim is found; they assert nothing.
    """
    kind: ClaimKind
    language: LanguageTag
    """
    The language of the statement.
    """
    origin: ClaimOrigin
    """
    Whether a document states it, or it was added because evidence is about it.
    """
    notice: str | None
    """
    In a list that of the claim, null where it has none; in one claim alone the general notice, and after it that of the claim.
    """
    note: str | None
    """
    A curator's remark; never counts as evidence.
    """
    external_ids: list[ExternalId]
    """
    What other collections call it.
    """
    topic_roles: list[RoleOfTopic]
    """
    What topics of the claim are in its statement; one may have two roles.
    """
    collection: Slug | None
    """
    The collection from which it was taken over (slug); null where it was written here.
    """
    state: ReviewState
    replaced_by: str | None
    """
    Id of the record that stands in its place, once it is taken back.
    """
    topics: list[Slug]
    """
    Slugs of topics.
    """
    asserted_by: list[str]
    """
    Slugs of all who assert it, from its occurrences.
    """
    status: Status
    status_rule: str
    """
    Name of the rule that decided; see the vocabulary status-rules.
    """
    status_since: Day
    """
    First day of evidence time with this status, YYYY-MM-DD.
    """
    status_since_inferred: bool
    """
    True where that day hangs on a source that is undated, or whose date is a curator's inference.
    """
    certainty: Certainty | None
    """
    GRADE's word for the conclusion; null where it does not apply.
    """
    certainty_basis: Literal["derived"]
    """
    Always 'derived': by rule from the recorded evidence, not a panel's judgement.
    """
    best_level: EvidenceLevel | None
    """
    Best level among the counted lines, as graded; null where no line counts.
    """
    evidence_level: EvidenceLevel | None
    """
    The same as `best_level`, which is to be read instead: the filter `evidence_level` means any line of a level.
    """
    evidence_until: Day | None
    """
    Publication day of the newest accepted line that is dated: the status is as of then.
    """
    has_conflict: bool
    """
    True where counted lines stand on both sides.
    """
    leaning: Leaning
    """
    On which sides counted lines stand, however strong they are.
    """
    searched_found_none: bool
    """
    True where nothing takes a side and somebody searched and found none.
    """
    unassessed_because: UnassessedReason | None
    """
    What is there of a claim on which nothing takes a side; null where something does.
    """
    counts: Counts
    notices: Notices
    revision: int
    """
    Serial of the last change to anything in this document; also its ETag.
    """
    created: Timestamp
    updated: Timestamp
    submitted: NotRequired[list[AnyRecord]]
    """
    What waits for review, where asked for, the oldest first.
    """
    submitted_more: NotRequired[bool]
    """
    Whether more waits than is listed in `submitted`; `/v1/reviews` lists all.
    """
    occurrences: NotRequired[list[Occurrence]]
    """
    Where it is stated.
    """
    evidence: NotRequired[list[Evidence]]
    """
    Accepted lines on the claim itself; those on a relation stand there.
    """
    sources: NotRequired[list[Source]]
    """
    Every source that the other parts name.
    """
    relations: NotRequired[list[Relation]]
    """
    Ties that start from this claim.
    """
    assessments: NotRequired[list[Assessment]]
    """
    What named persons and bodies decided.
    """
    highlight: NotRequired[dict[str, str]]
    """
    With `highlight`: the position of a text in the record → the text as HTML, with `<mark>` around matches.
    """
    web_page: NotRequired[str]
    """
    Of one claim alone: the path of the page that shows the same to people.
    """


class ClaimPage(TypedDict):
    """
    A page of claims.
    """

    not_found: NotRequired[list[str]]
    """
    With `id`: those that name no record.
    """
    submitted: NotRequired[list[AnyRecord]]
    """
    What waits for review, where asked for, the oldest first.
    """
    submitted_more: NotRequired[bool]
    """
    Whether more waits than is listed in `submitted`; `/v1/reviews` lists all.
    """
    page: Page
    notice: str
    """
    The general notice.
    """
    data: list[Claim]


class EvidencePage(TypedDict):
    """
    A page of lines of evidence.
    """

    not_found: NotRequired[list[str]]
    """
    With `id`: those that name no record.
    """
    submitted: NotRequired[list[AnyRecord]]
    """
    What waits for review, where asked for, the oldest first.
    """
    submitted_more: NotRequired[bool]
    """
    Whether more waits than is listed in `submitted`; `/v1/reviews` lists all.
    """
    page: Page
    notice: str
    """
    The general notice, and after it that of the one claim asked.
    """
    left_out: NotRequired[str]
    """
    What a list across claims leaves out, and how to have it.
    """
    data: list[FoundEvidence]


class LookedUpClaims(TypedDict):
    """
    The claims that ids name, in the order of the ids, and the ids that name none.
    """

    data: list[Claim]
    not_found: list[str]


class LookedUpSource(TypedDict):
    """
    A source, and the identifiers of the request that name it.
    """

    given: list[str]
    source: Source


class Lookup(TypedDict):
    """
    What became of each identifier: it is named once in all of this.
    """

    data: list[LookedUpSource]
    not_found: list[str]
    """
    No source has this identifier.
    """
    unreadable: list[Unreadable]
    """
    This is no identifier.
    """
    left_off: list[str]
    """
    The sources that these name would make the answer too large; ask again.
    """
