"""What the rules need to know of evidence: gradings, what a review pools, effects as numbers, and
which sources are versions of one work; positions of bodies; more terms of several vocabularies;
collections from which records were taken over.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KINDS = (
    *("definition", "background", "history", "mechanism", "causal_hypothesis", "finding"),
    *("state_of_evidence", "evaluation", "reported_belief"),
)
NEW_KINDS = (*KINDS[:6], "association", "treatment_effect", "harm", *KINDS[6:])
RELATIONS = (
    *("leads_to", "depends_on", "presupposes", "contradicts", "rivals", "refines"),
    *("comments_on", "analogous_to", "names", "provenance_of"),
)
NEW_RELATIONS = (*RELATIONS, "predicts")
QUESTIONS = ("prevalence", "diagnosis", "prognosis", "treatment_benefit", "common_harms")
NEW_QUESTIONS = (*QUESTIONS, "aetiology", "mechanism")
DESIGNS = (
    *("systematic_review", "meta_analysis", "randomised_trial", "sham_controlled_trial"),
    *("open_label_trial", "cohort", "case_control", "cross_sectional", "case_series"),
    *("laboratory", "pathology", "content_analysis", "narrative_review", "hypothesis"),
    *("commentary", "regulatory_notice", "not_recorded", "not_applicable"),
)
# What the program before says of what has one of the new designs.
OLDER_DESIGNS = {
    "non_randomised_trial": "open_label_trial",
    "case_report": "case_series",
    "animal": "laboratory",
    "in_vitro": "laboratory",
    "guideline": "commentary",
    "drug_label": "regulatory_notice",
}
NEW_DESIGNS = (*DESIGNS, *OLDER_DESIGNS)
SCHEMES = ("doi", "pmid", "pmcid", "isbn")
NEW_SCHEMES = (*SCHEMES, "nct", "uri")
RECORD_KINDS = ("topic", "source", "claim", "occurrence", "evidence", "relation", "assessment")
NEW_RECORD_KINDS = (RECORD_KINDS[0], "collection", *RECORD_KINDS[1:])
STATES = ("submitted", "accepted", "rejected", "withdrawn", "retracted", "merged")
# The columns that are one of a vocabulary, and its terms before and after.
CHANGED = (
    ("claim", "kind", KINDS, NEW_KINDS),
    ("claim_document", "kind", KINDS, NEW_KINDS),
    ("claim_term", "kind", KINDS, NEW_KINDS),
    ("relation", "type", RELATIONS, NEW_RELATIONS),
    ("evidence", "relation_type", RELATIONS, NEW_RELATIONS),
    ("evidence", "question", QUESTIONS, NEW_QUESTIONS),
    ("evidence", "study_design", DESIGNS, NEW_DESIGNS),
    ("evidence_document", "question", QUESTIONS, NEW_QUESTIONS),
    ("evidence_document", "study_design", DESIGNS, NEW_DESIGNS),
    ("source", "study_design", DESIGNS, NEW_DESIGNS),
    ("source_identifier", "scheme", SCHEMES, NEW_SCHEMES),
    ("revision", "kind", RECORD_KINDS, NEW_RECORD_KINDS),
)
NEWEST = "ix_evidence_document_level_newest"
CHECKED_AGAINST = ("abstract", "full_text", "page")
TITLE_STATUSES = ("printed", "translated", "described")
ORIGINS = ("stated", "added")
LEANINGS = ("for", "against", "both", "none")
UNASSESSED_REASONS = (
    *("nothing_recorded", "searched_found_none", "only_inconclusive", "inconsistent"),
)


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def terms(column: str, ids: Sequence[str]) -> str:
    """Return the condition that a column holds one of these terms."""
    return " OR ".join(f"\"{column}\" = '{each}'" for each in ids)


# What rows that are there get in a new column; None where it may be empty. Each row that the
# program writes names all of them.
STANDING = {
    "leaning": (text(), "none"),
    "searched_found_none": (sa.Boolean(), sa.false()),
    "unassessed_because": (text(), None),
}
LIST = (sa.JSON(), "[]")
COLUMNS: dict[str, dict[str, tuple[Any, Any]]] = {
    "topic": {"external_ids": LIST},
    "source": {
        "title_status": (text(), None),
        "main_claim": (text(), None),
        "versions": LIST,
        "cites": LIST,
    },
    "claim": {
        "notice": (text(), None),
        "origin": (text(), "stated"),
        "language": (text(), "en"),
        "external_ids": LIST,
        "topic_roles": LIST,
    },
    "evidence": {
        "risk_of_bias": (sa.JSON(), None),
        "studies": (sa.Integer(), None),
        **dict.fromkeys(
            ("population", "exposure", "comparator", "outcome", "follow_up", "checked_against"),
            (text(), None),
        ),
        **dict.fromkeys(
            ("graded_down", "graded_up", "pools", "effects", "groups", "ratings", "external_ids"),
            LIST,
        ),
    },
    "assessment": {
        "verdict": (text(), None),
        "jurisdiction": (text(), None),
        "ratings": LIST,
    },
    "claim_document": STANDING,
    "status_period": STANDING,
}
STANDING_CHECKS = {
    "leaning": terms("leaning", LEANINGS),
    "unassessed_because": terms("unassessed_because", UNASSESSED_REASONS),
}
CHECKS = {
    "source": {"title_status": terms("title_status", TITLE_STATUSES)},
    "claim": {"origin": terms("origin", ORIGINS)},
    "evidence": {
        "studies": "studies > 0",
        "checked_against": terms("checked_against", CHECKED_AGAINST),
    },
    "claim_document": STANDING_CHECKS,
    "status_period": STANDING_CHECKS,
}
# Letters of names that are folded from now on.
LETTERS = str.maketrans(
    {
        **dict(zip("øłđðıħŧ", "olddiht", strict=True)),
        **{"æ": "ae", "œ": "oe", "þ": "th"},
        **dict.fromkeys("’‘ʼ`´", "'"),
    }
)
# The tables by which ties between sources are found.
TIES = ("source_version", "source_citation")
# The tables of records that may come from a collection, with the first column of their key.
IN_COLLECTIONS = {
    **dict.fromkeys(("topic", "claim", "source"), "id"),
    **dict.fromkeys(("occurrence", "relation", "evidence", "assessment"), "claim"),
}
# The indexes of new columns, by name.
INDEXES = {
    "ix_source_main_claim_id": ("source", "main_claim", "id"),
    "ix_claim_document_leaning_claim": ("claim_document", "leaning", "claim"),
    "ix_claim_document_unassessed_because_claim": (
        *("claim_document", "unassessed_because", "claim"),
    ),
}


def upgrade() -> None:
    _change_vocabularies(older=False)
    _create_collections()
    for table, columns in COLUMNS.items():
        with op.batch_alter_table(table) as batch:
            for name, (type_, default) in columns.items():
                batch.add_column(
                    sa.Column(name, type_, nullable=default is None, server_default=default)
                )
        with op.batch_alter_table(table) as batch:
            for name, (_, default) in columns.items():
                if default is not None:
                    batch.alter_column(name, server_default=None)
            for name, condition in CHECKS.get(table, {}).items():
                batch.create_check_constraint(op.f(f"ck_{table}_{name}"), condition)
    with op.batch_alter_table("assessment") as batch:
        batch.alter_column("status", existing_type=text(), nullable=True)
    for index, (table, *names) in INDEXES.items():
        op.create_index(index, table, names)
    _create_tables()
    _fold_names()


def _fold_names() -> None:
    """Write the keys of names anew in which a letter stands that was not folded before."""
    author = sa.table("source_author", *map(sa.column, ("source", "position", "name_key")))
    connection = op.get_bind()
    for row in connection.execute(sa.select(author)).all():
        folded = row.name_key.translate(LETTERS)
        if folded != row.name_key:
            same = (author.c.source == row.source) & (author.c.position == row.position)
            connection.execute(sa.update(author).where(same).values(name_key=folded))


def _create_collections() -> None:
    op.create_table(
        "collection",
        sa.Column("id", text(), nullable=False),
        sa.Column("name", text(), nullable=False),
        *(
            sa.Column(name, text(), nullable=True)
            for name in ("url", "licence", "version", "retrieved", "description")
        ),
        sa.Column("state", text(), nullable=False),
        sa.Column("replaced_by", text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", text(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.CheckConstraint(terms("state", STATES), name=op.f("ck_collection_state")),
        sa.PrimaryKeyConstraint("id", name="pk_collection"),
    )
    for table, key in IN_COLLECTIONS.items():
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("collection", text(), nullable=True))
            batch.create_foreign_key(
                op.f(f"fk_{table}_collection"), "collection", ["collection"], ["id"]
            )
        op.create_index(f"ix_{table}_collection_{key}", table, ["collection", key])


def _drop_collections() -> None:
    """Take collections out. Their revisions stay as places in the order that say nothing."""
    for table, key in IN_COLLECTIONS.items():
        op.drop_index(f"ix_{table}_collection_{key}", table)
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"fk_{table}_collection"), type_="foreignkey")
            batch.drop_column("collection")
    op.drop_table("collection")
    op.execute(
        "UPDATE revision SET kind = 'topic', record = 'topic/(withheld)', actor = '(withheld)',"
        " comment = NULL, body = '{}', state = 'submitted' WHERE kind = 'collection'"
    )


def _create_tables() -> None:
    for table in TIES:
        op.create_table(
            table,
            sa.Column("source", text(), nullable=False),
            sa.Column("other", text(), nullable=False),
            sa.ForeignKeyConstraint(["source"], ["source.id"], name=f"fk_{table}_source"),
            sa.PrimaryKeyConstraint("source", "other", name=f"pk_{table}"),
        )
        op.create_index(f"ix_{table}_other_source", table, ["other", "source"])
    op.create_table(
        "pooled_source",
        sa.Column("claim", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_pooled_source_claim"),
        sa.ForeignKeyConstraint(
            ["claim", "key"],
            ["evidence.claim", "evidence.key"],
            name="fk_pooled_source_claim_key",
        ),
        sa.ForeignKeyConstraint(["source"], ["source.id"], name="fk_pooled_source_source"),
        sa.PrimaryKeyConstraint("claim", "key", "source", name="pk_pooled_source"),
    )
    op.create_index("ix_pooled_source_source_claim", "pooled_source", ["source", "claim"])
    op.create_table(
        "evidence_term",
        sa.Column("claim", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("field", text(), nullable=False),
        sa.Column("value", text(), nullable=False),
        sa.ForeignKeyConstraint(["claim"], ["claim.id"], name="fk_evidence_term_claim"),
        sa.PrimaryKeyConstraint("claim", "key", "field", "value", name="pk_evidence_term"),
    )
    op.create_index(
        "ix_evidence_term_field_value_claim_key",
        "evidence_term",
        ["field", "value", "claim", "key"],
    )


def _change_vocabularies(*, older: bool) -> None:
    """Let each of the columns hold its new terms, or its `older` ones, and no others."""
    for table in dict.fromkeys(table for table, *_ in CHANGED):
        with op.batch_alter_table(table) as batch:
            for name, column, old, new in CHANGED:
                if name == table:
                    constraint = op.f(f"ck_{table}_{column}")
                    batch.drop_constraint(constraint, type_="check")
                    batch.create_check_constraint(constraint, terms(column, old if older else new))
    # On SQLite a table is copied for it, and the copy's index would begin with the oldest.
    op.drop_index(NEWEST, "evidence_document")
    op.create_index(
        NEWEST, "evidence_document", ["level", sa.text("published DESC"), "claim", "key"]
    )


def downgrade() -> None:
    _drop_collections()
    for table in ("evidence_term", "pooled_source", *TIES):
        op.drop_table(table)
    for index, (table, *_) in INDEXES.items():
        op.drop_index(index, table)
    _write_older_terms()
    for table, columns in COLUMNS.items():
        with op.batch_alter_table(table) as batch:
            for name in CHECKS.get(table, {}):
                batch.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
            for name in columns:
                batch.drop_column(name)
    with op.batch_alter_table("assessment") as batch:
        batch.alter_column("status", existing_type=text(), nullable=False)
    _change_vocabularies(older=True)


def _write_older_terms() -> None:
    """Write what comes nearest in the vocabularies of the older program, and take out what has no
    place there.
    """
    for condition, table in (
        ("relation_type = 'predicts'", "evidence"),
        ("type = 'predicts'", "relation"),
        ("status IS NULL", "assessment"),
        ("scheme IN ('nct', 'uri')", "source_identifier"),
    ):
        op.execute(f"DELETE FROM {table} WHERE {condition}")  # noqa: S608
    older = "'association', 'treatment_effect', 'harm'"
    for table in ("claim", "claim_document", "claim_term"):
        op.execute(f"UPDATE {table} SET kind = 'finding' WHERE kind IN ({older})")  # noqa: S608
    for table in ("evidence", "evidence_document"):
        op.execute(  # A line without a question has no level there.
            f"UPDATE {table} SET question = NULL, level = 'not_gradable'"  # noqa: S608
            " WHERE question IN ('aetiology', 'mechanism')"
        )
    for design, older_design in OLDER_DESIGNS.items():
        for table in ("evidence", "evidence_document", "source"):
            op.execute(
                f"UPDATE {table} SET study_design = '{older_design}'"  # noqa: S608
                f" WHERE study_design = '{design}'"
            )
