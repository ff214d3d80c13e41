"""Who may what: every operation of the OpenAPI document, asked by everybody there can be.

Keys are looked at where they matter: by what writes, and by what shows more to some (`MINDED`).
There a key that is good for nothing is a 401, also where nobody needs one, so that its owner learns
of it instead of missing what it would show. What shows the same to all (`OPEN`) looks at no key.
"""

import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from sqlalchemy import update

from models.access import api_keys, webhooks
from models.access.api_keys import ApiKey
from models.access.webhooks import WebhookIn
from models.core import vocabularies as v
from models.records.record_types import CONTENT_TYPES, DISCUSSION_TYPES, RECORD_TYPES
from models.records.serializers import table
from tests.api.curating import ASSESSMENT, CLAIM, PATCHES, PEOPLE, Desk, a_record, at_desk, native
from tests.api.examples import BODIES, EXAMPLES
from tests.databases import DATABASES, Templates, store_of

# Who asks. A record that is asked about was proposed by anna for the first three and by ben for
# «self», a curator.
#                 nobody anna emil self curator admin, then keys: expired, revoked, malformed
WHO = ("nobody", "anna", "emil", "self", "cleo", "dora", "expired", "revoked", "malformed")
OPEN = "             200  200  200  200  200     200    200 200 200"
MINDED = "           200  200  200  200  200     200    401 401 401"
CREATE = "           401  201  201  201  201     201    401 401 401"
CURATORS_CREATE = "  401  403  403  201  201     201    401 401 401"
PROPOSER = "         401  200  404  200  403     403    401 401 401"
OF_PROPOSAL = "      401  200  404  200  200     200    401 401 401"
CONTRIBUTORS = "     401  200  200  200  200     200    401 401 401"
CURATORS = "         401  403  403  200  200     200    401 401 401"
# What is said of a record stays as it was accepted.
FINAL = "            401  409  409  409  409     409    401 401 401"
NOT_ONES_OWN = "     401  403  403  403  200     200    401 401 401"
ADMINS = "           401  403  403  403  403     200    401 401 401"
ADMINS_CREATE = "    401  403  403  403  403     201    401 401 401"
OWN_WEBHOOK = "      401  403  403  200  404     200    401 401 401"

# Nobody else learns that it is there.
OF_PROPOSAL_READ = " 404  200  404  200  200     200    401 401 401"
CONTENT = [kind.name for kind in CONTENT_TYPES if kind.name != "assessment"]

