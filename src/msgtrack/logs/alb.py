"""The access log of Amazon's Application Load Balancer."""

from __future__ import annotations

from msgtrack.logs._amazon import columns, iso_moment, quoted, with_port, word
from msgtrack.logs._lines import LogFormat
from msgtrack.logs._template import line_parser, reads_of

__all__ = ["FORMAT"]

_PIECES = columns(
    word("type"),
    iso_moment("time"),
    word("elb"),
    with_port("client:port", "client_ip"),
    word("target:port"),
    word("request_processing_time"),
    word("target_processing_time"),
    word("response_processing_time"),
    word("elb_status_code", "status"),
    word("target_status_code"),
    word("received_bytes"),
    word("sent_bytes"),
    quoted("request", "request"),
    quoted("user_agent", "user_agent"),
    word("ssl_cipher"),
    word("ssl_protocol"),
    word("target_group_arn"),
    quoted("trace_id", "request_id"),
)

FORMAT = LogFormat(
    name="alb",
    description="the access log of Amazon's Application Load Balancer",
    # Columns came at the end in the course of the years.
    parse_line=line_parser("alb", _PIECES, may_go_on=True),
    reads=reads_of(_PIECES),
)
