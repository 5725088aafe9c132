"""What engines write differently when they count: a handful of operations, portable SQL by default."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Column,
    ColumnElement,
    Executable,
    FromClause,
    LargeBinary,
    MetaData,
    Select,
    Table,
    case,
    func,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import CreateTable, DropTable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import Insert

from msgtrack.errors import StoreError

__all__ = ["Ask", "Execute", "OfLink", "Operations", "gathered_as", "operations_for"]

Ask = Callable[[Select[Any]], Iterable[Sequence[Any]]]
"""Runs a statement and gives its rows."""

Execute = Callable[[Executable], Any]
"""Runs a statement in the transaction that is open."""

OfLink = tuple[str | None, str, str | None, Sequence[int], Sequence[int]]
"""What is counted of a link: (delivery, kind, link, slots, times). To each slot belong the times in the same place; they are in whatever
order, and a slot may be there more than once, to be added up.
"""


class Operations:
    """Portable SQL; an engine overrides what it does faster or otherwise."""

    keeps_slots = True
    """Whether slots and days of programs are kept right at ingest, so that they may answer."""

    divided_by = "/"
    """What divides whole numbers to a whole number."""

    lays_aside = False
    """Whether rows that several statements read are better laid aside in a temporary table."""

    adds_up_slots = True
    """Whether the engine, and not who reads them, adds up the rows that a slot has for each audience."""

    @property
    def words(self) -> Operations:
        """What writes the same statements and holds on to nothing, so that they may be kept with it."""
        return self

    def by_link(self, slots: Select[Any], *, is_small: bool = False) -> Select[Any]:
        """Of a statement whose rows are (of, kind, link_id, slot, times) what :meth:`gathered` asks: where the engine can do that, a row
        for each link, which is several times as fast to read as a row for each slot.

        ``is_small``: it reads what was consolidated of deliveries that it names, thousands of rows and not millions.
        """
        return slots

    def gathered(self, ask: Ask, by_link: Select[Any]) -> Iterable[OfLink]:
        """The answer to a statement that :meth:`by_link` made, by what is counted."""
        found: defaultdict[tuple[Any, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
        for *link, slot, times in ask(by_link):
            numbers = found[tuple(link)]
            numbers[0].append(int(slot))
            numbers[1].append(int(times))
        for (of, kind, link_id), numbers in found.items():
            yield of, kind, link_id, *numbers

    def glanced(self, rows: Select[Any]) -> Select[Any]:
        """Rows, and maybe others that were there once, where it takes time to tell them apart: if there are none, that is sure. No row
        may be asked for by what is *not* somewhere else: what was there once would leave it out.
        """
        return rows

    def mask(self, bits: Sequence[tuple[ColumnElement[bool], int]]) -> ColumnElement[int]:
        """Of a group of rows the sum of the bits whose condition some row fulfils."""
        total: ColumnElement[int] = func.max(case((bits[0][0], bits[0][1]), else_=0))
        for condition, bit in bits[1:]:
            total = total + func.max(case((condition, bit), else_=0))
        return total

    def floor(self, value: ColumnElement[int], width: int) -> ColumnElement[int]:
        """How often ``width`` goes into a whole number, rounded down, below zero too."""
        # Division rounds towards zero, and the remainder has the sign of the value.
        n: ColumnElement[int] = literal_column(str(width))
        whole: ColumnElement[int] = (value - (value % n + n) % n).op(self.divided_by, precedence=8)(n)
        return whole

    @contextmanager
    def base(self, execute: Execute | None, rows: Select[Any]) -> Iterator[FromClause]:
        """What several statements read their rows from, while it lasts: a table that only this connection sees, where ``execute``
        runs statements on it, or else the rows themselves.
        """
        if execute is None or not self.lays_aside:
            yield rows.cte("base")
            return
        columns = [Column(column.name, column.type) for column in rows.selected_columns]
        base = Table("msgtrack_base", MetaData(), *columns, prefixes=["TEMPORARY"])
        execute(CreateTable(base))
        try:
            execute(self.fill(base, rows))
            yield base
        except BaseException:
            # After an error the engine may do nothing more in this transaction; the error is what is to be told.
            with suppress(StoreError):
                execute(self.drop(base))
            raise
        execute(self.drop(base))

    def fill(self, table: Table, rows: Select[Any]) -> Executable:
        """What puts rows into a temporary table: those of the transaction's own state of the database, and without locking them."""
        return table.insert().from_select([*table.c.keys()], rows)

    def drop(self, table: Table) -> Executable:
        """What drops a temporary table, and ends no transaction."""
        return DropTable(table)

    def add_up(self, table: Table, rows: Select[Any]) -> Executable:
        """Insert rows of all columns of a table, the last of which is ``times``; where the key is there, add the times."""
        raise TypeError(f"{type(self).__name__} adds nothing up")


def gathered_as(
    slots: Select[Any], gather: Callable[[ColumnElement[Any], ColumnElement[Any]], Iterable[ColumnElement[Any]]]
) -> Select[Any]:
    """The same rows, a row for each link: what is counted, and the values that ``gather`` makes of its slots and times."""
    c = slots.subquery("of_slots").c
    group = (c.of, c.kind, c.link_id)
    return select(*group, *gather(c.slot, c.times)).group_by(*group)


def _by_turns(rows: Iterable[Sequence[Any]], numbers: Callable[[Any], Sequence[int]]) -> Iterator[OfLink]:
    """Rows whose last value holds slots and times by turns, as ``numbers`` reads it."""
    for of, kind, link_id, written in rows:
        of_link = numbers(written)
        yield of, kind, link_id, of_link[::2], of_link[1::2]


