"""Handing bytes to the system without handing the interpreter to another thread.

``os.write`` lets other threads run meanwhile, and then waits for its turn again. For a line of a segment, which the
system copies in a microsecond, that waiting takes as long as all else that an answer needs.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

__all__ = ["holds_on", "write"]

holds_on: bool = sys.implementation.name == "cpython" and os.name == "posix"
"""Whether there is such a way here; without it other threads come in."""


def _write_of_the_library() -> Callable[[int, bytes, int], int]:
    # Unlike other functions of C, those of a PyDLL run with the interpreter held.
    put = ctypes.PyDLL(None).write
    put.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t)
    put.restype = ctypes.c_ssize_t
    return put


_put = _write_of_the_library() if holds_on else lambda fd, data, _: os.write(fd, data)


def write(fd: int, data: bytes) -> int:
    """As ``os.write``, for few bytes and a file: while the disk does not take them, all threads of the process wait.

    Raises:
        OSError: none of it was taken.
    """
    done = _put(fd, data, len(data))
    # Whatever ails it, ``os.write`` says it as Python does, or succeeds.
    return done if done >= 0 else os.write(fd, data)
