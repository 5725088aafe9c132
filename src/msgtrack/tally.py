"""The fold between events and indicators: facts go into a :class:`Tally`, final numbers (:class:`Counts`) come out.

A tally is a monoid: ``Tally()`` is the zero, ``merge`` is associative and commutative, and facts may come late, in
any order and more than once. So it judges nothing while it collects: seeds, proofs, templates and domains are
settled by ``counts()``, when all is known. What it keeps of an event is one short tuple; memory grows with the
events, not with their text.

Two versions of one fact meet by a rule that knows no order of arrival:

- of a message the one with the later ``last_modified_at`` wins (none is earlier than any); on a tie the one whose
  status lies further on the way from pending over sent to failed; then the greater of the remaining fields;
- a delivery and a link carry no such moment: the greater wins, by the fields in the order of ``DeliveryEntry`` and
  ``LinkEntry`` in ``_entries`` (the further state, a number before none, a label before no label);
- of other facts the later modified, then the greater by its fields as text, a value before none;
- of events with one id the one in the earliest slot of five minutes wins, then the lesser by its fields, and one that is
  left out (seed, proof) before any other.

Events without an id of their own are distinct, however alike.

What ``counts()`` has closed is kept beside the facts, which costs memory from the first report on. The next report enters
what came since, closes the deliveries that changed, and adds up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import chain
from typing import Any

from msgtrack import facts as _facts
from msgtrack._borders import optional_count, zone_of
from msgtrack._entries import (
    DeliveryEntry,
    EventEntry,
    FactShelf,
    LinkEntry,
    MessageEntry,
    column_entries,
    delivery_entry,
    event_entry,
    keep_all_greater,
    keep_fact,
    keep_greater,
    link_entry,
    message_entry,
)
from msgtrack._ledger import Books
from msgtrack.columns import EventColumns
from msgtrack.counts import Counts, DeliveryCounts, DomainCounts, LinkFacts
from msgtrack.errors import InvalidValue
from msgtrack.events import Event
from msgtrack.facts import fact_key
from msgtrack.model import Audience, Delivery, Message, TrackedLink
from msgtrack.protocols import Query

__all__ = [
    "Counts",
    "DeliveryCounts",
    "DomainCounts",
    "Fact",
    "LinkFacts",
    "Tally",
    "fold",
]

Fact = Delivery | Message | TrackedLink | Event | _facts.Fact
"""What a tally takes in."""


class Tally:
    """A mergeable fold over deliveries, messages, tracked links and events; two are equal when their facts are.

    >>> from datetime import UTC, datetime
    >>> from msgtrack.events import Click
    >>> tally = Tally()
    >>> tally.add(Click(occurred_at=datetime(2026, 3, 1, tzinfo=UTC), delivery_id="1", message_id="7", link_id="2"))
    >>> tally.add(Message(id="7", delivery_id="1", address="ann@gmail.com", status="sent"))
    >>> tally.counts().deliveries["1"].domains["Gmail"].clicked
    1

    Args:
        sketch_above: count distinct persons by HyperLogLog sketches wherever there are more than this; None: exactly,
            always. Everything else is exact, and so are the facts: merging loses nothing.
    """

    __slots__ = ("_anonymous", "_books", "_deliveries", "_facts", "_identified", "_links", "_messages", "_sketch_above")

    def __init__(self, *, sketch_above: int | None = None) -> None:
        self._sketch_above = optional_count(sketch_above)
        self._facts: defaultdict[type[_facts.Fact], FactShelf] = defaultdict(dict)
        self._deliveries: dict[str, DeliveryEntry] = {}
        self._messages: dict[str, dict[str, MessageEntry]] = {}
        self._links: dict[str, dict[str, LinkEntry]] = {}
        self._identified: dict[str, EventEntry] = {}
        self._anonymous: dict[EventEntry, int] = {}
        self._books: Books | None = None

    def add(self, fact: Fact) -> None:
        """Take one fact in, in constant time.

        Raises:
            InvalidValue: it is no fact at all.
        """
        self.extend((fact,))

    def extend(self, facts: Iterable[Fact]) -> None:
        """Take many facts in.

        Raises:
            InvalidValue: one of them is no fact; those before it are in.
        """
        for fact in facts:
            if isinstance(fact, Event):
                entry = event_entry(fact)
                if fact.has_own_id:
                    self._keep_event(fact.id, entry)
                elif entry:
                    self._keep_again(entry, 1)
            elif isinstance(fact, Message):
                messages = self._messages.setdefault(fact.delivery_id, {})
                if keep_greater(messages, fact.id, message_entry(fact)) and self._books is not None:
                    self._books.begin(fact.delivery_id)
            elif isinstance(fact, TrackedLink):
                links = self._links.setdefault(fact.delivery_id, {})
                if keep_greater(links, fact.id, link_entry(fact)) and self._books is not None:
                    self._books.begin(fact.delivery_id)
            elif isinstance(fact, Delivery):
                keep_greater(self._deliveries, fact.id, delivery_entry(fact))
            elif isinstance(fact, _facts.Fact):
                self._keep_fact(type(fact), fact_key(fact), fact)
            else:
                raise InvalidValue(
                    "a tally takes deliveries, messages, tracked links, events and other facts, "
                    f"not {type(fact).__name__}: {fact!r:.80}"
                )

    def extend_columns(self, columns: EventColumns) -> None:
        """Take many events in that lie in columns: as ``extend(columns.events())`` does, but no event is made.

        Raises:
            InvalidId: what stands in a column of ids is none; events before it are in.
        """
        for event_id, entry in column_entries(columns):
            self._keep_event(event_id, entry)

    def _keep_event(self, event_id: str, entry: EventEntry) -> None:
        known = self._identified.get(event_id)
        if known is None or entry < known:
            self._identified[event_id] = entry
            if self._books is not None:
                self._books.event(known, entry)

    def _keep_again(self, entry: EventEntry, times: int) -> None:
        self._anonymous[entry] = self._anonymous.get(entry, 0) + times
        if self._books is not None:
            self._books.again(entry, times)

    def _keep_fact(self, kind: type[_facts.Fact], key: tuple[str, ...], fact: _facts.Fact) -> None:
        shelf = self._facts[kind]
        known = shelf.get(key)
        keep_fact(shelf, key, fact)
        if self._books is not None and (kept := shelf[key]) is not known:
            self._books.fact(kind, key, known, kept)

    def merge(self, other: Tally) -> Tally:
        """The tally of the facts of both; neither is changed. It sketches above the lower of their numbers."""
        both = self.copy()
        both.absorb(other)
        return both

    def absorb(self, other: Tally) -> None:
        """Take in all facts of another, which stays as it is: a merge that copies nothing of this one."""
        numbers = [number for number in (self._sketch_above, other._sketch_above) if number is not None]
        self._sketch_above = min(numbers, default=None)
        for kind, shelf in other._facts.items():
            for key, fact in shelf.items():
                self._keep_fact(kind, key, fact)
        keep_all_greater(self._deliveries, other._deliveries)
        for delivery_id, messages in other._messages.items():
            if keep_all_greater(self._messages.setdefault(delivery_id, {}), messages) and self._books is not None:
                self._books.begin(delivery_id)
        for delivery_id, links in other._links.items():
            if keep_all_greater(self._links.setdefault(delivery_id, {}), links) and self._books is not None:
                self._books.begin(delivery_id)
        if self._books is None and self._identified.keys().isdisjoint(other._identified):
            self._identified.update(other._identified)
        else:
            for event_id, entry in other._identified.items():
                self._keep_event(event_id, entry)
        # Of a tally that absorbs itself the times double while they are walked through.
        for entry, times in [*other._anonymous.items()]:
            self._keep_again(entry, times)

    def copy(self) -> Tally:
        """A tally of the same facts that goes its own way."""
        twin = Tally(sketch_above=self._sketch_above)
        twin._facts.update({kind: dict(shelf) for kind, shelf in self._facts.items()})
        twin._deliveries = dict(self._deliveries)
        twin._messages = {delivery_id: dict(messages) for delivery_id, messages in self._messages.items()}
        twin._links = {delivery_id: dict(links) for delivery_id, links in self._links.items()}
        twin._identified = dict(self._identified)
        twin._anonymous = dict(self._anonymous)
        return twin

    __copy__ = copy

    def __getstate__(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in self.__slots__ if name != "_books"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        self._books = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tally):
            return NotImplemented
        return (
            self._identified == other._identified
            and self._anonymous == other._anonymous
            and self._messages == other._messages
            and self._links == other._links
            and self._deliveries == other._deliveries
            and self._facts == other._facts
        )

    def __repr__(self) -> str:
        messages = sum(map(len, self._messages.values()))
        events = len(self._identified) + sum(self._anonymous.values())
        return f"<Tally: {len(self._deliveries)} deliveries, {messages} messages, {events} events>"

    def counts(
        self,
        *,
        audience: str | Audience | Iterable[str | Audience] | None = None,
        zone: str = "UTC",
        delivery_ids: Iterable[str] | None = None,
    ) -> Counts:
        """The final numbers; the tally may take more facts in afterwards.

        The first time they take time that grows with the facts. After that a new event is entered into the book of its
        delivery, a delivery with a new message or link is closed again from its own facts, and what was closed is
        added up: the values of deliveries that did not change are those of the report before. Books are kept for the
        last eight combinations of audience and zone.

        Args:
            audience: whose events count: ``all`` (or None), one of ``human``, ``proxy``, ``unsure`` and ``machine``, or
                several. Messages and other facts count whole.
            zone: name of the time zone by which days are cut.
            delivery_ids: only these deliveries, and of the other facts only theirs and those of the platform.

        Raises:
            InvalidOption: no such audience or zone.
            InvalidValue: no such id of a delivery.
            MissingExtra: sketches are asked for, and their package is not installed.
        """
        zone_of(zone)
        query = Query(audience=audience, delivery_ids=delivery_ids)
        if self._books is None:
            self._books = Books(
                self._deliveries, self._messages, self._links, self._facts, self._identified, self._anonymous
            )
        return self._books.counts(query.audience, zone, self._sketch_above, query.delivery_ids)


def fold(
    deliveries: Iterable[Delivery],
    messages: Iterable[Message],
    links: Iterable[TrackedLink],
    events: Iterable[Event],
    facts: Iterable[_facts.Fact] = (),
) -> Tally:
    """The tally of all of them; each iterable is read once and may be a stream.

    Raises:
        InvalidValue: something else is among them.
    """
    tally = Tally()
    tally.extend(chain(deliveries, messages, links, events, facts))
    return tally
