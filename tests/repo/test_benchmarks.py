"""The benchmarks run, and measure what they say. Nothing here asserts on time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_SAME = """
from benchmarks import bench_tally
bench_tally.made(quick=True)
counts = bench_tally._one()
parts = counts.deliveries["4711"].domains.values()
found = {
    "rows": sum(sum(part.reactions.values()) for part in parts),
    "messages": sum(sum(part.statuses.values()) for part in parts),
    "recipient_open": sum(part.reacted for part in parts),
    "recipient_click": sum(part.clicked for part in parts),
    "persons": counts.persons,
}
print(bench_tally.bare() == found, bench_tally._two_read().counts() == counts)
"""


def _environment(root: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}


def _bench(root: Path, *arguments: str, module: str = "benchmarks") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        env=_environment(root),
        check=False,
    )


def test_every_benchmark_runs_and_gives_ratios(root: Path) -> None:
    done = _bench(root, "--quick", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    files = {path.stem.removeprefix("bench_") for path in (root / "benchmarks").glob("bench_*.py")} - {
        "bulk",
        "log_files",
        "tally",
    }
    assert {line.partition(":")[0] for line in done.stderr.splitlines() if line.endswith("…")} == files
    assert all(row["times_the_limit"] > 0 and row["per_second"] > 0 for row in rows)
    assert all(ratio > 0 for row in rows for ratio in row["peers"].values())


def test_log_files_are_measured_when_they_are_named(root: Path) -> None:
    done = _bench(root, "log_files", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    *_, in_two = rows = json.loads(done.stdout)["rows"]
    assert all(row["times_the_limit"] > 0 and row["per_second"] > 0 for row in rows)
    assert list(in_two["peers"]) == ["one process"]


def test_logs_by_columns_are_measured_when_they_are_named(root: Path) -> None:
    done = _bench(root, "bulk", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert len(rows) == 2
    assert all(row["times_the_limit"] > 0 and len(row["peers"]) == 3 for row in rows)


def test_log_files_are_measured_by_processor_time_and_memory(root: Path) -> None:
    done = _bench(root, "--lines", "500", "--rounds", "1", "--megabytes", "0.1", module="benchmarks.log_files")
    assert done.returncode == 0, done.stderr
    *compared, whole, one, tally, load, collected, bare, memory = done.stdout.splitlines()
    names = [line.partition(" / ")[0] for line in (compared[0], whole, one, tally, collected, bare)]
    assert names == [
        "ours",
        "the whole",
        "one process",
        "tally_logs, one process",
        "collect into memory",
        "tally_logs",
    ]
    assert all(line.partition("  ")[0].endswith(" / ours") for line in compared[1:])
    assert load.startswith("by the clock with ")
    assert memory.startswith("403 events of 0 MB")


def test_the_fold_is_measured_when_it_is_named(root: Path) -> None:
    done = _bench(root, "tally", "--quick", "--json")
    assert done.returncode == 0, done.stderr
    _, one, many, *in_two = rows = json.loads(done.stdout)["rows"]
    assert all(row["times_the_limit"] > 0 for row in rows)
    assert [list(row["peers"]) for row in (one, many)] == [["first report"]] * 2
    assert [list(row["peers"]) for row in in_two] == [["one process"]] * 2


def test_the_bare_loop_finds_what_the_fold_finds(root: Path) -> None:
    """Else the two would not be measured against each other."""
    done = subprocess.run(
        [sys.executable, "-c", _SAME],
        cwd=root,
        capture_output=True,
        text=True,
        env=_environment(root),
        check=False,
    )
    assert done.stdout == "True True\n", done.stderr


def test_the_table_of_the_page_is_markdown(root: Path) -> None:
    done = _bench(root, "tokens", "--quick", "--markdown")
    assert done.returncode == 0, done.stderr
    first, second, *rows = done.stdout.splitlines()
    assert {line.count("|") for line in (first, second, *rows)} == {4}
    assert rows


def test_growth_is_measured_for_every_kind(root: Path) -> None:
    """Small enough to run here; whether something grew is for larger inputs to say."""
    done = _bench(root, "--megabytes", "0.02", "--messages", "20", module="benchmarks.growth")
    assert done.returncode in (0, 1), done.stderr
    assert not done.stderr
    kinds = [line for line in done.stdout.splitlines()[1:] if not line.startswith("memory over")]
    assert len(kinds) > 20
    assert not [line for line in kinds if "not done" in line]
    assert "memory over 20 messages" in done.stdout


def test_an_unknown_benchmark_is_refused(root: Path) -> None:
    done = _bench(root, "no-such-thing")
    assert done.returncode == 2
    assert "there are: " in done.stderr


def test_the_server_is_loaded_or_says_why_not(root: Path) -> None:
    """One short round of one row: every answer has its hit. Where ``wrk`` is missing it says so."""
    done = _bench(
        root, "--rounds", "1", "--seconds", "1", "--only", "uvicorn ASGI, clicks and", module="benchmarks.server"
    )
    assert done.returncode == 0, done.stderr
    assert "of equal headers" in done.stdout or "wrk is not installed" in done.stdout
