"""Listings and scans as statements: which rows of which table, and in which order."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import evolve
from sqlalchemy import ColumnElement, Select, and_, or_, select

from msgtrack.protocols import Query
from msgtrack.storage._conditions import delivery_condition, event_conditions, fits, moment_column
from msgtrack.storage._rows import READ_COLUMNS, SHELVES
from msgtrack.storage._schema import Tables, microseconds
from msgtrack.storage._types import event_id_text

__all__ = ["MAX_IN", "events_asked", "facts_asked", "fits_in_sql", "records_asked", "shortened"]

MAX_IN = 500
"""Ids that go into the SQL of a query; more than that are compared here, which no engine's limit forbids."""

_LISTS = ("delivery_ids", "message_ids", "link_ids", "labels", "categories", "domains")


def fits_in_sql(query: Query) -> bool:
    """Whether the statements below ask everything that the query does."""
    return fits(query, MAX_IN)


def shortened(query: Query) -> Query:
    """The query without the lists that are too long for a statement: what it admits is to be looked at once more."""
    if fits_in_sql(query):
        return query
    without: dict[str, Any] = {name: None for name in _LISTS if len(getattr(query, name) or ()) > MAX_IN}
    if len(query.except_delivery_ids) > MAX_IN:
        without["except_delivery_ids"] = ()
    return evolve(query, **without, limit=None)


def facts_asked(tables: Tables, kind: type, query: Query) -> Select[Any]:
    """The bodies of facts; some more than pass, so each is to be looked at."""
    columns = tables.facts.c
    statement = select(columns.body).where(columns.kind == kind.__name__)
    if query.delivery_ids is not None and len(query.delivery_ids) <= MAX_IN:
        statement = statement.where(columns.delivery_id.is_(None) | columns.delivery_id.in_(query.delivery_ids))
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
