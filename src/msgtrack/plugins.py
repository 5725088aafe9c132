"""The one door for plug-ins, the same for built-ins and for others: a sorted table of names, loaded when asked for.

Nothing is imported at import time. Other packages register under an entry-point group such as ``msgtrack.stores``.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from attrs import frozen

from msgtrack.errors import MissingExtra

__all__ = ["Builtin", "described", "find", "load", "names"]


@frozen
class Builtin:
    """A built-in part: ``path`` is ``module:name``; ``extra`` the extra of msgtrack that brings what it needs."""

    path: str
    extra: str = ""


def names(builtins: Mapping[str, Builtin], group: str) -> tuple[str, ...]:
    """All names there are, built in and from entry points, sorted."""
    return tuple(sorted({*builtins, *(point.name for point in entry_points(group=group))}))


def find(name: str, group: str) -> EntryPoint | None:
    """The entry point of another package that has the name, or None."""
    return next((point for point in entry_points(group=group) if point.name == name), None)


def described(point: EntryPoint) -> str:
    """An entry point as an error names it: what it says, and the distribution that brought it."""
    whose = f"of {point.dist.name} {point.dist.version}" if point.dist is not None else "of no distribution"
    return f"the entry point {point.name} = {point.value!r} ({point.group}) {whose}"


def load(name: str, builtins: Mapping[str, Builtin], group: str) -> Any:
    """The part called ``name``; a built-in wins over an entry point of its name.

    Raises:
        KeyError: nobody registered the name.
        MissingExtra: what the part needs is not installed; the message says which extra brings it.
    """
    builtin = builtins.get(name)
    if builtin is None:
        point = find(name, group)
        if point is None:
            raise KeyError(name)
        return point.load()
    module, _, attribute = builtin.path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        if not builtin.extra or (error.name or "").partition(".")[0] == "msgtrack":
            raise
        raise MissingExtra(
            f"{name} needs the package {error.name!r}, which is not installed",
            hint=f"pip install 'msgtrack[{builtin.extra}]'",
        ) from error
