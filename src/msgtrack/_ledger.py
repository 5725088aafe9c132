"""The books that a tally has closed and keeps, so that a report works on what came since the last one.

Events of a delivery lie in lists that grow at their end, so a kept book enters what lies past the place that it has read
to. What is no growth (an event replaced by another version, a message, a link) begins a new edition of the delivery, and
its book is made anew, from the facts of that delivery alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache, partial

from msgtrack._books import Book, recipients_of
from msgtrack._entries import UNREGISTERED, DeliveryEntry, EventEntry, FactShelf, LinkEntry, MessageEntry
from msgtrack._people import SKETCH_ERROR, People
from msgtrack._platform import Traffic, applications_of, services_of
from msgtrack.counts import Counts, DeliveryCounts, ServiceCounts, StepCounts, local_day
from msgtrack.facts import Fact, delivery_of

__all__ = ["MAX_LEDGERS", "Books"]

MAX_LEDGERS = 8
"""For how many ways to ask (audience, zone, sketch) books are kept; the way that was asked longest ago goes first."""

_Shelves = Mapping[type[Fact], FactShelf]


class _Account:
    """The events and facts of one delivery."""

    __slots__ = ("_gone", "edition", "entries", "facts", "repeats", "revision")

    def __init__(self) -> None:
        self.edition = 0
        self.revision = 0
        self.entries: list[EventEntry] = []
        self.repeats: list[tuple[EventEntry, int]] = []
        self.facts: dict[tuple[type[Fact], tuple[str, ...]], Fact] = {}
        self._gone: Counter[EventEntry] = Counter()

    def take_out(self, entry: EventEntry) -> None:
        """Another version of an event is kept in place of this one."""
        self._gone[entry] += 1
        self.edition += 1

    def settle(self) -> None:
        """Drop what was taken out, in one pass however much it is."""
        if not self._gone:
            return
        kept = []
        for entry in self.entries:
            if self._gone[entry]:
                self._gone[entry] -= 1
            else:
                kept.append(entry)
        self.entries = kept
        self._gone = Counter()


class _Page:
    """The book of one delivery, and how far it has read; without a book while nothing gives a reason for one."""

    __slots__ = ("book", "counts", "edition", "entered", "of", "repeated")

    def __init__(self, edition: int) -> None:
        self.edition = edition
        self.entered = 0
        self.repeated = 0
        self.book: Book | None = None
        self.counts: DeliveryCounts | None = None
        self.of: tuple[DeliveryEntry, int] | None = None


class _Ledger:
    """The pages for one way to ask."""

    __slots__ = ("admitted", "day_of", "last", "new_people", "pages", "zone")

    def __init__(self, admitted: frozenset[str] | None, zone: str, sketch_above: int | None) -> None:
        self.admitted = admitted
        self.zone = zone
        self.day_of: Callable[[int], str] = cache(partial(local_day, zone=zone))
        self.new_people: Callable[[], People] = partial(People, sketch_above)
        self.pages: dict[str, _Page] = {}
        self.last: Counts | None = None


class Books:
    """All that is kept of the closed books of one tally, whose dictionaries it reads as they are.

    The tally tells of every change after the first report: :meth:`event`, :meth:`again`, :meth:`fact` and :meth:`begin`.
    """

    __slots__ = ("_accounts", "_deliveries", "_facts", "_ledgers", "_links", "_messages", "_platform")

    def __init__(
        self,
        deliveries: Mapping[str, DeliveryEntry],
        messages: Mapping[str, Mapping[str, MessageEntry]],
        links: Mapping[str, Mapping[str, LinkEntry]],
        facts: _Shelves,
        identified: Mapping[str, EventEntry],
        anonymous: Mapping[EventEntry, int],
    ) -> None:
        self._deliveries = deliveries
        self._messages = messages
        self._links = links
        self._facts = facts
        self._accounts: defaultdict[str, _Account] = defaultdict(_Account)
        self._ledgers: dict[tuple[frozenset[str] | None, str, int | None], _Ledger] = {}
        self._platform: tuple[dict[str, ServiceCounts], dict[str, StepCounts]] | None = None
        for entry in identified.values():
            if entry:
                self._accounts[entry[2]].entries.append(entry)
        for entry, times in anonymous.items():
            self.again(entry, times)
        for kind, shelf in facts.items():
            for key, fact in shelf.items():
                self.fact(kind, key, None, fact)

    def event(self, known: EventEntry | None, entry: EventEntry) -> None:
        """An event with an id is kept, in place of what was known of it."""
        if known:
            self._accounts[known[2]].take_out(known)
        if entry:
            self._accounts[entry[2]].entries.append(entry)

    def again(self, entry: EventEntry, times: int) -> None:
        """An event without an id came so many times more."""
        self._accounts[entry[2]].repeats.append((entry, times))

    def fact(self, kind: type[Fact], key: tuple[str, ...], known: Fact | None, fact: Fact) -> None:
        """A fact is kept, in place of what was known of it."""
        if known is not None and (before := delivery_of(known)) is not None:
            account = self._accounts[before]
            del account.facts[kind, key]
            account.revision += 1
            # Without its last fact the delivery may have no reason for a book.
            account.edition += not account.facts
        if (delivery_id := delivery_of(fact)) is None:
            self._platform = None
        else:
            account = self._accounts[delivery_id]
            account.facts[kind, key] = fact
            account.revision += 1

    def begin(self, delivery_id: str) -> None:
        """A message or a link of this delivery changed: begin a new edition."""
        self._accounts[delivery_id].edition += 1

    def counts(
        self,
        admitted: Iterable[str] | None,
        zone: str,
        sketch_above: int | None,
        delivery_ids: Collection[str] | None = None,
    ) -> Counts:
        """The final numbers of these deliveries, or of all."""
        ledger = self._ledger(None if admitted is None else frozenset(map(str, admitted)), zone, sketch_above)
        names = {*self._deliveries, *self._messages, *self._accounts}
        if delivery_ids is not None:
            names &= set(delivery_ids)
        closed: dict[str, DeliveryCounts] = {}
        books: dict[str, Book] = {}
        for name in sorted(names):
            delivery = self._deliveries.get(name, UNREGISTERED)
            if delivery.is_proof or delivery.is_template:
                continue
            page = self._up_to_date(ledger, name, delivery)
            if page.book is not None and page.counts is not None:
                books[name], closed[name] = page.book, page.counts
        if self._platform is None:
            facts = [fact for shelf in self._facts.values() for fact in shelf.values()]
            self._platform = services_of(facts), applications_of(facts)
        last = ledger.last
        if last is None or last.services is not self._platform[0] or not _are_same(last.deliveries, closed):
            last = ledger.last = _added_up(ledger, closed, books, self._platform)
        return last

    def _ledger(self, admitted: frozenset[str] | None, zone: str, sketch_above: int | None) -> _Ledger:
        asked = (admitted, zone, sketch_above)
        ledger = self._ledgers.pop(asked, None) or _Ledger(*asked)
        self._ledgers[asked] = ledger
        if len(self._ledgers) > MAX_LEDGERS:
            del self._ledgers[next(iter(self._ledgers))]
        return ledger

    def _up_to_date(self, ledger: _Ledger, name: str, delivery: DeliveryEntry) -> _Page:
        account = self._accounts[name]
        account.settle()
        # Whoever breaks off in the middle (an interrupt, a missing package) leaves no page that has read by halves.
        page = ledger.pages.pop(name, None)
        if page is None or page.edition != account.edition:
            page = _Page(account.edition)
        entries = account.entries[page.entered :]
        repeats = account.repeats[page.repeated :]
        page.entered, page.repeated = len(account.entries), len(account.repeats)
        if ledger.admitted is not None:
            entries = [entry for entry in entries if entry[6] in ledger.admitted]
            repeats = [(entry, times) for entry, times in repeats if entry[6] in ledger.admitted]
        has_news = bool(entries or repeats)
        is_known = has_news or name in self._deliveries or name in self._messages or bool(account.facts)
        if page.book is None and is_known:
            page.book = Book(
                self._messages.get(name, {}), self._links.get(name, {}), account.facts.values(), ledger.new_people
            )
        if page.book is not None:
            if has_news:
                page.book.enter(entries, repeats, ledger.day_of)
            of = (delivery, account.revision)
            if has_news or page.of != of:
                page.counts = page.book.close(delivery)
                page.of = of
        ledger.pages[name] = page
        return page


def _are_same(one: Mapping[str, DeliveryCounts], other: Mapping[str, DeliveryCounts]) -> bool:
    """By identity: books may differ where the numbers of their deliveries are equal."""
    return one.keys() == other.keys() and all(one[name] is other[name] for name in one)


def _added_up(
    ledger: _Ledger,
    closed: dict[str, DeliveryCounts],
    books: dict[str, Book],
    platform: tuple[dict[str, ServiceCounts], dict[str, StepCounts]],
) -> Counts:
    """The numbers of the deliveries, and what no sum of them gives, from the sets of their books."""
    people = ledger.new_people()
    by_domain: defaultdict[str, People] = defaultdict(ledger.new_people)
    by_channel: defaultdict[str, People] = defaultdict(ledger.new_people)
    traffic = Traffic()
    for name, book in books.items():
        people.absorb(book.people)
        by_channel[closed[name].channel].absorb(book.people)
        for (domain, _), source_ids in book.reactions.people_by_class.items():
            by_domain[domain].update(source_ids)
        traffic.absorb(book.traffic)
    services, applications = platform
    return Counts(
        deliveries=closed,
        persons=len(people),
        recipients=recipients_of(books.values()),
        persons_by={
            by: {name: len(people_of[name]) for name in people_of}
            for by, people_of in (("domain", by_domain), ("channel", by_channel))
        },
        visits=traffic.rows(),
        services=services,
        applications=applications,
        zone=ledger.zone,
        distinct_error=0.0 if people.is_exact else SKETCH_ERROR,
    )
