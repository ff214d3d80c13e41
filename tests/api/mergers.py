"""Two claims that say the same, and what everybody sees of them."""

from typing import Any

from tests.api.curating import CLAIM, Desk

# With these a list has all that is answered of one claim.
PARTS = ("occurrences", "evidence", "relations", "assessments", "sources")
OLD, INTO, THIRD = "old-claim", "new-claim", "ms-cause-unknown"


def shown(desk: Desk) -> dict[str, Any]:
    """Return every claim and source as everybody sees it, without what tells when it was
    changed.
    """
    return {
        f"{kind}/{each['id']}": _steady(each)
        for kind, whole in (("claims", f"&include={','.join(PARTS)}"), ("sources", ""))
        for each in desk.must(200, None, "GET", f"/v1/{kind}?limit=200{whole}")["data"]
    }


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _steady(each)
            for name, each in value.items()
            if name not in ("revision", "updated")
        }
    return [_steady(each) for each in value] if isinstance(value, list) else value


def state(desk: Desk, kind: str, record: str) -> tuple[str, str | None]:
    body = desk.record(kind, record)["record"]
    return body["state"], body["replaced_by"]


def two_claims(desk: Desk) -> None:
    """Make two claims that say the same, with parts and ties of every sort on both."""
    for slug, topics in ((OLD, ["iron"]), (INTO, ["treatment"])):
        desk.accepted("claim", slug, topics=topics)
        # The same key on both, with other content.
        desk.accepted("evidence", "both", claim=slug, finding=f"Found for {slug}.")
        desk.accepted("occurrence", "both", claim=slug, quote=f"So said of {slug}.")
    desk.accepted("occurrence", "alone", claim=OLD)
    desk.accepted("evidence", "alone", claim=OLD, direction="disputes", source="cochrane-2019")
    # Field by field the same on both.
    desk.propose("ben", "assessment", "same", claim=OLD)
    desk.propose("ben", "assessment", "same", claim=INTO)
    # Ties from and to both, the same ones and others; one between the two, each with evidence on
    # it.
    for claim, type_, target in (
        *(
            (OLD, "leads_to", CLAIM),
            (INTO, "leads_to", CLAIM),
            (OLD, "rivals", CLAIM),
            (OLD, "refines", INTO),
        ),
        *(
            (CLAIM, "names", OLD),
            (CLAIM, "names", INTO),
            (THIRD, "contradicts", OLD),
            (INTO, "rivals", OLD),
        ),
    ):
        desk.accepted("relation", target, claim=claim, type=type_)
        tie = {"relation_type": type_, "relation_target": target}
        desk.accepted("evidence", f"on-{type_.replace('_', '-')}-{target}", claim=claim, **tie)
    # What waits on the one that goes, and on what points to it.
    desk.propose("emil", "evidence", "waits", OLD)
    desk.propose("emil", "relation", THIRD, OLD)
    desk.propose(
        "emil", "evidence", "waits-on-tie", THIRD, relation_type="contradicts", relation_target=OLD
    )
    desk.propose("emil", "relation", OLD, "ccsvi-full-name")
