"""What is PostgreSQL's own in the SQL store, through psycopg 3."""

# ruff: noqa: S608  # names are quoted by the dialect, and values are parameters

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Dialect, Engine, Table, create_engine, select, text

from msgtrack.errors import MissingExtra
from msgtrack.storage._engines import (
    Columns,
    SqlEngine,
    check_address,
    columns_of,
    converted,
    names_of,
    parameters_of,
    unique_of,
    whole_milliseconds,
)
from msgtrack.storage._postgres_copy import EventsToCopy, copy_into, kinds_of, rows_to_copy
from msgtrack.storage._schema import Tables
from msgtrack.storage._sqlite import add_on_conflict, insert_on_conflict

__all__ = ["Postgres"]

_AGAIN = frozenset({"40001", "40P01"})
"""Serialisation failure, deadlock."""

_SORTING_MB = 64
"""What sorting the events of one call may take of the server's memory, before it goes on disk."""

_NO_RIGHT = "42501"
_RIGHTS = (
    "whoever writes needs GRANT SELECT, INSERT, UPDATE, DELETE on the tables, USAGE on the sequence of events and "
    "TEMPORARY on the database; whoever only reads, SELECT on the tables"
)

_ADDRESS_OPTIONS = frozenset(
    {
        *("application_name", "connect_timeout", "host", "keepalives", "keepalives_count", "keepalives_idle"),
        *(
            "keepalives_interval",
            "options",
            "passfile",
            "port",
            "require_auth",
            "service",
            "sslcert",
            "sslcrl",
            "sslkey",
        ),
        *("sslmode", "sslnegotiation", "sslrootcert", "target_session_attrs", "tcp_user_timeout"),
    }
)


class Postgres(SqlEngine):
    """Snapshots to read from, a locked row to write behind, and COPY for what is many."""

    reading: ClassVar[dict[str, Any]] = {"isolation_level": "REPEATABLE READ"}
    writing: ClassVar[dict[str, Any]] = {"isolation_level": "READ COMMITTED"}

    staged_rows: ClassVar[float] = 200
    held_events: ClassVar[int] = 60_000

    def create(self, url: URL, busy_seconds: float) -> Engine:
        """An engine whose connections are looked at before they are used again."""
        plain = url.set(drivername=url.drivername.replace("postgres+", "postgresql+")) if "+" in url.drivername else url
        if plain.drivername in ("postgres", "postgresql"):
            plain = plain.set(drivername="postgresql+psycopg")
        check_address(plain, ("postgresql+psycopg", "postgresql"), _ADDRESS_OPTIONS)
        try:
            import psycopg  # noqa: F401
        except ImportError as error:
            raise MissingExtra(f"PostgreSQL needs psycopg: {error}", hint="pip install 'msgtrack[postgres]'") from error
        return create_engine(plain, pool_pre_ping=True, max_overflow=-1)

    def begin_reading(self, connection: Connection) -> None:
        """The driver begins with the first statement."""

    def begin_writing(self, connection: Connection, tables: Tables | None, busy_seconds: float) -> None:
        """Wait for the row that every writer locks."""
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {whole_milliseconds(busy_seconds)}")
        if tables is None:
            connection.execute(text("SELECT pg_advisory_xact_lock(7236837536531)"))
        else:
            connection.execute(select(tables.schema.c.version).with_for_update())

    def insert_sql(self, dialect: Dialect, table: Table, source: str, *, replace: bool) -> str:
        """With the clause for conflicts."""
        return insert_on_conflict(
            dialect, table, parameters_of(table, "%s") if source == "?" else source, replace=replace
        )

    def adding_sql(self, dialect: Dialect, table: Table, source: str) -> str:
        """With the clause for conflicts."""
        return add_on_conflict(dialect, table, parameters_of(table, "%s") if source == "?" else source)

    def add_up(self, connection: Connection, table: Table, columns: Columns) -> None:
        """In one statement, to which each column is an array."""
        dialect = connection.dialect
        arrays = [*map(_array, converted(dialect, table, columns))]
        source = f"SELECT * FROM unnest({', '.join(f'%s::{kind}[]' for kind in kinds_of(dialect, table))})"
        connection.exec_driver_sql(self.adding_sql(dialect, table, source), (*arrays,))

    def hold(self, connection: Connection, table: Table, columns: Columns) -> EventsToCopy:
        """To be sent by COPY."""
        return EventsToCopy(connection, table, columns)

    def make_stage(self, connection: Connection, table: Table) -> None:
        """A temporary table; rows lie in it in the order of arrival."""
        dialect = connection.dialect
        name = _stage_name(dialect, table)
        connection.exec_driver_sql(
            f"CREATE TEMP TABLE {name} AS SELECT {names_of(dialect, columns_of(table))} FROM "
            f"{dialect.identifier_preparer.format_table(table)} WITH NO DATA"
        )

    def stage(self, connection: Connection, table: Table, columns: Columns) -> None:
        """By COPY."""
        rows = rows_to_copy(connection, table, converted(connection.dialect, table, columns))
        copy_into(connection, _stage_name(connection.dialect, table), table, rows)

    def take_over(self, connection: Connection, table: Table, *, replace: bool, any_order: bool) -> int:
        """One insert; of events in the order of the index by message, most of whose pages it touches otherwise, and more than once."""
        dialect = connection.dialect
        name, columns = _stage_name(dialect, table), names_of(dialect, columns_of(table))
        if replace:
            unique = names_of(dialect, unique_of(table))
            source = f"SELECT DISTINCT ON ({unique}) {columns} FROM {name} ORDER BY {unique}, ctid DESC"
        elif any_order and "message_id" in table.columns:
            connection.exec_driver_sql(f"SET LOCAL work_mem = '{_SORTING_MB}MB'")
            source = f"SELECT {columns} FROM {name} ORDER BY delivery_id, message_id"
        else:
            # No sort: a temporary table is always read by one process and from its first row on, and no row of this one moves.
            source = f"SELECT {columns} FROM {name}"
        return connection.exec_driver_sql(self.insert_sql(dialect, table, source, replace=replace)).rowcount

    def drop_stage(self, connection: Connection, table: Table) -> None:
        """Drop the temporary table."""
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_stage_name(connection.dialect, table)}")

    def may_lay_aside(self, connection: Connection) -> bool:
        """Not without the right to make them, and not on a standby."""
        asked = "SELECT has_database_privilege(current_database(), 'TEMPORARY') AND current_setting('transaction_read_only') = 'off'"
        return bool(connection.exec_driver_sql(asked).scalar())

    def hint(self, error: BaseException) -> str:
        """Which rights a store needs."""
        return _RIGHTS if getattr(error, "sqlstate", None) == _NO_RIGHT else ""

    def passes(self, error: BaseException) -> bool:
        """A deadlock, or a failure to serialise."""
        return getattr(error, "sqlstate", None) in _AGAIN


def _array(values: Iterable[Any]) -> str:
    """Numbers or texts, none of them NULL, as PostgreSQL writes an array: several times as fast as having the driver look at each."""
    written = [*map(str, values)]
    # What stands between quotes is taken as it is, but for these two.
    escaped = "\0".join(written).replace("\\", "\\\\").replace('"', '\\"')
    return "{" + (f'"{escaped}"'.replace("\0", '","') if written else "") + "}"


def _stage_name(dialect: Dialect, table: Table) -> str:
    return f"pg_temp.{dialect.identifier_preparer.quote(f'{table.name}_stage')}"