def _read(text: str) -> list[int]:
    numbers: list[int] = json.loads(f"[{text}]")
    return numbers


def _unpacked(sent: bytes) -> list[int]:
    return [*struct.unpack(f">{len(sent) // 8}q", sent)]


def _packed(slot: ColumnElement[Any], times: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    sent = [func.int8send(number, type_=LargeBinary) for number in (slot, times)]
    return [func.string_agg(sent[0].concat(sent[1]), literal_column("''::bytea"), type_=LargeBinary)]


def _written(slot: ColumnElement[Any], times: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    pair = slot.concat(",").concat(times)
    return [func.group_concat(pair), func.sum(func.length(pair)) + func.count() - 1]


class _Sqlite(Operations):
    lays_aside = True
    adds_up_slots = False

    def by_link(self, slots: Select[Any], *, is_small: bool = False) -> Select[Any]:
        """The numbers as a text, slots and times by turns."""
        return gathered_as(slots, lambda slot, times: [func.group_concat(slot.concat(",").concat(times))])

    def gathered(self, ask: Ask, by_link: Select[Any]) -> Iterable[OfLink]:
        return _by_turns(ask(by_link), _read)

    def add_up(self, table: Table, rows: Select[Any]) -> Insert:
        insert = sqlite.insert(table).from_select([*table.c.keys()], rows)
        return insert.on_conflict_do_update(
            index_elements=[*table.primary_key.columns],
            set_={"times": table.c.times + insert.excluded.times},
        )


class _Postgres(Operations):
    lays_aside = True
    adds_up_slots = False

    def by_link(self, slots: Select[Any], *, is_small: bool = False) -> Select[Any]:
        """The numbers as bytes, as the server would send each; it takes longer to write them as text, and to read that."""
        return gathered_as(slots, _packed)

    def gathered(self, ask: Ask, by_link: Select[Any]) -> Iterable[OfLink]:
        return _by_turns(ask(by_link), _unpacked)

    def mask(self, bits: Sequence[tuple[ColumnElement[bool], int]]) -> ColumnElement[int]:
        found: ColumnElement[int] = func.bit_or(case(*bits, else_=0))
        return found

    def add_up(self, table: Table, rows: Select[Any]) -> Insert:
        insert = postgresql.insert(table).from_select([*table.c.keys()], rows)
        return insert.on_conflict_do_update(
            index_elements=[*table.primary_key.columns],
            set_={"times": table.c.times + insert.excluded.times},
        )


class _RowByRow(Executable, ClauseElement):
    """Rows that the engine reads as any others and puts into a table one by one."""

    inherit_cache = False

    def __init__(self, table: Table, rows: Select[Any]) -> None:
        self.table = table
        self.rows = rows


@compiles(_RowByRow)
def _loop(element: _RowByRow, compiler: SQLCompiler, **how: Any) -> str:
    values = ", ".join(f"one.{compiler.preparer.quote(column.name)}" for column in element.table.c)
    rows = compiler.process(element.rows, **how)
    put = f"INSERT INTO {element.table.name} VALUES ({values})"  # noqa: S608  # names of our own
    return f"BEGIN NOT ATOMIC FOR one IN ({rows}) DO {put}; END FOR; END"


class _Mysql(Operations):
    # Of what it copies by a statement InnoDB reads the latest state, and locks it: neither a snapshot nor out of the way of writers.
    divided_by = "DIV"

    def drop(self, table: Table) -> Executable:
        """Said without the second word, it would end the transaction."""
        return text(f"DROP TEMPORARY TABLE {table.name}")

    def mask(self, bits: Sequence[tuple[ColumnElement[bool], int]]) -> ColumnElement[int]:
        found: ColumnElement[int] = func.bit_or(case(*bits, else_=0))
        return found

    def add_up(self, table: Table, rows: Select[Any]) -> Insert:
        insert = mysql.insert(table).from_select([*table.c.keys()], rows)
        return insert.on_duplicate_key_update(times=table.c.times + insert.inserted.times)


class _MariaDb(_Mysql):
    lays_aside = True
    adds_up_slots = False

    def by_link(self, slots: Select[Any], *, is_small: bool = False) -> Select[Any]:
        """The numbers as a text, slots and times by turns, and how long it should be; to read a row takes its driver longer than to
        count it takes the server.
        """
        return gathered_as(slots, _written)

    def gathered(self, ask: Ask, by_link: Select[Any]) -> Iterable[OfLink]:
        rows = [*ask(by_link)]
        if all(len(written) == length for *_, written, length in rows):
            return _by_turns((row[:4] for row in rows), _read)
        # The server cuts such texts in silence, where its group_concat_max_len is low or years of slots are asked for.
        of_slots: Any = by_link.get_final_froms()[0]
        return super().gathered(ask, of_slots.element)

    def fill(self, table: Table, rows: Select[Any]) -> Executable:
        """By a loop within the engine, whose query is one like any other."""
        return _RowByRow(table, rows)


_BY_DIALECT: dict[str, type[Operations]] = {
    "sqlite": _Sqlite,
    "postgresql": _Postgres,
    "mysql": _Mysql,
    "mariadb": _MariaDb,
}


def operations_for(dialect_name: str) -> Operations:
    """The operations of an engine by the name of its SQLAlchemy dialect."""
    return _BY_DIALECT.get(dialect_name, Operations)()
