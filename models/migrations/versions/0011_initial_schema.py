"""The initial schema, under the number that databases from before the first release are at."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = None
branch_labels = None
depends_on = None

TYPES = (
    "article-journal webpage report book chapter thesis dataset paper-conference article document"
)
DESIGNS = (
    "systematic_review meta_analysis randomised_trial sham_controlled_trial open_label_trial cohort"
    " case_control cross_sectional case_series laboratory pathology content_analysis"
    " narrative_review hypothesis commentary regulatory_notice not_applicable not_recorded"
)
CLAIM_KINDS = (
    "definition background history mechanism causal_hypothesis finding state_of_evidence evaluation"
    " reported_belief"
)
RECORD_KINDS = "topic source claim occurrence evidence relation assessment"
RELATION_TYPES = (
    "leads_to depends_on presupposes contradicts rivals refines comments_on analogous_to names"
    " provenance_of"
)
QUESTIONS = "prevalence diagnosis prognosis treatment_benefit common_harms"
STATES = "submitted accepted rejected withdrawn retracted merged"
ACTIONS = "create update derive accept reject withdraw retract merge undo purge"
STATUSES = "refuted disputed contested unassessed unconfirmed supported established"
CERTAINTIES = "very_low low moderate high"

INDEXES = (
    ("source", "container_title", "id"),
    ("source", "study_design", "id"),
    ("source", "year", "id"),
    ("source_author", "name_key", "source"),
    ("claim_topic", "topic", "claim"),
    ("occurrence", "source", "claim"),
    ("evidence", "direction", "claim"),
    ("evidence", "level", "claim"),
    ("evidence", "source", "claim"),
    ("evidence", "study_design", "claim"),
    ("relation", "target", "claim"),
    ("revision", "change"),
    ("revision", "claim", "serial"),
    ("revision", "serial"),
    ("revision", "state", "serial"),
    ("idempotency", "at"),
    ("claim_document", "certainty", "claim"),
    ("claim_document", "certainty_rank", "claim"),
    ("claim_document", "evidence_count", "claim"),
    ("claim_document", "evidence_level", "claim"),
    ("claim_document", "kind", "claim"),
    ("claim_document", "status", "claim"),
    ("claim_document", "status_rank", "claim"),
    ("claim_document", "traits", "claim"),
    ("claim_document", "updated", "claim"),
    ("claim_term", "field", "value", "claim", "traits"),
    ("status_period", "status", "claim", "starts", "ends"),
    ("beginning", "kind", "text", "record"),
)

# Each table after those that its foreign keys point to.
TABLES = (
    "topic",
    "source",
    "source_author",
    "source_identifier",
    "claim",
    "claim_topic",
    "occurrence",
    "relation",
    "evidence",
    "assessment",
    "revision",
    "serial",
    "idempotency",
    "api_key",
    "claim_document",
    "claim_term",
    "status_period",
    "claim_search",
    "source_search",
    "beginning",
)
# The tables of words, each with the column that is its key.
SEARCH_TABLES = {"claim_search": "claim", "source_search": "source"}


def upgrade() -> None:
    _create_topics_and_sources()
    _create_claims()
    _create_parts_of_claims()
    _create_evidence()
    _create_log()
    _create_read_model()
    _create_search()
    for table, *columns in INDEXES:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, columns)
    op.execute("INSERT INTO serial (id, value) VALUES (1, 0)")


def downgrade() -> None:
    if _on_sqlite():
        for table in SEARCH_TABLES:
            op.execute(f"DROP TABLE {table}_index")
    for table in reversed(TABLES):
        op.drop_table(table)


def text(length: int | None = None) -> sa.String:
    """Return text that sorts by code point on both databases, so that pages break alike."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def one_of(table: str, column: str, terms: str) -> sa.CheckConstraint:
    """Return the check that keeps a column inside its vocabulary.

    For `IN` SQLite fills a table of its own with the terms at each row that is written, which takes
    2.6 µs a check instead of 0.1 µs, and a row of evidence has eight of them.
    """
    quoted = [f"'{term}'" for term in terms.split()]
    if _on_sqlite():
        condition = " OR ".join(f'"{column}" = {term}' for term in quoted)
    else:
        condition = f'"{column}" IN ({", ".join(quoted)})'
    return sa.CheckConstraint(condition, name=op.f(f"ck_{table}_{column}"))


def reference(table: str, column: str) -> sa.ForeignKeyConstraint:
    """Return the foreign key of a column that has the name of the table that it points to."""
    return sa.ForeignKeyConstraint([column], [f"{column}.id"], name=f"fk_{table}_{column}")


