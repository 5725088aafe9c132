"""How statements of SQLAlchemy Core are written for ClickHouse: as text with their values inside, each byte of them escaped.

Only selects are written so; ClickHouse's drivers carry neither transactions nor SQLAlchemy's connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    ClauseElement,
    Column,
    ColumnElement,
    FromClause,
    Select,
    Table,
    column,
    func,
    literal_column,
    select,
    table,
    text,
)
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import IdentifierPreparer, SQLCompiler
from sqlalchemy.types import BigInteger, Integer, SmallInteger, TypeDecorator, TypeEngine

from msgtrack.storage._operations import Ask, Execute, OfLink, Operations, gathered_as
from msgtrack.storage._types import EventId, event_id_text

__all__ = [
    "ClickHouseOperations",
    "Flag",
    "Unsigned",
    "column_type",
    "kept_id",
    "literal",
    "quoted",
    "table_text",
    "text_of",
]


class Unsigned(BigInteger):
    """64 bits without a sign."""


class Flag(SmallInteger):
    """0 or 1."""


_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ")
_ESCAPED = {number: chr(number) if number in _PLAIN else f"\\x{number:02x}" for number in range(256)}


def literal(value: str | bytes | int | None) -> str:
    """A value as it stands in a statement; of text nothing but letters, digits and blanks stands there as it is."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(int(value))
    kept = value if isinstance(value, bytes) else value.encode()
    return f"'{kept.decode('latin-1').translate(_ESCAPED)}'"


def quoted(name: str) -> str:
    """A name of a table, a column, a database or a cluster, whatever it holds."""
    return f"`{name.encode().decode('latin-1').translate(_ESCAPED)}`"


def table_text(table: Table, suffix: str = "") -> str:
    """The name of a table with its database."""
    name = quoted(table.name + suffix)
    return name if table.schema is None else f"{quoted(table.schema)}.{name}"


class _Names(IdentifierPreparer):
    def quote_identifier(self, value: str) -> str:
        return quoted(value)

    def _requires_quotes(self, value: str) -> bool:
        return True


class _Writer(SQLCompiler):
    def render_literal_value(self, value: Any, type_: TypeEngine[Any]) -> str:
        if isinstance(type_, TypeDecorator) and type_._has_bind_processor:
            value = type_.process_bind_param(value, self.dialect)
        return literal(value)

    def visit_empty_set_expr(self, element_types: Any, **_: Any) -> str:
        return f"SELECT {', '.join('NULL' for _ in element_types)} WHERE 0"


class _Dialect(DefaultDialect):
    name = "clickhouse"
    statement_compiler = _Writer
    preparer = _Names
    supports_statement_cache = False


@compiles(event_id_text, "clickhouse")
def _in_clickhouse(element: event_id_text, compiler: SQLCompiler, **how: Any) -> str:
    column = compiler.process(element.clauses, **how)
    return f"if(startsWith({column}, '\\0'), lower(hex(substring({column}, 2))), substring({column}, 2))"


class ClickHouseOperations(Operations):
    """What the engine writes its own way when it counts.

    Args:
        run: carries out a statement in the session that the counting statements are asked in.
    """

    def __init__(self, run: Callable[[str], object]) -> None:
        self._run = run

    def floor(self, value: ColumnElement[int], width: int) -> ColumnElement[int]:
        """How often ``width`` goes into a whole number, rounded down."""
        # No division of floats: they cannot tell microseconds of far years apart. A width past 32 bits would be taken for a number
        # without a sign, and so would what it divides, moments before 1970 among them.
        n: ColumnElement[int] = func.toInt64(literal_column(str(width)))
        whole: ColumnElement[int] = func.intDiv(value - func.positiveModulo(value, n), n)
        return whole

    def glanced(self, rows: Select[Any]) -> Select[Any]:
        """Versions of rows are not put together, for which the engine reads all of the table."""
        return rows.suffix_with(text("SETTINGS final = 0"))

    @property
    def words(self) -> ClickHouseOperations:
        return _WORDS

    def by_link(self, slots: Select[Any], *, is_small: bool = False) -> Select[Any]:
        """The numbers as arrays. Of few rows several threads would spend more time on sharing them than on adding up."""
        arrays = gathered_as(slots, lambda slot, times: map(func.groupArray, (slot, times)))
        return arrays.suffix_with(text("SETTINGS max_threads = 1")) if is_small else arrays

    def gathered(self, ask: Ask, by_link: Select[Any]) -> Iterable[OfLink]:
        rows: Iterable[Any] = ask(by_link)
        return rows

    @contextmanager
    def base(self, execute: Execute | None, rows: Select[Any]) -> Iterator[FromClause]:
        """A temporary table of the rows; a common table expression would be worked out by each statement anew."""
        name = quoted(_BASE)
        # As a subquery each column has its own name; by itself, one that two tables have would get the name of its table too.
        named = text_of(select(rows.subquery("named")))
        self._run(f"CREATE TEMPORARY TABLE {name} ENGINE = MergeTree ORDER BY tuple() AS {named}")
        yield table(_BASE, *(column(each.name, each.type) for each in rows.selected_columns))
        # Not where something failed: the session ends then, and its tables with it.
        self._run(f"DROP TEMPORARY TABLE {name}")


_WORDS = ClickHouseOperations(str)
_BASE = "msgtrack_reactions"
_DIALECT = _Dialect()


_EVENT_ID = EventId()
# Some are asked again and again, and to write one takes as long as its answer.
_WRITTEN: WeakKeyDictionary[ClauseElement, str] = WeakKeyDictionary()


def text_of(statement: ClauseElement) -> str:
    """The text of a statement."""
    if statement not in _WRITTEN:
        _WRITTEN[statement] = _text_of(statement)
    return _WRITTEN[statement]


def _text_of(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))


def kept_id(packed: str | bytes) -> bytes:
    """A packed event id as rows hold it."""
    kept = _EVENT_ID.process_bind_param(packed, _DIALECT)
    return kept if isinstance(kept, bytes) else str(kept).encode()


def column_type(column: Column[Any]) -> str:
    """The type of a column."""
    kind = column.type.impl if isinstance(column.type, TypeDecorator) else column.type
    if isinstance(kind, Unsigned):
        return "UInt64"
    if isinstance(kind, Flag):
        return "UInt8"
    if isinstance(kind, SmallInteger):
        name = "Int16"
    elif isinstance(kind, BigInteger):
        name = "Int64"
    elif isinstance(kind, Integer):
        name = "Int32"
    elif column.name in ("kind", "audience"):
        return "LowCardinality(String)"
    else:
        name = "String"
    return f"Nullable({name})" if column.nullable else name
