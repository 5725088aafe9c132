"""What is DuckDB's own: its dialect of SQL, its tables, how event ids are kept in it, and how its file is opened."""

# ruff: noqa: S608  # names of tables and columns are our own

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import duckdb
from sqlalchemy import (
    BigInteger,
    ClauseElement,
    Column,
    ColumnElement,
    Executable,
    Select,
    Table,
    case,
    cast,
    func,
)
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from msgtrack.errors import InvalidValue, NotSupported, StoreError, UnknownOption
from msgtrack.storage._operations import Ask, OfLink, Operations, gathered_as
from msgtrack.storage._types import event_id_text

__all__ = [
    "OPERATIONS",
    "DuckOperations",
    "compiled",
    "connect",
    "create_staging",
    "create_table",
    "failures",
    "file_of",
    "keep_id",
    "key_of_text",
    "literal",
    "memory",
    "quiet",
    "retried",
    "roll_back",
    "seconds",
    "shown_id",
]

T = TypeVar("T")

_MEMORY = re.compile(r"[1-9][0-9]{0,8} ?[KMGT]i?B")
_FIRST_WAIT = 0.002
_LONGEST_WAIT = 0.1
_OURS, _THEIRS = b"\0", b"\1"
_ONE_AT_A_TIME = Lock()
_FETCHING = ("autoinstall_known_extensions", "autoload_known_extensions")


class _Dialect(PGDialect):
    name = "duckdb"
    supports_statement_cache = True


# Statements only become text here; DuckDB's own client runs them, and numbers its parameters.
_DIALECT: PGDialect = _Dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # of SQLAlchemy
# Some are asked again and again, and to write one takes as long as its answer.
_WRITTEN: WeakKeyDictionary[Any, tuple[str, list[Any]]] = WeakKeyDictionary()


def compiled(statement: Any) -> tuple[str, list[Any]]:
    """A statement as text, and its parameters in the order of their numbers."""
    if statement not in _WRITTEN:
        _WRITTEN[statement] = _compiled(statement)
    return _WRITTEN[statement]


def _compiled(statement: Any) -> tuple[str, list[Any]]:
    made = statement.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    given = made.params
    return str(made), [given[name] for name in made.positiontup or ()]


class _AddUp(Executable, ClauseElement):
    """Rows that are added to those of the same key, or inserted."""

    inherit_cache = True

    def __init__(self, table: Table, rows: Select[Any]) -> None:
        self.table = table
        self.rows = rows


@compiles(_AddUp)
def _merge(element: _AddUp, compiler: SQLCompiler, **how: Any) -> str:
    table, names = element.table, [*element.table.c.keys()]
    same = " AND ".join(f'kept."{column.name}" = new."{column.name}"' for column in table.primary_key.columns)
    return (
        f"MERGE INTO {table.name} AS kept USING ({compiler.process(element.rows, **how)}) AS new ON {same} "
        "WHEN MATCHED THEN UPDATE SET times = kept.times + new.times "
        f"WHEN NOT MATCHED THEN INSERT ({_named(names)}) VALUES ({_named(names, 'new.')})"
    )


def _named(names: Iterable[str], before: str = "") -> str:
    return ", ".join(f'{before}"{name}"' for name in names)


class DuckOperations(Operations):
    """What DuckDB writes differently when it counts."""

    divided_by = "//"
    # A slot has a row for each audience and no more.
    adds_up_slots = False

    def gathered(self, ask: Ask, by_link: Select[Any]) -> Iterable[OfLink]:
        rows: Iterable[Any] = ask(by_link)
        return rows

    def by_link(self, slots: Select[Any], *, is_small: bool = False) -> Select[Any]:
        """The slots as a list, and the times as another."""
        return gathered_as(slots, lambda slot, times: [func.list(slot), func.list(cast(times, BigInteger))])

    def mask(self, bits: Sequence[tuple[ColumnElement[bool], int]]) -> ColumnElement[int]:
        found: ColumnElement[int] = func.bit_or(case(*bits, else_=0))
        return found

    def add_up(self, table: Table, rows: Select[Any]) -> Executable:
        return _AddUp(table, rows)


OPERATIONS = DuckOperations()


def literal(text: str) -> str:
    """Text as it is written into SQL, where no parameter may stand."""
    return "'" + text.replace("'", "''") + "'"


def _column(column: Column[Any]) -> str:
    kind = _DIALECT.type_compiler_instance.process(column.type)
    return f'"{column.name}" {kind}{"" if column.nullable else " NOT NULL"}'


def key_of_text(column: str) -> str:
    """What an id in no order is sought by first: four bytes that follow from it are looked through many times quicker than the ids, which
    lie anywhere and are packed.
    """
    return f"CAST(md5_number_lower({column}) & 4294967295 AS UINTEGER)"


_BY_BLOCK = frozenset({"message_id", "source_id", "recipient_id"})
"""Columns of ids that hardly repeat within a block: what the engine would choose for them unpacks a whole block to read one."""


def create_table(table: Table, *more: str) -> str:
    """The statement that makes a table with the columns of the SQL stores and ``more`` of its own, without keys and indexes.

    An index would take more bytes than all columns together, and most of the time of an ingest. Writers take turns, and each
    looks before it inserts, which is as sure.
    """
    columns = [
        f"{_column(column)}{' USING COMPRESSION zstd' if column.name in _BY_BLOCK else ''}" for column in table.columns
    ]
    return f"CREATE TABLE {table.name} ({', '.join([*columns, *more])})"


def create_staging(name: str, columns: Iterable[Column[Any]]) -> str:
    """The statement that makes a table of rows on their way; ``n`` says in which order they came."""
    return f"CREATE TEMP TABLE {name} ({', '.join(['n BIGINT NOT NULL', *map(_column, columns)])})"


