"""The engines that stores are measured beside: their drivers' own inserts, SQL written by hand, and sizes on disk."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import frozen
from sqlalchemy import Dialect, make_url
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement
from tests.servers import database_servers

from benchmarks._hand_written import by_hand
from benchmarks._processes import seconds_of_children, seconds_of_process
from msgtrack import open_store
from msgtrack.storage._rows import EVENT_COLUMNS
from msgtrack.storage._schema import tables_of

__all__ = ["ENGINES", "Engine", "Insert", "Opened"]

Insert = Callable[[list[tuple[Any, ...]]], object]
"""Inserts rows, in the order of ``EVENT_COLUMNS``, in one transaction; those whose id is there are passed over."""

_COLUMNS = ", ".join(EVENT_COLUMNS)
_TYPES = {"occurred_at": "bigint", "agent_key": "bigint", "left_out": "smallint"}
_EVENTS = tables_of("own_").events
"""The store's table of events under another name, for the driver alone."""

_POSTGRES_SIZE = (
    "select sum(pg_total_relation_size(oid)) from pg_class where relname like 'msgtrack%' and relkind = 'r'"
)


@frozen(kw_only=True)
class Opened:
    """A store, and its bare engine.

    ``bare`` inserts into a table that has the unique key and no more, ``own`` into one like the store's, with its indexes or options;
    ``processor`` says how many seconds processors have spent on all of it; ``settle`` does what an engine does by and by;
    ``size`` is in bytes.
    """

    store: Any
    bare: Insert
    own: Insert
    processor: Callable[[], float] = time.process_time
    settle: Callable[[], object]
    hand_written: Callable[[], object]
    slots_of_events: Callable[[], object]
    size: Callable[[], int]


@frozen(kw_only=True)
class Engine:
    """One engine: opens a store in an empty folder."""

    name: str
    opened: Callable[[Path], contextlib.AbstractContextManager[Opened]]


def _bare_columns(id_type: str, text: str) -> str:
    names = {name: _TYPES.get(name, text) for name in EVENT_COLUMNS} | {"id": f"{id_type} not null unique"}
    return ", ".join(f"{name} {kind}" for name, kind in names.items())


def _own_statements(dialect: Dialect) -> list[str]:
    """What makes the store's table of events, and its indexes."""
    made: list[ExecutableDDLElement] = [
        CreateTable(_EVENTS),
        *(CreateIndex(index) for index in sorted(_EVENTS.indexes, key=str)),
    ]
    return [str(statement.compile(dialect=dialect)) for statement in made]


@contextlib.contextmanager
def _sqlite(folder: Path) -> Iterator[Opened]:
    place = folder / "store.sqlite"
    with (
        open_store(f"sqlite:///{place}") as store,
        contextlib.closing(sqlite3.connect(folder / "bare.sqlite", isolation_level=None)) as bare,
        contextlib.closing(sqlite3.connect(folder / "own.sqlite", isolation_level=None)) as own,
        contextlib.closing(sqlite3.connect(place, isolation_level=None)) as reader,
    ):
        bare.execute(f"create table bare (seq integer primary key, {_bare_columns('blob', 'text')})")
        inside: Any = store
        for statement in _own_statements(inside._database.dialect):
            own.execute(statement)
        # What the store sets for its own writing.
        for pragma in ("cache_size=-32000", "wal_autocheckpoint=8000", "secure_delete=on"):
            own.execute(f"pragma {pragma}")
        hand_written, slots = by_hand(lambda statement: reader.execute(statement).fetchall())
        yield Opened(
            store=store,
            bare=_sqlite_insert(bare, "bare"),
            own=_sqlite_insert(own, _EVENTS.name),
            settle=lambda: reader.execute("pragma wal_checkpoint(truncate)").fetchall(),
            hand_written=hand_written,
            slots_of_events=slots,
            size=lambda: place.stat().st_size,
        )


def _sqlite_insert(connection: sqlite3.Connection, table: str) -> Insert:
    connection.execute("pragma journal_mode=wal")
    statement = f"insert or ignore into {table} ({_COLUMNS}) values ({', '.join('?' * len(EVENT_COLUMNS))})"

    def insert(rows: list[tuple[Any, ...]]) -> None:
        connection.execute("begin immediate")
        connection.executemany(statement, rows)
        connection.execute("commit")

    return insert


