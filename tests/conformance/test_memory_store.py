"""The store in memory keeps the contract."""

from __future__ import annotations

import pytest

from msgtrack import open_store
from msgtrack.testing import StoreSuite


class TestMemoryStore(StoreSuite):
    """Every clause."""

    @pytest.fixture
    def store_factory(self):
        return lambda: open_store("memory:")


def test_it_says_exactly_what_it_can(claims):
    assert open_store("memory:").capabilities == claims["memory"]