SHOWN_TO_ALL = (
    *(
        "index",
        "suggest",
        "healthz",
        "readyz",
        "list_vocabularies",
        "get_vocabulary",
        "list_topics",
        "get_topic",
        "list_citation_styles",
        "list_collections",
        "get_collection",
    ),
    *(
        "count_claims",
        "count_evidence",
        "list_claim_sources",
        "list_sources_of_claims",
        "walk_relations",
        "get_impact",
        "get_timeline",
        "compare_days",
    ),
    *(
        "status_history",
        "list_claim_revisions",
        "stream_changes",
        "draw_timeline",
        "draw_chain",
        "draw_badge",
    ),
    *(
        "explain_status",
        "get_claim_matrix",
        "list_matrix",
        "get_notice",
        "get_evidence",
        "get_occurrence",
        "get_relation",
        "get_assessment",
        "get_source",
    ),
    *("list_source_claims", "parse_sources", "lookup_sources", "match_claims", "export"),
    "get_data_package",
    *("lookup_claims", "lookup_evidence", "count_evidence"),
)
MORE_WITH_A_KEY = (
    *("list_claims", "get_claim", "list_claim_evidence", "list_evidence", "list_sources"),
    *("get_revision", "list_changes", "list_suggestions", "list_comments"),
)
# Every operation with the states in which its record is tried.
TABLE: dict[str, dict[str, str]] = {
    **{operation: {"": OPEN} for operation in SHOWN_TO_ALL},
    **{operation: {"": MINDED} for operation in MORE_WITH_A_KEY},
    "get_record": {
        "accepted": MINDED,
        # Nobody else learns that it is there.
        "submitted": "   404  200  404  200  200     200    401 401 401",
        "rejected": "    404  200  404  200  200     200    401 401 401",
    },
    "get_source_text": {"submitted": OPEN},
    **{
        f"{verb}_source_text": {"submitted": PROPOSER, "accepted": NOT_ONES_OWN}
        for verb in ("replace", "delete")
    },
    "list_reviews": {"": CONTRIBUTORS},
    "create_collection": {"": CREATE},
    "create_topic": {"": CREATE},
    "create_source": {"": CREATE},
    "create_claim": {"": CREATE},
    "create_occurrence": {"": CREATE},
    "create_relation": {"": CREATE},
    "create_evidence": {"": CREATE},
    "create_assessment": {"": CURATORS_CREATE},
    "propose_batch": {"": CREATE},
    "import_sources": {"": CREATE},
    **{
        f"{verb}_{kind}": {"submitted": PROPOSER, "accepted": NOT_ONES_OWN}
        for verb in ("replace", "change")
        for kind in CONTENT
    },
    **{
        f"{verb}_{kind.name}": {"submitted": PROPOSER, "accepted": FINAL}
        for verb in ("replace", "change")
        for kind in DISCUSSION_TYPES
    },
    **{f"create_{kind.name}": {"": CREATE} for kind in DISCUSSION_TYPES},
    **{
        f"delete_{kind.name}": {"submitted": PROPOSER, "accepted": NOT_ONES_OWN}
        for kind in DISCUSSION_TYPES
    },
    "get_suggestion": {"submitted": OF_PROPOSAL_READ},
    "get_comment": {"submitted": OF_PROPOSAL_READ},
    "carry_over_suggestion": {"submitted": OF_PROPOSAL},
    "preview_suggestion": {"submitted": OF_PROPOSAL},
    **{f"delete_{kind}": {"submitted": PROPOSER, "accepted": NOT_ONES_OWN} for kind in CONTENT},
    # A decision itself: accepted at once, so it is nobody's proposal.
    **{f"{verb}_assessment": {"accepted": CURATORS} for verb in ("replace", "change", "delete")},
    "preview_evidence": {"submitted": OF_PROPOSAL, "accepted": CONTRIBUTORS},
    "accept_record": {"submitted": NOT_ONES_OWN},
    "decide_reviews": {"submitted": "401  403  403  409  200     200    401 401 401"},
    "reject_record": {"submitted": NOT_ONES_OWN},
    "merge_claim": {"accepted": NOT_ONES_OWN},
    "merge_source": {"accepted": NOT_ONES_OWN},
    "undo_revision": {"accepted": NOT_ONES_OWN},
    "purge_record": {"rejected": ADMINS},
    "preview_new_evidence": {"": CONTRIBUTORS},
    "get_own_key": {"": CONTRIBUTORS},
    "declare_interests": {"": CONTRIBUTORS},
    "list_keys": {"": ADMINS},
    "get_key": {"": ADMINS},
    "create_key": {"": ADMINS_CREATE},
    "revoke_key": {"": ADMINS},
    "list_webhooks": {"": CURATORS},
    "create_webhook": {"": CURATORS_CREATE},
    **{f"{verb}_webhook": {"": OWN_WEBHOOK} for verb in ("get", "change", "delete", "test")},
}
PICTURES = {
    f"draw_{name}": f"/v1/claims/{CLAIM}/{name}.svg" for name in ("timeline", "chain", "badge")
}
READS = {
    **EXAMPLES,
    **PICTURES,
    "export": "/v1/export",
    "get_assessment": f"/v1/assessments/{CLAIM}:example",
    "list_collections": "/v1/collections",
    "get_collection": "/v1/collections/civic",
    "list_reviews": "/v1/reviews",
    "list_suggestions": "/v1/suggestions",
    "list_comments": "/v1/comments",
}
# Method, path, body, and the record whose tag goes with it.
Asked = tuple[str, str, Any, str | None]
REASON = {"comment": "Because."}


@dataclass
class Bureau:
    """A desk with everybody at it, and records in whatever state for them to be refused."""

    desk: Desk
    ties: Iterator[tuple[str, str]]
    old_keys: dict[str, str] = field(default_factory=dict)

    def ask(self, who: str, method: str, path: str, body: Any, record: str | None) -> int:
        """Ask, with the tag of a record where one is named, and return the status."""
        headers = {"If_Match": self.desk.tag(f"/v1/records/{record}", "dora")} if record else {}
        if who in self.old_keys:
            headers["Authorization"] = f"Bearer {self.old_keys[who]}"
        if method == "PUT" and isinstance(body, str):
            headers["Content_Type"] = "text/plain"
        person = None if who in ("nobody", *self.old_keys) else "ben" if who == "self" else who
        answer = self.desk.ask(person, method, path, body, **headers)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
        return int(answer.status_code)

    def named(self, kind: str) -> dict[str, Any]:
        """Return what tells a new record of a kind from all others."""
        if kind == "relation":
            type_, target = next(self.ties)
            return {"key": target, "type": type_}
        return {"key": f"new-{next(self.desk.numbers)}"}

    def record(self, kind: str, state: str, by: str) -> str:
        """Make a record that somebody proposed, and bring it into a state."""
        named = self.named(kind)
        if state == "accepted":
            return self.desk.accepted(kind, by=by, **named)
        record = self.desk.propose(by, kind, **named)
        if state == "rejected":
            self.desk.decide("reject", kind, record, "dora", "no")
        return record


