"""The closed vocabularies: every term with its definition and its crosswalk to other schemes.

A vocabulary is data. The same terms validate input, bound the columns (check constraints), fill the
OpenAPI enumerations and are served under `/v1/vocabularies`. Where a vocabulary says so, the order
of its terms is their rank, lowest first.
"""

from collections.abc import Mapping
from typing import Annotated

from models.core.vocabulary import OneOf, Term, Vocabulary


def _terms(
    *rows: tuple[str, str, str] | tuple[str, str, str, Mapping[str, str]],
) -> tuple[Term, ...]:
    return tuple(Term(*row) for row in rows)


CLAIM_KINDS = Vocabulary(
    "claim-kinds",
    "Kinds of claim",
    "What sort of statement a claim is; it decides what evidence could bear on it.",
    _terms(
        ("definition", "definition", "Says what a term means or what an entity is."),
        (
            "background",
            "background",
            "General knowledge that sets the scene and is not itself at issue.",
        ),
        (
            "history",
            "history",
            "Says what happened: who described, named or did something, and when.",
        ),
        ("mechanism", "mechanism", "Says how one thing brings about another within the body."),
        (
            "causal_hypothesis",
            "causal hypothesis",
            "Says that something causes a disease or an outcome.",
        ),
        (
            "finding",
            "finding",
            "Reports a result: a measured association, frequency, effect or test performance.",
        ),
        (
            "association",
            "association",
            "Says that two things occur together, or that groups differ in something.",
        ),
        (
            "treatment_effect",
            "treatment effect",
            "Says that an intervention helps the people who get it.",
        ),
        ("harm", "harm", "Says that an intervention or an exposure harms people."),
        (
            "state_of_evidence",
            "state of evidence",
            "Says what is known, confirmed or unexplored at the time.",
        ),
        ("evaluation", "evaluation", "Judges worth or promise."),
        (
            "reported_belief",
            "reported belief",
            "Says what some people think or do, not whether they are right.",
        ),
    ),
)

CLAIM_ORIGINS = Vocabulary(
    "claim-origins",
    "Origins of a claim",
    "Where a claim comes from.",
    _terms(
        ("stated", "stated", "A document states it; its occurrences say where."),
        ("added", "added", "No document here states it: it was added since evidence is about it."),
    ),
)

STATUSES = Vocabulary(
    "statuses",
    "Statuses of a claim",
    "What the accepted evidence amounts to, derived by a named rule. Ordered from worst to best "
    "for the claim.",
    _terms(
        (
            "refuted",
            "refuted",
            "Strong evidence against from several bodies, and little of that strength for.",
        ),
        ("disputed", "disputed", "The evidence against outranks the evidence for."),
        (
            "contested",
            "contested",
            "There is evidence on both sides and neither outranks the other.",
        ),
        ("unassessed", "unassessed", "Nothing is recorded that takes a side."),
        (
            "unconfirmed",
            "unconfirmed",
            "Support, but from one body of evidence, or only from weak evidence.",
        ),
        (
            "supported",
            "supported",
            "The evidence for outranks the evidence against, from two bodies of evidence or more.",
        ),
        (
            "established",
            "established",
            "Strong evidence for from several bodies, and little of that strength against.",
        ),
    ),
)

# The two ends of a statement, and the words of PICO. PECO's exposure is left out: in a statement
# it is the subject.
TOPIC_ROLES = Vocabulary(
    "topic-roles",
    "Roles of topics in a claim",
    "What a topic is in the statement: that A inhibits B is not that B inhibits A.",
    _terms(
        ("subject", "subject", "What acts, or what the statement is about."),
        ("object", "object", "What is acted on, caused or changed."),
        ("population", "population", "In whom it is said to hold."),
        ("intervention", "intervention", "What is done to them."),
        ("comparator", "comparator", "What the intervention is compared with."),
        ("outcome", "outcome", "What is measured in them."),
    ),
)

