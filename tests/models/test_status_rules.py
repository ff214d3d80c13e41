"""The status rules: each by an example, and what must hold whatever the evidence."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st

from models.core import vocabularies as v
from models.status.body_of_evidence import WEAKEST, Line
from models.status.periods import first_day, status_periods
from models.status.rules import CERTAINTY_REASONS, RULES, decide
from tests.generated import generated


def line(direction: str, level: str, group: str = "a", **more: Any) -> Line:
    key = f"{direction}-{level}-{group}"
    return Line(
        **{
            "key": key,
            "direction": direction,
            "level": level,
            "group": group,
            "published": "2010-12-31",
            **more,
        }
    )


def pro(level: str, group: str = "a", **more: Any) -> Line:
    return line("supports", level, group, **more)


def con(level: str, group: str = "z", **more: Any) -> Line:
    return line("disputes", level, group, **more)


CASES = [
    ("nothing recorded", [], "unassessed", "nothing_takes_a_side"),
    ("only inconclusive", [line("inconclusive", "1")], "unassessed", "nothing_takes_a_side"),
    ("one level 1 against", [con("1")], "refuted", "strong_against"),
    ("two level 2 against", [con("2", "y"), con("2", "z")], "refuted", "strong_against"),
    ("one level 2 against", [con("2")], "disputed", "against_outranks_support"),
    (
        "two level 2 against of one group",
        [con("2"), con("2", key="other")],
        "disputed",
        "against_outranks_support",
    ),
    ("level 1 against, level 2 for", [con("1"), pro("2")], "disputed", "against_outranks_support"),
    ("level 1 against, level 3 for", [con("1"), pro("3")], "refuted", "strong_against"),
    (
        "level 2 for counts one lower when indirect",
        [con("1"), pro("2", directness="indirect")],
        "refuted",
        "strong_against",
    ),
    ("one level 1 for", [pro("1")], "established", "strong_for"),
    ("two level 2 for", [pro("2", "a"), pro("2", "b")], "established", "strong_for"),
    ("level 1 for, level 2 against", [pro("1"), con("2")], "contested", "both_sides"),
    (
        "level 1 for twice, level 2 against",
        [pro("1"), pro("1", "b"), con("2")],
        "supported",
        "support_outranks_against",
    ),
    (
        "better best level against",
        [con("3"), pro("4"), pro("4", "b"), pro("4", "c")],
        "disputed",
        "against_outranks_support",
    ),
    (
        "same level, twice as many against",
        [con("4", "y"), con("4", "z"), pro("4")],
        "contested",
        "both_sides",
    ),
    (
        "same level, thrice as many",
        [con("4", g) for g in "xyz"] + [pro("4")],
        "disputed",
        "against_outranks_support",
    ),
    (
        "groups of the best rank alone are counted",
        [*(con(lv, g) for lv, g in zip("4455", "wxyz", strict=True)), pro("4")],
        "contested",
        "both_sides",
    ),
    (
        "two groups for, undisputed",
        [pro("4", "a"), pro("4", "b")],
        "supported",
        "support_outranks_against",
    ),
    (
        "two groups for, mechanism only",
        [pro("5", "a"), pro("5", "b")],
        "unconfirmed",
        "one_group_or_weak",
    ),
    (
        "two groups for, not gradable",
        [pro("not_gradable", "a"), pro("not_gradable", "b")],
        "unconfirmed",
        "one_group_or_weak",
    ),
    (
        "two groups for, level 4 but indirect",
        [pro("4", g, directness="indirect") for g in "ab"],
        "unconfirmed",
        "one_group_or_weak",
    ),
    ("one group for", [pro("3")], "unconfirmed", "one_group_or_weak"),
]


@pytest.mark.parametrize(
    ("lines", "status", "rule"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_each_rule_decides_its_cases(lines: list[Line], status: str, rule: str) -> None:
    decision = decide("causal_hypothesis", lines)
    assert (decision.status, decision.rule) == (status, rule)


def test_a_definition_used_by_three_groups_is_established_until_it_is_disputed() -> None:
    used = [pro("not_gradable", group) for group in "abc"]
    assert decide("definition", used).rule == "definition_in_use"
    assert decide("definition", used).certainty is None
    assert decide("mechanism", used).status == "unconfirmed"
    assert decide("definition", used[:2]).status == "unconfirmed"
    assert decide("definition", [*used, con("not_gradable")]).status == "contested"


def test_a_fruitless_search_shows_only_while_nothing_takes_a_side() -> None:
    search = line("inconclusive", "not_gradable", searched_found_none=True)
    assert decide("finding", [search]).searched_found_none
    assert not decide("finding", [search, pro("4")]).searched_found_none
    assert not decide("finding", [replace(search, state="rejected")]).searched_found_none


CERTAINTIES = [
    ([con("1"), con("2", "y")], "high"),
    ([con("1")], "moderate"),
    ([con("2")], "moderate"),
    ([con("1"), con("2", "y"), pro("4")], "high"),
    ([pro("4", "a"), pro("4", "b")], "low"),
    ([pro("3")], "very_low"),
    ([con("4", g) for g in "xyz"] + [pro("4")], "very_low"),
    ([con("3", "y"), con("3", "z"), pro("4")], "low"),
    ([pro("not_gradable")], "very_low"),
    ([], None),
]


@pytest.mark.parametrize(("lines", "certainty"), CERTAINTIES)
def test_the_certainty_of_each_case(lines: list[Line], certainty: str | None) -> None:
    decision = decide("causal_hypothesis", lines)
    assert decision.certainty == certainty
    assert set(decision.certainty_reasons) <= set(CERTAINTY_REASONS)


lines_of = st.lists(
    st.builds(
        Line,
        key=st.uuids().map(str),
        direction=st.sampled_from(v.DIRECTIONS.ids),
        level=st.sampled_from(v.EVIDENCE_LEVELS.ids),
        group=st.sampled_from("abcdef"),
        published=st.dates().map(str),
        directness=st.sampled_from(v.DIRECTNESS.ids),
        state=st.sampled_from(v.REVIEW_STATES.ids) | st.just("accepted"),
        retracted=st.sampled_from([False, False, False, True]),
    ),
    max_size=12,
)
kinds = st.sampled_from(v.CLAIM_KINDS.ids)
FEW, MANY = 100, 4_000


@generated(kinds, lines_of, st.randoms(), few=FEW, many=MANY)
def test_the_order_of_lines_does_not_matter(kind: str, lines: list[Line], random: object) -> None:
    shuffled = list(lines)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = decide(kind, lines), decide(kind, shuffled)
    assert (first.status, first.rule, first.certainty) == (
        second.status,
        second.rule,
        second.certainty,
    )


@generated(kinds, lines_of, st.data(), few=FEW, many=MANY)
def test_a_line_that_does_not_count_changes_nothing(
    kind: str, lines: list[Line], data: st.DataObject
) -> None:
    extra = data.draw(lines_of.filter(bool))[0]
    state = data.draw(st.sampled_from(["submitted", "rejected", "withdrawn", "retracted"]))
    without = decide(kind, lines)
    for idle in (replace(extra, retracted=True), replace(extra, state=state)):
        with_it = decide(kind, [*lines, idle])
        assert (with_it.status, with_it.rule, with_it.certainty) == (
            without.status,
            without.rule,
            without.certainty,
        )
        assert idle.key in with_it.left_out


@generated(kinds, lines_of, st.integers(min_value=0), few=FEW, many=MANY)
def test_a_second_report_from_the_same_group_changes_nothing(
    kind: str, lines: list[Line], pick: int
) -> None:
    counted = decide(kind, lines).counted
    if not counted:
        return
    first = counted[pick % len(counted)]
    for level in v.EVIDENCE_LEVELS.ids:
        again = replace(first, key="again", level=level)
        if again.rank >= first.rank:
            assert decide(kind, [*lines, again]).status == decide(kind, lines).status
            assert decide(kind, [*lines, again]).certainty == decide(kind, lines).certainty


@generated(
    kinds,
    lines_of,
    st.sampled_from(v.EVIDENCE_LEVELS.ids),
    st.sampled_from("abcdefg"),
    st.booleans(),
    few=FEW,
    many=MANY,
)
def test_more_support_never_lowers_a_status_and_more_dispute_never_raises_it(
    kind: str, lines: list[Line], level: str, group: str, direct: bool
) -> None:
    before = v.STATUSES.rank(decide(kind, lines).status)
    extra = replace(pro(level, group), directness="direct" if direct else "indirect")
    assert v.STATUSES.rank(decide(kind, [*lines, extra]).status) >= before
    disputed = v.STATUSES.rank(decide(kind, [*lines, replace(extra, direction="disputes")]).status)
    # What nobody had taken a side on may become disputed; nothing becomes better by dispute.
    assert disputed <= before


@generated(kinds, lines_of, few=FEW, many=MANY)
def test_exactly_one_rule_decides_with_a_status_of_the_vocabulary(
    kind: str, lines: list[Line]
) -> None:
    decision = decide(kind, lines)
    first = next(rule for rule in RULES if rule.holds(decision.case))
    assert decision.rule == first.name
    assert decision.status in v.STATUSES.ids
    assert decision.certainty is None or decision.certainty in v.CERTAINTIES.ids
    assert len(decision.counted) + len(decision.left_out) == len(lines)


@generated(kinds, lines_of, st.dates().map(str), st.dates().map(str), few=FEW, many=MANY)
def test_periods_agree_with_the_rules_without_overlap_or_gap(
    kind: str, lines: list[Line], stated: str, day: str
) -> None:
    runs = status_periods(kind, lines, stated)
    assert runs[0].starts == first_day(lines, stated)
    assert runs[-1].ends is None
    assert [run.ends for run in runs[:-1]] == [run.starts for run in runs[1:]]
    assert all(run.ends is None or run.starts < run.ends for run in runs)
    found = [run for run in runs if run.starts <= day and (run.ends is None or day < run.ends)]
    if day < runs[0].starts:
        assert found == []
    else:
        decision = decide(kind, lines, as_of=day)
        assert [(run.status, run.rule, run.certainty) for run in found] == [
            (decision.status, decision.rule, decision.certainty)
        ]


def test_an_indirect_line_ranks_one_lower_but_not_below_the_weakest() -> None:
    assert [pro(level).rank for level in v.EVIDENCE_LEVELS.ids] == [1, 2, 3, 4, 5, WEAKEST]
    assert [pro(level, directness="indirect").rank for level in v.EVIDENCE_LEVELS.ids] == [
        2,
        3,
        4,
        5,
        6,
        WEAKEST,
    ]
