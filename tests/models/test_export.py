"""Exports: the same bytes for the same state, nothing but what is public, and back into a database
as they were.
"""

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import LargeBinary, select, type_coerce, update

from models.database.compressed import CompressedBytes
from models.projection.documents import claim_json
from models.projection.rebuild import DERIVATION
from models.projection.tables import ClaimDocument
from models.read import listings
from models.read.as_recorded import load_as_recorded
from models.records.revision import Revision
from models.records.serializers import table
from models.status.claim_aggregate import core, parts
from models.transfer import export
from models.transfer.jsonl_reader import BadFile
from models.transfer.load import BadImport
from models.write import changes
from models.write.undo import undo
from tests.databases import SEEDED, SEEDED_CLAIMS, SEEDED_SOURCES, SEEDED_TOPICS, Store
from tests.models.exports import (
    as_lines,
    disagreements,
    exported,
    in_every_state,
    load,
    records,
    zipped,
)
from tests.records import CURATOR, a_claim, a_source, store_one_claim


def test_an_export_loads_in_its_order_and_holds_each_record_once(seeded: Store) -> None:
    found = records(exported(seeded))
    header = found[0]
    kinds = [record["record"] for record in found]
    assert (
        kinds
        == ["export"]
        + ["topic"] * SEEDED_TOPICS
        + ["source"] * SEEDED_SOURCES
        + ["claim"] * SEEDED_CLAIMS
        + ["revision"] * SEEDED
    )
    assert header["counts"] == {
        "collections": 0,
        "topics": SEEDED_TOPICS,
        "texts": 0,
        "sources": SEEDED_SOURCES,
        "claims": SEEDED_CLAIMS,
        "suggestions": 0,
        "comments": 0,
        "retired": 0,
        "revisions": SEEDED,
    }
    assert (header["serial"], header["format"], header["licence"]) == (SEEDED, 1, "CC0-1.0")
    for kind in ("topic", "source", "claim"):
        slugs = [record["id"] for record in found if record["record"] == kind]
        assert slugs == sorted(slugs)
    causal = next(record for record in found if record.get("id") == "ccsvi-causes-ms")
    assert causal["kind"] == "causal_hypothesis"
    assert "sources" not in causal
    assert [record["serial"] for record in found if record["record"] == "revision"] == list(
        range(1, SEEDED + 1)
    )


@pytest.mark.parametrize(
    "way", ["stream", *(pytest.param(way, marks=pytest.mark.slow) for way in ("gzip", "release"))]
)
def test_round_trip_into_the_other_kind_of_database(
    way: str, seeded: Store, other: Store, tmp_path: Path
) -> None:
    in_every_state(seeded)
    content = exported(seeded)
    assert disagreements(seeded) == []
    folder = tmp_path / "release"
    export.write_release(seeded.database, folder)
    given = {"stream": content, "gzip": zipped(content), "release": folder}[way]
    told, reported = load(other, given)
    assert reported == []
    assert (told.restored, told.reported, told.differing) == (True, 0, 0)
    assert told.records == told.stored.total()
    assert exported(other) == content
    assert disagreements(other) == []
    again = tmp_path / "again"
    export.write_release(other.database, again)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }


def test_what_is_not_public_is_withheld_and_keeps_its_place(seeded: Store) -> None:
    in_every_state(seeded)
    content = exported(seeded)
    for secret in (
        b"secret-proposal",
        b"Secret.",
        b"rejected-one",
        b"withdrawn-one",
        b'"eve"',
        b"for your eyes only",
    ):
        assert secret not in content
    revisions = [record for record in records(content) if record["record"] == "revision"]
    assert [revision["serial"] for revision in revisions] == list(range(1, len(revisions) + 1))
    withheld = [revision for revision in revisions if revision["of"] is None]
    assert [(each["kind"], each["state"]) for each in withheld] == [
        ("claim", "submitted"),
        ("evidence", "submitted"),
        ("evidence", "submitted"),
        ("source", "rejected"),
        ("source", "withdrawn"),
    ]
    for each in withheld:
        assert {each[name] for name in ("of", "claim", "actor", "comment", "body")} == {None}
        assert each["at"]
        assert each["action"] == "create"


