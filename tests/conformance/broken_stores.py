"""Stores that are wrong on purpose, one fault each: what the suite must catch.

Run by ``test_planted_faults.py``, not collected by itself.
"""

from __future__ import annotations

import runpy
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import asdict, evolve

from msgtrack.errors import MsgtrackError, StoreClosed
from msgtrack.model import UNJUDGED, Delivery
from msgtrack.protocols import Ingested
from msgtrack.records import to_json
from msgtrack.storage import EVERYTHING
from msgtrack.testing import StoreSuite

_example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "store_in_a_dict.py"))
DictStore, _key, SHELVES = _example["DictStore"], _example["_key"], _example["SHELVES"]
FAULTS: dict[str, tuple[type, str]] = {}
"""Name of the fault: the store that has it, and the clause that it breaks."""


def breaks(clause):
    def note(store):
        FAULTS[store.__name__] = (store, clause)
        return store

    return note


@breaks("S2")
class MergesFields(DictStore):
    def put(self, records):
        merged = []
        for record in records:
            old = self.get_delivery(record.id) if isinstance(record, Delivery) else None
            plain = {} if old is None else asdict(old, recurse=False)
            new = {k: v for k, v in asdict(record, recurse=False).items() if v not in ("", None)} if old else {}
            merged.append(Delivery(**plain | new) if old else record)
        super().put(merged)


@breaks("S3")
class KeepsHalfAPut(DictStore):
    def put(self, records):
        for record in records:
            super().put([record])


@breaks("S4")
class OrdersIdsAsNumbers(DictStore):
    def find(self, kind, query=EVERYTHING):
        return iter(sorted(super().find(kind, query), key=lambda record: (len(record.id), record.id)))


@breaks("S5")
class FoldsCase(DictStore):
    def put(self, records):
        super().put(evolve(record, id=record.id.lower()) for record in records)


@breaks("S6")
class ForgetsVerdicts(DictStore):
    def scan(self, query=EVERYTHING):
        return (evolve(event, verdict=UNJUDGED) for event in super().scan(query))


@breaks("S6")
class GivesNoIds(DictStore):
    def scan(self, query=EVERYTHING):
        return (evolve(event, id=None) if event.id == event.derived_id() else event for event in super().scan(query))


@breaks("S7")
class CountsRetries(DictStore):
    def ingest(self, events, checkpoint=None):
        done = super().ingest(events, checkpoint)
        return Ingested(added=done.added + done.known)


@breaks("S7")
class LastEventWins(DictStore):
    def ingest(self, events, checkpoint=None):
        events = list(events)
        done = super().ingest(events, checkpoint)
        for event in events:
            self._lines[_key("event", event.id)] = to_json(evolve(event, id=event.id))
        return done


@breaks("S8")
class CountsDoublesOfABatch(DictStore):
    def ingest(self, events, checkpoint=None):
        events = list(events)
        known = {event.id for event in self.scan()}
        super().ingest(events, checkpoint)
        added = sum(event.id not in known for event in events)
        return Ingested(added=added, known=len(events) - added)


@breaks("S8")
class TakesAlikeForDoubles(DictStore):
    def ingest(self, events, checkpoint=None):
        return super().ingest((evolve(event, id=event.id) for event in events), checkpoint)


@breaks("S9")
class OneCheckpointForAll(DictStore):
    def ingest(self, events, checkpoint=None):
        return super().ingest(events, checkpoint and evolve(checkpoint, source="all"))

    def checkpoint(self, source):
        found = super().checkpoint("all")
        return found and evolve(found, source=source)


@breaks("S10")
class CheckpointAheadOfEvents(DictStore):
    def ingest(self, events, checkpoint=None):
        super().ingest([], checkpoint)
        return super().ingest(events)


@breaks("S10")
class KeepsHalfABatch(DictStore):
    def ingest(self, events, checkpoint=None):
        parts = [super(KeepsHalfABatch, self).ingest([event]) for event in events]
        super().ingest([], checkpoint)
        return Ingested(added=sum(part.added for part in parts), known=sum(part.known for part in parts))