UNASSESSED_REASONS = Vocabulary(
    "unassessed-reasons",
    "Why a claim is unassessed",
    "What is there of a claim on which nothing takes a side.",
    _terms(
        ("nothing_recorded", "nothing recorded", "No line of evidence that counts is recorded."),
        (
            "searched_found_none",
            "searched and found none",
            "Somebody searched for evidence and found none, and nothing else is recorded.",
        ),
        (
            "only_inconclusive",
            "only inconclusive",
            "There is evidence, and all of it is inconclusive.",
        ),
        (
            "inconsistent",
            "inconsistent",
            "There is evidence, and a line of it takes no side and is graded down for "
            "inconsistency: the studies that it sums up differ.",
        ),
    ),
)

LEANINGS = Vocabulary(
    "leanings",
    "Leanings of the evidence",
    "On which sides of a claim counted evidence stands, however strong it is.",
    _terms(
        ("for", "for", "Some supports the claim, and none disputes it."),
        ("against", "against", "Some disputes the claim, and none supports it."),
        ("both", "both", "Some stands on each side."),
        ("none", "none", "Nothing takes a side."),
    ),
)

DIRECTIONS = Vocabulary(
    "directions",
    "Directions of evidence",
    "Which side a line of evidence takes on the claim.",
    _terms(
        (
            "supports",
            "supports",
            "The source speaks for the claim.",
            {"cito": "supports", "civic": "Supports", "scifact": "SUPPORT"},
        ),
        (
            "disputes",
            "disputes",
            "The source speaks against the claim.",
            {"cito": "disputes", "civic": "Does Not Support", "scifact": "CONTRADICT"},
        ),
        (
            "inconclusive",
            "inconclusive",
            "The source bears on the claim and takes no side.",
            {"cito": "discusses"},
        ),
    ),
)

EVIDENCE_LEVELS = Vocabulary(
    "evidence-levels",
    "Levels of evidence",
    "Oxford CEBM 2011 level of a line of evidence, best first, read together with its question. "
    "Not the older 1a–5 scheme.",
    _terms(
        (
            "1",
            "level 1",
            "The best kind for its question, such as a systematic review of randomised trials.",
        ),
        (
            "2",
            "level 2",
            "Such as a randomised trial, or one good cross-sectional diagnostic study.",
        ),
        (
            "3",
            "level 3",
            "Such as a non-randomised controlled cohort, or a non-consecutive diagnostic study.",
        ),
        (
            "4",
            "level 4",
            "Such as a case series, a case-control study or a poor reference standard.",
        ),
        ("5", "level 5", "Mechanism-based reasoning."),
        (
            "not_gradable",
            "not gradable",
            "The scheme has no row for it: a statement of position, a documentary fact.",
        ),
    ),
    reference="OCEBM Levels of Evidence Working Group, The Oxford 2011 Levels of Evidence",
)

QUESTIONS = Vocabulary(
    "questions",
    "Questions of the level scheme",
    "The question type by which a level was given. The 2011 scheme has no rows for aetiology and "
    "mechanism: aetiology has the levels of common harms; of mechanism, a study that measures the "
    "step itself is level 4, and reasoning from what is known level 5.",
    _terms(
        ("prevalence", "prevalence", "How common is the problem?"),
        (
            "diagnosis",
            "diagnosis",
            "Is this diagnostic or monitoring test accurate; do groups differ in it?",
        ),
        ("prognosis", "prognosis", "What will happen over time?"),
        ("treatment_benefit", "treatment benefit", "Does this intervention help?"),
        ("common_harms", "common harms", "What are the common harms?"),
        ("aetiology", "aetiology", "Does this exposure cause the disease or the outcome?"),
        ("mechanism", "mechanism", "How does it come about within the body?"),
    ),
    reference="OCEBM Levels of Evidence Working Group, The Oxford 2011 Levels of Evidence",
)

# The questions whose lines are direct on a claim of a kind. On the kinds that are left out, a line
# of any question may be direct. A randomised trial that adds or takes away the alleged cause, and a
# cohort that follows people with and without it, test a cause; that groups differ, or do not
# differ, in something does not, and neither does how it might come about.
QUESTIONS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "association": ("prevalence", "diagnosis", "prognosis", "aetiology"),
    "treatment_effect": ("treatment_benefit",),
    "harm": ("common_harms", "aetiology"),
    "causal_hypothesis": ("prognosis", "treatment_benefit", "common_harms", "aetiology"),
}

