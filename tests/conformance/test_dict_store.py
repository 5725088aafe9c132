"""The example of a third-party store keeps the contract, as its how-to page says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from msgtrack.testing import StoreAgreement, StoreSuite

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "store_in_a_dict.py"))
DictStore = EXAMPLE["DictStore"]


class TestDictStore(StoreSuite):
    """Every clause."""

    @pytest.fixture
    def store_factory(self):
        lines = {}
        return lambda: DictStore(lines)


class DictAgreement(StoreAgreement):
    """A dictionary of its own for every sequence of steps."""

    def place(self):
        lines = {}
        return lambda: DictStore(lines)


TestDictAgreement = DictAgreement.TestCase
TestDictAgreement.settings = settings(
    max_examples=8, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_the_example_opens_by_its_address_and_says_exactly_what_it_can(claims):
    with EXAMPLE["open_dict"]("dict:spring") as store:
        assert store.capabilities == claims["dict"]
