"""More stores that are wrong on purpose: in what several handles see, in facts, in slots and in snapshots.

Run by ``test_planted_faults.py``, not collected by itself.
"""

from __future__ import annotations

import runpy
from contextlib import contextmanager, nullcontext
from itertools import groupby
from pathlib import Path

from attrs import evolve

from msgtrack.facts import FACT_KEYS, Service
from msgtrack.protocols import Ingested, Query
from msgtrack.records import from_json
from msgtrack.storage import EVERYTHING
from msgtrack.tally import fold

_others = runpy.run_path(str(Path(__file__).with_name("broken_stores.py")))
DictStore, suite_of, _key = _others["DictStore"], _others["_suite"], _others["_key"]
FAULTS: dict[str, tuple[type, str]] = {}
"""Name of the fault: the store that has it, and the clause that it breaks."""


breaks = _others["noting"](FAULTS)


@breaks("")
class OfSeveralHandles(DictStore):
    """Without a fault: handles share the dictionary, each call writes in one step, and a snapshot is a copy."""

    def __init__(self, lines):
        super().__init__(lines)
        self.shared = lines

    @property
    def capabilities(self):
        return evolve(super().capabilities, concurrent_writers=True, snapshots=True)

    @contextmanager
    def looking_at(self, lines):
        seen, self._lines = self._lines, lines
        try:
            yield
        finally:
            self._lines = seen

    def snapshot(self):
        self.check_open()
        return self.looking_at(dict(self._lines))

    def put(self, records):
        self.check_open()
        with self.looking_at(self.shared):
            super().put(records)

    def ingest(self, events, checkpoint=None):
        self.check_open()
        with self.looking_at(self.shared):
            return super().ingest(events, checkpoint)


@breaks("S1")
class KeepsTheLastClassAlone(DictStore):
    def put(self, records):
        alone = []
        for _, of_class in groupby(records, key=type):
            alone = list(of_class)
        super().put(alone)


@breaks("S20")
class LooksOnceAtWhatOthersWrote(OfSeveralHandles):
    def __init__(self, lines):
        super().__init__(lines)
        self._lines = dict(lines)

    def ingest(self, events, checkpoint=None):
        done = super().ingest(events, checkpoint)
        self._lines = dict(self.shared)
        return done


@breaks("S20")
class WritesOverWhatOthersWrote(OfSeveralHandles):
    def ingest(self, events, checkpoint=None):
        mine = {key: line for key, line in self.shared.items() if key in getattr(self, "known", self.shared)}
        with self.looking_at(mine):
            done = DictStore.ingest(self, events, checkpoint)
        self.shared.clear()
        self.shared |= mine
        self.known = {*mine}
        return done


@breaks("S20")
class ShowsAnIngestUnderWay(OfSeveralHandles):
    def ingest(self, events, checkpoint=None):
        parts = [super(ShowsAnIngestUnderWay, self).ingest([event]) for event in events]
        super().ingest([], checkpoint)
        return Ingested(added=sum(part.added for part in parts), known=sum(part.known for part in parts))


@breaks("S23")
class KnowsFactsByTheirFirstField(DictStore):
    def facts(self, kind, query=EVERYTHING):
        return iter({getattr(fact, FACT_KEYS[kind][0]): fact for fact in super().facts(kind, query)}.values())


@breaks("S23")
class MergesFacts(DictStore):
    def put(self, records):
        for record in records:
            line = self._lines.get(_key("service", record.id)) if isinstance(record, Service) else None
            label = record.label or from_json(line, Service).label if line else ""
            super().put([evolve(record, label=label) if label else record])


@breaks("S23")
class HidesWhatBelongsToNoDelivery(DictStore):
    def facts(self, kind, query=EVERYTHING):
        found = super().facts(kind, query)
        return (fact for fact in found if query.delivery_ids is None or hasattr(fact, "delivery_id"))


@breaks("S23")
class OrdersFactsByTheirLastField(DictStore):
    def facts(self, kind, query=EVERYTHING):
        return iter(sorted(super().facts(kind, query), key=lambda fact: str(getattr(fact, FACT_KEYS[kind][-1]))))


class KeepsSlots(DictStore):
    """Counts are those of the events; ``noted`` says which of them are in the slots too."""

    def noted(self, query):
        return self.scan(query)

    def live_slots(self, query=EVERYTHING):
        named = Query(delivery_ids=query.delivery_ids, except_delivery_ids=query.except_delivery_ids)
        tally = fold(self.deliveries(named), self.messages(named), self.links(named), self.noted(query))
        return {name: counts.slots for name, counts in tally.counts(zone=query.zone).deliveries.items() if counts.slots}


@breaks("S26")
class SlotsMissWhatComesLate(KeepsSlots):
    late = frozenset()

    def ingest(self, events, checkpoint=None):
        events = list(events)
        latest = max((event.occurred_at for event in self.scan()), default=None)
        self.late |= {event.id for event in events if latest is not None and event.occurred_at < latest}
        return super().ingest(events, checkpoint)

    def noted(self, query):
        return (event for event in self.scan(query) if event.id not in self.late)


@breaks("S26")
class SlotsCountWhatComesTwice(KeepsSlots):
    given = ()

    def ingest(self, events, checkpoint=None):
        events = list(events)
        self.given = (*self.given, *events)
        return super().ingest(events, checkpoint)

    def noted(self, query):
        return filter(self.admission(query), self.given)


@breaks("S26")
class SlotsKeepSeeds(KeepsSlots):
    def live_slots(self, query=EVERYTHING):
        lines = {key: line for key, line in self._lines.items() if not key.startswith("message ")}
        return KeepsSlots(lines).live_slots(query)


@breaks("S26")
class SlotsOfAllAudiences(KeepsSlots):
    def noted(self, query):
        return self.scan(evolve(query, audience=None))


@breaks("S26")
class SlotsOfDeliveriesWithoutAny(DictStore):
    def slots(self, query=EVERYTHING):
        return {name: counts.slots for name, counts in self.counts(query).deliveries.items()}


@breaks("S38")
class SaysSnapshotAndLooksOn(OfSeveralHandles):
    def snapshot(self):
        return nullcontext()


@breaks("S38")
class FreezesEventsAlone(OfSeveralHandles):
    def find(self, kind, query=EVERYTHING):
        with self.looking_at(self.shared):
            return super().find(kind, query)


@breaks("S38")
class ForgetsWhatASnapshotWrote(OfSeveralHandles):
    def put(self, records):
        DictStore.put(self, records)

    def ingest(self, events, checkpoint=None):
        return DictStore.ingest(self, events, checkpoint)


for _name, (_store, _clause) in FAULTS.items():
    globals()[f"Test{_name}"] = type(f"Test{_name}", (suite_of(_store),), {})