GRADED_DOWN = Vocabulary(
    "graded-down",
    "Reasons to grade a line down",
    "Why a line ranks lower than its level; each lowers its rank by one, and one that stands twice "
    "(very serious) by two.",
    _terms(
        ("quality", "quality", "The study was done in a way that may have bent its result."),
        ("imprecision", "imprecision", "Few people or events: the interval is wide."),
        (
            "indirectness",
            "indirectness",
            "Other people, exposures or outcomes than those of the question.",
        ),
        ("inconsistency", "inconsistency", "The studies that it sums up differ among themselves."),
        ("small_effect", "small effect", "The absolute size of the effect is very small."),
        (
            "publication_bias",
            "publication bias",
            "Studies with another result were probably done and not published.",
        ),
    ),
    reference="OCEBM Levels of Evidence Working Group, footnote to the Oxford 2011 Levels; GRADE",
)

GRADED_UP = Vocabulary(
    "graded-up",
    "Reasons to grade a line up",
    "Why a line ranks higher than its level; each raises its rank by one, and none beyond rank 2.",
    _terms(
        ("large_effect", "large effect", "The effect is large or very large."),
        ("dose_response", "dose-response", "The more of the one, the more of the other."),
        (
            "plausible_confounding",
            "plausible confounding",
            "What was not accounted for would have made the effect smaller.",
        ),
    ),
    reference="OCEBM Levels of Evidence Working Group, footnote to the Oxford 2011 Levels; GRADE",
)

CHECKED_AGAINST = Vocabulary(
    "checked-against",
    "What a line was checked against",
    "What of the source somebody held the finding against.",
    _terms(
        ("abstract", "abstract", "The abstract."),
        ("full_text", "full text", "The full text."),
        ("page", "page", "A public page that tells of the work, such as a news page."),
    ),
)

DIRECTNESS = Vocabulary(
    "directness",
    "Directness",
    "Whether a line tests the claim itself. An indirect line ranks one lower, as GRADE rates down "
    "for indirectness; so does one whose question does not test a claim of its kind.",
    _terms(
        ("direct", "direct", "Tests the claim, or what must hold if the claim holds."),
        (
            "indirect",
            "indirect",
            "Bears on the claim through something else, as an association bears on a cause.",
        ),
    ),
    reference="GRADE Working Group",
)

STUDY_DESIGNS = Vocabulary(
    "study-designs",
    "Study designs",
    "How the source found out what it says.",
    _terms(
        (
            "systematic_review",
            "systematic review",
            "Searches by a stated method and sums up all studies.",
            {"mesh": "Systematic Review"},
        ),
        (
            "meta_analysis",
            "meta-analysis",
            "Pools the numbers of several studies.",
            {"mesh": "Meta-Analysis"},
        ),
        (
            "randomised_trial",
            "randomised trial",
            "Assigns by chance, without a sham.",
            {"mesh": "Randomized Controlled Trial"},
        ),
        (
            "sham_controlled_trial",
            "randomised sham-controlled trial",
            "Assigns by chance to the intervention or to an imitation of it.",
            {"mesh": "Randomized Controlled Trial"},
        ),
        (
            "open_label_trial",
            "open-label trial",
            "Treats people who know what they get.",
            {"mesh": "Clinical Trial"},
        ),
        (
            "non_randomised_trial",
            "non-randomised trial",
            "Compares an intervention with another or with none, and does not assign by chance.",
            {"mesh": "Controlled Clinical Trial"},
        ),
        ("cohort", "cohort study", "Follows people over time.", {"mesh": "Cohort Studies"}),
        (
            "case_control",
            "case-control study",
            "Compares people with and without the disease.",
            {"mesh": "Case-Control Studies"},
        ),
        (
            "cross_sectional",
            "cross-sectional study",
            "Looks at people at one time.",
            {"mesh": "Cross-Sectional Studies"},
        ),
        (
            "case_series",
            "case series",
            "Describes several people, without a control group.",
            {"mesh": "Case Reports"},
        ),
        ("case_report", "case report", "Describes one person.", {"mesh": "Case Reports"}),
        ("animal", "animal study", "Studies living animals."),
        ("in_vitro", "in vitro study", "Studies cells, tissue or molecules outside the body."),
        ("laboratory", "laboratory study", "Measures samples, such as cerebrospinal fluid."),
        ("pathology", "pathology study", "Examines tissue."),
        ("content_analysis", "content analysis", "Counts or reads published or posted material."),
        (
            "narrative_review",
            "narrative review",
            "Sums up work without a stated search.",
            {"mesh": "Review"},
        ),
        ("hypothesis", "hypothesis paper", "Argues for an idea without new data."),
        ("commentary", "commentary", "States an opinion or position.", {"mesh": "Comment"}),
        ("regulatory_notice", "regulatory notice", "A regulator's communication."),
        (
            "guideline",
            "guideline",
            "Recommends what to do, by a body that makes guidelines.",
            {"mesh": "Practice Guideline"},
        ),
        ("drug_label", "drug label", "What a regulator lets be said of a medicine."),
        (
            "not_recorded",
            "not recorded",
            "Nobody has recorded how the source found out; so it is after an import.",
        ),
        ("not_applicable", "not applicable", "Not a study, such as a consumer health page."),
    ),
    reference="MeSH publication types and study characteristics, for the crosswalk",
)

