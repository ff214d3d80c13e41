"""SciFact's two files as records.

Abstracts become sources. Claims become claims with a line of evidence for each finding of the
expert annotators in the abstracts that a claim cites. What the files do not say is not invented: no
authors, no dates, no study designs, no levels. The licences are those of
https://github.com/allenai/scifact: CC BY 4.0 for claims and annotations, ODC-By 1.0 for abstracts.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from models.core.types import SLUG_LENGTH
from models.records.serializers import Row
from models.records.source import name_key
from models.transfer.jsonl_reader import BadFile, Input, TextLine

DIRECTIONS = {"SUPPORT": "supports", "CONTRADICT": "disputes"}
FINDINGS = {
    "SUPPORT": "Expert annotators judged that this abstract supports the claim; the quote is what "
    "they rest it on.",
    "CONTRADICT": "Expert annotators judged that this abstract contradicts the claim; the quote "
    "is what they rest it on.",
}
NOTHING_FOUND = (
    "Expert annotators found nothing in this abstract that supports or contradicts the claim."
)


# Both licences, since its records are made of both files.
COLLECTION: Row = {
    "record": "collection",
    "id": "scifact",
    "name": "SciFact",
    "url": "https://github.com/allenai/scifact",
    "licence": "CC-BY-4.0 AND ODC-By-1.0",
    "description": "Scientific claims, each held by experts against the abstracts that it cites. "
    "Claims and annotations are licensed under CC BY 4.0, abstracts under ODC-By 1.0.",
}


class _Strict(BaseModel):
    # An unknown field would be lost.
    model_config = ConfigDict(extra="forbid", strict=True)


class Abstract(_Strict):
    """A line of the corpus."""

    doc_id: int
    title: str
    abstract: list[str]
    structured: bool


class Rationale(_Strict):
    """Sentences of an abstract, numbered from 0, that suffice for a judgement."""

    sentences: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    label: Literal["SUPPORT", "CONTRADICT"]


class Claim(_Strict):
    """A line of the claims. In the published files the cited abstracts are `cited_doc_ids`."""

    id: int
    claim: str
    doc_ids: list[int] = Field(validation_alias=AliasChoices("doc_ids", "cited_doc_ids"))
    evidence: dict[int, list[Rationale]]


Entry = TypeVar("Entry", bound=_Strict)


@contextmanager
def open_input(claims: Path, corpus: Path) -> Iterator[Input]:
    """Open the two files as lines for `load`. Raises `BadFile` if they are not SciFact's."""
    with ExitStack() as stack:
        try:
            corpus_file = stack.enter_context(corpus.open("rb"))
            claims_file = stack.enter_context(claims.open("rb"))
        except OSError as error:
            raise BadFile(f"{error.filename}: {error.strerror}.") from None
        size = claims.stat().st_size + corpus.stat().st_size
        # There are few claims. They say which abstracts have quoted sentences, so only those
        # abstracts are kept in memory.
        entries = list(_entries(claims.name, claims_file, Claim))
        lines = _lines(corpus.name, corpus_file, claims.name, entries)
        yield Input("SciFact", None, lines, size, [corpus_file, claims_file])


def _lines(
    corpus: str, corpus_file: BinaryIO, claims: str, entries: list[tuple[int, Claim]]
) -> Iterator[TextLine]:
    """Yield a line for the collection, for each abstract, and then for each claim."""
    yield claims, 0, to_json(COLLECTION)
    quoted = {document for _, claim in entries for document in claim.evidence}
    sentences: dict[int, list[str]] = {}
    for number, abstract in _entries(corpus, corpus_file, Abstract):
        if abstract.doc_id in quoted:
            sentences[abstract.doc_id] = abstract.abstract
        yield corpus, number, to_json(source_record(abstract))
    for number, claim in entries:
        try:
            yield claims, number, to_json(claim_record(claim, sentences))
        except LookupError:
            raise BadFile(
                f"{claims} line {number}: it names a sentence that is not in {corpus}."
            ) from None


