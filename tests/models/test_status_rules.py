"""The status rules: each case of the table, each rule by an example, and what must hold whatever
the evidence.
"""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st

from models.core import vocabularies as v
from models.status.body_of_evidence import Line, PooledWork, grade
from models.status.periods import first_day, status_periods
from models.status.rules import (
    CERTAINTY_REASONS,
    DOCUMENTARY,
    RULE_BY_NAME,
    RULES,
    Decision,
    decide,
    without_groups,
)
from tests.generated import generated


def line(direction: str, level: str, name: str, **more: Any) -> Line:
    """Return a line of a study of its own."""
    fields: dict[str, Any] = {"work": name, "group": name, "published": "2010-12-31", **more}
    return Line(**{"key": f"{direction}-{name}", "direction": direction, "level": level, **fields})


def lines(direction: str, number: int, level: str, start: int = 0, **more: Any) -> list[Line]:
    """Return so many lines, each of a study of its own: study-0, study-1 and so on."""
    return [line(direction, level, f"study-{n}", **more) for n in range(start, start + number)]


def pro(level: str, name: str = "a", **more: Any) -> Line:
    return line("supports", level, name, **more)


def con(level: str, name: str = "z", **more: Any) -> Line:
    return line("disputes", level, name, **more)


def review(direction: str, level: str, pools: int = 0, studies: int | None = None, **more: Any):  # type: ignore[no-untyped-def]
    """Return a review that pools study-0, study-1 and so on."""
    pooled = more.pop("pooled", tuple(PooledWork(f"study-{number}") for number in range(pools)))
    name = more.pop("name", "review")
    return line(direction, level, name, pools=pooled, studies=studies, **more)


BENEFIT: dict[str, Any] = {"question": "treatment_benefit"}
TREND: dict[str, Any] = {"question": "prognosis"}
TWO_RETRACTED = tuple(PooledWork(f"study-{n}", retracted=True) for n in range(2))
ESTABLISHED_CAUSE = [
    *lines("supports", 7, "3", graded_up=("large_effect",), **TREND),
    *lines("supports", 20, "4", start=7),
]

# The table of cases that the rules were made for: its row, kind, lines and status.
TABLE: list[tuple[str, str, list[Line], str]] = [
    ("H5", "finding", [pro("4"), pro("not_gradable", "b")], "unconfirmed"),
    (
        "H6",
        "treatment_effect",
        [
            pro("2", graded_down=("quality", "imprecision"), **BENEFIT),
            pro("not_gradable", "b"),
        ],
        "unconfirmed",
    ),
    (
        "A3",
        "treatment_effect",
        [*lines("disputes", 1, "2", **BENEFIT), review("disputes", "1", 1, 1, **BENEFIT)],
        "disputed",
    ),
    ("A4", "treatment_effect", [review("supports", "1", 0, 3, **BENEFIT)], "established"),
    ("A5", "treatment_effect", [review("supports", "1", 0, 1, **BENEFIT)], "unconfirmed"),
    (
        "B4",
        "treatment_effect",
        [
            review("disputes", "1", 20, 40, **BENEFIT),
            *lines("disputes", 20, "2", **BENEFIT),
            pro("2", **BENEFIT),
        ],
        "refuted",
    ),
    ("C1", "causal_hypothesis", ESTABLISHED_CAUSE, "established"),
    ("C2", "causal_hypothesis", lines("supports", 7, "3", **TREND), "supported"),
    (
        "C3",
        "causal_hypothesis",
        [*lines("disputes", 10, "3", **TREND), review("disputes", "3", 10, **TREND)],
        "refuted",
    ),
    ("C4", "treatment_effect", lines("supports", 8, "3", **BENEFIT), "supported"),
    (
        "D2",
        "treatment_effect",
        [
            review("inconclusive", "1", 0, 9, **BENEFIT),
            *lines("supports", 2, "4", **BENEFIT),
        ],
        "unconfirmed",
    ),
    (
        "H3",
        "mechanism",
        [
            line("supports", "1", n, directness="indirect", graded_down=("quality",), **BENEFIT)
            for n in "ab"
        ],
        "supported",
    ),
    (
        "G1",
        "treatment_effect",
        [
            review("supports", "1", pooled=TWO_RETRACTED, **BENEFIT),
            *lines("supports", 2, "2", retracted=True, **BENEFIT),
        ],
        "unassessed",
    ),
    (
        "G2",
        "treatment_effect",
        lines("supports", 2, "2", concern=True, **BENEFIT),
        "supported",
    ),
    ("E1", "history", lines("supports", 5, "not_gradable"), "established"),
    ("E2", "state_of_evidence", lines("supports", 1, "not_gradable"), "unconfirmed"),
    (
        "E3",
        "definition",
        [*lines("supports", 50, "not_gradable"), con("not_gradable")],
        "established",
    ),
    ("N1", "finding", lines("disputes", 2, "not_gradable"), "disputed"),
    ("M1", "finding", [pro("4"), *lines("disputes", 2, "4")], "contested"),
    ("M2", "finding", [pro("4"), *lines("disputes", 3, "4")], "disputed"),
]


