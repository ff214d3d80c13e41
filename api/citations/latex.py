"""Text and names as LaTeX and BibTeX write them, both ways.

The rules for names are those of "Tame the BeaST" (N. Markey) and of biblatex's manual (extended
name format). `decode(escape(text)) == text` for every text in NFC. No library does this both ways
without a loss: pylatexenc, which bibtexparser uses, deletes `&`.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Any

from api.citations.clean import clean_orcid, parse_names, small_figures
from models.core.types import nfc

Author = dict[str, Any]

# What LaTeX reads as something else. Braces by name: BibTeX counts `\{` as a brace all the same.
_ESCAPES = {
    **{letter: f"\\{letter}" for letter in "&%$#_"},
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\\": r"\textbackslash{}",
    "\n": r"\newline{}",
    " ": "{ }",  # A second blank: BibTeX makes one of two.
    "-": "{}-",  # The second of two, which would be a dash.
    "'": "{}'",
    "`": "{}`",
}
_ESCAPED = re.compile(r"[&%$#_{}~^\\\x00-\x1f\x7f]|(?<= ) |(?<=-)-|(?<=')'|(?<=`)`")
# Text without any of these says the same as LaTeX, as most names and pages do.
_SPECIAL_TEXT = re.compile(r"[\\{}$^_~\t\n]|  |--|``|''")
_WORD = re.compile(r"[^ \t\n]+")
_CORE = re.compile(r"[^\W_](?:[^ \t\n]*[^\W_])?")

_ACCENTS = {
    **dict(zip("`'^~\"=.", "\u0300\u0301\u0302\u0303\u0308\u0304\u0307", strict=True)),
    **dict(zip("cvuHkbdrt", "\u0327\u030c\u0306\u030b\u0328\u0331\u0323\u030a\u0361", strict=True)),
    "textcommabelow": "\u0326",
    "textcommaabove": "\u0313",
}
_SPACING = dict(zip("\u0300\u0301\u0302\u0303\u0308\u0327", "`´^~¨¸", strict=True))
_GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "mu",
    "nu", "xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
)  # fmt: skip
_WORDS = {
    **dict(zip("oOlLijSP", "øØłŁıȷ§¶", strict=True)),
    "aa": "å",
    "AA": "Å",
    "ae": "æ",
    "AE": "Æ",
    "oe": "œ",
    "OE": "Œ",
    "ss": "ß",
    "SS": "ẞ",
    "dh": "ð",
    "DH": "Ð",
    "th": "þ",
    "TH": "Þ",
    "dj": "đ",
    "DJ": "Đ",
    "ng": "ŋ",
    "NG": "Ŋ",
    "lambda": "λ",
    "Lambda": "Λ",
    **{name: unicodedata.lookup(f"GREEK SMALL LETTER {name}") for name in _GREEK},
    **{name.capitalize(): unicodedata.lookup(f"GREEK CAPITAL LETTER {name}") for name in _GREEK},
    "textbackslash": "\\",
    "textasciitilde": "~",
    "textasciicircum": "^",
    "textunderscore": "_",
    "sim": "~",
    "textbraceleft": "{",
    "textbraceright": "}",
    "lbrace": "{",
    "rbrace": "}",
    "textdollar": "$",
    "textbar": "|",
    "textless": "<",
    "textgreater": ">",
    "lt": "<",
    "gt": ">",
    "leq": "≤",
    "le": "≤",
    "geq": "≥",
    "ge": "≥",
    "textendash": "–",
    "textemdash": "—",
    "textellipsis": "…",
    "ldots": "…",
    "dots": "…",
    "slash": "/",
    "textquoteleft": "‘",
    "textquoteright": "’",
    "textquotedblleft": "“",
    "textquotedblright": "”",
    "textquotesingle": "'",
    "textquotedbl": '"',
    "guillemotleft": "«",
    "guillemotright": "»",
    "textdegree": "°",
    "degree": "°",
    "circ": "°",
    "textmu": "µ",
    "textregistered": "®",
    "texttrademark": "™",
    "copyright": "©",
    "textcopyright": "©",
    "pounds": "£",
    "textsterling": "£",
    "texteuro": "€",
    "dag": "†",
    "times": "×",
    "texttimes": "×",
    "pm": "±",
    "textpm": "±",
    "cdot": "·",
    "textperiodcentered": "·",
    "approx": "≈",
    "neq": "≠",
    "ne": "≠",
    "infty": "∞",
    "rightarrow": "→",
    "to": "→",
    "prime": "′",
    "newline": "\n",
    "par": "\n",
    "quad": " ",
    "space": " ",
    "textampersand": "&",
}
# Commands that change how their argument looks, not what it says.
_STYLING_COMMANDS = frozenset((
    "emph", "text", "textit", "textbf", "textrm", "textsc", "texttt", "textsf", "textsl",
    "textup", "textnormal", "mathrm", "mathit", "mathbf", "mkbibemph", "mkbibitalic", "mkbibbold",
    "mathsf", "ensuremath", "url", "path", "mbox", "uppercase", "MakeUppercase", "lowercase",
    "it", "bf", "em", "rm", "sc", "tt", "sl", "sf", "itshape", "bfseries", "upshape", "relax",
    "protect", "nobreak", "left", "right",
))  # fmt: skip
# What stands around the argument of a command.
_AROUND = {"enquote": "“”", "mkbibquote": "“”", "mkbibparens": "()", "mkbibbrackets": "[]"}
# Commands that raise or lower their argument.
_SCRIPTS = {
    "textsuperscript": True,
    "mkbibsuperscript": True,
    "textsubscript": False,
    "mkbibsubscript": False,
}
# The argument is the address; the text of the link stands in the argument after it.
_LINK = "href"
_WITH_ARGUMENT = frozenset((*_AROUND, *_SCRIPTS, _LINK))
# Longer arguments are not raised: each of many that are nested would be looked at again.
_MOST_RAISED = 20
_SIGNS = {
    **{sign: sign for sign in "&%$#_{} "},
    **dict.fromkeys("-/!@()[]", ""),
    **dict.fromkeys(",;:\\\n", " "),
}
_LIGATURES = {"~": " ", "--": "–", "---": "—", "``": "“", "''": "”"}
_TOKEN = re.compile(
    r"\\symbol\{(?P<code>[0-9]{1,6})\}|\\(?P<word>[A-Za-z]+)\*?[ \t\n]*|\\(?P<sign>[^A-Za-z])"
    r"|(?P<brace>[{}])|(?P<math>\$)"
    r"|(?P<script>[\^_])(?:\{(?P<group>[^{}]*)\}|(?P<one>[0-9A-Za-z+\-]))"
    r"|(?P<blank>[ \t\n]+)|(?P<ligature>---?|``|''|~)|(?P<text>[^\\{}$^_ \t\n\-`'~]+|.)",
    re.DOTALL,
)


def escape(text: str) -> str:
    """Return text as LaTeX reads it, in UTF-8.

    Only what LaTeX or BibTeX would take for something else is changed.
    """
    return _keep_outer_blanks(text, _escaped)


def protected(title: str) -> str:
    """Return a title as LaTeX, with braces around each word whose case a style must not change.

    That is a word with a capital after its first letter, and a capitalised word that is not the
    first.
    """
    return _keep_outer_blanks(title, _protected)


def _keep_outer_blanks(text: str, convert: Callable[[str], str]) -> str:
    """Convert the text within its outer blanks; BibTeX strips a value, so those stand in braces."""
    inner = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    after = len(text) - len(inner) - before
    return "{ }" * before + convert(inner) + "{ }" * after


def _escaped(text: str) -> str:
    return _ESCAPED.sub(_escaped_sign, text)


def _escaped_sign(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0]) or f"\\symbol{{{ord(match[0])}}}"


def _protected(title: str) -> str:
    pieces: list[str] = []
    done = 0
    for position, word in enumerate(_WORD.finditer(title)):
        core = _CORE.search(title, word.start(), word.end())
        if core is None:
            continue
        significant = core[0][1:] if position == 0 else core[0]
        if _has_capital(significant):
            pieces.append(_escaped(title[done : core.start()]))
            pieces.append("{" + _escaped(core[0]) + "}")
            done = core.end()
    pieces.append(_escaped(title[done:]))
    return "".join(pieces)


def _has_capital(word: str) -> bool:
    if word.isascii():
        return word != word.lower()
    # Some capitals have no small letter, such as 𝐀.
    return any(letter.isupper() for letter in word)


def decode(latex: str, *, verbatim: bool = False) -> str:
    """Return what LaTeX says as plain text in NFC; an unknown command stays with its braces.

    In a verbatim text (a DOI, an address) a blank, `~`, `--` and quotes mean themselves.
    """
    if not verbatim:
        latex = latex.strip(" \t\n")
    if not _SPECIAL_TEXT.search(latex):
        return nfc(latex)
    decoder = _Decoder(latex, verbatim)
    for token in _TOKEN.finditer(latex):
        decoder.read(token)
    return decoder.text()


class _Decoder:
    """Collects the plain text of tokens, in which an accent stands before its letter."""

    def __init__(self, latex: str, verbatim: bool) -> None:
        self.verbatim = verbatim
        # The dollar signs that come in pairs; the last of an odd number is a dollar sign.
        self.dollars = latex.replace(r"\$", "").count("$") // 2 * 2
        self.in_math = False
        self.pieces: list[str] = []
        # Accents whose letter is still to come, the outermost first.
        self.accents: list[str] = []
        # The command whose argument may begin with the next token, and of each open brace the
        # command before it with the number of pieces there were.
        self.command = ""
        self.open: list[tuple[str, int]] = []

    def read(self, token: re.Match[str]) -> None:
        """Add what a token says."""
        kind = token.lastgroup
        command, self.command = self.command, ""
        if kind == "math" and self.dollars:
            self.dollars -= 1
            self.in_math = not self.in_math
        elif accent := _ACCENTS.get(token["word"] or token["sign"] or ""):
            self.accents.append(accent)
        elif token[0] == "{":
            self._open(command)
        elif kind == "brace":
            self._add_accents_alone()
            self._close()
        elif not (kind == "blank" and self.accents):
            self._add(_meaning(token, self.in_math, self.verbatim))
            self.command = _command(token)

    def _open(self, command: str) -> None:
        """Begin a group, perhaps the argument of a command; that of an unknown one keeps braces."""
        if command.startswith("\\"):
            self.pieces.append("{")
        elif command in _AROUND:
            self.pieces.append(_AROUND[command][0])
        self.open.append((command, len(self.pieces)))

    def _close(self) -> None:
        command, start = self.open.pop() if self.open else ("", 0)
        if command in _AROUND:
            self.pieces.append(_AROUND[command][1])
        elif command in _SCRIPTS:
            self._make_small(start, raised=_SCRIPTS[command])
        elif command == _LINK:
            del self.pieces[start:]
        elif command:
            self.pieces.append("}")
            # It may have another argument.
            self.command = command

    def _make_small(self, start: int, *, raised: bool) -> None:
        """Raise or lower the figures since a piece, if there are nothing but figures."""
        pieces = self.pieces[start : start + _MOST_RAISED + 1]
        if len(self.pieces) - start <= _MOST_RAISED and sum(map(len, pieces)) <= _MOST_RAISED:
            text = "".join(pieces)
            self.pieces[start:] = [small_figures(text, raised=raised) or text]

    def _add(self, text: str) -> None:
        if self.accents and text:
            # A letter with an accent loses its dot.
            letter = {"ı": "i", "ȷ": "j"}.get(text[0], text[0])
            accented = letter + "".join(reversed(self.accents))
            text = nfc(accented) + text[1:]
            self.accents.clear()
        self.pieces.append(text)

    def _add_accents_alone(self) -> None:
        self.pieces += [_SPACING.get(accent, " " + accent) for accent in self.accents]
        self.accents.clear()

    def text(self) -> str:
        """Return the text of all tokens."""
        self._add_accents_alone()
        return nfc("".join(self.pieces))


def _meaning(token: re.Match[str], in_math: bool, verbatim: bool) -> str:
    """Return the plain text of one token that is neither an accent nor a brace."""
    raw = token[0]
    kind = token.lastgroup
    if kind == "code":
        return _symbol(int(token["code"])) or raw
    if kind == "word":
        known = token["word"] in _STYLING_COMMANDS or token["word"] in _WITH_ARGUMENT
        return "" if known else _WORDS.get(token["word"], raw)
    if kind == "sign":
        return _SIGNS.get(token["sign"], raw)
    if kind in ("group", "one") and in_math:
        small = small_figures(token[kind], raised=token["script"] == "^")
        return raw if small is None else small
    if verbatim:
        return raw
    return " " if kind == "blank" else _LIGATURES[raw] if kind == "ligature" else raw


def _command(token: re.Match[str]) -> str:
    """Return the command of a token if it does something with its argument.

    One that is not known is given with its backslash.
    """
    word = token["word"] or ""
    if word in _WITH_ARGUMENT:
        return word
    return f"\\{word}" if word and word not in _STYLING_COMMANDS and word not in _WORDS else ""


def unknown_commands(text: str) -> list[str]:
    """Return the commands that `decode` left in a text."""
    return re.findall(r"\\[A-Za-z]+", text)


def _symbol(number: int) -> str:
    """Return the character of a number, or "" if there is none."""
    is_surrogate = 0xD800 <= number < 0xE000
    return chr(number) if number < 0x110000 and not is_surrogate else ""


# Names.

_PARTS = {
    "family": "family",
    "given": "given",
    "prefix": "particle",
    "suffix": "suffix",
    # Of ours alone: programs pass over a part that they do not know.
    "orcid": "orcid",
}
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV|V", re.IGNORECASE)
_LAST_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV")
_OTHERS = re.compile(r"others|(?:et\.?|\{et) al\.?\}?", re.IGNORECASE)
# A part of a name in biblatex's extended format; what is not asked for is passed over.
_EXACT = re.compile(
    r"(?:family|given|prefix|suffix|orcid)(?:-i)?\s*=|use[a-z]+\s*=|[a-z]+inits?\s*="
)
_NEEDS_BRACES = re.compile(r"[,;=]|\band\b|^others$|^et al", re.IGNORECASE)
_LEVEL = re.compile(r"\\.|[{}]", re.DOTALL)
# What `_split` looks at: braces and what is escaped, and where to split.
_AND, _SEMICOLON, _COMMA, _BLANKS = (
    re.compile(rf"\\.|[{{}}]|{separator}", re.DOTALL | re.IGNORECASE)
    for separator in (r"\sand(?=\s)", ";", ",", r"[ \t\n~]+")
)
_SPECIAL = re.compile(r"\{\\(?:([A-Za-z]+)|.)[\s{]*([^\W\d_])?", re.DOTALL)


def names_text(authors: list[Author]) -> str:
    """Return names as BibTeX's `author` holds them: `von Last, Jr, First`, a group in braces."""
    return " and ".join(_name_text(author) for author in authors)


