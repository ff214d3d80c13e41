"""XML of PubMed and EndNote, Web of Science, RefWorks, Ovid, and tables of Covidence and Rayyan."""

import pytest
from hypothesis import strategies as st

from api.citations import detect, formats
from api.citations.xml_records import MOST_LEVELS
from models.records.serializers import Row
from models.records.source import SourceIn
from tests.citations.sources import compared
from tests.generated import fuzzed

PUBMED_XML = """<?xml version="1.0" encoding="utf-16"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN" "pubmed.dtd">
<PubmedArticleSet>
<PubmedArticle>
 <MedlineCitation Status="MEDLINE">
  <PMID Version="1">19060024</PMID>
  <Article PubModel="Print-Electronic">
   <Journal><ISSN IssnType="Electronic">1468-330X</ISSN>
    <JournalIssue CitedMedium="Internet"><Volume>80</Volume><Issue>4</Issue>
     <PubDate><Year>2009</Year><Month>Apr</Month></PubDate></JournalIssue>
    <Title>Journal of neurology</Title><ISOAbbreviation>J Neurol</ISOAbbreviation></Journal>
   <ArticleTitle>Effects of 10<sup>3</sup> units &amp; <i>p</i> &lt; 0.05.</ArticleTitle>
   <Pagination><MedlinePgn>392-9</MedlinePgn></Pagination>
   <ELocationID EIdType="doi" ValidYN="Y">10.1136/jnnp.2008.157164</ELocationID>
   <Abstract><AbstractText Label="METHODS">We looked.</AbstractText>
    <AbstractText Label="RESULTS">We found.</AbstractText></Abstract>
   <AuthorList CompleteYN="N">
    <Author ValidYN="Y"><LastName>van den Berg</LastName><ForeName>Jan M</ForeName>
     <Suffix>Jr</Suffix><Initials>JM</Initials>
     <Identifier Source="ORCID">https://orcid.org/0000-0002-1825-0097</Identifier></Author>
    <Author><CollectiveName>CCSVI Study Group</CollectiveName></Author></AuthorList>
   <Language>eng</Language>
   <GrantList CompleteYN="Y"><Grant><GrantID>1</GrantID></Grant></GrantList>
   <PublicationTypeList><PublicationType>Journal Article</PublicationType></PublicationTypeList>
   <ArticleDate DateType="Electronic"><Year>2008</Year><Month>12</Month><Day>5</Day></ArticleDate>
  </Article>
  <CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn">
   <RefSource>J Neurol. 2016 Mar;246:385</RefSource><PMID>39000002</PMID></CommentsCorrections>
  </CommentsCorrectionsList>
  <MeshHeadingList><MeshHeading><DescriptorName>Veins</DescriptorName>
   <QualifierName>pathology</QualifierName></MeshHeading></MeshHeadingList>
  <KeywordList Owner="NOTNLM"><Keyword>iron</Keyword></KeywordList>
 </MedlineCitation>
 <PubmedData><ArticleIdList><ArticleId IdType="pubmed">19060024</ArticleId>
  <ArticleId IdType="pmc">PMC2647682</ArticleId></ArticleIdList>
  <ReferenceList><Reference><ArticleIdList><ArticleId IdType="doi">10.1/other</ArticleId>
  </ArticleIdList></Reference></ReferenceList></PubmedData>
</PubmedArticle>
</PubmedArticleSet>
"""
ENDNOTE_XML = """<?xml version="1.0" encoding="UTF-8" ?><xml><records><record>
<database name="My.enl" path="My.enl">My.enl</database>
<ref-type name="Book Section">5</ref-type>
<contributors><authors><author><style face="normal">Doe, Jane</style></author></authors>
<secondary-authors><author>Roe, Richard</author></secondary-authors></contributors>
<titles><title><style face="normal">A chapter on </style><style face="italic">veins</style></title>
<secondary-title>Handbook of veins</secondary-title>
<tertiary-title>Series A</tertiary-title></titles>
<pages>1-20</pages><edition>3rd</edition>
<keywords><keyword>iron</keyword><keyword>Venous Insufficiency, Chronic</keyword></keywords>
<dates><year>2001</year></dates><pub-location>Berlin</pub-location><publisher>X</publisher>
<isbn>978-0-13-110362-7</isbn><electronic-resource-num>10.1000/x</electronic-resource-num>
<label>my label</label></record></records></xml>
"""
WEB_OF_SCIENCE = """FN Clarivate Analytics Web of Science
VR 1.0
PT J
AU Doe, J
   Roe, R
AF Doe, Jane
   Roe, Richard
TI Chronic venous insufficiency
   in multiple sclerosis
SO CURRENT NEUROVASCULAR RESEARCH
DE iron; veins
AB First we looked. Then
   we counted.
C1 [Doe, Jane] Univ X, Dept Y.
SN 1364-503X
JI Curr. Neurovasc. Res.
PD AUG 3
PY 2009
VL 6
IS 3
BP 204
EP 212
DI 10.1000/x
PM 19534716
UT WOS:000268
ER

EF
"""
REFWORKS = """RT Journal Article
SR Electronic
ID 1
A1 Doe,Jane
A1 Roe,Richard
T1 Chronic venous insufficiency
JF Current Neurovascular Research
YR 2009
FD 2009/08/03
VO 6
IS 3
SP 204
OP 212
K1 iron
K1 veins
AB First we looked.
DO 10.1000/x
RD 2020-01-01

RT Dissertation/Thesis
A1 Poe, Edgar
T1 On veins
YR 2010
"""
COVIDENCE = (
    "Title,Authors,Abstract,Published Year,Published Month,Journal,Volume,Issue,Pages,"
    "Accession Number,DOI,Ref,Covidence #,Study,Notes,Tags\n"
    '"On veins, again","Doe, Jane; Roe, Richard","We looked.\nWe counted.",2009,Aug,'
    "Curr Neurovasc Res,6,3,204-12,123,10.1000/x,1,#17,Doe 2009,,\n"
)
RAYYAN = (
    "key,title,year,month,day,journal,issn,volume,issue,pages,authors,url,language,publisher,"
    "location,abstract,notes,pubmed_id,pmc_id\n"
    "rayyan-1,On veins,2009,8,3,Curr Neurovasc Res,1364-503X,6,3,204-212,"
    '"Doe, Jane and Roe, Richard",https://example.org/a,eng,X,Berlin,We looked.,,19534716,PMC12\n'
)
OVID_TAGS = """<1. >
VN  - Ovid Technologies
DB  - Ovid MEDLINE(R) <1946 to November Week 2 2025>
UI  - 19534716
AU  - Doe J
AU  - Roe R
FA  - Doe, Jane 1,2
FA  - Roe, Richard MD, PhD *
IN  - Doe, Jane. Univ X, Dept Y.
TI  - Chronic venous insufficiency
      in multiple sclerosis. [Review] [50 refs]
SO  - Current Neurovascular Research. 6(3):204-12, 2009 Aug.
JA  - Curr Neurovasc Res
IS  - 1364-503X (ISSN print)
MH  - Veins
KW  - iron;  blood flow
AB  - First we looked. Then
      we counted.
LG  - English.
PT  - Journal Article
DO  - 10.1000/x
ED  - 20091231
XL  - https://ovidsp.example.org/ovidweb.cgi?T=JS

<23. >
VN  - Ovid Technologies
DB  - BIOSIS Previews
AN  - PREV2004
AU  - Poe, Edgar A. [Inventor, Reprint Author; E-mail: poe@example.org]
TI  - On veins
SO  - Annals of veins November 15, 2004;12:7
PT  - Patent
YR  - 2004
"""
OVID_NAMES = """<1>
Unique Identifier
  12345
Database
  Embase
PMID
  19534716
Authors
  Doe J.  Roe R.
Institution
  (Doe) Univ X
Title
  Chronic venous insufficiency.
Source
  Current Neurovascular Research. Vol.6(3) (pp 204-212), 2009.
Year of Publication
  2009
Publication Type
  Journal: Article
Digital Object Identifier
  10.1000/x

<2>
Chapter Title
  Veins, again
Book Title
  Handbook of veins
Author
  Doe, Jane 1;  Roe, Richard 2
Publication Type
  Book Chapter
Source
  Handbook of veins. 2(1): 3-28, 2010
Link to the Ovid Full Text or citation
  https://ovidsp.example.org/ovidweb.cgi?T=JS
"""
INITIALS = [{"family": "Doe", "given": "J"}, {"family": "Roe", "given": "R"}]
TWO = [{"family": "Doe", "given": "Jane"}, {"family": "Roe", "given": "Richard"}]


