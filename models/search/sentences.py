"""The sentences of a text, and the words in them that may turn a statement round.

A splitter as a library brings models or was not kept up. What is needed here is where a reader of
English prose would draw the line, which the abbreviations below tell.
"""

import re
from collections.abc import Iterator

from models.search.tokenizer import fold

# A full stop after one of these ends no sentence.
_ABBREVIATIONS = """
al approx ca cf ch dr e eds eg eq fig figs ie inc jr ltd mr mrs nos p pp prof ref refs resp sect sr
suppl tab univ viz vol vs
"""
_NEVER_LAST = frozenset(_ABBREVIATIONS.split())
# These are words, too, and end no sentence before a number alone.
_NUMBERED = frozenset({"art", "ed", "min", "ms", "no", "sec", "st"})
_BLANKS = re.compile(r"(?<!\s)\s++")
# What may close a sentence after its mark, such as a quotation mark or the number of a reference.
_CLOSING = re.compile(r"""([.!?…])["'”’»)\]]{0,4}(?:\[[0-9, –-]{1,30}\])?$""")
# So many characters before a blank are looked at.
_LOOKED_BACK = 50
_LAST_WORD = re.compile(r"(\w[\w.]*)\.+$")
_OPENS = re.compile(r"[\"'“‘«(\[]{0,4}(?P<first>\S)")

# Words that deny, doubt or turn round what is said with them, as folded words.
_DENYING = """
absence absent against cannot contradict contradicted contradicts contrary debunked denied denies
deny despite disproved disproven disproves doubt doubted doubtful doubts excluded fail failed fails
failure false fraud hardly hoax lack lacked lacking lacks misleading myth neither never no nobody
none nor not nothing questionable questioned rather refute refuted refutes reject rejected rejects
scarcely unable unfounded unlikely unproven unrelated unsupported untrue without wrong wrongly
"""
DENYING = frozenset(_DENYING.split())
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# Who says what follows or went before: "Zamboni claims that …", "…, according to a trial."
_SAYING = (
    r"(?:argue|assert|believe|claim|conclude|confirm|declare|demonstrate|explain|find|found|hold|"
    r"indicate|insist|maintain|note|propose|prove|report|reveal|said|say|show|state|suggest|tell|"
    r"think|thought|told|warn|write|wrote)(?:d|e?s|ed|n)?"
)
_SAID_BEFORE = re.compile(rf"^(?:\S++\s++){{0,15}}?\S*?\b{_SAYING}\s+(?:us\s+)?that\s+", re.I)
_ACCORDING_BEFORE = re.compile(r"^according\s+to\s+[^,]{1,100},\s*", re.I)
_SAID_AFTER = re.compile(
    rf",\s+(?:according\s+to\s.{{1,100}}|(?:\S++\s++){{0,8}}?{_SAYING}(?:\s+\S++){{0,8}})$", re.I
)
# Less than this is no statement by itself.
SHORTEST_STATEMENT = 12


def split_sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the start and end (exclusive) of each sentence of a text, without blanks around it.

    A blank line ends a sentence, too.
    """
    start = 0
    for blanks in _BLANKS.finditer(text):
        place, following = blanks.span()
        if blanks[0].count("\n") < 2 and not _ends_sentence(text, place, following):
            continue
        if place > start:
            yield start, place
        start = following
    if start < len(text):
        yield start, len(text)


def _ends_sentence(text: str, place: int, following: int) -> bool:
    """Return whether blanks stand between two sentences, by the words on both sides of them."""
    before = text[max(0, place - _LOOKED_BACK) : place]
    closing = _CLOSING.search(before)
    if closing is None:
        return False
    if closing[1] != ".":
        return True
    opening = _OPENS.match(text, following)
    first = opening["first"] if opening else "A"
    if first.islower():
        return False
    last = _LAST_WORD.search(before[: closing.start() + 1])
    if last is None:
        return True
    if len(last[1]) == 1 and last[1].isupper():
        return False  # An initial.
    word = last[1].lower().replace(".", "")
    if word in _NUMBERED:
        return not first.isdigit()
    return word not in _NEVER_LAST


def without_attribution(sentence: str) -> str:
    """Return what a sentence says, without who says it, as far as that stands at its ends.

    "Zamboni claims that veins are narrow" and "Veins are narrow, according to a trial" both say
    that veins are narrow. A sentence without such words comes back as it is.
    """
    said = sentence.strip().rstrip(".!?")
    for attribution in (_ACCORDING_BEFORE, _SAID_BEFORE, _SAID_AFTER):
        rest = attribution.sub("", said)
        if len(rest) >= SHORTEST_STATEMENT:
            said = rest
    return said if said != sentence.strip().rstrip(".!?") else sentence


def denying_words(text: str) -> list[tuple[str, int, int]]:
    """Return the words that may turn a text round, each in lower case with its start and end."""
    found = []
    for word in _WORD.finditer(text):
        folded = fold(word[0])
        if folded in DENYING or folded.endswith("n't"):
            found.append((word[0].lower().replace("’", "'"), word.start(), word.end()))
    return found
