"""Rows by five-minute slot, of counts and by themselves: from what was consolidated where that answers, from the events where not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any

from attrs import evolve
from sqlalchemy import Select

from msgtrack.counts import SLOT_SECONDS
from msgtrack.protocols import Query, Slots
from msgtrack.storage._conditions import fits
from msgtrack.storage._counting_reach import SlotRows
from msgtrack.storage._counting_sql import MICROSECONDS, Scope, Statements
from msgtrack.storage._operations import Ask, Operations
from msgtrack.storage._schema import Tables, microseconds

__all__ = ["MOST_IDS", "all_slots", "is_consolidated", "narrowed", "slots_of", "take_out_seeds"]

MOST_IDS = 5000
"""Ids that go into a statement; engines have limits of their own, the lowest of them at some 32000."""

_DAY_SECONDS = 86400
_REMEMBERED = 32


def slots_of(ask: Ask, query: Query, tables: Tables, operations: Operations) -> Slots | None:
    """The slots of the counts of a query alone, by two statements that look at no event where consolidated slots answer and no message is
    a seed's.

    Args:
        ask: runs a statement and gives its rows; what it gives must be one state, so take a snapshot.
        query: what is asked for.
        tables: those of the store.
        operations: those of the engine.

    Returns:
        None where no statement says them: they are to be folded then.
    """
    if query.is_paged or not fits(query, MOST_IDS):
        return None
    apart, has_seeds = set(), False
    for of, is_seed in ask(_kept_out(tables, operations.words, query)):
        if is_seed:
            has_seeds = True
        else:
            apart.add(of)
    scope = narrowed(query, apart)
    rows = all_slots(ask, tables, operations, scope)
    if has_seeds:
        take_out_seeds(ask, Statements(tables, operations, scope), rows)
    found: dict[str, dict[str, dict[str, dict[int, int]]]] = {}
    for delivery_id in sorted(rows):
        by_kind: dict[str, dict[str, dict[int, int]]] = {}
        for kind, link_id in sorted(rows[delivery_id]):
            if at := rows[delivery_id][kind, link_id]:
                by_kind.setdefault(kind, {})[link_id] = at
        if by_kind:
            found[delivery_id] = by_kind
    return found


def narrowed(query: Query, apart: AbstractSet[str]) -> Scope:
    """What is asked once it is known which of the query's deliveries are proofs and templates."""
    if query.delivery_ids is None:
        return Scope(query, has_apart=bool(apart))
    return Scope(evolve(query, delivery_ids=[name for name in query.delivery_ids if name not in apart]), False)


# Who shows numbers asks for those of the same deliveries again and again.
@lru_cache(maxsize=_REMEMBERED)
def _kept_out(tables: Tables, operations: Operations, query: Query) -> Select[Any]:
    return Statements(tables, operations, Scope(query, has_apart=False)).kept_out()


@lru_cache(maxsize=_REMEMBERED)
def _by_link(tables: Tables, operations: Operations, scope: Scope) -> Select[Any]:
    say, query = Statements(tables, operations, scope), scope.query
    if operations.keeps_slots and is_consolidated(query):
        return operations.by_link(say.kept_slots(), is_small=query.delivery_ids is not None)
    return operations.by_link(say.slots())


def all_slots(ask: Ask, tables: Tables, operations: Operations, scope: Scope) -> SlotRows:
    """Rows by delivery, kind and link, and slot, those of seeds included."""
    numbers: dict[tuple[str, str, str], tuple[Sequence[int], Sequence[int]]] = {}
    for of, kind, link_id, slots, times in operations.gathered(ask, _by_link(tables, operations.words, scope)):
        place = of or "", kind, link_id or ""
        # The row of an empty name and the row of none are one.
        before = numbers.get(place, ((), ()))
        numbers[place] = ([*before[0], *slots], [*before[1], *times]) if before[0] else (slots, times)
    rows: SlotRows = defaultdict(dict)
    for (delivery_id, kind, link_id), of_link in numbers.items():
        if at := _by_slot(*of_link):
            rows[delivery_id][kind, link_id] = at
    return rows


def _by_slot(slots: Sequence[int], times: Sequence[int]) -> dict[int, int]:
    """The times by slot, in order, those of one slot added up."""
    at = dict(zip(slots, times, strict=True))
    if len(at) < len(slots):
        at = dict.fromkeys(at, 0)
        for slot, more in zip(slots, times, strict=True):
            at[slot] += more
    if (ordered := sorted(at)) != slots:
        at = {slot: at[slot] for slot in ordered}
    # What was rewritten may leave rows of no times.
    return at if all(at.values()) else {slot: n for slot, n in at.items() if n}


def take_out_seeds(ask: Ask, say: Statements, rows: SlotRows) -> None:
    """Take the rows of seeds out of all rows."""
    for delivery_id, kind, link_id, slot, times in ask(say.slots_of_seeds()):
        at = rows[delivery_id or ""].setdefault((kind, link_id or ""), {})
        at[int(slot)] = at.get(int(slot), 0) - int(times)
        if not at[int(slot)]:
            del at[int(slot)]


def is_consolidated(query: Query, *, days: bool = False) -> bool:
    """Whether what was consolidated, in slots or in days, answers the query."""
    width = (_DAY_SECONDS if days else SLOT_SECONDS) * MICROSECONDS
    edges = [microseconds(at) % width for at in (query.since, query.until) if at is not None]
    return not (
        any(edges)
        or query.asks_messages
        or query.asks_links
        or query.message_ids is not None
        or (days and query.link_ids is not None)
    )
