"""Stores that are wrong on purpose, one fault each: what the suite must catch.

Run by ``test_planted_faults.py``, not collected by itself.
"""

from __future__ import annotations

import runpy
from datetime import timedelta
from itertools import islice
from pathlib import Path

import pytest
from attrs import asdict, evolve

from msgtrack.errors import EventsPurged, MsgtrackError, NotSupported, StoreClosed
from msgtrack.events import Event
from msgtrack.facts import Exclusion
from msgtrack.model import UNJUDGED, Delivery, Message
from msgtrack.protocols import AuditEntry, FrozenCounts, Ingested, Query
from msgtrack.records import from_json, to_json
from msgtrack.storage import EVERYTHING, record_key
from msgtrack.testing import StoreSuite

_example = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "store_in_a_dict.py"))
DictStore, _key, SHELVES = _example["DictStore"], _example["_key"], _example["SHELVES"]
FAULTS: dict[str, tuple[type, str]] = {}
"""Name of the fault: the store that has it, and the clause that it breaks."""


def noting(faults):
    """What notes a store, and the clause that it breaks, in that table."""

    def breaks(clause):
        def note(store):
            faults[store.__name__] = (store, clause)
            return store

        return note

    return breaks


breaks = noting(FAULTS)


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


@breaks("S12")
class GivesNaiveMoments(DictStore):
    def scan(self, query=EVERYTHING):
        for event in super().scan(query):
            object.__setattr__(event, "occurred_at", event.occurred_at.replace(tzinfo=None))
            yield event


@breaks("S16")
class CutsDaysInUtc(DictStore):
    def live_counts(self, query=EVERYTHING):
        return evolve(super().live_counts(evolve(query, zone="UTC")), zone=query.zone)


@breaks("S24")
class LabelsAsTheyStand(DictStore):
    def scan(self, query=EVERYTHING):
        if query.labels is None:
            return super().scan(query)
        theirs = {(link.delivery_id, link.id) for link in self.links() if link.label in query.labels}
        events = super().scan(evolve(query, labels=None))
        return (event for event in events if (event.delivery_id, event.link_id) in theirs)


@breaks("S24")
class ExceptionsHideStrays(DictStore):
    def scan(self, query=EVERYTHING):
        events = super().scan(query)
        return (event for event in events if not query.except_delivery_ids or event.delivery_id is not None)


@breaks("S25")
class PagesByMomentAlone(DictStore):
    def scan(self, query=EVERYTHING):
        events = super().scan(evolve(query, limit=None))
        behind = (event for event in events if query.after is None or event.occurred_at != query.after[0])
        return islice(behind, query.limit)


@breaks("S25")
class LimitsBeforeItNarrows(DictStore):
    def scan(self, query=EVERYTHING):
        first = {event.id for event in super().scan(Query(limit=query.limit, newest_first=query.newest_first))}
        return (event for event in super().scan(query) if query.limit is None or event.id in first)


@breaks("S25")
class NewestFirstTurnsMomentsAlone(DictStore):
    def scan(self, query=EVERYTHING):
        events = [*super().scan(query)]
        return iter(
            sorted(events, key=lambda e: (e.occurred_at, e.id))
            if not query.newest_first
            else sorted(sorted(events, key=lambda e: e.id), key=lambda e: e.occurred_at, reverse=True)
        )


@breaks("S27")
class RebuildsOntoWhatIsThere(DictStore):
    times = 1

    def rebuild(self, delivery_ids=None):
        super().rebuild(delivery_ids)
        self.times += 1

    def live_slots(self, query=EVERYTHING):
        return {
            name: {
                kind: {link: {slot: rows * self.times for slot, rows in slots.items()} for link, slots in links.items()}
                for kind, links in kinds.items()
            }
            for name, kinds in super().live_slots(query).items()
        }


@breaks("S28")
class EarliestEntryFirst(DictStore):
    def audits(self):
        return reversed([*super().audits()])


@breaks("S28")
class OneFrozenZone(DictStore):
    def put(self, records):
        super().put(evolve(record, zone="UTC") if isinstance(record, FrozenCounts) else record for record in records)


