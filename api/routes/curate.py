"""Propose, replace, change, withdraw and retract records, by the same methods for every kind."""

import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field
from sqlalchemy import Connection

from api.citations.clean import clean_source
from api.http import openapi_schemas, read_connection
from api.http.auth import needs
from api.http.negotiation import JsonAccepted
from api.http.read_route import ParsedRoute
from api.http.write_transaction import (
    IF_MATCH,
    NEW_ERRORS,
    NEW_OR_MATCH,
    ONCE,
    WRITE_ERRORS,
    Answer,
    PreconditionFailed,
    body_of,
    judged,
    meant,
    taking,
    write,
)
from api.settings import Settings
from models.access.api_keys import Key
from models.core.errors import Conflict, Fault, InvalidRecord
from models.core.merge_patch import merged
from models.core.types import REVIEW_FIELDS, Shape, Text
from models.read.filters import Filters
from models.read.possible_duplicates import LIKE
from models.records.record_types import RECORD_TYPES, RecordType
from models.records.serializers import Row
from models.write import review
from models.write.changes import Change
from models.write.review import RecordOut
from models.write.suggestions import SET_BY_SERVER

router = APIRouter(
    prefix="/v1", tags=["curating"], dependencies=[JsonAccepted], route_class=ParsedRoute
)

Contributor = Annotated[Key, needs("contributor")]
MERGE_PATCH = "application/merge-patch+json"
# Of the claims and sources in a batch; each takes some milliseconds.
MOST_COMPARED = 100


class PossibleDuplicate(Shape):
    """A stored record that may be the same as the new one."""

    id: str
    label: str = Field(description="A claim's statement; a source's citation and title.")
    score: float = Field(description="0 to 1: how alike the statements or titles are.")


class NewRecordOut(RecordOut):
    """A new record, with what is stored already and may be the same."""

    possible_duplicates: list[PossibleDuplicate] = Field(
        description="Accepted records to compare it with, the most alike first."
    )


class Comment(Filters):
    """The reason for a change."""

    comment: Text | None = Field(
        None, max_length=2000, description="The reason; stored with the revision."
    )


class TakingBack(Comment):
    """The reason, and the record that replaces this one."""

    replaced_by: Text | None = Field(
        None, max_length=300, description="Id of the record that replaces it."
    )


def _object(given: Any) -> Row:
    if not isinstance(given, dict):
        detail = "The body must be a JSON object: the record."
        raise InvalidRecord(detail, [Fault(at="/", code="not_an_object", detail=detail)])
    return given


def cleaned(kind: str, record: Row) -> Row:
    """Return a posted record as it is judged: the texts of a source without mark-up."""
    if kind == "suggestion" and str(record.get("about")).startswith("source/"):
        patch = record.get("patch")
        return {**record, "patch": clean_source(patch)} if isinstance(patch, dict) else record
    return clean_source(record) if kind == "source" else record


def told(kind: RecordType, record_id: str, status: int = 200) -> Answer:
    """Return an answer that contains a record as it is after the change."""
    headers = {"Location": f"/v1/records/{kind.name}/{record_id}"} if status == 201 else {}
    return Answer(
        lambda change: review.describe_after_change(change, kind, record_id), status, headers
    )


async def judged_new(request: Request, caller: Key, kind: RecordType, path: dict[str, str]) -> Row:
    """Return the record that is the body of a request, as it would be proposed."""
    given = _object(await body_of(request))
    body = cleaned(kind.name, {**given, **_claim_of(kind, given, path)})
    return await judged(
        request, review.judge, caller, kind, body, public=discussed_in_public(request)
    )


def discussed_in_public(request: Request) -> bool:
    """Return whether what is said of records is for everybody at once."""
    settings: Settings = request.app.state.settings
    return settings.discussion == "public"


