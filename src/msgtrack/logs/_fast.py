"""The combined format to events, fast: what :func:`msgtrack.logs.parse` gives, line for line, in a tenth of the time.

Lines repeat themselves. What stands behind the request (status, referrer, agent) is one of few texts, so is the second
that a line names, and all URLs of a family (see ``Tracker.message_reader``) mean the same but for the message. Each of
these is worked out once, the long way, and remembered; a line put together of such parts needs a signature checked and
an event made, whose id is hashed when somebody asks for it. Every other line, and each first of its kind, goes the long
way: so nothing here decides what a line means.

Memory does not grow with the log: what is remembered is bounded, and begun anew when it is full.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar, cast

from attrs import evolve

from msgtrack._borders import microseconds, shown
from msgtrack.clients import ClientReader
from msgtrack.decide import Decision, decide
from msgtrack.errors import InvalidValue
from msgtrack.events import Event, UnhashedId, hashed_id
from msgtrack.hits import Hit, Rejected
from msgtrack.identity import Counted, Ordinals, identified, is_unhashed
from msgtrack.logs._fast_events import MODELS, Make, id_behind, id_head, maker, sized
from msgtrack.logs._times import clf
from msgtrack.logs.combined import parse_line, tail_facts
from msgtrack.model import Client, PeoplePolicy, ResolutionOutcome
from msgtrack.protocols import MessageReader, Resolver

__all__ = ["FastLines", "PersonOf", "text_of"]

PersonOf = Callable[[str, "Client | None", datetime], str]
"""From address, client and moment to the key of a person."""

T = TypeVar("T")

_ROOM = 8_192
_ROOM_FOR_MODELS = 1_024
_ROOM_AT_A_PLACE = 64
# What many lines are the first to say is let go of soon: it comes again at once or hardly ever, and would keep all else out of
# the processor's own memory.
_ROOM_FOR_MESSAGES = 1_024
_ROOM_FOR_PLACES = 256
_ROOM_FOR_MOMENTS = 128
_MAX_PLACE = 2_048
_BEHIND_URL = " HTTP/"
# Of these alone no head of syslog or the like is made, which only the long way knows.
_ADDRESS_LETTERS = "0123456789abcdef.:"
_WRITTEN = re.compile(r" - - \[(\d\d/[A-Za-z]{3}/\d{4}:\d\d:\d\d):(\d\d)( [+-]\d{4})\] \"")
_WRITTEN_LENGTH = 35
_SECOND = "00+00:00"
"""How the text of a whole minute ends."""
_NOBODY = sized("")
_VERSIONS = frozenset({"1.0", "1.1", "2", "2.0", "3", "3.0"})


# Bare tuples, because a line takes each apart.
_Said = tuple[str, str]
"""What a message part says: its family, and the message's id. Of texts alone, so that collecting garbage takes no notice of
them.
"""
_Tail = tuple[Client | None, str]
"""What stands behind the request's URL: the client, and the parts of ids behind the link."""
_Moment = tuple[datetime, str, str, int, str, str]
"""A second: the moment, the eight digits that ids begin with, its part of ids; microseconds since 1970, and digits and part of ids
of its minute.
"""
_Minute = tuple[datetime, int, str, str]
"""A minute: where it begins; in microseconds since 1970; the eight digits that ids begin with, its part of ids."""
_Model = tuple[Make, datetime | None, str, str, str, dict[str, int]]
"""Events alike: what makes them, the moment from which there are none, the parts of ids for kind, delivery, and link; and room for
the numbers of examples, by what is behind the link.
"""
_Models = dict[str, _Model]
"""Of one family, by what stands before the message part: method and the rest of the URL."""
_Here = tuple[Make, datetime, str, str, str, _Model, _Moment]
"""Events alike and of one second: what makes them, the moment, the eight digits, the parts of ids before the message and
behind it; and what this was put together of.
"""
_Place = dict[str, _Here]
"""Of what stands between the address and the message part (the moment, the method, the rest of the URL), by family."""
_Step = tuple[_Model, _Moment, str, "str | UnhashedId", _Tail, "str | None"]
"""An event that is not made yet: its model and its moment, the message's id, its own id, what stands behind the URL, and the
person's key.
"""


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


