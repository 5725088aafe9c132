"""Ids that come by themselves, not in a record, an event or a query, which have looked at theirs."""

from __future__ import annotations

from typing import Any

from msgtrack._borders import items, text_id

__all__ = ["one_id", "rebuilt_ids", "some_ids"]


def one_id(value: object) -> str:
    """An id as it is kept: an integer becomes its decimal text.

    Raises:
        InvalidId: it is none.
    """
    return text_id(value)


def some_ids(value: Any) -> tuple[str, ...]:
    """One id or several, as ``Query`` takes them: a text is one id. Each is there once.

    Raises:
        InvalidId: one is none.
        InvalidValue: it is neither an id nor a sequence of them.
    """
    return tuple(dict.fromkeys(map(text_id, _listed(value))))


def rebuilt_ids(value: Any) -> tuple[str, ...] | None:
    """What ``rebuild`` is given: None for all deliveries, one id or several.

    Empty text among several stands for events that name no delivery.

    Raises:
        InvalidId: one is none.
        InvalidValue: it is neither an id nor a sequence of them.
    """
    if value is None or isinstance(value, str):
        return None if value is None else some_ids(value)
    names = _listed(value)
    ids = some_ids([name for name in names if name != ""])
    return ("", *ids) if "" in names else ids


def _listed(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, str | int) else items(value)