CERTAINTIES = Vocabulary(
    "certainties",
    "Certainty of the conclusion",
    "GRADE's four words, derived here from the recorded evidence by rule; not a panel's "
    "judgement. Ordered from lowest.",
    _terms(
        ("very_low", "very low", "Very little confidence in the conclusion."),
        ("low", "low", "Limited confidence; further evidence may well change the conclusion."),
        (
            "moderate",
            "moderate",
            "Moderate confidence; further evidence may change the conclusion.",
        ),
        ("high", "high", "High confidence; further evidence is unlikely to change the conclusion."),
    ),
    reference="GRADE Working Group",
)

RELATION_TYPES = Vocabulary(
    "relation-types",
    "Relations between claims",
    "Read from the claim to its target: claim «leads to» target.",
    _terms(
        (
            "leads_to",
            "leads to",
            "What the claim describes is said to bring about what the target describes.",
        ),
        ("depends_on", "depends on", "The claim cannot hold unless the target does."),
        ("presupposes", "presupposes", "The claim takes the target for granted."),
        ("contradicts", "contradicts", "Both cannot hold."),
        ("rivals", "rivals", "Offers another explanation of the same thing."),
        ("refines", "refines", "Says the same more exactly."),
        ("comments_on", "comments on", "Says something about the target as a claim."),
        ("analogous_to", "is analogous to", "Offers a likeness from elsewhere."),
        ("names", "names", "Gives the name of what the target describes."),
        ("provenance_of", "tells the origin of", "Says where the target comes from."),
        (
            "predicts",
            "predicts",
            "If the claim holds, the target must; if the target falls, that speaks against it.",
        ),
    ),
)

VERSION_TIES = Vocabulary(
    "version-ties",
    "Ties between works",
    "Read from the source to the other one: source «is a version of» other. Works that are tied "
    "are one body of evidence and count once.",
    _terms(
        ("version_of", "is a version of", "Another edition, or another report of the same study."),
        ("preprint_of", "is the preprint of", "Came out before the journal's version."),
        ("erratum_to", "is an erratum to", "Corrects the other."),
        ("retracts", "retracts", "Announces that the other is retracted."),
        ("concern_about", "expresses concern about", "Announces a concern about the other."),
        ("part_of", "is part of", "Tells of a part of what the other tells whole."),
    ),
)

TITLE_STATUSES = Vocabulary(
    "title-statuses",
    "Where a title comes from",
    "Whether a source's title is its own.",
    _terms(
        ("printed", "printed", "As the work prints it."),
        ("translated", "translated", "The printed title in another language."),
        ("described", "described", "A description by the curator; the printed title is not known."),
    ),
)


def _source_type(
    name: str, label: str, definition: str, bibtex: str, ris: str, schema_org: str
) -> tuple[str, str, str, Mapping[str, str]]:
    words = {"csl": name, "bibtex": bibtex, "ris": ris, "schema.org": schema_org}
    return (name, label, definition, words)


