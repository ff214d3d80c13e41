"""Requests of any kind, made from the OpenAPI document, with the key of an admin: none is a fault
of ours, and all that is stored still agrees after them.
"""

import itertools
import math
import random
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed, settings

from api.main import create_app
from api.settings import Settings
from tests.api.requests import bearer
from tests.api.test_schemathesis import STORED, served
from tests.databases import Store
from tests.drills.figures import Figures, progress
from tests.drills.serving import must_agree, people, tell

# Of each operation in each turn; it is turned to again until there were as many calls as wanted.
EXAMPLES = 40
UNBOUNDED: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}
LIMITS = ("key_writes_per_minute", "address_writes_per_minute")
# A stream would never end, and webhooks would send to addresses that are made up.
LEFT_OUT = ["stream_changes", "create_webhook"]


def make_requests(store: Store, calls: int) -> Figures:
    """Make so many calls, half of them about records that are stored; others in every run."""
    first = random.SystemRandom().randrange(2**32)
    figures, faults = Figures(rounds=0), []
    headers = bearer(people(store.database, 1, "admin")[0])
    no_limits: dict[str, Any] = dict.fromkeys(LIMITS, 10**9)
    app = create_app(Settings(database_url=store.url, **no_limits))
    document = schemathesis.openapi.from_dict(app.openapi()).exclude(operation_id=LEFT_OUT)
    found: Any = document.get_all_operations()
    operations = [each.ok() for each in found]
    random.Random(first).shuffle(operations)
    examples = min(EXAMPLES, math.ceil(calls / len(operations)))
    with TestClient(app, headers=headers, raise_server_exceptions=False) as client:
        target = served(client)
        for turn, operation in itertools.product(range(calls), operations):
            if figures.rounds >= calls:
                break

            @seed(first + turn)
            @settings(max_examples=examples, **UNBOUNDED)
            @given(case=operation.as_strategy())
            def call(case: Any) -> None:
                if figures.rounds % 2:
                    name_what_is_stored(case.path_parameters)
                answer = case.call(app=target, headers=headers)
                figures.rounds += 1
                figures.answers[answer.status_code] += 1
                # A serial that is made up will not come.
                behind = answer.status_code == 503 and answer.json()["code"] == "behind"
                if answer.status_code >= 500 and not behind:
                    faults.append(f"{case.as_curl_command()}: {answer.text[:500]}")

            call()
            progress(figures.rounds, calls)
    assert not faults, f"{len(faults)} with the seed {first}, such as {faults[:3]}"
    must_agree(store.database)
    return figures


def name_what_is_stored(parameters: dict[str, Any]) -> None:
    """Put the ids of stored records into a path, where there are any of its kind."""
    for name in parameters.keys() & STORED.keys():
        parameters[name] = STORED[name][0]


@pytest.mark.slow
def test_no_request_with_a_key_is_a_fault_of_ours(seeded: Store) -> None:
    """A few without a key are made in tests/api/test_schemathesis.py."""
    tell(str(make_requests(seeded, 4000)))
