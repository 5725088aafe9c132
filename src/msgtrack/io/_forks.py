"""What a process that was forked has to put right before anything else."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["call_when_forked"]

_CALLED: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()


def call_when_forked(thing: Any, call: Callable[[Any], None]) -> None:
    """Have ``call`` called with a thing in each process that is forked from this one, as long as the thing lives."""
    _CALLED[thing] = call


def _forked() -> None:
    for thing, call in list(_CALLED.items()):
        call(thing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
