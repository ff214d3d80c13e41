"""Text and names as LaTeX and BibTeX write them, both ways.

The rules for names are those of "Tame the BeaST" (N. Markey) and of biblatex's manual (extended name format).
`decode(escape(text)) == text` for every text in NFC. No library does this both ways without a loss: pylatexenc, which
bibtexparser uses, deletes `&`.
"""

import re
import unicodedata
from typing import Any

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
}
_SPACING = dict(zip("\u0300\u0301\u0302\u0303\u0308\u0327", "`´^~¨¸", strict=True))
_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa mu nu xi pi rho sigma tau upsilon phi chi psi omega"
_WORDS = {
    **dict(zip("oOlLijSP", "øØłŁıȷ§¶", strict=True)),
    **{
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
    },
    **{
        "th": "þ",
        "TH": "Þ",
        "dj": "đ",
        "DJ": "Đ",
        "ng": "ŋ",
        "NG": "Ŋ",
        "lambda": "λ",
        "Lambda": "Λ",
    },
    **{name: unicodedata.lookup(f"GREEK SMALL LETTER {name}") for name in _GREEK.split()},
    **{
        name.capitalize(): unicodedata.lookup(f"GREEK CAPITAL LETTER {name}")
        for name in _GREEK.split()
    },
    **{
        "textbackslash": "\\",
        "textasciitilde": "~",
        "textasciicircum": "^",
        "textunderscore": "_",
        "sim": "~",
    },
    **{
        "textbraceleft": "{",
        "textbraceright": "}",
        "lbrace": "{",
        "rbrace": "}",
        "textdollar": "$",
        "textbar": "|",
    },
    **{
        "textless": "<",
        "textgreater": ">",
        "lt": "<",
        "gt": ">",
        "leq": "≤",
        "le": "≤",
        "geq": "≥",
        "ge": "≥",
    },
    **{
        "textendash": "–",
        "textemdash": "—",
        "textellipsis": "…",
        "ldots": "…",
        "dots": "…",
        "slash": "/",
    },
    **{
        "textquoteleft": "‘",
        "textquoteright": "’",
        "textquotedblleft": "“",
        "textquotedblright": "”",
    },
    **{"textquotesingle": "'", "textquotedbl": '"', "guillemotleft": "«", "guillemotright": "»"},
    **{
        "textdegree": "°",
        "degree": "°",
        "circ": "°",
        "textmu": "µ",
        "textregistered": "®",
        "texttrademark": "™",
    },
    **{
        "copyright": "©",
        "textcopyright": "©",
        "pounds": "£",
        "textsterling": "£",
        "texteuro": "€",
        "dag": "†",
    },
    **{
        "times": "×",
        "texttimes": "×",
        "pm": "±",
        "textpm": "±",
        "cdot": "·",
        "textperiodcentered": "·",
    },
    **{
        "approx": "≈",
        "neq": "≠",
        "ne": "≠",
        "infty": "∞",
        "rightarrow": "→",
        "to": "→",
        "prime": "′",
    },
    **{
        "newline": "\n",
        "par": "\n",
        "quad": " ",
        "space": " ",
        "textunderscore": "_",
        "textampersand": "&",
    },
}
# Commands that change how their argument looks, not what it says.
_LOOK = (
    "emph text textit textbf textrm textsc texttt textsf textsl textup textnormal textsuperscript textsubscript "
    "mathrm mathit mathbf mathsf ensuremath url path mbox uppercase MakeUppercase lowercase it bf em rm sc tt sl sf "
    "itshape bfseries upshape relax protect nobreak left right"
)
_LOOKS = frozenset(_LOOK.split())
_SIGNS = {
    **{sign: sign for sign in "&%$#_{} "},
    **dict.fromkeys("-/!@()[]", ""),
    **dict.fromkeys(",;:\\\n", " "),
}
_LIGATURES = {"~": " ", "--": "–", "---": "—", "``": "“", "''": "”"}
_SUPERSCRIPT = str.maketrans("0123456789+-()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿ")
_SUBSCRIPT = str.maketrans("0123456789+-()", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎")
_TOKEN = re.compile(
    r"\\symbol\{(?P<code>[0-9]{1,6})\}|\\(?P<word>[A-Za-z]+)\*?[ \t\n]*|\\(?P<sign>[^A-Za-z])|(?P<brace>[{}])"
    r"|(?P<math>\$)|(?P<script>[\^_])(?:\{(?P<group>[^{}]*)\}|(?P<one>[0-9A-Za-z+\-]))|(?P<blank>[ \t\n]+)"
    r"|(?P<ligature>---?|``|''|~)|(?P<text>[^\\{}$^_ \t\n\-`'~]+|.)",
    re.DOTALL,
)


def escape(text: str) -> str:
    """Return text as LaTeX reads it, in UTF-8: only what LaTeX or BibTeX would take for something else is changed."""
    return _with_ends(text, _escaped)


def protected(title: str) -> str:
    """Return a title as LaTeX, in braces each word whose case a style must not change.

    That is a word with a capital beyond its first letter, and one that is capitalised and not the first.
    """
    return _with_ends(title, _protected)


def _with_ends(text: str, written: Any) -> str:
    """BibTeX strips a value: blanks at its ends stand in braces."""
    inner = text.strip(" ")
    before = len(text) - len(text.lstrip(" "))
    after = len(text) - len(inner) - before
    return "{ }" * before + str(written(inner)) + "{ }" * after


def _escaped(text: str) -> str:
    return _ESCAPED.sub(
        lambda match: _ESCAPES.get(match[0]) or f"\\symbol{{{ord(match[0])}}}", text
    )


def _protected(title: str) -> str:
    pieces, done = [], 0
    for position, word in enumerate(_WORD.finditer(title)):
        core = _CORE.search(title, word.start(), word.end())
        if core and _has_capital(core[0][position == 0 :]):
            pieces += [_escaped(title[done : core.start()]), "{", _escaped(core[0]), "}"]
            done = core.end()
    return "".join([*pieces, _escaped(title[done:])])


def _has_capital(word: str) -> bool:
    # Beyond ASCII there are capitals without a small letter, such as 𝐀.
    return word != word.lower() if word.isascii() else any(letter.isupper() for letter in word)


def decode(latex: str, *, verbatim: bool = False) -> str:
    """Return what LaTeX says as plain text in NFC; a command that is not known stays as it is.

    In a verbatim text (a DOI, an address) a blank, `~`, `--` and quotes mean themselves.
    """
    if not verbatim:
        latex = latex.strip(" \t\n")
    if not _SPECIAL_TEXT.search(latex):
        return unicodedata.normalize("NFC", latex)
    out: list[str] = []
    waiting: list[str] = []  # Accents whose letter is still to come, the outermost first.
    dollars, maths = latex.replace(r"\$", "").count("$") // 2 * 2, False
    for token in _TOKEN.finditer(latex):
        kind, raw = token.lastgroup, token[0]
        if kind in ("group", "one"):
            kind = "script"
        if kind == "math" and dollars:
            dollars, maths = dollars - 1, not maths
            continue
        if accent := _accent(token):
            waiting.append(accent)
            continue
        if kind == "brace":
            if raw == "}" and waiting:
                out.append("".join(_SPACING.get(accent, " " + accent) for accent in waiting))
                waiting.clear()
            continue
        if waiting and kind == "blank":
            continue
        text = _meaning(token, str(kind), raw, maths, verbatim)
        if waiting and text:
            letter = {"ı": "i", "ȷ": "j"}.get(text[0], text[0])
            text = unicodedata.normalize("NFC", letter + "".join(reversed(waiting))) + text[1:]
            waiting.clear()
        out.append(text)
    out += [_SPACING.get(accent, " " + accent) for accent in waiting]
    return unicodedata.normalize("NFC", "".join(out))


def _accent(token: re.Match[str]) -> str | None:
    return _ACCENTS.get(token["word"] or token["sign"] or "")


def _meaning(token: re.Match[str], kind: str, raw: str, maths: bool, verbatim: bool) -> str:
    """Return the plain text of one token that is neither an accent nor a brace."""
    if kind == "code":
        number = int(token["code"])
        return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else raw
    if kind == "word":
        return "" if token["word"] in _LOOKS else _WORDS.get(token["word"], raw)
    if kind == "sign":
        return _SIGNS.get(token["sign"], raw)
    if kind == "script" and maths:
        small = decode_script(
            token["group"] if token["one"] is None else token["one"], token["script"]
        )
        return raw if small is None else small
    if kind == "blank":
        return raw if verbatim else " "
    if kind == "ligature":
        return raw if verbatim else _LIGATURES[raw]
    return raw


def decode_script(text: str, script: str) -> str | None:
    """Return a superscript or subscript in Unicode's small figures, or None where they do not exist."""
    table = _SUPERSCRIPT if script == "^" else _SUBSCRIPT
    return text.translate(table) if all(ord(letter) in table for letter in text) else None


# Names.

_PARTS = {"family": "family", "given": "given", "prefix": "particle", "suffix": "suffix"}
_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV|V", re.IGNORECASE)
_LAST_SUFFIX = re.compile(r"(?:Jr|Sr)\.?|I{2,3}|IV")
_OTHERS = re.compile(r"others|(?:et\.?|\{et) al\.?\}?", re.IGNORECASE)
_EXACT = re.compile(r"(?:family|given|prefix|suffix)\s*=")
_NEEDS_BRACES = re.compile(r"[,;=]|\band\b|^others$|^et al", re.IGNORECASE)
_LEVEL = re.compile(r"\\.|[{}]", re.DOTALL)
# What `_split` looks at: braces and what is escaped, and where to split.
_AND, _SEMICOLON, _COMMA, _BLANKS = (
    re.compile(rf"\\.|[{{}}]|{separator}", re.DOTALL | re.IGNORECASE)
    for separator in (r"\sand(?=\s)", ";", ",", r"[ \t\n~]+")
)
_SPECIAL = re.compile(r"\{\\(?:([A-Za-z]+)|.)[\s{]*([^\W\d_])?", re.DOTALL)


def names_text(authors: list[Author]) -> str:
    """Return names as BibTeX's `author` holds them: `von Last, Jr, First`, a group in braces, joined by `and`."""
    return " and ".join(_name_text(author) for author in authors)


def _name_text(author: Author) -> str:
    if author.get("literal") is not None:
        return "{" + escape(author["literal"]) + "}"
    family, given, particle, suffix = (
        author.get(part) for part in ("family", "given", "particle", "suffix")
    )
    alone = not given and not suffix
    assert family is not None
    words = family.split()
    plain = (
        not _NEEDS_BRACES.search(family)
        and not any(_lower(word) for word in words)
        and len(words) == 1 + (family.count(" "))
    )
    last = (
        escape(family) if plain and not (alone and len(words) > 1) else "{" + escape(family) + "}"
    )
    if particle:
        last = _braced(particle) + ("" if particle[-1] in "'’-" else " ") + last
    if suffix:
        return f"{last}, {_braced(suffix)}, {_braced(given) if given else '{}'}"
    return f"{last}, {_braced(given)}" if given else last


def _braced(part: str) -> str:
    return "{" + escape(part) + "}" if _NEEDS_BRACES.search(part) else escape(part)


def exact_names_text(authors: list[Author]) -> str:
    """Return names in biblatex's extended format, `family={Berg}, given={R}, prefix={van den}`, which leaves no doubt."""
    words = {part: word for word, part in _PARTS.items()}
    return " and ".join(
        _name_text(author)
        if author.get("literal") is not None
        else ", ".join(
            f"{words[part]}={{{escape(author[part])}}}"
            for part in words
            if author.get(part) is not None
        )
        for author in authors
    )


def names(text: str) -> tuple[list[Author], bool]:
    """Return the authors in the LaTeX of a list of names, and whether it is complete (no `and others`)."""
    parts = _split(text, _AND)
    if len(parts) == 1:
        parts = _split(text, _SEMICOLON)
    parts = [stripped for part in parts if (stripped := part.strip(" \t\n"))]
    complete = not (parts and _OTHERS.fullmatch(parts[-1]))
    found = [_name(part) for part in (parts if complete else parts[:-1])]
    return [name for name in found if name], complete


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
    if _wholly_braced(text):
        return {"literal": decode(text)} if decode(text) else {}
    parts = [part.strip(" \t\n") for part in _split(text, _COMMA)]
    if all(_EXACT.match(part) for part in parts):
        pairs = [part.split("=", 1) for part in parts]
        author: Author = {_PARTS[word.strip()]: decode(value) for word, value in pairs}
    elif len(parts) == 1:
        author = _first_von_last(_split(parts[0], _BLANKS))
    elif len(parts) <= 3:
        if len(parts) == 3 and _SUFFIX.fullmatch(parts[2]) and not _SUFFIX.fullmatch(parts[1]):
            parts[1:] = [parts[2], parts[1]]
        von_last = _suffixed(_split(parts[0], _BLANKS))
        words = von_last.pop("words")
        von = next((at for at, word in enumerate(words[:-1]) if not _lower(word)), len(words) - 1)
        jr = decode(parts[1]) if len(parts) == 3 else von_last.get("suffix")
        author = {
            "family": _joined(words[von:]),
            "given": decode(parts[-1]),
            "particle": _joined(words[:von]),
        }
        author["suffix"] = jr
    else:
        author = {}
    author = {part: value for part, value in author.items() if value}
    return author if "family" in author else {"literal": decode(text)} if decode(text) else {}


def _first_von_last(words: list[str]) -> Author:
    named = _suffixed(words)
    words = named.pop("words")
    lower = [at for at, word in enumerate(words[:-1]) if _lower(word)]
    start, end = (lower[0], lower[-1] + 1) if lower else (len(words) - 1, len(words) - 1)
    parts = {
        "family": _joined(words[end:]),
        "given": _joined(words[:start]),
        "particle": _joined(words[start:end]),
    }
    return {**parts, **named}


def _suffixed(words: list[str]) -> Author:
    """Take a suffix such as Jr off the end of the words of a name."""
    if len(words) > 1 and _LAST_SUFFIX.fullmatch(words[-1]):
        return {"words": words[:-1], "suffix": words[-1]}
    return {"words": words}


def _joined(words: list[str]) -> str:
    return decode(" ".join(words))


def _wholly_braced(text: str) -> bool:
    depth = 0
    for match in _LEVEL.finditer(text):
        if match[0] in "{}":
            depth += 1 if match[0] == "{" else -1
            if depth <= 0 and match.end() < len(text):
                return False
    return text.startswith("{") and text.endswith("}") and depth == 0


def _lower(word: str) -> bool:
    """Tell whether a word is of the von part: its first letter outside braces, or in `{\\o}`, is lower case."""
    if special := _SPECIAL.match(word):
        return (special[2] or special[1] or "").islower()
    depth = 0
    for letter in word:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth == 0 and letter.isalpha():
            return letter.islower()
    return False
