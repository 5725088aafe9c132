"""The last step of a tally: the numbers of one delivery, from what was gathered of its messages and of its events.

Whoever gathered, the closing pass in memory or the engine of a store, the numbers are made here and only here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from msgtrack._entries import NEVER, NO_SLOT, DeliveryEntry, LinkEntry, slot_of
from msgtrack._platform import Agent, agent_fields
from msgtrack._reactions import Class
from msgtrack.counts import (
    SUCCESS,
    DeliveryCounts,
    DomainCounts,
    Excluded,
    Failures,
    LinkFacts,
    Opened,
    Reached,
    distinct,
    total_amount,
)
from msgtrack.events import Click
from msgtrack.facts import (
    AddressState,
    AddressStatus,
    Exclusion,
    Fact,
    SharedView,
    Visitor,
)
from msgtrack.model import OPEN_LINK_ID, LinkType, MessageStatus

__all__ = [
    "GROUPS_OF_LINKS",
    "Handled",
    "OfEvents",
    "OfMessages",
    "Profile",
    "closed",
    "handled_of",
    "is_tracked",
    "tracked",
]

_IN_QUARANTINE = frozenset({AddressStatus.QUARANTINE, AddressStatus.DENYLISTED})

GROUPS_OF_LINKS: Mapping[str, Callable[[LinkFacts], str]] = {
    "label": lambda link: link.label or link.url,
    "url": lambda link: link.url,
    "category": lambda link: link.category,
    "type": lambda link: link.type.name.lower(),
}
"""What reports group links by, beside their ids."""


class Profile(NamedTuple):
    """What messages have in common that are counted alike."""

    of_class: Class
    status: MessageStatus
    failure_type: int
    failure_reason: int
    is_text: bool
    is_quarantine: bool


class Handled(NamedTuple):
    """Messages and bytes by outcome and slot, and how many lack a moment or a size."""

    times: Mapping[str, Counter[int]]
    sizes: Mapping[str, Counter[int]]
    undated: int
    unsized: int


class OfMessages(NamedTuple):
    """What is gathered of the messages of a delivery, seeds left out: how many there are of each profile, the addresses that they
    put in quarantine, and how many that did name no address.
    """

    profiles: Mapping[Profile, int]
    handled: Handled
    quarantined: frozenset[str]
    nameless: int


class OfEvents(NamedTuple):
    """What is gathered of the events of a delivery, those of seeds left out.

    Rows by kind and link, then by slot; reaction rows by class and kind; distinct messages by class and by the kinds that they
    showed; distinct persons, and those by domain class and by variant; reaction rows by program and kind.
    """

    rows: Mapping[tuple[str, str], Mapping[int, int]]
    reactions: Mapping[tuple[Class, str], int]
    reach: Mapping[Class, Mapping[str, int]]
    persons: int
    persons_by_domain: Mapping[str, int]
    persons_by_variant: Mapping[str, int]
    agents: Mapping[tuple[Agent, str], int]
    groups: Mapping[str, Mapping[str, Reached]]
    amounts: Iterable[Decimal]
    article: int


def is_tracked(link_id: str, link_type: int) -> bool:
    """Whether reports know a link: the open is none."""
    return link_id != OPEN_LINK_ID and link_type != LinkType.OPEN


def tracked(links: Mapping[str, LinkEntry]) -> dict[str, LinkFacts]:
    """The links of a delivery that reports know, by id in order."""
    return {
        link_id: LinkFacts(label=link.label, url=link.url, category=link.category, type=LinkType(link.type))
        for link_id, link in sorted(links.items())
        if is_tracked(link_id, link.type)
    }


def handled_of(rows: Iterable[tuple[MessageStatus, int, int, int, int]]) -> Handled:
    """What was handled, of (status, slot, messages, those of them without a size, bytes of the others)."""
    times: dict[str, Counter[int]] = {"success": Counter(), "error": Counter()}
    sizes: dict[str, Counter[int]] = {"success": Counter(), "error": Counter()}
    undated = unsized = 0
    for status, slot, messages, without_size, size_bytes in rows:
        is_error = status is MessageStatus.FAILED
        if not (is_error or status in SUCCESS):
            continue
        unsized += without_size
        if slot == NO_SLOT:
            undated += messages
        else:
            outcome = "error" if is_error else "success"
            times[outcome][slot] += messages
            sizes[outcome][slot] += size_bytes
    return Handled(times=times, sizes=sizes, undated=undated, unsized=unsized)


def closed(
    delivery: DeliveryEntry,
    links: Mapping[str, LinkFacts],
    facts: Collection[Fact],
    of_messages: OfMessages,
    of_events: OfEvents,
) -> DeliveryCounts:
    """The numbers of a delivery: what it says of itself, its tracked links, the facts that belong to it, and what was gathered."""
    profiles, handled, quarantined, nameless = of_messages
    domains = _classes(profiles, of_events, 0, of_events.persons_by_domain)
    has_variants = any(profile.of_class[1] for profile in profiles)
    slots: defaultdict[str, dict[str, Mapping[int, int]]] = defaultdict(dict)
    for (kind, link_id), times in of_events.rows.items():
        slots[kind][link_id] = times
    to_deliver = sum(d.to_deliver for d in domains.values()) if delivery.to_deliver < 0 else delivery.to_deliver
    exclusions = [fact for fact in facts if isinstance(fact, Exclusion) and not fact.is_seed]
    reject = delivery.reject if delivery.reject >= 0 else len(exclusions) or None
    total_target: int | None = delivery.total_target
    if delivery.total_target < 0:
        total_target = None if reject is None else to_deliver + reject
    visitors = [fact for fact in facts if isinstance(fact, Visitor)]
    return DeliveryCounts(
        to_deliver=to_deliver,
        text=sum(d.text for d in domains.values()) if delivery.text < 0 else delivery.text,
        contact_at=None if delivery.contact_at == NEVER else delivery.contact_at,
        channel=delivery.channel,
        domains=domains,
        persons=of_events.persons,
        slots=slots,
        links=links,
        amount=total_amount(of_events.amounts),
        article=of_events.article,
        typology=delivery.typology,
        total_target=total_target,
        reject=reject,
        exclusions=_excluded(exclusions),
        new_quarantine=_new_quarantine({(delivery.channel, address) for address in quarantined}, facts) + nameless,
        handled=handled.times,
        handled_bytes=handled.sizes,
        undated=handled.undated,
        unsized=handled.unsized,
        agents=_agents(of_events.agents),
        variants=_classes(profiles, of_events, 1, of_events.persons_by_variant) if has_variants else {},
        groups=of_events.groups,
        shared_views=_shared_views(facts),
        visitors=len(visitors),
        new_contacts=Counter(
            -1 if visitor.created_at is None else slot_of(visitor.created_at)
            for visitor in visitors
            if visitor.recipient_id is not None
        ),
        derived=_derived(delivery, reject),
    )


def _classes(
    profiles: Mapping[Profile, int], of_events: OfEvents, place: int, persons: Mapping[str, int]
) -> dict[str, DomainCounts]:
    """The messages and reactions by domain class (place 0) or by variant (place 1)."""
    messages: defaultdict[str, Counter[Profile]] = defaultdict(Counter)
    for profile, times in profiles.items():
        messages[profile.of_class[place]][profile] += times
    reach: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for of_class, shown in of_events.reach.items():
        reach[of_class[place]].update(shown)
    reactions: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (of_class, kind), times in of_events.reactions.items():
        reactions[of_class[place]][kind] += times
    return {
        name: DomainCounts(
            statuses=_added(messages[name], lambda p: int(p.status)),
            failures=_added(messages[name], lambda p: p.failure_reason, lambda p: p.status is MessageStatus.FAILED),
            text=_times(messages[name], lambda p: p.is_text and p.status is not MessageStatus.IGNORED),
            reacted=distinct(reach[name]),
            clicked=distinct(reach[name], Click.kind),
            reactions=reactions[name],
            reach=reach[name],
            persons=persons.get(name, 0),
            outcomes=_failures(messages[name]),
            quarantined=_times(messages[name], lambda p: p.is_quarantine),
        )
        for name in sorted({*messages, *reactions})
    }


def _agents(rows: Mapping[tuple[Agent, str], int]) -> tuple[Opened, ...]:
    reactions: defaultdict[Agent, dict[str, int]] = defaultdict(dict)
    for (agent, kind), times in rows.items():
        reactions[agent][kind] = times
    return tuple(Opened(**agent_fields(agent), reactions=reactions[agent]) for agent in sorted(reactions))


def _shared_views(facts: Iterable[Fact]) -> dict[str, Counter[int]]:
    views: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for fact in facts:
        if isinstance(fact, SharedView):
            views[fact.network][slot_of(fact.occurred_at)] += 1
    return views


def _new_quarantine(addresses: set[tuple[str, str]], facts: Iterable[Fact]) -> int:
    return len(
        addresses.union(
            (fact.channel, fact.address)
            for fact in facts
            if isinstance(fact, AddressState) and fact.status in _IN_QUARANTINE
        )
    )


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


def _times(messages: Mapping[Profile, int], test: Callable[[Profile], bool]) -> int:
    return sum(times for profile, times in messages.items() if test(profile))


def _added(
    messages: Mapping[Profile, int],
    key_of: Callable[[Profile], int],
    test: Callable[[Profile], bool] = lambda profile: True,
) -> Counter[int]:
    added: Counter[int] = Counter()
    for profile, times in messages.items():
        if test(profile):
            added[key_of(profile)] += times
    return added


def _failures(messages: Mapping[Profile, int]) -> tuple[Failures, ...]:
    found: Counter[tuple[int, int, int]] = Counter()
    for profile, times in messages.items():
        found[int(profile.status), profile.failure_type, profile.failure_reason] += times
    return tuple(
        Failures(status=status, failure_type=kind, failure_reason=reason, messages=found[status, kind, reason])
        for status, kind, reason in sorted(found)
        if kind or reason
    )
