"""The engines that stores are measured beside: bare inserts, SQL written by hand, and sizes on disk."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from attrs import frozen
from tests.servers import database_servers

from msgtrack import open_store
from msgtrack.events import Event
from msgtrack.storage._event_rows import EventWriter
from msgtrack.storage._rows import EVENT_COLUMNS

__all__ = ["ENGINES", "Engine", "Opened"]

BIG = "spring"
_COLUMNS = ", ".join(EVENT_COLUMNS)
_TYPES = {"occurred_at": "bigint", "agent_key": "bigint", "left_out": "smallint"}
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
_POSTGRES_SIZE = (
    "select sum(pg_total_relation_size(oid)) from pg_class where relname like 'msgtrack%' and relkind = 'r'"
)
_SLOTS = (
    "select kind, link_id, {slot}, count(*) from {events} where {mine} and left_out = 0 group by kind, link_id, {slot}"
)


@frozen(kw_only=True)
class Opened:
    """A store, and its bare engine.

    ``bare`` inserts the rows of events that it is given and says how many seconds that took by a clock, the making of rows apart;
    ``settle`` does what an engine does by and by; ``size`` is in bytes.
    """

    store: Any
    bare: Callable[[list[Event], Callable[[], float]], float]
    settle: Callable[[], object]
    hand_written: Callable[[], object]
    slots_of_events: Callable[[], object]
    size: Callable[[], int]


@frozen(kw_only=True)
class Engine:
    """One engine: opens a store in an empty folder."""

    name: str
    opened: Callable[[Path], contextlib.AbstractContextManager[Opened]]


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


def _by_hand(run: Callable[[str], Any], divide: str = "/") -> tuple[Callable[[], object], Callable[[], object]]:
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


def _bare_columns(id_type: str, text: str) -> str:
    names = {name: _TYPES.get(name, text) for name in EVENT_COLUMNS} | {"id": f"{id_type} not null unique"}
    return ", ".join(f"{name} {kind}" for name, kind in names.items())


def _timed(insert: Callable[[list[tuple[Any, ...]]], object]) -> Callable[[list[Event], Callable[[], float]], float]:
    writer = EventWriter()

    def bare(events: list[Event], clock: Callable[[], float]) -> float:
        rows = writer.rows([event.id for event in events], events)
        start = clock()
        insert(rows)
        return clock() - start

    return bare


@contextlib.contextmanager
def _sqlite(folder: Path) -> Iterator[Opened]:
    place = folder / "store.sqlite"
    bare = sqlite3.connect(folder / "bare.sqlite", isolation_level=None)
    bare.execute("pragma journal_mode=wal")
    bare.execute(f"create table bare (seq integer primary key, {_bare_columns('blob', 'text')})")
    statement = f"insert or ignore into bare ({_COLUMNS}) values ({', '.join('?' * len(EVENT_COLUMNS))})"

    def insert(rows: list[tuple[Any, ...]]) -> None:
        bare.execute("begin immediate")
        bare.executemany(statement, rows)
        bare.execute("commit")

    with open_store(f"sqlite:///{place}") as store, contextlib.closing(bare):
        reader = sqlite3.connect(place, isolation_level=None)
        with contextlib.closing(reader):
            hand_written, slots = _by_hand(lambda statement: reader.execute(statement).fetchall())
            yield Opened(
                store=store,
                bare=_timed(insert),
                settle=lambda: reader.execute("pragma wal_checkpoint(truncate)").fetchall(),
                hand_written=hand_written,
                slots_of_events=slots,
                size=lambda: place.stat().st_size,
            )


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[Opened]:
    import psycopg

    server = database_servers.server("PostgreSQL")
    with server.place() as url, server.place() as other, open_store(url) as store:
        plain = url.replace("+psycopg", "")
        with (
            psycopg.connect(other.replace("+psycopg", ""), autocommit=True) as bare,
            psycopg.connect(plain, autocommit=True) as reader,
        ):
            bare.execute(f"create table bare (seq bigserial primary key, {_bare_columns('bytea', 'text')})")
            bare.execute(
                f"create temporary table stage ({_bare_columns('bytea', 'text').replace(' not null unique', '')})"
            )

            def insert(rows: list[tuple[Any, ...]]) -> None:
                with bare.transaction():
                    with bare.cursor().copy(f"copy stage ({_COLUMNS}) from stdin") as copy:
                        for row in rows:
                            copy.write_row(row)
                    bare.execute(
                        f"insert into bare ({_COLUMNS}) select {_COLUMNS} from stage on conflict (id) do nothing"
                    )
                    bare.execute("truncate stage")

            hand_written, slots = _by_hand(lambda statement: reader.execute(statement).fetchall())
            yield Opened(
                store=store,
                bare=_timed(insert),
                settle=lambda: reader.execute("analyze"),
                hand_written=hand_written,
                slots_of_events=slots,
                size=lambda: int(_one(reader.execute(_POSTGRES_SIZE))),
            )


def _one(cursor: Any) -> Any:
    return cursor.fetchone()[0]


@contextlib.contextmanager
def _duckdb(folder: Path) -> Iterator[Opened]:
    import duckdb

    place = folder / "store.duckdb"
    columns = _bare_columns("blob", "varchar")
    with open_store(f"duckdb:///{place}") as store, duckdb.connect(str(folder / "bare.duckdb")) as bare:
        bare.execute(f"create table bare ({columns.replace('not null unique', 'primary key')})")
        bare.execute(f"create temporary table stage ({columns.replace(' not null unique', '')})")
        # The same process may open the file again; a second connection is a second reader.
        with duckdb.connect(str(place)) as reader:

            def insert(rows: list[tuple[Any, ...]]) -> None:
                with bare.appender("stage") as appender:
                    appender.append_rows(rows)
                bare.execute("begin transaction")
                bare.execute("insert into bare select * from stage on conflict do nothing")
                bare.execute("commit")
                bare.execute("truncate stage")

            def size() -> int:
                reader.execute("checkpoint")
                return place.stat().st_size

            hand_written, slots = _by_hand(lambda statement: reader.execute(statement).fetchall(), "//")
            yield Opened(
                store=store,
                bare=_timed(insert),
                settle=lambda: reader.execute("checkpoint"),
                hand_written=hand_written,
                slots_of_events=slots,
                size=size,
            )


_CLICKHOUSE_TYPES = {"id": "String", "occurred_at": "Int64", "left_out": "Int16", "agent_key": "Nullable(Int64)"}


@contextlib.contextmanager
def _clickhouse(folder: Path) -> Iterator[Opened]:
    import clickhouse_connect

    types = {name: _CLICKHOUSE_TYPES.get(name, "Nullable(String)") for name in EVENT_COLUMNS}
    types |= {"kind": "LowCardinality(String)", "audience": "LowCardinality(String)"}
    names, kinds = [*types], [*types.values()]

    def client(database: str) -> Any:
        # One who reads such tables by hand says final too, or sees twice what was inserted twice.
        found = clickhouse_connect.get_client(interface="chdb", path=str(folder), settings={"final": 1})
        found.command(f"create database if not exists {database}")
        found.command(f"use {database}")
        return found

    with open_store(f"chdb:///{folder}") as store, client("bare") as bare, client("msgtrack") as reader:
        bare.command(
            f"create table bare.bare ({', '.join(map(' '.join, types.items()))}) engine = ReplacingMergeTree order by id"
        )

        def insert(rows: list[tuple[Any, ...]]) -> None:
            columns = [*zip(*rows, strict=True)]
            bare.insert("bare.bare", columns, column_names=names, column_type_names=kinds, column_oriented=True)

        inside: Any = store
        tables = inside._layout.kept

        def settle() -> None:
            for table in tables:
                reader.command(f"optimize table msgtrack.{table.name}")

        hand_written, slots = _by_hand(
            lambda statement: (
                reader.query(
                    statement.replace("msgtrack_", "msgtrack.msgtrack_"), settings={"prefer_column_name_to_alias": 1}
                ).result_rows
            ),
            "div",
        )
        yield Opened(
            store=store,
            bare=_timed(insert),
            settle=settle,
            hand_written=hand_written,
            slots_of_events=slots,
            size=lambda: int(
                reader.query(
                    "select sum(bytes_on_disk) from system.parts where active and database = 'msgtrack'"
                ).result_rows[0][0]
            ),
        )


ENGINES = {
    "sqlite": Engine(name="sqlite", opened=_sqlite),
    "postgres": Engine(name="postgres", opened=_postgres),
    "duckdb": Engine(name="duckdb", opened=_duckdb),
    "clickhouse": Engine(name="clickhouse", opened=_clickhouse),
}
