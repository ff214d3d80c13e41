"""Records for tests, and how they are stored."""

from typing import Any

from models.records.claim import ClaimIn, TopicIn
from models.records.evidence import EvidenceIn
from models.records.source import SourceIn
from models.write import changes
from tests.databases import Store


def a_source(slug: str = "smith-2020", **more: Any) -> SourceIn:
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
    return ClaimIn.model_validate(
        {"id": slug, "statement": "X causes Y.", "kind": "causal_hypothesis", **more}
    )


def a_line(key: str = "smith-2020", **more: Any) -> EvidenceIn:
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
    with changes.begin(store.database, actor="ada", comment="first") as change:
        assert changes.put_topic(change, TopicIn(id="y", label="Y", definition="What Y is."))
        assert changes.put_source(change, a_source())
        assert changes.put_claim(change, a_claim(topics=["y"]))
        assert changes.put_evidence(change, "x-causes-y", a_line())
