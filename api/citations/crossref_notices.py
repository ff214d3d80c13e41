"""What Crossref says of notices: in the record of a work (`updated-by`), in that of a notice
(`update-to`), and in its list of the notices about a work (the filter `updates`).
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from urllib.parse import quote

from api.citations import csl_json_reader
from api.citations.clean import parse_date
from api.citations.registries import Registry, Unanswered, json_object, quoted
from models.records.identifiers import identifiers_in
from models.records.serializers import Row
from models.transfer.notice_matching import Identifier, Notice

# Several filters of one name are joined by "or", those of different names by "and": so a request
# asks for several works (https://gitlab.com/crossref/rest_api/-/issues/160, and for `doi`
# https://github.com/CrossRef/rest-api-doc/issues/301).
#
# Works that one request names: a list holds whole works, with what they cite.
DOIS_AT_ONCE = 20
# As many as Crossref lists at once; a work has a few notices.
ROWS = 1000
# Crossref's types of updates that are notices. As in PubMed, addenda and partial retractions are
# corrections (https://www.nlm.nih.gov/bsd/policy/errata.html); new versions and editions are none.
TIE_OF_UPDATE = {
    **dict.fromkeys(("retraction", "withdrawal", "removal"), "retracts"),
    "expression_of_concern": "concern_about",
    **dict.fromkeys(
        ("correction", "corrigendum", "erratum", "addendum", "clarification", "partial_retraction"),
        "erratum_to",
    ),
}


def batches(dois: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield DOIs as they are asked for together.

    Crossref separates filters by commas, which cannot be escaped: a DOI with one is asked for
    alone.
    """
    together = [doi for doi in dois if "," not in doi]
    for start in range(0, len(together), DOIS_AT_ONCE):
        yield together[start : start + DOIS_AT_ONCE]
    yield from ([doi] for doi in dois if "," in doi)


def ask_for_works(crossref: Registry, dois: Sequence[str]) -> tuple[list[Notice], set[str]]:
    """Return what the records of stored works say of notices, and which works Crossref knows."""
    if len(dois) == 1:
        # What answers may have another DOI, of which this one is an alias.
        work = crossref.get(f"/works/{quote(dois[0], safe='')}", {}, _message)
        works = {dois[0]: work}
    else:
        wanted = ",".join(f"doi:{doi}" for doi in dois)
        items = crossref.get("/works", {"filter": wanted, "rows": str(ROWS)}, _items)
        works = {doi: work for work in items if (doi := _doi(work)) in dois and doi}
    notices = [notice for doi, work in works.items() for notice in _notices_of_work(doi, work)]
    return notices, set(works)


def ask_for_notices(crossref: Registry, dois: Sequence[str]) -> tuple[list[Notice], set[str]]:
    """Return what the records of notices about these works say, and the DOIs again."""
    if "," in dois[0]:
        return [], set(dois)
    wanted = ",".join(f"updates:{doi}" for doi in dois)
    items = crossref.get("/works", {"filter": wanted, "rows": str(ROWS)}, _items)
    notices = [notice for work in items for notice in _notices_in(work, dois)]
    return notices, set(dois)


def _message(content: bytes) -> Row:
    return json_object(content, "message")


def _items(content: bytes) -> list[Row]:
    """Return the works in a list. Raises ValueError if it is none, Unanswered if more is there."""
    message = _message(content)
    items, total = message.get("items"), message.get("total-results")
    is_list = isinstance(items, list) and all(isinstance(item, dict) for item in items)
    if not isinstance(items, list) or not is_list or not isinstance(total, int):
        raise ValueError("no list of works")
    if total > len(items):
        raise Unanswered(f"Crossref: it lists {len(items)} of {total} works.")
    return items


def _notices_in(work: Row, about: Collection[str]) -> Iterator[Notice]:
    """Yield what the record of a notice says of those works that it is about."""
    for update in _updates(work, "update-to"):
        updated = _doi(update)
        if updated is not None and updated in about:
            for notice in _notices(("doi", updated), update, _doi(work)):
                yield replace(notice, fields=_fields_of(work))


def _notices_of_work(doi: str, work: Row) -> Iterator[Notice]:
    """Yield what the record of a stored work says: of notices about it, and of what it is about."""
    for update in _updates(work, "updated-by"):
        yield from _notices(("doi", doi), update, _doi(update))
    for update in _updates(work, "update-to"):
        updated = _doi(update)
        if updated is not None:
            yield from _notices(("doi", updated), update, doi)


def _notices(about: Identifier, update: Row, doi: str | None) -> Iterator[Notice]:
    """Yield the notice with a DOI that an update is, if it is one."""
    kind = quoted(str(update.get("type") or ""))
    tie = TIE_OF_UPDATE.get(kind.lower().replace("-", "_").replace(" ", "_"))
    if tie is None:
        return
    date = _date(update.get("updated"))
    by = quoted(str(update.get("source") or ""))
    parts = (kind, date, doi and f"doi:{doi}", by and f"according to {by}")
    said = f"Crossref: {', '.join(part for part in parts if part)}."
    yield Notice((about,), tie, (said,), date, (("doi", doi),) if doi else ())


def _updates(work: Row, name: str) -> list[Row]:
    value = work.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _doi(item: Row) -> str | None:
    """Return the DOI of a work or of an update."""
    value = item.get("DOI")
    found = identifiers_in("doi", value) if isinstance(value, str) else []
    return found[0] if found else None


def _date(value: object) -> str | None:
    """Return a date of Crossref: `{"date-parts": [[2010, 2, 6]]}`."""
    parts = value.get("date-parts") if isinstance(value, dict) else None
    first = parts[0] if isinstance(parts, list) and parts else None
    if not isinstance(first, list):
        return None
    return parse_date("-".join(str(part) for part in first))[0]


def _fields_of(work: Row) -> Row:
    """Return a work as the fields of a source, as a file of it is read."""
    parsed = csl_json_reader.read(json.dumps(work).encode())
    return parsed.entries[0].record if parsed.entries else {}
