r"""The combined log format of Apache and nginx.

``address identity user [21/Nov/2026:10:00:00 +0000] "GET /path HTTP/1.1" 302 0 "referrer" "agent"``

Both servers escape: Apache writes ``\"`` and ``\\`` and ``\xhh``, nginx ``\x22`` and ``\x5C``; what they escaped
comes back as it was. Referrer and agent are kept as :func:`msgtrack.hits.header_text` keeps those of live requests.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from msgtrack.hits import Hit, Rejected, header_text

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
_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})|\\(.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"v": b"\v", b"f": b"\f", b"a": b"\a"}


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
    return "" if text is None or text == "-" else header_text(_sent(text))


def _plain(text: str) -> str:
    return _sent(text).decode("utf-8", "backslashreplace") if "\\" in text else text


def _sent(text: str) -> bytes:
    """The bytes that the client sent: raw and escaped ones are the same again."""
    try:
        # Undoes what errors="surrogateescape" did when the log was opened.
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "backslashreplace")
    return _ESCAPE.sub(_unescape, raw) if b"\\" in raw else raw


def _unescape(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode()) if match[1] else _LETTERS.get(match[2], match[2])
