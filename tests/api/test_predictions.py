"""A prediction that fell is named where its claim is explained, in the impact and in the chain."""

from typing import Any

from tests.api.curating import CLAIM, Desk
from tests.api.requests import get_json
from tests.api.svg_reader import parse, seen, spoken

TARGET = "made-prediction"
STATEMENT = "The claim made-prediction holds."


def predicted(desk: Desk, note: str = "A cause comes first.") -> None:
    desk.accepted("claim", TARGET)
    desk.accepted("relation", TARGET, type="predicts", note=note)


def against(desk: Desk, key: str, source: str) -> str:
    """Let a trial speak against the target; return the id of the line."""
    return desk.accepted(
        *("evidence", key),
        claim=TARGET,
        source=source,
        direction="disputes",
        study_design="randomised_trial",
        level="2",
        question="treatment_benefit",
        independence_group=key,
        studies=None,
    )


def explained(desk: Desk, query: str = "") -> Any:
    return get_json(desk.client, f"/v1/claims/{CLAIM}/explanation{query}")


def of_target(predictions: list[Any]) -> list[Any]:
    """Return the predictions that are made here, and not those of the seed content."""
    return [each for each in predictions if each["target"] == TARGET]


def as_text(desk: Desk) -> str:
    answer = desk.ask(None, "GET", f"/v1/claims/{CLAIM}/explanation", Accept="text/plain")
    return str(answer.text)


def test_a_prediction_falls_with_its_target(desk: Desk) -> None:
    predicted(desk)
    (told,) = of_target(explained(desk)["predictions"])
    assert (told["target"], told["status"], told["fell"]) == (TARGET, "unassessed", False)
    assert told["note"] == "A cause comes first."
    assert STATEMENT not in as_text(desk)
    place = f"/v1/claims/{CLAIM}/explanation"
    before = desk.tag(place, None)
    claim_before = desk.tag(f"/v1/claims/{CLAIM}", None)

    line = against(desk, "one", "adams-1988")
    (told,) = of_target(explained(desk)["predictions"])
    assert (told["status"], told["certainty"], told["fell"]) == ("disputed", "moderate", True)
    assert f"«{STATEMENT}» ({TARGET}), which is disputed." in as_text(desk)
    # The claim did not change, but what is explained did.
    assert desk.tag(f"/v1/claims/{CLAIM}", None) == claim_before
    assert desk.ask(None, "GET", place, If_None_Match=before).status_code == 200

    impact = get_json(desk.client, f"/v1/claims/{CLAIM}/impact")
    assert of_target(impact["predictions"]) == [told]
    for chain in impact["chains"]:
        assert of_target(chain["fallen_predictions"]) == [told]
    assert impact["chains"]
    picture = parse(desk.client.get(f"/v1/claims/{CLAIM}/chain.svg").content)
    wanted = f"Predicts what is disputed: «{STATEMENT}»"
    assert wanted in spoken(picture)
    assert wanted in seen(picture)

    # It speaks against the claim, and the rules do not count it.
    assert explained(desk)["status"] == get_json(desk.client, f"/v1/claims/{CLAIM}")["status"]
    desk.retract("evidence", line)
    (told,) = of_target(explained(desk)["predictions"])
    assert not told["fell"]


def test_it_is_told_as_of_a_day_and_as_recorded_by_a_moment(desk: Desk) -> None:
    predicted(desk)
    recorded = get_json(desk.client, f"/v1/claims/{CLAIM}")["updated"]
    against(desk, "one", "zamboni-2018")
    (published,) = get_json(desk.client, f"/v1/claims/{TARGET}/evidence")["data"]
    assert published["published"] > "2017"
    # As of a day before its first line the target was not stated.
    assert of_target(explained(desk, "?as_of=2016")["predictions"]) == []
    (told,) = of_target(explained(desk, "?as_of=2018")["predictions"])
    assert told["fell"]
    (told,) = of_target(explained(desk, f"?known_at={recorded}")["predictions"])
    assert (told["status"], told["fell"]) == ("unassessed", False)
    now = get_json(desk.client, f"/v1/claims/{TARGET}")["updated"]
    assert of_target(explained(desk, f"?known_at={now}&as_of=2016")["predictions"]) == []
    for time in (f"?known_at={now}", f"?known_at={now}&as_of=2018"):
        (told,) = of_target(explained(desk, time)["predictions"])
        assert (told["status"], told["fell"]) == ("disputed", True)


def test_a_tie_that_is_refuted_lets_no_prediction_fall(desk: Desk) -> None:
    predicted(desk)
    against(desk, "one", "adams-1988")
    for key, source in (("no-tie-1", "barreto-2013"), ("no-tie-2", "comi-2013")):
        desk.accepted(
            *("evidence", key),
            source=source,
            direction="disputes",
            study_design="randomised_trial",
            level="2",
            question="treatment_benefit",
            independence_group=key,
            studies=None,
            relation_type="predicts",
            relation_target=TARGET,
        )
    (told,) = of_target(explained(desk)["predictions"])
    assert (told["status"], told["fell"]) == ("disputed", False)
    impact = get_json(desk.client, f"/v1/claims/{CLAIM}/impact")
    assert impact["chains"]
    assert not any(of_target(chain["fallen_predictions"]) for chain in impact["chains"])


def test_what_predicts_a_claim_loses_support_where_that_falls(desk: Desk) -> None:
    predicted(desk)
    fallen = get_json(desk.client, f"/v1/claims/{TARGET}/impact?assume=refuted")
    (touched,) = [each for each in fallen["claims"] if each["id"] == CLAIM]
    assert (touched["distance"], touched["loses_support"]) == (1, True)
    assert [(tie["type"], tie["target"]) for tie in touched["via"]] == [("predicts", TARGET)]
    # A prediction that is not confirmed may still hold.
    weaker = get_json(desk.client, f"/v1/claims/{TARGET}/impact?assume=unconfirmed")
    assert weaker["claims"] == []
