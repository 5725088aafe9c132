"""Folding events into counts, against a bare loop that keeps the same sets and counters by hand; counting again after one more
event; and reading and folding them in two processes.

Opt-in, because a million events take minutes: ``python -m benchmarks tally``, or with ``--quick`` a few thousand.
"""

from __future__ import annotations

import gc
import multiprocessing
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count, islice
from multiprocessing.connection import Connection
from random import Random
from typing import Any

from attrs import evolve

from benchmarks._runner import Benchmark
from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick
from msgtrack.model import Client, Delivery, Message, TrackedLink
from msgtrack.records import from_json, to_json
from msgtrack.tally import Counts, Tally

__all__ = ["bare", "made"]

EVENTS = 1_000_000
EVENTS_WHEN_QUICK = 2_000
EVENTS_PER_MESSAGE = 5
LINKS = 20
DELIVERIES = 100
SHARE_OF_THIS_PROCESS = 0.54
DELIVERY = "4711"
START = datetime(2026, 3, 2, 8, tzinfo=UTC)

_KINDS: tuple[type[Event], ...] = (Open, Click, MirrorPageView, OptOutClick)
_CLIENTS = [
    Client(browser=browser, browser_version=str(version), os=os, device=device, is_mobile=device != "PC")
    for browser, os, device in (
        ("Firefox", "Windows", "PC"),
        ("Safari", "iOS", "iPhone"),
        ("Chrome", "Android", "Phone"),
        ("", "", ""),
    )
    for version in range(5)
]
_DOMAINS = ("gmail.com", "yahoo.fr", "aol.com", "corp.example")

_records: list[Delivery | Message | TrackedLink] = []
_events: list[Event] = []
_lines: list[str] = []
"""The events as stores and queues keep them. Worker processes are forked, so that nothing has to be sent to them."""


def _event(random: Random, number: int, messages: int) -> Event:
    (kind,) = random.choices(_KINDS, weights=(60, 38, 1, 1))
    message = random.randrange(messages)
    fields: dict[str, Any] = {} if kind is Open else {"link_id": str(2 + min(int(random.expovariate(0.3)), LINKS - 1))}
    return kind(
        id=f"{number:032x}",
        occurred_at=START + timedelta(seconds=int(random.expovariate(1 / 86_400)) % 1_000_000),
        delivery_id=DELIVERY,
        message_id=str(message),
        source_id=f"{message}-{random.randrange(2)}",
        client=_CLIENTS[message % len(_CLIENTS)],
        **fields,
    )


