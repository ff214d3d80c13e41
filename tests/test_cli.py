"""The command line. Most commands run in this process, some in one of their own, as a person runs
them.
"""

import http.client
import json
import re
import signal
import socket
from pathlib import Path

import pytest
from platformdirs import user_data_path
from sqlalchemy import update

from api.cli.serve import _content, _seed_if_empty
from api.http import server
from api.settings import ROOT, Settings, data_folder, installed_version
from models.access import api_keys
from models.database import schema_version
from models.database.connections import file_url
from models.projection import rebuild
from models.records.revision import Serial
from models.records.serializers import table
from models.write import changes
from tests.command_line import get, run, run_alone, serving
from tests.databases import SEEDED, SEEDED_CLAIMS, SEEDED_SOURCES, Store
from tests.records import a_claim, a_source


def test_serve_migrates_seeds_and_says_where_to_look(tmp_path: Path) -> None:
    url = file_url(tmp_path / "a.db")
    with serving(url) as (port, process, _):
        found = json.loads(get(port, "/v1/claims?status=refuted&include=evidence"))
        refuted = [claim["id"] for claim in found["data"]]
        assert refuted[0] == "ccsvi-causes-ms"
        assert "opening-veins-helps-ms" in refuted
        trials = {
            line["source"]
            for line in found["data"][0]["evidence"]
            if line["study_design"] == "sham_controlled_trial"
        }
        assert trials == {"siddiqui-2014", "traboulsee-2018", "zamboni-2018"}
        process.send_signal(signal.SIGTERM)
        out, log = process.communicate(timeout=25)
    # Uvicorn ends in order, then hands the signal on, as a shell expects.
    assert process.returncode == -signal.SIGTERM
    assert f"Seeded an empty database with {SEEDED} records" in out
    assert f"API   http://127.0.0.1:{port}/v1" in out
    records = [json.loads(line) for line in log.splitlines()]
    requests = [
        record
        for record in records
        if record["message"] == "request" and record["path"] == "/v1/claims"
    ]
    assert [(record["status"], record["method"]) for record in requests] == [(200, "GET")]

    with serving(url) as (port, _, _):
        assert json.loads(get(port, "/v1"))["serial"] == SEEDED


def test_a_taken_port_is_one_line_before_anything_is_done(tmp_path: Path) -> None:
    url = file_url(tmp_path / "a.db")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port), url=url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Cannot listen on port {port} of 127.0.0.1: Address already in use."
        " Choose another with --host and --port.\n"
    )
    assert list(tmp_path.iterdir()) == []
    done = run("serve", "--host", "203.0.113.1", url=url)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_a_port_is_taken_at_every_address_of_a_name() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        try:
            bound = server.bind(host, 0)
        except OSError:
            # Not every machine has IPv6.
            assert host == "::1"
            continue
        port = bound[0].getsockname()[1]
        with pytest.raises(OSError, match="already in use"):
            bound[0].listen()
            server.bind(host, port)
        for each in bound:
            each.close()


@pytest.mark.parametrize(
    ("name", "given", "takes"),
    [
        ("CORS_ORIGINS", "http://x", 'a JSON list of texts, such as ["*"]'),
        ("TRUSTED_PROXIES", '{"a": 1}', 'a JSON list of texts, such as ["127.0.0.1", "::1"]'),
        ("PORT", "99999", "a whole number, at least 0, at most 65535"),
        ("METRICS_PORT", "none", "a whole number, at least 0, at most 65535"),
        ("READ_SECONDS", "0", "a number, above 0"),
        ("SEED_EMPTY", "ja", "true or false"),
        ("LOG_LEVEL", "loud", "one of debug, info, warning, error"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "check"])
def test_a_setting_that_cannot_be_is_one_line(
    command: str, name: str, given: str, takes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"CLAIMBASE_{name}", given)
    done = run(command)
    assert (done.returncode, done.stdout) == (1, "")
    about = Settings.model_fields[name.lower()].description
    assert done.stderr == f"CLAIMBASE_{name} takes {takes}. ({about})\n"


def test_every_setting_that_can_be_wrong_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = (str, str | None, Path)
    wrong = {
        name: field
        for name, field in Settings.model_fields.items()
        if field.annotation not in texts
    }
    for name in wrong:
        monkeypatch.setenv(f"CLAIMBASE_{name.upper()}", "what?")
    told = run("check").stderr.splitlines()
    assert [line.split()[0] for line in told] == [f"CLAIMBASE_{name.upper()}" for name in wrong]


def test_the_version_is_one_line() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"claimbase {installed_version()}\n")


