"""A whole log file into a store on DuckDB by columns, against the same with an event for each line."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from benchmarks._logs import TRACKER, write_log
from benchmarks._runner import Benchmark
from benchmarks.bench_log_files import bare
from msgtrack import collect, open_store
from msgtrack.bulk import collect_logs
from msgtrack.io import AccessLogFile
from msgtrack.logs import parse
from msgtrack.storage import BaseStore

LINES = 400_000
_QUICK_LINES = 2_000
_NOW = datetime(2026, 3, 3, tzinfo=UTC)

Fill = Callable[[Path, BaseStore], int]
"""Reads a log into a store; how many events are new."""


def made(*, quick: bool = False) -> list[Benchmark]:
    """One log with three of five lines of a message seen once, one where all are."""
    folder = Path(tempfile.mkdtemp(prefix="msgtrack-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    number = _QUICK_LINES if quick else LINES
    logs = {
        "60 % of distinct messages": write_log(folder / "some.log", number),
        "all of distinct messages": write_log(folder / "every.log", number, distinct=1.0),
    }
    return [
        Benchmark(
            name=f"{number:,} lines into DuckDB, {name}",
            ours=partial(fresh, by_columns, log),
            limit=partial(bare, log),
            peers={
                "collect": partial(fresh, by_objects, log),
                "collect, the same number of lines at a time": partial(fresh, by_objects_at_once, log),
                "ingest of parse, which keeps no place": partial(fresh, by_parse, log),
            },
            items=number,
        )
        for name, log in logs.items()
    ]


def fresh(fill: Fill, log: Path) -> int:
    """How many events go from a log into a store that was empty."""
    with (
        tempfile.TemporaryDirectory(prefix="msgtrack-bench-") as folder,
        open_store(f"duckdb:///{folder}/x.duckdb") as store,
    ):
        return fill(log, store)


def by_columns(log: Path, store: BaseStore) -> int:
    """The way that is measured."""
    return collect_logs({"web": AccessLogFile(log)}, store, tracker=TRACKER, now=_NOW).added


def by_objects(log: Path, store: BaseStore) -> int:
    """A hit and an event for each line, five thousand lines at a time."""
    return collect({"web": AccessLogFile(log)}, store, tracker=TRACKER, now=_NOW).added


def by_objects_at_once(log: Path, store: BaseStore) -> int:
    """The same, as many lines at a time as by columns."""
    return collect({"web": AccessLogFile(log, batch_lines=50_000)}, store, tracker=TRACKER, now=_NOW).added


def by_parse(log: Path, store: BaseStore) -> int:
    """An event for each line, in the quickest way there is; not the same events, as nothing says which opens are one."""
    with log.open(encoding="utf-8", errors="backslashreplace", newline="\n") as lines:
        return store.ingest(parse(lines, tracker=TRACKER)).added  # type: ignore[arg-type]  # with a tracker they are events or rejected
