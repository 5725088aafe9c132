"""The server access log of Amazon S3, which logs requests for a bucket."""

from __future__ import annotations

from msgtrack.logs import _times
from msgtrack.logs._amazon import columns, quoted, word
from msgtrack.logs._lines import LogFormat
from msgtrack.logs._template import MOMENT, Slot, line_parser, reads_of

__all__ = ["FORMAT"]

_PIECES = columns(
    word("bucket_owner"),
    word("bucket"),
    ["[", Slot(name="time", becomes=MOMENT, pattern=r"[^\]\"]{20,40}", moment=_times.clf), "]"],
    word("remote_ip", "client_ip"),
    word("requester"),
    word("request_id", "request_id"),
    word("operation"),
    word("key"),
    [
        Slot(
            name="request_uri",
            becomes="request",
            pattern=r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-',
            read=lambda text: text.strip('"'),
        )
    ],
    word("http_status", "status"),
    word("error_code"),
    word("bytes_sent"),
    word("object_size"),
    word("total_time"),
    word("turn_around_time"),
    quoted("referer", "referrer"),
    quoted("user_agent", "user_agent"),
)

FORMAT = LogFormat(
    name="s3",
    description="the server access log of Amazon S3",
    parse_line=line_parser("s3", _PIECES, may_go_on=True),
    reads=reads_of(_PIECES),
)
