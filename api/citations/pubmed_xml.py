"""PubMed's XML (`PubmedArticleSet`, NLM's DTD of 2025), as its E-utilities and its site give it.

Each article becomes the tags of the MEDLINE display, which `nbib` reads.
"""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from api.citations.nbib import parse_entry
from api.citations.parse_result import ParsedFile
from api.citations.tagged_lines import TagValue
from api.citations.xml_records import read_records, text_of

_RECORDS = ("PubmedArticle", "PubmedBookArticle")
# Where a value stands within an article, and the tag of the MEDLINE display for it.
_PATHS = (
    ("MedlineCitation/PMID", "PMID"),
    ("BookDocument/PMID", "PMID"),
    (".//Article/ArticleTitle", "TI"),
    ("BookDocument/ArticleTitle", "TI"),
    (".//Article/VernacularTitle", "TT"),
    ("BookDocument/Book/BookTitle", "BTI"),
    ("BookDocument/Book/Publisher/PublisherName", "PB"),
    ("BookDocument/Book/Publisher/PublisherLocation", "PL"),
    ("BookDocument/Book/Isbn", "ISBN"),
    ("BookDocument/Book/Edition", "EN"),
    ("BookDocument/Book/CollectionTitle", "CTI"),
    (".//Journal/Title", "JT"),
    (".//Journal/ISOAbbreviation", "TA"),
    (".//Journal/JournalIssue/Volume", "VI"),
    (".//Journal/JournalIssue/Issue", "IP"),
    (".//Journal/ISSN", "IS"),
    (".//MedlineJournalInfo/ISSNLinking", "IS"),
    (".//Pagination/MedlinePgn", "PG"),
    (".//Article/Language", "LA"),
    ("BookDocument/Language", "LA"),
    (".//PublicationTypeList/PublicationType", "PT"),
    (".//KeywordList/Keyword", "OT"),
)
# The kinds of notices, and their tags.
_NOTICES = {
    "RetractionIn": "RIN",
    "ExpressionOfConcernIn": "ECI",
    "ErratumIn": "EIN",
    "PartialRetractionIn": "EIN",
}


# Parts of an article of which nothing is read, and that say something of the work.
_TOLD = ("GrantList", "ChemicalList", "DataBankList", "CoiStatement", "InvestigatorList")


def read(content: bytes, parsed: ParsedFile | None = None) -> ParsedFile:
    """Parse a file of PubMed's XML. What stands after a break of the XML is one problem."""
    return read_records(content, _RECORDS, _tags, parse_entry, parsed)


def _tags(record: Element) -> Iterator[TagValue]:
    for path, tag in _PATHS:
        yield from ((tag, text_of(found)) for found in record.findall(path))
    yield from ((name, "it is there") for name in _TOLD if record.find(f".//{name}") is not None)
    yield from _dates(record)
    yield from _identifiers(record)
    for author_list in record.findall(".//AuthorList"):
        is_of_editors = author_list.get("Type") == "editors"
        for author in author_list.findall("Author"):
            yield from _person(author, "FED" if is_of_editors else "FAU")
        if author_list.get("CompleteYN") == "N":
            yield "FAU", "et al."
    if abstract := "\n".join(_paragraphs(record)):
        yield "AB", abstract
    for heading in record.findall(".//MeshHeading"):
        yield "MH", "/".join(text_of(part) for part in heading)
    for notice in record.findall(".//CommentsCorrections"):
        kind = notice.get("RefType", "")
        if kind in _NOTICES:
            number = text_of(notice.find("PMID"))
            source = text_of(notice.find("RefSource"))
            yield _NOTICES[kind], f"{source} PMID: {number}" if number else source


def _paragraphs(record: Element) -> Iterator[str]:
    for part in record.findall(".//Abstract/AbstractText"):
        label = part.get("Label")
        text = text_of(part)
        yield f"{label}: {text}" if label and text else text


def _dates(record: Element) -> Iterator[TagValue]:
    for path in (".//JournalIssue/PubDate", "BookDocument/Book/PubDate"):
        date = record.find(path)
        if date is not None:
            yield "DP", " ".join(text_of(part) for part in date)
    online = record.find(".//Article/ArticleDate[@DateType='Electronic']")
    if online is not None:
        parts = (text_of(online.find(name)).zfill(2) for name in ("Year", "Month", "Day"))
        yield "DEP", "".join(parts)


def _identifiers(record: Element) -> Iterator[TagValue]:
    for location in record.findall(".//Article/ELocationID"):
        yield "LID", f"{text_of(location)} [{location.get('EIdType', '')}]"
    # Those of the references that it lists stand deeper.
    for identifier in record.findall("*/ArticleIdList/ArticleId"):
        kind = identifier.get("IdType")
        if kind == "doi":
            yield "AID", f"{text_of(identifier)} [doi]"
        elif kind == "pmc":
            yield "PMC", text_of(identifier)


def _person(author: Element, tag: str) -> Iterator[TagValue]:
    group = author.find("CollectiveName")
    if group is not None:
        yield "CN", text_of(group)
        return
    given = text_of(author.find("ForeName")) or text_of(author.find("Initials"))
    family, suffix = text_of(author.find("LastName")), text_of(author.find("Suffix"))
    yield tag, f"{family}, {' '.join(part for part in (given, suffix) if part)}"
    for identifier in author.findall("Identifier[@Source='ORCID']"):
        yield "AUID", f"ORCID: {text_of(identifier)}"