def _name_text(author: Author) -> str:
    if author.get("literal") is not None:
        return "{" + escape(author["literal"]) + "}"
    given, particle, suffix = (author.get(part) for part in ("given", "particle", "suffix"))
    last = _family_text(author["family"], is_alone=not given and not suffix)
    if particle:
        separator = "" if particle[-1] in "'’-" else " "
        last = _braced(particle) + separator + last
    if suffix:
        return f"{last}, {_braced(suffix)}, {_braced(given) if given else '{}'}"
    return f"{last}, {_braced(given)}" if given else last


def _family_text(family: str, *, is_alone: bool) -> str:
    """Return a family name, in braces where BibTeX would split it."""
    words = family.split()
    is_one_unit = (
        not _NEEDS_BRACES.search(family)
        and not any(_is_lower_case(word) for word in words)
        and len(words) == 1 + family.count(" ")
        and not (is_alone and len(words) > 1)
    )
    return escape(family) if is_one_unit else "{" + escape(family) + "}"


def _braced(part: str) -> str:
    return "{" + escape(part) + "}" if _NEEDS_BRACES.search(part) else escape(part)


def exact_names_text(authors: list[Author]) -> str:
    """Return names in biblatex's extended format: `family={Berg}, given={R}, prefix={van den}`."""
    return " and ".join(_exact_name_text(author) for author in authors)


