"""The judge of statements itself (`tests/shards.py`)."""

from typing import Any

import pytest

from tests.shards import Statement, judge

REFUSED = "refused"
NAME = "'topic/' || topic.id"


@pytest.mark.parametrize(
    ("text", "values", "goes"),
    [
        ("SELECT topic.id FROM topic WHERE topic.id = %(a)s", {"a": 1}, "none"),
        ("BEGIN", None, "none"),
        ("SELECT value FROM serial FOR UPDATE", None, "none"),
        ("SELECT claim.id FROM claim WHERE claim.id = %(a)s::VARCHAR", {"a": "x"}, "one"),
        ("SELECT id FROM claim WHERE id = 'x'", None, "one"),
        ("SELECT claim.id FROM claim WHERE claim.state = %(a)s", {"a": "x"}, "all"),
        ("SELECT claim.id FROM claim WHERE claim.id > %(a)s", {"a": "x"}, "all"),
        ("SELECT 1 FROM claim WHERE claim.id IN (%(a)s, %(b)s)", {"a": 1, "b": 2}, "named"),
        ("SELECT 1 FROM claim WHERE claim.id IN (%(a)s, %(b)s)", {"a": 1, "b": 1}, "one"),
        ("SELECT 1 FROM claim WHERE claim.id = %(a)s OR claim.note = %(a)s", {"a": 1}, "all"),
        (
            "SELECT 1 FROM claim WHERE claim.id = %(a)s OR (claim.id = %(b)s AND claim.note = 'x')",
            {"a": 1, "b": 2},
            "named",
        ),
        (
            "SELECT 1 FROM evidence WHERE (evidence.claim, evidence.key) IN ((%s, %s), (%s, %s))",
            (1, 2, 1, 3),
            "one",
        ),
        (
            "SELECT 1 FROM claim JOIN evidence ON evidence.claim = claim.id"
            " JOIN source ON source.id = evidence.source WHERE claim.id = %(a)s",
            {"a": 1},
            "one",
        ),
        ("SELECT 1 FROM claim JOIN relation ON relation.target = claim.id", None, "all"),
        (
            "SELECT 1 FROM claim JOIN (SELECT evidence.claim AS id_0 FROM evidence"
            " WHERE evidence.claim = %(a)s LIMIT 1) AS found ON claim.id = found.id_0",
            {"a": 1},
            "one",
        ),
        (
            "SELECT 1 FROM claim WHERE claim.id = %(a)s AND EXISTS (SELECT 1 FROM evidence"
            " WHERE evidence.claim = claim.id)",
            {"a": 1},
            "one",
        ),
        # What a subquery asks for says nothing of the rows around it.
        (
            "SELECT 1 FROM claim WHERE NOT EXISTS (SELECT 1 FROM evidence"
            " WHERE evidence.claim = claim.id AND evidence.claim = %(a)s)",
            {"a": 1},
            "all",
        ),
        (
            "SELECT claim.id, (SELECT r.at FROM revision AS r WHERE r.root = claim.id"
            " ORDER BY r.serial DESC LIMIT 1) FROM claim",
            None,
            "all",
        ),
        (
            "SELECT claim.id, (SELECT r.at FROM revision AS r WHERE r.record = claim.note"
            " ORDER BY r.serial DESC LIMIT 1) FROM claim",
            None,
            REFUSED,
        ),
        (
            "SELECT 1 FROM claim WHERE NOT EXISTS (SELECT 1 FROM relation"
            " WHERE relation.target = claim.id)",
            None,
            REFUSED,
        ),
        (
            f"SELECT 1 FROM topic WHERE NOT EXISTS (SELECT 1 FROM revision AS r WHERE r.record"  # noqa: S608
            f" = {NAME})",
            None,
            REFUSED,
        ),
        (
            "SELECT 1 FROM topic WHERE topic.id IN (SELECT claim_topic.topic FROM claim_topic)",
            None,
            "all",
        ),
        ("UPDATE claim SET revision = %(b)s WHERE claim.id = %(a)s", {"a": 1, "b": 2}, "one"),
        ("UPDATE claim SET revision = %(b)s", {"b": 2}, "all"),
        ("DELETE FROM evidence WHERE evidence.claim = %(a)s", {"a": 1}, "one"),
        ("DELETE FROM source_author WHERE source_author.source = %(a)s", {"a": 1}, "none"),
        ("INSERT INTO claim (state, id) VALUES (%(a)s, %(b)s)", {"a": 1, "b": 2}, "one"),
        ("SELECT CASE claim.state WHEN 'x' THEN 1 END FROM claim", None, REFUSED),
        ("SELECT CASE WHEN claim.state = 'x' THEN 1 END FROM claim", None, "all"),
        ("COPY evidence (claim, key) FROM STDIN", None, "named"),
        ("COPY source (id) FROM STDIN", None, "none"),
        ("SELECT 1 FROM claim UNION SELECT 1 FROM topic", None, "all"),
    ],
)
def test_where_a_statement_goes(text: str, values: Any, goes: str) -> None:
    verdict = judge(Statement(text, values, ""))
    assert (REFUSED if verdict.refusals else verdict.shards) == goes, verdict.refusals
