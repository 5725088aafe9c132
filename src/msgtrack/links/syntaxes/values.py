"""Values of placeholders: which there are, and how they enter a link, encoded once and only once."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal
from urllib.parse import quote

from msgtrack._borders import shown
from msgtrack.errors import InvalidValue, MissingValue

__all__ = ["MAX_VALUE_LENGTH", "ControlCharacter", "checked_value", "expand"]

MAX_VALUE_LENGTH = 2_000
"""Characters of a value at most: with more, no link is followed everywhere."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_DOT_SEGMENT = re.compile(r"(?:\.|%2[Ee]){1,2}")
_PATH_END = re.compile("[?#]")
_SLASH = re.compile(r"[/\\]")


class ControlCharacter(InvalidValue):
    """A value with a line feed or another control character in it."""

    code = "line-feed"


def checked_value(name: str, value: object) -> str:
    """The text that a value stands for: text stays as it is, whole numbers and decimals become their digits.

    Args:
        name: the placeholder, for messages.
        value: text, int, float or Decimal.

    Raises:
        MissingValue: None; there is no default for what is missing.
        ControlCharacter: a line feed or another control character (Unicode category Cc); ``code`` is ``line-feed``.
        InvalidValue: any other type, True and False (every language writes them otherwise), a number that is not
            finite, lone surrogates, over 2,000 characters.
    """
    text = value if type(value) is str else _text(name, value)
    if len(text) > MAX_VALUE_LENGTH:
        raise InvalidValue(
            f"the value of {shown(name)} has {len(text)} characters, at most {MAX_VALUE_LENGTH} go into a link"
        )
    # What is printable holds neither controls nor surrogates, and nearly everything is.
    if not text.isprintable():
        control = _CONTROL.search(text)
        if control is not None:
            raise ControlCharacter(
                f"the value of {shown(name)} holds the control character U+{ord(control[0]):04X}"
                f" at character {control.start() + 1}"
            )
        if _SURROGATE.search(text):
            raise InvalidValue(f"the value of {shown(name)} holds half a character (a lone surrogate): {shown(text)}")
    return text


def _text(name: str, value: object) -> str:
    if value is None:
        raise MissingValue(f"the placeholder {shown(name)} has no value")
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise InvalidValue(
            f"the value of {shown(name)} must be text or a number, not {type(value).__name__}: {shown(value)}",
            hint="write it as text",
        )
    if isinstance(value, int):
        if value.bit_length() > MAX_VALUE_LENGTH:
            raise InvalidValue(f"the value of {shown(name)} is a number too long for a link")
        return int.__str__(value)
    if not math.isfinite(value):
        raise InvalidValue(f"the value of {shown(name)} must be finite, got {shown(value)}")
    return float.__repr__(value) if isinstance(value, float) else str(value)


def expand(pieces: Sequence[str], values: Sequence[str]) -> str:
    """A link from its fixed pieces, with a value between each two, percent-encoded as UTF-8.

    Nothing but ASCII letters, digits and ``_.-~`` of a value stays unencoded, in path, query and fragment alike, so no
    value begins another part of the URL.

    Args:
        pieces: the fixed text, decoded of entities; one more than there are values.
        values: text as :func:`checked_value` gives it.

    Raises:
        InvalidValue: the numbers do not fit, a value is not text that UTF-8 can write, or values would make a path
            segment ``.`` or ``..``, which browsers take for steps.

    >>> expand(("https://shop.example/?name=", "&x=1"), ("Zoë & Co",))
    'https://shop.example/?name=Zo%C3%AB%20%26%20Co&x=1'
    """
    if len(pieces) != len(values) + 1:
        raise InvalidValue(f"a link with {len(pieces) - 1} placeholders got {len(values)} values")
    whole = [pieces[0]]
    for piece, value in zip(pieces[1:], values, strict=True):
        try:
            whole += (quote(value, safe=""), piece)
        except (TypeError, UnicodeEncodeError):
            raise InvalidValue(f"a value must be text that UTF-8 can write: {shown(value)}") from None
    if values:
        _refuse_steps(whole)
    return "".join(whole)


def _refuse_steps(whole: Sequence[str]) -> None:
    """Refuse values that end up as a path segment of dots alone.

    ``whole`` holds pieces at even places and encoded values between them; no value ends a segment.
    """
    segment: list[str] = []
    for place, text in enumerate(whole):
        if place % 2:
            segment.append(text)
            continue
        path_end = _PATH_END.search(text)
        first, *others = _SLASH.split(text if path_end is None else text[: path_end.start()])
        segment.append(first)
        if others:
            _refuse_step(segment)
            segment = [others[-1]]
        if path_end is not None:
            break
    _refuse_step(segment)


def _refuse_step(segment: Sequence[str]) -> None:
    # A segment without a value is the author's own, steps and all.
    text = "".join(segment) if len(segment) > 1 else ""
    if _DOT_SEGMENT.fullmatch(text):
        raise InvalidValue(
            f"the values make {text!r} of a path segment, which is a step and no name",
            hint="values of dots alone do not go into a path",
        )
