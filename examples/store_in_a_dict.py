"""A store for msgtrack in one dictionary of JSON lines: a complete third-party adapter, to read and to copy.

What stands for "the engine" is a plain ``dict`` from text to text, as any key-value store has it: LMDB, Valkey, a shelf. Whoever has
another engine replaces the lines that touch ``self._lines``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgtrack.errors import InvalidValue
from msgtrack.events import Event
from msgtrack.protocols import Capabilities, Checkpoint, Ingested, Query, Record
from msgtrack.records import from_json, to_json
from msgtrack.storage import (
    EVERYTHING,
    RECORD_KINDS,
    BaseStore,
    RecordT,
    admits,
    in_order,
    kept_events,
    one_id,
    paged,
    record_key,
    some_ids,
)

SHELVES = {kind: kind.__name__.lower() for kind in RECORD_KINDS}
PLACES: dict[str, dict[str, str]] = {}
"""The "engine": dictionaries by name. They stay when a store is closed, as files would."""


def open_dict(url: str) -> DictStore:
    """What the entry point names: ``open_store("dict:spring")`` calls it."""
    name = url.partition(":")[2]
    if not name:
        raise InvalidValue("a store in a dict has a name, as in dict:spring")
    return DictStore(PLACES.setdefault(name, {}))


class DictStore(BaseStore):
    """Keeps records, events and checkpoints as lines of JSON in a dictionary."""

    def __init__(self, lines: dict[str, str]) -> None:
        self._lines = lines

    @property
    def capabilities(self) -> Capabilities:
        """The dictionary outlives the store; one handle at a time."""
        return Capabilities(
            persistent=True,
            atomic_ingest=True,
            exact_distinct=True,
            concurrent_writers=False,
            native_counts=False,
            revisable=True,
        )

    def put(self, records: Iterable[Record]) -> None:
        """All lines are made before the first is kept: an iterable that raises in the middle leaves nothing behind."""
        self.check_open()
        self._lines |= {_key(SHELVES[type(record)], *key): to_json(record) for key, record in _keyed(records)}

    def find(self, kind: type[RecordT], query: Query = EVERYTHING) -> Iterator[RecordT]:
        """``admits`` and ``in_order`` know what passes and how it is ordered."""
        self.check_open()
        records = (from_json(line, kind) for line in self._under(SHELVES[kind]))
        return iter(in_order(record for record in records if admits(query, record)))

    def ingest(self, events: Iterable[Event], checkpoint: Checkpoint | None = None) -> Ingested:
        """The same here; ``kept_events`` refuses what is no event, and sets the ids."""
        self.check_open()
        fresh: dict[str, str] = {}
        given = 0
        for kept in kept_events(events):
            key = _key("event", kept.id)
            given += 1
            if key not in self._lines:
                fresh.setdefault(key, to_json(kept))
        added = len(fresh)
        if checkpoint is not None:
            fresh[_key("checkpoint", checkpoint.source)] = to_json(checkpoint)
        self._lines |= fresh
        return Ingested(added=added, known=given - added)

    def scan(self, query: Query = EVERYTHING) -> Iterator[Event]:
        """``admission`` knows which pass, ``paged`` orders them and cuts the page."""
        self.check_open()
        passes = self.admission(query)
        return paged(query, filter(passes, (from_json(line, Event) for line in self._under("event"))))

    def revise(
        self,
        *,
        records: Iterable[Record] = (),
        events: Iterable[Event] = (),
        remove: Iterable[Record] = (),
        remove_events: Iterable[str] = (),
    ) -> None:
        """The seventh method: with it, ``erase`` and ``purge`` work."""
        self.check_open()
        lines = dict(self._lines)
        for key, record in _keyed(remove):
            lines.pop(_key(SHELVES[type(record)], *key), None)
        for event_id in some_ids(remove_events):
            lines.pop(_key("event", event_id), None)
        lines |= {_key(SHELVES[type(record)], *key): to_json(record) for key, record in _keyed(records)}
        lines |= {key: to_json(kept) for kept in kept_events(events) if (key := _key("event", kept.id)) in lines}
        self._lines.clear()
        self._lines |= lines

    def checkpoint(self, source: str) -> Checkpoint | None:
        """None for a source that was never read."""
        self.check_open()
        line = self._lines.get(_key("checkpoint", one_id(source)))
        return None if line is None else from_json(line, Checkpoint)

    def close(self) -> None:
        """Nothing to let go of but the dictionary."""
        super().close()
        self._lines = {}

    def _under(self, shelf: str) -> list[str]:
        return [line for key, line in self._lines.items() if key.startswith(f"{shelf} ")]


def _keyed(records: Iterable[Record]) -> Iterator[tuple[tuple[str, ...], Record]]:
    return ((record_key(record), record) for record in records)


def _key(shelf: str, *parts: str) -> str:
    # Ids may hold any character, so each is written with its length: no two keys run into one another.
    return " ".join([shelf, *(f"{len(part)}:{part}" for part in parts)])
