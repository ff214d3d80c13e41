"""Wordings that mean the same, as a file of seed data lists them."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

from models.core.errors import ClaimbaseError
from models.database.full_text import Phrase
from models.search.tokenizer import tokenize

# Each wording, as tokens, with all wordings that mean the same.
Synonyms = Mapping[Phrase, tuple[Phrase, ...]]


SYNONYMS = Path("vocabularies") / "synonyms.yaml"


class BadSynonyms(ClaimbaseError):
    """The file of synonyms is not valid."""

    code = "bad_synonyms"


def read_synonyms(folder: Path) -> Synonyms:
    """Return the synonyms in a folder of seed files. Raises `BadSynonyms` if they are not valid."""
    return build_synonyms(_read(folder / SYNONYMS), str(folder / SYNONYMS))


def _read(path: Path) -> object:
    """Return the content of a file of synonyms, none if there is no file."""
    if not path.exists():
        return []
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadSynonyms(f"{path} cannot be read: {error}.") from None


def read_abbreviations(folder: Path) -> dict[str, str]:
    """Return what abbreviations stand for, from the synonyms in a folder of valid seed files.

    An abbreviation is a wording of capitals and digits, in a group with one that is not. The
    longest meaning comes first, since it may contain another one.
    """
    groups = _read(folder / SYNONYMS)
    meanings = {}
    for group in groups if isinstance(groups, list) else []:
        words = [wording for wording in group if not _is_abbreviation(wording)]
        if words:
            meanings.update({each: words[0] for each in group if _is_abbreviation(each)})
    return dict(sorted(meanings.items(), key=lambda item: -len(item[1])))


def _is_abbreviation(wording: str) -> bool:
    return re.fullmatch(r"[A-Z0-9]*[A-Z][A-Z0-9]*", wording) is not None


def forms_of(text: str, abbreviations: Mapping[str, str]) -> list[str]:
    """Return a text as it is, with abbreviations spelled out, and abbreviated, each form once."""
    spelled_out = re.sub(r"\w+", lambda word: abbreviations.get(word[0], word[0]), text)
    abbreviated = text
    for short, meaning in abbreviations.items():
        words = rf"\b{re.escape(meaning)}\b"
        abbreviated = re.sub(words, short, abbreviated, flags=re.IGNORECASE)
    return list(dict.fromkeys([text, spelled_out, abbreviated]))


def build_synonyms(groups: object, location: str) -> Synonyms:
    """Return the synonyms from a list of groups of wordings that mean the same.

    `location` is where the groups come from, for the error. Raises `BadSynonyms` unless each group
    has two wordings or more, and each wording has words and is in one group only.
    """
    synonyms: dict[Phrase, tuple[Phrase, ...]] = {}
    for group in groups if isinstance(groups, list) else [groups]:
        if not _is_group(group):
            raise BadSynonyms(
                f"{location}: a list of lists, each of two wordings or more;"
                f" this is neither: {group!r:.80}"
            )
        phrases = tuple(dict.fromkeys(tuple(tokenize(wording)) for wording in group))
        for phrase in phrases:
            if not phrase or phrase in synonyms:
                raise BadSynonyms(
                    f"{location}: a wording has words, and stands in one group only;"
                    f" in {group!r:.80} one is not so."
                )
            synonyms[phrase] = phrases
    return synonyms


def _is_group(group: object) -> TypeGuard[list[str]]:
    if not isinstance(group, list) or len(group) < 2:
        return False
    return all(isinstance(wording, str) for wording in group)
