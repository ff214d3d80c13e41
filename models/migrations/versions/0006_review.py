"""Every record has a state of review, revisions say what is public and what was done together; answers kept for repeats."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# In this order nothing is in the way of a foreign key.
NEWLY_REVIEWED = ("topic", "source", "claim", "occurrence", "relation", "assessment")
OLD_STATES = ("submitted", "accepted", "rejected", "withdrawn", "retracted")
STATES = (*OLD_STATES, "merged")
OLD_ACTIONS = ("create", "update", "derive")
ACTIONS = (*OLD_ACTIONS, "accept", "reject", "withdraw", "retract", "merge", "undo", "purge")


def text(length: int | None = None) -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    for table in NEWLY_REVIEWED:
        _add(table, sa.Column("state", text(), nullable=False, server_default="accepted"))
        with op.batch_alter_table(table) as altered:
            altered.add_column(sa.Column("replaced_by", text(300), nullable=True))
            altered.create_check_constraint(op.f(f"ck_{table}_state"), _within("state", STATES))
    with op.batch_alter_table("evidence") as evidence:
        evidence.add_column(sa.Column("replaced_by", text(300), nullable=True))
        evidence.drop_constraint(op.f("ck_evidence_state"), type_="check")
        evidence.create_check_constraint(op.f("ck_evidence_state"), _within("state", STATES))
    _add("revision", sa.Column("state", text(), nullable=False, server_default="accepted"))
    _add("revision", sa.Column("change", sa.Integer(), nullable=False, server_default="0"))
    _fill_revisions()
    with op.batch_alter_table("revision") as revisions:
        revisions.drop_constraint(op.f("ck_revision_action"), type_="check")
        revisions.create_check_constraint(op.f("ck_revision_action"), _within("action", ACTIONS))
        revisions.create_check_constraint(op.f("ck_revision_state"), _within("state", STATES))
    op.create_index("ix_revision_change", "revision", ["change"], unique=False)
    op.create_index("ix_revision_state_serial", "revision", ["state", "serial"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("actor", text(), nullable=False),
        sa.Column("key", text(200), nullable=False),
        sa.Column("request", text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("at", text(), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name="pk_idempotency"),
    )
    op.create_index("ix_idempotency_at", "idempotency", ["at"], unique=False)


def downgrade() -> None:
    connection = op.get_bind()
    for table in (*NEWLY_REVIEWED, "evidence"):
        states = OLD_STATES if table == "evidence" else ("accepted",)
        column = sa.table(table, sa.column("state", sa.String()))
        lost = connection.scalar(
            sa.select(sa.func.count()).select_from(column).where(column.c.state.not_in(states))
        )
        if lost:
            raise CommandError(
                f"{lost} records of the kind {table} are not accepted; an older program would show them as if they were"
            )
    op.drop_table("idempotency")
    op.drop_index("ix_revision_state_serial", "revision")
    op.drop_index("ix_revision_change", "revision")
    updated = ", ".join(f"'{action}'" for action in ACTIONS if action not in OLD_ACTIONS)
    op.execute(f"UPDATE revision SET action = 'update' WHERE action IN ({updated})")  # noqa: S608
    with op.batch_alter_table("revision") as revisions:
        revisions.drop_constraint(op.f("ck_revision_state"), type_="check")
        revisions.drop_constraint(op.f("ck_revision_action"), type_="check")
        revisions.create_check_constraint(
            op.f("ck_revision_action"), _within("action", OLD_ACTIONS)
        )
        revisions.drop_column("change")
        revisions.drop_column("state")
    with op.batch_alter_table("evidence") as evidence:
        evidence.drop_constraint(op.f("ck_evidence_state"), type_="check")
        evidence.create_check_constraint(op.f("ck_evidence_state"), _within("state", OLD_STATES))
        evidence.drop_column("replaced_by")
    for table in reversed(NEWLY_REVIEWED):
        with op.batch_alter_table(table) as altered:
            altered.drop_constraint(op.f(f"ck_{table}_state"), type_="check")
            altered.drop_column("replaced_by")
            altered.drop_column("state")


def _within(column: str, terms: tuple[str, ...]) -> str:
    return f'"{column}" IN ({", ".join(repr(term) for term in terms)})'


def _add(table: str, column: sa.Column[Any]) -> None:
    """Add a column that must have a value; what it is for the rows that are there is not its default later."""
    with op.batch_alter_table(table) as altered:
        altered.add_column(column)
    with op.batch_alter_table(table) as altered:
        altered.alter_column(
            column.name, server_default=None, existing_type=column.type, existing_nullable=False
        )


def _fill_revisions() -> None:
    """Say of each revision in which state it left its record, and with which it was made: one time, one change."""
    connection = op.get_bind()
    revisions = sa.table(
        "revision",
        *(sa.column(name, sa.String()) for name in ("record", "kind", "state", "at")),
        *(sa.column(name, sa.Integer()) for name in ("serial", "change")),
        sa.column("body", sa.JSON()),
    )
    first = sa.select(revisions.c.at, sa.func.min(revisions.c.serial)).group_by(revisions.c.at)
    for at, serial in connection.execute(first).all():
        connection.execute(sa.update(revisions).where(revisions.c.at == at).values(change=serial))
    lines = sa.select(revisions.c.record, revisions.c.serial, revisions.c.body).where(
        revisions.c.kind == "evidence"
    )
    for record, serial, body in connection.execute(lines).all():
        if body.get("state", "accepted") != "accepted":
            one = (revisions.c.record == record) & (revisions.c.serial == serial)
            connection.execute(sa.update(revisions).where(one).values(state=body["state"]))
