"""Where the events of a recipient or of a few messages lie in a file of DuckDB: anywhere, and no index leads to them.

They are sought by four bytes of each row, its message's key, and what is found is said to the statement by the numbers of its rows. A
condition on the key itself would have the engine unpack all columns of every row before it compares, unless it names one key alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import evolve
from sqlalchemy import Select, TextClause, literal_column, select, text, tuple_

from msgtrack.protocols import Query
from msgtrack.storage._asking import events_asked
from msgtrack.storage._conditions import MAX_IN, delivery_condition
from msgtrack.storage._duckdb import key_of_text
from msgtrack.storage._duckdb_reading import TABLES

__all__ = ["sought"]

_EACH_KEY = f"SELECT {key_of_text('unnest(CAST(:sought AS VARCHAR[]))')}"
_MOST_ROWS = 10_000
"""So many row numbers are said to a statement; of who has more events, all columns are looked at."""

_Ask = Callable[[Select[Any]], Iterable[Sequence[Any]]]


def sought(ask: _Ask, query: Query) -> Select[Any]:
    """The statement of a scan; one of a recipient or of a few messages is told where their events lie.

    Args:
        ask: gives the rows of a statement, in the state of the store that the scan reads.
        query: what is asked for.
    """
    events, messages = TABLES.events.c, TABLES.messages.c
    if query.recipient_id is not None and query.domains is None:
        named = select(messages.delivery_id, messages.id).where(
            messages.recipient_id == query.recipient_id,
            text(f"recipient_key = {key_of_text(':recipient_id')}").bindparams(recipient_id=query.recipient_id),
            *delivery_condition(messages.delivery_id, query.delivery_ids),
        )
        wanted = None if query.message_ids is None else {*query.message_ids}
        if wanted is None:
            named = named.limit(MAX_IN + 1)
        found = [(name, message_id) for name, message_id in ask(named) if wanted is None or message_id in wanted]
        if len(found) <= MAX_IN:
            theirs = tuple_(events.delivery_id, events.message_id).in_(found)
            rest = evolve(query, recipient_id=None, message_ids=None)
            return events_asked(TABLES, rest).where(_near(ask, [message_id for _, message_id in found]), theirs)
    if query.message_ids is not None and len(query.message_ids) <= MAX_IN:
        # Not as a list: a single one would be looked for in all rows, beside their numbers.
        named_ids = text("message_id IN (SELECT unnest(CAST(:ids AS VARCHAR[])))").bindparams(ids=[*query.message_ids])
        rest = evolve(query, message_ids=None)
        return events_asked(TABLES, rest).where(_near(ask, query.message_ids), named_ids)
    return events_asked(TABLES, query)


def _near(ask: _Ask, message_ids: Iterable[str]) -> TextClause:
    """That an event is one of those with the keys of these messages, which a few others may have as well."""
    events = TABLES.events
    with_key = text(f"message_key IN ({_EACH_KEY})").bindparams(sought=[*message_ids])
    rows = [
        row for (row,) in ask(select(literal_column("rowid")).select_from(events).where(with_key).limit(_MOST_ROWS + 1))
    ]
    if len(rows) > _MOST_ROWS:
        return with_key
    return text(f"{events.name}.rowid IN (SELECT unnest(CAST(:rows AS BIGINT[])))").bindparams(rows=rows)
