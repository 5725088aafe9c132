"""What goes wrong on ClickHouse's engine: writers that are killed, broken off, or too many at once."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.fixture(scope="module", autouse=True)
def _engine(engines):
    for package in ("sqlalchemy", "clickhouse_connect", "chdb"):
        if importlib.util.find_spec(package) is None:
            engines.lacks("ClickHouse", f"the package {package!r} is not installed")


PROGRAM = Path(__file__).with_name("clickhouse_faults.py")


def started(name: str, folder: Path) -> subprocess.Popen[str]:
    path = os.pathsep.join(part for part in sys.path if part)
    return subprocess.Popen(
        [sys.executable, PROGRAM, name, folder],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
    )


def figures(name: str, folder: Path) -> dict[str, object]:
    with started(name, folder) as process:
        said, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    return json.loads(said.splitlines()[-1])


def kill_writers(folder: Path, times: int) -> None:
    """Kill that many writers, one after the other, each somewhere in its ingests."""
    rng = random.Random(times)
    for number in range(times):
        with started("write", folder) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "open\n"
            for _ in range(rng.randint(0 if number else 1, 3)):
                writer.stdout.readline()
            time.sleep(rng.uniform(0, 0.2))
            writer.kill()


def check_after_kills(folder: Path) -> None:
    found = figures("look", folder)
    assert found.pop("position") > 0
    assert found == {"lost": 0, "twice": 0, "distinct": True, "settled": True}


def test_a_writer_that_is_killed_loses_nothing(tmp_path: Path) -> None:
    kill_writers(tmp_path / "store", 2)
    check_after_kills(tmp_path / "store")


@pytest.mark.slow
def test_ten_writers_that_are_killed_lose_nothing(tmp_path: Path) -> None:
    kill_writers(tmp_path / "store", 10)
    check_after_kills(tmp_path / "store")


@pytest.mark.parametrize("name", ["race", "race_of_large"])
def test_eight_handles_with_overlapping_batches(tmp_path: Path, name: str) -> None:
    assert figures(name, tmp_path / "store") == {"events": 2000, "same": True, "settled": True, "errors": []}


@pytest.mark.parametrize("name", ["contest", "contest_of_large"])
def test_the_first_of_one_id_stays_where_two_handles_bring_it_at_once(tmp_path: Path, name: str) -> None:
    found = figures(name, tmp_path / "store")
    # Both are there for as long as neither handle has come to say so.
    assert found == {"both": ["x", "x"], "kept": True, "settled": True}


@pytest.mark.parametrize(("name", "there"), [("broken_off", 300), ("broken_off_of_new", 300), ("cut_off", 100)])
def test_an_ingest_that_breaks_off_counts_right_before_and_after_it_is_mended(
    tmp_path: Path, name: str, there: int
) -> None:
    folder = tmp_path / "store"
    assert figures(name, folder) == {
        "failed": True,
        "events": there,
        "checkpoint": "100",
        "counts": True,
        "slots": True,
        "window": True,
    }
    assert figures("repaired", folder) == {"left": 0, "ids": there, "settled": True, "added": 300 - there}


def test_nothing_of_an_ingest_is_seen_before_it_moves_and_counts_are_right_while_it_does(tmp_path: Path) -> None:
    assert figures("under_way", tmp_path / "store") == {"seen": [True, True], "added": 151, "settled": True}


def test_a_forked_child_is_refused(tmp_path: Path) -> None:
    assert figures("forked", tmp_path / "store") == {"child": 7, "events": 1}
