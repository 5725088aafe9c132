"""How numbers, moments and foreign text are written for people: the one place, so that no two renderings differ.

The language is English: ``1,234`` and ``14.49 %``. Numbers are rounded half away from zero, from the exact fraction
where there is one. Undefined is ``–``, never 0; an estimate has ``≈`` before it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import datetime, tzinfo
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from msgtrack.metrics import Value
from msgtrack.reports.data import Facts

__all__ = ["ESTIMATED", "UNDEFINED", "cut", "moment", "number", "period", "printed", "span", "visible", "width"]

UNDEFINED = "–"
ESTIMATED = "≈"

# By hand, because strftime follows the locale of the process.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_JOINERS = "\u200c\u200d"  # scripts and emoji need these two; they hide nothing
_UNSEEN = {"Cc", "Cf", "Co", "Cs"}
_EXACT = Context(prec=400, rounding=ROUND_HALF_UP)


def visible(text: str) -> str:
    r"""Foreign text on one line, with nothing in it that a terminal or a page would obey instead of show.

    White space, line breaks too, becomes single spaces. Control characters, overrides of the writing direction and
    other characters without a shape of their own become escapes.

    >>> visible("Buy\n  now \x1b[2J \u202egpj")
    'Buy now \\x1b[2J \\u202egpj'
    """
    joined = re.sub(r"[ \t\n\v\f\r\u00a0\u2028\u2029]+", " ", text).strip(" ")
    if joined.isascii() and joined.isprintable():
        return joined
    return "".join(map(_shown, joined))


def _shown(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _UNSEEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


def width(text: str) -> int:
    """How many columns of a terminal a text takes: wide East Asian characters two, combining marks none."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if character in _JOINERS or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """The text itself if it fits in that many columns, else its beginning and ``…``."""
    if width(text) <= columns:
        return text
    return "".join(_fitting(text, columns - 1)).rstrip() + "…"


def _fitting(text: str, columns: int) -> Iterator[str]:
    for character in text:
        columns -= _columns(character)
        if columns < 0:
            return
        yield character


def number(value: Value, *, is_share: bool = False) -> str:
    """A value without its sign of estimation: ``1,234``; ``14.49 %`` for shares; ``2.50`` for other ratios and amounts.

    Durations read like ``2 h 10 min``. An undefined value is :data:`UNDEFINED`.
    """
    if value.value is None:
        return UNDEFINED
    if value.unit == "count":
        return f"{value.value:,}"
    if value.unit == "duration":
        return span(float(value.value))
    exact = _exact(value)
    return f"{_rounded(exact * 100):,} %" if is_share else f"{_rounded(exact):,}"


def printed(value: Value, *, is_share: bool = False) -> str:
    """A value as all renderings for people print it: :func:`number`, after ``≈`` where it is a known estimate."""
    text = number(value, is_share=is_share)
    return f"{ESTIMATED} {text}" if value.estimated and value.value is not None else text


def _exact(value: Value) -> Fraction:
    if value.numerator is not None and value.denominator:
        return Fraction(value.numerator) / Fraction(value.denominator)
    return Fraction(str(value.value))


def _rounded(exact: Fraction, places: int = 2) -> Decimal:
    # Floor of the size and a half: half away from zero, whatever the sign.
    units = (abs(exact) * 10**places + Fraction(1, 2)).__floor__()
    return Decimal(units if exact >= 0 else -units).scaleb(-places, _EXACT)


def span(seconds: float) -> str:
    """A duration in words, down to minutes: ``3 d 4 h``, ``2 h 10 min``, ``5 min``; seconds only below a minute."""
    size = abs(seconds)
    if size < 60:
        return f"{seconds:g} s"
    minutes = int(size // 60)
    days, rest = divmod(minutes, 1440)
    hours, left = divmod(rest, 60)
    parts = ((days, "d"), (hours, "h"), (0 if days else left, "min"))
    return ("-" if seconds < 0 else "") + " ".join(f"{amount} {unit}" for amount, unit in parts if amount)


def moment(at: datetime, zone: tzinfo) -> str:
    """A moment in a zone, to the minute: ``1 March 2026, 09:05``."""
    local = at.astimezone(zone)
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}, {local:%H:%M}"


def period(facts: Facts) -> str:
    """Which reactions are in: ``from … until …``, or that all are."""
    since = "" if facts.since is None else f"from {moment(facts.since, facts.tzinfo)}"
    until = "" if facts.until is None else f"until {moment(facts.until, facts.tzinfo)}"
    return f"{since} {until}".strip() or "all reactions so far"
