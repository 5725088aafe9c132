"""Handing bytes to the system without handing the interpreter to another thread.

``os.write`` lets other threads run meanwhile, and then waits for its turn again. For a line of a segment, which the
system copies in a microsecond, that waiting takes as long as all else that an answer needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

__all__ = ["holds_on", "write"]

_Put = Callable[[int, bytes, int], int]


def _write_of_the_library() -> _Put | None:
    """``write`` of the C library; None where it cannot be called, or there is nothing to hold on to."""
    is_locked: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
    if sys.implementation.name != "cpython" or os.name != "posix" or not is_locked:
        return None
    try:
        import ctypes

        # Unlike other functions of C, those of a PyDLL run with the interpreter held.
        put = ctypes.PyDLL(None).write
    except (ImportError, OSError, AttributeError):
        # An interpreter that was built without it, or into one file with its library.
        return None
    put.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
    put.restype = ctypes.c_ssize_t
    return put


def _letting_go(fd: int, data: bytes, _: int) -> int:
    return os.write(fd, data)


_put = _write_of_the_library() or _letting_go

holds_on: bool = _put is not _letting_go
"""Whether there is such a way here; without it other threads come in."""


def write(fd: int, data: bytes) -> int:
    """As ``os.write``, for few bytes and a file: while the disk does not take them, all threads of the process wait.

    Raises:
        OSError: none of it was taken.
    """
    done = _put(fd, data, len(data))
    # Whatever ails it, ``os.write`` says it as Python does, or succeeds.
    return done if done >= 0 else os.write(fd, data)
