"""The whole text of a source: under a licence, kept as it is written, in every way in and out, and
with its sentences marked on the page.
"""

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json
from sqlalchemy import delete, update

from models.migrations.tables import tables
from models.records.collection import CollectionIn
from models.records.serializers import table
from models.records.source_text import MAX_TEXT, SourceText
from models.transfer import backup, export
from models.transfer.load import BadImport
from models.transfer.seed import BadSeed, seed
from models.write import changes
from tests.api.curating import Desk, at_desk
from tests.databases import Store
from tests.models.exports import as_lines, disagreements, exported, load, records
from tests.records import a_source

SOURCE = "essay"
TEXT = (
    "On veins\r\n\r\nVeins may be <b>narrow</b> & slow; that is all I saw.\r\n\r\n"
    "It may flow very\r\nslowly, leading to swel-\r\nling, “they” say in 5\u202f% of cases.\r\n"
)
SHA256 = hashlib.sha256(TEXT.encode()).hexdigest()
LICENCE = "CC-BY-4.0"
SAID = {"licence": LICENCE, "sha256": SHA256, "length": len(TEXT)}
ADDRESS = f"/v1/sources/{SOURCE}/text"
QUOTES = {
    "narrow": "Veins may be <b>narrow</b> & slow",
    "slowly": 'It may flow very slowly, leading to swelling, "they" say in 5% of cases.',
    "elsewhere": "Nobody wrote this.",
}


def put(desk: Desk, text: str = TEXT, query: str = f"licence={LICENCE}", who: str = "cleo") -> Any:
    """Send a text to the source, and return the answer."""
    tag = desk.tag(f"/v1/records/source/{SOURCE}", "dora")
    return desk.ask(
        who, "PUT", f"{ADDRESS}?{query}", text.encode(), If_Match=tag, Content_Type="text/plain"
    )


def an_essay(desk: Desk) -> None:
    """Make a source with a text, and three claims that quote it, one of them wrongly."""
    desk.accepted("source", SOURCE, title="On veins", type="webpage")
    for key, quote in QUOTES.items():
        desk.accepted("claim", f"veins-{key}", statement=f"Veins are {key}.")
        about = {"source": SOURCE, "quote": quote}
        desk.accepted("occurrence", key, claim=f"veins-{key}", **about)
    assert put(desk).status_code == 200


