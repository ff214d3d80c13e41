"""Sources to write and read back: those of the seed files, and generated ones with what citation
formats choke on.

All are rows exactly as `models.records.source_out` gives them, and valid by `SourceIn`.
"""

from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from models.core import vocabularies as v
from models.core.types import REVIEW_FIELDS
from models.records.serializers import Row, columns_of, source_out
from models.records.source import (
    AuthorIn,
    ContributorIn,
    IdentifierIn,
    SourceFields,
    SourceIn,
    publication_date,
)
from models.transfer.seed import FileFault, read_sources

SEED_DATA = Path(__file__).parents[2] / "seed_data"
RECORDED = "2026-01-02T03:04:05.000006Z"


def row(recorded: str = RECORDED, revision: int = 7, **fields: Any) -> Row:
    """Return a source as the API gives it, from the fields that a person would write; they are
    validated.
    """
    return out(SourceIn.model_validate(fields), recorded, revision)


def out(source: SourceIn, recorded: str = RECORDED, revision: int = 7) -> Row:
    """Return a validated source as the API gives it, recorded at that moment."""
    body = {
        **{name: getattr(source, name) for name in SourceFields.model_fields},
        "versions": [version.model_dump() for version in source.versions],
        "cites": [cited.model_dump() for cited in source.cites],
        "contributors": [
            columns_of(each.model_dump(), ContributorIn) for each in source.contributors
        ],
        "authors": [
            {name: getattr(author, name) for name in AuthorIn.model_fields}
            for author in source.authors
        ],
        "identifiers": [
            {name: getattr(identifier, name) for name in IdentifierIn.model_fields}
            for identifier in sorted(source.identifiers, key=lambda identifier: identifier.scheme)
        ],
    }
    published, year = publication_date(source, recorded)
    stamp = {
        "year": year,
        "published": published,
        "revision": revision,
        "created": recorded,
        "updated": recorded,
    }
    return source_out(body, stamp)


@cache
def _seeded() -> tuple[SourceIn, ...]:
    problems: list[FileFault] = []
    found = read_sources(SEED_DATA, lambda path, fault: problems.append((path, fault)))
    sources = tuple(source for _, source in found)
    assert not problems
    return sources


def seed_sources() -> list[Row]:
    """Return every source of the seed files, in the order of their slugs."""
    return [out(source) for source in sorted(_seeded(), key=lambda source: source.id)]


def seed_source(slug: str) -> Row:
    """Return one source of the seed files."""
    return next(source for source in seed_sources() if source["id"] == slug)


