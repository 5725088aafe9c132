"""The closing pass of a tally: what is gathered of one delivery, until its counts are made.

A book is entered with events in any order; sums and sets alone are kept, and what reports group by is cut when it is closed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from msgtrack._entries import NEVER, NO_SLOT, DeliveryEntry, EventEntry, LinkEntry, MessageEntry, slot_of
from msgtrack._people import People
from msgtrack._platform import Agent, Traffic, agent_fields
from msgtrack.counts import (
    PAGE_KINDS,
    REACTION_KINDS,
    SUCCESS,
    DeliveryCounts,
    DomainCounts,
    Excluded,
    Failures,
    LinkFacts,
    Opened,
    Reached,
    total_amount,
)
from msgtrack.domains import OTHERS
from msgtrack.events import Click, Transaction
from msgtrack.facts import (
    AddressState,
    AddressStatus,
    Exclusion,
    Fact,
    SharedView,
    Visitor,
)
from msgtrack.model import OPEN_LINK_ID, LinkType, MessageStatus

__all__ = ["Book", "recipients_of"]

_BITS = {kind: 1 << number for number, kind in enumerate(sorted(REACTION_KINDS))}
_UNREGISTERED_LINK = LinkFacts()
_IN_QUARANTINE = frozenset({AddressStatus.QUARANTINE, AddressStatus.DENYLISTED})


@lru_cache(maxsize=64)
def _kinds(mask: int) -> str:
    return " ".join(kind for kind, bit in _BITS.items() if mask & bit)


def _reach(masks: Iterable[int]) -> dict[str, int]:
    return {_kinds(mask): times for mask, times in Counter(masks).items()}


class _Handled(NamedTuple):
    times: dict[str, Counter[int]]
    sizes: dict[str, Counter[int]]
    undated: int
    unsized: int


class Book:
    """What is gathered of one delivery: events one by one, and the facts that belong to it."""

    __slots__ = (
        "_new_people",
        "agents",
        "amounts",
        "article",
        "day_masks",
        "day_people",
        "day_rows",
        "facts",
        "link_masks",
        "link_people",
        "masks",
        "messages",
        "people",
        "people_by_class",
        "rows",
        "rows_by_class",
    )

    def __init__(
        self, messages: Mapping[str, MessageEntry], facts: Iterable[Fact], new_people: Callable[[], People]
    ) -> None:
        self.messages = messages
        self.facts = tuple(facts)
        self._new_people = new_people
        self.rows: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self.rows_by_class: defaultdict[tuple[str, str, str], int] = defaultdict(int)
        self.day_rows: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.agents: defaultdict[tuple[Agent, str], int] = defaultdict(int)
        self.masks: defaultdict[str, int] = defaultdict(int)
        self.link_masks: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.day_masks: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.people = new_people()
        self.people_by_class: defaultdict[tuple[str, str], People] = defaultdict(new_people)
        self.link_people: defaultdict[str, People] = defaultdict(new_people)
        self.day_people: defaultdict[str, People] = defaultdict(new_people)
        self.amounts: list[Decimal] = []
        self.article = 0

    def enter(self, entry: EventEntry, times: int, day_of: Callable[[int], str], traffic: Traffic) -> None:
        """Take an event in, unless its message went to a seed."""
        slot, kind, _, message_id, link_id, source_id, _, agent = entry[:8]
        message = self.messages.get(message_id)
        if message is None:
            domain, variant = OTHERS, ""
        elif message.is_seed:
            return
        else:
            domain, variant = message.domain, message.variant
        self.rows[kind, link_id, slot] += times
        bit = _BITS.get(kind)
        if bit is None:
            return
        day = day_of(slot)
        self.rows_by_class[domain, variant, kind] += times
        self.day_rows[day, kind] += times
        self.agents[agent, kind] += times
        if message_id:
            self.masks[message_id] |= bit
            self.link_masks[link_id, message_id] |= bit
            self.day_masks[day, message_id] |= bit
        if kind in PAGE_KINDS:
            traffic.enter(entry, times, day)
        if kind == Click.kind:
            if source_id:
                self.people.add(source_id)
                self.people_by_class[domain, variant].add(source_id)
                self.link_people[link_id].add(source_id)
                self.day_people[day].add(source_id)
        elif kind == Transaction.kind:
            self.amounts += [entry[8]] * times
            self.article += entry[9] * times

    def close(self, delivery: DeliveryEntry, links: Mapping[str, LinkEntry]) -> DeliveryCounts:
        """The numbers of the delivery, its links and its messages being these."""
        domains = self._classes(lambda message: message.domain, OTHERS, 0)
        has_variants = any(message.variant for message in self.messages.values() if not message.is_seed)
        slots: defaultdict[str, defaultdict[str, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))
        for (kind, link_id, slot), times in self.rows.items():
            slots[kind][link_id][slot] = times
        to_deliver = sum(d.to_deliver for d in domains.values()) if delivery.to_deliver < 0 else delivery.to_deliver
        exclusions = [fact for fact in self.facts if isinstance(fact, Exclusion) and not fact.is_seed]
        reject = delivery.reject if delivery.reject >= 0 else len(exclusions) or None
        total_target: int | None = delivery.total_target
        if delivery.total_target < 0:
            total_target = None if reject is None else to_deliver + reject
        known_links = {
            link_id: LinkFacts(label=link.label, url=link.url, category=link.category, type=LinkType(link.type))
            for link_id, link in sorted(links.items())
            if link_id != OPEN_LINK_ID and link.type != LinkType.OPEN
        }
        handled = self._handled()
        visitors = [fact for fact in self.facts if isinstance(fact, Visitor)]
        return DeliveryCounts(
            to_deliver=to_deliver,
            text=sum(d.text for d in domains.values()) if delivery.text < 0 else delivery.text,
            contact_at=None if delivery.contact_at == NEVER else delivery.contact_at,
            channel=delivery.channel,
            domains=domains,
            persons=len(self.people),
            slots=slots,
            links=known_links,
            amount=total_amount(self.amounts),
            article=self.article,
            typology=delivery.typology,
            total_target=total_target,
            reject=reject,
            exclusions=_excluded(exclusions),
            new_quarantine=self._new_quarantine(delivery.channel),
            handled=handled.times,
            handled_bytes=handled.sizes,
            undated=handled.undated,
            unsized=handled.unsized,
            agents=self._agents(),
            variants=self._classes(lambda message: message.variant, "", 1) if has_variants else {},
            groups=self._groups(known_links),
            shared_views=self._shared_views(),
            visitors=len(visitors),
            new_contacts=Counter(
                -1 if visitor.created_at is None else slot_of(visitor.created_at)
                for visitor in visitors
                if visitor.recipient_id is not None
            ),
            derived=_derived(delivery, reject),
        )

    def _classes(self, class_of: Callable[[MessageEntry], str], unknown: str, place: int) -> dict[str, DomainCounts]:
        """The messages and reactions by a field of the message, which stands at ``place`` in the keys of rows."""
        messages: defaultdict[str, list[MessageEntry]] = defaultdict(list)
        for message in self.messages.values():
            if not message.is_seed:
                messages[class_of(message)].append(message)
        masks: defaultdict[str, list[int]] = defaultdict(list)
        for message_id, mask in self.masks.items():
            known = self.messages.get(message_id)
            masks[unknown if known is None else class_of(known)].append(mask)
        people: defaultdict[str, People] = defaultdict(self._new_people)
        for classes, of_class in self.people_by_class.items():
            people[classes[place]].absorb(of_class)
        reactions: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row, times in self.rows_by_class.items():
            reactions[row[place]][row[2]] += times
        click = _BITS[Click.kind]
        return {
            name: DomainCounts(
                statuses=Counter(int(m.status) for m in messages[name]),
                failures=Counter(m.failure_reason for m in messages[name] if m.status is MessageStatus.FAILED),
                text=sum(m.is_text and m.status is not MessageStatus.IGNORED for m in messages[name]),
                reacted=len(masks[name]),
                clicked=sum(mask & click != 0 for mask in masks[name]),
                reactions=reactions[name],
                reach=_reach(masks[name]),
                persons=len(people[name]) if name in people else 0,
                outcomes=_failures(messages[name]),
                quarantined=sum(m.is_quarantine for m in messages[name]),
            )
            for name in sorted({*messages, *reactions})
        }

    def _handled(self) -> _Handled:
        times: dict[str, Counter[int]] = {"success": Counter(), "error": Counter()}
        sizes: dict[str, Counter[int]] = {"success": Counter(), "error": Counter()}
        undated = unsized = 0
        for message in self.messages.values():
            is_error = message.status is MessageStatus.FAILED
            if message.is_seed or not (is_error or message.status in SUCCESS):
                continue
            undated += message.handled == NO_SLOT
            unsized += message.size_bytes < 0
            if message.handled != NO_SLOT:
                outcome = "error" if is_error else "success"
                times[outcome][message.handled] += 1
                sizes[outcome][message.handled] += max(message.size_bytes, 0)
        return _Handled(times=times, sizes=sizes, undated=undated, unsized=unsized)

    def _agents(self) -> tuple[Opened, ...]:
        reactions: defaultdict[Agent, dict[str, int]] = defaultdict(dict)
        for (agent, kind), times in self.agents.items():
            reactions[agent][kind] = times
        return tuple(Opened(**agent_fields(agent), reactions=reactions[agent]) for agent in sorted(reactions))

    def _groups(self, links: Mapping[str, LinkFacts]) -> dict[str, dict[str, Reached]]:
        day_rows: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (day, kind), times in self.day_rows.items():
            day_rows[day][kind] = times
        day_masks: defaultdict[str, list[int]] = defaultdict(list)
        for (day, _), mask in self.day_masks.items():
            day_masks[day].append(mask)
        days = {
            day: Reached(
                reach=_reach(day_masks[day]),
                persons=len(self.day_people[day]) if day in self.day_people else 0,
                reactions=day_rows[day],
            )
            for day in sorted(day_rows)
        }
        names: dict[str, Callable[[str], str]] = {
            "link": lambda link_id: link_id,
            "label": lambda link_id: (link := links.get(link_id, _UNREGISTERED_LINK)).label or link.url,
            "url": lambda link_id: links.get(link_id, _UNREGISTERED_LINK).url,
            "category": lambda link_id: links.get(link_id, _UNREGISTERED_LINK).category,
            "type": lambda link_id: links.get(link_id, _UNREGISTERED_LINK).type.name.lower(),
        }
        return {"day": days, **{by: self._by_link(name_of) for by, name_of in names.items()}}

    def _by_link(self, name_of: Callable[[str], str]) -> dict[str, Reached]:
        """Reactions by a name of their link; a message that followed two links of one name is there once."""
        masks: defaultdict[tuple[str, str], int] = defaultdict(int)
        for (link_id, message_id), mask in self.link_masks.items():
            masks[name_of(link_id), message_id] |= mask
        of_name: defaultdict[str, list[int]] = defaultdict(list)
        for (name, _), mask in masks.items():
            of_name[name].append(mask)
        people: defaultdict[str, People] = defaultdict(self._new_people)
        for link_id, of_link in self.link_people.items():
            people[name_of(link_id)].absorb(of_link)
        reactions: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for (kind, link_id, _), times in self.rows.items():
            if kind in REACTION_KINDS:
                reactions[name_of(link_id)][kind] += times
        return {
            name: Reached(
                reach=_reach(of_name[name]),
                persons=len(people[name]) if name in people else 0,
                reactions=reactions[name],
            )
            for name in sorted(reactions)
        }

    def _shared_views(self) -> dict[str, Counter[int]]:
        views: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for fact in self.facts:
            if isinstance(fact, SharedView):
                views[fact.network][slot_of(fact.occurred_at)] += 1
        return views

    def _new_quarantine(self, channel: str) -> int:
        addresses = {
            (fact.channel, fact.address)
            for fact in self.facts
            if isinstance(fact, AddressState) and fact.status in _IN_QUARANTINE
        }
        nameless = 0
        for message in self.messages.values():
            if message.is_quarantine and not message.is_seed:
                nameless += not message.address
                if message.address:
                    addresses.add((channel, message.address))
        return len(addresses) + nameless


def _derived(delivery: DeliveryEntry, reject: int | None) -> Iterator[str]:
    if delivery.to_deliver < 0:
        yield "to_deliver"
    if delivery.text < 0:
        yield "text"
    if delivery.total_target < 0 and reject is not None:
        yield "total_target"
    if delivery.reject < 0 and reject is not None:
        yield "reject"


def _excluded(exclusions: Iterable[Exclusion]) -> tuple[Excluded, ...]:
    times = Counter((int(exclusion.failure_reason), exclusion.rule) for exclusion in exclusions)
    return tuple(
        Excluded(failure_reason=reason, rule=rule, times=times[reason, rule]) for reason, rule in sorted(times)
    )


def _failures(messages: Iterable[MessageEntry]) -> tuple[Failures, ...]:
    times = Counter((int(m.status), m.failure_type, m.failure_reason) for m in messages)
    return tuple(
        Failures(status=status, failure_type=kind, failure_reason=reason, messages=times[status, kind, reason])
        for status, kind, reason in sorted(times)
        if kind or reason
    )


def recipients_of(books: Mapping[str, Book]) -> dict[str, int]:
    """Distinct recipients over all deliveries, by the kinds they showed."""
    masks: defaultdict[object, int] = defaultdict(int)
    for delivery_id, book in books.items():
        for message_id, mask in book.masks.items():
            message = book.messages.get(message_id)
            masks[(message and message.recipient_id) or (delivery_id, message_id)] |= mask
    return _reach(masks.values())
