"""Retraction Watch's file, as Crossref distributes it: a CSV of one row for each notice.

See https://gitlab.com/crossref/retraction-watch-data.
"""

import csv
from collections.abc import Iterator
from typing import IO

from api.citations.registries import quoted
from models.core.dates import check_partial_date
from models.records.identifiers import identifiers_in
from models.records.serializers import Row
from models.transfer.notice_matching import Identifier, Notice

COLUMNS = (
    *("Record ID", "RetractionDate", "RetractionDOI", "RetractionPubMedID"),
    *("OriginalPaperDOI", "OriginalPaperPubMedID", "RetractionNature", "Reason"),
)
# The natures that are notices. A reinstatement takes one back, which is for a curator to judge.
TIE_OF_NATURE = {
    "retraction": "retracts",
    "expression of concern": "concern_about",
    "correction": "erratum_to",
}


class NotRetractionWatch(ValueError):
    """The file is not one of Retraction Watch."""


def read(lines: IO[str]) -> Iterator[Notice | None]:
    """Yield the notice in each row, or None for a row that has none about a registered work.

    Raises NotRetractionWatch if the file lacks columns, or is no CSV.
    """
    reader = csv.DictReader(lines)
    try:
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise NotRetractionWatch(f"it has no column {', '.join(missing)}")
        for row in reader:
            yield _notice({name: (row[name] or "").strip() for name in COLUMNS})
    except csv.Error as error:
        raise NotRetractionWatch(f"line {reader.line_num}: {error}") from None


def _notice(row: Row) -> Notice | None:
    about = _identifiers(row["OriginalPaperDOI"], row["OriginalPaperPubMedID"])
    tie = TIE_OF_NATURE.get(row["RetractionNature"].lower())
    if not about or tie is None:
        return None
    identifiers = _identifiers(row["RetractionDOI"], row["RetractionPubMedID"])
    date = _date(row["RetractionDate"])
    parts = (
        row["RetractionNature"],
        date or row["RetractionDate"],
        *(f"{scheme}:{value}" for scheme, value in identifiers),
    )
    said = f"Retraction Watch, record {row['Record ID']}: {', '.join(filter(None, parts))}."
    reasons = "; ".join(filter(None, (part.strip(" +") for part in row["Reason"].split(";"))))
    if reasons:
        said += f" Reasons: {reasons}."
    return Notice(about, tie, (quoted(said),), date, identifiers)


def _identifiers(doi: str, pmid: str) -> tuple[Identifier, ...]:
    """Return the identifiers in two cells; the file has `unavailable` and 0 for none."""
    found = [("doi", value) for value in identifiers_in("doi", doi)[:1]]
    found += [("pmid", value) for value in identifiers_in("pmid", pmid)[:1]]
    return tuple(found)


def _date(text: str) -> str | None:
    """Return a date as the file has it, the month first: '2/6/2010 0:00' → '2010-02-06'."""
    day = text.split(" ")[0]
    month_day_year = day.split("/")
    if len(month_day_year) == 3:
        month, number, year = (part.zfill(2) for part in month_day_year)
        day = f"{year}-{month}-{number}"
    try:
        found = check_partial_date(day)
    except ValueError:
        return None
    return str(found) if found else None
