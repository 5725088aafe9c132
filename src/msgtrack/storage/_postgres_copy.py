"""Rows as COPY takes them on PostgreSQL, and events of one call that go straight into their table by it.

Nobody else keeps events while the lock is held, so an id that is not there when it is asked for is not there when its row comes. An insert
with a clause for conflicts looks for each row by itself, and writes it in two steps, lest another come in between.
"""

# ruff: noqa: S608  # names are quoted by the dialect, and values are parameters

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from struct import Struct
from typing import Any

from sqlalchemy import Connection, Dialect, Table

from msgtrack.storage._engines import Columns, HeldEvents, columns_of, converted, names_of

__all__ = ["EventsToCopy", "copy_into", "kinds_of", "rows_to_copy"]

_ROWS_AT_ONCE = 500
_LOOKED_AT = 1000
"""Values of a column by which it is known whether they repeat."""

_SIGNATURE, _TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_NUMBERS = {"smallint": Struct(">ih"), "integer": Struct(">ii"), "bigint": Struct(">iq")}
_length = Struct(">i").pack
_number_of_fields = Struct(">h").pack


class EventsToCopy(HeldEvents):
    """Events as PostgreSQL takes them, each id once, in the order of the index by message: that one is written to all over otherwise, and
    so the pages of it are gone through once.
    """

    def __init__(self, connection: Connection, table: Table, columns: Columns) -> None:
        self._table = table
        # With each % twice, as in statements that have parameters.
        self._name = connection.dialect.identifier_preparer.format_table(table)
        names = columns_of(table)
        delivery_ids, message_ids = (columns[names.index(name)] for name in ("delivery_id", "message_id"))
        given = [*converted(connection.dialect, table, columns)]
        self._ids: list[bytes] = [*given[names.index("id")]]
        self._rows = rows_to_copy(connection, table, given)
        # From the last one on, so that of several with one id the first stays.
        places = range(len(self._ids) - 1, -1, -1)
        firsts = dict(zip(reversed(self._ids), places, strict=True)).values()
        keys = [f"{of or ''}\0{name or ''}" for of, name in zip(delivery_ids, message_ids, strict=True)]
        self._order = sorted(firsts, key=keys.__getitem__)

    def insert_new(self, connection: Connection) -> Sequence[int] | None:
        """By a question and a COPY; not where row security binds who asks, for PostgreSQL knows no COPY then."""
        ids = self._ids
        driver: Any = connection.connection.driver_connection
        with driver.cursor(binary=True) as cursor:
            # For thousands of ids the engine may choose to read a table of millions, though the index has them at hand.
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"SELECT id FROM {self._name} WHERE id = ANY(%s::bytea[])", [_array_of_bytes(ids)])
            known = {name for (name,) in cursor}
            # After that question nobody can bind the table to other rules before this transaction ends.
            cursor.execute("SELECT row_security_active(%s)", [self._name.replace("%%", "%")])
            if cursor.fetchone()[0]:
                return None
        order = [place for place in self._order if ids[place] not in known] if known else self._order
        if order:
            copy_into(connection, self._name.replace("%%", "%"), self._table, [*map(self._rows.__getitem__, order)])
        return order


def rows_to_copy(connection: Connection, table: Table, columns: Iterable[Iterable[Any]]) -> list[bytes]:
    """Rows, their texts as the engine takes them, in the binary format of COPY: neither side has to write numbers as text, or to look for
    what would have to be escaped. They are made by column, for values repeat.
    """
    driver: Any = connection.connection.driver_connection
    encoding = driver.info.encoding
    # A database that says nothing of its texts keeps the bytes that it is given.
    encoding = "utf-8" if encoding == "ascii" else encoding
    kinds = kinds_of(connection.dialect, table)
    fields = [_fields(column, _writer(kind, encoding)) for kind, column in zip(kinds, columns, strict=True)]
    return [*map(b"".join, zip(repeat(_number_of_fields(len(kinds))), *fields))]


def copy_into(connection: Connection, target: str, table: Table, rows: Sequence[bytes]) -> None:
    """Send rows of ``table``, as :func:`rows_to_copy` makes them, into the table called ``target``."""
    driver: Any = connection.connection.driver_connection
    names = names_of(connection.dialect, columns_of(table))
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(_SIGNATURE)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            copy.write(b"".join(rows[start : start + _ROWS_AT_ONCE]))
        copy.write(_TRAILER)


def kinds_of(dialect: Dialect, table: Table) -> list[str]:
    """The types of the columns of a row, without lengths and collations."""
    written = (dialect.type_compiler_instance.process(table.c[name].type) for name in columns_of(table))
    return [kind.split()[0].partition("(")[0].lower() for kind in written]


class _Written(dict[Any, bytes]):
    """Values as they are sent, each written once."""

    def __init__(self, write: Callable[[Any], bytes]) -> None:
        super().__init__({None: _NULL})
        self._write = write

    def __missing__(self, value: Any) -> bytes:
        written = self[value] = self._write(value)
        return written


def _fields(values: Iterable[Any], write: Callable[[Any], bytes]) -> Iterable[bytes]:
    values = [*values]
    # To look for values in a great table takes longer than to write them again.
    if len({*values[:_LOOKED_AT]}) > _LOOKED_AT // 2:
        return [_NULL if value is None else write(value) for value in values]
    return map(_Written(write).__getitem__, values)


def _writer(kind: str, encoding: str) -> Callable[[Any], bytes]:
    """What writes a value of a type, behind the number of its bytes."""
    if kind in _NUMBERS:
        pack, size = _NUMBERS[kind].pack, _NUMBERS[kind].size - len(_NULL)
        return lambda value: pack(size, value)
    if kind == "bytea":
        return lambda value: _length(len(value)) + value

    def of_text(value: str) -> bytes:
        encoded = value.encode(encoding)
        return _length(len(encoded)) + encoded

    return of_text


def _array_of_bytes(values: Iterable[bytes]) -> str:
    """As PostgreSQL writes an array: several times as fast as having the driver look at each."""
    return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"
