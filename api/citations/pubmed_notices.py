"""What PubMed says of notices: the links between its records of works and of notices
(`CommentsCorrections`), and its own records of the notices.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element

from api.citations import nbib, xml_records
from api.citations.registries import Registry, json_object, quoted
from models.records.identifiers import identifiers_in
from models.records.serializers import Row
from models.transfer.notice_matching import Identifier, Notice

# Records that one request names: twice as many fit into an address.
PMIDS_AT_ONCE = 100
# PubMed's types of links from a work to the notice about it, and from a notice to the work.
TIE_TO_NOTICE = {
    "RetractionIn": "retracts",
    "RetractedandRepublishedIn": "retracts",
    "ExpressionOfConcernIn": "concern_about",
    "ErratumIn": "erratum_to",
    "CorrectedandRepublishedIn": "erratum_to",
    "PartialRetractionIn": "erratum_to",
}
TIE_TO_WORK = {
    "RetractionOf": "retracts",
    "RetractedandRepublishedFrom": "retracts",
    "ExpressionOfConcernFor": "concern_about",
    "ErratumFor": "erratum_to",
    "CorrectedandRepublishedFrom": "erratum_to",
    "PartialRetractionOf": "erratum_to",
}
_FETCH = "/entrez/eutils/efetch.fcgi"
_CITATION = "MedlineCitation"
_LINK = f"{_CITATION}/CommentsCorrectionsList/CommentsCorrections"
_TYPE = f"{_CITATION}/Article/PublicationTypeList/PublicationType"


def batches(numbers: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield numbers as they are asked for together."""
    for start in range(0, len(numbers), PMIDS_AT_ONCE):
        yield numbers[start : start + PMIDS_AT_ONCE]


def ask_for_pmids(pubmed: Registry, pmcids: Sequence[str]) -> dict[str, str]:
    """Return the PMIDs of works in PubMed Central, by PMCID.

    PubMed Central itself tells of no notices.
    """
    parameters = {
        "db": "pmc",
        "id": ",".join(pmcid.removeprefix("PMC") for pmcid in pmcids),
        "retmode": "json",
    }
    found = pubmed.get(
        "/entrez/eutils/esummary.fcgi", parameters, lambda content: json_object(content, "result")
    )
    pmids = {pmcid: _pmid_in(found.get(pmcid.removeprefix("PMC"))) for pmcid in pmcids}
    return {pmcid: pmid for pmcid, pmid in pmids.items() if pmid is not None}


def ask_for_works(pubmed: Registry, pmids: Sequence[str]) -> tuple[list[Notice], set[str]]:
    """Return what the records of stored works say of notices, and which works PubMed knows."""
    parameters = {"db": "pubmed", "id": ",".join(pmids), "retmode": "xml"}
    articles = pubmed.get(_FETCH, parameters, _articles)
    notices = [
        notice
        for pmid in pmids
        if pmid in articles
        for notice in _notices_of_work(pmid, articles[pmid])
    ]
    return notices, set(articles)


def ask_for_records(pubmed: Registry, pmids: Sequence[str]) -> dict[str, Row]:
    """Return PubMed's own records as the fields of a source, as a file of them is read."""
    parameters = {"db": "pubmed", "id": ",".join(pmids), "rettype": "medline", "retmode": "text"}
    return pubmed.get(_FETCH, parameters, _records)


def with_record(notice: Notice, record: Row | None) -> Notice:
    """Return a notice with PubMed's own record of it, if there is one."""
    if record is None:
        return notice
    own = {each["scheme"]: each["value"] for each in record["identifiers"]}
    identifiers = {**dict(notice.identifiers), **own}
    return replace(notice, identifiers=tuple(identifiers.items()), fields=record)


def _pmid_in(summary: object) -> str | None:
    """Return the PMID in a summary of PubMed Central."""
    listed = summary.get("articleids") if isinstance(summary, dict) else None
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and each.get("idtype") == "pmid":
            found = identifiers_in("pmid", str(each.get("value", "")))
            if found:
                return found[0]
    return None


def _articles(content: bytes) -> dict[str, Element]:
    """Return the articles in an answer by PMID. Raises ValueError if it has another form."""
    text = content.decode()
    if "<PubmedArticleSet" not in text:
        raise ValueError("no set of articles")
    found = [each for _, each in xml_records.records(text, ("PubmedArticle",))]
    for broken in (each for each in found if isinstance(each, xml_records.Malformed)):
        raise ValueError(f"line {broken.line}: {broken.reason}")
    articles = [each for each in found if isinstance(each, Element)]
    return {each.findtext(f"{_CITATION}/PMID", "").strip(): each for each in articles}


def _notices_of_work(pmid: str, article: Element) -> Iterator[Notice]:
    """Yield what the record of a stored work says: of notices about it, and of what it is about."""
    own: tuple[Identifier, ...] = (("pmid", pmid),)
    has_retraction = False
    for link in article.iterfind(_LINK):
        kind = link.get("RefType", "")
        citation = _text_of(link.find("RefSource"))
        numbers = identifiers_in("pmid", _text_of(link.find("PMID")))
        other = tuple(("pmid", number) for number in numbers[:1])
        other += tuple(("doi", doi) for doi in identifiers_in("doi", citation)[:1])
        said = (f"PubMed: {kind} {citation}".strip(),)
        if kind in TIE_TO_NOTICE:
            tie = TIE_TO_NOTICE[kind]
            has_retraction |= tie == "retracts"
            yield Notice(own, tie, said, nbib.date_of_notice(citation), other)
        elif kind in TIE_TO_WORK and other:
            # What it cites here is the work, so the date is not that of the notice.
            yield Notice(other, TIE_TO_WORK[kind], said, None, own)
    is_retracted = any(
        _text_of(each) == "Retracted Publication" for each in article.iterfind(_TYPE)
    )
    if is_retracted and not has_retraction:
        yield Notice(own, "retracts", ("PubMed: it is listed as a Retracted Publication.",))


def _text_of(element: Element | None) -> str:
    return "" if element is None else quoted("".join(element.itertext()))


def _records(content: bytes) -> dict[str, Row]:
    parsed = nbib.read(content)
    if not parsed.entries:
        raise ValueError("no record in PubMed's format")
    found = {}
    for entry in parsed.entries:
        own = {each["scheme"]: each["value"] for each in entry.record["identifiers"]}
        if "pmid" in own:
            found[own["pmid"]] = entry.record
    return found
