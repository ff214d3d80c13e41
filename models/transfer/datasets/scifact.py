"""SciFact's two files as records: abstracts as sources, claims with what expert annotators found in those they cite.

What the files do not say is not made up: no authors, no dates, no study designs, no levels. The licences are those of
https://github.com/allenai/scifact: CC BY 4.0 for claims and annotations, ODC-By 1.0 for the abstracts.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from models.core.types import SLUG_LENGTH
from models.records.serializers import Row
from models.records.source import name_key
from models.transfer.jsonl_reader import BadFile, Input, TextLine

DIRECTIONS = {"SUPPORT": "supports", "CONTRADICT": "disputes"}
FOUND = {
    "SUPPORT": "Expert annotators judged that this abstract supports the claim; the quote is what they rest it on.",
    "CONTRADICT": "Expert annotators judged that this abstract contradicts the claim; the quote is what they rest it on.",
}
NOTHING = "Expert annotators found nothing in this abstract that supports or contradicts the claim."


class _Strict(BaseModel):
    # A field that is not known here would be lost.
    model_config = ConfigDict(extra="forbid", strict=True)


class Abstract(_Strict):
    """A line of the corpus."""

    doc_id: int
    title: str
    abstract: list[str]
    structured: bool


class Rationale(_Strict):
    """Sentences of an abstract, from 0, that are enough for a judgement."""

    sentences: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    label: Literal["SUPPORT", "CONTRADICT"]


class Claim(_Strict):
    """A line of the claims; the files that the authors give out name the cited abstracts `cited_doc_ids`."""

    id: int
    claim: str
    doc_ids: list[int] = Field(validation_alias=AliasChoices("doc_ids", "cited_doc_ids"))
    evidence: dict[int, list[Rationale]]


Read = TypeVar("Read", bound=_Strict)


@contextmanager
def open_input(claims: Path, corpus: Path) -> Iterator[Input]:
    """Open the two files as lines that `loading.load` takes. Raises `BadFile` where they are not SciFact's."""
    with ExitStack() as stack:
        try:
            files: list[BinaryIO] = [
                stack.enter_context(path.open("rb")) for path in (corpus, claims)
            ]
        except OSError as error:
            raise BadFile(f"{error.filename}: {error.strerror}.") from None
        size = claims.stat().st_size + corpus.stat().st_size
        # The claims are few and say of which abstracts the sentences are wanted, so those alone are kept.
        read = list(_read(claims.name, files[1], Claim))
        wanted = {document for _, claim in read for document in claim.evidence}
        yield Input(
            "SciFact", None, _lines(corpus.name, files[0], wanted, claims.name, read), size, files
        )


def _lines(
    corpus: str, file: BinaryIO, wanted: set[int], claims: str, read: Iterable[tuple[int, Claim]]
) -> Iterator[TextLine]:
    sentences: dict[int, list[str]] = {}
    for number, abstract in _read(corpus, file, Abstract):
        if abstract.doc_id in wanted:
            sentences[abstract.doc_id] = abstract.abstract
        yield corpus, number, to_json(source_record(abstract))
    for number, claim in read:
        try:
            yield claims, number, to_json(claim_record(claim, sentences))
        except LookupError:
            raise BadFile(
                f"{claims} line {number}: it names a sentence that is not in {corpus}."
            ) from None


def _read(name: str, file: Iterable[bytes], model: type[Read]) -> Iterator[tuple[int, Read]]:
    for number, line in enumerate(file, start=1):
        try:
            yield number, model.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            place = "/".join(str(part) for part in first["loc"])
            raise BadFile(f"{name} line {number}: not SciFact's: {place}: {first['msg']}") from None


def source_record(abstract: Abstract) -> Row:
    """Return an abstract as a source."""
    title = abstract.title.strip()
    if title.startswith("[") and title.endswith("]."):
        title = title[
            :-1
        ]  # The dot is the sentence's, the brackets say that the title was translated.
    form = "a structured one" if abstract.structured else "not a structured one"
    return {
        "record": "source",
        "id": abstract_slug(abstract.doc_id),
        "type": "article-journal",
        "title": title,
        "authors": [],
        "authors_complete": False,
        "study_design": "not_recorded",
        "text_sha256": hashlib.sha256(" ".join(abstract.abstract).encode()).hexdigest(),
        "note": (
            f"Document {abstract.doc_id} of SciFact's corpus, which is taken from S2ORC and licensed under ODC-By 1.0. The "
            "corpus names neither authors nor date, and that it is an article in a journal is taken for granted. What was "
            f"read is its abstract, {form}, of {len(abstract.abstract)} sentences; the checksum is of these, joined by blanks."
        ),
    }


def claim_record(claim: Claim, sentences: dict[int, list[str]]) -> Row:
    """Return a claim with a line for each rationale, and one for each cited abstract in which nothing was found."""
    cited = dict.fromkeys([*claim.doc_ids, *claim.evidence])
    evidence: list[Row] = []
    for document in cited:
        rationales = claim.evidence.get(document, [])
        evidence += [
            _judged(document, place, each, sentences[document])
            for place, each in enumerate(rationales)
        ]
        if not rationales:
            evidence.append({**_line(document, 0), "direction": "inconclusive", "finding": NOTHING})
    return {
        "record": "claim",
        "id": claim_slug(claim),
        "statement": claim.claim,
        "kind": "finding",
        "note": (
            f"Claim {claim.id} of SciFact. Expert annotators wrote it from a sentence that cites the works below, some of the "
            "claims as the negation of what the sentence says. Claims and annotations are licensed under CC BY 4.0."
        ),
        "evidence": evidence,
    }


def _judged(document: int, place: int, rationale: Rationale, sentences: list[str]) -> Row:
    places = sorted(set(rationale.sentences))
    first, last = places[0], places[-1]
    quote = " ".join([*sentences[first:last], sentences[last]])
    marked = ", ".join(str(each + 1) for each in places)
    line = {
        **_line(document, place),
        "direction": DIRECTIONS[rationale.label],
        "finding": FOUND[rationale.label],
        "quote": quote,
        "locator": f"abstract, {'sentence' if len(places) == 1 else 'sentences'} {marked}",
    }
    # A quote is one stretch of the text, so that it can be found there.
    whole = len(places) == last - first + 1
    return (
        line
        if whole
        else {**line, "note": f"Of the quoted sentences the annotators marked {marked}."}
    )


def _line(document: int, place: int) -> dict[str, Any]:
    return {
        "key": abstract_slug(document) if place == 0 else f"{abstract_slug(document)}-{place + 1}",
        "source": abstract_slug(document),
        "level": "not_gradable",
        "study_design": "not_recorded",
        # Who wrote it is not known, so each abstract stands for itself.
        "independence_group": abstract_slug(document),
        "extraction": "manual",
    }


def abstract_slug(document: int) -> str:
    """Return the slug of an abstract."""
    return f"scifact-{document}"


def claim_slug(claim: Claim) -> str:
    """Return a slug of a claim's words and its number."""
    end = f"scifact-{claim.id}"
    words = re.findall(r"[a-z0-9]+", name_key(claim.claim))
    slug = ""
    for word in words:
        if len(slug) + len(word) + 1 > min(SLUG_LENGTH, 70) - len(end):
            break
        slug += f"{word}-"
    return slug + end
