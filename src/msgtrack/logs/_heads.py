"""What stands before a line that went through somebody else's hands: syslog, a container's log, Docker Compose."""

from __future__ import annotations

import re

__all__ = ["HEAD", "behind_head"]

_ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
_TAG = r"[^\s:\[\]]{1,64}(?:\[\d{1,10}\])?: "

HEAD = (
    r"(?:(?:<\d{1,3}>)?(?:"
    # Syslog as it always was (RFC 3164), and the same with a moment of today's kind.
    rf"(?:[A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d|{_ISO}) (?:[^\s\"]{{1,255}} )?{_TAG}"
    # Syslog of RFC 5424.
    rf"|1 (?:{_ISO}|-) \S{{1,255}} \S{{1,48}} \S{{1,128}} \S{{1,32}} (?:-|(?:\[(?:[^\]\\]|\\.)*+\])++) \ufeff?"
    # Kubernetes.
    rf"|{_ISO} (?:stdout|stderr) [FP] )"
    # Docker Compose.
    r"|[\w.-]{1,64}+ {1,32}+\| )"
)
"""The regular expression of such a head, with all blanks behind it."""

_HEAD = re.compile(HEAD, re.DOTALL)


def behind_head(line: str) -> str:
    """What stands behind the head of a line; the empty text where it has none."""
    match = _HEAD.match(line)
    return "" if match is None else line[match.end() :]
