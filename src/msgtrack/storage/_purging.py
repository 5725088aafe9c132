"""Taking away what is old: deliveries that are over are frozen first, and all goes in batches that may break off anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import count, islice
from typing import TypeVar

from attrs import evolve

from msgtrack._borders import optional_utc, zone_of
from msgtrack.errors import InvalidValue
from msgtrack.events import event_id
from msgtrack.facts import Exclusion, SharedView, Visitor
from msgtrack.model import Delivery, Message
from msgtrack.protocols import AuditEntry, Query, Record
from msgtrack.storage._core import LONG_AGO, CoreStore, Spans
from msgtrack.storage._frozen import freeze
from msgtrack.upkeep import cutoffs

__all__ = ["BATCH_ROWS", "batches", "new_entry_id", "purge"]

BATCH_ROWS = 1000
"""How many rows one revision takes away."""

_T = TypeVar("_T")
_Span = tuple[datetime, datetime] | None


def batches(values: Iterable[_T]) -> Iterator[list[_T]]:
    """Values in lists of at most :data:`BATCH_ROWS`."""
    iterator = iter(values)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch


def new_entry_id(store: CoreStore, now: datetime | None, *parts: str) -> str:
    """An id for the audit trail that no entry has: the same work at the same moment leaves two entries, not one in place of the other."""
    taken = {entry.id for entry in store.audits()}
    moment = "" if now is None else now.isoformat()
    ids = (event_id(now or LONG_AGO, *parts, moment, *([str(number)] if number else [])) for number in count())
    return next(made for made in ids if made not in taken)


def purge(
    store: CoreStore, before: datetime | Mapping[str, datetime], *, now: datetime | None, zones: Iterable[str]
) -> AuditEntry:
    """See :meth:`msgtrack.storage.BaseStore.purge`."""
    moments = cutoffs(before)
    if isinstance(zones, str):
        raise InvalidValue(f"zones are names, as in zones=('UTC',), not one text: {zones!r:.80}")
    zones = tuple(zones)
    for zone in zones:
        zone_of(zone)
    if not zones:
        raise InvalidValue("counts are frozen in one time zone at least, as in zones=('UTC',)")
    now = optional_utc(now)
    # An adapter that cannot take anything out says so before anything is written.
    store.revise()
    detail = ", ".join(f"{kind} before {moment.isoformat()}" for kind, moment in sorted(moments.items()))
    entry = AuditEntry(
        id=new_entry_id(store, now, "purge", detail),
        action="purge",
        started_at=now,
        detail=detail,
    )
    store.put([entry])
    done: Counter[str] = Counter()
    _Purge(store, moments, zones, now, done).run()
    finished = evolve(entry, status="finished", done={kind: done[kind] for kind in sorted(done) if done[kind]})
    store.put([finished])
    return finished


class _Purge:
    def __init__(
        self,
        store: CoreStore,
        moments: Mapping[str, datetime],
        zones: tuple[str, ...],
        now: datetime | None,
        done: Counter[str],
    ) -> None:
        self.store = store
        self.moments = moments
        self.zones = zones
        self.now = now
        self.done = done

    def run(self) -> None:
        if self.moments.keys() & {"events", "messages", "visitors"}:
            self._deliveries()
        self._strays()
        self._rejects()
        self._audits()

    def _deliveries(self) -> None:
        spans = self.store.spans()
        # Of deliveries that were frozen years ago nothing is left to look at.
        named = {name for name in spans if name is not None}
        named |= self.store.deliveries_of_messages() | self.store.deliveries_of_facts()
        frozen = self.store.frozen_deliveries()
        if self.moments.keys() & {"events", "messages"}:
            frozen |= self._freeze_what_is_over(frozen, named, spans)
        for delivery_id in sorted(frozen & named):
            touched = self._events(delivery_id) + self._messages(delivery_id) + self._visitors(delivery_id)
            if touched:
                self.store.rebuild([delivery_id])

    def _freeze_what_is_over(self, frozen: set[str], named: set[str], spans: Spans) -> set[str]:
        deliveries = {delivery.id: delivery for delivery in self.store.deliveries()}
        limit = max(self.moments[kind] for kind in ("events", "messages") if kind in self.moments)
        over = set()
        for delivery_id in sorted((named | deliveries.keys()) - frozen):
            span = spans.get(delivery_id)
            if self._is_over(delivery_id, span, deliveries.get(delivery_id), limit):
                with self.store.snapshot():
                    kept = freeze(self.store, delivery_id, span, self.zones, now=self.now)
                self.store.put(kept)
                self.done["frozen"] += 1
                over.add(delivery_id)
        return over

    def _is_over(self, delivery_id: str, span: _Span, delivery: Delivery | None, limit: datetime) -> bool:
        """Whether all moments that are known of a delivery lie before the limit, and there is one."""
        moments = [] if span is None else [span[1]]
        if delivery is not None:
            moments += _known(
                delivery.contact_at,
                delivery.validity_end_at,
                delivery.web_validity_end_at,
                delivery.tracking_validity_end_at,
            )
        if any(moment >= limit for moment in moments):
            return False
        named = Query(delivery_ids=delivery_id)
        for message in self.store.messages(named):
            at = _last_of(message)
            if at is not None:
                moments.append(at)
                if at >= limit:
                    return False
        moments += [view.occurred_at for view in self.store.facts(SharedView, named)]
        moments += _known(*(visitor.created_at for visitor in self.store.facts(Visitor, named)))
        return bool(moments) and max(moments) < limit

    def _events(self, delivery_id: str) -> int:
        before = self.moments.get("events")
        if before is None:
            return 0
        old = Query(delivery_ids=delivery_id, until=before)
        gone = self._remove_events("events", (event.id for event in self.store.scan(old)))
        return gone + self._remove("views", self.store.facts(SharedView, old), lambda view: view.occurred_at < before)

    def _messages(self, delivery_id: str) -> int:
        before = self.moments.get("messages")
        if before is None:
            return 0
        named = Query(delivery_ids=delivery_id)

        def is_old(message: Message) -> bool:
            at = _last_of(message)
            return at is None or at < before

        gone = self._remove("messages", self.store.messages(named), is_old)
        return gone + self._remove("exclusions", self.store.facts(Exclusion, named), lambda _: True)

    def _visitors(self, delivery_id: str) -> int:
        before = self.moments.get("visitors")
        if before is None:
            return 0

        def is_old(visitor: Visitor) -> bool:
            return visitor.recipient_id is None and visitor.created_at is not None and visitor.created_at < before

        return self._remove("visitors", self.store.facts(Visitor, Query(delivery_ids=delivery_id)), is_old)

    def _strays(self) -> None:
        before = self.moments.get("strays")
        if before is not None:
            found = self.store.scan(Query(until=before))
            self._remove_events("strays", (event.id for event in found if event.delivery_id is None))
            # Whether or not any were there: a purge before this one may have broken off at this very place.
            self.store.rebuild([""])

    def _rejects(self) -> None:
        before = self.moments.get("rejects")
        if before is None:
            return
        runs = [run for run in self.store.runs() if run.started_at < before and run.rejects]
        for batch in batches(runs):
            self.store.revise(records=[evolve(run, rejects=()) for run in batch])
            self.done["rejects"] += sum(len(run.rejects) for run in batch)

    def _audits(self) -> None:
        before = self.moments.get("audits")
        if before is None:
            return

        def is_old(entry: AuditEntry) -> bool:
            # What an erasure began it takes up by its entry; a purge that broke off has nothing to take up.
            # Of what has no moment nobody can say that it is too old.
            is_past = entry.started_at is not None and entry.started_at < before
            return is_past and (entry.status == "finished" or entry.action == "purge")

        self._remove("audits", self.store.audits(), is_old)

    def _remove(self, name: str, records: Iterable[_R], is_old: Callable[[_R], bool]) -> int:
        gone = 0
        for batch in batches(record for record in records if is_old(record)):
            self.store.revise(remove=batch)
            gone += len(batch)
        self.done[name] += gone
        return gone

    def _remove_events(self, name: str, event_ids: Iterable[str]) -> int:
        gone = 0
        for batch in batches(event_ids):
            self.store.revise(remove_events=batch)
            gone += len(batch)
        self.done[name] += gone
        return gone


_R = TypeVar("_R", bound=Record)


def _known(*moments: datetime | None) -> list[datetime]:
    return [moment for moment in moments if moment is not None]


def _last_of(message: Message) -> datetime | None:
    return max(_known(message.last_modified_at, message.event_at), default=None)
