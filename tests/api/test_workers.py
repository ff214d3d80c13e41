"""Several processes serve one database: whoever asks any of them sees what was written by way of
any other.
"""

import time
from pathlib import Path

import pytest

from api.http.response_cache import POLL_SECONDS
from models.database.connections import file_url
from tests.databases import Store
from tests.drills.serving import must_agree, people, serving, together

WRITERS, READERS, WRITES = 4, 4, 4


def test_what_one_process_writes_the_others_show(seeded: Store, tmp_path: Path) -> None:
    admins = people(seeded.database, WRITERS, "admin")
    # A file tells at once; elsewhere it is asked once a second.
    wait, writes = (0.0, WRITES) if seeded.database.inline else (POLL_SECONDS + 0.2, 1)
    done: list[str] = []
    with serving(seeded.url, tmp_path, "--workers", "2") as server:
        until = time.monotonic() + 60
        while server.log.read_text("utf-8").count("Application startup complete") < 2:
            assert time.monotonic() < until, server.log.read_text("utf-8")
            time.sleep(0.05)

        def write_and_look(number: int) -> None:
            # Each connection is one of the processes. Reads go without a key, so that they may be
            # kept.
            writer, reviewer = server.client(admins[number]), server.client(admins[number - 1])
            readers = [server.client() for _ in range(READERS)]
            for turn in range(writes):
                slug = f"k{number}-{turn}"
                for reader in readers:
                    reader.ask(
                        "GET", "/v1/topics?limit=200"
                    )  # So that there is something old to show.
                made = writer.ask(
                    "POST", "/v1/topics", {"id": slug, "label": slug, "definition": "A topic."}
                )
                assert made.status == 201, made.body
                path = f"/v1/records/topic/{slug}:accept"
                accepted = reviewer.ask("POST", path, {"comment": "Good."}, If_Match=made.tag)
                assert accepted.status == 200, accepted.body
                time.sleep(wait)
                for reader in readers:
                    shown = reader.ask("GET", "/v1/topics?limit=200")
                    assert shown.status == 200
                    assert slug in {topic["id"] for topic in shown.body["data"]}
                done.append(slug)

        together(write_and_look, WRITERS)
        server.process.terminate()
        assert server.process.wait(40) == 0
        assert server.log.read_text("utf-8").count("Finished server process") == 2
    assert len(done) == WRITERS * writes
    must_agree(seeded.database)


# What Python runs first in every process: those that serve wait there, as on a machine that takes
# long to read the program.
SLOW = """
import sys, time
if any("multiprocessing.spawn" in each for each in sys.orig_argv):
    time.sleep(7)
"""


@pytest.mark.slow
def test_processes_that_are_slow_to_start_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with serving(file_url(tmp_path / "a.db"), tmp_path, "--workers", "2") as server:
        until = time.monotonic() + 60
        while server.log.read_text("utf-8").count("Application startup complete") < 2:
            assert time.monotonic() < until, server.log.read_text("utf-8")
            time.sleep(0.1)
        assert server.client().ask("GET", "/v1").status == 200
        server.process.terminate()
        assert server.process.wait(40) == 0
        log = server.log.read_text("utf-8")
    assert log.count("Started server process") == log.count("Finished server process") == 2
    assert "died" not in log
