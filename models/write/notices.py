"""Notices: sources that announce something about another one, to which they are tied.

What an accepted notice announces is marked on the source that it is about, so that the status of
every claim follows.
"""

from dataclasses import dataclass

from models.core import vocabularies as v
from models.core.dates import last_day_of
from models.records.record_types import RECORD_TYPES
from models.records.serializers import Row
from models.write import changes
from models.write.changes import Change

# The length of `integrity_note`.
NOTE_LENGTH = 2000


@dataclass(frozen=True)
class NoticeKind:
    """What a notice with a tie does: the integrity that it announces, and what people call it."""

    integrity: str
    noun: str


NOTICE_KINDS = {
    "retracts": NoticeKind("retracted", "retraction"),
    "concern_about": NoticeKind("concern", "expression of concern"),
    "erratum_to": NoticeKind("corrected", "correction"),
}


def mark_what_is_announced(change: Change, notice: Row) -> None:
    """Mark the sources that an accepted notice is about, unless they are marked as gravely already.

    The date is that of the notice, and the note says what it is.
    """
    for tie in notice["versions"]:
        kind = NOTICE_KINDS.get(tie["type"])
        if kind is None:
            continue
        source = changes.cached_record(change, RECORD_TYPES["source"], tie["source"])
        assert source is not None, "a tie leads to a stored source"
        if v.INTEGRITIES.rank(source["integrity"]) >= v.INTEGRITIES.rank(kind.integrity):
            continue
        marked = {
            **source,
            "integrity": kind.integrity,
            "integrity_date": announced_on(notice),
            "integrity_note": _note_of(notice)[:NOTE_LENGTH],
        }
        changes.put(change, RECORD_TYPES["source"], marked)


def announced_on(notice: Row) -> str | None:
    """Return when a notice came out, online or in print, whichever was earlier."""
    dates = [date for date in (notice["epub_date"], notice["issued"]) if date]
    return min(dates, key=last_day_of, default=None)


def _note_of(notice: Row) -> str:
    """Return the notice's own note, or else by what it is found."""
    identifiers = [f"{each['scheme']}:{each['value']}" for each in notice["identifiers"]]
    return notice["note"] or "; ".join(
        part for part in (notice["title"], *identifiers, notice["url"]) if part
    )
