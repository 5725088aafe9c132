"""What a query says of events, as conditions on the tables; for scans and for counts alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, not_, or_, select, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from msgtrack.protocols import Query
from msgtrack.storage._lists import Among
from msgtrack.storage._rows import key_of
from msgtrack.storage._schema import Tables, microseconds

__all__ = [
    "MAX_IN",
    "NotByIndex",
    "delivery_condition",
    "event_conditions",
    "fits",
    "fits_delivery_ids",
    "kept_apart",
    "moment_column",
]

MAX_IN = 500
"""Ids that stand in a statement one by one; more of them are one parameter, see :mod:`msgtrack.storage._lists`."""


def fits(query: Query, most: int) -> bool:
    """Whether the lists of a query can all stand in one statement: those of deliveries are of any length, the others of ``most`` values."""
    lists = (query.message_ids, query.link_ids, query.labels, query.categories, query.domains)
    return all(len(values or ()) <= most for values in lists) and all(
        map(fits_delivery_ids, (query.delivery_ids, query.except_delivery_ids))
    )


def fits_delivery_ids(names: Collection[str] | None) -> bool:
    """Whether a statement can name these deliveries."""
    # SQLite ends a text at NUL where it reads it from a list.
    return names is None or len(names) <= MAX_IN or not any("\0" in name for name in names)


def delivery_condition(
    column: ColumnElement[Any], wanted: Iterable[str] | None, unwanted: Iterable[str] = ()
) -> list[ColumnElement[bool]]:
    """That what belongs to a delivery passes; what belongs to none does so unless some are wanted."""
    conditions: list[ColumnElement[bool]] = []
    if wanted is not None:
        conditions.append(_among(column, [*wanted]))
    if unwanted := [*unwanted]:
        conditions.append(or_(column.is_(None), not_(_among(column, unwanted))))
    return conditions


def _among(column: ColumnElement[Any], names: list[str]) -> ColumnElement[bool]:
    return column.in_(names) if len(names) <= MAX_IN else Among(column, names)


def kept_apart(column: ColumnElement[Any], tables: Tables) -> ColumnElement[bool]:
    """That what belongs to a delivery is not of a proof or template."""
    apart = select(tables.deliveries.c.id).where(tables.deliveries.c.is_apart == 1)
    return or_(column.is_(None), column.not_in(apart))


class NotByIndex(FunctionElement[Any]):
    """A column whose index SQLite is not to take, since another one leads to far fewer rows."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(NotByIndex)
def _as_it_is(element: NotByIndex, compiler: SQLCompiler, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(NotByIndex, "sqlite")
def _with_plus(element: NotByIndex, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def moment_column(query: Query, tables: Tables) -> ColumnElement[int]:
    """What moments are compared with: those of a few messages are found by the messages, however narrow the window."""
    at = tables.events.c.occurred_at
    return at if query.recipient_id is None and query.message_ids is None else NotByIndex(at)


def event_conditions(query: Query, tables: Tables) -> list[ColumnElement[bool]]:
    """What admits an event, pages apart; the lists of the query stand in the conditions, see :func:`fits`."""
    columns = tables.events.c
    conditions = delivery_condition(columns.delivery_id, query.delivery_ids, query.except_delivery_ids)
    for column, values in (
        (columns.message_id, query.message_ids),
        (columns.link_id, query.link_ids),
        (columns.kind, query.kinds),
        (columns.audience, None if query.audience is None else [audience.value for audience in query.audience]),
    ):
        if values is not None:
            conditions.append(column.in_([*values]))
    at = moment_column(query, tables)
    if query.since is not None:
        conditions.append(at >= microseconds(query.since))
    if query.until is not None:
        conditions.append(at < microseconds(query.until))
    if query.asks_messages:
        conditions.append(tuple_(columns.delivery_id, columns.message_id).in_(_messages(query, tables)))
    if query.asks_links:
        conditions.append(tuple_(columns.delivery_id, columns.link_id).in_(_links(query, tables)))
    return conditions


def _messages(query: Query, tables: Tables) -> Select[Any]:
    columns = tables.messages.c
    conditions = delivery_condition(columns.delivery_id, query.delivery_ids)
    if query.recipient_id is not None:
        conditions.append(columns.recipient_id == query.recipient_id)
    if query.domains is not None:
        conditions.append(columns.domain_key.in_(list(map(key_of, query.domains))))
    return select(columns.delivery_id, columns.id).where(and_(*conditions))


def _links(query: Query, tables: Tables) -> Select[Any]:
    columns = tables.links.c
    conditions = delivery_condition(columns.delivery_id, query.delivery_ids)
    if query.labels is not None:
        conditions.append(columns.label_key.in_(list(map(key_of, query.labels))))
    if query.categories is not None:
        conditions.append(columns.category_key.in_(list(map(key_of, query.categories))))
    return select(columns.delivery_id, columns.id).where(and_(*conditions))
