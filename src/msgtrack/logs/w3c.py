"""The extended log format of the W3C, as IIS and others write it: a line ``#Fields:`` says what stands in the lines behind it.

Times are UTC, as the format demands. A plus stands for a blank within a value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from msgtrack.hits import Hit, Rejected
from msgtrack.logs import _texts, _times
from msgtrack.logs._lines import LogFormat, Reads, hit_of

__all__ = ["FORMAT", "NAMES", "FieldsReader"]

NAMES: dict[str, str] = {
    "cs-method": "method",
    "cs-uri": "url",
    "cs-uri-stem": "path",
    "cs-uri-query": "query",
    "sc-status": "status",
    "cs(user-agent)": "user_agent",
    "cs-user-agent": "user_agent",
    "cs(referer)": "referrer",
    "cs(referrer)": "referrer",
    "c-ip": "client_ip",
    "cs(sec-purpose)": "purpose",
    "cs(purpose)": "purpose",
    "cs(sec-gpc)": "privacy",
    "x-edge-request-id": "request_id",
    "s-request-id": "request_id",
}
"""What a field becomes, by its name in lower case. ``date`` and ``time`` make the moment."""

_DATE = re.compile(r"#Date:\s*(\d{4}-\d\d-\d\d)")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"(?:\s+|$)|(\S+)(?:\s+|$)')


class FieldsReader:
    """Reads the lines of one log by what its last ``#Fields:`` said; ``state`` is that line, and the last date."""

    def __init__(self, state: str, *, name: str, read: Callable[[str], str], by_tabs: bool = False) -> None:
        self._name, self._read, self._by_tabs = name, read, by_tabs
        fields, _, self._date = state.partition("\n")
        self._fields = tuple(fields.split())

    @property
    def state(self) -> str:
        """What a reader that goes on from here needs."""
        return "\n".join([" ".join(self._fields), self._date]) if self._fields or self._date else ""

    def __call__(self, line: str, number: int) -> Hit | Rejected | None:
        """What a line holds; as ``ParseLine``."""
        if line.startswith("#"):
            self._directive(line)
            return None
        if not line or line.isspace():
            return None
        if not self._fields:
            return Rejected(line=number, reason="no-fields", text=line)
        texts = self._texts(line)
        if not self._fit(texts):
            return Rejected(line=number, reason=f"not-{self._name}", text=line)
        day, clock = self._date, ""
        values: dict[str, str] = {}
        for field, text in zip(self._fields, texts, strict=False):
            if text == "-":
                continue
            if field == "date":
                day = text
            elif field == "time":
                clock = text
            elif (becomes := NAMES.get(field)) is not None and becomes not in values:
                values[becomes] = text if becomes in _AS_WRITTEN else self._read(text)
        return hit_of(values, self._moment(day, clock), line, number)

    def _fit(self, texts: list[str]) -> bool:
        return len(texts) == len(self._fields)

    def _directive(self, line: str) -> None:
        if line.startswith("#Fields:"):
            self._fields = tuple(line[len("#Fields:") :].lower().split())
        elif (match := _DATE.match(line)) is not None:
            self._date = match[1]

    def _texts(self, line: str) -> list[str]:
        if self._by_tabs:
            return line.split("\t")
        if '"' not in line:
            return line.split()
        return [
            match[2] if match[1] is None else match[1].replace('""', '"') for match in _QUOTED.finditer(line.strip())
        ]

    @staticmethod
    def _moment(day: str, clock: str) -> datetime | None:
        return _times.iso(f"{day} {clock}")


_AS_WRITTEN = frozenset({"url", "path", "query", "method", "status", "client_ip", "request_id"})

FORMAT = LogFormat(
    name="w3c",
    description="the W3C's extended log format, as IIS writes it: a #Fields line says what follows",
    begin=lambda state: FieldsReader(state, name="w3c", read=_texts.plus),
    reads=(
        Reads(field="date time", becomes="received_at", note="UTC; without a date, that of the last #Date line"),
        *(Reads(field=field, becomes=becomes) for field, becomes in NAMES.items()),
    ),
)
