"""URLs of PostgreSQL with several hosts: each form means the same, or is refused in a sentence."""

from pathlib import Path

import pytest

from models.database.connections import BadDatabaseUrl, connect, file_url

MANY = ("h1:5432", "h2:5433")


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        ("postgresql://u:p@h1:5432,h2:5433/db", MANY),
        ("postgres://u:p@h1,h2:5433/db?sslmode=require", MANY),
        ("postgresql+psycopg://u:p%2C@h1:5432,h2:5433/db", MANY),
        ("postgresql://u:p@/db?host=h1:5432&host=h2:5433", MANY),
        ("postgresql://u:p@/db?host=h1,h2&port=5432,5433", MANY),
        ("postgresql://h1,h2/db", ("h1:5432", "h2:5432")),
        ("postgresql://u@/db?host=h1,h2&port=7", ("h1:7", "h2:7")),
        ("postgresql://u:p@[::1]:5432,[fd00::2]/db", ("[::1]:5432", "[fd00::2]:5432")),
        ("postgresql://u@/db?host=/run/a,/run/b", ("/run/a:5432", "/run/b:5432")),
        ("postgresql://u@%2Frun%2Fa,%2Frun%2Fb:6/db", ("/run/a:5432", "/run/b:6")),
    ],
)
def test_each_form_names_the_same_hosts(address: str, hosts: tuple[str, ...]) -> None:
    for database in (connect(address), connect("postgresql://u@h/db", None, address)):
        assert database.replicas is not None
        servers = database.replicas.servers
        assert tuple(server.name for server in servers) == ("primary", *hosts)
        for server, host in zip(servers[1:], hosts, strict=True):
            arguments = server.reader.dialect.create_connect_args(server.reader.url)[1]
            name, _, port = host.rpartition(":")
            assert (arguments["host"], str(arguments["port"])) == (name.strip("[]"), port)
            assert "target_session_attrs" not in arguments
        database.close()


def test_the_writer_looks_for_the_host_that_takes_writes() -> None:
    database = connect("postgresql://u:secret@h1:5432,h2:5433/db")
    arguments = database.writer.dialect.create_connect_args(database.writer.url)[1]
    assert (arguments["host"], arguments["port"]) == ("h1,h2", "5432,5433")
    assert arguments["target_session_attrs"] == "read-write"
    assert "secret" not in database.display_url
    database.close()


@pytest.mark.parametrize(
    ("address", "read_address", "told"),
    [
        ("postgresql://u@h1,h2/db?target_session_attrs=any", None, "needs target_session_attrs"),
        ("postgresql://u@h1:0,h2/db", None, "'h1:0' is no host"),
        ("postgresql://u@h1:x,h2/db", None, "'h1:x' is no host"),
        ("postgresql://u@h1,,h2/db", None, "'' is no host"),
        ("postgresql://u@/db?host=h1,h2,h3&port=1,2", None, "3 hosts and 2 ports"),
        ("postgresql://u@h:99:1/db", None, "is not a database URL"),
        ("postgresql://u@h/db", "sqlite:///a.db", "names replicas of a PostgreSQL"),
        ("postgresql://u@h/db", "mysql://u@h/db", "runs on SQLite and PostgreSQL"),
        (
            "postgresql://u@h/db",
            "postgresql://u@a,b/db?target_session_attrs=standby",
            "takes no target_session_attrs",
        ),
    ],
)
def test_what_does_not_work_is_refused_in_a_sentence(
    address: str, read_address: str | None, told: str
) -> None:
    with pytest.raises(BadDatabaseUrl) as refused:
        connect(address, None, read_address)
    assert told in refused.value.detail
    assert refused.value.detail.count(". ") == 0


def test_a_file_has_no_replicas(tmp_path: Path) -> None:
    with pytest.raises(BadDatabaseUrl, match="a SQLite file, which has none"):
        connect(file_url(tmp_path / "a.db"), None, "postgresql://u@h/db")