def test_what_was_taken_back_is_named_and_loads_again(empty: Store, other: Store) -> None:
    in_every_state(empty)
    with empty.database.read() as connection:
        (accepted,) = connection.scalars(
            select(table(Revision).c.serial).where(
                table(Revision).c.record == "evidence/x-causes-y:later-accepted",
                table(Revision).c.state == "accepted",
            )
        )
    cleo = CURATOR.model_copy(update={"name": "cleo"})
    with changes.begin(empty.database, actor="cleo", comment="too early") as change:
        assert undo(change, cleo, accepted) == ["evidence/x-causes-y:later-accepted"]
    content = exported(empty)
    (told,) = (each for each in records(content) if each.get("action") == "undo")
    assert (told["of"], told["claim"]) == ("evidence/x-causes-y:later-accepted", "x-causes-y")
    assert (told["actor"], told["comment"], told["body"]) == ("cleo", "too early", None)
    load(other, content)
    assert exported(other) == content
    assert disagreements(other) == []
    with empty.database.read() as here, other.database.read() as there:
        for moment in ("9999", told["at"]):
            then, now_there = (
                load_as_recorded(connection, "x-causes-y", moment) for connection in (here, there)
            )
            assert parts(then) == parts(now_there)
    # Its public content is known there, so that it can be accepted again.
    with changes.begin(other.database, actor="cleo", comment="not at all") as change:
        assert undo(change, cleo, told["serial"]) == ["evidence/x-causes-y:later-accepted"]
    assert disagreements(other) == []
    (again,) = (each for each in records(exported(other)) if each.get("comment") == "not at all")
    assert (again["state"], again["body"]["state"]) == ("accepted", "accepted")


def test_what_is_retired_is_exported_kind_by_kind(seeded: Store) -> None:
    in_every_state(seeded)
    found = records(exported(seeded))
    retired = found[
        [record["record"] for record in found].index("revision") - found[0]["counts"]["retired"] :
    ]
    flat = [
        (each["record"], each.get("id") or each["claim"], each["state"])
        for each in retired[: found[0]["counts"]["retired"]]
    ]
    assert flat == [
        ("topic", "old-topic", "retracted"),
        ("claim", "old-claim", "retracted"),
        ("claim", "the-same-as-x", "merged"),
        ("source", "old-source", "retracted"),
        ("relation", "old-claim", "retracted"),
        ("relation", "x-causes-y", "retracted"),
        ("evidence", "x-causes-y", "retracted"),
        ("evidence", "x-causes-y", "retracted"),
    ]


def test_what_was_known_is_known_after_a_round_trip(seeded: Store, other: Store) -> None:
    in_every_state(seeded)
    load(other, exported(seeded))
    with seeded.database.read() as here, other.database.read() as there:
        for slug in ("x-causes-y", "ccsvi-causes-ms"):
            now, then = (load_as_recorded(connection, slug, "9999") for connection in (here, there))
            assert core(now) == core(then)
            assert parts(now) == parts(then)
            stored = listings.read_claim(there, slug, ("evidence",))
            assert json.loads(claim_json(stored)) == core(then).model_dump()
            assert json.loads(stored["evidence"]) == parts(then)["evidence"]


def test_a_restored_database_goes_on(seeded: Store, other: Store) -> None:
    load(other, exported(seeded))
    with changes.begin(other.database, actor="ada") as change:
        changes.put_source(change, a_source())
        changes.put_claim(change, a_claim())
        assert change.serial == SEEDED + 2
    assert disagreements(other) == []


