"""The store on DuckDB keeps the contract, and agrees with the one in memory step by step."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from msgtrack import open_store
from msgtrack.testing import StoreAgreement, StoreSuite

pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")
pytest.importorskip("duckdb", reason="the extra 'duckdb' is not installed")

IS_FULL = bool(os.environ.get("MSGTRACK_TEST_FULL"))


class TestDuckDbStore(StoreSuite):
    """Every clause."""

    # It takes twenty thousand at a time, and has the last ones while it takes the next.
    events_at_once = 40_000

    @pytest.fixture
    def store_factory(self, tmp_path):
        return lambda: open_store(f"duckdb:///{tmp_path / 'store.duckdb'}")


def test_it_says_exactly_what_it_can(tmp_path, claims):
    with open_store(f"duckdb:///{tmp_path / 'store.duckdb'}") as store:
        assert store.capabilities == claims["DuckDB"]
        store.to_parquet(tmp_path / "parquet")
    with open_store(f"duckdb+parquet:{tmp_path / 'parquet'}") as store:
        assert store.capabilities == claims["Parquet"]


class DuckDbAgreement(StoreAgreement):
    """A file of its own for every sequence of steps."""

    def place(self):
        self.folder = Path(tempfile.mkdtemp(prefix="msgtrack-agreement-"))
        return lambda: open_store(f"duckdb:///{self.folder / 'store.duckdb'}")

    def discard(self):
        shutil.rmtree(self.folder)


TestDuckDbAgreement = DuckDbAgreement.TestCase
TestDuckDbAgreement.settings = settings(
    max_examples=20 if IS_FULL else 3,
    stateful_step_count=10 if IS_FULL else 6,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
