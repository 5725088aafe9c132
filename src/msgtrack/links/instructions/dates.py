"""``formatDate``: a moment written after a pattern such as ``%4Y/%2M/%2D``, names in English whatever the machine's language.

The letters are those of the public description of the function: Y year, M month, B its name, D day, A its name, J day of
the year, W week, H hour, I hour of twelve, N minute, S second, P AM or PM. A number before a letter pads with zeros.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time

from msgtrack._borders import shown

__all__ = ["PatternError", "format_date", "moment_of", "read_pattern"]

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_SHORT = 3
_NUMBERS: dict[str, Callable[[datetime], int]] = {
    "Y": lambda moment: moment.year,
    "M": lambda moment: moment.month,
    "D": lambda moment: moment.day,
    "J": lambda moment: moment.timetuple().tm_yday,
    "W": lambda moment: moment.isocalendar().week,
    "H": lambda moment: moment.hour,
    "I": lambda moment: (moment.hour - 1) % 12 + 1,
    "N": lambda moment: moment.minute,
    "S": lambda moment: moment.second,
}
_WORDS: dict[str, Callable[[datetime], str]] = {
    "A": lambda moment: _DAYS[moment.weekday()],
    "B": lambda moment: _MONTHS[moment.month - 1],
}
_FIELD = re.compile(
    r"%(?:(?P<width>0?[1-9])?(?P<number>[YMDJWHINS])|(?P<word>[AB])(?P<form>[li])?(?![li])|(?P<half>P))"
)
# The internal form of the model system, 2018/10/01 12:23:30, and ISO 8601.
_WRITTEN = re.compile(
    r"(\d{4})([-/])(\d{2})\2(\d{2})(?:[ T](\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(Z|[+-]\d{2}:\d{2})?)?", re.ASCII
)

Pattern = tuple[str | Callable[[datetime], str], ...]


class PatternError(ValueError):
    """A pattern with a field that has no meaning, or a value that is no moment."""


def read_pattern(written: str) -> Pattern:
    """A pattern, taken apart.

    Raises:
        PatternError: a per cent sign without one of the letters behind it; a year of other than four digits.
    """
    pieces: list[str | Callable[[datetime], str]] = []
    done = 0
    while (at := written.find("%", done)) >= 0:
        found = _FIELD.match(written, at)
        if found is None:
            raise PatternError(f"formatDate has no field {shown(written[at : at + 4])}")
        pieces += (written[done:at], _field(found))
        done = found.end()
    pieces.append(written[done:])
    return tuple(pieces)


def _field(found: re.Match[str]) -> Callable[[datetime], str]:
    if found["half"]:
        return lambda moment: "AM" if moment.hour < 12 else "PM"
    if found["word"]:
        word = _WORDS[found["word"]]
        return word if found["form"] == "l" else lambda moment: word(moment)[:_SHORT]
    number = _NUMBERS[found["number"]]
    width = int(found["width"] or 1)
    if found["number"] == "Y" and found["width"] not in (None, "4", "04"):
        raise PatternError(f"formatDate writes years with four digits, not as {shown(found.group())}")
    if found["number"] == "Y":
        width = 4
    return lambda moment: f"{number(moment):0{width}}"


def format_date(moment: datetime, pattern: Pattern) -> str:
    """A moment after a pattern, in the time zone that it has; a week is that of ISO 8601.

    >>> format_date(datetime(2000, 1, 24), read_pattern("%4Y/%2M/%2D, %Al %D %Bl"))
    '2000/01/24, monday 24 january'
    """
    return "".join(piece if isinstance(piece, str) else piece(moment) for piece in pattern)


def moment_of(value: object) -> datetime:
    """A moment out of a datetime, a date, or text such as ``2018/10/01 12:23:30`` or ISO 8601.

    Raises:
        PatternError: anything else.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    found = _WRITTEN.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise PatternError(f"{shown(value)} is no moment")
    year, _, month, day, clock, zone = found.groups(default="")
    try:
        return datetime.fromisoformat(f"{year}-{month}-{day}T{clock or '00:00'}{zone}")
    except ValueError:
        raise PatternError(f"{shown(value)} is no moment") from None
