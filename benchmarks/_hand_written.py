"""What SQL written by hand asks of the tables of a store: the numbers of its counts, and its slots from the events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["BIG", "by_hand"]

BIG = "spring"
"""The delivery that is asked about."""

_CLICKED = "kind = 'click'"
_PAGES = "kind in ('click', 'mirror-page-view', 'opt-out-click')"
_MASK = "max(case when kind = 'open' then 1 else 0 end) + max(case when kind = 'click' then 2 else 0 end) + " + (
    "max(case when kind = 'mirror-page-view' then 4 else 0 end) + max(case when kind = 'opt-out-click' then 8 else 0 end)"
)
_DAY_US, _SLOT_US, _SLOT_SECONDS = 86_400_000_000, 300_000_000, 300

# Before 1970 nothing happened here, so plain division will do.
_HAND_WRITTEN = (
    "select domain_key, variant_key, profile_key, handled_slot, count(*), sum(size_bytes) from {messages} where {mine} and is_seed = 0"
    " group by domain_key, variant_key, profile_key, handled_slot",
    "select kind, link_id, {slot}, count(*) from {events} where {mine} and left_out = 0 group by kind, link_id, {slot}",
    "select domain_key, variant_key, shown, count(*) from (select message_id, {mask} as shown from {events} where {mine} and left_out = 0"
    " group by message_id) e left join (select id, domain_key, variant_key from {messages} where {mine}) m on m.id = e.message_id"
    " group by domain_key, variant_key, shown",
    "select link_id, shown, count(*) from (select link_id, message_id, {mask} as shown from {events} where {mine} and left_out = 0"
    " group by link_id, message_id) e group by link_id, shown",
    "select d, shown, count(*) from (select {day} as d, message_id, {mask} as shown from {events} where {mine} and left_out = 0"
    " group by {day}, message_id) e group by d, shown",
    "select domain_key, variant_key, kind, count(*) from (select message_id, kind from {events} where {mine} and left_out = 0) e left join"
    " (select id, domain_key, variant_key from {messages} where {mine}) m on m.id = e.message_id group by domain_key, variant_key, kind",
    "select count(distinct source_id) from {events} where {mine} and left_out = 0 and {clicked}",
    "select link_id, count(distinct source_id) from {events} where {mine} and left_out = 0 and {clicked} group by link_id",
    "select {day}, count(distinct source_id) from {events} where {mine} and left_out = 0 and {clicked} group by {day}",
    "select domain_key, count(distinct source_id) from (select message_id, source_id from {events} where {mine} and left_out = 0 and"
    " {clicked}) e left join (select id, domain_key from {messages} where {mine}) m on m.id = e.message_id group by domain_key",
    "select agent_key, kind, count(*) from {events} where {mine} and left_out = 0 group by agent_key, kind",
    "select {day}, agent_key, count(distinct source_id), count(*) from {events} where {mine} and left_out = 0 and {pages}"
    " group by {day}, agent_key",
    "select shown, count(*) from (select recipient_id, {mask} as shown from (select message_id, kind from {events} where {mine} and"
    " left_out = 0) e left join (select id, recipient_id from {messages} where {mine}) m on m.id = e.message_id"
    " group by recipient_id) r group by shown",
)
_SLOTS = (
    "select kind, link_id, {slot}, count(*) from {events} where {mine} and left_out = 0 group by kind, link_id, {slot}"
)


def _filled(statement: str, divide: str) -> str:
    """A statement with its names; ``divide`` divides whole numbers."""
    return statement.format(
        messages="msgtrack_messages",
        events="msgtrack_events",
        mine=f"delivery_id = '{BIG}'",
        mask=_MASK,
        clicked=_CLICKED,
        pages=_PAGES,
        slot=f"occurred_at {divide} {_SLOT_US}",
        day=f"occurred_at {divide} {_DAY_US}",
    )


def by_hand(run: Callable[[str], Any], divide: str = "/") -> tuple[Callable[[], object], Callable[[], object]]:
    statements = [_filled(statement, divide) for statement in _HAND_WRITTEN]
    slots = _filled(_SLOTS, divide)
    return (lambda: [run(statement) for statement in statements]), (lambda: {BIG: _nested(run(slots))})


def _nested(rows: Iterable[tuple[str, str | None, int, int]]) -> dict[str, dict[str, dict[int, int]]]:
    """The rows as a store gives its slots: by kind, link and second that the slot begins at."""
    found: dict[str, dict[str, dict[int, int]]] = {}
    for kind, link_id, slot, times in sorted(rows, key=_place):
        found.setdefault(kind, {}).setdefault(link_id or "", {})[slot * _SLOT_SECONDS] = times
    return found


def _place(row: tuple[str, str | None, int, int]) -> tuple[str, str, int]:
    return row[0], row[1] or "", row[2]
