"""What everybody may read of what is said of records."""

from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, or_, select

from models.access.proposal_ownership import proposer
from models.database.prepared_statements import fetch
from models.records.discussion import Comment
from models.records.record_types import PART_TYPES, RECORD_TYPES
from models.records.serializers import Row, table

comment = table(Comment)

# A page shows so many; /v1/comments has them all.
MOST_COMMENTS_SHOWN = 100
# What comes after the colon in the order of bytes, by which text is sorted.
_AFTER_COLON = ";"
_SHOWN = ("id", "about", "text", "flag", "state", "created")


def comments_on(connection: Connection, name: str) -> list[Row]:
    """Return the comments on a record that everybody may read, oldest first: those that were
    accepted, and those that wait in public.

    The record is given by its name, such as `source/doepp-2010`; a claim has those on its parts,
    too. Each has `id`, `about`, `text`, `flag`, `state`, `created` and `by`, who said it. There are
    at most `MOST_COMMENTS_SHOWN`.
    """
    kind, _, record_id = name.partition("/")
    values: dict[str, Any] = {"name": name}
    if kind == "claim":
        for part in PART_TYPES:
            values[f"from_{part.name}"] = f"{part.name}/{record_id}:"
            values[f"to_{part.name}"] = f"{part.name}/{record_id}{_AFTER_COLON}"

    def build() -> Select[Any]:
        about = [comment.c.about == bindparam("name")]
        if kind == "claim":
            about += [
                and_(
                    comment.c.about >= bindparam(f"from_{part.name}"),
                    comment.c.about < bindparam(f"to_{part.name}"),
                )
                for part in PART_TYPES
            ]
        shown = or_(
            comment.c.state == "accepted", and_(comment.c.state == "submitted", comment.c.public)
        )
        return (
            select(*(comment.c[name] for name in _SHOWN))
            .where(or_(*about), shown)
            .order_by(comment.c.created, comment.c.id)
            .limit(MOST_COMMENTS_SHOWN)
        )

    names, rows = fetch(connection, ("comments on", kind == "claim"), build, values)
    found = [dict(zip(names, row, strict=True)) for row in rows]
    # Few pages have any: one statement for all of them reads every proposal on some databases.
    said = RECORD_TYPES["comment"]
    return [{**each, "by": proposer(connection, said, each["id"])} for each in found]