def _on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _create_topics_and_sources() -> None:
    op.create_table(
        "topic",
        sa.Column("id", text(), nullable=False),
        sa.Column("label", text(200), nullable=False),
        sa.Column("definition", text(2000), nullable=False),
        sa.Column("crosswalk", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", text(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("replaced_by", text(300), nullable=True),
        one_of("topic", "state", STATES),
        sa.PrimaryKeyConstraint("id", name="pk_topic"),
    )
    op.create_table(
        "source",
        sa.Column("id", text(), nullable=False),
        sa.Column("type", text(), nullable=False),
        sa.Column("title", text(1000), nullable=False),
        sa.Column("authors_complete", sa.Boolean(), nullable=False),
        sa.Column("container_title", text(500), nullable=True),
        sa.Column("container_title_short", text(200), nullable=True),
        sa.Column("publisher", text(500), nullable=True),
        sa.Column("volume", text(50), nullable=True),
        sa.Column("issue", text(50), nullable=True),
        sa.Column("page", text(50), nullable=True),
        sa.Column("number", text(50), nullable=True),
        sa.Column("issued", text(), nullable=True),
        sa.Column("issued_inferred", sa.Boolean(), nullable=False),
        sa.Column("epub_date", text(), nullable=True),
        sa.Column("url", text(2000), nullable=True),
        sa.Column("language", text(35), nullable=True),
        sa.Column("study_design", text(), nullable=False),
        sa.Column("sample_size", sa.Integer(), nullable=True),
        sa.Column("sample", text(500), nullable=True),
        sa.Column("integrity", text(), nullable=False),
        sa.Column("integrity_note", text(2000), nullable=True),
        sa.Column("text_sha256", text(), nullable=True),
        sa.Column("note", text(5000), nullable=True),
        sa.Column("published", text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", text(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.Column("accessed", text(), nullable=True),
        sa.Column("integrity_date", text(), nullable=True),
        sa.Column("state", text(), nullable=False),
        sa.Column("replaced_by", text(300), nullable=True),
        one_of("source", "type", TYPES),
        one_of("source", "study_design", DESIGNS),
        one_of("source", "integrity", "no_notice corrected concern retracted"),
        one_of("source", "state", STATES),
        sa.CheckConstraint("sample_size >= 0", name=op.f("ck_source_sample_size")),
        sa.PrimaryKeyConstraint("id", name="pk_source"),
    )
    op.create_table(
        "source_author",
        sa.Column("family", text(200), nullable=True),
        sa.Column("given", text(200), nullable=True),
        sa.Column("particle", text(50), nullable=True),
        sa.Column("suffix", text(50), nullable=True),
        sa.Column("literal", text(500), nullable=True),
        sa.Column("source", text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name_key", text(), nullable=False),
        reference("source_author", "source"),
        sa.PrimaryKeyConstraint("source", "position", name="pk_source_author"),
    )
    op.create_table(
        "source_identifier",
        sa.Column("scheme", text(), nullable=False),
        sa.Column("value", text(), nullable=False),
        sa.Column("verification", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        one_of("source_identifier", "scheme", "doi pmid pmcid isbn"),
        one_of("source_identifier", "verification", "verified unverified"),
        reference("source_identifier", "source"),
        sa.PrimaryKeyConstraint("scheme", "value", name="pk_source_identifier"),
        sa.UniqueConstraint("source", "scheme", name="uq_source_identifier_source_scheme"),
    )


def _create_claims() -> None:
    op.create_table(
        "claim",
        sa.Column("id", text(), nullable=False),
        sa.Column("statement", text(2000), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("note", text(5000), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created", text(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("replaced_by", text(300), nullable=True),
        one_of("claim", "kind", CLAIM_KINDS),
        one_of("claim", "state", STATES),
        sa.PrimaryKeyConstraint("id", name="pk_claim"),
    )
    op.create_table(
        "claim_topic",
        sa.Column("claim", text(), nullable=False),
        sa.Column("topic", text(), nullable=False),
        reference("claim_topic", "claim"),
        reference("claim_topic", "topic"),
        sa.PrimaryKeyConstraint("claim", "topic", name="pk_claim_topic"),
    )


def _create_parts_of_claims() -> None:
    op.create_table(
        "occurrence",
        sa.Column("claim", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.Column("quote", text(10000), nullable=False),
        sa.Column("prefix", text(200), nullable=False),
        sa.Column("suffix", text(200), nullable=False),
        sa.Column("start", sa.Integer(), nullable=True),
        sa.Column("end", sa.Integer(), nullable=True),
        sa.Column("asserted_by", sa.JSON(), nullable=False),
        sa.Column("hedges", sa.JSON(), nullable=False),
        sa.Column("note", text(5000), nullable=True),
        sa.Column("state", text(), nullable=False),
        sa.Column("replaced_by", text(300), nullable=True),
        one_of("occurrence", "state", STATES),
        sa.CheckConstraint('"end" > start', name=op.f("ck_occurrence_anchor")),
        reference("occurrence", "claim"),
        reference("occurrence", "source"),
        sa.PrimaryKeyConstraint("claim", "key", name="pk_occurrence"),
    )
    op.create_table(
        "relation",
        sa.Column("claim", text(), nullable=False),
        sa.Column("type", text(), nullable=False),
        # Without a foreign key: the other claim may be on another shard.
        sa.Column("target", text(), nullable=False),
        sa.Column("note", text(5000), nullable=True),
        sa.Column("state", text(), nullable=False),
        sa.Column("replaced_by", text(300), nullable=True),
        one_of("relation", "type", RELATION_TYPES),
        one_of("relation", "state", STATES),
        sa.CheckConstraint("target <> claim", name=op.f("ck_relation_not_itself")),
        reference("relation", "claim"),
        sa.PrimaryKeyConstraint("claim", "type", "target", name="pk_relation"),
    )
    op.create_table(
        "assessment",
        sa.Column("claim", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("assessor", text(200), nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.Column("assessed", text(), nullable=False),
        sa.Column("rationale", text(5000), nullable=False),
        sa.Column("source", text(), nullable=True),
        sa.Column("state", text(), nullable=False),
        sa.Column("replaced_by", text(300), nullable=True),
        one_of("assessment", "status", STATUSES),
        one_of("assessment", "state", STATES),
        reference("assessment", "claim"),
        reference("assessment", "source"),
        sa.PrimaryKeyConstraint("claim", "key", name="pk_assessment"),
    )


def _create_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("claim", text(), nullable=False),
        sa.Column("key", text(), nullable=False),
        sa.Column("source", text(), nullable=False),
        sa.Column("direction", text(), nullable=False),
        sa.Column("level", text(), nullable=False),
        sa.Column("question", text(), nullable=True),
        sa.Column("directness", text(), nullable=False),
        sa.Column("study_design", text(), nullable=False),
        sa.Column("sample_size", sa.Integer(), nullable=True),
        sa.Column("sample", text(500), nullable=True),
        sa.Column("finding", text(5000), nullable=False),
        sa.Column("quote", text(10000), nullable=True),
        sa.Column("locator", text(200), nullable=True),
        sa.Column("independence_group", text(), nullable=False),
        sa.Column("searched_found_none", sa.Boolean(), nullable=False),
        sa.Column("extraction", text(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("note", text(5000), nullable=True),
        sa.Column("created", text(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.Column("relation_type", text(), nullable=True),
        sa.Column("relation_target", text(), nullable=True),
        sa.Column("replaced_by", text(300), nullable=True),
        one_of("evidence", "direction", "supports disputes inconclusive"),
        one_of("evidence", "level", "1 2 3 4 5 not_gradable"),
        one_of("evidence", "question", QUESTIONS),
        one_of("evidence", "directness", "direct indirect"),
        one_of("evidence", "study_design", DESIGNS),
        one_of("evidence", "extraction", "manual machine machine_reviewed"),
        one_of("evidence", "state", STATES),
        one_of("evidence", "relation_type", RELATION_TYPES),
        sa.CheckConstraint(
            "(level = 'not_gradable') = (question IS NULL)", name=op.f("ck_evidence_level_question")
        ),
        sa.CheckConstraint(
            "(relation_type IS NULL) = (relation_target IS NULL)", name=op.f("ck_evidence_relation")
        ),
        sa.CheckConstraint("sample_size >= 0", name=op.f("ck_evidence_sample_size")),
        reference("evidence", "claim"),
        reference("evidence", "source"),
        sa.ForeignKeyConstraint(
            ["claim", "relation_type", "relation_target"],
            ["relation.claim", "relation.type", "relation.target"],
            name="fk_evidence_claim_relation_type_relation_target",
        ),
        sa.PrimaryKeyConstraint("claim", "key", name="pk_evidence"),
    )


def _create_log() -> None:
    """Create the tables of the changes, and of the keys that make them."""
    op.create_table(
        "revision",
        sa.Column("record", text(), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("claim", text(), nullable=True),
        sa.Column("action", text(), nullable=False),
        sa.Column("actor", text(), nullable=False),
        sa.Column("at", text(), nullable=False),
        sa.Column("comment", text(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("state", text(), nullable=False),
        sa.Column("change", sa.Integer(), nullable=False),
        one_of("revision", "kind", RECORD_KINDS),
        one_of("revision", "action", ACTIONS),
        one_of("revision", "state", STATES),
        sa.PrimaryKeyConstraint("record", "serial", name="pk_revision"),
    )
    op.create_table(
        "serial",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("derivation", text(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_serial_one_row")),
        sa.PrimaryKeyConstraint("id", name="pk_serial"),
    )
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
    op.create_table(
        "api_key",
        sa.Column("id", text(), nullable=False),
        sa.Column("name", text(), nullable=False),
        sa.Column("role", text(), nullable=False),
        sa.Column("hash", text(), nullable=False),
        sa.Column("created", text(), nullable=False),
        sa.Column("expires", text(), nullable=True),
        sa.Column("revoked", text(), nullable=True),
        one_of("api_key", "role", "contributor curator admin"),
        sa.PrimaryKeyConstraint("id", name="pk_api_key"),
    )


def _create_read_model() -> None:
    op.create_table(
        "claim_document",
        sa.Column("claim", text(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("status", text(), nullable=False),
        sa.Column("status_rank", sa.Integer(), nullable=False),
        sa.Column("certainty", text(), nullable=True),
        sa.Column("certainty_rank", sa.Integer(), nullable=False),
        sa.Column("evidence_level", text(), nullable=False),
        sa.Column("evidence_count", sa.Integer(), nullable=False),
        sa.Column("has_conflict", sa.Boolean(), nullable=False),
        # The long columns come last: SQLite reaches a column only through all that stand before it.
        sa.Column("traits", sa.BigInteger(), nullable=False),
        sa.Column("statement", text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated", text(), nullable=False),
        sa.Column("core", sa.LargeBinary(), nullable=False),
        sa.Column("past", sa.LargeBinary(), nullable=False),
        sa.Column("occurrences", sa.LargeBinary(), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("sources", sa.LargeBinary(), nullable=False),
        sa.Column("relations", sa.LargeBinary(), nullable=False),
        sa.Column("assessments", sa.LargeBinary(), nullable=False),
        one_of("claim_document", "kind", CLAIM_KINDS),
        one_of("claim_document", "status", STATUSES),
        one_of("claim_document", "certainty", CERTAINTIES),
        reference("claim_document", "claim"),
        sa.PrimaryKeyConstraint("claim", name="pk_claim_document"),
    )
    op.create_table(
        "claim_term",
        sa.Column("claim", text(), nullable=False),
        sa.Column("field", text(), nullable=False),
        sa.Column("value", text(), nullable=False),
        sa.Column("since", text(), nullable=False),
        sa.Column("traits", sa.BigInteger(), nullable=False),
        reference("claim_term", "claim"),
        sa.PrimaryKeyConstraint("claim", "field", "value", name="pk_claim_term"),
    )
    op.create_table(
        "status_period",
        sa.Column("claim", text(), nullable=False),
        sa.Column("starts", text(), nullable=False),
        sa.Column("ends", text(), nullable=True),
        sa.Column("status", text(), nullable=False),
        sa.Column("rule", text(), nullable=False),
        sa.Column("certainty", text(), nullable=True),
        one_of("status_period", "status", STATUSES),
        one_of("status_period", "certainty", CERTAINTIES),
        sa.CheckConstraint("ends > starts", name=op.f("ck_status_period_order")),
        reference("status_period", "claim"),
        sa.PrimaryKeyConstraint("claim", "starts", name="pk_status_period"),
    )


def _create_search() -> None:
    for name, key in SEARCH_TABLES.items():
        op.create_table(
            name,
            sa.Column(key, text(), nullable=False),
            sa.Column("number", sa.Integer(), nullable=True),
            sa.Column("title", text(), nullable=False),
            sa.Column("words", text(), nullable=False),
            reference(name, key),
            sa.PrimaryKeyConstraint(key, name=f"pk_{name}"),
        )
        if _on_sqlite():
            # The index has no content of its own: the words stand in the table, which also says
            # what to delete from it. The tokens are ours, so it splits them at blanks only.
            op.execute(
                f"CREATE VIRTUAL TABLE {name}_index"
                " USING fts5 (title, words, content = '', tokenize = 'ascii')"
            )
            op.create_index(f"ix_{name}_number_{key}", name, ["number", key])
        else:
            vector = "setweight(to_tsvector('simple', title), 'A') || to_tsvector('simple', words)"
            op.execute(
                f"ALTER TABLE {name}"
                f" ADD COLUMN vector tsvector GENERATED ALWAYS AS ({vector}) STORED"
            )
            op.create_index(f"ix_{name}_vector", name, ["vector"], postgresql_using="gin")
    op.create_table(
        "beginning",
        sa.Column("record", text(), nullable=False),
        sa.Column("kind", text(), nullable=False),
        sa.Column("text", text(), nullable=False),
        sa.PrimaryKeyConstraint("record", "kind", "text", name="pk_beginning"),
        # The key is the whole row, so a second tree for it would only be written twice.
        sqlite_with_rowid=False,
    )
