"""Which claims a text states, and what is known of them."""

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError, to_json
from sqlalchemy import Connection

from api.http import read_connection, serial_marks
from api.http.errors import LIST_ERRORS, responses
from api.http.negotiation import JsonAccepted
from api.http.read_route import ParsedRoute
from api.http.text_model import TextModel
from api.http.write_transaction import read_input, taking
from models.core import vocabularies as v
from models.core.notice import GENERAL, NOTICE
from models.core.schema_names import named
from models.core.types import Shape, Strict, Text
from models.read import matching
from models.read.filters import AS_OF, Day
from models.search.sentences import split_sentences
from models.search.synonyms import Synonyms

router = APIRouter(
    prefix="/v1", tags=["claims"], dependencies=[JsonAccepted], route_class=ParsedRoute
)

# A long article has so many characters; more would take long to compare.
MOST_CHARACTERS = 20_000
# A longer sentence is none. All sentences together have no more characters than a text.
MOST_OF_SENTENCE = 2_000
MOST_SENTENCES = 400
MOST_MATCHES = 10


class MatchIn(Strict):
    """A text, or sentences that are split already."""

    text: Text | None = Field(default=None, max_length=MOST_CHARACTERS)
    sentences: list[Annotated[Text, Field(max_length=MOST_OF_SENTENCE)]] | None = Field(
        default=None, max_length=MOST_SENTENCES
    )
    as_of: Day | None = Field(default=None, description=AS_OF)
    limit: int = Field(default=3, ge=1, le=MOST_MATCHES, description="Claims a sentence.")
    min_score: float | None = Field(
        default=None, ge=0, le=1, description="Leave out claims with a lower score."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.text is None) == (self.sentences is None):
            raise PydanticCustomError(
                "one_of_both", "Give either `text` or `sentences`.", {"at": "text"}
            )
        if sum(map(len, self.sentences or ())) > MOST_CHARACTERS:
            raise PydanticCustomError(
                "too_long",
                "All sentences together have at most {most} characters.",
                {"most": MOST_CHARACTERS, "at": "sentences"},
            )
        return self


MatchedText = Annotated[
    Literal["statement", "wording", "quote"],
    named("MatchedText", "Which text of a claim.", enum=["statement", "wording", "quote"]),
]
MatchMethod = Annotated[
    Literal["words", "words_and_model"],
    named("MatchMethod", "What compares texts.", enum=["words", "words_and_model"]),
]


class MatchedClaim(Shape):
    """A claim that a sentence may state."""

    id: str
    statement: str
    status: v.Status
    certainty: v.Certainty | None
    score: float = Field(
        description="0 to 1: how like the sentence and the claim's text are, by their words or, if"
        " `method` says so, also by their meaning. No measure of truth."
    )
    is_exact: bool = Field(description="One of the two texts stands in the other as it is.")
    matched: MatchedText = Field(description="What of the claim was like the sentence.")
    text: str = Field(description="That text of the claim.")
    may_deny: list[str] = Field(
        description="Words of only one of the two texts that may turn the meaning round, such as"
        " 'not'. Read both: nothing here says whether the sentence affirms the claim or denies it."
    )
    web_page: str = Field(description="Path of the claim's page.")


class MatchedSentence(Shape):
    """A sentence, where it stands in the text, and the claims that it may state."""

    sentence: str
    start: int | None = Field(description="First character in the text, from 0; null if split.")
    end: int | None = Field(description="The character after its last one.")
    claims: list[MatchedClaim] = Field(description="Exact quotes first, then the most alike.")


class Matched(Shape):
    """The sentences in their order."""

    data: list[MatchedSentence]
    method: MatchMethod
    note: str | None = Field(description="Why it was by words alone, if it might have been better.")
    notice: str = Field(description=GENERAL)


@router.post(
    "/claims:match",
    response_model=Matched,
    responses={
        **{status: said for status, said in LIST_ERRORS.items() if status != 304},
        **responses(408, 413, 415, 422),
    },
    openapi_extra=taking(serial_marks.DECLARED, body={"application/json": MatchIn}, required=True),
)
async def match_claims(request: Request) -> Response:
    """Say of each sentence of a text which claims it may state, with their status as of a day.

    Nothing of the text is stored or logged, and no key is needed. A sentence that states no claim
    has an empty list.
    """
    given = await read_input(request, MatchIn)
    work = partial(_answer, given, request.app.state.synonyms, request.app.state.text_model)
    return await read_connection.read(request, work, in_thread=True)


def _answer(
    given: MatchIn, synonyms: Synonyms, text_model: TextModel, connection: Connection
) -> Response:
    content = to_json(match(given, synonyms, text_model, connection))
    return Response(content, media_type="application/json")


def match(
    given: MatchIn, synonyms: Synonyms, text_model: TextModel, connection: Connection
) -> dict[str, Any]:
    """Return the members of `Matched` for a text or sentences."""
    note, model = text_model.note, text_model.model
    places: list[tuple[int | None, int | None]]
    if given.text is None:
        sentences = given.sentences or []
        places = [(None, None)] * len(sentences)
    else:
        spans = list(split_sentences(given.text))
        sentences = [given.text[start:end] for start, end in spans]
        places = [*spans]
    matched = matching.match_sentences(
        connection,
        sentences,
        synonyms,
        day=given.as_of,
        limit=given.limit,
        min_score=given.min_score,
        model=model,
    )
    data = [
        {
            "sentence": sentence,
            "start": start,
            "end": end,
            "claims": [_claim(each) for each in claims],
        }
        for sentence, (start, end), claims in zip(sentences, places, matched, strict=True)
    ]
    method = "words" if model is None else "words_and_model"
    return {"data": data, "method": method, "note": note, "notice": NOTICE}


def _claim(match: matching.Match) -> dict[str, Any]:
    members = asdict(match)
    slug = members.pop("claim")
    kind = members.pop("kind")
    return {"id": slug, **members, "matched": kind, "web_page": f"/claims/{slug}"}
