"""How events come into the ClickHouse store: the engine has neither unique keys nor transactions, and yet each is kept once.

Events of one ingest lie among the incoming ones until all are there; of one that is sent at once, and brings nothing but new events, only
what these are known by. Then, each step doing nothing new when it is done again:

1. those whose id ``ids`` does not know go into ``events``, all with one rank that falls with time;
2. their ids and places go into ``ids``. Where two handles brought one id at the same moment, the one with the lesser rank goes;
3. the slots and days that they fall into are counted from the events: those of a large ingest by themselves, under its rank as their
   ``batch``, those of all small ones together, as batch 0, again with each that comes. Readers add batches up.

Counting again, and not adding up, keeps slots right when an ingest is broken off and tried again, and when two handles bring the same
events: each counts after its own events are in, and of two counts the one that was begun later stays. What is counted may arrive late,
though, and speak of events that another handle's have taken the place of since; so each looks once its count is in whether another has
brought one of its events, and counts again if so. A materialised view would see each block that is inserted once, and so count
twice what was tried twice. Until an ingest is over, its incoming rows say which slots may be behind.
"""

# ruff: noqa: S608  # statements are put together here: of numbers, of names that ``quoted`` wrote and values that ``literal`` wrote

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen
from sqlalchemy import Table, column, text

from msgtrack.counts import REACTION_KINDS, SLOT_SECONDS
from msgtrack.errors import StoreError
from msgtrack.storage._clickhouse_dialect import column_type, kept_id, literal, quoted, table_text
from msgtrack.storage._clickhouse_link import Link
from msgtrack.storage._clickhouse_tables import Layout
from msgtrack.storage._rows import EVENT_COLUMNS
from msgtrack.storage._schema import Tables, pack_id

__all__ = ["Arrivals"]

