"""A page of all events, found without an index on moments: within each delivery there is one, and a page lies among their first rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve
from sqlalchemy import ColumnElement, Select, func, select

from msgtrack.protocols import Query
from msgtrack.storage._asking import events_asked
from msgtrack.storage._conditions import MAX_IN
from msgtrack.storage._schema import Tables, microseconds, moment

__all__ = ["is_page_of_all", "page_asked"]

_MOST_ROWS = 1000
_NARROWING = ("message_ids", "recipient_id", "kinds", "audience", "link_ids", "labels", "categories", "domains")
_MICROSECOND = timedelta(microseconds=1)
_LAST = microseconds(datetime.max.replace(tzinfo=UTC))


def is_page_of_all(query: Query) -> bool:
    """Whether a query asks for a short page of many deliveries and narrows nothing but them and the window."""
    return (
        query.limit is not None
        and 0 < query.limit <= _MOST_ROWS
        and (query.delivery_ids is None or 1 < len(query.delivery_ids) <= MAX_IN)
        and len(query.except_delivery_ids) <= MAX_IN
        and all(getattr(query, name) is None for name in _NARROWING)
    )


def page_asked(
    ask: Callable[[Select[Any]], Iterable[Sequence[Any]]], tables: Tables, query: Query
) -> list[Select[Any]]:
    """The statements that together give the page and somewhat more, each in order.

    Where one delivery has ``limit`` events up to a moment, the page ends there at the latest. So of every delivery the moment of its
    event of that number is looked up, and no event behind the first of those moments is read.
    """
    found = [(name, at) for name, at in ask(_ends(tables, query)) if name is not None]
    ends = [at for _, at in found if at is not None]
    if ends:
        query = _until(query, (max if query.newest_first else min)(ends))
    if len(found) > MAX_IN:
        return [events_asked(tables, query)]
    names = [name for name, _ in found]
    of_deliveries = [events_asked(tables, evolve(query, delivery_ids=names))] if names else []
    if query.delivery_ids is not None:
        return of_deliveries
    # By itself: an index is used for several values, and for none, but not for both at once.
    return [*of_deliveries, events_asked(tables, query).where(tables.events.c.delivery_id.is_(None))]


def _until(query: Query, us: int) -> Query:
    end = moment(us)
    if query.newest_first:
        return evolve(query, since=end if query.since is None else max(end, query.since))
    if us == _LAST:
        return query
    return evolve(query, until=end + _MICROSECOND if query.until is None else min(end + _MICROSECOND, query.until))


def _ends(tables: Tables, query: Query) -> Select[Any]:
    """(delivery, the moment of its event number ``limit`` in the order of the page, NULL where there are fewer)."""
    least = func.min(tables.events.c.delivery_id)
    known = select(least.label("name")).cte("known", recursive=True)
    further = select(func.min(tables.events.c.delivery_id)).where(tables.events.c.delivery_id > known.c.name)
    known = known.union_all(select(further.scalar_subquery()).where(known.c.name.is_not(None)))
    events = tables.events.alias("of_one").c
    conditions: list[ColumnElement[bool]] = [events.delivery_id == known.c.name]
    if query.since is not None:
        conditions.append(events.occurred_at >= microseconds(query.since))
    if query.until is not None:
        conditions.append(events.occurred_at < microseconds(query.until))
    if query.after is not None:
        # Of those at that very moment some pass; to count none of them is safe.
        at = microseconds(query.after[0])
        conditions.append(events.occurred_at < at if query.newest_first else events.occurred_at > at)
    order = events.occurred_at.desc() if query.newest_first else events.occurred_at
    end = select(events.occurred_at).where(*conditions).order_by(order).limit(1).offset((query.limit or 1) - 1)
    asked = select(known.c.name, end.correlate(known).scalar_subquery())
    if query.delivery_ids is not None:
        asked = asked.where(known.c.name.in_(query.delivery_ids))
    return asked.where(known.c.name.not_in(query.except_delivery_ids)) if query.except_delivery_ids else asked
