"""A store in one file that several processes share, as a store of one's own may be; a module, so that they can load it.

Of the broken ones each has one fault, which shows only where two processes write at once.
"""

from __future__ import annotations

import fcntl
import pickle
import runpy
import time
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from attrs import evolve

from msgtrack.protocols import Ingested, Query
from msgtrack.storage import EVERYTHING, kept_events
from msgtrack.tally import fold

DictStore = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "store_in_a_dict.py"))["DictStore"]


class FileStore(DictStore):
    """Reads the file before each call, and writes it anew after one that changes something."""

    def __init__(self, path):
        super().__init__({})
        self.path = Path(path)
        self.is_writing = False

    @property
    def capabilities(self):
        return evolve(super().capabilities, concurrent_writers=True, several_processes=True)

    def read(self):
        return pickle.loads(self.path.read_bytes()) if self.path.exists() else {}

    def write(self, lines):
        fresh = self.path.with_suffix(f".{time.monotonic_ns()}")
        fresh.write_bytes(pickle.dumps(lines))
        fresh.replace(self.path)

    @contextmanager
    def turn(self):
        """Whoever has the lock is alone."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    @contextmanager
    def writing(self):
        self.check_open()
        with self.turn():
            self._lines = self.read()
            self.is_writing = True
            try:
                yield
                self.write(self._lines)
            finally:
                self.is_writing = False

    def put(self, records):
        records = [*records]
        with self.writing():
            super().put(records)

    def ingest(self, events, checkpoint=None):
        events = [*events]
        with self.writing():
            return super().ingest(events, checkpoint)

    def revise(self, *, records=(), events=(), remove=(), remove_events=()):
        given = {"records": [*records], "events": [*events], "remove": [*remove], "remove_events": [*remove_events]}
        with self.writing():
            super().revise(**given)

    def looked(self):
        self.check_open()
        if not self.is_writing:
            self._lines = self.read()

    def find(self, kind, query=EVERYTHING):
        self.looked()
        return super().find(kind, query)

    def scan(self, query=EVERYTHING):
        self.looked()
        return super().scan(query)

    def checkpoint(self, source):
        self.looked()
        return super().checkpoint(source)


class WritesWithoutALock(FileStore):
    """The later of two that read the same writes over what the other wrote."""

    @contextmanager
    def turn(self):
        yield

    def write(self, lines):
        time.sleep(0.01)
        super().write(lines)


class LocksItsOwnProcessAlone(FileStore):
    """A lock that no other process has: a file of its own for each."""

    @contextmanager
    def turn(self):
        with self.path.with_suffix(f".{id(self)}").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
            time.sleep(0.01)


class LooksBeforeItsTurn(FileStore):
    """What it takes for new was brought by another meanwhile: it is kept once, and said to be new by both."""

    def ingest(self, events, checkpoint=None):
        events = [*events]
        known = {event.id for event in self.scan()}
        time.sleep(0.02)
        done = super().ingest(events, checkpoint)
        fresh = {event.id for event in events} - known
        return Ingested(added=max(done.added, len(fresh)), known=done.known - max(0, len(fresh) - done.added))


class AddsUpWhatEachBrought(FileStore):
    """What two brought at the same time is in its slots twice."""

    def ingest(self, events, checkpoint=None):
        events = [*kept_events(events)]
        known = {event.id for event in self.scan()}
        time.sleep(0.02)
        with self.writing():
            there = {event.id for event in self.scan()} - known
            done = DictStore.ingest(self, events, checkpoint)
            self._lines |= {f"twice {event.id}": "" for event in events if event.id in there}
        return done

    def live_slots(self, query=EVERYTHING):
        twice = (evolve(e, id=f"{e.id} again") for e in self.scan(query) if f"twice {e.id}" in self._lines)
        named = Query(delivery_ids=query.delivery_ids, except_delivery_ids=query.except_delivery_ids)
        events = chain(self.scan(query), twice)
        counts = fold(self.deliveries(named), self.messages(named), self.links(named), events).counts(zone=query.zone)
        return {name: of.slots for name, of in counts.deliveries.items() if of.slots}
