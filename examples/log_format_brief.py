"""A log format of one's own for msgtrack: a complete third-party format, to read and to copy.

Its lines are such as ``2026-03-02T09:00:00+00:00 GET 302 /path``; what begins with ``#`` is a comment.
"""

from __future__ import annotations

from datetime import datetime

from msgtrack.errors import MsgtrackError
from msgtrack.hits import Hit, Rejected
from msgtrack.logs.formats import LogFormat, Reads


def parse_line(line: str, number: int) -> Hit | Rejected | None:
    """The hit of one line, a rejected line, or None for one that holds nothing."""
    if not line.strip() or line.startswith("#"):
        return None
    try:
        moment, method, status, url = line.split(" ", 3)
        return Hit(method=method, url=url, received_at=datetime.fromisoformat(moment), status=int(status))
    except (ValueError, MsgtrackError):
        return Rejected(line=number, reason="not-brief", text=line)


BRIEF = LogFormat(
    name="brief",
    description="moment, method, status and path",
    parse_line=parse_line,
    reads=(
        Reads(field="moment", becomes="received_at"),
        Reads(field="method", becomes="method"),
        Reads(field="status", becomes="status"),
        Reads(field="path", becomes="url"),
    ),
)