def _entries(name: str, file: Iterable[bytes], model: type[Entry]) -> Iterator[tuple[int, Entry]]:
    """Yield the number and the content of each line of a file."""
    for number, text_line in enumerate(file, start=1):
        try:
            yield number, model.model_validate_json(text_line)
        except ValidationError as error:
            first = error.errors()[0]
            path = "/".join(str(part) for part in first["loc"])
            raise BadFile(f"{name} line {number}: not SciFact's: {path}: {first['msg']}") from None


def source_record(abstract: Abstract) -> Row:
    """Return the record of an abstract, as a source."""
    title = abstract.title.strip()
    if title.startswith("[") and title.endswith("]."):
        # The brackets say that the title was translated; the full stop ends the sentence.
        title = title.removesuffix(".")
    form = "a structured one" if abstract.structured else "not a structured one"
    return {
        "record": "source",
        "collection": COLLECTION["id"],
        "id": abstract_slug(abstract.doc_id),
        "type": "article-journal",
        "title": title,
        "authors": [],
        "authors_complete": False,
        "study_design": "not_recorded",
        "text_sha256": hashlib.sha256(" ".join(abstract.abstract).encode()).hexdigest(),
        "note": (
            f"Document {abstract.doc_id} of SciFact's corpus, which is taken from S2ORC and "
            "licensed under ODC-By 1.0. The "
            "corpus names neither authors nor date, and that it is an article in a journal is "
            "taken for granted. What was "
            f"read is its abstract, {form}, of {len(abstract.abstract)} sentences; the checksum "
            "is of these, joined by blanks."
        ),
    }


def claim_record(claim: Claim, sentences: dict[int, list[str]]) -> Row:
    """Return the record of a claim, with evidence from each abstract that it cites."""
    cited = dict.fromkeys([*claim.doc_ids, *claim.evidence])
    evidence: list[Row] = []
    for document in cited:
        rationales = claim.evidence.get(document, [])
        for number, rationale in enumerate(rationales):
            evidence.append(_judged_line(document, number, rationale, sentences[document]))
        if not rationales:
            nothing = {"direction": "inconclusive", "finding": NOTHING_FOUND}
            evidence.append({**_line(document, 0), **nothing})
    return {
        "record": "claim",
        "collection": COLLECTION["id"],
        "id": claim_slug(claim),
        "statement": claim.claim,
        "kind": "finding",
        "note": (
            f"Claim {claim.id} of SciFact. Expert annotators wrote it from a sentence that cites "
            "the works below, some of the "
            "claims as the negation of what the sentence says. Claims and annotations are "
            "licensed under CC BY 4.0."
        ),
        "evidence": evidence,
    }


def _judged_line(document: int, number: int, rationale: Rationale, sentences: list[str]) -> Row:
    """Return the line of evidence for a rationale."""
    marked = sorted(set(rationale.sentences))
    first, last = marked[0], marked[-1]
    numbers = ", ".join(str(sentence + 1) for sentence in marked)
    line = {
        **_line(document, number),
        "direction": DIRECTIONS[rationale.label],
        "finding": FINDINGS[rationale.label],
        "quote": " ".join([*sentences[first:last], sentences[last]]),
        "locator": f"abstract, {'sentence' if len(marked) == 1 else 'sentences'} {numbers}",
    }
    # A quote must be one passage of the text, so it has the sentences in between, too.
    if len(marked) < last - first + 1:
        line["note"] = f"Of the quoted sentences the annotators marked {numbers}."
    return line


def _line(document: int, number: int) -> Row:
    """Return the fields that are the same whatever was found in an abstract."""
    slug = abstract_slug(document)
    return {
        "collection": COLLECTION["id"],
        "key": slug if number == 0 else f"{slug}-{number + 1}",
        "source": slug,
        "level": "not_gradable",
        "study_design": "not_recorded",
        # The authors are not recorded, so each abstract counts as independent.
        "independence_group": slug,
        "extraction": "manual",
    }


def abstract_slug(document: int) -> str:
    """Return the slug of an abstract."""
    return f"scifact-{document}"


def claim_slug(claim: Claim) -> str:
    """Return a slug of the first words of a claim and its number."""
    end = f"scifact-{claim.id}"
    words = re.findall(r"[a-z0-9]+", name_key(claim.claim))
    slug = ""
    for word in words:
        if len(slug) + len(word) + 1 > min(SLUG_LENGTH, 70) - len(end):
            break
        slug += f"{word}-"
    return slug + end
