r"""The combined log format of Apache and nginx.

``address identity user [21/Nov/2026:10:00:00 +0000] "GET /path HTTP/1.1" 302 0 "referrer" "agent"``

Both servers escape: Apache writes ``\"`` and ``\\`` and ``\xhh``, nginx ``\x22`` and ``\x5C``; what they escaped
comes back as it was.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from msgtrack.hits import Hit, Rejected

__all__ = ["parse_line"]

_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*)"'
_LINE = re.compile(
    r"(\S+) (\S+) (.*?) \[(\d\d)/([A-Za-z]{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\] "
    + _QUOTED
    + r" (\d{3}|-) (\d+|-)"
    + r"(?: "
    + _QUOTED
    + " "
    + _QUOTED
    + r"(?: .*)?)?",
    re.DOTALL,
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_REQUEST = re.compile(r"([A-Z][A-Z0-9_-]{0,30}) (\S+)(?: HTTP/[0-9.]+)?")
_ESCAPE = re.compile(r"((?:\\x[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "v": "\v", "f": "\f", "a": "\a"}


def parse_line(line: str, number: int) -> Hit | Rejected | None:
    """The hit of one line; see :class:`msgtrack.logs.formats.LogFormat`."""
    if not line.strip():
        return None
    match = _LINE.fullmatch(line)
    if match is None:
        return Rejected(line=number, reason="not-combined", text=line)
    address, _, _, day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()[:12]
    request, status, _, referrer, agent = match.groups()[12:]
    moment = _moment(day, month, year, hour, minute, second, sign + zone_hours, zone_minutes)
    if moment is None:
        return Rejected(line=number, reason="bad-time", text=line)
    asked = _REQUEST.fullmatch(_plain(request))
    if asked is None:
        return Rejected(line=number, reason="bad-request", text=line)
    return Hit(
        method=asked[1],
        url=asked[2],
        received_at=moment,
        user_agent=_value(agent),
        referrer=_value(referrer),
        client_ip="" if address == "-" else address,
        status=None if status == "-" else int(status),
    )


def _moment(
    day: str, month: str, year: str, hour: str, minute: str, second: str, hours: str, minutes: str
) -> datetime | None:
    number = _MONTHS.get(month.title())
    if number is None:
        return None
    try:
        offset = timedelta(hours=int(hours), minutes=int(hours[0] + minutes))
        local = datetime(
            int(year), number, int(day), int(hour), int(minute), min(int(second), 59), tzinfo=timezone(offset)
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _value(text: str | None) -> str:
    return "" if text is None or text == "-" else _plain(text)


def _plain(text: str) -> str:
    return _ESCAPE.sub(_unescape, text) if "\\" in text else text


def _unescape(match: re.Match[str]) -> str:
    if match[1]:
        return bytes.fromhex(match[1].replace("\\x", "")).decode("utf-8", "backslashreplace")
    return _LETTERS.get(match[2], match[2])
