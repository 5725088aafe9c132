"""What Varnish's ``varnishncsa`` writes by default; other formats of its own are written like Apache's."""

from __future__ import annotations

from msgtrack.logs._lines import LogFormat
from msgtrack.logs._template import line_parser, reads_of
from msgtrack.logs.apache import pieces_of

__all__ = ["FORMAT"]

# Requests are logged with the host that was asked, as http://host/path.
_PIECES = pieces_of('%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-agent}i"')

FORMAT = LogFormat(
    name="varnish",
    description="varnishncsa's default: the combined format with whole URLs",
    parse_line=line_parser("varnish", _PIECES, may_go_on=True),
    reads=reads_of(_PIECES),
)
