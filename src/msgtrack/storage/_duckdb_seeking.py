"""Where the events of a recipient or of a few messages lie in a file of DuckDB: anywhere, and no index leads to them.

They are sought by four bytes of each row, its message's key, and what is found is said to the statement by the numbers of its rows. A
condition on the key itself would have the engine unpack all columns of every row before it compares, unless it names one key alone.
"""

# ruff: noqa: S608  # names of tables and columns are our own; what comes from outside travels as parameters

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import evolve
from sqlalchemy import Select, TextClause, select, text, tuple_

from msgtrack.protocols import Query
from msgtrack.storage._asking import events_asked
from msgtrack.storage._conditions import MAX_IN
from msgtrack.storage._duckdb import key_of_text
from msgtrack.storage._duckdb_reading import TABLES

__all__ = ["sought"]

_EACH_ID = "unnest(CAST(:ids AS VARCHAR[]))"


def sought(rows: Callable[[Select[Any]], Iterable[Sequence[Any]]], query: Query) -> Select[Any]:
    """The statement of a scan; one of a recipient or of a few messages is told where their events lie.

    Args:
        rows: asks the engine, in the state of the store that the scan reads.
        query: what is asked for.
    """
    events, messages = TABLES.events.c, TABLES.messages.c
    if query.recipient_id is not None and query.domains is None:
        named = select(messages.delivery_id, messages.id).where(
            messages.recipient_id == query.recipient_id,
            text(f"recipient_key = {key_of_text(':recipient_id')}").bindparams(recipient_id=query.recipient_id),
        )
        wanted = None if query.message_ids is None else {*query.message_ids}
        found = [(name, message_id) for name, message_id in rows(named) if wanted is None or message_id in wanted]
        if len(found) <= MAX_IN:
            return events_asked(TABLES, evolve(query, recipient_id=None, message_ids=None)).where(
                _near(message_id for _, message_id in found), tuple_(events.delivery_id, events.message_id).in_(found)
            )
    if query.message_ids is not None and len(query.message_ids) <= MAX_IN:
        # Not as a list: a single one would be looked for in all rows, beside their numbers.
        theirs = text(f"message_id IN (SELECT {_EACH_ID})").bindparams(ids=[*query.message_ids])
        return events_asked(TABLES, evolve(query, message_ids=None)).where(_near(query.message_ids), theirs)
    return events_asked(TABLES, query)


def _near(message_ids: Iterable[str]) -> TextClause:
    """That an event is one of those with the keys of these messages, which a few others may have as well."""
    events = TABLES.events.name
    # Gathered and taken apart again, so that the engine knows of how few there are, and seeks them before it looks at anything else.
    rows = f"SELECT unnest(list(rowid)) FROM {events} WHERE message_key IN (SELECT {key_of_text(_EACH_ID)})"
    return text(f"{events}.rowid IN ({rows})").bindparams(ids=[*message_ids])
