"""``python -m benchmarks [NAME ...] [--json | --markdown]``: run the benchmarks and print ratios."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from benchmarks._runner import ROUND_SECONDS, ROUNDS, Row, measure

__all__ = ["OPT_IN", "main"]

OPT_IN = frozenset({"bulk", "log_files", "tally"})
"""Those that take minutes and much memory: they run when they are named, in fewer rounds."""

_ROUNDS_OF_OPT_IN = 3


def names() -> list[str]:
    """All benchmark files, without ``bench_``."""
    return sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))


def rows(wanted: Iterable[str], *, rounds: int, round_seconds: float, quick: bool = False) -> list[Row]:
    """Measure the files asked for, in order; progress goes to standard error."""
    found = []
    for name in wanted:
        module = importlib.import_module(f"benchmarks.bench_{name}")
        if name in OPT_IN:
            rounds = min(rounds, _ROUNDS_OF_OPT_IN)
        for benchmark in module.made(quick=quick) if name in OPT_IN else module.BENCHMARKS:
            print(f"{name}: {benchmark.name} …", file=sys.stderr, flush=True)
            found.append(measure(benchmark, rounds=rounds, round_seconds=round_seconds))
    return found


def show(found: Sequence[Row]) -> None:
    """The rows as a table."""
    width = max((len(row.name) for row in found), default=0)
    print(f"{'':<{width}}  {'one call':>12}  {'a second':>12}  {'x limit':>8}  peers, times ours")
    for row in found:
        peers = ", ".join(f"{name} {ratio:.2f}" for name, ratio in row.peers.items()) or "-"
        micros = f"{row.seconds * 1e6:,.1f} µs"
        print(f"{row.name:<{width}}  {micros:>12}  {row.per_second:>12,.0f}  {row.times_the_limit:>8.2f}  {peers}")


def page(found: Sequence[Row]) -> str:
    """The rows as the table of ``docs/benchmarks.md``: ratios only, times would be of one machine."""
    lines = ["| What | Times the limit | Peers, times ours |", "| --- | --- | --- |"]
    for row in found:
        peers = ", ".join(f"{name}: {ratio:.3g}" for name, ratio in row.peers.items()) or "–"
        lines.append(f"| {row.name} | {row.times_the_limit:.2f} | {peers} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmarks named, or all."""
    known = names()
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure msgtrack, as ratios within one run.")
    parser.add_argument(
        "name", nargs="*", help=f"which: {', '.join(known)} (default: all but {', '.join(sorted(OPT_IN))})"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="print the rows as JSON")
    shape.add_argument("--markdown", action="store_true", help="print the ratios as a table in Markdown")
    parser.add_argument("--quick", action="store_true", help="few and short rounds: does it run at all?")
    args = parser.parse_args(argv)
    if unknown := [name for name in args.name if name not in known]:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(known)}")
    rounds, seconds = (2, 0.002) if args.quick else (ROUNDS, ROUND_SECONDS)
    wanted = args.name or [name for name in known if name not in OPT_IN]
    found = rows(wanted, rounds=rounds, round_seconds=seconds, quick=args.quick)
    if args.json:
        machine = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
        print(json.dumps({"on": machine, "rows": [attrs.asdict(row) for row in found]}, indent=2))
    elif args.markdown:
        print(page(found))
    else:
        show(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