def keep_id(packed: bytes | str) -> bytes:
    """An event id as it is kept: a mark, and then our own as 16 bytes, any other as its text."""
    return _OURS + packed if isinstance(packed, bytes) else _THEIRS + packed.encode()


def shown_id(kept: bytes) -> str:
    """An event id as it was given."""
    return kept[1:].hex() if kept[:1] == _OURS else kept[1:].decode()


@compiles(event_id_text, "duckdb")
def _in_duckdb(element: event_id_text, compiler: SQLCompiler, **how: Any) -> str:
    column = compiler.process(element.clauses, **how)
    return rf"CASE WHEN {column}[1:1] = '\x00'::BLOB THEN lower(hex({column}[2:])) ELSE decode({column}[2:]) END"


def seconds(value: object) -> float:
    """How long to wait for others.

    Raises:
        InvalidValue: it is no number from 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise InvalidValue(f"busy_seconds must be a number of seconds from 0, not {value!r:.80}")
    return float(value)


def memory(value: object) -> str | None:
    """How much memory the engine may take.

    Raises:
        InvalidValue: it is no number of bytes with its unit.
    """
    if value is None or (isinstance(value, str) and _MEMORY.fullmatch(value)):
        return value
    raise InvalidValue(f"memory_limit must be as '500MB' or '2GB', not {value!r:.80}")


def file_of(url: str) -> str:
    """The file that an address names: ``duckdb:///file.db`` one in the working folder, ``duckdb:////var/lib/file.db`` an absolute one.

    Raises:
        InvalidValue: it is no such address.
        NotSupported: it names no file.
        UnknownOption: options stand behind ``?``.
        StoreError: the folder of the file does not exist.
    """
    _, _, rest = url.partition(":")
    path, mark, query = rest.removeprefix("//").partition("?")
    if mark:
        raise UnknownOption(f"the address of a DuckDB store takes no options, this one has: {query:.80}")
    if path in ("", "/", "/:memory:", ":memory:"):
        raise NotSupported("DuckDB in memory is not there", hint="use memory:, or duckdb:///file.duckdb for a file")
    if not rest.startswith("///"):
        raise InvalidValue(
            f"not an address of a DuckDB file: {url!r:.80}", hint="as in duckdb:///file.duckdb, with three slashes"
        )
    file = path[1:]
    if "\0" in file or any("\ud800" <= character <= "\udfff" for character in file):
        raise InvalidValue(f"a file name holds no NUL and no half characters: {file!r:.80}")
    folder = Path(file).parent
    if not folder.is_dir():
        raise StoreError(f"there is no folder {str(folder)!r} to keep the store in", hint="make the folder first")
    return file


@contextmanager
def failures(name: str) -> Iterator[None]:
    """What the engine says, as an error of ours that names the store."""
    try:
        yield
    except duckdb.Error as error:
        raise StoreError(f"the store {name} failed: {error}") from error


def connect(file: str, *, busy_seconds: float) -> duckdb.DuckDBPyConnection:
    """The file, opened for writing; it is made when missing.

    Raises:
        StoreError: another process holds it for all that time, or it is no file of DuckDB.
    """
    deadline = time.monotonic() + busy_seconds
    wait = _FIRST_WAIT
    while True:
        try:
            connection = _connected(Path(file).absolute())
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise StoreError(f"the store {file} cannot be opened: {error}") from error
            if time.monotonic() > deadline:
                raise StoreError(
                    f"another process has the store {file} open, and only one can: {error}",
                    hint="close it there first; several processes at once can use SQLite or a server",
                ) from error
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        except duckdb.Error as error:
            raise StoreError(f"the store {file} cannot be opened: {error}") from error
        else:
            quiet(connection)
            return connection


def _connected(file: Path) -> duckdb.DuckDBPyConnection:
    """The file, opened as other connections of this process open it: the engine takes no two configurations of one file.

    Its path is absolute: by one that begins with ``md:`` or ``http:`` the engine goes elsewhere.
    A file of another database would make the engine fetch what reads it, so one that is there is first opened where that is forbidden.
    To read how it begins would be simpler, but would let go of the lock that another connection of this process has on it.
    """
    with _ONE_AT_A_TIME:
        if file.exists():
            with suppress(duckdb.ConnectionException):  # open already, so it is the engine's own
                duckdb.connect(file, config=dict.fromkeys(_FETCHING, "false")).close()
        return duckdb.connect(file)


def quiet(connection: duckdb.DuckDBPyConnection) -> None:
    """Nothing that is asked may make the engine fetch code from elsewhere."""
    for setting in _FETCHING:
        connection.execute(f"SET {setting} = false")


def retried(connection: duckdb.DuckDBPyConnection, work: Callable[[], T], *, busy_seconds: float) -> T:
    """What ``work`` gives, done in one transaction, and again while another handle of this process is in the way.

    Raises:
        duckdb.Error: it failed otherwise, or others were in the way for all that time; nothing is kept then.
    """
    deadline = time.monotonic() + busy_seconds
    wait = _FIRST_WAIT
    while True:
        try:
            connection.execute("BEGIN TRANSACTION")
            done = work()
            connection.execute("COMMIT")
        except duckdb.TransactionException as error:
            roll_back(connection)
            if not _is_in_the_way(error) or time.monotonic() > deadline:
                raise
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)
        except BaseException:
            roll_back(connection)
            raise
        else:
            return done


def _is_in_the_way(error: duckdb.TransactionException) -> bool:
    """Whether another writer is the reason; a disk that is full fails a commit by an error of the same class."""
    return "conflict" in str(error).lower()


def roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Undo the transaction under way; one that failed to commit is undone already."""
    try:
        connection.execute("ROLLBACK")
    except duckdb.Error:
        return
