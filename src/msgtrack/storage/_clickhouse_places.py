"""Where the events of a recipient lie on ClickHouse: those of one message are strewn over all blocks of its delivery.

To show one row of a key, the engine puts together all versions of every row in the blocks that it reads, whatever is asked of them.
So first it is asked, of all versions as they lie, at which moments some version passes. The one that counts is among these, so
nothing is lost; and as the moment is part of the key, all versions of a row lie at one, so narrowing by it shows no row that was replaced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import evolve
from sqlalchemy import Select, select, text, tuple_

from msgtrack.protocols import Query
from msgtrack.storage._asking import events_asked
from msgtrack.storage._clickhouse_dialect import text_of
from msgtrack.storage._conditions import MAX_IN, delivery_condition
from msgtrack.storage._schema import Tables

__all__ = ["placed"]

_ALL_VERSIONS = text("SETTINGS final = 0")
# Once the moments are known the index by message leads to no fewer blocks, and reading it costs more than it saves. Of a block the
# engine may look at the key first, and only of rows that pass at the rest: it compares nothing else before versions are put together.
_BY_KEY = text("SETTINGS use_skip_indexes_if_final = 0, optimize_move_to_prewhere_if_final = 1")
_MOST_MOMENTS = 5000
"""So many moments stand in a statement; of a recipient with more events the engine reads whole deliveries."""


def placed(rows: Callable[[str], Sequence[Sequence[Any]]], tables: Tables, query: Query) -> Iterator[Select[Any]]:
    """The statements of a scan, one after the other, until there are as many events as asked for; those of a recipient are told at which
    moments his events lie: the first at as many as there are events on a page, which mostly is all that the page takes.

    Args:
        rows: asks the engine.
        tables: those of the store.
        query: one that statements can ask whole.
    """
    if query.recipient_id is None or query.domains is not None:
        yield events_asked(tables, query)
        return
    messages, events = tables.messages.c, tables.events.c
    named = select(messages.delivery_id, messages.id).where(
        messages.recipient_id == query.recipient_id, *delivery_condition(messages.delivery_id, query.delivery_ids)
    )
    found = [(name, message_id) for name, message_id in rows(text_of(named.limit(MAX_IN + 1)))]
    if len(found) > MAX_IN:
        yield events_asked(tables, query)
        return
    if not found:
        return
    # Each by itself: of the messages of all deliveries the engine finds what the key and the index by message lead to.
    deliveries, ids = ({*names} for names in zip(*found, strict=True))
    statement = events_asked(tables, evolve(query, recipient_id=None)).where(
        events.delivery_id.in_(sorted(deliveries)), events.message_id.in_(sorted(ids))
    )
    moments = statement.with_only_columns(events.occurred_at).distinct().order_by(None).limit(_MOST_MOMENTS + 1)
    there = sorted((int(us) for (us,) in rows(text_of(moments.suffix_with(_ALL_VERSIONS)))), reverse=query.newest_first)
    if len(there) > _MOST_MOMENTS:
        yield events_asked(tables, query)
        return
    if len(deliveries) > 1 and len(ids) > 1:
        statement = statement.where(tuple_(events.delivery_id, events.message_id).in_(found))
    begin, size = 0, query.limit or _MOST_MOMENTS
    while begin < len(there):
        yield statement.where(events.occurred_at.in_(there[begin : begin + size])).suffix_with(_BY_KEY)
        begin, size = begin + size, 2 * size
