"""Stores beside their bare engines, and how the cost grows with what they hold.

``python -m benchmarks.stores [ENGINE ...] [--events 100000 1000000 10000000]``: for every engine and number of events it takes in
a tenth as many messages and the events, in batches, and prints

- ingest: events a second, and against two limits, both of them the engine's own driver that inserts the same rows, made beforehand: the
  bare one, into a table with the same unique key and no other index, and what any store must pay that answers as this one does,
  into a table with its indexes, or where the engine has none, its options;
- the last tenth of the ingest against the first, which says whether inserting slows down;
- the counts of one delivery, against SQL written by hand for the same numbers;
- its slots, against the same numbers grouped from its events by hand, and put into the same shape;
- the page of one recipient's log; bytes on disk for each event, indexes included.

Ten million events take minutes to an hour for every engine, and some gigabytes of disk: not part of ``python -m benchmarks``.
"""

from __future__ import annotations

import argparse
import gc
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from attrs import asdict, frozen
from tests.servers import database_servers

from benchmarks._engines import ENGINES, Engine, Opened
from benchmarks._hand_written import BIG
from msgtrack.events import Click, Event, MirrorPageView, Open, OptOutClick
from msgtrack.model import Client, Delivery, Message, TrackedLink
from msgtrack.protocols import Query
from msgtrack.storage._event_rows import EventWriter

__all__ = ["main", "world_events"]

BATCH = 10_000
LINKS = 20
OTHERS = 40
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
EVENTS_PER_SECOND = 16
PAGE_ROWS = 50
LIVELY = "7"
LIVELY_EVENTS = 60
"""The message whose recipient's log is paged through, and its events, at any size some more than a page."""

_KINDS: tuple[type[Event], ...] = (Open, Click, MirrorPageView, OptOutClick)
_CLIENTS = tuple(
    Client(browser=browser, browser_version=str(version), os=os, device=device, is_mobile=device != "PC")
    for browser, os, device in (
        ("Firefox", "Windows", "PC"),
        ("Safari", "iOS", "iPhone"),
        ("Chrome", "Android", "Phone"),
    )
    for version in range(5)
)
_DOMAINS = ("gmail.com", "yahoo.fr", "aol.com", "corp.example")


@frozen(kw_only=True)
class Figures:
    """What was measured of one engine at one size; seconds are of this machine, the ratios say more."""

    engine: str
    events: int
    ingest_per_second: float
    ingest_to_bare: float | None
    ingest_to_own_table: float | None
    last_tenth_to_first: float
    counts_seconds: float
    counts_to_hand_written: float
    slots_seconds: float
    events_of_slots_to_slots: float
    page_seconds: float
    bytes_per_event: float