_FIRST_RANK = 2**63 - 1
_REVISED_RANK = 2**63
# Ranks of large ingests are even, as their tokens are odd.
_BATCH = f"if(rank < {_REVISED_RANK} AND rank % 2 = 0, rank, 0)"
_KNOWN_BY = ("id", "delivery_id", "occurred_at")
_AT_ONCE = 500
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
        """The engine's clock, in microseconds since 1970."""
        if self.link.alone_since is not None:
            # The engine runs in this process, and its clock is this one.
            return time.time_ns() // 1000
        ((now,),) = self.link.rows("SELECT toUnixTimestamp64Micro(now64(6))")
        return int(now)

    def token(self, *, is_large: bool = False) -> int:
        """A number for one ingest: greater than those of earlier ones, and no other's; odd for a large one."""
        return (self.now() << 8) | os.urandom(1)[0] & 0xFE | is_large

    def settle(self, token: int, given: int) -> int:
        """Keep the incoming events that are new; how many those were.

        Raises:
            StoreError: not all of them are there; nothing was done.
        """
        different, met = self._arrived(token, given)
        if different == met:
            return 0
        fresh = self._here(token)
        if met:
            fresh += f" AND id NOT IN ({self._known(token)})"
        if different < given:
            fresh += " ORDER BY ordinal LIMIT 1 BY id"
        names = ", ".join(map(quoted, EVENT_COLUMNS))
        self.link.run(
            f"INSERT INTO {table_text(self.layout.events)} ({names}, rank)"
            f" SELECT {names}, {_FIRST_RANK - token} FROM {fresh}{_ALL_ROWS}"
        )
        self.finish(token, different - met)
        return different - met

    def bring(self, token: int, columns: Sequence[Sequence[Any]]) -> int | None:
        """Keep events given by column, in the order of ``EVENT_COLUMNS``: of these few only what they are known by lies among the incoming
        ones, for whoever asks meanwhile, and they go into the table of events at once. How many were new, or None where some are
        and some are not, or have one id: nothing was done then.

        Raises:
            StoreError: not all of them are there; nothing was done.
        """
        given = len(columns[0])
        known_by = [columns[EVENT_COLUMNS.index(name)] for name in _KNOWN_BY]
        self._insert(self.layout.incoming, ("token", "ordinal", *_KNOWN_BY), [[token] * given, range(given), *known_by])
        different, met = self._arrived(token, given)
        if different == met:
            return 0
        if met or different < given:
            self.forget(token)
            return None
        self._insert(self.layout.events, (*EVENT_COLUMNS, "rank"), [*columns, [_FIRST_RANK - token] * given])
        self.finish(token, given)
        return given

    def _insert(self, table: Table, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        self.link.insert(table_text(table), names, [column_type(table.c[name]) for name in names], columns)

    def _known(self, token: int) -> str:
        return f"SELECT id FROM {table_text(self.layout.ids)} WHERE id IN (SELECT id FROM {self._here(token)})"

    def _arrived(self, token: int, given: int) -> tuple[int, int]:
        """How many different ids the incoming events have, and how many of those are known. Where all are, they are dropped."""
        ((there, different, met),) = self.link.rows(
            f"SELECT count(), uniqExact(id), (SELECT uniqExact(id) FROM ({self._known(token)})) FROM {self._here(token)}{_ALL_ROWS}"
        )
        if there != given:
            self.forget(token)
            raise StoreError(
                f"{given} events were on their way into {self.link.address.shown}, and {there} arrived",
                hint="ingest them again, in less than a day",
            )
        if different == met:
            # Were they put in and not counted by an ingest that was broken off, then its incoming rows still say so.
            self.forget(token)
        return int(different), int(met)

    def finish(self, token: int, put_in: int | None = None) -> None:
        """What remains to be done once events are in: ``put_in`` of them at most, where that is known."""
        ids = f"SELECT id FROM {self._here(token)}"
        self._register(token)
        if token & 1:
            for sums in self._consolidated():
                self._count(sums, f"rank = {_FIRST_RANK - token}", None, self.now())
        else:
            self.count_again(ids, f"{_BATCH} = 0", "batch = 0")
        # Whoever brings one of these ids after a look finds it registered, and counts later; of whoever did before, the look tells.
        seen, is_contested = self._look(token, put_in)
        counted = None
        while is_contested and seen != counted:
            self._part(ids)
            self.count_again(ids)
            counted = seen
            seen, is_contested = self._look(token, put_in)
        self.forget(token)

    def _look(self, token: int, put_in: int | None) -> tuple[int, bool]:
        """A sum that is another one when another ingest has registered an id of this one, and whether one may have."""
        ids, events, here = table_text(self.layout.ids), table_text(self.layout.events), self._here(token)
        rank = _FIRST_RANK - token
        # Where fewer were put in than was thought, others brought the rest, and these are fewer than that, too.
        there = f"(SELECT count() FROM {events} WHERE rank = {rank})" if put_in is None else put_in
        ((mine, registered, contested, pairs),) = self.link.rows(
            f"SELECT {there}, countIf(mine), countIf(other), sum(pairs) FROM"
            f" (SELECT max(rank = {rank}) AS mine, min(rank) != max(rank) AS other, sum(cityHash64(id, rank)) AS pairs"
            f" FROM {ids} WHERE id IN (SELECT id FROM {here}) GROUP BY id){_ALL_ROWS}"
        )
        # Of what is registered twice the engine drops the later rank, as soon as it likes.
        return int(pairs), bool(contested) or mine != registered

    def forget(self, token: int) -> None:
        """Drop incoming rows."""
        self.link.run(f"ALTER TABLE {self.layout.on_disk(self.layout.incoming)} DROP PARTITION {token}")

    def repair(self) -> None:
        """Finish what was broken off: by whoever had the folder before, or more than a day ago."""
        alone = self.link.alone_since
        before = (self.now() - _STALE_US if alone is None else alone) << 8
        incoming = table_text(self.layout.incoming)
        for (token,) in self.link.rows(f"SELECT DISTINCT token FROM {incoming} WHERE token < {before} ORDER BY token"):
            self.finish(int(token))

    def _here(self, token: int) -> str:
        return f"{table_text(self.layout.incoming)} WHERE token = {token}"

    def _register(self, token: int) -> None:
        # From the events and not from the incoming ones: others may have registered the same ids meanwhile.
        self.link.run(
            f"INSERT INTO {table_text(self.layout.ids)} (id, delivery_id, occurred_at, rank)"
            f" SELECT id, delivery_id, occurred_at, rank FROM {table_text(self.layout.events)}"
            f" WHERE rank = {_FIRST_RANK - token}{_ALL_ROWS}"
        )

    def _part(self, of_ids: str) -> None:
        # Of rows with one id in one place the engine itself keeps the first; rows in different places do not know of each other.
        ids, events = self.layout.ids, self.layout.events
        contested = (
            f"SELECT id, max(rank) FROM {table_text(ids)} WHERE id IN ({of_ids}) GROUP BY id"
            " HAVING uniqExact((delivery_id, occurred_at)) > 1"
        )
        found = self.link.rows(f"SELECT hex(id), `max(rank)` FROM ({contested}){_ALL_ROWS}")
        for written, rank in found:
            where = f"id = unhex({literal(written)}) AND rank < {int(rank)}"
            self.link.run(f"DELETE FROM {self.layout.on_disk(events)} WHERE {where}")

    def count_again(self, of_ids: str, of_events: str = "1", of_sums: str = "1") -> None:
        """Count the slots and days anew that the events of some ids (a select) fall into."""
        places = f"{table_text(self.layout.ids)} WHERE id IN ({of_ids})"
        for sums in self._consolidated():
            touched = f"(SELECT DISTINCT ifNull(delivery_id, ''), {sums.floor} FROM {places})"
            kept = f"(delivery_id, {sums.moment}) IN {touched} AND {of_sums}"
            self._count(sums, f"{_within(places, sums.us)} AND {of_events}", kept, self.now())

    def rebuild(self, delivery_ids: Sequence[str] | None) -> None:
        """Count all slots and days anew, of these deliveries ("" for none) or of all."""
        kept = events = "1"
        if delivery_ids is not None:
            kept = f"delivery_id IN ({', '.join(map(literal, delivery_ids))})"
            events = f"({kept} OR delivery_id IS NULL)" if "" in delivery_ids else kept
        for sums in self._consolidated():
            self._count(sums, events, kept, self.now())

    def _count(self, sums: _Sums, events: str, kept: str | None, counted_at: int) -> None:
        # The time is taken before the events are read: whoever counts later has seen all that whoever counted earlier had put in.
        names = ", ".join([*sums.names, "batch"])
        rows = sums.of_events(self.layout.events, events, is_final=kept is not None)
        if kept is not None:
            # What has no event any more is counted too, as none, and again what was none before: a count that was begun earlier may
            # not have arrived yet.
            rows = (
                f"SELECT {names}, one FROM ({rows}) WHERE {kept}"
                f" UNION ALL SELECT {names}, 0 FROM {table_text(sums.table)} WHERE {kept}"
            )
        self.link.run(
            f"INSERT INTO {table_text(sums.table)} ({names}, times, counted_at, is_gone)"
            f" SELECT {names}, sum(one) AS times, {counted_at}, times = 0 FROM ({rows}) GROUP BY {names}{_ALL_ROWS}"
        )

    def settled(self, tables: Tables) -> Tables:
        """The tables to count from while events are arriving: what they fall into comes from the events, the rest is as it was counted."""
        kept: dict[str, Any] = {}
        for name, sums in zip(("slots", "agent_days"), self._consolidated(), strict=True):
            incoming = table_text(self.layout.incoming)
            touched = f"(SELECT DISTINCT ifNull(delivery_id, ''), {sums.floor} FROM {incoming})"
            names, place = ", ".join(sums.names), f"(delivery_id, {sums.moment})"
            select_text = (
                f"SELECT {names}, times FROM {table_text(sums.table)} WHERE {place} NOT IN {touched}"
                f" UNION ALL SELECT {names}, one AS times"
                f" FROM ({sums.of_events(self.layout.events, _within(incoming, sums.us))}) WHERE {place} IN {touched}"
            )
            columns = [column(each.name, each.type) for each in getattr(tables, name).columns]
            kept[name] = text(select_text.replace(":", "\\:")).columns(*columns).subquery(name)
        return tables._replace(**kept)

    def replace(self, token: int) -> None:
        """Let incoming events take the place of those that are kept under their ids; the others are dropped."""
        ids, events, here = table_text(self.layout.ids), table_text(self.layout.events), self._here(token)
        rank = _REVISED_RANK + token
        known = f"{here} AND id IN (SELECT id FROM {ids} WHERE id IN (SELECT id FROM {here}))"
        names = ", ".join(map(quoted, EVENT_COLUMNS))
        for table, columns in ((events, names), (ids, "id, delivery_id, occurred_at")):
            self.link.run(f"INSERT INTO {table} ({columns}, rank) SELECT {columns}, {rank} FROM {known}{_ALL_ROWS}")
        self.link.run(
            f"DELETE FROM {self.layout.on_disk(self.layout.events)} WHERE rank < {rank} AND id IN (SELECT id FROM {here})"
        )
        self.forget(token)

    def remove(self, event_ids: Sequence[str]) -> None:
        """Delete events, and what is known of their ids; also where they are only on their way."""
        for start in range(0, len(event_ids), _AT_ONCE):
            kept = ", ".join(literal(kept_id(pack_id(event_id))) for event_id in event_ids[start : start + _AT_ONCE])
            for table in (self.layout.incoming, self.layout.events, self.layout.ids):
                self.link.run(f"DELETE FROM {self.layout.on_disk(table)} WHERE id IN ({kept})")

    def _consolidated(self) -> tuple[_Sums, _Sums]:
        return (
            _Sums(
                table=self.layout.slots,
                moment="slot",
                us=_SLOT_US,
                unit=SLOT_SECONDS,
                keys={"kind": "kind", "link_id": "ifNull(link_id, '')", "audience": "audience"},
            ),
            _Sums(
                table=self.layout.agent_days,
                moment="day",
                us=_DAY_US,
                unit=1,
                keys={"agent_key": "ifNull(agent_key, 0)", "kind": "kind", "audience": "audience"},
                only=f"kind IN ({', '.join(map(literal, sorted(REACTION_KINDS)))})",
            ),
        )


@frozen(kw_only=True)
class _Sums:
    """A table of rows by slot or day: how they follow from events."""

    table: Table
    moment: str
    us: int
    unit: int
    keys: Mapping[str, str]
    only: str = "1"

    @property
    def floor(self) -> str:
        """The slot or day that an event falls into."""
        # No division of floats: they cannot tell microseconds of far years apart.
        return f"intDiv(occurred_at - positiveModulo(occurred_at, {self.us}), {self.us}) * {self.unit}"

    @property
    def names(self) -> list[str]:
        """The columns that a row is known by, in the order of the table."""
        return [column.name for column in self.table.primary_key.columns if column.name != "batch"]

    def of_events(self, events: Table, where: str, *, is_final: bool = True) -> str:
        """A row for each event, ``one`` being how often it counts."""
        made = {"delivery_id": "ifNull(delivery_id, '')", self.moment: self.floor, **self.keys, "batch": _BATCH}
        # The names of columns are those of the events in all conditions, so what is made of them gets its name one step later.
        inner = ", ".join(f"{value} AS made_{name}" for name, value in made.items())
        outer = ", ".join(f"made_{name} AS {name}" for name in [*self.names, "batch"])
        final = " FINAL" if is_final else ""
        rows = f"SELECT {inner} FROM {table_text(events)}{final} WHERE left_out = 0 AND {self.only} AND {where}"
        return f"SELECT {outer}, 1 AS one FROM ({rows})"


def _within(places: str, us: int = 1) -> str:
    """What holds for events in the same deliveries and between the same moments, rounded outwards to whole multiples of ``us``; the engine
    finds those without reading all.
    """
    first, last = (f"(SELECT {which}(occurred_at) FROM {places})" for which in ("min", "max"))
    return (
        f"(delivery_id IN (SELECT delivery_id FROM {places}) OR delivery_id IS NULL)"
        f" AND occurred_at > {first} - {us} AND occurred_at < {last} + {us}"
    )