FAMILIES = (
    "Zamboni", "Singh", "Ng", "O'Brien", "Dall'Ara", "García Márquez", "Müller-Lüdenscheidt",
    "Łukasiewicz", "Ørsted",
    "Strauß", "Sundström", "Þorsteinsson", "Nguyễn", "李", "Достоевский", "Ὅμηρος", "St. John",
    "MacDonald", "Đặng", "Æther",
)  # fmt: skip
GIVENS = (
    "P",
    "A M",
    "Ajay Vikram",
    "J. R. R.",
    "Jean-Pierre",
    "Zoë",
    "Mary Ann E",
    "明",
    "Ł. M.",
    "Ch.",
    "B P W",
)
PARTICLES = ("van den", "de la", "von", "van", "de", "d'", "von und zu")
SUFFIXES = ("Jr", "Jr.", "Sr", "III", "II")
GROUPS = (
    "US Food and Drug Administration", "World Health Organization", "CCSVI Study Group, Ontario",
    "R&D Group {Ltd}",
    "Working Group «Ärzte & Co.»", "European Medicines Agency (EMA)", "100% Science", "ICMJE",
    "Rand and Sons; Partners",
    "日本神経学会", "Group_1 #2",
)  # fmt: skip
WORDS = (
    "Chronic", "cerebrospinal", "venous", "insufficiency", "in", "the", "multiple", "sclerosis:",
    "a", "of", "IL-6", "mRNA", "DNA",
    "50%", "R&D", "$5", "#1", "a_b", "{protected}", "{", "}", "~", "^", "\\", "\\alpha", '"quoted"',
    "'single'", "“curly”", "‘so’",
    "naïve", "Ménière's", "β-amyloid", "α→β", "p < 0.05", "q>3", "a<b", "H₂O", "–", "—", "(again)",
    "[11C]PK11195", "C++", "e.g.,",
    "x=y", "@home", "100 µg/ml", "Größe", "œdème", "日本語", "Да", "العربية", "𝛼", "and", "others",
    "?", "what?", "end.", "half-life",
    "`tick", "|", "A/B", "*", "''", "--", "---", "x̄", "½",
)  # fmt: skip
DOIS = (
    "10.1136/jnnp.2008.157164", "10.1038/jcbfm.2009.180", "10.2174/156720209788970054",
    "10.1016/s0140-6736(09)61234-5",
    "10.1002/(sici)1097-0258(19980815/30)17:15/16<1661::aid-sim968>3.0.co;2-2",
    "10.1002/1521-3951(200103)224:1<13::aid-pssb13>3.0.co;2-8",
    "10.1093/brain/awx_123", "10.1000/456#789", "10.1371/journal.pone.0070355",
    "10.1007/978-3-642-28108-2_19", "10.1000/a;b,c:d",
    "10.1000/a&b+c=d", "10.123456789/x", "10.1000/[x]y", "10.1000/ä–b", "10.1000/a%20b",
    "10.1016/0022-5193(75)90064-x",
    "10.1000/a.", "10.1000/a;,", "10.1000/a%20b%2e.", "10.1000/a:", '10.1000/a"', "10.1000/a”",
    "10.1000/a)", "10.1000/a<", "10.1000/{a}",
    "10.1000/doi:10.1000/a", "10.1000/https://doi.org/a",
)  # fmt: skip
JOURNALS = (
    ("Journal of Neurology, Neurosurgery & Psychiatry", "J Neurol Neurosurg Psychiatry"),
    ("Journal of Cerebral Blood Flow & Metabolism", "J Cereb Blood Flow Metab"),
    ("Zeitschrift für Äußeres", "Z. Äuß."),
    ("PLoS ONE", None),
    ("Proceedings of the 1st {X} Conference: 50% & more", "Proc. 1st X"),
    ("The Lancet", "Lancet"),
)
URLS = (
    "https://example.org/", "http://example.org/a?b=c&d=e_f#g%20h~i",
    "https://example.org/a(b)c;d,e", "https://bücher.example/ü",
    "https://example.org/{x}/$y^z",
)  # fmt: skip
PAGES = (
    "392-399", "1-12", "1", "e1000316", "S12-S19", "e12-e19", "iv35", "xii-xv", "101-9",
    "12-15, 18", "CD009903", "1171.e1-1171.e9",
)  # fmt: skip
VOLUMES = ("80", "6", "12A", "Suppl 1", "12 (Pt 3)", "LXXX", "2010-11")
ISSUES = ("4", "3", "3-4", "Suppl 2", "4 Pt 1", "12_S1", "&")
NUMBERS = ("CD009903", "e70355", "WHO/MNH/2009.1", "RR-12", "#3", "10 %")
LANGUAGES = ("en", "it", "de-CH", "pt-BR", "zh-Hant")
PUBLISHERS = (
    "BMJ Publishing Group",
    "Wiley-Liss, Inc.",
    "Éditions «Là» & Cie",
    "Springer: Berlin",
    "O'Reilly",
    "{P}",
)
SAMPLES = ("65 MS, 235 controls", "56 MS; 20 controls", "n=12 (50%)")

ORCIDS = ("0000-0002-1825-0097", "0000-0001-5109-3700", "0000-0002-1694-233X")
ISSNS = ("1364-503X", "0317-8471", "2049-3630")
CONTAINER_ISBNS = ("9783161484100", "0306406152")
EDITIONS = ("3", "2nd", "3. Aufl. & neu", "revised")
GENRES = ("Master's thesis", "Preprint", "Version 2", "R&D report")
SERIES = ("Lecture Notes in {X}", "Springer Series & more", "Cochrane Reviews")
EVENTS = ("5th Congress: 50% of it", "ECTRIMS 2010")
PLACES = ("Berlin, Heidelberg", "São Paulo", "Ottawa (ON)")
KEYWORDS = (
    "MRI", "multiple sclerosis", "Venous Insufficiency, Chronic", "R&D", "iron; ferritin",
    "β-amyloid", "50 %", "a_b",
)  # fmt: skip
LICENCES = ("CC-BY-4.0", "https://creativecommons.org/licenses/by-nc/4.0/", "CC0-1.0 OR MIT")

_capital = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZÀÅÇÉÑÖØŠŁŽÞ")
_small = st.text(
    "abcdefghijklmnopqrstuvwxyzàáâäåæçèéêëìíîïñòóôöøùúûüýÿœšžłßđğışăț", min_size=1, max_size=9
)
_letters = st.builds(str.__add__, _capital, _small)
_word = st.sampled_from(WORDS) | _letters
# Printable characters of the Basic Multilingual Plane, no spaces: words that nobody thought of.
_printable = st.text(
    st.characters(
        max_codepoint=0xFFFD, exclude_categories=("C", "Z", "M"), exclude_characters="[]<>"
    ),
    min_size=1,
    max_size=6,
)


