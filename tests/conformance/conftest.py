"""What each of our stores says of itself, in full: one that is switched off by mistake would only turn tests into skips."""

from __future__ import annotations

import pytest
from attrs import fields

from msgtrack.protocols import Capabilities

_IN_MEMORY = {"atomic_ingest", "exact_distinct", "revisable"}
_ALL = {field.name for field in fields(Capabilities)}
CLAIMS = {
    "memory": _IN_MEMORY,
    "dict": _IN_MEMORY | {"persistent"},
    "SQLite": _ALL,
    "PostgreSQL": _ALL,
    "MariaDB": _ALL,
    "DuckDB": _ALL - {"concurrent_writers", "several_processes"},
    "Parquet": _ALL - {"concurrent_writers", "revisable"},
    "ClickHouse": _ALL - {"atomic_ingest", "snapshots"},
    "ClickHouse in a folder": _ALL - {"atomic_ingest", "snapshots", "several_processes"},
}
"""The capabilities that a store has; those that are not named here it has not."""


@pytest.fixture(scope="session")
def claims():
    """By store the exact capabilities."""
    return {name: Capabilities(**{field: field in said for field in _ALL}) for name, said in CLAIMS.items()}