@breaks("S29")
class RewritesWhatIsNotThere(DictStore):
    def revise(self, *, records=(), events=(), remove=(), remove_events=()):
        events = list(events)
        super().revise(records=records, remove=remove, remove_events=remove_events)
        for event in events:
            self._lines[_key("event", event.id)] = to_json(event)


@breaks("S29")
class RevisesByHalves(DictStore):
    def revise(self, *, records=(), events=(), remove=(), remove_events=()):
        super().revise(remove=remove, remove_events=remove_events)
        super().revise(records=records, events=events)


@breaks("S29")
class RemovesAfterItPuts(DictStore):
    def revise(self, *, records=(), events=(), remove=(), remove_events=()):
        super().revise(records=records, events=events)
        super().revise(remove=remove, remove_events=remove_events)


@breaks("S30")
class PurgesWithoutFreezing(DictStore):
    def purge(self, before, *, now, zones=("UTC",)):
        entry = super().purge(before, now=now, zones=zones)
        super().revise(remove=[*self.frozen()])
        return entry


@breaks("S30")
class FreezesInOneZone(DictStore):
    def purge(self, before, *, now, zones=("UTC",)):
        return super().purge(before, now=now, zones=("UTC",))


@breaks("S30")
class PurgesEventByEvent(DictStore):
    def purge(self, before, *, now, zones=("UTC",)):
        entry = super().purge(before, now=now, zones=zones)
        moments = before if isinstance(before, dict) else {"events": before}
        old = self.scan(Query(until=moments.get("events"))) if "events" in moments else ()
        super().revise(remove_events=[event.id for event in old if event.delivery_id is not None])
        return entry


@breaks("S31")
class CountsWhatIsLeft(DictStore):
    def counts(self, query=EVERYTHING):
        try:
            return super().counts(query)
        except EventsPurged:
            return self.live_counts(query)


@breaks("S31")
class CountsWhatComesLate(DictStore):
    def counts(self, query=EVERYTHING):
        found, late = super().counts(query), self.live_counts(query)
        deliveries = {
            name: late.deliveries[name]
            if name in found.frozen and name in late.deliveries and [*self.scan(Query(delivery_ids=name))]
            else counts
            for name, counts in found.deliveries.items()
        }
        return evolve(found, deliveries=deliveries)


@breaks("S32")
class FreezesAgain(DictStore):
    def purge(self, before, *, now, zones=("UTC",)):
        kept = [record for record in self.frozen() if [*self.messages(Query(delivery_ids=record.delivery_id))]]
        super().revise(remove=kept)
        return super().purge(before, now=now, zones=zones)


@breaks("S32")
class ForgetsItsSecret(DictStore):
    def put(self, records):
        super().put(evolve(record, secret="") if isinstance(record, AuditEntry) else record for record in records)

    def audits(self):
        return (entry for entry in super().audits() if entry.status == "finished" or entry.action == "purge")


@breaks("S33")
class LeavesUserAgents(DictStore):
    def revise(self, *, records=(), events=(), remove=(), remove_events=()):
        known = {event.id: event for event in self.scan()}
        kept = [evolve(event, client=known[event.id].client) for event in events if event.id in known]
        super().revise(records=records, events=kept, remove=remove, remove_events=remove_events)


@breaks("S33")
class OnePseudonymForAll(DictStore):
    def revise(self, *, records=(), events=(), remove=(), remove_events=()):
        kept = [evolve(event, source_id=event.source_id and "erased") for event in events]
        super().revise(records=records, events=kept, remove=remove, remove_events=remove_events)


@breaks("S34")
class AlwaysAnonymises(DictStore):
    def erase(self, recipient_id, *, now, anonymise=True):
        return super().erase(recipient_id, now=now)


@breaks("S35")
class ExportsMessagesAlone(DictStore):
    def export(self, recipient_id):
        return self.messages(Query(recipient_id=recipient_id))


@breaks("S36")
class ErasesWithoutATrace(DictStore):
    def erase(self, recipient_id, *, now, anonymise=True):
        entry = super().erase(recipient_id, now=now, anonymise=anonymise)
        super().revise(remove=[entry])
        return entry


