"""The common log format: what all web servers wrote first. It holds no agent and no referrer."""

from __future__ import annotations

from msgtrack.logs._lines import LogFormat
from msgtrack.logs._template import line_parser, reads_of
from msgtrack.logs.apache import pieces_of

__all__ = ["FORMAT"]

_PIECES = pieces_of('%h %l %u %t "%r" %>s %b')

FORMAT = LogFormat(
    name="common",
    description="the common log format: address, user, time, request, status, size",
    parse_line=line_parser("common", _PIECES),
    reads=reads_of(_PIECES),
)
