"""The access log of Amazon's Classic Load Balancer."""

from __future__ import annotations

from msgtrack.logs._amazon import columns, iso_moment, quoted, with_port, word
from msgtrack.logs._lines import LogFormat
from msgtrack.logs._template import line_parser, reads_of

__all__ = ["FORMAT"]

_PIECES = columns(
    iso_moment("time"),
    word("elb"),
    with_port("client:port", "client_ip"),
    word("backend:port"),
    word("request_processing_time"),
    word("backend_processing_time"),
    word("response_processing_time"),
    word("elb_status_code", "status"),
    word("backend_status_code"),
    word("received_bytes"),
    word("sent_bytes"),
    quoted("request", "request"),
    quoted("user_agent", "user_agent"),
    word("ssl_cipher"),
    word("ssl_protocol"),
)

FORMAT = LogFormat(
    name="elb",
    description="the access log of Amazon's Classic Load Balancer",
    parse_line=line_parser("elb", _PIECES, may_go_on=True),
    reads=reads_of(_PIECES),
)
