"""The fold between events and indicators: facts go into a :class:`Tally`, final numbers (:class:`Counts`) come out.

A tally is a monoid: ``Tally()`` is the zero, ``merge`` is associative and commutative, and facts may come late, in
any order and more than once. So it judges nothing while it collects: seeds, proofs, templates and domains are
settled by ``counts()``, when all is known. What it keeps of an event is one short tuple; memory grows with the
events, not with their text.

Two versions of one fact meet by a rule that knows no order of arrival:

- of a message the one with the later ``last_modified_at`` wins (none is earlier than any); on a tie the one whose
  status lies further on the way from pending over sent to failed; then the greater of the remaining fields;
- a delivery and a link carry no such moment: the greater wins, by the fields in the order of ``_Delivery`` and
  ``_Link`` below (the further state, a number before none, a label before no label);
- of events with one id the earliest wins, and one that is left out (seed, proof) before any other.

Events without an id of their own are distinct, however alike.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain, repeat
from typing import Any, NamedTuple, TypeVar

from msgtrack.counts import (
    REACTION_KINDS,
    SLOT_SECONDS,
    Counts,
    DeliveryCounts,
    DomainCounts,
    LinkFacts,
    total_amount,
)
from msgtrack.domains import OTHERS
from msgtrack.errors import InvalidValue
from msgtrack.events import Click, Event, Transaction
from msgtrack.model import OPEN_LINK_ID, Delivery, LinkType, Message, MessageStatus, Part, TrackedLink

__all__ = [
    "Counts",
    "DeliveryCounts",
    "DomainCounts",
    "Fact",
    "LinkFacts",
    "Tally",
    "fold",
]

Fact = Delivery | Message | TrackedLink | Event
"""What a tally takes in."""


class _Delivery(NamedTuple):
    state: int
    is_proof: bool
    is_template: bool
    to_deliver: int
    text: int
    contact_at: datetime
    channel: str


class _Message(NamedTuple):
    last_modified_at: datetime
    progress: int
    is_seed: bool
    failure_reason: int
    is_text: bool
    domain: str
    status: MessageStatus


class _Link(NamedTuple):
    label: str
    url: str
    category: str
    type: int


_EventFact = tuple[Any, ...]
"""(slot, kind, delivery, message, link, source id), of a transaction also (amount, article); empty when left out."""

_T = TypeVar("_T", _Delivery, _Message, _Link)

_LEFT_OUT: _EventFact = ()
_NEVER = datetime.min.replace(tzinfo=UTC)
_UNREGISTERED = _Delivery(-1, False, False, -1, -1, _NEVER, "email")
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_SECONDS = 86400

_UNDER_WAY = "PENDING PREPARED SENT_TO_PROVIDER TAKEN_INTO_ACCOUNT SENT RECEIVED_ON_MOBILE"
_AT_REST = "NOT_APPLICABLE IGNORED CANCELLED FAILED"
_PROGRESS = {MessageStatus[name]: rank for rank, name in enumerate(f"{_UNDER_WAY} {_AT_REST}".split())}


def _delivery_fact(delivery: Delivery) -> _Delivery:
    return _Delivery(
        state=-1 if delivery.state is None else delivery.state,
        is_proof=delivery.is_proof,
        is_template=delivery.is_template,
        to_deliver=-1 if delivery.to_deliver is None else delivery.to_deliver,
        text=-1 if delivery.text is None else delivery.text,
        contact_at=delivery.contact_at or _NEVER,
        channel=delivery.channel,
    )


def _message_fact(message: Message) -> _Message:
    return _Message(
        last_modified_at=message.last_modified_at or _NEVER,
        progress=_PROGRESS[message.status],
        is_seed=message.is_seed,
        failure_reason=int(message.failure_reason),
        is_text=message.format is Part.TEXT,
        domain=message.domain,
        status=message.status,
    )


def _link_fact(link: TrackedLink) -> _Link:
    return _Link(label=link.label.strip(), url=link.url.strip(), category=link.category.strip(), type=int(link.type))


def _event_fact(event: Event) -> _EventFact:
    if event.is_seed or event.is_proof:
        return _LEFT_OUT
    at = event.occurred_at
    fact = (
        (at.toordinal() - _EPOCH_DAY) * _DAY_SECONDS + at.hour * 3600 + at.minute // 5 * SLOT_SECONDS,
        event.kind,
        event.delivery_id or "",
        event.message_id or "",
        event.link_id or "",
        event.source_id or "",
    )
    if isinstance(event, Transaction):
        return (*fact, event.amount or Decimal(0), event.article or 0)
    return fact


def _keep_greater(kept: dict[str, _T], key: str, fact: _T) -> None:
    known = kept.get(key)
    if known is None or known < fact:
        kept[key] = fact


def _keep_least(kept: dict[str, _EventFact], key: str, fact: _EventFact) -> None:
    known = kept.setdefault(key, fact)
    if fact < known:
        kept[key] = fact


class Tally:
    """A mergeable fold over deliveries, messages, tracked links and events; two are equal when their facts are.

    >>> from datetime import UTC, datetime
    >>> tally = Tally()
    >>> tally.add(Click(occurred_at=datetime(2026, 3, 1, tzinfo=UTC), delivery_id="1", message_id="7", link_id="2"))
    >>> tally.add(Message(id="7", delivery_id="1", address="ann@gmail.com", status="sent"))
    >>> tally.counts().deliveries["1"].domains["Gmail"].clicked
    1
    """

    __slots__ = ("_anonymous", "_deliveries", "_identified", "_links", "_messages")

    def __init__(self) -> None:
        self._deliveries: dict[str, _Delivery] = {}
        self._messages: dict[str, dict[str, _Message]] = {}
        self._links: dict[str, dict[str, _Link]] = {}
        self._identified: dict[str, _EventFact] = {}
        self._anonymous: dict[_EventFact, int] = {}

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
                entry = _event_fact(fact)
                if fact.has_own_id:
                    _keep_least(identified, fact.id, entry)
                elif entry:
                    anonymous[entry] = anonymous.get(entry, 0) + 1
            elif isinstance(fact, Message):
                _keep_greater(self._messages.setdefault(fact.delivery_id, {}), fact.id, _message_fact(fact))
            elif isinstance(fact, TrackedLink):
                _keep_greater(self._links.setdefault(fact.delivery_id, {}), fact.id, _link_fact(fact))
            elif isinstance(fact, Delivery):
                _keep_greater(self._deliveries, fact.id, _delivery_fact(fact))
            else:
                raise InvalidValue(
                    "a tally takes deliveries, messages, tracked links and events, "
                    f"not {type(fact).__name__}: {fact!r:.80}"
                )

    def merge(self, other: Tally) -> Tally:
        """The tally of the facts of both; neither is changed."""
        both = self.copy()
        for delivery_id, delivery in other._deliveries.items():
            _keep_greater(both._deliveries, delivery_id, delivery)
        for delivery_id, messages in other._messages.items():
            kept_messages = both._messages.setdefault(delivery_id, {})
            for message_id, message in messages.items():
                _keep_greater(kept_messages, message_id, message)
        for delivery_id, links in other._links.items():
            kept_links = both._links.setdefault(delivery_id, {})
            for link_id, link in links.items():
                _keep_greater(kept_links, link_id, link)
        for event_id, entry in other._identified.items():
            _keep_least(both._identified, event_id, entry)
        for entry, times in other._anonymous.items():
            both._anonymous[entry] = both._anonymous.get(entry, 0) + times
        return both

    def copy(self) -> Tally:
        """A tally of the same facts that goes its own way."""
        twin = Tally()
        twin._deliveries = dict(self._deliveries)
        twin._messages = {delivery_id: dict(messages) for delivery_id, messages in self._messages.items()}
        twin._links = {delivery_id: dict(links) for delivery_id, links in self._links.items()}
        twin._identified = dict(self._identified)
        twin._anonymous = dict(self._anonymous)
        return twin

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tally):
            return NotImplemented
        return (
            self._identified == other._identified
            and self._anonymous == other._anonymous
            and self._messages == other._messages
            and self._links == other._links
            and self._deliveries == other._deliveries
        )

    def __repr__(self) -> str:
        messages = sum(map(len, self._messages.values()))
        events = len(self._identified) + sum(self._anonymous.values())
        return f"<Tally: {len(self._deliveries)} deliveries, {messages} messages, {events} events>"

    def counts(self) -> Counts:
        """The final numbers, in time that grows with the facts; the tally may take more facts in afterwards."""
        silent = {key for key, delivery in self._deliveries.items() if delivery.is_proof or delivery.is_template}
        books = {key: _Book(self._messages.get(key, {})) for key in {*self._deliveries, *self._messages} - silent}
        for entry, times in chain(zip(self._identified.values(), repeat(1)), self._anonymous.items()):
            if entry:
                delivery_id = entry[2]
                book = books.get(delivery_id)
                if book is None:
                    if delivery_id in silent:
                        continue
                    book = books[delivery_id] = _Book({})
                book.enter(entry, times)
        return Counts(
            deliveries={
                key: books[key].close(self._deliveries.get(key, _UNREGISTERED), self._links.get(key, {}))
                for key in sorted(books)
            },
            persons=len(set().union(*(book.persons for book in books.values()))),
        )


class _Book:
    """What the final pass gathers of one delivery."""

    __slots__ = ("amounts", "article", "clicked", "messages", "persons", "reacted", "rows", "rows_by_domain")

    def __init__(self, messages: Mapping[str, _Message]) -> None:
        self.messages = messages
        self.rows: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self.rows_by_domain: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.reacted: set[str] = set()
        self.clicked: set[str] = set()
        self.persons: set[str] = set()
        self.amounts: list[Decimal] = []
        self.article = 0

    def enter(self, entry: _EventFact, times: int) -> None:
        slot, kind, _, message_id, link_id, source_id = entry[:6]
        message = self.messages.get(message_id)
        if message is None:
            domain = OTHERS
        elif message.is_seed:
            return
        else:
            domain = message.domain
        self.rows[kind, link_id, slot] += times
        if kind not in REACTION_KINDS:
            return
        self.rows_by_domain[domain, kind] += times
        if message_id:
            self.reacted.add(message_id)
        if kind == Click.kind:
            if message_id:
                self.clicked.add(message_id)
            if source_id:
                self.persons.add(source_id)
        elif kind == Transaction.kind:
            self.amounts += [entry[6]] * times
            self.article += entry[7] * times

    def close(self, delivery: _Delivery, links: Mapping[str, _Link]) -> DeliveryCounts:
        domains = self._domains()
        slots: defaultdict[str, defaultdict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
        for (kind, link_id, slot), times in self.rows.items():
            slots[kind][link_id][slot] = times
        return DeliveryCounts(
            to_deliver=sum(d.to_deliver for d in domains.values()) if delivery.to_deliver < 0 else delivery.to_deliver,
            text=sum(d.text for d in domains.values()) if delivery.text < 0 else delivery.text,
            contact_at=None if delivery.contact_at == _NEVER else delivery.contact_at,
            channel=delivery.channel,
            domains=domains,
            persons=len(self.persons),
            slots=slots,
            links={
                link_id: LinkFacts(label=link.label, url=link.url, category=link.category, type=LinkType(link.type))
                for link_id, link in sorted(links.items())
                if link_id != OPEN_LINK_ID and link.type != LinkType.OPEN
            },
            amount=total_amount(self.amounts),
            article=self.article,
        )

    def _domains(self) -> dict[str, DomainCounts]:
        statuses: defaultdict[str, Counter[int]] = defaultdict(Counter)
        failures: defaultdict[str, Counter[int]] = defaultdict(Counter)
        text: Counter[str] = Counter()
        for message in self.messages.values():
            if not message.is_seed:
                statuses[message.domain][int(message.status)] += 1
                if message.status is MessageStatus.FAILED:
                    failures[message.domain][message.failure_reason] += 1
                if message.is_text and message.status is not MessageStatus.IGNORED:
                    text[message.domain] += 1
        reacted, clicked = (
            Counter(m.domain if (m := self.messages.get(key)) else OTHERS for key in keys)
            for keys in (self.reacted, self.clicked)
        )
        reactions: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (domain, kind), times in self.rows_by_domain.items():
            reactions[domain][kind] = times
        return {
            domain: DomainCounts(
                statuses=statuses[domain],
                failures=failures[domain],
                text=text[domain],
                reacted=reacted[domain],
                clicked=clicked[domain],
                reactions=reactions[domain],
            )
            for domain in sorted({*statuses, *reactions})
        }


def fold(
    deliveries: Iterable[Delivery],
    messages: Iterable[Message],
    links: Iterable[TrackedLink],
    events: Iterable[Event],
) -> Tally:
    """The tally of all of them; each iterable is read once and may be a stream.

    Raises:
        InvalidValue: something else is among them.
    """
    tally = Tally()
    tally.extend(chain(deliveries, messages, links, events))
    return tally
