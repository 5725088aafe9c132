"""A program that writes into a store and says what was confirmed, to be killed; and what it left behind, looked at.

``python writer.py NAME URL ...`` runs one of the functions at the end. The events are the same in every process: number by number, some
with ids of their own, some late, batches of very different lengths, each reaching back into the one before it.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from msgtrack import open_store
from msgtrack.errors import StoreError
from msgtrack.events import Bounced, Click, Event, Open
from msgtrack.model import Client, Delivery, Message, TrackedLink
from msgtrack.protocols import Checkpoint, Query
from msgtrack.storage import EVERYTHING, BaseStore

SIZES = (40, 300, 25, 5200)
"""How many new events batches bring, in turn; the last is longer than what SQL stores hold in memory."""
MOST_HELD = 1000
"""How many a store on PostgreSQL is let hold in memory, which else would hold all of them."""
OVERLAP = 30
SHIFT = 2600
"""How far the events of one writer are behind those of the one before it."""
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_KINDS = (Open, Click, Click, Bounced)
_CLIENTS = (None, Client(browser="Firefox", os="Linux"), Client(browser="Edge", is_mobile=True))


def lower_limit_of_postgres(put: Any) -> None:
    """Let a store on PostgreSQL lay the longest batches aside; ``put`` is ``setattr``, or that of pytest, which takes it back."""
    from msgtrack.storage._postgres import Postgres

    put(Postgres, "held_events", MOST_HELD)


def event_of(number: int) -> Event:
    """The event of a number."""
    rng = random.Random(number)
    late = timedelta(hours=2 if rng.random() < 0.2 else 0)
    return _KINDS[rng.randrange(4)](
        id=f"e{number}" if number % 3 else None,
        occurred_at=NOON + timedelta(seconds=number % 5000, microseconds=number) - late,
        delivery_id=rng.choice(["spring", "summer", "summer", None]),
        message_id=str(number % 97),
        link_id=rng.choice(["a", "b", "c"]),
        source_id=rng.choice([None, "p1", "p2", "p3"]),
        client=rng.choice(_CLIENTS),
        verdict=rng.choice(["human", "machine", "unsure"]),
        is_seed=rng.random() < 0.05,
    )


@cache
def id_of(number: int) -> str:
    """The id that an event is kept under."""
    return event_of(number).id


def first_of(batch: int) -> int:
    """The number of the first new event of a batch."""
    return batch // len(SIZES) * sum(SIZES) + sum(SIZES[: batch % len(SIZES)])


def numbers_of(batch: int, writer: int = 0) -> range:
    """The numbers of the events that a batch brings."""
    return range(max(0, first_of(batch) - OVERLAP) + writer * SHIFT, first_of(batch + 1) + writer * SHIFT)


def records(messages: int = 96) -> Iterator[Delivery | Message | TrackedLink]:
    """What the events belong to; a message of each delivery is missing, or more of them."""
    for name in ("spring", "summer"):
        yield Delivery(id=name, to_deliver=100)
        yield from (TrackedLink(delivery_id=name, id=link, url=f"https://{link}.example/") for link in "ab")
        yield from (
            Message(delivery_id=name, id=str(n), recipient_id=f"r{n}", domain=f"d{n % 5}.example", is_seed=n == 7)
            for n in range(messages)
        )


def is_settled(store: BaseStore, query: Query = EVERYTHING) -> bool:
    """Whether counts and slots are those of the events that a scan gives."""
    folded = BaseStore.live_counts(store, query)
    by_delivery = {name: kept.slots for name, kept in folded.deliveries.items() if kept.slots}
    return store.counts(query) == folded and store.slots(query) == by_delivery


def found_in(store: BaseStore, writers: int = 1, *, is_full: bool = False) -> dict[str, Any]:
    """What is in a store, held against what its checkpoints say; some engines want room on their disk to count."""
    with store.snapshot():
        marks = [store.checkpoint(source_of(writer)) for writer in range(writers)]
        ids = [event.id for event in store.scan()]
        settled: bool | None = None if is_full else is_settled(store)
    if is_full:
        with suppress(StoreError):
            settled = is_settled(store)
    positions = [-1 if mark is None else int(mark.position) for mark in marks]
    wanted = {
        id_of(number)
        for writer, position in enumerate(positions)
        if position >= 0
        for number in range(numbers_of(0, writer).start, numbers_of(position, writer).stop)
    }
    return {
        "positions": positions,
        "checkpoint": len(wanted),
        "kept": len(ids),
        "distinct": len({*ids}),
        "lost": len(wanted - {*ids}),
        "ahead": len({*ids} - wanted),
        "settled": settled,
    }


def source_of(writer: int) -> str:
    """What the checkpoints of a writer go by."""
    return f"source {writer}"


def bring(
    store: BaseStore, writer: int, batches: int, patience: float = 0.0, *, looks: bool = False, waits: bool = False
) -> None:
    """Ingest from the checkpoint on; what fails is tried again until ``patience`` seconds are over.

    ``looks``: say after a failure what is there. ``waits``: begin a batch when a line comes in.
    """
    mark = store.checkpoint(source_of(writer))
    start = 0 if mark is None else int(mark.position) + 1
    for batch in range(start, batches):
        events = [event_of(number) for number in numbers_of(batch, writer)]
        if waits:
            sys.stdin.readline()
        deadline = time.monotonic() + patience
        while True:
            say("try", batch, len(events))
            try:
                done = store.ingest(iter(events), Checkpoint(source=source_of(writer), position=str(batch)))
            except StoreError as error:
                if time.monotonic() > deadline:
                    raise
                say("failed", batch, " ".join(str(error).split())[:300])
                if looks:
                    say("found", json.dumps(found_in(store, is_full=True)))
                time.sleep(0.1)
            else:
                say("kept", batch, done.added, done.known)
                break


def say(*words: object) -> None:
    """Tell who started this, at once and in one piece."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def write(url: str, batches: str = "1000000", patience: str = "0", how: str = "") -> None:
    """Write alone."""
    say("begin")
    with open_store(url) as store:
        store.put(records())
        say("open")
        bring(store, 0, int(batches), float(patience), looks=how == "looks", waits=how == "waits")


