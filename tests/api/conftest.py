"""What tests of the API share."""

from collections.abc import Iterator

import pytest

from tests.api.curating import Desk, at_desk
from tests.databases import Store


@pytest.fixture
def desk(seeded: Store) -> Iterator[Desk]:
    """Give a desk on the seed content; whatever is done there must leave revisions, tables and
    documents in agreement.
    """
    with at_desk(seeded) as desk:
        yield desk
        assert desk.disagreements() == []