@contextmanager
def _bureau(templates: Templates, kind: str) -> Iterator[Bureau]:
    for store in store_of(templates, kind, seeded=True):
        with at_desk(store) as desk:
            desk.propose("ben", "assessment", "example")
            desk.accepted("collection", "civic")
            pairs = itertools.product(["analogous_to", "names", "provenance_of"], _targets(desk))
            bureau = Bureau(desk, pairs)
            bureau.old_keys["malformed"] = "claimbase_x"
            with store.database.write() as connection:
                rows = table(ApiKey)
                for why, column in (("expired", "expires"), ("revoked", "revoked")):
                    made, plain = api_keys.create_key(
                        connection, api_keys.KeyIn(name="anna", role="admin")
                    )
                    past = {column: "2020-01-01T00:00:00.000000Z"}
                    connection.execute(update(rows).where(rows.c.id == made.id).values(past))
                    bureau.old_keys[why] = plain
            yield bureau
            assert desk.disagreements() == []


@pytest.fixture(scope="module")
def bureaus(templates: Templates) -> Iterator[Callable[[str], Bureau]]:
    """Give the bureau on each kind of database, opened once whatever the order of the tests."""
    with ExitStack() as opened:
        yield cache(lambda kind: opened.enter_context(_bureau(templates, kind)))


@pytest.fixture
def bureau(bureaus: Callable[[str], Bureau], kind: str) -> Bureau:
    return bureaus(kind)


def _targets(desk: Desk) -> list[str]:
    listed = desk.must(200, None, "GET", "/v1/claims?limit=200&fields=id")["data"]
    return [claim["id"] for claim in listed if claim["id"] != CLAIM]


def request_of(operation: str, state: str, bureau: Bureau, by: str) -> Asked:
    """Return method, path and body of a request to an operation, and the record that it is about,
    which `by` proposed.
    """
    desk = bureau.desk
    verb, _, kind = operation.partition("_")
    if kind in RECORD_TYPES and verb == "create":
        named = bureau.named(kind)
        path = (
            f"/v1/claims/{CLAIM}/{RECORD_TYPES[kind].plural}"
            if RECORD_TYPES[kind].part
            else f"/v1/{RECORD_TYPES[kind].plural}"
        )
        return "POST", path, a_record(kind, **named), None
    if kind in RECORD_TYPES and verb in ("replace", "change", "delete"):
        record = bureau.record(kind, state, by)
        told = desk.record(kind, record)
        path, about = native(kind, record), f"{kind}/{record}"
        if verb == "delete":
            return "DELETE", f"{path}?comment=wrong", None, about
        return (
            ("PATCH", path, PATCHES[kind], about)
            if verb == "change"
            else ("PUT", path, told["record"], about)
        )
    if operation in OTHERS:
        return OTHERS[operation](bureau, state, by)
    body = BODIES.get(operation)
    given = json.loads(body) if body and operation != "parse_sources" else body
    return "POST" if body else "GET", READS[operation], given, None


def _decision(action: str) -> Callable[[Bureau, str, str], Asked]:
    def decision(bureau: Bureau, state: str, by: str) -> Asked:
        record = f"evidence/{bureau.record('evidence', state, by)}"
        return "POST", f"/v1/records/{record}:{action}", REASON, record

    return decision


def _decisions(bureau: Bureau, state: str, by: str) -> Asked:
    record = bureau.record("evidence", state, by)
    decision = {
        "kind": "evidence",
        "record": record,
        "action": "accept",
        "revision": bureau.desk.record("evidence", record)["revision"],
    }
    return "POST", "/v1/reviews:decide", {"decisions": [decision]}, None


def _merger(kind: str) -> Callable[[Bureau, str, str], Asked]:
    into = {"claim": "ms-cause-unknown", "source": "doepp-2010"}[kind]

    def merger(bureau: Bureau, state: str, by: str) -> Asked:
        record = bureau.record(kind, state, by)
        return "POST", f"{native(kind, record)}:merge", {"into": into, **REASON}, f"{kind}/{record}"

    return merger