def _exact_name_text(author: Author) -> str:
    if author.get("literal") is not None:
        return _name_text(author)
    parts = []
    for word, part in _PARTS.items():
        if author.get(part) is not None:
            parts.append(f"{word}={{{escape(author[part])}}}")
    return ", ".join(parts)


def groups_text(words: Iterable[str]) -> str:
    """Return words as a list of LaTeX's groups: `{iron}, {veins, of the neck}`."""
    return ", ".join("{" + escape(word) + "}" for word in words)


def groups(text: str) -> list[str]:
    """Return the words of a list of groups."""
    return [decode(part.strip(" \t\n")) for part in _split(text, _COMMA)]


def names(text: str) -> tuple[list[Author], bool]:
    """Return the authors in the LaTeX of a list of names, and whether the list is complete.

    An incomplete list ends in `and others`.
    """
    parts = _split(text, _AND)
    if len(parts) == 1:
        parts = _split(text, _SEMICOLON)
    stripped = [part.strip(" \t\n") for part in parts]
    parts = [part for part in stripped if part]
    complete = not (parts and _OTHERS.fullmatch(parts[-1]))
    if not complete:
        parts.pop()
    authors = [author for part in parts for author in _names(part)]
    return [author for author in authors if author], complete


def _names(text: str) -> list[Author]:
    """Return one author, or several where all stand with commas between them: 'Doe J, Roe R'."""
    if "," in text and not set(text) & set("\\{}="):
        persons = parse_names(text)
        if len(persons) > 1:
            return [{part: value for part, value in each.items() if value} for each in persons]
    return [_name(text)]


