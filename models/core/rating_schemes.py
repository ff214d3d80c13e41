"""Schemes by which others rate evidence and conclusions: their values, as they are printed.

A rating names its scheme and its value in the scheme's own words (`ratings`). The schemes here are
known; others are welcome. No status rule reads a rating or a scheme. A crosswalk stands only where
the vocabulary that it points to has the scheme's own words: levels of others are no Oxford levels.

Where the values were read:

- civic-level: the page "Level" of the documentation of CIViC (docs/model/evidence/level.rst).
- grade: doi:10.1186/1741-7015-10-33, table 1, which has the words of the GRADE guidelines.
- iarc: "Agents Classified by the IARC Monographs, Volumes 1-122" of 2018, which has group 4, too.
- sort: "SORT: Rating the Strength of Evidence" of American Family Physician.
- acmg: the abstract of doi:10.1038/gim.2015.30.
"""

from collections.abc import Mapping

from models.core.vocabulary import Term, Vocabulary

CIVIC_LEVEL = Vocabulary(
    "civic-level",
    "Levels of evidence of CIViC",
    "How robust the study behind an evidence item of CIViC is, from A.",
    (
        Term("A", "Validated association", "Proven/consensus association in human medicine."),
        Term(
            "B",
            "Clinical evidence",
            "Clinical trial or other primary patient data supports association.",
        ),
        Term("C", "Case study", "Individual case reports from clinical journals."),
        Term("D", "Preclinical evidence", "In vivo or in vitro models support association."),
        Term("E", "Inferential association", "Indirect evidence."),
    ),
    reference="https://civic.readthedocs.io/en/latest/model/evidence/level.html",
)

GRADE = Vocabulary(
    "grade",
    "Certainty of evidence of GRADE",
    "How sure a panel is of an estimate of effect, from the highest. The certainty that is derived"
    " here has the same four words, and is no panel's judgement.",
    (
        Term(
            "high",
            "High",
            "We are very confident that the true effect lies close to that of the estimate of the"
            " effect.",
            {"certainties": "high"},
        ),
        Term(
            "moderate",
            "Moderate",
            "We are moderately confident in the effect estimate: The true effect is likely to be"
            " close to the estimate of the effect, but there is a possibility that it is"
            " substantially different.",
            {"certainties": "moderate"},
        ),
        Term(
            "low",
            "Low",
            "Our confidence in the effect estimate is limited: The true effect may be"
            " substantially different from the estimate of the effect.",
            {"certainties": "low"},
        ),
        Term(
            "very low",
            "Very low",
            "We have very little confidence in the effect estimate: The true effect is likely to"
            " be substantially different from the estimate of effect.",
            {"certainties": "very_low"},
        ),
    ),
    reference="https://doi.org/10.1186/1741-7015-10-33",
)

IARC = Vocabulary(
    "iarc",
    "Groups of the IARC Monographs",
    "How strong the evidence is that an agent causes cancer in humans, not how great the risk is.",
    (
        Term("1", "Group 1", "Carcinogenic to humans."),
        Term("2A", "Group 2A", "Probably carcinogenic to humans."),
        Term("2B", "Group 2B", "Possibly carcinogenic to humans."),
        Term("3", "Group 3", "Not classifiable as to its carcinogenicity to humans."),
        Term("4", "Group 4", "Probably not carcinogenic to humans."),
    ),
    reference="https://monographs.iarc.fr/agents-classified-by-the-iarc/",
)

SORT = Vocabulary(
    "sort",
    "Strength of Recommendation Taxonomy (SORT)",
    "What a recommendation to clinicians rests on, from A.",
    (
        Term(
            "A",
            "A",
            "Recommendation based on consistent and good quality patient-oriented evidence.",
        ),
        Term(
            "B",
            "B",
            "Recommendation based on inconsistent or limited quality patient-oriented evidence.",
        ),
        Term(
            "C",
            "C",
            "Recommendation based on consensus, usual practice, expert opinion, disease-oriented"
            " evidence, and case series for studies of diagnosis, treatment, prevention, or"
            " screening.",
        ),
    ),
    reference="https://www.aafp.org/journals/afp/authors/ebm-toolkit/strength.html",
)

ACMG = Vocabulary(
    "acmg",
    "Classes of sequence variants of ACMG and AMP",
    "What a variant in a gene that causes a Mendelian disorder is taken to be.",
    tuple(
        Term(name, name, f"The variant is classified as {name}.")
        for name in (
            *("pathogenic", "likely pathogenic", "uncertain significance"),
            *("likely benign", "benign"),
        )
    ),
    reference="https://doi.org/10.1038/gim.2015.30",
)

RATING_SCHEMES = {scheme.name: scheme for scheme in (CIVIC_LEVEL, GRADE, IARC, SORT, ACMG)}


def crosswalk(scheme: str, value: str) -> Mapping[str, str]:
    """Return our terms for a value of a scheme, by vocabulary; none where no crosswalk stands."""
    known = RATING_SCHEMES.get(scheme)
    if known is None or value not in known.ids:
        return {}
    return known.terms[known.rank(value)].crosswalk
