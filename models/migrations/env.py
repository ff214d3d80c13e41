"""How Alembic runs here: always inside a connection that `models.migrations.migrate` opened."""

from alembic import context
from sqlmodel import SQLModel

from models import tables

assert tables, "importing the tables fills the metadata"

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
