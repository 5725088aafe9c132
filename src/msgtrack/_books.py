"""The closing pass of a tally: what is gathered of one delivery, until its counts are made.

Its events are entered in any order, in groups; what reports group by is cut when the book is closed. A closed book takes
more events in, and is closed again from its sums and sets: no event is looked at twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from msgtrack._entries import NEVER, NO_SLOT, PROGRESS, DeliveryEntry, EventEntry, LinkEntry, MessageEntry, slot_of
from msgtrack._people import People
from msgtrack._platform import Agent, Traffic, agent_fields
from msgtrack._reactions import Class, Reactions, cells
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

__all__ = ["Book", "recipients_of"]

_UNREGISTERED_LINK = LinkFacts()
_IN_QUARANTINE = frozenset({AddressStatus.QUARANTINE, AddressStatus.DENYLISTED})
_STATUSES = {rank: status for status, rank in PROGRESS.items()}
_PROFILE = itemgetter(
    *map(
        MessageEntry._fields.index,
        ("is_seed", "domain", "variant", "progress", "failure_type", "failure_reason", "is_text", "is_quarantine"),
    )
)
_HANDLED = itemgetter(*map(MessageEntry._fields.index, ("is_seed", "progress", "handled", "size_bytes")))


class _Handled(NamedTuple):
    times: dict[str, Counter[int]]
    sizes: dict[str, Counter[int]]
    undated: int
    unsized: int


class _Profile(NamedTuple):
    """What messages have in common that are counted alike."""

    of_class: Class
    status: MessageStatus
    failure_type: int
    failure_reason: int
    is_text: bool
    is_quarantine: bool


class _OfMessages(NamedTuple):
    """What a book says of its messages alone."""

    profiles: dict[_Profile, int]
    handled: _Handled
    quarantined: frozenset[str]
    nameless: int


class _Recipients(NamedTuple):
    """Recipients by kind, and messages of no known recipient by the kinds they showed."""

    nameless: Counter[str]
    shown: Mapping[str, set[str]]


class Book:
    """What is gathered of one delivery: its messages, its links, the facts that belong to it, and its events.

    Messages and links stay as they are while the book is used; facts may change until it is closed again.
    """

    __slots__ = (
        "_cells",
        "_links",
        "_named",
        "_new_people",
        "_of_messages",
        "_people",
        "_recipients",
        "facts",
        "messages",
        "reactions",
        "traffic",
    )

    def __init__(
        self,
        messages: Mapping[str, MessageEntry],
        links: Mapping[str, LinkEntry],
        facts: Collection[Fact],
        new_people: Callable[[], People],
    ) -> None:
        self.messages = messages
        self.facts = facts
        self._new_people = new_people
        self._links = {
            link_id: LinkFacts(label=link.label, url=link.url, category=link.category, type=LinkType(link.type))
            for link_id, link in sorted(links.items())
            if link_id != OPEN_LINK_ID and link.type != LinkType.OPEN
        }
        mobile = frozenset(name for name, link in self._links.items() if link.type is LinkType.MOBILE_CLICK)
        self.reactions = Reactions(messages, mobile, new_people)
        self.traffic = Traffic()
        self._of_messages: _OfMessages | None = None
        self._named: dict[str, str] | None = None
        self._forget()

    def _forget(self) -> None:
        """Forget what was read of the events, because more of them came."""
        self._cells: Sequence[tuple[str, Collection[str]]] | None = None
        self._people: People | None = None
        self._recipients: _Recipients | None = None

    def enter(
        self, entries: Iterable[EventEntry], repeats: Sequence[tuple[EventEntry, int]], day_of: Callable[[int], str]
    ) -> None:
        """Take events in: some, and some that came several times each."""
        self._forget()
        groups: defaultdict[tuple[str, str, str], list[EventEntry]] = defaultdict(list)
        for entry in chain(entries, (entry for entry, _ in repeats)):
            groups[entry[1], entry[4], day_of(entry[0])].append(entry)
        for (kind, link_id, day), group in groups.items():
            self.reactions.enter(kind, link_id, day, group, self.traffic)
        for entry, times in repeats:
            if times > 1:
                self.reactions.repeat(entry, day_of(entry[0]), times - 1, self.traffic)

    @property
    def cells(self) -> Sequence[tuple[str, Collection[str]]]:
        """The messages that reacted, parted by the kinds they showed."""
        if self._cells is None:
            self._cells = cells(self.reactions.shown())
        return self._cells

    @property
    def people(self) -> People:
        """All who clicked."""
        if self._people is None:
            self._people = self.reactions.people()
        return self._people

    @property
    def recipients(self) -> _Recipients:
        """The recipients of messages that reacted."""
        if self._recipients is None:
            self._recipients = self._read_recipients()
        return self._recipients

    def close(self, delivery: DeliveryEntry) -> DeliveryCounts:
        """The numbers of the delivery, which says this of itself."""
        if self._of_messages is None:
            self._of_messages = _OfMessages(self._profiles(), self._handled(), *self._quarantined())
        profiles, handled, quarantined, nameless = self._of_messages
        domains = self._classes(profiles, 0)
        has_variants = any(profile.of_class[1] for profile in profiles)
        slots: defaultdict[str, dict[str, Counter[int]]] = defaultdict(dict)
        for (kind, link_id), times in self.reactions.rows.items():
            slots[kind][link_id] = times
        to_deliver = sum(d.to_deliver for d in domains.values()) if delivery.to_deliver < 0 else delivery.to_deliver
        exclusions = [fact for fact in self.facts if isinstance(fact, Exclusion) and not fact.is_seed]
        reject = delivery.reject if delivery.reject >= 0 else len(exclusions) or None
        total_target: int | None = delivery.total_target
        if delivery.total_target < 0:
            total_target = None if reject is None else to_deliver + reject
        visitors = [fact for fact in self.facts if isinstance(fact, Visitor)]
        return DeliveryCounts(
            to_deliver=to_deliver,
            text=sum(d.text for d in domains.values()) if delivery.text < 0 else delivery.text,
            contact_at=None if delivery.contact_at == NEVER else delivery.contact_at,
            channel=delivery.channel,
            domains=domains,
            persons=len(self.people),
            slots=slots,
            links=self._links,
            amount=total_amount(self.reactions.amounts),
            article=self.reactions.article,
            typology=delivery.typology,
            total_target=total_target,
            reject=reject,
            exclusions=_excluded(exclusions),
            new_quarantine=self._new_quarantine({(delivery.channel, address) for address in quarantined}) + nameless,
            handled=handled.times,
            handled_bytes=handled.sizes,
            undated=handled.undated,
            unsized=handled.unsized,
            agents=self._agents(),
            variants=self._classes(profiles, 1) if has_variants else {},
            groups=self._groups(),
            shared_views=self._shared_views(),
            visitors=len(visitors),
            new_contacts=Counter(
                -1 if visitor.created_at is None else slot_of(visitor.created_at)
                for visitor in visitors
                if visitor.recipient_id is not None
            ),
            derived=_derived(delivery, reject),
        )

    def _profiles(self) -> dict[_Profile, int]:
        """How many messages there are of each profile, seeds left out."""
        return {
            _Profile((domain, variant), _STATUSES[progress], *rest): times
            for (is_seed, domain, variant, progress, *rest), times in Counter(
                map(_PROFILE, self.messages.values())
            ).items()
            if not is_seed
        }

    def _classes(self, profiles: Mapping[_Profile, int], place: int) -> dict[str, DomainCounts]:
        """The messages and reactions by domain class (place 0) or by variant (place 1)."""
        messages: defaultdict[str, Counter[_Profile]] = defaultdict(Counter)
        for profile, times in profiles.items():
            messages[profile.of_class[place]][profile] += times
        reach: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for kinds, members in self.cells:
            for of_class, times in Counter(map(self.reactions.class_of, members)).items():
                reach[of_class[place]][kinds] += times
        people: defaultdict[str, People] = defaultdict(self._new_people)
        for of_class, source_ids in self.reactions.people_by_class.items():
            people[of_class[place]].update(source_ids)
        reactions: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for (of_class, kind), times in self.reactions.rows_by_class.items():
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
                persons=len(people[name]),
                outcomes=_failures(messages[name]),
                quarantined=_times(messages[name], lambda p: p.is_quarantine),
            )
            for name in sorted({*messages, *reactions})
        }

    def _handled(self) -> _Handled:
        times: dict[str, Counter[int]] = {"success": Counter(), "error": Counter()}
        sizes: dict[str, Counter[int]] = {"success": Counter(), "error": Counter()}
        undated = unsized = 0
        for (is_seed, progress, slot, size), messages in Counter(map(_HANDLED, self.messages.values())).items():
            status = _STATUSES[progress]
            is_error = status is MessageStatus.FAILED
            if is_seed or not (is_error or status in SUCCESS):
                continue
            undated += messages * (slot == NO_SLOT)
            unsized += messages * (size < 0)
            if slot != NO_SLOT:
                outcome = "error" if is_error else "success"
                times[outcome][slot] += messages
                sizes[outcome][slot] += messages * max(size, 0)
        return _Handled(times=times, sizes=sizes, undated=undated, unsized=unsized)

    def _agents(self) -> tuple[Opened, ...]:
        reactions: defaultdict[Agent, dict[str, int]] = defaultdict(dict)
        for (agent, kind), times in self.reactions.agents.items():
            reactions[agent][kind] = times
        return tuple(Opened(**agent_fields(agent), reactions=reactions[agent]) for agent in sorted(reactions))

    def _groups(self) -> dict[str, dict[str, Reached]]:
        def facts_of(link_id: str) -> LinkFacts:
            return self._links.get(link_id, _UNREGISTERED_LINK)

        names: dict[str, Callable[[str], str]] = {
            "link": lambda link_id: link_id,
            "label": lambda link_id: (link := facts_of(link_id)).label or link.url,
            "url": lambda link_id: facts_of(link_id).url,
            "category": lambda link_id: facts_of(link_id).category,
            "type": lambda link_id: facts_of(link_id).type.name.lower(),
        }
        by_link = self.reactions.by_link(*names.values())
        return {"day": self.reactions.by_day(), **dict(zip(names, by_link, strict=True))}

    def _shared_views(self) -> dict[str, Counter[int]]:
        views: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for fact in self.facts:
            if isinstance(fact, SharedView):
                views[fact.network][slot_of(fact.occurred_at)] += 1
        return views

    def _quarantined(self) -> tuple[frozenset[str], int]:
        """The addresses that messages put in quarantine, and how many such messages name none."""
        addresses = [m.address for m in self.messages.values() if m.is_quarantine and not m.is_seed]
        return frozenset(filter(None, addresses)), addresses.count("")

    def _new_quarantine(self, addresses: set[tuple[str, str]]) -> int:
        return len(
            addresses.union(
                (fact.channel, fact.address)
                for fact in self.facts
                if isinstance(fact, AddressState) and fact.status in _IN_QUARANTINE
            )
        )

    def _read_recipients(self) -> _Recipients:
        if self._named is None:
            self._named = {
                name: message.recipient_id for name, message in self.messages.items() if message.recipient_id
            }
        named = self._named
        nameless: Counter[str] = Counter()
        shown: defaultdict[str, set[str]] = defaultdict(set)
        for kinds, members in self.cells:
            recipients = [named[name] for name in members if name in named] if named else []
            nameless[kinds] += len(members) - len(recipients)
            for kind in kinds.split() if recipients else ():
                shown[kind].update(recipients)
        return _Recipients(nameless, shown)


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


def _times(messages: Mapping[_Profile, int], test: Callable[[_Profile], bool]) -> int:
    return sum(times for profile, times in messages.items() if test(profile))


def _added(
    messages: Mapping[_Profile, int],
    key_of: Callable[[_Profile], int],
    test: Callable[[_Profile], bool] = lambda profile: True,
) -> Counter[int]:
    added: Counter[int] = Counter()
    for profile, times in messages.items():
        if test(profile):
            added[key_of(profile)] += times
    return added


def _failures(messages: Mapping[_Profile, int]) -> tuple[Failures, ...]:
    found: Counter[tuple[int, int, int]] = Counter()
    for profile, times in messages.items():
        found[int(profile.status), profile.failure_type, profile.failure_reason] += times
    return tuple(
        Failures(status=status, failure_type=kind, failure_reason=reason, messages=found[status, kind, reason])
        for status, kind, reason in sorted(found)
        if kind or reason
    )


def recipients_of(books: Iterable[Book]) -> dict[str, int]:
    """Distinct recipients over all deliveries, by the kinds they showed."""
    nameless: Counter[str] = Counter()
    shown: defaultdict[str, set[str]] = defaultdict(set)
    for book in books:
        nameless.update(book.recipients.nameless)
        for kind, recipients in book.recipients.shown.items():
            shown[kind] |= recipients
    for kinds, members in cells(shown):
        nameless[kinds] += len(members)
    return nameless