def world_events(total: int, *, seed: int = 4711) -> Iterator[Event]:
    """As many events, at the rate of ten million a week: a fifth of them of the big delivery, two for each of its messages."""
    random = Random(seed)
    messages = max(1, total // 10)
    often = 5 * max(1, total // (5 * LIVELY_EVENTS))
    for number in range(total):
        seconds = int(number / EVENTS_PER_SECOND + random.expovariate(1 / 600))
        at = START + timedelta(seconds=seconds)
        is_big = number % 5 == 0
        message = str(random.randrange(messages) if is_big else random.randrange(total))
        if number % often == 0:
            message = LIVELY
        (kind,) = random.choices(_KINDS, weights=(60, 38, 1, 1))
        fields: dict[str, Any] = (
            {} if kind is Open else {"link_id": str(2 + min(int(random.expovariate(0.3)), LINKS - 1))}
        )
        # A time and a hash, as ids that follow from an event's content.
        name = f"{int(at.timestamp()):08x}{blake2b(b'%d' % number, digest_size=12).hexdigest()}"
        yield kind(
            id=name,
            occurred_at=at,
            delivery_id=BIG if is_big else f"other {number % OTHERS}",
            message_id=message,
            source_id=f"{message}-{random.randrange(2)}",
            client=_CLIENTS[int(message) % len(_CLIENTS)],
            **fields,
        )


def world_records(total: int) -> Iterator[Delivery | Message | TrackedLink]:
    """The big delivery, its links, and its messages."""
    yield Delivery(id=BIG, contact_at=START)
    for number in range(LINKS):
        yield TrackedLink(
            delivery_id=BIG, id=str(2 + number), url=f"https://shop.example/{number}", label=f"Item {number}"
        )
    for number in range(max(1, total // 10)):
        yield Message(
            id=str(number),
            delivery_id=BIG,
            recipient_id=f"r{number}",
            address=f"r{number}@{_DOMAINS[number % 4]}",
            status="sent",
            event_at=START,
        )


def _batches(events: Iterator[Event], size: int = BATCH) -> Iterator[list[Event]]:
    while batch := [*islice(events, size)]:
        yield batch


def _seconds(work: Callable[[], object], rounds: int = 3) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@frozen(kw_only=True)
class _Spent:
    """Seconds of the limits, and of the store for each batch."""

    bare: float
    own: float
    each: list[float]

    @property
    def store(self) -> float:
        return sum(self.each)


def _ingest(opened: Opened, total: int, size: int, clock: Callable[[], float], *, alone: bool) -> _Spent:
    """The store and the limits take turns; ``alone``: without these."""
    writer = EventWriter()
    bare = own = 0.0
    each = []
    for batch in _batches(world_events(total), size):
        each.append(_spent(clock, opened.store.ingest, batch))
        if not alone:
            rows = writer.rows([event.id for event in batch], batch)
            bare += _spent(clock, opened.bare, rows)
            own += _spent(clock, opened.own, rows)
    return _Spent(bare=bare, own=own, each=each)


def _spent(clock: Callable[[], float], insert: Callable[[list[Any]], object], rows: list[Any]) -> float:
    start = clock()
    insert(rows)
    return clock() - start


def figures(
    engine: Engine,
    total: int,
    folder: Path,
    *,
    batch: int = BATCH,
    processor_time: bool = False,
    alone: bool = False,
) -> Figures:
    """Measure one engine at one size in an empty folder; ``batch`` events go in at a time, and ``alone`` into the store only."""
    gc.collect()
    with engine.opened(folder) as opened:
        store = opened.store
        store.put(world_records(total))
        clock = opened.processor if processor_time else time.perf_counter
        spent = _ingest(opened, total, batch, clock, alone=alone)
        opened.settle()
        tenth = max(1, len(spent.each) // 10)
        query = Query(delivery_ids=BIG)
        counts = _seconds(lambda: store.counts(query))
        by_hand = _seconds(opened.hand_written)
        slots = _seconds(lambda: store.slots(query))
        rows = _seconds(opened.slots_of_events)
        if opened.slots_of_events() != store.slots(query):
            raise RuntimeError(f"{engine.name}: slots and the events that they were made of do not agree")
        page = _seconds(lambda: list(store.scan(Query(recipient_id=f"r{LIVELY}", limit=PAGE_ROWS))), 9)
        size = opened.size()
    return Figures(
        engine=engine.name,
        events=total,
        ingest_per_second=total / spent.store,
        ingest_to_bare=None if alone else spent.bare / spent.store,
        ingest_to_own_table=None if alone else spent.own / spent.store,
        last_tenth_to_first=statistics.median(spent.each[:tenth]) / statistics.median(spent.each[-tenth:]),
        counts_seconds=counts,
        counts_to_hand_written=counts / by_hand,
        slots_seconds=slots,
        events_of_slots_to_slots=rows / slots,
        page_seconds=page,
        bytes_per_event=size / total,
    )


def main(argv: list[str] | None = None) -> int:
    """Measure the engines named, or all that are here."""
    parser = argparse.ArgumentParser(prog="benchmarks.stores", description="Stores beside their bare engines.")
    parser.add_argument("engine", nargs="*", help=f"which: {', '.join(ENGINES)} (default: all)")
    parser.add_argument("--events", nargs="+", type=int, default=[100_000, 1_000_000], help="how many, ascending")
    parser.add_argument("--batch", type=int, default=BATCH, help=f"how many at a time (default: {BATCH:,})")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="measure ingest by the time that processors spend, in this process and in those of a server that it started",
    )
    parser.add_argument("--alone", action="store_true", help="ingest into the store alone, without the limits")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each")
    args = parser.parse_args(argv)
    if unknown := [name for name in args.engine if name not in ENGINES]:
        parser.error(f"there is no engine {unknown[0]!r}; there are: {', '.join(ENGINES)}")
    for name in args.engine or ENGINES:
        for total in args.events:
            folder = Path(tempfile.mkdtemp(prefix="msgtrack-bench-"))
            try:
                found = figures(
                    *(ENGINES[name], total, folder),
                    batch=args.batch,
                    processor_time=args.processor_time,
                    alone=args.alone,
                )
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                database_servers.stop_all()
            print(json.dumps(asdict(found)) if args.json else _line(found), flush=True)
    return 0


def _line(found: Figures) -> str:
    limits = ""
    if found.ingest_to_bare is not None:
        limits = (
            f"{found.ingest_to_bare:.2f} of the bare driver under the unique key alone, "
            f"{found.ingest_to_own_table:.2f} of it with our indexes too, "
        )
    return (
        f"{found.engine:<11} {found.events:>11,} events: ingest {found.ingest_per_second:>9,.0f}/s, "
        f"{limits}last tenth {found.last_tenth_to_first:.2f} of the first; "
        f"counts {found.counts_seconds:.2f} s, {found.counts_to_hand_written:.2f} x by hand; "
        f"slots {found.slots_seconds * 1e3:.1f} ms, {found.events_of_slots_to_slots:.1f} x faster than events; "
        f"page {found.page_seconds * 1e3:.2f} ms; {found.bytes_per_event:.0f} bytes an event"
    )


if __name__ == "__main__":
    sys.exit(main())
