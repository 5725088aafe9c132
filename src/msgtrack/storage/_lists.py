"""Conditions that engines write each in its own way: that an id is in a long list, and that a text holds another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Dialect, Text, bindparam
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from msgtrack.storage._types import IdText

__all__ = ["Among", "Holds"]

_ID = IdText()


class _Ids(TypeDecorator[Sequence[str]]):
    """A list of ids as one value."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """An array, or JSON."""
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> list[Any] | str:
        """To what the engine takes; ids in it are as they are kept."""
        names = [_ID.process_bind_param(name, dialect) for name in value or ()]
        return names if dialect.name == "postgresql" else json.dumps(names)


class Holds(FunctionElement[bool]):
    """That a column holds a text of ASCII somewhere."""

    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], sought: str) -> None:
        super().__init__(column, bindparam(None, sought, type_=Text(), unique=True))
        self.type = Boolean()


@compiles(Holds)
def _instr(element: Holds, compiler: SQLCompiler, **how: Any) -> str:
    return f"(instr({compiler.process(element.clauses, **how)}) > 0)"


@compiles(Holds, "postgresql")
def _strpos(element: Holds, compiler: SQLCompiler, **how: Any) -> str:
    return f"(strpos({compiler.process(element.clauses, **how)}) > 0)"


@compiles(Holds, "clickhouse")
def _position(element: Holds, compiler: SQLCompiler, **how: Any) -> str:
    return f"(position({compiler.process(element.clauses, **how)}) > 0)"


class Among(FunctionElement[bool]):
    """That a column holds one of these ids. NULL is none of them, and not among the others either."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[Any], names: Sequence[str]) -> None:
        self.column, self.names = column, names
        super().__init__(column, bindparam(None, names, type_=_Ids(), unique=True))
        self.type = Boolean()


@compiles(Among)
def _one_by_one(element: Among, compiler: SQLCompiler, **how: Any) -> str:
    # MariaDB's driver and the ClickHouse store write values into the statement, any number of them.
    return f"({compiler.process(element.column.in_(element.names), **how)})"


@compiles(Among, "sqlite")
def _from_json(element: Among, compiler: SQLCompiler, **how: Any) -> str:
    column, names = (compiler.process(clause, **how) for clause in element.clauses)
    return f"({column} IN (SELECT value FROM json_each({names})))"  # noqa: S608  # names of parameters


@compiles(Among, "postgresql")
@compiles(Among, "duckdb")
def _from_array(element: Among, compiler: SQLCompiler, **how: Any) -> str:
    column, names = (compiler.process(clause, **how) for clause in element.clauses)
    return f"({column} IN (SELECT unnest({names})))"