def _split(text: str, separator: re.Pattern[str]) -> list[str]:
    """Split at a separator outside all braces."""
    pieces, start, depth = [], 0, 0
    for match in separator.finditer(text):
        if match[0] in "{}":
            depth = max(depth + (1 if match[0] == "{" else -1), 0)
        elif depth == 0 and not match[0].startswith("\\"):
            pieces.append(text[start : match.start()])
            start = match.end()
    return [*pieces, text[start:]]


def _name(text: str) -> Author:
    """Return one author from its LaTeX; what is no name in any of BibTeX's forms is a literal."""
    author: Author = {}
    if not _is_in_braces(text):
        parts = [part.strip(" \t\n") for part in _split(text, _COMMA)]
        if all(_EXACT.match(part) for part in parts):
            author = _exact_name(parts)
        elif len(parts) == 1:
            author = _first_von_last(_split(parts[0], _BLANKS))
        elif len(parts) <= 3:
            author = _von_last_first(parts)
    author = {part: value for part, value in author.items() if value}
    if "family" in author:
        return author
    literal = decode(text)
    return {"literal": literal} if literal else {}


def _exact_name(parts: list[str]) -> Author:
    """Return the name in biblatex's extended format."""
    author: Author = {}
    for part in parts:
        word, value = part.split("=", 1)
        if word.strip() in _PARTS:
            author[_PARTS[word.strip()]] = decode(value)
    if "orcid" in author:
        author["orcid"] = clean_orcid(author["orcid"] or "")
    return author