def _told(least: int, most: int) -> st.SearchStrategy[str]:
    return st.lists(_word | _word | _word | _printable, min_size=least, max_size=most).map(" ".join)


def _title(text: str, bracketed: bool) -> str:
    text = text.strip("[]").strip() or "Untitled"
    # Brackets in the middle stay; at one end only they would make the title invalid.
    if text.startswith("[") != text.endswith("]"):
        text = f"On {text} again"
    return f"[{text}]" if bracketed else text


titles = st.builds(_title, _told(1, 9), st.sampled_from((False, False, False, False, True)))
dates = (
    st.dates()
    .filter(lambda day: day.year >= 1500)
    .map(str)
    .flatmap(lambda day: st.sampled_from((day, day[:7], day[:4])))
)
recent = st.integers(1950, 2026).flatmap(
    lambda year: st.sampled_from(
        (f"{year}", f"{year}-01", f"{year}-12", f"{year}-02-28", f"{year}-09-02")
    )
)
persons = st.fixed_dictionaries(
    {"family": st.sampled_from(FAMILIES) | _letters},
    optional={
        "given": st.sampled_from(GIVENS) | _letters,
        "particle": st.sampled_from(PARTICLES),
        "suffix": st.sampled_from(SUFFIXES),
        "orcid": st.sampled_from(ORCIDS),
    },
    # A suffix without a given name is no name that anybody has.
).map(
    lambda name: {
        part: value for part, value in name.items() if part != "suffix" or "given" in name
    }
)
groups = st.fixed_dictionaries(
    {"literal": st.sampled_from(GROUPS) | st.builds("The {} Group".format, _letters)}
)


def _isbn(digits: int) -> str:
    """Return an ISBN of these twelve digits, with its check digit."""
    total = sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(str(digits)))
    return f"{digits}{-total % 10}"


dois = st.sampled_from(DOIS) | st.builds(
    "10.{}/{}{}".format,
    st.integers(1000, 99999),
    st.text("abcdefghijklmnopqrstuvwxyz0123456789._-()/:;", max_size=12),
    st.sampled_from("abcxyz0189.,;:'\")]>%"),
)
# What is cut off at the end of a DOI would leave none of it.
dois = dois.filter(lambda doi: doi.rstrip(".,; ")[-1] != "/")
_values = {
    "doi": dois,
    "pmid": st.integers(1, 99_999_999).map(str),
    "pmcid": st.integers(1, 99_999_999).map("PMC{}".format),
    "isbn": st.integers(978_000_000_000, 979_999_999_999).map(_isbn)
    | st.sampled_from(("080442957X", "9780131103627", "0131103628")),
    "nct": st.integers(0, 99_999_999).map("NCT{:08}".format),
    "uri": st.sampled_from(
        (
            "urn:nbn:de:101:1-201102033592",
            "https://example.org/a%20b?x=1&y=_2#part~3",
            "ark:/12148/btv1b8449691v",
            "info:lccn/n-78.890351.2",
            "https://example.org/é,(1);[2]$",
        )
    ),
}
identifiers = st.lists(st.sampled_from(v.IDENTIFIER_SCHEMES.ids), unique=True, max_size=4).flatmap(
    lambda schemes: st.tuples(
        *(
            st.fixed_dictionaries(
                {
                    "scheme": st.just(scheme),
                    "value": _values[scheme],
                    "verification": st.sampled_from(v.VERIFICATIONS.ids),
                }
            )
            for scheme in schemes
        )
    ).map(list)
)
# The roles that all formats name, and others.
ROLES = ("editor", "editor", "translator", "collection-editor", *v.CONTRIBUTOR_ROLES.ids)
slugs = st.lists(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8), min_size=1, max_size=3
).map("-".join)