def one_of_many(url: str, batches: str, writer: str) -> None:
    """Write beside other processes, all from one moment on."""
    with open_store(url) as store:
        say("open")
        sys.stdin.readline()
        bring(store, int(writer), int(batches))


def many_in_one(url: str, batches: str, writers: str) -> None:
    """Write with several handles of one process."""
    stores = [open_store(url) for _ in range(int(writers))]
    threads = [threading.Thread(target=bring, args=(store, n, int(batches))) for n, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say("found", json.dumps(found_in(stores[0], int(writers))))
    for store in stores:
        store.close()


def look(url: str, writers: str = "1") -> None:
    """Say what is there."""
    with open_store(url) as store:
        say("found", json.dumps(found_in(store, int(writers))))


def break_clickhouse(url: str, name: str) -> None:
    """Break a call at each command that it sends to the engine, or all that read one after the other."""
    from calls import MESSAGES, READING, Calls, break_every_read, break_every_step, lower_limits_of_clickhouse
    from cuts import ClickHouseErrors

    lower_limits_of_clickhouse(setattr)
    with open_store(url) as store, open_store(url) as seen:
        cuts = ClickHouseErrors()
        cuts.attach(store)
        store.put(records(MESSAGES))
        if name != "reading":
            say("figures", json.dumps({"call": name, **break_every_step(Calls(store, seen), name, cuts)}))
            return
        bring(store, 0, 3)
        for each in READING:
            say("figures", json.dumps({"call": each, **break_every_read(store, each, cuts)}))


def late_count(url: str, first: str, second: str) -> None:
    """Bring the same events by two handles of ClickHouse, one of which counts late."""
    from late_counts import bring_with_a_late_count

    bring_with_a_late_count(url, int(first), int(second))


if __name__ == "__main__":
    if sys.argv[2].startswith("postgresql"):
        lower_limit_of_postgres(setattr)
    programs = (write, one_of_many, many_in_one, look, break_clickhouse, late_count)
    {each.__name__: each for each in programs}[sys.argv[1]](*sys.argv[2:])
