"""Log files by what they cost a machine that is busy: ``python -m benchmarks.log_files``.

The clock says little where others want the same processors, so this counts the seconds that each candidate had one. It also
looks at what two halves of a file cost beside the whole, and how long both take at once; at tallies; and at the memory held
while a large file is read.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._logs import TRACKER, write_log
from benchmarks._memory import resident
from benchmarks.bench_log_files import LINES, bare, events_of, middle_of, peers_of
from msgtrack import collect, open_store
from msgtrack.batch import tally_logs
from msgtrack.io import AccessLogFile
from msgtrack.logs import parse

__all__ = ["main"]

MEGABYTE = 1_000_000
MOST_HELD = 64 * MEGABYTE
_LINE_BYTES = 248
_NOW = datetime(2026, 3, 3, tzinfo=UTC)
_LOOKED_AT = 20_000
"""After so many events the memory is looked at again."""


def costs(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of a processor that each took, with what it started, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    gc.disable()
    try:
        for _ in range(rounds):
            for name, work in candidates.items():
                before = _spent()
                work()
                seconds[name].append(_spent() - before)
    finally:
        gc.enable()
    return seconds


def _spent() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def compared(path: Path, rounds: int) -> None:
    """Print how often each goes into ours, or ours into it: the median of the rounds, and the least and the most."""
    peers = peers_of(path)
    found = costs({"ours": partial(events_of, path), "bare": partial(bare, path), **peers}, rounds)
    _tell("ours / the bare regular expression", found["ours"], found["bare"])
    for name in peers:
        _tell(f"{name} / ours", found[name], found["ours"])


def halved(path: Path, rounds: int) -> None:
    """Print how much of the whole each half costs: with a processor for each, the larger says how long both take. Then how long two
    processes do take, by the clock: the best of the rounds, because others' work only takes away.
    """
    middle, size = middle_of(path), path.stat().st_size
    parts = {
        "whole": partial(events_of, path),
        "first half": partial(events_of, path, 0, middle),
        "second half": partial(events_of, path, middle, size),
    }
    found = costs(parts, rounds)
    larger = [max(each) for each in zip(found["first half"], found["second half"], strict=True)]
    _tell("the whole / the larger half", found["whole"], larger)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("forkserver")) as pool:
        best = least(
            {
                "whole": partial(in_processes, pool, path, [(0, size)]),
                "halves": partial(in_processes, pool, path, [(0, middle), (middle, size)]),
                "tally": partial(tallied, path),
                "tallies": partial(tallied, path, executor=pool, part_bytes=size // 2 + 1),
            },
            rounds,
        )
    _tell("one process / two, by the clock", [best["whole"]], [best["halves"]])
    _tell("tally_logs, one process / two, by the clock", [best["tally"]], [best["tallies"]])
    print(f"by the clock with {os.getloadavg()[0]:.1f} at work on {os.cpu_count()} processors", flush=True)


def in_processes(pool: Executor, path: Path, parts: Sequence[tuple[int, int]]) -> int:
    """How many events parts of a file make, each in a process of its own."""
    found = [pool.submit(events_of, path, start, end) for start, end in parts]
    return sum(one.result() for one in found)


def least(candidates: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The fewest seconds on the clock that each took, in turns, once all had warmed up."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds + 1):
        for name, work in candidates.items():
            before = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - before)
    return {name: min(times[1:]) for name, times in seconds.items()}


def tallied(path: Path, **options: Any) -> int:
    """How many events a tally of a file takes in."""
    return tally_logs({"web": path}, tracker=TRACKER, **options).events


def tallies(path: Path, rounds: int) -> None:
    """Print how often a tally goes into the same events in a store in memory, and the bare regular expression into a tally."""
    found = costs(
        {"tally": partial(tallied, path), "collect": partial(collected, path), "bare": partial(bare, path)}, rounds
    )
    _tell("collect into memory / tally_logs", found["collect"], found["tally"])
    _tell("tally_logs / the bare regular expression", found["tally"], found["bare"])


def collected(path: Path) -> int:
    """How many events of a file a store in memory takes in."""
    with open_store("memory:") as store:
        return collect({"web": AccessLogFile(path)}, store, tracker=TRACKER, now=_NOW).events


def _tell(name: str, over: Sequence[float], under: Sequence[float]) -> None:
    ratios = [one / other for one, other in zip(over, under, strict=True)]
    print(f"{name:<46}{statistics.median(ratios):>7.2f}   ({min(ratios):.2f} to {max(ratios):.2f})", flush=True)


def held(path: Path) -> bool:
    """Print the most memory that a process of its own held while it read the file; whether that is little enough."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        events, seconds, more = pool.apply(_read, (path,))
    size = path.stat().st_size / MEGABYTE
    print(
        f"{events:,} events of {size:,.0f} MB in {seconds:,.0f} s of a processor: {more / MEGABYTE:.1f} MB above the import"
    )
    return more < MOST_HELD


def _read(path: Path) -> tuple[int, float, int]:
    events, before, most = 0, time.process_time(), 0
    held_before = resident()
    with path.open(encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for _ in parse(file, tracker=TRACKER):
            events += 1
            if events % _LOOKED_AT == 0:
                most = max(most, resident())
    return events, time.process_time() - before, max(most, resident()) - held_before


def main(argv: Sequence[str] | None = None) -> int:
    """Run what is wanted; 1 when too much memory was held."""
    parser = argparse.ArgumentParser(prog="benchmarks.log_files", description="Processor time and memory of log files.")
    parser.add_argument(
        "--lines", type=int, default=LINES, help=f"of the file that is compared (default: {LINES:,}; 0 for none)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each takes its turn (default: 5)")
    parser.add_argument("--megabytes", type=float, default=0, help="size of the file for memory (default: none)")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="msgtrack-bench-") as folder:
        path = Path(folder) / "access.log"
        if args.lines:
            write_log(path, args.lines)
            compared(path, args.rounds)
            halved(path, args.rounds)
            tallies(path, args.rounds)
        if args.megabytes:
            return 0 if held(write_log(path, int(args.megabytes * MEGABYTE / _LINE_BYTES))) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
