"""Logs to events: lines of access logs, read as hits and given their meaning by the same ``decide`` that live
requests go through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgtrack._borders import shown
from msgtrack.clients import ClientReader
from msgtrack.decide import decide
from msgtrack.errors import InvalidValue, NotSupported
from msgtrack.events import Event
from msgtrack.hits import Hit, Rejected
from msgtrack.identity import Ordinals, identified
from msgtrack.logs import combined, formats
from msgtrack.logs._fast import FastLines, text_of
from msgtrack.protocols import Resolver, message_reader_of

__all__ = ["formats", "parse"]


def parse(
    lines: Iterable[str],
    format: str | formats.LogFormat = "combined",
    tracker: Resolver | None = None,
    judge: None = None,
    *,
    clients: ClientReader | None = None,
) -> Iterator[Event | Hit | Rejected]:
    """The events in the lines of a log, and what could not be read, in order and one by one.

    Args:
        lines: the lines, with or without their ends; an open text file will do, one text is no lines. Blank lines
            are passed over.
        format: a name of ``msgtrack.logs.formats``, or a format, such as ``formats.nginx(...)`` makes.
        tracker: who reads tracked URLs. Without one, hits come out as they are; with one, events come out, and hits
            that mean no event (other pages, ``HEAD``, damaged tokens) stay away.
        judge: who tells people from machines; not there yet.
        clients: who reads user agents, for the breakdowns by browser, system and device; None leaves them as they are.

    Raises:
        InvalidOption: there is no such format.
        InvalidValue: ``lines`` is one text, or nothing to iterate over; while reading: a line is not text.
        NotSupported: ``judge`` is given.
    """
    given: object = lines
    if isinstance(given, str | bytes | bytearray) or not isinstance(given, Iterable):
        raise InvalidValue(
            f"lines={shown(given)} must be a sequence of lines of text", hint="text.splitlines(), or an open text file"
        )
    if judge is not None:
        raise NotSupported("judges are not there yet", hint="leave judge out")
    read = formats.get(format)
    if tracker is not None and read is combined.FORMAT and (reader := message_reader_of(tracker)) is not None:
        return FastLines(tracker, reader, Ordinals(), clients).events(lines)
    return _parse(lines, read, tracker, clients)


def _parse(
    lines: Iterable[str], format: formats.LogFormat, tracker: Resolver | None, clients: ClientReader | None
) -> Iterator[Event | Hit | Rejected]:
    ordinals = Ordinals()
    read = format.reader()
    for number, line in enumerate(lines, 1):
        record = read(text_of(line, number), number)
        if record is None:
            continue
        if tracker is None or isinstance(record, Rejected):
            yield record
            continue
        event = decide(record, tracker).event
        if event is not None:
            event = identified(event, ordinals)
            yield event if clients is None else clients.event(event)


def __getattr__(name: str) -> Any:
    if name in ("webhooks", "bounces"):
        raise NotSupported(f"msgtrack.logs.{name} is not there yet")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