def _propose(kind: RecordType) -> Any:
    async def propose(
        request: Request, caller: Contributor, query: Annotated[Comment, Query()], **path: str
    ) -> Response:
        record = await judged_new(request, caller, kind, path)
        (alike,) = await look_for_alike(request, [(kind, record)])

        def work(change: Change) -> Answer:
            answer = told(kind, review.propose(change, caller, kind, record), 201)
            if alike is None:
                return answer

            def with_like(change: Change) -> NewRecordOut:
                members = {**answer.tell(change).model_dump(), "possible_duplicates": alike}
                return NewRecordOut.model_validate(members)

            return Answer(with_like, answer.status, answer.headers)

        return await write(request, caller, work, query.comment)

    return propose


async def look_for_alike(
    request: Request, records: Sequence[tuple[RecordType, Row]]
) -> list[list[Row] | None]:
    """Return for each of these new records those stored that may be the same, or None if its kind
    is not compared, or more than `MOST_COMPARED` come before it.

    They are looked for before the write, which others would have to wait for.
    """
    compared = [place for place, (kind, _) in enumerate(records) if kind.name in LIKE]
    compared = compared[:MOST_COMPARED]
    alike: list[list[Row] | None] = [None] * len(records)
    if not compared:
        return alike
    state = request.app.state

    def work(connection: Connection) -> list[list[Row]]:
        return [
            LIKE[kind.name](connection, record, state.synonyms, state.text_model.model)
            for kind, record in (records[place] for place in compared)
        ]

    for place, found in zip(
        compared, await read_connection.read(request, work, in_thread=True), strict=True
    ):
        alike[place] = found
    return alike


def _claim_of(kind: RecordType, given: Row, path: dict[str, str]) -> Row:
    if not kind.part:
        return {}
    if given.get("claim", path["claim"]) != path["claim"]:
        detail = f"The address says the claim is '{path['claim']}'."
        raise InvalidRecord(detail, [Fault(at="/claim", code="fixed_field", detail=detail)])
    return {"claim": path["claim"]}


def _replace(kind: RecordType) -> Any:
    async def replace(
        request: Request, caller: Contributor, query: Annotated[Comment, Query()], **path: str
    ) -> Response:
        given, record_id = _object(await body_of(request)), path[kind.parameter]
        body = cleaned(kind.name, {**kind.key_of(record_id), **given})
        await judged(request, review.judge_version, kind, body)

        def work(change: Change) -> Answer:
            # If-None-Match: * means that the record must not exist yet (RFC 9110 section 13.1.2).
            if request.headers.get("if-none-match") == "*":
                review.require_same_key(kind, record_id, body)
                try:
                    record = review.judge(caller, kind, body, public=discussed_in_public(request))
                    return told(kind, review.propose(change, caller, kind, record), 201)
                except Conflict as error:
                    if error.code != "already_exists":
                        raise
                    raise PreconditionFailed(error.detail, error.faults) from None
            meant(request, change, caller, kind, record_id)
            review.replace(change, caller, kind, record_id, body)
            return told(kind, record_id)

        return await write(request, caller, work, query.comment)

    return replace


def _change(kind: RecordType) -> Any:
    async def change_fields(
        request: Request, caller: Contributor, query: Annotated[Comment, Query()], **path: str
    ) -> Response:
        patch = cleaned(kind.name, _object(await body_of(request)))
        record_id = path[kind.parameter]
        await judged(request, review.judge_version, kind, merged({}, patch))

        def work(change: Change) -> Answer:
            old = meant(request, change, caller, kind, record_id)
            review.replace(
                change, caller, kind, record_id, {**kind.key_of(record_id), **merged(old, patch)}
            )
            return told(kind, record_id)

        return await write(request, caller, work, query.comment)

    return change_fields


def _take_back(kind: RecordType) -> Any:
    async def take_back(
        request: Request, caller: Contributor, query: Annotated[TakingBack, Query()], **path: str
    ) -> Response:
        record_id = path[kind.parameter]

        def work(change: Change) -> Answer:
            old = meant(request, change, caller, kind, record_id)
            action = "withdraw" if old["state"] == "submitted" else "retract"
            review.decide(change, caller, kind, record_id, action, query.replaced_by)
            return told(kind, record_id)

        return await write(request, caller, work, query.comment)

    return take_back


def body_of_kind(kind: RecordType, some: bool = False) -> Row:
    """Return what stands for the schema of a record, or of some of its fields, in a document."""
    name = kind.fields.__name__
    name = name.removesuffix("In") + "Patch" if some else name
    return openapi_schemas.body(name, partial(_schema_of, kind, some))


