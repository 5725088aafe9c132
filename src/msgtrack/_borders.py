"""Converters for the borders: what comes in as loose Python leaves as one exact type, or as an error of our tree.

attrs runs them as field converters, so a value that exists is a value that holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from enum import Enum, IntEnum
from functools import wraps
from typing import Any, NoReturn, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from attrs import NOTHING, fields

from msgtrack.errors import InvalidId, InvalidOption, InvalidValue, NaiveDatetime, UnknownOption

MAX_ID_BYTES = 64
MAX_COUNT = 2**63 - 1
MAX_AMOUNT_DIGITS = 30

_E = TypeVar("_E", bound=Enum)
_T = TypeVar("_T")
_NUMBER = re.compile(r"0|-?[1-9][0-9]*")


def shown(value: object) -> str:
    """A value as an error message may show it: at most 80 characters, whatever it is."""
    try:
        return f"{value!r:.80}"
    except (RecursionError, ValueError):
        # Python refuses to print integers of thousands of digits.
        return f"a {type(value).__name__} too long to show"


class _MissingField(InvalidValue, TypeError):
    """A field without a default was left out; a TypeError too, as Python has it for every other call."""


def closed(cls: type[_T]) -> type[_T]:
    """A class decorator, above ``@frozen(kw_only=True)``: wrong names of fields are errors of our tree.

    Raises (the class, when called):
        UnknownOption: there is no field of this name, or a field came without its name.
        InvalidValue: a field that has no default is missing; it is a TypeError too.
    """
    init: Callable[..., None] = cls.__init__

    @wraps(init)
    def checked(self: _T, *args: object, **given: object) -> None:
        try:
            init(self, *args, **given)
        except TypeError as error:
            # Python says the same of a wrong call and of a fault inside; the names tell them apart.
            _refuse_wrong_names(cls, args, given)
            raise error

    setattr(cls, "__init__", checked)  # noqa: B010  # an assignment would need a type: ignore
    return cls


def _refuse_wrong_names(cls: type, args: tuple[object, ...], given: dict[str, object]) -> None:
    known = {attribute.alias: attribute for attribute in fields(cls) if attribute.init}
    unknown = [name for name in given if name not in known]
    if unknown:
        near = get_close_matches(unknown[0], known, n=1)
        raise UnknownOption(
            f"{cls.__name__} has no {', '.join(map(shown, unknown))}; it has: {', '.join(known)}",
            hint=f"did you mean {near[0]}?" if near else "",
        ) from None
    if args:
        raise UnknownOption(
            f"{cls.__name__} takes its fields by name, this came without one: {shown(args[0])}",
            hint=f"its fields are: {', '.join(known)}",
        ) from None
    missing = [name for name, attribute in known.items() if attribute.default is NOTHING and name not in given]
    if missing:
        raise _MissingField(f"{cls.__name__} needs {', '.join(missing)}") from None


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
        raise InvalidId(f"an id must be text or an integer, not {type(value).__name__}: {shown(value)}")
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


def ids(value: Any) -> tuple[str, ...]:
    """One id or several, each once and in their order: a text is one id, and integers become their decimal text.

    Raises:
        InvalidId: one is none.
        InvalidValue: it is neither an id nor a sequence of them.
    """
    return tuple(dict.fromkeys(map(text_id, (value,) if isinstance(value, str | int) else items(value))))


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
        raise InvalidValue(f"a moment must be a datetime, not {type(value).__name__}: {shown(value)}")
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


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """Whole microseconds from 1970 to a moment; exact for every moment that Python knows."""
    passed = at - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def zone_of(name: object) -> tzinfo:
    """The time zone of a name such as ``Europe/Paris``.

    Raises:
        InvalidOption: there is no such zone.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)  # type: ignore[arg-type]  # what is no text is an error below
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError):
        raise InvalidOption(
            f"zone={shown(name)} is no time zone",
            hint="names are like Europe/Paris; a machine without a time zone database needs the package tzdata",
        ) from None


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").replace(" ", "").lower()


