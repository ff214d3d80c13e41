"""Evidence may bear on a relation; terms know since when; `claimbase rebuild` fills the terms."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RELATION_TYPES = (
    "'leads_to', 'depends_on', 'presupposes', 'contradicts', 'rivals', 'refines', "
    "'comments_on', 'analogous_to', 'names', 'provenance_of'"
)


def text(length: int | None = None) -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def upgrade() -> None:
    with op.batch_alter_table("evidence") as evidence:
        evidence.add_column(sa.Column("relation_type", text(), nullable=True))
        evidence.add_column(sa.Column("relation_target", text(), nullable=True))
        evidence.create_check_constraint(
            op.f("ck_evidence_relation_type"), f'"relation_type" IN ({RELATION_TYPES})'
        )
        evidence.create_check_constraint(
            op.f("ck_evidence_relation"), "(relation_type IS NULL) = (relation_target IS NULL)"
        )
        evidence.create_foreign_key(
            "fk_evidence_claim_relation_type_relation_target",
            "relation",
            ["claim", "relation_type", "relation_target"],
            ["claim", "type", "target"],
        )
    _restore()
    _actions("'create', 'update', 'derive'")
    _new_terms(sa.Column("since", text(), nullable=False))


def downgrade() -> None:
    _new_terms()
    op.execute("UPDATE revision SET action = 'update' WHERE action = 'derive'")
    _actions("'create', 'update'")
    # A line on a relation would be read as one on the claim, and change its status. Its revisions keep it, and the way
    # up restores it from them.
    op.execute("DELETE FROM evidence WHERE relation_type IS NOT NULL")
    with op.batch_alter_table("evidence") as evidence:
        evidence.drop_constraint(
            "fk_evidence_claim_relation_type_relation_target", type_="foreignkey"
        )
        evidence.drop_constraint(op.f("ck_evidence_relation"), type_="check")
        evidence.drop_constraint(op.f("ck_evidence_relation_type"), type_="check")
        evidence.drop_column("relation_target")
        evidence.drop_column("relation_type")


def _restore() -> None:
    """Bring back the lines on relations that a downgrade took out, as their last revisions have them."""
    connection = op.get_bind()
    text_type = sa.String()
    revision = sa.table(
        "revision",
        *(sa.column(name, text_type) for name in ("record", "kind", "at")),
        sa.column("serial", sa.Integer()),
        sa.column("body", sa.JSON()),
    )
    recorded = sa.select(revision.c.record, revision.c.at, revision.c.body).where(
        revision.c.kind == "evidence"
    )
    first: dict[str, str] = {}
    last: dict[str, dict[str, object]] = {}
    for record, at, body in connection.execute(recorded.order_by(revision.c.serial)):
        first.setdefault(record, at)
        last[record] = {**body, "created": first[record], "updated": at}
    lines = [line for line in last.values() if line.get("relation_type")]
    if lines:
        evidence = sa.Table("evidence", sa.MetaData(), autoload_with=connection)
        connection.execute(sa.insert(evidence), lines)


def _actions(allowed: str) -> None:
    with op.batch_alter_table("revision") as revisions:
        revisions.drop_constraint(op.f("ck_revision_action"), type_="check")
        revisions.create_check_constraint(op.f("ck_revision_action"), f'"action" IN ({allowed})')


def _new_terms(*more: sa.Column[str]) -> None:
    """Make the table of terms anew and empty; it is derived."""
    op.drop_table("claim_term")
    op.create_table(
        "claim_term",
        sa.Column("claim", text(), nullable=False),
        sa.Column("field", text(), nullable=False),
        sa.Column("value", text(), nullable=False),
        *more,
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_claim_term_claim"),
        sa.PrimaryKeyConstraint("claim", "field", "value", name="pk_claim_term"),
    )
    op.create_index(
        "ix_claim_term_field_value_claim", "claim_term", ["field", "value", "claim"], unique=False
    )
