"""What is kept consolidated: rows of events by five-minute slot, and by day and program, the audience a dimension of both.

It is made of what was really new, in the transaction that brought it, so late events count as any others do. Seeds are counted
in here and taken out when asked for, because a message may turn out to be one later; events that say of themselves that
they are of a seed or proof are not in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from typing import Any

from sqlalchemy import ColumnElement, Executable, Select, Table, delete, func, select

from msgtrack.counts import REACTION_KINDS, SLOT_SECONDS
from msgtrack.storage._conditions import delivery_condition
from msgtrack.storage._operations import Execute, Operations
from msgtrack.storage._rows import EVENT_COLUMNS
from msgtrack.storage._schema import Tables

__all__ = ["New", "Sums", "new_since", "note", "note_changes", "rebuild", "statements"]

_MICROSECONDS = 1_000_000
_DAY_SECONDS = 86400
_SLOTS_OF_DAY = _DAY_SECONDS // SLOT_SECONDS
_MOST_IDS = 500

New = Select[Any]
"""Events: rows with the columns ``delivery_id, kind, link_id, audience, occurred_at, agent_key``, none left out."""


def new_since(
    tables: Tables,
    after: int | None = None,
    delivery_ids: Iterable[str] | None = None,
    ids: Iterable[str | bytes] | None = None,
    *,
    last: int | None = None,
) -> New:
    """The events that came after the one of this number, up to the ``last``, or those of these deliveries ("" is none) or ids,
    or all.
    """
    events = tables.events.c
    conditions: list[ColumnElement[bool]] = [events.left_out == 0]
    if after is not None:
        conditions.append(events.seq > after)
    if last is not None:
        conditions.append(events.seq <= last)
    if ids is not None:
        conditions.append(events.id.in_([*ids]))
    if delivery_ids is not None:
        names = {*delivery_ids}
        named = delivery_condition(events.delivery_id, names - {""})[0]
        conditions.append(named | events.delivery_id.is_(None) if "" in names else named)
    return select(
        events.delivery_id, events.kind, events.link_id, events.audience, events.occurred_at, events.agent_key
    ).where(*conditions)


def statements(tables: Tables, operations: Operations, new: New, *, sign: int = 1) -> list[Executable]:
    """What adds events to slots and to days of programs, or takes them out; to be run in one transaction, once."""
    rows = new.subquery("new").c
    delivery_id, link_id = func.coalesce(rows.delivery_id, ""), func.coalesce(rows.link_id, "")
    slot = operations.floor(rows.occurred_at, SLOT_SECONDS * _MICROSECONDS) * SLOT_SECONDS
    day = operations.floor(rows.occurred_at, _DAY_SECONDS * _MICROSECONDS)
    return [
        _added(operations, tables.slots, sign, [delivery_id, rows.kind, link_id, slot, rows.audience]),
        _added(
            operations,
            tables.agent_days,
            sign,
            [delivery_id, day, func.coalesce(rows.agent_key, 0), rows.kind, rows.audience],
            rows.kind.in_(sorted(REACTION_KINDS)),
        ),
    ]


def _added(
    operations: Operations, table: Table, sign: int, keys: list[ColumnElement[Any]], *conditions: ColumnElement[bool]
) -> Executable:
    named = [key.label(column.name) for key, column in zip(keys, table.primary_key.columns, strict=True)]
    # In the order of the key, so that two writers who add to the same rows meet on the first.
    rows = select(*named, (func.count() * sign).label("times")).where(*conditions).group_by(*keys).order_by(*keys)
    return operations.add_up(table, rows)


def note(execute: Execute, tables: Tables, operations: Operations, *, after: int, last: int | None = None) -> None:
    """Count in the events with numbers greater than ``after``; in the transaction that brought them, with no other writer.

    ``last`` is the greatest number there is: an engine that knows nothing of its rows yet takes a range with two ends for a
    few of them, and goes by the index, where it would read the whole table otherwise.
    """
    for statement in statements(tables, operations, new_since(tables, after, last=last)):
        execute(statement)


class Sums:
    """The same for events that are all new, counted here while they are at hand: the engine need not read them again."""

    _PLACES = tuple(
        map(EVENT_COLUMNS.index, ("delivery_id", "kind", "link_id", "occurred_at", "audience", "agent_key", "left_out"))
    )

    def __init__(self) -> None:
        self._slots: Counter[tuple[Any, ...]] = Counter()
        self._days: Counter[tuple[Any, ...]] = Counter()

    def __len__(self) -> int:
        """How many rows :meth:`rows` gives."""
        return len(self._slots) + len(self._days)

    def add(self, columns: Sequence[Sequence[Any]]) -> None:
        """Count events, given by column in the order of ``EVENT_COLUMNS``."""
        *wanted, left_out = (columns[place] for place in self._PLACES)
        if any(left_out):
            is_in = [not flag for flag in left_out]
            wanted = [[*compress(column, is_in)] for column in wanted]
        delivery_ids, kinds, link_ids, moments, audiences, agent_keys = wanted
        slots = [us // (SLOT_SECONDS * _MICROSECONDS) for us in moments]
        self._slots.update(zip(delivery_ids, kinds, link_ids, slots, audiences, strict=True))
        days = [slot // _SLOTS_OF_DAY for slot in slots]
        of_days = zip(delivery_ids, days, agent_keys, kinds, audiences, strict=True)
        if REACTION_KINDS.issuperset(kinds):
            self._days.update(of_days)
        else:
            self._days.update(compress(of_days, [kind in REACTION_KINDS for kind in kinds]))

    def clear(self) -> None:
        """Begin again."""
        self._slots.clear()
        self._days.clear()

    def rows(self, tables: Tables) -> Iterator[tuple[Table, list[tuple[Any, ...]]]]:
        """By table the rows to add up, by column and in the order of the key."""
        if self._slots:
            slots = [
                (delivery_id or "", kind, link_id or "", slot * SLOT_SECONDS, audience, times)
                for (delivery_id, kind, link_id, slot, audience), times in self._slots.items()
            ]
            yield tables.slots, [*zip(*sorted(slots), strict=True)]
        if self._days:
            days = [
                (delivery_id or "", day, agent_key or 0, kind, audience, times)
                for (delivery_id, day, agent_key, kind, audience), times in self._days.items()
            ]
            yield tables.agent_days, [*zip(*sorted(days), strict=True)]


def note_changes(
    execute: Execute, tables: Tables, operations: Operations, ids: Iterable[str | bytes], *, sign: int
) -> None:
    """Take the events of these ids out (``sign`` -1), before they are removed or rewritten, or count them in (1), after that.

    Where nothing is left, a row of no times stays, which says nothing.
    """
    wanted = [*ids]
    for start in range(0, len(wanted), _MOST_IDS):
        new = new_since(tables, ids=wanted[start : start + _MOST_IDS])
        for statement in statements(tables, operations, new, sign=sign):
            execute(statement)


def rebuild(
    execute: Execute, tables: Tables, operations: Operations, delivery_ids: Iterable[str] | None = None
) -> None:
    """Make slots and days of programs anew from the events, of these deliveries ("" for none) or of all; in one transaction.

    With all of them go the terms that no event and no message refers to: finding those takes a look at every row, too.
    """
    names = None if delivery_ids is None else [*delivery_ids]
    for table in (tables.slots, tables.agent_days):
        execute(delete(table).where(*delivery_condition(table.c.delivery_id, names)))
    for statement in statements(tables, operations, new_since(tables, delivery_ids=names)):
        execute(statement)
    if names is None:
        key, agent = tables.terms.c.key, tables.events.c.agent_key
        in_events = select(agent).where(agent.is_not(None))
        execute(delete(tables.terms).where(key.not_in(in_events), key.not_in(select(tables.messages.c.profile_key))))
