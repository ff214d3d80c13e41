"""Purging, previews, and the past after all that people do."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select

from models.core.dates import now
from models.migrations.tables import tables
from models.records.serializers import table
from tests.api.curating import CLAIM, NOW, Desk, a_record, native, serial
from tests.api.mergers import INTO, OLD, THIRD, shown, state, two_claims
from tests.api.requests import problem


def dump(desk: Desk) -> str:
    """Return all that is stored, in every table."""
    with desk.store.database.read() as connection:
        return "\n".join(
            repr([tuple(row) for row in connection.execute(select(table(model)))])
            for model in tables
        )


def changes_until(desk: Desk, last: int) -> str:
    """Return all pages of changes with their records, up to a serial."""
    pages, since = "", 0
    while since < last:
        page = desk.ask("dora", "GET", f"/v1/changes?since={since}&limit=200&include=body")
        pages += page.text
        since = page.json()["page"]["next"]
    return pages


@pytest.mark.parametrize(
    "of",
    [
        *("collection", "topic", "source", "claim"),
        *("occurrence", "relation", "evidence", "assessment"),
    ],
)
# One story told to its end: split, its steps would have to pass all that they share.
def test_what_is_purged_is_nowhere(of: str, desk: Desk) -> None:  # noqa: PLR0915
    secret = "Zebedee-Private"  # noqa: S105
    fields: dict[str, dict[str, Any]] = {
        "collection": {"name": secret, "version": secret, "description": secret},
        "topic": {"label": secret, "definition": secret, "crosswalk": {"mesh": secret}},
        "source": {
            "title": secret,
            "authors": [{"family": secret}],
            "note": secret,
            "integrity": "concern",
        },
        "claim": {"statement": secret, "note": secret, "topics": ["iron"]},
        "occurrence": {"quote": secret, "hedges": [secret]},
        "relation": {"note": secret},
        "evidence": {"finding": secret, "quote": secret},
        "assessment": {"rationale": secret, "assessor": secret},
    }
    more = fields[of]
    if of == "source":
        more["integrity_note"] = secret
        more["identifiers"] = [
            {"scheme": "doi", "value": f"10.1234/{secret.lower()}", "verification": "unverified"}
        ]
    key = THIRD if of == "relation" else "mine"
    seen, first = shown(desk), serial(desk)
    record = desk.accepted(of, key, **more)
    path = native(of, record)
    # It is changed, built on, answered again: traces everywhere.
    moment = now()
    field = {
        "collection": "description",
        "topic": "definition",
        "source": "integrity_note",
        "assessment": "rationale",
    }.get(of, "note")
    kept = {"Idempotency_Key": "k"}
    line = desk.accepted("evidence", "on-it", source=record) if of == "source" else None
    if line:
        desk.must(200, "cleo", "PATCH", path, {"integrity_note": f"{secret} too"}, If_Match=NOW)
        desk.must(200, "cleo", "PATCH", path, {"integrity": "retracted"}, If_Match=NOW)
        desk.must(
            200, "cleo", "PATCH", native("evidence", line), {"source": "doepp-2010"}, If_Match=NOW
        )
    else:
        desk.must(
            200, "cleo", "PATCH", f"{path}?comment={secret}", {field: f"{secret} too"}, If_Match=NOW
        )
    desk.must(
        409, "dora", "POST", f"/v1/records/{of}/{record}:purge", {"comment": "x"}, If_Match=NOW
    )
    desk.retract(of, record, why=secret)
    assert secret.lower() in dump(desk).lower()
    desk.must(422, "dora", "POST", f"/v1/records/{of}/{record}:purge", {}, If_Match=NOW)
    purge = {"comment": "A court said so."}
    path_of_it = f"/v1/records/{of}/{record}"
    purged = desk.must(200, "dora", "POST", f"{path_of_it}:purge", purge, If_Match=NOW, **kept)
    assert (purged["action"], purged["record"], purged["comment"]) == (
        "purge",
        {},
        "A court said so.",
    )
    assert secret.lower() not in dump(desk).lower()
    for who in (None, "dora"):
        desk.must(404, who, "GET", path)
        desk.must(404, who, "GET", path_of_it)
    # All that was there before is read in pages, what came since also one by one.
    assert secret.lower() not in changes_until(desk, first).lower()
    for number in range(first + 1, serial(desk) + 1):
        assert secret.lower() not in desk.ask("dora", "GET", f"/v1/revisions/{number}").text.lower()
    # The past tells what is left of it, and nothing falls over.
    for claim in (CLAIM, THIRD):
        for query in (
            "",
            f"?known_at={moment}",
            f"?known_at={now()}",
            "/explanation?known_at=2026",
            "/revisions?limit=200",
        ):
            text = desk.ask(None, "GET", f"/v1/claims/{claim}{query}")
            assert text.status_code == 200, text.text
            assert secret.lower() not in text.text.lower()
    assert desk.disagreements() == []
    desk.must(409, "cleo", "POST", f"/v1/revisions/{purged['serial']}:undo", {"comment": "x"})
    desk.must(409, "cleo", "POST", f"/v1/revisions/{purged['serial'] - 1}:undo", {"comment": "x"})
    if line:
        desk.retract("evidence", line)
    assert shown(desk) == seen
    # The id is free again, for something else.
    again = desk.accepted(of, key)
    assert again == record
    assert desk.must(200, None, "GET", path)
    if of == "claim":
        desk.must(200, None, "GET", f"{path}?known_at={now()}")
        assert (
            problem(desk.ask(None, "GET", f"{path}?known_at={moment}"))["code"]
            == "not_yet_recorded"
        )
    if of == "assessment":
        made = desk.record(of, record)["serial"]
        desk.undo(made)
        assert state(desk, of, record)[0] == "retracted"


def test_what_is_purged_is_in_no_file(desk: Desk) -> None:
    secret = "Zebedee-Private"  # noqa: S105
    record = desk.accepted("claim", "mine", statement=secret, note=f"{secret} " * 300)
    url = make_url(desk.store.url)
    file = Path(str(url.database))
    # Where a server keeps the files, it says for itself what is left in them.
    files = list(file.parent.glob(f"{file.name}*")) if url.drivername.startswith("sqlite") else []
    # As it was written, and as a search compares it.
    traces = secret.encode(), b"zebede"
    for trace in traces:
        assert not files or any(trace in path.read_bytes() for path in files)
    desk.retract("claim", record)
    desk.must(
        200, "dora", "POST", f"/v1/records/claim/{record}:purge", {"comment": "x"}, If_Match=NOW
    )
    assert secret not in dump(desk)
    assert not any(trace in path.read_bytes() for path in files for trace in traces)
    assert desk.store.database.purge_log(), "nobody reads"


def test_a_purge_lets_go_of_the_answers_that_name_what_was_purged_alone(desk: Desk) -> None:
    sent = [("topic", a_record("topic", slug)) for slug in ("mine", "other")]
    for kind, body in sent:
        desk.must(201, "anna", "POST", f"/v1/{kind}s", body, Idempotency_Key=body["id"])
    desk.must(200, "anna", "DELETE", "/v1/topics/mine", If_Match=NOW)
    desk.must(200, "dora", "POST", "/v1/records/topic/mine:purge", {"comment": "x"}, If_Match=NOW)
    again = [
        desk.ask("anna", "POST", f"/v1/{kind}s", body, Idempotency_Key=body["id"])
        for kind, body in sent
    ]
    assert ["idempotency-replayed" in answer.headers for answer in again] == [False, True]
    assert [answer.status_code for answer in again] == [201, 201]


def test_nothing_is_purged_that_something_names(desk: Desk) -> None:
    desk.accepted("claim", OLD)
    desk.accepted("claim", INTO)
    line = desk.accepted("evidence", "line", claim=OLD)
    desk.merge("claim", OLD, INTO)
    refused = problem(
        desk.ask("dora", "POST", f"/v1/records/claim/{OLD}:purge", {"comment": "x"}, If_Match=NOW)
    )
    assert refused["status"] == 409
    assert f"evidence/{line}" in refused["detail"]
    desk.decide("purge", "evidence", line, "dora", "x")
    desk.decide("purge", "claim", OLD, "dora", "x")
    assert problem(desk.ask(None, "GET", f"/v1/claims/{OLD}"))["status"] == 404
    assert desk.must(200, None, "GET", f"/v1/evidence/{INTO}:line")["claim"] == INTO


def test_what_others_were_merged_into_is_purged_without_a_loose_end(desk: Desk) -> None:
    for slug in (OLD, INTO):
        desk.accepted("claim", slug)
        desk.accepted("evidence", "line", claim=slug, finding=slug)
    desk.merge("claim", OLD, INTO)
    desk.retract("evidence", f"{INTO}:line-2")
    # Its words stand in both places.
    place = f"/v1/records/evidence/{INTO}:line-2:purge"
    refused = problem(desk.ask("dora", "POST", place, {"comment": "x"}, If_Match=NOW))
    assert refused["status"] == 409
    assert f"evidence/{OLD}:line" in refused["detail"]
    assert desk.disagreements() == []
    desk.decide("purge", "evidence", f"{OLD}:line", "dora", "x")
    desk.must(200, "dora", "POST", place, {"comment": "x"}, If_Match=NOW)


def test_a_preview_is_what_accepting_gives(desk: Desk) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        (CLAIM, {}),
        (CLAIM, {"level": "not_gradable", "question": None, "independence_group": "other"}),
        (CLAIM, {"direction": "inconclusive", "searched_found_none": True}),
        (THIRD, {"direction": "disputes", "directness": "indirect", "level": "4"}),
        ("ccsvi-full-name", {"direction": "disputes"}),
        ("iron-from-slow-venous-flow", {"source": "zamboni-2009-jvs", "level": "2"}),
    ]
    for number, (claim, more) in enumerate(cases):
        line = desk.propose("anna", "evidence", f"line-{number}", claim, **more)
        before = desk.must(200, None, "GET", f"/v1/claims/{claim}/explanation")
        at = serial(desk)
        told = desk.must(200, "ben", "POST", f"/v1/evidence/{line}:preview")
        assert told == desk.must(200, "anna", "POST", f"/v1/evidence/{line}:preview")
        assert serial(desk) == at
        assert told["before"] == before
        desk.accept("evidence", line)
        after = desk.must(200, None, "GET", f"/v1/claims/{claim}/explanation")
        assert told["after"] == after
        names = ("status", "status_rule", "certainty")
        assert told["changes_status"] == any(before[name] != after[name] for name in names)
        whole = desk.must(200, None, "GET", f"/v1/claims/{claim}")
        assert [whole[name] for name in names] == [told["after"][name] for name in names]


def test_a_preview_of_a_line_on_a_tie_is_what_accepting_gives(desk: Desk) -> None:
    claim = "iron-from-slow-venous-flow"
    tie = desk.must(200, None, "GET", f"/v1/claims/{claim}")["relations"][0]
    about = {"relation_type": tie["type"], "relation_target": tie["target"]}
    names = ("status", "status_rule", "certainty")
    path = f"/v1/relations/{claim}:{tie['type']}:{tie['target']}"
    for number, direction in enumerate(("disputes", "supports", "disputes")):
        line = desk.propose(
            "anna", "evidence", f"on-tie-{number}", claim, direction=direction, level="2", **about
        )
        before = desk.must(200, None, "GET", path)
        told = desk.must(200, "ben", "POST", f"/v1/evidence/{line}:preview")
        assert [told["before"][name] for name in names] == [before[name] for name in names]
        desk.accept("evidence", line)
        after = desk.must(200, None, "GET", path)
        assert [told["after"][name] for name in names] == [after[name] for name in names]
        assert f"on-tie-{number}" in json.dumps(told["after"]["lines"])


def test_what_was_known_stays_known(desk: Desk) -> None:
    """Through acceptance, retraction, mergers and undoing, the past is told as it was, and the
    present as it is.
    """
    two_claims(desk)
    moments: list[tuple[str, dict[str, Any]]] = []

    def mark() -> None:
        claims = (CLAIM, INTO, THIRD)
        present = {slug: desk.must(200, None, "GET", f"/v1/claims/{slug}") for slug in claims}
        days = {
            f"{slug}?as_of=2012": desk.ask(None, "GET", f"/v1/claims/{slug}?as_of=2012").json()
            for slug in claims
        }
        moments.append((now(), {**present, **days}))

    mark()
    desk.merge("claim", OLD, INTO)
    mark()
    merged = serial(desk)
    desk.undo(merged)
    mark()
    desk.retract("evidence", f"{INTO}:both")
    mark()
    desk.accepted("evidence", "later", claim=INTO, source="adams-1988")
    mark()
    for moment, present in moments:
        for name, wanted in present.items():
            path = f"/v1/claims/{name}{'&' if '?' in name else '?'}known_at={moment}"
            found = desk.ask(None, "GET", path).json()
            for each in (found, wanted):
                each.pop("request_id", None)
                # It names the moment, as the address does.
                each.pop("web_page", None)
            assert found == wanted, path
