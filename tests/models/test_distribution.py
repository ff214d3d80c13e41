"""Where the tables go on Citus. A stand-in has its functions and notes what is asked of them: what
Citus itself does is tried by `tests/drills/citus.py`.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint, text
from sqlmodel import SQLModel

from models import migrations
from models.database.connections import connect
from models.database.sharding import distributed_tables
from models.migrations import distribution, tables
from models.migrations.distribution import PLACES, REFERENCE, NoCitus
from models.projection import rebuild
from models.read.change_feed import changes_after
from models.records.claim import TopicIn
from models.transfer import licences
from models.write import changes
from tests.citus_stand_in import STAND_IN
from tests.command_line import run
from tests.crossing import unlisted
from tests.databases import Store, Templates, store_of
from tests.shards import recorded

# In the order in which they were distributed.
CALLS = text("SELECT call FROM pg_dist_partition ORDER BY ctid")


def table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


@pytest.fixture
def cluster(templates: Templates) -> Iterator[Store]:
    """Give a seeded PostgreSQL with a stand-in of Citus."""
    for store in store_of(templates, "postgresql", seeded=True):
        with store.database.write() as connection:
            connection.execute(text(STAND_IN))
        yield store


def test_every_table_has_a_place() -> None:
    assert tables.tables
    assert {*SQLModel.metadata.tables, "alembic_version"} == PLACES.keys()


@pytest.mark.parametrize("name", [name for name in PLACES if name != "alembic_version"])
def test_a_key_has_the_column_of_its_shard(name: str) -> None:
    """Citus keeps neither a key nor a reference that leads to other shards."""
    column, places = PLACES[name], list(PLACES)
    for constraint in table(name).constraints:
        if isinstance(constraint, ForeignKeyConstraint):
            to = constraint.referred_table.name
            assert to == name or places.index(to) < places.index(name)
            if PLACES[to] == REFERENCE:
                continue
            assert column != REFERENCE, "what is whole on every node refers to no shard"
            pairs = {(key.parent.name, key.column.name) for key in constraint.elements}
            assert (column, PLACES[to]) in pairs
        elif column != REFERENCE and isinstance(
            constraint, PrimaryKeyConstraint | UniqueConstraint
        ):
            assert column in constraint.columns
    assert column == REFERENCE or not any(index.unique for index in table(name).indexes)


def test_the_columns_of_shards_are_alike() -> None:
    """Citus puts tables side by side if the type and the collation of these columns are one."""
    kinds = {
        repr(table(name).c[column].type) for name, column in PLACES.items() if column != REFERENCE
    }
    assert len(kinds) == 1, kinds


def test_the_tables_are_distributed_in_order_and_once(cluster: Store) -> None:
    assert run("migrate", "--distributed", "--database-url", cluster.url).returncode == 0
    with cluster.database.read() as connection:
        calls = list(connection.scalars(CALLS))
        assert distributed_tables(connection) == set(PLACES)
    assert [call.split()[0] for call in calls] == list(PLACES)
    assert {call for call in calls if call.split()[0] in ("topic", "claim", "evidence")} == {
        "topic everywhere",
        "claim by id with default",
        "evidence by claim with claim",
    }
    again = run("migrate", "--distributed", "--database-url", cluster.url)
    assert "0 tables distributed." in again.stdout


def test_without_citus_one_sentence_says_so(empty: Store) -> None:
    refused = run("migrate", "--distributed", "--database-url", empty.url)
    assert refused.returncode == 1
    assert refused.stderr.startswith("This database cannot be distributed: it has no Citus")
    assert refused.stderr.count("\n") == 1
    with empty.database.read() as connection, pytest.raises(NoCitus):
        distribution.require_citus(connection)


def test_only_the_newest_schema_is_distributed(cluster: Store) -> None:
    refused = run("migrate", "--distributed", "--to", "0011", "--database-url", cluster.url)
    assert refused.returncode == 2


def test_a_writer_sets_what_citus_needs_and_only_there(cluster: Store) -> None:
    wanted = text(
        "SELECT current_setting('citus.multi_shard_modify_mode', true),"
        " current_setting('citus.propagate_set_commands', true), current_setting('lock_timeout')"
    )
    with changes.begin(cluster.database, actor="test") as change:
        before = change.connection.execute(wanted).one()
    assert (before[0] or None, before[1] or None) == (None, None)
    migrations.distribute(cluster.database)
    assert cluster.database.is_distributed
    # Another process finds it out by its first connection.
    other = connect(cluster.url)
    assert not other.is_distributed
    with other.read():
        assert other.is_distributed
    for database in (cluster.database, other):
        with changes.begin(database, actor="test") as change:
            assert tuple(change.connection.execute(wanted).one())[:2] == ("sequential", "local")
            assert change.connection.execute(wanted).one()[2] == "20s"
    other.close()


def test_a_migration_distributes_what_it_makes_before_it_derives(
    cluster: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations.distribute(cluster.database)
    seen: list[set[str]] = []
    monkeypatch.setattr(
        rebuild, "rebuild", lambda connection, _report: seen.append(distributed_tables(connection))
    )
    monkeypatch.setattr(rebuild, "is_current", lambda _connection: False)
    monkeypatch.setattr(distribution, "PLACES", {**PLACES, "nickname": "claim"})
    # A step that makes a table, in place of a migration to come.
    usual = migrations._step

    def step(connection: object, at: str | None, target: str) -> None:
        connection.execute(text("CREATE TABLE nickname (claim text PRIMARY KEY)"))  # type: ignore[attr-defined]
        usual(connection, at, target)  # type: ignore[arg-type]

    monkeypatch.setattr(migrations, "_step", step)
    migrations.migrate(cluster.database)
    assert seen == [{*PLACES, "nickname"}]


def test_the_feed_stops_before_what_is_not_seen_yet(cluster: Store) -> None:
    """On another server a revision may be seen a moment after the serial that it has."""
    migrations.distribute(cluster.database)
    with changes.begin(cluster.database, actor="test") as change:
        for slug in ("first", "second", "third"):
            changes.put_topic(change, TopicIn(id=slug, label=slug, definition="A topic."))
    last = change.serial
    unseen = text("UPDATE revision SET serial = -serial WHERE record = 'topic/second'")
    with cluster.database.write() as connection:
        connection.execute(unseen)
    with cluster.database.read() as connection:
        batch = changes_after(connection, last - 3, 10, {})
        again = changes_after(connection, batch.next, 10, {})
    assert [row["record"] for row in batch.rows] == ["topic/first"]
    assert (batch.next, batch.last, again.rows, again.next) == (last - 2, last, [], last - 2)
    with cluster.database.write() as connection:
        connection.execute(text("UPDATE revision SET serial = -serial WHERE serial < 0"))
    with cluster.database.read() as connection:
        batch = changes_after(connection, batch.next, 10, {})
    assert [row["record"] for row in batch.rows] == ["topic/second", "topic/third"]
    assert batch.next == batch.last == last


def test_licences_are_alike_where_a_table_is_whole_on_every_node(cluster: Store) -> None:
    with changes.begin(cluster.database, actor="import") as change:
        changes.put_topic(change, TopicIn(id="alone", label="Alone", definition="A topic."))
    with cluster.database.read() as connection:
        before = licences.licences_of(connection, licences.all_records())
    migrations.distribute(cluster.database)
    with cluster.database.read() as connection, recorded() as statements:
        assert licences.licences_of(connection, licences.all_records()) == before
    assert before == ["CC0-1.0", None]
    assert unlisted(statements) == []
