"""Envoy's access log as it writes it where it is told nothing, bare or behind the head of a container's log.

Envoy escapes nothing in it.
"""

from __future__ import annotations

from msgtrack.logs import _texts, _times
from msgtrack.logs._lines import LogFormat
from msgtrack.logs._template import MOMENT, Slot, line_parser, reads_of

__all__ = ["FORMAT"]

_WORD = r'[^\s"]+'
_INSIDE = r'[^"]*+'

_PIECES: list[str | Slot] = [
    *("[", Slot(name="START_TIME", becomes=MOMENT, pattern=r"[0-9T:.+Z-]{19,40}", moment=_times.iso), '] "'),
    *(Slot(name="REQ(:METHOD) path PROTOCOL", becomes="request", pattern=_INSIDE, read=_texts.plain), '" '),
    *(Slot(name="RESPONSE_CODE", becomes="status", pattern=r"\d{1,3}|-"), " "),
    # Newer versions tell more than flags here, and some of it in quotes.
    Slot(
        name="RESPONSE_FLAGS", pattern=rf'{_WORD}(?: {_WORD}| "[^"]*")*?(?= (?:\d+|-) (?:\d+|-) (?:\d+|-) (?:\d+|-) ")'
    ),
    *(" ", Slot(name="BYTES_RECEIVED", pattern=r"\d+|-"), " ", Slot(name="BYTES_SENT", pattern=r"\d+|-")),
    *(" ", Slot(name="DURATION", pattern=r"\d+|-"), " ", Slot(name="upstream", pattern=r"\d+|-")),
    *(' "', Slot(name="REQ(X-FORWARDED-FOR)", becomes="client_ip", pattern=_INSIDE, read=_texts.address)),
    *('" "', Slot(name="REQ(USER-AGENT)", becomes="user_agent", pattern=_INSIDE, read=_texts.plain)),
    *('" "', Slot(name="REQ(X-REQUEST-ID)", becomes="request_id", pattern=_INSIDE, read=_texts.plain)),
    *('" "', Slot(name="REQ(:AUTHORITY)", pattern=_INSIDE), '" "', Slot(name="UPSTREAM_HOST", pattern=_INSIDE), '"'),
]

FORMAT = LogFormat(
    name="envoy",
    description="Envoy's access log in its own default, which Istio's begins with",
    parse_line=line_parser("envoy", _PIECES, may_go_on=True),
    reads=reads_of(_PIECES),
)
