"""The edges of the schema of every operation, as tests/api/test_schemathesis.py tries those of a
few.

They are made when tests are collected, so `tests/conftest.py` leaves this file out of all but the
slow suite.
"""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import settings

from tests.api.test_schemathesis import ANY_REQUEST, STEADY, check_declared, load

any_request = load(**ANY_REQUEST)


@pytest.mark.slow
@any_request.parametrize()  # type: ignore[untyped-decorator]
@settings(max_examples=5, **STEADY)
def test_the_edges_of_every_operation(case: Any, client: TestClient) -> None:
    check_declared(case, client)
