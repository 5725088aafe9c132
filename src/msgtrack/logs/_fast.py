"""The combined format to events, fast: what :func:`msgtrack.logs.parse` gives, line for line, in a tenth of the time.

Lines repeat themselves. What stands behind the request (status, referrer, agent) is one of few texts, so is the second
that a line names, and all links of a family (see ``Tracker.family_reader``) mean the same but for the message. Each of
these is worked out once, the long way, and remembered; a line put together of such parts needs a signature checked, an
id hashed and an event made. Every other line, and each first of its kind, goes the long way: so nothing here decides what a
line means.

Memory does not grow with the log: what is remembered is bounded, and begun anew when it is full.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from msgtrack._borders import shown
from msgtrack.decide import Decision, decide
from msgtrack.errors import InvalidValue
from msgtrack.events import Event
from msgtrack.hits import Hit, Rejected
from msgtrack.identity import Ordinals, identified
from msgtrack.logs._fast_events import MODELS, Make, id_behind, id_of, maker, sized
from msgtrack.logs._times import clf
from msgtrack.logs.combined import parse_line, tail_facts
from msgtrack.model import Client, ResolutionOutcome
from msgtrack.protocols import Resolver

__all__ = ["FamilyReader", "FastLines", "family_reader_of", "text_of"]

FamilyReader = Callable[[str], "tuple[Hashable, str] | None"]
"""See ``Tracker.family_reader``."""

T = TypeVar("T")

_ROOM = 8_192
# Nothing that might be the head of syslog or the like, which only the long way knows.
_is_address = re.compile(r"[0-9]{1,3}\.[0-9.]{1,60}|[0-9a-f]{0,4}:[0-9a-f:.]{1,60}").fullmatch
_BETWEEN = " - - ["
_WRITTEN = re.compile(r"(\d\d/[A-Za-z]{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] ")
_VERSIONS = frozenset({"HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/2.0", "HTTP/3", "HTTP/3.0"})


class _Moment(NamedTuple):
    at: datetime
    prefix: str
    """The eight digits that ids begin with."""
    parts: str


class _Tail(NamedTuple):
    client: Client | None
    parts: str


class _Model(NamedTuple):
    make: Make
    end: datetime | None
    before: str
    """The parts of an id before the moment's."""
    delivery: str
    link: str


def text_of(line: str, number: int) -> str:
    """A line without its end.

    Raises:
        InvalidValue: it is not text.
    """
    if not isinstance(line, str):
        raise InvalidValue(
            f"line {number} must be text, not {type(line).__name__}: {shown(line)}",
            hint='decode it: .decode("utf-8", "backslashreplace")',
        )
    return line.rstrip("\r\n")


def family_reader_of(tracker: Resolver) -> FamilyReader | None:
    """What tells the families of a resolver's URLs apart; None when it does not say."""
    # Asked of the class: what stands in for a resolver and passes on what it does not know may resolve in a way of its own.
    method: Any = getattr(type(tracker), "family_reader", None)
    reader: FamilyReader | None = None if method is None else method(tracker)
    return reader


class FastLines:
    """Reads the lines of one log in the combined format, one after the other."""

    def __init__(self, tracker: Resolver, families: FamilyReader, ordinals: Ordinals) -> None:
        self._tracker = tracker
        self._families = families
        self._ordinals = ordinals
        self._moments: dict[str, _Moment] = {}
        self._tails: dict[str, _Tail] = {}
        self._models: dict[Hashable, _Model] = {}

    def events(self, lines: Iterable[str], first: int = 1) -> Iterator[Event | Rejected]:
        """The events and rejections of lines, with or without their ends; the first of them has that number.

        Raises:
            InvalidValue: a line is not text.
        """
        families, next_ordinal = self._families, self._ordinals.next
        moments, tails, models = self._moments, self._tails, self._models
        for number, line in enumerate(lines, first):
            # Written out in one piece: each call would cost as much as what it does. A line's end goes with what is behind.
            try:
                head, request, behind = line.split('"', 2)
                method, url, version = request.split(" ")
            except (ValueError, TypeError, AttributeError):
                # Nothing that can be taken apart so, or no text, which the long way refuses.
                pass
            else:
                if method == "GET" and version in _VERSIONS:
                    address, _, written = head.partition(_BETWEEN)
                    moment = moments.get(written) or self._moment(written)
                    tail = tails.get(behind) or self._tail(behind)
                    family = families(url)
                    if family is not None and moment is not None and tail is not None and _is_address(address):
                        model = models.get(family[0])
                        at = moment[0]
                        if model is not None and (model[1] is None or at < model[1]):
                            make, _, before, delivery, link = model
                            message_id = family[1]
                            key = id_of(
                                moment[1],
                                f"{before}{moment[2]}{delivery}{len(message_id)}:{message_id}{link}{tail[1]}",
                            )
                            ordinal = next_ordinal(key)
                            event = make(at, message_id, key, tail[0])
                            yield event if not ordinal else make(at, message_id, event.derived_id(ordinal), tail[0])
                            continue
                        if model is None:
                            record = self._learn(line, number, family)
                            if record is not None:
                                yield record
                            continue
            slow = self._slow(line, number)[1]
            if slow is not None:
                yield slow

    def _slow(self, line: str, number: int) -> tuple[Decision | None, Event | Rejected | None]:
        record = parse_line(text_of(line, number), number)
        if not isinstance(record, Hit):
            return None, record
        decision = decide(record, self._tracker)
        return decision, None if decision.event is None else identified(decision.event, self._ordinals)

    def _learn(self, line: str, number: int, family: tuple[Hashable, str]) -> Event | Rejected | None:
        """A line the long way, and of its family's links what they have in common."""
        decision, record = self._slow(line, number)
        event = None if decision is None else decision.event
        if decision is None or event is None or type(event) not in MODELS:
            return record
        resolution = decision.resolution
        # A pseudonym is of one message; who goes unnamed goes the long way, too.
        if resolution.outcome is ResolutionOutcome.VALID and event.message_id == resolution.message_id == family[1]:
            _remember(
                self._models,
                family[0],
                _Model(
                    make=maker(event),
                    end=resolution.expires_at,
                    before=sized(event.kind),
                    delivery=sized(event.delivery_id or ""),
                    link=sized(event.link_id or ""),
                ),
            )
        return record

    def _moment(self, written: str) -> _Moment | None:
        match = _WRITTEN.fullmatch(written)
        at = None if match is None else clf(match[1])
        if at is None:
            return None
        moment = _Moment(at, f"{int(at.timestamp()) & 0xFFFFFFFF:08x}", sized(at.isoformat()))
        return _remember(self._moments, written, moment)

    def _tail(self, behind: str) -> _Tail | None:
        facts = tail_facts(behind.rstrip("\r\n"))
        if facts is None:
            return None
        status, agent = facts
        # An error was the answer, so there is no event, as the long way says.
        if status is not None and status >= 400:
            return None
        tail = _Tail(Client(user_agent=agent) if agent else None, id_behind(agent))
        return _remember(self._tails, behind, tail)


def _remember(known: dict[Any, T], key: object, value: T) -> T:
    if len(known) >= _ROOM:
        known.clear()
    known[key] = value
    return value
