"""The closing pass of a tally: what is gathered of one delivery, until its counts are made.

Its events are entered in any order, in groups; what reports group by is cut when the book is closed. A closed book takes
more events in, and is closed again from its sums and sets: no event is looked at twice.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from msgtrack._closing import GROUPS_OF_LINKS, Handled, OfEvents, OfMessages, Profile, closed, handled_of, tracked
from msgtrack._entries import PROGRESS, DeliveryEntry, EventEntry, LinkEntry, MessageEntry
from msgtrack._people import People
from msgtrack._platform import Traffic
from msgtrack._reactions import Class, Reactions, cells
from msgtrack.counts import DeliveryCounts, LinkFacts, Reached
from msgtrack.facts import Fact
from msgtrack.model import LinkType

__all__ = ["Book", "recipients_of"]

_UNREGISTERED_LINK = LinkFacts()
_STATUSES = {rank: status for status, rank in PROGRESS.items()}
_PROFILE = itemgetter(
    *map(
        MessageEntry._fields.index,
        ("is_seed", "domain", "variant", "progress", "failure_type", "failure_reason", "is_text", "is_quarantine"),
    )
)
_HANDLED = itemgetter(*map(MessageEntry._fields.index, ("is_seed", "progress", "handled", "size_bytes")))


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
        self._links = tracked(links)
        mobile = frozenset(name for name, link in self._links.items() if link.type is LinkType.MOBILE_CLICK)
        self.reactions = Reactions(messages, mobile, new_people)
        self.traffic = Traffic()
        self._of_messages: OfMessages | None = None
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
            self._of_messages = OfMessages(self._profiles(), self._handled(), *self._quarantined())
        return closed(delivery, self._links, self.facts, self._of_messages, self._of_events())

    def _of_events(self) -> OfEvents:
        reactions = self.reactions
        reach: defaultdict[Class, dict[str, int]] = defaultdict(dict)
        for kinds, members in self.cells:
            for of_class, times in Counter(map(reactions.class_of, members)).items():
                reach[of_class][kinds] = times
        return OfEvents(
            rows=reactions.rows,
            reactions=reactions.rows_by_class,
            reach=reach,
            persons=len(self.people),
            persons_by_domain=self._persons(0),
            persons_by_variant=self._persons(1),
            agents=reactions.agents,
            groups=self._groups(),
            amounts=reactions.amounts,
            article=reactions.article,
        )

    def _persons(self, place: int) -> dict[str, int]:
        people: defaultdict[str, People] = defaultdict(self._new_people)
        for of_class, source_ids in self.reactions.people_by_class.items():
            people[of_class[place]].update(source_ids)
        return {name: len(of_name) for name, of_name in people.items()}

    def _profiles(self) -> dict[Profile, int]:
        """How many messages there are of each profile, seeds left out."""
        return {
            Profile((domain, variant), _STATUSES[progress], *rest): times
            for (is_seed, domain, variant, progress, *rest), times in Counter(
                map(_PROFILE, self.messages.values())
            ).items()
            if not is_seed
        }

    def _handled(self) -> Handled:
        return handled_of(
            (_STATUSES[progress], slot, messages, messages * (size < 0), messages * max(size, 0))
            for (is_seed, progress, slot, size), messages in Counter(map(_HANDLED, self.messages.values())).items()
            if not is_seed
        )

    def _groups(self) -> dict[str, dict[str, Reached]]:
        def by(name_of: Callable[[LinkFacts], str]) -> Callable[[str], str]:
            return lambda link_id: name_of(self._links.get(link_id, _UNREGISTERED_LINK))

        names: dict[str, Callable[[str], str]] = {
            "link": lambda link_id: link_id,
            **{group: by(name_of) for group, name_of in GROUPS_OF_LINKS.items()},
        }
        by_link = self.reactions.by_link(*names.values())
        return {"day": self.reactions.by_day(), **dict(zip(names, by_link, strict=True))}

    def _quarantined(self) -> tuple[frozenset[str], int]:
        """The addresses that messages put in quarantine, and how many such messages name none."""
        addresses = [m.address for m in self.messages.values() if m.is_quarantine and not m.is_seed]
        return frozenset(filter(None, addresses)), addresses.count("")

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