def test_a_text_is_given_as_it_was_sent_with_its_licence(desk: Desk) -> None:
    an_essay(desk)
    answer = desk.ask(None, "GET", ADDRESS)
    assert (answer.status_code, answer.content) == (200, TEXT.encode())
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert '<https://spdx.org/licenses/CC-BY-4.0>; rel="license"' in answer.headers["link"]
    etag = answer.headers["etag"]
    assert etag == desk.tag(f"/v1/sources/{SOURCE}")
    assert desk.ask(None, "GET", ADDRESS, If_None_Match=etag).status_code == 304
    # The source says of which kind its text is, and holds nothing of it.
    source = desk.must(200, None, "GET", f"/v1/sources/{SOURCE}")
    assert source["text"] == SAID
    assert "slowly" not in str(source)
    (work,) = desk.must(200, None, "GET", f"/v1/sources/{SOURCE}?format=json_ld")["@graph"]
    assert work["encoding"]["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert work["encoding"]["contentUrl"].endswith(ADDRESS)


REFUSED = (
    (TEXT, "", 400, "licence"),
    (TEXT, "licence=", 400, "licence"),
    (TEXT, "licence=all+rights,+reserved", 400, "licence"),
    (" \n", f"licence={LICENCE}", 422, "blank"),
    ("", f"licence={LICENCE}", 422, "empty"),
    ("a" * (MAX_TEXT + 1), f"licence={LICENCE}", 422, f"{MAX_TEXT}"),
    ("a\0b", f"licence={LICENCE}", 422, "U+0000"),
)


def test_what_may_not_be_kept_is_refused(desk: Desk) -> None:
    desk.accepted("source", SOURCE)
    for text, query, status, said in REFUSED:
        answer = put(desk, text, query)
        assert (answer.status_code, said in answer.text) == (status, True), answer.text
        assert desk.ask(None, "GET", ADDRESS).status_code == 404
    tag = desk.tag(f"/v1/sources/{SOURCE}")
    for body, kind, status in ((b"\xff", "text/plain", 422), (b"{}", "application/json", 415)):
        path = f"{ADDRESS}?licence={LICENCE}"
        answer = desk.ask("cleo", "PUT", path, body, If_Match=tag, Content_Type=kind)
        assert answer.status_code == status, answer.text
    assert desk.ask("cleo", "PUT", path, "a", Content_Type="text/plain").status_code == 428


def test_who_proposed_a_source_may_not_give_it_a_text_once_it_is_accepted(desk: Desk) -> None:
    desk.accepted("source", SOURCE, by="ben")
    assert put(desk, who="ben").status_code == 403
    assert put(desk, who="anna").status_code == 403
    assert desk.ask(None, "PUT", f"{ADDRESS}?licence=MIT", TEXT).status_code == 401
    assert put(desk, who="cleo").status_code == 200


def test_a_text_that_is_written_over_or_taken_back_can_be_had_again(desk: Desk) -> None:
    an_essay(desk)
    second = put(desk, "Another text.", "licence=https://example.org/terms&comment=better")
    assert second.json()["record"]["text"]["length"] == 13
    assert desk.ask(None, "GET", ADDRESS).text == "Another text."
    desk.undo(second.json()["revision"])
    assert desk.ask(None, "GET", ADDRESS).text == TEXT
    tag = desk.tag(f"/v1/sources/{SOURCE}")
    gone = desk.must(200, "cleo", "DELETE", f"{ADDRESS}?comment=asked+for", If_Match=tag)
    assert gone["record"]["text"] is None
    assert desk.ask(None, "GET", ADDRESS).status_code == 404
    desk.undo(gone["revision"])
    assert desk.ask(None, "GET", ADDRESS).text == TEXT


def test_a_text_that_was_never_sent_cannot_be_named(desk: Desk) -> None:
    an_essay(desk)
    desk.accepted("source", "other")
    for slug, said, code in (
        ("other", SAID, "unknown_text"),
        (SOURCE, {**SAID, "sha256": "0" * 64}, "unknown_text"),
        (SOURCE, {**SAID, "length": 1}, "other_text"),
    ):
        path = f"/v1/sources/{slug}"
        answer = desk.ask("cleo", "PATCH", path, {"text": said}, If_Match=desk.tag(path))
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    # Its licence may be told otherwise without sending it again.
    path = f"/v1/sources/{SOURCE}"
    patch = {"text": {"licence": "MIT"}}
    desk.must(200, "cleo", "PATCH", path, patch, If_Match=desk.tag(path))
    assert desk.ask(None, "GET", ADDRESS).text == TEXT


def test_a_text_is_stored_as_it_was_when_its_quotes_were_recorded(desk: Desk) -> None:
    recorded = TEXT.replace("\r\n", "\n").rstrip("\n")
    sha256 = hashlib.sha256(recorded.encode()).hexdigest()
    desk.accepted("source", SOURCE, text_sha256=sha256)
    put(desk, "\ufeff" + TEXT)
    assert desk.ask(None, "GET", ADDRESS).content == recorded.encode()


def test_a_merger_takes_the_text_along(desk: Desk) -> None:
    an_essay(desk)
    desk.accepted("source", "other")
    desk.merge("source", SOURCE, "other")
    assert desk.ask(None, "GET", "/v1/sources/other/text").text == TEXT
    assert desk.ask(None, "GET", ADDRESS).status_code in (308, 410)


def test_a_purge_leaves_nothing_of_a_text(desk: Desk) -> None:
    desk.accepted("source", SOURCE)
    put(desk)
    put(desk, "Another text, about Zebedee.")
    desk.retract("source", SOURCE)
    assert desk.ask(None, "GET", ADDRESS).status_code == 410
    desk.decide("purge", "source", SOURCE, "dora", "must go")
    with desk.store.database.read() as connection:
        for model in tables:
            assert "Zebedee" not in str(connection.execute(table(model).select()).all())
        assert not connection.execute(table(SourceText).select()).all()


def test_the_page_shows_the_whole_text_with_its_sentences_marked(desk: Desk) -> None:
    an_essay(desk)
    answer = desk.ask(None, "GET", f"/articles/{SOURCE}", Accept="text/html")
    page = answer.text
    shown = re.search(r'<article class="text".*?</article>', page, re.DOTALL)
    assert shown is not None
    bare = re.sub(r'<a class="tag".*?</a>', "", shown[0])
    assert "<p>On veins</p>" in bare
    # In order, and escaped: what looks like a tag is text.
    assert re.search(
        r"<p><mark [^>]*>Veins may be &lt;b&gt;narrow&lt;/b&gt; &amp; slow</mark>; that", bare
    )
    assert re.search(r"<mark [^>]*>It may flow very\s+slowly, leading to swel-\s+ling", bare)
    # What is not in it stands by itself at the end.
    assert re.search(r"<p><mark [^>]*>Nobody wrote this\.</mark></p>\s*</article>", bare)
    assert "[…]" not in bare
    assert 'rel="license" href="https://spdx.org/licenses/CC-BY-4.0">CC-BY-4.0</a>' in page
    assert 'id="own-text"' not in page
    assert '"license":"https://spdx.org/licenses/CC-BY-4.0"' in page.replace(": ", ":")


def an_article(store: Store) -> None:
    """Store a source with a text."""
    with changes.begin(store.database, actor="ada") as change:
        change.connection.execute(
            table(SourceText).insert(), {"source": SOURCE, "sha256": SHA256, "text": TEXT}
        )
        changes.put_source(change, a_source(SOURCE, text=SAID))
        changes.put_source(change, a_source("without"))


@pytest.mark.parametrize("kept", ["restore", "changes", "backup"])
def test_a_text_comes_back_elsewhere(kept: str, empty: Store, other: Store, tmp_path: Path) -> None:
    an_article(empty)
    content = exported(empty)
    (line,) = [each for each in records(content) if each["record"] == "text"]
    assert line == {"record": "text", "source": SOURCE, "sha256": SHA256, "text": TEXT}
    assert records(content)[0]["counts"]["texts"] == 1
    assert LICENCE in records(content)[0]["licences"]
    if kept == "backup":
        backup.write_backup(empty.database, tmp_path / "kept.gz")
        backup.restore_backup(other.database, tmp_path / "kept.gz")
    else:
        lines = [each for each in records(content) if kept == "restore" or "counts" not in each]
        load(other, as_lines(*lines) if kept == "changes" else content)
    assert disagreements(other) == []
    texts = [each for each in records(exported(other)) if each["record"] == "text"]
    assert texts == [line]
    if kept != "changes":
        assert exported(other) == content


@pytest.mark.parametrize(
    ("altered", "said"),
    [
        ({"text": "Another text."}, "does not have this SHA-256"),
        ({"sha256": "x"}, "sha256"),
        ({"source": "No Slug"}, "source"),
    ],
)
def test_a_damaged_line_of_a_text_is_refused(
    altered: dict[str, str], said: str, empty: Store, other: Store
) -> None:
    an_article(empty)
    lines = [
        {**each, **altered} if each["record"] == "text" else each
        for each in records(exported(empty))
        if "counts" not in each
    ]
    with pytest.raises(BadImport, match=said):
        load(other, as_lines(*lines))


def test_a_source_without_its_text_is_refused(empty: Store, other: Store) -> None:
    an_article(empty)
    lines = [each for each in records(exported(empty)) if each["record"] == "source"]
    with pytest.raises(BadImport, match="send the text itself first"):
        load(other, as_lines(*lines))


def test_check_finds_a_text_that_was_altered_or_is_gone(empty: Store) -> None:
    an_article(empty)
    assert disagreements(empty) == []
    rows = table(SourceText)
    for damage in (update(rows).values(text="Altered."), delete(rows)):
        with empty.database.write() as connection:
            connection.execute(damage)
        assert disagreements(empty) == [
            f"source/{SOURCE} has a text that is not stored as it says."
        ]


def test_an_export_of_a_collection_has_its_texts(empty: Store) -> None:
    an_article(empty)
    with changes.begin(empty.database, actor="ada") as change:
        changes.put_collection(change, CollectionIn(id="essays", name="Essays", licence="MIT"))
        changes.put_source(change, a_source(SOURCE, text=SAID, collection="essays"))
    with empty.database.read() as connection:
        found = b"".join(export.export_lines(connection, "essays"))
    kinds = [each["record"] for each in records(found)]
    assert kinds == ["export", "text", "collection", "source"]
    assert from_json(found.splitlines()[0])["licences"] == [LICENCE, "MIT"]


def seed_files(root: Path, **source: str) -> Path:
    """Write a seed folder with a source and a text."""
    for name in ("sources", "texts"):
        (root / name).mkdir(parents=True)
    fields = {"type": "webpage", "title": "On veins", "study_design": "not_applicable", **source}
    (root / "sources" / f"{SOURCE}.yaml").write_text(
        "".join(f"{name}: {value}\n" for name, value in fields.items()), encoding="utf-8"
    )
    (root / "texts" / f"{SOURCE}.txt").write_bytes(TEXT.encode())
    return root


def test_a_text_in_the_seed_files_needs_a_licence(empty: Store, tmp_path: Path) -> None:
    with pytest.raises(BadSeed, match="under which licence"):
        seed(empty.database, seed_files(tmp_path / "without"))
    root = seed_files(tmp_path / "with", text=f"{{licence: {LICENCE}}}")
    seed(empty.database, root)
    with at_desk(empty) as desk:
        assert desk.ask(None, "GET", ADDRESS).content == TEXT.encode()
        assert desk.must(200, None, "GET", f"/v1/sources/{SOURCE}")["text"] == SAID
    assert {outcome for _, outcome in seed(empty.database, root)} == {"unchanged"}
    (root / "texts" / f"{SOURCE}.txt").unlink()
    with pytest.raises(BadSeed, match="sha256"):
        seed(empty.database, root)
