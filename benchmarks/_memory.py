"""How much memory this process holds."""

from __future__ import annotations

import resource
from pathlib import Path

__all__ = ["resident"]


def resident() -> int:
    """Bytes this process holds now, where the system tells; else the most it ever held."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
