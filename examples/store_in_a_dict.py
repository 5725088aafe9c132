"""A store for msgtrack in one dictionary of JSON lines: a complete third-party adapter, to read and to copy.

What stands for "the engine" is a plain ``dict`` from text to text, as any key-value store has it: LMDB, Valkey, a shelf. Whoever has
another engine replaces the lines that touch ``self._lines``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgtrack.errors import InvalidValue
from msgtrack.events import Event
from msgtrack.facts import FACT_KEYS
from msgtrack.model import Delivery, Message, TrackedLink
from msgtrack.protocols import Capabilities, Checkpoint, Ingested, Query, Record, WorkflowRun
from msgtrack.records import from_json, to_json
from msgtrack.storage import EVERYTHING, BaseStore, RecordT, admits, in_order, kept_events, record_key

SHELVES = {
    Delivery: "delivery",
    Message: "message",
    TrackedLink: "link",
    WorkflowRun: "run",
    **{kind: f"fact-{kind.__name__}" for kind in FACT_KEYS},
}
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
            persistent=True, atomic_ingest=True, exact_distinct=True, concurrent_writers=False, native_counts=False
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
        """``query.admits`` knows all but the recipient, whose messages decide."""
        self.check_open()
        found = [event for line in self._under("event") if query.admits(event := from_json(line, Event))]
        if query.recipient_id is not None:
            theirs = self.messages_of(query.recipient_id)
            found = [event for event in found if (event.delivery_id, event.message_id) in theirs]
        return iter(sorted(found, key=lambda event: (event.occurred_at, event.id)))

    def checkpoint(self, source: str) -> Checkpoint | None:
        """None for a source that was never read."""
        self.check_open()
        line = self._lines.get(_key("checkpoint", source))
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
