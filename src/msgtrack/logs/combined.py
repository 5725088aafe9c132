r"""The combined log format of Apache and nginx.

``address identity user [21/Nov/2026:10:00:00 +0000] "GET /path HTTP/1.1" 302 0 "referrer" "agent"``

Both servers escape: Apache writes ``\"`` and ``\\`` and ``\xhh``, nginx ``\x22`` and ``\x5C``; what they escaped
comes back as it was. Referrer and agent are kept as :func:`msgtrack.hits.header_text` keeps those of live requests.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from msgtrack.hits import Hit, Rejected, header_text
from msgtrack.logs._heads import HEAD, behind_head
from msgtrack.logs._lines import LogFormat, Reads
from msgtrack.logs._texts import escaped_bytes
from msgtrack.logs._times import clf

__all__ = ["FORMAT", "parse_line", "tail_facts"]

_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*)"'
_BEHIND = rf" (\d{{3}}|-) (\d+|-)(?: {_QUOTED} {_QUOTED}(?: .*)?)?"
_TAIL = re.compile(_BEHIND, re.DOTALL)
_LINE = re.compile(
    # A head of syslog would be taken for an address and a user.
    rf"(?:(?=\d{{1,3}}\.)|(?!{HEAD}))"
    r"(\S+) (\S+) (.*?) \[(\d\d/[A-Za-z]{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] " + _QUOTED + _BEHIND,
    re.DOTALL,
)
_REQUEST = re.compile(r"([A-Z][A-Z0-9_-]{0,30}) (\S+)(?: HTTP/[0-9.]+)?")


def parse_line(line: str, number: int) -> Hit | Rejected | None:
    """The hit of one line; see :class:`msgtrack.logs.formats.LogFormat`."""
    match = _LINE.fullmatch(line)
    if match is None and (rest := behind_head(line)):
        match = _LINE.fullmatch(rest)
    if match is None:
        return None if not line or line.isspace() else Rejected(line=number, reason="not-combined", text=line)
    address, identity, user, written, request, status, _, referrer, agent = match.groups()
    if identity != "-" and " " in user and not address.endswith(",") and _is_address(identity):
        # The host that was asked stands in front, as some servers do for some of their hosts.
        address = identity
    if address[-1] == "," or address[0] == '"' or not address.isascii():
        # Of a list of addresses the first is that of the client.
        address = _plain(address.strip('",'))
    moment = clf(written)
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


def tail_facts(behind: str) -> tuple[int | None, str] | None:
    """Status and user agent of what stands behind the request's closing quote, as a hit keeps them; None when no line ends so."""
    match = _TAIL.fullmatch(behind)
    if match is None:
        return None
    status, _, _, agent = match.groups()
    return None if status == "-" else int(status), _value(agent)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _value(text: str | None) -> str:
    return "" if text is None or text == "-" else header_text(escaped_bytes(text))


def _plain(text: str) -> str:
    if "\\" in text or not text.isascii():
        return escaped_bytes(text).decode("utf-8", "backslashreplace")
    return text


FORMAT = LogFormat(
    name="combined",
    description="Apache's and nginx's combined log: address, user, time, request, status, size, referrer, agent",
    parse_line=parse_line,
    reads=(
        Reads(
            field="%h, $remote_addr",
            becomes="client_ip",
            note="of several addresses the first; a host in front is passed over",
        ),
        Reads(field="%t, [$time_local]", becomes="received_at"),
        Reads(field="%r, $request", becomes="request"),
        Reads(field="%>s, $status", becomes="status"),
        Reads(field="%{Referer}i, $http_referer", becomes="referrer"),
        Reads(field="%{User-agent}i, $http_user_agent", becomes="user_agent"),
    ),
)