# The entry types are those of BibTeX itself, since its styles warn of any other. Where BibTeX or
# RIS has no word for a type there stands the nearest, and the file names the type beside it.
_SOURCE_TYPES = (
    ("article-journal", "journal article", "A paper in a journal.", "article", "JOUR",
     "ScholarlyArticle"),
    ("webpage", "web page", "A page on the web.", "misc", "ELEC", "WebPage"),
    ("report", "report or notice", "A report or notice by a body.", "techreport", "RPRT",
     "Report"),
    ("book", "book", "A book.", "book", "BOOK", "Book"),
    ("chapter", "chapter", "A part of a book.", "incollection", "CHAP", "Chapter"),
    ("thesis", "thesis", "A thesis; `genre` says for which degree.", "phdthesis", "THES",
     "Thesis"),
    ("paper-conference", "conference paper", "A paper in the proceedings of a conference.",
     "inproceedings", "CPAPER", "ScholarlyArticle"),
    ("article", "preprint", "A paper that is in no journal, such as a preprint.", "unpublished",
     "UNPB", "ScholarlyArticle"),
    ("document", "document", "Any other work.", "misc", "GEN", "CreativeWork"),
    ("dataset", "data set", "A data set.", "misc", "DATA", "Dataset"),
    ("article-magazine", "magazine article", "An article in a magazine.", "article", "MGZN",
     "Article"),
    ("article-newspaper", "newspaper article", "An article in a newspaper.", "article", "NEWS",
     "NewsArticle"),
    ("bill", "bill", "A law that is proposed.", "misc", "BILL", "Legislation"),
    ("broadcast", "broadcast", "A programme on radio, on television or as a podcast.", "misc",
     "MULTI", "Episode"),
    ("classic", "classical work", "A work of antiquity or another classic.", "book", "CLSWK",
     "Book"),
    ("collection", "archival collection", "A collection in an archive.", "misc", "GEN",
     "Collection"),
    ("entry", "entry", "An entry of a database, a catalogue or another work of reference.",
     "misc", "GEN", "CreativeWork"),
    ("entry-dictionary", "dictionary entry", "An entry of a dictionary.", "incollection", "DICT",
     "DefinedTerm"),
    ("entry-encyclopedia", "encyclopedia entry", "An entry of an encyclopedia.", "incollection",
     "ENCYC", "Article"),
    ("event", "event", "An event, such as an exhibition.", "misc", "GEN", "Event"),
    ("figure", "figure", "A figure in a work.", "misc", "FIGURE", "ImageObject"),
    ("graphic", "picture", "A photograph, painting or other still picture.", "misc", "ART",
     "VisualArtwork"),
    ("hearing", "hearing", "A hearing of a parliament or an authority.", "misc", "HEAR",
     "CreativeWork"),
    ("interview", "interview", "An interview.", "misc", "GEN", "CreativeWork"),
    ("legal_case", "legal case", "The decision of a court.", "misc", "CASE", "CreativeWork"),
    ("legislation", "legislation", "A law.", "misc", "STAT", "Legislation"),
    ("manuscript", "manuscript", "A text that is not published.", "unpublished", "MANSCPT",
     "Manuscript"),
    ("map", "map", "A map.", "misc", "MAP", "Map"),
    ("motion_picture", "film", "A film or video.", "misc", "MPCT", "Movie"),
    ("musical_score", "musical score", "Written music.", "misc", "MUSIC", "SheetMusic"),
    ("pamphlet", "pamphlet", "A booklet or leaflet.", "booklet", "PAMP", "CreativeWork"),
    ("patent", "patent", "A patent or an application for one.", "misc", "PAT", "CreativeWork"),
    ("performance", "performance", "A performance on a stage.", "misc", "GEN", "CreativeWork"),
    ("periodical", "periodical", "A journal or magazine, or a whole issue of it.", "misc",
     "JFULL", "Periodical"),
    ("personal_communication", "personal communication", "A letter, an email or a talk.", "misc",
     "PCOMM", "Message"),
    ("post", "post", "A post in a forum or on a social network.", "misc", "ICOMM",
     "SocialMediaPosting"),
    ("post-weblog", "blog post", "A post in a blog.", "misc", "BLOG", "BlogPosting"),
    ("regulation", "regulation", "A rule that an authority made.", "misc", "LEGAL",
     "Legislation"),
    ("review", "review", "A review of something other than a book.", "article", "JOUR",
     "Review"),
    ("review-book", "book review", "A review of a book.", "article", "JOUR", "Review"),
    ("software", "software", "A program.", "misc", "COMP", "SoftwareApplication"),
    ("song", "recording", "Recorded music or speech.", "misc", "SOUND", "MusicRecording"),
    ("speech", "speech", "A talk or presentation.", "misc", "SLIDE", "CreativeWork"),
    ("standard", "standard", "A technical standard.", "misc", "STAND", "CreativeWork"),
    ("treaty", "treaty", "A treaty between states.", "misc", "LEGAL", "Legislation"),
)  # fmt: skip