def _make(events: int) -> None:
    random = Random(4711)
    messages = max(1, events // EVENTS_PER_MESSAGE)
    _records[:] = [
        Delivery(id=DELIVERY, contact_at=START),
        *(
            TrackedLink(delivery_id=DELIVERY, id=str(2 + n), url=f"https://shop.example/{n}", label=f"Item {n}")
            for n in range(LINKS)
        ),
        *(
            Message(id=str(n), delivery_id=DELIVERY, address=f"r{n}@{_DOMAINS[n % 4]}", status="sent", event_at=START)
            for n in range(messages)
        ),
    ]
    _events[:] = [_event(random, number, messages) for number in range(events)]
    _lines[:] = map(to_json, _events)


def _folded(events: Iterable[Event]) -> Tally:
    tally = Tally()
    tally.extend(_records)
    tally.extend(events)
    return tally


def _one() -> Counts:
    return _folded(_events).counts()


class _Again:
    """Counting again after one more event, against a first report over the same facts."""

    def __init__(self, deliveries: int) -> None:
        self._deliveries = deliveries
        self._tally = Tally()
        for fact in (*_records, *_events):
            if isinstance(fact, Message):
                self._tally.add(evolve(fact, delivery_id=self._name(fact.id)))
            elif isinstance(fact, Event):
                self._tally.add(evolve(fact, delivery_id=self._name(fact.message_id)))
        self._tally.counts()
        self._numbers = count(len(_events))

    def _name(self, message_id: str | None) -> str:
        return str(int(message_id or 0) % self._deliveries)

    def ours(self) -> Counts:
        number = next(self._numbers)
        event = _events[number % len(_events)]
        again = evolve(event, id=f"again {number}", delivery_id=self._name(event.message_id))
        self._tally.add(again)
        return self._tally.counts()

    def first(self) -> Counts:
        """A copy keeps no books."""
        return self._tally.copy().counts()


def bare() -> dict[str, int]:
    """The same by hand: one dictionary, set or counter for everything that counts need, and no fact looked at twice."""
    domain_of: dict[str, str] = {}
    statuses: Counter[tuple[str, int]] = Counter()
    seen: set[str] = set()
    rows: Counter[tuple[str, str, int]] = Counter()
    by_class: Counter[tuple[str, str]] = Counter()
    by_day: Counter[tuple[str, str]] = Counter()
    by_agent: Counter[tuple[Client | None, str]] = Counter()
    pages: Counter[tuple[str, Client | None]] = Counter()
    shown: defaultdict[str, set[str]] = defaultdict(set)
    of_link: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    of_day: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    people: set[str] = set()
    people_of_class: defaultdict[str, set[str]] = defaultdict(set)
    people_of_link: defaultdict[str, set[str]] = defaultdict(set)
    people_of_day: defaultdict[str, set[str]] = defaultdict(set)
    visitors: defaultdict[tuple[str, Client | None], set[str]] = defaultdict(set)
    days: dict[int, str] = {}
    for record in _records:
        if isinstance(record, Message) and not record.is_seed:
            domain_of[record.id] = record.domain
            statuses[record.domain, record.status] += 1
    for event in _events:
        if event.id in seen:
            continue
        seen.add(event.id)
        kind, link, message = event.kind, event.link_id or "", event.message_id or ""
        source, client = event.source_id or "", event.client
        slot = int(event.occurred_at.timestamp()) // 300 * 300
        day = days.get(slot)
        if day is None:
            day = days[slot] = datetime.fromtimestamp(slot, UTC).date().isoformat()
        domain = domain_of.get(message, "Others")
        rows[kind, link, slot] += 1
        by_class[domain, kind] += 1
        by_day[day, kind] += 1
        by_agent[client, kind] += 1
        shown[kind].add(message)
        of_link[link, kind].add(message)
        of_day[day, kind].add(message)
        if kind != "open":
            pages[day, client] += 1
            visitors[day, client].add(source)
        if kind == "click":
            people.add(source)
            people_of_class[domain].add(source)
            people_of_link[link].add(source)
            people_of_day[day].add(source)
    return {
        "rows": rows.total(),
        "messages": statuses.total(),
        "recipient_open": len(set().union(*shown.values())),
        "recipient_click": len(shown["click"]),
        "persons": len(people),
    }


def _read(lines: Iterable[str]) -> Iterator[Event]:
    return (from_json(line, Event) for line in lines)


def _send_rest(wire: Connection, first: int) -> None:
    # What a worker makes lives as long as the worker does, so looking for garbage in it is in vain.
    gc.disable()
    tally = Tally()
    tally.extend(_read(islice(_lines, first, None)))
    wire.send(tally)


def _one_reads() -> Tally:
    return _folded(_read(_lines))


def _two_read() -> Tally:
    """The tally of this process, which folds its share while another folds the rest.

    The other has less to fold because it has its tally to write as well.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    share = int(len(_lines) * SHARE_OF_THIS_PROCESS)
    other = context.Process(target=_send_rest, args=(theirs, share))
    other.start()
    theirs.close()
    tally = _folded(_read(islice(_lines, share)))
    tally.absorb(ours.recv())
    other.join()
    return tally


def made(*, quick: bool = False) -> list[Benchmark]:
    """The benchmarks, over a million events, or a few of them when it should be quick."""
    size = EVENTS_WHEN_QUICK if quick else EVENTS
    _make(size)
    two = partial(Benchmark, limit=bare, items=size)
    return [
        Benchmark(name=f"fold {size:,} events into counts", ours=_one, limit=bare, items=size),
        *(
            Benchmark(
                name=f"count again after one more event, {size:,} events in {deliveries} deliver{ending}",
                ours=again.ours,
                limit=bare,
                peers={"first report": again.first},
            )
            for deliveries, ending in ((1, "y"), (DELIVERIES, "ies"))
            for again in (_Again(deliveries),)
        ),
        two(
            name=f"read {size:,} lines into tallies in two processes, merge",
            ours=_two_read,
            peers={"one process": _one_reads},
        ),
        two(
            name=f"read {size:,} lines in two processes, merge, count",
            ours=lambda: _two_read().counts(),
            peers={"one process": lambda: _one_reads().counts()},
        ),
    ]
