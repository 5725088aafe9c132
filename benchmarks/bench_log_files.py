"""A whole log file in the combined format to verified events, against those who read such files too.

GoAccess reads each line and counts for its report; apachelogs reads each line. Neither checks a signature.
"""

from __future__ import annotations

import atexit
import io
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks._logs import TRACKER, write_log
from benchmarks._runner import Benchmark
from msgtrack.logs import parse

LINES = 400_000
_QUICK_LINES = 2_000
_BARE = re.compile(
    r'(\S+) (\S+) (\S+) \[([^]]+)\] "(\S+) (\S+) ([^"]*)" (\d+) (\S+) "([^"]*)" "([^"]*)"'
)  # fmt: skip


def made(*, quick: bool = False) -> list[Benchmark]:
    """One log with three of five lines of a message seen once, one where all are."""
    folder = Path(tempfile.mkdtemp(prefix="msgtrack-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    number = _QUICK_LINES if quick else LINES
    some = write_log(folder / "some.log", number)
    every = write_log(folder / "every.log", number, distinct=1.0)
    pool = ProcessPoolExecutor(1, mp_context=get_context("forkserver"))
    atexit.register(pool.shutdown)
    in_two = {"one process": partial(events_of, some)}
    return [
        Benchmark(
            name=f"{number:,} lines to events, 60 % of distinct messages",
            ours=partial(events_of, some),
            limit=partial(bare, some),
            peers=peers_of(some),
            items=number,
        ),
        Benchmark(
            name=f"{number:,} lines to events, all of distinct messages",
            ours=partial(events_of, every),
            limit=partial(bare, every),
            items=number,
        ),
        Benchmark(
            name="60 % distinct, in two processes",
            ours=partial(in_two_processes, pool, some),
            limit=partial(bare, some),
            peers=in_two,
            items=number,
        ),
    ]


def events_of(path: Path, start: int = 0, end: int | None = None) -> int:
    """How many events the lines between two places of a file make."""
    found = 0
    with path.open("rb") as raw:
        raw.seek(start)
        part = raw if end is None else io.BufferedReader(_Part(raw, end - start), 1 << 16)
        for _ in parse(io.TextIOWrapper(part, "utf-8", "backslashreplace", newline="\n"), tracker=TRACKER):
            found += 1
    return found


class _Part(io.RawIOBase):
    """So many bytes of a file, from where it stands."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(min(len(buffer), self._left))
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


def bare(path: Path) -> int:
    """The least: every line read, and its fields found by one regular expression."""
    found, match = 0, _BARE.match
    with path.open(encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for line in file:
            fields = match(line)
            if fields is not None and fields.groups():
                found += 1
    return found


def in_two_processes(pool: ProcessPoolExecutor, path: Path) -> int:
    """The same in two halves, one of them in another process."""
    middle = middle_of(path)
    other = pool.submit(events_of, path, middle, path.stat().st_size)
    return events_of(path, 0, middle) + other.result()


def middle_of(path: Path) -> int:
    """Where the first line begins that begins in the second half of a file."""
    with path.open("rb") as file:
        file.seek(path.stat().st_size // 2)
        file.readline()
        return file.tell()


def peers_of(path: Path) -> dict[str, Callable[[], object]]:
    """Who else is here and reads such a file."""
    peers: dict[str, Callable[[], object]] = {}
    try:
        from apachelogs import COMBINED, LogParser  # type: ignore[import-untyped]  # it says no types
    except ImportError:
        pass
    else:
        parser = LogParser(COMBINED)

        def apachelogs() -> int:
            with path.open(encoding="utf-8") as file:
                return sum(1 for _ in parser.parse_lines(file))

        peers["apachelogs"] = apachelogs
    if program := shutil.which("goaccess"):
        command = [program, str(path), "--log-format=COMBINED", "--no-progress", "-o", str(path.with_suffix(".json"))]
        peers["GoAccess, its report as JSON"] = partial(
            subprocess.run, command, check=True, capture_output=True, stdin=subprocess.DEVNULL
        )
    return peers
