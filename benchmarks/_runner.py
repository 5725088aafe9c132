"""The measuring: candidates take turns in rounds, and the median round counts."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping

from attrs import field, frozen

__all__ = ["Benchmark", "Row", "measure"]

Work = Callable[[], object]

ROUND_SECONDS = 0.05
ROUNDS = 15


@frozen(kw_only=True)
class Benchmark:
    """One thing to measure; ``benchmarks/README.md`` says what the fields mean."""

    name: str
    ours: Work
    limit: Work
    peers: Mapping[str, Work] = field(factory=dict)
    items: int = 1


@frozen(kw_only=True)
class Row:
    """What was measured: seconds of one call of ours, its ratio to the limit, and the ratio of each peer to ours."""

    name: str
    seconds: float
    per_second: float
    times_the_limit: float
    peers: Mapping[str, float]


def measure(benchmark: Benchmark, *, rounds: int = ROUNDS, round_seconds: float = ROUND_SECONDS) -> Row:
    """Measure one benchmark.

    Every candidate runs once to warm up; then all take turns, so that a busy moment of the machine hits them alike.
    """
    candidates: dict[str, Work] = {"ours": benchmark.ours, "limit": benchmark.limit, **benchmark.peers}
    calls = {name: _calls(work, round_seconds) for name, work in candidates.items()}
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, work in candidates.items():
                seconds[name].append(_time(work, calls[name]))
    finally:
        if was_collecting:
            gc.enable()
    median = {name: statistics.median(times) for name, times in seconds.items()}
    return Row(
        name=benchmark.name,
        seconds=median["ours"],
        per_second=benchmark.items / median["ours"],
        times_the_limit=median["ours"] / median["limit"],
        peers={name: median[name] / median["ours"] for name in benchmark.peers},
    )


def _calls(work: Work, round_seconds: float) -> int:
    """How many calls fill a round."""
    work()
    once = max(_time(work, 1), 1e-9)
    return max(1, min(1_000_000, int(round_seconds / once)))


def _time(work: Work, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - start) / calls
