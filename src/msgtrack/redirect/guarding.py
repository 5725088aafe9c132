"""Asking functions and registries of the application, which may raise whatever they like: the reader is answered all the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from msgtrack.errors import HookError
from msgtrack.redirect.exchange import Failure

__all__ = ["tried"]

_T = TypeVar("_T")


def tried(where: str, function: Callable[..., _T], *args: Any, **options: Any) -> _T | Failure:
    """What a function gives, or the failure that it raised; ``where`` names it in the failure."""
    try:
        return function(*args, **options)
    except Exception as error:  # noqa: BLE001  # what others wrote may raise anything, and no reader is left with a 500
        # What a function of theirs raised is told as it is, not as who asked it says it.
        cause = error.__cause__ if isinstance(error, HookError) else None
        return Failure(where=where, error=cause if isinstance(cause, Exception) else error)