def _undoing(bureau: Bureau, state: str, by: str) -> Asked:
    record = bureau.record("evidence", state, by)
    return (
        "POST",
        f"/v1/revisions/{bureau.desk.record('evidence', record)['serial']}:undo",
        REASON,
        None,
    )


def _batch(bureau: Bureau, _state: str, _by: str) -> Asked:
    records = [{"record": "topic", **a_record("topic", **bureau.named("topic"))}]
    return "POST", "/v1/claims:batch", {"records": records}, None


def _import(bureau: Bureau, _state: str, _by: str) -> Asked:
    title = f"New {next(bureau.desk.numbers)}"
    return "POST", "/v1/sources:import", f"TY  - JOUR\nTI  - {title}\nER  - \n".encode(), None


def _preview(bureau: Bureau, state: str, by: str) -> Asked:
    return "POST", f"/v1/evidence/{bureau.record('evidence', state, by)}:preview", None, None


def _preview_of_new(bureau: Bureau, _state: str, _by: str) -> Asked:
    line = a_record("evidence", **bureau.named("evidence"))
    return "POST", f"/v1/claims/{CLAIM}/evidence:preview", line, None


def _reading(bureau: Bureau, state: str, by: str) -> Asked:
    return "GET", f"/v1/records/evidence/{bureau.record('evidence', state, by)}", None, None


def _a_key(method: str) -> Callable[[Bureau, str, str], Asked]:
    def a_key(bureau: Bureau, _state: str, _by: str) -> Asked:
        if method == "POST":
            return "POST", "/v1/keys", {"name": "Zoe", "role": "contributor"}, None
        with bureau.desk.store.database.write() as connection:
            made, _ = api_keys.create_key(
                connection, api_keys.KeyIn(name="zoe", role="contributor")
            )
        return method, f"/v1/keys/{made.id}", None, None

    return a_key


def _a_webhook(method: str, ending: str = "") -> Callable[[Bureau, str, str], Asked]:
    def a_webhook(bureau: Bureau, _state: str, by: str) -> Asked:
        url = "http://127.0.0.1:1/"
        with bureau.desk.store.database.write() as connection:
            made, _ = webhooks.create_webhook(connection, by, WebhookIn(url=url), 0)
            # Nothing is delivered there while others are asked.
            webhooks.disable_all(connection, "a test")
        body = {"url": url} if method == "PATCH" else None
        return method, f"/v1/webhooks/{made.id}{ending}", body, None

    return a_webhook


def _suggestion(method: str, ending: str = "") -> Callable[[Bureau, str, str], Asked]:
    def suggestion(bureau: Bureau, state: str, by: str) -> Asked:
        record = bureau.record("suggestion", state, by)
        about = f"suggestion/{record}" if ending == ":carry_over" else None
        return method, f"/v1/suggestions/{record}{ending}", None, about

    return suggestion


def _text(method: str) -> Callable[[Bureau, str, str], Asked]:
    def text(bureau: Bureau, state: str, by: str) -> Asked:
        record = bureau.record("source", state, by)
        path = f"{native('source', record)}/text"
        if method == "GET":
            _give_text(bureau, record)
            return method, path, None, None
        if method == "DELETE":
            return method, f"{path}?comment=wrong", None, f"source/{record}"
        return method, f"{path}?licence=MIT", "A text.", f"source/{record}"

    return text


def _give_text(bureau: Bureau, record: str) -> None:
    desk = bureau.desk
    desk.accept("source", record, "dora")
    path = f"{native('source', record)}/text?licence=MIT"
    tag = desk.tag(f"/v1/sources/{record}")
    desk.must(200, "cleo", "PUT", path, "A text.", If_Match=tag, Content_Type="text/plain")