def _schema_of(kind: RecordType, some: bool) -> Row:
    """Return the JSON schema of a body: the input class without the fields that a review sets."""
    schema = kind.fields.model_json_schema()
    hidden = (*REVIEW_FIELDS, *(SET_BY_SERVER if kind.discussion else ()))
    schema["properties"] = {
        name: field for name, field in schema["properties"].items() if name not in hidden
    }
    if not some:
        if kind.discussion:
            schema["required"].remove("id")
        return dict(schema)
    required = schema.pop("required", [])
    for name in schema["properties"].keys() - required:
        schema["properties"][name] = openapi_schemas.with_null(schema["properties"][name])
    description = "The fields to change; null removes a field (RFC 7396)."
    return {**schema, "description": description}


def _sentence(verb: str, kind: RecordType) -> str:
    if kind.discussion:
        return _SAID[verb].format(kind.name)
    article = "an" if kind.name[0] in "aeo" else "a"
    return {
        "create": f"Propose {article} {kind.name}. It becomes public once a second person"
        " has accepted it.",
        "replace": f"Replace {article} {kind.name}. Allowed for its proposer before review, and for"
        " a curator once it is accepted.",
        "change": f"Change some fields of {article} {kind.name} (RFC 7396). Allowed for the"
        " same persons as PUT.",
        "delete": f"Withdraw or retract {article} {kind.name}: its proposer withdraws it before"
        " review, a curator retracts it with a reason once it is accepted.",
    }[verb]


_SAID = {
    "create": "Say something of a record: a {}. Its author, who proposed the record, and curators"
    " see it; everybody does once a curator has accepted it, or where CLAIMBASE_DISCUSSION is"
    " `public`.",
    "replace": "Replace a {} of one's own that waits for a decision.",
    "change": "Change some fields of a {} of one's own that waits for a decision (RFC 7396).",
    "delete": "Withdraw or retract a {}: its author withdraws it while it waits, a curator retracts"
    " it with a reason once it is accepted.",
}
# The method, the function that creates the endpoint, the media type of the body, and the headers.
METHODS: dict[str, tuple[str, Any, str | None, tuple[Mapping[str, Any], ...]]] = {
    "create": ("POST", _propose, "application/json", (ONCE,)),
    "replace": ("PUT", _replace, "application/json", NEW_OR_MATCH),
    "change": ("PATCH", _change, MERGE_PATCH, (IF_MATCH,)),
    "delete": ("DELETE", _take_back, None, (IF_MATCH,)),
}


def _add(kind: RecordType, verb: str) -> None:
    method, make, media_type, headers = METHODS[verb]
    record = f"/{kind.plural}/{{{kind.parameter}}}"
    path = (
        (f"/claims/{{claim}}/{kind.plural}" if kind.part else f"/{kind.plural}")
        if verb == "create"
        else record
    )
    names = [name for name in ("claim", kind.parameter) if f"{{{name}}}" in path]
    endpoint = make(kind)
    # FastAPI reads the path parameters from the signature, and their names depend on the kind.
    own = [each for each in inspect.signature(endpoint).parameters.values() if each.name != "path"]
    given = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Text, Path(max_length=300)]
        )
        for name in dict.fromkeys(names)
    ]
    endpoint.__signature__ = inspect.Signature([*own, *given])
    extra = taking(
        *headers,
        body={media_type: body_of_kind(kind, method == "PATCH")} if media_type else None,
    )
    if media_type:
        extra["requestBody"]["required"] = True
    router.add_api_route(
        path,
        endpoint,
        methods=[method],
        name=f"{verb}_{kind.name}",
        status_code=201 if verb == "create" else 200,
        response_model=NewRecordOut if verb == "create" and kind.name in LIKE else RecordOut,
        responses=NEW_ERRORS if verb == "create" else WRITE_ERRORS,
        description=_sentence(verb, kind),
        openapi_extra=extra,
    )


for _kind in RECORD_TYPES.values():
    for _verb in METHODS:
        _add(_kind, _verb)
