"""A claim and three abstracts in the form of SciFact."""

ABSTRACT = {
    "doc_id": 7,
    "title": "A trial of X.",
    "abstract": ["We gave X.", "It helped.", "Well."],
    "structured": True,
}


TRANSLATED = {
    "doc_id": 8,
    "title": " [X in Y]. ",
    "abstract": ["Nothing happened."],
    "structured": False,
}


CLAIM = {
    "id": 3,
    "claim": "X helps in Ménière's disease.",
    "doc_ids": [7, 8, 9],
    "evidence": {
        "7": [{"sentences": [1], "label": "SUPPORT"}, {"sentences": [2, 0], "label": "SUPPORT"}],
        "8": [{"sentences": [0], "label": "CONTRADICT"}],
    },
}


LOOKED_AT = {"doc_id": 9, "title": "Something else", "abstract": [], "structured": False}