@pytest.mark.parametrize(
    ("kind", "given", "status"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_each_case_of_the_table(kind: str, given: list[Line], status: str) -> None:
    assert decide(kind, given).status == status


def test_where_nothing_supports_the_sentence_says_so() -> None:
    rule = decide("finding", lines("disputes", 2, "not_gradable")).rule
    assert "nothing supports it" in RULE_BY_NAME[rule].sentence


# Both sides of each rule's border.
BORDERS: list[tuple[str, str, list[Line], str, str]] = [
    ("nothing recorded", "finding", [], "unassessed", "nothing_takes_a_side"),
    (
        "only inconclusive",
        "finding",
        [line("inconclusive", "1", "a")],
        "unassessed",
        "nothing_takes_a_side",
    ),
    ("two documents", "history", lines("supports", 2, "5"), "established", "documents_for"),
    (
        "three documents against one",
        "history",
        [*lines("supports", 3, "5"), con("1")],
        "contested",
        "both_sides",
    ),
    (
        "four documents against one",
        "definition",
        [*lines("disputes", 4, "5"), pro("1")],
        "refuted",
        "documents_against",
    ),
    ("two trials against", "finding", lines("disputes", 2, "2"), "refuted", "strong_against"),
    (
        "one trial is no veto",
        "finding",
        [*lines("supports", 4, "2"), con("1")],
        "established",
        "strong_for",
    ),
    (
        "three trials and one against",
        "finding",
        [*lines("supports", 3, "2"), con("2")],
        "supported",
        "support_outranks_against",
    ),
    (
        "four null results",
        "association",
        [*lines("disputes", 4, "3"), pro("4")],
        "disputed",
        "against_outranks_support",
    ),
    (
        "five null results and one for",
        "harm",
        [*lines("disputes", 5, "3", question="common_harms"), pro("3", question="common_harms")],
        "disputed",
        "against_outranks_support",
    ),
    (
        "six null results and one for",
        "harm",
        [*lines("disputes", 6, "3", question="common_harms"), pro("3", question="common_harms")],
        "refuted",
        "many_null_results",
    ),
    (
        "null results do not refute a benefit",
        "treatment_effect",
        lines("disputes", 9, "3", **BENEFIT),
        "disputed",
        "nothing_supports",
    ),
    (
        "one better study against many that rank next",
        "finding",
        [con("2"), *lines("supports", 10, "3")],
        "contested",
        "both_sides",
    ),
    (
        "one better study against many that rank far below",
        "finding",
        [con("2"), *lines("supports", 10, "4")],
        "disputed",
        "against_outranks_support",
    ),
    (
        "a crowd of weak lines does not outweigh studies",
        "finding",
        [*lines("disputes", 2, "4"), *lines("disputes", 9, "5", start=2), pro("4")],
        "contested",
        "both_sides",
    ),
    (
        "inconclusive evidence one rank above",
        "finding",
        [line("inconclusive", "2", "i"), *lines("supports", 2, "3")],
        "supported",
        "support_outranks_against",
    ),
    (
        "inconclusive evidence two ranks above",
        "finding",
        [line("inconclusive", "2", "i"), *lines("supports", 2, "4")],
        "unconfirmed",
        "better_evidence_inconclusive",
    ),
    ("mechanism only", "finding", lines("supports", 9, "5"), "unconfirmed", "one_body_or_weak"),
    ("one study", "finding", [pro("1")], "unconfirmed", "one_body_or_weak"),
    (
        "that groups differ is indirect on a cause, on either side",
        "causal_hypothesis",
        [
            *lines("supports", 2, "4", question="diagnosis"),
            *lines("disputes", 2, "4", start=2, question="diagnosis"),
        ],
        "contested",
        "both_sides",
    ),
    (
        "a benefit is no matter of prognosis",
        "treatment_effect",
        lines("supports", 2, "4", **TREND),
        "unconfirmed",
        "one_body_or_weak",
    ),
]


@pytest.mark.parametrize(
    ("kind", "given", "status", "rule"), [row[1:] for row in BORDERS], ids=[r[0] for r in BORDERS]
)
def test_each_rule_on_both_sides_of_its_border(
    kind: str, given: list[Line], status: str, rule: str
) -> None:
    decision = decide(kind, given)
    assert (decision.status, decision.rule) == (status, rule)


def test_each_rule_has_an_example() -> None:
    found = {row[4] for row in BORDERS} | {decide(kind, given).rule for _, kind, given, _ in TABLE}
    assert found == {rule.name for rule in RULES}


def test_lines_of_one_work_or_one_group_are_one_body() -> None:
    first = pro("2", "a")
    for other in (
        pro("2", "b", work="a"),
        pro("2", "b", group="a"),
        pro("2", "a", key="again"),
    ):
        assert decide("finding", [first, other]).case.support.count() == 1
    chain = [first, pro("2", "b", group="a"), pro("2", "c", work="b"), pro("2", "d")]
    assert decide("finding", chain).case.support.count() == 2


@pytest.mark.parametrize(
    ("against", "status"),
    [
        ({"level": "3"}, "unconfirmed"),
        ({"level": "1"}, "disputed"),
        ({"published": "2011-01-01"}, "disputed"),
        ({"published": "2009-01-01"}, "unconfirmed"),
        ({}, "disputed"),
    ],
)
def test_a_body_counts_on_the_side_of_its_better_rank_or_its_last_word(
    against: dict[str, Any], status: str
) -> None:
    con_line = replace(con("2", "a"), **against)
    assert decide("finding", [pro("2", "a"), con_line]).status == status


def counts(decision: Decision) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return decision.case.support.counts[:4], decision.case.against.counts[:4]


def test_a_review_lends_its_rank_and_adds_only_what_is_not_recorded() -> None:
    recorded = lines("supports", 2, "4")
    assert counts(decide("finding", [*recorded, review("supports", "1", 5)])) == (
        (5, 0, 0, 0),
        (0, 0, 0, 0),
    )
    # To studies on the other side it lends nothing, and it does not count them for itself.
    against = [replace(each, direction="disputes") for each in recorded]
    assert counts(decide("finding", [*against, review("supports", "1", 5)])) == (
        (3, 0, 0, 0),
        (0, 0, 0, 2),
    )
    # A study that takes no side by itself is one of those that the review sums up.
    open_ones = [replace(each, direction="inconclusive") for each in recorded]
    assert counts(decide("finding", [*open_ones, review("supports", "1", 5)]))[0] == (5, 0, 0, 0)
    # A review whose studies nobody named or counted is one body.
    assert counts(decide("finding", [pro("1", "review")]))[0] == (1, 0, 0, 0)


def test_of_overlapping_reviews_only_the_largest_number_counts() -> None:
    both = [
        review("supports", "1", 0, 3, name="one"),
        review("supports", "2", 0, 5, name="two"),
        review("supports", "2", 0, 4, name="three"),
    ]
    assert counts(decide("finding", both))[0] == (3, 2, 0, 0)


def test_a_review_of_one_study_is_never_better_than_that_study() -> None:
    (study,) = lines("supports", 1, "4")
    assert counts(decide("finding", [study, review("supports", "1", 1)]))[0] == (0, 0, 0, 1)
    assert counts(decide("finding", [review("supports", "1", 1)]))[0] == (0, 1, 0, 0)
    # Of two studies one fell.
    pooled = (PooledWork("study-0"), PooledWork("study-1", retracted=True))
    assert counts(decide("finding", [review("supports", "1", pooled=pooled)]))[0] == (0, 1, 0, 0)


def test_a_review_falls_on_the_day_on_which_its_last_study_fell() -> None:
    pooled = tuple(
        PooledWork(f"study-{n}", retracted=True, retracted_on=f"201{n + 2}-01-01") for n in range(2)
    )
    runs = status_periods("finding", [review("supports", "1", pooled=pooled)], "2011-01-01")
    assert [(run.starts, run.status, run.certainty) for run in runs] == [
        ("2010-12-31", "established", "high"),
        ("2012-01-01", "unconfirmed", "low"),
        ("2013-01-01", "unassessed", None),
    ]


def test_a_concern_lowers_from_the_day_on_which_it_was_announced() -> None:
    given = lines("supports", 2, "2", concern=True, concern_on="2012-05-01")
    runs = status_periods("finding", given, "2010-12-31")
    assert [(run.starts, run.status, run.certainty) for run in runs] == [
        ("2010-12-31", "established", "high"),
        ("2012-05-01", "supported", "moderate"),
    ]


@pytest.mark.parametrize(
    ("given", "rank"),
    [
        ({}, 3),
        ({"directness": "indirect"}, 4),
        ({"question": "diagnosis"}, 4),
        ({"question": "diagnosis", "directness": "indirect"}, 4),
        ({"graded_down": ("quality", "imprecision")}, 5),
        ({"graded_up": ("large_effect",)}, 2),
        ({"graded_up": ("large_effect", "dose_response")}, 2),
        ({"graded_up": ("large_effect",), "graded_down": ("quality",)}, 3),
        ({"graded_up": ("large_effect",), "concern": True}, 3),
        ({"level": "1", "graded_up": ("large_effect",)}, 1),
        ({"level": "5", "graded_down": ("quality",) * 3}, 6),
        ({"level": "not_gradable", "graded_up": ("large_effect",)}, 6),
    ],
)
def test_what_moves_a_rank(given: dict[str, Any], rank: int) -> None:
    level = given.get("level", "3")
    more = {name: value for name, value in given.items() if name != "level"}
    assert grade(pro(level, **{"question": "prognosis", **more}), "causal_hypothesis").rank == rank


def test_a_fruitless_search_shows_only_while_nothing_takes_a_side() -> None:
    search = line("inconclusive", "not_gradable", "a", searched_found_none=True)
    assert decide("finding", [search]).searched_found_none
    assert not decide("finding", [search, pro("4")]).searched_found_none
    assert not decide("finding", [replace(search, state="rejected")]).searched_found_none


CERTAINTIES: list[tuple[list[Line], str | None]] = [
    (lines("disputes", 2, "1"), "high"),
    ([con("1")], "moderate"),
    (lines("disputes", 2, "2", graded_down=("quality",)), "moderate"),
    ([*lines("disputes", 2, "1"), pro("4")], "high"),
    ([*lines("disputes", 40, "1"), pro("2")], "high"),
    ([*lines("disputes", 3, "2"), pro("2")], "moderate"),
    (lines("supports", 2, "4"), "low"),
    (lines("supports", 2, "3", graded_up=("large_effect",)), "moderate"),
    (lines("supports", 2, "3", directness="indirect"), "very_low"),
    ([pro("3")], "very_low"),
    ([*lines("disputes", 3, "4"), pro("4")], "very_low"),
    ([*lines("disputes", 2, "3"), pro("4")], "very_low"),
    ([line("inconclusive", "1", "i"), *lines("supports", 2, "3")], "very_low"),
    ([pro("not_gradable")], "very_low"),
    ([], None),
]


@pytest.mark.parametrize(("given", "certainty"), CERTAINTIES)
def test_the_certainty_of_each_case(given: list[Line], certainty: str | None) -> None:
    decision = decide("finding", given)
    assert decision.certainty == certainty
    assert set(decision.certainty_reasons) <= set(CERTAINTY_REASONS)


WORKS = [f"work-{number}" for number in range(7)]
GROUPS = [f"group-{number}" for number in range(7)]
pools_of = st.lists(
    st.builds(
        PooledWork,
        work=st.sampled_from(WORKS),
        retracted=st.sampled_from([False, False, True]),
        retracted_on=st.none() | st.dates().map(str),
    ),
    max_size=4,
    unique_by=lambda pooled: pooled.work,
).map(tuple)
a_line = st.builds(
    Line,
    key=st.uuids().map(str),
    direction=st.sampled_from(v.DIRECTIONS.ids),
    level=st.sampled_from(v.EVIDENCE_LEVELS.ids),
    work=st.sampled_from(WORKS),
    group=st.sampled_from(GROUPS),
    published=st.dates().map(str),
    question=st.sampled_from(v.QUESTIONS.ids),
    directness=st.sampled_from(v.DIRECTNESS.ids),
    graded_down=st.sampled_from([(), (), ("quality",), ("quality", "imprecision")]),
    graded_up=st.sampled_from([(), (), ("large_effect",)]),
    pools=st.just(()) | pools_of,
    studies=st.none() | st.integers(1, 6),
    state=st.sampled_from(v.REVIEW_STATES.ids) | st.just("accepted"),
    retracted=st.sampled_from([False, False, False, True]),
    retracted_on=st.none() | st.dates().map(str),
    concern=st.sampled_from([False, False, True]),
    concern_on=st.none() | st.dates().map(str),
)
lines_of = st.lists(a_line, max_size=12)
kinds = st.sampled_from(v.CLAIM_KINDS.ids)
FEW, MANY = 100, 4_000


def outcome(decision: Decision) -> tuple[str, str, str | None]:
    return decision.status, decision.rule, decision.certainty


@generated(kinds, lines_of, st.randoms(), few=FEW, many=MANY)
def test_the_order_of_lines_does_not_matter(kind: str, given: list[Line], random: object) -> None:
    shuffled = list(given)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert outcome(decide(kind, given)) == outcome(decide(kind, shuffled))


@generated(kinds, lines_of, a_line, few=FEW, many=MANY)
def test_a_line_that_does_not_count_changes_nothing(
    kind: str, given: list[Line], extra: Line
) -> None:
    retracted = replace(extra, state="accepted", retracted=True, retracted_on=None)
    for idle in (retracted, replace(extra, state="submitted")):
        with_it = decide(kind, [*given, idle])
        assert outcome(with_it) == outcome(decide(kind, given))
        assert idle.key in with_it.left_out


@generated(kinds, lines_of, st.integers(min_value=0), st.booleans(), few=FEW, many=MANY)
def test_a_repeated_report_changes_nothing(
    kind: str, given: list[Line], pick: int, renamed: bool
) -> None:
    """Not even if it is typed in as of another group, or as another version of the work."""
    counted = [each for each in decide(kind, given).counted if not each.is_review]
    if not counted:
        return
    first = counted[pick % len(counted)]
    again = replace(first, key="again")
    again = replace(again, group="fresh") if renamed else replace(again, work="fresh")
    with_it = decide(kind, [*given, again])
    if renamed:
        assert outcome(with_it) == outcome(decide(kind, given))
    assert sum(with_it.case.support.counts) == sum(decide(kind, given).case.support.counts)


@generated(kinds, lines_of, a_line, st.integers(min_value=0), few=FEW, many=MANY)
def test_more_support_never_lowers_a_status_and_more_dispute_never_raises_it(
    kind: str, given: list[Line], extra: Line, pick: int
) -> None:
    """What comes is a study of its own, or another line of a body that is there."""
    decision = decide(kind, given)
    before = v.STATUSES.rank(decision.status)
    same = decision.counted[pick % len(decision.counted)] if decision.counted else None
    extra = replace(extra, pools=(), studies=None, state="accepted", retracted=False)
    of_its_own = replace(extra, work="new", group="new")
    of_a_body = replace(extra, work=same.work, group=same.group) if same else of_its_own
    for more in (of_its_own, of_a_body):
        for direction in ("supports", "disputes"):
            with_it = decide(kind, [*given, replace(more, direction=direction)])
            after = v.STATUSES.rank(with_it.status)
            assert after >= before if direction == "supports" else after <= before


@generated(kinds, lines_of, st.sampled_from(GROUPS), few=FEW, many=MANY)
def test_without_a_group_nothing_is_better_for_the_side_that_lost_it(
    kind: str, given: list[Line], group: str
) -> None:
    before = decide(kind, given)
    lost = {each.direction for each in given if each.group == group}
    keys, works = without_groups(given, [group])
    # Of a group that speaks on both sides, each loses something.
    after = decide(kind, given, without=keys, gone=works)
    change = v.STATUSES.rank(after.status) - v.STATUSES.rank(before.status)
    if lost == {"supports"}:
        assert change <= 0
    if lost == {"disputes"}:
        assert change >= 0 or after.status == "unassessed"


@generated(kinds, lines_of, st.sampled_from(WORKS), few=FEW, many=MANY)
def test_a_retraction_gives_what_stood_without_the_work(
    kind: str, given: list[Line], work: str
) -> None:
    def retracted(each: Line) -> Line:
        pools = tuple(
            replace(pooled, retracted=True, retracted_on=None) if pooled.work == work else pooled
            for pooled in each.pools
        )
        if each.work == work:
            each = replace(each, retracted=True, retracted_on=None)
        return replace(each, pools=pools)

    kept = [each for each in given if each.work != work]
    assert outcome(decide(kind, map(retracted, given))) == outcome(decide(kind, kept, gone=[work]))


@generated(kinds, lines_of, few=FEW, many=MANY)
def test_one_rule_decides_and_its_certainty_does_not_contradict_it(
    kind: str, given: list[Line]
) -> None:
    decision = decide(kind, given)
    first = next(rule for rule in RULES if rule.holds(decision.case))
    assert decision.rule == first.name
    assert decision.certainty is None or decision.certainty in v.CERTAINTIES.ids
    assert decision.certainty != "high" or decision.status in ("established", "refuted")
    assert (decision.certainty is None) == (kind in DOCUMENTARY or decision.status == "unassessed")
    assert len(decision.counted) + len(decision.left_out) == len(given)
    if decision.status in ("supported", "established") and kind not in DOCUMENTARY:
        assert decision.case.support.count(4) >= 2


@generated(kinds, lines_of, st.dates().map(str), st.dates().map(str), few=FEW, many=MANY)
def test_periods_agree_with_the_rules_without_overlap_or_gap(
    kind: str, given: list[Line], stated: str, day: str
) -> None:
    runs = status_periods(kind, given, stated)
    assert runs[0].starts == first_day(given, stated)
    assert runs[-1].ends is None
    assert [run.ends for run in runs[:-1]] == [run.starts for run in runs[1:]]
    assert all(run.ends is None or run.starts < run.ends for run in runs)
    found = [run for run in runs if run.starts <= day and (run.ends is None or day < run.ends)]
    expected = [] if day < runs[0].starts else [outcome(decide(kind, given, as_of=day))]
    assert [(run.status, run.rule, run.certainty) for run in found] == expected


def test_a_claim_exists_from_its_first_line_in_any_direction() -> None:
    for direction in v.DIRECTIONS.ids:
        given = [line(direction, "4", "a", published="2004-12-31")]
        assert first_day(given, "2026-01-01") == "2004-12-31"
    assert first_day([con("4", state="submitted")], "2026-01-01") == "2026-01-01"
