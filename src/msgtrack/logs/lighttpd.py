"""What lighttpd's ``mod_accesslog`` writes by default: the combined format with the host in the place of the identity."""

from __future__ import annotations

from msgtrack.logs._lines import LogFormat
from msgtrack.logs._template import line_parser, reads_of
from msgtrack.logs.apache import pieces_of

__all__ = ["FORMAT"]

_PIECES = pieces_of('%h %V %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"')

FORMAT = LogFormat(
    name="lighttpd",
    description="lighttpd's default: the combined format with the host in the place of the identity",
    parse_line=line_parser("lighttpd", _PIECES, may_go_on=True),
    reads=reads_of(_PIECES),
)
