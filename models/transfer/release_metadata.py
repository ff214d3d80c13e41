"""How a release is cited: CITATION.cff (Citation File Format 1.2.0) and DataCite's metadata (4.6).

Both are of the state that is released: its serial is the version, and the day of its newest change
the date, so that the same state gives the same bytes.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from models.core.notice import SHORT_NOTICE

TITLE = "Claimbase: claims, their evidence and its strength"
# For what nobody has said: a "standard value for unknown information" of DataCite (appendix 3).
UNKNOWN = ":unav"
CFF_VERSION = "1.2.0"
CFF_UNKNOWN_AUTHOR = "anonymous"
DATACITE_SCHEMA = "http://datacite.org/schema/kernel-4"
# One licence, not an expression of several.
_SPDX_ID = re.compile(r"[A-Za-z0-9.+-]+")
SPDX = {"rightsIdentifierScheme": "SPDX", "schemeUri": "https://spdx.org/licenses/"}


@dataclass(frozen=True)
class Credits:
    """Whom and what a citation names, which no record says. A creator is a person where the name
    is written "Family, Given", else a body.
    """

    title: str | None = None
    creators: Sequence[str] = ()
    publisher: str | None = None
    doi: str | None = None


@dataclass(frozen=True)
class Release:
    """What is cited: the name of a collection, or None, with the state and its licences."""

    collection: str | None
    serial: int
    date: str
    licences: Sequence[str | None]

    def title(self, credits: Credits) -> str:
        return credits.title or (f"{self.collection}, in Claimbase" if self.collection else TITLE)


def citation_cff(release: Release, credits: Credits) -> bytes:
    """Return a CITATION.cff, as YAML. A licence stands there if it is one for all."""
    authors = [_cff_author(creator) for creator in credits.creators]
    citation = {
        "cff-version": CFF_VERSION,
        "message": "If you use these data, please cite them by these metadata.",
        "type": "dataset",
        "title": release.title(credits),
        "authors": authors or [{"name": CFF_UNKNOWN_AUTHOR}],
        "version": str(release.serial),
        "date-released": release.date,
        **({"doi": credits.doi} if credits.doi else {}),
        **_cff_licence(release.licences),
        "abstract": SHORT_NOTICE,
    }
    return yaml.safe_dump(citation, sort_keys=False, allow_unicode=True, width=1000).encode()


def _cff_author(creator: str) -> dict[str, str]:
    person = _person(creator)
    return {"family-names": person[0], "given-names": person[1]} if person else {"name": creator}


def _person(creator: str) -> list[str]:
    """Return the family name and the given names, nothing for a body."""
    names = [name.strip() for name in creator.split(",", maxsplit=1)]
    return names if len(names) == 2 and all(names) else []


def _cff_licence(licences: Sequence[str | None]) -> dict[str, str]:
    """Return the one licence that all is under; several would mean a choice between them."""
    if len(licences) != 1 or licences[0] is None:
        return {}
    licence = licences[0]
    if "://" in licence:
        return {"license-url": licence}
    return {"license": licence} if _SPDX_ID.fullmatch(licence) else {}


def datacite_json(release: Release, credits: Credits) -> bytes:
    """Return the attributes that DataCite takes for a DOI, as JSON."""
    metadata = {
        **({"doi": credits.doi} if credits.doi else {}),
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Claims with their evidence"},
        "creators": [_datacite_creator(creator) for creator in credits.creators]
        or [{"name": UNKNOWN}],
        "titles": [{"title": release.title(credits)}],
        "publisher": {"name": credits.publisher or UNKNOWN},
        "publicationYear": release.date[:4],
        "dates": [{"date": release.date, "dateType": "Updated"}],
        "language": "en",
        "version": str(release.serial),
        "formats": ["application/jsonl"],
        "rightsList": [_rights(licence) for licence in release.licences],
        "descriptions": [{"description": SHORT_NOTICE, "descriptionType": "Abstract"}],
        "schemaVersion": DATACITE_SCHEMA,
    }
    return json.dumps(metadata, indent=2, ensure_ascii=False).encode() + b"\n"


def _datacite_creator(creator: str) -> dict[str, Any]:
    if not (person := _person(creator)):
        return {"name": creator, "nameType": "Organizational"}
    family, given = person
    return {
        "name": f"{family}, {given}",
        "nameType": "Personal",
        "familyName": family,
        "givenName": given,
    }


def _rights(licence: str | None) -> dict[str, str]:
    if licence is None:
        return {"rights": "For some records nobody has said."}
    if "://" in licence:
        return {"rights": licence, "rightsUri": licence}
    is_spdx = _SPDX_ID.fullmatch(licence)
    return {"rights": licence, **({"rightsIdentifier": licence, **SPDX} if is_spdx else {})}