@breaks("S5")
class CutsIdsTo63Bytes(DictStore):
    def put(self, records):
        self._lines |= {_cut_key(record, 63): to_json(record) for record in [*records]}


@breaks("S23")
class CutsKeysTo255Bytes(DictStore):
    def put(self, records):
        self._lines |= {_cut_key(record, 255): to_json(record) for record in [*records]}


def _cut_key(record, size):
    parts = (part.encode()[:size].decode(errors="ignore") for part in record_key(record))
    return _key(SHELVES[type(record)], *parts)


@breaks("S37")
class SaysSoTooLate(DictStore):
    @property
    def capabilities(self):
        return evolve(super().capabilities, revisable=False)

    def revise(self, *, records=(), events=(), remove=(), remove_events=()):
        if records or events or remove or remove_events:
            raise NotSupported("not yet")


@breaks("S41")
class RoundsSpansToSeconds(DictStore):
    def spans(self):
        return {name: tuple(moment.replace(microsecond=0) for moment in span) for name, span in super().spans().items()}


@breaks("S41")
class SpansOfDeliveriesAlone(DictStore):
    def spans(self):
        return {name: span for name, span in super().spans().items() if name is not None}


@breaks("S41")
class MessagesOfWhoeverHadThem(DictStore):
    """An index by recipient that keeps its entry when a message is put again with another one."""

    def put(self, records):
        records = [*records]
        super().put(records)
        self.had = getattr(self, "had", set()) | {
            (record.recipient_id, record.delivery_id, record.id) for record in records if isinstance(record, Message)
        }

    def messages_of(self, recipient_id):
        return {(delivery_id, id_) for whose, delivery_id, id_ in getattr(self, "had", ()) if whose == recipient_id}


@breaks("S41")
class MessagesOfWhoeverHadThemRemoved(MessagesOfWhoeverHadThem):
    """Puts in order what is put again, and forgets what is taken out."""

    def messages_of(self, recipient_id):
        now = {(m.delivery_id, m.id): m.recipient_id for m in self.messages()}
        return {key for key in super().messages_of(recipient_id) if now.get(key, recipient_id) == recipient_id}


@breaks("S41")
class EventsByThoseWithoutAMessage(DictStore):
    def events_by(self, source_ids):
        return (event for event in super().events_by(source_ids) if event.message_id is None)


@breaks("S41")
class EventsByBrowserAfterBrowser(DictStore):
    def events_by(self, source_ids):
        return iter([event for name in sorted(source_ids) for event in super(type(self), self).events_by({name})])


@breaks("S41")
class EventsByAsTheyCame(DictStore):
    def events_by(self, source_ids):
        events = (from_json(line, Event) for line in self._under("event"))
        return (event for event in events if event.source_id in source_ids)


@breaks("S41")
class EventsByWhoeverDidThem(DictStore):
    """An index by browser that a revision does not touch."""

    def ingest(self, events, checkpoint=None):
        done = super().ingest(events, checkpoint)
        self.by = {event.id: event.source_id for event in self.scan()} | getattr(self, "by", {})
        return done

    def events_by(self, source_ids):
        return (event for event in self.scan() if getattr(self, "by", {}).get(event.id) in source_ids)


@breaks("S41")
class DeliveriesOfRecipientsMessages(DictStore):
    def deliveries_of_messages(self):
        return {message.delivery_id for message in self.messages() if message.recipient_id is not None}


@breaks("S41")
class DeliveriesOfFactsThatNameOne(DictStore):
    def deliveries_of_facts(self):
        return {fact.delivery_id for fact in self.all_facts() if getattr(fact, "delivery_id", None)}


@breaks("S41")
class DeliveriesOfExclusionsAlone(DictStore):
    def deliveries_of_facts(self):
        return {fact.delivery_id for fact in self.facts(Exclusion)}


@breaks("S41")
class FindsTheFirstAlone(DictStore):
    def find_having(self, kind, name, values):
        return islice(super().find_having(kind, name, values), 1)


@breaks("S41")
class FrozenForAllZones(DictStore):
    def frozen_for(self, query, audiences, zone):
        return (kept for kept in self.frozen(query) if kept.audience in audiences)


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
