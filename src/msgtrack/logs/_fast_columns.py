"""The combined format to columns of events, without an object for a line: the events that the Tracking workflow keeps.

A line goes the way that :mod:`msgtrack.logs._fast` explains. Of one that is put together of known parts there is left what is its own:
moment, message, person, id, and the number of an example that it is like. What goes the long way is its own example.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date, datetime

from attrs import evolve

from msgtrack._borders import microseconds
from msgtrack.columns import EventColumns
from msgtrack.decide import Decision, salted_key
from msgtrack.events import Event, Open
from msgtrack.hits import Rejected
from msgtrack.identity import Ordinals, collected_id
from msgtrack.logs._fast import (
    ADDRESS_LETTERS,
    BEFORE_MOMENT,
    BEHIND_URL,
    ROOM,
    WRITTEN_LENGTH,
    FastLines,
    MessageReader,
    Place,
)
from msgtrack.logs._fast_events import sized
from msgtrack.model import Client, PeoplePolicy
from msgtrack.protocols import Resolver, UnreadLines

__all__ = ["FastColumns"]

_OPEN = sized(Open.kind)
_NOBODY = sized("")
_MOST_SALTS = 400


class FastColumns(FastLines):
    """Reads the lines of one source. ``hits`` and ``skipped`` count as a run record does."""

    def __init__(
        self, tracker: Resolver, read_message: MessageReader, *, source: str, people: PeoplePolicy | None = None
    ) -> None:
        super().__init__(tracker, read_message, Ordinals(), source=source, people=people)
        self.hits = 0
        self.skipped: Counter[str] = Counter()
        self._hashes_people = people is not None and people.key == "hash"
        self._salts: dict[date, bytes] = {}
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
        of_second, sha256 = ordinals.of_second, hashlib.sha256().copy
        said_of, tail_of, place_of = self._said.get, self._tails.get, self._places.get
        read_message, known, unknown = self._read_message, self._said, Place()
        hashes_people = self._hashes_people
        add_id, add_us, add_example = self._ids.append, self._occurred_us.append, self._example.append
        add_message, add_person = self._message_ids.append, self._source_ids.append
        second, seen = "", {"": 0}
        quick = 0
        for number, line in enumerate(lines.texts, lines.first):
            # In one piece, as in FastLines.events, and step for step the same.
            try:
                front, _, behind = line.partition(BEHIND_URL)  # type: ignore[union-attr]  # caught below
                front, _, message = front.rpartition("/")
                said = said_of(message)
            except (TypeError, AttributeError):
                message, said = "", None
            if said is None:
                said = read_message(message)
                if said is not None:
                    if len(known) >= ROOM:
                        known.clear()
                    known[message] = said
            if said is not None:
                tail = tail_of(behind) or self._tail(behind)
                address, _, place = front.partition(BEFORE_MOMENT)
                if tail is not None and address and not address.strip(ADDRESS_LETTERS):
                    family, message_id = said
                    here = place_of(place, unknown).get(family) or self._here(place, family)
                    if here is None:
                        second = ""
                        record = self._learn(line, number, place[WRITTEN_LENGTH:], said)  # type: ignore[arg-type]  # what was cut is text
                        if record is not None:
                            self._add(record, lines, rejected)
                        continue
                    make, at, prefix, start, link, model, moment = here
                    client, agent = tail
                    person, tail_parts = None, agent
                    if hashes_people and model[5]:
                        person = self._person(address, client, at)
                        tail_parts = sized(person) + agent[len(_NOBODY) :]
                    hashed = sha256()
                    hashed.update(f"{start}{len(message_id)}:{message_id}{link}{tail_parts}".encode())
                    key = prefix + hashed.hexdigest()[:24]
                    if prefix != second:
                        second, seen = prefix, of_second(prefix)
                    ordinal = seen.get(key, 0)
                    seen[key] = ordinal + 1
                    _, _, kind, delivery, _, _, numbers = model
                    _, _, _, us, minute_head, minute_part = moment
                    example = numbers.get(agent)
                    if example is None:
                        if not numbers:
                            self._numbered.append(numbers)
                        example = numbers[agent] = len(self._examples)
                        self._examples.append(make(at, message_id, key, client))
                    if kind == _OPEN:
                        hashed = sha256()
                        hashed.update(f"{_OPEN}{delivery}{len(message_id)}:{message_id}{minute_part}".encode())
                        key = minute_head + hashed.hexdigest()[:24]
                    elif ordinal:
                        same = evolve(make(at, message_id, key, client), source_id=person)
                        key = same.derived_id(ordinal)
                    add_id(key)
                    add_us(us)
                    add_example(example)
                    add_message(message_id)
                    add_person(person)
                    quick += 1
                    continue
            second = ""
            if isinstance(line, Rejected):
                self._add(line, lines, rejected)
                continue
            slow = self._slow(line, number)[1]
            if slow is not None:
                self._add(slow, lines, rejected)
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

    def _slow(self, line: str, number: int) -> tuple[Decision | None, Event | Rejected | None]:
        decision, record = super()._slow(line, number)
        if decision is not None:
            self.hits += 1
            if record is None:
                self.skipped[decision.reason.value] += 1
        return decision, record

    def _person(self, address: str, client: Client | None, at: datetime) -> str:
        # What stands before the moment is an address, or the line would have gone the long way: so there is always a key.
        day = at.date()
        salt = self._salts.get(day)
        if salt is None:
            if len(self._salts) >= _MOST_SALTS:
                self._salts.clear()
            salt = self._salts[day] = self._tracker.person_salt(day.isoformat())
        return salted_key(salt, address, "" if client is None else client.user_agent)
