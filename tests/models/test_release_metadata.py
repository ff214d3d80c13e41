"""How a release is cited: what both files must have, and what they say of licences and names.

The fields that must be there are those of the schemas of CFF 1.2.0 and DataCite 4.6.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.read.listings import last_change
from models.transfer import export
from models.transfer.release_metadata import Credits, Release, citation_cff, datacite_json
from tests.databases import SEEDED, Store

ALL = Credits("Veins", ("Doe, Jane", "Vein Society", ", odd"), "Zenodo", "10.5281/zenodo.1")


def both(credits: Credits = Credits(), *licences: str | None) -> tuple[Any, Any]:  # noqa: B008
    release = Release(None, 7, "2026-11-29", licences or ("CC0-1.0",))
    cff = yaml.safe_load(citation_cff(release, credits))
    return cff, json.loads(datacite_json(release, credits))


@pytest.mark.parametrize("credits", [Credits(), ALL])
def test_what_must_be_there_is_there(credits: Credits) -> None:
    cff, datacite = both(credits)
    assert all(cff[name] for name in ("authors", "cff-version", "message", "title"))
    assert all(
        datacite[name]
        for name in ("creators", "titles", "publisher", "publicationYear", "types", "schemaVersion")
    )
    assert (cff["version"], cff["date-released"]) == ("7", "2026-11-29")
    assert (datacite["version"], datacite["publicationYear"]) == ("7", "2026")


def test_who_is_cited_is_a_person_or_a_body() -> None:
    cff, datacite = both(ALL)
    assert cff["authors"] == [
        {"family-names": "Doe", "given-names": "Jane"},
        {"name": "Vein Society"},
        {"name": ", odd"},
    ]
    assert [creator["nameType"] for creator in datacite["creators"]] == [
        "Personal",
        "Organizational",
        "Organizational",
    ]
    assert cff["doi"] == datacite["doi"] == "10.5281/zenodo.1"


@pytest.mark.parametrize(
    ("licences", "cited", "rights"),
    [
        (("CC-BY-4.0",), {"license": "CC-BY-4.0"}, ["CC-BY-4.0"]),
        (("https://a.example/l",), {"license-url": "https://a.example/l"}, [None]),
        (("ODC-By-1.0 AND CC-BY-4.0",), {}, [None]),
        (("CC0-1.0", "CC-BY-4.0", None), {}, ["CC0-1.0", "CC-BY-4.0", None]),
    ],
)
def test_a_licence_is_told_as_far_as_it_holds(
    licences: tuple[str | None, ...], cited: dict[str, str], rights: list[str | None]
) -> None:
    cff, datacite = both(Credits(), *licences)
    assert {name: cff[name] for name in cff if name.startswith("license")} == cited
    assert [each.get("rightsIdentifier") for each in datacite["rightsList"]] == rights


def test_a_release_is_cited_by_its_state(seeded: Store, tmp_path: Path) -> None:
    export.write_release(seeded.database, tmp_path / "release", credits=ALL)
    cff = yaml.safe_load((tmp_path / "release" / "CITATION.cff").read_text("utf-8"))
    with seeded.database.read() as connection:
        serial, updated = last_change(connection)
    assert (cff["version"], cff["title"], serial) == (str(SEEDED), "Veins", SEEDED)
    assert updated is not None
    assert updated.startswith(cff["date-released"])


def test_what_never_changed_is_not_cited(empty: Store, tmp_path: Path) -> None:
    manifest = export.write_release(empty.database, tmp_path / "release")
    assert "metadata" not in manifest