SOURCE_TYPES = Vocabulary(
    "source-types",
    "Types of source",
    "What kind of work a source is, in CSL's words.",
    _terms(*(_source_type(*row) for row in _SOURCE_TYPES)),
    reference="Citation Style Language 1.0.2, item types",
)
# Works that are published in a book, whose ISBN is not theirs.
PARTS_OF_BOOKS = ("chapter", "paper-conference", "entry-dictionary", "entry-encyclopedia")

_ROLES_IN_WORKS = (
    ("editor", "editor", "Edited the work or the book that it stands in."),
    ("translator", "translator", "Translated it."),
    ("chair", "chair", "Led the session of a talk."),
    ("collection-editor", "series editor", "Edits the series."),
    ("compiler", "compiler", "Compiled it."),
    ("composer", "composer", "Composed it."),
    ("container-author", "author of the book", "Wrote the book that it stands in."),
    ("contributor", "contributor", "Contributed to it in another way."),
    ("curator", "curator", "Curated an exhibition or collection."),
    ("director", "director", "Directed it."),
    ("editorial-director", "editorial director", "Directs what a publisher brings out."),
    ("executive-producer", "executive producer", "Produced it, as the one who is responsible."),
    ("guest", "guest", "A guest in a broadcast."),
    ("host", "host", "The host of a broadcast."),
    ("illustrator", "illustrator", "Illustrated it."),
    ("interviewer", "interviewer", "Led the interview."),
    ("narrator", "narrator", "Reads it aloud."),
    ("organizer", "organizer", "Organised the event."),
    ("original-author", "author of the original", "Wrote what it is made from."),
    ("performer", "performer", "Performs it."),
    ("producer", "producer", "Produced it."),
    ("recipient", "recipient", "Received a letter."),
    ("reviewed-author", "author of what is reviewed", "Wrote the work that it reviews."),
    ("script-writer", "script writer", "Wrote the script."),
    ("series-creator", "creator of the series", "Had the idea of a series."),
)

CONTRIBUTOR_ROLES = Vocabulary(
    "contributor-roles",
    "Roles of contributors",
    "What somebody who is not an author did for a work, in CSL's words.",
    _terms(
        *((name, label, definition, {"csl": name}) for name, label, definition in _ROLES_IN_WORKS)
    ),
    reference="Citation Style Language 1.0.2, name variables",
)

IDENTIFIER_SCHEMES = Vocabulary(
    "identifier-schemes",
    "Schemes of identifiers",
    "Where an identifier is registered.",
    _terms(
        (
            "doi",
            "DOI",
            "Digital Object Identifier, stored in lower case without a resolver's address.",
            {"csl": "DOI"},
        ),
        ("pmid", "PMID", "PubMed identifier, digits.", {"csl": "PMID"}),
        ("pmcid", "PMCID", "PubMed Central identifier, PMC and digits.", {"csl": "PMCID"}),
        ("isbn", "ISBN", "International Standard Book Number, 10 or 13 digits.", {"csl": "ISBN"}),
        ("nct", "NCT number", "ClinicalTrials.gov identifier of a trial, NCT and eight digits."),
        ("uri", "URI", "Any other identifier that is a URI, such as a URN or an ARK."),
    ),
)

