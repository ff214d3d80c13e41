"""Search: the words of claims and sources, and what labels begin with; `claimbase rebuild` fills it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    for kind in ("claim", "source"):
        name = f"{kind}_search"
        op.create_table(
            name,
            sa.Column(kind, text(), nullable=False),
            sa.Column("number", sa.Integer(), nullable=True),
            sa.Column("title", text(), nullable=False),
            sa.Column("words", text(), nullable=False),
            sa.ForeignKeyConstraint([kind], [f"{kind}.id"], name=f"fk_{name}_{kind}"),
            sa.PrimaryKeyConstraint(kind, name=f"pk_{name}"),
        )
        if op.get_bind().dialect.name == "sqlite":
            # Without content of its own: the words stand in the table, which also tells what to delete. The tokens are
            # ours, so its tokenizer has to split them at blanks only.
            op.execute(
                f"CREATE VIRTUAL TABLE {name}_index USING fts5 (title, words, content = '', tokenize = 'ascii')"
            )
            op.create_index(f"ix_{name}_number_{kind}", name, ["number", kind])
        else:
            vector = "setweight(to_tsvector('simple', title), 'A') || to_tsvector('simple', words)"
            op.execute(
                f"ALTER TABLE {name} ADD COLUMN vector tsvector GENERATED ALWAYS AS ({vector}) STORED"
            )
            op.create_index(f"ix_{name}_vector", name, ["vector"], postgresql_using="gin")
    op.create_table(
        "beginning",
        sa.Column("record", text(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("text", text(), nullable=False),
        sa.PrimaryKeyConstraint("record", "kind", "text", name="pk_beginning"),
        # One tree fewer to write; the key is the row.
        sqlite_with_rowid=False,
    )
    op.create_index("ix_beginning_kind_text_record", "beginning", ["kind", "text", "record"])


def downgrade() -> None:
    op.drop_table("beginning")
    for name in ("source_search", "claim_search"):
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TABLE {name}_index")
        op.drop_table(name)
