"""Traefik's access log in its common format: combined, then its own number of the request, router, server and duration."""

from __future__ import annotations

from msgtrack.logs import _texts
from msgtrack.logs._lines import LogFormat
from msgtrack.logs._template import QUOTED, Slot, line_parser, reads_of
from msgtrack.logs.apache import pieces_of

__all__ = ["FORMAT"]


def _header(name: str, becomes: str) -> Slot:
    # What is not there was a dash without quotes in older versions.
    return Slot(name=name, becomes=becomes, pattern=rf'"{QUOTED}"|-', read=_unquoted)


def _unquoted(text: str) -> str:
    inside = text[1:-1]
    return "" if inside == "-" else _texts.escaped(inside)


# The number counts from the start of the process: it names no request.
_PIECES = [
    *pieces_of('%h %l %u %t "%r" %>s %b '),
    *(_header("%{Referer}i", "referrer"), " ", _header("%{User-Agent}i", "user_agent")),
    *(" ", Slot(name="number", pattern=r"\d+"), ' "', Slot(name="router", pattern=QUOTED), '" "'),
    *(Slot(name="server", pattern=QUOTED), '" ', Slot(name="duration", pattern=r"\d+"), "ms"),
]

FORMAT = LogFormat(
    name="traefik",
    description="Traefik's common format: combined, then number, router, server and duration",
    parse_line=line_parser("traefik", _PIECES, may_go_on=True),
    reads=reads_of(_PIECES),
)