@contextlib.contextmanager
def _postgres(folder: Path) -> Iterator[Opened]:
    import psycopg

    server = database_servers.server("PostgreSQL")
    with server.place() as url, server.place() as other, open_store(url) as store:
        plain = url.replace("+psycopg", "")
        with (
            psycopg.connect(other.replace("+psycopg", ""), autocommit=True) as bare,
            psycopg.connect(other.replace("+psycopg", ""), autocommit=True) as own,
            psycopg.connect(plain, autocommit=True) as reader,
        ):
            bare.execute(f"create table bare (seq bigserial primary key, {_bare_columns('bytea', 'text')})")
            inside: Any = store
            for statement in _own_statements(inside._database.dialect):
                own.execute(statement)
            hand_written, slots = by_hand(lambda statement: reader.execute(statement).fetchall())
            yield Opened(
                store=store,
                bare=_postgres_insert(bare, "bare"),
                own=_postgres_insert(own, _EVENTS.name),
                processor=_with_server(server, seconds_of_children),
                settle=lambda: reader.execute("analyze"),
                hand_written=hand_written,
                slots_of_events=slots,
                size=lambda: int(_one(reader.execute(_POSTGRES_SIZE))),
            )


def _with_server(server: Any, seconds_of: Callable[[int], Callable[[], float]]) -> Callable[[], float]:
    """Seconds of processors in this process and in what the server runs in, which must be on this machine."""
    spent = seconds_of(server.pid) if isinstance(server, database_servers.OwnServer) else None

    def seconds() -> float:
        if spent is None:
            raise ValueError("the processor time of a server that was not started here is not known")
        return time.process_time() + spent()

    return seconds


def _postgres_insert(connection: Any, table: str) -> Insert:
    connection.execute(
        f"create temporary table stage ({_bare_columns('bytea', 'text').replace(' not null unique', '')})"
    )

    def insert(rows: list[tuple[Any, ...]]) -> None:
        with connection.transaction():
            with connection.cursor().copy(f"copy stage ({_COLUMNS}) from stdin") as copy:
                for row in rows:
                    copy.write_row(row)
            connection.execute(
                f"insert into {table} ({_COLUMNS}) select {_COLUMNS} from stage on conflict (id) do nothing"
            )
            connection.execute("truncate stage")

    return insert


@contextlib.contextmanager
def _mariadb(folder: Path) -> Iterator[Opened]:
    import pymysql

    server = database_servers.server("MariaDB")
    # Reading goes past the system's own cache, so with what tests get all of it would be waiting for the disk.
    server.execute("set global innodb_buffer_pool_size = 4294967296", "set global innodb_log_file_size = 1073741824")
    with server.place() as url, server.place() as other, open_store(url) as store:

        def connect(address: str) -> Any:
            said = make_url(address)
            return contextlib.closing(
                pymysql.connect(host=said.host, port=said.port or 3306, user=said.username, database=said.database)
            )

        with connect(other) as bare, connect(other) as own, connect(url) as reader:

            def ask(statement: str) -> Any:
                cursor = reader.cursor()
                cursor.execute(statement)
                # Ids are bytes there.
                return [
                    tuple([value.decode() if isinstance(value, bytes) else value for value in row]) for row in cursor
                ]

            columns = _bare_columns("varbinary(65)", "text")
            bare.cursor().execute(f"create table bare (seq bigint auto_increment primary key, {columns})")
            inside: Any = store
            for statement in _own_statements(inside._database.dialect):
                own.cursor().execute(statement)
            hand_written, slots = by_hand(ask, "div")
            name = make_url(url).database
            yield Opened(
                store=store,
                bare=_mariadb_insert(bare, "bare"),
                own=_mariadb_insert(own, _EVENTS.name),
                processor=_with_server(server, seconds_of_process),
                settle=lambda: ask("analyze table msgtrack_events, msgtrack_messages, msgtrack_slots"),
                hand_written=hand_written,
                slots_of_events=slots,
                size=lambda: int(
                    ask(
                        f"select sum(file_size) from information_schema.innodb_sys_tablespaces where name like '{name}/%'"
                    )[0][0]
                ),
            )


def _mariadb_insert(connection: Any, table: str) -> Insert:
    statement = f"insert ignore into {table} ({_COLUMNS}) values ({', '.join(['%s'] * len(EVENT_COLUMNS))})"

    def insert(rows: list[tuple[Any, ...]]) -> None:
        # The driver joins the rows into statements of many.
        connection.cursor().executemany(statement, rows)
        connection.commit()

    return insert


def _one(cursor: Any) -> Any:
    return cursor.fetchone()[0]


