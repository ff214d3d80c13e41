"""`id=` of lists: the records that it names, and what is not there."""

from typing import Any, TypeVar

from pydantic import BaseModel
from sqlalchemy import Connection

from models.core.schema_names import sometimes
from models.core.types import Shape
from models.read.id_lookup import look_up_ids

Query = TypeVar("Query", bound=BaseModel)


class WithNotFound(Shape):
    """A list that says which ids it did not find."""

    not_found: list[str] | None = sometimes("With `id`: those that name no record.")


def choose(connection: Connection, kind: str, query: Query) -> tuple[Query, dict[str, Any]]:
    """Return a query with the current ids of the records that its `id` names, and what the answer
    says of the others. Lines of evidence are looked for on their claims alone.
    """
    given = getattr(query, "id", ())
    if not given:
        return query, {}
    found, not_found = look_up_ids(connection, kind, given)
    # An empty list would be no filter, and no record has an empty id.
    ids = list(dict.fromkeys(found.values())) or [""]
    chosen: dict[str, Any] = {"id": ids}
    if kind == "evidence" and found and not getattr(query, "claim", ()):
        chosen["claim"] = list(dict.fromkeys(each.partition(":")[0] for each in ids))
    return query.model_copy(update=chosen), {"not_found": not_found}
