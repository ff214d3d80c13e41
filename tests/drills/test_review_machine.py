"""Review as a machine: whatever people of different roles do to a few records, in whatever order,
its rules hold.

Each record says in its own words who wrote it, so that whose it is can be told without
`models.proposers`, also of a copy that a merger made. What may be done to a record, and what
follows from it, is told in plain Python beside the code.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from io import BufferedReader, BytesIO
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.control import BuildContext
from hypothesis.internal.conjecture.data import ConjectureData
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from pydantic_core import to_json
from sqlalchemy import select

from models.access.api_keys import Key, KeyIn, create_key
from models.core.errors import ClaimbaseError
from models.migrations import tables
from models.projection.integrity_check import check
from models.records import retired
from models.records.record_types import RECORD_TYPES, references_in
from models.records.serializers import Row, table
from models.status import rules
from models.status.body_of_evidence import Line
from models.transfer.changed_here import LOADERS
from models.transfer.jsonl_reader import open_input
from models.transfer.load import load
from models.write import changes, review
from models.write import merge as merging
from models.write import undo as undo_module
from models.write.changes import Change
from tests.api.curating import a_record
from tests.databases import Templates, store_of

# Two keys of one person, whose name they spell in two ways; one is of a role that decides nothing.
PEOPLE = {
    "anna": "contributor",
    "ben": "curator",
    "B en": "contributor",
    "cleo": "curator",
    "dora": "admin",
}
# The field of each kind in which a record says who wrote it.
WORDS = {
    "collection": "description",
    "topic": "definition",
    "source": "title",
    "claim": "statement",
    "occurrence": "quote",
    "relation": "note",
    "evidence": "finding",
    "assessment": "rationale",
    "suggestion": "reason",
    "comment": "text",
}
# What is suggested of, and commented on.
TARGETS = ("evidence", "claim", "source")
SLUGS = {
    "collection": ("v", "w"),
    "topic": ("p", "q"),
    "source": ("s", "t", "u"),
    "claim": ("a", "b", "c", "d"),
}
KEYS, TIES = ("k", "l", "m"), ("rivals", "refines")
# What there is at first. Nobody proposed it.
FIRST = (
    ("topic", "p"),
    ("source", "s"),
    ("source", "t"),
    ("claim", "a"),
    ("claim", "b"),
    ("claim", "c"),
)
TABLES = [table(model) for model in tables.tables]
# What everybody sees of claims.
SHOWN = ("claim_document", "status_period", "claim_search")

CURATORS = [name for name, role in PEOPLE.items() if role != "contributor"]
people, curators, deciders = (
    st.sampled_from(names) for names in ([*PEOPLE], CURATORS, [*CURATORS * 3, *PEOPLE])
)
# Of two each, so that the same words or identifiers come more than once.
twins = st.sampled_from(("11", "12"))
sides = st.fixed_dictionaries(
    {
        "direction": st.sampled_from(("supports", "disputes", "inconclusive")),
        "level": st.sampled_from("1234"),
    }
)


def a_body(pick: Callable[..., Any], kind: str, words: str) -> Row:
    """Return a record of a kind with these words in it, as it is sent; `pick` chooses among
    strategies or names of a kind.
    """
    body = {**a_record(kind, pick(st.sampled_from(SLUGS.get(kind, KEYS)))), WORDS[kind]: words}
    if RECORD_TYPES[kind].part:
        body["claim"] = pick("claim")
    if "source" in body:
        body["source"] = pick("source")
    if kind == "source" and pick(st.booleans()):
        body["identifiers"] = [
            {"scheme": "pmid", "value": pick(twins), "verification": "unverified"}
        ]
    if kind == "claim":
        body["topics"] = sorted({pick("topic") for _ in range(pick(st.integers(0, 2)))})
    if kind in ("source", "claim"):
        body["note"] = pick(st.sampled_from((None, "11", "12")))
    if RECORD_TYPES[kind].discussion:
        body |= {"id": f"{kind}-{pick(st.integers(1, 10**6))}", **_about(pick, kind)}
    if kind == "relation":
        body |= {"type": pick(st.sampled_from(TIES)), "target": pick("claim")}
    if kind == "evidence":
        body |= {**pick(sides), "independence_group": pick(st.sampled_from("xyz"))}
        # A study, since a review may stand for several.
        body |= {"study_design": "cohort", "studies": None}
        if tie := pick("relation"):
            body["claim"], body["relation_type"], body["relation_target"] = tie.split(":")
    return body


def _about(pick: Callable[..., Any], kind: str) -> Row:
    """Return what a suggestion or a comment is about, and what it suggests."""
    target = pick(st.sampled_from(TARGETS))
    about = {"about": f"{target}/{pick(target)}"}
    if kind == "comment":
        return about
    if pick(st.booleans()):
        return {**about, "action": "retract", "patch": {}}
    own: Row = {"claim": {"wordings": [pick(twins)]}, "source": {"publisher": pick(twins)}}
    patch = pick(sides) if target == "evidence" else {"note": pick(twins), **own[target]}
    return {**about, "action": "change", "patch": patch}


def person(name: str) -> str:
    """Return the one person whom the spellings of a name mean."""
    return name.replace(" ", "").casefold()


def author(kind: str, body: Row) -> str:
    """Return who wrote a record, as it says itself."""
    return str(body[WORDS[kind]].split(",")[0].removeprefix("By "))


class Reviewing(RuleBasedStateMachine):
    """People at work on a small store of their own."""

    templates: Templates
    kind: str
    # How often each deed was done or refused, over all the stores of a test.
    tally: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        opened = contextmanager(store_of)(self.templates, self.kind, seeded=False)
        self.database = self.stack.enter_context(opened).database
        self.keys: dict[str, Key] = {}
        with self.database.write() as connection:
            for name, role in PEOPLE.items():
                self.keys[name] = create_key(connection, KeyIn(name=name, role=role))[0]
        with changes.begin(self.database, actor="seed") as change:
            for kind, slug in FIRST:
                changes.put(
                    change,
                    RECORD_TYPES[kind],
                    {**a_record(kind, slug), WORDS[kind]: "By nobody, first."},
                )
        self.stored = self.dump()
        # By the number of each change, every record as it was before it.
        self.past: dict[int, dict[str, Row]] = {1: {}}

    def teardown(self) -> None:
        """Look over the whole once more, since that takes too long after every single revision; let
        the store go.
        """
        with self.stack:
            self.must_agree()

    # What is there.

    def dump(self) -> dict[str, list[Row]]:
        """Return every row of every table; revisions in their order."""
        with self.database.read() as connection:
            return {
                each.name: [
                    dict(row)
                    for row in connection.execute(select(each).order_by(*order)).mappings()
                ]
                for each in TABLES
                for order in [[each.c.serial] if each.name == "revision" else each.primary_key]
            }

    @property
    def revisions(self) -> list[Row]:
        return self.stored["revision"]

    @property
    def records(self) -> dict[str, Row]:
        """Return every record as its last revision has it, by its name."""
        return {row["record"]: row["body"] for row in self.revisions}

    def some(self, draw: Callable[[Any], Any], *states: str) -> str:
        """Draw the name of a record, mostly of one in these states."""
        every = self.records
        fitting = [name for name, body in every.items() if body["state"] in states]
        return str(draw(st.sampled_from([*fitting * 3, *every])))

    def ids(self, kind: str) -> st.SearchStrategy[str]:
        """Choose an id of a kind, mostly of what is there and stands; none at times for a relation,
        on which not every line bears.
        """
        every = [(name.partition("/"), body["state"]) for name, body in self.records.items()]
        there = [(record, state) for (of, _, record), state in every if of == kind]
        standing = [record for record, state in there if state in retired.STANDING]
        return st.sampled_from(
            [
                *standing * 4,
                *(record for record, _ in there),
                *[""] * (len(there) * 9 + 1 if kind == "relation" else 0),
            ]
            or ["a:nobody"]
        )

    # What people do.

    def attempt(
        self, who: str, what: str, deed: Callable[[Change, Key], Any], may: bool | None = None
    ) -> Any:
        """Let somebody do something.

        `may` says whether it has to succeed, where that is simply told.
        """
        key, done, refused = self.keys[who], None, ""
        try:
            with changes.begin(self.database, actor=key.name, comment="why") as change:
                done = deed(change, key)
        except ClaimbaseError as error:
            refused = error.detail
        self.tally[f"{what} refused" if refused else what] += 1
        assert may in (None, not refused), f"{who} wanted to {what}: {refused or 'nobody minded'}"
        if refused:
            assert self.dump() == self.stored, f"to {what} was refused and yet changed something"
        else:
            self.look(who)
        return done

    def decide(self, who: str, name: str, action: str) -> None:
        kind, _, record = name.partition("/")
        body = self.records[name]
        own = author(kind, body) == person(who)
        may = body["state"] == ("accepted" if action == "retract" else "submitted")
        if action == "withdraw":
            may &= own
        else:
            may &= PEOPLE[who] != "contributor" and (not own or kind == "assessment")
        if action == "accept":
            may &= all(
                self.records[f"{to.name}/{each}"]["state"] == "accepted"
                for _, to, each in references_in(RECORD_TYPES[kind], body)
            )
        if (kind, action) == ("suggestion", "accept") and may:
            self.accept_suggestion(who, body)
            return
        if action == "retract":
            may &= all(
                # A claim takes its parts along.
                kind == "claim"
                and part["claim"] == record
                and (author(of, part) != person(who) or of == "assessment")
                for of, part in self.resting_on(name)
            )
        self.attempt(
            who,
            action,
            lambda change, key: review.decide(change, key, RECORD_TYPES[kind], record, action),
            may,
        )

    def accept_suggestion(self, who: str, suggestion: Row, some: int = 3) -> None:
        """Accept what another person suggested: so many of its fields."""
        about, before = suggestion["about"], dict(self.records)
        fields = list(suggestion["patch"])[:some]
        named = fields if 0 < len(fields) < len(suggestion["patch"]) else None
        target = before[about]
        stands = target["state"] == "accepted" and all(
            target[name] in (suggestion["before"][name], suggestion["patch"][name])
            for name in fields
        )

        def taking(change: Change, key: Key) -> bool:
            kind = RECORD_TYPES["suggestion"]
            review.decide(change, key, kind, suggestion["id"], "accept", fields=named)
            return True

        done = self.attempt(
            who,
            "accept a part" if named else "accept a suggestion",
            taking,
            # Whether it may be retracted is a matter of what rests on it.
            None if stands and suggestion["action"] == "retract" else stands,
        )
        if done is None:
            return
        now = self.records
        assert now[f"suggestion/{suggestion['id']}"]["taken"] == fields
        if suggestion["action"] == "retract":
            assert now[about]["state"] == "retracted"
        else:
            changed = {name: suggestion["patch"][name] for name in fields}
            assert now[about] == {**target, **changed}

    def resting_on(self, name: str) -> list[tuple[str, Row]]:
        """Return what is accepted and refers to a record."""
        every = [
            (other.partition("/")[0], body)
            for other, body in self.records.items()
            if body["state"] == "accepted"
        ]
        return [
            (kind, body)
            for kind, body in every
            if name
            in (f"{to.name}/{each}" for _, to, each in references_in(RECORD_TYPES[kind], body))
        ]

    def propose(self, data: st.DataObject, who: str, kind: str, twin: str, by: str | None) -> None:
        def pick(of: str | st.SearchStrategy[Any]) -> Any:
            return data.draw(of if isinstance(of, st.SearchStrategy) else self.ids(of))

        body = a_body(pick, kind, f"By {person(who)}, {twin}.")
        record = self.attempt(
            who,
            "propose",
            lambda change, key: review.propose(
                change, key, RECORD_TYPES[kind], review.judge(key, RECORD_TYPES[kind], body)
            ),
        )
        if record is not None and by is not None:
            self.decide(by, f"{kind}/{record}", "accept")

    @rule(
        data=st.data(),
        who=people,
        kind=st.sampled_from(list(RECORD_TYPES)),
        twin=twins,
        by=curators | st.none(),
    )
    def propose_anything(
        self, data: st.DataObject, who: str, kind: str, twin: str, by: str | None
    ) -> None:
        self.propose(data, who, kind, twin, by)

    @rule(data=st.data(), who=people, twin=twins, by=curators | st.none())
    def propose_evidence(self, data: st.DataObject, who: str, twin: str, by: str | None) -> None:
        self.propose(data, who, "evidence", twin, by)

    @rule(data=st.data(), who=people, twin=twins, by=curators | st.none())
    def propose_a_tie(self, data: st.DataObject, who: str, twin: str, by: str | None) -> None:
        self.propose(data, who, "relation", twin, by)

    @rule(data=st.data(), who=people, twin=twins, by=curators, some=st.integers(1, 2))
    def suggest(self, data: st.DataObject, who: str, twin: str, by: str, some: int) -> None:
        """Suggest something, and let a curator take some of it."""
        known = set(self.records)
        self.propose(data, who, "suggestion", twin, None)
        for name in set(self.records) - known:
            if person(who) != person(by):
                self.accept_suggestion(by, self.records[name], some)

    @rule(data=st.data(), who=deciders)
    def carry_over(self, data: st.DataObject, who: str) -> None:
        waiting = [
            body["id"]
            for name, body in self.records.items()
            if name.startswith("suggestion/") and body["state"] == "submitted"
        ]
        if waiting:
            record = data.draw(st.sampled_from(waiting))
            self.attempt(
                who, "carry over", lambda change, key: review.carry_over(change, key, record)
            )

    @rule(data=st.data(), twin=twins, overwrite=st.booleans())
    def import_again(self, data: st.DataObject, twin: str, overwrite: bool) -> None:
        """Load what there was at first once more, in other words."""
        some = data.draw(st.sets(st.sampled_from(FIRST), min_size=1))
        lines = b"".join(
            to_json({**a_record(kind, slug), WORDS[kind]: f"By nobody, {twin}.", "record": kind})
            + b"\n"
            for kind, slug in FIRST
            if (kind, slug) in some
        )
        before = self.records
        try:
            with open_input(BufferedReader(BytesIO(lines))) as opened:
                load(self.database, opened, report=lambda _: None, overwrite=overwrite)
        except ClaimbaseError:
            self.tally["import refused"] += 1
            assert self.dump() == self.stored
            return
        self.tally["import"] += 1
        last = {row["record"]: row for row in self.revisions if row["action"] != "derive"}
        decided = [name for name, row in last.items() if row["actor"] not in LOADERS]
        self.look("import")
        left = [name for name in decided if before[name] != self.records[name]]
        assert overwrite or not left, f"an import changed {left}"

    @rule(
        data=st.data(),
        who=deciders,
        action=st.sampled_from(("accept", "accept", "reject", "withdraw", "retract")),
    )
    def decide_on_something(self, data: st.DataObject, who: str, action: str) -> None:
        self.decide(
            who, self.some(data.draw, "accepted" if action == "retract" else "submitted"), action
        )

    @rule(data=st.data(), who=deciders, words=st.sampled_from(("again", "anew")), side=sides)
    def change(self, data: st.DataObject, who: str, words: str, side: Row) -> None:
        name = self.some(data.draw, "submitted", "accepted")
        kind, _, record = name.partition("/")
        old = self.records[name]
        new = {**old, WORDS[kind]: f"By {author(kind, old)}, {words}."}
        if kind == "evidence":
            new |= side
        if kind == "source":
            integrity = data.draw(st.sampled_from(("no_notice", "retracted")))
            new |= {"integrity": integrity, "integrity_note": "So it says."}
        own = author(kind, old) == person(who)
        may = own if old["state"] == "submitted" else PEOPLE[who] != "contributor" and not own
        # What is said of a record stays as it was accepted.
        may &= old["state"] == "submitted" or (
            old["state"] == "accepted" and not RECORD_TYPES[kind].discussion
        )
        if kind != "assessment":
            self.attempt(
                who,
                "change",
                lambda change, key: review.replace(change, key, RECORD_TYPES[kind], record, new),
                # A suggestion is held against its record as that is now.
                None if kind == "suggestion" and may else may,
            )

    @rule(
        who=deciders,
        kind=st.sampled_from(("claim", "claim", "source")),
        pair=st.permutations(range(3)),
        take=st.sampled_from(((), ("note",))),
    )
    def merge(self, who: str, kind: str, pair: list[int], take: tuple[str, ...]) -> None:
        old, into = (SLUGS[kind][place] for place in pair[:2])
        before = self.records
        merged = self.attempt(
            who,
            f"merge {kind}",
            lambda change, key: merging.merge(change, key, RECORD_TYPES[kind], old, into, take),
        )
        if merged is not None:
            notes = [before[f"{kind}/{each}"]["note"] for each in (into, old)]
            first, other = reversed(notes) if take else notes
            assert self.records[f"{kind}/{into}"]["note"] == (first or other)

    @rule(data=st.data(), who=deciders)
    def undo(self, data: st.DataObject, who: str) -> None:
        made = [row["serial"] for row in self.revisions]
        serial = data.draw(st.sampled_from(made[len(FIRST) :][-12:] or made))
        change = self.revisions[serial - 1]["change"]
        before = self.records
        after = {row["record"]: row["body"] for row in self.revisions if row["change"] == change}
        names = self.attempt(who, "undo", lambda change, key: undo_module.undo(change, key, serial))
        for name in names or ():
            was, now = self.past[change].get(name), self.records[name]
            if was is None:
                assert now["state"] in ("retracted", "withdrawn"), name
                continue
            # What others changed since stays.
            altered = {each: was[each] for each in was if was[each] != after[name][each]}
            assert now == {**before[name], **altered}, name

    # What holds.

    def look(self, who: str) -> None:
        """Hold what somebody just did, and all that is there, to what must hold."""
        before, self.stored = self.stored, self.dump()
        old, new = (
            self.revisions[: len(before["revision"])],
            self.revisions[len(before["revision"]) :],
        )
        assert old == before["revision"], "what was is told otherwise"
        assert [row["serial"] for row in self.revisions] == list(range(1, len(self.revisions) + 1))
        stood = {row["record"]: row["body"] for row in old}
        if new:
            self.past[new[0]["serial"]] = dict(stood)
        seen = False
        for row in new:
            kind, body, was = row["kind"], row["body"], stood.get(row["record"])
            stood[row["record"]] = body
            touches = "accepted" in (body["state"], was["state"] if was else None)
            seen |= touches
            if touches and row["action"] != "derive" and kind != "assessment":
                owners = {
                    author(kind, each)
                    for each in (was, body)
                    if each is not None and each["state"] == "accepted"
                }
                suggested = any(
                    each["kind"] == "suggestion"
                    and each["action"] == "accept"
                    and (each["body"]["about"] == row["record"] or row["action"] != "update")
                    for each in new
                )
                assert person(who) not in owners or suggested, (
                    f"{who} decided ({row['action']}) on their own {row['record']}"
                )
        if not seen:
            assert all(self.stored[name] == before[name] for name in SHOWN), (
                "what is only proposed shows"
            )
        self.statuses()
        self.waiting()
        if len(new) > 1:
            self.must_agree()

    def must_agree(self) -> None:
        """Hold revisions, tables and documents to each other."""
        with self.database.read() as connection:
            assert list(check(connection)) == []

    def statuses(self) -> None:
        """Hold each claim's status to what is accepted of its evidence and rests on nothing
        retracted.
        """
        lines: dict[str, list[Line]] = {}
        every = self.records
        published = {row["id"]: row["published"] for row in self.stored["source"]}
        for name, body in every.items():
            kind = name.partition("/")[0]
            if kind == "claim" and body["state"] == "accepted":
                lines.setdefault(body["id"], [])
            counts = (
                kind == "evidence" and body["state"] == "accepted" and body["relation_type"] is None
            )
            if counts and every[f"source/{body['source']}"]["integrity"] != "retracted":
                named = {name: body[name] for name in ("key", "direction", "level", "question")}
                group, work = body["independence_group"], body["source"]
                line = Line(**named, work=work, group=group, published=published[work])
                lines.setdefault(body["claim"], []).append(line)
        found = {row["claim"]: row["status"] for row in self.stored["claim_document"]}
        kinds = {claim: every[f"claim/{claim}"]["kind"] for claim in lines}
        assert found == {
            claim: rules.decide(kinds[claim], its).status for claim, its in lines.items()
        }

    def waiting(self) -> None:
        """Hold what each person is shown to what waits: all of it for curators, for others their
        own.
        """
        waits = {
            name: author(name.partition("/")[0], body)
            for name, body in self.records.items()
            if body["state"] == "submitted"
        }
        with self.database.read() as connection:
            for name, role in PEOPLE.items():
                statement, conditions = review.pending_query(connection, self.keys[name])
                shown = {
                    row.record: person(row.proposed_by)
                    for row in connection.execute(statement.where(*conditions))
                }
                assert shown == {
                    each: by
                    for each, by in waits.items()
                    if role != "contributor" or by == person(name)
                }


# The first ones occur in a few runs already.
DEEDS = (
    "propose",
    "accept",
    "change",
    "undo",
    "accept a suggestion",
    "accept a part",
    "carry over",
    "import",
    "reject",
    "withdraw",
    "retract",
    "merge claim",
    "merge source",
)
MANY = pytest.param(400, 50, marks=pytest.mark.slow, id="many")


@pytest.mark.parametrize(("runs", "steps"), [pytest.param(14, 25, id="few"), MANY])
def test_whatever_people_do_the_rules_of_review_hold(
    templates: Templates, kind: str, runs: int, steps: int
) -> None:
    tally: Counter[str] = Counter()
    machine = type(
        "Reviewing", (Reviewing,), {"templates": templates, "kind": kind, "tally": tally}
    )
    few = runs < 100
    # The suite tries the same each time, the long drill something new.
    rules = settings(max_examples=runs, stateful_step_count=steps, derandomize=few, deadline=None)
    run_state_machine_as_test(
        machine, settings=settings(rules, suppress_health_check=list(HealthCheck))
    )
    assert all(
        tally[deed] and tally[f"{deed} refused"] for deed in (DEEDS[:4] if few else DEEDS)
    ), tally


@pytest.mark.slow
def test_one_store_agrees_after_two_thousand_steps(templates: Templates, kind: str) -> None:
    """Hypothesis ends a run long before, so its rules are drawn by hand here."""
    chance, tally = Random(), Counter[str]()
    members = {"templates": templates, "kind": kind, "tally": tally}
    machine: Any = type("Reviewing", (Reviewing,), members)()
    for _ in range(2000):
        drawn = ConjectureData(random=chance, prefix=(), max_choices=None)
        with BuildContext(drawn, is_final=False, wrapped_test=lambda: None):
            step = chance.choice(machine.rules)
            given = {name: drawn.draw(each) for name, each in step.arguments.items()}
            step.function(machine, **given)
    machine.teardown()
    assert all(tally[deed] for deed in DEEDS), tally
