"""Traefik's access log in its common format: combined, then its own number of the request, router, server and duration."""

from __future__ import annotations

from msgtrack.logs import _texts
from msgtrack.logs._lines import LogFormat
from msgtrack.logs._template import QUOTED, Slot, line_parser, reads_of
from msgtrack.logs.apache import pieces_of

__all__ = ["FORMAT"]

# The number counts from the start of the process: it names no request.
_PIECES = [
    *pieces_of('%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'),
    *(" ", Slot(name="number", pattern=r"\d+"), ' "', Slot(name="router", pattern=QUOTED)),
    *(
        '" "',
        Slot(name="server", pattern=QUOTED, read=_texts.escaped),
        '" ',
        Slot(name="duration", pattern=r"\d+"),
        "ms",
    ),
]

FORMAT = LogFormat(
    name="traefik",
    description="Traefik's common format: combined, then number, router, server and duration",
    parse_line=line_parser("traefik", _PIECES, may_go_on=True),
    reads=reads_of(_PIECES),
)
