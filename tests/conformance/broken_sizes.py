"""More stores that are wrong on purpose: right for a handful of values, wrong for thousands or for two processes.

Run by ``test_planted_faults.py``, not collected by itself.
"""

from __future__ import annotations

import runpy
import sys
from functools import partial
from itertools import chain, islice
from pathlib import Path

import pytest
from attrs import evolve

from msgtrack.events import Event
from msgtrack.model import Message, TrackedLink
from msgtrack.protocols import Ingested, Query
from msgtrack.records import from_json, to_json
from msgtrack.storage import EVERYTHING, in_order, kept_events, record_key
from msgtrack.testing import StoreSuite

_handles = runpy.run_path(str(Path(__file__).with_name("broken_handles.py")))
DictStore, suite_of, _key = _handles["DictStore"], _handles["suite_of"], _handles["_key"]
KeepsSlots = _handles["KeepsSlots"]

# By a name that another process finds it by.
sys.path.insert(0, str(Path(__file__).parent))
import stores_in_a_file  # noqa: E402

FAULTS: dict[str, tuple[type, str]] = {}
"""Name of the fault: the store that has it, and the clause that it breaks."""

breaks = _handles["_others"]["noting"](FAULTS)


def batched(values, size):
    """The values, so many at a time."""
    iterator = iter(values)
    while batch := [*islice(iterator, size)]:
        yield batch


@breaks("S2")
class ReplacesWithinABatchAlone(DictStore):
    def put(self, records):
        kept = {}
        for batch in batched([*records], 1000):
            kept = {(type(record), record_key(record)): record for record in batch} | kept
        super().put(kept.values())


@breaks("S3")
class PutsFiveThousandAtATime(DictStore):
    def put(self, records):
        for batch in batched(records, 5000):
            super().put(batch)


@breaks("S4")
class OrdersWithinPages(DictStore):
    def find(self, kind, query=EVERYTHING):
        pages = batched((from_json(line, kind) for line in self._under(kind.__name__.lower())), 1000)
        there = {record_key(record) for record in super().find(kind, query)}
        return (record for page in pages for record in in_order(page) if record_key(record) in there)


@breaks("S4")
class LooksForAThousandMessages(DictStore):
    def find(self, kind, query=EVERYTHING):
        return super().find(kind, evolve(query, message_ids=query.message_ids and query.message_ids[:1000]))


@breaks("S7")
class KnowsAThousandOfACall(DictStore):
    """Looks for the first thousand ids of a call alone, and writes the others over what is there."""

    def ingest(self, events, checkpoint=None):
        kept = [*kept_events(events)]
        known = {event.id for event in kept[:1000] if _key("event", event.id) in self._lines}
        fresh = {}
        for event in kept:
            if event.id not in known:
                fresh.setdefault(event.id, event)
        super().ingest([], checkpoint)
        self._lines |= {_key("event", id_): to_json(event) for id_, event in fresh.items()}
        return Ingested(added=len(fresh), known=len(kept) - len(fresh))


@breaks("S8")
class NumbersAlikeOnesWithinABatch(DictStore):
    def ingest(self, events, checkpoint=None):
        parts = (kept_events(batch) for batch in batched(events, 5000))
        return super().ingest(chain.from_iterable(parts), checkpoint)


@breaks("S10")
class CommitsFiveThousandAtATime(DictStore):
    def ingest(self, events, checkpoint=None):
        parts = [super(CommitsFiveThousandAtATime, self).ingest(batch) for batch in batched(kept_events(events), 5000)]
        super().ingest([], checkpoint)
        return Ingested(added=sum(part.added for part in parts), known=sum(part.known for part in parts))


@breaks("S11")
class OrdersIdsWithinPages(DictStore):
    def scan(self, query=EVERYTHING):
        if query.limit is not None or query.after is not None or query.newest_first:
            return super().scan(query)
        by_moment = sorted(map(self._read, self._under("event")), key=lambda event: event.occurred_at)
        passing = filter(self.admission(query), by_moment)
        return chain.from_iterable(
            sorted(page, key=lambda event: (event.occurred_at, event.id)) for page in batched(passing, 1000)
        )

    def _read(self, line):
        return from_json(line, Event)


