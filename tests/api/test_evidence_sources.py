"""Evidence, sources, relations, topics, vocabularies and the index, against the whole documents."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from api.main import create_app
from api.settings import Settings
from models.read import relation_graph
from models.records.claim import ClaimIn
from models.records.relation import RelationIn
from models.records.source import SourceIn
from models.write import changes
from tests.api.requests import Record, all_claims, all_sources, get_json, ids, ids_of_all_pages
from tests.databases import Store
from tests.records import put_part

Holds = Callable[[Record], Any]
LEVELS = ["1", "2", "3", "4", "5", "not_gradable"]


@pytest.fixture(scope="module")
def claims(client: TestClient) -> list[Record]:
    return all_claims(client)


@pytest.fixture(scope="module")
def lines(claims: list[Record]) -> list[Record]:
    """Return every line, those on claims and those on relations."""
    return [
        found
        for claim in claims
        for place in ([claim], claim["relations"])
        for holder in place
        for found in holder["evidence"]
    ]


@pytest.fixture(scope="module")
def sources(client: TestClient) -> list[Record]:
    return all_sources(client)


EVIDENCE_FILTERS: dict[str, Holds] = {
    "level=1": lambda e: e["level"] == "1",
    "level=1,3": lambda e: e["level"] in ("1", "3"),
    "level=5&level=not_gradable": lambda e: e["level"] in ("5", "not_gradable"),
    "level.lte=2": lambda e: e["level"] in ("1", "2"),
    "direction=supports": lambda e: e["direction"] == "supports",
    "direction=disputes,inconclusive&level=4": lambda e: (
        e["direction"] != "supports" and e["level"] == "4"
    ),
    "study_design=sham_controlled_trial": lambda e: e["study_design"] == "sham_controlled_trial",
    "study_design=pathology,laboratory": lambda e: e["study_design"] in ("pathology", "laboratory"),
    "directness=indirect": lambda e: e["directness"] == "indirect",
    "question=treatment_benefit": lambda e: e["question"] == "treatment_benefit",
    "independence_group=ferrara": lambda e: e["independence_group"] == "ferrara",
    "source=yang-2023": lambda e: e["source"] == "yang-2023",
    "source=pmid:21490322": lambda e: e["source"] == "zivadinov-2011",
    "source=doi:10.1177/1538574413503562": lambda e: e["source"] == "zwischenberger-2013",
    "source=siddiqui-2014,fda-2012": lambda e: e["source"] in ("siddiqui-2014", "fda-2012"),
    "year.gte=2014": lambda e: e["year"] is not None and e["year"] >= 2014,
    "year.lte=2008": lambda e: e["year"] is not None and e["year"] <= 2008,
    "year.gte=2011&year.lte=2011": lambda e: e["year"] == 2011,
    "sample_size.gte=300": lambda e: (e["sample_size"] or 0) >= 300,
    "sample_size.lte=24": lambda e: e["sample_size"] is not None and e["sample_size"] <= 24,
    "sample_size.gte=100&sample_size.lte=200": lambda e: 100 <= (e["sample_size"] or 0) <= 200,
    "level=4&direction=disputes&sample_size.gte=100&year.gte=2013": lambda e: (
        e["level"] == "4"
        and e["direction"] == "disputes"
        and (e["sample_size"] or 0) >= 100
        and e["year"] >= 2013
    ),
}


@pytest.mark.parametrize("query", EVIDENCE_FILTERS)
def test_a_filter_finds_the_lines_that_the_documents_hold(
    query: str, client: TestClient, lines: list[Record]
) -> None:
    wanted = [found["id"] for found in lines if EVIDENCE_FILTERS[query](found)]
    assert 0 < len(wanted) < len(lines), "this filter tells nothing apart"
    assert ids(client, f"/v1/evidence?{query}") == wanted
    assert get_json(client, f"/v1/evidence?{query}&count=exact&limit=1")["page"]["count"] == len(
        wanted
    )
    of_one = [each for each in wanted if each.startswith("ccsvi-causes-ms:")]
    assert ids(client, f"/v1/claims/ccsvi-causes-ms/evidence?{query}") == of_one


def test_evidence_is_the_same_alone_in_lists_and_in_the_document(
    client: TestClient, lines: list[Record]
) -> None:
    assert ids_of_all_pages(client, "/v1/evidence?limit=200") == [found["id"] for found in lines]
    assert get_json(client, "/v1/evidence?limit=200")["data"] == lines[:200]
    for found in lines:
        assert get_json(client, f"/v1/evidence/{found['id']}") == found
    two = ("ms-cause-unknown", "ms-is-autoimmune")
    on_two = ids(client, f"/v1/evidence?claim={','.join(two)}")
    assert on_two == [found["id"] for found in lines if found["claim"] in two]


EVIDENCE_KEYS: dict[str, Callable[[Record], Any]] = {
    "id": lambda e: (e["claim"], e["key"]),
    "level": lambda e: LEVELS.index(e["level"]),
    "published": lambda e: e["published"],
    "sample_size": lambda e: e["sample_size"],
    "updated": lambda e: e["updated"],
}
SOURCE_KEYS: dict[str, Callable[[Record], Any]] = {
    "id": lambda source: source["id"],
    "published": lambda source: source["published"],
    "title": lambda source: source["title"],
    "updated": lambda source: source["updated"],
}


def in_order(
    records: list[Record], sort: str, keys: dict[str, Callable[[Record], Any]]
) -> list[str]:
    """Return the ids sorted by these names; what is equal stands in the order of the id."""
    ordered = sorted(records, key=keys["id"])
    for name in reversed(sort.split(",")):
        key = keys[name.removeprefix("-")]
        # What has no value comes last either way.
        known = [record for record in ordered if key(record) is not None]
        known.sort(key=key, reverse=name.startswith("-"))
        ordered = [*known, *(record for record in ordered if key(record) is None)]
    return [record["id"] for record in ordered]


@pytest.mark.parametrize(
    "sort", [s + name for name in EVIDENCE_KEYS for s in ("", "-")] + ["level,-published,-id"]
)
def test_pages_give_each_line_once_in_order(
    sort: str, client: TestClient, lines: list[Record]
) -> None:
    wanted = in_order(lines, sort, EVIDENCE_KEYS)
    for limit in (9, min(len(lines), 200)):
        assert ids_of_all_pages(client, f"/v1/evidence?sort={sort}&limit={limit}") == wanted
    of_one = [each for each in wanted if each.startswith("ccsvi-causes-ms:")]
    for limit in (5, len(of_one)):
        assert (
            ids_of_all_pages(
                client, f"/v1/claims/ccsvi-causes-ms/evidence?sort={sort}&limit={limit}"
            )
            == of_one
        )


@pytest.mark.parametrize(
    "sort", [s + name for name in SOURCE_KEYS for s in ("", "-")] + ["-published,-id"]
)
def test_pages_give_each_source_once_in_order(
    sort: str, client: TestClient, sources: list[Record]
) -> None:
    wanted = in_order(sources, sort, SOURCE_KEYS)
    for limit in (3, len(sources)):
        assert ids_of_all_pages(client, f"/v1/sources?sort={sort}&limit={limit}") == wanted


def named(*families: str) -> Holds:
    return lambda s: any((a["family"] or a["literal"]) in families for a in s["authors"])


SOURCE_FILTERS: dict[str, Holds] = {
    "type=report": lambda s: s["type"] == "report",
    "type=report,webpage": lambda s: s["type"] in ("report", "webpage"),
    "study_design=meta_analysis": lambda s: s["study_design"] == "meta_analysis",
    "integrity=corrected": lambda s: s["integrity"] == "corrected",
    "year.gte=2018": lambda s: s["year"] is not None and s["year"] >= 2018,
    "year.lte=2009": lambda s: s["year"] is not None and s["year"] <= 2009,
    "year.gte=2010&year.lte=2010": lambda s: s["year"] == 2010,
    "author=sundstrom": named("Sundström"),
    "author=SUNDSTR%C3%96M": named("Sundström"),
    "author=Sundstro%CC%88m": named("Sundström"),  # The same letters, decomposed.
    "author=zamboni": named("Zamboni"),
    "author=Traboulsee&author=doepp": named("Traboulsee", "Doepp"),
    "author=us food and drug administration": named("US Food and Drug Administration"),
    "journal=Annals of Neurology": lambda s: s["container_title"] == "Annals of Neurology",
    "journal=Ann Neurol": lambda s: s["container_title_short"] == "Ann Neurol",
    "journal=Journal of Neurology, Neurosurgery %26 Psychiatry": lambda s: (
        s["container_title"] == "Journal of Neurology, Neurosurgery & Psychiatry"
    ),
    "journal=Ann Neurol&journal=CMAJ": lambda s: (
        s["container_title_short"] in ("Ann Neurol", "CMAJ")
    ),
    "author=zamboni&year.lte=2008": lambda s: named("Zamboni")(s) and s["year"] <= 2008,
}


@pytest.mark.parametrize("query", SOURCE_FILTERS)
def test_a_filter_finds_the_sources_that_say_so(
    query: str, client: TestClient, sources: list[Record]
) -> None:
    wanted = [source["id"] for source in sources if SOURCE_FILTERS[query](source)]
    assert 0 < len(wanted) < len(sources), "this filter tells nothing apart"
    assert ids(client, f"/v1/sources?{query}") == wanted
    assert get_json(client, f"/v1/sources?{query}&count=exact&limit=1")["page"]["count"] == len(
        wanted
    )


def test_no_source_of_the_seed_is_retracted(client: TestClient, sources: list[Record]) -> None:
    assert ids(client, "/v1/sources?retracted=true") == []
    assert ids(client, "/v1/sources?retracted=false") == [source["id"] for source in sources]


def test_a_retracted_source_is_found_and_told_apart(seeded: Store) -> None:
    source = SourceIn(
        id="gone-2020",
        type="article-journal",
        title="Gone",
        study_design="cohort",
        integrity="retracted",
        integrity_note="Retracted by its publisher.",
    )
    with changes.begin(seeded.database, actor="test") as change:
        assert changes.put_source(change, source)
    with TestClient(create_app(Settings(database_url=seeded.url))) as client:
        assert ids(client, "/v1/sources?retracted=true") == ["gone-2020"]
        assert "gone-2020" not in ids(client, "/v1/sources?retracted=false")
        assert ids(client, "/v1/sources?integrity=retracted") == ["gone-2020"]


def test_a_source_is_found_by_each_of_its_identifiers(
    client: TestClient, sources: list[Record]
) -> None:
    tried = 0
    for source in sources:
        alone = {**source, "web_page": f"/sources/{source['id']}"}
        for found in source["identifiers"]:
            for value in (found["value"].upper(), found["value"].lower()):
                for written in (
                    quote(value, safe="/()"),
                    quote(value, safe=""),
                ):  # Slashes as they are, and encoded.
                    assert get_json(client, f"/v1/sources/{found['scheme']}:{written}") == alone
                    tried += 1
    assert tried == 4 * sum(len(source["identifiers"]) for source in sources) > 200


@pytest.mark.parametrize(
    "reference",
    [
        "traboulsee-2014",
        "pmid:24119384",
        "doi:10.1016/s0140-6736(13)61747-x",
        "doi:10.1016/S0140-6736%2813%2961747-X",
        # As people hold them; a proxy may make one slash of two.
        "10.1016/S0140-6736(13)61747-X",
        "https://doi.org/10.1016/S0140-6736(13)61747-X",
        "https:/dx.doi.org/10.1016/S0140-6736%2813%2961747-X",
        "24119384",
        "https://pubmed.ncbi.nlm.nih.gov/24119384/",
    ],
)
def test_the_claims_of_a_source_rest_on_it_or_are_stated_in_it(
    reference: str, client: TestClient
) -> None:
    assert ids(client, f"/v1/sources/{reference}/claims") == [
        "ccsvi-causes-ms",
        "ccsvi-commoner-in-ms",
        "ccsvi-is-clinical-entity",
        "narrow-neck-veins-common",
    ]
    assert ids(client, f"/v1/sources/{reference}/claims?status=refuted") == ["ccsvi-causes-ms"]
    assert get_json(client, f"/v1/sources/{reference}")["id"] == "traboulsee-2014"
    # A number in a filter is a slug.
    if not reference.isdecimal():
        assert ids(client, f"/v1/claims?source={reference}&status=refuted") == ["ccsvi-causes-ms"]


def test_the_claims_of_every_source_are_those_that_name_it(
    client: TestClient, claims: list[Record], sources: list[Record]
) -> None:
    for source in sources:
        cited = [claim["id"] for claim in claims if source in claim["sources"]]
        assert ids(client, f"/v1/sources/{source['id']}/claims") == cited
        assert ids_of_all_pages(
            client, f"/v1/sources/{source['id']}/claims?fields=id&sort=-status&limit=4"
        ) == ids(client, f"/v1/sources/{source['id']}/claims?sort=-status")


def tied(
    claims: list[Record], start: str, depth: int, direction: str, types: tuple[str, ...]
) -> dict[str, int]:
    """Return how many steps away each claim is, walked in plain Python."""
    ties = [
        tie for claim in claims for tie in claim["relations"] if not types or tie["type"] in types
    ]
    reached = {start: 0}
    for step in range(1, depth + 1):
        for tie in ties:
            for here, there in ((tie["claim"], tie["target"]), (tie["target"], tie["claim"])):
                allowed = direction == "both" or (direction == "outgoing") == (here == tie["claim"])
                if allowed and reached.get(here) == step - 1:
                    reached.setdefault(there, step)
    return reached


@pytest.mark.parametrize("direction", ["outgoing", "incoming", "both"])
@pytest.mark.parametrize("types", [(), ("leads_to",), ("leads_to", "comments_on")])
@pytest.mark.parametrize("depth", [1, 2, 3, 10])
def test_a_walk_reaches_what_lies_within_its_depth(
    depth: int, types: tuple[str, ...], direction: str, client: TestClient, claims: list[Record]
) -> None:
    for start in (
        "ccsvi-causes-ms",
        "ccsvi-is-vein-narrowing",
        "venous-reflux-in-ms",
        "vein-narrowing-elsewhere",
    ):
        query = f"depth={depth}&direction={direction}" + "".join(f"&type={name}" for name in types)
        walk = get_json(client, f"/v1/claims/{start}/relations?{query}")
        within = tied(claims, start, depth, direction, types)
        assert {claim["id"]: claim["distance"] for claim in walk["claims"]} == within
        assert all(not types or tie["type"] in types for tie in walk["relations"])
        assert {tie["claim"] for tie in walk["relations"]} | {
            tie["target"] for tie in walk["relations"]
        } <= set(within)
        further = tied(claims, start, depth + 1, direction, types)
        assert walk["truncated"] or further == within


def test_the_chain_of_the_article_leads_from_narrow_veins_to_the_disease(
    client: TestClient,
) -> None:
    walk = get_json(
        client,
        "/v1/claims/ccsvi-is-clinical-entity/relations?direction=outgoing&type=leads_to&depth=10",
    )
    assert [claim["id"] for claim in walk["claims"]][:3] == [
        "ccsvi-is-clinical-entity",
        "blocked-veins-open-collaterals",
        "collaterals-make-abnormal-flow",
    ]
    assert walk["claims"][-1]["id"] == "ccsvi-causes-ms"
    assert walk["truncated"] is False
    assert (
        get_json(client, "/v1/claims/ccsvi-is-clinical-entity/relations?type=leads_to&depth=1")[
            "truncated"
        ]
        is True
    )


def test_a_walk_in_a_circle_ends(empty: Store) -> None:
    with changes.begin(empty.database, actor="test") as change:
        for slug in "abc":
            changes.put_claim(change, ClaimIn(id=slug, statement=f"{slug}.", kind="finding"))
        for here, there in ("ab", "bc", "ca"):
            put_part(change, here, RelationIn(type="leads_to", target=there))
    with TestClient(create_app(Settings(database_url=empty.url))) as client:
        walk = get_json(client, "/v1/claims/a/relations?depth=10&direction=outgoing")
        assert [(claim["id"], claim["distance"]) for claim in walk["claims"]] == [
            ("a", 0),
            ("b", 1),
            ("c", 2),
        ]
        assert [tie["claim"] + tie["target"] for tie in walk["relations"]] == ["ab", "bc", "ca"]
        assert walk["truncated"] is False
        assert (
            get_json(client, "/v1/claims/a/relations?depth=1&direction=outgoing")["truncated"]
            is True
        )


def test_a_walk_stops_at_its_limit_of_claims_and_says_so(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relation_graph, "MAX_NODES", 5)
    walk = get_json(client, "/v1/claims/ccsvi-causes-ms/relations?depth=10")
    assert len(walk["claims"]) == 5
    assert walk["truncated"] is True
