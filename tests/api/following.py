"""What the tests of following share: proposals in every state, and writers that work at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.core.dates import now
from models.records.claim import ClaimIn, TopicIn
from models.records.evidence import EvidenceIn
from models.records.source import SourceIn
from models.write import changes
from tests.databases import Store
from tests.records import put_part

SECRET = "secret"  # noqa: S105


def a_claim(slug: str, **more: object) -> ClaimIn:
    return ClaimIn.model_validate(
        {"id": slug, "statement": f"About {slug}.", "kind": "mechanism", **more}
    )


def a_line(key: str, **more: object) -> EvidenceIn:
    record = {
        "key": key,
        "source": "study",
        "direction": "supports",
        "level": "4",
        "question": "prognosis",
    }
    told = {
        "study_design": "case_control",
        "finding": "It was found.",
        "independence_group": "group",
    }
    return EvidenceIn.model_validate({**record, **told, **more})


def fill(store: Store) -> None:
    """Make two topics (serials 1, 2), a source (3), a claim of each topic (4, 5) and a line on the
    first (6).
    """
    with changes.begin(store.database, actor="ada", comment="first") as change:
        for slug in ("iron", "veins"):
            changes.put_topic(
                change, TopicIn(id=slug, label=slug.title(), definition=f"About {slug}.")
            )
        study = {
            "id": "study",
            "type": "article-journal",
            "title": "A study",
            "study_design": "case_control",
        }
        changes.put_source(change, SourceIn.model_validate({**study, "issued": "2010"}))
        changes.put_claim(change, a_claim("a", topics=["iron"]))
        changes.put_claim(change, a_claim("b", topics=["veins"]))
        put_part(change, "a", a_line("one"))


def propose(store: Store) -> None:
    """Propose, reject and withdraw, accept and retract (serials 7 to 14); whatever must not leak
    says `SECRET`.
    """
    steps = [
        ("submitted", "create", SECRET),
        ("rejected", "reject", SECRET),
        ("submitted", "create", SECRET),
        ("withdrawn", "withdraw", SECRET),
        ("submitted", "create", SECRET),
        ("accepted", "accept", "reviewer"),
        ("retracted", "retract", "reviewer"),
    ]
    for place, (state, action, actor) in enumerate(steps):
        key = ["no", "no", "back", "back", "yes", "yes", "yes"][place]
        finding = f"{SECRET} finding" if actor == SECRET else "A finding."
        with changes.begin(store.database, actor=actor, comment=f"{actor} says so") as change:
            assert put_part(change, "a", a_line(key, state=state, finding=finding), action)
    with changes.begin(store.database, actor=SECRET) as change:
        assert changes.put_claim(
            change, a_claim(f"{SECRET}-claim", topics=["iron"], state="submitted")
        )


PROPOSED = [7, 8, 9, 10, 11, 14]


def refile(store: Store, claim: str, *topics: str) -> None:
    """File a claim under other topics."""
    with changes.begin(store.database, actor="ada") as change:
        assert changes.put_claim(change, a_claim(claim, topics=list(topics)))


@contextmanager
def one_change(store: Store) -> Iterator[Callable[[ClaimIn], bool]]:
    """Give a function that puts a claim; all of them are one change."""
    with changes.begin(store.database, actor="ada") as change:
        yield lambda claim: changes.put_claim(change, claim)


@contextmanager
def writing(store: Store, writers: int, times: int) -> Iterator[list[threading.Thread]]:
    """Let writers work at once, each making `times` changes of one to three revisions; wait for
    them at the end.
    """

    def write(name: int) -> None:
        for turn in range(times):
            with changes.begin(store.database, actor=f"writer-{name}") as change:
                for part in range(1 + (name + turn) % 3):
                    changes.put_claim(change, a_claim(f"w{name}-{turn}-{part}", note=now()))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        for thread in threads:
            thread.join(timeout=60)
        assert not any(thread.is_alive() for thread in threads)


def written(writers: int, times: int) -> int:
    """Return how many revisions the writers leave."""
    return sum(1 + (name + turn) % 3 for name in range(writers) for turn in range(times))