@breaks("S14")
class AsksForFiveHundredAtATime(DictStore):
    """Answers behind one another, each of them in order."""

    def scan(self, query=EVERYTHING):
        if query.delivery_ids is None or len(query.delivery_ids) <= 500 or query.limit is not None:
            return super().scan(query)
        parts = [evolve(query, delivery_ids=names) for names in batched(query.delivery_ids, 500)]
        return chain.from_iterable(super(AsksForFiveHundredAtATime, self).scan(part) for part in parts)


@breaks("S15")
class KnowsAThousandMessagesOfARecipient(DictStore):
    def find(self, kind, query=EVERYTHING):
        asked = kind is Message and query.recipient_id is not None
        return islice(super().find(kind, query), 1000 if asked else None)


@breaks("S16")
class CountsAThousandDeliveries(DictStore):
    def live_counts(self, query=EVERYTHING):
        found = super().live_counts(query)
        return evolve(found, deliveries=dict(islice(found.deliveries.items(), 1000)))


@breaks("S17")
class ListsAThousandRuns(DictStore):
    def find(self, kind, query=EVERYTHING):
        return islice(super().find(kind, query), 1000 if kind.__name__ == "WorkflowRun" else None)


@breaks("S18")
class WritesDownAThousand(DictStore):
    def close(self):
        for key in [*islice((key for key in self._lines if key.startswith("event ")), 1000, None)]:
            del self._lines[key]
        super().close()


@breaks("S23")
class OrdersFactsWithinPages(DictStore):
    def facts(self, kind, query=EVERYTHING):
        pages = batched((from_json(line, kind) for line in self._under(kind.__name__.lower())), 1000)
        return (fact for page in pages for fact in in_order(filter(query.admits_fact, page)))


@breaks("S24")
class KnowsAThousandLinksOfALabel(DictStore):
    def admission(self, query):
        if query.labels is None:
            return super().admission(query)
        named = (link for link in self.find(TrackedLink) if query.admits_link(link))
        theirs = {(link.delivery_id, link.id) for link in islice(named, 1000)}
        rest = super().admission(evolve(query, labels=None))
        return lambda event: rest(event) and (event.delivery_id, event.link_id) in theirs


@breaks("S25")
class LooksBehindAThousand(DictStore):
    """Reads as many events as it is to give from the moment of the last one on, and leaves out those that were given."""

    def scan(self, query=EVERYTHING):
        if query.after is None or query.limit is None or query.newest_first:
            return super().scan(query)
        at, last = query.after
        read = super().scan(evolve(query, after=None, since=at, limit=max(query.limit, 1000)))
        behind = (event for event in read if (event.occurred_at, event.id) > (at, last))
        return islice(behind, query.limit)


@breaks("S26")
class SlotsOfTheFirstThousand(KeepsSlots):
    missed = frozenset()

    def ingest(self, events, checkpoint=None):
        kept = [*kept_events(events)]
        self.missed |= {event.id for event in kept[1000:]}
        return super().ingest(kept, checkpoint)

    def noted(self, query):
        return (event for event in self.scan(query) if event.id not in self.missed)


@breaks("S27")
class RebuildsAThousand(DictStore):
    emptied = frozenset()

    def rebuild(self, delivery_ids=None):
        super().rebuild()
        self.emptied = frozenset([] if delivery_ids is None else [*delivery_ids][1000:])

    def live_slots(self, query=EVERYTHING):
        return {name: slots for name, slots in super().live_slots(query).items() if name not in self.emptied}


@breaks("S28")
class ListsAThousandEntries(DictStore):
    def audits(self):
        return islice(super().audits(), 1000)


@breaks("S29")
class RemovesAThousand(DictStore):
    def revise(self, *, records=(), events=(), remove=(), remove_events=()):
        gone = [*remove_events][:1000]
        super().revise(records=records, events=events, remove=remove, remove_events=gone)


