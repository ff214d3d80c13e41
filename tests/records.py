"""Records for tests, and how they are stored.

The records are about one claim, x-causes-y, unless they are given another slug.
"""

from typing import Any

from sqlmodel import SQLModel

from models.access.api_keys import Key
from models.records.claim import ClaimIn, TopicIn
from models.records.evidence import EvidenceIn
from models.records.record_types import RECORD_TYPES
from models.records.source import SourceIn
from models.write import changes
from tests.databases import Store


def put_part(change: changes.Change, claim: str, part: SQLModel, action: str | None = None) -> bool:
    """Store an occurrence, a line of evidence, a relation or an assessment of a claim.

    Return whether that altered anything.
    """
    (kind,) = (kind for kind in RECORD_TYPES.values() if type(part) is kind.fields)
    return changes.put(change, kind, {"claim": claim, **part.model_dump()}, action)


# Who is allowed to do all that people do.
CURATOR = Key(
    id="0" * 8, name="cura", role="curator", created="2026-01-01T00:00:00.000000Z",
    expires=None, revoked=None, orcid=None, conflict_of_interest=None, conflict_declared=None,
)  # fmt: skip


def a_source(slug: str = "smith-2020", **more: Any) -> SourceIn:
    """Return a trial of 2020, with other fields where `more` has them."""
    record = {
        "id": slug,
        "type": "article-journal",
        "title": "A trial",
        "study_design": "randomised_trial",
        "issued": "2020",
    }
    return SourceIn.model_validate(
        {**record, "authors": [{"family": "Smith", "given": "A"}], **more}
    )


def a_claim(slug: str = "x-causes-y", **more: Any) -> ClaimIn:
    """Return a causal hypothesis, with other fields where `more` has them."""
    return ClaimIn.model_validate(
        {"id": slug, "statement": "X causes Y.", "kind": "causal_hypothesis", **more}
    )


def a_line(key: str = "smith-2020", **more: Any) -> EvidenceIn:
    """Return evidence against the claim from that trial, with other fields where `more` has
    them.
    """
    record = {
        "key": key,
        "source": "smith-2020",
        "direction": "disputes",
        "level": "1",
        "question": "treatment_benefit",
    }
    about = {
        "study_design": "randomised_trial",
        "finding": "No effect.",
        "independence_group": "smith",
    }
    return EvidenceIn.model_validate({**record, **about, **more})


def store_one_claim(store: Store) -> None:
    """Store a topic, a source, a claim and a line of evidence, as serials 1 to 4."""
    with changes.begin(store.database, actor="ada", comment="first") as change:
        assert changes.put_topic(change, TopicIn(id="y", label="Y", definition="What Y is."))
        assert changes.put_source(change, a_source())
        assert changes.put_claim(change, a_claim(topics=["y"]))
        assert put_part(change, "x-causes-y", a_line())
