"""Converters for the borders: what comes in as loose Python leaves as one exact type, or as an error of our tree.

attrs runs them as field converters, so a value that exists is a value that holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum, IntEnum
from typing import Any, TypeVar

from msgtrack.errors import InvalidId, InvalidOption, InvalidValue, NaiveDatetime

MAX_ID_BYTES = 64
MAX_COUNT = 2**63 - 1
MAX_AMOUNT_DIGITS = 30

_E = TypeVar("_E", bound=Enum)


def text_id(value: object) -> str:
    """An id as text: integers become their decimal text, text stays character for character.

    Raises:
        InvalidId: empty, over 64 bytes of UTF-8, or neither text nor an integer.
    """
    if type(value) is str:
        text = value
    elif isinstance(value, int) and not isinstance(value, bool):
        # Python refuses to print integers of thousands of digits; none of them fits anyway.
        text = str(int(value)) if value.bit_length() < MAX_ID_BYTES * 4 else "9" * (MAX_ID_BYTES + 1)
    elif isinstance(value, str):
        text = str(value)
    else:
        raise InvalidId(f"an id must be text or an integer, not {type(value).__name__}: {value!r:.80}")
    if not text:
        raise InvalidId("an id must not be empty")
    if len(text) > MAX_ID_BYTES // 4:
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            raise InvalidId(f"an id must be text that UTF-8 can write: {text!r:.80}") from None
        if size > MAX_ID_BYTES:
            raise InvalidId(f"an id is at most {MAX_ID_BYTES} bytes of UTF-8, this one has {size}: {text[:40]!r}…")
    elif not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidId(f"an id must be text that UTF-8 can write: {text!r:.80}") from None
    return text


def optional_id(value: object) -> str | None:
    """Like :func:`text_id`; None stays None."""
    return None if value is None else text_id(value)


def utc(value: object) -> datetime:
    """A moment, aware and in UTC.

    Raises:
        NaiveDatetime: it has no time zone.
        InvalidValue: it is no datetime.
    """
    if not isinstance(value, datetime):
        raise InvalidValue(f"a moment must be a datetime, not {type(value).__name__}: {value!r:.80}")
    if value.tzinfo is UTC:
        return value
    if value.utcoffset() is None:
        raise NaiveDatetime(
            f"a moment must carry its time zone, this one does not: {value.isoformat()}",
            hint="use datetime(..., tzinfo=UTC) or .astimezone(UTC)",
        )
    return value.astimezone(UTC)


def optional_utc(value: object) -> datetime | None:
    """Like :func:`utc`; None stays None."""
    return None if value is None else utc(value)


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").replace(" ", "").lower()


def enum_of(kind: type[_E], *, aliases: dict[str, str] | None = None) -> Callable[[object], _E]:
    """A converter to an enumeration from a member, its value, or its name as text in any case, ``-`` or ``_``.

    Raises (the converter):
        InvalidOption: the text names no member; the message lists those there are.
    """
    by_text = {_plain(member.name): member for member in kind}
    by_text.update({_plain(str(member.value)): member for member in kind})
    by_text.update({_plain(alias): kind[name] for alias, name in (aliases or {}).items()})
    is_int = issubclass(kind, IntEnum)

    def convert(value: object) -> _E:
        if isinstance(value, kind):
            return value
        if isinstance(value, str):
            found = by_text.get(_plain(value))
            if found is not None:
                return found
        elif is_int and isinstance(value, int) and not isinstance(value, bool):
            found = by_text.get(str(value))
            if found is not None:
                return found
        names = ", ".join(name_of(member) for member in kind)
        raise InvalidOption(f"{kind.__name__} has no {value!r:.80}; it is one of: {names}")

    return convert


def name_of(member: Enum) -> str:
    """The text by which an enumeration member is written everywhere: its text value, or its name in lower case."""
    return str(member.value) if isinstance(member.value, str) else member.name.lower()


def one_of(option: str, allowed: Iterable[str]) -> Callable[[object], str]:
    """A converter that admits exactly the given words.

    Raises (the converter):
        InvalidOption: any other value; the message names the option and lists the words.
    """
    words = tuple(allowed)

    def convert(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise InvalidOption(f"{option}={value!r:.80} is not one of: {', '.join(words)}")

    return convert


def text(value: object) -> str:
    """Text, and None as empty text; nothing else.

    Raises:
        InvalidValue: neither.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidValue(f"expected text, not {type(value).__name__}: {value!r:.80}")
    return value


def count(value: object) -> int:
    """A whole number of at least zero.

    Raises:
        InvalidValue: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        shown = f"{value!r:.80}" if not isinstance(value, int) or abs(value) <= MAX_COUNT else "one beyond 63 bits"
        raise InvalidValue(f"expected a count (a whole number from 0 to 2**63 - 1), got {shown}")
    return int(value)


def optional_count(value: object) -> int | None:
    """Like :func:`count`; None stays None."""
    return None if value is None else count(value)


def optional_amount(value: object) -> Decimal | None:
    """An amount as an exact decimal; floats go through their shortest text. None stays None.

    Raises:
        InvalidValue: it is no finite number.
    """
    if value is None:
        return None
    try:
        amount = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise InvalidValue(f"expected an amount, got {value!r:.80}") from None
    if not amount.is_finite():
        raise InvalidValue(f"expected a finite amount, got {value!r:.80}")
    if len(amount.as_tuple().digits) > MAX_AMOUNT_DIGITS or abs(amount.adjusted()) > MAX_AMOUNT_DIGITS:
        raise InvalidValue(f"expected an amount of at most {MAX_AMOUNT_DIGITS} digits, got {value!r:.80}")
    return amount


def texts(value: Any) -> tuple[str, ...]:
    """A tuple of text; one text alone is refused, because its letters would pass.

    Raises:
        InvalidValue: a bare text, or something in it is not text.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidValue(f"expected a sequence of text, got {value!r:.80}")
    return tuple(text(item) for item in value)
