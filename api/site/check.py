"""A text that somebody pastes, with its sentences marked by the claims that they state."""

from functools import partial
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from sqlalchemy import Connection

from api.http import read_connection
from api.http.read_route import ParsedRoute
from api.routes.match import MOST_CHARACTERS, MatchIn, match
from api.site.pages import PageRoute, page

router = APIRouter(route_class=PageRoute, include_in_schema=False)
# A pasted text comes in the body, so that it stands in no address and in no log.
pasted = APIRouter(route_class=ParsedRoute, include_in_schema=False)

DESCRIPTION = "Paste a text and see which of its sentences state claims, and what is known of them."
# What belongs to one person's text is kept nowhere.
NOT_STORED = {"Cache-Control": "no-store"}
FIELDS = 4
# A sentence has the colour of a claim that is at least so much like it, and more so by this than
# any claim of another status. A wrong colour is worse than none.
CLEAR_SCORE = 0.5
CLEAR_LEAD = 0.15


@router.get("/check")
def show_check(request: Request) -> Response:
    """Show the form into which a text is pasted."""
    return _page(request)


@pasted.post("/check")
async def check_text(request: Request) -> Response:
    """Show the pasted text with its sentences marked.

    The text is not stored, and the answer must not be.
    """
    form = parse_qs((await request.body()).decode(errors="replace"), max_num_fields=FIELDS)
    text = form.get("text", [""])[0].replace("\r\n", "\n")
    day = form.get("as_of", [""])[0].strip()
    if not text.strip():
        return _page(request, fault="Paste a text first.", day=day)
    try:
        given = MatchIn(text=text, as_of=day or None)
    except ValidationError as error:
        return _page(request, text=text, day=day, fault=_fault(error, text))
    work = partial(_show, request, given, text, day)
    return await read_connection.read(request, work, in_thread=True)


def _fault(error: ValidationError, text: str) -> str:
    field = error.errors()[0]["loc"][0]
    if field == "as_of":
        return "The day is written 2012, 2012-06 or 2012-06-30."
    if len(text) > MOST_CHARACTERS:
        return (
            f"The text has {len(text):,} characters; at most {MOST_CHARACTERS:,} are compared at"
            " once."
        )
    return "The text has characters that cannot be read."


def _show(
    request: Request,
    given: MatchIn,
    text: str,
    day: str,
    connection: Connection,
) -> Response:
    state = request.app.state
    matched = match(given, state.synonyms, state.text_model, connection)
    return _page(
        request,
        text=text,
        day=day,
        pieces=_pieces(text, matched["data"]),
        note=matched["note"],
        found=[each for each in matched["data"] if each["claims"]],
        sentences=len(matched["data"]),
    )


def _pieces(text: str, sentences: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the text in pieces: each sentence that states claims, and what stands between them.

    `number` is that of such a sentence, from 1, or None.
    """
    pieces: list[dict[str, Any]] = []
    done = number = 0
    for sentence in sentences:
        if sentence["claims"]:
            number += 1
            start, end = sentence["start"], sentence["end"]
            pieces.append({"text": text[done:start], "number": None})
            status = _clear_status(sentence["claims"])
            pieces.append({"text": text[start:end], "number": number, "status": status})
            done = end
    return [*pieces, {"text": text[done:], "number": None}]


def _clear_status(claims: list[dict[str, Any]]) -> str | None:
    """Return the status of the claim that a sentence states, or None if it may state another."""
    best, *others = claims
    rivals = [each for each in others if each["status"] != best["status"]]
    lead = best["score"] - max((each["score"] for each in rivals), default=0.0)
    if best["is_exact"] or (best["score"] >= CLEAR_SCORE and lead >= CLEAR_LEAD):
        return str(best["status"])
    return None


def _page(request: Request, **values: Any) -> Response:
    shown: dict[str, Any] = {
        "text": "",
        "day": "",
        "fault": None,
        "pieces": [],
        "note": None,
        "found": [],
        "sentences": 0,
        **values,
    }
    return page(
        request,
        "check.html",
        title="Check a text",
        description=DESCRIPTION,
        most=MOST_CHARACTERS,
        headers=NOT_STORED if values else None,
        **shown,
    )