def _von_last_first(parts: list[str]) -> Author:
    """Return the name in `von Last, First` or `von Last, Jr, First` (or `von Last, First, Jr`)."""
    last_parts = parts[1:]
    if len(parts) == 3 and _SUFFIX.fullmatch(parts[2]) and not _SUFFIX.fullmatch(parts[1]):
        last_parts.reverse()
    words, suffix = _split_suffix(_split(parts[0], _BLANKS))
    von = 0
    while von < len(words) - 1 and _is_lower_case(words[von]):
        von += 1
    return {
        "family": _joined(words[von:]),
        "given": decode(last_parts[-1]),
        "particle": _joined(words[:von]),
        "suffix": decode(last_parts[0]) if len(parts) == 3 else suffix,
    }


def _first_von_last(words: list[str]) -> Author:
    """Return the name in `First von Last`."""
    words, suffix = _split_suffix(words)
    lower = [index for index, word in enumerate(words[:-1]) if _is_lower_case(word)]
    start = lower[0] if lower else len(words) - 1
    end = lower[-1] + 1 if lower else len(words) - 1
    return {
        "family": _joined(words[end:]),
        "given": _joined(words[:start]),
        "particle": _joined(words[start:end]),
        "suffix": suffix,
    }


def _split_suffix(words: list[str]) -> tuple[list[str], str | None]:
    """Return the words of a name without a suffix such as Jr at its end, and the suffix."""
    if len(words) > 1 and _LAST_SUFFIX.fullmatch(words[-1]):
        return words[:-1], words[-1]
    return words, None


def _joined(words: list[str]) -> str:
    return decode(" ".join(words))


def _is_in_braces(text: str) -> bool:
    """Return whether one pair of braces encloses all of the text."""
    depth = 0
    for match in _LEVEL.finditer(text):
        if match[0] in "{}":
            depth += 1 if match[0] == "{" else -1
            if depth <= 0 and match.end() < len(text):
                return False
    return text.startswith("{") and text.endswith("}") and depth == 0


def _is_lower_case(word: str) -> bool:
    """Return whether a word belongs to the von part of a name.

    It does if its first letter outside braces, or in `{\\o}`, is in lower case.
    """
    if special := _SPECIAL.match(word):
        return (special[2] or special[1] or "").islower()
    depth = 0
    for letter in word:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth == 0 and letter.isalpha():
            return letter.islower()
    return False
