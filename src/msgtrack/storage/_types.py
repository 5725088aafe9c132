"""Column types of the SQL stores: texts that every engine keeps character for character, and orders by code point.

What is peculiar to an engine: PostgreSQL's text holds no NUL, so ids are escaped there in a way that keeps their order, and ordered by the
collation ``C``. MariaDB and MySQL compare text by rules of a language and count trailing blanks as nothing, so ids are bytes there.
SQLite takes text as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Dialect, LargeBinary, String, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from msgtrack._borders import MAX_ID_BYTES

__all__ = [
    "Convert",
    "EventId",
    "IdText",
    "LongText",
    "Name",
    "event_id_text",
    "pack_id",
    "pack_ids",
    "tagged_ids",
    "unpack_id",
]

Convert = Callable[[Sequence[Any]], Iterable[Any]]
"""Makes the values of one column, over many rows, what an engine takes."""

_HEX_DIGITS = 32
_MYSQL = frozenset({"mysql", "mariadb"})
_OURS, _THEIRS = b"\0", b"\1"
"""What a kept event id begins with where it is bytes: ours as sixteen bytes follows, or any other as UTF-8."""


def pack_id(event_id: str) -> bytes | str:
    """An event id as rows hold it: our own 32 lower-case hexadecimal digits as 16 bytes, any other text as it is."""
    if len(event_id) != _HEX_DIGITS:
        return event_id
    try:
        packed = bytes.fromhex(event_id)
    except ValueError:
        return event_id
    # Capitals and blanks are read as well, but are not given back.
    return packed if packed.hex() == event_id else event_id


def pack_ids(event_ids: Sequence[str]) -> list[bytes] | list[bytes | str]:
    """What :func:`pack_id` gives for each of them."""
    together = "".join(event_ids)
    if len(together) == _HEX_DIGITS * len(event_ids) and {*map(len, event_ids)} == {_HEX_DIGITS}:
        # One look at all of them is much quicker than one at each, and nearly always enough.
        with suppress(ValueError):
            packed = bytes.fromhex(together)
            if packed.hex() == together:
                width = _HEX_DIGITS // 2
                return [packed[place : place + width] for place in range(0, len(packed), width)]
    return [*map(pack_id, event_ids)]


def unpack_id(kept: bytes | str) -> str:
    """The event id, character for character."""
    return kept.hex() if isinstance(kept, bytes) else kept


def _escaped(text: str) -> str:
    # The order stays: what was 0, 1 or 2 begins with 1 1, 1 2 or 2.
    return text.replace("\1", "\1\2").replace("\0", "\1\1") if "\0" in text or "\1" in text else text


def _unescaped(text: str) -> str:
    return text.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in text else text


def _optionally_unescaped(text: str | None) -> str | None:
    return _unescaped(text) if text is not None and "\1" in text else text


class IdText(TypeDecorator[str]):
    """An id, or another short text that is compared: any of at most ``max_bytes`` bytes of UTF-8, NUL included."""

    impl = String
    cache_ok = True

    def __init__(self, max_bytes: int = MAX_ID_BYTES) -> None:
        super().__init__(max_bytes)
        self.max_bytes = max_bytes

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The engine's own type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(Text(collation="C"))
        if dialect.name in _MYSQL:
            return dialect.type_descriptor(mysql.VARBINARY(self.max_bytes))
        return dialect.type_descriptor(String(self.max_bytes))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | bytes | None:
        """To what the engine keeps."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return _escaped(value)
        return value.encode() if dialect.name in _MYSQL else value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """From what the engine keeps."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return _unescaped(value)
        return bytes(value).decode() if dialect.name in _MYSQL else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None] | None:
        """The same for many values: nothing where nothing is to be done, which is much of the time that reading rows takes."""
        if dialect.name == "postgresql":
            return _optionally_unescaped
        return super().result_processor(dialect, coltype) if dialect.name in _MYSQL else None

    def to_engine(self, dialect: Dialect) -> Convert | None:
        """What makes the values of a column what the engine takes, None where nothing is to be done."""
        if dialect.name == "postgresql":
            return _all_escaped
        return _all_encoded if dialect.name in _MYSQL else None


def _all_escaped(values: Sequence[Any]) -> Iterable[Any]:
    # One look at all of them is much quicker than one at each, and nearly always enough.
    together = "".join(filter(None, values))
    if "\0" in together or "\1" in together:
        return [value and _escaped(value) for value in values]
    return values


def _all_encoded(values: Sequence[Any]) -> Iterable[Any]:
    return [value if value is None else value.encode() for value in values]


class Name(TypeDecorator[str]):
    """A word of our own lists, in ASCII."""

    impl = String
    cache_ok = True

    def __init__(self, length: int = 32) -> None:
        super().__init__(length)
        self.length = length

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The engine's own type."""
        if dialect.name in _MYSQL:
            return dialect.type_descriptor(mysql.VARCHAR(self.length, charset="ascii", collation="ascii_bin"))
        return dialect.type_descriptor(String(self.length))


