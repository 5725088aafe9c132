"""What goes wrong on ClickHouse's engine: ``python clickhouse_faults.py NAME FOLDER``; each program prints its figures as JSON.

The engine is never loaded into a process of pytest, and some of these are killed.
"""

# ruff: noqa: T201  # programs print

from __future__ import annotations

import json
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from attrs import evolve

from msgtrack import open_store
from msgtrack.errors import StoreError
from msgtrack.events import Click, Open
from msgtrack.model import Client
from msgtrack.protocols import Checkpoint, Query
from msgtrack.storage import BaseStore, clickhouse
from msgtrack.storage._clickhouse_arrivals import Arrivals

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENTS, BATCH = 40_000, 500


def event_of(number: int) -> Click | Open:
    """One of a source of events; a third have no id of their own, some come late, and programs differ."""
    rng = random.Random(number)
    return (Click if number % 2 else Open)(
        id=None if number % 3 == 0 else f"e{number}",
        occurred_at=NOON + timedelta(seconds=number + rng.choice([0, 0, 0, -7000]), microseconds=number),
        delivery_id=rng.choice(["1", "2", None]),
        message_id=str(number % 97),
        source_id=rng.choice([None, "a", "b"]),
        client=rng.choice([None, Client(browser="Firefox"), Client(browser="Edge", is_mobile=False)]),
        verdict=rng.choice(["human", "machine"]),
    )


def is_settled(store: BaseStore) -> bool:
    """Whether counts and slots are those of the events, and stay so when all is counted anew."""
    counts, slots = store.counts(), store.slots()
    folded = BaseStore.live_counts(store)
    store.rebuild()
    return counts == folded == store.counts() and slots == {
        name: kept.slots for name, kept in folded.deliveries.items() if kept.slots
    }


def write(folder: str) -> None:
    """Ingest from the checkpoint on, batch by batch, until killed or done."""
    with open_store(f"chdb:///{folder}") as store:
        there = store.checkpoint("source")
        position = int(there.position) if there else 0
        print("open", flush=True)
        while position < EVENTS:
            batch = map(event_of, range(position, position + BATCH))
            position += BATCH
            store.ingest(batch, Checkpoint(source="source", position=str(position)))
            print("kept", flush=True)


def look(folder: str) -> None:
    """What a writer that was killed left behind, before and after the rest is ingested."""
    with open_store(f"chdb:///{folder}") as store:
        there = store.checkpoint("source")
        position = int(there.position) if there else 0
        found = [event.id for event in store.scan()]
        wanted = {event_of(number).id for number in range(position)}
        settled = is_settled(store)
        store.ingest(map(event_of, range(position + BATCH)))
        after = [event.id for event in store.scan()]
        figures = {
            "position": position,
            "lost": len(wanted - {*found}),
            "twice": len(found) - len({*found}) + len(after) - len({*after}),
            "distinct": len({*after}) == position + BATCH,
            "settled": settled and is_settled(store),
        }
    print(json.dumps(figures))


def race(folder: str) -> None:
    """Eight handles in eight threads bring overlapping batches of the same events."""
    stores = [open_store(f"chdb:///{folder}") for _ in range(8)]
    errors: list[str] = []

    def bring(number: int) -> None:
        rng = random.Random(number)
        try:
            for _ in range(4):
                start = rng.randrange(0, 1500)
                stores[number].ingest(map(event_of, range(start, start + 500)))
            stores[number].ingest(map(event_of, range(number * 250, number * 250 + 250)))
        except StoreError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [event.id for event in stores[0].scan()]
    figures = {
        "events": len(found),
        "same": {*found} == {event_of(number).id for number in range(2000)},
        "settled": is_settled(stores[0]),
        "errors": errors,
    }
    for store in stores:
        store.close()
    print(json.dumps(figures))


def contest(folder: str) -> None:
    """Two handles bring one id with different content, each before the other could know of it."""
    one, other = (open_store(f"chdb:///{folder}") for _ in range(2))
    first = Click(id="x", occurred_at=NOON, delivery_id="1", message_id="7")
    later = evolve(first, occurred_at=NOON + timedelta(hours=1), delivery_id="2")
    finish, held = Arrivals.finish, []
    # Both put their event in before either goes on to say that its id is there now.
    Arrivals.finish = lambda arrivals, *told: held.append((arrivals, *told))
    one.ingest([first])
    other.ingest([later])
    both = [event.id for event in one.scan()]
    for told in reversed(held):
        finish(*told)
    print(json.dumps({"both": both, "kept": [*one.scan()] == [*other.scan()] == [first], "settled": is_settled(one)}))
    one.close()
    other.close()


