"""The store in memory: the reference that every other store is held against, and the quickest way to try something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Self

from msgtrack.counts import Counts
from msgtrack.errors import InvalidValue
from msgtrack.events import Event
from msgtrack.protocols import (
    AuditEntry,
    Capabilities,
    Checkpoint,
    FrozenCounts,
    Ingested,
    Query,
    Record,
    WorkflowRun,
)
from msgtrack.storage._ids import one_id, some_ids
from msgtrack.storage._lines import Place, read_lines, write_lines
from msgtrack.storage.base import (
    EVERYTHING,
    RECORD_KINDS,
    BaseStore,
    RecordT,
    admits,
    in_order,
    kept_events,
    paged,
    record_key,
)
from msgtrack.tally import Tally

__all__ = ["MemoryStore", "open_memory"]

_NOT_COUNTED = (WorkflowRun, FrozenCounts, AuditEntry)


class MemoryStore(BaseStore):
    """Keeps everything in dictionaries, and forgets it when closed, unless :meth:`save` wrote it down.

    From the first report on it keeps a tally beside them, so that the next one works on what came since.
    """

    def __init__(self) -> None:
        self._records: dict[type, dict[tuple[str, ...], Record]] = {kind: {} for kind in RECORD_KINDS}
        self._events: dict[str, Event] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._tally: Tally | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Atomic and exact; not persistent, and one handle only."""
        return Capabilities(
            persistent=False,
            atomic_ingest=True,
            exact_distinct=True,
            concurrent_writers=False,
            native_counts=False,
            revisable=True,
        )

    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key; see :class:`msgtrack.protocols.Store`."""
        self.check_open()
        for key, record in [(record_key(record), record) for record in records]:
            kept = self._records[type(record)]
            known = kept.get(key)
            kept[key] = record
            if self._tally is not None and known is not None and not _outdoes(record, known):
                self._tally = None
            elif self._tally is not None and not isinstance(record, _NOT_COUNTED):
                self._tally.add(record)

    def find(self, kind: type[RecordT], query: Query = EVERYTHING) -> Iterator[RecordT]:
        """Records of one class that pass, in order."""
        self.check_open()
        records = [record for record in self._records[kind].values() if isinstance(record, kind)]
        return iter(in_order(record for record in records if admits(query, record)))

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """Keep the events whose id is new, and the checkpoint; both or neither."""
        self.check_open()
        fresh: dict[str, Event] = {}
        given = 0
        for kept in kept_events(events):
            given += 1
            if kept.id not in self._events:
                fresh.setdefault(kept.id, kept)
        self._events |= fresh
        if self._tally is not None:
            self._tally.extend(fresh.values())
        if checkpoint is not None:
            self._checkpoints[checkpoint.source] = checkpoint
        return Ingested(added=len(fresh), known=given - len(fresh))

    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id."""
        self.check_open()
        return paged(query, filter(self.admission(query), self._events.values()))

    def revise(
        self,
        *,
        records: Iterable[Record] = (),
        events: Iterable[Event] = (),
        remove: Iterable[Record] = (),
        remove_events: Iterable[str] = (),
    ) -> None:
        """Take out and rewrite, all or nothing."""
        self.check_open()
        gone = [(type(record), record_key(record)) for record in remove]
        gone_events = some_ids(remove_events)
        fresh = [(record_key(record), record) for record in records]
        rewritten = [*kept_events(events)]
        for kind, key in gone:
            self._records[kind].pop(key, None)
        for event_id in gone_events:
            self._events.pop(event_id, None)
        for key, record in fresh:
            self._records[type(record)][key] = record
        for event in rewritten:
            if event.id in self._events:
                self._events[event.id] = event
        if gone or gone_events or fresh or rewritten:
            self._tally = None

    def live_counts(self, query: Query = EVERYTHING) -> Counts:
        """The numbers that the query asks for; from the tally, unless it narrows more than deliveries and audience."""
        self.check_open()
        if query != Query(delivery_ids=query.delivery_ids, audience=query.audience, zone=query.zone):
            return super().live_counts(query)
        if self._tally is None:
            tally = Tally()
            records = chain.from_iterable(kept.values() for kept in self._records.values())
            tally.extend(record for record in records if not isinstance(record, _NOT_COUNTED))
            tally.extend(self._events.values())
            self._tally = tally
        return self._tally.counts(audience=query.audience, zone=query.zone, delivery_ids=query.delivery_ids)

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        self.check_open()
        return self._checkpoints.get(one_id(source))

    def save(self, path: Place) -> None:
        """Write everything to a file of JSON lines, in one step: an older file there stays whole until the new one is.

        Raises:
            UnreadableInput: it cannot be written.
        """
        self.check_open()
        records = chain.from_iterable(in_order(kept.values()) for kept in self._records.values())
        write_lines(path, chain(records, self.scan(), self._checkpoints.values()))

    @classmethod
    def load(cls, path: Place) -> Self:
        """A store with everything that :meth:`save` wrote.

        Raises:
            UnreadableInput: there is no such file, or it is not one of these; the message names the line.
        """
        store = cls()
        records: list[Record] = []
        events: list[Event] = []
        for value in read_lines(path):
            if isinstance(value, Event):
                events.append(value)
            elif isinstance(value, Checkpoint):
                store.ingest((), value)
            else:
                records.append(value)
        store.put(records)
        store.ingest(events)
        return store

    def close(self) -> None:
        """Forget everything."""
        super().close()
        self._records = {kind: {} for kind in RECORD_KINDS}
        self._events = {}
        self._checkpoints = {}
        self._tally = None


def _outdoes(record: Record, known: Record) -> bool:
    """Whether a tally that knows the older version of a record would keep the newer, as a store does in any case."""
    if isinstance(record, _NOT_COUNTED) or isinstance(known, _NOT_COUNTED):
        return True
    both, newer = Tally(), Tally()
    both.extend((known, record))
    newer.add(record)
    return both == newer


def open_memory(url: str) -> MemoryStore:
    """A new, empty store for the address ``memory:``.

    Raises:
        InvalidValue: something follows the colon.
    """
    if url != "memory:":
        raise InvalidValue(f"the address of a store in memory is 'memory:' and nothing else, not {url!r:.80}")
    return MemoryStore()
