"""HAProxy's log of HTTP requests (``option httplog``), behind what syslog writes first, or without it.

Its moments are of the machine's own time zone, and it logs headers only where it is told to capture them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from msgtrack.errors import InvalidOption
from msgtrack.hits import Hit, Rejected
from msgtrack.logs import _texts, _times
from msgtrack.logs._heads import behind_head
from msgtrack.logs._lines import FIELDS, LogFormat, Reads, hit_of

__all__ = ["FORMAT", "compile_format"]

_LINE = re.compile(
    r"(?P<client>\S+):\d+ \[(?P<at>[^\]]{20,40})\] (?P<frontend>\S+) (?P<backend>\S+) (?P<timers>[-+\d/]+) "
    r"(?P<status>-?\d{1,3}) (?P<bytes>\+?\d+) (?P<request_cookie>\S+) (?P<response_cookie>\S+) (?P<termination>\S{2,4}) "
    r"(?P<connections>[\d/+]+) (?P<queues>\d+/\d+)"
    r"(?: \{(?P<captured>[^}]*)\})?(?: \{[^}]*\})? \"(?P<request>.*)\"?(?: .*)?",
    re.DOTALL,
)
_CUT = re.compile(r'([A-Z][A-Z0-9_-]{0,30} \S+?)(?: HTTP/[0-9.]+)?"?(?: .*)?', re.DOTALL)
_ESCAPE = re.compile(r"#([0-9A-Fa-f]{2})")


def compile_format(*, captures: Sequence[str] = (), zone: tzinfo = UTC) -> LogFormat:
    """HAProxy's format.

    Args:
        captures: what the headers that ``capture request header`` keeps become, in their order, such as ``("user_agent", "referrer")``;
            "" for those that become nothing.
        zone: the time zone of the machine.

    Raises:
        InvalidOption: nothing of that name is there to become.
    """
    unknown = sorted({*captures} - {*FIELDS, ""})
    if unknown:
        raise InvalidOption(f"no capture becomes {', '.join(unknown)}; there are: {', '.join(FIELDS)}")
    order = tuple(captures)

    def parse_line(line: str, number: int) -> Hit | Rejected | None:
        match = _LINE.fullmatch(behind_head(line) or line)
        if match is None:
            return None if not line or line.isspace() else Rejected(line=number, reason="not-haproxy", text=line)
        values = {"client_ip": match["client"]}
        values["status"] = match["status"]
        asked = _CUT.fullmatch(match["request"])
        values["request"] = _plain(asked[1]) if asked is not None else "-"
        for becomes, text in zip(order, (match["captured"] or "").split("|"), strict=False):
            if becomes:
                values[becomes] = _plain(text)
        return hit_of(values, _moment(match["at"], zone), line, number)

    return LogFormat(
        name="haproxy",
        description="HAProxy's log of HTTP requests, with or without syslog's head",
        parse_line=parse_line,
        reads=(
            Reads(field="accept_date", becomes="received_at", note="of the machine's own time zone"),
            Reads(field="client_ip", becomes="client_ip"),
            Reads(field="http_request", becomes="request"),
            Reads(field="status_code", becomes="status", note="-1 as 499"),
            *(Reads(field="captured_request_headers", becomes=becomes) for becomes in order if becomes),
        ),
    )


def _moment(text: str, zone: tzinfo) -> datetime | None:
    return _times.clf(text, zone)


def _plain(text: str) -> str:
    """HAProxy writes odd bytes as ``#hh``."""
    return _texts.percent(_ESCAPE.sub(r"%\1", text.replace("%", "%25"))) if "#" in text else _texts.plain(text)


FORMAT = compile_format()