@breaks("S11")
class OrdersByMomentAlone(DictStore):
    def scan(self, query=EVERYTHING):
        events = [*super().scan(query)][::-1]
        return iter(sorted(events, key=lambda event: event.occurred_at))


@breaks("S12")
class RoundsToMilliseconds(DictStore):
    def ingest(self, events, checkpoint=None):
        def rounded(event):
            at = event.occurred_at
            return evolve(event, id=event.id, occurred_at=at - timedelta(microseconds=at.microsecond % 1000))

        return super().ingest(map(rounded, events), checkpoint)


@breaks("S13")
class WindowHoldsItsEnd(DictStore):
    def scan(self, query=EVERYTHING):
        events = super().scan(evolve(query, until=None))
        return (event for event in events if query.until is None or event.occurred_at <= query.until)


@breaks("S14")
class EmptyChoiceIsAll(DictStore):
    def scan(self, query=EVERYTHING):
        return super().scan(evolve(query, delivery_ids=query.delivery_ids or None, kinds=query.kinds or None))


@breaks("S15")
class LateMessagesIgnored(DictStore):
    def __init__(self, lines):
        super().__init__(lines)
        self.owners = {}

    def ingest(self, events, checkpoint=None):
        events = list(events)
        owner = {(message.delivery_id, message.id): message.recipient_id for message in self.messages()}
        self.owners = self.owners | {event.id: owner.get((event.delivery_id, event.message_id)) for event in events}
        return super().ingest(events, checkpoint)

    def scan(self, query=EVERYTHING):
        events = super().scan(evolve(query, recipient_id=None))
        wanted = query.recipient_id
        return (event for event in events if wanted is None or self.owners.get(event.id) == wanted)


@breaks("S15")
class RecipientByMessageIdAlone(DictStore):
    def scan(self, query=EVERYTHING):
        events = super().scan(evolve(query, recipient_id=None))
        if query.recipient_id is None:
            return events
        theirs = {message_id for _, message_id in self.messages_of(query.recipient_id)}
        return (event for event in events if event.message_id in theirs)


@breaks("S16")
class CountsOfYesterday(DictStore):
    def counts(self, query=EVERYTHING):
        self.check_open()
        self.kept = getattr(self, "kept", None) or super().counts(query)
        return self.kept


@breaks("S17")
class EarliestRunFirst(DictStore):
    def runs(self):
        return reversed([*super().runs()])


@breaks("S18")
class CheckpointsInMemory(DictStore):
    def close(self):
        for key in [key for key in self._lines if key.startswith("checkpoint ")]:
            del self._lines[key]
        super().close()


@breaks("S19")
class UsableAfterClose(DictStore):
    def check_open(self):
        pass


@breaks("S19")
class ClosesOnce(DictStore):
    def close(self):
        if self._closed:
            raise StoreClosed("closed twice")
        super().close()


@breaks("S21")
class PassesOverStrangers(DictStore):
    def put(self, records):
        super().put(record for record in records if type(record) in SHELVES)


@breaks("S21")
class KeepsCheckpointOfStrangers(DictStore):
    def ingest(self, events, checkpoint=None):
        try:
            return super().ingest(events, checkpoint)
        except MsgtrackError:
            super().ingest([], checkpoint)
            raise


@breaks("S22")
class StopsWhenWrittenTo(DictStore):
    def scan(self, query=EVERYTHING):
        kept = len(self._lines)
        for event in super().scan(query):
            if len(self._lines) != kept:
                return
            yield event


FAULTS["healthy"] = (DictStore, "")


def _suite(store):
    class Suite(StoreSuite):
        @pytest.fixture
        def store_factory(self):
            lines = {}
            return lambda: store(lines)

    return Suite


for _name, (_store, _clause) in FAULTS.items():
    globals()[f"Test{_name}"] = type(f"Test{_name}", (_suite(_store),), {})
