"""The combined format with the host, or host and port, in front: Debian's ``vhost_combined``."""

from __future__ import annotations

from msgtrack.logs._lines import LogFormat
from msgtrack.logs._template import line_parser, reads_of
from msgtrack.logs.apache import pieces_of

__all__ = ["FORMAT"]

_PIECES = pieces_of('%v %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"')

FORMAT = LogFormat(
    name="vhost-combined",
    description="the combined format with the host in front",
    parse_line=line_parser("vhost-combined", _PIECES, may_go_on=True),
    reads=reads_of(_PIECES),
)
