"""The benchmark of stores runs, and lays in every event that it says. Nothing here asserts on time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_FEW = """
from benchmarks import stores
batches = [*stores._batches(stores.world_events(25), 10)]
print([len(batch) for batch in batches], len({event.id for batch in batches for event in batch}))
"""


@pytest.fixture
def environment(root: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}


def test_no_event_is_lost_between_batches(root: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FEW], cwd=root, capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout == "[10, 10, 5] 25\n", done.stderr


@pytest.mark.parametrize(
    ("engine", "more", "is_measured"),
    [
        ("duckdb", (), True),
        ("sqlite", ("--alone", "--processor-time"), False),
        ("mariadb", ("--processor-time",), True),
    ],
)
def test_both_limits_are_measured_unless_the_store_is_alone(
    engine: str, more: tuple[str, ...], is_measured: bool, root: Path, environment: dict[str, str]
) -> None:
    pytest.importorskip("sqlalchemy", reason="the extra 'sql' is not installed")
    pytest.importorskip("duckdb" if engine == "duckdb" else "sqlite3", reason="the extra 'duckdb' is not installed")
    if engine == "mariadb" and shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/bin") is None:
        pytest.skip("no mariadbd on this machine (Debian: apt-get install mariadb-server)")
    command = [sys.executable, "-m", "benchmarks.stores", engine, "--events", "700", "--batch", "200", "--json", *more]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["events"] == 700
    assert [bool(found[name]) for name in ("ingest_to_bare", "ingest_to_own_table")] == [is_measured] * 2
    assert all(found[name] > 0 for name in ("ingest_per_second", "counts_to_hand_written", "events_of_slots_to_slots"))
