"""The combined format to columns of events, without an object for a line: the events that the Tracking workflow keeps.

A line goes the way that :mod:`msgtrack.logs._fast` explains. Of one that is put together of known parts there is left what is its own:
moment, message, person, id, and the number of an example that it is like. What goes the long way is its own example.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date, datetime
from typing import cast

from attrs import evolve

from msgtrack._borders import microseconds
from msgtrack.clients import ClientReader
from msgtrack.columns import EventColumns
from msgtrack.decide import Decision, salted_key
from msgtrack.events import Event, Open, hashed_id
from msgtrack.hits import Rejected
from msgtrack.identity import Ordinals, collected_id
from msgtrack.logs._fast import FastLines, PersonOf
from msgtrack.logs._fast_events import sized
from msgtrack.model import Client, PeoplePolicy
from msgtrack.protocols import MessageReader, Resolver, UnreadLines

__all__ = ["FastColumns"]

_OPEN = sized(Open.kind)
_MOST_SALTS = 400


class FastColumns(FastLines):
    """Reads the lines of one source. ``hits`` and ``skipped`` count as a run record does."""

    _makes_events = False

    def __init__(
        self,
        tracker: Resolver,
        read_message: MessageReader,
        *,
        source: str,
        people: PeoplePolicy | None = None,
        clients: ClientReader | None = None,
    ) -> None:
        super().__init__(tracker, read_message, Ordinals(), clients, source=source)
        self._people = people
        if people is not None and people.key == "hash":
            self._person_of = _persons(tracker)
        self.hits = 0
        self.skipped: Counter[str] = Counter()
        self._begin()

    def _begin(self) -> None:
        self._examples: list[Event] = []
        self._example: list[int] = []
        self._ids: list[str] = []
        self._occurred_us: list[int] = []
        self._message_ids: list[str | None] = []
        self._source_ids: list[str | None] = []
        self._numbered: list[dict[str, int]] = []

    def take(self) -> EventColumns:
        """The events since this was asked last."""
        columns = EventColumns(
            examples=self._examples,
            example=self._example,
            ids=self._ids,
            occurred_us=self._occurred_us,
            message_ids=self._message_ids,
            source_ids=self._source_ids,
        )
        for numbers in self._numbered:
            numbers.clear()
        self._begin()
        return columns

    def read(self, lines: UnreadLines, ordinals: Ordinals) -> list[Rejected]:
        """Take in the events of lines; those that were rejected come back, in order. ``ordinals`` are those of the lines' scope."""
        self._ordinals = ordinals
        rejected: list[Rejected] = []
        add_id, add_us, add_example = self._ids.append, self._occurred_us.append, self._example.append
        add_message, add_person = self._message_ids.append, self._source_ids.append
        sha256, quick = hashlib.sha256().copy, 0
        for step in self._steps(lines.texts, lines.first):  # type: ignore[arg-type]  # _slow sees to what is no text
            if type(step) is not tuple:
                self._add(cast("Event | Rejected", step), lines, rejected)
                continue
            model, moment, message_id, key, tail, person = step
            make, _, kind, delivery, _, numbers = model
            at, _, _, us, minute_head, minute_part = moment
            client, agent = tail
            example = numbers.get(agent)
            if example is None:
                if not numbers:
                    self._numbered.append(numbers)
                example = numbers[agent] = len(self._examples)
                self._examples.append(make(at, message_id, key, client))
            if kind == _OPEN:
                # As collected_id gives it.
                hashed = sha256()
                hashed.update(f"{kind}{delivery}{len(message_id)}:{message_id}{minute_part}".encode())
                key = minute_head + hashed.hexdigest()[:24]
            add_id(key if isinstance(key, str) else hashed_id(key))
            add_us(us)
            add_example(example)
            add_message(message_id)
            add_person(person)
            quick += 1
        self.hits += quick
        return rejected

    def _add(self, record: Event | Rejected, lines: UnreadLines, rejected: list[Rejected]) -> None:
        if isinstance(record, Rejected):
            rejected.append(evolve(record, source=lines.source) if lines.source else record)
            return
        self.add(collected_id(record))

    def add(self, event: Event) -> None:
        """Take in an event that was made elsewhere, and has its id."""
        self._example.append(len(self._examples))
        self._examples.append(event)
        self._ids.append(event.id)
        self._occurred_us.append(microseconds(event.occurred_at))
        self._message_ids.append(event.message_id)
        self._source_ids.append(event.source_id)

    def _slow(self, line: str | Rejected, number: int) -> tuple[Decision | None, Event | Rejected | None]:
        if isinstance(line, Rejected):
            return None, line
        decision, record = super()._slow(line, number)
        if decision is not None:
            self.hits += 1
            if record is None:
                self.skipped[decision.reason.value] += 1
        return decision, record


def _persons(tracker: Resolver) -> PersonOf:
    """As :func:`msgtrack.decide.person_key` has it of a hit with an address, and all that go this way have one."""
    salts: dict[date, bytes] = {}

    def person_of(address: str, client: Client | None, at: datetime) -> str:
        day = at.date()
        salt = salts.get(day)
        if salt is None:
            if len(salts) >= _MOST_SALTS:
                salts.clear()
            salt = salts[day] = tracker.person_salt(day.isoformat())
        return salted_key(salt, address, "" if client is None else client.user_agent)

    return person_of
