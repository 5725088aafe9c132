"""How events come into the ClickHouse store: the engine has neither unique keys nor transactions, and yet each is kept once.

Events of one ingest lie among the incoming ones until all are there. Then, each step doing nothing new when it is done again:

1. those whose id ``ids`` does not know go into ``events``, all with one rank that falls with time;
2. their ids and places go into ``ids``. Where two handles brought one id at the same moment, the one with the lesser rank goes;
3. the slots and days that they fall into are counted again from the events.

Counting again, and not adding up, keeps slots right when an ingest is broken off and tried again, and when two handles bring the same events:
each counts after its own events are in, and of two counts the one that was begun later stays. A materialised view would see each block
that is inserted once, and so count twice what was tried twice. Until an ingest is over, its incoming rows say which slots may be behind.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from attrs import frozen
from sqlalchemy import Table

from msgtrack.counts import SLOT_SECONDS
from msgtrack.errors import StoreError
from msgtrack.storage._clickhouse_dialect import literal, quoted, table_text
from msgtrack.storage._clickhouse_link import Link
from msgtrack.storage._clickhouse_tables import Layout
from msgtrack.storage._rows import EVENT_COLUMNS

__all__ = ["Arrivals"]

_FIRST_RANK = 2**63 - 1
_STALE_US = 86_400_000_000
_SLOT_US = SLOT_SECONDS * 1_000_000
_DAY_US = 86_400_000_000
# Each statement says itself of which table it wants one row of a key.
_ALL_ROWS = " SETTINGS final = 0"


@frozen
class Arrivals:
    """What follows once events lie among the incoming ones."""

    link: Link
    layout: Layout

    def now(self) -> int:
        """The server's clock, in microseconds since 1970."""
        ((now,),) = self.link.rows("SELECT toUnixTimestamp64Micro(now64(6))")
        return int(now)

    def token(self) -> int:
        """A number for one ingest: greater than those of earlier ones, and no other's."""
        return (self.now() << 12) | int.from_bytes(os.urandom(2), "big") & 0xFFF

    def settle(self, token: int, given: int) -> int:
        """Keep the incoming events that are new; how many those were.

        Raises:
            StoreError: not all of them are there; nothing was done.
        """
        ids, here = table_text(self.layout.ids), self._here(token)
        fresh = f"{here} AND id NOT IN (SELECT id FROM {ids} WHERE id IN (SELECT id FROM {here}))"
        ((there, added),) = self.link.rows(
            f"SELECT (SELECT count() FROM {here}), (SELECT uniqExact(id) FROM {fresh}){_ALL_ROWS}"
        )
        if there != given:
            self.forget(token)
            raise StoreError(
                f"{given} events were on their way into {self.link.address.shown}, and {there} arrived",
                hint="ingest them again, in less than a day",
            )
        if not added:
            # Were they put in and not counted by an ingest that was broken off, then its incoming rows still say so.
            self.forget(token)
        else:
            names = ", ".join(map(quoted, EVENT_COLUMNS))
            self.link.run(
                f"INSERT INTO {table_text(self.layout.events)} ({names}, rank)"
                f" SELECT {names}, {_FIRST_RANK - token} FROM {fresh} ORDER BY ordinal LIMIT 1 BY id{_ALL_ROWS}"
            )
            self.finish(token)
        return int(added)

    def finish(self, token: int) -> None:
        """What remains to be done once events are in."""
        self._register(token)
        self._part(f"SELECT id FROM {self._here(token)}")
        self.count_again(f"SELECT id FROM {self._here(token)}")
        self.forget(token)

    def forget(self, token: int) -> None:
        """Drop incoming rows."""
        self.link.run(f"ALTER TABLE {self.layout.on_disk(self.layout.incoming)} DROP PARTITION {token}")

    def repair(self) -> None:
        """Finish what was broken off: by whoever had the folder before, or more than a day ago."""
        alone = self.link.alone_since
        before = (self.now() - _STALE_US if alone is None else alone) << 12
        incoming = table_text(self.layout.incoming)
        for (token,) in self.link.rows(f"SELECT DISTINCT token FROM {incoming} WHERE token < {before} ORDER BY token"):
            self.finish(int(token))

    def _here(self, token: int) -> str:
        return f"{table_text(self.layout.incoming)} WHERE token = {token}"

    def _register(self, token: int) -> None:
        # From the events and not from the incoming ones: others may have registered the same ids meanwhile.
        here = self._here(token)
        self.link.run(
            f"INSERT INTO {table_text(self.layout.ids)} (id, delivery_id, occurred_at, rank)"
            f" SELECT id, delivery_id, occurred_at, rank FROM {table_text(self.layout.events)}"
            f" WHERE rank = {_FIRST_RANK - token} AND {_within(here)}{_ALL_ROWS}"
        )

    def _part(self, of_ids: str) -> None:
        # Of rows with one id in one place the engine itself keeps the first; rows in different places do not know of each other.
        ids, events = self.layout.ids, self.layout.events
        contested = (
            f"SELECT id, max(rank) FROM {table_text(ids)} WHERE id IN ({of_ids}) GROUP BY id"
            " HAVING uniqExact((delivery_id, occurred_at)) > 1"
        )
        found = self.link.rows(f"SELECT hex(id), `max(rank)` FROM ({contested}){_ALL_ROWS}")
        for kept_id, rank in found:
            where = f"id = unhex({literal(kept_id)}) AND rank < {int(rank)}"
            self.link.run(f"DELETE FROM {self.layout.on_disk(events)} WHERE {where}")

    def count_again(self, of_ids: str) -> None:
        """Count the slots and days anew that the events of some ids (a select) fall into."""
        ids = table_text(self.layout.ids)
        places = f"{ids} WHERE id IN ({of_ids})"
        for table, moment, us, unit, keys in self._consolidated():
            # Taken before the events are read: whoever counts later has seen all that whoever counted earlier had put in.
            counted_at = self.now()
            touched = f"SELECT DISTINCT ifNull(delivery_id, ''), {_floor(us, unit)} FROM {places}"
            names = ", ".join(["delivery_id", moment, *keys])
            values = ", ".join(f"{value} AS {name}" for name, value in keys.items())
            self.link.run(
                f"INSERT INTO {table_text(table)} ({names}, times, counted_at, is_gone)"
                f" SELECT {names}, sum(one) AS times, {counted_at}, times = 0 FROM ("
                f"SELECT delivery AS delivery_id, {moment}, {', '.join(keys)}, one FROM ("
                f"SELECT ifNull(delivery_id, '') AS delivery, {_floor(us, unit)} AS {moment}, {values}, 1 AS one"
                f" FROM {table_text(self.layout.events)} FINAL WHERE left_out = 0 AND {_within(places)}"
                f") WHERE (delivery, {moment}) IN ({touched})"
                f" UNION ALL SELECT {names}, 0 FROM {table_text(table)} FINAL WHERE (delivery_id, {moment}) IN ({touched})"
                f") GROUP BY {names}{_ALL_ROWS}"
            )

    def _consolidated(self) -> Iterable[tuple[Table, str, int, int, dict[str, str]]]:
        yield (
            self.layout.slots,
            "slot",
            _SLOT_US,
            SLOT_SECONDS,
            {"kind": "kind", "link_id": "ifNull(link_id, '')", "audience": "audience"},
        )
        yield (
            self.layout.agent_days,
            "day",
            _DAY_US,
            1,
            {"agent_key": "ifNull(agent_key, 0)", "kind": "kind", "audience": "audience"},
        )


def _floor(us: int, unit: int) -> str:
    # No division of floats: they cannot tell microseconds of far years apart.
    return f"intDiv(occurred_at - positiveModulo(occurred_at, {us}), {us}) * {unit}"


def _within(places: str) -> str:
    """What holds for events in the same deliveries and between the same moments; the engine finds those without reading all."""
    return (
        f"(delivery_id IN (SELECT delivery_id FROM {places}) OR delivery_id IS NULL)"
        f" AND occurred_at BETWEEN (SELECT min(occurred_at) FROM {places}) AND (SELECT max(occurred_at) FROM {places})"
    )