OTHERS: dict[str, Callable[[Bureau, str, str], Asked]] = {
    **{f"{action}_record": _decision(action) for action in ("accept", "reject", "purge")},
    **{f"merge_{kind}": _merger(kind) for kind in ("claim", "source")},
    "decide_reviews": _decisions,
    "undo_revision": _undoing,
    "get_source_text": _text("GET"),
    "replace_source_text": _text("PUT"),
    "delete_source_text": _text("DELETE"),
    "propose_batch": _batch,
    "import_sources": _import,
    "preview_evidence": _preview,
    "preview_new_evidence": _preview_of_new,
    "declare_interests": lambda _bureau, _state, _by: (
        "PATCH",
        "/v1/key",
        {"conflict_of_interest": "none"},
        None,
    ),
    "get_own_key": lambda _bureau, _state, _by: ("GET", "/v1/key", None, None),
    "get_record": _reading,
    "get_suggestion": _suggestion("GET"),
    "get_comment": lambda bureau, state, by: (
        *("GET", f"/v1/comments/{bureau.record('comment', state, by)}"),
        *(None, None),
    ),
    "carry_over_suggestion": _suggestion("POST", ":carry_over"),
    "preview_suggestion": _suggestion("POST", ":preview"),
    # It has no end, so it is asked for its head.
    "stream_changes": lambda _bureau, _state, _by: ("HEAD", "/v1/changes/stream", None, None),
    "get_key": _a_key("GET"),
    "revoke_key": _a_key("DELETE"),
    "create_key": _a_key("POST"),
    "create_webhook": lambda _bureau, _state, _by: (
        *("POST", "/v1/webhooks", {"url": "http://127.0.0.1:1/"}),
        None,
    ),
    "list_webhooks": lambda _bureau, _state, _by: ("GET", "/v1/webhooks", None, None),
    "get_webhook": _a_webhook("GET"),
    "change_webhook": _a_webhook("PATCH"),
    "delete_webhook": _a_webhook("DELETE"),
    "test_webhook": _a_webhook("POST", ":test"),
    "list_keys": lambda _bureau, _state, _by: ("GET", "/v1/keys", None, None),
}


def kinds(operation: str, row: str) -> tuple[str, ...]:
    """Return the databases on which an operation is asked: what only reads on one, by its name."""
    if row not in (OPEN, MINDED):
        return DATABASES
    return (DATABASES[zlib.crc32(operation.encode()) % len(DATABASES)],)


CASES = [
    pytest.param(kind, operation, state, id="-".join(filter(None, (kind, operation, state))))
    for operation, rows in TABLE.items()
    for state, row in rows.items()
    for kind in kinds(operation, row)
]


@pytest.mark.parametrize(("kind", "operation", "state"), CASES)
def test_everybody_may_what_the_table_says(operation: str, state: str, bureau: Bureau) -> None:
    row = [int(status) for status in TABLE[operation][state].split()]
    prepared: dict[str, Asked] = {}
    got = []
    for who, wanted in zip(WHO, row, strict=True):
        by = "ben" if who == "self" else "anna"
        if by not in prepared:
            prepared[by] = request_of(operation, state, bureau, by)
        got.append(bureau.ask(who, *prepared[by]))
        if wanted < 300 and prepared[by][0] not in ("GET", "HEAD"):
            # It is no longer what it was: the next one gets one of its own.
            del prepared[by]
    assert dict(zip(WHO, got, strict=True)) == dict(zip(WHO, row, strict=True))


def test_each_operation_has_a_row_and_each_row_an_operation(bureau: Bureau) -> None:
    paths = bureau.desk.client.get("/openapi.json").json()["paths"]
    operations = {
        operation["operationId"]: operation
        for path in paths.values()
        for operation in path.values()
    }
    assert set(operations) == set(TABLE)
    for name, operation in operations.items():
        declared = operation["security"]
        for row in TABLE[name].values():
            got = dict(zip(WHO, (int(status) for status in row.split()), strict=True))
            if not declared:
                assert got == dict.fromkeys(WHO, 200), name
            elif declared == [{}, {"bearer": []}]:
                assert got["nobody"] in (200, 404), name
                assert got["expired"] == 401, name
            else:
                assert got["nobody"] == 401, name
                assert declared == [{"bearer": []}]
                role = operation["x-role"]
                lower = [
                    who for who, has in PEOPLE.items() if v.ROLES.rank(has) < v.ROLES.rank(role)
                ]
                assert all(got[who] == 403 for who in lower if who in got), name
                assert "429" in operation["responses"], name


def test_an_assessment_is_shown_to_all(bureau: Bureau) -> None:
    found = bureau.desk.must(200, None, "GET", READS["get_assessment"])
    assert found["rationale"] == ASSESSMENT["rationale"]


def test_a_body_is_read_only_for_those_who_may(bureau: Bureau) -> None:
    """Whoever may not, learns nothing of what is wrong with the body, nor whether the record is
    there.
    """
    for who, wanted in (("nobody", 401), ("emil", 403)):
        path = "/v1/records/evidence/ccsvi-causes-ms:there-is-no-such:accept"
        assert bureau.ask(who, "POST", path, [], None) == wanted
