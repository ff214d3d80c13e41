"""Search as people ask: other wordings of claims, words of evidence, and the words of labels."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# The tables of words, each with its key, and the tables of single words.
SEARCH_TABLES = {"claim_search": ("claim",), "evidence_search": ("claim", "key")}
WORD_TABLES = {"claim_word": "claim", "source_word": "source"}


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def upgrade() -> None:
    with op.batch_alter_table("claim") as batch:
        batch.add_column(sa.Column("wordings", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("claim") as batch:
        batch.alter_column("wordings", server_default=None)
    # What is derived is filled anew when the program starts.
    _drop("claim_search")
    _create("claim_search", ("claim",), quotes=True)
    _create("evidence_search", ("claim", "key"), quotes=False)
    for name, key in WORD_TABLES.items():
        op.create_table(
            name,
            sa.Column(key, text(), nullable=False),
            sa.Column("word", text(), nullable=False),
            sa.ForeignKeyConstraint([key], [f"{key}.id"], name=f"fk_{name}_{key}"),
            sa.PrimaryKeyConstraint(key, "word", name=f"pk_{name}"),
            # The key is the whole row, so a second tree for it would only be written twice.
            sqlite_with_rowid=False,
        )
        op.create_index(f"ix_{name}_word_{key}", name, ["word", key])


def _create(name: str, keys: tuple[str, ...], *, quotes: bool) -> None:
    op.create_table(
        name,
        *(sa.Column(key, text(), nullable=False) for key in keys),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("title", text(), nullable=False),
        sa.Column("words", text(), nullable=False),
        *([sa.Column("quotes", text(), nullable=False)] if quotes else []),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name=f"fk_{name}_claim"),
        sa.PrimaryKeyConstraint(*keys, name=f"pk_{name}"),
    )
    if on_sqlite():
        op.execute(
            f"CREATE VIRTUAL TABLE {name}_index"
            " USING fts5 (title, words, content = '', tokenize = 'ascii')"
        )
        op.create_index(f"ix_{name}_number_{'_'.join(keys)}", name, ["number", *keys])
        return
    vector = "setweight(to_tsvector('simple', title), 'A') || to_tsvector('simple', words)"
    op.execute(
        f"ALTER TABLE {name} ADD COLUMN vector tsvector GENERATED ALWAYS AS ({vector}) STORED"
    )
    op.create_index(f"ix_{name}_vector", name, ["vector"], postgresql_using="gin")


def _drop(name: str) -> None:
    if on_sqlite():
        op.execute(f"DROP TABLE {name}_index")
    op.drop_table(name)


def downgrade() -> None:
    for name in WORD_TABLES:
        op.drop_table(name)
    for name in SEARCH_TABLES:
        _drop(name)
    _create("claim_search", ("claim",), quotes=False)
    with op.batch_alter_table("claim") as batch:
        batch.drop_column("wordings")