@contextlib.contextmanager
def _duckdb(folder: Path) -> Iterator[Opened]:
    import duckdb

    from msgtrack.storage._duckdb import create_table, key_of_text

    place = folder / "store.duckdb"
    columns = _bare_columns("blob", "varchar")
    with (
        open_store(f"duckdb:///{place}") as store,
        duckdb.connect(str(folder / "bare.duckdb")) as bare,
        duckdb.connect(str(folder / "own.duckdb")) as own,
    ):
        bare.execute(f"create table bare ({columns.replace('not null unique', 'primary key')})")
        own.execute(create_table(_EVENTS, "message_key uinteger"))
        # Ids are looked up in place of a key, which the store's table has not.
        new = f"from stage where not exists (select 1 from {_EVENTS.name} as kept where kept.id = stage.id)"
        names = f"seq, {_COLUMNS}, message_key"
        into_own = (
            f"insert into {_EVENTS.name} ({names}) select row_number() over () + (select count(*) from {_EVENTS.name}), {_COLUMNS}, "
            f"{key_of_text('message_id')} {new}"
        )
        # The same process may open the file again; a second connection is a second reader.
        with duckdb.connect(str(place)) as reader:

            def size() -> int:
                reader.execute("checkpoint")
                return place.stat().st_size

            hand_written, slots = by_hand(lambda statement: reader.execute(statement).fetchall(), "//")
            yield Opened(
                store=store,
                bare=_duckdb_insert(bare, "insert into bare select * from stage on conflict do nothing"),
                own=_duckdb_insert(own, into_own),
                settle=lambda: reader.execute("checkpoint"),
                hand_written=hand_written,
                slots_of_events=slots,
                size=size,
            )


def _duckdb_insert(connection: Any, statement: str) -> Insert:
    columns = _bare_columns("blob", "varchar").replace(" not null unique", "")
    connection.execute(f"create temporary table stage ({columns})")

    def insert(rows: list[tuple[Any, ...]]) -> None:
        with connection.appender("stage") as appender:
            appender.append_rows(rows)
        connection.execute("begin transaction")
        connection.execute(statement)
        connection.execute("commit")
        connection.execute("truncate stage")

    return insert


_CLICKHOUSE_TYPES = {"id": "String", "occurred_at": "Int64", "left_out": "Int16", "agent_key": "Nullable(Int64)"}


@contextlib.contextmanager
def _clickhouse(folder: Path) -> Iterator[Opened]:
    import clickhouse_connect

    from msgtrack.storage._clickhouse_tables import layout_of

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

        own_layout = layout_of(database="bare", prefix="own_")
        (make_own,) = own_layout._table(own_layout.events)
        bare.command(make_own)

        inside: Any = store
        tables = inside._layout.kept

        def settle() -> None:
            for table in tables:
                reader.command(f"optimize table msgtrack.{table.name}")

        hand_written, slots = by_hand(
            lambda statement: (
                reader.query(
                    statement.replace("msgtrack_", "msgtrack.msgtrack_"), settings={"prefer_column_name_to_alias": 1}
                ).result_rows
            ),
            "div",
        )
        yield Opened(
            store=store,
            bare=_clickhouse_insert(bare, "bare.bare", names, kinds, []),
            own=_clickhouse_insert(bare, f"bare.{_EVENTS.name}", [*names, "rank"], [*kinds, "UInt64"], [0]),
            settle=settle,
            hand_written=hand_written,
            slots_of_events=slots,
            size=lambda: int(
                reader.query(
                    "select sum(bytes_on_disk) from system.parts where active and database = 'msgtrack'"
                ).result_rows[0][0]
            ),
        )


def _clickhouse_insert(client: Any, table: str, names: list[str], kinds: list[str], more: list[Any]) -> Insert:
    """``more`` are the same in every row, behind the others."""

    def insert(rows: list[tuple[Any, ...]]) -> None:
        columns = [*zip(*rows, strict=True), *([value] * len(rows) for value in more)]
        client.insert(table, columns, column_names=names, column_type_names=kinds, column_oriented=True)

    return insert


ENGINES = {
    "sqlite": Engine(name="sqlite", opened=_sqlite),
    "postgres": Engine(name="postgres", opened=_postgres),
    "mariadb": Engine(name="mariadb", opened=_mariadb),
    "duckdb": Engine(name="duckdb", opened=_duckdb),
    "clickhouse": Engine(name="clickhouse", opened=_clickhouse),
}