class LongText(TypeDecorator[str]):
    """Text of any length without NUL and without halves of characters, such as JSON that is all ASCII; only kept, never compared."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The engine's own type."""
        if dialect.name in _MYSQL:
            return dialect.type_descriptor(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"))
        return dialect.type_descriptor(Text())


class _Untyped(UserDefinedType[Any]):
    """A column that keeps bytes as bytes and text as text; SQLite does so for a BLOB, which converts nothing."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "BLOB"


class EventId(TypeDecorator[str]):
    """An event id, packed; order by :class:`event_id_text`, never by the column."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The engine's own type."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(_Untyped())
        if dialect.name in _MYSQL:
            return dialect.type_descriptor(mysql.VARBINARY(1 + MAX_ID_BYTES))
        return dialect.type_descriptor(LargeBinary())

    def process_bind_param(self, value: str | bytes | None, dialect: Dialect) -> bytes | str | None:
        """Pack; what is packed already stays so."""
        if value is None:
            return None
        packed = pack_id(value) if isinstance(value, str) else value
        if dialect.name == "sqlite":
            return packed
        return _OURS + packed if isinstance(packed, bytes) else _THEIRS + packed.encode()

    def to_engine(self, dialect: Dialect) -> Convert | None:
        """What makes packed ids what the engine takes, None where nothing is to be done."""
        return None if dialect.name == "sqlite" else tagged_ids

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Unpack."""
        if value is None:
            return None
        if dialect.name == "sqlite":
            return unpack_id(value)
        kept = bytes(value)
        return kept[1:].hex() if kept[:1] == _OURS else kept[1:].decode()


def tagged_ids(values: Sequence[Any]) -> list[bytes]:
    """Packed ids as engines hold them that have one type for a column: all as bytes, with a mark before them."""
    return [_OURS + packed if isinstance(packed, bytes) else _THEIRS + packed.encode() for packed in values]


class _EventIdText(TypeDecorator[str]):
    """What an event id is compared by."""

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The engine's own type."""
        return dialect.type_descriptor(_Untyped() if dialect.name == "sqlite" else LargeBinary())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | str | None:
        """As the expression gives it."""
        return value if value is None or dialect.name == "sqlite" else value.encode()


class event_id_text(FunctionElement[Any]):  # noqa: N801  # used as a function
    """An event id to order by, as text, character by character, whatever way it is kept."""

    inherit_cache = True
    name = "event_id_text"
    type = _EventIdText()


@compiles(event_id_text)
def _in_sqlite(element: event_id_text, compiler: SQLCompiler, **how: Any) -> str:
    column = compiler.process(element.clauses, **how)
    return f"CASE WHEN typeof({column}) = 'blob' THEN lower(hex({column})) ELSE {column} END"


@compiles(event_id_text, "postgresql")
def _in_postgres(element: event_id_text, compiler: SQLCompiler, **how: Any) -> str:
    column = compiler.process(element.clauses, **how)
    rest = f"substring({column} from 2)"
    return f"CASE WHEN get_byte({column}, 0) = 0 THEN convert_to(encode({rest}, 'hex'), 'UTF8') ELSE {rest} END"


@compiles(event_id_text, "mysql", "mariadb")
def _in_mariadb(element: event_id_text, compiler: SQLCompiler, **how: Any) -> str:
    column = compiler.process(element.clauses, **how)
    rest = f"substr({column}, 2)"
    return f"CASE WHEN ord({column}) = 0 THEN CAST(lower(hex({rest})) AS BINARY) ELSE {rest} END"
