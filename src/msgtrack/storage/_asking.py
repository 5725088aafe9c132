"""Listings and scans as statements: which rows of which table, and in which order."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import lru_cache
from typing import Any

from attrs import evolve
from sqlalchemy import ColumnElement, Select, and_, or_, select

from msgtrack.facts import FACT_KEYS
from msgtrack.protocols import Query
from msgtrack.storage._conditions import (
    MAX_IN,
    delivery_condition,
    event_conditions,
    fits,
    fits_delivery_ids,
    moment_column,
)
from msgtrack.storage._lists import Holds
from msgtrack.storage._rows import READ_COLUMNS, SHELVES
from msgtrack.storage._schema import Tables, microseconds
from msgtrack.storage._types import event_id_text
from msgtrack.upkeep import FrozenCounts

__all__ = [
    "MAX_IN",
    "all_facts_asked",
    "deliveries_of_facts_asked",
    "events_asked",
    "facts_asked",
    "fits_in_sql",
    "frozen_asked",
    "frozen_names_asked",
    "having_asked",
    "records_asked",
    "shortened",
]

_EVERYTHING = Query()
_LISTS = ("message_ids", "link_ids", "labels", "categories", "domains")


def fits_in_sql(query: Query) -> bool:
    """Whether the statements below ask everything that the query does."""
    return fits(query, MAX_IN)


def shortened(query: Query) -> Query:
    """The query without the lists that are too long for a statement: what it admits is to be looked at once more."""
    if fits_in_sql(query):
        return query
    without: dict[str, Any] = {name: None for name in _LISTS if len(getattr(query, name) or ()) > MAX_IN}
    if not fits_delivery_ids(query.delivery_ids):
        without["delivery_ids"] = None
    if not fits_delivery_ids(query.except_delivery_ids):
        without["except_delivery_ids"] = ()
    return evolve(query, **without, limit=None)


def facts_asked(tables: Tables, kind: type, query: Query) -> Select[Any]:
    """The bodies of facts; some more than pass, so each is to be looked at."""
    columns = tables.facts.c
    return _facts(tables, select(columns.body).where(columns.kind == kind.__name__), query)


def all_facts_asked(tables: Tables, query: Query) -> Select[Any]:
    """The classes and bodies of all facts; some more than pass."""
    columns = tables.facts.c
    # They are named all the same, because they stand first in the index.
    kinds = [kind.__name__ for kind in FACT_KEYS]
    return _facts(tables, select(columns.kind, columns.body).where(columns.kind.in_(kinds)), query)


def _facts(tables: Tables, statement: Select[Any], query: Query) -> Select[Any]:
    columns = tables.facts.c
    query = shortened(query)
    if query.delivery_ids is not None:
        (wanted,) = delivery_condition(columns.delivery_id, query.delivery_ids)
        statement = statement.where(columns.delivery_id.is_(None) | wanted)
    statement = statement.where(*delivery_condition(columns.delivery_id, None, query.except_delivery_ids))
    if query.recipient_id is not None:
        statement = statement.where(columns.recipient_id.is_(None) | (columns.recipient_id == query.recipient_id))
    return statement.order_by(*tables.facts.primary_key.columns)


def records_asked(tables: Tables, kind: type, query: Query) -> Select[Any]:
    """The rows of records of one class that are no facts, in order."""
    query = shortened(query)
    table = SHELVES[kind].table(tables)
    columns = table.c
    statement = select(table)
    delivery_id = columns.id if table is tables.deliveries else columns.get("delivery_id")
    if delivery_id is not None:
        statement = statement.where(*delivery_condition(delivery_id, query.delivery_ids, query.except_delivery_ids))
    if table is tables.messages:
        if query.message_ids is not None:
            statement = statement.where(columns.id.in_(query.message_ids))
        if query.recipient_id is not None:
            statement = statement.where(columns.recipient_id == query.recipient_id)
    if "started_at" in columns:
        statement = statement.order_by(columns.started_at.desc())
    return statement.order_by(*table.primary_key.columns)


def frozen_asked(tables: Tables, query: Query, audiences: Iterable[str], zone: str) -> Select[Any]:
    """The rows of frozen counts for some audiences, in one zone."""
    columns = tables.frozen.c
    asked = records_asked(tables, FrozenCounts, query)
    return asked.where(columns.audience.in_(sorted(audiences)), columns.zone == zone)


def having_asked(tables: Tables, kind: type, name: str, values: AbstractSet[str]) -> Select[Any]:
    """The rows of records of one class whose field has one of these texts, in order; some more than those, so each is to be looked at."""
    is_fact = kind in FACT_KEYS
    statement = facts_asked(tables, kind, _EVERYTHING) if is_fact else records_asked(tables, kind, _EVERYTHING)
    columns = (tables.facts if is_fact else SHELVES[kind].table(tables)).c
    if name in columns:
        return statement.where(columns[name].in_(sorted(values)))
    # The engine looks into all bodies of the class, which takes it a fraction of the time that reading them would.
    return statement.where(or_(*(Holds(columns.body, f'"{name}":{json.dumps(value)}') for value in sorted(values))))


def deliveries_of_facts_asked(tables: Tables) -> Select[Any]:
    """The ids of deliveries that facts belong to."""
    columns = tables.facts.c
    kinds = [kind.__name__ for kind in FACT_KEYS if "delivery_id" in FACT_KEYS[kind]]
    return select(columns.delivery_id).where(columns.kind.in_(kinds)).distinct()


@lru_cache(maxsize=32)
def frozen_names_asked(tables: Tables, query: Query) -> Select[Any]:
    """The ids of deliveries with frozen counts; some more than pass where :func:`fits_in_sql` does not hold."""
    query = shortened(query)
    name = tables.frozen.c.delivery_id
    conditions = delivery_condition(name, query.delivery_ids, query.except_delivery_ids)
    return select(name).where(*conditions).distinct()


def events_asked(tables: Tables, query: Query) -> Select[Any]:
    """The rows of events, in order: their columns as the reader takes them."""
    query = shortened(query)
    columns = tables.events.c
    statement = select(*(columns[name] for name in READ_COLUMNS)).where(*event_conditions(query, tables))
    if query.after is not None:
        statement = statement.where(_behind(tables, query, *query.after))
    order: list[ColumnElement[Any]] = [moment_column(query, tables), event_id_text(columns.id)]
    if query.newest_first:
        order = [column.desc() for column in order]
    statement = statement.order_by(*order)
    return statement if query.limit is None else statement.limit(query.limit)


def _behind(tables: Tables, query: Query, after_at: datetime, after_id: str) -> ColumnElement[bool]:
    event_id, at = event_id_text(tables.events.c.id), microseconds(after_at)
    occurred_at = moment_column(query, tables)
    # The first half is what an index can begin with.
    if query.newest_first:
        same = and_(occurred_at == at, event_id < after_id)
        return and_(occurred_at <= at, or_(occurred_at < at, same))
    same = and_(occurred_at == at, event_id > after_id)
    return and_(occurred_at >= at, or_(occurred_at > at, same))