@breaks("S30")
class PurgesOneBatch(DictStore):
    is_full = False

    def purge(self, before, *, now, zones=("UTC",)):
        self.is_full = False
        return super().purge(before, now=now, zones=zones)

    def revise(self, *, records=(), events=(), remove=(), remove_events=()):
        gone = [*remove_events]
        if gone and self.is_full:
            return
        self.is_full = len(gone) >= 1000
        super().revise(records=records, events=events, remove=remove, remove_events=gone)


@breaks("S32")
class CountsWhatABatchLeft(DictStore):
    """Of a delivery that a purge broke off at it counts the events that are there."""

    def counts(self, query=EVERYTHING):
        frozen = self.frozen_deliveries(Query(delivery_ids=query.delivery_ids))
        for name in frozen:
            named = Query(delivery_ids=name)
            if len([*self.scan(named)]) > 1 and [*self.messages(named)]:
                return self.live_counts(query)
        return super().counts(query)


class ErasesInPart(DictStore):
    """Of what an erasure is about to rewrite or to remove it takes some."""

    is_erasing = False

    def erase(self, recipient_id, *, now, anonymise=True):
        self.is_erasing = True
        try:
            return super().erase(recipient_id, now=now, anonymise=anonymise)
        finally:
            self.is_erasing = False

    def revise(self, *, records=(), events=(), remove=(), remove_events=()):
        most = 500 if self.is_erasing else None
        events, gone = [*islice(events, most)], [*islice(remove_events, most)]
        super().revise(records=records, events=events, remove=remove, remove_events=gone)


@breaks("S33")
class ErasesFiveHundred(ErasesInPart):
    pass


@breaks("S34")
class RemovesFiveHundred(ErasesInPart):
    pass


@breaks("S35")
class ExportsAThousand(DictStore):
    def export(self, recipient_id):
        return islice(super().export(recipient_id), 1000)


@breaks("")
class OneByOne(DictStore):
    """Without a fault: keeps lines, not events, and makes of each an event as it is drawn."""

    @property
    def capabilities(self):
        return evolve(super().capabilities, streaming=True)

    def scan(self, query=EVERYTHING):
        self.check_open()
        return self._drawn(query, self.admission(query))

    def _drawn(self, query, passes):
        read = ((line, from_json(line, Event)) for line in self._under("event"))
        places = [(event.occurred_at, event.id, line) for line, event in read if passes(event)]
        for *_, line in sorted(places, reverse=query.newest_first)[: query.limit]:
            yield from_json(line, Event)


@breaks("S40")
class HoldsWhatItTakes(OneByOne):
    def ingest(self, events, checkpoint=None):
        return super().ingest([*events], checkpoint)


@breaks("S40")
class HoldsWhatItGives(OneByOne):
    def scan(self, query=EVERYTHING):
        return iter([*super().scan(query)])


@breaks("S40")
class GivesAList(OneByOne):
    def scan(self, query=EVERYTHING):
        return [*super().scan(query)]


def _suite_in_a_file(store):
    class Suite(StoreSuite):
        @pytest.fixture
        def store_factory(self, tmp_path):
            return partial(store, tmp_path / "store")

    return Suite


IN_A_FILE = {
    stores_in_a_file.FileStore: "",
    stores_in_a_file.WritesWithoutALock: "S39",
    stores_in_a_file.LocksItsOwnProcessAlone: "S39",
    stores_in_a_file.LooksBeforeItsTurn: "S39",
    stores_in_a_file.AddsUpWhatEachBrought: "S39",
}
for _store, _clause in IN_A_FILE.items():
    breaks(_clause)(_store)
for _name, (_store, _clause) in FAULTS.items():
    _suite = (_suite_in_a_file if _store in IN_A_FILE else suite_of)(_store)
    globals()[f"Test{_name}"] = type(f"Test{_name}", (_suite,), {})
