"""The benchmarks run, and measure what they say. Nothing here asserts on time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def _bench(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_every_benchmark_runs_and_gives_ratios(root: Path) -> None:
    done = _bench(root, "--quick", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    files = {path.stem.removeprefix("bench_") for path in (root / "benchmarks").glob("bench_*.py")}
    assert {line.partition(":")[0] for line in done.stderr.splitlines() if line.endswith("…")} == files
    assert all(row["times_the_limit"] > 0 and row["per_second"] > 0 for row in rows)
    assert all(ratio > 0 for row in rows for ratio in row["peers"].values())


def test_an_unknown_benchmark_is_refused(root: Path) -> None:
    done = _bench(root, "no-such-thing")
    assert done.returncode == 2
    assert "there are: " in done.stderr
