"""The store in memory: the reference that every other store is held against, and the quickest way to try something."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgtrack.errors import InvalidValue
from msgtrack.events import Event
from msgtrack.protocols import Capabilities, Checkpoint, Ingested, Query, Record
from msgtrack.storage.base import (
    EVERYTHING,
    RECORD_KINDS,
    BaseStore,
    RecordT,
    admits,
    in_order,
    kept_events,
    record_key,
)

__all__ = ["MemoryStore", "open_memory"]


class MemoryStore(BaseStore):
    """Keeps everything in dictionaries, and forgets it when closed."""

    def __init__(self) -> None:
        self._records: dict[type, dict[tuple[str, ...], Record]] = {kind: {} for kind in RECORD_KINDS}
        self._events: dict[str, Event] = {}
        self._checkpoints: dict[str, Checkpoint] = {}

    @property
    def capabilities(self) -> Capabilities:
        """Atomic and exact; not persistent, and one handle only."""
        return Capabilities(
            persistent=False, atomic_ingest=True, exact_distinct=True, concurrent_writers=False, native_counts=False
        )

    def put(self, records: Iterable[Record]) -> None:
        """Keep records by key; see :class:`msgtrack.protocols.Store`."""
        self.check_open()
        for key, record in [(record_key(record), record) for record in records]:
            self._records[type(record)][key] = record

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
        if checkpoint is not None:
            self._checkpoints[checkpoint.source] = checkpoint
        return Ingested(added=len(fresh), known=given - len(fresh))

    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """Events that pass, ordered by ``occurred_at`` and id."""
        self.check_open()
        found = [event for event in self._events.values() if query.admits(event)]
        if query.recipient_id is not None:
            theirs = self.messages_of(query.recipient_id)
            found = [event for event in found if (event.delivery_id, event.message_id) in theirs]
        return iter(sorted(found, key=lambda event: (event.occurred_at, event.id)))

    def checkpoint(self, source: str) -> Checkpoint | None:
        """How far a source was read, or None."""
        self.check_open()
        return self._checkpoints.get(source)

    def close(self) -> None:
        """Forget everything."""
        super().close()
        self._records = {kind: {} for kind in RECORD_KINDS}
        self._events = {}
        self._checkpoints = {}


def open_memory(url: str) -> MemoryStore:
    """A new, empty store for the address ``memory:``.

    Raises:
        InvalidValue: something follows the colon.
    """
    if url != "memory:":
        raise InvalidValue(f"the address of a store in memory is 'memory:' and nothing else, not {url!r:.80}")
    return MemoryStore()