@st.composite
def sources(draw: st.DrawFn, *, paragraphs: bool = False) -> Row:
    """Generate one valid source as the API gives it; with `paragraphs` its notes may have several
    lines.
    """
    fields: dict[str, Any] = {
        "id": draw(slugs),
        "type": draw(st.sampled_from(v.SOURCE_TYPES.ids)),
        "title": draw(titles),
        "study_design": draw(st.sampled_from(v.STUDY_DESIGNS.ids)),
        "authors": draw(st.lists(persons | persons | persons | groups, max_size=4)),
        "identifiers": draw(identifiers),
    }
    people = st.lists(persons | persons | groups, max_size=2)
    fields["contributors"] = [
        {"role": role, **person}
        for role in draw(st.lists(st.sampled_from(ROLES), unique=True, max_size=2))
        for person in draw(people)
    ]
    for name, several in (("issn", ISSNS), ("keywords", KEYWORDS)):
        fields[name] = draw(st.lists(st.sampled_from(several), unique=True, max_size=3))
    fields["authors_complete"] = (
        draw(st.sampled_from((True, True, False))) if fields["authors"] else True
    )
    note = _told(1, 8)
    if paragraphs:
        note |= st.lists(_told(1, 4), min_size=2, max_size=3).map("\n\n".join)
    journal = draw(st.none() | st.sampled_from(JOURNALS))
    if journal:
        fields["container_title"], fields["container_title_short"] = journal
    others: tuple[tuple[str, st.SearchStrategy[Any]], ...] = (
        ("volume", st.sampled_from(VOLUMES)),
        ("issue", st.sampled_from(ISSUES)),
        (
            "page",
            st.sampled_from(PAGES) | st.integers(1, 3000).map(lambda page: f"{page}-{page + 9}"),
        ),
        ("number", st.sampled_from(NUMBERS)),
        ("publisher", st.sampled_from(PUBLISHERS)),
        ("issued", recent | recent | dates),
        ("epub_date", recent),
        ("accessed", recent),
        ("url", st.sampled_from(URLS)),
        ("language", st.sampled_from(LANGUAGES)),
        ("title_short", titles.map(lambda title: title.strip("[]"))),
        ("container_isbn", st.sampled_from(CONTAINER_ISBNS)),
        ("collection_title", st.sampled_from(SERIES)),
        ("collection_number", st.sampled_from(ISSUES)),
        ("edition", st.sampled_from(EDITIONS)),
        ("genre", st.sampled_from(GENRES)),
        ("event_title", st.sampled_from(EVENTS)),
        ("event_place", st.sampled_from(PLACES)),
        ("publisher_place", st.sampled_from(PLACES)),
        ("licence", st.sampled_from(LICENCES)),
        ("abstract", note),
        ("sample", st.sampled_from(SAMPLES)),
        ("sample_size", st.integers(0, 5000)),
        ("note", note),
        ("title_status", st.sampled_from(("translated", "described"))),
        ("text_sha256", st.text("0123456789abcdef", min_size=64, max_size=64)),
    )
    for name, values in others:
        if draw(st.booleans()):
            fields[name] = draw(values)
    if "issued" in fields:
        fields["issued_inferred"] = draw(st.sampled_from((False, False, True)))
    fields["integrity"] = draw(st.sampled_from((*(3 * ("no_notice",)), *v.INTEGRITIES.ids)))
    if fields["integrity"] != "no_notice":
        fields["integrity_note"] = draw(note)
        fields["integrity_date"] = draw(st.none() | recent)
    return row(revision=draw(st.integers(1, 10_000)), **fields)


def source_lists(most: int = 5, *, paragraphs: bool = False) -> st.SearchStrategy[list[Row]]:
    """Generate lists of sources with slugs of their own, some empty."""
    return st.lists(
        sources(paragraphs=paragraphs), max_size=most, unique_by=lambda source: str(source["id"])
    )


def as_read_back(source: Row, *without: str) -> Row:
    """Return what a reader should find of a written source, ready to compare: no `id`, none of the
    fields named.

    Whatever a file says of an identifier, a reader gives it as unverified.
    """
    record = {
        name: source[name]
        for name in SourceIn.model_fields
        if name not in ("id", *REVIEW_FIELDS, *without)
    }
    if "identifiers" in record:
        record["identifiers"] = [
            {**identifier, "verification": "unverified"} for identifier in record["identifiers"]
        ]
    return compared(record)


DEFAULTS = {"authors_complete": True, "issued_inferred": False, "integrity": "no_notice"}


def compared(record: Row) -> Row:
    """Return a record without fields that are empty or at their default, and with its identifiers
    in order.
    """
    kept = {name: value for name, value in record.items() if value not in (None, [], "")}
    for people in ("authors", "contributors"):
        if people in kept:
            kept[people] = [
                {name: part for name, part in person.items() if part} for person in kept[people]
            ]
    if "identifiers" in kept:
        kept["identifiers"] = sorted(
            kept["identifiers"], key=lambda identifier: str(identifier["scheme"])
        )
    return {
        name: value
        for name, value in kept.items()
        if not (name in DEFAULTS and DEFAULTS[name] == value)
    }