def test_the_same_state_makes_the_same_release_and_none_is_altered(
    seeded: Store, tmp_path: Path
) -> None:
    first, second = tmp_path / "a" / "one", tmp_path / "two"
    second.mkdir()  # An empty folder will do.
    manifest = export.write_release(seeded.database, first)
    export.write_release(seeded.database, second)
    names = {
        "collections.jsonl",
        "topics.jsonl",
        "texts.jsonl",
        "sources.jsonl",
        "claims.jsonl",
        "suggestions.jsonl",
        "comments.jsonl",
        "retired.jsonl",
        "revisions.jsonl",
        "manifest.json",
        "CITATION.cff",
        "datacite.json",
    }
    assert {path.name for path in first.iterdir()} == names
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)
    assert json.loads((first / "manifest.json").read_text()) == manifest
    for name, told in (manifest["files"] | manifest["metadata"]).items():
        content = (first / name).read_bytes()
        assert told == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert first.stat().st_mode & 0o777 == 0o755
    for taken in (first, first / "manifest.json"):
        with pytest.raises(export.CannotExport, match="never altered"):
            export.write_release(seeded.database, taken)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "two"}, "nothing temporary is left"


def test_a_release_that_fails_leaves_nothing(
    seeded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "sync_folder", fails)
    with pytest.raises(export.CannotExport, match="No space left"):
        export.write_release(seeded.database, tmp_path / "release")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_release_is_refused(seeded: Store, other: Store, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    export.write_release(seeded.database, folder)
    path = folder / "claims.jsonl"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"refuted", b"refutes", 1))
    with pytest.raises(BadFile, match=r"claims\.jsonl is not the file of the manifest"):
        load(other, folder)
    path.unlink()
    with pytest.raises(BadFile, match="No such file"):
        load(other, folder)
    (folder / "manifest.json").write_text("[]")
    with pytest.raises(BadFile, match="is not a manifest"):
        load(other, folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(BadFile, match="is not a release"):
        load(other, folder)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            b'"status":"refuted"',
            b'"status":"disputed"',
            "status is 'refuted', the line says 'disputed'",
        ),
        (
            b'"direction":"disputes"',
            b'"direction":"supports"',
            "From its records follows otherwise",
        ),
        (b'"serial":100,', b'"serial":101,', "The serial 101 stands where 100 should"),
        (b'"actor":"seed"', b'"actor":null', "actor: Only what is withheld has no actor"),
        (
            b'"claim":"ccsvi-causes-ms","action"',
            b'"claim":"ccsvi-full-name","action"',
            "claim: The claim is the one that the record is, or is a part of",
        ),
        (b'"updated":"2', b'"updated":"x2', "updated: An exported record has its 'updated'"),
    ],
)
def test_an_export_that_was_tampered_with_is_refused(
    old: bytes, new: bytes, told: str, seeded: Store, other: Store
) -> None:
    content = exported(seeded)
    assert old in content
    with pytest.raises(BadImport, match=told):
        load(other, content.replace(old, new, 1))
    assert len(records(exported(other))) == 1, "nothing was stored"


def altered(content: bytes, start: bytes, old: bytes, new: bytes) -> bytes:
    """Return an export in which the first line that begins like this and has `old` has `new`."""
    lines = content.splitlines(keepends=True)
    place = next(
        number for number, line in enumerate(lines) if line.startswith(start) and old in line
    )
    lines[place] = lines[place].replace(old, new, 1)
    return b"".join(lines)


TOPIC, A_SOURCE, REVISION = (b'{"record":"' + name for name in (b"topic", b"source", b"revision"))


