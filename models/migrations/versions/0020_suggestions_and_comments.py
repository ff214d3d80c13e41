"""Suggestions of changes to accepted records, and comments on records."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

RECORD_KINDS = (
    *("topic", "collection", "source", "claim", "occurrence", "evidence", "relation"),
    "assessment",
)
NEW_RECORD_KINDS = (*RECORD_KINDS, "suggestion", "comment")
STATES = ("submitted", "accepted", "rejected", "withdrawn", "retracted", "merged")
ACTIONS = ("change", "retract")
FLAGS = ("error", "misquoted", "incomplete", "outdated", "duplicate", "inappropriate")
# The terms of each new table's columns.
TABLES: Mapping[str, Mapping[str, Sequence[str]]] = {
    "suggestion": {"action": ACTIONS, "state": STATES},
    "comment": {"flag": FLAGS, "state": STATES},
}


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def terms(column: str, ids: Sequence[str]) -> str:
    """Return the condition that a column holds one of these terms."""
    return " OR ".join(f"\"{column}\" = '{each}'" for each in ids)


def own_columns() -> dict[str, list[sa.Column[Any]]]:
    return {
        "suggestion": [
            sa.Column("action", text(), nullable=False),
            sa.Column("patch", sa.JSON(), nullable=False),
            sa.Column("reason", text(), nullable=False),
            sa.Column("source", text(), nullable=True),
            sa.Column("before", sa.JSON(), nullable=False),
            sa.Column("based_on", sa.Integer(), nullable=True),
            sa.Column("taken", sa.JSON(), nullable=True),
        ],
        "comment": [
            sa.Column("text", text(), nullable=False),
            sa.Column("flag", text(), nullable=True),
        ],
    }


def upgrade() -> None:
    for name, columns in own_columns().items():
        op.create_table(
            name,
            sa.Column("id", text(), nullable=False),
            sa.Column("about", text(), nullable=False),
            sa.Column("addressee", text(), nullable=True),
            sa.Column("public", sa.Boolean(), nullable=False),
            sa.Column("state", text(), nullable=False),
            sa.Column("replaced_by", text(), nullable=True),
            *columns,
            sa.Column("revision", sa.Integer(), nullable=False),
            sa.Column("created", text(), nullable=False),
            sa.Column("updated", text(), nullable=False),
            *(
                sa.CheckConstraint(terms(column, ids), name=op.f(f"ck_{name}_{column}"))
                for column, ids in TABLES[name].items()
            ),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        )
        op.create_index(op.f(f"ix_{name}_about_id"), name, ["about", "id"])
    _change_kinds(NEW_RECORD_KINDS)


def _change_kinds(kinds: Sequence[str]) -> None:
    with op.batch_alter_table("revision") as batch:
        constraint = op.f("ck_revision_kind")
        batch.drop_constraint(constraint, type_="check")
        batch.create_check_constraint(constraint, terms("kind", kinds))


def downgrade() -> None:
    """Take the discussion out. Its revisions stay as places in the order that say nothing."""
    op.execute(
        "UPDATE revision SET kind = 'topic', record = 'topic/(withheld)', claim = NULL,"
        " actor = '(withheld)', comment = NULL, body = '{}', state = 'submitted'"
        " WHERE kind IN ('suggestion', 'comment')"
    )
    _change_kinds(RECORD_KINDS)
    for name in TABLES:
        op.drop_table(name)