def enum_of(
    kind: type[_E], *, aliases: dict[str, str] | None = None, other_numbers: _E | None = None
) -> Callable[[object], _E]:
    """A converter to an enumeration from a member, its value, or its name as text in any case, ``-`` or ``_``.

    Members that are numbers are also known by their decimal text, exactly as Python writes it. ``other_numbers`` is
    the member that all other whole numbers become; left out, they are errors.

    Raises (the converter):
        InvalidOption: the value names no member; the message lists those there are.
    """
    is_int = issubclass(kind, IntEnum)
    by_text = {_plain(member.name): member for member in kind}
    by_number = {member.value: member for member in kind} if is_int else {}
    by_digits = {str(number): member for number, member in by_number.items()}
    if not is_int:
        by_text.update({_plain(str(member.value)): member for member in kind})
    by_text.update({_plain(alias): kind[name] for alias, name in (aliases or {}).items()})

    def convert(value: object) -> _E:
        if isinstance(value, kind):
            return value
        found: _E | None = None
        if isinstance(value, str):
            found = by_digits.get(value) or by_text.get(_plain(value))
            if found is None and is_int and _NUMBER.fullmatch(value):
                found = other_numbers
        elif is_int and isinstance(value, int) and not isinstance(value, bool):
            found = by_number.get(value, other_numbers)
        if found is None:
            names = ", ".join(name_of(member) for member in kind)
            raise InvalidOption(f"{kind.__name__} has no {shown(value)}; it is one of: {names}")
        return found

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
        raise InvalidOption(f"{option}={shown(value)} is not one of: {', '.join(words)}")

    return convert


def text(value: object) -> str:
    """Text, and None as empty text; nothing else.

    Raises:
        InvalidValue: neither.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidValue(f"expected text, not {type(value).__name__}: {shown(value)}")
    return value


def optional_text(value: object) -> str | None:
    """Like :func:`text`; None stays None."""
    return None if value is None else text(value)


def flag(value: bool) -> bool:
    """True or False; nothing that merely counts as one, because ``"no"`` would count as true.

    Raises:
        InvalidValue: neither.
    """
    if value is not True and value is not False:
        _refuse_flag(value)
    return value


def optional_flag(value: bool | None) -> bool | None:
    """Like :func:`flag`; None stays None."""
    return None if value is None else flag(value)


def _refuse_flag(value: object) -> NoReturn:
    raise InvalidValue(f"expected True or False, got {shown(value)}")


def items(value: Iterable[_T]) -> tuple[_T, ...]:
    """A tuple of what any iterable holds; text and bytes are refused, because their letters would pass.

    Raises:
        InvalidValue: a bare text or bytes, or nothing to iterate over.
    """
    found: object = value
    if isinstance(found, str | bytes | bytearray) or not isinstance(found, Iterable):
        raise InvalidValue(f"expected a sequence, got {shown(found)}")
    return tuple(value)


def count(value: object) -> int:
    """A whole number of at least zero.

    Raises:
        InvalidValue: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        raise InvalidValue(f"expected a count (a whole number from 0 to 2**63 - 1), got {shown(value)}")
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
    except (InvalidOperation, ValueError):
        raise InvalidValue(f"expected an amount, got {shown(value)}") from None
    if not amount.is_finite():
        raise InvalidValue(f"expected a finite amount, got {shown(value)}")
    if len(amount.as_tuple().digits) > MAX_AMOUNT_DIGITS or abs(amount.adjusted()) > MAX_AMOUNT_DIGITS:
        raise InvalidValue(f"expected an amount of at most {MAX_AMOUNT_DIGITS} digits, got {shown(value)}")
    return amount


def texts(value: Any) -> tuple[str, ...]:
    """A tuple of text; one text alone is refused, because its letters would pass.

    Raises:
        InvalidValue: a bare text, or something in it is not text.
    """
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Iterable):
        raise InvalidValue(f"expected a sequence of text, got {shown(value)}")
    return tuple(text(item) for item in value)
