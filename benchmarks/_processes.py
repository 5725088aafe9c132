"""The time that processors spend on other processes, those of a database server on this machine."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["seconds_of_children", "seconds_of_process"]

_NANOSECONDS = 1e-9


def seconds_of_children(pid: int) -> Callable[[], float]:
    """What says how many seconds the children of a process have spent so far; those that ended since it was asked last count as they
    did then. Linux alone says it.
    """
    seen: dict[int, float] = {}

    def seconds() -> float:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                spent, *_ = Path(f"/proc/{child}/schedstat").read_text().split()
                seen[int(child)] = int(spent) * _NANOSECONDS
        return sum(seen.values())

    return seconds


def seconds_of_process(pid: int) -> Callable[[], float]:
    """What says how many seconds all threads of a process have spent so far. Linux alone says it."""

    def seconds() -> float:
        # The name of the program stands in parentheses and may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    return seconds
