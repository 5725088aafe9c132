"""What a log format is, and how the fields of a line become a hit."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from attrs import field, frozen

from msgtrack._borders import closed
from msgtrack.errors import InvalidOption, InvalidValue
from msgtrack.hits import MAX_HEADER, Hit, Rejected, prefetch_purpose, wants_privacy
from msgtrack.logs._texts import plain

__all__ = ["FIELDS", "ODD_VALUES", "LineReader", "LogFormat", "ParseLine", "Reads", "hit_of"]

ParseLine = Callable[[str, int], Hit | Rejected | None]
"""From a line without its end, and its number from 1, to its hit; a :class:`Rejected` with the reason; None where a line holds nothing."""


class LineReader(Protocol):
    """Reads the lines of one log, one after the other."""

    @property
    def state(self) -> str:
        """What a reader that goes on from here needs to know."""
        ...

    def __call__(self, line: str, number: int) -> Hit | Rejected | None:
        """What a line holds; as :data:`ParseLine`."""
        ...


class _Stateless:
    state = ""

    def __init__(self, parse_line: ParseLine) -> None:
        self._parse_line = parse_line

    def __call__(self, line: str, number: int) -> Hit | Rejected | None:
        return self._parse_line(line, number)


@closed
@frozen(kw_only=True)
class Reads:
    """One field that a format reads: its name in the log, the field of the hit that it becomes, and what is special."""

    field: str
    becomes: str
    note: str = ""


@closed
@frozen(kw_only=True)
class LogFormat:
    """One format: its name, a sentence, and how its lines are read.

    ``parse_line(line, number)`` gives the hit of a line without its end, a :class:`~msgtrack.hits.Rejected` with a
    reason, or None for a line that holds nothing (blank, a comment). It raises nothing, whatever the line.
    A format whose lines need what a header said gives ``begin`` instead: from a state ("" at the start of a log, else what
    :attr:`LineReader.state` was where reading broke off) to a :class:`LineReader`.
    ``reads`` lists the fields for the reference.
    """

    name: str
    description: str
    parse_line: ParseLine | None = field(default=None)
    begin: Callable[[str], LineReader] | None = field(default=None)
    reads: tuple[Reads, ...] = ()

    def reader(self, state: str = "") -> LineReader:
        """A reader of one log from its start, or from where an earlier reader had that ``state``.

        Raises:
            InvalidOption: the format has neither ``parse_line`` nor ``begin``.
        """
        if self.begin is not None:
            return self.begin(state)
        if self.parse_line is None:
            raise InvalidOption(f"the format {self.name!r:.80} has neither parse_line nor begin")
        return _Stateless(self.parse_line)


FIELDS = (
    "request",
    "method",
    "url",
    "path",
    "query",
    "status",
    "user_agent",
    "referrer",
    "client_ip",
    "purpose",
    "privacy",
    "source_id",
    "request_id",
)
"""What a field of a log may become: ``request`` is method, URL and version in one; ``path`` stands for a URL, and ``query``
goes behind one that has none."""

_METHOD = r"[A-Z][A-Z0-9_-]{0,30}"
_REQUEST = re.compile(rf"({_METHOD}) (\S+)(?: HTTP/[0-9.]+)?")
_ONE_METHOD = re.compile(_METHOD)
_STATUS = re.compile(r"\d{3}")
_NO_ANSWER = frozenset({"0", "000", "-1"})
_LEFT = "499"
"""What nginx writes where the client had left before the answer; others write one of the above."""


ODD_VALUES = frozenset({"bad-time", "bad-request", "bad-status", "bad-value"})
"""Why a line of the right shape is rejected."""


def hit_of(values: Mapping[str, str], at: datetime | None, line: str, number: int) -> Hit | Rejected:
    """The hit of what was found in a line, by :data:`FIELDS`; else the line with a reason of :data:`ODD_VALUES`.

    ``bad-time``, ``bad-request`` (no method and URL), ``bad-status`` (neither three digits nor nothing), ``bad-value``.
    Where there was no answer (0, 000, -1), the status is nginx's code for clients that left, 499.
    """
    if at is None:
        return Rejected(line=number, reason="bad-time", text=line)
    values = {name: text if text.isascii() else plain(text) for name, text in values.items()}
    asked = _asked(values)
    if asked is None:
        return Rejected(line=number, reason="bad-request", text=line)
    status = values.get("status", "")
    if status in _NO_ANSWER:
        status = _LEFT
    if status and _STATUS.fullmatch(status) is None:
        return Rejected(line=number, reason="bad-status", text=line)
    try:
        return Hit(
            method=asked[0],
            url=asked[1],
            received_at=at,
            user_agent=values.get("user_agent", "")[:MAX_HEADER],
            referrer=values.get("referrer", "")[:MAX_HEADER],
            purpose=prefetch_purpose(values.get("purpose", "")),
            # Which policy the server had is not in its log; this is what holds unless another was asked for.
            privacy="no-key" if wants_privacy(values.get("privacy", "")) else "",
            client_ip=values.get("client_ip", ""),
            source_id=values.get("source_id") or None,
            status=int(status) if status else None,
            request_id=values.get("request_id", ""),
        )
    except InvalidValue:
        return Rejected(line=number, reason="bad-value", text=line)


def _asked(values: Mapping[str, str]) -> tuple[str, str] | None:
    request = values.get("request", "")
    if request:
        match = _REQUEST.fullmatch(request)
        return None if match is None else (match[1], match[2])
    method, url = values.get("method", ""), values.get("url") or values.get("path", "")
    query = values.get("query", "").removeprefix("?")
    if query and "?" not in url:
        url += f"?{query}"
    if not url or any(character.isspace() for character in url) or _ONE_METHOD.fullmatch(method) is None:
        return None
    return method, url