VERIFICATIONS = Vocabulary(
    "verifications",
    "Verification of an identifier",
    "Whether somebody has seen the identifier on a public page of that work.",
    _terms(
        ("verified", "verified", "Read on a public page of that work."),
        ("unverified", "unverified", "Believed, not checked: do not rely on it."),
    ),
)

INTEGRITIES = Vocabulary(
    "integrities",
    "Integrity of a source",
    "What its publisher has announced about it.",
    _terms(
        ("no_notice", "no notice", "No notice is recorded."),
        ("corrected", "corrected", "An erratum or correction was published."),
        (
            "concern",
            "expression of concern",
            "An expression of concern was published.",
            {"mesh": "Expression of Concern"},
        ),
        (
            "retracted",
            "retracted",
            "Retracted: its evidence counts no more.",
            {"mesh": "Retracted Publication"},
        ),
    ),
)

EXTRACTIONS = Vocabulary(
    "extractions",
    "How evidence was extracted",
    "Who read the source for this line.",
    _terms(
        ("manual", "by hand", "A person read the source and wrote the line."),
        (
            "machine",
            "by machine",
            "A program wrote the line; no person has checked it against the source.",
        ),
        (
            "machine_reviewed",
            "by machine and reviewed",
            "A program wrote the line and a person checked it against the source.",
        ),
    ),
)

REVIEW_STATES = Vocabulary(
    "review-states",
    "States of review",
    "Where a record stands. Only what is accepted is shown to everybody, and only accepted "
    "evidence moves a status.",
    _terms(
        ("submitted", "submitted", "Proposed, not yet reviewed."),
        ("accepted", "accepted", "Reviewed and shown; evidence counts."),
        ("rejected", "rejected", "Reviewed and not taken; the comment says why."),
        ("withdrawn", "withdrawn", "Taken back by its proposer."),
        (
            "retracted",
            "retracted",
            "Accepted once, taken back since; not to be confused with a work that its publisher "
            "retracted.",
        ),
        ("merged", "merged", "Made one with another record, which stands in its place."),
    ),
)

REVIEW_MODES = Vocabulary(
    "review-modes",
    "People behind a decision",
    "Whether who decided on a record is another person than who proposed it.",
    _terms(
        ("two_people", "two people", "Another person than its proposer decided."),
        (
            "one_person",
            "one person",
            "Its proposer decided, too, as who curates alone may where the installation says so.",
        ),
    ),
)

RECORD_KINDS = Vocabulary(
    "record-kinds",
    "Kinds of record",
    "What a revision is a revision of.",
    _terms(
        ("topic", "topic", "A subject under which claims are filed."),
        ("collection", "collection", "Where records come from that were taken over."),
        ("source", "source", "Any citable work."),
        ("claim", "claim", "One normalised statement."),
        ("occurrence", "occurrence", "A place where a claim is stated."),
        ("evidence", "evidence", "What one source says about one claim."),
        ("relation", "relation", "A tie from one claim to another."),
        ("assessment", "assessment", "A named person's or body's decision on a claim's status."),
        ("suggestion", "suggestion", "A change of an accepted record that somebody suggests."),
        ("comment", "comment", "What somebody says of a record."),
    ),
)

SUGGESTED_ACTIONS = Vocabulary(
    "suggested-actions",
    "What is suggested",
    "What a suggestion would do to its record.",
    _terms(
        ("change", "change", "Some of its fields get other values."),
        ("retract", "retract", "It is taken back."),
    ),
)

FLAGS = Vocabulary(
    "flags",
    "Flags",
    "What a comment says is wrong with a record.",
    _terms(
        ("error", "error", "Something in it is wrong."),
        ("misquoted", "misquoted", "The source does not say so."),
        ("incomplete", "incomplete", "Something that is known is not recorded."),
        ("outdated", "outdated", "It was right once; something newer says otherwise."),
        ("duplicate", "duplicate", "Another record says the same."),
        (
            "inappropriate",
            "inappropriate",
            "It should not stand here, such as advertising or private data.",
        ),
    ),
)