def identifiers(**values: str) -> list[Row]:
    return [
        {"scheme": scheme, "value": value, "verification": "unverified"}
        for scheme, value in values.items()
    ]


CASES: dict[str, tuple[str, list[Row], list[tuple[str, ...]]]] = {
    "pubmed_xml": (
        PUBMED_XML,
        [
            {
                "type": "article-journal",
                "title": "Effects of 10³ units & p < 0.05",
                "authors": [
                    {
                        "family": "Berg",
                        "given": "Jan M",
                        "particle": "van den",
                        "suffix": "Jr",
                        "orcid": "0000-0002-1825-0097",
                    },
                    {"literal": "CCSVI Study Group"},
                ],
                "authors_complete": False,
                "container_title": "Journal of neurology",
                "container_title_short": "J Neurol",
                "issn": ["1468-330X"],
                "volume": "80",
                "issue": "4",
                "page": "392-399",
                "issued": "2009-04",
                "epub_date": "2008-12-05",
                "language": "en",
                "abstract": "METHODS: We looked.\nRESULTS: We found.",
                "keywords": ["iron", "Veins/pathology"],
                "integrity": "retracted",
                "integrity_date": "2016-03",
                "integrity_note": "Retraction in: J Neurol. 2016 Mar;246:385 PMID: 39000002",
                "identifiers": identifiers(
                    doi="10.1136/jnnp.2008.157164", pmcid="PMC2647682", pmid="19060024"
                ),
            }
        ],
        [("GrantList",)],
    ),
    "endnote_xml": (
        ENDNOTE_XML,
        [
            {
                "type": "chapter",
                "title": "A chapter on veins",
                "authors": [TWO[0]],
                "contributors": [{"role": "editor", **TWO[1]}],
                "container_title": "Handbook of veins",
                "container_isbn": "9780131103627",
                "collection_title": "Series A",
                "edition": "3rd",
                "page": "1-20",
                "issued": "2001",
                "keywords": ["iron", "Venous Insufficiency, Chronic"],
                "publisher": "X",
                "publisher_place": "Berlin",
                "identifiers": identifiers(doi="10.1000/x"),
            }
        ],
        [("label",)],
    ),
    "web_of_science": (
        WEB_OF_SCIENCE,
        [
            {
                "type": "article-journal",
                "title": "Chronic venous insufficiency in multiple sclerosis",
                "authors": TWO,
                "container_title": "CURRENT NEUROVASCULAR RESEARCH",
                "container_title_short": "Curr. Neurovasc. Res.",
                "issn": ["1364-503X"],
                "volume": "6",
                "issue": "3",
                "page": "204-212",
                "issued": "2009-08-03",
                "abstract": "First we looked. Then we counted.",
                "keywords": ["iron", "veins"],
                "identifiers": identifiers(doi="10.1000/x", pmid="19534716"),
            }
        ],
        [("C1 field", "UT field")],
    ),
    "refworks": (
        REFWORKS,
        [
            {
                "type": "article-journal",
                "title": "Chronic venous insufficiency",
                "authors": TWO,
                "container_title": "Current Neurovascular Research",
                "volume": "6",
                "issue": "3",
                "page": "204-212",
                "issued": "2009-08-03",
                "abstract": "First we looked.",
                "keywords": ["iron", "veins"],
                "identifiers": identifiers(doi="10.1000/x"),
            },
            {
                "type": "thesis",
                "title": "On veins",
                "authors": [{"family": "Poe", "given": "Edgar"}],
                "issued": "2010",
            },
        ],
        [("SR field", "ID field", "RD field"), ()],
    ),
    "ovid": (
        OVID_TAGS,
        [
            {
                "type": "article-journal",
                "title": "Chronic venous insufficiency in multiple sclerosis",
                "authors": TWO,
                "container_title": "Current Neurovascular Research",
                "container_title_short": "Curr Neurovasc Res",
                "issn": ["1364-503X"],
                "volume": "6",
                "issue": "3",
                "page": "204-212",
                "issued": "2009-08",
                "language": "en",
                "abstract": "First we looked. Then we counted.",
                "keywords": ["iron", "blood flow", "Veins"],
                "identifiers": identifiers(doi="10.1000/x", pmid="19534716"),
            },
            {
                "type": "patent",
                "title": "On veins",
                "authors": [{"family": "Poe", "given": "Edgar A."}],
                "container_title": "Annals of veins",
                "volume": "12",
                "page": "7",
                "issued": "2004-11-15",
            },
        ],
        [("IN field", "ED field"), ("AN field",)],
    ),
    "screening_csv": (
        COVIDENCE,
        [
            {
                "type": "article-journal",
                "title": "On veins, again",
                "authors": TWO,
                "container_title": "Curr Neurovasc Res",
                "volume": "6",
                "issue": "3",
                "page": "204-212",
                "issued": "2009-08",
                "abstract": "We looked. We counted.",
                "identifiers": identifiers(doi="10.1000/x"),
            }
        ],
        [()],
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_found_out_and_read(name: str, end: str) -> None:
    text, expected, dropped = CASES[name]
    content = text.replace("\n", end).encode()
    assert detect.detect(content) == name
    parsed = detect.read(content)
    assert parsed.problems == []
    assert [compared(entry.record) for entry in parsed.entries] == [
        {"study_design": "not_recorded", **record} for record in expected
    ]
    assert [entry.dropped for entry in parsed.entries] == dropped
    for entry in parsed.entries:
        SourceIn.model_validate({"id": "x", **entry.record})


def test_a_table_of_rayyan() -> None:
    (entry,) = detect.read(RAYYAN.encode()).entries
    record = compared(entry.record)
    assert (record["authors"], record["issued"]) == (TWO, "2009-08-03")
    assert record["identifiers"] == identifiers(pmcid="PMC12", pmid="19534716")
    assert (record["language"], record["publisher_place"]) == ("en", "Berlin")
    assert entry.dropped == ()


def test_ovid_with_names_of_fields() -> None:
    first, second = detect.read(OVID_NAMES.encode()).entries
    record = compared(first.record)
    assert (record["title"], record["issued"]) == ("Chronic venous insufficiency", "2009")
    assert record["authors"] == INITIALS
    assert (record["volume"], record["issue"], record["page"]) == ("6", "3", "204-212")
    assert record["container_title"] == "Current Neurovascular Research"
    assert record["identifiers"] == identifiers(doi="10.1000/x", pmid="19534716")
    assert first.dropped == ("Institution",)
    chapter = compared(second.record)
    assert (chapter["type"], chapter["title"]) == ("chapter", "Veins, again")
    assert (chapter["container_title"], chapter["page"]) == ("Handbook of veins", "3-28")
    assert (chapter["authors"], second.dropped) == (TWO, ())


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("J Veins. 201(2-3):327-334, November 15, 2004.", ("J Veins", "201", "2-3", "2004-11-15")),
        ("J Veins August 2011;43(8):647-653", ("J Veins", "43", "8", "2011-08")),
        ("J Veins, 2013(1): 3-28.", ("J Veins", "2013", "1", None)),
        ("J Veins. 12:e104, 2001 Jan-Feb.", ("J Veins", "12", None, "2001-01")),
        ("J Veins. Vol.6(3), Mar 2009, pp. 204-212.", ("J Veins", "6", "3", "2009-03")),
        ("J Veins January/February 2010;14(1):56", ("J Veins", "14", "1", "2010-01")),
    ],
)
def test_the_ways_in_which_ovid_writes_where_a_work_stands(
    source: str, expected: tuple[str | None, ...]
) -> None:
    (entry,) = detect.read(f"<1. >\nVN  - Ovid\nTI  - On veins\nSO  - {source}\n".encode()).entries
    names = ("container_title", "volume", "issue", "issued")
    assert tuple(entry.record[name] for name in names) == expected
    assert entry.dropped == ()


