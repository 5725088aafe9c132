"""The moments of logs, as the servers write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

__all__ = ["STRFTIME", "clf", "epoch", "iso", "moment_of_parts", "strftime_pattern", "whole_moment"]

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_CLF = re.compile(r"(\d\d)/([A-Za-z]{3})/(\d{4}):(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?: ([+-]\d\d:?\d\d))?")
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,9})?")
# From here on a whole number of that many seconds, milliseconds or microseconds would be past the year 5138.
_UNITS = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3))


def moment_of_parts(parts: Mapping[str, str], zone: tzinfo) -> datetime | None:
    """The moment in UTC of what a pattern of :func:`strftime_pattern` found, by letter; None if there is no such day or time.

    ``zone`` is for texts that name none.
    """
    if "s" in parts:
        return epoch(parts["s"] + ("." + parts["f"] if "f" in parts else ""))
    try:
        hour = int(parts.get("H") or parts.get("I") or 0)
        if "p" in parts:
            hour = hour % 12 + (12 if parts["p"].lower() == "pm" else 0)
        year = int(parts["Y"]) if "Y" in parts else 2000 + int(parts["y"])
        local = datetime(
            year,
            int(parts["m"]) if "m" in parts else _MONTHS[parts["b"][:3].lower()],
            int(parts["d"]),
            hour,
            int(parts.get("M") or 0),
            # A leap second is told as the one before it.
            min(int(parts.get("S") or 0), 59),
            int((parts.get("f") or "0")[:6].ljust(6, "0")),
            tzinfo=_offset(parts["z"]) if parts.get("z") else zone,
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError, KeyError):
        return None


@lru_cache(maxsize=64)
def _offset(text: str) -> tzinfo:
    if text in ("Z", "z"):
        return UTC
    digits = text.replace(":", "")
    return timezone(timedelta(hours=int(digits[:3]), minutes=int(digits[0] + digits[3:])))


@lru_cache(maxsize=1024)  # many lines are of one second
def clf(text: str, zone: tzinfo = UTC) -> datetime | None:
    """The moment of ``21/Nov/2026:10:00:00 +0000``, with a fraction or without, or None."""
    match = _CLF.fullmatch(text)
    return None if match is None else moment_of_parts(_named("dbYHMSfz", match), zone)


def iso(text: str, zone: tzinfo = UTC) -> datetime | None:
    """The moment of ``2026-11-21T10:00:00.123Z``, with a blank for the T, without fraction or zone too, or None."""
    match = _ISO.fullmatch(text)
    return None if match is None else moment_of_parts(_named("YmdHMSfz", match), zone)


def _named(letters: str, match: re.Match[str]) -> dict[str, str]:
    return {letter: found for letter, found in zip(letters, match.groups(), strict=True) if found is not None}


def epoch(text: str, per_second: int = 0) -> datetime | None:
    """The moment of a number of seconds since 1970, or of milli-, micro- or nanoseconds, or None.

    ``per_second`` says of which; 0: by the size of the number, which tells them apart between the years 1973 and 5138.
    """
    if _NUMBER.fullmatch(text) is None:
        return None
    whole, _, fraction = text.partition(".")
    if not per_second:
        per_second = next((unit for least, unit in _UNITS if int(whole) >= least), 1)
    microseconds = (int(whole) * 10**9 + int(fraction.ljust(9, "0"))) // (per_second * 1000)
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

STRFTIME: dict[str, str] = {
    "Y": r"(?P<Y>\d{4})",
    "y": r"(?P<y>\d\d)",
    "m": r"(?P<m>\d\d)",
    "b": r"(?P<b>[A-Za-z]{3})",
    "h": r"(?P<b>[A-Za-z]{3})",
    "d": r"(?P<d>\d\d)",
    "e": r" ?(?P<d>\d\d?)",
    "H": r"(?P<H>\d\d)",
    "k": r" ?(?P<H>\d\d?)",
    "I": r"(?P<I>\d\d)",
    "l": r" ?(?P<I>\d\d?)",
    "p": r"(?P<p>[AaPp][Mm])",
    "M": r"(?P<M>\d\d)",
    "S": r"(?P<S>\d\d)",
    "s": r"(?P<s>\d+)",
    "f": r"(?P<f>\d{1,9})",
    "z": r"(?P<z>[+-]\d\d:?\d\d|Z)",
    "Z": r"[A-Za-z+-]\w{0,9}",
    "a": r"[A-Za-z]{3}",
    "A": r"[A-Za-z]{6,9}",
    "B": r"(?P<b>[A-Za-z]{3,9})",
    "j": r"\d{3}",
    "u": r"\d",
    "w": r"\d",
    "U": r"\d\d",
    "V": r"\d\d",
    "W": r"\d\d",
    "G": r"\d{4}",
    "g": r"\d\d",
    "C": r"\d\d",
    "n": r"\n",
    "t": r"\t",
    "%": "%",
}
"""What each letter of ``strftime`` looks like; groups are named by letters."""
_WHOLE = {"T": "%H:%M:%S", "F": "%Y-%m-%d", "D": "%m/%d/%y", "R": "%H:%M", "r": "%I:%M:%S %p", "c": "%a %b %e %T %Y"}
_LETTER = re.compile(r"%([-_0^#EO]?)(.)", re.DOTALL)


def strftime_pattern(text: str) -> str | None:
    """The regular expression of a format of ``strftime``, each number in a group named by its letter.

    None where a letter is not known.
    """
    return _pattern(text, set())


def _pattern(text: str, seen: set[str]) -> str | None:
    pattern, end = "", 0
    for match in _LETTER.finditer(text):
        letter = match[2]
        found = _pattern(_WHOLE[letter], seen) if letter in _WHOLE else STRFTIME.get(letter)
        if found is None:
            return None
        if match[1] in ("-", "_"):
            found = found.replace(r"\d\d)", r" ?\d\d?)")
        for name in _GROUP.findall(found) if letter not in _WHOLE else ():
            # What is told twice is read once.
            found = found.replace(f"(?P<{name}>", "(?:") if name in seen else found
            seen.add(name)
        pattern += re.escape(text[end : match.start()]) + found
        end = match.end()
    return pattern + re.escape(text[end:])


_GROUP = re.compile(r"\(\?P<(\w)>")


def whole_moment(letters: AbstractSet[str]) -> bool:
    """Whether parts of these letters make a moment, as far as :func:`moment_of_parts` reads it."""
    return "s" in letters or ("d" in letters and bool(letters & {"m", "b"}) and bool(letters & {"Y", "y"}))