ACTIONS = Vocabulary(
    "actions",
    "Actions of a revision",
    "What was done to the record.",
    _terms(
        ("create", "create", "The record was made."),
        ("update", "update", "The record was changed."),
        (
            "derive",
            "derive",
            "What was derived from the record was made anew, since something that it rests on "
            "changed.",
        ),
        (
            "accept",
            "accept",
            "What was proposed was accepted; `review` says whether by a second person.",
        ),
        ("reject", "reject", "It was not accepted; the comment says why."),
        ("withdraw", "withdraw", "Its proposer took it back."),
        ("retract", "retract", "It was accepted once and taken back; the comment says why."),
        ("merge", "merge", "It was made one with another record, or took over what hung on one."),
        ("undo", "undo", "An earlier change was taken back."),
        ("purge", "purge", "Its content was taken out of every revision; the comment says why."),
    ),
)

ROLES = Vocabulary(
    "roles",
    "Roles of a key",
    "Who may do what, from the least to the most; each role may what the ones before it may. "
    "Reading needs no key.",
    _terms(
        (
            "contributor",
            "contributor",
            "Proposes records, and changes or withdraws its own proposals.",
        ),
        (
            "curator",
            "curator",
            "Accepts, rejects, retracts and merges what others proposed, and assesses claims.",
        ),
        ("admin", "admin", "Makes and revokes keys."),
    ),
)

ClaimKind = Annotated[str, OneOf(CLAIM_KINDS, "ClaimKind")]
ClaimOrigin = Annotated[str, OneOf(CLAIM_ORIGINS, "ClaimOrigin")]
TopicRole = Annotated[str, OneOf(TOPIC_ROLES, "TopicRole")]
Status = Annotated[str, OneOf(STATUSES, "Status")]
UnassessedReason = Annotated[str, OneOf(UNASSESSED_REASONS, "UnassessedReason")]
Leaning = Annotated[str, OneOf(LEANINGS, "Leaning")]
Direction = Annotated[str, OneOf(DIRECTIONS, "Direction")]
EvidenceLevel = Annotated[str, OneOf(EVIDENCE_LEVELS, "EvidenceLevel")]
Question = Annotated[str, OneOf(QUESTIONS, "Question")]
Directness = Annotated[str, OneOf(DIRECTNESS, "Directness")]
StudyDesign = Annotated[str, OneOf(STUDY_DESIGNS, "StudyDesign")]
Certainty = Annotated[str, OneOf(CERTAINTIES, "Certainty")]
RelationType = Annotated[str, OneOf(RELATION_TYPES, "RelationType")]
SourceType = Annotated[str, OneOf(SOURCE_TYPES, "SourceType")]
ContributorRole = Annotated[str, OneOf(CONTRIBUTOR_ROLES, "ContributorRole")]
IdentifierScheme = Annotated[str, OneOf(IDENTIFIER_SCHEMES, "IdentifierScheme")]
Verification = Annotated[str, OneOf(VERIFICATIONS, "Verification")]
Integrity = Annotated[str, OneOf(INTEGRITIES, "Integrity")]
Extraction = Annotated[str, OneOf(EXTRACTIONS, "Extraction")]
GradedDown = Annotated[str, OneOf(GRADED_DOWN, "GradedDown")]
GradedUp = Annotated[str, OneOf(GRADED_UP, "GradedUp")]
CheckedAgainst = Annotated[str, OneOf(CHECKED_AGAINST, "CheckedAgainst")]
VersionTie = Annotated[str, OneOf(VERSION_TIES, "VersionTie")]
TitleStatus = Annotated[str, OneOf(TITLE_STATUSES, "TitleStatus")]
ReviewState = Annotated[str, OneOf(REVIEW_STATES, "ReviewState")]
ReviewMode = Annotated[str, OneOf(REVIEW_MODES, "ReviewMode")]
RecordKind = Annotated[str, OneOf(RECORD_KINDS, "RecordKind")]
SuggestedAction = Annotated[str, OneOf(SUGGESTED_ACTIONS, "SuggestedAction")]
Flag = Annotated[str, OneOf(FLAGS, "Flag")]
Action = Annotated[str, OneOf(ACTIONS, "Action")]
Role = Annotated[str, OneOf(ROLES, "Role")]