def failing(*_: object) -> None:
    """What fails."""
    raise StoreError("the server is gone")


def broken_off(folder: str) -> None:
    """An ingest that fails after its events are in: what is counted then, and what is there for the next process."""
    fail(folder, 50, "finish", failing)


def broken_off_of_new(folder: str) -> None:
    """The same where all events are new."""
    fail(folder, 100, "finish", failing)


def cut_off(folder: str) -> None:
    """An ingest of new events that fails just before these go in."""
    insert = Arrivals._insert
    fail(
        folder,
        100,
        "_insert",
        lambda arrivals, table, *rows: failing() if table is arrivals.layout.events else insert(arrivals, table, *rows),
    )


def fail(folder: str, start: int, step: str, broken: Callable[..., None]) -> None:
    """Ingest a hundred events as they should be, and then those from ``start`` to 300 with a step that is broken."""
    store = open_store(f"chdb:///{folder}")
    store.ingest(map(event_of, range(100)), Checkpoint(source="source", position="100"))
    setattr(Arrivals, step, broken)
    failed = False
    try:
        store.ingest(map(event_of, range(start, 300)), Checkpoint(source="source", position="300"))
    except StoreError:
        failed = True
    folded = BaseStore.live_counts(store)
    figures = {
        "failed": failed,
        "events": len([*store.scan()]),
        "checkpoint": store.checkpoint("source").position,
        "counts": store.counts() == folded,
        "slots": store.slots() == {name: kept.slots for name, kept in folded.deliveries.items() if kept.slots},
        "window": store.counts(Query(since=NOON)) == BaseStore.live_counts(store, Query(since=NOON)),
    }
    print(json.dumps(figures))


def repaired(folder: str) -> None:
    """What the next process makes of that, once from what lies there and once after ingesting again."""
    with open_store(f"chdb:///{folder}") as store:
        left = store._link.rows("SELECT count() FROM msgtrack.msgtrack_incoming")[0][0]
        ids = store._link.rows("SELECT count() FROM msgtrack.msgtrack_event_ids")[0][0]
        settled = is_settled(store)
        again = store.ingest(map(event_of, range(50, 300)), Checkpoint(source="source", position="300"))
        print(json.dumps({"left": left, "ids": ids, "settled": settled and is_settled(store), "added": again.added}))


def under_way(folder: str) -> None:
    """What another handle sees while an ingest is half given, and while it is half kept."""
    clickhouse._BATCH_ROWS = 10
    one, other = (open_store(f"chdb:///{folder}") for _ in range(2))
    one.ingest(map(event_of, range(100)))
    before = (other.counts(), other.slots(), [*other.scan()])
    seen = []

    def given() -> Iterator[Click | Open]:
        yield from map(event_of, range(50, 250))
        seen.append((other.counts(), other.slots(), [*other.scan()]) == before)
        yield event_of(250)

    finish = Arrivals.finish

    def looking(arrivals: Arrivals, *told: int) -> None:
        folded = BaseStore.live_counts(other)
        seen.append(other.counts() == folded and other.slots() == BaseStore.live_slots(other))
        finish(arrivals, *told)

    Arrivals.finish = looking
    added = one.ingest(given()).added
    print(json.dumps({"seen": seen, "added": added, "settled": is_settled(other)}))
    one.close()
    other.close()


def forked(folder: str) -> None:
    """A child of a process that opened a store must not touch it, or it would hang."""
    with open_store(f"chdb:///{folder}") as store:
        store.ingest([event_of(0)])
        child = os.fork()
        if not child:
            try:
                [*store.scan()]
            except StoreError as error:
                os._exit(7 if "forked" in str(error) else 8)
            finally:
                os._exit(9)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"child": os.waitstatus_to_exitcode(status), "events": len([*store.scan()])}))


def race_of_large(folder: str) -> None:
    """As ``race``, each ingest with slots of its own."""
    clickhouse._LARGE = 1
    race(folder)


def contest_of_large(folder: str) -> None:
    """As ``contest``, with slots of their own."""
    clickhouse._LARGE = 1
    contest(folder)


_PROGRAMS = (
    write, look, race, race_of_large, contest, contest_of_large, broken_off, broken_off_of_new, cut_off, repaired, under_way, forked,
)  # fmt: skip

if __name__ == "__main__":
    {each.__name__: each for each in _PROGRAMS}[sys.argv[1]](sys.argv[2])
