"""Retraction Watch's file, as Crossref distributes it: a CSV of one row for each notice.

See https://gitlab.com/crossref/retraction-watch-data.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
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
REINSTATEMENT = "reinstatement"
# The natures that are notices. A reinstatement takes a retraction back.
TIE_OF_NATURE = {
    "retraction": "retracts",
    "expression of concern": "concern_about",
    "correction": "erratum_to",
}


@dataclass(frozen=True)
class Reinstatement:
    """What a row says of a retraction that was taken back: of which work, and when."""

    about: tuple[Identifier, ...]
    said: str
    date: str | None

    def lifts(self, notice: Notice) -> bool:
        """Return whether a notice is a retraction of this work that came out no later."""
        is_of_work = bool(set(self.about) & set(notice.about))
        return notice.tie == "retracts" and is_of_work and not _is_later(notice.date, self.date)


def _is_later(date: str | None, other: str | None) -> bool:
    """Return whether a date is after another, as far as both go; an unknown one is not."""
    if date is None or other is None:
        return False
    length = min(len(date), len(other))
    return date[:length] > other[:length]


class NotRetractionWatch(ValueError):
    """The file is not one of Retraction Watch."""


def read(lines: IO[str]) -> Iterator[Notice | Reinstatement | None]:
    """Yield the notice or reinstatement in each row, or None where it is about no registered work.

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


def _notice(row: Row) -> Notice | Reinstatement | None:
    about = _identifiers(row["OriginalPaperDOI"], row["OriginalPaperPubMedID"])
    nature = row["RetractionNature"].lower()
    tie = TIE_OF_NATURE.get(nature)
    if not about or (tie is None and nature != REINSTATEMENT):
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
    if tie is None:
        return Reinstatement(about, quoted(said), date)
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
