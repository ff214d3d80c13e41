"""Notices are held against what is recorded of them, by whatever identifies them."""

from typing import Any

from models.records.serializers import Row, sources_by_id
from models.records.source import SourceIn
from models.records.works import works_of
from models.transfer import notice_matching
from models.transfer.notice_matching import Finding, Identifier, Notice
from models.write import changes
from tests.databases import Store
from tests.records import a_source


def a_notice(tie: str = "retracts", about: str = "10.1000/a", **more: Any) -> Notice:
    """Return a notice of 2021 about the work with a DOI."""
    fields = {"said": ("R: it says so.",), "date": "2021", "identifiers": (("doi", "10.1000/r"),)}
    return Notice((("doi", about),), tie, **{**fields, **more})


def with_doi(slug: str, doi: str, **more: Any) -> SourceIn:
    """Return a source with a DOI."""
    identifier = {"scheme": "doi", "value": doi, "verification": "verified"}
    return a_source(slug, identifiers=[identifier], **more)


def store(store: Store, *sources: SourceIn) -> None:
    """Store sources."""
    with changes.begin(store.database, actor="ada") as change:
        for source in sources:
            changes.put_source(change, source)


def find(store: Store, *notices: Notice) -> list[Finding]:
    """Return what is known of notices."""
    with store.database.read() as connection:
        return notice_matching.find(connection, notices)


def outcomes(store: Store, *notices: Notice) -> list[tuple[str, str | None]]:
    """Return the outcomes of notices, with the records of them."""
    return [(finding.outcome, finding.record) for finding in find(store, *notices)]


def accept(store: Store, finding: Finding) -> Row:
    """Accept a notice, and return it as it is stored."""
    with changes.begin(store.database, actor="watch") as change:
        slug, _ = notice_matching.accept(change, finding)
    with store.database.read() as connection:
        return sources_by_id(connection, [slug])[slug]


PMID: tuple[Identifier, ...] = (("pmid", "99"),)


def test_what_is_recorded_is_known_again_by_what_both_have(empty: Store) -> None:
    tie = {"type": "erratum_to", "source": "a"}
    noted = {"integrity": "concern", "integrity_date": "2019", "integrity_note": "In 10.1000/c2."}
    store(
        empty,
        with_doi("a", "10.1000/a", **noted),
        with_doi("e", "10.1000/e", versions=[tie], issued="2021-05", note="R: one, 12\nR: two"),
    )
    erratum: dict[str, Any] = {"tie": "erratum_to", "said": ("R: three",)}
    expected = {
        # By an identifier, whatever the date; not by another one, whatever the date.
        ("recorded", "e"): [
            a_notice(**erratum, identifiers=(("doi", "10.1000/e"),), date="1999"),
            # By the date, where they have no identifiers of one scheme.
            a_notice(**erratum, identifiers=PMID, date="2021"),
            a_notice(**erratum, identifiers=(), date="2021-05-06"),
            # By what was said of it.
            a_notice(**{**erratum, "said": ("R: two",)}, identifiers=(), date=None),
        ],
        ("recorded", None): [
            a_notice("concern_about", identifiers=(("doi", "10.1000/C2"),), date=None),
            a_notice("concern_about", identifiers=PMID, date="2019-02"),
        ],
        ("new", None): [
            a_notice(**erratum, identifiers=(("doi", "10.1000/e2"),), date="2021-05"),
            a_notice(**erratum, identifiers=PMID, date="2022"),
            a_notice(**{**erratum, "said": ("R: one, 1",)}, identifiers=(), date=None),
            a_notice("concern_about", identifiers=(("doi", "10.1000/c"),), date=None),
            a_notice("retracts", identifiers=(("doi", "10.1000/e3"),)),
        ],
    }
    for outcome, notices in expected.items():
        for notice in notices:
            assert outcomes(empty, notice) == [outcome], notice


def test_what_several_say_of_one_notice_is_one(empty: Store) -> None:
    store(empty, with_doi("a", "10.1000/a"))
    own = {"title": "Retraction: A trial", "issued": "2021-03"}
    (finding,) = find(
        empty,
        a_notice(said=("C: one",), date="2021-03-04"),
        a_notice(said=("P: two",), identifiers=PMID, date="2021-04", fields=own),
        a_notice(said=("C: one",), identifiers=(), date=None),
    )
    assert finding.notice.said == ("C: one", "P: two")
    assert dict(finding.notice.identifiers) == {"doi": "10.1000/r", "pmid": "99"}
    assert finding.notice.announced == "2021-03-04"
    # Two that are marked by different identifiers, and of different kinds, are not.
    several = [a_notice(), a_notice(identifiers=(("doi", "10.1000/r2"),)), a_notice("erratum_to")]
    assert outcomes(empty, *several) == [("new", None)] * 3


def test_a_notice_about_two_works_does_not_make_them_one(empty: Store) -> None:
    store(empty, with_doi("a", "10.1000/a"), with_doi("b", "10.1000/b"))
    both = [
        a_notice("concern_about", about, identifiers=(("doi", "10.1000/r"), *PMID))
        for about in ("10.1000/a", "10.1000/b")
    ]
    first, second = (accept(empty, finding) for finding in find(empty, *both))
    assert (first["url"], second["url"]) == (None, "https://doi.org/10.1000/r")
    assert [each["value"] for each in first["identifiers"]] == ["10.1000/r", "99"]
    assert second["identifiers"] == []
    with empty.database.read() as connection:
        works = works_of(connection, ["a", "b"])
    assert works == {"a": "a", "b": "b"}
    assert outcomes(empty, *both) == [("recorded", first["id"]), ("recorded", second["id"])]


def test_a_stored_notice_is_tied_to_the_first_of_two_works(empty: Store) -> None:
    stored = [with_doi(slug, f"10.1000/{slug}") for slug in ("a", "b", "r")]
    store(empty, *stored)
    both = [a_notice(about="10.1000/a"), a_notice(about="10.1000/b")]
    tied, other = find(empty, *both)
    assert [(each.outcome, each.record) for each in (tied, other)] == [
        ("untied", "r"),
        ("new", None),
    ]
    assert accept(empty, tied)["versions"] == [{"type": "retracts", "source": "a"}]
    assert accept(empty, other)["versions"] == [{"type": "retracts", "source": "b"}]
    assert [outcome for outcome, _ in outcomes(empty, *both)] == ["recorded", "recorded"]


def test_slugs_are_free_and_fit(empty: Store) -> None:
    store(empty, with_doi("x" * 100, "10.1000/a"))
    slugs = []
    for doi in ("10.1000/e1", "10.1000/e2"):
        (finding,) = find(empty, a_notice("erratum_to", said=(doi,), identifiers=(("doi", doi),)))
        slugs.append(accept(empty, finding)["id"])
    assert slugs == [f"correction-{'x' * 89}", f"correction-{'x' * 87}-2"]


def test_a_merged_source_counts_as_the_one_that_it_was_merged_into(empty: Store) -> None:
    store(empty, with_doi("a", "10.1000/a"), a_source("b"))
    with changes.begin(empty.database, actor="cura") as change:
        merged = with_doi("a", "10.1000/a", state="merged", replaced_by="b")
        changes.put_source(change, merged, "merge")
    assert [finding.source for finding in find(empty, a_notice())] == ["b"]
