"""The store on SQLite keeps the contract, and agrees with the one in memory step by step."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from msgtrack import open_store
from msgtrack.testing import StoreAgreement, StoreSuite

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")


class TestSqliteStore(StoreSuite):
    """Every clause."""

    @pytest.fixture
    def store_factory(self, tmp_path):
        return partial(open_store, f"sqlite:///{tmp_path / 'store.db'}")


def test_it_says_exactly_what_it_can(tmp_path, claims):
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        assert store.capabilities == claims["SQLite"]


class SqliteAgreement(StoreAgreement):
    """A file of its own for every sequence of steps."""

    def place(self):
        self.folder = Path(tempfile.mkdtemp(prefix="msgtrack-agreement-"))
        return lambda: open_store(f"sqlite:///{self.folder / 'store.db'}")

    def discard(self):
        shutil.rmtree(self.folder)


TestSqliteAgreement = SqliteAgreement.TestCase
TestSqliteAgreement.settings = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