def test_a_variable_that_is_no_setting_is_named(
    empty: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMBASE_PROT", "9000")
    monkeypatch.setenv("CLAIMBASE_XYZ", "1")
    done = run("keys", "list", url=empty.url)
    assert done.returncode == 0
    assert done.stderr == (
        "CLAIMBASE_PROT is not a setting, and is ignored. Did you mean CLAIMBASE_PORT?\n"
        "CLAIMBASE_XYZ is not a setting, and is ignored.\n"
    )


def test_help_shows_the_default_of_a_setting() -> None:
    told = " ".join(run("serve", "--help").stdout.replace("│", "").split())
    assert "CLAIMBASE_PORT, else 8000" in told


def test_data_lies_in_the_checkout_or_with_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert data_folder(ROOT) == ROOT / "data"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    assert data_folder(tmp_path) == user_data_path("claimbase", appauthor=False)
    assert ROOT not in data_folder(tmp_path).parents


def test_an_empty_folder_of_seeds_is_an_empty_base(empty: Store, tmp_path: Path) -> None:
    _seed_if_empty(empty.database, Settings(seed_dir=tmp_path))
    with empty.database.read() as connection:
        assert _content(connection) == "0 claims, 0 sources, serial 0"


def test_a_list_is_read_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAIMBASE_CORS_ORIGINS", '["https://a.example", "https://b.example"]')
    assert Settings().cors_origins == ["https://a.example", "https://b.example"]


def test_a_start_tells_how_much_is_served(empty: Store) -> None:
    with changes.begin(empty.database, actor="test") as change:
        changes.put_claim(change, a_claim("stands"))
        changes.put_claim(change, a_claim("taken-back", state="retracted"))
        changes.put_claim(change, a_claim("waits", state="submitted"))
        changes.put_source(change, a_source("one"))
        changes.put_source(change, a_source("two"))
    with empty.database.read() as connection:
        assert _content(connection) == "1 claim, 2 sources, serial 5"


def test_seed_check_rebuild_migrate(empty: Store) -> None:
    first = run("seed", url=empty.url)
    assert first.returncode == 0, first.stderr
    assert re.search(rf"{SEEDED_CLAIMS} claim stored", first.stdout)
    second = run("seed", url=empty.url)
    assert "stored" not in second.stdout
    assert run("rebuild", url=empty.url).stdout == f"{SEEDED_CLAIMS} claims derived anew.\n"
    checked = run("check", url=empty.url)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.endswith("all agrees.\n")
    refused = run("migrate", "--to", "base", url=empty.url)
    assert refused.returncode == 1
    assert "Going back to base loses " in refused.stderr
    assert f"{SEEDED_SOURCES} rows of source," in refused.stderr
    assert "say --yes" in refused.stderr
    assert run("check", url=empty.url).returncode == 0, "nothing was changed"
    down = run("migrate", "--to", "base", "--yes", url=empty.url)
    assert "is at migration base" in down.stdout
    behind = run("check", url=empty.url)
    assert behind.returncode == 1
    assert "run claimbase migrate" in behind.stderr
    assert f"is at migration {schema_version.HEAD}" in run("migrate", url=empty.url).stdout
    assert run("check", url=empty.url).returncode == 0


def test_a_database_of_older_rules_says_that_it_takes_time(seeded: Store) -> None:
    with seeded.database.write() as connection:
        connection.execute(update(table(Serial)).values(derivation="older"))
    told = [run("migrate", url=seeded.url).stderr for _ in range(2)]
    assert told == ["The database is brought up to date, which may take minutes.\n", ""]


def test_a_rebuild_tells_how_far_it_is(seeded: Store) -> None:
    told: list[tuple[int, int]] = []
    with seeded.database.write() as connection:
        rebuild.rebuild(connection, lambda *numbers: told.append(numbers))
    assert sum(more for more, _total in told) == SEEDED_CLAIMS
    assert {total for _more, total in told} == {SEEDED_CLAIMS}


def test_a_bad_seed_exits_1_with_the_report(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "claims").mkdir(parents=True)
    (folder / "claims" / "x.yaml").write_text("statement: X.\nkind: fact\n", encoding="utf-8")
    done = run_alone("seed", str(folder), url=file_url(tmp_path / "a.db"))
    assert done.returncode == 1
    assert (
        "mine/claims/x.yaml: kind: 'fact' is not a term of the vocabulary claim-kinds."
        in done.stderr
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "is not a database URL"),
        ("postgresql://nobody@127.0.0.1:1/none", "The database cannot be used"),
        ("sqlite:////proc/no/such.db", "cannot be used"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(url: str, told: str) -> None:
    done = run("check", url=url)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_check_of_a_database_that_is_not_there_makes_none(tmp_path: Path) -> None:
    done = run("check", url=file_url(tmp_path / "none.db"))
    assert done.returncode == 1
    assert "run claimbase migrate" in done.stderr


def test_import_sources_stores_what_is_new_and_says_what_became_of_each(
    empty: Store, tmp_path: Path
) -> None:
    file = tmp_path / "some.bib"
    file.write_text(
        "@article{a, title = {One}, author = {Smith, A}, year = 2001}\n@article{b, year = 2002}\n",
        encoding="utf-8",
    )
    dry = run("import", "sources", str(file), "--dry-run", url=empty.url)
    assert "2 found = 1 new (0 stored) + 0 matched + 1 reported." in dry.stdout
    first = run("import", "sources", str(file), url=empty.url)
    assert first.returncode == 1
    assert "line 1: new smith-2001" in first.stdout
    assert "line 2: reported" in first.stdout
    assert "2 found = 1 new (1 stored) + 0 matched + 1 reported." in first.stdout
    second = run("import", "sources", str(file), url=empty.url)
    assert "1 matched" in second.stdout
    missing = run("import", "sources", str(tmp_path / "none.bib"), url=empty.url)
    assert (missing.returncode, "No such file" in missing.stderr) == (1, True)
    assert run("check", url=empty.url).returncode == 0


def test_the_report_of_what_nobody_confirmed_needs_no_network(seeded: Store) -> None:
    done = run("sources", "verify", "--report", url=seeded.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "identifiers, titles and dates together (" in done.stdout.splitlines()[-1]
    refused = run("sources", "verify", url=seeded.url)
    assert refused.returncode == 2
    assert "--report" in refused.stderr


def test_verify_without_a_network_is_one_line(seeded: Store) -> None:
    done = run("sources", "verify", "--mailto", "me@example.org", url=seeded.url)
    if done.returncode:  # With a network it reports instead.
        assert done.stderr == "Crossref and PubMed cannot be reached; is there a network?\n"


def test_keys_are_created_listed_and_revoked(empty: Store) -> None:
    made = run(
        "keys",
        "create",
        "--name",
        "Anna Example",
        "--role",
        "curator",
        "--expires",
        "90d",
        "--orcid",
        "https://orcid.org/0000-0002-1825-0097",
        "--conflict-of-interest",
        "none",
        url=empty.url,
    )
    assert made.returncode == 0, made.stderr
    with empty.database.read() as reader:
        (stored,) = api_keys.list_keys(reader)
    assert (stored.orcid, stored.conflict_of_interest) == ("0000-0002-1825-0097", "none")
    assert not stored.conflict_of_interest_due
    # The key alone, so that a script can take it; the words go elsewhere, and do not tell it.
    key = made.stdout.removesuffix("\n")
    identity = re.fullmatch(r"claimbase_([0-9A-Za-z]{8})_([0-9A-Za-z]{32})_[0-9A-Za-z]{6}", key)
    assert identity
    assert identity[1] in made.stderr
    assert identity[2] not in made.stderr
    run("keys", "create", "--name", "Bob", "--role", "admin", url=empty.url)

    listed = [line.split("\t") for line in run("keys", "list", url=empty.url).stdout.splitlines()]
    assert [(line[1], line[-1]) for line in listed] == [
        ("curator", "Anna Example"),
        ("admin", "Bob"),
    ]
    assert listed[0][0] == identity[1]
    assert listed[0][3].startswith("expires ")

    with serving(empty.url) as (port, process, _):
        codes = []
        for _ in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/v1/keys", headers={"Authorization": f"Bearer {key}"})
            codes.append(connection.getresponse().status)
            connection.close()
            assert run("keys", "revoke", identity[1], url=empty.url).returncode == 0
        # Known, and no admin; then, at once, good for nothing.
        assert codes == [403, 401]
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=25)
    assert identity[2] not in log
    denials = [json.loads(line) for line in log.splitlines() if '"claimbase.audit"' in line]
    assert [(each["status"], each["reason"], each["key"]) for each in denials] == [
        (403, "forbidden", identity[1]),
        (401, "revoked_key", identity[1]),
    ]
    assert "\trevoked " in run("keys", "list", url=empty.url).stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["create", "--name", "seed", "--role", "admin"],
            "name: The program uses this name itself",
        ),
        (
            ["create", "--name", "Anna", "--role", "boss"],
            "role: 'boss' is not a term of the vocabulary roles",
        ),
        (
            ["create", "--name", "Anna", "--role", "admin", "--expires", "2001-01-01"],
            "expires: That is in the past.",
        ),
        (
            ["create", "--name", "Anna", "--role", "admin", "--orcid", "0000-0002-1825-0098"],
            "'0000-0002-1825-0098' is not an ORCID iD",
        ),
        (["revoke", "AAAAAAAA"], "There is no key with the id 'AAAAAAAA'."),
    ],
)
def test_a_key_that_cannot_be_created_or_read_is_one_line(
    arguments: list[str], told: str, empty: Store
) -> None:
    done = run("keys", *arguments, url=empty.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert run("keys", "list", url=empty.url).stdout == ""
