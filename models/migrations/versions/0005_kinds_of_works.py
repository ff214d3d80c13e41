"""More types of source, and a design that nobody has recorded: what an import brings."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OLD_TYPES = ("article-journal", "webpage", "report", "book", "chapter", "thesis", "dataset")
NEW_TYPES = ("paper-conference", "article", "document")
OLD_DESIGNS = (
    *(
        "systematic_review",
        "meta_analysis",
        "randomised_trial",
        "sham_controlled_trial",
        "open_label_trial",
        "cohort",
    ),
    *(
        "case_control",
        "cross_sectional",
        "case_series",
        "laboratory",
        "pathology",
        "content_analysis",
    ),
    *("narrative_review", "hypothesis", "commentary", "regulatory_notice", "not_applicable"),
)
NEW_DESIGN = "not_recorded"


def upgrade() -> None:
    _check("source", "type", (*OLD_TYPES, *NEW_TYPES))
    for table in ("source", "evidence"):
        _check(table, "study_design", (*OLD_DESIGNS, NEW_DESIGN))


def downgrade() -> None:
    # The nearest word that there was; the revisions keep the exact one.
    source = sa.table("source", sa.column("type", sa.String()))
    op.execute(sa.update(source).where(source.c.type.in_(NEW_TYPES)).values(type="report"))
    for name in ("source", "evidence"):
        table = sa.table(name, sa.column("study_design", sa.String()))
        op.execute(
            sa.update(table)
            .where(table.c.study_design == NEW_DESIGN)
            .values(study_design="not_applicable")
        )
        _check(name, "study_design", OLD_DESIGNS)
    _check("source", "type", OLD_TYPES)


def _check(table: str, column: str, terms: tuple[str, ...]) -> None:
    """Replace the check that keeps a column inside its vocabulary."""
    name = op.f(f"ck_{table}_{column}")
    allowed = ", ".join(f"'{term}'" for term in terms)
    with op.batch_alter_table(table) as altered:
        altered.drop_constraint(name, type_="check")
        altered.create_check_constraint(name, f'"{column}" IN ({allowed})')
