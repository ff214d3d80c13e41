"""Documents, revisions and words compressed, rows once, and no index that is written for nobody.

What is derived is filled anew when the program starts. The revisions are rewritten here.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op
from pydantic_core import from_json

from models.database.compressed import pack, unpack

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BATCH = 1000
UNUSED = ("level", "direction", "study_design")
# The columns of `claim_term` besides its key.
SUMMARY = ("status", "kind", "certainty", "levels", "directions")
COVERING = "ix_claim_term_covering"
# The tables whose rows are found in the order of their key: the key before and after.
KEYS = {
    "claim_term": (("claim", "field", "value"), ("field", "value", "claim")),
    "evidence_term": (("claim", "key", "field", "value"),) * 2,
    "claim_word": (("claim", "word"), ("word", "claim")),
    "source_word": (("source", "word"), ("word", "source")),
    "beginning": (("record", "kind", "text"), ("kind", "text", "record")),
}
# Their indexes, before and after.
WHOLE = ("field", "value", "claim", *SUMMARY)
INDEXES = (
    {
        "ix_claim_term_field_value_claim": ("claim_term", WHOLE),
        "ix_claim_word_word_claim": ("claim_word", ("word", "claim")),
        "ix_source_word_word_source": ("source_word", ("word", "source")),
        "ix_beginning_kind_text_record": ("beginning", ("kind", "text", "record")),
    },
    {"ix_claim_term_claim": ("claim_term", ("claim",))},
)
ALWAYS = {
    "ix_evidence_term_field_value_claim_key": (
        "evidence_term",
        ("field", "value", "claim", "key"),
    )
}
# The tables of words, and those of them that repeat the rows of labels.
SEARCH_TABLES = ("claim_search", "evidence_search", "source_search")
LABELLED = ("claim_search", "source_search")
REPEATED = ("label_words", "beginnings")


def text() -> sa.String:
    """Text that sorts by code point on both databases."""
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def on_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def upgrade() -> None:
    with op.batch_alter_table("revision") as batch:
        batch.add_column(sa.Column("about", text(), nullable=True))
        batch.alter_column(
            "body",
            type_=sa.LargeBinary(),
            existing_type=sa.JSON(),
            existing_nullable=False,
            postgresql_using="convert_to(body::text, 'UTF8')",
        )
    _rewrite(lambda kind, body: {"about": _about(kind, body), "body": pack(body)})
    for name in UNUSED:
        op.drop_index(f"ix_evidence_{name}_claim", "evidence")
    _create_keyed(older=False)
    _empty_words()
    for name in LABELLED:
        with _altering(name) as batch:
            for column in REPEATED:
                batch.add_column(sa.Column(column, sa.LargeBinary(), nullable=False))


def _altering(name: str) -> Any:
    """Return a block that alters a table; a column without a default needs a new one on SQLite."""
    return op.batch_alter_table(name, recreate="always" if on_sqlite() else "never")


def _empty_words() -> None:
    """Delete what is derived, so that nothing half derived is left."""
    for name in SEARCH_TABLES:
        op.execute(f"DELETE FROM {name}")  # noqa: S608
        if on_sqlite():
            emptied = f"INSERT INTO {name}_index ({name}_index) VALUES ('delete-all')"  # noqa: S608
            op.execute(emptied)


def _about(kind: str, body: bytes) -> str | None:
    content = from_json(body)
    if kind == "claim" and content:
        return f",{','.join(content['topics'])},"
    subject: str | None = content.get("about")
    return subject


def _rewrite(change: Callable[[str, bytes], dict[str, Any]]) -> None:
    """Give every revision what a function makes of its kind and the bytes of its body."""
    rows = sa.table("revision", *map(sa.column, ("record", "serial", "kind", "about", "body")))
    update = (
        sa.update(rows)
        .where(
            rows.c.record == sa.bindparam("at_record"), rows.c.serial == sa.bindparam("at_serial")
        )
        .values({name: sa.bindparam(name) for name in change("topic", b"{}")})
    )
    for batch in _batches(rows):
        changed = [
            {"at_record": record, "at_serial": serial, **change(kind, bytes(body))}
            for record, serial, kind, body in batch
        ]
        op.get_bind().execute(update, changed)


def _batches(rows: sa.TableClause) -> Iterator[list[Any]]:
    columns = [rows.c[name] for name in ("record", "serial", "kind", "body")]
    last = 0
    while True:
        following = sa.select(*columns).where(rows.c.serial > last).order_by(rows.c.serial)
        batch = list(op.get_bind().execute(following.limit(BATCH)))
        if not batch:
            return
        yield batch
        last = batch[-1].serial


def _create_keyed(*, older: bool) -> None:
    """Create the tables of rows that are found by their key anew, without rows."""
    checks = sa.inspect(op.get_bind()).get_check_constraints("claim_term")
    own: dict[str, list[Any]] = {
        "claim_term": [
            sa.Column("since", text(), nullable=False),
            *(sa.Column(each, text(), nullable=each == "certainty") for each in SUMMARY),
            *(
                sa.CheckConstraint(check["sqltext"], name=op.f(str(check["name"])))
                for check in sorted(checks, key=lambda check: str(check["name"]))
            ),
        ],
    }
    for name, keys in KEYS.items():
        key = keys[0 if older else 1]
        op.drop_table(name)
        owner = next((each for each in ("claim", "source") if each in key), None)
        op.create_table(
            name,
            # In the order of the key: SQLite 3.40 takes rows for damaged whose columns stand otherwise.
            *(sa.Column(each, text(), nullable=False) for each in key),
            *own.get(name, []),
            *(
                [sa.ForeignKeyConstraint([owner], [f"{owner}.id"], name=f"fk_{name}_{owner}")]
                if owner
                else []
            ),
            sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"),
            # The rows stand in the order of their key, so that they are written once.
            sqlite_with_rowid=older and name in ("claim_term", "evidence_term"),
        )
    for index, (name, columns) in {**ALWAYS, **INDEXES[0 if older else 1]}.items():
        op.create_index(index, name, list(columns))
    if not older and not on_sqlite():
        op.create_index(COVERING, "claim_term", list(WHOLE))


def downgrade() -> None:
    _empty_words()
    for name in LABELLED:
        with _altering(name) as batch:
            for column in REPEATED:
                batch.drop_column(column)
    _create_keyed(older=True)
    for name in UNUSED:
        op.create_index(f"ix_evidence_{name}_claim", "evidence", [name, "claim"])
    _rewrite(lambda _kind, body: {"body": unpack(body)})
    with op.batch_alter_table("revision") as batch:
        batch.drop_column("about")
        batch.alter_column(
            "body",
            type_=sa.JSON(),
            existing_type=sa.LargeBinary(),
            existing_nullable=False,
            postgresql_using="convert_from(body, 'UTF8')::json",
        )
