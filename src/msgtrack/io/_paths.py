"""Paths as they are given."""

from __future__ import annotations

import os
from pathlib import Path

from msgtrack._borders import shown
from msgtrack.errors import InvalidValue

__all__ = ["path_of"]


def path_of(name: str, value: object) -> Path:
    """The path that an argument names, from text or what stands for a path.

    Raises:
        InvalidValue: it is none, or holds what no system has in a path; the message names the argument.
    """
    path = Path(value) if isinstance(value, str | os.PathLike) else None
    try:
        is_fit = path is not None and b"\0" not in os.fsencode(path)
    except (TypeError, UnicodeEncodeError):
        is_fit = False
    if path is None or not is_fit:
        raise InvalidValue(f"{name}={shown(value)} is no path")
    return path
