"""Alembic's environment: it always uses the connection that `models.migrations.migrate` opened."""

from typing import Any

from alembic import context
from sqlmodel import SQLModel

from models.migrations import tables
from models.search.index import INDEX_OBJECTS

# SQLite does not say which columns of an index descend, so such an index cannot be compared. One
# that repeats a table is there only in a database whose rows stand apart from their key.
NOT_COMPARED = ("_newest", "_covering")
assert tables, "importing the tables fills the metadata"


def _is_ours(_object: Any, name: str | None, kind: str, reflected: bool, _compared: Any) -> bool:
    if kind == "index" and name and name.endswith(NOT_COMPARED):
        return False
    return not (reflected and name and INDEX_OBJECTS.fullmatch(name))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    include_object=_is_ours,
    render_as_batch=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
