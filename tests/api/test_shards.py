"""Where the statements of all reads would go on Citus: what is of one claim asks one shard, and who
asks more than one is listed with the reason in `tests/crossing.py`. Of writes `test_openapi` asks
the same.
"""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.settings import ROOT
from models import migrations
from models.core.dates import now
from tests.api.curating import ASSESSMENT, CLAIM, Desk, at_desk
from tests.api.curating import LINE as PROPOSED
from tests.api.examples import BODIES, CURATING_EXAMPLES, EXAMPLES, KEY_EXAMPLES
from tests.api.test_reads import parts_of, questions
from tests.api.write_examples import WRITES
from tests.citus_stand_in import STAND_IN
from tests.crossing import ASKERS, CROSSING, unlisted, verdicts
from tests.databases import Templates, store_of
from tests.shards import recorded

# What is of one claim.
OF_ONE_CLAIM = (
    *("get_claim", "list_claim_evidence", "get_timeline", "explain_status", "compare_days"),
    *("list_claim_revisions", "get_evidence", "get_claim_matrix", "list_claim_sources"),
    *("get_occurrence", "get_relation", "get_record"),
)
# More reads, each of another kind of statement.
READS = (
    "/v1/claims?as_of=2010-12-31&sort=-certainty",
    "/v1/claims?q=iron&sort=relevance",
    "/v1/claims?topic=treatment&direction=disputes&count=exact&sort=best_level",
    "/v1/claims/facets?by=status,topic&as_of=2012",
    "/v1/evidence?claim=ccsvi-causes-ms&topic=treatment&sort=-published",
    "/v1/evidence?rating=1&external_id=x:1",
    "/v1/evidence/facets?by=level,direction&q=vein",
    "/v1/sources?q=sham&study_design=cohort",
    "/v1/changes?topic=treatment&since=200",
    "/v1/changes?actor=seed&kind=claim",
    f"/v1/claims/{CLAIM}?known_at={now()[:10]}&as_of=2012",
    f"/v1/claims/{CLAIM}/explanation?known_at={now()[:10]}",
    f"/v1/claims/{CLAIM}/relations?depth=3&direction=both",
    "/v1/export?collection=civic",
)


@pytest.fixture(scope="module")
def desk(templates: Templates) -> Iterator[Desk]:
    """Give a desk on PostgreSQL with a stand-in of Citus, with what the examples need."""
    for store in store_of(templates, "postgresql", seeded=True):
        with store.database.write() as connection:
            connection.execute(text(STAND_IN))
        migrations.distribute(store.database)
        with at_desk(store) as desk:
            desk.must(201, "anna", "POST", f"/v1/claims/{CLAIM}/evidence", PROPOSED)
            desk.must(201, "ben", "POST", f"/v1/claims/{CLAIM}/assessments", ASSESSMENT)
            desk.accepted("collection", "civic", licence="CC0-1.0")
            for name in ("create_suggestion", "create_comment"):
                desk.must(201, "anna", "POST", f"/v1/{name[7:]}s", WRITES[name].body)
            yield desk


@pytest.mark.parametrize("operation", OF_ONE_CLAIM)
def test_what_is_of_one_claim_asks_one_shard(operation: str, desk: Desk) -> None:
    with recorded() as statements:
        assert desk.client.get(EXAMPLES[operation]).status_code == 200
    found = verdicts(statements)
    assert found
    assert [statement.text for statement, verdict in found if verdict.shards != "one"] == []


def test_a_read_crosses_shards_only_where_it_is_listed(desk: Desk) -> None:
    app = desk.client.app
    assert isinstance(app, FastAPI)
    parts = {**parts_of(desk.client), "key": "none", "webhook": "none"}
    asked: list[tuple[str, str, str | None]]
    asked = [(method, path, None) for _, method, path in questions(app, parts)]
    asked += [("GET", path, None) for path in READS]
    asked += [
        ("POST" if name in BODIES else "GET", path, BODIES.get(name))
        for name, path in EXAMPLES.items()
    ]
    asked += [
        (method, path, BODIES.get(name))
        for name, (method, path) in (KEY_EXAMPLES | CURATING_EXAMPLES).items()
        if (method == "GET" or path.endswith(":preview")) and "{" not in path
    ]
    with recorded() as statements:
        for method, path, body in asked:
            for who in ("anna", None) if method == "GET" else ("cleo",):
                answer = desk.ask(who, method, path, body, Content_Type="application/json")
                assert answer.status_code < 500, answer.text
    assert unlisted(statements) == []
    # Nobody is listed who is not there.
    for asker in ASKERS:
        module, _, name = asker.rpartition(".")
        file = ROOT / f"{module.replace('.', '/')}.py"
        assert f"def {name}(" in file.read_text(encoding="utf-8"), asker
    assert len(ASKERS) == sum(map(len, CROSSING.values()))
