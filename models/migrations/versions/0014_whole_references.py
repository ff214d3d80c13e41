"""Sources that hold a whole reference: contributors, edition, place, series, event, ISSN, abstract,
keywords, licence, ORCID iDs of authors; all types of CSL; works without a title.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TYPES = (
    *("article-journal", "webpage", "report", "book", "chapter", "thesis", "paper-conference"),
    *("article", "document", "dataset"),
)
# What the program before says of what has one of the new types.
OLDER_TYPES = {
    **dict.fromkeys(
        ("article-magazine", "article-newspaper", "review", "review-book"), "article-journal"
    ),
    **dict.fromkeys(("classic", "periodical"), "book"),
    **dict.fromkeys(("entry-dictionary", "entry-encyclopedia"), "chapter"),
    **dict.fromkeys(("post", "post-weblog"), "webpage"),
    **dict.fromkeys(("regulation", "standard"), "report"),
    "manuscript": "article",
    "speech": "paper-conference",
    **dict.fromkeys(
        (
            *("bill", "broadcast", "collection", "entry", "event", "figure", "graphic", "hearing"),
            *("interview", "legal_case", "legislation", "map", "motion_picture", "musical_score"),
            *("pamphlet", "patent", "performance", "personal_communication", "software", "song"),
            "treaty",
        ),
        "document",
    ),
}
TEXTS = (
    *("title_short", "container_isbn", "collection_title", "collection_number", "edition"),
    *("genre", "event_title", "event_place", "publisher_place", "abstract", "licence"),
)
LISTS = ("issn", "keywords", "contributors")


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def terms(column: str, ids: tuple[str, ...]) -> str:
    """Return the condition that a column holds one of these terms."""
    return " OR ".join(f"\"{column}\" = '{each}'" for each in ids)


def upgrade() -> None:
    _change_types((*TYPES, *OLDER_TYPES))
    with op.batch_alter_table("source") as batch:
        for name in TEXTS:
            batch.add_column(sa.Column(name, text(), nullable=True))
        for name in LISTS:
            batch.add_column(sa.Column(name, sa.JSON(), nullable=False, server_default="[]"))
        batch.alter_column("title", existing_type=text(), nullable=True)
    with op.batch_alter_table("source") as batch:
        for name in LISTS:
            batch.alter_column(name, server_default=None)
    with op.batch_alter_table("source_author") as batch:
        batch.add_column(sa.Column("orcid", text(), nullable=True))


def _change_types(ids: tuple[str, ...]) -> None:
    with op.batch_alter_table("source") as batch:
        batch.drop_constraint(op.f("ck_source_type"), type_="check")
        batch.create_check_constraint(op.f("ck_source_type"), terms("type", ids))


def downgrade() -> None:
    """Take out what has no place in the program before; a work without a title gets its id."""
    source: Any = sa.table("source", *map(sa.column, ("id", "type", "title")))
    for new, older in OLDER_TYPES.items():
        op.execute(sa.update(source).where(source.c.type == new).values(type=older))
    named = sa.update(source).where(source.c.title.is_(None))
    op.execute(named.values(title=sa.literal("[") + source.c.id + "]"))
    _change_types(TYPES)
    with op.batch_alter_table("source_author") as batch:
        batch.drop_column("orcid")
    with op.batch_alter_table("source") as batch:
        batch.alter_column("title", existing_type=text(), nullable=False)
        for name in (*TEXTS, *LISTS):
            batch.drop_column(name)