def test_where_a_work_stands_is_told_where_it_is_not_understood() -> None:
    text = "<1. >\nVN  - Ovid\nTI  - On veins\nSO  - (2001). A book, vii, 20 pp.\n"
    (entry,) = detect.read(text.encode()).entries
    assert (entry.record["container_title"], entry.dropped) == (None, ("SO field",))


@pytest.mark.parametrize("name", ["pubmed_xml", "endnote_xml"])
def test_a_file_that_is_cut_gives_what_stands_before(name: str) -> None:
    text = CASES[name][0]
    end = text.rindex("</Pubmed" if name == "pubmed_xml" else "</records>")
    whole = detect.read(text.encode())
    cut = detect.read(text[:end].encode())
    assert cut.entries == whole.entries
    assert [problem.code for problem in cut.problems] == ["malformed_xml"]


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_of_a_file_are_refused(head: str) -> None:
    text = PUBMED_XML.split("?>", 1)[1].split(">", 1)[1].replace("We looked.", "&x;")
    parsed = detect.read(f"{head}{text}".encode())
    assert parsed.entries == []
    assert [problem.code for problem in parsed.problems] == ["malformed_xml"]


def test_elements_within_each_other_have_a_bound() -> None:
    deep = "<i>" * MOST_LEVELS + "</i>" * MOST_LEVELS
    text = PUBMED_XML.replace("We looked.", deep)
    assert [problem.code for problem in detect.read(text.encode()).problems] == ["malformed_xml"]


@pytest.mark.parametrize(
    ("text", "name", "advice"),
    [
        ("<?xml version='1.0'?><modsCollection/>", "MODS", "RIS"),
        ("<rdf:RDF xmlns:z='x'></rdf:RDF>", "RDF", "CSL-JSON"),
        ("%0 Journal Article\n%T On veins\n", "EndNote", "RIS"),
        ("%PDF-1.4\n", "PDF", "citations"),
    ],
)
def test_a_file_that_is_known_and_not_read_is_named(text: str, name: str, advice: str) -> None:
    with pytest.raises(detect.UnknownFormat, match=f"{name}.*{advice}"):
        detect.detect(text.encode())


@fuzzed(
    st.sampled_from(sorted(CASES)),
    st.integers(0, 2_000),
    st.integers(0, 200),
    st.text(max_size=5),
)
def test_no_file_stops_a_reader(name: str, start: int, length: int, put: str) -> None:
    text = CASES[name][0]
    changed = text[:start] + put + text[start + length :]
    parsed = formats.READ[name].read(changed.encode("utf-8", "replace"), None)
    for entry in parsed.entries:
        assert entry.record["title"] or entry.record["identifiers"]
    assert all(problem.code and problem.detail for problem in parsed.problems)