class FastLines:
    """Reads the lines of one log in the combined format, one after the other."""

    _makes_events = True

    def __init__(
        self,
        tracker: Resolver,
        read_message: MessageReader,
        ordinals: Ordinals,
        clients: ClientReader | None = None,
        *,
        source: str = "",
    ) -> None:
        self._clients = clients
        self._source = source
        self._people: PeoplePolicy | None = None
        self._person_of: PersonOf | None = None
        self._tracker = tracker
        self._read_message = read_message
        self._ordinals = ordinals
        self._tails: dict[str, _Tail] = {}
        self._agents: dict[str, _Tail] = {}
        self._said: dict[str, _Said] = {}
        self._families: dict[str, _Models] = {}
        self._moments: dict[str, _Moment] = {}
        self._minutes: dict[str, _Minute] = {}
        self._places: dict[str, _Place] = {}

    def events(self, lines: Iterable[str], first: int = 1) -> Iterator[Event | Rejected]:
        """The events and rejections of lines, with or without their ends; the first of them has that number.

        Raises:
            InvalidValue: a line is not text.
        """
        return cast("Iterator[Event | Rejected]", self._steps(lines, first))

    def _steps(self, lines: Iterable[str], first: int) -> Iterator[Event | Rejected | _Step]:
        """What becomes of lines, for events and columns. Events are made in here where they are wanted: a generator around this one
        would take a twentieth of its time.
        """
        of_second = self._ordinals.of_second
        said_of, tail_of, place_of = self._said.get, self._tails.get, self._places.get
        read_message, known, unknown = self._read_message, self._said, _Place()
        makes_events, person_of = self._makes_events, self._person_of
        person: str | None = None
        second, seen, may_wait = "", Counted(), True
        for number, line in enumerate(lines, first):
            # Written out in one piece: each call would cost as much as what it does. A line's end goes with what is behind.
            try:
                front, _, behind = line.partition(_BEHIND_URL)
                front, _, message = front.rpartition("/")
                said = said_of(message)
            except (TypeError, AttributeError):
                message, said = "", None
            if said is None:
                said = read_message(message)
                if said is not None:
                    if len(known) >= _ROOM_FOR_MESSAGES:
                        known.clear()
                    known[message] = said
            if said is not None:
                tail = tail_of(behind) or self._tail(behind)
                place = front.lstrip(_ADDRESS_LETTERS)
                if tail is not None and place != front:
                    family, message_id = said
                    here = place_of(place, unknown).get(family) or self._here(place, family)
                    if here is None:
                        second = ""
                        record = self._learn(line, number, place, said)
                        if record is not None:
                            yield record
                        continue
                    make, at, prefix, start, link, model, moment = here
                    client, agent = tail
                    if person_of is not None:
                        person = person_of(front[: -len(place)], client, at)
                        agent = sized(person) + agent[len(_NOBODY) :]
                    if prefix != second:
                        second, seen = prefix, of_second(prefix)
                        may_wait = is_unhashed(seen)
                    # Hashing may wait until somebody asks for the id.
                    unhashed = (prefix, start, message_id, link, agent)
                    key = unhashed if may_wait else hashed_id(unhashed)
                    if key not in seen:
                        seen[key] = 1
                    else:
                        ordinal = seen[key]
                        seen[key] = ordinal + 1
                        same = make(at, message_id, None, client)
                        key = (same if person is None else evolve(same, source_id=person)).derived_id(ordinal)
                    if makes_events:
                        yield make(at, message_id, key, client)
                    else:
                        yield model, moment, message_id, key, tail, person
                    continue
            second = ""
            slow = self._slow(line, number)[1]
            if slow is not None:
                yield slow

    def _slow(self, line: str, number: int) -> tuple[Decision | None, Event | Rejected | None]:
        record = parse_line(text_of(line, number), number)
        if not isinstance(record, Hit):
            return None, record
        decision = decide(record, self._tracker, people=self._people, source=self._source)
        event = None if decision.event is None else identified(decision.event, self._ordinals)
        return decision, event if event is None or self._clients is None else self._clients.event(event)

    def _learn(self, line: str, number: int, place: str, said: _Said) -> Event | Rejected | None:
        """A line the long way, and what all URLs that begin so have in common, in this family."""
        decision, record = self._slow(line, number)
        event = None if decision is None else decision.event
        if decision is None or event is None or type(event) not in MODELS or len(place) > _MAX_PLACE:
            return record
        # Where something else stands before the moment, the rest does not begin where it should.
        before = place[_WRITTEN_LENGTH:]
        if not _WRITTEN.fullmatch(place[:_WRITTEN_LENGTH]):
            return record
        # The quote behind the request is that behind its version only where none stands before.
        if '"' in before or "\\" in before:
            return record
        resolution = decision.resolution
        # A pseudonym is of one message; who goes unnamed, or may have no key, goes the long way, too.
        is_named = event.message_id == resolution.message_id == said[1]
        if is_named and decision.may_key and resolution.outcome is ResolutionOutcome.VALID and not resolution.repairs:
            parts = sized(event.kind), sized(event.delivery_id or ""), sized(event.link_id or "")
            numbers: dict[str, int] = {}
            model = (maker(event), resolution.expires_at, *parts, numbers)
            family = said[0]
            models = self._families.get(family)
            if models is None:
                models = _remember(self._families, family, {}, _ROOM)
            _remember(models, before, model, _ROOM_FOR_MODELS)
        return record

    def _here(self, place: str, family: str) -> _Here | None:
        """What is known of the events of a family at a place, put together; None when there is nothing, or no event."""
        written, before = place[:_WRITTEN_LENGTH], place[_WRITTEN_LENGTH:]
        models = self._families.get(family)
        model = None if models is None else models.get(before)
        moment = self._moments.get(written) or self._moment(written)
        if model is None or moment is None:
            return None
        make, end, kind, delivery, link, _ = model
        at, prefix, part, _, _, _ = moment
        if end is not None and at >= end:
            return None
        known = self._places.get(place)
        if known is None:
            known = _remember(self._places, place, _Place(), _ROOM_FOR_PLACES)
        here = (make, at, prefix, f"{kind}{part}{delivery}", link, model, moment)
        return _remember(known, family, here, _ROOM_AT_A_PLACE)

    def _moment(self, written: str) -> _Moment | None:
        match = _WRITTEN.fullmatch(written)
        if match is None:
            return None
        minute, second, zone = match.groups()
        known = self._minutes.get(minute + zone)
        if known is None:
            start = clf(f"{minute}:00{zone}")
            if start is None:
                return None
            minute_facts = (start, microseconds(start), id_head(start), sized(start.isoformat()))
            known = _remember(self._minutes, minute + zone, minute_facts, _ROOM_FOR_MOMENTS)
        start, us, head, part = known
        # A leap second is told as the one before it, here as there.
        number = min(int(second), 59)
        here_us = us + number * 1_000_000
        here_head = f"{here_us // 1_000_000 & 0xFFFFFFFF:08x}"
        here_part = f"{part[: -len(_SECOND)]}{number:02}{_SECOND[2:]}"
        moment = (start.replace(second=number), here_head, here_part, here_us, head, part)
        return _remember(self._moments, written, moment, _ROOM_FOR_MOMENTS)

    def _tail(self, behind: str) -> _Tail | None:
        version, _, answer = behind.rstrip("\r\n").partition('"')
        facts = tail_facts(answer) if version in _VERSIONS else None
        if facts is None:
            return None
        status, agent = facts
        # Where an error was the answer no event follows, which the long way knows best.
        if status is not None and status >= 400:
            return None
        # The same of one agent, wherever its readers came from: few things to keep at hand.
        tail = self._agents.get(agent)
        if tail is None:
            client = None
            if agent:
                client = Client(user_agent=agent) if self._clients is None else self._clients(agent)
            tail = _remember(self._agents, agent, (client, id_behind(agent, self._source)), _ROOM)
        return _remember(self._tails, behind, tail, _ROOM)


def _remember(known: dict[Any, T], key: object, value: T, room: int) -> T:
    if len(known) >= room:
        known.clear()
    known[key] = value
    return value