@pytest.mark.parametrize(
    ("start", "old", "new", "told"),
    [
        (TOPIC, b'"label":"', b'"label":"Not ', "topic/[a-z-]+ differs from its last revision"),
        (A_SOURCE, b'"title":"', b'"title":"Not ', "source/[a-z0-9-]+ differs from its last"),
        (
            REVISION,
            b'"statement":"',
            b'"statement":"Not ',
            "claim/[a-z0-9-]+ differs from its last revision",
        ),
        (
            REVISION,
            b'"of":"source/doepp-2010"',
            b'"of":"source/doepp-2011"',
            "source/doepp-2011 has revisions but is not in the tables",
        ),
        (
            REVISION,
            b'"of":"source/doepp-2010"',
            b'"of":"source/doepp-2011"',
            "source/doepp-2010 is in the tables without a revision",
        ),
        (TOPIC, b'"revision":', b'"revision":99', "topic/[a-z-]+ is at revision 9"),
    ],
)
def test_an_export_whose_records_contradict_its_revisions_is_refused(
    start: bytes, old: bytes, new: bytes, told: str, seeded: Store, other: Store
) -> None:
    content = altered(exported(seeded), start, old, new)
    with pytest.raises(BadImport, match=told):
        load(other, content)
    assert len(records(exported(other))) == 1, "nothing was stored"


def test_an_export_that_was_cut_short_is_refused(seeded: Store, other: Store) -> None:
    content = exported(seeded)
    lines = content.splitlines(keepends=True)
    for part in (
        b"".join(lines[:-1]),
        content[:-100],
        b"".join(lines[:50]),
        b"".join([*lines[:20], *lines[21:]]),
    ):
        with pytest.raises(BadImport):
            load(other, part)
    with pytest.raises(BadFile, match="damaged"):
        load(other, zipped(content)[:-500])
    assert len(records(exported(other))) == 1


def test_an_export_by_other_rules_is_restored_and_that_is_told(seeded: Store, other: Store) -> None:
    content = exported(seeded).replace(b'"status":"refuted"', b'"status":"disputed"', 1)
    header, _, rest = content.partition(b"\n")
    told, reported = load(other, header.replace(DERIVATION.encode(), b"2001-01-01") + b"\n" + rest)
    assert (told.restored, told.differing, reported) == (True, 1, [])
    assert disagreements(other) == []


def test_a_newer_format_is_refused(empty: Store) -> None:
    with pytest.raises(BadFile, match="has the format 2"):
        load(empty, as_lines({"record": "export", "format": 2}))


def test_a_body_that_an_earlier_program_wrote_is_exported_alike(empty: Store) -> None:
    store_one_claim(empty)
    content = exported(empty)
    revision = table(Revision)
    with empty.database.write() as connection:
        # As the standard library writes it, with a blank after each colon.
        for body, serial in connection.execute(select(revision.c.body, revision.c.serial)).all():
            old = type_coerce(json.dumps(body).encode(), LargeBinary)
            of_body = update(revision).where(revision.c.serial == serial)
            connection.execute(of_body.values(body=type_coerce(old, CompressedBytes)))
    assert exported(empty) == content


def test_an_export_shows_one_moment(seeded: Store) -> None:
    with seeded.database.read() as connection:
        lines = export.export_lines(connection)
        first = next(lines)
        with changes.begin(seeded.database, actor="ada") as change:
            changes.put_claim(change, a_claim())
        rest = b"".join(lines)
    assert b"x-causes-y" not in rest
    assert len(first.splitlines() + rest.splitlines()) == 1 + sum(
        json.loads(first)["counts"].values()
    )


def test_a_claim_s_line_is_the_stored_bytes(seeded: Store) -> None:
    with seeded.database.write() as connection:
        document = table(ClaimDocument)
        stored = connection.scalar(
            select(document.c.fields).where(document.c.claim == "ccsvi-causes-ms")
        )
        assert stored is not None
        changed = stored.replace(b"CCSVI causes MS.", b"CCSVI  causes MS.")
        connection.execute(
            update(document).where(document.c.claim == "ccsvi-causes-ms").values(fields=changed)
        )
    assert b"CCSVI  causes MS." in exported(seeded)
