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
- of events with one id the earliest wins, and one that is left out (seed, proof) before any other.

Events without an id of their own are distinct, however alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache, partial
from itertools import chain
from typing import Any

from msgtrack import facts as _facts
from msgtrack._books import Book, recipients_of
from msgtrack._borders import optional_count, zone_of
from msgtrack._entries import (
    UNREGISTERED,
    DeliveryEntry,
    EventEntry,
    FactShelf,
    LinkEntry,
    MessageEntry,
    delivery_entry,
    event_entry,
    keep_all_greater,
    keep_all_least,
    keep_fact,
    keep_greater,
    keep_least,
    link_entry,
    message_entry,
)
from msgtrack._packing import (
    pack_events,
    pack_messages,
    unpack_events,
    unpack_messages,
)
from msgtrack._people import SKETCH_ERROR, People
from msgtrack._platform import Traffic, applications_of, services_of
from msgtrack.counts import Counts, DeliveryCounts, DomainCounts, LinkFacts, local_day
from msgtrack.errors import InvalidValue
from msgtrack.events import Event
from msgtrack.facts import FACT_KEYS, delivery_of, fact_key
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

    __slots__ = ("_anonymous", "_deliveries", "_facts", "_identified", "_links", "_messages", "_sketch_above")

    def __init__(self, *, sketch_above: int | None = None) -> None:
        self._sketch_above = optional_count(sketch_above)
        self._facts: defaultdict[type[_facts.Fact], FactShelf] = defaultdict(dict)
        self._deliveries: dict[str, DeliveryEntry] = {}
        self._messages: dict[str, dict[str, MessageEntry]] = {}
        self._links: dict[str, dict[str, LinkEntry]] = {}
        self._identified: dict[str, EventEntry] = {}
        self._anonymous: dict[EventEntry, int] = {}

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
        identified, anonymous = self._identified, self._anonymous
        for fact in facts:
            if isinstance(fact, Event):
                entry = event_entry(fact)
                if fact.has_own_id:
                    keep_least(identified, fact.id, entry)
                elif entry:
                    anonymous[entry] = anonymous.get(entry, 0) + 1
            elif isinstance(fact, Message):
                keep_greater(self._messages.setdefault(fact.delivery_id, {}), fact.id, message_entry(fact))
            elif isinstance(fact, TrackedLink):
                keep_greater(self._links.setdefault(fact.delivery_id, {}), fact.id, link_entry(fact))
            elif isinstance(fact, Delivery):
                keep_greater(self._deliveries, fact.id, delivery_entry(fact))
            elif isinstance(fact, _facts.Fact):
                keep_fact(self._facts[type(fact)], fact_key(fact), fact)
            else:
                raise InvalidValue(
                    "a tally takes deliveries, messages, tracked links, events and other facts, "
                    f"not {type(fact).__name__}: {fact!r:.80}"
                )

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
                keep_fact(self._facts[kind], key, fact)
        keep_all_greater(self._deliveries, other._deliveries)
        for delivery_id, messages in other._messages.items():
            keep_all_greater(self._messages.setdefault(delivery_id, {}), messages)
        for delivery_id, links in other._links.items():
            keep_all_greater(self._links.setdefault(delivery_id, {}), links)
        keep_all_least(self._identified, other._identified)
        # Of a tally that absorbs itself the times double while they are walked through.
        for entry, times in [*other._anonymous.items()]:
            self._anonymous[entry] = self._anonymous.get(entry, 0) + times

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

    def __getstate__(self) -> dict[str, object]:
        return {
            "sketch_above": self._sketch_above,
            "facts": dict(self._facts),
            "deliveries": self._deliveries,
            "messages": pack_messages(self._messages),
            "links": self._links,
            "identified": pack_events(self._identified, self._identified.values()),
            "anonymous": pack_events(self._anonymous.values(), self._anonymous),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._sketch_above = state["sketch_above"]
        self._facts = defaultdict(dict, state["facts"])
        self._deliveries = state["deliveries"]
        self._messages = unpack_messages(state["messages"])
        self._links = state["links"]
        self._identified = dict(unpack_events(state["identified"]))
        self._anonymous = {entry: times for times, entry in unpack_events(state["anonymous"])}

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

    def counts(self, *, audience: str | Audience | Iterable[str | Audience] | None = None, zone: str = "UTC") -> Counts:
        """The final numbers, in time that grows with the facts; the tally may take more facts in afterwards.

        Args:
            audience: whose events count: ``all`` (or None), one of ``human``, ``proxy``, ``unsure`` and ``machine``, or
                several. Messages and other facts count whole.
            zone: name of the time zone by which days are cut.

        Raises:
            InvalidOption: no such audience or zone.
            MissingExtra: sketches are asked for, and their package is not installed.
        """
        zone_of(zone)
        admitted = Query(audience=audience).audience
        day_of = cache(partial(local_day, zone=zone))
        silent = {key for key, delivery in self._deliveries.items() if delivery.is_proof or delivery.is_template}
        facts = [self._facts.get(kind, {})[key] for kind in FACT_KEYS for key in sorted(self._facts.get(kind, {}))]
        of_delivery: defaultdict[str, list[_facts.Fact]] = defaultdict(list)
        for fact in facts:
            if (delivery_id := delivery_of(fact)) is not None:
                of_delivery[delivery_id].append(fact)
        new_people = partial(People, self._sketch_above)
        books = {
            key: Book(self._messages.get(key, {}), self._links.get(key, {}), of_delivery[key], new_people)
            for key in {*self._deliveries, *self._messages, *of_delivery} - silent
        }
        groups: defaultdict[tuple[str, str, str, str], list[EventEntry]] = defaultdict(list)
        for entry in chain(self._identified.values(), self._anonymous):
            if entry and (admitted is None or entry[6] in admitted):
                groups[entry[2], entry[1], entry[4], day_of(entry[0])].append(entry)
        traffic = Traffic()
        for (delivery_id, kind, link_id, day), entries in groups.items():
            if delivery_id not in silent:
                if delivery_id not in books:
                    books[delivery_id] = Book({}, self._links.get(delivery_id, {}), (), new_people)
                books[delivery_id].reactions.enter(kind, link_id, day, entries, traffic)
        for entry, times in self._anonymous.items():
            if times > 1 and entry[2] not in silent and (admitted is None or entry[6] in admitted):
                books[entry[2]].reactions.repeat(entry, day_of(entry[0]), times - 1, traffic)
        people = new_people()
        by_domain: defaultdict[str, People] = defaultdict(new_people)
        by_channel: defaultdict[str, People] = defaultdict(new_people)
        for key, book in books.items():
            of_book = book.reactions.people()
            people.absorb(of_book)
            by_channel[self._deliveries.get(key, UNREGISTERED).channel].absorb(of_book)
            for (domain, _), source_ids in book.reactions.people_by_class.items():
                by_domain[domain].update(source_ids)
        return Counts(
            deliveries={key: books[key].close(self._deliveries.get(key, UNREGISTERED)) for key in sorted(books)},
            persons=len(people),
            recipients=recipients_of(books.values()),
            persons_by={
                by: {name: len(people_of[name]) for name in people_of}
                for by, people_of in (("domain", by_domain), ("channel", by_channel))
            },
            visits=traffic.rows(),
            services=services_of(facts),
            applications=applications_of(facts),
            zone=zone,
            distinct_error=0.0 if people.is_exact else SKETCH_ERROR,
        )


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
