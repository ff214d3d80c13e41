"""What the tests of exports, loads and backups share: content in every state, an export as bytes, a
load of lines.
"""

import gzip
import io
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from models.access import api_keys
from models.core.errors import describe_fault
from models.projection.integrity_check import check
from models.records.claim import OccurrenceIn, TopicIn
from models.records.record_types import RECORD_TYPES, read_record
from models.records.relation import RelationIn
from models.transfer import export, jsonl_reader
from models.transfer import load as loading
from models.write import changes
from tests.databases import Store
from tests.records import a_claim, a_line, a_source, put_part

Record = dict[str, Any]


def exported(store: Store) -> bytes:
    """Return a whole export."""
    with store.database.read() as connection:
        return b"".join(export.export_lines(connection))


def records(content: bytes) -> list[Record]:
    """Return the lines of an export."""
    return [from_json(line) for line in content.splitlines()]


def as_lines(*given: Record) -> bytes:
    """Return records as lines."""
    return b"".join(to_json(record) + b"\n" for record in given)


def disagreements(store: Store) -> list[str]:
    """Return what `claimbase check` would say."""
    with store.database.read() as connection:
        return list(check(connection))


def load(
    store: Store, content: Any, *, skip_bad: bool = False, **more: Any
) -> tuple[loading.LoadResult, list[str]]:
    """Load lines, or a folder by its path; return what became of them and what was reported. Raises
    `BadImport` with it in its words.
    """
    told: list[str] = []
    source: Any = content if isinstance(content, Path) else io.BufferedReader(io.BytesIO(content))

    def report(problem: Any) -> None:
        told.append(describe_fault(problem.location, problem.fault))

    with jsonl_reader.open_input(source, "test") as opened:
        try:
            result = loading.load(store.database, opened, report=report, skip_bad=skip_bad, **more)
        except loading.BadImport as error:
            raise loading.BadImport("\n".join([*told, error.detail])) from None
    return result, told


def zipped(content: bytes) -> bytes:
    """Return it gzipped."""
    return gzip.compress(content, mtime=0)


def in_every_state(store: Store) -> None:
    """Add records that are proposed, accepted after that, rejected, withdrawn, retracted and
    merged.
    """
    with changes.begin(store.database, actor="ada", comment="a first lot") as change:
        changes.put_topic(
            change, TopicIn(id="old-topic", label="Old", definition="Not in use any more.")
        )
        changes.put_source(change, a_source("old-source", identifiers=[identifier("10.1000/old")]))
        changes.put_source(change, a_source())
        changes.put_source(change, a_source("undated", issued=None))
        for slug in ("x-causes-y", "the-same-as-x", "old-claim", "y-causes-z"):
            changes.put_claim(
                change, a_claim(slug, topics=["old-topic"] if slug == "old-claim" else [])
            )
        put_part(change, "x-causes-y", occurrence())
        put_part(change, "x-causes-y", RelationIn(type="leads_to", target="y-causes-z"))
        put_part(change, "x-causes-y", RelationIn(type="rivals", target="y-causes-z"))
        put_part(change, "old-claim", RelationIn(type="leads_to", target="y-causes-z"))
        put_part(change, "x-causes-y", a_line("standing"))
        put_part(change, "x-causes-y", a_line("undated", source="undated", level="2"))
        put_part(change, "x-causes-y", on_a_relation("leads_to"))
        put_part(change, "x-causes-y", on_a_relation("rivals", state="retracted"))
        put_part(change, "x-causes-y", a_line("old", source="old-source"))
    with changes.begin(store.database, actor="eve", comment="for your eyes only") as change:
        changes.put_claim(change, a_claim("secret-proposal", state="submitted"))
        put_part(change, "x-causes-y", a_line("proposed", state="submitted", finding="Secret."))
        put_part(change, "x-causes-y", a_line("later-accepted", state="submitted"))
        changes.put_source(change, a_source("rejected-one", state="rejected"))
        changes.put_source(change, a_source("withdrawn-one", state="withdrawn"))
    decide(store, "evidence", "x-causes-y:later-accepted", "accepted")
    for kind, record_id in (
        ("evidence", "x-causes-y:old"),
        ("relation", "x-causes-y:rivals:y-causes-z"),
        ("source", "old-source"),
        ("relation", "old-claim:leads_to:y-causes-z"),
        ("claim", "old-claim"),
        ("topic", "old-topic"),
    ):
        decide(store, kind, record_id, "retracted")
    decide(store, "claim", "the-same-as-x", "merged", replaced_by="x-causes-y")


def decide(store: Store, kind: str, record_id: str, state: str, **more: Any) -> None:
    """Bring a record into a state."""
    with changes.begin(store.database, actor="bob", comment=f"{state}, for a reason") as change:
        body = read_record(change.connection, RECORD_TYPES[kind], record_id)
        assert body is not None
        assert changes.put(change, RECORD_TYPES[kind], {**body, "state": state, **more})


def a_key(store: Store) -> None:
    """Make a key."""
    with store.database.write() as connection:
        api_keys.create_key(connection, api_keys.KeyIn(name="Anna", role="curator"))


def identifier(value: str) -> Record:
    """Return a DOI."""
    return {"scheme": "doi", "value": value, "verification": "unverified"}


def occurrence() -> OccurrenceIn:
    """Return a place where the claim is stated, with a quote that is not ASCII."""
    return OccurrenceIn(
        key="here", source="smith-2020", quote="Ça «causes» 😀", asserted_by=["smith"]
    )


def on_a_relation(kind: str, state: str = "accepted") -> Any:
    """Return a line of evidence on a tie."""
    return a_line(
        f"on-{kind.replace('_', '-')}",
        relation_type=kind,
        relation_target="y-causes-z",
        state=state,
    )
