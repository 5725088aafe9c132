"""Ids that come by themselves, not in a record, an event or a query, which have looked at theirs."""

from __future__ import annotations

from typing import Any

from msgtrack._borders import ids as some_ids
from msgtrack._borders import items
from msgtrack._borders import text_id as one_id

__all__ = ["one_id", "rebuilt_ids", "some_ids"]


def rebuilt_ids(value: Any) -> tuple[str, ...] | None:
    """What ``rebuild`` is given: None for all deliveries, one id or several.

    Empty text among several stands for events that name no delivery.

    Raises:
        InvalidId: one is none.
        InvalidValue: it is neither an id nor a sequence of them.
    """
    if value is None:
        return None
    if isinstance(value, str | int):
        return some_ids(value)
    names = items(value)
    named = some_ids([name for name in names if name != ""])
    return ("", *named) if "" in names else named
